"""Disputes between sources, and settings of the machine, as named choices with options.

A dispute is a place where the sources contradict each other: no option is thrown away, one is chosen by the
order of preference of `--evidence`, and `--assume NAME=OPTION` overrides it. A setting is not disputed: both
options are real, and the user says which machine is meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from fsm.errors import UnknownName
from fsm.names import EVIDENCE, IP_VERSIONS, WINDOWS

# Who says it. "minor" is a page of Microsoft's that other pages of Microsoft's outweigh.
Voice = Literal["base", "microsoft", "logs", "inference", "minor"]

# The first voice that speaks decides.
PREFERENCE: dict[str, tuple[Voice, ...]] = {
    "base": ("base", "microsoft", "logs", "inference", "minor"),
    "documented": ("microsoft", "base", "logs", "inference", "minor"),
    "observed": ("logs", "microsoft", "base", "inference", "minor"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One side of a choice."""

    name: str
    voices: tuple[Voice, ...]
    text: str
    cite: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A dispute or a setting. The first option of a setting is its default.

    `about` says who asks: the rows of the machine, or the arbitration of filters, which no row depends on.
    """

    name: str
    kind: Literal["dispute", "setting"]
    question: str
    options: tuple[Option, ...]
    about: Literal["machine", "filters"] = "machine"

    def option_names(self) -> tuple[str, ...]:
        return tuple(option.name for option in self.options)

    def default(self, evidence: str) -> str:
        """What this order of preference (a name of `names.EVIDENCE`) chooses."""
        if self.kind == "setting":
            return self.options[0].name
        for voice in PREFERENCE[evidence]:
            for option in self.options:
                if voice in option.voices:
                    return option.name
        raise AssertionError(f"{self.name}: no option has a voice")


CHOICES: dict[str, Choice] = {
    choice.name: choice
    for choice in (
        Choice(
            "no_listener",
            "dispute",
            "At which layer is a datagram to a port without socket discarded?",
            (
                Option("ippacket", ("base",), "INBOUND_IPPACKET_DISCARD (1/3)", ("UDPF",)),
                Option(
                    "transport", ("microsoft", "logs"), "INBOUND_TRANSPORT_DISCARD (13/15)", ("PPS", "BCI", "SECDS")
                ),
                Option("both", ("inference",), "13/15, then 1/3: both discard reasons exist", ("INFERRED",)),
            ),
        ),
        Choice(
            "inbound_transport_without_listener",
            "dispute",
            "Is INBOUND_TRANSPORT indicated when no socket owns the port?",
            (
                Option(
                    "absent",
                    ("base", "microsoft", "logs"),
                    "no: the indication needs the endpoint",
                    ("UDPF", "TCPF", "MDL", "TRC"),
                ),
                Option("present", ("minor",), "yes: the layer comes before transport processing", ("LID",)),
            ),
        ),
        Choice(
            "close",
            "dispute",
            "Is the end of a UDP socket indicated at any layer?",
            (
                Option("nothing", ("base",), "no layer sees it", ("UDPF",)),
                Option(
                    "closure_release",
                    ("microsoft",),
                    "ENDPOINT_CLOSURE, then RESOURCE_RELEASE (Windows 7 and later)",
                    ("ELM", "ALEL"),
                ),
            ),
        ),
        Choice(
            "blocked_first_send_result",
            "dispute",
            "What does sendto return when AUTH_CONNECT blocks the first datagram?",
            (
                Option("success", ("logs",), "success; the datagram is lost", ("EBPF",)),
                Option("wsaeacces", ("inference",), "WSAEACCES (10013), as a TCP connect gives", ("INFERRED",)),
            ),
        ),
        Choice(
            "recv_accept_completion",
            "dispute",
            "What does the completion of a pended AUTH_RECV_ACCEPT cause?",
            (
                Option(
                    "reinject",
                    ("microsoft",),
                    "no reauthorization: the reinjected clone comes in afresh",
                    ("ASY", "DDI-inject-receive", "SMP"),
                ),
                Option(
                    "reauthorize",
                    ("minor",),
                    "a reauthorization at AUTH_RECV_ACCEPT",
                    ("ALER", "DDI-pend", "DDI-complete"),
                ),
            ),
        ),
        Choice(
            "multicast_reauthorization",
            "dispute",
            "Is each inbound group datagram authorized, or only the one global flow?",
            (
                Option(
                    "each_packet",
                    ("microsoft", "logs"),
                    "each packet is authorized again, reason 0x100",
                    ("CFL", "SECDS", "PCP"),
                ),
                Option("once", ("minor",), "one global flow, no authorization per packet", ("ALEM", "ALEL")),
            ),
        ),
        Choice(
            "bind_reauthorization",
            "dispute",
            "Is BIND_REDIRECT ever called with IS_REAUTHORIZE?",
            (
                Option("never", ("microsoft",), "no: reauthorization is for the two AUTH layers", ("ALER", "CFL")),
                Option(
                    "on_modification",
                    ("minor",),
                    "when a pended redirect was changed by another callout",
                    ("DCF", "DDI-apply"),
                ),
            ),
        ),
        Choice(
            "wildcard_bind",
            "dispute",
            "What does the flag IS_WILDCARD_BIND mean?",
            (
                Option("port_zero", ("microsoft", "logs"), "port 0 was asked for", ("ALEL", "SECDS", "WST")),
                Option("any_address", ("minor",), "the local address is the wildcard", ("CFL", "DCF")),
            ),
        ),
        Choice(
            "arbitration_after_block",
            "dispute",
            "Are lighter sublayers still asked after a hard block? The verdict is the same.",
            (
                Option(
                    "evaluate",
                    ("microsoft", "logs"),
                    "yes: drop events list the deciding filters of several sublayers",
                    ("ARB", "UWP", "QUA"),
                ),
                Option("stop", ("minor",), "no: the same page says that a block stops the evaluation", ("ARB",)),
            ),
            about="filters",
        ),
        Choice(
            "icmp_echo_flow",
            "dispute",
            "Do the echo requests of one ping run share a flow?",
            (
                Option("shared", ("microsoft",), "yes, by the ICMP id", ("ALES",)),
                Option("per_request", ("logs",), "no: every request is logged anew", ("SECDS",)),
            ),
        ),
        Choice(
            "injected_send_entry",
            "dispute",
            "Where does an injected outgoing datagram enter?",
            (
                Option("top", ("microsoft",), "at the top: ALE if the flow needs it, then DATAGRAM_DATA", ("INJ",)),
                Option("transport", ("minor",), "at OUTBOUND_TRANSPORT", ("DDI-inject-send",)),
            ),
        ),
        Choice(
            "udp_local_redirect",
            "dispute",
            "Does redirecting UDP to a process on this host work?",
            (
                Option(
                    "works",
                    ("microsoft",),
                    "yes, with redirect handle and target process id (Windows 8 and later)",
                    ("RED", "DDI-connect-request"),
                ),
                Option("fails", ("logs",), "no: it fails on Windows 10 1703", ("WDS144",)),
            ),
        ),
        Choice(
            "icmp_rate_limit",
            "setting",
            "May the host still send ICMP errors in this second?",
            (
                Option("open", (), "yes", ("SECDS",)),
                Option("spent", (), "no: the rate limit is reached, the error is not made", ("SECDS",)),
            ),
        ),
        Choice(
            "dual_stack",
            "setting",
            "Is it an IPv6 socket with IPV6_V6ONLY off? With --ip 4 the peer has an IPv4-mapped address.",
            (Option("no", (), "no", ("SECDS",)), Option("yes", (), "yes", ("SECDS", "EBPF"))),
        ),
        Choice(
            "protocol",
            "setting",
            "Which protocol? All that are not TCP follow the UDP pattern; rows say where they differ.",
            (
                Option("udp", (), "UDP (17)", ("UDPF",)),
                Option(
                    "icmp_echo", (), "ICMP echo: type in the local, code in the remote port field", ("ALES", "SECDS")
                ),
                Option("igmp", (), "IGMP (2), ports 0", ("ALES", "SECDS")),
                Option("raw", (), "a raw socket of another protocol", ("ALEL", "CFL")),
            ),
        ),
        Choice(
            "path",
            "setting",
            "Does the traffic stay on this host?",
            (
                Option("wire", (), "no", ("UDPF",)),
                Option("loopback", (), "yes: both paths on one host", ("WDV", "SECDS")),
            ),
        ),
        Choice(
            "redirect_target",
            "setting",
            "Where does a redirecting callout send the flow?",
            (
                Option("remote", (), "to another remote address", ("RED",)),
                Option("local_process", (), "to a proxy on this host", ("RED", "DDI-redirect-state")),
            ),
        ),
        Choice(
            "multicast_state",
            "setting",
            "Classify option MULTICAST_STATE: may an outbound group datagram let answers in?",
            (
                Option("allow", (), "yes (0: link-local groups, 2: all)", ("ALEM", "UCO")),
                Option("deny", (), "no (1)", ("UCO",)),
            ),
        ),
        Choice(
            "udp_connreset",
            "setting",
            "Does the socket want to hear of ICMP errors (SIO_UDP_CONNRESET, SIO_UDP_NETRESET)?",
            (
                Option("on", (), "yes, the default of Winsock", ("WSI",)),
                Option("off", (), "no, switched off by the application", ("WSI",)),
            ),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Config:
    """Which machine is meant: IP version, Windows, order of preference among sources, single assumptions.

    Make one with `configure`, which checks the names.
    """

    ip: int = 4
    windows: str = "11"
    evidence: str = "base"
    assume: tuple[tuple[str, str], ...] = ()

    def choice(self, name: str) -> str:
        """The option that holds for this dispute or setting."""
        for given, option in self.assume:
            if given == name:
                return option
        return CHOICES[name].default(self.evidence)

    def __str__(self) -> str:
        assumed = "".join(f", {name}={option}" for name, option in self.assume)
        return f"IPv{self.ip}, Windows {self.windows}, evidence {self.evidence}{assumed}"

    def to_json(self) -> dict[str, object]:
        """As JSON values, with the names that `configure` takes."""
        return {"ip": self.ip, "windows": self.windows, "evidence": self.evidence, "assume": dict(self.assume)}


def configure(
    *,
    ip: int = 4,
    windows: str = "11",
    evidence: str = "base",
    assume: dict[str, str] | tuple[tuple[str, str], ...] = (),
    where: str = "configuration",
) -> Config:
    """A checked `Config`. Assumptions that equal the default are kept out, so equal machines compare equal.

    Raises
    ------
    UnknownName : with the nearest valid name.
    """
    if ip not in IP_VERSIONS:
        raise UnknownName.of(where, "IP version", str(ip), map(str, IP_VERSIONS))
    windows = windows.removeprefix("Windows ").removeprefix("windows ").strip().lower()
    if windows not in WINDOWS:
        raise UnknownName.of(where, "Windows", windows, WINDOWS)
    if evidence not in EVIDENCE:
        raise UnknownName.of(where, "evidence setting", evidence, EVIDENCE)
    pairs = dict(assume)
    for name, option in pairs.items():
        if name not in CHOICES:
            raise UnknownName.of(where, "dispute or setting", name, CHOICES)
        if option not in CHOICES[name].option_names():
            raise UnknownName.of(where, f"option of {name}", option, CHOICES[name].option_names())
    kept = tuple(
        (name, pairs[name]) for name in CHOICES if name in pairs and pairs[name] != CHOICES[name].default(evidence)
    )
    return Config(ip, windows, evidence, kept)


# The machine that a call without a configuration is about; the last one counts. No context variable: what a test
# starts in a thread of its own is about the same machine.
_DEFAULTS: list[Config] = [Config()]


def default_config() -> Config:
    """The machine that a call without a configuration is about: IPv4, Windows 11, unless `meaning` says otherwise."""
    return _DEFAULTS[-1]


@contextmanager
def meaning(config: Config) -> Iterator[Config]:
    """While it lasts, calls without a configuration are about this machine. A configuration that is given counts."""
    _DEFAULTS.append(config)
    try:
        yield config
    finally:
        _DEFAULTS.pop()
