"""What collectors and clouds put around an event: lists, result tables, and fields that hold an event as text.

`opened` gives the records inside. What looks like a WFP event and cannot be taken out is told, never passed by.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import rendered
from .fields import integer, is_absent
from .json_text import Decoded, no_object
from .security import SIGNS_OF_AN_EVENT, WFP_EVENTS, event_id_in, given_id
from .spellings import COLUMNS, LISTS, ROWS, TABLES, unwrapped
from .tables import column_names, is_about_the_query, row_record
from .xml_text import BadXml, events_in

LIMIT_DEPTH = 3  # envelopes in envelopes: a list, in it a text, in it another text
LIMIT_RECORDS = 20_000  # in one text
SHORTEST_EVENT = 60  # characters; with provider and event id alone it has more
LIMIT_UNPACKED_BYTES = 4 * 1024 * 1024  # of what a subscription of CloudWatch Logs packs

# What a WFP event has in any shape, however often its quotation marks are escaped.
_LOOKS_LIKE_WFP = re.compile(
    r"LayerRTID|Layer Run-Time ID|Windows Filtering Platform has"
    r"|event[ _.]?(?:id|code)\W{1,12}(?:5031|51(?:4[89]|5\d)|54(?:4\d|50))\b",
    re.IGNORECASE,
)
_PACKED = "H4sI"  # gzip in base64
_ARRIVALS = ("_time", "timestamp", "@timestamp", "TimeGenerated", "time")  # times that envelopes give a text


def opened(records: Iterable[Decoded]) -> Iterator[Decoded]:
    """The records inside of each record, most of which are no envelope and stay as they are."""
    for decoded in records:
        if decoded.value is None or _is_bare(decoded.value):
            yield decoded
        else:
            yield from _open(decoded.where, decoded.value, 0)


def _is_bare(value: Mapping[str, Any]) -> bool:
    """Whether an event stands here without any envelope, as in nearly all records of the most common shapes."""
    given = value.get("EventID", value.get("event_id"))
    if type(given) is int or (type(given) is str and given.isdigit()):
        return True
    if type(value.get("Id")) is int and "MachineName" in value:
        return True
    inner = value.get("winlog", value.get("Event"))
    return type(inner) is dict and (inner.get("event_id") is not None or "System" in inner)


def _open(where: str, value: dict[str, Any], depth: int) -> Iterator[Decoded]:
    record = unwrapped(value)
    event_id = event_id_in(record)
    if event_id in WFP_EVENTS:
        yield Decoded(where, record)
        return
    if event_id is None and depth < LIMIT_DEPTH and not any(key in record for key in SIGNS_OF_AN_EVENT):
        inside = _listed(where, record, depth)
        if inside is not None:
            yield from inside
            return
    found = _in_texts(where, record, depth, event_id is not None)
    if found:
        yield from found
    elif event_id is None and not _is_bad_id(given_id(record)) and _LOOKS_LIKE_WFP.search(_as_json(record)):
        yield Decoded(where, None, "this holds what looks like a WFP event, in a wrapping that is not read")
    else:
        yield Decoded(where, record)


def _is_bad_id(given: object) -> bool:
    """Whether an event id is given and no number, which is told where the event is read."""
    return given is not None and integer(given) is None


# ----------------------------------------------------------------------------------------------- lists and tables


def _listed(where: str, record: Mapping[str, Any], depth: int) -> Iterator[Decoded] | None:
    """The records of the lists or tables in an object; None when it has none."""
    if "FrameType" in record and not _member(record, ROWS):  # the first and the last frame of Kusto
        errors = [Decoded(where, None, "the query ended with errors: its result is not whole")]
        return iter(errors if record.get("HasErrors") is True else [])
    for name in LISTS:
        inner = record.get(name)
        if isinstance(inner, dict) and any(key in inner for key in LISTS):
            return _listed(where, inner, depth)
        if isinstance(inner, list) and (not inner or any(isinstance(element, dict) for element in inner)):
            return _each(where, name, inner, depth)
    tables = _member(record, TABLES)
    if isinstance(tables, list):
        return (row for table in tables if isinstance(table, dict) for row in _rows(where, table, depth))
    return _rows(where, record, depth) if isinstance(_member(record, ROWS), list) else None


def _member(record: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((record[name] for name in names if name in record), None)


def _each(where: str, name: str, elements: list[Any], depth: int) -> Iterator[Decoded]:
    if not elements:
        yield Decoded(where, None, f"the list {name!r} holds no record")
    for number, element in enumerate(elements, 1):
        at = f"{where}, {name} {number}"
        if isinstance(element, dict):
            yield from _open(at, element, depth + 1)
        else:
            yield no_object(at, element)


def _rows(where: str, table: Mapping[str, Any], depth: int) -> Iterator[Decoded]:
    rows = _member(table, ROWS)
    if is_about_the_query(table) or not isinstance(rows, list):
        return
    names = column_names(_member(table, COLUMNS))
    for number, row in enumerate(rows, 1):
        decoded = row_record(names, row, f"{where}, row {number}")
        if decoded.value is None:
            yield decoded
        else:
            yield from _open(decoded.where, decoded.value, depth + 1)


# ------------------------------------------------------------------------------------------------------------ texts


def _in_texts(where: str, record: Mapping[str, Any], depth: int, has_id: bool) -> list[Decoded]:
    """The events that stand as text in the fields of a record, or why they cannot be read; [] when there are none."""
    for name, text in _texts(record, 0 if has_id else 2):
        is_wfp = bool(_LOOKS_LIKE_WFP.search(text)) or text.startswith(_PACKED)
        if has_id and not is_wfp:
            continue  # an event of something else, with whatever in it
        at = f"{where}, {name}"
        try:
            if depth >= LIMIT_DEPTH:
                raise _NoEvent(f"more than {LIMIT_DEPTH} wrappings one in the other")
            items = (item for value in _values(text, record) for item in _open(at, value, depth + 1))
            inner = list(itertools.islice(items, LIMIT_RECORDS + 1))
            if len(inner) > LIMIT_RECORDS:
                raise _NoEvent(f"it holds more than {LIMIT_RECORDS:,} records")
        except _NoEvent as error:
            if is_wfp:
                return [Decoded(at, None, f"the text in {name!r} looks like a WFP event and cannot be read: {error}")]
            continue
        if any(item.value is None or event_id_in(item.value) is not None for item in inner):
            return inner
    return []


class _NoEvent(ValueError):
    """Why a text gives no event."""


def _texts(record: Mapping[str, Any], deeper: int, before: str = "") -> Iterator[tuple[str, str]]:
    """The texts in a record that may be an event, with their names."""
    for key, value in record.items():
        if type(value) is str:
            if len(value) < SHORTEST_EVENT:
                continue
            text = value.lstrip("\ufeff \t\r\n")
            if text[:1] in ("{", "[", "<") or text.startswith(_PACKED) or "LogName=" in text[:100]:
                yield f"{before}{key}"[:100], text
        elif deeper and isinstance(value, dict):
            yield from _texts(value, deeper - 1, f"{before}{key}.")


def _values(text: str, around: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objects that a text is."""
    if text.startswith(_PACKED):
        text = _unpacked(text)
    if text[:1] == "<":
        try:
            return events_in(text)
        except BadXml as error:
            raise _NoEvent(str(error)) from None
    if (event := rendered.event_in(text)) is not None:
        arrival = next((around[key] for key in _ARRIVALS if not is_absent(around.get(key))), None)
        return [{**event, "TimeCreated": arrival}]
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise _NoEvent(f"broken JSON ({error.msg}, character {error.pos + 1})") from None
    except (ValueError, RecursionError):
        raise _NoEvent("JSON nested too deeply, or with a number too long") from None
    found = value if isinstance(value, list) else [value]
    return [element for element in found if isinstance(element, dict)]


def _unpacked(text: str) -> str:
    unpacker = zlib.decompressobj(31)
    try:
        data = unpacker.decompress(base64.b64decode(text, validate=True), LIMIT_UNPACKED_BYTES)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise _NoEvent(f"packed, and damaged ({error})") from None
    if not unpacker.eof:
        size = f"of more than {LIMIT_UNPACKED_BYTES >> 20} MiB" if unpacker.unconsumed_tail else "cut off"
        raise _NoEvent(f"packed, and {size}")
    return data.decode("utf-8", "replace")


def _as_json(record: Mapping[str, Any]) -> str:
    try:
        return json.dumps(record, default=str)
    except (ValueError, RecursionError):
        return ""
