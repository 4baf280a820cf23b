"""The whole way of a log: items in, explanations out in the same order, and an account of every record.

Memory is bounded: histories per host by `history_limit`, waiting records by one second of log time and
`WAITING_LIMIT`, lists in the account by `LISTED`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fsm.explain.chronology import Chronology
from fsm.explain.draft import Draft
from fsm.explain.explained import Explained, explain
from fsm.explain.filters import FilterBook
from fsm.explain.history import DEFAULT_LIMIT, HostHistory
from fsm.explain.orientation import learn_order
from fsm.explain.pairing import ADJACENT_RECORDS, LOOK_AHEAD_S, Neighbours
from fsm.explain.place import Placer, RememberedPlaces
from fsm.explain.reading import NOT_WFP, OTHER_REASONS, read
from fsm.logs.event import LogEvent, LogItem, NotUnderstood, Skipped

WAITING_LIMIT = 10_000  # records that wait for their neighbours, when a host of many falls silent
LISTED = 1_000  # places of records that were not understood


@dataclass(slots=True)
class Account:
    """What became of the records: records = explained + other + not_understood, always."""

    explained: int = 0
    other: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OTHER_REASONS, 0))
    not_understood: int = 0
    not_understood_at: list[dict[str, str | int]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)  # members of archives that hold no records
    container_broken: bool = False
    incidents: int = 0
    repeats: int = 0
    hosts: int = 0
    evicted: int = 0
    newest_first: list[str] = field(default_factory=list)
    newest_first_incomplete: list[str] = field(default_factory=list)
    out_of_order: int = 0
    history_limit: int = DEFAULT_LIMIT
    event_ids: Counter[int] = field(default_factory=Counter)

    @property
    def records(self) -> int:
        return self.explained + sum(self.other.values()) + self.not_understood

    @property
    def readable(self) -> int:
        return self.explained + sum(self.other.values())

    def json(self) -> dict[str, Any]:
        return {
            "records": self.records,
            "explained": self.explained,
            "other": sum(self.other.values()),
            "other_reasons": dict(self.other),
            "not_understood": self.not_understood,
            "not_understood_at": self.not_understood_at,
            "not_understood_left_out": self.not_understood - len(self.not_understood_at),
            "skipped_members": self.skipped,
            "incidents": self.incidents,
            "duplicates": self.repeats,
            "hosts": self.hosts,
            "history": {"limit_per_host": self.history_limit, "evicted": self.evicted},
            "out_of_order": self.out_of_order,
            "newest_first": self.newest_first,
            "newest_first_incomplete": self.newest_first_incomplete,
        }


class _Host:
    """The running state of one host."""

    def __init__(self, limit: int) -> None:
        self.history = HostHistory(limit)
        self.neighbours = Neighbours()
        self.turn = 0
        self.source = ""
        self.clock_s: float | None = None


class Explainer:
    """Explains the items of one or several logs.

    Parameters
    ----------
    placer : the machine (see `place.Placer`), or None to do without.
    history_limit : tuples of each kind that are remembered per host.
    filters : a policy in which the filter ids are looked up, or None to leave them as they are.
    """

    def __init__(
        self, placer: Placer | None = None, history_limit: int = DEFAULT_LIMIT, filters: FilterBook | None = None
    ) -> None:
        self._places = RememberedPlaces(placer)
        self._limit = history_limit
        self._hosts: dict[str, _Host] = {}
        self._waiting: deque[Draft] = deque()
        self._filters = filters
        self.account = Account(history_limit=history_limit)

    def run(self, items: Iterable[LogItem]) -> Iterator[Explained]:
        """One explanation for each record that is about a datagram or socket other than TCP's, in order.

        A record waits until its host's log has gone on by one second, so that pairs find each other.
        """
        chronology = Chronology(self._limit)
        for item in chronology.sort(items):
            if isinstance(item, LogEvent):
                self._take(item)
                while self._waiting and (self._is_settled(self._waiting[0]) or len(self._waiting) > WAITING_LIMIT):
                    yield self._finish(self._waiting.popleft())
            elif isinstance(item, NotUnderstood):
                self._not_understood(item)
            elif isinstance(item, Skipped):
                self.account.skipped.append({"source": item.source, "why": item.why})
            else:
                self.account.other[NOT_WFP] += 1
        while self._waiting:
            yield self._finish(self._waiting.popleft())
        self.account.newest_first = chronology.newest_first
        self.account.newest_first_incomplete = chronology.incomplete
        self.account.hosts = len(self._hosts)
        self.account.evicted = sum(host.history.evicted for host in self._hosts.values())

    def _take(self, event: LogEvent) -> None:
        if event.event_id is not None:
            self.account.event_ids[event.event_id] += 1
        # A net event names no host: what stands in one file is taken to be of one host.
        name = event.host.casefold() if event.host else f"file {event.source}"
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = _Host(self._limit)
        host.turn += 1
        if event.time_s is not None:
            if host.source == event.source and host.clock_s is not None and event.time_s < host.clock_s - LOOK_AHEAD_S:
                self.account.out_of_order += 1
            host.clock_s = event.time_s
        host.source = event.source
        if self._filters is not None:
            self._filters.meet(event, name)
        reading = read(event)
        if isinstance(reading, str):
            self.account.other[reading] += 1
            return
        self.account.explained += 1
        draft = Draft.of(event, reading, name, host.turn, host.history)
        draft.is_repeat = host.history.is_repeat(event.event_id, event.record_number, event.time)
        host.neighbours.meet(draft, host.history)
        learn_order(event, reading, draft.ends, host.history)
        draft.learn(host.history)
        self._waiting.append(draft)

    def _is_settled(self, draft: Draft) -> bool:
        """Whether no later record can belong to this one any more."""
        host = self._hosts[draft.host]
        if host.source != draft.event.source:
            return True
        if host.clock_s is None or draft.event.time_s is None:
            return host.turn - draft.turn > ADJACENT_RECORDS
        return abs(host.clock_s - draft.event.time_s) > LOOK_AHEAD_S

    def _finish(self, draft: Draft) -> Explained:
        explained = explain(draft, self._places, self._filters)
        if self._filters is not None and explained.counts:
            self._filters.count(draft.event, draft.host)
        self.account.incidents += explained.counts
        self.account.repeats += draft.is_repeat
        return explained

    def _not_understood(self, item: NotUnderstood) -> None:
        account = self.account
        account.not_understood += 1
        account.container_broken |= item.broken_container
        if len(account.not_understood_at) < LISTED:
            account.not_understood_at.append(
                {"source": item.source, "record": item.record, "where": item.where, "why": item.why}
            )
