"""Coverage as numbers and as pictures: every branch says how often it was taken, or that it never was."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from svg_geometry import problems, read

from fsm.coverage import Coverage, recording
from fsm.coverage_pictures import coverage_pictures, write_pictures
from fsm.draw.render import find_renderer
from fsm.endpoint import Endpoint, verdict_at


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
