"""Arbitration at one layer: a hand-worked table for each statement of the documents, and the open cases."""

# One statement of the documents a line: a table is read across.
# ruff: noqa: E501

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.errors import FsmError, UnknownName
from fsm.policy.arbitrate import arbitrate
from fsm.policy.arbitration import Arbitration
from fsm.policy.callouts import effects_of
from fsm.policy.in_force import index_policy
from fsm.policy.match import UNKNOWN, FieldValue, Program
from fsm.policy.model import Behaviour, Callout, Condition, Filter, Policy, Sublayer, Value, Weight

LAYER = "FWPM_LAYER_ALE_AUTH_CONNECT_V4"
PORT = "FWPM_CONDITION_IP_REMOTE_PORT"
APP = "FWPM_CONDITION_ALE_APP_ID"
VALUES: dict[str, FieldValue] = {PORT: 53, APP: UNKNOWN}
HEAVY, MIDDLE, LIGHT = "{heavy}", "{middle}", "{light}"
SUBLAYERS = (Sublayer(LIGHT, "light", 10), Sublayer(HEAVY, "heavy", 900), Sublayer(MIDDLE, "middle", 500))
TO_53 = (Condition(PORT, "EQUAL", Value("UINT16", 53)),)
TO_67 = (Condition(PORT, "EQUAL", Value("UINT16", 67)),)
BY_SOMEBODY = (Condition(APP, "EQUAL", Value("BYTE_BLOB", "a.exe\0".encode("utf-16-le"))),)


def permit(sublayer: str = MIDDLE, weight: int = 5, **more: object) -> Filter:
    return _one("PERMIT", sublayer, weight, **more)


def block(sublayer: str = MIDDLE, weight: int = 5, **more: object) -> Filter:
    return _one("BLOCK", sublayer, weight, **more)


def callout(answer: str, sublayer: str = MIDDLE, weight: int = 5, **more: object) -> tuple[Filter, Callout]:
    """A filter with a callout of its own that answers so; `action`, `registered`, `clears` as wanted."""
    key = f"{{callout {answer} {sublayer} {weight}}}"
    behaviour = Behaviour(answer, clears_write=bool(more.pop("clears", False)))
    registered = more.pop("registered", True)
    assert registered is None or isinstance(registered, bool)
    action = str(more.pop("action", "CALLOUT_UNKNOWN"))
    return _one(action, sublayer, weight, callout=key, **more), Callout(
        key, answer, LAYER, registered, behaviour=behaviour
    )


def _one(action: str, sublayer: str, weight: int, **more: object) -> Filter:
    name = f"{action.lower()} {sublayer} {weight}"
    conditions = more.pop("conditions", TO_53)
    return Filter(f"{{{name}}}", name, LAYER, sublayer, action, conditions, Weight("UINT64", weight), weight, **more)  # type: ignore[arg-type]


def asked(*parts: Filter | tuple[Filter, Callout], windows: str = "11", **more: object) -> Arbitration:
    filters = tuple(each if isinstance(each, Filter) else each[0] for each in parts)
    callouts = tuple(each[1] for each in parts if not isinstance(each, Filter))
    boot_time = bool(more.pop("boot_time", False))
    index = index_policy(Policy(filters, SUBLAYERS, callouts), windows, boot_time=boot_time)
    return arbitrate(index, LAYER, VALUES, **more)  # type: ignore[arg-type]


HARD = ("CLEAR_ACTION_RIGHT",)
# statement, filters, verdict, rights, who decided
TABLE: list[tuple[str, list[Filter | tuple[Filter, Callout]], str, str, str]] = [
    # 1: sublayers and filters by weight; the first permit or block ends the sublayer; continue goes on
    ("heavier filter first", [block(weight=1), permit(weight=2)], "permit", "soft", "permit {middle} 2"),
    ("order of the source does not matter", [permit(weight=2), block(weight=3)], "block", "hard", "block {middle} 3"),
    ("what does not match is passed over", [block(weight=9, conditions=TO_67), permit(weight=1)], "permit", "soft", "permit {middle} 1"),
    ("continue goes on to the next filter", [callout("continue", weight=9), block(weight=1)], "block", "hard", "block {middle} 1"),
    ("an inspection callout never decides", [callout("block", weight=9, action="CALLOUT_INSPECTION"), permit(weight=1)], "permit", "soft", "permit {middle} 1"),
    ("a decided sublayer asks no lighter filter", [permit(weight=9), callout("block", weight=1)], "permit", "soft", "permit {middle} 9"),
    # 3: filter permit soft, filter block hard, callout permit soft, callout block soft
    ("a lighter block overrides a soft permit", [permit(HEAVY), block(LIGHT)], "block", "hard", "block {light} 5"),
    ("a lighter permit does not override a hard block", [block(HEAVY), permit(LIGHT)], "block", "hard", "block {heavy} 5"),
    ("a lighter permit overrides the soft block of a callout", [callout("block", HEAVY), permit(LIGHT)], "permit", "soft", "permit {light} 5"),
    ("the hard block of a callout stays", [callout("block", HEAVY, clears=True), permit(LIGHT)], "block", "hard", "callout_unknown {heavy} 5"),
    ("a lighter block overrides the soft permit of a callout", [callout("permit", HEAVY), block(LIGHT)], "block", "hard", "block {light} 5"),
    ("soft over soft: the last", [callout("block", HEAVY), permit(MIDDLE), callout("block", LIGHT)], "block", "soft", "callout_unknown {light} 5"),
    # 4: veto, which only a callout can
    ("a callout vetoes a hard permit", [permit(HEAVY, flags=HARD), callout("block", LIGHT)], "veto", "hard", "callout_unknown {light} 5"),
    ("the block of a filter does not", [permit(HEAVY, flags=HARD), block(LIGHT)], "permit", "hard", "permit {heavy} 5"),
    ("a veto is final", [permit(HEAVY, flags=HARD), callout("block", MIDDLE), permit(LIGHT)], "veto", "hard", "callout_unknown {middle} 5"),
    ("no veto of a soft permit: it is a block", [permit(HEAVY), callout("block", LIGHT)], "block", "soft", "callout_unknown {light} 5"),
    ("no veto of a hard block", [block(HEAVY), callout("block", LIGHT)], "block", "hard", "block {heavy} 5"),
    # 5: the flag makes it hard
    ("CLEAR_ACTION_RIGHT makes a permit hard", [permit(flags=HARD)], "permit", "hard", "permit {middle} 5"),
    ("and the permit of a callout", [callout("permit", HEAVY, flags=HARD), block(LIGHT)], "permit", "hard", "callout_unknown {heavy} 5"),
    ("a heavier block still wins", [block(HEAVY), permit(LIGHT, flags=HARD)], "block", "hard", "block {heavy} 5"),
    # 7: no filter, or none that matches
    ("no filter at all", [], "permit", "", ""),
    ("none that matches", [block(conditions=TO_67)], "permit", "", ""),
    # 10: callouts that are not registered
    ("an unregistered callout blocks", [callout("permit", registered=False)], "block", "hard", "callout_unknown {middle} 5"),
    ("an unregistered terminating callout too", [callout("permit", registered=False, action="CALLOUT_TERMINATING")], "block", "hard", "callout_terminating {middle} 5"),
    ("an unregistered inspection callout too", [callout("continue", registered=False, action="CALLOUT_INSPECTION")], "block", "hard", "callout_inspection {middle} 5"),
    ("unless flagged to permit", [callout("block", registered=False, flags=("PERMIT_IF_CALLOUT_UNREGISTERED",))], "permit", "soft", "callout_unknown {middle} 5"),
    ("a flag that inspection callouts cannot have", [callout("continue", registered=False, action="CALLOUT_INSPECTION", flags=("PERMIT_IF_CALLOUT_UNREGISTERED",))], "block", "hard", "callout_inspection {middle} 5"),
    ("the flag says nothing of a registered one", [callout("block", flags=("PERMIT_IF_CALLOUT_UNREGISTERED",))], "block", "soft", "callout_unknown {middle} 5"),
    # 11: filters without sublayer are in UNIVERSAL, which is heavier than these three
    ("no sublayer: the default one", [block(HEAVY), callout("permit", "", 1, clears=True)], "permit", "hard", "callout_unknown  1"),
    # 14 and flags: what is not in force
    ("a boot-time filter is over", [block(flags=("BOOTTIME",))], "permit", "", ""),
    ("a persistent one is not", [block(flags=("PERSISTENT",))], "block", "hard", "block {middle} 5"),
    ("a disabled filter", [block(flags=("DISABLED",))], "permit", "", ""),
    # absorb, pend and redirect
    ("absorb", [callout("absorb", clears=True)], "absorb", "hard", "callout_unknown {middle} 5"),
    ("absorb may be soft", [callout("absorb", HEAVY), permit(LIGHT)], "permit", "soft", "permit {light} 5"),
    ("absorb after a hard block changes nothing", [block(HEAVY), callout("absorb", LIGHT)], "block", "hard", "block {heavy} 5"),
    ("pending takes the right away", [callout("pend", HEAVY), permit(LIGHT)], "pend", "hard", "callout_unknown {heavy} 5"),
    ("pending needs the right", [permit(HEAVY, flags=HARD), callout("pend", LIGHT)], "permit", "hard", "permit {heavy} 5"),
    ("redirect", [callout("redirect")], "redirect", "soft", "callout_unknown {middle} 5"),
    ("a lighter permit leaves a redirection", [callout("redirect", HEAVY), permit(LIGHT)], "redirect", "soft", "permit {light} 5"),
    ("a lighter block does not", [callout("redirect", HEAVY), block(LIGHT)], "block", "hard", "block {light} 5"),
    ("redirecting needs the right", [permit(HEAVY, flags=HARD), callout("redirect", LIGHT)], "permit", "hard", "permit {heavy} 5"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "filters", "verdict", "rights", "by"), TABLE, ids=[row[0] for row in TABLE])
@pytest.mark.parametrize("after_block", ["evaluate", "stop"])
def test_a_statement_of_the_documents_holds(
    statement: str,
    filters: list[Filter | tuple[Filter, Callout]],
    verdict: str,
    rights: str,
    by: str,
    after_block: str,
) -> None:
    found = asked(*filters, after_block=after_block)
    name = found.decided_by.name if found.decided_by else ""
    assert (found.verdict, found.rights, name) == (verdict, rights, by), statement
    assert found.questions == ()


def test_all_sublayers_are_asked_after_a_block_unless_the_other_side_of_the_dispute_is_taken() -> None:
    filters = (block(HEAVY), permit(MIDDLE), block(LIGHT, conditions=TO_67))
    every = asked(*filters)
    assert [(d.sublayer, d.action, d.overridden) for d in every.deciding] == [
        (HEAVY, "block", False),
        (MIDDLE, "permit", True),
    ]
    assert [over.sublayer for over in every.passed_over] == [LIGHT]
    first = asked(*filters, after_block="stop")
    assert [d.sublayer for d in first.deciding] == [HEAVY] and first.passed_over == ()


def test_a_soft_block_never_stops_the_evaluation() -> None:
    found = asked(callout("block", HEAVY), permit(LIGHT), after_block="stop")
    assert [d.sublayer for d in found.deciding] == [HEAVY, LIGHT]


def test_boot_time_filters_are_asked_alone_before_the_filter_engine_runs() -> None:
    filters = (block(flags=("BOOTTIME",)), permit(weight=9))
    assert asked(*filters, boot_time=True).verdict == "block"
    assert asked(*filters).verdict == "permit"
    index = index_policy(Policy(filters, SUBLAYERS))
    assert [(each.name, "boot-time" in why) for each, why in index.left_out] == [("block {middle} 5", True)]


def test_what_was_passed_over_says_which_condition_failed() -> None:
    found = asked(block(weight=9, conditions=TO_67), callout("continue", weight=8), permit(weight=1))
    failed, went_on = found.passed_over
    assert failed.filter.name == "block {middle} 9"
    assert [(test.condition.field, test.value) for test in failed.failed] == [(PORT, 53)]
    assert went_on.failed == () and went_on.what == "it matched, and went on"


# --- what is open


def test_an_open_condition_that_would_change_the_verdict_makes_it_unknown() -> None:
    found = asked(block(weight=9, conditions=BY_SOMEBODY), permit(weight=1))
    assert (found.verdict, found.rights, found.decided_by) == ("unknown", "", None)
    assert (found.verdicts, found.otherwise) == (("permit", "block"), "permit")
    (question,) = found.changing
    assert (question.layer, question.filter.name, question.field) == (LAYER, "block {middle} 9", APP)


def test_an_open_condition_that_changes_nothing_is_told_and_no_more() -> None:
    for open_one, sure in ((permit(weight=9, conditions=BY_SOMEBODY), permit(weight=1)), (
        permit(LIGHT, conditions=BY_SOMEBODY), block(HEAVY)),
    ):  # fmt: skip
        found = asked(open_one, sure)
        assert found.verdict == sure.action.lower()
        assert [q.filter for q in found.questions] == [open_one] and found.changing == ()


def test_who_decided_is_not_said_where_an_open_condition_decides_that() -> None:
    found = asked(permit(weight=9, conditions=BY_SOMEBODY), permit(weight=1))
    assert (found.verdict, found.decided_by) == ("permit", None)
    overridden = asked(permit(HEAVY, conditions=BY_SOMEBODY), block(LIGHT))
    assert overridden.decided_by is not None and overridden.decided_by.name == "block {light} 5"


def test_two_questions_that_only_together_change_the_verdict_are_both_told() -> None:
    filters = (
        permit(HEAVY, conditions=BY_SOMEBODY, flags=HARD),
        callout("block", MIDDLE, conditions=BY_SOMEBODY),
        permit(LIGHT),
    )
    found = asked(*filters)
    assert found.verdict == "unknown" and set(found.verdicts) == {"permit", "veto"}
    assert len(found.changing) == 2


@pytest.mark.parametrize(
    ("action", "verdicts"),
    [("CALLOUT_TERMINATING", {"permit", "block"}), ("CALLOUT_UNKNOWN", {"permit", "block"}), ("CALLOUT_INSPECTION", {"permit"})],
)  # fmt: skip
def test_a_callout_that_nobody_described_can_give_every_answer_of_its_kind(action: str, verdicts: set[str]) -> None:
    found = asked(callout("unknown", action=action))
    assert set(found.verdicts) == verdicts
    assert found.verdict == ("unknown" if len(verdicts) > 1 else "permit")
    assert asked(callout("unknown", action=action), undeclared="permit").verdict == "permit"


def test_a_callout_of_which_nobody_says_whether_it_is_registered_may_block() -> None:
    filter, known = callout("unknown", action="CALLOUT_INSPECTION", registered=None)
    assert set(asked((filter, known)).verdicts) == {"permit", "block"}
    missing = asked(filter)  # the policy does not list the callout at all
    assert missing.verdict == "unknown" and "not registered" in missing.changing[0].what
    described = replace(known, behaviour=Behaviour("continue"))
    assert asked((filter, described)).verdict == "permit"


def test_built_in_callouts_do_what_their_pages_say() -> None:
    drop = block(action_key := MIDDLE)
    for key, answers in (
        ("{eda08606-2494-4d78-89bc-67837c03b969}", {"block"}),
        ("FWPM_CALLOUT_WFP_TRANSPORT_LAYER_V6_SILENT_DROP", {"block"}),
        ("FWPM_CALLOUT_SET_OPTIONS_AUTH_CONNECT_LAYER_V4", {"continue"}),
    ):
        filter = replace(drop, action="CALLOUT_UNKNOWN", callout=key, sublayer=action_key)
        assert {effect.answer for effect in effects_of(filter, {})} == answers


def test_a_callout_pends_no_reauthorization_and_recognises_its_own_packet() -> None:
    pending = callout("pend")
    assert asked(pending).verdict == "pend"
    again = asked(pending, reauthorizes=True)
    assert again.verdict == "unknown" and set(again.verdicts) == {"permit", "block"}
    assert "on_reauthorize" in again.changing[0].what
    assert asked(pending, reauthorizes=True, undeclared="permit").verdict == "permit"
    assert asked(pending, reauthorizes=True, completes=True).verdict == "permit"
    declared = replace(pending[1], behaviour=replace(pending[1].behaviour, on_reauthorize="block"))
    assert asked((pending[0], declared), reauthorizes=True, completes=True).verdict == "block"
    assert asked(pending, own_packet=True).verdict == "permit"
    careless = replace(pending[1], behaviour=replace(pending[1].behaviour, checks_injection=False))
    assert asked((pending[0], careless), own_packet=True).verdict == "pend"
    changes = replace(pending[1], behaviour=Behaviour("permit", on_reauthorize="block"))
    assert asked((pending[0], changes)).verdict == "permit"
    assert asked((pending[0], changes), reauthorizes=True).verdict == "block"


def test_a_sublayer_of_unknown_weight_is_tried_at_every_place() -> None:
    lost = "{nobody said its weight}"
    same = asked(block(HEAVY), block(lost))
    assert same.verdict == "block"
    found = asked(callout("block", HEAVY), permit(lost, weight=1))
    assert found.verdict == "unknown" and set(found.verdicts) == {"permit", "block"}
    assert "weight of the sublayer" in found.changing[0].what


def test_a_filter_for_silent_mode_is_neither_in_force_nor_out_of_it() -> None:
    found = asked(block(flags=("SILENT_MODE",)))
    assert found.verdict == "unknown" and "silent mode" in found.changing[0].what
    assert asked(block(weight=9, flags=("SILENT_MODE",)), block(weight=1)).verdict == "block"


def test_equal_weights_keep_the_order_of_the_source() -> None:
    assert asked(permit(weight=5), block(weight=5)).verdict == "permit"
    assert asked(block(weight=5), permit(weight=5)).verdict == "block"


def test_automatic_weights_lie_below_the_ranges_that_were_asked_for() -> None:
    """EMPTY is in [0, 2**60), UINT8 n has n in the top four bits, UINT64 counts as given."""
    for heavier, lighter in (
        (Weight("UINT8", 1), Weight()),
        (Weight("UINT8", 15), Weight("UINT8", 14)),
        (Weight("UINT64", 2**60), Weight()),
        (Weight("UINT8", 2), Weight("UINT64", 2**61 - 1)),
    ):
        first = replace(block(), weight=heavier, effective_weight=None)
        second = replace(permit(), weight=lighter, effective_weight=None)
        assert asked(second, first).verdict == "block", (heavier, lighter)


def test_names_that_do_not_exist_are_refused() -> None:
    index = index_policy(Policy())
    with pytest.raises(FsmError):
        arbitrate(index, "FWPM_LAYER_NOT_THERE", {})
    with pytest.raises(UnknownName, match="arbitration_after_block"):
        arbitrate(index, LAYER, {}, after_block="never")


# --- what is open against every way in which it can be


PROGRAMS = ("a.exe", "b.exe", "c.exe")


def _wants(program: str, match: str) -> Condition:
    return Condition(APP, match, Value("BYTE_BLOB", f"{program}\0".encode("utf-16-le")))


@st.composite
def policies(draw: st.DrawFn) -> list[Filter | tuple[Filter, Callout]]:
    """Filters that ask for programs and ports in three sublayers, some with callouts."""
    filters: list[Filter | tuple[Filter, Callout]] = []
    for weight in range(1, draw(st.integers(1, 7)) + 1):
        sublayer = draw(st.sampled_from((HEAVY, MIDDLE, LIGHT)))
        program = st.builds(_wants, st.sampled_from(PROGRAMS), st.sampled_from(("EQUAL", "NOT_EQUAL")))
        conditions = (*draw(st.sampled_from(((), TO_53, TO_67))), *draw(st.lists(program, max_size=2)))
        flags = draw(st.sampled_from(((), HARD)))
        kind = draw(st.sampled_from(("PERMIT", "BLOCK", "callout")))
        if kind == "callout":
            answer = draw(st.sampled_from(("permit", "block", "continue", "unknown")))
            clears = draw(st.booleans())
            filters.append(callout(answer, sublayer, weight, conditions=conditions, flags=flags, clears=clears))
        else:
            filters.append(_one(kind, sublayer, weight, conditions=conditions, flags=flags))
    return filters


@settings(max_examples=120, deadline=None)
@given(policies())
def test_whatever_an_open_question_turns_out_to_be_its_verdict_was_named(
    filters: list[Filter | tuple[Filter, Callout]],
) -> None:
    undecided = asked(*filters)
    for program in (*(Program(name) for name in PROGRAMS), "other"):
        for answer in ("permit", "block", "continue"):
            known = [
                each
                if isinstance(each, Filter) or each[1].behaviour.answer != "unknown"
                else (each[0], replace(each[1], behaviour=Behaviour(answer)))
                for each in filters
            ]
            index = index_policy(
                Policy(
                    tuple(each if isinstance(each, Filter) else each[0] for each in known),
                    SUBLAYERS,
                    tuple(each[1] for each in known if not isinstance(each, Filter)),
                )
            )
            found = arbitrate(index, LAYER, {PORT: 53, APP: program})
            assert found.verdict in undecided.verdicts
            assert undecided.verdict in ("unknown", found.verdict)
            if undecided.decided_by is not None:
                assert found.decided_by is not None and found.decided_by.key == undecided.decided_by.key
