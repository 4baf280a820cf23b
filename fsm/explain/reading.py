"""One record by itself: which layer, which verdict, which way the packet went, and whether it is ours to explain.

Nothing here looks at other records.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from fsm.catalogue import LAYER_CODES, Layer, by_runtime_id, layer_of
from fsm.errors import UnknownName
from fsm.explain.ends import ICMP_PROTOCOLS
from fsm.logs.event import LogEvent

# The three reasons for which a readable record is not explained (the account names no other).
NOT_WFP = "not a WFP record"
TCP = "TCP"
NO_DATAGRAM = "an event about no datagram or socket"
OTHER_REASONS = (NOT_WFP, TCP, NO_DATAGRAM)

Verdict = Literal["permit", "block", "veto"]

# Fact e.1. 5031, 5150/5151 (MAC frames), 544x and the rest are about no datagram or socket.
VERDICT_OF_ID: dict[int, Verdict] = {
    5152: "block", 5153: "veto", 5154: "permit", 5155: "block",
    5156: "permit", 5157: "block", 5158: "permit", 5159: "block",
}  # fmt: skip
SOCKET_EVENTS = (5154, 5155, 5158, 5159)  # they have one end only, the local one
VERDICT_OF_TYPE: dict[str, Verdict] = {
    "CLASSIFY_DROP": "block", "CLASSIFY_ALLOW": "permit", "CAPABILITY_DROP": "block", "CAPABILITY_ALLOW": "permit",
    "IPSEC_KERNEL_DROP": "block", "IPSEC_DOSP_DROP": "block",
}  # fmt: skip
# The way of the packet at layers that see one way only.
_TCP_STEMS = ("STREAM", "STREAM_PACKET")
_FRAME_STEMS = ("MAC_FRAME", "VSWITCH_ETHERNET")
# Where a Security event without layer id belongs: stems by the LayerName code, or by event id.
_ALE_BY_WAY = {"inbound": "ALE_AUTH_RECV_ACCEPT", "outbound": "ALE_AUTH_CONNECT"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one record says about itself.

    Parameters
    ----------
    stem : the layer's name without version and discard suffix, "" when no layer is known.
    packet_direction : "inbound", "outbound", "forward", or None where no packet is attached or nothing tells.
    inferred : the record has no layer id; the layer was concluded from event, words and direction.
    """

    layer: Layer | None
    stem: str
    is_discard: bool
    verdict: Verdict
    packet_direction: str | None
    inferred: bool
    direction_disagrees: bool

    @property
    def is_socket_operation(self) -> bool:
        return self.stem in ("ALE_RESOURCE_ASSIGNMENT", "ALE_BIND_REDIRECT", "ALE_AUTH_LISTEN",
                             "ALE_RESOURCE_RELEASE", "ALE_ENDPOINT_CLOSURE")  # fmt: skip


def net_event_type(event: LogEvent) -> str:
    """The type of a net event without its prefixes; PUBLIC_ ones mean the same."""
    return (event.event_type or "").upper().removeprefix("FWPM_NET_EVENT_TYPE_").removeprefix("PUBLIC_")


def verdict_of(event: LogEvent) -> Verdict | None:
    """What the record says was decided; None for records that tell of no decision about a datagram or socket."""
    if event.event_id is not None:
        return VERDICT_OF_ID.get(event.event_id)
    return VERDICT_OF_TYPE.get(net_event_type(event))


def read(event: LogEvent) -> Reading | str:
    """The reading of a record, or the reason (one of `OTHER_REASONS`) for which it is not explained."""
    verdict = verdict_of(event)
    if event.protocol == 6:
        return TCP
    if verdict is None:
        return NO_DATAGRAM
    layer = layer_with_id(event.runtime_id)
    inferred = False
    if event.runtime_id is None:
        layer = _inferred_layer(event)
        inferred = layer is not None
    stem = "" if layer is None else layer.stem.removesuffix("_DISCARD")
    if stem in _TCP_STEMS:
        return TCP
    if any(part in stem for part in _FRAME_STEMS):
        return NO_DATAGRAM
    if event.protocol is None and (stem == "ALE_AUTH_LISTEN" or event.event_id in (5154, 5155)):
        return NO_DATAGRAM  # to listen is TCP's
    way = None if layer is None else layer.direction
    told = event.direction if event.direction in ("inbound", "outbound", "forward") else None
    disagrees = way in ("inbound", "outbound") and told in ("inbound", "outbound") and told != way
    # The layer, not the record, says which way (fact e.2/direction); where a layer sees both, the record does.
    packet = {"inbound": "inbound", "outbound": "outbound", "forward": "forward", "local": None}.get(way or "", told)
    return Reading(layer, stem, layer is not None and layer.is_discard, verdict, packet, inferred, disagrees)


@lru_cache(maxsize=512)
def layer_with_id(runtime_id: int | None) -> Layer | None:
    """The layer of an id; logs do not say their build, so ids above 81 are read as Windows 11 has them, then 10."""
    for windows in ("11", "10"):
        try:
            return None if runtime_id is None else by_runtime_id(runtime_id, windows)
        except UnknownName:
            continue
    return None


def _inferred_layer(event: LogEvent) -> Layer | None:
    stem = _inferred_stem(event)
    if stem is None:
        return None
    addresses = (event.source_address, event.dest_address, event.local_address, event.remote_address)
    ip = 6 if event.protocol == 58 or any(":" in address for address in addresses if address) else 4
    try:
        return layer_of(stem, ip)
    except UnknownName:
        return None


def _inferred_stem(event: LogEvent) -> str | None:
    """The stem by event and words. A drop at "Transport" without process is one that no socket took (fact a.9.2)."""
    if event.event_id in SOCKET_EVENTS:
        return "ALE_RESOURCE_ASSIGNMENT" if event.event_id in (5158, 5159) else "ALE_AUTH_LISTEN"
    if event.event_id in (5156, 5157):
        return _ALE_BY_WAY.get(event.direction or "")
    stems = _stems_of_words(event.layer_code or "")
    if len(stems) > 1 and event.direction:
        stems = tuple(s for s in stems if s.startswith(event.direction.upper()))
    if not stems:
        return None
    if stems[0] == "INBOUND_TRANSPORT" and not event.process_id:
        return "INBOUND_TRANSPORT_DISCARD"
    return stems[0]


def _stems_of_words(text: str) -> tuple[str, ...]:
    digits = text.strip().removeprefix("%%")
    if digits.isdigit():
        return LAYER_CODES.get(int(digits), ("", ()))[1]
    return next((stems for words, stems in LAYER_CODES.values() if words.casefold() == text.strip().casefold()), ())


def icmp_type_and_code(
    event: LogEvent, reading: Reading, local: int | None, remote: int | None
) -> tuple[int, int] | None:
    """Type and code that stand in the port fields: type on the local side, code on the remote side (fact a.16.3).

    At the ICMP error layers the fields are those of the embedded datagram, or 0 and 0 whatever the type (trap 5).
    """
    if event.protocol not in ICMP_PROTOCOLS or local is None or remote is None or "ICMP_ERROR" in reading.stem:
        return None
    return (local, remote) if local < 256 and remote < 256 else None
