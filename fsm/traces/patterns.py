"""How the lines of a log are taken apart: the built-in patterns, `--pattern` and `--keys`.

A pattern is a plain regular expression with named groups (`GROUPS`). `re` cannot be stopped once it runs, so lines
are bounded and a pattern that can run away on one is refused before it sees any: a repeat inside a repeat with
nothing firm between, alternatives of a repeat that can begin alike, or several repeats in a row that can share a
stretch.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fsm.errors import FsmError, UnknownName
from fsm.traces.words import STACK_FUNCTIONS, BadWord

LIMIT_LINE_CHARS = 4096
GROUPS: dict[str, str] = {
    "layer": "layer, in any spelling",
    "verdict": "what the callout answered",
    "local": "local address, with or without port",
    "local_port": "local port, where it stands apart",
    "remote": "remote address, with or without port",
    "remote_port": "remote port, where it stands apart",
    "src": "source of the packet: local if it goes out",
    "src_port": "source port",
    "dst": "destination of the packet",
    "dst_port": "destination port",
    "endpoint": "handle or name of the endpoint",
    "time": "time",
    "flags": "classify flags, by name or number",
    "direction": "direction of the packet",
    "protocol": "IP protocol; lines about TCP are set aside",
}
# How keys of logs are called, for logs of keys and values that are recognised without --keys. Compared without case,
# `_` and `-`.
KNOWN_KEYS: dict[str, tuple[str, ...]] = {
    "layer": ("layer", "layername", "layerid", "wfplayer", "fwpmlayer", "fwpslayer", "classifylayer", "layerrtid"),
    "verdict": ("verdict", "action", "actiontype", "decision", "result"),
    "local": ("local", "localaddress", "localaddr", "localip", "laddr", "localendpoint"),
    "local_port": ("localport", "lport"),
    "remote": ("remote", "remoteaddress", "remoteaddr", "remoteip", "raddr", "peer", "remoteendpoint"),
    "remote_port": ("remoteport", "rport"),
    "src": ("src", "source", "srcip", "sourceip", "srcaddr", "sourceaddress"),
    "src_port": ("srcport", "sourceport"),
    "dst": ("dst", "dest", "destination", "dstip", "destip", "dstaddr", "destaddress", "destinationaddress"),
    "dst_port": ("dstport", "destport", "destinationport"),
    "endpoint": ("endpoint", "endpointhandle", "transportendpointhandle", "endpointid", "handle", "socket"),
    "time": ("time", "timestamp", "ts", "at", "ats", "elapsed", "systemtime"),
    "flags": ("flags", "classifyflags", "conditionflags"),
    "direction": ("direction", "dir", "packetdirection"),
    "protocol": ("protocol", "proto", "ipprotocol"),
}

Fields = Mapping[str, str]
# The fields of a line; None where it is about something else. Raises `BadWord` where it is broken.
TakeApart = Callable[[str], Fields | None]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way to take lines apart. `nested` where lines are frames of a stack, the innermost first."""

    name: str
    text: str
    take: TakeApart
    nested: bool = False


def _regex(name: str, expression: str, *, nested: bool = False) -> Pattern:
    return Pattern(name, expression, _by_regex(re.compile(expression)), nested)


def _by_regex(compiled: re.Pattern[str]) -> TakeApart:
    def take(line: str) -> Fields | None:
        found = compiled.search(line)
        return {name: value for name, value in found.groupdict().items() if value} if found and found["layer"] else None

    return take


def _json_object(line: str) -> Mapping[str, Any] | None:
    text = line.strip().rstrip(",")
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadWord(f"the line is no JSON object ({type(error).__name__})") from None
    assert isinstance(found, dict)  # it begins with a brace
    return found


_TIME = r"(?:\d{4}[-/.]\d\d?[-/.]\d\d?[T \-]+|\d\d?[\\/]\d\d?[\\/]\d{4}[- ])?\d\d:\d\d:\d\d(?:[.,:]\d{1,9})?Z?"
_STAMP = rf"(?:(?P<time>{_TIME}|(?<![\w.])\d{{1,9}}\.\d{{1,9}}(?![\w.]))(?=[\s\]|,]))?"
_LEADING_TIME = re.compile(rf"^\[?(?:\d{{1,8}}\s+)?\[?{_STAMP}")
_VALUE = r"(\"[^\"]*\"|'[^']*'|\[[^\]\s]*\]:\d+|\[[^\]]*\]|[^\s,;=]+)"
_PAIR = re.compile(r"(?<![\w.])([A-Za-z_][\w.\-]*)\s?=\s?" + _VALUE)
_PAIR_WITH_COLON = re.compile(r"(?<![\w.])([A-Za-z_][\w.\-]*):\s?" + _VALUE + r"(?<!:)(?=[\s,;]|$)")


def _pairs(line: str) -> dict[str, str]:
    """key=value, and key: value for keys that no equals sign follows."""
    found = {key: value.strip("\"'") for key, value in _PAIR.findall(line)}
    for key, value in _PAIR_WITH_COLON.findall(line):
        found.setdefault(key, value.strip("\"'"))
    return found


def _as_text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, list):
        return "|".join(str(one) for one in value)
    return value if isinstance(value, str) else str(value)


def _folded(key: str) -> str:
    return key.rpartition(".")[2].replace("_", "").replace("-", "").casefold()


_FIELD_OF = {key: field for field, keys in KNOWN_KEYS.items() for key in keys}


def _known_fields(found: Mapping[str, Any]) -> Fields | None:
    """The fields of an object whose keys have usual names; objects inside it are looked into, two deep."""
    fields: dict[str, str] = {}
    inside = [found]
    for depth in range(3):
        deeper: list[Mapping[str, Any]] = []
        for level in inside:
            for key, value in level.items():
                if isinstance(value, dict):
                    deeper.append(value)
                elif (field := _FIELD_OF.get(_folded(key))) is not None and field not in fields:
                    fields[field] = "0" if field == "flags" and value == [] else _as_text(value)
        inside = deeper if depth < 2 else []
    return fields if fields.get("layer") else None


def _json_lines(line: str) -> Fields | None:
    found = _json_object(line)
    return None if found is None else _known_fields(found)


def _key_values(line: str) -> Fields | None:
    if line.lstrip().startswith("{"):
        return None
    fields = _known_fields(_pairs(line))
    if fields is None or "time" in fields:
        return fields
    stamp = _LEADING_TIME.match(line)
    return {**fields, "time": stamp["time"]} if stamp and stamp["time"] else fields


_VERDICT = (
    r"(?=.*?\b(?:FWP_ACTION_)?(?P<verdict>PERMIT(?:TED)?|BLOCK(?:ED)?|ABSORB(?:ED)?|PEND(?:ED)?|REDIRECT(?:ED)?|VETO(?:ED)?"
    r"|CONTINUE|[Pp]ermit(?:ted)?|[Bb]lock(?:ed)?|[Aa]bsorb(?:ed)?|[Pp]ended|[Rr]edirected|[Cc]ontinue)\b)?"
)
_END = r"(?:\d{1,3}(?:\.\d{1,3}){3}:\d{1,5}|\[[0-9A-Fa-f:.]{2,45}\]:\d{1,5})"
_ARROW = re.compile(rf"(?P<src>{_END})\s?(?:->|=>|>|to)\s?(?P<dst>{_END})")
_LABELLED = tuple(
    re.compile(rf"(?i:\b{name}[a-z_]{{0,12}}\s?[:= ]\s?)(?P<{name}>{_END})")
    for name in ("local", "remote", "src", "dst")
)
_SIDE_BY_SIDE = re.compile(rf"(?P<local>{_END})(?:\s?[,;|\t]\s?|\s{{1,8}})(?P<remote>{_END})")
ANY_END = re.compile(_END)
_DIRECTION = r"(?=.*?\b(?P<direction>[Ii]nbound|[Oo]utbound|INBOUND|OUTBOUND)\b)?"

_LAYER_NAME = rf"^\[?(?:\d{{1,8}}\s+)?\[?{_STAMP}{_VERDICT}{_DIRECTION}.*?\b(?P<layer>FWP[MS]_LAYER_[A-Z0-9_]+)\b"


_take_layer_name = _by_regex(re.compile(_LAYER_NAME))


def _named_layer(line: str) -> Fields | None:
    """A line with a full layer name: ends with an arrow are the packet's, side by side they are local, remote."""
    fields = _take_layer_name(line)
    if fields is None:
        return None
    labelled = [found for end in _LABELLED if (found := end.search(line))]
    ends = labelled or [found for way in (_ARROW, _SIDE_BY_SIDE) if (found := way.search(line))][:1]
    return {**fields, **{name: end for found in ends for name, end in found.groupdict().items()}}


# In the order in which they are preferred; the one that reads the most lines of the beginning is taken.
BUILT_IN: tuple[Pattern, ...] = (
    Pattern("json-lines", "one JSON object a line, with usual key names", _json_lines),
    Pattern("key-value", "layer=... verdict=... and other keys with usual names", _key_values),
    _regex(
        "wfpsampler",
        rf"(?P<time>{_TIME})?\s*---> (?:\w+::)?Classify\w*\(\).{{0,80}}?\[Layer: (?P<layer>FWP[MS]_LAYER_\w+)\]",
    ),
    _regex(
        "kernel-stack",
        r"(?:^|[\s!])(?:tcpip!)(?P<layer>" + "|".join(STACK_FUNCTIONS) + r")(?:\+0x[0-9a-fA-F]+)?(?=\s|$|\[)",
        nested=True,
    ),
    Pattern("layer-name", _LAYER_NAME, _named_layer),
)


def own_pattern(expression: str, where: str = "--pattern") -> Pattern:
    """A checked pattern from a regular expression with named groups.

    Raises
    ------
    FsmError : it does not compile, has no group `layer`, or can run away.
    UnknownName : a group that is not one of `GROUPS`.
    """
    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise FsmError(where, f"'{expression}' is no regular expression ({error})", fix="Mend it") from None
    for name in compiled.groupindex:
        if name not in GROUPS:
            raise UnknownName.of(where, "group of a trace pattern", name, GROUPS, f"Groups: {', '.join(GROUPS)}")
    if "layer" not in compiled.groupindex:
        raise FsmError(
            where, f"'{expression}' has no group 'layer'", fix=r"Name it: (?P<layer>\S+). Groups: " + ", ".join(GROUPS)
        )
    danger = runs_away(expression)
    if danger:
        raise FsmError(where, f"'{expression}' can take for ever on one line: {danger}", fix=FIX_DANGER)
    return Pattern("own pattern", expression, _by_regex(compiled))


def own_keys(given: str, where: str = "--keys") -> Pattern:
    """A pattern from `layer=layerName, verdict=event.action`: keys of JSON lines or of key=value logs, `.` goes deeper.

    Raises
    ------
    FsmError, UnknownName : not FIELD=KEY, an unknown field, no layer.
    """
    keys: dict[str, str] = {}
    for word in given.split(","):
        field, equals, key = (part.strip() for part in word.partition("="))
        if not equals or not key:
            raise FsmError(where, f"'{word.strip()}' is not FIELD=KEY", f"Fields: {', '.join(GROUPS)}")
        if field not in GROUPS:
            raise UnknownName.of(where, "field of a trace", field, GROUPS)
        keys[field] = key
    if "layer" not in keys:
        raise FsmError(where, f"'{given}' does not say which key is the layer", fix="Add layer=KEY")

    def take(line: str) -> Fields | None:
        found = _json_object(line)
        whole: Mapping[str, Any] = _pairs(line) if found is None else found
        fields = {field: text for field, key in keys.items() if (text := _as_text(_inside(whole, key)))}
        return fields if "layer" in fields else None

    return Pattern("own keys", given, take)


def _inside(found: Mapping[str, Any], key: str) -> object:
    if key in found:
        return found[key]
    here: object = found
    for part in key.split("."):
        if not isinstance(here, dict) or part not in here:
            return None
        here = here[part]
    return here


# ---- patterns that run away

_PARSER: Any = importlib.import_module("re._parser")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT")
_MANY = 64  # a repeat of more than this counts as endless
_OPEN = 16  # a repeat of this many counts in a row of them
_IN_A_ROW = 3  # so many repeats that can share characters take a cubic time on a line
FIX_DANGER = "Let each repeat stop at what follows it, for example [^,]*, in place of .*,"
_ALL = frozenset(range(256))


def runs_away(expression: str) -> str:
    """Why a regular expression can need more than quadratic time for a place in a line; "" where no reason is known."""
    parsed = _PARSER.parse(expression)
    return _danger(parsed, False) or _row_of_repeats(parsed)


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


def _danger(items: Sequence[Any], inside_repeat: bool) -> str:
    for op, value in items:
        name = str(op)
        if name in _REPEATS:
            _, most, body = value
            endless = most > _MANY
            if endless:
                why = _ambiguous(body)
                if why:
                    return why
            if found := _danger(body, inside_repeat or endless):
                return found
        elif name == "BRANCH":
            for way in value[1]:
                if found := _danger(way, inside_repeat):
                    return found
        elif name == "SUBPATTERN":
            if found := _danger(value[-1], inside_repeat):
                return found
        elif name in ("ASSERT", "ASSERT_NOT"):
            if found := _danger(value[1], False):
                return found
        elif name == "ATOMIC_GROUP" and (found := _danger(value, inside_repeat)):
            return found
    return ""


def _ambiguous(body: Sequence[Any]) -> str:
    """Why the body of an endless repeat can be read in two ways."""
    flat = _flat(body)
    repeats = [value for op, value in flat if str(op) in _REPEATS and value[1] > 1]
    firm = [
        _characters([item]) for item in flat if str(item[0]) not in _REPEATS and str(item[0]) not in ("AT", "BRANCH")
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
