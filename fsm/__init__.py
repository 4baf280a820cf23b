"""What happens to a UDP datagram inside the Windows Filtering Platform, as a finite-state-machine model.

Nothing is imported until it is asked for: `import fsm` loads no dependency.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME: dict[str, str] = {
    "CHOICES": "fsm.choices",
    "Circumstances": "fsm.policy.datagram",
    "Config": "fsm.choices",
    "Endpoint": "fsm.endpoint",
    "FLOWS": "fsm.flows",
    "Finding": "fsm.claims.finding",
    "FsmError": "fsm.errors",
    "Layer": "fsm.catalogue",
    "LiveEndpoint": "fsm.machine",
    "NoTransition": "fsm.errors",
    "read_policy": "fsm.policy.read",
    "RULES": "fsm.rules",
    "Row": "fsm.rows",
    "Step": "fsm.table",
    "Table": "fsm.table",
    "UnknownName": "fsm.errors",
    "Walk": "fsm.stepper",
    "accepts": "fsm.claims.judge",
    "advise": "fsm.policy.advise",
    "always_after": "fsm.claims.judge",
    "always_before": "fsm.claims.judge",
    "build_machine": "fsm.machine",
    "check_trace": "fsm.traces.conformance",
    "compare": "fsm.policy.compare",
    "compile_table": "fsm.table",
    "configure": "fsm.choices",
    "equivalent": "fsm.claims.judge",
    "explore": "fsm.space",
    "find_layers": "fsm.catalogue:find",
    "lint": "fsm.policy.lint",
    "make_session": "fsm.session",
    "matches": "fsm.claims.matching",
    "never": "fsm.claims.judge",
    "place": "fsm.placement",
    "policy_callout": "fsm.policy.callout",
    "reaches": "fsm.claims.judge",
    "read_logs": "fsm.logs:read",
    "read_trace": "fsm.traces.reading",
    "run_flow": "fsm.flows",
    "run_stimuli": "fsm.flows",
    "search": "fsm.policy.search",
    "session_graph": "fsm.graph",
    "whatif": "fsm.policy.whatif",
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
