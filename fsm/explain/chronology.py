"""The order of records: logs exported newest first are turned round, and the log's own numbers order one moment.

Both as far as memory allows.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from fsm.logs.event import LogEvent, LogItem

AT_ONCE_EVENTS = 10_000  # held to put them in order
LOOK_BACK_S = 1.0  # how far collectors shuffle
PROBED_EVENTS = 200  # enough to see which way a log runs


class Chronology:
    """Gives items oldest first. `newest_first` lists the sources that were turned round.

    Parameters
    ----------
    limit : most events of one source that are held to turn it round. A longer one is turned piece by piece, and
        `incomplete` lists it: a record then cannot see earlier ones of a later piece.
    """

    def __init__(self, limit: int) -> None:
        self._limit = max(limit, PROBED_EVENTS)
        self.newest_first: list[str] = []
        self.incomplete: list[str] = []

    def sort(self, items: Iterable[LogItem]) -> Iterator[LogItem]:
        """The items, with the events of each source oldest first. Items that are no events keep no order."""
        return in_log_order(self._forwards(items))

    def _forwards(self, items: Iterable[LogItem]) -> Iterator[LogItem]:
        held: list[LogEvent] = []
        source: str | None = None
        backwards: bool | None = None
        for item in items:
            if not isinstance(item, LogEvent):
                yield item
                continue
            if item.source != source:
                yield from self._flush(held, source, backwards)
                held, source, backwards = [], item.source, None
            if backwards is False:
                yield item
                continue
            held.append(item)
            if backwards is None and len(held) >= PROBED_EVENTS:
                backwards = runs_backwards(held)
                if not backwards:
                    yield from held
                    held = []
            elif backwards and len(held) >= self._limit:
                if source is not None and source not in self.incomplete:
                    self.incomplete.append(source)
                yield from reversed(held)
                held = []
        yield from self._flush(held, source, backwards)

    def _flush(self, held: list[LogEvent], source: str | None, backwards: bool | None) -> Iterator[LogEvent]:
        if backwards is None:
            backwards = runs_backwards(held)
        if backwards and source is not None and source not in self.newest_first:
            self.newest_first.append(source)
        return iter(held[::-1] if backwards else held)


def in_log_order(items: Iterable[LogItem]) -> Iterator[LogItem]:
    """The items, with the events of a source in the order of their times, and of one time in that of their numbers.

    Collectors shuffle what was logged within about a second. An event waits until its source has gone on by one
    second; what is further back than that stays where it stands, and is told as out of order.
    """
    held: list[tuple[float, int, LogEvent]] = []
    source: str | None = None
    newest = float("-inf")
    for arrival, item in enumerate(items):
        if not isinstance(item, LogEvent):
            yield item
            continue
        if item.source != source or item.time_s is None:
            yield from _released(held, float("inf"))
            source, newest = item.source, float("-inf")
        if item.time_s is None:
            yield item
            continue
        newest = max(newest, item.time_s)
        heapq.heappush(held, (item.time_s, arrival, item))
        yield from _released(held, held[0][0] if len(held) > AT_ONCE_EVENTS else newest - LOOK_BACK_S)
    yield from _released(held, float("inf"))


def _released(held: list[tuple[float, int, LogEvent]], until_s: float) -> Iterator[LogEvent]:
    """The events up to a time, oldest first."""
    while held and held[0][0] <= until_s:
        moment = held[0][0]
        at_once: list[LogEvent] = []
        while held and held[0][0] == moment:
            at_once.append(heapq.heappop(held)[2])
        yield from _numbered(at_once)


def _numbered(events: list[LogEvent]) -> Iterator[LogEvent]:
    """Each host's events by number, in the places that this host's events have."""
    by_host: dict[str | None, list[LogEvent]] = {}
    for event in events:
        by_host.setdefault(event.host, []).append(event)
    turns = {
        host: iter(sorted(own, key=lambda e: e.record_number or 0) if all(e.record_number for e in own) else own)
        for host, own in by_host.items()
    }
    return (next(turns[event.host]) for event in events)


def runs_backwards(events: Iterable[LogEvent]) -> bool:
    """Whether nearly all steps between records of one host go back in time."""
    last: dict[str | None, float] = {}
    back = forth = 0
    for event in events:
        if event.time_s is not None:
            before = last.get(event.host, event.time_s)
            back += event.time_s < before
            forth += event.time_s > before
            last[event.host] = event.time_s
    return back > 4 * forth
