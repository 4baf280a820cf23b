"""Good plans where the best would take too long: the most promising rows of runs are carried on, the others dropped."""

from __future__ import annotations

from dataclasses import dataclass

from fsm.plan.moves import Cell, Moves
from fsm.plan.runs import Goals, Run

_WIDTH = 100  # rows that are carried on, of each number of walks
_PULL = 2.0  # how much more than at best a goal is expected to cost


@dataclass(frozen=True, slots=True)
class _Row:
    """Runs so far, as a chain: what they cost, where they end, what is left."""

    walks: int
    steps: int
    state: int
    left: int
    before: _Row | None = None
    run: Run | None = None  # None: a walk begins


def best_walks(moves: Moves, goals: Goals, by_state: dict[int, tuple[Run, ...]]) -> tuple[tuple[Cell, ...], ...]:
    """Walks from the start that gain everything: few walks first, then few steps. Equal input, equal walks."""
    price = _Prices(goals, by_state)
    start = moves.table.start
    rows = [_Row(1, 0, start, goals.all & ~goals.at_rest.get(start, 0))]
    best: _Row | None = None if rows[0].left else rows[0]
    known: dict[tuple[int, int], tuple[int, int]] = {}
    while rows:
        reached: dict[tuple[int, int], _Row] = {}
        for row in rows:
            for after in _onward(row, goals, by_state.get(row.state, ()), start):
                cost, place = (after.walks, after.steps), (after.state, after.left)
                # What is left costs at least its price: so much is certain.
                if best is not None and (after.walks, after.steps + price.of(after.left)) >= (best.walks, best.steps):
                    continue
                if not after.left:
                    best = after
                elif place not in known or cost < known[place]:
                    known[place] = cost
                    reached[place] = after
        rows = _spread(
            sorted(
                reached.values(),
                key=lambda row: (row.walks, row.steps + _PULL * price.of(row.left), row.left, row.state),
            )
        )
    assert best is not None  # every goal lies on a way from the start
    return _walks(best)


def _spread(ranked: list[_Row]) -> list[_Row]:
    """The first rows, of each number of walks as many: a walk that can go on no further must not be the only one."""
    kept: list[_Row] = []
    counts: dict[int, int] = {}
    for row in ranked:
        counts[row.walks] = counts.get(row.walks, 0) + 1
        if counts[row.walks] <= _WIDTH:
            kept.append(row)
    return kept


def _onward(row: _Row, goals: Goals, runs: tuple[Run, ...], start: int) -> list[_Row]:
    found = []
    for run in runs:
        left = row.left & ~run.gain & ~goals.at_rest.get(run.end, 0)
        found.append(_Row(row.walks, row.steps + run.steps, run.end, left, row, run))
    if row.state != start and row.run is not None:
        found.append(_Row(row.walks + 1, row.steps, start, row.left, row))
    return found


class _Prices:
    """What goals cost at best: each its share of the run that shares its steps among most goals."""

    def __init__(self, goals: Goals, by_state: dict[int, tuple[Run, ...]]) -> None:
        self._worth = [0.0] * len(goals.names)
        self._known: dict[int, float] = {}
        for run in (run for runs in by_state.values() for run in runs if run.gain):
            share = run.steps / run.gain.bit_count()
            for bit in range(len(goals.names)):
                if run.gain >> bit & 1 and (not self._worth[bit] or share < self._worth[bit]):
                    self._worth[bit] = share

    def of(self, left: int) -> float:
        """A lower bound of the steps that these goals take, whatever the order."""
        if left not in self._known:
            self._known[left] = sum(worth for bit, worth in enumerate(self._worth) if left >> bit & 1)
        return self._known[left]


def _walks(row: _Row) -> tuple[tuple[Cell, ...], ...]:
    walks: list[list[Run]] = [[]]
    at: _Row | None = row
    while at is not None and at.before is not None:
        if at.run is None:
            walks.append([])
        else:
            walks[-1].append(at.run)
        at = at.before
    return tuple(tuple(cell for run in walk[::-1] for cell in run.cells) for walk in walks[::-1])
