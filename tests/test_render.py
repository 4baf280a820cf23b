"""The renderer program: which is found, what it can write, and what is said when it cannot."""

from __future__ import annotations

import importlib.metadata
import os
import stat
import sys
import sysconfig
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fsm.draw import render as door
from fsm.draw.render import NoRenderer, find_renderer, find_renderers, printable, render
from fsm.errors import RenderError

DOT = 'digraph { a [label="x"]; a -> b }'
MAGIC = {
    "svg": b"<?xml",
    "png": b"\x89PNG",
    "jpg": b"\xff\xd8\xff",
    "json": b"{",
    "xdot": b"digraph",
    "plain": b"graph",
}

pure_only = pytest.mark.skipif(find_renderer() is None, reason="graphviz-pure has no wheel for this machine")
posix_only = pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")


@pytest.fixture
def nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without renderer: the package's program hidden, PATH empty."""
    monkeypatch.delenv(door.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(importlib.metadata, "files", lambda name: [])


def stand_in(folder: Path, script: str, name: str = "dot") -> Path:
    program = folder / name
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pure_only
def test_renderer_of_the_package_is_found_without_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(door.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_renderer()
    assert found is not None
    assert (found.name, found.found) == ("graphviz-pure", "package")
    assert "graphviz" in found.version()


@pure_only
def test_renderer_of_the_package_is_found_by_its_file_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(door.VARIABLE, raising=False)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    found = find_renderer()
    assert found is not None
    assert found.found == "package"


@pure_only
@pytest.mark.parametrize("form", MAGIC)
def test_format_begins_as_it_should(form: str) -> None:
    assert render(DOT, form).startswith(MAGIC[form])


@posix_only
def test_program_of_the_variable_is_taken_and_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = stand_in(tmp_path, "print('mine')", "my-dot")
    monkeypatch.setenv(door.VARIABLE, str(program))
    assert [one.program for one in find_renderers()] == [program]
    assert render(DOT, "svg") == b"mine\n"


def test_program_of_the_variable_that_does_not_exist_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(door.VARIABLE, "/no/such/dot")
    with pytest.raises(NoRenderer, match=r"^WFP_UDP_DOT: no program '/no/such/dot'\. Give the path of a dot program"):
        find_renderers()


@pytest.mark.usefixtures("nothing_here")
def test_no_renderer_at_all_says_how_to_get_one() -> None:
    assert find_renderer() is None
    with pytest.raises(NoRenderer) as caught:
        render(DOT, "svg")
    assert str(caught.value) == (
        "renderer: nothing here can draw svg. Get one with 'pip install graphviz-pure' or install Graphviz, "
        "or set WFP_UDP_DOT to a dot program."
    )


@posix_only
@pytest.mark.usefixtures("nothing_here")
def test_dot_on_path_is_the_last_resort(tmp_path: Path) -> None:
    stand_in(tmp_path, "import sys; print(sys.argv[1:], len(sys.stdin.read()))")
    assert [one.found for one in find_renderers()] == ["PATH"]
    assert render(DOT, "pdf") == f"['-Tpdf'] {len(DOT)}\n".encode()


@pytest.mark.usefixtures("nothing_here")
def test_format_that_nobody_knows_is_refused_with_those_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    pure = door.Renderer(Path("graphviz-pure"), "package", ("svg", "png"))
    with pytest.raises(RenderError) as caught:
        render(DOT, "pdf", renderer=pure)
    assert not isinstance(caught.value, NoRenderer)
    assert str(caught.value) == (
        "renderer: graphviz-pure cannot write pdf. It can write: svg, png. "
        "For pdf install Graphviz, or set WFP_UDP_DOT to its dot."
    )


@posix_only
@pytest.mark.usefixtures("nothing_here")
def test_pdf_goes_to_a_real_dot_where_there_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dot = door.Renderer(stand_in(tmp_path, "print('pdf')"), "PATH", ("svg", "pdf"))
    pure = door.Renderer(tmp_path / "graphviz-pure", "package", ("svg",))
    monkeypatch.setattr(door, "find_renderers", lambda: (pure, dot))
    assert render(DOT, "pdf") == b"pdf\n"


@posix_only
@pytest.mark.usefixtures("nothing_here")
def test_program_that_cannot_be_started_gives_way_to_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "graphviz-pure"
    broken.write_bytes(b"\x7fELF of another machine")
    broken.chmod(0o755)
    pure = door.Renderer(broken, "package", ("svg",))
    monkeypatch.setattr(door, "find_renderers", lambda: (pure,))
    with pytest.raises(NoRenderer, match=r"graphviz-pure cannot be started \(Exec format error\)\. Get one with"):
        render(DOT, "svg")
    dot = door.Renderer(stand_in(tmp_path, "print('svg')"), "PATH", ("svg",))
    monkeypatch.setattr(door, "find_renderers", lambda: (pure, dot))
    assert render(DOT, "svg") == b"svg\n"


@posix_only
def test_renderer_that_hangs_is_stopped(tmp_path: Path) -> None:
    slow = door.Renderer(stand_in(tmp_path, "import time; time.sleep(60)"), "PATH", ("svg",))
    with pytest.raises(RenderError, match=r"^dot: no svg after 0\.2 s\."):
        render(DOT, "svg", renderer=slow, timeout_s=0.2)


@pure_only
def test_complaint_of_the_renderer_is_passed_on_in_one_line() -> None:
    with pytest.raises(RenderError, match=r"^graphviz-pure: no svg, exit status 1: .*syntax error in line 1") as caught:
        render("digraph { a -> ", "svg")
    assert "\n" not in str(caught.value)


@pure_only
def test_control_characters_do_not_make_invalid_xml() -> None:
    svg = render('digraph { a [label="x\x00\x08\x1b[31m\x85￾\ud800y"] }', "svg")
    assert "x[31my" in "".join(ElementTree.fromstring(svg).itertext())


def test_printable_keeps_what_can_be_seen() -> None:
    assert printable("a\tb\nc\x7f\x00ä漢\U0001f600") == "a\tb\ncä漢\U0001f600"
