"""`wfp-udp atlas`: every picture into one folder, with an index."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsm.choices import Config
from fsm.cli.options import config_options
from fsm.cli.picture_file import FORMATS, TEXTS, drawn, format_of
from fsm.counts import counted
from fsm.errors import FsmError, RenderError

if TYPE_CHECKING:
    from fsm.draw.index_page import Shown

WHERE = "wfp-udp atlas"
DEFAULT = ("svg", "dot")
_ENDINGS = {"mermaid": "mmd", "text": "txt"}


@click.command("atlas", short_help="Draw everything into a folder, with an index.")
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder to write to; it is made where missing.")
@click.option(
    "--format",
    "forms",
    multiple=True,
    metavar="FORMAT",
    help=f"{', '.join(FORMATS)}. May be repeated.  [default: {', '.join(DEFAULT)}]",
)
@config_options
def command(output: str, forms: tuple[str, ...], config: Config) -> None:
    """Draw every picture for one machine into DIR: the packet path, the endpoints, the session, all disputes with
    their options side by side, all flows.

    \b
    Examples:
      wfp-udp atlas -o atlas
      wfp-udp atlas -o atlas7 --windows 7 --format svg --format png --format text

    DIR/index.html holds the pictures themselves and follows the reader's light or dark system; DIR/README.md shows
    them on GitHub. Files of other names in DIR are left alone. Where nothing can draw, DOT, Mermaid and text are
    written.
    """
    from fsm.draw.pictures import picture, picture_names
    from fsm.draw.render import NoRenderer

    begin = time.perf_counter()
    wanted = tuple(dict.fromkeys(format_of(form, "-") for form in forms)) or DEFAULT
    names = picture_names()
    undrawn: RenderError | None = None
    try:
        for form in (form for form in wanted if form not in TEXTS):
            drawn(picture(names[0], config, where=WHERE), form, False)  # refused now, or never
    except NoRenderer as error:
        wanted, undrawn = TEXTS, error
    folder = _folder(output)
    shown, missing = _write_pictures(folder, names, config, wanted)
    _write_index(folder, shown, missing, config)
    files = sum(len(one.files) for one in shown) + 2
    if undrawn:
        instead = f"{undrawn.what}. Written instead: {counted(files, 'file')} of DOT, Mermaid and text in {folder}"
        raise type(undrawn)(undrawn.where, instead, undrawn.nearest, undrawn.fix)
    left = f"; {len(missing)} not on this machine" if missing else ""
    seconds = time.perf_counter() - begin
    made = f"{counted(len(shown), 'picture')} in {counted(files, 'file')}, {seconds:.1f} s{left}"
    click.echo(f"{made}. Open {folder / 'index.html'}")


def _folder(output: str) -> Path:
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FsmError(f"-o {output}", f"cannot be made: {error.strerror or error}") from None
    return folder


@dataclass(frozen=True, slots=True)
class _Job:
    """One picture to write."""

    folder: Path
    name: str
    config: Config
    forms: tuple[str, ...]

    def run(self) -> Shown | tuple[str, str]:
        """Write the files; the name and the reason where this machine has no such picture."""
        from fsm.draw.index_page import Shown
        from fsm.draw.pictures import picture

        try:
            made = picture(self.name, self.config, where=WHERE)
            contents = {form: drawn(made, form, False) for form in self.forms}
        except RenderError:
            raise
        except FsmError as error:  # a stimulus or a layer that this Windows does not have
            return self.name, error.what
        files = {form: f"{self.name}.{_ENDINGS.get(form, form)}" for form in self.forms}
        for form, content in contents.items():
            _write(self.folder / files[form], content)
        svg = contents.get("svg", b"").decode("utf-8")
        pictured = svg or any(form in contents for form in ("png", "jpg"))
        return Shown(made, files, svg, "" if pictured else made.text())


def _write_pictures(
    folder: Path, names: Sequence[str], config: Config, forms: tuple[str, ...]
) -> tuple[list[Shown], list[tuple[str, str]]]:
    """All pictures, a line of progress for each; rendering is another program's work, so threads are enough."""
    shown: list[Shown] = []
    missing: list[tuple[str, str]] = []
    with ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 2))) as pool:
        jobs = [pool.submit(_Job(folder, name, config, forms).run) for name in names]
        try:
            for number, (name, job) in enumerate(zip(names, jobs, strict=True), 1):
                found = job.result()
                note = ""
                if isinstance(found, tuple):
                    missing.append(found)
                    note = ": not on this machine"
                else:
                    shown.append(found)
                click.echo(f"{number:3}/{len(names)} {name}{note}", err=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # the first mistake is the one that is told
            raise
    return shown, missing


def _write_index(folder: Path, shown: Sequence[Shown], missing: Sequence[tuple[str, str]], config: Config) -> None:
    from fsm.draw.index_page import html_page, markdown_sections

    about = f"IPv{config.ip}, Windows {config.windows}, evidence: {config.evidence}"
    about += "".join(f", {name}={option}" for name, option in config.assume)
    lines = ["# UDP in the Windows Filtering Platform", "", f"Every picture, for {about}. Written by `wfp-udp atlas`;"]
    lines += ["`index.html` shows the same with a switch for dark colours.", *markdown_sections(shown)]
    if missing:
        lines += ["", "## Not on this machine", "", *(f"- {name}: {reason}" for name, reason in missing)]
    _write(folder / "README.md", ("\n".join(lines) + "\n").encode("utf-8"))
    _write(folder / "index.html", html_page(shown, f"Drawn for {about}", missing).encode("utf-8"))


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise FsmError(f"-o {path}", f"cannot be written: {error.strerror or error}") from None
