"""Coverage of what the picture of an endpoint does not draw: a band below it that lists it, and a word where it passes.

The picture draws the way of one flow direction when all layers permit, and the other verdicts at its boxes. A run can
do more: first packets the other way, verdicts of discard layers, events that no layer sees, other states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from fsm.draw.boxes import guard_words, is_way_on, layer_title
from fsm.draw.overlay import Overlay
from fsm.draw.page import Box, Line, Page
from fsm.draw.route import Rect
from fsm.draw.sketch import Sketch, place_words, stimuli_words
from fsm.draw.theme import counted_tooltip
from fsm.names import DONE, IDLE
from fsm.rows import Row

Move = tuple[str, str, str]  # state at rest, stimulus, state at rest

_BAND = "not drawn"
_LEFT, _MARGIN, _GAP = 84.0, 16.0, 20.0  # as the bands of the page have it
_NARROWEST = 380.0  # of a list, so that most of its lines need no second one
_DIRECTIONS = {"send": "sending", "receive": "receiving", "icmp": "ICMP error"}
_TWIN = "_DISCARD"
_FEW = 2  # values of a register that are named one by one


def undrawn_rows(sketch: Sketch, own: Iterable[Row]) -> tuple[Row, ...]:
    """The rows of an endpoint that neither a line of a box nor a line between boxes stands for."""
    told = {row for box in sketch.boxes.values() for line in box.lines for row in (*line.rows, *line.right_rows)}
    told |= {row for way in sketch.ways if not way.derived for row in way.rows}
    return tuple(row for row in own if row not in told)


def add_passing(sketch: Sketch, rows: Iterable[Row], overlay: Overlay) -> None:
    """Say in the boxes what passes there by ways that are not drawn, so that their numbers add up and none is grey."""
    found: dict[tuple[str, str], list[Row]] = {}
    taken = [row for row in rows if overlay.takes(row.key)]
    for row in taken:
        start, end = sketch.start_key(row), sketch.end_key(row)
        if start in sketch.boxes:
            found.setdefault((start, "goes on, not drawn"), []).append(row)
        else:
            for box in sketch.boxes.values():
                if box.stem and box.stem == row.layer:
                    found.setdefault((box.key, "at a place not drawn"), []).append(row)
        if end in sketch.boxes and end != start and is_way_on(row, sketch.twins) and not _is_twin(row):
            found.setdefault((end, "comes in, not drawn"), []).append(row)
    for (key, said), passing in found.items():
        box = sketch.boxes[key]
        count = sum(overlay.counts[row.key] for row in passing)
        box.lines.append(
            Line(f"{said}: x{count}", "taken", tooltip=counted_tooltip(passing, overlay.counts), rows=tuple(passing))
        )
        box.badges = (*box.badges, *passing)


def with_list(page: Page, rows: Iterable[Row], states: list[Line], overlay: Overlay) -> Page:
    """The page with a band more at its lower edge: each of the rows with its count, or the word never."""
    found = [*_lists(rows, overlay), ("states, with what ended there", states)]
    lists = [Box(f"note undrawn {title}", "note", "grey", title, lines=lines) for title, lines in found if lines]
    if not lists:
        return page
    room = page.width - _LEFT - _MARGIN
    columns = max(1, min(len(lists), int((room + _GAP) / (_NARROWEST + _GAP))))
    width = (room - _GAP * (columns - 1)) / columns
    top = -page.height
    filled = [top - _MARGIN] * columns
    for box in lists:
        column = filled.index(max(filled))
        left = _LEFT + column * (width + _GAP)
        height = box.height(width)
        box.rect = Rect(left, filled[column] - height, left + width, filled[column])
        filled[column] -= height + _GAP
    bottom = min(filled) + _GAP - _MARGIN
    band = (_BAND, "band_below", Rect(8, bottom, page.width, top))
    return replace(page, boxes=(*page.boxes, *lists), bands=(*page.bands, band), height=-bottom)


def states_lines(names: Iterable[str], drawn: Iterable[str], moves: Iterable[Move], overlay: Overlay) -> list[Line]:
    """The states at rest without a box, with how many stimuli ended there; and what moved otherwise than by `moves`."""
    known, lines = set(drawn), []
    missing = [name for name in dict.fromkeys(names) if name not in known]
    ended: Counter[str] = Counter()
    for (_, _, end), count in overlay.moves.items():
        ended[end] += count
    if taken := [f"{name} x{ended[name]}" for name in missing if ended[name]]:
        lines.append(Line(", ".join(taken), "taken"))
    if never := [name for name in missing if not ended[name]]:
        lines.append(Line(f"never: {', '.join(never)}", "grey_ink"))
    others = set(overlay.moves) - set(moves)
    if count := sum(overlay.moves[move] for move in others if known.issuperset((move[0], move[2]))):
        lines.append(Line(f"between states that are drawn, where a layer did not permit: x{count}", "taken"))
    return lines


def _lists(rows: Iterable[Row], overlay: Overlay) -> Iterator[tuple[str, list[Line]]]:
    ways: list[Row] = []
    twins: list[Row] = []
    unseen: list[Row] = []
    for row in rows:
        (unseen if row.at == IDLE and row.next == DONE else twins if _is_twin(row) else ways).append(row)
    lists = (
        ("ways of packets", _by_place(ways, overlay)),
        ("discard layers", _by_place(twins, overlay)),
        ("no layer sees it", _by_event(unseen, overlay)),
    )
    yield from ((title, lines) for title, lines in lists if lines)


def _is_twin(row: Row) -> bool:
    return (row.layer or "").endswith(_TWIN)


def _by_place(rows: Iterable[Row], overlay: Overlay) -> list[Line]:
    """One line for each place and condition: `AUTH_RECV_ACCEPT, receiving, no flow yet: permit x1, block never`."""
    groups: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        groups.setdefault(_place(row), {}).setdefault(row.event if row.at != IDLE else "", []).append(row)
    return [_line(head, verdicts, overlay) for head, verdicts in groups.items()]


def _by_event(rows: Iterable[Row], overlay: Overlay) -> list[Line]:
    """One line for each event, and one for all that have never been taken under the same conditions."""
    events: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        events.setdefault(row.event, {}).setdefault(_condition(row), []).append(row)
    alike: dict[tuple[str, ...], list[str]] = {}
    for event, branches in events.items():
        taken = any(overlay.takes(row.key) for found in branches.values() for row in found)
        alike.setdefault((event,) if taken else ("", *branches), []).append(event)
    lines = []
    for names in alike.values():
        joined: dict[str, list[Row]] = {}
        for name in names:
            for words, found in events[name].items():
                joined.setdefault(words, []).extend(found)
        lines.append(_line(stimuli_words(names), joined, overlay))
    return lines


def _line(head: str, branches: Mapping[str, list[Row]], overlay: Overlay) -> Line:
    rows = tuple(row for found in branches.values() for row in found)
    labels = {words: overlay.label(*(row.key for row in found)) for words, found in branches.items()}
    if any(labels.values()):
        said = ", ".join(f"{words} {label or 'never'}".strip() for words, label in labels.items())
    else:  # one word for all of them
        said = f"{', '.join(filter(None, labels))} never".strip() if len(labels) < 2 else f"{', '.join(labels)}: never"
    role = "taken" if any(labels.values()) else "grey_ink"
    return Line(f"{head}: {said}", role, tooltip=counted_tooltip(rows, overlay.counts), rows=rows)


def _place(row: Row) -> str:
    """Where a row stands, and when: the layer or the stimulus, the direction of the packet, the condition."""
    first = layer_title(row.layer) if row.layer else row.event
    direction = _DIRECTIONS.get(row.at.split(".")[0], "")
    again = "reauthorization" if "IS_REAUTHORIZE" in row.flags else ""
    words = (first, direction, place_words(row.at), _condition(row) or again)
    return ", ".join(dict.fromkeys(filter(None, words)))


def _condition(row: Row) -> str:
    """The condition of a row in a few words; that a socket may be in nearly any state is none."""
    flows = dict(row.when).get("flow", ())
    said = ""
    if len(flows) > 1 and all(value.endswith("_STALE") for value in flows):
        said = "stale flow"
    elif len(flows) > _FEW:
        said = "no or pended flow" if "NONE" in flows else "any flow"
    elif any(value.endswith("_PENDED") for value in flows):
        said = f"flow {' or '.join(flows)}"  # which one is pended is all that tells them apart
    few = tuple((name, values) for name, values in row.when if len(values) <= _FEW and not (said and name == "flow"))
    return ", ".join(filter(None, (guard_words(replace(row, when=few)), said)))
