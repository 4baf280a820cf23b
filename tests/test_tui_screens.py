"""Pictures of the full-screen stepper, compared as a whole with those in data/screens.

After a change that is meant to be seen: `python tests/test_tui_screens.py` draws them anew; look at each.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tui_pilot import LARGE, SMALL, Screen, drive, undecided

from fsm.session import make_session
from fsm.stepper import EndpointSystem, SessionSystem, Walk

FOLDER = Path(__file__).parent / "data" / "screens"
REDRAW = "python tests/test_tui_screens.py"


async def start(screen: Screen) -> None:
    """Nothing has happened."""


async def waits(screen: Screen) -> None:
    """Manual, a layer waits, something is watched."""
    walk = screen.app.walk
    walk.choose("bind")
    walk.manual = True
    walk.watch("flow")
    walk.break_at("OUTBOUND_TRANSPORT")
    screen.app.take("sendto")
    await screen.press("space")


async def forked(screen: Screen) -> None:
    """Blocked at one layer, back, permitted: two branches, and the layer that told of the block."""
    await waits(screen)
    await screen.press("2", "space", "b", "b", "1", "space", "2", "space")


async def history(screen: Screen) -> None:
    """The last one, with the reason of a refused move."""
    await forked(screen)
    await screen.press("left_square_bracket")
    screen.rows("moves").highlight("complete")
    await screen.pilot.pause()


async def light(screen: Screen) -> None:
    """The other theme."""
    await forked(screen)
    await screen.press("D")


async def question(screen: Screen) -> None:
    """The policy leaves a verdict open, and the panel that shows the way is not in front."""
    screen.app.take("sendto")
    await screen.press("right_square_bracket")
    await screen.until(lambda: bool(screen.rows("ladder").region.area))


async def prompt(screen: Screen) -> None:
    """A line to write, with a mistake."""
    await waits(screen)
    await screen.press("u")
    await screen.write("flow=SIDEWAYS")


async def received(screen: Screen) -> None:
    """A datagram that was delivered."""
    screen.app.take("bind")
    screen.app.take("datagram")
    await screen.pilot.pause()


async def exchanged(screen: Screen) -> None:
    """A session after a datagram has arrived."""
    for move in ("receiver: bind", "sender: sendto@receiver"):
        screen.app.take(move)
    screen.app.take(next(move for move in screen.app.walk.moves if move.startswith("receiver: datagram")))
    await screen.pilot.pause()


def endpoint(name: str) -> Callable[[], Walk]:
    return lambda: Walk(EndpointSystem(name))


def session() -> Walk:
    return Walk(SessionSystem(make_session(("sender@1", "receiver@2"))))


SCREENS = {  # name: (walk, what is done, size, whether without colour)
    "start-80x24": (endpoint("sender"), start, SMALL, False),
    "waits-80x24": (endpoint("sender"), waits, SMALL, False),
    "history-80x24": (endpoint("sender"), history, SMALL, False),
    "light-80x24": (endpoint("sender"), light, SMALL, False),
    "no-colour-80x24": (endpoint("sender"), waits, SMALL, True),
    "question-80x24": (undecided, question, SMALL, False),
    "prompt-80x24": (endpoint("sender"), prompt, SMALL, False),
    "session-80x24": (session, exchanged, SMALL, False),
    "forked-100x30": (endpoint("sender"), forked, (100, 30), False),
    "forked-200x60": (endpoint("sender"), forked, LARGE, False),
    "light-200x60": (endpoint("sender"), light, LARGE, False),
    "no-colour-200x60": (endpoint("receiver"), received, LARGE, True),
    "session-200x60": (session, exchanged, LARGE, False),
}


def drawn(name: str) -> str:
    walk, script, size, _ = SCREENS[name]
    return drive(walk(), script, size, after=lambda screen: screen.svg)


@pytest.mark.parametrize("name", SCREENS)
def test_the_screen_is_as_it_was(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without_colour = SCREENS[name][3]
    monkeypatch.delenv("COLORFGBG", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if without_colour:
        monkeypatch.setenv("NO_COLOR", "1")
    kept = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert drawn(name) == kept, f"{name} looks different. Is it meant? {REDRAW}"


def test_there_is_no_picture_of_no_screen() -> None:
    assert {path.stem for path in FOLDER.glob("*.svg")} == set(SCREENS)


def test_without_colour_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def script(screen: Screen) -> None:
        await forked(screen)
        styles = [segment.style for strip in screen.strips for segment in strip if segment.style]
        assert styles
        for style in styles:
            assert all(colour is None or colour.is_default for colour in (style.color, style.bgcolor))
        assert any(style.reverse for style in styles)

    drive(Walk(EndpointSystem("sender")), script)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.svg"):
        old.unlink()
    os.environ.pop("COLORFGBG", None)
    for screen_name, (_, _, _, plain) in SCREENS.items():
        os.environ.pop("NO_COLOR", None)
        if plain:
            os.environ["NO_COLOR"] = "1"
        (FOLDER / f"{screen_name}.svg").write_text(drawn(screen_name), encoding="utf-8", newline="\n")
