"""What the browser tests share: an installed Chromium, pages written to a folder, and a context that notes trouble."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# As root Chromium needs --no-sandbox; the others keep it from looking for a network.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

PROBES = (Path(__file__).parent / "page_probes.js").read_text(encoding="utf-8").partition("\n")[2].rstrip()


def chromium() -> str | None:
    """The program, where one is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield running
        running.close()


class Opened:
    """A page of a browser context of its own, offline, with everything that it complained of and asked for."""

    def __init__(self, running: Any, path: Path, fragment: str = "", **context: Any) -> None:
        self.context = running.new_context(**{"viewport": {"width": 1440, "height": 900}, **context})
        self.context.set_offline(True)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(f"{path.as_uri()}{'#' + fragment if fragment else ''}")
        self.page.wait_for_selector("body[data-ready]", timeout=20_000)

    def close(self) -> None:
        """End it; it asked for nothing but its own file and complained of nothing."""
        self.context.close()
        assert self.complaints == []
        assert all(url.startswith(("file:", "data:")) for url in self.requests), self.requests

    def probe(self, name: str, given: Any = None) -> Any:
        """The result of one of `page_probes.js`."""
        return self.page.evaluate(f"given => ({PROBES}).{name}(given)", given)

    # -- what a reader does ---------------------------------------------------------------------------------------

    def click_move(self, move: str) -> None:
        """Take a move by its button; the button of its peer first."""
        name, at, peer = move.partition("@")
        if move.startswith("wait:"):
            self.page.fill("#seconds", move.removeprefix("wait:"))
            self.page.click("#wait")
            return
        if self.page.locator("#peers").is_visible():
            self.page.click(f'#peers [data-peer="{peer or "A"}"]')
        self.page.click(f'#moves [data-move="{name}{at}{peer}"]')

    def manual(self, asked: bool) -> None:
        """Ask at every layer, or not."""
        self.page.set_checked("#manual", asked)

    # -- what a reader sees ---------------------------------------------------------------------------------------

    @property
    def token(self) -> str:
        """The fragment of the address."""
        return str(self.page.evaluate("decodeURIComponent(location.hash.slice(1))"))

    @property
    def ladder(self) -> list[tuple[str, str]]:
        """Layer and verdict of each rung."""
        rungs = self.page.eval_on_selector_all(
            "#ladder .rung", "all => all.map(one => [one.dataset.layer, one.dataset.verdict])"
        )
        return [(layer, verdict) for layer, verdict in rungs]

    @property
    def moves(self) -> list[str]:
        """The moves on the buttons."""
        return list(self.page.eval_on_selector_all("#moves [data-move]", "all => all.map(one => one.dataset.move)"))

    @property
    def refusals(self) -> list[tuple[str, str]]:
        """What is not possible, with the reasons."""
        found = self.page.eval_on_selector_all(
            "#refused li", "all => all.map(one => [JSON.parse(one.dataset.moves), one.lastChild.textContent])"
        )
        return sorted((move, why) for moves, why in found for move in moves)

    @property
    def state(self) -> dict[str, str]:
        """The state panel: name and value."""
        rows = self.page.eval_on_selector_all(
            "#state tr[data-name]", "all => all.map(one => [one.dataset.name, one.querySelector('.value').textContent])"
        )
        return dict(rows)

    @property
    def waiting(self) -> str:
        """What the heading of the moves says."""
        return str(self.page.inner_text("#where strong"))
