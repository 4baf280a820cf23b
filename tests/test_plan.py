"""Plans cover what they say and run as scenarios; nothing shorter exists, and what is left out cannot be reached."""

from __future__ import annotations

import itertools
import json
import re
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from fsm.choices import Config, configure
from fsm.coverage import Coverage, Universe, recording
from fsm.errors import FsmError
from fsm.names import ENDPOINTS, VERDICTS
from fsm.plan.cover import GOALS, Cover, cover
from fsm.plan.moves import Moves, moves_of
from fsm.plan.scenarios import scenarios_of
from fsm.plan.unreachable import unreachable
from fsm.scenarios.parse import parse
from fsm.scenarios.run import run_scenario
from fsm.scenarios.write import scenario_text
from fsm.table import Table, compile_table

CONFIGS = [
    Config(),
    configure(ip=6, evidence="documented"),
    configure(windows="vista"),
    configure(assume={"dual_stack": "yes"}),
]


def planned(endpoint: str, goal: str, config: Config | None = None) -> tuple[Table, Moves, Cover]:
    table = compile_table(endpoint, config or Config())
    moves = moves_of(table)
    return table, moves, cover(moves, goal)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("goal", ["edges", "refusals", "layers"])
def test_a_plan_written_and_read_again_exercises_all_that_it_promises(endpoint: str, goal: str) -> None:
    table, _, plan = planned(endpoint, goal)
    text = "\n".join(map(scenario_text, scenarios_of(table, plan)))
    coverage = Coverage(endpoints=(endpoint,))
    with recording(coverage):
        for scenario in parse(text, "plan.wfp"):
            run = run_scenario(scenario)
            assert run.passed, run.text()
    universe = Universe.of(table)
    if goal == "edges":
        assert set(coverage.of(endpoint).rows) == set(universe.rows)
        assert set(coverage.of(endpoint).verdicts) == set(universe.verdicts)
    if goal == "layers":
        permitted = {layer for layer, verdict in coverage.of(endpoint).verdicts if verdict == "permit"}
        assert permitted == set(universe.layers)
    if goal == "refusals":
        assert set(coverage.of(endpoint).refusals) == set(universe.refusals)
        assert plan.goals == len(universe.refusals)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_walks_are_ways_of_the_table_from_the_start_to_rest_and_take_every_edge(endpoint: str, config: Config) -> None:
    table, moves, plan = planned(endpoint, "edges", config)
    every = {
        (state, event)
        for state in range(len(table.states))
        for event in range(len(table.events))
        if table.next_or_none(state, event) >= 0
    }
    taken = set()
    for walk in plan.walks:
        state = table.start
        for cell in walk.cells:
            assert cell[0] == state
            state = table.step(*cell)
        assert table.layer(state) is None
        taken |= set(walk.cells)
    assert taken == every == set(moves.cells)
    assert plan.exact and plan.goals == len(every)


@pytest.mark.parametrize("endpoint", ["receiver", "dropped_port"])
def test_pairs_are_all_pairs_of_edges_that_can_follow_each_other(endpoint: str) -> None:
    table, moves, plan = planned(endpoint, "pairs")
    every = {(cell, after) for cell in moves.cells for after in moves.by_state.get(table.step(*cell), ())}
    assert {pair for walk in plan.walks for pair in itertools.pairwise(walk.cells)} == every
    assert plan.exact and plan.goals == len(every)
    for walk in plan.walks:
        assert walk.cells[0][0] == table.start and table.layer(table.step(*walk.cells[-1])) is None


def fewest_by_brute_force(moves: Moves) -> tuple[int, int]:
    """(walks, steps) of the best edge cover, by breadth-first search over (state, edges left)."""
    table, everything = moves.table, frozenset(moves.cells)
    best: dict[tuple[int, frozenset[tuple[int, int]]], tuple[int, int]] = {(table.start, everything): (1, 0)}
    queue = deque(best)
    found: list[tuple[int, int]] = []
    while queue:
        state, left = queue.popleft()
        walks, steps = best[state, left]
        if not left and moves.idle(state):
            found.append((walks, steps))
            continue
        after = [((table.step(*cell), left - {cell}), (walks, steps + 1)) for cell in moves.by_state.get(state, ())]
        if moves.idle(state) and steps:
            after.append(((table.start, left), (walks + 1, steps)))
        for key, cost in after:
            if key not in best or cost < best[key]:
                best[key] = cost
                queue.append(key)
    return min(found)


@pytest.mark.parametrize(
    ("endpoint", "stimuli", "verdicts"),
    [
        ("dropped_port", ("datagram_group",), ("permit", "block")),
        ("dropped_port", ("datagram_group",), ("permit", "block", "absorb")),
        ("sender", ("bind", "close"), ("permit",)),
        ("sender", ("bind", "close"), ("permit", "block")),
    ],
)
def test_no_plan_has_fewer_scenarios_or_fewer_steps(
    endpoint: str, stimuli: tuple[str, ...], verdicts: tuple[str, ...]
) -> None:
    moves = moves_of(compile_table(endpoint, Config()), stimuli, verdicts)
    plan = cover(moves, "edges")
    assert (len(plan.walks), plan.steps) == (plan.least_walks, plan.least_steps) == fewest_by_brute_force(moves)


@pytest.mark.parametrize("goal", ["refusals", "layers"])
def test_a_greedy_plan_says_how_far_from_the_bound_it_is(goal: str) -> None:
    _, _, plan = planned("sender", goal)
    assert plan.least_walks <= len(plan.walks) and plan.least_steps <= plan.steps
    assert not plan.exact


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_what_cannot_be_exercised_is_what_no_state_uses(endpoint: str) -> None:
    table = compile_table(endpoint, Config())
    missing, count = unreachable(moves_of(table))
    assert count == len(table.rows)
    assert {row.key for row in table.rows} - {item.what for item in missing} == set(Universe.of(table).rows)
    assert all(item.proof for item in missing)
    left_out, _ = unreachable(moves_of(table, verdicts=("permit",)))
    assert len(left_out) > len(missing)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_layers_that_cannot_fire_are_listed_as_layers(endpoint: str) -> None:
    table = compile_table(endpoint, Config())
    missing, count = unreachable(moves_of(table), "layers")
    fired = set(Universe.of(table).layers)
    assert {item.what for item in missing}.isdisjoint(fired) and len(missing) + len(fired) == count
    assert all(item.what.startswith("FWPM_LAYER_") and item.proof for item in missing)
    few, _ = unreachable(moves_of(table, table.view.stimuli[:1], ("permit",)), "layers")
    assert len(few) > len(missing)
    assert any("states that can be reached stands at" in item.proof for item in few)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_refusals_that_never_happen_are_listed_as_refusals(endpoint: str) -> None:
    table = compile_table(endpoint, Config())
    missing, count = unreachable(moves_of(table), "refusals")
    refused = {f"{event} at {at}" for at, event in Universe.of(table).refusals}
    assert {item.what for item in missing}.isdisjoint(refused) and len(missing) + len(refused) == count
    proofs = {item.what: item.proof for item in missing}
    if endpoint == "sender":
        assert proofs["permit at send.data"].endswith("states at send.data takes permit")


def test_a_proof_names_the_guard_that_never_holds() -> None:
    proofs = {item.what: item.proof for item in unreachable(moves_of(compile_table("receiver", Config())))[0]}
    assert proofs["idle.window_timeout[window=open]"] == (
        "receiver (a socket that is sent to first) is not offered 'window_timeout'"
    )
    row = next(row for row in proofs if row.startswith("receive.ippacket.permit[connected=other;"))
    assert proofs[row].endswith("states at receive.ippacket connected is never other, only no")
    alone = {
        item.what: item.proof for item in unreachable(moves_of(compile_table("sender", Config()), stimuli=["bind"]))[0]
    }
    assert alone["bind.assign.pend[stimulus=complete; dual_stack:no; windows 7..]"] == (
        "in the only state at bind.assign stimulus is never complete, only bind"
    )


@pytest.mark.parametrize("goal", ["edges", "layers", "refusals"])
@pytest.mark.parametrize("stimuli", [(), ("bind",), ("window_timeout",)])
def test_no_proof_counts_one_of_several(goal: str, stimuli: tuple[str, ...]) -> None:
    proofs = [item.proof for item in unreachable(moves_of(compile_table("sender", Config()), stimuli), goal)[0]]
    assert not any(re.search(r"\b1 (states|rows)\b", proof) for proof in proofs)
    assert any(proof.startswith("the only state ") for proof in proofs) or stimuli != ("window_timeout",)


# --- the command


def test_the_command_prints_sizes_and_bounds(wfp: Any) -> None:
    status, out, _ = wfp("plan")
    assert status == 0
    for endpoint in ENDPOINTS:
        table, _, plan = planned(endpoint, "edges")
        walks = f"{len(plan.walks)} scenario{'' if endpoint == 'dropped_port' else 's'}"
        sizes = f"{plan.goals:,} edges in {walks}, {plan.steps:,} steps (the least there can be)"
        assert f"{endpoint}: {sizes}" in out.splitlines()
        missing, count = unreachable(moves_of(table))
        said = f"{endpoint}: {len(missing)} of {count} rows cannot be exercised (--unreachable lists them)"
        assert bool(missing) == (said in out.splitlines())


def test_the_summary_stands_first_and_last_and_reasons_are_counted_between(wfp: Any) -> None:
    arguments = ("plan", "sender", "--cover", "layers", "--stimuli", "sendto,sendto_group", "--verdicts", "permit")
    _, out, _ = wfp(*arguments)
    lines = out.splitlines()
    assert lines[0] == lines[-1] == "sender: 8 layers in 1 scenario, 9 steps (the least there can be)"
    assert len(lines) <= 6 and sum(int(line.split()[0]) for line in lines[2:-1]) == int(lines[1].split()[1])
    _, full, _ = wfp(*arguments, "--unreachable")
    assert full.splitlines()[0] == lines[0] == full.splitlines()[-1]
    assert "FWPM_LAYER_INBOUND_ICMP_ERROR_V4" in full and "stands at icmp.error" in full


@pytest.mark.parametrize("goal", GOALS)
def test_a_checklist_lists_beforehand_what_cannot_be_exercised(wfp: Any, goal: str) -> None:
    narrowed = ("--stimuli", "bind,datagram", "--verdicts", "permit")
    _, out, _ = wfp("plan", "receiver", "--cover", goal, *narrowed, "--format", "checklist")
    before = out[: out.index("Before you begin")]
    missing, _ = unreachable(moves_of(compile_table("receiver", Config()), ("bind", "datagram"), ("permit",)), goal)
    assert missing and all(item.proof in before for item in missing)


@pytest.mark.parametrize("goal", GOALS[2:])
def test_what_the_command_prints_as_scenarios_can_be_run(wfp: Any, goal: str, tmp_path: Path) -> None:
    status, out, _ = wfp("plan", "dropped_port", "--cover", goal, "--format", "scenario", "-o", str(tmp_path))
    assert status == 0
    printed = [run_scenario(scenario) for scenario in parse(out, "out")]
    written = parse((tmp_path / f"dropped_port_{goal}.wfp").read_text(encoding="utf-8"), "file")
    assert printed and all(run.passed for run in printed) and len(written) == len(printed)


def test_json_has_the_bounds_and_the_proofs(wfp: Any) -> None:
    status, out, _ = wfp("plan", "receiver", "--format", "json", "--verdicts", "permit,block")
    (got,) = json.loads(out)
    assert status == 0 and got["exact"] and got["scenarios"] == got["least_scenarios"] == len(got["files"])
    assert {"what", "reason", "proof"} == set(got["unreachable"][0])


def test_a_stimulus_of_one_endpoint_only_is_used_there(wfp: Any) -> None:
    status, out, _ = wfp("plan", "--stimuli", "bind,datagram", "--verdicts", "permit")
    assert status == 0 and "dropped_port: " in out


def test_an_endpoint_that_none_of_the_stimuli_happens_to_is_left_out(wfp: Any) -> None:
    status, out, err = wfp("plan", "--stimuli", "bind", "--format", "json")
    assert status == 0 and [plan["endpoint"] for plan in json.loads(out)] == ["sender", "receiver"]
    assert err == "dropped_port is left out: nothing of bind happens to it\n"
    twice = wfp("plan", "receiver", "receiver", "--stimuli", "bind", "--format", "json")
    assert [plan["endpoint"] for plan in json.loads(twice[1])] == ["receiver"]


@pytest.mark.parametrize("goal", GOALS)
def test_where_nothing_is_possible_there_is_nothing_to_cover(wfp: Any, goal: str, tmp_path: Path) -> None:
    # A datagram does not come to a socket that has not been bound.
    status, out, err = wfp("plan", "receiver", "--stimuli", "datagram", "--cover", goal, "-o", str(tmp_path))
    assert (status, err) == (0, "")
    if goal == "refusals":
        assert (tmp_path / "receiver_refusals.wfp").is_file()
    else:
        assert out.splitlines()[-1] == f"receiver: 0 {goal} in 0 scenarios, 0 steps (the least there can be)"
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cover", "edgs"), "error: --cover: no goal named 'edgs'. Did you mean 'edges'?"),
        (("sendr",), "error: plan: no endpoint named 'sendr'. Did you mean 'sender'?"),
        (("--verdicts", "permt"), "error: --verdicts: no verdict named 'permt'. Did you mean 'permit'?"),
        (("sender", "--stimuli", "bnd"), "error: --stimuli: no stimulus named 'bnd'. Did you mean 'bind'?"),
        (("-o", "/no/such"), "error: -o /no/such: no such folder. Make it first."),
    ],
)
def test_a_mistake_is_one_line(wfp: Any, arguments: tuple[str, ...], said: str) -> None:
    status, out, err = wfp("plan", *arguments)
    assert (status, out, err) == (2, "", said + "\n")


def test_moves_are_checked_by_name() -> None:
    with pytest.raises(FsmError, match=r"^verdicts: no verdict named 'blok'"):
        moves_of(compile_table("sender", Config()), verdicts=("blok",))
    assert {event for _, event in moves_of(compile_table("sender", Config()), ("bind",), ("permit",)).cells} == {
        compile_table("sender", Config()).event_ids[name] for name in ("bind", "permit")
    }
    assert set(VERDICTS)
