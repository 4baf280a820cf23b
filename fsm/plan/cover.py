"""Walks that cover a goal. Edges and pairs of edges are covered provably best, refusals and layers greedily.

Every edge has to be walked at least once, a walk begins at the start and ends where nothing is in progress. Which
edges have to be walked again, and how many walks are needed, is a flow of least cost (a directed postman's tour with
a way back to the start from every idle state): the fewest walks first, then the fewest steps. The sum of that flow is
therefore both the plan and its lower bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from fsm.graph import cheapest_flow
from fsm.names import IDLE, VERDICTS
from fsm.plan.moves import Cell, Moves

GOALS: tuple[str, ...] = ("edges", "pairs", "refusals", "layers")
_RESTART = ("restart",)

# A refusal to be tried: (state, event name). The walk stands in that state when it is asked for.
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


# -- good: the nearest first ------------------------------------------------------------------------------------------


def _cover_refusals(moves: Moves) -> Cover:
    """For each position, each event that some state there refuses is tried once."""
    table = moves.table
    wanted: dict[int, set[tuple[str, str]]] = {}
    states = {table.start, *moves.by_state, *(moves.target(cell) for cell in moves.cells)}
    for state in sorted(states):
        idle = moves.idle(state)
        position = table.states[state].position
        for number, event in enumerate(table.events):
            if (event in VERDICTS) != idle and table.next_or_none(state, number) < 0:
                wanted.setdefault(state, set()).add((position, event))
    return _greedy(moves, "refusals", wanted, tried=True)


def _cover_layers(moves: Moves) -> Cover:
    """Each layer fires once, with permit."""
    table = moves.table
    wanted: dict[int, set[tuple[str, str]]] = {}
    for state in moves.by_state:
        layer = table.layer(state)
        if layer is not None:
            wanted[state] = {(layer.fwpm_name, "permit")}
    return _greedy(moves, "layers", wanted, tried=False)


def _greedy(moves: Moves, goal: str, wanted: dict[int, set[tuple[str, str]]], *, tried: bool) -> Cover:
    table = moves.table
    open_goals = set().union(*wanted.values()) if wanted else set()
    count = len(open_goals)
    positions = len({table.states[state].position for state in wanted if table.states[state].position != IDLE})
    walks: list[Walk] = []
    while open_goals:
        cells: list[Cell] = []
        trials: list[tuple[int, str]] = []
        state = table.start
        while open_goals:
            way = moves.way(state, (at for at, goals in wanted.items() if goals & open_goals))
            if way is None:
                break
            cells += way
            state = moves.target(way[-1]) if way else state
            here = wanted[state] & open_goals
            open_goals -= here
            if tried:
                trials += [(len(cells), event) for event in table.events if any(event == e for _, e in here)]
            else:
                cells.append((state, table.event_ids["permit"]))
                state = table.step(*cells[-1])
        if not cells and not trials:
            break
        rest = moves.to_idle(state)
        walks.append(Walk((*cells, *rest), tuple(trials)))
    # Each classify stands at one position, so a plan has at least as many steps as positions to visit.
    return Cover(goal, tuple(walks), count, min(count, 1), positions)
