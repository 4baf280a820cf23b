"""A run as a ladder: lanes from the application to the remote host, one rung for each classify, in time order.

The places are computed here and pinned (`layout=neato`), because a ladder is a grid and no layout engine draws one:
rungs step down and aside, and every arrow is a straight line or an elbow. Text is measured with the widths of Arial
(which Helvetica, Liberation Sans and Arimo share), so that boxes fit their text before anything is rendered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fsm.draw.overlay import Overlay
from fsm.draw.rungs import LANES, Ladder, Part, Rung, citation, ladder_of, rung_kind
from fsm.draw.sheet import Look, attributes, fitted, html_line, node_name
from fsm.draw.theme import BASIS, FONT, Palette, cite_url, graph_attributes, palette, text_width
from fsm.flows import FlowRun
from fsm.names import Basis
from fsm.table import Step

# Width of a lane in points; its boxes are narrower by the inset.
_LANE_WIDTH = {
    "gutter": 100,
    "application": 150,
    "ale": 184,
    "transport": 158,
    "network": 158,
    "wire": 40,
    "remote": 150,
}
_INSET = 14
_LINE = 11.5  # height of a line of text
_PADDING = 11  # in a box, above and below together
_GAP = 15  # between rows
_HOST_SPANS = (("this host", "application", "network"), ("remote host", "remote", "remote"))
_INSIDE = ("ale", "network")  # the lanes of layers, from and to

_NAME_SIZE, _TEXT_SIZE = 10.0, 8.5


def ladder_dot(
    run: FlowRun, overlay: Overlay | None = None, *, dark: bool = False, background: str = "transparent"
) -> str:
    """The DOT text of a run as a ladder.

    Parameters
    ----------
    run : a flow of the catalogue, or any list of stimuli (`run_flow`, `run_stimuli`).
    overlay : what to mark: rows, layers, the state it stands in.
    dark, background : for pictures without style sheet (PNG); an SVG is written light and themed.
    """
    return _Drawing(ladder_of(run), overlay or Overlay(), palette(dark), background).dot()


@dataclass(frozen=True, slots=True)
class _Box:
    """A box to draw. `lines` are HTML-like labels of one line each."""

    name: str
    lanes: tuple[str, str]  # from and to
    look: Look
    lines: tuple[str, ...]
    tooltip: str = ""
    url: str = ""

    @property
    def height(self) -> float:
        return _LINE * len(self.lines) + _PADDING


class _Drawing:
    """One ladder: rows from the top down, each placed and written as it comes."""

    def __init__(self, ladder: Ladder, overlay: Overlay, colours: Palette, background: str) -> None:
        self.ladder, self.overlay, self.colours, self.background = ladder, overlay, colours, background
        self.left: dict[str, int] = {}
        self.width = 0
        for lane, width in _LANE_WIDTH.items():
            self.left[lane] = self.width
            self.width += width
        self.place: dict[str, tuple[float, float]] = {}  # centre of a box, y downwards
        self.nodes: list[str] = []
        self.arrows: list[str] = []
        self.y = 0.0
        c = colours
        self.bands = {
            "application": c.band_app, "ale": c.band_ale, "transport": c.band_transport,
            "network": c.band_network, "wire": c.band_wire, "remote": c.band_below,
        }  # fmt: skip
        self.kinds = {
            "local": Look(c.local_fill, c.local, c.ink),
            "outbound": Look(c.out_fill, c.out, c.ink),
            "inbound": Look(c.inn_fill, c.inn, c.ink),
            "icmp": Look(c.icmp_fill, c.icmp, c.ink),
            "block": Look(c.block_fill, c.block, c.ink, wide=2.2),
            "discard": Look(c.paper, c.block, c.ink),
        }
        self.plain = Look(c.paper, c.rule, c.ink)
        self.state = Look(c.state_fill, c.hair, c.state)

    def dot(self) -> str:
        ladder = self.ladder
        self._heading()
        top = self.y
        self.y += _GAP / 2
        before = ladder.state
        after = f"after {ladder.setup}: " if ladder.setup else ""
        self._ribbon("state0", f"{after}state {before}{ladder.of_peer}" if before else after.rstrip(": "), before)
        for number, part in enumerate(ladder.parts, 1):
            self._part(part, f"part{number}")
            same = ", unchanged" if part.state == before else ""
            if part.state and ("/" in part.state or not same):  # a host without socket has one state only
                self._ribbon(f"state{number}", f"state {part.state}{part.of_peer}{same}", part.state)
            before = part.state or before
        lanes = [self._lane(lane, top) for lane in LANES]
        self._legend()
        graph = graph_attributes(self.colours, self.background) | {
            "layout": "neato",
            "inputscale": "72",
            "splines": "line",
            "tooltip": " ",
        }
        node = {"fontname": FONT, "fontsize": f"{_TEXT_SIZE:g}", "fontcolor": self.colours.ink}
        node |= {"shape": "box", "margin": "0.05,0.03", "tooltip": " "}
        edge = {"color": self.colours.rule, "penwidth": "1.2", "arrowsize": "0.7", "tooltip": " "}
        defaults = [
            f"  {name} [{attributes(values)}];" for name, values in (("graph", graph), ("node", node), ("edge", edge))
        ]
        return "\n".join(["digraph ladder {", *defaults, *lanes, *self.nodes, *self.arrows, "}", ""])

    # -- the frame ------------------------------------------------------------------------------------------------

    def _heading(self) -> None:
        for name, text, size, line in (("title", self.ladder.title, 12, 16), ("about", self.ladder.about, 9, 13)):
            lines = fitted(text, self.width, size, bold=name == "title")
            self._text(name, 0, self.width, line * len(lines), lines, size, bold=name == "title")
            self.y += line * len(lines) + 3
        self.y += 4
        for name, first, last in _HOST_SPANS:
            left, right = self._span((first, last))
            look = Look(self.colours.grey, self.colours.hair, self.colours.muted)
            self._node(
                _Box(name, (first, last), look, (html_line(name),)), (left + right) / 2, self.y + 8, right - left, 16
            )
        self.y += 20
        for lane, name in LANES.items():
            left, right = self._span((lane, lane), inset=0)
            shown = "peer" if lane == "remote" else name
            values = {**self._at((left + right) / 2, self.y + 9, right - left, 18), "shape": "plain"}
            label = html_line(shown, _NAME_SIZE, bold=True)
            self.nodes.append(f"  {node_name(f'lane {lane} name')} [{attributes(values)}, label=<{label}>];")
        self.y += 18

    def _lane(self, lane: str, top: float) -> str:
        left, right = self._span((lane, lane), inset=2)
        values = {
            **self._at((left + right) / 2, (top + self.y) / 2, right - left, self.y - top),
            "label": "", "style": "filled", "fillcolor": self.bands[lane], "color": self.bands[lane], "class": "lane",
        }  # fmt: skip
        return f"  {node_name(f'lane {lane}')} [{attributes(values)}];"

    def _legend(self) -> None:
        """Two rows of samples: the borders say who says so, the colours what comes by."""
        present = {rung_kind(rung) for part in self.ladder.parts for rung in part.rungs}
        stops = any(rung.stops for part in self.ladder.parts for rung in part.rungs)
        discards = any(rung.is_discard for part in self.ladder.parts for rung in part.rungs)
        words = {"local": "no packet", "icmp": "ICMP error", "discard": "discard layer"}
        shown = [
            kind
            for kind in self.kinds
            if kind in present or (kind == "block" and stops) or (kind == "discard" and discards)
        ]
        samples = [
            (f"{look.mark} {look.text}".strip(), replace(self.plain, style=look.style)) for look in BASIS.values()
        ]
        samples += [(words.get(kind, kind), self.kinds[kind]) for kind in shown]
        x, self.y = float(self.left["application"] + _INSET / 2), self.y + 8
        for number, (word, look) in enumerate(samples):
            width = text_width(word, _TEXT_SIZE) + 16
            if x + width > self.width:
                x, self.y = float(self.left["application"] + _INSET / 2), self.y + 22
            self._node(
                _Box(f"legend{number}", ("ale", "ale"), look, (html_line(word),)), x + width / 2, self.y + 8, width, 16
            )
            x += width + 7
        self.y += 20
        text = "id: run-time id of the layer.  log: Security event, where auditing is on."
        self._text(
            "legend",
            self.left["application"] + _INSET / 2,
            self.width - self.left["application"],
            12,
            (text,),
            _TEXT_SIZE,
        )

    def _ribbon(self, name: str, text: str, state: str) -> None:
        """The state between two parts, across the lanes of the layers."""
        if text:
            left, right = self._span(_INSIDE)
            lines = _words(text, right - left - 20)
            look = self.state
            if state and state == self.overlay.current:
                look = Look(self.colours.taken_fill, self.colours.taken, self.colours.ink, wide=2)
            self._row([_Box(name, _INSIDE, look, lines)], height=_LINE * len(lines) + 4)

    # -- a part ---------------------------------------------------------------------------------------------------

    def _part(self, part: Part, name: str) -> None:
        start = self._start(part, name)
        results = self._results(part, name)
        rungs = [self._rung(rung, f"{name} rung{rung.number}") for rung in part.rungs]
        path = [box.name for box in ([start] if part.start else []) + rungs]
        if not rungs and part.start:
            quiet = _Box(
                f"{name} quiet",
                _INSIDE,
                replace(self.plain, line=self.colours.hair),
                (html_line("no layer sees this"),),
            )
            self._row([start, quiet])
        elif not part.start:
            self._row([start])
        # The results stand beside the last rung, unless something else stands there, or it was not the end.
        beside = part.way_out not in ("lost", "held") and (len(rungs) > 1 or not part.start)
        for box, rung in zip(rungs, part.rungs, strict=True):
            boxes = [box]
            if box is rungs[0] and part.start:
                boxes.append(start)
            if box is rungs[-1] and beside:
                boxes += results
                results = []
            self._row(boxes, fitted(f"{rung.number}  {rung.label}", _LANE_WIDTH["gutter"] - 6, 9))
        if results:
            self._row(results)
        for before, after in pairwise(path):
            self._arrow(before, after)
        out = f"{name} {part.way_out}"
        if path and out in self.place:
            self._arrow(path[-1], out, down_first=True)

    def _start(self, part: Part, name: str) -> _Box:
        lanes = (part.start, part.start) if part.start else _INSIDE
        text = part.text if part.start or part.rungs else f"{part.text}; no layer sees this"
        left, right = self._span(lanes)
        names = fitted(part.name, right - left - 12, _NAME_SIZE, bold=True)
        lines = (
            *(html_line(name, _NAME_SIZE, bold=True) for name in names),
            *_words(text, right - left - 12, apart=True),
        )
        return self._cited(_Box(f"{name} start", lanes, self.plain, lines), part.begin)

    def _results(self, part: Part, name: str) -> list[_Box]:
        boxes = []
        steps = [*([part.begin] if part.begin else []), *(rung.step for rung in part.rungs)]
        for lane, text in (("application", part.application_sees), ("remote", part.remote_sees)):
            if text:
                left, right = self._span((lane, lane))
                lines = _words(text, right - left - 12)
                said = [step for step in steps if text in (step.application_sees, step.remote_sees)]
                boxes.append(
                    self._cited(_Box(f"{name} {lane}", (lane, lane), self.plain, lines), said[-1] if said else None)
                )
        if part.way_out in ("lost", "held") and part.rungs:
            lane = part.rungs[-1].lane
            text = part.lost if part.way_out == "lost" else "a callout holds it"
            look = Look(self.colours.paper, self.colours.block, self.colours.block)
            boxes.append(_Box(f"{name} {part.way_out}", (lane, lane), look, (html_line(text, bold=True),)))
        return boxes

    def _rung(self, rung: Rung, name: str) -> _Box:
        left, right = self._span((rung.lane, rung.lane))
        step = rung.step
        verdict = step.verdict if step.verdict == "permit" else step.verdict.upper()
        facts = [f"id {step.runtime_id}", verdict, *rung.remarks, BASIS[Basis(step.basis)].mark]
        size = _NAME_SIZE if rung.is_discard else _TEXT_SIZE
        rows = [["_DISCARD" if rung.is_discard else rung.version]]
        for fact in filter(None, facts):
            if text_width("  ".join([*rows[-1], fact]), size) > right - left - 12:
                rows.append([])
                size = _TEXT_SIZE
            rows[-1].append(fact)
        lines = [html_line(rung.stem, _NAME_SIZE, bold=True)]
        for row in rows:
            # Blanks of a larger size set the lines apart: an HTML-like label has no line spacing.
            lines.append(
                html_line("  ", 10.5).join(
                    html_line(
                        fact,
                        _NAME_SIZE if fact == "_DISCARD" else _TEXT_SIZE,
                        bold=fact == "_DISCARD" or (fact.isupper() and fact == verdict),
                    )
                    for fact in row
                )
            )
        kind = "block" if rung.stops else "discard" if rung.is_discard else rung_kind(rung)
        box = self._cited(_Box(name, (rung.lane, rung.lane), self.kinds[kind], tuple(lines)), step)
        return self._overlaid(box, step.rule)

    def _cited(self, box: _Box, step: Step | None) -> _Box:
        """The box with the basis and the sources of its step."""
        if step is None:
            return box
        look = replace(box.look, style=BASIS[Basis(step.basis)].style)
        return _Box(box.name, box.lanes, look, box.lines, citation(step), cite_url(step.cite))

    def _overlaid(self, box: _Box, rule: str) -> _Box:
        """The box of a rung, marked where the overlay has its rule, stepping back where it has others only."""
        over, colours = self.overlay, self.colours
        if over.takes(rule):
            times = over.counts.get(rule, 0)  # its place in the path is the number of the rung
            more = (html_line(f"x{times}", bold=True, colour=colours.taken),) if times else ()
            return replace(box, look=replace(box.look, line=colours.taken, wide=2.6), lines=(*box.lines, *more))
        if over.dims:
            return replace(
                box, look=replace(box.look, fill=colours.grey, line=colours.dim, text=colours.grey_ink, wide=1.1)
            )
        return box

    # -- places ---------------------------------------------------------------------------------------------------

    def _span(self, lanes: tuple[str, str], inset: int = _INSET) -> tuple[float, float]:
        first, last = lanes
        return self.left[first] + inset / 2, self.left[last] + _LANE_WIDTH[last] - inset / 2

    def _row(self, boxes: Sequence[_Box], gutter: Sequence[str] = (), height: float = 0) -> None:
        height = height or max(*(box.height for box in boxes), _LINE * len(gutter), _LINE + _PADDING)
        middle = self.y + height / 2
        for box in boxes:
            left, right = self._span(box.lanes)
            self.place[box.name] = ((left + right) / 2, middle)
            self._node(box, (left + right) / 2, middle, right - left, min(height, box.height))
        if gutter:
            tall = _LINE * len(gutter)
            top, self.y = self.y, middle - tall / 2
            self._text(f"{boxes[0].name} label", 0, _LANE_WIDTH["gutter"], tall, gutter, 9)
            self.y = top
        self.y += height + _GAP

    def _arrow(self, before: str, after: str, *, down_first: bool = False) -> None:
        (x1, y1), (x2, y2) = self.place[before], self.place[after]
        tail, head = node_name(before), node_name(after)
        side, other = ("e", "w") if x2 > x1 else ("w", "e")
        if x1 == x2:
            self.arrows.append(f"  {tail}:s -> {head}:n;")
        elif y1 == y2:
            self.arrows.append(f"  {tail}:{side} -> {head}:{other};")
        else:
            x, y = (x1, y2) if down_first else (x2, y1)
            corner = node_name(f"corner {after}")
            values = {**self._at(x, y, 1.2, 1.2), "shape": "point", "color": self.colours.rule}
            self.nodes.append(f"  {corner} [{attributes(values)}];")
            first, second = (":s", f":{other}") if down_first else (f":{side}", ":n")
            self.arrows.append(f"  {tail}{first} -> {corner} [arrowhead=none];")
            self.arrows.append(f"  {corner} -> {head}{second};")

    # -- writing --------------------------------------------------------------------------------------------------

    def _at(self, x: float, y: float, width: float, height: float) -> dict[str, str]:
        return {"pos": f"{x:g},{-y:g}!", "width": f"{width / 72:.3f}", "height": f"{height / 72:.3f}"}

    def _text(
        self, name: str, x: float, width: float, height: float, lines: Sequence[str], size: float,
        *, bold: bool = False,
    ) -> None:  # fmt: skip
        """Lines of text without a shape, from the present height on; a table, because it alone aligns to a side."""
        cells = "".join(f'<TR><TD ALIGN="LEFT">{html_line(line, size, bold=bold)}</TD></TR>' for line in lines)
        bare = 'BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0" FIXEDSIZE="TRUE"'
        table = f'<TABLE {bare} WIDTH="{width:g}" HEIGHT="{height:g}">{cells}</TABLE>'
        values = {
            **self._at(x + width / 2, self.y + height / 2, width, height),
            "shape": "plain",
        }
        self.nodes.append(f"  {node_name(name)} [{attributes(values)}, label=<{table}>];")

    def _node(self, box: _Box, x: float, y: float, width: float, height: float) -> None:
        look = box.look
        values = {
            "id": node_name(box.name),
            **self._at(x, y, width, height),
            "style": f"filled,rounded,{look.style}",
            "fillcolor": look.fill,
            "color": look.line,
            "fontcolor": look.text,
            "penwidth": f"{look.wide:g}",
            "tooltip": box.tooltip or " ",
        }
        if box.url:
            values |= {"URL": box.url, "target": "_blank"}
        self.nodes.append(f"  {node_name(box.name)} [{attributes(values)}, label=<{'<BR/>'.join(box.lines)}>];")


def _words(text: str, width: float, *, apart: bool = False) -> tuple[str, ...]:
    """Running text as lines of an HTML-like label; on demand the first one is set apart from what stands above it."""
    if not apart:
        return tuple(map(html_line, fitted(text, width, _TEXT_SIZE)))
    first, *others = fitted(text, width, _TEXT_SIZE)
    head, blank, rest = first.partition(" ")
    return (html_line(head) + (html_line(blank, 11) + html_line(rest) if rest else ""), *map(html_line, others))
