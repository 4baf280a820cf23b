"""Which filters are in force, and in which order they are asked: by hand."""

from __future__ import annotations

import pytest

from fsm.policy.in_force import index_policy
from fsm.policy.model import Condition, Filter, Policy, Sublayer, Value, Weight

LAYER = "FWPM_LAYER_ALE_AUTH_CONNECT_V4"
OTHER_LAYER = "FWPM_LAYER_DATAGRAM_DATA_V4"
PORT = "FWPM_CONDITION_IP_REMOTE_PORT"
OURS, LISTED = "{ours}", Sublayer("{listed}", "Listed", 65535)
TO = tuple(Condition(PORT, "EQUAL", Value("UINT16", port)) for port in (53, 67))


def one(
    name: str, weight: int | None = None, *, sublayer: str = OURS, layer: str = LAYER, range_of: int | None = None,
    conditions: tuple[Condition, ...] = (), flags: tuple[str, ...] = (),
) -> Filter:  # fmt: skip
    """A filter of a 64-bit weight, else of a range of weights, else of an automatic one."""
    asked = Weight("UINT64", weight) if weight is not None else Weight()
    if range_of is not None:
        asked = Weight("UINT8", range_of)
    return Filter(f"{{{name}}}", name, layer, sublayer, "BLOCK", conditions, weight=asked, flags=flags)


def test_a_filter_that_is_not_in_force_says_why_and_the_next_is_taken_all_the_same() -> None:
    disabled, boot, plain = one("a", 3, flags=("DISABLED",)), one("b", 2, flags=("BOOTTIME",)), one("c", 1)
    policy = Policy((disabled, boot, plain))
    running = index_policy(policy)
    assert running.policy is policy and running.windows == "11"
    assert [ready.filter for sublayer in running.at(LAYER) for ready in sublayer.filters] == [plain]
    assert running.left_out == (
        (disabled, "it is disabled"),
        (boot, "a boot-time filter, in force only until the Base Filtering Engine runs"),
    )
    booting = index_policy(policy, boot_time=True)
    assert [ready.filter for sublayer in booting.at(LAYER) for ready in sublayer.filters] == [boot]
    assert booting.left_out == (
        (disabled, "it is disabled"),
        (plain, "not a boot-time filter: the Base Filtering Engine does not run yet"),
    )


def test_the_heaviest_is_first_and_a_sublayer_is_named_as_the_policy_names_it() -> None:
    filters = (one("light", 1), one("heavy", 9), one("top", 1, sublayer=LISTED.key), one("there", 1, layer=OTHER_LAYER))
    index = index_policy(Policy(filters, (LISTED,)))
    found = [(s.key, s.name, s.weight, [ready.filter.name for ready in s.filters]) for s in index.at(LAYER)]
    # Nobody has said what {ours} weighs: it may be above everything.
    assert found == [(OURS, OURS, None, ["heavy", "light"]), (LISTED.key, "Listed", 65535, ["top"])]
    assert [s.name for s in index.at(OTHER_LAYER)] == [OURS] and index.at("FWPM_LAYER_STREAM_V4") == ()


@pytest.mark.parametrize(
    ("filters", "rivals"),
    [
        ((one("a", 2), one("b", 1)), False),
        ((one("a", 1), one("b", 1)), True),  # one weight: either may be asked first
        ((one("a", 1), one("b", 1), one("c", 0)), True),
        ((one("a", 3), one("b", 2), one("c", 2)), True),
        ((one("a"),), False),
        ((one("a"), one("b")), True),  # automatic: nobody has documented their order
        ((one("a", range_of=7), one("b", range_of=6)), False),  # ranges do not overlap
        ((one("a", range_of=7), one("b", range_of=7)), True),
        ((one("a", 1 << 60), one("b")), False),
        ((one("a", (1 << 60) - 1), one("b")), True),
        # The heaviest by our rule may be the lightest of all: it is a rival of the last, over the one between.
        ((one("a", conditions=TO[:1]), one("b", 1000), one("c", 5)), True),
    ],
)
def test_rivals_are_filters_that_may_be_asked_in_another_order(filters: tuple[Filter, ...], rivals: bool) -> None:
    (sublayer,) = index_policy(Policy(filters)).at(LAYER)
    assert sublayer.rivals is rivals


def test_each_filter_has_the_range_of_its_possible_weights() -> None:
    (sublayer,) = index_policy(Policy((one("a", 70), one("b", range_of=0), one("c", range_of=3)))).at(LAYER)
    ranges = {ready.filter.name: (ready.lightest, ready.heaviest) for ready in sublayer.filters}
    assert ranges == {"a": (70, 70), "b": (0, (1 << 60) - 1), "c": (3 << 60, (4 << 60) - 1)}


def test_conditions_of_one_field_are_grouped_as_the_windows_version_does() -> None:
    policy = Policy((one("a", 1, conditions=TO),))
    groups = {w: index_policy(policy, w).at(LAYER)[0].filters[0].groups for w in ("vista-sp1", "11")}
    assert groups == {"vista-sp1": ((PORT, TO[:1]), (PORT, TO[1:])), "11": ((PORT, TO),)}
