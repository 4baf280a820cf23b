"""The one-page picture of the path of a UDP datagram through WFP: both directions, every layer, every consequence.

Boxes are positions of the rules, stimuli, ends and the values of the flow register; lines are rows. Where a box stands
on the page is a hint kept as data below; what has no hint gets a place of its own at the right, in the band of its
layer, and the lines find their way by themselves (`fsm.draw.route`). The DOT text is finished geometry
(`layout=nop2`): Graphviz draws it and lays nothing out, so every renderer gives the same picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise

import graphviz

from fsm import catalogue
from fsm.choices import CHOICES, Config
from fsm.draw import boxes
from fsm.draw.overlay import Overlay
from fsm.draw.route import Point, Port, Rect, Router, Wire, spline
from fsm.draw.theme import (
    BASIS,
    Palette,
    cite_url,
    edge_attributes,
    graph_attributes,
    html,
    node_attributes,
    palette,
    row_tooltip,
    safe_id,
    text_width,
    wrap,
)
from fsm.names import DONE, IDLE, REGISTERS, Basis
from fsm.rows import Row
from fsm.rules import RULES
from fsm.stimuli import POSITIONS, STIMULI

# Disputes whose other sides are drawn too, in grey: they change the path and not only a word.
SHOWN_DISPUTES = ("close", "no_listener")

# Sizes in points. At 1,600 pixels the picture is a little smaller than its own size.
_WIDTH, _GAP, _HALF_GAP = 186.0, 38.0, 10.0
_LEFT = 92.0  # for the names of the bands
_TITLE, _TEXT, _EXIT, _SMALL, _CHIP = 13.0, 11.0, 10.0, 9.5, 11.0
_SAMPLE = 34.0  # width of the lines in the legend
_LINE = 1.2  # height of a line, in font sizes
_ROW_GAP = 31.0
_BAND_GAP = 17.0  # above and below the rows of a band
_HEAD = 46.0  # for the title
_LANE = 8.0

# The bands from top to bottom and their rows.
_BANDS: tuple[tuple[str, int, int], ...] = (
    ("application", 0, 0),
    ("ALE", 1, 3),
    ("transport", 4, 5),
    ("network", 6, 7),
    ("below IP", 8, 8),
    ("wire", 9, 9),
)
_ROWS_OF_GROUP = {"ale": (1, 3), "datagram": (4, 4), "transport": (5, 5), "icmp": (4, 4), "ippacket": (7, 7)}
_APPLICATION, _BELOW, _WIRE = 0, 8, 9
_FILL_OF_BAND = ("band_app", "band_ale", "band_transport", "band_network", "band_below", "band_wire")

# Where things stand: column (a half is the right half of a column), row, columns covered.
Place = tuple[float, int, float]
_PLACES: dict[str, Place] = {
    "stimulus bind": (0, 0, 1),
    "position bind.redirect": (0, 1, 1),
    "position bind.assign": (0, 2, 1),
    "end BOUND": (0, 3, 1),
    "stimulus sendto": (1, 0, 2),
    "position send.redirect": (1, 1, 1),
    "position send.authorize": (1, 2, 1),
    "position send.reaccept": (2, 2, 1),
    "position send.establish": (1, 3, 1),
    "position send.data": (1, 4, 2),
    "position send.transport": (1, 5, 2),
    "position send.ippacket": (1, 7, 2),
    "end send wire": (1, 9, 2),
    "end receive application": (3, 0, 2),
    "position receive.establish": (4, 2, 1),
    "position receive.accept": (4, 3, 1),
    "position receive.reconnect": (3, 2, 1),
    "position receive.data": (3, 4, 1),
    "position receive.transport": (3, 5, 2),
    "position receive.ippacket": (3, 7, 2),
    "stimulus datagram": (3, 9, 2),
    "stimulus close": (5, 0, 1),
    "position close.closure": (5, 1, 1),
    "position close.release": (5, 2, 1),
    "end CLOSED": (5, 3, 1),
    "end icmp application": (6, 0, 2),
    "position icmp.error": (5, 4, 1),
    "position icmp.ippacket": (5, 7, 1),
    "stimulus icmp_error": (5, 9, 0.5),
    "stimulus icmp_ttl": (5.5, 9, 0.5),
    "position drop.transport_discard": (6, 4, 1),
    "position drop.transport": (6, 5, 1),
    "position drop.ippacket_discard": (6, 6, 1),
    "position drop.ippacket": (6, 7, 1),
    "position drop.icmp_error": (7, 4, 1),
    "position drop.icmp_transport": (7, 5, 1),
    "position drop.icmp_ippacket": (7, 7, 1),
    "stimulus datagram host": (6, 9, 1),
    "end drop wire": (7, 9, 1),
    "flow NONE": (6, 1, 2),
    "flow OUT": (6, 2, 1),
    "flow IN": (7, 2, 1),
    "flow OUT_STALE": (6, 3, 1),
    "flow IN_STALE": (7, 3, 1),
    "grey vswitch outbound": (1, 8, 1),
    "grey mac outbound": (2, 8, 1),
    "grey mac inbound": (3, 8, 1),
    "grey vswitch inbound": (4, 8, 1),
    "grey forward": (0, 7, 1),
    "note fragments": (0, 6, 1),
    "note legend": (0, 4, 1),
}
# The layers that are shown and not run, by group (and direction where the two stand apart).
_GREY: tuple[tuple[str, str, str], ...] = (
    ("grey mac outbound", "mac", "outbound"),
    ("grey mac inbound", "mac", "inbound"),
    ("grey vswitch outbound", "vswitch", "outbound"),
    ("grey vswitch inbound", "vswitch", "inbound"),
    ("grey forward", "forward", ""),
)
_FRAGMENTS = (
    "A packet in n fragments is classified 2n+1 times at INBOUND_IPPACKET: each as a plain packet, again with "
    "IS_FRAGMENT, and the whole with IS_REASSEMBLED. All layers above see the whole only. Outbound: one classify "
    "before fragmentation, none per fragment."
)
_FRAGMENTS_CITE = ("WLR", "CFL", "LID", "PIP")
_PILLS = ("stimulus", "end", "flow")  # what is no layer has round corners
_TONE_OF_PREFIX = {"bind": "local", "close": "local", "send": "out", "receive": "inn", "icmp": "icmp", "drop": "icmp"}


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text in a box, with what it points to."""

    text: str
    role: str = "ink"
    id: str = ""
    tooltip: str = ""
    url: str = ""
    bold: bool = False
    short: str = ""  # to say where `text` does not fit on one line
    right: str = ""  # stands at the right of the line, in the colour of blocks
    right_id: str = ""
    sample: str = ""  # the legend: a piece of a line in this style stands at the left
    size: float = _TEXT

    def broken(self, width: float) -> list[str]:
        lines = _broken(self.text, width - (_SAMPLE if self.sample else 0), self.size, self.bold)
        return _broken(self.short, width, self.size, self.bold) if self.short and len(lines) > 1 else lines


@dataclass(slots=True)
class _Box:
    """A thing on the page."""

    key: str
    kind: str  # position | stimulus | end | flow | grey | note
    tone: str
    title: str
    ids: str = ""
    lines: list[_Line] = field(default_factory=list)
    top: list[tuple[Row, str]] = field(default_factory=list)  # exits upwards: row, text
    bottom: list[tuple[Row, str]] = field(default_factory=list)
    ghost: bool = False
    tooltip: str = ""
    url: str = ""
    stem: str = ""
    badges: tuple[Row, ...] = ()
    place: Place = (0.0, 0, 1.0)
    rect: Rect = Rect(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Edge:
    """A line on the page: one row, or one change of the flow register by rows that are drawn elsewhere."""

    id: str
    row: Row
    start: str
    end: str
    corners: tuple[Point, ...]
    tone: str
    ghost: bool
    derived: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class _Page:
    boxes: tuple[_Box, ...]
    edges: tuple[_Edge, ...]
    bands: tuple[tuple[str, str, Rect], ...]
    width: float
    height: float


def packet_path_dot(
    config: Config,
    overlay: Overlay | None = None,
    *,
    dark: bool = False,
    background: str = "transparent",
    rows: tuple[Row, ...] = RULES,
) -> str:
    """The DOT text of the one-page picture.

    Parameters
    ----------
    config : the machine; the other sides of `SHOWN_DISPUTES` are drawn in grey.
    overlay : what to lay over it: a path, counts, where it was blocked.
    dark, background : for a PNG, which has no style sheet; an SVG is written light and themed by `theme_svg`.
    rows : other rows than the package's own, for experiments.
    """
    page = _page(config, rows)
    return _Writer(page, config, overlay or Overlay(), palette(dark), background).source()


# ---- what is drawn: rows to boxes and exits -------------------------------------------------------------------------


@lru_cache(maxsize=32)
def _page(config: Config, rows: tuple[Row, ...]) -> _Page:
    return _Layout(config, rows).page()


class _Layout:
    """From rows to finished geometry."""

    def __init__(self, config: Config, rows: tuple[Row, ...]) -> None:
        self.config = config
        self.selection = boxes.select(rows, config, SHOWN_DISPUTES)
        self.twins = self.selection.twins()
        self.boxes: dict[str, _Box] = {}
        self.ways = [row for row in self.selection.rows if boxes.is_way_on(row, self.twins)]
        self.drawn: list[tuple[str, Row, str, str, tuple[Row, ...]]] = []  # id, row, from, to, rows behind

    def page(self) -> _Page:
        self._add_boxes()
        self._add_edges()
        self._add_flow()
        self._add_grey_and_notes()
        self._place()
        self._add_exits()
        return self._measure()

    def _add_boxes(self) -> None:
        for row in self.ways:
            self._box_at(row)
            self._target(row)

    def _box_at(self, row: Row) -> str:
        if row.at == IDLE and row.scope == "flow":
            return ""
        if row.at == IDLE:
            host = " host" if row.scope == "host" and "socket" in STIMULI[row.event].scopes else ""
            key = f"stimulus {row.event}{host}"
            if key not in self.boxes:
                prefix = row.next.split(".")[0]
                tone = _TONE_OF_PREFIX.get(prefix if prefix != DONE else row.event, "local")
                text = STIMULI[row.event].text
                if host:
                    text = "a datagram arrives for a port that no socket owns"
                tone = "out" if row.event == "sendto" else tone
                own = [r for r in self.ways if r.at == IDLE and r.event == row.event and r.scope == row.scope]
                said = [_Line(text, "ink")]
                said += [_Line(line, "muted") for line in boxes.dispute_lines(own, self.config, SHOWN_DISPUTES)]
                self.boxes[key] = _Box(key, "stimulus", tone, row.event, lines=said)
            return key
        key = f"position {row.at}"
        if key not in self.boxes:
            self.boxes[key] = self._position_box(key, row)
        return key

    def _position_box(self, key: str, row: Row) -> _Box:
        here = self.selection.at(row.at)
        stem = row.layer or ""
        ghost = all(r.key in self.selection.ghosts for r in here)
        lines: list[_Line] = []
        ways = [r for r in here if boxes.is_way_on(r, self.twins)]
        if ghost:
            lines.append(_Line(f"only if {self.selection.ghosts[row.key]}", "muted"))
        else:
            lines += [_Line(text, "muted") for text in boxes.dispute_lines(ways, self.config, SHOWN_DISPUTES)]
        if all("IS_REAUTHORIZE" in r.flags for r in ways):
            lines.append(_Line("reauthorization", "muted", tooltip=row_tooltip(row)))
        for badge in () if ghost else boxes.consequences(self.selection, row.at, self.config.windows):
            for line in self._badge(badge):
                before = lines[-1] if lines else line
                together = text_width(before.text, _TEXT) + text_width(line.text, _TEXT) + 26
                if line.right_id and before.text.startswith("log ") and together < _WIDTH:
                    lines[-1] = replace(before, right=line.text, right_id=line.right_id)  # two short ones on one line
                else:
                    lines.append(line)
        if not ghost and not any(line.role == "block" for line in lines):
            lines.append(_Line("cannot be blocked", "muted"))
        return _Box(
            key,
            "position",
            _TONE_OF_PREFIX.get(row.at.split(".")[0], "local"),
            boxes.layer_title(stem),
            boxes.layer_ids(stem, self.config.windows),
            lines,
            ghost=ghost,
            tooltip=f"{row.at}: {boxes.position_text(row.at)}",
            url=cite_url(row.cite),
            stem=stem,
            badges=tuple(r for r in here if not boxes.is_way_on(r, self.twins)),
        )

    def _badge(self, badge: boxes.Consequence) -> Iterator[_Line]:
        tooltip = "\n".join(row_tooltip(r) for r in (*badge.rows, *badge.twin_rows))
        url = cite_url(key for r in badge.rows for key in r.cite)
        name = safe_id("row", badge.rows[0].key)
        said = badge.logged
        if badge.lines or badge.twin_rows:
            yield _Line(badge.head, "block", name, tooltip, url, bold=True, short=badge.short)
            for text in badge.lines:
                yield _Line(text, "ink", tooltip=tooltip)
            if said:
                yield _Line(said, "ink", tooltip=tooltip)
        else:
            yield _Line(
                ": ".join((badge.head.replace("absorb", "absorb: no trace"), said)).removesuffix(": "),
                "block",
                name,
                tooltip,
                url,
                right_id=name,
            )

    def _target(self, row: Row) -> str:
        if row.next != DONE:
            return f"position {row.next}"
        prefix = row.at.split(".")[0] if row.at != IDLE else row.event
        socket = dict(row.sets).get("socket")
        if row.scope == "flow":
            return ""
        if "emit" in row.ops or "emit_icmp" in row.ops:
            key, title, text, tone = (
                f"end {prefix} wire",
                row.outcome,
                row.remote_sees,
                _TONE_OF_PREFIX.get(prefix, "out"),
            )
        elif socket:
            key, title, text, tone = f"end {socket}", f"socket {socket}", row.application_sees, "local"
        else:
            where = "application" if row.scope == "socket" else "silent"
            key, title = f"end {prefix} {where}", row.outcome or "done"
            text, tone = row.application_sees or row.remote_sees, _TONE_OF_PREFIX.get(prefix, "inn")
        box = self.boxes.setdefault(key, _Box(key, "end", tone, title.replace("_", " ")))
        if text and text not in {line.text for line in box.lines}:
            box.lines.append(_Line(text, "ink"))
        return key

    def _add_edges(self) -> None:
        for row in self.ways:
            if row.scope != "flow":
                self.drawn.append((safe_id("row", row.key), row, self._box_at(row), self._target(row), ()))

    def _add_flow(self) -> None:
        """The flow register as a small machine: its values, and every row that changes it."""
        moves: dict[tuple[str, str], list[Row]] = {}
        for row in self.selection.rows:
            values, target = boxes.flow_values(row)
            if row.key in self.selection.ghosts or (target is None and row.scope != "flow"):
                continue
            if "drop_all_flows" in row.ops or "CLOSED" in dict(row.sets).values():
                continue  # the socket ends, and every flow with it: that is drawn at the socket
            if "create_flow" in row.ops and "flow" not in dict(row.when):
                values = ("NONE",)
            elif "IS_REAUTHORIZE" in row.flags and "flow" not in dict(row.when):
                values = tuple(v for v in REGISTERS["flow"] if v.endswith("_STALE") and v.startswith(_made_by(row)))
            for value in values:
                moves.setdefault((value, target or value), []).append(row)
        for value, target in moves:
            for name in (value, target):
                key = f"flow {name}"
                if key not in self.boxes:
                    text = _FLOW_TEXT.get(name, "")
                    self.boxes[key] = _Box(key, "flow", "state", f"flow {name}", tooltip=text)
        seen: set[str] = set()
        for (value, target), rows in moves.items():
            own = [row for row in rows if row.scope == "flow"]
            name = _once(safe_id("row", own[0].key) if own else safe_id("flow", f"{value} {target}"), seen)
            if target == value:
                text = f"{_flow_words(rows)}: stays"
                tooltip = "\n".join(row_tooltip(row) for row in rows)
                self.boxes[f"flow {value}"].lines.append(_Line(text, "muted", name, tooltip))
            else:
                self.drawn.append((name, rows[0], f"flow {value}", f"flow {target}", tuple(rows)))

    def _add_grey_and_notes(self) -> None:
        for key, group, direction in _GREY:
            found = [
                la
                for la in catalogue.layers()
                if la.group == group and not la.is_discard and not la.stem.endswith("_FAST")
            ]
            found = [la for la in found if direction in ("", la.direction) and la.exists_on(self.config.windows)]
            stems = dict.fromkeys(la.stem for la in found)
            if stems:
                lines = [
                    _Line(
                        f"{boxes.layer_title(stem)} {boxes.layer_ids(stem, self.config.windows)}",
                        "grey_ink",
                        size=_SMALL,
                    )
                    for stem in stems
                ]
                self.boxes[key] = _Box(
                    key, "grey", "grey", "", lines=lines, tooltip="a layer of WFP that this model does not run"
                )
        self.boxes["note legend"] = _Box("note legend", "note", "grey", "How to read it", lines=self._legend())
        cite = [_Line(_FRAGMENTS, "ink", "note_fragments", "; ".join(_FRAGMENTS_CITE), cite_url(_FRAGMENTS_CITE))]
        self.boxes["note fragments"] = _Box("note fragments", "note", "grey", "Fragments", lines=cite)

    def _legend(self) -> list[_Line]:
        """Only what occurs."""
        bases = {row.basis for row in self.selection.rows}
        lines = [
            _Line(" ".join(filter(None, (look.text, look.mark))), "ink", sample=look.style)
            for basis, look in BASIS.items()
            if basis in bases
        ]
        if self.selection.ghosts:
            lines.append(_Line("grey, dashed box: the other side of a dispute", "muted"))
        if any(box.kind == "grey" for box in self.boxes.values()):
            lines.append(_Line("grey box: a layer that is not run here", "muted"))
        lines.append(_Line("discard n/m: the layer's _DISCARD twin", "muted"))
        if any(row.event == "absorb" for row in self.selection.rows):
            lines.append(_Line("absorb: a block without discard layer and log", "muted"))
        lines.append(_Line("log n: Security event n, if a filter decided", "muted"))
        return lines

    # -- places -------------------------------------------------------------------------------------------------------

    def _place(self) -> None:
        used: set[tuple[int, int]] = set()
        for box in self.boxes.values():
            if box.key in _PLACES:
                box.place = _PLACES[box.key]
                column, row, span = box.place
                used |= {(int(column) + i, row) for i in range(max(1, int(span)))}
        column_of: dict[str, int] = {}
        free = 1 + max(
            (int(c) + max(1, int(s)) - 1 for c, _, s in (box.place for box in self.boxes.values())), default=0
        )
        for box in self.boxes.values():
            if box.key in _PLACES:
                continue
            family = box.key.split(" ")[1].split(".")[0] if box.kind != "flow" else "flow"
            first, last = self._rows_for(box)
            column = column_of.get(family, free)
            row = next((r for r in range(first, last + 1) if (column, r) not in used), None)
            if row is None or family not in column_of:
                column = column_of[family] = free
                free += 1
                row = first
            used.add((column, row))
            box.place = (column, row, 1)

    def _rows_for(self, box: _Box) -> tuple[int, int]:
        if box.kind == "stimulus":
            inbound = STIMULI[box.key.split(" ")[1]].packet_direction == "inbound"
            return (_WIRE, _WIRE) if inbound else (_APPLICATION, _APPLICATION)
        if box.kind == "end":
            if "wire" in box.key:
                return (_WIRE, _WIRE)
            return (_APPLICATION, _APPLICATION) if "application" in box.key else _ROWS_OF_GROUP["ale"]
        if box.stem:
            return _ROWS_OF_GROUP.get(catalogue.layer_of(box.stem, 4).group, _ROWS_OF_GROUP["ale"])
        return _ROWS_OF_GROUP["ale"] if box.kind == "flow" else (_BELOW, _BELOW)

    def _add_exits(self) -> None:
        """Where a box has several ways on, or one with a condition, each gets a cell to leave from.

        Lines that arrive at a side with such cells get an empty cell there.
        """
        leaving: dict[str, list[tuple[Row, str, tuple[Row, ...]]]] = {}
        for _, row, start, end, behind in self.drawn:
            leaving.setdefault(start, []).append((row, end, behind))
        for start, ways in leaving.items():
            box = self.boxes[start]
            texts = [self._exit_text(box, row, behind, len(ways)) for row, _, behind in ways]
            if not any(texts):
                continue
            if len(set(texts)) == 1 and len(ways) > 1:
                box.lines.append(_Line(texts[0], "muted"))
                continue
            for (row, end, _), text in zip(ways, texts, strict=True):
                (box.top if self._goes_up(box, self.boxes[end]) else box.bottom).append((row, text))
        for box in self.boxes.values():
            order: dict[str, float] = {
                row.key: self._middle(self.boxes[end]) for row, end, _ in leaving.get(box.key, ())
            }
            for up, cells in ((True, box.top), (False, box.bottom)):
                arriving = [
                    self._middle(self.boxes[start])
                    for _, _, start, end, _ in self.drawn
                    if end == box.key and (self.boxes[start].place[1] < box.place[1]) == up
                ]
                if cells and arriving:
                    cells.append((_NOBODY, ""))
                    order[_NOBODY.key] = sum(arriving) / len(arriving) + (-0.01 if up else 0.01)
                cells.sort(key=lambda cell: order[cell[0].key])

    def _exit_text(self, box: _Box, row: Row, behind: tuple[Row, ...], ways: int) -> str:
        if box.kind == "flow":
            return _flow_words(behind)
        words = [boxes.guard_words(row)]
        for name, options in row.choices:
            if CHOICES[name].kind == "dispute":
                words += [f"if {' or '.join(options)}"] if name in SHOWN_DISPUTES and ways > 1 else []
            elif options != (CHOICES[name].default(self.config.evidence),):
                words.append(f"{name} {' or '.join(options)}")
        text = ", ".join(word for word in words if word)
        if not text and ways > 1 and row.when:
            text = ", ".join(f"{name} {' or '.join(values)}" for name, values in row.when)
        return (text + boxes.marks([row])).strip() if text else ""

    def _middle(self, box: _Box) -> float:
        column, _, span = box.place
        return column + span / 2

    def _goes_up(self, box: _Box, target: _Box) -> bool:
        if box.kind == "stimulus":
            return box.place[1] > 0
        if box.kind == "flow":  # the neighbour above directly, others around
            return target.place[1] == box.place[1] - 1
        position = POSITIONS.get(box.key.partition(" ")[2])
        inbound = position is not None and position.packet_direction == "inbound"
        return inbound and target.place[1] < box.place[1]

    # -- geometry -----------------------------------------------------------------------------------------------------

    def _left(self, column: float) -> float:
        whole, part = int(column), column - int(column)
        return _LEFT + whole * (_WIDTH + _GAP) + part * (_WIDTH + _HALF_GAP)

    def _box_width(self, span: float) -> float:
        return span * _WIDTH + (span - 1) * _GAP if span >= 1 else (_WIDTH - _HALF_GAP) * span

    def _measure(self) -> _Page:
        last_row = max(row for _, _, row in _BANDS)
        heights = [0.0] * (last_row + 1)
        sizes = {
            key: (self._box_width(box.place[2]), box_height(box, self._box_width(box.place[2])))
            for key, box in self.boxes.items()
        }
        for key, box in self.boxes.items():
            if box.kind != "note":
                heights[box.place[1]] = max(heights[box.place[1]], sizes[key][1])
        tops: list[float] = []
        y = -_HEAD
        bands: list[tuple[str, str, Rect]] = []
        columns = 1 + max(int(box.place[0]) + max(1, int(box.place[2])) - 1 for box in self.boxes.values())
        right = self._left(columns - 1) + _WIDTH + 24
        for (name, first, last), fill in zip(_BANDS, _FILL_OF_BAND, strict=True):
            band_top = y
            y -= _BAND_GAP
            for row in range(first, last + 1):
                tops.append(y)
                y -= heights[row] + (_ROW_GAP if row < last and heights[row] else 0)
            y -= _BAND_GAP
            bands.append((name, fill, Rect(8, y, right, band_top)))
        bottom = y
        for key, box in self.boxes.items():
            column, row, span = box.place
            width, height = sizes[key]
            middle = tops[row] - heights[row] / 2
            left = self._left(column)
            box.rect = Rect(left, middle - height / 2, left + width, middle + height / 2)
            if box.kind == "note":
                box.rect = Rect(left, tops[row] - height, left + width, tops[row])
        edges = tuple(self._route(columns, tops, heights, right, bottom))
        return _Page(tuple(self.boxes.values()), edges, tuple(bands), right, -bottom)

    def _route(
        self, columns: int, tops: list[float], heights: list[float], right: float, bottom: float
    ) -> Iterator[_Edge]:
        xs = [self._left(column) - _GAP + _LANE * (lane + 0.6) for column in range(columns + 1) for lane in range(4)]
        ys: list[float] = []
        for top, height in zip(tops, heights, strict=True):
            ys += [top + _LANE * (lane + 0.6) for lane in range(4)] + [
                top - height - _LANE * (lane + 0.6) for lane in range(2)
            ]
        obstacles = [box.rect for box in self.boxes.values()]
        wires: list[tuple[Wire, str, Row, str, str, tuple[Row, ...]]] = []
        ports: list[Port] = []
        for name, row, start, end, behind in self.drawn:
            a, b = self.boxes[start], self.boxes[end]
            wire = Wire(name, tuple(self._start_ports(a, b, row)), tuple(self._end_ports(a, b)))
            ports += [*wire.start, *wire.end]
            wires.append((wire, name, row, start, end, behind))
        router = Router(obstacles, xs, ys, ports)
        done: dict[str, _Edge] = {}
        for wire, name, row, start, end, behind in sorted(wires, key=lambda w: self._priority(w[2], w[3], w[4])):
            corners = router.route(wire)
            if corners is None:  # no lane is free: straight is better than missing
                corners = [self.boxes[start].rect.middle, self.boxes[end].rect.middle]
            box = self.boxes[start]
            tone = box.tone if box.kind != "flow" else "state"
            ghost = row.key in self.selection.ghosts
            done[name] = _Edge(name, row, start, end, tuple(corners), tone, ghost, behind)
        for name, *_ in self.drawn:
            yield done[name]

    def _priority(self, row: Row, start: str, end: str) -> tuple[int, float]:
        a, b = self.boxes[start].rect.middle, self.boxes[end].rect.middle
        return (1 if row.key in self.selection.ghosts else 0, abs(a[0] - b[0]) * 2 + abs(a[1] - b[1]))

    def _start_ports(self, box: _Box, target: _Box, row: Row) -> Iterator[Port]:
        rect = box.rect
        for side, cells in (("top", box.top), ("bottom", box.bottom)):
            for number, (other, _) in enumerate(cells):
                if other is row:
                    width = (rect.right - rect.left) / len(cells)
                    low = rect.left + number * width
                    at = low + width / 2
                    if low + 8 < target.rect.middle[0] < low + width - 8:
                        at = target.rect.middle[0]
                    yield Port(rect, side, low + 7, low + width - 7, at)
                    return
        natural = "top" if self._goes_up(box, target) else "bottom"
        x, y = rect.middle
        if rect.left + 10 < target.rect.middle[0] < rect.right - 10:
            x = target.rect.middle[0]
        yield Port(rect, natural, rect.left + 10, rect.right - 10, x)
        for side in ("left", "right"):
            yield Port(rect, side, rect.bottom + 8, rect.top - 8, y, 60)

    def _end_ports(self, start: _Box, box: _Box) -> Iterator[Port]:
        rect = box.rect
        x, y = rect.middle
        above = start.rect.middle[1] > y
        for side, cells, natural in (("top", box.top, above), ("bottom", box.bottom, not above)):
            blank = [number for number, (row, _) in enumerate(cells) if row is _NOBODY]
            if cells and not blank:
                continue
            width = (rect.right - rect.left) / max(1, len(cells))
            low = rect.left + width * (blank[0] if blank else 0)
            at = x if not cells else low + width / 2
            yield Port(rect, side, low + 10, low + width - 10, at, 0 if natural else 50)
        for side in ("left", "right"):
            yield Port(rect, side, rect.bottom + 8, rect.top - 8, y, 30)


# Stands for the lines that arrive, among the rows that leave from the cells of a box.
_NOBODY = Row("socket", IDLE, "", DONE, None, (), Basis.DOCUMENTED)

_FLOW_TEXT = {
    "NONE": "no packet of this peer was authorized",
    "OUT": "the first packet went out; packets of both directions belong to it",
    "IN": "the first packet came in; packets of both directions belong to it",
    "OUT_STALE": "outbound flow: its next packet is authorized again at AUTH_CONNECT",
    "IN_STALE": "inbound flow: its next packet is authorized again at AUTH_RECV_ACCEPT",
}
_FLOW_WORDS = {
    "first packet": "first packet permitted",
    "policy_change": "policy change",
    "idle_timeout": "60 s idle",
    "permit": "permitted again",
    "block": "blocked",
    "absorb": "blocked",
}


def _flow_words(rows: Iterable[Row]) -> str:
    """What changes a flow, in words: `blocked or 60 s idle`."""
    words = ("first packet" if "create_flow" in row.ops else row.event for row in rows)
    return " or ".join(dict.fromkeys(_FLOW_WORDS.get(word, word.replace("_", " ")) for word in words))


def _made_by(row: Row) -> str:
    """The direction of the flows that a layer authorizes."""
    return "IN" if row.layer == "ALE_AUTH_RECV_ACCEPT" else "OUT"


def _once(name: str, seen: set[str]) -> str:
    """An id that is given once: the second asker gets `name__2`."""
    found, number = name, 1
    while found in seen:
        number += 1
        found = f"{name}__{number}"
    seen.add(found)
    return found


# ---- text in boxes --------------------------------------------------------------------------------------------------


def _broken(text: str, width: float, size: float, bold: bool = False) -> list[str]:
    """`wrap`, which also breaks names at underscores where they do not fit."""
    lines: list[str] = []
    for line in wrap(text, width, size, bold):
        while text_width(line, size, bold) > width and "_" in line[1:-1]:
            cut = max(
                (i + 1 for i, c in enumerate(line[:-1]) if c == "_" and text_width(line[: i + 1], size, bold) <= width),
                default=0,
            )
            if not cut:
                break
            lines.append(line[:cut])
            line = line[cut:]
        lines.append(line)
    return lines


def _title_lines(box: _Box, width: float) -> list[str]:
    """The title, with the ids behind it where they fit."""
    if not box.title:
        return []
    lines = _broken(box.title, width - 8, _TITLE, True)
    return lines


def _exit_lines(cells: list[tuple[Row, str]], width: float) -> list[list[str]]:
    return [_broken(text, width / len(cells) - 6, _EXIT) for _, text in cells]


def box_height(box: _Box, width: float) -> float:
    """The height that a box needs for its text."""
    height = 0.0
    if box.title:
        height += (len(_title_lines(box, width)) + (1 if _ids_below(box, width) else 0)) * _TITLE * _LINE + 6
    if box.lines:
        height += sum(len(line.broken(width - 12)) * line.size for line in box.lines) * _LINE + 6
    for cells in (box.top, box.bottom):
        if cells:
            height += max(len(lines) for lines in _exit_lines(cells, width)) * _EXIT * _LINE + 5
    return height + 2


def _ids_below(box: _Box, width: float) -> bool:
    last = _title_lines(box, width)[-1]
    return bool(box.ids) and text_width(f"{last} ", _TITLE, True) + text_width(box.ids, _TITLE) > width - 8


# ---- writing DOT ----------------------------------------------------------------------------------------------------


class _Writer:
    """Finished geometry to DOT, in one palette, with an overlay."""

    def __init__(self, page: _Page, config: Config, overlay: Overlay, colours: Palette, background: str) -> None:
        self.page, self.config, self.overlay = page, config, overlay
        self.look = colours
        self.background = background
        self.touched: set[str] = set()
        for edge in page.edges:
            if self.takes(edge):
                self.touched |= {edge.start, edge.end}
        for box in page.boxes:
            if any(overlay.takes(row.key) for row in box.badges):
                self.touched.add(box.key)
        self.here = _standing(page, overlay.current)
        self.blocked = self._blocked()

    def takes(self, edge: _Edge) -> bool:
        """Whether the overlay takes this line: its row, or one of the rows behind a change of the flow."""
        return any(self.overlay.takes(row.key) for row in (edge.derived or (edge.row,)))

    def steps_back(self, box: _Box) -> bool:
        """Whether a box is dimmed, because the overlay says what was taken and this was not."""
        kept = box.key in self.touched or box.key in self.here or box.key in self.blocked
        return self.overlay.dims and not kept and box.kind not in ("note", "grey")

    def _blocked(self) -> set[str]:
        layer = self.overlay.blocked_at
        if not layer:
            return set()
        there = [box for box in self.page.boxes if box.stem and layer in boxes.layer_names(box.stem) and not box.ghost]
        stopped = [b for b in there if any(self.overlay.takes(row.key) for row in b.badges)]
        return {b.key for b in stopped or [b for b in there if b.key in self.touched] or there}

    def colour(self, role: str) -> str:
        value: str = getattr(self.look, role)
        return value

    def source(self) -> str:
        dot = graphviz.Digraph("packet_path")
        dot.attr(
            "graph",
            {
                **graph_attributes(self.look, self.background),
                "layout": "nop2",
                "outputorder": "edgesfirst",
                "bb": f"0,{-self.page.height:.1f},{self.page.width + 8:.1f},0",
            },
        )
        dot.attr("node", node_attributes(self.look))
        dot.attr("edge", edge_attributes(self.look))
        for name, fill, rect in self.page.bands:
            self._band(dot, name, fill, rect)
        self._title(dot)
        for box in self.page.boxes:
            self._box(dot, box)
        for edge in self.page.edges:
            self._edge(dot, edge)
        self._chips(dot)
        return str(dot.source)

    # -- the overlay's marks --------------------------------------------------------------------------------------

    def _chips(self, dot: graphviz.Digraph) -> None:
        """Numbers and counts on lines, counts and words at boxes; each finds a place where no other one is."""
        taken: list[Rect] = []
        for edge in self.page.edges:
            text = self.overlay.label(edge.row.key)
            if text and not edge.derived:
                self._chip(dot, f"at {edge.id}", text, _along(edge.corners), taken)
        for box in self.page.boxes:
            words = []
            if box.key in self.blocked:
                words.append("BLOCKED HERE")
            if box.key in self.here:
                words.append("STANDS HERE")
            labels = [self.overlay.label(row.key) for row in box.badges if self.overlay.label(row.key)]
            words += labels
            count = sum(self.overlay.layer_counts.get(n, 0) for n in boxes.layer_numbers(box.stem)) if box.stem else 0
            if count and not box.ghost:
                words.append(f"records: {count}")
            if words:
                self._chip(dot, f"on {box.key}", " - ".join(words), _beside(box.rect), taken, box.key in self.blocked)

    def _chip(
        self,
        dot: graphviz.Digraph,
        name: str,
        text: str,
        points: Iterable[Point],
        taken: list[Rect],
        block: bool = False,
    ) -> None:
        width, height = text_width(text, _CHIP, True) + 8, _CHIP * _LINE + 3
        places = [Rect(x - width / 2, y - height / 2, x + width / 2, y + height / 2) for x, y in points]
        place = next((p for p in places if not any(_overlap(p, other) for other in taken)), places[0])
        taken.append(place)
        role = "block" if block else "taken"
        label = (
            f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1" COLOR="{self.colour(role)}" '
            f'BGCOLOR="{self.colour(role + "_fill")}"><TR><TD WIDTH="{width:.0f}" HEIGHT="{height:.0f}">'
            f'<FONT POINT-SIZE="{_CHIP:g}" COLOR="{self.colour(role)}"><B>{html(text)}</B></FONT></TD></TR></TABLE>'
        )
        x, y = place.middle
        dot.node(
            safe_id("chip", name),
            _attributes={
                "label": f"<{label}>",
                "pos": f"{x:.1f},{y:.1f}",
                "class": "chip",
                "id": safe_id("chip", name),
            },
        )

    def _title(self, dot: graphviz.Digraph) -> None:
        config = self.config
        about = f"Windows {config.windows}; run-time ids V4/V6; evidence setting: {config.evidence}"
        about += "".join(f"; {name} = {option}" for name, option in config.assume)
        said = "UDP in the Windows Filtering Platform"
        width = text_width(said, 22, True) + text_width(about, 13) + 40
        text = (
            f'<FONT POINT-SIZE="22"><B>{said}</B></FONT>'
            f'<FONT POINT-SIZE="13" COLOR="{self.colour("muted")}">    {html(about)}</FONT>'
        )
        dot.node(
            "title",
            _attributes={
                "label": f"<{text}>",
                "pos": f"{8 + width / 2:.1f},{-_HEAD / 2:.1f}",
                "width": f"{width / 72:.3f}",
                "height": "0.45",
                "class": "title",
                "id": "title",
            },
        )

    def _band(self, dot: graphviz.Digraph, name: str, fill: str, rect: Rect) -> None:
        with dot.subgraph(name="cluster_" + name.replace(" ", "_")) as band:
            band.attr(
                bb=_corners_text(rect), style="filled", fillcolor=self.colour(fill), color=self.colour("hair"),
                id=safe_id("band", name), **{"class": "band"},
                label=name, fontsize="12", fontcolor=self.colour("muted"),
                lp=f"{rect.left + 42:.1f},{rect.middle[1]:.1f}",
            )  # fmt: skip

    def _box(self, dot: graphviz.Digraph, box: _Box) -> None:
        x, y = box.rect.middle
        width, height = box.rect.right - box.rect.left, box.rect.top - box.rect.bottom
        attributes = {
            "pos": f"{x:.1f},{y:.1f}",
            "width": f"{width / 72:.3f}",
            "height": f"{height / 72:.3f}",
            "id": safe_id(box.kind, box.key.partition(" ")[2]),
            "class": " ".join(filter(None, (box.kind, box.tone, "ghost" if box.ghost else ""))),
            "label": f"<{self._table(box, width)}>",
        }
        if box.tooltip:
            attributes["tooltip"] = box.tooltip
        if box.url:
            attributes["URL"] = box.url
        dot.node(safe_id("n", box.key), _attributes=attributes)

    def _table(self, box: _Box, width: float) -> str:
        columns = 1
        for cells in (box.top, box.bottom):
            if cells:
                columns *= len(cells) // _gcd(columns, len(cells))
        rows: list[str] = []
        if box.top:
            rows.append(self._cells(box.top, width, columns, box))
        if box.title:
            rows.append(self._header(box, width, columns))
        if box.lines:
            rows.append(self._body(box, width, columns))
        if box.bottom:
            rows.append(self._cells(box.bottom, width, columns, box))
        fill = "grey" if box.kind in ("grey", "note") else "paper"
        if box.kind in _PILLS and not self.steps_back(box):
            fill = f"{box.tone}_fill"
        style = ' STYLE="DASHED"' if box.ghost else ' STYLE="ROUNDED"' if box.kind in _PILLS else ""
        border = self.colour("hair" if box.kind in ("grey", "note") or self.steps_back(box) else "rule")
        thick = 1
        if box.key in self.blocked or box.key in self.touched or box.key in self.here:
            border, thick = self.colour("block" if box.key in self.blocked else "taken"), 2
        return (
            f'<TABLE BORDER="{thick}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" COLOR="{border}" '
            f'BGCOLOR="{self.colour(fill)}" WIDTH="{width:.0f}"{style}>{"".join(rows)}</TABLE>'
        )

    def _header(self, box: _Box, width: float, columns: int) -> str:
        back = box.ghost or self.steps_back(box)
        tone = "grey" if back or box.kind in ("grey", "note") else f"{box.tone}_fill"
        ink = "grey_ink" if back else "ink"
        fill = f' BGCOLOR="{self.colour(tone)}"' if box.kind not in _PILLS else ""
        lines = _title_lines(box, width)
        text = "<BR/>".join(f"<B>{html(line)}</B>" for line in lines)
        if box.ids:
            text += f"{'<BR/>' if _ids_below(box, width) else ' '}{html(box.ids)}"
        height = (len(lines) + (1 if _ids_below(box, width) else 0)) * _TITLE * _LINE + 6
        return (
            f'<TR><TD COLSPAN="{columns}"{fill} HEIGHT="{height:.0f}" WIDTH="{width:.0f}">'
            f'<FONT POINT-SIZE="{_TITLE:g}" COLOR="{self.colour(ink)}">{text}</FONT></TD></TR>'
        )

    def _body(self, box: _Box, width: float, columns: int) -> str:
        inner = "".join(self._line(line, width - 12, box.ghost or self.steps_back(box)) for line in box.lines)
        return (
            f'<TR><TD COLSPAN="{columns}" CELLPADDING="3"><TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" '
            f'CELLPADDING="0" WIDTH="{width - 10:.0f}">{inner}</TABLE></TD></TR>'
        )

    def _line(self, line: _Line, width: float, ghost: bool) -> str:
        broken = line.broken(width)
        role = "grey_ink" if ghost else line.role
        bold = ("<B>", "</B>") if line.bold else ("", "")
        said = "".join(f'{bold[0]}{html(part)}{bold[1]}<BR ALIGN="LEFT"/>' for part in broken)
        named = (("ID", line.id), ("TOOLTIP", line.tooltip), ("HREF", line.url))
        sample = ""
        if line.sample:
            style = f' STYLE="{line.sample.upper()}"' if line.sample != "solid" else ""
            sample = f'<TD WIDTH="{_SAMPLE - 8:.0f}" BORDER="2" SIDES="B" COLOR="{self.colour("rule")}"{style}></TD>'
        wide = width - text_width(line.right, line.size) - 4 if line.right else width - (_SAMPLE if line.sample else 0)
        low = ' VALIGN="BOTTOM"' if line.bold else ""  # Graphviz sets bold text two points higher
        cell = sample + (
            f'<TD ALIGN="LEFT" BALIGN="LEFT"{low} WIDTH="{wide:.0f}" COLSPAN="{1 if line.right or line.sample else 2}" '
            f'HEIGHT="{len(broken) * line.size * _LINE:.0f}"{_attributes(named)}>'
            f'<FONT POINT-SIZE="{line.size:g}" COLOR="{self.colour(role)}">{said}</FONT></TD>'
        )
        if line.right:
            cell += (
                f'<TD ALIGN="RIGHT" WIDTH="{text_width(line.right, line.size) + 2:.0f}"{_attributes((("ID", line.right_id), ("TOOLTIP", line.tooltip)))}>'
                f'<FONT POINT-SIZE="{line.size:g}" COLOR="{self.colour("grey_ink" if ghost else "block")}">{html(line.right)}</FONT></TD>'
            )
        return f"<TR>{cell}</TR>"

    def _cells(self, cells: list[tuple[Row, str]], width: float, columns: int, box: _Box) -> str:
        each = columns // len(cells)
        broken = _exit_lines(cells, width)
        height = max(len(lines) for lines in broken) * _EXIT * _LINE + 5
        out: list[str] = []
        for number, lines in enumerate(broken):
            said = "<BR/>".join(html(line) for line in lines) or " "
            sides = ("T" if cells is box.bottom else "B") + ("" if number == 0 else "L")
            out.append(
                f'<TD COLSPAN="{each}" BORDER="1" SIDES="{sides}" COLOR="{self.colour("hair")}" HEIGHT="{height:.0f}" '
                f'WIDTH="{width / len(cells):.0f}"><FONT POINT-SIZE="{_EXIT:g}" COLOR="{self.colour("muted")}">{said}</FONT></TD>'
            )
        return f"<TR>{''.join(out)}</TR>"

    def _edge(self, dot: graphviz.Digraph, edge: _Edge) -> None:
        look = BASIS[edge.row.basis]
        taken, back = self.takes(edge), self.overlay.dims and not self.takes(edge)
        role = "taken" if taken else "dim" if back else "grey_ink" if edge.ghost else edge.tone
        words = (edge.tone, str(edge.row.basis), "ghost" if edge.ghost else "", "taken" if taken else "")
        attributes = {
            "pos": spline(edge.corners),
            "id": edge.id,
            "class": " ".join(filter(None, words)),
            "style": look.style,
            "arrowhead": look.arrowhead,
            "color": self.colour(role),
            # Dots are thin: the same width looks paler than a whole line.
            "penwidth": "3" if taken else "0.8" if edge.ghost or back else "1.7" if look.style == "dotted" else "1.2",
            "tooltip": "\n".join(row_tooltip(row) for row in (edge.derived or (edge.row,))),
        }
        url = cite_url(edge.row.cite)
        if url:
            attributes["URL"] = url
        dot.edge(safe_id("n", edge.start), safe_id("n", edge.end), _attributes=attributes)


def _standing(page: _Page, current: str | None) -> set[str]:
    """The boxes of a state, from its name: `BOUND/OUT`, or `BOUND/NONE sendto@send.authorize` in mid-way."""
    if not current:
        return set()
    registers, _, cursor = current.partition(" ")
    known = {box.key for box in page.boxes}
    if cursor:
        return {f"position {cursor.partition('@')[2]}"} & known
    values = registers.split("/")
    return {f"{kind} {value}" for value in values for kind in ("flow", "end")} & known


def _along(corners: tuple[Point, ...]) -> list[Point]:
    """Places on a line for a mark, best first: the middle of its longest piece, then around it."""
    pieces = sorted(pairwise(corners), key=lambda p: -abs(p[0][0] - p[1][0]) - abs(p[0][1] - p[1][1]))
    return [
        (a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part)
        for a, b in pieces
        for part in (0.5, 0.35, 0.65, 0.2, 0.8)
    ]


def _beside(rect: Rect) -> list[Point]:
    """Places at a box for a mark: over its upper edge, beside the arrows that arrive in the middle."""
    width = rect.right - rect.left
    return [(rect.left + width * part, y) for y in (rect.top + 6, rect.bottom - 4) for part in (0.72, 0.28, 0.5)]


def _overlap(a: Rect, b: Rect) -> bool:
    return a.left < b.right + 1 and b.left < a.right + 1 and a.bottom < b.top + 1 and b.bottom < a.top + 1


def _attributes(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f' {name}="{html(value)}"' for name, value in pairs if value)


def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def _corners_text(rect: Rect) -> str:
    return f"{rect.left:.1f},{rect.bottom:.1f},{rect.right:.1f},{rect.top:.1f}"
