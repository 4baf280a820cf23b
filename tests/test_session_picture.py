"""The collapsed session: complete, readable, and with the ways of an overlay where they belong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from svg_geometry import problems, words_on_boxes

from fsm.choices import Config, configure
from fsm.cli import cli
from fsm.cli.session_marks import session_overlay
from fsm.draw.overlay import Overlay
from fsm.draw.pictures import session_space
from fsm.draw.places import collapse, key_of
from fsm.draw.render import find_renderer, render
from fsm.draw.session_picture import SessionOverlay, session_dot
from fsm.draw.session_text import session_mermaid, session_text
from fsm.draw.theme import DARK, LIGHT
from fsm.errors import FsmError, UnknownName
from fsm.session import make_session
from fsm.space import StateSpace, explore

SESSIONS: dict[str, Callable[[], StateSpace]] = {
    "default": lambda: session_space(Config()),
    "loopback": lambda: session_space(configure(assume={"path": "loopback"})),
    "dual": lambda: session_space(configure(ip=6, evidence="documented", assume={"dual_stack": "yes"})),
    "blocks": lambda: explore(make_session(["sender", "receiver"], verdicts=["permit", "block"])),
    "pends": lambda: explore(
        make_session(
            ["sender", "receiver"], verdicts=["permit", "pend"], stimuli=["bind", "sendto", "complete", "close"]
        )
    ),
    "one socket": lambda: explore(make_session(["sender", "dropped_port"])),
    "limited": lambda: explore(make_session(), limit_states=50),
}
WAY = "sender:INBOUND_ICMP_ERROR"


def wrong(dot: str) -> list[str]:
    """What a reader would see wrong in the picture."""
    svg = render(dot).decode()
    return [*problems(svg), *words_on_boxes(svg)]


renderer = pytest.mark.skipif(find_renderer() is None, reason="nothing here can draw")


@pytest.mark.parametrize("name", SESSIONS)
def test_every_state_and_edge_is_in_one_place(name: str) -> None:
    space = SESSIONS[name]()
    shown = collapse(space)
    numbers = sorted(number for place in shown.places for number in place.numbers)
    assert numbers == list(range(len(space)))
    for place in shown.places:
        assert {key_of(space.state(number)) for number in place.numbers} == {place.key}
    groups = {(place.key, place.key): place.stays for place in shown.places}
    groups |= {(way.source, way.target): way.groups for way in shown.ways}
    told = {pair: {label for group in members for label in group.labels} for pair, members in groups.items()}
    for number in range(len(space)):
        for move, target in space.edges(number):
            pair = key_of(space.state(number)), key_of(space.state(target))
            if target != number or move.layers:
                assert move.label in told[pair], move
    assert sum(group.edges for members in groups.values() for group in members) <= space.edge_count


def test_default_session_is_nine_places() -> None:
    shown = collapse(session_space(Config()))
    assert [len(shown.places), len(shown.ways), shown.states] == [9, 18, 605]
    both = next(place for place in shown.places if place.key == ("BOUND", "BOUND"))
    texts = [group.text for group in both.stays]
    assert "datagram sender > receiver: delivered" in texts
    assert "ICMP error dropped_port > sender: WSAECONNRESET (10054)" in texts
    assert both.stays[0].layers == "3-6 layers"


def test_three_sockets_are_refused_with_what_to_do() -> None:
    space = explore(make_session(["sender", "sender", "receiver"]), limit_states=10)
    with pytest.raises(FsmError, match=r"3 sockets are more than can be drawn\. Take at most two"):
        session_dot(space)


# --- pictures


@renderer
@pytest.mark.parametrize("name", SESSIONS)
def test_no_text_is_cut_and_nothing_lies_on_anything(name: str) -> None:
    space = SESSIONS[name]()
    assert wrong(session_dot(space)) == []
    moves = {move.label: 1234 for move, _ in space.edges(0)}
    over = SessionOverlay(move_counts=moves, stands=space.state(0))
    assert wrong(session_dot(space, over)) == []


@renderer
def test_way_is_numbered_and_everything_else_steps_back() -> None:
    over = session_overlay((WAY,), Config())
    space = session_space(Config())
    dot = session_dot(space, over)
    assert wrong(dot) == []
    assert "The way, 3 moves" in dot
    assert "(1) sender binds and" in dot
    assert dot.count(LIGHT.taken_fill) == 3  # where it stands, its legend, the list
    assert "(10054)" in dot.rpartition("The way, 3 moves")[2]
    plain = session_dot(space)
    assert LIGHT.taken not in plain
    assert LIGHT.dim in dot


def test_text_numbers_the_way() -> None:
    text = session_text(session_space(Config()), session_overlay((WAY,), Config()))
    numbered = re.findall(r"^ {6}(\d) (.*?)  ", text, flags=re.MULTILINE)
    assert [number for number, _ in numbered] == ["1", "2", "3"]
    assert "stands here" in text
    assert "(3) ICMP error" in session_mermaid(session_space(Config()), session_overlay((WAY,), Config()))


def test_rule_is_marked_without_number() -> None:
    text = session_text(session_space(Config()), Overlay(path=("icmp.ippacket.permit",)))
    marked = [line for line in text.splitlines() if line.startswith("      * ")]
    assert marked
    assert all("ICMP error" in line for line in marked)


def test_block_is_a_word() -> None:
    space = SESSIONS["blocks"]()
    layer = "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4"
    text = session_text(space, Overlay(blocked_at=layer))
    lines = [line for line in text.splitlines() if "BLOCKED" in line]
    assert lines
    assert all(": blocked" in line for line in lines)
    assert any("datagram sender > receiver: blocked" in line for line in lines)
    assert "BLOCKED" not in session_text(space)


@pytest.mark.parametrize("name", SESSIONS)
def test_text_is_ascii_in_a_hundred_columns(name: str) -> None:
    text = session_text(SESSIONS[name]())
    assert text.isascii()
    assert [line for line in text.splitlines() if len(line) > 100 or line != line.rstrip()] == []


def test_limit_is_told() -> None:
    for written in (session_text(SESSIONS["limited"]()), session_dot(SESSIONS["limited"]())):
        assert "the limit was hit" in written


def test_dark_picture_has_no_light_colour() -> None:
    over = session_overlay((WAY,), Config())
    colours = set(re.findall(r"#[0-9a-f]{6}", session_dot(session_space(Config()), over, dark=True)))
    assert colours <= {getattr(DARK, name) for name in DARK.__slots__}


def test_same_picture_twice() -> None:
    first, second = (explore(make_session()) for _ in range(2))
    for make in (session_dot, session_text, session_mermaid):
        assert make(first) == make(second)


# --- --highlight


def test_state_is_where_the_way_ends() -> None:
    over = session_overlay(("receiver=BOUND/IN",), Config())
    assert over.stands is not None
    assert "IN" in over.stands.sockets[1].flows
    assert [step.move.stimulus for step in over.steps] == ["sendto", "bind", "datagram"]
    here = session_overlay(("sender=UNBOUND",), Config())
    assert (here.steps, here.stands) == ((), session_space(Config()).state(0))


def test_recorded_path_is_replayed(tmp_path: Path) -> None:
    ran = CliRunner().invoke(cli, ["session", "--reach-layer", WAY, "--format", "json"])
    path = tmp_path / "way.json"
    path.write_text(ran.stdout, encoding="utf-8-sig")
    over = session_overlay((str(path),), Config())
    assert [step.move.label for step in over.steps] == [step["key"] for step in json.loads(ran.stdout)["path"]]
    assert over.steps == session_overlay((WAY,), Config()).steps


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("receiver=BOND", "--highlight: no term for receiver named 'BOND'. Did you mean 'BOUND'"),
        ("nobody:AUTH_CONNECT", "--highlight: no endpoint of this session named 'nobody'"),
        ("AUTH_CONECT", "--highlight: no layer"),
        ("receiver=BOUND/OUT_PENDED", "--highlight: receiver=BOUND/OUT_PENDED cannot be reached in the session"),
        ("none.json", "--highlight none.json: no such file"),
    ],
)
def test_unknown_way_is_one_line(given: str, said: str) -> None:
    with pytest.raises(FsmError) as found:
        session_overlay((given,), Config())
    assert said in str(found.value)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"path": [1]}', b'{"path": 3}', b"\xff\xfe\x00", b"[" * 99_999]
)
def test_file_that_is_no_path_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(FsmError, match="no path of a session: no JSON with a list 'path'"):
        session_overlay((str(tmp_path / "bad.json"),), Config())


@pytest.mark.parametrize("start", ["null", '"0"', "[]"])
def test_path_from_what_is_no_state_is_one_line(start: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(f'{{"path": [], "from": {start}}}')
    with pytest.raises(FsmError, match=r"it begins in .*, not in the number of a state"):
        session_overlay((str(tmp_path / "bad.json"),), Config())


def test_path_of_another_session_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"path": [{"key": "sender: dance"}]}')
    with pytest.raises(FsmError, match="'sender: dance' is not possible in state 0"):
        session_overlay((str(tmp_path / "other.json"),), Config())
    (tmp_path / "from.json").write_text('{"from": 99999, "path": []}')
    with pytest.raises(UnknownName, match="there is no state 99999"):
        session_overlay((str(tmp_path / "from.json"),), Config())


def test_two_ways_are_refused() -> None:
    with pytest.raises(FsmError, match="2 ways in one session"):
        session_overlay((WAY, "receiver=BOUND"), Config())


def test_command_draws_the_way() -> None:
    ran = CliRunner().invoke(cli, ["diagram", "session", "--highlight", WAY])
    assert ran.exit_code == 0, ran.output
    assert "The way, 3 moves" in ran.stdout
