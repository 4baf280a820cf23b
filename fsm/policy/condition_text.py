"""Conditions and values in words: `IP_REMOTE_PORT is 53, not 67`."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from fsm.catalogue import by_name
from fsm.policy.datagram import OTHER
from fsm.policy.fields import CONDITION_FLAGS, FIELDS, PREFIX
from fsm.policy.match import EMPTY, UNKNOWN, Bits, FieldValue, Program, Special, Test
from fsm.policy.model import Condition, Value
from fsm.policy.security import Token
from fsm.policy.values import blob_text, prefix_of_mask

_FLAGS = PREFIX + "FLAGS"
_WORDS = {
    "EQUAL": "", "EQUAL_CASE_INSENSITIVE": "", "NOT_EQUAL": "not ", "GREATER": "above ", "LESS": "below ",
    "GREATER_OR_EQUAL": "at least ", "LESS_OR_EQUAL": "at most ", "RANGE": "", "PREFIX": "ending with ",
    "NOT_PREFIX": "not ending with ", "FLAGS_ALL_SET": "all of ", "FLAGS_ANY_SET": "any of ",
    "FLAGS_NONE_SET": "none of ",
}  # fmt: skip


def short_field(name: str) -> str:
    """`IP_REMOTE_PORT` for its full FWPM name."""
    return name.removeprefix(PREFIX)


def wanted_text(condition: Condition, layer: str = "") -> str:
    """What a condition wants, without its field: `67`, `192.0.2.0/24`, `none of IS_LOOPBACK`."""
    match = condition.match
    if match.startswith("FLAGS_") and condition.field == _FLAGS and isinstance(condition.value.data, int):
        return _WORDS[match] + flag_names(condition.value.data)
    return _WORDS.get(match, f"{match} ") + value_text(condition.field, condition.value, layer)


def value_text(field: str, value: Value, layer: str = "") -> str:
    """A condition's value as people write it."""
    data = value.data
    if value.type == "EMPTY":
        return "empty"
    if (
        value.type == "V4_ADDR_MASK"
        and isinstance(data, tuple)
        and isinstance(data[0], int)
        and isinstance(data[1], int)
    ):
        length = prefix_of_mask(data[1])
        return f"{IPv4Address(data[0])}/{IPv4Address(data[1]) if length is None else length}"
    if value.type == "V6_ADDR_MASK" and isinstance(data, tuple) and isinstance(data[0], int):
        return f"{IPv6Address(data[0])}/{data[1]}"
    if isinstance(data, tuple):
        low, high = data
        if isinstance(low, Value) and isinstance(high, Value):
            return f"{value_text(field, low, layer)} to {value_text(field, high, layer)}"
        return str(data)
    if isinstance(data, bytes):
        return blob_text(data) or f"0x{data[:24].hex()}{'...' if len(data) > 24 else ''}"
    if isinstance(data, int):
        return _number(field, data, value.type, layer)
    return str(data)


def _number(field: str, data: int, type: str, layer: str) -> str:
    known = FIELDS.get(field)
    if type == "BYTE_ARRAY16":
        return str(IPv6Address(data))
    if known is not None and known.is_address and type in ("UINT32", ""):
        six = bool(layer) and by_name(layer).ip_version == 6
        return str(IPv6Address(data) if six or data > 0xFFFFFFFF else IPv4Address(data))
    return str(data)


def flag_names(bits: int) -> str:
    """`IS_LOOPBACK IS_REAUTHORIZE`; bits without name as hex; `no flag` for none."""
    names = [name for name, bit in CONDITION_FLAGS.items() if bits & bit]
    rest = bits & ~sum(CONDITION_FLAGS.values())
    return " ".join([*names, *([hex(rest)] if rest else [])]) or "no flag"


def had_text(field: str, value: FieldValue, layer: str = "") -> str:
    """What a field had at the classify."""
    if value is UNKNOWN:
        return "not known"
    if value is EMPTY:
        return "empty"
    if isinstance(value, Special):
        return value.value
    if value == OTHER:
        return "one that no filter names"
    if isinstance(value, Bits):
        unknown = f", {flag_names(0xFFFFFFFF & ~value.known)} not known" if value.known != 0xFFFFFFFF else ""
        return flag_names(value.value) + unknown
    if isinstance(value, Program):
        return value.path
    if isinstance(value, Token):
        if value.sids is None:
            return "a user not known"
        return " ".join(sorted(value.sids)) or "a user that no filter names"
    if isinstance(value, int):
        return _number(field, value, "", layer)
    return value.hex() if isinstance(value, bytes) else value


def failed_text(tests: tuple[Test, ...], layer: str = "") -> str:
    """Why a group of conditions did not hold: `IP_REMOTE_PORT is 53, not 67 or 68`."""
    first = tests[0]
    field = first.condition.field
    wants = [_clipped(wanted_text(test.condition, layer)) for test in tests]
    shown = " or ".join(wants[:4]) + (f" or {len(wants) - 4} more" if len(wants) > 4 else "")
    if len(tests) == 1 and first.condition.match == "NOT_EQUAL":
        return f"{short_field(field)} is {_clipped(had_text(field, first.value, layer))}, which it excludes"
    return f"{short_field(field)} is {_clipped(had_text(field, first.value, layer))}; wanted: {shown}"


def open_text(test: Test, layer: str = "") -> str:
    """An open condition as a question: `FLAGS: none of IS_LOOPBACK? (not known)`."""
    condition = test.condition
    wanted = _clipped(wanted_text(condition, layer))
    had = _clipped(had_text(condition.field, test.value, layer))
    return (
        f"{short_field(condition.field)} {wanted}? It is {had}"
        if had != "not known"
        else f"{short_field(condition.field)} {wanted}?"
    )


def _clipped(text: str, limit: int = 90) -> str:
    return text if len(text) <= limit else f"{text[: limit // 3]}...{text[-limit // 2 :]}"
