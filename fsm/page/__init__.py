"""The stepper as one self-contained HTML file: an endpoint, a session, or a recorded trace."""

from __future__ import annotations

from fsm.page.pages import endpoint_page, session_page, trace_page
from fsm.page.trace_data import TraceEvent, TraceStep

__all__ = ["TraceEvent", "TraceStep", "endpoint_page", "session_page", "trace_page"]
