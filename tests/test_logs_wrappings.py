"""Records in what collectors and clouds put around them: read as if it were not there, or told; hostile ones too."""

from __future__ import annotations

import base64
import gzip
import io
import json
import time
from pathlib import Path
from typing import Any

import hostile
import log_wrappings
import pytest
from log_wrappings import WRAPPINGS

from fsm.errors import LogError
from fsm.explain.explainer import Explainer
from fsm.explain.summary import Summary
from fsm.explain.to_json import write_json
from fsm.logs import LogEvent, LogItem, NotUnderstood, OtherRecord, read
from fsm.placement import place

DATA = Path(__file__).parent / "data"
RECORDINGS = ("lsass_udp_drops.json", "ntds_icmp_errors.json")
LINE, RECORD, EVENT = hostile.LINE, hostile.RECORD, hostile.EVENT
LIMIT_S = 60  # of one hostile input


def items(data: str | bytes) -> list[LogItem]:
    return list(read([io.BytesIO(data.encode() if isinstance(data, str) else data)]))


def explained(data: bytes) -> dict[str, Any]:
    """The whole JSON output of `explain`; positions are ordinals of records, which no wrapping changes."""
    pieces: list[str] = []
    write_json(Explainer(place), read([io.BytesIO(data)]), Summary(None), pieces.append)
    out: dict[str, Any] = json.loads("".join(pieces))
    return out


@pytest.fixture(scope="module", params=RECORDINGS)
def recording(request: pytest.FixtureRequest) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    data = (DATA / request.param).read_bytes()
    return [json.loads(line) for line in data.splitlines()], explained(data)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_every_wrapping_gives_the_incidents_of_the_plain_file(
    wrapping: str, recording: tuple[list[dict[str, Any]], dict[str, Any]]
) -> None:
    records, plain = recording
    got = explained(WRAPPINGS[wrapping](records))
    assert got["accounting"] == plain["accounting"]
    assert got == plain


def test_fields_of_a_rendered_event_are_those_of_its_xml(recording: tuple[list[dict[str, Any]], object]) -> None:
    records = [r for r in recording[0] if r["EventID"] in (5152, 5156, 5157, 5158)]
    rendered = items(WRAPPINGS["Export-Csv"](records))
    for got, record in zip(rendered, records, strict=True):
        assert isinstance(got, LogEvent)
        given = log_wrappings.data_of(record)
        assert str(got.process_id) == given.get("ProcessID", given.get("ProcessId"))
        assert (got.application, str(got.filter_id), str(got.runtime_id), str(got.protocol)) == (
            given["Application"], given["FilterRTID"], given["LayerRTID"], given["Protocol"]
        )  # fmt: skip
        labels = {"Remote User ID": "RemoteUserID", "Remote Machine ID": "RemoteMachineID",
                  "Interface Index": "InterfaceIndex"}  # fmt: skip
        assert got.extra == {field: given[field] for label, field in labels.items() if label in record["Message"]}
        assert got.filter_origin == given.get("FilterOrigin")


def test_rendered_text_whose_line_ends_became_blanks_says_the_same() -> None:
    record = json.loads((DATA / RECORDINGS[0]).read_text().splitlines()[1])
    row = {"Id": record["EventID"], "MachineName": "h", "TimeCreated": record["TimeCreated"]}
    flat = json.dumps({**row, "Message": " ".join(record["Message"].split())})
    assert items(flat) == items(json.dumps({**row, "Message": record["Message"]}))
    assert isinstance(items(flat)[0], LogEvent)


def test_what_follows_the_rendered_text_is_no_part_of_it() -> None:
    record = json.loads((DATA / RECORDINGS[0]).read_text().splitlines()[1])
    row = {"Id": record["EventID"], "MachineName": "h", "TimeCreated": record["TimeCreated"]}
    more = record["Message"] + "\r\n\r\nThis event is about a port."
    assert items(json.dumps({**row, "Message": more})) == items(json.dumps({**row, "Message": record["Message"]}))


def test_rendered_text_of_another_language_is_told() -> None:
    row = {"Id": 5152, "MachineName": "h", "Message": "Die Windows-Filterplattform hat ein Paket blockiert."}
    (got,) = items(json.dumps(row))
    assert isinstance(got, NotUnderstood) and "without the values of its fields, only text" in got.why


# ------------------------------------------------------------------------------ what looks like an event and is none

JUST_TEXT = (
    "Aug 15 05:34:13 host MSWinEventLog 1 Security: The Windows Filtering Platform has blocked a packet. Layer 13"
)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"message": LINE[:-20]}, "the text in 'message' looks like a WFP event and cannot be read: broken JSON ("),
        ({"log": EVENT[:-20]}, "the text in 'log' looks like a WFP event and cannot be read: broken XML ("),
        ({"event": {"original": EVENT.replace("<System>", "<System><a>")}}, "the text in 'event.original' looks like"),
        ({"message": JUST_TEXT}, "this holds what looks like a WFP event, in a wrapping that is not read"),
        ({"@timestamp": "2023-08-15T05:34:13Z", "a": {"b": {"c": RECORD}}}, "in a wrapping that is not read"),
        ({"message": EVENT.replace("<", "&lt;")}, "in a wrapping that is not read"),
        ({"Event": RECORD["EventID"], "x": json.dumps([[RECORD]])}, "in a wrapping that is not read"),
        ({"message": json.dumps({"message": json.dumps({"message": json.dumps({"message": LINE})})})}, "more than 3"),
        ({"awslogs": {"data": "H4sI" + "x" * 100}}, "cannot be read: packed, and damaged"),
        ({"data": base64.b64encode(gzip.compress(LINE.encode())[:-12]).decode()}, "packed, and cut off"),
        ({"events": []}, "the list 'events' holds no record"),
        ({"logEvents": [{"message": LINE}, 7]}, "no record: a JSON number where an object is expected"),
        ({"tables": [{"rows": [["5152"]]}]}, "a row of a table whose columns are not named before it"),
        ({"tables": [{"columns": [{"name": "EventID"}], "rows": [["5152", 1]]}]}, "a row of 2 values in a table of 1"),
        ({"tables": [{"columns": [{"name": "EventID"}], "rows": [5152]}]}, "no row: a list of values is expected"),
        ({"FrameType": "DataSetCompletion", "HasErrors": True}, "the query ended with errors"),
        ({"EventID": 5152, "EventData": "<EventData><Data"}, "its fields are broken XML (unclosed token)"),
        ({"EventID": 5152, "EventData": '{"LayerRTID'}, "EventData is broken JSON"),
    ],
)
def test_what_looks_like_a_wfp_event_and_cannot_be_read_is_told(record: dict[str, Any], why: str) -> None:
    good, *_, bad = items(LINE + "\n" + json.dumps(record))
    assert isinstance(good, LogEvent)
    assert isinstance(bad, NotUnderstood), bad
    assert why in bad.why
    assert bad.where.startswith("line 2") and not bad.broken_container


@pytest.mark.parametrize(
    "record",
    [
        {"message": '{"level": "info", "text": "nothing happened at all in the last ten minutes"}', "time": 1},
        {"message": '{"EventID": 4624, "SourceName": "Microsoft-Windows-Security-Auditing", "x": 1}'},
        {"message": EVENT.replace("5152", "4624")},
        {"log": EVENT.replace("5152", "4624"), "stream": "stdout", "time": "2023-08-15T05:34:13Z"},
        {"log": "{ this is no JSON, and about nothing in particular; it only begins like some }", "message": "x"},
        {"message": "sshd: hello", "events": [{"a": 1}], "@timestamp": "2023-08-15T05:34:13Z"},
        {"EventID": "4688", "Message": LINE},
        {"Id": 4104, "ProviderName": "PowerShell", "MachineName": "h", "Message": "{ Get-WinEvent -Id 5152 }"},
        {"id": "0", "timestamp": 1, "message": "CWL CONTROL MESSAGE: Checking health of destination Firehose."},
    ],
)
def test_what_is_no_wfp_event_stays_another_record(record: dict[str, Any]) -> None:
    assert [type(item) for item in items(LINE + "\n" + json.dumps(record))] == [LogEvent, OtherRecord]


def test_every_record_of_a_wrapping_is_counted_and_placed() -> None:
    bad = hostile.line(DestPort="x")
    other = '{"EventID": 4624, "SourceName": "Microsoft-Windows-Security-Auditing"}'
    events = {"logEvents": [{"id": "1", "timestamp": 1, "message": text} for text in (LINE, bad, other)]}
    got = items(json.dumps(events) + "\n" + LINE)
    assert [type(item) for item in got] == [LogEvent, NotUnderstood, OtherRecord, LogEvent]
    assert [getattr(item, "record", None) for item in got] == [1, 2, 3, 4]
    assert isinstance(got[1], NotUnderstood) and got[1].where == "line 1, logEvents 2, message"


def test_a_packed_part_longer_than_allowed_is_told() -> None:
    packed = base64.b64encode(gzip.compress(b'{"logEvents": [' + b" " * (5 << 20) + b"]}")).decode()
    _, bad = items(LINE + "\n" + json.dumps({"data": packed}))
    assert isinstance(bad, NotUnderstood) and "packed, and of more than 4 MiB" in bad.why


def test_a_list_in_an_object_longer_than_any_record_is_read_one_by_one() -> None:
    names = list(RECORD)
    table = {"columns": [{"name": name} for name in names], "rows": [list(RECORD.values())] * 20_000}
    for text in (
        json.dumps({"tables": [{"name": "PrimaryResult", **table}], "statistics": {"query": {"a": [1, [2]]}}}),
        json.dumps([{"FrameType": "DataSetHeader"},
                    {"FrameType": "DataTable", "Columns": [{"ColumnName": n} for n in names], "Rows": table["rows"]}]),
        json.dumps({"logEvents": [{"message": LINE}] * 20_000, "more": {"a": [{"b": 1}]}}),
    ):  # fmt: skip
        assert len(text) > 4 << 20
        got = items(text)
        assert len(got) == 20_000 and all(isinstance(item, LogEvent) for item in got)


# --------------------------------------------------------------------------------------------------------------- CSV

CSV = WRAPPINGS["Export-Csv"]


def _rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / RECORDINGS[0]).read_text().splitlines()[1:4]]


def test_table_of_the_event_viewer_has_a_column_without_name() -> None:
    rows = "".join(
        f'Audit Success,8/15/2023 5:34:00 AM,Microsoft-Windows-Security-Auditing,{r["EventID"]},x,"{r["Message"]}"\r\n'
        for r in _rows()
    )
    got = items("Keywords,Date and Time,Source,Event ID,Task Category\r\n" + rows)
    assert [type(item) for item in got] == [LogEvent] * 3
    assert isinstance(got[0], LogEvent) and (got[0].time, got[0].time_s) == ("8/15/2023 5:34:00 AM", None)


def test_row_of_another_length_is_told_and_costs_no_other() -> None:
    text = CSV(_rows()).decode()
    got = items(text + '"a","b"\r\n' + text.split("\r\n", 1)[1])
    assert [type(item) for item in got] == [LogEvent] * 3 + [NotUnderstood] + [LogEvent] * 3
    assert isinstance(got[3], NotUnderstood)
    assert got[3].why == "a row of 2 values in a table of 19 columns"
    assert got[3].where == f"line {text.count(chr(10)) + 1}"


def test_missing_quotation_mark_ends_the_reading_and_says_so() -> None:
    text = CSV(_rows()).decode()
    *_, last = items(text + '"' + "x" * 200_000)
    assert isinstance(last, NotUnderstood) and last.broken_container
    assert last.why == "a cell of more than 128 KiB, as where a quotation mark is missing; the rest is not read"


def test_endless_line_of_a_table_ends_the_reading_and_says_so() -> None:
    text = CSV(_rows()).decode()
    *_, last = items(text + "x," * (3 << 20))
    assert isinstance(last, NotUnderstood) and last.broken_container
    assert last.why == "a line longer than 4 MiB; the rest is not read"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b,c\n1,2,3\n", "looks like a table .CSV., and none of its columns is an event id or an event"),
        ("EventID,Computer\n", "with the names of its columns and no row"),
        ("message,x\nhello,1\n" * 2, "this is a table .CSV., but no event log|^$"),
    ],
)
def test_table_that_is_no_log_is_refused(text: str, why: str) -> None:
    if "hello" in text:
        assert {type(item) for item in items(text)} == {OtherRecord}
        return
    with pytest.raises(LogError, match=why):
        items(text)


# ------------------------------------------------------------------------------------------------------------ hostile

_BOMB = f"<!DOCTYPE a [<!ENTITY l0 'ha'>{hostile._LAUGHS}]>"
_INNER: dict[str, tuple[str, str]] = {  # the text, and why it cannot be read
    "entities": (
        f"{_BOMB}<Event><System><EventID>5152</EventID></System><a>&l9;</a></Event>",
        "XML with a document type or entities",
    ),
    "external entity": (
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Event><a>&x; LayerRTID</a></Event>',
        "XML with a document type or entities",
    ),
    "deep XML": ("<Event>" + "<a>" * 100_000 + "LayerRTID", "XML that nests elements deeper than 64"),
    "wide XML": ("<Event>" + "<a/>" * 200_000 + "<LayerRTID/></Event>", "XML of more than 20000 elements"),
    "long XML": ("<Event><a>" + "x" * (2 << 20) + "</a><LayerRTID/></Event>", "XML of more than 1 MiB"),
    "deep JSON": ('{"LayerRTID":' * 100_000 + "1" + "}" * 100_000, "JSON nested too deeply"),
    "many digits": ('{"EventID": 5152, "LayerRTID": ' + "9" * 100_000 + "}", "with a number too long"),
    "huge string": ('{"LayerRTID": "' + "x" * (3 << 20), "broken JSON (Unterminated string"),
    "empty objects": ("[" + "{}," * 300_000 + '{"LayerRTID":1}]', "it holds more than 20,000 records"),
    "gzip bomb": (base64.b64encode(gzip.compress(bytes(100 << 20))).decode(), "packed, and of more than 4 MiB"),
    "labels": ("LogName=Security\nEventCode=5152\nMessage=Filter Run-Time ID:" + "Direction: " * 100_000, ""),
    "brackets": ("[" * 1_000_000 + "LayerRTID", ""),
}


@pytest.mark.parametrize("name", _INNER)
@pytest.mark.parametrize("field", ["message", "EventData", "event.original"])
def test_hostile_text_in_a_field_is_one_clear_line(name: str, field: str) -> None:
    start = time.monotonic()
    text, why = _INNER[name]
    outer = {"EventID": "5152", field: text} if field == "EventData" else {field: text}
    before, bad, after = items("\n".join([LINE, json.dumps(outer), LINE]))
    assert isinstance(before, LogEvent) and isinstance(after, LogEvent)
    assert isinstance(bad, NotUnderstood), bad
    assert bad.why.isprintable() and len(bad.why) < 300
    assert why in bad.why or field == "EventData"
    assert time.monotonic() - start < LIMIT_S


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"hits":[{"a":1}]}' + '{"hits":' * 100_000, "nested too deeply"),
        ('{"logEvents":[{"a":1}]}' + '{"tables":[' * 100_000, "nested too deeply"),
        ('{"value":[{"a":1}]}{"a":1 "b"' + " " * 100, "needs a comma"),
        ('{"value":[{"a":1}]}{' + ",".join(f'"m{i}":{i}' for i in range(400_000)), "longer than 4 MiB"),
        ('{"value":[{"a":1}]}{' + "," * (4 << 20), "needs a name"),
    ],
    ids=["hits in hits", "tables in tables", "no comma", "many members", "commas"],
)
def test_hostile_wrapping_ends(text: str, why: str) -> None:
    start = time.monotonic()
    *before, last = items(json.dumps({"logEvents": [{"message": LINE}, {"message": LINE}]}) + text)
    assert [type(item) for item in before[:2]] == [LogEvent, LogEvent]
    assert isinstance(last, NotUnderstood) and last.broken_container
    assert why in last.why and last.why.isprintable() and len(last.why) < 300
    assert time.monotonic() - start < LIMIT_S
