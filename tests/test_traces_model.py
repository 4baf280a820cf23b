"""The check of traces against the tables themselves, and against a slow checker that shares no code with it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product

import pytest
from naive_traces import Machine, Seen, walk

from fsm.choices import CHOICES, Config, configure
from fsm.stimuli import STIMULI
from fsm.table import State, Table, compile_table
from fsm.traces.automaton import ROLES, Limits, PortAutomaton, port_automaton, restricted
from fsm.traces.conformance import CANNOT_TELL, DIVERGES, Conformance, check_trace
from fsm.traces.observation import Observation, Trace

DISPUTES = [name for name, choice in CHOICES.items() if choice.kind == "dispute"]
# Few stimuli make small machines, on which the slow checker is quick enough.
KEPT = ("bind", "sendto", "datagram", "policy_change", "close", "icmp_error")
NEVER = tuple(name for name in STIMULI if name not in KEPT)
OPEN = ("close", "no_listener")
DECIDED = tuple(name for name in DISPUTES if name not in OPEN)
WORLDS = [
    configure(assume=dict(zip(OPEN, options, strict=True)))
    for options in product(*(CHOICES[name].option_names() for name in OPEN))
]
LAYERS = sorted(restricted(port_automaton(Config(), frozenset(DECIDED)), Limits(frozenset(NEVER))).layers)


def trace_of(seen: Sequence[Seen]) -> Trace:
    return Trace(tuple(Observation(layer, verdict, source=f"line {n}") for n, (layer, verdict) in enumerate(seen, 1)))


def checked(seen: Sequence[Seen], only: Sequence[str], **options: object) -> Conformance:
    settings = {"only": only, "decided": DECIDED, "never": NEVER, "allow": ["all"], **options}
    return check_trace(trace_of(seen), **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def machines() -> list[Machine]:
    """One for each world; the receiver's rows are among the sender's."""
    return [Machine(world, ("sender", "dropped_port"), hands=True, never=NEVER) for world in WORLDS]


def slow_cost(machines: list[Machine], seen: Sequence[Seen], visible: Sequence[str]) -> int:
    best = 99
    for machine in machines:
        best = min(best, machine.cost(seen, set(visible), most=min(best, 98)))
    return best


# -- the automaton is the tables


def combinations() -> list[dict[str, str]]:
    """All disputes the other way round, and a dozen drawn combinations."""
    dice = random.Random(5)
    flipped = {name: CHOICES[name].option_names()[-1] for name in DISPUTES}
    return [flipped, *({name: dice.choice(CHOICES[name].option_names()) for name in DISPUTES} for _ in range(12))]


@pytest.mark.parametrize("assume", combinations(), ids=lambda assume: " ".join(o[:4] for o in assume.values()))
def test_each_world_of_the_automaton_is_the_table_of_that_world(assume: dict[str, str]) -> None:
    automaton = port_automaton(Config())
    world = tuple(assume[name] for name in automaton.hypotheses.disputes)
    for view in ("sender", "dropped_port", "receiver"):
        bit = automaton.hypotheses.worlds.index(world) * len(ROLES) + ROLES.index(view)
        table = compile_table(view, configure(assume=assume))
        assert edges_of_automaton(automaton, bit) == edges_of_table(table)


def compared(flags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(flag for flag in flags if flag not in ("IS_WILDCARD_BIND", "IS_IMPLICIT_BIND"))


def edges_of_table(table: Table) -> set[tuple[object, ...]]:
    found = set()
    for number, state in enumerate(table.states):
        for move in table.moves(number):
            event = table.event_ids[move]
            layer = table.layer(number)
            label = (layer.fwpm_name, move, compared(table.flags(number))) if layer else None
            found.add((state, move, label, table.states[table.step(number, event)]))
    return found


def edges_of_automaton(automaton: PortAutomaton, bit: int) -> set[tuple[object, ...]]:
    states: dict[int, State] = {}
    for source, edges in enumerate(automaton.edges):
        for edge in edges:
            if edge.table:
                states[source] = edge.table.states[edge.state]
                states[edge.target] = edge.table.states[edge.table.step(edge.state, edge.event)]
    found = set()
    for source, edges in enumerate(automaton.edges):
        if not automaton.possible[source] >> bit & 1:
            continue
        for edge in edges:
            if edge.hypotheses >> bit & 1 and edge.table is not None:
                label = (edge.label.layer, edge.label.verdict, edge.label.flags) if edge.label else None
                found.add((states[source], edge.table.events[edge.event], label, states[edge.target]))
    return found


# -- what the model makes agrees


@pytest.mark.parametrize("number", range(60))
def test_a_walk_of_the_model_agrees_wherever_it_is_cut_and_whatever_layers_are_shown(number: int) -> None:
    dice = random.Random(number)
    assume = {name: dice.choice(CHOICES[name].option_names()) for name in DISPUTES}
    config = configure(assume=assume, ip=dice.choice((4, 6)))
    view = dice.choice(("sender", "receiver", "dropped_port"))
    seen = walk(config, view, dice, dice.randrange(20, 120))
    seen = seen[dice.randrange(len(seen) + 1) :]
    layers = sorted({layer for layer, _ in seen})
    only = [layer for layer in layers if dice.random() < 0.7] or layers
    seen = [(layer, verdict if dice.random() < 0.8 else "") for layer, verdict in seen if layer in only]
    result = check_trace(trace_of(seen), Config(ip=config.ip), only=only, allow=["all"])
    assert result.verdict != DIVERGES, [one.edits for one in result.conversations]
    for one in result.conversations:
        possible = dict(one.possible)
        assert all(assume[name] in options for name, options in possible.items())
        assert sorted(index for told in one.told for index in told.lines) == list(range(len(seen)))


# -- one mutation


def mutations(seen: list[Seen], layers: Sequence[str], dice: random.Random) -> list[tuple[str, list[Seen]]]:
    """A line dropped, inserted, swapped with the next, and with another verdict."""
    at = dice.randrange(len(seen))
    other = dice.choice([v for v in ("permit", "block", "absorb") if v != seen[at][1]])
    found = [
        ("drop", seen[:at] + seen[at + 1 :]),
        ("insert", [*seen[:at], (dice.choice(layers), dice.choice(("permit", "block"))), *seen[at:]]),
        ("verdict", [*seen[:at], (seen[at][0], other), *seen[at + 1 :]]),
    ]
    if at + 1 < len(seen):
        found.append(("swap", [*seen[:at], seen[at + 1], seen[at], *seen[at + 2 :]]))
    return [(name, mutant) for name, mutant in found if mutant]


@pytest.mark.parametrize("number", range(10))
def test_a_mutated_walk_costs_what_the_slow_checker_says(number: int, machines: list[Machine]) -> None:
    dice = random.Random(100 + number)
    seen: list[Seen] = []
    while len(seen) < 4:
        view = dice.choice(("sender", "receiver", "dropped_port"))
        seen = walk(dice.choice(WORLDS), view, dice, 30, NEVER)
    begin = dice.randrange(len(seen) - 3)
    seen = seen[begin : begin + 7]
    only = [layer for layer in LAYERS if not layer.endswith("_DISCARD") or dice.random() < 0.5]
    seen = [one for one in seen if one[0] in only]
    for name, mutant in mutations(seen, only, dice) if seen else []:
        result = checked(mutant, only)
        found = result.conversations[0]
        assert found.cost == found.at_least == slow_cost(machines, mutant, only), (name, mutant)
        assert len(found.edits) == found.cost
        assert (found.verdict == DIVERGES) == (found.cost > 0)


@pytest.mark.parametrize("number", range(6))
def test_nonsense_costs_what_the_slow_checker_says(number: int, machines: list[Machine]) -> None:
    dice = random.Random(number)
    only = [layer for layer in LAYERS if not layer.endswith("_DISCARD")]
    seen = [(dice.choice(only), dice.choice(("permit", "permit", "block"))) for _ in range(5)]
    found = checked(seen, only).conversations[0]
    assert found.cost == found.at_least == len(found.edits) == slow_cost(machines, seen, only)


def test_the_repair_makes_the_trace_possible(machines: list[Machine]) -> None:
    """Dropping what is extra and putting right what is wrong leaves a trace that agrees."""
    dice = random.Random(3)
    only = [layer for layer in LAYERS if not layer.endswith("_DISCARD")]
    repaired = 0
    for _ in range(12):
        seen = [(dice.choice(only), "permit") for _ in range(6)]
        found = checked(seen, only).conversations[0]
        if {edit.kind for edit in found.edits} <= {"extra"} and found.edits:
            left = [one for index, one in enumerate(seen) if index not in {edit.index for edit in found.edits}]
            assert slow_cost(machines, left, only) == 0
            repaired += 1
    assert repaired > 2


# -- limits and what cannot be told


def test_a_limit_that_is_hit_is_told_with_the_edits_that_are_proved() -> None:
    dice = random.Random(1)
    only = [layer for layer in LAYERS if not layer.endswith("_DISCARD")]
    seen = [(dice.choice(only), "permit") for _ in range(60)]
    whole = checked(seen, only).conversations[0]
    assert whole.cost == whole.at_least > 5
    small = checked(seen, only, limit=1).conversations[0]
    assert small.verdict == DIVERGES
    assert 1 <= small.at_least <= whole.cost
    assert small.cost == 0 or small.cost >= whole.cost
    assert small.bounded or "limit" in small.why


def test_one_layer_alone_says_nothing() -> None:
    layer = "FWPM_LAYER_ALE_CONNECT_REDIRECT_V4"
    result = check_trace(trace_of([(layer, "")] * 3))
    assert result.verdict == CANNOT_TELL
    assert "any order is possible" in result.conversations[0].why


def test_a_close_that_is_seen_decides_the_dispute_about_it() -> None:
    closing = ["FWPM_LAYER_ALE_ENDPOINT_CLOSURE_V4", "FWPM_LAYER_ALE_RESOURCE_RELEASE_V4"]
    bind = "FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4"
    result = check_trace(trace_of([(bind, "permit"), *((layer, "permit") for layer in closing)]))
    assert dict(result.decides)["close"] == "closure_release"
    assert (
        check_trace(trace_of([(closing[1], "permit"), (closing[0], "permit")] * 2), decided=["close"]).verdict
        == DIVERGES
    )
