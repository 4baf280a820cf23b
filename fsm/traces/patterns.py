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
from fsm.traces.runaway import FIX_DANGER, runs_away
from fsm.traces.words import ACTION_NUMBERS, STACK_FUNCTIONS, BadWord, end_of, is_same_layer, split_end, verdict_of

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
    "remote_port": ("remoteport", "rport", "peerport"),
    "src": ("src", "source", "srcip", "sourceip", "srcaddr", "sourceaddress"),
    "src_port": ("srcport", "sourceport", "sport"),
    "dst": ("dst", "dest", "destination", "dstip", "destip", "dstaddr", "destaddress", "destinationaddress"),
    "dst_port": ("dstport", "destport", "destinationport", "dport"),
    "endpoint": ("endpoint", "endpointhandle", "transportendpointhandle", "endpointid", "handle", "socket"),
    "time": ("time", "timestamp", "ts", "at", "ats", "elapsed", "systemtime"),
    "flags": ("flags", "classifyflags", "conditionflags"),
    "direction": ("direction", "dir", "packetdirection"),
    "protocol": ("protocol", "proto", "ipprotocol"),
}

ENDS = ("local", "remote", "src", "dst")
# Inside the object that is an end: how its parts are called.
_PARTS_OF_END: dict[str, str] = {
    **dict.fromkeys(("address", "addr", "ip", "ipaddress", "host"), ""),
    **dict.fromkeys(("port", "portnumber"), "_port"),
}

Fields = Mapping[str, str]
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


_TIME = r"(?:\d{4}[-/.]\d\d?[-/.]\d\d?[T \-]+|\d\d?[\\/]\d\d?[\\/]\d{4}[- ])?\d\d:\d\d:\d\d(?:[.,:]\d{1,9})?Z?"
_STAMP = rf"(?:(?P<time>{_TIME}|(?<![\w.])\d{{1,9}}\.\d{{1,9}}(?![\w.]))(?=[\s\]|,]))?"
_LEADING_TIME = re.compile(rf"^\[?(?:\d{{1,8}}\s+)?\[?{_STAMP}")
_KEY = r"(?<![\w.])(?P<key>[A-Za-z_][\w.\-]*)"
_NEXT_KEY = r"[A-Za-z_][\w.\-]*(?:\s?=|:\s)"
_VALUE = r"(?P<value>\"[^\"]*\"|'[^']*'|\[[^\]\s]*\]:\d+|\[[^\]]*\]|[^\s,;=]+)"
# A value stands at its sign, or one space from it; another key there means that this one has no value.
_PAIR = re.compile(rf"{_KEY}\s?=(?:\s?(?!{_NEXT_KEY}){_VALUE})?")
_PAIR_WITH_COLON = re.compile(rf"{_KEY}:\s?(?!{_NEXT_KEY}){_VALUE}(?<!:)(?=[\s,;]|$)")


def _pairs(line: str, keys: Container[str] = ()) -> tuple[list[tuple[str, str]], str]:
    """key=value, and key: value for `keys` and those with usual names; and the line without these.

    A layer leaves `prose.LAYER` in its place. A layer's full name in the value of any other key stays.
    """
    found: list[tuple[str, str]] = []

    def taken(pair: re.Match[str]) -> str:
        key, value = pair["key"], (pair["value"] or "").strip("\"'")
        field = _FIELD_OF.get(_folded(key))
        if field is None and key not in keys and (pair.re is _PAIR_WITH_COLON or prose.NAME.fullmatch(value)):
            return pair[0]
        found.append((key, value))
        return f" {prose.LAYER if field == 'layer' else ''} "

    rest = _PAIR_WITH_COLON.sub(taken, _PAIR.sub(taken, line.replace(prose.LAYER, " ")))
    return found, rest


def _as_text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, list):
        return "|".join(str(one) for one in value)
    return value if isinstance(value, str) else str(value)


def _folded(key: str) -> str:
    return key.rpartition(".")[2].replace("_", "").replace("-", "").casefold()


_FIELD_OF = {key: field for field, keys in KNOWN_KEYS.items() for key in keys}
# What a result can be that is no verdict: whether a call went well.
_STATUS = re.compile(r"0x[0-9a-f]+|[0-9]+|ok|success\w*|fail\w*|error\w*|status_\w+", re.IGNORECASE)


def _known_fields(pairs: Iterable[tuple[str, Any]]) -> Fields:
    """The fields of keys that have usual names. Objects inside are looked into, two deep: what is outside counts.

    Raises
    ------
    BadWord : two keys say different things, or several layers are named.
    """
    fields: dict[str, str] = {}
    level = list(pairs)
    for depth in range(3):
        here: dict[str, tuple[str, str]] = {}  # the key of each field, and its value
        deeper: list[tuple[str, Any]] = []
        for key, value in level:
            field = _FIELD_OF.get(_folded(key))
            if isinstance(value, dict) and field in ENDS:
                for part, text in _parts_of_end(field, value):
                    _put(here, part, key, text)
            elif isinstance(value, dict):
                deeper.extend(value.items())
            elif isinstance(value, list) and _has_layers(value):
                raise BadWord(f"'{key}' is a list of classifies; write each on a line of its own")
            elif field is not None:
                text = "0" if field == "flags" and value == [] else _as_text(value)
                if not (_folded(key) == "result" and _is_status(text)):
                    _put(here, field, key, text)
        for field, (key, text) in here.items():
            if field == "layer" and field in fields and text and not is_same_layer(fields[field], text):
                raise BadWord(f"several layers on one line: {fields[field]}, {key}={text}")
            if text or field == "layer":
                fields.setdefault(field, text)
        level = deeper if depth < 2 else []
    return fields


def _parts_of_end(field: str, inside: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for key, value in inside.items():
        part = _PARTS_OF_END.get(_folded(key))
        if part is not None:
            yield field + part, _as_text(value)


def _has_layers(value: object) -> bool:
    """Whether objects in a list name layers."""
    if isinstance(value, list):
        return any(_has_layers(one) for one in value)
    if isinstance(value, dict):
        return any(_FIELD_OF.get(_folded(key)) == "layer" or _has_layers(one) for key, one in value.items())
    return False


def _is_status(text: str) -> bool:
    number = int(text, 0) if re.fullmatch(r"0[xX][0-9a-fA-F]+|[1-9][0-9]*", text) else None
    return bool(_STATUS.fullmatch(text)) and number not in ACTION_NUMBERS


def _put(here: dict[str, tuple[str, str]], field: str, key: str, text: str) -> None:
    """One more key for a field: the same in other words, or the line is broken."""
    before, said = here.get(field, (key, ""))
    if field == "layer" and field in here and before == key:
        raise BadWord(f"'{key}' is there twice; write each classify on a line of its own")
    if not text or (said and (field == "time" or said.casefold() == text.casefold())):
        here.setdefault(field, (key, text))
    elif not said:
        here[field] = (key, text)
    elif field == "layer" and is_same_layer(said, text):
        here[field] = max((before, said), (key, text), key=lambda one: len(one[1]))
    elif field in ENDS and (whole := _the_whole_end(said, text)):
        here[field] = (key, whole)
    elif field != "verdict" or not _is_same_verdict(said, text):
        raise BadWord(f"{before}={said} and {key}={text} on one line; say with --keys {field}=KEY which is meant")


def _the_whole_end(one: str, other: str) -> str:
    """Of an address and the same with a port the latter; "" where they are two."""
    ends = [(split_end(end_of(text)), text) for text in (one, other)]
    if ends[0][0][0] != ends[1][0][0] or None not in (ends[0][0][1], ends[1][0][1]):
        return ""
    return next((text for (_, port), text in ends if port is not None), one)


def _is_same_verdict(one: str, other: str) -> bool:
    try:
        return verdict_of(one) == verdict_of(other)
    except BadWord:
        return False


def _json_lines(line: str) -> Fields | None:
    found = _json_object(line)
    if found is None:
        return None
    fields = _known_fields(found.items())
    if "layer" not in fields and _has_layers(list(found.values())):
        raise BadWord("classifies deeper inside the object than is looked; say --keys layer=a.b.c.KEY")
    return _with_layer(fields)


def _with_layer(fields: Fields) -> Fields | None:
    if "layer" in fields and not fields["layer"]:
        raise BadWord("the layer is empty")
    return fields if "layer" in fields else None


def _key_values(line: str) -> Fields | None:
    pairs, rest = _pairs(line)
    known = _known_fields(pairs)
    if line.lstrip().startswith("{") or _with_layer(known) is None:
        return None
    for name in prose.layers_in(rest):
        if not is_same_layer(name, known["layer"]):
            raise BadWord(f"several layers on one line: {known['layer']}, {name}")
    return _with_prose(known, prose.NAME.sub("", rest), line)


def _named_layer(line: str) -> Fields | None:
    """A line with a full layer name, and what else it says by keys, or by how it stands."""
    if not prose.layers_in(line):
        return None
    pairs, rest = _pairs(line)
    names = list(dict.fromkeys(name.upper() for name in prose.layers_in(rest)))
    if not names:
        return None  # inside the value of some key
    if len(names) > 1 and not all(is_same_layer(names[0], name) for name in names):
        raise BadWord(f"several layers on one line: {', '.join(names)}")
    if len(prose.layers_in(rest)) > len(names):
        raise BadWord(f"{names[0]} is there twice; write each classify on a line of its own")
    known = {field: text for field, text in _known_fields(pairs).items() if field != "layer"}
    return _with_prose({**known, "layer": names[0]}, prose.NAME.sub(prose.LAYER, rest), line)


def _with_prose(known: Fields, rest: str, line: str) -> Fields:
    """Fields by keys, and what no key says from the rest of the line."""
    fields = dict(known)
    if "verdict" not in fields:
        fields["verdict"] = prose.verdict_in(rest)
    if not any(field.removesuffix("_port") in ENDS for field in fields):
        fields.update(prose.ends_in(rest))
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
        fields = [_FIELD_OF.get(_folded(name.replace(" ", ""))) for name in names]
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
        fields = _known_fields(zip((name.replace(" ", "") for name in names), cells, strict=True))
        return _with_layer({field: text for field, text in fields.items() if text or field == "layer"})

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
    met: set[str] = set()
    others: dict[str, None] = {}

    def take(line: str) -> Fields | None:
        found = _json_object(line)
        whole = dict(_once_each(_pairs(line, keys.values())[0], keys.values())) if found is None else found
        others.update(dict.fromkeys(_paths(whole)))
        inside = {field: _inside(whole, key) for field, key in keys.items()}
        met.update(field for field, value in inside.items() if value is not None)
        fields = {field: text for field, value in inside.items() if (text := _as_text(value))}
        return fields if "layer" in fields else None

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
