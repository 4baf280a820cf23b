"""Which machine a pytest run, or one test of it, is about: options, ini file and marker. Loaded when it is asked."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fsm.choices import Config, configure
from fsm.errors import FsmError, UnknownName
from fsm.fingerprint import fingerprint

if TYPE_CHECKING:
    import pytest

SETTINGS = (("ip", "4"), ("windows", "11"), ("evidence", "base"))


def machine(config: pytest.Config, node: pytest.Item | pytest.Collector | None = None) -> Config:
    """The configuration of options, ini file and the markers of a node; a marker counts most, an ini file least.

    Raises
    ------
    FsmError : a setting or a value that does not exist.
    """
    marks = _marks(node) if node is not None else {}
    assume = _assumed("wfp_assume", config.getini("wfp_assume"))
    assume |= _assumed("--wfp-assume", config.getoption("--wfp-assume") or ())
    given: dict[str, Any] = {}
    for name, default in SETTINGS:
        option = config.getoption(f"--wfp-{name}")
        given[name] = (config.getini(f"wfp_{name}") or default) if option is None else option
    where = "marker wfp" if marks else "--wfp"
    decided = marks.pop("assume", {})
    if not isinstance(decided, dict):
        raise FsmError(where, f"assume is {decided!r}", fix="Write assume={'close': 'nothing'}")
    assume |= decided
    given |= {name: marks.pop(name) for name in list(given) if name in marks}
    for name in marks:
        raise UnknownName.of(where, "setting", name, (*given, "assume"))
    if str(given["ip"]) not in ("4", "6"):
        raise FsmError(where, f"no IP version '{given['ip']}'", "Allowed: 4, 6")
    return configure(
        ip=int(given["ip"]), windows=str(given["windows"]), evidence=str(given["evidence"]), assume=assume, where=where
    )


def _assumed(where: str, words: Iterable[str]) -> dict[str, str]:
    """The disputes of one place that decides them: DISPUTE=OPTION, each once."""
    assume: dict[str, str] = {}
    for word in words:
        name, _, option = (part.strip() for part in word.partition("="))
        if assume.setdefault(name, option) != option:
            raise FsmError(where, f"'{name}' is assumed twice: {assume[name]} and {option}", fix="Keep one")
    return assume


def _marks(node: pytest.Item | pytest.Collector) -> dict[str, Any]:
    """What the markers of a node say, the innermost last."""
    marks: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers("wfp"))):
        if mark.args:
            raise FsmError("marker wfp", "it takes keywords only", fix="Write for example wfp(ip=6)")
        marks |= mark.kwargs
    return marks


def header(config: pytest.Config) -> str:
    """The line with version, model and machine."""
    return f"wfp-udp-fsm: {version('wfp-udp-fsm')}, model {fingerprint()}, {machine(config)}"
