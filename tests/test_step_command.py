"""`wfp-udp step` as people and scripts use it: the dialogue on a pipe, its JSON, files, tokens and mistakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fsm.fingerprint import fingerprint
from fsm.flows import run_stimuli
from fsm.stepper import EndpointSystem, Walk
from fsm.stepper.token import sealed


def step(
    *arguments: str, lines: str | bytes = "", folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    given = lines if isinstance(lines, bytes) else "".join(f"{line}\n" for line in lines.split("|") if line).encode()
    ran = subprocess.run(
        [sys.executable, "-m", "fsm", "step", *arguments],
        input=given,
        capture_output=True,
        cwd=folder,
        env={**os.environ, **environment},
        timeout=60,
    )
    assert b"Traceback" not in ran.stderr, ran.stderr.decode()
    return subprocess.CompletedProcess(ran.args, ran.returncode, ran.stdout.decode("ascii"), ran.stderr.decode("ascii"))


def objects(ran: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_each_stimulus_runs_to_its_end_with_one_line_for_each_classify() -> None:
    ran = step("sender", "--plain", lines="bind|sendto|quit")
    assert (ran.returncode, ran.stderr) == (0, "")
    expected = [s.step.layer.removeprefix("FWPM_LAYER_") for s in run_stimuli("sender", ["bind", "sendto"]).steps]
    assert [line.split()[2] for line in ran.stdout.splitlines()] == expected
    assert ran.stdout.splitlines()[-1].endswith("=> sent")


def test_json_has_one_object_for_each_classify() -> None:
    ran = step("--format", "json", lines="bind|policy_change|sendto@B")
    found = objects(ran)
    run = run_stimuli("sender", ["bind", "policy_change", "sendto@B"])
    assert [one["layer"] for one in found if one["layer"]] == [s.step.layer for s in run.steps]
    for one in found:
        assert list(one) == [
            "n",
            "move",
            "layer",
            "verdict",
            "state",
            "changed",
            "moves",
            "refused",
            "token",
            "decided_by",
        ]
        again = Walk.from_token(one["token"])
        assert again.state == one["state"]
        assert list(again.moves) == one["moves"]
        assert [(entry["move"], entry["why"]) for entry in one["refused"]] == list(again.refused)
    assert [one["move"] for one in found if not one["layer"]] == ["policy_change"]
    assert found[1]["changed"]["socket"] == ["UNBOUND", "BOUND"]
    assert found[0]["verdict"] == "permit"
    assert found[-1]["move"] == "sendto@B"


def test_manual_stops_before_each_layer() -> None:
    found = objects(step("--manual", "--format", "json", lines="bind|permit|block|permit"))
    assert [(one["layer"], one["verdict"]) for one in found] == [
        (None, None),
        ("FWPM_LAYER_ALE_BIND_REDIRECT_V4", "permit"),
        ("FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4", "block"),
        ("FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4_DISCARD", "permit"),
    ]
    assert "pend" in found[0]["moves"]


def test_breakpoint_stops_and_go_goes_on() -> None:
    ran = step("--break", "AUTH_CONNECT", lines="sendto|why bind|go")
    lines = ran.stdout.splitlines()
    assert "      waits: ALE_AUTH_CONNECT_V4 (permit, block, absorb, pend)" in lines
    assert any(line.startswith("bind: sendto is in progress") for line in lines)
    assert lines[-1].endswith("=> sent")


def test_going_back_and_trying_the_other_branch() -> None:
    ran = step(lines="bind|sendto|b 5|block|branches|switch main|tree|b|f|jump 0|f 3|reset")
    assert ran.returncode == 0, ran.stderr
    out = ran.stdout
    assert "ALE_AUTH_CONNECT_V4_DISCARD" in out
    assert "* branch2           ends at 12: BOUND/NONE" in out
    assert "at 10: BOUND/OUT, branch main" in out
    assert "| block ALE_AUTH_CONNECT_V4" in out
    assert out.splitlines()[-1].startswith("at 0: UNBOUND/NONE")


def test_moves_are_taken_by_number_beginning_and_alias() -> None:
    found = objects(step("--format", "json", lines="1|SEND|datagram_g|wait 61|wait:1"))
    assert list(dict.fromkeys(one["move"] for one in found)) == [
        "bind",
        "sendto",
        "datagram_group",
        "wait:61",
        "wait:1",
    ]


def test_random_walks_are_those_of_the_stated_generator() -> None:
    seeded = objects(step("--format", "json", "--seed", "9", "--manual", lines="r 40|r 10"))
    named = objects(step("--format", "json", "--manual", lines="r 40 9|r 10 10"))
    assert seeded == named
    walk = Walk(EndpointSystem("sender"))
    walk.random(40, 9)
    walk.random(10, 10)
    assert [one for one in seeded if "token" in one][-1]["token"] == walk.token


def test_until_watch_state_ladder_and_filter() -> None:
    ran = step(lines="watch flow|until flow=IN|state|ladder|/time|/xyz|until fired=OUTBOUND_ICMP_ERROR|unwatch flow|?")
    assert ran.returncode == 0, ran.stderr
    for text in (
        "until: reached: flow=IN",
        "watch: flow -> IN",
        "  flow         IN  (was NONE)",
        "  1  ALE_BIND_REDIRECT_V4 ",
        "   - idle_timeout: datagram is in progress",
        "no move contains 'xyz'",
        "until: unknown: not found among 10,000 places",
        "nothing is watched",
        "export F FILE",
    ):
        assert text in ran.stdout, text
    closed = step("dropped_port", lines="until fired=AUTH_CONNECT")
    assert "until: not reached: no way from here leads there" in closed.stdout


def test_a_bad_line_is_told_changes_nothing_and_makes_the_status_two() -> None:
    ran = step(lines="bnd|bind|b 99|jump x|until flow=FOO|switch x|s|export png x|datagrm|12345678|se|close")
    assert ran.returncode == 2
    errors = ran.stderr.splitlines()
    assert len(errors) == 10
    assert errors[0] == (
        "error: line 1: sender, move 1: no move named 'bnd'. Did you mean 'bind' or 'send' or 'pend'? "
        "The line ? lists the commands."
    )
    assert all(line.startswith("error: line ") for line in errors)
    assert "'se' begins 2 moves. Meant: sendto, sendto_group." in errors[-1]
    assert [line.split()[1] for line in ran.stdout.splitlines()] == ["bind", "bind", "close"]


def test_comments_blank_lines_crlf_bom_and_strange_bytes() -> None:
    ran = step(lines=b"\xef\xbb\xbf# a script\r\n\r\nbind\r\n  sendto  \r\nquit\r\nnever\r\n")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1].endswith("=> sent")
    ran = step(lines=b"\xff\xfe\x00bind\nb\x1b[31mind\n" + b"x" * 300_000 + b"\nbind")
    assert ran.returncode == 2
    assert "\x1b" not in ran.stderr
    assert "BOUND/NONE" in ran.stdout


def test_no_input_ends_quietly_and_a_plain_locale_is_enough() -> None:
    ran = step(LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="cp1252")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    ran = step(lines="bind|tree|?", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="cp1252")
    assert ran.returncode == 0


def test_token_brings_back_the_place() -> None:
    token = step(lines="bind|sendto@B|wait:61|t").stdout.splitlines()[-1]
    ran = step("--token", token, lines="state|t")
    assert "time         61 s" in ran.stdout
    assert ran.stdout.splitlines()[-1] == token
    other = sealed(token.rpartition("_")[0].replace(fingerprint(), "00000000"))
    ran = step("--token", other)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "made with model version 00000000" in ran.stderr and "--other-model" in ran.stderr
    ran = step("--token", other, "--other-model", lines="t")
    assert (ran.returncode, ran.stdout.strip()) == (0, token)
    assert "replayed all" in ran.stderr


def test_saved_walks_and_exports_are_files(tmp_path: Path) -> None:
    ran = step(
        *("--save", "end.json"),
        lines="bind|s walk.json|sendto|export pytest test_it.py|export mermaid it.mmd|export dot it.dot",
        folder=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "end.json",
        "it.dot",
        "it.mmd",
        "test_it.py",
        "walk.json",
    ]
    assert "BOUND/NONE" in step("--load", "walk.json", lines="state", folder=tmp_path).stdout
    assert "BOUND/OUT" in step("--load", "end.json", lines="state", folder=tmp_path).stdout
    assert "at 10: BOUND/OUT" in step(lines="close|load end.json", folder=tmp_path).stdout
    for arguments, told in (
        (("--load", "nothing.json"), "--load nothing.json: cannot be read"),
        (("--load", "it.dot"), "--load it.dot: no saved walk: it is no JSON"),
        (("--load", "."), "cannot be read"),
        (("--load", "end.json", "--ip", "6"), "--load says which machine it is, and --ip is given"),
        (("receiver", "--load", "end.json"), "receiver is asked for, but the walk is one of sender"),
        (("--load", "end.json", "--token", "wfp2_"), "a token and a file are given"),
        (("--save", "no/such/folder.json"), "no folder 'no/such'"),
    ):
        ran = step(*arguments, folder=tmp_path)
        assert ran.returncode == 2
        assert told in ran.stderr
    assert step("--load", "end.json", "--manual", lines="datagram", folder=tmp_path).stdout.count("\n") == 2


def test_sessions_are_stepped_through() -> None:
    ran = step("session", "sender@1", "receiver@2", "--format", "json", lines="until receiver=BOUND/IN|t")
    found = objects(ran)
    layers = [one["layer"] for one in found if one.get("layer")]
    assert layers[0] == "FWPM_LAYER_ALE_BIND_REDIRECT_V4"
    assert layers.count("FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4") == 1
    assert "receiver=BOUND/IN" in found[-2].get("state", found[-3].get("state", ""))
    again = step("--token", found[-1]["token"], lines="state|tree|receiver: bind")
    assert "receiver     BOUND/IN/heard:sender" in again.stdout
    assert again.returncode == 2
    classify = objects(
        step("session", "--granularity", "classify", "--format", "json", lines="sender: bind|sender: bind ALE_BIND")
    )
    assert [one["layer"] for one in classify] == [None, "FWPM_LAYER_ALE_BIND_REDIRECT_V4"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("sendr",), "no system named 'sendr'. Did you mean 'sender' or 'session'?"),
        (("sender", "receiver"), "'receiver' is for sessions, and this is sender"),
        (("--cap", "2"), "--cap is for sessions"),
        (("--break", "NOWHERE"), "NOWHERE"),
        (("session", "--break", "AUTH_CONNECT"), "a session stops after each move"),
        (("session", "--engine", "live"), "--engine: a session runs on the compiled tables"),
        (("--engine", "steam"), "no engine named 'steam'"),
        (("--ip", "5"), "no IP version named '5'"),
        (("--token", "x"), "'x' is no token"),
        (("--token", ""), "'' is no token"),
        (("--token", "wfp1~88acb752~sender~4~11~base~~b"), "it is of format wfp1, and this version reads wfp2 only"),
        (("--token", "wfp2_88acb752_sender_4_11_base_bpp_"), "'11_base_bpp_', which is not the check of what stands"),
        (("--load", ""), "--load: no file is named"),
        (("--html", ""), "--html: no file is named"),
        (("--policy", ""), "cannot be opened"),
        # Before the walk, which would be lost.
        (("--save", "no/such/walk.json"), "--save no/such/walk.json: no folder"),
        (("--save", "."), "--save .: this is a folder"),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_wrong_options_are_told_in_one_line(arguments: tuple[str, ...], told: str) -> None:
    ran = step(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.count("\n") == 1
    assert told in ran.stderr


def test_what_is_missing_is_named_as_it_is_written() -> None:
    ran = step(lines="export pytest|unwatch x")
    assert ran.stderr.splitlines() == [
        "error: line 1: export pytest: no file is named. Write export pytest FILE.",
        "error: line 2: unwatch: no watch named 'x'. There is none here.",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="closes streams as a POSIX shell does")
@pytest.mark.parametrize(
    ("redirected", "status", "told"),
    [
        ("<&-", 0, ""),
        (">&-", 0, ""),
        (">/dev/full", 2, "error: standard output: cannot be written: No space left on device\n"),
    ],
)
def test_a_closed_stream_is_an_empty_one_and_a_full_disk_is_told(redirected: str, status: int, told: str) -> None:
    if "/dev/full" in redirected and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    command = f'echo bind | ("$0" -m fsm step sender --plain {redirected})'
    ran = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (status, told)


def test_live_engine_says_the_same() -> None:
    lines = "bind|sendto|r 50 3|b 2|sendto@B|reset|datagram|until flow=IN"
    assert step("--engine", "live", lines=lines).stdout == step(lines=lines).stdout


def test_a_walk_is_drawn_as_it_went_and_as_nothing_else(tmp_path: Path) -> None:
    from fsm.session import make_session
    from fsm.stepper import SessionSystem

    walk = Walk(SessionSystem(make_session(network=["deliver", "lose"])))
    for move in ("sender: sendto@receiver", "network: lose datagram:sender>receiver", "receiver: bind"):
        walk.choose(move)
    token = walk.token_at(walk.at)
    text = step("--token", token, "-o", "-")
    assert (text.returncode, text.stderr) == (0, "")
    rows = [row.strip() for row in text.stdout.splitlines()]
    at = [rows.index(f"{n}. {node.move}") for n, node in enumerate(walk.path, 1)]
    assert at == sorted(at) and rows[at[1] + 1] == "no layer sees this"
    assert rows[at[2] + 1 : at[2] + 3] == ["ALE_BIND_REDIRECT_V4 permit", "ALE_RESOURCE_ASSIGNMENT_V4 permit"]
    for name in ("walk.dot", "walk.mmd", "walk.svg"):
        assert step("--token", token, "-o", name, folder=tmp_path).stdout == f"{name}: 3 moves\n"
        drawn = (tmp_path / name).read_text(encoding="utf-8")
        assert drawn.count("ALE_BIND_REDIRECT_V4 permit") >= 2 and "ALE_FLOW_ESTABLISHED_V4 permit" in drawn
    ladder = step("sender", "--token", blocked_walk(), "-o", "-")
    assert ladder.returncode == 0 and "ALE_AUTH_CONNECT" in ladder.stdout and "BLOCK" in ladder.stdout.upper()


def blocked_walk() -> str:
    walk = Walk(EndpointSystem("sender"), manual=True)
    for move in ("sendto", "permit", "permit", "permit", "block"):
        walk.choose(move)
    token = walk.token_at(walk.at)
    assert isinstance(token, str)
    return token


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sender", "-o", "walk"), "-o walk: no ending says which format."),
        (("sender", "-o", "no/walk.svg"), "-o no/walk.svg: no folder 'no'."),
    ],
)
def test_a_picture_that_cannot_be_written_is_one_line(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    ran = step(*arguments, folder=tmp_path)
    assert ran.returncode == 2 and said in ran.stderr and ran.stderr.count("\n") == 1
