"""Splitting a space of datagrams along the conditions that occur, and the result of every class: exact, each once.

For every classify that the stimuli can come to, the filters of its layer become a decision diagram whose leaves are
the verdicts; these are put together along the ways of the machine. What a field has is asked of `field_values` with a
datagram of each class, what a condition says of `evaluate`, and what the filters that are left say of `arbitrate`: no
rule is stated here again.

The work stays small as a layer is split only along what its own filters ask, filters of one effect count as one, and
those behind one that always matches, or before one that says the same, are dropped before the next dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fsm.catalogue import by_name
from fsm.choices import Config
from fsm.policy.answer import Ending
from fsm.policy.arbitrate import ONLY, PolicyIndex, Ready, ReadySublayer, arbitrate
from fsm.policy.callouts import Effect, effects_of
from fsm.policy.classify import INTERFACE_FIELDS, field_values
from fsm.policy.decisions import Decisions, TooLarge
from fsm.policy.fields import CONDITION_FLAGS, PREFIX
from fsm.policy.match import NOT_THERE, PATHS, UNKNOWN, Answer, Bits, FieldValue, evaluate
from fsm.policy.model import Condition, Filter, Value
from fsm.policy.security import named_sids
from fsm.policy.space import (
    FIELD,
    LIMIT_FLAGS,
    NUMBERS,
    Dimension,
    Scene,
    Symbol,
    bits_of,
    flag_sets,
    is_number_field,
    number_cuts,
    number_dimension,
    programs,
    tokens,
)
from fsm.policy.ways import Key, Way, Ways
from fsm.policy.weights import weight_range

LIMIT_WAYS = 4_000
# The order in which dimensions are asked.
ORDER = ("flags", "socket_property", "profile", "interface_type", "tunnel_type", "interface", "interface_index",
         "sub_interface", "compartment", "token", "program", "local_port", "remote_port", "local_address",
         "remote_address")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A leaf of a layer: the verdicts that are possible, the one with all open questions answered with no first.

    `open` tells apart what the questions are about, `decided_by` names the filter where that matters to the caller.
    """

    verdicts: tuple[str, ...]
    open: Hashable = None
    decided_by: Hashable = None


@dataclass(frozen=True, slots=True)
class End:
    """One end of a way: what came of it, and which verdicts led there.

    `open` are the choices at classifies that were open, `decided_by` the filters by layer, as far as they are told.
    """

    ending: Ending
    visits: tuple[tuple[str, str], ...] = ()
    open: tuple[Hashable, ...] = ()
    decided_by: tuple[Hashable, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A filter at one classify: what it wants in each dimension, as bits of the classes where it holds or is open."""

    filter: Filter
    effect: int
    ends: bool  # it always ends its sublayer where it matches
    wants: tuple[tuple[int, int, int], ...]  # (dimension, classes where it holds, classes where it is open)
    open: bool  # something is open whatever the class is
    at: dict[int, tuple[int, int]]  # the same by dimension
    next: tuple[int, ...]  # for each dimension, the first from there on that it asks; the number of them for none


@dataclass(slots=True)
class Classify:
    """A classify of one side: its filters, and where the datagram stands."""

    way: Way
    layer: str
    sublayers: tuple[ReadySublayer, ...]


@dataclass(slots=True)
class Side:
    """One policy in the space: its filters and the ways of the machine with its options."""

    index: PolicyIndex
    ways: Ways
    config: Config
    undeclared: str
    identity: Callable[[Filter], Hashable] | None = None  # what tells filters apart where it matters
    classifies: dict[Key, Classify] = field(default_factory=dict)
    diagrams: dict[Key, int] = field(default_factory=dict)
    first: Way | None = None

    def effects(self, way: Way, filter: Filter) -> tuple[Effect, ...]:
        """Every answer of a filter at this classify."""
        context = way.context
        assert context is not None
        layer = by_name(context.layer.fwpm_name)
        return effects_of(
            filter,
            self.index.callouts,
            reauthorizes="IS_REAUTHORIZE" in context.flags,
            own_packet=context.injected_by_self,
            undeclared=self.undeclared,
            may_block=layer.may_block not in ("no", "error-only"),
            completes=context.stimulus == "complete",
        )

    def explore(self) -> None:
        """Find the classifies that any verdicts of these filters could lead to."""
        self.first = self.ways.start()
        waiting = [self.first]
        while waiting:
            way = waiting.pop()
            if way.context is None:
                continue
            if self.ways.made > LIMIT_WAYS:
                raise TooLarge("ways", f"more than {LIMIT_WAYS} ways through the machine", fix="Ask of fewer stimuli")
            layer = way.context.layer.fwpm_name
            sublayers = self.index.at(layer)
            if way.key not in self.classifies:
                self.classifies[way.key] = Classify(way, layer, sublayers)
            waiting.extend(self.ways.follow(way, verdict) for verdict in self._possible(way, sublayers))

    def _possible(self, way: Way, sublayers: Sequence[ReadySublayer]) -> list[str]:
        found = {"permit": None}
        effects = {e for s in sublayers for r in s.filters for e in self.effects(way, r.filter)}
        found.update(
            (effect.answer, None) for effect in sorted(effects, key=lambda e: e.answer) if effect.answer != "continue"
        )
        hard = any(effect.clears and effect.answer in ("permit", "redirect") for effect in effects)
        if hard and any(effect.by_callout and effect.answer in ("block", "absorb") for effect in effects):
            found["veto"] = None
        return list(found)


class Splitting:
    """A scene split along the conditions of one or more sides."""

    def __init__(self, scene: Scene, sides: Sequence[Side], *, limit_nodes: int = 200_000) -> None:
        self.sides = tuple(sides)
        self.arbitrations = 0
        for side in self.sides:
            side.explore()
        self._used = [
            (side, each, list(_conditions(each.sublayers))) for side in self.sides for each in side.classifies.values()
        ]
        self.scene = replace(scene, free_flags=self._free_flags(scene))
        self.left_open: list[str] = []  # fields that are not split, and why
        self.dimensions = self._dimensions()
        self.decisions = Decisions([len(d) for d in self.dimensions], limit_nodes)
        self._values: dict[tuple[int, Key], dict[str, tuple[int, list[FieldValue]]]] = {}
        self._ends: dict[tuple[int, tuple[str, ...]], int] = {}
        self.rivals: dict[tuple[str, Filter, Filter], None] = {}
        self._layers: dict[Hashable, int] = {}
        self._numbers: dict[Hashable, int] = {}

    # -- dimensions ---------------------------------------------------------------------------------------------------

    def _fields(self, side: Side, each: Classify, chosen: Mapping[str, int | Symbol]) -> dict[str, FieldValue]:
        datagram, circumstances = self.scene.datagram(chosen)
        assert each.way.context is not None
        return field_values(each.way.context, each.way.position, datagram, circumstances, side.config)

    def _free_flags(self, scene: Scene) -> frozenset[str]:
        self.scene = scene
        found: set[str] = set()
        for side, each, conditions in self._used:
            wanted = [c.value.data for c in conditions if c.field == PREFIX + "FLAGS"]
            if wanted:
                bits = self._fields(side, each, {}).get(PREFIX + "FLAGS")
                for data in wanted:
                    if isinstance(bits, Bits) and isinstance(data, int):
                        found |= {name for name, bit in CONDITION_FLAGS.items() if data & ~bits.known & bit}
        return frozenset(found) if len(found) <= LIMIT_FLAGS else frozenset()

    def _dimensions(self) -> tuple[Dimension, ...]:
        """The dimensions that some condition depends on, with their classes."""
        probes = self._probes()
        on: dict[str, list[tuple[Condition, int]]] = {}  # dimension -> conditions, with what the field adds
        unknown: dict[str, bool] = {}
        for side, each, conditions in self._used:
            if not conditions:
                continue
            base = self._fields(side, each, {})
            changed: dict[str, list[str]] = {}
            offsets: dict[str, int] = {}
            for name, values in probes.items():
                for value in values:
                    here = self._fields(side, each, {name: value})
                    for key in {c.field for c in conditions}:
                        found = here.get(key)
                        if found == base.get(key):
                            continue
                        if name not in changed.setdefault(key, []):
                            changed[key].append(name)
                        if isinstance(found, int) and isinstance(value, int):
                            offsets[key] = found - value
            for condition in conditions:
                names = changed.get(condition.field, [])
                if len(names) > 1:
                    raise AssertionError(f"{condition.field} depends on {names}")
                for name in names:
                    on.setdefault(name, []).append((condition, offsets.get(condition.field, 0)))
                if not names:
                    open_ = base.get(condition.field) is UNKNOWN
                    unknown[condition.field] = unknown.get(condition.field, True) and open_
        found_dimensions = [self._dimension(name, here) for name, here in on.items()]
        for name in sorted(name for name, open_ in unknown.items() if open_):
            conditions = [c for _, _, cs in self._used for c in cs if c.field == name]
            cuts = number_cuts(conditions, 64, 0) if _may_be_a_dimension(name) else None
            if cuts is not None:
                found_dimensions.append(number_dimension(FIELD + name, ((0, (1 << 64) - 1),), cuts, self.scene.ip))
        kept = [d for d in found_dimensions if d is not None and len(d) > 1]
        return tuple(sorted(kept, key=lambda d: (ORDER.index(d.name) if d.name in ORDER else -1, d.name)))

    def _probes(self) -> dict[str, list[int | Symbol]]:
        """Some values of everything that can be a dimension, to see which fields follow it."""
        scene, known = self.scene, self.scene.circumstances
        found: dict[str, list[int | Symbol]] = {}
        for name, within in scene.allowed:
            dimension = number_dimension(name, within, (), scene.ip)
            ends = [number for low, high in dimension.numbers for number in (low, high)]
            found[name] = list(dict.fromkeys(ends))
        for name, most in NUMBERS.items():
            fixed = name == "interface_type" and scene.loopback
            if getattr(known, name) is None and not fixed:
                found[name] = [0, min(most, 5)]
        if known.program is None:
            found["program"] = ["\\device\\probe.exe"]
        if known.user is None or known.package is None:
            found["token"] = list(tokens(("S-1-5-18",), ("S-1-15-2-9",), known))
        if scene.free_flags:
            found["flags"] = list(flag_sets(scene.free_flags))
        return found

    def _dimension(self, name: str, conditions: list[tuple[Condition, int]]) -> Dimension | None:
        known = self.scene.circumstances
        only = [condition for condition, _ in conditions]
        if name == "program":
            return Dimension(name, symbols=programs(only))
        if name == "token":
            users, packages = named_sids(only)
            return Dimension(name, symbols=tokens(users, packages, known))
        if name == "flags":
            return Dimension(name, symbols=flag_sets(self.scene.free_flags))
        bits = bits_of(name, self.scene.ip)
        within = dict(self.scene.allowed).get(name, ((0, NUMBERS.get(name, 0)),))
        cuts: list[int] = []
        for condition, offset in conditions:
            more = number_cuts((condition,), bits, offset)
            if more is None:
                self.left_open.append(condition.field)
                return None
            cuts += more
        return number_dimension(name, within, cuts, self.scene.ip)

    def number_of(self, whole: Hashable) -> int:
        """A number that stands for a value, the same for equal ones."""
        return self._numbers.setdefault(whole, len(self._numbers))

    # -- one layer ----------------------------------------------------------------------------------------------------

    def _of_classes(self, number: int, side: Side, each: Classify) -> dict[str, tuple[int, list[FieldValue]]]:
        """{field: (dimension, what it has in each class)}; -1 with one value where it depends on none."""
        found = self._values.get((number, each.way.key))
        if found is None:
            wanted = {c.field for c in _conditions(each.sublayers)}
            base = self._fields(side, each, {})
            found = {name: (-1, [base.get(name, NOT_THERE)]) for name in wanted}
            for at, dimension in enumerate(self.dimensions):
                probe = [self._fields(side, each, {dimension.name: dimension.value(n)}) for n in _some(len(dimension))]
                follow = [n for n in wanted if any(p.get(n, NOT_THERE) != probe[0].get(n, NOT_THERE) for p in probe)]
                if dimension.name.startswith(FIELD):
                    follow = [n for n in wanted if n == dimension.name.removeprefix(FIELD)]
                if not follow:
                    continue
                columns = [
                    self._fields(side, each, {dimension.name: dimension.value(n)}) for n in range(len(dimension))
                ]
                for name in follow:
                    found[name] = (at, [column.get(name, NOT_THERE) for column in columns])
            self._values[number, each.way.key] = found
        return found

    def layer(self, number: int, key: Key) -> int:
        """The decision diagram of a classify of side `number`; its leaves are `Verdicts`."""
        side = self.sides[number]
        if key not in side.diagrams:
            same = self._same_everywhere(key)
            if same not in self._layers:
                split = _LayerSplit(self, number, side, side.classifies[key], told=isinstance(same, int))
                self._layers[same] = split.diagram()
            side.diagrams[key] = self._layers[same]
        return side.diagrams[key]

    def _same_everywhere(self, key: Key) -> Hashable:
        """What stands for a classify: its key where all sides have the same filters there, else a number of its own.

        Where they have, open questions need not be told apart: on both sides a class has the same ones.
        """
        contents = {
            (side.config, _filters(side, side.classifies[key])) if key in side.classifies else None
            for side in self.sides
        }
        return ("the same", key) if len(contents) == 1 else self.number_of((object(), key))

    # -- all layers ---------------------------------------------------------------------------------------------------

    def result(self, number: int, *, told: bool = False) -> int:
        """The diagram of a side: leaves are sets of `End`. `told`: with visits, open choices and deciding filters."""
        side = self.sides[number]
        assert side.first is not None
        return self._after(number, side, side.first, told)

    def _after(self, number: int, side: Side, way: Way, told: bool) -> int:
        found = self._ends.get((number, way.verdicts))
        if found is None:
            found = self._ends[number, way.verdicts] = self._made(number, side, way, told)
        return found

    def _made(self, number: int, side: Side, way: Way, told: bool) -> int:
        decisions = self.decisions
        if way.context is None:
            assert way.ending is not None
            visits = tuple(zip(way.layers, way.verdicts, strict=True)) if told else ()
            return decisions.leaf(frozenset((End(way.ending, visits),)))
        diagram = self.layer(number, way.key)
        parts: dict[int, int] = {}
        for leaf in decisions.leaves(diagram):
            verdicts = decisions.value(leaf)
            assert isinstance(verdicts, Verdicts)
            several = []
            for verdict in verdicts.verdicts:
                after = self._after(number, side, side.ways.follow(way, verdict), told)
                if told and (len(verdicts.verdicts) > 1 or verdicts.decided_by is not None):
                    after = self._marked(after, verdicts, verdict)
                several.append(after)
            parts[leaf] = several[0] if len(several) == 1 else decisions.combined(several, _joined)
        return decisions.chosen(diagram, parts)

    def _marked(self, node: int, verdicts: Verdicts, verdict: str) -> int:
        def mark(values: tuple[Hashable, ...]) -> Hashable:
            (ends,) = values
            assert isinstance(ends, frozenset)
            open_ = ((verdicts.open, verdict),) if len(verdicts.verdicts) > 1 else ()
            by = (verdicts.decided_by,) if verdicts.decided_by is not None else ()
            return frozenset(replace(e, open=(*open_, *e.open), decided_by=(*by, *e.decided_by)) for e in ends)

        return self.decisions.combined((node,), mark)


def _joined(values: tuple[Hashable, ...]) -> Hashable:
    return frozenset().union(*values)  # type: ignore[arg-type]


def _some(count: int) -> Iterable[int]:
    """Some class numbers, among them the first and the last: enough to see whether a field follows a dimension."""
    return range(count) if count <= 24 else sorted({*range(12), *range(count - 12, count)})


def _conditions(sublayers: Iterable[ReadySublayer]) -> Iterator[Condition]:
    """The conditions with their canonical field names."""
    for sublayer in sublayers:
        for ready in sublayer.filters:
            for name, conditions in ready.groups:
                yield from (c if c.field == name else replace(c, field=name) for c in conditions)


def _may_be_a_dimension(name: str) -> bool:
    short = name.removeprefix(PREFIX)
    return is_number_field(name) and not short.startswith("IP_") and short not in INTERFACE_FIELDS and name not in PATHS


class _LayerSplit:
    """The splitting of one layer."""

    def __init__(self, splitting: Splitting, number: int, side: Side, each: Classify, *, told: bool) -> None:
        self._splitting = splitting
        self._decisions = splitting.decisions
        self._side = side
        self._identity = side.identity if told else None
        self._each = each
        self._of_classes = splitting._of_classes(number, side, each)
        self._truths: dict[tuple[str, tuple[Condition, ...]], tuple[int, int, int]] = {}
        self._effects: dict[Hashable, int] = {}
        self._by_effect: list[Filter] = []
        self._effect_keys: list[Hashable] = []
        self._only_continue: set[int] = set()
        self._signatures: dict[Hashable, int] = {}
        self._leaf_of: dict[Hashable, int] = {}
        self._made: dict[Hashable, int] = {}
        self._asked: list[_Asked] = []
        self._signature_of: dict[tuple[int, int], int] = {}
        self._lists: list[list[int]] = []  # of each sublayer: numbers of `_asked`, twice, odd where something is open
        for sublayer in each.sublayers:
            here = []
            for ready in sublayer.filters:
                asked = self._ask(ready)
                if asked is not None:
                    here.append(len(self._asked) * 2 + asked.open)
                    self._asked.append(asked)
            self._lists.append(here)
            if sublayer.rivals:
                splitting.rivals.update(dict.fromkeys(self._rivals([self._asked[entry >> 1] for entry in here])))

    def _rivals(self, asked: Sequence[_Asked]) -> Iterator[tuple[str, Filter, Filter]]:
        """Pairs of filters that can match together and say different things, and whose order nobody documents."""
        for place, one in enumerate(asked):
            lightest = weight_range(one.filter)[0]
            for other in asked[place + 1 :]:
                if weight_range(other.filter)[1] < lightest or other.effect == one.effect:
                    continue
                wants = [(one.at[d], other.at[d]) for d in one.at.keys() & other.at.keys()]
                if all((a[0] | a[1]) & (b[0] | b[1]) for a, b in wants):
                    yield self._each.layer, one.filter, other.filter

    def _ask(self, ready: Ready) -> _Asked | None:
        effects = self._side.effects(self._each.way, ready.filter)
        if all(effect.answer == "continue" for effect in effects):
            return None
        is_open = any(flag in ready.filter.flags for flag in ONLY)
        wants: dict[int, tuple[int, int]] = {}
        for name, conditions in ready.groups:
            dimension, holds, unsure = self._truth(name, conditions)
            if not holds and not unsure:
                return None
            if dimension < 0:
                is_open = is_open or bool(unsure)
                continue
            before = wants.get(dimension)
            if before is not None:
                unsure = (before[0] & unsure) | (before[1] & holds) | (before[1] & unsure)
                holds = before[0] & holds
                if not holds and not unsure:
                    return None
            wants[dimension] = (holds, unsure)
        told = self._identity(ready.filter) if self._identity else None
        # Of two callouts that nobody described each can answer something else.
        whose = ready.filter.callout if self._identity and len(effects) > 1 else ""
        key = (effects, told, whose, tuple(flag for flag in ready.filter.flags if flag in ONLY))
        effect = self._effects.get(key)
        if effect is None:
            effect = self._effects[key] = len(self._by_effect)
            self._by_effect.append(ready.filter)
            self._effect_keys.append(key)
        kept = tuple(
            (dimension, holds, unsure)
            for dimension, (holds, unsure) in sorted(wants.items())
            if holds != (1 << self._decisions.sizes[dimension]) - 1
        )
        count = len(self._decisions.sizes)
        asks = [dimension for dimension, _, _ in kept]
        following = tuple(next((d for d in asks if d >= at), count) for at in range(count + 1))
        at = {dimension: (holds, unsure) for dimension, holds, unsure in kept}
        return _Asked(ready.filter, effect, all(e.answer != "continue" for e in effects), kept, is_open, at, following)

    def _truth(self, name: str, conditions: tuple[Condition, ...]) -> tuple[int, int, int]:
        """(dimension, classes where one of the conditions holds, classes where it is open)."""
        key = (name, conditions)
        found = self._truths.get(key)
        if found is None:
            dimension, values = self._of_classes[name]
            holds = unsure = 0
            for number, value in enumerate(values):
                answers: list[Answer] = [evaluate(condition, value) for condition in conditions]
                if any(answers):
                    holds |= 1 << number
                elif None in answers:
                    unsure |= 1 << number
            found = self._truths[key] = (dimension, holds, unsure)
        return found

    def diagram(self) -> int:
        """The root."""
        return self._split(tuple(tuple(self._pruned(here, 0)) for here in self._lists), 0)

    def _rest(self, entry: int, dimension: int) -> tuple[tuple[int, int, int], ...]:
        """What the filter of an entry wants from this dimension on."""
        return tuple(want for want in self._asked[entry >> 1].wants if want[0] >= dimension)

    def _signature(self, entry: int, dimension: int) -> int:
        """Entries of one signature are alike from this dimension on."""
        key = (entry, dimension)
        found = self._signature_of.get(key)
        if found is None:
            asked = self._asked[entry >> 1]
            is_open = entry & 1
            about = self._identity is not None and is_open and _content(asked.filter)
            whole = (asked.effect, is_open, about, self._rest(entry, dimension))
            found = self._signature_of[key] = self._signatures.setdefault(whole, len(self._signatures))
        return found

    def _pruned(self, entries: Iterable[int], dimension: int) -> list[int]:
        kept: list[int] = []
        last, count = None, len(self._decisions.sizes)
        for entry in entries:
            signature = self._signature(entry, dimension)
            if signature == last:
                continue  # the same again
            last = signature
            kept.append(entry)
            asked = self._asked[entry >> 1]
            if asked.ends and not entry & 1 and asked.next[dimension] == count:
                # It ends the sublayer: those before it that say the same change nothing.
                while len(kept) > 1 and self._says_the_same(kept[-2], entry):
                    del kept[-2]
                break
        return kept

    def _says_the_same(self, one: int, other: int) -> bool:
        if self._asked[one >> 1].effect != self._asked[other >> 1].effect:
            return False
        return not (one & 1 and self._identity is not None)

    def _split(self, lists: tuple[tuple[int, ...], ...], dimension: int) -> int:
        count = len(self._decisions.sizes)
        nearest = min((self._asked[entry >> 1].next[dimension] for here in lists for entry in here), default=count)
        if nearest == count:
            return self._leaf(lists)
        key = (nearest, tuple(tuple(self._signature(entry, nearest) for entry in here) for here in lists))
        found = self._made.get(key)
        if found is None:
            children = [0] * self._decisions.sizes[nearest]
            for classes in self._groups(lists, nearest):
                first = (classes & -classes).bit_length() - 1
                child = self._split(
                    tuple(tuple(self._pruned(self._left(here, nearest, first), nearest + 1)) for here in lists),
                    nearest + 1,
                )
                while classes:
                    low = classes & -classes
                    children[low.bit_length() - 1] = child
                    classes ^= low
            found = self._made[key] = self._decisions.node(nearest, children)
        return found

    def _groups(self, lists: tuple[tuple[int, ...], ...], dimension: int) -> list[int]:
        """The classes of a dimension, as sets of bits, that no filter here tells apart."""
        groups = [(1 << self._decisions.sizes[dimension]) - 1]
        masks: set[int] = set()
        for here in lists:
            for entry in here:
                masks.update(self._asked[entry >> 1].at.get(dimension, ()))
        for mask in sorted(masks):
            groups = [part for group in groups for part in (group & mask, group & ~mask) if part]
        return groups

    def _left(self, entries: tuple[int, ...], dimension: int, number: int) -> Iterator[int]:
        bit = 1 << number
        for entry in entries:
            want = self._asked[entry >> 1].at.get(dimension)
            if want is None or want[0] & bit:
                yield entry
            elif want[1] & bit:
                yield entry | 1

    def _leaf(self, lists: tuple[tuple[int, ...], ...]) -> int:
        told = self._identity is not None
        key = tuple(
            tuple(
                (
                    self._asked[entry >> 1].effect,
                    entry & 1,
                    told and entry & 1 and _content(self._asked[entry >> 1].filter),
                )
                for entry in here
            )
            for here in lists
        )
        found = self._leaf_of.get(key)
        if found is None:
            found = self._leaf_of[key] = self._decisions.leaf(self._arbitrated(lists, key))
        return found

    def _arbitrated(self, lists: tuple[tuple[int, ...], ...], key: Hashable) -> Verdicts:
        """What the filters say that are left, all of which match or may match."""
        side, way = self._side, self._each.way
        context = way.context
        assert context is not None
        reduced = tuple(
            replace(
                sublayer,
                rivals=False,
                filters=tuple(
                    Ready(
                        self._by_effect[self._asked[e >> 1].effect] if not e & 1 else self._asked[e >> 1].filter,
                        _OPEN if e & 1 else (),
                    )
                    for e in here
                ),
            )
            for sublayer, here in zip(self._each.sublayers, lists, strict=True)
            if here
        )
        self._splitting.arbitrations += 1
        found = arbitrate(
            replace(side.index, layers={self._each.layer: reduced}),
            self._each.layer,
            {},
            reauthorizes="IS_REAUTHORIZE" in context.flags,
            own_packet=context.injected_by_self,
            undeclared=side.undeclared,
            completes=context.stimulus == "complete",
        )
        by = self._identity(found.decided_by) if self._identity and found.decided_by is not None else None
        if len(found.verdicts) == 1:
            return Verdicts(found.verdicts, None, by)
        told = self._splitting.number_of(self._questions_of(lists)) if self._identity else -1
        return Verdicts(found.verdicts, (self._each.layer, told))

    def _questions_of(self, lists: tuple[tuple[int, ...], ...]) -> Hashable:
        """What the verdict depends on: filters by what they do, and those that are open by what they ask."""
        return tuple(
            (
                sublayer.weight is None and sublayer.key,
                tuple(
                    (self._effect_keys[self._asked[e >> 1].effect], e & 1 and _content(self._asked[e >> 1].filter))
                    for e in here
                ),
            )
            for sublayer, here in zip(self._each.sublayers, lists, strict=True)
            if here
        )


# A group of conditions that is open whatever the datagram is: the layer does not offer the field.
_OPEN = (("", (Condition("", "GREATER", Value("EMPTY", None)),)),)


def _filters(side: Side, each: Classify) -> Hashable:
    """What the filters of a classify ask and do, in their order."""
    return tuple(
        (s.key, s.weight, tuple((_content(r.filter), side.effects(each.way, r.filter)) for r in s.filters))
        for s in each.sublayers
    )


def _content(filter: Filter) -> Hashable:
    """What a filter asks and does, whatever it is called."""
    return (filter.layer, filter.sublayer, filter.conditions, filter.action, filter.callout, filter.flags)
