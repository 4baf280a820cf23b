"""Dumps of `netsh wfp`: everything in them is read, counted or told, and hostile ones are refused in one line."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from fsm.errors import FsmError
from fsm.policy.checks import checked, notes
from fsm.policy.lint import lint
from fsm.policy.lint_text import lint_text
from fsm.policy.model import Policy, Value, Weight
from fsm.policy.read import read_policy
from fsm.policy.summary import summary_json, summary_text
from fsm.policy.toml_write import to_toml
from fsm.policy.weights import automatic_weight, effective_order, effective_weight, sublayer_weights

TOP = Path(__file__).resolve().parent.parent
EVIDENCE = TOP.parent / "shared" / "evidence"
STATE, FILTERS = EVIDENCE / "wfp-state/keploy_wfpstate.xml.gz", EVIDENCE / "wfp-filters/le_voile_filters.xml"
PARTS = EVIDENCE / "wfp-filters/ebpf_netebpfext_objects.xml"
recorded = pytest.mark.skipif(not STATE.exists(), reason="the recordings are not here")

ITEM = """<item><filterKey>{{AAAAAAAA-0000-0000-0000-00000000000{n}}}</filterKey>
<displayData><name>Übung</name><description/></displayData>
<flags numItems="1"><item>FWPM_FILTER_FLAG_PERSISTENT</item></flags>
<providerKey/><providerData/><layerKey>{layer}</layerKey><subLayerKey>FWPM_SUBLAYER_UNIVERSAL</subLayerKey>
<weight><type>FWP_UINT8</type><uint8>7</uint8></weight>
<filterCondition numItems="1"><item><fieldKey>{field}</fieldKey><matchType>{match}</matchType>
<conditionValue>{value}</conditionValue></item></filterCondition>
<action><type>FWP_ACTION_BLOCK</type><filterType/></action><rawContext>0</rawContext><reserved/><filterId>7{n}</filterId>
{more}</item>"""


def item(
    value: str = "<type>FWP_UINT16</type><uint16>53</uint16>",
    *,
    n: int = 1,
    layer: str = "FWPM_LAYER_ALE_AUTH_CONNECT_V4",
    field: str = "FWPM_CONDITION_IP_REMOTE_PORT",
    match: str = "FWP_MATCH_EQUAL",
    more: str = "",
) -> str:
    return ITEM.format(n=n, layer=layer, field=field, match=match, value=value, more=more)


def dump(*items: str, before: str = "", after: str = "") -> bytes:
    return f"<?xml version='1.0'?><wfpdiag>{before}<filters>{''.join(items)}</filters>{after}</wfpdiag>".encode()


def one(text: str) -> Policy:
    policy = read_policy(dump(text), name="d.xml")
    assert len(policy.filters) == 1
    return policy


# ---------------------------------------------------------------------------------------------------- the recordings


@recorded
def test_the_state_dump_is_read_completely() -> None:
    policy = read_policy(STATE)
    assert len(policy.filters) == 1254 and len({f.layer for f in policy.filters}) == 30
    assert Counter(f.action for f in policy.filters) == {
        "PERMIT": 1119, "BLOCK": 73, "CALLOUT_TERMINATING": 28, "CALLOUT_INSPECTION": 20, "CALLOUT_UNKNOWN": 14,
    }  # fmt: skip
    protocols = Counter(
        c.value.data for f in policy.filters for c in f.conditions if c.field == "FWPM_CONDITION_IP_PROTOCOL"
    )
    assert protocols == {17: 478, 6: 286, 58: 92, 2: 2, 41: 2, 1: 1}
    counts = [
        len(part) for part in (policy.layers, policy.callouts, policy.providers, policy.contexts, policy.sublayers)
    ]
    assert counts == [99, 89, 16, 469, 45]
    assert dict(policy.set_aside)["aleConnectedEndpoints"] == 34
    assert policy.taken_at == "2024-10-22T20:48:53.891Z"
    assert policy.not_understood == () and notes(policy) == ()
    assert sum(len(f.conditions) for f in policy.filters) == 3604
    assert [entry.layer_id for entry in policy.layers] == list(range(99))
    assert policy.contexts[2].text == "Quarantine Default"
    assert checked(policy) is policy


@recorded
def test_the_filters_dump_is_read_completely() -> None:
    policy = read_policy(FILTERS)
    assert len(policy.filters) == 286 and len({f.layer for f in policy.filters}) == 26 and len(policy.providers) == 15
    assert Counter(f.action for f in policy.filters) == {
        "PERMIT": 210, "BLOCK": 32, "CALLOUT_TERMINATING": 24, "CALLOUT_UNKNOWN": 20,
    }  # fmt: skip
    assert policy.not_understood == () and notes(policy) == ()
    weights = sublayer_weights(policy)  # such a dump lists no sublayers
    assert weights["FWPM_SUBLAYER_MPSSVC_WF"] == 2 and list(weights.values())[-1] is None


@recorded
def test_parts_without_sections_are_known_by_their_keys() -> None:
    policy = read_policy(PARTS)
    assert (len(policy.sublayers), len(policy.callouts), len(policy.filters)) == (3, 4, 3)
    assert policy.set_aside == (("repeated callout", 1),)
    assert summary_json(policy)["callouts"] == 5 and "5 callouts (1 of them listed again)" in summary_text(
        policy, details=False
    )
    assert {c.registered for c in policy.callouts} == {True}


@recorded
def test_lines_lead_to_the_filter() -> None:
    lines = FILTERS.read_text(encoding="utf-8-sig").splitlines()
    for found in read_policy(FILTERS).filters:
        line = int(found.source.rpartition(" ")[2])
        assert lines[line - 1].strip() == "<item>" and found.key in lines[line]


@recorded
def test_the_inferred_weights_order_real_filters_nearly_as_the_engine_does() -> None:
    # Nobody has documented the automatic bits: the rule is held against the weights that an engine gave.
    right = wrong = 0
    for source in (STATE, FILTERS):
        groups: dict[object, list[tuple[int, int]]] = {}
        for found in read_policy(source).filters:
            if found.weight.type != "UINT64" and found.effective_weight is not None:
                low = found.effective_weight & ((1 << 60) - 1)
                group = (found.layer, found.sublayer, found.weight)
                groups.setdefault(group, []).append((low, automatic_weight(found.conditions)))
        for pairs in groups.values():
            for at, (real, guessed) in enumerate(pairs):
                for other, others in pairs[:at]:
                    if real != other:
                        right += (real > other) == (guessed > others) and guessed != others
                        wrong += (real > other) != (guessed > others) or guessed == others
    assert right > 20_000 and wrong < right * 0.02


@recorded
def test_copies_in_other_containers_and_encodings_are_the_same() -> None:
    data = FILTERS.read_bytes()
    text = data.decode("utf-8-sig")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("filters.xml", data)
    first = read_policy(data)
    for copy in (
        gzip.compress(data),
        packed.getvalue(),
        b"\xff\xfe" + text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        text.replace("\n", "\r\n").encode(),
        text.encode() + b"\n\0\0",
    ):
        assert read_policy(copy) == first


# --------------------------------------------------------------------------------------------- values and liberalities


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<type>FWP_EMPTY</type>", Value("EMPTY", None)),
        ("<type>FWP_UINT32</type><uint32>192.168.1.0</uint32>", Value("UINT32", 0xC0A80100)),
        ("<type>FWP_UINT64</type><uint64>18446744073709551615</uint64>", Value("UINT64", 2**64 - 1)),
        ("<type>FWP_INT32</type><int32>-5</int32>", Value("INT32", -5)),
        ("<type>FWP_BYTE_ARRAY16_TYPE</type><byteArray16>fe80::1</byteArray16>",
         Value("BYTE_ARRAY16", (0xFE80 << 112) + 1)),
        ("<type>FWP_BYTE_ARRAY6_TYPE</type><byteArray6>00-11-22-33-44-55</byteArray6>",
         Value("BYTE_ARRAY6", 0x1122334455)),
        ("<type>FWP_V4_ADDR_MASK</type><v4AddrMask><addr>10.0.0.0</addr><mask>255.0.0.0</mask></v4AddrMask>",
         Value("V4_ADDR_MASK", (10 << 24, 255 << 24))),
        ("<type>FWP_V6_ADDR_MASK</type><v6AddrMask><addr>fe80::</addr><prefixLength>10</prefixLength></v6AddrMask>",
         Value("V6_ADDR_MASK", (0xFE80 << 112, 10))),
        ("<type>FWP_BYTE_BLOB_TYPE</type><byteBlob><data>6100000062000000</data><asString>a.b.</asString></byteBlob>",
         Value("BYTE_BLOB", b"a\0\0\0b\0\0\0")),
        ("<type>FWP_BYTE_BLOB_TYPE</type><byteBlob><data/><asString>\\.a.b...</asString></byteBlob>",
         Value("BYTE_BLOB", "\\ab".encode("utf-16-le") + b"\0\0")),
        ("<type>FWP_SID</type><sid>S-1-0-0</sid>", Value("SID", "S-1-0-0")),
        ("<type>FWP_SECURITY_DESCRIPTOR_TYPE</type><sd>O:SYG:SYD:</sd>", Value("SECURITY_DESCRIPTOR", "O:SYG:SYD:")),
        ("<type>FWP_UNICODE_STRING_TYPE</type><unicodeString>x</unicodeString>", Value("UNICODE_STRING", "x")),
        ("<type>FWP_RANGE_TYPE</type><rangeValue><valueLow><type>FWP_UINT16</type><uint16>5</uint16></valueLow>"
         "<valueHigh><type>FWP_UINT16</type><uint16>9</uint16></valueHigh></rangeValue>",
         Value("RANGE", (Value("UINT16", 5), Value("UINT16", 9)))),
        ("<uint16>53</uint16>", Value("UINT16", 53)),
    ],
)  # fmt: skip
def test_every_value_type_is_read(value: str, expected: Value) -> None:
    policy = one(item(value))
    assert policy.filters[0].conditions[0].value == expected
    assert policy.not_understood == ()


def test_other_spellings_of_keys_are_one_key() -> None:
    policy = one(item(layer="{C38D57D1-05A7-4C33-904F-7FBCEEE60E82}", field="{C35A604D-D22B-4E1A-91B4-68F674EE674B}"))
    assert policy.filters[0].layer == "FWPM_LAYER_ALE_AUTH_CONNECT_V4"
    assert policy.filters[0].conditions[0].field == "FWPM_CONDITION_IP_REMOTE_PORT"
    assert policy.filters[0].key == "{aaaaaaaa-0000-0000-0000-000000000001}"


def test_a_filter_without_effective_weight_has_none_and_is_ordered_by_its_range() -> None:
    light = item(n=2).replace("<uint8>7<", "<uint8>6<")
    policy = read_policy(dump(light, item(n=1)))
    assert [f.effective_weight for f in policy.filters] == [None, None]
    assert policy.filters[1].weight == Weight("UINT8", 7)
    assert [f.filter_id for f in effective_order(policy.filters)] == [71, 72]
    assert effective_weight(policy.filters[1]) >> 60 == 7


def test_a_filter_without_conditions_and_without_some_elements_is_read() -> None:
    bare = re.sub(r"<filterCondition.*</filterCondition>", "<filterCondition/>", item(), flags=re.DOTALL)
    bare = bare.replace("<reserved/>", "").replace("<providerData/>", "").replace("<rawContext>0</rawContext>", "")
    policy = one(bare)
    assert policy.filters[0].conditions == () and policy.filters[0].raw_context is None
    assert policy.not_understood == ()


def test_what_has_no_place_is_told_once_with_line_and_count() -> None:
    policy = read_policy(
        dump(
            item(n=1, more="<novelty>1</novelty>"),
            item(n=2, more="<novelty>2</novelty>"),
            after="<oracle><a/></oracle>",
        ),
        name="d.xml",
    )
    assert [(entry.where, entry.what) for entry in policy.not_understood] == [
        ("d.xml, line 1", "<novelty> in a filter (2 times)"),
        (f"d.xml, line {1 + 2 * ITEM.count(chr(10))}", "<oracle> in <wfpdiag>"),
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (item(match="FWP_MATCH_NEAR"), "match type 'FWP_MATCH_NEAR' in a filter"),
        (item("<type>FWP_UINT16</type><uint16>70000</uint16>"),
         "a UINT16 value that is none ('70000' is no UINT16) in a filter"),
        (item("<type>FWP_STAR</type><star>x</star>"), "value type 'STAR' in a filter"),
        (item().replace("ACTION_BLOCK", "ACTION_NAP"), "action 'FWP_ACTION_NAP' in a filter"),
        (item().replace("<filterId>71", "<filterId>x71"), "<filterId> that is no number in a filter"),
        (item(more="words"), "text between the elements of a filter"),
        (item().replace("<weight>", "<weight kind='x'>"), "attribute kind"),
        (item(more="<rawContext>1</rawContext>"), "a second <rawContext> in a filter"),
    ],
)  # fmt: skip
def test_values_that_nobody_knows_stay_and_are_told(text: str, what: str) -> None:
    policy = one(text)
    assert what in [entry.what for entry in policy.not_understood]


def test_net_events_between_the_filters_are_counted_not_kept() -> None:
    events = "<netEvents>" + "<item><header><x/></header></item>" * 3 + "</netEvents>"
    policy = read_policy(dump(item(), before=events))
    assert policy.set_aside == (("netEvents", 3),) and policy.not_understood == ()


def test_bytes_that_are_no_text_cost_a_character_and_are_told() -> None:
    policy = read_policy(dump(item()).replace("Ü".encode(), b"\xdc"), name="d.xml")
    assert policy.filters[0].name == "\ufffdbung"
    assert policy.not_understood[0].where == "d.xml, line 2"


def test_a_repeated_filter_counts_once_and_a_changed_one_is_told() -> None:
    policy = read_policy(dump(item(), item(), item().replace("BLOCK", "PERMIT")))
    assert len(policy.filters) == 2 and policy.set_aside == (("repeated filter", 1),)
    assert [entry.what for entry in policy.not_understood] == ["a second one with the same key in a filter"]


SUBLAYER = "<subLayers><item><subLayerKey>{key}</subLayerKey><weight>{weight}</weight></item></subLayers>"


def test_two_of_another_kind_with_one_key_are_told() -> None:
    before = SUBLAYER.format(key="{s}", weight=1) + SUBLAYER.format(key="{s}", weight=2)
    policy = read_policy(dump(item(), before=before))
    assert [s.weight for s in policy.sublayers] == [1, 2]
    assert [entry.what for entry in policy.not_understood] == ["a second one with the same key in a sublayer"]


@pytest.mark.parametrize("weight", ["70000", "-1", "", "<x/>"])
def test_a_sublayer_weight_that_is_none_is_told(weight: str) -> None:
    policy = read_policy(dump(item(), before=SUBLAYER.format(key="{s}", weight=weight)))
    assert policy.sublayers[0].weight == 0
    assert "no weight from 0 to 65535 in it (taken as 0) in a sublayer" in [e.what for e in policy.not_understood]


ODD_PARTS = "<callouts><item><calloutKey/><displayData><name>c</name></displayData></item></callouts>" + "".join((
    "<layers><item><layer><layerKey/><field><item><fieldKey><a/></fieldKey><type><a/></type><dataType><a/></dataType>",
    "</item></field></layer></item></layers><providerContexts><item><providerContextKey/><classifyOptions><options>",
    "<item><type><a/></type></item></options></classifyOptions></item></providerContexts>",
))  # fmt: skip
WHOLE = item(more="<effectiveWeight><type>FWP_UINT64</type><uint64>5</uint64></effectiveWeight>")
TEXTS = [found.span(1) for found in re.finditer(r">([^<\s][^<]*)<", WHOLE)]


@pytest.mark.parametrize("put", ["", "<a><b/></a>", "<item>x</item>", "-1", "Ж", "x:y"])
def test_a_dump_with_anything_in_place_of_a_text_is_read_shown_and_written(put: str) -> None:
    odd = [WHOLE[:start] + put + WHOLE[end:] for start, end in TEXTS]
    odd.append(
        item(f"<type>FWP_BYTE_BLOB_TYPE</type><byteBlob><data>{put}</data><asString>{put}</asString></byteBlob>")
    )
    odd.append(item(f"<type>FWP_V4_ADDR_MASK</type><v4AddrMask><addr>{put}</addr><mask>{put}</mask></v4AddrMask>"))
    assert len(odd) > 16
    for text in odd:
        policy = read_policy(dump(text, before=ODD_PARTS), name="d.xml")
        assert read_policy(to_toml(policy).encode(), name="d.toml") == policy
        assert summary_text(policy, details=True).isascii() and lint_text(lint(policy), everything=True).isascii()


def test_what_a_filter_has_to_have_and_has_not_is_told() -> None:
    bare = one(item(field="", match="").replace("<type>FWP_ACTION_BLOCK</type>", ""))
    told = [entry.what for entry in bare.not_understood]
    assert told == [f"{what} in a filter" for what in ("no action", "a condition without a field",
                                                       "a condition without a match type")]  # fmt: skip
    assert [(c.field, c.match) for c in bare.filters[0].conditions] == [("(none)", "(none)")]


# ------------------------------------------------------------------------------------------------------------ hostile

GOOD = dump(item())
HOSTILE = {
    "empty": (b"", "this is empty"),
    "blank": (b" \n", "nothing but blanks"),
    "cut": (GOOD[:400], "cut off: the XML ends in the middle"),
    "bomb": (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares a document type"),
    "deep": (b"<wfpdiag><filters><item>" + b"<a>" * 200_000, "nests elements deeper than 64"),
    "deep-closed": (b"<items><item>" + b"<a>" * 99 + b"</a>" * 99 + b"</item></items>", "deeper than 64"),
    "deep-outside": (b"<a>" * 200_000, "nests elements deeper than 64"),
    "attribute": (b'<wfpdiag a="' + b"x" * 3_000_000 + b'"/>', "one tag, attribute or comment of more than 1 MiB"),
    "text": (b"<wfpdiag><filters><item><filterKey>" + b"x" * 9_000_000, "a record of more than 4 MiB"),
    "record": (b"<wfpdiag><filters><item>" + b"<x/>" * 2_000_000, "a record of more than 4 MiB"),
    "html": (b"<!DOCTYPE html><html></html>", "this is a web page"),
    "binary": (bytes(range(256)) * 20, "binary data"),
    "evtx": (b"ElfFile\0" + b"\0" * 5000, "event log (EVTX)"),
    "json": (b'{"a": 1}', "this is JSON"),
    "events": (b"<netEvents><item/></netEvents>", "give it to wfp-udp explain"),
    "log": (b"<Event><System><EventID>5156</EventID></System></Event>", "give it to wfp-udp explain"),
    "no-filters": (b"<wfpdiag><filters/></wfpdiag>", "without a filter, sublayer, callout or provider"),
    "after": (GOOD + b"hello", "something that is no XML after the last element"),
    "roots": (b"<a/>" * 5000, "more than 2000 root elements"),
    "gzip-cut": (gzip.compress(GOOD * 3)[:-30], "cut off"),
    "gzip-bomb": (gzip.compress(b"<wfpdiag>" + b" " * 60_000_000), "more than"),
    "gzip-twice": (gzip.compress(gzip.compress(GOOD)), "an archive inside an archive"),
    "zip-cut": (b"PK\x03\x04" + b"\0" * 100, "cut off"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_is_refused_in_one_line(name: str) -> None:
    data, words = HOSTILE[name]
    with pytest.raises(FsmError) as caught:
        read_policy(data, name="given")
    assert words in str(caught.value) and "\n" not in str(caught.value) and str(caught.value).startswith("given")


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.xml"):
        with pytest.raises(FsmError, match=re.escape(str(path))):
            read_policy(path)


@recorded
def test_every_cut_of_a_dump_is_refused() -> None:
    data = FILTERS.read_bytes()
    for end in range(10, len(data) - 12, 40_111):
        with pytest.raises(FsmError):
            read_policy(data[:end])
