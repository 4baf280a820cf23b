"""The algebra of intervals and boxes, with z3 as the oracle: the same numbers, in the form that is promised."""

from __future__ import annotations

import itertools
import random
from ipaddress import IPv4Address, ip_address, summarize_address_range

import pytest
import z3

from fsm.policy.boxes import (
    Intervals,
    contains,
    difference,
    intersection,
    intervals,
    masked,
    merged,
    pieces,
    prefixes,
    union,
)
from fsm.policy.decisions import Decisions, TooLarge

BITS = 8
NUMBER = z3.BitVec("n", BITS)


def formula(given: Intervals) -> z3.BoolRef:
    return z3.Or([z3.And(z3.UGE(NUMBER, low), z3.ULE(NUMBER, high)) for low, high in given])


def same(one: z3.BoolRef, other: z3.BoolRef) -> bool:
    solver = z3.Solver()
    solver.add(one != other)
    return bool(solver.check() == z3.unsat)


def some(rng: random.Random) -> list[tuple[int, int]]:
    return [
        (low, min(255, low + rng.choice((0, 1, 7, 60))))
        for low in (rng.randrange(256) for _ in range(rng.randrange(5)))
    ]


def is_normal(given: Intervals) -> bool:
    return all(low <= high for low, high in given) and all(
        before[1] + 1 < after[0] for before, after in itertools.pairwise(given)
    )


@pytest.mark.parametrize("seed", range(60))
def test_sets_have_the_numbers_that_z3_says(seed: int) -> None:
    rng = random.Random(seed)
    raw, other = some(rng), intervals(some(rng))
    one = intervals(raw)
    assert is_normal(one) and same(formula(one), formula(tuple(raw)))
    for found, wanted in (
        (union(one, other), z3.Or(formula(one), formula(other))),
        (intersection(one, other), z3.And(formula(one), formula(other))),
        (difference(one, other), z3.And(formula(one), z3.Not(formula(other)))),
    ):
        assert is_normal(found) and same(formula(found), wanted)
    assert all(contains(one, n) == any(low <= n <= high for low, high in raw) for n in range(256))


@pytest.mark.parametrize("seed", range(40))
def test_masks_have_the_numbers_that_z3_says(seed: int) -> None:
    rng = random.Random(seed)
    address, mask = rng.randrange(256), rng.randrange(256)
    found = masked(address, mask, BITS)
    assert found is not None and is_normal(found)
    assert same(formula(found), (NUMBER & mask) == (address & mask))


def test_a_mask_with_too_many_holes_is_refused() -> None:
    assert masked(0, 0x55555555, 32) is None
    assert masked(0, 0xFFFFFF00, 32) == ((0, 255),)


@pytest.mark.parametrize("seed", range(40))
def test_pieces_begin_at_every_cut_and_lose_nothing(seed: int) -> None:
    rng = random.Random(seed)
    within, cuts = intervals(some(rng)), [rng.randrange(256) for _ in range(6)]
    found = pieces(within, cuts)
    assert intervals(found) == within
    assert {low for low, _ in found} == {low for low, _ in within} | {cut for cut in cuts if contains(within, cut)}


@pytest.mark.parametrize("seed", range(40))
def test_prefixes_are_those_of_the_standard_library(seed: int) -> None:
    rng = random.Random(seed)
    low = rng.randrange(1 << 32)
    high = rng.randrange(low, 1 << 32)
    nets = [
        (int(net.network_address), net.prefixlen)
        for net in summarize_address_range(IPv4Address(low), IPv4Address(high))
    ]
    assert list(prefixes(low, high, 32)) == nets
    assert list(prefixes(0, (1 << 128) - 1, 128)) == [(0, 0)] and ip_address(low)


@pytest.mark.parametrize("seed", range(40))
def test_merged_boxes_have_the_same_points_and_no_point_twice(seed: int) -> None:
    rng = random.Random(seed)
    sizes = {"a": 3, "b": 4, "c": 2}
    everything = list(itertools.product(*(range(size) for size in sizes.values())))
    chosen = rng.sample(everything, rng.randint(1, len(everything)))
    boxes = [dict(zip(sizes, (frozenset((n,)) for n in point), strict=True)) for point in chosen]
    found = merged(boxes, list(sizes))
    points = [
        point
        for box in found
        for point in everything
        if all(number in box.get(name, range(size)) for (name, size), number in zip(sizes.items(), point, strict=True))
    ]
    assert sorted(points) == sorted(chosen) and len(found) <= len(boxes)


# --- decision diagrams: against the plain table of all points


def made(decisions: Decisions, table: dict[tuple[int, ...], int], at: tuple[int, ...] = ()) -> int:
    if len(at) == len(decisions.sizes):
        return decisions.leaf(table[at])
    return decisions.node(len(at), [made(decisions, table, (*at, n)) for n in range(decisions.sizes[len(at)])])


def looked_up(decisions: Decisions, node: int, point: tuple[int, ...]) -> object:
    for dimension, number in enumerate(point):
        node = decisions.child(node, dimension, number)
    return decisions.value(node)


@pytest.mark.parametrize("seed", range(30))
def test_diagrams_combine_choose_and_list_boxes_as_tables_do(seed: int) -> None:
    rng = random.Random(seed)
    decisions = Decisions([3, 2, 4])
    space = list(itertools.product(range(3), range(2), range(4)))
    tables = [{point: rng.choice((0, 0, 1)) for point in space} for _ in range(3)]
    one, other, third = (made(decisions, table) for table in tables)
    assert one == made(decisions, tables[0]), "what says the same is the same"
    added = decisions.combined((one, other), lambda values: values[0] + 10 * values[1])  # type: ignore[operator]
    chosen = decisions.chosen(one, {leaf: (other, third)[decisions.value(leaf) == 1] for leaf in decisions.leaves(one)})
    for point in space:
        assert looked_up(decisions, added, point) == tables[0][point] + 10 * tables[1][point]
        assert looked_up(decisions, chosen, point) == tables[2 if tables[0][point] else 1][point]
    boxes = list(decisions.boxes(one, lambda value: value == 1))
    assert len(boxes) == decisions.count(one, lambda value: value == 1)
    inside = [p for p in space for _, box in boxes if all(p[d] in numbers for d, numbers in box.items())]
    assert sorted(inside) == [point for point in space if tables[0][point] == 1]


def test_a_diagram_beyond_its_limit_is_refused() -> None:
    decisions = Decisions([2, 2], limit_nodes=1)
    with pytest.raises(TooLarge):
        made(decisions, {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 0})
