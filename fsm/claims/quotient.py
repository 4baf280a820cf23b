"""States that nobody can tell apart by what is seen, taken together: partition refinement, one round after another.

Two states stay in one class where the same can happen in both, to the same classes (strong bisimulation). So whatever
is asked of the sequences that are seen has one answer for a class.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from fsm.claims.runs import Edge

# A state's edges as (what is seen or None, number of the target), and what else tells it from others.
Labelled = tuple[tuple[tuple[Hashable, int], ...], Hashable]


def labelled(
    start: int,
    edges: Callable[[int], Sequence[Edge]],
    label: Callable[[int, int], Hashable],
    kind: Callable[[int], Hashable],
) -> tuple[list[int], list[Labelled]]:
    """Every state that can be reached, the start first, and its edges with targets numbered in this order.

    `label` gives what is seen of an event that leads to a target, `kind` what tells a state from others by itself.
    """
    order, numbers = [start], {start: 0}
    found: list[Labelled] = []
    for state in order:
        out: dict[tuple[Hashable, int], None] = {}
        for event, target in edges(state):
            number = numbers.get(target)
            if number is None:
                number = numbers[target] = len(order)
                order.append(target)
            out[label(event, target), number] = None
        found.append((tuple(out), kind(state)))
    return order, found


def classes(graph: Sequence[Labelled]) -> list[int]:
    """The class of each state, numbered in the order in which the states come: the coarsest that is stable."""
    labels: dict[Hashable, int] = {}
    out = [[(labels.setdefault(seen, len(labels)), target) for seen, target in edges] for edges, _ in graph]
    kinds: dict[Hashable, int] = {}
    found = [kinds.setdefault(kind, len(kinds)) for _, kind in graph]
    count = len(kinds)
    while True:
        signatures: dict[Hashable, int] = {}
        finer = [
            signatures.setdefault((here, frozenset([(seen, found[target]) for seen, target in edges])), len(signatures))
            for here, edges in zip(found, out, strict=True)
        ]
        if len(signatures) == count:
            return finer
        found, count = finer, len(signatures)


def quotient(graph: Sequence[Labelled], found: Sequence[int]) -> list[tuple[tuple[Hashable, int], ...]]:
    """The edges of each class, to classes."""
    made: dict[int, tuple[tuple[Hashable, int], ...]] = {}
    for number, (edges, _) in zip(found, graph, strict=True):
        if number not in made:
            made[number] = tuple(dict.fromkeys((seen, found[target]) for seen, target in edges))
    return [made[number] for number in range(len(made))]
