"""What no plan can exercise, with the proof: all reachable states were enumerated, and this is why none has it."""

from __future__ import annotations

from dataclasses import dataclass

from fsm.catalogue import layer_of
from fsm.counts import counted
from fsm.names import IDLE, VERDICTS
from fsm.plan.moves import Moves
from fsm.plan.runs import refused_at
from fsm.rows import Row
from fsm.rules import RULES
from fsm.table import State, beginning, guard_value

NOT_OFFERED = "their event does not happen to this endpoint"
LEFT_OUT = "their event was left out of this plan"
NOT_THERE = "nothing comes to where they stand"
GUARDED = "what they need never holds there"
NO_RULE = "this endpoint has no rule at them"
ALWAYS_TAKEN = "every state there takes it, none refuses"


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Something of this endpoint, on this machine, that no way from the start exercises.

    `what` is a row, a layer, or a refusal (`pend at send.data`); `reason` one of the few above, `proof` the whole.
    """

    what: str
    reason: str
    proof: str


# What the goals are about: pairs are made of edges, and both of rows.
KINDS: dict[str, str] = {"edges": "rows", "pairs": "rows", "layers": "layers", "refusals": "refusals"}


def unreachable(moves: Moves, goal: str = "edges") -> tuple[tuple[Unreachable, ...], int]:
    """What these moves never exercise, in table order, and of how many: rows, layers or refusals, as the goal is."""
    if goal == "layers":
        return _layers(moves)
    if goal == "refusals":
        return _refusals(moves)
    return _rows(moves)


def _rows(moves: Moves) -> tuple[tuple[Unreachable, ...], int]:
    table = moves.table
    used = {table.row_index(*cell) for cell in moves.cells}
    here = _states(moves)
    found = ((row.key, *_proof(moves, row, here)) for index, row in enumerate(table.rows) if index not in used)
    return tuple(Unreachable(*each) for each in found), len(table.rows)


def _layers(moves: Moves) -> tuple[tuple[Unreachable, ...], int]:
    """The layers that rules of any endpoint name, for this IP version; with the proof of its first row there."""
    table, here = moves.table, _states(moves)
    fired = {layer.stem for state in moves.by_state if (layer := table.layer(state)) is not None}
    stems = dict.fromkeys(row.layer for row in RULES if row.layer)
    found = []
    for stem in (stem for stem in stems if stem not in fired):
        name = layer_of(stem, table.config.ip).fwpm_name
        rows = [row for row in table.rows if row.layer == stem]
        if rows:
            places = dict.fromkeys(row.at for row in rows)
            proof = _none_at(here, " or ".join(places))
            found.append(Unreachable(name, NOT_THERE, proof))
        else:
            proof = f"none of the {counted(len(table.rows), 'row')} of {table.view.name} on this machine stands at it"
            found.append(Unreachable(name, NO_RULE, proof))
    return tuple(found), len(stems)


def _refusals(moves: Moves) -> tuple[tuple[Unreachable, ...], int]:
    """For each position of this endpoint, what can be asked there and is never refused."""
    table, here = moves.table, _states(moves)
    refused = {pair for state in moves.states for pair in refused_at(moves, state)}
    positions = dict.fromkeys((IDLE, *(row.at for row in table.rows)))
    pairs = [(at, event) for at in positions for event in (table.view.stimuli if at == IDLE else VERDICTS)]
    found = []
    for at, event in (pair for pair in pairs if pair not in refused):
        count = sum(state.position == at for state in here)
        what = f"{event} at {at}"
        if count:
            found.append(Unreachable(what, ALWAYS_TAKEN, f"{_each(count)} at {at} takes {event}"))
        else:
            proof = _none_at(here, at)
            found.append(Unreachable(what, NOT_THERE, proof))
    return tuple(found), len(pairs)


def _states(moves: Moves) -> list[State]:
    return [moves.table.states[state] for state in moves.states]


def _proof(moves: Moves, row: Row, states: list[State]) -> tuple[str, str]:
    table = moves.table
    if row.event not in table.event_ids:
        return NOT_OFFERED, f"{table.view.name} ({table.view.text}) is not offered '{row.event}'"
    allowed = {table.events[event] for _, event in moves.cells}
    if row.event not in allowed and row.event in (*table.view.stimuli, *VERDICTS):
        fitting = any(_holds(moves, row, state) for state in states if state.position == row.at)
        if fitting:
            return LEFT_OUT, f"'{row.event}' was left out of this plan"
    at = [state for state in states if state.position == row.at]
    if not at:
        return NOT_THERE, _none_at(states, row.at)
    for name, values in row.when:
        seen = dict.fromkeys(_value(moves, row, name, state) for state in at)
        if not set(values) & set(seen):
            met = ", ".join(value or "nothing" for value in seen)
            here = "the only state" if len(at) == 1 else f"the {counted(len(at), 'state')}"
            return GUARDED, f"in {here} at {row.at} {name} is never {' or '.join(values)}, only {met}"
    guards = " and ".join(f"{name} {' or '.join(values)}" for name, values in row.when) or "this event"
    if len(at) == 1:
        return GUARDED, f"the only state at {row.at} has not {guards} at once"
    return GUARDED, f"of the {counted(len(at), 'state')} at {row.at} none has {guards} at once"


def _none_at(states: list[State], places: str) -> str:
    if len(states) == 1:
        return f"the only state that can be reached does not stand at {places}"
    return f"none of the {counted(len(states), 'state')} that can be reached stands at {places}"


def _each(count: int) -> str:
    return "the only state" if count == 1 else f"each of the {counted(count, 'state')}"


def _holds(moves: Moves, row: Row, state: State) -> bool:
    return all(_value(moves, row, name, state) in values for name, values in row.when)


def _value(moves: Moves, row: Row, name: str, state: State) -> str:
    view = moves.table.view
    return guard_value(name, view, beginning(state, row.event) if not state.stimulus else state)
