"""The explanations as a page with a slider: a bounded number of events, what was not allowed first in line for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fsm.choices import Config, configure
from fsm.counts import counted
from fsm.explain.codes import CODES
from fsm.explain.explained import Explained
from fsm.explain.explainer import Account
from fsm.explain.filters import FilterBook
from fsm.explain.report import between, file_name
from fsm.page import TraceEvent, TraceStep, trace_page

LIMIT_EVENTS = 1_000  # of a page: some 1.5 kB each

_BY_NO_RULE = ("late_reply", "no_listener", "icmp_twin", "icmp_error_for_own_flow")


class PageEvents:
    """Collects explanations as they come: the first ones, and of those that were not allowed as many."""

    def __init__(self, limit: int = LIMIT_EVENTS) -> None:
        self._limit = limit
        self._refused: list[tuple[int, Explained]] = []
        self._allowed: list[tuple[int, Explained]] = []
        self.count = 0
        self.refused = 0

    def add(self, explained: Explained) -> None:
        """One explanation more."""
        self.count += 1
        kept = self._allowed
        if explained.verdict != "permit":
            self.refused += 1
            kept = self._refused
        if len(kept) < self._limit:
            kept.append((self.count, explained))

    def chosen(self) -> list[Explained]:
        """Those that the page shows, in the order of the log."""
        room = self._limit - len(self._refused)
        return [explained for _, explained in sorted([*self._refused, *self._allowed[:room]], key=lambda one: one[0])]

    def left_out(self) -> str:
        """What the page does not show, in a sentence; "" where it shows everything."""
        shown = self.chosen()
        if len(shown) == self.count:
            return ""
        refused = sum(explained.verdict != "permit" for explained in shown)
        of_refused = "all" if refused == self.refused else f"the first {refused:,}"
        return (
            f"{len(shown):,} of {counted(self.count, 'record')} are shown: {of_refused} of {self.refused:,} that were "
            f"not allowed, and the first {len(shown) - refused:,} of {self.count - self.refused:,} that were"
        )


def log_page(events: PageEvents, account: Account, sources: Iterable[str], filters: FilterBook | None = None) -> str:
    """The page as one HTML text.

    The picture is that of the machine that logs show (`--evidence observed`).
    """
    names = [file_name(source) for source in sources]
    title = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    told = [
        f"{counted(account.records, 'record')}: {account.explained:,} explained, "
        f"{account.not_understood:,} not understood",
        events.left_out(),
        *([f"policy {file_name(filters.policy.source)}: {_fits(filters)}"] if filters is not None else []),
    ]
    return trace_page(
        title,
        [_event(explained, filters) for explained in events.chosen()],
        _config(),
        summary=". ".join(part for part in told if part) + ".",
    )


def _config() -> Config:
    return configure(evidence="observed")


def _fits(filters: FilterBook) -> str:
    verdicts = dict.fromkeys(fit.verdict for fit in filters.fits.values())
    return " / ".join(verdicts) or "nothing to compare"


def _event(explained: Explained, filters: FilterBook | None) -> TraceEvent:
    out: dict[str, Any] = explained.json
    event = out["event_id"] if out["event_id"] is not None else out["event_type"]
    layer = explained.draft.reading.layer
    lines = [
        f"{CODES[explained.code].title} ({explained.confidence}).",
        out["text"],
        f"Application: {out['application_sees']}." if out["application_sees"] else "",
        f"Remote side: {out['remote_sees']}." if out["remote_sees"] else "",
        _filter(explained, filters),
        _way("Before", out["before"]),
        _way("After", out["after"]),
        *(f"Not in the log: {absent}." for absent in out["absent"]),
        f"Check next: {out['next_check']}" if out["next_check"] else "",
        f"Record {out['record']} of {file_name(out['source'])}" + (f", host {out['host']}." if out["host"] else "."),
    ]
    steps = (TraceStep(layer.name, explained.verdict, explained.rule),) if layer else ()
    return TraceEvent(
        title=f"{event} {explained.code}: {between(out)}",
        text="\n".join(line for line in lines if line),
        steps=steps,
        time=out["time"] or "",
        state=out["state"] or "",
        level="good" if explained.verdict == "permit" else "warn" if explained.code in _BY_NO_RULE else "bad",
    )


def _filter(explained: Explained, filters: FilterBook | None) -> str:
    if filters is None or explained.filter is None or filters.fits[explained.draft.host].verdict != "fits":
        return ""
    return f"Filter {explained.filter.text()}."


def _way(word: str, layers: list[str]) -> str:
    return f"{word}: {' > '.join(name.removeprefix('FWPM_LAYER_') for name in layers)}." if layers else ""
