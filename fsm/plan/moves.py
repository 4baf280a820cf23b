"""The moves of a table that a plan may use: every cell, or those with chosen stimuli and verdicts."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from fsm.errors import UnknownName
from fsm.names import IDLE, VERDICTS
from fsm.table import Table

Cell = tuple[int, int]  # (state, event) by number


@dataclass(frozen=True, slots=True)
class Moves:
    """The part of a table that a plan walks on: its cells by state, in table order, from the start on."""

    table: Table
    cells: tuple[Cell, ...]
    by_state: dict[int, tuple[Cell, ...]]

    @property
    def states(self) -> tuple[int, ...]:
        """Every state that can be reached, those without a move of their own too, in table order."""
        return tuple(sorted({self.table.start, *self.by_state, *map(self.target, self.cells)}))

    def target(self, cell: Cell) -> int:
        """The state that a cell leads to."""
        return self.table.step(*cell)

    def idle(self, state: int) -> bool:
        """Whether nothing is in progress there, so that a scenario can end."""
        return self.table.states[state].position == IDLE


def moves_of(
    table: Table,
    stimuli: Sequence[str] = (),
    verdicts: Sequence[str] = (),
    *,
    where: tuple[str, str] = ("stimuli", "verdicts"),
) -> Moves:
    """The cells of a table that can be reached with these stimuli and verdicts (all of them by default).

    `where` is what the caller's user calls the two: an error begins with it.

    Raises
    ------
    UnknownName : no such stimulus or verdict.
    NoTransition : a stimulus that does not happen to this endpoint.
    """
    for verdict in verdicts:
        if verdict not in VERDICTS:
            raise UnknownName.of(where[1], "verdict", verdict, VERDICTS)
    names = [table.stimulus(name, where[0]) for name in stimuli] or list(table.view.stimuli)
    allowed = {table.event_ids[name] for name in (*names, *(verdicts or VERDICTS))}
    allowed.add(table.event_ids["permit"])  # what no other verdict is asked for gets this
    by_state: dict[int, tuple[Cell, ...]] = {}
    queue = deque([table.start])
    seen = {table.start}
    while queue:
        state = queue.popleft()
        cells = []
        for event in range(len(table.events)):
            target = table.next_or_none(state, event)
            if event in allowed and target >= 0:
                cells.append((state, event))
                if target not in seen:
                    seen.add(target)
                    queue.append(target)
        if cells:
            by_state[state] = tuple(cells)
    ordered = {state: by_state[state] for state in sorted(by_state)}
    return Moves(table, tuple(cell for cells in ordered.values() for cell in cells), ordered)
