"""The moves of a table that a plan may use: every cell, or those with chosen stimuli and verdicts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
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

    def target(self, cell: Cell) -> int:
        """The state that a cell leads to."""
        return self.table.step(*cell)

    def idle(self, state: int) -> bool:
        """Whether nothing is in progress there, so that a scenario can end."""
        return self.table.states[state].position == IDLE

    def way(self, start: int, goals: Iterable[int]) -> list[Cell] | None:
        """The shortest way to the nearest of these states; None when none can be reached."""
        wanted = set(goals)
        if start in wanted:
            return []
        came: dict[int, Cell] = {}
        queue = deque([start])
        seen = {start}
        while queue:
            state = queue.popleft()
            for cell in self.by_state.get(state, ()):
                target = self.target(cell)
                if target in seen:
                    continue
                seen.add(target)
                came[target] = cell
                if target in wanted:
                    return self._back(came, start, target)
                queue.append(target)
        return None

    def _back(self, came: dict[int, Cell], start: int, state: int) -> list[Cell]:
        way = []
        while state != start:
            way.append(came[state])
            state = came[state][0]
        return way[::-1]

    def to_idle(self, state: int) -> list[Cell]:
        """What ends the stimulus in progress: the shortest way to an idle state."""
        way = self.way(state, [at for at in self.by_state if self.idle(at)])
        return way if way is not None else self._permits(state)

    def _permits(self, state: int) -> list[Cell]:
        # Only a state without moves of its own (CLOSED) is idle and not in `by_state`.
        way: list[Cell] = []
        permit = self.table.event_ids["permit"]
        while not self.idle(state):
            way.append((state, permit))
            state = self.table.step(state, permit)
        return way


def moves_of(table: Table, stimuli: Sequence[str] = (), verdicts: Sequence[str] = ()) -> Moves:
    """The cells of a table that can be reached with these stimuli and verdicts (all of them by default).

    Raises
    ------
    UnknownName : a stimulus or verdict that this endpoint does not know.
    """
    for verdict in verdicts:
        if verdict not in VERDICTS:
            raise UnknownName.of("--verdicts", "verdict", verdict, VERDICTS)
    names = [table.stimulus(name, "--stimuli") for name in stimuli] or list(table.view.stimuli)
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
