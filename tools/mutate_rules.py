"""Change each row of the rule table in turn and see that a core suite notices: `python tools/mutate_rules.py`.

Four operators, one mutant each where it applies:
  delete  the row is left out
  next    it leads elsewhere: its register changes are dropped, or it ends where it went on, or goes on where it ended
  layer   it names another layer
  seen    it loses an operation, or what is seen of it: outcome, application, remote, logged

The core suite are the tests of the modules in CORE: sequences written by hand, and statements about the whole table.
Nothing in it is computed from the rows, no count and no fingerprint of them is pinned there. A mutant is killed by the
first test that fails; the rows that each test takes are recorded first, so that only tests that could notice are run.
Survivors are printed with what was changed; the exit status is 1 when there are more of them than EXPLAINED names.

    python tools/mutate_rules.py [--only KEY-PART] [--limit N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP), str(TOP / "tests")]

import pytest  # noqa: E402

import fsm.rules  # noqa: E402
import fsm.table  # noqa: E402
from fsm.coverage import Coverage, recording  # noqa: E402
from fsm.names import DONE  # noqa: E402
from fsm.rows import Row  # noqa: E402

CORE = ("test_sequences.py", "test_whole_model.py")
# Survivors that are no fault of the suite: key of the row and operator -> why nothing can notice.
EXPLAINED: dict[tuple[str, str], str] = {}
RULES = fsm.rules.RULES


@dataclass(frozen=True)
class Mutant:
    """One changed row; `row` is None where it was left out."""

    index: int
    operator: str
    what: str
    row: Row | None

    @property
    def key(self) -> str:
        return RULES[self.index].key

    def rows(self) -> tuple[Row, ...]:
        middle = () if self.row is None else (self.row,)
        return (*RULES[: self.index], *middle, *RULES[self.index + 1 :])


def mutants() -> Iterator[Mutant]:
    """Every mutant, row by row."""
    for index, row in enumerate(RULES):
        yield Mutant(index, "delete", "left out", None)
        yield Mutant(index, "next", *_other_next(row))
        if row.layer is not None:
            layer = "DATAGRAM_DATA" if row.layer != "DATAGRAM_DATA" else "OUTBOUND_TRANSPORT"
            yield Mutant(index, "layer", f"layer {layer}", replace(row, layer=layer))
        less = _less_seen(row)
        if less is not None:
            yield Mutant(index, "seen", *less)


def _other_next(row: Row) -> tuple[str, Row]:
    if row.sets:
        return f"without {row.sets[-1]}", replace(row, sets=row.sets[:-1])
    if row.next != DONE:
        return "ends here", replace(row, next=DONE)
    if row.layer is None:
        return "the socket is unbound by it", replace(row, sets=(("socket", "UNBOUND"),))
    return "is asked again", replace(row, next=row.at)


def _less_seen(row: Row) -> tuple[str, Row] | None:
    if row.ops:
        return f"without {row.ops[-1]}", replace(row, ops=row.ops[:-1])
    for name in ("logged", "outcome", "application_sees", "remote_sees"):
        if getattr(row, name):
            return f"without {name}", replace(row, **{name: type(getattr(row, name))()})
    return None


# -- the core suite ----------------------------------------------------------------------------------------------------


@dataclass
class Check:
    """One test that can be called, with the rows that it takes (empty: it is about the table as a whole)."""

    name: str
    call: Callable[[], Any]
    rows: frozenset[str] = frozenset()


class Collector:
    """Takes the collected tests instead of running them."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            assert isinstance(item, pytest.Function)
            given = item.callspec.params if hasattr(item, "callspec") else {}
            if any(item.iter_markers("xfail")) or set(item.fixturenames) - set(given):
                continue
            self.checks.append(Check(item.nodeid, lambda item=item, given=given: item.obj(**given)))  # type: ignore[misc]

    def pytest_runtestloop(self) -> bool:
        return True


def collected() -> list[Check]:
    collector = Collector()
    paths = [str(TOP / "tests" / name) for name in CORE]
    status = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", "-W", "ignore", *paths], plugins=[collector])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) or not collector.checks:
        raise SystemExit(f"the core suite could not be collected ({status})")
    return collector.checks


def record(checks: list[Check]) -> None:
    """Run every check once on the real rows and note which it takes."""
    for check in checks:
        coverage = Coverage()
        with recording(coverage):
            problem = outcome_of(check)
        if problem:
            raise SystemExit(f"the core suite fails without any change: {check.name}: {problem}")
        check.rows = frozenset(key for counts in coverage.rows.values() for key in counts)


def outcome_of(check: Check) -> str:
    """What is wrong, in a line; empty when the check passes."""
    try:
        check.call()
    except (Exception, pytest.fail.Exception) as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


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


def killer(mutant: Mutant, checks: list[Check]) -> str:
    """The first check that fails on this mutant, with its message; empty when it survives."""
    use(mutant.rows())
    try:
        takes = sorted((check for check in checks if mutant.key in check.rows), key=lambda check: len(check.rows))
        for check in (*takes, *(check for check in checks if not check.rows)):
            problem = outcome_of(check)
            if problem:
                return f"{check.name.rpartition('/')[2]}: {problem}"
    finally:
        use(RULES)
    return ""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", default="", help="only rows whose key holds this")
    options.add_argument("--limit", type=int, default=0, help="stop after so many mutants")
    options.add_argument("--json", default="", help="write every mutant with what killed it")
    given = options.parse_args()
    began = time.perf_counter()
    checks = collected()
    record(checks)
    print(f"core suite: {len(checks)} tests, {time.perf_counter() - began:.1f} s without any change", flush=True)
    chosen = [mutant for mutant in mutants() if given.only in mutant.key][: given.limit or None]
    results: list[dict[str, str]] = []
    for number, mutant in enumerate(chosen, 1):
        killed_by = killer(mutant, checks)
        results.append({"row": mutant.key, "operator": mutant.operator, "what": mutant.what, "killed_by": killed_by})
        if not killed_by:
            why = EXPLAINED.get((mutant.key, mutant.operator), "")
            print(
                f"SURVIVES  {mutant.operator:<7} {mutant.key}: {mutant.what}" + (f" ({why})" if why else ""), flush=True
            )
        elif number % 200 == 0:
            print(f"{number} of {len(chosen)} ...", flush=True)
    survivors = [result for result in results if not result["killed_by"]]
    unexplained = [result for result in survivors if (result["row"], result["operator"]) not in EXPLAINED]
    print(
        f"{len(results)} mutants of {len(RULES)} rows: {len(results) - len(survivors)} killed, {len(survivors)} survive, "
        f"{len(unexplained)} of them unexplained; {time.perf_counter() - began:.0f} s"
    )
    if given.json:
        Path(given.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
