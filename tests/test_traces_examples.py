"""The two example logs: made from the model, byte for byte, and what the check says about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from fsm.endpoint import Endpoint
from fsm.policy.fields import CONDITION_FLAGS
from fsm.traces.conformance import AGREES, DIVERGES, check_trace
from fsm.traces.reading import read_trace

FOLDER = Path(__file__).parent / "data" / "traces"
ONLY = (
    *("ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT", "ALE_FLOW_ESTABLISHED"),
    *("DATAGRAM_DATA", "INBOUND_TRANSPORT", "OUTBOUND_TRANSPORT"),
)
HEAD = [
    "# Made from the model for the documentation; no driver recorded this.",
    "05/14/2024-09:30:00.000 udpmon: 7 callouts registered",
]


@dataclass(frozen=True)
class Happening:
    """One stimulus of the story: when (ms), whose socket, what."""

    at_ms: int
    socket: str
    stimulus: str


# A resolver asks, gets its answer, a filter is added, it asks again; meanwhile a server answers a client of its own.
STORY = (
    Happening(0, "resolver", "bind"),
    Happening(4, "resolver", "sendto"),
    Happening(21, "server", "bind"),
    Happening(37, "resolver", "datagram"),
    Happening(52, "server", "datagram"),
    Happening(60, "server", "sendto"),
    Happening(900, "resolver", "policy_change"),
    Happening(1204, "resolver", "sendto"),
    Happening(1231, "resolver", "datagram"),
    Happening(1410, "server", "datagram"),
    Happening(1415, "server", "sendto"),
    Happening(2000, "resolver", "close"),
)
ENDS = {
    "resolver": ("sender", "192.0.2.10:53124", "198.51.100.53:53"),
    "server": ("receiver", "192.0.2.10:5683", "203.0.113.7:40112"),
}


def made_lines() -> list[str]:
    """The lines that a driver at the layers of `ONLY` would write, if Windows did as the model does."""
    endpoints = {name: Endpoint(view) for name, (view, _, _) in ENDS.items()}
    lines = []
    for happening in STORY:
        _, local, remote = ENDS[happening.socket]
        record = endpoints[happening.socket].run(happening.stimulus)
        seen = [s for s in record.classified if s.layer.removeprefix("FWPM_LAYER_").removesuffix("_V4") in ONLY]
        for number, step in enumerate(seen):
            ms = happening.at_ms + number
            flags = sum(CONDITION_FLAGS[flag] for flag in step.flags)
            peer = "" if "RESOURCE" in step.layer else f" remote={remote}"
            lines.append(
                f"05/14/2024-09:30:{ms // 1000:02}.{ms % 1000:03} udpmon: layer={step.layer.replace('FWPM', 'FWPS')}"
                f" verdict={step.verdict.upper()} local={local}{peer} flags={flags:#x}"
            )
    return sorted(lines)


def mended(lines: list[str]) -> list[str]:
    """The same with two faults of a driver: one line lost, two lines written in the wrong order."""
    lost = next(i for i, line in enumerate(lines) if "FLOW_ESTABLISHED" in line and ENDS["resolver"][2] in line)
    found = lines[:lost] + lines[lost + 1 :]
    at = next(i for i, line in enumerate(found) if "INBOUND_TRANSPORT" in line and ENDS["server"][2] in line)
    found[at], found[at + 1] = found[at + 1], found[at]
    return found


EXAMPLES = {"udpmon.log": HEAD + made_lines(), "udpmon-faulty.log": HEAD + mended(made_lines())}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_is_what_the_model_makes(name: str) -> None:
    expected = "\n".join(EXAMPLES[name]) + "\n"
    assert (FOLDER / name).read_bytes() == expected.encode(), f"write it anew: python tests/{Path(__file__).name}"


def test_the_sound_example_agrees_and_nothing_in_it_is_left_unread() -> None:
    trace = read_trace(FOLDER / "udpmon.log")
    assert trace.lines == len(trace.observations) + trace.other_lines == len(EXAMPLES["udpmon.log"])
    assert trace.not_understood == ()
    result = check_trace(trace, only=ONLY)
    assert [one.verdict for one in result.conversations] == [AGREES, AGREES]
    assert [one.conversation.remote for one in result.conversations] == [remote for _, _, remote in ENDS.values()]


def test_the_faulty_example_diverges_by_exactly_the_two_faults() -> None:
    result = check_trace(read_trace(FOLDER / "udpmon-faulty.log"), only=ONLY)
    assert result.verdict == DIVERGES
    edits = [(edit.kind, edit.repair.split(" ")[0]) for one in result.conversations for edit in one.edits]
    assert edits == [("missing", "a"), ("wrong_order", "udpmon-faulty.log,")]
    assert [(one.cost, one.at_least) for one in result.conversations] == [(1, 1), (1, 1)]
    missing = result.conversations[0].edits[0]
    assert missing.rule == "send.establish.permit"
    assert "ALE_FLOW_ESTABLISHED_V4 permit" in missing.repair


if __name__ == "__main__":
    for name, lines in EXAMPLES.items():
        (FOLDER / name).write_bytes(("\n".join(lines) + "\n").encode())
