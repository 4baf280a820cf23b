"""Whether an endpoint can have made a recorded log: the check of `fsm.traces.conformance` as a claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fsm.catalogue import by_name
from fsm.claims.finding import HOLDS, REFUTED, UNKNOWN, Finding, Part, Verdict
from fsm.claims.subject import EndpointSubject, checked_trace
from fsm.claims.text import DRAW, GIVEN, HAPPENED, NOTE, POSSIBLE, SEARCHED, SO_FAR, TOKEN, WAY, WHY, Claim
from fsm.claims.witness import drawing, stepping
from fsm.claims.words import Atom
from fsm.errors import FsmError
from fsm.names import VERDICTS
from fsm.stimuli import STIMULI
from fsm.table import compile_table
from fsm.traces.automaton import NO_SOCKET, PORT, Limits
from fsm.traces.conformance import (
    AGREES,
    AGREES_IF,
    ALL,
    CANNOT_TELL,
    DEFAULT_LIMIT,
    DIVERGES,
    Conformance,
    ConversationResult,
    check_trace,
)
from fsm.traces.finding import CHANGES_HANDS, written_all
from fsm.traces.free import RARE_TEXTS, REOPENED
from fsm.traces.observation import Trace
from fsm.traces.replay import Replay, token_of
from fsm.traces.report import account_line, conflict_text, told_lines

LISTED = 5  # conversations, lines that were not understood


def accepts_record(
    about: EndpointSubject,
    trace: Trace,
    *,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    never: Sequence[str] = (),
    allow: Sequence[str] = (),
    verdicts: str = "final",
    from_start: bool = False,
    limit: int | None = None,
    allow_unknown: bool = False,
) -> Finding:
    """The endpoint can have made every conversation of this log. Options as `check_trace` takes them.

    Raises
    ------
    FsmError, UnknownName : a trace without classifies, options that name nothing, a subject that is no plain machine.
    """
    claim = Claim(about, f"{about.title} can have made {trace.source or 'the trace'}", allow_unknown)
    whole = checked_trace(trace, "accepts")

    def checked(limits: Limits) -> Conformance:
        return check_trace(
            whole, about.table.config, only=only, without=without, never=never, allow=allow, verdicts=verdicts,
            from_start=from_start, limits=limits, limit=DEFAULT_LIMIT if limit is None else limit,
        )  # fmt: skip

    limits = _limits(about)
    result = checked(limits)
    if result.verdict == DIVERGES and not result.conflict and (port := _port_of(about, limits)):
        taken_again = checked(port)
        if taken_again.verdict in (AGREES, AGREES_IF) and _is_simpler(taken_again, result):
            is_allowed = bool({word.strip().lower().replace("-", "_") for word in allow} & {REOPENED, ALL})
            result = taken_again if is_allowed else _on_condition(taken_again)
    if result.verdict == DIVERGES:
        return _refused(claim, result)
    if result.verdict == AGREES_IF:
        happened = tuple(f"{name}: {RARE_TEXTS[name]}" for name in result.needs)
        note = f"if that happened, say allow={list(result.needs)!r}"
        parts = (Part(WHY, ("only this would explain it", *happened)), Part(NOTE, (note,)), _run_of(result, AGREES_IF))
        # What is not known here can be said: not knowing it is not what `allow_unknown` is for.
        certain = Claim(about, claim.text)
        return _finding(certain, UNKNOWN, "rare", parts, _first(result, AGREES_IF).replay)
    if result.verdict == CANNOT_TELL:
        return claim.finding(UNKNOWN, "untold", (Part(WHY, _untold(result)),))
    told = (_run_of(result, AGREES), Part(SEARCHED, (account_line(result),)))
    return _finding(claim, HOLDS, "accepted", told, _first(result, AGREES).replay)


def _finding(claim: Claim, verdict: Verdict, cause: str, parts: Sequence[Part], replay: Replay | None) -> Finding:
    """The finding, with a walk that a conversation can have been, as far as its lines are possible."""
    token = token_of(replay)
    if replay is None or not token:
        return claim.finding(verdict, cause, parts)
    more = [Part(TOKEN, (stepping(token),)), Part(DRAW, (drawing(token),))]
    if replay.before:
        begun = ", ".join(move for move in replay.before if move not in VERDICTS)
        more.append(Part(NOTE, (f"the log does not show how the run begins: {begun}",)))
    found = claim.finding(verdict, cause, (*parts, *more))
    return replace(found, witness=(*replay.before, *replay.moves), token=token)


def _limits(about: EndpointSubject) -> Limits:
    if about.policy is not None:
        fix = "Leave policy= out; what the filters would answer, 'wfp-udp explain' and whatif say"
        raise FsmError("accepts", "a recorded log shows by itself what its filters answered", fix=fix)
    if about.table is not compile_table(about.table.view.name, about.table.config):
        raise FsmError("accepts", "a recorded log is checked on the package's own rules", fix="Leave table= out")
    never = frozenset(STIMULI) - frozenset(about.stimuli) if about.stimuli else frozenset[str]()
    # Without a word about verdicts the layers have answered what the log shows.
    return Limits(never, roles=(about.table.view.name,), answers=about.answers if about.settings else None)


def _port_of(about: EndpointSubject, limits: Limits) -> Limits | None:
    """The limits where sockets of this endpoint may take the port one after the other; None where it has no socket."""
    view = about.table.view
    if not view.registers:
        return None
    return replace(limits, roles=(*limits.roles, PORT), never=limits.never | (frozenset(STIMULI) - {*view.stimuli}))


def _is_simpler(taken_again: Conformance, result: Conformance) -> bool:
    """Whether no conversation needs more sockets, one after the other, than edits: the simpler account is told."""
    for after, before in zip(taken_again.conversations, result.conversations, strict=True):
        sockets = sum(one.stimulus == CHANGES_HANDS and not one.to_state.startswith(NO_SOCKET) for one in after.told)
        if before.verdict == DIVERGES and sockets > before.cost:
            return False
    return True


def _on_condition(result: Conformance) -> Conformance:
    """What agrees where a port was taken again, as what agrees on that condition."""
    told = tuple(
        replace(one, verdict=AGREES_IF, needs=((REOPENED, 1), *(need for need in one.needs if need[0] != REOPENED)))
        if one.endpoints == (PORT,) and one.verdict in (AGREES, AGREES_IF)
        else one
        for one in result.conversations
    )
    return replace(result, conversations=told, verdict=AGREES_IF)


def _run_of(result: Conformance, verdict: str) -> Part:
    lines: list[str] = []
    for one in [one for one in result.conversations if one.verdict == verdict][:LISTED]:
        told = told_lines(one.told, one.conversation.observations)
        lines += [one.conversation.name, *(f"    {line}" for line in told)]
    more = sum(one.verdict == verdict for one in result.conversations) - LISTED
    return Part(HAPPENED, (*lines, *((f"... and {more} more conversations",) if more > 0 else ())))


def _first(result: Conformance, verdict: str) -> ConversationResult:
    return next(one for one in result.conversations if one.verdict == verdict)


def _untold(result: Conformance) -> tuple[str, ...]:
    if result.trace.unread:
        return unread_lines(result.trace)
    told = tuple(f"{one.conversation.name}: {one.why}" for one in result.conversations if one.why)
    return told[:LISTED] or ("no line is about a layer of this model",)


def _refused(claim: Claim, result: Conformance) -> Finding:
    if result.conflict:
        why = "one by one they are possible, but under no common way to decide the sources' disputes: "
        why += conflict_text(result)
        return claim.finding(REFUTED, "conflict", (Part(WHY, (why,)),))
    diverging = [one for one in result.conversations if one.verdict == DIVERGES]
    first = diverging[0]
    parts = _refused_parts(first)
    if first.needs:
        names_ = [name for name, _ in first.needs]
        texts = "; ".join(f"{name}: {RARE_TEXTS[name]}" for name in names_)
        parts.append(Part(NOTE, (f"with allow={names_!r} nothing would be wrong ({texts})",)))
    if len(diverging) > 1:
        others = ", ".join(one.conversation.name for one in diverging[1 : LISTED + 1])
        parts.append(Part(NOTE, (f"{len(diverging) - 1} more of {len(result.conversations)} diverge: {others}",)))
    return _finding(claim, REFUTED, "refused", parts, first.replay)


def _refused_parts(one: ConversationResult) -> list[Part]:
    refused, count = one.refused, len(one.conversation.observations)
    assert refused is not None, "it diverges"
    where = refused.observation.source or f"line {refused.index + 1}"
    so_far = told_lines(refused.told, one.conversation.observations)
    seen = refused.observation
    given = seen.text or f"{by_name(seen.layer).short_name} {seen.verdict}".strip()
    parts = [
        Part(SO_FAR, (f"{refused.index} of {count} lines of {one.conversation.name}", *so_far)),
        Part(GIVEN, (f"{where}: {given}",)),
        Part(POSSIBLE, written_all(refused.allowed) or ("nothing more that a callout sees",)),
    ]
    if one.edits:
        rules = [f" (rule {edit.rule}: {', '.join(edit.cite)})" if edit.rule else "" for edit in one.edits]
        count_edits = len(one.edits)
        more = (f"... and {count_edits - LISTED} more of {count_edits} edits",) if count_edits > LISTED else ()
        reasons = [edit.why + rule for edit, rule in zip(one.edits, rules, strict=True)][:LISTED]
        parts.append(Part(WHY, (*reasons, *more)))
        least = (f"at least {one.at_least} edits are needed; a higher limit may find fewer than these {one.cost}",)
        repairs = tuple(f"{edit.kind}: {edit.repair}" for edit in one.edits)[:LISTED]
        parts.append(Part(WAY, (*repairs, *more, *(least if one.bounded else ()))))
    elif one.why:
        parts.append(Part(WHY, (one.why,)))
    return parts


def unread_lines(trace: Trace) -> tuple[str, ...]:
    """What of a trace was not read, the first lines with the reason."""
    unread = trace.not_understood
    listed = tuple(f"{where}: {why}" for where, why in unread[:LISTED])
    more = (f"... and {len(unread) - LISTED} more",) if len(unread) > LISTED else ()
    return (*trace.unread, *listed, *more)


def unread(claim: Claim, trace: Trace) -> Finding | None:
    """The finding where lines were not understood: any of them can be what a claim is about."""
    return claim.finding(UNKNOWN, "untold", (Part(WHY, unread_lines(trace)),)) if trace.not_understood else None


def never_shown(trace: Trace, atom: Atom) -> str:
    """That no line is at the layers of a target, "" where some line is: then nothing can be concluded for them."""
    if not atom.layers or any(seen.layer in atom.layers for seen in trace.observations):
        return ""
    names = ", ".join(sorted(by_name(layer).short_name for layer in atom.layers))
    return f"no line is at {names}: that no callout of yours stands there, or that none was called, look the same"
