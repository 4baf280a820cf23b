"""Sessions: the packed composition against a naive one over the raw rows, what the graph answers, what is printed.

`naive_session` shares no code with the package's tables and composition. Pinned counts are a tripwire, not a proof.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import networkx as nx
import pytest
from click.testing import CliRunner
from naive_session import Edge, Joint, Naive

from fsm.choices import configure
from fsm.cli import cli
from fsm.endpoint import ClassifyContext, Endpoint
from fsm.errors import FsmError, NoTransition, TableError, UnknownName
from fsm.graph import (
    DRAWN_NODES,
    Answer,
    graphml_lines,
    layers_from,
    node_of,
    reachable,
    reachable_layer,
    reachable_move,
    session_dot,
    session_graph,
)
from fsm.rules import RULES
from fsm.session import (
    ABOUT_NOBODY,
    ABOUT_WHAT_IS_PENDED,
    DEFAULT_STIMULI,
    NOT_OFFERED,
    Message,
    Session,
    SessionState,
    make_session,
    parse_reach,
)
from fsm.space import StateSpace, explore, summarize
from fsm.stimuli import STIMULI

ROOT = Path(__file__).resolve().parent.parent
ALL = ("deliver", "lose", "duplicate", "reorder")
IN_ORDER = ("deliver", "lose", "duplicate")
# Of the reasons to authorize a flow again two will do: they differ in a bit of the data only.
OTHER_REASONS = [n for n, s in STIMULI.items() if s.per_flow and n not in ("policy_change", "interface_change")]
OFFERED = tuple(name for name in STIMULI if name not in (*NOT_OFFERED, *OTHER_REASONS))
MANY = 1_000_000


@dataclass(frozen=True)
class Case:
    """One session, for the package and for the oracle. `pinned` is (states, edges)."""

    name: str
    pinned: tuple[int, int]
    endpoints: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    cap: int = 1
    stimuli: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ("permit",)
    granularity: str = "stimulus"
    loopback: bool = False
    ip: int = 4
    windows: str = "11"
    evidence: str = "base"
    assume: dict[str, str] = field(default_factory=dict)

    def session(self) -> Session:
        config = configure(ip=self.ip, windows=self.windows, evidence=self.evidence, assume=self.assume)
        return make_session(
            self.endpoints,
            config,
            network=self.network,
            cap=self.cap,
            stimuli=self.stimuli,
            verdicts=self.verdicts,
            granularity=self.granularity,
            loopback=self.loopback,
        )

    def naive(self) -> Naive:
        """Built from what was asked for, not from the package's session: its defaults are said again here."""
        views = [word.partition("@")[0] for word in self.endpoints or ("sender", "receiver", "dropped_port")]
        members = []
        for n, view in enumerate(views):
            before = views[:n].count(view)
            host = 1 if self.loopback or view == "sender" else 2
            members.append((f"{view}{before + 1}" if before else view, view, host))
        default = ("deliver",) if self.loopback else ("deliver", "lose")
        return Naive(
            tuple(members),
            self.network or default,
            self.cap,
            self.stimuli or ("bind", "sendto", "policy_change", "idle_timeout", "close"),
            self.verdicts,
            self.granularity,
            self.ip,
            self.windows,
            self.evidence,
            dict(self.assume),
            self.loopback,
        )


SOME = ("bind", "sendto", "close")
PENDED = ("bind", "sendto", "complete", "complete_block")
PENDED_CONNECT = ("connect", "connect_other", "complete", "complete_block")
PENDED_GROUP = ("sendto_group", "complete_group", "complete_group_block")
GROUP = ("bind", "sendto", "sendto_group", "connect", "connect_other", "window_timeout", "close")
# fmt: off
CASES = [
    Case("default", (605, 5_803)),
    Case("cap 2, everything", (2_361, 26_329), network=ALL, cap=2),
    Case("cap 2, in order", (2_186, 23_962), network=IN_ORDER, cap=2),
    Case("cap 3, in order", (161, 843), ("sender", "receiver"), network=IN_ORDER, cap=3, stimuli=SOME),
    Case("a network that only loses", (93, 662), network=("lose",)),
    Case("block", (82, 1_642), stimuli=SOME, verdicts=("permit", "block")),
    Case("block alone", (4, 12), stimuli=SOME, verdicts=("block",)),
    Case("pend and complete", (164, 1_182), stimuli=PENDED, verdicts=("permit", "pend")),
    Case("pended closure", (36, 120), stimuli=("bind", "close", "complete"), verdicts=("permit", "pend"),
         evidence="documented"),
    Case("pend and complete, group", (1_811, 17_141), ("sender", "receiver"), cap=2,
         stimuli=("bind", "sendto", "complete", *PENDED_GROUP, "window_timeout", "close"), verdicts=("permit", "pend")),
    Case("pended connect", (304, 3_216), ("sender", "receiver", "receiver"), network=("deliver",),
         verdicts=("permit", "pend"), stimuli=("bind", *PENDED_CONNECT, "policy_change")),
    Case("step by step, group pended", (1_029, 5_331), ("sender", "receiver"), stimuli=("bind", *PENDED_GROUP),
         verdicts=("permit", "block", "pend"), granularity="classify"),
    Case("step by step", (6_844, 24_627), stimuli=("bind", "sendto"), granularity="classify"),
    Case("step by step, block", (163, 640), ("sender", "dropped_port"), stimuli=("bind", "sendto"),
         verdicts=("permit", "block"), granularity="classify"),
    Case("loopback", (605, 5_317), loopback=True),
    Case("loopback, group", (1_215, 6_528), ("sender", "receiver"), cap=3,
         stimuli=("bind", "sendto", "sendto_group", "window_timeout", "close"), loopback=True),
    Case("group, connected", (1_203, 11_017), ("sender", "receiver"), network=ALL, cap=2, stimuli=GROUP),
    Case("every stimulus", (1_826, 37_075), ("sender", "receiver"), stimuli=OFFERED),
    Case("two senders", (885, 6_693), ("sender", "sender", "receiver", "dropped_port"), stimuli=SOME),
    Case("two receivers", (1_625, 14_400), ("sender", "receiver", "receiver"),
         stimuli=("bind", "sendto", "idle_timeout", "close")),
    Case("Vista", (605, 5_803), windows="vista"),
    Case("IPv6", (605, 5_803), ip=6),
    Case("documented", (605, 5_803), evidence="documented"),
    Case("observed, Windows 7", (605, 5_803), evidence="observed", windows="7"),
    Case("both discards, no ICMP", (447, 4_298), assume={"no_listener": "both", "icmp_rate_limit": "spent"}),
    Case("dual stack", (605, 5_803), assume={"dual_stack": "yes"}),
    Case("echo", (605, 5_803), assume={"protocol": "icmp_echo", "icmp_echo_flow": "per_request"}),
]
# fmt: on
BY_NAME = {case.name: case for case in CASES}


@cache
def space_of(name: str) -> StateSpace:
    return explore(BY_NAME[name].session(), limit_states=MANY)


@cache
def graph_of(name: str) -> nx.MultiDiGraph[SessionState]:
    return session_graph(space_of(name))


def plain_message(message: Message) -> tuple[str, str, str]:
    return message.kind, message.sender, message.to


def plain_state(session: Session, state: SessionState) -> Joint:
    """A state in the oracle's form."""
    sockets = []
    for member, s in zip(session.sockets, state.sockets, strict=True):
        flows = tuple(zip(session.peers(member), s.flows, strict=True))
        cursor = (s.stimulus, s.position, s.peer) if s.stimulus else ()
        sockets.append((s.socket, s.connected_to, s.window, flows, s.heard, cursor, s.connecting_to))
    hosts = tuple((h.stimulus, h.position, h.port, h.peer) if h.stimulus else () for h in state.hosts)
    return tuple(sockets), hosts, tuple(map(plain_message, state.network))


def plain_graph(space: StateSpace) -> tuple[set[Joint], Counter[tuple[Joint, Edge, Joint]]]:
    states = [plain_state(space.session, space.state(number)) for number in range(len(space))]
    edges: Counter[tuple[Joint, Edge, Joint]] = Counter()
    for number, state in enumerate(states):
        for move, target in space.edges(number):
            steps = tuple((step.position, step.event, step.layer, step.rule) for step in move.steps)
            edge: Edge = (
                move.endpoint, move.view, move.stimulus, move.peer, steps,
                plain_message(move.arrives) if move.arrives else None,
                tuple(map(plain_message, move.emits)), tuple(map(plain_message, move.lost)),
            )  # fmt: skip
            edges[state, edge, states[target]] += 1
    assert len(set(states)) == len(states)
    return set(states), edges


# ---- against the oracle


@pytest.mark.parametrize("name", BY_NAME)
def test_equals_the_naive_composition(name: str) -> None:
    space = space_of(name)
    states, edges = plain_graph(space)
    expected_states, expected_edges = BY_NAME[name].naive().compose()
    assert states == expected_states
    assert edges == expected_edges
    assert space.complete
    assert (len(space), space.edge_count) == BY_NAME[name].pinned


def test_oracle_shares_no_code() -> None:
    text = (ROOT / "tests" / "naive_session.py").read_text(encoding="utf-8")
    modules = set(re.findall(r"^(?:from|import) (fsm[.\w]*)", text, re.M))
    assert modules == {"fsm.choices", "fsm.rows", "fsm.rules", "fsm.stimuli"}


def test_default_is_built_in_under_two_seconds() -> None:
    """In a fresh process, rules and tables included."""
    begin = time.perf_counter()
    code = "from fsm.graph import session_graph; from fsm.session import make_session; session_graph(make_session())"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert time.perf_counter() - begin < 2


def answer_next(verdicts: Iterator[str], context: ClassifyContext) -> str:
    return next(verdicts)


REPLAYED = ["default", "pend and complete", "pend and complete, group", "pended connect", "two senders"]


@pytest.mark.parametrize("name", [*REPLAYED, "two receivers", "every stimulus"])
def test_walks_can_be_replayed_on_endpoints(name: str) -> None:
    """The rules and flows of a walk are those of `fsm.endpoint`, which keeps its peers in another way."""
    space = space_of(name)
    session, chance = space.session, random.Random(name)
    for _ in range(12):
        endpoints = {m.name: Endpoint(m.view, session.config) for m in session.sockets}
        here = 0
        for _ in range(40):
            choices = list(space.edges(here))
            if not choices:
                break
            move, here = chance.choice(choices)
            if move.view in ("", "dropped_port"):
                continue
            endpoint = endpoints[move.endpoint]
            verdicts = iter(move.verdicts)
            endpoint._callouts[:] = [(None, partial(answer_next, verdicts))]
            record = endpoint.run(move.stimulus, move.peer or endpoint.peer)
            assert Counter(step.rule for step in record.steps) == Counter(move.rules), move.label
            for member, socket in zip(session.sockets, space.state(here).sockets, strict=True):
                flows = tuple(endpoints[member.name].flow(peer) for peer in session.peers(member))
                assert flows == socket.flows, (member.name, move.label)


def test_states_of_whole_stimuli_are_found_step_by_step() -> None:
    fine = space_of("step by step")
    coarse = explore(make_session(stimuli=("bind", "sendto")), limit_states=MANY)
    found = {fine.state(number) for number in range(len(fine))}
    assert {coarse.state(number) for number in range(len(coarse))} <= found


@pytest.mark.parametrize("rule", sorted({rule for move in space_of("default").moves for rule in move.rules})[::4])
def test_without_a_rule_the_session_is_another(rule: str) -> None:
    rows = [row for row in RULES if row.key != rule]
    assert len(rows) == len(RULES) - 1
    try:
        less = explore(make_session(), rows=rows, limit_states=MANY)
    except TableError:
        return  # the rows do not compile without it
    assert plain_graph(less) != plain_graph(space_of("default"))


# ---- what must hold on every edge


def edges_where(
    name: str, stimulus: str, flow: str, view: str = "sender"
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """(layers, flags of the first ALE layer) of every edge with this stimulus on a flow in this state."""
    space = space_of(name)
    members = {member.name: number for number, member in enumerate(space.session.sockets)}
    found = []
    for number in range(len(space)):
        state = space.state(number)
        for move, _ in space.edges(number):
            if move.stimulus == stimulus and move.view == view == move.endpoint:
                socket = state.sockets[members[move.endpoint]]
                peers = space.session.peers(space.session.sockets[members[move.endpoint]])
                if socket.socket == "BOUND" and socket.flows[peers.index(move.peer)] == flow:
                    flags = next((step.flags for step in move.classified if "_ALE_" in step.layer), ())
                    found.append((move.layers, flags))
    return found


# fmt: off
REAUTHORIZED = [  # after a policy change the next packet, in either direction, is authorized again at the flow's layer
    ("sender", "sendto", "OUT_STALE", "ALE_AUTH_CONNECT"),
    ("sender", "datagram", "OUT_STALE", "ALE_AUTH_CONNECT"),
    ("sender", "sendto", "IN_STALE", "ALE_AUTH_RECV_ACCEPT"),
    ("sender", "datagram", "IN_STALE", "ALE_AUTH_RECV_ACCEPT"),
    ("receiver", "sendto", "IN_STALE", "ALE_AUTH_RECV_ACCEPT"),
    ("receiver", "datagram", "IN_STALE", "ALE_AUTH_RECV_ACCEPT"),
    ("receiver", "sendto", "OUT_STALE", "ALE_AUTH_CONNECT"),
    ("receiver", "datagram", "OUT_STALE", "ALE_AUTH_CONNECT"),
]
# fmt: on


@pytest.mark.parametrize(("view", "stimulus", "flow", "layer"), REAUTHORIZED)
def test_after_a_policy_change_the_next_packet_reauthorizes(view: str, stimulus: str, flow: str, layer: str) -> None:
    edges = edges_where("default", stimulus, flow, view)
    assert edges
    for layers, flags in edges:
        assert [name for name in layers if "_ALE_" in name] == [f"FWPM_LAYER_{layer}_V4"]
        assert "IS_REAUTHORIZE" in flags


@pytest.mark.parametrize("view", ["sender", "receiver"])
@pytest.mark.parametrize("stimulus", ["sendto", "datagram"])
@pytest.mark.parametrize("flow", ["OUT", "IN"])
def test_a_live_flow_meets_no_ale_layer(view: str, stimulus: str, flow: str) -> None:
    edges = edges_where("default", stimulus, flow, view)
    assert edges
    assert not [layers for layers, _ in edges if any("_ALE_" in name for name in layers)]


@pytest.mark.parametrize("name", ["cap 2, everything", "group, connected", "two senders"])
def test_cap_holds_and_what_is_emitted_into_a_full_network_is_named(name: str) -> None:
    space = space_of(name)
    cap = space.session.cap
    lost = 0
    for number in range(len(space)):
        before = space.state(number).network
        assert len(before) <= cap
        for move, target in space.edges(number):
            after = Counter(space.state(target).network)
            expected = Counter(before) + Counter(move.emits)
            if move.arrives:
                expected[move.arrives] += 1 if move.stimulus == "duplicate" else -1
            assert after == +expected, move.label
            if move.lost:
                lost += 1
                assert sum(after.values()) == cap
    assert lost


def test_in_order_a_later_datagram_does_not_overtake() -> None:
    """An ICMP error behind a datagram from the same port waits; with reorder it may come first."""

    def overtakes(space: StateSpace) -> int:
        count = 0
        for number in range(len(space)):
            net = space.state(number).network
            for move, _ in space.edges(number):
                if move.arrives and move.endpoint != "network":
                    place = net.index(move.arrives)
                    count += any((m.sender, m.to) == (move.arrives.sender, move.arrives.to) for m in net[:place])
        return count

    assert overtakes(space_of("cap 2, in order")) == overtakes(space_of("cap 3, in order")) == 0
    assert overtakes(space_of("cap 2, everything")) > 0


def test_parallel_edges_stay_apart() -> None:
    space, graph = space_of("block"), graph_of("block")
    assert graph.number_of_edges() == space.edge_count
    start = space.state(0)
    binds = [key for _, target, key in graph.out_edges(start, keys=True) if key.startswith("sender: bind")]
    assert binds == [
        "sender: bind",
        "sender: bind (block at ALE_RESOURCE_ASSIGNMENT_V4)",
        "sender: bind (block at ALE_RESOURCE_ASSIGNMENT_V4, block at ALE_RESOURCE_ASSIGNMENT_V4_DISCARD)",
        "sender: bind (block at ALE_BIND_REDIRECT_V4)",
    ]
    refused = graph[start][start]
    assert [key for key in refused if key.startswith("sender: bind")] == binds[1:]
    assert max(Counter((a, b) for a, b, _ in graph.edges(keys=True)).values()) > 10


@pytest.mark.parametrize("name", BY_NAME)
def test_moves_of_a_state_have_labels_of_their_own(name: str) -> None:
    space = space_of(name)
    for number in range(len(space)):
        labels = [move.label for move, _ in space.edges(number)]
        assert len(set(labels)) == len(labels)
    assert len({space.label(number) for number in range(len(space))}) == len(space)


# ---- questions


def replayed(name: str, answer: Answer, start: int = 0) -> int:
    """The state to which a witness leads, walked move by move."""
    numbers = space_of(name).follow(answer.labels, start)
    assert numbers == [start, *(step.target for step in answer.path)]
    return numbers[-1]


def test_error_path_from_a_port_without_socket_to_the_sender() -> None:
    answer = reachable_layer(graph_of("default"), "sender:INBOUND_ICMP_ERROR")
    assert answer.verdict == "yes"
    assert len(answer.path) == 3
    answer = reachable_move(
        graph_of("default"),
        lambda move: move.stimulus == "icmp_error" and move.peer == "dropped_port" and bool(move.classified),
    )
    assert answer.labels == (
        "sender: sendto@dropped_port",
        "dropped_port: datagram@sender",
        "sender: icmp_error@dropped_port",
    )
    dropped, told = answer.path[1].move, answer.path[2].move
    assert [name.removeprefix("FWPM_LAYER_") for name in dropped.layers] == [
        "INBOUND_IPPACKET_V4", "INBOUND_IPPACKET_V4_DISCARD", "OUTBOUND_ICMP_ERROR_V4", "OUTBOUND_TRANSPORT_V4",
        "OUTBOUND_IPPACKET_V4",
    ]  # fmt: skip
    assert dropped.emits == (Message("icmp_error", "dropped_port", "sender"),)
    assert "10054" in told.steps[-1].application_sees
    replayed("default", answer)


def test_reply_after_close_is_dropped_on_the_host_of_the_sender() -> None:
    answer = reachable_layer(graph_of("default"), "sender without socket:INBOUND_IPPACKET_DISCARD")
    assert answer.labels == (
        "sender: sendto@receiver",
        "sender: close",
        "receiver: bind",
        "receiver: datagram@sender",
        "receiver: sendto@sender",
        "sender without socket: datagram@receiver",
    )
    end = space_of("default").state(replayed("default", answer))
    assert end.network == (Message("icmp_error", "sender", "receiver"),)
    assert reachable(graph_of("default"), "receiver=BOUND network=empty", start=end).path[0].move.label == (
        "receiver: icmp_error@sender"
    )


def test_icmp_error_for_a_closed_socket_vanishes_and_says_so() -> None:
    answer = reachable_move(graph_of("default"), lambda move: move.note.startswith("vanishes"))
    last = answer.path[-1].move
    assert (last.label, last.layers, last.rules) == ("sender without socket: icmp_error@receiver", (), ())
    assert space_of("default").state(replayed("default", answer)).sockets[0].socket == "CLOSED"


def test_late_answer_after_the_flow_ended_is_authorized_as_inbound() -> None:
    answer = reachable_layer(graph_of("default"), "sender:AUTH_RECV_ACCEPT")
    assert "sender: idle_timeout@receiver" in answer.labels
    assert answer.labels[-1] == "sender: datagram@receiver"


def test_receiver_sends_to_nobody_whom_it_has_not_heard() -> None:
    for move in reachable_move(graph_of("default"), lambda m: m.label == "receiver: sendto@sender").path:
        assert move.move.label != "receiver: sendto@sender" or "heard:sender" in space_of("default").label(move.source)
    only = make_session(("sender", "receiver"), stimuli=("bind", "sendto"), network=("lose",))
    assert reachable_move(session_graph(only), lambda m: m.label == "receiver: sendto@sender").verdict == "no"


def test_paths_are_shortest() -> None:
    graph = graph_of("default")
    lengths = nx.single_source_shortest_path_length(graph, graph.graph["start"])
    for number, node in enumerate(graph):
        assert graph.nodes[node]["number"] == number
        assert lengths[node] == graph.nodes[node]["depth"] == space_of("default").depth(number)
    for number in range(0, len(graph), 50):
        goal = node_of(graph, number)
        answer = reachable(graph, goal)
        assert (answer.verdict, len(answer.path)) == ("yes", lengths[goal])
        assert replayed("default", answer) == number


def test_question_from_another_state() -> None:
    space, graph = space_of("default"), graph_of("default")
    closed = space.number(reachable_state(graph, "sender=CLOSED receiver=CLOSED network=empty"))
    for actor, layers in layers_from(graph, space.state(closed)).items():
        assert {answer.verdict for answer in layers.values()} == {"no"}, actor
    assert reachable(graph, "sender=BOUND", start=space.state(closed)).verdict == "no"
    answers = layers_from(graph)
    assert answers["sender"]["FWPM_LAYER_ALE_AUTH_CONNECT_V4"].labels == ("sender: sendto@receiver",)
    assert answers["sender"]["FWPM_LAYER_ALE_AUTH_CONNECT_V4_DISCARD"].verdict == "no"
    for layers in answers.values():
        for name, answer in layers.items():
            if answer.path:
                assert name in answer.path[-1].move.layers
                replayed("default", answer)


def reachable_state(graph: nx.MultiDiGraph[SessionState], goal: str) -> SessionState:
    answer = reachable(graph, goal)
    return node_of(graph, answer.path[-1].target)


@pytest.mark.parametrize(
    "name", ["default", "step by step", "group, connected", "pend and complete, group", "pended connect"]
)
def test_a_printed_state_is_an_expression_for_itself(name: str) -> None:
    space = space_of(name)
    for number in range(0, len(space), 7):
        assert parse_reach(space.session, space.label(number))(space.state(number)), space.label(number)


# fmt: off
EXPRESSIONS = [  # expression | whether it holds in the state below
    ("sender=BOUND", True), ("sender=CLOSED", False), ("sender=OUT", True), ("sender=receiver:OUT", True),
    ("sender=dropped_port:OUT", False), ("sender=dropped_port:NONE/receiver:OUT", True), ("sender=heard", False),
    ("receiver=IN/heard", True), ("receiver=sender:IN/heard:sender/idle", True), ("receiver=window", False),
    ("network=datagram", True), ("network=icmp_error", False), ("network=datagram:sender>receiver", True),
    ("network=datagram+datagram", False), ("network=empty", False),
    ("host2=idle", True), ("host2=at:drop.ippacket", False),
    ("sender=BOUND receiver=BOUND", True), ("sender=BOUND receiver=CLOSED", False),
]
# fmt: on


def test_expressions_mean_what_the_help_says() -> None:
    space = space_of("default")
    label = "sender=BOUND/receiver:OUT receiver=BOUND/IN/heard:sender network=datagram:sender>receiver"
    number = next(n for n in range(len(space)) if space.label(n) == label)
    state = space.state(number)
    holds = [parse_reach(space.session, expression)(state) for expression, _ in EXPRESSIONS]
    assert holds == [expected for _, expected in EXPRESSIONS]


def test_a_limit_that_is_hit_makes_every_no_unknown() -> None:
    whole = space_of("default")
    space = explore(make_session(), limit_states=50)
    graph = session_graph(space)
    assert (len(space), space.complete, graph.graph["complete"]) == (50, False, False)
    assert [space.label(n) for n in range(50)] == [whole.label(n) for n in range(50)]
    for number in range(50):
        kept = [(move.label, target) for move, target in whole.edges(number) if target < 50]
        assert [(move.label, target) for move, target in space.edges(number)] == kept
        assert space.is_open(number) == (len(kept) < len(list(whole.edges(number))))
    assert reachable(graph, "receiver=BOUND/OUT_STALE").verdict == "unknown"
    assert reachable(graph, "sender=BOUND/OUT_PENDED").verdict == "unknown"
    assert reachable(graph, "sender=BOUND/receiver:OUT").verdict == "yes"
    assert reachable_layer(graph, "sender:AUTH_RECV_ACCEPT").verdict == "unknown"
    assert {a.verdict for layers in layers_from(graph).values() for a in layers.values()} == {"yes", "unknown"}
    # From a state whose every successor was explored, no is no.
    closed = reachable_state(graph, "sender=CLOSED receiver=CLOSED network=empty")
    assert reachable(graph, "sender=BOUND", start=closed).verdict == "no"
    summary = summarize(space)
    assert not summary.complete
    with pytest.raises(FsmError, match="0 states are too few"):
        explore(make_session(), limit_states=0)


def test_exactly_enough_states_are_complete() -> None:
    assert explore(make_session(), limit_states=605).complete
    assert not explore(make_session(), limit_states=604).complete


def test_ends_and_deadlocks() -> None:
    summary = summarize(space_of("default"))
    assert [space_of("default").label(n) for n in summary.ends] == ["sender=CLOSED receiver=CLOSED network=empty"]
    assert summary.deadlocks == ()
    # A pended bind that nobody completes waits for ever.
    stuck = explore(make_session(("sender", "receiver"), stimuli=("bind",), verdicts=("permit", "pend")))
    labels = {stuck.label(n) for n in summarize(stuck).deadlocks}
    assert "sender=BIND_PENDED receiver=BIND_REDIRECT_PENDED network=empty" in labels
    # Nothing happens to a datagram in a network that neither delivers nor loses.
    dead = explore(make_session(("sender", "receiver"), stimuli=("sendto", "close"), network=("reorder",)))
    assert any("datagram" in dead.label(n) for n in summarize(dead).deadlocks)


def test_summary_counts_every_edge_once() -> None:
    space = space_of("default")
    summary = summarize(space)
    assert sum(actor.edges for actor in summary.actors) + summary.network_edges == summary.edges == space.edge_count
    for actor in summary.actors:
        names = [layer.fwpm_name for layer in space.layer_universe()[actor.name]]
        assert sorted([*(name for name, _ in actor.fires), *actor.never]) == sorted(names)


def test_replay_of_an_impossible_move_says_what_is_possible() -> None:
    with pytest.raises(NoTransition, match=r"step 2: 'receiver: sendto@sender' is not possible in state 5.*Possible"):
        space_of("default").follow(["receiver: bind", "receiver: sendto@sender"])


# ---- making a session


def test_every_stimulus_is_placed() -> None:
    """A new stimulus must be about nobody, about what is pended, about each peer, about all flows, or not offered."""
    about_each_peer = {"connect", "sendto", "inject_send", "inject_receive", "idle_timeout", "flow_abort"}
    all_flows = {name for name, stimulus in STIMULI.items() if stimulus.per_flow}
    placed = [set(ABOUT_NOBODY), set(ABOUT_WHAT_IS_PENDED), set(NOT_OFFERED), about_each_peer, all_flows]
    assert sum(map(len, placed)) == len(STIMULI)
    assert set().union(*placed) == set(STIMULI)


def test_default_session() -> None:
    session = make_session()
    assert [(m.name, m.view, m.host) for m in session.members] == [
        ("sender", "sender", 1), ("receiver", "receiver", 2), ("dropped_port", "dropped_port", 2),
    ]  # fmt: skip
    assert session.peers(session.members[0]) == ("receiver", "dropped_port")
    assert session.peers(session.members[1]) == ("sender",)
    assert (session.stimuli, session.network, session.cap) == (DEFAULT_STIMULI, ("deliver", "lose"), 1)


def test_a_group_datagram_goes_to_both_hosts() -> None:
    session = make_session(("sender", "receiver", "receiver", "dropped_port"), stimuli=("sendto_group",), cap=3)
    sent = next(move for move, _ in explore(session).edges(0))
    assert [str(message) for message in sent.emits] == [
        "group:sender>receiver", "group:sender>receiver2", "group:sender>sender",
    ]  # fmt: skip
    smaller = make_session(("sender", "receiver", "receiver", "dropped_port"), stimuli=("sendto_group",), cap=2)
    sent = next(move for move, _ in explore(smaller).edges(0))
    assert [str(message) for message in sent.lost] == ["group:sender>sender"]


def test_loopback_is_one_host_with_its_flag() -> None:
    space = space_of("loopback")
    assert space.session.hosts == (1,)
    assert space.session.config.choice("path") == "loopback"
    assert not [move for move in space.moves if move.endpoint == "network"]
    data = [step for move in space.moves for step in move.steps if step.layer.endswith("DATAGRAM_DATA_V4")]
    assert {"IS_LOOPBACK" in step.flags for step in data} == {True}


# fmt: off
REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: make_session(("sendr",)), r"no endpoint named 'sendr'. Did you mean 'sender'\?"),
    (lambda: make_session(("sender@3",)), "names host '3'. Hosts: 1, 2"),
    (lambda: make_session(("sender", "receiver@1")), "nobody here can send to anybody .*--loopback"),
    (lambda: make_session(("dropped_port@1", "dropped_port@2")), "nobody here can send to anybody"),
    (lambda: make_session(("sender", "receiver@2"), loopback=True), "on host 2, but with --loopback"),
    (lambda: make_session(network=("delay",)), "no network move named 'delay'"),
    (lambda: make_session(network=("deliver", "lose"), loopback=True), "over loopback nothing can lose"),
    (lambda: make_session(config=configure(assume={"path": "loopback"})), "Add --loopback"),
    (lambda: make_session(cap=0), "0 datagrams in flight are too few"),
    (lambda: make_session(granularity="layer"), "no granularity named 'layer'"),
    (lambda: make_session(stimuli=("bnid",)), r"no stimulus named 'bnid'. Did you mean 'bind'\?"),
    (lambda: make_session(stimuli=("recv",)), "'recv' is nothing that an endpoint does: the network brings it"),
    (lambda: make_session(stimuli=("icmp_ttl",)), "a router makes it"),
    (
        lambda: make_session(("sender", "receiver"), configure(windows="vista"), stimuli=("flow_abort",)),
        "happens to no endpoint here .*Windows vista",
    ),
    (lambda: make_session(verdicts=("permitt",)), r"no verdict named 'permitt'. Did you mean 'permit'\?"),
    (lambda: make_session(verdicts=("redirect",)), "leaves the session"),
    (lambda: make_session(verdicts=("veto",)), "no row of a session has it"),
    (lambda: make_session(verdicts=()), "no verdict is given"),
    (lambda: parse_reach(make_session(), "recever=BOUND"), r"no part of this session named 'recever'. Did you mean"),
    (lambda: parse_reach(make_session(), "receiver=BUOND"), "no term for receiver named 'BUOND'. Did you mean 'BOUND'"),
    (lambda: parse_reach(make_session(), "receiver=dropped_port:OUT"), "no term for receiver"),
    (lambda: parse_reach(make_session(), "network=datagram:sender>sendr"), "no term for network"),
    (lambda: parse_reach(make_session(), "receiver"), "'receiver' is not NAME=TERM"),
    (lambda: parse_reach(make_session(), " "), "nothing is asked for"),
    (lambda: reachable_layer(graph_of("default"), "AUTH_CONECT"), "AUTH_CONECT"),
    (lambda: reachable_layer(graph_of("default"), "sendr:AUTH_CONNECT"), r"Did you mean 'sender'"),
    (lambda: node_of(graph_of("default"), 605), "there is no state 605. States are numbered from 0 to 604"),
    (lambda: space_of("default").state(-1), "there is no state -1"),
]
# fmt: on


@pytest.mark.parametrize(("make", "text"), REFUSED, ids=[text for _, text in REFUSED])
def test_mistakes_are_one_line(make: Callable[[], object], text: str) -> None:
    with pytest.raises(FsmError, match=text) as caught:
        make()
    assert caught.value.exit_status == 2
    assert "\n" not in str(caught.value)


def test_a_state_of_another_session_is_refused() -> None:
    other = space_of("two senders").state(0)
    with pytest.raises(UnknownName, match="was not reached"):
        space_of("loopback, group").number(space_of("default").state(3))
    with pytest.raises(FsmError, match="none of this graph's"):
        reachable(graph_of("default"), "sender=BOUND", start=other)


# ---- files


def test_graphml_reads_back() -> None:
    space = space_of("block")
    text = "\n".join(graphml_lines(graph_of("block")))
    read = nx.parse_graphml(text, force_multigraph=True)
    assert (len(read), read.number_of_edges()) == (len(space), space.edge_count)
    assert [read.nodes[f"n{n}"]["label"] for n in range(len(space))] == [space.label(n) for n in range(len(space))]
    wanted = Counter((n, t, m.label, "; ".join(m.layers)) for n in range(len(space)) for m, t in space.edges(n))
    found = Counter((int(a[1:]), int(b[1:]), d["label"], d["layers"]) for a, b, d in read.edges(data=True))
    assert found == wanted
    assert text.isascii()


def test_dot_of_a_small_session_and_of_collapsed_ones() -> None:
    small = explore(make_session(("sender", "receiver"), stimuli=("bind", "close"), verdicts=("permit", "block")))
    dot = session_dot(session_graph(small))
    assert len(re.findall(r"^  s\d+ \[", dot, re.M)) == len(small) <= DRAWN_NODES
    assert len(re.findall(r"^  s\d+ -> s\d+ \[", dot, re.M)) == small.edge_count
    collapsed = session_dot(graph_of("default"), collapse="flows")
    assert len(re.findall(r"^  s\d+ \[", collapsed, re.M)) == 9
    assert sum(int(n) for n in re.findall(r'label="(\d+) states?\\n', collapsed)) == 605
    with pytest.raises(FsmError) as caught:
        session_dot(graph_of("default"))
    assert str(caught.value) == (
        "--format dot: 605 states are more than the 300 that a drawing can show. "
        "Draw the collapsed picture: --collapse network (119 nodes) or --collapse flows (9 nodes)."
    )
    with pytest.raises(UnknownName, match="no way to collapse named 'flow'"):
        session_dot(graph_of("default"), collapse="flow")


# ---- the command line


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["session", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_summary_says_what_there_is() -> None:
    text = run()
    assert "states    605, complete\n" in text
    assert "edges     5,803, of which" in text
    assert "ends      1 (every socket closed, nothing in flight): state 26\n" in text
    assert "deadlocks none\n" in text
    assert re.search(r"^ALE_AUTH_RECV_ACCEPT_V4 +\d+ +\d+$", text, re.M)
    assert "never fire here: ALE_RESOURCE_ASSIGNMENT_V4_DISCARD" in text
    cut = run("--limit-states", "100")
    assert "states    100; unknown beyond the limit (" in cut
    assert "deadlocks none found, unknown beyond the limit\n" in cut
    assert "never fire here" not in cut


def test_path_is_printed_step_by_step() -> None:
    text = run("--reach-layer", "sender:INBOUND_ICMP_ERROR")
    assert text.startswith("Yes: sender:INBOUND_ICMP_ERROR, in 3 moves (the fewest).\n")
    assert "  1. sender: sendto@receiver\n" in text
    assert "10054" in text
    assert run("--reach", "receiver=BOUND/OUT_PENDED").startswith("No: receiver=BOUND/OUT_PENDED cannot be reached")
    assert run("--reach", "receiver=BOUND/OUT", "--limit-states", "20").startswith("Unknown: receiver=BOUND/OUT ")
    text = run("--reach", "receiver=BOUND", "--reach", "sender=CLOSED", "--from", "5")
    assert text.startswith("Yes: receiver=BOUND sender=CLOSED, in 1 move (the fewest).\n  state 5: ")


def test_layers_from_a_state_are_printed() -> None:
    text = run("--layers-from", "26")
    assert text.count("none of its") == 5
    text = run("--layers-from", "0", "--limit-states", "20")
    assert "unknown, the limit was hit: " in text


def test_json_is_whole_and_says_what_was_asked() -> None:
    record = json.loads(run("--format", "json"))
    space = space_of("default")
    assert (record["states"], record["edges"], record["complete"]) == (605, 5_803, True)
    assert (len(record["nodes"]), len(record["links"])) == (605, 5_803)
    assert list(record)[:10] == [
        "endpoints", "config", "network", "cap", "stimuli", "verdicts", "granularity", "complete", "states", "edges",
    ]  # fmt: skip
    assert record["nodes"][5]["label"] == space.label(5)
    wanted = [(n, t, m.label) for n in range(len(space)) for m, t in space.edges(n)]
    assert [(link["source"], link["target"], link["key"]) for link in record["links"]] == wanted
    answer = json.loads(run("--format", "json", "--reach", "receiver=BOUND/IN"))
    assert answer["answer"] == "yes"
    assert space.follow([step["key"] for step in answer["path"]])[-1] == answer["path"][-1]["target"]
    assert json.loads(run("--format", "json", "--limit-states", "9"))["complete"] is False
    layers = json.loads(run("--format", "json", "--layers-from", "26"))["layers"]
    assert layers["sender"]["FWPM_LAYER_DATAGRAM_DATA_V4"] == {"answer": "no", "path": []}


def test_graphml_and_dot_are_printed() -> None:
    small = ("sender", "receiver", "--stimuli", "bind,close")
    assert len(nx.parse_graphml(run(*small, "--format", "graphml"), force_multigraph=True)) == 9
    assert run(*small, "--format", "dot").startswith("digraph session {\n")
    assert run("--format", "dot", "--collapse", "network").count(" states") > 10


# fmt: off
WRONG = [
    (["--reach", "receiver=BOUND", "--reach-layer", "DATAGRAM_DATA"], "Ask one at a time."),
    (["--reach", "receiver=BOUND", "--format", "dot"], "an answer cannot be printed as dot"),
    (["--collapse", "flows"], "Add --format dot."),
    (["--from", "3"], "Add --reach or --reach-layer."),
    (["--reach", "receiver=BOUND", "--from", "605"], "there is no state 605"),
    (["--layers-from", "700"], "there is no state 700"),
    (["--stimuli", "bind,snedto"], "no stimulus named 'snedto'. Did you mean 'sendto' or"),
    (["receiver", "sender@2"], "nobody here can send to anybody"),
    (["--windows", "xp"], "no Windows named 'xp'"),
]
# fmt: on


@pytest.mark.parametrize(("arguments", "text"), WRONG, ids=[text for _, text in WRONG])
def test_command_line_mistakes(arguments: Sequence[str], text: str) -> None:
    with pytest.raises(FsmError) as caught:
        CliRunner().invoke(cli, ["session", *arguments], catch_exceptions=False)
    assert text in str(caught.value)


def test_mistake_is_one_line_with_status_two() -> None:
    command = [sys.executable, "-m", "fsm", "session", "sendr"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "error: session: no endpoint named 'sendr'. Did you mean 'sender'?\n"


def test_same_bytes_whatever_the_hash_seed_and_no_networkx_for_the_summary() -> None:
    arguments = ["session", "--cap", "2", "--network", ",".join(ALL), "--stimuli", "bind,sendto", "--format"]
    seen = set()
    for seed in ("0", "1", "4242"):
        code = (
            "import sys\nfrom fsm.cli import cli\n"
            f"cli([*{arguments!r}, 'json'], standalone_mode=False)\n"
            f"cli([*{arguments!r}, 'summary'], standalone_mode=False)\n"
            "assert 'networkx' not in sys.modules\n"
            f"cli([*{arguments!r}, 'graphml'], standalone_mode=False)\n"
            f"cli([*{arguments!r}, 'dot', '--collapse', 'flows'], standalone_mode=False)\n"
        )
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
        seen.add(ran.stdout)
    assert len(seen) == 1
