"""What no plan can exercise, with the proof: all reachable states were enumerated, and this is why none has it."""

from __future__ import annotations

from dataclasses import dataclass

from fsm.names import VERDICTS
from fsm.plan.moves import Moves
from fsm.rows import Row
from fsm.table import NO_ROW, State, beginning, guard_value


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A row of this endpoint, on this machine, that no way from the start uses."""

    row: str
    proof: str


def unreachable(moves: Moves) -> tuple[Unreachable, ...]:
    """The rows that stand for this endpoint and configuration but that these moves never reach, in table order."""
    table = moves.table
    used = {table.row_index(*cell) for cell in moves.cells}
    states = {table.start, *moves.by_state, *(moves.target(cell) for cell in moves.cells)} - {NO_ROW}
    here = [table.states[state] for state in sorted(states)]
    return tuple(
        Unreachable(row.key, _proof(moves, row, here)) for index, row in enumerate(table.rows) if index not in used
    )


def _proof(moves: Moves, row: Row, states: list[State]) -> str:
    table = moves.table
    if row.event not in table.event_ids:
        return f"{table.view.name} ({table.view.text}) is not offered '{row.event}'"
    allowed = {table.events[event] for _, event in moves.cells}
    if row.event not in allowed and row.event in (*table.view.stimuli, *VERDICTS):
        fitting = any(_holds(moves, row, state) for state in states if state.position == row.at)
        if fitting:
            return f"'{row.event}' was left out of this plan"
    at = [state for state in states if state.position == row.at]
    if not at:
        return f"none of the {len(states)} states that can be reached stands at {row.at}"
    for name, values in row.when:
        seen = dict.fromkeys(_value(moves, row, name, state) for state in at)
        if not set(values) & set(seen):
            met = ", ".join(value or "nothing" for value in seen)
            here = "the only state" if len(at) == 1 else f"the {len(at)} states"
            return f"in {here} at {row.at} {name} is never {' or '.join(values)}, only {met}"
    guards = " and ".join(f"{name} {' or '.join(values)}" for name, values in row.when)
    return f"of the {len(at)} states at {row.at} none has {guards or 'this event'} at once"


def _holds(moves: Moves, row: Row, state: State) -> bool:
    return all(_value(moves, row, name, state) in values for name, values in row.when)


def _value(moves: Moves, row: Row, name: str, state: State) -> str:
    view = moves.table.view
    return guard_value(name, view, beginning(state, row.event) if not state.stimulus else state)
