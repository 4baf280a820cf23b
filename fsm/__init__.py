"""What happens to a UDP datagram inside the Windows Filtering Platform, as a finite-state-machine model.

Nothing is imported until it is asked for: `import fsm` loads no dependency.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME: dict[str, str] = {
    "accepts": "fsm.claims.judge",
    "advise": "fsm.policy.advise",
    "always_after": "fsm.claims.judge",
    "always_before": "fsm.claims.judge",
    "Behaviour": "fsm.policy.model",
    "build_machine": "fsm.machine",
    "check_trace": "fsm.traces.conformance",
    "checked_policy": "fsm.policy.checks:checked",
    "CHOICES": "fsm.choices",
    "Circumstances": "fsm.policy.datagram",
    "compare": "fsm.policy.compare",
    "compile_table": "fsm.table",
    "Condition": "fsm.policy.model",
    "Config": "fsm.choices",
    "configure": "fsm.choices",
    "Endpoint": "fsm.endpoint",
    "equivalent": "fsm.claims.compare",
    "explore": "fsm.space",
    "Filter": "fsm.policy.model",
    "FilterCallout": "fsm.policy.model:Callout",
    "find_layers": "fsm.catalogue:find",
    "Finding": "fsm.claims.finding",
    "FLOWS": "fsm.flows",
    "FsmError": "fsm.errors",
    "Layer": "fsm.catalogue",
    "lint": "fsm.policy.lint",
    "LiveEndpoint": "fsm.machine",
    "make_session": "fsm.session",
    "matches": "fsm.claims.matching",
    "never": "fsm.claims.judge",
    "NoTransition": "fsm.errors",
    "place": "fsm.placement",
    "Policy": "fsm.policy.model",
    "policy_callout": "fsm.policy.callout",
    "Provider": "fsm.policy.model",
    "reaches": "fsm.claims.judge",
    "read_logs": "fsm.logs:read",
    "read_policy": "fsm.policy.read",
    "read_trace": "fsm.traces.reading",
    "Row": "fsm.rows",
    "RULES": "fsm.rules",
    "run_flow": "fsm.flows",
    "run_stimuli": "fsm.flows",
    "search": "fsm.policy.search",
    "session_graph": "fsm.graph",
    "Step": "fsm.table",
    "Sublayer": "fsm.policy.model",
    "Table": "fsm.table",
    "to_toml": "fsm.policy.toml_write",
    "UnknownName": "fsm.errors",
    "Value": "fsm.policy.model",
    "Walk": "fsm.stepper",
    "Weight": "fsm.policy.model",
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
