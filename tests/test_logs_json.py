"""Security events as JSON: every shape, every encoding, one item for each record."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import hostile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.errors import LogError
from fsm.logs import LogEvent, LogItem, NotUnderstood, OtherRecord, read

LINE = hostile.LINE
OTHER = '{"EventID": 4624, "SourceName": "Microsoft-Windows-Security-Auditing"}'


def items(text: str | bytes) -> list[LogItem]:
    return list(read([io.BytesIO(text.encode() if isinstance(text, str) else text)]))


def event(text: str | bytes) -> LogEvent:
    (item,) = items(text)
    assert isinstance(item, LogEvent), item
    return item


def refused_field(**changes: Any) -> str:
    """Why a record with these changes is not understood (beside one that is)."""
    good, bad = items(LINE + "\n" + hostile.line(**changes))
    assert isinstance(good, LogEvent)
    assert isinstance(bad, NotUnderstood), bad
    assert (bad.record, bad.where, bad.broken_container) == (2, "line 2", False)
    return bad.why


def test_flat_record_field_by_field() -> None:
    got = event(LINE)
    assert got == LogEvent(
        source="standard input", record=1, event_id=5152, time="2023-08-15T05:34:13.815Z", time_s=1692077653.815,
        host="host.example", protocol=17, runtime_id=13, layer_code="%%14597", direction="inbound",
        source_address="192.0.2.1", source_port=53, dest_address="192.0.2.43", dest_port=64773, process_id=0,
        application="-", filter_id=70764, extra={"Channel": "Security"},
    )  # fmt: skip


DATA = {k: v for k, v in hostile.RECORD.items() if k in hostile._DATA}
HEADER = {k: v for k, v in hostile.RECORD.items() if k not in hostile._DATA}
TIME = hostile.RECORD["TimeCreated"]
PROVIDER = hostile.RECORD["SourceName"]
VALUES = list(DATA.values())
_XML = "".join(f'<Data Name="{k}">{v}</Data>\r\n' for k, v in DATA.items())
SHAPES: dict[str, dict[str, Any]] = {
    "numbers": {**hostile.RECORD, "SourcePort": 53, "DestPort": 64773, "LayerRTID": 13, "Protocol": 17.0},
    "event id as text": {**hostile.RECORD, "EventID": "5152"},
    "hexadecimal": {**hostile.RECORD, "ProcessId": "0x0", "FilterRTID": "0x1146c", "DestPort": "0xFD05"},
    "ProcessID": {**{k: v for k, v in hostile.RECORD.items() if k != "ProcessId"}, "ProcessID": "0"},
    "protocol and direction by name": {**hostile.RECORD, "Protocol": "udp", "Direction": "Inbound"},
    "winlogbeat 6": {
        "@timestamp": TIME, "event_id": 5152, "computer_name": "host.example", "source_name": PROVIDER,
        "host": {"name": "collector"}, "process_id": 4, "record_number": "7", "event_data": DATA,
    },
    "winlogbeat 8": {
        "@timestamp": TIME, "host": {"name": "collector"}, "event": {"code": "5152"},
        "winlog": {"event_id": "5152", "provider_name": PROVIDER, "computer_name": "host.example", "record_id": 7,
                   "event_data": DATA},
    },
    "elastic export": {"_index": "x", "_source": {"@timestamp": TIME, "winlog": {
        "event_id": 5152, "provider_name": PROVIDER, "computer_name": "host.example", "event_data": DATA}}},
    "evtx_dump": {"Event": {
        "#attributes": {"xmlns": "x"},
        "System": {"Provider": {"#attributes": {"Name": PROVIDER}}, "EventID": 5152, "Computer": "host.example",
                   "TimeCreated": {"#attributes": {"SystemTime": TIME}}, "EventRecordID": 7},
        "EventData": DATA}},
    "evtx_dump, separate attributes": {"Event": {
        "System": {"Provider_attributes": {"Name": PROVIDER}, "EventID": 5152, "Computer": "host.example",
                   "TimeCreated_attributes": {"SystemTime": TIME}},
        "EventData": DATA}},
    "xml turned to json": {"Event": {
        "System": {"Provider": {"@Name": PROVIDER}, "EventID": {"#text": "5152", "@Qualifiers": "0"},
                   "Computer": "host.example", "TimeCreated": {"@SystemTime": TIME}},
        "EventData": {"Data": [{"@Name": k, "#text": v} for k, v in DATA.items()]}}},
    "log analytics": {"EventID": 5152, "EventSourceName": PROVIDER, "Computer": "host.example", "TimeGenerated": TIME,
                      "EventData": f'<EventData xmlns="urn:x">{_XML}</EventData>'},
    "powershell": {"Id": 5152, "ProviderName": PROVIDER, "MachineName": "host.example", "RecordId": 7,
                   "TimeCreated": "/Date(1692077653815)/", "Message": "blocked",
                   "Properties": [{"Value": v} for v in VALUES]},
    "powershell 7": {"Id": 5152, "ProviderName": PROVIDER, "MachineName": "host.example",
                     "TimeCreated": "2023-08-15T07:34:13.815+02:00", "Properties": VALUES},
    "powershell 5 date object": {"Id": 5152, "ProviderName": PROVIDER, "MachineName": "host.example",
                                 "TimeCreated": {"value": "/Date(1692077653815)/", "DateTime": "Dienstag"},
                                 "Properties": [{"Value": v} for v in VALUES]},
    "lower case": {k.lower(): v for k, v in hostile.RECORD.items()},
    "snake case": {"event_id": 5152, "source_name": PROVIDER, "computer_name": "host.example", "@timestamp": TIME,
                   **{re.sub(r"(?<=[a-z])(?=[A-Z])|(?=RTID)", "_", k).lower(): v for k, v in DATA.items()}},
    "dotted": {"@timestamp": TIME, "event.code": "5152", "winlog.event_id": 5152, "winlog.provider_name": PROVIDER,
               "winlog.computer_name": "host.example", "winlog.record_id": "7",
               **{f"winlog.event_data.{k}": v for k, v in DATA.items()}},
    "dotted, lower case": {"@timestamp": TIME, "winlog.event_id": "5152", "winlog.computer_name": "host.example",
                           **{f"winlog.event_data.{k.lower()}": v for k, v in DATA.items()}},
    "dotted hit": {"_index": "x", "_source": {"@timestamp": TIME, "winlog.event_id": 5152, "host.name": "host.example",
                                              **{f"winlog.event_data.{k}": v for k, v in DATA.items()}}},
    "splunk": {"preview": False, "offset": 3, "result": {
        "EventCode": "5152", "SourceName": PROVIDER, "ComputerName": "host.example", "_time": TIME, "RecordNumber": "7",
        **DATA}},
    "splunk, rendered text": {"preview": False, "result": {
        "EventCode": "5152", "ComputerName": "host.example", "_time": "2023-08-15T07:34:13.815+02:00",
        "Process_ID": "0", "Application_Name": "-", "Direction": "Inbound", "Source_Address": "192.0.2.1",
        "Source_Port": "53", "Destination_Address": "192.0.2.43", "Destination_Port": "64773", "Protocol": "17",
        "Filter_Run_Time_ID": "70764", "Layer_Name": "%%14597", "Layer_Run_Time_ID": "13"}},
    "wazuh": {"timestamp": TIME, "data": {"win": {"system": {
        "providerName": PROVIDER, "eventID": "5152", "systemTime": TIME, "computer": "host.example",
        "eventRecordID": "7"}, "eventdata": {k[0].lower() + k[1:]: v for k, v in DATA.items()}}}},
    "wazuh alert": {"_source": {"win": {"system": {"providerName": PROVIDER, "eventID": "5152", "systemTime": TIME,
                                                   "computer": "host.example"}, "eventdata": DATA}}},
    "chainsaw": {"group": "x", "document": {"kind": "evtx", "data": {"Event": {
        "System": {"Provider_attributes": {"Name": PROVIDER}, "EventID": 5152, "Computer": "host.example",
                   "TimeCreated_attributes": {"SystemTime": TIME}}, "EventData": DATA}}}},
    "evtxecmd": {"PayloadData1": "x", "EventId": 5152, "Provider": PROVIDER, "Computer": "host.example",
                 "TimeCreated": TIME, "Payload": json.dumps(
                     {"EventData": {"Data": [{"@Name": k, "#text": v} for k, v in DATA.items()]}})},
    "elastic, raw XML": {"@timestamp": TIME, "host": {"name": "host.example"}, "event": {
        "code": "5152", "provider": PROVIDER,
        "original": f"<Event xmlns='x'><System><EventID>5152</EventID></System><EventData>{_XML}</EventData></Event>"}},
    "splunk, raw XML": {"preview": False, "result": {
        "EventCode": "5152", "Computer": "host.example", "_time": TIME,
        "_raw": f"<Event xmlns='x'><System><EventID>5152</EventID></System><EventData>{_XML}</EventData></Event>"}},
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("indent", [None, 2], ids=["line", "pretty"])
def test_every_shape_says_the_same(shape: str, indent: int | None) -> None:
    got = event(json.dumps(SHAPES[shape], indent=indent))
    expected = event(LINE)
    for name in (
        "event_id", "time_s", "host", "protocol", "runtime_id", "layer_code", "direction", "source_address",
        "source_port", "dest_address", "dest_port", "process_id", "application", "filter_id",
    ):  # fmt: skip
        assert getattr(got, name) == getattr(expected, name), name
    assert got.record_number in (None, 7)


def _array(*texts: str) -> str:
    return "[\r\n" + ",\r\n".join(texts) + "\r\n]"


FORMS = {
    "lines": "\n".join([LINE, OTHER, LINE]),
    "lines with an end": "\n".join([LINE, OTHER, LINE, ""]),
    "CRLF": "\r\n".join([LINE, OTHER, LINE, ""]),
    "CR only": "\r".join([LINE, OTHER, LINE, ""]),
    "blank lines between": f"\n\n{LINE}\n  \n{OTHER}\n\n{LINE}\n",
    "array": _array(LINE, OTHER, LINE),
    "pretty array": json.dumps([json.loads(t) for t in (LINE, OTHER, LINE)], indent=4),
    "pretty objects": "\n".join(json.dumps(json.loads(t), indent=2) for t in (LINE, OTHER, LINE)),
    "evtx_dump records": "".join(
        f"Record {i}\n{json.dumps(json.loads(t), indent=2)}\n" for i, t in enumerate((LINE, OTHER, LINE), 1)
    ),
    "evtx_dump lines": f"Record 1\n{LINE}\nRecord 2\n{OTHER}\nRecord 3\n{LINE}\n",
    "PowerShell 5 list": json.dumps({"value": [json.loads(t) for t in (LINE, OTHER, LINE)], "Count": 3}),
    "PowerShell 5 list, pretty": json.dumps(
        {"value": [json.loads(t) for t in (LINE, OTHER, LINE)], "Count": 3}, indent=4
    ),
    "OData": json.dumps(
        {"@odata.context": "https://x/$metadata#y", "value": [json.loads(t) for t in (LINE, OTHER, LINE)]}
    ),
    "Elasticsearch": json.dumps(
        {
            "took": 5,
            "timed_out": False,
            "_shards": {"total": 1, "failed": 0},
            "hits": {
                "total": {"value": 3, "relation": "eq"},
                "max_score": None,
                "hits": [{"_index": "x", "_id": "1", "_source": json.loads(t)} for t in (LINE, OTHER, LINE)],
            },
        },
        indent=1,
    ),
    "two arrays": _array(LINE) + "\n" + _array(OTHER, LINE),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-16", "utf-16-be with mark"])
def test_every_form_in_every_encoding(form: str, encoding: str) -> None:
    text = FORMS[form]
    data = b"\xfe\xff" + text.encode("utf-16-be") if "mark" in encoding else text.encode(encoding)
    got = items(data)
    assert [type(i) for i in got] == [LogEvent, OtherRecord, LogEvent]
    assert [i.record for i in got] == [1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"EventID": "banana"}, "EventID 'banana' is no number (allowed: a number such as 5152)"),
        ({"EventID": True}, "EventID true is no number"),
        ({"EventID": float("nan")}, "EventID NaN is no number"),
        ({"EventID": 5152.5}, "EventID 5152.5 is no number"),
        ({"LayerRTID": 4242}, "event 5152: LayerRTID 4242 is no layer run-time id (allowed: 0 to 255)"),
        ({"LayerRTID": "Transport"}, "LayerRTID 'Transport' is no layer run-time id"),
        ({"LayerRTID": None}, "event 5152 without LayerRTID"),
        ({"LayerRTID": ""}, "event 5152 without LayerRTID"),
        ({"SourcePort": "65536"}, "SourcePort '65536' is no port (allowed: 0 to 65535)"),
        ({"SourcePort": -1}, "SourcePort -1 is no port"),
        ({"DestPort": "dns"}, "DestPort 'dns' is no port"),
        ({"DestPort": []}, "DestPort [] is no port"),
        ({"DestPort": "-"}, "event 5152 without DestPort"),
        ({"Protocol": "banana"}, "Protocol 'banana' is no IP protocol (allowed: 0 to 255, TCP, UDP, ICMP ...)"),
        ({"Protocol": 256}, "Protocol 256 is no IP protocol"),
        ({"Protocol": None}, "event 5152 without Protocol"),
        ({"SourceAddress": "300.1.2.3"}, "SourceAddress '300.1.2.3' is no address"),
        ({"SourceAddress": 3221225985}, "SourceAddress 3221225985 is no address"),
        ({"SourceAddress": "x" * 100_000}, "SourceAddress 'xxxxxxxx"),
        ({"DestAddress": None}, "event 5152 without DestAddress"),
        ({"ProcessId": "banana"}, "ProcessId 'banana' is no process id"),
        ({"FilterRTID": 2**64}, "FilterRTID 18446744073709551616 is no number"),
        ({"FilterRTID": "9" * 5000}, "FilterRTID '999"),
    ],
)  # fmt: skip
def test_unusable_field_is_named_with_its_value(changes: dict[str, Any], why: str) -> None:
    got = refused_field(**changes)
    assert why in got
    assert len(got) < 250 and "\n" not in got


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LINE[:200], "no JSON ("),
        ("not json at all", "no JSON (Expecting value"),
        ("[1, 2]", "a JSON array where an object is expected"),
        ('"text"', "a JSON string where an object is expected"),
        ("{}", "no event id"),
        ('{"Event": 5}', "no event id"),
        ('{"Event": {}}', "without System part"),
        ('{"EventID": ' + "9" * 5000 + "}", "more than 4,300 digits"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        (LINE + LINE, "no JSON (Extra data"),
    ],
)
def test_bad_line_is_one_item_and_costs_no_other(text: str, why: str) -> None:
    before, bad, after = items("\n".join([LINE, text, LINE]))
    assert isinstance(before, LogEvent) and isinstance(after, LogEvent)
    assert isinstance(bad, NotUnderstood)
    assert why in bad.why
    assert bad.where == "line 2"


def test_line_that_is_no_utf8_is_one_item() -> None:
    before, bad, after = items(b"\n".join([LINE.encode(), b'{"EventID": 5152, "x": "\xff\xfe"}', LINE.encode()]))
    assert isinstance(before, LogEvent) and isinstance(after, LogEvent)
    assert isinstance(bad, NotUnderstood) and "no UTF-8 text" in bad.why


def test_log_that_begins_in_the_middle_of_a_line() -> None:
    bad, good = items(LINE[50:] + "\n" + LINE)
    assert isinstance(bad, NotUnderstood) and isinstance(good, LogEvent)


def test_too_long_line_is_one_item() -> None:
    before, bad, after = items(LINE + "\n" + '{"a": "' + "x" * (5 << 20) + '"}' + "\n" + LINE)
    assert isinstance(before, LogEvent) and isinstance(after, LogEvent)
    assert isinstance(bad, NotUnderstood) and bad.why == "a line longer than 4 MiB"


def test_other_provider_with_the_same_event_id_is_another_record() -> None:
    assert [type(i) for i in items(hostile.line(SourceName="Microsoft-Windows-DFSR"))] == [OtherRecord]


def test_event_of_another_log_without_event_id_is_another_record() -> None:
    got = items(LINE + '\n{"@timestamp": "2023-08-15T05:34:13Z", "message": "sshd: hello"}')
    assert [type(i) for i in got] == [LogEvent, OtherRecord]


def test_duplicate_key_takes_the_last_one() -> None:
    assert event(LINE[:-1] + ', "DestPort": "5353"}').dest_port == 5353


def test_control_characters_and_lone_surrogates_do_not_reach_the_output() -> None:
    bad = "a\x00b\x1b[2J\n\u202e\ud800"
    got = event(hostile.line(Application=bad, Hostname=bad, FilterOrigin=bad, Tag=bad))
    clean = "a<U+0000>b<U+001B>[2J<U+000A><U+202E><U+D800>"
    assert (got.application, got.host, got.filter_origin, got.extra["Tag"]) == (clean,) * 4
    assert str(got).isprintable()


def test_very_long_text_is_cut_and_says_so() -> None:
    got = event(hostile.line(Application="x" * 10_000))
    assert got.application is not None and got.application.endswith("... (10000 characters)")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("\\\\device\\\\harddiskvolume1\\\\x.exe", "\\device\\harddiskvolume1\\x.exe"),
        ("\\device\\harddiskvolume1\\x.exe", "\\device\\harddiskvolume1\\x.exe"),
        ("C:\\\\Program Files\\\\x.exe", "C:\\Program Files\\x.exe"),
        ("\\\\server\\share\\x.exe", "\\\\server\\share\\x.exe"),
        ("System", "System"),
    ],
)
def test_doubled_backslashes_of_a_program_are_made_single(written: str, kept: str) -> None:
    assert event(hostile.line(Application=written)).application == kept


@pytest.mark.parametrize(
    ("written", "address", "zone"),
    [
        ("FE80:0:0::1%12", "fe80::1", "12"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1", None),
        ("::FFFF:C000:0201", "::ffff:192.0.2.1", None),
        (" 192.0.2.1 ", "192.0.2.1", None),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1", None),
    ],
)
def test_addresses_are_spelt_one_way(written: str, address: str, zone: str | None) -> None:
    got = event(hostile.line(SourceAddress=written))
    assert (got.source_address, got.extra.get("SourceAddressZone")) == (address, zone)


@pytest.mark.parametrize(
    ("written", "direction"),
    [("%%14592", "inbound"), ("%%14593", "outbound"), ("%%14594", "forward"), ("%%14595", "bidirectional"),
     (14593, "outbound"), ("OUTBOUND", "outbound"), ("Eingehend", None), (None, None)],
)  # fmt: skip
def test_direction_in_words_of_another_language_is_kept_beside(written: Any, direction: str | None) -> None:
    got = event(hostile.line(Direction=written))
    assert got.direction == direction
    assert got.extra.get("Direction") == (written if direction is None else None)


def test_icmp_needs_no_ports() -> None:
    got = event(hostile.line(Protocol="ICMP", SourcePort="-", DestPort=None))
    assert (got.protocol, got.source_port, got.dest_port) == (1, None, None)


@pytest.mark.parametrize(
    ("own", "iso", "seconds"),
    [
        ("2020-09-04 15:00:00", "2020-09-04T15:00:00Z", 1599231600.0),
        ("2020-09-04T15:00:00+02:00", "2020-09-04T13:00:00Z", 1599224400.0),
        ("2020-09-04T15:00:00.5Z", "2020-09-04T15:00:00.5Z", 1599231600.5),
        ("2020-09-04T15:00:00.1234567Z", "2020-09-04T15:00:00.1234567Z", 1599231600.123456),
        ("/Date(1599231600250)/", "2020-09-04T15:00:00.250Z", 1599231600.25),
        ("04.09.2020 15:00", "04.09.2020 15:00", None),
        ("9999-12-31T23:59:59-10:00", "9999-12-31T23:59:59-10:00", None),
    ],
)  # fmt: skip
def test_time_is_utc_or_as_written(own: str, iso: str, seconds: float | None) -> None:
    got = event(hostile.line(**{"TimeCreated": own, "@timestamp": None}))
    assert (got.time, got.time_s) == (iso, seconds)


def test_local_time_gets_its_zone_from_the_collectors_stamp() -> None:
    # nxlog: EventTime and EventReceivedTime are local, @timestamp is UTC (recordings of 2020, four hours apart)
    got = event(
        hostile.line(
            **{
                "TimeCreated": None,
                "EventTime": "2020-09-17 17:31:45",
                "EventReceivedTime": "2020-09-17 17:31:48",
                "@timestamp": "2020-09-17T21:31:48.061Z",
            }
        )
    )
    assert (got.time, got.time_s) == ("2020-09-17T21:31:45Z", 1600378305.0)


def test_process_id_of_the_event_writer_is_not_taken_for_the_programs() -> None:
    # nxlog of 2019 names the writer's process ProcessID and drops the field of that name (covenant_persistwmi)
    message = "permitted.\r\n\r\nApplication Information:\r\n\tProcess ID:\t\t1468\r\n\tApplication Name:\tx"
    changes: dict[str, Any] = {"ProcessId": None, "ProcessID": 4, "ThreadID": 6448}
    got = event(hostile.line(**changes, Message=message))
    assert (got.process_id, got.extra["ExecutionProcessID"]) == (1468, "4")
    assert event(hostile.line(**changes)).process_id is None


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"Properties": ["System.Diagnostics.Eventing.Reader.EventProperty"] * 11}, "without the values of its fields"),
        ({}, "without the values of its fields"),
        ({"Properties": VALUES[:5]}, "with 5 fields without names (known: 11, 12, 13)"),
    ],
)
def test_shallow_powershell_export_says_what_to_export(record: dict[str, Any], why: str) -> None:
    base = {"Id": 5152, "ProviderName": PROVIDER, "MachineName": "h", "Message": "The WFP has blocked a packet."}
    (item,) = items(json.dumps({**base, **record}))
    assert isinstance(item, NotUnderstood)
    assert why in item.why
    assert "ConvertTo-Json -Depth 4" in item.why


def test_properties_of_every_known_order() -> None:
    base = {"ProviderName": PROVIDER, "MachineName": "h"}
    one = [4, "System", "::", 5353, 17, 0, "%%14608", 38]
    two = [4, "System", "%%14593", "10.0.0.1", 5353, "10.0.0.2", 53, 17]
    end = [99, "%%14611", 48]
    sids = [{"BinaryLength": 12, "Value": "S-1-0-0"}, {"Value": "S-1-0-0"}]
    for event_id, values in (
        (5158, one), (5154, one), (5156, two + end), (5156, [*two, *end, *sids]),
        (5156, [*two, "Stealth", *end, *sids]),
        (5157, [*two, 10, "Stealth", *end, *sids]), (5152, [*two, "Stealth", *end]),
    ):  # fmt: skip
        got = event(json.dumps({**base, "Id": event_id, "Properties": [{"Value": v} for v in values]}))
        assert got.process_id == 4 and got.source_port == 5353 and got.runtime_id in (38, 48)
        assert got.filter_origin == ("Stealth" if "Stealth" in values else None)


def test_filter_change_keeps_its_layer_and_its_conditions() -> None:
    got = event(
        json.dumps(
            {**HEADER, "EventID": 5447, "ProcessId": "2948", "FilterId": "75143", "LayerName": "ALE Listen v4 Layer",
             "LayerId": "40", "ChangeType": "%%16384", "Conditions": "\n\tCondition ID:\t{0c1b}\n"}
        )
    )  # fmt: skip
    assert (got.event_id, got.runtime_id, got.filter_id, got.layer_code) == (5447, 40, 75143, "ALE Listen v4 Layer")
    assert got.extra["ChangeType"] == "%%16384"
    assert got.extra["Conditions"].startswith("<U+000A><U+0009>Condition ID")


@pytest.mark.parametrize(
    ("text", "why", "broken"),
    [
        (f"[{LINE},\n{LINE}", "the JSON array is never closed", True),
        (f"[{LINE},\n{LINE},", "the JSON array is never closed", True),
        (f"[{LINE},\n{LINE},\n{LINE[:90]}", "cut off in the middle of a record", True),
        (f"[{LINE},\n{LINE},\n]", "a comma in the JSON array with no record beside it", False),
        (f"[{LINE},\n{LINE}\n{LINE}]", "needs a comma", True),
        (f"[{LINE},\n{LINE},\nbanana, {LINE}]", "no JSON (Expecting value)", True),
        (f"[{LINE},\n{LINE},\n42]", "a JSON number where an object is expected", False),
    ],
)
def test_damaged_array_gives_what_was_before(text: str, why: str, broken: bool) -> None:
    *read_before, trouble = items(text)
    assert [type(i) for i in read_before] == [LogEvent, LogEvent]
    assert isinstance(trouble, NotUnderstood)
    assert why in trouble.why
    assert trouble.broken_container is broken


def test_array_much_larger_than_what_is_held_at_once() -> None:
    big = "[" + ",\n".join([LINE] * 5000) + "]"
    got = items(big)
    assert len(got) == 5000 and all(isinstance(i, LogEvent) for i in got)


def test_line_numbers_of_an_array_are_those_of_the_text() -> None:
    pretty = json.dumps([json.loads(LINE)] * 300 + [{**json.loads(LINE), "DestPort": "x"}], indent=2)
    *_, last = items(pretty)
    assert isinstance(last, NotUnderstood)
    start = next(i for i, text in enumerate(pretty.split("\n"), 1) if '"DestPort": "x"' in text)
    length = len(json.dumps(json.loads(LINE), indent=2).split("\n"))
    assert start - length < int(last.where.removeprefix("line ")) <= start


_BYTES = st.integers(0, 255).filter(lambda b: b not in (10, 13))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, len(LINE) - 1), _BYTES), max_size=8))
def test_mutated_lines_never_lose_a_record(changes: list[tuple[int, int, int]]) -> None:
    lines = [bytearray(LINE.encode()) for _ in range(7)]
    for index, at, value in changes:
        lines[index][at] = value
    got = items(b"\n".join(bytes(text) for text in lines))
    assert [i.record for i in got] == [1, 2, 3, 4, 5, 6, 7]
    assert all(str(i).isprintable() for i in got)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**70), 2**70) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f'{{"value": [{LINE}, {LINE}', "the JSON array is never closed"),
        (f'{{"value": [{LINE}, {LINE}]', "the JSON object is never closed"),
        (
            f'{{"value": [{LINE}, {LINE}]}} and more than one would like',
            "no JSON (Expecting value); the rest is not read",
        ),
        (f'{{"value": [{LINE}, {LINE}]}}}}', "'}' where a JSON record is expected; the rest is not read"),
        (f'{{"value": [{LINE}, {LINE}], 7}}', "'7' where a JSON object needs a name; the rest is not read"),
        (f'{{"value": [{LINE}, {LINE}], "x" 7}}', "a name in a JSON object without a value; the rest is not read"),
        (f'{{"value": [{LINE}, {LINE}], "x": banana                }}', "no JSON (Expecting value); the rest"),
        (f'{{"value": [{LINE}, {LINE}, 7]}}', "a JSON number where an object is expected"),
    ],
)
def test_a_wrapped_list_that_is_damaged_costs_nothing_that_was_read(text: str, why: str) -> None:
    *good, bad = items(text)
    assert [type(item) for item in good] == [LogEvent, LogEvent]
    assert isinstance(bad, NotUnderstood) and why in bad.why


def test_a_wrapped_list_is_read_one_record_at_a_time() -> None:
    """Longer than any one record may be."""
    many = ",".join([LINE] * 12_000)
    got = items(f'{{"took": 1, "hits": {{"hits": [{many}]}}}}')
    assert len(got) == 12_000 and all(isinstance(item, LogEvent) for item in got)


def test_dotted_keys_that_stand_in_each_others_way_lose_nothing() -> None:
    record = {"winlog.event_id": 5152, "winlog.computer_name": "h", "@timestamp": TIME, "winlog.x": 1, "winlog.x.y": 2,
              **{f"winlog.event_data.{k}": v for k, v in DATA.items()}}  # fmt: skip
    assert event(json.dumps(record)).filter_id == 70764


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(sorted(SHAPES)),
    st.lists(st.tuples(st.sampled_from([*hostile.RECORD, "event_data", "winlog", "Event", "System", "EventData",
                                        "Properties", "Id", "host", "_source", "event", "Message", "ThreadID"]),
                       _JSON), min_size=1, max_size=4),
)  # fmt: skip
def test_any_value_in_any_place_gives_one_item(shape: str, changes: list[tuple[str, Any]]) -> None:
    record = json.loads(json.dumps(SHAPES[shape]))
    inner = [record]
    for value in record.values():
        if isinstance(value, dict):
            inner.append(value)
    for i, (key, value) in enumerate(changes):
        inner[i % len(inner)][key] = value
    got = items(LINE + "\n" + json.dumps(record) + "\n" + LINE)
    assert [i.record for i in got] == [1, 2, 3]
    assert all(str(i).isprintable() for i in got)


@pytest.mark.parametrize(
    "text", ["[]", "[ ]", "{}", "[{}]", '{"name": "x", "version": 1}', "[1, 2, 3]", '{"a": 1}\n' * 3]
)
def test_json_that_is_no_log_is_refused(text: str) -> None:
    with pytest.raises(LogError, match="Readable here: "):
        items(text)
