"""Patterns as automata: a nondeterministic one by construction, made deterministic as far as it is used.

A letter is the set of the pattern's atoms that an event satisfies, as bits, or `SECOND`: one second of model time.
Seconds pass anywhere; inside `within` they are counted, by a copy of the group for each second that it may take.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from functools import cached_property, partial

from fsm.claims.grammar import Choice, Node, One, Pattern, Repeat, Sequence, Within
from fsm.errors import FsmError

SECOND = -1
LIMIT_STATES = 50_000
LIMIT_MEMBERS = 4_000_000  # of the sets that are the deterministic states, all together: a few hundred MB

# A fragment: its first and its last state.
Fragment = tuple[int, int]
Spent = tuple[Hashable, tuple[int, ...]]


class TooLarge(Exception):
    """The deterministic automaton has grown beyond its limit: nothing is decided. `states` is how many it has."""

    def __init__(self, states: int) -> None:
        super().__init__(states)
        self.states = states


class Nfa:
    """A nondeterministic automaton with empty moves. State 0 is the start, `end` accepts."""

    def __init__(self, pattern: Pattern) -> None:
        self.empty: list[list[int]] = []
        self.on: list[list[tuple[One, int]]] = []
        self.seconds: list[list[int]] = []
        # Which states are copies of one another: the state they were copied from, and the seconds of each group.
        self.origin: list[tuple[int, tuple[int, ...]]] = []
        self.spent: list[tuple[int, ...]] = []
        self._groups = 0
        first, self.end = self._node(pattern.tree)
        self.start = first

    def _new(self) -> int:
        if len(self.empty) >= LIMIT_STATES:
            raise FsmError(
                "pattern", f"it becomes an automaton of more than {LIMIT_STATES} states",
                fix="Ask for fewer repetitions or a shorter time",
            )  # fmt: skip
        number = len(self.empty)
        self.empty.append([])
        self.on.append([])
        self.seconds.append([number])  # time passes anywhere
        self.origin.append((number, ()))
        self.spent.append(())
        return number

    def _node(self, node: Node) -> Fragment:
        if isinstance(node, One):
            first, last = self._new(), self._new()
            self.on[first].append((node, last))
            return first, last
        if isinstance(node, Sequence):
            return self._chain(partial(self._node, item) for item in node.items)
        if isinstance(node, Choice):
            first, last = self._new(), self._new()
            for option in node.options:
                begin, end = self._node(option)
                self.empty[first].append(begin)
                self.empty[end].append(last)
            return first, last
        if isinstance(node, Repeat):
            return self._repeat(node)
        return self._within(node)

    def _chain(self, parts: Iterable[Callable[[], Fragment]]) -> Fragment:
        first = last = self._new()
        for part in parts:
            begin, end = part()
            self.empty[last].append(begin)
            last = end
        return first, last

    def _repeat(self, node: Repeat) -> Fragment:
        first, last = self._chain(partial(self._node, node.item) for _ in range(node.least))
        if node.most is None:
            begin, end = self._node(node.item)
            loop = self._new()
            self.empty[last].append(loop)
            self.empty[loop].append(begin)
            self.empty[end].append(loop)
            return first, loop
        stop = self._new()
        for _ in range(node.most - node.least):
            begin, end = self._node(node.item)
            self.empty[last] += [begin, stop]
            last = end
        self.empty[last].append(stop)
        return first, stop

    def _within(self, node: Within) -> Fragment:
        """The group once before its first event, and once for each second since then."""
        low = len(self.empty)
        begin, end = self._node(node.item)
        inner = range(low, len(self.empty))
        # The fragment just made becomes the copy "not begun"; the others are made from its edges.
        empty = {q: list(self.empty[q]) for q in inner}
        on = {q: list(self.on[q]) for q in inner}
        seconds = {q: list(self.seconds[q]) for q in inner}
        copies: list[dict[int, int]] = []
        self._groups += 1
        for count in range(node.seconds + 1):
            copies.append({q: self._new() for q in inner})
            for q, copy_of_q in copies[-1].items():
                base, groups = self.origin[q]
                self.origin[copy_of_q] = (base, (*groups, self._groups))
                self.spent[copy_of_q] = (*self.spent[q], count)
        out = self._new()
        for count, copy in enumerate(copies):
            for q in inner:
                here = copy[q]
                self.empty[here] = [copy[t] for t in empty[q]]
                self.on[here] = [(test, copy[t]) for test, t in on[q]]
                later = copies[count + 1] if count < node.seconds else None
                self.seconds[here] = [later[t] for t in seconds[q]] if later else []
            self.empty[copy[end]].append(out)
        for q in inner:
            self.on[q] = [(test, copies[0][t]) for test, t in on[q]]
        self.empty[end].append(out)  # a group that may be empty
        return begin, out


class Dfa:
    """The deterministic automaton of a pattern, made state by state. State 0 is the start."""

    def __init__(self, pattern: Pattern) -> None:
        self.nfa = Nfa(pattern)
        self._is_timed = pattern.is_timed
        self._members = 0
        self._sets: list[frozenset[int]] = []
        self._ids: dict[frozenset[int], int] = {}
        self._next: dict[tuple[int, int], int] = {}
        self._spent: dict[int, Spent] = {}
        self.start = self._number(self._closure({self.nfa.start}))

    def step(self, state: int, letter: int) -> int:
        """The state after a letter; the state of the empty set is where nothing can match any more."""
        found = self._next.get((state, letter))
        if found is None:
            nfa = self.nfa
            if letter == SECOND:
                reached = {t for q in self._sets[state] for t in nfa.seconds[q]}
            else:
                reached = {t for q in self._sets[state] for test, t in nfa.on[q] if passes(test, letter)}
            found = self._next[state, letter] = self._number(self._closure(reached))
        return found

    def spent(self, state: int) -> Spent:
        """A state apart from the seconds that its groups have taken, and these seconds.

        Of two states that differ in the seconds alone, the one with fewer in every group can match whatever the other
        can.
        """
        found = self._spent.get(state)
        if found is None:
            nfa = self.nfa
            states = sorted(self._sets[state], key=lambda q: (nfa.origin[q], nfa.spent[q]))
            seconds = tuple(count for q in states for count in nfa.spent[q])
            found = self._spent[state] = tuple(nfa.origin[q] for q in states), seconds
        return found

    def accepts(self, state: int) -> bool:
        """Whether the pattern is matched there."""
        return self.nfa.end in self._sets[state]

    def hopeless(self, letters: Iterable[int] | None) -> Callable[[int], bool]:
        """Which states no word of these letters leads on from to a match; None where any letter may come."""
        nfa, letters = self.nfa, None if letters is None else tuple(letters)
        before: list[list[int]] = [[] for _ in nfa.empty]
        possible: dict[One, bool] = {}
        for q in range(len(nfa.empty)):
            for t in (*nfa.empty[q], *nfa.seconds[q]):
                before[t].append(q)
            for test, t in nfa.on[q]:
                if test not in possible:
                    possible[test] = letters is None or any(passes(test, letter) for letter in letters)
                if possible[test]:
                    before[t].append(q)
        alive, waiting = {nfa.end}, [nfa.end]
        while waiting:
            for q in before[waiting.pop()]:
                if q not in alive:
                    alive.add(q)
                    waiting.append(q)
        return lambda state: alive.isdisjoint(self._sets[state])

    @cached_property
    def _missing(self) -> list[int]:
        """For each state of the nondeterministic automaton how many events a match still takes at least."""
        nfa = self.nfa
        before: list[list[tuple[int, int]]] = [[] for _ in nfa.empty]
        for q in range(len(nfa.empty)):
            for t in (*nfa.empty[q], *nfa.seconds[q]):
                before[t].append((q, 0))
            for _, t in nfa.on[q]:
                before[t].append((q, 1))
        far = len(nfa.empty) + 1
        missing = [far] * len(nfa.empty)
        missing[nfa.end] = 0
        waiting = deque([nfa.end])
        while waiting:
            t = waiting.popleft()
            for q, cost in before[t]:
                if missing[t] + cost < missing[q]:
                    missing[q] = missing[t] + cost
                    (waiting.append if cost else waiting.appendleft)(q)
        return missing

    def missing(self, state: int) -> int:
        """How many events a match still takes at least; more than the automaton has states where none is possible."""
        return min((self._missing[q] for q in self._sets[state]), default=len(self.nfa.empty) + 1)

    def helpful(self, state: int) -> tuple[One, ...]:
        """The tests that bring a match nearer, in the order of the pattern."""
        least = self.missing(state)
        found = (
            (test, t)
            for q in sorted(self._sets[state])
            if self._missing[q] == least
            for test, t in self.nfa.on[q]
            if self._missing[t] < least
        )
        return tuple(dict.fromkeys(test for test, _ in found))

    def wanted(self, state: int) -> tuple[One, ...]:
        """What the pattern can go on with in a state."""
        return tuple(dict.fromkeys(test for q in sorted(self._sets[state]) for test, _ in self.nfa.on[q]))

    def _closure(self, states: set[int]) -> frozenset[int]:
        waiting = list(states)
        while waiting:
            for t in self.nfa.empty[waiting.pop()]:
                if t not in states:
                    states.add(t)
                    waiting.append(t)
        return frozenset(self._least(states) if self._is_timed else states)

    def _least(self, states: set[int]) -> Iterable[int]:
        """Without the copies that have spent more seconds than another: whatever these can match, that one can too."""
        nfa = self.nfa
        by_origin: dict[tuple[int, tuple[int, ...]], list[int]] = {}
        for q in states:
            by_origin.setdefault(nfa.origin[q], []).append(q)
        for group in by_origin.values():
            for q in group:
                spent = nfa.spent[q]
                if not any(
                    other != q and all(a <= b for a, b in zip(nfa.spent[other], spent, strict=True)) for other in group
                ):
                    yield q

    def _number(self, states: frozenset[int]) -> int:
        number = self._ids.get(states)
        if number is None:
            self._members += len(states)
            if self._members > LIMIT_MEMBERS:
                raise TooLarge(len(self._sets))
            number = self._ids[states] = len(self._sets)
            self._sets.append(states)
        return number


def passes(test: One, letter: int) -> bool:
    """Whether an event with these atoms is what the test asks for."""
    return any(letter >> atom & 1 for atom in test.atoms) is not test.negated
