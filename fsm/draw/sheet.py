"""A page of boxes and lines at computed places, as DOT that is drawn as it stands (`layout=nop2`); y grows downwards.

Text is measured with the widths of Arial before anything is rendered, so boxes are made to fit their text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fsm.draw.route import spline
from fsm.draw.theme import FONT, Palette, graph_attributes, html, text_width, wrap

TEXT_SIZE = 8.5
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """How a box is drawn: colours, line style, width of the line."""

    fill: str
    line: str
    text: str
    style: str = "solid"
    wide: float = 1.1


@dataclass(frozen=True, slots=True)
class Rect:
    """A place on the sheet; y grows downwards."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> Point:
        return self.left + self.width / 2, self.top + self.height / 2


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text in a box. `mark` stands in front of it, `right` at the other side."""

    text: str
    size: float = TEXT_SIZE
    bold: bool = False
    colour: str = ""
    mark: str = ""
    mark_colour: str = ""
    right: str = ""
    id: str = ""
    tooltip: str = ""
    url: str = ""

    @property
    def height(self) -> float:
        return math.ceil(self.size * 1.32)

    @property
    def width(self) -> float:
        """Of the text alone."""
        return text_width(self.text, self.size, self.bold)


def height_of(lines: Sequence[Line], padding: float = 0.0) -> float:
    """How high these lines are, one below the other."""
    return sum(line.height for line in lines) + padding


def broken(text: str, width: float, size: float = TEXT_SIZE, *, bold: bool = False, colour: str = "") -> list[Line]:
    """A text as lines that fit into `width`."""
    return [Line(part, size, bold, colour) for part in fitted(text, width, size, bold=bold)]


class Sheet:
    """What is drawn so far, and its extent."""

    def __init__(self, name: str, colours: Palette, background: str) -> None:
        self.name, self.colours, self.background = name, colours, background
        self.width = self.height = 0.0
        self._areas: list[str] = []
        self._nodes: list[str] = []
        self._edges: list[str] = []

    def area(self, name: str, rect: Rect, fill: str, line: str = "") -> None:
        """Colour behind everything else."""
        self._reach(rect)
        values = {
            "bb": f"{rect.left:.1f},{-rect.bottom:.1f},{rect.right:.1f},{-rect.top:.1f}",
            "style": "filled", "fillcolor": fill, "color": line or fill, "id": name, "label": "",
        }  # fmt: skip
        self._areas.append(f"  subgraph {node_name(f'cluster_{name}')} {{ graph [{attributes(values)}]; }}")

    def box(
        self, name: str, rect: Rect, look: Look, lines: Sequence[Line] = (), *,
        shape: str = "box", kind: str = "", tooltip: str = "", url: str = "", indent: float = 0.0, gutter: float = 0.0,
    ) -> None:  # fmt: skip
        """A box with its lines: centred, or `indent` from the left where that is given.

        `gutter` is the width of a column for the marks of the lines.
        """
        values = {
            "shape": shape, "fixedsize": "true",
            "style": f"filled,rounded,{look.style}" if shape == "box" else f"filled,{look.style}",
            "fillcolor": look.fill, "color": look.line, "fontcolor": look.text, "penwidth": f"{look.wide:g}",
            "tooltip": tooltip or " ",
        }  # fmt: skip
        if kind:
            values["class"] = kind
        if url:
            values |= {"URL": url, "target": "_blank"}
        self._node(name, rect, values, self._table(rect, lines, indent, gutter) if lines else "")

    def text(self, name: str, rect: Rect, lines: Sequence[Line], *, centred: bool = False) -> None:
        """Lines without a shape, from the top of the place on."""
        label = self._table(replace(rect, width=rect.width + 4), lines, 0.0 if centred else 0.01, 0.0)
        self._node(name, rect, {"shape": "plain", "class": "words"}, label)

    def line(
        self, start: str, end: str, corners: Sequence[Point], *,
        colour: str, wide: float = 1.2, style: str = "solid", head: str = "normal", id: str = "", tooltip: str = "",
    ) -> None:  # fmt: skip
        """A line through these corners, in pieces that run square, with a head at its end."""
        for x, y in corners:
            self._reach(Rect(x, y, 0, 0))
        values = {
            "pos": spline([(x, -y) for x, y in corners], arrow=0.0 if head == "none" else 7.0 * 0.7),
            "color": colour, "penwidth": f"{wide:g}", "style": style, "arrowhead": head, "arrowsize": "0.7",
            "tooltip": tooltip or " ",
        }  # fmt: skip
        if id:
            values["id"] = id
        self._edges.append(f"  {node_name(start)} -> {node_name(end)} [{attributes(values)}];")

    def dot(self) -> str:
        """The DOT text of the sheet."""
        graph = graph_attributes(self.colours, self.background) | {
            "layout": "nop2", "outputorder": "edgesfirst", "tooltip": " ",
            "bb": f"0,{-self.height:.1f},{self.width:.1f},0",
        }  # fmt: skip
        node = {"fontname": FONT, "fontsize": f"{TEXT_SIZE:g}", "fontcolor": self.colours.ink}
        node |= {"margin": "0", "label": ""}
        head = [f"digraph {self.name} {{", f"  graph [{attributes(graph)}];", f"  node [{attributes(node)}];"]
        return "\n".join([*head, *self._areas, *self._nodes, *self._edges, "}", ""])

    def _node(self, name: str, rect: Rect, values: Mapping[str, str], label: str) -> None:
        self._reach(rect)
        x, y = rect.middle
        place = {
            "id": node_name(name), "pos": f"{x:.1f},{-y:.1f}",
            "width": f"{rect.width / 72:.3f}", "height": f"{rect.height / 72:.3f}",
        }  # fmt: skip
        shown = f", label=<{label}>" if label else ""
        self._nodes.append(f"  {node_name(name)} [{attributes({**place, **values})}{shown}];")

    def _table(self, rect: Rect, lines: Sequence[Line], indent: float, gutter: float) -> str:
        """Lines as a table of the size of their box: a table alone aligns to a side and gives a line its own link."""
        inside = rect.width - 4
        rows = []
        for line in lines:
            right = text_width(line.right, TEXT_SIZE) + 3 if line.right else 0.0
            cells = ""
            if gutter:
                mark = html_line(line.mark, line.size, bold=True, colour=line.mark_colour) if line.mark else ""
                cells += _cell(mark, gutter, line.height, "CENTER", low=True)
            elif indent >= 1:
                cells += _cell("", indent - 2, line.height, "LEFT")
            said = html_line(line.text, line.size, bold=line.bold, colour=line.colour)
            margin = (max(indent - 2, 0) or gutter / 2.5) if right else 0.0  # what keeps it from the border
            room = inside - right - (gutter or max(indent - 2, 0)) - margin
            more = {"ID": line.id, "HREF": line.url, "TARGET": "_blank" if line.url else "", "TOOLTIP": line.tooltip}
            cells += _cell(said, room, line.height, "LEFT" if indent or gutter else "CENTER", more, line.bold)
            if right:
                colour = self.colours.muted if not line.colour else line.colour
                cells += _cell(html_line(line.right, colour=colour), right, line.height, "RIGHT")
                if margin > 2:
                    cells += _cell("", margin, line.height, "RIGHT")
            bare = 'BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0"'
            rows.append(f"<TR><TD><TABLE {bare}><TR>{cells}</TR></TABLE></TD></TR>")
        bare = 'BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0"'
        return f"<TABLE {bare}>{''.join(rows)}</TABLE>"

    def _reach(self, rect: Rect) -> None:
        self.width, self.height = max(self.width, rect.right), max(self.height, rect.bottom)


def _cell(
    said: str, width: float, height: float, align: str, more: Mapping[str, str] | None = None, low: bool = False
) -> str:
    align += '" VALIGN="BOTTOM' if low else ""  # Graphviz sets bold text two points higher
    pairs = "".join(f' {name}="{html(value)}"' for name, value in (more or {}).items() if value)
    return f'<TD FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT="{height:.0f}" ALIGN="{align}"{pairs}>{said}</TD>'


def html_line(text: str, size: float = TEXT_SIZE, *, bold: bool = False, colour: str = "") -> str:
    """One piece of an HTML-like label. Graphviz reads `\\N` there too, so a backslash is doubled."""
    if not text:
        return ""
    more = f' COLOR="{colour}"' if colour else ""
    shown = html(text).replace("\\", "\\\\")
    return f'<FONT POINT-SIZE="{size:g}"{more}>{f"<B>{shown}</B>" if bold else shown}</FONT>'


def fitted(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """Text in lines that fit, words that are too long (somebody's peer name) cut."""
    lines: list[str] = []
    for line in wrap(text, width, size, bold):
        while text_width(line, size, bold) > width and len(line) > 1:
            fits = next(n for n in range(len(line) - 1, 0, -1) if n == 1 or text_width(line[:n], size, bold) <= width)
            lines.append(line[:fits])
            line = line[fits:]
        lines.append(line)
    return lines


def node_name(text: str) -> str:
    """A node name that DOT, SVG and CSS take as it is."""
    return text.replace(" ", "_")


def attributes(values: Mapping[str, str]) -> str:
    """Attributes as DOT writes them."""
    return ", ".join(f"{name}={quoted(value)}" for name, value in values.items())


def quoted(text: str) -> str:
    """A DOT string, in which nothing is an escape."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
