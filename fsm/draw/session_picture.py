"""A session as a picture: one box for each way in which its sockets stand, with what can happen there.

The first socket goes from left to right through its life, the second from the top down, so every arrow runs to the
right or down. The boxes are made from the explored session and list every kind of move that stays in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fsm.counts import counted
from fsm.draw.overlay import Overlay
from fsm.draw.places import Collapsed, Group, Key, Place, Way, collapse, key_of
from fsm.draw.sheet import TEXT_SIZE, Line, Look, Rect, Sheet, broken, height_of
from fsm.draw.theme import BASIS, cite_url, palette, text_width
from fsm.session import short
from fsm.space import StateSpace

if TYPE_CHECKING:
    from fsm.graph import PathStep
    from fsm.session import SessionState

_NARROW, _WIDE = 122.0, 326.0  # boxes without and with lines
_ACROSS, _LABEL = 118.0, 88.0  # between columns; the words at an arrow there
_MARK = 16.0  # the column of numbers in front of lines
_SKIP, _STUB, _LANE = 17.0, 13.0, 8.0  # how far a way around passes a box, at the left and above; between two such
_ARROW_Y = 15.0  # where arrows leave and reach a box
_TITLE = 10.0


@dataclass(frozen=True, slots=True)
class SessionOverlay(Overlay):
    """What is laid over a session: a path of its own moves, and how often each move came, by label.

    Rules in `path` and `counts` of an overlay mark what uses them, as on the other pictures; here a rule has no place
    in an order, so they are not numbered.
    """

    steps: tuple[PathStep, ...] = ()
    move_counts: Mapping[str, int] = field(default_factory=dict)
    stands: SessionState | None = None

    @property
    def dims(self) -> bool:
        return bool(self.steps or self.move_counts or self.path or self.counts)


def session_dot(
    space: StateSpace, overlay: Overlay | None = None, *, dark: bool = False, background: str = "transparent"
) -> str:
    """The DOT text of an explored session, collapsed to its places.

    Raises
    ------
    FsmError : it has more sockets than can be drawn.
    """
    return _Drawing(collapse(space), Marks(space, overlay), dark, background).dot()


class Marks:
    """What an overlay says about the groups and places of a session: the same for the picture and its text."""

    def __init__(self, space: StateSpace, overlay: Overlay | None) -> None:
        self.overlay = overlay or Overlay()
        self.steps = overlay.steps if isinstance(overlay, SessionOverlay) else ()
        self._counts = overlay.move_counts if isinstance(overlay, SessionOverlay) else {}
        self._places = [
            (key_of(space.state(s.source)), key_of(space.state(s.target)), s.move.label) for s in self.steps
        ]
        stands = overlay.stands if isinstance(overlay, SessionOverlay) else None
        self.here: Key | None = key_of(stands) if stands else self._places[-1][1] if self._places else None
        self.touched = {key for a, b, _ in self._places for key in (a, b)}

    def of(self, group: Group, source: Key, target: Key) -> str:
        """The places of a group in the path and its count: `2, 5 x12`; `*` where a rule of it is marked."""
        numbers = [
            str(number)
            for number, (a, b, label) in enumerate(self._places, 1)
            if (a, b) == (source, target) and label in group.labels
        ]
        places = ",".join(numbers[:3]) + ("..." if len(numbers) > 3 else "")
        count = sum(self._counts.get(label, 0) for label in group.labels)
        marked = "*" if not numbers and any(map(self.overlay.takes, group.rules)) else ""
        return " ".join(filter(None, (places, f"x{count}" if count else "", marked)))

    def blocked(self, group: Group) -> bool:
        """Whether the overlay says that it was blocked where this group can be."""
        return self.overlay.blocked_at is not None and group.blocked(self.overlay.blocked_at)

    @property
    def dims(self) -> bool:
        return self.overlay.dims


_Lane = list[tuple[tuple[int, int], Way]]  # ways that do not meet, with the columns or rows they span


class _Drawing:
    """One session: boxes in columns and rows, arrows between them, the path as a list."""

    def __init__(self, shown: Collapsed, marks: Marks, dark: bool, background: str) -> None:
        self.shown, self.marks = shown, marks
        self.colours = c = palette(dark)
        self.sheet = Sheet("session", c, background)
        self.plain = Look(c.paper, c.rule, c.ink)
        self.lines = {place.key: self._lines(place) for place in shown.places}
        self.rects: dict[Key, Rect] = {}
        self.width = 0.0
        # Ways that run around boxes: over them by row, at their left by column; lanes from the boxes outwards.
        self.around: tuple[dict[str, list[_Lane]], dict[str, list[_Lane]]] = ({}, {})

    def dot(self) -> str:
        top = self._places()
        self._heading(top)
        for place in self.shown.places:
            self._box(place)
        self._ways()
        y = max(rect.bottom for rect in self.rects.values()) + 20
        self._way_list(self._legend(y))
        return self.sheet.dot()

    # -- places ---------------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Which ways run beside the boxes (they pass one, or run back), and in which lane each."""
        for way in self.shown.ways:
            at = 0 if way.source[1:] == way.target[1:] else 1
            values = (self.shown.columns, self.shown.rows)[at]
            first, last = values.index(way.source[at]), values.index(way.target[at])
            if last - first != 1:
                line = way.source[1 - at] if len(way.source) > 1 else ""
                lanes = self.around[at].setdefault(line, [])
                span = (min(first, last), max(first, last))
                lane = next((lane for lane in lanes if all(span[1] < s[0] or s[1] < span[0] for s, _ in lane)), None)
                if lane is None:
                    lanes.append(lane := [])
                lane.append((span, way))

    def _places(self) -> float:
        """Find the place of every box; the height of the heading."""
        self._plan()
        columns, rows = self.shown.columns, self.shown.rows
        cells = {(key[0], key[1] if len(key) > 1 else ""): key for key in self.lines}
        x, lefts, wide = 0.0, [], []
        for number, column in enumerate(columns):
            lanes = len(self.around[1].get(column, ()))
            x += (_ACROSS if number else _SKIP + 4 if lanes else 0.0) + _LANE * max(0, lanes - 1)
            lefts.append(x)
            wide.append(max((self._width(cells[column, r]) for r in rows if (column, r) in cells), default=_NARROW))
            x += wide[-1]
        self.width = x
        top = y = height_of(self._heads()) + 14
        for row in rows:
            y += sum(map(self._lane_height, self.around[0].get(row, ()))) + 8
            high = below = 26.0
            for left, width, column in zip(lefts, wide, columns, strict=True):
                key = cells.get((column, row))
                if key is None:
                    continue
                tall = height_of(self.lines[key], 12)
                self.rects[key] = Rect(left + (width - self._width(key)) / 2, y, self._width(key), tall)
                beside = [height_of(self._label(way)) for way in self.shown.ways if self._is_next(way, key, 0)]
                high = max(high, tall, *(_ARROW_Y + more + 6 for more in beside))
                under = [height_of(self._label(way)) for way in self.shown.ways if self._is_next(way, key, 1)]
                below = max(below, *(more + 12 for more in under), height_of(self._labels_below(key)) + 8)
            y += high + below
        return top

    def _is_next(self, way: Way, key: Key, at: int) -> bool:
        """Whether a way leads from this place straight to its neighbour in a direction."""
        if way.source != key or way.source[at : at + 1] == way.target[at : at + 1]:
            return False
        return not any(way is other for lanes in self.around[at].values() for lane in lanes for _, other in lane)

    def _lane_height(self, lane: _Lane) -> float:
        return max(height_of(self._label(way)) for _, way in lane) + 5

    def _width(self, key: Key) -> float:
        if len(self.lines[key]) > len(key) + 1:
            return _WIDE
        return max(_NARROW, *(line.width + _MARK + 16 for line in self.lines[key]))

    def _heads(self) -> list[Line]:
        c, session = self.colours, self.shown.session
        hosts = "; ".join(
            f"host {host}: {', '.join(member.name for member in session.members if member.host == host)}"
            for host in session.hosts
        )
        config = session.config
        about = f"IPv{config.ip}, Windows {config.windows}, evidence: {config.evidence}"
        about += "".join(f", {name}={option}" for name, option in config.assume)
        network = f"network: {', '.join(session.network)}, at most {session.cap} in flight"
        size = f"{counted(self.shown.states, 'state')}, {counted(self.shown.edges, 'edge')}"
        size += "" if self.shown.complete else " (the limit was hit: there are more)"
        wide = max(self.width, 600)
        return [
            *broken(f"A session, collapsed: {size} as {counted(len(self.shown.places), 'place')}", wide, 14, bold=True),
            *broken(f"{hosts}; {network}; verdicts: {', '.join(session.verdicts)}", wide, 10),
            *broken(about, wide, 10, colour=c.muted),
        ]

    def _heading(self, top: float) -> None:
        lines = self._heads()
        self.sheet.text("title", Rect(0, 0, max(self.width, 600), height_of(lines)), lines)

    # -- boxes ----------------------------------------------------------------------------------------------------

    def _lines(self, place: Place) -> list[Line]:
        """What stands in a box: its sockets, how many states it stands for, and what keeps it."""
        first, *others = self.shown.names(place.key)
        count = len(place.numbers)
        lines = [Line(first, _TITLE, True), *(Line(other, _TITLE, True) for other in others)]
        states = counted(count, "state")
        lines.append(Line(states, colour=self.colours.muted))
        ranked = [self._group(group, place.key) for group in place.stays]
        for lines_of_group in ranked:
            lines += [*lines_of_group]
        if ranked:
            lines.insert(len(lines) - sum(map(len, ranked)), Line("", 4))
        return lines

    def _group(self, group: Group, key: Key) -> list[Line]:
        c = self.colours
        mark = self.marks.of(group, key, key)
        own = {"outbound": c.out, "inbound": c.inn, "icmp": c.icmp, "local": c.local}.get(group.kind, c.muted)
        colour = c.taken if mark else c.grey_ink if self.marks.dims else own
        text = f"{group.text} {group.marks}".strip() + (" BLOCKED" if self.marks.blocked(group) else "")
        long_mark = mark if text_width(mark, TEXT_SIZE, True) > _MARK - 4 else ""
        room = _WIDE - 4 - _MARK - text_width(group.layers, TEXT_SIZE) - 15
        parts = broken(f"({long_mark}) {text}" if long_mark else text, room, bold=bool(mark), colour=colour)
        first = Line(
            parts[0].text, TEXT_SIZE, bool(mark), colour, mark="" if long_mark else mark, mark_colour=c.taken,
            right=group.layers, tooltip=_tooltip(group), url=_url(group),
        )  # fmt: skip
        return [first, *parts[1:]]

    def _box(self, place: Place) -> None:
        c, rect = self.colours, self.rects[place.key]
        look = self.plain
        if place.key == self.marks.here:
            look = Look(c.taken_fill, c.taken, c.ink, wide=2.8)
        elif place.key in self.marks.touched:
            look = Look(c.paper, c.taken, c.ink, wide=2.2)
        elif self.marks.dims:
            look = Look(c.paper, c.dim, c.grey_ink)
        elif 0 in place.numbers:
            look = Look(c.state_fill, c.rule, c.ink, wide=2.2)
        self.sheet.box(
            "place " + " ".join(place.key), rect, look, self.lines[place.key], kind="place", gutter=_MARK,
        )  # fmt: skip

    # -- ways -----------------------------------------------------------------------------------------------------

    def _ways(self) -> None:
        leaves: dict[tuple[Key, int], int] = {}
        reaches: dict[tuple[Key, int], int] = {}
        for way in self.shown.ways:
            at = 0 if way.source[1:] == way.target[1:] else 1
            if self._is_next(way, way.source, at):
                self._straight(way, at)
                continue
            out = leaves.setdefault((way.source, at), 0)
            into = reaches.setdefault((way.target, at), 0)
            leaves[way.source, at] += 1
            reaches[way.target, at] += 1
            if at:
                self._beside(way, out, into)
            else:
                self._above(way, out, into)
        for place in self.shown.places:
            labels = self._labels_below(place.key)
            if labels:
                rect = self.rects[place.key]
                left = self._edge_of(place.key) - _SKIP + 6
                wide = max(line.width for line in labels) + 4
                self.sheet.text(
                    f"ways of {' '.join(place.key)}", Rect(left, rect.bottom + 4, wide, height_of(labels)), labels
                )

    def _straight(self, way: Way, at: int) -> None:
        """To the neighbour at the right or below."""
        a, b, lines = self.rects[way.source], self.rects[way.target], self._label(way)
        if at == 0:
            y = a.top + _ARROW_Y
            corners = [(a.right, y), (b.left, y)]
            label = Rect(a.right + 6, y + 2, _LABEL, height_of(lines))
        else:
            x = min(a.middle[0], b.middle[0])
            corners = [(x, a.bottom), (x, b.top)]
            lanes = sum(map(self._lane_height, self.around[0].get(way.target[1], ())))
            high = height_of(lines)
            label = Rect(x + 6, b.top - lanes - high - 10, max(line.width for line in lines) + 4, high)
        self._draw(way, corners)
        self.sheet.text(f"way {' '.join((*way.source, *way.target))}", label, lines)

    def _above(self, way: Way, out: int, into: int) -> None:
        """Over the boxes between, in a lane of its own."""
        a, b, lines = self.rects[way.source], self.rects[way.target], self._label(way)
        lanes = self.around[0][way.source[1] if len(way.source) > 1 else ""]
        number = next(n for n, lane in enumerate(lanes) if any(way is other for _, other in lane))
        y = a.top - _STUB - sum(map(self._lane_height, lanes[:number]))
        x1, x2 = a.right - 16 - _LANE * out, b.left + 16 + _LANE * into
        self._draw(way, [(x1, a.top), (x1, y), (x2, y), (x2, b.top)])
        wide, high = max(line.width for line in lines) + 4, height_of(lines)
        left = a.right - 8 if x2 > x1 else x1 - wide - 6
        self.sheet.text(f"way {' '.join((*way.source, *way.target))}", Rect(left, y - high - 1, wide, high), lines)

    def _beside(self, way: Way, out: int, into: int) -> None:
        """Left of the boxes between; its label stands below its start."""
        a, b = self.rects[way.source], self.rects[way.target]
        lanes = self.around[1][way.source[0]]
        number = next(n for n, lane in enumerate(lanes) if any(way is other for _, other in lane))
        x = self._edge_of(way.source) - _SKIP - _LANE * number
        y1, y2 = a.bottom - 9 - _LANE * out, b.top + 28 + _LANE * into
        self._draw(way, [(a.left, y1), (x, y1), (x, y2), (b.left, y2)])

    def _edge_of(self, key: Key) -> float:
        """The left edge of the widest box in its column."""
        return min(rect.left for other, rect in self.rects.items() if other[0] == key[0])

    def _draw(self, way: Way, corners: list[tuple[float, float]]) -> None:
        c = self.colours
        taken = any(self.marks.of(group, way.source, way.target) for group in way.groups)
        colour, size = (c.taken, 2.6) if taken else (c.dim if self.marks.dims else c.rule, 1.3)
        start, end = (f"place {' '.join(key)}" for key in (way.source, way.target))
        self.sheet.line(start, end, corners, colour=colour, wide=size, tooltip="; ".join(map(_tooltip, way.groups)))

    def _label(self, way: Way) -> list[Line]:
        return [line for group in way.groups for line in self._way_lines(group, way, True)]

    def _labels_below(self, key: Key) -> list[Line]:
        """What leads down past a neighbour; where there are several such ways, each says where it leads."""
        ways = [way for lane in self.around[1].get(key[0], ()) for _, way in lane if way.source == key]
        lines: list[Line] = []
        for way in ways:
            parts = [line for group in way.groups for line in self._way_lines(group, way, False)]
            colour = self.colours.grey_ink if self.marks.dims else self.colours.muted
            lines += [Line(f"to {way.target[1]}", colour=colour), *parts] if len(ways) > 1 else parts
        return lines

    def _way_lines(self, group: Group, way: Way, narrow: bool) -> list[Line]:
        mark = self.marks.of(group, way.source, way.target)
        c = self.colours
        colour = c.taken if mark else c.grey_ink if self.marks.dims else c.ink
        text = f"{f'({mark}) ' if mark else ''}{group.text} {group.marks}".strip()
        parts = broken(text, _LABEL if narrow else _NARROW / 2 + _SKIP - 6, bold=bool(mark), colour=colour)
        more = Line(group.layers, TEXT_SIZE, colour=c.grey_ink if self.marks.dims else c.muted)
        return [*parts, more, Line("", 3)] if narrow else parts

    # -- what stands below ----------------------------------------------------------------------------------------

    def _legend(self, y: float) -> float:
        c = self.colours
        kinds = [("start", Look(c.state_fill, c.rule, c.ink, wide=2.2))]
        if self.marks.touched or self.marks.here:
            kinds += [("on the way", Look(c.paper, c.taken, c.ink, wide=2.2))]
            kinds += [("stands here", Look(c.taken_fill, c.taken, c.ink, wide=2.8))]
        x = 0.0
        for word, look in kinds:
            width = text_width(word, TEXT_SIZE) + 18
            self.sheet.box(f"legend {word}", Rect(x, y, width, 16), look, [Line(word)], kind="legend")
            x += width + 7
        bases = ", ".join(f"{look.mark} {look.text}" for look in BASIS.values() if look.mark)
        text = (
            "A box stands for all states in which the sockets stand so; flows and what is in flight may be any. "
            "Its lines are the moves that keep it, with how many layers see them, arrows the moves that leave it. "
            f"Marks say what some step of a move is: {bases}; all else is documented."
        )
        lines = broken(text, self.width - x - 8, TEXT_SIZE, colour=c.muted)
        self.sheet.text("legend text", Rect(x + 8, y, self.width - x - 8, height_of(lines)), lines)
        return y + max(16, height_of(lines)) + 12

    def _way_list(self, y: float) -> None:
        """The path, move by move."""
        if not self.marks.steps:
            return
        lines = [Line(f"The way, {counted(len(self.marks.steps), 'move')}", _TITLE, True)]
        for number, step in enumerate(self.marks.steps, 1):
            lines += broken(f"{number}. {told(step)}", self.width - 20, 9)
        rect = Rect(0, y, self.width, height_of(lines, 14))
        look = Look(self.colours.taken_fill, self.colours.taken, self.colours.ink)
        self.sheet.box("way", rect, look, lines, kind="way", indent=10)


def told(step: PathStep) -> str:
    """A move of a path in one sentence: its name, the layers, what is then in flight, what the application sees."""
    move = step.move
    layers = ", ".join(
        short(s.layer) + (f" {s.verdict.upper()}" if s.verdict != "permit" else "") for s in move.classified
    )
    sees = [s.application_sees for s in move.steps if s.application_sees]
    parts = [layers or "no layer"]
    parts += [f"in flight: {', '.join(map(str, move.emits))}"] if move.emits else []
    parts += [f"the application sees: {sees[-1]}"] if sees else []
    return f"{move.label}: {'; '.join(parts)}"


def _tooltip(group: Group) -> str:
    layers = ", ".join(map(short, group.longest.layers)) or "no layer"
    return f"{group.text}: {layers} ({counted(group.edges, 'edge')})"


def _url(group: Group) -> str:
    return next((url for step in group.longest.steps if (url := cite_url(step.cite))), "")
