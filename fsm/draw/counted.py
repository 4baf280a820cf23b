"""The pictures of the endpoints as coverage: each branch says in words how often it was taken, or that it never was.

What is counted stands in the boxes as text, so that room is made for it: no mark lies over another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fsm.draw.overlay import Overlay
from fsm.draw.page import Line
from fsm.draw.sketch import Sketch, stimuli_words
from fsm.draw.theme import counted_tooltip
from fsm.rows import Row

LEGEND = (
    "xN, in magenta: taken N times",
    "(1 of 2 rules): of those that are drawn as one",
    "never, in grey: not taken",
    "grey, thin line: not taken",
    "not drawn: told in the lists at the lower edge",
)


def add_counts(sketch: Sketch, overlay: Overlay) -> None:
    """Write the count of its rows behind each line of a box that tells of rows."""
    for box in sketch.boxes.values():
        if not box.ghost:
            box.lines = [counted for line in box.lines for counted in _counted(line, overlay)]


def _counted(line: Line, overlay: Overlay) -> Iterator[Line]:
    right, rows = line.right, line.right_rows
    mark, role = _mark(line.rows, overlay) if line.rows else ("", line.role)
    tooltip = counted_tooltip(line.rows, overlay.counts) if line.rows else line.tooltip
    text = line.text + mark
    short = line.short + mark if line.short else ""
    yield replace(line, text=text, short=short, role=role, tooltip=tooltip, right="", right_id="", right_rows=())
    if right:
        mark, role = _mark(rows, overlay)
        yield Line(right + mark, role, line.right_id, counted_tooltip(rows, overlay.counts), rows=rows)


def _mark(rows: Iterable[Row], overlay: Overlay) -> tuple[str, str]:
    count = overlay.label(*(row.key for row in rows))
    return (f" {count}", "taken") if count else (": never", "grey_ink")


def stimuli_counted(runs: Iterable[tuple[str, str, str]], overlay: Overlay) -> str:
    """The stimuli of the moves from one state to another, with their counts: `sendto x3; never: datagram`."""
    moves = list(dict.fromkeys(runs))
    taken = [move for move in moves if overlay.moves.get(move)]
    never = [stimulus for _, stimulus, _ in moves if not any(stimulus == s for _, s, _ in taken)]
    parts = [f"{stimuli_words(s for _, s, _ in taken)} x{sum(overlay.moves[move] for move in taken)}"] if taken else []
    parts += [f"never: {stimuli_words(never)}"] if never else []
    return "; ".join(parts)
