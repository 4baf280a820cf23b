"""What a stimulus can gain on its way: the goals of a greedy plan as bits, and the ways from rest to rest.

A run is one stimulus from an idle state to the next idle state. Of all runs between two states only those are kept
that no other beats: more goals, or as many in fewer steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from fsm.names import VERDICTS
from fsm.plan.moves import Cell, Moves


@dataclass(frozen=True, slots=True)
class Goals:
    """Things to cover, each with a bit.

    `names` are (layer, "permit") or (position, event) in the order of their bits; `by_cell` is what taking a cell
    covers, `at_rest` what standing in an idle state covers.
    """

    names: tuple[tuple[str, str], ...]
    by_cell: dict[Cell, int]
    at_rest: dict[int, int]

    @property
    def all(self) -> int:
        return (1 << len(self.names)) - 1


@dataclass(frozen=True, slots=True)
class Run:
    """One stimulus with its verdicts, and the bits of what it covers on the way."""

    cells: tuple[Cell, ...]
    end: int
    gain: int

    @property
    def steps(self) -> int:
        return len(self.cells)


def layers_of(moves: Moves) -> Goals:
    """Each layer fires once, with permit."""
    table, numbers = moves.table, _Numbers()
    permit = table.event_ids["permit"]
    cells = {
        (state, permit): numbers.bit((layer.fwpm_name, "permit"))
        for state in moves.by_state
        if (layer := table.layer(state)) is not None
    }
    return Goals(tuple(numbers.known), cells, {})


def refusals_of(moves: Moves) -> Goals:
    """For each position, each event that some state there refuses is tried once."""
    table, numbers = moves.table, _Numbers()
    cells: dict[Cell, int] = {}
    at_rest: dict[int, int] = {}
    for state in moves.states:
        gain = sum(map(numbers.bit, refused_at(moves, state)))
        if moves.idle(state):
            at_rest[state] = gain
        else:
            cells.update((cell, gain) for cell in moves.by_state[state])
    assert table.start in at_rest
    return Goals(tuple(numbers.known), cells, at_rest)


def refused_at(moves: Moves, state: int) -> Iterator[tuple[str, str]]:
    """What a state refuses of what can be asked there: (position, event), in table order."""
    table, idle = moves.table, moves.idle(state)
    for number, event in enumerate(table.events):
        if (event in VERDICTS) != idle and table.next_or_none(state, number) < 0:
            yield table.states[state].position, event


class _Numbers:
    def __init__(self) -> None:
        self.known: dict[tuple[str, str], int] = {}

    def bit(self, name: tuple[str, str]) -> int:
        return 1 << self.known.setdefault(name, len(self.known))


def runs(moves: Moves, goals: Goals) -> dict[int, tuple[Run, ...]]:
    """{idle state: the runs from there that no other with the same end beats}, in table order."""
    into: dict[int, list[Cell]] = {}
    for cell in moves.cells:
        into.setdefault(moves.target(cell), []).append(cell)
    fronts: dict[int, dict[tuple[int, int], Run]] = {}
    waiting = deque(state for state in moves.states if moves.idle(state))
    while waiting:  # backwards from rest; what was added on a way round is taken up again
        state = waiting.popleft()
        onward = [Run((), state, 0)] if moves.idle(state) else list(fronts[state].values())
        for cell in into.get(state, ()):
            gain = goals.by_cell.get(cell, 0)
            front = fronts.setdefault(cell[0], {})
            added = [_add(front, Run((cell, *run.cells), run.end, run.gain | gain)) for run in onward]
            if any(added) and not moves.idle(cell[0]):
                waiting.append(cell[0])
    return {state: tuple(fronts[state].values()) for state in moves.states if moves.idle(state) and state in fronts}


def _add(front: dict[tuple[int, int], Run], run: Run) -> bool:
    """Whether no run that is known does as much in as few steps; those that the new one beats are dropped."""
    same_end = [known for known in front.values() if known.end == run.end]
    if any(known.gain | run.gain == known.gain and known.steps <= run.steps for known in same_end):
        return False
    for known in same_end:
        if known.gain | run.gain == run.gain and known.steps >= run.steps:
            del front[known.end, known.gain]
    front[run.end, run.gain] = run
    return True
