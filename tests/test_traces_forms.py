"""What a log must not lose by its form: odd lines, several classifies on one, words that could be verdicts, ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from trace_lines import ARROW, CONNECT, DATA, ENDS, FLOW, read

from fsm.claims import accepts, equivalent, matches, never, reaches
from fsm.claims.finding import HOLDS, REFUTED, UNKNOWN
from fsm.errors import FsmError, LogError, UnknownName
from fsm.traces import reading, stoppable
from fsm.traces.conformance import AGREES, CANNOT_TELL, DIVERGES, check_trace
from fsm.traces.observation import Trace
from fsm.traces.reading import read_trace
from fsm.traces.words import seconds_of


def counts(trace: Trace) -> tuple[int, int, int]:
    return len(trace.observations), trace.other_lines, len(trace.not_understood)


def said(line: str, *more: str) -> list[tuple[str, str]]:
    return [(one.layer.removeprefix("FWPM_LAYER_"), one.verdict) for one in read(line, *more).observations]


# -- which pattern


def test_a_mistake_in_one_line_does_not_change_how_the_others_are_read() -> None:
    lines = [f"layer={CONNECT} verdict=DENY {ENDS}", f"layer={FLOW} verdict=ALLOW {ENDS} direction=outbound"]
    lines += [
        f"layer={CONNECT} verdict=ALLOW protocol=6 local=192.0.2.1:{port} remote=192.0.2.2:443" for port in (6, 7)
    ]
    for odd in ([], [f"layer={CONNECT} verdict=0x1003 local=192.0.2.1:7000 remote=192.0.2.3:53"]):
        trace = read(*lines, *odd)
        assert (trace.pattern, counts(trace)) == ("key-value", (2, 2, len(odd)))
        assert check_trace(trace).verdict == DIVERGES


def test_keys_count_in_a_log_of_another_form() -> None:
    trace = read(*[f"{CONNECT} PERMIT {ARROW}"] * 5, f"layer={FLOW} verdict=ALLOW protocol=6 {ENDS}", '{"layer": 48}')
    assert (trace.pattern, counts(trace)) == ("layer-name", (6, 1, 0))
    assert trace.observations[-1].text == '{"layer": 48}'


def test_a_classify_in_another_form_is_not_passed_over() -> None:
    trace = read(*[f"layer={CONNECT} verdict=permit"] * 3, f"{FLOW} BLOCK {ARROW}", f"registered a callout at {FLOW}")
    assert counts(trace) == (3, 1, 1)
    assert "it looks like a classify at FWPS_LAYER_ALE_FLOW_ESTABLISHED_V4" in trace.not_understood[0][1]


# -- verdicts beside a layer's name


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (f"block-list miss: {CONNECT} PERMIT {ARROW}", "permit"),
        (f"not permitted: {CONNECT} action=FWP_ACTION_BLOCK {ARROW}", "block"),
        (f'{CONNECT} rule "Block all" action=FWP_ACTION_PERMIT {ARROW}', "permit"),
        (f'rule="Block all" {CONNECT} {ARROW} -> FWP_ACTION_PERMIT', "permit"),
        (f"{CONNECT} DENY {ARROW}", "block"),
        (f"{CONNECT} {ARROW} dropped", "block"),
        (f"allow at {CONNECT} {ARROW}", "permit"),
        (f"12:00:01 [{CONNECT}] [ALLOWED] {ARROW}", "permit"),
        (f"{CONNECT} block and absorb {ARROW}", "absorb"),
        (f"{CONNECT} continue {ARROW}", ""),
        (f"{CONNECT} outbound PERMIT {ARROW}", "permit"),
        (f"{CONNECT} UDP {ARROW} DROP rule 7", "block"),
        (f"{CONNECT} local 192.0.2.1:5000 remote 192.0.2.2:53 BLOCK size 20", "block"),
        (f"classify at {CONNECT} {ARROW}", ""),
        (f"verdict: Deny {CONNECT} {ARROW}", "block"),
        (f"layer={CONNECT} BLOCK {ARROW}", "block"),
        (f"{CONNECT.lower()} permit {ARROW}", "permit"),
    ],
)
def test_the_verdict_is_the_word_that_belongs_to_the_classify(line: str, verdict: str) -> None:
    assert said(line) == [("ALE_AUTH_CONNECT_V4", verdict)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f'{CONNECT} {ARROW} rule "Block all"', "whether 'Block' is the verdict is not clear"),
        (f"{CONNECT} block rule was hit {ARROW} -> PERMIT", "which is the verdict is not clear"),
        (f"not permitted: {CONNECT} {ARROW}", "turns it round"),
        (f"action=PERMIT verdict=BLOCK {CONNECT} {ARROW}", "action=PERMIT and verdict=BLOCK on one line"),
        (f"action=REFUSED {CONNECT} {ARROW}", "no verdict named 'REFUSED'"),
        (f"layer=48 rule Block {ARROW}", "whether 'Block' is the verdict"),
    ],
)
def test_where_the_verdict_is_not_clear_the_line_is_not_understood(line: str, why: str) -> None:
    trace = read(*[f"{DATA} PERMIT {ARROW}"] * 2, line)
    assert counts(trace) == (2, 0, 1)
    assert why in trace.not_understood[0][1]
    assert check_trace(trace).verdict == CANNOT_TELL


def test_lines_without_a_verdict_are_told() -> None:
    (note,) = read(f"{CONNECT} PERMIT", f"{CONNECT}").notes
    assert note.startswith("no verdict was read in 1 of 2 lines (first in line 2)")
    assert read(f"{CONNECT} PERMIT").notes == ()


# -- several on a line


@pytest.mark.parametrize(
    "line",
    [
        f"{CONNECT} permit, {FLOW} block",
        f"{CONNECT} permit, {CONNECT} permit",
        "layer=48 verdict=permit | layer=52 verdict=block",
        "layer=48 verdict=permit | layer=48 verdict=permit",
        f"layer=48 verdict=permit, {FLOW} block",
        '{"layer": 48, "verdict": "permit", "layer": 52}',
        '{"layer": 48, "events": [{"layer": 52}]}',
        '{"events": [{"layer": 52}, {"layer": 48}]}',
        '{"a": {"layer": 48, "verdict": "permit"}, "b": {"layer": 52, "verdict": "block"}}',
        "---> Classify() [Layer: FWPS_LAYER_DATAGRAM_DATA_V4] ---> Classify() [Layer: FWPS_LAYER_DATAGRAM_DATA_V4]",
    ],
)
def test_several_classifies_on_one_line_are_not_read_as_one(line: str) -> None:
    trace = read("layer=48 verdict=permit", line)
    assert (len(trace.observations), len(trace.not_understood)) == (1, 1)


def test_one_classify_that_is_named_twice_is_one() -> None:
    assert said(f'{{"layer": 48, "layerName": "{CONNECT}", "verdict": "permit"}}') == [
        ("ALE_AUTH_CONNECT_V4", "permit")
    ]
    assert said(f"{CONNECT} (FWPM_LAYER_ALE_AUTH_CONNECT_V4) permit") == [("ALE_AUTH_CONNECT_V4", "permit")]
    assert said("layer=48 action=permit verdict=ALLOW result=0") == [("ALE_AUTH_CONNECT_V4", "permit")]


def test_a_pattern_that_fits_twice_is_told() -> None:
    own = r"layer=(?P<layer>\d+) (?P<verdict>\w+)"
    trace = read("layer=48 permit", "layer=48 permit layer=52 block", "layer=48 permit layer=9999 block", pattern=own)
    assert counts(trace) == (2, 0, 1)
    assert "the pattern fits twice, again at layer '52'" in trace.not_understood[0][1]


@pytest.mark.parametrize(
    "text",
    [
        '[{"layer":48,"verdict":"permit"},{"layer":52,"verdict":"permit"}]',
        '[{"layer":48,"verdict":"permit"},\n{"layer":52,"verdict":"permit"}]\n',
        '[\n  {\n    "layer": 48,\n    "verdict": "permit"\n  },\n  {\n    "layer": 52,\n "verdict": "permit"\n  }\n]',
        '{\n  "layer": 48,\n  "verdict": "permit"\n}\n{\n  "layer": 52,\n  "verdict": "permit"\n}\n',
        '{"layer":48,"verdict":"permit"}{"layer":52,"verdict":"permit"}',
    ],
)
def test_json_is_read_entry_by_entry(text: str) -> None:
    trace = read(text)
    assert [one.layer for one in trace.observations] == [
        "FWPM_LAYER_ALE_AUTH_CONNECT_V4", "FWPM_LAYER_ALE_FLOW_ESTABLISHED_V4",
    ]  # fmt: skip
    assert (trace.lines, trace.observations[1].source) == (2, "trace, entry 2")
    assert trace.notes == ("JSON that is written over lines: each of its 2 entries counts as a line",)


def test_json_that_ends_in_something_else_is_told() -> None:
    trace = read('[{"layer":48,"verdict":"permit"},{"layer":52,"verd')
    assert counts(trace) == (1, 0, 1)
    assert trace.not_understood[0][0] == "trace, entry 2"


# -- keys


def test_an_empty_value_takes_no_other_key() -> None:
    assert said("layer=48 app= verdict=BLOCK") == [("ALE_AUTH_CONNECT_V4", "block")]
    assert said("app= layer=48 verdict= BLOCK") == [("ALE_AUTH_CONNECT_V4", "block")]
    (bind,) = read("layer=ALE_RESOURCE_ASSIGNMENT local=0.0.0.0:5000 remote= verdict=PERMIT").observations
    assert (bind.local, bind.remote, bind.verdict) == ("0.0.0.0:5000", "", "permit")
    assert counts(read("layer=48 verdict=permit", "layer= verdict=permit")) == (1, 0, 1)


def test_a_key_that_no_line_has_is_an_error() -> None:
    lines = '{"lay": 48, "act": "BLOCK", "in": {"dir": "out"}}', '{"lay": 52, "act": "PERMIT"}'
    assert counts(read(*lines, keys="layer=lay, verdict=act, direction=in.dir")) == (2, 0, 0)
    with pytest.raises(UnknownName, match=r"--keys: no key in this log named 'acct'\. Did you mean 'act'"):
        read(*lines, keys="layer=lay, verdict=acct")
    with pytest.raises(UnknownName, match=r"'out\.dir'"):
        read(*lines, keys="layer=lay, direction=out.dir")


def test_a_group_that_takes_part_in_no_line_is_told() -> None:
    trace = read("48 permit", pattern=r"^(?P<layer>\d+) (?P<verdict>\w+)(?: at (?P<time>\S+))?")
    assert trace.notes == ("the group time of the pattern took part in no line",)


def test_times_with_an_exponent_are_read() -> None:
    assert seconds_of("7.5e-05")[0] == pytest.approx(7.5e-5)
    lines = '{"layer":48,"action":"FWP_ACTION_BLOCK","time":7.5e-05}', '{"layer":48,"action":"block","time":0.0001}'
    assert [one.at_s for one in read(*lines).observations] == [0.0, pytest.approx(2.5e-5)]


# -- ends

FLOWS = [(layer, port) for layer in (CONNECT, FLOW, DATA) for port in (5000, 5001)]


@pytest.mark.parametrize(
    ("head", "form"),
    [
        ("time,layer,verdict,laddr,lport,raddr,rport", "0.1,{0},PERMIT,192.0.2.1,{1},192.0.2.2,53"),
        ("Layer Name;Verdict;Local Address;Local Port;Remote IP;Remote Port", "{0};ALLOW;192.0.2.1;{1};192.0.2.2;53"),
        ("", "0.1,{0},PERMIT,192.0.2.1,{1},192.0.2.2,53"),
        ("", "{0} permit 192.0.2.1 {1} 192.0.2.2 53"),
        ("", '{{"layer":"{0}","action":"permit","local":{{"address":"192.0.2.1","port":{1}}},'
             '"remote":{{"ip":"192.0.2.2","port":53}}}}'),
        ("", "layer={0} verdict=permit src=192.0.2.1 sport={1} dst=192.0.2.2 dport=53 direction=outbound"),
    ],
)  # fmt: skip
def test_ends_in_parts_tell_conversations_apart(head: str, form: str) -> None:
    trace = read(*([head] if head else []), *(form.format(*flow) for flow in FLOWS))
    assert {(one.local, one.remote) for one in trace.observations} == {
        (f"192.0.2.1:{port}", "192.0.2.2:53") for port in (5000, 5001)
    }
    result = check_trace(trace)
    assert ([one.verdict for one in result.conversations], result.verdict) == ([AGREES] * 2, AGREES)


def test_a_column_without_a_remote_end_is_a_local_one() -> None:
    trace = read(
        "0.1,FWPS_LAYER_ALE_BIND_REDIRECT_V6,BLOCK,[2001:db8::2]:5001,", f"0.2,{CONNECT},PERMIT,192.0.2.1:1,192.0.2.2:2"
    )
    assert [(one.local, one.remote) for one in trace.observations] == [
        ("[2001:db8::2]:5001", ""), ("192.0.2.1:1", "192.0.2.2:2"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "ends",
    [
        "from {}:{} by {}:53",
        "local=2001:db8::1:{1} remote=2001:db8::2:53",
        "lhost={}:{} rhost={}:53",
        "local={0} port={1}",
    ],
)
def test_lines_whose_ends_are_not_read_are_nobodys(ends: str) -> None:
    layers = [one.replace("_V4", "_V6") if "db8" in ends else one for one in (CONNECT, CONNECT, FLOW, FLOW)]
    lines = [
        f"layer={layer} verdict=permit {ends.format('192.0.2.1', 5000 + n % 2, '192.0.2.2')}"
        for n, layer in enumerate(layers)
    ]
    trace = read(*lines)
    assert all(one.ends_unread for one in trace.observations)
    assert "addresses were not read as ends in 4 of 4 lines (first in line 1)" in trace.notes[0]
    result = check_trace(trace)
    assert (result.verdict, [one.verdict for one in result.conversations]) == (CANNOT_TELL, [CANNOT_TELL])
    assert accepts("sender", trace).verdict == UNKNOWN


def test_a_line_whose_ends_are_not_read_is_not_given_to_the_only_socket() -> None:
    lines = [f"layer={layer} verdict=permit {ENDS}" for layer in (CONNECT, FLOW)]
    odd = "layer=ALE_RESOURCE_ASSIGNMENT_V4 verdict=block lhost=192.0.2.9:1"
    assert check_trace(read(*lines)).verdict == AGREES
    result = check_trace(read(odd, *lines))
    (one,) = result.conversations
    assert [seen.source for seen in one.conversation.observations] == ["trace, line 2", "trace, line 3"]
    assert one.conversation.set_aside == ("FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4",)
    assert (one.verdict, result.verdict) == (AGREES, CANNOT_TELL)


# -- work and input without end


@pytest.mark.parametrize(
    "expression",
    [
        r"^(?:\S+\s*){3,40}layer=(?P<layer>\S+)",
        r"layer=(?P<layer>\w+)\s+(?:[\w=.:]+\s*){1,30}verdict=(?P<verdict>\w+)$",
        r"^(?:(?P<layer>\w+)\s?){1,60}\!",
        r"(?:\w+\s?){50}(?P<layer>!)",
    ],
)
def test_a_bounded_repeat_that_can_run_away_is_refused(expression: str) -> None:
    with pytest.raises(FsmError, match="can take for ever on one line: a repeat inside a repeat"):
        read("x", pattern=expression)


def test_bounded_repeats_of_firm_parts_are_taken() -> None:
    for expression in (
        r"(?:\S+\s+){3}(?P<layer>\d+)",
        r"(?:\d{1,3}\.){3}\d+ (?P<layer>\d+)",
        r"(?:\w\d?){3} (?P<layer>\d+)",
    ):
        assert len(read("10.0.0.1 10.0.0.1 aaa 48 permit", pattern=expression).observations) == 1


def test_what_runs_away_unseen_is_stopped_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stoppable, "PART_SECONDS", 1)
    monkeypatch.setattr(stoppable, "LINES_A_PART", 1)
    with pytest.raises(FsmError, match="was stopped: it takes too long on lines 2 to 2 of 3"):
        read("48", "abcdefghij " * 300, "48", pattern=r"^(?:\w+\s\w+)*(?P<layer>!)")


def test_a_log_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reading, "LIMIT_BYTES", 1024 * 1024)
    path = tmp_path / "long.log"
    path.write_bytes(b"layer=48 verdict=permit\n" * 50_000)
    with pytest.raises(LogError, match=r"long.log: has more than 1 MiB of text"):
        read_trace(path)


def test_devices_are_refused_and_errors_name_the_path(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"^/dev/null: is no file"):
        read_trace("/dev/null")
    with pytest.raises(LogError, match=f"^{tmp_path}: cannot be opened"):
        read_trace(tmp_path)


# -- what is said about logs that were not read whole


def test_a_damaged_log_agrees_with_nothing() -> None:
    text = "".join(f"layer={layer} verdict=permit {ENDS}\n" for layer in (CONNECT, FLOW))
    trace = read_trace(b"\xff\xfe" + text.encode("utf-16-le")[:-1])
    assert trace.broken
    assert check_trace(trace).verdict == CANNOT_TELL
    with pytest.raises(LogError, match="cannot be read to its end"):
        never(trace, "DATAGRAM_DATA")
    with pytest.raises(LogError, match="cannot be read to its end"):
        reaches(trace, "AUTH_CONNECT")
    with pytest.raises(LogError, match="cannot be read to its end"):
        accepts("sender", trace)


def test_claims_about_a_log_with_lines_that_were_not_understood_are_unknown() -> None:
    trace = read("layer=48 verdict=PERMIT", "layer=52 verdict=PERMIT", "layer=48 verdict=BLOK")
    for finding in (
        never(trace, "AUTH_CONNECT:block"), reaches(trace, "AUTH_CONNECT:block"), matches(trace, "AUTH_CONNECT ..."),
        equivalent(trace, trace, ["layer"]), accepts("sender", trace),
    ):  # fmt: skip
        assert finding.verdict == UNKNOWN
        assert "1 line could not be read (line 3)" in finding.message
    # What a line shows, no other line takes back.
    assert reaches(trace, "AUTH_CONNECT:permit").verdict == HOLDS
    assert never(trace, "AUTH_CONNECT:permit").verdict == REFUTED


def test_never_at_a_layer_that_no_line_shows_says_nothing() -> None:
    trace = read("layer=48 verdict=PERMIT")
    assert never(trace, "AUTH_CONNECT:block").verdict == HOLDS
    silent = never(trace, "OUTBOUND_IPPACKET_V4:block")
    assert (silent.verdict, silent.cause) == (REFUTED, "vacuous")
    assert "no line is at OUTBOUND_IPPACKET_V4" in silent.message
    bare = never(trace, "OUTBOUND_IPPACKET_V4")
    assert bare.verdict == HOLDS
    assert "note: no line is at OUTBOUND_IPPACKET_V4" in bare.message


# -- accepts, as check


def test_a_port_that_is_taken_again_has_to_be_allowed() -> None:
    one = ["layer=ALE_RESOURCE_ASSIGNMENT_V4 verdict=PERMIT local=192.0.2.1:5000"]
    one += [f"layer={layer} verdict=PERMIT {ENDS}" for layer in (CONNECT, FLOW, "ALE_ENDPOINT_CLOSURE_V4")]
    trace = read(*one, *one)
    assert check_trace(trace).verdict == AGREES
    asked = accepts("sender", trace)
    assert (asked.verdict, asked.cause) == (UNKNOWN, "rare")
    assert "allow=['port_reopened']" in asked.message
    assert accepts("sender", trace, allow=["port_reopened"]).verdict == HOLDS
    assert accepts("sender", trace, allow=["all"]).verdict == HOLDS
    assert accepts("sender", trace, never=["port_reopened"]).verdict == REFUTED
    assert accepts("dropped_port", trace, allow=["all"]).verdict == REFUTED


def test_more_edits_than_are_listed_are_counted_and_the_limit_is_named() -> None:
    lines = [f"layer={layer} verdict=BLOCK flags=0x0 {ENDS}" for layer in (FLOW, CONNECT) for _ in range(12)]
    found = accepts("sender", read(*lines), never=["port_reopened"])
    assert found.verdict == REFUTED
    assert " edits" in found.message and "... and " in found.message
    short = accepts("sender", read(*lines), never=["port_reopened"], limit=1)
    assert "the limit of work (--limit 1) was hit" in short.message
