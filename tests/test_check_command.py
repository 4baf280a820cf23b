"""`wfp-udp check`: what it prints, its exit statuses, its errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fsm.cli.check import command
from fsm.errors import FsmError, LogError
from fsm.fingerprint import fingerprint
from fsm.stepper.token import sealed
from fsm.traces.reading import read_trace

TRACES = Path(__file__).parent / "data" / "traces"
SOUND, FAULTY = str(TRACES / "udpmon.log"), str(TRACES / "udpmon-faulty.log")
PAGE = Path(__file__).resolve().parent.parent / "diagrams" / "pages" / "trace-patterns.md"
LOST = """\
udpmon-faulty.log: 24 lines = 22 observations + 2 about something else + 0 not understood
Read by the built-in pattern key-value.
Note: times go back and forth; the order of the lines is kept.

Callouts stand at ALE_AUTH_CONNECT_V4, ALE_AUTH_RECV_ACCEPT_V4, ALE_FLOW_ESTABLISHED_V4, ALE_RESOURCE_ASSIGNMENT_V4, \
DATAGRAM_DATA_V4, INBOUND_TRANSPORT_V4, OUTBOUND_TRANSPORT_V4 (as declared).
DIVERGES: Windows, as the model has it, cannot have called the callouts like this in 1 of 1 conversation.

DIVERGES  192.0.2.10:53124 <-> 198.51.100.53:53, 11 lines
  The first 2 lines of it are possible. The next is not, under any hypothesis:
    udpmon-faulty.log, line 5: 05/14/2024-09:30:00.006 udpmon: layer=FWPS_LAYER_DATAGRAM_DATA_V4 verdict=PERMIT \
local=192.0.2.10:53124 remote=198.51.100.53:53 flags=0x0
    possible there: ALE_FLOW_ESTABLISHED_V4 permit outbound
    step through what is possible: wfp-udp step --token {token}
  Least costly repair: 1 edit.
  1. a line is missing at udpmon-faulty.log, line 5: 05/14/2024-09:30:00.006 udpmon: layer=FWPS_LAYER_DATAGRAM_DATA_V4 \
verdict=PERMIT local=192.0.2.10:53124 remote=198.51.100.53:53 flags=0x0
     in state BOUND/NONE sendto@send.establish
     why: the model asks ALE_FLOW_ESTABLISHED_V4 there (in sendto, at send.establish)
     rule: send.establish.permit (UDPF, WLR)
     possible there: ALE_FLOW_ESTABLISHED_V4 permit outbound
     repair: a line for ALE_FLOW_ESTABLISHED_V4 permit outbound before udpmon-faulty.log, line 5; or say \
--without ALE_FLOW_ESTABLISHED_V4 if no callout stands there
  With the repair, it can have happened like this:
    sendto: UNBOUND/NONE to BOUND/OUT (lines 3-6)
    datagram: BOUND/OUT to BOUND/OUT (lines 8-9)
    policy_change: BOUND/OUT to BOUND/OUT_STALE (no line)
    sendto: BOUND/OUT_STALE to BOUND/OUT (lines 16-18)
    datagram: BOUND/OUT to BOUND/OUT (lines 19-20)

No dispute of the sources is decided by this trace.
"""
ONLY = (
    "RESOURCE_ASSIGNMENT_V4,AUTH_CONNECT_V4,AUTH_RECV_ACCEPT_V4,FLOW_ESTABLISHED_V4,DATAGRAM_DATA_V4,"
    "INBOUND_TRANSPORT_V4,OUTBOUND_TRANSPORT_V4"
)


def check(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(command, words, input=stdin, catch_exceptions=True)


def test_a_sound_trace_agrees_with_status_0() -> None:
    result = check(SOUND)
    assert result.exit_code == 0, result.output
    assert "AGREES: everything in 2 conversations can have happened like this." in result.output
    assert "18 other layers never seen in this log (--list all names them)" in result.output
    assert "Say --only LAYERS to declare" in result.output
    assert "never seen in this log: ALE_BIND_REDIRECT_V4" in check(SOUND, "--list", "all").output


def test_a_lost_line_is_told_in_full() -> None:
    result = check(FAULTY, "--only", ONLY, "--endpoint", "198.51.100.53:53")
    assert result.exit_code == 1
    assert result.output == LOST.format(token=sealed(f"wfp2_{fingerprint()}_sender_4_11_base_sp4"))


def test_json_is_one_object_with_every_line_accounted_for() -> None:
    result = check(FAULTY, "--format", "json")
    assert result.exit_code == 1
    found = json.loads(result.output)
    counts = found["accounting"]
    assert counts["lines"] == counts["observations"] + counts["other"] + counts["not_understood"]
    assert found["verdict"] == "DIVERGES"
    assert [(one["edits_needed"], one["at_least"]) for one in found["conversations"]] == [(1, 1), (1, 1)]
    assert [one["edits"][0]["kind"] for one in found["conversations"]] == ["missing", "wrong_order"]
    rules = [edit["rule"].partition("[")[0] for one in found["conversations"] for edit in one["edits"]]
    assert rules == ["send.establish.permit", "receive.transport.permit"]


def test_a_declared_missing_layer_makes_the_trace_agree() -> None:
    assert check(FAULTY, "--endpoint", "198.51.100.53:53", "--only", ONLY).exit_code == 1
    lines = [line for line in Path(FAULTY).read_text().splitlines() if "ESTABLISHED" not in line and "198.51" in line]
    stdin = "\n".join(lines).encode()
    assert check("-", stdin=stdin).exit_code == 0
    assert check("-", "--only", ONLY, stdin=stdin).exit_code == 1
    without = ["BIND_REDIRECT", "CONNECT_REDIRECT", "INBOUND_IPPACKET", "OUTBOUND_IPPACKET", "FLOW_ESTABLISHED"]
    assert check("-", "--without", ",".join(without), stdin=stdin).exit_code == 0


def test_what_cannot_be_told_is_status_1_unless_allowed() -> None:
    line = b"layer=ALE_CONNECT_REDIRECT_V4"
    result = check("-", stdin=line)
    assert (result.exit_code, "CANNOT TELL: this log" in result.output) == (1, True)
    assert check("-", "--allow-unknown", stdin=line).exit_code == 0


def test_lines_that_were_not_understood_are_no_agreement() -> None:
    lines = [*Path(SOUND).read_bytes().splitlines()[:6], b"layer=AUTH_CONECT", b"layer=24 verdict=permitt"]
    result = check("-", stdin=b"\n".join(lines))
    assert result.exit_code == 1
    assert "CANNOT TELL: nothing diverges, but 2 lines could not be read (line 7, line 8). Mend" in result.output
    assert "Did you mean 'AUTH_CONNECT'" in result.output
    assert check("-", "--allow-unknown", stdin=b"\n".join(lines)).exit_code == 0
    assert check("-", stdin=b"\n".join(lines[:6])).exit_code == 0


def test_what_is_rare_has_to_be_allowed() -> None:
    sent = [b"layer=ALE_AUTH_CONNECT verdict=permit", b"layer=ALE_FLOW_ESTABLISHED verdict=permit"]
    twice = b"\n".join(line + b" local=10.0.0.1:5000 remote=10.0.0.2:53" for line in sent * 2)
    result = check("-", stdin=twice)
    assert result.exit_code == 1
    assert (
        "AGREES ONLY IF this happened: no packet of the flow for its lifetime (60 s) (1 of 1 conversation needs it). "
        "If it did, say --allow idle_timeout." in result.output
    )
    assert json.loads(check("-", "--format", "json", stdin=twice).output)["needs"] == ["idle_timeout"]
    assert check("-", "--allow", "idle_timeout", stdin=twice).exit_code == 0
    assert check("-", "--allow", "all", stdin=twice).exit_code == 0
    assert "DIVERGES" in check("-", "--never", "idle_timeout,close,flow_abort", stdin=twice).output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "AUTH_CONECT"], "--only: no layer named 'AUTH_CONECT'"),
        (["--only", "AUTH_CONNECT"], "is not among the layers"),
        (["--without", "DATAGRAM_DATA"], "Leave it out of --without"),
        (["--never", "sendtoo"], "no stimulus named 'sendtoo'"),
        (["--allow", "inject"], "--allow: no stimulus named 'inject'"),
        (["--verdicts", "some"], "no kind of verdicts named 'some'"),
        (["--endpoint", "10.9.9.9"], "no endpoint of this trace named '10.9.9.9'"),
        (["--limit", "0"], "--limit: 0 leaves no work to do"),
        (["--pattern", "("], "is no regular expression"),
        (["--assume", "close=never"], "no option of close named 'never'"),
    ],
)
def test_a_mistake_in_an_option_is_one_line(words: list[str], message: str) -> None:
    result = check(SOUND, *words)
    assert isinstance(result.exception, FsmError)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)


def test_own_verdicts_let_another_filter_block() -> None:
    layers = ["ALE_AUTH_CONNECT_V4 verdict=permit", "ALE_AUTH_CONNECT_V4_DISCARD verdict=permit"]
    stdin = "\n".join(f"layer={one}" for one in ["ALE_RESOURCE_ASSIGNMENT_V4 verdict=permit", *layers] * 2).encode()
    final = check("-", stdin=stdin)
    assert final.exit_code == 1
    assert "--verdicts own" in final.output
    assert check("-", "--verdicts", "own", stdin=stdin).exit_code == 0


def test_it_runs_as_a_program_and_survives_a_narrow_pipe() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fsm", "check", SOUND],
        capture_output=True,
        env={"LC_ALL": "C", "PYTHONIOENCODING": "cp1252", "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    missing = subprocess.run([sys.executable, "-m", "fsm", "check", "no-such.log"], capture_output=True, text=True)
    assert (missing.returncode, missing.stdout) == (2, "")
    with pytest.raises(LogError, match=r"^\.: cannot be opened \(Is a directory\)"):
        read_trace(".")
    assert missing.stderr == "error: no-such.log: cannot be opened (No such file or directory). Check the name.\n"


def test_lines_that_are_too_long_are_told_as_such() -> None:
    with_long = check("-", stdin=b"A" * 5000 + b"\n")
    assert isinstance(with_long.exception, FsmError)
    assert "none of the first lines has at most 4,096 characters" in str(with_long.exception)


def test_the_page_names_every_group_pattern_and_edit() -> None:
    from fsm.traces.finding import KINDS
    from fsm.traces.patterns import BUILT_IN, GROUPS

    text = PAGE.read_text(encoding="utf-8")
    for name in (*GROUPS, *(pattern.name for pattern in BUILT_IN), *KINDS):
        assert f"`{name}`" in text, name
