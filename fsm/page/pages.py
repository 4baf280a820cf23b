"""The pages: what is asked for in, one HTML text out; nothing is read but this package's own files.

An endpoint's page runs its compiled table, so it goes wherever a walk can go. A session's page holds the explored
graph, and says so where the limit of states was hit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fsm import catalogue
from fsm.choices import Config, default_config
from fsm.draw.theme import BASIS
from fsm.errors import FsmError
from fsm.fingerprint import fingerprint
from fsm.names import OUTCOMES
from fsm.page.diagram import endpoint_diagram, packet_path_diagram, session_diagram
from fsm.page.document import asset, document
from fsm.page.session_data import session_json
from fsm.page.table_data import config_json, layer_json, row_json, sources_json, table_json
from fsm.page.trace_data import TraceEvent
from fsm.rows import OPERATIONS
from fsm.rules import RULES
from fsm.space import LIMIT_STATES, StateSpace, explore
from fsm.stepper import token
from fsm.stepper.codes import LETTERS
from fsm.stepper.endpoint_system import EndpointSystem
from fsm.stepper.session_system import SessionSystem
from fsm.stimuli import VIEWS

if TYPE_CHECKING:
    from fsm.stepper.walk import Walk

_COMMON = ("parts.js", "diagram.js", "marking.js")
_STEPPER = (*_COMMON, "engine.js", "session.js", "walk.js", "panels.js", "stepper.js")
_TRACE = (*_COMMON, "trace.js")


def endpoint_page(walk: Walk) -> str:
    """The stepper of an endpoint as one HTML text; it opens where the walk stands.

    Raises
    ------
    FsmError : a walk through a session, or one that is too long for a token.
    """
    system = walk.system
    if not isinstance(system, EndpointSystem):
        raise FsmError("page", f"{system.title} is no endpoint", fix="Use session_page")
    view = VIEWS[system.name]
    head = _head("endpoint", system.name.replace("_", " ").capitalize(), view.text, system.config, system.name)
    data = {
        "head": {**head, "codes": LETTERS, "start": walk.token_at(walk.at)},
        "model": table_json(system.table),
        "diagram": endpoint_diagram(system.name, system.config),
    }
    return _assembled("endpoint", f"{head['title']}: {view.text}", "stepper.html", data, _STEPPER)


def session_page(walk: Walk, *, limit_states: int = LIMIT_STATES) -> str:
    """The stepper of a session as one HTML text, over the graph explored up to `limit_states`.

    Raises
    ------
    FsmError : a walk through an endpoint, or one that is too long for a token.
    """
    system = walk.system
    if not isinstance(system, SessionSystem):
        raise FsmError("page", f"{system.title} is no session", fix="Use endpoint_page")
    session = system.session
    space = explore(session, limit_states=limit_states)
    places = _places(space, system)
    who = ", ".join(f"{member.name} on host {member.host}" for member in session.members)
    moves = f"network: {', '.join(session.network)}, at most {session.cap} in flight"
    head = _head("session", "Session", f"{who}; {moves}", session.config, system.name)
    data = {
        "head": {**head, "codes": {}, "start": walk.token_at(walk.at)},
        "model": session_json(space, lambda number: system.refusals(places[number])),
        "diagram": session_diagram(space),
    }
    return _assembled("session", f"Session: {who}", "stepper.html", data, _STEPPER)


def trace_page(
    title: str,
    events: Sequence[TraceEvent],
    config: Config | None = None,
    *,
    summary: str = "",
    endpoint: str = "",
    notes: Sequence[tuple[str, Sequence[str]]] = (),
) -> str:
    """A recorded trace as one HTML text with a slider through its events.

    Parameters
    ----------
    title, summary : of the page: what was recorded, and what came of it.
    events : in order; texts of them may come from foreign input, they are shown as text only.
    config : the machine that is meant.
    endpoint : whose picture is shown ("sender" ...); without it the packet path, on which every layer stands.
    notes : what the whole of it comes to, as paragraphs: heading and lines.

    Raises
    ------
    FsmError : an event names a layer that does not exist.
    """
    config = config or default_config()
    steps = [step for event in events for step in event.steps]
    keys = {step.rule for step in steps}
    rows = [row for row in RULES if row.key in keys]
    layers = {name: catalogue.by_name(name) for name in dict.fromkeys(step.layer for step in steps) if name}
    head = _head("trace", title, summary, config, endpoint or "packet path")
    data = {
        "head": head,
        "model": {
            "rows": [row_json(row) for row in rows],
            "layers": {name: layer_json(layer) for name, layer in layers.items()},
            "stems": {name: layer.stem for name, layer in layers.items()},
            "operations": {op: OPERATIONS[op] for op in dict.fromkeys(op for row in rows for op in row.ops)},
            "sources": sources_json(rows),
            "outcomes": OUTCOMES,
            "marks": {str(basis): look.mark for basis, look in BASIS.items()},
        },
        "events": [_event_json(event) for event in events],
        "notes": [(heading, list(lines)) for heading, lines in notes],
        "diagram": endpoint_diagram(endpoint, config) if endpoint else packet_path_diagram(config),
    }
    return _assembled("trace", title, "trace.html", data, _TRACE)


def _places(space: StateSpace, system: SessionSystem) -> dict[int, int]:
    """The place of the stepper for each state of the graph: both go the same ways, with numbers of their own."""
    places = {0: system.start()}
    for number in range(len(space)):
        if len(places) == len(space):
            break
        for move, target in space.edges(number):
            if target not in places:
                places[target] = system.take(places[number], move.label)[0]
    return places


def _event_json(event: TraceEvent) -> dict[str, Any]:
    return {
        "title": event.title,
        "text": event.text,
        "time": event.time,
        "token": event.token,
        "state": event.state,
        "level": event.level,
        "word": event.word,
        "steps": [
            {"layer": s.layer, "verdict": s.verdict, "rule": s.rule, "flags": s.flags, "actor": s.actor}
            for s in event.steps
        ],
    }


def _head(kind: str, title: str, subtitle: str, config: Config, system: str) -> dict[str, Any]:
    """What every page says of itself, and the parts of its tokens before the choices."""
    return {
        "kind": kind,
        "title": title,
        "subtitle": subtitle,
        "machine": config_json(config),
        "fingerprint": fingerprint(),
        "parts": list(token.head(fingerprint(), system, config)),
        "footer": f"wfp-udp-fsm, model version {fingerprint()}. This page works without a network.",
    }


def _assembled(kind: str, title: str, body: str, data: dict[str, Any], scripts: Iterable[str]) -> str:
    """The document; the picture goes into the body, everything else into its data."""
    svg = data["diagram"].pop("svg", "")
    return document(title, kind, asset(body).replace("<!--SVG-->", svg), data, tuple(scripts))
