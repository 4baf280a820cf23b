"""Conditions in claims and patterns: the words of `fsm.predicates`, asked of an event and of the state after it.

What depends on the whole walk (`fired`, `time`) or on other peers is no property of a state: patterns say it.
"""

from __future__ import annotations

from collections.abc import Callable

from fsm.claims.runs import Event
from fsm.errors import FsmError
from fsm.predicates import NONE, SESSION_STATE, Predicate, parse
from fsm.session import Session
from fsm.space import StateSpace
from fsm.table import Table

Condition = Callable[[Event, int], bool]  # of an event and the number of the state after it

OF_THE_WALK: dict[str, str] = {
    "fired": "Write the layer itself: always_before(subject, LAYER, ...), or use a pattern",
    "time": "Write (...) within 4s in a pattern",
    "peer": "An endpoint has one peer in claims; a session has several",
}


def endpoint_condition(text: str, table: Table, where: str) -> Condition:
    """A condition on an endpoint: `flow=OUT|IN socket=BOUND`, `outcome=blocked`.

    Raises
    ------
    FsmError, UnknownName : a name or value that does not exist, or that is none of a state.
    """
    predicate = parse(text, where, config=table.config)
    _refuse_walks(predicate, where)
    here = table.view.registers
    for term in predicate.terms:
        if term.name in ("socket", "connected", "window", "flow") and term.name not in here:
            raise FsmError(
                where, f"{table.view.name} has no {term.name}", f"It has {', '.join(here) or 'no registers'}"
            )
    views: dict[int, dict[str, object]] = {}

    def holds(event: Event, state: int) -> bool:
        view = views.get(state)
        if view is None:
            at, layer = table.states[state], table.layer(state)
            view = views[state] = {
                **dict(zip(here, at.registers, strict=True)),
                "stimulus": at.stimulus or NONE,
                "position": at.position,
                "layer": layer.fwpm_name if layer else "",
            }
        return predicate.holds({**view, "outcome": event.outcome or NONE})

    return holds


def session_condition(text: str, session: Session, where: str, found: Callable[[], StateSpace]) -> Condition:
    """A condition on a session: the words of `--reach`, and `outcome=`, at one endpoint as `outcome=delivered@sender`.

    Raises
    ------
    FsmError, UnknownName : a word that is none.
    """
    words = [word for word in text.split() if word.lower() != "and"]
    of_event = [word.partition("@") for word in words if word.startswith("outcome")]
    of_state = [word for word in words if not word.startswith("outcome")]
    outcome = " ".join(word for word, _, _ in of_event)
    event_part = parse(outcome, where, config=session.config) if of_event else None
    endpoints = {session.member(name, where).name for _, at, name in of_event if at}
    state_part = parse(" ".join(of_state), where, session=session) if of_state or not of_event else None
    if state_part is not None:
        _refuse_walks(state_part, where)
    memo: dict[int, bool] = {}

    def holds(event: Event, state: int) -> bool:
        if event_part is not None and not event_part.holds({"outcome": event.outcome or NONE}):
            return False
        if not endpoints.issubset({event.endpoint}):
            return False
        if state_part is None:
            return True
        if state not in memo:
            space = found()
            # In the middle of a move there is no joint state yet.
            memo[state] = state < len(space) and state_part.holds({SESSION_STATE: space.state(state)})
        return memo[state]

    return holds


def _refuse_walks(predicate: Predicate, where: str) -> None:
    for term in predicate.terms:
        name = "peer" if term.name.startswith("flow@") else term.name
        if name in OF_THE_WALK:
            raise FsmError(where, f"'{term.text}' is about a whole walk or another peer", fix=OF_THE_WALK[name])
