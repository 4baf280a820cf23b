"""The facts that the model rests on, each by the number under which comments, tests and reports cite it.

Parts: a the layers in their order, b verdicts and what a block brings about, c discards and flags, d stealth mode,
e events and files, f which Windows has what, g where sources disagree. A number that is missing has no entry because
nothing here rests on it. A name behind a slash (`b.4/AUTH_CONNECT`) is a row of that fact, and cited with it.
`diagrams/pages/facts.md` is this list for readers; `wfp-udp sources a.9.2` prints an entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fsm.errors import UnknownName
from fsm.names import Basis


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact in one line.

    `basis` holds every confidence mark that a part of the line has; where a line has several, it says of what is
    inferred that it is. `cite` are keys of `fsm.sources`. `left_out` says why the model does not carry the fact; it is
    empty for those that it does.
    """

    number: str
    text: str
    basis: tuple[Basis, ...]
    cite: tuple[str, ...]
    left_out: str = ""


_MARKS = {"D": Basis.DOCUMENTED, "O": Basis.OBSERVED, "I": Basis.INFERRED}

PARTS: dict[str, str] = {
    "a": "Layers in their order, path by path",
    "b": "Verdicts, arbitration, and what a block brings about",
    "c": "Discard reasons, condition flags, packet data",
    "d": "Stealth mode",
    "e": "Events and files",
    "f": "Which Windows has what",
    "g": "Where sources disagree",
}

_TCP = "TCP is not modelled"
_FRAGMENTS = "fragments are a remark on the rows of the IP layers"
_IPSEC = "IPsec is a remark on rows, and a flag that a policy can ask for"
_BELOW = "forwarding, frames and virtual switches are drawn grey on the packet path and not run"
_HANDLES = "the model has no handles"
_ETW = "no ETW trace of the TCP/IP stack is read"


def _f(number: str, marks: str, cite: str, text: str, left_out: str = "") -> Fact:
    return Fact(number, text, tuple(_MARKS[mark] for mark in marks), tuple(cite.split()), left_out)


# fmt: off
_ALL: tuple[Fact, ...] = (
    # --- a.1 bind
    _f("a.1", "DO", "UDPF ALEL SECDS", "An explicit bind: which layers see it and what they are shown; dual-stack sockets; a bind that is asked about again"),
    _f("a.1.1", "D", "UDPF RED CH7", "A bind meets BIND_REDIRECT (68/69), then RESOURCE_ASSIGNMENT (36/38); Windows before 7 has only the second (g.1)"),
    _f("a.1.2", "D", "WLR", "Neither of the two bind layers has a packet"),
    _f("a.1.3", "D", "ALEL", "RESOURCE_ASSIGNMENT is asked for explicit and implicit binds, raw sockets (IS_RAW_ENDPOINT) and promiscuous mode (SIO_RCVALL), which can be filtered nowhere else"),
    _f("a.1.4", "DO", "ALEL SECDS", "With port 0 the port is picked before RESOURCE_ASSIGNMENT, which sees it and IS_WILDCARD_BIND (meaning disputed: g.14); 2,790 of 3,698 logged UDP binds have one from 49152 up (g.13)"),
    _f("a.1.5", "DO", "ALEL SECDS", "A local address that nobody gave is FWP_EMPTY; event 5158 writes it as 0.0.0.0 or ::"),
    _f("a.1.6", "O", "SECDS", "A dual-stack bind is asked at V4 (36), then V6 (38), both logged with :: (893 pairs, 6 reversed); its IPv4 flows are at 48 with IPv4 addresses (672 of 849 flows with a logged bind)"),
    _f("a.1.7", "O", "MVD", "BIND_REDIRECT runs at PASSIVE_LEVEL and is asked for implicit binds as well, which show the any-address for a moment"),
    _f("a.1.8", "DO", "MDL EBPF", "The endpoint handle is listed at both bind layers; a driver found none yet at RESOURCE_ASSIGNMENT (g.11)", _HANDLES),
    _f("a.1.9", "D", "CFL DCF", "IS_RECLASSIFY at RESOURCE_ASSIGNMENT marks the repeat of an earlier bind; DCF gives setting IPV6_PROTECTION_LEVEL as its cause, and V6 alone"),
    _f("a.1.10", "D", "RED", "Redirecting a bind changes the local end for all that the socket does, redirecting a connect changes one flow"),
    # --- a.2 to a.5 sending
    _f("a.2", "DO", "UDPF PIP ALEL", "The first datagram of an unconnected socket to a peer: a bind where there was none, the connect layers, then data and packet layers"),
    _f("a.2.1", "DO", "ALEL WSK-sendto SECDS", "sendto binds an unbound socket first; of 944 first unicast flows from dynamic ports 931 come right after the record of their bind, all 944 from the same process"),
    _f("a.2.2", "D", "UDPF PIP", "CONNECT_REDIRECT (66/67) > AUTH_CONNECT (48/50) > FLOW_ESTABLISHED (52/54) > DATAGRAM_DATA (24/26) > OUTBOUND_TRANSPORT (16/18) > OUTBOUND_IPPACKET (4/6)"),
    _f("a.2.3", "DOI", "EBPF RED DCF DDI-connect-request WDS374", "CONNECT_REDIRECT comes before the route, so the local address is often unset; it may change remote end and redirect fields only; AUTH_CONNECT has IS_CONNECTION_REDIRECTED and the new end (inferred)"),
    _f("a.2.4", "DO", "WLR DOP PMR", "AUTH_CONNECT of UDP holds the first outgoing packet from its transport header on (TCP: none); FLOW_ESTABLISHED holds the first packet, whichever way it goes"),
    _f("a.2.5", "D", "LID", "OUTBOUND_TRANSPORT is the top of the network layer: raw sends and foreign transports pass it as well"),
    _f("a.2.6", "D", "LID PIP", "OUTBOUND_IPPACKET comes after IPsec and before a packet is cut into fragments, which no layer sees on their way out", _FRAGMENTS),
    _f("a.2.7", "D", "CAL", "At the IPPACKET layers filters can test addresses, their type, interfaces and flags; ports and protocol they cannot"),
    _f("a.3", "DOI", "ALES UDPF PCP", "Later sends on a live flow: DATAGRAM_DATA > OUTBOUND_TRANSPORT > OUTBOUND_IPPACKET, no ALE layer (51 DNS flows of 2-5 packets: one record at 48 each); no CONNECT_REDIRECT is inferred"),
    _f("a.4", "DO", "ALES SECDS", "Another peer means another flow: all layers from CONNECT_REDIRECT down, none of the bind layers; 1,911 of 1,919 pairs of socket and peer have exactly one AUTH_CONNECT record"),
    _f("a.5", "DOI", "EBPF WSK-sendto TDR", "A UDP socket with connect(): what connect() and its sends meet, and whose datagrams still reach it"),
    _f("a.5.1", "O", "EBPF", "connect() meets CONNECT_REDIRECT, after a bind where needed, and no AUTH_CONNECT; the send meets CONNECT_REDIRECT once more, then AUTH_CONNECT and what follows"),
    _f("a.5.2", "O", "EBPF", "An IPv4-mapped destination on a dual-stack socket goes to CONNECT_REDIRECT_V6, then to AUTH_CONNECT_V4"),
    _f("a.5.3", "DI", "WSK-sendto", "An address given to sendto replaces the connected peer for this one datagram; that it makes a flow of its own is inferred"),
    _f("a.5.4", "DI", "TDR", "What comes from another than the connected peer is discarded (InetDiscardConnectedPath, 5), at INBOUND_TRANSPORT_DISCARD (inferred); whether an ICMP error follows nobody says"),
    # --- a.6 to a.8 receiving and answering
    _f("a.6", "DO", "UDPF PIP SECDS", "First receive: INBOUND_IPPACKET (0/2) > INBOUND_TRANSPORT (12/14) > AUTH_RECV_ACCEPT (44/46) > FLOW_ESTABLISHED > DATAGRAM_DATA > recv; on one host after AUTH_CONNECT (239 of 239)"),
    _f("a.6/endpoint", "DOI", "MDL BOP TRC", "The socket is found by INBOUND_TRANSPORT (inferred): its metadata list the endpoint handle, and a kernel stack shows ALE asked from within the delivery to an endpoint"),
    _f("a.6/packet", "D", "LID WLR MDI CH6", "INBOUND_IPPACKET precedes IP header processing, IPsec and reassembly; ALE_CLASSIFY_REQUIRED at INBOUND_TRANSPORT marks what ALE still has to classify (Vista SP1+)"),
    _f("a.7", "DO", "ALES UDPF SECDS", "Later receives: INBOUND_IPPACKET > INBOUND_TRANSPORT > DATAGRAM_DATA; a flow outlives the sender's socket: a new one on its port after 2-52 s met no new AUTH_RECV_ACCEPT"),
    _f("a.8", "DO", "ALES ALER SECDS PCP", "A flow carries both directions, so answers meet no AUTH layer"),
    _f("a.8.1", "D", "ALES ALER", "Answers in: INBOUND_IPPACKET > INBOUND_TRANSPORT > DATAGRAM_DATA; answers out: DATAGRAM_DATA > OUTBOUND_TRANSPORT > OUTBOUND_IPPACKET; no AUTH layer either way"),
    _f("a.8.2", "O", "SECDS PCP", "Of 1,835 outbound UDP tuples one (seen twice) is authorized inbound in reverse; of 62 logged flows with answers on the wire none has a record at 44"),
    _f("a.8.3", "OI", "SECDS", "The one of a.8.2: its socket was closed, the next one on the port met AUTH_RECV_ACCEPT for a late DNS answer (cause inferred), so state belongs to the socket and not to the port"),
    _f("a.8.4", "D", "CID", "DIRECTION means the packet at DATAGRAM_DATA and the flow at FLOW_ESTABLISHED"),
    # --- a.9 no listener
    _f("a.9", "DOI", "UDPF SECDS PCP", "No socket: INBOUND_IPPACKET, then INBOUND_IPPACKET_DISCARD (1/3) by the base page, INBOUND_TRANSPORT_DISCARD (13/15) by logs (g.3); the ICMP error from OUTBOUND_ICMP_ERROR (32/34) down"),
    _f("a.9.1", "D", "UDPF", "The base page: a UDP packet without endpoint is shown at IPPACKET_DISCARD, and a block there stops the ICMP error; INBOUND_TRANSPORT is not in its list"),
    _f("a.9.2", "O", "SECDS PCP", "60 UDP drops at 13 (process 0; 59 late DNS answers), 45 of ICMP at 32 (protocol 1, ports 0), each the next record of its peer's drop, within 1 ms; 9 such answers on a wire, no ICMP"),
    _f("a.9.3", "OI", "WST SECDS", "No record at 1 or 12, but only filters make records, and of 1,254 none is at either (4 at 13, 15 at 32): their absence is no proof that IPPACKET_DISCARD is skipped (inferred)"),
    _f("a.9.4", "OI", "SECDS", "51 of the 60 UDP drops have their record at 32 within 1 ms; the other 9 follow an earlier one by 0-27 ms, but one by 0.9 s: a rate limit of ICMP or one record for a burst (inferred)"),
    _f("a.9.5", "O", "SECDS", "For UDP the silent drop at 13 leaves the ICMP attempt alone, which needs a filter of its own at OUTBOUND_ICMP_ERROR; for TCP it does stop the RST"),
    _f("a.9.7", "DO", "TDR NDR HDR TCE", "Discard reasons: InetDiscardEndpointNotFound = 4 (transport), IpDiscardPortUnreachable = 4 (network)"),
    _f("a.9.8", "DOI", "NDR RFC792 RFC4443", "Sent for UDP over IPv4: type 3 code 3; for another protocol without handler type 3 code 2 (IpDiscardProtocolUnreachable, 3); over IPv6 type 1, code 4 for a port (code inferred)"),
    _f("a.9.9", "I", "RFC1122 SECDS", "No ICMP error answers multicast or broadcast (inferred; the only broadcast drop in logs is at 44 and has no record at 32)"),
    _f("a.9.10", "D", "TCPF", "TCP, to compare: INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD > OUTBOUND_TRANSPORT > OUTBOUND_IPPACKET, which is the RST", _TCP),
    # --- a.10 ICMP error
    _f("a.10", "DOI", "LID ALES WSK-recvfrom WSI SECDS", "An ICMP error comes back: the layers that see it, its record, what the application learns"),
    _f("a.10.1", "DI", "LID ALES", "INBOUND_IPPACKET (inferred) > INBOUND_ICMP_ERROR (28/30) > the socket that the error is about; ICMP errors never come to ALE layers"),
    _f("a.10.2", "DO", "CAL HDR", "INBOUND_ICMP_ERROR shows the ICMP type and code and, of the datagram inside, protocol, remote address, ports and type of the local address"),
    _f("a.10.3", "O", "SECDS", "Logged as 5152 at 28, protocol 17, process 0, origin 'Query User Default', the original flow seen as inbound; all 99 come 0-1 ms after the AUTH_CONNECT of their tuple (port 53)"),
    _f("a.10.4", "DOI", "WSK-sendto WSI WST", "recvfrom or a later sendto fails: 10054 (port unreachable), WSAENETRESET (TTL); two IOCTLs turn it off; a block at 28/30 hides it (inferred), which is the default except on loopback"),
    _f("a.10.5", "O", "SECDS", "In none of the 99 cases did the error bring a new AUTH_CONNECT of its tuple"),
    # --- a.11 reauthorization
    _f("a.11", "DOI", "ALER CFL UDPF", "Reauthorization: where, why, on which way, and what its failure means"),
    _f("a.11.1", "DO", "ALER CFL DCF EBPF", "AUTH_CONNECT and AUTH_RECV_ACCEPT alone authorize again; DCF lists BIND_REDIRECT too from Windows 7 (g.9); CONNECT_REDIRECT is not called for it"),
    _f("a.11.2", "DI", "UDPF", "Inbound: INBOUND_IPPACKET > INBOUND_TRANSPORT > AUTH_RECV_ACCEPT > DATAGRAM_DATA, if refused the discard twin; outbound AUTH_CONNECT, then data and packet layers, or its twin (inferred)"),
    _f("a.11.3", "DO", "ALER CFL MVD", "(i) any filter added or removed at the layer that made the flow, asked at the next packet either way; (ii) another interface (weak host, Vista SP1+); (iii) a completed pend; (iv) a.11/reasons"),
    _f("a.11.4", "D", "ALER MDL", "The packet may go the other way: outbound at AUTH_RECV_ACCEPT, inbound at AUTH_CONNECT (PACKET_DIRECTION says); a field without meaning there is FWP_EMPTY, which EQUAL matches"),
    _f("a.11.5", "DO", "CFL SECDS", "Each multicast or broadcast packet received is authorized again at AUTH_RECV_ACCEPT (NEW_INBOUND_MCAST_BCAST_PACKET); 5156 at 44/46 repeats accordingly"),
    _f("a.11.6", "DI", "ALER", "A failed reauthorization takes the flow away; that the next packet begins a new one is inferred"),
    _f("a.11.7", "D", "ALER ASY", "Nothing can be pended while IS_REAUTHORIZE is set: STATUS_FWP_CANNOT_PEND"),
    _f("a.11/reasons", "DO", "CFL PRJ", "17 reasons, POLICY_CHANGE 0x1 to CHECK_OFFLOAD 0x10000, are listed in fsm/reasons.py; layers are documented, values observed, those of PRECLASSIFY in one table only"),
    # --- a.12 pending
    _f("a.12", "DOI", "ASY TOC DDI-pend DDI-complete", "Pended operations: what can be held where, what completion brings, what becomes of the packet"),
    _f("a.12.1", "D", "DDI-pend ASY TOC", "FwpsPendOperation0 holds RESOURCE_ASSIGNMENT, AUTH_LISTEN, AUTH_CONNECT and, for a clone to inject later, AUTH_RECV_ACCEPT; the callout answers BLOCK with ABSORB"),
    _f("a.12.2", "D", "TOC ASY", "FwpsPendClassify0 holds ENDPOINT_CLOSURE, CONNECT_REDIRECT and BIND_REDIRECT; FLOW_ESTABLISHED cannot be held"),
    _f("a.12.3", "DO", "ASY DDI-inject-receive SMP", "Completion asks AUTH_CONNECT again (IS_REAUTHORIZE, CLASSIFY_COMPLETION); at AUTH_RECV_ACCEPT the injected clone comes in as a new packet, and its permit makes the flow (g.10)"),
    _f("a.12.4", "D", "DDI-pend DDI-complete", "Unless it is TCP, the held packet is not kept: completion makes the flow alone, and the data must be sent again or injected"),
    _f("a.12.5", "D", "WLR ASY", "Callouts of transport layers must not hold a packet that ALE still has to classify"),
    _f("a.12.6", "DOI", "ASY SMP", "After a pend, AUTH_CONNECT again > FLOW_ESTABLISHED > data and packet layers (inferred); the callout itself sends the first packet, after the reauthorization (where it enters: a.21)"),
    _f("a.12.7", "O", "PMR", "In practice drivers hold the first classification only"),
    # --- a.13, a.14 end of sockets and flows
    _f("a.13", "DI", "UDPF ELM ALEL", "Closing a UDP socket: what is indicated, in which order, and what becomes of its flows"),
    _f("a.13.1", "D", "UDPF ELM ALEL", "The base page: no layer sees the end. Windows 7+: ENDPOINT_CLOSURE (64/65) once per socket, RESOURCE_RELEASE (62/63) once per assignment it had (g.2)"),
    _f("a.13.2", "I", "ELM ALEL", "ENDPOINT_CLOSURE comes before RESOURCE_RELEASE, and a dual-stack socket has two releases, V4 and V6 (both inferred)"),
    _f("a.13.3", "D", "CAL", "ENDPOINT_CLOSURE offers remote address and port, RESOURCE_RELEASE no remote end"),
    _f("a.13.4", "D", "ALES DDI-flow-context DDI-flow-delete", "The flows of the socket go without a classify; flowDeleteFn is called once for each context that a callout had attached, else not at all"),
    _f("a.13.5", "D", "DDI-flow-abort CH8", "FwpsFlowAbort0 lets a callout end a flow, from Windows 8 on"),
    _f("a.14", "DO", "ALES ALEC UCO SECDS", "Flows that time out, and the options that set lifetimes"),
    _f("a.14.1", "DO", "ALES UDPF WDV", "A unicast flow of anything but TCP ends after 60 s without a packet either way (configurable, shorter when flows are many); no layer is asked, flow contexts get flowDeleteFn"),
    _f("a.14.2", "OI", "SECDS", "Then the next packet is a first one, in its own direction (inferred); servers were asked again after 85, 120, 168, 173, 198 s, not up to 52 s; at 70, 77 and 96 s unlogged packets may hide"),
    _f("a.14.3", "DO", "ALEC UCO SDK-option HDR PRJ", "Classify options, through SET_OPTIONS callouts that only inspect: lifetimes in seconds, group state 0 outbound link-local, 1 denied, 2 global; at AUTH_RECV_ACCEPT from Windows 8"),
    # --- a.15 groups
    _f("a.15", "DO", "ALEM ALEL SECDS PCP", "Multicast and broadcast, sent and received"),
    _f("a.15.1", "DI", "ALEM", "A send to a group: AUTH_CONNECT once, then 4 s (SET_OPTIONS_AUTH_CONNECT) that sends alone renew; while they last anything from any address is let in, to that socket (inferred)"),
    _f("a.15.2", "D", "ALEM ALEL", "Inbound group traffic is one global flow; answers to it pass AUTH_CONNECT as flows of their own; AUTH_RECV_ACCEPT's rule of the first packet is for unicast only"),
    _f("a.15.3", "OI", "SECDS PCP", "One 5156 at AUTH_CONNECT per group flow, but one at AUTH_RECV_ACCEPT per packet received (363 for 73 tuples; 18 NetBIOS broadcasts: 18 and 1), which fits reason 0x100 (inferred)"),
    _f("a.15.4", "OI", "SECDS", "57 pairs of records in one millisecond, where several sockets have the port (mDNS, 5353): one per receiving socket (inferred)"),
    _f("a.15.5", "O", "SECDS", "Of 160 outbound group tuples 57 are authorized inbound on their own host too, always after the outbound record; newer logs give 'AppContainer Loopback' as origin (49 records)"),
    _f("a.15.6", "O", "SECDS", "Not explained: NetBIOS of System (port 137) repeats its AUTH_CONNECT every 0-1 s with no bind between"),
    # --- a.16, a.17 other protocols, loopback
    _f("a.16", "DO", "UDPF ALES ALEL SECDS", "ICMP, IGMP, raw sockets and other protocols"),
    _f("a.16.1", "D", "UDPF ALES", "What is not TCP goes the way of UDP; what is neither TCP nor ICMP is treated like UDP in its state too"),
    _f("a.16.2", "D", "ALES DOP IPS", "ICMP flows, errors excepted, have as key addresses, type, code, protocol and for echo the id; the messages pass DATAGRAM_DATA as well"),
    _f("a.16.3", "O", "FWPMU SECDS", "ICMP type is the local port and code the remote one (one GUID each): echo out 8, 0 at 48, echo in 0, 8 at 44 in Source, Dest order; IGMP (protocol 2) 0, 0; echo replies never appear"),
    _f("a.16.4", "O", "SECDS", "Each echo request of a ping, 1 s apart, is logged anew: in practice they share no flow (g.17)"),
    _f("a.16.5", "D", "ALEL RED", "Raw sockets: IS_RAW_ENDPOINT at RESOURCE_ASSIGNMENT; raw TCP is handled like UDP; connects can be redirected for raw UDPv4 without header include and for ICMP"),
    _f("a.16.6", "D", "LID CFL DCF", "Raw sends of neither TCP nor UDP pass OUTBOUND_TRANSPORT; IS_RAW_ENDPOINT is listed at DATAGRAM_DATA, both AUTH layers and, from Windows 7, both redirect layers"),
    _f("a.17", "O", "WDV SECDS", "Loopback passes outbound and inbound layers, both IPPACKET layers too, with IS_LOOPBACK (0x1), AUTH_CONNECT before AUTH_RECV_ACCEPT; sends to an own other address do the same"),
    # --- a.18 to a.20 what is not run
    _f("a.18", "DI", "WLR CFL LID PIP", "Fragments and their reassembly", _FRAGMENTS),
    _f("a.18.1", "D", "WLR CFL", "n fragments received: n plain classifies at INBOUND_IPPACKET, n with IS_FRAGMENT, one with IS_REASSEMBLED (Vista SP1+), as 4+4+1; from the transport layer up only the whole", _FRAGMENTS),
    _f("a.18.2", "D", "LID PIP", "A datagram sent is classified once before it is fragmented, its fragments are not", _FRAGMENTS),
    _f("a.18.3", "DI", "WLR CFL PRG", "Forwarded fragments: once each, or as IS_FRAGMENT_GROUP as well; reassembly that fails ends at INBOUND_IPPACKET_DISCARD (inferred); PRG denies a sure mark of reassembly", _FRAGMENTS),
    _f("a.19", "D", "LID WLR CFL DCF IPS", "IPsec works before OUTBOUND_IPPACKET and after INBOUND_IPPACKET; its inbound checks wait for ALE; tunnel packets pass INBOUND_TRANSPORT first; IS_IPSEC_SECURED is 0x2 (layers: g.26)", _IPSEC),
    _f("a.19/sublayer", "D", "WLR", "Callouts of transport and ALE layers belong below UNIVERSAL, the sublayer of the built-in IPsec callouts", _IPSEC),
    _f("a.20", "DOI", "PIP WLR WDV", "Packets of other hosts visit IPFORWARD; whether the IPPACKET layers see them nobody states, WinDivert reports the forward layer alone, and that only is the default (inferred)", _BELOW),
    _f("a.20/own", "D", "WLR", "With forwarding on, a packet for a local address that came by another interface visits IPFORWARD too", _BELOW),
    _f("a.20/below", "D", "LID VSW", "Windows 8+: MAC_FRAME_NATIVE, then MAC_FRAME_ETHERNET on receive, reversed on send; vSwitch layers on Hyper-V switches alone, their transport layers not for ports in PVLAN or trunk mode", _BELOW),
    # --- a.21, a.22 injection, redirection to a process
    _f("a.21", "DI", "INJ PIP", "Injected packets: where a clone enters again and who sees it"),
    _f("a.21.1", "DI", "INJ", "Wherever it was taken, a clone enters at the bottom when received and at the top when sent, so above DATAGRAM_DATA; ALE is asked only if the flow needs it (inferred)"),
    _f("a.21.2", "D", "INJ DDI-inject-receive", "Functions for network, forward and transport layers, the last also for datagram, ICMP error and ALE; from INBOUND_TRANSPORT only where ALE_CLASSIFY_REQUIRED is not set"),
    _f("a.21.3", "D", "INJ DDI-injection-state", "Every callout meets an injected packet again, its injector too; FwpsQueryPacketInjectionState0 says whose it is, and own packets must be let through"),
    _f("a.21.4", "D", "INJ PIP", "FwpsInjectTransportReceiveAsync0 goes round the IPsec checks; a packet whose address turns from local to foreign, or back, changes to the forward layer, or from it", "neither IPsec nor forwarding is run"),
    _f("a.21.5", "D", "TOC UCD", "A callout that holds or changes a packet must find ACTION_WRITE and clear it with BLOCK and ABSORB, or a lower one takes it too (TOC's next sentence is read with a 'not')"),
    _f("a.22", "D", "RED DDI-redirect-state DCF", "To a local process (Windows 8+): redirect handle, target PID and, on the proxy's flow, the redirect records; no second redirect of one's own; its flow has IS_PROXY_CONNECTION (UDP: g.24)"),
    _f("a.22/twice", "O", "EBPF", "A flow redirected to an address other than loopback can meet AUTH_CONNECT twice, with the old and with the new destination", "seen for TCP alone"),
    # --- b.1 to b.3 arbitration
    _f("b.1", "DO", "SDK-types PRJ", "BLOCK 0x1001, PERMIT 0x1002, CONTINUE 0x2006, CALLOUT_TERMINATING 0x5003, _INSPECTION 0x6004, _UNKNOWN 0x4005; flags TERMINATING 0x1000, NON_TERMINATING 0x2000, CALLOUT 0x4000"),
    _f("b.1/out", "O", "PRJ", "FWPS_CLASSIFY_OUT: ABSORB 0x1, BUFFER_LIMIT_REACHED 0x2, NO_MORE_DATA 0x4, ALE_FAST_CACHE_CHECK 0x8, ALE_FAST_CACHE_POSSIBLE 0x10; right ACTION_WRITE 0x1"),
    _f("b.2", "DOI", "ARB WGT WGTID BOP SDK-filter", "How the filters of one layer come to a verdict"),
    _f("b.2.1", "D", "ARB", "The heaviest sublayer is first, and in each its heaviest matching filter, until one answers Permit or Block; after Continue comes the next"),
    _f("b.2.2", "DI", "ARB", "One page says both that every sublayer is asked even after a block and that a block ends it (g.8); taken here: all are asked, and a hard block stays (inferred)"),
    _f("b.2.3", "DO", "ARB SDK-run-filter UCD SMP", "Filters permit soft and block hard, callouts are soft until they clear the right: with any block, with a permit only under CLEAR_ACTION_RIGHT; only a veto undoes a hard permit"),
    _f("b.2.4", "D", "ARB AUD", "Veto: a block answered after an earlier permit has cleared ACTION_WRITE; the traffic is blocked, with event 5153 and a notification"),
    _f("b.2.5", "D", "SDK-run-filter UCD ARB", "With CLEAR_ACTION_RIGHT (0x8, at run time 0x1) the action of a filter is hard; the arbitration page has it the other way round (g.7)"),
    _f("b.2.6", "D", "ARB", "Layers do not arbitrate with each other: what one permits the next may block"),
    _f("b.2.7", "DOI", "SECDS AUD", "Where no filter matches the layer permits (inferred); FilterRTID 0 (2,924 of 3,698 UDP binds, all 2,790 of dynamic ports) proves nothing, as permits need not record a filter"),
    _f("b.2.8", "DO", "WGT WGTID E5447", "UINT64 weights count as given; EMPTY ones lie in [0, 2^60); UINT8 0-15 is the top 4 bits before 60 automatic ones; IKE exemptions 0xC, IPsec 0x0; a stealth filter 13835058055315718144"),
    _f("b.2.9", "D", "SDK-filter ALER", "Conditions on different fields must all hold, of neighbours on one field one must (Windows 7+); a field that is listed and FWP_EMPTY passes EQUAL"),
    _f("b.2.10", "DO", "BOP SDK-filter MVD", "A filter whose callout is missing blocks, unless it has PERMIT_IF_CALLOUT_UNREGISTERED, which goes with CALLOUT_TERMINATING and CALLOUT_UNKNOWN only"),
    _f("b.2.11", "D", "SLI", "Filters that name no sublayer are in UNIVERSAL; INSPECTION is the lightest of the built-in ones"),
    _f("b.2.12", "D", "BOP", "A layer is asked once for each packet, stream or event; dropping is done by the shim and not by the engine"),
    _f("b.2.13", "O", "WST", "Sublayer weights on one machine: RPC_AUDIT 49152, UNIVERSAL 32768, MPSSVC_WF 2, INSPECTION 0, all in fsm/policy/well_known.py; third parties above (WinDivert 65516-65535) or between"),
    _f("b.2.14", "D", "BOP SDK-filter", "Boot-time filters hold from the start of tcpip.sys, persistent ones take over in one step when the Base Filtering Engine runs; no filter is both"),
    _f("b.2/flags", "DO", "SDK-filter PRJ", "Filter flags: PERSISTENT 0x1, BOOTTIME 0x2, HAS_PROVIDER_CONTEXT 0x4, CLEAR_ACTION_RIGHT 0x8, PERMIT_IF_CALLOUT_UNREGISTERED 0x10, DISABLED 0x20, up to IPSEC_NO_ACQUIRE_INITIATE 0x800"),
    _f("b.2/match", "DO", "SDK-types HDR", "Match types 0-12: EQUAL, GREATER, LESS, GREATER_OR_EQUAL, LESS_OR_EQUAL, RANGE, FLAGS_ALL_SET, _ANY_SET, _NONE_SET, EQUAL_CASE_INSENSITIVE, NOT_EQUAL, PREFIX, NOT_PREFIX"),
    _f("b.2/types", "DO", "SDK-types HDR", "Data types run from EMPTY 0 to BITMAP_ARRAY64 20, then V4_ADDR_MASK 0x100, V6_ADDR_MASK 0x101, RANGE 0x102; directions are OUTBOUND 0 and INBOUND 1"),
    _f("b.3", "DO", "SDK-out TOC NDR TCE", "ABSORB with BLOCK: at IPPACKET, transport, ICMP error, data and both AUTH layers among others, at no discard layer; the packet leaves no discard and no event (IpDiscardInspectionAbsorb, 257)"),
    # --- b.4 what a block brings about
    _f("b.4", "DOI", "LID AUD UDPF SECDS EBPF", "What a block brings about, by layer: the discard twin, what is not reached any more, what the application sees, which events are logged at which id"),
    _f("b.4/BIND_REDIRECT", "I", "HDR", "No discard twin; RESOURCE_ASSIGNMENT is not reached and bind fails with WSAEACCES (inferred); an event was not found"),
    _f("b.4/RESOURCE_ASSIGNMENT", "DO", "LID EBPF AUD E5159", "Twin RESOURCE_ASSIGNMENT_DISCARD (37/39); bind fails with WSAEACCES 10013; event 5159 (%%14608) at 36/38"),
    _f("b.4/CONNECT_REDIRECT", "I", "HDR", "No discard twin; AUTH_CONNECT is not reached, and the application sees what it sees of a block there (inferred); an event was not found"),
    _f("b.4/AUTH_CONNECT", "DOI", "LID EBPF AMN3160 WSL4985 E5157", "Twin 49/51; nothing below is reached (inferred); sendto returns success, the datagram is lost; ping prints 'General failure'; 5157 and (inferred) 5152, %%14611, at 48/50 (g.22)"),
    _f("b.4/FLOW_ESTABLISHED", "DO", "LID ALEL PRG EBPF", "Twin 53/55, but no policy point: no block, or only for an error that matters to security, which ends the connection (g.21)"),
    _f("b.4/DATAGRAM_DATA", "DI", "LID AUD", "Twin 25/27; sent it reaches no transport or IP layer, received no socket, silently (inferred); event 5152, %%14600 (id inferred)"),
    _f("b.4/OUTBOUND_TRANSPORT", "DI", "LID AUD", "Twin 17/19; OUTBOUND_IPPACKET is not reached (inferred); what the application sees is not documented, taken as nothing; event 5152, %%14597, at 16/18"),
    _f("b.4/OUTBOUND_IPPACKET", "DI", "LID AUD", "Twin 5/7; nothing follows, silently (inferred); event 5152, %%14596, at 4/6"),
    _f("b.4/INBOUND_IPPACKET", "D", "LID AUD", "Twin 1/3; nothing follows, recv waits; event 5152, %%14596, at 0/2"),
    _f("b.4/INBOUND_TRANSPORT", "D", "LID AUD", "Twin 13/15; nothing follows, recv waits; event 5152, %%14597, at 12/14"),
    _f("b.4/AUTH_RECV_ACCEPT", "DO", "UDPF EBPF SECDS EVTX", "Twin 45/47; no flow, no datagram, and no ICMP error was seen; recv waits, the peer's sendto succeeded; 5152, then 5157 beside it with the same filter, at 44/46"),
    _f("b.4/INBOUND_ICMP_ERROR", "DOI", "LID SECDS", "Twin 29/31; nothing follows, the application gets no 10054 (inferred); event 5152 at 28, without process"),
    _f("b.4/OUTBOUND_ICMP_ERROR", "DOI", "LID SECDS", "Twin 33/35; the error goes no further and the remote end sees a timeout, not 10054 (both inferred); event 5152 at 32, protocol 1, ports 0"),
    _f("b.4/INBOUND_IPPACKET_DISCARD", "DI", "UDPF", "The ICMP error is not sent, so the remote end sees a timeout; event 5152 at 1/3 (inferred)"),
    _f("b.4/INBOUND_TRANSPORT_DISCARD", "O", "SECDS", "The silent drop: for TCP no RST, for UDP the ICMP error is still attempted; event 5152 at 13/15"),
    _f("b.4.1", "OI", "SECDS", "No flow comes of a blocked packet, so each further one is classified (inferred for UDP; TCP drops repeat with every SYN: 0, 1, 3, 7, 15 s)"),
    _f("b.4.2", "D", "AUD", "5157 comes with the audit subcategory Connection, 5152 and 5153 with Packet Drop, each without regard to the other"),
    _f("b.4.3", "O", "PMR", "After a block at ALE the outbound packet layers see nothing, while inbound packet layers have seen the packet before"),
    _f("b.4.4", "O", "WIN252", "WinDivert drops by absorbing, so its drops are in no log"),
    _f("b.4.5", "DO", "NDR TCE", "Network-side reasons for drops by filters are IpDiscardInspectionDrop (9, no ICMP) and IpDiscardAdministrativelyProhibited (11, ICMP), called internal; what yields 11 is not documented"),
    # --- c discards, flags, data
    _f("c.1", "DO", "HDR MDI NDR TDR GDR", "A discard layer is given module (NETWORK 0, TRANSPORT 1, GENERAL 2), reason and filter id: DISCARD_REASON, FWPS_DISCARD_METADATA0"),
    _f("c.2", "DO", "HDR GDR", "GENERAL has FIREWALL_POLICY 0, where the filter id is valid, and IPSEC 1"),
    _f("c.3", "OI", "SMP", "A filter's block comes as GENERAL FIREWALL_POLICY, a drop of the stack as NETWORK or TRANSPORT (inferred; the samples single out FIREWALL_POLICY)"),
    _f("c.4", "DO", "DOP SMP", "A packet at the IPPACKET discard layers begins where the stack stopped reading"),
    _f("c/transport", "DO", "HDR TCE TDR", "TRANSPORT reasons run from 0 to 33, named up to 28 in TDR: 4 EndpointNotFound, 5 ConnectedPath, 7 ReceiveInspection"),
    _f("c/network", "DO", "HDR TCE NDR", "NETWORK reasons: 3 ProtocolUnreachable, 4 PortUnreachable, 9 InspectionDrop, 11 AdministrativelyProhibited, 257 InspectionAbsorb; below 128 receive, to 255 forward, from 256 send path"),
    _f("c/flags", "DO", "DCF CFL PRJ", "Condition flags, IS_LOOPBACK 0x1 to IS_HONORING_POLICY_AUTHORIZE 0x2000000, are listed in fsm/policy/fields.py; IS_IMPLICIT_BIND 0x200 is of Vista and Server 2008 alone"),
    _f("c/start", "D", "DOP", "Where a packet begins at each layer: fsm/data/metadata.csv"),
    _f("c/metadata", "D", "MDL", "INBOUND_IPPACKET has no flow handle; the AUTH layers have one, a completion handle and PACKET_DIRECTION; every ALE layer has PROCESS_ID (fsm/data/metadata.csv)"),
    _f("c/etw", "O", "TCE", "Events of Microsoft-Windows-TCPIP: 1214 transport drop, 1215 network drop, 1478 framing drop", _ETW),
    # --- d stealth mode
    _f("d.1", "DO", "HDR FWPMU BCI DBC", "Silent-drop callouts: V4 eda08606-2494-4d78-89bc-67837c03b969, V6 8693cc74-a075-4156-b476-9286eece814e; documented for what arrives for TCP without listener"),
    _f("d.2", "DO", "BCI DBC E5447", "They act at INBOUND_TRANSPORT_DISCARD by BCI and in practice, at the inbound transport layer by DBC (g.6)"),
    _f("d.3", "DO", "PPS SIW", "The recipe: block ICMP type 3 at OUTBOUND_ICMP_ERROR (for IPv6 too, where d.9 has type 1), silent drop at INBOUND_TRANSPORT_DISCARD with FLAGS NONE_SET IS_LOOPBACK"),
    _f("d.4", "D", "E5447", "The firewall's own 'Port Scanning Prevention Filter': layer 13, FLAGS NONE_SET 0x3 (loopback, IPsec), the V4 callout of d.1, action %%16391"),
    _f("d.6", "O", "SECDS WST", "For UDP: the drop is logged at 13 and the ICMP attempt at 32, by filters whose ids are 2 apart (70081 and 70083, 70764 and 70766, 75850 and 75852, 71511 and 71513)"),
    _f("d.7", "DO", "FOR PRJ", "Newer systems give 'Stealth' as origin of such a drop; net events have the keyword PORT_SCANNING_DROP 0x20 (Windows 10 1903+)"),
    _f("d.9", "O", "WST", "Default firewall: 13/15 permit or silent drop by profile; 32 ICMP type 3 but codes 4 and 13, 34 type 1, and type 4 codes 0-2, are blocked; loopback is spared throughout"),
    _f("d.10", "O", "WST", "Its AUTH_CONNECT ends in the permit 'Default Outbound', AUTH_RECV_ACCEPT in the block 'Query User' under some 200 permits; RESOURCE_ASSIGNMENT has permits and a callout, no plain block"),
    # --- e events and files
    _f("e.1", "DO", "AUD E5152 E5156 E5158 SECDS EVTX", "Security events of the platform: ids, fields, which end is the source, message codes"),
    _f("e.1/ids", "D", "AUD AUDC", "5152/5153 packet blocked/vetoed (Packet Drop), 5154/5155 listen, 5156/5157 connection, 5158/5159 bind permitted/blocked (Connection); 5150/5151 MAC frames; off by default"),
    _f("e.1/fields", "DO", "E5152 E5153 E5156 E5158 SECDS EVTX", "5152, 5156 and 5157 name both ends, 5153-5155, 5158 and 5159 the source; 5156/5157 spell ProcessID; newer ones add FilterOrigin, InterfaceIndex; program '-' goes with process 0"),
    _f("e.1/ends", "O", "EVTX SECDS", "Source is the sender in 5152 always, in 5156 and 5157 from Windows 10 on; in the era of Windows 7 those have the local end as Source, inbound too (g.12)"),
    _f("e.1/seen", "O", "SECDS", "Seen: 5152 at 13, 28, 32, 44; 5154 at 40, 42; 5156 at 44, 46, 48, 50; 5157 at 44; 5158 at 36, 38; no 5153, 5155 or 5159"),
    _f("e.1/origins", "DO", "FOR SECDS", "Filter origins: AppContainer loopback, Boottime, Quarantine, Query user, UWP and WSH default, Stealth, or a rule id; seen are Unknown and the first, third and fourth"),
    _f("e.1/codes", "O", "WLB SECDS", "%%14592-14642 name directions and layers, %%16384-16391 changes; layer and discard twin share a code, only LayerRTID tells them apart"),
    _f("e.2", "DO", "SDK-mtypes HDR UWP QUA", "Net events: types 0-10, among them CLASSIFY_DROP 3 and CLASSIFY_ALLOW 6; XML items of header, type, classifyDrop or classifyAllow, internalFields, in an order that samples show"),
    _f("e.2/flags", "DO", "PRJ SDK-mtypes", "Header flags IP_PROTOCOL 0x1 to EFFECTIVE_NAME 0x2000 tell which fields are set; directions are IN 0x3900, OUT 0x3901, FORWARD 0x3902"),
    _f("e.2/ring", "D", "LOG", "Kept by default: drops of inbound unicast and all outbound drops, in 128 KB (some 100-150 events) that a reboot empties"),
    _f("e.2/direction", "O", "UWP EVTX", "A dropped inbound broadcast at 44 is shown as OUT with 255.255.255.255 as local address; old 5156 print the group as local end likewise"),
    _f("e.3", "O", "UWP QUA MYS375 WST", "netsh wfp show filters: items from filterKey to effectiveWeight; show state: two top elements (wfpstate and, on newer builds, firewallState), so no XML document; layerId is the run-time id"),
    # --- f since when
    _f("f/ids", "DO", "SDK-layers HDR WST", "Run-time ids 0-81 are stable, those above move between builds; a state file of 2024 has 0-98 as listed here, 83/84 (reserved in headers) as 'ALE Accept Redirect v4/v6 Layer'"),
    _f("f/vista", "D", "LID FWPMU", "Vista, Server 2008: ids 0-55 (network, transport, stream, datagram, ICMP error, ALE, discard twins), IPsec, IKE and RPC layers"),
    _f("f/vista-sp1", "D", "CH6 ALER CFL", "Vista SP1: ALE_CLASSIFY_REQUIRED, reauthorization on another arrival interface, IS_REASSEMBLED"),
    _f("f/7", "D", "CH7 FWPMU CFL", "Windows 7, Server 2008 R2: BIND_REDIRECT, CONNECT_REDIRECT, ENDPOINT_CLOSURE, RESOURCE_RELEASE, STREAM_PACKET and others; reauthorization reasons; OR of conditions on one field"),
    _f("f/8", "D", "CH8 FWPMU", "Windows 8, Server 2012: MAC_FRAME and vSwitch layers, redirect records, FwpsFlowAbort0, SET_OPTIONS at AUTH_RECV_ACCEPT, AppContainer flags, MPSSVC sublayer GUIDs"),
    _f("f/8.1", "D", "FWPMU", "Windows 8.1: the internal layers *_FAST"),
    _f("f/10", "D", "FWPMU", "Windows 10 1709: INBOUND_RESERVED2"),
    _f("f/11", "D", "FWPMU", "Windows 11 22H2: OUTBOUND_NETWORK_CONNECTION_POLICY_V4 and _V6"),
    # --- g disagreements: A against B, then what the evidence favours
    _f("g.1", "DO", "UDPF TCPF RED CH7 RTL EBPF MVD", "A (UDPF, TCPF): redirect layers in Windows 7 and 2008 R2 only. B (RED, CH7, RTL, GUIDs): from 7 on. B, as drivers for 10 and 11 use them; A can mean 'first in'"),
    _f("g.2", "D", "UDPF ELM ALEL", "A (UDPF): the end is indicated nowhere. B (ELM, ALEL): ENDPOINT_CLOSURE and RESOURCE_RELEASE on close, Windows 7+. B; A holds for Vista and for idle flows"),
    _f("g.3", "DO", "UDPF SECDS PPS BCI", "A (UDPF): no listener is INBOUND_IPPACKET_DISCARD. B (logs, PPS, BCI): INBOUND_TRANSPORT_DISCARD (13). 13 is certain, the other neither proven nor excluded: an option of the model"),
    _f("g.4", "DO", "UDPF LID TRC MDL TCPF", "A (UDPF): no INBOUND_TRANSPORT without endpoint. B (LID): it precedes transport processing. A: TRC has it within delivery to an endpoint, MDL lists its handle, TCPF omits it too"),
    _f("g.5", "D", "UDPF PIP WLR", "INBOUND_TRANSPORT or AUTH_RECV_ACCEPT first? All pages have the transport layer first, and ALE_CLASSIFY_REQUIRED would have no use otherwise"),
    _f("g.6", "DO", "BCI DBC E5447 SIW PPS SECDS", "A (BCI): silent drop at the inbound transport discard layer. B (DBC): at the inbound transport layer. A (E5447, SIW, PPS). Both pages speak of TCP only, logs show it act on UDP"),
    _f("g.7", "DO", "ARB SDK-run-filter UCD MVD", "A (ARB): an action is hard with CLEAR_ACTION_RIGHT cleared. B (its name, FWPS_FILTER0, a sample, VPN products): with it set. B"),
    _f("g.8", "DO", "ARB UWP QUA", "A (ARB): all sublayers are asked after a block. B (ARB, next section): a block is final and ends it. Result fixed by a hard block; events naming several deciding sublayers suggest A. Open"),
    _f("g.9", "DI", "ALER CFL DCF DDI-apply", "A (ALER, CFL): only the AUTH layers reauthorize. B (DCF): IS_REAUTHORIZE at BIND_REDIRECT too, Windows 7+. A for flows; B may mean a pended redirect that a second callout has changed (inferred)"),
    _f("g.10", "DO", "ALER DDI-pend DDI-complete ASY SMP", "A (ALER, DDI): completion authorizes again. B (ASY): not at AUTH_RECV_ACCEPT, where the reinjected clone is classified. B; a Microsoft sample relies on it"),
    _f("g.11", "DO", "MDL EBPF ELM", "A (MDL): RESOURCE_ASSIGNMENT has an endpoint handle. B (EBPF): not allocated yet. Present, as ELM pairs by it, perhaps a placeholder. Open", _HANDLES),
    _f("g.12", "DO", "E5156 E5157 EVTX SECDS", "A (samples of 5156/5157): inbound Source is local. B (newer samples, logs): remote. Both by generation: A in the era of Windows 7, B from Windows 10 on"),
    _f("g.13", "DO", "ALEL SECDS", "A (ALEL): dynamic ports 19152-65535. B (Windows' default, logs): 49152-65535. B; A is a slip"),
    _f("g.14", "DOI", "ALEL CFL DCF SECDS WST", "A (ALEL): IS_WILDCARD_BIND means port 0. B (CFL, DCF): the wildcard address. Default A (inferred): 2,790 binds of dynamic ports have FilterRTID 0, 446 of fixed ports on the wildcard do not"),
    _f("g.15", "D", "ALEL HDR", "A (ALEL): each ALE layer has a discard twin. B (the enumeration): RESOURCE_RELEASE, ENDPOINT_CLOSURE and both redirect layers have none. B"),
    _f("g.16", "DO", "ALEM SECDS CFL", "A (ALEM): one global flow for all inbound multicast. B (logs): a record for each packet. Both: one flow, each packet authorized again (0x100)"),
    _f("g.17", "DO", "ALES SECDS", "A (ALES): echo requests of one ICMP id share a flow. B (logs): each is recorded. In practice B, perhaps by new ids or endpoints; open: each logged run is on loopback or goes to several hosts"),
    _f("g.18", "D", "CFL DCF WLR", "A (CFL): IS_FRAGMENT_GROUP at IPFORWARD. B (DCF): at INBOUND_IPPACKET. A, by the words of WLR", _BELOW),
    _f("g.19", "DO", "CFL DCF PPS WST", "A (CFL): IS_LOOPBACK at AUTH_CONNECT (SP1+), not at DATAGRAM_DATA. B (DCF): at DATAGRAM_DATA and discard twins, not at AUTH_CONNECT. Both together: stealth and firewall filters use either"),
    _f("g.20", "D", "UDPF WLR", "A (UDPF): FLOW_ESTABLISHED before DATAGRAM_DATA. B (WLR): FLOW_ESTABLISHED carries the first packet. They agree: the same packet, the flow layer first"),
    _f("g.21", "D", "ALEL LID PRG", "A (ALEL): nothing may block at FLOW_ESTABLISHED. B: it has a discard twin, and PRG allows a block for an error of security, closing the connection. No place for policy"),
    _f("g.22", "O", "EBPF", "sendto after a block at AUTH_CONNECT: Microsoft says nothing, a test sees success, many report 10013 for TCP connect. Success; open for implicit binds and connected sockets"),
    _f("g.23", "O", "SECDS", "A (a TechNet page, dd448557): stealth drops are not logged. B (logs): 5152 at 13 and 32. B"),
    _f("g.24", "DO", "WDS144 WDD3110 RED", "A (two issues): on Windows 10 1703 UDP cannot be redirected to a process of its host, a new local address works for TCP only. B (RED): supported. Not to be relied on for UDP"),
    _f("g.25", "D", "FWPMU", "A (comments of fwpmu.h): the GUID of INBOUND_MAC_FRAME_ETHERNET has a23a, of MAC_LOCAL_ADDRESS 4c8e. B (its definitions): a231, 4c83. B is what compiles"),
    _f("g.26", "D", "CFL DCF IPS", "A (CFL): IS_IPSEC_SECURED at INBOUND_IPPACKET, INBOUND_TRANSPORT, AUTH layers. B (DCF): INBOUND_TRANSPORT, FLOW_ESTABLISHED, twins. All of them; doubtful at INBOUND_IPPACKET, before IPsec", _IPSEC),
    _f("g.27", "D", "INJ DDI-inject-send", "A (INJ): what is injected as sent enters at the top, ALE where needed. B (FwpsInjectTransportSendAsync0): it injects transport data, layers not listed. A (a.21)"),
    _f("g.28", "D", "WLR", "A (WLR): no layer sees an injected forward packet. B (WLR, next sentence): the callout may see it again. B, so callouts must know their own packets", _BELOW),
    _f("g.29", "DO", "RED DDI-connect-request SMP WDD3110", "A (RED, FWPS_CONNECT_REQUEST0): CONNECT_REDIRECT cannot change the local end. B (WFPSampler, a test): it can, for TCP. For UDP it cannot"),
)
# fmt: on

FACTS: dict[str, Fact] = {fact.number: fact for fact in _ALL}


def rows_of(number: str) -> tuple[Fact, ...]:
    """The rows of a fact (`b.4/AUTH_CONNECT` of `b.4`), or of a whole part (`f/7` of `f`)."""
    return tuple(fact for fact in _ALL if fact.number.startswith(f"{number}/"))


def find(numbers: Iterable[str], where: str = "sources") -> tuple[Fact, ...]:
    """The facts of these numbers, each with its rows; a letter gives its whole part.

    Raises
    ------
    UnknownName : there is no such fact.
    """
    found: dict[str, Fact] = {}
    for number in numbers:
        if number in PARTS:
            mine = [fact for fact in _ALL if fact.number.startswith(number)]
        elif number in FACTS:
            mine = [FACTS[number], *rows_of(number)]
        else:
            raise UnknownName.of(where, "fact", number, (*PARTS, *FACTS))
        found |= {fact.number: fact for fact in mine}
    return tuple(found.values())
