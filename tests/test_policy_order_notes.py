"""What arbitration tells beside the verdict: orders that nobody has documented, what a permit rests on, open questions.

By hand; filters and sublayers as in `test_policy_arbitrate`.
"""

# One statement a line: a table is read across.
# ruff: noqa: E501

from __future__ import annotations

from dataclasses import replace

import pytest
from test_policy_arbitrate import (
    APP,
    BY_SOMEBODY,
    HARD,
    HEAVY,
    LAYER,
    LIGHT,
    MIDDLE,
    SUBLAYERS,
    TO_53,
    TO_67,
    VALUES,
    asked,
    block,
    callout,
    permit,
)

from fsm.errors import UnknownName
from fsm.policy.arbitrate import ONLY, arbitrate
from fsm.policy.arbitration import Arbitration, Deciding, OpenQuestion, OrderNote, PassedOver
from fsm.policy.in_force import index_policy
from fsm.policy.match import UNKNOWN
from fsm.policy.match import Test as Compared
from fsm.policy.model import Callout, Condition, Filter, Policy, Sublayer, Value, Weight

Part = Filter | tuple[Filter, Callout]
BY_ANOTHER = (Condition(APP, "EQUAL", Value("BYTE_BLOB", "b.exe\0".encode("utf-16-le"))),)
ONE_WEIGHT = "both have one weight"
AUTOMATIC = "how automatic weights come about is not documented"


def filter_of(part: Part) -> Filter:
    return part if isinstance(part, Filter) else part[0]


def automatic(part: Filter) -> Filter:
    """The same filter with an automatic weight: by our rule far above small 64-bit weights, as it has a condition."""
    return replace(part, weight=Weight(), effective_weight=None)


def named(part: Filter, name: str) -> Filter:
    return replace(part, name=name, key=f"{{{name}}}")


# ---- filters of one sublayer


NOTED: list[tuple[str, list[Part], tuple[int, int, str, str] | None]] = [
    # what, filters as given, (first, other, why, the other verdict)
    ("one weight", [permit(), block()], (0, 1, ONE_WEIGHT, "block")),
    ("the other order", [block(), permit()], (0, 1, ONE_WEIGHT, "permit")),
    ("two permits", [permit(), callout("permit")], None),
    ("another weight", [permit(weight=6), block(weight=5)], None),
    ("automatic weights", [automatic(permit()), automatic(block())], (0, 1, ONE_WEIGHT, "block")),
    ("automatic against given", [automatic(permit()), block(weight=5)], (0, 1, AUTOMATIC, "block")),
    ("a range above automatic", [replace(permit(), weight=Weight("UINT8", 1), effective_weight=None), automatic(block())], None),
    # Rivals elsewhere in the sublayer are none of the two that matter.
    ("lighter than the one that decides", [permit(), named(permit(conditions=TO_67), "twin"), block(weight=3)], None),
    ("what does not match is passed over", [permit(), block(conditions=TO_67), named(block(), "next")], (0, 2, ONE_WEIGHT, "block")),
    ("what only may match as well", [permit(), block(flags=("SILENT_MODE",)), named(block(), "next")], (0, 2, ONE_WEIGHT, "block")),
    ("what goes on as well", [permit(), callout("continue"), block()], (0, 2, ONE_WEIGHT, "block")),
    ("one like the first is passed over", [permit(), named(permit(), "twin"), block()], (0, 2, ONE_WEIGHT, "block")),
    # A callout that permits stands above the block for certain, whichever place the automatic one has.
    ("another permit is above it", [automatic(permit()), callout("permit", weight=1000), block(weight=500)], None),
    ("another permit is below it", [automatic(permit()), block(weight=1000), callout("permit", weight=500)], (0, 1, AUTOMATIC, "block")),
    ("and one of the same weight", [automatic(permit()), callout("permit", weight=500), block(weight=500)], (0, 2, AUTOMATIC, "block")),
]  # fmt: skip


@pytest.mark.parametrize(("filters", "noted"), [row[1:] for row in NOTED], ids=[row[0] for row in NOTED])
def test_an_order_that_nobody_has_documented_is_noted_where_it_changes_the_verdict(
    filters: list[Part], noted: tuple[int, int, str, str] | None
) -> None:
    found = asked(*filters).order_notes
    if noted is None:
        assert found == ()
    else:
        first, other, why, verdict = noted
        assert found == (OrderNote(LAYER, filter_of(filters[first]), filter_of(filters[other]), why, verdict),)


def test_an_order_in_one_sublayer_is_weighed_with_what_the_others_answer() -> None:
    assert asked(permit(MIDDLE), block(MIDDLE), block(LIGHT)).order_notes == ()  # blocked below all the same
    other = callout("block", MIDDLE, clears=True)
    (note,) = asked(permit(HEAVY), permit(MIDDLE), other).order_notes
    assert (note.first, note.other, note.verdict) == (permit(MIDDLE), other[0], "block")


# ---- sublayers of one weight


TWIN = Sublayer("{twin}", "twin", 500)


def with_twin(*parts: Part) -> Arbitration:
    callouts = tuple(part[1] for part in parts if not isinstance(part, Filter))
    return arbitrate(index_policy(Policy(tuple(map(filter_of, parts)), (*SUBLAYERS, TWIN), callouts)), LAYER, VALUES)


def test_sublayers_of_one_weight_are_noted_where_their_order_changes_the_verdict() -> None:
    soft, allowed = callout("block", MIDDLE), permit(TWIN.key)
    found = with_twin(soft, allowed)
    assert found.verdict == "permit"
    assert found.order_notes == (OrderNote(LAYER, soft[0], allowed, "their sublayers have one weight", "block"),)
    assert with_twin(block(MIDDLE), allowed).order_notes == ()  # a hard block wins from either place
    assert with_twin(soft, permit(LIGHT)).order_notes == ()  # another weight
    assert with_twin(soft, permit(TWIN.key, conditions=TO_67)).order_notes == ()  # it answers nothing
    # Between the two nothing is moved, and all others stay where they are.
    assert with_twin(permit(HEAVY, flags=HARD), soft, allowed).order_notes != found.order_notes


# ---- what a permit rests on


TELLING: list[tuple[str, list[Part], list[int]]] = [
    ("a permit over a block", [permit(weight=9), block(weight=1)], [0]),
    ("a permit over nothing", [permit()], []),
    ("a permit over a permit", [permit(weight=9), permit(weight=1)], []),
    ("a hard permit above a block", [permit(HEAVY, flags=HARD), block(LIGHT)], [0]),
    ("a permit below a soft block", [callout("block", HEAVY), permit(LIGHT)], [1]),
    ("two of which each is needed", [permit(HEAVY, weight=9), block(HEAVY, weight=1), permit(LIGHT, weight=9), block(LIGHT, weight=1)], [0, 2]),
    ("a block rests on nothing", [block(weight=9), permit(weight=1)], []),
    ("the block below must match", [permit(weight=9), block(weight=1, conditions=TO_67)], []),
    ("an inspection below is none", [permit(weight=9), callout("block", weight=5, action="CALLOUT_INSPECTION"), block(weight=1)], [0]),
]  # fmt: skip


@pytest.mark.parametrize(("filters", "telling"), [row[1:] for row in TELLING], ids=[row[0] for row in TELLING])
def test_the_filters_that_a_permit_rests_on_are_named_the_heaviest_first(
    filters: list[Part], telling: list[int]
) -> None:
    assert asked(*filters).telling == tuple(filter_of(filters[at]) for at in telling)


# ---- open questions, whole


def test_a_callout_that_nobody_described_is_one_question_and_passes_softly_by_default() -> None:
    unknown = callout("unknown", HEAVY, action="CALLOUT_TERMINATING")
    alone = asked(unknown)
    question = OpenQuestion(LAYER, unknown[0], "", None, "what its callout answers is not declared")
    assert (alone.otherwise, set(alone.questions)) == ("permit", {question})
    assert alone.passed_over == ()
    # A soft permit, which the block below overrides; a hard one or a block of it would change nothing or all.
    assert asked(unknown, block(LIGHT)).otherwise == "block"
    assert asked(unknown, callout("block", LIGHT)).otherwise == "block"


def test_what_may_match_is_passed_over_with_its_question() -> None:
    silent, somebody = block(weight=9, flags=("SILENT_MODE",)), block(weight=8, conditions=BY_SOMEBODY)
    found = asked(silent, somebody, permit(weight=1))
    assert found.questions == (
        OpenQuestion(LAYER, silent, "", None, ONLY["SILENT_MODE"]),
        OpenQuestion(LAYER, somebody, APP, Compared(BY_SOMEBODY[0], UNKNOWN)),
    )
    may = "it may match: what it depends on is open"
    assert found.passed_over == (PassedOver(MIDDLE, silent, (), may), PassedOver(MIDDLE, somebody, (), may))


def test_only_the_questions_that_change_the_verdict_are_said_to() -> None:
    harmless, harmful = permit(weight=9, conditions=BY_SOMEBODY), block(weight=8, conditions=BY_ANOTHER)
    found = asked(harmless, harmful, permit(weight=1))
    assert [q.filter for q in found.questions] == [harmless, harmful]
    assert [q.filter for q in found.changing] == [harmful]
    either = asked(block(weight=9, conditions=BY_SOMEBODY), harmful, permit(weight=1))
    assert [q.filter.name for q in either.changing] == ["block {middle} 9", "block {middle} 8"]


def test_sublayers_whose_weight_nobody_said_are_all_asked_and_all_named() -> None:
    one, two = "{one}", "{two}"
    assert asked(permit(one), block(two)).verdict == "block"
    assert asked(block(one), permit(two)).verdict == "block"
    found = asked(callout("block", one), permit(two), permit(HEAVY, weight=1))
    assert found.verdict == "unknown"
    assert [q.what for q in found.changing] == [f"the weight of the sublayer {key} is not known" for key in (one, two)]


# ---- what each sublayer returned


@pytest.mark.parametrize(
    ("filters", "verdict", "returned"),
    [
        ([callout("redirect", HEAVY), permit(LIGHT)], "redirect", [("redirect", False), ("permit", False)]),
        ([callout("redirect", HEAVY), block(LIGHT)], "block", [("redirect", True), ("block", False)]),
        ([permit(HEAVY), callout("redirect", LIGHT)], "redirect", [("permit", False), ("redirect", False)]),
        ([permit(HEAVY, flags=HARD), callout("absorb", LIGHT)], "veto", [("permit", True), ("absorb", False)]),
        ([permit(HEAVY, flags=HARD), callout("block", LIGHT)], "veto", [("permit", True), ("block", False)]),
        ([permit(HEAVY, flags=HARD), callout("redirect", LIGHT)], "permit", [("permit", False), ("redirect", False)]),
        ([callout("absorb", HEAVY), permit(LIGHT)], "permit", [("absorb", True), ("permit", False)]),
        ([block(HEAVY), permit(LIGHT, conditions=TO_53)], "block", [("block", False), ("permit", True)]),
    ],
)
def test_what_is_overridden_is_what_the_verdict_is_not(
    filters: list[Part], verdict: str, returned: list[tuple[str, bool]]
) -> None:
    found = asked(*filters)
    assert (found.verdict, [(d.action, d.overridden) for d in found.deciding]) == (verdict, returned)


def test_what_each_sublayer_returned_is_told_whole() -> None:
    hard, soft = permit(HEAVY, flags=HARD), callout("block", LIGHT)
    found = asked(hard, soft)
    assert found.layer == LAYER
    assert found.deciding == (
        Deciding(HEAVY, hard, "permit", True, True, "heavy"),
        Deciding(LIGHT, soft[0], "block", False, False, "light"),
    )


def test_possible_verdicts_are_told_from_the_mildest_to_the_hardest() -> None:
    filters = (
        permit(HEAVY, conditions=BY_SOMEBODY, flags=HARD),
        callout("block", MIDDLE, conditions=BY_ANOTHER, clears=True),
        permit(LIGHT),
    )
    assert asked(*filters).verdicts == ("permit", "veto", "block")


def test_a_callout_that_nobody_described_keeps_to_what_its_layer_takes() -> None:
    layer = "FWPM_LAYER_ALE_FLOW_ESTABLISHED_V4"
    filter, known = callout("unknown", action="CALLOUT_TERMINATING")
    here = (replace(filter, layer=layer), known)
    index = index_policy(Policy((here[0],), SUBLAYERS, (known,)))
    assert arbitrate(index, layer, VALUES).verdicts == ("permit",)
    assert set(asked((filter, known)).verdicts) == {"permit", "block"}


def test_an_option_that_does_not_exist_is_one_line() -> None:
    with pytest.raises(UnknownName) as caught:
        arbitrate(index_policy(Policy()), LAYER, {}, after_block="stopp")
    assert str(caught.value) == ("arbitrate: no option of arbitration_after_block named 'stopp'. Did you mean 'stop'?")


def test_two_sublayers_whose_weight_nobody_said_are_a_question_and_not_a_note() -> None:
    soft, allowed = callout("block", "{one}"), permit("{two}")
    assert asked(soft, allowed).order_notes == ()


def test_every_pair_of_one_weight_is_noted() -> None:
    upper = [permit(HEAVY), block(HEAVY)]
    lower = [permit(MIDDLE), named(block(MIDDLE), "below")]
    noted = [(note.first, note.other) for note in asked(*upper, *lower).order_notes]
    assert noted == [(upper[0], upper[1]), (lower[0], lower[1])]
