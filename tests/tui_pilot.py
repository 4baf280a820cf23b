"""Drives the full-screen stepper for its tests: a walk, a size, keys and clicks, and what is on the screen then."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

from textual.geometry import Offset
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input

from fsm.policy.callout import policy_callout
from fsm.policy.read import read_policy
from fsm.stepper import EndpointSystem, Walk
from fsm.tui.app import Stepper
from fsm.tui.rows import Rows

SMALL, LARGE = (80, 24), (200, 60)


# Whether it matches depends on a program, which nobody has named.
POLICY = b"""
[[filter]]
name = "Block one program"
layer = "AUTH_CONNECT"
action = "block"
when = { program = '\\device\\harddiskvolume1\\x.exe' }
"""


def undecided() -> Walk:
    """A sender under a policy that leaves ALE_AUTH_CONNECT open."""
    return Walk(EndpointSystem("sender"), policy=policy_callout(read_policy(POLICY), open_questions="unknown"))


class Screen:
    """The program under test, as a person has it before him."""

    def __init__(self, app: Stepper, pilot: Pilot[Any]) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def write(self, text: str) -> None:
        """Write into the line that is open, in place of what stands there, and press Enter."""
        self.app.screen.query_one(Input).value = text  # letter by letter it takes long
        await self.press("enter")

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is on the screen: what follows a timer or a resize comes when it comes."""
        for _ in range(500):
            if holds():
                return
            await asyncio.sleep(0.01)
            await self.pilot.pause()
        raise AssertionError("it does not come")

    async def stands_still(self) -> None:
        """Wait until nothing on the screen has changed for three rounds of the event loop."""
        before, same = "", 0
        for _ in range(200):
            await self.pilot.pause()
            now = "\n".join(strip.text for strip in self.strips)
            same = same + 1 if now == before else 0
            if same == 3:
                return
            before = now
            await asyncio.sleep(0.005)
        raise AssertionError("the screen never stands still")

    async def click(self, panel: str, text: str, times: int = 1) -> None:
        """Click the first row of a panel that contains a text."""
        rows = self.rows(panel)
        await self.until(lambda: bool(rows.region.area) and any(text in made.text for made in rows.rows))
        number = next(n for n, made in enumerate(rows.rows) if text in made.text)
        inside = rows.content_region.offset - rows.region.offset
        offset = Offset(inside.x + 2, inside.y + number - round(rows.scroll_y))
        assert await self.pilot.click(rows, offset=offset, times=times)
        await self.pilot.pause()

    def rows(self, panel: str) -> Rows:
        return self.app.screen_stack[0].query_one(f"#{panel}", Rows)

    def texts(self, panel: str) -> list[str]:
        return [made.text for made in self.rows(panel).rows]

    def text(self, name: str) -> str:
        """What a line at the top or at the bottom says, or the hint of an open prompt."""
        for screen in reversed(self.app.screen_stack):
            for widget in screen.query(f"#{name}"):
                return str(widget.render())
        raise AssertionError(f"nothing is called {name}")

    @property
    def strips(self) -> list[Strip]:
        """The lines of the screen, as they would be written to the terminal."""
        filters = self.app.get_line_filters()
        strips = self.app.screen._compositor.render_strips()
        for line_filter in filters:
            strips = [strip.apply_filter(line_filter, self.app.screen.styles.background) for strip in strips]
        return strips

    @property
    def svg(self) -> str:
        """The screen as a picture, without the fonts of the web that it would load."""
        return re.sub(r"@font-face \{.*?\}\s*", "", self.app.export_screenshot(), flags=re.DOTALL)


def drive(
    walk: Walk,
    script: Callable[[Screen], Awaitable[None]],
    size: tuple[int, int] = SMALL,
    after: Callable[[Screen], Any] = lambda screen: screen,
) -> Any:
    """Run the program on a walk, let `script` use it, and end it. Returns what `after` makes of the screen."""

    async def run() -> Any:
        app = Stepper(walk)
        async with app.run_test(size=size) as pilot:

            async def settled(*_: float) -> None:
                # The pilot's own waits sleep and look at the processor time; here every queue is run empty instead.
                for _ in range(3):
                    await pilot._wait_for_screen()
                    await asyncio.sleep(0.002)

            with patch("textual.app.wait_for_idle", settled), patch("textual.pilot.wait_for_idle", settled):
                await pilot.pause()
                screen = Screen(app, pilot)
                await script(screen)
                await screen.stands_still()
                return after(screen)

    return asyncio.run(run())
