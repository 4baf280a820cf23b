"""The rules: every step of a UDP datagram through the Windows Filtering Platform is one row, with its citation.

This is the single source of truth. Diagrams, machines, the stepper, checks, documents and fast tables are made from
these rows. The flow of one remote peer is described; a socket with many peers keeps one flow record for each.

Where several rows follow one pattern (a packet layer permits, blocks with its discard twin, absorbs), the pattern is
written once and yields plain rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from fsm.names import DONE, IDLE, Basis, Scope
from fsm.reasons import STALE_REASONS
from fsm.rows import Discard, Guards, Row, SettingFlag, VerdictRefusal

DOC, OBS, INF = Basis.DOCUMENTED, Basis.OBSERVED, Basis.INFERRED

POLICY = Discard("GENERAL", "FIREWALL_POLICY", 0)
NO_ENDPOINT = Discard("TRANSPORT", "InetDiscardEndpointNotFound", 4)
PORT_UNREACHABLE = Discard("NETWORK", "IpDiscardPortUnreachable", 4)
PROTOCOL_UNREACHABLE = Discard("NETWORK", "IpDiscardProtocolUnreachable", 3)
CONNECTED_PATH = Discard("TRANSPORT", "InetDiscardConnectedPath", 5)

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
    scope: Scope,
    at: str,
    layer: str,
    *,
    cite: tuple[str, ...] = ("LID",),
    basis: Basis = DOC,
    choices: Guards = (),
    ip: int = 0,
    since: str = "vista",
) -> Iterator[Row]:
    """The discard twin after a block by a filter: what is said there changes nothing any more."""
    note = "module GENERAL, reason FIREWALL_POLICY; that a filter's block gives this reason is inferred"
    yield Row(
        scope, at, "permit", DONE, layer, cite, basis, choices=choices, ip=ip, since=since, discard=POLICY, note=note
    )
    yield Row(
        scope, at, "block", DONE, layer, ("INFERRED",), INF, choices=choices, ip=ip, since=since, discard=POLICY,
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
def _authorize(
    at: str, layer: str, to: str, *, cite: tuple[str, ...], basis: Basis, when: Guards = (), choices: Guards = (), sets: tuple[tuple[str, str], ...] = (),
    ops: tuple[str, ...] = (), flags: tuple[str, ...] = (), note: str = "", outcome: str = "", application_sees: str = "",
    block_cite: tuple[str, ...] = ("LID", "AUD"), block_basis: Basis = DOC, block_note: str = "", discard_at: str = "",
    blocked_application: str, blocked_remote: str, drops: bool = False,
) -> Iterator[Row]:
    """One of the two AUTH layers: permit, block, absorb. `drops`: a refusal tears an existing flow down."""
    connect = layer == "ALE_AUTH_CONNECT"
    lost: tuple[str, ...] = ("drop_flow", "lose") if drops else ("lose",)
    yield Row("socket", at, "permit", to, layer, cite, basis, when=when, choices=choices, sets=sets, ops=ops, flags=flags, logged=(5156,), note=note,
              outcome=outcome, application_sees=application_sees)
    yield from _blocks("socket", at, layer, cite=block_cite, basis=block_basis, discard_at=discard_at or f"{at}_discard", when=when, choices=choices,
                       logged=(5157, 5152) if connect else (5152, 5157), sets=(("flow", "NONE"),) if drops else (), ops=lost, flags=flags,
                       application_sees=blocked_application, remote_sees=blocked_remote, note=block_note)


# Stimuli inside which a bind can happen, what the application sees when it is refused, and where work goes on after it.
_BINDING = (
    ("bind",         "bind fails with WSAEACCES (10013)",                     DONE),
    ("complete",     "the pended call fails; bind with WSAEACCES (10013)",    DONE),
    ("connect",      "connect fails; its error code is not documented",       "connect.redirect"),
    ("connect_other", "connect fails; its error code is not documented",      "connect.redirect"),
    ("sendto",       "sendto fails; its error code is not documented",        "send.redirect"),
    ("sendto_group", "sendto fails; its error code is not documented",        "send.group_redirect"),
)
# The first assignment of a bind: V4 for a dual-stack socket, whatever the peer.
_ASSIGNED_FIRST = ((_g(dual_stack="no"), 0), (_g(dual_stack="yes"), 4))
_REDIRECTED = ((_g(dual_stack="no"), 0), (_g(dual_stack="yes"), 6))
# The stimulus, how the socket stands while its redirect layer holds it, and whom it is connected to afterwards.
_CONNECTING = (("connect", "CONNECT_PENDED", "this"), ("connect_other", "CONNECT_OTHER_PENDED", "other"))
_CONNECTED = {stimulus: (("connected", value),) for stimulus, _, value in _CONNECTING}
_AFTER_BIND_ON_VISTA = {"connect.redirect": DONE, "send.redirect": "send.authorize", "send.group_redirect": "send.group_authorize", DONE: DONE}


def _bind() -> Iterator[Row]:
    """Explicit bind, and the implicit one inside a first sendto or connect: the stimulus says where to go back to."""
    unbound = _g(socket="UNBOUND")
    for stimulus, refused, _ in _BINDING:
        sends = stimulus.startswith("sendto")
        lose: tuple[str, ...] = ("lose",) if sends else ()
        cite = ("UDPF", "RED") if stimulus == "bind" else ("ALEL", "WSK-sendto", "MVD")
        old_cite = ("UDPF", "ALEL") if stimulus == "bind" else ("ALEL", "WSK-sendto")
        waits = "the call does not return yet" if stimulus == "complete" else f"{'sendto' if sends else stimulus.split('_')[0]} does not return yet"
        for at, stack, ip, pended in (*(("bind.assign", *first, "BIND_PENDED") for first in _ASSIGNED_FIRST), ("bind.assign_v6", _g(dual_stack="yes"), 6, "BIND_V6_PENDED")):
            yield Row("socket", at, "pend", DONE, "ALE_RESOURCE_ASSIGNMENT", ("DDI-pend", "ASY", "TOC"), DOC, when=_g(stimulus=stimulus), choices=stack, ip=ip,
                      since="7" if stimulus == "complete" and at == "bind.assign" else "vista",
                      sets=(("socket", pended),), ops=("queue", *lose), flags=_implicit_flags(stimulus), outcome="pended", application_sees=waits,
                      note="FwpsPendOperation0, returned as block with absorb" + ("; the datagram of an implicit bind is not kept" if sends else ""))
        if stimulus != "complete":
            yield Row("socket", IDLE, stimulus, "bind.redirect", None, cite, DOC, when=unbound, since="7")
            yield Row("socket", IDLE, stimulus, "bind.assign",   None, old_cite, DOC, when=unbound, until="vista-sp1",
                      note="the redirect layers came with Windows 7")
            for stack, ip in _REDIRECTED:
                yield Row("socket", "bind.redirect", "block", DONE, "ALE_BIND_REDIRECT", ("INFERRED",), INF, when=_g(stimulus=stimulus), choices=stack, ip=ip, since="7",
                          ops=lose, outcome="blocked", application_sees=refused,
                          note="this layer has no discard twin; an event for such a block was not found")
                yield Row("socket", "bind.redirect", "pend", DONE, "ALE_BIND_REDIRECT", ("TOC",), DOC, when=_g(stimulus=stimulus), choices=stack, ip=ip, since="7",
                          sets=(("socket", "BIND_REDIRECT_PENDED"),), ops=("queue", *lose), outcome="pended", application_sees=waits,
                          note="FwpsPendClassify0" + ("; that the datagram of an implicit bind is lost is inferred" if sends else ""))
        for at, stack, ip in (*(("bind.assign", *first) for first in _ASSIGNED_FIRST), ("bind.assign_v6", _g(dual_stack="yes"), 6)):
            # A completed bind stands before bind.assign only where a redirect layer held it.
            since = "7" if stimulus == "complete" and at == "bind.assign" else "vista"
            yield Row("socket", at, "block", f"{at}_discard", "ALE_RESOURCE_ASSIGNMENT", ("LID", "AUD", "EBPF"),
                      OBS if stimulus == "bind" else INF, when=_g(stimulus=stimulus), choices=stack, ip=ip, since=since, sets=_unpended(stimulus),
                      ops=lose, flags=_implicit_flags(stimulus), outcome="blocked", application_sees=refused, logged=(5159,),
                      note="what was assigned for IPv4 is released" if ip == 6 else "")
    for stack, ip in _REDIRECTED:
        yield Row("socket", "bind.redirect", "permit", "bind.assign", "ALE_BIND_REDIRECT", ("UDPF", "RED", "CH7"), INF if ip else DOC, choices=stack, ip=ip, since="7",
                  note="that a dual-stack socket is redirected once, as V6, is inferred" if ip else "the base page says 'Windows 7 / Server 2008 R2 only'; other pages and the header gates say Windows 7 and later")
        yield Row("socket", "bind.redirect", "redirect", "bind.assign", "ALE_BIND_REDIRECT", ("RED", "MVD"), DOC, choices=stack, ip=ip, since="7", ops=("rewrite",),
                  note="local address and port may be changed, for everything that the socket does; the destination is not known yet")
    # An IPv6 socket with IPV6_V6ONLY off is assigned twice, V4 and then V6, and is redirected once.
    for dual in ("no", "yes"):
        at, choices, ip = ("bind.assign", _g(dual_stack="no"), 0) if dual == "no" else ("bind.assign_v6", _g(dual_stack="yes"), 6)
        for stimulus, _, after in _BINDING:
            sets = (("socket", "BOUND"),)
            flags = _implicit_flags(stimulus)
            note = "port 0: the stack has picked a dynamic port" if flags else "a fixed port on the wildcard address"
            sees = {"bind": "bind returns success", "complete": "the pended call returns success"}.get(stimulus, "")
            cite = ("UDPF", "ALEL") if stimulus == "bind" else ("ASY", "DDI-complete") if stimulus == "complete" else ("ALEL", "WSK-sendto", "SECDS")
            basis = INF if stimulus == "complete" else DOC
            yield Row("socket", at, "permit", after, "ALE_RESOURCE_ASSIGNMENT", cite, basis, when=_g(stimulus=stimulus), ip=ip, choices=choices,
                      since="7", sets=sets, flags=flags, application_sees=sees, logged=(5158,), note=note)
            if stimulus == "complete" and dual == "no":
                continue  # no redirect layer holds a bind there
            yield Row("socket", at, "permit", _AFTER_BIND_ON_VISTA[after], "ALE_RESOURCE_ASSIGNMENT", cite, basis, when=_g(stimulus=stimulus), ip=ip, choices=choices,
                      until="vista-sp1", sets=(*sets, *_CONNECTED.get(stimulus, ())),
                      flags=flags, application_sees=sees or ("connect returns success" if stimulus in _CONNECTED else ""), logged=(5158,),
                      note=note)
    for stimulus, _, _ in _BINDING:
        yield Row("socket", "bind.assign", "permit", "bind.assign_v6", "ALE_RESOURCE_ASSIGNMENT", ("SECDS",), OBS, when=_g(stimulus=stimulus), ip=4, choices=_g(dual_stack="yes"),
                  since="7" if stimulus == "complete" else "vista", flags=_implicit_flags(stimulus), logged=(5158,),
                  note="893 adjacent pairs V4 then V6, same port, address :: in both; 6 in the other order")
    for stack, ip in _ASSIGNED_FIRST:
        yield from _discard("socket", "bind.assign_discard", "ALE_RESOURCE_ASSIGNMENT_DISCARD", choices=stack, ip=ip)
    yield from _discard("socket", "bind.assign_v6_discard", "ALE_RESOURCE_ASSIGNMENT_DISCARD", choices=_g(dual_stack="yes"), ip=6)

    # Completion of a pended bind.
    held = _g(socket="BIND_REDIRECT_PENDED")
    yield Row("socket", IDLE, "complete", "bind.assign", None, ("TOC", "DDI-apply"), INF, when=held, choices=_g(bind_reauthorization="never"), since="7",
              sets=(("socket", "UNBOUND"),), note="the bind goes on with the verdict of the completion")
    yield Row("socket", IDLE, "complete", "bind.redirect_again", None, ("DCF", "DDI-apply"), INF, when=held, choices=_g(bind_reauthorization="on_modification"), since="7",
              sets=(("socket", "UNBOUND"),), note="changed by another callout meanwhile: classified again")
    for stack, ip in _REDIRECTED:
        again = (*_g(bind_reauthorization="on_modification"), *stack)
        yield Row("socket", "bind.redirect_again", "permit", "bind.assign", "ALE_BIND_REDIRECT", ("DCF", "DDI-apply"), INF, choices=again, ip=ip, since="7", flags=("IS_REAUTHORIZE",))
        yield Row("socket", "bind.redirect_again", "block", DONE, "ALE_BIND_REDIRECT", ("INFERRED",), INF, choices=again, ip=ip, since="7", flags=("IS_REAUTHORIZE",),
                  outcome="blocked", application_sees="the pended call fails; bind with WSAEACCES (10013)", note="as the first classify")
    yield Row("socket", IDLE, "complete_block", DONE, None, ("TOC",), INF, when=held, since="7", sets=(("socket", "UNBOUND"),), outcome="blocked",
              application_sees="the pended call fails; bind with WSAEACCES (10013)", note="the layer has no discard twin")
    held = _g(socket="BIND_PENDED")
    for dual, to in (("no", DONE), ("yes", "bind.assign_v6")):
        yield Row("socket", IDLE, "complete", to, None, ("ASY", "DDI-complete"), INF, when=held, choices=_g(dual_stack=dual),
                  sets=(("socket", "BOUND" if dual == "no" else "UNBOUND"),), application_sees="the pended call returns success" if dual == "no" else "",
                  note="completion goes on with the verdict that it brings; it is not classified again")
    yield Row("socket", IDLE, "complete_block", "bind.assign_discard", None, ("ASY", "DDI-complete"), INF, when=held, sets=(("socket", "UNBOUND"),), outcome="blocked",
              application_sees="the pended call fails; bind with WSAEACCES (10013)")
    held, dual_stack = _g(socket="BIND_V6_PENDED"), _g(dual_stack="yes")
    yield Row("socket", IDLE, "complete", DONE, None, ("ASY", "DDI-complete"), INF, when=held, choices=dual_stack, sets=(("socket", "BOUND"),), application_sees="the pended call returns success",
              note="completion goes on with the verdict that it brings; it is not classified again")
    yield Row("socket", IDLE, "complete_block", "bind.assign_v6_discard", None, ("ASY", "DDI-complete"), INF, when=held, choices=dual_stack, sets=(("socket", "UNBOUND"),), outcome="blocked",
              application_sees="the pended call fails; bind with WSAEACCES (10013)", note="what was assigned for IPv4 is released")

    # An authorized bind that is classified again.
    yield Row("socket", IDLE, "protection_level", "bind.reclassify", None, ("CFL", "DCF"), DOC, when=_g(socket="BOUND"), since="7",
              note="the driver pages list the flag for V6 only")
    for (verdict, to, outcome), (stack, ip) in product((("permit", DONE, ""), ("block", "bind.reclassify_discard", "blocked")), _REDIRECTED):
        yield Row("socket", "bind.reclassify", verdict, to, "ALE_RESOURCE_ASSIGNMENT", ("CFL", "DCF"), DOC if verdict == "permit" else INF, since="7", choices=stack, ip=ip,
                  flags=("IS_RECLASSIFY",), outcome=outcome, logged=(5158,) if verdict == "permit" else (5159,),
                  note="" if verdict == "permit" else "what a block of a repeat does to the bound socket is not documented")
    for stack, ip in _REDIRECTED:
        yield from _discard("socket", "bind.reclassify_discard", "ALE_RESOURCE_ASSIGNMENT_DISCARD", since="7", choices=stack, ip=ip)


def _implicit_flags(stimulus: str) -> tuple[str, ...]:
    """An implicit bind asks for port 0 on the wildcard address: the wildcard flag is set under either meaning."""
    return () if stimulus in ("bind", "complete") else ("IS_WILDCARD_BIND", "IS_IMPLICIT_BIND")


def _unpended(stimulus: str) -> tuple[tuple[str, str], ...]:
    """A completion that is refused leaves the socket unbound."""
    return (("socket", "UNBOUND"),) if stimulus == "complete" else ()


def _connect() -> Iterator[Row]:
    """connect() on a UDP socket fixes the peer; it is authorized at the first send, not here."""
    for stimulus, _, value in _CONNECTING:
        bound = _g(socket="BOUND")
        yield Row("socket", IDLE, stimulus, "connect.redirect", None, ("EBPF",), OBS, when=bound, since="7")
        yield Row("socket", IDLE, stimulus, DONE, None, ("INFERRED",), INF, when=bound, until="vista-sp1", sets=(("connected", value),),
                  application_sees="connect returns success", note="no redirect layer before Windows 7, and AUTH_CONNECT comes at the send")
        later = ("; whether the flow that a later send begins carries IS_CONNECTION_REDIRECTED is not documented: this layer is called again at that send, "
                 "and what is answered there decides")
        for verdict, cite, basis, more in (("permit", ("EBPF",), OBS, ""), ("redirect", ("RED", "EBPF"), DOC, later)):
            yield Row("socket", "connect.redirect", verdict, DONE, "ALE_CONNECT_REDIRECT", cite, basis, when=_g(stimulus=stimulus), ip=0, since="7", choices=_g(dual_stack="no"),
                      sets=(("connected", value),), ops=("rewrite",) if verdict == "redirect" else (), application_sees="connect returns success",
                      note="AUTH_CONNECT does not happen at connect()" + more)
            yield Row("socket", "connect.redirect", verdict, DONE, "ALE_CONNECT_REDIRECT", cite, basis, when=_g(stimulus=stimulus), ip=6, since="7", choices=_g(dual_stack="yes"),
                      sets=(("connected", value),), ops=("rewrite",) if verdict == "redirect" else (), application_sees="connect returns success",
                      note="V6 even when the peer is an IPv4-mapped address" + more)
    for dual, ip in (("no", 0), ("yes", 6)):
        for stimulus, held, _ in _CONNECTING:
            yield Row("socket", "connect.redirect", "pend", DONE, "ALE_CONNECT_REDIRECT", ("TOC",), DOC, when=_g(stimulus=stimulus), since="7", ip=ip, choices=_g(dual_stack=dual),
                      sets=(("socket", held),), ops=("queue",), outcome="pended", application_sees="connect does not return yet", note="FwpsPendClassify0")
        yield Row("socket", "connect.redirect", "block", DONE, "ALE_CONNECT_REDIRECT", ("INFERRED",), INF, since="7", ip=ip, choices=_g(dual_stack=dual), outcome="blocked",
                  application_sees="connect fails; its error code is not documented", note="this layer has no discard twin")
    for _, held, value in _CONNECTING:
        yield Row("socket", IDLE, "complete", DONE, None, ("TOC",), INF, when=_g(socket=held), since="7", sets=(("socket", "BOUND"), ("connected", value)),
                  application_sees="connect returns success", note="the connect goes on with the verdict of the completion")
        yield Row("socket", IDLE, "complete_block", DONE, None, ("TOC",), INF, when=_g(socket=held), since="7", sets=(("socket", "BOUND"),), outcome="blocked",
                  application_sees="connect fails; its error code is not documented")


def _send() -> Iterator[Row]:
    """A datagram leaves: first one of a flow, later ones, a reply, a reauthorization, an injected one."""
    bound = "BOUND"  # a socket with a port
    yield Row("socket", IDLE, "sendto", "send.redirect",  None, ("UDPF", "ALES", "RED", "EBPF"), DOC, when=_g(socket=bound, flow="NONE"), since="7",
              note="on a connected socket it was visited at connect() already, and is again")
    yield Row("socket", IDLE, "sendto", "send.authorize", None, ("UDPF", "ALES"), DOC, when=_g(socket=bound, flow="NONE"), until="vista-sp1",
              note="the redirect layers came with Windows 7")
    live = _g(socket=bound, flow="OUT|IN")
    yield Row("socket", IDLE, "sendto", "send.data",      None, ("ALES", "UDPF", "PCP"), DOC, when=live, choices=_g(protocol="udp|igmp|raw"),
              note="an authorized flow is not authorized again, in either direction")
    yield Row("socket", IDLE, "sendto", "send.data",      None, ("ALES",), DOC, when=live, choices=_g(protocol="icmp_echo", icmp_echo_flow="shared"),
              note="the flow of an echo is keyed by the ICMP id")
    yield Row("socket", IDLE, "sendto", "send.redirect",  None, ("SECDS",), OBS, when=live, choices=_g(protocol="icmp_echo", icmp_echo_flow="per_request"), since="7",
              sets=(("flow", "NONE"),), note="each echo request of a ping run is logged again, one second apart")
    yield Row("socket", IDLE, "sendto", "send.authorize", None, ("SECDS",), OBS, when=live, choices=_g(protocol="icmp_echo", icmp_echo_flow="per_request"), until="vista-sp1",
              sets=(("flow", "NONE"),))
    yield Row("socket", IDLE, "sendto", "send.authorize", None, ("ALER",), DOC, when=_g(socket=bound, flow="OUT_STALE"),
              note="the redirect layer is not called again")
    yield Row("socket", IDLE, "sendto", "send.reaccept",  None, ("ALER",), DOC, when=_g(socket=bound, flow="IN_STALE"),
              note="an outbound packet is classified at the layer that made the flow")
    yield Row("socket", IDLE, "sendto", DONE, None, ("INFERRED",), INF, when=_g(socket=bound, flow="OUT_REDIRECT_PENDED|OUT_PENDED|IN_PENDED"), ops=("lose",), outcome="pended",
              application_sees=LOST, remote_sees=REMOTE_NOTHING, note="what becomes of further datagrams to a peer whose flow is pended is not documented; other peers go on")

    layer = "ALE_CONNECT_REDIRECT"
    for at, next_at, basis, seen, of_group, register in (
        ("send.redirect", "send.authorize", DOC, OBS, "", ("flow", "OUT_REDIRECT_PENDED")),
        ("send.group_redirect", "send.group_authorize", INF, INF, "; that it holds for a group as well is inferred", ("window", "redirect_pended")),
    ):
        for dual, ip in (("no", 0), ("yes", 6)):
            stack = _g(dual_stack=dual)
            mapped = "; V6 even when the peer is an IPv4-mapped address" if dual == "yes" else ""
            yield Row("socket", at, "permit", next_at, layer, ("UDPF", "RED", "EBPF"), DOC if dual == "no" else OBS, since="7", ip=ip, choices=stack,
                      note="called before the route look-up: the local address can still be unspecified" + mapped)
            yield Row("socket", at, "block", DONE, layer, ("INFERRED",), INF, since="7", ip=ip, choices=stack, ops=("lose",), outcome="blocked",
                      application_sees=LOST, remote_sees=REMOTE_NOTHING,
                      note="this layer has no discard twin; taken to look like a block at AUTH_CONNECT; an event was not found")
            changed = f"{next_at}_redirected"
            yield Row("socket", at, "redirect", changed, layer, ("RED", "DDI-connect-request", "DCF"), basis, since="7", ip=ip,
                      choices=(*stack, *_g(redirect_target="remote")), ops=("rewrite",),
                      note="only the remote address and port may be changed, for this flow alone; a change of the local address works for TCP only" + of_group)
            yield Row("socket", at, "redirect", changed, layer, ("RED", "CH8", "DDI-redirect-state"), basis, since="8", ip=ip,
                      choices=(*stack, *_g(redirect_target="local_process", udp_local_redirect="works")), ops=("rewrite",),
                      note="redirect handle and target process id must be set, and the proxy's own flow must carry the redirect records, or it loops" + of_group)
            yield Row("socket", at, "redirect", changed, layer, ("WDS144",), seen, since="7", until="7", ip=ip,
                      choices=(*stack, *_g(redirect_target="local_process")), ops=("rewrite",), note="worked on Windows 7, before redirect handles" + of_group)
            yield Row("socket", at, "redirect", DONE, layer, ("WDS144",), seen, since="8", ip=ip,
                      choices=(*stack, *_g(redirect_target="local_process", udp_local_redirect="fails")), ops=("rewrite", "lose"), outcome="silent",
                      application_sees=LOST, remote_sees=REMOTE_NOTHING, note="seen on Windows 10 1703; treat UDP redirection to the own host as unreliable" + of_group)
            yield Row("socket", at, "pend", DONE, layer, ("TOC",), DOC, since="7", ip=ip, choices=stack, sets=(register,), ops=("queue",), outcome="pended",
                      application_sees="sendto returned success", remote_sees=REMOTE_NOTHING, note="FwpsPendClassify0")
    held = _g(socket=bound, flow="OUT_REDIRECT_PENDED")
    yield Row("socket", IDLE, "complete", "send.authorize", None, ("TOC",), INF, when=held, since="7", sets=(("flow", "NONE"),), note="the send goes on with the verdict of the completion")
    yield Row("socket", IDLE, "complete_block", DONE, None, ("TOC",), INF, when=held, since="7", sets=(("flow", "NONE"),), ops=("lose",), outcome="blocked",
              application_sees=LOST, remote_sees=REMOTE_NOTHING)

    layer, discard = "ALE_AUTH_CONNECT", "send.authorize_discard"
    new = _g(flow="NONE")
    echo, rest = _g(protocol="icmp_echo"), _g(protocol="udp|igmp|raw")
    for at, flags, cite in (("send.authorize", (), ("UDPF", "ALEL", "SECDS")), ("send.authorize_redirected", ("IS_CONNECTION_REDIRECTED",), ("DCF", "RED"))):
        since = "vista" if at == "send.authorize" else "7"
        yield Row("socket", at, "permit", "send.establish", layer, cite, DOC, when=new, flags=flags, logged=(5156,), since=since,
                  note="shows the new destination; that it does is inferred" if flags else "carries the first outgoing packet, from the transport header on")
        for option, sees, basis, by in (("success", LOST, OBS, ("EBPF", "E5157")), ("wsaeacces", "sendto fails with WSAEACCES (10013)", INF, ("INFERRED",))):
            yield Row("socket", at, "block", discard, layer, ("LID", "AUD", *by), basis, when=new, choices=(*rest, *_g(blocked_first_send_result=option)), since=since,
                      ops=("lose",), flags=flags, outcome="blocked", application_sees=sees, remote_sees=REMOTE_NOTHING, logged=(5157, 5152),
                      note="no flow is made, so every further datagram is authorized anew; 5152 beside 5157 is inferred from the inbound case")
        yield Row("socket", at, "block", discard, layer, ("LID", "AUD", "WSL4985"), OBS, when=new, choices=echo, since=since,
                  ops=("lose",), flags=flags, outcome="blocked", application_sees="ping prints 'General failure'", remote_sees=REMOTE_NOTHING, logged=(5157, 5152),
                  note="a filter on the program does not match: the owner is System")
        yield Row("socket", at, "absorb", DONE, layer, ("SDK-out", "TOC"), DOC, when=new, ops=("lose",), flags=flags, outcome="silent", since=since,
                  application_sees=LOST, remote_sees=REMOTE_NOTHING, note="no discard layer and no audit event")
        yield Row("socket", at, "pend", DONE, layer, ("DDI-pend", "ASY", "TOC"), DOC, when=new, sets=(("flow", "OUT_PENDED"),), ops=("queue",), flags=flags, outcome="pended", since=since,
                  application_sees="sendto returned success", remote_sees=REMOTE_NOTHING,
                  note="FwpsPendOperation0, returned as block with absorb; the packet is flushed unless the callout cloned it")
    yield from _authorize("send.authorize", layer, "send.data", cite=("ALER", "UDPF"), basis=INF, when=_g(flow="OUT_STALE"), sets=(("flow", "OUT"),), flags=("IS_REAUTHORIZE",),
                          note="by symmetry with the documented receive path; no FLOW_ESTABLISHED; that the event is logged again is inferred from group traffic",
                          discard_at=discard, block_cite=("ALER", "LID"), block_basis=INF, drops=True, blocked_application=LOST, blocked_remote=REMOTE_NOTHING,
                          block_note="a failed reauthorization tears the flow down; the next packet is a first packet")
    yield from _discard("socket", discard, "ALE_AUTH_CONNECT_DISCARD")

    # Completion of a pended AUTH_CONNECT: the verdict is given at a second classify, and only the flow is made.
    held = _g(socket=bound, flow="OUT_PENDED")
    yield Row("socket", IDLE, "complete", "send.complete", None, ("ASY", "DDI-complete", "SMP"), DOC, when=held, sets=(("flow", "NONE"),))
    yield from _authorize("send.complete", layer, "send.complete_establish", cite=("ASY", "DDI-complete"), basis=DOC, flags=("IS_REAUTHORIZE",),
                          note="reason CLASSIFY_COMPLETION", discard_at=discard, block_cite=("ASY", "LID"), blocked_application=LOST, blocked_remote=REMOTE_NOTHING)
    yield Row("socket", "send.complete_establish", "permit", DONE, "ALE_FLOW_ESTABLISHED", ("DDI-complete", "ASY"), INF, sets=(("flow", "OUT"),), ops=("create_flow", "lose"), outcome="silent",
              application_sees=LOST, remote_sees=REMOTE_NOTHING, note="completion only makes the flow: the datagram is sent by the application again, or by the callout (inject_send)")

    layer = "ALE_AUTH_RECV_ACCEPT"
    yield from _authorize("send.reaccept", layer, "send.data", cite=("ALER", "MDL"), basis=INF, sets=(("flow", "IN"),), flags=("IS_REAUTHORIZE",),
                          note="the layer is documented; that DATAGRAM_DATA follows, and the event, are inferred; fields that do not apply are FWP_EMPTY",
                          block_cite=("ALER", "LID"), block_basis=INF, drops=True, blocked_application=LOST, blocked_remote=REMOTE_NOTHING, block_note="a failed reauthorization tears the flow down")
    yield from _discard("socket", "send.reaccept_discard", "ALE_AUTH_RECV_ACCEPT_DISCARD")

    yield Row("socket", "send.establish", "permit", "send.data", "ALE_FLOW_ESTABLISHED", ("UDPF", "WLR"), DOC,
              sets=(("flow", "OUT"),), ops=("create_flow",), note="carries the first packet, and comes before its DATAGRAM_DATA")

    # A callout's own datagram re-enters at the top, whatever layer it was cloned at.
    top, deep = _g(injected_send_entry="top"), _g(injected_send_entry="transport")
    yield Row("socket", IDLE, "inject_send", "send.authorize", None, ("INJ",), INF, when=_g(socket=bound, flow="NONE|OUT_STALE"), choices=top, ops=("reinject",),
              note="'optional' is read as: only when the flow needs authorization; the callout meets its own packet again and must permit it")
    yield Row("socket", IDLE, "inject_send", "send.reaccept", None, ("INJ", "ALER"), INF, when=_g(socket=bound, flow="IN_STALE"), choices=top, ops=("reinject",))
    yield Row("socket", IDLE, "inject_send", "send.data", None, ("INJ",), DOC, when=_g(socket=bound, flow="OUT|IN"), choices=top, ops=("reinject",),
              note="the callout meets its own packet again (FwpsQueryPacketInjectionState0) and must permit it, or it loops")
    yield Row("socket", IDLE, "inject_send", "send.transport", None, ("DDI-inject-send",), INF, when=_g(socket=bound, flow="NONE|OUT|IN|OUT_STALE|IN_STALE"), choices=deep, ops=("reinject",))

    unicast, group = _g(to="unicast"), _g(to="group")
    for to, ops in ((unicast, ("touch",)), (group, ("touch_window",))):
        yield Row("socket", "send.data", "permit", "send.transport", "DATAGRAM_DATA", ("UDPF", "ALES") if to == unicast else ("UDPF", "ALEM"), DOC, when=to, ops=ops)
    yield from _blocks("socket", "send.data", "DATAGRAM_DATA", cite=("LID", "AUD"), basis=DOC, discard_at="send.data_discard", application_sees=LOST, remote_sees=REMOTE_NOTHING)
    yield from _discard("socket", "send.data_discard", "DATAGRAM_DATA_DISCARD")
    yield from _packet("socket", "send.transport", "OUTBOUND_TRANSPORT", cite=("UDPF", "LID"), to="send.ippacket",
                       blocked_application=LOST, blocked_remote=REMOTE_NOTHING)
    for to, more in ((unicast, ()), (group, ("loop_back",))):
        yield Row("socket", "send.ippacket", "permit", DONE, "OUTBOUND_IPPACKET", ("UDPF", "LID", "PIP") if to == unicast else ("UDPF", "SECDS"), DOC if to == unicast else OBS,
                  when=to, ops=("emit", *more), outcome="sent", application_sees="sendto returned success", remote_sees="the datagram is on its way",
                  note="" if to == unicast else "the sender's own copy is authorized inbound on the same host, after the outbound event")
    yield from _blocks("socket", "send.ippacket", "OUTBOUND_IPPACKET", cite=("LID", "AUD"), basis=DOC, discard_at="send.ippacket_discard", application_sees=LOST, remote_sees=REMOTE_NOTHING)
    yield from _discard("socket", "send.ippacket_discard", "OUTBOUND_IPPACKET_DISCARD")


def _group() -> Iterator[Row]:
    """Multicast and broadcast: out with a state of 4 s that lets answers in, in with one global flow."""
    bound = "BOUND"
    yield Row("socket", IDLE, "sendto_group", "send.group_redirect",  None, ("ALEM", "UDPF"), DOC, when=_g(socket=bound, window="closed"), since="7")
    yield Row("socket", IDLE, "sendto_group", "send.group_authorize", None, ("ALEM", "UDPF"), DOC, when=_g(socket=bound, window="closed"), until="vista-sp1")
    yield Row("socket", IDLE, "sendto_group", "send.data", None, ("ALEM", "PCP"), DOC, when=_g(socket=bound, window="open"),
              note="authorized once; the 4 s are renewed by outbound packets only")
    yield Row("socket", IDLE, "sendto_group", DONE, None, ("INFERRED",), INF, when=_g(socket=bound, window="redirect_pended|pended"), ops=("lose",), outcome="pended",
              application_sees=LOST, remote_sees=REMOTE_NOTHING, note="what becomes of further datagrams to a group while one is pended is not documented; other peers go on")
    held, shut = _g(socket=bound, window="redirect_pended"), (("window", "closed"),)
    yield Row("socket", IDLE, "complete_group", "send.group_authorize", None, ("TOC",), INF, when=held, since="7", sets=shut, note="the send goes on with the verdict of the completion")
    yield Row("socket", IDLE, "complete_group_block", DONE, None, ("TOC",), INF, when=held, since="7", sets=shut, ops=("lose",), outcome="blocked",
              application_sees=LOST, remote_sees=REMOTE_NOTHING)

    layer, discard = "ALE_AUTH_CONNECT", "send.group_authorize_discard"
    for at, flags, since, cite, basis in (("send.group_authorize", (), "vista", ("ALEM", "SECDS"), DOC),
                                          ("send.group_authorize_redirected", ("IS_CONNECTION_REDIRECTED",), "7", ("DCF", "RED"), INF)):
        for row in _authorize(at, layer, "send.group_establish", cite=cite, basis=basis, flags=flags, discard_at=discard, block_cite=("LID", "AUD"),
                              blocked_application=LOST, blocked_remote=REMOTE_NOTHING,
                              note="the new destination is taken for a group as well: which state a group send has that is redirected to one host is not documented" if flags else ""):
            yield replace(row, since=since)
        yield Row("socket", at, "pend", DONE, layer, ("DDI-pend", "ASY", "TOC"), DOC, sets=(("window", "pended"),), ops=("queue",), flags=flags, outcome="pended", since=since,
                  application_sees="sendto returned success", remote_sees=REMOTE_NOTHING,
                  note="FwpsPendOperation0, returned as block with absorb; the packet is flushed unless the callout cloned it")
    yield from _discard("socket", discard, "ALE_AUTH_CONNECT_DISCARD")

    # Completion of a pended AUTH_CONNECT: as for one peer, a second classify, and only the state is made.
    yield Row("socket", IDLE, "complete_group", "send.group_complete", None, ("ASY", "DDI-complete", "SMP"), DOC, when=_g(socket=bound, window="pended"), sets=shut)
    yield from _authorize("send.group_complete", layer, "send.group_complete_establish", cite=("ASY", "DDI-complete"), basis=DOC, flags=("IS_REAUTHORIZE",),
                          note="reason CLASSIFY_COMPLETION", discard_at=discard, block_cite=("ASY", "LID"), blocked_application=LOST, blocked_remote=REMOTE_NOTHING)
    for option, sets in (("allow", (("window", "open"),)), ("deny", ())):
        yield Row("socket", "send.group_complete_establish", "permit", DONE, "ALE_FLOW_ESTABLISHED", ("DDI-complete", "ASY", "ALEM"), INF, choices=_g(multicast_state=option), sets=sets,
                  ops=("touch_window", "lose") if sets else ("lose",), outcome="silent", application_sees=LOST, remote_sees=REMOTE_NOTHING,
                  note="completion only makes the state: the datagram is sent by the application again" if sets else "no state is kept, and the datagram is gone: the application sends again")
    for option, sets in (("allow", (("window", "open"),)), ("deny", ())):
        yield Row("socket", "send.group_establish", "permit", "send.data", "ALE_FLOW_ESTABLISHED", ("UDPF", "ALEM", "UCO"), DOC if option == "allow" else INF,
                  choices=_g(multicast_state=option), sets=sets, ops=("touch_window",) if sets else (), note="4 s, from the SET_OPTIONS_AUTH_CONNECT classify options" if sets else "no state is kept, so each send is authorized and no answer gets in by it")
    yield Row("socket", IDLE, "window_timeout", DONE, None, ("ALEM",), DOC, when=_g(window="open"), sets=(("window", "closed"),), note="4 s without an outbound group datagram")

    layer = "ALE_AUTH_RECV_ACCEPT"
    each = _g(multicast_reauthorization="each_packet")
    yield from _authorize("receive.group_accept", layer, "receive.data", cite=("CFL", "SECDS", "PCP"), basis=OBS, choices=each, flags=("IS_REAUTHORIZE",),
                          note="reason NEW_INBOUND_MCAST_BCAST_PACKET (0x100); one indication for each receiving socket",
                          block_cite=("UWP", "QUA", "SECDS"), block_basis=OBS, blocked_application=WAITS, blocked_remote=REMOTE_SENT, block_note="5152 and 5157, one incident")
    yield from _discard("socket", "receive.group_accept_discard", "ALE_AUTH_RECV_ACCEPT_DISCARD", choices=each)


def _receive() -> Iterator[Row]:
    """A datagram arrives for a socket: first one of a flow, later ones, a reply, a reauthorization, an injected one."""
    for stimulus, cite in (("datagram", ("UDPF", "PIP")), ("datagram_group", ("UDPF", "ALEM")), ("inject_receive", ("INJ", "DDI-inject-receive"))):
        injected = stimulus == "inject_receive"
        yield Row("socket", IDLE, stimulus, "receive.ippacket", None, cite, DOC, when=_g(socket="BOUND"), ops=("reinject",) if injected else (),
                  note="an injected packet re-enters at the bottom; the callout meets its own packet again" if injected else "")
    layer = "INBOUND_IPPACKET"
    heard = _g(connected="no|this", to="unicast")
    yield Row("socket", "receive.ippacket", "permit", "receive.transport", layer, ("UDPF", "PIP", "LID"), DOC, when=heard, note="before IP header processing, IPsec and reassembly; n fragments give n + n + 1 indications")
    yield Row("socket", "receive.ippacket", "permit", "receive.transport", layer, ("UDPF", "ALEM"), DOC, when=_g(connected="no", to="group"))
    for guards in (_g(connected="other", to="unicast"), _g(connected="this|other", to="group")):
        yield Row("socket", "receive.ippacket", "permit", "receive.connected_discard", layer, ("TDR",), INF, when=guards,
                  note="the discard reason is documented; that INBOUND_TRANSPORT is not indicated is inferred: no endpoint takes the datagram")
    for verdict in ("permit", "block"):
        yield Row("socket", "receive.connected_discard", verdict, DONE, "INBOUND_TRANSPORT_DISCARD", ("TDR",), INF, discard=CONNECTED_PATH, ops=("lose",), outcome="silent",
                  application_sees="nothing: the socket hears its connected peer only", remote_sees=REMOTE_SENT, logged=(5152,) if verdict == "block" else (),
                  note="the layer follows from the transport module of the reason; whether an ICMP error follows is not documented")
    yield from _blocks("socket", "receive.ippacket", layer, cite=("LID", "AUD"), basis=DOC, discard_at="receive.ippacket_discard", application_sees=WAITS, remote_sees=REMOTE_SENT)
    yield from _discard("socket", "receive.ippacket_discard", "INBOUND_IPPACKET_DISCARD")

    layer = "INBOUND_TRANSPORT"
    routes: tuple[tuple[Guards, Guards, str, tuple[str, ...], Basis, tuple[str, ...], str, str], ...] = (
        (_g(to="unicast", flow="NONE", window="closed|redirect_pended|pended"), (), "receive.accept", ("UDPF", "WLR", "TRC"), DOC, (), "", "the endpoint is known already; metadata ALE_CLASSIFY_REQUIRED since Vista SP1"),
        (_g(to="unicast", flow="NONE", window="open"), (), "receive.data", ("ALEM",), DOC, (), "", "the group state lets answers in from any address; that no ALE layer sees them is inferred"),
        (_g(to="unicast", flow="OUT|IN"), (), "receive.data", ("ALES", "UDPF", "PCP"), DOC, (), "", "an authorized flow is not authorized again, in either direction"),
        (_g(to="unicast", flow="IN_STALE"), (), "receive.accept", ("UDPF", "ALER"), DOC, (), "", ""),
        (_g(to="unicast", flow="OUT_STALE"), (), "receive.reconnect", ("ALER", "MDL"), DOC, (), "", "an inbound packet is classified at the layer that made the flow"),
        (_g(to="unicast", flow="OUT_REDIRECT_PENDED|OUT_PENDED|IN_PENDED"), (), DONE, ("INFERRED",), INF, ("lose",), "pended", "what becomes of further datagrams of a peer whose flow is pended is not documented"),
        (_g(to="group"), _g(multicast_reauthorization="each_packet"), "receive.group_accept", ("CFL", "SECDS", "PCP"), OBS, (), "", "all inbound group traffic is one flow, each packet is authorized again"),
        (_g(to="group"), _g(multicast_reauthorization="once"), "receive.data", ("ALEM",), DOC, (), "", "all inbound group traffic is one flow"),
    )
    for guards, choices, to, cites, basis, ops, outcome, note in routes:
        yield Row("socket", "receive.transport", "permit", to, layer, cites, basis, when=guards, choices=choices, ops=ops, outcome=outcome, note=note,
                  application_sees=WAITS if outcome else "", remote_sees=REMOTE_SENT if outcome else "")
    yield from _blocks("socket", "receive.transport", layer, cite=("LID", "AUD"), basis=DOC, discard_at="receive.transport_discard",
                       application_sees=WAITS, remote_sees=REMOTE_SENT)
    yield from _discard("socket", "receive.transport_discard", "INBOUND_TRANSPORT_DISCARD")

    layer, discard = "ALE_AUTH_RECV_ACCEPT", "receive.accept_discard"
    yield from _authorize("receive.accept", layer, "receive.establish", cite=("UDPF", "ALEL", "SECDS"), basis=DOC, when=_g(flow="NONE"),
                          block_cite=("UDPF", "LID", "SECDS", "EBPF"), block_basis=OBS, blocked_application=WAITS, blocked_remote=REMOTE_SENT,
                          block_note="no ICMP error is seen; no flow is made, so each further datagram is authorized anew")
    yield Row("socket", "receive.accept", "pend", DONE, layer, ("DDI-pend", "ASY", "TOC"), DOC, when=_g(flow="NONE"), sets=(("flow", "IN_PENDED"),), ops=("queue",), outcome="pended",
              application_sees=WAITS, remote_sees=REMOTE_SENT, note="the callout must clone the packet: what is pended is not kept")
    yield from _authorize("receive.accept", layer, "receive.data", cite=("UDPF", "ALER"), basis=DOC, when=_g(flow="IN_STALE"), sets=(("flow", "IN"),), flags=("IS_REAUTHORIZE",),
                          note="no FLOW_ESTABLISHED; that the event is logged again is inferred from group traffic",
                          block_cite=("UDPF", "ALER"), blocked_application=WAITS, blocked_remote=REMOTE_SENT, drops=True, block_note="a failed reauthorization tears the flow down")
    yield from _discard("socket", discard, "ALE_AUTH_RECV_ACCEPT_DISCARD", cite=("UDPF", "LID"))

    # Completion of a pended AUTH_RECV_ACCEPT: the clone comes in afresh, or (disputed) the flow is authorized again.
    held = _g(socket="BOUND", flow="IN_PENDED")
    afresh, again = _g(recv_accept_completion="reinject"), _g(recv_accept_completion="reauthorize")
    yield Row("socket", IDLE, "complete", "receive.ippacket", None, ("ASY", "DDI-inject-receive", "SMP"), DOC, when=held, choices=afresh, sets=(("flow", "NONE"),), ops=("reinject",),
              note="permitting the callout's own clone at AUTH_RECV_ACCEPT authorizes the flow; injection skips the IPsec check")
    yield Row("socket", IDLE, "complete", "receive.complete", None, ("ALER", "DDI-complete"), DOC, when=held, choices=again, sets=(("flow", "NONE"),))
    yield from _authorize("receive.complete", layer, "receive.complete_establish", cite=("ALER", "DDI-complete"), basis=DOC, choices=again, flags=("IS_REAUTHORIZE",),
                          note="reason CLASSIFY_COMPLETION", discard_at=discard, blocked_application=WAITS, blocked_remote=REMOTE_SENT)
    yield Row("socket", "receive.complete_establish", "permit", DONE, "ALE_FLOW_ESTABLISHED", ("DDI-complete",), INF, choices=again, sets=(("flow", "IN"),), ops=("create_flow", "lose"), outcome="silent",
              application_sees=WAITS, remote_sees=REMOTE_SENT, note="completion only makes the flow: the pended datagram is gone")
    yield Row("socket", IDLE, "complete_block", DONE, None, ("ASY",), INF, when=held, sets=(("flow", "NONE"),), ops=("lose",), outcome="blocked",
              application_sees=WAITS, remote_sees=REMOTE_SENT, note="the callout drops its clone")

    yield from _authorize("receive.reconnect", "ALE_AUTH_CONNECT", "receive.data", cite=("ALER", "MDL"), basis=INF, sets=(("flow", "OUT"),), flags=("IS_REAUTHORIZE",),
                          note="the layer is documented; that DATAGRAM_DATA follows, and the event, are inferred; fields that do not apply are FWP_EMPTY",
                          block_cite=("ALER", "LID"), block_basis=INF, drops=True, blocked_application=WAITS, blocked_remote=REMOTE_SENT, block_note="a failed reauthorization tears the flow down")
    yield from _discard("socket", "receive.reconnect_discard", "ALE_AUTH_CONNECT_DISCARD")

    yield Row("socket", "receive.establish", "permit", "receive.data", "ALE_FLOW_ESTABLISHED", ("UDPF", "WLR"), DOC,
              sets=(("flow", "IN"),), ops=("create_flow",), note="carries the first packet")
    taken: tuple[tuple[Guards, tuple[str, ...]], ...] = ((_g(to="unicast"), ("touch", "deliver")), (_g(to="group"), ("deliver",)))
    for whom, does in taken:
        yield Row("socket", "receive.data", "permit", DONE, "DATAGRAM_DATA", ("UDPF", "ALES"), DOC, when=whom, ops=does, outcome="delivered",
                  application_sees="recv returns the datagram", remote_sees="its send succeeded")
    yield from _blocks("socket", "receive.data", "DATAGRAM_DATA", cite=("LID", "AUD"), basis=DOC, discard_at="receive.data_discard", application_sees=WAITS, remote_sees=REMOTE_SENT)
    yield from _discard("socket", "receive.data_discard", "DATAGRAM_DATA_DISCARD")


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
    for reason in STALE_REASONS.values():
        since = "vista" if reason.name == "POLICY_CHANGE" else "vista-sp1" if reason.name == "NEW_ARRIVAL_INTERFACE" else "7"
        note = f"reason {reason.name} ({reason.value:#x}): {reason.text}; the next packet, in either direction, is authorized again"
        for flow in ("OUT", "IN"):
            yield Row("flow", IDLE, reason.stimulus, DONE, None, reason.cite, reason.basis, when=_g(flow=flow), sets=(("flow", f"{flow}_STALE"),), ops=("mark_stale",), since=since, note=note)
        yield Row("flow", IDLE, reason.stimulus, DONE, None, reason.cite, reason.basis, when=_g(flow="OUT_STALE|IN_STALE"), ops=("mark_stale",), since=since,
                  note="one more reason for the reauthorization that waits already")
        yield Row("flow", IDLE, reason.stimulus, DONE, None, reason.cite, reason.basis, since=since,
                  when=_g(socket="UNBOUND|BIND_REDIRECT_PENDED|BIND_PENDED|BIND_V6_PENDED|BOUND|CONNECT_PENDED|CONNECT_OTHER_PENDED|CLOSE_PENDED", flow="NONE|OUT_REDIRECT_PENDED|OUT_PENDED|IN_PENDED"),
                  note="no live flow, or one that waits for its completion")
    some = _g(flow="OUT|IN|OUT_STALE|IN_STALE")
    yield Row("flow", IDLE, "idle_timeout", DONE, None, ("ALES", "UDPF"), DOC, when=some, sets=(("flow", "NONE"),), ops=("drop_flow",),
              note="60 s without a packet in either direction; shorter when the system holds many flows")
    yield Row("flow", IDLE, "flow_abort", DONE, None, ("DDI-flow-abort", "CH8"), DOC, when=some, sets=(("flow", "NONE"),), ops=("drop_flow",), since="8",
              note="the next packet is a first packet again; that it is, is inferred")


def _close() -> Iterator[Row]:
    """The socket is closed. Whether any layer sees it is disputed, and on Vista none does."""
    gone = (("socket", "CLOSED"), ("connected", "no"), ("window", "closed"), ("flow", "NONE"))
    closed = "closesocket returns success"
    seen = _g(close="closure_release")
    yield Row("socket", IDLE, "close", DONE, None, ("INFERRED",), INF, when=_g(socket="UNBOUND"), sets=gone, application_sees=closed,
              note="nothing was assigned, so there is nothing to release")
    yield Row("socket", IDLE, "close", DONE, None, ("UDPF", "ALES"), DOC, when=_g(socket="BOUND"), choices=_g(close="nothing"), sets=gone, ops=("drop_all_flows",),
              application_sees=closed, since="7")
    yield Row("socket", IDLE, "close", DONE, None, ("UDPF", "ALES"), DOC, when=_g(socket="BOUND"), sets=gone, ops=("drop_all_flows",),
              application_sees=closed, until="vista-sp1", note="the closure layers came with Windows 7")
    yield Row("socket", IDLE, "close", "close.closure", None, ("ELM", "ALEL"), DOC, when=_g(socket="BOUND"), choices=seen, since="7")
    for dual, ip, after in (("no", 0, "close.release"), ("yes", 6, "close.release_v4")):
        stack = (*seen, *_g(dual_stack=dual))
        yield Row("socket", "close.closure", "permit", after, "ALE_ENDPOINT_CLOSURE", ("ELM", "ALEL"), DOC, choices=stack, ip=ip, since="7",
                  note="once per endpoint, however many peers; that it comes before the release is inferred")
        yield Row("socket", "close.closure", "pend", DONE, "ALE_ENDPOINT_CLOSURE", ("TOC",), DOC, choices=stack, ip=ip, since="7", sets=(("socket", "CLOSE_PENDED"),), ops=("queue",), outcome="pended",
                  application_sees="closesocket does not return yet", note="FwpsPendClassify0")
        yield Row("socket", IDLE, "complete", after, None, ("TOC",), INF, when=_g(socket="CLOSE_PENDED"), choices=stack, since="7", note="the closure goes on")
    yield Row("socket", "close.release_v4", "permit", "close.release", "ALE_RESOURCE_RELEASE", ("ELM", "SECDS"), INF, choices=(*seen, *_g(dual_stack="yes")), ip=4, since="7",
              note="two assignments, so two releases")
    for dual, ip in (("no", 0), ("yes", 6)):
        yield Row("socket", "close.release", "permit", DONE, "ALE_RESOURCE_RELEASE", ("ELM", "ALEL"), DOC, choices=(*seen, *_g(dual_stack=dual)), ip=ip, since="7", sets=gone, ops=("drop_all_flows",),
                  application_sees=closed, note="once per earlier assignment")


def _no_listener() -> Iterator[Row]:
    """A datagram for a port that no socket owns, and the ICMP error that follows it or not."""
    timeout = "a timeout: no ICMP error comes back"
    nobody = "nothing: no socket owns the port"
    quiet = _g(inbound_transport_without_listener="absent")
    heard = _g(inbound_transport_without_listener="present")
    ports, plain = _g(protocol="udp"), _g(protocol="icmp_echo|igmp|raw")
    yield Row("host", IDLE, "datagram", "drop.ippacket", None, ("UDPF",), DOC)
    yield Row("host", IDLE, "datagram_group", "drop.ippacket", None, ("UDPF",), DOC)

    layer = "INBOUND_IPPACKET"
    yield Row("host", "drop.ippacket", "permit", "drop.transport", layer, ("UDPF", "LID"), DOC, choices=(*heard, *ports))
    yield Row("host", "drop.ippacket", "permit", "drop.ippacket_discard", layer, ("UDPF",), DOC, choices=(*quiet, *ports, *_g(no_listener="ippacket")))
    yield Row("host", "drop.ippacket", "permit", "drop.transport_discard", layer, ("INFERRED",), INF, choices=(*quiet, *ports, *_g(no_listener="both")),
              note="13 comes first, since the logs show it before 32")
    yield Row("host", "drop.ippacket", "permit", "drop.transport_discard", layer, ("SECDS", "PPS"), OBS, choices=(*quiet, *ports, *_g(no_listener="transport")),
              note="only a filter at a layer makes a log line, so the logs cannot show that IPPACKET_DISCARD is skipped")
    yield Row("host", "drop.ippacket", "permit", "drop.ippacket_discard", layer, ("NDR", "UDPF"), DOC, choices=plain, note="no handler for the protocol: the network layer discards")
    yield from _blocks("host", "drop.ippacket", layer, cite=("LID", "AUD"), basis=DOC, discard_at="drop.ippacket_blocked",
                       application_sees=nobody, remote_sees=timeout)
    yield from _discard("host", "drop.ippacket_blocked", "INBOUND_IPPACKET_DISCARD")

    layer = "INBOUND_TRANSPORT"
    yield Row("host", "drop.transport", "permit", "drop.ippacket_discard", layer, ("LID",), DOC, choices=(*heard, *ports, *_g(no_listener="ippacket")))
    yield Row("host", "drop.transport", "permit", "drop.transport_discard", layer, ("LID",), DOC, choices=(*heard, *ports, *_g(no_listener="transport|both")))
    yield from _blocks("host", "drop.transport", layer, cite=("LID", "AUD"), basis=DOC, discard_at="drop.transport_blocked", choices=(*heard, *ports),
                       application_sees=nobody, remote_sees=timeout)
    yield from _discard("host", "drop.transport_blocked", "INBOUND_TRANSPORT_DISCARD", choices=(*heard, *ports))

    # What the ICMP error meets after the discard; blocking at 13 does not stop it for UDP, blocking at 1 does.
    rate_note = "15 of 60 logged drops have no ICMP record beside them: rate limit or one line for a burst"
    no_error = "no ICMP error is made for multicast and broadcast destinations"
    unicast, group = _g(to="unicast"), _g(to="group")
    layer = "INBOUND_TRANSPORT_DISCARD"
    for verdict, logged, cite in (("permit", (), ("PPS", "BCI", "SECDS")), ("block", (5152,), ("SECDS", "WST"))):
        note = "" if verdict == "permit" else "the silent-drop callout: for UDP the ICMP error is attempted all the same (for TCP no RST); logged, though one page denies it"
        at13 = _g(no_listener="transport")
        yield Row("host", "drop.transport_discard", verdict, "drop.icmp_error", layer, cite, OBS, when=unicast, choices=(*at13, *ports, *_g(icmp_rate_limit="open")),
                  discard=NO_ENDPOINT, ops=("lose",), outcome="icmp_error", application_sees=nobody, logged=logged, note=note)
        yield Row("host", "drop.transport_discard", verdict, DONE, layer, cite, INF, when=unicast, choices=(*at13, *ports, *_g(icmp_rate_limit="spent")),
                  discard=NO_ENDPOINT, ops=("lose",), outcome="silent", application_sees=nobody, remote_sees=timeout, logged=logged, note=rate_note)
        yield Row("host", "drop.transport_discard", verdict, DONE, layer, ("RFC1122", "SECDS"), INF, when=group, choices=(*at13, *ports),
                  discard=NO_ENDPOINT, ops=("lose",), outcome="silent", application_sees=nobody, remote_sees=REMOTE_SENT, logged=logged, note=no_error)
        yield Row("host", "drop.transport_discard", verdict, "drop.ippacket_discard", layer, ("INFERRED",), INF, choices=(*_g(no_listener="both"), *ports),
                  discard=NO_ENDPOINT, outcome="icmp_error", application_sees=nobody, logged=logged,
                  note="13 and then 1 fits everything known: 13 does not stop the ICMP error, 1 does, and both discard reasons exist")

    layer = "INBOUND_IPPACKET_DISCARD"
    unreachable: tuple[tuple[Guards, Discard, tuple[str, ...]], ...] = (
        ((*_g(no_listener="ippacket|both"), *ports), PORT_UNREACHABLE, ("UDPF",)),
        (plain, PROTOCOL_UNREACHABLE, ("UDPF", "NDR")),
    )
    for here, discard, cites in unreachable:
        yield Row("host", "drop.ippacket_discard", "permit", "drop.icmp_error", layer, cites, DOC, when=unicast, choices=(*here, *_g(icmp_rate_limit="open")),
                  discard=discard, ops=("lose",), outcome="icmp_error", application_sees=nobody)
        yield Row("host", "drop.ippacket_discard", "permit", DONE, layer, ("SECDS",), INF, when=unicast, choices=(*here, *_g(icmp_rate_limit="spent")),
                  discard=discard, ops=("lose",), outcome="silent", application_sees=nobody, remote_sees=timeout, note=rate_note)
        yield Row("host", "drop.ippacket_discard", "permit", DONE, layer, ("RFC1122", "SECDS"), INF, when=group, choices=here,
                  discard=discard, ops=("lose",), outcome="silent", application_sees=nobody, remote_sees=REMOTE_SENT, note=no_error)
        yield Row("host", "drop.ippacket_discard", "block", DONE, layer, cites, DOC, choices=here,
                  discard=discard, ops=("lose",), outcome="silent", application_sees=nobody, remote_sees=timeout, logged=(5152,),
                  note="blocking here keeps the stack from sending the ICMP error; that the block is logged as 5152 is inferred")

    yield from _packet("host", "drop.icmp_error", "OUTBOUND_ICMP_ERROR", cite=("UDPF", "SECDS"), to="drop.icmp_transport",
                       blocked_application=nobody, blocked_remote=timeout, block_cite=("LID", "SECDS", "PPS"), block_outcome="silent")
    yield from _packet("host", "drop.icmp_transport", "OUTBOUND_TRANSPORT", cite=("UDPF",), to="drop.icmp_ippacket",
                       blocked_application=nobody, blocked_remote=timeout, block_outcome="silent")
    yield from _packet("host", "drop.icmp_ippacket", "OUTBOUND_IPPACKET", cite=("UDPF",), to=DONE, ops=("emit_icmp",), outcome="icmp_error",
                       application_sees=nobody, remote_sees="an ICMP destination unreachable: its next recvfrom fails with WSAECONNRESET (10054) unless blocked there",
                       blocked_application=nobody, blocked_remote=timeout, block_outcome="silent")
# fmt: on


RULES: tuple[Row, ...] = (
    *_bind(),
    *_connect(),
    *_send(),
    *_group(),
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
    VerdictRefusal(
        ("ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT"),
        "pend",
        "a reauthorization cannot be pended (STATUS_FWP_CANNOT_PEND)",
        ("ALER", "ASY"),
        DOC,
        flag="IS_REAUTHORIZE",
    ),
    VerdictRefusal(
        ("ALE_BIND_REDIRECT",),
        "pend",
        "it was pended already, and is classified again",
        ("DCF", "DDI-apply"),
        INF,
        flag="IS_REAUTHORIZE",
    ),
    VerdictRefusal(
        ("ALE_BIND_REDIRECT",),
        "redirect",
        "it was changed already, and is classified again",
        ("DCF", "DDI-apply"),
        INF,
        flag="IS_REAUTHORIZE",
    ),
    VerdictRefusal(
        ("ALE_RESOURCE_ASSIGNMENT",),
        "pend",
        "the repeat of an authorized bind: no call waits that could be held",
        ("CFL",),
        INF,
        flag="IS_RECLASSIFY",
    ),
    VerdictRefusal(("ALE_FLOW_ESTABLISHED",), "pend", "no asynchronous processing there", ("ASY",), DOC),
    VerdictRefusal(
        (
            "INBOUND_TRANSPORT",
            "OUTBOUND_TRANSPORT",
            "INBOUND_IPPACKET",
            "OUTBOUND_IPPACKET",
            "DATAGRAM_DATA",
            "INBOUND_ICMP_ERROR",
            "OUTBOUND_ICMP_ERROR",
        ),
        "pend",
        "a packet layer holds nothing: absorb the packet and inject a clone later (not at INBOUND_TRANSPORT while ALE still has to classify it)",
        ("TOC", "WLR", "ASY", "DDI-inject-receive"),
        DOC,
    ),
    VerdictRefusal(("*_DISCARD",), "absorb", "absorb is not allowed at discard layers", ("SDK-out",), DOC),
)

# Flags that follow from a setting. IS_LOOPBACK: the union of two pages that list different layers. The flag
# IS_IPSEC_SECURED is not modelled: IPsec is a remark (at INBOUND_IPPACKET it is doubtful, IPsec has not run there).
SETTING_FLAGS: tuple[SettingFlag, ...] = (
    SettingFlag(
        "path",
        "loopback",
        "IS_LOOPBACK",
        (
            *("INBOUND_IPPACKET", "OUTBOUND_IPPACKET", "INBOUND_TRANSPORT", "OUTBOUND_TRANSPORT", "DATAGRAM_DATA"),
            *("INBOUND_ICMP_ERROR", "OUTBOUND_ICMP_ERROR", "ALE_RESOURCE_ASSIGNMENT"),
            *("ALE_AUTH_RECV_ACCEPT", "ALE_FLOW_ESTABLISHED", "ALE_CONNECT_REDIRECT", "ALE_ENDPOINT_CLOSURE"),
        ),
        ("CFL", "DCF", "WST"),
        "discard twins included; absent at RESOURCE_RELEASE, where it must be kept from the assignment",
    ),
    SettingFlag(
        "wildcard_bind",
        "any_address",
        "IS_WILDCARD_BIND",
        ("ALE_RESOURCE_ASSIGNMENT",),
        ("CFL", "DCF"),
        "every bind of this model is to the wildcard address; with the other meaning only port 0 sets the flag",
    ),
    SettingFlag("path", "loopback", "IS_LOOPBACK", ("ALE_AUTH_CONNECT",), ("CFL", "WST"), since="vista-sp1"),
    SettingFlag(
        "protocol",
        "raw",
        "IS_RAW_ENDPOINT",
        (
            *("ALE_RESOURCE_ASSIGNMENT", "DATAGRAM_DATA", "ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT"),
            *("ALE_BIND_REDIRECT", "ALE_CONNECT_REDIRECT"),
        ),
        ("ALEL", "CFL", "DCF"),
    ),
)

# Flags that not every Windows has: first and last ("" for no end).
FLAG_WINDOWS: dict[str, tuple[str, str]] = {
    "IS_IMPLICIT_BIND": ("vista", "vista-sp1"),
    "IS_RECLASSIFY": ("7", ""),
    "IS_CONNECTION_REDIRECTED": ("7", ""),
}
