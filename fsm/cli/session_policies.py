"""The filter policies of a session on the command line: the options, and what of an answer rests on open questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from fsm.errors import FsmError

if TYPE_CHECKING:
    from fsm.graph import Answer
    from fsm.policy.model import Policy
    from fsm.session import Move, Session
    from fsm.space import StateSpace

_OPTIONS: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option(
        "--policy",
        "policies",
        multiple=True,
        metavar="ENDPOINT=FILE",
        help="On the host of this endpoint these filters give the verdicts. May be repeated.",
    ),
    click.option(
        "--at",
        "places",
        multiple=True,
        metavar="ENDPOINT=ADDRESS:PORT",
        help="With --policy: where each endpoint is. Without ENDPOINT arguments those take part that are named here.",
    ),
    click.option(
        "--ordinary", is_flag=True, help="With --policy: a program, user and interface that no filter names, no tunnel."
    ),
    click.option(
        "--callouts",
        default="unknown",
        show_default=True,
        metavar="unknown|permit",
        help="With --policy: what callouts answer that nobody has described.",
    ),
)


def policy_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--policy` to `--callouts`, in this order in the help."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def policies_of(policies: Sequence[str], places: Sequence[str], ordinary: bool, callouts: str) -> dict[str, Any]:
    """What the options say, as keywords of `make_session`.

    Raises
    ------
    FsmError : a word that is not ENDPOINT=..., an endpoint that is named twice, a file that cannot be read.
    """
    files = _pairs("--policy", policies, "sender=policy.toml")
    return {
        "policies": {name: read_file(file) for name, file in files.items()},
        "at": _pairs("--at", places, "sender=192.0.2.1:50000"),
        "ordinary": ordinary,
        "undeclared": callouts,
    }


def _pairs(option: str, given: Sequence[str], example: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in given:
        name, equals, value = (part.strip() for part in word.partition("="))
        name = name.lower().replace("-", "_")
        if not equals or not name or not value:
            raise FsmError(option, f"'{word}' does not say of which endpoint it is", fix=f"Write {option} {example}")
        if pairs.setdefault(name, value) != value:
            raise FsmError(option, f"{name} is given twice: {pairs[name]} and {value}", fix="Give one")
    return pairs


def read_file(file: str) -> Policy:
    """The policy in a file."""
    from fsm.policy.read import read_policy

    return read_policy(file)


# ---- what rests on open questions


def questions_on(answer: Answer) -> tuple[str, ...]:
    """What would have to be known for the path of an answer; () where it rests on no open question."""
    found = (f"{step.move.endpoint}, {text}" for step in answer.path for text in step.move.questions)
    return tuple(dict.fromkeys(found))


def settled_state(space: StateSpace, answer: Answer, question: str, start: int) -> Answer:
    """The answer about a state; yes as well where it holds whatever the open questions of its path are answered."""
    if not questions_on(answer):
        return answer
    from fsm.session import parse_reach

    holds = parse_reach(space.session, question)
    return _settled(
        space, answer, start, lambda move, layer, target: target < len(space) and holds(space.state(target))
    )


def settled_layer(space: StateSpace, answer: Answer, layer: str, start: int) -> Answer:
    """The same about a layer, as `--reach-layer` takes it."""
    if not questions_on(answer):
        return answer
    from fsm.catalogue import resolve

    actor, _, given = (part.strip() for part in layer.rpartition(":"))
    config = space.session.config
    name = resolve(given, config.ip, windows=config.windows).fwpm_name
    return _settled(space, answer, start, lambda move, fired, target: fired == name and actor in ("", move.actor))


def _settled(space: StateSpace, answer: Answer, start: int, is_goal: Callable[[Move, str, int], bool]) -> Answer:
    from fsm.claims.runs import SpaceRuns
    from fsm.claims.settle import settle

    runs = SpaceRuns(space)

    class Goal:
        start = 0

        @staticmethod
        def next(q: int, event: int, target: int) -> int:
            return 1 if q or is_goal(runs.move_of(event), runs.events[event].layer, target) else 0

    is_sure = settle(runs, Goal(), lambda state, q: q == 1, start=start).sure
    return replace(answer, verdict="yes") if is_sure else answer


# ---- as text and JSON


def filter_lines(session: Session) -> Iterator[str]:
    """Which policies are asked, and about which ends; nothing without policies."""
    if session.filters is not None:
        yield f"policies  {'; '.join(session.filters.words)}"
        yield f"addresses {', '.join(f'{name} at {end}' for name, end in session.filters.ends)}"


def question_lines(space: StateSpace) -> Iterator[str]:
    """What is open in a session, and which verdicts of its filters are not followed."""
    if space.answers is None:
        return
    yield from _listed("open", space.answers.questions, "each verdict that is possible is a branch")
    yield from _listed("unknown", space.answers.refusals, "nothing here says what happens after that")


def _listed(title: str, texts: Iterable[str], what: str) -> Iterator[str]:
    lines = tuple(texts)
    if lines:
        yield f"{title:<10}{len(lines)} question{'' if len(lines) == 1 else 's'}, and {what}"
        yield from (f"          {line}" for line in lines)


def unknown_text(space: StateSpace) -> str:
    """Why not everything is known that a session can come to."""
    if space.open_states:
        return "the limit was hit. Raise --limit-states"
    return f"nothing here says what happens where {'; '.join(space.answers.refusals if space.answers else ())}"


def filters_json(space: StateSpace) -> dict[str, object]:
    """What the JSON of a session says of its policies; nothing without them."""
    from fsm.session_filters import file_of

    filters, answers = space.session.filters, space.answers
    if filters is None or answers is None:
        return {}
    return {
        "policies": {f"host{host}": file_of(policy) for host, policy in filters.hosts},
        "at": {name: str(end) for name, end in filters.ends},
        "questions": list(answers.questions),
        "not_followed": list(answers.refusals),
    }
