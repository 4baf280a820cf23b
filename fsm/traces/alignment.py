"""How a sequence of observations fits the automaton: the sets of hypotheses it leaves, and the fewest edits it needs.

A frontier is a set of (class, hypotheses), a symbol is what one line lets be true. Frontiers are numbered and each
transition is computed once, so a long trace costs a look-up a line.

Edits, one each: a line is extra; a step is missing; at the right layer the verdict, the flags or the direction is
another; a line and the next one are in the wrong order. Column i of the search holds, for 0, 1 ... `width` edits more
than the best, what can be reached behind i lines. What needs more is given up and lowers the bound that the search
can vouch for; where bound and cost meet, the cost is the minimum, else the search is made again twice as wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fsm.traces.automaton import Label, Reduced

Frontier = dict[int, int]  # class -> hypotheses
# The quick search: how many lines it goes back from one that is refused, and over; how many edits beyond the best.
BACK_LINES, OVER_LINES, LOCAL_WIDTH = 24, 8, 2


@dataclass(frozen=True, slots=True)
class Symbol:
    """What one line can be: `layer`, the verdicts, flags and direction it admits (None: not told)."""

    layer: str
    verdicts: frozenset[str] | None
    flags: tuple[frozenset[str], frozenset[str]] | None = None  # (seen, flags that count)
    direction: str = ""

    def wrong(self, label: Label) -> tuple[str, ...]:
        """In what a step differs from the line: some of layer, verdict, flags, direction."""
        if label.layer != self.layer:
            return ("layer",)
        found = []
        if self.verdicts is not None and label.verdict not in self.verdicts:
            found.append("verdict")
        if self.flags is not None and self.flags[0] != self.flags[1].intersection(label.flags):
            found.append("flags")
        if self.direction and label.direction and self.direction != label.direction:
            found.append("direction")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Cost:
    """The outcome of a search: `edits` are enough, fewer than `at_least` are not; equal when it is decided."""

    edits: int
    at_least: int
    hypotheses: int  # for which `edits` are enough
    windows: tuple[tuple[int, int], ...]  # the lines (first, behind the last) outside which no edit is needed

    @property
    def decided(self) -> bool:
        return self.at_least >= self.edits


class Aligner:
    """Frontiers and their transitions over one `Reduced`; shared by all conversations of a log."""

    def __init__(self, automaton: Reduced, *, from_start: bool = False) -> None:
        self.automaton = automaton
        self.work = 0  # edges followed: the measure of `--limit`
        self._numbers: dict[tuple[tuple[int, int], ...], int] = {}
        self.frontiers: list[Frontier] = []
        self._steps: dict[tuple[int, int], int] = {}
        self._symbols: dict[Symbol, int] = {}
        self._exact: list[frozenset[int]] = []  # by symbol: the labels that it can be
        self._near: list[frozenset[int]] = []  # the labels of the same layer that it cannot be
        self._missing: dict[int, Frontier] = {}
        self._columns: dict[tuple[object, ...], tuple[int, ...]] = {}
        begin = automaton.start if from_start else dict(enumerate(automaton.possible))
        self.none = self._number({})
        self.begin = self._number(self._closed({state: bits for state, bits in begin.items() if bits}))

    # -- symbols and frontiers

    def symbol(self, symbol: Symbol) -> int:
        """The number of a symbol."""
        number = self._symbols.get(symbol)
        if number is None:
            number = self._symbols[symbol] = len(self._exact)
            wrong = [symbol.wrong(label) for label in self.automaton.labels]
            self._exact.append(frozenset(i for i, parts in enumerate(wrong) if not parts))
            self._near.append(frozenset(i for i, parts in enumerate(wrong) if parts and parts != ("layer",)))
        return number

    def _number(self, frontier: Frontier) -> int:
        key = tuple(sorted(frontier.items()))
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.frontiers)
            self.frontiers.append(frontier)
        return number

    def _closed(self, frontier: Frontier, known: Frontier | None = None) -> Frontier:
        """The frontier and what silent steps make of it; what is `known` (reached with fewer edits) is left out."""
        silent, waiting = self.automaton.silent, list(frontier.items())
        known = known or {}
        while waiting:
            state, bits = waiting.pop()
            self.work += len(silent[state])
            for target, allowed in silent[state]:
                new = bits & allowed & ~frontier.get(target, 0) & ~known.get(target, 0)
                if new:
                    frontier[target] = frontier.get(target, 0) | new
                    waiting.append((target, new))
        return frontier

    def _moved(self, frontier: Frontier, labels: frozenset[int]) -> Frontier:
        seen, found = self.automaton.seen, Frontier()
        for state, bits in frontier.items():
            here = seen[state]
            for label in labels & here.keys() if len(labels) < len(here) else [one for one in here if one in labels]:
                self.work += 1
                for target, allowed in here[label]:
                    if new := bits & allowed:
                        found[target] = found.get(target, 0) | new
        return found

    def step(self, frontier: int, symbol: int) -> int:
        """The frontier behind one more line, silent steps included; `none` where the line is not possible."""
        key = (frontier, symbol)
        number = self._steps.get(key)
        if number is None:
            moved = self._moved(self.frontiers[frontier], self._exact[symbol])
            number = self._steps[key] = self._number(self._closed(moved))
        return number

    def prefix(self, symbols: Sequence[int]) -> tuple[int, int]:
        """How many lines from the beginning are possible, and the frontier behind them."""
        frontier = self.begin
        for index, symbol in enumerate(symbols):
            after = self.step(frontier, symbol)
            if after == self.none:
                return index, frontier
            frontier = after
        return len(symbols), frontier

    def allowed(self, frontier: int) -> tuple[Label, ...]:
        """The visible steps that are possible from a frontier, in the order of the labels."""
        found = set()
        for state, bits in self.frontiers[frontier].items():
            for label, targets in self.automaton.seen[state].items():
                if label not in found and any(bits & allowed for _, allowed in targets):
                    found.add(label)
        return tuple(self.automaton.labels[label] for label in sorted(found))

    def never_refuses(self, symbols: frozenset[int], bit: int, limit_frontiers: int = 100) -> bool:
        """Whether one hypothesis alone allows every sequence of these symbols: then that they fit says nothing.

        False where more than `limit_frontiers` would have to be looked at.
        """
        begin = {state: 1 << bit for state, bits in self.frontiers[self.begin].items() if bits >> bit & 1}
        waiting = [self._number(begin)]
        met = set(waiting)
        while waiting:
            frontier = waiting.pop(0)
            for symbol in sorted(symbols):
                after = self.step(frontier, symbol)
                if after == self.none or len(met) > limit_frontiers:
                    return False
                if after not in met:
                    met.add(after)
                    waiting.append(after)
        return True

    # -- edits

    def cost(self, symbols: Sequence[int], limit_work: int, excluded: int = 0) -> Cost:
        """The fewest edits that make the sequence possible.

        First the quick way: edits only around lines where nothing goes on, beside a lower bound from stretches that
        are impossible wherever they begin. Where the two do not meet, the search over all lines decides.

        Parameters
        ----------
        limit_work : stop after this many edges followed; the result is then not `decided`.
        excluded : hypotheses that are known not to hold.
        """
        until = self.work + limit_work
        whole = ((0, len(symbols)),)
        at_least = self._impossible_stretches(symbols, excluded)
        best = self._local(symbols, until, excluded)
        width = 1
        while (best is None or best.edits > at_least) and self.work < until:
            found = self._search(symbols, width, until, excluded)
            if found is None:
                break
            edits, bound, bits = found
            at_least = max(at_least, bound)
            if best is None or edits < best.edits:
                best = Cost(edits, bound, bits, whole)
            width *= 2
        if best is None:  # the work was not even enough for one pass: every line can be called extra
            return Cost(len(symbols), min(at_least, len(symbols)), 0, whole)
        return Cost(best.edits, min(at_least, best.edits), best.hypotheses, best.windows)

    def _begin_without(self, excluded: int, *, anywhere: bool = False) -> int:
        first = dict(enumerate(self.automaton.possible)) if anywhere else self.frontiers[self.begin]
        return self._number(self._closed({s: left for s, bits in first.items() if (left := bits & ~excluded)}))

    def _impossible_stretches(self, symbols: Sequence[int], excluded: int) -> int:
        """A lower bound: disjoint stretches, each impossible wherever it begins, need an edit each.

        Between two of them one line is left out, as one wrong order could mend both otherwise.
        """
        count, index = 0, 0
        frontier, again = self._begin_without(excluded), self._begin_without(excluded, anywhere=True)
        while index < len(symbols):
            frontier = self.step(frontier, symbols[index])
            index += 1
            if frontier == self.none:
                count, index, frontier = count + 1, index + 1, again
        return count

    def _local(self, symbols: Sequence[int], until: int, excluded: int) -> Cost | None:
        """An upper bound: where a line is refused, the search goes back a little and over it; else no edit is tried."""
        frontier, index, edits = self._begin_without(excluded), 0, 0
        behind = [frontier]  # the frontiers behind the last lines, without edits since the last window
        windows: list[tuple[int, int]] = []
        while index < len(symbols):
            after = self.step(frontier, symbols[index])
            if after != self.none:
                frontier, index = after, index + 1
                behind = [*behind[-BACK_LINES:], frontier]
                continue
            begin = index - (len(behind) - 1)
            end = min(index + OVER_LINES, len(symbols))
            found = self._window(symbols[begin:end], behind[0], until)
            if found is None:
                return None
            more, frontier = found
            edits += more
            windows.append((begin, end))
            behind, index = [frontier], end
        bits = 0
        for reached in self.frontiers[frontier].values():
            bits |= reached
        return Cost(edits, 0, bits, tuple(windows))

    def _window(self, symbols: Sequence[int], frontier: int, until: int) -> tuple[int, int] | None:
        """The fewest edits over some lines from a frontier, and what they lead to; None when the work runs out."""
        column, _ = self._filled([{} for _ in range(LOCAL_WIDTH + 2)], dict(self.frontiers[frontier]), LOCAL_WIDTH)
        passed = self._pass(symbols, column, LOCAL_WIDTH, until)
        return None if passed is None else (passed[0], passed[2][0])

    def _search(self, symbols: Sequence[int], width: int, until: int, excluded: int) -> tuple[int, int, int] | None:
        """One pass over all lines: edits, how many are needed for sure, hypotheses; None when the work runs out."""
        first = dict(self.frontiers[self._begin_without(excluded)])
        column, lost = self._filled([{} for _ in range(width + 2)], first, width)
        passed = self._pass(symbols, column, width, until)
        if passed is None:
            return None
        edits, at_least, end = passed
        if lost:
            at_least = min(at_least, width + 1)
        bits = 0
        for reached in self.frontiers[end[0]].values():
            bits |= reached
        return edits, min(at_least, edits), bits

    def _pass(
        self, symbols: Sequence[int], column: tuple[int, ...], width: int, until: int
    ) -> tuple[int, int, tuple[int, ...]] | None:
        """From one column over some lines: edits, the cost from which on something was given up, the last column."""
        best, at_least = 0, len(symbols) + 1
        before: tuple[int, ...] | None = None
        before_by = 0
        for index, symbol in enumerate(symbols):
            last = symbols[index - 1] if before else -1
            key = (width, column, symbol, before, before_by, last)
            after = self._columns.get(key)
            if after is None:
                if self.work >= until:
                    return None
                after = self._columns[key] = self._next(column, symbol, before, before_by, last, width)
            *levels, lost_at, by = after
            before, before_by, column = column, by, tuple(levels)
            if lost_at >= 0:
                at_least = min(at_least, best + lost_at)
            best += by
        return best, at_least, column

    def _next(
        self, column: tuple[int, ...], symbol: int, before: tuple[int, ...] | None, by: int, last: int, width: int
    ) -> tuple[int, ...]:
        """The next column: its levels, then the first level that was given up (-1: none), then how much the best rose.

        Levels count from the best of the column before; the result's from its own best.
        """
        seeds: list[Frontier] = [{} for _ in range(width + 3)]
        for level, number in enumerate(column):
            frontier = self.frontiers[number]
            _add(seeds[level], self._moved(frontier, self._exact[symbol]))
            _add(seeds[level + 1], self._moved(frontier, self._near[symbol]))
            _add(seeds[level + 1], frontier)  # the line is extra
        if before is not None and symbol != last:
            for level, number in enumerate(before):
                at = level - by + 1  # levels of the column before the last count from a best that was lower by `by`
                if 0 <= at < len(seeds):
                    middle = self.step(number, symbol)
                    if middle != self.none:
                        _add(seeds[at], self._moved(self.frontiers[middle], self._exact[last]))
        known: Frontier = {}
        levels: list[int] = []
        for seed in seeds:
            fresh = {state: new for state, bits in seed.items() if (new := bits & ~known.get(state, 0))}
            frontier = self._closed(fresh, known)
            levels.append(self._number(frontier))
            if len(levels) < len(seeds):
                _add(seeds[len(levels)], self._after_missing(levels[-1]))
            _add(known, frontier)
        rise = 1 if levels[0] == self.none else 0
        kept, rest = levels[rise : rise + width + 1], levels[rise + width + 1 :]
        # Behind the last level that was computed, more can follow: only an empty one proves that nothing does.
        lost = rise + width + 1 if not rest or rest[0] != self.none else -1
        return (*kept, lost, rise)

    def _filled(self, seeds: list[Frontier], first: Frontier, width: int) -> tuple[tuple[int, ...], bool]:
        """The first column: what is possible before any line, then with steps missing."""
        seeds[0] = first
        known: Frontier = {}
        levels = []
        for level, seed in enumerate(seeds):
            fresh = {state: new for state, bits in seed.items() if (new := bits & ~known.get(state, 0))}
            frontier = self._closed(fresh, known)
            levels.append(self._number(frontier))
            if level + 1 < len(seeds):
                _add(seeds[level + 1], self._after_missing(levels[-1]))
            _add(known, frontier)
        return tuple(levels[: width + 1]), levels[-1] != self.none

    def _after_missing(self, number: int) -> Frontier:
        """What one visible step that the log lacks leads to."""
        if number not in self._missing:
            found = Frontier()
            for state, bits in self.frontiers[number].items():
                for targets in self.automaton.seen[state].values():
                    self.work += len(targets)
                    for target, allowed in targets:
                        if new := bits & allowed:
                            found[target] = found.get(target, 0) | new
            self._missing[number] = found
        return self._missing[number]


def _add(into: Frontier, more: Frontier) -> None:
    for state, bits in more.items():
        into[state] = into.get(state, 0) | bits
