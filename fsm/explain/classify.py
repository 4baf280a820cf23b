"""Which of the codes a record gets, how certain that is, and where on the machine it stands."""

from __future__ import annotations

from dataclasses import dataclass

from fsm.explain.draft import Draft
from fsm.explain.ends import ICMP_PROTOCOLS
from fsm.explain.pairing import gap_s
from fsm.explain.reading import net_event_type

# A flow without packets ends after 60 s (ALES); an answer that took longer can be new traffic to an old port.
FLOW_LIFETIME_S = 60.0
DYNAMIC_PORTS_FROM = 49152  # the default range of Windows (FACTS g.13)

_BINDS = (
    "ALE_RESOURCE_ASSIGNMENT",
    "ALE_BIND_REDIRECT",
    "ALE_AUTH_LISTEN",
    "ALE_RESOURCE_RELEASE",
    "ALE_ENDPOINT_CLOSURE",
)
_CONNECTS = ("ALE_AUTH_CONNECT", "ALE_CONNECT_REDIRECT", "OUTBOUND_NETWORK_CONNECTION_POLICY")
_ACCEPTS = ("ALE_AUTH_RECV_ACCEPT", "FWPS_LAYER_RESERVED_LAYER_9", "FWPS_LAYER_RESERVED_LAYER_10")
_FLOW_DIRECTION = {**dict.fromkeys(_CONNECTS, "outbound"), **dict.fromkeys(_ACCEPTS, "inbound")}


@dataclass(frozen=True, slots=True)
class Decision:
    """The code of a record. `doubt` says why it is not certain, "" when it is."""

    code: str
    confidence: str  # certain | likely | possible
    doubt: str
    tags: tuple[str, ...]


def decide(draft: Draft) -> Decision:
    """The code by the precedence of DESIGN 7, with confidence and tags."""
    code = _code(draft)
    confidence, doubt = _confidence(draft, code)
    tags = draft.tags | _tags(draft, code)
    return Decision(code, confidence, doubt, tuple(sorted(tags)))


def _code(draft: Draft) -> str:
    stem, verdict = draft.reading.stem, draft.reading.verdict
    if stem == "INBOUND_ICMP_ERROR":
        return "icmp_error_for_own_flow"
    if draft.is_suppressed_error and draft.partner is not None:
        return "icmp_twin"
    if draft.is_drop:
        return "late_reply" if draft.is_late_reply else "no_listener"
    if verdict == "veto":
        return "vetoed"
    if verdict == "block":
        return _blocked(draft, stem)
    if draft.group is not None and stem not in _BINDS:
        return "group_traffic"
    if stem in _BINDS:
        return "bind"
    way = _FLOW_DIRECTION.get(stem, draft.reading.packet_direction)
    return "permitted_accept" if way == "inbound" else "permitted_connect"


def _blocked(draft: Draft, stem: str) -> str:
    if stem in _BINDS:
        return "blocked_bind"
    if stem in _CONNECTS:
        return "blocked_connect"
    if stem in _ACCEPTS:
        return "blocked_accept"
    if net_event_type(draft.event) == "CAPABILITY_DROP":
        # No layer is recorded. A packaged app without the capability: internetClient is about its own connects.
        return "blocked_accept" if draft.reading.packet_direction == "inbound" else "blocked_connect"
    return "blocked_packet"


def _confidence(draft: Draft, code: str) -> tuple[str, str]:
    """The lowest that applies, and the reason."""
    event, tags = draft.event, draft.tags
    if draft.reading.layer is None:
        return "possible", "the record names no layer that is known"
    if "ports_swapped_duplicate" in tags:
        return "possible", "two datagrams that fit each other so well would be a coincidence"
    if draft.ends.local is None and draft.ends.remote is None:
        return "possible", "the record does not tell which end is local"
    if draft.reading.inferred:
        return "likely", "the record has no layer id; the layer follows from event, words and direction"
    if draft.ends.assumed:
        return "likely", "which end is local is assumed: older Windows writes inbound records the other way round"
    if code == "icmp_error_for_own_flow":
        if draft.connect is None:
            return (
                "likely",
                "the log holds no allowed connect with these ends; only the layer says that it was ours",
            )
        if event.protocol in ICMP_PROTOCOLS:
            return "likely", "for ICMP the record does not tell which of our messages the error is about"
    if code == "icmp_twin" and draft.partner is not None:
        gap = gap_s(draft.partner, draft)
        if gap is None or gap > 0.05:
            reason = "the error follows the drop by more than the usual millisecond"
            return "likely", reason if gap else "the records have no time"
    if code == "late_reply" and draft.connect is not None:
        delay = draft.connect.before_s(event.time_s)
        if draft.reading.stem == "INBOUND_IPPACKET":
            return "likely", "this discard layer has more causes than a missing socket, and the cause is not recorded"
        if delay is not None and delay > FLOW_LIFETIME_S:
            return "likely", "it came more than 60 s after the query, so it can be new traffic to the old port"
    if code == "no_listener":
        if draft.reading.stem == "INBOUND_IPPACKET":
            return "likely", "this discard layer has more causes than a missing socket, and the cause is not recorded"
        if draft.sender is not None or draft.bind is not None:
            return "likely", "the port was in use; a socket connected to another peer refuses datagrams the same way"
    if code == "group_traffic" and draft.group is not None and draft.group.kind == "likely_broadcast":
        return "likely", "that an address ending in .255 is a broadcast depends on the netmask, which is not logged"
    return "certain", ""


def _tags(draft: Draft, code: str) -> set[str]:
    event, reading = draft.event, draft.reading
    tags: set[str] = set()
    group = draft.group
    if group is not None:
        tags.add("multicast" if group.kind == "group" else "likely_broadcast")
    if group is not None and reading.packet_direction == "inbound" and draft.peer_is_own:  # FACTS a.15.5
        tags.add("own_copy")
    if reading.inferred:
        tags.add("layer_inferred")
    if reading.layer is None:
        tags.add("unknown_layer")
    if reading.direction_disagrees:
        tags.add("recorded_direction_ignored")
    ends = (draft.ends.local, draft.ends.remote)
    if event.is_loopback or any(end is not None and end.kind == "loopback" for end in ends):
        tags.add("loopback")
    if event.reauthorize_reason:
        tags.add("reauthorization")
    if draft.is_repeat:
        tags.add("duplicate_record")
    if draft.partner is not None and event.event_id in (5152, 5157) and code.startswith("blocked"):
        tags.add("recorded_twice")
    if draft.is_suppressed_error and draft.partner is None:
        tags.add("icmp_error_suppressed")
    asked = draft.connect
    is_first = draft.icmp is None and not event.reauthorize_reason
    if code in ("blocked_accept", "permitted_accept") and is_first and asked and asked.local != asked.remote:
        tags.add("after_own_query")
    if reading.stem == "ALE_AUTH_LISTEN":
        tags.add("listen")
    if "VSWITCH" in reading.stem:
        tags.add("vswitch")
    if reading.stem == "IPFORWARD":
        tags.add("forwarded")
    kind = net_event_type(event)
    if kind.startswith("CAPABILITY"):
        tags.add("capability")
    if kind.startswith("IPSEC"):
        tags.add("ipsec")
    return tags


def flow_direction(draft: Draft, code: str) -> str | None:
    """The direction of the flow's first packet; None where there is no flow."""
    stem = draft.reading.stem
    if code in ("late_reply", "icmp_error_for_own_flow"):
        return "outbound"
    if stem in _FLOW_DIRECTION:
        return _FLOW_DIRECTION[stem]
    if code in ("no_listener", "icmp_twin") or stem in _BINDS or stem == "OUTBOUND_ICMP_ERROR":
        return None
    if draft.connect is not None:
        return "outbound"
    return "inbound" if draft.accept is not None else None


def place_of(draft: Draft, code: str) -> tuple[str, str, str]:
    """The endpoint of the machine that the record is about, its flow register before the step, and the stimulus."""
    if code in ("late_reply", "no_listener", "icmp_twin") or draft.reading.stem == "OUTBOUND_ICMP_ERROR":
        return "dropped_port", "NONE", "datagram"
    stem = draft.reading.stem
    way = _FLOW_DIRECTION.get(stem) or flow_direction(draft, code) or draft.reading.packet_direction
    outbound = way == "outbound"
    if stem in _BINDS:
        port = draft.ends.local.port if draft.ends.local else None
        # An ephemeral port is taken to send, a fixed one to be found.
        return ("sender" if port is None or port >= DYNAMIC_PORTS_FROM else "receiver"), "NONE", "bind"
    stimulus = "datagram" if draft.reading.packet_direction == "inbound" else "sendto"
    endpoint = "sender" if outbound else "receiver"
    if stem in _CONNECTS or stem in _ACCEPTS:
        # Every group datagram is reauthorized on one flow (FACTS a.11.5), which starts anew for the model.
        stale = bool(draft.event.reauthorize_reason) and draft.event.reauthorize_reason != 0x100
        return endpoint, ("OUT_STALE" if outbound else "IN_STALE") if stale else "NONE", stimulus
    if stem == "INBOUND_ICMP_ERROR":
        return "sender", "OUT", "icmp_error"
    if stem == "ALE_FLOW_ESTABLISHED":
        return endpoint, "NONE", stimulus
    return endpoint, "OUT" if outbound else "IN", stimulus
