"""The oracle against answers worked out by hand: every item of facts b.1 to b.3 and every row of b.4 as an example.

The tables here were written from the documents with a pencil; nothing is computed. An expected outcome reads
`permit soft`, `permit hard`, `block soft`, `block hard`, with `veto`, `absorb`, `pend` or `redirect` behind it.
"""

from __future__ import annotations

import random

import pytest
from filter_oracle import (
    CONSEQUENCES,
    EMPTY,
    Outcome,
    all_of,
    any_of,
    condition_holds,
    every_play,
    filter_matches,
    full_name,
    outcomes,
    walk,
)
from hypothesis import given, settings
from policy_worlds import APPS, LAYERS, World, world, worlds

from fsm.policy.model import (
    ACTIONS,
    MATCH_TYPES,
    Behaviour,
    Callout,
    Condition,
    Filter,
    Policy,
    Sublayer,
    Value,
    Weight,
)

CONNECT = "FWPM_LAYER_ALE_AUTH_CONNECT_V4"
PORT = "FWPM_CONDITION_IP_REMOTE_PORT"
REMOTE = "FWPM_CONDITION_IP_REMOTE_ADDRESS"
FLAGS = "FWPM_CONDITION_FLAGS"
USER = "FWPM_CONDITION_ALE_USER_ID"
TO_DNS = Condition(PORT, "EQUAL", Value("UINT16", 53))
TO_WEB = Condition(PORT, "EQUAL", Value("UINT16", 443))
SOME_USER = Condition(USER, "EQUAL", Value("SECURITY_DESCRIPTOR", "O:LSD:(A;;CC;;;WD)"))
DNS = {PORT: 53, FLAGS: 0, REMOTE: 0x08080808}

# Sublayers by weight: A is asked first. Callouts by what they say, capital letters where they clear the write right.
SUBLAYERS = tuple(Sublayer(key, key, weight) for key, weight in (("A", 300), ("B", 200), ("C", 100)))
CALLOUTS = (
    *(
        Callout(said, said, CONNECT, registered=True, behaviour=Behaviour(said))
        for said in ("permit", "block", "continue", "absorb", "pend", "redirect", "unknown")
    ),
    *(
        Callout(said.upper(), said, CONNECT, registered=True, behaviour=Behaviour(said, clears_write=True))
        for said in ("permit", "block", "absorb", "pend")
    ),
    Callout("gone", "gone", CONNECT, registered=False, behaviour=Behaviour("permit")),
    Callout("maybe", "maybe", CONNECT, registered=None),
    Callout("described", "described", CONNECT, registered=None, behaviour=Behaviour("permit")),
    Callout("stricter", "stricter", CONNECT, registered=True, behaviour=Behaviour("permit", on_reauthorize="block")),
    Callout("weaker", "weaker", CONNECT, registered=True, behaviour=Behaviour("block", True, on_reauthorize="permit")),
)
WORDS = {
    "permit": ("PERMIT", "", ()),
    "block": ("BLOCK", "", ()),
    "continue": ("CONTINUE", "", ()),
    "permit!": ("PERMIT", "", ("CLEAR_ACTION_RIGHT",)),
    "block!": ("BLOCK", "", ("CLEAR_ACTION_RIGHT",)),
}


def filters_of(text: str, *, layer: str = CONNECT) -> tuple[Filter, ...]:
    """`A: permit block | B: call PERMIT`: sublayers, and in each its filters, heaviest first.

    call, may and see are the three callout actions; `!` behind the callout is CLEAR_ACTION_RIGHT, `?` is
    PERMIT_IF_CALLOUT_UNREGISTERED, and `dns`, `web`, `user` before the word is a condition.
    """
    made: list[Filter] = []
    for part in text.split("|"):
        sublayer, _, rest = part.strip().partition(":")
        words = rest.split()
        conditions: list[Condition] = []
        flags: tuple[str, ...] = ()
        while words:
            word = words.pop(0)
            if word in ("dns", "web", "user"):
                conditions.append({"dns": TO_DNS, "web": TO_WEB, "user": SOME_USER}[word])
                continue
            if word in ("disabled", "boottime"):
                flags = (*flags, word.upper())
                continue
            if word in ("call", "may", "see"):
                action = {"call": "CALLOUT_TERMINATING", "may": "CALLOUT_UNKNOWN", "see": "CALLOUT_INSPECTION"}[word]
                name = words.pop(0)
                flags += ("CLEAR_ACTION_RIGHT",) if "!" in name else ()
                flags += ("PERMIT_IF_CALLOUT_UNREGISTERED",) if "?" in name else ()
                called = name.strip("!?")
            else:
                action, called, more = WORDS[word]
                flags += more
            made.append(
                Filter(
                    key=f"{sublayer}{len(made)}",
                    name=word,
                    layer=layer,
                    sublayer=sublayer,
                    action=action,
                    conditions=tuple(conditions),
                    weight=Weight("UINT64", 100 - len(made)),
                    flags=flags,
                    callout=called,
                )
            )
            conditions, flags = [], ()
    return tuple(made)


def policy_of(text: str) -> Policy:
    return Policy(filters=filters_of(text) if text else (), sublayers=SUBLAYERS, callouts=CALLOUTS)


def said(outcome: Outcome) -> str:
    words = [outcome.action, "soft" if outcome.write else "hard"]
    words += ["veto"] if outcome.veto else []
    words += [outcome.effect] if outcome.effect else []
    words += ["redirect"] if outcome.redirected else []
    return " ".join(words)


WORKED = [
    # b.2.7: no matching filter at all
    ("", "permit soft"),
    ("A: web block", "permit soft"),
    # b.2.1: heaviest first; the first that permits or blocks decides its sublayer; Continue passes on
    ("A: permit block", "permit soft"),
    ("A: block permit", "block hard"),
    ("A: continue block", "block hard"),
    ("A: continue", "permit soft"),
    ("A: web block dns permit block", "permit soft"),
    ("A: may continue permit block", "permit soft"),
    ("A: may continue block", "block hard"),
    # b.2.3: the four defaults
    ("A: permit", "permit soft"),
    ("A: block", "block hard"),
    ("A: call permit", "permit soft"),
    ("A: call block", "block soft"),
    # b.2.3: a callout that clears the right
    ("A: call PERMIT", "permit hard"),
    ("A: call BLOCK", "block hard"),
    # b.2.5: the flag makes a filter's action hard
    ("A: permit!", "permit hard"),
    ("A: block!", "block hard"),
    ("A: call permit!", "permit hard"),
    ("A: call block!", "block hard"),
    # b.2.3: soft permit may be changed by lighter sublayers, in every way
    ("A: permit | B: block", "block hard"),
    ("A: permit | B: call block", "block soft"),
    ("A: permit | B: permit!", "permit hard"),
    ("A: permit | B: permit | C: block", "block hard"),
    ("A: call permit | B: block", "block hard"),
    # b.2.3: soft block may be changed, too
    ("A: call block | B: permit", "permit soft"),
    ("A: call block | B: permit!", "permit hard"),
    ("A: call block | B: call permit", "permit soft"),
    ("A: call block | B: block", "block hard"),
    ("A: call block | B: permit | C: block", "block hard"),
    ("A: call block | B: continue", "block soft"),
    # b.2.3: hard block yields to nothing
    ("A: block | B: permit", "block hard"),
    ("A: block | B: permit!", "block hard"),
    ("A: block | B: call PERMIT", "block hard"),
    ("A: call BLOCK | B: call PERMIT", "block hard"),
    # b.2.3, b.2.4: hard permit yields only to a veto, which is a callout's
    ("A: permit! | B: block", "permit hard"),
    ("A: permit! | B: block!", "permit hard"),
    ("A: permit! | B: call block", "block hard veto"),
    ("A: permit! | B: call BLOCK", "block hard veto"),
    ("A: call PERMIT | B: call block", "block hard veto"),
    ("A: permit! | B: permit | C: block", "permit hard"),
    ("A: permit! | B: block | C: call block", "block hard veto"),
    ("A: permit! | B: call block | C: permit!", "block hard veto"),
    # ... and a block of a soft permit is none
    ("A: permit | B: call BLOCK", "block hard"),
    ("A: permit | B: permit! | C: call block", "block hard veto"),
    # b.2.1: a lighter filter of the same sublayer is skipped: no override, no veto inside a sublayer
    ("A: permit! call block", "permit hard"),
    ("A: permit call BLOCK", "permit soft"),
    # b.2.10: not registered: as block; with the flag, permit
    ("A: call gone", "block hard"),
    ("A: may gone", "block hard"),
    ("A: call gone?", "permit soft"),
    ("A: may gone?", "permit soft"),
    ("A: call gone!?", "permit hard"),
    ("A: call gone? | B: block", "block hard"),
    ("A: call gone | B: permit!", "block hard"),
    # ... and a filter that acts as block is no callout that vetoes
    ("A: permit! | B: call gone", "permit hard"),
    # ... the flag is not allowed for inspection, so it acts as block
    ("A: see gone", "block hard"),
    ("A: see gone?", "block hard"),
    # b.1: CALLOUT_INSPECTION is a non-terminating action: whatever the callout would say
    ("A: see permit", "permit soft"),
    ("A: see block", "permit soft"),
    ("A: see BLOCK block", "block hard"),
    ("A: permit! | B: see BLOCK", "permit hard"),
    # b.3: absorb is a block with a flag: soft or hard as any callout's block, changed by a lighter permit
    ("A: call absorb", "block soft absorb"),
    ("A: call ABSORB", "block hard absorb"),
    ("A: call absorb | B: permit", "permit soft"),
    ("A: call absorb | B: block", "block hard"),
    ("A: block | B: call absorb", "block hard"),
    ("A: permit | B: call ABSORB", "block hard absorb"),
    # a.12.1: pend is block and absorb; a.21.5: it takes the right to write, and clears it
    ("A: call PEND", "block hard pend"),
    ("A: call pend", "block hard pend"),
    ("A: call pend | B: permit", "block hard pend"),
    ("A: permit | B: call pend | C: permit!", "block hard pend"),
    ("A: permit! | B: call PEND", "permit hard"),
    ("A: permit! | B: call pend call block", "permit hard"),
    ("A: permit! | B: call pend | C: call block", "block hard veto"),
    ("A: block | B: call pend", "block hard"),
    # a.22: redirect is a permit that changed the destination
    ("A: call redirect", "permit soft redirect"),
    ("A: call redirect | B: permit", "permit soft redirect"),
    ("A: call redirect | B: block", "block hard"),
    # b.2/flags: a disabled filter is not in force; b.2.14: nor is a boot-time filter once the engine runs
    ("A: disabled block", "permit soft"),
    ("A: boottime block", "permit soft"),
    ("A: boottime block dns permit!", "permit hard"),
]


@pytest.mark.parametrize(("text", "expected"), WORKED, ids=[text or "nothing" for text, _ in WORKED])
def test_arbitration_worked_by_hand(text: str, expected: str) -> None:
    assert {said(outcome) for outcome in outcomes(policy_of(text), CONNECT, DNS)} == {expected}


def test_every_action_occurs_in_the_worked_table() -> None:
    used = {each.action for text, _ in WORKED if text for each in filters_of(text)}
    assert used == set(ACTIONS)


OPEN = [
    # A callout nobody described: terminating ends in permit or block, each soft or hard
    ("A: call unknown", {"permit soft", "permit hard", "block soft", "block hard"}),
    ("A: may unknown", {"permit soft", "permit hard", "block soft", "block hard"}),
    ("A: see unknown", {"permit soft"}),
    # ... a heavier hard block makes it not matter
    ("A: block | B: call unknown", {"block hard"}),
    # ... a lighter filter of its sublayer is reached only where it may continue
    ("A: call unknown block", {"permit soft", "permit hard", "block soft", "block hard"}),
    ("A: permit! | B: call unknown", {"permit hard", "block hard veto"}),
    # whether it is registered is not said either
    ("A: see maybe", {"permit soft", "block hard"}),
    ("A: see maybe | B: see maybe", {"permit soft", "block hard"}),
    # ... but who declares an answer means a callout that answers
    ("A: call described", {"permit soft"}),
    # a condition that nobody can evaluate is neither true nor false
    ("A: user block", {"permit soft", "block hard"}),
    ("A: user block | B: block", {"block hard"}),
    ("A: user permit permit", {"permit soft"}),
    ("A: user web block", {"permit soft"}),
]


@pytest.mark.parametrize(("text", "expected"), OPEN, ids=[text for text, _ in OPEN])
def test_what_nobody_knows_leaves_every_outcome_that_it_can_make(text: str, expected: set[str]) -> None:
    assert {said(outcome) for outcome in outcomes(policy_of(text), CONNECT, DNS)} == expected


def test_a_reauthorization_asks_the_callout_again() -> None:
    assert {said(o) for o in outcomes(policy_of("A: call stricter"), CONNECT, DNS)} == {"permit soft"}
    assert {said(o) for o in outcomes(policy_of("A: call stricter"), CONNECT, DNS, reauthorize=True)} == {"block soft"}
    assert {said(o) for o in outcomes(policy_of("A: call weaker"), CONNECT, DNS)} == {"block hard"}
    assert {said(o) for o in outcomes(policy_of("A: call weaker"), CONNECT, DNS, reauthorize=True)} == {"permit hard"}


def test_a_pend_at_a_reauthorization_is_impossible_and_what_comes_instead_is_open() -> None:
    found = {said(o) for o in outcomes(policy_of("A: call pend"), CONNECT, DNS, reauthorize=True)}
    assert found == {"permit soft", "block soft"}


def test_boot_time_filters_hold_until_the_engine_runs_and_no_others_do() -> None:
    both = policy_of("A: boottime block | B: permit!")
    assert {said(o) for o in outcomes(both, CONNECT, DNS)} == {"permit hard"}
    assert {said(o) for o in outcomes(both, CONNECT, DNS, booting=True)} == {"block hard"}


def test_every_sublayer_is_asked_after_a_block_unless_the_other_reading_is_chosen() -> None:
    policy = policy_of("A: block | B: permit | C: dns block")
    (asked,) = outcomes(policy, CONNECT, DNS)
    (stopped,) = outcomes(policy, CONNECT, DNS, after_block="stop")
    assert asked.deciding == (("A", "A0", "block"), ("B", "B1", "permit"), ("C", "C2", "block"))
    assert stopped.deciding == (("A", "A0", "block"),)
    assert said(asked) == said(stopped) == "block hard"


def test_a_soft_block_stops_nothing_under_either_reading() -> None:
    (outcome,) = outcomes(policy_of("A: call block | B: permit"), CONNECT, DNS, after_block="stop")
    assert said(outcome) == "permit soft"


def test_a_filter_of_another_layer_says_nothing_here() -> None:
    policy = Policy(filters=filters_of("A: block", layer="FWPM_LAYER_ALE_AUTH_CONNECT_V6"), sublayers=SUBLAYERS)
    assert {said(o) for o in outcomes(policy, CONNECT, DNS)} == {"permit soft"}


# b.2.8, b.2.11, b.2.13: (weight of the block, weight of the permit) in one sublayer, who wins
WEIGHTS = [
    (Weight("UINT64", 5), Weight("UINT64", 4), {"block"}),
    (Weight("UINT64", 4), Weight("UINT64", 5), {"permit"}),
    (Weight("UINT64", 5), Weight("UINT64", 5), {"block", "permit"}),  # nobody says who comes first
    (Weight("UINT8", 1), Weight("EMPTY"), {"block"}),  # range 1 lies above [0, 2^60)
    (Weight("UINT8", 0), Weight("EMPTY"), {"block", "permit"}),  # the same range
    (Weight("UINT8", 15), Weight("UINT64", 2**63), {"block"}),
    (Weight("UINT8", 3), Weight("UINT64", 4 * 2**60), {"permit"}),
    (Weight("UINT8", 12), Weight("UINT64", 12 * 2**60 + 1), {"block", "permit"}),
    (Weight("UINT64", 2**60), Weight("EMPTY"), {"block"}),
    (Weight("UINT64", 2**60 - 1), Weight("EMPTY"), {"block", "permit"}),
]


@pytest.mark.parametrize(("of_block", "of_permit", "expected"), WEIGHTS)
def test_weights_of_the_three_forms(of_block: Weight, of_permit: Weight, expected: set[str]) -> None:
    filters = (
        Filter("b", "b", CONNECT, "A", "BLOCK", weight=of_block),
        Filter("p", "p", CONNECT, "A", "PERMIT", weight=of_permit),
    )
    assert {o.action for o in outcomes(Policy(filters, SUBLAYERS), CONNECT, DNS)} == expected


def test_the_effective_weight_is_the_one_that_counts() -> None:
    # The observed stealth filter: 13835058055315718144 is range 12 with a tail (b.2.8).
    assert 12 * 2**60 <= 13835058055315718144 < 13 * 2**60
    filters = (
        Filter("b", "b", CONNECT, "A", "BLOCK", weight=Weight("UINT8", 12), effective_weight=13835058055315718144),
        Filter("p", "p", CONNECT, "A", "PERMIT", weight=Weight("UINT64", 12 * 2**60)),
    )
    assert {o.action for o in outcomes(Policy(filters, SUBLAYERS), CONNECT, DNS)} == {"block"}


def test_a_filter_without_sublayer_is_in_the_universal_one_and_weights_of_built_in_sublayers_are_known() -> None:
    teredo = Filter("t", "t", CONNECT, "FWPM_SUBLAYER_TEREDO", "PERMIT", flags=("CLEAR_ACTION_RIGHT",))
    universal = Filter("u", "u", CONNECT, "", "BLOCK")
    (outcome,) = outcomes(Policy((teredo, universal)), CONNECT, DNS)
    assert [(sublayer, key) for sublayer, key, _ in outcome.deciding] == [
        ("FWPM_SUBLAYER_UNIVERSAL", "u"),
        ("FWPM_SUBLAYER_TEREDO", "t"),
    ]
    assert said(outcome) == "block hard"


def test_two_sublayers_of_one_weight_come_in_either_order() -> None:
    filters = (
        Filter("p", "p", CONNECT, "one", "PERMIT", flags=("CLEAR_ACTION_RIGHT",)),
        Filter("b", "b", CONNECT, "two", "BLOCK"),
    )
    policy = Policy(filters, (Sublayer("one", "one", 7), Sublayer("two", "two", 7)))
    assert {said(o) for o in outcomes(policy, CONNECT, DNS)} == {"permit hard", "block hard"}


def U8(n: int) -> Value:
    return Value("UINT8", n)


def U16(n: int) -> Value:
    return Value("UINT16", n)


def U32(n: int) -> Value:
    return Value("UINT32", n)


IN_10_8 = Value("V4_ADDR_MASK", (0x0A000000, 0xFF000000))
FE80 = 0xFE80 << 112
MATCHES = [  # the match, the condition's value, the field's value, does it hold
    ("EQUAL", U16(53), 53, True),
    ("EQUAL", U16(53), 54, False),
    ("NOT_EQUAL", U16(53), 53, False),
    ("NOT_EQUAL", U16(53), 54, True),
    ("GREATER", U16(53), 53, False),
    ("GREATER", U16(53), 54, True),
    ("LESS", U16(53), 53, False),
    ("LESS", U16(53), 52, True),
    ("GREATER_OR_EQUAL", U16(53), 53, True),
    ("GREATER_OR_EQUAL", U16(53), 52, False),
    ("LESS_OR_EQUAL", U16(53), 53, True),
    ("LESS_OR_EQUAL", U16(53), 54, False),
    ("RANGE", Value("RANGE", (U16(50), U16(60))), 50, True),
    ("RANGE", Value("RANGE", (U16(50), U16(60))), 60, True),
    ("RANGE", Value("RANGE", (U16(50), U16(60))), 61, False),
    ("RANGE", Value("RANGE", (U16(60), U16(50))), 55, False),
    ("RANGE", Value("RANGE", (U32(0x0A000000), U32(0x0A0000FF))), 0x0A000007, True),
    ("RANGE", Value("RANGE", (Value("BYTE_ARRAY16", FE80), Value("BYTE_ARRAY16", FE80 + 9))), FE80 + 9, True),
    ("EQUAL", IN_10_8, 0x0A010203, True),
    ("EQUAL", IN_10_8, 0x0B010203, False),
    ("EQUAL", Value("V4_ADDR_MASK", (0x0A010203, 0xFF000000)), 0x0AFFFFFF, True),  # host bits do not count
    ("EQUAL", Value("V4_ADDR_MASK", (0x0A010203, 0)), 0x7F000001, True),
    ("NOT_EQUAL", IN_10_8, 0x0B010203, True),
    ("EQUAL", Value("V6_ADDR_MASK", (FE80, 10)), FE80 + 1, True),
    ("EQUAL", Value("V6_ADDR_MASK", (FE80, 10)), 0xFF02 << 112, False),
    ("EQUAL", Value("V6_ADDR_MASK", (FE80, 0)), 1, True),
    ("EQUAL", Value("V6_ADDR_MASK", (FE80, 128)), FE80, True),
    ("EQUAL", Value("V6_ADDR_MASK", (FE80, 128)), FE80 + 1, False),
    ("EQUAL", Value("BYTE_ARRAY16", FE80), FE80, True),
    ("EQUAL", Value("BYTE_BLOB", APPS[0]), APPS[0], True),
    ("EQUAL", Value("BYTE_BLOB", APPS[0]), APPS[1], False),
    ("EQUAL", Value("UINT64", 2**40), 2**40, True),
    ("EQUAL", Value("INT8", -1), -1, True),
    ("LESS", Value("INT16", -1), -2, True),
    ("GREATER", Value("INT32", -1), 0, True),
    ("GREATER_OR_EQUAL", Value("INT64", -(2**40)), -(2**40), True),
    ("EQUAL", Value("BYTE_ARRAY6", 0x001122334455), 0x001122334455, True),
    ("EQUAL", Value("SID", "S-1-5-18"), "S-1-5-18", True),
    ("EQUAL", Value("SID", "S-1-5-18"), "S-1-5-19", False),
    ("EQUAL", Value("SECURITY_DESCRIPTOR", "D:(A;;CC;;;WD)"), "S-1-5-18", None),
    ("EQUAL", Value("BITMAP_INDEX", "7"), 7, None),
    ("FLAGS_ALL_SET", U32(0x5), 0x5, True),
    ("FLAGS_ALL_SET", U32(0x5), 0x7, True),
    ("FLAGS_ALL_SET", U32(0x5), 0x4, False),
    ("FLAGS_ANY_SET", U32(0x5), 0x4, True),
    ("FLAGS_ANY_SET", U32(0x5), 0x2, False),
    ("FLAGS_NONE_SET", U32(0x5), 0x2, True),
    ("FLAGS_NONE_SET", U32(0x5), 0x4, False),
    ("FLAGS_NONE_SET", U32(0x3), 0, True),
    ("FLAGS_ALL_SET", U32(0), 0x4, True),
    ("FLAGS_ANY_SET", U32(0), 0x4, False),
    ("EQUAL_CASE_INSENSITIVE", Value("UNICODE_STRING", "Dns.EXE"), "dns.exe", True),
    ("EQUAL_CASE_INSENSITIVE", Value("UNICODE_STRING", "Dns.EXE"), "vpn.exe", False),
    ("EQUAL", Value("UNICODE_STRING", "Dns.EXE"), "dns.exe", False),
    # the misleading name: both look at the end
    ("PREFIX", Value("UNICODE_STRING", ".exe"), "dns.exe", True),
    ("PREFIX", Value("UNICODE_STRING", "dns"), "dns.exe", False),
    ("NOT_PREFIX", Value("UNICODE_STRING", ".exe"), "dns.exe", False),
    ("NOT_PREFIX", Value("UNICODE_STRING", "dns"), "dns.exe", True),
    # b.2.9: FWP_EMPTY matches EQUAL, whatever the value; of the others nothing is said
    ("EQUAL", U8(17), EMPTY, True),
    ("EQUAL", IN_10_8, EMPTY, True),
    ("RANGE", Value("RANGE", (U16(50), U16(60))), EMPTY, None),
    ("FLAGS_NONE_SET", U32(1), EMPTY, None),
]


@pytest.mark.parametrize(("match", "wanted", "field_value", "holds"), MATCHES)
def test_one_condition_worked_by_hand(match: str, wanted: Value, field_value: object, holds: bool | None) -> None:
    assert condition_holds(Condition(PORT, match, wanted), {PORT: field_value}) is holds
    assert condition_holds(Condition(PORT, match, wanted), {}) is None


def test_every_documented_match_type_occurs_in_the_worked_table() -> None:
    assert {match for match, _, _, _ in MATCHES} == set(MATCH_TYPES)


LOOPBACK = Condition(FLAGS, "FLAGS_ALL_SET", Value("UINT32", 1))
LOCAL = "FWPM_CONDITION_IP_LOCAL_PORT"
LOCAL_53 = Condition(LOCAL, "EQUAL", Value("UINT16", 53))
ICMP_TYPE = Condition("FWPM_CONDITION_ICMP_TYPE", "EQUAL", Value("UINT16", 3))
GROUPS = [  # conditions, the field values, does the filter match: consecutive, anywhere, before Windows 7
    ((), {}, True, True, True),
    ((TO_DNS, LOOPBACK), {PORT: 53, FLAGS: 1}, True, True, True),
    ((TO_DNS, LOOPBACK), {PORT: 53, FLAGS: 0}, False, False, False),
    ((TO_DNS, TO_WEB), {PORT: 53}, True, True, False),
    ((TO_DNS, TO_WEB), {PORT: 80}, False, False, False),
    ((TO_DNS, TO_WEB, LOOPBACK), {PORT: 443, FLAGS: 1}, True, True, False),
    # not consecutive: one reading asks for both ports at once, which nothing has
    ((TO_DNS, LOOPBACK, TO_WEB), {PORT: 443, FLAGS: 1}, False, True, False),
    # one field under two names is one field
    ((ICMP_TYPE, LOCAL_53), {LOCAL: 3}, True, True, False),
    ((LOCAL_53, ICMP_TYPE), {LOCAL: 4}, False, False, False),
    # what is unknown decides only where it has to
    ((SOME_USER, TO_DNS), {PORT: 80}, False, False, False),
    ((SOME_USER, TO_DNS), {PORT: 53}, None, None, None),
    ((SOME_USER, SOME_USER), {}, None, None, None),
    ((TO_DNS, TO_WEB), {}, None, None, None),
    ((TO_DNS, LOOPBACK), {FLAGS: 1}, None, None, None),
]


@pytest.mark.parametrize(("conditions", "values", "consecutive", "anywhere", "vista"), GROUPS)
def test_fields_are_anded_and_one_field_is_ored(
    conditions: tuple[Condition, ...],
    values: dict[str, object],
    consecutive: bool | None,
    anywhere: bool | None,
    vista: bool | None,
) -> None:
    each = Filter("f", "f", CONNECT, "A", "BLOCK", conditions)
    assert filter_matches(each, values, same_field="consecutive") is consecutive
    assert filter_matches(each, values, same_field="anywhere") is anywhere
    assert filter_matches(each, values, windows_7=False) is vista


# Each row of b.4: the path on which the layer is, the layers visited, where the datagram ends.
ROWS = [
    ("bind", "ALE_BIND_REDIRECT", "ALE_BIND_REDIRECT"),
    ("bind", "ALE_RESOURCE_ASSIGNMENT", "ALE_BIND_REDIRECT ALE_RESOURCE_ASSIGNMENT ALE_RESOURCE_ASSIGNMENT_DISCARD"),
    ("first_send", "ALE_CONNECT_REDIRECT", "ALE_CONNECT_REDIRECT"),
    ("first_send", "ALE_AUTH_CONNECT", "ALE_CONNECT_REDIRECT ALE_AUTH_CONNECT ALE_AUTH_CONNECT_DISCARD"),
    ("next_send", "DATAGRAM_DATA", "DATAGRAM_DATA DATAGRAM_DATA_DISCARD"),
    ("next_receive", "DATAGRAM_DATA", "INBOUND_IPPACKET INBOUND_TRANSPORT DATAGRAM_DATA DATAGRAM_DATA_DISCARD"),
    ("next_send", "OUTBOUND_TRANSPORT", "DATAGRAM_DATA OUTBOUND_TRANSPORT OUTBOUND_TRANSPORT_DISCARD"),
    (
        "next_send",
        "OUTBOUND_IPPACKET",
        "DATAGRAM_DATA OUTBOUND_TRANSPORT OUTBOUND_IPPACKET OUTBOUND_IPPACKET_DISCARD",
    ),
    ("first_receive", "INBOUND_IPPACKET", "INBOUND_IPPACKET INBOUND_IPPACKET_DISCARD"),
    ("first_receive", "INBOUND_TRANSPORT", "INBOUND_IPPACKET INBOUND_TRANSPORT INBOUND_TRANSPORT_DISCARD"),
    (
        "first_receive",
        "ALE_AUTH_RECV_ACCEPT",
        "INBOUND_IPPACKET INBOUND_TRANSPORT ALE_AUTH_RECV_ACCEPT ALE_AUTH_RECV_ACCEPT_DISCARD",
    ),
    ("icmp_error_received", "INBOUND_ICMP_ERROR", "INBOUND_IPPACKET INBOUND_ICMP_ERROR INBOUND_ICMP_ERROR_DISCARD"),
    (
        "no_listener",
        "OUTBOUND_ICMP_ERROR",
        "INBOUND_IPPACKET INBOUND_TRANSPORT_DISCARD OUTBOUND_ICMP_ERROR OUTBOUND_ICMP_ERROR_DISCARD",
    ),
    ("no_listener_as_documented", "INBOUND_IPPACKET_DISCARD", "INBOUND_IPPACKET INBOUND_IPPACKET_DISCARD"),
    (
        "no_listener",
        "INBOUND_TRANSPORT_DISCARD",
        "INBOUND_IPPACKET INBOUND_TRANSPORT_DISCARD OUTBOUND_ICMP_ERROR OUTBOUND_TRANSPORT OUTBOUND_IPPACKET",
    ),
]


@pytest.mark.parametrize("ip", [4, 6])
@pytest.mark.parametrize(("path", "blocked", "visited"), ROWS, ids=[f"{path}-{layer}" for path, layer, _ in ROWS])
def test_a_block_at_each_layer_worked_by_hand(path: str, blocked: str, visited: str, ip: int) -> None:
    policy = Policy(filters_of("A: block", layer=full_name(blocked, ip)), SUBLAYERS)
    ((visits, blocked_at),) = walk(policy, path, DNS, ip=ip)
    assert [layer for layer, _ in visits] == [full_name(layer, ip) for layer in visited.split()]
    assert [layer for layer, verdict in visits if verdict == "block"] == [full_name(blocked, ip)]
    # The silent drop without listener is no end for UDP: the ICMP error goes out.
    assert blocked_at == (None if blocked == "INBOUND_TRANSPORT_DISCARD" else full_name(blocked, ip))


def test_every_row_of_the_consequences_has_its_example() -> None:
    assert {layer for _, layer, _ in ROWS} == set(CONSEQUENCES)


def test_an_absorbed_datagram_leaves_no_discard_layer() -> None:
    policy = Policy(filters_of("A: call ABSORB"), SUBLAYERS, CALLOUTS)
    ((visits, blocked_at),) = walk(policy, "first_send", DNS)
    assert visits[-1] == (CONNECT, "block") and blocked_at == CONNECT


def test_a_permit_at_one_layer_says_nothing_about_the_next() -> None:
    hard = filters_of("A: permit!")
    below = filters_of("C: block", layer="FWPM_LAYER_OUTBOUND_TRANSPORT_V4")
    ((_, blocked_at),) = walk(Policy(hard + below, SUBLAYERS), "first_send", DNS)
    assert blocked_at == "FWPM_LAYER_OUTBOUND_TRANSPORT_V4"


def test_one_packet_makes_one_classification_at_each_layer() -> None:
    ((visits, blocked_at),) = walk(Policy(), "first_send", DNS)
    assert len({layer for layer, _ in visits}) == len(visits) == 6 and blocked_at is None


@pytest.mark.parametrize(
    ("truths", "conjunction", "disjunction"),
    [
        ([], True, False),
        ([True, None], None, True),
        ([False, None], False, None),
        ([True, False], False, True),
        ([None], None, None),
    ],
)
def test_truth_has_three_values(truths: list[bool | None], conjunction: bool | None, disjunction: bool | None) -> None:
    assert all_of(truths) is conjunction
    assert any_of(truths) is disjunction


def test_every_combination_of_choices_is_played_once() -> None:
    assert sorted(every_play(lambda choose: choose("ab") + choose("xyz"))) == ["ax", "ay", "az", "bx", "by", "bz"]
    assert sorted(every_play(lambda choose: choose("ab") if choose([True, False]) else "-")) == ["-", "a", "b"]


def test_generated_worlds_cover_what_they_promise() -> None:
    rng = random.Random(6)
    made = [world(rng) for _ in range(1500)]
    conditions = [c for w in made for f in w.policy.filters for c in f.conditions]
    assert {c.match for c in conditions} == set(MATCH_TYPES) - {"EQUAL_CASE_INSENSITIVE", "PREFIX", "NOT_PREFIX"}
    assert {f.action for w in made for f in w.policy.filters} == set(ACTIONS)
    assert {w.layer for w in made} == set(LAYERS)
    assert {flag for w in made for f in w.policy.filters for flag in f.flags} >= {"DISABLED", "BOOTTIME"}
    assert any(value is EMPTY for w in made for value in w.values.values())
    results = [outcomes(w.policy, w.layer, w.values, reauthorize=w.reauthorize) for w in made[:300]]
    assert {o.action for found in results for o in found} == {"permit", "block"}
    assert any(o.veto for found in results for o in found)
    assert any(len(found) > 1 for found in results) and any(len(found) == 1 for found in results)


@settings(max_examples=60, deadline=None)
@given(worlds(certain=True))
def test_where_everything_is_known_there_is_one_outcome(made: World) -> None:
    assert len(outcomes(made.policy, made.layer, made.values, reauthorize=made.reauthorize)) == 1
