"""Run until: where a run goes on by itself, and the shortest way to a place that is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from fsm.aside import aside
from fsm.predicates import Predicate
from fsm.stepper.system import System

LIMIT = 10_000  # places
Verdict = Literal["reached", "choice", "steps", "end", "unreachable", "unknown"]

Moves = Callable[[Any], tuple[str, ...]]  # of a place: which moves are tried there
_There = tuple[Any, frozenset[str], str]  # a place, what has fired of what is asked for, the outcome so far


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a search: the moves of the way, how many places were looked at.

    `verdict` is "reached", "unreachable" (every place was looked at) or "unknown" (the limit was hit).
    """

    verdict: Verdict
    moves: tuple[str, ...]
    places: int


@aside()
def shortest(
    system: System[Any], start: Any, asked: Predicate, outcome: str, moves: Moves, limit: int = LIMIT
) -> Found:
    """The way with the fewest stimuli, of one move or more, to a place where `asked` holds.

    Moves are tried in table order, permit before other verdicts; where a time is asked for, waiting for it is a move
    too. `fired` means: on this way. `outcome` is the one so far.
    """
    # What has fired and come out is a part of a place only if it is asked for: without it, places are few.
    wanted = {layer for term in asked.terms if term.name.lower() == "fired" for layer in term.values}
    asks_outcome = any(term.name.lower() == "outcome" for term in asked.terms)
    times = sorted({int(value) for term in asked.terms if term.name == "time" for value in term.values})
    first: _There = (start, frozenset(), outcome if asks_outcome else "")
    waiting: deque[tuple[_There, tuple[str, ...]]] = deque([(first, ())])
    done: set[Any] = set()
    while waiting:
        (place, fired, so_far), way = waiting.popleft()
        key = (system.key(place), fired, so_far)
        if key in done:
            continue
        if way:  # the start itself may be come back to
            if len(done) >= limit:
                return Found("unknown", (), len(done))
            done.add(key)
            if asked.holds({**system.view(place), "fired": fired, "outcome": so_far or "none"}):
                return Found("reached", way, len(done))
        idle = not system.layer(place)
        found: list[tuple[_There, tuple[str, ...]]] = []
        for move in (*moves(place), *_waits(system, place, times)):
            after, steps = system.take(place, move)
            layers = fired | (wanted & {step.layer for step in steps})
            came = next_outcome(so_far, steps, begins=idle) if asks_outcome else ""
            found.append(((after, layers, came), (*way, move)))
        if idle:
            waiting.extend(found)
        else:  # a verdict costs nothing: the stimulus goes on
            waiting.extendleft(reversed(found))
    return Found("unreachable", (), len(done))


def _waits(system: System[Any], place: Any, times: list[int]) -> tuple[str, ...]:
    if not times or system.layer(place):
        return ()
    now = system.view(place)["time"]
    assert isinstance(now, int)
    return tuple(f"wait:{time - now}" for time in times if time > now)


def next_outcome(before: str, steps: tuple[Any, ...], *, begins: bool) -> str:
    """What has become of the datagram in progress, after these steps; a stimulus that begins forgets the last one."""
    found = [step.outcome for step in steps if step.outcome]
    return found[-1] if found else "" if begins else before
