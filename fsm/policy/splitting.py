"""Splitting a space of datagrams along the conditions that occur, and the result of every class: exact, each once.

For every classify that the stimuli can come to, the filters of its layer become a decision diagram whose leaves are
the verdicts; these are put together along the ways of the machine. What a field has is asked of `field_values` with a
datagram of each class, what a condition says of `evaluate`, and what the filters that are left say of `arbitrate`: no
rule is stated here again.

The work stays small as a layer is split only along what its own filters ask, filters of one effect count as one, and
those behind one that always matches, or before one that says the same, are dropped before the next dimension.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from fsm.policy.classify import INTERFACE_FIELDS, field_values
from fsm.policy.decisions import Decisions
from fsm.policy.fields import CONDITION_FLAGS, PREFIX
from fsm.policy.in_force import ReadySublayer
from fsm.policy.layer_split import LayerSplit
from fsm.policy.match import NOT_THERE, PATHS, UNKNOWN, Bits, FieldValue
from fsm.policy.model import Condition, Filter
from fsm.policy.security import named_sids
from fsm.policy.sides import Classify, End, Side, Verdicts, filters_asked
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
from fsm.policy.ways import Key, Way

# The order in which dimensions are asked.
ORDER = ("flags", "socket_property", "profile", "interface_type", "tunnel_type", "interface", "interface_index",
         "sub_interface", "compartment", "token", "program", "local_port", "remote_port", "local_address",
         "remote_address")  # fmt: skip


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

    def of_classes(self, number: int, side: Side, each: Classify) -> dict[str, tuple[int, list[FieldValue]]]:
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
                split = LayerSplit(self, number, side, side.classifies[key], told=isinstance(same, int))
                self._layers[same] = split.diagram()
            side.diagrams[key] = self._layers[same]
        return side.diagrams[key]

    def _same_everywhere(self, key: Key) -> Hashable:
        """What stands for a classify: its key where all sides have the same filters there, else a number of its own.

        Where they have, open questions need not be told apart: on both sides a class has the same ones.
        """
        contents = {
            (side.config, filters_asked(side, side.classifies[key])) if key in side.classifies else None
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
