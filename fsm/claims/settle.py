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
    """What was found, and whether it is sure. `asked` are the open states that an unsure run goes through."""

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
    asked = choices_on(runs, possible.path, runs.start if start is None else start)
    if not asked:
        return Settled(possible, True)
    certain = search(runs, watcher, found, start=start, limit=limit, certain=True, spent=spent)
    if certain.path is not None:
        return Settled(certain, True)
    return Settled(possible, _is_won(runs, watcher, found, start, limit), asked)


def choices_on(runs: Runs, path: Path, start: int) -> tuple[int, ...]:
    """The states of a run whose verdict is open."""
    states = (start, *(target for _, target in path[:-1]))
    return tuple(dict.fromkeys(state for state in states if path and runs.is_choice(state)))


def _is_won(runs: Runs, watcher: Watcher, found: Callable[[int, int], bool], start: int | None, limit: int) -> bool:
    first = (runs.start if start is None else start, watcher.start)
    before: dict[Pair, list[Pair]] = {first: []}
    waiting: list[Pair] = []  # won, and not yet told to those before
    still: dict[Pair, int] = {}  # how many verdicts of an open pair are not yet won
    order = [first]
    for pair in order:
        state, q = pair
        if found(state, q):
            waiting.append(pair)
            continue
        if len(before) > limit:
            return False
        after = [(target, watcher.next(q, event, target)) for event, target in runs.edges(state)]
        # What is not followed any more, or is not known, is lost.
        is_open = runs.is_choice(state) or runs.is_open(state)
        still[pair] = len(after) + runs.is_open(state) if is_open else 1
        for other in after:
            if other[1] == DROP:
                continue
            if other not in before:
                before[other] = []
                order.append(other)
            before[other].append(pair)
    won = set(waiting)
    while waiting:
        for pair in before[waiting.pop()]:
            still[pair] -= 1
            if still[pair] == 0 and pair not in won:
                won.add(pair)
                waiting.append(pair)
    return first in won
