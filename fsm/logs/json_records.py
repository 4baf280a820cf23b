"""Decoded JSON records from a stream: one object a line, an array, or objects one after the other.

Arrays and pretty-printed objects are taken apart while they are read, one element at a time: an export of 300 MB
needs the memory of its largest record.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from fsm.errors import LogError

from .fields import clean
from .recognise import EXPORT, READABLE
from .stream import CHUNK_BYTES, Broken, Readable

LIMIT_RECORD_BYTES = 4 * 1024 * 1024  # of one line or element; decoded it can take 25 times as much
LIMIT_BAD_LINES = 1000  # so many lines without one readable among them: not a log


class Decoded(NamedTuple):
    """One record, or why there is none (`broken`: and nothing after it is read)."""

    where: str
    value: dict[str, Any] | None
    why: str = ""
    broken: bool = False


def records(stream: Readable, prefix: str, where: str) -> Iterator[Decoded]:
    """The records of `stream`, whose text (UTF-8) begins with `prefix`."""
    start = prefix.lstrip("\ufeff \t\r\n")
    if _WRAPPED.match(start):
        return _sequence(stream, where, is_array=True, is_wrapped=True)
    if start[:1] == "[" or not _has_object_line(start):
        return _sequence(stream, where, is_array=start[:1] == "[")
    return _lines(stream, where, cr_only="\n" not in prefix and "\r" in prefix.strip())


# The list of records inside one object: a search response of Elasticsearch, a list that PowerShell 5 or OData wraps.
# Before it stand members of one value, or flat objects.
_MEMBER = r'"(?:[^"\\]|\\.)*+"\s*+:\s*+(?:"(?:[^"\\]|\\.)*+"|[-+.\w]++|\{[^{}\[\]]*+\})\s*+'
_BEFORE = rf"(?:{_MEMBER},\s*+)*+"
_WRAPPED = re.compile(
    rf'\{{\s*+{_BEFORE}(?:"hits"\s*+:\s*+\{{\s*+{_BEFORE})?'
    r'"(?:value|hits|results|events|records|Events|Records)"\s*+:\s*+(?=\[\s*+\{)'
)
# After it, other members of the same kind, and one or two objects end.
_WRAPPER_END = re.compile(rf"(?:\s*+(?:,\s*+{_MEMBER})*+\}}){{1,2}}\s*+")


def _has_object_line(prefix: str) -> bool:
    """Whether a line by itself is an object, or may be because it is longer than the prefix."""
    lines = prefix.splitlines()
    if len(lines) == 1:
        return len(prefix) > 30_000 or _loads(lines[0])[0] is not None
    return any(_loads(line)[0] is not None for line in lines if line.lstrip()[:1] == "{" and line.rstrip()[-1:] == "}")


def _loads(line: str | bytes) -> tuple[dict[str, Any] | None, str]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return None, f"no JSON ({error.msg}, column {error.colno})"
    except RecursionError:
        return None, "no readable JSON (nested too deeply)"
    except UnicodeDecodeError as error:
        return None, f"no UTF-8 text ({error.reason} at byte {error.start} of the line)"
    except ValueError:
        return None, "no readable JSON (a number of more than 4,300 digits)"
    if not isinstance(value, dict):
        return None, f"no record: a JSON {_KINDS.get(type(value), 'value')} where an object is expected"
    return value, ""


_KINDS: dict[type, str] = {list: "array", str: "string", int: "number", float: "number", bool: "truth value"}


# ----------------------------------------------------------------------------------------------------------- lines


def _lines(stream: Readable, where: str, *, cr_only: bool) -> Iterator[Decoded]:
    readable = False
    bad: list[Decoded] = []  # held back until one line is readable: else the whole input is refused
    number = 0
    for line in _split(stream, cr_only):
        number += 1
        if line is None:
            value, why = None, f"a line longer than {LIMIT_RECORD_BYTES >> 20} MiB"
        else:
            # a record is a line; blank ones and the brackets of an array written by lines hold none
            if len(line) < 8 and not line.strip(b" \t\r\x00"):
                continue
            value, why = _loads(line)
            if value is None and len(line) < 30 and _LABEL_LINE.fullmatch(line):
                continue
        at = f"line {number}"
        if value is not None:
            if not readable:
                readable = True
                yield from bad
                bad.clear()
            yield Decoded(at, value)
            continue
        item = Decoded(at, None, why)
        if readable:
            yield item
            continue
        bad.append(item)
        if len(bad) >= LIMIT_BAD_LINES:
            raise LogError(where, f"none of its first {len(bad)} lines is a JSON record", READABLE, EXPORT)
    if not readable:
        first = f": {bad[0].where}, {bad[0].why}" if bad else ""
        raise LogError(where, f"no JSON record in it{first}", READABLE, EXPORT)


def _split(stream: Readable, cr_only: bool) -> Iterator[bytes | None]:
    """Lines without their end; None for one that is too long, which is skipped and not kept."""
    carry: list[bytes] = []
    carried = 0
    skipping = False
    while chunk := stream.read(CHUNK_BYTES):
        if cr_only:
            chunk = chunk.replace(b"\r", b"\n")
        head, *rest = chunk.split(b"\n")
        if not skipping:
            carry.append(head)
            carried += len(head)
            if carried > LIMIT_RECORD_BYTES:
                skipping = True
                carry.clear()
        if not rest:
            continue
        yield None if skipping else b"".join(carry)
        yield from rest[:-1]
        carry, carried, skipping = [rest[-1]], len(rest[-1]), False
    if skipping:
        yield None
    elif carried:
        yield b"".join(carry)


# -------------------------------------------------------------------------------------------- arrays and sequences

_BLANK = re.compile(r"[\s\ufeff\x00]*")
_LABEL_LINE = re.compile(rb"Record \d+\s*")
_RECORD_LABEL = re.compile(r"Record \d+\s*")  # evtx_dump prints one before each object
_REST = "; the rest is not read"
_SAFE_DISTANCE = 16  # an error nearer to the end of what was read may come from the end, not from the text


class _Text:
    """A window on the text: what was read and not used up yet."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.buffer, self.pos, self.ended = "", 0, False
        self._line, self._counted = 1, 0  # the line of buffer[_counted]; counted on, never from the start again

    def more(self) -> bool:
        """Read on, as much again as is held, so that a long element costs linear time. False at the end."""
        self.advance(self.pos)
        want = max(CHUNK_BYTES, len(self.buffer))
        got = 0
        pieces = [self.buffer]
        while got < want and not self.ended:
            data = self._stream.read(CHUNK_BYTES)
            got += len(data)
            self.ended = not data
            pieces.append(self._decoder.decode(data, final=not data))
        self.buffer = "".join(pieces)
        return got > 0

    def advance(self, pos: int) -> None:
        """Forget what lies before `pos`."""
        self.line_at(pos)
        self.buffer, self.pos, self._counted = self.buffer[pos:], 0, 0

    def line_at(self, pos: int) -> int:
        """The line `pos` is on; asked in ascending order."""
        self._line += self.buffer.count("\n", self._counted, pos)
        self._counted = max(self._counted, pos)
        return self._line

    def next_char(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            match = _BLANK.match(self.buffer, self.pos)
            self.pos = match.end() if match else self.pos
            if self.pos < len(self.buffer):
                return self.buffer[self.pos]
            if not self.more():
                return ""


def _sequence(stream: Readable, where: str, *, is_array: bool, is_wrapped: bool = False) -> Iterator[Decoded]:
    text = _Text(stream)
    count = 0
    for item in _wrapped(text) if is_wrapped else _elements(text, is_array):
        if item.value is None and not count and item.broken:
            why = item.why.removesuffix(_REST)
            raise Broken(where, f"no JSON record in it: {item.where}, {why}", READABLE, EXPORT)
        count += item.value is not None
        yield item
    if not count:
        raise LogError(where, "a JSON array without a record in it" if is_array else "no JSON record in it",
                       READABLE, EXPORT)  # fmt: skip


def _wrapped(text: _Text) -> Iterator[Decoded]:
    """The records of the list inside an object, and what follows it where that is more than the end of the object."""
    text.next_char()
    while (match := _WRAPPED.match(text.buffer, text.pos)) is None and text.more():
        pass
    assert match is not None, "the prefix has matched"
    text.pos = match.end()
    yield from _elements(text, is_array=True, is_wrapped=True)


def _after_list(text: _Text) -> Iterator[Decoded]:
    """The end of the object around the list, other members of it included."""
    text.next_char()
    while len(text.buffer) - text.pos < LIMIT_RECORD_BYTES and text.more():
        pass
    at = f"line {text.line_at(text.pos)}"
    rest = text.buffer[text.pos :]
    if not _WRAPPER_END.fullmatch(rest):
        what = f"the JSON object around the list of records goes on in another way{_REST}"
        yield Decoded(at, None, what if rest.strip() else "the JSON object is never closed", broken=True)


def _elements(text: _Text, is_array: bool, *, is_wrapped: bool = False) -> Iterator[Decoded]:
    scan = json.JSONDecoder().raw_decode
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
            in_array = False  # whatever follows is read as a sequence
            if is_wrapped:
                yield from _after_list(text)
                return
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
        if in_array and need_comma:
            why = f"{clean(char)!r} where the JSON array needs a comma{_REST}"
            yield Decoded(at, None, why, broken=True)
            return
        value, why, line = _value(text, scan)
        if why:
            yield Decoded(f"line {line}", None, f"{why}{_REST}", broken=True)
            return
        need_comma = True
        if isinstance(value, dict):
            yield Decoded(at, value)
        else:
            kind = _KINDS.get(type(value), "value")
            yield Decoded(at, None, f"no record: a JSON {kind} where an object is expected")


def _value(text: _Text, scan: Any) -> tuple[Any, str, int]:
    """The value at the position, or why it cannot be read and on which line."""
    while True:
        try:
            value, end = scan(text.buffer, text.pos)
            if end < len(text.buffer) or text.ended or not isinstance(value, (int, float)):
                text.pos = end
                return value, "", 0
            why, at = "a number", text.pos
        except json.JSONDecodeError as error:
            why, at = f"no JSON ({error.msg})", error.pos
            cut = error.msg.startswith("Unterminated string") or at > len(text.buffer) - _SAFE_DISTANCE
            if text.ended and cut:
                return None, "the JSON is cut off in the middle of a record", text.line_at(at)
            if not cut:
                return None, why, text.line_at(at)
        except RecursionError:
            return None, "no readable JSON (nested too deeply)", text.line_at(text.pos)
        except ValueError:
            return None, "no readable JSON (a number of more than 4,300 digits)", text.line_at(text.pos)
        if len(text.buffer) - text.pos > LIMIT_RECORD_BYTES:
            return None, f"a JSON element longer than {LIMIT_RECORD_BYTES >> 20} MiB", text.line_at(text.pos)
        if not text.more():
            text.ended = True
