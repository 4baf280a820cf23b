"""The fingerprint of the model: it follows behaviour, and nothing else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from fsm import fingerprint as module
from fsm.fingerprint import behaviour, fingerprint
from fsm.rows import Row, SettingFlag
from fsm.rules import RULES, SETTING_FLAGS, VERDICT_REFUSALS


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """The value is kept once it is made; a test that changes the rules makes it anew."""
    yield
    fingerprint.cache_clear()


def fingerprint_with(monkeypatch: pytest.MonkeyPatch, name: str, value: Any) -> str:
    before = fingerprint()
    monkeypatch.setattr(module, name, value)
    fingerprint.cache_clear()
    after = fingerprint()
    assert re.fullmatch("[0-9a-f]{8}", after)
    monkeypatch.undo()
    fingerprint.cache_clear()
    assert fingerprint() == before
    return after


def with_first_row(change: Callable[[Row], Row]) -> tuple[Row, ...]:
    return (change(RULES[0]), *RULES[1:])


def test_fingerprint_is_eight_hex_digits_of_the_hash_of_the_behaviour() -> None:
    text = json.dumps(behaviour(), sort_keys=True, separators=(",", ":"))
    assert fingerprint() == hashlib.sha256(text.encode()).hexdigest()[:8]


@pytest.mark.parametrize(
    "change",
    [
        {"next": "elsewhere"}, {"layer": "DATAGRAM_DATA"}, {"sets": (("socket", "CLOSED"),)}, {"since": "10"},
        {"until": "7"},
        {"ip": 6}, {"when": (("socket", ("CLOSED",)),)}, {"ops": ("lose",)}, {"flags": ("X",)}, {"event": "veto"},
        {"at": "somewhere"}, {"scope": "host"}, {"choices": (("close", ("nothing",)),)},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_a_change_of_behaviour_changes_it(monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]) -> None:
    assert fingerprint_with(monkeypatch, "RULES", with_first_row(lambda r: replace(r, **change))) != fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"cite": ("OTHER",)}, {"note": "another note"}, {"application_sees": "x"}, {"remote_sees": "x"},
        {"logged": (1,)},        {"outcome": "silent"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_a_change_of_words_leaves_it(monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]) -> None:
    assert fingerprint_with(monkeypatch, "RULES", with_first_row(lambda r: replace(r, **change))) == fingerprint()


def test_refused_verdicts_and_flags_are_behaviour_and_their_reasons_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *rest = VERDICT_REFUSALS
    assert fingerprint_with(monkeypatch, "VERDICT_REFUSALS", tuple(rest)) != fingerprint()
    assert fingerprint_with(monkeypatch, "VERDICT_REFUSALS", (replace(first, why="else"), *rest)) == fingerprint()
    flag: SettingFlag = SETTING_FLAGS[0]
    assert fingerprint_with(monkeypatch, "SETTING_FLAGS", SETTING_FLAGS[1:]) != fingerprint()
    assert (
        fingerprint_with(monkeypatch, "SETTING_FLAGS", (replace(flag, note="x"), *SETTING_FLAGS[1:])) == fingerprint()
    )


def test_lifetimes_are_behaviour(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fingerprint_with(monkeypatch, "UNICAST_LIFETIME_S", 61) != fingerprint()
