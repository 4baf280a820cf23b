"""Real recordings: counts against the evidence, and what changing a recording does to the answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from explain_records import DATA, EVIDENCE, codes

from fsm.explain.explainer import Explainer
from fsm.logs import LogEvent, LogItem, read
from fsm.placement import place

LSASS, NTDS = DATA / "lsass_udp_drops.json", DATA / "ntds_icmp_errors.json"

# Records that are not TCP's, counted by hand: (explained, code counts that matter).
RECORDINGS = {
    "cmd_dumping_ntds_dit_file_ntdsutil.zip": (185, {"icmp_error_for_own_flow": 10, "bind": 45}),
    "metasploit_procdump_lsass_memory_dump.zip": (
        418, {"late_reply": 6, "no_listener": 1, "icmp_twin": 5, "blocked_accept": 2, "bind": 252}),
    "empire_mimikatz_opth.tar.gz": (56, {"blocked_accept": 1, "bind": 12}),
    "covenant_persistwmi.tar.gz": (43, {"bind": 17}),
    "covenant_dcom_registerxll.zip": (18, {"bind": 6}),
    "covenant_dcom_executeexcel4macro_blocked.zip": (7, {"bind": 2}),
    "mimikatz_CVE-2020-1472_Unauthenticated_NetrServerAuthenticate2.zip": (2, {}),
    "purplesharp_pe_injection_createremotethread.zip": (10, {"permitted_connect": 5, "permitted_accept": 5}),
    "cmd_stop_event_logging_controlset001_minint_key.zip": (8, {"group_traffic": 8}),
    "cmd_psh_stop_netprofm_eventlog_after_reboot.zip": (18, {"bind": 9}),
    "cmd_netsh_fw_mod_open_ports.zip": (0, {}),
    "psh_python_webserver.zip": (0, {}),
    "securityauditing_log4shell_cve2021_44228_java_serialized_object.zip": (4, {"bind": 4}),
}  # fmt: skip

needs_evidence = pytest.mark.skipif(not EVIDENCE.is_dir(), reason="the evidence is not beside this checkout")


def all_of(items: Iterable[LogItem]) -> tuple[list[dict[str, Any]], Counter[str], Explainer]:
    explainer, incidents = Explainer(place), Counter[str]()
    events = []
    for one in explainer.run(items):
        incidents[one.code] += one.counts
        events.append(one.json)
    return events, incidents, explainer


def changed(path: Path, change: Callable[[LogEvent], LogEvent | None]) -> Iterator[LogItem]:
    """The items of a recording with every event changed, or left out where `change` gives None."""
    for item in read([path]):
        if not isinstance(item, LogEvent):
            yield item
        elif (other := change(item)) is not None:
            yield other


@needs_evidence
@pytest.mark.parametrize("name", RECORDINGS)
def test_every_record_that_is_not_tcp_is_explained(name: str) -> None:
    expected, some = RECORDINGS[name]
    events, _, explainer = all_of(read([EVIDENCE / "security-json" / name]))
    found = Counter(event["code"] for event in events)
    assert len(events) == expected == explainer.account.explained
    assert {code: found[code] for code in some} == some
    for event in events:
        assert event["rule"] and event["layer"] and event["local"], event
        assert event["confidence"] != "possible" or event["copy_of"]


@needs_evidence
def test_net_event_of_quarantine() -> None:
    (event,), _, _ = all_of(read([EVIDENCE / "wfp-netevents" / "quarantine_default_udp_drop.xml"]))
    assert (event["code"], event["packet_direction"], event["program"]) == ("blocked_accept", "inbound", "svchost.exe")
    assert "-InterfaceIndex 5" in event["next_check"]


def test_lsass_drops() -> None:
    events, incidents, _ = all_of(read([LSASS]))
    assert {code: incidents[code] for code in ("late_reply", "no_listener", "icmp_twin", "blocked_accept")} == {
        "late_reply": 6, "no_listener": 1, "icmp_twin": 5, "blocked_accept": 1,
    }  # fmt: skip
    by_record = {event["record"]: event for event in events}
    for event in events:
        if event["code"] == "icmp_twin":
            partner = by_record[event["paired_with"]]
            assert partner["runtime_id"] == 13 and partner["code"] == "late_reply"
            assert partner["paired_with"] == event["record"]
        if event["code"] == "late_reply":
            query = by_record[event["answers"]["record"]]
            assert query["code"] == "permitted_connect"
            assert (query["local"], query["remote"]) == (event["local"], event["remote"])
    (copy,) = [event for event in events if event["code"] == "no_listener"]
    assert copy["tags"] == ["ports_swapped_duplicate"] and by_record[copy["copy_of"]]["code"] == "late_reply"
    blocked = [event for event in events if event["code"] == "blocked_accept"]
    assert [event["event_id"] for event in blocked] == [5152, 5157]
    assert all("likely_broadcast" in event["tags"] for event in blocked)
    assert blocked[0]["paired_with"] == blocked[1]["record"]


def test_ntds_icmp_errors() -> None:
    events, incidents, _ = all_of(read([NTDS]))
    errors = [event for event in events if event["code"] == "icmp_error_for_own_flow"]
    assert len(errors) == incidents["icmp_error_for_own_flow"] == 10
    for event in errors:
        assert event["confidence"] == "certain" and event["answers"]["delay_s"] <= 0.001 and event["runtime_id"] == 28


def test_removing_the_query_changes_the_code() -> None:
    events, _, _ = all_of(read([LSASS]))
    queries = {event["answers"]["record"] for event in events if event["code"] == "late_reply"}
    assert len(queries) == 6
    for query in queries:
        without = codes(changed(LSASS, lambda e, q=query: None if e.record == q else e))  # type: ignore[misc]
        assert Counter(without)["late_reply"] == 5 and Counter(without)["no_listener"] == 2


@pytest.mark.parametrize("what", ["source_port", "dest_port", "source_address", "dest_address", "host", "event_id"])
def test_changing_the_query_changes_the_code(what: str) -> None:
    other: dict[str, Any] = {
        "source_port": 1, "dest_port": 54, "source_address": "192.168.1.44", "dest_address": "192.168.1.2",
        "host": "X", "event_id": 5157,
    }  # fmt: skip
    change = lambda e: replace(e, **{what: other[what]}) if e.event_id == 5156 and e.runtime_id == 48 else e  # noqa: E731
    found = Counter(codes(changed(LSASS, change)))
    assert found["late_reply"] == 0 and found["no_listener"] == 7


def test_no_port_number_decides() -> None:
    """Port 53 becomes 5300, and every other port moves by one: the answers stay."""

    def moved(port: int | None) -> int | None:
        return 5300 if port == 53 else None if port is None else port + 1 if 1024 < port < 65535 else port

    def change(e: LogEvent) -> LogEvent:
        if e.protocol != 17:
            return e
        return replace(e, source_port=moved(e.source_port), dest_port=moved(e.dest_port))

    for path in (LSASS, NTDS):
        assert codes(changed(path, change)) == codes(read([path]))


def test_neither_names_nor_record_numbers_decide(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    lines = [json.loads(one) for one in LSASS.read_text(encoding="utf-8").splitlines()]
    for n, one in enumerate(lines):
        one.pop("RecordNumber", None)
        one["Hostname"] = "renamed"
        if n % 2:
            one["Application"] = "-"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    assert codes(read([path])) == codes(read([LSASS]))


def test_the_same_log_newest_first_gives_the_same_counts(tmp_path: Path) -> None:
    path = tmp_path / "down.json"
    path.write_text("".join(reversed(LSASS.read_text(encoding="utf-8").splitlines(keepends=True))), encoding="utf-8")
    assert Counter(codes(read([path]))) == Counter(codes(read([LSASS])))


def test_two_hosts_woven_into_each_other_stay_apart() -> None:
    one, two = list(read([LSASS])), list(read([NTDS]))
    woven = [item for pair in zip(one, two, strict=False) for item in pair] + one[len(two) :]
    both = [replace(item, source="woven") for item in woven]
    assert Counter(codes(both)) == Counter(codes(one)) + Counter(codes(two))


def test_log_given_twice_counts_its_drops_again_only_without_record_numbers() -> None:
    assert Counter(codes(read([LSASS, LSASS])))["late_reply"] == 12
    explainer = Explainer()
    twice = [replace(e, record_number=e.record) if isinstance(e, LogEvent) else e for e in read([LSASS, LSASS])]
    counted = Counter(one.code for one in explainer.run(twice) if one.counts)
    assert counted["late_reply"] == 6 and explainer.account.repeats > 200
