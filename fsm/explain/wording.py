"""From a decision to words: the sentences, the evidence in the log, the next check, the citations.

The words of the codes are data in `codes.py`. Here they get the names of the record, and what the log shows besides.
"""

from __future__ import annotations

from functools import lru_cache

from fsm.explain.classify import CLASSIFY_COMPLETION, Decision
from fsm.explain.codes import (
    CODES,
    DISCARD_WORDS,
    ICMP_WORDS,
    LAYER_WORDS,
    LAYER_WORDS_OF,
    ORIGINS,
    VARIANTS,
    Origin,
    Variant,
)
from fsm.explain.draft import Draft, program_name
from fsm.explain.ends import End, protocol_name, span
from fsm.explain.history import Seen
from fsm.explain.pairing import gap_s
from fsm.explain.place import Place
from fsm.explain.reading import net_event_type
from fsm.reasons import REASONS
from fsm.sources import SOURCES

# The audit subcategories that write the events (fact e.1). Their names are translated on other Windows; GUIDs are not.
PACKET_DROP = "Packet Drop {0CCE9225-69AE-11D9-BED3-505054503030}"
CONNECTION = "Connection {0CCE9226-69AE-11D9-BED3-505054503030}"

REASON_BITS = {reason.value: reason for reason in REASONS}

_DONE = {"permit": "let through", "block": "dropped", "veto": "vetoed"}


class Words:
    """The words for one record."""

    def __init__(self, draft: Draft, decision: Decision) -> None:
        self._draft, self._decision = draft, decision
        self._code = CODES[decision.code]
        self._variant = variant_of(draft, decision.code)
        self._fields = _fields(draft)

    def text(self) -> str:
        """What happened and what it means, in whole sentences with the names of the record."""
        draft, decision = self._draft, self._decision
        sentence, means = self._variant.sentence or self._code.sentence, self._variant.means or self._code.means
        sentences = [sentence.format_map(self._fields), *evidence(draft, decision), means.format_map(self._fields)]
        if decision.doubt:
            sentences.append(f"{decision.confidence.capitalize()}: {decision.doubt}.")
        return " ".join(_capital(sentence) for sentence in sentences)

    def next_check(self) -> str:
        if self._draft.copy_of is not None:
            return f"Ignore it; look at record {self._draft.copy_of.event.record}."
        return (self._variant.next_check or self._code.next_check).format_map(self._fields)

    def cite(self, place: Place | None) -> tuple[str, ...]:
        """Keys of the sources, each once: of code, kind of traffic, filter origin and the machine's row."""
        origin = origin_of(self._draft)
        keys = (*self._code.cite, *self._variant.cite, *(origin.cite if origin else ()), *(place.cite if place else ()))
        return tuple(dict.fromkeys(keys))


def kinds(draft: Draft) -> tuple[str, ...]:
    """What sets the record apart from a first datagram of a UDP flow, the most telling first."""
    again = draft.reauthorized
    return (
        *(("suppressed_error",) if draft.is_suppressed_error else ()),
        *(("completed",) if again & CLASSIFY_COMPLETION else ("reauthorized",) if again else ()),
        *((draft.traffic,) if draft.traffic != "udp" else ()),
        *(("group",) if draft.is_group_packet else ()),
    )


def variant_of(draft: Draft, code: str) -> Variant:
    """The words of this code for the kind of traffic, empty where it has none of its own."""
    return next((VARIANTS[code, kind] for kind in kinds(draft) if (code, kind) in VARIANTS), Variant())


def _capital(sentence: str) -> str:
    """The sentence with a capital letter, unless it begins with the name of a program."""
    return sentence[0].upper() + sentence[1:] if sentence.startswith(("a ", "process ")) else sentence


@lru_cache(maxsize=256)
def citation(key: str) -> str:
    """A source as a reader can look it up: title and address."""
    source = SOURCES.get(key)
    if source is None:
        return key
    return f"{source.title}, {source.url}" if source.url else source.title


def evidence(draft: Draft, decision: Decision) -> list[str]:
    """What the record and the log show besides the bare fact, as sentences."""
    notes = [*_origin_notes(draft), *_partner_notes(draft, decision), *_past_notes(draft, decision)]
    group = draft.group
    if group is not None and decision.code.startswith("blocked"):
        kind = "a multicast group" if group.kind == "group" else "a broadcast address"
        guess = " (likely: the netmask is not logged)" if group.kind == "likely_broadcast" else ""
        notes.append(f"{group.address} is {kind}{guess}.")
    notes += [text for tag, text in _TAG_NOTES.items() if tag in decision.tags]
    if draft.event.reauthorize_reason:
        notes.append(_reauthorized_note(draft.event.reauthorize_reason))
    return notes


def _reauthorized_note(reason: int) -> str:
    """The bits in words, each with its name and value."""
    told = [f"{r.text} ({r.name}, {r.value:#x})" for r in REASONS if r.value & reason]
    unknown = reason & ~sum(REASON_BITS)
    told += [f"unknown bits {unknown:#x}"] if unknown else []
    return f"Authorized again, because: {'; '.join(told)}."


_TAG_NOTES = {
    "impossible_source": "The record names a group or broadcast address as the sender, which none can be: it is the "
    "local end, as older Windows writes it.",
    "own_copy": "It is this host's own datagram, heard again.",
    "icmp_error_suppressed": "It is an ICMP error that this host wanted to send; the drop that caused it is not in the "
    "log within one second before.",
    "recorded_direction_ignored": "The record gives the other direction; the layer decides.",
    "ipsec": "IPsec dropped it.",
    "capability": "A packaged app was judged by its network capabilities; such records name no layer.",
    "forwarded": "The packet was on its way through this host to another one.",
    "vswitch": "It was seen on a Hyper-V switch, which is not the path of this host's own sockets.",
    "listen": "The record is about listen, which UDP does not have.",
    "duplicate_record": "The same record stands earlier in the input; it is counted once.",
}


def _origin_notes(draft: Draft) -> list[str]:
    given, origin = draft.event.filter_origin, origin_of(draft)
    if origin is not None:
        return [f'Filter origin "{given}": {origin.words}.']
    if given and given.casefold() not in ("unknown", "-"):
        return [f'Filter origin "{given}" is the name of a firewall rule.']
    return []


def _partner_notes(draft: Draft, decision: Decision) -> list[str]:
    other = draft.partner
    if other is None:
        return []
    if draft.is_drop:
        return [f"Windows then tried to answer with an ICMP error, suppressed too (record {other.event.record})."]
    if "recorded_twice" in decision.tags:
        return [f"Events 5152 and 5157 report the same packet (see record {other.event.record}): one incident."]
    return []


def _past_notes(draft: Draft, decision: Decision) -> list[str]:
    """What the log showed earlier about these ends or this local port."""
    code = decision.code
    if draft.copy_of is not None:
        moment = "second" if _tells_whole_seconds(draft) else "millisecond"
        return [f"Record {draft.copy_of.event.record} of the same {moment} is this datagram with the ports the "
                "other way round; this one seems to be logged wrongly."]  # fmt: skip
    if code == "no_listener":
        if draft.accept is not None:
            took = f"{_who(draft.accept)} took datagrams of this peer here {_ago(draft.accept, draft)}"
            return [f"{took}; that socket has gone since."]
        if draft.sender is not None:
            used = f"{_who(draft.sender)} used port {draft.sender.local.port} {_ago(draft.sender, draft)}"
            return [f"{used} for {draft.sender.remote}, not for this peer."]  # fmt: skip
        if draft.bind is not None:
            bound = f"{_who(draft.bind)} bound port {draft.bind.local.port} {_ago(draft.bind, draft)}"
            return [f"{bound}; that socket has gone since."]
        port = draft.ends.local.port if draft.ends.local else None
        return [] if port is None else [f"The log shows no earlier use of port {port}."]
    if code == "icmp_error_for_own_flow" and draft.connect is not None:
        return [f"{_who(draft.connect)} sent it {_ago(draft.connect, draft)} (record {draft.connect.record})."]
    if "after_own_query" in decision.tags and draft.connect is not None:
        return [f"{_who(draft.connect)} had sent to this peer from this port {_ago(draft.connect, draft)}: an answer "
                "would pass without a record while that flow lives, so it had ended (60 s idle, or another "
                "socket)."]  # fmt: skip
    if code == "blocked_packet" and draft.connect is not None:
        return [f"It belongs to the flow that {_who(draft.connect)} began {_ago(draft.connect, draft)}."]
    return []


def absent_of(draft: Draft, decision: Decision) -> list[str]:
    """Records that should stand beside this one and do not, and what would hide them."""
    event = draft.event
    absent: list[str] = []
    if draft.copy_of is not None:
        return absent
    if decision.code.startswith("blocked") and draft.partner is None and "ALE_AUTH" in draft.reading.stem:
        if event.event_id == 5157:
            absent.append(f"5152 of the same packet: audit {PACKET_DROP}, failure")
        elif event.event_id == 5152:
            absent.append(f"5157 of the same packet: audit {CONNECTION}, failure")
    if draft.is_drop and event.protocol == 17 and draft.partner is None and event.event_id == 5152:
        absent.append("5152 of the suppressed ICMP error: there may be none (rate limit, one record for a burst)")
    if draft.is_drop and decision.code == "no_listener" and draft.sender is None and draft.bind is None:
        absent.append(
            f"5158 and 5156 of the port, if it was in use: audit {CONNECTION}, success; or the log begins later"
        )
    return absent


def origin_of(draft: Draft) -> Origin | None:
    given = draft.event.filter_origin
    return ORIGINS.get("".join(given.casefold().replace("-", "").split())) if given else None


def reauthorize_names(reason: int) -> list[str]:
    """The bits of a reauthorization reason by name; unknown bits as a number."""
    names = [named.name for bit, named in REASON_BITS.items() if reason & bit]
    rest = reason & ~sum(REASON_BITS)
    return [*names, *([f"unknown bits {rest:#x}"] if rest else [])]


def layer_words(draft: Draft) -> str:
    """The layer in plain words, as it is asked for this kind of traffic."""
    reading = draft.reading
    if reading.layer is None:
        return "a layer that the record does not name"
    own = (LAYER_WORDS_OF[reading.stem, kind] for kind in kinds(draft) if (reading.stem, kind) in LAYER_WORDS_OF)
    words = next(own, LAYER_WORDS.get(reading.stem, reading.layer.display_name))
    return f"{words}; {DISCARD_WORDS}" if reading.is_discard else words


# ---- the names that templates use


def _fields(draft: Draft) -> dict[str, str]:
    event, local, remote = draft.event, draft.ends.local, draft.ends.remote
    proto = protocol_name(event.protocol)
    if draft.icmp is not None:
        named = ICMP_WORDS.get((event.protocol or 0, draft.icmp[0]), "")
        number = f"type {draft.icmp[0]} code {draft.icmp[1]}"
        proto = f"{proto} {named} ({number})" if named and draft.traffic != "icmp_echo" else f"{proto} {number}"
    connect, partner, group = draft.connect, draft.partner, draft.group
    inbound = draft.reading.packet_direction == "inbound"
    sender = remote if inbound else local
    return {
        "proto": proto,
        "local": _name(local, "an unknown local end"),
        "remote": _name(remote, "an unknown peer"),
        "remote_address": remote.address if remote and remote.address else "the peer",
        "local_port_words": f"port {local.port}" if local and local.port is not None else "a port",
        "port_argument": f" -LocalPort {local.port}" if local and local.port is not None else "",
        "on_address": _on_address(local),
        "program": _program(draft),
        "at": _at(draft),
        "done": _DONE[draft.reading.verdict],
        "packet": _packet(draft, proto),
        "filter_id": str(event.filter_id) if event.filter_id else "(none recorded)",
        "origin_check": _origin_check(draft),
        "asker": _who(connect) if connect else "",
        "asked_record": str(connect.record) if connect else "",
        "delay": span(connect.before_s(event.time_s), whole_seconds=_tells_whole_seconds(draft)) if connect else "",
        "pair_record": str(partner.event.record) if partner else "",
        "pair_gap": _gap_words(draft),
        "group": _name(group, ""),
        "group_verb": "received" if inbound else "sent",
        "group_words": ("for" if inbound else "to")
        + (" the group" if group and group.kind == "group" else " the broadcast address"),
        "group_sender": _name(sender, "an unknown end"),
    }


def _name(end: End | None, otherwise: str) -> str:
    return otherwise if end is None else str(end)


def _on_address(local: End | None) -> str:
    if local is None or local.address is None:
        return "on an address that the record does not name"
    return "on all addresses" if local.kind == "unspecified" else f"on {local.address}"


def _program(draft: Draft) -> str:
    return _named(program_name(draft.event.application), draft.event.process_id)


def _who(seen: Seen) -> str:
    return _named(seen.program, seen.process_id)


def _named(program: str | None, process_id: int | None) -> str:
    if program is None:
        return f"process {process_id}" if process_id else "a program that the record does not name"
    return f"{program} (process {process_id})" if process_id else program


def _ago(seen: Seen, draft: Draft) -> str:
    before = seen.before_s(draft.event.time_s)
    return "earlier" if before is None else f"{span(before, whole_seconds=_tells_whole_seconds(draft))} before"


def _gap_words(draft: Draft) -> str:
    gap = gap_s(draft.partner, draft) if draft.partner else None
    if gap is None:
        return "just before"
    whole = _tells_whole_seconds(draft)
    if abs(gap) < 0.0005:
        return "in the same second" if whole else "in the same millisecond"
    return f"{span(gap, whole_seconds=whole)} before"


def _tells_whole_seconds(draft: Draft) -> bool:
    """Whether the record's time has no part of a second, as some collectors write it."""
    return draft.event.time is not None and draft.event.time_s is not None and "." not in draft.event.time


def _at(draft: Draft) -> str:
    """The layer and the filter: `at INBOUND_TRANSPORT_V4_DISCARD (layer 13) by filter 70764`."""
    reading, event = draft.reading, draft.event
    if reading.layer is None:
        number = "" if event.runtime_id is None else f" (its id {event.runtime_id} is in no list)"
        where = f"at a layer that the record does not name{number}"
    else:
        where = f"at {reading.layer.short_name} (layer {reading.layer.runtime_id})"
    if event.filter_id:
        return f"{where} by filter {event.filter_id}"
    return f"{where}; no filter id is recorded" if event.filter_id == 0 and reading.verdict != "permit" else where


def _packet(draft: Draft, proto: str) -> str:
    event, local, remote = draft.event, draft.ends.local, draft.ends.remote
    if local is None and remote is None:
        if event.source_address is None:
            return f"{proto} between ends that the record does not name"
        return f"{proto} between {event.source_address} and {event.dest_address} (which of them is local is not known)"
    if draft.reading.packet_direction == "inbound":
        return f"{proto} from {_name(remote, 'an unknown peer')} to {_name(local, 'this host')}"
    if draft.reading.packet_direction == "outbound":
        return f"{proto} from {_name(local, 'this host')} to {_name(remote, 'an unknown peer')}"
    return f"{proto} between {_name(local, 'this host')} and {_name(remote, 'an unknown peer')}"


def _origin_check(draft: Draft) -> str:
    """What to check next for a refused flow: by the origin where one is recorded, else by the filter id."""
    origin, given, filter_id = origin_of(draft), draft.event.filter_origin, draft.event.filter_id
    if origin is not None:
        index = next((v for k, v in draft.event.extra.items() if k.casefold().endswith("interfaceindex")), None)
        return origin.check if index is None else origin.check.replace("-InterfaceIndex N", f"-InterfaceIndex {index}")
    if given and given.casefold() not in ("unknown", "-"):
        return f'`Get-NetFirewallRule -Name "{given}"` shows the rule.'
    if net_event_type(draft.event) == "CAPABILITY_DROP":
        return ORIGINS["uwpdefault"].check
    if not filter_id:
        return "The record names no filter: reproduce it with `netsh wfp capture start`, which records the filter."
    side = "an inbound" if draft.reading.packet_direction == "inbound" else "an outbound"
    return (
        f"`netsh wfp show filters file=-`: find filter id {filter_id}; its name is the rule, or a default block when "
        f"{side} allow rule is missing. Ids change at each reboot and rule change, so look soon."
    )
