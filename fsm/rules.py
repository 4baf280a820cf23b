"""The rules: every step of a UDP datagram through the Windows Filtering Platform is one row, with its citation.

This is the single source of truth. Diagrams, machines, the stepper, checks, documents and fast tables are made from
these rows. The flow of one remote peer is described; a socket with many peers keeps one flow record for each.

Where several rows follow one pattern (a packet layer permits, blocks with its discard twin, absorbs), the pattern is
written once and yields plain rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fsm.names import DONE, IDLE, Basis, Scope
from fsm.rows import Discard, Guards, Row, VerdictRefusal

DOC, OBS, INF = Basis.DOCUMENTED, Basis.OBSERVED, Basis.INFERRED

POLICY = Discard("GENERAL", "FIREWALL_POLICY", 0)
NO_ENDPOINT = Discard("TRANSPORT", "InetDiscardEndpointNotFound", 4)
PORT_UNREACHABLE = Discard("NETWORK", "IpDiscardPortUnreachable", 4)

LOST = "sendto returned success; the datagram is lost"
WAITS = "recv waits: nothing arrives"
REMOTE_NOTHING = "nothing arrives"
REMOTE_SENT = "its send succeeded; no answer"
ERROR_SENT = "its ICMP error was sent"


def _g(**values: str) -> Guards:
    """Guards as rows hold them: `_g(flow="OUT|IN")`."""
    return tuple((name, tuple(value.split("|"))) for name, value in values.items())


def _blocks(
    scope: Scope,
    at: str,
    layer: str,
    *,
    cite: tuple[str, ...],
    basis: Basis,
    discard_at: str,
    logged: tuple[int, ...] = (5152,),
    application_sees: str = "",
    remote_sees: str = "",
    when: Guards = (),
    choices: Guards = (),
    sets: tuple[tuple[str, str], ...] = (),
    ops: tuple[str, ...] = ("lose",),
    flags: tuple[str, ...] = (),
    outcome: str = "blocked",
    absorb_outcome: str = "silent",
    note: str = "",
) -> Iterator[Row]:
    """Block and absorb at one layer: a block goes to the discard twin, an absorbed packet leaves no trace."""
    base = Row(
        scope, at, "block", discard_at, layer, cite, basis, when=when, choices=choices, sets=sets, ops=ops, flags=flags,
        outcome=outcome, application_sees=application_sees, remote_sees=remote_sees, logged=logged, note=note,
    )  # fmt: skip
    yield base
    yield replace(
        base, event="absorb", next=DONE, cite=("SDK-out", "TOC"), basis=INF if "drop_flow" in ops else DOC,
        outcome=absorb_outcome, logged=(),
        note="no discard layer and no audit event" + ("; that the flow ends is inferred" if "drop_flow" in ops else ""),
    )  # fmt: skip


def _discard(
    scope: Scope, at: str, layer: str, *, cite: tuple[str, ...] = ("LID",), basis: Basis = DOC, choices: Guards = ()
) -> Iterator[Row]:
    """The discard twin after a block by a filter: what is said there changes nothing any more."""
    note = "module GENERAL, reason FIREWALL_POLICY; that a filter's block gives this reason is inferred"
    yield Row(scope, at, "permit", DONE, layer, cite, basis, choices=choices, discard=POLICY, note=note)
    yield Row(
        scope, at, "block", DONE, layer, ("INFERRED",), INF, choices=choices, discard=POLICY,
        note="the item is discarded already; a second block changes nothing",
    )  # fmt: skip


def _packet(
    scope: Scope,
    at: str,
    layer: str,
    *,
    cite: tuple[str, ...],
    to: str,
    basis: Basis = DOC,
    ops: tuple[str, ...] = (),
    outcome: str = "",
    application_sees: str = "",
    remote_sees: str = "",
    blocked_application: str,
    blocked_remote: str,
    block_cite: tuple[str, ...] = ("LID", "AUD"),
    block_outcome: str = "blocked",
) -> Iterator[Row]:
    """A packet layer that permits in one way only, with its block, absorb and discard rows."""
    yield Row(
        scope, at, "permit", to, layer, cite, basis, ops=ops,
        outcome=outcome, application_sees=application_sees, remote_sees=remote_sees,
    )  # fmt: skip
    yield from _blocks(
        scope, at, layer, cite=block_cite, basis=DOC, discard_at=f"{at}_discard", outcome=block_outcome,
        application_sees=blocked_application, remote_sees=blocked_remote,
    )  # fmt: skip
    yield from _discard(scope, f"{at}_discard", f"{layer}_DISCARD")


# Columns beat the formatter here.
# fmt: off
def _bind() -> Iterator[Row]:
    """Explicit bind, and the implicit one inside the first sendto: the stimulus says where to go back to."""
    for stimulus, refused in (("bind", "bind fails with WSAEACCES (10013)"), ("sendto", "sendto fails; its error code is not documented")):
        unbound = _g(socket="UNBOUND")
        cite = ("UDPF", "RED") if stimulus == "bind" else ("ALEL", "WSK-sendto", "MVD")
        old_cite = ("UDPF", "ALEL") if stimulus == "bind" else ("ALEL", "WSK-sendto")
        yield Row("socket", IDLE, stimulus, "bind.redirect", None, cite, DOC, when=unbound, since="7")
        yield Row("socket", IDLE, stimulus, "bind.assign",   None, old_cite, DOC, when=unbound, until="vista-sp1",
                  note="the redirect layers came with Windows 7")
        yield Row("socket", "bind.redirect", "block", DONE, "ALE_BIND_REDIRECT", ("INFERRED",), INF, when=_g(stimulus=stimulus), since="7",
                  ops=("lose",) if stimulus == "sendto" else (), outcome="blocked", application_sees=refused,
                  note="this layer has no discard twin; an event for such a block was not found")
        yield Row("socket", "bind.assign", "block", "bind.assign_discard", "ALE_RESOURCE_ASSIGNMENT", ("LID", "AUD", "EBPF"),
                  OBS if stimulus == "bind" else INF, when=_g(stimulus=stimulus),
                  ops=("lose",) if stimulus == "sendto" else (), outcome="blocked", application_sees=refused, logged=(5159,))
    yield Row("socket", "bind.redirect", "permit", "bind.assign", "ALE_BIND_REDIRECT", ("UDPF", "RED", "CH7"), DOC, since="7",
              note="the base page says 'Windows 7 / Server 2008 R2 only'; other pages and the header gates say Windows 7 and later")
    yield Row("socket", "bind.assign", "permit", DONE, "ALE_RESOURCE_ASSIGNMENT", ("UDPF", "ALEL"), DOC, when=_g(stimulus="bind"),
              sets=(("socket", "BOUND"),), application_sees="bind returns success", logged=(5158,))
    yield Row("socket", "bind.assign", "permit", "send.redirect", "ALE_RESOURCE_ASSIGNMENT", ("ALEL", "WSK-sendto", "SECDS"), DOC, when=_g(stimulus="sendto"),
              since="7", sets=(("socket", "BOUND"),), flags=("IS_WILDCARD_BIND",), logged=(5158,),
              note="port 0: the stack has picked a dynamic port, the flag is set (disputed: other pages say it means the wildcard address)")
    yield Row("socket", "bind.assign", "permit", "send.authorize", "ALE_RESOURCE_ASSIGNMENT", ("ALEL", "WSK-sendto"), DOC, when=_g(stimulus="sendto"),
              until="vista-sp1", sets=(("socket", "BOUND"),), flags=("IS_WILDCARD_BIND", "IS_IMPLICIT_BIND"), logged=(5158,),
              note="IS_IMPLICIT_BIND existed on Vista and Server 2008 only")
    yield from _discard("socket", "bind.assign_discard", "ALE_RESOURCE_ASSIGNMENT_DISCARD")


def _send() -> Iterator[Row]:
    """A datagram leaves: first one of a flow, later ones, a reply, a reauthorization."""
    new, bound = _g(flow="NONE"), "BOUND"  # a first packet; a socket with a port
    yield Row("socket", IDLE, "sendto", "send.redirect",  None, ("UDPF", "ALES", "RED"), DOC, when=_g(socket=bound, flow="NONE"), since="7")
    yield Row("socket", IDLE, "sendto", "send.authorize", None, ("UDPF", "ALES"), DOC, when=_g(socket=bound, flow="NONE"), until="vista-sp1",
              note="the redirect layers came with Windows 7")
    yield Row("socket", IDLE, "sendto", "send.data",      None, ("ALES", "UDPF", "PCP"), DOC, when=_g(socket=bound, flow="OUT|IN"),
              note="an authorized flow is not authorized again, in either direction")
    yield Row("socket", IDLE, "sendto", "send.authorize", None, ("ALER",), DOC, when=_g(socket=bound, flow="OUT_STALE"),
              note="the redirect layer is not called again")
    yield Row("socket", IDLE, "sendto", "send.reaccept",  None, ("ALER",), DOC, when=_g(socket=bound, flow="IN_STALE"),
              note="an outbound packet is classified at the layer that made the flow")

    layer = "ALE_CONNECT_REDIRECT"
    yield Row("socket", "send.redirect", "permit", "send.authorize", layer, ("UDPF", "RED", "EBPF"), DOC, since="7",
              note="called before the route look-up: the local address can still be unspecified")
    yield Row("socket", "send.redirect", "block", DONE, layer, ("INFERRED",), INF, since="7", ops=("lose",), outcome="blocked",
              application_sees=LOST, remote_sees=REMOTE_NOTHING,
              note="this layer has no discard twin; taken to look like a block at AUTH_CONNECT; an event was not found")

    layer, discard = "ALE_AUTH_CONNECT", "send.authorize_discard"
    again = _g(flow="OUT_STALE")
    yield Row("socket", "send.authorize", "permit", "send.establish", layer, ("UDPF", "ALEL", "SECDS"), DOC, when=new, logged=(5156,))
    yield Row("socket", "send.authorize", "permit", "send.data", layer, ("ALER", "UDPF"), INF, when=again, sets=(("flow", "OUT"),),
              flags=("IS_REAUTHORIZE",), logged=(5156,),
              note="by symmetry with the documented receive path; no FLOW_ESTABLISHED; that the event is logged again is inferred from group traffic")
    for option, sees, basis, cite in (("success", LOST, OBS, ("EBPF", "E5157")), ("wsaeacces", "sendto fails with WSAEACCES (10013)", INF, ("INFERRED",))):
        yield Row("socket", "send.authorize", "block", discard, layer, ("LID", "AUD", *cite), basis, when=new, choices=_g(blocked_first_send_result=option),
                  ops=("lose",), outcome="blocked", application_sees=sees, remote_sees=REMOTE_NOTHING, logged=(5157, 5152),
                  note="no flow is made, so every further datagram is authorized anew; 5152 beside 5157 is inferred from the inbound case")
    yield Row("socket", "send.authorize", "absorb", DONE, layer, ("SDK-out", "TOC"), DOC, when=new, ops=("lose",), outcome="silent",
              application_sees=LOST, remote_sees=REMOTE_NOTHING, note="no discard layer and no audit event")
    yield from _blocks("socket", "send.authorize", layer, cite=("ALER", "LID"), basis=INF, discard_at=discard, logged=(5157, 5152), when=again,
                       sets=(("flow", "NONE"),), ops=("drop_flow", "lose"), flags=("IS_REAUTHORIZE",), application_sees=LOST, remote_sees=REMOTE_NOTHING,
                       note="a failed reauthorization tears the flow down; the next packet is a first packet")
    yield from _discard("socket", discard, "ALE_AUTH_CONNECT_DISCARD")

    layer = "ALE_AUTH_RECV_ACCEPT"
    yield Row("socket", "send.reaccept", "permit", "send.data", layer, ("ALER", "MDL"), INF, sets=(("flow", "IN"),), flags=("IS_REAUTHORIZE",), logged=(5156,),
              note="the layer is documented; that DATAGRAM_DATA follows, and the event, are inferred")
    yield from _blocks("socket", "send.reaccept", layer, cite=("ALER", "LID"), basis=INF, discard_at="send.reaccept_discard", logged=(5152, 5157),
                       sets=(("flow", "NONE"),), ops=("drop_flow", "lose"), flags=("IS_REAUTHORIZE",), application_sees=LOST, remote_sees=REMOTE_NOTHING,
                       note="a failed reauthorization tears the flow down")
    yield from _discard("socket", "send.reaccept_discard", "ALE_AUTH_RECV_ACCEPT_DISCARD")

    yield Row("socket", "send.establish", "permit", "send.data", "ALE_FLOW_ESTABLISHED", ("UDPF", "WLR"), DOC,
              sets=(("flow", "OUT"),), ops=("create_flow",), note="carries the first packet")
    yield from _packet("socket", "send.data", "DATAGRAM_DATA", cite=("UDPF", "ALES"), to="send.transport", ops=("touch",),
                       blocked_application=LOST, blocked_remote=REMOTE_NOTHING)
    yield from _packet("socket", "send.transport", "OUTBOUND_TRANSPORT", cite=("UDPF", "LID"), to="send.ippacket",
                       blocked_application=LOST, blocked_remote=REMOTE_NOTHING)
    yield from _packet("socket", "send.ippacket", "OUTBOUND_IPPACKET", cite=("UDPF", "LID", "PIP"), to=DONE, ops=("emit",), outcome="sent",
                       application_sees="sendto returned success", remote_sees="the datagram is on its way",
                       blocked_application=LOST, blocked_remote=REMOTE_NOTHING)


def _receive() -> Iterator[Row]:
    """A datagram arrives for a socket: first one of a flow, later ones, a reply, a reauthorization."""
    yield Row("socket", IDLE, "datagram", "receive.ippacket", None, ("UDPF", "PIP"), DOC, when=_g(socket="BOUND"))
    yield from _packet("socket", "receive.ippacket", "INBOUND_IPPACKET", cite=("UDPF", "PIP", "LID"), to="receive.transport",
                       blocked_application=WAITS, blocked_remote=REMOTE_SENT)

    layer = "INBOUND_TRANSPORT"
    for flow, to, cite, basis, note in (
        ("NONE",      "receive.accept",    ("UDPF", "WLR", "TRC"), DOC, "the endpoint is known already; metadata ALE_CLASSIFY_REQUIRED since Vista SP1"),
        ("OUT|IN",    "receive.data",      ("ALES", "UDPF", "PCP"), DOC, "an authorized flow is not authorized again, in either direction"),
        ("IN_STALE",  "receive.accept",    ("UDPF", "ALER"), DOC, ""),
        ("OUT_STALE", "receive.reconnect", ("ALER", "MDL"), DOC, "an inbound packet is classified at the layer that made the flow"),
    ):
        yield Row("socket", "receive.transport", "permit", to, layer, cite, basis, when=_g(flow=flow), note=note)
    yield from _blocks("socket", "receive.transport", layer, cite=("LID", "AUD"), basis=DOC, discard_at="receive.transport_discard",
                       application_sees=WAITS, remote_sees=REMOTE_SENT)
    yield from _discard("socket", "receive.transport_discard", "INBOUND_TRANSPORT_DISCARD")

    layer, discard = "ALE_AUTH_RECV_ACCEPT", "receive.accept_discard"
    yield Row("socket", "receive.accept", "permit", "receive.establish", layer, ("UDPF", "ALEL", "SECDS"), DOC, when=_g(flow="NONE"), logged=(5156,))
    yield Row("socket", "receive.accept", "permit", "receive.data", layer, ("UDPF", "ALER"), DOC, when=_g(flow="IN_STALE"), sets=(("flow", "IN"),),
              flags=("IS_REAUTHORIZE",), logged=(5156,), note="no FLOW_ESTABLISHED; that the event is logged again is inferred from group traffic")
    yield from _blocks("socket", "receive.accept", layer, cite=("UDPF", "LID", "SECDS", "EBPF"), basis=OBS, discard_at=discard, when=_g(flow="NONE"), logged=(5152, 5157),
                       application_sees=WAITS, remote_sees=REMOTE_SENT, note="no ICMP error is seen; no flow is made, so each further datagram is authorized anew")
    yield from _blocks("socket", "receive.accept", layer, cite=("UDPF", "ALER"), basis=DOC, discard_at=discard, when=_g(flow="IN_STALE"), logged=(5152, 5157),
                       sets=(("flow", "NONE"),), ops=("drop_flow", "lose"), flags=("IS_REAUTHORIZE",), application_sees=WAITS, remote_sees=REMOTE_SENT,
                       note="a failed reauthorization tears the flow down")
    yield from _discard("socket", discard, "ALE_AUTH_RECV_ACCEPT_DISCARD", cite=("UDPF", "LID"))

    layer = "ALE_AUTH_CONNECT"
    yield Row("socket", "receive.reconnect", "permit", "receive.data", layer, ("ALER", "MDL"), INF, sets=(("flow", "OUT"),), flags=("IS_REAUTHORIZE",), logged=(5156,),
              note="the layer is documented; that DATAGRAM_DATA follows, and the event, are inferred")
    yield from _blocks("socket", "receive.reconnect", layer, cite=("ALER", "LID"), basis=INF, discard_at="receive.reconnect_discard", logged=(5157, 5152),
                       sets=(("flow", "NONE"),), ops=("drop_flow", "lose"), flags=("IS_REAUTHORIZE",), application_sees=WAITS, remote_sees=REMOTE_SENT,
                       note="a failed reauthorization tears the flow down")
    yield from _discard("socket", "receive.reconnect_discard", "ALE_AUTH_CONNECT_DISCARD")

    yield Row("socket", "receive.establish", "permit", "receive.data", "ALE_FLOW_ESTABLISHED", ("UDPF", "WLR"), DOC,
              sets=(("flow", "IN"),), ops=("create_flow",), note="carries the first packet")
    yield from _packet("socket", "receive.data", "DATAGRAM_DATA", cite=("UDPF", "ALES"), to=DONE, ops=("touch", "deliver"), outcome="delivered",
                       application_sees="recv returns the datagram", remote_sees="its send succeeded",
                       blocked_application=WAITS, blocked_remote=REMOTE_SENT)


def _icmp_to_sender() -> Iterator[Row]:
    """An ICMP error about an earlier send arrives. Errors never go to ALE layers."""
    yield Row("socket", IDLE, "icmp_error", "icmp.ippacket", None, ("ALES", "LID"), DOC, when=_g(socket="BOUND"))
    yield Row("socket", IDLE, "icmp_ttl", "icmp.ippacket", None, ("ALES", "LID"), DOC, when=_g(socket="BOUND"))
    unseen = "nothing: the error of the earlier send is not reported"
    yield from _packet("socket", "icmp.ippacket", "INBOUND_IPPACKET", cite=("LID", "INFERRED"), basis=INF, to="icmp.error",
                       blocked_application=unseen, blocked_remote=ERROR_SENT)
    layer = "INBOUND_ICMP_ERROR"
    for icmp, error, control in (("port_unreachable", "WSAECONNRESET (10054)", "SIO_UDP_CONNRESET"), ("ttl_expired", "WSAENETRESET (10052)", "SIO_UDP_NETRESET")):
        yield Row("socket", "icmp.error", "permit", DONE, layer, ("LID", "WSK-recvfrom", "WSI"), DOC, when=_g(icmp=icmp), choices=_g(udp_connreset="on"),
                  ops=("socket_error",), outcome="icmp_error", application_sees=f"the next recvfrom or sendto fails with {error}",
                  remote_sees=ERROR_SENT)
        yield Row("socket", "icmp.error", "permit", DONE, layer, ("WSI",), DOC, when=_g(icmp=icmp), choices=_g(udp_connreset="off"),
                  outcome="silent", application_sees=f"nothing: {control} is off", remote_sees=ERROR_SENT)
    yield from _blocks("socket", "icmp.error", layer, cite=("LID", "SECDS", "WST"), basis=OBS, discard_at="icmp.error_discard",
                       application_sees=unseen, remote_sees=ERROR_SENT,
                       note="the default firewall blocks here unless the error came over loopback; the event shows the tuple of the earlier send; that the application sees nothing is inferred")
    yield from _discard("socket", "icmp.error_discard", "INBOUND_ICMP_ERROR_DISCARD")


def _flow_events() -> Iterator[Row]:
    """What happens to a flow without a packet. No layer is indicated."""
    yield Row("flow", IDLE, "policy_change", DONE, None, ("ALER",), DOC, when=_g(flow="OUT"), sets=(("flow", "OUT_STALE"),), ops=("mark_stale",),
              note="the next packet of the flow, in either direction, is authorized again")
    yield Row("flow", IDLE, "policy_change", DONE, None, ("ALER",), DOC, when=_g(flow="IN"), sets=(("flow", "IN_STALE"),), ops=("mark_stale",),
              note="the next packet of the flow, in either direction, is authorized again")
    yield Row("flow", IDLE, "policy_change", DONE, None, ("ALER",), DOC, when=_g(socket="UNBOUND|BOUND", flow="NONE|OUT_STALE|IN_STALE"),
              note="no flow, or one that waits for its reauthorization already")
    yield Row("flow", IDLE, "idle_timeout", DONE, None, ("ALES", "UDPF"), DOC, when=_g(flow="OUT|IN|OUT_STALE|IN_STALE"), sets=(("flow", "NONE"),), ops=("drop_flow",),
              note="60 s without a packet in either direction; shorter when the system holds many flows")


def _close() -> Iterator[Row]:
    """The socket is closed. Whether any layer sees it is disputed, and on Vista none does."""
    gone = (("socket", "CLOSED"), ("flow", "NONE"))
    closed = "closesocket returns success"
    yield Row("socket", IDLE, "close", DONE, None, ("INFERRED",), INF, when=_g(socket="UNBOUND"), sets=gone, application_sees=closed,
              note="nothing was assigned, so there is nothing to release")
    yield Row("socket", IDLE, "close", DONE, None, ("UDPF", "ALES"), DOC, when=_g(socket="BOUND"), choices=_g(close="nothing"), sets=gone, ops=("drop_all_flows",),
              application_sees=closed, since="7")
    yield Row("socket", IDLE, "close", DONE, None, ("UDPF", "ALES"), DOC, when=_g(socket="BOUND"), sets=gone, ops=("drop_all_flows",),
              application_sees=closed, until="vista-sp1", note="the closure layers came with Windows 7")
    yield Row("socket", IDLE, "close", "close.closure", None, ("ELM", "ALEL"), DOC, when=_g(socket="BOUND"), choices=_g(close="closure_release"), since="7")
    yield Row("socket", "close.closure", "permit", "close.release", "ALE_ENDPOINT_CLOSURE", ("ELM", "ALEL"), DOC, choices=_g(close="closure_release"), since="7",
              note="once per endpoint, however many peers; that it comes before the release is inferred")
    yield Row("socket", "close.release", "permit", DONE, "ALE_RESOURCE_RELEASE", ("ELM", "ALEL"), DOC, choices=_g(close="closure_release"), since="7", sets=gone, ops=("drop_all_flows",),
              application_sees=closed, note="once per earlier assignment")


def _no_listener() -> Iterator[Row]:
    """A datagram for a port that no socket owns, and the ICMP error that follows it or not."""
    timeout = "a timeout: no ICMP error comes back"
    nobody = "nothing: no socket owns the port"
    quiet = _g(inbound_transport_without_listener="absent")
    heard = _g(inbound_transport_without_listener="present")
    yield Row("host", IDLE, "datagram", "drop.ippacket", None, ("UDPF",), DOC)

    layer = "INBOUND_IPPACKET"
    for transport, first in ((quiet, None), (heard, "drop.transport")):
        if first:
            yield Row("host", "drop.ippacket", "permit", first, layer, ("UDPF", "LID"), DOC, choices=transport)
            continue
        yield Row("host", "drop.ippacket", "permit", "drop.ippacket_discard", layer, ("UDPF",), DOC, choices=(*transport, *_g(no_listener="ippacket")))
        yield Row("host", "drop.ippacket", "permit", "drop.transport_discard", layer, ("SECDS", "PPS"), OBS, choices=(*transport, *_g(no_listener="transport")))
        yield Row("host", "drop.ippacket", "permit", "drop.transport_discard", layer, ("INFERRED",), INF, choices=(*transport, *_g(no_listener="both")))
    yield from _blocks("host", "drop.ippacket", layer, cite=("LID", "AUD"), basis=DOC, discard_at="drop.ippacket_blocked",
                       application_sees=nobody, remote_sees=timeout)
    yield from _discard("host", "drop.ippacket_blocked", "INBOUND_IPPACKET_DISCARD")

    layer = "INBOUND_TRANSPORT"
    yield Row("host", "drop.transport", "permit", "drop.ippacket_discard", layer, ("LID",), DOC, choices=(*heard, *_g(no_listener="ippacket")))
    yield Row("host", "drop.transport", "permit", "drop.transport_discard", layer, ("LID",), DOC, choices=(*heard, *_g(no_listener="transport|both")))
    yield from _blocks("host", "drop.transport", layer, cite=("LID", "AUD"), basis=DOC, discard_at="drop.transport_blocked", choices=heard,
                       application_sees=nobody, remote_sees=timeout)
    yield from _discard("host", "drop.transport_blocked", "INBOUND_TRANSPORT_DISCARD", choices=heard)

    # What the ICMP error meets after the discard; blocking at 13 does not stop it for UDP, blocking at 1 does.
    rate_note = "15 of 60 logged drops have no ICMP record beside them: rate limit or one line for a burst"
    layer = "INBOUND_TRANSPORT_DISCARD"
    for verdict, logged, cite, basis in (("permit", (), ("PPS", "BCI", "SECDS"), OBS), ("block", (5152,), ("SECDS", "WST"), OBS)):
        note = "" if verdict == "permit" else "the silent-drop callout: for UDP the ICMP error is attempted all the same (for TCP no RST)"
        yield Row("host", "drop.transport_discard", verdict, "drop.icmp_error", layer, cite, basis, choices=_g(no_listener="transport", icmp_rate_limit="open"),
                  discard=NO_ENDPOINT, ops=("lose",), outcome="icmp_error", application_sees=nobody, logged=logged, note=note)
        yield Row("host", "drop.transport_discard", verdict, DONE, layer, cite, INF, choices=_g(no_listener="transport", icmp_rate_limit="spent"),
                  discard=NO_ENDPOINT, ops=("lose",), outcome="silent", application_sees=nobody, remote_sees=timeout, logged=logged, note=rate_note)
        yield Row("host", "drop.transport_discard", verdict, "drop.ippacket_discard", layer, ("INFERRED",), INF, choices=_g(no_listener="both"),
                  discard=NO_ENDPOINT, outcome="icmp_error", application_sees=nobody, logged=logged,
                  note="13 and then 1 fits everything known: 13 does not stop the ICMP error, 1 does, and both discard reasons exist")

    layer = "INBOUND_IPPACKET_DISCARD"
    here = _g(no_listener="ippacket|both")
    yield Row("host", "drop.ippacket_discard", "permit", "drop.icmp_error", layer, ("UDPF",), DOC, choices=(*here, *_g(icmp_rate_limit="open")),
              discard=PORT_UNREACHABLE, ops=("lose",), outcome="icmp_error", application_sees=nobody)
    yield Row("host", "drop.ippacket_discard", "permit", DONE, layer, ("SECDS",), INF, choices=(*here, *_g(icmp_rate_limit="spent")),
              discard=PORT_UNREACHABLE, ops=("lose",), outcome="silent", application_sees=nobody, remote_sees=timeout, note=rate_note)
    yield Row("host", "drop.ippacket_discard", "block", DONE, layer, ("UDPF",), DOC, choices=here,
              discard=PORT_UNREACHABLE, ops=("lose",), outcome="silent", application_sees=nobody, remote_sees=timeout, logged=(5152,),
              note="blocking here keeps the stack from sending the ICMP error; that the block is logged as 5152 is inferred")

    yield from _packet("host", "drop.icmp_error", "OUTBOUND_ICMP_ERROR", cite=("UDPF", "SECDS"), to="drop.icmp_transport",
                       blocked_application=nobody, blocked_remote=timeout, block_cite=("LID", "SECDS", "PPS"), block_outcome="silent")
    yield from _packet("host", "drop.icmp_transport", "OUTBOUND_TRANSPORT", cite=("UDPF",), to="drop.icmp_ippacket",
                       blocked_application=nobody, blocked_remote=timeout, block_outcome="silent")
    yield from _packet("host", "drop.icmp_ippacket", "OUTBOUND_IPPACKET", cite=("UDPF",), to=DONE, ops=("emit_icmp",), outcome="icmp_error",
                       application_sees=nobody, remote_sees="an ICMP port unreachable: its next recvfrom fails with WSAECONNRESET (10054) unless blocked there",
                       blocked_application=nobody, blocked_remote=timeout, block_outcome="silent")
# fmt: on


RULES: tuple[Row, ...] = (
    *_bind(),
    *_send(),
    *_receive(),
    *_icmp_to_sender(),
    *_flow_events(),
    *_close(),
    *_no_listener(),
)

VERDICT_REFUSALS: tuple[VerdictRefusal, ...] = (
    VerdictRefusal(
        ("ALE_FLOW_ESTABLISHED",),
        "block",
        "it is no policy point: nothing may be decided there, only noted (a block is for a security-relevant error and ends the connection)",
        ("ALEL", "PRG"),
        DOC,
    ),
    VerdictRefusal(
        ("ALE_FLOW_ESTABLISHED",),
        "absorb",
        "it is no policy point, and absorbing there is advised against",
        ("ALEL", "SDK-out"),
        DOC,
    ),
    VerdictRefusal(
        ("ALE_RESOURCE_RELEASE", "ALE_ENDPOINT_CLOSURE"),
        "block",
        "it reports what has happened and cannot be blocked",
        ("ELM",),
        DOC,
    ),
    VerdictRefusal(
        (
            "ALE_RESOURCE_RELEASE",
            "ALE_ENDPOINT_CLOSURE",
            "ALE_RESOURCE_ASSIGNMENT",
            "ALE_BIND_REDIRECT",
            "ALE_CONNECT_REDIRECT",
        ),
        "absorb",
        "absorb is for layers that carry a packet to drop (at RESOURCE_ASSIGNMENT it only goes with pend)",
        ("SDK-out", "TOC", "DDI-pend"),
        DOC,
    ),
    VerdictRefusal(("*_DISCARD",), "absorb", "absorb is not allowed at discard layers", ("SDK-out",), DOC),
)
