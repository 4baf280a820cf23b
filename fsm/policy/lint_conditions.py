"""Rules about conditions: those that contradict each other, never hold here, or hold more often than meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fsm.catalogue import Layer, by_name, layers
from fsm.names import WINDOWS
from fsm.policy.checks import condition_findings, filter_findings, listed_fields
from fsm.policy.condition_text import flag_names, short_field, wanted_text
from fsm.policy.fields import CONDITION_FLAGS, PREFIX, canonical
from fsm.policy.in_force import Ready
from fsm.policy.lint_finding import LintFinding, Work, finding_of
from fsm.policy.lint_regions import WHOLE, Space, TooMany, may_be_empty
from fsm.policy.model import Condition, Value

_LAYERS = frozenset(layer.name for layer in layers())
_ALE_AUTH = ("ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT")
# The stems at which a flag can be set, where the pages list them (CFL and DCF together); discard twins are included.
# Loopback is not here: what is listed and what real filters do agree on nearly every layer.
FLAG_STEMS: dict[str, tuple[str, ...]] = {
    "IS_IPSEC_SECURED": ("INBOUND_IPPACKET", "INBOUND_TRANSPORT", "ALE_FLOW_ESTABLISHED", *_ALE_AUTH),
    "IS_REAUTHORIZE": (*_ALE_AUTH, "ALE_BIND_REDIRECT"),
    "IS_WILDCARD_BIND": ("ALE_RESOURCE_ASSIGNMENT",),
    "IS_RAW_ENDPOINT": (
        *("INBOUND_TRANSPORT", "OUTBOUND_TRANSPORT", "DATAGRAM_DATA", "INBOUND_ICMP_ERROR", "ALE_RESOURCE_ASSIGNMENT"),
        *(*_ALE_AUTH, "ALE_CONNECT_REDIRECT", "ALE_BIND_REDIRECT"),
    ),
    "IS_FRAGMENT": ("INBOUND_IPPACKET",),
    "IS_FRAGMENT_GROUP": ("INBOUND_IPPACKET", "IPFORWARD"),
    "IS_IPSEC_NATT_RECLASSIFY": ("INBOUND_TRANSPORT", "OUTBOUND_TRANSPORT"),
    "REQUIRES_ALE_CLASSIFY": ("INBOUND_TRANSPORT",),
    "IS_REASSEMBLED": ("INBOUND_IPPACKET",),
    "IS_NAME_APP_SPECIFIED": ("ALE_AUTH_CONNECT",),
    "IS_AUTH_FW": ("ALE_FLOW_ESTABLISHED", *_ALE_AUTH),
    "IS_RECLASSIFY": ("ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_LISTEN"),
    "IS_OUTBOUND_PASS_THRU": ("IPFORWARD",),
    "IS_INBOUND_PASS_THRU": ("IPFORWARD",),
    "IS_CONNECTION_REDIRECTED": ("ALE_AUTH_CONNECT",),
    "IS_PROXY_CONNECTION": ("ALE_AUTH_CONNECT", "ALE_FLOW_ESTABLISHED", "ALE_CONNECT_REDIRECT"),
}
# Protocol numbers, multicast groups and types of ICMP errors by IP version, fields of NL_ADDRESS_TYPE
_TCP, _ICMP6 = 6, 58
_GROUPS = {4: ((0xE0000000, 0xEFFFFFFF),), 6: ((0xFF << 120, (1 << 128) - 1),)}
_ERRORS = {4: (3, 4, 5, 11, 12), 6: tuple(range(128))}
_ADDRESS_TYPES = ("IP_LOCAL_ADDRESS_TYPE", "IP_REMOTE_ADDRESS_TYPE", "IP_DESTINATION_ADDRESS_TYPE")


def never_matches(work: Work) -> Iterator[LintFinding]:
    """Filters that no classify can match."""
    for layer, order in work.orders.items():
        empty = {one.key for one in order.never()}
        for sublayer in order.sublayers:
            for ready in sublayer.filters:
                if ready.filter.key in empty:
                    yield finding_of("never-matches", _why_never(order.space, ready), filters=(ready.filter,),
                                     layer=layer)  # fmt: skip


def _why_never(space: Space, ready: Ready) -> str:
    layer = ready.filter.layer
    for field, conditions in ready.groups:
        alone = Ready(ready.filter, ((field, conditions),))
        if not space.boxes(alone, surely=False):
            wants = " or ".join(wanted_text(condition, layer) for condition in conditions)
            return f"{short_field(field)} {wants}: no such value"
    for field, _ in ready.groups:
        others = [group for group in ready.groups if group[0] == field]
        if len(others) > 1 and not space.boxes(Ready(ready.filter, tuple(others)), surely=False):
            wants = " and ".join(" or ".join(wanted_text(c, layer) for c in each) for _, each in others)
            return f"{short_field(field)} {wants}: they contradict each other, since they do not stand together"
    return "its conditions contradict each other"


def impossible_here(work: Work) -> Iterator[LintFinding]:
    """Conditions that are legal and can never hold at their layer."""
    for layer, ready in _at_known_layers(work):
        for field, conditions in ready.groups:
            found = [_impossible(layer, field, c, work.windows) for c in conditions]
            if all(found):
                wants = " or ".join(wanted_text(c, layer.name) for c in conditions)
                why, cite = found[0] or ("", ())
                what = f"{short_field(conditions[0].field)} {wants} can never hold at {layer.short_name}: {why}"
                yield finding_of("impossible-here", what, filters=(ready.filter,), layer=layer.name, cite=tuple(cite))


def _at_known_layers(work: Work) -> Iterator[tuple[Layer, Ready]]:
    """The filters at layers of the catalogue: of others nobody says what they offer."""
    for name, order in work.orders.items():
        if name in _LAYERS:
            for sublayer in order.sublayers:
                yield from ((by_name(name), ready) for ready in sublayer.filters)


def _impossible(layer: Layer, field: str, condition: Condition, windows: str) -> tuple[str, tuple[str, ...]] | None:
    """Why a condition can never hold at the layer, and who says so; None where it can."""
    short = field.removeprefix(PREFIX)
    stem, data = layer.stem.removesuffix("_DISCARD"), condition.value.data
    if short == "FLAGS" and isinstance(data, int):
        return _flags_never(stem, condition.match, data, windows)
    for values, why, cite in _possible(layer, stem, short):
        kept = _numbers_of(condition)
        if kept is not None and not any(low <= high and _hits(low, high, values) for low, high in kept):
            return why, cite
    return None


def _flags_never(stem: str, match: str, bits: int, windows: str) -> tuple[str, tuple[str, ...]] | None:
    never = [name for name, stems in FLAG_STEMS.items() if bits & CONDITION_FLAGS[name] and stem not in stems]
    late = bits & CONDITION_FLAGS["IS_IMPLICIT_BIND"]
    if late and WINDOWS.index(windows) >= WINDOWS.index("7"):
        never.append("IS_IMPLICIT_BIND")
    if not never:
        return None
    named = flag_names(bits).split()
    if match in ("FLAGS_ALL_SET", "EQUAL") or (match == "FLAGS_ANY_SET" and set(named) == set(never)):
        return f"{', '.join(never)} {'is' if len(never) == 1 else 'are'} never set there", ("CFL", "DCF")
    return None


def _possible(
    layer: Layer, stem: str, short: str
) -> Iterator[tuple[tuple[tuple[int, int], ...], str, tuple[str, ...]]]:
    """What a field can have at a layer, with why it has nothing else."""
    ip = layer.ip_version
    if short == "IP_PROTOCOL":
        if stem == "DATAGRAM_DATA":
            yield ((0, _TCP - 1), (_TCP + 1, 255)), "TCP has layers of its own", ("LID",)
        if stem in ("STREAM", "ALE_AUTH_LISTEN", "STREAM_PACKET"):
            yield ((_TCP, _TCP),), "this layer is of TCP alone", ("ALEL", "LID")
        if ip == 6:
            yield ((0, 0), (2, 255)), "ICMP of IPv6 is protocol 58", ("RFC4443",)
        if ip == 4:
            yield ((0, _ICMP6 - 1), (_ICMP6 + 1, 255)), "protocol 58 is ICMP of IPv6", ("RFC4443",)
    if stem in ("INBOUND_ICMP_ERROR", "OUTBOUND_ICMP_ERROR") and ip:
        if short in ("IP_LOCAL_PORT", "IP_REMOTE_PORT"):
            yield ((0, 255),), "here it is the ICMP type or code, of eight bits", ("CAL",)
        if short == "IP_LOCAL_PORT":
            types = tuple((n, n) for n in _ERRORS[ip])
            said = "3, 4, 5, 11 and 12" if ip == 4 else "below 128"
            yield types, f"the types of ICMP errors are {said}", ("RFC792",) if ip == 4 else ("RFC4443",)
    if short == "DIRECTION":
        yield ((0, 1),), "0 is outbound and 1 inbound", ("CID",)
    if short in _ADDRESS_TYPES:
        yield ((0, 4),), "address types are 0 (unspecified) to 4 (broadcast)", ("HDR",)
    received = layer.direction == "inbound" and (stem.startswith("INBOUND_") or stem == "ALE_AUTH_RECV_ACCEPT")
    if short == "IP_REMOTE_ADDRESS" and received and ip and "ICMP" not in stem:
        low, high = _GROUPS[ip][0]
        rest = ((0, low - 1), *(((high + 1, (1 << 32) - 1),) if ip == 4 else ()))
        yield rest, "the sender of a packet is never a multicast group; the group is the local address", ("RFC1122",)


def _numbers_of(condition: Condition) -> tuple[tuple[int, int], ...] | None:
    """The numbers that EQUAL, RANGE or a prefix names; None for other conditions."""
    value: Value = condition.value
    data = value.data
    if condition.match == "EQUAL" and isinstance(data, int):
        return ((data, data),)
    if condition.match == "RANGE" and isinstance(data, tuple):
        low, high = data
        ends = tuple(end.data for end in (low, high) if isinstance(end, Value) and isinstance(end.data, int))
        if len(ends) == 2:
            return ((ends[0], ends[1]),)
    if condition.match == "EQUAL" and value.masked is not None:
        address, mask = value.masked
        free = (1 << max(128 - mask, 0)) - 1 if value.type == "V6_ADDR_MASK" else mask ^ 0xFFFFFFFF
        if free & (free + 1) == 0:
            return ((address & ~free, address | free),)
    return None


def _hits(low: int, high: int, values: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= end and high >= start for start, end in values)


def not_offered(work: Work) -> Iterator[LintFinding]:
    """Fields, types and match types that do not go with the layer, and flags and actions that do not go together."""
    listed = listed_fields(work.policy)
    for one in work.policy.filters:
        for found in condition_findings(one, listed.get(one.layer)):
            what = f"{found.what}. {found.nearest}".removesuffix(". ")
            yield finding_of("not-offered", what, filters=(one,), layer=one.layer)


def flags(work: Work) -> Iterator[LintFinding]:
    """Flags and actions that do not go together."""
    for one in work.policy.filters:
        for found in filter_findings(one):
            what = f"{found.what}. {found.nearest}".removesuffix(". ")
            yield finding_of("flags", what, filters=(one,), layer=one.layer, fix=found.fix)


def alternatives(work: Work) -> Iterator[LintFinding]:
    """Groups of conditions that together hold for everything."""
    for layer, order in work.orders.items():
        for sublayer in order.sublayers:
            for ready in sublayer.filters:
                for field, conditions in ready.groups:
                    if len(conditions) > 1 and _covers_all(order.space, ready, field, conditions):
                        wants = " or ".join(wanted_text(c, layer) for c in conditions)
                        what = f"{short_field(field)} {wants}: one of them always holds, so they restrict nothing"
                        yield finding_of(
                            "alternatives-cover-all", what, filters=(ready.filter,), layer=layer,
                            fix="Write the exception as a heavier filter of its own",
                        )  # fmt: skip


def _covers_all(space: Space, ready: Ready, field: str, conditions: tuple[Condition, ...]) -> bool:
    try:
        union = space.boxes(Ready(ready.filter, ((field, conditions),)), surely=False)
        every = {(field, WHOLE): ((0, space.axes[field].top),)} if space.axes[field].kind != "bits" else {}
        return space.uncovered(every, union) is None
    except TooMany:
        return False


def empty_matches(work: Work) -> Iterator[LintFinding]:
    """Blocks whose EQUAL also matches an empty field, and conditions on a local address that is not settled."""
    for layer, ready in _at_known_layers(work):
        yield from _about_empty(layer, ready)


def _about_empty(layer: Layer, ready: Ready) -> Iterator[LintFinding]:
    one = ready.filter
    wanted: Mapping[str, tuple[Condition, ...]] = dict(ready.groups)
    local = wanted.get(canonical(PREFIX + "IP_LOCAL_ADDRESS"))
    if layer.stem == "ALE_CONNECT_REDIRECT" and local:
        what = (
            f"IP_LOCAL_ADDRESS {_wants(local, layer)}: for a socket that is bound to no address nobody says what it "
            "has here"
        )
        yield finding_of(
            "unsettled-local-address", what, filters=(one,), layer=layer.name,
            fix="Ask at AUTH_CONNECT, where the route is chosen",
        )  # fmt: skip
    if one.action != "BLOCK":
        return
    alone: list[str] = []
    for field, conditions in ready.groups:
        equal = [c for c in conditions if c.match == "EQUAL" and c.value.type != "EMPTY"]
        if equal and may_be_empty(layer.name, field) and not field.endswith("ORIGINAL_ICMP_TYPE"):
            alone.append(f"{short_field(field)} {_wants(tuple(equal), layer)}")
    if alone:
        when = "as in a bind to the wildcard address"
        if layer.stem in _ALE_AUTH:
            when = "as in a flow that is authorized again by a packet of the other direction"
        what = f"it also blocks where these fields are empty, {when}: {', '.join(alone)}"
        yield finding_of("empty-matches", what, filters=(one,), layer=layer.name)


def _wants(conditions: tuple[Condition, ...], layer: Layer) -> str:
    return " or ".join(wanted_text(condition, layer.name) for condition in conditions[:3])


CHECKS = [
    (never_matches, ("never-matches",)),
    (impossible_here, ("impossible-here",)),
    (not_offered, ("not-offered",)),
    (flags, ("flags",)),
    (alternatives, ("alternatives-cover-all",)),
    (empty_matches, ("empty-matches", "unsettled-local-address")),
]
