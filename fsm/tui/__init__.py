"""The full-screen stepper: nothing of Textual is loaded before it is started."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from fsm.errors import FsmError
from fsm.stepper import Walk

_NO_SCREEN = ("dumb", "unknown")  # terminals, by TERM, on which nothing can be drawn


def can_run() -> bool:
    """Whether there is a terminal that a full screen can be drawn on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") not in _NO_SCREEN


def run(walk: Walk, *, seed: int = 1, engine: str = "table", arm: Callable[[Walk], None] | None = None) -> Walk:
    """Step through a walk in a full screen, until the user quits.

    Parameters
    ----------
    seed : of the first random walk; each of them adds 1.
    engine : of the walks that are loaded; `arm` gives them the policy and the callouts of this one.

    Returns
    -------
    The walk at the end: the one that was given, or the one that was loaded last.

    Raises
    ------
    FsmError : there is no terminal to draw on.
    """
    if not can_run():
        raise FsmError("step", "a full screen needs a terminal", fix="Add --plain")
    from fsm.tui.app import Stepper

    app = Stepper(walk, seed=seed, engine=engine, arm=arm)
    app.run()
    return app.walk


def run_app(walk: Walk) -> int:
    """The same, for an exit status."""
    run(walk)
    return 0
