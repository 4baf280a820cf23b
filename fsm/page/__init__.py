"""The stepper as one self-contained HTML file: an endpoint, a session, or a recorded trace.

A finding of a claim is shown by `fsm.page.finding`, which needs the claims.
"""

from __future__ import annotations

from fsm.page.pages import endpoint_page, session_page, trace_page
from fsm.page.trace_data import TraceEvent, TraceStep
from fsm.page.walk_data import walk_events

__all__ = [
    "TraceEvent",
    "TraceStep",
    "endpoint_page",
    "session_page",
    "trace_page",
    "walk_events",
]
