"""Keys and values of a line: how keys are called, and which fields of a classify they say."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

from fsm.traces import prose
from fsm.traces.words import ACTION_NUMBERS, BadWord, end_of, is_same_layer, split_end, verdict_of

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

_KEY = r"(?<![\w.])(?P<key>[A-Za-z_][\w.\-]*)"
_NEXT_KEY = r"[A-Za-z_][\w.\-]*(?:\s?=|:\s)"
_VALUE = r"(?P<value>\"[^\"]*\"|'[^']*'|\[[^\]\s]*\]:\d+|\[[^\]]*\]|[^\s,;=]+)"
# A value stands at its sign, or one space from it; another key there means that this one has no value.
_PAIR = re.compile(rf"{_KEY}\s?=(?:\s?(?!{_NEXT_KEY}){_VALUE})?")
_PAIR_WITH_COLON = re.compile(rf"{_KEY}:\s?(?!{_NEXT_KEY}){_VALUE}(?<!:)(?=[\s,;]|$)")


def pairs_in(line: str, keys: Container[str] = ()) -> tuple[list[tuple[str, str]], str]:
    """key=value, and key: value for `keys` and those with usual names; and the line without these.

    A layer leaves `prose.LAYER` in its place. A layer's full name in the value of any other key stays.
    """
    found: list[tuple[str, str]] = []

    def taken(pair: re.Match[str]) -> str:
        key, value = pair["key"], (pair["value"] or "").strip("\"'")
        field = FIELD_OF.get(folded(key))
        if field is None and key not in keys and (pair.re is _PAIR_WITH_COLON or prose.NAME.fullmatch(value)):
            return pair[0]
        if field is None and key not in keys and value and prose.BOTH_ENDS.match(pair.string, pair.start("value")):
            return pair[0]
        found.append((key, value))
        return f" {prose.LAYER if field == 'layer' else ''} "

    rest = _PAIR_WITH_COLON.sub(taken, _PAIR.sub(taken, line.replace(prose.LAYER, " ")))
    return found, rest


def as_text(value: object) -> str:
    """A value of JSON as a word: "" for none and for a truth value, a list with bars."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, list):
        return "|".join(str(one) for one in value)
    return value if isinstance(value, str) else str(value)


def folded(key: str) -> str:
    """The last part of a key, without case, `_` and `-`."""
    return key.rpartition(".")[2].replace("_", "").replace("-", "").casefold()


FIELD_OF = {key: field for field, keys in KNOWN_KEYS.items() for key in keys}
# What a result can be that is no verdict: whether a call went well.
_STATUS = re.compile(r"0x[0-9a-f]+|[0-9]+|ok|success\w*|fail\w*|error\w*|status_\w+", re.IGNORECASE)


def known_fields(pairs: Iterable[tuple[str, Any]], without: Container[str] = ()) -> Fields:
    """The fields of keys that have usual names. Objects inside are looked into, two deep: what is outside counts.

    `without` are fields that are left out.

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
            field = FIELD_OF.get(folded(key))
            if field in without:
                continue
            if isinstance(value, dict) and field in ENDS:
                for part, text in _parts_of_end(field, value):
                    _put(here, part, key, text)
            elif isinstance(value, dict):
                deeper.extend(value.items())
            elif isinstance(value, list) and has_layers(value):
                raise BadWord(f"'{key}' is a list of classifies; write each on a line of its own")
            elif field is not None:
                text = "0" if field == "flags" and value == [] else as_text(value)
                if not (folded(key) == "result" and _is_status(text)):
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
        part = _PARTS_OF_END.get(folded(key))
        if part is not None:
            yield field + part, as_text(value)


def has_layers(value: object) -> bool:
    """Whether objects in a list name layers."""
    if isinstance(value, list):
        return any(has_layers(one) for one in value)
    if isinstance(value, dict):
        return any(FIELD_OF.get(folded(key)) == "layer" or has_layers(one) for key, one in value.items())
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


def verdict_under_other_keys(pairs: Iterable[tuple[str, Any]]) -> str:
    """The value that is the word for a verdict though its key has no usual name, "" where there is none.

    Raises
    ------
    BadWord : there are several, and they differ.
    """
    found: dict[str, str] = {}
    level = list(pairs)
    while level:
        key, value = level.pop(0)
        if isinstance(value, dict):
            level.extend(value.items())
        elif FIELD_OF.get(folded(key)) is None and isinstance(value, str) and prose.is_verdict(value):
            found.setdefault(verdict_of(value), f"{key}={value}")
    if len(found) > 1:
        raise BadWord(f"{' and '.join(found.values())}: which is the verdict is not clear. Say --keys verdict=KEY")
    return next(iter(found.values()), "").partition("=")[2]
