"""How the lines of a log are taken apart: the built-in patterns, `--pattern` and `--keys`.

A line is one classify. One that shows several, or says one thing in two ways, is broken: which of them is meant would
be a guess.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fsm.errors import FsmError, UnknownName
from fsm.traces import prose
from fsm.traces.pairs import (
    ENDS,
    FIELD_OF,
    Fields,
    as_text,
    folded,
    has_layers,
    known_fields,
    pairs_in,
    verdict_under_other_keys,
)
from fsm.traces.runaway import FIX_DANGER, runs_away
from fsm.traces.words import STACK_FUNCTIONS, BadWord, has_no_remote_end, is_same_layer, verdict_of

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
# The fields of a line; None where it is about something else. Raises `BadWord` where it is broken.
TakeApart = Callable[[str], Fields | None]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way to take lines apart. `nested` where lines are frames of a stack, the innermost first.

    `amiss` says, once all lines were taken apart, what was asked for and never found; None for nothing.
    """

    name: str
    text: str
    take: TakeApart
    nested: bool = False
    amiss: Callable[[], FsmError | None] = lambda: None


def _regex(name: str, expression: str, *, nested: bool = False) -> Pattern:
    compiled = re.compile(expression)

    def take(line: str) -> Fields | None:
        found = list(compiled.finditer(line))
        if len(found) > 1:
            raise BadWord(f"{len(found)} classifies on one line; write each on a line of its own")
        return {key: value for one in found for key, value in one.groupdict().items() if value} or None

    return Pattern(name, expression, take, nested)


# ---- keys and values

_TIME = r"(?:\d{4}[-/.]\d\d?[-/.]\d\d?[T \-]+|\d\d?[\\/]\d\d?[\\/]\d{4}[- ])?\d\d:\d\d:\d\d(?:[.,:]\d{1,9})?Z?"
_STAMP = rf"(?:(?P<time>{_TIME}|(?<![\w.])\d{{1,9}}\.\d{{1,9}}(?![\w.]))(?=[\s\]|,]))?"
_LEADING_TIME = re.compile(rf"^\[?(?:\d{{1,8}}\s+)?\[?{_STAMP}")

_KEY_OF_LAYER = re.compile(r"layer|FWP[MS]_LAYER_", re.IGNORECASE)


def _json_object(line: str) -> Mapping[str, Any] | None:
    text = line.strip().rstrip(",")
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        if not _KEY_OF_LAYER.search(text):
            return None
        raise BadWord(f"the line is no JSON object ({type(error).__name__})") from None
    assert isinstance(found, dict)  # it begins with a brace
    return found


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise BadWord(f"the key '{twice[:40]}' is there {keys.count(twice)} times in one object")
    return found


def _json_lines(line: str) -> Fields | None:
    found = _json_object(line)
    if found is None:
        return None
    fields = known_fields(found.items())
    if "layer" in fields:
        return _with_layer(_with_verdict(fields, found.items()))
    if has_layers(list(found.values())):
        raise BadWord("classifies deeper inside the object than is looked; say --keys layer=a.b.c.KEY")
    return None


def _with_verdict(fields: Fields, pairs: Iterable[tuple[str, Any]]) -> Fields:
    """Fields, with the verdict that a key without a usual name says where no other does."""
    found = "" if fields.get("verdict") else verdict_under_other_keys(pairs)
    return {**fields, "verdict": found} if found else fields


def _with_layer(fields: Fields) -> Fields | None:
    if "layer" in fields and not fields["layer"]:
        raise BadWord("the layer is empty")
    return fields if "layer" in fields else None


def _key_values(line: str) -> Fields | None:
    pairs, rest = pairs_in(line)
    known = known_fields(pairs)
    if line.lstrip().startswith("{") or _with_layer(known) is None:
        return None
    for name in prose.layers_in(rest):
        if not is_same_layer(name, known["layer"]):
            raise BadWord(f"several layers on one line: {known['layer']}, {name}")
    return _with_prose(known, pairs, prose.NAME.sub("", rest), line)


def _named_layer(line: str) -> Fields | None:
    """A line with a full layer name, and what else it says by keys, or by how it stands."""
    if not prose.layers_in(line):
        return None
    pairs, rest = pairs_in(line)
    names = list(dict.fromkeys(name.upper() for name in prose.layers_in(rest)))
    if not names:
        return None  # inside the value of some key
    if len(names) > 1 and not all(is_same_layer(names[0], name) for name in names):
        raise BadWord(f"several layers on one line: {', '.join(names)}")
    if len(prose.layers_in(rest)) > len(names):
        raise BadWord(f"{names[0]} is there twice; write each classify on a line of its own")
    known = {field: text for field, text in known_fields(pairs).items() if field != "layer"}
    return _with_prose({**known, "layer": names[0]}, pairs, prose.NAME.sub(prose.LAYER, rest), line)


def _with_prose(known: Fields, pairs: Iterable[tuple[str, Any]], rest: str, line: str) -> Fields:
    """Fields by keys, and what no key says from the rest of the line."""
    fields = dict(known)
    if "verdict" not in fields:
        beside, under = prose.verdict_in(rest), verdict_under_other_keys(pairs)
        if beside and under and verdict_of(beside) != verdict_of(under):
            raise BadWord(f"'{beside}' and '{under}': which is the verdict is not clear. Say --keys or --pattern")
        fields["verdict"] = beside or under
    if not any(field.removesuffix("_port") in ENDS for field in fields):
        fields.update(prose.ends_in(rest) or (prose.only_end_in(rest) if has_no_remote_end(fields["layer"]) else {}))
    fields.setdefault("direction", prose.direction_in(rest))
    fields.setdefault("protocol", prose.protocol_in(rest))
    if "time" not in fields and (stamp := _LEADING_TIME.match(line)):
        fields["time"] = stamp["time"] or ""
    return {field: text for field, text in fields.items() if text}


KEY_VALUE = Pattern("key-value", "layer=... verdict=... and other keys with usual names", _key_values)
LAYER_NAME = Pattern(
    "layer-name", "a full name FWPM_LAYER_... or FWPS_LAYER_..., and what stands beside it", _named_layer
)
# In the order in which they are preferred; the one that knows the most lines of the beginning is taken.
BUILT_IN: tuple[Pattern, ...] = (
    Pattern("json-lines", "one JSON object a line, with usual key names", _json_lines),
    KEY_VALUE,
    _regex(
        "wfpsampler",
        rf"(?P<time>{_TIME})?\s*---> (?:\w+::)?Classify\w*\(\).{{0,80}}?\[Layer: (?P<layer>FWP[MS]_LAYER_\w+)\]",
    ),
    _regex(
        "kernel-stack",
        r"(?:^|[\s!])(?:tcpip!)(?P<layer>" + "|".join(STACK_FUNCTIONS) + r")(?:\+0x[0-9a-fA-F]+)?(?=\s|$|\[)",
        nested=True,
    ),
    LAYER_NAME,
)
# What says by itself what each of its parts is: such a line is read so in any log.
BY_KEYS = BUILT_IN[:2]


def columns_of(lines: Sequence[str]) -> Pattern | None:
    """The pattern of a table whose first line names its columns, the layer among them; None where it does not."""
    head = next((line for line in lines if line.strip()), "")
    for separator in ",;\t|":
        names = _cells(head, separator)
        fields = [FIELD_OF.get(folded(name.replace(" ", ""))) for name in names]
        known = [field for field in fields if field]
        if "layer" in known and len(known) > 1 and all(re.fullmatch(r"[A-Za-z_][\w .\-()/]*", n) for n in names if n):
            return _table(names, separator, head)
    return None


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line.strip("\r\n")], delimiter=separator), [])]


def _table(names: Sequence[str], separator: str, head: str) -> Pattern:
    def take(line: str) -> Fields | None:
        cells = _cells(line, separator)
        if len(cells) != len(names) or line == head:
            return None
        pairs = list(zip((name.replace(" ", "") for name in names), cells, strict=True))
        return _with_layer(_with_verdict(known_fields(pairs), pairs))

    return Pattern("columns", f"the columns {', '.join(names)}", take)


def checked_pattern(expression: str, where: str = "--pattern") -> tuple[str, ...]:
    """The groups of a regular expression that can be a pattern.

    Raises
    ------
    FsmError : it does not compile, has no group `layer`, or can run away.
    UnknownName : a group that is not one of `GROUPS`.
    """
    try:
        groups = tuple(re.compile(expression).groupindex)
    except re.error as error:
        raise FsmError(where, f"'{expression}' is no regular expression ({error})", fix="Mend it") from None
    for name in groups:
        if name not in GROUPS:
            raise UnknownName.of(where, "group of a trace pattern", name, GROUPS, f"Groups: {', '.join(GROUPS)}")
    if "layer" not in groups:
        raise FsmError(
            where, f"'{expression}' has no group 'layer'", fix=r"Name it: (?P<layer>\S+). Groups: " + ", ".join(GROUPS)
        )
    danger = runs_away(expression)
    if danger:
        raise FsmError(where, f"'{expression}' can take for ever on one line: {danger}", fix=FIX_DANGER)
    return groups


def own_pattern(expression: str, found: Mapping[str, Sequence[Mapping[str, str | None]]]) -> Pattern:
    """A pattern from a checked expression and what it finds: for each line the groups of the first places it fits."""

    def take(line: str) -> Fields | None:
        fields = [{name: value for name, value in one.items() if value} for one in found[line]]
        if not fields or "layer" not in fields[0]:
            return None
        if len(fields) > 1 and _is_classify(fields[1]):
            raise BadWord(f"the pattern fits twice, again at layer {fields[1]['layer']!r:.40}; let it begin with ^")
        return fields[0]

    return Pattern("own pattern", expression, take)


def _is_classify(fields: Fields) -> bool:
    try:
        return is_same_layer(fields.get("layer", ""), fields.get("layer", "")) and bool(verdict_of(fields["verdict"]))
    except (BadWord, KeyError):
        return False


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
    # What is said of one end is meant for both.
    parts = [part for end in ENDS for part in (end, f"{end}_port")]
    said = {*keys, *(parts if any(part in keys for part in parts) else ())}
    met: set[str] = set()
    others: dict[str, None] = {}

    def take(line: str) -> Fields | None:
        found = _json_object(line)
        pairs = pairs_in(line, keys.values())[0] if found is None else list(found.items())
        whole = dict(_once_each(pairs, keys.values())) if found is None else found
        others.update(dict.fromkeys(_paths(whole)))
        inside = {field: _inside(whole, key) for field, key in keys.items()}
        met.update(field for field, value in inside.items() if value is not None)
        fields = {field: text for field, value in inside.items() if (text := as_text(value))}
        if "layer" not in fields:
            return None
        usual = known_fields([(key, value) for key, value in pairs if key not in keys.values()], said)
        return {**usual, **fields}

    def amiss() -> FsmError | None:
        lost = next((key for field, key in keys.items() if field not in met), None)
        return None if lost is None else UnknownName.of(where, "key in this log", lost, others)

    return Pattern("own keys", given, take, amiss=amiss)


def _once_each(pairs: Iterable[tuple[str, str]], keys: Container[str]) -> Iterable[tuple[str, str]]:
    """Pairs of which those that are asked for say one thing."""
    said: dict[str, str] = {}
    for key, value in pairs:
        if key in keys and said.setdefault(key, value) != value:
            raise BadWord(f"{key}={said[key]} and {key}={value} on one line")
        yield key, value


def _paths(found: Mapping[str, Any], before: str = "") -> Iterable[str]:
    """The keys of an object, those of objects inside it with a dot."""
    for key, value in found.items():
        yield before + key
        if isinstance(value, dict) and before.count(".") < 3:
            yield from _paths(value, f"{before}{key}.")


def _inside(found: Mapping[str, Any], key: str) -> object:
    if key in found:
        return found[key]
    here: object = found
    for part in key.split("."):
        if not isinstance(here, dict) or part not in here:
            return None
        here = here[part]
    return here
