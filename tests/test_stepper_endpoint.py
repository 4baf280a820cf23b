"""Endpoints stepped through: the table and the live machine, peers, time, verdicts by hand, callouts, and run-until."""

from __future__ import annotations

from typing import Any

import pytest
from transitions import MachineError

from fsm.choices import Config, configure
from fsm.endpoint import ClassifyContext, Endpoint
from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.flows import make_endpoint, perform
from fsm.machine import LiveEndpoint
from fsm.names import ENDPOINTS
from fsm.stepper import EndpointSystem, Walk
from fsm.stepper.generator import mulberry32, pick

STEPS = 10_000


def sender(**options: Any) -> Walk:
    return Walk(EndpointSystem("sender"), **options)


def moves_of(walk: Walk) -> list[str]:
    return [node.move for node in walk.path]


# --- the generator

# Made with the published JavaScript of mulberry32 (Math.imul, >>>).
KNOWN = {
    0: [1144304738, 1416247, 958946056, 627933444, 2007157716, 2340967985],
    1: [2693262067, 11749833, 2265367787, 4213581821, 4159151403, 1207330352],
    42: [2581720956, 1925393290, 3661312704, 2876485805, 750819978, 2261697747],
    0xDEADBEEF: [4043151706, 1147597007, 3315858022, 1538288752, 2042435954, 3600176436],
}


@pytest.mark.parametrize("seed", KNOWN)
def test_generator_gives_the_numbers_of_the_published_one(seed: int) -> None:
    numbers = mulberry32(seed)
    assert [next(numbers) for _ in KNOWN[seed]] == KNOWN[seed]


def test_pick_is_the_floor_of_the_fraction() -> None:
    numbers = mulberry32(7)
    assert [pick(next(numbers), 19) for _ in range(10)] == [0, 1, 18, 13, 9, 7, 8, 4, 10, 13]
    assert pick(2**32 - 1, 3) == 2
    assert pick(0, 3) == 0


# --- random walks on both engines


@pytest.mark.parametrize("name", ENDPOINTS)
def test_random_walks_on_table_and_live_machine_are_the_same(name: str) -> None:
    """Layers, states and refusals; a refusal of the live machine is its MachineError."""
    walks = [Walk(EndpointSystem(name, engine=engine)) for engine in ("table", "live")]
    for walk in walks:
        assert len(walk.random(STEPS, 4)) == STEPS
    table, live = walks
    assert len(table.nodes) == len(live.nodes)
    refused: dict[str, list[str]] = {}
    machine = LiveEndpoint(name, Config())
    for one, other in zip(table.nodes, live.nodes, strict=True):
        assert (one.move, one.parent, one.steps, one.place) == (other.move, other.parent, other.steps, other.place)
        state = table.system.state(one.place)
        if state not in refused:
            refused[state] = []
            for event in table.system.table.events:  # type: ignore[attr-defined]
                machine.machine.set_state(state, machine.model)
                try:
                    machine.model.trigger(event)
                except MachineError:
                    refused[state].append(event)
            assert [move for move, _ in table.system.refusals(one.place)] == refused[state]
            assert table.system.refusals(one.place) == live.system.refusals(other.place)
    assert len(refused) > 10


def test_random_walk_follows_the_stated_rule() -> None:
    """Every stimulus and every classify is one pick; where nothing is possible it begins again, without a number."""
    walk = sender()
    nodes = walk.random(500, 11)
    endpoint = Endpoint("sender")
    numbers, resets = mulberry32(11), 0
    for node in nodes:
        moves = endpoint.table.moves(endpoint.state)
        if not moves:
            endpoint, resets = Endpoint("sender"), resets + 1
            moves = endpoint.table.moves(endpoint.state)
        move = moves[next(numbers) * len(moves) // 2**32]
        assert node.move == move
        if endpoint.table.layer(endpoint.state):
            endpoint.decide(move)
        else:
            endpoint.begin(move)
        assert walk.system.state(node.place) == endpoint.table.name_of(endpoint.state)
    assert resets > 3
    again = sender()
    assert [(n.move, n.place) for n in again.random(500, 11)] == [(n.move, n.place) for n in nodes]
    assert [n.move for n in sender().random(500, 12)] != [n.move for n in nodes]


# --- words mean what they mean to `run`


@pytest.mark.parametrize("engine", ["table", "live"])
@pytest.mark.parametrize(
    "words",
    [
        "bind sendto policy_change datagram wait:61 sendto close",
        "bind sendto sendto@B datagram@C policy_change sendto datagram@B wait:30 sendto@B wait:31 datagram@C",
        "connect@B sendto sendto@B datagram@C sendto_group wait:5 datagram@D complete close",
        "multicast recv@B icmp_error@B wait:0 flow_abort@B send@B",
    ],
)
def test_a_walk_of_words_is_a_run_of_words(words: str, engine: str) -> None:
    walk = Walk(EndpointSystem("sender", engine=engine))
    endpoint = make_endpoint("sender", Config())
    for word in words.split():
        try:
            records = perform(endpoint, word)
        except NoTransition as refused:
            with pytest.raises(NoTransition) as error:
                walk.choose(word)
            assert error.value.what == refused.what
            continue
        nodes = walk.choose(word)
        assert [step for node in nodes for step in node.steps] == [s for record in records for s in record.steps]
        assert walk.outcome() == (records[-1].outcome or "")
        for peer in "ABCD":
            assert walk.system.view(walk.place).get(f"flow@{peer}", "NONE") == endpoint.flow(peer)
        assert walk.place.now_s == endpoint.now_s


def test_moves_are_listed_as_words_for_the_peer_in_focus() -> None:
    walk = sender()
    walk.choose("bind")
    walk.choose("sendto@B")
    assert "sendto@B" in walk.moves
    assert "close" in walk.moves
    assert walk.state == "BOUND/OUT"
    walk.choose("policy_change")  # happens to all flows, and to nobody in focus
    assert walk.values["flow@B"] == "OUT_STALE"
    walk.choose("datagram")
    assert "sendto" in walk.moves
    assert walk.values["flow@A"] == "IN"


def test_every_listed_move_is_possible_and_every_refused_one_is_refused_for_its_reason() -> None:
    walk = sender()
    walk.random(150, 3)
    for node in list(walk.nodes):
        walk.jump(node)
        for move in walk.moves:
            walk.system.take(walk.place, move)
        for move, why in walk.refused:
            with pytest.raises(NoTransition) as error:
                walk.choose(move)
            assert why in str(error.value)
            assert walk.at == node.number


def test_snapshot_brings_back_peers_timers_and_reasons() -> None:
    for engine in ("table", "live"):
        endpoint = make_endpoint("sender", Config(), engine)
        for word in ("bind", "sendto", "sendto@B", "wait:30", "policy_change", "sendto_group"):
            perform(endpoint, word)
        saved = endpoint.snapshot()
        seen = []
        for _ in range(2):
            contexts: list[ClassifyContext] = []
            fresh = make_endpoint("sender", Config(), engine)
            fresh.register(lambda context, kept=contexts: kept.append(context))  # type: ignore[misc]
            fresh.restore(saved)
            for word in ("sendto", "datagram@C", "wait:31", "sendto@B", "close"):
                perform(fresh, word)
            seen.append((contexts, fresh.trace, fresh.snapshot()))
        fresh.restore(saved)
        assert fresh.snapshot() == saved
        for word in ("sendto", "datagram@C", "wait:31", "sendto@B", "close"):
            perform(endpoint, word)
        assert seen[0] == seen[1]
        assert endpoint.snapshot() == seen[0][2]


def test_a_restored_stimulus_goes_on() -> None:
    endpoint = Endpoint("sender")
    endpoint.run("bind")
    endpoint.begin("sendto")
    endpoint.decide("permit")
    saved = endpoint.snapshot()
    endpoint.proceed()
    endpoint.restore(saved)
    endpoint.decide("block")
    assert endpoint.proceed().blocked_at == "FWPM_LAYER_ALE_AUTH_CONNECT_V4"
    assert endpoint.history[-1].stimulus == "sendto"
    with pytest.raises(NoTransition, match="waits for the verdict"):
        endpoint.restore(saved)
        endpoint.look_at("B")


# --- verdicts: by hand, breakpoints, callouts, policy


def test_a_stimulus_runs_to_its_end_and_one_classify_can_be_taken_back() -> None:
    walk = sender()
    assert [node.layer for node in walk.choose("bind")] == [
        "",
        "FWPM_LAYER_ALE_BIND_REDIRECT_V4",
        "FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4",
    ]
    assert walk.changed["socket"] == ("UNBOUND", "BOUND")
    walk.back()
    assert walk.layer == "FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4"
    walk.choose("block")
    assert walk.outcome() == "blocked"
    assert [step.verdict for step in walk.ladder] == ["permit", "block", "permit"]
    assert [node.decided_by for node in walk.path] == ["hand", "permit", "hand", "permit"]


def test_manual_and_breakpoints_stop() -> None:
    walk = sender(manual=True)
    walk.choose("bind")
    assert len(walk.path) == 1
    stopping = sender(breakpoints=["AUTH_CONNECT"])
    stopping.choose("sendto")
    assert stopping.layer == "FWPM_LAYER_ALE_AUTH_CONNECT_V4"
    stopping.step_on()
    assert stopping.outcome() == "sent"
    assert stopping.break_at("48") == ("FWPM_LAYER_ALE_AUTH_CONNECT_V4",)
    assert stopping.breakpoints == ()


def test_callouts_decide_before_the_policy_and_a_token_keeps_their_verdicts() -> None:
    def driver(context: ClassifyContext) -> str | None:
        return "block" if context.stimulus == "sendto" else None

    def rules(context: ClassifyContext) -> str | None:
        return "absorb" if context.stimulus == "datagram" else None

    walk = sender(callouts=[("AUTH_CONNECT", driver)], policy=rules)
    walk.choose("bind")
    walk.choose("sendto")
    walk.choose("datagram")
    decided = {node.layer: (node.verdict, node.decided_by) for node in walk.path if node.verdict not in ("", "permit")}
    assert decided == {
        "FWPM_LAYER_ALE_AUTH_CONNECT_V4": ("block", "callout driver"),
        "FWPM_LAYER_INBOUND_IPPACKET_V4": ("absorb", "policy"),
    }
    again = Walk.from_token(walk.token)
    assert (moves_of(again), again.place) == (moves_of(walk), walk.place)


def test_a_callout_that_fails_leaves_the_walk_before_the_layer() -> None:
    def broken(context: ClassifyContext) -> str | None:
        raise RuntimeError("driver bug")

    walk = sender(callouts=[broken])
    with pytest.raises(RuntimeError):
        walk.choose("bind")
    assert walk.layer == "FWPM_LAYER_ALE_BIND_REDIRECT_V4"
    with pytest.raises(FsmError, match="is no callout"):
        sender(callouts=[3])  # type: ignore[list-item]


# --- time, until, watches


def test_waiting_is_a_move_that_back_undoes() -> None:
    walk = sender()
    walk.choose("bind")
    walk.choose("sendto")
    walk.choose("wait:61")
    assert (walk.state, walk.place.now_s) == ("BOUND/NONE", 61)
    assert walk.changed == {"flow": ("OUT", "NONE"), "time": ("0 s", "61 s"), "outcome": ("sent", "none")}
    walk.back()
    assert (walk.state, walk.place.now_s) == ("BOUND/OUT", 0)


@pytest.mark.parametrize(
    ("expression", "stimuli"),
    [
        ("socket=BOUND", ["bind"]),
        ("flow=IN", ["bind", "datagram"]),
        ("fired=AUTH_CONNECT_DISCARD", ["sendto"]),
        ("layer=INBOUND_ICMP_ERROR", ["bind", "icmp_error"]),
        ("flow=OUT and time>=5", ["sendto", "wait:5"]),
        ("outcome=pended", ["bind"]),
    ],
)
def test_run_until_takes_the_fewest_stimuli(expression: str, stimuli: list[str]) -> None:
    walk = sender()
    ran = walk.run_until(expression)
    assert ran.verdict == "reached"
    assert list(walk.stimuli) in ([*stimuli], [*reversed(stimuli)])
    assert walk.system.predicate(expression, "here").holds(walk.view_at(walk.at))
    assert [node.number for node in ran.nodes] == [node.number for node in walk.path]


def test_run_until_tells_unreachable_from_unknown() -> None:
    walk = Walk(EndpointSystem("dropped_port"))
    assert walk.run_until("fired=ALE_AUTH_CONNECT").verdict == "unreachable"
    assert sender().run_until("fired=ALE_AUTH_CONNECT", limit=3).verdict == "unknown"
    with pytest.raises(UnknownName):
        walk.run_until("fired=NOWHERE")
    assert walk.at == 0


def test_run_until_a_choice_and_for_some_steps() -> None:
    walk = sender(manual=True)
    walk.choose("sendto")
    assert walk.run_until("choice").verdict == "choice"
    assert walk.run_until(3).verdict == "steps"
    assert len(walk.path) == 4
    walk.run_until(1)
    assert walk.layer == "FWPM_LAYER_ALE_FLOW_ESTABLISHED_V4"  # takes permit only
    ran = walk.run_until("choice")
    assert (ran.verdict, len(ran.nodes)) == ("choice", 1)
    walk.run_until("socket=CLOSED")
    assert walk.run_until("choice").verdict == "end"
    with pytest.raises(FsmError):
        walk.run_until(-1)


def test_watches_follow_the_walk() -> None:
    walk = sender()
    assert walk.watch("flow") == "NONE"
    assert walk.watch("socket=BOUND and time>=60") == "no"
    walk.choose("bind")
    walk.choose("sendto")
    assert walk.watches == {"flow": "OUT", "socket=BOUND time>=60": "no"}
    walk.choose("wait:60")
    assert walk.watches == {"flow": "NONE", "socket=BOUND time>=60": "yes"}
    walk.unwatch("flow")
    with pytest.raises(UnknownName):
        walk.unwatch("flow")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("bnd", "no move named 'bnd'. Did you mean 'bind'"),
        ("close@B", "'close' happens to the socket as a whole"),
        ("sendto@", "'' is no name of a peer"),
        ("sendto@a b", "is no name of a peer"),
        ("sendto:3", "takes no argument"),
        ("wait:x", "'x' is no number of seconds"),
        ("wait:-1", "'-1' is no number of seconds"),
        ("permit", "no layer is being classified"),
        ("datagram", "it needs socket BOUND"),
    ],
)
def test_a_move_that_makes_no_sense_changes_nothing(word: str, told: str) -> None:
    walk = sender()
    with pytest.raises(FsmError) as error:
        walk.choose(word)
    assert str(error.value).startswith("sender, move 1: ")
    assert told in str(error.value)
    assert (walk.at, len(walk.nodes)) == (0, 1)


def test_time_does_not_pass_in_the_middle() -> None:
    walk = sender(manual=True)
    walk.choose("bind")
    with pytest.raises(NoTransition, match="sender, move 2: time does not pass while bind waits"):
        walk.choose("wait:1")


def test_every_machine_can_be_stepped_through() -> None:
    for config in (configure(ip=6), configure(windows="vista"), configure(evidence="observed")):
        for name in ENDPOINTS:
            walk = Walk(EndpointSystem(name, config))
            walk.random(300, 1)
            assert Walk.from_token(walk.token).place == walk.place
