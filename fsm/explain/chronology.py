"""The order of records: logs exported newest first are turned round, and the log's own numbers order one moment.

Both as far as memory allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fsm.logs.event import LogEvent, LogItem

AT_ONCE_EVENTS = 10_000  # of one time, held to put them in order
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
    """The items, with events of one time and host in the order of the log's own numbers.

    Collectors shuffle what was logged in one step of the clock, which can be a whole second.
    """
    held: list[LogEvent] = []
    for item in items:
        if not isinstance(item, LogEvent):
            yield item
            continue
        goes_on = held and (item.source, item.time_s) == (held[0].source, held[0].time_s)
        if held and (not goes_on or item.record_number is None or len(held) >= AT_ONCE_EVENTS):
            yield from _numbered(held)
            held = []
        if item.record_number is None or item.time_s is None:
            yield item
        else:
            held.append(item)
    yield from _numbered(held)


def _numbered(events: list[LogEvent]) -> Iterator[LogEvent]:
    """Each host's events by number, in the places that this host's events have."""
    by_host: dict[str | None, list[LogEvent]] = {}
    for event in events:
        by_host.setdefault(event.host, []).append(event)
    turns = {host: iter(sorted(own, key=lambda e: e.record_number or 0)) for host, own in by_host.items()}
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
