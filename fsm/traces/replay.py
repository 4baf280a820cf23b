"""The explanation of a conversation as a walk of one endpoint from its start, which the stepper can take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from fsm.aside import aside
from fsm.choices import Config
from fsm.errors import FsmError
from fsm.names import ENDPOINTS
from fsm.traces.automaton import PORT, ROLES, PortAutomaton
from fsm.traces.explanation import Explainer, Move


@dataclass(frozen=True, slots=True)
class Replay:
    """Moves of the stepper: `before` lead to where the log begins, `moves` explain its lines."""

    endpoint: str
    config: Config
    before: tuple[str, ...]
    moves: tuple[str, ...]


def replay_of(whole: PortAutomaton, bit: int, path: Sequence[Move]) -> Replay | None:
    """The walk of a path without edits in one hypothesis; None without lines, and where the port changes hands.

    What leads to its first state is not in the log: it is the most ordinary way there.
    """
    role = ROLES[bit % len(ROLES)]
    if not path or role == PORT:
        return None
    assert role in ENDPOINTS, "every role but that of a port that changes hands is one endpoint"
    before = _beginnings(whole, bit).way_to(path[0].state)
    return Replay(role, whole.hypotheses.config_of(bit), _events(before), _events(path))


@lru_cache(maxsize=8)
def _beginnings(whole: PortAutomaton, bit: int) -> Explainer:
    return Explainer(whole, (), bit, from_start=True)


def _events(path: Sequence[Move]) -> tuple[str, ...]:
    edges = [move.edge for move in path]
    return tuple(edge.table.events[edge.event] for edge in edges if edge is not None and edge.table is not None)


@aside()
def token_of(replay: Replay | None) -> str:
    """The share token of the walk; "" where there is none, and for one too long for a token."""
    from fsm.stepper.endpoint_system import EndpointSystem
    from fsm.stepper.walk import Walk

    if replay is None:
        return ""
    walk = Walk(EndpointSystem(replay.endpoint, replay.config), manual=True)
    for move in (*replay.before, *replay.moves):
        walk.choose(move)
    try:
        return walk.token_at(walk.at)
    except FsmError as error:
        if error.where == "token":
            return ""
        raise
