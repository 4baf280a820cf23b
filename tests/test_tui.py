"""The full-screen stepper as a person uses it: keys, mouse, prompts, files, and mistakes that are told in a line."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tui_pilot import LARGE, SMALL, Screen, drive, undecided

from fsm.errors import FsmError
from fsm.fingerprint import fingerprint
from fsm.session import make_session
from fsm.stepper import EndpointSystem, SessionSystem, Walk
from fsm.stepper.token import sealed
from fsm.tui import panels, picture, run, run_app
from fsm.tui.keys import KEYS

QUESTION = "permit or block, by filter 'Block one program': ALE_APP_ID \\device\\harddiskvolume1\\x.exe?"
TOLD = f"The policy leaves it open: {QUESTION}\n"


def sender(**options: object) -> Walk:
    return Walk(EndpointSystem("sender"), **options)  # type: ignore[arg-type]


def session(granularity: str = "stimulus") -> Walk:
    return Walk(SessionSystem(make_session(("sender@1", "receiver@2"), granularity=granularity)))


def layers(walk: Walk) -> list[tuple[str, str]]:
    return [(step.layer.removeprefix("FWPM_LAYER_"), step.verdict) for step in walk.ladder]


def by_words(*moves: str) -> Walk:
    """The same walk without a screen."""
    walk = sender()
    for move in moves:
        walk.choose(move)
    return walk


# ---- going on


def test_a_number_takes_its_move_and_the_stimulus_runs_to_its_end() -> None:
    async def script(screen: Screen) -> None:
        number = screen.app.walk.moves.index("sendto") + 1
        await screen.press(str(number))
        assert layers(screen.app.walk) == layers(by_words("sendto"))
        assert "outcome: sent" in "\n".join(screen.texts("where"))
        assert screen.app.walk.state in screen.text("bar")

    drive(sender(), script)


def test_blocked_at_auth_connect_then_back_and_the_other_branch_is_kept() -> None:
    async def script(screen: Screen) -> None:
        walk = screen.app.walk
        await screen.press("1", "enter", "m")
        assert "manual" in screen.text("bar")
        await screen.press(str(walk.moves.index("sendto") + 1), "space")
        assert walk.layer == "FWPM_LAYER_ALE_AUTH_CONNECT_V4"
        fork = walk.at
        await screen.press("2", "space")
        assert [verdict for _, verdict in layers(walk)][-2:] == ["block", "permit"]
        assert layers(walk)[-2][0] == "ALE_AUTH_CONNECT_V4"
        assert walk.outcome() == "blocked"
        blocked = walk.at
        await screen.press("b", "left")
        assert walk.at == fork
        await screen.press("1")
        assert list(walk.branches) == ["main", "branch2"]
        assert layers(walk)[-1] == ("ALE_AUTH_CONNECT_V4", "permit")
        # The tree shows both; a click on a node stands there, in its branch.
        await screen.press("right_square_bracket", "right_square_bracket", "right_square_bracket")
        await screen.click("history", f" {blocked} ")
        assert (walk.at, walk.branch) == (blocked, "main")
        assert any(line.startswith("▶") and f" {blocked} " in line for line in screen.texts("history"))

    drive(sender(), script)


def test_arrows_and_enter_take_a_move_and_left_and_right_go_through_the_history() -> None:
    async def script(screen: Screen) -> None:
        walk = screen.app.walk
        await screen.press("down", "up", "down", "enter")
        assert walk.stimuli == (sender().moves[1],)
        end = walk.at
        await screen.press("left")
        assert walk.at == walk.nodes[end].parent
        await screen.press("right", "0")
        assert walk.at == 0
        await screen.press("f", "R")
        assert walk.at == 0

    drive(sender(), script)


def test_a_number_of_two_digits_waits_for_the_second_or_for_enter() -> None:
    async def script(screen: Screen) -> None:
        walk = screen.app.walk
        moves = walk.moves
        assert len(moves) > 10
        await screen.press("1")
        assert walk.at == 0
        assert screen.text("info").startswith("1_ : Enter takes bind")
        await screen.press("0")
        assert walk.stimuli == (moves[9],)
        await screen.press("0")  # by itself it is the start
        await screen.press("1", "enter")
        assert walk.stimuli == (moves[0],)
        await screen.press("R", "1", "escape", "0")
        assert walk.at == 0

    drive(sender(), script)


def test_a_move_is_taken_by_a_click_and_a_refused_one_says_why() -> None:
    async def script(screen: Screen) -> None:
        walk = screen.app.walk
        await screen.click("moves", "bind")
        assert walk.stimuli == ("bind",)
        why = dict(walk.refused)["complete"]
        screen.rows("moves").highlight("complete")
        await screen.pilot.pause()
        assert screen.text("info") == f"complete is not possible: {why}"
        await screen.press("enter")
        assert walk.stimuli == ("bind",)
        assert screen.text("info").startswith("! sender, move 4: 'complete' is not possible in state BOUND/NONE")

    drive(sender(), script, LARGE)


def test_moves_refused_for_one_reason_are_folded_and_unfolded() -> None:
    async def script(screen: Screen) -> None:
        walk = screen.app.walk
        walk.manual = True
        screen.app.take("bind")
        await screen.pilot.pause()
        (folded,) = [text for text in screen.texts("moves") if "▸" in text]
        why = dict(walk.refused)["sendto"]
        members = [move for move, reason in walk.refused if reason == why]
        assert folded.strip() == f"▸ {len(members)} moves: {why}"
        assert not any("- sendto" in text for text in screen.texts("moves"))
        await screen.click("moves", "▸")
        assert [text.strip() for text in screen.texts("moves") if text.strip(" -") in members] == [
            f"- {move}" for move in members
        ]
        await screen.press("enter")
        assert not any("- sendto" in text for text in screen.texts("moves"))

    drive(sender(), script)


def test_the_picture_has_what_is_done_what_waits_and_what_would_come() -> None:
    whole = layers(by_words("bind", "sendto"))
    names = [layer for layer, _ in whole][2:]
    for width in (40, 60, 110):
        walk = by_words("bind")
        walk.manual = True
        walk.choose("sendto")
        for done in range(len(names) + 1):
            lines = [row.text for row in picture.picture(walk, width)]
            assert all(len(line) <= width for line in lines)
            marks = [
                (next(m for m in "●▶○" if m in line), name)
                for line in lines
                for name in names
                if re.search(rf"[●▶○] *{name}\b", line)
            ]
            waits = ["▶"] if done < len(names) else []
            assert marks == list(zip(["●"] * done + waits + ["○"] * (len(names) - done - 1), names, strict=True))
            if walk.layer:
                for verdict in walk.moves:
                    other = Walk(walk.system, manual=True)
                    for node in walk.path:
                        other.choose(node.move)
                    other.choose(verdict)
                    told = " ".join(line.strip() for line in lines)
                    follows = other.layer.removeprefix("FWPM_LAYER_") or "the end"
                    assert width < 60 or re.search(rf"{verdict} +→ {follows}", told), (verdict, lines)
                walk.choose("permit")
        assert not walk.layer


def test_a_callout_answers_where_space_is_pressed_and_the_picture_says_so() -> None:
    def guard(context: object) -> str | None:
        return "block" if "AUTH_CONNECT" in str(context) else None

    async def script(screen: Screen) -> None:
        walk = screen.app.walk
        screen.app.take("sendto")
        await screen.pilot.pause()
        while "AUTH_CONNECT" not in walk.layer:
            await screen.press("space")
        assert "(callout guard)" in " ".join(text.strip() for text in screen.texts("where"))
        assert screen.rows("moves").key == "block"
        await screen.press("space")
        assert layers(walk)[-1] == ("ALE_AUTH_CONNECT_V4", "block")
        assert walk.node.decided_by == "callout guard"

    drive(sender(manual=True, callouts=[guard]), script)


# ---- prompts


def test_random_moves_are_those_of_the_seed() -> None:
    async def script(screen: Screen) -> None:
        await screen.press("r")
        await screen.write("25 7")
        expected = sender()
        expected.random(25, 7)
        assert [node.move for node in screen.app.walk.nodes] == [node.move for node in expected.nodes]
        assert screen.text("info") == "random: 25 moves, seed 7"

    drive(sender(), script)


def test_run_until_tells_what_came_of_it_and_a_mistake_leaves_the_prompt_open() -> None:
    async def script(screen: Screen) -> None:
        walk = screen.app.walk
        await screen.press("u")
        await screen.write("flow=SIDEWAYS")
        assert "no value of flow named 'SIDEWAYS'" in screen.text("hint")
        assert len(screen.app.screen_stack) == 2
        await screen.write("fired=AUTH_CONNECT and flow=OUT")
        assert len(screen.app.screen_stack) == 1
        assert screen.text("info") == "until: reached: fired=AUTH_CONNECT and flow=OUT"
        assert walk.values["flow"] == "OUT"
        await screen.press("u", "escape")
        assert len(screen.app.screen_stack) == 1

    drive(sender(), script)


def test_time_passes_and_what_it_ends_is_shown() -> None:
    async def script(screen: Screen) -> None:
        screen.app.take("sendto")
        await screen.press("W", "enter")
        walk = screen.app.walk
        assert walk.values["time"] == "61 s"
        assert walk.changed["flow"] == ("OUT", "NONE")
        assert any(text.startswith("* flow") and "was OUT" in text for text in screen.texts("state"))
        assert any("idle_timeout" in text for text in screen.texts("where"))

    drive(sender(), script, (100, 24))


def test_the_moves_of_another_peer_are_those_that_the_system_takes() -> None:
    async def script(screen: Screen) -> None:
        walk = screen.app.walk
        screen.app.take("sendto")
        await screen.press("p")
        await screen.write("B")
        listed = [text.split()[1] for text in screen.texts("moves") if re.match(r" *\d+ ", text)]
        assert "sendto@B" in listed
        for move in listed:
            walk.system.take(walk.place, move)
        for move in (offer.move for offer in screen.app._offers if offer.why):
            with pytest.raises(FsmError):
                walk.system.take(walk.place, move)
        await screen.press("p")
        await screen.write("no peer!")
        assert "no name of a peer" in screen.text("hint")
        await screen.press("escape")
        screen.app.take("sendto@B")
        assert walk.values["flow@B"] == "OUT"

    drive(sender(), script)


def test_the_filter_narrows_while_it_is_written_and_escape_takes_it_back() -> None:
    async def script(screen: Screen) -> None:
        everything = screen.texts("moves")
        await screen.press("slash", *"send")
        shown = [text for text in screen.texts("moves") if "not possible" not in text]
        assert shown and all("send" in text for text in shown)
        numbers = [int(text.split()[0]) for text in shown if text.split()[0].isdigit()]
        moves = screen.app.walk.moves
        assert [moves[number - 1] for number in numbers] == [move for move in moves if "send" in move]
        await screen.press("enter")
        assert "/send" in str(screen.rows("moves").border_title)
        await screen.press("escape")
        assert screen.texts("moves") == everything
        await screen.press("slash", *"send", "escape")
        assert screen.texts("moves") == everything

    drive(sender(), script)


def test_watches_breakpoints_forks_and_jumps() -> None:
    async def script(screen: Screen) -> None:
        walk = screen.app.walk
        await screen.press("w")
        await screen.write("flow")
        await screen.press("B")
        await screen.write("auth connect")
        assert walk.breakpoints == ("FWPM_LAYER_ALE_AUTH_CONNECT_V4",)
        screen.app.take("sendto")
        await screen.pilot.pause()
        assert walk.layer == "FWPM_LAYER_ALE_AUTH_CONNECT_V4"
        state = screen.texts("state")
        assert "  flow NONE" in state and "  ALE_AUTH_CONNECT_V4 " in state
        await screen.press("k")
        await screen.write("other")
        assert walk.branch == "other"
        assert screen.text("info").startswith("branch other begins at")
        await screen.press("space")
        assert walk.values["flow"] == "OUT"
        assert "  flow OUT" in screen.texts("state")
        await screen.press("v")
        await screen.write("nowhere")
        assert "no branch named 'nowhere'" in screen.text("hint")
        await screen.write("main")
        assert (walk.branch, walk.layer) == ("main", "FWPM_LAYER_ALE_AUTH_CONNECT_V4")
        await screen.press("g")
        await screen.write("1")
        assert walk.at == 1
        await screen.press("w")
        await screen.write("flow")
        assert walk.watches == {}

    drive(sender(), script, (100, 24))


def test_an_open_question_of_the_policy_is_told_wherever_the_walk_stops_at_it() -> None:
    async def script(screen: Screen) -> None:
        screen.app.take("sendto")
        assert screen.app.walk.question == QUESTION
        assert screen.text("info").startswith(f"{TOLD}permit at ALE_AUTH_CONNECT_V4: ")
        await screen.press("right_square_bracket", "down")
        assert screen.text("info").startswith(f"{TOLD}block at ALE_AUTH_CONNECT_V4: ")
        await screen.press("i")
        assert screen.text("text").startswith(f"{TOLD}block at ALE_AUTH_CONNECT_V4: ")
        await screen.press("escape", "space")
        assert "the policy leaves the verdict of FWPM_LAYER_ALE_AUTH_CONNECT_V4 open" in screen.text("info")
        await screen.press("2")
        assert screen.app.walk.outcome() == "blocked"
        assert "policy" not in screen.text("info")
        await screen.press("left", "left")
        assert screen.text("info").startswith(TOLD)

    drive(undecided(), script)


def test_a_walk_that_begins_at_an_open_question_says_so() -> None:
    async def script(screen: Screen) -> None:
        assert screen.text("info").startswith(TOLD)

    walk = undecided()
    walk.choose("sendto")
    drive(walk, script)


# ---- keeping


def test_the_token_is_shown_and_copied_and_leads_back() -> None:
    async def script(screen: Screen) -> None:
        screen.app.take("sendto")
        await screen.press("t")
        token = screen.app.walk.token
        assert token in screen.text("text")
        assert screen.app.clipboard == token
        await screen.press("escape", "0", "l")
        await screen.write(token)
        assert screen.app.walk.state == by_words("sendto").state
        assert screen.app.walk.stimuli == ("sendto",)
        await screen.press("l")
        await screen.write(token[:-3])
        assert "it ends in" in screen.text("hint") and screen.app.walk.stimuli == ("sendto",)
        await screen.press("l")
        await screen.write(sealed(token.rpartition("_")[0].replace(fingerprint(), "00000000")))
        assert "it was made with model version 00000000" in screen.text("hint")

    drive(sender(), script)


def test_a_walk_is_saved_and_loaded_with_its_branches(tmp_path: Path) -> None:
    file = tmp_path / "walk.json"

    async def script(screen: Screen) -> None:
        screen.app.take("bind")
        await screen.press("k")
        await screen.write("other")
        screen.app.take("close")
        await screen.press("s")
        await screen.write(str(file))
        assert screen.text("info") == f"saved: {file}"
        saved = screen.app.walk
        await screen.press("r", "enter", "l")
        await screen.write(str(file))
        assert screen.app.walk is not saved
        assert screen.app.walk.to_json() == json.loads(file.read_text(encoding="utf-8"))
        assert list(screen.app.walk.branches) == ["main", "other"]
        await screen.press("l")
        await screen.write(str(tmp_path / "nothing"))
        assert "cannot be read" in screen.text("hint")

    ended = drive(sender(), script)
    assert ended.app.walk.stimuli == ("bind", "close")


def test_a_walk_is_exported_in_each_form(tmp_path: Path) -> None:
    async def script(screen: Screen) -> None:
        screen.app.take("sendto")
        walk = screen.app.walk
        for form, text in (("pytest", walk.to_pytest()), ("dot", walk.to_dot()), ("mermaid", walk.to_mermaid())):
            await screen.press("e")
            await screen.write(f"{form} {tmp_path / form}")
            assert (tmp_path / form).read_text(encoding="utf-8") == text
        await screen.press("e")
        await screen.write(f"poem {tmp_path / 'poem'}")
        assert "no form named 'poem'" in screen.text("hint")

    drive(sender(), script)


def test_any_line_of_the_dialogue_is_taken() -> None:
    async def script(screen: Screen) -> None:
        await screen.press("colon")
        await screen.write("why close_it_all")
        assert "close_it_all" in screen.text("hint")
        await screen.write("why datagram")
        assert screen.text("info").startswith("datagram: it needs socket BOUND")
        await screen.press("colon")
        await screen.write("?")
        assert "the share token" in screen.text("text")
        await screen.press("escape")

    drive(sender(), script)


# ---- the screen itself


def test_every_key_of_the_help_page_does_something_and_nothing_ends_in_a_traceback() -> None:
    async def script(screen: Screen) -> None:
        for key in KEYS:
            if key.action == "quit":
                continue
            await screen.press(key.key.partition(",")[0])
            if len(screen.app.screen_stack) > 1:
                await screen.press("escape")
            assert len(screen.app.screen_stack) == 1, key

    drive(sender(), script)


def test_a_narrow_screen_has_tabs_and_a_wide_one_everything_at_once() -> None:
    async def script(screen: Screen) -> None:
        def shown() -> list[str]:
            names = ("moves", "where", "state", "ladder", "history")
            return [name for name in names if screen.rows(name).region.area]

        assert shown() == ["moves", "where"]
        await screen.press("right_square_bracket")
        await screen.until(lambda: shown() == ["moves", "ladder"])
        await screen.pilot.click("Tab:last-of-type")
        await screen.until(lambda: shown() == ["moves", "history"])
        await screen.pilot.resize_terminal(100, 30)
        await screen.until(lambda: shown() == ["moves", "where", "state", "ladder", "history"])
        await screen.pilot.resize_terminal(50, 12)
        await screen.until(lambda: shown() in (["moves"], ["history"]))
        await screen.pilot.resize_terminal(80, 24)
        await screen.until(lambda: shown() == ["moves", "history"])

    drive(sender(), script)


def test_the_rows_fit_and_the_tree_is_complete_after_many_moves() -> None:
    walk = sender()
    walk.random(300, 3)
    for width in (28, 48, 110):
        rows = panels.history(walk, width)
        assert sorted(int(row.key) for row in rows) == list(range(len(walk.nodes)))
        numbers = [int(row.key) for row in rows]
        for node in walk.nodes[1:]:
            assert numbers.index(node.parent) < numbers.index(node.number)
        assert [row.text.startswith("▶") for row in rows].index(True) == numbers.index(walk.at)
        assert sum(bool(re.match(r" *\d+ ", row.text)) for row in panels.ladder(walk, width)) == len(walk.ladder)


def test_a_session_is_stepped_through_by_its_labels() -> None:
    async def script(screen: Screen) -> None:
        walk = screen.app.walk
        await screen.click("moves", "sender: bind")
        assert walk.stimuli == ("sender: bind",)
        assert walk.values["sender"].startswith("BOUND")
        assert [text for text in screen.texts("where") if "sender" in text and "host 1" in text and "BOUND" in text]
        moves = walk.moves
        await screen.press(str(moves.index("receiver: bind") + 1))
        assert walk.values["receiver"].startswith("BOUND")
        await screen.press("W")
        assert "no model time" in screen.text("info")
        await screen.press("p")
        assert screen.text("info").startswith("! ")
        token = walk.token
        await screen.press("0", "l")
        await screen.write(token)
        assert screen.app.walk.state == walk.system.state(walk.nodes[2].place)

    for size in (SMALL, LARGE):
        drive(session(), script, size)


def test_a_session_by_classifies_shows_the_layers_of_what_is_in_progress() -> None:
    async def script(screen: Screen) -> None:
        walk = screen.app.walk
        screen.app.take("sender: bind")
        while "bind.assign" not in walk.values["sender"]:
            screen.app.take(next(move for move in walk.moves if move.startswith("sender: bind ")))
        await screen.pilot.pause()
        told = "\n".join(screen.texts("where"))
        assert re.search(r"● *ALE_BIND_REDIRECT_V4", told)
        assert re.search(r"○ *ALE_RESOURCE_ASSIGNMENT_V4", told)

    drive(session("classify"), script)


# ---- the program


def test_without_a_terminal_it_says_so_and_does_not_hang() -> None:
    code = "from fsm.stepper import *\nfrom fsm.tui import run_app\nrun_app(Walk(EndpointSystem('sender')))"
    ran = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert b"FsmError: step: a full screen needs a terminal. Add --plain." in ran.stderr
    with pytest.raises(FsmError, match="needs a terminal"):
        run_app(sender())
    with pytest.raises(FsmError, match="needs a terminal"):
        run(sender())


@pytest.mark.parametrize("kind", ["xterm-256color", "dumb"])
def test_on_a_terminal_it_is_a_full_screen_and_on_a_dumb_one_the_dialogue(kind: str) -> None:
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": kind, "COLUMNS": "80", "LINES": "24"}
    command = [sys.executable, "-m", "fsm", "step", "sender"]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    seen = b""
    waits_for = b"UNBOUND/NONE> " if kind == "dumb" else b"Help"
    try:
        while waits_for not in seen:
            seen += os.read(master, 65536)
        os.write(master, b"quit\n" if kind == "dumb" else b"q")
        while True:
            try:
                more = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            seen += more
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert (b"\x1b[?1049h" in seen) is (kind != "dumb")
    assert b"Traceback" not in seen
