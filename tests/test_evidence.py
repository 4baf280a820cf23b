# ruff: noqa: E501  (rows: columns beat the formatter)
"""The evidence report: each statement with records for it and against it, the status of each rule, what is printed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from explain_records import DATA, EVIDENCE, ME, OTHER, PEER, accept, bind, connect, drop, numbered, record, twin
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.choices import CHOICES
from fsm.cli import explain as cli
from fsm.evidence import CONFIRMED, CONTRADICTED, LOOKS_LIKE, NEVER, NOT_SEEN, STATUSES, Evidence, Report, RuleEvidence
from fsm.explain.evidence_text import evidence_text
from fsm.explain.explainer import Explainer
from fsm.explain.report import WIDTH
from fsm.explain.statements import STATEMENTS, only, rows
from fsm.fact_text import fact_json, fact_line
from fsm.logs import LogEvent, LogItem, read
from fsm.placement import place
from fsm.rules import RULES

LSASS, NTDS = DATA / "lsass_udp_drops.json", DATA / "ntds_icmp_errors.json"
GROUP = "224.0.0.251:5353"
needs_evidence = pytest.mark.skipif(not EVIDENCE.is_dir(), reason="the evidence is not beside this checkout")


def report_of(*items: LogItem, limit: int = 1000) -> Report:
    evidence = Evidence(limit)
    for explained in Explainer(place).run(items):
        evidence.add(explained)
    return evidence.report()


def rule(report: Report, start: str) -> RuleEvidence:
    return next(one for one in report.rules if one.rule.startswith(start))


def ping(at: float, **more: Any) -> LogEvent:
    return connect(f"{ME}:8", f"{PEER}:0", protocol=1, process_id=4, at=at, **more)


def net(event_type: str, layer: int, local: str = ME, port: int = 64773, **more: Any) -> LogEvent:
    ends = {"local_address": local, "local_port": port, "remote_address": PEER, "remote_port": 53}
    return record(None, layer, event_type=event_type, **ends, **more)


def heard(at: float, **more: Any) -> LogEvent:
    return accept(f"{OTHER}:5353", GROUP, at=at, **more)


def refused(event_id: int, **more: Any) -> LogEvent:
    return accept(event_id=event_id, **more)


LOOP = ("127.0.0.1:5000", "127.0.0.1:53")
ALIVE = [bind(64773), connect(at=0.1)]
SERVER = [bind(53, "0.0.0.0", filter_id=9), accept(at=0.1)]

# statement, records in favour, records against; what speaks against is one more record than what does not
CASES: list[tuple[str, list[LogEvent], list[LogEvent]]] = [
    ("authorized_once", [*ALIVE, connect(dest=f"{OTHER}:53", at=5.0)], [*ALIVE, connect(at=5.0)]),
    ("accepted_once", [*SERVER, accept(f"{OTHER}:5000", at=5.0)], [*SERVER, accept(at=5.0)]),
    ("reply_not_accepted", ALIVE, [*ALIVE, accept(f"{PEER}:53", f"{ME}:64773", at=1.0)]),
    ("answer_not_connected", SERVER, [*SERVER, connect(f"{ME}:53", f"{PEER}:5000", at=1.0)]),
    ("idle_after_60_s", [*ALIVE, connect(at=70.0)], [*ALIVE, connect(at=59.0)]),
    ("icmp_authorized_once",
     [connect("[fe80::2]:135", "[fe80::1]:0", layer=50, protocol=58)],
     [connect("[fe80::2]:135", "[fe80::1]:0", layer=50, protocol=58, at=at) for at in (0.0, 3.0)]),
    ("echo_requests_share_a_flow", [ping(0.0)], [ping(0.0), ping(1.0)]),
    ("icmp_replies_not_authorized", [ping(0.0)], [ping(0.0), accept(f"{PEER}:0", f"{ME}:0", protocol=1, at=0.1)]),
    ("icmp_error_not_authorized", [*ALIVE, drop(layer=28, at=0.2)], [*ALIVE, drop(layer=28, at=0.2), connect(at=2.0)]),
    ("group_sent_once",
     [bind(5353), connect(f"{ME}:5353", GROUP, at=0.1)],
     [bind(5353), *[connect(f"{ME}:5353", GROUP, at=at) for at in (0.1, 1.0)]]),
    ("group_received_once", [heard(0.0)], [heard(0.0), heard(0.5)]),
    ("sender_before_receiver", [connect(*LOOP), accept(*LOOP, process_id=9, at=0.1)], [accept(*LOOP, process_id=9), connect(*LOOP, at=0.1)]),
    ("own_copy_after_send",
     [connect(f"{ME}:5353", GROUP), accept(f"{ME}:5353", GROUP, at=0.1)],
     [connect(), accept(f"{ME}:5353", GROUP, at=0.1), connect(f"{ME}:5353", GROUP, at=0.2)]),
    ("dual_stack_v4_first", [bind(99), bind(99, layer=38)], [bind(99, layer=38), bind(99, at=0.1)]),
    ("bind_before_flow", ALIVE, [bind(64773, process_id=9), connect(at=0.1)]),
    ("discarded_at_ip_layer", [drop(layer=1)], [drop()]),
    ("icmp_error_follows_drop", [drop(), twin(at=0.001)], [twin()]),
    ("drop_does_not_stop_icmp_error", [drop(), twin(at=0.001)], [drop(), twin(dest=f"{OTHER}:0", at=0.001)]),
    ("no_icmp_error_for_group", [drop(dest=GROUP)], [drop(dest=GROUP), twin(at=0.001)]),
    ("refusal_sends_no_icmp_error", [refused(5152)], [refused(5152), twin(at=0.1)]),
    ("refusal_reported_twice", [refused(5152), refused(5157)], [refused(5152), refused(5157), refused(5157, source=f"{OTHER}:5000", at=9.0)]),
    ("packet_report_first", [refused(5152), refused(5157, at=0.001)], [refused(5157), refused(5152, at=0.001)]),
    ("close_is_not_indicated", [bind(99), bind(99, at=9.0)], [record(5158, 64, f"{ME}:99")]),
    ("completion_at_connect_only", [net("CLASSIFY_ALLOW", 48, reauthorize_reason=0x10)], [net("CLASSIFY_ALLOW", 44, reauthorize_reason=0x10)]),
    ("reauthorized_at_auth_layers_only", [net("CLASSIFY_DROP", 48, reauthorize_reason=1)], [net("CLASSIFY_DROP", 68, reauthorize_reason=1)]),
    ("group_reason_inbound_only",
     [net("CLASSIFY_DROP", 44, "224.0.0.251", reauthorize_reason=0x100)], [net("CLASSIFY_DROP", 48, reauthorize_reason=0x100)]),
    ("port_zero_sets_the_flag", [bind(64773, ME)], [bind(64773, ME, filter_id=9)]),
    ("any_address_sets_the_flag", [bind(500, "0.0.0.0")], [bind(500, "0.0.0.0", filter_id=9)]),
    ("event_as_the_rule_says", [connect()], [connect(event_id=5158)]),
    ("every_record_has_a_rule", [connect()], [bind(53, event_id=5155, layer=40)]),
]  # fmt: skip


def test_every_statement_has_a_case() -> None:
    assert list(STATEMENTS) == [case[0] for case in CASES]


@pytest.mark.parametrize(("name", "events"), [case[:2] for case in CASES], ids=[c[0] for c in CASES])
def test_records_speak_for_the_statement(name: str, events: list[LogEvent]) -> None:
    report = report_of(*numbered(*events))
    tally = report.tallies[name]
    assert tally.supports >= 1 and tally.against == 0
    assert [mark.record for mark in tally.examples["supports"]]
    assert name not in report.contradicted
    assert not any(f"{name}:" in one.why for one in report.of_status(CONTRADICTED))


@pytest.mark.parametrize(("name", "events"), [(c[0], c[2]) for c in CASES], ids=[c[0] for c in CASES])
def test_records_speak_against_the_statement(name: str, events: list[LogEvent]) -> None:
    report = report_of(*numbered(*events))
    tally, statement = report.tallies[name], STATEMENTS[name]
    assert tally.against == 1, tally
    assert name in report.contradicted
    assert tally.examples["against"][0].record <= len(events)
    for key in statement.rules:
        found = rule(report, key)
        assert found.status == CONTRADICTED and name in found.why and found.against and found.example
    for key in statement.instead:
        assert rule(report, key).status in (CONFIRMED, CONTRADICTED) and rule(report, key).count


# what looks like a contradiction and proves nothing; `statement`, records, set aside
ASIDE: list[tuple[str, list[LogEvent], int]] = [
    ("authorized_once", [connect(), connect(at=5.0)], 1),  # no binds in the log: another socket is possible
    ("authorized_once", [*ALIVE, bind(64773, at=4.0), connect(at=5.0)], 0),  # another socket
    ("authorized_once", [*ALIVE, connect(at=5.0, process_id=9)], 0),
    ("authorized_once", [*ALIVE, connect(at=61.0)], 0),
    ("authorized_once", [*ALIVE, connect(at=5.0, host="HOST2")], 0),
    ("reply_not_accepted", [*ALIVE, bind(64773, at=4.0), accept(f"{PEER}:53", f"{ME}:64773", at=5.0)], 1),
    ("reply_not_accepted", [*ALIVE, accept(f"{PEER}:53", f"{ME}:64773", at=61.0)], 0),
    ("reply_not_accepted", [*ALIVE, accept(f"{PEER}:54", f"{ME}:64773", at=1.0)], 0),
    ("icmp_error_not_authorized", [bind(64773), drop(layer=28, at=0.2), connect(at=0.2)], 1),
    ("group_received_once", [heard(0.0), heard(0.0)], 1),  # two sockets
    ("group_received_once", [heard(0.0), heard(9.0)], 0),
    ("sender_before_receiver", [accept(*LOOP, process_id=9), connect(*LOOP)], 1),  # one moment, no numbers
    ("dual_stack_v4_first", [bind(99, layer=38), bind(99)], 1),
    ("bind_before_flow", [connect(), bind(64773)], 1),
    ("discarded_at_ip_layer", [bind(64773), drop(at=1.0)], 1),  # the port was in use
    ("icmp_error_follows_drop", [twin(), drop()], 1),
    ("drop_does_not_stop_icmp_error", [drop()], 1),  # no record at 32: no filter there
    ("drop_does_not_stop_icmp_error", [drop(), twin(at=0.001), drop(at=0.5)], 1),
    ("refusal_reported_twice", [refused(5157)], 1),  # the other was not audited
    ("packet_report_first", [refused(5157), refused(5152)], 1),
    ("every_record_has_a_rule", [record(5152, 8, f"{PEER}:1", f"{OTHER}:2", direction="forward")], 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "events", "aside"), ASIDE)
def test_what_proves_nothing_is_set_aside(name: str, events: list[LogEvent], aside: int) -> None:
    tally = report_of(*numbered(*events)).tallies[name]
    assert (tally.against, tally.aside) == (0, aside)


def test_copy_with_exchanged_ports_is_no_drop_of_its_own() -> None:
    report = report_of(*numbered(connect(), drop(), drop(f"{PEER}:64773", f"{ME}:53")))
    tally = report.tallies["discarded_at_ip_layer"]
    assert (tally.against, tally.aside) == (1, 1)


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("dual_stack_v4_first", [bind(99, layer=38, record_number=1), bind(99, record_number=2)]),
        ("bind_before_flow", [connect(record_number=1), bind(64773, record_number=2)]),
        ("sender_before_receiver", [accept(*LOOP, process_id=9, record_number=1), connect(*LOOP, record_number=2)]),
        ("packet_report_first", [refused(5157, record_number=1), refused(5152, record_number=2)]),
    ],
)
def test_record_numbers_decide_the_order_within_a_moment(name: str, events: list[LogEvent]) -> None:
    assert report_of(*numbered(*events)).tallies[name].against == 1
    turned = numbered(*events)[::-1]
    assert report_of(*turned).tallies[name].against == 1, "as the log numbers them, however they were shipped"


# ---- rules


def test_every_rule_has_one_status_and_a_reason() -> None:
    report = report_of(*read([LSASS, NTDS]))
    assert [one.rule for one in report.rules] == [row.key for row in RULES]
    for one in report.rules:
        assert one.status in STATUSES
        assert bool(one.count) >= (one.status == CONFIRMED) and bool(one.against) == (one.status == CONTRADICTED)
        assert bool(one.example) == (one.status in (CONFIRMED, CONTRADICTED))
        assert bool(one.why) == (one.status != CONFIRMED)
    totals = report.json()["totals"]
    assert sum(totals["rules"].values()) == len(RULES) and sum(totals["statements"].values()) == len(STATEMENTS)


def test_nothing_seen_is_neither_for_nor_against() -> None:
    report = report_of()
    assert {one.status for one in report.rules} == {NOT_SEEN, NEVER}
    assert not report.contradicted and not report.counts
    for row, one in zip(RULES, report.rules, strict=True):
        seen = bool(row.logged) and row.key not in LOOKS_LIKE
        assert (one.status == NOT_SEEN) == seen, one


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("idle.bind", "no layer is asked"),
        ("send.authorize.absorb", "an absorbed packet leaves no audit event"),
        ("bind.redirect.pend", "a pend is not audited"),
        ("send.redirect.redirect", "a redirect is not audited"),
        ("send.redirect.block", "no event is known for a block"),
        ("send.ippacket.permit", "a permit at this layer is not audited"),
        ("send.authorize_discard.permit", "the discard layer is asked after the verdict"),
        ("send.authorize_redirected.permit", "a record of it looks like one of send.authorize.permit[flow=NONE]"),
        ("bind.assign.permit[stimulus=sendto;", "looks like one of bind.assign.permit[stimulus=bind"),
        ("receive.connected_discard.block", "looks like one of drop.transport_discard.block"),
    ],
)
def test_silence_has_a_reason(start: str, words: str) -> None:
    found = rule(report_of(), start)
    assert found.status == NEVER and words in found.why


def test_silence_names_the_statements_that_could_contradict_it() -> None:
    report = report_of(*numbered(*ALIVE))
    found = rule(report, "idle.sendto[socket=BOUND; flow=OUT|IN; protocol:udp")
    assert found.status == NEVER and "authorized_once (1 agree)" in found.why


def test_lookalikes_are_rows_that_records_stand_on() -> None:
    logged = {row.key for row in RULES if row.logged}
    assert set(LOOKS_LIKE) < logged and not set(LOOKS_LIKE.values()) & set(LOOKS_LIKE)
    assert set(LOOKS_LIKE.values()) <= logged


def test_records_never_stand_on_a_row_that_looks_like_another() -> None:
    for one in report_of(*read([LSASS, NTDS])).rules:
        assert not (one.count and one.rule in LOOKS_LIKE)


def test_repeated_records_count_once() -> None:
    one, two = connect(record_number=7), connect(record_number=7)
    report = report_of(*numbered(bind(64773), one, two))
    assert rule(report, "send.authorize.permit").count == 1 and report.records == 2
    assert report.tallies["authorized_once"].against == 0


def test_statements_name_real_things() -> None:
    keys = {row.key for row in RULES}
    for statement in STATEMENTS.values():
        assert {*statement.rules, *statement.confirms, *statement.instead} <= keys
        if statement.choice:
            dispute, _, option = statement.choice.partition("=")
            assert option in CHOICES[dispute].option_names()
            for key in statement.rules:
                row = next(row for row in RULES if row.key == key)
                assert option in dict(row.choices)[dispute], key
        by_flag = statement.name.endswith("_sets_the_flag")
        assert statement.rules or by_flag or statement.name in ("event_as_the_rule_says", "every_record_has_a_rule")
        assert statement.text.endswith(".") and not statement.against.endswith(".")


def test_row_selection() -> None:
    assert rows("receive.group_accept", "permit") == (
        "receive.group_accept.permit[multicast_reauthorization:each_packet]",
    )
    assert only("no_listener", "ippacket") and not set(only("no_listener", "ippacket")) & set(
        only("no_listener", "transport")
    )
    assert rows("nowhere") == ()


# ---- recordings


def test_lsass_recording() -> None:
    report = report_of(*read([LSASS]))
    found = {name: (t.supports, t.against, t.aside) for name, t in report.tallies.items()}
    assert found["discarded_at_ip_layer"] == (0, 6, 1)
    assert found["icmp_error_follows_drop"] == (5, 0, 0)
    assert found["drop_does_not_stop_icmp_error"] == (5, 0, 1)
    assert found["refusal_reported_twice"][:2] == (1, 0)
    assert found["dual_stack_v4_first"][0] > 20 and found["dual_stack_v4_first"][1:] == (0, 0)
    assert found["authorized_once"][1:] == (0, 0) == found["bind_before_flow"][1:]
    assert rule(report, "drop.icmp_error.block").count == 5


def test_ntds_recording() -> None:
    report = report_of(*read([NTDS]))
    assert report.tallies["icmp_error_not_authorized"].supports == 10
    assert report.tallies["icmp_error_not_authorized"].against == 0
    assert rule(report, "icmp.error.block").count == 10


@needs_evidence
def test_all_recordings_together() -> None:
    """The findings: what is contradicted is one side of a dispute each time, and no undisputed rule."""
    folders = ("security-evtx", "security-json", "security-xml", "wfp-netevents")
    files = [path for folder in folders for path in sorted((EVIDENCE / folder).iterdir()) if "filter_" not in path.name]
    report = report_of(*read(files), limit=100_000)
    against = {name: tally.against for name, tally in report.tallies.items() if tally.against}
    assert against == {
        "echo_requests_share_a_flow": 8,
        "group_received_once": 35,
        "discarded_at_ip_layer": 6,
        "any_address_sets_the_flag": 15,
    }
    assert all(STATEMENTS[name].choice for name in against)
    supports = {name: tally.supports for name, tally in report.tallies.items()}
    assert supports["authorized_once"] == supports["reply_not_accepted"] == 215
    assert supports["dual_stack_v4_first"] == 159 and supports["bind_before_flow"] == 147
    assert supports["sender_before_receiver"] == 16 and supports["own_copy_after_send"] == 13
    assert supports["port_zero_sets_the_flag"] == 331 and supports["every_record_has_a_rule"] == 773
    assert len(report.of_status(CONFIRMED)) == 15 and len(report.of_status(CONTRADICTED)) == 4


# ---- bounds


def test_memory_is_bounded_and_told() -> None:
    events = [connect(source=f"{ME}:{port}", at=port / 1000) for port in range(50000, 50050)]
    report = report_of(*numbered(*events), limit=10)
    assert report.evicted > 0 and report.json()["totals"]["evicted"] == report.evicted
    assert "were forgotten" in evidence_text(report)
    assert report.tallies["authorized_once"].supports == 50
    assert all(len(marks) <= 3 for tally in report.tallies.values() for marks in tally.examples.values())


RECORDS = st.lists(
    st.builds(
        record,
        st.sampled_from([5152, 5153, 5156, 5157, 5158, 5159, None]),
        st.sampled_from([0, 1, 8, 12, 13, 16, 24, 28, 32, 36, 38, 44, 46, 48, 50, 64, 68, 250, None]),
        st.sampled_from([f"{ME}:1", f"{PEER}:2", GROUP, "[::]:3", "[::1]:8", None]),
        st.sampled_from([f"{ME}:1", f"{PEER}:2", GROUP, "[::1]:4", None]),
        protocol=st.sampled_from([1, 2, 17, 58, None]),
        direction=st.sampled_from(["inbound", "outbound", None]),
        event_type=st.sampled_from(["CLASSIFY_DROP", "CLASSIFY_ALLOW", None]),
        reauthorize_reason=st.sampled_from([None, 0, 1, 0x10, 0x100, 0x101]),
        at=st.one_of(st.none(), st.floats(0, 100)),
        record_number=st.one_of(st.none(), st.integers(1, 9)),
        process_id=st.sampled_from([0, 4, None]),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=150)
@given(RECORDS)
def test_any_records_give_numbers_that_make_sense(items: list[LogEvent]) -> None:
    report = report_of(*items, limit=3)
    for tally in report.tallies.values():
        assert min(tally.supports, tally.against, tally.aside) >= 0
    told = report.tallies["every_record_has_a_rule"]
    assert told.supports + told.against + told.aside == report.records
    assert sum(Counter(one.status for one in report.rules).values()) == len(RULES)
    assert evidence_text(report).isascii()
    json.dumps(report.json(), allow_nan=False)


# ---- the command


def run(*args: str) -> Any:
    return CliRunner().invoke(cli.command, args)


def test_command_prints_findings_first() -> None:
    result = run(str(LSASS), "--evidence-report")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "records:" in lines[0] and "explained" in lines[0]
    parts = [line for line in lines if line and not line.startswith(" ")]
    order = [
        "Evidence of",
        "Findings:",
        "statement ",
        "Rules contradicted",
        "Rules confirmed",
        "Rules not seen",
        "Rules that could never",
    ]
    at = [next(i for i, part in enumerate(parts) if part.startswith(start)) for start in order]
    assert at == sorted(at)
    assert "option no_listener=ippacket" in result.stdout and "record 222" not in result.stdout.split("Findings")[0]
    assert result.stdout.isascii() and all(len(line) <= WIDTH for line in lines if "/" not in line)


def test_command_prints_the_facts_behind_a_finding_and_the_numbers_of_all() -> None:
    text = run(str(LSASS), "--evidence-report").stdout
    words = " ".join(text.split())
    findings, _, rest = words.partition("statement for against aside counted for [facts]")
    assert findings.count(" fact ") == sum(len(STATEMENTS[name].facts) for name in contradicted_by(LSASS)) > 3
    assert f" fact {' '.join(fact_line('a.9.1').split())} " in findings
    for statement in STATEMENTS.values():
        assert f"{statement.unit} [{', '.join(statement.facts)}]" in rest
    assert f"'wfp-udp sources {STATEMENTS['authorized_once'].facts[0]}' prints a fact with its sources." in text


def contradicted_by(path: Path) -> list[str]:
    statements = json.loads(run(str(path), "--evidence-report", "--format", "json").stdout)["evidence"]["statements"]
    for one in statements:
        assert [fact["fact"] for fact in one["facts"]] == list(STATEMENTS[one["statement"]].facts)
        assert one["facts"] == [fact_json(fact["fact"]) for fact in one["facts"]]
    return [one["statement"] for one in statements if one["against"]]


def test_command_prints_json() -> None:
    out = json.loads(run(str(LSASS), str(NTDS), "--evidence-report", "--format", "json").stdout)
    assert set(out) == {"evidence", "accounting"} and set(out["evidence"]) == {"rules", "statements", "totals"}
    assert out["accounting"]["records"] == out["accounting"]["explained"] + out["accounting"]["other"]
    assert out["evidence"]["totals"]["records"] == out["accounting"]["explained"]
    for one in out["evidence"]["rules"]:
        assert set(one) == {"rule", "status", "count", "against", "example", "why"}
    for one in out["evidence"]["statements"]:
        assert set(one) >= {"statement", "cite", "supports", "against", "rules", "choice", "examples"}
        for example in one["examples"]:
            assert set(example) == {"source", "record", "speaks"} and example["speaks"] in ("for", "against", "aside")


def test_command_says_when_nothing_is_contradicted(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"EventID": 4624, "SourceName": "Microsoft-Windows-Security-Auditing"}) + "\n")
    result = run(str(path), "--evidence-report")
    assert result.exit_code == 0 and "Findings: no record contradicts a statement." in result.stdout


def test_command_hands_the_counts_to_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(cli, "write_diagram", lambda *args: drawn.append(args))
    run(str(LSASS), "--evidence-report", "--diagram", str(tmp_path / "a.svg"))
    ((path, by_row),) = drawn
    assert path.endswith("a.svg") and by_row["drop.icmp_error.block"] == 5
    assert set(by_row) <= {row.key for row in RULES}


def test_command_reports_damage_all_the_same(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "a.json.gz"
    whole = gzip.compress(LSASS.read_bytes(), compresslevel=1)
    path.write_bytes(whole[: len(whole) * 3 // 4])
    result = run(str(path), "--evidence-report", "--format", "json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["evidence"]["totals"]["records"] > 0


def test_same_input_gives_same_bytes() -> None:
    once, again = (run(str(LSASS), "--evidence-report", "--format", "json").stdout for _ in range(2))
    assert once == again
