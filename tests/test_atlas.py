"""`wfp-udp atlas`: everything in one folder, indexed, readable without a network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from fsm.draw.pictures import picture_names
from fsm.draw.render import find_renderer
from fsm.draw.theme import LIGHT

renderer = pytest.mark.skipif(find_renderer() is None, reason="nothing here can draw")
VOID = {"meta", "input", "link", "img", "br", "hr"}


def atlas(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "WFP_UDP_DOT"} | variables
    command = [sys.executable, "-m", "fsm", "atlas", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")


class Page(HTMLParser):
    """Ids, links and text of a page; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.labels: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.labels += (values.get("aria-labelledby") or "").split()
        if tag == "a":
            self.links.append(values.get("href") or values.get("xlink:href") or "")
        self.loads += [values["src"] or ""] if "src" in values else []
        if tag == "link":
            self.loads.append(values.get("href") or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("atlas")
    ran = atlas("-o", "out/deep", folder=folder)
    assert ran.returncode == 0, ran.stderr
    total = len(picture_names())
    assert re.fullmatch(
        rf"{total} pictures in {2 * total + 2} files, [\d.]+ s\. Open out.deep.index\.html\n", ran.stdout
    )
    progress = ran.stderr.splitlines()
    assert [line.split()[-1] for line in progress] == list(picture_names())
    assert progress[-1].strip().startswith(f"{total}/{total}")
    return folder / "out" / "deep"


@renderer
def test_every_picture_is_there_in_both_formats(written: Path) -> None:
    names = {f"{name}.{ending}" for name in picture_names() for ending in ("svg", "dot")}
    assert {path.name for path in written.iterdir()} == {*names, "README.md", "index.html"}


@renderer
def test_markdown_shows_each_picture_with_a_sentence(written: Path) -> None:
    page = (written / "README.md").read_text(encoding="utf-8")
    assert sorted(map(unquote, re.findall(r"\]\(([^)]+)\)", page))) == sorted(
        f"{name}.{ending}" for name in picture_names() for ending in ("svg", "dot")
    )
    parts = re.split(r"^### ", page, flags=re.MULTILINE)[1:]
    assert [part.splitlines()[0] for part in parts] == list(picture_names())
    for part in parts:
        assert re.match(r"\S+\n\n[A-Za-z][^\n]+\. \[DOT\]", part), part


@renderer
def test_html_page_is_whole_and_needs_no_network(written: Path) -> None:
    text = (written / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.loads == []
    assert "@import" not in text and "url(" not in text
    assert len(page.ids) == len(set(page.ids))
    assert set(page.labels) <= set(page.ids)
    assert text.count("<svg ") == len(picture_names())
    assert {f"#{name}" for name in picture_names()} <= set(page.links)
    files = [link for link in page.links if link and not link.startswith(("#", "https://"))]
    assert sorted(files) == sorted(f"{name}.{ending}" for name in picture_names() for ending in ("svg", "dot"))
    assert all((written / link).is_file() for link in files)


@renderer
def test_html_page_is_light_and_dark(written: Path) -> None:
    text = (written / "index.html").read_text(encoding="utf-8")
    assert "prefers-color-scheme:dark" in text
    assert ':root[data-theme="dark"]' in text
    assert f'.wfp-picture [fill="{LIGHT.ink}"]' in text
    assert text.count("<style>") == 1


@renderer
def test_options_of_the_machine_reach_every_picture(tmp_path: Path) -> None:
    ran = atlas("-o", "a", "--ip", "6", "--windows", "vista", "--format", "text", "--format", "mmd", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    here = tmp_path / "a"
    assert "IPv6, Windows vista" in (here / "sender.blocked.txt").read_text()
    assert "ALE_AUTH_CONNECT_V6" in (here / "sender.blocked.mmd").read_text()
    assert {path.suffix for path in here.iterdir()} == {".txt", ".mmd", ".md", ".html"}
    page = (here / "index.html").read_text(encoding="utf-8")
    assert "<pre>" in page and "<svg" not in page
    # What that machine cannot do is said, with its reason, and stops nothing.
    missing = re.findall(r"(\S+): not on this machine", ran.stderr)
    assert "sender.interface_change" in missing
    assert f"{len(missing)} not on this machine" in ran.stdout
    assert "sender.interface_change</b>: 'interface_change' is not possible" in page
    assert not (here / "sender.interface_change.txt").exists()


@renderer
def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert atlas("-o", ".", "--format", "dot", folder=tmp_path).returncode == 0
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_without_renderer_the_other_forms_are_written(tmp_path: Path) -> None:
    ran = atlas("-o", "a", folder=tmp_path, WFP_UDP_DOT="/no/such/dot")
    total = len(picture_names())
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.splitlines()[-1] == (
        f"error: WFP_UDP_DOT: no program '/no/such/dot'. Written instead: {3 * total + 2} files of DOT, Mermaid and "
        "text in a. Give the path of a dot program, or unset it."
    )
    assert len(list((tmp_path / "a").iterdir())) == 3 * total + 2
    assert "<pre>" in (tmp_path / "a" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "a", "--format", "pgn"], "--format: no format named 'pgn'. Did you mean 'png'"),
        (["-o", "a", "--windows", "12"], "no Windows named '12'"),
        (["-o", "file"], "-o file: cannot be made: "),
        ([], "Missing option '-o'"),
    ],
)
def test_refusal_is_one_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = atlas(*arguments, folder=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert ran.stderr.startswith("error: ")
    assert ran.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@renderer
def test_format_that_nothing_here_writes_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    ran = atlas("-o", "a", "--format", "pdf", folder=tmp_path, PATH=str(tmp_path))
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: renderer: graphviz-pure cannot write pdf.")
    assert list(tmp_path.iterdir()) == []
