"""What is printed: JSON, text, exit status, standard input, notes; and the account that always adds up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from explain_records import DATA, ME, PEER, accept, bind, connect, drop, numbered, record, twin
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.cli.explain import command
from fsm.explain.explainer import LISTED, Explainer
from fsm.explain.reading import OTHER_REASONS
from fsm.explain.report import HOW_TO_GET_A_LOG, WIDTH, groups_text, summary_text
from fsm.explain.summary import DIFFERENT, Summary
from fsm.explain.to_json import write_json
from fsm.logs import LogItem, NotUnderstood, OtherRecord
from fsm.placement import place

FIELDS = (  # noqa: SIM905
    "source record time host event_id layer runtime_id protocol local remote packet_direction flow_direction verdict "
    "endpoint state code tags confidence paired_with text next_check cite"
).split()
EVENTS = [bind(64773), connect(at=0.01), drop(at=1.0), twin(at=1.001), accept(event_id=5152, at=2.0),
          accept(event_id=5157, at=2.0), connect(protocol=6, at=3.0)]  # fmt: skip


def summed(*items: LogItem) -> tuple[Summary, Explainer]:
    explainer, summary = Explainer(place), Summary()
    for one in explainer.run(items):
        summary.add(one)
    return summary, explainer


def as_json(*items: LogItem) -> dict[str, Any]:
    parts: list[str] = []
    write_json(Explainer(place), items, Summary(), parts.append)
    value = json.loads("".join(parts))
    assert isinstance(value, dict)
    assert len(parts) > len(value["events"]), "events are written one by one"
    return value


def security_json(path: Path, *lines: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def line(event_id: int, **fields: Any) -> dict[str, Any]:
    return {
        "SourceName": "Microsoft-Windows-Security-Auditing", "EventID": event_id, "Hostname": "H",
        "TimeCreated": "2023-08-15T05:34:00.585Z", **fields,
    }  # fmt: skip


BIND = line(
    5158, ProcessId=4, Application="System", SourceAddress="::", SourcePort="500", Protocol=17, FilterRTID=0,
    LayerRTID=36,
)  # fmt: skip


def test_json_has_the_agreed_shape() -> None:
    out = as_json(*numbered(*EVENTS))
    assert set(out) >= {"accounting", "groups", "events"}
    assert len(out["events"]) == out["accounting"]["explained"] == 6
    for event in out["events"]:
        assert set(FIELDS) <= set(event)
        assert event["layer"].startswith("FWPM_LAYER_")
        assert isinstance(event["local"]["port"], int | None) and isinstance(event["runtime_id"], int)
    counts = {group["code"]: group["count"] for group in out["groups"]}
    assert counts == {"icmp_twin": 1, "late_reply": 1, "blocked_accept": 1, "permitted_connect": 1, "bind": 1}
    for group in out["groups"]:
        assert group["example"] in out["events"] and group["example"]["code"] == group["code"]
    assert out["by_layer"] == {"13": 1, "32": 1, "36": 1, "44": 1, "48": 1}
    assert sum(out["by_row"].values()) == out["accounting"]["incidents"] == 5
    assert out["accounting"]["other_reasons"] == {OTHER_REASONS[0]: 0, "TCP": 1, OTHER_REASONS[2]: 0}


def test_json_of_nothing_is_an_object_too() -> None:
    out = as_json()
    assert out["events"] == [] and out["groups"] == [] and out["accounting"]["records"] == 0


def test_rows_of_the_machine_are_real() -> None:
    from fsm.rules import RULES

    summary, _ = summed(*numbered(*EVENTS))
    assert set(summary.by_row) <= {row.key for row in RULES}


ITEMS = st.lists(
    st.one_of(
        st.builds(OtherRecord, st.sampled_from(["a", "b"]), st.integers(1, 9)),
        st.builds(NotUnderstood, st.just("a"), st.integers(1, 9), st.just("line 1"), st.just("why")),
        st.builds(
            record,
            st.sampled_from([5031, 5152, 5153, 5154, 5155, 5156, 5157, 5158, 5159, 5447, None]),
            st.one_of(st.none(), st.integers(0, 100)),
            st.sampled_from([f"{ME}:1", f"{PEER}:2", "224.0.0.1:3", None]),
            st.sampled_from([f"{ME}:1", f"{PEER}:2", "[::1]:4", None]),
            protocol=st.sampled_from([1, 2, 6, 17, 58, None]),
            direction=st.sampled_from(["inbound", "outbound", "forward", None]),
            event_type=st.sampled_from(
                ["CLASSIFY_DROP", "CLASSIFY_ALLOW", "IKEEXT_QM_FAILURE", "CAPABILITY_DROP", None]
            ),
            at=st.one_of(st.none(), st.floats(0, 5)),
            host=st.sampled_from(["A", "B", None]),
            record_number=st.one_of(st.none(), st.integers(1, 5)),
        ),
    ),
    max_size=30,
)


@settings(deadline=None)  # the first question of a kind compiles tables
@given(ITEMS)
def test_the_account_always_adds_up(items: list[LogItem]) -> None:
    out = as_json(*items)
    accounting = out["accounting"]
    assert accounting["records"] == len(items)
    assert accounting["records"] == accounting["explained"] + accounting["other"] + accounting["not_understood"]
    assert accounting["other"] == sum(accounting["other_reasons"].values())
    assert tuple(accounting["other_reasons"]) == OTHER_REASONS
    assert accounting["explained"] == len(out["events"]) == sum(group["records"] for group in out["groups"])
    assert accounting["incidents"] == sum(group["count"] for group in out["groups"])
    summary, explainer = summed(*items)
    text = summary_text(summary, explainer.account) + groups_text(summary)
    assert text.isascii()


def test_not_understood_is_listed_and_bounded() -> None:
    _, explainer = summed(*[NotUnderstood("x", n, f"line {n}", "no JSON") for n in range(LISTED + 5)])
    out = explainer.account.json()
    assert out["not_understood"] == LISTED + 5 and len(out["not_understood_at"]) == LISTED
    assert out["not_understood_left_out"] == 5
    assert out["not_understood_at"][0] == {"source": "x", "record": 0, "where": "line 0", "why": "no JSON"}


def test_many_peers_do_not_fill_the_memory() -> None:
    peers = [drop(source=f"198.51.{n // 250}.{n % 250}:53", at=n / 1000) for n in range(DIFFERENT + 50)]
    summary, _ = summed(*numbered(*peers))
    (group,) = summary.groups()
    assert len(group.peers) == DIFFERENT and group.count == DIFFERENT + 50
    assert "or more others" in groups_text(summary)


def test_text_is_clear_and_fits() -> None:
    summary, explainer = summed(*numbered(*EVENTS))
    text = summary_text(summary, explainer.account)
    lines = text.splitlines()
    assert lines[0] == "7 records: 6 explained; 1 other (1 TCP); 0 not understood."
    parts = [part for part in lines if part.endswith(":")]
    assert parts == ["Refused by a filter:", "Dropped, and no rule would change it:", "Allowed:"]
    assert "6 records make 5 incidents" in text
    body = groups_text(summary)
    labels = "example,what,layer,place,before,after,application,remote side,check next,sources"
    for label in labels.split(","):
        assert f"\n  {label} " in body
    assert "FWPM_LAYER_INBOUND_TRANSPORT_V4_DISCARD (id 13)" in body
    assert all(len(one) <= WIDTH for one in f"{text}\n{body}".splitlines() if "http" not in one)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (EVENTS, "6 records make 5 incidents: a 5152 with its 5157 is one."),
        (EVENTS[4:6], "2 records make 1 incident: a 5152 with its 5157 is one."),
        ([bind(1, record_number=1)] * 2, "2 records make 1 incident"),
    ],
)
def test_numbers_agree_with_their_nouns(events: list[LogItem], words: str) -> None:
    summary, explainer = summed(*numbered(*events))
    assert words in " ".join(summary_text(summary, explainer.account).split())


def test_program_names_of_any_language_are_printed_as_ascii() -> None:
    summary, _ = summed(connect(application="C:\\пример\\スパイ.exe"))
    assert "\\u30b9" in groups_text(summary) and groups_text(summary).isascii()


NOTES = [
    ("no 5156 or 5158", [drop()]),
    ("have no 5152 beside them", [connect(), accept(event_id=5157)]),
    ("have no 5157 beside them", [connect(), accept(event_id=5152)]),
    ("given twice", [bind(1, record_number=1), bind(1, record_number=1)]),
    ("Newest first", [drop(at=5.0), connect(at=0.0)]),
    ("order of time", [connect(at=9.0), connect(at=12.0), connect(at=0.0), connect(at=0.5)]),
]


@pytest.mark.parametrize(("words", "events"), NOTES, ids=[note[0] for note in NOTES])
def test_notes_say_what_the_log_cannot_show(words: str, events: list[LogItem]) -> None:
    summary, explainer = summed(*numbered(*events))
    assert any(words in note for note in summary.notes(explainer.account))


def test_evictions_are_noted() -> None:
    explainer, summary = Explainer(history_limit=1), Summary()
    for one in explainer.run(numbered(connect(), connect(source=f"{ME}:2"))):
        summary.add(one)
    assert any("forgotten" in note for note in summary.notes(explainer.account))


# ---- the command


def run(*args: str, stdin: bytes | None = None) -> Any:
    return CliRunner().invoke(command, args, input=stdin)


def test_command_prints_text(tmp_path: Path) -> None:
    result = run(security_json(tmp_path / "a.json", BIND))
    assert result.exit_code == 0
    assert result.stdout.startswith("1 record: 1 explained")
    assert "System (process 4) took UDP port 500" in " ".join(result.stdout.split())
    assert result.stderr == ""


def test_command_prints_json_and_reads_standard_input(tmp_path: Path) -> None:
    text = Path(security_json(tmp_path / "a.json", BIND)).read_bytes()
    result = run("-", "--format", "json", stdin=text)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["events"][0]["code"] == "bind"


def test_nothing_found_says_how_to_get_a_log(tmp_path: Path) -> None:
    result = run(security_json(tmp_path / "a.json", line(4624)))
    assert result.exit_code == 0
    assert HOW_TO_GET_A_LOG.strip() in result.stdout
    assert "{0CCE9225-69AE-11D9-BED3-505054503030}" in result.stdout and "netsh wfp show netevents" in result.stdout


def test_nothing_readable_exits_2(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"EventID": 5158, "Hostname"\n')
    from fsm.errors import FsmError

    result = run(str(path))
    assert result.exit_code == 2 or isinstance(result.exception, FsmError)
    assert "events" not in run(str(tmp_path / "none.json"), "--format", "json").stdout


def test_damaged_container_exits_2_and_prints_what_was_read(tmp_path: Path) -> None:
    import gzip

    whole = gzip.compress((json.dumps(BIND) + "\n").encode() * 20000)
    path = tmp_path / "a.json.gz"
    path.write_bytes(whole[: len(whole) * 3 // 4])
    result = run(str(path), "--format", "json")
    assert result.exit_code == 2
    out = json.loads(result.stdout)
    assert out["accounting"]["explained"] > 0 and out["accounting"]["not_understood"] >= 1


@pytest.mark.parametrize(("events", "lines"), [("0", 0), ("2", 2), ("all", 5)])
def test_events_option_limits_the_list(tmp_path: Path, events: str, lines: int) -> None:
    result = run(security_json(tmp_path / "a.json", *[BIND] * 5), "--events", events)
    assert sum("#" in one and "bind" in one for one in result.stdout.splitlines()) == lines
    assert ("more with --events all" in result.stdout) == (events == "2")


def test_events_option_refuses_words(tmp_path: Path) -> None:
    result = run(security_json(tmp_path / "a.json", BIND), "--events", "some")
    assert result.exit_code == 2 and "'some' is neither a number nor 'all'" in result.stderr


def test_listing_prefers_what_was_not_allowed() -> None:
    result = run(str(DATA / "lsass_udp_drops.json"))
    listing = result.stdout[result.stdout.index("Not allowed (14 of 14)") :]
    assert listing.count("late_reply") == 6 and listing.count("icmp_twin") == 5 and "bind" not in listing


def test_same_input_gives_same_bytes() -> None:
    once, again = (run(str(DATA / "lsass_udp_drops.json"), "--format", "json").stdout for _ in range(2))
    assert once == again


def test_records_of_whole_seconds_are_not_told_in_milliseconds() -> None:
    """Some collectors write no part of a second: nothing finer may be said of such records."""
    coarse = "2023-08-15T05:34:00Z"
    events = [connect(time=coarse), drop(time=coarse), twin(time=coarse)]
    explained = [one.json for one in Explainer().run(events)]
    texts = [f"{one['text']} {one['next_check']}" for one in explained]
    assert [one["code"] for one in explained] == ["permitted_connect", "late_reply", "icmp_twin"]
    assert "less than a second before" in texts[1] and "in the same second" in texts[2]
    assert not any("ms" in text.split() or "millisecond" in text for text in texts)
