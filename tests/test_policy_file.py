"""The policy file: one schema, every mistake with its line, and whatever was read can be written and read again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.errors import FsmError
from fsm.policy.checks import checked, condition_findings
from fsm.policy.errors import PolicyErrors
from fsm.policy.fields import FIELDS, canonical, find_field, layers_offering, offered
from fsm.policy.model import (
    ACTIONS,
    MATCH_TYPES,
    Behaviour,
    Callout,
    Condition,
    Filter,
    Policy,
    Provider,
    Sublayer,
    Value,
    Weight,
)
from fsm.policy.read import read_policy
from fsm.policy.schema import json_schema
from fsm.policy.toml_write import to_toml

TOP = Path(__file__).resolve().parent.parent
EVIDENCE = TOP.parent / "shared" / "evidence"
POLICIES = TOP / "tests" / "data" / "policies"
DUMPS = [
    EVIDENCE / "wfp-state/keploy_wfpstate.xml.gz",
    EVIDENCE / "wfp-filters/le_voile_filters.xml",
    EVIDENCE / "wfp-filters/ebpf_netebpfext_objects.xml",
    TOP / "tests/data/wfp-netevents/uwp_filter_121180.xml",
]
C = "FWPM_CONDITION_"
CONNECT = "FWPM_LAYER_ALE_AUTH_CONNECT_V4"


def policy_of(text: str) -> Policy:
    return read_policy(text.encode(), name="p.toml")


def filter_of(body: str, layer: str = "ALE_AUTH_CONNECT_V4") -> Filter:
    (found,) = policy_of(f'[[filter]]\nlayer = "{layer}"\naction = "permit"\n{body}\n').filters
    return found


def mistakes(text: str) -> list[str]:
    with pytest.raises(FsmError) as caught:
        policy_of(text)
    return str(caught.value).split("\n")


# ------------------------------------------------------------------------------------------------------------- reading


def test_the_example_says_what_it_means() -> None:
    policy = read_policy(POLICIES / "example.toml")
    by_key = {f.key: f for f in policy.filters}
    assert [f.layer.removeprefix("FWPM_LAYER_ALE_") for f in policy.filters if f.key.startswith("loopback")] == [
        "AUTH_CONNECT_V4", "AUTH_CONNECT_V6", "AUTH_RECV_ACCEPT_V4", "AUTH_RECV_ACCEPT_V6",
    ]  # fmt: skip
    assert by_key["loopback/ALE_AUTH_CONNECT_V6"].flags == ("CLEAR_ACTION_RIGHT",)
    assert by_key["loopback/ALE_AUTH_CONNECT_V6"].weight == Weight("UINT8", 15)
    dns = by_key["dns/ALE_AUTH_CONNECT_V6"]
    assert (dns.action, dns.callout) == ("CALLOUT_INSPECTION", "dns-inspector/ALE_AUTH_CONNECT_V6")
    assert [(c.field, c.value) for c in by_key["mdns/ALE_AUTH_CONNECT_V4"].conditions] == [
        (C + "IP_PROTOCOL", Value("UINT8", 17)),
        (C + "IP_REMOTE_ADDRESS", Value("UINT32", 0xE00000FB)),  # the IPv6 group is the other twin's
        (C + "IP_REMOTE_PORT", Value("UINT16", 5353)),
    ]
    tunnel = by_key["tunnel"].conditions
    assert tunnel[0].value.data == "C:\\Program Files\\Example\\vpn.exe".encode("utf-16-le") + b"\0\0"
    assert [c.match for c in tunnel] == ["EQUAL", "EQUAL", "EQUAL", "EQUAL", "RANGE"]
    assert by_key["stealth"].conditions[-1].match == "RANGE"
    lines = (POLICIES / "example.toml").read_text(encoding="ascii").splitlines()
    header = lines.index('name = "DHCP"')  # the line before it, from 1
    assert by_key["dhcp"].source == f"{POLICIES / 'example.toml'}, line {header}"
    assert policy.options == (("unicast_lifetime_s", "60"),)
    assert policy.callouts[0].behaviour == Behaviour(answer="continue", needs=("process",))
    assert policy.sublayers[1].provider == "Example VPN"


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("remote_port = 53", [("IP_REMOTE_PORT", "EQUAL", Value("UINT16", 53))]),
        ('remote_port = ["1-9", "0x10"]', [
            ("IP_REMOTE_PORT", "RANGE", Value("RANGE", (Value("UINT16", 1), Value("UINT16", 9)))),
            ("IP_REMOTE_PORT", "EQUAL", Value("UINT16", 16)),
        ]),
        ('local_port = ">= 1024"', [("IP_LOCAL_PORT", "GREATER_OR_EQUAL", Value("UINT16", 1024))]),
        ("remote_port_not = 53", [("IP_REMOTE_PORT", "NOT_EQUAL", Value("UINT16", 53))]),
        ('protocol = "ICMP"', [("IP_PROTOCOL", "EQUAL", Value("UINT8", 1))]),
        ('remote_address = "10.0.0.0/8"', [
            ("IP_REMOTE_ADDRESS", "EQUAL", Value("V4_ADDR_MASK", (10 << 24, 255 << 24)))]),
        ('remote_address = "10.0.0.1-10.0.0.2"', [("IP_REMOTE_ADDRESS", "RANGE", Value("RANGE", (
            Value("UINT32", (10 << 24) + 1), Value("UINT32", (10 << 24) + 2))))]),
        ('flags_none = ["IS_LOOPBACK", "FWP_CONDITION_FLAG_IS_REAUTHORIZE", 0x10]', [
            ("FLAGS", "FLAGS_NONE_SET", Value("UINT32", 0x15))]),
        ('package = "S-1-0-0"', [("ALE_PACKAGE_ID", "EQUAL", Value("SID", "S-1-0-0"))]),
        ('user = "O:SYG:SYD:"', [("ALE_USER_ID", "EQUAL", Value("SECURITY_DESCRIPTOR", "O:SYG:SYD:"))]),
        ('program = "hex:00ff"', [("ALE_APP_ID", "EQUAL", Value("BYTE_BLOB", b"\0\xff"))]),
        ('local_interface = "0xFFFFFFFFFFFFFFFF"', [("IP_LOCAL_INTERFACE", "EQUAL", Value("UINT64", 2**64 - 1))]),
        ('FWPM_CONDITION_IP_PROTOCOL = 17', [("IP_PROTOCOL", "EQUAL", Value("UINT8", 17))]),
    ],
)  # fmt: skip
def test_each_form_of_the_condition_table(when: str, expected: list[tuple[str, str, Value]]) -> None:
    found = filter_of(f"when = {{ {when} }}").conditions
    assert [(c.field.removeprefix(C), c.match, c.value) for c in found] == expected


def test_the_ports_of_the_icmp_layers_are_type_and_code_under_either_name() -> None:
    layer = "OUTBOUND_ICMP_ERROR_V4"
    named, ported = filter_of("when = { icmp_type = 3 }", layer), filter_of("when = { local_port = 3 }", layer)
    assert canonical(named.conditions[0].field) == canonical(ported.conditions[0].field) == C + "IP_LOCAL_PORT"
    assert canonical(C + "ICMP_CODE") == C + "IP_REMOTE_PORT"


@pytest.mark.parametrize(
    ("weight", "expected"),
    [("5", Weight("UINT64", 5)), ('"18446744073709551615"', Weight("UINT64", 2**64 - 1)),
     ('"range 3"', Weight("UINT8", 3)), ('"auto"', Weight())],
)  # fmt: skip
def test_each_form_of_a_weight(weight: str, expected: Weight) -> None:
    assert filter_of(f"weight = {weight}").weight == expected


# ------------------------------------------------------------------------------------------------------------ mistakes


def test_all_mistakes_of_a_file_are_told_with_their_lines() -> None:
    with pytest.raises(PolicyErrors) as caught:
        read_policy(POLICIES / "mistakes.toml")
    lines = (POLICIES / "mistakes.toml").read_text(encoding="ascii").splitlines()
    told = str(caught.value).split("\n")
    for line, word, nearest in [
        ("colour", "no key named 'colour'", ""),
        ("70000", "weight = 70000. Allowed: 0 to 65535", ""),
        ("AUTH_CONECT", "no layer named 'ALE_AUTH_CONECT'", "'ALE_AUTH_CONNECT'"),
        ("mein", "no sublayer named 'mein'", "'mine'"),
        ("blok", "no action named 'blok'", "'block'"),
        (
            "remote_port = 53 }",
            "OUTBOUND_IPPACKET_V4 does not offer IP_REMOTE_PORT",
            "Offered at: INBOUND_TRANSPORT_V4",
        ),
        ("nobody", "no callout named 'nobody'", ""),
        ("range 16", "weight = 'range 16'", "range 0 to range 15"),
        ("99999", "99999 does not fit IP_REMOTE_PORT", "0 to 65535"),
        ("udpp", "no value named 'udpp'", "'udp'"),
        ("fe80", "'fe80::' is no IPv4 address", ""),
        ("remote_prt", "no condition field named 'remote_prt'", "'remote_port'"),
        ("RIGTH", "no flag named 'CLEAR_ACTION_RIGTH'", "'CLEAR_ACTION_RIGHT'"),
    ]:
        number = next(at for at, text in enumerate(lines, 1) if line in text)
        fitting = [one for one in told if word in one]
        assert len(fitting) == 1, word
        assert f"mistakes.toml, line {number}" in fitting[0] and nearest in fitting[0]
    assert any("FLAGS_ALL_SET does not take a BYTE_BLOB (FWP_E_MATCH_TYPE_MISMATCH)" in one for one in told)
    assert any("IP_PROTOCOL is not compared with a UINT16 (FWP_E_TYPE_MISMATCH)" in one for one in told)
    assert len(told) == len(caught.value.errors) == 15


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[[filter]]\naction = "permit"', "p.toml, line 1, filter 1: a filter without a layer."),
        ('[[filter]]\nlayer = "ALE_AUTH_CONNECT"', "p.toml, line 1, filter 1: a filter without an action."),
        ('filter = 3', "p.toml, line 1: filter = 3 is not tables in double brackets."),
        ('[[sublayer]]\nname = "x"', "p.toml, line 1, sublayer 1: sublayer 'x' has no weight. Add weight = 0"),
        ('[[filter]\n', "p.toml, line 1: this is no TOML: Expected ']]' at the end of an array declaration."),
        ('a = 1\na = 2', "p.toml, line 2: this is no TOML: Cannot overwrite a value."),
        ('[[filter]]\nlayer = "ALE_AUTH_CONNECT"\naction = "permit"\nwhen = { remote_address = "10.0.0.1" }',
         "p.toml, line 4, filter 1: no IPv6 address, so the filter at ALE_AUTH_CONNECT_V6 would match any."),
        ('[[filter]]\nlayer = "Connect"\naction = "permit"\nwhen = { remote_port = [] }',
         "p.toml, line 4, filter 1: an empty list, which nothing matches."),
        ('[[filter]]\nlayer = "48"\naction = "callout"', "p.toml, line 3, filter 1: action 'callout' names no"),
        (2 * '[[filter]]\nlayer = "48"\naction = "permit"\nkey = "a"\n',
         "p.toml, line 5, filter 2: a second filter with the key 'a' (line 1)."),
        ('[options]\nmulticast_state = "maybe"', "p.toml, line 2: no multicast_state named 'maybe'."),
        ('[[filter]]\nlayer = "48"\naction = "block"\nflags = ["PERMIT_IF_CALLOUT_UNREGISTERED"]',
         "p.toml, line 1, filter 1: flag PERMIT_IF_CALLOUT_UNREGISTERED with action BLOCK."),
    ],
)  # fmt: skip
def test_a_mistake_says_where_what_and_how_to_mend_it(text: str, line: str) -> None:
    told = mistakes(text)
    assert told[0].startswith(line), told
    assert len(told) == 1


GOOD = '[[filter]]\nlayer = "ALE_AUTH_CONNECT_V4"\naction = "permit"\n'
TWICE = '[[callout]]\nname = "c"\nlayer = "AUTH_CONNECT_V4"\n[[callout]]\nname = "c"\nlayer = "AUTH_CONNECT_V6"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace("[[filter]]", "[filter]"), ["p.toml, line 1: filter = {'layer': 'ALE_AUTH_CONNECT_V4', "
         "'action': 'permit'} is not tables in double brackets. Write [[filter]]."]),
        ('[[sublayer]]\nname = "s"\nweight = "heavy"\n', ["p.toml, line 3, sublayer 1: weight = 'heavy' is no number "
         "from 0."]),
        ('[[filter]]\nlayer = 5\naction = 5\n', ["p.toml, line 2, filter 1: layer = 5 is not a layer or a list of "
         "layers.", "p.toml, line 3, filter 1: action = 5 is not text."]),
        (TWICE, ["p.toml, line 4, callout 2: a second callout with the key 'c' (line 1). Name all its layers in one "
         "callout, or give each a key of its own."]),
        ('[[sublayer]]\nname = "s"\nweight = 1\n' * 2, ["p.toml, line 4, sublayer 2: a second sublayer with the key "
         "'s' (line 1). Give each a key of its own."]),
        (GOOD + 'when = { program = "C:\\temp\\x.exe" }\n', ["p.toml, line 4, filter 1: 'C:\\temp\\\\x.exe' holds a "
         "control character; write paths between single quotes."]),
        (GOOD + "[[filter.condition]]\nfield = 'IP_PROTOCOL'\nmatch = ['EQUAL']\n", ["p.toml, line 6, filter 1: "
         "match = ['EQUAL'] is not text. Allowed: " + ", ".join(MATCH_TYPES) + "."]),
    ],
)  # fmt: skip
def test_one_mistake_is_told_once_and_says_what_mends_it(text: str, told: list[str]) -> None:
    assert mistakes(text.replace("\\x.exe", "\\\\x.exe")) == told


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ("when = {\nremote_port = 53 }", "A table in braces stands on one line"),
        ('when = { program = "C:\\Users\\x.exe" }', "Write paths between single quotes"),
        ('when = { program = "C:\\x.exe" }', "Write paths between single quotes"),
        ("sublayer = mine", "Text stands in quotation marks"),
        ('action = "block"', "Write each key once"),
        ("= 1", "See wfp-udp policy --help"),
    ],
)
def test_what_is_no_toml_says_what_mends_it(line: str, mend: str) -> None:
    (told,) = mistakes(GOOD + line + "\n")
    assert "this is no TOML" in told and mend in told


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_policy_file_of_a_windows_editor_or_shell_is_read(encoding: str) -> None:
    text = (POLICIES / "example.toml").read_text(encoding="ascii")
    there = read_policy(text.replace("\n", "\r\n").encode(encoding), name="p.toml")
    assert there == read_policy(text.encode(), name="p.toml") and len(there.filters) > 10


def test_mistakes_beyond_a_hundred_are_counted() -> None:
    told = mistakes("\n".join(f"wrong{n} = 1" for n in range(150)))
    assert len(told) == 101 and "50 more mistakes" in told[-1]


def test_an_unknown_guid_stays_and_an_unknown_name_does_not() -> None:
    guid = "{12345678-1234-1234-1234-1234567890ab}"
    long = f'[[filter.condition]]\nfield = "{guid}"\ntype = "UINT32"\nvalue = 1'
    assert filter_of(long).conditions[0].field == guid
    assert (
        "no condition field named 'NOPE'"
        in mistakes('[[filter]]\nlayer = "48"\naction = "permit"\n[[filter.condition]]\nfield = "NOPE"\nvalue = 1')[0]
    )


# ---------------------------------------------------------------------------------------------------- fields and layers


def test_a_field_is_found_by_all_its_names() -> None:
    for name in (
        "remote_port",
        "IP_REMOTE_PORT",
        "FWPM_CONDITION_IP_REMOTE_PORT",
        "c35a604d-d22b-4e1a-91b4-68f674ee674b",
    ):
        assert find_field(name, "").name == C + "IP_REMOTE_PORT"
    assert find_field("program", "").name == C + "ALE_APP_ID"
    with pytest.raises(FsmError, match="Did you mean 'remote_port'"):
        find_field("remote_prot", "")


def test_the_main_layers_offer_what_the_documents_and_a_real_machine_say() -> None:
    packet = offered("FWPM_LAYER_OUTBOUND_IPPACKET_V4")
    assert C + "IP_REMOTE_ADDRESS" in packet and C + "IP_REMOTE_PORT" not in packet and C + "IP_PROTOCOL" not in packet
    assert C + "ALE_APP_ID" in offered(CONNECT) and C + "ALE_APP_ID" not in offered("FWPM_LAYER_OUTBOUND_TRANSPORT_V4")
    assert "FWPM_LAYER_INBOUND_ICMP_ERROR_V4" in layers_offering(C + "ICMP_TYPE")
    assert all(field.canonical in FIELDS for field in FIELDS.values())


@pytest.mark.skipif(not DUMPS[0].exists(), reason="the recordings are not here")
def test_every_field_that_a_real_machine_lists_is_offered_at_its_layer() -> None:
    for entry in read_policy(DUMPS[0]).layers:
        listed = {canonical(name) for name, _, _ in entry.fields}
        assert not entry.key.startswith("FWPM_LAYER_") or listed <= offered(entry.key) | {
            name for name in listed if name not in FIELDS
        }, entry.key


def test_python_objects_are_checked() -> None:
    base = Filter("k", "n", CONNECT, "FWPM_SUBLAYER_UNIVERSAL", "PERMIT")
    policy = Policy(filters=(base,))
    assert checked(policy) is policy
    bad: list[tuple[dict[str, Any], str]] = [
        ({"layer": "ALE_AUTH_CONNECT"}, "no layer named 'ALE_AUTH_CONNECT'"),
        ({"sublayer": "mine"}, "no sublayer named 'mine'"),
        ({"action": "DENY"}, "no action named 'DENY'"),
        ({"action": "CALLOUT_TERMINATING"}, "without a callout"),
        ({"weight": Weight("UINT8", 16)}, "FWP_E_INVALID_WEIGHT"),
        ({"conditions": (Condition(C + "ETHER_TYPE", "EQUAL", Value("UINT16", 1)),)}, "does not offer ETHER_TYPE"),
        ({"conditions": (Condition(C + "IP_PROTOCOL", "RANGE", Value("UINT8", 1)),)}, "RANGE does not take a UINT8"),
        ({"conditions": (Condition(C + "IP_REMOTE_ADDRESS", "EQUAL", Value("BYTE_ARRAY16", 1)),)}, "TYPE_MISMATCH"),
    ]  # fmt: skip
    for changes, words in bad:
        with pytest.raises(FsmError, match=re.escape(words)) as caught:
            checked(Policy(filters=(replace(base, **changes),)))
        assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("path", DUMPS, ids=[path.name for path in DUMPS])
def test_a_dump_written_as_a_policy_file_reads_back_equal(path: Path) -> None:
    if not path.exists():
        pytest.skip("the recordings are not here")
    policy = read_policy(path)
    text = to_toml(policy)
    assert text.isascii()
    assert read_policy(text.encode()) == policy


def test_what_nobody_knows_survives_the_round_trip() -> None:
    odd = (
        Condition("FWPM_CONDITION_NOVEL", "NEAR", Value("STAR", "x")),
        Condition("{12345678-1234-1234-1234-1234567890ab}", "EQUAL", Value("UINT16", "70000")),
        Condition(C + "IP_REMOTE_PORT", "EQUAL", Value("EMPTY", None)),
        Condition(C + "IP_REMOTE_ADDRESS", "EQUAL", Value("V4_ADDR_MASK", (10 << 24, 0xFF00FF00))),
    )
    one = Filter("", "ünï\n\"'\\", "FWPM_LAYER_NOVEL", "{s}", "NAP", odd, flags=("00000020", "CLEAR_ACTION_RIGHT"),
                 callout="FWPM_CALLOUT_NOVEL", provider="who", source="d.xml, line 3")  # fmt: skip
    policy = Policy(filters=(one, one), source="d.xml", set_aside=(("a b", 3),))
    assert read_policy(to_toml(policy).encode()) == policy


_ints = {8: "UINT8", 16: "UINT16", 32: "UINT32", 64: "UINT64"}
_names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def _values(types: tuple[str, ...]) -> st.SearchStrategy[Value]:
    choices: dict[str, Callable[[], st.SearchStrategy[Value]]] = {
        **{name: (lambda bits=bits, name=name: st.integers(0, 2**bits - 1).map(lambda n: Value(name, n)))
           for bits, name in _ints.items()},
        "V4_ADDR_MASK": lambda: st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)).map(
            lambda pair: Value("V4_ADDR_MASK", pair)),
        "V6_ADDR_MASK": lambda: st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(
            lambda pair: Value("V6_ADDR_MASK", pair)),
        "BYTE_ARRAY16": lambda: st.integers(0, 2**128 - 1).map(lambda n: Value("BYTE_ARRAY16", n)),
        "BYTE_ARRAY6": lambda: st.integers(0, 2**48 - 1).map(lambda n: Value("BYTE_ARRAY6", n)),
        "BYTE_BLOB": lambda: st.one_of(
            st.binary(max_size=8), _names.map(lambda text: text.encode("utf-16-le") + b"\0\0")
        ).map(lambda data: Value("BYTE_BLOB", data)),
    }  # fmt: skip
    return st.sampled_from(types).flatmap(
        lambda name: choices[name]() if name in choices else _names.map(lambda text: Value(name, text))
    )


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    field = FIELDS[draw(st.sampled_from(sorted(offered(CONNECT))))]
    types = field.value_types(4)
    if draw(st.booleans()) and types[0].startswith("UINT"):
        match = draw(
            st.sampled_from(["RANGE", "FLAGS_ALL_SET", "FLAGS_NONE_SET", "NOT_EQUAL", "GREATER", "LESS_OR_EQUAL"])
        )
        if match == "RANGE":
            ends = draw(st.tuples(_values(types[:1]), _values(types[:1])))
            return Condition(field.name, match, Value("RANGE", ends))
        return Condition(field.name, match, draw(_values(types[:1])))
    return Condition(field.name, "EQUAL", draw(_values(types)))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    providers = tuple(Provider(f"p{n}", draw(_names)) for n in range(draw(st.integers(0, 2))))
    sublayers = tuple(
        Sublayer(f"s{n}", draw(_names), draw(st.integers(0, 65535)), description=draw(_names))
        for n in range(draw(st.integers(1, 3)))
    )
    callouts = tuple(
        Callout(f"c{n}", draw(_names), CONNECT, draw(st.sampled_from([None, True, False])),
                behaviour=Behaviour(draw(st.sampled_from(["permit", "block", "unknown"])), draw(st.booleans())))
        for n in range(draw(st.integers(1, 2)))
    )  # fmt: skip
    filters = []
    for number in range(draw(st.integers(0, 4))):
        action = draw(st.sampled_from(sorted(ACTIONS)))
        filters.append(
            Filter(
                key=f"f{number}",
                name=draw(_names),
                layer=CONNECT,
                sublayer=draw(st.sampled_from(sublayers)).key,
                action=action,
                conditions=tuple(draw(st.lists(conditions(), max_size=5))),
                weight=draw(st.one_of(st.just(Weight()), st.integers(0, 15).map(lambda n: Weight("UINT8", n)),
                                      st.integers(0, 2**64 - 1).map(lambda n: Weight("UINT64", n)))),
                effective_weight=draw(st.one_of(st.none(), st.integers(0, 2**64 - 1))),
                flags=tuple(draw(st.permutations(["CLEAR_ACTION_RIGHT", "PERSISTENT"]))[: draw(st.integers(0, 2))]),
                callout=callouts[0].key if action.startswith("CALLOUT") else "",
                provider=draw(st.sampled_from(["", *(one.key for one in providers)])),
                filter_id=draw(st.one_of(st.none(), st.integers(0, 2**64 - 1))),
                source="d.xml, line 1",
            )
        )  # fmt: skip
    return Policy(tuple(filters), sublayers, callouts, providers, source="d.xml")


@settings(max_examples=150, deadline=None)
@given(policies())
def test_any_policy_written_reads_back_equal(policy: Policy) -> None:
    assert read_policy(to_toml(policy).encode()) == policy


@settings(max_examples=100, deadline=None)
@given(st.lists(conditions(), min_size=1, max_size=3))
def test_generated_conditions_go_together_by_the_documents(generated: list[Condition]) -> None:
    one = Filter("k", "n", CONNECT, "s", "PERMIT", tuple(generated))
    assert [finding.what for finding in condition_findings(one)] == []


# -------------------------------------------------------------------------------------------------- schema and command


def test_the_published_schema_is_the_one_of_the_reader() -> None:
    published = json.loads((TOP / "fsm/data/policy.schema.json").read_text(encoding="ascii"))
    assert published == json.loads(json.dumps(json_schema()))
    assert set(published["$defs"]["filter"]["required"]) == {"layer", "action"}
    assert MATCH_TYPES[0] == "EQUAL"


def test_the_command_counts_as_json(wfp: Any) -> None:
    status, out, _ = wfp("policy", str(POLICIES / "example.toml"), "--format", "json")
    found = json.loads(out)
    assert status == 0
    assert (found["filters"], found["sublayers"], found["callouts"], found["providers"]) == (15, 2, 2, 1)
    assert found["by_layer"][CONNECT] == 6 and sum(found["by_layer"].values()) == 15
    assert found["by_action"] == {"PERMIT": 8, "BLOCK": 5, "CALLOUT_INSPECTION": 2}
    assert found["not_evaluable"] == [] and found["read"]["not_understood"] == []


@pytest.mark.skipif(not DUMPS[0].exists(), reason="the recordings are not here")
def test_the_command_lists_one_layer_in_the_order_of_asking(wfp: Any) -> None:
    status, out, _ = wfp("policy", str(DUMPS[0]), "--layer", "13")
    assert status == 0 and out.isascii()
    assert "INBOUND_TRANSPORT_V4_DISCARD" in out and "ALE_AUTH_CONNECT_V4" not in out
    assert "flags_none" in out and "WFP_TRANSPORT_LAYER_V4_SILENT_DROP" in out


def test_what_the_command_writes_as_toml_it_reads(wfp: Any, tmp_path: Path) -> None:
    status, out, _ = wfp("policy", str(POLICIES / "example.toml"), "--format", "toml")
    assert status == 0
    again = tmp_path / "again.toml"
    again.write_text(out, encoding="ascii")
    assert read_policy(again) == read_policy(POLICIES / "example.toml")


def test_the_command_refuses_with_status_2(wfp: Any) -> None:
    status, out, err = wfp("policy", str(POLICIES / "mistakes.toml"))
    assert status == 2 and out == "" and len(err.splitlines()) == 15 and "Traceback" not in err
    status, _, err = wfp("policy", str(POLICIES / "example.toml"), "--layer", "NOPE")
    assert status == 2 and err.startswith("error: --layer: no layer named 'NOPE'")


def test_the_page_shows_parts_of_the_example() -> None:
    page = (TOP / "diagrams/pages/policy-file.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    first = policy_of(blocks[0])
    assert [f.action for f in first.filters] == ["PERMIT"] * 5
    assert filter_of(blocks[1], "OUTBOUND_ICMP_ERROR_V4").conditions[0].match == "RANGE"
    assert len(policy_of(blocks[2]).callouts) == 2
    for written in re.findall(r"^\| `([a-z_]+ = .*?)` \|", page, re.MULTILINE):
        assert len(filter_of(f"when = {{ {written} }}").conditions) == 1, written
