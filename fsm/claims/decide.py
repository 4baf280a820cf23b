"""Deciding claims exactly: search over the runs together with a watcher, cheapest first, on integers.

A watcher is a small automaton that reads the events of a run. A search ends with the most usual run that it was
looking for (of equal ones the shortest), with the certainty that there is none, or unknowing because a limit was hit.
No sampling.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from operator import le
from typing import Protocol

from fsm.claims.automaton import SECOND, Dfa, Spent
from fsm.claims.grammar import Pattern
from fsm.claims.quotient import Labelled, classes, labelled, quotient
from fsm.claims.runs import TICK, Edge, Runs, cost_of
from fsm.claims.words import Atom

Path = tuple[Edge, ...]
DROP = -1  # a watcher's state from which nothing that is looked for can come
LIMIT_NODES = 2_000_000


class Watcher(Protocol):
    """Reads the events of a run. States are numbers; `DROP` is not followed."""

    start: int

    def next(self, q: int, event: int, target: int) -> int:
        """The state after an event, which leads to `target`."""


Sides = tuple[frozenset[int], frozenset[int]]  # what may be the case in each of two subjects
Pair = tuple[int, int]  # a state of the runs, and one of the watcher


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found: the pair that was looked for, or None, which is sure where it was `complete`.

    `before` holds every pair that was visited, in the order of the search, with the pair and the edge before it.
    """

    found: Pair | None
    complete: bool
    before: dict[Pair, tuple[Pair, Edge] | None]

    @property
    def path(self) -> Path | None:
        """The path to what was looked for."""
        return None if self.found is None else self.path_to(self.found)

    def path_to(self, pair: Pair) -> Path:
        """The cheapest path to a pair that was visited."""
        path: list[Edge] = []
        step = self.before[pair]
        while step is not None:
            pair, edge = step
            path.append(edge)
            step = self.before[pair]
        return tuple(reversed(path))


def search(
    runs: Runs,
    watcher: Watcher,
    found: Callable[[int, int], bool],
    *,
    start: int | None = None,
    limit: int = LIMIT_NODES,
    certain: bool = False,
    spent: Callable[[int], Spent] | None = None,
) -> Search:
    """The path of the least cost (`runs.cost_of`) after which `found(state, watcher's state)` holds.

    The start itself is looked at as well. `limit` bounds the pairs of states that are visited; `certain` leaves out
    what depends on an open question. `spent` is told of states of the watcher that differ only in numbers of which
    smaller ones are better: what is no better than a pair that was visited, and costs no less, is not followed.
    """
    first = (runs.start if start is None else start, watcher.start)
    before: dict[Pair, tuple[Pair, Edge] | None] = {}
    # Pairs by their cost, and within a cost in the order in which they were met: equal runs, equal answers.
    waiting: dict[int, list[tuple[Pair, tuple[Pair, Edge] | None]]] = {0: [(first, None)]}
    order = [0]
    best: dict[Pair, int] = {first: 0}
    costs: list[int] = []
    fronts: dict[Hashable, list[tuple[int, ...]]] = {}
    complete = True
    step, edges = watcher.next, runs.edges
    while order:
        cost = heappop(order)
        for node, came in waiting.pop(cost):
            if node in before:
                continue
            state, q = node
            if spent is not None:
                shape, seconds = spent(q)
                front = fronts.setdefault((state, shape), [])
                if any(all(map(le, better, seconds)) for better in front):
                    continue
                front.append(seconds)
            before[node] = came
            if found(state, q):
                return Search(node, True, before)
            if len(before) > limit:
                return Search(None, False, before)
            complete = complete and not runs.is_open(state)
            out = sure_edges(runs, state) if certain else edges(state)
            if len(costs) < len(runs.events):
                costs += map(cost_of, runs.events[len(costs) :])
            for edge in out:
                target = edge[1]
                after = step(q, edge[0], target)
                pair = (target, after)
                if after == DROP or pair in before:
                    continue
                total = cost + costs[edge[0]]
                known = best.get(pair)
                if known is None or total < known:
                    best[pair] = total
                    if total not in waiting:
                        waiting[total] = []
                        heappush(order, total)
                    waiting[total].append((pair, (node, edge)))
    return Search(None, complete, before)


def sure_edges(runs: Runs, state: int) -> Sequence[Edge]:
    """The edges of a state that rest on no open question."""
    return [edge for edge in runs.edges(state) if not runs.events[edge[0]].is_open]


# ---- watchers


class Marks:
    """Which atoms hold of an event, as bits; remembered for each event (and state, where a condition asks for it)."""

    def __init__(self, runs: Runs, atoms: Sequence[Atom]) -> None:
        self._runs, self._atoms = runs, tuple(atoms)
        self._by_state = any(atom.condition for atom in atoms)
        self._memo: dict[Hashable, int] = {}

    def of(self, event: int, target: int) -> int:
        """The atoms that hold of this event, which leads to that state."""
        key: Hashable = (event, target) if self._by_state else event
        mask = self._memo.get(key)
        if mask is None:
            what, state = self._runs.events[event], self._runs.plain(target)
            mask = sum(1 << i for i, atom in enumerate(self._atoms) if atom.holds(what, state))
            self._memo[key] = mask
        return mask


class Until:
    """0 until an event is `atom`, then 1."""

    def __init__(self, runs: Runs, atom: Atom) -> None:
        self.start = 0
        self._marks = Marks(runs, (atom,))

    def next(self, q: int, event: int, target: int) -> int:
        return 1 if q or self._marks.of(event, target) else 0


class InTurn:
    """0, 1 when an event was `first`, and 2 when a later one is `then`."""

    def __init__(self, runs: Runs, first: Atom, then: Atom) -> None:
        self.start = 0
        self._marks = Marks(runs, (first, then))

    def next(self, q: int, event: int, target: int) -> int:
        return q + 1 if q < 2 and self._marks.of(event, target) >> q & 1 else q


class NotBefore:
    """0, and 1 when `then` comes and `first` was not earlier; after `first` nothing can be wrong."""

    def __init__(self, runs: Runs, first: Atom, then: Atom) -> None:
        self.start = 0
        self._marks = Marks(runs, (first, then))

    def next(self, q: int, event: int, target: int) -> int:
        mask = self._marks.of(event, target)
        return 1 if mask & 2 else DROP if mask & 1 else 0


class NotAfter:
    """Whether a response is missing: state 1. A trigger waits for it until its endpoint is idle, or until `before`."""

    def __init__(self, runs: Runs, trigger: Atom, response: Atom, before: Atom | None) -> None:
        self._runs, self._bounded = runs, before is not None
        self._marks = Marks(runs, (trigger, response, *((before,) if before else ())))
        self._waiting: list[frozenset[str]] = [frozenset(), frozenset({"response is missing"})]
        self._ids = {waiting: number for number, waiting in enumerate(self._waiting)}
        self.start = 0

    def next(self, q: int, event: int, target: int) -> int:
        mask, what = self._marks.of(event, target), self._runs.events[event]
        waiting = self._waiting[q]
        if waiting:
            if mask & 2:
                waiting = frozenset()
            elif (mask & 4) if self._bounded else (what.ends and what.endpoint in waiting):
                return 1
        if mask & 1:
            waiting |= {what.endpoint}
            if what.ends and not self._bounded:
                return 1
        number = self._ids.get(waiting)
        if number is None:
            number = self._ids[waiting] = len(self._waiting)
            self._waiting.append(waiting)
        return number

    def waits(self, q: int) -> bool:
        """Whether a response is still to come."""
        return bool(self._waiting[q])


class Reading:
    """A pattern's automaton reading a run; of patterns that name no stimulus it skips what no layer sees."""

    def __init__(self, runs: Runs, pattern: Pattern, dfa: Dfa | None = None) -> None:
        self.dfa = dfa or Dfa(pattern)
        self.start = self.dfa.start
        self._runs, self._sees = runs, pattern.sees_stimuli
        self._marks = Marks(runs, pattern.atoms)

    def letter(self, event: int, target: int) -> int | None:
        """What the automaton reads for an event; None where it does not see it."""
        what = self._runs.events[event]
        if what.stimulus == TICK and what.begins:
            return SECOND
        return self._marks.of(event, target) if self._sees or what.layer else None

    def next(self, q: int, event: int, target: int) -> int:
        letter = self.letter(event, target)
        return q if letter is None else self.dfa.step(q, letter)


class Following:
    """How far a given list of events can be followed: each state is how many of them have happened.

    Every classify counts, so one that is not the next of the list ends the run. Stimuli happen in between as they
    like, unless the list names one: then it names them all.
    """

    def __init__(self, runs: Runs, atoms: Sequence[Atom]) -> None:
        self.start = 0
        self._runs, self._length = runs, len(atoms)
        self._sees = any(atom.stimulus for atom in atoms)
        self._marks = Marks(runs, atoms)

    def next(self, q: int, event: int, target: int) -> int:
        if not self._sees and not self._runs.events[event].layer:
            return q
        return q + 1 if q < self._length and self._marks.of(event, target) >> q & 1 else DROP


# ---- every run, and equality


def open_events(runs: Runs) -> tuple[int, ...]:
    """Every event of some run that rests on an open question."""
    seen, order = {runs.start}, [runs.start]
    found: dict[int, None] = {}
    for state in order:
        for event, target in runs.edges(state):
            if runs.events[event].is_open:
                found[event] = None
            if target not in seen:
                seen.add(target)
                order.append(target)
    return tuple(found)


def letters_of(
    runs: Runs, reading: Reading, *, limit: int = LIMIT_NODES, certain: bool = False
) -> tuple[frozenset[int], bool]:
    """Every letter that some run shows, and whether all states were looked at.

    `certain` leaves out what depends on an open question.
    """
    letters: set[int] = set()
    seen, order = {runs.start}, [runs.start]
    complete = True
    for state in order:
        complete = complete and not runs.is_open(state)
        for event, target in sure_edges(runs, state) if certain else runs.edges(state):
            letter = reading.letter(event, target)
            if letter is not None:
                letters.add(letter)
            if target not in seen:
                if len(seen) >= limit:
                    return frozenset(letters), False
                seen.add(target)
                order.append(target)
    return frozenset(letters), complete


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two subjects part: what both have shown before, and what only one of them can show next.

    `path` is a run of the one that can; `in_first` says which that is.
    """

    common: tuple[Hashable, ...]
    more: Hashable
    in_first: bool
    path: Path
    instead: tuple[Hashable, ...]


def difference(
    one: Runs,
    other: Runs,
    see_one: Callable[[int], Hashable],
    see_other: Callable[[int], Hashable],
    *,
    limit: int,
    one_way: bool = False,
) -> tuple[Difference | None, bool, int]:
    """The shortest sequence of what is seen that only one of two subjects can show.

    `see` gives what is seen of an event by number, None for nothing. `one_way` asks only whether the other can show
    all that the one shows for certain, whatever open questions are answered. Returns the difference or None, whether
    the search was complete, and how many pairs of sets of states were compared.
    """
    seen = _Seen(((one, see_one, one_way), (other, see_other, False)))
    before: dict[Sides, tuple[Sides, Hashable] | None] = {seen.start: None}
    order = [seen.start]
    complete = True
    for pair in order:
        complete = complete and not any(number in seen.open for side in pair for number in side)
        if pair[0] == pair[1] and not seen.open:
            continue  # the same states: whatever comes after is the same
        next_one, next_other = map(seen.after, pair)
        ways = ((next_one, next_other), (next_other, next_one))
        for number, (here, there) in enumerate(ways[:1] if one_way else ways):
            for shown in here:
                if shown not in there:
                    common = _shown_before(before, pair)
                    can, see = (other, see_other) if number else (one, see_one)
                    path = _showing(can, see, (*common, shown), certain=one_way)
                    return Difference(common, shown, not number, path, tuple(there)), complete, len(before)
        for shown, target in next_one.items():
            successor = (target, next_other[shown])
            if successor not in before:
                if len(before) >= limit:
                    return None, False, len(before)
                before[successor] = (pair, shown)
                order.append(successor)
    return None, complete, len(before)


def _shown_before(before: dict[Sides, tuple[Sides, Hashable] | None], pair: Sides) -> tuple[Hashable, ...]:
    shown: list[Hashable] = []
    step = before[pair]
    while step is not None:
        pair, last = step
        shown.append(last)
        step = before[pair]
    return tuple(reversed(shown))


def _showing(runs: Runs, see: Callable[[int], Hashable], wanted: tuple[Hashable, ...], *, certain: bool) -> Path:
    """The most usual run that shows this."""

    class Showing:
        start = 0

        @staticmethod
        def next(q: int, event: int, target: int) -> int:
            seen = see(event)
            return q if seen is None else q + 1 if q < len(wanted) and seen == wanted[q] else DROP

    found = search(runs, Showing(), lambda state, q: q == len(wanted), certain=certain)
    assert found.path is not None, "what is shown was found on a run"
    return found.path


class _Seen:
    """What two subjects show, on the classes of their states: sets of classes, closed under what is not seen."""

    def __init__(self, sides: Sequence[tuple[Runs, Callable[[int], Hashable], bool]]) -> None:
        graph: list[Labelled] = []
        starts = []
        for runs, see, certain in sides:
            _, own = labelled(
                runs.start, partial(_edges, runs, certain), partial(_label, see, {}), partial(_kind, runs)
            )
            offset = len(graph)
            starts.append(offset)
            graph += [(tuple((seen, target + offset) for seen, target in edges), kind) for edges, kind in own]
        found = classes(graph)
        self._moves = quotient(graph, found)
        self.open = frozenset(number for number, (_, is_open) in zip(found, graph, strict=True) if is_open)
        self._after: dict[frozenset[int], dict[Hashable, frozenset[int]]] = {}
        self._closures: dict[int, frozenset[int]] = {}
        self.start: Sides = (self._closed(found[starts[0]]), self._closed(found[starts[1]]))

    def _closed(self, number: int) -> frozenset[int]:
        found = self._closures.get(number)
        if found is None:
            met, order = {number}, [number]
            for at in order:
                for shown, target in self._moves[at]:
                    if shown is None and target not in met:
                        met.add(target)
                        order.append(target)
            # Classes that show nothing themselves say nothing more than what they lead to.
            found = self._closures[number] = frozenset(
                at for at in order if at in self.open or any(shown is not None for shown, _ in self._moves[at])
            )
        return found

    def after(self, classes: frozenset[int]) -> dict[Hashable, frozenset[int]]:
        """What can be seen next, each with the classes that are possible then, in a stable order."""
        found = self._after.get(classes)
        if found is None:
            reached: dict[Hashable, set[int]] = {}
            for number in sorted(classes):
                for shown, target in self._moves[number]:
                    if shown is not None:
                        reached.setdefault(shown, set()).update(self._closed(target))
            found = self._after[classes] = {shown: frozenset(targets) for shown, targets in reached.items()}
        return found


def _edges(runs: Runs, certain: bool, state: int) -> Sequence[Edge]:
    return sure_edges(runs, state) if certain else runs.edges(state)


def _label(see: Callable[[int], Hashable], known: dict[int, Hashable], event: int, target: int) -> Hashable:
    if event not in known:
        known[event] = see(event)
    return known[event]


def _kind(runs: Runs, state: int) -> Hashable:
    return runs.is_open(state)
