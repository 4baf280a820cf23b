"""How many steps every plan needs at least: the cheapest runs that together gain all, as if each could begin at once.

A plan is a row of runs, each from rest to rest. Forget where they begin and end, and what is left is a set cover with
prices: no plan can be cheaper than the best one. Goals that cost nothing once a walk rests somewhere, and the way to
the goal that is farthest from the start, are looked at by themselves; the larger of both bounds holds.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable

from fsm.plan.moves import Moves
from fsm.plan.runs import Goals, Run

_LIMIT_NODES = 20_000


def least_steps(moves: Moves, goals: Goals, runs: Iterable[Run]) -> int:
    """A number of steps that no set of walks from the start, each of whole stimuli, can undercut; 0 without goals."""
    return max(_farthest(moves, goals), _cheapest_cover(runs))


def _farthest(moves: Moves, goals: Goals) -> int:
    """The steps of the shortest walk to the goal that is farthest away, and on to rest."""
    there = _distances(moves, [moves.table.start], backwards=False)
    back = _distances(moves, [state for state in moves.states if moves.idle(state)], backwards=True)
    nearest = [-1] * len(goals.names)
    found = [(there[state], gain) for state, gain in goals.at_rest.items()]
    found += [(there[cell[0]] + 1 + back[moves.target(cell)], gain) for cell, gain in goals.by_cell.items()]
    for steps, gain in found:
        for bit in _bits(gain):
            nearest[bit] = steps if nearest[bit] < 0 else min(nearest[bit], steps)
    return max(nearest, default=0)


def _distances(moves: Moves, starts: Iterable[int], *, backwards: bool) -> dict[int, int]:
    beside: dict[int, list[int]] = {}
    for cell in moves.cells:
        source, target = (moves.target(cell), cell[0]) if backwards else (cell[0], moves.target(cell))
        beside.setdefault(source, []).append(target)
    steps = dict.fromkeys(starts, 0)
    waiting = deque(steps)
    while waiting:
        state = waiting.popleft()
        for target in beside.get(state, ()):
            if target not in steps:
                steps[target] = steps[state] + 1
                waiting.append(target)
    return steps


def _cheapest_cover(runs: Iterable[Run]) -> int:
    """The price of the cheapest runs that gain everything; where the search hits its limit, what is proven by then."""
    price: dict[int, int] = {}
    for run in runs:
        if run.gain:
            price[run.gain] = min(run.steps, price.get(run.gain, run.steps))
    columns = [
        (gain, steps)
        for gain, steps in price.items()
        if not any(other != gain and other | gain == other and price[other] <= steps for other in price)
    ]
    wanted = _telling(columns)
    heap = [(_dual(columns, wanted), 0, wanted)]
    best = {wanted: 0}
    for _ in range(_LIMIT_NODES):
        bound, paid, left = heapq.heappop(heap) if heap else (0, 0, 0)
        if not left:
            return bound
        if paid > best[left]:
            continue
        bit = min(_bits(left), key=lambda bit: sum(gain >> bit & 1 for gain, _ in columns))
        for gain, steps in columns:
            rest = left & ~gain
            if gain >> bit & 1 and paid + steps < best.get(rest, paid + steps + 1):
                best[rest] = paid + steps
                heapq.heappush(heap, (max(bound, paid + steps + _dual(columns, rest)), paid + steps, rest))
    return heap[0][0]


def _telling(columns: list[tuple[int, int]]) -> int:
    """The goals without those that every run has which gains some other goal: they come by themselves."""
    holders: dict[int, int] = {}  # goal: which columns have it, as bits
    for number, (gain, _) in enumerate(columns):
        for bit in _bits(gain):
            holders[bit] = holders.get(bit, 0) | 1 << number
    left = dict(sorted(holders.items()))
    for bit, own in holders.items():
        if any(other != bit and own | held == own for other, held in left.items()):
            del left[bit]
    return sum(1 << bit for bit in left)


def _dual(columns: list[tuple[int, int]], wanted: int) -> int:
    """A sum of prices of goals such that no run is worth more than it costs: no cover can be cheaper."""
    slack = [steps for _, steps in columns]
    total = 0
    holders = {bit: [n for n, (gain, _) in enumerate(columns) if gain >> bit & 1] for bit in _bits(wanted)}
    for bit in sorted(holders, key=lambda bit: (len(holders[bit]), bit)):
        worth = min(slack[number] for number in holders[bit])
        total += worth
        for number in holders[bit]:
            slack[number] -= worth
    return total


def _bits(number: int) -> list[int]:
    return [bit for bit in range(number.bit_length()) if number >> bit & 1]
