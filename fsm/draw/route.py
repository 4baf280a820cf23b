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
        self._across: set[int] = set()  # grid points whose way right / up is taken by a line
        self._along: set[int] = set()
        self._bends: set[int] = set()
        self._loose = False
        self._wanted = {point for p in ports if p.high - p.low < NARROW for point in self._ends((p,))}

    def route(self, wire: Wire, loose: bool = False) -> list[Point] | None:
        """The corners of the line from border to border, or None where there is no way.

        A `loose` line may touch corners of others, which looks like a junction: better than no line.
        """
        self._loose = loose
        begins = self._ends(wire.start)
        ends = self._ends(wire.end)
        if not begins or not ends:
            return None
        goals = {point: (cost, side, border) for point, (cost, side, border) in ends.items()}
        targets = [divmod(point, self._width)[::-1] for point in goals]
        low_x = min(self.xs[x] for x, _ in targets)
        high_x = max(self.xs[x] for x, _ in targets)
        low_y = min(self.ys[y] for _, y in targets)
        high_y = max(self.ys[y] for _, y in targets)
        best: dict[tuple[int, int], float] = {}
        came: dict[tuple[int, int], tuple[int, int] | None] = {}
        heap: list[tuple[float, float, int, int]] = []

        def guess(point: int) -> float:
            x, y = self.xs[point % self._width], self.ys[point // self._width]
            return max(low_x - x, 0.0, x - high_x) + max(low_y - y, 0.0, y - high_y)

        for point, (cost, side, _) in begins.items():
            node = (point, 0 if side in ("left", "right") else 1)
            if cost < best.get(node, float("inf")):
                best[node], came[node] = cost, None
                heapq.heappush(heap, (cost + guess(point), cost, *node))
        found: tuple[int, int] | None = None
        bound = float("inf")
        while heap:
            estimate, cost, point, way = heapq.heappop(heap)
            if estimate >= bound:
                break
            if cost > best[point, way]:
                continue
            if point in goals:
                extra, side, _ = goals[point]
                total = cost + extra + (0.0 if (way == 0) == (side in ("left", "right")) else BEND)
                if total < bound:
                    bound, found = total, (point, way)
            for target, turned, more in self._steps(point, way):
                node = (target, turned)
                if cost + more < best.get(node, float("inf")):
                    best[node], came[node] = cost + more, (point, way)
                    heapq.heappush(heap, (cost + more + guess(target), cost + more, *node))
        if found is None:
            return None
        chain: list[int] = []
        back: tuple[int, int] | None = found
        while back is not None:
            chain.append(back[0])
            back = came[back]
        chain.reverse()
        self._take(chain)
        first, last = begins[chain[0]][2], goals[chain[-1]][2]
        points = [first, *((self.xs[p % self._width], self.ys[p // self._width]) for p in chain), last]
        return _corners(points)

    def _steps(self, point: int, way: int) -> Iterable[tuple[int, int, float]]:
        width = self._width
        xi, yi = point % width, point // width
        crossed_here = point in self._bends
        for turned, step, inside in (
            (0, 1, xi + 1 < width),
            (0, -1, xi > 0),
            (1, width, (yi + 1) * width < len(self._blocked)),
            (1, -width, yi > 0),
        ):
            target = point + step
            if not inside or self._blocked[target]:
                continue
            taken = self._across if turned == 0 else self._along
            if min(point, target) in taken:
                continue
            if not self._loose and (target in self._bends or (crossed_here and turned != way)):
                continue
            length = (
                abs(self.xs[target % width] - self.xs[xi])
                if turned == 0
                else abs(self.ys[target // width] - self.ys[yi])
            )
            cost = length + (BEND if turned != way else 0.0)
            cost += RESERVED if target in self._wanted else 0.0
            other, back = (self._along, width) if turned == 0 else (self._across, 1)
            if target in other or target - back in other:
                cost += CROSSING
            if turned != way and not self._loose and self._used(point):
                continue  # a bend on another line would look like a junction
            yield target, turned, cost

    def _used(self, point: int) -> bool:
        return (
            point in self._across
            or point - 1 in self._across
            or point in self._along
            or point - self._width in self._along
        )

    def _take(self, chain: list[int]) -> None:
        for before, after in pairwise(chain):
            (self._across if abs(after - before) == 1 else self._along).add(min(before, after))
        for before, here, after in zip(chain, chain[1:], chain[2:], strict=False):
            if (abs(here - before) == 1) != (abs(after - here) == 1):
                self._bends.add(here)
        self._bends.update((chain[0], chain[-1]))

    def _ends(self, ports: Iterable[Port]) -> dict[int, tuple[float, str, Point]]:
        """Free grid points in front of ports: cost, side and the point on the border."""
        found: dict[int, tuple[float, str, Point]] = {}
        for port in ports:
            dx, dy = _SIDES[port.side]
            border = port.box.edge(port.side)
            lanes, across = (self.xs, self.ys) if dy else (self.ys, self.xs)
            index = _nearest(across, border + (dx or dy) * STUB)
            for lane in range(bisect_left(lanes, port.low), bisect_right(lanes, port.high)):
                point = index * self._width + lane if dy else lane * self._width + index
                if self._blocked[point] or (not self._loose and (self._used(point) or point in self._bends)):
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
