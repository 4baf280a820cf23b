"""The space of datagrams that a search splits: dimensions, their atomic classes, and a datagram for each class.

A class is a set of values that no condition of the policies at hand tells apart. Numbers (addresses, ports, ids) are
cut into intervals where a condition or a rule of the machine begins or ends; names (programs, users, store apps,
flags) are those that conditions mention, and one more that none mentions.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from fsm.policy.boxes import Intervals, difference, intersection, intervals, masked, pieces
from fsm.policy.datagram import OTHER, Circumstances, Datagram, End
from fsm.policy.fields import CONDITION_FLAGS, FIELDS, UNSIGNED
from fsm.policy.match import program_text
from fsm.policy.model import Condition, Value

ADDRESSES = ("local_address", "remote_address")
PORTS = ("local_port", "remote_port")
# What is said of the interface and the socket as a number, and its highest value.
NUMBERS: dict[str, int] = {
    "profile": 0xFFFFFFFF,
    "interface": 0xFFFF_FFFF_FFFF_FFFF,
    "interface_index": 0xFFFFFFFF,
    "interface_type": 0xFFFFFFFF,
    "tunnel_type": 0xFFFFFFFF,
    "sub_interface": 0xFFFFFFFF,
    "compartment": 0xFFFFFFFF,
    "socket_property": 0x7,
}
FIELD = "field "  # before the name of a condition field that is a dimension of its own
LOOPBACK = {4: ipaddress.ip_network("127.0.0.0/8"), 6: ipaddress.ip_network("::1/128")}
GROUPS = {
    4: (ipaddress.ip_network("224.0.0.0/4"), ipaddress.ip_network("255.255.255.255/32")),
    6: (ipaddress.ip_network("ff00::/8"),),
}
MAPPED = ipaddress.ip_network("::ffff:0:0/96")  # a question for IPv4
# Values that read well in an example, where the box has them.
_USUAL = {
    ("local_address", 4): ("192.0.2.1", "10.0.0.1", "192.168.1.10", "127.0.0.1"),
    ("remote_address", 4): ("198.51.100.1", "203.0.113.1", "10.0.0.2", "239.255.255.250", "127.0.0.1"),
    ("local_address", 6): ("2001:db8::1", "fe80::1", "fd00::1", "::1"),
    ("remote_address", 6): ("2001:db8:ffff::1", "fe80::2", "fd00::2", "ff02::fb", "::1"),
}
_USUAL_PORTS = {"local_port": (50000, 53), "remote_port": (53, 50000, 443)}
LIMIT_FLAGS = 10

Symbol = str | tuple[str, str | None] | frozenset[str]


def bits_of(name: str, ip: int) -> int:
    """How many bits a number of this dimension has."""
    if name in ADDRESSES:
        return 32 if ip == 4 else 128
    return 16 if name in PORTS else NUMBERS.get(name, 0xFFFF_FFFF_FFFF_FFFF).bit_length()


def networks(given: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> Intervals:
    """The addresses of networks as numbers."""
    return intervals((int(net.network_address), int(net.broadcast_address)) for net in given)


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension with its classes in order: intervals of numbers, or symbols."""

    name: str
    numbers: Intervals = ()
    symbols: tuple[Symbol, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers) or len(self.symbols)

    def value(self, number: int) -> int | Symbol:
        """A value of a class."""
        return self.numbers[number][0] if self.numbers else self.symbols[number]


@dataclass(frozen=True, slots=True)
class Scene:
    """One kind of datagram: all of them make the machine do the same, whatever their addresses are.

    `allowed` are the addresses and ports that belong to it, by dimension.
    """

    ip: int
    group: bool
    loopback: bool
    allowed: tuple[tuple[str, Intervals], ...]
    circumstances: Circumstances
    free_flags: frozenset[str] = frozenset()

    def datagram(self, chosen: Mapping[str, int | Symbol]) -> tuple[Datagram, Circumstances]:
        """The datagram and circumstances with these values; a dimension that is not named gets any value it allows."""
        allowed = dict(self.allowed)

        def number(name: str) -> int:
            found = chosen.get(name)
            return found if isinstance(found, int) else allowed[name][0][0]

        make = ipaddress.IPv4Address if self.ip == 4 else ipaddress.IPv6Address
        local = End(make(number("local_address")), number("local_port"))
        remote = End(make(number("remote_address")), number("remote_port"))
        changes: dict[str, object] = {name: chosen[name] for name in (*NUMBERS, "program") if name in chosen}
        token = chosen.get("token")
        if isinstance(token, tuple):
            changes["user"], changes["package"] = tuple(token[0].split()), token[1]
        flags = chosen.get("flags")
        if isinstance(flags, frozenset):
            changes["flags"] = (*self.circumstances.flags, *sorted(flags))
            changes["no_flags"] = (*self.circumstances.no_flags, *sorted(self.free_flags - flags))
        fields = tuple((name.removeprefix(FIELD), value) for name, value in chosen.items() if name.startswith(FIELD))
        if fields:
            changes["fields"] = (*self.circumstances.fields, *fields)
        known = replace(self.circumstances, **changes) if changes else self.circumstances  # type: ignore[arg-type]
        return Datagram(local, remote), known


def scene_domains(
    ip: int, *, sends: bool, group: bool, loopback: bool, from_: Mapping[str, Intervals], to: Mapping[str, Intervals]
) -> dict[str, Intervals]:
    """{dimension: what belongs to the scene and was asked for}; an empty set where nothing is left."""
    whole = ((0, (1 << bits_of("local_address", ip)) - 1),)
    groups, inside = networks(GROUPS[ip]), networks([LOOPBACK[ip]])
    single = difference(whole, groups) if ip == 4 else difference(difference(whole, groups), networks([MAPPED]))
    single = inside if loopback else difference(single, inside)
    source, target = single, groups if group else single
    both = {"address": (source, target), "port": (((0, 0xFFFF),), ((0, 0xFFFF),))}
    found: dict[str, Intervals] = {}
    for what, (of_source, of_target) in both.items():
        source_end, target_end = ("local", "remote") if sends else ("remote", "local")
        found[f"{source_end}_{what}"] = intersection(of_source, from_[what]) if what in from_ else of_source
        found[f"{target_end}_{what}"] = intersection(of_target, to[what]) if what in to else of_target
    return found


# --- classes


def number_cuts(conditions: Iterable[Condition], bits: int, offset: int) -> list[int] | None:
    """Where the truth of the conditions can change along a number; `offset` is what a field adds to it.

    None where a condition tells too many intervals apart (a mask with many holes, single bits of a number).
    """
    cuts: list[int] = []
    for condition in conditions:
        values = condition.value.data if condition.value.type == "RANGE" else (condition.value,)
        if condition.match.startswith("FLAGS_"):
            if bits > 8:
                return None
            cuts.extend(range(1 << bits))
            continue
        for value in values if isinstance(values, tuple) else ():
            if not isinstance(value, Value):
                continue
            found = _value_intervals(value)
            if found is None:
                return None
            cuts.extend(point - offset for low, high in found for point in (low, high + 1))
    return cuts


def _value_intervals(value: Value) -> Intervals | None:
    data = value.data
    if isinstance(data, int):
        return ((data, data),)
    if isinstance(data, tuple) and isinstance(data[0], int) and isinstance(data[1], int):
        if value.type == "V4_ADDR_MASK":
            return masked(data[0], data[1], 32)
        if value.type == "V6_ADDR_MASK":
            return masked(data[0], ((1 << 128) - 1) ^ ((1 << (128 - data[1])) - 1), 128)
    return ()


def number_dimension(name: str, within: Intervals, cuts: Iterable[int], ip: int) -> Dimension:
    """A dimension of numbers with a class between each two cuts."""
    more: list[int] = []
    if name in ADDRESSES:  # where the type of an address changes
        for low, high in networks((*GROUPS[ip], LOOPBACK[ip])):
            more += (low, high + 1)
        more += (0, 1)
    return Dimension(name, pieces(within, (*cuts, *more)))


def programs(conditions: Iterable[Condition]) -> tuple[Symbol, ...]:
    """The programs that conditions name, one for each end of a path that they name, and any other."""
    found: dict[str, None] = {}
    for condition in conditions:
        data = condition.value.data
        if isinstance(data, str | bytes):
            text = program_text(data)
            ending = condition.match in ("PREFIX", "NOT_PREFIX")
            found.setdefault(f"\\any\\{text}" if ending and not text.startswith("\\") else text)
    return (*found, OTHER)


def tokens(sids: Iterable[str], packages: Iterable[str], known: Circumstances) -> tuple[Symbol, ...]:
    """Pairs of a user and a store app: every SID that conditions name, alone, and any other."""
    users = (known.user and (" ".join(known.user),)) or (*dict.fromkeys(sids), OTHER)
    apps: tuple[str | None, ...] = ("", *dict.fromkeys(packages), OTHER) if known.package is None else (known.package,)
    return tuple((user, app) for user in users for app in apps)


def flag_sets(free: frozenset[str]) -> tuple[Symbol, ...]:
    """Every set of the free flags, the empty one first."""
    found = [frozenset[str]()]
    for flag in sorted(free, key=lambda name: CONDITION_FLAGS[name]):
        found += [each | {flag} for each in found]
    return tuple(found)


def is_number_field(name: str) -> bool:
    """Whether a condition field is an unsigned number and nothing else."""
    field = FIELDS.get(name)
    return field is not None and not field.is_address and set(field.data_types) <= set(UNSIGNED)


def example_value(name: str, ip: int, within: Intervals) -> int:
    """A number of the set that reads well."""
    usual: tuple[int, ...] = _USUAL_PORTS.get(name, ())
    if name in ADDRESSES:
        usual = tuple(int(ipaddress.ip_address(text)) for text in _USUAL[name, ip])
    for number in usual:
        if any(low <= number <= high for low, high in within):
            return number
    low, high = within[0]
    return low + 1 if name in ADDRESSES and high - low > 1 else low
