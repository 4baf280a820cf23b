"""The claims: plain functions that decide exactly and answer with a `Finding`.

    from fsm.claims import endpoint, never
    never(endpoint("sender", block=["AUTH_CONNECT"]), "outcome=sent").require()

A target is one event or state: a layer in any spelling with `:verdict`, `+FLAG`, `@endpoint`; `(stimulus)`; an outcome;
or `name=value` words of `fsm.predicates`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fsm.claims.decide import Following, InTurn, NotAfter, NotBefore, Until, search
from fsm.claims.finding import HOLDS, REFUTED, UNKNOWN, Finding, Part
from fsm.claims.nearest import one_to_explain
from fsm.claims.recorded import accepts_record, never_shown, unread
from fsm.claims.settle import Settled, settle
from fsm.claims.subject import (
    EndpointSubject,
    Given,
    Subject,
    TraceSubject,
    checked_trace,
    of,
)
from fsm.claims.text import (
    COUNTER,
    GIVEN,
    NOTE,
    RUN,
    SO_FAR,
    WHY,
    Claim,
    missing_verdict,
    never_comes,
    refused_parts,
    rule_part,
    run_part,
    searched,
    standing,
    way_to,
)
from fsm.claims.why_session import verdicts_of_session
from fsm.claims.witness import events_of, lines_of
from fsm.claims.words import Atom, read_atom, read_stimulus, read_target, text_of
from fsm.errors import FsmError, UnknownName
from fsm.traces.observation import Trace


def reaches(subject: Given, target: str, *, limit_states: int | None = None, allow_unknown: bool = False) -> Finding:
    """Some run comes to the target. The witness is the shortest one.

    Parameters
    ----------
    subject : an endpoint's name, `endpoint(...)`, a session, a trace.
    target : one event or state, see above.
    limit_states : of a session: explore so many states at most. Of anything else it is refused.
    allow_unknown : whether `require` passes when the limit was hit before the claim was decided.

    Raises
    ------
    UnknownName, FsmError : a name that does not exist for this subject.
    """
    about = of(subject, limit_states=limit_states)
    atom = read_target(target, about.vocabulary, "reaches")
    claim = Claim(about, f"{about.title} reaches {atom.shown}", allow_unknown)
    missing = untold(claim, (atom,), shown=_is_shown(about, atom))
    if missing is not None:
        return missing
    found = _until(about, atom)
    if found.path is not None and not found.sure:
        return claim.depends(about.runs, found)
    if found.path is not None:
        return claim.finding(HOLDS, "reached", (run_part(RUN, about.runs, found.path),), about.runs, found.path)
    if not found.complete:
        return claim.unknown(found.visited)
    return never_comes(claim, atom, found.visited, "unreachable")


def never(subject: Given, target: str, *, limit_states: int | None = None, allow_unknown: bool = False) -> Finding:
    """No run comes to the target. A refutation has the shortest run that does. Parameters as for `reaches`."""
    about = of(subject, limit_states=limit_states)
    atom = read_target(target, about.vocabulary, "never")
    claim = Claim(about, f"{about.title} never comes to {atom.shown}", allow_unknown)
    missing = untold(claim, (atom,), shown=_is_shown(about, atom))
    if missing is not None:
        return missing
    found = _until(about, atom)
    if found.path is not None and not found.sure:
        return claim.depends(about.runs, found)
    if found.path is not None:
        parts = (run_part(COUNTER, about.runs, found.path), *rule_part(events_of(about.runs, found.path)))
        return claim.finding(REFUTED, "reached", parts, about.runs, found.path)
    if not found.complete:
        return claim.unknown(found.visited)
    if isinstance(about, TraceSubject) and (silent := never_shown(about.trace, atom)):
        if atom.verdict or atom.flags or atom.endpoint:
            nothing = f"{silent}; so the claim says nothing"
            return claim.finding(REFUTED, "vacuous", (Part(GIVEN, (nothing,)),))
        return claim.finding(
            HOLDS, "unreachable", (searched(about, found.visited, complete=True), Part(NOTE, (silent,)))
        )
    parts = (searched(about, found.visited, complete=True), *_emptiness(about, atom))
    return claim.finding(HOLDS, "unreachable", parts)


def always_before(
    subject: Given, first: str, then: str, *, limit_states: int | None = None, allow_unknown: bool = False
) -> Finding:
    """In every run, `then` comes only after `first` has come. A `then` that never comes is a refutation, not a pass."""
    about = of(subject, limit_states=limit_states)
    one, two = (read_target(text, about.vocabulary, "always_before") for text in (first, then))
    text = f"in every run of {about.title}, {one.shown} comes before {two.shown}"
    claim = Claim(about, text, allow_unknown)
    missing = untold(claim, (one, two))
    if missing is not None:
        return missing
    found = settle(about.runs, NotBefore(about.runs, one, two), _at_one)
    if found.path is not None and not found.sure:
        return claim.depends(about.runs, found)
    if found.path is not None:
        parts = (run_part(COUNTER, about.runs, found.path), *rule_part(events_of(about.runs, found.path)))
        return claim.finding(REFUTED, "not_before", parts, about.runs, found.path)
    comes = _until(about, two)
    if comes.path is not None and not comes.sure:
        return claim.depends(about.runs, comes)
    if not found.complete or (comes.path is None and not comes.complete):
        return claim.unknown(found.visited)
    if comes.path is None:
        return never_comes(claim, two, comes.visited, "vacuous", _vacuous(two))
    shown = run_part(RUN, about.runs, comes.path)
    parts = (shown, searched(about, found.visited, complete=True))
    return claim.finding(HOLDS, "before", parts, about.runs, comes.path)


def always_after(
    subject: Given,
    trigger: str,
    response: str,
    *,
    before: str = "",
    limit_states: int | None = None,
    allow_unknown: bool = False,
) -> Finding:
    """In every run, `response` follows each `trigger` in time: before the endpoint of the trigger is idle again.

    Nobody has to call again or send again, so a response that may come with a later stimulus need never come. With
    `before` it has to come before the next such event instead: `always_after(subject, "(policy_change)",
    "AUTH_CONNECT+IS_REAUTHORIZE", before="DATAGRAM_DATA")`. A trigger that never comes is a refutation, and so is a
    `before` that never comes after it: the response would never be due.
    """
    about = of(subject, limit_states=limit_states)
    one, two = (read_target(text, about.vocabulary, "always_after") for text in (trigger, response))
    three = read_target(before, about.vocabulary, "always_after, before") if before else None
    bound = f"before {three.shown}" if three else "before its endpoint is idle again"
    claim = Claim(about, f"in every run of {about.title}, {two.shown} follows {one.shown} {bound}", allow_unknown)
    if isinstance(about, TraceSubject) and three is None:
        raise FsmError("always_after", "a trace does not tell when an endpoint is idle", fix="Give before=EVENT")
    missing = untold(claim, (one, two, *((three,) if three else ())))
    if missing is not None:
        return missing
    runs = about.runs
    watcher = NotAfter(runs, one, two, three)
    found = settle(runs, watcher, _at_one)
    if found.path is not None and not found.sure:
        return claim.depends(runs, found)
    if found.path is not None:
        last = runs.events[found.path[-1][0]]
        at = f" at {last.endpoint}" if last.endpoint else ""
        ended = f"{three.shown} comes{at}" if three else f"nothing is in progress any more{at}"
        rules = [line for part in rule_part(events_of(runs, found.path)) for line in part.lines]
        parts = [
            run_part(COUNTER, runs, found.path),
            Part(WHY, (f"{ended}, and {two.shown} has not come since {one.shown}", *rules)),
            way_to(about, two, found.path[-1][1], found.path).part,
        ]
        return claim.finding(REFUTED, "not_after", parts, runs, found.path)
    comes = _until(about, one)
    if comes.path is not None and not comes.sure:
        return claim.depends(runs, comes)
    if not found.complete or (comes.path is None and not comes.complete):
        return claim.unknown(found.visited)
    if comes.path is None:
        return never_comes(claim, one, comes.visited, "vacuous", _vacuous(one))
    if isinstance(about, TraceSubject):
        # One run: what no such event has ended yet may still be answered after the trace.
        if any(watcher.waits(q) for state, q in found.search.before if not runs.edges(state)):
            text = f"the trace ends, and its last {one.shown} is followed by neither"
            return claim.finding(UNKNOWN, "untold", (Part(WHY, (text,)),))
    elif three is not None:
        due = settle(runs, InTurn(runs, one, three), lambda state, q: q == 2)
        if due.path is not None and not due.sure:
            return claim.depends(runs, due)
        if due.path is None:
            return _never_due(claim, one, three, due)
    shown = run_part(RUN, runs, comes.path)
    return claim.finding(HOLDS, "after", (shown, searched(about, found.visited, complete=True)), runs, comes.path)


def accepts(
    subject: Given,
    trace: Trace | str | Iterable[str],
    *,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    never: Sequence[str] = (),
    allow: Sequence[str] = (),
    verdicts: str = "final",
    from_start: bool = False,
    limit: int | None = None,
    limit_states: int | None = None,
    allow_unknown: bool = False,
) -> Finding:
    """The subject can show this.

    Events as words (layers with `:verdict`, `+FLAG`, `@endpoint`, conditions, and stimuli in parentheses): some run
    from the start shows exactly these classifies, in this order, and no others. Stimuli happen as they like, unless
    one is named: then all are.

    A recorded trace of one endpoint is taken as a driver's log, as `wfp-udp check` takes it: it begins and ends
    anywhere, each of its conversations can have been made, and of a session it is one run from the start. A line that
    was not understood makes it unknown. The options are of `check_trace`, and for such a trace only.

    Parameters
    ----------
    only, without : where callouts stand, where they do not.
    never, allow : stimuli that did not happen, and rare ones that may have.
    verdicts : "final", or "own" where the log shows what one callout answered.
    from_start : the log begins before its sockets were bound.
    limit : edges to follow in search of the fewest edits, for one conversation.
    limit_states, allow_unknown : as for `reaches`.

    Raises
    ------
    UnknownName, FsmError : a name that does not exist; options that are for a driver's log, and there is none.
    """
    about = of(subject, limit_states=limit_states)
    if isinstance(about, TraceSubject):
        raise FsmError("accepts", "a trace does not accept traces", fix="Give an endpoint or a session first")
    if isinstance(about, EndpointSubject) and isinstance(trace, Trace):
        return accepts_record(
            about, trace, only=only, without=without, never=never, allow=allow, verdicts=verdicts,
            from_start=from_start, limit=limit, allow_unknown=allow_unknown,
        )  # fmt: skip
    if only or without or never or allow or verdicts != "final" or from_start or limit is not None:
        said = "only, without, never, allow, verdicts, from_start and limit are for an endpoint and a recorded trace"
        raise FsmError("accepts", said, fix="Leave them out, or give what read_trace reads")
    atoms = _atoms_of(trace, about)
    shown = ", ".join(atom.text for atom in atoms)
    claim = Claim(about, f"{about.title} can show {shown}", allow_unknown)
    if isinstance(trace, Trace) and (missing := unread(claim, trace)) is not None:
        return missing
    runs = about.runs
    found = settle(runs, Following(runs, atoms), lambda state, q: q == len(atoms))
    if found.path is not None and not found.sure:
        return claim.depends(runs, found)
    if found.path is not None:
        return claim.finding(HOLDS, "accepted", (run_part(RUN, runs, found.path),), runs, found.path)
    if not found.complete:
        return claim.unknown(found.visited)
    before = found.search.before
    length = max(q for _, q in before)
    states = [state for state, q in before if q == length]
    wanted = atoms[length]
    sees = any(atom.stimulus for atom in atoms)
    ever = way_to(about, wanted)
    chosen = one_to_explain(runs, states, wanted, events_of(ever.runs, ever.path) if ever.runs and ever.path else ())
    states = [chosen, *(state for state in states if state != chosen)]
    prefix = found.search.path_to((chosen, length))
    way = way_to(about, wanted, chosen, prefix)
    parts = [
        Part(SO_FAR, (f"{length} of the {len(atoms)} given", *run_part(SO_FAR, runs, prefix).lines)),
        Part(GIVEN, (f"{wanted.shown}, number {length + 1}, is refused in {standing(runs, states)}",)),
        *refused_parts(about, runs, states, wanted, way, stimuli=sees),
    ]
    return claim.finding(REFUTED, "refused", parts, way.runs or runs, prefix if way.path is None else way.path)


# ---- what the claims share


def _until(about: Subject, atom: Atom) -> Settled:
    return settle(about.runs, Until(about.runs, atom), _at_one)


def _at_one(state: int, q: int) -> bool:
    return q == 1


def _never_due(claim: Claim, trigger: Atom, before: Atom, due: Settled) -> Finding:
    """Where nothing ever comes that the response would have to come before."""
    comes = _until(claim.subject, before)
    if not due.complete or (comes.path is None and not comes.complete):
        return claim.unknown(due.visited)
    if comes.path is None:
        return never_comes(claim, before, comes.visited, "never_due", _vacuous(before))
    text = f"{before.shown} never happens after {trigger.shown}, so the claim says nothing"
    parts = (Part(GIVEN, (text,)), searched(claim.subject, due.visited, complete=True))
    return claim.finding(REFUTED, "never_due", parts)


def _vacuous(atom: Atom) -> Part:
    return Part(GIVEN, (f"{atom.shown} never happens, so the claim says nothing",))


def _emptiness(about: Subject, atom: Atom) -> tuple[Part, ...]:
    """What to say where a `never` holds because nothing could ever have made it fail."""
    anything = about.anything
    other = search(anything, Until(anything, atom), lambda state, q: q == 1) if anything else None
    if anything and other and other.path is not None:
        lines = lines_of(events_of(anything, other.path))
        missing = missing_verdict(about, anything, other.path, atom)[:1]
        return (Part(NOTE, ("it is possible with other answers of the layers", *lines, *missing)),)
    if not isinstance(about, EndpointSubject):
        said = verdicts_of_session(about)
        return (Part(NOTE, said),) if said else ()
    text = f"no answer of a layer could change that: {about.table.view.name} on this machine never comes to it"
    return (Part(NOTE, (text,)),)


def _is_shown(about: Subject, atom: Atom) -> bool:
    """Whether a line of a trace is the target: what other lines say changes nothing then."""
    return isinstance(about, TraceSubject) and _until(about, atom).path is not None


def untold(claim: Claim, atoms: Sequence[Atom], *, shown: bool = False) -> Finding | None:
    """The finding where a trace does not tell what a claim asks of it; `shown` where no unread line can matter."""
    if not isinstance(claim.subject, TraceSubject):
        return None
    if not shown and (missing := unread(claim, claim.subject.trace)) is not None:
        return missing
    for number, seen in enumerate(claim.subject.trace.observations, 1):
        for atom in atoms:
            if atom.layers and seen.layer not in atom.layers:
                continue
            lacks = [
                name
                for name, asked, told in (
                    ("verdict", bool(atom.verdict), bool(seen.verdict)),
                    ("flags", bool(atom.flags), seen.flags is not None),
                    ("endpoint", bool(atom.endpoint), bool(seen.endpoint)),
                )
                if asked and not told
            ]
            if lacks:
                where = seen.source or f"entry {number}"
                text = f"{where} shows {atom.shown.partition(':')[0]} and does not tell the {' or the '.join(lacks)}"
                return claim.finding(UNKNOWN, "untold", (Part(WHY, (text,)),))
    return None


_WORD = re.compile(r'(?:\[[^\]]*\]|"[^"]*"|[^\s,])+')  # blanks in brackets and quotation marks belong to a word


def _atoms_of(trace: Trace | str | Iterable[str], about: Subject) -> tuple[Atom, ...]:
    if isinstance(trace, Trace):
        return _atoms_of_record(checked_trace(trace, "accepts"), about)
    if not isinstance(trace, Iterable):
        raise FsmError("accepts", f"{trace!r:.40} is no trace", fix="Give a Trace, or a list of layers")
    words = _WORD.findall(trace) if isinstance(trace, str) else list(trace)
    if not words:
        raise FsmError("accepts", "the trace is empty", fix="Give at least one layer")
    atoms = []
    for number, word in enumerate(words, 1):
        where = f"accepts, number {number}"
        given = text_of(word, where).strip()
        if given.startswith("(") and given.endswith(")"):
            atoms.append(read_stimulus(given[1:-1], about.vocabulary, where))
        else:
            atoms.append(read_atom(given, about.vocabulary, where))
    return tuple(atoms)


def _atoms_of_record(trace: Trace, about: Subject) -> tuple[Atom, ...]:
    names = tuple(dict.fromkeys(o.endpoint for o in trace.observations if o.endpoint))
    for name in names:
        if name not in about.vocabulary.endpoints:
            raise UnknownName.of("accepts, trace", "endpoint of this session", name, about.vocabulary.endpoints)
    return tuple(
        Atom(
            o.layer.removeprefix("FWPM_LAYER_") + (f":{o.verdict}" if o.verdict else ""),
            frozenset({o.layer}),
            o.verdict,
            frozenset(o.flags or ()),
            o.endpoint,
            exact_flags=o.flags is not None,
        )
        for o in trace.observations
    )
