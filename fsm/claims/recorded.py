"""Whether an endpoint can have made a recorded log: the check of `fsm.traces.conformance` as a claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fsm.catalogue import by_name
from fsm.claims.finding import HOLDS, REFUTED, UNKNOWN, Finding, Part, Verdict
from fsm.claims.subject import EndpointSubject, checked_trace
from fsm.claims.text import DRAW, GIVEN, HAPPENED, NOTE, POSSIBLE, SEARCHED, SO_FAR, TOKEN, WAY, WHY, Claim
from fsm.claims.witness import drawing, stepping
from fsm.errors import FsmError, LogError
from fsm.names import VERDICTS
from fsm.stimuli import STIMULI
from fsm.table import compile_table
from fsm.traces.automaton import Limits
from fsm.traces.conformance import (
    AGREES,
    AGREES_IF,
    CANNOT_TELL,
    DEFAULT_LIMIT,
    DIVERGES,
    Conformance,
    ConversationResult,
    check_trace,
)
from fsm.traces.finding import written_all
from fsm.traces.free import RARE_TEXTS
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
    if trace.broken:
        said = f"{trace.source} cannot be read to its end: {trace.broken}"
        raise LogError("accepts", said, fix="Record it anew")
    claim = Claim(about, f"{about.title} can have made {trace.source or 'the trace'}", allow_unknown)
    result = check_trace(
        checked_trace(trace, "accepts"), about.table.config, only=only, without=without, never=never, allow=allow,
        verdicts=verdicts, from_start=from_start, limits=_limits(about),
        limit=DEFAULT_LIMIT if limit is None else limit,
    )  # fmt: skip
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
    unread = result.trace.not_understood
    if unread:
        listed = tuple(f"{where}: {why}" for where, why in unread[:LISTED])
        more = (f"... and {len(unread) - LISTED} more",) if len(unread) > LISTED else ()
        return (f"{len(unread)} line{'' if len(unread) == 1 else 's'} could not be read", *listed, *more)
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
        parts.append(Part(WHY, tuple(edit.why + rule for edit, rule in zip(one.edits, rules, strict=True))[:LISTED]))
        least = (f"at least {one.at_least} edits are needed; a higher limit may find fewer than these {one.cost}",)
        repairs = tuple(f"{edit.kind}: {edit.repair}" for edit in one.edits)[:LISTED]
        parts.append(Part(WAY, (*repairs, *(least if one.bounded else ()))))
    elif one.why:
        parts.append(Part(WHY, (one.why,)))
    return parts
