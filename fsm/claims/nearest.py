"""The run that comes nearest to a match of a pattern that no run matches: what is shown as the longest useful prefix.

Many runs may have the same number of events of the pattern still before them, all of them where it begins with `...`.
Of these the one is shown after which the next event of the pattern is kept away by as little as possible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fsm.claims.decide import Pair, Path, Reading
from fsm.claims.grammar import Pattern
from fsm.claims.runs import Edge, Event, Runs
from fsm.claims.subject import EndpointSubject, Subject
from fsm.claims.words import Atom


@dataclass(frozen=True, slots=True)
class Near:
    """Where the run that comes nearest to a match stops, and all states of the runs to explain that by.

    `way` leads on from there by other answers of the layers, nearer to a match, if there is such a way.
    `is_chosen` says that of many runs one was chosen, `anywhere` that every state of the subject is as near;
    `others` counts the states (without clocks) that a `...` of the pattern leads on to, all of them as near.
    """

    pair: Pair
    states: list[int]
    way: Path = ()
    is_chosen: bool = False
    anywhere: bool = False
    others: int = 0


def nearest(
    about: Subject, runs: Runs, reading: Reading, read: Pattern, before: Mapping[Pair, tuple[Pair, Edge] | None]
) -> Near:
    """Where the run that comes nearest to a match stops; `before` are the pairs of the search that found no match.

    First a run that other answers of the layers would lead on to a match, up to the first answer that is not given;
    then one before a layer of the next event, whatever its verdict and flags; else the most usual one, and every state
    that is as near.
    """
    dfa = reading.dfa
    pairs = list(before)
    least = min(dfa.missing(q) for _, q in pairs)
    near = [pair for pair in pairs if dfa.missing(pair[1]) == least]
    nearby = set(near)
    found: Pair | None = None
    way: Path = ()
    if runs is about.runs:
        if isinstance(about, EndpointSubject):
            found, way = _by_other_answers(about, reading, read, near, least)
        found = found or _at_the_layer(runs, reading, read, near)
    if found is not None:
        return Near(found, [found[0]], way, is_chosen=len(near) > 1)
    reads = any((came := before[pair]) and reading.letter(*came[1]) is not None for pair in near)
    if reads and {state for state, _ in near} == {state for state, _ in pairs} and len(pairs) > 1:
        return Near(near[0], [state for state, _ in near], anywhere=True)
    idle = next((pair for pair in near if (came := before[pair]) is None or runs.events[came[1][0]].ends), near[0])
    if any((came := before[pair]) and came[0] in nearby and reading.letter(*came[1]) is not None for pair in near):
        return Near(idle, [idle[0]], others=len({runs.name(state) for state, _ in near}) - 1)
    return Near(idle, list(dict.fromkeys((idle[0], *(state for state, q in near if q == idle[1])))))


def _by_other_answers(
    about: EndpointSubject, reading: Reading, read: Pattern, near: Sequence[Pair], least: int
) -> tuple[Pair | None, Path]:
    """The one of these pairs from which the fewest events, with any answers, lead nearer to a match; and that way."""
    runs, dfa = about.anything, reading.dfa
    other = Reading(runs, read, dfa)
    came: dict[Pair, tuple[Pair, Edge] | None] = dict.fromkeys(near)
    order = list(near)
    for pair in order:
        state, q = pair
        for event, target in runs.edges(state):
            after = target, other.next(q, event, target)
            missing = dfa.missing(after[1])
            if missing < least:
                return _from_root(came, pair, (event, target))
            if missing == least and after not in came:
                came[after] = pair, (event, target)
                order.append(after)
    return None, ()


def _from_root(came: Mapping[Pair, tuple[Pair, Edge] | None], pair: Pair, last: Edge) -> tuple[Pair, Path]:
    path = [last]
    while (step := came[pair]) is not None:
        pair, edge = step
        path.append(edge)
    return pair, tuple(reversed(path))


def by_other_answers(about: EndpointSubject, prefix: Path, way: Path) -> Path:
    """A run of the subject and what other answers of the layers lead on to, as one run of `about.anything`."""
    runs, other = about.runs, about.anything
    path, state = [], runs.start
    for number, target in prefix:
        event = runs.events[number]
        path.append(next(e for e in other.edges(state) if e[1] == target and other.events[e[0]] == event))
        state = target
    return (*path, *way)


def _at_the_layer(runs: Runs, reading: Reading, read: Pattern, near: Sequence[Pair]) -> Pair | None:
    """The one of these pairs before a layer that the pattern asks for next, with most of what it asks of it."""
    best: tuple[tuple[int, bool], Pair] | None = None
    wanted: dict[int, list[Atom]] = {}
    for pair in near:
        state, q = pair
        if q not in wanted:
            tests = [test for test in reading.dfa.helpful(q) if not test.negated]
            wanted[q] = [read.atoms[number] for test in tests for number in test.atoms]
        for event, _ in runs.edges(state):
            for atom in wanted[q]:
                what = runs.events[event]
                if is_at_the_layer(what, atom):
                    score = len(atom.flags & set(what.flags)), what.verdict == atom.verdict
                    if best is None or score > best[0]:
                        best = score, pair
    return best[1] if best else None


def is_at_the_layer(event: Event, atom: Atom) -> bool:
    """Whether this is a classify at the layer that is asked for, whatever its verdict and flags."""
    return event.layer in atom.layers and atom.endpoint in ("", event.endpoint)


def one_to_explain(runs: Runs, states: Sequence[int], atom: Atom, way: Sequence[Event]) -> int:
    """Of states in which an event is refused, the one to explain that by.

    Before its layer, with most of what is asked of it; else in the middle of a stimulus in which its layer is still to
    come, of that by which `way` leads to it if there is a choice; else the first.
    """
    last = (way[-1].stimulus, way[-1].endpoint) if way else ("", "")

    def likeness(state: int) -> tuple[int, bool, bool, bool]:
        events = [runs.events[number] for number, _ in runs.edges(state)]
        there = [event for event in events if is_at_the_layer(event, atom)]
        flags = max((1 + len(atom.flags & set(event.flags)) for event in there), default=0)
        to_come = _is_to_come(runs, state, atom)
        on_way = to_come and any((event.stimulus, event.endpoint) == last for event in events)
        return flags, any(event.verdict == atom.verdict for event in there), to_come, on_way

    return max(states, key=likeness)  # of equals the first


def _is_to_come(runs: Runs, state: int, atom: Atom) -> bool:
    """Whether a stimulus is in progress that can come to the layer before it ends."""
    seen, order = {state}, [state]
    for at in order:
        for number, target in runs.edges(at):
            event = runs.events[number]
            if not event.layer:
                continue  # nothing is in progress: this begins something
            if is_at_the_layer(event, atom):
                return True
            if not event.ends and target not in seen:
                seen.add(target)
                order.append(target)
    return False
