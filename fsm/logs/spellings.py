"""Other spellings of one Security event: wrappers of exports, dotted keys, keys in lower case or with underscores.

What is here turns them into the shapes that `security.py` reads, and leaves a record in a usual spelling as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

# Fields of the events about a packet or socket, as Windows names them.
FIELDS: tuple[str, ...] = (
    "ProcessID", "Application", "Direction", "SourceAddress", "SourcePort", "DestAddress", "DestPort", "Protocol",
    "FilterRTID", "LayerName", "LayerRTID", "RemoteUserID", "RemoteMachineID", "FilterOrigin", "InterfaceIndex",
    "OriginalProfile", "CurrentProfile", "IsLoopback", "HasRemoteDynamicKeywordAddress",
)  # fmt: skip
# The same as the English rendering of an event calls them.
LABELS: tuple[str, ...] = (
    "Process ID", "Application Name", "Direction", "Source Address", "Source Port", "Destination Address",
    "Destination Port", "Protocol", "Filter Run-Time ID", "Layer Name", "Layer Run-Time ID", "Remote User ID",
    "Remote Machine ID", "Filter Origin", "Interface Index", "Original Profile", "Current Profile", "Is Loopback",
    "Has Remote Dynamic Keyword Address",
)  # fmt: skip
# Headers in the spelling of the flat shape; those of `winlog` and `event` keep the names of their collector.
_HEADERS: tuple[str, ...] = ("EventID", "SourceName", "RecordNumber", "Hostname", "Channel", "Message", "EventData")
# Where the rendering, and the add-on of Splunk after it, use other words than the field.
_RENDERED = {
    "applicationname": "Application", "destinationaddress": "DestAddress", "destinationport": "DestPort",
    "filterruntimeid": "FilterRTID", "layerruntimeid": "LayerRTID",
}  # fmt: skip
_OTHER_HEADERS = {
    "eventcode": "EventID", "eventidentifier": "EventID", "computername": "Hostname", "computer": "Hostname",
    "recordid": "RecordNumber", "eventrecordid": "RecordNumber", "providername": "SourceName",
    "timecreated": "TimeCreated", "dateandtime": "TimeCreated", "time": "_time",
}  # fmt: skip
_WRAPPERS = ("_source", "result")
# Members of one object that hold a list of records: a search response of Elasticsearch, a list that PowerShell 5 or
# OData wraps, results of Splunk, exports of Azure, what Amazon CloudWatch Logs and Kinesis deliver.
LISTS: tuple[str, ...] = ("value", "hits", "results", "events", "records", "Events", "Records", "logEvents")
# Result tables of Azure Monitor (lower case) and Kusto.
TABLES, ROWS = ("tables", "Tables"), ("rows", "Rows")
COLUMNS, COLUMN_NAMES = ("columns", "Columns"), ("name", "ColumnName")
_DEEPEST = 4  # dotted names
_DOTTED = ("winlog.", "event.", "host.")


def _fold(key: str) -> str:
    return key.replace("_", "").replace("-", "").replace(" ", "").casefold()


_BY_FOLD = {_fold(name): name for name in FIELDS} | _RENDERED
_HEADERS_BY_FOLD = {_fold(name): name for name in _HEADERS} | _OTHER_HEADERS
_OF_AN_EVENT = frozenset(
    ("eventid", "id", "eventcode", "eventidentifier", "event.code", "winlog.eventid", "event.original", "raw",
     "rawdata", "message", "xml")
)  # fmt: skip


def column_name(name: str) -> str:
    """The name of a column without the time zone that the Azure portal writes after it."""
    return name.strip().removesuffix(" [UTC]")


def names_an_event(columns: Iterable[str]) -> bool:
    """Whether one of the columns of a table is the event id, or holds whole events."""
    return any(_fold(column) in _OF_AN_EVENT for column in columns)


def unwrapped(record: dict[str, Any]) -> dict[str, Any]:
    """The event inside a hit of Elasticsearch or a result of Splunk, with nested objects for dotted keys."""
    for name in _WRAPPERS:
        inner = record.get(name)
        if isinstance(inner, dict) and inner:
            record = inner
            break
    else:
        inner = record.get("fields")
        if _is_fields(inner):
            record = inner
    record = _inside(record)
    if any(isinstance(key, str) and key.startswith(_DOTTED) for key in record):
        record = _nested(record)
    return record if _is_usual(record) else _headers(record)


def _is_fields(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether this is what Elasticsearch and Kibana return for `fields`: a list for each field, with one value."""
    return isinstance(value, dict) and bool(value) and all(isinstance(inner, list) for inner in value.values())


def _inside(record: dict[str, Any]) -> dict[str, Any]:
    """The event that a collector keeps deeper inside: Wazuh under `win`, Chainsaw in a document, EvtxECmd as text."""
    data, document = record.get("data"), record.get("document")
    win = data.get("win") if isinstance(data, dict) else record.get("win")
    if isinstance(win, dict) and isinstance(win.get("system"), dict):
        system, fields = win["system"], win.get("eventdata")
        named = {"EventID": "eventID", "Provider": "providerName", "EventRecordID": "eventRecordID",
                 "Computer": "computer", "TimeCreated": "systemTime"}  # fmt: skip
        return {
            "System": {name: system.get(theirs) for name, theirs in named.items()},
            "EventData": fields if isinstance(fields, dict) else {},
        }
    if isinstance(document, dict) and isinstance(document.get("data"), dict) and "Event" in document["data"]:
        return {"Event": document["data"]["Event"]}
    payload = record.get("Payload")
    if isinstance(payload, str) and "EventId" in record and payload.lstrip()[:1] == "{":
        try:
            body = json.loads(payload)
        except (ValueError, RecursionError):
            return record
        if isinstance(body, dict) and isinstance(body.get("EventData"), dict):
            return {**record, "EventData": body["EventData"], "SourceName": record.get("Provider")}
    return record


def usual_names(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fields under the names that Windows gives them; the mapping itself where it has these."""
    if "LayerRTID" in data or "LayerId" in data:
        return data
    found: dict[str, Any] = {}
    for key, value in data.items():
        name = _BY_FOLD.get(_fold(key), key) if isinstance(key, str) else key
        if name not in data:
            found.setdefault(name, value)
        else:
            found[key] = value
    return found


def _nested(record: Mapping[str, Any]) -> dict[str, Any]:
    """`{"winlog.event_data.FilterRTID": 1}` as `{"winlog": {"event_data": {"FilterRTID": 1}}}`.

    A list of one value, as `fields` have it, is that value. A key that finds something else in its way stays as it is.
    """
    found: dict[str, Any] = {}
    for key, value in sorted(record.items(), key=_dots):  # `x.keyword`, an index of x, comes after x
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        parts = key.split(".", _DEEPEST) if isinstance(key, str) else [key]
        if len(parts) < 2 or not all(parts):
            found.setdefault(key, value)
            continue
        at = found
        for part in parts[:-1]:
            inner = at.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            at = inner
        else:
            at.setdefault(parts[-1], value)
            continue
        found.setdefault(key, value)
    return found


def _dots(item: tuple[str, Any]) -> int:
    return item[0].count(".")


def _is_usual(record: Mapping[str, Any]) -> bool:
    """Whether a header stands where `security.py` looks for it."""
    known = ("EventID", "event_id", "EventId", "Id", "EventCode", "winlog", "Event", "System")
    return any(name in record for name in known)


def _headers(record: dict[str, Any]) -> dict[str, Any]:
    """The same with headers in the spelling of the flat shape, if that makes an event of it."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        name = _HEADERS_BY_FOLD.get(_fold(key), key) if isinstance(key, str) else key
        found.setdefault(name, value)
    return found if "EventID" in found else record
