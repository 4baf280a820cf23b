"""Which parts of the model a run has exercised: rows, layers, verdicts at layers, refusals.

What is counted are steps that were taken and moves that were refused, never what an exploration has merely seen. The
universe is what the tables of one machine can do; what ran on another one is told beside it, so nothing is claimed and
nothing lost.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from fsm.aside import is_aside
from fsm.choices import Config, configure
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


@dataclass(frozen=True, slots=True)
class Ran:
    """What has run: an endpoint (the name of its view) of one machine.

    `own_rules` is False where it went by other rows than the package's: the names of its rows may be the same.
    """

    config: Config
    endpoint: str
    own_rules: bool = True

    @classmethod
    def of(cls, table: Table) -> Ran:
        """What a table is about; equal machines compare equal, however their assumptions are written."""
        name, config = table.view.name, table.config
        return cls(_plain(config), name, table.rows == compile_table(name, config).rows)

    def __str__(self) -> str:
        return f"{self.endpoint}, {self.config}{'' if self.own_rules else ', other rules'}"


@dataclass(slots=True)
class Counts:
    """How often what was taken, came about and was refused."""

    rows: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    moves: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def took(self, step: Step) -> None:
        """One step that was taken."""
        self.rows[step.rule] += 1
        if step.layer:
            self.verdicts[step.layer, step.verdict] += 1

    def moved(self, start: str, stimulus: str, end: str) -> None:
        """A stimulus that was begun in one state at rest and has come to another, both as `at_rest` writes them."""
        self.moves[start, stimulus, end] += 1

    def refused(self, position: str, event: str) -> None:
        """One move that was asked for and refused."""
        self.refusals[position, event] += 1

    @property
    def steps(self) -> int:
        """How many steps were taken in all."""
        return self.rows.total()

    @property
    def layers(self) -> frozenset[str]:
        """The layers that were seen."""
        return frozenset(layer for layer, _ in self.verdicts)


@dataclass(slots=True)
class Coverage:
    """Counts of what was exercised: of one machine and its endpoints, and beside that of everything else that ran.

    Parameters
    ----------
    config : the machine that is reported on.
    endpoints : those that are reported on.
    counts : of everything that ran.
    lost : processes that have ended without their counts, in words.
    """

    config: Config = field(default_factory=Config)
    endpoints: tuple[str, ...] = ENDPOINTS
    counts: dict[Ran, Counts] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config = _plain(self.config)

    def add(self, ran: Ran) -> Counts:
        """The counts of this endpoint and machine, to count on."""
        return self.counts.setdefault(ran, Counts())

    def of(self, endpoint: str) -> Counts:
        """What an endpoint of the machine that is reported on has done."""
        return self.counts.get(Ran(self.config, endpoint), Counts())

    def outside(self) -> dict[Ran, Counts]:
        """Everything that ran and is not reported on: other machines, endpoints or rules."""
        inside = {Ran(self.config, endpoint) for endpoint in self.endpoints}
        return {ran: counts for ran, counts in self.counts.items() if ran not in inside}

    def merge(self, other: Iterable[Mapping[str, Any]]) -> None:
        """Add what `to_counts` of another process gave."""
        for part in other:
            ran = Ran(configure(**part["machine"], where="coverage"), part["endpoint"], part["own_rules"])
            counts = self.add(ran)
            counts.rows.update(dict(part["rows"]))
            for name in ("verdicts", "refusals", "moves"):
                getattr(counts, name).update({tuple(key): count for key, count in part[name]})

    def to_counts(self) -> list[dict[str, Any]]:
        """The bare counts as JSON values, for `merge`."""
        return [
            {
                "machine": ran.config.to_json(),
                "endpoint": ran.endpoint,
                "own_rules": ran.own_rules,
                **{name: list(getattr(counts, name).items()) for name in ("rows", "verdicts", "refusals", "moves")},
            }
            for ran, counts in self.counts.items()
        ]

    # -- results ------------------------------------------------------------------------------------------------------

    def results(self) -> list[Result]:
        """One result for each endpoint and goal, in order."""
        return [result for endpoint in self.endpoints for result in self._results(endpoint)]

    def _results(self, endpoint: str) -> Iterator[Result]:
        universe, counts = Universe.of(compile_table(endpoint, self.config)), self.of(endpoint)
        yield _result(endpoint, "rows", universe.rows, counts.rows)
        yield _result(endpoint, "layers", universe.layers, counts.layers)
        yield _result(endpoint, "verdicts", map(_at, universe.verdicts), map(_at, counts.verdicts))
        yield _result(endpoint, "refusals", map(_at, universe.refusals), map(_at, counts.refusals))

    def percent(self, goal: str = "rows") -> float:
        """How much of a goal was exercised over all endpoints, 0 to 100."""
        found = [result for result in self.results() if result.goal == goal]
        total = sum(len(result.all) for result in found)
        return 100.0 * sum(len(result.hit) for result in found) / total if total else 100.0

    def to_json(self) -> dict[str, object]:
        """The whole report as JSON values. `ran`: steps; those counted and those outside are all that were taken."""
        outside = self.outside()
        steps = {"counted": sum(self.of(endpoint).steps for endpoint in self.endpoints)}
        steps["outside"] = sum(counts.steps for counts in outside.values())
        return {
            "config": self.config.to_json(),
            "endpoints": {
                endpoint: {
                    result.goal: {"all": len(result.all), "hit": len(result.hit), "missed": list(result.missed)}
                    for result in self._results(endpoint)
                }
                for endpoint in self.endpoints
            },
            "counts": {endpoint: dict(rows) for endpoint in self.endpoints if (rows := self.of(endpoint).rows)},
            "ran": {"steps": steps["counted"] + steps["outside"], **steps},
            "outside": [
                {
                    "endpoint": ran.endpoint,
                    "config": ran.config.to_json(),
                    "own_rules": ran.own_rules,
                    "steps": counts.steps,
                    "refusals": counts.refusals.total(),
                    "layers": sorted(counts.layers),
                    "counts": dict(counts.rows),
                }
                for ran, counts in outside.items()
            ],
            "lost": list(self.lost),
            "percent": {goal: math.floor(round(self.percent(goal) * 100, 6)) / 100 for goal in GOALS},
        }

    def summary(self) -> str:
        """How much of the rows, in one line: `7 of 451 rows (1.5%) taken on IPv4, Windows 11, evidence base`."""
        rows = [result for result in self.results() if result.goal == "rows"]
        hit, total = (sum(len(found) for found in names) for names in ([r.hit for r in rows], [r.all for r in rows]))
        return f"{hit} of {counted(total, 'row')} ({shown(self.percent())}%) taken on {self.config}"

    def text(self, *, missed: int = 10) -> str:
        """The report for a terminal: the summary, what is left out of it, a table, and what each goal lacks.

        Of what a goal lacks, and of the machines outside, up to `missed` are named.
        """
        lines = [self.summary(), *self.not_counted(missed), ""]
        lines.append(f"{'endpoint':<14}{'goal':<10}{'hit':>6}{'of':>6}{'percent':>9}")
        for result in self.results():
            lines.append(
                f"{result.endpoint:<14}{result.goal:<10}{len(result.hit):>6}{len(result.all):>6}"
                f"{shown(result.percent):>8}%"
            )
        for result in self.results():
            if result.missed and result.hit:
                # Names that differ in their guards only stand once, with their number: every one is counted.
                names = Counter(_short(name) for name in result.missed)
                told = [f"{name} ({n} rows)" if n > 1 else name for name, n in list(names.items())[:missed]]
                rest = sum(list(names.values())[missed:])
                more = f", and {rest} more" if rest else ""
                head = f"{result.endpoint}, {len(result.missed)} {result.goal} not exercised: "
                lines += textwrap.wrap(head + ", ".join(told) + more, 100, subsequent_indent="  ")
        return "\n".join(lines)

    def not_counted(self, missed: int = 10) -> list[str]:
        """What ran and is not in the numbers: on other machines, of which up to `missed` are named, or lost."""
        return [*self._outside_text(missed), *self._lost_text()]

    def _outside_text(self, limit: int) -> Iterator[str]:
        found = self.outside()
        if not found:
            return
        yield f"outside this count: {_amount(found.values())}"
        for ran, counts in list(found.items())[:limit]:
            yield f"  {ran}: {_amount([counts])}"
        if rest := list(found.values())[limit:]:
            yield f"  and {counted(len(rest), 'machine')} more: {_amount(rest)}"

    def _lost_text(self) -> Iterator[str]:
        for process in self.lost:
            yield f"lost: {process} has ended without its counts; what it ran is not in this report"

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


def shown(percent: float) -> str:
    """A percentage for a reader; 100.0 is said of nothing less."""
    return f"{math.floor(round(percent * 10, 6)) / 10:.1f}"


def _amount(parts: Iterable[Counts]) -> str:
    """How much ran: `9 steps, 8 layers, 1 refusal`."""
    found = list(parts)
    refusals = sum(counts.refusals.total() for counts in found)
    layers = frozenset[str]().union(*(counts.layers for counts in found))
    said = [counted(sum(counts.steps for counts in found), "step"), counted(len(layers), "layer")]
    return ", ".join([*said, counted(refusals, "refusal")] if refusals else said)


def _plain(config: Config) -> Config:
    """The machine without assumptions that it would make anyway."""
    return configure(**config.to_json(), where="coverage")  # type: ignore[arg-type]


@contextmanager
def recording(coverage: Coverage) -> Iterator[Coverage]:
    """While this is open, every step and every refusal of every endpoint in this process is counted.

    Endpoints of the compiled table and of the live machine alike: what they do is watched where they do it. A session
    that is explored is not counted, nor is what the package runs for its own ends (`fsm.aside`).
    """
    from fsm.machine import LiveEndpoint

    refused = Table.refused
    known: WeakKeyDictionary[Table, Counts] = WeakKeyDictionary()

    def counts_of(table: Table) -> Counts:
        found = known.get(table)
        if found is None:
            found = known[table] = coverage.add(Ran.of(table))
        return found

    def counting_refused(self: Table, state: int, event: str, where: str = "") -> NoTransition:
        if not is_aside():
            counts_of(self).refused(self.states[state].position, event)
        return refused(self, state, event, where)

    kinds = (Endpoint, LiveEndpoint)
    originals = [kind.advance for kind in kinds]
    begun: WeakKeyDictionary[Endpoint, str] = WeakKeyDictionary()  # where the stimulus in progress began

    def counting(advance: Any) -> Any:
        def advanced(self: Endpoint, event: int) -> Step:
            before = self.state
            step: Step = advance(self, event)
            if is_aside():
                return step
            counts = counts_of(self.table)
            counts.took(step)
            if not step.verdict:
                begun[self] = at_rest(self.table, before)
            if self.table.layer(self.state) is None and self in begun:
                counts.moved(begun.pop(self), step.stimulus, at_rest(self.table, self.state))
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
