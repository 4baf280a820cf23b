"""The explanations as one JSON object, written as a stream: events as they come, account and groups at the end."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable

from fsm.evidence import Report
from fsm.explain.explainer import Account, Explainer
from fsm.explain.filters import FilterBook
from fsm.explain.summary import Summary
from fsm.logs.event import LogItem


def write_json(
    explainer: Explainer,
    items: Iterable[LogItem],
    summary: Summary,
    write: Callable[[str], object],
    filters: FilterBook | None = None,
) -> None:
    """Write `{"events": [...], "groups": [...], "accounting": {...}}`; ASCII only, one event a line.

    With `filters` there is also `"policy"`: whether its ids are those of the log, which is known at the end only.
    """
    explanations = explainer.run(items)
    first = list(itertools.islice(explanations, 1))  # an input that cannot be read at all fails before any output
    write('{"events": [')
    before = "\n"
    for explained in itertools.chain(first, explanations):
        summary.add(explained)
        write(before + _line(explained.json))
        before = ",\n"
    write('\n],\n"groups": [')
    write(",".join("\n" + _line(group.json()) for group in summary.groups()))
    write('\n],\n"by_row": ' + _line(dict(summary.by_row)))
    write(',\n"by_layer": ' + _line({str(k): v for k, v in sorted(summary.by_layer.items())}))
    write(',\n"notes": ' + _line(summary.notes(explainer.account)))
    if filters is not None:
        write(',\n"policy": ' + _line(filters.json()))
    write(',\n"accounting": ' + _line(explainer.account.json()) + "}\n")


def write_evidence(report: Report, account: Account, write: Callable[[str], object]) -> None:
    """Write `{"evidence": {...}, "accounting": {...}}`; ASCII only, one rule and one statement a line."""
    out = report.json()
    for name, before in (("rules", '{"evidence": {"rules": ['), ("statements", '\n],\n"statements": [')):
        write(before + ",".join("\n" + _line(one) for one in out[name]))
    write('\n],\n"totals": ' + _line(out["totals"]))
    write('},\n"accounting": ' + _line(account.json()) + "}\n")


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(", ", ": "))
