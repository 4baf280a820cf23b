"""The same Security records in the wrappings that collectors, clouds and exports put around them: `WRAPPINGS` by name.

Each maker takes flat records (JSON lines of a recording) and gives the bytes of one file. The shape of each wrapping
is documented or public; `tests/data/README.md` says where. Nothing is added to an event: what a wrapping needs of its
own (stream names, index names, times of arrival) is made up here.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

Record = dict[str, Any]
Maker = Callable[[Sequence[Record]], bytes]

HEADER = ("SourceName", "ProviderGuid", "Level", "Keywords", "Channel", "Hostname", "TimeCreated", "@timestamp",
          "EventID", "Message", "Task")  # fmt: skip
NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"


def data_of(record: Record) -> Record:
    """The fields of the event, without what every event has."""
    return {k: v for k, v in record.items() if k not in HEADER}


def _data_xml(record: Record) -> str:
    named = (f"<Data Name={quoteattr(k)}>{escape(str(v))}</Data>" for k, v in data_of(record).items())
    return f"<EventData>{''.join(named)}</EventData>"


def event_xml(record: Record) -> str:
    return (
        f"<Event xmlns='{NAMESPACE}'><System><Provider Name={quoteattr(record['SourceName'])}/>"
        f"<EventID>{record['EventID']}</EventID><Version>0</Version><Level>{record['Level']}</Level>"
        f"<TimeCreated SystemTime='{record['TimeCreated']}'/><Channel>{record['Channel']}</Channel>"
        f"<Computer>{record['Hostname']}</Computer></System>{_data_xml(record)}</Event>"
    )


def winlogbeat(record: Record) -> Record:
    return {
        "@timestamp": record["TimeCreated"],
        "event": {"code": str(record["EventID"]), "provider": record["SourceName"], "kind": "event"},
        "host": {"name": "collector"},
        "message": record["Message"],
        "winlog": {
            "event_id": str(record["EventID"]), "provider_name": record["SourceName"], "channel": record["Channel"],
            "computer_name": record["Hostname"], "event_data": data_of(record),
        },
    }  # fmt: skip


def dotted(value: Record, before: str = "") -> Record:
    """`{"winlog": {"event_id": 1}}` as `{"winlog.event_id": 1}`."""
    found: Record = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            found |= dotted(inner, f"{before}{key}.")
        else:
            found[before + key] = inner
    return found


def _millis(record: Record) -> int:
    return round(datetime.fromisoformat(record["TimeCreated"]).timestamp() * 1000)


def _lines(values: Sequence[Any]) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def _json(value: Any, indent: int | None = None) -> bytes:
    return json.dumps(value, indent=indent).encode()


def _csv(rows: Sequence[Record], delimiter: str = ",", quoting: Any = csv.QUOTE_ALL, before: str = "") -> bytes:
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names, delimiter=delimiter, quoting=quoting, lineterminator="\r\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return (before + out.getvalue()).encode()


# ------------------------------------------------------------------------------------------------- Amazon CloudWatch


def _bracketed(record: Record) -> str:
    return (
        f"[{record['Channel']}] [INFORMATION] [{record['EventID']}] [{record['SourceName']}] [{record['Hostname']}] "
        f"[{record['Message']}]"
    )


def _log_events(records: Sequence[Record], message: Callable[[Record], str], size: int = 50) -> list[Record]:
    """What a subscription delivers: so many events at a time."""
    return [
        {
            "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "security", "logStream": "i-0123",
            "subscriptionFilters": ["to-firehose", "all"],
            "logEvents": [
                {"id": f"{31953106606966983378 + at + i:056d}", "timestamp": _millis(r), "message": message(r)}
                for i, r in enumerate(records[at : at + size])
            ],
        }
        for at in range(0, len(records), size)
    ]  # fmt: skip


def _filtered(records: Sequence[Record], message: Callable[[Record], str]) -> Record:
    """What `aws logs filter-log-events` prints."""
    return {
        "events": [
            {
                "logStreamName": "i-0123", "timestamp": _millis(r), "message": message(r), "ingestionTime": _millis(r),
                "eventId": f"{36208500000000000000 + i:056d}",
            }
            for i, r in enumerate(records)
        ],
        "searchedLogStreams": [],
    }  # fmt: skip


def _packed(value: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), mtime=0)).decode()


def _kinesis(records: Sequence[Record]) -> Record:
    """What `aws kinesis get-records` prints of a subscription's stream."""
    return {
        "Records": [
            {"SequenceNumber": str(i), "Data": _packed(part), "PartitionKey": "x"}
            for i, part in enumerate(_log_events(records, json.dumps))
        ],
        "NextShardIterator": "AAAA",
        "MillisBehindLatest": 0,
    }


# ------------------------------------------------------------------------------------------------------ Elasticsearch


def _hits(hits: Sequence[Record]) -> Record:
    return {
        "took": 7, "timed_out": False, "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
        "hits": {"total": {"value": len(hits), "relation": "eq"}, "max_score": None, "hits": list(hits)},
        "aggregations": {"by_id": {"buckets": [{"key": 5156, "doc_count": 3}]}},
    }  # fmt: skip


def _source_hit(record: Record) -> Record:
    return {"_index": "winlogbeat", "_id": "x", "_score": None, "_source": winlogbeat(record), "sort": [1]}


def _fields_of(record: Record) -> Record:
    flat = {key: [value] for key, value in dotted(winlogbeat(record)).items()}
    return flat | {f"{key}.keyword": flat[key] for key in flat if key.startswith("winlog.event_data.")}


def _fields_hit(record: Record) -> Record:
    return {"_index": "winlogbeat", "_id": "x", "_version": 1, "_score": None, "fields": _fields_of(record),
            "sort": [_millis(record)]}  # fmt: skip


def _xml_original(record: Record) -> Record:
    return {"@timestamp": record["TimeCreated"], "event": {"original": event_xml(record)}, "input": {"type": "winlog"}}


# --------------------------------------------------------------------------------------------------------------- Azure


def _security_event(record: Record) -> Record:
    """A row of the table SecurityEvent."""
    return {"TimeGenerated": record["TimeCreated"], "Computer": record["Hostname"],
            "EventSourceName": record["SourceName"], "Channel": record["Channel"], "EventID": record["EventID"],
            "EventData": _data_xml(record).replace("<EventData>", f'<EventData xmlns="{NAMESPACE}">'),
            "Type": "SecurityEvent"}  # fmt: skip


def _windows_event(record: Record) -> Record:
    """A row of the table WindowsEvent, whose EventData is a dynamic value: JSON text in a table."""
    return {"TimeGenerated": record["TimeCreated"], "Provider": record["SourceName"], "Channel": record["Channel"],
            "Computer": record["Hostname"], "EventID": record["EventID"], "EventData": json.dumps(data_of(record)),
            "Type": "WindowsEvent"}  # fmt: skip


def _event_table(record: Record) -> Record:
    """A row of the table Event."""
    inner = _data_xml(record).replace("<EventData>", f'<EventData xmlns="{NAMESPACE}">')
    time = record["TimeCreated"]
    return {"TimeGenerated": time, "Source": record["SourceName"], "EventLog": record["Channel"],
            "Computer": record["Hostname"], "EventID": record["EventID"], "RenderedDescription": record["Message"],
            "EventData": f'<DataItem type="System.XmlData" time="{time}" sourceHealthServiceId="x">{inner}</DataItem>',
            "Type": "Event"}  # fmt: skip


def _tables(rows: Sequence[Record]) -> Record:
    names = list(rows[0])
    return {
        "tables": [
            {
                "name": "PrimaryResult",
                "columns": [{"name": name, "type": "string"} for name in names],
                "rows": [list(row.values()) for row in rows],
            }
        ]
    }


def _kusto_columns(row: Record) -> list[Record]:
    return [{"ColumnName": name, "ColumnType": "string"} for name in row]


def _kusto_v1(rows: Sequence[Record]) -> Record:
    status = [
        {"ColumnName": name, "DataType": "String", "ColumnType": "string"}
        for name in ("Timestamp", "Severity", "StatusDescription", "ClientActivityId")
    ]
    return {
        "Tables": [
            {"TableName": "Table_0", "Columns": _kusto_columns(rows[0]), "Rows": [list(r.values()) for r in rows]},
            {"TableName": "Table_1", "Columns": status, "Rows": [["2023-08-15T05:34:13Z", 4, "Query completed", "x"]]},
        ]
    }


def _kusto_v2(rows: Sequence[Record]) -> list[Record]:
    return [
        {"FrameType": "DataSetHeader", "IsProgressive": False, "Version": "v2.0"},
        {"FrameType": "DataTable", "TableId": 0, "TableKind": "QueryProperties",
         "TableName": "@ExtendedProperties", "Columns": _kusto_columns({"TableId": 1, "Key": "x", "Value": "x"}),
         "Rows": [[1, "Visualization", '{"Visualization":null}']]},
        {"FrameType": "DataTable", "TableId": 1, "TableKind": "PrimaryResult", "TableName": "PrimaryResult",
         "Columns": _kusto_columns(rows[0]), "Rows": [list(row.values()) for row in rows]},
        {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False},
    ]  # fmt: skip


# -------------------------------------------------------------------------------------------------- Splunk, PowerShell


def _splunk_text(record: Record) -> str:
    """`_raw` of the classic input, which is text for people."""
    return (
        f"08/15/2023 05:34:13 AM\r\nLogName={record['Channel']}\r\nEventCode={record['EventID']}\r\nEventType=0\r\n"
        f"ComputerName={record['Hostname']}\r\nSourceName=Microsoft Windows security auditing.\r\nType=Information\r\n"
        f"Keywords=Audit Success\r\nTaskCategory=Filtering Platform\r\nOpCode=Info\r\nMessage={record['Message']}"
    )


def _splunk_rows(raw: Callable[[Record], str]) -> Callable[[Sequence[Record]], list[Record]]:
    return lambda records: [
        {"_time": r["TimeCreated"].replace("Z", "+0000"), "_raw": raw(r), "host": r["Hostname"],
         "source": "WinEventLog:Security", "sourcetype": "x", "index": "wineventlog"}
        for r in records
    ]  # fmt: skip


def _get_winevent(record: Record) -> Record:
    """An object of Get-WinEvent as Export-Csv writes it: lists become the name of their type."""
    return {
        "Message": record["Message"], "Id": record["EventID"], "Version": "0", "Qualifiers": "", "Level": "0",
        "Task": record["Task"], "Opcode": "0", "Keywords": "-9218868437227405312",
        "ProviderName": record["SourceName"], "ProviderId": "x", "LogName": record["Channel"], "ProcessId": "4",
        "ThreadId": "6448", "MachineName": record["Hostname"], "UserId": "", "TimeCreated": record["TimeCreated"],
        "ActivityId": "", "Bookmark": "System.Diagnostics.Eventing.Reader.EventBookmark",
        "Properties": "System.Collections.Generic.List`1[System.Diagnostics.Eventing.Reader.EventProperty]",
    }  # fmt: skip


def _docker(text: str, record: Record) -> Record:
    return {"log": text + "\n", "stream": "stdout", "time": record["TimeCreated"]}


_TYPE = "#TYPE System.Diagnostics.Eventing.Reader.EventLogRecord\r\n"

WRAPPINGS: dict[str, Maker] = {
    "JSON in message": lambda rs: _lines([{"timestamp": _millis(r), "message": json.dumps(r)} for r in rs]),
    "JSON in Message": lambda rs: _lines([{"Message": json.dumps(r), "Tag": "x"} for r in rs]),
    "JSON in _raw": lambda rs: _lines([{"result": {"_raw": json.dumps(r), "_time": r["TimeCreated"]}} for r in rs]),
    "JSON in log": lambda rs: _lines([_docker(json.dumps(r), r) for r in rs]),
    "Winlogbeat JSON in log": lambda rs: _lines([_docker(json.dumps(winlogbeat(r)), r) for r in rs]),
    "JSON in message in log": lambda rs: _lines([_docker(json.dumps({"message": json.dumps(r)}), r) for r in rs]),
    "XML in message": lambda rs: _lines([{"message": event_xml(r), "host": {"name": "collector"}} for r in rs]),
    "XML in _raw": lambda rs: _lines([{"preview": False, "result": {"_raw": event_xml(r)}} for r in rs]),
    "XML in event.original": lambda rs: _lines([_xml_original(r) for r in rs]),
    "XML in event.original, dotted": lambda rs: _lines([dotted(_xml_original(r)) for r in rs]),
    "XML in xml": lambda rs: _lines([{"xml": '<?xml version="1.0"?>\n' + event_xml(r)} for r in rs]),
    "XML in RawData": lambda rs: _lines(
        [{"TimeGenerated": "2023-09-01T00:00:00Z", "RawData": event_xml(r), "Type": "X_CL"} for r in rs]
    ),
    "CloudWatch, JSON": lambda rs: _lines(_log_events(rs, json.dumps)),
    "CloudWatch, XML": lambda rs: _lines(_log_events(rs, event_xml)),
    "CloudWatch, text": lambda rs: _lines(_log_events(rs, _bracketed)),
    "CloudWatch, one object": lambda rs: _json(_log_events(rs, json.dumps, 10_000)[0]),
    "CloudWatch, pretty": lambda rs: _json(_log_events(rs, json.dumps, 10_000)[0], 2),
    "CloudWatch, without line ends": lambda rs: _lines(_log_events(rs, json.dumps)).replace(b"\n", b""),
    "CloudWatch, filter-log-events": lambda rs: _json(_filtered(rs, event_xml), 4),
    "Kinesis get-records": lambda rs: _json(_kinesis(rs), 4),
    "Lambda": lambda rs: _lines([{"awslogs": {"data": _packed(part)}} for part in _log_events(rs, event_xml)]),
    "Elasticsearch": lambda rs: _json(_hits([_source_hit(r) for r in rs])),
    "Elasticsearch, pretty": lambda rs: _json(_hits([_source_hit(r) for r in rs]), 2),
    "Elasticsearch, fields": lambda rs: _json(_hits([_fields_hit(r) for r in rs])),
    "Elasticsearch, a response a line": lambda rs: _lines([_hits([_fields_hit(r)]) for r in rs]),
    "Kibana document": lambda rs: _lines([_fields_hit(r) for r in rs]),
    "Kibana fields alone": lambda rs: _lines([_fields_of(r) for r in rs]),
    "Kibana fields, lower case": lambda rs: _lines([{k.lower(): v for k, v in _fields_of(r).items()} for r in rs]),
    "Kibana fields, pretty": lambda rs: b"".join(_json(_fields_hit(r), 2) + b"\n" for r in rs),
    "Kibana CSV": lambda rs: _csv([dotted(winlogbeat(r)) for r in rs], quoting=csv.QUOTE_MINIMAL),
    "Log Analytics, SecurityEvent": lambda rs: _json(_tables([_security_event(r) for r in rs])),
    "Log Analytics, WindowsEvent": lambda rs: _json(_tables([_windows_event(r) for r in rs]), 2),
    "Log Analytics, Event": lambda rs: _json(_tables([_event_table(r) for r in rs])),
    "Kusto v1": lambda rs: _json(_kusto_v1([_security_event(r) for r in rs])),
    "Kusto v2": lambda rs: _json(_kusto_v2([_windows_event(r) for r in rs])),
    "Azure storage": lambda rs: _lines([{"records": [_security_event(r) for r in rs]}]),
    "SecurityEvent CSV": lambda rs: _csv([_security_event(r) for r in rs], quoting=csv.QUOTE_MINIMAL),
    "SecurityEvent CSV of the portal": lambda rs: _csv(
        [{("TimeGenerated [UTC]" if k == "TimeGenerated" else k): v for k, v in _security_event(r).items()} for r in rs]
    ),
    "WindowsEvent CSV": lambda rs: _csv([_windows_event(r) for r in rs]),
    "Splunk CSV, text": lambda rs: _csv(_splunk_rows(_splunk_text)(rs)),
    "Splunk CSV, XML": lambda rs: _csv(_splunk_rows(event_xml)(rs)),
    "Splunk JSON, text": lambda rs: _lines([{"preview": False, "result": r} for r in _splunk_rows(_splunk_text)(rs)]),
    "Splunk JSON rows": lambda rs: _json(
        {"preview": False, "init_offset": 0, "messages": [], "results": _splunk_rows(event_xml)(rs)}
    ),
    "Export-Csv": lambda rs: _csv([_get_winevent(r) for r in rs]),
    "Export-Csv of PowerShell 5": lambda rs: _csv([_get_winevent(r) for r in rs], before=_TYPE),
    "Export-Csv -Delimiter ';' -Encoding Unicode": lambda rs: (
        _csv([_get_winevent(r) for r in rs], ";").decode().encode("utf-16")
    ),
    "Export-Csv, tabs": lambda rs: _csv([_get_winevent(r) for r in rs], "\t"),
    "ConvertTo-Json, too shallow": lambda rs: _json(
        [_get_winevent(r) | {"Properties": ["System.Diagnostics.Eventing.Reader.EventProperty"]} for r in rs]
    ),
}
