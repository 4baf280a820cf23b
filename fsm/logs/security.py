"""One Security event, in any shape that collectors give it, as a LogEvent.

The shapes differ only in where the header and the fields stand; `_parts` brings them to one, `security_item` reads it.
Source: fact e.1 (events and the order of their fields); the shapes are those of public recordings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from . import fields, rendered
from .event import LogEvent, LogItem, NotUnderstood, OtherRecord
from .fields import BadField
from .spellings import usual_names
from .xml_text import BadXml, fields_in

# Its name, and what Windows shows to people for it.
PROVIDERS = frozenset({"microsoft-windows-security-auditing", "microsoft windows security auditing."})
WFP_EVENTS = frozenset({5031, *range(5148, 5160), *range(5440, 5451)})
_FLOW_EVENTS = frozenset(range(5152, 5160))  # those that name addresses, ports and a layer
_TWO_ENDED = frozenset({5152, 5156, 5157})  # 5153 is documented without a destination (fact e.1)
_WITH_PORTS = (6, 17)

DEEPER_EXPORT = "export with `wevtutil qe Security /f:xml > events.xml`, or Get-WinEvent with `ConvertTo-Json -Depth 4`"
NO_EVENT_ID = "no event id (EventID, event_id, Id or Event.System.EventID) in this record"

_LAYER_KEYS = frozenset(("LayerRTID", "LayerId"))
# Collectors that put header and fields side by side: everything that is header and therefore no field.
_ID_KEYS = ("EventID", "event_id", "EventId", "Id", "EventCode")
_PROVIDER_KEYS = ("SourceName", "source_name", "EventSourceName", "provider_name", "Provider", "Source")
_RECORD_KEYS = ("RecordNumber", "record_number", "EventRecordID", "EventRecordId", "record_id", "RecordId")
_HOST_KEYS = ("Hostname", "computer_name", "Computer", "MachineName", "ComputerName", "hostname")
_TIME_KEYS = ("TimeCreated", "EventTime", "TimeGenerated", "SystemTime", "UtcTime", "_time")
# The rendered text repeats the fields, in the language of the host: it is not kept in `extra`.
_LEFT_OUT = frozenset({"Message", "message", "event_data", "EventData", "winlog", "Properties", "_raw"})
_HEADER_KEYS = frozenset((*_ID_KEYS, *_PROVIDER_KEYS, *_RECORD_KEYS, *_HOST_KEYS, *_TIME_KEYS, "@timestamp"))
# What makes an object without event id still an event of something else (a line of another log in a mixed export).
SIGNS_OF_AN_EVENT = ("@timestamp", "Channel", "SourceName", "source_name", "Message", "message", "winlog", "event")

_BASE = ("Application", "Direction", "SourceAddress", "SourcePort", "DestAddress", "DestPort", "Protocol")
_END = ("FilterRTID", "LayerName", "LayerRTID")
_REMOTE = ("RemoteUserID", "RemoteMachineID")
_ONE_ENDED = ("ProcessId", "Application", "SourceAddress", "SourcePort", "Protocol", *_END)
# Names of fields that come without names, by event and how many there are (fact e.1).
_ORDERS: dict[tuple[int, int], tuple[str, ...]] = {
    **{(e, 8): _ONE_ENDED for e in (5153, 5154, 5155, 5158, 5159)},
    (5152, 11): ("ProcessId", *_BASE, *_END),
    (5152, 12): ("ProcessId", *_BASE, "FilterOrigin", *_END),
    (5152, 13): ("ProcessId", *_BASE, "InterfaceIndex", "FilterOrigin", *_END),
    **{(e, 11): ("ProcessID", *_BASE, *_END) for e in (5156, 5157)},
    **{(e, 13): ("ProcessID", *_BASE, *_END, *_REMOTE) for e in (5156, 5157)},
    **{(e, 14): ("ProcessID", *_BASE, "FilterOrigin", *_END, *_REMOTE) for e in (5156, 5157)},
    **{(e, 15): ("ProcessID", *_BASE, "InterfaceIndex", "FilterOrigin", *_END, *_REMOTE) for e in (5156, 5157)},
}


class _Parts(NamedTuple):
    provider: object
    record_number: object
    host: object
    time: tuple[object, object, object]  # the event's own, the collector's stamp, when it was received
    data: Mapping[str, Any]  # the fields by name
    positional: list[Any] | None  # the fields without names
    flat: bool  # header and fields side by side
    is_headless: bool = False  # no shape of a Security event, and still an event of something


class _Unusable(Exception):
    """Why a record cannot be read at all."""


def security_item(record: Mapping[str, Any], source: str, ordinal: int, where: str) -> LogItem:
    """The item for one decoded record, out of its wrapping (`envelopes`); `where` goes into NotUnderstood."""
    # Nearly all records of a Security log are other events: decide the common flat shape without further ado.
    plain_id = record.get("EventID")
    if type(plain_id) is int and plain_id not in WFP_EVENTS:
        return OtherRecord(source, ordinal)
    try:
        return _item(record, source, ordinal)
    except (_Unusable, BadField) as error:
        return NotUnderstood(source, ordinal, where, str(error))


def _item(record: Mapping[str, Any], source: str, ordinal: int) -> LogItem:
    given = given_id(record)
    event_id = fields.integer(given)
    if event_id is not None and event_id not in WFP_EVENTS:
        return OtherRecord(source, ordinal)
    parts = _parts(record)
    if given is None:
        if parts.is_headless:  # an event of something else
            return OtherRecord(source, ordinal)
        raise _Unusable(NO_EVENT_ID)
    if event_id is None:
        raise _Unusable(f"EventID {fields.shown(given)} is no number (allowed: a number such as 5152)")
    # Other providers use the same numbers for other things.
    if parts.provider and str(parts.provider).casefold() not in PROVIDERS:
        return OtherRecord(source, ordinal)
    if event_id in _FLOW_EVENTS and parts.positional is None:
        parts = parts._replace(data=usual_names(parts.data))
    if event_id in _FLOW_EVENTS and not parts.positional and not _LAYER_KEYS & parts.data.keys():
        text = rendered.fields_in(record)
        parts = parts._replace(data=text, positional=None, flat=False) if text else parts
    try:
        return _event(event_id, parts, source, ordinal)
    except BadField as error:
        raise _Unusable(f"event {event_id}: {error}") from None


# ---------------------------------------------------------------------------------------------------------- shapes


def _parts(record: Mapping[str, Any]) -> _Parts:
    """Header and fields of a record of any known shape."""
    winlog = record.get("winlog")
    if isinstance(winlog, dict):  # Winlogbeat 7 and later
        event_data = winlog.get("event_data")
        return _Parts(
            winlog.get("provider_name"),
            winlog.get("record_id"),
            winlog.get("computer_name") or _nested(record, "host", "name"),
            (winlog.get("time_created"), record.get("@timestamp"), None),
            event_data if isinstance(event_data, dict) else {},
            None,
            False,
        )
    event = record.get("Event")
    if isinstance(event, dict):  # evtx_dump, and our own XML reader
        return _event_parts(event)
    if isinstance(record.get("System"), dict):
        return _event_parts(record)
    if "@timestamp" not in record and not any(key in record for key in (*_ID_KEYS, *SIGNS_OF_AN_EVENT)):
        raise _Unusable(NO_EVENT_ID)

    data: Mapping[str, Any] = record
    positional: list[Any] | None = None
    flat = True
    if isinstance(record.get("event_data"), dict):  # older Winlogbeat
        data, flat = record["event_data"], False
    elif isinstance(record.get("EventData"), dict):
        data, positional = _named(record["EventData"])
        flat = False
    elif (text := _text_of_fields(record)) and not _LAYER_KEYS & record.keys():
        data, flat = _from_text(text), False
    elif "Properties" in record and "Id" in record:  # PowerShell: Get-WinEvent | ConvertTo-Json
        data, positional, flat = {}, _powershell_values(record["Properties"]), False
    elif "Id" in record and "MachineName" in record and "Protocol" not in record:
        data, positional, flat = {}, [], False

    provider = _first(record, _PROVIDER_KEYS)
    if provider is None:
        provider = _nested(record, "event", "provider")
    if provider is None and not flat:
        provider = record.get("ProviderName")  # in a flat 5447 ProviderName is the filter's provider
    host = _first(record, _HOST_KEYS) or _nested(record, "host", "name") or record.get("host")
    time = (_first(record, _TIME_KEYS), record.get("@timestamp"), record.get("EventReceivedTime"))
    is_headless = any(key in record for key in SIGNS_OF_AN_EVENT)
    return _Parts(provider, _first(record, _RECORD_KEYS), host, time, data, positional, flat, is_headless)


def given_id(record: Mapping[str, Any]) -> object:
    """What stands in the header of a record for the event id; None where it has none."""
    winlog, event, system = record.get("winlog"), record.get("Event"), record.get("System")
    if isinstance(winlog, dict):
        return winlog.get("event_id", _nested(record, "event", "code"))
    if isinstance(event, dict) or isinstance(system, dict):
        inner = event.get("System") if isinstance(event, dict) else system
        return _system_id(inner) if isinstance(inner, dict) else None
    given = _first(record, _ID_KEYS)
    return (
        fields.integer(_nested(record, "event", "code")) if given is None else given
    )  # of other kinds it is no number


def event_id_in(record: Mapping[str, Any]) -> int | None:
    """The event id of a record; None where it has none, or none that can be one (Windows keeps 16 bits)."""
    number = fields.integer(given_id(record))
    return number if number is not None and 0 <= number < 65536 else None


def _system_id(system: Mapping[str, Any]) -> object:
    given = system.get("EventID")
    return given.get("#text", given.get("Value")) if isinstance(given, dict) else given


def _event_parts(event: Mapping[str, Any]) -> _Parts:
    system = event.get("System")
    if not isinstance(system, dict):
        raise _Unusable("an Event without System part, so without event id")
    provider = system.get("Provider")
    if isinstance(provider, dict):
        attributes = provider.get("#attributes")
        provider = (attributes if isinstance(attributes, dict) else provider).get("Name") or provider.get("@Name")
    if provider is None and isinstance(system.get("Provider_attributes"), dict):  # evtx_dump --separate-json-attributes
        provider = system["Provider_attributes"].get("Name")
    created = system.get("TimeCreated") or system.get("TimeCreated_attributes")
    body = event.get("EventData")
    data, positional = _named(body) if isinstance(body, dict) else ({}, None)
    number, host = system.get("EventRecordID"), system.get("Computer")
    return _Parts(provider, number, host, (created, None, None), data, positional, False)


def _named(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Any] | None]:
    """The fields of an EventData object: by name as they stand, or from a list of Data elements."""
    items = body.get("Data")
    if isinstance(items, dict) and isinstance(items.get("#text"), list):  # evtx_dump, Data without names
        return {}, items["#text"]
    if not isinstance(items, list):
        return body, None
    data: dict[str, Any] = {}
    unnamed: list[Any] = []
    for item in items:
        if not isinstance(item, dict):
            unnamed.append(item)
            continue
        attributes = item.get("#attributes")
        name = (attributes if isinstance(attributes, dict) else item).get("Name") or item.get("@Name")
        text = item.get("#text", item.get("Value"))
        if isinstance(name, str):
            data[name] = text
        else:
            unnamed.append(text)
    return data, (unnamed if unnamed and not data else None)


def _powershell_values(properties: object) -> list[Any]:
    """The values of `Properties` of Get-WinEvent; empty when the export was too shallow to hold them."""
    if not isinstance(properties, list):
        return []
    values = [p.get("Value") if isinstance(p, dict) else p for p in properties]
    values = [v.get("Value", v) if isinstance(v, dict) else v for v in values]  # a SID is an object of its own
    return [] if any(isinstance(v, str) and v.startswith("System.Diagnostics.") for v in values) else values


def _text_of_fields(record: Mapping[str, Any]) -> str:
    """The fields as text beside the header, or "": EventData of Azure, whole events of Splunk, Elastic and others."""
    text = record.get("EventData")
    if isinstance(text, str) and text.lstrip()[:1] in ("<", "{"):
        return text
    for text in (_nested(record, "event", "original"), *record.values()):
        if isinstance(text, str) and text.lstrip()[:7] in ("<Event ", "<Event>"):
            return text
    return ""


def _from_text(text: str) -> dict[str, Any]:
    try:
        if text.lstrip()[:1] == "<":
            return fields_in(text)
        data = json.loads(text)
    except BadXml as error:
        raise _Unusable(f"its fields are {error}") from None
    except (ValueError, RecursionError):
        raise _Unusable("EventData is broken JSON") from None
    return data if isinstance(data, dict) else {}


def _first(record: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    for key in keys:
        if (value := record.get(key)) is not None:
            return value
    return None


def _nested(record: Mapping[str, Any], outer: str, inner: str) -> Any:
    value = record.get(outer)
    return value.get(inner) if isinstance(value, dict) else None


# ---------------------------------------------------------------------------------------------------------- values


def _event(event_id: int, parts: _Parts, source: str, ordinal: int) -> LogEvent:
    data = parts.data
    if parts.positional is not None:
        data = _by_order(event_id, parts.positional)
    time, time_s = fields.when(*parts.time)
    taken: set[str] = set()

    def get(*names: str) -> tuple[str, Any]:
        for name in names:
            if name in data:
                taken.add(name)
                return name, data[name]
        return names[0], None

    extra: dict[str, str] = {}
    if parts.flat and "ThreadID" in data and "ExecutionProcessID" not in data and "ProcessId" not in data:
        # nxlog without ExecutionProcessID: its ProcessID is that of the event's writer and has overwritten the field
        name, given_pid = "ProcessID", _pid_from_message(data.get("Message"))
        extra["ExecutionProcessID"] = fields.as_text(get("ProcessID")[1])
    else:
        name, given_pid = get("ProcessID", "ProcessId")
    pid = fields.process_id(name, given_pid)

    runtime_id = fields.layer_id(*get("LayerRTID", "LayerId"))
    layer_name = get("LayerName")[1]
    protocol = fields.protocol(*get("Protocol"))
    filter_id = fields.number(*get("FilterRTID", "FilterId"), highest=2**64 - 1)
    direction = fields.direction(data.get("Direction"))
    if direction is not None:
        taken.add("Direction")  # words of another language stay in extra
    ends: dict[str, Any] = {}
    if event_id in _FLOW_EVENTS:
        for side, key in (("source", "Source"), ("dest", "Dest")):
            field, value = get(key + "Address")
            ends[f"{side}_address"], zone = fields.address(field, value)
            if zone:
                extra[field + "Zone"] = zone
            ends[f"{side}_port"] = fields.port(*get(key + "Port"))
        _require(event_id, protocol, runtime_id, ends)
    origin = get("FilterOrigin")[1]
    program = fields.program(get("Application")[1])
    reason = get("ReauthReason")

    for key, value in data.items():
        if key in taken or (parts.flat and (key in _HEADER_KEYS or key in _LEFT_OUT)):
            continue
        if isinstance(value, str) and not value:
            continue
        extra[fields.clean(key) if isinstance(key, str) else str(key)] = fields.as_text(value)

    number = fields.integer(parts.record_number)
    return LogEvent(
        source=source,
        record=ordinal,
        event_id=event_id,
        record_number=number if number is not None and 0 <= number < 2**64 else None,
        time=time,
        time_s=time_s,
        host=fields.as_text(parts.host) or None,
        protocol=protocol,
        runtime_id=runtime_id,
        layer_code=fields.as_text(layer_name) or None,
        direction=direction,
        process_id=pid,
        application=program,
        filter_id=filter_id,
        filter_origin=fields.as_text(origin) or None,
        reauthorize_reason=fields.number(*reason, highest=2**32 - 1),
        extra=extra,
        **ends,
    )


def _require(event_id: int, protocol: int | None, runtime_id: int | None, ends: Mapping[str, Any]) -> None:
    """Refuse an event that lacks what makes it an event about a packet or a socket."""
    missing = []
    if runtime_id is None:
        missing.append("LayerRTID")
    if protocol is None:
        missing.append("Protocol")
    sides = (("source", "Source"), ("dest", "Dest")) if event_id in _TWO_ENDED else (("source", "Source"),)
    for side, key in sides:
        if ends[f"{side}_address"] is None:
            missing.append(f"{key}Address")
        if ends[f"{side}_port"] is None and protocol in _WITH_PORTS:
            missing.append(f"{key}Port")
    if missing:
        raise _Unusable(f"event {event_id} without {', '.join(missing)}: {DEEPER_EXPORT}")


def _by_order(event_id: int, values: list[Any]) -> dict[str, Any]:
    """Names for fields that came without."""
    if event_id not in _FLOW_EVENTS:
        return {f"field {i}": v for i, v in enumerate(values, 1)}
    if not values:
        raise _Unusable(f"event {event_id} without the values of its fields, only text for people: {DEEPER_EXPORT}")
    names = _ORDERS.get((event_id, len(values)))
    if names is None:
        known = sorted(n for e, n in _ORDERS if e == event_id)
        raise _Unusable(
            f"event {event_id} with {len(values)} fields without names (known: {', '.join(map(str, known))}): "
            f"{DEEPER_EXPORT}"
        )
    return dict(zip(names, values, strict=True))


_MESSAGE_PID = re.compile(r"Process ID:\s*(\d{1,10})\b")


def _pid_from_message(message: object) -> str | None:
    match = _MESSAGE_PID.search(message[:4000]) if isinstance(message, str) else None
    return match[1] if match else None
