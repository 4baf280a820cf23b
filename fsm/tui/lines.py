"""Lines as values: text by role, without colours and without a terminal; what the panels are made of."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

Spans = tuple[tuple[str, str], ...]  # text and role; the roles are in fsm.tui.look

# Marks tell without colour what has happened at a layer.
DONE, STOPS, WAITS, NEXT, ARRIVED = "●", "■", "▶", "○", "◇"
HERE, BREAK, FOLDED, UNFOLDED, LEADS, SCROLLED = "▶", "◆", "▸", "▾", "→", "▐"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a panel. `key` says what it stands for ("" for nothing that can be chosen), `about` explains it."""

    spans: Spans
    key: str = ""
    about: str = ""

    @property
    def text(self) -> str:
        """The line without roles."""
        return "".join(text for text, _ in self.spans)


def row(*spans: tuple[str, str] | str, key: str = "", about: str = "") -> Row:
    """A row of spans; a plain text is ink."""
    return Row(tuple((s, "ink") if isinstance(s, str) else s for s in spans), key, about)


def wrapped(text: str, width: int, role: str = "ink", *, first: str = "", rest: str | None = None) -> list[Row]:
    """Rows for a sentence; the first begins with `first`, the others with as much space or `rest`."""
    rest = " " * len(first) if rest is None else rest
    room = max(width - max(len(first), len(rest)), 12)
    parts = textwrap.wrap(text, room, break_on_hyphens=False) or [""]
    return [row((first if n == 0 else rest, "muted"), (part, role)) for n, part in enumerate(parts)]


def short(layer: str) -> str:
    """A layer without its prefix."""
    return layer.removeprefix("FWPM_LAYER_")
