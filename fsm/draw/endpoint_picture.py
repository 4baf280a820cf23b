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
from fsm.draw.overlay import Overlay
from fsm.draw.page import Box, Line, Place, Way
from fsm.draw.pen import Pen
from fsm.draw.sketch import PLACES, SHOWN_DISPUTES, Sketch, about, once
from fsm.draw.theme import row_tooltip, safe_id
from fsm.errors import UnknownName
from fsm.names import IDLE
from fsm.rows import Row
from fsm.rules import RULES
from fsm.stimuli import VIEWS
from fsm.table import NO_ROW, Table, compile_rows, compile_table

_STATE_COLUMN = 6
_FIRST_STATE_ROW = 1
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
    directions = ("NONE", *(f"{way}{end}" for way in view.pictured for end in ("", "_STALE", "_PENDED")))

    def allowed(state: int) -> bool:
        return "flow" not in view.registers or table.register(state, "flow") in directions

    def at_rest(state: int) -> bool:
        return table.states[state].position == IDLE

    shown: dict[int, None] = {}
    moves: list[tuple[str, str, str, tuple[Row, ...]]] = []
    waiting = [table.start]
    known = {table.start}
    while waiting:
        state = waiting.pop(0)
        for stimulus in view.stimuli:
            taken: list[int] = []
            event = table.event_ids[stimulus]
            here = state
            while (target := table.next_or_none(here, event)) != NO_ROW and allowed(target):
                taken.append(table.row_index(here, event))
                here, event = target, table.event_ids["permit"]
                if at_rest(here):
                    break
            if not taken or not at_rest(here):
                continue
            shown.update(dict.fromkeys(taken))
            rows = tuple(table.rows[index] for index in taken)
            moves.append((table.name_of(state), stimulus, table.name_of(here), rows))
            if here not in known:
                known.add(here)
                waiting.append(here)
    positions = {table.rows[index].at for index in shown} - {IDLE}
    passed = frozenset(table.rows[index].key for index in shown)
    twins = boxes.Selection(table.rows, {}).twins()
    kept = tuple(
        row
        for row in table.rows
        if row.key in passed or (row.at in positions and not boxes.is_way_on(row, twins)) or row.at in twins
    )
    return Pictured(_without_strangers(kept, positions), tuple(moves))


def _without_strangers(rows: tuple[Row, ...], positions: set[str]) -> tuple[Row, ...]:
    """Without discard layers that no row of a pictured position leads to."""
    targets = {row.next for row in rows if row.at in positions}
    return tuple(row for row in rows if row.at == IDLE or row.at in positions or row.at in targets)


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
    return _pen(name, config, rows, dark, background).source(overlay or Overlay())


@lru_cache(maxsize=64)
def _pen(name: str, config: Config, rows: tuple[Row, ...], dark: bool, background: str) -> Pen:
    table = compile_table(name, config) if rows is RULES else compile_rows(name, config, rows)
    shown = pictured(table)
    ghosts = boxes.select((row for row in rows if row.scope in table.view.scopes), config, SHOWN_DISPUTES)
    passed = {row.key for row in shown.rows}
    both = tuple(row for row in ghosts.rows if row.key in passed or row.key in ghosts.ghosts)
    sketch = Sketch(boxes.Selection(both, ghosts.ghosts), config)
    sketch.add_rows()
    places = {**PLACES, **_add_states(sketch, shown, table)}
    sketch.legend()
    if table.view.registers:
        page = sketch.page(places, panel="state", spread={_STATE_COLUMN: _SPREAD})
    else:  # one state, which nothing changes
        page = sketch.page(places)
    title = f"{name.replace('_', ' ').capitalize()}: {table.view.text}"
    return Pen(name, page, title, about(config, both), dark=dark, background=background)


def _add_states(sketch: Sketch, shown: Pictured, table: Table) -> dict[str, Place]:
    """The states at rest, and what a stimulus that every layer permits makes of them."""
    joined: dict[tuple[str, str], list[tuple[str, tuple[Row, ...]]]] = {}
    for state, stimulus, target, rows in shown.moves:
        joined.setdefault((state, target), []).append((stimulus, rows))
    names = dict.fromkeys(name for state, _, target, _ in shown.moves for name in (state, target))
    for name in names:
        sketch.boxes[f"state {name}"] = Box(f"state {name}", "state", "state", name)
    seen: set[str] = set()
    for (state, target), runs in joined.items():
        rows = tuple(dict.fromkeys(row for _, rows in runs for row in rows))
        own = [row for row in rows if row.scope == "flow"]
        name = once(safe_id("row", own[0].key) if own else safe_id("run", f"{state} {target}"), seen)
        words = ", ".join(stimulus for stimulus, _ in runs)
        if state == target:
            tooltip = "\n".join(row_tooltip(row) for row in (own or rows[:1]))
            sketch.boxes[f"state {state}"].lines.append(Line(f"stays: {words}", "muted", name, tooltip))
        else:
            first = (own or rows)[0]
            sketch.ways.append(Way(name, first, f"state {state}", f"state {target}", rows, words))
    if not table.view.registers:
        return {f"state {name}": (_STATE_COLUMN, 0, 2) for name in names}
    return {
        f"state {name}": (_STATE_COLUMN, _FIRST_STATE_ROW + number, 2)
        for number, name in enumerate(sorted(names, key=lambda n: (n.startswith("CLOSED"), list(names).index(n))))
        if _FIRST_STATE_ROW + number <= 7
    }
