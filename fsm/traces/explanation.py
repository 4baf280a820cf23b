"""One way in which a conversation can have happened: the likeliest among those with the fewest edits.

The path is searched in one hypothesis, on the states of the tables themselves. Edits come first, then how ordinary it
is: a send before a policy change, permit before block at a layer that the log does not show. What was computed for
one beginning is kept, so equal stretches of a long log cost a look-up.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fsm.names import VERDICTS, Verdict
from fsm.stimuli import UNCOMMON, USUAL
from fsm.traces.alignment import Symbol
from fsm.traces.automaton import Edge, PortAutomaton

EDIT = 10**12  # weight of one edit; all other weights of the longest log stay below half of it
NEVER = 1 << 80  # more than any weight
FARTHEST = 60  # ways that are less ordinary than the best by more than this count as equally far
IDLE_TIMEOUT = "idle_timeout"
ORDINARY: dict[str, int] = {**dict.fromkeys(UNCOMMON, 2), **dict.fromkeys(USUAL, 1), "connect": 2}
ENDED, RARE = 8, 25  # a flow that ended by itself; a stimulus that is not listed, and what the port becomes
# Among repairs of one cost: a slip of the pen is likelier than a lost line, that likelier than one from nowhere.
LIKELY_EDIT = {"swapped": 0, "wrong": 2, "missing": 4, "extra": 6}
NOT_PERMITTED = 5  # a layer that the log does not show did not permit
MATCH, SILENT, MISSING, EXTRA, WRONG, SWAPPED = "match", "silent", "missing", "extra", "wrong", "swapped"


@dataclass(frozen=True, slots=True)
class Move:
    """One move of the path. `line` is the index of the observation that it takes, None where the log has none.

    `state` is where it begins. "match", "wrong" and "swapped" take a line and a step, "extra" a line alone, "missing"
    and "silent" a step alone. A pair in the wrong order gives two "swapped" moves in the order of the model.
    """

    kind: str
    line: int | None
    state: int
    edge: Edge | None


# How a state of a column was reached: kind, columns back, state there, edge, and the silent steps in between (swapped).
_Origin = tuple[str, int, int, Edge | None, tuple[tuple[int, Edge], ...]]


class Explainer:
    """Paths in one hypothesis (`bit`) over the layers that the callouts stand at."""

    def __init__(self, whole: PortAutomaton, visible: Iterable[str], bit: int, *, from_start: bool = False) -> None:
        self._whole, self._visible, self._bit, self._from_start = whole, frozenset(visible), bit, from_start
        self._edges: dict[int, tuple[list[tuple[int, Edge]], list[tuple[int, Edge]]]] = {}
        self._columns: dict[tuple[tuple[int, int], ...], int] = {}
        self._weights: list[dict[int, int]] = []
        self._next: dict[tuple[object, ...], tuple[int, int, dict[int, _Origin]]] = {}
        self._first: dict[int, tuple[int, dict[int, _Origin]]] = {}

    def path(
        self, symbols: Sequence[Symbol], edits: int = 0, windows: Sequence[tuple[int, int]] = ()
    ) -> tuple[Move, ...]:
        """The moves of the likeliest path with `edits` edits, which a search has found to be enough.

        Edits are tried only in `windows` (first line, behind the last); the beam widens until there are so few.
        """
        beam = 1
        while True:
            beams = [0] * len(symbols)
            for begin, end in windows:
                beams[begin:end] = [beam] * (end - begin)
            moves, cost = self._path(symbols, beams)
            if cost <= edits:
                return moves
            assert beam <= 2 * edits + 2, "the search has found a way with fewer edits"
            beam *= 2

    def _path(self, symbols: Sequence[Symbol], beams: Sequence[int]) -> tuple[tuple[Move, ...], int]:
        number, origins = self._begin(beams[0] if beams else 0)
        columns: list[dict[int, _Origin]] = [origins]
        total, before, before_by = 0, -1, 0
        for index, symbol in enumerate(symbols):
            beam = beams[index]
            last = symbols[index - 1] if beam and index else None
            key = (number, symbol, before if beam else -1, before_by if beam else 0, last, beam)
            found = self._next.get(key)
            if found is None:
                found = self._next[key] = self._advance(number, symbol, before, before_by, last, beam)
            before, before_by = number, found[1]
            number, by, origins = found
            total += by
            columns.append(origins)
        weights = self._weights[number]
        if not weights:
            return (), NEVER
        end = min(weights, key=lambda state: (weights[state], state))
        return self._back(columns, end), (total + weights[end] + EDIT // 2) // EDIT

    def _back(self, columns: Sequence[dict[int, _Origin]], state: int) -> tuple[Move, ...]:
        found: list[Move] = []
        at = len(columns) - 1
        while True:
            kind, back, source, edge, middle = columns[at][state]
            if kind == "begin":
                return tuple(reversed(found))
            if kind == SWAPPED:
                # `edge` is the line read later and taken first; `middle` ends with the edge of the earlier line.
                *silent, (last_state, last_edge) = middle
                found.append(Move(SWAPPED, at - 2, last_state, last_edge))
                found.extend(Move(SILENT, None, s, e) for s, e in reversed(silent))
                found.append(Move(SWAPPED, at - 1, source, edge))
            else:
                line = None if kind in (SILENT, MISSING) else at - 1
                found.append(Move(kind, line, source, edge))
            at, state = at - back, source

    # -- columns

    def _split(self, state: int) -> tuple[list[tuple[int, Edge]], list[tuple[int, Edge]]]:
        """The edges of a state in this hypothesis: silent ones with their weights, and visible ones."""
        found = self._edges.get(state)
        if found is None:
            silent, seen = [], []
            for edge in self._whole.edges[state]:
                if not edge.hypotheses >> self._bit & 1:
                    continue
                if edge.label is not None and edge.label.layer in self._visible:
                    seen.append((0 if edge.label.verdict == Verdict.PERMIT else 1, edge))
                elif edge.label is not None:
                    silent.append((0 if edge.label.verdict == Verdict.PERMIT else NOT_PERMITTED, edge))
                else:
                    silent.append((_weight(edge), edge))
            found = self._edges[state] = (silent, seen)
        return found

    def _number(self, weights: dict[int, int]) -> int:
        key = tuple(sorted(weights.items()))
        number = self._columns.get(key)
        if number is None:
            number = self._columns[key] = len(self._weights)
            self._weights.append(weights)
        return number

    def _begin(self, beam: int) -> tuple[int, dict[int, _Origin]]:
        if beam not in self._first:
            seeds: dict[int, tuple[int, _Origin]] = {}
            for state, bits in enumerate(self._whole.possible):
                if bits >> self._bit & 1 and (not self._from_start or state in self._whole.start):
                    weight = 0 if state in self._whole.start else 3 if self._whole.in_progress[state] else 1
                    seeds[state] = (weight, ("begin", 0, state, None, ()))
            weights, origins = self._settled(seeds, beam)
            self._first[beam] = (self._number(weights), origins)
        return self._first[beam]

    def _advance(
        self, number: int, symbol: Symbol, before: int, by: int, last: Symbol | None, beam: int
    ) -> tuple[int, int, dict[int, _Origin]]:
        """The column behind one more line: its number, what its cheapest way cost more, and the origins."""
        seeds: dict[int, tuple[int, _Origin]] = {}

        def offer(state: int, weight: int, origin: _Origin) -> None:
            if state not in seeds or weight < seeds[state][0]:
                seeds[state] = (weight, origin)

        for state, weight in sorted(self._weights[number].items()):
            for extra, edge in self._split(state)[1]:
                assert edge.label is not None
                wrong = symbol.wrong(edge.label)
                if not wrong:
                    offer(edge.target, weight + extra, (MATCH, 1, state, edge, ()))
                elif beam and wrong != ("layer",):
                    offer(edge.target, weight + extra + EDIT + LIKELY_EDIT[WRONG], (WRONG, 1, state, edge, ()))
            if beam:
                offer(state, weight + EDIT + LIKELY_EDIT[EXTRA], (EXTRA, 1, state, None, ()))
        if beam and last is not None and before >= 0 and symbol != last:
            for state, weight in sorted(self._weights[before].items()):
                for extra, edge in self._split(state)[1]:
                    assert edge.label is not None
                    if symbol.wrong(edge.label):
                        continue
                    for target, more, middle in self._swapped(edge.target, last):
                        offer(target, weight - by + extra + more + EDIT, (SWAPPED, 2, state, edge, middle))
        weights, origins = self._settled(seeds, beam)
        least = min(weights.values(), default=0)
        return self._number({state: _near(weight - least) for state, weight in weights.items()}), least, origins

    def _swapped(self, start: int, last: Symbol) -> list[tuple[int, int, tuple[tuple[int, Edge], ...]]]:
        """What the earlier line of a pair leads to, taken second, silent steps before it included."""
        found = []
        for weight, state, way in self._silently(start):
            for extra, edge in self._split(state)[1]:
                assert edge.label is not None
                if not last.wrong(edge.label):
                    found.append((edge.target, weight + extra, (*way, (state, edge))))
        return found

    def _silently(self, start: int) -> Iterator[tuple[int, int, tuple[tuple[int, Edge], ...]]]:
        """The states that silent steps lead to, nearest first: weight, state, and the lightest way there."""
        ways: dict[int, tuple[int, tuple[tuple[int, Edge], ...]]] = {start: (0, ())}
        queue = [(0, start)]
        while queue:
            weight, state = heapq.heappop(queue)
            least, way = ways[state]
            if weight > least:
                continue
            yield weight, state, way
            for extra, edge in self._split(state)[0]:
                if edge.target not in ways or weight + extra < ways[edge.target][0]:
                    ways[edge.target] = (weight + extra, (*way, (state, edge)))
                    heapq.heappush(queue, (weight + extra, edge.target))

    def _settled(self, seeds: dict[int, tuple[int, _Origin]], beam: int) -> tuple[dict[int, int], dict[int, _Origin]]:
        """The seeds and what silent and missing steps make of them, as far as the beam goes."""
        weights = {state: weight for state, (weight, _) in seeds.items()}
        origins = {state: origin for state, (_, origin) in seeds.items()}
        queue = [(weight, state) for state, weight in weights.items()]
        heapq.heapify(queue)
        bound = min(weights.values(), default=0) + beam * EDIT + EDIT - 1
        done = set()
        while queue:
            weight, state = heapq.heappop(queue)
            if state in done:
                continue
            done.add(state)
            silent, seen = self._split(state)
            more = [(weight + extra, SILENT, edge) for extra, edge in silent]
            if beam:
                more += [(weight + extra + EDIT + LIKELY_EDIT[MISSING], MISSING, edge) for extra, edge in seen]
            for there, kind, edge in more:
                if there <= bound and there < weights.get(edge.target, NEVER):
                    weights[edge.target] = there
                    origins[edge.target] = (kind, 0, state, edge, ())
                    heapq.heappush(queue, (there, edge.target))
        return {state: w for state, w in weights.items() if w <= bound}, origins

    # -- questions about a state

    def way_to(self, state: int) -> tuple[Move, ...]:
        """The most ordinary way to a state over layers that the log does not show, from where a path begins."""
        origins = self._begin(0)[1]
        assert state in origins, "every state that is possible can be reached"
        return self._back([origins], state)

    def allowed(self, state: int) -> tuple[Edge, ...]:
        """The visible steps that are possible from a state, silent steps before them included, nearest first."""
        found: list[tuple[int, int, Edge]] = []
        met = set()
        for weight, here, _ in self._silently(state):
            for extra, edge in self._split(here)[1]:
                if edge.label not in met:
                    met.add(edge.label)
                    found.append((weight + extra, len(found), edge))
        return tuple(edge for _, _, edge in sorted(found, key=lambda one: one[:2]))

    def needed(self, state: int, symbol: Symbol) -> tuple[Edge, ...] | None:
        """The fewest visible steps, the last of them fitting `symbol`, that lead on from a state; None for no way."""
        ways: dict[int, tuple[int, tuple[Edge, ...]]] = {state: (0, ())}
        queue = [(0, state)]
        while queue:
            weight, here = heapq.heappop(queue)
            if weight > ways[here][0]:
                continue
            silent, seen = self._split(here)
            for _, edge in seen:
                assert edge.label is not None
                if not symbol.wrong(edge.label):
                    return (*ways[here][1], edge)
            for extra, edge, shown in [(w, e, False) for w, e in silent] + [(w + EDIT, e, True) for w, e in seen]:
                there = weight + extra
                if edge.target not in ways or there < ways[edge.target][0]:
                    ways[edge.target] = (there, (*ways[here][1], edge) if shown else ways[here][1])
                    heapq.heappush(queue, (there, edge.target))
        return None


def _weight(edge: Edge) -> int:
    """How ordinary a step is that no line can show."""
    name = edge.table.events[edge.event] if edge.table else ""
    if name in VERDICTS:  # a layer that was asked for another remote end
        return 0 if name == Verdict.PERMIT else NOT_PERMITTED
    return ENDED if name == IDLE_TIMEOUT else ORDINARY.get(name, RARE)


def _near(weight: int) -> int:
    """A weight with its part that is no edit cut off at `FARTHEST`, so that long logs meet the same columns again."""
    edits, rest = divmod(weight + EDIT // 2, EDIT)
    return edits * EDIT + max(-FARTHEST, min(FARTHEST, rest - EDIT // 2))
