"""What happens to a UDP datagram inside the Windows Filtering Platform, as a finite-state-machine model.

Nothing is imported until it is asked for: `import fsm` loads no dependency.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME: dict[str, str] = {
    "CHOICES": "fsm.choices",
    "Config": "fsm.choices",
    "Endpoint": "fsm.endpoint",
    "FLOWS": "fsm.flows",
    "FsmError": "fsm.errors",
    "Layer": "fsm.catalogue",
    "LiveEndpoint": "fsm.machine",
    "NoTransition": "fsm.errors",
    "RULES": "fsm.rules",
    "Row": "fsm.rows",
    "Step": "fsm.table",
    "Table": "fsm.table",
    "UnknownName": "fsm.errors",
    "build_machine": "fsm.machine",
    "compile_table": "fsm.table",
    "configure": "fsm.choices",
    "explore": "fsm.space",
    "find_layers": "fsm.catalogue:find",
    "make_session": "fsm.session",
    "place": "fsm.placement",
    "read_logs": "fsm.logs:read",
    "run_flow": "fsm.flows",
    "run_stimuli": "fsm.flows",
    "session_graph": "fsm.graph",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'fsm' has no attribute {name!r}")
    module, _, attribute = _HOME[name].partition(":")
    value = getattr(importlib.import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
