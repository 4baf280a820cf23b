"""Rules about the policy as a whole: twins of the other IP version, silent drops, and what a host cannot do without."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from fsm.catalogue import by_name, layer_of, layers
from fsm.errors import UnknownName
from fsm.policy.callouts import effects_of
from fsm.policy.classify import PORT_UNREACHABLE
from fsm.policy.fields import CONDITION_FLAGS, FIELDS, PREFIX, canonical
from fsm.policy.in_force import Ready
from fsm.policy.lint_finding import LintFinding, Work, finding_of
from fsm.policy.lint_regions import WHOLE, Box, Dimension, Intervals, Space, TooMany
from fsm.policy.model import Condition, Filter
from fsm.policy.shadow import LayerOrder

_LAYERS = frozenset(layer.name for layer in layers())
_C = {name: canonical(PREFIX + name) for name in ("IP_PROTOCOL", "IP_LOCAL_PORT", "IP_REMOTE_PORT", "FLAGS")}
_C |= {name: canonical(PREFIX + name) for name in ("IP_LOCAL_ADDRESS", "IP_REMOTE_ADDRESS", "ORIGINAL_ICMP_TYPE")}
# Protocols and ports that only one IP version has: ICMP, IGMP, IPv6 in IPv4, ICMPv6; DHCP and DHCPv6 (IANA).
_PROTOCOLS = {1: 4, 2: 4, 41: 4, 58: 6}
_PORTS = {67: 4, 68: 4, 546: 6, 547: 6}
# Fields whose numbers differ by IP version: ICMP types, and the counters of interface quarantine (WST).
_OWN_NUMBERS = (_C["ORIGINAL_ICMP_TYPE"], canonical(PREFIX + "INTERFACE_QUARANTINE_EPOCH"))
_LOOPBACK = CONDITION_FLAGS["IS_LOOPBACK"].bit_length() - 1


# ---- twins


def no_twin(work: Work) -> Iterator[LintFinding]:
    """Blocks and permits that only one IP version has, together for each layer, sublayer and action."""
    for layer_name in work.orders:
        if layer_name not in _LAYERS:
            continue
        layer = by_name(layer_name)
        if layer.ip_version is None:
            continue
        try:
            other = layer_of(layer.stem, 10 - layer.ip_version)
        except UnknownName:
            continue
        lonely: dict[tuple[str, str], list[Filter]] = defaultdict(list)
        for ready in _without_twin(work, layer_name, other.name):
            lonely[ready.filter.sublayer, ready.filter.action].append(ready.filter)
        for (_, action), filters in lonely.items():
            what = (
                f"{_count(len(filters))} {action.lower()} at {layer.short_name} and have no twin at {other.short_name}"
            )
            if len(filters) == 1:
                what = f"it {action.lower()}s at {layer.short_name} and has no twin at {other.short_name}"
            yield finding_of(
                "no-twin", what, filters=tuple(filters), layer=layer_name,
                severity="warning" if action == "BLOCK" else "hint",
            )  # fmt: skip


def _without_twin(work: Work, layer: str, other: str) -> Iterator[Ready]:
    """The filters of a layer whose like is missing at the other IP version, and that are not covered there either."""
    version = by_name(layer).ip_version
    mine = [ready for sublayer in work.index.at(layer) for ready in sublayer.filters]
    theirs = [ready for sublayer in work.index.at(other) for ready in sublayer.filters]
    known = {_likeness(ready) for ready in theirs}
    in_sublayer = {(ready.filter.sublayer, ready.filter.action) for ready in theirs}
    open_: list[tuple[Ready, Ready]] = []
    for ready in mine:
        one = ready.filter
        if one.action not in ("BLOCK", "PERMIT") or _likeness(ready) in known or _of_one_version(ready):
            continue
        if any(_is_specific(field, conditions) for field, conditions in ready.groups):
            # Addresses of one version have no like in the other: only a sublayer without any is worth a word.
            if (one.sublayer, one.action) not in in_sublayer and version == 4:
                yield ready
            continue
        open_.append((ready, Ready(one, ready.groups)))
    if not open_:
        return
    space = Space(other, [*theirs, *(neutral for _, neutral in open_)])
    parts: dict[str, list[Box]] = {"BLOCK": [], "PERMIT": []}
    for ready in theirs:
        answers = {e.answer for e in effects_of(ready.filter, work.index.callouts)}
        if len(answers) == 1 and (answer := answers.pop().upper()) in parts:
            try:
                parts[answer] += space.boxes(ready, surely=True)
            except TooMany:
                continue
    for ready, neutral in open_:
        try:
            boxes = space.boxes(neutral, surely=False)
            if any(space.uncovered(box, parts[ready.filter.action]) is not None for box in boxes):
                yield ready
        except TooMany:
            continue


def _likeness(ready: Ready) -> tuple[object, ...]:
    """What a filter and its twin have in common: all but the conditions that only one IP version has."""
    kept = [
        (field, frozenset((c.match, c.value) for c in conditions))
        for field, conditions in ready.groups
        if not _is_specific(field, conditions)
    ]
    return ready.filter.sublayer, ready.filter.action, frozenset(kept), len(kept) == len(ready.groups)


def _is_specific(field: str, conditions: Sequence[Condition]) -> bool:
    known = FIELDS.get(field)
    return field in _OWN_NUMBERS or (known is not None and known.is_address)


def _of_one_version(ready: Ready) -> bool:
    """Whether the filter is about a protocol or port that only its IP version has."""
    layer = by_name(ready.filter.layer)
    if layer.group == "icmp":
        return True  # types and codes differ: the rule about silent drops looks at them
    for field, conditions in ready.groups:
        numbers = [c.value.data for c in conditions if c.match == "EQUAL" and isinstance(c.value.data, int)]
        table = {_C["IP_PROTOCOL"]: _PROTOCOLS, _C["IP_LOCAL_PORT"]: _PORTS, _C["IP_REMOTE_PORT"]: _PORTS}.get(field)
        only = bool(table and numbers) and len(numbers) == len(conditions)
        if only and all((table or {}).get(number) == layer.ip_version for number in numbers):
            return True
    return False


# ---- silent drops


def silent_drops(work: Work) -> Iterator[LintFinding]:
    """Drops at INBOUND_TRANSPORT_DISCARD without a block of the ICMP error; ICMPv4 types at the layer of ICMPv6.

    Source: facts a.9.5, d.3, d.9.
    """
    for ip in (4, 6):
        dropping = layer_of("INBOUND_TRANSPORT_DISCARD", ip).name
        error = layer_of("OUTBOUND_ICMP_ERROR", ip).name
        drops = tuple(_blocking(work, dropping))
        kind, code = PORT_UNREACHABLE[ip]
        stopping = [one for one in _blocking(work, error) if _reaches(work, error, one, kind, code)]
        wrong: list[Filter] = []
        if ip == 6 and not stopping:
            wrong = [one for one in _blocking(work, error) if _names_type(one, PORT_UNREACHABLE[4][0])]
        for one in wrong:
            yield finding_of(
                "icmp-type-of-other-version",
                f"it blocks ICMP type {PORT_UNREACHABLE[4][0]} at {_short(error)}, which is time exceeded there; "
                f"unreachable is type {kind}, and no filter blocks it",
                filters=(one,), layer=error, fix=f"Write type {kind} for IPv6",
            )  # fmt: skip
        if drops and not stopping:
            yield finding_of(
                "silent-drop-without-icmp",
                f"UDP datagrams are dropped at {_short(dropping)}, and no filter at {_short(error)} blocks ICMP type "
                f"{kind} code {code}: the sender is told all the same",
                filters=drops, by=tuple(wrong), layer=dropping,
                fix=f"Block ICMP type {kind} at {_short(error)}",
            )  # fmt: skip


def _blocking(work: Work, layer: str) -> Iterator[Filter]:
    for one in work.in_force(layer):
        if {effect.answer for effect in effects_of(one, work.index.callouts)} <= {"block", "absorb"}:
            yield one


def _reaches(work: Work, layer: str, one: Filter, kind: int, code: int) -> bool:
    """Whether the filter blocks some port-unreachable errors."""
    order = work.orders[layer]
    part = part_of(order.space, {_C["IP_LOCAL_PORT"]: kind, _C["IP_REMOTE_PORT"]: code})
    ready = next(r for s in order.sublayers for r in s.filters if r.filter.key == one.key)
    try:
        return any(order.space.meet_all((part, box)) is not None for box in order.space.boxes(ready, surely=True))
    except TooMany:
        return True


def _names_type(one: Filter, kind: int) -> bool:
    return any(
        canonical(c.field) == _C["IP_LOCAL_PORT"] and c.match == "EQUAL" and c.value.data == kind
        for c in one.conditions
    )


# ---- what hosts need


@dataclass(frozen=True, slots=True)
class Needed:
    """Traffic that a host cannot do without. `own` are the fields that say that a filter means just this traffic."""

    what: str
    stem: str
    ip: int
    values: tuple[tuple[str, int], ...]
    own: tuple[str, ...]
    loopback: bool = False


_BROADCAST, _DHCP6_GROUP = int(IPv4Address("255.255.255.255")), int(IPv6Address("ff02::1:2"))
_DHCP_OUT = (("IP_PROTOCOL", 17), ("IP_LOCAL_PORT", 68), ("IP_REMOTE_PORT", 67), ("IP_REMOTE_ADDRESS", _BROADCAST))
_DHCP6_OUT = (("IP_PROTOCOL", 17), ("IP_LOCAL_PORT", 546), ("IP_REMOTE_PORT", 547), ("IP_REMOTE_ADDRESS", _DHCP6_GROUP))
_PORT_FIELDS = ("IP_LOCAL_PORT", "IP_REMOTE_PORT")
_CONNECT, _ACCEPT = "ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT"
_NDP = ("IP_LOCAL_PORT", "IP_PROTOCOL", "ORIGINAL_ICMP_TYPE")
NEEDED: tuple[Needed, ...] = (
    Needed("DHCP requests", _CONNECT, 4, _DHCP_OUT, _PORT_FIELDS),
    Needed("DHCPv6 requests", _CONNECT, 6, _DHCP6_OUT, _PORT_FIELDS),
    Needed(
        "DHCP answers",
        _ACCEPT,
        4,
        (("IP_PROTOCOL", 17), ("IP_LOCAL_PORT", 68), ("IP_REMOTE_PORT", 67)),
        _PORT_FIELDS,
    ),
    Needed(
        "DHCPv6 answers",
        _ACCEPT,
        6,
        (("IP_PROTOCOL", 17), ("IP_LOCAL_PORT", 546), ("IP_REMOTE_PORT", 547)),
        _PORT_FIELDS,
    ),
    Needed("neighbour solicitations", _CONNECT, 6, (("IP_PROTOCOL", 58), ("IP_LOCAL_PORT", 135)), _NDP),
    Needed("neighbour solicitations", _ACCEPT, 6, (("IP_PROTOCOL", 58), ("IP_LOCAL_PORT", 135)), _NDP),
    Needed("router advertisements", _ACCEPT, 6, (("IP_PROTOCOL", 58), ("IP_LOCAL_PORT", 134)), _NDP),
    *(
        Needed(
            what,
            stem,
            ip,
            (*values, ("IP_LOCAL_ADDRESS", host), ("IP_REMOTE_ADDRESS", host)),
            ("FLAGS", "IP_LOCAL_ADDRESS", "IP_REMOTE_ADDRESS"),
            True,
        )
        for ip, host in ((4, int(IPv4Address("127.0.0.1"))), (6, int(IPv6Address("::1"))))
        for stem in (_CONNECT, _ACCEPT)
        for what, values in (
            ("loopback", (("IP_PROTOCOL", 17),)),
            (
                "DNS over loopback",
                (("IP_PROTOCOL", 17), ("IP_REMOTE_PORT" if stem == _CONNECT else "IP_LOCAL_PORT", 53)),
            ),
        )
    ),
)


def part_of(space: Space, values: dict[str, int], flags: dict[int, bool] | None = None) -> Box:
    """The classifies in which these fields (canonical names) have these values; other fields are free."""
    found: dict[Dimension, Intervals] = {}
    for field, value in values.items():
        axis = space.axes.get(field)
        if axis is None or axis.kind == "names":
            continue
        if axis.kind == "bits":
            found |= {(field, bit): ((value >> bit & 1,) * 2,) for bit in range(axis.top + 1)}
        else:
            found[field, WHOLE] = ((value, value),)
    axis = space.axes.get(_C["FLAGS"])
    if axis is not None and axis.kind == "bits":
        found |= {(_C["FLAGS"], bit): ((int(on), int(on)),) for bit, on in (flags or {}).items()}
    return found


def needed_traffic(work: Work) -> Iterator[LintFinding]:
    """Blocks that also stop what a host needs, together for each filter."""
    hits: dict[str, list[str]] = {}
    filters: dict[str, Filter] = {}
    for needed in NEEDED:
        layer = layer_of(needed.stem, needed.ip).name
        order: LayerOrder | None = work.orders.get(layer)
        if order is None:
            continue
        part = part_of(order.space, {_C[name]: value for name, value in needed.values}, {_LOOPBACK: needed.loopback})
        one = order.blocked_for_sure(part)
        own = {_C[name] for name in needed.own}
        if one is None or any(canonical(condition.field) in own for condition in one.conditions):
            continue
        filters[one.key] = one
        said = hits.setdefault(one.key, [])
        if needed.what not in said and not (needed.what == "DNS over loopback" and "loopback" in said):
            said.append(needed.what)
    for key, said in hits.items():
        one = filters[key]
        yield finding_of(
            "blocks-what-hosts-need", f"it also blocks {_listed(said)} at {_short(one.layer)}",
            filters=(one,), layer=one.layer, fix="Put heavier permits for them into its sublayer",
        )  # fmt: skip


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _count(number: int) -> str:
    return f"{number} filter{'' if number == 1 else 's'}"


def _short(layer: str) -> str:
    return layer.removeprefix("FWPM_LAYER_")


def not_here(work: Work) -> Iterator[LintFinding]:
    """Filters at layers that came with a later Windows."""
    for layer_name, order in work.orders.items():
        if layer_name in _LAYERS and not by_name(layer_name).exists_on(work.windows):
            filters = tuple(ready.filter for sublayer in order.sublayers for ready in sublayer.filters)
            what = f"Windows {work.windows} has no {_short(layer_name)}: it came with {by_name(layer_name).since_text}"
            yield finding_of("not-on-this-windows", what, filters=filters, layer=layer_name)


CHECKS = [
    (no_twin, ("no-twin",)),
    (silent_drops, ("silent-drop-without-icmp", "icmp-type-of-other-version")),
    (needed_traffic, ("blocks-what-hosts-need",)),
    (not_here, ("not-on-this-windows",)),
]
