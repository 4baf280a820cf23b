"""Filters as sets of classifies: unions of boxes over the fields of one layer, exact in what they say.

A box maps a dimension to the values that it leaves; a dimension that it does not name is free. A field is one ordered
dimension (numbers, addresses), one of named values (programs, SIDs), or one for each bit (flags). A condition that
nobody can evaluate is a dimension of its own: the same condition is true or false everywhere alike. Fields are taken
as independent, so what is covered here is covered in fact; what is not covered might be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from fsm.catalogue import by_name, layers
from fsm.policy.fields import FIELDS, PREFIX
from fsm.policy.in_force import Ready
from fsm.policy.model import Condition, Value
from fsm.policy.values import BITS

Dimension = tuple[str, int]  # (canonical field, bit); bit -1 for the whole field
Intervals = tuple[tuple[int, int], ...]  # sorted, disjoint, both ends included
Box = Mapping[Dimension, Intervals]

WHOLE = -1
LIMIT_BOXES = 2048  # of one filter
_BITS_OF_FIELD = {"BYTE_ARRAY16": 128, "BYTE_ARRAY6": 48, "V4_ADDR_MASK": 32, "V6_ADDR_MASK": 128, **BITS}
_FLAG_MATCHES = ("FLAGS_ALL_SET", "FLAGS_ANY_SET", "FLAGS_NONE_SET")
_TRUE: Intervals = ((1, 1),)
_LAYERS = frozenset(layer.name for layer in layers())
# Fields that can be FWP_EMPTY, by stem: in a flow that is authorized again by a packet of the other direction those of
# the interface (ALER), at a bind the local address (ALEL). An ICMP type is empty where there is none.
_EMPTY_AT: dict[str, tuple[str, ...]] = {
    "ALE_AUTH_CONNECT": ("ARRIVAL_", "NEXTHOP_", "INTERFACE_", "TUNNEL_TYPE", "SUB_INTERFACE", "IP_LOCAL_INTERFACE"),
    "ALE_AUTH_RECV_ACCEPT": ("ARRIVAL_", "NEXTHOP_", "INTERFACE_", "TUNNEL_TYPE", "SUB_INTERFACE", "IP_LOCAL_INTERF"),
    "ALE_BIND_REDIRECT": ("IP_LOCAL_ADDRESS",),
    "ALE_RESOURCE_ASSIGNMENT": ("IP_LOCAL_ADDRESS",),
    "ALE_RESOURCE_RELEASE": ("IP_LOCAL_ADDRESS",),
    "ALE_ENDPOINT_CLOSURE": ("IP_LOCAL_ADDRESS",),
}


class TooMany(Exception):
    """A filter of more boxes, or a question of more steps, than is tried: the answer is "not decided"."""


def may_be_empty(layer: str, field: str) -> bool:
    """Whether a page says that this field (canonical name) can be FWP_EMPTY at this layer."""
    short = field.removeprefix(PREFIX)
    if short == "ORIGINAL_ICMP_TYPE":
        return True
    stem = by_name(layer).stem.removesuffix("_DISCARD") if layer in _LAYERS else ""
    return short.removeprefix("IP_").startswith(_EMPTY_AT.get(stem, ())) or short.startswith(_EMPTY_AT.get(stem, ()))


@dataclass(frozen=True, slots=True)
class Axis:
    """How a field becomes dimensions. `kind` is ordered, names or bits; `top` the highest value, or bit.

    `names` are the values of an axis of names by number; behind them stands "any other". The value after the last one
    stands for FWP_EMPTY where `empty`.
    """

    field: str
    kind: str
    top: int
    names: tuple[str | bytes, ...] = ()
    empty: bool = False

    @property
    def universe(self) -> Intervals:
        return ((0, self.top + 1 if self.empty else self.top),)


class Space:
    """The boxes of the filters of one layer, over the axes that their conditions need."""

    def __init__(self, layer: str, filters: Iterable[Ready]) -> None:
        self.layer = layer
        found: dict[str, list[Condition]] = {}
        for ready in filters:
            for field, conditions in ready.groups:
                found.setdefault(field, []).extend(conditions)
        self.axes = {field: _axis(layer, field, conditions) for field, conditions in found.items()}

    def universe(self, dimension: Dimension) -> Intervals:
        """Every value of a dimension."""
        field, bit = dimension
        axis = self.axes.get(field)
        return ((0, 1),) if bit != WHOLE or axis is None else axis.universe

    def boxes(self, ready: Ready, *, surely: bool) -> tuple[Box, ...]:
        """The classifies that the filter matches: `surely`, or else may match (where a field is empty).

        Raises
        ------
        TooMany : it is made of more than LIMIT_BOXES boxes.
        """
        parts: list[list[Box]] = []
        number = 1
        for field, conditions in ready.groups:
            union = self._union(field, conditions, surely)
            number *= max(len(union), 1)
            if number > LIMIT_BOXES:
                raise TooMany
            parts.append(union)
        found = []
        for chosen in product(*parts):
            box = self.meet_all(chosen)
            if box is not None:
                found.append(box)
        return tuple(found)

    def _union(self, field: str, conditions: Sequence[Condition], surely: bool) -> list[Box]:
        """The alternatives of one field; on an axis of values they are one box."""
        axis = self.axes[field]
        together: list[tuple[int, int]] = []
        found: list[Box] = []
        for condition in conditions:
            values = _values(axis, condition, surely) if axis.kind != "bits" else None
            if values is not None:
                together += values
                continue
            cubes = _cubes(axis, condition) if axis.kind == "bits" else None
            if cubes is None:
                cubes = [{(_opaque(field, condition), WHOLE): _TRUE}]
            found += cubes
        if together:
            merged = merged_intervals(together)
            found.append({} if merged == axis.universe else {(field, WHOLE): merged})
        return found

    def meet_all(self, boxes: Sequence[Box]) -> Box | None:
        """What all boxes have in common; None for nothing."""
        result: dict[Dimension, Intervals] = {}
        for box in boxes:
            for dimension, values in box.items():
                before = result.get(dimension)
                result[dimension] = values if before is None else meet(before, values)
                if not result[dimension]:
                    return None
        return result

    def subtract(self, box: Box, other: Box) -> list[Box]:
        """`box` without `other`, as boxes that do not overlap."""
        if self.meet_all((box, other)) is None:
            return [box]
        found: list[Box] = []
        inside = dict(box)
        for dimension, values in other.items():
            mine = inside.get(dimension, self.universe(dimension))
            rest = without(mine, values)
            if rest:
                found.append({**inside, dimension: rest})
            inside[dimension] = meet(mine, values)
        return found

    def uncovered(
        self, box: Box, covers: Sequence[Box], limit: int = 20_000, used: set[int] | None = None
    ) -> Box | None:
        """A part of `box` that none of `covers` covers; None where they cover it all.

        Parameters
        ----------
        used : filled with the places of covers that together suffice, where they cover it all.

        Raises
        ------
        TooMany : not decided within `limit` steps.
        """
        steps = [limit]

        taken: set[int] = set()

        def search(box: Box, covers: Sequence[tuple[int, Box]]) -> Box | None:
            steps[0] -= 1
            if steps[0] < 0:
                raise TooMany
            best: tuple[int, list[Dimension], int, Box] | None = None
            near: list[tuple[int, Box]] = []
            for place, cover in covers:
                outside = self._outside(box, cover)
                if outside is None:
                    continue  # they do not meet
                if not outside:
                    taken.add(place)
                    return None
                near.append((place, cover))
                if best is None or len(outside) < best[0]:
                    best = (len(outside), outside, place, cover)
            if best is None:
                return box
            _, dimensions, place, chosen = best
            taken.add(place)
            inside = dict(box)
            for dimension in dimensions:
                mine = inside.get(dimension, self.universe(dimension))
                rest = search({**inside, dimension: without(mine, chosen[dimension])}, near)
                if rest is not None:
                    return rest
                inside[dimension] = meet(mine, chosen[dimension])
            return None

        rest = search(box, list(enumerate(covers)))
        if rest is None and used is not None:
            used |= taken
        return rest

    def _outside(self, box: Box, cover: Box) -> list[Dimension] | None:
        """The dimensions in which `box` sticks out of `cover`; None where they do not meet."""
        found = []
        for dimension, values in cover.items():
            mine = box.get(dimension)
            if mine is None:
                mine = self.universe(dimension)
            elif mine == values:
                continue
            common = meet(mine, values)
            if not common:
                return None
            if common != mine:
                found.append(dimension)
        return found


# ---- intervals


def merged_intervals(intervals: Iterable[tuple[int, int]]) -> Intervals:
    """The same numbers as sorted intervals that neither overlap nor touch."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(intervals):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def meet(a: Intervals, b: Intervals) -> Intervals:
    """The numbers that are in both."""
    if len(a) == 1 and len(b) == 1:
        low, high = max(a[0][0], b[0][0]), min(a[0][1], b[0][1])
        return ((low, high),) if low <= high else ()
    found, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        low, high = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if low <= high:
            found.append((low, high))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def without(a: Intervals, b: Intervals) -> Intervals:
    """The numbers of `a` that are not in `b`."""
    found = []
    for low, high in a:
        for cut_low, cut_high in b:
            if cut_high < low or cut_low > high:
                continue
            if cut_low > low:
                found.append((low, cut_low - 1))
            low = cut_high + 1
            if low > high:
                break
        if low <= high:
            found.append((low, high))
    return tuple(found)


# ---- from conditions to values


def _axis(layer: str, field: str, conditions: Sequence[Condition]) -> Axis:
    empty = may_be_empty(layer, field)
    numbers = [condition for condition in conditions if _is_number(condition.value)]
    texts = [c.value.data for c in conditions if isinstance(c.value.data, str | bytes) and _names_value(c)]
    if texts and not numbers and len({type(text) for text in texts}) == 1:
        values = list(dict.fromkeys(_named(c) for c in conditions if _names_value(c)))
        return Axis(field, "names", len(values), tuple(values))  # the last number is any other
    width = max((_width(layer, field, c.value) for c in numbers), default=32)
    if any(condition.match in _FLAG_MATCHES for condition in numbers):
        return Axis(field, "bits", width - 1)
    return Axis(field, "ordered", (1 << width) - 1, empty=empty)


def _is_number(value: Value) -> bool:
    data = value.data
    if value.type == "RANGE" and isinstance(data, tuple):
        return all(isinstance(part, Value) and isinstance(part.data, int) for part in data)
    if value.type in ("V4_ADDR_MASK", "V6_ADDR_MASK"):
        return isinstance(data, tuple)
    return isinstance(data, int)


def _names_value(condition: Condition) -> bool:
    """Whether it is about one named value. What PREFIX means the page puts in doubt: it stays a question of its own."""
    value = condition.value
    return (
        condition.match in ("EQUAL", "NOT_EQUAL")
        and value.type in ("SID", "BYTE_BLOB", "UNICODE_STRING")
        and isinstance(value.data, str | bytes)
    )


def _named(condition: Condition) -> str | bytes:
    """The value that a condition names, as an axis of names has it."""
    data = condition.value.data
    assert isinstance(data, str | bytes)  # as `_names_value` has seen
    return data.upper() if condition.value.type == "SID" and isinstance(data, str) else data


def _width(layer: str, field: str, value: Value) -> int:
    known = FIELDS.get(field)
    if known is not None and known.is_address and layer in _LAYERS:
        return 128 if by_name(layer).ip_version == 6 else 32
    types = known.data_types if known is not None else ()
    parts = value.data if value.type == "RANGE" and isinstance(value.data, tuple) else (value,)
    given = [part.type for part in parts if isinstance(part, Value)]
    return max((_BITS_OF_FIELD[name] for name in (*types, *given) if name in _BITS_OF_FIELD), default=64)


def _opaque(field: str, condition: Condition) -> str:
    value = condition.value
    data = value.data.upper() if value.type == "SID" and isinstance(value.data, str) else value.data
    return f"{field} {condition.match} {value.type} {data!r}"


def _values(axis: Axis, condition: Condition, surely: bool) -> list[tuple[int, int]] | None:
    """The numbers on the axis for which the condition holds; None where nobody can say."""
    found = _named_values(axis, condition) if axis.kind == "names" else _numbers(axis, condition)
    if found is None:
        return None
    if axis.empty and (condition.match == "EQUAL" or not surely):
        found = [*found, (axis.top + 1, axis.top + 1)]
    return found


def _named_values(axis: Axis, condition: Condition) -> list[tuple[int, int]] | None:
    if not _names_value(condition):
        return None
    at = axis.names.index(_named(condition))
    equal = ((at, at),)
    return list(equal if condition.match == "EQUAL" else without(((0, axis.top),), equal))


def _numbers(axis: Axis, condition: Condition) -> list[tuple[int, int]] | None:
    value, match, top = condition.value, condition.match, axis.top
    data = value.data
    if value.type == "EMPTY" and match == "EQUAL":
        return []
    if match == "RANGE":
        if value.type != "RANGE" or not _is_number(value) or not isinstance(data, tuple):
            return None
        low, high = data[0].data, data[1].data  # type: ignore[union-attr]
        return _within([(low, high)], top)  # type: ignore[list-item]
    if match in ("EQUAL", "NOT_EQUAL"):
        equal = _prefix(value, top) if value.type.endswith("ADDR_MASK") else _one(data, top)
        if equal is None:
            return None
        return equal if match == "EQUAL" else list(without(((0, top),), merged_intervals(equal)))
    if not isinstance(data, int) or value.type.endswith("ADDR_MASK"):
        return None
    ends = {
        "GREATER": (data + 1, top),
        "GREATER_OR_EQUAL": (data, top),
        "LESS": (0, data - 1),
        "LESS_OR_EQUAL": (0, data),
    }.get(match)
    return None if ends is None else _within([ends], top)


def _one(data: object, top: int) -> list[tuple[int, int]] | None:
    return _within([(data, data)], top) if isinstance(data, int) else None


def _within(intervals: Iterable[tuple[int, int]], top: int) -> list[tuple[int, int]]:
    return [(max(low, 0), min(high, top)) for low, high in intervals if max(low, 0) <= min(high, top)]


def _prefix(value: Value, top: int) -> list[tuple[int, int]] | None:
    """The addresses of an address with mask; None for a mask with many holes, or of the other IP version."""
    if value.masked is None:
        return None
    address, mask = value.masked
    if value.type == "V6_ADDR_MASK":
        if top >> 127 == 0 or not 0 <= mask <= 128:
            return None
        free = (1 << (128 - mask)) - 1
        return [(address & ~free, address | free)]
    if top >> 32 or mask >> 32:
        return None
    free = mask ^ 0xFFFFFFFF
    low_ones = (~free & (free + 1)) - 1  # the run of free bits at the low end
    holes = free & ~low_ones
    if holes.bit_count() > 8:
        return None
    base = address & mask
    found, hole = [], 0
    while True:
        found.append((base | hole, base | hole | low_ones))
        hole = (hole - holes) & holes
        if hole == 0:
            return found


def _cubes(axis: Axis, condition: Condition) -> list[Box] | None:
    """The boxes of a condition on bits; None where nobody can say."""
    data, match = condition.value.data, condition.match
    bits = range(axis.top + 1)
    if match in _FLAG_MATCHES:
        if not isinstance(data, int):
            return None
        named = [bit for bit in bits if data >> bit & 1]
        if match == "FLAGS_ANY_SET":
            return [{(axis.field, bit): _TRUE} for bit in named]
        wanted: Intervals = _TRUE if match == "FLAGS_ALL_SET" else ((0, 0),)
        return [{(axis.field, bit): wanted for bit in named}] if data >> (axis.top + 1) == 0 or wanted != _TRUE else []
    ordered = Axis(axis.field, "ordered", (1 << axis.top + 1) - 1)
    values = _numbers(ordered, condition)
    if values is None:
        return None
    return [cube for low, high in values for cube in _aligned(axis, low, high)]


def _aligned(axis: Axis, low: int, high: int) -> list[Box]:
    """An interval of numbers as boxes of bits: blocks whose low bits are free."""
    found: list[Box] = []
    while low <= high:
        free = min((low & -low).bit_length() - 1 if low else axis.top + 1, (high - low + 1).bit_length() - 1)
        fixed = range(free, axis.top + 1)
        found.append({(axis.field, bit): ((low >> bit & 1, low >> bit & 1),) for bit in fixed})
        low += 1 << free
    return found
