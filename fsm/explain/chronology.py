"""Logs exported newest first (`Get-WinEvent`, the event viewer) are turned round, as far as memory allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fsm.logs.event import LogEvent, LogItem

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
