"""The one-page picture and the endpoint pictures: complete, drawn from the rows, readable, the same everywhere."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sys
from dataclasses import astuple, fields, replace
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from svg_geometry import problems, read

from fsm.catalogue import by_name
from fsm.choices import CHOICES, Config, configure
from fsm.draw import page as geometry
from fsm.draw.boxes import guard_words, is_way_on, layer_ids, select
from fsm.draw.endpoint_picture import endpoint_dot, pictured
from fsm.draw.overlay import Overlay
from fsm.draw.packet_path import packet_path_dot
from fsm.draw.render import find_renderer, render
from fsm.draw.route import Port, Rect, Router, Wire
from fsm.draw.theme import BASIS, DARK, LIGHT, css, html, safe_id, text_width, theme_svg, wrap
from fsm.endpoint import Endpoint
from fsm.errors import TableError, UnknownName
from fsm.names import ENDPOINTS, WINDOWS, Basis
from fsm.rows import Row
from fsm.rules import RULES
from fsm.sources import SOURCES
from fsm.stimuli import VIEWS
from fsm.table import compile_table, rows_of

PATH = "packet-path"
PICTURES = (PATH, *ENDPOINTS)
CONFIGS = {
    "base": configure(),
    "v6": configure(ip=6),
    "vista": configure(windows="vista"),
    "documented": configure(evidence="documented"),
    "observed": configure(evidence="observed"),
    "both": configure(assume={"no_listener": "both", "inbound_transport_without_listener": "present"}),
    "quiet": configure(assume={"icmp_rate_limit": "spent", "udp_connreset": "off", "close": "closure_release"}),
    "dual": configure(
        assume={"dual_stack": "yes", "close": "closure_release", "bind_reauthorization": "on_modification"}
    ),
    "loopback": configure(assume={"path": "loopback", "redirect_target": "local_process"}),
    "completion": configure(assume={"recv_accept_completion": "reauthorize", "injected_send_entry": "transport"}),
    "igmp": configure(assume={"protocol": "igmp", "multicast_state": "deny", "multicast_reauthorization": "once"}),
}
renderer = pytest.mark.skipif(find_renderer() is None, reason="nothing here can draw")


def dot(name: str, config: Config | None = None, overlay: Overlay | None = None, rows: tuple[Row, ...] = RULES) -> str:
    config = config or Config()
    if name == PATH:
        return packet_path_dot(config, overlay, rows=rows)
    return endpoint_dot(name, config, overlay, rows=rows)


def svg(text: str) -> str:
    return render(text, "svg").decode("utf-8")


def edge_ids(text: str) -> list[str]:
    """The rows of all lines of a picture, by id; of a line with several rows the others are among its classes."""
    found: list[str] = []
    for line in text.split("\n\t"):
        if re.match(r"\w+ -> \w+ \[", line):
            name, classes = re.search(r'\bid="?(\w+)', line), re.search(r'\bclass="([^"]*)"', line)
            assert name is not None and classes is not None
            found += [name[1].partition("__")[0], *(word for word in classes[1].split() if word.startswith("row_"))]
    return found


def tells(text: str, row: Row) -> bool:
    """Whether a picture names a row: in the tooltip of a line, of a box or of a line of text."""
    return any(f"{html(row.key)}{end}" in text for end in (" (", " - "))


def cell_ids(text: str) -> set[str]:
    return {name.partition("__")[0] for name in re.findall(r' ID="(\w+)"', text)}


def ways(rows: tuple[Row, ...], config: Config) -> list[Row]:
    selection = select(rows, config)
    return [row for row in selection.rows if is_way_on(row, selection.twins())]


def run(*stimuli: str, block: str = "") -> Endpoint:
    """A sender after these stimuli; the last one meets a block at the layer."""
    endpoint = Endpoint("sender", Config())
    for stimulus in stimuli[:-1]:
        endpoint.run(stimulus)
    if block:
        endpoint.register(lambda _: "block", by_name(block))
    endpoint.run(stimuli[-1])
    return endpoint


# ---- what a reader sees ---------------------------------------------------------------------------------------------


@renderer
@pytest.mark.parametrize("label", CONFIGS)
@pytest.mark.parametrize("name", PICTURES)
def test_no_text_is_cut_and_nothing_lies_on_anything_else(name: str, label: str) -> None:
    assert problems(svg(dot(name, CONFIGS[label]))) == []


@renderer
@pytest.mark.slow
@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize("name", PICTURES)
def test_no_text_is_cut_whatever_is_assumed(name: str, windows: str) -> None:
    for choice in CHOICES.values():
        for option in choice.option_names():
            config = configure(windows=windows, assume={choice.name: option})
            assert problems(svg(dot(name, config))) == [], (choice.name, option)


@renderer
@pytest.mark.parametrize("name", PICTURES)
def test_marks_of_an_overlay_stay_on_the_page(name: str) -> None:
    steps = run("bind", "sendto", "policy_change", "sendto", block="FWPM_LAYER_ALE_AUTH_CONNECT_V4").trace
    overlay = replace(Overlay.of_steps(steps), layer_counts={48: 1835, 13: 60, 44: 321, 0: 7, 4: 9})
    assert problems(svg(dot(name, overlay=overlay))) == []


@renderer
def test_checker_of_the_geometry_finds_what_is_wrong() -> None:
    good = svg(dot("dropped_port"))
    long = good.replace(">log 5152<", ">log 5152, and much more than fits into this box, whatever font is used<", 1)
    assert any("stands" in found for found in problems(long))
    node = next(node for node in read(good).nodes if node.id == "position_drop_ippacket")
    text = re.search(r'<g id="position_drop_ippacket".*?</g>\n</g>\n', good, re.DOTALL)
    assert text is not None and node.shapes
    twice = good.replace(text[0], text[0] + text[0].replace("position_drop_ippacket", "copy"), 1)
    assert any("overlap" in found for found in problems(twice))


@renderer
@pytest.mark.parametrize("name", PICTURES)
def test_pictures_have_the_shape_of_a_page(name: str) -> None:
    left, top, right, bottom = read(svg(dot(name))).view
    ratio = (right - left) / (bottom - top)
    # At 1,600 pixels the smallest type stays above 7.5 pixels.
    assert right - left < 2100
    assert (0.7 if name == "dropped_port" else 1.2) < ratio < 1.8


@renderer
@pytest.mark.parametrize("name", PICTURES)
def test_every_line_finds_a_way_of_its_own(name: str) -> None:
    """No line is straight for want of a lane: each piece of a line runs up, down or across."""
    for text in re.findall(r'pos="e,(\S+ [^"]+)"', dot(name)):
        points = [tuple(map(float, pair.split(","))) for pair in text.split()[1:]]
        for (ax, ay), _, _, (bx, by) in zip(points[::3], points[1::3], points[2::3], points[3::3], strict=False):
            assert min(abs(ax - bx), abs(ay - by)) < 6.5, text


# ---- complete, and from the rows ------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", CONFIGS)
def test_every_way_of_the_rules_is_in_the_big_picture(label: str) -> None:
    config = CONFIGS[label]
    text = dot(PATH, config)
    assert [row.key for row in ways(RULES, config) if not tells(text, row)] == []


@pytest.mark.parametrize("label", CONFIGS)
def test_a_way_from_one_layer_to_another_is_a_line(label: str) -> None:
    config = CONFIGS[label]
    drawn = set(edge_ids(dot(PATH, config)))
    layers = {row.at: row.layer for row in RULES}
    for row in ways(RULES, config):
        if (
            row.layer
            and row.event == "permit"
            and row.next in layers
            and row.next not in select(RULES, config).dead_ends()
        ):
            same = layers[row.next] == row.layer  # once more before the same layer: told in its box
            assert same or safe_id("row", row.key) in drawn, row.key


@pytest.mark.parametrize("label", CONFIGS)
def test_endpoint_pictures_together_show_every_way(label: str) -> None:
    config = CONFIGS[label]
    texts = {name: dot(name, config) for name in ENDPOINTS}
    for row in ways(RULES, config):
        homes = [name for name in ENDPOINTS if row.scope in VIEWS[name].scopes]
        shown = [name for name in homes if tells(texts[name], row)]
        assert shown, row.key
        flows = dict(row.when).get("flow", ())
        if flows and all(value.startswith("IN") for value in flows):
            assert shown == ["receiver"], row.key
        if flows and all(value.startswith("OUT") for value in flows):
            assert shown == ["sender"], row.key


@pytest.mark.parametrize(
    ("key", "homes"),
    [
        ("send.authorize.permit[flow=NONE]", ["sender"]),
        ("receive.accept.permit[flow=NONE]", ["receiver"]),
        ("receive.reconnect.permit", ["sender"]),
        ("send.reaccept.permit", ["receiver"]),
        ("send.data.permit[to=unicast]", ["sender", "receiver"]),
        ("icmp.ippacket.permit", ["sender", "receiver"]),
        ("drop.icmp_error.permit", ["dropped_port"]),
    ],
)
def test_row_stands_in_the_pictures_where_it_belongs(key: str, homes: list[str]) -> None:
    assert [name for name in ENDPOINTS if safe_id("row", key) in edge_ids(dot(name))] == homes


@pytest.mark.parametrize("name", PICTURES)
def test_every_line_is_a_row_or_says_which_rows_make_it(name: str) -> None:
    known = {safe_id("row", row.key) for row in RULES}
    for found in edge_ids(dot(name)):
        assert found in known or found.startswith(("flow_", "run_")), found
    for line in dot(name).split("\n\t"):
        if re.match(r"\w+ -> ", line):
            assert any(f"{key} " in line for key in (row.key for row in RULES)), line[:120]


@pytest.mark.parametrize("label", CONFIGS)
@pytest.mark.parametrize("name", PICTURES)
def test_every_other_verdict_is_told_with_what_follows(name: str, label: str) -> None:
    config = CONFIGS[label]
    rows = select(RULES, config).rows if name == PATH else pictured(compile_table(name, config)).rows
    selection = select(rows, config)
    text = dot(name, config)
    others = [row for row in selection.rows if not is_way_on(row, selection.twins())]
    assert [row.key for row in others if not tells(text, row)] == []
    assert len({row.event for row in others}) > 1


def test_block_names_its_discard_layer_what_the_application_sees_and_what_is_logged() -> None:
    text = re.sub(r"<[^>]*>", " ", dot(PATH))
    assert "block &gt; DATAGRAM_DATA_DISCARD 25/27" in text
    assert "block &gt; discard 49/51 [O] [I]" in text
    assert "log 5157, 5152" in text
    assert "bind fails with WSAEACCES" in text


def test_ids_of_both_ip_versions_stand_in_the_boxes() -> None:
    assert layer_ids("ALE_AUTH_CONNECT", "11") == "48/50"
    assert layer_ids("INBOUND_MAC_FRAME_ETHERNET", "11") == "56"
    assert layer_ids("ALE_BIND_REDIRECT", "vista") == ""
    assert all(ids in dot(PATH) for ids in ("48/50", "44/46", "24/26", "12/14", "32/34", "8/10"))


def test_both_sides_of_a_shown_dispute_are_named() -> None:
    for assumed in ("nothing", "closure_release"):
        text = dot(PATH, configure(assume={"close": assumed}))
        assert f"disputed: close ({assumed})" in text
        for option in ("if nothing", "closure_"):
            assert option in text
        assert ("only if close=closure_release" in text) == (assumed == "nothing")


def test_layers_that_are_not_run_are_grey_and_have_no_line() -> None:
    text = dot(PATH)
    grey = re.findall(r'^\t(n_grey_\w+) \[class="?grey', text, re.MULTILINE)
    assert grey or "n_grey_forward" in text
    assert not [line for line in text.splitlines() if " -> " in line and "n_grey" in line]
    assert all(name in text for name in ("IPFORWARD", "OUTBOUND_MAC_FRAME_", "INGRESS_VSWITCH_ETHERNET"))
    assert "VSWITCH" not in dot(PATH, configure(windows="7"))


def test_removing_any_row_changes_the_big_picture() -> None:
    whole = dot(PATH)
    for gone in select(RULES, Config()).rows:
        rest = tuple(row for row in RULES if row is not gone)
        assert dot(PATH, rows=rest) != whole, gone.key


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDPOINTS)
def test_removing_a_pictured_row_changes_the_picture_or_is_refused(name: str) -> None:
    whole = dot(name)
    for gone in pictured(compile_table(name, Config())).rows:
        with contextlib.suppress(TableError):
            assert dot(name, rows=tuple(row for row in RULES if row is not gone)) != whole, gone.key


@pytest.mark.parametrize("column", ["note", "application_sees", "basis", "cite", "next"])
def test_changing_a_row_changes_the_big_picture(column: str) -> None:
    row = next(row for row in RULES if row.key == "send.data.block")
    values: dict[str, Any] = {"basis": Basis.INFERRED, "cite": ("PCP",), "next": "send.transport_discard"}
    changed = replace(row, **{column: values.get(column, "something else")})
    assert dot(PATH, rows=tuple(changed if r is row else r for r in RULES)) != dot(PATH)


@renderer
def test_rows_nobody_made_room_for_find_their_own_place() -> None:
    """Rules grow; a position without a place is drawn all the same, and nothing is cut or covered."""
    begin = next(row for row in RULES if row.key.startswith("idle.datagram"))
    accept = next(row for row in RULES if row.key == "receive.accept.permit[flow=NONE]")
    rows = (
        *RULES,
        replace(begin, event="sendto", next="multicast.accept", when=(("window", ("open",)),)),
        replace(accept, at="multicast.accept", next="multicast.check", when=()),
        replace(accept, at="multicast.check", next="multicast.last", when=(("connected", ("this",)),)),
        replace(accept, at="multicast.check", next="receive.data", when=(("connected", ("no",)),)),
        replace(accept, at="multicast.last", next="receive.data", when=(), layer="INBOUND_TRANSPORT"),
    )
    text = dot(PATH, rows=rows)
    assert problems(svg(text)) == []
    assert {"position_multicast_accept", "position_multicast_check"} <= {node.id for node in read(svg(text)).nodes}


def test_guards_without_words_are_written_as_they_stand() -> None:
    row = replace(RULES[0], when=(("window", ("open",)), ("protocol", ("udp", "raw"))))
    assert guard_words(row) == "window open, protocol udp or raw"


def test_the_three_endpoints_have_three_pictures() -> None:
    ids = {name: frozenset(edge_ids(dot(name))) for name in ENDPOINTS}
    assert len(set(ids.values())) == 3
    assert not ids["dropped_port"] & ids["sender"]
    states = {name: set(re.findall(r"id=\"?(state_\w+)", dot(name))) for name in ENDPOINTS}
    assert states["sender"] >= {"state_UNBOUND_NONE", "state_BOUND_NONE", "state_BOUND_OUT", "state_BOUND_OUT_STALE"}
    assert states["receiver"] >= {"state_BOUND_IN", "state_BOUND_IN_STALE", "state_CLOSED_NONE"}
    assert states["dropped_port"] == {"state_NO_SOCKET"}


def test_states_are_joined_by_what_the_machine_does() -> None:
    table = compile_table("sender", Config())
    moves = {(state, stimulus, target) for state, stimulus, target, _ in pictured(table).moves}
    assert ("UNBOUND/NONE", "sendto", "BOUND/OUT") in moves
    assert ("BOUND/OUT", "policy_change", "BOUND/OUT_STALE") in moves
    assert ("BOUND/OUT_STALE", "datagram", "BOUND/OUT") in moves
    assert ("BOUND/OUT", "idle_timeout", "BOUND/NONE") in moves
    assert not [move for move in moves if "IN" in move[0].split("/")[1]]


def test_unknown_endpoint_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="sender"):
        endpoint_dot("sendr", Config())


# ---- overlays -------------------------------------------------------------------------------------------------------


def classes_of(text: str, thing: str) -> set[str]:
    group = re.search(rf'<g id="{thing}" class="([^"]*)"', text)
    assert group is not None, thing
    return set(group[1].split())


@renderer
@pytest.mark.parametrize("name", [PATH, "sender"])
def test_overlay_shows_the_path_the_block_and_where_it_stands(name: str) -> None:
    endpoint = run("bind", "sendto", block="FWPM_LAYER_ALE_AUTH_CONNECT_V4")
    overlay = Overlay.of_steps(endpoint.trace)
    assert overlay.blocked_at == "FWPM_LAYER_ALE_AUTH_CONNECT_V4"
    assert overlay.current == "BOUND/NONE"
    drawn = svg(dot(name, overlay=overlay))
    key = next(step.rule for step in endpoint.trace if step.position == "bind.redirect")
    assert "taken" in classes_of(drawn, safe_id("row", key))
    assert "back" in classes_of(drawn, safe_id("row", "send.data.permit[to=unicast]"))
    assert "blocked" in classes_of(drawn, "position_send_authorize")
    assert "back" in classes_of(drawn, "position_send_data")
    words = [text.said for node in read(drawn).nodes if "chip" in node.classes for text in node.texts]
    assert any("BLOCKED HERE" in word for word in words)
    assert any("STANDS HERE" in word for word in words)
    # Numbers from 1, in the order of the steps: not told by colour alone.
    assert {"1", "2", "3"} <= set(words)


@renderer
def test_overlay_takes_a_change_of_state_only_where_the_whole_run_was_taken() -> None:
    steps = run("bind", "sendto", "policy_change", "sendto", block="FWPM_LAYER_ALE_AUTH_CONNECT_V4").trace
    drawn = svg(dot("sender", overlay=Overlay.of_steps(steps)))
    assert "taken" in classes_of(drawn, "run_BOUND_NONE_BOUND_OUT")
    assert "taken" in classes_of(drawn, "row_idle_policy_change_flow_OUT")
    assert "back" in classes_of(drawn, "run_UNBOUND_NONE_BOUND_OUT")  # no implicit bind
    assert "back" in classes_of(drawn, "run_BOUND_OUT_STALE_BOUND_OUT")  # the reauthorization was blocked


@renderer
def test_overlay_shows_counts_of_rows_and_of_layers() -> None:
    overlay = Overlay(
        counts={"send.data.permit[to=unicast]": 51, "send.authorize.block[flow=NONE]": 0}, layer_counts={48: 12, 50: 1}
    )
    drawn = svg(dot(PATH, overlay=overlay))
    words = [text.said for node in read(drawn).nodes if "chip" in node.classes for text in node.texts]
    assert "x51" in words
    assert words.count("records: 13") == 2  # the layer stands at two positions
    assert "taken" in classes_of(drawn, "row_send_data_permit_to_unicast")


@renderer
@pytest.mark.parametrize("registers", ["BOUND/NONE", "BOUND/connected_other/NONE"])
def test_overlay_in_the_middle_of_a_stimulus_marks_the_layer(registers: str) -> None:
    drawn = svg(dot("sender", overlay=Overlay(current=f"{registers} sendto@send.authorize")))
    assert "taken" in classes_of(drawn, "position_send_authorize")
    assert not re.search(r'class="[^"]*\bback\b', drawn)  # nothing is known to be not taken


def test_unknown_names_in_an_overlay_draw_nothing() -> None:
    overlay = Overlay(current="<script>", blocked_at="FWPM_LAYER_NOWHERE", layer_counts={999: 3})
    assert dot(PATH, overlay=overlay).replace("\n", "") == dot(PATH).replace("\n", "")


def test_another_overlay_costs_no_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    dot("sender")

    def fail(*_: object) -> None:
        raise AssertionError("laid out again")

    monkeypatch.setattr(geometry.Layout, "page", fail)
    assert dot("sender", overlay=Overlay(path=("send.transport.permit",))) != dot("sender")


def test_steps_of_a_run_are_numbered_even_when_a_row_is_taken_often() -> None:
    overlay = Overlay(path=("a", "b", "a", "a", "a"), counts={"a": 4})
    assert overlay.label("a") == "1, 3, 4 ... x4"
    assert overlay.label("b") == "2"
    assert overlay.label("c") == ""


# ---- look -----------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("look", [LIGHT, DARK])
@pytest.mark.parametrize(
    ("ink", "papers"),
    [
        ("ink", "paper out_fill inn_fill local_fill icmp_fill state_fill grey"),
        ("muted", "paper band_app band_ale band_transport band_network band_below band_wire grey state_fill out_fill"),
        ("grey_ink", "paper grey"),
        ("block", "paper block_fill"),
        ("taken", "paper taken_fill"),
    ],
)
def test_text_stands_out_from_its_paper(look: object, ink: str, papers: str) -> None:
    for paper in papers.split():
        light, dark = sorted((luminance(getattr(look, ink)), luminance(getattr(look, paper))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, paper


@pytest.mark.parametrize("look", [LIGHT, DARK])
def test_colours_of_a_palette_are_all_different(look: object) -> None:
    values = astuple(look)  # type: ignore[call-overload]
    assert len(set(values)) == len(values)


@renderer
@pytest.mark.parametrize("name", PICTURES)
def test_every_colour_of_a_light_svg_has_a_dark_partner(name: str) -> None:
    overlay = Overlay(
        path=("send.transport.permit", "drop.icmp_error.permit"), blocked_at="FWPM_LAYER_DATAGRAM_DATA_V4"
    )
    drawn = svg(dot(name, overlay=overlay))
    known = {*astuple(LIGHT), "none", "transparent"}
    assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawn)) <= known


def test_basis_differs_without_colour() -> None:
    assert len({(look.style, look.arrowhead) for look in BASIS.values()}) == len(Basis)
    assert len({look.mark for look in BASIS.values()}) == len(Basis)


def test_legend_names_only_what_occurs() -> None:
    documented = tuple(replace(row, basis=Basis.DOCUMENTED) for row in RULES)
    assert "inferred here" in dot(PATH)
    assert "inferred here" not in dot(PATH, rows=documented)


@renderer
def test_themed_svg_scales_is_named_and_knows_both_looks() -> None:
    themed = theme_svg(svg(dot("dropped_port")), title="A & <B>", desc='say "C"')
    root = ElementTree.fromstring(themed)
    assert "width" not in root.attrib and "height" not in root.attrib
    assert root.attrib["viewBox"] and root.attrib["role"] == "img"
    texts = {element.attrib.get("id"): element.text for element in root if element.attrib.get("id")}
    assert texts["picture-title"] == "A & <B>" and texts["picture-desc"] == 'say "C"'
    assert "prefers-color-scheme:dark" in themed and "<!--" not in themed and "<!DOCTYPE" not in themed
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert problems(themed) == []


@renderer
def test_tooltips_tell_the_row_and_links_lead_to_its_source() -> None:
    themed = theme_svg(svg(dot(PATH)), title="x")
    root = ElementTree.fromstring(themed)
    edge = next(e for e in root.iter() if e.attrib.get("id") == safe_id("row", "send.authorize.permit[flow=NONE]"))
    title = next(e for e in edge if e.tag.endswith("title"))
    assert title.text is not None and title.text.startswith("send.authorize.permit[flow=NONE]")
    links = {value for e in root.iter() for name, value in e.attrib.items() if name.endswith("href")}
    assert links and links <= {source.url for source in SOURCES.values()}


@pytest.mark.parametrize("field", [field.name for field in fields(LIGHT)])
def test_style_sheet_maps_every_role(field: str) -> None:
    assert f"--{field}:{getattr(LIGHT, field)};" in css() and f"--{field}:{getattr(DARK, field)};" in css()


@renderer
def test_dark_dot_has_dark_colours_and_a_background() -> None:
    text = packet_path_dot(Config(), dark=True, background="paper")
    assert f'bgcolor="{DARK.paper}"' in text
    assert not set(astuple(LIGHT)) & set(re.findall(r"#[0-9a-f]{6}", text))
    assert render(text, "png").startswith(b"\x89PNG")


# ---- the same everywhere, whatever is in it -------------------------------------------------------------------------


def test_ids_of_rows_are_unique() -> None:
    assert len({safe_id("row", row.key) for row in RULES}) == len(RULES)


@pytest.mark.parametrize("name", PICTURES)
def test_ids_of_a_picture_are_unique_and_plain(name: str) -> None:
    text = dot(name)
    ids = [*re.findall(r'\bid="?([^" \]]+)', text), *re.findall(r' ID="([^"]+)"', text)]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"\w+", name) for name in ids)


def test_pictures_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "import hashlib\n"
        "from fsm.choices import Config\n"
        "from fsm.draw.endpoint_picture import endpoint_dot\n"
        "from fsm.draw.packet_path import packet_path_dot\n"
        "from fsm.names import ENDPOINTS\n"
        "texts = [packet_path_dot(Config()), *(endpoint_dot(name, Config()) for name in ENDPOINTS)]\n"
        "print(hashlib.sha256(''.join(texts).encode()).hexdigest())\n"
    )
    here = hashlib.sha256("".join(dot(name) for name in PICTURES).encode()).hexdigest()
    for seed in ("1", "4711"):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert ran.stdout.strip() == here


@renderer
def test_text_from_rows_is_escaped() -> None:
    hostile = "<b>x</b> & \"q\" 'r' \\N\\n ]]> \x07 {{%1}} \u6f22"
    rows = tuple(replace(row, note=hostile, application_sees=hostile if row.application_sees else "") for row in RULES)
    drawn = svg(dot(PATH, rows=rows))
    ElementTree.fromstring(re.sub(r"<!DOCTYPE.*?>", "", drawn, flags=re.DOTALL))
    said = " ".join(text.said for node in read(drawn).nodes for text in node.texts)
    assert "n_position" not in said and "\\N\\n ]]&gt;" in drawn[drawn.index("xlink:title") :]
    assert "<b>x</b> & \"q\" 'r'" in said and "\\N\\n" in said and "\x07" not in drawn


# ---- the parts ------------------------------------------------------------------------------------------------------


def test_wrapped_text_fits_and_loses_nothing() -> None:
    text = "sendto fails; its error code is not documented"
    lines = wrap(text, 120, 11)
    assert " ".join(lines) == text
    assert all(text_width(line, 11) <= 120 for line in lines)
    assert wrap("RESOURCE_ASSIGNMENT", 20, 11) == ["RESOURCE_ASSIGNMENT"]


def test_names_break_at_underscores_only_where_they_must() -> None:
    assert geometry.broken("OUTBOUND_ICMP_ERROR", 140, 13, True) == ["OUTBOUND_ICMP_", "ERROR"]
    assert geometry.broken("OUTBOUND_ICMP_ERROR", 400, 13, True) == ["OUTBOUND_ICMP_ERROR"]


def test_lines_go_around_boxes_and_not_over_each_other() -> None:
    a, wall, b = Rect(0, 0, 40, 20), Rect(-40, -60, 80, -40), Rect(0, -120, 40, -100)
    ports = [Port(a, "bottom", 5, 35, 20), Port(b, "top", 5, 35, 20)]
    lanes_x, lanes_y = [-60.0, -52.0, 10.0, 30.0, 92.0, 100.0], [-30.0, -24.0, -18.0, -70.0, -78.0, -86.0]
    router = Router([a, wall, b], lanes_x, lanes_y, ports)
    first, second = (router.route(Wire((ports[0],), (ports[1],))) for _ in range(2))
    assert first is not None and second is not None
    assert len(first) == 6 and first[0][1] == 0 and first[-1][1] == -100
    pieces = [set(pairwise(line)) for line in (first, second)]
    assert not pieces[0] & pieces[1]


def test_rows_of_a_view_are_those_of_its_table() -> None:
    for name in ENDPOINTS:
        shown = pictured(compile_table(name, Config())).rows
        assert set(shown) <= set(rows_of(VIEWS[name], Config()))
