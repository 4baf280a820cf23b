"""The pictures of the endpoints with what a run has exercised: counts at the ways, what was not taken steps back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fsm.coverage import Coverage
from fsm.draw.overlay import Overlay
from fsm.draw.pictures import Picture, picture
from fsm.draw.render import NoRenderer, draw, printable
from fsm.errors import FsmError

_SAID = "Each branch has the number of times that a run has taken it, or the word never."


def coverage_pictures(coverage: Coverage) -> Iterator[Picture]:
    """One picture for each endpoint that is reported on."""
    for endpoint in coverage.endpoints:
        counts = coverage.of(endpoint)
        overlay = Overlay(counts=dict(counts.rows), coverage=True, moves=dict(counts.moves))
        shown = picture(endpoint, coverage.config, overlay=overlay)
        yield replace(shown, title=f"Coverage of {shown.title}", desc=f"{shown.desc} {_SAID}")


def write_pictures(coverage: Coverage, folder: Path) -> Iterator[Path]:
    """Write them as DOT and, where something here can render, as SVG; yields the files.

    Raises
    ------
    FsmError : the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for shown in coverage_pictures(coverage):
            path = folder / f"coverage_{shown.name}.dot"
            path.write_text(printable(shown.dot()), encoding="utf-8")
            yield path
            try:
                rendered = draw(shown, "svg")
            except NoRenderer:
                continue
            path = path.with_suffix(".svg")
            path.write_bytes(rendered)
            yield path
    except OSError as error:
        raise FsmError(str(folder), f"cannot be written: {error.strerror or error}") from None
