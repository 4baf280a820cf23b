"""A `Policy` as a policy file. What is written reads back equal: what the readable form cannot say is written long.

Only this module writes TOML. Text goes into one line each, ASCII only, so that any pipe and any editor keep it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from fsm.catalogue import by_name, layers

from .fields import FIELDS
from .model import MATCH_TYPES, Behaviour, Callout, Condition, Filter, Policy, Value
from .schema import ACTION_WORDS, FILTER_FLAGS
from .toml_conditions import long_value, read_when, when_table
from .toml_read import DEFAULT_SUBLAYER
from .values import TYPES
from .well_known import NAMES, is_guid

_WORD_OF = {action: word for word, action in ACTION_WORDS.items()}
_LAYERS = frozenset(layer.name for layer in layers())
_LINE = re.compile(r"line [0-9]+")
_I63 = 1 << 63
_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def to_toml(policy: Policy) -> str:
    """The policy as the text of a policy file; `read_policy` makes an equal policy of it."""
    lines: list[str] = []
    _pairs(lines, {"source": policy.source, "taken_at": policy.taken_at or None})
    unknown = sorted(_unknown_names(policy))
    if unknown:
        lines.append("accept_unknown = [")
        lines += [f"  {_text(name)}," for name in unknown]
        lines.append("]")
    if policy.options:
        lines += ["", "[options]"]
        _pairs(lines, {key: _option(value) for key, value in policy.options})
    for provider in policy.providers:
        _table(lines, "provider", _provider_table(provider))
    for sublayer in policy.sublayers:
        _table(
            lines,
            "sublayer",
            {
                "key": sublayer.key,
                "name": sublayer.name,
                "weight": sublayer.weight,
                "provider": sublayer.provider or None,
                "flags": list(sublayer.flags) or None,
                "description": sublayer.description or None,
                "provider_data": sublayer.provider_data or None,
            },
        )
    for callout in policy.callouts:
        _table(lines, "callout", _callout_table(callout))
    for context in policy.contexts:
        _table(
            lines,
            "provider_context",
            {
                "key": context.key,
                "name": context.name,
                "type": context.type or None,
                "provider": context.provider or None,
                "description": context.description or None,
                "flags": list(context.flags) or None,
                "context_id": context.context_id,
                "data": context.data or None,
                "options": [{"option": name, **long_value(value)} for name, value in context.options] or None,
                "provider_data": context.provider_data or None,
            },
        )
    for layer in policy.layers:
        _table(
            lines,
            "layer",
            {
                "key": layer.key,
                "name": layer.name or None,
                "layer_id": layer.layer_id,
                "default_sublayer": layer.default_sublayer or None,
                "flags": list(layer.flags) or None,
                "fields": [list(entry) for entry in layer.fields] or None,
                "description": layer.description or None,
            },
        )
    for one in policy.filters:
        _filter(lines, one, f"{policy.source}, ")
    for entry in policy.not_understood:
        _table(lines, "not_understood", {"where": entry.where, "what": entry.what})
    if policy.set_aside:
        lines += ["", "[set_aside]"]
        lines += [f"{_key(name)} = {count}" for name, count in policy.set_aside]
    return "\n".join(lines).lstrip("\n") + "\n"


def _provider_table(provider: Any) -> dict[str, Any]:
    return {
        "key": provider.key,
        "name": provider.name,
        "description": provider.description or None,
        "service": provider.service or None,
        "flags": list(provider.flags) or None,
        "provider_data": provider.provider_data or None,
    }


def _callout_table(callout: Callout) -> dict[str, Any]:
    how, usual = callout.behaviour, Behaviour()
    return {
        "key": callout.key,
        "name": callout.name,
        "layer": callout.layer or None,
        "registered": callout.registered,
        "answer": how.answer if how.answer != usual.answer else None,
        "clears_write": how.clears_write or None,
        "on_reauthorize": how.on_reauthorize or None,
        "checks_injection": None if how.checks_injection else False,
        "needs": list(how.needs) or None,
        "plans": list(how.plans) or None,
        "callout_id": callout.callout_id,
        "provider": callout.provider or None,
        "flags": list(callout.flags) or None,
        "description": callout.description or None,
        "provider_data": callout.provider_data or None,
    }


def _filter(lines: list[str], one: Filter, source: str) -> None:
    when = _safe_when(one)
    hard = one.flags[-1:] == ("CLEAR_ACTION_RIGHT",)
    flags = one.flags[:-1] if hard else one.flags
    word = _WORD_OF.get(one.action, one.action)
    _table(
        lines,
        "filter",
        {
            "key": one.key,
            "name": one.name if one.name != one.key else None,
            "layer": one.layer,
            "sublayer": one.sublayer if one.sublayer != DEFAULT_SUBLAYER else None,
            "weight": _weight(one),
            "action": f"{word}:{one.callout}" if one.callout else word,
            "when": when or None,
            "hard": hard or None,
            "flags": list(flags) or None,
            "effective_weight": one.effective_weight,
            "provider": one.provider or None,
            "provider_context": one.provider_context or None,
            "description": one.description if one.description else None,
            "filter_id": one.filter_id,
            "raw_context": one.raw_context,
            "provider_data": one.provider_data or None,
            "read_from": _place(one.source, source),
        },
    )
    if when is None:
        for condition in one.conditions:
            _table(lines, "filter.condition", _long(condition))


def _place(where: str, source: str) -> str:
    """`line 812` for a place in the file that the whole policy is from."""
    line = where.removeprefix(source)
    return line if line != where and _LINE.fullmatch(line) else where


def _safe_when(one: Filter) -> dict[str, Any] | None:
    """The readable table, if it says exactly the same."""
    if one.layer not in _LAYERS:
        return None if one.conditions else {}
    table = when_table(one.conditions)
    if not table:
        return table
    wrong: list[str] = []
    again = read_when(table, by_name(one.layer), twins=False, complain=lambda _, what, *__: wrong.append(what))
    return table if again == one.conditions and not wrong else None


def _long(condition: Condition) -> dict[str, Any]:
    table: dict[str, Any] = {"field": condition.field, "match": condition.match}
    return {**table, **long_value(condition.value)}


def _weight(one: Filter) -> Any:
    if one.weight.type == "UINT8":
        return f"range {one.weight.value}"
    return one.weight.value if one.weight.type == "UINT64" else None


def _option(value: str) -> Any:
    if value in ("on", "off"):
        return value == "on"
    return int(value) if value.isdecimal() else value


def _unknown_names(policy: Policy) -> set[str]:
    """What a reader would take for a mistake, if nobody told it."""
    found: set[str] = set()
    providers = {one.key for one in policy.providers}
    sublayers = {one.key for one in policy.sublayers}
    callouts = {one.key for one in policy.callouts}
    contexts = {one.key for one in policy.contexts}
    found |= {one.provider for one in policy.filters} | {one.provider for one in policy.sublayers}
    found |= {one.provider for one in policy.callouts} | {one.provider for one in policy.contexts}
    found -= providers
    for one in policy.filters:
        found |= {one.sublayer} - sublayers
        found |= {one.callout} - callouts
        found |= {one.provider_context} - contexts
        found |= set(one.flags) - set(FILTER_FLAGS)
        if one.action not in _WORD_OF:
            found.add(one.action)
        if one.layer not in _LAYERS:
            found.add(one.layer)
        for condition in one.conditions:
            found |= _unknown_in(condition)
    for callout in policy.callouts:
        if callout.layer and callout.layer not in _LAYERS:
            found.add(callout.layer)
    for context in policy.contexts:
        for _, value in context.options:
            found |= _unknown_types(value)
    return {name for name in found if name and name not in NAMES}


def _unknown_in(condition: Condition) -> set[str]:
    found = _unknown_types(condition.value)
    if condition.field not in FIELDS and not is_guid(condition.field):
        found.add(condition.field)
    if condition.match not in MATCH_TYPES:
        found.add(condition.match)
    return found


def _unknown_types(value: Value) -> set[str]:
    found = set() if value.type in TYPES else {value.type}
    if isinstance(value.data, tuple):
        for part in value.data:
            found |= _unknown_types(part) if isinstance(part, Value) else set()
    return found


# --------------------------------------------------------------------------------------------------------------- TOML


def _table(lines: list[str], name: str, values: dict[str, Any]) -> None:
    lines += ["", f"[[{name}]]"]
    _pairs(lines, values)


def _pairs(lines: list[str], values: dict[str, Any]) -> None:
    lines += [f"{_key(key)} = {_value(value)}" for key, value in values.items() if value is not None]


def _key(name: str) -> str:
    return name if name and all(c.isascii() and (c.isalnum() or c in "_-") for c in name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if -_I63 <= value < _I63 else _text(str(value))  # TOML promises 64 bits with a sign
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    return _list(value)


def _list(values: Iterable[Any]) -> str:
    return "[" + ", ".join(_value(value) for value in values) + "]"


def _text(text: str) -> str:
    """A string: as it is between single quotes where that is enough (paths), else escaped."""
    if text.isascii() and text.isprintable() and "'" not in text and "\\" in text:
        return f"'{text}'"
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(_escaped(c) for c in text) + '"'


def _escaped(c: str) -> str:
    if c in _ESCAPES:
        return _ESCAPES[c]
    if " " <= c < "\x7f":
        return c
    code = ord(c)
    if 0xD800 <= code < 0xE000:
        return "\\uFFFD"  # half a character, which no text may hold
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
