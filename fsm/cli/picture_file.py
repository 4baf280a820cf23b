"""Pictures as files: which format an ending means, and what is written where nothing can render."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fsm.errors import FsmError, UnknownName

if TYPE_CHECKING:
    from fsm.draw.pictures import Picture
    from fsm.errors import RenderError

TEXTS = ("dot", "mermaid", "text")  # need no renderer
RASTERS = ("png", "jpg", "pdf")
FORMATS = ("svg", *RASTERS, *TEXTS)
SUFFIXES = {
    ".svg": "svg", ".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".pdf": "pdf",
    ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid", ".txt": "text",
}  # fmt: skip


def format_of(given: str | None, output: str) -> str:
    """The format asked for, or the one that the file's ending says."""
    if given is not None:
        form = {"mmd": "mermaid", "txt": "text", "jpeg": "jpg", "gv": "dot"}.get(given.lower(), given.lower())
        if form not in FORMATS:
            raise UnknownName.of("--format", "format", given, FORMATS)
        return form
    if output == "-":
        return "text"
    suffix = Path(output).suffix.lower()
    if suffix not in SUFFIXES:
        what = f"no format has the ending {suffix!r}" if suffix else "no ending says which format"
        raise FsmError(f"-o {output}", what, f"Endings: {' '.join(SUFFIXES)}", "Give one, or --format")
    return SUFFIXES[suffix]


def drawn(shown: Picture, form: str, dark: bool) -> bytes:
    """A picture in one form, as the bytes of a file."""
    from fsm.draw.render import draw, printable

    if form == "dot":
        return printable(shown.dot(dark=dark, background="paper" if dark else "transparent")).encode("utf-8")
    if form == "mermaid":
        return shown.mermaid().encode("utf-8", "backslashreplace")
    if form == "text":
        return shown.text().encode("ascii")
    return draw(shown, form, dark=dark)


def check_folder(path: Path) -> None:
    """Raise `FsmError` where the folder of a file to be written does not exist."""
    if not path.parent.is_dir():
        raise FsmError(f"-o {path}", f"no folder {str(path.parent)!r}", fix="Make it first, or give another file")


def save(shown: Picture, output: str, form: str, *, dark: bool = False) -> None:
    """Write a picture to a file; where nothing can render it, what needs no renderer beside it.

    Raises
    ------
    FsmError : the folder does not exist, or the file cannot be written.
    NoRenderer : nothing here can draw that form; the message names what was written instead.
    """
    from fsm.draw.render import NoRenderer

    path = Path(output)
    check_folder(path)
    try:
        data = drawn(shown, form, dark)
    except NoRenderer as error:
        raise _instead(shown, path, dark, error) from None
    _write(path, data)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise FsmError(f"-o {path}", f"cannot be written: {error.strerror or error}") from None


def _instead(shown: Picture, path: Path, dark: bool, error: RenderError) -> RenderError:
    """Write what needs no renderer beside `path`; the error says so."""
    beside = {
        path.with_name(f"{path.name}{suffix}"): form
        for suffix, form in ((".dot", "dot"), (".mmd", "mermaid"), (".txt", "text"))
    }
    for other, form in beside.items():
        _write(other, drawn(shown, form, dark))
    written = f"{error.what}. Written instead: {', '.join(map(str, beside))}"
    return type(error)(error.where, written, error.nearest, error.fix)
