"""The paragraphs of a finding, in their one order: each is made here, from paths and states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fsm.claims.decide import Path, Until, search
from fsm.claims.finding import REFUTED, UNKNOWN, Finding, Part, Verdict
from fsm.claims.runs import Event, Runs
from fsm.claims.settle import Settled
from fsm.claims.subject import EndpointSubject, SessionSubject, Subject
from fsm.claims.why import decided_text, possible_next, step_text, why_not_next
from fsm.claims.witness import command_of, events_of, has_usual_lifetimes, lines_of, moves_of, stepping, token_of
from fsm.claims.words import Atom, read_condition
from fsm.names import VERDICTS
from fsm.stimuli import POSITIONS

SO_FAR = "possible so far"
GIVEN = "given next"
WHY = "why"
POSSIBLE = "possible there"
WAY = "shortest way"
COUNTER = "shortest counterexample"
RUN = "shortest run"
HAPPENED = "it can have happened like this"
IF_SO = "shortest run, if so"
FILTERS = "filters"
TOKEN = "token"
DRAW = "draw"
SEARCHED = "searched"
NOTE = "note"
ORDER = (SO_FAR, GIVEN, WHY, POSSIBLE, WAY, COUNTER, RUN, HAPPENED, IF_SO, FILTERS, SEARCHED, NOTE, TOKEN, DRAW)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that is being decided: of what, in words, and whether "unknown" is allowed."""

    subject: Subject
    text: str
    allow_unknown: bool = False

    def finding(
        self, verdict: Verdict, cause: str, parts: Sequence[Part], runs: Runs | None = None, path: Path | None = None
    ) -> Finding:
        """The finding, with the run that shows it (of the subject's `runs`) as token and picture."""
        witness: tuple[str, ...] = ()
        token, more = "", []
        if runs is not None and path is not None:
            events = events_of(runs, path)
            witness = moves_of(events, usual_lifetimes=has_usual_lifetimes(self.subject))
            token = token_of(self.subject, witness)
            more += [Part(TOKEN, (stepping(token),))] if token else []
            more += filters_part(self.subject, runs, path)
            commands = command_of(self.subject, events, runs.name(path[-1][1] if path else runs.start))
            more += [Part(DRAW, commands)] if commands else []
        ordered = sorted((*parts, *more), key=lambda part: ORDER.index(part.heading))
        return Finding(verdict, self.text, cause, tuple(ordered), witness, token, self.allow_unknown)

    def unknown(self, visited: int) -> Finding:
        """What is left to say when a limit was hit, or where something is not documented."""
        policy = self.subject.policy if isinstance(self.subject, EndpointSubject) else None
        if policy is not None and policy.refusals:
            lines = ("the documents do not say what happens where", *policy.refusals)
            return self.finding(UNKNOWN, "undocumented", (Part(WHY, lines),))
        return self.finding(UNKNOWN, "limit", (searched(self.subject, visited, complete=False),))

    def depends(self, runs: Runs, settled: Settled, shown: tuple[Runs, Path] | None = None) -> Finding:
        """What is left to say where the answer rests on an open question; `shown` is the run in other words."""
        assert settled.path is not None, "a run was found that is not sure"
        whole, path = shown or (runs, settled.path)
        parts = [Part(WHY, (OPEN, *questions_of(self.subject, runs, settled.asked)))]
        parts += [run_part(IF_SO, whole, path), Part(NOTE, (SAY_MORE,))]
        return self.finding(UNKNOWN, "open", parts, whole, path)


def searched(subject: Subject, visited: int, *, complete: bool) -> Part:
    """How much was looked at."""
    states = f"{visited} state{'' if visited == 1 else 's'}"
    if complete:
        return Part(SEARCHED, (f"{states}, and there are no others",))
    fix = "a larger limit_states, or allow_unknown=True where not knowing is good enough"
    if isinstance(subject, SessionSubject):
        states = f"the first {subject.limit_states} states of the session"
    else:
        fix = "a simpler claim, or allow_unknown=True where not knowing is good enough"
    return Part(SEARCHED, (f"{states}; there are others, so nothing is sure. Give {fix}",))


def run_part(heading: str, runs: Runs, path: Path) -> Part:
    """A run, and the state that it leads to."""
    end = path[-1][1] if path else runs.start
    name = runs.name(end)
    # In the middle of a stimulus the name says where: `BOUND/NONE sendto@send.authorize`.
    position = POSITIONS.get(name.partition("@")[2]) if " " in name else None
    text = f" ({position.text})" if position else ""
    return Part(heading, (*lines_of(events_of(runs, path)), f"then: {name}{text}"))


def standing(runs: Runs, states: Sequence[int]) -> str:
    """Where a run stands that has come so far: a state, and how many others it might be."""
    others = len(dict.fromkeys(runs.name(state) for state in states)) - 1
    return runs.name(states[0]) + (
        f", and in {others} other state{'' if others == 1 else 's'} it may be in" if others else ""
    )


NOBODY = ("no filter matches", "no filter decides")  # as a decision says it
OPEN = "it depends on what filters ask and nobody has told"
SAY_MORE = (
    "give what is known in circumstances=, or ordinary=True for a program and an interface that no filter names, or "
    'undeclared="permit" for callouts that let everything pass'
)


def plain_of(runs: Runs, state: int) -> int:
    """The state of the table, where runs with clocks have one of their own."""
    plain = getattr(runs, "plain", None)
    return plain(state) if plain else state


def questions_of(subject: Subject, runs: Runs, states: Sequence[int]) -> tuple[str, ...]:
    """The open questions of these states, each with its layer."""
    if not isinstance(subject, EndpointSubject) or subject.policy is None:
        return ()
    lines = []
    for state in dict.fromkeys(plain_of(runs, state) for state in states):
        layer = subject.table.layer(state)
        assert layer is not None, "only classifies are open"
        lines.append(f"{layer.short_name}: {subject.policy.at(state).question}")
    return tuple(dict.fromkeys(lines))


def filters_part(subject: Subject, runs: Runs, path: Path) -> list[Part]:
    """Which filter decided at each classify of a run of a subject with a policy: its blocks, and what let it pass."""
    if not isinstance(subject, EndpointSubject) or subject.policy is None or runs is subject.anything:
        return []
    lines: list[str] = []
    count = 0
    state = runs.start
    for event, target in path:
        happens = runs.events[event]
        if happens.layer:
            answer = subject.policy.at(plain_of(runs, state))
            by = "open" if answer.question else answer.by
            count += by in NOBODY
            if by not in NOBODY:
                lines.append(f"{happens.layer.removeprefix('FWPM_LAYER_')} {happens.verdict}: {by}")
        state = target
    lines = list(dict.fromkeys(lines))
    if count:
        lines.append("none decides at the other layers" if lines else "none decides at any of these layers")
    return [Part(FILTERS, tuple(lines))] if lines else []


def rule_part(events: Sequence[Event]) -> tuple[Part, ...]:
    """By which rule the last thing happened."""
    rule = step_text(events[-1]) if events else ""
    return (Part(WHY, (f"{events[-1]} happens by {rule}",)),) if rule else ()


def refused_parts(subject: Subject, runs: Runs, states: Sequence[int], atom: Atom, *, stimuli: bool) -> list[Part]:
    """Why the next thing is refused in these states, and what is possible there."""
    here = list(dict.fromkeys(plain_of(runs, state) for state in states))
    return [
        Part(WHY, why_not_next(subject, here, atom)),
        Part(POSSIBLE, possible_next(subject.runs, here, stimuli=stimuli)),
    ]


@dataclass(frozen=True, slots=True)
class Way:
    """The way to something wanted: from where the run stood, from the start, or with other verdicts only."""

    part: Part
    runs: Runs | None = None
    path: Path | None = None


def way_to(subject: Subject, atom: Atom, state: int | None = None, before: Path = ()) -> Way:
    """The shortest way to an event: from `state`, to which the run `before` leads, or else from the start."""
    runs = subject.runs
    if state is not None:
        found = search(runs, Until(runs, atom), _reached, start=state)
        if found.path is not None:
            lines = lines_of(events_of(runs, found.path))
            return Way(Part(WAY, ("from there", *lines)), runs, (*before, *found.path))
    found = search(runs, Until(runs, atom), _reached)
    if found.path is not None:
        return Way(Part(WAY, ("from the start", *lines_of(events_of(runs, found.path)))), runs, found.path)
    if isinstance(subject, EndpointSubject):
        runs = subject.anything
        other = search(runs, Until(runs, atom), _reached)
        if other.path is not None:
            lines = lines_of(events_of(runs, other.path))
            return Way(Part(WAY, ("with other answers of the layers", *lines)), runs, other.path)
        return Way(Part(WAY, ("there is none, whatever the layers answer",)))
    none = "there is none" if found.complete else "none was found before the limit was hit"
    return Way(Part(WAY, (none,)))


def _reached(state: int, watcher: int) -> bool:
    return watcher == 1


def never_comes(claim: Claim, atom: Atom, visited: int, cause: str, *first: Part) -> Finding:
    """The refutation where something does not happen in any run: why not, and with which verdicts it would."""
    subject = claim.subject
    way = way_to(subject, atom)
    parts = [*first, Part(WHY, _why_never(subject, atom, way)), way.part]
    parts += [searched(subject, visited, complete=True)] if way.path is None else []
    return claim.finding(REFUTED, cause, parts, way.runs, way.path)


def _why_never(subject: Subject, atom: Atom, way: Way) -> tuple[str, ...]:
    """What in the subject keeps the event from happening: the first verdict that it does not give, or the rules."""
    runs = subject.runs
    if way.runs is None or way.path is None:
        if isinstance(subject, EndpointSubject):
            if atom.condition is not None and not atom.layers:
                return _why_no_state(subject, atom)
            states = _all_states(runs)
            return why_not_next(subject, states, atom)
        limited = isinstance(subject, SessionSubject) and set(subject.session.verdicts) != set(VERDICTS)
        more = (verdicts_of_session(subject),) if limited and isinstance(subject, SessionSubject) else ()
        return (f"no run shows {atom.shown}", *more)
    return (*missing_verdict(subject, way.runs, way.path), f"no run shows {atom.shown}")[:2]


def verdicts_of_session(subject: SessionSubject) -> str:
    """That not every verdict is given in a session: what would happen with others is not asked."""
    given = " or ".join(subject.session.verdicts)
    return f"the layers of this session answer {given} only; make_session(verdicts=[...]) lets them answer more"


def missing_verdict(subject: Subject, other: Runs, path: Path) -> tuple[str, ...]:
    """The first verdict of a run of `other` that the subject does not give, and by which filter it gives another."""
    runs = subject.runs
    state = runs.start
    for event, target in path:
        wanted = other.events[event]
        here = {runs.events[number].verdict: to for number, to in runs.edges(state)}
        if wanted.layer and wanted.verdict not in here:
            layer = wanted.layer.removeprefix("FWPM_LAYER_")
            given = " or ".join(verdict for verdict in here if verdict)
            by = decided_text(subject, state)
            return (
                f"{layer} would have to answer {wanted.verdict} there, and it answers {given}{by}",
                f"with that answer it would go on by {step_text(wanted)}",
            )
        state = target
    return ()


def _why_no_state(subject: EndpointSubject, atom: Atom) -> tuple[str, ...]:
    """Of a condition that is never met: which of its words are met, each by itself, and where first."""
    runs = subject.runs
    lines = [f"no state that it comes to has {atom.text}"]
    words = [word for word in atom.text.strip("[]").split() if word != "and"]
    for word in words if len(words) > 1 else ():
        alone = read_condition(word, subject.vocabulary, "claims", word)
        found = search(runs, Until(runs, alone), _reached)
        where = f"first in {runs.name(found.found[0])}" if found.found else "never"
        lines.append(f"{word} by itself: {where}")
    return tuple(lines)


def _all_states(runs: Runs) -> list[int]:
    seen = {runs.start: None}
    order = [runs.start]
    for state in order:
        for _, target in runs.edges(state):
            if target not in seen:
                seen[target] = None
                order.append(target)
    return order
