"""Why something is not possible next in a session: told of each endpoint that it could happen to, by its own rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from fsm.claims.decide import Until, search
from fsm.claims.runs import Event
from fsm.claims.subject import EndpointSubject, SessionSubject, Subject
from fsm.claims.why import all_states, step_text, why_at_the_layer, why_not_next
from fsm.claims.words import Atom
from fsm.names import VERDICTS
from fsm.session import MESSAGES, Member
from fsm.table import NO_ROW, Table, compile_table


def verdicts_of_session(subject: Subject) -> tuple[str, ...]:
    """That not every verdict is given in a session: what would happen with others is not asked."""
    if not isinstance(subject, SessionSubject) or set(subject.session.verdicts) == set(VERDICTS):
        return ()
    if subject.anything is not None:
        given = " or ".join(subject.anything.space.session.verdicts)
        return (f"nor does any run without the policies, where the layers answer {given}",)
    given = " or ".join(subject.session.verdicts)
    return (f"the layers of this session answer {given} only; make_session(verdicts=[...]) lets them answer more",)


def why_in_session(
    subject: SessionSubject, states: Sequence[int], atom: Atom, way: Sequence[Event] = ()
) -> tuple[str, ...]:
    """Why none of these states of a session goes on with what the atom asks for. `way` is a run that comes to it."""
    at_it = _at_the_layer(subject, states, atom)
    if at_it or atom.condition is not None:
        return at_it or ("no event there has what was asked for",)
    lines = []
    for member in _members(subject, atom):
        alone = _alone(subject, member)
        here = [at for state in states for at in _local(subject, state, member, alone.table)]
        own = [event for event in way if event.endpoint == member.name]
        number = alone.table.event_ids.get(atom.stimulus, NO_ROW)
        if number != NO_ROW and any(alone.table.next_or_none(at, number) != NO_ROW for at in here):
            lines.append(f"{member.name}: it could happen, and nothing in the session brings it there")
            continue
        led = bool(way) and bool(own) and way[-1] is own[-1]
        idle = all(alone.table.layer(at) is None for at in here)
        if led and idle and way[-1].stimulus in MESSAGES.values():
            came, by = way[-1].stimulus, step_text(way[-1])
            lines.append(
                f"{member.name}: it comes in ({came}) by {by}, and nothing is on its way to {member.name} there"
            )
            continue
        why = why_not_next(alone, list(dict.fromkeys(here)), _of_one(atom), own if led else ())
        lines += [f"{member.name}: {line}" for line in why]
    return tuple(lines)


def why_never_in_session(subject: SessionSubject, atom: Atom, first: Sequence[int] = ()) -> tuple[str, ...]:
    """Why no run of a session shows what the atom asks for; `first` are the states to look at before all others."""
    never = f"no run shows {atom.shown}"
    if not atom.layers:
        return (never,)
    every = all_states(subject.runs)
    at_it = _at_the_layer(subject, first, atom) or _at_the_layer(subject, every, atom, "wherever it comes")
    if at_it:
        return at_it
    happens = {(event.endpoint, event.stimulus) for event in subject.runs.events}
    lines = [never]
    if atom.verdict and atom.verdict not in subject.session.verdicts:
        lines += verdicts_of_session(subject)
    for member in _members(subject, atom):
        alone = _alone(subject, member)
        found = search(alone.anything, Until(alone.anything, replace(_of_one(atom), verdict="", flags=frozenset())),
                       lambda state, q: q == 1)  # fmt: skip
        if found.path is None and atom.layers & _layers(compile_table("dropped_port", subject.session.config)):
            lines.append(
                f"{member.name}: it comes only where no socket has the port, and nothing comes to {member.name} then"
            )
            continue
        if found.path is None:
            lines += [
                f"{member.name}: {line}"
                for line in why_not_next(alone, all_states(alone.runs), _of_one(atom), place="wherever it comes")
            ]
            continue
        events = [alone.anything.events[number] for number, _ in found.path]
        lacking = next((e.stimulus for e in events if (member.name, e.stimulus) not in happens), "")
        if lacking:
            lines.append(
                f"{member.name}: it would come in ({events[-1].stimulus}) by {step_text(events[-1])}, "
                f"and no ({lacking}) happens to {member.name} in this session"
            )
    return tuple(lines)


def _at_the_layer(subject: SessionSubject, states: Iterable[int], atom: Atom, place: str = "there") -> tuple[str, ...]:
    """Where the layer does come: why it comes otherwise than asked. Else nothing."""
    runs = subject.runs
    met: dict[str, tuple[EndpointSubject, dict[int, None]]] = {}
    views = {member.name: member for member in subject.session.members}
    for state in states:
        for number, _ in runs.edges(state):
            event = runs.events[number]
            member = views.get(event.endpoint)
            if event.layer in atom.layers and event.step and member and atom.endpoint in ("", event.endpoint):
                alone, here = met.setdefault(member.name, (_alone(subject, member), {}))
                if event.step.from_state in _numbers(alone.table):
                    here[_numbers(alone.table)[event.step.from_state]] = None
    lines: list[str] = []
    for name, (alone, here) in met.items():
        why = why_at_the_layer(alone, list(here), _of_one(atom), place)
        lines += [f"{name}: {line}" for line in why]
    if lines and atom.verdict and atom.verdict not in subject.session.verdicts:
        lines += verdicts_of_session(subject)
    return tuple(lines)


def _of_one(atom: Atom) -> Atom:
    return replace(atom, endpoint="")


def _members(subject: SessionSubject, atom: Atom) -> list[Member]:
    """The endpoints that are meant; where none is named, those that come to the layer at all."""
    members = [m for m in subject.session.members if atom.endpoint in ("", m.name)]
    if atom.stimulus:
        return [m for m in members if atom.stimulus in _table(subject, m).view.stimuli] or members
    return [m for m in members if atom.layers & _layers(_table(subject, m))] or members


@lru_cache(maxsize=8)
def _numbers(table: Table) -> dict[str, int]:
    """The states of a table by name."""
    return {name: number for number, name in enumerate(table.names)}


def _layers(table: Table) -> set[str]:
    return {layer.fwpm_name for state in range(len(table.states)) if (layer := table.layer(state))}


def _table(subject: SessionSubject, member: Member) -> Table:
    return compile_table(member.view, subject.session.config)


def _alone(subject: SessionSubject, member: Member) -> EndpointSubject:
    """One endpoint of the session by itself, with the answers and the stimuli of the session."""
    table, session = _table(subject, member), subject.session
    stimuli = tuple(name for name in table.view.stimuli if name in subject.vocabulary.stimuli)
    if session.filters is None:
        given = tuple(session.verdicts) if set(session.verdicts) != set(VERDICTS) else VERDICTS
        return EndpointSubject(table, lambda table, state: given, (), stimuli)
    decided = _decided(subject, member)
    return EndpointSubject(table, lambda table, state: decided.get(table.name_of(state), ()), (), stimuli)


def _decided(subject: SessionSubject, member: Member) -> dict[str, tuple[str, ...]]:
    """For each state of an endpoint, by name, the verdicts that the policies of the session give in it."""
    decided: dict[str, tuple[str, ...]] = {}
    for event in subject.runs.events:
        if event.step and event.layer and event.endpoint == member.name:
            before = decided.get(event.step.from_state, ())
            decided[event.step.from_state] = tuple(dict.fromkeys((*before, event.verdict)))
    return decided


def _local(subject: SessionSubject, state: int, member: Member, table: Table) -> list[int]:
    """The states of its table in which an endpoint stands: one for each peer, one in the middle of a stimulus."""
    runs, session = subject.runs, subject.session
    steps = [event.step for event in _next(subject, state) if event.endpoint == member.name and event.step]
    inside = [_numbers(table)[step.from_state] for step in steps if step.layer and step.from_state in _numbers(table)]
    if inside:
        return inside[:1]
    if member not in session.sockets:
        return [table.start]
    return list(subject.space.standing(runs.joint(state), session.sockets.index(member)))


def _next(subject: SessionSubject, state: int) -> list[Event]:
    runs = subject.runs
    return [runs.events[number] for number, _ in runs.edges(state)] if state >= len(subject.space) else []
