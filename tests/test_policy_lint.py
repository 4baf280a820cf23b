"""The lint: its order of filters against z3 and against brute force, each rule on an example, the real files."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import z3
from click.testing import CliRunner
from filter_oracle import EMPTY, condition_holds
from policy_worlds import APPS, LAYERS, PACKAGES, C, callout
from policy_worlds import condition as random_condition
from policy_worlds import policy as random_policy

from fsm.cli import cli
from fsm.errors import UnknownName
from fsm.policy.callouts import effects_of
from fsm.policy.in_force import index_policy
from fsm.policy.lint import LintReport, lint
from fsm.policy.lint_regions import may_be_empty
from fsm.policy.lint_rules import RULES
from fsm.policy.lint_text import lint_text
from fsm.policy.match import groups_of
from fsm.policy.model import Condition, Filter, Policy, Value
from fsm.policy.read import read_policy
from fsm.policy.shadow import LayerOrder, Shadow
from fsm.policy.weights import effective_weight
from fsm.sources import SOURCES

TOP = Path(__file__).resolve().parent.parent
EVIDENCE = TOP.parent / "shared" / "evidence"
CASES = TOP / "tests" / "data" / "cases"
STATE = EVIDENCE / "wfp-state" / "keploy_wfpstate.xml.gz"
OPEN = "open"  # a condition that nobody can evaluate: a truth of its own

# ---- z3 as the oracle of the order


class Symbols:
    """One classify as z3 constants: numbers as 128 bits, names as numbers, emptiness and open conditions as truths."""

    def __init__(self) -> None:
        self.known: dict[object, Any] = {}
        self.widths: dict[str, int] = {}

    def number(self, field: str, width: int) -> Any:
        self.widths[field] = width
        return self.known.setdefault(field, z3.BitVec(field, 136))

    def truth(self, key: object) -> Any:
        return self.known.setdefault(key, z3.Bool(str(key)))

    def sane(self) -> list[Any]:
        return [z3.ULT(self.known[field], z3.BitVecVal(1 << width, 136)) for field, width in self.widths.items()]


WIDTHS = {"IP_LOCAL_PORT": 16, "IP_REMOTE_PORT": 16, "ICMP_TYPE": 16, "ICMP_CODE": 16, "IP_PROTOCOL": 8, "FLAGS": 32}
WIDTHS |= {"COMPARTMENT_ID": 32, "IP_LOCAL_INTERFACE": 64}
SAME = {"ICMP_TYPE": "IP_LOCAL_PORT", "ICMP_CODE": "IP_REMOTE_PORT"}
NAMES = {"ALE_APP_ID": APPS, "ALE_PACKAGE_ID": PACKAGES}


def formula(symbols: Symbols, condition: Condition, layer: str, *, surely: bool) -> Any:
    """A condition in z3, from the words of its match type."""
    short = condition.field.removeprefix(C)
    field, match, data = SAME.get(short, short), condition.match, condition.value.data
    if short in NAMES:
        value = symbols.number(field, 3)
        equal = value == NAMES[short].index(data)  # type: ignore[arg-type]
        return equal if match == "EQUAL" else z3.Not(equal)
    if short == "ALE_USER_ID":
        return symbols.truth((short, data))
    width = WIDTHS.get(short) or (128 if layer.endswith("V6") else 32)
    value = symbols.number(field, width)

    def bits(number: object) -> Any:
        return z3.BitVecVal(number, 136)  # type: ignore[no-untyped-call]

    if match == "RANGE":
        low, high = (end.data for end in data)  # type: ignore[union-attr]
        found = z3.And(z3.ULE(bits(low), value), z3.ULE(value, bits(high)))
    elif condition.value.type == "V4_ADDR_MASK":
        found = (value ^ bits(data[0])) & bits(data[1]) == 0  # type: ignore[index]
    elif condition.value.type == "V6_ADDR_MASK":
        mask = ((1 << data[1]) - 1) << (128 - data[1])  # type: ignore[index,operator]
        found = (value ^ bits(data[0])) & bits(mask) == 0  # type: ignore[index]
    else:
        number = bits(data)
        found = {
            "EQUAL": lambda: value == number,
            "NOT_EQUAL": lambda: value != number,
            "GREATER": lambda: z3.UGT(value, number),
            "LESS": lambda: z3.ULT(value, number),
            "GREATER_OR_EQUAL": lambda: z3.UGE(value, number),
            "LESS_OR_EQUAL": lambda: z3.ULE(value, number),
            "FLAGS_ALL_SET": lambda: value & number == number,
            "FLAGS_ANY_SET": lambda: value & number != 0,
            "FLAGS_NONE_SET": lambda: value & number == 0,
        }[match]()
    if may_be_empty(layer, condition.field):
        empty = symbols.truth(("empty", field))
        found = z3.If(empty, z3.BoolVal(match == "EQUAL" or not surely), found)
    return found


def matching(symbols: Symbols, one: Filter, *, surely: bool) -> Any:
    """A filter in z3: neighbours on one field are alternatives, all else holds together."""
    parts = []
    for _, same in itertools.groupby(one.conditions, key=lambda c: SAME.get(c.field.removeprefix(C), c.field)):
        parts.append(z3.Or([formula(symbols, condition, one.layer, surely=surely) for condition in same]))
    return z3.And(parts)


def possible(symbols: Symbols, *parts: Any) -> bool:
    solver = z3.Solver()
    solver.add(*symbols.sane(), *parts)
    found = solver.check()
    assert found != z3.unknown
    return bool(found == z3.sat)


def ends(policy: Policy, one: Filter) -> bool:
    callouts = {each.key: each for each in policy.callouts}
    return all(effect.answer != "continue" for effect in effects_of(one, callouts))


def in_force(policy: Policy, layer: str) -> list[Filter]:
    return [f for f in policy.filters if f.layer == layer and not {"DISABLED", "BOOTTIME"} & set(f.flags)]


def by_z3(policy: Policy, layer: str) -> tuple[set[str], set[str]]:
    """The keys of the filters that never match, and of those that are shadowed in their sublayer."""
    never, shadowed = set(), set()
    for one in in_force(policy, layer):
        symbols = Symbols()
        may = matching(symbols, one, surely=False)
        if not possible(symbols, may):
            never.add(one.key)
            continue
        heavier = [
            f
            for f in in_force(policy, layer)
            if f.sublayer == one.sublayer and ends(policy, f) and effective_weight(f) > effective_weight(one)
        ]
        others = [matching(symbols, f, surely=True) for f in heavier]
        if heavier and not possible(symbols, may, *map(z3.Not, others)):
            shadowed.add(one.key)
    return never, shadowed


def dense_policy(rng: random.Random, layer: str, *, scattered: bool) -> Policy:
    """Filters of one or two conditions, most of which many values meet: they cover each other, alone and together."""
    made = random_policy(rng, layers=(layer,), most_filters=10)
    filters = []
    for one in made.filters:
        drawn = [random_condition(rng, layer) for _ in range(40)]
        wide = [c for c in drawn if c.match not in ("EQUAL", "FLAGS_ALL_SET") or c.value.type.endswith("MASK")]
        conditions = wide[: rng.choice((1, 1, 2))]
        if scattered:
            first = drawn[0]
            again = [c for c in drawn[1:] if c.field == first.field]
            apart = [
                c for c in drawn if SAME.get(c.field[len(C) :], c.field) != SAME.get(first.field[len(C) :], first.field)
            ]
            conditions = [first, apart[0], *again[:1]]
        filters.append(replace(one, conditions=tuple(conditions), sublayer=made.sublayers[0].key))
    return replace(made, filters=tuple(filters))


def test_who_never_matches_and_who_is_shadowed_agrees_with_z3() -> None:
    rng = random.Random(20)
    seen = {"never": 0, "shadowed": 0, "together": 0}
    for number in range(130):
        layer = LAYERS[number % len(LAYERS)]
        scattered = number % 3 == 0
        if number % 2:
            made = dense_policy(rng, layer, scattered=scattered)
        else:
            made = random_policy(rng, layers=(layer,), most_filters=7, scattered=scattered)
        order = LayerOrder(index_policy(made), layer)
        never, shadowed = by_z3(made, layer)
        assert {one.key for one in order.never()} == never, number
        found = {shadow.filter.key: shadow for shadow in order.shadows()}
        assert set(found) == shadowed, number
        assert not order.undecided
        seen["never"] += len(never)
        seen["shadowed"] += len(shadowed)
        seen["together"] += sum(len(shadow.by) > 1 for shadow in found.values())
    assert all(count >= 2 for count in seen.values()), seen


def test_the_filters_that_a_shadow_names_suffice_and_none_of_them_can_be_spared() -> None:
    rng = random.Random(31)
    checked = 0
    for _ in range(70):
        made = dense_policy(rng, LAYERS[0], scattered=False)
        for shadow in LayerOrder(index_policy(made), LAYERS[0]).shadows():
            symbols = Symbols()
            may = matching(symbols, shadow.filter, surely=False)
            parts = [matching(symbols, one, surely=True) for one in shadow.by]
            assert not possible(symbols, may, *map(z3.Not, parts))
            for spared in range(len(parts)):
                rest = parts[:spared] + parts[spared + 1 :]
                assert possible(symbols, may, *map(z3.Not, rest))
            checked += 1
    assert checked >= 15


# ---- brute force: every classify of a small world, each filter asked by the slow interpreter

SMALL = {C + "IP_LOCAL_PORT": range(6), C + "IP_PROTOCOL": (6, 17, 18), C + "FLAGS": range(8)}
SMALL_LAYER = "FWPM_LAYER_OUTBOUND_TRANSPORT_V4"


def small_condition(rng: random.Random) -> Condition:
    kind = rng.choice(("port", "port", "protocol", "flags", "flags"))
    if kind == "protocol":
        return Condition(C + "IP_PROTOCOL", rng.choice(("EQUAL", "NOT_EQUAL")), Value("UINT8", rng.choice((6, 17))))
    if kind == "flags":
        match = rng.choice(("FLAGS_ALL_SET", "FLAGS_ANY_SET", "FLAGS_NONE_SET", "EQUAL", "NOT_EQUAL", "GREATER"))
        return Condition(C + "FLAGS", match, Value("UINT32", rng.randrange(8)))
    low, high = sorted((rng.randrange(6), rng.randrange(6)))
    if rng.random() < 0.5:
        ends = (Value("UINT16", low), Value("UINT16", high))
        return Condition(C + "IP_LOCAL_PORT", "RANGE", Value("RANGE", ends))
    match = rng.choice(("EQUAL", "NOT_EQUAL", "LESS", "GREATER_OR_EQUAL"))
    return Condition(C + "IP_LOCAL_PORT", match, Value("UINT16", low))


def small_policy(rng: random.Random) -> Policy:
    made = random_policy(rng, certain=True, layers=(SMALL_LAYER,), most_filters=7)
    # Outside of the small world (port 7, bit 3) filters would go on matching: the edges are conditions of all of them.
    inside = (
        Condition(C + "IP_LOCAL_PORT", "LESS", Value("UINT16", 6)),
        Condition(C + "FLAGS", "LESS", Value("UINT32", 8)),
        Condition(C + "IP_PROTOCOL", "RANGE", Value("RANGE", (Value("UINT8", 17), Value("UINT8", 18)))),
    )
    filters = []
    for one in made.filters:
        drawn = [small_condition(rng) for _ in range(rng.choice((0, 1, 1, 2, 2, 3)))]
        spaced = [each for pair in zip(drawn, itertools.repeat(inside[0])) for each in pair]
        filters.append(replace(one, conditions=(*spaced, *inside[1:], *inside[:1])))
    return replace(made, filters=tuple(filters))


def holds(one: Filter, values: Mapping[str, object]) -> bool:
    for _, same in itertools.groupby(one.conditions, key=lambda condition: condition.field):
        if not any(condition_holds(condition, values) for condition in same):
            return False
    return True


def points() -> list[dict[str, object]]:
    return [dict(zip(SMALL, each, strict=True)) for each in itertools.product(*SMALL.values())]


def test_shadows_are_those_that_trying_every_classify_finds() -> None:
    rng = random.Random(5)
    world = points()
    shadowed_ones = 0
    for _ in range(50):
        made = small_policy(rng)
        order = LayerOrder(index_policy(made), SMALL_LAYER)
        here = in_force(made, SMALL_LAYER)
        hit = {one.key: [at for at, values in enumerate(world) if holds(one, values)] for one in here}
        wanted = set()
        for one in here:
            heavier = [
                f
                for f in here
                if f.sublayer == one.sublayer and ends(made, f) and effective_weight(f) > effective_weight(one)
            ]
            covered = {at for f in heavier for at in hit[f.key]}
            if hit[one.key] and set(hit[one.key]) <= covered:
                wanted.add(one.key)
        assert {one.key for one in order.never()} == {key for key, at in hit.items() if not at}
        assert {shadow.filter.key for shadow in order.shadows()} == wanted
        shadowed_ones += len(wanted)
    assert shadowed_ones >= 15


def verdict_of(policy: Policy, filters: Sequence[Filter], values: Mapping[str, object]) -> str:
    """The verdict for filters that only permit and block, with every weight of its own (arbitration by hand)."""
    weights = {sublayer.key: sublayer.weight for sublayer in policy.sublayers}
    verdict, hard = "permit", False
    for key in sorted({one.sublayer for one in filters}, key=lambda key: -weights[key]):
        inside = sorted((f for f in filters if f.sublayer == key), key=lambda f: -effective_weight(f))
        first = next((f for f in inside if holds(f, values)), None)
        if first is not None and not hard:
            verdict = first.action.lower()
            hard = first.action == "BLOCK" or "CLEAR_ACTION_RIGHT" in first.flags
    return verdict


def plain_policy(rng: random.Random) -> Policy:
    """Only permits and blocks: whatever lint says changes nothing must change nothing."""
    made = small_policy(rng)
    filters = tuple(
        replace(one, action=rng.choice(("PERMIT", "BLOCK")), callout="") for one in in_force(made, SMALL_LAYER)
    )
    return replace(made, filters=filters)


def test_what_is_said_to_change_nothing_changes_no_verdict() -> None:
    rng = random.Random(8)
    world = points()
    counts = {"shadowed": 0, "decided-above": 0, "permit-overridden": 0, "hard-permit-without-effect": 0}
    for _ in range(70):
        made = plain_policy(rng)
        before = [verdict_of(made, made.filters, values) for values in world]
        for finding in lint(made, rules=tuple(counts)).findings:
            one = finding.filters[0]
            changed = [f for f in made.filters if f.key != one.key]
            if finding.rule == "hard-permit-without-effect":
                changed.append(replace(one, flags=tuple(f for f in one.flags if f != "CLEAR_ACTION_RIGHT")))
            after = [verdict_of(made, changed, values) for values in world]
            if finding.rule == "permit-overridden":
                heavier = [f for f in made.filters if f.sublayer == one.sublayer]
                heavier = [f for f in heavier if effective_weight(f) > effective_weight(one)]
                for verdict, values in zip(before, world, strict=True):
                    if holds(one, values) and not any(holds(f, values) for f in heavier):
                        assert verdict == "block", finding
            else:
                assert after == before, finding
            counts[finding.rule] += 1
    assert all(count >= 3 for count in counts.values()), counts


def test_hard_blocks_above_are_found_whenever_they_decide_everything() -> None:
    rng = random.Random(9)
    world = points()
    found_ones = 0
    for _ in range(60):
        made = plain_policy(rng)
        weights = {sublayer.key: sublayer.weight for sublayer in made.sublayers}
        report = {f.filters[0].key for f in lint(made, rules=("decided-above",)).findings}
        order = LayerOrder(index_policy(made), SMALL_LAYER)
        done = {one.key for one in order.never()} | {shadow.filter.key for shadow in order.shadows()}
        done |= {shadow.filter.key for shadow in order.overridden_permits(done)}
        for one in made.filters:
            above = [f for f in made.filters if weights[f.sublayer] > weights[one.sublayer]]
            hit = [values for values in world if holds(one, values)]
            hard = hit and all(_is_hard_above(above, values) for values in hit)
            if hard and one.key not in done:
                assert one.key in report
                found_ones += 1
            if one.key in report:
                assert hard
    assert found_ones >= 3


def _is_hard_above(above: Sequence[Filter], values: Mapping[str, object]) -> bool:
    for key in {f.sublayer for f in above}:
        inside = sorted((f for f in above if f.sublayer == key), key=lambda f: -effective_weight(f))
        first = next((f for f in inside if holds(f, values)), None)
        if first is not None and (first.action == "BLOCK" or "CLEAR_ACTION_RIGHT" in first.flags):
            return True
    return False


def test_an_empty_field_keeps_a_range_from_covering_an_equal() -> None:
    layer, field = "FWPM_LAYER_ALE_AUTH_CONNECT_V4", C + "IP_LOCAL_INTERFACE"
    ends = (Value("UINT64", 1), Value("UINT64", 9))
    heavy = Filter("{a}", "range", layer, "S", "BLOCK", (Condition(field, "RANGE", Value("RANGE", ends)),),
                   effective_weight=9)  # fmt: skip
    light = Filter("{b}", "equal", layer, "S", "PERMIT", (Condition(field, "EQUAL", Value("UINT64", 5)),),
                   effective_weight=8)  # fmt: skip
    assert condition_holds(heavy.conditions[0], {field: 5}) is True
    assert condition_holds(light.conditions[0], {field: EMPTY}) is True
    assert not LayerOrder(index_policy(Policy((heavy, light))), layer).shadows()
    there = "FWPM_LAYER_OUTBOUND_TRANSPORT_V4"  # where no page says that it can be empty
    moved = Policy((replace(heavy, layer=there), replace(light, layer=there)))
    assert [s.filter.name for s in LayerOrder(index_policy(moved), there).shadows()] == ["equal"]


# ---- each rule on an example

SUBLAYERS = """
[[sublayer]]
name = "heavy"
weight = 200
[[sublayer]]
name = "light"
weight = 100
"""


def linted(text: str, *, windows: str = "11", rules: tuple[str, ...] = ()) -> LintReport:
    return lint(read_policy((SUBLAYERS + text).encode(), name="policy.toml"), windows=windows, rules=rules)


def filter_(layer: str, action: str, *, weight: int | str = "auto", sublayer: str = "heavy", **more: str) -> str:
    rest = "".join(f"{key} = {value}\n" for key, value in more.items())
    shown = f'"{weight}"' if isinstance(weight, str) else weight
    return (
        f'[[filter]]\nname = "{action} {weight}"\nlayer = "{layer}"\nsublayer = "{sublayer}"\n'
        f'action = "{action}"\nweight = {shown}\n{rest}'
    )


def callout_(layer: str, **more: str) -> str:
    rest = "".join(f"{key} = {value}\n" for key, value in {"registered": "true", **more}.items())
    return f'[[callout]]\nname = "driver"\nlayer = "{layer}"\n{rest}'


CONNECT, ACCEPT = "AUTH_CONNECT_V4", "AUTH_RECV_ACCEPT_V4"
# rule -> policies in which it finds something, and policies like them in which it finds nothing
EXAMPLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "never-matches": (
        (
            filter_(CONNECT, "permit", when='{ remote_port = ">65535" }'),
            filter_(
                CONNECT,
                "permit",
                condition='[{ field = "IP_REMOTE_PORT", value = 1 }, { field = "IP_PROTOCOL", value = 17 }, '
                '{ field = "IP_REMOTE_PORT", value = 2 }]',
            ),
        ),
        (filter_(CONNECT, "permit", when="{ remote_port = [1, 2] }"),),
    ),
    "impossible-here": (
        (
            filter_("DATAGRAM_DATA_V4", "block", when='{ flags_all = "IS_FRAGMENT" }'),
            filter_("AUTH_LISTEN_V4", "block", when="{ local_address_type = 9 }"),
            filter_("OUTBOUND_ICMP_ERROR_V4", "block", when="{ icmp_type = 8 }"),
            filter_("OUTBOUND_ICMP_ERROR_V6", "block", when="{ icmp_type = 136 }"),
            filter_("AUTH_CONNECT_V6", "block", when='{ protocol = "icmp" }'),
            filter_("INBOUND_TRANSPORT_V4", "block", when='{ remote_address = "239.255.255.250" }'),
            filter_(CONNECT, "block", when='{ flags_any = ["IS_FRAGMENT", "IS_REASSEMBLED"] }'),
            filter_("RESOURCE_ASSIGNMENT_V4", "block", when='{ flags_all = "IS_IMPLICIT_BIND" }'),
        ),
        (
            filter_("INBOUND_IPPACKET_V4", "block", when='{ flags_all = "IS_FRAGMENT" }'),
            filter_("OUTBOUND_ICMP_ERROR_V4", "block", when="{ icmp_type = [8, 3] }"),
            filter_("OUTBOUND_ICMP_ERROR_V6", "block", when="{ icmp_type = 1 }"),
            filter_("OUTBOUND_TRANSPORT_V4", "block", when='{ remote_address = "239.255.255.250" }'),
            filter_(CONNECT, "block", when='{ flags_none = "IS_FRAGMENT" }'),
            filter_(CONNECT, "block", when='{ flags_any = ["IS_FRAGMENT", "IS_LOOPBACK"] }'),
        ),
    ),
    "alternatives-cover-all": (
        (
            filter_(CONNECT, "permit", when='{ remote_address = "10.0.0.0/8", remote_address_not = "10.0.0.1" }'),
            filter_(
                CONNECT,
                "permit",
                condition='[{ field = "FLAGS", match = "FLAGS_ALL_SET", value = 1 }, '
                '{ field = "FLAGS", match = "FLAGS_NONE_SET", value = 1 }]',
            ),
        ),
        (filter_(CONNECT, "permit", when='{ remote_address = ["10.0.0.0/8", "192.168.0.0/16"] }'),),
    ),
    "empty-matches": (
        (
            filter_("RESOURCE_ASSIGNMENT_V4", "block", when='{ local_address = "10.0.0.1" }'),
            filter_(ACCEPT, "block", when="{ arrival_interface_type = 131 }"),
        ),
        (
            filter_("RESOURCE_ASSIGNMENT_V4", "permit", when='{ local_address = "10.0.0.1" }'),
            filter_(CONNECT, "block", when='{ local_address = "10.0.0.1" }'),
        ),
    ),
    "unsettled-local-address": (
        (filter_("CONNECT_REDIRECT_V4", "block", when='{ local_address = "10.0.0.1" }'),),
        (filter_("CONNECT_REDIRECT_V4", "block", when='{ remote_address = "10.0.0.1" }'),),
    ),
    "shadowed": (
        (
            filter_(CONNECT, "permit", weight=9) + filter_(CONNECT, "block", weight=5, when="{ remote_port = 53 }"),
            filter_(CONNECT, "permit", weight=9, when='{ remote_port = "<=100" }')
            + filter_(CONNECT, "permit", weight=8, when='{ remote_port = ">50" }')
            + filter_(CONNECT, "block", weight=5, when='{ remote_port = "20-4000" }'),
        ),
        (
            filter_(CONNECT, "permit", weight=9, when="{ remote_port = 53 }") + filter_(CONNECT, "block", weight=5),
            filter_(CONNECT, "permit", weight=5) + filter_(CONNECT, "block", weight=5, when="{ remote_port = 53 }"),
            filter_(CONNECT, "permit", weight=9, sublayer="light") + filter_(CONNECT, "block", weight=5),
        ),
    ),
    "decided-above": (
        (filter_(CONNECT, "block") + filter_(CONNECT, "permit", sublayer="light", when="{ remote_port = 53 }"),),
        (
            filter_(CONNECT, "permit") + filter_(CONNECT, "block", sublayer="light"),
            filter_(CONNECT, "block", weight=5)
            + filter_(CONNECT, "permit", weight=9, when="{ remote_port = 53 }")
            + filter_(CONNECT, "permit", sublayer="light", when='{ remote_port = "50-60" }'),
        ),
    ),
    "permit-overridden": (
        (filter_(CONNECT, "permit", when="{ remote_port = 53 }") + filter_(CONNECT, "block", sublayer="light"),),
        (
            filter_(CONNECT, "permit", hard="true", when="{ remote_port = 53 }")
            + filter_(CONNECT, "block", sublayer="light"),
            filter_(CONNECT, "permit", when="{ remote_port = 53 }")
            + filter_(CONNECT, "block", sublayer="light", when='{ remote_address = "10.0.0.1" }'),
        ),
    ),
    "hard-permit-without-effect": (
        (
            filter_(CONNECT, "permit", hard="true"),
            filter_(CONNECT, "permit", hard="true", when="{ remote_port = 53 }")
            + filter_(CONNECT, "block", sublayer="light", when="{ remote_port = 54 }"),
        ),
        (filter_(CONNECT, "permit", hard="true") + filter_(CONNECT, "block", sublayer="light"),),
    ),
    "tie": (
        (filter_(CONNECT, "permit", weight=9) + filter_(CONNECT, "block", weight=9, when="{ remote_port = 53 }"),),
        (
            filter_(CONNECT, "permit", weight=9) + filter_(CONNECT, "block", weight=8),
            filter_(CONNECT, "permit", weight=9, when="{ remote_port = 54 }")
            + filter_(CONNECT, "block", weight=9, when="{ remote_port = 53 }"),
        ),
    ),
    "no-twin": (
        (
            filter_(CONNECT, "block", when="{ remote_port = 53 }"),
            filter_(CONNECT, "block", when="{ remote_port = 53 }")
            + filter_("AUTH_CONNECT_V6", "block", when="{ remote_port = 54 }"),
            filter_("AUTH_CONNECT_V6", "permit"),
        ),
        (
            filter_("AUTH_CONNECT", "block", when="{ remote_port = 53 }"),
            filter_(CONNECT, "block", when="{ remote_port = 53 }") + filter_("AUTH_CONNECT", "block"),
            filter_(ACCEPT, "permit", when="{ local_port = 68 }"),
            filter_(CONNECT, "block", when='{ remote_address = "10.0.0.1" }')
            + filter_("AUTH_CONNECT_V6", "block", when='{ remote_address = "2001:db8::1" }'),
        ),
    ),
    "silent-drop-without-icmp": (
        (
            filter_("INBOUND_TRANSPORT_V4_DISCARD", "block"),
            filter_("INBOUND_TRANSPORT_V6_DISCARD", "callout:driver")
            + callout_("INBOUND_TRANSPORT_V6_DISCARD", key='"FWPM_CALLOUT_WFP_TRANSPORT_LAYER_V6_SILENT_DROP"')
            + filter_("OUTBOUND_ICMP_ERROR_V6", "block", when="{ icmp_type = 3 }"),
        ),
        (
            filter_("INBOUND_TRANSPORT_V4_DISCARD", "block")
            + filter_("OUTBOUND_ICMP_ERROR_V4", "block", when="{ icmp_type = 3 }"),
            filter_("OUTBOUND_ICMP_ERROR_V4", "block", when="{ icmp_type = 3 }"),
        ),
    ),
    "icmp-type-of-other-version": (
        (filter_("OUTBOUND_ICMP_ERROR_V6", "block", when="{ icmp_type = 3 }"),),
        (
            filter_("OUTBOUND_ICMP_ERROR_V6", "block", when="{ icmp_type = [1, 3] }"),
            filter_("OUTBOUND_ICMP_ERROR_V4", "block", when="{ icmp_type = 3 }"),
        ),
    ),
    "no-policy-point": (
        (
            filter_("FLOW_ESTABLISHED_V4", "block"),
            filter_("FLOW_ESTABLISHED_V4", "callout:driver") + callout_("FLOW_ESTABLISHED_V4", answer='"block"'),
        ),
        (
            filter_("FLOW_ESTABLISHED_V4", "inspect:driver") + callout_("FLOW_ESTABLISHED_V4", answer='"continue"'),
            filter_(CONNECT, "block"),
        ),
    ),
    "callout-missing": (
        (
            filter_(CONNECT, "callout:driver") + callout_(CONNECT, registered="false"),
            filter_(CONNECT, "callout:driver", flags='["PERMIT_IF_CALLOUT_UNREGISTERED"]')
            + callout_(CONNECT, registered="false"),
        ),
        (filter_(CONNECT, "callout:driver") + callout_(CONNECT),),
    ),
    "callout-plan": (
        (
            filter_("FLOW_ESTABLISHED_V4", "callout:driver") + callout_("FLOW_ESTABLISHED_V4", plans='["pend"]'),
            filter_("BIND_REDIRECT_V4", "callout:driver") + callout_("BIND_REDIRECT_V4", plans='["absorb"]'),
            filter_("AUTH_CONNECT_V4", "callout:driver") + callout_("AUTH_CONNECT_V4", plans='["redirect"]'),
            filter_("CONNECT_REDIRECT_V4", "callout:driver")
            + callout_("CONNECT_REDIRECT_V4", answer='"redirect"', plans='["redirect_local"]'),
            filter_("CONNECT_REDIRECT_V4", "callout:driver") + callout_("CONNECT_REDIRECT_V4", plans='["clone"]'),
            filter_(CONNECT, "callout:driver") + callout_(CONNECT, plans='["fly"]'),
        ),
        (
            filter_(CONNECT, "callout:driver") + callout_(CONNECT, plans='["pend", "absorb", "block"]'),
            filter_("DATAGRAM_DATA_V4", "callout:driver") + callout_("DATAGRAM_DATA_V4", plans='["modify", "absorb"]'),
        ),
    ),
    "callout-need": (
        (
            filter_("DATAGRAM_DATA_V4", "callout:driver") + callout_("DATAGRAM_DATA_V4", needs='["process"]'),
            filter_("OUTBOUND_IPPACKET_V4", "callout:driver") + callout_("OUTBOUND_IPPACKET_V4", needs='["ports"]'),
            filter_("CONNECT_REDIRECT_V4", "callout:driver") + callout_("CONNECT_REDIRECT_V4", needs='["payload"]'),
            filter_(CONNECT, "callout:driver") + callout_(CONNECT, needs='["luck"]'),
        ),
        (filter_(CONNECT, "callout:driver") + callout_(CONNECT, needs='["process", "user", "ports"]'),),
    ),
    "reinject-without-check": (
        (
            filter_("OUTBOUND_TRANSPORT_V4", "callout:driver")
            + callout_("OUTBOUND_TRANSPORT_V4", plans='["clone"]', checks_injection="false"),
        ),
        (
            filter_("OUTBOUND_TRANSPORT_V4", "callout:driver") + callout_("OUTBOUND_TRANSPORT_V4", plans='["clone"]'),
            filter_("OUTBOUND_TRANSPORT_V4", "callout:driver")
            + callout_("OUTBOUND_TRANSPORT_V4", plans='["absorb"]', checks_injection="false"),
        ),
    ),
    "redirect-to-own-host": (
        (filter_("CONNECT_REDIRECT_V4", "callout:driver") + callout_("CONNECT_REDIRECT_V4", answer='"redirect"'),),
        (
            filter_("CONNECT_REDIRECT_V4", "callout:driver")
            + callout_("CONNECT_REDIRECT_V4", answer='"redirect"', plans='["redirect", "redirect_handle"]'),
        ),
    ),
    "bind-redirect-is-for-all-peers": (
        (filter_("BIND_REDIRECT_V4", "callout:driver") + callout_("BIND_REDIRECT_V4", answer='"redirect"'),),
        (filter_("BIND_REDIRECT_V4", "callout:driver") + callout_("BIND_REDIRECT_V4", answer='"permit"'),),
    ),
    "blocks-what-hosts-need": (
        (
            filter_(CONNECT, "block"),
            filter_(CONNECT, "block", when="{ remote_port = 53 }"),
            filter_("AUTH_RECV_ACCEPT_V6", "block"),
        ),
        (
            filter_(CONNECT, "block", when='{ flags_all = "IS_LOOPBACK" }'),
            filter_(CONNECT, "block", when='{ flags_none = "IS_LOOPBACK", remote_port = 53 }'),
            filter_(CONNECT, "block", when="{ remote_port = 443 }"),
        ),
    ),
}


@pytest.mark.parametrize("rule", EXAMPLES)
def test_a_rule_finds_its_examples_and_not_what_is_right(rule: str) -> None:
    wrong, right = EXAMPLES[rule]
    for text in wrong:
        found = [finding for finding in linted(text).findings if finding.rule == rule]
        assert found, text
        for finding in found:
            assert finding.what and finding.filters
            assert finding.severity in ("error", "warning", "hint")
    for text in right:
        assert not [f.what for f in linted(text).findings if f.rule == rule], text


def built(*filters: Filter, **more: Any) -> LintReport:
    return lint(Policy(filters, **more))


def test_what_a_policy_file_refuses_is_found_in_a_dump() -> None:
    layer = "FWPM_LAYER_DATAGRAM_DATA_V4"
    program = Condition(C + "ALE_APP_ID", "EQUAL", Value("BYTE_BLOB", APPS[0]))
    odd = Filter("{a}", "odd", layer, "S", "BLOCK", (program,), flags=("BOOTTIME", "PERSISTENT"))
    late = Filter("{b}", "late", layer, "S", "PERMIT", flags=("PERMIT_IF_CALLOUT_UNREGISTERED",))
    assert {f.rule for f in built(odd).findings} >= {"not-offered", "flags"}
    assert [f.rule for f in built(late).findings if f.rule == "flags"] == ["flags"]
    made = callout(random.Random(1), "{ca}", "FWPM_LAYER_ALE_AUTH_CONNECT_V4", certain=True)
    stray = Filter("{c}", "stray", layer, "S", "CALLOUT_TERMINATING", callout="{ca}")
    assert "callout-of-other-layer" in {f.rule for f in built(stray, callouts=(made,)).findings}
    lost = replace(stray, callout="{cb}")
    assert "callout-missing" in {f.rule for f in built(lost, callouts=(made,)).findings}


def test_windows_decides_about_alternatives_layers_and_redirect_handles() -> None:
    wide = EXAMPLES["alternatives-cover-all"][0][0]
    assert "alternatives-cover-all" not in {f.rule for f in linted(wide, windows="vista").findings}
    redirect = EXAMPLES["redirect-to-own-host"][0][0]
    assert "redirect-to-own-host" not in {f.rule for f in linted(redirect, windows="7").findings}
    assert "not-on-this-windows" in {f.rule for f in linted(redirect, windows="vista").findings}
    assert "not-on-this-windows" not in {f.rule for f in linted(redirect, windows="7").findings}


def test_every_rule_has_an_example_a_reason_and_sources_that_exist() -> None:
    shown_elsewhere = {"not-offered", "flags", "callout-of-other-layer", "not-on-this-windows"}
    assert set(EXAMPLES) | shown_elsewhere == set(RULES)
    for rule in RULES.values():
        assert rule.title and rule.why and rule.cite
        assert set(rule.cite) <= set(SOURCES)


def test_every_finding_cites_sources_that_exist() -> None:
    for wrong, _ in EXAMPLES.values():
        for text in wrong:
            for finding in linted(text).findings:
                assert set(finding.cite) <= set(SOURCES)


def test_microsofts_port_scan_recipe_as_the_sample_has_it_fails_for_ipv6_alone() -> None:
    recipe = "".join(
        filter_(f"INBOUND_TRANSPORT_V{ip}_DISCARD", "block", when='{ flags_none = "IS_LOOPBACK" }')
        + filter_(f"OUTBOUND_ICMP_ERROR_V{ip}", "block", when="{ icmp_type = 3 }")
        for ip in (4, 6)
    )
    rules = {f.rule: f for f in linted(recipe).findings}
    assert rules["icmp-type-of-other-version"].layer == "FWPM_LAYER_OUTBOUND_ICMP_ERROR_V6"
    assert rules["silent-drop-without-icmp"].layer == "FWPM_LAYER_INBOUND_TRANSPORT_V6_DISCARD"
    mended = recipe.replace('OUTBOUND_ICMP_ERROR_V6"', 'OUTBOUND_ICMP_ERROR_V6"#').replace("#", "")
    right = mended.rpartition("icmp_type = 3")
    assert not {"icmp-type-of-other-version", "silent-drop-without-icmp"} & {
        f.rule for f in linted(right[0] + "icmp_type = 1" + right[2]).findings
    }


def test_a_rule_or_windows_that_does_not_exist_is_told() -> None:
    with pytest.raises(UnknownName, match="no rule named 'shadow'"):
        lint(Policy(), rules=("shadow",))
    with pytest.raises(UnknownName, match="no Windows named '9'"):
        lint(Policy(), windows="9")


# ---- the command


def invoked(*words: str) -> Any:
    return CliRunner().invoke(cli, ["lint", *words], env={"COLUMNS": "100"})


def test_the_exit_status_is_1_for_errors_alone() -> None:
    assert invoked(str(CASES / "17-divert-loops.toml")).exit_code == 1
    assert invoked(str(CASES / "17-divert-checks.toml")).exit_code == 0
    warned = invoked(str(CASES / "13-redirect-to-local-proxy.toml"), "--format", "json")
    assert warned.exit_code == 0
    assert json.loads(warned.output)["counts"] == {"error": 0, "warning": 1, "hint": 0}


def test_text_and_json_tell_the_same_findings_in_ascii_and_100_columns() -> None:
    path = str(CASES / "26-lan-but-not-the-router.toml")
    text, data = invoked(path).output, json.loads(invoked(path, "--format", "json").output)
    assert text.isascii() and all(len(line) <= 100 for line in text.splitlines())
    assert data["by_rule"]["alternatives-cover-all"] == 1
    for finding in data["findings"]:
        assert f"[{finding['rule']}]" in " ".join(text.split())
    only = json.loads(invoked(path, "--format", "json", "--rule", "shadowed").output)
    assert {finding["rule"] for finding in only["findings"]} == {"shadowed"} and only["rules"] == ["shadowed"]


def test_names_of_other_languages_are_escaped() -> None:
    text = filter_(CONNECT, "block").replace('name = "block auto"', 'name = "Sperre für alle"')
    assert "Sperre f\\xfcr alle" in lint_text(linted(text))


def test_all_rules_are_listed_with_reason_and_source() -> None:
    listed = CliRunner().invoke(cli, ["lint", "--list-rules"]).output
    assert all(f"{rule.id} ({rule.severity})" in listed for rule in RULES.values())
    data = json.loads(CliRunner().invoke(cli, ["lint", "--list-rules", "--format", "json"]).output)
    assert [rule["id"] for rule in data["rules"]] == list(RULES)


# ---- the real files


@pytest.mark.skipif(not STATE.is_file(), reason="the evidence is not here")
def test_the_state_of_a_real_machine_has_few_findings_and_all_of_them_are_true() -> None:
    policy = read_policy(STATE)
    report = lint(policy)
    assert not report.undecided
    assert report.count("error") == 0
    # A permit of loopback with the greatest weight stands before blocks of loopback: the firewall's own filters.
    by_rule = {f.rule for f in report.findings if f.severity == "warning"}
    assert by_rule == {"shadowed", "tie"}
    for finding in report.findings:
        if finding.severity == "warning":
            assert {one.name for one in (*finding.filters, *finding.by)} == {"AppContainerLoopback"}
    for finding in report.findings:
        if finding.rule == "shadowed":
            heavier = min(effective_weight(one) for one in finding.by)
            assert all(effective_weight(one) < heavier for one in finding.filters)
            conditions = {groups_of(one) for one in finding.by}
            assert all(not groups or set(groups) <= set(groups_of(finding.filters[0])) for groups in conditions)


@pytest.mark.skipif(not STATE.is_file(), reason="the evidence is not here")
def test_a_real_filter_moved_below_what_covers_it_is_found() -> None:
    policy = read_policy(STATE)
    layer = "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4"
    here = [one for one in policy.filters if one.layer == layer and "BOOTTIME" not in one.flags]
    chosen = next(one for one in here if (one.action, one.sublayer) == ("PERMIT", "FWPM_SUBLAYER_MPSSVC_WF"))
    moved = tuple(replace(one, effective_weight=1) if one is chosen else one for one in here)
    assert chosen.key in {s.filter.key for s in shadows_of(replace(policy, filters=moved), layer)}
    assert chosen.key not in {s.filter.key for s in shadows_of(replace(policy, filters=tuple(here)), layer)}


def shadows_of(policy: Policy, layer: str) -> list[Shadow]:
    return LayerOrder(index_policy(policy), layer).shadows()


# ---- the page of the rules


def sections() -> dict[str, str]:
    """{rule: its section of the page}."""
    text = (TOP / "diagrams" / "pages" / "lint-rules.md").read_text(encoding="utf-8")
    return {part.partition("\n")[0]: part for part in text.split("\n## ")[1:]}


def test_the_page_has_every_rule_with_its_words_and_links() -> None:
    found = sections()
    assert list(found) == list(RULES)
    for rule in RULES.values():
        words = " ".join(found[rule.id].split())
        assert f"**{rule.title}** ({rule.severity}). {rule.why}. Source: " in words
        assert all(f"[{key}]({SOURCES[key].url})" in words for key in rule.cite)


def test_every_example_on_the_page_is_found_by_its_rule() -> None:
    for rule, section in sections().items():
        snippet = section.partition("```toml\n")[2].partition("```")[0]
        if not snippet:
            assert rule in ("not-offered", "flags", "callout-of-other-layer")
            continue
        windows = "vista" if rule == "not-on-this-windows" else "11"
        report = lint(read_policy(snippet.encode(), name="example.toml"), windows=windows)
        assert rule in {finding.rule for finding in report.findings}, rule


@pytest.mark.parametrize(
    ("layer", "how", "found"),
    [
        ("DATAGRAM_DATA_V4", {"plans": '["pend"]'}, ["callout-plan"]),
        ("OUTBOUND_TRANSPORT_V4", {"answer": '"pend"'}, ["callout-plan"]),
        ("INBOUND_TRANSPORT_V4", {"on_reauthorize": '"pend"'}, ["callout-plan"]),
        ("DATAGRAM_DATA_V4", {"plans": '["delay"]'}, []),
        ("AUTH_CONNECT_V4", {"answer": '"pend"', "on_reauthorize": '"permit"'}, []),
        ("AUTH_CONNECT_V4", {"answer": '"permit"', "on_reauthorize": '"pend"'}, ["callout-plan"]),
        ("BIND_REDIRECT_V4", {"answer": '"pend"'}, []),
    ],
)
def test_pending_is_refused_where_the_machine_takes_no_pend(layer: str, how: dict[str, str], found: list[str]) -> None:
    text = callout_(layer, **{"answer": '"permit"', **how}) + filter_(layer, "callout:driver")
    report = linted(text, rules=("callout-plan",))
    assert [f.rule for f in report.findings if f.severity == "error"] == found
    assert not found or "pends" in report.findings[0].what


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("unknown", "a verdict that is not known and may be another"),
        ("permit", "with another verdict"),
        ("block", "with the same verdict"),
    ],
)
def test_a_shadow_says_no_more_of_a_callout_than_is_declared(answer: str, said: str) -> None:
    text = callout_("AUTH_CONNECT_V4", answer=f'"{answer}"') + filter_("AUTH_CONNECT_V4", "callout:driver", weight=9)
    report = linted(text + filter_("AUTH_CONNECT_V4", "block", weight=5), rules=("shadowed",))
    assert [said in finding.what for finding in report.findings] == [True]
