"""Lines between boxes that run square: along a grid of lanes, around boxes, with few bends and crossings.

Graphviz has an orthogonal router, but it knows no ports and no labels. This one is small: a sparse grid of all x and y
at which a line may run, a shortest path for each line in turn, and costs for bends and crossings. Lines never run on
top of each other. The result depends on nothing but its arguments.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[float, float]
_Ends = dict[int, tuple[float, str, Point]]  # grid point in front of a port: cost, side, point on the border

BEND = 45.0
CROSSING = 55.0
RESERVED = 12.0  # passing in front of a cell, where another line will leave
NARROW = 140.0  # ports up to this width are cells
CLEAR = 6.0  # between a line and a box it passes
STUB = 9.0  # straight piece in front of a box: room for the arrow head
_SIDES = {"top": (0, 1), "bottom": (0, -1), "left": (-1, 0), "right": (1, 0)}


@dataclass(frozen=True, slots=True)
class Rect:
    """A box: y grows upwards, as in DOT."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def middle(self) -> Point:
        return ((self.left + self.right) / 2, (self.bottom + self.top) / 2)

    def edge(self, side: str) -> float:
        return {"left": self.left, "right": self.right, "top": self.top, "bottom": self.bottom}[side]


@dataclass(frozen=True, slots=True)
class Port:
    """A stretch of one side of a box at which a line may begin or end; `at` is where it likes to, with `cost` more."""

    box: Rect
    side: str
    low: float
    high: float
    at: float
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Wire:
    """A line to route: from any of these ports to any of those."""

    start: tuple[Port, ...]
    end: tuple[Port, ...]


class Router:
    """Routes wires one after the other; each takes its lanes from those that come later."""

    def __init__(self, boxes: Sequence[Rect], xs: Iterable[float], ys: Iterable[float], ports: Iterable[Port]) -> None:
        ports = list(ports)
        must_x = [p.at for p in ports if p.side in ("top", "bottom")]
        must_y = [p.at for p in ports if p.side in ("left", "right")]
        for box in boxes:
            must_x += [box.left - STUB, box.right + STUB]
            must_y += [box.bottom - STUB, box.top + STUB]
        middles = [box.middle for box in boxes]
        self.xs = _thinned(must_x, [*xs, *(x for x, _ in middles)])
        self.ys = _thinned(must_y, [*ys, *(y for _, y in middles)])
        self._width = len(self.xs)
        self._blocked = bytearray(self._width * len(self.ys))
        for box in boxes:
            columns = range(bisect_right(self.xs, box.left - CLEAR), bisect_left(self.xs, box.right + CLEAR))
            for yi in range(bisect_right(self.ys, box.bottom - CLEAR), bisect_left(self.ys, box.top + CLEAR)):
                for xi in columns:
                    self._blocked[yi * self._width + xi] = 1
        size = len(self._blocked)
        # Which ways are taken by a line, as flags of grid points: to the right of the point, upwards from it.
        self._across, self._along, self._bends = bytearray(size), bytearray(size), bytearray(size)
        self._wanted = bytearray(size)
        self._loose = False
        for port in ports:
            if port.high - port.low < NARROW:
                for point in self._ends((port,)):
                    self._wanted[point] = 1

    def route(self, wire: Wire, loose: bool = False) -> list[Point] | None:
        """The corners of the line from border to border, or None where there is no way.

        A `loose` line may touch corners of others, which looks like a junction: better than no line.
        """
        self._loose = loose
        begins, goals = self._ends(wire.start), self._ends(wire.end)
        chain = self._search(begins, goals) if begins and goals else []
        if not chain:
            return None
        self._take(chain)
        points = [begins[chain[0]][2], *map(self._where, chain), goals[chain[-1]][2]]
        return _corners(points)

    def _search(self, begins: _Ends, goals: _Ends) -> list[int]:
        """The cheapest chain of grid points from one of `begins` to one of `goals` (A*)."""
        width, xs, ys = self._width, self.xs, self.ys
        places = list(map(self._where, goals))
        low_x, high_x = min(x for x, _ in places), max(x for x, _ in places)
        low_y, high_y = min(y for _, y in places), max(y for _, y in places)
        guess_x = [max(low_x - x, 0.0, x - high_x) for x in xs]
        guess_y = [max(low_y - y, 0.0, y - high_y) for y in ys]
        best: dict[int, float] = {}  # by grid point and direction: 0 across, 1 along
        came: dict[int, int] = {}
        heap: list[tuple[float, float, int]] = []
        for point, (cost, side, _) in begins.items():
            node = point * 2 + (side in ("top", "bottom"))
            best[node], came[node] = cost, -1
            heapq.heappush(heap, (cost + guess_x[point % width] + guess_y[point // width], cost, node))
        bound, found = float("inf"), -1
        while heap:
            estimate, cost, node = heapq.heappop(heap)
            if estimate >= bound:
                break
            if cost > best[node]:
                continue
            point, way = node >> 1, node & 1
            if point in goals:
                extra, side, _ = goals[point]
                total = cost + extra + (0.0 if way == (side in ("top", "bottom")) else BEND)
                if total < bound:
                    bound, found = total, node
            for target, turned, more in self._steps(point, way):
                reached = cost + more
                following = target * 2 + turned
                if reached < best.get(following, bound):
                    best[following], came[following] = reached, node
                    across, along = guess_x[target % width], guess_y[target // width]
                    ahead = across + along + (BEND if across and along else 0.0)
                    heapq.heappush(heap, (reached + ahead, reached, following))
        chain: list[int] = []
        while found >= 0:
            chain.append(found >> 1)
            found = came[found]
        return chain[::-1]

    def _where(self, point: int) -> Point:
        return self.xs[point % self._width], self.ys[point // self._width]

    def _steps(self, point: int, way: int) -> list[tuple[int, int, float]]:
        """The neighbours of a grid point: which, in which direction, at what cost."""
        width, loose, bends = self._width, self._loose, self._bends
        row, column = divmod(point, width)
        # A bend on another line would look like a junction.
        may_turn = loose or not (bends[point] or self._used(point))
        steps: list[tuple[int, int, float]] = []
        for turned, taken, other, step, back, lanes, lane in (
            (0, self._across, self._along, 1, width, self.xs, column),
            (1, self._along, self._across, width, 1, self.ys, row),
        ):
            if turned != way and not may_turn:
                continue
            for sign in (1, -1):
                if not 0 <= lane + sign < len(lanes):
                    continue
                target = point + sign * step
                if self._blocked[target] or taken[min(point, target)] or (bends[target] and not loose):
                    continue
                cost = abs(lanes[lane + sign] - lanes[lane])
                if turned != way:
                    cost += BEND
                if self._wanted[target]:
                    cost += RESERVED
                if other[target] or other[target - back]:
                    cost += CROSSING
                steps.append((target, turned, cost))
        return steps

    def _used(self, point: int) -> bool:
        across, along = self._across, self._along
        return bool(across[point] or across[point - 1] or along[point] or along[point - self._width])

    def _take(self, chain: list[int]) -> None:
        for before, after in pairwise(chain):
            (self._across if abs(after - before) == 1 else self._along)[min(before, after)] = 1
        for before, here, after in zip(chain, chain[1:], chain[2:], strict=False):
            if (abs(here - before) == 1) != (abs(after - here) == 1):
                self._bends[here] = 1
        self._bends[chain[0]] = self._bends[chain[-1]] = 1

    def _ends(self, ports: Iterable[Port]) -> _Ends:
        """Free grid points in front of ports: cost, side and the point on the border."""
        found: _Ends = {}
        for port in ports:
            dx, dy = _SIDES[port.side]
            border = port.box.edge(port.side)
            lanes, across = (self.xs, self.ys) if dy else (self.ys, self.xs)
            index = _nearest(across, border + (dx or dy) * STUB)
            for lane in range(bisect_left(lanes, port.low), bisect_right(lanes, port.high)):
                point = index * self._width + lane if dy else lane * self._width + index
                if self._blocked[point] or (not self._loose and (self._used(point) or self._bends[point])):
                    continue
                cost = port.cost + 0.5 * abs(lanes[lane] - port.at)
                where = (lanes[lane], border) if dy else (border, lanes[lane])
                if point not in found or cost < found[point][0]:
                    found[point] = (cost, port.side, where)
        return found


def _thinned(must: list[float], may: list[float]) -> list[float]:
    """All of `must`, and of `may` what is at least a line's width away, sorted."""
    kept = sorted({round(value, 1) for value in must})
    for value in sorted({round(value, 1) for value in may}):
        index = bisect_left(kept, value)
        near = [kept[i] for i in (index - 1, index) if 0 <= i < len(kept)]
        if all(abs(value - other) >= 5 for other in near):
            kept.insert(index, value)
    return kept


def _nearest(values: list[float], value: float) -> int:
    index = bisect_left(values, value)
    around = [i for i in (index - 1, index) if 0 <= i < len(values)]
    return min(around, key=lambda i: abs(values[i] - value))


def _corners(points: list[Point]) -> list[Point]:
    """Without the points that lie on a straight line between their neighbours."""
    kept = [points[0]]
    for here, after in pairwise(points[1:]):
        before = kept[-1]
        straight = (abs(before[0] - here[0]) < 0.05 and abs(here[0] - after[0]) < 0.05) or (
            abs(before[1] - here[1]) < 0.05 and abs(here[1] - after[1]) < 0.05
        )
        if not straight:
            kept.append(here)
    return [*kept, points[-1]]


def spline(corners: Sequence[Point], radius: float = 6.0, arrow: float = 7.0) -> str:
    """The `pos` attribute of an edge for these corners: straight pieces, round corners, room for the arrow head."""
    points = list(corners)
    tip, before = points[-1], points[-2]
    points[-1] = _towards(tip, before, arrow)
    path = [points[0]]
    for previous, here, following in zip(points, points[1:], points[2:], strict=False):
        size = min(radius, _distance(previous, here) / 2, _distance(here, following) / 2)
        enter, leave = _towards(here, previous, size), _towards(here, following, size)
        path += [path[-1], enter, enter, here, here, leave]
    path += [path[-1], points[-1], points[-1]]
    return f"e,{_text(tip)} " + " ".join(map(_text, path))


def _towards(start: Point, end: Point, by: float) -> Point:
    length = _distance(start, end)
    if length < 0.01:
        return start
    return (start[0] + (end[0] - start[0]) * by / length, start[1] + (end[1] - start[1]) * by / length)


def _distance(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])  # lines run square


def _text(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"
