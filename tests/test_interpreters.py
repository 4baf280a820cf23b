"""Three interpreters of the same rows agree: compiled table, `transitions` machine, and a slow reader of the rows.

Every cell (state x event), refusals and classify flags included, of every machine: each IP version x Windows x order
of evidence, each single option of each choice at each IP version and Windows, and each combination of options that
any row asks for. Machines with equal rows and flags are compared once. `-m slow` adds every pair of options.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import networkx as nx
import pytest
import slow_reader
from slow_reader import Moved, Refused, SlowReader, Where
from transitions import Machine, MachineError

from fsm import catalogue
from fsm.choices import CHOICES, Config, configure
from fsm.errors import NoTransition
from fsm.machine import build_machine
from fsm.names import EVIDENCE, IP_VERSIONS, VERDICTS, WINDOWS
from fsm.rules import FLAG_WINDOWS, RULES, SETTING_FLAGS, VERDICT_REFUSALS
from fsm.stimuli import POSITIONS, STIMULI, VIEWS
from fsm.table import Step, Table, compile_table, rows_of

DUAL, CLOSING = {"dual_stack": "yes"}, {"close": "closure_release"}

# A tripwire: (endpoint, options) -> states, rows, cells with a row, cells without. Look before you change a number.
# A sender has twice the states of one whose sends to groups are never held: what is held for a group and what is held
# for a peer have nothing to do with each other, so every state of the one goes with every state of the other.
PINNED = [
    ("sender", {}, (3968, 245, 13983, 124897)),
    ("sender", {"windows": "vista"}, (2117, 159, 5879, 68216)),
    ("sender", {"windows": "7"}, (3968, 244, 13839, 125041)),
    ("sender", {"evidence": "documented"}, (4352, 249, 15447, 136873)),
    ("sender", {"evidence": "observed"}, (4352, 249, 15447, 136873)),
    ("sender", {"assume": DUAL}, (3982, 267, 14026, 125344)),
    ("sender", {"assume": {**DUAL, **CLOSING}}, (4558, 272, 15682, 143848)),
    ("sender", {"assume": {"bind_reauthorization": "on_modification"}}, (3969, 247, 13985, 124930)),
    ("receiver", {}, (307, 245, 921, 7982)),
    ("receiver", {"windows": "vista"}, (251, 159, 675, 6604)),
    ("receiver", {"evidence": "documented"}, (339, 249, 1041, 8790)),
    ("receiver", {"assume": DUAL}, (315, 267, 949, 8186)),
    ("receiver", {"assume": {"recv_accept_completion": "reauthorize"}}, (301, 249, 905, 7824)),
    ("dropped_port", {}, (13, 25, 31, 73)),
    ("dropped_port", {"evidence": "observed"}, (13, 26, 31, 73)),
    ("dropped_port", {"assume": {"no_listener": "both"}}, (15, 27, 35, 85)),
    ("dropped_port", {"assume": {"inbound_transport_without_listener": "present"}}, (17, 30, 41, 95)),
]
ALL_ROWS = 433


def asked_for(view: str) -> list[str]:
    """The choices that some row of this endpoint, or some flag, asks for."""
    by_rows = {name for row in RULES if row.scope in VIEWS[view].scopes for name, _ in row.choices}
    return [name for name in CHOICES if name in by_rows or any(name == flag.choice for flag in SETTING_FLAGS)]


def options_of(name: str) -> list[str]:
    """Every option of a choice but the one that `--evidence base` takes."""
    return [option for option in CHOICES[name].option_names() if option != CHOICES[name].default("base")]


def shape(view: str, config: Config) -> tuple[object, ...]:
    """What makes a machine: its rows, IP version and flags."""
    here = WINDOWS.index(config.windows)
    flags = [WINDOWS.index(since) <= here <= WINDOWS.index(to or "11") for since, to in FLAG_WINDOWS.values()]
    settings = [config.choice(flag.choice) == flag.option for flag in SETTING_FLAGS]
    return config.ip, tuple(id(row) for row in rows_of(VIEWS[view], config)), tuple(flags), tuple(settings)


def distinct(view: str, configs: Iterable[Config]) -> list[Config]:
    """The first configuration of each shape."""
    found: dict[tuple[object, ...], Config] = {}
    for config in configs:
        found.setdefault(shape(view, config), config)
    return list(found.values())


def wanted(view: str) -> Iterator[Config]:
    """All the configurations that the three interpreters are to agree on."""
    for ip, windows in itertools.product(IP_VERSIONS, WINDOWS):
        for evidence in EVIDENCE:
            yield configure(ip=ip, windows=windows, evidence=evidence)
        for name in CHOICES:
            for option in options_of(name):
                yield configure(ip=ip, windows=windows, assume={name: option})
    for row in RULES:  # a row may need two choices, which no single deviation gives
        for options in itertools.product(*(options for _, options in row.choices)):
            names = [name for name, _ in row.choices]
            yield configure(windows=row.until or "11", assume=dict(zip(names, options, strict=True)))


@lru_cache(maxsize=8)
def machines(view: str) -> tuple[Config, ...]:
    return tuple(distinct(view, wanted(view)))


def pairs(view: str) -> list[Config]:
    """Every pair of options of two choices, on the oldest and the newest Windows."""
    names = asked_for(view)
    return distinct(
        view,
        (
            configure(windows=windows, assume={one: a, two: b})
            for windows in ("vista", "11")
            for one, two in itertools.combinations(names, 2)
            for a in CHOICES[one].option_names()
            for b in CHOICES[two].option_names()
        ),
    )


def compiled(view: str, config: Config) -> Table:
    """A table that is forgotten again: there are many, and the cache would keep them all."""
    table: Table = compile_table.__wrapped__(view, config)
    return table


def tables(view: str, keep: Callable[[Config], bool] = lambda config: True) -> Iterator[Table]:
    """The tables of this endpoint, one at a time."""
    for config in machines(view):
        if keep(config):
            yield compiled(view, config)


def old_and_new(config: Config) -> bool:
    """IPv4 on the oldest and the newest Windows: what differs elsewhere is tested by cell."""
    return config.ip == 4 and config.windows in ("vista", "8", "11")


def reader_of(view: str, config: Config) -> SlowReader:
    return SlowReader(view, ip=config.ip, windows=config.windows, evidence=config.evidence, assumed=dict(config.assume))


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


def arrows(machine: Machine) -> set[tuple[str, str]]:
    """(state, event) of every transition that the machine has."""
    return {
        (source, name)
        for name, event in machine.events.items()
        for source, transitions in event.transitions.items()
        if transitions
    }


def disagreements(table: Table, reader: SlowReader, machine: Machine, *, refused_too: bool = False) -> list[str]:
    """Every cell on which the three do not agree, as one line each.

    The machine is triggered in every cell where it has a transition, with `refused_too` in all others as well.
    """
    found = []
    numbers, has, agreed = places(table), arrows(machine), set[object]()
    reached = dict(reader.reachable())
    if set(reached) != set(numbers):
        found.append(f"states differ: {sorted(w.name() for w in set(reached) ^ set(numbers))}")
    for where, answers in reached.items():
        if where not in numbers:
            continue
        state, name = numbers[where], where.name()
        if table.names[state] != name:
            found.append(f"{table.names[state]} is called {name}")
        layer, flags = reader.classify(where)
        mine = table.layer(state)
        if (mine.fwpm_name if mine else "") != layer:
            found.append(f"{name}: layer {mine} or {layer}")
        if len(table.flags(state)) != len(flags) or set(table.flags(state)) != flags:
            found.append(f"{name}: flags {table.flags(state)} or {sorted(flags)}")
        possible = set()
        for number, event in enumerate(table.events):
            answer, target = answers[event], table.next_or_none(state, number)
            asked = refused_too or (name, event) in has
            by_machine = trigger(machine, name, event) if asked else None
            if isinstance(answer, Moved):
                possible.add(event)
                step = table.recorded(state, number) if target >= 0 else None
                ends = {answer.to.name(), table.names[target] if target >= 0 else "refused", by_machine}
                seen = (step.rule, step.layer, frozenset(step.flags)) if step else ()
                if len(ends) > 1 or seen != (answer.row, answer.layer, answer.flags):
                    found.append(f"{name}, {event}: {answer} or {seen} to {ends}")
            else:
                reason = table.why_not(state, event)
                fits = (reason, answer.words) in agreed or says(reason, answer)
                if fits:
                    agreed.add((reason, answer.words))
                if target >= 0 or by_machine is not None or not reason or not fits:
                    found.append(f"{name}, {event}: refused because of {answer.words}, or {reason!r}, or {by_machine}")
        if possible != set(table.moves(state)):
            found.append(f"{name}: possible {possible} or {table.moves(state)}")
    return found


def compare(view: str, configs: Iterable[Config]) -> int:
    """The number of cells on which the three agree."""
    compared = 0
    built: dict[tuple[object, ...], Machine] = {}
    for config in configs:
        table = compiled(view, config)
        # A machine knows names and arrows only: where IPv6 has those of IPv4, it is the same machine.
        made_of = (table.names, tuple(map(tuple, table._next)))
        machine = built.pop(made_of, None)
        if machine is None:
            machine = built[made_of] = build_machine(table)
        found = disagreements(table, reader_of(view, config), machine)
        assert not found, f"{view}, {config}:\n" + "\n".join(found[:20])
        compared += len(table.states) * len(table.events)
    return compared


# Pieces of about equal work, so that two workers share it.
PIECES = [*(("receiver", part) for part in range(2)), ("dropped_port", 0), *(("sender", part) for part in range(8))]


@pytest.mark.parametrize(("view", "part"), PIECES)
def test_three_interpreters_agree_on_every_cell_of_every_machine(view: str, part: int) -> None:
    parts = sum(name == view for name, _ in PIECES)
    mine = sorted(machines(view), key=lambda config: (config.windows, config.evidence, config.assume, config.ip))
    first, last = (len(mine) * n // parts for n in (part, part + 1))
    assert compare(view, mine[first:last]) > {"sender": 300_000, "receiver": 200_000, "dropped_port": 1_000}[view]


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_three_interpreters_agree_on_every_pair_of_options(view: str, request: pytest.FixtureRequest) -> None:
    if "slow" not in request.config.option.markexpr:
        pytest.skip("a minute and a half; run it with -m slow")
    assert compare(view, pairs(view)) > 1_000


@pytest.mark.parametrize("view", VIEWS)
def test_the_transitions_machine_refuses_where_it_has_no_transition(view: str) -> None:
    for config in (configure(), configure(windows="vista", evidence="documented")):
        table = compile_table(view, config)
        assert not disagreements(table, reader_of(view, config), build_machine(table), refused_too=True)


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_the_slow_reader_chooses_what_each_order_of_preference_chooses(evidence: str) -> None:
    config = configure(evidence=evidence)
    assert {name: config.choice(name) for name in CHOICES} == reader_of("sender", config).chosen


def test_the_comparison_finds_a_machine_that_differs_in_one_cell() -> None:
    table = compile_table("sender", configure())
    machine = build_machine(table)
    machine.get_transitions("block", "BOUND/NONE sendto@send.authorize")[0].dest = "BOUND/NONE"
    found = disagreements(table, reader_of("sender", table.config), machine)
    assert len(found) == 1 and "BOUND/NONE sendto@send.authorize, block" in found[0]


def test_the_comparison_finds_a_machine_without_one_transition_and_one_with_one_too_many() -> None:
    table = compile_table("receiver", configure())
    machine = build_machine(table)
    machine.remove_transition("block", "BOUND/NONE datagram@receive.accept")
    machine.add_transition("bind", "BOUND/IN", "BOUND/NONE")
    found = disagreements(table, reader_of("receiver", table.config), machine)
    assert len(found) == 2
    assert any("BOUND/NONE datagram@receive.accept, block" in line for line in found)
    assert any("BOUND/IN, bind" in line for line in found)


def test_the_comparison_finds_a_reader_without_one_row() -> None:
    table = compile_table("receiver", configure())
    reader = reader_of("receiver", table.config)
    reader.rows = [row for row in reader.rows if row.key != "receive.data.absorb"]
    assert any("receive.data, absorb" in line for line in disagreements(table, reader, build_machine(table)))


def test_the_comparison_finds_a_flag_too_many() -> None:
    table = compile_table("receiver", configure())
    reader = reader_of("receiver", configure(assume={"path": "loopback"}))
    found = disagreements(table, reader, build_machine(table))
    assert any("flags () or ['IS_LOOPBACK']" in line for line in found)


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


def test_the_machines_are_all_of_them() -> None:
    """A machine of every Windows, order and single option has the shape of one that is compared."""
    for view in VIEWS:
        shapes = {shape(view, config) for config in machines(view)}
        assert len(shapes) == len(machines(view))
        for ip, windows in itertools.product(IP_VERSIONS, WINDOWS):
            for evidence in EVIDENCE:
                assert shape(view, configure(ip=ip, windows=windows, evidence=evidence)) in shapes
        assert len({config.ip for config in machines(view)}) == 2
    assert len(machines("sender")) >= 80
    by_rows = {name for row in RULES for name, _ in row.choices} | {flag.choice for flag in SETTING_FLAGS}
    of_machines = {name for name, choice in CHOICES.items() if choice.about == "machine"}
    assert by_rows == of_machines, "a choice that no row and no flag asks for"


def test_a_shape_is_all_that_a_machine_depends_on() -> None:
    """What is compared once stands for all of its shape: tables of equal shape are equal, flags and names too."""
    first: dict[tuple[object, ...], Table] = {}
    for config in itertools.islice(wanted("receiver"), 0, None, 5):
        table, key = compiled("receiver", config), shape("receiver", config)
        like = first.setdefault(key, table)
        assert (like.names, like.rows) == (table.names, table.rows)
        assert (like._flags, like._layers) == (table._flags, table._layers)


@pytest.mark.parametrize("view", VIEWS)
def test_a_choice_that_nothing_asks_for_changes_nothing(view: str) -> None:
    plain = compile_table(view, configure())
    for name in set(CHOICES) - set(asked_for(view)):
        for option in CHOICES[name].option_names():
            other = compile_table(view, configure(assume={name: option}))
            assert (other.rows, other.names) == (plain.rows, plain.names)
            assert other._flags == plain._flags


# What must be assumed besides, so that an option makes a difference.
BESIDES = {"icmp_echo_flow": {"protocol": "icmp_echo"}, "udp_local_redirect": {"redirect_target": "local_process"}}
# On the host's side these flags belong to layers of a socket.
NOT_SEEN = {("dropped_port", "wildcard_bind")}


@pytest.mark.parametrize("view", VIEWS)
def test_every_option_that_is_asked_for_changes_the_table_or_its_flags(view: str) -> None:
    for name in asked_for(view):
        if (view, name) in NOT_SEEN:
            continue
        seen = []
        for option in CHOICES[name].option_names():
            table = compile_table(view, configure(assume={**BESIDES.get(name, {}), name: option}))
            seen.append((tuple(row.key for row in table.rows), tuple(table._flags)))
        # On the host's side all protocols that have no ports are alike, on a socket's IGMP is as UDP.
        alike = {"dropped_port": 2, "sender": 1, "receiver": 1}[view] if name == "protocol" else 0
        assert len(set(seen)) == len(seen) - alike, name


def test_every_row_is_used_and_every_position_reached_in_some_machine() -> None:
    used: set[str] = set()
    reached: set[str] = set()
    for view in VIEWS:
        for config in machines(view):
            if all(row.key in used for row in rows_of(VIEWS[view], config)):
                continue  # nothing new can be found there
            table = compiled(view, config)
            reached |= {state.position for state in table.states}
            for state in range(len(table.states)):
                indexes = {table.row_index(state, event) for event in range(len(table.events))}
                used |= {table.rows[index].key for index in indexes if index >= 0}
    assert [row.key for row in RULES if row.key not in used] == []
    assert set(POSITIONS) - reached == set()


def test_every_refused_verdict_of_the_rows_is_met_somewhere() -> None:
    reasons = set()
    again = {**CLOSING, "bind_reauthorization": "on_modification"}
    for view, options in (("sender", CLOSING), ("sender", again), ("dropped_port", {})):
        table = compile_table(view, configure(assume=options))
        reasons |= {why for state in range(len(table.states)) for _, why in table.refusals(state)}
    for refusal in VERDICT_REFUSALS:
        assert any(refusal.why in reason for reason in reasons), refusal


def graph_of(table: Table) -> nx.DiGraph[int]:
    """Which state comes after which."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(table.states)))
    for state in graph:
        for event in range(len(table.events)):
            if (target := table.next_or_none(state, event)) >= 0:
                graph.add_edge(state, target)
    return graph


def can_reach(graph: nx.DiGraph[int], ends: set[int]) -> set[int]:
    """The states from which some end can be reached, the ends included."""
    found, waiting = set(ends), list(ends)
    while waiting:
        for state in graph.predecessors(waiting.pop()):
            if state not in found:
                found.add(state)
                waiting.append(state)
    return found


@pytest.mark.parametrize("view", VIEWS)
def test_no_state_is_a_trap_but_the_closed_socket(view: str) -> None:
    for table in tables(view, lambda config: config.ip == 4):
        graph = graph_of(table)
        everything = set(graph)
        dead = {state for state in everything if not table.moves(state)}
        idle = {state for state in everything if not table.states[state].stimulus}
        assert can_reach(graph, idle) == everything, "work that does not end"
        if view == "dropped_port":
            # The host has one idle state, and all work comes back to it: it is never finished and never stuck.
            assert idle == {table.start} and not dead
            continue
        closed = {state for state in everything if table.register(state, "socket") == "CLOSED"}
        assert dead == closed and len(closed) == 1
        assert can_reach(graph, closed) == everything
        again = {state for part in nx.strongly_connected_components(graph) if len(part) > 1 for state in part}
        again |= {state for state, _ in nx.selfloop_edges(graph)}
        again |= {state for state in idle if table.register(state, "socket") == "CLOSE_PENDED"}  # on the way to the end
        assert idle - closed <= again, f"never entered again: {[table.name_of(s) for s in idle - closed - again]}"


@pytest.mark.parametrize("view", VIEWS)
def test_work_on_a_stimulus_ends_whatever_the_verdicts_are(view: str) -> None:
    for table in tables(view, old_and_new):
        graph = graph_of(table)
        graph.remove_nodes_from([state for state in graph if table.layer(state) is None])
        assert nx.is_directed_acyclic_graph(graph), "goes in a circle"
        assert nx.dag_longest_path_length(graph) <= 9  # an implicit dual-stack bind and a first send


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


GROUP_ESTABLISHED = ("send.group_establish", "send.group_complete_establish")
CURSOR = re.compile(r" \S+@\S+$")


def flow_of(state: str) -> str:
    return CURSOR.sub("", state).split("/")[-1]


Fates = dict[str, list[list[str]]]  # outcome -> the fates of the datagram that go with it

FATES = ("lose", "emit", "deliver", "socket_error", "emit_icmp")
LOST: Fates = {"blocked": [["lose"]], "silent": [["lose"]]}
# Nobody keeps what was pended, unless the callout has cloned it: the datagram is queued or lost.
SENT: Fates = {"sent": [["emit"]], "pended": [[], ["lose"]], **LOST}
RECEIVED: Fates = {"delivered": [["deliver"]], "pended": [[], ["lose"]], **LOST}
HEARD: Fates = {"icmp_error": [["socket_error"]], **LOST}
NO_DATAGRAM: Fates = {"": [[]], "blocked": [[]], "pended": [[]]}
EXPECTED: dict[str, Fates] = {
    **dict.fromkeys(("sendto", "sendto_group", "inject_send"), SENT),
    **dict.fromkeys(("datagram", "datagram_group", "inject_receive"), RECEIVED),
    **dict.fromkeys(("icmp_error", "icmp_ttl"), HEARD),
    **dict.fromkeys(("bind", "connect", "connect_other", "protection_level", "close"), NO_DATAGRAM),
    "complete": {
        "": [[]], "blocked": [[], ["lose"]], "silent": [["lose"]], "pended": [[]],
        "sent": [["emit"]], "delivered": [["deliver"]],
    },
    "complete_block": {"blocked": [[], ["lose"]]},
    "complete_group": {"sent": [["emit"]], "blocked": [["lose"]], "silent": [["lose"]], "pended": [[]]},
    "complete_group_block": {"blocked": [["lose"]]},
}  # fmt: skip
QUIET = {name for name, stimulus in STIMULI.items() if "flow" in stimulus.scopes} | {
    "window_timeout",
    "protection_level",  # what setsockopt returns is not documented
}


def account(path: list[Step]) -> list[str]:
    """What does not add up on one path: the datagram's fate, the flow's register and operations, what is said."""
    ops = [op for step in path for op in step.ops]
    stimulus, outcome, wrong = path[0].stimulus, last_word(path, "outcome"), []
    fates = [op for op in ops if op in FATES]
    ignored = any("SIO_UDP_" in step.application_sees for step in path)
    if path[0].from_state.startswith("NO_SOCKET"):
        # The datagram is lost in any case; its ICMP error, where one is made, is sent or lost.
        made = any("OUTBOUND_ICMP_ERROR" in step.layer for step in path)
        allowed = [["lose", "emit_icmp"]] if outcome == "icmp_error" else [["lose", "lose"]] if made else [["lose"]]
        if not outcome or fates not in allowed or (outcome == "icmp_error" and not made):
            wrong.append(f"{outcome} with {fates}")
    elif stimulus in QUIET - {"protection_level"}:
        wrong += [f"{outcome} with {fates}"] if outcome or fates else []
    elif fates not in ([[]] if ignored else EXPECTED[stimulus].get(outcome, [])):
        wrong.append(f"{outcome or 'no outcome'} with {fates}")
    for step in path:
        before, after = flow_of(step.from_state), flow_of(step.to_state)
        live = before in ("OUT", "IN", "OUT_STALE", "IN_STALE")
        permits, at = step.verdict == "permit", step.position
        # The clone of a pended datagram comes in afresh, unless completion authorizes the flow again.
        cloned = step.from_state.startswith("BOUND") and "reauthorize" not in step.rule
        changes = {
            "create_flow": before == "NONE" and after in ("OUT", "IN"),
            # Each echo request has a flow of its own key: the former one is left to its timer.
            "drop_flow": live and after == "NONE" and "CLOSED" not in step.to_state and "per_request" not in step.rule,
            # A stale flow that gets one more reason stays stale.
            "mark_stale": (before in ("OUT", "IN") and after == f"{before}_STALE")
            or (
                before == after
                and before.endswith("_STALE")
                and dict(STIMULI[stimulus].attributes).get("stale") == "yes"
            ),
            "touch": at in ("send.data", "receive.data") and permits and not stimulus.endswith("_group"),
            "touch_window": stimulus in ("sendto_group", "complete_group")
            and permits
            and (at == "send.data" or (at in GROUP_ESTABLISHED and "allow" in step.rule)),
            "emit": at == "send.ippacket" and permits,
            "loop_back": at == "send.ippacket" and permits and stimulus in ("sendto_group", "complete_group"),
            "deliver": at == "receive.data" and permits,
            "queue": step.verdict == "pend",
            "rewrite": step.verdict == "redirect",
            "reinject": not step.layer
            and (stimulus.startswith("inject_") or (cloned and stimulus == "complete" and before == "IN_PENDED")),
            "drop_all_flows": "CLOSED" in step.to_state and not step.from_state.startswith("UNBOUND"),
        }
        wrong += [
            f"{step.rule}: {op} and {before} to {after}" for op, is_so in changes.items() if is_so != (op in step.ops)
        ]
        if (step.discard is None) != (not step.layer.endswith("_DISCARD")):
            wrong.append(f"{step.rule}: discard reason at {step.layer}")
        if not step.layer and set(step.ops) & {"emit", "deliver", "touch", "create_flow", "socket_error", "emit_icmp"}:
            wrong.append(f"{step.rule}: {step.ops} without a layer")
    if bool(last_word(path, "application_sees")) != (stimulus not in QUIET):
        wrong.append(f"the application sees {last_word(path, 'application_sees')!r}")
    about_packets = stimulus in STIMULI and STIMULI[stimulus].packet_direction
    if about_packets and not last_word(path, "remote_sees"):
        # A bind refused or held inside a send never gets near the remote.
        wrong += ["nothing is said of the remote"] * ("bind" not in path[-1].position)
    return [f"{path[0].from_state}: {' '.join(s.event for s in path)}: {each}" for each in wrong]


@pytest.mark.parametrize("old", [True, False], ids=["old", "new"])
@pytest.mark.parametrize("view", VIEWS)
def test_on_every_path_the_fate_of_the_datagram_and_the_flow_add_up(view: str, old: bool) -> None:
    def wanted_here(config: Config) -> bool:
        # Windows 7 goes a way of its own where a callout redirects to a local process.
        seven = config.windows == "7" and config.ip == 4 and config.choice("redirect_target") == "local_process"
        return (old_and_new(config) or seven) and (config.windows == "vista") == old

    wrong: dict[str, None] = {}
    count = 0
    for table in tables(view, wanted_here):
        for _, path in all_paths(table):
            wrong |= dict.fromkeys(account(path))
            count += 1
    assert not wrong, f"{len(wrong)} paths:\n" + "\n".join(list(wrong)[:25])
    assert count > 100


def test_no_event_is_logged_and_no_discard_layer_follows_where_an_absorb_ends_the_path() -> None:
    """Fact b.3."""
    for view in VIEWS:
        for table in tables(view, old_and_new):
            for row in table.rows:
                if row.event == "absorb":
                    assert (row.next, row.logged, row.outcome) == ("done", (), "silent"), row.key


def test_what_is_pended_is_not_logged_and_goes_on_nowhere() -> None:
    """Fact a.12.1: a pend is a block with absorb, so nothing is discarded and nothing is audited."""
    for row in RULES:
        if row.event == "pend":
            assert (row.next, row.logged, row.outcome) == ("done", (), "pended"), row.key


def test_after_a_block_only_the_discard_twin_follows() -> None:
    """Fact b.4; the discards of the stack itself (13, 1) are no twins of a block."""
    for view in VIEWS:
        for table in tables(view, old_and_new):
            event = table.event_ids["block"]
            for state in range(len(table.states)):
                target, layer = table.next_or_none(state, event), table.layer(state)
                if target < 0 or layer is None or layer.is_discard:
                    continue
                after = table.layer(target)
                assert (after.fwpm_name if after else None) == layer.discard_twin, table.name_of(state)
                assert (after is None) == ("_REDIRECT_" in layer.fwpm_name), table.name_of(state)
                if after is not None:
                    ends = {table.next_or_none(target, table.event_ids[v]) for v in ("permit", "block")}
                    assert all(table.layer(end) is None for end in ends) and len(ends) == 1


def test_permit_is_possible_at_every_layer() -> None:
    for view in VIEWS:
        for table in tables(view, old_and_new):
            permit = table.event_ids["permit"]
            for state in range(len(table.states)):
                assert table.layer(state) is None or table.next_or_none(state, permit) >= 0, table.name_of(state)


def test_a_reauthorization_can_never_be_pended() -> None:
    """Fact a.11.7: STATUS_FWP_CANNOT_PEND."""
    met = 0
    for view in ("sender", "receiver"):
        for table in tables(view, old_and_new):
            pend = table.event_ids["pend"]
            for state in range(len(table.states)):
                if "IS_REAUTHORIZE" in table.flags(state):
                    met += 1
                    assert table.next_or_none(state, pend) < 0, table.name_of(state)
                    layer = table.layer(state)
                    if layer is not None and "_AUTH_" in layer.fwpm_name and not layer.is_discard:
                        assert "STATUS_FWP_CANNOT_PEND" in table.why_not(state, "pend")
    assert met > 1000


def test_rows_that_no_layer_sees_stand_at_idle_only() -> None:
    for row in RULES:
        assert (row.layer is None) == (row.at == "idle"), row.key


@pytest.mark.parametrize("view", VIEWS)
def test_ip_version_changes_the_layers_and_nothing_else(view: str) -> None:
    """A dual-stack socket keeps the version of those layers that it visits with a fixed one."""
    for four in tables(view, old_and_new):
        config = four.config
        six = compiled(view, configure(ip=6, windows=config.windows, evidence=config.evidence, assume=config.assume))
        assert four.names == six.names and four.rows == six.rows
        for state in range(len(four.states)):
            a, b = four.layer(state), six.layer(state)
            assert (a is None) == (b is None)
            if a is not None and b is not None:
                row = four.rows[four.row_index(state, four.event_ids["permit"])]
                expected = a.fwpm_name if row.ip else a.fwpm_name.replace("_V4", "_V6")
                assert b.fwpm_name == expected and (not row.ip or config.choice("dual_stack") == "yes")


def test_no_layer_is_visited_on_a_windows_that_lacks_it() -> None:
    for row in RULES:
        for windows in WINDOWS:
            for ip in (row.ip,) if row.ip else IP_VERSIONS:
                if row.layer is not None and row.on_windows(windows):
                    assert catalogue.layer_of(row.layer, ip).exists_on(windows), (windows, row.key)


@pytest.mark.parametrize(("view", "options", "counts"), PINNED)
def test_counts_of_states_rows_and_cells_are_the_pinned_ones(
    view: str, options: dict[str, object], counts: tuple[int, ...]
) -> None:
    table = compile_table(view, configure(**options))  # type: ignore[arg-type]
    possible = sum(len(table.moves(state)) for state in range(len(table.states)))
    refused = sum(len(table.refusals(state)) for state in range(len(table.states)))
    assert (len(table.states), len(table.rows), possible, refused) == counts
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
