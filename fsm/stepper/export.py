"""A walk in other forms: a test that replays it, the picture with its way marked, and a sequence for a ticket."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from fsm.endpoint import FIRST_PEER, StimulusRecord
from fsm.errors import FsmError
from fsm.flows import FlowRun, LabelledStep, label_of
from fsm.names import VERDICTS, Verdict
from fsm.space import LIMIT_STATES, explore
from fsm.stepper.endpoint_system import EndpointSystem
from fsm.stepper.session_system import SessionSystem
from fsm.stepper.system import Node, System

if TYPE_CHECKING:
    from fsm.draw.pictures import Picture

_HEAD = '''"""Replays a walk through the UDP model of the Windows Filtering Platform and asserts what was seen.

Made by wfp-udp-fsm with model version {fingerprint}. Run it with: python -m pytest
"""

from fsm.choices import configure
from fsm.stepper import Walk, system_named

SYSTEM = {system}
MACHINE = configure(ip={ip}, windows={windows}, evidence={evidence}, assume={assume})

# One line for each move: the move, [layer, verdict] of each classify, the state after it.
SEEN = [
'''
_TAIL = """]


def test_walk_goes_as_it_was_seen():
    walk = Walk(system_named(SYSTEM, MACHINE), manual=True)
    for number, (move, layers, state) in enumerate(SEEN, start=1):
        (node,) = walk.choose(move)
        seen = [[step.layer, step.verdict] for step in node.steps if step.layer]
        assert (seen, walk.state) == (layers, state), f"move {number}, {move}"
"""


def pytest_text(system: System[Any], path: Sequence[Node], model: str) -> str:
    """A test file that needs nothing but pytest and this package."""
    config = system.config
    lines = []
    for node in path:
        layers = [[step.layer, step.verdict] for step in node.steps if step.layer]
        lines.append(f"    ({_quoted(node.move)}, {_listed(layers)}, {_quoted(system.state(node.place))}),\n")
    head = _HEAD.format(
        fingerprint=model,
        system=_quoted(system.name),
        ip=config.ip,
        windows=_quoted(config.windows),
        evidence=_quoted(config.evidence),
        assume="{" + ", ".join(f"{_quoted(name)}: {_quoted(option)}" for name, option in config.assume) + "}",
    )
    return head + "".join(lines) + _TAIL


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _listed(layers: list[list[str]]) -> str:
    return "[" + ", ".join(f"[{_quoted(layer)}, {_quoted(verdict)}]" for layer, verdict in layers) + "]"


# ---- pictures


def dot_text(system: System[Any], path: Sequence[Node], *, dark: bool = False) -> str:
    """The picture of the endpoint or session with the way marked and numbered, as DOT.

    Raises
    ------
    FsmError : a session that cannot be drawn.
    """
    if isinstance(system, EndpointSystem):
        from fsm.draw.endpoint_picture import endpoint_dot
        from fsm.draw.overlay import Overlay

        steps = [step for node in path for step in node.steps]
        current = system.state(path[-1].place if path else system.start())
        overlay = Overlay.of_steps(steps, current)
        return endpoint_dot(system.name, system.config, overlay, dark=dark, background=_background(dark))
    assert isinstance(system, SessionSystem)
    from fsm.draw.session_picture import SessionOverlay, session_dot
    from fsm.graph import PathStep

    session = system.session
    if session.granularity != "stimulus":
        raise FsmError("picture", "a session is drawn by stimuli, not by classifies", fix="--granularity stimulus")
    space = explore(session)
    if not space.complete:
        raise FsmError("picture", f"this session has more than {LIMIT_STATES} states", fix="Take a smaller one")
    places = [system.start(), *(node.place for node in path)]
    numbers = [space.number(system.joint_state(place)) for place in places]
    moves = [system.move(place, node.move) for place, node in zip(places, path, strict=False)]
    steps_taken = tuple(PathStep(a, move, b) for (a, b), move in zip(pairwise(numbers), moves, strict=True))
    session_overlay = SessionOverlay(steps=steps_taken, stands=system.joint_state(places[-1]))
    return session_dot(space, session_overlay, dark=dark, background=_background(dark))


def _background(dark: bool) -> str:
    return "paper" if dark else "transparent"


# ---- Mermaid


def mermaid_text(system: System[Any], path: Sequence[Node], stimuli: Sequence[str]) -> str:
    """The way as a Mermaid sequence diagram: through the lanes of the stack, or between the endpoints of a session."""
    return picture_of(system, path, stimuli).mermaid()


def picture_of(system: System[Any], path: Sequence[Node], stimuli: Sequence[str]) -> Picture:
    """The way and nothing else: the ladder of an endpoint, or the moves of a session in a lane for each endpoint."""
    if isinstance(system, EndpointSystem):
        from fsm.draw.pictures import run_picture

        return run_picture(_run_of(system, path, stimuli))
    assert isinstance(system, SessionSystem)
    from fsm.draw.sequence import sequence_picture

    places = [system.start(), *(node.place for node in path)]
    moves = [system.move(place, node.move) for place, node in zip(places, path, strict=False)]
    return sequence_picture(system.session, moves, system.state(places[0]), system.state(places[-1]))


def _run_of(system: EndpointSystem, path: Sequence[Node], stimuli: Sequence[str]) -> FlowRun:
    """The walk as a run of stimuli, as the ladder pictures take it."""
    run = FlowRun("", " ".join(stimuli), system.name, system.config, (), tuple(stimuli))
    for node in path:
        if node.move not in VERDICTS:
            name = node.move.partition(":")[0]
            stimulus, _, peer = name.partition("@")
            if stimulus == "wait" and node.steps:
                # What time has ended is told as what it is: one record for each flow or window.
                records = [StimulusRecord(s.stimulus, FIRST_PEER, node.place.now_s, [s]) for s in node.steps]
            else:
                records = [StimulusRecord(stimulus, peer or FIRST_PEER, node.place.now_s, list(node.steps))]
            run.records += records
        else:
            run.records[-1].steps += node.steps
        for step in node.steps:
            _note(run.records[-1], step)
            if step.layer:
                run.steps.append(LabelledStep(label_of(step.position), step, run.records[-1].peer))
    return run


def _note(record: StimulusRecord, step: Any) -> None:
    record.outcome = step.outcome or record.outcome
    record.application_sees = step.application_sees or record.application_sees
    record.remote_sees = step.remote_sees or record.remote_sees
    if step.verdict in (Verdict.BLOCK, Verdict.ABSORB, Verdict.VETO) and step.outcome:
        record.blocked_at = step.layer
