"""What the rules claim and records can contradict, as data: one entry for each claim.

A claim is worded so that a record can speak against it. Where sources disagree (`choice`), the claim is that of the
option named, so that records against it speak for another option. How records are counted is in `watching.py`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from fsm.names import DONE, IDLE, WINDOWS
from fsm.rules import RULES


@dataclass(frozen=True, slots=True)
class Statement:
    """One claim.

    Parameters
    ----------
    text : the claim; `against` : what in a record contradicts it; `aside` : what looks like that and proves nothing.
    facts : numbers of `fsm.facts`, or a whole part of them.
    unit : what `supports` counts. `against` and `set aside` count records.
    rules : keys of the rows that make the claim.
    choice : the option that makes it, "no_listener=ippacket"; "" where every option does.
    confirms : rows that a record in favour shows; `instead` : rows that a record against shows.
    """

    name: str
    text: str
    against: str
    facts: tuple[str, ...]
    unit: str
    rules: tuple[str, ...]
    choice: str = ""
    aside: str = ""
    confirms: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()

    @property
    def cite(self) -> tuple[str, ...]:
        """The sources (`fsm.sources`) of the rules that make the claim, the one that most of them cite first."""
        cited = Counter(key for row in RULES if row.key in self.rules for key in row.cite)
        return tuple(key for key, _ in cited.most_common())


def rows(at: str, event: str = "", next_at: str = "", **has: str) -> tuple[str, ...]:
    """Keys of the rules at this position, whose guards or choices of these names allow these values.

    Logs do not name their Windows: rows that the newest one no longer has are left out.
    """
    found = []
    for row in RULES:
        if not row.on_windows(WINDOWS[-1]):
            continue
        named = dict((*row.when, *row.choices))
        fits = row.at == at and event in ("", row.event) and next_at in ("", row.next)
        if fits and all(value in named.get(name, ()) for name, value in has.items()):
            found.append(row.key)
    return tuple(found)


def only(dispute: str, option: str) -> tuple[str, ...]:
    """Keys of the rules that stand under this option and no other."""
    return tuple(row.key for row in RULES if (dispute, (option,)) in row.choices)


_SENT_ON = rows(IDLE, "sendto", "send.data", flow="OUT", protocol="udp")
_HEARD_ON = rows("receive.transport", "permit", "receive.data", flow="OUT", to="unicast")
_TO_ERROR = rows("drop.transport_discard", "block", "drop.icmp_error")
_REFUSED_IN = (*rows("receive.accept", "block", flow="NONE"), *rows("receive.group_accept", "block"))
_REFUSED_OUT = (*rows("send.authorize", "block", flow="NONE"), *rows("send.group_authorize", "block"))
_ANOTHER_SOCKET = "another socket can be meant: bound between, of another process, or in a log without binds"
_SAME_MOMENT = "both in one moment, whose records have no certain order"

STATEMENTS: dict[str, Statement] = {
    statement.name: statement
    for statement in (
        Statement(
            "authorized_once",
            "An outbound UDP flow is authorized at AUTH_CONNECT once; while it lives, its datagrams are not.",
            "AUTH_CONNECT again for the same socket and peer within 60 s, without a bind between",
            ("a.3", "a.4"),
            "flows with one record",
            _SENT_ON,
            aside=_ANOTHER_SOCKET,
        ),
        Statement(
            "accepted_once",
            "An inbound UDP flow is authorized at AUTH_RECV_ACCEPT once; while it lives, its datagrams are not.",
            "AUTH_RECV_ACCEPT again for the same socket and peer within 60 s, without a bind between",
            ("a.7",),
            "flows with one record",
            _HEARD_ON,
            aside=_ANOTHER_SOCKET,
        ),
        Statement(
            "reply_not_accepted",
            "An answer on an outbound flow reaches its socket without AUTH_RECV_ACCEPT.",
            "AUTH_RECV_ACCEPT from the peer of an outbound flow that is younger than 60 s",
            ("a.8.1", "a.8.2", "a.8.3"),
            "outbound flows without such a record",
            _HEARD_ON,
            aside=_ANOTHER_SOCKET,
        ),
        Statement(
            "answer_not_connected",
            "An answer sent on an inbound flow leaves without AUTH_CONNECT.",
            "AUTH_CONNECT to the peer of an inbound flow that is younger than 60 s",
            ("a.8.1",),
            "inbound flows without such a record",
            rows(IDLE, "sendto", "send.data", flow="IN", protocol="udp"),
            aside=_ANOTHER_SOCKET,
        ),
        Statement(
            "idle_after_60_s",
            "A UDP flow ends after 60 s without a datagram, not earlier; the next one is authorized again.",
            "authorized again within 60 s, without a bind between",
            ("a.14.1", "a.14.2"),
            "flows authorized again after more than 60 s",
            rows(IDLE, "idle_timeout"),
            confirms=rows(IDLE, "idle_timeout"),
        ),
        Statement(
            "icmp_authorized_once",
            "ICMP messages other than echo share a flow by addresses, type and code, which is authorized once.",
            "the same message to or from the same host is authorized again within 60 s",
            ("a.16.2",),
            "flows with one record",
            rows(IDLE, "sendto", "send.data", flow="OUT", protocol="raw"),
        ),
        Statement(
            "echo_requests_share_a_flow",
            "The echo requests of one ping run share a flow: the first is authorized, the others are not.",
            "the same echo request is authorized again within 60 s",
            ("a.16.2", "a.16.4", "g.17"),
            "runs with one record",
            only("icmp_echo_flow", "shared"),
            "icmp_echo_flow=shared",
            instead=rows(IDLE, "sendto", icmp_echo_flow="per_request"),
        ),
        Statement(
            "icmp_replies_not_authorized",
            "Of a ping the requests are authorized, the replies are not.",
            "an echo reply at an AUTH layer",
            ("a.16.3",),
            "echo requests",
            _HEARD_ON,
        ),
        Statement(
            "icmp_error_not_authorized",
            "An ICMP error about a flow leaves it alone: no new AUTH_CONNECT of the flow follows.",
            "AUTH_CONNECT of the same socket and peer within 60 s after the error, without a bind between",
            ("a.10.1", "a.10.5"),
            "errors without such a record",
            (*rows(IDLE, "icmp_error"), *rows("icmp.error", "block")),
            aside=_SAME_MOMENT,
        ),
        Statement(
            "group_sent_once",
            "Datagrams to a group are authorized once, and again after 4 s without one.",
            "AUTH_CONNECT again for the same socket and group within 4 s, without a bind between",
            ("a.15.1", "a.15.3", "a.15.6"),
            "group flows with one record",
            rows(IDLE, "sendto_group", "send.data"),
            aside=_ANOTHER_SOCKET,
        ),
        Statement(
            "group_received_once",
            "Inbound group datagrams are one flow, and not each of them is authorized.",
            "AUTH_RECV_ACCEPT again for the same group and sender within 4 s",
            ("a.11.5", "a.15.2", "a.15.3", "a.15.4", "g.16"),
            "senders and groups with one record",
            only("multicast_reauthorization", "once"),
            "multicast_reauthorization=once",
            "in the same moment: one record for each of several sockets",
            instead=rows("receive.transport", "permit", "receive.group_accept"),
        ),
        Statement(
            "sender_before_receiver",
            "On one host the sender's AUTH_CONNECT comes before the receiver's AUTH_RECV_ACCEPT.",
            "AUTH_RECV_ACCEPT up to 1 s before the AUTH_CONNECT of the same datagram",
            ("a.6", "a.17"),
            "flows within one host",
            rows("send.authorize", "permit", "send.establish", flow="NONE"),
            aside=_SAME_MOMENT,
        ),
        Statement(
            "own_copy_after_send",
            "The host's own copy of a group datagram is authorized inbound after the outbound record.",
            "the copy's AUTH_RECV_ACCEPT up to 1 s before the AUTH_CONNECT",
            ("a.15.5",),
            "group flows heard on the host that sent them",
            rows("send.ippacket", "permit", to="group"),
            aside=_SAME_MOMENT,
            confirms=rows("send.ippacket", "permit", to="group"),
        ),
        Statement(
            "dual_stack_v4_first",
            "A dual-stack bind is assigned at V4, then at V6, with the same port and address ::.",
            "V6 up to 1 s before V4",
            ("a.1.6",),
            "pairs",
            rows("bind.assign", "permit", "bind.assign_v6"),
            aside=_SAME_MOMENT,
        ),
        Statement(
            "bind_before_flow",
            "A first datagram to a peer leaves a socket that was bound before, by the same process.",
            "another process than the one that bound the port, or a bind up to 1 s after the flow",
            ("a.2.1",),
            "binds with a flow after them",
            rows(IDLE, "sendto", socket="UNBOUND"),
            aside=_SAME_MOMENT,
        ),
        Statement(
            "discarded_at_ip_layer",
            "A UDP datagram that finds no socket is discarded at INBOUND_IPPACKET_DISCARD (1/3), "
            "and INBOUND_TRANSPORT_DISCARD (13/15) is not asked.",
            "a drop at INBOUND_TRANSPORT_DISCARD",
            ("a.9.1", "a.9.2", "a.9.3", "g.3"),
            "drops at 1/3",
            only("no_listener", "ippacket"),
            "no_listener=ippacket",
            "a record with its ports exchanged, or a port that was in use",
        ),
        Statement(
            "icmp_error_follows_drop",
            "The ICMP error for a datagram without socket is asked about after the drop of that datagram.",
            "an ICMP error at 32/34 with no drop of a datagram of the same peer in the second before it",
            ("a.9.2",),
            "errors after a drop",
            _TO_ERROR,
            aside=_SAME_MOMENT,
        ),
        Statement(
            "drop_does_not_stop_icmp_error",
            "A drop at INBOUND_TRANSPORT_DISCARD does not keep UDP from attempting its ICMP error.",
            "a drop without a record at 32/34, on a host that has such records",
            ("a.9.4", "a.9.5"),
            "drops with their error",
            _TO_ERROR,
            "icmp_rate_limit=open",
            "an error to the same peer within 1 s (rate limit, or one record for a burst), or a host without records "
            "at 32/34",
        ),
        Statement(
            "no_icmp_error_for_group",
            "A group datagram without socket gets no ICMP error.",
            "an ICMP error at 32/34 to its sender within 1 s, without another drop that explains it",
            ("a.9.9",),
            "drops of group datagrams",
            rows("drop.transport_discard", "block", DONE, to="group"),
        ),
        Statement(
            "refusal_sends_no_icmp_error",
            "A datagram refused at AUTH_RECV_ACCEPT gets no ICMP error.",
            "an ICMP error at 32/34 to its sender within 1 s, without another drop that explains it",
            ("a.9.9", "b.4/AUTH_RECV_ACCEPT"),
            "refusals",
            _REFUSED_IN,
        ),
        Statement(
            "refusal_reported_twice",
            "A refused flow gives a 5152 and a 5157.",
            "one without the other, on a host whose log has records of both kinds",
            ("b.4/AUTH_CONNECT", "b.4/AUTH_RECV_ACCEPT", "b.4.2"),
            "pairs",
            (*_REFUSED_IN, *_REFUSED_OUT),
            aside="on a host whose log has no record of the other kind: it was not audited",
        ),
        Statement(
            "packet_report_first",
            "Of a refused inbound flow 5152 comes before 5157.",
            "5157 before 5152",
            ("b.4/AUTH_RECV_ACCEPT",),
            "pairs",
            _REFUSED_IN,
            aside=f"{_SAME_MOMENT} (and no record number)",
        ),
        Statement(
            "close_is_not_indicated",
            "No layer sees the end of a UDP socket.",
            "a record at ENDPOINT_CLOSURE or RESOURCE_RELEASE",
            ("a.13.1", "a.13.2", "g.2"),
            "ports bound anew with no such record (weak: the layers are not audited)",
            only("close", "nothing"),
            "close=nothing",
        ),
        Statement(
            "completion_at_connect_only",
            "A pended flow is authorized again on completion at AUTH_CONNECT; at AUTH_RECV_ACCEPT a clone comes in "
            "afresh.",
            "reason CLASSIFY_COMPLETION at AUTH_RECV_ACCEPT",
            ("a.12.3", "g.10"),
            "completions at AUTH_CONNECT",
            only("recv_accept_completion", "reinject"),
            "recv_accept_completion=reinject",
        ),
        Statement(
            "reauthorized_at_auth_layers_only",
            "Only the two AUTH layers authorize again.",
            "a reason for reauthorization at another layer",
            ("a.11.1", "g.9"),
            "records with a reason at an AUTH layer",
            only("bind_reauthorization", "never"),
            "bind_reauthorization=never",
        ),
        Statement(
            "group_reason_inbound_only",
            "Reason NEW_INBOUND_MCAST_BCAST_PACKET belongs to AUTH_RECV_ACCEPT and to group datagrams.",
            "the reason at another layer, or for a unicast datagram",
            ("a.11.5",),
            "records with that reason",
            rows("receive.group_accept"),
        ),
        Statement(
            "port_zero_sets_the_flag",
            "IS_WILDCARD_BIND goes with port 0: such binds match no filter (FilterRTID 0), whatever the address.",
            "a UDP bind of an ephemeral port with a filter id",
            ("g.14",),
            "UDP binds of ephemeral ports without filter id",
            (),
            "wildcard_bind=port_zero",
        ),
        Statement(
            "any_address_sets_the_flag",
            "IS_WILDCARD_BIND goes with the wildcard address: such binds match no filter (FilterRTID 0).",
            "a UDP bind of a fixed port on the wildcard address with a filter id",
            ("g.14",),
            "UDP binds of fixed ports on the wildcard address without filter id",
            (),
            "wildcard_bind=any_address",
        ),
        Statement(
            "event_as_the_rule_says",
            "A record's event is one that its rule names.",
            "a Security event that the rule does not name",
            ("b.4", "e.1/ids"),
            "Security events",
            (),
        ),
        Statement(
            "every_record_has_a_rule",
            "Each record about a UDP, ICMP or other datagram or socket stands on a rule.",
            "no rule asks that layer with that verdict",
            ("a", "b"),
            "records",
            (),
            aside="layers that the model draws and does not run (forwarding, virtual switch), or no layer recorded",
        ),
    )
}
