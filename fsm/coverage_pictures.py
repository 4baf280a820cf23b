"""The pictures of the endpoints with what a run has exercised: counts at the ways, what was not taken steps back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fsm.coverage import Coverage
from fsm.draw.overlay import Overlay
from fsm.draw.pictures import Picture, picture
from fsm.draw.render import NoRenderer, draw, printable
from fsm.errors import FsmError


def coverage_pictures(coverage: Coverage) -> Iterator[Picture]:
    """One picture for each endpoint that is reported on."""
    for endpoint in coverage.endpoints:
        counts = dict(coverage.rows.get(endpoint, {}))
        yield picture(endpoint, coverage.config, overlay=Overlay(counts=counts or {"": 1}))


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
