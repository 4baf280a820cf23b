"""The text of a log as what one classify can be in: its lines, or the entries of JSON that is written over lines."""

from __future__ import annotations

import json
from dataclasses import dataclass

_DECODER = json.JSONDecoder()
_BETWEEN = " \t\r\n,"


@dataclass(frozen=True, slots=True)
class Records:
    """`of` are (where, text), `broken` the places that hold something that cannot be taken apart, each with the reason.

    `entries` where they are entries of JSON and no lines.
    """

    of: tuple[tuple[str, str], ...]
    broken: tuple[tuple[str, str], ...] = ()
    entries: bool = False

    @property
    def count(self) -> int:
        return len(self.of) + len(self.broken)


def records_of(text: str, *, as_lines: bool = False) -> Records:
    """The lines of a text; of a JSON array, or of JSON objects that do not end with their line, the entries.

    `as_lines` where the lines are asked for, whatever is in them.
    """
    begin = text.lstrip()
    is_array = begin.startswith("[") and begin[1:].lstrip()[:1] in ("{", "]")
    if not as_lines and (is_array or (begin.startswith("{") and not _is_whole(begin.partition("\n")[0]))):
        found = _entries(begin[is_array:])
        if found.of or is_array:
            return found
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return Records(tuple((f"line {number}", line) for number, line in enumerate(lines, 1)))


def _is_whole(line: str) -> bool:
    try:
        json.loads(line.strip().rstrip(","))
    except (ValueError, RecursionError):
        return False
    return True


def _entries(text: str) -> Records:
    found: list[tuple[str, str]] = []
    at = 0
    while True:
        while at < len(text) and text[at] in _BETWEEN:
            at += 1
        if at == len(text) or (text[at] == "]" and not text[at + 1 :].strip()):
            return Records(tuple(found), entries=True)
        try:
            _, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            where, why = f"entry {len(found) + 1}", f"here the JSON ends in something else ({type(error).__name__})"
            return Records(tuple(found), ((where, why),), entries=True)
        found.append((f"entry {len(found) + 1}", " ".join(text[at:end].split("\n"))))
        at = end
