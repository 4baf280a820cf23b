"""The rules of the lint as data: what each finds, why that matters, and who says so."""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES: tuple[str, ...] = ("error", "warning", "hint")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `severity` is that of a plain case: a finding can be milder. `cite` are keys of `fsm.sources`."""

    id: str
    severity: str
    title: str
    why: str
    cite: tuple[str, ...]


_RULES: tuple[Rule, ...] = (
    Rule(
        "never-matches",
        "error",
        "A filter that no classify can match",
        "Conditions on different fields must all hold, and so must conditions on one field that do not stand together",
        ("SDK-filter",),
    ),
    Rule(
        "impossible-here",
        "warning",
        "A condition that is legal but can never hold at this layer",
        "The layer offers the field, but never with this value",
        ("CAL", "CFL", "DCF"),
    ),
    Rule(
        "not-offered",
        "warning",
        "A condition on a field that the layer does not offer, or of a type that does not go with it",
        "The engine refuses such a filter, or nobody has documented the field at this layer",
        ("CAL",),
    ),
    Rule(
        "alternatives-cover-all",
        "warning",
        "Conditions on one field that together hold for every value",
        "Since Windows 7 conditions on one field that stand together are alternatives, not further restrictions",
        ("SDK-filter", "CH7"),
    ),
    Rule(
        "empty-matches",
        "hint",
        "A condition that also matches where the field is empty",
        "An empty field (FWP_EMPTY) matches EQUAL whatever the value",
        ("ALER", "ALEL"),
    ),
    Rule(
        "unsettled-local-address",
        "warning",
        "A condition on the local address before it is chosen",
        "CONNECT_REDIRECT is asked before the route look-up: the local address is often not set there",
        ("EBPF",),
    ),
    Rule(
        "shadowed",
        "warning",
        "A filter that never decides, because heavier ones of its sublayer match all that it matches",
        "In a sublayer the heaviest matching filter that permits or blocks ends the search",
        ("ARB",),
    ),
    Rule(
        "decided-above",
        "warning",
        "A filter that changes nothing, because heavier sublayers have decided hard",
        "A hard block yields to nothing, and a hard permit only to the veto of a callout",
        ("ARB",),
    ),
    Rule(
        "permit-overridden",
        "warning",
        "A permit whose every datagram a lighter sublayer blocks",
        "The permit of a filter is soft: a block in a lighter sublayer overrides it",
        ("ARB",),
    ),
    Rule(
        "hard-permit-without-effect",
        "hint",
        "A permit made hard although no lighter sublayer blocks what it permits",
        "CLEAR_ACTION_RIGHT only keeps lighter sublayers from changing the action",
        ("ARB", "SDK-filter"),
    ),
    Rule(
        "tie",
        "warning",
        "Two filters of one weight, of which one permits and the other blocks what both match",
        "Which of two filters of one weight is asked first is not documented",
        ("WGT", "ARB"),
    ),
    Rule(
        "no-twin",
        "warning",
        "A rule for one IP version without its twin for the other",
        "Each IP version has layers of its own: what is blocked for IPv4 alone leaves by IPv6",
        ("LID",),
    ),
    Rule(
        "silent-drop-without-icmp",
        "warning",
        "A silent drop that does not keep the ICMP error from being sent",
        "For UDP the drop at INBOUND_TRANSPORT_DISCARD does not stop the ICMP error; it needs a block at "
        "OUTBOUND_ICMP_ERROR too",
        ("PPS", "SECDS"),
    ),
    Rule(
        "icmp-type-of-other-version",
        "error",
        "An ICMP type of IPv4 at a layer of IPv6",
        "In ICMPv6 type 3 is time exceeded; destination unreachable is type 1. Microsoft's port-scan sample uses 3 for "
        "both",
        ("PPS", "RFC4443", "WST"),
    ),
    Rule(
        "no-policy-point",
        "error",
        "A block at a layer that is no place to block",
        "FLOW_ESTABLISHED is only for a security-relevant error; layers that report cannot be blocked",
        ("ALEL", "PRG"),
    ),
    Rule(
        "callout-missing",
        "error",
        "A filter whose callout is not registered",
        "Such a filter blocks, unless it is flagged PERMIT_IF_CALLOUT_UNREGISTERED",
        ("BOP", "SDK-filter"),
    ),
    Rule(
        "callout-of-other-layer",
        "error",
        "A filter at one layer with a callout of another",
        "A callout is added for one layer; a filter elsewhere cannot use it",
        ("SDK-filter",),
    ),
    Rule(
        "callout-plan",
        "error",
        "A callout that plans what its layer does not allow",
        "What may be pended, absorbed, redirected or changed differs from layer to layer",
        ("TOC", "ASY", "RED"),
    ),
    Rule(
        "callout-need",
        "error",
        "A callout that needs what its layer does not have",
        "Each layer has its own fields, metadata and part of the packet",
        ("MDL", "CAL", "DOP"),
    ),
    Rule(
        "reinject-without-check",
        "error",
        "A callout that clones and injects without asking whether the packet is its own",
        "An injected packet meets every callout again, its own included: it must ask for the injection state and "
        "permit what it has injected",
        ("INJ", "DDI-injection-state"),
    ),
    Rule(
        "redirect-to-own-host",
        "warning",
        "A redirection to a process of this host without redirect handle",
        "Since Windows 8 a redirection to a local process needs a redirect handle and the process id of the target "
        "(localRedirectTargetPID), and the proxy's own flow has to carry the redirect records; for UDP it was seen to "
        "fail all the same",
        ("RED", "DDI-redirect-state", "WDS144"),
    ),
    Rule(
        "bind-redirect-is-for-all-peers",
        "warning",
        "A redirected bind changes the local address for every peer of a UDP socket",
        "At BIND_REDIRECT the destination is not known, and one UDP socket has many peers, loopback among them",
        ("RED", "MVD"),
    ),
    Rule(
        "flags",
        "error",
        "Flags or an action that do not go together",
        "A filter cannot be boot-time and persistent; PERMIT_IF_CALLOUT_UNREGISTERED is for terminating and unknown "
        "callouts",
        ("SDK-filter", "BOP"),
    ),
    Rule(
        "not-on-this-windows",
        "warning",
        "A filter at a layer that this Windows does not have",
        "Layers came with Windows 7, 8, 8.1 and later versions",
        ("LID", "CH7", "CH8"),
    ),
    Rule(
        "blocks-what-hosts-need",
        "hint",
        "A block that also stops DHCP, neighbour discovery or loopback",
        "Loopback passes the same layers as everything else, and a host without DHCP and neighbour discovery loses its "
        "network",
        ("WDV", "SECDS"),
    ),
)  # fmt: skip
RULES: dict[str, Rule] = {rule.id: rule for rule in _RULES}
