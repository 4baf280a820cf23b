"""What a host's log has shown so far: allowed flows, bound ports, addresses of its own. Bounded, evictions counted.

"Earlier" means earlier in the order of the records and not later by their times: a log that was put together from
several can have a later record first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from fsm.explain.ends import End, kind_of

DEFAULT_LIMIT = 100_000  # tuples of each kind per host: about 200 MB for a host that fills it
KEPT_PER_TUPLE = 3  # sightings of one tuple: enough for a log read twice or slightly out of order

FlowKey = tuple[int | None, str | None, int | None, str | None, int | None]
PortKey = tuple[int | None, int | None]
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Seen:
    """An earlier record that speaks for a later one."""

    source: str
    record: int
    event_id: int | None
    time_s: float | None
    process_id: int | None
    program: str | None
    local: End
    remote: End | None
    runtime_id: int | None = None

    def before_s(self, now_s: float | None) -> float | None:
        """How long before `now_s`; None where a time is missing."""
        return None if now_s is None or self.time_s is None else now_s - self.time_s


class _Bounded(Generic[K]):
    """The last sightings by key; the key that was not seen for longest goes first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: OrderedDict[K, tuple[Seen, ...]] = OrderedDict()
        self.evicted = 0

    def note(self, key: K, seen: Seen) -> None:
        self._seen[key] = (*self._seen.get(key, ())[1 - KEPT_PER_TUPLE :], seen)
        self._seen.move_to_end(key)
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)
            self.evicted += 1

    def latest(self, key: K, now_s: float | None) -> Seen | None:
        """The last sighting that is not later than `now_s`."""
        return next(self.all(key, now_s), None)

    def all(self, key: K, now_s: float | None) -> Iterator[Seen]:
        for seen in reversed(self._seen.get(key, ())):
            if now_s is None or seen.time_s is None or seen.time_s <= now_s:
                yield seen


class HostHistory:
    """The past of one host.

    Parameters
    ----------
    limit : most tuples of each kind (connects, accepts, bound ports, record numbers) that are remembered.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._connects: _Bounded[FlowKey] = _Bounded(limit)
        self._accepts: _Bounded[FlowKey] = _Bounded(limit)
        self._binds: _Bounded[PortKey] = _Bounded(limit)
        self._senders: _Bounded[PortKey] = _Bounded(limit)
        self._addresses: OrderedDict[str, None] = OrderedDict()
        self._numbers: OrderedDict[tuple[int | None, int, str | None], None] = OrderedDict()
        self._limit = limit
        # Inbound 5156/5157 that could be decided by an address: [packet order, turned round] (fact g.12).
        self.orders = [0, 0]

    @property
    def evicted(self) -> int:
        """How many tuples were forgotten to stay within the limit."""
        return sum(kind.evicted for kind in (self._connects, self._accepts, self._binds, self._senders))

    # -- learning

    def note_connect(self, protocol: int | None, seen: Seen) -> None:
        """An allowed outbound flow. Its local address is one of the host's own."""
        self._connects.note(_flow_key(protocol, seen.local, seen.remote), seen)
        self._senders.note((protocol, seen.local.port), seen)
        self.note_address(seen.local.address)

    def note_accept(self, protocol: int | None, seen: Seen) -> None:
        self._accepts.note(_flow_key(protocol, seen.local, seen.remote), seen)

    def note_bind(self, protocol: int | None, seen: Seen) -> None:
        self._binds.note((protocol, seen.local.port), seen)
        self.note_address(seen.local.address)

    def note_address(self, address: str | None) -> None:
        """This address is the host's own. Only outbound and bind records may say so."""
        if address is not None and kind_of(address) in ("unicast", "likely_broadcast"):
            self._addresses[address] = None
            self._addresses.move_to_end(address)
            if len(self._addresses) > min(self._limit, 4096):
                self._addresses.popitem(last=False)

    # -- asking

    def owns(self, address: str | None) -> bool:
        return address is not None and (address in self._addresses or kind_of(address) == "loopback")

    def connect(self, protocol: int | None, local: End, remote: End, now_s: float | None) -> Seen | None:
        """The last allowed connect from exactly this local to exactly this remote end, if there was one."""
        return self._connects.latest(_flow_key(protocol, local, remote), now_s)

    def accept(self, protocol: int | None, local: End, remote: End, now_s: float | None) -> Seen | None:
        return self._accepts.latest(_flow_key(protocol, local, remote), now_s)

    def bind(self, protocol: int | None, port: int | None, now_s: float | None) -> Seen | None:
        """The last bind of this local port."""
        return None if port is None else self._binds.latest((protocol, port), now_s)

    def sender(self, protocol: int | None, port: int | None, now_s: float | None) -> Seen | None:
        """The last allowed connect from this local port, to any peer."""
        return None if port is None else self._senders.latest((protocol, port), now_s)

    def is_repeat(self, event_id: int | None, record_number: int | None, time: str | None) -> bool:
        """Whether the log's own number, event and time came before: the same record given twice."""
        if record_number is None:
            return False
        key = (event_id, record_number, time)
        if key in self._numbers:
            return True
        self._numbers[key] = None
        if len(self._numbers) > self._limit:
            self._numbers.popitem(last=False)
        return False


def _flow_key(protocol: int | None, local: End, remote: End | None) -> FlowKey:
    far = remote or End(None)
    return (protocol, local.address, local.port, far.address, far.port)
