"""The parts that steps of a checklist need besides the test program, A, and the switches: what each is, and for what.

A part is named before one begins, and again at each step that needs it. APIs and ICMP are as the driver pages and the
facts have them (a.5.1, a.9.8, a.10, a.12, a.13.5, a.21, a.22); what those leave open is said where it matters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fsm.choices import Config
from fsm.endpoint import StimulusRecord
from fsm.names import Verdict
from fsm.reasons import STALE_REASONS
from fsm.scenarios.model import Do


@dataclass(frozen=True, slots=True)
class Addresses:
    """Example addresses of the documentation ranges: the machine under test, its peers, the router, the group."""

    m: str
    a: str
    b: str
    t: str
    r: str
    g: str


ADDRESSES: dict[int, Addresses] = {
    4: Addresses("192.0.2.1", "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.254", "239.192.0.1"),
    6: Addresses("2001:db8::1", "2001:db8::11", "2001:db8::12", "2001:db8::13", "2001:db8::fe", "ff15::1"),
}
LOCAL_PORT, REDIRECTED_PORT, REMOTE_PORT, PROXY_PORT = 50000, 50001, 53, 50053
# Type and code, and the protocol, for each IP version (RFC 792, RFC 4443).
_ICMP = {
    "icmp_error": {4: ("type 3 code 3", "ICMP"), 6: ("type 1 code 4", "ICMPv6")},
    "icmp_ttl": {4: ("type 11 code 0", "ICMP"), 6: ("type 3 code 0", "ICMPv6")},
}
# The part that a stimulus needs. What is not here needs none.
_OF_STIMULUS: dict[str, str] = {
    "connect_other": "B",
    "sendto_group": "G",
    "datagram_group": "G",
    "inject_send": "inject",
    "inject_receive": "inject",
    "complete": "pend",
    "complete_block": "pend",
    "complete_group": "pend",
    "complete_group_block": "pend",
    "icmp_error": "icmp",
    "icmp_ttl": "router",
    "profile_change": "profile",
    "protection_level": "setsockopt",
    "flow_abort": "abort",
}
_OF_VERDICT: dict[str, str] = {Verdict.PEND: "pend", Verdict.REDIRECT: "redirect"}
PARTS = ("pend", "redirect", "inject", "abort", "icmp", "router", "B", "G", "setsockopt", "profile", "toggle")


def parts_of(do: Do, record: StimulusRecord) -> tuple[str, ...]:
    """The parts that a step needs, in the order of `PARTS`."""
    needed = {_OF_VERDICT.get(step.verdict, "") for step in record.classified}
    stale = "toggle" if do.stimulus in STALE_REASONS else ""
    needed.add(_OF_STIMULUS.get(do.stimulus, stale))
    return tuple(part for part in PARTS if part in needed)


def words_of(part: str, config: Config) -> str:
    """What has to stand for a part of `PARTS`."""
    at = ADDRESSES[config.ip]
    if part in ("icmp", "router"):
        return _icmp(part, config)
    if part == "setsockopt":
        return _option(config)
    if part == "redirect":
        return _redirect(config)
    return {
        "pend": (
            "the answer pend, and a command that completes what is held. At ALE_BIND_REDIRECT, ALE_CONNECT_REDIRECT "
            "and ALE_ENDPOINT_CLOSURE: FwpsPendClassify0, later FwpsCompleteClassify0 with permit or block as the "
            "final decision. At ALE_RESOURCE_ASSIGNMENT, ALE_AUTH_CONNECT and ALE_AUTH_RECV_ACCEPT: "
            "FwpsPendOperation0 and the answer absorb, later FwpsCompleteOperation0. ALE_AUTH_CONNECT is then "
            "classified once more, and its switch answers. At ALE_AUTH_RECV_ACCEPT the driver keeps a clone: with "
            "permit it injects that (FwpsInjectTransportReceiveAsync0), with block it drops it. How a bind held at "
            "ALE_RESOURCE_ASSIGNMENT is refused on completion is not documented: that it can be is inferred."
        ),
        "inject": (
            "injection by the driver. To a peer: FwpsInjectTransportSendAsync0, with the endpoint handle "
            "(TRANSPORT_ENDPOINT_HANDLE in the metadata of a classify of this socket). Of a peer: "
            "FwpsInjectTransportReceiveAsync0. The datagram may be made up. The switches hold for it as for any "
            "other, but the driver never injects its own anew (FwpsQueryPacketInjectionState0 tells them)."
        ),
        "abort": (
            "FwpsFlowAbort0 by the driver, with the flow handle from the metadata of the flow's "
            "ALE_FLOW_ESTABLISHED. Without it, let 60 s pass without a datagram of the flow instead, which ends it "
            "as well."
        ),
        "B": f"a further machine on the link: {at.b}. UDP port {REMOTE_PORT} open as on A.",
        "G": (
            f"a multicast group: {at.g}. Let a program of its own join it on M's interface "
            f"({'IP_ADD_MEMBERSHIP' if config.ip == 4 else 'IPV6_ADD_MEMBERSHIP'}) and keep it joined."
        ),
        "profile": (
            "a network profile that can be changed: on M, Set-NetConnectionProfile -InterfaceAlias <M's interface> "
            "-NetworkCategory Private, or Public. Not on a machine of a domain."
        ),
        "toggle": (
            "a filter pair that is added and deleted in one transaction each: a permit filter at ALE_AUTH_CONNECT "
            "and one at ALE_AUTH_RECV_ACCEPT, in a second sublayer of weight 0, with condition "
            "FWPM_CONDITION_IP_REMOTE_PORT = 9, which nothing of the test meets."
        ),
    }[part]


def _icmp(part: str, config: Config) -> str:
    kind, name = _ICMP["icmp_error" if part == "icmp" else "icmp_ttl"][config.ip]
    header = "20 bytes, protocol 17" if config.ip == 4 else "40 bytes, next header 17"
    if part == "icmp":
        what = f"raw {name} from A (from T where a step says T): port unreachable, {kind}, to M"
    else:
        what = f"raw {name} from R, a further machine on the link, the router or any other, {ADDRESSES[config.ip].r}: "
        what += f"time exceeded, {kind}, to M"
    return (
        f"{what}. A raw socket of root or an administrator sends it. It quotes a datagram as it left M: the IP header "
        f"({header}, source M, destination the peer that the step names) and the UDP header (8 bytes, source port P, "
        f"destination port {REMOTE_PORT}). No closed port is needed, and the datagram need not have been sent: the "
        "model asks for a bound socket and no more. Where none was, the step says that it is made up; whether Windows "
        "hands such an error on is not documented: write down what happens."
    )


def _option(config: Config) -> str:
    six = config.ip == 6 or config.choice("dual_stack") == "yes"
    level = "IPPROTO_IPV6" if six else "IPPROTO_IP"
    only = (
        ""
        if six
        else (
            " An IPv4 socket takes the option by this number at level IPPROTO_IP, as Socket.SetIPProtectionLevel of "
            ".NET sets it; one driver page lists the repeated classify for V6 alone, the model has it for both."
        )
    )
    return (
        f"setsockopt(s, {level}, 23, &level, sizeof level) by the test program, with a DWORD 10 "
        "(PROTECTION_LEVEL_UNRESTRICTED) or 20 (PROTECTION_LEVEL_EDGERESTRICTED); 23 is IPV6_PROTECTION_LEVEL."
        f"{only} What it returns when the classify is blocked is not documented: write it down."
    )


def _redirect(config: Config) -> str:
    at = ADDRESSES[config.ip]
    if config.choice("redirect_target") == "remote":
        where = f"T:{REMOTE_PORT}. T is a further machine on the link: {at.t}, with UDP port {REMOTE_PORT} open as on A"
    else:
        local = "127.0.0.1" if config.ip == 4 else "::1"
        where = (
            f"{local}:{PROXY_PORT}, with the redirect handle and localRedirectTargetPID set. T in the steps is the "
            "program that has this port open on M: a proxy, whose own flow must carry the redirect records"
        )
    return (
        "the answer redirect (FwpsAcquireWritableLayerDataPointer0, FwpsApplyModifiedLayerData0, then permit). At "
        f"ALE_CONNECT_REDIRECT it sets the remote address and port to {where}. At ALE_BIND_REDIRECT it sets the local "
        f"port to {REDIRECTED_PORT} and leaves the address. The steps say T where the flow goes there."
    )


def addresses_of(parts: Iterable[str]) -> str:
    """The remote addresses that the filters must meet: `A, B or G`."""
    needed = set(parts)
    names = ["A"] + [
        name for name, part in (("B", "B"), ("T", "redirect"), ("R", "router"), ("G", "G")) if part in needed
    ]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
