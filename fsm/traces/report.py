"""A conformance as text for a reader, and as JSON in pieces, so that a long result is never held as one text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from fsm import catalogue
from fsm.choices import CHOICES
from fsm.counts import counted
from fsm.traces.automaton import PORT
from fsm.traces.conformance import AGREES, AGREES_IF, CANNOT_TELL, DIVERGES, Conformance, ConversationResult
from fsm.traces.finding import Edit, Told, written_all
from fsm.traces.free import RARE_TEXTS
from fsm.traces.observation import Observation
from fsm.traces.replay import token_of

LISTED_CONVERSATIONS = 20
LISTED_AT_ODDS = 3
LISTED_STIMULI = 12
LISTED_EDITS = 12
LISTED_LINES = 5  # lines that were not understood
LISTED_LAYERS = 8
_WORST_FIRST = (DIVERGES, AGREES_IF, CANNOT_TELL, AGREES)
WORDS: dict[str, str] = {
    AGREES: "AGREES", AGREES_IF: "AGREES ONLY IF", DIVERGES: "DIVERGES", CANNOT_TELL: "CANNOT TELL",
}  # fmt: skip
_EDIT_WORDS = {
    "missing": "a line is missing",
    "extra": "a line too many",
    "wrong_order": "wrong order",
    "wrong_verdict": "another verdict",
    "wrong_flags": "other flags",
    "wrong_direction": "the other direction",
}


def report_text(result: Conformance, limit_conversations: int | None = LISTED_CONVERSATIONS) -> Iterator[str]:
    """The report, piece by piece; `limit_conversations` None lists all of them, the worst first."""
    yield "\n".join(_read_lines(result))
    yield "\n" + "\n".join(_checked_lines(result, every_layer=limit_conversations is None))
    order = sorted(result.conversations, key=lambda one: _WORST_FIRST.index(one.verdict))
    shown = order if limit_conversations is None else order[:limit_conversations]
    for one in shown:
        yield "\n" + "\n".join(_conversation_lines(one, len(result.conversations) > 1))
    if len(shown) < len(order):
        left = len(order) - len(shown)
        more = counted(left, "more conversation")
        yield f"\n... and {more}; --list all shows {'it' if left == 1 else 'them'}"
    yield "\n" + "\n".join(_dispute_lines(result))


def account_line(result: Conformance) -> str:
    """lines = observations + others + not understood."""
    trace = result.trace
    if not trace.lines:  # made of observations, not read
        return _count(len(trace.observations), "observation")
    return (
        f"{trace.source or 'trace'}: {_count(trace.lines, 'line')} = {_count(len(trace.observations), 'observation')}"
        f" + {trace.other_lines} about something else + {len(trace.not_understood)} not understood"
    )


def _read_lines(result: Conformance) -> list[str]:
    trace = result.trace
    lines = [account_line(result)]
    if trace.pattern:
        own = trace.pattern.startswith("own ")
        lines.append(f"Read by {'your' if own else 'the built-in pattern'} {trace.pattern.removeprefix('own ')}.")
    lines.extend(f"Note: {note}." for note in trace.notes)
    if trace.broken:
        lines.append(f"Damaged: {trace.broken}")
    lines.extend(f"  not understood, {where}: {why}" for where, why in trace.not_understood[:LISTED_LINES])
    if len(trace.not_understood) > LISTED_LINES:
        lines.append(f"  ... and {len(trace.not_understood) - LISTED_LINES} more that were not understood")
    if result.outside:
        layers = ", ".join(sorted({catalogue.by_name(o.layer).name for o in result.outside}))
        lines.append(
            f"Left out: {_count(len(result.outside), 'observation')} at layers that this model has not ({layers})."
        )
    return lines


def _checked_lines(result: Conformance, *, every_layer: bool) -> list[str]:
    known = "as declared" if result.declared else "where the log shows them"
    lines = [f"Callouts stand at {_names(result.checked)} ({known})."]
    if not result.declared and result.unseen:
        never = f": {_names(result.unseen)}" if every_layer else " (--list all names them)"
        lines.append(
            f"{_count(len(result.unseen), 'other layer')} never seen in this log{never}: checked as if no callout is "
            "there. Say --only LAYERS to declare where your callouts stand."
        )
    lines.append(_headline(result))
    if result.conflict:
        lines.append(
            "These conversations agree one by one, but the sources' disputes would have to be decided differently for "
            f"them: {conflict_text(result)}."
        )
    return lines


def conflict_text(result: Conformance) -> str:
    """The conversations at odds with the last of them, a few of them by name, each with what it decides otherwise."""
    *others, last = result.conflict
    left = {one.conversation.name: dict(one.possible) for one in result.conversations}
    at_odds = [
        dispute
        for dispute, options in left[last].items()
        if any(set(options).isdisjoint(left[name].get(dispute, options)) for name in others)
    ]

    def told(name: str) -> str:
        decided = [f"{dispute}={' or '.join(left[name][dispute])}" for dispute in at_odds if dispute in left[name]]
        return f"{name} ({', '.join(decided)})" if decided else name

    more = [f"{len(others) - LISTED_AT_ODDS} more"] if len(others) > LISTED_AT_ODDS else []
    return f"{'; '.join([*map(told, others[:LISTED_AT_ODDS]), *more])}; on the other side {told(last)}"


def _headline(result: Conformance) -> str:
    """The verdict on the whole log in one sentence."""
    counts = {verdict: sum(one.verdict == verdict for one in result.conversations) for verdict in _WORST_FIRST}
    every = _count(len(result.conversations), "conversation")
    head = WORDS[result.verdict]
    unread = result.trace.unread
    if result.verdict == DIVERGES:
        said = (
            f"Windows, as the model has it, cannot have called the callouts like this in {counts[DIVERGES]} of {every}"
        )
        lost = f"; that {' and that '.join(unread)} may be the reason" if unread else ""
        return f"{head}: {said if counts[DIVERGES] else 'the conversations contradict each other'}{lost}."
    if result.verdict == AGREES_IF:
        return (
            f"{head} this happened: {'; '.join(RARE_TEXTS[name] for name in result.needs)} "
            f"({counts[AGREES_IF]} of {every} {'needs' if counts[AGREES_IF] == 1 else 'need'} it). "
            f"If it did, say --allow {','.join(result.needs)}."
        )
    if result.verdict == AGREES:
        untold = counts[CANNOT_TELL]
        but = f"; of {untold} of them the log says too little" if untold else ""
        return f"{head}: everything in {every} can have happened like this{but}."
    if unread:
        return (
            f"{head}: nothing diverges, but {'; '.join(unread)}. "
            "Mend what is said above, or say with --pattern or --keys how to read them."
        )
    return f"{head}: this log ({every}) says too little to find anything wrong in it."


def _conversation_lines(one: ConversationResult, several: bool) -> list[str]:
    lines = one.conversation.observations
    head = f"{WORDS[one.verdict]}  {one.conversation.name}, {_count(len(lines), 'line')}"
    if one.endpoints and one.verdict != DIVERGES:
        roles = "a port that sockets come to and leave" if one.endpoints == (PORT,) else " or ".join(one.endpoints)
        head += f", as {roles}"
    found = [head]
    if one.conversation.set_aside:
        names = _names(one.conversation.set_aside)
        found.append(f"  Set aside, as some lines could be another conversation's: {names}.")
    if one.why:
        found.append(f"  {one.why[:1].upper()}{one.why[1:]}.")
    if one.refused is not None:
        found.extend(_refused_lines(one, lines))
    if one.edits:
        least = f"; at least {one.at_least} are needed, more work (--limit) may find fewer" if one.bounded else ""
        found.append(f"  Least costly repair: {_count(one.cost, 'edit')}{least}.")
        for number, edit in enumerate(one.edits[:LISTED_EDITS], 1):
            found.extend(_edit_lines(number, edit))
        if len(one.edits) > LISTED_EDITS:
            found.append(f"  ... and {len(one.edits) - LISTED_EDITS} more edits; --format json has all")
    if one.told:
        found.append(
            "  With the repair, it can have happened like this:" if one.edits else "  It can have happened like this:"
        )
        found.extend(f"    {line}" for line in told_lines(one.told, lines))
    found.extend(_rare_lines(one))
    return found


def _refused_lines(one: ConversationResult, lines: Sequence[Observation]) -> list[str]:
    assert one.refused is not None
    before = one.refused.index
    where = one.refused.observation.source or f"line {before + 1}"
    so_far = (
        "Nothing of it is possible"
        if not before
        else "The first line of it is possible"
        if before == 1
        else f"The first {before} lines of it are possible"
    )
    found = [
        f"  {so_far}. The next is not, under any hypothesis:",
        f"    {where}: {one.refused.observation.text or _said(one.refused.observation)}",
    ]
    possible = ", ".join(written_all(one.refused.allowed)) or "nothing more that a callout sees"
    token = token_of(one.replay)
    step = [f"    step through what is possible: wfp-udp step --token {token}"] if token else []
    return [*found, f"    possible there: {possible}", *step]


def _edit_lines(number: int, edit: Edit) -> list[str]:
    seen = f": {edit.seen}" if edit.seen else ""
    lines = [
        f"  {number}. {_EDIT_WORDS[edit.kind]} at {edit.where}{seen}",
        f"     in state {edit.state}",
        f"     why: {edit.why}",
    ]
    if edit.rule:
        lines.append(f"     rule: {edit.rule} ({', '.join(edit.cite)})")
    if edit.allowed:
        lines.append(f"     possible there: {', '.join(edit.allowed)}")
    return [*lines, f"     repair: {edit.repair}"]


def told_lines(told: Sequence[Told], lines: Sequence[Observation]) -> list[str]:
    """What happened in a conversation, by its explanation."""
    found = [_told_line(one, lines) for one in told[:LISTED_STIMULI]]
    more = len(told) - LISTED_STIMULI
    return [*found, f"... and {more} more stimuli; --format json has all"] if more > 0 else found


def _told_line(told: Told, lines: Sequence[Observation]) -> str:
    seen = _ranges([_number(lines[index].source, index) for index in told.lines]) if told.lines else "no line"
    begun = "" if told.begun else "in the middle of "
    return f"{begun}{told.stimulus}: {told.from_state} to {told.to_state} ({seen})"


def _rare_lines(one: ConversationResult) -> list[str]:
    """What only some drivers and tests bring about: whoever knows whether that happened can say so."""
    if one.needs:
        texts = "; ".join(
            f"{name}: {RARE_TEXTS[name]}{f' ({count} times)' if count > 1 else ''}" for name, count in one.needs
        )
        without = "This needs" if one.verdict == AGREES_IF else "Without a repair it would need"
        return [f"  {without} {texts}. If that happened, say --allow {','.join(name for name, _ in one.needs)}."]
    names = sorted({told.stimulus for told in one.told if told.stimulus in RARE_TEXTS})
    texts = "; ".join(f"{name}: {RARE_TEXTS[name]}" for name in names)
    return [f"  This needs {texts}. If that did not happen, say --never {','.join(names)}."] if names else []


def _dispute_lines(result: Conformance) -> list[str]:
    lines = []
    if result.decides:
        told = "; ".join(f"{name}={option}: {CHOICES[name].question}" for name, option in result.decides)
        lines.append(f"This trace decides {told}")
    if result.open:
        names = [
            name if len(left) == len(CHOICES[name].options) else f"{name} ({' or '.join(left)})"
            for name, left in result.open
        ]
        lines.append(f"Disputes that this trace leaves open: {', '.join(names)}.")
    return lines or ["No dispute of the sources is decided by this trace."]


def _said(line: Observation) -> str:
    return f"{catalogue.by_name(line.layer).short_name} {line.verdict}".strip()


def _names(layers: Sequence[str]) -> str:
    names = [catalogue.by_name(layer).short_name for layer in layers]
    plain = [name for name in names if not name.endswith("_DISCARD")]
    twins = len(names) - len(plain)
    if not names:
        return "no layer"
    told = ", ".join(plain) or "no layer"
    return told + (f" and {_count(twins, 'discard layer')}" if twins else "")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def _number(source: str, index: int) -> int:
    """The line number at the end of a source, or the place among the observations."""
    last = source.rpartition(" ")[2]
    return int(last) if last.isdigit() else index + 1


def _ranges(numbers: Sequence[int]) -> str:
    """`line 4`, `lines 1-5, 7`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    told = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
    return f"line{'s' if len(numbers) > 1 else ''} {told}"


# ---- JSON


def report_json(result: Conformance) -> Iterator[str]:
    """One JSON object in pieces: the account first, one conversation at a time, the summary last."""
    trace = result.trace
    head = {
        "trace": trace.source,
        "pattern": trace.pattern,
        "accounting": {
            "lines": trace.lines,
            "observations": len(trace.observations),
            "other": trace.other_lines,
            "not_understood": len(trace.not_understood),
        },
        "not_understood": [{"where": where, "why": why} for where, why in trace.not_understood],
        "notes": list(trace.notes),
        "damaged": trace.broken or None,
        "outside_model": [{"where": o.source, "layer": o.layer} for o in result.outside],
        "callouts": {"declared": result.declared, "at": list(result.checked), "not_at": list(result.unseen)},
    }
    yield json.dumps(head, indent=2).rstrip("}").rstrip() + ',\n  "conversations": ['
    for number, one in enumerate(result.conversations):
        yield (",\n    " if number else "\n    ") + json.dumps(conversation_json(one))
    tail = {
        "verdict": result.verdict,
        "needs": list(result.needs),
        "decides": dict(result.decides),
        "open": {name: list(options) for name, options in result.open},
        "conflict": list(result.conflict),
    }
    yield ("\n  ]" if result.conversations else "]") + "," + json.dumps(tail, indent=2).removeprefix("{")
    yield "\n"


def conversation_json(one: ConversationResult) -> dict[str, object]:
    """One conversation; lines are indexes of its observations, `where` is the line of the log."""
    conversation = one.conversation
    return {
        "name": conversation.name,
        "endpoint": conversation.endpoint,
        "local": conversation.local,
        "remote": conversation.remote,
        "lines": len(conversation.observations),
        "set_aside": list(conversation.set_aside),
        "verdict": one.verdict,
        "why": one.why,
        "needs": dict(one.needs),
        "endpoints": list(one.endpoints),
        "possible": {name: list(options) for name, options in one.possible},
        "edits_needed": one.cost if one.verdict == DIVERGES else 0,
        "at_least": one.at_least if one.verdict == DIVERGES else 0,
        "first_refused": None
        if one.refused is None
        else {
            "index": one.refused.index,
            "where": one.refused.observation.source,
            "layer": one.refused.observation.layer,
            "text": one.refused.observation.text,
            "possible": [
                {"layer": la.layer, "verdict": la.verdict, "flags": list(la.flags), "direction": la.direction}
                for la in one.refused.allowed
            ],
        },
        "edits": [
            {
                "kind": edit.kind,
                "index": edit.index,
                "where": edit.where,
                "seen": edit.seen,
                "state": edit.state,
                "possible": list(edit.allowed),
                "why": edit.why,
                "rule": edit.rule,
                "cite": list(edit.cite),
                "repair": edit.repair,
            }
            for edit in one.edits
        ],
        "explanation": [
            {
                "stimulus": told.stimulus,
                "from_state": told.from_state,
                "to_state": told.to_state,
                "lines": list(told.lines),
                "where": [conversation.observations[index].source for index in told.lines],
                "begun": told.begun,
            }
            for told in one.told
        ],
    }
