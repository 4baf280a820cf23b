"""The gallery: `python -m fsm.draw.gallery` writes every picture to `diagrams/`, with a README that shows them.

`--check` compares instead: DOT and README byte for byte, and the SVGs where the renderer is the one that drew them
(the README names it), because another one may set text otherwise.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fsm.draw.index_page import Shown, markdown_sections
from fsm.draw.pictures import Picture, all_pictures
from fsm.draw.render import draw
from fsm.errors import FsmError

COMMAND = "python -m fsm.draw.gallery"
_RENDERER_LINE = "Drawn by "


def dot_files() -> dict[str, bytes]:
    """File name to content of what needs no renderer: the DOT texts."""
    return {f"{file_stem(shown)}.dot": shown.dot().encode("utf-8") for shown in all_pictures()}


def svg_files() -> dict[str, bytes]:
    """File name to content of the pictures.

    Raises
    ------
    RenderError : nothing here can draw.
    """
    return {f"{file_stem(shown)}.svg": draw(shown, "svg") for shown in all_pictures()}


def readme(renderer: str, pages: Mapping[str, str] | None = None) -> str:
    """The page that shows the pictures; `renderer` is what drew them, `pages` are others of the folder with titles."""
    lines = [
        "# Pictures",
        "",
        f"Written by `{COMMAND}` from the rules; do not edit. `wfp-udp diagram NAME` draws any of them for other",
        "machines (`--ip`, `--windows`, `--evidence`, `--assume`) and in other formats. The boxes of an SVG link to",
        "the document behind them: open the picture by itself to follow the links.",
        "",
        f"{_RENDERER_LINE}{renderer}.",
    ]
    if pages:
        lines += ["", "Pages to read:", "", *(f"- [{title}]({path})" for path, title in pages.items())]
    shown = [Shown(one, {form: f"{file_stem(one)}.{form}" for form in ("svg", "dot")}) for one in all_pictures()]
    lines += markdown_sections(shown)
    return "\n".join(lines) + "\n"


def file_stem(shown: Picture) -> str:
    """The file name of a picture, without its ending."""
    return shown.name


def installed_renderer() -> str:
    """What the package's own renderer is called in the README: `graphviz-pure 0.2.2`; empty where it is missing."""
    try:
        return f"graphviz-pure {importlib.metadata.version('graphviz-pure')}"
    except importlib.metadata.PackageNotFoundError:
        return ""


def write(folder: Path) -> list[Path]:
    """Write all files, and remove pictures that no longer exist.

    Raises
    ------
    FsmError : the package's own renderer is missing; the gallery is drawn by it and no other.
    """
    renderer = installed_renderer()
    if not renderer:
        raise FsmError(
            COMMAND, "graphviz-pure is not installed, and only its pictures are kept", fix="pip install graphviz-pure"
        )
    files = {**dot_files(), **svg_files(), "README.md": readme(renderer, _pages(folder)).encode("utf-8")}
    folder.mkdir(parents=True, exist_ok=True)
    for stale in _pictures_in(folder) - set(files):
        (folder / stale).unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def differences(folder: Path) -> list[str]:
    """What is missing, superfluous or not as it would be written today; empty when all is current."""
    page = folder / "README.md"
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    drawn_by = next(
        (
            line.removeprefix(_RENDERER_LINE).rstrip(".")
            for line in text.splitlines()
            if line.startswith(_RENDERER_LINE)
        ),
        "",
    )
    wanted = {**dot_files(), "README.md": readme(drawn_by, _pages(folder)).encode("utf-8")}
    names = {f"{file_stem(shown)}.svg" for shown in all_pictures()}
    if drawn_by and drawn_by == installed_renderer():
        wanted |= svg_files()
    found = [f"{name}: missing" for name in sorted({*wanted, *names}) if not (folder / name).is_file()]
    found += [f"{name}: no picture of today" for name in sorted(_pictures_in(folder) - set(wanted) - names)]
    for name, content in wanted.items():
        path = folder / name
        # Git on Windows may have written CRLF.
        if path.is_file() and path.read_bytes().replace(b"\r\n", b"\n") != content:
            found.append(f"{name}: differs")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the gallery, or check it; 1 when it is not current."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write every picture to diagrams/, or check them.")
    parser.add_argument(
        "--check", action="store_true", help="compare instead of writing; exit status 1 on a difference"
    )
    parser.add_argument("--dir", type=Path, default=Path("diagrams"), metavar="FOLDER", help="default: diagrams")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            found = differences(options.dir)
            if found:
                print(*found, f"Redraw them: {COMMAND} --dir {options.dir}", sep="\n", file=sys.stderr)
                return 1
            print(f"{options.dir}: every picture is current")
            return 0
        written = write(options.dir)
    except FsmError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    print(f"{len(written)} files in {options.dir}")
    return 0


def _pages(folder: Path) -> dict[str, str]:
    """The pages of documentation beside the pictures: path to title, which is their first heading."""
    found = {}
    for path in sorted(folder.glob("pages/*.md")):
        lines = path.read_text(encoding="utf-8").splitlines()
        title = next((line.lstrip("# ") for line in lines if line.startswith("# ")), path.stem)
        found[f"pages/{path.name}"] = title
    return found


def _pictures_in(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*") if path.suffix in (".dot", ".svg")}


if __name__ == "__main__":
    sys.exit(main())
