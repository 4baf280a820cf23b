"""Lines of made-up driver logs, and how the tests of their reading read them."""

from __future__ import annotations

from fsm.traces.observation import Trace
from fsm.traces.reading import read_trace

CONNECT, FLOW, DATA = (
    "FWPS_LAYER_ALE_AUTH_CONNECT_V4",
    "FWPS_LAYER_ALE_FLOW_ESTABLISHED_V4",
    "FWPS_LAYER_DATAGRAM_DATA_V4",
)
ENDS = "local=192.0.2.1:5000 remote=192.0.2.2:53"
ARROW = "192.0.2.1:5000 -> 192.0.2.2:53"


def read(*lines: str, **more: str) -> Trace:
    """The trace of these lines; every line is accounted for."""
    trace = read_trace("\n".join(lines).encode(), **more)  # type: ignore[arg-type]
    assert trace.lines == len(trace.observations) + trace.other_lines + len(trace.not_understood)
    return trace
