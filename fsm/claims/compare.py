"""`equivalent`: whether two subjects show the same sequences of what is observed, and the first where they differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from fsm.claims.decide import Difference, difference, open_events
from fsm.claims.finding import HOLDS, REFUTED, UNKNOWN, Finding, Part
from fsm.claims.recorded import unread_lines
from fsm.claims.runs import UNCOMMON_MOVES, USUAL_MOVES, Event, LessRuns
from fsm.claims.subject import EndpointSubject, Given, SessionSubject, Subject, TraceSubject, no_session, of
from fsm.claims.text import (
    COUNTER,
    GIVEN,
    NOTE,
    OPEN,
    POSSIBLE,
    SAY_MORE,
    SEARCHED,
    SO_FAR,
    WHY,
    Claim,
    questions_of,
    run_part,
)
from fsm.claims.why import why_not_next
from fsm.claims.witness import events_of
from fsm.claims.words import Atom
from fsm.errors import FsmError, UnknownName

LIMIT_PAIRS = 50_000
OBSERVABLE: tuple[str, ...] = ("layer", "stem", "verdict", "flags", "stimulus", "outcome", "endpoint")


def equivalent(
    subject: Given,
    other: Given,
    observing: Sequence[str] = ("layer", "verdict"),
    *,
    limit_states: int | None = None,
    allow_unknown: bool = False,
) -> Finding:
    """Both can show the same sequences of what is observed, no more and no less.

    `observing` is some of "layer", "stem" (the layer without IP version), "verdict", "flags", "stimulus", "outcome",
    "endpoint". What shows none of these is not seen; where nothing is seen of either the claim is refuted, for it says
    nothing. A refutation has the shortest sequence that only one can show,
    and its witness is a run of that one.
    """
    one, two = of(subject), of(other)
    if limit_states is not None:
        if not any(isinstance(side, SessionSubject) for side in (one, two)):
            raise no_session(f"neither {one.title} nor {two.title}")
        one, two = (of(s, limit_states=limit_states) if isinstance(s, SessionSubject) else s for s in (one, two))
    observing = observing.replace(",", " ").split() if isinstance(observing, str) else observing
    for word in observing:
        if word not in OBSERVABLE:
            raise UnknownName.of("equivalent, observing", "thing to observe", word, OBSERVABLE)
    if not observing:
        raise FsmError("equivalent", "nothing is observed", f"Possible: {', '.join(OBSERVABLE)}")
    what = ", ".join(observing)
    claim = Claim(one, f"{one.title} and {two.title} show the same sequences of {what}", allow_unknown)
    for side in (one, two):
        lacking = _untold_fields(side, observing)
        if lacking:
            return Claim(side, claim.text, allow_unknown).finding(UNKNOWN, "untold", (Part(WHY, (lacking,)),))

    def see(event: Event) -> str | None:
        return _observed(event, observing)

    resting = [(side, open_events(side.runs)) for side in (one, two)]
    is_open = any(events for _, events in resting)

    def differ(one: Subject, two: Subject) -> tuple[Difference | None, bool, int]:
        return difference(
            one.runs, two.runs, _seen_in(see, one), _seen_in(see, two), limit=LIMIT_PAIRS, one_way=is_open
        )

    def limited() -> Claim:
        cut = (s for s in (one, two) if isinstance(s, SessionSubject) and not s.space.complete)
        return Claim(next(cut, one), claim.text, allow_unknown)

    found, complete, compared = differ(one, two)
    if is_open and found is None:
        found, complete, compared = differ(two, one)
        one, two = two, one
    if found is None and is_open:
        lines = [line for side, events in resting for line in questions_of(side, side.runs, events)]
        parts = [Part(WHY, (OPEN, *dict.fromkeys(lines))), Part(NOTE, (SAY_MORE,))]
        return claim.finding(UNKNOWN, "open", parts)
    if found is None:
        if not complete:
            return limited().unknown(compared)
        if all(see(event) is None for side in (one, two) for event in side.runs.events):
            nothing = f"neither can show any {' or '.join(observing)}, so the claim says nothing"
            return claim.finding(REFUTED, "vacuous", (Part(GIVEN, (nothing,)),))
        pairs = f"{compared} pair{'' if compared == 1 else 's'} of what may be the case, and there are no others"
        return claim.finding(HOLDS, "equal", (Part(SEARCHED, (pairs,)),))
    can, cannot = (one, two) if found.in_first else (two, one)
    if not is_open:
        can, cannot, found = _usual_difference((can, cannot), see, found)
    if not complete and (isinstance(one, SessionSubject) or isinstance(two, SessionSubject)):
        return limited().unknown(compared)
    last = can.runs.events[found.path[-1][0]]
    parts = [
        Part(SO_FAR, (f"both can show {', '.join(map(str, found.common)) or 'nothing yet'}",)),
        Part(GIVEN, (f"{found.more}, which only {can.title} can show",)),
        Part(POSSIBLE, (f"in {cannot.title}: {', '.join(map(str, found.instead)) or 'nothing more'}",)),
        run_part(COUNTER, can.runs, found.path),
    ]
    why = _why_other(cannot, found.common, last, see, observing)
    parts += [Part(WHY, why)] if why else []
    return Claim(can, claim.text, allow_unknown).finding(REFUTED, "different", parts, can.runs, found.path)


def _untold_fields(about: Subject, observing: Sequence[str]) -> str:
    if not isinstance(about, TraceSubject):
        return ""
    if about.trace.not_understood:
        return "; ".join(unread_lines(about.trace))
    for number, seen in enumerate(about.trace.observations, 1):
        told = {"verdict": bool(seen.verdict), "flags": seen.flags is not None, "endpoint": bool(seen.endpoint),
                "stimulus": False, "outcome": False}  # fmt: skip
        for word in observing:
            if not told.get(word, True):
                return f"{seen.source or f'entry {number}'} does not tell the {word}"
    return ""


def _observed(event: Event, observing: Sequence[str]) -> str | None:
    """What is seen of an event, as text; None for nothing."""
    words: list[str] = []
    if event.layer:
        if "layer" in observing:
            words.append(event.layer.removeprefix("FWPM_LAYER_"))
        elif "stem" in observing:
            words.append(re.sub(r"_V[46](?=_|$)", "", event.layer.removeprefix("FWPM_LAYER_")))
        if "verdict" in observing:
            words.append(event.verdict)
        if "flags" in observing and event.flags:
            words.append(f"[{', '.join(sorted(event.flags))}]")
    elif "stimulus" in observing:
        words.append(f"({event.stimulus})")
    if "outcome" in observing and event.outcome:
        words.append(f"-> {event.outcome}" if words else f"outcome {event.outcome}")
    if words and "endpoint" in observing and event.endpoint:
        words.append(f"@{event.endpoint}")
    return " ".join(words) or None


def _usual_difference(
    sides: tuple[Subject, Subject], see: Callable[[Event], str | None], found: Difference
) -> tuple[Subject, Subject, Difference]:
    """A difference that the least unusual moves show, of (who can, who cannot): the one that was found, or another."""
    can, cannot = sides
    moves = {event.stimulus for event in events_of(can.runs, found.path) if event.begins}
    for allowed in (USUAL_MOVES, (*USUAL_MOVES, *UNCOMMON_MOVES)):
        if moves <= set(allowed):
            break
        others: list[tuple[Subject, Subject, Difference]] = []
        for one, two in (sides, sides[::-1]):
            less = LessRuns(one.runs, allowed)
            see_one, see_two = _seen_in(see, one), _seen_in(see, two)
            other, _, _ = difference(less, two.runs, see_one, see_two, limit=LIMIT_PAIRS, one_way=True)
            others += [(one, two, other)] if other else []
        if others:
            return min(others, key=lambda one: len(one[2].common))
    return can, cannot, found


def _seen_in(see: Callable[[Event], str | None], side: Subject) -> Callable[[int], str | None]:
    events = side.runs.events
    return lambda number: see(events[number])


def _why_other(
    cannot: Subject, common: Sequence[object], last: Event, see: object, observing: Sequence[str]
) -> tuple[str, ...]:
    """Why the other subject cannot go on with what the first shows."""
    if not isinstance(cannot, EndpointSubject) or not callable(see):
        return ()
    runs = cannot.runs
    states, seen = [runs.start], list(common)
    for wanted in (*seen, None):
        closed = dict.fromkeys(states)
        order = list(closed)
        for state in order:
            for event, target in runs.edges(state):
                if see(runs.events[event]) is None and target not in closed:
                    closed[target] = None
                    order.append(target)
        if wanted is None:
            states = order
            break
        states = [t for s in order for e, t in runs.edges(s) if see(runs.events[e]) == wanted]
    if not last.layer:
        return why_not_next(cannot, states, Atom(str(last), stimulus=last.stimulus))
    exact = "flags" in observing
    atom = Atom(
        last.layer.removeprefix("FWPM_LAYER_"),
        frozenset({last.layer}),
        last.verdict if "verdict" in observing or "outcome" in observing else "",
        frozenset(last.flags) if exact else frozenset(),
        exact_flags=exact,
    )
    return why_not_next(cannot, states, atom)
