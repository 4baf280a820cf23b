"""What a callout can want of a layer, and whether it gets it there: yes, in part, or no, with reason and source.

Computed from the catalogue (`layers.csv`), the fields per layer (`conditions.csv`), and what is listed for each layer
of metadata and of where the packet begins (`metadata.csv`, which only this module reads; sources MDL and DOP, facts
c.4, c/metadata, c/start).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fsm.catalogue import Layer
from fsm.names import WINDOWS
from fsm.policy.fields import PREFIX, canonical, offered
from fsm.rules import RULES

YES, PARTLY, NO = "yes", "partly", "no"
_PER_PACKET = ("packet", "datagram", "ICMP error message")
_STARTS = {
    "ip_header": "the packet begins with the IP header",
    "transport_header": "the packet begins with the transport header",
    "payload": "the packet begins with the payload",
    "inner_ip_header": "the packet begins with the IP header inside the ICMP error",
    "icmp_header": "the packet begins with the ICMP header",
    "where_stopped": "the packet begins where the stack stopped working on it",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a layer has what is wanted, why, and who says so."""

    level: str  # yes | partly | no
    why: str
    cite: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Want:
    """Something a callout can want: `kind` is need (something it reads) or may (something it does)."""

    name: str
    kind: str
    text: str
    answer: Callable[[Layer, str], Answer]  # the layer, the Windows


@cache
def _listed() -> dict[str, tuple[str, frozenset[str]]]:
    text = files("fsm").joinpath("data/metadata.csv").read_text(encoding="ascii")
    rows = [line.split(",") for line in text.splitlines()[1:]]
    return {stem: (start, frozenset(names.split())) for stem, start, names in rows}


def metadata_of(layer: Layer) -> frozenset[str]:
    """The metadata that a layer can have, without FWPS_METADATA_FIELD_ (MDL)."""
    return _listed().get(layer.stem, ("", frozenset()))[1]


def packet_start(layer: Layer) -> str:
    """Where the packet begins at this layer, a word of the table above; "none" without packet, "" if nobody says.

    DATAGRAM_DATA and the layers of flows begin at the payload of an inbound packet and at the transport header of an
    outbound one, as `in:payload out:transport_header` (DOP).
    """
    return _listed().get(layer.stem, ("", frozenset()))[0]


def packet_text(layer: Layer) -> str:
    """The same in words."""
    start = packet_start(layer)
    if start == "none":
        return "no packet is indicated"
    if start.startswith("in:"):
        inbound, outbound = (part.partition(":")[2].replace("_", " ") for part in start.split())
        return f"the packet begins with the {inbound} (inbound) or the {outbound} (outbound)"
    return _STARTS.get(start, "where the packet begins is not listed")


def is_per_packet(layer: Layer) -> bool:
    """Whether every packet is classified there, not one per flow or socket operation."""
    return layer.classified_per.startswith(_PER_PACKET)


def is_once_per_flow(layer: Layer) -> bool:
    return layer.classified_per.startswith(("flow (", "first packet of flow"))


def absorbing_stems() -> frozenset[str]:
    """The stems at which the rules take an absorb."""
    return _absorbing()


@cache
def _absorbing() -> frozenset[str]:
    return frozenset(row.layer for row in RULES if row.event == "absorb" and row.layer)


# ---- needs


def _metadata(*names: str, words: str) -> Callable[[Layer, str], Answer]:
    def answer(layer: Layer, windows: str) -> Answer:
        has = metadata_of(layer)
        found = [name for name in names if name in has]
        if found:
            return Answer(YES, f"metadata {', '.join(found)}", ("MDL",))
        return Answer(NO, f"no {words} among its metadata", ("MDL",))

    return answer


def _fields(*names: str, words: str, all_of: bool = True) -> Callable[[Layer, str], Answer]:
    wanted = [canonical(PREFIX + name) for name in names]

    def answer(layer: Layer, windows: str) -> Answer:
        here = offered(layer.name)
        found = [name.removeprefix(PREFIX) for name in wanted if name in here]
        if len(found) == len(wanted) or (found and not all_of):
            return Answer(YES, f"fields {', '.join(found)}", ("CAL",))
        if found:
            return Answer(PARTLY, f"of the {words} only {', '.join(found)}", ("CAL",))
        return Answer(NO, f"no {words} among its fields", ("CAL",))

    return answer


def _program(layer: Layer, windows: str) -> Answer:
    by_field = _fields("ALE_APP_ID", words="program")(layer, windows)
    if by_field.level == YES:
        return by_field
    return _metadata("PROCESS_PATH", words="program")(layer, windows)


def _user(layer: Layer, windows: str) -> Answer:
    by_token = _metadata("TOKEN", words="token")(layer, windows)
    if by_token.level == YES:
        return by_token
    return _fields("ALE_USER_ID", words="user")(layer, windows)


def _local_unsettled(layer: Layer) -> bool:
    return layer.stem == "ALE_CONNECT_REDIRECT"


def _local_address(layer: Layer, windows: str) -> Answer:
    if _local_unsettled(layer):
        return Answer(PARTLY, "asked before the route look-up: often not set yet", ("EBPF",))
    return _fields("IP_LOCAL_ADDRESS", words="local address")(layer, windows)


def _addresses(layer: Layer, windows: str) -> Answer:
    both = _fields("IP_LOCAL_ADDRESS", "IP_REMOTE_ADDRESS", words="addresses")(layer, windows)
    if both.level == YES and _local_unsettled(layer):
        return Answer(PARTLY, "asked before the route look-up: the local address is often not set yet", ("EBPF",))
    return both


def _payload(layer: Layer, windows: str) -> Answer:
    start = packet_start(layer)
    if start in ("none", ""):
        return Answer(NO, packet_text(layer), ("DOP", "WLR"))
    if start in ("inner_ip_header", "icmp_header"):
        return Answer(NO, f"only of an ICMP error: {packet_text(layer)}", ("DOP",))
    if not is_per_packet(layer):
        if layer.is_discard:
            return Answer(PARTLY, "only of what is discarded", ("DOP", "WLR"))
        return Answer(PARTLY, "only of the packet that is authorized, not of those that follow", ("WLR", "DOP"))
    if layer.stem == "INBOUND_IPPACKET":
        return Answer(PARTLY, "before reassembly and IPsec: fragments and encrypted packets come as they are", ("LID",))
    if layer.stem == "OUTBOUND_IPPACKET":
        return Answer(PARTLY, "after IPsec: what is encrypted comes encrypted", ("LID", "PIP"))
    return Answer(YES, packet_text(layer), ("DOP",))


def _ip_header(layer: Layer, windows: str) -> Answer:
    start = packet_start(layer)
    if start == "ip_header":
        return Answer(YES, packet_text(layer), ("DOP",))
    if start == "none" or not start:
        return Answer(NO, packet_text(layer), ("DOP",))
    if layer.direction == "inbound" and "IP_HEADER_SIZE" in metadata_of(layer):
        return Answer(YES, "it lies before the data; metadata IP_HEADER_SIZE tells how far to retreat", ("MDL", "DOP"))
    if "in:" in start and "IP_HEADER_SIZE" in metadata_of(layer):
        return Answer(PARTLY, "of inbound packets, before the data (metadata IP_HEADER_SIZE)", ("MDL", "DOP"))
    return Answer(NO, f"{packet_text(layer)}; the IP header is not built yet or not told of", ("DOP", "MDL"))


def _transport_header(layer: Layer, windows: str) -> Answer:
    start = packet_start(layer)
    if start in ("ip_header", "transport_header") or "out:" in start:
        return Answer(YES, packet_text(layer), ("DOP",))
    if start == "payload" and "TRANSPORT_HEADER_SIZE" in metadata_of(layer):
        return Answer(YES, "it lies before the data; metadata TRANSPORT_HEADER_SIZE", ("MDL", "DOP"))
    return Answer(NO, packet_text(layer), ("DOP",))


def _before_route(layer: Layer, windows: str) -> Answer:
    if layer.stem in ("ALE_BIND_REDIRECT", "ALE_RESOURCE_ASSIGNMENT"):
        return Answer(PARTLY, "before the route look-up, but no destination is known", ("ALEL", "WLR"))
    if layer.stem == "ALE_CONNECT_REDIRECT":
        return Answer(YES, "called before the route look-up", ("EBPF",))
    return Answer(NO, "the route is chosen before it, or there is none to choose", ("EBPF",))


def _once_per_flow(layer: Layer, windows: str) -> Answer:
    if layer.stem == "ALE_CONNECT_REDIRECT":
        return Answer(PARTLY, "once for a flow of an unconnected socket; again at connect()", ("EBPF",))
    if not is_once_per_flow(layer) or layer.is_discard:
        return Answer(NO, f"classified per {layer.classified_per}", ("WLR",))
    if "reauthorization" in layer.classified_per:
        return Answer(PARTLY, "once for the flow, and again at each reauthorization (flag IS_REAUTHORIZE)", ("ALER",))
    return Answer(YES, f"classified per {layer.classified_per}", ("ALEL",))


def _every_packet(layer: Layer, windows: str) -> Answer:
    if is_per_packet(layer) and not layer.stem.endswith("ICMP_ERROR"):
        return Answer(YES, f"classified per {layer.classified_per}", ("WLR",))
    return Answer(NO, f"classified per {layer.classified_per}", ("WLR",))


# ---- may


def _block(layer: Layer, windows: str) -> Answer:
    if layer.may_block == "yes":
        return Answer(YES, "it may be blocked", ("LID",))
    if layer.may_block == "error-only":
        return Answer(NO, "no policy point: only a security-relevant error may block", ("ALEL", "PRG"))
    said = "nobody says whether it may be blocked" if layer.may_block == "unknown" else "it reports, nothing to block"
    return Answer(NO, said, ("LID",))


def _absorb(layer: Layer, windows: str) -> Answer:
    if layer.stem in _absorbing() and not layer.is_discard:
        return Answer(YES, "block with ABSORB: no discard layer, no event", ("SDK-out", "TOC"))
    return Answer(NO, "absorbing is not among what may be answered there", ("SDK-out",))


def _delay(layer: Layer, windows: str) -> Answer:
    pend = layer.may_pend
    if pend.startswith("FwpsPendOperation0"):
        if layer.stem == "ALE_AUTH_CONNECT":
            return Answer(
                YES,
                "FwpsPendOperation0; the datagram is flushed, so inject a clone after completion; not while "
                "reauthorizing",
                ("DDI-pend", "ASY"),
            )
        if layer.stem == "ALE_AUTH_RECV_ACCEPT":
            return Answer(
                YES, "FwpsPendOperation0, then inject the clone, which comes in afresh; not while reauthorizing",
                ("DDI-pend", "ASY"),
            )  # fmt: skip
        return Answer(YES, "FwpsPendOperation0", ("DDI-pend",))
    if pend.startswith("FwpsPendClassify0"):
        return Answer(YES, "FwpsPendClassify0", ("TOC",))
    if "still needing ALE" in pend:
        return Answer(
            PARTLY, "block, absorb, inject a clone later; not for packets that still need ALE classification",
            ("WLR", "ASY"),
        )  # fmt: skip
    if pend.startswith("reinject"):
        return Answer(YES, "block, absorb, and inject a clone later", ("ASY", "INJ"))
    return Answer(NO, "no asynchronous processing" if pend == "no" else f"pend: {pend}", ("ASY", "TOC"))


def _redirect(layer: Layer, windows: str) -> Answer:
    if layer.may_redirect == "no":
        return Answer(NO, "only the two redirect layers redirect", ("RED",))
    if WINDOWS.index(windows) < WINDOWS.index("7"):
        return Answer(NO, "redirect layers came with Windows 7", ("CH7",))
    if layer.stem == "ALE_CONNECT_REDIRECT":
        return Answer(YES, "remote address and port of one flow", ("RED", "DDI-connect-request"))
    return Answer(PARTLY, "local address and port, for every peer of the socket", ("RED",))


def _redirect_local(layer: Layer, windows: str) -> Answer:
    if layer.stem == "ALE_BIND_REDIRECT":
        return Answer(YES, "local address and port, for every peer of the socket", ("RED",))
    if layer.stem == "ALE_CONNECT_REDIRECT":
        return Answer(
            NO,
            "only the remote address and port can be changed there; the local address is changed at BIND_REDIRECT",
            ("RED", "DDI-connect-request"),
        )
    return _redirect(layer, windows)


def _modify(layer: Layer, windows: str) -> Answer:
    delay = _inject(layer, windows)
    if delay.level == NO or layer.is_discard:
        return Answer(NO, delay.why if delay.level == NO else "a discarded packet is not sent on", delay.cite)
    return Answer(delay.level, "block, absorb, change a clone and inject it", ("INJ", "TOC"))


def _inject(layer: Layer, windows: str) -> Answer:
    start = packet_start(layer)
    if start in ("none", ""):
        return Answer(NO, f"{packet_text(layer)}, so there is none to clone", ("WLR", "INJ"))
    if layer.stem not in _absorbing() or layer.is_discard:
        return Answer(NO, "what it clones cannot be absorbed there", ("TOC", "SDK-out"))
    if layer.stem == "INBOUND_TRANSPORT":
        return Answer(
            PARTLY, "receive injection only where ALE_CLASSIFY_REQUIRED is not set; else from AUTH_RECV_ACCEPT",
            ("DDI-inject-receive",),
        )  # fmt: skip
    if not is_per_packet(layer):
        return Answer(PARTLY, "only the packet that is authorized", ("INJ", "ASY"))
    return Answer(YES, "clone, absorb, inject; check the injection state", ("INJ",))


_WANTS: tuple[Want, ...] = (
    Want("process", "need", "the process id", _metadata("PROCESS_ID", words="process id")),
    Want("program", "need", "the program's path", _program),
    Want("user", "need", "the user's token", _user),
    Want("payload", "need", "the payload of every datagram", _payload),
    Want("ip_header", "need", "the IP header", _ip_header),
    Want("transport_header", "need", "the UDP header", _transport_header),
    Want("ports", "need", "both ports", _fields("IP_LOCAL_PORT", "IP_REMOTE_PORT", words="ports")),
    Want("local_port", "need", "the local port", _fields("IP_LOCAL_PORT", words="local port")),
    Want("remote_port", "need", "the remote port", _fields("IP_REMOTE_PORT", words="remote port")),
    Want("addresses", "need", "both addresses", _addresses),
    Want("local_address", "need", "the local address", _local_address),
    Want("remote_address", "need", "the remote address", _fields("IP_REMOTE_ADDRESS", words="remote address")),
    Want("protocol", "need", "the protocol number", _fields("IP_PROTOCOL", words="protocol")),
    Want(
        "interface",
        "need",
        "the interface of the packet",
        _fields(
            "IP_LOCAL_INTERFACE", "INTERFACE_INDEX", "IP_ARRIVAL_INTERFACE", "IP_NEXTHOP_INTERFACE",
            words="interface", all_of=False,
        ),
    ),
    Want("flow", "need", "a flow handle, to keep a context", _metadata("FLOW_HANDLE", words="flow handle")),
    Want("endpoint", "need", "the endpoint handle", _metadata("TRANSPORT_ENDPOINT_HANDLE", words="endpoint handle")),
    Want("before_route", "need", "to be asked before the route is chosen", _before_route),
    Want("once_per_flow", "need", "to be asked once per flow", _once_per_flow),
    Want("every_packet", "need", "to be asked for every packet", _every_packet),
    Want("block", "may", "to block", _block),
    Want("absorb", "may", "to drop without a trace", _absorb),
    Want("delay", "may", "to decide later", _delay),
    Want("redirect", "may", "to change the destination", _redirect),
    Want("redirect_local", "may", "to change the local address", _redirect_local),
    Want("modify", "may", "to change the datagram", _modify),
    Want("inject", "may", "to inject a clone", _inject),
)  # fmt: skip
WANTS: dict[str, Want] = {want.name: want for want in _WANTS}
ALIASES: dict[str, str] = {
    "headers": "ip_header", "header": "ip_header", "pend": "delay", "clone": "inject", "reinject": "inject",
    "token": "user", "app": "program", "data": "payload", "drop": "block",
}  # fmt: skip


def wanted(name: str) -> str:
    """A name of WANTS for what somebody wrote (`before-route`, `pend`); the text itself where nothing fits."""
    word = name.strip().lower().replace("-", "_").replace(" ", "_")
    return ALIASES.get(word, word)
