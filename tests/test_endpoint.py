"""Running endpoints: callouts and their contexts, verdict by verdict, model time, peers, and every refusal's reason.

What holds for the endpoint on the compiled table holds for the one on the `transitions` machine: nearly all tests
run on both.
"""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from fsm import catalogue
from fsm.choices import CHOICES, Config, configure
from fsm.endpoint import UNICAST_LIFETIME_S, ClassifyContext, Endpoint, verdict_at
from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.flows import make_endpoint
from fsm.machine import LiveEndpoint, Model, build_machine
from fsm.names import VERDICTS
from fsm.stimuli import STIMULI, VIEWS
from fsm.table import compile_table

Make = Callable[..., Endpoint]


@pytest.fixture(params=["table", "live"])
def make(request: pytest.FixtureRequest) -> Make:
    def made(name: str = "sender", **options: Any) -> Endpoint:
        return make_endpoint(name, configure(**options), request.param)

    return made


def layer(stem: str, ip: int = 4) -> catalogue.Layer:
    return catalogue.layer_of(stem, ip)


def stems(endpoint: Endpoint) -> list[str]:
    """The layers of the last stimulus, without prefix and version."""
    return [catalogue.by_name(step.layer).stem for step in endpoint.history[-1].classified]


def now(endpoint: Endpoint) -> tuple[Any, ...]:
    """Everything of an endpoint that may not change when something is refused."""
    peers = [endpoint.flow(peer) for peer in "ABC"]
    model = endpoint.model.state if isinstance(endpoint, LiveEndpoint) else None
    name = endpoint.table.name_of(endpoint.state)
    return (endpoint.state, name, model or name, endpoint.peer, endpoint.now_s, len(endpoint.trace), peers)


class OnceBroken:
    """A callout that fails the first time it is called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, context: ClassifyContext) -> str | None:
        self.calls += 1
        if self.calls == 1:
            raise RuntimeError("driver bug")
        return None


# --- callouts


def test_a_callout_of_one_layer_is_called_at_that_layer_only(make: Make) -> None:
    endpoint, seen = make(), []
    endpoint.register(lambda c: seen.append(c.layer.fwpm_name), layer("ALE_AUTH_CONNECT"))
    endpoint.run("bind")
    endpoint.run("sendto")
    endpoint.run("sendto")
    assert seen == ["FWPM_LAYER_ALE_AUTH_CONNECT_V4"]


def test_a_callout_of_all_layers_sees_every_classify_in_order(make: Make) -> None:
    endpoint, seen = make(), []
    endpoint.register(lambda c: seen.append(c.layer.fwpm_name))
    for word in ("sendto", "datagram", "policy_change", "datagram", "icmp_error"):
        endpoint.run(word)
    assert seen == [step.layer for step in endpoint.trace if step.layer]
    assert len(seen) == 2 + 6 + 3 + 4 + 2


def test_a_callout_of_the_other_ip_version_is_not_called(make: Make) -> None:
    endpoint = make()
    endpoint.register(lambda c: pytest.fail("called"), layer("ALE_AUTH_CONNECT", 6))
    assert endpoint.run("sendto").outcome == "sent"
    six = make(ip=6)
    six.register(lambda c: "block", layer("ALE_AUTH_CONNECT", 6))
    assert six.run("sendto").blocked_at == "FWPM_LAYER_ALE_AUTH_CONNECT_V6"


def test_a_callout_of_a_discard_layer_is_called_when_something_is_discarded(make: Make) -> None:
    endpoint, seen = make(), []
    endpoint.register(lambda c: seen.append(c.layer.stem), layer("ALE_AUTH_CONNECT_DISCARD"))
    endpoint.run("bind")
    endpoint.run("sendto")
    assert seen == []
    endpoint.register(lambda c: "block", layer("ALE_AUTH_CONNECT"))
    endpoint.run("sendto", "B")
    assert seen == ["ALE_AUTH_CONNECT_DISCARD"]


@pytest.mark.parametrize("verdict", ["permit", "block", "absorb", None])
def test_the_verdict_of_a_callout_picks_the_branch(make: Make, verdict: str | None) -> None:
    endpoint = make("receiver")
    endpoint.run("bind")
    endpoint.register(lambda c: verdict, layer("INBOUND_TRANSPORT"))
    record = endpoint.run("datagram")
    expected = {"block": "blocked", "absorb": "silent"}.get(verdict or "", "delivered")
    assert record.outcome == expected
    assert (record.classified[-1].layer == "FWPM_LAYER_INBOUND_TRANSPORT_V4_DISCARD") == (verdict == "block")


def test_all_callouts_are_called_and_the_first_that_does_not_permit_decides(make: Make) -> None:
    endpoint, called = make(), []

    def callout(name: str, verdict: str | None) -> Callable[[ClassifyContext], str | None]:
        def named(context: ClassifyContext) -> str | None:
            called.append(name)
            return verdict

        return named

    here = layer("ALE_AUTH_CONNECT")
    for name, verdict in (("a", None), ("b", "permit"), ("c", "absorb"), ("d", "block")):
        endpoint.register(callout(name, verdict), here)
    record = endpoint.run("sendto")
    assert called == ["a", "b", "c", "d"]
    assert record.outcome == "silent" and record.blocked_at == here.fwpm_name


def test_an_exception_of_a_callout_leaves_the_endpoint_before_the_layer_and_it_can_go_on(make: Make) -> None:
    endpoint, broken = make(), OnceBroken()
    endpoint.run("bind")
    endpoint.register(broken, layer("ALE_AUTH_CONNECT"))
    with pytest.raises(RuntimeError, match="driver bug"):
        endpoint.run("sendto")
    assert endpoint.table.name_of(endpoint.state) == "BOUND/NONE sendto@send.authorize"
    assert endpoint.context().layer == layer("ALE_AUTH_CONNECT")
    assert now(endpoint)[1] == now(endpoint)[2]
    record = endpoint.proceed()
    assert record.outcome == "sent" and broken.calls == 2 and record is endpoint.history[-1]
    assert stems(endpoint) == [
        *("ALE_CONNECT_REDIRECT", "ALE_AUTH_CONNECT", "ALE_FLOW_ESTABLISHED"),
        *("DATAGRAM_DATA", "OUTBOUND_TRANSPORT", "OUTBOUND_IPPACKET"),
    ]
    assert endpoint.run("sendto").outcome == "sent"


def test_an_exception_of_the_second_callout_leaves_the_endpoint_before_the_layer_too(make: Make) -> None:
    endpoint = make("receiver")
    endpoint.run("bind")
    endpoint.register(lambda c: "block", layer("ALE_AUTH_RECV_ACCEPT"))
    endpoint.register(OnceBroken(), layer("ALE_AUTH_RECV_ACCEPT"))
    with pytest.raises(RuntimeError):
        endpoint.run("datagram")
    assert endpoint.table.name_of(endpoint.state) == "BOUND/NONE datagram@receive.accept"
    assert endpoint.proceed().outcome == "blocked"


@pytest.mark.parametrize("answer", ["Block", "drop", "sendto", ""])
def test_an_unknown_verdict_of_a_callout_is_an_error_and_changes_nothing(make: Make, answer: str) -> None:
    endpoint = make()
    endpoint.run("bind")
    endpoint.register(lambda c: answer, layer("ALE_AUTH_CONNECT"))
    with pytest.raises(UnknownName, match="no verdict named"):
        endpoint.run("sendto")
    assert endpoint.table.name_of(endpoint.state) == "BOUND/NONE sendto@send.authorize"
    endpoint.decide("permit")
    assert endpoint.context().layer == layer("ALE_FLOW_ESTABLISHED")


def test_a_verdict_that_a_layer_does_not_take_is_refused_and_another_can_be_given(make: Make) -> None:
    endpoint = make()
    endpoint.run("bind")
    endpoint.register(verdict_at({"FWPM_LAYER_ALE_FLOW_ESTABLISHED_V4": "block"}))
    with pytest.raises(NoTransition, match="no policy point"):
        endpoint.run("sendto")
    before = now(endpoint)
    for verdict in ("block", "absorb", "pend", "redirect", "veto"):
        with pytest.raises(NoTransition, match="ALE_FLOW_ESTABLISHED_V4"):
            endpoint.decide(verdict)
    assert now(endpoint) == before
    endpoint.decide("permit")
    assert endpoint.proceed().outcome == "sent"


def test_a_callout_may_look_at_the_endpoint_while_it_is_called(make: Make) -> None:
    endpoint, states = make(), []
    endpoint.register(lambda c: states.append((c.state, endpoint.table.name_of(endpoint.state))))
    endpoint.run("sendto")
    assert all(told == real for told, real in states)


# --- contexts


def contexts(endpoint: Endpoint, *words: str) -> list[ClassifyContext]:
    """The contexts of the classifies of the last word."""
    seen: list[ClassifyContext] = []
    for word in words[:-1]:
        endpoint.run(*word.split("@"))
    endpoint.register(lambda c: seen.append(c))
    endpoint.run(*words[-1].split("@"))
    return seen


def test_a_context_tells_everything_of_its_classify(make: Make) -> None:
    endpoint = make()
    endpoint.wait(7)
    first = contexts(endpoint, "bind", "sendto")[1]
    assert (first.endpoint, first.layer, first.stimulus, first.peer) == (
        *("sender", layer("ALE_AUTH_CONNECT")),
        *("sendto", "A"),
    )
    assert (first.packet_direction, first.flow_direction, first.flags) == ("outbound", "outbound", ())
    assert first.state == "BOUND/NONE sendto@send.authorize" and first.now_s == 7
    assert first.tuple5.protocol == 17 and first.tuple5.remote_address == "198.51.100.1"


def test_contexts_of_ip_version_6_have_ip_version_6_addresses(make: Make) -> None:
    for context in contexts(make(ip=6), "sendto@B"):
        assert context.layer.ip_version == 6
        assert ":" in context.tuple5.local_address
        assert context.tuple5.remote_address is None or ":" in context.tuple5.remote_address


DIRECTIONS = [  # facts a.8.4, a.11.4: words | layer | packet direction | flow direction
    (("bind",), "ALE_RESOURCE_ASSIGNMENT", "", ""),
    (("bind",), "ALE_BIND_REDIRECT", "", ""),
    (("sendto",), "ALE_RESOURCE_ASSIGNMENT", "", ""),
    (("bind", "sendto"), "ALE_FLOW_ESTABLISHED", "outbound", "outbound"),
    (("bind", "sendto"), "DATAGRAM_DATA", "outbound", "outbound"),
    (("bind", "datagram"), "ALE_AUTH_RECV_ACCEPT", "inbound", "inbound"),
    (("bind", "datagram"), "ALE_FLOW_ESTABLISHED", "inbound", "inbound"),
    (("bind", "sendto", "datagram"), "DATAGRAM_DATA", "inbound", "outbound"),
    (("bind", "datagram", "sendto"), "DATAGRAM_DATA", "outbound", "inbound"),
    (("bind", "sendto", "policy_change", "sendto"), "ALE_AUTH_CONNECT", "outbound", "outbound"),
    (("bind", "sendto", "policy_change", "datagram"), "ALE_AUTH_CONNECT", "inbound", "outbound"),
    (("bind", "datagram", "policy_change", "sendto"), "ALE_AUTH_RECV_ACCEPT", "outbound", "inbound"),
    (("bind", "datagram", "policy_change", "datagram"), "ALE_AUTH_RECV_ACCEPT", "inbound", "inbound"),
    (("bind", "sendto", "datagram@B"), "ALE_AUTH_RECV_ACCEPT", "inbound", "inbound"),
]


@pytest.mark.parametrize(("words", "stem", "packet", "flow"), DIRECTIONS)
def test_packet_and_flow_direction_are_those_of_facts(
    make: Make, words: tuple[str, ...], stem: str, packet: str, flow: str
) -> None:
    found = [c for c in contexts(make(), *words) if c.layer.stem == stem]
    assert [(c.packet_direction, c.flow_direction) for c in found] == [(packet, flow)]


def test_the_packet_is_outbound_when_the_icmp_error_leaves_and_inbound_when_the_datagram_arrives(make: Make) -> None:
    found = {c.layer.stem: c.packet_direction for c in contexts(make("dropped_port"), "datagram")}
    assert found == {
        "INBOUND_IPPACKET": "inbound",
        "INBOUND_IPPACKET_DISCARD": "inbound",
        "OUTBOUND_ICMP_ERROR": "outbound",
        "OUTBOUND_TRANSPORT": "outbound",
        "OUTBOUND_IPPACKET": "outbound",
    }


def test_a_reauthorization_carries_its_flag_and_an_initial_authorization_does_not(make: Make) -> None:
    flags = [
        c.flags
        for words in (("bind", "sendto"), ("bind", "sendto", "policy_change", "datagram"))
        for c in contexts(make(), *words)
        if c.layer.stem == "ALE_AUTH_CONNECT"
    ]
    assert flags == [(), ("IS_REAUTHORIZE",)]


@pytest.mark.parametrize("stem", ["ALE_BIND_REDIRECT", "ALE_RESOURCE_ASSIGNMENT", "ALE_RESOURCE_RELEASE"])
def test_a_layer_without_remote_fields_shows_no_remote_address(make: Make, stem: str) -> None:
    """Fact a.13.3 and conditions.csv: of these layers only ENDPOINT_CLOSURE has fields for a remote end."""
    endpoint, seen = make(assume={"close": "closure_release"}), []
    endpoint.register(lambda c: seen.append(c.tuple5), layer(stem))
    for word in ("bind", "sendto", "close"):
        endpoint.run(word)
    assert [t.remote_address or "" for t in seen] == [""]


def test_an_icmp_error_on_its_way_out_is_a_packet_of_protocol_1_without_ports(make: Make) -> None:
    """Facts a.9.2, b.4: 5152 at layer 32 has protocol 1 and ports 0."""
    found = [c.tuple5 for c in contexts(make("dropped_port"), "datagram") if c.layer.stem == "OUTBOUND_ICMP_ERROR"]
    assert [(t.protocol, t.local_port, t.remote_port) for t in found] == [(1, 0, 0)]


@pytest.mark.parametrize(
    "peers", [("A", "B", "C"), ("alice", "anna"), ("a", "A"), ("1", "2"), ("x1", "x2"), ("é", "中")]
)
def test_each_peer_has_a_remote_address_of_its_own_that_is_an_address(make: Make, peers: tuple[str, ...]) -> None:
    for ip in (4, 6):
        endpoint = make(ip=ip)
        endpoint.run("bind")
        found = set()
        for peer in peers:
            try:
                seen = contexts(endpoint, f"sendto@{peer}")
            except FsmError:
                continue  # a name that is refused needs no address
            found |= {(peer, ipaddress.ip_address(context.tuple5.remote_address or "")) for context in seen}
        assert len({address for _, address in found}) == len({peer for peer, _ in found})


def test_no_context_is_given_when_nothing_is_classified(make: Make) -> None:
    endpoint = make()
    with pytest.raises(NoTransition, match="no layer is being classified in state UNBOUND/NONE"):
        endpoint.context()


# --- verdict by verdict


def test_a_stimulus_can_be_worked_off_verdict_by_verdict(make: Make) -> None:
    endpoint = make()
    record = endpoint.begin("sendto")
    fired = []
    while endpoint.table.layer(endpoint.state) is not None:
        fired.append(endpoint.context().layer.stem)
        endpoint.decide("permit")
    assert fired == stems(endpoint) and record is endpoint.history[-1]
    assert record.outcome == "sent" and endpoint.table.name_of(endpoint.state) == "BOUND/OUT"


def test_begin_stops_before_the_first_layer_and_asks_no_callout(make: Make) -> None:
    endpoint = make()
    endpoint.register(lambda c: pytest.fail("called"))
    endpoint.begin("bind")
    assert endpoint.context().layer.stem == "ALE_BIND_REDIRECT"
    assert endpoint.history[-1].classified == []


def test_a_manual_block_goes_to_the_discard_layer_which_asks_again(make: Make) -> None:
    endpoint = make("receiver")
    endpoint.run("bind")
    endpoint.begin("datagram")
    step = endpoint.decide("block")
    assert (step.verdict, step.runtime_id) == ("block", 0)
    assert endpoint.context().layer.runtime_id == 1
    endpoint.decide("permit")
    assert endpoint.history[-1].outcome == "blocked" and endpoint.table.layer(endpoint.state) is None


def test_nothing_can_be_decided_when_nothing_waits(make: Make) -> None:
    endpoint = make()
    before = now(endpoint)
    for act in (lambda: endpoint.decide("permit"), endpoint.proceed):
        with pytest.raises(NoTransition, match="no layer"):
            act()
    assert now(endpoint) == before


@pytest.mark.parametrize("word", ["sendto", "bind", "policy_change", "close", "sendto@B", "datagram@B"])
def test_a_stimulus_in_progress_keeps_all_others_out(make: Make, word: str) -> None:
    endpoint = make()
    endpoint.begin("sendto")
    before, records = now(endpoint), len(endpoint.history)
    with pytest.raises(NoTransition, match="sendto is in progress and waits for the verdict of FWPM_LAYER_ALE_BIND"):
        endpoint.run(*word.split("@"))
    assert now(endpoint) == before and len(endpoint.history) == records


def test_time_does_not_pass_while_a_stimulus_is_in_progress(make: Make) -> None:
    endpoint = make()
    endpoint.begin("sendto")
    before = now(endpoint)
    with pytest.raises(NoTransition, match="time does not pass while sendto waits"):
        endpoint.wait(5)
    assert now(endpoint) == before


def test_a_stimulus_is_no_verdict_and_a_verdict_no_stimulus(make: Make) -> None:
    endpoint = make()
    endpoint.begin("bind")
    with pytest.raises(UnknownName, match="no verdict named 'sendto'"):
        endpoint.decide("sendto")
    endpoint.proceed()
    with pytest.raises(UnknownName, match="no stimulus named 'permit'"):
        endpoint.run("permit")


@pytest.mark.parametrize(("given", "meant"), [("send", "sendto"), ("SendTo", "sendto"), (" send ", "sendto")])
def test_a_stimulus_is_found_under_its_aliases(make: Make, given: str, meant: str) -> None:
    assert make().run(given).stimulus == meant


@pytest.mark.parametrize("alias", ["receive", "recv", "recvfrom", "arrive", "arrives", "datagram"])
def test_an_arriving_datagram_has_many_names(make: Make, alias: str) -> None:
    assert make("dropped_port").run(alias).stimulus == "datagram"


# --- time


def test_the_lifetime_is_the_one_of_facts() -> None:
    assert UNICAST_LIFETIME_S == 60


@pytest.mark.parametrize(("seconds", "alive"), [(0, True), (59, True), (60, False), (61, False), (10**12, False)])
def test_a_flow_ends_after_sixty_seconds_and_not_before(make: Make, seconds: int, alive: bool) -> None:
    endpoint = make()
    endpoint.run("sendto")
    records = endpoint.wait(seconds)
    assert (endpoint.flow("A") == "OUT") == alive
    assert [r.stimulus for r in records] == ["wait" if alive else "idle_timeout"]
    assert all(r.at_s == seconds and not r.classified for r in records)


def test_waiting_in_pieces_is_waiting_at_once(make: Make) -> None:
    once, pieces = make(), make()
    for endpoint in (once, pieces):
        endpoint.run("sendto")
    once.wait(60)
    for _ in range(60):
        pieces.wait(1)
    assert now(once)[1:5] == now(pieces)[1:5]


def test_time_cannot_run_backwards(make: Make) -> None:
    endpoint = make()
    endpoint.wait(10)
    before = now(endpoint)
    with pytest.raises(NoTransition, match="backwards"):
        endpoint.wait(-1)
    assert now(endpoint) == before and endpoint.now_s == 10


def test_each_peer_has_its_own_timer(make: Make) -> None:
    endpoint = make()
    endpoint.run("sendto")
    endpoint.wait(20)
    endpoint.run("sendto", "B")
    endpoint.wait(20)
    endpoint.run("datagram", "C")
    gone = [(r.stimulus, r.peer) for r in endpoint.wait(20)]
    assert gone == [("idle_timeout", "A")]
    assert [endpoint.flow(peer) for peer in "ABC"] == ["NONE", "OUT", "IN"]
    assert [(r.stimulus, r.peer) for r in endpoint.wait(20)] == [("idle_timeout", "B")]
    assert [(r.stimulus, r.peer) for r in endpoint.wait(20)] == [("idle_timeout", "C")]


def test_several_flows_can_end_at_the_same_second(make: Make) -> None:
    endpoint = make()
    for peer in "ABC":
        endpoint.run("sendto", peer)
    assert sorted(r.peer for r in endpoint.wait(60)) == ["A", "B", "C"]
    assert [endpoint.flow(peer) for peer in "ABC"] == ["NONE"] * 3


def test_a_host_without_socket_has_no_flows_that_could_end(make: Make) -> None:
    endpoint = make("dropped_port")
    endpoint.run("datagram")
    assert [r.stimulus for r in endpoint.wait(1000)] == ["wait"]
    assert endpoint.run("datagram", "B").outcome == "icmp_error"


# --- peers


def test_peers_have_flows_of_their_own(make: Make) -> None:
    endpoint = make()
    endpoint.run("bind")
    endpoint.run("sendto")
    endpoint.run("datagram", "B")
    assert [endpoint.flow(peer) for peer in "ABC"] == ["OUT", "IN", "NONE"]
    endpoint.run("sendto", "C")
    assert [endpoint.flow(peer) for peer in "ABC"] == ["OUT", "IN", "OUT"]


def test_a_policy_change_marks_the_flows_of_all_peers(make: Make) -> None:
    endpoint = make()
    endpoint.run("sendto")
    endpoint.run("datagram", "B")
    record = endpoint.run("policy_change")
    assert [endpoint.flow(peer) for peer in "ABC"] == ["OUT_STALE", "IN_STALE", "NONE"]
    assert len(record.steps) == 2 and record.classified == []


def test_a_reauthorization_of_one_peer_leaves_the_others_as_they_are(make: Make) -> None:
    endpoint = make()
    for peer in "AB":
        endpoint.run("sendto", peer)
    endpoint.run("policy_change")
    endpoint.register(lambda c: "block" if c.peer == "A" else None, layer("ALE_AUTH_CONNECT"))
    assert endpoint.run("sendto", "A").outcome == "blocked"
    assert [endpoint.flow(peer) for peer in "AB"] == ["NONE", "OUT_STALE"]
    assert endpoint.run("datagram", "B").outcome == "delivered"
    assert [endpoint.flow(peer) for peer in "AB"] == ["NONE", "OUT"]


def test_a_close_ends_the_flows_of_all_peers(make: Make) -> None:
    for option in ("nothing", "closure_release"):
        endpoint = make(assume={"close": option})
        for peer in "ABC":
            endpoint.run("sendto", peer)
        endpoint.run("close")
        assert [endpoint.flow(peer) for peer in "ABC"] == ["NONE"] * 3
        for peer in "ABC":
            with pytest.raises(NoTransition, match="CLOSED"):
                endpoint.run("sendto", peer)
        assert [r.stimulus for r in endpoint.wait(100)] == ["wait"]


def test_a_refused_stimulus_of_another_peer_leaves_the_focus_and_the_peers(make: Make) -> None:
    endpoint = make()
    endpoint.run("sendto")
    before, records = now(endpoint), len(endpoint.history)
    for word, peer in (("bind", "B"), ("idle_timeout", "B")):
        with pytest.raises(NoTransition):
            endpoint.run(word, peer)
    assert now(endpoint) == before and len(endpoint.history) == records


def test_a_bind_refused_for_one_peer_is_refused_for_all(make: Make) -> None:
    endpoint = make()
    endpoint.run("bind", "B")
    for peer in "ABC":
        with pytest.raises(NoTransition, match="BOUND"):
            endpoint.run("bind", peer)


# --- refusals

CODE = re.compile(r"\bNone\b|[\[\]{}<>]|object at|Row\(|\('|NO_ROW|->")


@pytest.mark.parametrize("view", VIEWS)
def test_everything_that_is_refused_in_any_state_has_a_reason_in_words(view: str) -> None:
    for windows in ("vista", "11"):
        for evidence in ("base", "observed"):
            table = compile_table(view, configure(windows=windows, evidence=evidence))
            for state in range(len(table.states)):
                refused = dict(table.refusals(state))
                assert set(refused) | set(table.moves(state)) == set(table.events)
                assert not set(refused) & set(table.moves(state))
                for event, why in refused.items():
                    where = f"{table.name_of(state)}, {event}: {why}"
                    assert why.strip() and len(why.split()) >= 4, where
                    assert not CODE.search(why), where
                    assert not why.endswith((" ", ":", "needs", "here:", "there:", ";")), where


@pytest.mark.parametrize("view", VIEWS)
def test_a_refusal_says_what_was_asked_in_which_state_what_is_possible_and_why(view: str) -> None:
    table = compile_table(view, configure())
    for state in range(len(table.states)):
        for event, why in table.refusals(state):
            error = table.refused(state, event)
            text = str(error)
            assert f"'{event}' is not possible in state {table.name_of(state)}" in text
            assert why.rstrip(".") in text and "\n" not in text
            assert error.nearest.startswith("Possible here: ")
            possible = error.nearest.removeprefix("Possible here: ").split(", ")
            assert tuple(possible) == table.moves(state) or not table.moves(state)
            assert error.exit_status == 2


def test_the_closed_socket_says_that_this_is_the_end(make: Make) -> None:
    endpoint = make()
    endpoint.run("close")
    with pytest.raises(NoTransition, match="nothing, this is the end"):
        endpoint.run("bind")


REASONS = [  # words | refused | the reason in words
    ((), "datagram", "it needs socket BOUND; here: socket UNBOUND"),
    (("bind",), "bind", "it needs socket UNBOUND; here: socket BOUND"),
    (("bind",), "idle_timeout", "it needs flow OUT or IN or OUT_STALE or IN_STALE; here: flow NONE"),
    (("bind", "close"), "sendto", "here: socket CLOSED"),
    (("bind", "close"), "policy_change", "here: socket CLOSED"),
]


@pytest.mark.parametrize(("words", "refused", "reason"), REASONS)
def test_the_reason_names_what_would_be_needed(make: Make, words: tuple[str, ...], refused: str, reason: str) -> None:
    endpoint = make()
    for word in words:
        endpoint.run(word)
    before = now(endpoint)
    with pytest.raises(NoTransition) as caught:
        endpoint.run(refused)
    assert reason in str(caught.value) and now(endpoint) == before


@pytest.mark.parametrize("view", VIEWS)
def test_a_stimulus_that_is_not_for_this_endpoint_says_so(make: Make, view: str) -> None:
    for stimulus in set(STIMULI) - set(VIEWS[view].stimuli):
        with pytest.raises(NoTransition, match="does not happen to"):
            make(view).run(stimulus)


@pytest.mark.parametrize("word", ["sendt", "bnd", "permit", "", "datagramm"])
def test_an_unknown_stimulus_names_the_nearest(make: Make, word: str) -> None:
    with pytest.raises(UnknownName, match=r"Did you mean|Allowed"):
        make().run(word)


def test_an_unknown_endpoint_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="sender"):
        Endpoint("sendr", Config())
    with pytest.raises(UnknownName, match="sender"):
        LiveEndpoint("sendr", Config())


# --- the live machine


def test_the_machine_has_one_transition_for_each_cell_and_no_others() -> None:
    for view in VIEWS:
        table = compile_table(view, configure())
        machine = build_machine(table)
        cells = {
            (event, table.name_of(state), table.names[table.next_or_none(state, number)])
            for state in range(len(table.states))
            for number, event in enumerate(table.events)
            if table.next_or_none(state, number) >= 0
        }
        real = {
            (name, t.source, t.dest)
            for name, event in machine.events.items()
            for entries in event.transitions.values()
            for t in entries
        }
        assert real == cells
        assert set(machine.events) == set(table.events)
        assert machine.initial == table.names[table.start]


def test_a_machine_can_drive_an_object_of_ones_own() -> None:
    class Mine:
        state = ""

    mine = Mine()
    build_machine(compile_table("sender", configure()), mine)
    mine.bind()  # type: ignore[attr-defined]
    assert mine.state == "UNBOUND/NONE bind@bind.redirect"


def test_a_model_without_machine_names_what_is_missing() -> None:
    with pytest.raises(AttributeError, match="no event or attribute named 'bind'"):
        Model().bind()


def test_the_live_machine_and_the_endpoint_stand_in_the_same_state_through_a_random_walk() -> None:
    for view in VIEWS:
        for seed in range(12):
            dice = random.Random(f"{view} {seed}")
            options: dict[str, Any] = {
                "ip": dice.choice([4, 6]),
                "windows": dice.choice(["vista", "7", "11"]),
                "evidence": dice.choice(["base", "observed"]),
                "assume": {name: dice.choice(CHOICES[name].option_names()) for name in dice.sample([*CHOICES], 3)},
            }
            pair = [make_endpoint(view, configure(**options), engine) for engine in ("table", "live")]
            for _ in range(150):
                word = dice.choice([*VIEWS[view].stimuli, *VERDICTS, *VERDICTS, "permit", "permit", "wait"])
                peer, seconds = dice.choice("ABC"), dice.choice([1, 4, 30, 60])
                answers = []
                for endpoint in pair:
                    before = now(endpoint)
                    try:
                        if word in VERDICTS:
                            endpoint.decide(word)
                        elif word != "wait":
                            endpoint.begin(word, peer)
                        elif endpoint.table.layer(endpoint.state) is None:
                            endpoint.wait(seconds)
                        if endpoint.table.layer(endpoint.state) is not None:
                            answers.append(str(endpoint.context()))
                        answers.append("")
                    except FsmError as error:
                        answers.append(str(error))
                        assert now(endpoint) == before, f"refused, and yet changed: {error}"
                assert answers[: len(answers) // 2] == answers[len(answers) // 2 :]
                assert now(pair[0]) == now(pair[1]) and pair[0].trace == pair[1].trace
                assert pair[0].history == pair[1].history


MARKS = ["policy_change", "interface_change", "profile_change"]
PACKETS = ["sendto", "datagram", "sendto", "datagram", "inject_send", "inject_receive"]
OTHERS = ["sendto_group", "datagram_group", "icmp_error", "flow_abort", "wait", "wait"]


def test_the_registers_of_every_peer_follow_a_simple_model_through_a_random_walk(make: Make) -> None:
    """An oracle in a few lines: permit everywhere, what facts a.2 to a.15 and a.21 say of flows and the group."""
    for seed in range(10):
        dice, endpoint = random.Random(seed), make()
        endpoint.run("bind")
        flows, touched, sent_to_group = dict.fromkeys("ABC", "NONE"), dict.fromkeys("ABC", 0), -1000
        for _ in range(80):
            word, peer = dice.choice([*PACKETS, *MARKS, *OTHERS]), dice.choice("ABC")
            if word == "wait":
                endpoint.wait(dice.choice([1, 3, 4, 10, 25, 60]))
                for p, flow in flows.items():
                    if flow != "NONE" and endpoint.now_s - touched[p] >= 60:
                        flows[p] = "NONE"
            elif word != "flow_abort" or flows[peer] != "NONE":
                answered = endpoint.now_s - sent_to_group < 4  # fact a.15.1: no flow is needed
                endpoint.run(word, peer)
                if word in MARKS:
                    flows = {p: f if f == "NONE" or "_" in f else f + "_STALE" for p, f in flows.items()}
                elif word == "flow_abort":
                    flows[peer] = "NONE"
                elif word == "sendto_group":
                    sent_to_group = endpoint.now_s
                elif word in PACKETS:
                    first = "OUT" if word in ("sendto", "inject_send") else "NONE" if answered else "IN"
                    flows[peer] = first if flows[peer] == "NONE" else flows[peer].removesuffix("_STALE")
                    touched[peer] = endpoint.now_s
            assert {p: endpoint.flow(p) for p in "ABC"} == flows
            window = "window" in endpoint.table.name_of(endpoint.state)
            assert window == (endpoint.now_s - sent_to_group < 4)


def test_connect_hears_its_peer_only_through_a_random_walk(make: Make) -> None:
    """Facts a.5.3, a.5.4: sendto overrides the peer for one datagram, reception is from the connected one alone."""
    for seed in range(6):
        dice, endpoint, connected = random.Random(seed), make(), ""
        endpoint.run("bind")
        for _ in range(60):
            word = dice.choice(["connect", "sendto", "datagram", "datagram", "inject_receive"])
            peer = dice.choice("ABC")
            record = endpoint.run(word, peer)
            if word == "connect":
                connected = peer
            elif word == "sendto":
                assert record.outcome == "sent"
            else:
                assert record.outcome == ("delivered" if connected in ("", peer) else "silent")


def test_the_records_of_a_run_keep_every_step_once(make: Make) -> None:
    endpoint = make()
    for word, peer in (("sendto", "A"), ("sendto", "B"), ("policy_change", "A"), ("datagram", "B"), ("close", "A")):
        endpoint.run(word, peer)
    assert [step for record in endpoint.history for step in record.steps] == endpoint.trace
