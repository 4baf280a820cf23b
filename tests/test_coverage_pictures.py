"""Coverage as numbers and as pictures: every branch says how often it was taken, or that it never was."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from svg_geometry import problems, read

from fsm.choices import Config, configure
from fsm.coverage import Coverage, Ran, Universe, recording
from fsm.coverage_pictures import coverage_pictures, write_pictures
from fsm.draw.boxes import layer_title
from fsm.draw.render import find_renderer
from fsm.draw.theme import html
from fsm.endpoint import Endpoint, verdict_at
from fsm.names import ENDPOINTS
from fsm.rules import RULES
from fsm.table import compile_table


def blocked_once() -> Coverage:
    """Two senders, one of them blocked at AUTH_CONNECT; nothing is blocked or absorbed anywhere else."""
    coverage = Coverage(endpoints=("sender",))
    with recording(coverage):
        first = Endpoint("sender")
        for stimulus in ("bind", "sendto", "sendto", "datagram", "policy_change", "sendto", "close"):
            first.run(stimulus)
        second = Endpoint("sender")
        second.register(verdict_at({"FWPM_LAYER_ALE_AUTH_CONNECT_V4": "block"}))
        for stimulus in ("bind", "sendto"):
            second.run(stimulus)
    return coverage


def node(dot: str, name: str) -> str:
    """The text of a box, one line."""
    (found,) = re.findall(rf"^\t{name} \[(.*)\]$", dot, re.MULTILINE)
    return re.sub(r"<[^>]*>", " ", found)


@pytest.fixture(scope="module")
def drawn() -> str:
    (shown,) = coverage_pictures(blocked_once())
    assert shown.title.startswith("Coverage of sender")
    return shown.dot()


def test_a_branch_that_was_never_taken_says_so_in_a_box_that_was_touched(drawn: str) -> None:
    connect = node(drawn, "n_position_send_authorize")
    assert re.search(r"block &gt; discard 49/51[^:]*? x1", connect) and "absorb: no trace [I]: never" in connect
    data = node(drawn, "n_position_send_data")
    assert "block &gt; DATAGRAM_DATA_DISCARD 25/27: never" in data and "absorb: no trace: never" in data
    assert not re.search(r" x\d", data)


def test_states_of_the_endpoint_have_counts(drawn: str) -> None:
    unbound = node(drawn, "n_state_UNBOUND_NONE")
    assert "bind x2; never: connect" in re.sub(r"\s+", " ", unbound)
    bound = re.sub(r"\s+", " ", node(drawn, "n_state_BOUND_NONE"))
    # The panel shows what stimuli make when all layers permit: the blocked sendto is no such move.
    assert "stays: never: connect" in bound and bound.endswith("sendto x1 never: close >")
    out = re.sub(r"\s+", " ", node(drawn, "n_state_BOUND_OUT"))
    assert "stays: sendto, datagram x2; never: " in out and "close x1" in out


def test_title_and_legend_say_what_is_meant(drawn: str) -> None:
    assert "Coverage of sender: a socket that sends first" in drawn
    legend = re.sub(r"\s+", " ", node(drawn, "n_note_legend"))
    for part in ("xN, in magenta: taken N times", "never, in grey: not taken", "grey, thin line: not taken"):
        assert part in legend


def test_a_run_of_nothing_draws_everything_as_never_taken() -> None:
    for shown in coverage_pictures(Coverage()):
        assert ": never" in shown.dot() and "taken_fill" not in shown.dot() and "chip_" not in shown.dot()


@pytest.mark.skipif(find_renderer() is None, reason="nothing here can draw")
def test_counts_on_lines_cover_no_box(tmp_path: Path) -> None:
    from fsm.draw.render import render

    (shown,) = coverage_pictures(blocked_once())
    svg = render(shown.dot(), "svg").decode("utf-8")
    assert any("chip" in one.classes for one in read(svg).nodes)
    found = problems(svg, not_solid=frozenset({"legend"}))
    assert [said for said in found if "runs through chip" not in said] == []
    files = [path.name for path in write_pictures(blocked_once(), tmp_path)]
    assert files == ["coverage_sender.dot", "coverage_sender.svg"]


def test_what_is_missed_is_counted_in_full() -> None:
    coverage = blocked_once()
    (rows,) = (result for result in coverage.results() if result.goal == "rows")
    text = " ".join(coverage.text().split())
    told = re.search(r"sender, (\d+) rows not exercised: (.*?), and (\d+) more sender, ", text)
    assert told is not None and int(told[1]) == len(rows.missed) == len(rows.all) - len(rows.hit)
    named = sum(int(n) for n in re.findall(r"\((\d+) rows\)", told[2])) + len(
        [name for name in told[2].split(", ") if not name.endswith("rows)")]
    )
    assert named + int(told[3]) == len(rows.missed)


def test_moves_between_states_survive_a_merge() -> None:
    once, both = blocked_once(), Coverage(endpoints=("sender",))
    both.merge(once.to_counts())
    both.merge(once.to_counts())
    assert both.of("sender").moves["UNBOUND/NONE", "bind", "BOUND/NONE"] == 4
    assert both.of("sender").moves == Counter({move: 2 * count for move, count in once.of("sender").moves.items()})


# --- every row, and only those of the endpoint

MACHINES = [
    Config(),
    configure(ip=6, windows="vista"),
    configure(assume={"close": "closure_release", "no_listener": "both", "dual_stack": "yes"}),
]
GREY = re.compile(r'class="[^"]*\bback\b')


def drawn_with(endpoint: str, config: Config, counts: dict[str, int]) -> str:
    coverage = Coverage(config, endpoints=(endpoint,))
    coverage.add(Ran(config, endpoint)).rows.update(counts)
    (shown,) = coverage_pictures(coverage)
    return shown.dot()


def told(text: str) -> str:
    """What a reader sees: without ids, tooltips and marks."""
    text = re.sub(r'\b(tooltip|TOOLTIP|HREF|URL|ID|id)="(?:[^"\\]|\\.)*"', "", text)
    return re.sub(r"\s+", " ", re.sub(r"<[^<>]*>", " ", text)).replace("&gt;", ">")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("config", MACHINES, ids=["usual", "vista", "disputes"])
def test_no_row_of_another_endpoint_is_drawn_and_each_of_its_own_is(endpoint: str, config: Config) -> None:
    own = set(Universe.of(compile_table(endpoint, config)).rows)
    dot = drawn_with(endpoint, config, dict.fromkeys(own, 7777))
    counted = set(re.findall(r"\bx7777: (\S+?(?:\[.*?\])?) (?:\(|- )", dot))
    assert counted == own
    foreign = {row.key for row in RULES} - own
    assert [key for key in foreign if re.search(rf"(?<![\w.]){re.escape(key)}(?![\w\[.])", dot)] == []
    assert not re.search(r"\d of \d+ rules", told(dot).replace("(1 of 2 rules): of those", ""))


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_count_of_each_row_alone_is_said_where_it_belongs(endpoint: str) -> None:
    table = compile_table(endpoint, Config())
    rows = {row.key: row for row in table.rows}
    none = drawn_with(endpoint, Config(), {})
    assert "x7777" not in none and "x7777" not in told(none)
    for key in Universe.of(table).rows:
        dot = drawn_with(endpoint, Config(), {key: 7777})
        row = rows[key]
        lines = [line for line in dot.replace("\\\n", "").split("\n\t") if "x7777" in told(line)]
        assert lines, key
        where = [line for line in dot.split("\n\t") if re.search(rf"x7777: {re.escape(html(key))} (\(|- )", line)]
        assert where, key
        if row.layer and not row.layer.endswith("_DISCARD"):
            title = layer_title(row.layer)
            boxes = [line for line in dot.split("\n\t") if line.startswith("n_position") and f"<B>{title}" in line]
            assert not boxes or not all(map(GREY.search, boxes)), f"all boxes of {title} are grey: {key}"
        if row.at == "idle":
            said = told(" ".join(where)).replace("_", "")
            assert "x7777" in said, key


def passive() -> Coverage:
    coverage = Coverage(endpoints=("sender",))
    with recording(coverage):
        first = Endpoint("sender")
        for stimulus in ("bind", "datagram"):
            first.run(stimulus)
    return coverage


def test_a_first_packet_that_is_not_drawn_is_told_in_the_lists_and_at_its_boxes() -> None:
    (shown,) = coverage_pictures(passive())
    dot = shown.dot()
    ways = told(node(dot, "n_note_undrawn_ways_of_packets"))
    assert "AUTH_RECV_ACCEPT, receiving, no flow yet: permit x1, block never, absorb never, pend never" in ways
    assert "FLOW_ESTABLISHED, receiving: permit x1" in ways
    assert "sendto, inbound flow stale: reauthorize: never" in ways
    assert not re.search(r'class="note[^"]*taken', dot)  # a list is no place that a run goes through
    states = told(node(dot, "n_note_undrawn_states_with_what_ended_there"))
    assert "BOUND/IN x1 never: BIND_REDIRECT_PENDED/NONE" in states
    for box, said in (
        ("receive_data", "comes in, not drawn: x1"),
        ("receive_accept", "comes in, not drawn: x1 goes on, not drawn: x1"),
        ("receive_transport", "goes on, not drawn: x1"),
        ("send_establish", "at a place not drawn: x1"),
    ):
        line = next(one for one in dot.split("\n") if one.startswith(f"\tn_position_{box} ["))
        assert said in told(line) and not GREY.search(line), box


def test_a_verdict_of_a_discard_layer_is_told() -> None:
    (shown,) = coverage_pictures(blocked_once())
    twins = told(node(shown.dot(), "n_note_undrawn_discard_layers"))
    assert "AUTH_CONNECT_DISCARD, sending: permit x1, block never" in twins
    assert "DATAGRAM_DATA_DISCARD, sending: permit, block: never" in twins
    states = told(node(shown.dot(), "n_note_undrawn_states_with_what_ended_there"))
    assert "between states that are drawn, where a layer did not permit: x1" in states
    unseen = told(node(shown.dot(), "n_note_undrawn_no_layer_sees_it"))
    assert "policy_change: outbound flow x1, inbound flow never, stale flow never, no or pended flow never" in unseen
    assert "interface_change (or one of 7 reasons more): outbound flow, inbound flow" in unseen


@pytest.mark.skipif(find_renderer() is None, reason="nothing here can draw")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("count", [1, 222, 7777])
def test_a_full_picture_covers_no_text(endpoint: str, count: int) -> None:
    from fsm.draw.render import render

    own = Universe.of(compile_table(endpoint, Config())).rows
    svg = render(drawn_with(endpoint, Config(), dict.fromkeys(own, count)), "svg").decode("utf-8")
    found = [said for said in problems(svg, not_solid=frozenset({"legend"})) if "runs through chip" not in said]
    sizes = [re.search(r" chip\S+ overlap by (\S+) x (\S+)$", said) for said in found]
    assert all(size and min(map(float, size.groups())) < 1.5 for size in sizes), found  # no more than a frame is wide
