"""Real problems from public trackers, with known answers: each question is asked with its command and must get them."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from fsm.cli import COMMANDS, cli
from fsm.policy.lint import lint
from fsm.policy.read import read_policy

TOP = Path(__file__).resolve().parent.parent
CASES = TOP / "tests" / "data" / "cases"
WANTED = [1, 4, 7, 9, 10, 13, 14, 15, 17, 24, 25, 26, 27, 28, 29]
WORDS = {"asked", "answer", "command", "waiting", "expects"}


def _tool() -> ModuleType:
    sys.path.insert(0, str(TOP / "tools"))
    try:
        spec = importlib.util.spec_from_file_location("real_cases", TOP / "tools" / "real_cases.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["real_cases"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


real_cases = _tool()
ALL: list[dict[str, Any]] = real_cases.cases()
QUESTIONS = [
    pytest.param(question, id=f"{case['number']}-{number}")
    for case in ALL
    for number, question in enumerate(case["question"], start=1)
    if "waiting" not in question
]


def full(layer: str) -> str:
    return f"FWPM_LAYER_{layer}"


def names_of(visit: dict[str, Any]) -> list[str]:
    return [("~" if each["overridden"] else "") + each["name"] for each in visit["deciding"]]


# For each word of a question: what the answer in JSON has for it, to be compared with what the question says.
def said(word: str, wanted: Any, got: dict[str, Any]) -> Any:
    steps = got.get("visits") or got.get("steps") or []
    layers = [step["layer"].removeprefix("FWPM_LAYER_") for step in steps]
    if word == "outcome":
        return got["outcome"]
    if word == "blocked_at":
        return (got["blocked_at"] or "none").removeprefix("FWPM_LAYER_")
    if word in ("application", "remote"):
        seen = got[f"{word}_sees"]
        return wanted if wanted in seen else seen
    if word == "deciding":
        at = {visit["layer"]: names_of(visit) for visit in reversed(got["visits"])}
        return {layer: at.get(full(layer)) for layer in wanted}
    if word == "visited":
        return [layer for layer in wanted if layer in layers]
    if word == "not_visited":
        return [layer for layer in wanted if layer not in layers]
    if word == "layers":
        return layers
    if word == "open":
        return list(dict.fromkeys(each["field"].removeprefix("FWPM_CONDITION_") for each in got["open_questions"]))
    if word == "endings":
        return [ending["outcome"] for ending in got["endings"]]
    if word == "groups":
        return {group["code"]: group["count"] for group in got["groups"] if group["code"] in wanted}
    if word == "events":
        return [[each["event_id"], each["layer"].removeprefix("FWPM_LAYER_")] for each in got["logged"]]
    if word == "findings":
        return found_by_lint(got)
    raise AssertionError(f"no such word: {word}")


def found_by_lint(got: dict[str, Any]) -> dict[str, list[str]]:
    """{rule: what each finding is about}: the callout, or the first filter."""
    found: dict[str, list[str]] = {}
    for each in got["findings"]:
        if each["severity"] != "hint":
            found.setdefault(each["rule"], []).append((each["callout"] or each["filters"][0])["name"])
    return found


def printed(command: str, *more: str) -> str:
    words = shlex.split(command)
    assert words[0] == "wfp-udp"
    done = CliRunner().invoke(cli, [*words[1:], *more], catch_exceptions=False, env={"COLUMNS": "100"})
    assert done.exit_code == (1 if words[1] == "lint" and lint_errors(words) else 0), done.output
    return done.stdout


def lint_errors(words: list[str]) -> bool:
    """Whether the lint of the policy has errors, which its exit status says."""
    return lint(read_policy(words[2])).count("error") > 0


def asked(command: str) -> dict[str, Any]:
    got: dict[str, Any] = json.loads(printed(command, "--format", "json"))
    return got


def shown_outputs() -> dict[str, list[str]]:
    """{command: the lines shown under it} of the page."""
    found: dict[str, list[str]] = {}
    command = ""
    for line in real_cases.PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("$ "):
            command = line[2:]
            found[command] = []
        elif line == "```":
            command = ""
        elif command:
            found[command].append(line)
    return found


SHOWN = shown_outputs()


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_real_case_gets_its_known_answer(question: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TOP)
    wanted = {word: value for word, value in question.items() if word not in WORDS}
    assert wanted
    got = asked(real_cases.command_of(question))
    assert {word: said(word, value, got) for word, value in wanted.items()} == wanted


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_page_shows_the_real_output(question: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TOP)
    command = real_cases.command_of(question)
    real = [line.rstrip() for line in printed(command).splitlines()]
    assert SHOWN[command]
    assert real_cases.fits(SHOWN[command], real), "the page is out of date: python tools/real_cases.py --write"


def test_an_answer_that_is_not_the_known_one_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TOP)
    got = asked("wfp-udp whatif tests/data/cases/24-soft-permit-above.toml --from 127.0.0.1:50000 --to 127.0.0.1:53")
    wrong = {
        "outcome": "sent",
        "blocked_at": "none",
        "application": "an error",
        "deciding": {"ALE_AUTH_CONNECT_V4": ["Permit loopback"]},
        "visited": ["OUTBOUND_IPPACKET_V4"],
        "not_visited": ["ALE_AUTH_CONNECT_V4"],
        "layers": [],
        "open": ["FLAGS"],
        "endings": ["sent"],
        "events": [],
    }
    for word, value in wrong.items():
        assert said(word, value, got) != value, word


def test_all_cases_that_were_promised_are_here_with_symptom_source_and_a_question_that_is_run() -> None:
    assert [case["number"] for case in ALL] == WANTED
    for case in ALL:
        assert case["title"] and case["symptom"] and case["sources"]
        assert any("waiting" not in question for question in case["question"]), case["number"]
        assert all(question["asked"] and question["answer"] for question in case["question"])


def test_every_policy_of_the_cases_is_asked_about_and_every_one_asked_about_is_there() -> None:
    named = {name for case in ALL for q in case["question"] for name in re.findall(r"CASES/(\S+)", q["command"])}
    assert named == {path.name for path in CASES.glob("*.toml")} - {"cases.toml"}
    for name in sorted(named):
        assert read_policy(CASES / name).filters


def test_what_waits_for_a_command_waits_for_one_that_does_not_exist_and_says_what_it_expects() -> None:
    waiting = [question for case in ALL for question in case["question"] if "waiting" in question]
    for question in waiting:
        assert question["waiting"] not in COMMANDS, "the command is there: remove the line, and say what must come out"
        assert question["expects"] and shlex.split(question["command"])[1] == question["waiting"]


def test_the_page_has_every_question_and_nothing_else() -> None:
    def without_output(text: str) -> list[str]:
        kept, shown = [], False
        for line in text.splitlines():
            shown = shown and line != "```"
            if not shown:
                kept.append(line)
            shown = shown or line.startswith("$ ")
        return kept

    written = real_cases.PAGE.read_text(encoding="utf-8")
    assert without_output(written) == without_output(real_cases.page(lambda command: [])), (
        "the page is out of date: python tools/real_cases.py --write"
    )
