"""A run as a ladder: lanes from the application to the remote host, one rung for each classify, in time order.

The places are computed here and pinned (`layout=neato`), because a ladder is a grid and no layout engine draws one:
rungs step down and aside, and every arrow is a straight line or an elbow. Text is measured with the widths of Arial
(which Helvetica, Liberation Sans and Arimo share), so that boxes fit their text before anything is rendered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from fsm.draw.rungs import LANES, Ladder, Part, Rung, address, citation, ladder_of
from fsm.flows import FlowRun
from fsm.names import Basis
from fsm.table import Step

# Width of a lane, and of the boxes in it, in points.
_LANE_WIDTH = {"gutter": 112, "application": 150, "ale": 184, "transport": 156, "network": 156, "wire": 40, "remote": 150}
_BOX_INSET = 12
_LINE = 12  # height of a line of text
_PADDING = 10  # in a box, above and below together
_GAP = 16  # between rows
_HEADER = 44

_NAME_SIZE, _TEXT_SIZE = 10.0, 8.5

# Widths of Arial in 1/1000 of the size, for the characters from the blank to the tilde.
_WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip

# What a shape means: class for the style sheet, fill, line, text.
_LOOKS = {
    "permit": ("#e6f4ea", "#1e7b34", "#10241a"),
    "block": ("#fde4e1", "#b3261e", "#40100c"),
    "discard": ("#fbeee0", "#9a5b00", "#3a2400"),
    "start": ("#e7effc", "#2f5fa8", "#12233f"),
    "result": ("#ffffff", "#5f6b7a", "#1b1f24"),
    "lost": ("#ffffff", "#b3261e", "#b3261e"),
    "lane": ("#f4f6f8", "#f4f6f8", "#1b1f24"),
}
_BASIS_LINE = {Basis.DOCUMENTED: "solid", Basis.OBSERVED: "dashed", Basis.INFERRED: "dotted"}


def ladder_dot(run: FlowRun) -> str:
    """The DOT text of a run as a ladder."""
    return _Drawing(ladder_of(run)).dot()


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of `text` in Arial, in points; characters that it may not have count as full squares."""
    units = sum(_WIDTHS[ord(c) - 32] if " " <= c <= "~" else 1000 for c in text)
    return units * size / 1000 * (1.07 if bold else 1.0)


def wrapped(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """`text` in lines of at most `width` points; a word that is too long is cut."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        while text_width(word, size, bold=bold) > width:
            fits = next(n for n in range(len(word), 0, -1) if n == 1 or text_width(word[:n], size, bold=bold) <= width)
            lines += [line] if line else []
            lines.append(word[:fits])
            line, word = "", word[fits:]
        longer = f"{line} {word}".strip()
        if line and text_width(longer, size, bold=bold) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line] if line else lines


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text in a box: pieces of (text, bold)."""

    pieces: tuple[tuple[str, bool], ...]
    size: float = _TEXT_SIZE

    def html(self) -> str:
        return "".join(
            f'<FONT POINT-SIZE="{self.size:g}">{"<B>" if bold else ""}{escape(text)}{"</B>" if bold else ""}</FONT>'
            for text, bold in self.pieces
        )


@dataclass(frozen=True, slots=True)
class _Box:
    """A box to draw, with its size known."""

    name: str
    lane: str
    look: str
    lines: tuple[_Line, ...]
    line_style: str = "solid"
    tooltip: str = ""
    url: str = ""

    @property
    def height(self) -> int:
        return _LINE * len(self.lines) + _PADDING


@dataclass(slots=True)
class _Row:
    """Boxes side by side, at most one in a lane."""

    boxes: list[_Box] = field(default_factory=list)
    gutter: tuple[str, ...] = ()
    note: str = ""

    @property
    def height(self) -> int:
        return max([box.height for box in self.boxes] + [_LINE * len(self.gutter), _LINE + _PADDING])

    def free(self, lane: str) -> bool:
        return all(box.lane != lane for box in self.boxes)


class _Drawing:
    """One ladder: rows are collected, then placed from the top down, then written."""

    def __init__(self, ladder: Ladder) -> None:
        self.ladder = ladder
        self.lines: list[str] = []
        self.left: dict[str, int] = {}
        x = 0
        for lane, width in _LANE_WIDTH.items():
            self.left[lane] = x
            x += width
        self.width = x
        self.elbows = 0
