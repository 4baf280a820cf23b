"""The engine against the oracle: the same verdicts on tens of thousands of generated policies and datagrams.

Three kinds of worlds: where everything is known the two agree on verdict, rights and the deciding filter of every
sublayer; where conditions and callouts are open they agree on the set of possible verdicts; where even the order is
open (equal weights, automatic weights) the engine decides by a rule of its own, and may say only what is possible.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import filter_oracle as oracle
import pytest
from hypothesis import given, settings
from policy_worlds import LAYERS, World, world, worlds
from policy_worlds import policy as random_policy
from test_filter_oracle import (
    CONNECT,
    DNS,
    GROUPS,
    MATCHES,
    OPEN,
    PORT,
    ROWS,
    SUBLAYERS,
    WORKED,
    filters_of,
    policy_of,
)

from fsm.choices import Config
from fsm.policy.arbitrate import arbitrate
from fsm.policy.arbitration import Arbitration
from fsm.policy.fields import offered
from fsm.policy.in_force import index_policy
from fsm.policy.match import EMPTY, UNKNOWN, FieldValue, evaluate, matches
from fsm.policy.model import Condition, Filter, Policy, Value
from fsm.policy.whatif import Whatif, whatif

EVERYDAY = 1_500
SWEEP = 12_000  # for each seed of each slow test


def field_value(value: object) -> FieldValue:
    return EMPTY if value is oracle.EMPTY else value  # type: ignore[return-value]


def engine(made: World, policy: Policy | None = None, **more: object) -> Arbitration:
    index_words = {key: more.pop(key) for key in ("windows", "boot_time") if key in more}
    values = {field: field_value(made.values.get(field, UNKNOWN)) for field in offered(made.layer)}
    index = index_policy(policy or made.policy, **index_words)  # type: ignore[arg-type]
    return arbitrate(index, made.layer, values, reauthorizes=made.reauthorize, **more)  # type: ignore[arg-type]


def expected(made: World, **more: object) -> set[oracle.Outcome]:
    return oracle.outcomes(
        made.policy,
        made.layer,
        made.values,
        reauthorize=made.reauthorize,
        same_field="consecutive",
        **more,  # type: ignore[arg-type]
    )


def verdict(outcome: oracle.Outcome) -> str:
    """The outcome in the words of a verdict."""
    if outcome.veto:
        return "veto"
    if outcome.action == "block":
        return outcome.effect or "block"
    return "redirect" if outcome.redirected else "permit"


def told(made: World) -> str:
    """A world that a person can read, for the message of a failure."""
    lines = [f"{made.layer}, reauthorize={made.reauthorize}, {made.values}"]
    weights = {sublayer.key: sublayer.weight for sublayer in made.policy.sublayers}
    for each in made.policy.filters:
        callouts = [c for c in made.policy.callouts if c.key == each.callout]
        truth = oracle.filter_matches(each, made.values, same_field="consecutive")
        weight = each.effective_weight if each.effective_weight is not None else each.weight
        lines.append(
            f"sublayer {weights[each.sublayer]}, filter {weight}: {each.action} {each.flags}, matches: {truth}"
        )
        lines += [f"    {c.registered=} {c.behaviour}" for c in callouts]
    lines += [f"possible: {verdict(o)} {'soft' if o.write else 'hard'} {o.deciding}" for o in expected(made)]
    found = engine(made)
    lines.append(f"the engine: {found.verdict} {found.rights} of {found.verdicts}")
    lines += [f"    {each.filter.name}: {each.action}" for each in found.deciding]
    return "\n".join(lines)


def agrees_where_all_is_known(made: World, **more: object) -> bool:
    (outcome,) = expected(made)
    found = engine(made, **more)
    return (
        found.verdict == verdict(outcome)
        and found.verdicts == (found.verdict,)
        and (found.rights != "hard") == outcome.write
        and [(each.sublayer, each.filter.key) for each in found.deciding] == [each[:2] for each in outcome.deciding]
    )


def agrees_on_what_is_possible(made: World) -> bool:
    # The engine takes open questions one by one: it does not use that a callout that is registered for one filter is
    # registered for all. It may keep a verdict that this excludes, never lose one.
    possible = {verdict(outcome) for outcome in expected(made)}
    one_by_one = {verdict(outcome) for outcome in expected(made, apart=True)}
    found = engine(made)
    known = found.verdict == (min(one_by_one) if len(one_by_one) == 1 else "unknown")
    return possible <= one_by_one == set(found.verdicts) and known


def says_nothing_impossible(made: World) -> bool:
    possible = {verdict(outcome) for outcome in expected(made)}
    found = engine(made)
    return set(found.verdicts) <= possible and found.verdict in {*found.verdicts, "unknown"}


KINDS: dict[str, tuple[dict[str, bool], Callable[[World], bool]]] = {
    "all is known": ({"certain": True}, agrees_where_all_is_known),
    "conditions and callouts are open": ({"ordered": True}, agrees_on_what_is_possible),
    "conditions stand apart": ({"ordered": True, "scattered": True}, agrees_on_what_is_possible),
    "the order is open": ({}, says_nothing_impossible),
}


def sweep(kind: str, seed: int, count: int) -> None:
    words, agrees = KINDS[kind]
    rng = random.Random(f"{kind} {seed}")
    for number in range(count):
        made = world(rng, **words)
        assert agrees(made), f"{kind}, seed {seed}, world {number}\n{told(made)}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_engine_agrees_with_the_oracle(kind: str) -> None:
    sweep(kind, 0, EVERYDAY)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("kind", KINDS)
def test_the_engine_agrees_with_the_oracle_on_a_long_sweep(kind: str, seed: int) -> None:
    sweep(kind, seed, SWEEP)


@settings(max_examples=150, deadline=None)
@given(worlds(certain=True))
def test_the_smallest_disagreement_where_all_is_known(made: World) -> None:
    assert agrees_where_all_is_known(made), told(made)


@settings(max_examples=150, deadline=None)
@given(worlds(ordered=True))
def test_the_smallest_disagreement_where_something_is_open(made: World) -> None:
    assert agrees_on_what_is_possible(made), told(made)


@pytest.mark.parametrize(("text", "by_hand"), WORKED, ids=[text or "nothing" for text, _ in WORKED])
def test_the_engine_gives_the_answers_worked_by_hand(text: str, by_hand: str) -> None:
    found = engine(World(policy_of(text), CONNECT, DNS))
    action, rights, *more = by_hand.split()
    assert found.verdict == ("veto" if "veto" in more else more[0] if more else action)
    assert (found.rights or "soft") == rights


@pytest.mark.parametrize(("text", "by_hand"), OPEN, ids=[text for text, _ in OPEN])
def test_the_engine_leaves_open_what_is_open_by_hand(text: str, by_hand: set[str]) -> None:
    found = engine(World(policy_of(text), CONNECT, DNS))
    assert set(found.verdicts) == {"veto" if "veto" in each else each.split()[0] for each in by_hand}


# A security descriptor is read against a token, which the oracle has not: that reader has its own tests.
COMPARED = [row for row in MATCHES if row[1].type != "SECURITY_DESCRIPTOR"]


@pytest.mark.parametrize(("match", "wanted", "value", "holds"), COMPARED)
def test_the_engine_compares_one_value_as_by_hand(match: str, wanted: Value, value: object, holds: bool | None) -> None:
    assert evaluate(Condition(PORT, match, wanted), field_value(value)) is holds
    assert evaluate(Condition(PORT, match, wanted), UNKNOWN) is None


@pytest.mark.parametrize(("conditions", "values", "consecutive", "anywhere", "vista"), GROUPS)
def test_the_engine_joins_conditions_as_by_hand(
    conditions: tuple[Condition, ...],
    values: dict[str, object],
    consecutive: bool | None,
    anywhere: bool | None,
    vista: bool | None,
) -> None:
    each = Filter("f", "f", CONNECT, "A", "BLOCK", conditions)
    known = {field: field_value(values.get(field, UNKNOWN)) for field in offered(CONNECT)}
    assert matches(each, known).answer is consecutive
    assert matches(each, known, "vista").answer is vista


def test_before_windows_7_one_field_is_anded_in_the_engine_too() -> None:
    rng, differing = random.Random(7), 0
    for _ in range(EVERYDAY):
        made = world(rng, certain=True)
        (vista,) = expected(made, windows_7=False)
        (later,) = expected(made)
        assert engine(made, windows="vista").verdict == verdict(vista), told(made)
        differing += vista != later
    assert differing


def test_while_the_machine_starts_boot_time_filters_alone_are_in_force() -> None:
    rng, differing = random.Random(8), 0
    for _ in range(EVERYDAY):
        made = world(rng, certain=True)
        (booting,) = expected(made, booting=True)
        (running,) = expected(made)
        assert engine(made, boot_time=True).verdict == verdict(booting), told(made)
        differing += booting != running
    assert differing


def test_whether_a_block_ends_the_evaluation_changes_who_is_asked_and_no_verdict() -> None:
    rng, differing = random.Random(9), 0
    for _ in range(EVERYDAY):
        made = world(rng, certain=True)
        (stopped,) = expected(made, after_block="stop")
        found, other = engine(made, after_block="stop"), engine(made, after_block="evaluate")
        assert found.verdict == other.verdict == verdict(stopped), told(made)
        assert [(each.sublayer, each.filter.key) for each in found.deciding] == [each[:2] for each in stopped.deciding]
        differing += found.deciding != other.deciding
    assert differing


# What is taken from the engine's policy: the comparison must notice each, or it would compare nothing.
TAKEN: dict[str, Callable[[Policy], Policy]] = (
    {
        flag: lambda policy, flag=flag: replace(  # type: ignore[misc]
            policy, filters=tuple(replace(f, flags=tuple(x for x in f.flags if x != flag)) for f in policy.filters)
        )
        for flag in ("CLEAR_ACTION_RIGHT", "PERMIT_IF_CALLOUT_UNREGISTERED", "DISABLED", "BOOTTIME")
    }
    | {
        "the order of the sublayers": lambda policy: replace(
            policy, sublayers=tuple(replace(s, weight=9 - s.weight) for s in policy.sublayers)
        ),
        "the last filter": lambda policy: replace(policy, filters=policy.filters[:-1]),
        "the conditions": lambda policy: replace(
            policy, filters=tuple(replace(f, conditions=()) for f in policy.filters)
        ),
        "callouts that clear the write right": lambda policy: replace(
            policy,
            callouts=tuple(replace(c, behaviour=replace(c.behaviour, clears_write=False)) for c in policy.callouts),
        ),
        "answers to a reauthorization": lambda policy: replace(
            policy,
            callouts=tuple(
                replace(c, behaviour=replace(c.behaviour, on_reauthorize=c.behaviour.answer)) for c in policy.callouts
            ),
        ),
        "what is registered": lambda policy: replace(
            policy, callouts=tuple(replace(c, registered=True) for c in policy.callouts)
        ),
    }
)


@pytest.mark.parametrize("taken", TAKEN)
def test_the_comparison_notices_what_is_taken_away(taken: str) -> None:
    rng = random.Random(10)
    assert any(
        not agrees_where_all_is_known(made, policy=TAKEN[taken](made.policy))
        for made in (world(rng, certain=True) for _ in range(EVERYDAY))
    )


@pytest.mark.parametrize("layer", LAYERS)
def test_the_fields_of_the_worlds_are_offered_where_they_are_used(layer: str) -> None:
    rng = random.Random(11)
    made = [one for one in (world(rng) for _ in range(400)) if one.layer == layer]
    used = {oracle.field_of(c) for one in made for f in one.policy.filters for c in f.conditions}
    assert made and used and used | set(made[0].values) <= offered(layer)


# --- from layer to layer: the whole question against the rows of b.4 and the orders of (a)

ASKED: dict[str, dict[str, object]] = {
    "bind": {"event": "bind"},
    "first_send": {"event": "sendto"},
    "next_send": {"event": "sendto", "flow_state": "out"},
    "first_receive": {"event": "receive"},
    "next_receive": {"event": "receive", "flow_state": "in"},
    "no_listener": {"event": "receive", "listener": False, "evidence": "observed"},
    "no_listener_as_documented": {"event": "receive", "listener": False},
    "icmp_error_received": {"event": "icmp_error", "flow_state": "out"},
}
ENDS = {4: ("192.0.2.1:50000", "198.51.100.1:53"), 6: ("[2001:db8::1]:50000", "[2001:db8:1::1]:53")}


def played(policy: Policy, path: str, ip: int) -> Whatif:
    words = dict(ASKED[path])
    evidence = str(words.pop("evidence", "base"))
    here, there = ENDS[ip]
    arrives = words["event"] == "receive"
    return whatif(
        policy,
        from_=there if arrives else here,
        to=here if arrives else there,
        config=Config(ip=ip, evidence=evidence),
        **words,  # type: ignore[arg-type]
    )


def visits_of(found: Whatif) -> list[tuple[str, str]]:
    """(layer, verdict) of every classify of the question itself; a discard layer after a block is only noted."""
    seen = []
    for visit in found.visits:
        blocked_before = bool(seen) and seen[-1][1] == "block"
        noted = blocked_before and visit.layer == seen[-1][0] + "_DISCARD"
        seen.append((visit.layer, "noted" if noted else visit.taken))
    return seen


def test_the_visits_of_a_blocked_datagram_are_those_worked_by_hand() -> None:
    for path, blocked, visited in ROWS:
        for ip in (4, 6):
            policy = Policy(filters_of("A: block", layer=oracle.full_name(blocked, ip)), SUBLAYERS)
            found = played(policy, path, ip)
            assert [v.layer for v in found.visits] == [oracle.full_name(x, ip) for x in visited.split()], (
                path,
                blocked,
            )


@pytest.mark.parametrize(("path", "blocked"), [(path, blocked) for path, blocked, _ in ROWS])
def test_what_a_block_brings_about_is_the_row_of_its_layer(path: str, blocked: str) -> None:
    row = oracle.CONSEQUENCES[blocked]
    policy = Policy(filters_of("A: block", layer=oracle.full_name(blocked, 4)), SUBLAYERS)
    found = played(policy, path, 4)
    sees = {
        "recv waits": "recv waits",
        "bind fails": "bind fails",
        "sendto returned success": "sendto returned success",
    }
    assert sees.get(row.application, "") in found.application_sees
    if row.application == "remote times out":
        assert "timeout" in found.remote_sees
    assert [e.event_id for e in found.logged if e.layer == oracle.full_name(blocked, 4)] == list(row.events)
    assert all(e.filter is not None for e in found.logged if e.layer == oracle.full_name(blocked, 4))
    # A drop that ends nothing is still the place where the datagram itself was dropped.
    assert found.blocked_at == oracle.full_name(blocked, 4)
    assert row.ends == (found.outcome in ("blocked", "silent")), found.outcome


@pytest.mark.parametrize("path", ASKED)
def test_the_way_through_generated_policies_is_the_oracles(path: str) -> None:
    rng, ends = random.Random(f"way {path}"), set()
    for _ in range(60):
        ip = rng.choice((4, 6))
        layers = tuple(oracle.full_name(layer, ip) for layer in oracle.PATHS[path] if layer in oracle.CONSEQUENCES)
        made = random_policy(rng, certain=True, layers=layers, most_filters=4)
        plain = replace(  # whatever the packet is; and with the answers that every layer takes
            made,
            filters=tuple(replace(f, conditions=()) for f in made.filters),
            callouts=tuple(
                replace(c, behaviour=replace(c.behaviour, answer=rng.choice(("permit", "block", "continue"))))
                for c in made.callouts
            ),
        )
        ((visits, blocked_at),) = oracle.walk(plain, path, {}, ip=ip)
        found = played(plain, path, ip)
        assert visits_of(found) == list(visits), plain
        if path not in ("no_listener", "no_listener_as_documented"):
            assert found.blocked_at == blocked_at
        ends.add(blocked_at)
    assert len(ends) > 1
