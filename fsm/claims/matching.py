"""`matches`: whether some run, or every run, of a subject is as a pattern says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fsm.claims.automaton import Dfa, TooLarge
from fsm.claims.decide import Path, Reading, letters_of, open_events, search
from fsm.claims.finding import HOLDS, REFUTED, UNKNOWN, Finding, Part
from fsm.claims.grammar import Choice, Node, One, Pattern, Repeat, Within, read_pattern
from fsm.claims.grammar import Sequence as InOrder
from fsm.claims.judge import untold
from fsm.claims.nearest import by_other_answers, nearest
from fsm.claims.recorded import never_shown
from fsm.claims.runs import TICK, Event, LineRuns, Runs
from fsm.claims.settle import Settled, settle
from fsm.claims.subject import EndpointSubject, Given, Subject, TraceSubject, of
from fsm.claims.text import (  # fmt: skip
    COUNTER,
    GIVEN,
    NOTE,
    POSSIBLE,
    RUN,
    SEARCHED,
    SO_FAR,
    WAY,
    WHY,
    Claim,
    other_way,
    refused_parts,
    rule_part,
    run_part,
    searched,
    standing,
    way_to,
)
from fsm.claims.timed import ReducedRuns, TimedRuns
from fsm.claims.why import possible_next
from fsm.claims.witness import events_of, lines_of
from fsm.claims.words import text_of
from fsm.errors import FsmError

NO_TARGET = -1  # of an event whose target does not matter


def matches(
    subject: Given, pattern: str, every: bool = False, *, limit_states: int | None = None, allow_unknown: bool = False
) -> Finding:
    """Some run from the start matches the whole pattern; with `every`, no run leaves it.

    A run is what has happened up to some moment, so a pattern about its beginning ends in `...`. Patterns that name no
    stimulus are about classifies only. With `every`, no run does anything after which the pattern cannot be matched
    any more, and where nothing more can happen it is matched. The grammar: `fsm.claims.grammar`.

    Raises
    ------
    UnknownName, FsmError : a pattern that is none, with the column; without `every` one that nothing matches, such as
        `A*`.
    """
    about = of(subject, limit_states=limit_states)
    read = read_pattern(text_of(pattern, "pattern"), about.vocabulary)
    if not every and is_matched_by_nothing(read):
        raise FsmError(
            "pattern", f"'{read.text}' is matched before anything happens, so some run of anything matches it",
            fix="Name an event that has to come, as '... A ...', 'A+' and 'A' do, and '...', 'A*' and 'A?' do not",
        )  # fmt: skip
    says = f"every run of {about.title} stays within" if every else f"some run of {about.title} matches"
    claim = Claim(about, f"{says} {read.text}", allow_unknown)
    missing = untold(claim, read.atoms)
    if missing is not None:
        return missing
    whole = timed_runs(about, _longest_bound_s(read.tree)) if read.is_timed else about.runs
    runs = reduced_runs(about, whole, read)
    reading = Reading(runs, read)
    try:
        found = (_every if every else _some)(claim, runs, whole, reading, read)
        return _with_silence(found, about, read) if found.verdict == HOLDS else found
    except TooLarge as error:
        text = (
            f"the pattern becomes an automaton of more than {error.states} states, so nothing is sure. "
            "Give fewer or shorter repetitions, or allow_unknown=True where not knowing is good enough"
        )
        return claim.finding(UNKNOWN, "limit", (Part(SEARCHED, (text,)),))


def _with_silence(found: Finding, about: Subject, read: Pattern) -> Finding:
    """What holds of a trace, with a note for each layer that is asked for and that no line is at."""
    if not isinstance(about, TraceSubject):
        return found
    silent = [text for atom in read.atoms if (text := never_shown(about.trace, atom))]
    return replace(found, parts=(*found.parts, Part(NOTE, tuple(dict.fromkeys(silent))))) if silent else found


def is_matched_by_nothing(read: Pattern) -> bool:
    """Whether the run in which nothing has happened matches: a claim that some run does would say nothing."""
    dfa = Dfa(read)
    return dfa.accepts(dfa.start)


def reduced_runs(about: Subject, whole: Runs, read: Pattern) -> Runs:
    """Runs with fewer states in which the pattern is matched just so; the whole ones where they cannot be reduced."""
    if not isinstance(about, EndpointSubject) or not isinstance(whole, TimedRuns):
        return whole
    if any(atom.condition for atom in read.atoms):
        return whole  # a condition can tell any two states apart
    plain = Reading(about.runs, read)
    return TimedRuns(ReducedRuns(about.runs, lambda event: plain.letter(event, NO_TARGET)), *whole.limits)


def _lifted(path: Path, runs: Runs, whole: Runs) -> Path:
    """A path of reduced runs as one of the whole."""
    if runs is whole:
        return path
    assert isinstance(runs, TimedRuns) and isinstance(whole, TimedRuns), "only runs with clocks are reduced"
    return runs.lift(path, whole)


def timed_runs(about: Subject, longest_s: int) -> Runs:
    """The runs of a subject with model time in them, in whole seconds.

    Of a gap in a recorded trace no more is counted than tells that it is longer than `longest_s`.

    Raises
    ------
    FsmError : time is not known there.
    """
    if isinstance(about, EndpointSubject):
        return about.timed
    if isinstance(about, TraceSubject):
        return _with_seconds(about, longest_s)
    raise FsmError(
        "pattern", "a session counts no time, so 'within' cannot be asked", fix="Make the claim of an endpoint"
    )


def _with_seconds(about: TraceSubject, longest_s: int) -> LineRuns:
    events: list[Event] = []
    names: list[str] = []
    clock: int | None = None
    for number, (seen, event) in enumerate(zip(about.trace.observations, about.runs.events, strict=True), 1):
        where = seen.source or f"entry {number}"
        if seen.at_s is None:
            raise FsmError("pattern", f"'within' is asked, and {where} has no time", fix="Leave out within")
        now = int(seen.at_s)
        gap = 0 if clock is None else min(max(now - clock, 0), longest_s + 1)
        events += [Event(TICK, shown=f"(after {now - (clock or 0)} s)")] * gap
        names += [where] * gap
        clock = now if clock is None else max(now, clock)
        events.append(event)
        names.append(where)
    return LineRuns(events, names)


def _some(claim: Claim, runs: Runs, whole: Runs, reading: Reading, read: Pattern) -> Finding:
    about, dfa = claim.subject, reading.dfa
    spent = dfa.spent if read.is_timed else None
    settled = settle(runs, reading, lambda state, q: dfa.accepts(q), spent=spent)
    found = settled.search
    path = None if found.path is None else _lifted(found.path, runs, whole)
    if path is not None and not settled.sure:
        return claim.depends(runs, settled, (whole, path))
    if path is not None:
        return claim.finding(HOLDS, "matched", (run_part(RUN, whole, path),), whole, path)
    if not found.complete:
        return claim.unknown(len(found.before))
    near = nearest(about, runs, reading, read, found.before)
    pair, states = near.pair, near.states
    prefix = _lifted(found.path_to(pair), runs, whole)
    tests = dfa.helpful(pair[1])
    total = dfa.missing(dfa.start)
    come = f"{total - dfa.missing(pair[1])} of the {total} event{'' if total == 1 else 's'} that a match takes at least"
    where = "every state" if near.anywhere else standing(runs, states)
    where += f" and in the {near.others} other states that '...' leads on to" if near.others else ""
    so_far = (come, *run_part(SO_FAR, whole, prefix).lines)
    if near.anywhere:
        so_far = (f"{come}: '...' takes whatever comes before",)
    elif near.is_chosen:
        so_far = (f"{come}; this run comes nearest to the next one", *so_far[1:])
    parts = [
        Part(SO_FAR, so_far),
        Part(GIVEN, (f"the pattern goes on with {wanted_text(tests, read)}, refused in {where}",)),
    ]
    atoms = [read.atoms[number] for test in tests if not test.negated for number in test.atoms]
    if read.is_timed:
        loose = Reading(runs, Pattern(read.text, _without_time(read.tree), read.atoms))
        slower = search(runs, loose, lambda state, q: loose.dfa.accepts(q))
        if slower.path is not None:
            path = _lifted(slower.path, runs, whole)
            events = events_of(whole, path)
            seconds = sum(event.stimulus == TICK for event in events)
            run = "the trace matches" if isinstance(about, TraceSubject) else f"there is a run, of {seconds} s"
            parts.append(Part(WHY, (f"only the time is wrong: without the bound {run}",)))
            if isinstance(about, TraceSubject):
                parts.append(Part(NOTE, ("times of a trace are compared in whole seconds, rounded down",)))
            parts.append(Part(WAY, ("without the time bound", *lines_of(events))))
            return claim.finding(REFUTED, "too_slow", parts, whole, path)
    if not atoms:
        parts.append(Part(WHY, ("whatever can come next is what the pattern rules out there",)))
        parts.append(Part(POSSIBLE, possible_next(about.runs, _plain(runs, states), stimuli=read.sees_stimuli)))
        return claim.finding(REFUTED, "unmatched", parts, whole, prefix)
    way = None if read.is_timed else way_to(about, atoms[0], states[0], prefix)
    if near.way and isinstance(about, EndpointSubject):
        way = other_way(about.anything, by_other_answers(about, prefix, near.way))
    refused = refused_parts(about, runs, states, atoms[0], way, stimuli=read.sees_stimuli, of_all=near.anywhere)
    # Where the wanted event is refused in every state, what is possible in all of them tells nothing.
    parts += [part for part in refused if not near.anywhere or part.heading != POSSIBLE]
    if way is None or way.path is None:
        return claim.finding(REFUTED, "unmatched", parts, *(() if near.anywhere else (whole, prefix)))
    return claim.finding(REFUTED, "unmatched", parts, way.runs, way.path)


def _every(claim: Claim, runs: Runs, whole: Runs, reading: Reading, read: Pattern) -> Finding:
    about, dfa = claim.subject, reading.dfa
    letters, complete = letters_of(runs, reading)
    hopeless = dfa.hopeless(letters if complete else None)

    def leaves(hopeless: Callable[[int], bool]) -> Callable[[int, int], bool]:
        return lambda state, q: hopeless(q) or (runs.is_end(state) and not runs.is_open(state) and not dfa.accepts(q))

    settled = settle(runs, reading, leaves(hopeless))
    found = settled.search
    path = None if found.path is None else _lifted(found.path, runs, whole)
    if path is not None and not settled.sure:
        return claim.depends(runs, settled, (whole, path))
    if path is None:
        if not (found.complete and complete):
            return claim.unknown(len(found.before))
        # With some answers to open questions fewer events are possible, and more of the pattern is beyond hope.
        fewer, _ = letters_of(runs, reading, certain=True)
        if fewer != letters:
            strict = settle(runs, reading, leaves(dfa.hopeless(fewer)))
            if strict.path is not None:
                asked = strict.asked or open_events(runs)
                shown = whole, _lifted(strict.path, runs, whole)
                return claim.depends(runs, Settled(strict.search, False, asked), shown)
        said = searched(about, len(found.before), complete=True)
        return claim.finding(HOLDS, "within", (said, *_nothing_leaves(about, read)))
    if found.found is not None and not hopeless(found.found[1]):
        q = found.found[1]
        parts = [
            Part(GIVEN, (f"the run ends, and the pattern goes on with {wanted_text(dfa.helpful(q), read)}",)),
            run_part(COUNTER, whole, path),
        ]
        return claim.finding(REFUTED, "ends_early", parts, whole, path)
    events = events_of(whole, path)
    if not events:
        lacking = [atom.shown for i, atom in enumerate(read.atoms) if not any(letter >> i & 1 for letter in letters)]
        why = f": no run shows {' or '.join(lacking)}" if lacking else ", whatever comes"
        parts = [Part(GIVEN, (f"no run can match it{why}",))]
        parts.append(Part(POSSIBLE, possible_next(about.runs, [about.runs.start], stimuli=read.sees_stimuli)))
        return claim.finding(REFUTED, "impossible", parts)
    assert found.found is not None, "a run was found"
    came = found.before[found.found]
    assert came is not None, "something has happened"
    q = came[0][1]
    parts = [
        run_part(SO_FAR, whole, path[:-1]),
        Part(GIVEN, (f"{events[-1]}, where the pattern goes on with {wanted_text(dfa.wanted(q), read)}",)),
        *rule_part(events),
        Part(COUNTER, lines_of(events)),
    ]
    return claim.finding(REFUTED, "leaves", parts, whole, path)


def _nothing_leaves(about: Subject, read: Pattern) -> tuple[Part, ...]:
    """What to say where every run stays within a pattern that nothing could ever have left, `...` for one."""
    if not isinstance(about, EndpointSubject) or read.is_timed:
        return ()
    runs = about.anything
    reading = Reading(runs, read)
    hopeless = reading.dfa.hopeless(letters_of(runs, reading)[0])
    left = search(runs, reading, lambda state, q: hopeless(q) or (runs.is_end(state) and not reading.dfa.accepts(q)))
    if left.path is not None:
        return ()
    text = f"no answer of a layer could change that: no run of {about.table.view.name} on this machine leaves it"
    return (Part(NOTE, (text,)),)


def wanted_text(tests: Sequence[One], read: Pattern) -> str:
    """What the pattern can go on with, in its own words."""
    words = []
    for test in tests:
        names = " | ".join(read.atoms[number].shown for number in test.atoms)
        words.append(f"anything but {names}" if test.negated and names else names or "any event")
    return " or ".join(dict.fromkeys(words)) or "nothing: it is at its end"


def _plain(runs: Runs, states: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(map(runs.plain, states)))


def _longest_bound_s(node: Node) -> int:
    """The longest time bound in a pattern."""
    if isinstance(node, Within):
        return max(node.seconds, _longest_bound_s(node.item))
    if isinstance(node, Repeat):
        return _longest_bound_s(node.item)
    if isinstance(node, InOrder):
        return max(map(_longest_bound_s, node.items), default=0)
    if isinstance(node, Choice):
        return max(map(_longest_bound_s, node.options), default=0)
    return 0


def _without_time(node: Node) -> Node:
    if isinstance(node, Within):
        return _without_time(node.item)
    if isinstance(node, Repeat):
        return Repeat(_without_time(node.item), node.least, node.most)
    if isinstance(node, InOrder):
        return InOrder(tuple(map(_without_time, node.items)))
    if isinstance(node, Choice):
        return Choice(tuple(map(_without_time, node.options)))
    return node
