"""What can be done at a place and what not, and what it would bring about: asked of the system, never known here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from fsm.errors import FsmError
from fsm.names import OUTCOMES, VERDICTS, Verdict
from fsm.stepper import SessionSystem, System, Walk
from fsm.stimuli import STIMULI
from fsm.table import Step
from fsm.tui.lines import FOLDED, LEADS, UNFOLDED, Row, row, short

LONGEST = 64  # layers that a stimulus is followed through
FOLD = 4  # so many moves that are refused for one reason are one line


@dataclass(frozen=True, slots=True)
class Offer:
    """A move, and why it is not possible; `why` is "" where it is."""

    move: str
    why: str = ""


def offers(walk: Walk, peer: str = "") -> tuple[Offer, ...]:
    """The moves of where a walk stands, possible ones first, each part in table order.

    With `peer` the stimuli are those for this peer, not for the one of the last stimulus.
    """
    found = [Offer(move) for move in walk.moves] + [Offer(move, why) for move, why in walk.refused]
    if not peer or not walk.system.can_wait or walk.layer:
        return tuple(found)
    asked = []
    for offer in found:
        stem = offer.move.partition("@")[0]
        if stem in VERDICTS or not STIMULI[stem].with_peer:
            asked.append(offer)
            continue
        move = walk.system.spelled(walk.place, f"{stem}@{peer}", "peer")
        try:
            walk.system.take(walk.place, move)
            asked.append(Offer(move))
        except FsmError as error:
            asked.append(Offer(move, error.what))
    return tuple(sorted(asked, key=lambda offer: bool(offer.why)))


def rows(found: tuple[Offer, ...], wanted: str = "", unfolded: frozenset[str] = frozenset()) -> list[Row]:
    """The list of moves: possible ones numbered from 1, the others with their reason, alike reasons folded."""
    wanted = wanted.casefold()
    possible = [(n, o) for n, o in enumerate((o for o in found if not o.why), 1) if wanted in o.move.casefold()]
    refused = [o for o in found if o.why and wanted in o.move.casefold()]
    lines = [row((f"{n:>2} ", "number"), (o.move, "move"), key=o.move) for n, o in possible]
    if not possible:
        lines.append(row((" nothing" if not wanted else f" nothing with '{wanted}'", "muted")))
    if refused:
        lines.append(row((" not possible here", "muted")))
    for why, members in _by_reason(refused):
        if len(members) < FOLD or wanted:
            lines += [_refused(offer) for offer in members]
            continue
        open_ = why in unfolded
        lines.append(
            row(
                (f" {UNFOLDED if open_ else FOLDED} {len(members)} moves: {why}", "refused"),
                key=f"fold {why}",
                about=f"{len(members)} moves: {why}. Enter {'folds' if open_ else 'lists'} them.",
            )
        )
        lines += [_refused(offer, "   ") for offer in members] if open_ else []
    return lines


def _refused(offer: Offer, inset: str = " ") -> Row:
    return row(
        (f"{inset}- {offer.move}", "refused"), key=offer.move, about=f"{offer.move} is not possible: {offer.why}"
    )


def _by_reason(refused: list[Offer]) -> Iterator[tuple[str, list[Offer]]]:
    """Neighbours with one reason together; elsewhere the order stays."""
    for why, members in groupby(refused, key=lambda offer: offer.why):
        yield why, list(members)


def about(walk: Walk, offer: Offer) -> str:
    """What a possible move is, and what it brings about."""
    system, place = walk.system, walk.place
    name = offer.move.partition("@")[0]
    if name in VERDICTS and system.can_wait:
        return f"{offer.move} at {short(walk.layer)}: {consequence(system, place, offer.move)}"
    after, steps = system.take(place, offer.move)
    text = f"{offer.move}: {STIMULI[name].text}" if name in STIMULI else offer.move
    ahead = predicted(walk, after) if system.can_wait else ()
    layers = ", ".join(_told(step) for step in (*steps, *ahead) if step.layer)
    if not system.can_wait:
        return f"{text}. Then: {system.state(after)}" + (f". Layers: {layers}" if layers else "")
    if not layers:
        return f"{text}; no layer sees it. Then: {system.state(after)}"
    return f"{text}. Layers: {layers}"


def _told(step: Step) -> str:
    """A layer, and its verdict where it is not permit."""
    return short(step.layer) + (f" {step.verdict}" if step.verdict != Verdict.PERMIT else "")


def predicted(walk: Walk, place: Any) -> tuple[Step, ...]:
    """The steps that follow in this stimulus if every layer gets what it gets by itself.

    They end where somebody answers what that layer does not take.
    """
    system = walk.system
    found: list[Step] = []
    while system.layer(place) and len(found) < LONGEST:
        try:
            place, steps = system.take(place, walk.suggestion_at(place)[0])
        except FsmError:
            break
        found += steps
    return tuple(found)


def predicted_in_session(system: SessionSystem, place: int, endpoint: str, stimulus: str) -> tuple[Step, ...]:
    """The same for what an endpoint of a session is doing."""
    found: list[Step] = []
    while len(found) < LONGEST:
        following = [
            (move, target)
            for move, target in system.edges(place)
            if (move.endpoint, move.stimulus) == (endpoint, stimulus) and move.classified
        ]
        if not following:
            break
        move, place = next((edge for edge in following if set(edge[0].verdicts) == {VERDICTS[0]}), following[0])
        found += move.classified
        if not move.steps or len(move.steps) > 1:
            break
    return tuple(found)


def consequence(system: System[Any], place: Any, verdict: str, *, brief: bool = False) -> str:
    """What a verdict of the waiting layer leads to: the next layer, or how it ends, and what it changes.

    `brief` leaves out what the outcome means and what the application sees.
    """
    after, steps = system.take(place, verdict)
    layer = system.layer(after)
    outcome = next((step.outcome for step in reversed(steps) if step.outcome), "")
    changes = [
        f"{name} becomes {new}"
        for name, (_, new) in system.changes(place, after).items()
        if name not in ("stimulus", "position", "layer", "time", "peer", "outcome")
    ]
    if brief:
        return "; ".join(filter(None, (f"{LEADS} {short(layer) if layer else 'the end'}", outcome, *changes)))
    sees = next((step.application_sees for step in reversed(steps) if step.application_sees), "")
    parts = [f"then {short(layer)}" if layer else "the end", f"{outcome}: {OUTCOMES[outcome]}" if outcome else ""]
    return "; ".join(filter(None, (*parts, *changes, sees)))
