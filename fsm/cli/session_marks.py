"""What `--highlight` means for the picture of a session: the shortest way to a state or a layer, or a recorded one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from fsm.errors import FsmError

if TYPE_CHECKING:
    from fsm.choices import Config
    from fsm.draw.session_picture import SessionOverlay
    from fsm.graph import PathStep
    from fsm.space import StateSpace

WHERE = "--highlight"
_FIX = "Make one with 'wfp-udp session --reach EXPR --format json'"
_LIMIT = 20_000_000  # bytes


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
    try:
        if path.stat().st_size > _LIMIT:
            raise FsmError(where, f"larger than {_LIMIT // 1_000_000} MB", fix=_FIX)
        found = json.loads(path.read_bytes().decode("utf-8-sig"))
        labels = [str(step["key"]) for step in found["path"]]
        start = int(found.get("from", 0))
    except OSError as error:
        raise FsmError(where, f"cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise FsmError(where, "no path of a session: no JSON with a list 'path'", fix=_FIX) from None
    space.state(start)
    numbers = space.follow(labels, start)
    moves = [
        next(move for move, target in space.edges(source) if move.label == label and target == after)
        for label, source, after in zip(labels, numbers, numbers[1:], strict=False)
    ]
    return tuple(PathStep(a, move, b) for a, move, b in zip(numbers, moves, numbers[1:], strict=False))
