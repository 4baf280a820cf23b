"""A finished page to DOT, in one palette, with an overlay: what Graphviz gets is drawn as it stands (`layout=nop2`).

The text of a box and of a line depends only on its looks, and there are four of them; each is written once and kept,
so that a picture with another overlay costs a few hundred look-ups and no layout.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from itertools import pairwise

import graphviz

from fsm.draw.boxes import layer_names, layer_numbers
from fsm.draw.overlay import Overlay
from fsm.draw.page import CHIP, EXIT, HEAD, LINE, SAMPLE, TITLE, Box, Edge, Line, Page, Way, cell_lines, cells_height
from fsm.draw.route import Point, Rect, spline
from fsm.draw.theme import (
    BASIS,
    Palette,
    cite_url,
    counted_tooltip,
    edge_attributes,
    graph_attributes,
    html,
    node_attributes,
    palette,
    row_tooltip,
    safe_id,
    text_width,
)
from fsm.rows import Row

# As graphviz.quoting has it: a quotation mark that is not escaped yet.
_QUOTE, _ESCAPED = re.compile(r'(?<!\\)((?:\\\\)*)"'), r"\1\""
_PILLS = ("stimulus", "end", "state")  # what is no layer has round corners
_ASIDE = ("note", "grey")  # what no overlay touches
_PLAIN, _TAKEN, _BACK, _BLOCKED = "plain", "taken", "back", "blocked"


class Pen:
    """Writes one page again and again, with this or that overlay.

    Parameters
    ----------
    title, about : the head of the page, and smaller beside it.
    """

    def __init__(self, name: str, page: Page, title: str, about: str, *, dark: bool, background: str) -> None:
        self.name, self.page = name, page
        self.title, self.about = title, about
        self.colours: Palette = palette(dark)
        self.background = background
        self._written: dict[tuple[str, str], str] = {}
        self._head = self._opening()

    def source(self, overlay: Overlay) -> str:
        """The DOT text of the page under this overlay."""
        seen = _Seen(self.page, overlay)
        body = [self._kept(box.key, seen.look_of_box(box), box) for box in self.page.boxes]
        body += [self._kept(edge.way.id, seen.look_of_edge(edge), edge) for edge in self.page.edges]
        if overlay != _NOTHING:
            body += self._chips(overlay, seen)
        return f"{self._head}{''.join(body)}}}\n"

    def _kept(self, key: str, look: str, thing: Box | Edge) -> str:
        text = self._written.get((key, look))
        if text is None:
            text = self._box(thing, look) if isinstance(thing, Box) else self._edge(thing, look)
            self._written[key, look] = text
        return text

    def _colour(self, role: str) -> str:
        value: str = getattr(self.colours, role)
        return value

    # -- the page -----------------------------------------------------------------------------------------------------

    def _opening(self) -> str:
        """The text up to the first box: attributes, bands, panel, title."""
        dot = graphviz.Digraph(self.name)
        dot.attr(
            "graph",
            _attributes={
                **graph_attributes(self.colours, self.background),
                "layout": "nop2",
                "outputorder": "edgesfirst",
                "bb": f"0,{-self.page.height:.1f},{self.page.width + 8:.1f},0",
            },
        )
        dot.attr("node", _attributes=node_attributes(self.colours))
        dot.attr("edge", _attributes=edge_attributes(self.colours))
        for name, fill, rect in self.page.bands:
            self._area(dot, "band", name, fill, rect, (rect.left + 38, rect.middle[1]))
        if self.page.panel:
            rect = self.page.panel
            self._area(dot, "panel", "states of the endpoint", "paper", rect, (rect.middle[0], rect.top - 13))
        width, size, between = text_width(self.title, 22, True) + text_width(self.about, 13) + 40, 22, "    "
        if width > self.page.width:  # one under the other
            width, size, between = max(text_width(self.title, 16, True), text_width(self.about, 12)) + 16, 16, ""
        end = "" if between else '<BR ALIGN="LEFT"/>'
        label = (
            f'<FONT POINT-SIZE="{size}"><B>{html(self.title)}</B></FONT>{end}'
            f'<FONT POINT-SIZE="{13 if between else 12}" COLOR="{self._colour("muted")}">'
            f"{between}{html(self.about)}</FONT>{end}"
        )
        place = {"pos": f"{8 + width / 2:.1f},{-HEAD / 2:.1f}", "width": f"{width / 72:.3f}", "height": "0.45"}
        dot.node("title", _attributes={"label": f"<{label}>", **place, "class": "title", "id": "title"})
        return str(dot.source).rstrip().removesuffix("}")

    def _area(self, dot: graphviz.Digraph, kind: str, name: str, fill: str, rect: Rect, label: Point) -> None:
        with dot.subgraph(name=f"cluster_{kind}_{name.replace(' ', '_')}") as area:
            area.attr(
                bb=f"{rect.left:.1f},{rect.bottom:.1f},{rect.right:.1f},{rect.top:.1f}",
                style="filled",
                fillcolor=self._colour(fill),
                color=self._colour("hair"),
                id=safe_id(kind, name),
                **{"class": kind},
                label=name,
                fontsize="12",
                fontcolor=self._colour("muted"),
                lp=f"{label[0]:.1f},{label[1]:.1f}",
            )

    def _node(self, name: str, attributes: dict[str, str]) -> str:
        return _statement(name, attributes)

    # -- boxes --------------------------------------------------------------------------------------------------------

    def _box(self, box: Box, look: str) -> str:
        rect = box.area()
        width, height = rect.right - rect.left, rect.top - rect.bottom
        words = (box.kind, box.tone, "ghost" if box.ghost else "", look if look != _PLAIN else "")
        attributes = {
            "pos": f"{rect.middle[0]:.1f},{rect.middle[1]:.1f}",
            "width": f"{width / 72:.3f}",
            "height": f"{height / 72:.3f}",
            "id": safe_id(box.kind, box.key.partition(" ")[2]),
            "class": " ".join(filter(None, words)),
            "label": f"<{self._table(box, width, look)}>",
        }
        if box.tooltip:
            attributes["tooltip"] = box.tooltip
        if box.url:
            attributes["URL"] = box.url
        return self._node(safe_id("n", box.key), attributes)

    def _table(self, box: Box, width: float, look: str) -> str:
        columns = math.lcm(*(len(cells) for cells in (box.top, box.bottom) if cells))
        back = box.ghost or look == _BACK
        rows = [
            self._cells(box, box.top, width, columns) if box.top else "",
            self._header(box, width, columns, back) if box.title else "",
            self._body(box, width, columns, back) if box.lines else "",
            self._cells(box, box.bottom, width, columns) if box.bottom else "",
        ]
        fill = "grey" if box.kind in _ASIDE else f"{box.tone}_fill" if box.kind in _PILLS and not back else "paper"
        style = ' STYLE="DASHED"' if box.ghost else ' STYLE="ROUNDED"' if box.kind in _PILLS else ""
        border = {_TAKEN: "taken", _BLOCKED: "block", _BACK: "hair"}.get(look, "hair" if box.kind in _ASIDE else "rule")
        return (
            f'<TABLE BORDER="{2 if look in (_TAKEN, _BLOCKED) else 1}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" '
            f'COLOR="{self._colour(border)}" BGCOLOR="{self._colour(fill)}" WIDTH="{width:.0f}"{style}>'
            f"{''.join(rows)}</TABLE>"
        )

    def _header(self, box: Box, width: float, columns: int, back: bool) -> str:
        fill = ""
        if box.kind not in _PILLS:
            role = "grey" if back or box.kind in _ASIDE else f"{box.tone}_fill"
            fill = f' BGCOLOR="{self._colour(role)}"'
        text = "<BR/>".join(f"<B>{_said(line)}</B>" for line in box.title_lines(width))
        if box.ids:
            text += f"{'<BR/>' if box.ids_below(width) else ' '}{html(box.ids)}"
        ink = self._colour("grey_ink" if back else "ink")
        return (
            f'<TR><TD COLSPAN="{columns}"{fill} HEIGHT="{box.header_height(width):.0f}" WIDTH="{width:.0f}">'
            f'<FONT POINT-SIZE="{TITLE:g}" COLOR="{ink}">{text}</FONT></TD></TR>'
        )

    def _body(self, box: Box, width: float, columns: int, back: bool) -> str:
        inner = "".join(self._line(line, width, back) for line in box.lines)
        return (
            f'<TR><TD COLSPAN="{columns}" CELLPADDING="3"><TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" '
            f'CELLPADDING="0" WIDTH="{width - 10:.0f}">{inner}</TABLE></TD></TR>'
        )

    def _line(self, line: Line, width: float, back: bool) -> str:
        broken, inside = line.broken(width), width - 12
        role = "grey_ink" if back else line.role
        bold = ("<B>", "</B>") if line.bold else ("", "")
        space = " " if line.sample else ""
        said = "".join(f'{bold[0]}{space}{_said(part)}{bold[1]}<BR ALIGN="LEFT"/>' for part in broken)
        named = (("ID", line.id), ("TOOLTIP", line.tooltip), ("HREF", line.url))
        sample = ""
        if line.sample:
            style = f' STYLE="{line.sample.upper()}"' if line.sample != "solid" else ""
            sample = f'<TD WIDTH="{SAMPLE - 8:.0f}" BORDER="2" SIDES="B" COLOR="{self._colour("rule")}"{style}></TD>'
            inside -= SAMPLE
        right = ""
        if line.right:
            room = text_width(line.right, line.size) + 2
            inside -= room + 2
            ink = "grey_ink" if back else "block"
            points = _pairs((("ID", line.right_id), ("TOOLTIP", line.right_tooltip)))
            right = (
                f'<TD ALIGN="RIGHT" WIDTH="{room:.0f}"{points}>'
                f'<FONT POINT-SIZE="{line.size:g}" COLOR="{self._colour(ink)}">{_said(line.right)}</FONT></TD>'
            )
        low = ' VALIGN="BOTTOM"' if line.bold else ""  # Graphviz sets bold text two points higher
        return (
            f'<TR>{sample}<TD ALIGN="LEFT" BALIGN="LEFT"{low} WIDTH="{inside:.0f}" '
            f'COLSPAN="{1 if right or sample else 2}" HEIGHT="{line.height(width):.0f}"{_pairs(named)}>'
            f'<FONT POINT-SIZE="{line.size:g}" COLOR="{self._colour(role)}">{said}</FONT></TD>{right}</TR>'
        )

    def _cells(self, box: Box, cells: list[tuple[Row, str]], width: float, columns: int) -> str:
        out: list[str] = []
        for number, lines in enumerate(cell_lines(cells, width)):
            said = "<BR/>".join(_said(line) for line in lines) or " "
            sides = ("T" if cells is box.bottom else "B") + ("" if number == 0 else "L")
            out.append(
                f'<TD COLSPAN="{columns // len(cells)}" BORDER="1" SIDES="{sides}" COLOR="{self._colour("hair")}" '
                f'HEIGHT="{cells_height(cells, width):.0f}" WIDTH="{width / len(cells):.0f}">'
                f'<FONT POINT-SIZE="{EXIT:g}" COLOR="{self._colour("muted")}">{said}</FONT></TD>'
            )
        return f"<TR>{''.join(out)}</TR>"

    # -- lines --------------------------------------------------------------------------------------------------------

    def _edge(self, edge: Edge, look: str) -> str:
        way = edge.way
        basis = BASIS[way.row.basis]
        role = {_TAKEN: "taken", _BACK: "dim"}.get(look, "grey_ink" if way.ghost else edge.tone)
        width = "1.7" if basis.style == "dotted" else "1.2"  # dots of the same width look paler than a whole line
        width = "3" if look == _TAKEN else "0.8" if way.ghost or look == _BACK else width
        others = [safe_id("row", row.key) for row in way.rows[1:]] if not way.derived else []
        words = (edge.tone, str(way.row.basis), "ghost" if way.ghost else "", look if look != _PLAIN else "", *others)
        attributes = {
            "pos": spline(edge.corners),
            "id": way.id,
            "class": " ".join(filter(None, words)),
            "style": basis.style,
            "arrowhead": basis.arrowhead,
            "color": self._colour(role),
            "penwidth": width,
            "tooltip": "\n".join(row_tooltip(row) for row in way.rows),
        }
        url = cite_url(way.row.cite)
        if url:
            attributes["URL"] = url
        return _statement(f"{safe_id('n', way.start)} -> {safe_id('n', way.end)}", attributes)

    # -- the overlay's marks ------------------------------------------------------------------------------------------

    def _chips(self, overlay: Overlay, seen: _Seen) -> list[str]:
        """Numbers and counts on lines, counts and words at boxes; each finds a place where no other one is."""
        taken: list[Rect] = []
        chips: list[str] = []
        boxes = [box.area() for box in self.page.boxes] if overlay.coverage else []  # nothing there may be covered
        # With counts everywhere, the shortest lines choose first: a long one has room elsewhere.
        edges = sorted(self.page.edges, key=_run_length) if overlay.coverage else self.page.edges
        for edge in edges:
            text = "" if edge.way.derived else overlay.label(*(row.key for row in edge.way.rows))
            if text:
                told = counted_tooltip(edge.way.rows, overlay.counts) if overlay.coverage else ""
                chips.append(self._chip(f"at {edge.way.id}", text, _along(edge.corners), taken, "taken", boxes, told))
        for box in self.page.boxes:
            words = ["BLOCKED HERE"] if box.key in seen.blocked else []
            words += ["STANDS HERE"] if box.key in seen.here else []
            if not overlay.coverage:  # there its lines say so
                words += [label for label in (overlay.label(*(row.key for row in box.badges)),) if label]
            count = sum(overlay.layer_counts.get(n, 0) for n in layer_numbers(box.stem)) if box.stem else 0
            words += [f"records: {count}"] if count and not box.ghost else []
            if words:
                role = "block" if box.key in seen.blocked else "taken"
                chips.append(self._chip(f"on {box.key}", " - ".join(words), _over(box.area()), taken, role))
        return chips

    def _chip(
        self, name: str, text: str, points: Iterable[Point], taken: list[Rect], role: str,
        avoided: Iterable[Rect] = (), tooltip: str = "",
    ) -> str:  # fmt: skip
        width, height = text_width(text, CHIP, True) + 8, CHIP * LINE + 3
        low, high = width / 2 + 8, self.page.width - width / 2
        kept = [(min(max(x, low), high), y) for x, y in points]
        places = [Rect(x - width / 2, y - height / 2, x + width / 2, y + height / 2) for x, y in kept]
        free = [p for p in places if not any(_overlap(p, other) for other in taken)]
        beside = [p for p in free if not any(_overlap(p, other) for other in avoided)]
        place = beside[0] if beside else min(free or places, key=lambda p: sum(_shared(p, other) for other in avoided))
        taken.append(place)
        label = (
            f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1" COLOR="{self._colour(role)}" '
            f'BGCOLOR="{self._colour(role + "_fill")}"><TR><TD WIDTH="{width:.0f}" HEIGHT="{height:.0f}">'
            f'<FONT POINT-SIZE="{CHIP:g}" COLOR="{self._colour(role)}"><B>{_said(text)}</B></FONT></TD></TR></TABLE>'
        )
        x, y = place.middle
        key = safe_id("chip", name)
        attributes = {"label": f"<{label}>", "pos": f"{x:.1f},{y:.1f}", "class": "chip", "id": key}
        return self._node(key, {**attributes, "tooltip": tooltip} if tooltip else attributes)


class _Seen:
    """What an overlay says about the boxes and lines of a page."""

    def __init__(self, page: Page, overlay: Overlay) -> None:
        self.overlay = overlay
        self.dims = overlay.dims
        self.taken: set[str] = set()
        self.touched: set[str] = set()
        if self.dims:
            for edge in page.edges:
                if self._is_taken(edge.way):
                    self.taken.add(edge.way.id)
                    self.touched |= {edge.way.start, edge.way.end}
            self.touched |= {box.key for box in page.boxes if any(overlay.takes(row.key) for row in _told(box))}
            self.touched |= {f"state {state}" for start, _, end in overlay.moves for state in (start, end)}
        self.here = _standing(page, overlay.current)
        self.blocked = self._blocked(page)

    def _is_taken(self, way: Way) -> bool:
        over = self.overlay
        if over.coverage and way.derived:
            return any(over.moves.get(move) for move in way.moves)
        if over.coverage:  # one of its rows is enough: its mark says of how many
            return any(over.takes(row.key) for row in way.rows)
        return any(all(over.takes(row.key) for row in rows) for rows in way.made_by)

    def _blocked(self, page: Page) -> set[str]:
        layer = self.overlay.blocked_at
        if not layer:
            return set()
        there = [box for box in page.boxes if box.stem and layer in layer_names(box.stem) and not box.ghost]
        stopped = [box for box in there if any(self.overlay.takes(row.key) for row in box.badges)]
        return {box.key for box in stopped or [box for box in there if box.key in self.touched] or there}

    def look_of_box(self, box: Box) -> str:
        if box.key in self.blocked:
            return _BLOCKED
        if box.key in self.touched or box.key in self.here:
            return _TAKEN
        return _BACK if self.dims and box.kind not in _ASIDE else _PLAIN

    def look_of_edge(self, edge: Edge) -> str:
        if edge.way.id in self.taken:
            return _TAKEN
        return _BACK if self.dims else _PLAIN


def _told(box: Box) -> set[Row]:
    """The rows that a box tells of in words; those of a list beside the picture do not pass there."""
    if box.kind in _ASIDE:
        return set()
    return {*box.badges, *(row for line in box.lines for row in (*line.rows, *line.right_rows))}


_NOTHING = Overlay()


def _statement(head: str, attributes: dict[str, str]) -> str:
    """A node or an edge of a picture with many: the head is made of safe ids, HTML-like labels stay as they are."""
    pairs = (
        f"{name}={value}"
        if value.startswith("<") and value.endswith(">")
        else f'{name}="{_QUOTE.sub(_ESCAPED, value)}"'
        for name, value in attributes.items()
    )
    return f"\t{head} [{' '.join(pairs)}]\n"


def _standing(page: Page, current: str | None) -> set[str]:
    """The boxes of a state, from its name: `BOUND/OUT`, or `BOUND/NONE sendto@send.authorize` in mid-way."""
    if not current:
        return set()
    registers, _, cursor = current.rpartition(" ") if "@" in current else (current, "", "")
    known = {box.key for box in page.boxes}
    if cursor:
        position = cursor.partition("@")[2]
        return {box.key for box in page.boxes if position in box.positions}
    values = registers.split("/")
    values = [values[0], values[-1]]  # the socket and the flow; what stands between them is not drawn
    return {
        f"state {'/'.join(dict.fromkeys(values))}",
        *(f"{kind} {value}" for value in values for kind in ("state", "end")),
    } & known


def _along(corners: tuple[Point, ...]) -> list[Point]:
    """Places on a line for a mark, best first: the middle of its longest piece, then around it."""
    pieces = sorted(pairwise(corners), key=lambda piece: -_length(*piece))
    return [
        (a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part)
        for parts in ((0.5, 0.35, 0.65, 0.2, 0.8), (0.1, 0.9, 0.27, 0.73))
        for a, b in pieces
        for part in parts
    ]


def _run_length(edge: Edge) -> float:
    return sum(_length(a, b) for a, b in pairwise(edge.corners))


def _length(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _over(rect: Rect) -> list[Point]:
    """Places at a box for a mark: over its upper edge, beside the arrows that arrive in the middle."""
    width = rect.right - rect.left
    return [(rect.left + width * part, y) for y in (rect.top + 6, rect.bottom - 4) for part in (0.72, 0.28, 0.5)]


def _overlap(a: Rect, b: Rect) -> bool:
    return a.left < b.right + 1 and b.left < a.right + 1 and a.bottom < b.top + 1 and b.bottom < a.top + 1


def _shared(a: Rect, b: Rect) -> float:
    """The area that both cover."""
    width, height = min(a.right, b.right) - max(a.left, b.left), min(a.top, b.top) - max(a.bottom, b.bottom)
    return max(width, 0.0) * max(height, 0.0)


def _said(text: str) -> str:
    """Text in an HTML-like label, where Graphviz reads `\\N` as the name of the node."""
    return html(text).replace("\\", "\\\\")


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f' {name}="{html(value)}"' for name, value in pairs if value)
