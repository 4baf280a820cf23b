"""Records out of JSON that is no line: arrays, objects one after the other, and lists inside an object.

All are taken apart while they are read, one element at a time: an export of 300 MB needs the memory of its largest
record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from fsm.errors import LogError

from .fields import clean
from .json_text import LIMIT_RECORD_BYTES, REST, Decoded, Text, next_value, no_object
from .recognise import EXPORT, READABLE
from .spellings import COLUMNS, LISTS, ROWS, TABLES
from .stream import Broken, Readable
from .tables import column_names, is_about_the_query, row_record

_DEEPEST = 3  # objects that hold a list, one in the other
_RECORD_LABEL = re.compile(r"Record \d+\s*")  # evtx_dump prints one before each object

Convert = Callable[[str, Any], Decoded]  # where and element of a list; what record that is


def sequence(stream: Readable, where: str, *, is_array: bool, is_wrapped: bool = False) -> Iterator[Decoded]:
    """The records of `stream`; `is_wrapped` when its objects hold the list of records, which is then taken apart.

    Raises
    ------
    LogError : when there is no record in it at all; later trouble is a Decoded with `broken`.
    """
    text = Text(stream)
    count = 0
    for item in _elements(text, is_array, walks=is_wrapped):
        if item.value is None and not count and item.broken:
            why = item.why.removesuffix(REST)
            raise Broken(where, f"no JSON record in it: {item.where}, {why}", READABLE, EXPORT)
        count += item.value is not None
        yield item
    if not count:
        raise LogError(where, "a JSON array without a record in it" if is_array else "no JSON record in it",
                       READABLE, EXPORT)  # fmt: skip


def _record(at: str, value: Any) -> Decoded:
    return Decoded(at, value) if isinstance(value, dict) else no_object(at, value)


def _elements(
    text: Text, is_array: bool, *, walks: bool = False, depth: int = 0, convert: Convert = _record
) -> Iterator[Decoded]:
    """Elements of an array, or values one after the other; of an inner list (`depth`) up to its end and no further."""
    in_array = is_array and text.next_char() == "["
    text.pos += in_array
    need_comma = False
    while True:
        char = text.next_char()
        at = f"line {text.line_at(text.pos)}"
        if not char:
            if in_array:
                yield Decoded(at, None, "the JSON array is never closed: the rest is missing", broken=True)
            return
        if in_array and char == "]":
            text.pos += 1
            if depth:
                return
            in_array = False  # whatever follows is read as a sequence
            continue
        if char == ",":
            text.pos += 1
            if in_array and (not need_comma or text.next_char() == "]"):
                yield Decoded(at, None, "a comma in the JSON array with no record beside it")
            need_comma = False
            continue
        if not in_array and char == "[":
            in_array, need_comma = True, False  # arrays one after the other: logs put together
            text.pos += 1
            continue
        if not in_array and char == "R":
            while len(text.buffer) - text.pos < 40 and text.more():
                pass
            if label := _RECORD_LABEL.match(text.buffer, text.pos):
                text.pos = label.end()
                continue
        if char == "}" or char == "]":
            yield Decoded(at, None, f"{char!r} where a JSON record is expected{REST}", broken=True)
            return
        if in_array and need_comma:
            why = f"{clean(char)!r} where the JSON array needs a comma{REST}"
            yield Decoded(at, None, why, broken=True)
            return
        need_comma = True
        if walks and char == "{":
            for item in _walk(text, depth):
                yield item
                if item.broken:
                    return
            continue
        value, why, line = next_value(text)
        if why:
            yield Decoded(f"line {line}", None, f"{why}{REST}", broken=True)
            return
        yield convert(at, value)


def _walk(text: Text, depth: int) -> Iterator[Decoded]:
    """The records of the lists in an object; the object itself, where it has none of the lists that hold records."""
    at = f"line {text.line_at(text.pos)}"
    text.pos += 1
    around: dict[str, Any] = {}
    has_list = need_comma = False
    size = 0  # of all that is no list
    while (char := text.next_char()) != "}":
        line = f"line {text.line_at(text.pos)}"
        if char == "," and need_comma:
            text.pos += 1
            need_comma = False
            continue
        if char != '"' or need_comma:
            wanted = "a comma" if need_comma else "a name"
            why = f"{clean(char)!r} where a JSON object needs {wanted}{REST}"
            yield Decoded(line, None, why if char else "the JSON object is never closed", broken=True)
            return
        need_comma = True
        before = text.place
        name, why, number = next_value(text)
        if not why and text.next_char() != ":":
            why, number = "a name in a JSON object without a value", text.line_at(text.pos)
        if why:
            yield Decoded(f"line {number}", None, f"{why}{REST}", broken=True)
            return
        text.pos += 1
        char = text.next_char()
        inner: Iterator[Decoded] | None = None
        if char == "[" and name in ROWS:
            inner = _elements(text, True, depth=depth + 1, convert=_row_of(around))
        elif char == "[" and depth < _DEEPEST and (name in LISTS or name in TABLES):
            inner = _elements(text, True, walks=name in TABLES, depth=depth + 1)
        elif char == "{" and depth < _DEEPEST and name in LISTS:
            inner = _walk(text, depth + 1)
        if inner is None:
            around[name], why, number = next_value(text)
            size += text.place - before
            if not why and size > LIMIT_RECORD_BYTES:
                why, number = f"a JSON element longer than {LIMIT_RECORD_BYTES >> 20} MiB", text.line_at(text.pos)
            if why:
                yield Decoded(f"line {number}", None, f"{why}{REST}", broken=True)
                return
            continue
        has_list = True
        is_noise = name in ROWS and is_about_the_query(around)
        for item in inner:
            if item.broken or not is_noise:
                yield item
            if item.broken:
                return
    text.pos += 1
    if not has_list:
        yield Decoded(at, around)


def _row_of(table: dict[str, Any]) -> Convert:
    """Rows as records, by the columns of the table, which have to stand before its rows."""
    names = column_names(next((table[key] for key in COLUMNS if key in table), None))
    return lambda at, row: row_record(names, row, at)
