"""Recorded callout traces: what a driver's own log says, read and checked against the model."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsm.traces.conformance import check_trace as check_trace
    from fsm.traces.observation import Observation as Observation
    from fsm.traces.observation import Trace as Trace
    from fsm.traces.reading import read_trace as read_trace

_HOME: dict[str, str] = {
    "check_trace": "conformance",
    "Observation": "observation",
    "read_trace": "reading",
    "Trace": "observation",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'fsm.traces' has no attribute {name!r}")
    return getattr(importlib.import_module(f"fsm.traces.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
