"""The condition fields: names, aliases, data types and the layers that offer them; only reader of `conditions.csv`.

Several names are one field (one GUID): the ICMP layers call the port fields ICMP_TYPE and ICMP_CODE (facts a.10.2,
a.16.3), and Windows 7 renamed some interface fields. What was read keeps its spelling; what compares fields goes
through `canonical`.

Source: CAL (fields per layer), CID (data types), header GUIDs; rows of source WST are layers and fields that the
pages do not have, as a `netsh wfp show state` file of October 2024 lists them. Match types: SDK page FWP_MATCH_TYPE.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from fsm.catalogue import by_name, layers
from fsm.errors import UnknownName

PREFIX = "FWPM_CONDITION_"
_LAYER = "FWPM_LAYER_"
INTEGERS = ("UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64")
UNSIGNED = INTEGERS[:4]
_SORTABLE = (*INTEGERS, "BYTE_ARRAY16", "BYTE_BLOB", "UNICODE_STRING")
_STRINGS = ("BYTE_BLOB", "UNICODE_STRING")
# match type -> value types it takes; None for all of them. NOT_EQUAL of a SID is not on the page, but in real dumps.
MATCHES: dict[str, tuple[str, ...] | None] = {
    "EQUAL": None,
    "GREATER": _SORTABLE,
    "LESS": _SORTABLE,
    "GREATER_OR_EQUAL": _SORTABLE,
    "LESS_OR_EQUAL": _SORTABLE,
    "RANGE": ("RANGE",),
    "FLAGS_ALL_SET": UNSIGNED,
    "FLAGS_ANY_SET": UNSIGNED,
    "FLAGS_NONE_SET": UNSIGNED,
    "EQUAL_CASE_INSENSITIVE": ("UNICODE_STRING",),
    "NOT_EQUAL": (*_SORTABLE, "SID"),
    "PREFIX": _STRINGS,
    "NOT_PREFIX": _STRINGS,
}
# Friendly words beside the names without FWPM_CONDITION_, IP_ and ALE_.
ALIASES: dict[str, str] = {
    "program": "ALE_APP_ID",
    "user": "ALE_USER_ID",
    "package": "ALE_PACKAGE_ID",
    "remote_user": "ALE_REMOTE_USER_ID",
    "remote_machine": "ALE_REMOTE_MACHINE_ID",
    "original_program": "ALE_ORIGINAL_APP_ID",
}
# FWPM_CONDITION_FLAGS, and the socket property of two fields (CFL, DCF)
CONDITION_FLAGS: dict[str, int] = {
    "IS_LOOPBACK": 0x1,
    "IS_IPSEC_SECURED": 0x2,
    "IS_REAUTHORIZE": 0x4,
    "IS_WILDCARD_BIND": 0x8,
    "IS_RAW_ENDPOINT": 0x10,
    "IS_FRAGMENT": 0x20,
    "IS_FRAGMENT_GROUP": 0x40,
    "IS_IPSEC_NATT_RECLASSIFY": 0x80,
    "REQUIRES_ALE_CLASSIFY": 0x100,
    "IS_IMPLICIT_BIND": 0x200,
    "IS_REASSEMBLED": 0x400,
    "IS_NAME_APP_SPECIFIED": 0x4000,
    "IS_PROMISCUOUS": 0x8000,
    "IS_AUTH_FW": 0x10000,
    "IS_RECLASSIFY": 0x20000,
    "IS_OUTBOUND_PASS_THRU": 0x40000,
    "IS_INBOUND_PASS_THRU": 0x80000,
    "IS_CONNECTION_REDIRECTED": 0x100000,
    "IS_PROXY_CONNECTION": 0x200000,
    "IS_APPCONTAINER_LOOPBACK": 0x400000,
    "IS_NON_APPCONTAINER_LOOPBACK": 0x800000,
    "IS_RESERVED": 0x1000000,
    "IS_HONORING_POLICY_AUTHORIZE": 0x2000000,
}
SOCKET_PROPERTIES: dict[str, int] = {"SYSTEM_PORT_RPC": 0x1, "ALLOW_EDGE_TRAFFIC": 0x2, "DENY_EDGE_TRAFFIC": 0x4}


@dataclass(frozen=True, slots=True)
class Field:
    """One condition field by one of its names.

    Parameters
    ----------
    name : the full FWPM_CONDITION name.
    guid : lower case without braces; empty where no header was found that has it.
    data_types : the types of a value that the field is compared with; addresses differ by IP version.
    canonical : the name that stands for all names of the GUID.
    aliases : the other names of the same GUID.
    layers : {full layer name: the first Windows that offers it there, as the page says; "" where only a dump shows it}.
    """

    name: str
    guid: str
    data_types: tuple[str, ...]
    canonical: str
    aliases: tuple[str, ...]
    layers: dict[str, str]

    @property
    def short_name(self) -> str:
        return self.name.removeprefix(PREFIX)

    @property
    def is_address(self) -> bool:
        return "V4_ADDR_MASK" in self.data_types

    def value_types(self, ip: int | None) -> tuple[str, ...]:
        """The types of a single value at a layer of this IP version (None: of either)."""
        if not self.is_address or ip is None:
            return self.data_types
        return ("UINT32", "V4_ADDR_MASK") if ip == 4 else ("BYTE_ARRAY16", "V6_ADDR_MASK")


def _load() -> dict[str, Field]:
    text = files("fsm").joinpath("data/conditions.csv").read_text(encoding="ascii")
    rows = [line.split(",") for line in text.splitlines()[1:]]
    names: dict[str, dict[str, None]] = {}  # guid -> names in file order
    where: dict[str, dict[str, str]] = {}
    facts: dict[str, tuple[str, tuple[str, ...]]] = {}
    for short, guid, types, since, _, places in rows:
        name = PREFIX + short
        if guid:
            names.setdefault(guid, {})[name] = None
        facts.setdefault(name, (guid, tuple(types.split("|"))))
        at = where.setdefault(name, {})
        for place in places.split():
            at.setdefault(place if place.startswith("FWPS_") else _LAYER + place, since)
    found = {}
    for name, (guid, types_) in facts.items():
        same = tuple(names.get(guid, {name: None}))
        found[name] = Field(name, guid, types_, same[0], tuple(n for n in same if n != name), where[name])
    return found


FIELDS: dict[str, Field] = _load()
_CANONICAL = {name: field.canonical for name, field in FIELDS.items()}
_BY_GUID = {field.guid: FIELDS[field.canonical] for field in FIELDS.values() if field.guid}


def canonical(name: str) -> str:
    """The name that stands for this field under all its names; an unknown field stands for itself."""
    return _CANONICAL.get(name, name)


def field_of_guid(guid: str) -> Field | None:
    """The field of a GUID with or without braces, in any case."""
    return _BY_GUID.get(guid.strip("{} ").lower())


def find_field(given: str, where: str) -> Field:
    """The field of an FWPM name (also without FWPM_CONDITION_, IP_ or ALE_), a GUID, or a word of ALIASES.

    Raises
    ------
    UnknownName : nothing has that name; the nearest names are in the message.
    """
    field = spelled_field(given)
    if field is None:
        raise UnknownName.of(where, "condition field", given, _spellings(given))
    return field


@lru_cache(maxsize=4096)
def spelled_field(given: str) -> Field | None:
    """The same without an error: None when nothing has that name."""
    word = given.strip()
    if re.fullmatch(r"\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?", word):
        return field_of_guid(word)
    upper = ALIASES.get(word.lower(), word.upper().removeprefix(PREFIX))
    for prefix in ("", "IP_", "ALE_"):
        if PREFIX + prefix + upper in FIELDS:
            return FIELDS[PREFIX + prefix + upper]
    return None


def _spellings(given: str) -> Iterable[str]:
    if given.upper().startswith(PREFIX):
        return FIELDS
    short = [field.short_name for field in FIELDS.values()]
    if given.isupper():
        return short
    return [*ALIASES, *(name.removeprefix("IP_").removeprefix("ALE_").lower() for name in short)]


@cache
def offered(layer: str) -> frozenset[str]:
    """The canonical names of the fields that a layer (full name) offers; empty for one that nobody has listed."""
    return frozenset(field.canonical for field in FIELDS.values() if layer in field.layers)


@cache
def layers_offering(name: str) -> tuple[str, ...]:
    """The full names of all layers that offer this field under any of its names, in run-time id order."""
    field = FIELDS[name]
    names = {layer for n in (name, *field.aliases) for layer in FIELDS[n].layers}
    return tuple(layer.name for layer in layers() if layer.name in names)


def value_types(name: str, layer: str) -> tuple[str, ...]:
    """The types of a single value of a known field at a known layer (full names)."""
    return FIELDS[name].value_types(by_name(layer).ip_version)
