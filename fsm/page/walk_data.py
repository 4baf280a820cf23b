"""The way to the place of a walk as the events of a page, each with the token of its own place."""

from __future__ import annotations

from fsm.errors import FsmError
from fsm.names import VERDICTS
from fsm.page.trace_data import TraceEvent, TraceStep
from fsm.session import short
from fsm.stepper.session_system import SessionSystem
from fsm.stepper.system import Node
from fsm.stepper.walk import Walk

_LEVELS: dict[str, str] = {
    "sent": "good",
    "delivered": "good",
    "blocked": "bad",
    "icmp_error": "bad",
    "silent": "warn",
    "pended": "warn",
}


def walk_events(walk: Walk) -> tuple[TraceEvent, ...]:
    """The way to the place of a walk: an event for each classify, and for each move that no layer sees."""
    groups: list[list[Node]] = []
    for node in walk.path:
        # What begins a stimulus belongs to the first classify of it.
        if groups and node.move in VERDICTS and not any(step.layer for one in groups[-1] for step in one.steps):
            groups[-1].append(node)
        else:
            groups.append([node])
    return tuple(_event(walk, nodes) for nodes in groups)


def _event(walk: Walk, nodes: list[Node]) -> TraceEvent:
    system, last = walk.system, nodes[-1]
    steps = [step for node in nodes for step in node.steps]
    seen = [step for step in steps if step.layer]
    actor = last.move.partition(":")[0] if isinstance(system, SessionSystem) else ""
    told = ", ".join(f"{short(step.layer)} {step.verdict}" for step in seen) if not actor else ""
    begun = nodes[0].move if nodes[0].move not in VERDICTS else ""
    outcome = next((step.outcome for step in reversed(steps) if step.outcome), None)
    sees = [
        f"{who}: {text}"
        for who, text in (
            ("outcome", outcome),
            ("application sees", next((s.application_sees for s in reversed(steps) if s.application_sees), "")),
            ("remote host sees", next((s.remote_sees for s in reversed(steps) if s.remote_sees), "")),
        )
        if text
    ]
    return TraceEvent(
        ": ".join(filter(None, (begun, told))),
        "\n".join(sees),
        tuple(TraceStep(step.layer, step.verdict, step.rule, step.flags, actor) for step in steps),
        token=_token(walk, last),
        state=system.state(last.place),
        level=_LEVELS.get(outcome or "", "plain"),
        word=outcome or "",
    )


def _token(walk: Walk, node: Node) -> str:
    try:
        return walk.token_at(node.number)
    except FsmError as error:
        if error.where == "token":  # the way is too long for one
            return ""
        raise
