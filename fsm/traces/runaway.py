"""Which regular expressions can take for ever on one line: refused before they see any.

A first look, by shape alone: a repeat inside a repeat with nothing firm between, alternatives of a repeat that can
begin alike, or several repeats in a row that can share a stretch. What it lets through is stopped by the clock
(`stoppable`).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

_PARSER: Any = importlib.import_module("re._parser")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT")
_MANY_WAYS = 1_000  # a repeat that can read one stretch in more ways than this is refused
_OPEN = 16  # a repeat of this many counts in a row of them
_IN_A_ROW = 3  # so many repeats that can share characters take a cubic time on a line
FIX_DANGER = "Let each repeat stop at what follows it, for example [^,]*, in place of .*,"
_ALL = frozenset(range(256))


def runs_away(expression: str) -> str:
    """Why a regular expression can need more than quadratic time for a place in a line; "" where no reason is known."""
    parsed = _PARSER.parse(expression)
    return _danger(parsed) or _row_of_repeats(parsed)


def _row_of_repeats(items: Sequence[Any]) -> str:
    """Why repeats that follow one another can share out one stretch of a line in very many ways.

    Between two of them may stand what can be empty, or one thing that both can also be; anything else parts them.
    """
    row, last = 0, _ALL
    between: list[frozenset[int]] = []
    for op, value, can_be_empty in _in_line(items, False):
        name = str(op)
        if name in ("ASSERT", "ASSERT_NOT"):
            found = _row_of_repeats(value[1])
        elif name == "BRANCH":
            found = next((why for way in value[1] if (why := _row_of_repeats(way))), "")
        else:
            found = ""
        if found:
            return found
        if name in ("ASSERT", "ASSERT_NOT", "AT"):
            continue
        here = _characters([(op, value)])
        if name in _REPEATS and value[1] >= _OPEN:
            shared = here & last
            joined = not between or (len(between) == 1 and bool(between[0] & shared))
            row = row + 1 if row and shared and joined else 1
            last, between = here, []
            if row >= _IN_A_ROW:
                return f"{_IN_A_ROW} open repeats in a row that can match the same characters"
        elif not can_be_empty:
            between += [here] * (value[0] if name in _REPEATS else 1)
    return ""


def _in_line(items: Sequence[Any], can_be_empty: bool) -> Iterator[tuple[Any, Any, bool]]:
    """The items of a sequence, groups and what may be left out opened; whether each can be empty."""
    for op, value in items:
        name = str(op)
        if name == "SUBPATTERN":
            yield from _in_line(value[-1], can_be_empty)
        elif name == "ATOMIC_GROUP":
            yield from _in_line(value, can_be_empty)
        elif name in _REPEATS and value[1] <= 1:
            yield from _in_line(value[2], can_be_empty or value[0] == 0)
        else:
            yield op, value, can_be_empty or (name in _REPEATS and value[0] == 0)


def _danger(items: Sequence[Any]) -> str:
    for op, value in items:
        name = str(op)
        if name in _REPEATS:
            _, most, body = value
            found = (_ambiguous(body) if _ways(body, most) > _MANY_WAYS else "") or _danger(body)
        elif name == "BRANCH":
            found = next((why for way in value[1] if (why := _danger(way))), "")
        elif name == "SUBPATTERN":
            found = _danger(value[-1])
        elif name in ("ASSERT", "ASSERT_NOT"):
            found = _danger(value[1])
        else:
            found = _danger(value) if name == "ATOMIC_GROUP" else ""
        if found:
            return found
    return ""


def _ways(body: Sequence[Any], most: int) -> int:
    """In how many ways a repeat of up to `most` can share out a stretch, if its body is ambiguous: at the worst."""
    inner = max((value[1] for op, value in _flat(body) if str(op) in _REPEATS), default=1)
    each, times = max(2, min(int(inner), _MANY_WAYS)), min(int(most), _MANY_WAYS.bit_length())
    return int(each**times)


def _ambiguous(body: Sequence[Any]) -> str:
    """Why the body of a repeat can be read in two ways."""
    flat = _flat(body)
    repeats = [value for op, value in flat if str(op) in _REPEATS and value[1] > 1]
    firm = [
        _characters([(op, value)])
        for op, value in flat
        if (value[0] > 0 if str(op) in _REPEATS else str(op) not in ("AT", "BRANCH"))
    ]
    for least_most_body in repeats:
        inner = _characters(least_most_body[2])
        if not any(not (one & inner) for one in firm):
            return "a repeat inside a repeat, and nothing between that the inner one cannot also be"
    for op, value in flat:
        if str(op) == "BRANCH":
            ways = [_first(way) for way in value[1]]
            if any(a & b for i, a in enumerate(ways) for b in ways[:i]):
                return "alternatives inside a repeat that can begin with the same character"
            if any(str(one) in _REPEATS and v[1] > 1 for way in value[1] for one, v in _flat(way)):
                return "a repeat inside alternatives inside a repeat"
    optional = [value for op, value in flat if str(op) in _REPEATS and value[0] == 0]
    if optional and len(optional) == len([1 for op, _ in flat if str(op) != "AT"]) and len(flat) > 1:
        return "a repeat of parts that can all be empty"
    return ""


def _flat(body: Sequence[Any]) -> list[Any]:
    """The items of a sequence, groups opened."""
    found = []
    for op, value in body:
        if str(op) == "SUBPATTERN":
            found.extend(_flat(value[-1]))
        else:
            found.append((op, value))
    return found


def _first(way: Sequence[Any]) -> frozenset[int]:
    """The characters that a sequence can begin with."""
    found: frozenset[int] = frozenset()
    for item in _flat(way):
        found |= _characters([item])
        if str(item[0]) not in _REPEATS or item[1][0] > 0:
            return found
    return _ALL


def _characters(items: Sequence[Any]) -> frozenset[int]:
    """The characters (of the first 256) that occur in what these items match."""
    found: set[int] = set()
    for op, value in items:
        name = str(op)
        if name == "LITERAL":
            found.add(value & 255)
        elif name == "NOT_LITERAL":
            found |= _ALL - {value & 255}
        elif name == "IN":
            found |= _of_class(value)
        elif name in _REPEATS:
            found |= _characters(value[2])
        elif name == "SUBPATTERN":
            found |= _characters(value[-1])
        elif name == "BRANCH":
            for way in value[1]:
                found |= _characters(way)
        elif name not in ("AT", "ASSERT", "ASSERT_NOT"):
            found |= _ALL
    return frozenset(found)


_CATEGORIES = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}


def _of_class(parts: Sequence[Any]) -> frozenset[int]:
    found: set[int] = set()
    negated = False
    for op, value in parts:
        name = str(op)
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            found.add(value & 255)
        elif name == "RANGE":
            found.update(range(value[0], min(value[1], 255) + 1))
        else:
            word = str(value).removeprefix("CATEGORY_")
            inside = {c for c in _ALL if re.match(_CATEGORIES[word.removeprefix("NOT_")], chr(c))}
            found |= _ALL - inside if word.startswith("NOT_") else inside
    return frozenset(_ALL - found if negated else found)
