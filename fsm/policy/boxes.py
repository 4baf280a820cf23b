"""Sets of whole numbers as intervals, and boxes: one set for each dimension. Exact, and in a form that people read.

A set is a tuple of intervals (low, high), both ends in it, sorted, neither overlapping nor touching: equal sets are
equal tuples.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

Intervals = tuple[tuple[int, int], ...]


def intervals(given: Iterable[tuple[int, int]]) -> Intervals:
    """The set of all numbers in any of the intervals."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(pair for pair in given if pair[0] <= pair[1]):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def union(one: Intervals, other: Intervals) -> Intervals:
    """Numbers in one or the other."""
    return intervals((*one, *other))


def intersection(one: Intervals, other: Intervals) -> Intervals:
    """Numbers in both."""
    return intervals((max(a, c), min(b, d)) for a, b in one for c, d in other)


def difference(one: Intervals, other: Intervals) -> Intervals:
    """Numbers in the first and not in the other."""
    left = list(one)
    for low, high in other:
        left = [part for a, b in left for part in ((a, min(b, low - 1)), (max(a, high + 1), b)) if part[0] <= part[1]]
    return tuple(left)


def contains(one: Intervals, number: int) -> bool:
    """Whether the number is in the set."""
    return any(low <= number <= high for low, high in one)


def pieces(within: Intervals, cuts: Iterable[int]) -> Intervals:
    """The set cut into intervals that begin at every cut; they may touch."""
    points = sorted(set(cuts))
    found: list[tuple[int, int]] = []
    place = 0
    for low, high in within:
        while place and points[place - 1] > low:
            place -= 1
        start = low
        while place < len(points) and points[place] <= high:
            if points[place] > start:
                found.append((start, points[place] - 1))
                start = points[place]
            place += 1
        found.append((start, high))
    return tuple(found)


def prefixes(low: int, high: int, bits: int) -> Iterator[tuple[int, int]]:
    """The fewest prefixes (base, length) that make up an interval of addresses of `bits` bits."""
    while low <= high:
        size = min((low & -low).bit_length() - 1 if low else bits, (high - low + 1).bit_length() - 1)
        yield low, bits - size
        low += 1 << size


def masked(address: int, mask: int, bits: int, *, limit: int = 4096) -> Intervals | None:
    """The numbers that agree with `address` in the bits of `mask`; None for more than `limit` intervals."""
    free = ~mask & ((1 << bits) - 1)
    tail = (free + 1 & ~free).bit_length() - 1  # the free bits at the low end
    holes = [bit for bit in range(tail, bits) if free >> bit & 1]
    if 1 << len(holes) > limit:
        return None
    base = address & mask
    starts = [base]
    for bit in holes:
        starts += [start | 1 << bit for start in starts]
    return intervals((start, start + (1 << tail) - 1) for start in starts)


Box = tuple[tuple[str, Hashable], ...]  # (dimension, set); a dimension that is not named is not limited


def merged(boxes: Sequence[Mapping[str, frozenset[int]]], dimensions: Sequence[str]) -> list[dict[str, frozenset[int]]]:
    """The same points in fewer boxes: two that differ in one dimension only become one, until none are left.

    Sets are the numbers of atomic classes. A dimension that a box does not name is not limited in it.
    """
    found = [dict(box) for box in boxes]
    changed = True
    while changed:
        changed = False
        for name in dimensions:
            groups: dict[Hashable, dict[str, frozenset[int]]] = {}
            for box in found:
                if name not in box:
                    groups[("whole", id(box))] = box
                    continue
                rest = frozenset((key, value) for key, value in box.items() if key != name)
                same = groups.get(rest)
                if same is None:
                    groups[rest] = box
                else:
                    groups[rest] = {**same, name: same[name] | box[name]}
                    changed = True
            found = list(groups.values())
    return found
