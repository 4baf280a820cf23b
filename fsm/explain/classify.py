"""Which of the codes a record gets, how certain that is, and where on the machine it stands."""

from __future__ import annotations

from dataclasses import dataclass

from fsm.explain.draft import Draft
from fsm.explain.ends import ICMP_PROTOCOLS
from fsm.explain.pairing import LOOK_AHEAD_S, gap_s
from fsm.explain.place import Asked
from fsm.explain.reading import net_event_type

# A flow without packets ends after 60 s (ALES); an answer that took longer can be new traffic to an old port.
FLOW_LIFETIME_S = 60.0
DYNAMIC_PORTS_FROM = 49152  # the default range of Windows (fact g.13)
FIRST_ASSIGNMENT = 36  # ALE_RESOURCE_ASSIGNMENT_V4, the first half of a dual-stack bind
CLASSIFY_COMPLETION = 0x10  # of fsm.reasons

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

# Where a datagram is given up that no socket takes; the same layers are the twins of a filter's block.
_DROPPED_AT = {"INBOUND_TRANSPORT": "drop.transport_discard", "INBOUND_IPPACKET": "drop.ippacket_discard"}


@dataclass(frozen=True, slots=True)
class Decision:
    """The code of a record. `doubt` says why it is not certain, "" when it is."""

    code: str
    confidence: str  # certain | likely | possible
    doubt: str
    tags: tuple[str, ...]


def decide(draft: Draft) -> Decision:
    """The code by precedence (the first case that fits), with confidence and tags."""
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
        asked_s = draft.connect.time_s
        for later, words in ((draft.bind, "was bound anew"), (draft.sender, "sent to another peer")):
            if later is not None and asked_s is not None and later.time_s is not None and later.time_s > asked_s:
                return (
                    "likely",
                    f"the port {words} after the query; a socket connected elsewhere refuses it the same way",
                )
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
    if group is not None and reading.packet_direction == "inbound" and draft.peer_is_own:  # fact a.15.5
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


def place_of(draft: Draft, code: str) -> Asked:
    """Where on the machine to look for the record."""
    stem, inbound = draft.reading.stem, draft.reading.packet_direction == "inbound"
    if code in ("late_reply", "no_listener", "icmp_twin") or stem == "OUTBOUND_ICMP_ERROR":
        # The ICMP error is about the datagram that was dropped, whose protocol it does not name.
        assume = () if stem == "OUTBOUND_ICMP_ERROR" else _protocol(draft)
        position = _DROPPED_AT.get(stem, "") if draft.is_drop else ""
        return Asked(
            "dropped_port", "NONE", "datagram_group" if draft.is_group_packet else "datagram", position, assume
        )
    way = _FLOW_DIRECTION.get(stem) or flow_direction(draft, code) or draft.reading.packet_direction
    endpoint = "sender" if way == "outbound" else "receiver"
    assume = (*_protocol(draft), *_dual_stack(draft))
    if stem in _BINDS:
        port = draft.ends.local.port if draft.ends.local else None
        # An ephemeral port is taken to send, a fixed one to be found.
        sends = port is None or port >= DYNAMIC_PORTS_FROM
        position = "bind.assign_v6" if _is_second_assignment(draft) else ""
        return Asked("sender" if sends else "receiver", "NONE", "bind", position, assume)
    if draft.is_group_packet and not draft.reauthorized:
        return Asked(endpoint, "NONE", "datagram_group" if inbound else "sendto_group", assume=assume)
    stimulus = "datagram" if inbound else "sendto"
    if stem in _CONNECTS or stem in _ACCEPTS:
        if draft.reauthorized & CLASSIFY_COMPLETION:
            if draft.is_group_packet and stem in _CONNECTS:
                return Asked(endpoint, "NONE", "complete_group", "send.group_complete", assume)
            position = "send.complete" if stem in _CONNECTS else "receive.complete"
            return Asked(endpoint, "NONE", "complete", position, assume)
        stale = "OUT_STALE" if way == "outbound" else "IN_STALE"
        return Asked(endpoint, stale if draft.reauthorized else "NONE", stimulus, assume=assume)
    if stem == "INBOUND_ICMP_ERROR":
        return Asked("sender", "OUT", "icmp_error")
    if stem == "ALE_FLOW_ESTABLISHED":
        return Asked(endpoint, "NONE", stimulus, assume=assume)
    return Asked(endpoint, "OUT" if way == "outbound" else "IN", stimulus, assume=assume)


def _protocol(draft: Draft) -> tuple[tuple[str, str], ...]:
    """The setting `protocol`; a message of ICMP that is no echo is what the model calls raw."""
    option = {"icmp": "raw", "other": "raw"}.get(draft.traffic, draft.traffic)
    return () if option == "udp" else (("protocol", option),)


def _dual_stack(draft: Draft) -> tuple[tuple[str, str], ...]:
    """Proven by an IPv4 layer for a socket that is bound to the IPv6 wildcard (fact a.1.6)."""
    layer, bound = draft.reading.layer, draft.ends.local if draft.reading.stem in _BINDS else None
    if bound is None and draft.bind is not None:
        bound = draft.bind.local
    mapped = layer is not None and layer.ip_version == 4 and bound is not None and bound.address == "::"
    return (("dual_stack", "yes"),) if mapped or _is_second_assignment(draft) else ()


def _is_second_assignment(draft: Draft) -> bool:
    """The V6 half of a dual-stack bind: its V4 half, of the same process and port, came just before."""
    bind, layer, local = draft.bind, draft.reading.layer, draft.ends.local
    if bind is None or layer is None or layer.stem != "ALE_RESOURCE_ASSIGNMENT" or layer.ip_version != 6:
        return False
    before = bind.before_s(draft.event.time_s)
    near = before is None or before <= LOOK_AHEAD_S
    both = local is not None and local.address == bind.local.address == "::"
    return both and near and bind.runtime_id == FIRST_ASSIGNMENT and bind.process_id == draft.event.process_id
