"""The pictures that are kept in `diagrams/`: current, complete, and shown in its README."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from fsm.draw import gallery
from fsm.draw.pictures import picture_names
from fsm.draw.render import find_renderer
from fsm.names import ENDPOINTS

ROOT = Path(__file__).resolve().parent.parent
DIAGRAMS = ROOT / "diagrams"
renderer = pytest.mark.skipif(not gallery.installed_renderer(), reason="the gallery is drawn by graphviz-pure alone")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    gallery.write(folder)
    return folder


def test_kept_pictures_are_current() -> None:
    found = gallery.differences(DIAGRAMS)
    assert found == [], f"redraw them: {gallery.COMMAND}"


@renderer
def test_every_picture_is_written_and_shown(written: Path) -> None:
    names = {f"{name}.{ending}" for name in picture_names() for ending in ("dot", "svg")}
    assert {path.name for path in written.iterdir()} == {*names, "README.md"}
    page = (written / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)]+)\)", page)
    assert sorted(map(unquote, linked)) == sorted(names)


@renderer
def test_page_says_in_one_sentence_what_each_picture_shows(written: Path) -> None:
    page = (written / "README.md").read_text(encoding="utf-8")
    parts = re.split(r"^### ", page, flags=re.MULTILINE)[1:]
    assert [part.splitlines()[0] for part in parts] == list(picture_names())
    for part in parts:
        assert re.match(r"\S+\n\n[A-Za-z][^\n]+\. \[DOT\]", part), part


@renderer
def test_pages_beside_the_pictures_are_linked_by_their_title(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "one.md").write_text("<!-- x -->\n# What it is\n", encoding="utf-8")
    gallery.write(tmp_path)
    assert "- [What it is](pages/one.md)" in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert gallery.differences(tmp_path) == []
    (tmp_path / "pages" / "one.md").write_text("# Another\n", encoding="utf-8")
    assert gallery.differences(tmp_path) == ["README.md: differs"]


@renderer
def test_writing_twice_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    gallery.write(tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {p.name: p.read_bytes() for p in written.iterdir()}


@renderer
def test_check_tells_what_is_wrong_and_how_to_redraw(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in written.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert gallery.main(["--check", "--dir", str(tmp_path)]) == 0
    (tmp_path / "sender.dot").write_text("digraph {}")
    (tmp_path / "receiver.svg").write_text("<svg/>")
    (tmp_path / "packet-path.dot").unlink()
    (tmp_path / "gone.svg").write_text("<svg/>")
    capsys.readouterr()
    assert gallery.main(["--check", "--dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "packet-path.dot: missing",
        "gone.svg: no picture of today",
        "sender.dot: differs",
        "receiver.svg: differs",
        f"Redraw them: python -m fsm.draw.gallery --dir {tmp_path}",
    ]
    gallery.write(tmp_path)
    assert gallery.differences(tmp_path) == []
    assert not (tmp_path / "gone.svg").exists()


@renderer
def test_svg_of_another_renderer_is_not_compared(written: Path, tmp_path: Path) -> None:
    for path in written.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "README.md").write_bytes(gallery.readme("graphviz-pure 99.0").encode())
    (tmp_path / "sender.svg").write_text("<svg/>")
    assert gallery.differences(tmp_path) == []
    (tmp_path / "sender.svg").unlink()
    assert gallery.differences(tmp_path) == ["sender.svg: missing"]


@renderer
def test_checkout_with_crlf_is_current(written: Path, tmp_path: Path) -> None:
    for path in written.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert gallery.differences(tmp_path) == []


def test_gallery_without_its_renderer_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gallery, "installed_renderer", lambda: "")
    assert gallery.main(["--dir", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err.startswith("error: python -m fsm.draw.gallery: graphviz-pure is not installed")
    assert not (tmp_path / "new").exists()


def test_groups_are_in_order() -> None:
    assert picture_names()[: 1 + len(ENDPOINTS)] == ("packet-path", *ENDPOINTS)
    assert find_renderer() is None or picture_names()
