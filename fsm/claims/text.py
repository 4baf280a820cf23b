"""The paragraphs of a finding, in their one order: each is made here, from paths and states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fsm.claims.decide import Path, Until, search
from fsm.claims.finding import REFUTED, UNKNOWN, Finding, Part, Verdict
from fsm.claims.runs import Event, Runs, SpaceRuns
from fsm.claims.settle import Settled
from fsm.claims.subject import EndpointSubject, SessionSubject, Subject, TraceSubject
from fsm.claims.why import (
    all_states,
    decided_text,
    possible_next,
    step_text,
    what_comes_instead,
    why_at_the_layer,
    why_not_next,
)
from fsm.claims.why_session import why_in_session, why_never_in_session
from fsm.claims.witness import (
    command_of,
    events_of,
    has_usual_lifetimes,
    lines_of,
    moves_of,
    stepping,
    token_of,
    verdicts_on,
)
from fsm.claims.words import Atom, read_condition
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
            token = token_of(self.subject, witness, verdicts_on(runs, path))
            more += [Part(TOKEN, (stepping(token),))] if token else []
            more += filters_part(self.subject, runs, path)
            commands = command_of(self.subject, events, token)
            more += [Part(DRAW, commands)] if commands else []
        ordered = sorted((*parts, *more), key=lambda part: ORDER.index(part.heading))
        return Finding(verdict, self.text, cause, tuple(ordered), witness, token, self.allow_unknown)

    def unknown(self, visited: int) -> Finding:
        """What is left to say when a limit was hit, or where something is not documented."""
        if refusals := refusals_of(self.subject):
            # A session does not follow every verdict that is documented: a redirected datagram leaves it.
            who = "nothing here says" if isinstance(self.subject, SessionSubject) else "the documents do not say"
            lines = (f"{who} what happens where", *refusals)
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
        number = subject.limit_states
        states = f"the first {'state' if number == 1 else f'{number} states'} of the session"
    else:
        fix = "a simpler claim, or allow_unknown=True where not knowing is good enough"
    return Part(SEARCHED, (f"{states}; there are others, so nothing is sure. Give {fix}",))


def run_part(heading: str, runs: Runs, path: Path) -> Part:
    """A run, and the state that it leads to."""
    end = path[-1][1] if path else runs.start
    name = runs.name(end)
    # In the middle of a stimulus the name says where: `BOUND/NONE sendto@send.authorize`.
    position = POSITIONS.get(name.partition("@")[2])
    text = f" ({position.text})" if position else ""
    return Part(heading, (*lines_of(events_of(runs, path)), f"then: {name}{text}"))


def standing(runs: Runs, states: Sequence[int]) -> str:
    """Where a run stands that has come so far: a state, and how many others it might be."""
    others = len(dict.fromkeys(runs.name(state) for state in states)) - 1
    return runs.name(states[0]) + (
        f" and in the {f'{others} other states' if others > 1 else 'other state'} in which the same events can end"
        if others
        else ""
    )


OPEN = "it depends on what filters ask and nobody has told"
SAY_MORE = (
    "give what is known in circumstances=, or ordinary=True for a program and an interface that no filter names, or "
    'undeclared="permit" for callouts that let everything pass'
)


def questions_of(subject: Subject, runs: Runs, events: Sequence[int]) -> tuple[str, ...]:
    """The open questions that these events rest on, each with its layer."""
    lines = []
    for happens in (runs.events[event] for event in events):
        assert happens.answer is not None, "only classifies are open"
        what = happens.answer.question or happens.answer.refused
        lines.append(f"{happens.layer.removeprefix('FWPM_LAYER_')}{at_host(subject, happens)}: {what}")
    return tuple(dict.fromkeys(lines))


def refusals_of(subject: Subject) -> tuple[str, ...]:
    """The verdicts of filters of which nothing says what they do; () where a limit keeps something from being known."""
    if isinstance(subject, EndpointSubject):
        return subject.policy.refusals if subject.policy else ()
    if isinstance(subject, SessionSubject) and subject.space.answers is not None and not subject.space.open_states:
        return subject.space.answers.refusals
    return ()


def filters_part(subject: Subject, runs: Runs, path: Path) -> list[Part]:
    """Which filter decided at each classify of a run of a subject with a policy: its blocks, and what let it pass."""
    lines: list[str] = []
    count = 0
    for happens in events_of(runs, path):
        if happens.answer is not None:
            by = happens.answer.decider
            count += not by
            if by:
                what = f"{happens.layer.removeprefix('FWPM_LAYER_')} {happens.verdict}"
                lines.append(f"{what}{at_host(subject, happens)}: {by}")
    lines = list(dict.fromkeys(lines))
    if count:
        lines.append("none decides at the other layers" if lines else "none decides at any of these layers")
    return [Part(FILTERS, tuple(lines))] if lines else []


def rule_part(events: Sequence[Event]) -> tuple[Part, ...]:
    """By which rule the last thing happened."""
    rule = step_text(events[-1]) if events else ""
    return (Part(WHY, (f"{events[-1]} happens by {rule}",)),) if rule else ()


@dataclass(frozen=True, slots=True)
class Way:
    """The way to something wanted: from where the run stood, from the start, or with other verdicts only."""

    part: Part
    runs: Runs | None = None
    path: Path | None = None
    sure: bool = True  # where there is no path: whether there is none


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
        alone = "from the start, without what comes before it here" if state is not None else "from the start"
        return Way(Part(WAY, (alone, *lines_of(events_of(runs, found.path)))), runs, found.path)
    anything = subject.anything
    if anything is not None:
        other = search(anything, Until(anything, atom), _reached)
        if other.path is not None:
            return other_way(anything, other.path)
    if isinstance(subject, EndpointSubject):
        return Way(Part(WAY, ("there is none, whatever the layers answer",)))
    none = "there is none" if found.complete else "none was found before the limit was hit"
    return Way(Part(WAY, (none,)), sure=found.complete)


def other_way(anything: Runs, path: Path) -> Way:
    """A way of the `anything` of a subject: possible with other answers of the layers only."""
    lines = lines_of(events_of(anything, path))
    return Way(Part(WAY, ("with other answers of the layers", *lines)), anything, path)


def _reached(state: int, watcher: int) -> bool:
    return watcher == 1


def refused_parts(
    subject: Subject,
    runs: Runs,
    states: Sequence[int],
    atom: Atom,
    way: Way | None,
    *,
    stimuli: bool,
    of_all: bool = False,
) -> list[Part]:
    """Why the next thing is refused, what is possible there, and the way to it.

    Told of the first of these states, in which the run that is shown ends, or with `of_all` of any of them.
    """
    here = list(dict.fromkeys(map(runs.plain, states)))
    return [
        Part(WHY, _why_refused(subject, here if of_all else here[:1], atom, way)),
        Part(POSSIBLE, possible_next(subject.runs, here, stimuli=stimuli)),
        *([way.part] if way else []),
    ]


def _why_refused(subject: Subject, states: Sequence[int], atom: Atom, way: Way | None) -> tuple[str, ...]:
    if isinstance(subject, TraceSubject):
        shown = ", ".join(possible_next(subject.runs, states, stimuli=False))
        return (f"the trace shows something else there: {shown}",)
    if isinstance(subject, SessionSubject):
        never = way is not None and (way.sure if way.path is None else way.runs is not subject.runs)
        if way is not None and never:
            return _why_never(subject, atom, way, states)
        return why_in_session(
            subject, states, atom, events_of(way.runs, way.path) if way and way.runs and way.path else ()
        )
    if way is None or way.runs is None or way.path is None:
        return _why_never(subject, atom, way, states) if way else why_not_next(subject, states, atom)
    if way.runs is not subject.runs:
        # No run of this subject comes to it: rules that lead there with other answers would explain nothing.
        missing = missing_verdict(subject, way.runs, way.path, atom)
        at_it = why_at_the_layer(subject, states, atom)
        layer = subject.table.layer(states[0])
        is_missing = layer is not None and any(f"{layer.short_name} would have" in line for line in missing)
        return at_it or ((*missing,) if is_missing else (what_comes_instead(subject.table, states[0]), *missing))
    return why_not_next(subject, states, atom, events_of(way.runs, way.path))


def never_comes(claim: Claim, atom: Atom, visited: int, cause: str, *first: Part) -> Finding:
    """The refutation where something does not happen in any run: why not, and with which verdicts it would."""
    subject = claim.subject
    way = way_to(subject, atom)
    parts = [*first, Part(WHY, _why_never(subject, atom, way)), way.part]
    parts += [searched(subject, visited, complete=True)] if way.path is None else []
    return claim.finding(REFUTED, cause, parts, way.runs, way.path)


def _why_never(subject: Subject, atom: Atom, way: Way, first: Sequence[int] = ()) -> tuple[str, ...]:
    """What in the subject keeps the event from happening: the first verdict that it does not give, or the rules.

    `first` are the states to look at before all others.
    """
    if isinstance(subject, SessionSubject):
        if way.runs is not None and way.path is not None:
            return (*missing_verdict(subject, way.runs, way.path, atom), f"no run shows {atom.shown}")[:2]
        return why_never_in_session(subject, atom, first)
    if isinstance(subject, TraceSubject):
        return (f"the trace does not show {atom.shown}",)
    if way.runs is None or way.path is None:
        if atom.condition is not None and not atom.layers:
            return _why_no_state(subject, atom)
        at_it = why_at_the_layer(subject, first, atom)
        return at_it or why_not_next(subject, all_states(subject.runs), atom, place="wherever it comes")
    return missing_verdict(subject, way.runs, way.path, atom) or (f"no run shows {atom.shown}",)


def missing_verdict(subject: Subject, other: Runs, path: Path, atom: Atom) -> tuple[str, ...]:
    """The first verdict of a run of `other` to what the atom asks for that the subject does not give.

    And by which filter it gives another.
    """
    if isinstance(subject, SessionSubject):
        return _missing_in_session(subject, other, path)
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
                f"to come to {atom.text} {layer} would have to answer {wanted.verdict}, and it answers {given}{by}",
                f"it would answer {wanted.verdict} by {step_text(wanted)}",
            )
        state = target
    return ()


def _missing_in_session(subject: SessionSubject, other: Runs, path: Path) -> tuple[str, ...]:
    answers = subject.space.answers
    assert answers is not None and isinstance(other, SpaceRuns), "only policies keep a session from a verdict"
    for event, _ in path:
        wanted = other.events[event]
        if wanted.step is None or not wanted.layer:
            continue
        move = other.move_of(event)
        for answer in answers.decided(move.endpoint, move.view, move.peer, (wanted.step,)):
            if wanted.verdict not in answer.verdicts:
                layer = wanted.layer.removeprefix("FWPM_LAYER_") + at_host(subject, wanted)
                given = " or ".join(answer.verdicts) or "something else"
                return (
                    f"{layer} would have to answer {wanted.verdict} there, and it answers {given}: {answer.by}",
                    f"with that answer it would go on by {step_text(wanted)}",
                )
    return ()


def at_host(subject: Subject, event: Event) -> str:
    """`@sender, host 1` for what happens in a session; "" elsewhere."""
    if not isinstance(subject, SessionSubject):
        return ""
    return f"@{event.endpoint}, host {subject.session.member(event.endpoint).host}"


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
