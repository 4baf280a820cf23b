"""Conditions as a policy file writes them: the readable table `when`, and the exact long form. Both directions.

`when = { protocol = "udp", remote_port = [53, "1024-2048"] }`: a key is a field, with an ending for another match than
EQUAL; a list means any of them (one condition each), but a list of flags is one mask. What the table cannot say goes
into the long form, which can say everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from fsm.catalogue import Layer
from fsm.errors import FsmError, UnknownName
from fsm.logs.fields import PROTOCOLS

from .fields import (
    ALIASES,
    CONDITION_FLAGS,
    FIELDS,
    INTEGERS,
    SOCKET_PROPERTIES,
    UNSIGNED,
    Field,
    find_field,
    spelled_field,
)
from .model import MATCH_TYPES, Condition, Value
from .values import EMPTY, TYPES, blob_text, integer_range, prefix_of_mask, scalar, text_blob
from .well_known import is_guid

ENDINGS: dict[str, str] = {
    "_all": "FLAGS_ALL_SET",
    "_any": "FLAGS_ANY_SET",
    "_none": "FLAGS_NONE_SET",
    "_not_prefix": "NOT_PREFIX",
    "_prefix": "PREFIX",
    "_nocase": "EQUAL_CASE_INSENSITIVE",
    "_not": "NOT_EQUAL",
}
_ENDING_OF = {match: ending for ending, match in ENDINGS.items()} | {"EQUAL": ""}
_COMPARISONS = {">=": "GREATER_OR_EQUAL", "<=": "LESS_OR_EQUAL", ">": "GREATER", "<": "LESS"}
_SIGN_OF = {match: sign for sign, match in _COMPARISONS.items()}
_DIRECTIONS = {"outbound": 0, "inbound": 1}
_ADDRESS_TYPES = {"unspecified": 0, "unicast": 1, "anycast": 2, "multicast": 3, "broadcast": 4}
_PROTOCOL_OF = {number: name.lower() for name, number in reversed(PROTOCOLS.items())}
_I63 = 1 << 63
_NUMBER = r"0[xX][0-9A-Fa-f]+|[0-9]+"

Complain = Callable[[tuple[str | int, ...], str, str, str], None]  # path below the table, what, nearest, fix


def words_of(field: Field) -> dict[str, int]:
    """The words that stand for numbers of a field."""
    name = FIELDS[field.canonical].short_name
    if name in ("IP_PROTOCOL", "EMBEDDED_PROTOCOL"):
        return {word.lower(): number for word, number in PROTOCOLS.items()}
    if name == "DIRECTION":
        return _DIRECTIONS
    if name.endswith("ADDRESS_TYPE") and not name.startswith("MAC_"):
        return _ADDRESS_TYPES
    return {}


def flags_of(field: Field) -> dict[str, int]:
    """The names of the bits of a field."""
    name = FIELDS[field.canonical].short_name
    return {"FLAGS": CONDITION_FLAGS, "ALE_SIO_FIREWALL_SYSTEM_PORT": SOCKET_PROPERTIES}.get(name, {})


# ------------------------------------------------------------------------------------------------------------ reading


def read_when(table: dict[str, Any], layer: Layer, *, twins: bool, complain: Complain) -> tuple[Condition, ...]:
    """The conditions of a `when` table at one layer, in the order of the table.

    With `twins` the filter stands at layers of both IP versions: each takes the addresses of its version.
    """
    found: list[Condition] = []
    for key, given in table.items():
        try:
            field, match = _field_and_match(key)
        except UnknownName as error:
            complain((key,), error.what, error.nearest, error.fix)
            continue
        items = given if isinstance(given, list) else [given]
        if not items:
            complain((key,), "an empty list, which nothing matches", "", "Leave the key out, or name a value")
            continue
        if match.startswith("FLAGS_"):
            mask = _mask(field, key, items, complain)
            if mask is not None:
                found.append(Condition(field.name, match, Value(field.data_types[0], mask)))
            continue
        made = []
        skipped = 0
        for at, item in enumerate(items):
            path = (key, at) if isinstance(given, list) else (key,)
            try:
                condition = _item(field, match, item, layer)
            except _OtherVersion as other:
                if twins:
                    skipped += 1
                    continue
                complain(path, f"{other} is no IPv{layer.ip_version} address, but the layer is {layer.short_name}", "",
                         f"Name the IPv{10 - (layer.ip_version or 4)} layer, or take the address out")  # fmt: skip
            except FsmError as error:
                complain(path, error.what, error.nearest, error.fix)
            except ValueError as error:
                complain(path, str(error), "", "")
            else:
                made.append(condition)
        if skipped and not made:
            what = f"no IPv{layer.ip_version} address, so the filter at {layer.short_name} would match any"
            complain((key,), what, "", "Name the layer with its version, or add an address")
        found += made
    return tuple(found)


class _OtherVersion(ValueError):
    """An address of the other IP version."""


def _field_and_match(key: str) -> tuple[Field, str]:
    field = spelled_field(key)
    if field is not None:
        return field, "EQUAL"
    for ending, match in ENDINGS.items():
        if key.endswith(ending) and (field := spelled_field(key.removesuffix(ending))) is not None:
            return field, match
    return find_field(key, ""), "EQUAL"  # raises, with the nearest names


def _mask(field: Field, key: str, items: list[Any], complain: Complain) -> int | None:
    if field.data_types[0] not in UNSIGNED:
        complain((key,), f"{field.short_name} is no number: flags are tested on numbers", "", "")
        return None
    mask, names = 0, flags_of(field)
    _, highest = integer_range(field.data_types[0])
    for at, item in enumerate(items):
        path = (key, at) if len(items) > 1 else (key,)
        if isinstance(item, str) and item.upper().removeprefix("FWP_CONDITION_FLAG_") in names:
            mask |= names[item.upper().removeprefix("FWP_CONDITION_FLAG_")]
            continue
        number = _whole(item)
        if number is None and isinstance(item, str):
            error = UnknownName.of("", "flag", item, names)
            complain(path, error.what, error.nearest, "")
            return None
        if number is None or not 0 <= number <= highest:
            complain(path, f"{item!r} is no flag", "Allowed: names and numbers", "")
            return None
        mask |= number
    return mask


def _whole(item: Any) -> int | None:
    if isinstance(item, bool):
        return None
    if isinstance(item, int):
        return item
    if isinstance(item, str) and re.fullmatch(_NUMBER, item.strip()):
        return int(item, 16 if item.strip()[:2] in ("0x", "0X") else 10)
    return None


def _item(field: Field, match: str, item: Any, layer: Layer) -> Condition:
    if isinstance(item, bool) or not isinstance(item, (str, int)):
        raise ValueError(f"{item!r} is neither text nor a number")
    if field.is_address:
        return _address_item(field, match, item, layer)
    data_type = field.data_types[0]
    if data_type in INTEGERS:
        return _integer_item(field, match, data_type, item)
    if not isinstance(item, str):
        raise ValueError(f"{item!r} is a number; {field.short_name} is compared with text")
    if data_type == "BYTE_BLOB":
        return Condition(field.name, match, _blob(item))
    if data_type == "BYTE_ARRAY6":
        return Condition(field.name, match, scalar(data_type, item))
    return Condition(field.name, match, Value(data_type, item))


def _blob(item: str) -> Value:
    if item.startswith("hex:"):
        try:
            return Value("BYTE_BLOB", bytes.fromhex(item[4:]))
        except ValueError:
            raise ValueError(f"{item[:60]!r} has something else than hex digits") from None
    if not item.isprintable():  # "C:\temp" between double quotes holds a tab
        raise ValueError(f"{item[:60]!r} holds a control character; write paths between single quotes")
    return Value("BYTE_BLOB", text_blob(item))


def _integer_item(field: Field, match: str, data_type: str, item: str | int) -> Condition:
    def number(given: str | int) -> Value:
        found = _whole(given)
        low, high = integer_range(data_type)
        if found is None:
            names = {**words_of(field), **flags_of(field)}
            if isinstance(given, str) and given.strip().lower() in words_of(field):
                return Value(data_type, words_of(field)[given.strip().lower()])
            if isinstance(given, str) and names and re.match(r"[A-Za-z]", given):
                raise UnknownName.of("", "value", given, names)
            raise ValueError(f"{given!r} is no number, range or comparison")
        if not low <= found <= high:
            raise ValueError(f"{found} does not fit {field.short_name}, which is a {data_type} ({low} to {high})")
        return Value(data_type, found)

    if isinstance(item, str):
        text = item.strip()
        if span := re.fullmatch(rf"({_NUMBER})\s*-\s*({_NUMBER})", text):
            return Condition(field.name, *_range(match, number(span[1]), number(span[2]), text))
        if compared := re.fullmatch(rf"(>=|<=|>|<)\s*({_NUMBER})", text):
            if match != "EQUAL":
                raise ValueError(f"{text!r} is a comparison, which has no ending for another match")
            return Condition(field.name, _COMPARISONS[compared[1]], number(compared[2]))
    return Condition(field.name, match, number(item))


def _range(match: str, low: Value, high: Value, text: str) -> tuple[str, Value]:
    if match != "EQUAL":
        raise ValueError(f"{text!r} is a range, which has no ending for another match")
    if isinstance(low.data, int) and isinstance(high.data, int) and low.data > high.data:
        raise ValueError(f"{text!r} ends before it begins")
    return "RANGE", Value("RANGE", (low, high))


def _address_item(field: Field, match: str, item: str | int, layer: Layer) -> Condition:
    if not isinstance(item, str):
        raise ValueError(f"{item!r} is a number; write an address, a prefix or a range of addresses")
    text = item.strip()
    low, dash, high = text.partition("-")
    if dash:
        return Condition(field.name, *_range(match, _address(low, layer), _address(high, layer), text))
    address, slash, length = text.partition("/")
    if not slash:
        return Condition(field.name, match, _address(text, layer))
    value = _address(address, layer)
    assert isinstance(value.data, int)
    if value.type == "UINT32":
        if "." in length:
            return Condition(field.name, match, Value("V4_ADDR_MASK", (value.data, int(IPv4Address(length)))))
        bits = _prefix(length, 32, text)
        return Condition(field.name, match, Value("V4_ADDR_MASK", (value.data, (0xFFFFFFFF << 32 - bits) & 0xFFFFFFFF)))
    return Condition(field.name, match, Value("V6_ADDR_MASK", (value.data, _prefix(length, 128, text))))


def _prefix(length: str, most: int, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", length) or int(length) > most:
        raise ValueError(f"{text!r} has no prefix length from 0 to {most}")
    return int(length)


def _address(text: str, layer: Layer) -> Value:
    try:
        address = ip_address(text.strip())
    except ValueError:
        raise ValueError(f"{text.strip()[:60]!r} is no IP address") from None
    if layer.ip_version not in (None, address.version):
        raise _OtherVersion(repr(text.strip()))
    return Value("UINT32" if address.version == 4 else "BYTE_ARRAY16", int(address))


# ------------------------------------------------------------------------------------------- reading the long form

LONG_KEYS = ("field", "match", "type", "value", "raw")


def read_condition(table: dict[str, Any], accepted: frozenset[str], complain: Complain) -> Condition | None:
    """The condition of a `[[filter.condition]]` table; None when it is not understood."""
    given = table.get("field")
    if not isinstance(given, str) or not given:
        complain((), "a condition without a field", "", 'Add field = "IP_REMOTE_PORT" or the like')
        return None
    field = None
    if given in accepted:
        name = given
    else:
        try:
            field = find_field(given, "")
            name = field.name
        except UnknownName as error:
            if not is_guid(given):
                complain(("field",), error.what, error.nearest, error.fix)
                return None
            name = given.lower()
    match = table.get("match", "EQUAL")
    if not isinstance(match, str):
        complain(("match",), f"match = {match!r} is not text", f"Allowed: {', '.join(MATCH_TYPES)}", "")
        return None
    if match not in MATCH_TYPES and match not in accepted:
        short = str(match).removeprefix("FWP_MATCH_")
        if short not in MATCH_TYPES:
            unknown = UnknownName.of("", "match type", str(match), MATCH_TYPES)
            complain(("match",), unknown.what, unknown.nearest, "")
            return None
        match = short
    if "type" not in table and field is not None and "raw" not in table:
        table = {**table, "type": "RANGE" if match == "RANGE" else field.data_types[0]}
    value = read_value(table, accepted, complain)
    return None if value is None else Condition(name, match, value)


def read_value(table: dict[str, Any], accepted: frozenset[str], complain: Complain) -> Value | None:
    """The value of `type` and `value`, or of `type` and `raw`, which is kept as it is."""
    data_type = str(table.get("type", "EMPTY")).removeprefix("FWP_").removesuffix("_TYPE")
    if data_type not in TYPES and data_type not in accepted:
        error = UnknownName.of("", "value type", data_type, TYPES)
        complain(("type",), error.what, error.nearest, "")
        return None
    if "raw" in table:
        return Value(data_type, str(table["raw"]))
    if data_type == "EMPTY":
        if "value" in table:
            complain(("value",), "a value of type EMPTY that is not empty", "", "Leave value out, or name another type")
            return None
        return EMPTY
    if "value" not in table:
        complain((), f"no value for the type {data_type}", "", "Add value = ...")
        return None
    try:
        return _long_value(data_type, table["value"], accepted, complain)
    except ValueError as error:
        complain(("value",), str(error), "", "")
        return None


def _long_value(data_type: str, given: Any, accepted: frozenset[str], complain: Complain) -> Value | None:
    if data_type in INTEGERS:
        number = int(given) if isinstance(given, str) and re.fullmatch(r"-[0-9]+", given) else _whole(given)
        low, high = integer_range(data_type)
        if number is None and isinstance(given, str) and re.fullmatch(r"[0-9]+(\.[0-9]+){3}", given):
            number = int(IPv4Address(given))
        if number is None or not low <= number <= high:
            raise ValueError(f"{given!r} is no {data_type} ({low} to {high})")
        return Value(data_type, number)
    if data_type == "RANGE":
        if not isinstance(given, list) or len(given) != 2 or not all(isinstance(end, dict) for end in given):
            raise ValueError("a RANGE is two tables, the lowest and the highest value")
        ends = [
            read_value(end, accepted, lambda path, *rest, at=at: complain(("value", at, *path), *rest))
            for at, end in enumerate(given)
        ]
        return None if ends[0] is None or ends[1] is None else Value("RANGE", (ends[0], ends[1]))
    if not isinstance(given, str):
        raise ValueError(f"{given!r} is no text, as a {data_type} is written")
    if data_type == "BYTE_BLOB":
        return _blob(given)
    if data_type == "V4_ADDR_MASK":
        address, _, mask = given.partition("/")
        bits = int(IPv4Address(mask)) if "." in mask else (0xFFFFFFFF << 32 - _prefix(mask, 32, given)) & 0xFFFFFFFF
        return Value(data_type, (int(IPv4Address(address)), bits))
    if data_type == "V6_ADDR_MASK":
        address, _, length = given.partition("/")
        return Value(data_type, (int(IPv6Address(address)), _prefix(length, 128, given)))
    return scalar(data_type, given)


# ------------------------------------------------------------------------------------------------------------ writing


def long_value(value: Value) -> dict[str, Any]:
    """The keys `type` and `value` (or `raw`) of a value."""
    data, kind = value.data, value.type
    table: dict[str, Any] = {"type": kind}
    if kind in INTEGERS and isinstance(data, int):
        table["value"] = data
    elif kind == "RANGE" and isinstance(data, tuple):
        table["value"] = [long_value(end) if isinstance(end, Value) else {"raw": str(end)} for end in data]
    elif kind == "BYTE_BLOB" and isinstance(data, bytes):
        table["value"] = _blob_item(data)
    elif kind in ("V4_ADDR_MASK", "V6_ADDR_MASK") and isinstance(data, tuple):
        table["value"] = _masked(value)
    elif kind == "BYTE_ARRAY16" and isinstance(data, int):
        table["value"] = str(IPv6Address(data))
    elif kind == "BYTE_ARRAY6" and isinstance(data, int):
        table["value"] = _mac(data)
    elif data is not None:
        text = data if isinstance(data, str) else repr(data)
        table["raw" if kind in INTEGERS or kind in _STRUCTURED else "value"] = text
    return table


_STRUCTURED = ("RANGE", "BYTE_BLOB", "V4_ADDR_MASK", "V6_ADDR_MASK", "BYTE_ARRAY16", "BYTE_ARRAY6", "EMPTY")


def when_table(conditions: Iterable[Condition]) -> dict[str, Any] | None:
    """The `when` table of conditions; None where it has no words for one. Read it again to be sure."""
    table: dict[str, Any] = {}
    for condition in conditions:
        field = FIELDS.get(condition.field)
        if field is None:
            return None
        item = _when_item(field, condition)
        ending = _ENDING_OF.get(condition.match, "")
        key = _key(field) + ending
        if item is None:
            return None
        if key not in table:
            table[key] = item
        elif ending in ("_all", "_any", "_none"):
            return None  # a list of flags is one mask
        else:
            before = table[key]
            table[key] = [*before, item] if isinstance(before, list) else [before, item]
    return table


def _key(field: Field) -> str:
    for word, short in ALIASES.items():
        if field.short_name == short:
            return word
    return field.short_name.removeprefix("IP_").removeprefix("ALE_").lower()


def _when_item(field: Field, condition: Condition) -> Any:
    value, match = condition.value, condition.match
    data = value.data
    if match == "RANGE" and value.type == "RANGE" and isinstance(data, tuple):
        ends = [_plain(end, field) if isinstance(end, Value) else None for end in data]
        return None if None in ends else f"{ends[0]}-{ends[1]}"
    if match in _SIGN_OF:
        return f"{_SIGN_OF[match]}{data}" if value.type in UNSIGNED and isinstance(data, int) else None
    if value.type in UNSIGNED and isinstance(data, int):
        if match.startswith("FLAGS_"):
            names = [name for name, bit in flags_of(field).items() if data & bit]
            whole = sum(flags_of(field)[name] for name in names) == data
            return (names if len(names) > 1 else names[0]) if names and whole else _number(data)
        if field.is_address:
            return str(IPv4Address(data)) if value.type == "UINT32" else None
        word = {number: name for name, number in reversed(words_of(field).items())}.get(data)
        return word if word is not None else _number(data)
    if value.type in ("V4_ADDR_MASK", "V6_ADDR_MASK"):
        return _masked(value)
    if value.type == "BYTE_BLOB" and isinstance(data, bytes):
        return _blob_item(data)
    if value.type in ("BYTE_ARRAY16", "BYTE_ARRAY6") and isinstance(data, int):
        return str(IPv6Address(data)) if value.type == "BYTE_ARRAY16" else _mac(data)
    return data if isinstance(data, str) else None


def _number(data: int) -> int | str:
    return data if data < _I63 else hex(data)  # TOML promises 63 bits


def _plain(value: Value, field: Field) -> str | None:
    if not isinstance(value.data, int):
        return None
    if value.type == "BYTE_ARRAY16":
        return str(IPv6Address(value.data))
    if field.is_address:
        return str(IPv4Address(value.data)) if value.type == "UINT32" else None
    return str(value.data) if value.type in UNSIGNED else None


def _masked(value: Value) -> str | None:
    if value.masked is None:
        return None
    address, mask = value.masked
    if value.type == "V6_ADDR_MASK":
        return f"{IPv6Address(address)}/{mask}"
    length = prefix_of_mask(mask)
    return f"{IPv4Address(address)}/{length if length is not None else IPv4Address(mask)}"


def _mac(data: int) -> str:
    return "-".join(f"{data:012x}"[at : at + 2] for at in range(0, 12, 2))


def _blob_item(data: bytes) -> str:
    text = blob_text(data)
    return text if text and not text.startswith("hex:") else f"hex:{data.hex()}"
