"""A finding of a claim as a page: its run event by event, each with the way on into the stepper. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fsm.aside import aside
from fsm.choices import Config
from fsm.claims.finding import HOLDS, Finding
from fsm.claims.subject import EndpointSubject, SessionSubject, Subject, TraceSubject
from fsm.claims.text import COUNTER, DRAW, RUN, TOKEN
from fsm.errors import FsmError
from fsm.names import VERDICTS
from fsm.page.pages import trace_page
from fsm.page.trace_data import TraceEvent, TraceStep
from fsm.page.walk_data import walk_events
from fsm.session import VERDICTS_NOT_OFFERED, short
from fsm.stepper.endpoint_system import EndpointSystem
from fsm.stepper.session_system import SessionSystem
from fsm.stepper.system import System
from fsm.stepper.walk import Walk
from fsm.table import compile_table

# What the page shows in another way.
_SHOWN_OTHERWISE = (COUNTER, RUN, TOKEN, DRAW)


@aside()
def finding_page(finding: Finding, subject: Subject | None = None) -> str:
    """The run that a finding shows, with a slider through its events, and what the claim came to.

    Parameters
    ----------
    finding : the answer to a claim.
    subject : what the claim was made of. Needed where the finding has no token: for a run that is too long for one,
        and for a recorded trace.

    Raises
    ------
    FsmError : there is no run to show, or it goes by rows that are not the package's own.
    """
    title = "Example" if finding.verdict == HOLDS else "Counterexample"
    notes = [(part.heading, part.lines) for part in finding.parts if part.heading not in _SHOWN_OTHERWISE]
    summary = f"{finding.verdict}: {finding.claim}"
    if isinstance(subject, TraceSubject):
        events = tuple(
            TraceEvent(
                f"{short(seen.layer)} {seen.verdict}".strip(),
                seen.source,
                (TraceStep(seen.layer, seen.verdict, "", seen.flags or (), seen.endpoint),),
            )
            for seen in subject.trace.observations
        )
        return trace_page("Trace", events, Config(), summary=summary, notes=notes)
    walk = _walk(finding, subject)
    system = walk.system
    name = system.name if isinstance(system, EndpointSystem) else ""
    return trace_page(title, walk_events(walk), system.config, summary=summary, endpoint=name, notes=notes)


def _walk(finding: Finding, subject: Subject | None) -> Walk:
    if finding.token:
        return Walk.from_token(finding.token, manual=True)
    if not finding.witness or subject is None:
        raise FsmError("page", f"this claim has no run to show: {finding.verdict}", fix="Read its text instead")
    return _taken(_system(subject), finding.witness)


def _taken(system: System[Any], moves: Iterable[str]) -> Walk:
    walk = Walk(system, manual=True)
    for move in moves:
        walk.choose(move)
    return walk


def _system(subject: Subject) -> System[Any]:
    if isinstance(subject, SessionSubject):
        # Whatever verdicts the run has: the moves are named, and the others are not looked at.
        return SessionSystem(subject.stepped(verdict for verdict in VERDICTS if verdict not in VERDICTS_NOT_OFFERED))
    assert isinstance(subject, EndpointSubject)
    table = subject.table
    if table is not compile_table(table.view.name, table.config):
        raise FsmError("page", "this run goes by other rows than the package's own", fix="Read its text instead")
    return EndpointSystem(table.view.name, table.config)
