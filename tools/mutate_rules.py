"""Change each row of the rule table in turn and see that a core suite notices: `python tools/mutate_rules.py`.

Operators, each wherever it applies:
  delete  the row is left out
  next    it leads elsewhere: one register change is dropped, or it ends where it went on, or is asked again
  layer   it alone names another layer
  place   it and every row of its position name another layer, so that nothing contradicts it (once a position)
  seen    it loses one operation, or one thing that is seen of it: event, outcome, application, remote, discard

The core suite are the tests of the modules in CORE: sequences written by hand, and statements about the whole table.
Nothing in it is computed from the rows, no count and no fingerprint of them is pinned there. It runs on the compiled
table; the live machine is made from that table cell by cell and would notice nothing more. The rows that each test
takes are recorded first: a mutant meets those that take its row, and all that walk nowhere. The quickest come first.

What killed a mutant is told apart: an expectation (a test that takes the row fails), a statement (a test of the rows or
the table as a whole fails), or the compiler alone (no machine can be made of the rows, no test came to a verdict).
Survivors are printed with what was changed; the exit status is 1 when there are others than EXPLAINED names.

    python tools/mutate_rules.py [--only KEY-PART] [--limit N] [--jobs N] [--json FILE] [--core FILE ...]
"""

from __future__ import annotations

import argparse
import copy
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP), str(TOP / "tests")]

import pytest  # noqa: E402

import fsm.rules  # noqa: E402
import fsm.table  # noqa: E402
from fsm.coverage import Coverage, recording  # noqa: E402
from fsm.endpoint import Endpoint  # noqa: E402
from fsm.errors import TableError, UnknownName  # noqa: E402
from fsm.names import DONE  # noqa: E402
from fsm.rows import Row  # noqa: E402

CORE = tuple(str(TOP / "tests" / name) for name in ("test_core_rows.py", "test_sequences.py", "test_whole_model.py"))
# Survivors that are no fault of the suite: (key of the row, operator, what) -> why nothing can notice.
_OVERWRITTEN = "whatever verdict follows sets this register again"
EXPLAINED: dict[tuple[str, str, str], str] = {
    (key, "next", "without socket=UNBOUND"): _OVERWRITTEN
    for key in (
        "idle.complete[socket=BIND_REDIRECT_PENDED; bind_reauthorization:never; windows 7..]",
        "idle.complete[socket=BIND_PENDED; dual_stack:yes]",
    )
}
RULES = fsm.rules.RULES
SEEN = ("logged", "outcome", "application_sees", "remote_sees", "discard")
# No sequence of the suite is nearly as long: a row that leads back to itself would be asked for ever.
MOST_STEPS = 5000
# A statement that takes no longer is asked before any walk, and a walk before a statement that takes longer.
QUICK_S = 0.02


@dataclass(frozen=True)
class Mutant:
    """One change: the row that it is named after, and the rows with the change."""

    key: str
    operator: str
    what: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant. `kind` is "expectation", "statement", "compiler", or "" where it survives."""

    row: str
    operator: str
    what: str
    kind: str
    killed_by: str

    @property
    def name(self) -> tuple[str, str, str]:
        return (self.row, self.operator, self.what)


def mutants() -> Iterator[Mutant]:
    """Every mutant, row by row."""
    places: set[str] = set()
    for index, row in enumerate(RULES):

        def changed(operator: str, what: str, *rows: Row, at: int = index, key: str = row.key) -> Mutant:
            return Mutant(key, operator, what, (*RULES[:at], *rows, *RULES[at + 1 :]))

        yield changed("delete", "left out")
        for what, other in _other_next(row):
            yield changed("next", what, other)
        if row.layer is not None:
            layer = "DATAGRAM_DATA" if row.layer != "DATAGRAM_DATA" else "OUTBOUND_TRANSPORT"
            yield changed("layer", f"layer {layer}", replace(row, layer=layer))
            if row.at not in places:
                places.add(row.at)
                moved = tuple(replace(one, layer=layer) if one.at == row.at else one for one in RULES)
                yield Mutant(row.key, "place", f"all of {row.at} at layer {layer}", moved)
        for what, other in _less_seen(row):
            yield changed("seen", what, other)


def _other_next(row: Row) -> Iterator[tuple[str, Row]]:
    for index, (name, value) in enumerate(row.sets):
        yield f"without {name}={value}", replace(row, sets=(*row.sets[:index], *row.sets[index + 1 :]))
    if row.next != DONE:
        yield "ends here", replace(row, next=DONE)
    elif row.layer is not None:
        yield "is asked again", replace(row, next=row.at)
    elif not row.sets:
        yield "the socket is unbound by it", replace(row, sets=(("socket", "UNBOUND"),))


def _less_seen(row: Row) -> Iterator[tuple[str, Row]]:
    for index, op in enumerate(row.ops):
        yield f"without {op}", replace(row, ops=(*row.ops[:index], *row.ops[index + 1 :]))
    for name in SEEN:
        if getattr(row, name):
            without: dict[str, Any] = {name: None if name == "discard" else type(getattr(row, name))()}
            yield f"without {name}", replace(row, **without)


# -- the core suite ----------------------------------------------------------------------------------------------------


@dataclass
class Check:
    """One test that can be called, with the rows that it takes (none: it is about the table as a whole)."""

    name: str
    call: Callable[[], Any]
    rows: frozenset[str] = frozenset()
    seconds: float = 0.0


class Collector:
    """Takes the collected tests instead of running them."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            assert isinstance(item, pytest.Function)
            given = item.callspec.params if hasattr(item, "callspec") else {}
            fixtures = set(item.fixturenames) - set(given)
            if fixtures or "live_machine" in item.originalname or any(item.iter_markers("xfail")):
                continue
            self.checks.append(Check(item.nodeid, lambda item=item, given=given: item.obj(**given)))  # type: ignore[misc]

    def pytest_runtestloop(self) -> bool:
        return True


def collected(core: tuple[str, ...]) -> list[Check]:
    """The tests of the core suite, on the compiled table only."""
    collector = Collector()
    status = pytest.main(["-qq", "--no-header", "-p", "no:cacheprovider", "-W", "ignore", *core], plugins=[collector])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) or not collector.checks:
        raise SystemExit(f"the core suite could not be collected ({status})")
    sequences = sys.modules.get("test_sequences")
    if sequences is not None:
        sequences.ENGINES = ("table",)  # type: ignore[attr-defined]
    return collector.checks


def record(checks: list[Check]) -> None:
    """Run every check once on the real rows and note which it takes."""
    for check in checks:
        coverage = Coverage()
        began = time.process_time()
        with recording(coverage):
            problem = outcome_of(check)
        check.seconds = time.process_time() - began
        if problem is not None:
            raise SystemExit(f"the core suite fails without any change: {check.name}: {_line(problem)}")
        check.rows = frozenset(key for counts in coverage.counts.values() for key in counts.rows)


def outcome_of(check: Check) -> BaseException | None:
    """What the check raises."""
    try:
        check.call()
    except (Exception, pytest.fail.Exception) as error:
        return error
    return None


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


# -- one mutant --------------------------------------------------------------------------------------------------------


class Tables:
    """Makes the tables of the rows in use; those that the change does not touch are taken from the real rows."""

    def __init__(self) -> None:
        self.real = fsm.table.Table
        self.unchanged: dict[tuple[Any, ...], fsm.table.Table] = {}
        self.broken: dict[tuple[Any, ...], TableError] = {}

    def __call__(self, view: Any, config: Any, rows: tuple[Row, ...]) -> fsm.table.Table:
        key = (view.name, config)
        base = self.unchanged.get(key)
        if base is not None and base.rows == rows:
            return base
        if key in self.broken:
            raise self.broken[key]
        if base is not None and _differ_in_what_is_seen(base.rows, rows):
            return _with_rows(base, rows)
        try:
            return self.real(view, config, rows)
        except TableError as error:
            self.broken[key] = error
            raise


def _differ_in_what_is_seen(some: tuple[Row, ...], others: tuple[Row, ...]) -> bool:
    """Whether the same states, layers and flags follow from both."""
    blind: dict[str, Any] = {"ops": (), **dict.fromkeys(SEEN)}
    return len(some) == len(others) and all(
        a is b or replace(a, **blind) == replace(b, **blind) for a, b in zip(some, others, strict=True)
    )


def _with_rows(base: fsm.table.Table, rows: tuple[Row, ...]) -> fsm.table.Table:
    table = copy.copy(base)
    table.rows = rows
    table._steps = [[None] * len(base.events) for _ in base.states]
    return table


TABLES = Tables()


def use(rows: tuple[Row, ...]) -> None:
    """Let the whole package and the tests see these rows."""
    before = fsm.rules.RULES
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()) if module else ():
            if value is before:
                setattr(module, name, rows)
    fsm.table.rows_of.__defaults__ = (rows,)
    fsm.table.compile_table.cache_clear()
    fsm.table._check_rules.cache_clear()
    TABLES.broken.clear()


def keep_tables() -> None:
    """Remember the tables of the real rows, and let no endpoint run for ever."""
    real, advance = fsm.table.Table, Endpoint.advance

    def remembering(view: Any, config: Any, rows: tuple[Row, ...]) -> fsm.table.Table:
        table = TABLES(view, config, rows)
        if fsm.rules.RULES is RULES:
            TABLES.unchanged[view.name, config] = table
        return table

    def ending(self: Endpoint, event: int) -> Any:
        if len(self.trace) > MOST_STEPS:
            raise AssertionError(f"more than {MOST_STEPS} steps: it does not end")
        return advance(self, event)

    assert real is TABLES.real
    fsm.table.Table = remembering  # type: ignore[assignment,misc]
    Endpoint.advance = ending  # type: ignore[method-assign]


def verdict_on(mutant: Mutant, checks: list[Check]) -> Verdict:
    """The first check that fails on this mutant; a refusal of the compiler only where no check comes to a verdict."""
    use(mutant.rows)
    kind, killed_by = "", ""
    try:
        for check in sorted(checks, key=_order):
            if check.rows and mutant.key not in check.rows:
                continue
            problem = outcome_of(check)
            if problem is None:
                continue
            if isinstance(problem, TableError | UnknownName) and _is_of_rules(problem):
                kind, killed_by = kind or "compiler", killed_by or _line(problem)
                continue
            kind = "expectation" if check.rows else "statement"
            killed_by = f"{check.name.rpartition('/')[2]}: {_line(problem)}"
            break
    finally:
        use(RULES)
    return Verdict(mutant.key, mutant.operator, mutant.what, kind, killed_by)


def _order(check: Check) -> tuple[bool, int]:
    return (not check.rows and check.seconds > QUICK_S, len(check.rows))


def _is_of_rules(problem: TableError | UnknownName) -> bool:
    return str(problem).startswith("rules")


# -- all of them -------------------------------------------------------------------------------------------------------

_checks: list[Check] = []


def _verdict_of(mutant: Mutant) -> Verdict:
    return verdict_on(mutant, _checks)


def verdicts(chosen: list[Mutant], checks: list[Check], jobs: int) -> Iterator[Verdict]:
    """What becomes of each mutant, in order; on several processes where the system can fork."""
    _checks[:] = checks
    if jobs < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(_verdict_of, chosen)
        return
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap(_verdict_of, chosen, chunksize=4)


def report(found: list[Verdict], of: int, seconds: float) -> str:
    """The totals, operator by operator."""
    kinds = ("expectation", "statement", "compiler", "")
    heads = ("mutants", "expectation", "statement", "compiler", "survive")
    lines = ["killed by:" + "".join(f"{head:>13}" for head in heads)]
    by = {operator: Counter(v.kind for v in found if v.operator == operator) for operator in _operators(found)}
    by["all"] = Counter(v.kind for v in found)
    for operator, counts in by.items():
        numbers = (counts.total(), *(counts[kind] for kind in kinds))
        lines.append(f"{operator:<10}" + "".join(f"{number:>13}" for number in numbers))
    lines.append(f"{len(found)} mutants of {of} rows, {seconds:.0f} s")
    return "\n".join(lines)


def _operators(found: list[Verdict]) -> list[str]:
    return list(dict.fromkeys(verdict.operator for verdict in found))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", default="", help="only rows whose key holds this")
    options.add_argument("--limit", type=int, default=0, help="stop after so many mutants")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes; all cores by default")
    options.add_argument("--json", default="", help="write every mutant with what killed it")
    options.add_argument("--core", nargs="+", default=CORE, help="other test files than the core suite")
    given = options.parse_args()
    began = time.perf_counter()
    chosen = [mutant for mutant in mutants() if given.only in mutant.key][: given.limit or None]
    if not chosen:
        raise SystemExit(f"no row has a key that holds '{given.only}'")
    keep_tables()
    checks = collected(tuple(given.core))
    start = time.process_time()
    record(checks)
    print(f"core suite: {len(checks)} tests, {time.process_time() - start:.1f} s of one core", flush=True)
    found: list[Verdict] = []
    for verdict in verdicts(chosen, checks, given.jobs):
        found.append(verdict)
        if not verdict.kind:
            why = EXPLAINED.get(verdict.name, "not explained")
            print(f"SURVIVES  {verdict.operator:<7} {verdict.row}: {verdict.what} ({why})", flush=True)
        if len(found) % 200 == 0:
            print(f"{len(found)} of {len(chosen)} ...", flush=True)
    print(report(found, len(RULES), time.perf_counter() - began))
    if given.json:
        listed = json.dumps([asdict(verdict) for verdict in found], indent=1)
        Path(given.json).write_text(listed + "\n", encoding="utf-8")
    survivors = {verdict.name for verdict in found if not verdict.kind}
    wrong = sorted(survivors - set(EXPLAINED))
    outdated = sorted({verdict.name for verdict in found} & set(EXPLAINED) - survivors)
    print(f"{len(survivors)} survive, {len(wrong)} of them unexplained")
    for name in outdated:
        print(f"EXPLAINED names one that is killed: {name}")
    return 1 if wrong or outdated else 0


if __name__ == "__main__":
    sys.exit(main())
