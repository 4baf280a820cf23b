"""Claims about endpoints, sessions and traces: decided exactly, and answered with a run or a reason.

from fsm.claims import accepts, endpoint, matches, never, reaches

never(endpoint("sender", block=["AUTH_CONNECT"]), "outcome=sent").require()
assert reaches("sender", "AUTH_CONNECT+IS_REAUTHORIZE")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsm.claims.compare import equivalent as equivalent
    from fsm.claims.finding import Finding as Finding
    from fsm.claims.judge import accepts as accepts
    from fsm.claims.judge import always_after as always_after
    from fsm.claims.judge import always_before as always_before
    from fsm.claims.judge import never as never
    from fsm.claims.judge import reaches as reaches
    from fsm.claims.matching import matches as matches
    from fsm.claims.subject import endpoint as endpoint
    from fsm.claims.subject import observation as observation

_HOME = {
    "Finding": "finding",
    "accepts": "judge",
    "always_after": "judge",
    "always_before": "judge",
    "endpoint": "subject",
    "equivalent": "compare",
    "matches": "matching",
    "never": "judge",
    "observation": "subject",
    "reaches": "judge",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'fsm.claims' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"fsm.claims.{_HOME[name]}"), name)
    globals()[name] = value
    return value
