"""DOT text to a picture: only module that runs the renderer program.

Any renderer reads the same DOT text. `graphviz-pure` comes with this package on most machines and is found without
PATH, because people run `python -m fsm` in environments that are not activated; an installed Graphviz does the
formats that it cannot (pdf). Where neither works, DOT, Mermaid and plain text need no renderer.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sysconfig
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fsm.draw.theme import theme_svg
from fsm.errors import RenderError

# Path of the renderer program to use, and no other.
VARIABLE = "WFP_UDP_DOT"
TIMEOUT_S = 60
HOW_TO_GET_ONE = f"Get one with 'pip install graphviz-pure' or install Graphviz, or set {VARIABLE} to a dot program"

# A raster of 96 dots per inch is too coarse for the small print.
_FINER = dict.fromkeys(("png", "jpg", "jpeg", "gif", "webp"), ("-Gdpi=144",))

_PURE = "graphviz-pure"
_PURE_FORMATS = ("svg", "png", "jpg", "jpeg", "json", "xdot", "plain")
# What Graphviz's own program is asked for; which of them it can is for its plugins to say.
_DOT_FORMATS = (*_PURE_FORMATS, "pdf", "ps", "eps", "gif", "webp")


@dataclass(frozen=True, slots=True)
class Renderer:
    """A program that renders DOT text. `found` says where it was looked for."""

    program: Path
    found: str
    formats: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.program.name.removesuffix(".exe")

    def version(self) -> str:
        """What the program says about itself; empty where it does not."""
        ran = _run(self, ["-V"], b"", TIMEOUT_S)
        return " ".join((ran.stderr or ran.stdout).decode("utf-8", "replace").split())


class NoRenderer(RenderError):
    """Nothing here can draw at all, as against a picture or a format that cannot be drawn."""


class Drawable(Protocol):
    """What `draw` needs of a picture (see `fsm.draw.pictures`)."""

    @property
    def title(self) -> str: ...

    @property
    def desc(self) -> str: ...

    def dot(self, *, dark: bool = False, background: str = "transparent") -> str: ...


def find_renderers(program: str | None = None) -> tuple[Renderer, ...]:
    """Every renderer there is, best first: the one asked for alone, else the installed package's, else `dot`.

    Parameters
    ----------
    program : path or name of the program to use and no other; without it the variable WFP_UDP_DOT.

    Raises
    ------
    RenderError : the program asked for does not exist.
    """
    asked = program or os.environ.get(VARIABLE, "")
    if asked:
        where = shutil.which(asked)
        if where is None:
            option = "renderer" if program else VARIABLE
            raise NoRenderer(option, f"no program {asked!r}", fix="Give the path of a dot program, or unset it")
        return (_renderer(Path(where), "asked for"),)
    found = [_renderer(path, "package") for path in _pure_programs()][:1]
    dot = shutil.which("dot")
    if dot:
        found.append(_renderer(Path(dot), "PATH"))
    return tuple(found)


def find_renderer(program: str | None = None) -> Renderer | None:
    """The best renderer there is, or None; see `find_renderers`."""
    return next(iter(find_renderers(program)), None)


def render(dot: str, form: str = "svg", *, renderer: Renderer | None = None, timeout_s: float = TIMEOUT_S) -> bytes:
    """The picture of a DOT text.

    Parameters
    ----------
    dot : DOT text; control characters in it are left out, they would make invalid XML.
    form : svg, png, pdf ...
    renderer : use this one; else the first that can do `form` and can be started.

    Raises
    ------
    RenderError : none can; the message names what the renderers here can do, or what the renderer complained of.
    """
    here = (renderer,) if renderer else find_renderers()
    able = [one for one in here if form in one.formats]
    if not here:
        raise NoRenderer("renderer", f"nothing here can draw {form}", fix=HOW_TO_GET_ONE)
    if not able:
        can = ", ".join(dict.fromkeys(name for one in here for name in one.formats))
        names = " and ".join(one.name for one in here)
        fix = f"For {form} install Graphviz, or set {VARIABLE} to its dot" if form in _DOT_FORMATS else ""
        raise RenderError("renderer", f"{names} cannot write {form}", f"It can write: {can}", fix)
    source = printable(dot).encode("utf-8")
    failed = ""
    for one in able:
        try:
            ran = _run(one, [f"-T{form}", *_FINER.get(form, ())], source, timeout_s)
        except OSError as error:  # damaged, of another machine, no permission: perhaps the next one starts
            failed = failed or f"{one.program} cannot be started ({error.strerror or error})"
            continue
        except subprocess.TimeoutExpired:
            raise RenderError(
                one.name, f"no {form} after {timeout_s:g} s", fix="Write the DOT text and render it elsewhere"
            ) from None
        if ran.returncode == 0 and ran.stdout:
            return ran.stdout.replace(b"\r\n", b"\n") if form == "svg" else ran.stdout
        said = " ".join(ran.stderr.decode("utf-8", "replace").split())[:500] or "it said nothing"
        raise RenderError(one.name, f"no {form}, exit status {ran.returncode}: {said}")
    raise NoRenderer("renderer", failed, fix=HOW_TO_GET_ONE)


def draw(picture: Drawable, form: str = "svg", *, dark: bool = False) -> bytes:
    """A picture in a format. An SVG is light and dark at once unless `dark` asks for dark only; a PNG is light.

    Raises
    ------
    RenderError : see `render`.
    """
    if form != "svg":
        return render(picture.dot(dark=dark, background="paper"), form)
    svg = render(picture.dot(dark=dark, background="paper" if dark else "transparent"), "svg").decode("utf-8")
    return theme_svg(svg, title=printable(picture.title), desc=printable(picture.desc)).encode("utf-8")


def printable(text: str) -> str:
    """`text` without what XML cannot hold or a reader cannot see: control characters, surrogates, noncharacters."""
    return "".join(
        c for c in text if c in "\n\t" or (unicodedata.category(c) not in ("Cc", "Cs") and ord(c) & 0xFFFE != 0xFFFE)
    )


def _renderer(program: Path, found: str) -> Renderer:
    pure = _PURE in program.name
    return Renderer(program, found, _PURE_FORMATS if pure else _DOT_FORMATS)


def _pure_programs() -> Iterator[Path]:
    """The program of the installed package, looked for where pip puts it; without PATH."""
    names = (f"{_PURE}.exe", _PURE)
    for name in names:
        path = Path(sysconfig.get_path("scripts"), name)
        if path.is_file():
            yield path
    try:
        files = importlib.metadata.files(_PURE) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for file in files:  # a user or target install has its own folder for programs
        path = Path(str(file.locate()))
        if file.name in names and path.is_file():
            yield path.resolve()


def _run(
    renderer: Renderer, arguments: list[str], source: bytes, timeout_s: float
) -> subprocess.CompletedProcess[bytes]:
    # No console window on Windows; 0 elsewhere.
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    return subprocess.run(
        [str(renderer.program), *arguments], input=source, capture_output=True, timeout=timeout_s, creationflags=flags
    )
