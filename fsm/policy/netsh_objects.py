"""One record of a dump, as nested dictionaries, to one object of the model. What has no place is told, never dropped.

A record is `{element: text | record}`; the `item` elements of a list are a list under "item". Every function takes
out what it uses: what is left over is what nobody has described yet.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from fsm.catalogue import layers as all_layers

from .fields import field_of_guid
from .model import (
    ACTIONS,
    MATCH_TYPES,
    Callout,
    Condition,
    Filter,
    LayerEntry,
    Provider,
    ProviderContext,
    Sublayer,
    Value,
    Weight,
)
from .values import ELEMENTS, EMPTY, TYPES, blob, mask4, mask6, scalar, short_type, text_blob, whole_number
from .well_known import spelled_key

Record = dict[str, Any]
Tell = Callable[[str], None]  # takes what was not understood, in one clause
_LAYER_KEYS = {f"{{{layer.guid}}}": layer.name for layer in all_layers()}
_MATCH = {f"FWP_MATCH_{name}": name for name in MATCH_TYPES}
_ACTION = {f"FWP_ACTION_{name}": name for name in ACTIONS}
_ZERO_KEY = "{00000000-0000-0000-0000-000000000000}"
_NOTHING = "(none)"  # what stands where a dump has nothing and a name is needed


@lru_cache(maxsize=1024)
def layer_key(text: str) -> str:
    """The full name of a layer given by name or GUID; a GUID of another build's layer stays, in lower case."""
    return _LAYER_KEYS.get(key := spelled_key(text), key)


@lru_cache(maxsize=1024)
def field_key(text: str) -> str:
    """The full name of a condition field given by name or GUID; a GUID without a name stays, in lower case."""
    known = None if text.startswith("FWPM_") else field_of_guid(text)
    return known.name if known else spelled_key(text)


class Builder:
    """Makes objects of records; equal conditions are made once."""

    def __init__(self) -> None:
        self._conditions: dict[tuple[str, str, str, str], Condition] = {}
        self._flags: dict[tuple[str, ...], tuple[str, ...]] = {}

    def filter(self, record: Record, source: str, tell: Tell) -> Filter:
        """A filter item."""
        take = record.pop
        name, description = _display(record, tell)
        action_record = take("action", "")
        action, callout = _action(action_record, tell)
        conditions = take("filterCondition", "")
        raw, context, number = take("rawContext", ""), take("providerContextKey", ""), take("filterId", "")
        effective = take("effectiveWeight", "")
        made = Filter(
            key=spelled_key(_text(take("filterKey", ""), tell)),
            name=name,
            layer=layer_key(_text(take("layerKey", ""), tell)),
            sublayer=spelled_key(_text(take("subLayerKey", ""), tell)),
            action=action,
            conditions=self._all_conditions(conditions, tell) if conditions else (),
            weight=_weight(take("weight", ""), tell),
            effective_weight=_effective(effective, tell) if effective else None,
            flags=self._names(take("flags", ""), "FWPM_FILTER_FLAG_", tell),
            callout=callout,
            provider=_key(take("providerKey", ""), tell),
            description=description,
            filter_id=_number(number, "filterId", tell),
            raw_context=_number(raw, "rawContext", tell),
            provider_context=_key(context, tell),
            source=source,
            provider_data=_data(take("providerData", ""), tell),
        )
        if take("reserved", ""):
            tell("something in <reserved>")
        if record:
            _left(record, tell)
        return made

    def sublayer(self, record: Record, _: str, tell: Tell) -> Sublayer:
        """A sublayer item."""
        name, description = _display(record, tell)
        weight = _number(record.pop("weight", ""), "weight", tell)
        if weight is None or weight > 65535:
            tell("no weight from 0 to 65535 in it (taken as 0)")
            weight = 0
        made = Sublayer(
            key=spelled_key(_text(record.pop("subLayerKey", ""), tell)),
            name=name,
            weight=weight,
            provider=_key(record.pop("providerKey", ""), tell),
            flags=self._names(record.pop("flags", ""), "FWPM_SUBLAYER_FLAG_", tell),
            description=description,
            provider_data=_data(record.pop("providerData", ""), tell),
        )
        _left(record, tell)
        return made

    def callout(self, record: Record, _: str, tell: Tell) -> Callout:
        """A callout item. A dump lists a callout that a driver has registered with the flag REGISTERED."""
        name, description = _display(record, tell)
        flags = self._names(record.pop("flags", ""), "FWPM_CALLOUT_FLAG_", tell)
        made = Callout(
            key=spelled_key(_text(record.pop("calloutKey", ""), tell)),
            name=name,
            layer=layer_key(_text(record.pop("applicableLayer", ""), tell)),
            registered="REGISTERED" in flags,
            callout_id=_number(record.pop("calloutId", ""), "calloutId", tell),
            provider=_key(record.pop("providerKey", ""), tell),
            description=description,
            flags=flags,
            provider_data=_data(record.pop("providerData", ""), tell),
        )
        _left(record, tell)
        return made

    def provider(self, record: Record, _: str, tell: Tell) -> Provider:
        """A provider item."""
        name, description = _display(record, tell)
        made = Provider(
            key=spelled_key(_text(record.pop("providerKey", ""), tell)),
            name=name,
            description=description,
            service=_text(record.pop("serviceName", ""), tell),
            flags=self._names(record.pop("flags", ""), "FWPM_PROVIDER_FLAG_", tell),
            provider_data=_data(record.pop("providerData", ""), tell),
        )
        _left(record, tell)
        return made

    def context(self, record: Record, _: str, tell: Tell) -> ProviderContext:
        """A provider context item."""
        name, description = _display(record, tell)
        options = record.pop("classifyOptions", "")
        made = ProviderContext(
            key=spelled_key(_text(record.pop("providerContextKey", ""), tell)),
            name=name,
            type=_text(record.pop("type", ""), tell).removeprefix("FWPM_"),
            provider=_key(record.pop("providerKey", ""), tell),
            description=description,
            flags=self._names(record.pop("flags", ""), "FWPM_PROVIDER_CONTEXT_FLAG_", tell),
            context_id=_number(record.pop("providerContextId", ""), "providerContextId", tell),
            data=_data(record.pop("dataBuffer", ""), tell),
            options=_options(options, tell) if options else (),
            provider_data=_data(record.pop("providerData", ""), tell),
        )
        _left(record, tell)
        return made

    def layer(self, record: Record, _: str, tell: Tell) -> LayerEntry:
        """A layer item of a state dump."""
        name, description = _display(record, tell)
        fields = []
        for item in _items(record.pop("field", ""), tell):
            if isinstance(item, dict):
                key, kind = _text(item.pop("fieldKey", ""), tell), _text(item.pop("type", ""), tell)
                data_type = short_type(_text(item.pop("dataType", ""), tell))
                fields.append((field_key(key), data_type, kind.removeprefix("FWPM_FIELD_")))
                if item:
                    _left(item, tell)
            else:
                tell("text in the list of fields")
        made = LayerEntry(
            key=layer_key(_named(record.pop("layerKey", ""), "no key", tell)),
            name=name,
            layer_id=_number(record.pop("layerId", ""), "layerId", tell),
            default_sublayer=spelled_key(_text(record.pop("defaultSubLayerKey", ""), tell)),
            flags=self._names(record.pop("flags", ""), "FWPM_LAYER_FLAG_", tell),
            fields=tuple(fields),
            description=description,
        )
        _left(record, tell)
        return made

    def _names(self, record: Record | str, prefix: str, tell: Tell) -> tuple[str, ...]:
        if not record:
            return ()
        if isinstance(record, str):
            return () if record == "0" else (record.removeprefix(prefix),)
        items = _items(record, tell)
        if "" in items:
            tell("a flag without a name")
            items = [item for item in items if item != ""]
        try:
            known = tuple(items)
            found = self._flags.get(known)
        except TypeError:  # an element inside a flag
            tell("an element in a list of flags")
            return tuple(str(item).removeprefix(prefix) for item in items if isinstance(item, str))
        if found is None:
            found = self._flags[known] = tuple(item.removeprefix(prefix) for item in known)
        return found

    def _all_conditions(self, record: Record | str, tell: Tell) -> tuple[Condition, ...]:
        return tuple([self._condition(item, tell) for item in _items(record, tell)])

    def _condition(self, record: Record | str, tell: Tell) -> Condition:
        key = None
        try:  # the usual shape, and most conditions are like one before
            field, match, value = record["fieldKey"], record["matchType"], record["conditionValue"]  # type: ignore[index]
            ((type_name, data_type), (element, data)) = value.items()  # type: ignore[union-attr]
            if type(data) is dict:
                data = data["data"] + data["asString"] if len(data) == 2 else None  # fails for the parts of a range
            if len(record) == 3 and type_name == "type" and data is not None:
                key = (field, match, data_type + element, data)
                found = self._conditions.get(key)
                if found is not None:
                    return found
        except (KeyError, TypeError, ValueError, AttributeError):
            # Another shape: a part is missing; text, or an element, stands where the other is usual; a value has more
            # or fewer than two parts; its text is no dictionary.
            key = None
        if not isinstance(record, dict):
            tell("text in the list of conditions")
            return Condition("", record, EMPTY)
        made = _new_condition(record, tell)
        if key is not None:
            self._conditions[key] = made
        return made


def _new_condition(record: Record, tell: Tell) -> Condition:
    field = field_key(_named(record.pop("fieldKey", ""), "a condition without a field", tell))
    match = _named(record.pop("matchType", ""), "a condition without a match type", tell)
    short = _MATCH.get(match)
    if short is None:
        short = MATCH_TYPES[int(match)] if match.isdecimal() and int(match) < len(MATCH_TYPES) else match
        if short not in MATCH_TYPES and match != _NOTHING:
            tell(f"match type {match!r}")
    value = _value(record.pop("conditionValue", ""), tell)
    if record:
        _left(record, tell)
    return Condition(field, short, value)


def _value(record: Record | str, tell: Tell) -> Value:
    if not isinstance(record, dict):
        if record:
            tell("a condition value that is bare text")
            return Value("UNKNOWN", record)
        return EMPTY
    data_type = short_type(_text(record.pop("type", ""), tell))
    elements = [name for name in record if ELEMENTS.get(name) == data_type] or [n for n in record if n in ELEMENTS]
    element = elements[0] if elements else next(iter(record), "")
    given = record.pop(element, "")
    if record:
        _left(record, tell)
    data_type = data_type or ELEMENTS.get(element, "UNKNOWN")
    if data_type == "EMPTY":
        if given:
            tell("a value of type FWP_EMPTY that is not empty")
        return EMPTY
    try:
        return _typed(data_type, given, tell)
    except ValueError as error:
        tell(f"a {data_type} value that is none ({error})")
    return Value(data_type, given if isinstance(given, str) else str(given))


def _typed(data_type: str, given: Record | str, tell: Tell) -> Value:
    if isinstance(given, str):
        if data_type == "BYTE_BLOB":
            return blob(given)
        if data_type not in TYPES:
            tell(f"value type {data_type!r}")
        return scalar(data_type, given)
    if data_type == "BYTE_BLOB":
        return _blob(given, tell)
    if data_type == "RANGE":
        made = Value("RANGE", (_value(given.pop("valueLow", ""), tell), _value(given.pop("valueHigh", ""), tell)))
    elif data_type == "V4_ADDR_MASK":
        made = mask4(_text(given.pop("addr", ""), tell), _text(given.pop("mask", ""), tell))
    elif data_type == "V6_ADDR_MASK":
        made = mask6(_text(given.pop("addr", ""), tell), _text(given.pop("prefixLength", ""), tell))
    else:
        tell(f"elements in a {data_type} value")
        return Value(data_type, str(given))
    if given:
        _left(given, tell)
    return made


def _blob(given: Record, tell: Tell) -> Value:
    # the text only repeats the bytes
    digits, text = _text(given.pop("data", ""), tell), _text(given.pop("asString", ""), tell)
    if given:
        _left(given, tell)
    try:
        return blob(digits) if digits or not text else Value("BYTE_BLOB", _bytes_of(text))
    except ValueError:
        tell("hex digits of a blob that are none, or are cut (its text is taken)")
        return Value("BYTE_BLOB", _bytes_of(text))


def _bytes_of(text: str) -> bytes:
    """The program id of the text beside it, which has a dot for each zero byte in some builds."""
    if len(text) > 2 and text[1::2].strip(".") == "":
        text = text[0::2].rstrip(".")
    return text_blob(text)


def _weight(record: Record | str, tell: Tell) -> Weight:
    if not record:
        return _AUTOMATIC
    if isinstance(record, dict) and len(record) == 2 and record.get("type") == "FWP_UINT8":
        text = record.get("uint8")
        if isinstance(text, str) and text in _RANGES:
            return _RANGES[text]
    if isinstance(record, str):
        tell("a weight that is bare text")
        return Weight()
    value = _value(record, tell)
    if value.type == "EMPTY":
        return _AUTOMATIC
    if value.type not in ("UINT8", "UINT64") or not isinstance(value.data, int):
        tell(f"a weight of type {value.type}")
        return Weight()
    return Weight(value.type, value.data)


_AUTOMATIC = Weight()
_RANGES = {str(number): Weight("UINT8", number) for number in range(16)}


def _effective(record: Record | str, tell: Tell) -> int | None:
    if len(record) == 2 and isinstance(record, dict) and record.get("type") == "FWP_UINT64":
        text = record.get("uint64")
        if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 20:
            return int(text)
    value = _value(record, tell) if isinstance(record, dict) else None
    if value is not None and value.type == "UINT64" and isinstance(value.data, int):
        return value.data
    if value is None or value.type != "EMPTY":
        tell("an effective weight that is no UINT64")
    return None


def _action(record: Record | str, tell: Tell) -> tuple[str, str]:
    if not isinstance(record, dict):
        tell("no action")
        return record or _NOTHING, ""
    text = _named(record.pop("type", ""), "no action", tell)
    action = _ACTION.get(text)
    if action is None:
        action = text.removeprefix("FWP_ACTION_")
        if action not in ACTIONS and action != _NOTHING:
            tell(f"action {text!r}")
    callout = record.pop("calloutKey", "") or record.pop("filterType", "")
    if record:
        record.pop("filterType", None)
        _left(record, tell)
    return action, _key(callout, tell)


def _options(record: Record | str, tell: Tell) -> tuple[tuple[str, Value], ...]:
    found = []
    holder = record.pop("options", "") if isinstance(record, dict) else record
    if isinstance(record, dict):
        _left(record, tell)
    for item in _items(holder, tell):
        if isinstance(item, dict):
            name = _text(item.pop("type", ""), tell).removeprefix("FWP_CLASSIFY_OPTION_")
            found.append((name, _value(item.pop("value", ""), tell)))
            _left(item, tell)
        else:
            tell("text in the list of classify options")
    return tuple(found)


# ------------------------------------------------------------------------------------------------------ small parts


def _display(record: Record, tell: Tell) -> tuple[str, str]:
    display = record.pop("displayData", "")
    if not isinstance(display, dict):
        return display, ""
    name, description = display.pop("name", ""), display.pop("description", "")
    if display:
        _left(display, tell)
    return _text(name, tell), _text(description, tell)


def _data(record: Record | str, tell: Tell) -> str:
    """Hex digits of a `data` with its text beside it."""
    if not isinstance(record, dict):
        return record
    digits = _text(record.pop("data", ""), tell)
    record.pop("asString", "")
    if record:
        _left(record, tell)
    return digits


def _items(record: Record | str, tell: Tell) -> list[Any]:
    if not isinstance(record, dict):
        if record:
            tell("text where a list stands")
        return []
    items = record.pop("item", [])
    if record:
        _left(record, tell)
    return items if isinstance(items, list) else [items]


def _text(value: Any, tell: Tell) -> str:
    if isinstance(value, str):
        return value
    tell("elements where text stands")
    return str(value)


def _named(value: Any, missing: str, tell: Tell) -> str:
    """The text of a name that has to be there: without it the object could not be written and read again."""
    text = _text(value, tell)
    if not text:
        tell(missing)
    return text or _NOTHING


def _key(value: Any, tell: Tell) -> str:
    key = spelled_key(_text(value, tell)) if value else ""
    return "" if key == _ZERO_KEY else key


def _number(text: Any, name: str, tell: Tell) -> int | None:
    if not text:
        return None
    try:
        number = whole_number(_text(text, tell))
    except ValueError:
        number = -1
    if number < 0:
        tell(f"<{name}> that is no number")
        return None
    return number


def _left(record: Record, tell: Tell) -> None:
    for name in record:
        tell(f"<{name}>")
