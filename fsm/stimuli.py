"""What can happen to an endpoint, the positions at which work on it can stand, and the endpoints themselves."""

from __future__ import annotations

from dataclasses import dataclass

from fsm.names import REGISTERS, Scope
from fsm.reasons import STALE_REASONS
from fsm.rows import Position, Stimulus

_UNICAST, _GROUP = ("to", "unicast"), ("to", "group")
_INJECTED = ("injected", "self")

STIMULI: dict[str, Stimulus] = {
    stimulus.name: stimulus
    for stimulus in (
        Stimulus("bind", ("socket",), "the application binds the socket", with_peer=False),
        Stimulus("connect", ("socket",), "the application connects the socket to this peer"),
        Stimulus("connect_other", ("socket",), "the application connects the socket to another peer"),
        Stimulus("sendto", ("socket",), "the application sends a datagram to this peer", (_UNICAST,), ("send",), "outbound"),
        Stimulus("sendto_group", ("socket",), "the application sends a datagram to a multicast group or broadcast address", (_GROUP,), ("multicast", "broadcast", "send_group"), "outbound", with_peer=False),
        Stimulus("datagram", ("socket", "host"), "a datagram of this peer arrives", (_UNICAST,), ("receive", "recv", "recvfrom", "arrive", "arrives"), "inbound"),
        Stimulus("datagram_group", ("socket", "host"), "a datagram to a multicast group or broadcast address arrives", (_GROUP,), ("receive_group",), "inbound"),
        Stimulus("inject_send", ("socket",), "a callout injects a datagram to this peer into the send path", (_UNICAST, _INJECTED), (), "outbound", seen_by_application=False),
        Stimulus("inject_receive", ("socket",), "a callout injects a datagram of this peer into the receive path", (_UNICAST, _INJECTED), (), "inbound"),
        Stimulus("complete", ("socket",), "the callout completes what it pended, with permit", (_UNICAST,)),
        Stimulus("complete_block", ("socket",), "the callout completes what it pended, with block"),
        Stimulus("complete_group", ("socket",), "the callout completes a pended send to a group, with permit", (_GROUP,), with_peer=False),
        Stimulus("complete_group_block", ("socket",), "the callout completes a pended send to a group, with block", (_GROUP,), with_peer=False),
        Stimulus("icmp_error", ("socket",), "an ICMP port-unreachable about an earlier send arrives", (("icmp", "port_unreachable"),), (), "inbound"),
        Stimulus("icmp_ttl", ("socket",), "an ICMP time-exceeded about an earlier send arrives", (("icmp", "ttl_expired"),), (), "inbound"),
        *(
            Stimulus(reason.stimulus, ("flow",), reason.text, (("stale", "yes"),), per_flow=True, with_peer=False)
            for reason in STALE_REASONS.values()
        ),
        Stimulus("protection_level", ("socket",), "the application sets IPV6_PROTECTION_LEVEL on the bound socket", with_peer=False),
        Stimulus("flow_abort", ("flow",), "a callout ends the flow with FwpsFlowAbort0"),
        Stimulus("idle_timeout", ("flow",), "no packet of the flow for its lifetime (60 s)"),
        Stimulus("window_timeout", ("socket",), "no group datagram was sent for 4 s", with_peer=False),
        Stimulus("close", ("socket",), "the application closes the socket", with_peer=False),
    )
}  # fmt: skip

# How ordinary a stimulus is: what every socket meets, what happens on many machines now and then, and, not listed, what
# only a callout or a rare change of the machine brings.
USUAL: tuple[str, ...] = ("bind", "connect", "sendto", "datagram", "close")
UNCOMMON: tuple[str, ...] = (
    *("connect_other", "sendto_group", "datagram_group", "icmp_error", "icmp_ttl", "policy_change", "idle_timeout"),
    "window_timeout",
)

STIMULUS_ALIASES: dict[str, str] = {alias: s.name for s in STIMULI.values() for alias in s.aliases}

POSITIONS: dict[str, Position] = {
    position.name: position
    for position in (
        Position("bind.redirect", "", "the local address may be rewritten"),
        Position("bind.redirect_again", "", "another callout changed the pended bind: it is classified again"),
        Position("bind.assign", "", "the bind is being authorized"),
        Position("bind.assign_discard", "", "the bind was refused"),
        Position("bind.assign_v6", "", "the bind is being authorized for IPv6 as well"),
        Position("bind.assign_v6_discard", "", "the bind was refused for IPv6"),
        Position("bind.reclassify", "", "an authorized bind is classified again"),
        Position("bind.reclassify_discard", "", "the authorized bind was refused when classified again"),
        Position("connect.redirect", "outbound", "the remote address may be rewritten, at connect()"),
        Position("send.redirect", "outbound", "the remote address may be rewritten, before the route is known"),
        Position("send.authorize", "outbound", "the outbound flow is being authorized"),
        Position("send.authorize_redirected", "outbound", "the redirected flow is being authorized"),
        Position("send.complete", "outbound", "the pended outbound flow is authorized again on completion"),
        Position("send.authorize_discard", "outbound", "the outbound flow was refused"),
        Position("send.group_redirect", "outbound", "the group address may be rewritten, before the route is known"),
        Position("send.group_authorize", "outbound", "the group flow is being authorized"),
        Position("send.group_authorize_redirected", "outbound", "the redirected group flow is being authorized"),
        Position("send.group_complete", "outbound", "the pended group flow is authorized again on completion"),
        Position("send.group_authorize_discard", "outbound", "the group flow was refused"),
        Position("send.group_establish", "outbound", "the group flow has been authorized"),
        Position(
            "send.group_complete_establish",
            "outbound",
            "the completed group flow has been authorized; its datagram is gone",
        ),
        Position("send.reaccept", "outbound", "an inbound flow is authorized again by an outbound packet"),
        Position("send.reaccept_discard", "outbound", "the inbound flow was refused at its reauthorization"),
        Position("send.establish", "outbound", "the flow has been authorized"),
        Position("send.complete_establish", "outbound", "the completed flow has been authorized; its datagram is gone"),
        Position("send.data", "outbound", "the datagram leaves the socket"),
        Position("send.data_discard", "outbound", "the datagram was discarded below the socket"),
        Position("send.transport", "outbound", "the UDP message enters the network layer"),
        Position("send.transport_discard", "outbound", "the UDP message was discarded"),
        Position("send.ippacket", "outbound", "the IP datagram is about to leave, after IPsec, before fragmentation"),
        Position("send.ippacket_discard", "outbound", "the IP datagram was discarded"),
        Position("receive.ippacket", "inbound", "the IP datagram has arrived, before IPsec and reassembly"),
        Position("receive.ippacket_discard", "inbound", "the IP datagram was discarded"),
        Position(
            "receive.connected_discard",
            "inbound",
            "the socket is connected to another peer: the transport layer discards",
        ),
        Position("receive.transport", "inbound", "the UDP message is on its way to the socket found for it"),
        Position("receive.transport_discard", "inbound", "the UDP message was discarded"),
        Position("receive.accept", "inbound", "the inbound flow is being authorized"),
        Position("receive.group_accept", "inbound", "a group datagram authorizes the one global inbound flow again"),
        Position("receive.group_accept_discard", "inbound", "the group datagram was refused"),
        Position("receive.complete", "inbound", "the pended inbound flow is authorized again on completion"),
        Position(
            "receive.complete_establish", "inbound", "the completed flow has been authorized; its datagram is gone"
        ),
        Position("receive.accept_discard", "inbound", "the inbound flow was refused"),
        Position("receive.reconnect", "inbound", "an outbound flow is authorized again by an inbound packet"),
        Position("receive.reconnect_discard", "inbound", "the outbound flow was refused at its reauthorization"),
        Position("receive.establish", "inbound", "the flow has been authorized"),
        Position("receive.data", "inbound", "the datagram is about to be queued for the application"),
        Position("receive.data_discard", "inbound", "the datagram was discarded before delivery"),
        Position("icmp.ippacket", "inbound", "the ICMP error has arrived"),
        Position("icmp.ippacket_discard", "inbound", "the ICMP error was discarded on arrival"),
        Position("icmp.error", "inbound", "the ICMP error is on its way to the socket whose send it reports"),
        Position("icmp.error_discard", "inbound", "the ICMP error was discarded"),
        Position("close.closure", "", "the endpoint is being closed"),
        Position("close.release_v4", "", "the IPv4 port of a dual-stack socket is being released"),
        Position("close.release", "", "the port is being released"),
        Position("drop.ippacket", "inbound", "the IP datagram has arrived; no socket will be found for it"),
        Position("drop.ippacket_blocked", "inbound", "a filter discarded the IP datagram"),
        Position("drop.transport", "inbound", "the UDP message is inspected before a socket is looked for"),
        Position("drop.transport_blocked", "inbound", "a filter discarded the UDP message"),
        Position("drop.transport_discard", "inbound", "no endpoint was found: the transport layer discards"),
        Position("drop.ippacket_discard", "inbound", "port unreachable: the network layer discards"),
        Position("drop.icmp_error", "outbound", "the ICMP destination-unreachable is about to be sent"),
        Position("drop.icmp_error_discard", "outbound", "the ICMP error was discarded"),
        Position("drop.icmp_transport", "outbound", "the ICMP error passes the transport layer"),
        Position("drop.icmp_transport_discard", "outbound", "the ICMP error was discarded"),
        Position("drop.icmp_ippacket", "outbound", "the ICMP error is about to leave"),
        Position("drop.icmp_ippacket_discard", "outbound", "the ICMP error was discarded"),
    )
}


@dataclass(frozen=True, slots=True)
class View:
    """A named endpoint: a start state, the stimuli offered, and what its picture shows."""

    name: str
    scopes: tuple[Scope, ...]
    registers: tuple[str, ...]
    stimuli: tuple[str, ...]
    text: str
    pictured: tuple[str, ...]  # flow directions whose paths the picture draws

    def start(self) -> tuple[str, ...]:
        """The start values of the registers."""
        return tuple(REGISTERS[name][0] for name in self.registers)


_SOCKET_STIMULI = tuple(s.name for s in STIMULI.values())
# A receiver is a socket that other hosts send to first: it does not connect and sends to no group.
_NOT_A_RECEIVERS = (
    *("connect", "connect_other", "sendto_group", "complete_group", "complete_group_block", "window_timeout"),
)
_RECEIVER_STIMULI = tuple(name for name in _SOCKET_STIMULI if name not in _NOT_A_RECEIVERS)

# Sender and receiver are views of one set of rows: a DNS or mDNS socket is both.
VIEWS: dict[str, View] = {
    "sender": View(
        "sender", ("socket", "flow"), tuple(REGISTERS), _SOCKET_STIMULI, "a socket that sends first", ("OUT",)
    ),
    "receiver": View(
        "receiver", ("socket", "flow"), tuple(REGISTERS), _RECEIVER_STIMULI, "a socket that is sent to first", ("IN",)
    ),
    "dropped_port": View(
        "dropped_port", ("host",), (), ("datagram", "datagram_group"), "a host where no socket owns the port", ()
    ),
}
