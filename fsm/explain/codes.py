"""The explanations as data: one entry for each code, in the order of precedence.

`sentence` and `next_check` are templates; `wording.py` fills them with the addresses, ports, program, layer and
filter of the record, and adds what the log shows besides.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of explanation.

    Parameters
    ----------
    title : a headline for a list.
    sentence : what happened, with the names of the record.
    means : what that means for who reads it; the same for every record of the code.
    next_check : the next thing to look at.
    application_sees, remote_sees : said when the machine has no place for the record.
    cite : keys of `fsm.sources.SOURCES`.
    """

    title: str
    sentence: str
    means: str
    next_check: str
    application_sees: str
    remote_sees: str
    cite: tuple[str, ...]


CODES: dict[str, Code] = {
    "icmp_error_for_own_flow": Code(
        "ICMP error about our own traffic (not an attack)",
        "An ICMP error came back about {proto} that this host sent itself, from {local} to {remote}. "
        "The record shows the ends of that earlier datagram, not of the ICMP packet. The error was {done} {at}.",
        "It looks like inbound {proto} from {remote}, but nobody tried to get in.",
        "Find out why {remote} was not reached: {remote_address} or a router on the way refused (the record does not "
        "keep the ICMP type). `pktmon start --capture`, or a capture filtered for ICMP, shows it. A rule for "
        "{local_port_words} would change nothing.",
        "nothing: the error of its earlier send is not reported",
        "its ICMP error arrived; no answer",
        ("ALES", "LID", "SECDS", "WST"),
    ),
    "icmp_twin": Code(
        "Suppressed ICMP answer to a drop (its second half)",
        "Windows wanted to tell {remote} by an ICMP error that no socket took its datagram, and the firewall stopped "
        "that error {at}. It belongs to the drop in record {pair_record}, {pair_gap}.",
        "One datagram, two records: this one is no traffic of its own and no ping.",
        "Look at record {pair_record}; there is nothing to do for this one. Stealth mode suppresses the error on "
        "purpose (value DisableStealthMode in the registry).",
        "nothing: no socket owns the port",
        "a timeout: no ICMP error comes back",
        ("UDPF", "PPS", "SECDS", "WST"),
    ),
    "late_reply": Code(
        "Answer to a socket that is gone",
        "{remote} answered {local} by {proto}, but the socket that asked is gone: {asker} had asked from this port "
        "{delay} before (record {asked_record}). The answer was {done} {at}.",
        "No rule blocks it and an allow rule would not help: no socket is left that could take it.",
        "Usually nothing. If the program misses answers, compare its timeout with the {delay} this answer took; "
        "programs that ask several servers close the socket after the first answer.",
        "nothing: no socket owns the port",
        "its send succeeded; no ICMP error comes back",
        ("PPS", "BCI", "SECDS", "PCP"),
    ),
    "no_listener": Code(
        "No socket on the port",
        "{proto} from {remote} to {local} found no socket to take it and was {done} {at}.",
        "No rule blocks it and an allow rule would not help: a program has to listen on that port first.",
        "Should something listen on {local_port_words}? `Get-NetUDPEndpoint{port_argument}` shows who does; in the log "
        "look for event 5158 with that port. If nothing should, ignore the record.",
        "nothing: no socket owns the port",
        "a timeout: no ICMP error comes back when stealth mode stops it",
        ("UDPF", "PPS", "BCI", "SECDS"),
    ),
    "vetoed": Code(
        "Vetoed: a block overrode an earlier permit",
        "{packet} was permitted by one filter and then vetoed by a more restrictive one {at}.",
        "Two products or sublayers disagree: allowing more in the one that permits already will not help.",
        "`netsh wfp show filters file=-`: find filter id {filter_id} and its subLayerKey; that provider decides. Ids "
        "change at each reboot and rule change, so look soon.",
        "nothing arrives, or its send was lost",
        "nothing arrives, or a timeout",
        ("ARB", "AUD", "E5153"),
    ),
    "blocked_bind": Code(
        "Bind refused",
        "{program} was refused {proto} {local_port_words} {at}.",
        "The program never gets its socket; nothing is sent or received.",
        "`netsh wfp show filters file=-`: find filter id {filter_id} and the product that owns it. Windows Firewall "
        "itself does not block binds by default, so look at VPN, endpoint protection and service hardening.",
        "bind fails with WSAEACCES (10013)",
        "nothing",
        ("AUD", "EBPF", "E5159"),
    ),
    "blocked_connect": Code(
        "Outbound flow refused",
        "{program} was not allowed to send {proto} from {local} to {remote}; the datagram was {done} {at}.",
        "No flow is made, so every further datagram to this peer is asked about, and refused, again.",
        "{origin_check}",
        "sendto returned success; the datagram is lost",
        "nothing arrives",
        ("UDPF", "ALEL", "EBPF", "E5157"),
    ),
    "blocked_accept": Code(
        "Inbound flow refused",
        "{proto} from {remote} to {local} was not let in to {program}; it was {done} {at}.",
        "A socket owns the port, but the filters do not let this sender in. No flow is made, so every further datagram "
        "is asked about again.",
        "{origin_check}",
        "recv waits: nothing arrives",
        "its send succeeded; no answer and no ICMP error",
        ("UDPF", "ALEL", "SECDS", "E5157"),
    ),
    "blocked_packet": Code(
        "Packet dropped below the socket layers",
        "{packet} was {done} {at}.",
        "Packet layers see every packet, not only the first of a flow, and firewall rules for programs do not reach "
        "them: a callout driver, IPsec or a special filter decided.",
        "`netsh wfp show filters file=-`: find filter id {filter_id}; its provider names the product. "
        "`netsh wfp show state` lists callout drivers.",
        "nothing arrives, or its send was lost in silence",
        "nothing arrives, or its send succeeded without answer",
        ("AUD", "LID"),
    ),
    "group_traffic": Code(
        "Multicast or broadcast, allowed",
        "{program} {group_verb} {proto} {group_words} {group} from {group_sender}; allowed {at}.",
        "Sending is recorded once per flow, receiving once per datagram and per socket, the host's own copies "
        "included: many records are no flood.",
        "Nothing. To see who joined the group: `netsh interface ip show joins`.",
        "its send succeeds, or recv returns the datagram",
        "members of the group receive it",
        ("ALEM", "CFL", "SECDS", "PCP"),
    ),
    "permitted_connect": Code(
        "Outbound flow allowed",
        "{program} on {local} may exchange {proto} with {remote}; allowed {at}.",
        "Recorded once per flow: further datagrams and the answers pass without a record until 60 s without any.",
        "Nothing is wrong. Answers need no inbound rule while the socket and the flow live.",
        "its send succeeds",
        "the datagram arrives",
        ("UDPF", "ALES", "PCP", "E5156"),
    ),
    "permitted_accept": Code(
        "Inbound flow allowed",
        "{program} on {local} may exchange {proto} with {remote}, which sent first; allowed {at}.",
        "Recorded once per flow: further datagrams and our answers pass without a record until 60 s without any.",
        "Nothing is wrong. If it should not be let in, the rule is behind filter id {filter_id} "
        "(`netsh wfp show filters file=-`).",
        "recv returns the datagram",
        "its send succeeded",
        ("UDPF", "ALES", "SECDS", "E5156"),
    ),
    "bind": Code(
        "Local port taken",
        "{program} took {proto} {local_port_words} {on_address}; allowed {at}.",
        "A socket now owns the port. A dual-stack socket gives one record for IPv4 and one for IPv6.",
        "Nothing. A bind opens no firewall: whether datagrams get in is decided at ALE_AUTH_RECV_ACCEPT.",
        "bind succeeds",
        "nothing",
        ("UDPF", "ALEL", "SECDS", "E5158"),
    ),
}


@dataclass(frozen=True, slots=True)
class Variant:
    """Words of a code for one kind of traffic. What is "" is said as for any traffic.

    `application_sees` and `remote_sees` go before what the machine says: its rows are about a socket and its peer.
    """

    sentence: str = ""
    means: str = ""
    next_check: str = ""
    application_sees: str = ""
    remote_sees: str = ""
    cite: tuple[str, ...] = ()


_ANSWERS_ITSELF = "The stack itself (System) answers echo requests that are let in: no program and no port take part."
_EACH_ECHO = "Each echo request of a ping is recorded; the replies are not."
_NEIGHBOURS = "Such messages are the stack's own (neighbours, routers, group membership): no program and no port stand "
_NEIGHBOURS += "behind them. Each request is recorded; replies (and neighbour advertisements) are not."
_MEMBERSHIP = "IGMP tells routers and switches which multicast groups a host has joined. The stack sends and takes it "
_MEMBERSHIP += "itself: no program and no port stand behind it."
_WENT_ON = (
    "The flow existed before, and was asked about again: this is no new flow, and no step FLOW_ESTABLISHED follows."
)
_ENDED = (
    "The flow existed before, and the refusal ends it; the next datagram is a first one and is asked about as such."
)

# By code and kind of traffic; the first kind of a record (see `wording.kinds`) that has words gives them.
VARIANTS: dict[tuple[str, str], Variant] = {
    ("permitted_connect", "completed"): Variant(
        "{program} on {local} may exchange {proto} with {remote}: a callout had held the first datagram and has let it "
        "go; allowed {at}.",
        "The flow is made now. The datagram that was held is lost, unless the callout sends it itself.",
        cite=("ASY", "DDI-complete"),
    ),
    ("blocked_connect", "completed"): Variant(
        "{program} was not allowed to send {proto} from {local} to {remote}: a callout had held the first datagram, "
        "and at its completion it was {done} {at}.",
        cite=("ASY", "DDI-complete"),
    ),
    ("permitted_accept", "completed"): Variant(
        "{program} on {local} may exchange {proto} with {remote}: a callout had held the first datagram and has let it "
        "in; allowed {at}.",
        "One page says that a completed receive is authorized again, another that the callout's clone comes in afresh: "
        "this record speaks for the first.",
        cite=("ALER", "ASY", "DDI-complete"),
    ),
    ("blocked_accept", "completed"): Variant(
        "{proto} from {remote} to {local} was not let in to {program}: a callout had held the first datagram, and at "
        "its completion it was {done} {at}.",
        cite=("ALER", "ASY", "DDI-complete"),
    ),
    ("permitted_connect", "reauthorized"): Variant(
        "{program} on {local} may go on exchanging {proto} with {remote}, to which it sent first; allowed again {at}.",
        _WENT_ON,
        "Nothing is wrong. Many such records: something changes filters, interfaces or profiles all the time.",
        cite=("ALER", "CFL"),
    ),
    ("permitted_accept", "reauthorized"): Variant(
        "{program} on {local} may go on exchanging {proto} with {remote}, which sent first; allowed again {at}.",
        _WENT_ON,
        "Nothing is wrong. Many such records: something changes filters, interfaces or profiles all the time.",
        cite=("ALER", "CFL"),
    ),
    ("blocked_connect", "reauthorized"): Variant(
        "{program} was not allowed to go on sending {proto} from {local} to {remote}; the datagram was {done} {at}.",
        _ENDED,
        cite=("ALER", "CFL"),
    ),
    ("blocked_accept", "reauthorized"): Variant(
        "{proto} from {remote} to {local}, of a flow that had been let in to {program}, was {done} {at}.",
        _ENDED,
        cite=("ALER", "CFL"),
    ),
    ("permitted_connect", "icmp_echo"): Variant(
        "{program} on {local} sent {remote} an echo request (ping, {proto}); allowed {at}.",
        _EACH_ECHO,
        "Nothing is wrong. If no reply comes, look at the other host: replies need no inbound rule here.",
        "ping waits for the reply",
        "an echo request arrives",
        ("ALES", "SECDS"),
    ),
    ("permitted_accept", "icmp_echo"): Variant(
        "{remote} sent {local} an echo request (ping, {proto}); allowed {at}.",
        f"{_ANSWERS_ITSELF} {_EACH_ECHO}",
        "",
        "nothing: no program takes part",
        "its ping gets a reply",
        ("ALES", "SECDS"),
    ),
    ("blocked_connect", "icmp_echo"): Variant(
        "{program} was not allowed to send {remote} an echo request (ping, {proto}) from {local}; it was {done} {at}.",
        "The owner of an echo request is System, whatever program asked: a rule for the program does not match. Every "
        "further request is asked about, and refused, again.",
        cite=("ALES", "WSL4985"),
    ),
    ("blocked_accept", "icmp_echo"): Variant(
        "{remote} sent {local} an echo request (ping, {proto}), which was not let in; it was {done} {at}.",
        f"{_ANSWERS_ITSELF} This one gets no answer, and every further request is asked about, and refused, again.",
        "",
        "nothing: no program takes part",
        "its ping times out",
        ("ALES", "SECDS"),
    ),
    ("group_traffic", "icmp_echo"): Variant(
        "{program} {group_verb} an echo request (ping, {proto}) {group_words} {group} from {group_sender}; "
        "allowed {at}.",
        _EACH_ECHO,
        cite=("ALEM", "ALES"),
    ),
    ("permitted_connect", "icmp"): Variant(
        "{program} on {local} sent {proto} to {remote}; allowed {at}.",
        _NEIGHBOURS,
        "Nothing is wrong: blocking such messages breaks IPv6, or the discovery of paths.",
        "nothing: no program takes part",
        "the message arrives",
        ("ALES", "SECDS"),
    ),
    ("permitted_accept", "icmp"): Variant(
        "{remote} sent {proto} to {local}; allowed {at}.",
        _NEIGHBOURS,
        "Nothing is wrong: blocking such messages breaks IPv6, or the discovery of paths.",
        "nothing: no program takes part",
        "its message arrived",
        ("ALES", "SECDS"),
    ),
    ("blocked_connect", "icmp"): Variant(
        means=_NEIGHBOURS,
        application_sees="nothing: no program takes part",
        remote_sees="nothing arrives",
        cite=("ALES", "SECDS"),
    ),
    ("blocked_accept", "icmp"): Variant(
        "{remote} sent {proto} to {local}, which was not let in; it was {done} {at}.",
        _NEIGHBOURS,
        "",
        "nothing: no program takes part",
        "no answer",
        ("ALES", "SECDS"),
    ),
    ("group_traffic", "icmp"): Variant(
        means=_NEIGHBOURS,
        application_sees="nothing: no program takes part",
        cite=("ALEM", "ALES", "SECDS"),
    ),
    ("group_traffic", "igmp"): Variant(
        means=_MEMBERSHIP,
        application_sees="nothing: no program takes part",
        remote_sees="routers and switches learn of the membership, or ask for it",
        cite=("ALEM", "ALES", "SECDS"),
    ),
    ("permitted_connect", "igmp"): Variant(
        "{program} on {local} sent {proto} to {remote}; allowed {at}.",
        _MEMBERSHIP,
        application_sees="nothing: no program takes part",
        remote_sees="the membership message arrives",
        cite=("ALES",),
    ),
    ("permitted_accept", "igmp"): Variant(
        "{remote} sent {proto} to {local}; allowed {at}.",
        _MEMBERSHIP,
        "",
        "nothing: no program takes part",
        "its question arrived",
        ("ALES",),
    ),
    ("blocked_connect", "igmp"): Variant(
        means=f"{_MEMBERSHIP} Refused, switches that watch it may stop forwarding the group to this host.",
        application_sees="group datagrams may stop to arrive",
        remote_sees="the membership is not heard of",
        cite=("ALES",),
    ),
    ("blocked_accept", "igmp"): Variant(
        "{remote} sent {proto} to {local}, which was not let in; it was {done} {at}.",
        f"{_MEMBERSHIP} A router's question that is refused gets no answer, and the membership can run out.",
        "",
        "group datagrams may stop to arrive",
        "no membership report comes",
        ("ALES",),
    ),
    ("no_listener", "other"): Variant(
        "{proto} from {remote} to {local} found nothing on this host that handles the protocol, and was {done} {at}.",
        "No rule blocks it and an allow rule would not help: a driver or service for this protocol is missing.",
        "Should this host speak {proto}? Then look at the driver or service for it. If not, ignore the record.",
        application_sees="nothing: nothing handles the protocol",
        cite=("NDR", "TDR"),
    ),
    ("no_listener", "icmp"): Variant(
        "{proto} from {remote} to {local} found nothing on this host that waits for it, and was {done} {at}.",
        "No rule blocks it and an allow rule would not help.",
        "If nothing on this host should get such messages, ignore the record.",
        application_sees="nothing: nothing waits for it",
        cite=("NDR", "TDR"),
    ),
    ("blocked_packet", "suppressed_error"): Variant(
        means="The default firewall blocks such errors itself (stealth mode): the host does not tell that nothing "
        "listens. A filter of another product can do the same.",
        next_check="Usually nothing. `netsh wfp show filters file=-`: filter id {filter_id} is a port scanning "
        "prevention filter of the firewall, or names another provider. The registry value DisableStealthMode turns "
        "stealth mode off.",
        remote_sees="a timeout: no ICMP error comes back",
        cite=("PPS", "WST"),
    ),
    ("no_listener", "group"): Variant(
        means="No rule blocks it: a program would have to listen on that port. For a group datagram no ICMP error is "
        "made.",
        remote_sees="its send succeeded; no ICMP error is made for a group",
        cite=("RFC1122",),
    ),
    ("blocked_connect", "group"): Variant(
        means="No state is kept: every further datagram to the group is asked about, and refused, again, and no "
        "answers get in by it.",
        cite=("ALEM",),
    ),
    ("blocked_accept", "group"): Variant(
        means="All inbound group datagrams are one flow, and each is asked about by itself: every further one is "
        "refused again, whoever sends it.",
        cite=("ALEM", "CFL", "SECDS"),
    ),
}


@dataclass(frozen=True, slots=True)
class Origin:
    """A filter origin of Windows 11 / Server 2022 and later: what the filter is, and what to check."""

    words: str
    check: str
    cite: tuple[str, ...] = ("FOR",)


# By origin, case-folded and without blanks. Facts d.7 and e.1; wording after Microsoft's page on filter origins.
ORIGINS: dict[str, Origin] = {
    "stealth": Origin(
        "a filter of stealth mode, which answers nothing where nobody listens",
        "Stealth drops are made against port scans; a rule does not change them. Check whether the port should have "
        "a listener.",
        ("FOR", "PPS"),
    ),
    "queryuserdefault": Origin(
        "the default block of Windows Firewall, in force where no rule allows",
        "Add an inbound allow rule for the program and port. If a user pressed Cancel at the firewall's question, "
        "delete the block rules that made: `Get-NetFirewallRule | Where Name -like '*Query User*'`.",
    ),
    "quarantinedefault": Origin(
        "the quarantine of an interface, which holds while Windows works out which network it is on",
        "Transient: see whether it went on for more than seconds after a network change. `Get-NetIPInterface "
        "-InterfaceIndex N` names the interface. Rules do not reach these filters.",
        ("FOR", "QUA"),
    ),
    "boottimedefault": Origin(
        "a boot-time filter: the firewall service was not running yet",
        "Compare the time with the start of the host and of the services BFE and mpssvc. Firewall rules cannot make "
        "exceptions at boot.",
    ),
    "appcontainerloopback": Origin(
        "the loopback rule for packaged (store) apps",
        "A packaged app may talk to its own host only with an exemption: `CheckNetIsolation LoopbackExempt -s` lists "
        "them. A port rule does not help.",
    ),
    "uwpdefault": Origin(
        "the default block for packaged (store) apps",
        "The app lacks a network capability, or the private range of the network is configured wrongly: "
        "`Get-AppxPackageManifest`, `CheckNetIsolation Debug`.",
        ("FOR", "UWP"),
    ),
    "wshdefault": Origin(
        "Windows Service Hardening: the service has no hardening rule for this traffic",
        "An ordinary allow rule does not override it; the maker of the service has to declare the traffic.",
    ),
}

# Kinds of ICMP messages that logs show (fact a.16.3), by protocol and type.
ICMP_WORDS: dict[tuple[int, int], str] = {
    (1, 0): "echo reply", (1, 8): "echo request", (1, 9): "router advertisement", (1, 10): "router solicitation",
    (1, 13): "timestamp request",
    (58, 128): "echo request", (58, 129): "echo reply", (58, 130): "multicast listener query",
    (58, 131): "multicast listener report", (58, 132): "multicast listener done", (58, 133): "router solicitation",
    (58, 134): "router advertisement", (58, 135): "neighbour solicitation", (58, 136): "neighbour advertisement",
    (58, 137): "redirect", (58, 143): "multicast listener report",
}  # fmt: skip

# Layers in words, by stem; discard layers add their own half-sentence.
LAYER_WORDS: dict[str, str] = {
    "INBOUND_IPPACKET": "IP layer, incoming, before the header is processed",
    "OUTBOUND_IPPACKET": "IP layer, outgoing, the last before the wire",
    "IPFORWARD": "forwarding, packets for other hosts",
    "INBOUND_TRANSPORT": "transport layer, incoming",
    "OUTBOUND_TRANSPORT": "transport layer, outgoing",
    "DATAGRAM_DATA": "datagram data, each datagram of an allowed flow",
    "INBOUND_ICMP_ERROR": "incoming ICMP errors about our own traffic",
    "OUTBOUND_ICMP_ERROR": "ICMP errors that this host wants to send",
    "ALE_RESOURCE_ASSIGNMENT": "bind: a socket gets its local port",
    "ALE_RESOURCE_RELEASE": "a local port is given back",
    "ALE_ENDPOINT_CLOSURE": "a socket is closed",
    "ALE_AUTH_LISTEN": "listen",
    "ALE_AUTH_RECV_ACCEPT": "receive/accept: first datagram from a peer",
    "ALE_AUTH_CONNECT": "connect: first datagram to a peer",
    "ALE_FLOW_ESTABLISHED": "a flow was made",
    "ALE_CONNECT_REDIRECT": "redirection of the remote address",
    "ALE_BIND_REDIRECT": "redirection of the local address",
}
# The two AUTH layers see a first datagram, except for these kinds of traffic.
LAYER_WORDS_OF: dict[tuple[str, str], str] = {
    ("ALE_AUTH_RECV_ACCEPT", "completed"): "receive/accept: completion of what a callout held",
    ("ALE_AUTH_CONNECT", "completed"): "connect: completion of what a callout held",
    ("ALE_AUTH_RECV_ACCEPT", "reauthorized"): "receive/accept: a flow that exists is asked about again",
    ("ALE_AUTH_CONNECT", "reauthorized"): "connect: a flow that exists is asked about again",
    ("ALE_AUTH_RECV_ACCEPT", "icmp_echo"): "receive/accept: each echo request",
    ("ALE_AUTH_CONNECT", "icmp_echo"): "connect: each echo request",
    ("ALE_AUTH_RECV_ACCEPT", "group"): "receive/accept: each datagram to a group, once per socket",
    ("ALE_AUTH_CONNECT", "group"): "connect: first datagram to a group",
}
DISCARD_WORDS = "discard side: what the stack or a filter has already given up"
