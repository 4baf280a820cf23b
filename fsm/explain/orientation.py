"""Which end of a record is the local one.

Security events name a source and a destination. 5152 gives the packet's; inbound 5156 and 5157 give the packet's on
Windows 10 and later and local/remote on older systems (facts e.1, g.12). In this order: an address that no sender
can have, addresses known to be the host's own, what decidable records of this host did, and at last the packet's
order, marked as assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

from fsm.explain.ends import End, is_many, normal
from fsm.explain.history import HostHistory
from fsm.explain.reading import SOCKET_EVENTS, Reading
from fsm.logs.event import LogEvent

GENERATION_EVENTS = (5156, 5157)  # the ones whose order differs between Windows generations


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a record; None where the record does not say."""

    local: End | None
    remote: End | None
    tags: tuple[str, ...] = ()
    assumed: bool = False  # nothing but habit says which end is local
    turned: bool = False  # an inbound record that names the local end first


def orient(event: LogEvent, reading: Reading, known: HostHistory) -> Ends:
    """Which end is local, with the tags that say how that was found."""
    if event.local_address is not None or event.remote_address is not None or event.local_port is not None:
        return Ends(_end(event.local_address, event.local_port), _end(event.remote_address, event.remote_port))
    source = _end(event.source_address, event.source_port)
    dest = _end(event.dest_address, event.dest_port)
    if event.event_id in SOCKET_EVENTS or reading.is_socket_operation:
        return Ends(source, dest)
    if dest is None:
        return _one_end(source, reading, known)
    if source is None:
        return Ends(dest, None) if reading.packet_direction == "inbound" else Ends(None, dest)
    if reading.packet_direction == "outbound":
        if source.kind in ("group", "broadcast") and not is_many(dest):
            return Ends(dest, source, ("impossible_source",))
        return Ends(source, dest)
    if reading.packet_direction == "inbound":
        return _inbound(event, source, dest, known)
    return _either(source, dest, known)


def learn_order(event: LogEvent, reading: Reading, ends: Ends, known: HostHistory) -> None:
    """Remember how this host writes inbound 5156 and 5157, where something better than habit has told."""
    local, remote = ends.local, ends.remote
    if event.event_id not in GENERATION_EVENTS or reading.packet_direction != "inbound" or ends.assumed:
        return
    if local is not None and remote is not None and local.address != remote.address:
        known.orders[ends.turned] += 1


def _inbound(event: LogEvent, source: End, dest: End, known: HostHistory) -> Ends:
    packet_order, turned = Ends(dest, source), Ends(source, dest, turned=True)
    many = [end for end in (source, dest) if is_many(end) and not known.owns(end.address)]
    if many == [source]:
        return Ends(source, dest, ("impossible_source",), turned=True)
    if many:
        return packet_order
    own = (known.owns(source.address), known.owns(dest.address))
    if own == (False, True) or event.event_id not in GENERATION_EVENTS:
        return packet_order
    if own == (True, False):
        return turned
    if own == (True, True):  # the sender's record comes first (fact a.6) and says who that was
        if known.connect(event.protocol, source, dest, event.time_s):
            return packet_order
        if known.connect(event.protocol, dest, source, event.time_s):
            return turned
    order, other = known.orders
    if order or other:
        return packet_order if order >= other else turned
    if source.address == dest.address:
        return packet_order
    return Ends(dest, source, ("orientation_assumed",), assumed=True)


def _either(source: End, dest: End, known: HostHistory) -> Ends:
    """No layer and no direction tells: only the host's own addresses can."""
    own = (known.owns(source.address), known.owns(dest.address))
    if own == (True, False):
        return Ends(source, dest)
    if own == (False, True):
        return Ends(dest, source)
    return Ends(None, None, ("orientation_unknown",), assumed=True)


def _one_end(source: End | None, reading: Reading, known: HostHistory) -> Ends:
    """5153 names one end, the source (fact e.1)."""
    if source is None:
        return Ends(None, None)
    if known.owns(source.address) or reading.packet_direction == "outbound":
        return Ends(source, None)
    return Ends(None, source, ("orientation_assumed",), assumed=True)


def _end(address: str | None, port: int | None) -> End | None:
    bare = normal(address)
    return None if bare is None and port is None else End(bare, port)
