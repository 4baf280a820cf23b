"""Event XML and net events XML: every way they are put into a file, and what damage costs."""

from __future__ import annotations

import io
import re

import hostile
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fsm.errors import LogError
from fsm.logs import LogEvent, LogItem, NotUnderstood, OtherRecord, read

EVENT, NET = hostile.EVENT, hostile.NET_EVENT
PLAIN = EVENT.replace(' xmlns="http://schemas.microsoft.com/win/2004/08/events/event"', "")
PREFIXED = re.sub(r"<(/?)(\w)", r"<\1e:\2", PLAIN).replace("<e:Event>", '<e:Event xmlns:e="urn:x">')
OTHER = EVENT.replace("<EventID>5152", "<EventID>4624")
DECLARATION = '<?xml version="1.0" encoding="utf-8" standalone="yes"?>'


def items(data: str | bytes) -> list[LogItem]:
    return list(read([io.BytesIO(data.encode() if isinstance(data, str) else data)]))


def event(data: str) -> LogEvent:
    (item,) = items(data)
    assert isinstance(item, LogEvent), item
    return item


FORMS = {
    "one after the other": EVENT + OTHER + PLAIN,
    "one a line": f"{EVENT}\n{OTHER}\n{PLAIN}\n",
    "CRLF": f"{EVENT}\r\n{OTHER}\r\n{PLAIN}\r\n",
    "in a root": f"<Events>\n{EVENT}\n{OTHER}{PLAIN}</Events>",
    "declared": f"{DECLARATION}\r\n<Events>{EVENT}{OTHER}{PLAIN}</Events>",
    "prefixed": f"<x:Events xmlns:x='urn:y'>{PREFIXED}{OTHER}{PREFIXED}</x:Events>",
    "files put together": f"{DECLARATION}<Events>{EVENT}</Events>\n{DECLARATION}\n<Events>{OTHER}{EVENT}</Events>\n",
    "declared one by one": f"{DECLARATION}{EVENT}\n{DECLARATION}{OTHER}\n\n  {DECLARATION}{EVENT}",
    "comments and instructions": f"<!-- <Event> --><?x y?><Events><!-- b -->{EVENT}{OTHER}<?z?>{EVENT}</Events><!---->",
    "marks between files": f"{EVENT}\ufeff{OTHER}\ufeff{EVENT}",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-16"])
def test_every_form_in_every_encoding(form: str, encoding: str) -> None:
    # the declaration says UTF-8 throughout: PowerShell redirects such text into UTF-16 files
    got = items(FORMS[form].encode(encoding))
    assert [type(i) for i in got] == [LogEvent, OtherRecord, LogEvent]
    assert [i.record for i in got] == [1, 2, 3]


def test_event_field_by_field() -> None:
    assert event(EVENT) == LogEvent(
        source="standard input", record=1, event_id=5152, record_number=7, time="2023-08-15T05:34:13.8151234Z",
        time_s=1692077653.815123, host="host.example", protocol=17, runtime_id=13, layer_code="%%14597",
        direction="inbound", source_address="192.0.2.1", source_port=53, dest_address="192.0.2.43", dest_port=64773,
        process_id=0, application="-", filter_id=70764,
    )  # fmt: skip


def test_text_of_the_consoles_code_page_does_not_spoil_the_file() -> None:
    german = EVENT.replace(">-<", ">C:\\Anh\u00e4nge.exe<").encode("cp850")
    (got,) = items(german)
    assert isinstance(got, LogEvent) and got.application == "C:\\Anh\ufffdnge.exe"


def test_declared_code_page_is_used() -> None:
    declared = '<?xml version="1.0" encoding="windows-1252"?>' + EVENT.replace(">-<", ">C:\\Anh\u00e4nge.exe<")
    (got,) = items(declared.encode("cp1252"))
    assert isinstance(got, LogEvent) and got.application == "C:\\Anh\u00e4nge.exe"


def test_data_without_names_is_taken_by_order() -> None:
    assert event(re.sub(r' Name="\w+"', "", EVENT).replace("<Provider/>", "")).dest_port == 64773


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("<EventID>5152<", "<EventID>banana<", "EventID 'banana' is no number"),
        ("<EventID>5152</EventID>", "", "no event id"),
        (">13<", ">4242<", "LayerRTID '4242' is no layer run-time id"),
        (">13<", "><", "event 5152 without LayerRTID"),
        (">53<", ">99999<", "SourcePort '99999' is no port"),
        (">192.0.2.1<", ">banana<", "SourceAddress 'banana' is no address"),
    ],
)
def test_unusable_field_is_named_with_its_value(old: str, new: str, why: str) -> None:
    good, bad = items(f"{EVENT}\n{EVENT.replace(old, new)}")
    assert isinstance(good, LogEvent) and isinstance(bad, NotUnderstood)
    assert why in bad.why
    assert (bad.where, bad.broken_container) == ("line 2", False)


DAMAGE = {  # how an event is spoilt, what is said
    "mismatched tag": (lambda e: e.replace("</System>", "</Sistem>"), "mismatched tag"),
    "bare ampersand": (lambda e: e.replace(">-<", ">a & b<"), "not well-formed"),
    "control character": (lambda e: e.replace(">-<", ">a\x01b<"), "not well-formed"),
    "unknown entity": (lambda e: e.replace(">-<", ">&x;<"), "undefined entity"),
    "no end": (lambda e: e[: e.index("<Channel>")], "next one begins inside it"),
    "cut in a tag": (lambda e: e[: e.index("</System>") + 4], "broken XML"),
    "start spoilt": (lambda e: e.replace("<Event ", "<Exent "), "mismatched tag"),
    "end spoilt": (lambda e: e.replace("</Event>", "</Exent>"), "mismatched tag"),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("around", ["{}", "<Events>{}</Events>", "<a><b>{}</b></a>"])
def test_damaged_event_costs_itself_only(damage: str, around: str) -> None:
    spoil, why = DAMAGE[damage]
    body = "\n".join([EVENT, EVENT, spoil(EVENT), EVENT, OTHER, EVENT])
    got = items(around.format(body))
    assert [type(i) for i in got] == [LogEvent, LogEvent, NotUnderstood, LogEvent, OtherRecord, LogEvent]
    bad = got[2]
    assert isinstance(bad, NotUnderstood)
    assert why in bad.why
    assert bad.where in ("line 3", "line 4")
    assert not bad.broken_container


@pytest.mark.parametrize("form", ["{}", "<Events>{}"])
def test_truncated_xml_gives_what_was_before(form: str) -> None:
    text = form.format((EVENT + "\n") * 3)
    before = items(text[: text.rindex("</Event>") - 40])
    assert [type(i) for i in before] == [LogEvent, LogEvent, NotUnderstood]
    bad = before[-1]
    assert isinstance(bad, NotUnderstood) and bad.broken_container
    assert "cut off" in bad.why and bad.where == "line 3"


def test_root_never_closed_is_a_broken_container() -> None:
    *before, bad = items(f"<Events>{EVENT}{EVENT}")
    assert len(before) == 2
    assert isinstance(bad, NotUnderstood) and bad.broken_container


@pytest.mark.parametrize(
    ("tail", "why"),
    [
        ("<!DOCTYPE a []>", "declares a document type"),
        ("<a>" * 70, "nests elements deeper than 64"),
        ("<a>" + "x" * (2 << 20) + "</a>", "a text of more than 1 MiB"),
        ("<a b='" + "x" * (2 << 20) + "'/>", "more than 1 MiB"),
        ("<Event>" + "<a/>" * 30_000 + "</Event>", "a record of more than 20000 elements"),
    ],
)
def test_hostile_rest_ends_the_reading_but_not_what_was_read(tail: str, why: str) -> None:
    good, bad = items(EVENT + tail)
    assert isinstance(good, LogEvent)
    assert isinstance(bad, NotUnderstood) and bad.broken_container
    assert why in bad.why


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(0, len(EVENT) - 1), st.characters(exclude_characters="<>\"'!?")),
        max_size=4,
    ),
    st.sampled_from(["\n", ""]),
)
@example([(5, 5, "0"), (5, 729, "0")], "")  # start and end tag spoilt alike: an element of another name
def test_mutated_events_never_lose_a_record(changes: list[tuple[int, int, str]], between: str) -> None:
    events = [list(EVENT) for _ in range(7)]
    for index, at, char in changes:
        events[index][at] = char
    text = between.join("".join(e) for e in events)
    got = items(text.encode("utf-8", "surrogatepass"))
    changed = {index for index, _, _ in changes}
    # a spoilt start and end tag can make two damaged neighbours one stretch, never more
    understood = [i for i in got if not isinstance(i, NotUnderstood)]
    assert len(understood) >= 7 - len(changed)
    assert len(got) >= 7 - max(0, len(changed) - 1)
    assert all(str(i).isprintable() for i in got)


# ------------------------------------------------------------------------------------------------------ net events


@pytest.mark.parametrize(
    "form",
    [
        "{0}{1}",
        "<netEvents>{0}{1}</netEvents>",
        "<netEvents numItems='2'>{2}{2}</netEvents>",
        "<wfpdiag><netEvents>{2}{2}</netEvents></wfpdiag>",
        "<wfpdiag><header/><events>{0}{1}</events></wfpdiag>",
        "<wfpdiag><filters><item><filterKey/></item></filters><netEvents>{2}{2}</netEvents></wfpdiag>",
        "{2}\n{2}",
    ],
)
def test_net_events_in_every_surrounding(form: str) -> None:
    item = NET.replace("netEvent>", "item>")
    got = items(form.format(NET, NET, item))
    assert [type(i) for i in got] == [LogEvent, LogEvent]


def test_net_event_field_by_field() -> None:
    assert event(NET) == LogEvent(
        source="standard input", record=1, event_id=None, event_type="CLASSIFY_DROP", time="2020-10-07T01:03:56.281Z",
        time_s=1602032636.281, protocol=17, runtime_id=13, local_address="192.0.2.43", local_port=64773,
        remote_address="192.0.2.1", remote_port=53, filter_id=70764, extra={"ipVersion": "FWP_IP_VERSION_V4"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("FWPM_NET_EVENT_TYPE_PUBLIC_CLASSIFY_DROP", "CLASSIFY_DROP"),
        ("FWPM_NET_EVENT_TYPE_CLASSIFY_ALLOW", "CLASSIFY_ALLOW"),
        ("3", "CLASSIFY_DROP"),
        ("FWPM_NET_EVENT_TYPE_CAPABILITY_DROP", "CAPABILITY_DROP"),
    ],
)
def test_net_event_type_in_every_spelling(written: str, kept: str) -> None:
    assert event(NET.replace("FWPM_NET_EVENT_TYPE_CLASSIFY_DROP", written)).event_type == kept


@pytest.mark.parametrize(
    "written",
    [
        "<localAddrV6.byteArray16>fe80::1%7</localAddrV6.byteArray16>",
        "<localAddrV6><byteArray16>fe80::1%7</byteArray16></localAddrV6>",
        "<localAddrV6>FE80:0::1%7</localAddrV6>",
    ],
)
def test_net_event_over_ipv6(written: str) -> None:
    got = event(NET.replace("<localAddrV4>192.0.2.43</localAddrV4>", written))
    assert (got.local_address, got.extra["localAddressZone"]) == ("fe80::1", "7")


def test_net_event_with_ipv6_as_hex_digits() -> None:
    digits = "fe80000000000000000000000000000a"
    got = event(NET.replace("<localAddrV4>192.0.2.43</localAddrV4>",
                            f"<localAddrV6.byteArray16>{digits}</localAddrV6.byteArray16>"))  # fmt: skip
    assert got.local_address == "fe80::a"


def test_net_event_without_layer_says_what_it_has() -> None:
    got = event(
        "<netEvent><header><ipProtocol>50</ipProtocol></header><type>FWPM_NET_EVENT_TYPE_IPSEC_KERNEL_DROP</type>"
        "<ipsecDrop><failureStatus>STATUS_X</failureStatus><filterId>5</filterId></ipsecDrop></netEvent>"
    )
    assert (got.event_type, got.runtime_id, got.filter_id, got.protocol) == ("IPSEC_KERNEL_DROP", None, 5, 50)
    assert got.extra["failureStatus"] == "STATUS_X"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("<layerId>13</layerId>", "", "layerId is missing in a net event of type CLASSIFY_DROP"),
        ("<layerId>13<", "<layerId>4242<", "layerId '4242' is no layer run-time id"),
        (">FWPM_NET_EVENT_TYPE_CLASSIFY_DROP<", ">drop it<", "type 'drop it' is no net event type"),
        (">192.0.2.43<", ">banana<", "localAddrV4 'banana' is no address"),
        (">64773<", ">64773000<", "localPort '64773000' is no port"),
        ("<ipProtocol>17<", "<ipProtocol>999<", "ipProtocol '999' is no IP protocol"),
    ],
)
def test_unusable_net_event_is_named_with_its_value(old: str, new: str, why: str) -> None:
    good, bad = items(f"<netEvents>{NET}{NET.replace(old, new)}</netEvents>")
    assert isinstance(good, LogEvent) and isinstance(bad, NotUnderstood)
    assert why in bad.why


@pytest.mark.parametrize(
    ("app_id", "program"),
    [
        ("<data>5c006400650076006900630065005c00780000</data>", None),
        ("<data>5c006400650076006900630065005c0078000000</data>", "\\device\\x"),
        ("<data/><asString>\\.d.e.v.i.c.e.\\.x...</asString>", "\\device\\x"),
        ("<asString>System</asString>", "System"),
        ("", None),
    ],
)
def test_program_of_a_net_event(app_id: str, program: str | None) -> None:
    got = event(NET.replace("</header>", f"<appId>{app_id}</appId></header>"))
    assert got.application == program


def test_direction_and_loopback_of_a_net_event() -> None:
    got = event(NET.replace("</classifyDrop>",
                            "<msFwpDirection>MS_FWP_DIRECTION_IN</msFwpDirection><isLoopback>true</isLoopback>"
                            "<vSwitchId/></classifyDrop>"))  # fmt: skip
    assert (got.direction, got.is_loopback) == ("inbound", True)
    assert event(NET.replace("</classifyDrop>", "<msFwpDirection>14593</msFwpDirection></classifyDrop>")).direction == (
        "outbound"
    )


def test_filter_beside_net_events_is_not_understood() -> None:
    got = items(f"<items>{NET.replace('netEvent>', 'item>')}<item><filterKey>x</filterKey></item></items>")
    assert [type(i) for i in got] == [LogEvent, NotUnderstood]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("<wfpstate><timeStamp/></wfpstate>", "holds no events: `wfp-udp policy` reads it"),
        ("<items><item><filterKey/></item></items>", "a WFP filter"),
        ("<wfpdiag><filters><filter/></filters></wfpdiag>", "not events: `wfp-udp policy` reads it"),
        ("<Objs Version='1.1.0.1'><Obj/></Objs>", "Export-Clixml"),
        ("<items><item><subLayerKey/></item></items>", "a WFP object"),
        ("<a><b/></a>", "XML (root element 'a') without an Event or netEvent element"),
        ("<Events></Events>", "without an Event or netEvent element"),
        ("<a", "cut off"),
        ("<Events><", "cut off"),
    ],
)
def test_xml_that_is_no_log_is_refused(text: str, named: str) -> None:
    with pytest.raises(LogError, match="Readable here: ") as caught:
        items(text)
    assert named in str(caught.value)


@pytest.mark.parametrize("encoding", ["u", "utf-16", "zlib", "rot13", "cp99999", "shift_jis"])
def test_declared_encoding_cannot_play_tricks(encoding: str) -> None:
    (got,) = items(f'<?xml version="1.0" encoding="{encoding}"?>{EVENT}')
    assert isinstance(got, LogEvent)
