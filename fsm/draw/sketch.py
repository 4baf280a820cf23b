"""From rows to the boxes and lines of a picture: what both kinds of picture share, and where things stand.

A box is a position of the rules, a stimulus, or an end (what becomes of a datagram, or the state of the socket); a
line is a row. The same thing stands at the same place in every picture, so a reader who knows one knows them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fsm import catalogue
from fsm.choices import CHOICES, Config
from fsm.draw import boxes
from fsm.draw.page import BANDS, TEXT, WIDTH, Box, Layout, Line, Page, Place, Way
from fsm.draw.theme import BASIS, cite_url, row_tooltip, safe_id, text_width
from fsm.names import DONE, IDLE
from fsm.rows import Row
from fsm.stimuli import POSITIONS, STIMULI

# Disputes whose other sides are drawn too, in grey: they change the path and not only a word.
SHOWN_DISPUTES = ("close", "no_listener")

PLACES: dict[str, Place] = {
    "stimulus bind": (0, 0, 1),
    "position bind.redirect": (0, 1, 1),
    "position bind.assign": (0, 2, 1),
    "end BOUND": (0, 3, 1),
    "note legend": (0, 4, 1),
    "note fragments": (0, 6, 1),
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
    "stimulus datagram host": (6, 9, 1),
    "position drop.icmp_error": (7, 4, 1),
    "position drop.icmp_transport": (7, 5, 1),
    "position drop.icmp_ippacket": (7, 7, 1),
    "end drop wire": (7, 9, 1),
}
_ROWS_OF_GROUP = {"ale": (1, 3), "datagram": (4, 4), "transport": (5, 5), "icmp": (4, 4), "ippacket": (7, 7)}
_ROW_OF_BAND = {name: (first, last) for name, first, last, _ in BANDS}

_TONE_OF_PREFIX = {"bind": "local", "close": "local", "send": "out", "receive": "inn", "icmp": "icmp", "drop": "icmp"}


class Sketch:
    """Boxes and ways of one picture, collected from rows."""

    def __init__(self, selection: boxes.Selection, config: Config) -> None:
        self.selection, self.config = selection, config
        self.twins = selection.twins()
        self.boxes: dict[str, Box] = {}
        self.ways: list[Way] = []
        self._begin = [row for row in selection.rows if boxes.is_way_on(row, self.twins)]

    def add_rows(self) -> None:
        """The boxes of all rows and the lines between them; flow events are for the picture to place."""
        per_start: dict[str, int] = {}
        ends = [(row, self._start(row), self._end(row)) for row in self._begin if not _is_flow_event(row)]
        for _, start, _ in ends:
            per_start[start] = per_start.get(start, 0) + 1
        for row, start, end in ends:
            words = self._words(row, per_start[start])
            self.ways.append(Way(safe_id("row", row.key), row, start, end, (), words, row.key in self.selection.ghosts))

    def page(self, places: dict[str, Place], *, panel: str = "", spread: dict[int, float] | None = None) -> Page:
        """The finished geometry."""
        rows = {key: self._rows_for(box) for key, box in self.boxes.items()}
        return Layout(self.boxes, self.ways, places, panel=panel, spread=spread).page(rows)

    def note(self, key: str, title: str, lines: list[Line]) -> None:
        self.boxes[f"note {key}"] = Box(f"note {key}", "note", "grey", title, lines=lines)

    def legend(self, *more: str) -> None:
        """How to read the picture: only what occurs in it."""
        bases = {row.basis for row in self.selection.rows}
        lines = [
            Line(" ".join(filter(None, (look.text, look.mark))), sample=look.style)
            for basis, look in BASIS.items()
            if basis in bases
        ]
        said = list(more)
        if self.selection.ghosts:
            said.append("grey, dashed box: the other side of a dispute")
        if self.twins:
            said.append("discard n/m: the layer's _DISCARD twin")
        if any(row.event == "absorb" for row in self.selection.rows):
            said.append("absorb: a block without discard layer and log")
        if any(row.logged for row in self.selection.rows):
            said.append("log n: Security event n, if a filter decided")
        self.note("legend", "How to read it", [*lines, *(Line(text, "muted") for text in said)])

    # -- boxes --------------------------------------------------------------------------------------------------------

    def _start(self, row: Row) -> str:
        if row.at != IDLE:
            return self._position(row.at)
        host = row.scope == "host" and "socket" in STIMULI[row.event].scopes
        key = f"stimulus {row.event}{' host' if host else ''}"
        if key not in self.boxes:
            own = [r for r in self._begin if r.at == IDLE and r.event == row.event and r.scope == row.scope]
            prefix = row.next.split(".")[0] if row.next != DONE else row.event
            text = "a datagram arrives for a port that no socket owns" if host else STIMULI[row.event].text
            lines = [Line(text)]
            lines += [Line(said, "muted") for said in boxes.dispute_lines(own, self.config, SHOWN_DISPUTES)]
            outbound = STIMULI[row.event].packet_direction == "outbound"
            tone = "out" if outbound else _TONE_OF_PREFIX.get(prefix, "local")
            self.boxes[key] = Box(key, "stimulus", tone, row.event, lines=lines, inbound=_from_wire(row.event))
        return key

    def _position(self, name: str) -> str:
        key = f"position {name}"
        if key in self.boxes:
            return key
        here = self.selection.at(name)
        ways = [row for row in here if boxes.is_way_on(row, self.twins)]
        ghost = bool(here) and all(row.key in self.selection.ghosts for row in here)
        stem = (here[0].layer or "") if here else ""
        lines: list[Line] = []
        if ghost:
            lines.append(Line(f"only if {self.selection.ghosts[here[0].key]}", "muted"))
        else:
            lines += [Line(text, "muted") for text in boxes.dispute_lines(ways, self.config, SHOWN_DISPUTES)]
        if ways and all("IS_REAUTHORIZE" in row.flags for row in ways):
            lines.append(Line("reauthorization", "muted", tooltip=row_tooltip(ways[0])))
        if not ghost:
            lines = self._badges(name, lines)
        position = POSITIONS.get(name)
        self.boxes[key] = Box(
            key,
            "position",
            _TONE_OF_PREFIX.get(name.split(".")[0], "local"),
            boxes.layer_title(stem) or name,
            boxes.layer_ids(stem, self.config.windows) if stem else "",
            lines,
            ghost=ghost,
            tooltip=f"{name}: {boxes.position_text(name)}",
            url=cite_url(key for row in here for key in row.cite),
            stem=stem,
            badges=tuple(row for row in here if not boxes.is_way_on(row, self.twins)),
            inbound=position is not None and position.packet_direction == "inbound",
        )
        return key

    def _badges(self, position: str, lines: list[Line]) -> list[Line]:
        """`lines` and one or more for each other verdict of a position."""
        found = boxes.consequences(self.selection, position, self.config.windows)
        for badge in found:
            for line in _badge(badge):
                before = lines[-1] if lines else line
                together = text_width(before.text, TEXT) + text_width(line.text, TEXT) + 26
                if line.right_id and before.text.startswith("log ") and together < WIDTH:
                    lines[-1] = replace(before, right=line.text, right_id=line.right_id)  # two short ones on one line
                else:
                    lines.append(line)
        return lines if found else [*lines, Line("cannot be blocked", "muted")]

    def _end(self, row: Row) -> str:
        if row.next != DONE:
            return self._position(row.next)
        prefix = row.at.split(".")[0] if row.at != IDLE else row.event
        socket = dict(row.sets).get("socket")
        tone = _TONE_OF_PREFIX.get(prefix, "local")
        if "emit" in row.ops or "emit_icmp" in row.ops:
            key, title, text = f"end {prefix} wire", row.outcome, row.remote_sees
        elif socket:
            key, title, text, tone = f"end {socket}", f"socket {socket}", row.application_sees, "local"
        else:
            where = "application" if row.scope != "host" else "silent"
            key, title, text = f"end {prefix} {where}", row.outcome or "done", row.application_sees or row.remote_sees
            text = row.remote_sees or text if row.scope == "host" else text
        box = self.boxes.setdefault(key, Box(key, "end", tone, title.replace("_", " ")))
        if text and text not in {line.text for line in box.lines}:
            box.lines.append(Line(text))
        return key

    def _words(self, row: Row, ways: int) -> str:
        """The condition of a way."""
        words = [boxes.guard_words(row)]
        for name, options in row.choices:
            if CHOICES[name].kind == "dispute":
                words += [f"if {' or '.join(options)}"] if name in SHOWN_DISPUTES and ways > 1 else []
            elif options != (CHOICES[name].default(self.config.evidence),):
                words.append(f"{name} {' or '.join(options)}")
        text = ", ".join(word for word in words if word)
        if not text and ways > 1 and row.when:
            text = ", ".join(f"{name} {' or '.join(values)}" for name, values in row.when)
        return (text + boxes.marks([row])) if text else ""

    def _rows_for(self, box: Box) -> tuple[int, int]:
        """Where a box without a place may stand."""
        if box.kind == "stimulus":
            return _ROW_OF_BAND["wire" if box.inbound else "application"]
        if box.kind == "end" and "wire" in box.key:
            return _ROW_OF_BAND["wire"]
        if box.kind == "end" and "application" in box.key:
            return _ROW_OF_BAND["application"]
        if box.stem:
            return _ROWS_OF_GROUP.get(catalogue.layer_of(box.stem, 4).group, _ROW_OF_BAND["ALE"])
        return _ROW_OF_BAND["below IP" if box.kind == "grey" else "ALE"]


def _badge(badge: boxes.Consequence) -> Iterator[Line]:
    tooltip = "\n".join(row_tooltip(row) for row in (*badge.rows, *badge.twin_rows))
    url = cite_url(key for row in badge.rows for key in row.cite)
    name = safe_id("row", badge.rows[0].key)
    if badge.lines or badge.twin_rows:
        yield Line(badge.head, "block", name, tooltip, url, bold=True, short=badge.short)
        yield from (Line(text, tooltip=tooltip) for text in badge.lines)
        if badge.logged:
            yield Line(badge.logged, tooltip=tooltip)
    else:
        head = badge.head.replace("absorb", "absorb: no trace")
        yield Line(", ".join(filter(None, (head, badge.logged))), "block", name, tooltip, url, right_id=name)


def _is_flow_event(row: Row) -> bool:
    return row.at == IDLE and row.scope == "flow"


def _from_wire(stimulus: str) -> bool:
    return STIMULI[stimulus].packet_direction == "inbound"


def once(name: str, seen: set[str]) -> str:
    """An id that is given once: the second asker gets `name__2`."""
    found, number = name, 1
    while found in seen:
        number += 1
        found = f"{name}__{number}"
    seen.add(found)
    return found


def about(config: Config, rows: Iterable[Row]) -> str:
    """Which machine a picture shows, for its head."""
    text = f"Windows {config.windows}; run-time ids V4/V6; evidence setting: {config.evidence}"
    shown = {name for row in rows for name, _ in row.choices}
    return text + "".join(f"; {name} = {option}" for name, option in config.assume if name in shown)
