"""Every datagram with an outcome, as ranges: complete, or the answer says for which it is not known.

The space is split along the conditions that occur, each class is asked once, and classes are put together again.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from fsm import catalogue
from fsm.choices import Config, default_config
from fsm.errors import FsmError, UnknownName
from fsm.names import OUTCOMES
from fsm.policy.answer import Ending, Whatif
from fsm.policy.asking import Asked, asked_of, config_for, limits_of
from fsm.policy.boxes import Intervals, difference, intervals, merged
from fsm.policy.datagram import Circumstances, Datagram
from fsm.policy.decisions import TooLarge
from fsm.policy.in_force import PolicyIndex
from fsm.policy.model import Filter, Policy
from fsm.policy.sides import End, Side
from fsm.policy.space import Dimension, Symbol, example_value
from fsm.policy.splitting import Splitting
from fsm.policy.ways import Ways
from fsm.policy.whatif import indexed

BLOCKED_AT = "blocked-at"
WANTED: tuple[str, ...] = (*OUTCOMES, "unknown", BLOCKED_AT)
LIMIT_NODES = 200_000
LIMIT_MERGED = 3_000  # boxes beyond are listed as they were found


@dataclass(frozen=True, slots=True)
class Range:
    """The values of one dimension: intervals of numbers, or names. `all_but` says that these are the others."""

    dimension: str
    numbers: Intervals = ()
    names: tuple[Symbol, ...] = ()
    all_but: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """One datagram of a box, as `whatif` takes it."""

    from_: str
    to: str
    circumstances: Circumstances


@dataclass(frozen=True, slots=True)
class Box:
    """A set of datagrams: all values of the ranges together; a dimension without range is not limited.

    `open` names the fields, callouts and layers that would have to be known; empty where the answer is known.
    """

    ranges: tuple[Range, ...]
    example: Example
    open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """The answer for one scene: datagrams to one host, or to a group.

    Parameters
    ----------
    within : the addresses and ports that were asked about.
    dimensions : what the conditions ask, with its classes; the name `other` stands for all that are not among them.
    boxes, open_boxes : with the outcome, and those for which it is not known; no datagram is in two of them.
    complete : False where the space could not be split within the limit: then nothing is known beyond the boxes.
    unlisted, open_unlisted : boxes beyond the limit of boxes.
    left_open : condition fields that were not split, and so are open.
    by_rule : (layer, filter, other filter): pairs that can match together, say different things and are of one
        weight, or of automatic weights. The first is asked first here, by a rule that is not documented.
    """

    group: bool
    loopback: bool
    ip: int
    stimuli: tuple[str, ...]
    within: tuple[Range, ...]
    dimensions: tuple[Dimension, ...]
    boxes: tuple[Box, ...]
    open_boxes: tuple[Box, ...] = ()
    unlisted: int = 0
    open_unlisted: int = 0
    complete: bool = True
    left_open: tuple[str, ...] = ()
    by_rule: tuple[tuple[str, Filter, Filter], ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What was done: filters asked, ways through the machine, arbitrations, nodes of the diagram."""

    filters: int = 0
    ways: int = 0
    arbitrations: int = 0
    nodes: int = 0


@dataclass(frozen=True, slots=True)
class Search:
    """The answer. `outcome` and `layer` are what was asked for; `circumstances` what was taken as given."""

    outcome: str
    layer: str | None
    parts: tuple[Part, ...]
    circumstances: Circumstances
    setup: tuple[str, ...]
    endpoint: str
    config: Config
    work: Work

    @property
    def complete(self) -> bool:
        """Whether every datagram asked about is in a box or has another outcome for certain."""
        return all(part.complete and not part.open_boxes for part in self.parts)

    def to_json(self) -> dict[str, object]:
        """The answer as `wfp-udp search --format json` prints it."""
        from fsm.policy.search_text import search_json

        return search_json(self)


def search(
    policy: Policy | PolicyIndex,
    outcome: str,
    *,
    layer: str | None = None,
    event: str | Sequence[str] = "sendto",
    from_: str = "",
    to: str = "",
    flow_state: str = "none",
    listener: bool = True,
    loopback: bool = False,
    config: Config | None = None,
    circumstances: Circumstances | None = None,
    ordinary: bool = False,
    undeclared_callouts: str = "unknown",
    boot_time: bool = False,
    limit_boxes: int = 200,
    limit_nodes: int = LIMIT_NODES,
) -> Search:
    """Every datagram with an outcome.

    Parameters
    ----------
    outcome : delivered, sent, blocked, silent, icmp_error, pended, unknown, or `blocked-at LAYER`.
    layer : the layer of `blocked-at`, by any of its names.
    from_, to : a part of the ends, such as `192.0.2.0/24:1024-65535` or `*:53`; everything where nothing is given.
        Loopback addresses are asked apart: by giving them here, or with `loopback`.
    circumstances : what is known; everything else that conditions ask is split too.
    limit_boxes, limit_nodes : list at most so many boxes of a scene; give up on a scene beyond so many parts.

    The other parameters are those of `whatif`.

    Raises
    ------
    FsmError : something given is not understood.
    """
    wanted, at = outcome_of(outcome, layer)
    config = config or default_config()
    given = asked_of(
        event=event, from_=from_, to=to, flow_state=flow_state, listener=listener, loopback=loopback, config=config,
        circumstances=circumstances, ordinary=ordinary, undeclared_callouts=undeclared_callouts, where="search",
    )  # fmt: skip
    index = policy if isinstance(policy, PolicyIndex) else indexed(policy, config.windows, boot_time)
    parts, work = [], Work()
    machine = config
    for asked in given:
        machine = config_for(asked, config, index.policy)
        part, done = _part(index, asked, machine, wanted, at, undeclared_callouts, limit_boxes, limit_nodes)
        parts.append(part)
        work = Work(*(getattr(work, name) + getattr(done, name) for name in Work.__dataclass_fields__))
    first = given[0]
    return Search(wanted, at, tuple(parts), first.scene.circumstances, first.setup, first.endpoint, machine, work)


def outcome_of(outcome: str, layer: str | None) -> tuple[str, str | None]:
    """(outcome, full FWPM name of the layer or None) from `delivered`, `blocked-at LAYER`, `blocked-at:LAYER` ...

    Raises
    ------
    UnknownName, FsmError : no such outcome or layer; a layer where none belongs, or none where one does.
    """
    word, _, rest = outcome.strip().replace("=", " ").replace(":", " ").partition(" ")
    name = word.lower().replace("_", "-")
    layer = rest.strip() or layer
    if name == BLOCKED_AT:
        if not layer:
            raise FsmError("search, outcome", "blocked-at needs a layer", fix="Say blocked-at ALE_AUTH_CONNECT_V4")
        return BLOCKED_AT, layer
    name = name.replace("-", "_")
    if name not in WANTED:
        raise UnknownName.of("search, outcome", "outcome", outcome, WANTED)
    if layer:
        raise FsmError("search, outcome", f"a layer belongs to {BLOCKED_AT}, not to {name}", fix="Leave it out")
    return name, None


def _layer(given: str | None, ip: int, windows: str) -> str | None:
    return None if given is None else catalogue.resolve(given, ip, windows=windows, where="search, outcome").name


def is_so(endings: frozenset[Ending], wanted: str, layer: str | None) -> bool | None:
    """Whether all these endings are what is wanted; None where it depends."""
    outcomes = {ending.outcome for ending in endings}
    if wanted == "unknown":
        return len(outcomes) > 1 or outcomes == {"unknown"}
    if "unknown" in outcomes:
        return None
    found = {ending.blocked_at == layer if wanted == BLOCKED_AT else ending.outcome == wanted for ending in endings}
    return found.pop() if len(found) == 1 else None


def _part(
    index: PolicyIndex,
    asked: Asked,
    config: Config,
    wanted: str,
    layer: str | None,
    undeclared: str,
    limit_boxes: int,
    limit_nodes: int,
) -> tuple[Part, Work]:
    at = _layer(layer, asked.scene.ip, config.windows)
    ways = Ways(asked.endpoint, config, dict(index.policy.options), asked.setup, asked.stimuli)
    side = Side(index, ways, config, undeclared)
    within = tuple(Range(name, numbers) for name, numbers in limits_of(asked).items())
    try:
        splitting = Splitting(asked.scene, (side,), limit_nodes=limit_nodes)
        root = splitting.decisions.combined(
            (splitting.result(0),), lambda values: is_so(_endings(values[0]), wanted, at)
        )
    except TooLarge:
        nothing = Part(
            asked.scene.group, asked.scene.loopback, asked.scene.ip, asked.stimuli, within, (), (), complete=False
        )
        return nothing, Work(ways=ways.made)
    boxes: dict[bool | None, tuple[list[Box], int]] = {}
    for truth in (True, None):
        found, more = boxes_of(splitting, root, truth, asked, limit_boxes)
        boxes[truth] = ([_made(splitting, asked, box) for box in found], more)
    open_boxes = tuple(_with_questions(index, asked, config, undeclared, box) for box in boxes[None][0])
    work = Work(
        sum(len(s.filters) for each in side.classifies.values() for s in each.sublayers),
        ways.made,
        splitting.arbitrations,
        len(splitting.decisions),
    )
    return (
        Part(
            asked.scene.group, asked.scene.loopback, asked.scene.ip, asked.stimuli, within,
            splitting.dimensions,
            tuple(boxes[True][0]), open_boxes, boxes[True][1], boxes[None][1],
            left_open=tuple(dict.fromkeys(splitting.left_open)), by_rule=tuple(splitting.rivals),
        ),
        work,
    )  # fmt: skip


def _endings(value: Hashable) -> frozenset[Ending]:
    assert isinstance(value, frozenset)
    return frozenset(end.ending for end in value if isinstance(end, End))


Classes = dict[str, frozenset[int]]


def boxes_of(splitting: Splitting, root: int, truth: Hashable, asked: Asked, limit: int) -> tuple[list[Classes], int]:
    """The boxes of a result, few and wide, at most `limit` of them; and how many there are besides."""
    decisions, dimensions = splitting.decisions, splitting.dimensions

    def wanted(value: Hashable) -> bool:
        return value is truth or value == truth

    count = decisions.count(root, wanted)
    names = [dimension.name for dimension in dimensions]
    found: list[Classes] = []
    for _, box in decisions.boxes(root, wanted):
        found.append({names[at]: classes for at, classes in box.items()})
        if len(found) == max(LIMIT_MERGED, limit):
            break
    if len(found) < count:
        found = [box for box in found if not _is_impossible(box, dimensions, asked)]
        return found[:limit], count - limit
    joined = merged([box for box in found if not _is_impossible(box, dimensions, asked)], names)
    sizes = {dimension.name: len(dimension) for dimension in dimensions}
    joined = [{name: c for name, c in box.items() if len(c) < sizes[name]} for box in joined]
    return joined[:limit], max(0, len(joined) - limit)


def _is_impossible(box: Classes, dimensions: Sequence[Dimension], asked: Asked) -> bool:
    """Whether both ends could only be one and the same address, which is no datagram of the wire."""
    if asked.scene.loopback:
        return False
    allowed = dict(asked.scene.allowed)
    ends = []
    for name in ("local_address", "remote_address"):
        dimension = next((d for d in dimensions if d.name == name), None)
        numbers = dimension.numbers if dimension else allowed[name]
        chosen = [numbers[n] for n in sorted(box[name])] if dimension and name in box else numbers
        ends.append(intervals(chosen))
    return ends[0] == ends[1] and len(ends[0]) == 1 and ends[0][0][0] == ends[0][0][1]


def _made(splitting: Splitting, asked: Asked, classes: Classes) -> Box:
    ranges = tuple(
        range_of(dimension, classes[dimension.name]) for dimension in splitting.dimensions if dimension.name in classes
    )
    return Box(ranges, example_of(splitting, asked, classes))


def range_of(dimension: Dimension, classes: frozenset[int]) -> Range:
    """The classes of a dimension as ranges; the others, where these are fewer to name."""
    others = frozenset(range(len(dimension))) - classes
    if dimension.numbers:
        inside = intervals(dimension.numbers[n] for n in classes)
        outside = difference(intervals(dimension.numbers), inside)
        few = len(outside) < len(inside)
        return Range(dimension.name, outside if few else inside, all_but=few)
    few = 0 < len(others) < len(classes)
    return Range(
        dimension.name, names=tuple(dimension.symbols[n] for n in sorted(others if few else classes)), all_but=few
    )


def example_of(splitting: Splitting, asked: Asked, classes: Mapping[str, frozenset[int]]) -> Example:
    """One datagram of a box that reads well."""
    scene = splitting.scene
    numbers: dict[str, Intervals] = dict(scene.allowed)
    chosen: dict[str, int | Symbol] = {}
    for dimension in splitting.dimensions:
        here = sorted(classes.get(dimension.name, range(len(dimension))))
        if dimension.numbers:
            numbers[dimension.name] = intervals(dimension.numbers[n] for n in here)
        else:
            chosen[dimension.name] = dimension.symbols[here[-1] if dimension.name == "program" else here[0]]
            if dimension.name == "token":
                chosen[dimension.name] = _plainest([dimension.symbols[n] for n in here])
    for name, within in numbers.items():
        chosen[name] = example_value(name, scene.ip, within)
    if not scene.loopback and chosen["local_address"] == chosen["remote_address"]:
        for name in ("remote_address", "local_address"):
            near = (n for a, b in numbers[name] for n in (a + 2, a, b) if a <= n <= b)
            other = next((n for n in near if n != chosen[name]), None)
            if other is not None:
                chosen[name] = other
                break
    datagram, circumstances = scene.datagram(chosen)
    ends = (datagram.local, datagram.remote) if asked.sends else (datagram.remote, datagram.local)
    return Example(str(ends[0]), str(ends[1]), circumstances)


def _plainest(symbols: Sequence[Symbol]) -> Symbol:
    """The user and store app that say least: any other user, and no store app, where these are there."""
    return min(symbols, key=lambda s: (s[0] != "other", s[1] != "") if isinstance(s, tuple) else (False, False))


def answer_for(
    index: PolicyIndex, asked: Asked, config: Config, undeclared: str, example: Example, flow_state: str = ""
) -> Whatif:
    """What `whatif` says of an example."""
    from fsm.policy.whatif import replayed

    datagram = _datagram(example, asked)
    return replayed(
        index, datagram, example.circumstances, config, undeclared, asked.endpoint, asked.setup, asked.stimuli
    )


def _datagram(example: Example, asked: Asked) -> Datagram:
    from fsm.policy.datagram import datagram_of

    return datagram_of(example.from_, example.to, sends=asked.sends)


def _with_questions(index: PolicyIndex, asked: Asked, config: Config, undeclared: str, box: Box) -> Box:
    from fsm.policy.search_text import open_words

    answer = answer_for(index, asked, config, undeclared, box.example)
    return Box(box.ranges, box.example, open_words(answer))
