"""From rows to the boxes and lines of a picture: what both kinds of picture share, and where things stand.

A box is a layer at its place in the path, a stimulus, or an end (what becomes of a datagram, or the state of the
socket); a line is a row, or several that go the same way. The same thing stands at the same place in every picture,
so a reader who knows one knows them all.

What would be a line of its own for a rare thing is told in the box where it happens: what else enters there (callouts
that complete or inject), and what leads nowhere. Nothing is left out: such a line of text names its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fsm import catalogue
from fsm.choices import Config
from fsm.draw import boxes
from fsm.draw.page import BANDS, TEXT, WIDTH, Box, Layout, Line, Page, Place, Way
from fsm.draw.theme import BASIS, cite_url, row_tooltip, safe_id, text_width
from fsm.names import DONE, IDLE
from fsm.rows import Row
from fsm.stimuli import POSITIONS, STIMULI

# Disputes whose other sides are drawn too, in grey: they change the path and not only a word.
SHOWN_DISPUTES = ("close", "no_listener")

# Positions before the same layer at the same place of the path share a box.
_SAME_PLACE: dict[str, tuple[str, str]] = {  # the main one, and how the words tell this one apart
    "bind.redirect_again": ("bind.redirect", "again"),
    "bind.assign_v6": ("bind.assign", "IPv6"),
    "bind.reclassify": ("bind.assign", "classified again"),
    "send.group_redirect": ("send.redirect", "to a group"),
    "send.authorize_redirected": ("send.authorize", "redirected"),
    "send.complete": ("send.authorize", "on completion"),
    "send.group_authorize": ("send.authorize", "to a group"),
    "send.group_authorize_redirected": ("send.authorize", "to a group"),
    "send.group_complete": ("send.authorize", "on completion"),
    "send.complete_establish": ("send.establish", "on completion"),
    "send.group_establish": ("send.establish", "to a group"),
    "send.group_complete_establish": ("send.establish", "on completion"),
    "receive.complete": ("receive.accept", "on completion"),
    "receive.group_accept": ("receive.accept", "to a group"),
    "receive.complete_establish": ("receive.establish", "on completion"),
    "close.release_v4": ("close.release", "IPv4"),
}
# Stimuli that begin at the same place share a box; the words tell the second one apart.
_SAME_STIMULUS: dict[str, tuple[str, str]] = {
    "connect_other": ("connect", "to another peer"),
    "sendto_group": ("sendto", "to a group"),
    "datagram_group": ("datagram", "to a group"),
    "icmp_ttl": ("icmp_error", "time exceeded"),
}
# What these begin is told in the box that they enter.
ENTERING = (
    *("complete", "complete_block", "complete_group", "complete_group_block"),
    *("inject_send", "inject_receive", "protection_level"),
)

PLACES: dict[str, Place] = {
    "stimulus bind": (0, 0, 1),
    "position bind.redirect": (0, 1, 1),
    "position bind.assign": (0, 2, 1),
    "end BOUND": (0, 3, 1),
    "note legend": (0, 4, 1),
    "note fragments": (0, 6, 1),
    "stimulus connect": (1, 0, 1),
    "position connect.redirect": (1, 1, 1),
    "end connected": (1, 2, 1),
    "stimulus sendto": (2, 0, 2),
    "position send.redirect": (2, 1, 1),
    "position send.authorize": (2, 2, 1),
    "position send.reaccept": (3, 2, 1),
    "position send.establish": (2, 3, 1),
    "position send.data": (2, 4, 2),
    "position send.transport": (2, 5, 2),
    "position send.ippacket": (2, 7, 2),
    "end send wire": (2, 9, 2),
    "end receive application": (4, 0, 2),
    "position receive.establish": (5, 1, 1),
    "position receive.accept": (5, 2, 1),
    "position receive.reconnect": (4, 2, 1),
    "position receive.data": (4, 4, 1),
    "position receive.transport": (4, 5, 2),
    "position receive.ippacket": (4, 7, 2),
    "stimulus datagram": (4, 9, 2),
    "stimulus close": (6, 0, 1),
    "position close.closure": (6, 1, 1),
    "position close.release": (6, 2, 1),
    "end CLOSED": (6, 3, 1),
    "end icmp application": (7, 0, 2),
    "position icmp.error": (6, 4, 1),
    "position icmp.ippacket": (6, 7, 1),
    "stimulus icmp_error": (6, 9, 1),
    "position drop.transport_discard": (7, 4, 1),
    "position drop.transport": (7, 5, 1),
    "position drop.ippacket_discard": (7, 6, 1),
    "position drop.ippacket": (7, 7, 1),
    "stimulus datagram host": (7, 9, 1),
    "position drop.icmp_error": (8, 4, 1),
    "position drop.icmp_transport": (8, 5, 1),
    "position drop.icmp_ippacket": (8, 7, 1),
    "end drop wire": (8, 9, 1),
}
_ROWS_OF_GROUP = {"ale": (1, 3), "datagram": (4, 4), "transport": (5, 5), "icmp": (4, 4), "ippacket": (7, 7)}
_ROW_OF_BAND = {name: (first, last) for name, first, last, _ in BANDS}
_TONE_OF_PREFIX = {
    "bind": "local",
    "connect": "local",
    "close": "local",
    "send": "out",
    "receive": "inn",
    "icmp": "icmp",
    "drop": "icmp",
}


class Sketch:
    """Boxes and ways of one picture, collected from rows."""

    def __init__(self, selection: boxes.Selection, config: Config) -> None:
        self.selection, self.config = selection, config
        self.twins, self.dead_ends = selection.twins(), selection.dead_ends()
        self.boxes: dict[str, Box] = {}
        self.ways: list[Way] = []
        told = self._told()
        self._rows = [
            row
            for row in selection.rows
            if boxes.is_way_on(row, self.twins)
            and (row.event in ENTERING or (row.at not in told and row.next not in told))
        ]
        layers = {row.at: row.layer for row in selection.rows if row.layer}
        self._main = {
            other: main
            for other, (main, _) in _SAME_PLACE.items()
            if layers.get(other) == layers.get(main, layers.get(other))
        }

    def add_rows(self) -> None:
        """The boxes of all rows and the lines between them; flow events are for the picture to place."""
        groups: dict[tuple[str, str, bool], list[Row]] = {}
        aside: list[tuple[str, Row]] = []
        for row in self._rows:
            if row.at == IDLE and (row.scope == "flow" or row.event in ENTERING or self._is_aside(row)):
                continue
            start = self._start(row)
            end = self._end(row)
            if end is None or end == start:
                aside.append((start, row))
            else:
                groups.setdefault((start, end, row.key in self.selection.ghosts), []).append(row)
        leaving: dict[str, int] = {}
        for start, _, _ in groups:
            leaving[start] = leaving.get(start, 0) + 1
        for (start, end, ghost), rows in groups.items():
            words = self._words(rows, leaving[start])
            rows = strongest_first(rows)
            made_by = tuple((row,) for row in rows)
            self.ways.append(Way(safe_id("row", rows[0].key), rows[0], start, end, made_by, words, ghost))
        for start, row in aside:
            self._tell(start, row)
        self._tell_what_enters()

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
        if any(row.event in ENTERING for row in self.selection.rows):
            said.append("enter here: what a callout completes or injects")
        if any(row.logged for row in self.selection.rows):
            said.append("log n: Security event n, if a filter decided")
        self.note("legend", "How to read it", [*lines, *(Line(text, "muted") for text in said)])

    def main(self, position: str) -> str:
        """The position whose box shows this one too."""
        return self._main.get(position, position)

    # -- boxes --------------------------------------------------------------------------------------------------------

    def _told(self) -> frozenset[str]:
        """Discard layers without a place of their own that lead nowhere: told like a verdict."""
        return frozenset(name for name in self.dead_ends if f"position {name}" not in PLACES)

    def start_key(self, row: Row) -> str:
        """The key of the box where a row begins, whether it is drawn or not."""
        if row.at != IDLE:
            return f"position {self.main(row.at)}"
        return f"stimulus {_main_stimulus(row.event)}{' host' if _is_of_host(row) else ''}"

    def end_key(self, row: Row) -> str | None:
        """The key of the box to which a row leads, whether it is drawn or not; None where it leads nowhere else."""
        if row.next != DONE:
            return f"position {self.main(row.next)}"
        ending = self._ending(row)
        return ending[0] if ending else None

    def _start(self, row: Row) -> str:
        if row.at != IDLE:
            return self._position(row.at)
        key, host, main = self.start_key(row), _is_of_host(row), _main_stimulus(row.event)
        if key not in self.boxes:
            own = [r for r in self._rows if r.at == IDLE and r.scope == row.scope and _main_stimulus(r.event) == main]
            prefix = row.next.split(".")[0] if row.next != DONE else row.event
            names = list(dict.fromkeys(r.event for r in own))
            texts = [STIMULI[name].text for name in names]
            if host:
                texts = ["a datagram arrives for a port that no socket owns"]
            lines = [Line(text) for text in texts]
            lines += [Line(said, "muted") for said in boxes.dispute_lines(own, self.config, SHOWN_DISPUTES)]
            direction = STIMULI[main].packet_direction
            tone = "out" if direction == "outbound" else _TONE_OF_PREFIX.get(prefix, "local")
            tone = "local" if main in ("bind", "connect") else tone
            title = ", ".join(names) if not host else main
            self.boxes[key] = Box(key, "stimulus", tone, title, lines=lines, inbound=direction == "inbound")
        return key

    def _position(self, name: str) -> str:
        main = self.main(name)
        key = f"position {main}"
        if key in self.boxes:
            return key
        names = tuple(dict.fromkeys((main, *(p for p in self._positions() if self.main(p) == main))))
        here = [row for position in names for row in self.selection.at(position)]
        ways = [row for row in here if boxes.is_way_on(row, self.twins)]
        ghost = bool(here) and all(row.key in self.selection.ghosts for row in here)
        stem = next((row.layer for row in here if row.layer), "") or ""
        lines: list[Line] = []
        if ghost:
            decided = dict.fromkeys(self.selection.ghosts[row.key] for row in here)
            lines.append(Line(f"only if {' or '.join(decided)}", "muted"))
        else:
            lines += [Line(text, "muted") for text in boxes.dispute_lines(ways, self.config, SHOWN_DISPUTES)]
        if ways and all("IS_REAUTHORIZE" in row.flags for row in ways):
            lines.append(Line("reauthorization", "muted", tooltip=row_tooltip(ways[0])))
        if not ghost:
            lines = self._badges(names, lines)
        position = POSITIONS.get(main)
        texts = "; ".join(f"{position}: {boxes.position_text(position)}" for position in names)
        self.boxes[key] = Box(
            key,
            "position",
            _TONE_OF_PREFIX.get(main.split(".")[0], "local"),
            boxes.layer_title(stem) or main,
            boxes.layer_ids(stem, self.config.windows) if stem else "",
            lines,
            ghost=ghost,
            tooltip=texts,
            url=cite_url(cite for row in here for cite in row.cite),
            stem=stem,
            badges=tuple(r for r in here if not boxes.is_way_on(r, self.twins) and r.key not in self.selection.ghosts),
            positions=names,
            inbound=position is not None and position.packet_direction == "inbound",
        )
        return key

    def _positions(self) -> Iterable[str]:
        return dict.fromkeys(row.at for row in self.selection.rows if row.at != IDLE)

    def _badges(self, positions: tuple[str, ...], lines: list[Line]) -> list[Line]:
        """`lines` and one or more for each other verdict of a box."""
        found = boxes.consequences(self.selection, positions, self.config.windows)
        for badge in found:
            for line in _badge(badge):
                before = lines[-1] if lines else line
                together = text_width(before.text, TEXT) + text_width(line.text, TEXT) + 26
                if line.right_id and before.text.startswith("log ") and not before.right and together < WIDTH:
                    # Two short ones on one line.
                    lines[-1] = replace(
                        before,
                        right=line.text,
                        right_id=line.right_id,
                        right_tooltip=line.tooltip,
                        right_rows=line.rows,
                    )
                else:
                    lines.append(line)
        blocks = any(row.event == "block" for badge in found for row in badge.rows)
        return lines if blocks else [*lines, Line("cannot be blocked", "muted")]

    def _end(self, row: Row) -> str | None:
        """The box to which a row leads; None for one that leads nowhere else."""
        if row.next != DONE:
            return self._position(row.next)
        ending = self._ending(row)
        if ending is None:
            return None
        key, title, text, tone = ending
        box = self.boxes.setdefault(key, Box(key, "end", tone, title.replace("_", " ")))
        if text and text not in {line.text for line in box.lines}:
            box.lines.append(Line(text))
        return key

    def _ending(self, row: Row) -> tuple[str, str, str, str] | None:
        """The box of a row after which nothing is left to do: key, title, text and tone."""
        prefix = row.at.split(".")[0] if row.at != IDLE else row.event
        sets = dict(row.sets)
        tone = _TONE_OF_PREFIX.get(prefix, "local")
        if "emit" in row.ops or "emit_icmp" in row.ops:
            return f"end {prefix} wire", row.outcome, row.remote_sees, tone
        if sets.get("socket") in ("BOUND", "CLOSED"):
            return f"end {sets['socket']}", f"socket {sets['socket']}", row.application_sees, "local"
        if "connected" in sets:
            return "end connected", "socket connected", row.application_sees, "local"
        if "deliver" in row.ops or "socket_error" in row.ops or (prefix == "icmp" and row.at != IDLE):
            return f"end {prefix} application", row.outcome or "done", row.application_sees, tone
        return None

    def _tell(self, key: str, row: Row) -> None:
        """A row that leads nowhere else, as a line of text in its box."""
        box = self.boxes[key]
        if row.event == "redirect":
            said = f"redirect{boxes.marks([row])}: rewritten, and on"
        elif row.next != DONE:
            then = _SAME_PLACE.get(row.next, ("", row.next))[1]
            said = f"then once more: {then}{boxes.marks([row])}"
        else:
            said = ": ".join(filter(None, (self._condition(row, 2), _outcome(row)))) + boxes.marks([row])
        self._add_line(box, said, row)

    def _is_aside(self, row: Row) -> bool:
        """A register that changes by itself: `window_timeout`. It is told where that value is set."""
        return row.next == DONE and not STIMULI[row.event].packet_direction and self._end(row) is None

    def _tell_what_enters(self) -> None:
        """What callouts bring in, as a line of text in the box where it enters or where it was held."""
        held: dict[tuple[str, str], str] = {}
        for row in self.selection.rows:
            if row.layer and row.key not in self.selection.ghosts:
                for name, value in row.sets:
                    held.setdefault((name, value), row.at)
        entering: dict[tuple[str, str], list[Row]] = {}
        for row in self._rows:
            if row.at != IDLE or row.scope == "flow" or not (row.event in ENTERING or self._is_aside(row)):
                continue
            into = row.next if row.next != DONE and row.next not in (self.twins | self.dead_ends) else None
            since = [(v, held[name, v]) for name, values in row.when for v in values if (name, v) in held]
            # A socket that is bound holds nothing: what else is asked for tells where it was held.
            where = into or next((at for v, at in sorted(since, key=lambda one: one[0] == "BOUND")), None)
            key = f"position {self.main(where)}" if where else ""
            if key in self.boxes:
                entering.setdefault((key, "" if row.event in ENTERING else row.event), []).append(row)
        for (key, name), rows in entering.items():
            names = ", ".join(dict.fromkeys(row.event for row in rows))
            said = f"{name}: {_outcome(rows[0])}" if name else f"enter here: {names}"
            self._add_line(self.boxes[key], f"{said}{boxes.marks(rows)}", *rows)

    def _add_line(self, box: Box, said: str, *rows: Row) -> None:
        if box.ghost and not all(row.key in self.selection.ghosts for row in rows):
            return
        for number, line in enumerate(box.lines):
            if line.text == said and line.tooltip:
                more = "\n".join((line.tooltip, *map(row_tooltip, rows)))
                box.lines[number] = replace(line, tooltip=more, rows=(*line.rows, *rows))
                break
        else:
            tooltip = "\n".join(map(row_tooltip, rows))
            box.lines.append(Line(said, "muted", safe_id("row", rows[0].key), tooltip, rows=rows))
        box.badges = (*box.badges, *rows)

    def _words(self, rows: list[Row], ways: int) -> str:
        """The condition of a line: `no flow yet or to a group [O]`. Empty for the only line of a box."""
        if ways == 1:
            return ""
        guards = {boxes.guard_words(row) for row in rows if not _told_apart(row)}
        found: dict[str, list[Row]] = {}
        for row in rows:
            if _told_apart(row) and boxes.guard_words(row) in guards and not row.choices:
                continue  # as the main one
            words = self._condition(row, ways)
            if not words and row.when:
                words = ", ".join(f"{name} {' or '.join(values)}" for name, values in row.when)
            found.setdefault(words, []).append(row)
        found.pop("", None)
        return " or ".join(words + boxes.marks(at) for words, at in found.items())

    def _condition(self, row: Row, ways: int) -> str:
        words = [boxes.guard_words(row)]
        if ways > 1:
            words.append(_told_apart(row))
        if ways > 1:
            words += [f"if {' or '.join(options)}" for name, options in row.choices if name in SHOWN_DISPUTES]
        return ", ".join(dict.fromkeys(word for word in words if word))

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


def _told_apart(row: Row) -> str:
    """The words that tell a row apart whose box is that of another position or stimulus."""
    return (_SAME_STIMULUS if row.at == IDLE else _SAME_PLACE).get(row.event if row.at == IDLE else row.at, ("", ""))[1]


def place_words(position: str) -> str:
    """What tells a position, or its discard layer, apart from the main one at its place: `to a group`."""
    plain = position.removesuffix("_discard")
    return _SAME_PLACE.get(plain, ("", ""))[1]


def _is_of_host(row: Row) -> bool:
    return row.scope == "host" and "socket" in STIMULI[row.event].scopes


def _main_stimulus(name: str) -> str:
    return _SAME_STIMULUS.get(name, (name, ""))[0]


def _outcome(row: Row) -> str:
    """What becomes of a datagram whose row leads nowhere: `silent`, or what the sockets' registers become."""
    if row.outcome:
        return row.outcome.replace("_", " ")
    changed = ", ".join(f"{name} {value}" for name, value in row.sets)
    return changed or "nothing more"


def _badge(badge: boxes.Consequence) -> Iterator[Line]:
    tooltip = "\n".join(row_tooltip(row) for row in (*badge.rows, *badge.twin_rows))
    url = cite_url(key for row in badge.rows for key in row.cite)
    name = safe_id("row", badge.rows[0].key)
    if badge.lines or badge.twin_rows:
        yield Line(badge.head, "block", name, tooltip, url, bold=True, short=badge.short, rows=badge.rows)
        yield from (Line(text, tooltip=tooltip) for text in badge.lines)
        if badge.logged:
            yield Line(badge.logged, tooltip=tooltip)
    else:
        head = badge.head.replace("absorb", "absorb: no trace")
        said = ", ".join(filter(None, (head, badge.logged)))
        yield Line(said, "block", name, tooltip, url, right_id=name, rows=badge.rows)


def strongest_first(rows: Iterable[Row]) -> list[Row]:
    """Rows by basis, documented ones first, else in their order: the first gives a line its look."""
    order = list(BASIS)
    return sorted(rows, key=lambda row: order.index(row.basis))


def once(name: str, seen: set[str]) -> str:
    """An id that is given once: the second asker gets `name__2`."""
    found, number = name, 1
    while found in seen:
        number += 1
        found = f"{name}__{number}"
    seen.add(found)
    return found


def stimuli_words(names: Iterable[str]) -> str:
    """Names of stimuli for a line of text; the reasons to authorize again are told by the first and their number."""
    told = list(dict.fromkeys(names))
    reasons = [name for name in told if name in STIMULI and ("stale", "yes") in STIMULI[name].attributes]
    kept = [name for name in told if name not in reasons[1:]]
    others = len(reasons) - 1
    more = f" (or one of {others} reasons more)" if others > 1 else " (or one reason more)" if others == 1 else ""
    return ", ".join(f"{name}{more}" if reasons and name == reasons[0] else name for name in kept)


def about(config: Config, rows: Iterable[Row]) -> str:
    """Which machine a picture shows, for its head."""
    text = f"Windows {config.windows}; run-time ids V4/V6; evidence setting: {config.evidence}"
    shown = {name for row in rows for name, _ in row.choices}
    return text + "".join(f"; {name} = {option}" for name, option in config.assume if name in shown)
