"""`wfp-udp flow` and `wfp-udp run` at the command line: text, JSON, mistakes, pipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from fsm.flows import FLOWS
from fsm.names import OUTCOMES

KEYS = [
    *("flow", "endpoint", "ip", "windows", "evidence", "setup", "steps"),
    *("outcome", "blocked_at", "application_sees", "remote_sees", "logged"),
]
STEP_KEYS = ["label", "stimulus", "layer", "runtime_id", "verdict", "from", "to", "rule", "basis", "cite"]


def as_process(*arguments: str, encoding: str = "cp1252") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    return subprocess.run(
        [sys.executable, "-m", "fsm", *arguments], capture_output=True, env=environment, check=False, timeout=60
    )


def told(wfp: Any, *arguments: str) -> dict[str, Any]:
    status, out, err = wfp(*arguments, "--format", "json")
    assert (status, err) == (0, "")
    got: dict[str, Any] = json.loads(out)
    return got


# --- what is printed


@pytest.mark.parametrize(
    "arguments",
    [
        ("flow", "sender.active_open"),
        ("flow", "receiver.reauthorized", "--ip", "6"),
        ("flow", "dropped_port.no_listener", "--evidence", "observed", "--block", "13"),
        ("flow", "any.termination"),
        ("run", "sender", "sendto"),
        ("run", "receiver", "bind", "datagram", "wait:60", "datagram@B", "--windows", "vista"),
        ("run", "sender", "wait:5"),
        ("run", "dropped_port", "datagram", "--engine", "live"),
        ("flow", "sender.dual_stack"),
        ("flow", "sender.pended"),
        ("flow", "receiver.group", "--assume", "path=loopback"),
        ("run", "sender", "bind", "sendto", "--verdict", "CONNECT_REDIRECT=redirect"),
        ("run", "sender", "bind", "complete", "--verdict", "BIND_REDIRECT=pend", "--engine", "live"),
        ("run", "sender", "bind", "connect", "datagram@B", "sendto_group", "wait:4", "inject_send", "flow_abort"),
    ],
    ids=" ".join,
)
def test_the_json_has_the_shape_that_was_promised(wfp: Any, arguments: tuple[str, ...]) -> None:
    got = told(wfp, *arguments)
    assert [key for key in got if key in KEYS] == KEYS
    assert got["ip"] in (4, 6) and isinstance(got["windows"], str) and isinstance(got["setup"], list)
    assert got["outcome"] is None or got["outcome"] in OUTCOMES
    assert got["blocked_at"] is None or got["blocked_at"].startswith("FWPM_LAYER_")
    assert got["application_sees"] and got["remote_sees"] and isinstance(got["logged"], list)
    for entry in got["logged"]:
        assert isinstance(entry["event_id"], int) and entry["layer"].startswith("FWPM_LAYER_")
    for step in got["steps"]:
        assert [key for key in step if key in STEP_KEYS] == STEP_KEYS
        assert step["layer"].startswith("FWPM_LAYER_") and isinstance(step["runtime_id"], int)
        assert step["verdict"] in ("permit", "block", "absorb", "pend", "redirect")
        assert isinstance(step["flags"], list) and (step["discard"] is None or step["discard"]["module"])
        assert step["basis"] in ("documented", "observed", "inferred") and step["cite"] and step["rule"]
        assert step["from"] and step["to"]


@pytest.mark.parametrize(
    ("arguments", "reasons"),
    [
        (("run", "sender", "sendto", "policy_change", "profile_change", "sendto", "sendto"), [0x9]),
        (("run", "sender", "bind", "sendto_group", "complete_group", "--verdict", "AUTH_CONNECT=pend"), [0x10]),
        (("flow", "receiver.group"), [0x100]),
        (("run", "sender", "sendto", "policy_change", "sendto", "--windows", "vista"), []),  # the field came with 7
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_a_reauthorization_is_printed_with_its_reason(wfp: Any, arguments: tuple[str, ...], reasons: list[int]) -> None:
    names = {0x9: "0x9 POLICY_CHANGE|PROFILE_CROSSING", 0x10: "0x10 CLASSIFY_COMPLETION"}
    names[0x100] = "0x100 NEW_INBOUND_MCAST_BCAST_PACKET"
    steps = told(wfp, *arguments)["steps"]
    assert [step["reauthorize_reason"] for step in steps if step["reauthorize_reason"]] == reasons
    assert all("IS_REAUTHORIZE" in step["flags"] for step in steps if step["reauthorize_reason"])
    assert told(wfp, *arguments, "--engine", "live")["steps"] == steps
    text = wfp(*arguments)[1]
    assert [line.strip() for line in text.splitlines() if "IS_REAUTHORIZE reason" in line] == [
        f"[IS_REAUTHORIZE reason {names[reason]}]" for reason in reasons
    ]
    assert "IS_REAUTHORIZE" in text


def test_a_flow_has_its_name_in_the_json_and_a_run_has_none(wfp: Any) -> None:
    assert told(wfp, "flow", "active_open")["flow"] == "sender.active_open"
    assert not told(wfp, "run", "sender", "bind")["flow"]


def test_both_engines_print_the_same_json_for_a_long_run(wfp: Any) -> None:
    words = [
        "bind",
        "sendto",
        "sendto@B",
        "policy_change",
        "datagram",
        "datagram@B",
        "wait:59",
        "icmp_error",
        "wait:60",
    ]
    arguments = ("run", "sender", *words, "sendto", "close", "--evidence", "documented")
    assert told(wfp, *arguments, "--engine", "table") == told(wfp, *arguments, "--engine", "live")


def test_both_engines_print_the_same_json_for_a_run_through_the_whole_model(wfp: Any) -> None:
    words = [
        *("bind", "complete", "connect", "sendto", "complete", "inject_send", "sendto@B", "complete@B", "datagram@B"),
        *("wait:3", "datagram_group", "interface_change", "profile_change", "sendto", "flow_abort"),
        *("datagram", "complete", "protection_level", "icmp_ttl", "wait:60", "close", "complete"),
    ]
    pends = ["BIND_REDIRECT_V6", "AUTH_CONNECT_V4", "AUTH_RECV_ACCEPT_V4", "ENDPOINT_CLOSURE_V6"]
    verdicts = [word for layer in pends for word in ("--verdict", f"{layer}=pend")]
    for evidence in ("documented", "observed"):
        arguments = ("run", "sender", *words, *verdicts, "--assume", "dual_stack=yes", "--evidence", evidence)
        table = told(wfp, *arguments, "--engine", "table")
        assert table == told(wfp, *arguments, "--engine", "live")
        assert {step["verdict"] for step in table["steps"]} == {"permit", "pend"} and table["unused_blocks"] == []
        assert {step["peer"] for step in table["steps"]} == {"A", "B"}


# --- verdicts


@pytest.mark.parametrize("spelling", ["AUTH_CONNECT", "ale_auth_connect", "FWPM_LAYER_ALE_AUTH_CONNECT_V4", "48"])
def test_a_verdict_is_given_at_a_layer_in_any_spelling(wfp: Any, spelling: str) -> None:
    got = told(wfp, "run", "sender", "bind", "sendto", "--verdict", f"{spelling}=absorb")
    assert (got["outcome"], got["blocked_at"]) == ("silent", "FWPM_LAYER_ALE_AUTH_CONNECT_V4")
    assert got["steps"][-1]["verdict"] == "absorb" and [entry["runtime_id"] for entry in got["logged"]] == [36]
    assert told(wfp, "run", "sender", "bind", "sendto", "--verdict", f" {spelling} = Absorb ")["outcome"] == "silent"


def test_a_verdict_of_block_is_a_block(wfp: Any) -> None:
    words = ("run", "receiver", "bind", "datagram")
    assert told(wfp, *words, "--verdict", "44=block") == told(wfp, *words, "--block", "44")


def test_several_verdicts_and_blocks_hold_together(wfp: Any) -> None:
    given = ("--verdict", "CONNECT_REDIRECT=redirect", "--block", "OUTBOUND_TRANSPORT", "--verdict", "17=block")
    got = told(wfp, "run", "sender", "bind", "sendto", *given)
    assert [step["verdict"] for step in got["steps"]][2:] == ["redirect", *["permit"] * 3, "block", "block"]
    assert got["blocked_at"] == "FWPM_LAYER_OUTBOUND_TRANSPORT_V4"


def test_a_layer_is_not_given_two_verdicts_without_a_word(wfp: Any) -> None:
    """As `--assume close=nothing --assume close=closure_release` is refused."""
    for given in (
        ("--verdict", "AUTH_CONNECT=pend", "--verdict", "AUTH_CONNECT=absorb"),
        ("--block", "AUTH_CONNECT", "--verdict", "48=pend"),
    ):
        status, out, err = wfp("run", "sender", "bind", "sendto", *given)
        assert (status, out) == (2, "") and "AUTH_CONNECT" in err and "twice" in err


@pytest.mark.parametrize("ip", ["4", "6"])
def test_a_layer_of_a_dual_stack_socket_is_found_without_its_version(wfp: Any, ip: str) -> None:
    """Fact a.5.2: it visits CONNECT_REDIRECT_V6 whatever the peer; nobody should have to know that to block it."""
    dual = ("--assume", "dual_stack=yes", "--ip", ip)
    got = told(wfp, "run", "sender", "bind", "sendto", *dual, "--block", "CONNECT_REDIRECT")
    assert got["unused_blocks"] == [] and got["blocked_at"] == "FWPM_LAYER_ALE_CONNECT_REDIRECT_V6"
    for flow in ("sender.redirected", "sender.bind_redirected"):
        assert "redirect" in [step["verdict"] for step in told(wfp, "flow", flow, *dual)["steps"]]


def test_a_run_repeats_itself_byte_for_byte() -> None:
    runs = {as_process("run", "sender", "bind", "sendto", "--format", "json").stdout for _ in range(2)}
    assert len(runs) == 1


def test_the_text_of_a_run_has_a_line_for_each_layer_and_what_came_of_it(wfp: Any) -> None:
    status, out, err = wfp("run", "sender", "bind", "sendto@B", "--block", "auth_connect")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "sender: bind sendto@B" and lines[1] == "sender, IPv4, Windows 11, evidence base"
    layers = [line.split() for line in lines if line.startswith("  ") and "_V4" in line]
    assert [words[1] for words in layers] == [
        *("ALE_BIND_REDIRECT_V4", "ALE_RESOURCE_ASSIGNMENT_V4", "ALE_CONNECT_REDIRECT_V4"),
        *("ALE_AUTH_CONNECT_V4", "ALE_AUTH_CONNECT_V4_DISCARD"),
    ]
    assert "BLOCK" in layers[3] and "48" in layers[3]
    assert "sendto@B, at 0 s" in lines
    assert "outcome:     blocked" in lines
    assert "blocked at:  FWPM_LAYER_ALE_AUTH_CONNECT_V4" in lines
    assert "application: sendto returned success; the datagram is lost" in lines
    assert any(line.startswith("logged:") and "5157 at layer 48" in line for line in lines)


def test_the_text_of_a_run_says_when_no_layer_sees_anything(wfp: Any) -> None:
    assert "no layer sees this" in wfp("run", "sender", "bind", "sendto", "policy_change")[1]
    assert "no layer sees this" in wfp("flow", "any.termination")[1]


def test_the_text_names_the_setup_of_a_flow(wfp: Any) -> None:
    assert "after: bind datagram policy_change" in wfp("flow", "receiver.reauthorized")[1].splitlines()


def test_the_list_of_flows_is_printed_as_text_and_as_json(wfp: Any) -> None:
    status, out, _ = wfp("flow")
    assert status == 0 and all(name in out for name in FLOWS)
    listed = told(wfp, "flow")["flows"]
    assert [flow["name"] for flow in listed] == list(FLOWS)
    assert all(flow["title"] and flow["endpoint"] and flow["cite"] for flow in listed)


@pytest.mark.parametrize("word", ["DROPPED-PORT", "dropped_port", "Dropped_Port"])
def test_an_endpoint_is_found_in_any_case(wfp: Any, word: str) -> None:
    assert told(wfp, "run", word, "datagram")["endpoint"] == "dropped_port"


@pytest.mark.parametrize("word", ["11", "Windows 11", "windows 11"])
def test_windows_is_found_in_any_plain_spelling(wfp: Any, word: str) -> None:
    assert told(wfp, "run", "sender", "bind", "--windows", word)["windows"] == "11"


def test_json_steps_tell_for_which_peer_they_are(wfp: Any) -> None:
    sent = [
        step for step in told(wfp, "run", "sender", "bind", "sendto", "sendto@B")["steps"] if "send" in step["rule"]
    ]
    assert len(sent) == 12 and sent[:6] != sent[6:]


def test_a_cp1252_pipe_gets_the_same_text_as_any_other() -> None:
    for arguments in (
        ("flow",),
        *(("flow", name) for name in list(FLOWS)[:3]),
        ("flow", "dropped_port.no_listener", "--evidence", "observed"),
        ("run", "sender", "bind", "sendto", "close", "--format", "json"),
    ):
        done = as_process(*arguments)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.decode("cp1252") == as_process(*arguments, encoding="utf-8").stdout.decode("utf-8")


def test_an_error_with_a_character_outside_cp1252_is_a_line_and_not_a_traceback() -> None:
    for arguments in (("run", "sender", "bind", "sendto→"), ("flow", "→"), ("run", "sender", "bind:→")):
        done = as_process(*arguments)
        assert done.returncode == 2 and done.stdout == b""
        assert done.stderr.count(b"\n") == 1 and b"Traceback" not in done.stderr


# --- mistakes: arguments | what the one line must mention

MISTAKES: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    (("run", "sendr", "bind"), ("sendr", "sender")),
    (("run", "", "bind"), ("sender, receiver, dropped_port",)),
    (("run", "sender", "bnd"), ("bnd", "bind")),
    (("run", "sender", "sedto"), ("sedto", "sendto")),
    (("run", "sender", "datagrm"), ("datagrm", "datagram")),
    (("run", "sender", ""), ("Allowed", "bind")),
    (("run", "sender", "@B"), ("stimulus",)),
    (
        ("run", "sender", "bind", "bind"),
        ("'bind' is not possible in state BOUND/NONE", "Possible here: connect, ", " sendto, "),
    ),
    (("run", "receiver", "datagram"), ("socket UNBOUND", "Possible here: bind")),
    (("run", "sender", "bind", "close", "sendto"), ("CLOSED", "nothing, this is the end")),
    (("run", "dropped_port", "bind"), ("no socket owns the port", "Possible: datagram")),
    (("run", "sender", "wait:"), ("wait:", "Write wait:61")),
    (("run", "sender", "wait"), ("wait", "Write wait:61")),
    (("run", "sender", "wait:-1"), ("-1",)),
    (("run", "sender", "wait:1.5"), ("1.5",)),
    (("run", "sender", "wait:soon"), ("soon",)),
    (("run", "sender", "wait:1e9"), ("1e9",)),
    (("run", "sender", "wait:²"), ("²",)),
    (("run", "sender", "wait:" + "9" * 5000), ("wait",)),
    (("run", "sender", "bind:5"), ("bind", "takes no argument '5'")),
    (("run", "sender", "sendto:B"), ("sendto", "takes no argument 'B'")),
    (("run", "sender", "sendto@"), ("@",)),
    (("run", "sender", "sendto@²"), ("²",)),
    (("run", "sender", "sendto@B@C"), ("@",)),
    (("run", "sender", "wait@B"), ("wait",)),
    (("run", "sender", "bind", "--windows", "12"), ("12", "11")),
    (("run", "sender", "bind", "--windows", "vist"), ("vist", "vista")),
    (("run", "sender", "bind", "--windows", ""), ("vista",)),
    (("run", "sender", "bind", "--ip", "5"), ("5", "4", "6")),
    (("run", "sender", "bind", "--evidence", "bas"), ("bas", "base")),
    (("run", "sender", "bind", "--engine", "tabel"), ("tabel", "table")),
    (("run", "sender", "bind", "--assume", "close"), ("close", "nothing", "closure_release")),
    (("run", "sender", "bind", "--assume", "close="), ("close", "nothing", "closure_release")),
    (("run", "sender", "bind", "--assume", "clos=nothing"), ("clos", "close")),
    (("run", "sender", "bind", "--assume", "close=nothin"), ("nothin", "nothing")),
    (("run", "sender", "bind", "--assume", "no_listener=transprt"), ("transprt", "transport")),
    (("run", "sender", "bind", "--assume", "close=nothing", "--assume", "close=closure_release"), ("close", "twice")),
    (("run", "sender", "bind", "--block", "AUTH_CONECT"), ("AUTH_CONECT", "AUTH_CONNECT")),
    (("run", "sender", "bind", "--block", "999"), ("999",)),
    (("run", "sender", "bind", "--block", ""), ("--block",)),
    (("run", "sender", "sendto", "--block", "FLOW_ESTABLISHED"), ("FLOW_ESTABLISHED", "no policy point")),
    (("run", "sender", "sendto", "--block", "ENDPOINT_CLOSURE"), ("ENDPOINT_CLOSURE", "cannot be blocked")),
    (("run", "sender", "bind", "--block", "BIND_REDIRECT", "--windows", "vista"), ("BIND_REDIRECT", "vista")),
    (("run", "sender", "bind", "--block", "AUTH_CONNECT_V6"), ("AUTH_CONNECT_V6",)),
    (
        ("run", "sender", "bind", "--verdict", "BIND_REDIRECT"),
        ("BIND_REDIRECT", "LAYER=VERDICT", "permit, block, absorb"),
    ),
    (("run", "sender", "bind", "--verdict", "=block"), ("LAYER=VERDICT",)),
    (("run", "sender", "bind", "--verdict", "BIND_REDIRECT="), ("verdict",)),
    (("run", "sender", "bind", "--verdict", "BIND_REDIRECT=blok"), ("blok", "block")),
    (("run", "sender", "bind", "--verdict", "BIND_REDIRCT=pend"), ("BIND_REDIRCT", "BIND_REDIRECT")),
    (("run", "sender", "bind", "--verdict", "BIND_REDIRECT=absorb"), ("absorb", "BIND_REDIRECT", "carry a packet")),
    (("run", "sender", "sendto", "--verdict", "FLOW_ESTABLISHED=block"), ("FLOW_ESTABLISHED", "no policy point")),
    (("run", "sender", "sendto", "--verdict", "FLOW_ESTABLISHED=pend"), ("FLOW_ESTABLISHED", "no asynchronous")),
    (("run", "sender", "sendto", "--verdict", "DATAGRAM_DATA=redirect"), ("DATAGRAM_DATA", "redirecting there: no")),
    (("run", "sender", "sendto", "--verdict", "DATAGRAM_DATA=veto"), ("DATAGRAM_DATA", "veto")),
    # Refused before the run, whether the layer would be reached or not.
    (("run", "sender", "wait:1", "--verdict", "RESOURCE_ASSIGNMENT=absorb"), ("RESOURCE_ASSIGNMENT", "goes with pend")),
    (("run", "sender", "wait:1", "--verdict", "RESOURCE_ASSIGNMENT=redirect"), ("takes no redirect", "permit, block")),
    (("run", "sender", "wait:1", "--verdict", "AUTH_CONNECT_DISCARD=absorb"), ("not allowed at discard layers",)),
    (("run", "sender", "wait:1", "--verdict", "ENDPOINT_CLOSURE=absorb"), ("ENDPOINT_CLOSURE", "carry a packet")),
    (("run", "dropped_port", "wait:1", "--verdict", "AUTH_CONNECT=veto"), ("takes no veto", "permit, block, absorb")),
    (("flow", "sender.active_open", "--verdict", "FLOW_ESTABLISHED=absorb"), ("no policy point",)),
    (("session", "--network", ""), ("--network", "no network move is given", "default")),
    (("session", "--stimuli", " , "), ("--stimuli", "no stimulus is given")),
    (("run", "sender", "bind", "complete"), ("'complete' is not possible", "socket BOUND")),
    (("run", "sender", "bind", "sendto_group@B"), ("sendto_group", "happens to the socket as a whole")),
    (("run", "sender", "bind", "policy_change@B"), ("policy_change", "happens to the socket as a whole")),
    (("run", "receiver", "bind", "connect"), ("connect", "does not happen to receiver")),
    (("run", "sender", "bind", "--assume", "protocol=tcp"), ("tcp", "udp", "icmp_echo")),
    (("run", "sender", "bind", "--assume", "dual_stack"), ("dual_stack", "no", "yes")),
    (("run", "sender", "bind", "--windows", "vista", "--block", "CONNECT_REDIRECT"), ("CONNECT_REDIRECT", "vista")),
    (("flow", "sender.flow_aborted", "--windows", "7"), ("flow_abort", "Windows 7")),
    (("flow", "sender.active_opn"), ("sender.active_open",)),
    (("flow", "no_listner"), ("no_listener",)),
    (("flow", "blocked"), ("sender.blocked", "receiver.blocked")),
    (("flow", ""), ("flow",)),
    (("flow", "."), ("flow",)),
    (("flow", "sender.active_open", "--windows", "xp"), ("xp",)),
    (("flow", "sender.active_open", "--block", "nothing_like_it"), ("nothing_like_it",)),
    (("flw",), ("flow",)),
]


@pytest.mark.parametrize(("arguments", "mentions"), MISTAKES, ids=[" ".join(a)[:60] for a, _ in MISTAKES])
def test_a_mistake_is_one_line_that_helps_and_exit_status_2(
    wfp: Any, arguments: tuple[str, ...], mentions: tuple[str, ...]
) -> None:
    status, out, err = wfp(*arguments)
    assert status == 2, out
    assert out == ""
    assert err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err
    for mention in mentions:
        assert mention in err
    assert len(err) < 1000


USAGE = [
    ("run", "sender"),
    ("run",),
    ("run", "sender", "bind", "--format", "xml"),
    ("run", "sender", "bind", "--ip", "four"),
    ("run", "sender", "bind", "--blok", "x"),
    ("run", "sender", "bind", "--block"),
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_an_option_that_the_command_line_does_not_know_is_a_usage_error(wfp: Any, arguments: tuple[str, ...]) -> None:
    status, out, err = wfp(*arguments)
    assert status == 2 and out == "" and err.startswith("error: wfp-udp") and err.count("\n") == 1


def test_a_refused_run_prints_no_half_of_its_steps(wfp: Any) -> None:
    for form in ("text", "json"):
        status, out, err = wfp("run", "sender", "bind", "sendto", "bind", "--format", form)
        assert status == 2 and out == "" and err.startswith("error: sender, stimulus 3: ")


@pytest.mark.parametrize("word", ["wait:0", "wait:61s", "wait:999999999", "WAIT:5", "sendto@Z", "SENDTO"])
def test_odd_words_that_have_a_meaning_are_accepted(wfp: Any, word: str) -> None:
    assert told(wfp, "run", "sender", "bind", word)["stimuli"] == ["bind", word]


def test_a_block_in_a_flow_that_is_not_reached_is_said_and_not_silently_dropped(wfp: Any) -> None:
    status, out, _ = wfp("flow", "any.termination", "--block", "AUTH_CONNECT")
    assert status == 0
    assert "note:        FWPM_LAYER_ALE_AUTH_CONNECT_V4 was not reached" in out
    got = told(wfp, "flow", "any.termination", "--block", "AUTH_CONNECT")
    assert got["unused_blocks"] == ["FWPM_LAYER_ALE_AUTH_CONNECT_V4"]


def test_a_long_list_of_stimuli_is_run_to_its_end(wfp: Any) -> None:
    got = told(wfp, "run", "sender", "bind", *["sendto", "datagram", "policy_change"] * 300)
    assert len(got["steps"]) == 2 + 6 + 3 + 299 * (4 + 3)


@pytest.mark.parametrize("command", ["flow", "run"])
def test_the_help_names_the_options_and_an_example(wfp: Any, command: str) -> None:
    status, out, _ = wfp(command, "--help")
    assert status == 0
    for option in ("--ip", "--windows", "--evidence", "--assume", "--block", "--verdict", "--engine", "--format"):
        assert option in out
