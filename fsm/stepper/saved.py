"""A saved walk as JSON: names, not letters, so that people read it and other model versions replay it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fsm.choices import Config, configure
from fsm.errors import FsmError, NoTransition
from fsm.fingerprint import fingerprint
from fsm.stepper.history import History
from fsm.stepper.system import Node, System

FORMAT = "wfp-udp-walk"
VERSION = 1
LONGEST = 1_000_000  # nodes


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a walk stands in its history, and how it runs."""

    at: int
    branch: str
    branches: Mapping[str, int]
    manual: bool
    breakpoints: tuple[str, ...]
    watches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A node as it was saved: what was done, and what was seen of it."""

    number: int
    parent: int
    move: str
    decided_by: str
    seen: str


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved walk that was read; nothing of it is replayed yet."""

    fingerprint: str
    system: str
    config: Config
    settings: Settings
    nodes: tuple[Entry, ...]
    parents: Mapping[int, int]


def seen(system: System[Any], node: Node) -> str:
    """What was seen of a node: the layers with their verdicts, and the state after it."""
    return _seen([(step.layer, step.verdict) for step in node.steps if step.layer], system.state(node.place))


def _seen(layers: Sequence[tuple[str, str]], state: str) -> str:
    return "; ".join([*(f"{layer} {verdict}" for layer, verdict in layers), f"state {state}"])


def to_json(system: System[Any], nodes: Sequence[Node], settings: Settings) -> dict[str, object]:
    """A walk as JSON values. The format is described in diagrams/pages/walk-format.md."""
    config = system.config
    return {
        "format": FORMAT,
        "version": VERSION,
        "fingerprint": fingerprint(),
        "system": system.name,
        "ip": config.ip,
        "windows": config.windows,
        "evidence": config.evidence,
        "assume": dict(config.assume),
        "manual": settings.manual,
        "breakpoints": list(settings.breakpoints),
        "watches": list(settings.watches),
        "branches": dict(settings.branches),
        "branch": settings.branch,
        "at": settings.at,
        "nodes": [
            {
                "n": node.number,
                "parent": node.parent,
                "move": node.move,
                "decided_by": node.decided_by,
                "layers": [[step.layer, step.verdict] for step in node.steps if step.layer],
                "state": system.state(node.place),
            }
            for node in nodes[1:]
        ],
    }


def read(data: object, where: str = "walk") -> Saved:
    """The parts of a saved walk, checked for their shape and for names that do not exist.

    Raises
    ------
    FsmError, UnknownName : it is no saved walk, and where.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise FsmError(where, f'no saved walk: it has no "format": "{FORMAT}"', fix="Save one with wfp-udp step")
    if data.get("version") != VERSION:
        raise FsmError(where, f"version {data.get('version')!r} of the format", f"This reads version {VERSION}")
    get = _Getter(data, where)
    assume = get.of("assume", dict)
    if not all(isinstance(word, str) for pair in assume.items() for word in pair):
        raise FsmError(where, '"assume" is no object of names and options')
    config = configure(
        ip=get.number("ip"),
        windows=get.of("windows", str),
        evidence=get.of("evidence", str),
        assume=assume,
        where=where,
    )
    listed = get.of("nodes", list)
    if len(listed) > LONGEST:
        raise FsmError(where, f"{len(listed)} nodes", f"At most {LONGEST}")
    parents: dict[int, int] = {0: -1}
    entries = []
    for number, entry in enumerate(listed, start=1):
        here = f"{where}, node {number}"
        if not isinstance(entry, dict):
            raise FsmError(here, "no object")
        found = _Getter(entry, here)
        parent = found.number("parent")
        if found.number("n") != number or not 0 <= parent < number:
            raise FsmError(here, f"n {entry['n']} and parent {parent}", "Nodes are numbered, parents stand before")
        layers = found.of("layers", list)
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in layers):
            raise FsmError(here, '"layers" is no list of [layer, verdict]')
        parents[number] = parent
        after = _seen([(str(layer), str(verdict)) for layer, verdict in layers], found.of("state", str))
        entries.append(Entry(number, parent, found.of("move", str), found.of("decided_by", str), after))
    branches = get.of("branches", dict)
    branch, at = get.of("branch", str), get.number("at")
    for name, tip in branches.items():
        if isinstance(tip, bool) or not isinstance(tip, int) or tip not in parents:
            raise FsmError(where, f"branch '{name}' ends at {tip!r}", f"Nodes: 0 to {len(entries)}")
    if branch not in branches or at not in parents:
        raise FsmError(where, f"it stands at node {at} of branch '{branch}'", f"Branches: {', '.join(branches)}")
    texts = {key: get.of(key, list) for key in ("breakpoints", "watches")}
    for key, words in texts.items():
        if not all(isinstance(word, str) for word in words):
            raise FsmError(where, f'"{key}" is no list of texts')
    settings = Settings(
        at, branch, branches, get.of("manual", bool), tuple(texts["breakpoints"]), tuple(texts["watches"])
    )
    return Saved(get.of("fingerprint", str), get.of("system", str), config, settings, tuple(entries), parents)


def replay(history: History, system: System[Any], saved: Saved, where: str) -> str:
    """Fill a new history with what was saved; returns what there is to say of it.

    A file of this model version has to say what the model says. Of another version, what is possible is replayed.

    Raises
    ------
    FsmError : it says something else.
    """
    same = saved.fingerprint == fingerprint()
    numbers = {0: 0}
    lost: list[str] = []
    differ = 0
    for entry in saved.nodes:
        here = f"{where}, node {entry.number}"
        try:
            if entry.parent not in numbers:
                raise NoTransition(here, "what it follows is not possible")
            history.at = numbers[entry.parent]
            move = system.spelled(history.node.place, entry.move, here)
            place, steps = system.take(history.node.place, move)
        except FsmError as error:
            if same:
                raise FsmError(here, error.what, error.nearest, "Was the file changed by hand?") from None
            lost.append(f"{entry.number} '{entry.move}'")
            continue
        known = history.known(move)  # two moves of another model may be one here
        node = known or history.add(move, steps, place, entry.decided_by)
        numbers[entry.number] = node.number
        if seen(system, node) != entry.seen:
            if same:
                told = f"it says {entry.seen}, the model {seen(system, node)}"
                raise FsmError(here, told, fix="Was the file changed by hand?")
            differ += 1

    def nearest(number: int) -> int:
        while number not in numbers:
            number = saved.parents[number]
        return numbers[number]

    settings = saved.settings
    tips = {name: nearest(tip) for name, tip in settings.branches.items()}
    history.stand(nearest(settings.at), settings.branch, tips)
    if same:
        return ""
    count, ours = len(saved.nodes), fingerprint()
    more = f"; not possible any more: {', '.join(lost[:5])}{' ...' if len(lost) > 5 else ''}" if lost else ""
    return (
        f"{where}: made with model version {saved.fingerprint}, this is {ours}: {count - len(lost)} of {count} "
        f"moves were replayed, {differ} of them lead elsewhere{more}"
    )


_KINDS = {str: "text", int: "number", list: "list", dict: "object", bool: "true or false"}


class _Getter:
    """The fields of an object of the file, with a plain message for what is missing or of another kind."""

    def __init__(self, data: dict[str, Any], where: str) -> None:
        self.data, self.where = data, where

    def of(self, key: str, kind: type) -> Any:
        if key not in self.data:
            raise FsmError(self.where, f'"{key}" is missing', fix="Was the file cut off?")
        value = self.data[key]
        if not isinstance(value, kind):
            raise FsmError(self.where, f'"{key}" is {value!r}', f"It should be a {_KINDS[kind]}")
        return value

    def number(self, key: str) -> int:
        value = self.of(key, int)
        if isinstance(value, bool):
            raise FsmError(self.where, f'"{key}" is {value!r}', "It should be a number")
        return int(value)
