# ruff: noqa: E501  (rows: columns beat the formatter)
"""Every code: the record that gets it, what it says, and what takes it away again."""

from __future__ import annotations

from typing import Any

import pytest
from explain_records import ME, OTHER, PEER, accept, bind, connect, drop, explained, last, record, twin

from fsm.explain.codes import CODES, LAYER_WORDS, LAYER_WORDS_OF, ORIGINS, VARIANTS
from fsm.explain.reading import NO_DATAGRAM, TCP, read
from fsm.logs import LogEvent
from fsm.sources import SOURCES

PRECEDENCE = [
    "icmp_error_for_own_flow", "icmp_twin", "late_reply", "no_listener", "vetoed", "blocked_bind", "blocked_connect",
    "blocked_accept", "blocked_packet", "group_traffic", "permitted_connect", "permitted_accept", "bind",
]  # fmt: skip


def net(event_type: str, layer: int | None, **more: Any) -> LogEvent:
    ends = {"local_address": ME, "local_port": 64773, "remote_address": PEER, "remote_port": 53}
    return record(None, layer, event_type=event_type, **{**ends, **more})


# id, the records (the last one is looked at), code, confidence, words that the text must have
CASES: list[tuple[str, list[LogEvent], str, str, list[str]]] = [
    ("icmp-error-after-connect", [connect(), drop(layer=28, at=0.001)], "icmp_error_for_own_flow", "certain",
     ["sent itself", f"{ME}:64773", f"{PEER}:53", "INBOUND_ICMP_ERROR_V4 (layer 28)", "1 ms before", "nobody tried"]),
    ("icmp-error-alone", [drop(layer=28)], "icmp_error_for_own_flow", "likely", ["only the layer says"]),
    ("icmp-error-v6", [drop("[2001:db8::1]:53", "[2001:db8::2]:99", layer=30)], "icmp_error_for_own_flow", "likely", []),
    ("twin", [drop(), twin()], "icmp_twin", "certain", ["ICMP error", PEER, "record 1", "in the same millisecond"]),
    ("twin-v6", [drop("[fe80::1]:53", "[fe80::2]:99", layer=15), twin("[fe80::2]:0", "[fe80::1]:0", layer=34, protocol=58)],
     "icmp_twin", "certain", []),
    ("suppressed-error-alone", [twin()], "blocked_packet", "certain", ["wanted to send", "not in the log"]),
    ("late-reply", [bind(64773), connect(at=1.0), drop(at=1.052)], "late_reply", "certain",
     ["socket that asked is gone", "svchost.exe (process 1124)", "52 ms before (record 2)", "filter 70764", "would not help"]),
    ("late-reply-port-taken-again", [connect(at=0.0), bind(64773, at=1.0), drop(at=1.1)], "late_reply", "likely", ["was bound anew"]),
    ("nothing-handles-it", [drop(protocol=50)], "no_listener", "certain", ["handles the protocol"]),
    ("nothing-waits-for-it", [drop(protocol=1)], "no_listener", "certain", ["waits for it"]),
    ("late-reply-v6", [connect("[fe80::2]:99", "[fe80::1%7]:53", layer=50), drop("[fe80::1]:53", "[fe80::2]:99", layer=15)],
     "late_reply", "certain", []),
    ("late-reply-at-ip-discard", [connect(), drop(layer=1)], "late_reply", "likely", ["INBOUND_IPPACKET_V4_DISCARD"]),
    ("late-reply-after-minutes", [connect(at=0.0), drop(at=59.9), drop(at=200.0)], "late_reply", "likely", ["more than 60 s"]),
    ("no-listener", [drop()], "no_listener", "certain", ["found no socket", "no earlier use of port 64773"]),
    ("no-listener-v6", [drop("[fe80::1]:53", "[fe80::2]:99", layer=15)], "no_listener", "certain", []),
    ("no-listener-at-ip-discard", [drop(layer=3)], "no_listener", "likely", ["more causes"]),
    ("no-listener-port-was-bound", [bind(64773, at=0.0), drop(at=2.0)], "no_listener", "likely", ["bound port 64773 2.0 s before"]),
    ("no-listener-other-peer", [connect(dest=f"{OTHER}:53"), drop()], "no_listener", "likely", [f"for {OTHER}:53", "not for this"]),
    ("no-listener-server-gone", [accept(f"{PEER}:53", f"{ME}:64773"), drop(at=3.0)], "no_listener", "certain", ["took datagrams"]),
    ("veto", [record(5153, 44, f"{ME}:5353", direction="inbound")], "vetoed", "likely", ["more restrictive", "ALE_AUTH_RECV_ACCEPT"]),
    ("veto-of-own", [connect(), record(5153, 44, f"{ME}:64773", direction="inbound")], "vetoed", "certain", []),
    ("bind-refused", [bind(53, "0.0.0.0", event_id=5159, filter_id=7)], "blocked_bind", "certain",
     ["svchost.exe (process 1124) was refused UDP port 53", "filter 7"]),
    ("listen-refused", [bind(53, event_id=5155, layer=40)], "blocked_bind", "certain", ["UDP does not have"]),
    ("connect-refused", [connect(event_id=5157)], "blocked_connect", "certain", ["was not allowed to send UDP", f"{PEER}:53"]),
    ("connect-refused-twice", [connect(event_id=5152), connect(event_id=5157)], "blocked_connect", "certain", ["one incident"]),
    ("connect-refused-v6", [connect("[fe80::2]:99", "[fe80::1]:53", layer=50, event_id=5157)], "blocked_connect", "certain", []),
    ("accept-refused", [accept(event_id=5152)], "blocked_accept", "certain", ["was not let in to svchost.exe", f"{PEER}:5000"]),
    ("accept-refused-after-query", [connect(at=0.0), accept(f"{PEER}:53", f"{ME}:64773", event_id=5152, at=70.0)],
     "blocked_accept", "certain", ["had sent to this peer"]),
    ("accept-refused-broadcast", [accept(f"{PEER}:138", "198.51.100.255:138", event_id=5152)], "blocked_accept", "certain",
     ["broadcast address (likely"]),
    ("packet-in", [drop(layer=12)], "blocked_packet", "certain", [f"UDP from {PEER}:53 to {ME}:64773 was dropped"]),
    ("packet-out", [record(5152, 16, f"{ME}:1", f"{PEER}:2", direction="outbound")], "blocked_packet", "certain", [f"from {ME}:1 to"]),
    ("packet-out-ip", [record(5152, 4, f"{ME}:0", f"{PEER}:0", direction="outbound", protocol=None)], "blocked_packet", "certain", []),
    ("packet-data-in", [connect(), drop(layer=24)], "blocked_packet", "certain", ["belongs to the flow"]),
    ("packet-data-out-v6", [record(5152, 26, "[fe80::2]:1", "[fe80::1]:2", direction="outbound")], "blocked_packet", "certain", []),
    ("5152-at-bind", [connect(), drop(layer=36)], "blocked_bind", "certain", []),
    ("forwarded", [record(5152, 8, f"{PEER}:1", f"{OTHER}:2", direction="forward")], "blocked_packet", "possible",
     ["through this host", "which of them is local is not known"]),
    ("group-out", [connect(dest="239.255.255.250:1900")], "group_traffic", "certain", ["sent UDP to the group 239.255.255.250:1900"]),
    ("group-in", [accept(dest="224.0.0.251:5353")], "group_traffic", "certain", ["received UDP for the group"]),
    ("group-own-copy", [connect(dest="224.0.0.251:5353"), accept(f"{ME}:5353", "224.0.0.251:5353")], "group_traffic", "certain",
     ["own datagram, heard again"]),
    ("group-v6", [accept("[fe80::1]:0", "[ff02::1]:134", layer=46, protocol=58)], "group_traffic", "certain", ["ICMPv6 router advertisement (type 134 code 0)", "no program and no port"]),
    ("igmp", [connect(f"{ME}:0", "224.0.0.22:0", protocol=2)], "group_traffic", "certain", ["IGMP"]),
    ("igmp-refused", [accept(f"{PEER}:0", "224.0.0.1:0", protocol=2, event_id=5157)], "blocked_accept", "certain",
     ["sent IGMP to 224.0.0.1", "no program and no port", "membership can run out"]),
    ("igmp-out-refused", [connect(f"{ME}:0", "224.0.0.22:0", protocol=2, event_id=5157)], "blocked_connect", "certain", ["stop forwarding"]),
    ("igmp-unicast", [connect(f"{ME}:0", f"{PEER}:0", protocol=2)], "permitted_connect", "certain", [f"sent IGMP to {PEER}"]),
    ("igmp-unicast-in", [connect(), accept(f"{PEER}:0", f"{ME}:0", protocol=2)], "permitted_accept", "certain", [f"{PEER} sent IGMP"]),
    ("group-refused", [accept(dest="224.0.0.251:5353", event_id=5152)], "blocked_accept", "certain", ["each is asked about by itself"]),
    ("group-out-refused", [connect(dest="224.0.0.251:5353", event_id=5157)], "blocked_connect", "certain", ["no answers get in by it"]),
    ("group-no-listener", [drop(dest="224.0.0.251:9")], "no_listener", "certain", ["no ICMP error is made"]),
    ("neighbour-out", [connect("[fe80::2]:135", "[fe80::1]:0", layer=50, protocol=58)], "permitted_connect", "certain",
     ["sent ICMPv6 neighbour solicitation (type 135 code 0) to fe80::1"]),
    ("neighbour-in", [connect("[fe80::2]:1", "[fe80::1]:2", layer=50), accept("[fe80::1]:0", "[fe80::2]:135", layer=46, protocol=58)],
     "permitted_accept", "certain", ["fe80::1 sent ICMPv6 neighbour solicitation", "no program and no port"]),
    ("neighbour-refused", [connect("[fe80::2]:1", "[fe80::1]:2", layer=50), accept("[fe80::1]:0", "[fe80::2]:135", layer=46, protocol=58, event_id=5157)],
     "blocked_accept", "certain", ["which was not let in"]),
    ("neighbour-out-refused", [connect("[fe80::2]:135", "[fe80::1]:0", layer=50, protocol=58, event_id=5157)], "blocked_connect", "certain", ["stack's own"]),
    ("ping-refused", [connect(), accept(f"{PEER}:0", f"{ME}:8", protocol=1, event_id=5152)], "blocked_accept", "certain",
     ["echo request (ping, ICMP type 8 code 0)", "The stack itself (System) answers"]),
    ("ping-out-refused", [connect(f"{ME}:8", f"{PEER}:0", protocol=1, event_id=5157)], "blocked_connect", "certain",
     ["a rule for the program does not match"]),
    ("ping-group", [connect(f"{ME}:8", "224.0.0.1:0", protocol=1)], "group_traffic", "certain", ["echo request (ping", "the replies are not"]),
    ("flow-again-out", [net("CLASSIFY_ALLOW", 48, reauthorize_reason=0x8)], "permitted_connect", "certain",
     ["may go on exchanging", "(PROFILE_CROSSING, 0x8)", "no new flow"]),
    ("flow-again-in", [net("CLASSIFY_ALLOW", 44, reauthorize_reason=0x1)], "permitted_accept", "certain", ["which sent first", "no new flow"]),
    ("flow-again-out-refused", [net("CLASSIFY_DROP", 48, reauthorize_reason=0x1)], "blocked_connect", "certain", ["to go on sending", "ends it"]),
    ("flow-again-in-refused", [net("CLASSIFY_DROP", 44, reauthorize_reason=0x1)], "blocked_accept", "certain", ["had been let in", "ends it"]),
    ("completed-out", [net("CLASSIFY_ALLOW", 48, reauthorize_reason=0x10)], "permitted_connect", "certain", ["a callout had held", "is lost"]),
    ("completed-in", [net("CLASSIFY_ALLOW", 44, reauthorize_reason=0x10)], "permitted_accept", "certain", ["speaks for the first"]),
    ("completed-out-refused", [net("CLASSIFY_DROP", 48, reauthorize_reason=0x10)], "blocked_connect", "certain", ["at its completion"]),
    ("completed-in-refused", [net("CLASSIFY_DROP", 44, reauthorize_reason=0x10)], "blocked_accept", "certain", ["at its completion"]),
    ("broadcast", [connect(dest="255.255.255.255:67")], "group_traffic", "certain", ["broadcast"]),
    ("likely-broadcast", [connect(dest="198.51.100.255:137")], "group_traffic", "likely", ["netmask"]),
    ("connect", [connect()], "permitted_connect", "certain", ["svchost.exe (process 1124) on", "60 s"]),
    ("ping-out", [connect(f"{ME}:8", f"{PEER}:0", protocol=1)], "permitted_connect", "certain", ["sent", "echo request (ping, ICMP type 8 code 0)", "the replies are not"]),
    ("ping-in", [connect(), accept(f"{PEER}:0", f"{ME}:8", protocol=1)], "permitted_accept", "certain", ["echo request (ping, ICMP type 8 code 0)", "no program and no port"]),
    ("accept", [connect(), accept()], "permitted_accept", "certain", [f"{PEER}:5000, which sent first"]),
    ("accept-orientation-assumed", [accept()], "permitted_accept", "likely", ["assumed"]),
    ("bind", [bind(5353)], "bind", "certain", ["took UDP port 5353 on all addresses"]),
    ("bind-one-address", [bind(68, ME)], "bind", "certain", [f"on {ME}"]),
    ("net-drop-accept", [net("CLASSIFY_DROP", 44, direction="outbound")], "blocked_accept", "certain", ["the layer decides"]),
    ("net-drop-connect", [net("CLASSIFY_DROP", 48)], "blocked_connect", "certain", []),
    ("net-drop-public", [net("FWPM_NET_EVENT_TYPE_PUBLIC_CLASSIFY_DROP", 50)], "blocked_connect", "certain", []),
    ("net-drop-bind", [net("CLASSIFY_DROP", 36)], "blocked_bind", "certain", []),
    ("net-drop-no-listener", [net("CLASSIFY_DROP", 13)], "no_listener", "certain", []),
    ("net-late-reply", [net("CLASSIFY_ALLOW", 48), net("CLASSIFY_DROP", 13)], "late_reply", "certain", []),
    ("net-drop-packet", [net("CLASSIFY_DROP", 24, direction="outbound")], "blocked_packet", "certain", []),
    ("net-allow-connect", [net("CLASSIFY_ALLOW", 48)], "permitted_connect", "certain", []),
    ("net-allow-accept", [net("CLASSIFY_ALLOW", 44)], "permitted_accept", "certain", []),
    ("capability-drop", [net("CAPABILITY_DROP", None)], "blocked_connect", "possible", ["network capabilities"]),
    ("capability-allow", [net("CAPABILITY_ALLOW", None)], "permitted_connect", "possible", []),
    ("ipsec-drop", [net("IPSEC_KERNEL_DROP", 12, direction="inbound")], "blocked_packet", "certain", ["IPsec dropped it"]),
]  # fmt: skip


@pytest.mark.parametrize(("events", "code", "confidence", "words"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_record_gets_its_code(events: list[LogEvent], code: str, confidence: str, words: list[str]) -> None:
    got = last(*events)
    assert (got["code"], got["confidence"]) == (code, confidence), got["text"]
    for word in words:
        assert word in got["text"]
    assert got["text"].endswith(".") and "{" not in got["text"] and "None" not in got["text"]
    for field in ("next_check", "application_sees", "remote_sees", "cite", "title"):
        assert got[field]


def test_every_code_has_a_case() -> None:
    assert set(CODES) == {case[2] for case in CASES}
    assert list(CODES) == PRECEDENCE


def test_every_variant_has_a_case() -> None:
    said = {last(*case[1])["text"] for case in CASES}
    for (code, kind), variant in VARIANTS.items():
        words = (variant.sentence or variant.means).partition("{")[0] or variant.means
        assert code in CODES and any(words.format_map({}) in text for text in said), (code, kind)
        assert set(variant.cite) <= set(SOURCES)


@pytest.mark.parametrize("code", CODES)
def test_code_cites_known_sources(code: str) -> None:
    assert set(CODES[code].cite) <= set(SOURCES)


def test_origins_cite_known_sources() -> None:
    assert {key for origin in ORIGINS.values() for key in origin.cite} <= set(SOURCES)


def test_layer_words_name_real_layers() -> None:
    from fsm.catalogue import layers

    stems = {layer.stem for layer in layers()}
    assert set(LAYER_WORDS) <= stems and {stem for stem, _ in LAYER_WORDS_OF} <= stems


ORIGIN_WORDS = [
    ("Stealth", "port scans"),
    ("Query User Default", "Query User"),
    ("Quarantine Default", "Get-NetIPInterface"),
    ("Boottime Default", "BFE"),
    ("Boot time default", "BFE"),
    ("AppContainer Loopback", "CheckNetIsolation"),
    ("WSH Default", "declare the traffic"),
    ("UWP Default", "capability"),
    ("{A549B7CF-0542-4B67-93F9-EEBCDD584377}", "Get-NetFirewallRule -Name"),
]


@pytest.mark.parametrize(("origin", "words"), ORIGIN_WORDS)
def test_filter_origin_is_explained_and_checked(origin: str, words: str) -> None:
    got = last(accept(event_id=5157, filter_origin=origin))
    assert f'Filter origin "{origin}"' in got["text"]
    assert words in got["next_check"]


def test_origin_unknown_says_nothing_and_names_the_filter() -> None:
    got = last(accept(event_id=5157, filter_origin="Unknown", filter_id=4711))
    assert "Filter origin" not in got["text"]
    assert "filter id 4711" in got["next_check"]


def test_quarantine_check_names_the_interface() -> None:
    got = last(accept(event_id=5157, filter_origin="Quarantine Default", extra={"InterfaceIndex": "5"}))
    assert "-InterfaceIndex 5" in got["next_check"]


def test_reauthorization_reasons_are_named() -> None:
    got = last(net("CLASSIFY_DROP", 44, reauthorize_reason=0x9 | 0x4000000))
    assert got["reauthorize_reason"] == {
        "value": 0x4000009,
        "bits": ["POLICY_CHANGE", "PROFILE_CROSSING", "unknown bits 0x4000000"],
    }
    assert "(POLICY_CHANGE, 0x1); the network profile has changed (PROFILE_CROSSING, 0x8)" in got["text"]
    assert "unknown bits 0x4000000" in got["text"] and "the refusal ends it" in got["text"]
    assert "reauthorization" in got["tags"]
    assert got["rule"].startswith("receive.accept.block")


def test_layer_id_wins_over_recorded_direction() -> None:
    got = last(net("CLASSIFY_DROP", 44, direction="outbound"))
    assert got["packet_direction"] == "inbound"
    assert "recorded_direction_ignored" in got["tags"]


@pytest.mark.parametrize(
    ("event", "stem"),
    [
        (bind(53, "0.0.0.0"), "ALE_RESOURCE_ASSIGNMENT"),
        (connect(), "ALE_AUTH_CONNECT"),
        (accept(), "ALE_AUTH_RECV_ACCEPT"),
        (drop(layer_code="%%14597"), "INBOUND_TRANSPORT_DISCARD"),
        (drop(layer_code="Transport"), "INBOUND_TRANSPORT_DISCARD"),
        (drop(layer_code="%%14601"), "INBOUND_ICMP_ERROR"),
        (twin(layer_code="%%14601"), "OUTBOUND_ICMP_ERROR"),
        (drop(layer_code="%%14610"), "ALE_AUTH_RECV_ACCEPT"),
    ],
)
def test_layer_follows_from_words_when_the_id_is_missing(event: LogEvent, stem: str) -> None:
    from dataclasses import replace

    got = last(replace(event, runtime_id=None))
    assert got["layer"] == f"FWPM_LAYER_{stem}_V4".replace("_DISCARD_V4", "_V4_DISCARD")
    assert "layer_inferred" in got["tags"]
    assert got["confidence"] == "likely"


def test_unknown_layer_is_still_explained() -> None:
    got = last(drop(layer=250))
    assert (got["code"], got["layer"], got["runtime_id"]) == ("blocked_packet", None, 250)
    assert got["confidence"] == "possible"


OTHER_RECORDS = [
    (connect(protocol=6), TCP),
    (record(5157, 44, f"{PEER}:1", f"{ME}:2", protocol=6), TCP),
    (record(5152, 20, f"{PEER}:1", f"{ME}:2"), TCP),
    (record(5154, 40, f"{ME}:80", protocol=6), TCP),
    (record(5154, 40, f"{ME}:80", protocol=None), NO_DATAGRAM),
    (record(5031, None), NO_DATAGRAM),
    (record(5447, None), NO_DATAGRAM),
    (record(5150, None), NO_DATAGRAM),
    (record(5151, 58), NO_DATAGRAM),
    (net("IKEEXT_MM_FAILURE", None), NO_DATAGRAM),
    (net("CLASSIFY_DROP_MAC", None), NO_DATAGRAM),
    (net("CLASSIFY_DROP", 58, protocol=None), NO_DATAGRAM),
    (net("LPM_PACKET_ARRIVAL", None), NO_DATAGRAM),
]


@pytest.mark.parametrize(("event", "reason"), OTHER_RECORDS)
def test_other_records_have_one_of_three_reasons(event: LogEvent, reason: str) -> None:
    assert read(event) == reason


def test_absent_partners_name_the_audit_subcategory() -> None:
    alone = last(accept(event_id=5157))
    assert any("0CCE9225-69AE-11D9-BED3-505054503030" in text for text in alone["absent"])
    alone = last(accept(event_id=5152))
    assert any("0CCE9226-69AE-11D9-BED3-505054503030" in text for text in alone["absent"])
    assert not last(accept(event_id=5152), accept(event_id=5157))["absent"]


def test_late_reply_hangs_on_the_exact_connect() -> None:
    exact = connect(at=0.0)
    for other in (
        connect(source=f"{ME}:64774"),
        connect(source=f"{OTHER}:64773"),
        connect(dest=f"{PEER}:54"),
        connect(dest=f"{OTHER}:53"),
        connect(protocol=136),
        connect(event_id=5157),
        connect(host="HOST2"),
        connect(at=5.0),  # after the drop by its time
    ):
        assert last(exact, drop(at=1.0))["code"] == "late_reply"
        assert [one["code"] for one in explained(other, drop(at=1.0)) if one["runtime_id"] == 13] == ["no_listener"]
    assert explained(drop(at=1.0), connect(at=1.0))[0]["code"] == "no_listener"


def test_host_names_are_compared_without_case() -> None:
    assert last(connect(host="host1"), drop(at=1.0, host="HOST1"))["code"] == "late_reply"


def test_answer_names_its_query() -> None:
    got = last(connect(at=1.0), drop(at=1.25))
    assert got["answers"] == {"source": "log.json", "record": 1, "delay_s": 0.25}
    assert "250 ms" in got["text"] and "late" not in got["text"].lower()


def test_no_place_on_the_machine_leaves_the_words() -> None:
    got = last(record(5152, 8, f"{PEER}:1", f"{OTHER}:2", direction="forward"))
    assert got["rule"] is None and got["before"] == [] and got["application_sees"]


def test_capability_of_an_inbound_app_is_an_accept() -> None:
    assert last(net("CAPABILITY_DROP", None, direction="inbound"))["code"] == "blocked_accept"


# ---- where on the machine


PLACES: list[tuple[str, list[LogEvent], str]] = [
    ("group-out", [connect(dest="239.255.255.250:1900")], "send.group_authorize.permit"),
    ("group-out-refused", [connect(dest="239.255.255.250:1900", event_id=5157)], "send.group_authorize.block"),
    ("group-in", [accept(dest="224.0.0.251:5353")], "receive.group_accept.permit"),
    ("broadcast-in-refused", [accept(dest="198.51.100.255:138", event_id=5152)], "receive.group_accept.block"),
    ("group-by-its-reason", [net("CLASSIFY_DROP", 44, reauthorize_reason=0x100)], "receive.group_accept.block"),
    ("igmp", [connect(f"{ME}:0", "224.0.0.22:0", protocol=2)], "send.group_authorize.permit"),
    ("ping-out", [connect(f"{ME}:8", f"{PEER}:0", protocol=1)], "send.authorize.permit[flow=NONE]"),
    ("ping-out-refused", [connect(f"{ME}:8", f"{PEER}:0", protocol=1, event_id=5157)], "send.authorize.block[flow=NONE; protocol:icmp_echo]"),
    ("udp-out-refused", [connect(event_id=5157)], "send.authorize.block[flow=NONE; protocol:udp"),
    ("flow-again-out", [net("CLASSIFY_ALLOW", 48, reauthorize_reason=0x20)], "send.authorize.permit[flow=OUT_STALE]"),
    ("flow-again-in", [net("CLASSIFY_DROP", 44, reauthorize_reason=0x4)], "receive.accept.block[flow=IN_STALE]"),
    ("completed-out", [net("CLASSIFY_ALLOW", 48, reauthorize_reason=0x10)], "send.complete.permit"),
    ("completed-in", [net("CLASSIFY_ALLOW", 44, reauthorize_reason=0x10)], "receive.complete.permit"),
    ("completed-group-out", [net("CLASSIFY_ALLOW", 48, remote_address="239.255.255.250", reauthorize_reason=0x10)], "send.group_complete.permit"),
    ("no-listener", [drop()], "drop.transport_discard.block[to=unicast"),
    ("no-listener-group", [drop(dest="224.0.0.251:9")], "drop.transport_discard.block[to=group"),
    ("no-listener-at-ip", [drop(layer=1)], "drop.ippacket_discard.block[no_listener:ippacket"),
    ("dual-stack-v4", [bind(5353)], "bind.assign.permit[stimulus=bind; dual_stack:yes; ip4]"),
    ("dual-stack-v6", [bind(5353), bind(5353, layer=38)], "bind.assign_v6.permit[stimulus=bind"),
    ("v6-only", [bind(5353, layer=38)], "bind.assign.permit[stimulus=bind; dual_stack:no"),
    ("v6-only-later", [bind(5353), bind(5353, layer=38, at=9.0)], "bind.assign.permit[stimulus=bind; dual_stack:no"),
    ("v6-of-another-process", [bind(5353), bind(5353, layer=38, process_id=9)], "bind.assign.permit[stimulus=bind; dual_stack:no"),
    ("one-address", [bind(68, ME)], "bind.assign.permit[stimulus=bind; dual_stack:no"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "rule"), [c[1:] for c in PLACES], ids=[c[0] for c in PLACES])
def test_record_stands_on_its_row(events: list[LogEvent], rule: str) -> None:
    got = last(*events)
    assert got["rule"].startswith(rule), got["rule"]


def test_mapped_flow_of_a_dual_stack_socket_is_redirected_as_v6() -> None:
    got = last(bind(64773), bind(64773, layer=38), connect(at=0.1))
    assert got["rule"] == "send.authorize.permit[flow=NONE]"
    assert got["before"][-1] == "FWPM_LAYER_ALE_CONNECT_REDIRECT_V6"
    assert last(bind(64773, "0.0.0.0"), connect())["before"][-1] == "FWPM_LAYER_ALE_CONNECT_REDIRECT_V4"


WORDS_OF_LAYERS = [
    ([connect()], "first datagram to a peer"),
    ([connect(dest="224.0.0.251:5353")], "first datagram to a group"),
    ([accept(dest="224.0.0.251:5353")], "each datagram to a group"),
    ([connect(f"{ME}:8", f"{PEER}:0", protocol=1)], "each echo request"),
    ([net("CLASSIFY_ALLOW", 44, reauthorize_reason=1)], "asked about again"),
]


@pytest.mark.parametrize(("events", "words"), WORDS_OF_LAYERS)
def test_layer_words_fit_the_traffic(events: list[LogEvent], words: str) -> None:
    assert words in last(*events)["layer_words"]


def test_nothing_of_a_socket_is_said_of_echo_requests() -> None:
    for event in (5152, 5156):
        got = last(connect(), accept(f"{PEER}:0", f"{ME}:8", protocol=1, event_id=event))
        assert "recv" not in got["application_sees"] and "socket owns" not in got["text"]


def test_reason_without_a_flow_layer_is_no_reauthorization() -> None:
    assert last(net("CLASSIFY_DROP", 36, reauthorize_reason=1))["code"] == "blocked_bind"
