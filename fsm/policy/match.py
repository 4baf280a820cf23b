"""Whether a condition holds for a value, in three answers: True, False, None for open.

What the documents or the circumstances leave open is None, never True or False. Conditions on one field that follow
each other are alternatives since Windows 7, all others must hold together (SDK page FWPM_FILTER0).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, partial
from typing import Any

from fsm.names import WINDOWS
from fsm.policy.datagram import OTHER
from fsm.policy.fields import PREFIX, canonical
from fsm.policy.model import Condition, Filter, Value
from fsm.policy.security import Token, grants


class Special(Enum):
    """What a field can have instead of a value."""

    UNKNOWN = "not known"
    EMPTY = "empty (FWP_EMPTY)"
    NOT_THERE = "not offered at this layer"


UNKNOWN, EMPTY, NOT_THERE = Special.UNKNOWN, Special.EMPTY, Special.NOT_THERE


@dataclass(frozen=True, slots=True)
class Bits:
    """Flags of which some may be unknown: `known` masks those that are not."""

    value: int
    known: int = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Program:
    """A program by its path or file name, lower case."""

    path: str


FieldValue = int | str | bytes | Bits | Program | Token | Special
Answer = bool | None
PATHS = (PREFIX + "ALE_APP_ID", PREFIX + "ALE_ORIGINAL_APP_ID")
_INTEGERS = ("UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "BYTE_ARRAY16", "BYTE_ARRAY6")
_NEGATED = {"NOT_EQUAL": "EQUAL", "NOT_PREFIX": "PREFIX"}


def evaluate(condition: Condition, value: FieldValue) -> Answer:
    """Whether the condition holds for what the field has at the classify.

    Integers compare by value whatever their width. Addresses are integers: 32 bits at V4 layers, 128 at V6 layers.
    An empty field matches EQUAL whatever the condition's value (ALER); what it does to other match types is not
    documented, so that is open. So is a type that the field cannot have.
    """
    match, wanted = condition.match, condition.value
    if isinstance(value, Special):
        return True if value is EMPTY and match == "EQUAL" else None
    if value == OTHER:
        return {"EQUAL": False, "EQUAL_CASE_INSENSITIVE": False, "PREFIX": False}.get(
            match, True if match in _NEGATED else None
        )
    if match in _NEGATED:
        found = _TESTS[_NEGATED[match]](wanted, value)
        return None if found is None else not found
    test = _TESTS.get(match)
    return test(wanted, value) if test else None


def _equal(wanted: Value, value: FieldValue) -> Answer:
    data = wanted.data
    if wanted.type == "EMPTY":
        return False  # the field has a value
    if isinstance(value, Program):
        return _same_program(program_text(data), value.path) if isinstance(data, bytes | str) else None
    if isinstance(value, Token):
        return grants(data, value) if wanted.type == "SECURITY_DESCRIPTOR" and isinstance(data, str) else None
    if isinstance(value, Bits):
        if not isinstance(data, int):
            return None
        if (value.value ^ data) & value.known:
            return False
        return True if value.known == 0xFFFFFFFF else None
    if isinstance(value, int):
        if wanted.type in ("V4_ADDR_MASK", "V6_ADDR_MASK"):
            return _in_prefix(wanted, value)
        return value == data if isinstance(data, int) else None
    if wanted.type == "SID" and isinstance(data, str) and isinstance(value, str):
        return data.upper() == (value or "S-1-0-0").upper()
    return value == data if type(value) is type(data) else None


def _in_prefix(wanted: Value, value: int) -> Answer:
    if wanted.masked is None:
        return None
    address, mask = wanted.masked
    if wanted.type == "V4_ADDR_MASK":
        return (value ^ address) & mask == 0 if value <= 0xFFFFFFFF else None
    bits = ((1 << 128) - 1) ^ ((1 << (128 - mask)) - 1)
    return (value ^ address) & bits == 0


def program_text(data: bytes | str) -> str:
    text = data if isinstance(data, str) else data.decode("utf-16-le", "replace")
    return text.rstrip("\0").lower()


@lru_cache(maxsize=4096)
def program_path(text: str) -> str:
    """A path as app ids have it: lower case, back slashes, without the marks before a drive (`\\?\\`, `\\??\\`)."""
    path = text.lower().replace("/", "\\")
    bare = path.removeprefix("\\\\?\\").removeprefix("\\??\\")
    return bare if bare[1:3] == ":\\" else path


def _on_volume(path: str) -> tuple[str, str]:
    """(the drive or volume, the rest) of a path as `program_path` gives it; no volume for any other text."""
    if path[1:3] == ":\\":
        return path[:2], path[3:]
    parts = path.split("\\", 3)
    if len(parts) == 4 and parts[:2] == ["", "device"]:
        return parts[2], parts[3]
    return "", path


def assumed_volume(wanted: str, given: str) -> tuple[str, str] | None:
    """(drive, volume) where two programs are the same if that drive is that volume; None where nothing is assumed."""
    (volume, rest), (other, other_rest) = _on_volume(program_path(wanted)), _on_volume(program_path(given))
    if not volume or not other or rest != other_rest or (volume[1:] == ":") == (other[1:] == ":"):
        return None
    return (volume, other) if volume[1:] == ":" else (other, volume)


def _same_program(wanted: str, given: str) -> bool:
    """Two paths of one form compare whole, a drive and a volume on the rest, a file name with the last part.

    That the drive is that volume is assumed: which it is only the machine can tell.
    """
    if assumed_volume(wanted, given):
        return True
    wanted, given = program_path(wanted), program_path(given)
    return wanted == given if "\\" in given else wanted.rpartition("\\")[2] == given


def _equal_without_case(wanted: Value, value: FieldValue) -> Answer:
    if isinstance(wanted.data, str) and isinstance(value, str):
        return wanted.data.casefold() == value.casefold()
    return None


def _ending(wanted: Value, value: FieldValue) -> Answer:
    """PREFIX has a misleading name: it tests whether the value ends with the condition's (SDK page FWP_MATCH_TYPE).

    App ids are strings in blobs with an end mark (NUL). Whether a condition without the mark fits is not documented.
    """
    data = wanted.data
    if isinstance(value, Program):
        return _program_ends(data, value.path) if isinstance(data, bytes | str) else None
    if isinstance(value, str) and isinstance(data, str):
        return value.endswith(data)
    if isinstance(value, bytes) and isinstance(data, bytes):
        if value.endswith(data):
            return True
        return None if value.rstrip(b"\0").endswith(data.rstrip(b"\0")) else False
    return None


def _program_ends(data: bytes | str, given: str) -> Answer:
    wanted, given = program_path(program_text(data)), program_path(given)
    whole = given.startswith("\\")
    known = given[2:] if given[1:3] == ":\\" else given  # of a path with a drive the volume is not known
    if known.endswith(wanted):
        marked = isinstance(data, str) or data.endswith(b"\0\0")
        return True if marked else None
    return None if not whole and wanted.endswith(known) else False


def _compare(wanted: Value, value: FieldValue, holds: Callable[[Any, Any], bool]) -> Answer:
    data = wanted.data
    if isinstance(value, Bits):
        if value.known != 0xFFFFFFFF:
            return None
        value = value.value
    if isinstance(value, int):
        return holds(value, data) if isinstance(data, int) else None
    if isinstance(value, str | bytes) and type(value) is type(data):
        return holds(value, data)
    return None


def _range(wanted: Value, value: FieldValue) -> Answer:
    if not isinstance(wanted.data, tuple):
        return None
    low, high = wanted.data
    if not isinstance(low, Value) or not isinstance(high, Value):
        return None
    above, below = _compare(low, value, operator.ge), _compare(high, value, operator.le)
    return None if above is None or below is None else above and below


def _flags(wanted: Value, value: FieldValue, which: str) -> Answer:
    bits = Bits(value) if isinstance(value, int) else value
    if not isinstance(bits, Bits) or not isinstance(wanted.data, int):
        return None
    mask, known = wanted.data, bits.known
    if which == "ALL":
        return False if mask & known & ~bits.value else (True if not mask & ~known else None)
    some = True if mask & known & bits.value else (False if not mask & ~known else None)
    if which == "ANY" or some is None:
        return some
    return not some


_TESTS: dict[str, Callable[[Value, FieldValue], Answer]] = {
    "EQUAL": _equal,
    "GREATER": partial(_compare, holds=operator.gt),
    "LESS": partial(_compare, holds=operator.lt),
    "GREATER_OR_EQUAL": partial(_compare, holds=operator.ge),
    "LESS_OR_EQUAL": partial(_compare, holds=operator.le),
    "RANGE": _range,
    "FLAGS_ALL_SET": lambda wanted, value: _flags(wanted, value, "ALL"),
    "FLAGS_ANY_SET": lambda wanted, value: _flags(wanted, value, "ANY"),
    "FLAGS_NONE_SET": lambda wanted, value: _flags(wanted, value, "NONE"),
    "EQUAL_CASE_INSENSITIVE": _equal_without_case,
    "PREFIX": _ending,
}


@dataclass(frozen=True, slots=True)
class Test:
    """A condition as it was compared: what the field had."""

    condition: Condition
    value: FieldValue


@dataclass(frozen=True, slots=True)
class Match:
    """Whether a filter matches. `failed` is the group of conditions that did not hold, `open` those left open."""

    answer: Answer
    failed: tuple[Test, ...] = ()
    open: tuple[Test, ...] = ()


MATCHED = Match(True)
Groups = tuple[tuple[str, tuple[Condition, ...]], ...]


def groups_of(filter: Filter, windows: str = "11") -> Groups:
    """The conditions as alternatives that must all hold: (field, conditions of which one must hold)."""
    alternatives = WINDOWS.index(windows) >= WINDOWS.index("7")
    groups: list[tuple[str, tuple[Condition, ...]]] = []
    for condition in filter.conditions:
        field = canonical(condition.field)
        if alternatives and groups and groups[-1][0] == field:
            groups[-1] = (field, (*groups[-1][1], condition))
        else:
            groups.append((field, (condition,)))
    return tuple(groups)


def match_groups(groups: Groups, values: Mapping[str, FieldValue]) -> Match:
    """Whether all groups hold. A failed one decides, whatever is open beside it."""
    still_open: list[Test] = []
    for field, conditions in groups:
        value = values.get(field, NOT_THERE)
        undecided = False
        for condition in conditions:
            found = evaluate(condition, value)
            if found:
                break
            undecided = undecided or found is None
        else:
            tests = tuple(Test(condition, value) for condition in conditions)
            if not undecided:
                return Match(False, tests)
            still_open.extend(test for test in tests if evaluate(test.condition, value) is None)
    return Match(None, open=tuple(still_open)) if still_open else MATCHED


def matches(filter: Filter, values: Mapping[str, FieldValue], windows: str = "11") -> Match:
    """Whether a filter matches the values of a classify ({canonical field name: value})."""
    return match_groups(groups_of(filter, windows), values)
