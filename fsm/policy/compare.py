"""What differs between two policies: every behaviour, with the datagrams that show it, and that nothing else does.

Both are split along the conditions of both, and every class is asked of both. Equal are classes that visit the same
layers with the same verdicts and end alike; where something is open, only if the same is open in both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

from fsm.choices import Config, default_config
from fsm.errors import FsmError
from fsm.policy.answer import Ending, Whatif
from fsm.policy.asking import Asked, asked_of, config_for, ends_of, limits_of
from fsm.policy.datagram import Circumstances
from fsm.policy.decisions import TooLarge
from fsm.policy.in_force import PolicyIndex
from fsm.policy.model import Callout, Filter, Policy
from fsm.policy.search import LIMIT_NODES, Box, Range, Work, answer_for, boxes_of, example_of, range_of
from fsm.policy.sides import End, Side
from fsm.policy.space import Dimension
from fsm.policy.splitting import Splitting
from fsm.policy.ways import Ways
from fsm.policy.well_known import spelled_key
from fsm.policy.whatif import indexed

# What is asked where nothing is said: (stimulus, whether a socket owns the port)
QUESTIONS: tuple[tuple[str, bool], ...] = (("bind", True), ("sendto", True), ("receive", True), ("receive", False))


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one policy does: the layers with their verdicts, and how it ends. Several where something is open."""

    visits: tuple[tuple[str, str], ...]
    ending: Ending


@dataclass(frozen=True, slots=True)
class Difference:
    """One behaviour that differs.

    Parameters
    ----------
    certain : False where it is open whether the two differ.
    first, second : what each policy does; more than one where something is open.
    boxes : the datagrams. All show the same two behaviours, made by the same filters of those that only one policy has.
    unlisted : boxes beyond the limit.
    first_answer, second_answer : `whatif` for the example of the first box.
    """

    certain: bool
    first: tuple[Behaviour, ...]
    second: tuple[Behaviour, ...]
    boxes: tuple[Box, ...]
    unlisted: int
    first_answer: Whatif
    second_answer: Whatif


@dataclass(frozen=True, slots=True)
class Compared:
    """One scene: a stimulus, one IP version, to one host or a group, on the wire or on this host."""

    stimuli: tuple[str, ...]
    listener: bool
    ip: int
    group: bool
    loopback: bool
    within: tuple[Range, ...]
    dimensions: tuple[Dimension, ...]
    differences: tuple[Difference, ...]
    complete: bool = True
    left_open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer. `only_first` and `only_second` are the filters that the other policy has not got."""

    scenes: tuple[Compared, ...]
    only_first: tuple[Filter, ...]
    only_second: tuple[Filter, ...]
    circumstances: Circumstances
    config: Config
    work: Work

    @property
    def complete(self) -> bool:
        """Whether everything is known: nothing was left out, and no difference is open."""
        return all(scene.complete and all(d.certain for d in scene.differences) for scene in self.scenes)

    @property
    def equal(self) -> bool | None:
        """True where no behaviour differs, None where that is not known."""
        if any(d.certain for scene in self.scenes for d in scene.differences):
            return False
        return True if self.complete else None

    def to_json(self) -> dict[str, object]:
        """The answer as `wfp-udp compare --format json` prints it."""
        from fsm.policy.compare_text import compare_json

        return compare_json(self)


def compare(
    first: Policy | PolicyIndex,
    second: Policy | PolicyIndex,
    *,
    event: str | Sequence[str] | None = None,
    from_: str = "",
    to: str = "",
    flow_state: str = "none",
    listener: bool = True,
    loopback: bool | None = None,
    config: Config | None = None,
    circumstances: Circumstances | None = None,
    ordinary: bool = False,
    undeclared_callouts: str = "unknown",
    boot_time: bool = False,
    limit_boxes: int = 50,
    limit_nodes: int = LIMIT_NODES,
) -> Comparison:
    """Every behaviour that differs between two policies.

    Parameters
    ----------
    event : as for `whatif`; by default a bind, a send, an arrival, and an arrival where no socket owns the port.
    from_, to : a part of the ends as for `search`; by default everything, of both IP versions.
    loopback : only traffic between loopback addresses (True), only other traffic (False), or both (None).

    The other parameters are those of `search`.

    Raises
    ------
    FsmError : something given is not understood.
    """
    config = config or default_config()
    indexes = [
        each if isinstance(each, PolicyIndex) else indexed(each, config.windows, boot_time) for each in (first, second)
    ]
    only = _only(*indexes)
    questions = QUESTIONS if event is None else ((event, listener),)
    versions = {ends_of(text, "compare").ip for text in (from_, to)} - {None} or {4, 6}
    scenes: list[Compared] = []
    work, known = Work(), circumstances or Circumstances()
    for what, owned in questions:
        for ip in sorted(v for v in versions if v is not None):
            for stays in (False, True) if loopback is None else (loopback,):
                try:
                    asked = asked_of(
                        event=what, from_=from_, to=to, flow_state=flow_state, listener=owned, loopback=stays,
                        config=replace(config, ip=ip), circumstances=circumstances, ordinary=ordinary,
                        undeclared_callouts=undeclared_callouts, where="compare",
                    )  # fmt: skip
                except FsmError:
                    if loopback is not None or not stays or not (from_ or to):
                        raise
                    continue  # no part of these ends stays on this host
                for each in asked:
                    if each.scene.loopback != stays and loopback is None:
                        continue
                    known = each.scene.circumstances
                    scene, done = _scene(
                        indexes, only, each, config, owned, undeclared_callouts, limit_boxes, limit_nodes
                    )
                    scenes.append(scene)
                    work = Work(*(getattr(work, name) + getattr(done, name) for name in Work.__dataclass_fields__))
    mine, others = (
        tuple(f for f in index.policy.filters if key(f) is not None) for index, key in zip(indexes, only, strict=True)
    )
    return Comparison(tuple(scenes), mine, others, known, config, work)


Identity = Callable[[Filter], Hashable]


def _only(first: PolicyIndex, second: PolicyIndex) -> tuple[Identity, Identity]:
    """For each policy what tells its own filters apart; None for a filter that the other policy has too."""
    contents = []
    for index in (first, second):
        by_key = {spelled_key(callout.key): callout for callout in index.policy.callouts}
        weights = {spelled_key(s.key): s.weight for s in index.policy.sublayers}
        contents.append({id(f): _content(f, by_key, weights) for f in index.policy.filters})
    counts = [Counter(each.values()) for each in contents]

    def identity(mine: int) -> Identity:
        found = {
            key: content for key, content in contents[mine].items() if counts[mine][content] > counts[1 - mine][content]
        }
        return lambda filter: found.get(id(filter))

    return identity(0), identity(1)


def _content(filter: Filter, callouts: dict[str, Callout], weights: dict[str, int]) -> Hashable:
    """What a filter asks, does and weighs, whatever it is called."""
    callout = callouts.get(spelled_key(filter.callout)) if filter.callout else None
    sublayer = spelled_key(filter.sublayer) if filter.sublayer else ""
    weight = filter.effective_weight if filter.effective_weight is not None else filter.weight
    does = (callout.behaviour, callout.registered, callout.key) if callout else filter.callout
    return (filter.layer, sublayer, weights.get(sublayer), filter.conditions, filter.action, filter.flags, weight, does)


def _scene(
    indexes: Sequence[PolicyIndex],
    only: Sequence[Identity],
    asked: Asked,
    config: Config,
    listener: bool,
    undeclared: str,
    limit_boxes: int,
    limit_nodes: int,
) -> tuple[Compared, Work]:
    configs = [config_for(asked, config, index.policy) for index in indexes]
    sides = [
        Side(
            index, Ways(asked.endpoint, machine, dict(index.policy.options), asked.setup, asked.stimuli), machine,
            undeclared, identity,
        )
        for index, machine, identity in zip(indexes, configs, only, strict=True)
    ]  # fmt: skip
    within = tuple(Range(name, numbers) for name, numbers in limits_of(asked).items())
    about = (asked.stimuli, listener, asked.scene.ip, asked.scene.group, asked.scene.loopback, within)
    try:
        splitting = Splitting(asked.scene, sides, limit_nodes=limit_nodes)
        results = [splitting.result(number, told=True) for number in (0, 1)]
        root = splitting.decisions.combined(results, _differ)
    except TooLarge:
        return Compared(*about, (), (), complete=False), Work(ways=sum(side.ways.made for side in sides))
    differences = []
    for leaf in splitting.decisions.leaves(root):
        value = splitting.decisions.value(leaf)
        if not isinstance(value, _Differs):
            continue
        found, more = boxes_of(splitting, root, value, asked, limit_boxes)
        boxes = tuple(
            Box(
                tuple(range_of(d, classes[d.name]) for d in splitting.dimensions if d.name in classes),
                example_of(splitting, asked, classes),
            )
            for classes in found
        )
        if boxes:
            answers = [
                answer_for(index, asked, machine, undeclared, boxes[0].example)
                for index, machine in zip(indexes, configs, strict=True)
            ]
            differences.append(Difference(value.certain, value.first, value.second, boxes, more, *answers))
    differences.sort(key=lambda d: not d.certain)
    work = Work(
        sum(len(s.filters) for side in sides for each in side.classifies.values() for s in each.sublayers),
        sum(side.ways.made for side in sides),
        splitting.arbitrations,
        len(splitting.decisions),
    )
    left = tuple(dict.fromkeys(splitting.left_open))
    return Compared(*about, splitting.dimensions, tuple(differences), left_open=left), work


@dataclass(frozen=True, slots=True)
class _Differs:
    """A leaf: what the two do. `by` are the filters that only one of them has, as far as they decide."""

    certain: bool
    first: tuple[Behaviour, ...]
    second: tuple[Behaviour, ...]
    by: Hashable


def _differ(values: tuple[Hashable, ...]) -> Hashable:
    one, other = values
    if one == other:
        return None  # and where something is open, the same is open in both
    assert isinstance(one, frozenset) and isinstance(other, frozenset)
    first, second = _behaviours(one), _behaviours(other)
    if first == second and len(first) == 1:
        return None
    by = frozenset((side, end.decided_by) for side, ends in enumerate((one, other)) for end in ends)
    return _Differs(not {*first} & {*second}, first, second, by)


def _behaviours(ends: frozenset[End]) -> tuple[Behaviour, ...]:
    found = {Behaviour(end.visits, end.ending) for end in ends}
    return tuple(sorted(found, key=lambda each: (each.visits, str(each.ending))))
