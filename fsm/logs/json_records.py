"""Decoded JSON records from a stream: one object a line, an array, or objects one after the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from fsm.errors import LogError

from .json_sequence import sequence
from .json_text import LIMIT_RECORD_BYTES, Decoded, no_object
from .recognise import EXPORT, READABLE
from .spellings import LISTS, TABLES
from .stream import CHUNK_BYTES, Readable

LIMIT_BAD_LINES = 1000  # so many lines without one readable among them: not a log
_LABEL_LINE = re.compile(rb"Record \d+\s*")


def records(stream: Readable, prefix: str, where: str) -> Iterator[Decoded]:
    """The records of `stream`, whose text (UTF-8) begins with `prefix`."""
    start = prefix.lstrip("\ufeff \t\r\n")
    is_array = start[:1] == "["
    if _WRAPPED.match(start) and _loads(start.split("\n", 1)[0])[0] is None:
        return sequence(stream, where, is_array=is_array, is_wrapped=True)
    if is_array or not _has_object_line(start):
        return sequence(stream, where, is_array=is_array)
    return _lines(stream, where, cr_only="\n" not in prefix and "\r" in prefix.strip())


# The list of records inside one object, or the frames of Kusto. Before the list stand members of one value, or flat
# lists and objects.
_MEMBER = r'"(?:[^"\\]|\\.)*+"\s*+:\s*+(?:"(?:[^"\\]|\\.)*+"|[-+.\w]++|\{[^{}\[\]]*+\}|\[[^{}\[\]]*+\])\s*+'
_BEFORE = rf"(?:{_MEMBER},\s*+)*+"
_WRAPPED = re.compile(
    rf'\[\s*+\{{\s*+"FrameType"|\{{\s*+{_BEFORE}(?:"hits"\s*+:\s*+\{{\s*+{_BEFORE})?'
    rf'"(?:{"|".join((*LISTS, *TABLES))})"\s*+:\s*+\[\s*+\{{'
)


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
        return None, no_object("", value).why
    return value, ""


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
