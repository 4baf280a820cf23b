"""What `--highlight` means for the picture of a session: the shortest way to a state or a layer, or a recorded one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fsm.cli.json_file import load_steps
from fsm.errors import FsmError

if TYPE_CHECKING:
    from fsm.choices import Config
    from fsm.draw.session_picture import SessionOverlay
    from fsm.graph import PathStep
    from fsm.space import StateSpace

WHERE = "--highlight"
_FIX = "Make one with 'wfp-udp session --reach EXPR --format json'"
_WRONG = "no path of a session: no JSON with a list 'path'"


def session_overlay(highlights: tuple[str, ...], config: Config) -> SessionOverlay:
    """The way to what is named: `receiver=BOUND/IN`, `sender:INBOUND_ICMP_ERROR`, or a JSON file with a path.

    Raises
    ------
    FsmError, UnknownName : more than one, a name that does not exist, a state that cannot be reached, a bad file.
    """
    from fsm.draw.pictures import session_space
    from fsm.draw.session_picture import SessionOverlay

    if len(highlights) > 1:
        raise FsmError(WHERE, f"{len(highlights)} ways in one session", fix="Give one, or draw it again for the other")
    (given,) = highlights
    space = session_space(config)
    steps = _recorded(Path(given), space) if given.lower().endswith(".json") else _shortest(given, space)
    return SessionOverlay(steps=steps, stands=space.state(steps[-1].target if steps else 0))


def _shortest(given: str, space: StateSpace) -> tuple[PathStep, ...]:
    from fsm.graph import reachable, reachable_layer, session_graph
    from fsm.session import parse_reach

    graph = session_graph(space)
    if "=" in given:
        parse_reach(space.session, given, WHERE)  # a mistake in it is one of this option
        answer = reachable(graph, given)
    else:
        answer = reachable_layer(graph, given, where=WHERE)
    if answer.verdict != "yes":
        raise FsmError(
            WHERE, f"{given} cannot be reached in the session that is drawn", fix="'wfp-udp session' takes others"
        )
    return answer.path


def _recorded(path: Path, space: StateSpace) -> tuple[PathStep, ...]:
    """The path of a JSON file, replayed: what this session cannot do is refused."""
    from fsm.graph import PathStep

    where = f"{WHERE} {path}"
    if not path.is_file():
        raise FsmError(where, "no such file", fix=_FIX)
    found, steps = load_steps(path, where, steps="path", name="key", wrong=_WRONG, fix=_FIX)
    labels, start = [step["key"] for step in steps], found.get("from", 0)
    if not isinstance(start, int):
        raise FsmError(where, f"it begins in {start!r}, not in the number of a state", fix=_FIX)
    space.state(start)
    numbers = space.follow(labels, start)
    moves = [
        next(move for move, target in space.edges(source) if move.label == label and target == after)
        for label, source, after in zip(labels, numbers, numbers[1:], strict=False)
    ]
    return tuple(PathStep(a, move, b) for a, move, b in zip(numbers, moves, numbers[1:], strict=False))
