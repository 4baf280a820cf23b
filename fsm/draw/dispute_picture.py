"""A dispute as a picture: its options side by side, each run on the machine, the rows that differ marked.

Each column is one option: who speaks for it, which setting takes it, and its run as a narrow ladder with one lane
for each part of the way. The same step stands in the same row; what differs stands in a band of its own with the
word for it, so that nobody needs the colours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from fsm.choices import Config
from fsm.draw.overlay import Overlay
from fsm.draw.rungs import citation, rung_kind
from fsm.draw.sheet import TEXT_SIZE, Line, Look, Rect, Sheet, broken, height_of
from fsm.draw.theme import BASIS, cite_url, palette, text_width
from fsm.draw.variants import Comparison, Item, Row, Variant, compare
from fsm.names import Basis
from fsm.sources import SOURCES

TRACKS = {"application": "app", "ale": "ALE", "transport": "tran", "network": "netw", "remote": "peer"}
_TRACK, _BOX, _BETWEEN, _GUTTER = 25.0, 236.0, 26.0, 52.0
_COLUMN = _TRACK * len(TRACKS) + _BOX
_GAP, _PADDING, _NAME_SIZE = 9.0, 9.0, 9.5


def dispute_dot(
    name: str,
    config: Config | None = None,
    overlay: Overlay | None = None,
    *,
    blocks: Iterable[str] = (),
    dark: bool = False,
    background: str = "transparent",
) -> str:
    """The DOT text of a dispute or setting, its options side by side.

    Parameters
    ----------
    name : a name of `variants.CASES`.
    overlay : what to mark: rows, the state it stands in, the layer that blocked.
    blocks : layers that block while the options are run.
    """
    return comparison_dot(compare(name, config, blocks=blocks), overlay, dark=dark, background=background)


def comparison_dot(
    comparison: Comparison, overlay: Overlay | None = None, *, dark: bool = False, background: str = "transparent"
) -> str:
    """The DOT text of any runs side by side."""
    return _Drawing(comparison, overlay or Overlay(), dark, background).dot()


class _Drawing:
    """One comparison, written from the top down."""

    def __init__(self, comparison: Comparison, overlay: Overlay, dark: bool, background: str) -> None:
        self.comparison, self.overlay = comparison, overlay
        self.colours = c = palette(dark)
        self.sheet = Sheet("dispute", c, background)
        count = len(comparison.variants)
        self.left = [_GUTTER + number * (_COLUMN + _BETWEEN) for number in range(count)]
        self.right = self.left[-1] + _COLUMN
        self.y = 0.0
        self.before: list[tuple[str, Rect] | None] = [None] * count  # the last mark: node, place
        self.kinds = {
            "local": Look(c.local_fill, c.local, c.ink, wide=1.6),
            "outbound": Look(c.out_fill, c.out, c.ink, wide=1.6),
            "inbound": Look(c.inn_fill, c.inn, c.ink, wide=1.6),
            "icmp": Look(c.icmp_fill, c.icmp, c.ink, wide=1.6),
            "block": Look(c.block_fill, c.block, c.ink, wide=2.2),
            "discard": Look(c.paper, c.block, c.ink, wide=1.6),
        }
        self.plain = Look(c.paper, c.rule, c.ink)
        self.quiet = Look(c.grey, c.dim, c.muted)

    def dot(self) -> str:
        self._heading()
        self._cards()
        self._lane_names()
        top, bands = self.y, []
        self.y += _GAP / 2
        for number, row in enumerate(self.comparison.rows):
            begin = self.y - _GAP / 2
            self._row(row, f"row{number}")
            if row.differs:
                bands.append((begin, self.y - _GAP / 2))
        self._lanes(top, self.y - _GAP / 2)
        for begin, end in _joined(bands):
            self._band(begin, end)
        self.y += 10
        self._legend()
        return self.sheet.dot()

    # -- the frame ------------------------------------------------------------------------------------------------

    def _heading(self) -> None:
        c, shown = self.colours, self.comparison
        lines = broken(f"{shown.choice.name}: {shown.choice.question}", self.right, 14, bold=True)
        lines += broken(shown.shown_by, self.right, 10)
        lines += broken(shown.about, self.right, 10, colour=c.muted)
        if not shown.differing:
            lines += broken("On this machine no step differs.", self.right, 10, bold=True)
        self.sheet.text("title", Rect(0, 0, self.right, height_of(lines)), lines)
        self.y = height_of(lines) + 12

    def _cards(self) -> None:
        """One card for each option: what it says, who says so, which setting takes it."""
        cards = [self._card(variant) for variant in self.comparison.variants]
        high = max(height_of(lines) for lines in cards) + 14
        for number, (lines, variant) in enumerate(zip(cards, self.comparison.variants, strict=True)):
            look = replace(self.plain, wide=2.6) if variant.holds else self.plain
            rect = Rect(self.left[number], self.y, _COLUMN, high)
            padded = [*lines, *_blank(high - 14 - height_of(lines))]
            # A policy may be called anything, a node may not.
            name = re.sub(r"\W", "_", variant.option.name, flags=re.ASCII) or "nameless"
            name = name if name == variant.option.name else f"{name} {number}"
            self.sheet.box(f"option {name}", rect, look, padded, kind="card", indent=10)
        self.y += high + 14

    def _card(self, variant: Variant) -> list[Line]:
        c, wide, option = self.colours, _COLUMN - 22, variant.option
        head = Line(option.name, 13, True, right="holds here" if variant.holds else "")
        lines = [head, *broken(option.text, wide, 10), Line("", 4)]
        if variant.said_by or option.cite:
            lines += broken(f"Said by: {variant.said_by}" if variant.said_by else "Sources:", wide, 9)
        for key in option.cite:
            source = SOURCES[key]
            parts = broken(source.title, wide - 5, TEXT_SIZE, colour=c.muted)
            lines += [replace(part, text=f"  {part.text}", url=source.url, tooltip=source.title) for part in parts]
        return [*lines, *broken(f"Taken by: {variant.taken_by}", wide, 9)] if variant.taken_by else lines

    def _lane_names(self) -> None:
        for number in range(len(self.left)):
            for lane, name in enumerate(TRACKS.values()):
                rect = Rect(self.left[number] + lane * _TRACK, self.y, _TRACK, 13)
                line = Line(name, 8, True, self.colours.muted)
                self.sheet.text(f"lane {number} {name}", rect, [line], centred=True)
        self.y += 14

    def _lanes(self, top: float, bottom: float) -> None:
        c = self.colours
        fills = (c.band_app, c.band_ale, c.band_transport, c.band_network, c.band_below)
        for number, left in enumerate(self.left):
            for lane, fill in enumerate(fills):
                rect = Rect(left + lane * _TRACK + 1, top, _TRACK - 2, bottom - top)
                self.sheet.area(f"stripe {number} {lane}", rect, fill)

    def _band(self, top: float, bottom: float) -> None:
        """Behind rows that differ, with the word for it."""
        c = self.colours
        self.sheet.area(f"differs {top:.0f}", Rect(0, top, self.right + 6, bottom - top), c.state_fill, c.hair)
        word = Rect(3, (top + bottom) / 2 - 7, _GUTTER - 8, 14)
        self.sheet.text(f"differs word {top:.0f}", word, [Line("differs", 9.5, True)], centred=True)

    # -- rows -----------------------------------------------------------------------------------------------------

    def _row(self, row: Row, name: str) -> None:
        cells = [self._lines(cell) if cell else [] for cell in row.cells]
        high = max(height_of(lines) for lines in cells) + _PADDING
        for column, (cell, lines) in enumerate(zip(row.cells, cells, strict=True)):
            place = Rect(self.left[column] + _TRACK * len(TRACKS) + 2, self.y, _BOX - 2, high)
            if cell is None:
                gone = [Line("no such step", TEXT_SIZE, colour=self.colours.muted)]
                self.sheet.text(f"{name} {column} gone", _centred(place, height_of(gone)), gone, centred=True)
                continue
            self._cell(cell, lines, row.differs, _centred(place, height_of(lines) + _PADDING), f"{name} {column}")
            self._stop(cell, column, row.differs, self.y + high / 2, f"{name} {column} stop")
        self.y += high + _GAP

    def _lines(self, item: Item) -> list[Line]:
        """What stands in the box of an item."""
        wide, words = _BOX - 16, item.lines
        if item.kind == "rung":
            step = item.step
            assert step is not None
            lines = broken(words[0], wide, _NAME_SIZE, bold=True)
            lines += broken(f"{', '.join(words[1:])} {BASIS[Basis(step.basis)].mark}", wide)
            if self.overlay.takes(step.rule):
                mark = self.overlay.label(step.rule)
                lines.append(Line(f"taken: {mark}" if mark else "marked", bold=True, colour=self.colours.taken))
            return lines
        if item.kind == "start":
            lines = broken(words[0], wide, _NAME_SIZE, bold=True)
            return lines + broken(words[1], wide)
        return broken(item.sentence, wide)

    def _cell(self, item: Item, lines: list[Line], differs: bool, rect: Rect, name: str) -> None:
        look, step, over = self._look(item) if differs else self.quiet, item.step, self.overlay
        tooltip, url = "", ""
        if step is not None:
            look = replace(look, style=BASIS[Basis(step.basis)].style)
            tooltip, url = citation(step), cite_url(step.cite)
            if over.takes(step.rule):
                look = replace(look, line=self.colours.taken, wide=2.6)
            elif over.dims and item.kind == "rung":
                look = replace(self.quiet, style=look.style)
            if item.rung and item.rung.stops and over.blocked_at == step.layer:
                look = replace(look, line=self.colours.block, wide=2.8)
        if item.kind == "state" and over.current and item.part.state == over.current:
            look = Look(self.colours.taken_fill, self.colours.taken, self.colours.ink, wide=2.2)
        self.sheet.box(name, rect, look, lines, kind=item.kind, tooltip=tooltip, url=url)

    def _look(self, item: Item) -> Look:
        if item.rung is None:
            return replace(self.plain, wide=1.6)
        return self.kinds["block" if item.rung.stops else "discard" if item.rung.is_discard else rung_kind(item.rung)]

    def _stop(self, item: Item, column: int, differs: bool, y: float, name: str) -> None:
        """The mark of an item in its lane, and the way to it from the mark before."""
        lane = item.rung.lane if item.rung else item.part.start if item.kind == "start" else item.kind
        if lane not in TRACKS:
            if item.kind == "start":
                self.before[column] = None
            return
        x = self.left[column] + (list(TRACKS).index(lane) + 0.5) * _TRACK
        c = self.colours
        if item.rung:
            look = self._look(item)
            shape = "square" if item.rung.stops else "diamond" if item.rung.is_discard else "circle"
        else:
            look, shape = Look(c.rule, c.rule, c.ink), "circle"
        if not differs:
            look = replace(look, wide=1.1)
        size = {"diamond": 13.0, "square": 11.0}.get(shape, 10.0 if item.rung else 6.0)
        goes = item.kind in ("start", "rung") or item.part.way_out == item.kind
        if not goes:
            return
        dot = Rect(x - size / 2, y - size / 2, size, size)
        lines = [Line("x", 8, True)] if shape == "square" else []
        self.sheet.box(name, dot, look, lines, shape=shape, kind="stop", tooltip=item.lines[0])
        before = None if item.kind == "start" else self.before[column]
        if before:
            node, place = before
            x0, y0 = place.middle[0], place.bottom
            corners = [(x0, y0), (x, dot.top)]
            if x0 != x:
                corners = [(x0, y0), (x0, y), (dot.right if x0 > x else dot.left, y)]
            self.sheet.line(node, name, corners, colour=c.rule, wide=1.4)
        self.before[column] = (name, dot)

    # -- the legend -----------------------------------------------------------------------------------------------

    def _legend(self) -> None:
        x, c = _GUTTER, self.colours
        present = {
            "block" if rung.stops else "discard" if rung.is_discard else rung_kind(rung)
            for row in self.comparison.rows
            for cell in row.cells
            if cell and (rung := cell.rung)
        }
        words = {"local": "no packet", "icmp": "ICMP error", "discard": "discard layer"}
        samples = [(f"{one.mark} {one.text}".strip(), replace(self.plain, style=one.style)) for one in BASIS.values()]
        samples += [("same in all", self.quiet)]
        samples += [(words.get(kind, kind), look) for kind, look in self.kinds.items() if kind in present]
        for number, (word, look) in enumerate(samples):
            width = text_width(word, TEXT_SIZE) + 18
            if x + width > self.right:
                x, self.y = _GUTTER, self.y + 21
            self.sheet.box(f"legend {number}", Rect(x, self.y, width, 16), look, [Line(word)], kind="legend")
            x += width + 7
        self.y += 21
        text = (
            "Way at the left of each column: application, ALE, transport, network, peer. A circle permits, a square "
            "stops, a diamond is a discard layer. id: run-time id. log: Security event, where auditing is on."
        )
        lines = broken(text, self.right - _GUTTER, TEXT_SIZE, colour=c.muted)
        self.sheet.text("legend text", Rect(_GUTTER, self.y, self.right - _GUTTER, height_of(lines)), lines)


def _centred(place: Rect, high: float) -> Rect:
    return Rect(place.left, place.top + (place.height - high) / 2, place.width, high)


def _blank(high: float) -> list[Line]:
    """Empty lines that fill a card up, so that the text of all cards begins at the top."""
    return [Line("", high / 1.36)] if high > 1 else []


def _joined(bands: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Bands that touch, as one."""
    out: list[tuple[float, float]] = []
    for begin, end in bands:
        if out and begin - out[-1][1] < 1:
            out[-1] = (out[-1][0], end)
        else:
            out.append((begin, end))
    return out
