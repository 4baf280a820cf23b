"""Walks that cover a goal. Edges and pairs of edges are covered provably best, refusals and layers well.

Every edge has to be walked at least once, a walk begins at the start and ends where nothing is in progress. Which
edges have to be walked again, and how many walks are needed, is a flow of least cost (a directed postman's tour with
a way back to the start from every idle state): the fewest walks first, then the fewest steps. The sum of that flow is
therefore both the plan and its lower bound. Refusals and layers are of no such shape: there a search finds a good plan,
and a bound of its own says how far from the best it can be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from fsm.graph import cheapest_flow
from fsm.plan.beam import best_walks
from fsm.plan.bound import least_steps
from fsm.plan.moves import Cell, Moves
from fsm.plan.runs import Goals, layers_of, refusals_of, refused_at, runs

GOALS: tuple[str, ...] = ("edges", "pairs", "refusals", "layers")
_RESTART = ("restart",)

# A refusal to be tried: (index of the cell before which the walk stands, event name).
Trial = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Walk:
    """Cells in order from the start, and what is tried on the way: {index of the cell before which: events}."""

    cells: tuple[Cell, ...]
    trials: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Cover:
    """Walks for one endpoint and goal.

    `goals` is how many things there were to cover. `least_walks` and `least_steps` are lower bounds that no plan of
    whole stimuli from the start can undercut; `exact` says that the plan meets both.
    """

    goal: str
    walks: tuple[Walk, ...]
    goals: int
    least_walks: int
    least_steps: int

    @property
    def steps(self) -> int:
        """How many cells are walked in all, refused trials not counted."""
        return sum(len(walk.cells) for walk in self.walks)

    @property
    def exact(self) -> bool:
        return len(self.walks) == self.least_walks and self.steps == self.least_steps


def cover(moves: Moves, goal: str) -> Cover:
    """Walks that cover `edges`, `pairs`, `refusals` or `layers` of what these moves can reach."""
    if goal == "edges":
        return _cover_edges(moves)
    if goal == "pairs":
        return _cover_pairs(moves)
    if goal == "refusals":
        return _cover_refusals(moves)
    return _cover_layers(moves)


# -- best: flows of least cost ----------------------------------------------------------------------------------------


def _cover_edges(moves: Moves) -> Cover:
    """Nodes are states, and every cell is an arc that must be walked."""
    required: list[tuple[Hashable, Hashable, Cell | None]] = []
    arcs: dict[tuple[Hashable, Hashable], tuple[int, Cell | None]] = {}
    for cell in moves.cells:
        required.append((cell[0], moves.target(cell), cell))
        arcs.setdefault((cell[0], moves.target(cell)), (1, cell))
    ends = sorted({moves.target(cell) for cell in moves.cells if moves.idle(moves.target(cell))})
    return _tour(moves, "edges", required, arcs, ends)


def _cover_pairs(moves: Moves) -> Cover:
    """Nodes are cells and states: a pair is an arc from cell to cell, a free way leads through states."""
    required: list[tuple[Hashable, Hashable, Cell | None]] = []
    arcs: dict[tuple[Hashable, Hashable], tuple[int, Cell | None]] = {}
    ends = []
    for cell in moves.cells:
        target = moves.target(cell)
        here, there = ("after", cell), ("at", target)
        arcs[here, there] = (0, None)
        arcs[("at", cell[0]), here] = (1, cell)
        if moves.idle(target):
            ends.append(here)
        required += [(here, ("after", after), after) for after in moves.by_state.get(target, ())]
    return _tour(moves, "pairs", required, arcs, ends, start=("at", moves.table.start))


def _tour(
    moves: Moves, goal: str, required: list[tuple[Hashable, Hashable, Cell | None]],
    arcs: dict[tuple[Hashable, Hashable], tuple[int, Cell | None]], ends: Iterable[Hashable],
    start: Hashable = None,
) -> Cover:  # fmt: skip
    """The cheapest walks that take each required arc at least once, other arcs at their price."""
    if not required:
        return Cover(goal, (), 0, 0, 0)
    start = moves.table.start if start is None else start
    first: tuple[Hashable, Hashable, Cell | None] = (_RESTART, start, None)  # at least one walk
    walked = [*required, first]
    demand: Counter[Hashable] = Counter()
    for source, target, _ in walked:
        demand[source] += 1
        demand[target] -= 1
    # One walk more costs more than any detour can save: the fewest walks come first.
    dear = 1 + len(required) * len(moves.by_state)
    priced = {arc: price for arc, (price, _) in arcs.items()}
    priced |= {(end, _RESTART): 0 for end in ends} | {(_RESTART, start): dear}
    flow = cheapest_flow(demand, priced)
    outgoing: dict[Hashable, list[tuple[Hashable, Cell | None]]] = {}
    for source, target, cell in walked:
        outgoing.setdefault(source, []).append((target, cell))
    for (source, target), times in flow.items():
        cell = arcs[source, target][1] if (source, target) in arcs else None
        outgoing.setdefault(source, []).extend([(target, cell)] * times)
    walks = tuple(Walk(tuple(walk)) for walk in _split(_circuit(outgoing, _RESTART)))
    steps = sum(times * arcs[arc][0] for arc, times in flow.items() if arc in arcs)
    return Cover(goal, walks, len(required), 1 + flow.get((_RESTART, start), 0), _required_steps(required) + steps)


def _required_steps(required: list[tuple[Hashable, Hashable, Cell | None]]) -> int:
    return sum(cell is not None for _, _, cell in required)


def _circuit(outgoing: dict[Hashable, list[tuple[Hashable, Cell | None]]], start: Hashable) -> list[object]:
    """One round through all arcs, each once (Hierholzer): the cells in order, `_RESTART` where a walk ends."""
    left = {node: arcs[::-1] for node, arcs in outgoing.items()}
    stack: list[tuple[Hashable, object]] = [(start, None)]
    path: list[tuple[Hashable, object]] = []
    while stack:
        node = stack[-1][0]
        if left.get(node):
            target, cell = left[node].pop()
            stack.append((target, _RESTART if target == _RESTART else cell))
        else:
            path.append(stack.pop())
    return [taken for _, taken in reversed(path) if taken is not None]


def _split(taken: list[object]) -> list[list[Cell]]:
    walks: list[list[Cell]] = [[]]
    for cell in taken:
        if cell == _RESTART:
            walks.append([])
        else:
            assert isinstance(cell, tuple)
            walks[-1].append(cell)
    return [walk for walk in walks if walk]


# -- good: a search that looks at the most promising only -------------------------------------------------------------


def _cover_refusals(moves: Moves) -> Cover:
    return _searched(moves, "refusals", refusals_of(moves))


def _cover_layers(moves: Moves) -> Cover:
    return _searched(moves, "layers", layers_of(moves))


def _searched(moves: Moves, goal: str, goals: Goals) -> Cover:
    if not goals.names:
        return Cover(goal, (), 0, 0, 0)
    by_state = runs(moves, goals)
    open_goals = set(goals.names)
    walks = []
    for cells in best_walks(moves, goals, by_state):
        trials: list[Trial] = []
        if goal == "refusals":
            states = [moves.table.start, *map(moves.target, cells)]
            for index, state in enumerate(states):
                here = [name for name in refused_at(moves, state) if name in open_goals]
                open_goals.difference_update(here)
                trials += [(index, event) for _, event in here]
        walks.append(Walk(cells, tuple(trials)))
    least = least_steps(moves, goals, (run for found in by_state.values() for run in found))
    return Cover(goal, tuple(walks), len(goals.names), 1, least)
