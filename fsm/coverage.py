"""Which parts of the model a run has exercised: rows, layers, verdicts at layers, refusals.

What is counted are steps that were taken and moves that were refused, never what an exploration has merely seen. The
universe is what the tables that took part can do, so that nothing outside can be missed or claimed.
"""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from fsm.choices import Config
from fsm.counts import counted
from fsm.endpoint import Endpoint
from fsm.errors import NoTransition
from fsm.names import ENDPOINTS, IDLE, VERDICTS
from fsm.table import NO_ROW, Step, Table, compile_table

GOALS: tuple[str, ...] = ("rows", "layers", "verdicts", "refusals")


@dataclass(frozen=True, slots=True)
class Universe:
    """What one table can do, each as a tuple in table order.

    `verdicts` are (layer, verdict) that it takes; `refusals` are (position, event) that some state there refuses.
    """

    rows: tuple[str, ...]
    layers: tuple[str, ...]
    verdicts: tuple[tuple[str, str], ...]
    refusals: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, table: Table) -> Universe:
        rows: dict[str, None] = {}
        layers: dict[str, None] = {}
        verdicts: dict[tuple[str, str], None] = {}
        refusals: dict[tuple[str, str], None] = {}
        for state in range(len(table.states)):
            layer, position = table.layer(state), table.states[state].position
            if layer is not None:
                layers.setdefault(layer.fwpm_name)
            for number, event in enumerate(table.events):
                index = table.row_index(state, number)
                if index != NO_ROW:
                    rows.setdefault(table.rows[index].key)
                    if layer is not None:
                        verdicts.setdefault((layer.fwpm_name, event))
                elif _is_asked(layer is None, event):
                    refusals.setdefault((position, event))
        return cls(tuple(rows), tuple(layers), tuple(verdicts), tuple(refusals))


def _is_asked(idle: bool, event: str) -> bool:
    # A verdict while nothing is classified, or a stimulus in the middle of another, is a slip of the driving program.
    return (event not in VERDICTS) if idle else (event in VERDICTS)


@dataclass(slots=True)
class Coverage:
    """Counts of what was exercised, for each endpoint."""

    config: Config = field(default_factory=Config)
    endpoints: tuple[str, ...] = ENDPOINTS
    rows: dict[str, Counter[str]] = field(default_factory=dict)
    verdicts: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    refusals: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    moves: dict[str, Counter[tuple[str, str, str]]] = field(default_factory=dict)

    def took(self, endpoint: str, step: Step) -> None:
        """One step that was taken by an endpoint (the name of its view)."""
        self.rows.setdefault(endpoint, Counter())[step.rule] += 1
        if step.layer:
            self.verdicts.setdefault(endpoint, Counter())[step.layer, step.verdict] += 1

    def moved(self, endpoint: str, start: str, stimulus: str, end: str) -> None:
        """A stimulus that was begun in one state at rest and has come to another, both as `at_rest` writes them."""
        self.moves.setdefault(endpoint, Counter())[start, stimulus, end] += 1

    def refused(self, endpoint: str, position: str, event: str) -> None:
        """One move that was asked for and refused."""
        self.refusals.setdefault(endpoint, Counter())[position, event] += 1

    def merge(self, other: Mapping[str, Any]) -> None:
        """Add what `to_counts` of another process gave."""
        for endpoint, rows in other["rows"].items():
            self.rows.setdefault(endpoint, Counter()).update(dict(rows))
        for name, target in (("verdicts", self.verdicts), ("refusals", self.refusals)):
            for endpoint, pairs in other[name].items():
                target.setdefault(endpoint, Counter()).update({(at, event): count for (at, event), count in pairs})

        for endpoint, moves in other["moves"].items():
            self.moves.setdefault(endpoint, Counter()).update({tuple(move): count for move, count in moves})

    def to_counts(self) -> dict[str, Any]:
        """The bare counts as JSON values, for `merge`."""
        pairs = (("verdicts", self.verdicts), ("refusals", self.refusals))
        moves = {endpoint: list(counts.items()) for endpoint, counts in self.moves.items()}
        return {
            "moves": moves,
            "rows": {endpoint: list(counts.items()) for endpoint, counts in self.rows.items()},
            **{name: {at: list(counts.items()) for at, counts in found.items()} for name, found in pairs},
        }

    # -- results ------------------------------------------------------------------------------------------------------

    def results(self) -> list[Result]:
        """One result for each endpoint and goal, in order."""
        return [result for endpoint in self.endpoints for result in self._results(endpoint)]

    def _results(self, endpoint: str) -> Iterator[Result]:
        universe = Universe.of(compile_table(endpoint, self.config))
        verdicts = self.verdicts.get(endpoint, Counter())
        yield _result(endpoint, "rows", universe.rows, self.rows.get(endpoint, ()))
        yield _result(endpoint, "layers", universe.layers, {layer for layer, _ in verdicts})
        yield _result(endpoint, "verdicts", map(_at, universe.verdicts), map(_at, verdicts))
        yield _result(endpoint, "refusals", map(_at, universe.refusals), map(_at, self.refusals.get(endpoint, ())))

    def percent(self, goal: str = "rows") -> float:
        """How much of a goal was exercised over all endpoints, 0 to 100."""
        found = [result for result in self.results() if result.goal == goal]
        total = sum(len(result.all) for result in found)
        return 100.0 * sum(len(result.hit) for result in found) / total if total else 100.0

    def outside(self) -> dict[str, int]:
        """Rows that were taken but do not stand in the configuration that is reported on, with their counts."""
        found: Counter[str] = Counter()
        for endpoint, counts in self.rows.items():
            universe = Universe.of(compile_table(endpoint, self.config)) if endpoint in self.endpoints else None
            known = set(universe.rows) if universe else set()
            found.update({key: count for key, count in counts.items() if key not in known})
        return dict(found)

    def to_json(self) -> dict[str, object]:
        """The whole report as JSON values."""
        return {
            "config": self.config.to_json(),
            "endpoints": {
                endpoint: {
                    result.goal: {"all": len(result.all), "hit": len(result.hit), "missed": list(result.missed)}
                    for result in self._results(endpoint)
                }
                for endpoint in self.endpoints
            },
            "counts": {endpoint: dict(counts) for endpoint, counts in self.rows.items()},
            "outside": self.outside(),
            "percent": {goal: round(self.percent(goal), 2) for goal in GOALS},
        }

    def text(self, *, missed: int = 10) -> str:
        """The report for a terminal: a table, and up to `missed` names of what each goal lacks."""
        lines = [f"{'endpoint':<14}{'goal':<10}{'hit':>6}{'of':>6}{'percent':>9}"]
        for result in self.results():
            lines.append(
                f"{result.endpoint:<14}{result.goal:<10}{len(result.hit):>6}{len(result.all):>6}{result.percent:>8.1f}%"
            )
        for result in self.results():
            if result.missed and result.hit:
                # Names that differ in their guards only stand once, with their number: every one is counted.
                names = Counter(_short(name) for name in result.missed)
                shown = [f"{name} ({n} rows)" if n > 1 else name for name, n in list(names.items())[:missed]]
                rest = sum(list(names.values())[missed:])
                more = f", and {rest} more" if rest else ""
                head = f"{result.endpoint}, {len(result.missed)} {result.goal} not exercised: "
                lines += textwrap.wrap(head + ", ".join(shown) + more, 100, subsequent_indent="  ")
        outside = self.outside()
        if outside:
            lines.append(
                f"{counted(len(outside), 'row was', 'rows were')} taken under other settings than those reported on"
            )
        return "\n".join(lines)

    def dumps(self) -> str:
        """`to_json` as text."""
        return json.dumps(self.to_json(), indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class Result:
    """One goal of one endpoint: all there is, and what of it was exercised, in table order."""

    endpoint: str
    goal: str
    all: tuple[str, ...]
    hit: tuple[str, ...]

    @property
    def missed(self) -> tuple[str, ...]:
        hit = set(self.hit)
        return tuple(name for name in self.all if name not in hit)

    @property
    def percent(self) -> float:
        return 100.0 * len(self.hit) / len(self.all) if self.all else 100.0


def _result(endpoint: str, goal: str, everything: Iterable[str], seen: Iterable[str]) -> Result:
    names, found = tuple(dict.fromkeys(everything)), set(seen)
    return Result(endpoint, goal, names, tuple(name for name in names if name in found))


def _short(name: str) -> str:
    """A row without its guards, a layer without its prefix."""
    return name.partition("[")[0].removeprefix("FWPM_LAYER_")


def _at(pair: tuple[str, str]) -> str:
    """`(layer, verdict)` or `(position, event)` as one name."""
    where, what = pair
    return f"{what} when idle" if where == IDLE else f"{what} at {where.removeprefix('FWPM_LAYER_')}"


def at_rest(table: Table, state: int) -> str:
    """The state as pictures of one peer draw it, socket and flow: `BOUND/OUT`."""
    if not table.view.registers:
        return table.name_of(state)
    return f"{table.register(state, 'socket')}/{table.register(state, 'flow')}"


@contextmanager
def recording(coverage: Coverage) -> Iterator[Coverage]:
    """While this is open, every step and every refusal of every endpoint in this process is counted.

    Endpoints of the compiled table and of the live machine alike: what they do is watched where they do it. A session
    that is explored is not counted.
    """
    from fsm.machine import LiveEndpoint

    refused = Table.refused

    def counting_refused(self: Table, state: int, event: str, where: str = "") -> NoTransition:
        coverage.refused(self.view.name, self.states[state].position, event)
        return refused(self, state, event, where)

    kinds = (Endpoint, LiveEndpoint)
    originals = [kind.advance for kind in kinds]
    begun: WeakKeyDictionary[Endpoint, str] = WeakKeyDictionary()  # where the stimulus in progress began

    def counting(advance: Any) -> Any:
        def advanced(self: Endpoint, event: int) -> Step:
            before = self.state
            step: Step = advance(self, event)
            coverage.took(self.name, step)
            if not step.verdict:
                begun[self] = at_rest(self.table, before)
            if self.table.layer(self.state) is None and self in begun:
                coverage.moved(self.name, begun.pop(self), step.stimulus, at_rest(self.table, self.state))
            return step

        return advanced

    for kind, original in zip(kinds, originals, strict=True):
        kind.advance = counting(original)  # type: ignore[method-assign]
    Table.refused = counting_refused  # type: ignore[method-assign]
    try:
        yield coverage
    finally:
        Table.refused = refused  # type: ignore[method-assign]
        for kind, original in zip(kinds, originals, strict=True):
            kind.advance = original  # type: ignore[method-assign]
