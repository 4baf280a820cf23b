"""Counts records for and against the statements, one explained record after the other.

Memory is bounded: each host remembers at most `limit` things of each kind, the longest unseen go first and are
counted. "Between" means between in the order of the records; gaps are gaps of their times.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fsm.explain.classify import CLASSIFY_COMPLETION, DYNAMIC_PORTS_FROM, FIRST_ASSIGNMENT, FLOW_LIFETIME_S
from fsm.explain.draft import NEW_INBOUND_GROUP_PACKET, Draft
from fsm.explain.ends import is_many
from fsm.explain.explained import Explained
from fsm.explain.pairing import LOOK_AHEAD_S, SAME_MOMENT_S, gap_s
from fsm.explain.statements import STATEMENTS
from fsm.rules import RULES

GROUP_LIFETIME_S = 4.0  # of the state that an outbound group datagram makes (fact a.15.1)
EXAMPLES = 3  # of each side of a statement

_LOGGED = {row.key: row.logged for row in RULES}
_NOT_RUN = ("IPFORWARD", "VSWITCH", "MAC_FRAME")
_CLOSURES = ("ALE_ENDPOINT_CLOSURE", "ALE_RESOURCE_RELEASE")
_ECHO_REPLIES = ((1, 0), (58, 129))
_TOLD_TWICE = (5152, 5157)
_ONCE = {
    ("udp", "out"): "authorized_once",
    ("udp", "in"): "accepted_once",
    ("group", "out"): "group_sent_once",
    ("group", "in"): "group_received_once",
    **{("echo", way): "echo_requests_share_a_flow" for way in ("out", "in")},
    **{("icmp", way): "icmp_authorized_once" for way in ("out", "in")},
}

T = TypeVar("T")
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where and when something was recorded."""

    source: str
    record: int
    number: int | None  # the log's own
    turn: int
    time_s: float | None
    process_id: int | None

    @classmethod
    def of(cls, draft: Draft) -> Mark:
        event = draft.event
        return cls(event.source, event.record, event.record_number, draft.turn, event.time_s, event.process_id)

    def json(self) -> dict[str, str | int]:
        return {"source": self.source, "record": self.record}


@dataclass(slots=True)
class Tally:
    """What speaks for and against one statement; the first few marks of each side are kept."""

    supports: int = 0
    against: int = 0
    aside: int = 0
    rules: Counter[str] = field(default_factory=Counter)  # rows that a record contradicts by itself
    examples: dict[str, list[Mark]] = field(default_factory=lambda: {"supports": [], "against": [], "aside": []})

    def note(self, side: str, mark: Mark) -> None:
        setattr(self, side, getattr(self, side) + 1)
        if len(self.examples[side]) < EXAMPLES:
            self.examples[side].append(mark)

    def take_back(self, mark: Mark) -> None:
        """One support less: the record turned out to be the first of a contradiction."""
        self.supports -= 1
        if mark in self.examples["supports"]:
            self.examples["supports"].remove(mark)


class Recent(Generic[T]):
    """The last things by key; what was not noted for longest goes first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._things: OrderedDict[Key, T] = OrderedDict()
        self.evicted = 0

    def note(self, key: Key, thing: T) -> None:
        self._things[key] = thing
        self._things.move_to_end(key)
        if len(self._things) > self._limit:
            self._things.popitem(last=False)
            self.evicted += 1

    def get(self, key: Key) -> T | None:
        return self._things.get(key)

    def pop(self, key: Key) -> T | None:
        return self._things.pop(key, None)


@dataclass(slots=True)
class _Flow:
    """An authorized flow: its first and its last record."""

    first: Mark
    last: Mark
    again: bool = False  # a further record has spoken against "once"
    crossed: bool = False  # a record of the other direction has spoken about it


class _Host:
    """What one host's records have shown so far."""

    def __init__(self, limit: int) -> None:
        self.flows: Recent[_Flow] = Recent(limit)  # by direction, both ends, kind and process
        self.ends: Recent[_Flow] = Recent(limit)  # the same without the process
        self.binds: Recent[Mark] = Recent(limit)  # by protocol and port
        self.fresh: Recent[Mark] = Recent(limit)  # binds without a flow yet
        self.halves: Recent[tuple[int, Mark]] = Recent(limit)  # one half of a dual-stack bind
        self.unbound: Recent[Mark] = Recent(limit)  # flows of ports without bind
        self.heard: Recent[Mark] = Recent(limit)  # receives whose sender was not recorded yet
        self.errors: Recent[Mark] = Recent(limit)  # ICMP errors that came in
        self.errors_sent: Recent[Mark] = Recent(limit)  # ICMP errors that were to go out, by peer
        self.refused: Recent[Mark] = Recent(limit)  # refused senders
        self.group_drops: Recent[Mark] = Recent(limit)  # senders whose group datagrams found no socket
        self.has_binds = self.has_errors_sent = False
        self.ids: Counter[int] = Counter()
        self.alone: dict[int, list[Mark]] = {5152: [], 5157: []}  # reports without their other half: the first few
        self.alone_counts: Counter[int] = Counter()
        self.drops_alone: list[Mark] = []
        self.drops_alone_count = 0

    @property
    def evicted(self) -> int:
        kinds = (self.flows, self.ends, self.binds, self.fresh, self.halves, self.unbound, self.heard, self.errors,
                 self.errors_sent, self.refused, self.group_drops)  # fmt: skip
        return sum(kind.evicted for kind in kinds)


class Watch:
    """The tallies of all statements: `for e in explainer.run(items): watch.add(e)`, then `tallies()`.

    Parameters
    ----------
    limit : things of each kind that are remembered per host.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._hosts: dict[str, _Host] = {}
        self._tallies = {name: Tally() for name in STATEMENTS}

    @property
    def evicted(self) -> int:
        return sum(host.evicted for host in self._hosts.values())

    def add(self, explained: Explained) -> None:
        """Count one record, in order; a record given twice is passed by."""
        draft = explained.draft
        if draft.is_repeat:
            return
        host = self._hosts.get(draft.host)
        if host is None:
            host = self._hosts[draft.host] = _Host(self._limit)
        if draft.event.event_id is not None:
            host.ids[draft.event.event_id] += 1
        self._place(explained)
        self._reasons(draft)
        stem, permit = draft.reading.stem, draft.reading.verdict == "permit"
        if stem in _CLOSURES:
            self._note("close_is_not_indicated", "against", Mark.of(draft))
        elif stem == "ALE_RESOURCE_ASSIGNMENT" and permit:
            self._bind(draft, host)
        elif stem in ("ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT"):
            if not permit:
                self._refusal(explained, host)
            elif not draft.reauthorized and draft.ends.local is not None and draft.ends.remote is not None:
                self._flow(draft, host)
        elif stem == "INBOUND_ICMP_ERROR":
            host.errors.note(_ends(draft), Mark.of(draft))
            self._note("icmp_error_not_authorized", "supports", Mark.of(draft))
        elif draft.is_suppressed_error:
            self._error_sent(draft, host)
        elif draft.is_drop and draft.event.protocol == 17:
            self._drop(explained, host)

    def tallies(self) -> dict[str, Tally]:
        """By statement; with what can be judged only at the end of the log. Call it once."""
        for host in self._hosts.values():
            twice = self._tallies["refusal_reported_twice"]
            for event_id, other in (_TOLD_TWICE, _TOLD_TWICE[::-1]):
                _late(
                    twice, "against" if host.ids[other] else "aside", host.alone[event_id], host.alone_counts[event_id]
                )
            side = "against" if host.has_errors_sent else "aside"
            _late(self._tallies["drop_does_not_stop_icmp_error"], side, host.drops_alone, host.drops_alone_count)
            host.alone_counts.clear()
            host.drops_alone_count = 0
        return self._tallies

    def _note(self, name: str, side: str, mark: Mark) -> None:
        self._tallies[name].note(side, mark)

    # -- one record by itself

    def _place(self, explained: Explained) -> None:
        draft, mark = explained.draft, Mark.of(explained.draft)
        stem, rule, event_id = draft.reading.stem, explained.rule, draft.event.event_id
        if not rule:
            outside = not stem or any(part in stem for part in _NOT_RUN)
            self._note("every_record_has_a_rule", "aside" if outside else "against", mark)
            return
        self._note("every_record_has_a_rule", "supports", mark)
        if event_id is None or draft.reading.inferred:
            return
        named = event_id in _LOGGED.get(rule, ())
        # 5153, the veto, stands for 5152 wherever a block can be logged.
        named = named or (draft.reading.verdict == "veto" and bool(_LOGGED.get(rule)))
        self._note("event_as_the_rule_says", "supports" if named else "against", mark)
        if not named:
            self._tallies["event_as_the_rule_says"].rules[rule] += 1

    def _reasons(self, draft: Draft) -> None:
        reason, stem = draft.event.reauthorize_reason or 0, draft.reading.stem
        if not reason or not stem:
            return
        mark, inbound = Mark.of(draft), stem == "ALE_AUTH_RECV_ACCEPT"
        at_auth = inbound or stem == "ALE_AUTH_CONNECT"
        self._note("reauthorized_at_auth_layers_only", "supports" if at_auth else "against", mark)
        if reason & NEW_INBOUND_GROUP_PACKET:
            fits = inbound and draft.group is not None
            self._note("group_reason_inbound_only", "supports" if fits else "against", mark)
        if reason & CLASSIFY_COMPLETION and at_auth:
            self._note("completion_at_connect_only", "against" if inbound else "supports", mark)

    # -- binds

    def _bind(self, draft: Draft, host: _Host) -> None:
        event, local, mark = draft.event, draft.ends.local, Mark.of(draft)
        if local is None or local.port is None:
            return
        host.has_binds = True
        key = (event.protocol, local.port)
        second = self._halves(draft, host, mark)
        before = host.binds.get(key)
        if before is not None and not second and _after(before, mark) not in (None, 0.0):
            self._note("close_is_not_indicated", "supports", mark)
        flow = host.unbound.pop((*key, event.process_id))
        if flow is not None and local.port >= DYNAMIC_PORTS_FROM and _within(_after(flow, mark), LOOK_AHEAD_S):
            self._note("bind_before_flow", _if_sure(flow, mark), mark)
        host.binds.note(key, mark)
        if not second:
            host.fresh.note(key, mark)
        if event.protocol == 17 and event.filter_id is not None:
            by_filter = "against" if event.filter_id else "supports"
            if local.port >= DYNAMIC_PORTS_FROM:
                self._note("port_zero_sets_the_flag", by_filter, mark)
            elif local.kind == "unspecified":
                self._note("any_address_sets_the_flag", by_filter, mark)

    def _halves(self, draft: Draft, host: _Host, mark: Mark) -> bool:
        """Whether this is the second record of a dual-stack bind; V4 is to come first."""
        local, layer = draft.ends.local, draft.reading.layer
        if local is None or local.address != "::" or layer is None:
            return False
        key = (draft.event.protocol, local.port, mark.process_id)
        other = host.halves.pop(key)
        if other is not None and other[0] != layer.runtime_id and _near(other[1], mark):
            v4_first = other[0] == FIRST_ASSIGNMENT
            self._note("dual_stack_v4_first", "supports" if v4_first else _if_sure(other[1], mark), mark)
            return True
        host.halves.note(key, (layer.runtime_id, mark))
        return False

    # -- flows

    def _flow(self, draft: Draft, host: _Host) -> None:
        """A permitted record at an AUTH layer that is no reauthorization by its own words."""
        way = "out" if draft.reading.stem == "ALE_AUTH_CONNECT" else "in"
        kind = "group" if draft.is_group_packet else {"udp": "udp", "icmp_echo": "echo"}.get(draft.traffic, "icmp")
        mark = Mark.of(draft)
        if draft.icmp is not None and draft.traffic == "icmp_echo":
            reply = (draft.event.protocol, draft.icmp[0]) in _ECHO_REPLIES
            self._note("icmp_replies_not_authorized", "against" if reply else "supports", mark)
        flow, is_new = self._once(draft, host, kind, way, mark)
        if kind == "udp":
            self._crossed(draft, host, way, mark)
            if is_new:
                self._note("reply_not_accepted" if way == "out" else "answer_not_connected", "supports", mark)
            if way == "out":
                self._after_error(draft, host, mark)
        self._order(
            draft, host, "own_copy_after_send" if kind == "group" else "sender_before_receiver", way, mark, is_new
        )
        if is_new and way == "out" and kind in ("udp", "group"):
            self._bound_before(draft, host, mark)
        host.ends.note((way, *_ends(draft)), flow)

    def _once(self, draft: Draft, host: _Host, kind: str, way: str, mark: Mark) -> tuple[_Flow, bool]:
        """The flow of this record, and whether the record begins it."""
        name = _ONCE[kind, way]
        key = (way, *_ends(draft), mark.process_id)
        flow = host.flows.get(key)
        gap = None if flow is None else _after(flow.last, mark)
        lifetime = GROUP_LIFETIME_S if kind == "group" else FLOW_LIFETIME_S
        has_socket = kind in ("udp", "group") and draft.event.protocol == 17
        rebound = flow is not None and has_socket and self._bound_since(draft, host, flow.last)
        if flow is None or gap is None or rebound or not 0 <= gap <= lifetime:
            if (
                flow is not None
                and kind == "udp"
                and gap is not None
                and gap > lifetime
                and not rebound
                and host.has_binds
            ):
                self._note("idle_after_60_s", "supports", mark)
            flow = _Flow(mark, mark)
            host.flows.note(key, flow)
            self._note(name, "supports", mark)
            return flow, True
        same_moment = kind == "group" and way == "in" and gap <= SAME_MOMENT_S
        # Group datagrams come in whatever socket takes them; elsewhere a new socket would explain a new record.
        untold = has_socket and (kind, way) != ("group", "in") and not host.has_binds
        if same_moment or untold:
            self._note(name, "aside", mark)
        else:
            if not flow.again:
                self._tallies[name].take_back(flow.first)
                flow.again = True
            self._note(name, "against", mark)
            if kind == "udp":
                self._note("idle_after_60_s", "against", mark)
        flow.last = mark
        host.flows.note(key, flow)
        return flow, False

    def _crossed(self, draft: Draft, host: _Host, way: str, mark: Mark) -> None:
        """A record of one direction about a flow that lives in the other."""
        name, there = ("reply_not_accepted", "out") if way == "in" else ("answer_not_connected", "in")
        flow = host.ends.get((there, *_ends(draft)))
        if (
            flow is None
            or draft.ends.local == draft.ends.remote
            or not _within(_after(flow.last, mark), FLOW_LIFETIME_S)
        ):
            return
        own = flow.last.process_id == mark.process_id and host.has_binds
        other_socket = not own or self._bound_since(draft, host, flow.last)
        if not flow.crossed:
            self._tallies[name].take_back(flow.first)
            flow.crossed = True
        self._note(name, "aside" if other_socket else "against", mark)

    def _after_error(self, draft: Draft, host: _Host, mark: Mark) -> None:
        error = host.errors.get(_ends(draft))
        if error is None or not _within(_after(error, mark), FLOW_LIFETIME_S) or self._bound_since(draft, host, error):
            return
        host.errors.pop(_ends(draft))
        # The error can be written before the record of the send that it is about.
        gap = _after(error, mark) or 0.0
        first = host.ends.get(("out", *_ends(draft))) is None and gap <= SAME_MOMENT_S
        self._tallies["icmp_error_not_authorized"].take_back(error)
        self._note("icmp_error_not_authorized", "aside" if first else "against", mark)

    def _order(self, draft: Draft, host: _Host, name: str, way: str, mark: Mark, is_new: bool) -> None:
        """Sender and receiver on one host: which of their records comes first."""
        mirrored = _ends(draft, turned=True)
        if way == "in":
            sent = host.ends.get(("out", *mirrored))
            if sent is not None and _within(_after(sent.last, mark), FLOW_LIFETIME_S):
                if is_new:
                    self._note(name, "supports", mark)
            elif is_new:
                host.heard.note(_ends(draft), mark)
            return
        heard = host.heard.pop(mirrored)
        if heard is not None and _within(_after(heard, mark), LOOK_AHEAD_S):
            self._note(name, _if_sure(heard, mark), mark)

    def _bound_before(self, draft: Draft, host: _Host, mark: Mark) -> None:
        local = draft.ends.local
        if local is None or local.port is None:
            return
        key = (draft.event.protocol, local.port)
        bound = host.fresh.pop(key)
        if bound is not None:
            same = bound.process_id == mark.process_id
            self._note("bind_before_flow", "supports" if same else "against", mark)
        elif host.binds.get(key) is None:
            host.unbound.note((*key, mark.process_id), mark)

    def _bound_since(self, draft: Draft, host: _Host, mark: Mark) -> bool:
        local = draft.ends.local
        bound = host.binds.get((draft.event.protocol, local.port)) if local is not None else None
        return bound is not None and bound.turn > mark.turn

    # -- what was not let through

    def _refusal(self, explained: Explained, host: _Host) -> None:
        draft, mark = explained.draft, Mark.of(explained.draft)
        inbound, event_id = draft.reading.stem == "ALE_AUTH_RECV_ACCEPT", draft.event.event_id
        if explained.counts and inbound:
            self._note("refusal_sends_no_icmp_error", "supports", mark)
            host.refused.note(_peer(draft), mark)
        if draft.partner is None and event_id in host.alone:
            host.alone_counts[event_id] += 1
            if len(host.alone[event_id]) < EXAMPLES:
                host.alone[event_id].append(mark)
        elif draft.partner is not None and draft.is_second:
            self._note("refusal_reported_twice", "supports", mark)
            if inbound:
                sure = gap_s(draft.partner, draft) != 0 or draft.event.record_number is not None
                side = "supports" if event_id == 5157 else "against"
                self._note("packet_report_first", side if sure else "aside", mark)

    def _error_sent(self, draft: Draft, host: _Host) -> None:
        mark, drop = Mark.of(draft), draft.partner
        host.has_errors_sent = True
        host.errors_sent.note(_peer(draft), mark)
        if drop is not None:
            self._note("icmp_error_follows_drop", "supports" if drop.turn < draft.turn else "aside", mark)
            return
        # An error comes from the host's own address: that of a group datagram is known by its peer only.
        for name, causes in (
            ("no_icmp_error_for_group", host.group_drops),
            ("refusal_sends_no_icmp_error", host.refused),
        ):
            cause = causes.pop(_peer(draft))
            if cause is not None and _within(_after(cause, mark), LOOK_AHEAD_S):
                self._tallies[name].take_back(cause)
                self._note(name, "against", mark)
                return
        self._note("icmp_error_follows_drop", "against", mark)

    def _drop(self, explained: Explained, host: _Host) -> None:
        draft, mark = explained.draft, Mark.of(explained.draft)
        at_ip = draft.reading.stem == "INBOUND_IPPACKET"
        sure = draft.copy_of is None and (at_ip or explained.confidence == "certain" or explained.code == "late_reply")
        self._note("discarded_at_ip_layer", "aside" if not sure else "supports" if at_ip else "against", mark)
        if at_ip or draft.copy_of is not None:
            return
        if is_many(draft.ends.local):
            self._note("no_icmp_error_for_group", "supports", mark)
            host.group_drops.note(_peer(draft), mark)
        elif draft.partner is not None:
            self._note("drop_does_not_stop_icmp_error", "supports", mark)
        elif (sent := host.errors_sent.get(_peer(draft))) is not None and _within(_after(sent, mark), LOOK_AHEAD_S):
            self._note("drop_does_not_stop_icmp_error", "aside", mark)
        else:
            host.drops_alone_count += 1
            if len(host.drops_alone) < EXAMPLES:
                host.drops_alone.append(mark)


def _late(tally: Tally, side: str, marks: list[Mark], count: int) -> None:
    for mark in marks[:count]:
        tally.note(side, mark)
    setattr(tally, side, getattr(tally, side) + max(0, count - len(marks)))


def _ends(draft: Draft, turned: bool = False) -> Key:
    """The tuple of a record; turned round, that of the other side on the same host."""
    ends = draft.ends
    both = (ends.remote, ends.local) if turned else (ends.local, ends.remote)
    return (draft.event.protocol, *both, draft.icmp)


def _peer(draft: Draft) -> Key:
    return (draft.ends.remote.address if draft.ends.remote else None,)


def _after(before: Mark, mark: Mark) -> float | None:
    """How long after `before`; None where a time is missing."""
    return None if before.time_s is None or mark.time_s is None else mark.time_s - before.time_s


def _if_sure(before: Mark, mark: Mark) -> str:
    """Against, if it is certain that `before` was logged first: a time is shared, and records can have no number."""
    numbered = before.number is not None and mark.number is not None
    return "against" if numbered or _after(before, mark) != 0 else "aside"


def _within(gap: float | None, limit_s: float) -> bool:
    return gap is not None and 0 <= gap <= limit_s


def _near(before: Mark, mark: Mark) -> bool:
    gap = _after(before, mark)
    return mark.turn - before.turn == 1 if gap is None else abs(gap) <= LOOK_AHEAD_S
