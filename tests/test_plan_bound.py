"""The bound of a searched plan against the best plan there is, found by an exact search that shares no code with it."""

from __future__ import annotations

import itertools
from collections import deque

import pytest

from fsm.choices import Config
from fsm.names import ENDPOINTS, VERDICTS
from fsm.plan.cover import cover
from fsm.plan.moves import Moves, moves_of
from fsm.table import compile_table

VERDICT_SETS = (("permit",), ("permit", "block"), ("permit", "pend"))


def machine(endpoint: str, stimuli: tuple[str, ...], verdicts: tuple[str, ...]) -> Moves:
    return moves_of(compile_table(endpoint, Config()), stimuli, verdicts)


def gains(moves: Moves, goal: str) -> tuple[dict[tuple[int, int], frozenset[object]], dict[int, frozenset[object]]]:
    """What is covered by taking a cell, and by standing in a state, as plain sets."""
    table = moves.table
    states = {table.start, *(cell[0] for cell in moves.cells), *(table.step(*cell) for cell in moves.cells)}
    if goal == "layers":
        fired = {
            (state, event): frozenset([layer.fwpm_name])
            for state, event in moves.cells
            if (layer := table.layer(state)) is not None and table.events[event] == "permit"
        }
        return fired, {}
    stood = {
        state: frozenset(
            (table.states[state].position, event)
            for number, event in enumerate(table.events)
            if (event in VERDICTS) == (table.layer(state) is not None) and table.next_or_none(state, number) < 0
        )
        for state in states
    }
    return {}, stood


def fewest_steps(moves: Moves, goal: str) -> tuple[int, int]:
    """(steps of the best plan, number of goals), breadth first over (state, goals left); a new walk costs no step."""
    table = moves.table
    by_cell, by_state = gains(moves, goal)
    everything = frozenset().union(*by_cell.values(), *by_state.values())
    start = (table.start, everything - by_state.get(table.start, frozenset()))
    queue, best = deque([(start, 0)]), {start: 0}
    while queue:
        (state, left), steps = queue.popleft()
        if best[state, left] < steps:
            continue
        if table.layer(state) is None:
            if not left:
                return steps, len(everything)
            again = (table.start, left - by_state.get(table.start, frozenset()))
            if steps < best.get(again, steps + 1):
                best[again] = steps
                queue.appendleft((again, steps))
        for cell in moves.by_state.get(state, ()):
            target = table.step(*cell)
            after = (target, left - by_cell.get(cell, frozenset()) - by_state.get(target, frozenset()))
            if steps + 1 < best.get(after, steps + 2):
                best[after] = steps + 1
                queue.append((after, steps + 1))
    raise AssertionError("no plan covers this")


def small_machines() -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    names = ("bind", "sendto", "sendto_group", "datagram", "datagram_group", "icmp_error", "complete", "close")
    found = []
    for endpoint in ENDPOINTS:
        offered = [name for name in names if name in compile_table(endpoint, Config()).view.stimuli]
        for count in (1, 2):
            for stimuli in itertools.combinations(offered, count):
                found += [(endpoint, stimuli, verdicts) for verdicts in VERDICT_SETS]
    return found


@pytest.mark.parametrize("goal", ["layers", "refusals"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_plan_undercuts_the_bound(endpoint: str, goal: str) -> None:
    met = 0
    for name, stimuli, verdicts in small_machines():
        moves = machine(name, stimuli, verdicts)
        if name != endpoint or len(moves.cells) > 60:
            continue
        best, goals = fewest_steps(moves, goal)
        plan = cover(moves, goal)
        assert plan.goals == goals
        assert plan.least_steps <= best <= plan.steps, (stimuli, verdicts)
        assert plan.least_walks <= len(plan.walks) and plan.least_walks == min(goals, 1)
        met += plan.least_steps == best
    assert met  # a bound of nothing would be one, too


@pytest.mark.parametrize(
    ("endpoint", "stimuli", "verdicts", "goal", "steps"),
    [
        # bind; redirect, assign
        ("sender", ("bind",), ("permit",), "layers", 3),
        # one sendto binds, is authorized and goes out: 1 + 2 + 6; a send to a group meets no other layer
        ("sender", ("sendto", "sendto_group"), ("permit",), "layers", 9),
        # one datagram to a port without socket: 1 + 5
        ("dropped_port", ("datagram",), ("permit",), "layers", 6),
        # nothing can come to a socket that is not bound
        ("receiver", ("datagram",), ("permit",), "layers", 0),
        # what the start refuses costs no step
        ("receiver", ("datagram",), ("permit",), "refusals", 0),
        # a bind that is refused meets redirect, assign (blocked), the discard layer; another has assign permit: 4 + 3
        ("sender", ("bind",), ("permit", "block"), "layers", 7),
    ],
)
def test_the_bound_is_met_where_the_best_is_known_by_hand(
    endpoint: str, stimuli: tuple[str, ...], verdicts: tuple[str, ...], goal: str, steps: int
) -> None:
    moves = machine(endpoint, stimuli, verdicts)
    plan = cover(moves, goal)
    assert (plan.steps, plan.least_steps, fewest_steps(moves, goal)[0]) == (steps, steps, steps)
    assert plan.exact


# Steps of the plans for everything, and of the bound. More steps or a lower bound would be a step back.
@pytest.mark.parametrize(
    ("endpoint", "goal", "steps", "least"),
    [
        ("sender", "layers", 49, 45),
        ("receiver", "layers", 49, 46),
        ("dropped_port", "layers", 24, 24),
        ("dropped_port", "refusals", 21, 21),
        ("receiver", "refusals", 87, 67),
    ],
)
def test_whole_machines_keep_their_plans_and_bounds(endpoint: str, goal: str, steps: int, least: int) -> None:
    plan = cover(moves_of(compile_table(endpoint, Config())), goal)
    assert plan.steps <= steps and plan.least_steps >= least and plan.least_steps <= plan.steps
