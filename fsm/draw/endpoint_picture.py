"""The picture of one endpoint as a machine: the layers that its datagrams pass, and the states between stimuli.

At the left stands the part of the big picture that concerns this endpoint, every box at its usual place: what begins
(stimuli), what is classified (positions), what it ends in. At the right stand the states of the endpoint at rest, with
what each stimulus makes of them when every layer permits. Both are read from the rows and their compiled table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from fsm.choices import Config
from fsm.draw import boxes
from fsm.draw.counted import LEGEND, add_counts, stimuli_counted
from fsm.draw.overlay import Overlay
from fsm.draw.page import Box, Line, Page, Place, Way
from fsm.draw.pen import Pen
from fsm.draw.sketch import ENTERING, PLACES, SHOWN_DISPUTES, Sketch, about, once, stimuli_words
from fsm.draw.theme import row_tooltip, safe_id
from fsm.draw.undrawn import add_passing, states_lines, undrawn_rows, with_list
from fsm.errors import UnknownName
from fsm.names import DONE, IDLE
from fsm.rows import Row
from fsm.rules import RULES
from fsm.stimuli import VIEWS
from fsm.table import NO_ROW, Table, compile_rows, compile_table

_STATE_COLUMN = 7
_FIRST_STATE_ROW = 1
_PHASES = ("", "_STALE", "_PENDED", "_REDIRECT_PENDED")  # of a flow in one direction
_RECORDS = frozenset(("flow", "window"))  # registers whose values last from one stimulus to the next, but the socket's
_SPREAD = 48.0  # room in front of the panel with the states


@dataclass(frozen=True, slots=True)
class Pictured:
    """What a picture shows of an endpoint.

    Parameters
    ----------
    rows : the rows on its ways, and the other verdicts of its positions.
    moves : (state, stimulus, state) at rest when every layer permits, with the rows on the way.
    """

    rows: tuple[Row, ...]
    moves: tuple[tuple[str, str, str, tuple[Row, ...]], ...]


def pictured(table: Table) -> Pictured:
    """The part of a machine that its view shows: stimuli that leave a flow in one of the pictured directions.

    A sender's picture has no inbound flow and a receiver's no outbound one, or both would be the same picture.
    """
    view = table.view
    directions = ("NONE", *(f"{way}{end}" for way in view.pictured for end in _PHASES))
    passed: dict[Row, None] = {}
    moves: dict[tuple[str, str, str, tuple[Row, ...]], None] = {}
    waiting, known = [table.start], {table.start}
    while waiting:
        state = waiting.pop(0)
        for stimulus in view.stimuli:
            rows, target = _run(table, state, stimulus, directions)
            if target is None:
                continue
            passed.update(dict.fromkeys(rows))
            if stimulus not in ENTERING:
                moves[_at_rest(table, state), stimulus, _at_rest(table, target), rows] = None
            if target not in known:
                known.add(target)
                waiting.append(target)
    return Pictured(_with_what_belongs(table, tuple(passed), directions), tuple(moves))


def _run(table: Table, state: int, stimulus: str, directions: tuple[str, ...]) -> tuple[tuple[Row, ...], int | None]:
    """A stimulus that every layer permits: its rows, and where it ends; None where it is not possible or not shown."""
    rows: list[Row] = []
    event = table.event_ids[stimulus]
    while (target := table.next_or_none(state, event)) != NO_ROW:
        if table.view.registers and table.register(target, "flow") not in directions:
            break
        rows.append(table.rows[table.row_index(state, event)])
        state, event = target, table.event_ids["permit"]
        if table.states[state].position == IDLE:
            return tuple(rows), state
    return (), None


def _at_rest(table: Table, state: int) -> str:
    """The state without the registers that a picture of one peer does not draw: `BOUND/OUT`."""
    if not table.view.registers:
        return table.name_of(state)
    return f"{table.register(state, 'socket')}/{table.register(state, 'flow')}"


def _with_what_belongs(table: Table, passed: tuple[Row, ...], directions: tuple[str, ...]) -> tuple[Row, ...]:
    """The rows passed, what else can happen at their positions, and what callouts bring in there; in table order."""

    def fits(row: Row) -> bool:
        if row.at == IDLE and row.event not in table.view.stimuli:
            return False
        flow = dict(row.when).get("flow")
        return flow is None or any(value in directions for value in flow)

    positions = {row.at for row in passed} - {IDLE}
    kept = set(passed)
    selection = boxes.Selection(table.rows, {})
    twins = selection.twins()
    ends = {DONE, *twins, *selection.dead_ends()}
    growing = True
    while growing:
        before = len(kept), len(positions)
        for row in table.rows:
            if row in kept or not fits(row):
                continue
            onward = row.next in positions or row.next in ends
            if row.at in positions:
                # A redirect goes on to a position of its own.
                if row.event == "redirect" and not onward:
                    positions.add(row.next)
                    onward = True
                if onward or not boxes.is_way_on(row, twins):
                    kept.add(row)
            elif row.at == IDLE and (row.event in ENTERING or (row.next == DONE and dict(row.when).keys() & _RECORDS)):
                if row.event in ("complete", "complete_group") and not onward:
                    positions |= _chain(selection, row.next)
                    onward = True
                if onward:
                    kept.add(row)
        growing = before != (len(kept), len(positions))
    ended = {row.next for row in kept} & ends
    return tuple(row for row in table.rows if row in kept or row.at in ended)


def _chain(selection: boxes.Selection, position: str) -> set[str]:
    """The positions that permits lead through from here."""
    found: set[str] = set()
    waiting = [position]
    while waiting:
        here = waiting.pop()
        if here not in found and here != DONE:
            found.add(here)
            waiting += [row.next for row in selection.at(here) if row.event == "permit"]
    return found


def endpoint_dot(
    name: str,
    config: Config,
    overlay: Overlay | None = None,
    *,
    dark: bool = False,
    background: str = "transparent",
    rows: tuple[Row, ...] = RULES,
) -> str:
    """The DOT text of the picture of an endpoint.

    Parameters
    ----------
    name : "sender", "receiver" or "dropped_port".
    config : the machine.
    overlay : what to lay over it: a path, counts, the state it stands in, where it was blocked.
    dark, background : for a PNG, which has no style sheet; an SVG is written light and themed by `theme_svg`.
    rows : other rows than the package's own, for experiments.

    Raises
    ------
    UnknownName : no such endpoint.
    """
    if name not in VIEWS:
        raise UnknownName.of("diagram", "endpoint", name, VIEWS)
    if overlay is not None and overlay.coverage:  # its counts are part of the text that is laid out
        return _new_pen(name, config, rows, dark, background, overlay).source(overlay)
    return _pen(name, config, rows, dark, background).source(overlay or Overlay())


def endpoint_sheet(name: str, config: Config) -> Page:
    """What `endpoint_dot` draws, before it is DOT: boxes and lines, each with the rows that it stands for."""
    return _pen(name, config, RULES, False, "transparent").page


@lru_cache(maxsize=64)
def _pen(name: str, config: Config, rows: tuple[Row, ...], dark: bool, background: str) -> Pen:
    return _new_pen(name, config, rows, dark, background, Overlay())


def _new_pen(name: str, config: Config, rows: tuple[Row, ...], dark: bool, background: str, overlay: Overlay) -> Pen:
    table = compile_table(name, config) if rows is RULES else compile_rows(name, config, rows)
    shown = pictured(table)
    selection = _selected(table, shown, rows)
    if overlay.coverage:  # of what this endpoint can do, and of nothing else
        own = _own_rows(table)
        selection = boxes.Selection(tuple(row for row in selection.rows if row in own), {})
    both = selection.rows
    sketch = Sketch(selection, config)
    sketch.add_rows()
    missing: tuple[Row, ...] = ()
    if overlay.coverage:
        missing = undrawn_rows(sketch, own)
        add_counts(sketch, overlay)
        add_passing(sketch, missing, overlay)
    places = {**PLACES, **_add_states(sketch, shown, table, overlay)}
    sketch.legend(*(LEGEND if overlay.coverage else ()))
    if table.view.registers:
        page = sketch.page(places, panel="state", spread={_STATE_COLUMN: _SPREAD})
    else:  # one state, which nothing changes
        page = sketch.page(places)
    if overlay.coverage:
        at_rest = (_at_rest(table, state) for state in range(len(table.states)) if table.layer(state) is None)
        drawn = (key.partition(" ")[2] for key in sketch.boxes if key.startswith("state "))
        moves = (move[:3] for move in shown.moves)
        page = with_list(page, missing, states_lines(at_rest, drawn, moves, overlay), overlay)
    head = "Coverage of " if overlay.coverage else ""
    title = f"{head}{name.replace('_', ' ')}: {table.view.text}"
    title = title[0].upper() + title[1:]
    return Pen(name, page, title, about(config, both), dark=dark, background=background)


def _selected(table: Table, shown: Pictured, rows: tuple[Row, ...]) -> boxes.Selection:
    """What is pictured, and the other sides of the disputes that change the path."""
    found = boxes.select((row for row in rows if row.scope in table.view.scopes), table.config, SHOWN_DISPUTES)
    passed = {row.key for row in shown.rows}
    return boxes.Selection(
        tuple(row for row in found.rows if row.key in passed or row.key in found.ghosts), found.ghosts
    )


def _own_rows(table: Table) -> dict[Row, None]:
    """The rows that some state of this endpoint takes, in table order."""
    used = {row for state in range(len(table.states)) for _, _, row in table.cells(state)}
    return {row: None for number, row in enumerate(table.rows) if number in used}


def _add_states(sketch: Sketch, shown: Pictured, table: Table, overlay: Overlay) -> dict[str, Place]:
    """The states at rest, and what a stimulus that every layer permits makes of them."""
    joined: dict[tuple[str, str], list[tuple[str, tuple[Row, ...]]]] = {}
    for state, stimulus, target, rows in shown.moves:
        joined.setdefault((state, target), []).append((stimulus, rows))
    names = dict.fromkeys(name for state, _, target, _ in shown.moves for name in (state, target))
    for name in names:
        sketch.boxes[f"state {name}"] = Box(f"state {name}", "state", "state", name)
    seen: set[str] = set()
    for (state, target), runs in joined.items():
        made_by = tuple(dict.fromkeys(rows for _, rows in runs))
        own = [rows[0] for rows in made_by if rows[0].scope == "flow"]
        name = once(safe_id("row", own[0].key) if own else safe_id("run", f"{state} {target}"), seen)
        moves = tuple(dict.fromkeys((state, stimulus, target) for stimulus, _ in runs))
        words = stimuli_words(stimulus for stimulus, _ in runs)
        if overlay.coverage:
            words = stimuli_counted(moves, overlay)
        if state == target:
            tooltip = "\n".join(row_tooltip(row) for row in own or made_by[0][:1])
            sketch.boxes[f"state {state}"].lines.append(Line(f"stays: {words}", "muted", name, tooltip))
        else:
            first = own[0] if own else made_by[0][0]
            way = Way(name, first, f"state {state}", f"state {target}", made_by, words, derived=True, moves=moves)
            sketch.ways.append(way)
    if not table.view.registers:
        return {f"state {name}": (_STATE_COLUMN, 0, 2) for name in names}
    return {
        f"state {name}": (_STATE_COLUMN, _FIRST_STATE_ROW + number, 2)
        for number, name in enumerate(sorted(names, key=lambda n: (n.startswith("CLOSED"), list(names).index(n))))
        if _FIRST_STATE_ROW + number <= 7
    }
