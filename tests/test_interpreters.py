"""Three interpreters of the same rows agree: compiled table, `transitions` machine, and a slow reader of the rows.

Every cell (state x event) of every configuration, refusals included. A configuration is IP version x Windows x each
combination of the options that any row of the endpoint asks for; that further options change nothing is tested too.
"""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import slow_reader
from slow_reader import Moved, Refused, SlowReader, Where
from transitions import Machine, MachineError

from fsm.choices import CHOICES, configure
from fsm.errors import NoTransition
from fsm.machine import build_machine
from fsm.names import EVIDENCE, IP_VERSIONS, VERDICTS, WINDOWS
from fsm.rules import RULES, VERDICT_REFUSALS
from fsm.stimuli import POSITIONS, VIEWS
from fsm.table import Step, Table, compile_table

Options = dict[str, str]

# A tripwire: (endpoint, choices) -> states, rows, cells with a row, cells without. Look before you change a number.
PINNED = {
    ("sender", "base"): (102, 98, 270, 1158),
    ("receiver", "base"): (102, 98, 270, 1158),
    ("dropped_port", "base"): (10, 23, 23, 47),
}
ALL_ROWS = 148


def asked_for(view: str) -> list[str]:
    """The choices that some row of this endpoint asks for."""
    return [
        name
        for name in CHOICES
        if any(name == n for row in RULES if row.scope in VIEWS[view].scopes for n, _ in row.choices)
    ]


def combinations(view: str) -> Iterator[Options]:
    names = asked_for(view)
    for options in itertools.product(*(CHOICES[name].option_names() for name in names)):
        yield dict(zip(names, options, strict=True))


CONFIGURATIONS = [
    (view, ip, windows, options)
    for view in VIEWS
    for ip in IP_VERSIONS
    for windows in WINDOWS
    for options in combinations(view)
]


def table_of(view: str, ip: int, windows: str, options: Options) -> Table:
    return compile_table(view, configure(ip=ip, windows=windows, assume=options))


def places(table: Table) -> dict[Where, int]:
    """The states of the table as the slow reader writes them."""
    return {
        Where(tuple(zip(table.view.registers, state.registers, strict=True)), state.stimulus, state.position): number
        for number, state in enumerate(table.states)
    }


def says(reason: str, refused: Refused) -> bool:
    """Whether the reason mentions every word; `a|b` is one of them."""
    return all(any(part in reason for part in word.split("|")) for word in refused.words)


def trigger(machine: Machine, state: str, event: str) -> str | None:
    """Where the machine goes from that state, None if it refuses."""
    model = machine.models[0]
    machine.set_state(state, model)
    try:
        model.trigger(event)
    except MachineError:
        assert model.state == state, "a refused event moved the machine"
        return None
    return str(model.state)


def disagreements(table: Table, reader: SlowReader, machine: Machine) -> list[str]:
    """Every cell on which the three do not agree, as one line each."""
    found = []
    numbers = places(table)
    reached = set(reader.reachable())
    if reached != set(numbers):
        found.append(f"states differ: {sorted(w.name() for w in reached ^ set(numbers))}")
    for where in reached & set(numbers):
        state = numbers[where]
        if table.names[state] != where.name():
            found.append(f"{table.names[state]} is called {where.name()}")
        layer = table.layer(state)
        if (layer.fwpm_name if layer else "") != reader.layer(where):
            found.append(f"{where.name()}: layer {layer} or {reader.layer(where)}")
        possible = set()
        for number, event in enumerate(table.events):
            cell, answer = f"{where.name()}, {event}", reader.answer(where, event)
            target, by_machine = table.next_or_none(state, number), trigger(machine, where.name(), event)
            if isinstance(answer, Moved):
                possible.add(event)
                row = table.rows[table.row_index(state, number)].key if target >= 0 else None
                seen = table.recorded(state, number).layer if target >= 0 else None
                ends = {answer.to.name(), table.names[target] if target >= 0 else "refused", by_machine}
                if len(ends) > 1 or row != answer.row or seen != answer.layer:
                    found.append(f"{cell}: {answer} or {row} at {seen} to {ends}")
            else:
                reason = table.why_not(state, event)
                if target >= 0 or by_machine is not None or not reason or not says(reason, answer):
                    found.append(f"{cell}: refused because of {answer.words}, or {reason!r}, or goes to {by_machine}")
        if possible != set(table.moves(state)):
            found.append(f"{where.name()}: possible {possible} or {table.moves(state)}")
    return found


@pytest.mark.parametrize("view", VIEWS)
def test_three_interpreters_agree_on_every_cell_of_every_configuration(view: str) -> None:
    compared = 0
    for _, ip, windows, options in (c for c in CONFIGURATIONS if c[0] == view):
        table = table_of(view, ip, windows, options)
        reader = SlowReader(view, ip=ip, windows=windows, evidence="base", assumed=options)
        found = disagreements(table, reader, build_machine(table))
        assert not found, f"{view}, IPv{ip}, Windows {windows}, {options}:\n" + "\n".join(found[:20])
        compared += len(table.states) * len(table.events)
    assert compared > 9_000


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("view", VIEWS)
def test_three_interpreters_agree_on_what_each_order_of_preference_chooses(view: str, evidence: str) -> None:
    table = compile_table(view, configure(evidence=evidence))
    reader = SlowReader(view, ip=4, windows="11", evidence=evidence, assumed={})
    assert {name: table.config.choice(name) for name in CHOICES} == reader.chosen
    assert not disagreements(table, reader, build_machine(table))


def test_the_comparison_finds_a_machine_that_differs_in_one_cell() -> None:
    table = compile_table("sender", configure())
    reader = SlowReader("sender", ip=4, windows="11", evidence="base", assumed={})
    machine = build_machine(table)
    machine.get_transitions("block", "BOUND/NONE sendto@send.authorize")[0].dest = "BOUND/NONE"
    found = disagreements(table, reader, machine)
    assert len(found) == 1 and "BOUND/NONE sendto@send.authorize, block" in found[0]


def test_the_comparison_finds_a_reader_without_one_row() -> None:
    table = compile_table("receiver", configure())
    reader = SlowReader("receiver", ip=4, windows="11", evidence="base", assumed={})
    reader.rows = [row for row in reader.rows if row.key != "receive.data.absorb"]
    assert any("receive.data, absorb" in line for line in disagreements(table, reader, build_machine(table)))


def test_the_comparison_finds_a_refusal_with_the_wrong_reason() -> None:
    assert says("ALE_FLOW_ESTABLISHED is no policy point", Refused(("no policy point",)))
    assert not says("it is no policy point", Refused(("waits for the verdict",)))
    assert says("here: flow NONE", Refused(("flow NONE|socket UNBOUND",)))


def test_the_slow_reader_shares_no_code_with_the_compiler() -> None:
    tree = ast.parse(Path(slow_reader.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    mine = {name for name in imported if name and name.startswith("fsm")}
    assert mine == {"fsm.choices", "fsm.names", "fsm.rows", "fsm.rules", "fsm.stimuli"}


def test_the_configurations_are_all_of_them() -> None:
    count = Counter(view for view, *_ in CONFIGURATIONS)
    for view in VIEWS:
        expected = 2 * 7
        for name in asked_for(view):
            expected *= len(CHOICES[name].options)
        assert count[view] == expected
    assert len(CONFIGURATIONS) >= 120
    assert {name for view in VIEWS for name in asked_for(view)} == set(CHOICES), "a choice that no row asks for"


@pytest.mark.parametrize("view", VIEWS)
def test_a_choice_that_no_row_asks_for_changes_nothing(view: str) -> None:
    plain = compile_table(view, configure())
    for name in set(CHOICES) - set(asked_for(view)):
        for option in CHOICES[name].option_names():
            other = compile_table(view, configure(assume={name: option}))
            assert (other.rows, other.names) == (plain.rows, plain.names)


@pytest.mark.parametrize("view", VIEWS)
def test_every_option_that_rows_ask_for_changes_the_table(view: str) -> None:
    for name in asked_for(view):
        tables = [compile_table(view, configure(assume={name: option})) for option in CHOICES[name].option_names()]
        assert len({tuple(row.key for row in table.rows) for table in tables}) == len(tables), name


def test_every_row_is_used_in_some_configuration() -> None:
    used = set()
    for configuration in CONFIGURATIONS:
        table = table_of(*configuration)
        for state in range(len(table.states)):
            indexes = {table.row_index(state, event) for event in range(len(table.events))}
            used |= {table.rows[index].key for index in indexes if index >= 0}
    assert [row.key for row in RULES if row.key not in used] == []


def test_every_position_is_reached_in_some_configuration() -> None:
    reached = {state.position for configuration in CONFIGURATIONS for state in table_of(*configuration).states}
    assert set(POSITIONS) - reached == set()


def test_every_refused_verdict_of_the_rows_is_met_somewhere() -> None:
    reasons = set()
    for configuration in CONFIGURATIONS:
        table = table_of(*configuration)
        reasons |= {why for state in range(len(table.states)) for _, why in table.refusals(state)}
    for refusal in VERDICT_REFUSALS:
        assert any(refusal.why in reason for reason in reasons), refusal


def ways_back(table: Table) -> dict[int, set[int]]:
    """For each state, the states one step before it."""
    before: dict[int, set[int]] = {state: set() for state in range(len(table.states))}
    for state in range(len(table.states)):
        for event in range(len(table.events)):
            if (target := table.next_or_none(state, event)) >= 0:
                before[target].add(state)
    return before


def can_reach(table: Table, ends: set[int]) -> set[int]:
    before, found = ways_back(table), set(ends)
    waiting = list(ends)
    while waiting:
        for state in before[waiting.pop()] - found:
            found.add(state)
            waiting.append(state)
    return found


def test_no_state_is_a_trap_but_the_closed_socket() -> None:
    for configuration in CONFIGURATIONS:
        table = table_of(*configuration)
        everything = set(range(len(table.states)))
        dead = {state for state in everything if not table.moves(state)}
        idle = {state for state in everything if not table.states[state].stimulus}
        assert can_reach(table, idle) == everything, "work that does not end"
        if table.view.name == "dropped_port":
            # The host has one idle state, and all work comes back to it: it is never finished and never stuck.
            assert idle == {table.start} and not dead
            continue
        closed = {state for state in everything if table.register(state, "socket") == "CLOSED"}
        assert dead == closed and len(closed) == 1
        assert can_reach(table, closed) == everything
        for state in idle - closed:
            assert can_reach(table, {state}) > {state}, f"{table.name_of(state)} is never entered again"


def test_work_on_a_stimulus_ends_whatever_the_verdicts_are() -> None:
    for configuration in CONFIGURATIONS:
        table = table_of(*configuration)
        verdicts = [table.event_ids[verdict] for verdict in VERDICTS]
        for state in range(len(table.states)):
            front, steps = {state}, 0
            while front := {
                target
                for here in front
                if table.layer(here) is not None
                for event in verdicts
                if (target := table.next_or_none(here, event)) >= 0
            }:
                steps += 1
                assert steps <= 12, f"{table.name_of(state)} goes in a circle"


def all_paths(table: Table) -> Iterator[tuple[int, list[Step]]]:
    """Every way in which any stimulus can be worked off from any idle state, whatever the verdicts are."""
    verdicts = [table.event_ids[verdict] for verdict in VERDICTS]

    def onwards(state: int, path: list[Step]) -> Iterator[list[Step]]:
        if table.layer(state) is None:
            yield path
            return
        for event in verdicts:
            if (target := table.next_or_none(state, event)) >= 0:
                yield from onwards(target, [*path, table.recorded(state, event)])

    for state in range(len(table.states)):
        if table.layer(state) is None:
            for stimulus in table.view.stimuli:
                event = table.event_ids[stimulus]
                if (target := table.next_or_none(state, event)) >= 0:
                    for path in onwards(target, [table.recorded(state, event)]):
                        yield state, path


def last_word(path: list[Step], name: str) -> str:
    return next((said for step in reversed(path) if (said := getattr(step, name))), "")


def flow_of(state: str) -> str:
    return state.split(" ")[0].split("/")[-1]


def account(path: list[Step]) -> list[str]:
    """What does not add up on one path: the datagram's fate, the flow's register and operations, what is said."""
    ops = [op for step in path for op in step.ops]
    stimulus, outcome, wrong = path[0].stimulus, last_word(path, "outcome"), []
    fates = [op for op in ops if op in ("lose", "emit", "deliver", "socket_error", "emit_icmp")]
    blocked = any(s.verdict in ("block", "absorb") and not s.layer.endswith("_DISCARD") for s in path)
    expected = {
        "sendto": {"sent": ["emit"], "blocked": ["lose"], "silent": ["lose"]},
        "datagram": {"delivered": ["deliver"], "blocked": ["lose"], "silent": ["lose"]},
        "icmp_error": {"icmp_error": ["socket_error"], "blocked": ["lose"], "silent": ["lose"] if blocked else []},
    }
    expected["icmp_ttl"] = expected["icmp_error"]
    if path[0].from_state.startswith("NO_SOCKET"):
        # The datagram is lost in any case; its ICMP error, where one is made, is sent or lost.
        made = any("OUTBOUND_ICMP_ERROR" in step.layer for step in path)
        allowed = [["lose", "emit_icmp"]] if outcome == "icmp_error" else [["lose", "lose"]] if made else [["lose"]]
        if not outcome or fates not in allowed or (outcome == "icmp_error" and not made):
            wrong.append(f"{outcome} with {fates}")
    elif stimulus in expected and fates != expected[stimulus].get(outcome, ["?"]):
        wrong.append(f"{outcome or 'no outcome'} with {fates}")
    for step in path:
        before, after = flow_of(step.from_state), flow_of(step.to_state)
        changes = {
            "create_flow": before == "NONE" and after in ("OUT", "IN"),
            "drop_flow": before != "NONE" and after == "NONE" and "CLOSED" not in step.to_state,
            "mark_stale": before in ("OUT", "IN") and after == f"{before}_STALE",
            "touch": "DATAGRAM_DATA" in step.layer and "DISCARD" not in step.layer and step.verdict == "permit",
            "emit": step.stimulus == "sendto"
            and step.layer[11:] == "OUTBOUND_IPPACKET_V4"
            and step.verdict == "permit",
            "drop_all_flows": step.from_state.startswith("BOUND") and step.to_state.startswith("CLOSED"),
        }
        wrong += [
            f"{step.rule}: {op} and {before} to {after}" for op, is_so in changes.items() if is_so != (op in step.ops)
        ]
        if (step.discard is None) != (not step.layer.endswith("_DISCARD")):
            wrong.append(f"{step.rule}: discard reason at {step.layer}")
    spoken = stimulus not in ("policy_change", "idle_timeout")
    if bool(last_word(path, "application_sees")) != spoken:
        wrong.append(f"the application sees {last_word(path, 'application_sees')!r}")
    if stimulus in ("sendto", "datagram", "icmp_error", "icmp_ttl") and not last_word(path, "remote_sees"):
        # A bind refused inside a send never gets near the remote.
        wrong += ["nothing is said of the remote"] * (outcome != "blocked" or "bind" not in path[-1].position)
    if not any(step.layer for step in path) and (ops and spoken and "drop_all_flows" not in ops):
        wrong.append("operations without a layer")
    return [f"{path[0].from_state}: {' '.join(s.event for s in path)}: {each}" for each in wrong]


@pytest.mark.parametrize("windows", ["vista", "11"])
@pytest.mark.parametrize("view", VIEWS)
def test_on_every_path_the_fate_of_the_datagram_and_the_flow_add_up(view: str, windows: str) -> None:
    wrong: dict[str, None] = {}
    count = 0
    for options in combinations(view):
        for _, path in all_paths(table_of(view, 4, windows, options)):
            wrong |= dict.fromkeys(account(path))
            count += 1
    assert not wrong, f"{len(wrong)} paths:\n" + "\n".join(list(wrong)[:25])
    assert count > 100


def test_no_event_is_logged_and_no_discard_layer_follows_where_an_absorb_ends_the_path() -> None:
    """FACTS b.3."""
    for view in VIEWS:
        for options in combinations(view):
            for _, path in all_paths(table_of(view, 4, "11", options)):
                for index, step in enumerate(path):
                    if step.verdict == "absorb":
                        assert index == len(path) - 1 and step.logged == () and step.outcome == "silent", step


def test_after_a_block_only_the_discard_twin_follows() -> None:
    """FACTS b.4; the discards of the stack itself (13, 1) are no twins of a block."""
    for view in VIEWS:
        for options in combinations(view):
            for _, path in all_paths(table_of(view, 4, "11", options)):
                for index, step in enumerate(path):
                    if step.verdict == "block" and not step.layer.endswith("_DISCARD"):
                        after = [s.layer for s in path[index + 1 :]]
                        assert after in ([], [f"{step.layer}_DISCARD"]), step.rule
                        assert bool(after) != ("_REDIRECT_" in step.layer), step.rule


def test_permit_is_possible_at_every_layer() -> None:
    for configuration in CONFIGURATIONS:
        table = table_of(*configuration)
        for state in range(len(table.states)):
            assert table.layer(state) is None or "permit" in table.moves(state), table.name_of(state)


def test_rows_that_no_layer_sees_stand_at_idle_only() -> None:
    for row in RULES:
        assert (row.layer is None) == (row.at == "idle"), row.key


def test_ip_version_changes_the_layers_and_nothing_else() -> None:
    for view, _, windows, options in (c for c in CONFIGURATIONS if c[1] == 4):
        four, six = table_of(view, 4, windows, options), table_of(view, 6, windows, options)
        assert four.names == six.names and four.rows == six.rows
        for state in range(len(four.states)):
            a, b = four.layer(state), six.layer(state)
            assert (a is None) == (b is None)
            if a is not None and b is not None:
                assert a.fwpm_name.replace("_V4", "_V6") == b.fwpm_name


@pytest.mark.parametrize("view", VIEWS)
def test_no_layer_is_visited_on_a_windows_that_lacks_it(view: str) -> None:
    for _, ip, windows, options in (c for c in CONFIGURATIONS if c[0] == view):
        table = table_of(view, ip, windows, options)
        for state in range(len(table.states)):
            layer = table.layer(state)
            assert layer is None or layer.exists_on(windows), (windows, layer)


@pytest.mark.parametrize(("view", "evidence"), PINNED)
def test_counts_of_states_rows_and_cells_are_the_pinned_ones(view: str, evidence: str) -> None:
    table = compile_table(view, configure(evidence=evidence))
    possible = sum(len(table.moves(state)) for state in range(len(table.states)))
    refused = sum(len(table.refusals(state)) for state in range(len(table.states)))
    assert (len(table.states), len(table.rows), possible, refused) == PINNED[view, evidence]
    assert possible + refused == len(table.states) * len(table.events)


def test_the_number_of_rows_is_the_pinned_one() -> None:
    assert len(RULES) == ALL_ROWS
    assert len({row.key for row in RULES}) == len(RULES)


def test_every_row_has_a_citation_and_a_basis_that_fits_it() -> None:
    for row in RULES:
        assert row.cite, row.key
        assert row.basis in ("documented", "observed", "inferred")
        if row.cite == ("INFERRED",):
            assert row.basis == "inferred", row.key


def test_the_table_refuses_what_the_machine_refuses_with_an_exception_and_stays_put() -> None:
    table = compile_table("sender", configure())
    for state in range(len(table.states)):
        for number, event in enumerate(table.events):
            if table.next_or_none(state, number) < 0:
                with pytest.raises(NoTransition) as caught:
                    table.step(state, number)
                text = str(caught.value)
                assert event in text and table.name_of(state) in text and "Possible here" in text
