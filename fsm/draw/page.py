"""A page of boxes and lines with finished geometry: where each box stands, how big it is, where each line runs.

A box has a place on a grid of columns and rows; rows belong to bands (application, ALE ... wire). Boxes are as high as
their text, rows as high as their boxes, columns and rows without boxes take no room. A way on that has a condition
leaves its box from a cell with the condition in it, so no label floats beside a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fsm.draw.route import Point, Port, Rect, Router, Wire
from fsm.draw.theme import text_width, wrap
from fsm.names import DONE, IDLE, Basis
from fsm.rows import Row

# Sizes in points. At 1,600 pixels the big picture is a little smaller than its own size.
WIDTH, GAP, HALF_GAP = 179.0, 34.0, 10.0
TITLE, TEXT, EXIT, SMALL, CHIP = 13.0, 11.0, 10.0, 9.5, 11.0  # of type
LINE = 1.2  # height of a line, in font sizes
SAMPLE = 34.0  # width of the lines in the legend
_LEFT = 84.0  # for the names of the bands
_RIGHT = 24.0
_ROW_GAP = 29.0
_BAND_GAP = 16.0  # above and below the rows of a band
HEAD = 46.0  # for the title
_LANE = 8.0
_PANEL_LEFT = 34.0  # between the border of the panel and its boxes
_PAD = 6.0  # between the text of a box and its sides

Place = tuple[float, int, float]  # column (a half is the right half of a column), row, columns covered

# The bands from top to bottom: name, first and last row, role of the fill.
BANDS: tuple[tuple[str, int, int, str], ...] = (
    ("application", 0, 0, "band_app"),
    ("ALE", 1, 3, "band_ale"),
    ("transport", 4, 5, "band_transport"),
    ("network", 6, 7, "band_network"),
    ("below IP", 8, 8, "band_below"),
    ("wire", 9, 9, "band_wire"),
)
LAST_ROW = BANDS[-1][2]

# Stands for the lines that arrive, among the rows that leave from the cells of a box.
NOBODY = Row("socket", IDLE, "", DONE, None, (), Basis.DOCUMENTED)


@dataclass(frozen=True, slots=True)
class Line:
    """Text in a box, with what it points to; it is wrapped where it does not fit."""

    text: str
    role: str = "ink"
    id: str = ""
    tooltip: str = ""
    url: str = ""
    bold: bool = False
    short: str = ""  # to say where `text` does not fit on one line
    right: str = ""  # stands at the right of the line, in the colour of blocks
    right_id: str = ""
    right_tooltip: str = ""
    rows: tuple[Row, ...] = ()  # the rows that it tells
    right_rows: tuple[Row, ...] = ()
    sample: str = ""  # the legend: a piece of a line in this style stands at the left
    size: float = TEXT

    def broken(self, width: float) -> list[str]:
        """The lines that this text takes in a box of this width."""
        inside = width - 2 * _PAD - (SAMPLE if self.sample else 0)
        lines = broken(self.text, inside, self.size, self.bold)
        return broken(self.short, inside, self.size, self.bold) if self.short and len(lines) > 1 else lines

    def height(self, width: float) -> float:
        """The height of those lines; Graphviz sets bold text two points too high, so it gets two more."""
        return len(self.broken(width)) * self.size * LINE + (2 if self.bold else 0)


@dataclass(slots=True)
class Box:
    """A thing on the page. Kinds: position, stimulus, end, state, grey, note."""

    key: str
    kind: str
    tone: str
    title: str
    ids: str = ""
    lines: list[Line] = field(default_factory=list)
    top: list[tuple[Row, str]] = field(default_factory=list)  # cells of the ways up: row, condition
    bottom: list[tuple[Row, str]] = field(default_factory=list)
    ghost: bool = False
    tooltip: str = ""
    url: str = ""
    stem: str = ""
    badges: tuple[Row, ...] = ()  # the rows that its lines tell: block, absorb ..., ways that lead nowhere
    positions: tuple[str, ...] = ()  # the positions that it stands for
    inbound: bool = False  # its ways on run upwards
    place: Place = (0.0, 0, 1.0)
    rect: Rect | None = None

    @property
    def column(self) -> float:
        """The middle of its columns."""
        return self.place[0] + self.place[2] / 2

    def area(self) -> Rect:
        """Where it stands, once the page is measured."""
        assert self.rect is not None, self.key
        return self.rect

    def goes_up(self, target: Box) -> bool:
        """Whether the way from here to there leaves at the upper side."""
        if self.kind == "state":  # to the neighbour above directly, to others around
            return target.place[1] == self.place[1] - 1
        return self.inbound and target.place[1] < self.place[1]

    def title_lines(self, width: float) -> list[str]:
        return broken(self.title, width - 8, TITLE, True) if self.title else []

    def ids_below(self, width: float) -> bool:
        """Whether the ids need a line of their own under the title."""
        last = self.title_lines(width)[-1]
        return bool(self.ids) and text_width(f"{last} ", TITLE, True) + text_width(self.ids, TITLE) > width - 8

    def header_height(self, width: float) -> float:
        return (len(self.title_lines(width)) + self.ids_below(width)) * TITLE * LINE + 6 if self.title else 0.0

    def height(self, width: float) -> float:
        """The height that its text needs."""
        height = self.header_height(width) + 2
        if self.lines:
            height += sum(line.height(width) for line in self.lines) + 6
        return height + sum(cells_height(cells, width) for cells in (self.top, self.bottom) if cells)


def cell_lines(cells: Sequence[tuple[Row, str]], width: float) -> list[list[str]]:
    """The conditions in the cells of a box, wrapped."""
    return [broken(text, width / len(cells) - 6, EXIT) for _, text in cells]


def cells_height(cells: Sequence[tuple[Row, str]], width: float) -> float:
    return max(len(lines) for lines in cell_lines(cells, width)) * EXIT * LINE + 5


def broken(text: str, width: float, size: float, bold: bool = False) -> list[str]:
    """`wrap`, which also breaks names at underscores where they do not fit."""
    lines: list[str] = []
    for line in wrap(text, width, size, bold):
        rest = line
        while text_width(rest, size, bold) > width:
            cuts = [
                i + 1 for i, c in enumerate(rest[:-1]) if c == "_" and text_width(rest[: i + 1], size, bold) <= width
            ]
            if not cuts:
                break
            lines.append(rest[: cuts[-1]])
            rest = rest[cuts[-1] :]
        lines.append(rest)
    return lines


@dataclass(frozen=True, slots=True)
class Way:
    """A line to draw: the rows that go from one box to another. The first row gives it its name and its look.

    A `derived` line stands for what several rows do together: one of `made_by`, with all its rows.
    """

    id: str
    row: Row
    start: str
    end: str
    made_by: tuple[tuple[Row, ...], ...]
    words: str = ""  # its condition
    ghost: bool = False
    derived: bool = False
    moves: tuple[tuple[str, str, str], ...] = ()  # of a derived line: (state, stimulus, state), as it draws them

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row behind it, each once."""
        return tuple(dict.fromkeys(row for rows in self.made_by for row in rows))


@dataclass(frozen=True, slots=True)
class Edge:
    """A way with its corners."""

    way: Way
    corners: tuple[Point, ...]
    tone: str


@dataclass(frozen=True, slots=True)
class Page:
    """Finished geometry. y grows upwards and the upper edge is 0."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    bands: tuple[tuple[str, str, Rect], ...]
    panel: Rect | None
    width: float
    height: float


class Layout:
    """Gives boxes and ways their places.

    Parameters
    ----------
    places : where things stand, by the key of the box; what has no place gets one at the right.
    rows_for : first and last row for a box without a place.
    panel : a box of this kind stands on a panel of its own.
    spread : extra room in front of these columns.
    """

    def __init__(
        self,
        boxes: dict[str, Box],
        ways: Sequence[Way],
        places: Mapping[str, Place],
        *,
        panel: str = "",
        spread: Mapping[int, float] | None = None,
    ) -> None:
        self.boxes, self.ways, self.places = boxes, ways, places
        self.panel_kind, self.spread = panel, spread or {}

    def page(self, rows_for: Mapping[str, tuple[int, int]]) -> Page:
        self._place(rows_for)
        self._cells()
        return self._measure()

    def _place(self, rows_for: Mapping[str, tuple[int, int]]) -> None:
        used: set[tuple[int, int]] = set()
        for box in self.boxes.values():
            if box.key in self.places:
                box.place = self.places[box.key]
                used |= {(int(box.place[0]) + i, box.place[1]) for i in range(max(1, int(box.place[2])))}
        column_of: dict[str, int] = {}
        free = 1 + max((column for column, _ in used), default=-1)
        for box in self.boxes.values():
            if box.key in self.places:
                continue
            family = f"{box.kind} {box.key.split(' ')[1].split('.')[0]}" if box.kind != "state" else box.kind
            first, last = rows_for[box.key]
            column = column_of.get(family, free)
            row = next((r for r in range(first, last + 1) if (column, r) not in used), None)
            if row is None or family not in column_of:
                column = column_of[family] = free
                free, row = free + 1, first
            used.add((column, row))
            box.place = (column, row, 1)

    def _cells(self) -> None:
        """Where a box has several ways on, or one with a condition, each gets a cell to leave from.

        Lines that arrive at a side with such cells get an empty cell there.
        """
        leaving: dict[str, list[Way]] = {}
        for way in self.ways:
            leaving.setdefault(way.start, []).append(way)
        for start, ways in leaving.items():
            box = self.boxes[start]
            words = {way.words for way in ways}
            if words == {""}:
                continue
            if len(words) == 1 and len(ways) > 1:
                box.lines.append(Line(words.pop(), "muted"))
                continue
            for way in ways:
                (box.top if box.goes_up(self.boxes[way.end]) else box.bottom).append((way.row, way.words))
        for box in self.boxes.values():
            order = {way.row.key: self.boxes[way.end].column for way in leaving.get(box.key, ())}
            for up, cells in ((True, box.top), (False, box.bottom)):
                arriving = [
                    self.boxes[way.start].column
                    for way in self.ways
                    if way.end == box.key and (self.boxes[way.start].place[1] < box.place[1]) == up
                ]
                if cells and arriving:
                    cells.append((NOBODY, ""))
                    order[NOBODY.key] = sum(arriving) / len(arriving) + (-0.01 if up else 0.01)
                cells.sort(key=lambda cell: order[cell[0].key])

    # -- geometry -----------------------------------------------------------------------------------------------------

    def _columns(self) -> list[float]:
        """The left edge of each column; one without boxes has no width."""
        filled = {int(b.place[0]) + i for b in self.boxes.values() for i in range(max(1, int(b.place[2])))}
        lefts: list[float] = []
        x = _LEFT
        for column in range(max(filled) + 1):
            x += self.spread.get(column, 0.0) if column in filled else 0.0
            lefts.append(x)
            x += WIDTH + GAP if column in filled else 0.0
        return [*lefts, x]

    def _measure(self) -> Page:
        lefts = self._columns()
        right = lefts[-1] - GAP + (GAP + 8 if self.panel_kind else _RIGHT)
        widths = {key: _width(box.place[2], lefts, box.place[0]) for key, box in self.boxes.items()}
        heights = [0.0] * (LAST_ROW + 1)
        for key, box in self.boxes.items():
            if box.kind != "note":
                heights[box.place[1]] = max(heights[box.place[1]], box.height(widths[key]))
        for key, box in self.boxes.items():  # a note spreads over the rows below it in its band
            if box.kind == "note":
                column, row, _ = box.place
                last = next(b for _, a, b, _ in BANDS if a <= row <= b)
                below = [b for b in self.boxes.values() if b.place[0] == column and row < b.place[1] <= last]
                last = min([last, *(b.place[1] for b in below)])
                room = sum(heights[row : last + 1]) + _ROW_GAP * sum(h > 0 for h in heights[row + 1 : last + 1])
                for other in below:  # it stands in the middle of its row
                    if other.place[1] == last:
                        room -= (heights[last] + other.height(widths[other.key])) / 2 + _PAD
                heights[row] += max(0.0, box.height(widths[key]) - room)
        tops, bands, bottom = _stack(heights, right)
        for key, box in self.boxes.items():
            column, row, _ = box.place
            width, height = widths[key], box.height(widths[key])
            left = lefts[int(column)] + (column - int(column)) * (WIDTH + HALF_GAP)
            middle = tops[row] - (height if box.kind == "note" else heights[row]) / 2
            box.rect = Rect(left, middle - height / 2, left + width, middle + height / 2)
        inside = [box.area() for box in self.boxes.values() if box.kind == self.panel_kind]
        panel = None
        if inside:
            panel = Rect(
                min(r.left for r in inside) - _PANEL_LEFT,
                min(r.bottom for r in inside) - 24,
                max(r.right for r in inside) + GAP,
                max(r.top for r in inside) + 34,
            )
        edges = tuple(self._edges(lefts, tops, heights, panel))
        return Page(tuple(self.boxes.values()), edges, tuple(bands), panel, right, -bottom)

    def _edges(self, lefts: list[float], tops: list[float], heights: list[float], panel: Rect | None) -> Iterator[Edge]:
        xs: list[float] = []
        for column, left in enumerate(lefts):
            room = GAP + self.spread.get(column, 0.0)
            xs += [left - room + _LANE * (lane + 0.6) for lane in range(int(room / _LANE))]
        ys: list[float] = []
        for top, height in zip(tops, heights, strict=True):
            ys += [top + _LANE * (lane + 0.6) for lane in range(4)]
            ys += [top - height - _LANE * (lane + 0.6) for lane in range(2)]
        corners: dict[str, list[Point]] = {}
        if panel:  # its lines stay on it, the others off it
            on_it = [box for box in self.boxes.values() if box.kind == self.panel_kind]
            off_it = [box.area() for box in self.boxes.values() if box.kind != self.panel_kind]
            keys = {box.key for box in on_it}
            room_xs = [x for x in xs if panel.left + 6 < x < panel.right - 6]
            room_ys = [y for y in ys if panel.bottom + 6 < y < panel.top - 6]
            corners |= self._routed(
                [w for w in self.ways if w.start in keys], [b.area() for b in on_it], room_xs, room_ys
            )
            corners |= self._routed([w for w in self.ways if w.start not in keys], [*off_it, panel], xs, ys)
        else:
            corners |= self._routed(self.ways, [box.area() for box in self.boxes.values()], xs, ys)
        for way in self.ways:
            yield Edge(way, tuple(corners[way.id]), self.boxes[way.start].tone)

    def _routed(
        self, ways: Sequence[Way], obstacles: list[Rect], xs: list[float], ys: list[float]
    ) -> dict[str, list[Point]]:
        wires = {
            way.id: Wire(
                tuple(_start_ports(self.boxes[way.start], self.boxes[way.end], way)),
                tuple(_end_ports(self.boxes[way.start], self.boxes[way.end])),
            )
            for way in ways
        }
        router = Router(obstacles, xs, ys, [port for wire in wires.values() for port in (*wire.start, *wire.end)])
        corners: dict[str, list[Point]] = {}
        for way in sorted(ways, key=self._priority):
            wire = wires[way.id]
            # Where no lane is free, a straight line is better than none.
            straight = [self.boxes[way.start].area().middle, self.boxes[way.end].area().middle]
            corners[way.id] = router.route(wire) or router.route(wire, loose=True) or straight
        return corners

    def _priority(self, way: Way) -> tuple[bool, float]:
        a, b = self.boxes[way.start].area().middle, self.boxes[way.end].area().middle
        return (way.ghost, abs(a[0] - b[0]) * 2 + abs(a[1] - b[1]))


def _width(span: float, lefts: list[float], column: float) -> float:
    if span < 1:
        return (WIDTH - HALF_GAP) * span
    return lefts[int(column) + int(span) - 1] - lefts[int(column)] + WIDTH


def _stack(heights: list[float], right: float) -> tuple[list[float], list[tuple[str, str, Rect]], float]:
    """The top of each row, the bands that hold any, and the bottom of the page."""
    tops: list[float] = []
    bands: list[tuple[str, str, Rect]] = []
    y = -HEAD
    for name, first, last, fill in BANDS:
        filled = [row for row in range(first, last + 1) if heights[row]]
        band_top = y
        y -= _BAND_GAP if filled else 0
        for row in range(first, last + 1):
            tops.append(y)
            y -= heights[row] + (_ROW_GAP if heights[row] and row != filled[-1] else 0)
        y -= _BAND_GAP if filled else 0
        if filled:
            bands.append((name, fill, Rect(8, y, right, band_top)))
    return tops, bands, y


def _start_ports(box: Box, target: Box, way: Way) -> Iterator[Port]:
    rect = box.area()
    toward = target.area().middle[0]
    for side, cells in (("top", box.top), ("bottom", box.bottom)):
        for number, (row, _) in enumerate(cells):
            if row is way.row:
                width = (rect.right - rect.left) / len(cells)
                low = rect.left + number * width
                at = toward if low + 8 < toward < low + width - 8 else low + width / 2
                yield Port(rect, side, low + 7, low + width - 7, at)
                return
    x, y = rect.middle
    x = toward if rect.left + 10 < toward < rect.right - 10 else x
    yield Port(rect, "top" if box.goes_up(target) else "bottom", rect.left + 10, rect.right - 10, x)
    for side in ("left", "right"):
        yield Port(rect, side, rect.bottom + 8, rect.top - 8, y, 60)


def _end_ports(start: Box, box: Box) -> Iterator[Port]:
    rect = box.area()
    x, y = rect.middle
    above = start.area().middle[1] > y
    for side, cells, natural in (("top", box.top, above), ("bottom", box.bottom, not above)):
        empty = [number for number, (row, _) in enumerate(cells) if row is NOBODY]
        if cells and not empty:
            continue
        width = (rect.right - rect.left) / max(1, len(cells))
        low = rect.left + width * (empty[0] if empty else 0)
        yield Port(rect, side, low + 10, low + width - 10, x if not cells else low + width / 2, 0 if natural else 50)
    for side in ("left", "right"):
        yield Port(rect, side, rect.bottom + 8, rect.top - 8, y, 30)
