"""What is sure of a search where questions are open: a run that is there whatever they are answered, or none at all.

At an open classify one of several verdicts is given, nobody knows which. What is looked for is sure where whoever
chooses the stimuli gets there against every choice of these verdicts: a game on the same states, won by going
backwards from what was found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fsm.claims.automaton import Spent
from fsm.claims.decide import DROP, LIMIT_NODES, Pair, Path, Search, Watcher, search
from fsm.claims.runs import Runs


@dataclass(frozen=True, slots=True)
class Settled:
    """What was found, and whether it is sure. `asked` are the events of an unsure run that rest on open questions."""

    search: Search
    sure: bool
    asked: tuple[int, ...] = ()

    @property
    def path(self) -> Path | None:
        return self.search.path

    @property
    def complete(self) -> bool:
        return self.search.complete

    @property
    def visited(self) -> int:
        return len(self.search.before)


def settle(
    runs: Runs,
    watcher: Watcher,
    found: Callable[[int, int], bool],
    *,
    start: int | None = None,
    limit: int = LIMIT_NODES,
    spent: Callable[[int], Spent] | None = None,
) -> Settled:
    """The most usual run to what is looked for, one that is sure where there is one."""
    possible = search(runs, watcher, found, start=start, limit=limit, spent=spent)
    if possible.path is None:
        return Settled(possible, possible.complete)
    asked = open_on(runs, possible.path)
    if not asked:
        return Settled(possible, True)
    certain = search(runs, watcher, found, start=start, limit=limit, certain=True, spent=spent)
    if certain.path is not None:
        return Settled(certain, True)
    return Settled(possible, _is_won(runs, watcher, found, start, limit), asked)


def open_on(runs: Runs, path: Path) -> tuple[int, ...]:
    """The events of a run that rest on open questions."""
    return tuple(dict.fromkeys(event for event, _ in path if runs.events[event].is_open))


def _is_won(runs: Runs, watcher: Watcher, found: Callable[[int, int], bool], start: int | None, limit: int) -> bool:
    first = (runs.start if start is None else start, watcher.start)
    before: dict[Pair, list[tuple[Pair, int]]] = {first: []}  # the pairs before, each with the group of the edge
    waiting: list[Pair] = []  # won, and not yet told to those before
    still: dict[tuple[Pair, int], int] = {}  # how many edges of a group have to be won yet: of an open one, all
    order = [first]
    for pair in order:
        state, q = pair
        if found(state, q):
            waiting.append(pair)
            continue
        if len(before) > limit:
            return False
        groups = runs.open_groups(state)
        group_of = {edge: number for number, group in enumerate(groups, 1) for edge in group}
        # What is not followed any more, or is not known, is lost.
        still[pair, 0] = 1
        still |= {(pair, number): len(group) + runs.is_open(state) for number, group in enumerate(groups, 1)}
        for edge in runs.edges(state):
            event, target = edge
            other = (target, watcher.next(q, event, target))
            if other[1] == DROP:
                continue
            if other not in before:
                before[other] = []
                order.append(other)
            before[other].append((pair, group_of.get(edge, 0)))
    won = set(waiting)
    while waiting:
        for pair, group in before[waiting.pop()]:
            still[pair, group] -= 1
            if still[pair, group] == 0 and pair not in won:
                won.add(pair)
                waiting.append(pair)
    return first in won
