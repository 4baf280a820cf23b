"""Runs as ladders: what every form of the picture must show, whatever the run."""

from __future__ import annotations

import contextlib
import re
from xml.etree import ElementTree

import pytest
from svg_geometry import problems, words_on_boxes

from fsm.choices import Config
from fsm.draw.ladder import ladder_dot
from fsm.draw.mermaid import endpoint_mermaid, ladder_mermaid, packet_path_mermaid, text_of
from fsm.draw.overlay import Overlay
from fsm.draw.pictures import all_pictures, picture, picture_names, run_picture
from fsm.draw.render import draw, find_renderer
from fsm.draw.rungs import LANES, ladder_of
from fsm.draw.text import endpoint_text, ladder_text, packet_path_text
from fsm.draw.theme import BASIS, DARK, LIGHT
from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.flows import FLOWS, FlowRun, run_flow, run_stimuli
from fsm.names import ENDPOINTS
from fsm.sources import SOURCES

CONFIGS = {
    "base": Config(),
    "v6": Config(ip=6),
    "vista": Config(windows="vista"),
    "documented": Config(evidence="documented"),
    "both": Config(assume=(("no_listener", "both"), ("inbound_transport_without_listener", "present"))),
}
HOSTILE = "<b>x&\"'\\N%%{init}|end;#漢"
renderer = pytest.mark.skipif(find_renderer() is None, reason="nothing here can draw")


def runs(config: Config | None = None) -> list[FlowRun]:
    """Every flow that this machine can do: some stimuli and layers are newer than Vista."""
    done = []
    for name in FLOWS:
        with contextlib.suppress(NoTransition):
            done.append(run_flow(name, config))
    assert len(done) == len(FLOWS) or (config is not None and config.windows == "vista")
    return done


def svg_texts(svg: bytes) -> list[str]:
    return ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@renderer
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_flow_is_a_well_formed_svg_that_names_its_layers(config: Config) -> None:
    for run in runs(config):
        shown = "".join(svg_texts(draw(run_picture(run), "svg"))).replace("_DISCARD", "")
        for labelled in run.steps:
            stem = re.sub(r"_V[46]|_DISCARD", "", labelled.step.layer.removeprefix("FWPM_LAYER_"))
            assert stem in shown, run.name
            assert f"id {labelled.step.runtime_id}" in shown.replace("\xa0", " "), run.name


@renderer
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_no_text_is_cut_and_nothing_lies_on_anything(config: Config) -> None:
    words = ["bind", "sendto", "policy_change", "datagram", "sendto@B", "icmp_error", "wait:61", "sendto", "close"]
    drawn = runs(config)
    drawn += [run_stimuli("sender", words, config), run_stimuli("receiver", words, config, blocks=["AUTH_CONNECT"])]
    for run in drawn:
        svg = draw(run_picture(run), "svg").decode()
        assert problems(svg, not_solid=frozenset({"lane"})) == [], run.name
        assert words_on_boxes(svg) == [], run.name


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_text_and_mermaid_name_every_layer_in_order(config: Config) -> None:
    for run in runs(config):
        order = [labelled.step.layer.removeprefix("FWPM_LAYER_") for labelled in run.steps]
        for written in (ladder_text(run), ladder_mermaid(run)):
            assert re.findall(r"\b\w+_V[46](?:_DISCARD)?\b", written) == order, run.name


def test_dual_stack_socket_shows_the_version_of_each_layer() -> None:
    lines = ladder_dot(run_flow("sender.dual_stack")).splitlines()
    (redirect,) = [line for line in lines if "id 69" in line]
    assert ">V6<" in redirect
    (authorize,) = [line for line in lines if "id 48" in line]
    assert ">V4<" in authorize


@pytest.mark.parametrize("name", FLOWS)
def test_dot_links_each_rung_to_a_document_that_its_row_cites(name: str) -> None:
    run = run_flow(name)
    dot = ladder_dot(run)
    addresses = {source.url for source in SOURCES.values() if source.url}
    assert set(re.findall(r'URL="([^"]*)"', dot)) <= addresses
    for labelled in run.steps:
        assert f"Rule {labelled.step.rule}, {labelled.step.basis}: " in dot


def test_basis_shows_without_colour() -> None:
    dot = ladder_dot(run_flow("sender.reauthorized"))
    (rung,) = [line for line in dot.splitlines() if line.startswith("  part1_rung1 ")]
    assert 'style="filled,rounded,dotted"' in rung
    assert "[I]" in rung
    for word in (f"{look.mark} {look.text}".strip() for look in BASIS.values()):
        assert word in dot


def test_block_shows_without_colour() -> None:
    run = run_flow("sender.blocked")
    (block,) = [line for line in ladder_dot(run).splitlines() if "BLOCK" in line]
    assert "ALE_AUTH_CONNECT" in block
    assert "5157, 5152" in block
    assert "the datagram is lost" in ladder_dot(run)
    assert re.search(r"X +ALE_AUTH_CONNECT_V4 +48 BLOCK", ladder_text(run))


def test_flow_that_no_layer_sees_says_so_in_every_form() -> None:
    run = run_flow("any.termination")
    assert run.steps == []
    for written in (ladder_dot(run), ladder_text(run), ladder_mermaid(run)):
        assert "no layer sees this" in written
        assert "closesocket returns success" in written


def test_ends_of_a_run_are_where_the_datagram_went() -> None:
    ways = {name: [part.way_out for part in ladder_of(run_flow(name)).parts] for name in FLOWS}
    assert ways["sender.active_open"] == ["application", "remote"]
    assert ways["receiver.first_datagram"] == ["application"]
    assert ways["dropped_port.no_listener"] == ["remote"]
    assert ways["dropped_port.silenced"] == ["lost"]
    assert ways["sender.blocked"] == ["lost"]
    assert ways["sender.icmp_error"] == ["application"]


def test_long_run_of_any_stimuli_is_drawn() -> None:
    words = ["bind", "sendto", "policy_change", "sendto@B", "datagram", "wait:61", "close"]
    run = run_stimuli("sender", words)
    dot, plain = ladder_dot(run), ladder_text(run)
    for word in ("policy_change", "sendto@B", "idle_timeout", "CLOSED/NONE"):
        assert word in dot
        assert word in plain


@pytest.mark.parametrize("name", FLOWS)
def test_same_run_gives_the_same_text_twice(name: str) -> None:
    for make in (ladder_dot, ladder_text, ladder_mermaid):
        assert make(run_flow(name)) == make(run_flow(name))


# --- text


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_text_is_ascii_in_a_hundred_columns(config: Config) -> None:
    texts = [ladder_text(run) for run in runs(config)]
    texts += [packet_path_text(config), *(endpoint_text(name, config) for name in ENDPOINTS)]
    for text in texts:
        assert text.isascii()
        assert [line for line in text.splitlines() if len(line) > 100 or line != line.rstrip()] == []


def test_matrix_of_the_packet_path_gives_each_layer_its_place() -> None:
    lines = packet_path_text(Config()).splitlines()
    head = next(line for line in lines if line.startswith("layer"))
    row = next(line for line in lines if line.strip().startswith("ALE_AUTH_CONNECT "))
    assert " ".join(head.split()) == "layer id bind first later again first later again error socket close"
    assert row.split() == ["ALE_AUTH_CONNECT", "48", "2", "1"]
    assert row.index(" 2") + 2 == head.index("first") + 5  # in the column of the first sendto


def test_endpoint_text_says_what_a_block_does() -> None:
    text = " ".join(endpoint_text("sender", Config()).split())
    assert "BOUND/NONE -> BOUND/OUT ALE_CONNECT_REDIRECT 66, ALE_AUTH_CONNECT 48" in text
    assert "ALE_AUTH_CONNECT 48, sendto in BOUND/NONE [O] outcome: blocked; then ALE_AUTH_CONNECT_DISCARD 49" in text


# --- overlay


def test_overlay_numbers_the_rungs_that_it_has_and_dims_the_others() -> None:
    run = run_flow("sender.active_open")
    rule = run.steps[3].step.rule
    dot = ladder_dot(run, Overlay(path=(rule,), current="BOUND/OUT"))
    lines = {line.split()[0]: line for line in dot.splitlines() if line.startswith("  ")}
    assert LIGHT.taken in lines["part2_rung4"]
    assert LIGHT.dim in lines["part2_rung5"]
    assert LIGHT.taken in lines["state2"]
    assert LIGHT.taken not in lines["state1"]
    assert re.search(r"\n  4\*sendto ", ladder_text(run, Overlay(path=(rule,))))


def test_dark_picture_has_no_light_colour() -> None:
    dot = ladder_dot(run_flow("sender.blocked"), dark=True, background="paper")
    assert set(re.findall(r"#[0-9a-f]{6}", dot)) <= {getattr(DARK, name) for name in DARK.__slots__}


# --- names from outside


@renderer
def test_hostile_name_breaks_no_form() -> None:
    run = run_stimuli("sender", ["sendto@B", "datagram@B"])
    run.title = HOSTILE  # a run that somebody made without the check of the command line
    for record, peer in zip(run.records, (HOSTILE, HOSTILE + "W" * 200), strict=True):
        record.peer = peer
    svg = draw(run_picture(run), "svg")
    assert any(HOSTILE[:9] in text for text in svg_texts(svg))
    assert b"<b>" not in svg
    plain = ladder_text(run)
    assert plain.isascii()
    assert max(map(len, plain.splitlines())) <= 100
    mermaid = ladder_mermaid(run)
    assert "<b>" not in mermaid
    assert "%%{" not in mermaid


def test_mermaid_text_keeps_nothing_that_mermaid_reads() -> None:
    assert text_of("a/b (c)") == "a/b (c)"
    assert text_of('x;#|"<>:{}[]`%\n') == "x#59;#35;#124;#34;#60;#62;#58;#123;#125;#91;#93;#96;#37; "


def test_mermaid_names_are_quoted_and_ids_are_made_here() -> None:
    state = endpoint_mermaid("sender", Config())
    assert '  state "BOUND/OUT" as s' in state
    path = packet_path_mermaid(Config())
    assert '    L48["ALE_AUTH_CONNECT_V4<br/>id 48"]' in path
    for line in (*state.splitlines(), *path.splitlines()):
        assert line.count('"') % 2 == 0


# --- pictures by name


def test_every_picture_has_a_name_a_title_and_every_form() -> None:
    shown = list(all_pictures())
    assert [one.name for one in shown] == list(picture_names())
    for one in shown:
        assert one.title
        assert one.desc
        assert one.sentence
        assert one.dot().startswith("digraph")
        assert one.mermaid().split()[0] in ("flowchart", "stateDiagram-v2", "sequenceDiagram")
        assert one.text().endswith("\n")


@pytest.mark.parametrize(
    ("given", "name"),
    [("packet_path", "packet-path"), ("Dropped-Port", "dropped_port"), ("no_listener", "dropped_port.no_listener")],
)
def test_picture_takes_other_spellings(given: str, name: str) -> None:
    assert picture(given).name == name


@pytest.mark.parametrize(
    ("given", "near"),
    [("packetpath", "packet-path"), ("sendr", "sender"), ("sender.active_opn", "sender.active_open")],
)
def test_unknown_picture_names_the_nearest_of_all(given: str, near: str) -> None:
    with pytest.raises(UnknownName, match=f"no picture named '{given}'. Did you mean '{near}'"):
        picture(given)


def test_short_name_of_several_flows_lists_them() -> None:
    with pytest.raises(UnknownName, match=r"names 2 flows\. Did you mean sender\.blocked or receiver\.blocked\?"):
        picture("blocked")


def test_block_is_for_flows() -> None:
    with pytest.raises(FsmError, match="nothing can be blocked there"):
        picture("sender", blocks=["auth-connect"])


def test_lanes_go_from_the_application_to_the_remote_host() -> None:
    assert list(LANES) == ["application", "ale", "transport", "network", "wire", "remote"]
