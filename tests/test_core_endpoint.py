"""An endpoint driven by hand: contexts, peers, time, going back and refusals, each with the numbers written down.

The layers of each sequence are the matter of `test_sequences`; here it is what the endpoint itself keeps and shows.
"""
# ruff: noqa: E501 - lists of data, where columns beat the line length

from __future__ import annotations

import pytest

from fsm.choices import configure
from fsm.endpoint import ClassifyContext, Endpoint, Snapshot, Tuple5, verdict_at
from fsm.errors import FsmError, NoTransition, UnknownName

CONNECT, ACCEPT = "FWPM_LAYER_ALE_AUTH_CONNECT_V4", "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4"
ASSIGN, REDIRECT = "FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4", "FWPM_LAYER_ALE_CONNECT_REDIRECT_V4"


def driven(words: str, endpoint: str = "sender", **options: object) -> Endpoint:
    """An endpoint after these words; `stimulus@peer`, `wait:seconds`."""
    made = Endpoint(endpoint, configure(**options))  # type: ignore[arg-type]
    return go(made, words)


def go(endpoint: Endpoint, words: str) -> Endpoint:
    for word in words.split():
        stimulus, _, peer = word.partition("@")
        if stimulus.startswith("wait:"):
            endpoint.wait(int(stimulus[5:]))
        else:
            endpoint.run(stimulus, peer or "A")
    return endpoint


def contexts(endpoint: Endpoint, word: str) -> list[ClassifyContext]:
    seen: list[ClassifyContext] = []
    endpoint.register(lambda context: seen.append(context))
    go(endpoint, word)
    return seen


# --- what a callout is shown


def test_a_callout_is_shown_the_whole_classify() -> None:
    endpoint = driven("bind wait:7")
    seen = contexts(endpoint, "sendto")
    assert [c.layer.fwpm_name.removeprefix("FWPM_LAYER_") for c in seen] == [
        *("ALE_CONNECT_REDIRECT_V4", "ALE_AUTH_CONNECT_V4", "ALE_FLOW_ESTABLISHED_V4"),
        *("DATAGRAM_DATA_V4", "OUTBOUND_TRANSPORT_V4", "OUTBOUND_IPPACKET_V4"),
    ]
    first = seen[1]
    assert first == ClassifyContext(
        "sender", first.layer, "sendto", "A", Tuple5("192.0.2.1", 50000, "198.51.100.1", 53, 17), (), "outbound",
        "outbound", "BOUND/NONE sendto@send.authorize", 7, 0, False,
    )  # fmt: skip
    assert {c.stimulus for c in seen} == {"sendto"} and {c.peer for c in seen} == {"A"}


@pytest.mark.parametrize(
    ("words", "last", "options", "layer", "shown"),
    [
        ("", "bind", {}, "RESOURCE_ASSIGNMENT", Tuple5("0.0.0.0", 50000, None, None)),
        ("", "bind", {"ip": 6}, "RESOURCE_ASSIGNMENT", Tuple5("::", 50000, None, None)),
        ("bind", "close", {"assume": {"close": "closure_release"}}, "CLOSURE", Tuple5("0.0.0.0", 50000, None, None)),
        ("bind", "sendto", {"ip": 6}, "AUTH_CONNECT", Tuple5("2001:db8::1", 50000, "2001:db8:ffff::1", 53)),
        ("bind", "sendto", {}, "OUTBOUND_IPPACKET", Tuple5("192.0.2.1", None, "198.51.100.1", None, None)),
        ("bind", "sendto_group", {}, "AUTH_CONNECT", Tuple5("192.0.2.1", 50000, "239.192.0.1", 53)),
        ("bind", "sendto_group", {"ip": 6}, "AUTH_CONNECT", Tuple5("2001:db8::1", 50000, "ff15::1", 53)),
        ("bind", "datagram_group", {}, "RECV_ACCEPT", Tuple5("239.192.0.1", 50000, "198.51.100.1", 53)),
        ("bind", "sendto", {"assume": {"protocol": "icmp_echo"}}, "AUTH_CONNECT", Tuple5("192.0.2.1", 8, "198.51.100.1", 0, 1)),
        ("bind", "sendto", {"ip": 6, "assume": {"protocol": "icmp_echo"}}, "AUTH_CONNECT", Tuple5("2001:db8::1", 128, "2001:db8:ffff::1", 0, 58)),
        ("bind", "sendto", {"assume": {"protocol": "igmp"}}, "AUTH_CONNECT", Tuple5("192.0.2.1", 0, "198.51.100.1", 0, 2)),
        ("bind", "sendto", {"assume": {"dual_stack": "yes"}}, "CONNECT_REDIRECT", Tuple5("::ffff:192.0.2.1", 50000, "::ffff:198.51.100.1", 53)),
        ("bind", "sendto", {"assume": {"dual_stack": "yes"}}, "AUTH_CONNECT", Tuple5("192.0.2.1", 50000, "198.51.100.1", 53)),
    ],
)  # fmt: skip
def test_a_layer_shows_the_tuple_that_it_has(
    words: str, last: str, options: dict[str, object], layer: str, shown: Tuple5
) -> None:
    """Fact a.1.5 (empty bind address), a.2.7 (no ports at IPPACKET), a.5.2 (mapped), a.16.3 (ICMP type and code)."""
    found = [c.tuple5 for c in contexts(driven(words, **options), last) if layer in c.layer.fwpm_name]
    assert found[-1] == shown


def test_the_icmp_error_that_goes_back_is_icmp_and_shows_no_ports() -> None:
    """Fact a.9: protocol 1, ports 0/0; a.9.8 for IPv6."""
    for ip, protocol in ((4, 1), (6, 58)):
        endpoint = Endpoint("dropped_port", configure(ip=ip))
        shown = {c.layer.stem: c.tuple5 for c in contexts(endpoint, "datagram")}
        error = shown["OUTBOUND_ICMP_ERROR"]
        assert (error.local_port, error.remote_port, error.protocol) == (0, 0, protocol)
        assert shown["INBOUND_IPPACKET"].protocol is None


def test_every_peer_has_an_address_of_its_own_in_the_order_of_first_use() -> None:
    endpoint = driven("bind sendto sendto@B")
    remote = [endpoint.tuple5(peer).remote_address for peer in ("A", "B", "C", "B")]
    assert remote == ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.2"]
    for number in range(4, 258):
        address = endpoint.tuple5(f"p{number}").remote_address
    assert address == "198.51.101.1"
    six = Endpoint("sender", configure(ip=6))
    assert [six.tuple5(f"p{n}").remote_address for n in range(9)][-1] == "2001:db8:ffff::a"


@pytest.mark.parametrize(
    ("words", "last", "layer", "packet", "flow"),
    [
        ("", "bind", "RESOURCE_ASSIGNMENT", "", ""),
        ("bind", "sendto", "AUTH_CONNECT", "outbound", "outbound"),
        ("bind sendto", "datagram", "DATAGRAM_DATA", "inbound", "outbound"),
        ("bind datagram", "sendto", "DATAGRAM_DATA", "outbound", "inbound"),
        ("bind", "datagram", "AUTH_RECV_ACCEPT", "inbound", "inbound"),
        ("bind sendto", "datagram_group", "AUTH_RECV_ACCEPT", "inbound", "inbound"),
        ("bind datagram", "sendto_group", "AUTH_CONNECT", "outbound", "outbound"),
        ("bind sendto policy_change", "datagram", "AUTH_CONNECT", "inbound", "outbound"),
        ("bind sendto", "icmp_error", "INBOUND_ICMP_ERROR", "inbound", "outbound"),
    ],
)
def test_packet_and_flow_direction_are_told_apart(words: str, last: str, layer: str, packet: str, flow: str) -> None:
    """Facts a.8.4, a.11.4."""
    found = [c for c in contexts(driven(words), last) if layer in c.layer.fwpm_name]
    assert [(c.packet_direction, c.flow_direction) for c in found] == [(packet, flow)]


@pytest.mark.parametrize(
    ("words", "last", "options", "reason"),
    [
        ("bind sendto", "sendto", {}, 0),
        ("bind sendto policy_change", "sendto", {}, 0x1),
        ("bind sendto policy_change profile_change", "sendto", {}, 0x9),
        ("bind sendto policy_change policy_change", "sendto", {}, 0x1),
        ("bind sendto policy_change sendto profile_change", "sendto", {}, 0x8),
        ("bind sendto policy_change wait:60", "sendto", {}, 0),
        ("bind sendto policy_change flow_abort", "sendto", {}, 0),
        ("bind sendto policy_change", "sendto", {"windows": "7"}, 0x1),
        ("bind sendto policy_change", "sendto", {"windows": "vista-sp1"}, 0),
        ("bind", "datagram_group", {}, 0x100),
        ("bind datagram policy_change datagram_group", "datagram", {}, 0x1),
    ],
)
def test_the_reason_of_a_reauthorization_is_kept_until_it_is_dealt_with(
    words: str, last: str, options: dict[str, object], reason: int
) -> None:
    """Facts a.11/reasons, f/7: the field came with Windows 7."""
    endpoint = driven(words, **options)
    found = [c.reauthorize_reason for c in contexts(endpoint, last) if "_AUTH_" in c.layer.fwpm_name]
    assert sum(found) == reason
    record = endpoint.history[-1]
    told = {record.steps[number].layer: bits for number, bits in record.reasons.items()}
    assert list(told.values()) == ([reason] if reason else [])
    assert all("_AUTH_" in layer for layer in told)


def test_the_completion_of_a_pended_classify_is_a_reason_of_its_own() -> None:
    """Fact a.12.3."""
    endpoint = Endpoint("sender", configure())
    endpoint.register(verdict_at({CONNECT: "pend"}))
    go(endpoint, "bind sendto")
    assert [c.reauthorize_reason for c in contexts(endpoint, "complete") if c.layer.fwpm_name == CONNECT] == [0x10]


def test_a_callouts_own_packet_is_told_from_others() -> None:
    """Facts a.21.3, a.12.3."""
    assert all(c.injected_by_self for c in contexts(driven("bind sendto"), "inject_send"))
    assert not any(c.injected_by_self for c in contexts(driven("bind sendto"), "sendto"))
    endpoint = Endpoint("receiver", configure())
    endpoint.register(verdict_at({ACCEPT: "pend"}))
    go(endpoint, "bind datagram")
    assert endpoint.history[-1].outcome == "pended"
    assert [c.injected_by_self for c in contexts(endpoint, "complete")] == [True] * 5
    assert endpoint.history[-1].outcome == "delivered"


# --- callouts


def test_the_first_verdict_that_is_no_permit_decides_and_all_are_asked() -> None:
    endpoint = driven("bind")
    asked: list[str] = []
    for name, answer in (("one", None), ("two", "permit"), ("three", "block"), ("four", "absorb")):
        endpoint.register(lambda context, name=name, answer=answer: asked.append(name) or answer, "AUTH_CONNECT")  # type: ignore[misc]
    endpoint.register(lambda context: "block", "INBOUND_TRANSPORT")
    record = endpoint.run("sendto")
    assert asked == ["one", "two", "three", "four"]
    assert (record.outcome, record.blocked_at) == ("blocked", CONNECT)
    assert [event for event, _ in record.logged] == [5157, 5152]
    assert {step.layer for _, step in record.logged} == {CONNECT}
    assert record.application_sees == "sendto returned success; the datagram is lost"
    assert record.remote_sees == "nothing arrives"
    assert record.classified == [step for step in record.steps if step.layer] and len(record.classified) == 3
    assert len(record.steps) == 4  # and the stimulus itself


def test_what_is_no_callout_and_an_unknown_layer_are_refused() -> None:
    endpoint = driven("")
    with pytest.raises(FsmError) as caught:
        endpoint.register("block")  # type: ignore[arg-type]
    assert str(caught.value) == "sender, register: 'block' is no callout. Give a function of a context."
    with pytest.raises(FsmError, match="register: "):
        endpoint.register(lambda context: None, "AUTH_CONECT")


def test_a_callout_that_raises_leaves_the_endpoint_before_the_layer() -> None:
    endpoint = driven("bind")

    def callout(context: ClassifyContext) -> str | None:
        raise ValueError("no")

    endpoint.register(callout, CONNECT)
    with pytest.raises(ValueError, match="no"):
        endpoint.run("sendto")
    assert endpoint.context().layer.fwpm_name == CONNECT
    assert endpoint.decide("block").layer == CONNECT
    assert endpoint.history[-1].outcome == "blocked"


def test_a_callout_that_pends_leaves_second_classifies_and_its_own_packets_alone() -> None:
    """Facts a.12.7, a.21.3."""
    endpoint = Endpoint("sender", configure())
    endpoint.register(verdict_at({CONNECT: "pend"}))
    assert [go(endpoint, word).history[-1].outcome for word in ("bind", "sendto", "complete", "inject_send")] == [
        *(None, "pended", "silent", "sent")
    ]
    blocking = Endpoint("sender", configure())
    blocking.register(verdict_at({ASSIGN: "block"}))
    assert blocking.run("bind").blocked_at == ASSIGN


# --- step by step


def test_a_stimulus_is_begun_decided_and_gone_on_with() -> None:
    endpoint = driven("bind")
    record = endpoint.begin("sendto")
    assert endpoint.context().layer.fwpm_name == REDIRECT and endpoint.history[-1] is record
    assert endpoint.decide("permit").layer == REDIRECT
    step = endpoint.decide("permit", record)
    assert (step.layer, record.steps[-1]) == (CONNECT, step)
    assert endpoint.proceed() is record and record.outcome == "sent"
    assert [step.layer for step in endpoint.trace[-len(record.steps) :]] == [step.layer for step in record.steps]


@pytest.mark.parametrize(
    ("words", "asked", "kind", "message"),
    [
        ("", "context", NoTransition, "sender: no layer is being classified in state UNBOUND/NONE."),
        ("", "decide:permit", NoTransition, "sender: no layer waits for a verdict in state UNBOUND/NONE. Possible here: bind,"),
        ("", "decide:permitt", UnknownName, "sender: no verdict named 'permitt'. Did you mean 'permit'?"),
        ("", "decide:bind", UnknownName, "sender: no verdict named 'bind'."),
        ("", "proceed", NoTransition, "sender: no layer waits for a verdict in state UNBOUND/NONE."),
        ("bind", "run:bind", NoTransition, "sender, stimulus 2: 'bind' is not possible in state BOUND/NONE: it needs"),
        ("bind", "run:sendtoo", UnknownName, "sender, stimulus 2: no stimulus named 'sendtoo'. Did you mean 'sendto'"),
        ("bind", "wait:-1", NoTransition, "sender, stimulus 2: time cannot run backwards (-1 s)."),
    ],
)  # fmt: skip
def test_what_is_not_possible_is_refused_and_changes_nothing(
    words: str, asked: str, kind: type[FsmError], message: str
) -> None:
    endpoint = driven(words)
    before = endpoint.snapshot(), len(endpoint.history), len(endpoint.trace)
    what, _, given = asked.partition(":")
    with pytest.raises(kind) as caught:
        getattr(endpoint, what)(*([int(given) if what == "wait" else given] if given else []))
    assert str(caught.value).startswith(message)
    assert (endpoint.snapshot(), len(endpoint.history), len(endpoint.trace)) == before


def test_in_the_middle_of_a_stimulus_no_time_passes_and_no_other_peer_is_looked_at() -> None:
    endpoint = driven("bind")
    endpoint.begin("sendto")
    with pytest.raises(NoTransition) as caught:
        endpoint.wait(1)
    assert str(caught.value).startswith(
        f"sender, stimulus 3: time does not pass while sendto waits for the verdict of {REDIRECT}. "
        "Possible here: permit, block"
    )
    with pytest.raises(NoTransition, match=f"a stimulus of peer A waits for the verdict of {REDIRECT}"):
        endpoint.look_at("B")
    with pytest.raises(NoTransition, match="sendto is in progress"):
        endpoint.run("sendto", "B")
    endpoint.look_at("A")
    assert endpoint.proceed().outcome == "sent"


# --- peers


def test_each_peer_has_its_flow_and_what_happens_to_the_socket_happens_to_all() -> None:
    endpoint = driven("bind sendto datagram@B")
    assert [endpoint.flow(peer) for peer in ("A", "B", "C")] == ["OUT", "IN", "NONE"]
    record = endpoint.run("policy_change")
    assert [endpoint.flow(peer) for peer in ("A", "B", "C")] == ["OUT_STALE", "IN_STALE", "NONE"]
    assert len(record.steps) == 2
    endpoint.look_at("A")
    assert (endpoint.peer, endpoint.table.register(endpoint.state, "flow")) == ("A", "OUT_STALE")
    endpoint.look_at("C")
    assert (endpoint.peer, endpoint.table.register(endpoint.state, "flow")) == ("C", "NONE")
    go(endpoint, "close")
    assert [endpoint.flow(peer) for peer in ("A", "B", "C")] == ["NONE"] * 3
    assert Endpoint("dropped_port", configure()).flow("A") == "NONE"


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ("bind connect datagram", "delivered"),
        ("bind connect datagram@B", "silent"),
        ("bind connect connect@B datagram", "silent"),
        ("bind connect connect@B datagram@B", "delivered"),
        ("bind connect_other datagram", "silent"),
        ("bind connect_other datagram@B", "silent"),
        ("bind datagram@B connect datagram@B", "silent"),
        ("bind connect sendto@B datagram", "delivered"),
        ("bind connect connect_other datagram", "silent"),
    ],
)
def test_a_connected_socket_hears_its_peer_only(words: str, outcome: str) -> None:
    """Fact a.5.4."""
    assert driven(words).history[-1].outcome == outcome


@pytest.mark.parametrize(
    ("connect", "then", "outcome"),
    [
        ("connect", "complete datagram", "delivered"),
        ("connect", "complete datagram@B", "silent"),
        ("connect@B", "complete datagram", "silent"),
        ("connect@B", "complete datagram@B", "delivered"),
        ("connect_other", "complete datagram", "silent"),
        ("connect", "complete_block datagram@B", "delivered"),
        ("connect_other", "complete_block datagram", "delivered"),
    ],
)
def test_a_connect_that_was_held_is_about_the_peer_that_it_named(connect: str, then: str, outcome: str) -> None:
    """Facts a.12.2, a.5.4."""
    endpoint = driven("bind")
    endpoint.register(verdict_at({REDIRECT: "pend"}))
    assert go(endpoint, connect).history[-1].outcome == "pended"
    assert go(endpoint, then).history[-1].outcome == outcome


# --- time


@pytest.mark.parametrize(
    ("words", "ended", "flows"),
    [
        ("bind sendto wait:59", ["wait"], ["OUT"]),
        ("bind sendto wait:60", ["idle_timeout"], ["NONE"]),
        ("bind sendto wait:30 datagram wait:59", ["wait"], ["OUT"]),
        ("bind sendto wait:30 datagram wait:60", ["idle_timeout"], ["NONE"]),
        ("bind sendto wait:20 sendto@B wait:40", ["idle_timeout"], ["NONE", "OUT"]),
        ("bind sendto sendto@B wait:60", ["idle_timeout", "idle_timeout"], ["NONE", "NONE"]),
        ("bind sendto policy_change wait:60", ["idle_timeout"], ["NONE"]),
        ("bind sendto_group wait:3", ["wait"], ["NONE"]),
        ("bind sendto_group wait:4", ["window_timeout"], ["NONE"]),
        ("bind sendto_group wait:3 sendto_group wait:3", ["wait"], ["NONE"]),
        ("bind wait:100 sendto wait:59", ["wait"], ["OUT"]),
        ("bind sendto wait:0", ["wait"], ["OUT"]),
        ("wait:5", ["wait"], ["NONE"]),
    ],
)
def test_flows_end_after_60_seconds_and_the_group_state_after_4(words: str, ended: list[str], flows: list[str]) -> None:
    """Facts a.14.1, a.15.1."""
    before, _, last = words.rpartition(" ")
    endpoint = driven(before)
    then = endpoint.now_s
    records = endpoint.wait(int(last.removeprefix("wait:")))
    assert [record.stimulus for record in records] == ended
    assert [endpoint.flow(peer) for peer in ("A", "B")][: len(flows)] == flows
    assert endpoint.now_s == then + int(last.removeprefix("wait:"))
    assert {record.at_s for record in records} == {endpoint.now_s}
    assert endpoint.history[-len(records) :] == records


def test_a_flow_that_a_callout_holds_does_not_end_by_itself() -> None:
    """Facts a.12, a.14: completion begins it."""
    endpoint = driven("bind")
    endpoint.register(verdict_at({CONNECT: "pend"}))
    go(endpoint, "sendto")
    assert [r.stimulus for r in endpoint.wait(600)] == ["wait"] and endpoint.flow("A") == "OUT_PENDED"
    go(endpoint, "complete")
    assert [r.stimulus for r in endpoint.wait(59)] == ["wait"] and endpoint.flow("A") == "OUT"


# --- going back


def test_a_snapshot_holds_all_that_the_future_depends_on() -> None:
    endpoint = driven("bind wait:1 connect wait:2 sendto wait:3 datagram@B policy_change sendto_group wait:1")
    taken = endpoint.snapshot()
    assert taken == Snapshot(
        endpoint.state, endpoint.peer, 7, tuple(endpoint._flows.items()), (("A", 3),), 6, (("A", 0x1),), "A", "A",
        (("A", 1), ("B", 2)),
    )  # fmt: skip
    words = ("sendto", "sendto@B", "datagram@B", "datagram@C", "wait:3", "wait:56", "close")
    wanted = _futures(endpoint, taken, words)
    again = Endpoint("sender", configure())
    again.restore(taken)
    assert again.snapshot() == taken
    assert _futures(again, taken, words) == wanted
    assert len({tuple(map(str, future)) for future in wanted}) > 4


def _futures(endpoint: Endpoint, taken: Snapshot, words: tuple[str, ...]) -> list[list[object]]:
    found: list[list[object]] = []
    for word in words:
        endpoint.restore(taken)
        number = len(endpoint.history)
        go(endpoint, word)
        found.append(
            [
                (r.stimulus, r.peer, r.at_s, r.outcome, r.reasons, [s.layer for s in r.steps])
                for r in endpoint.history[number:]
            ]
        )
    return found


def test_a_stimulus_in_progress_is_gone_on_with_after_going_back() -> None:
    endpoint = driven("bind")
    endpoint.begin("sendto", "B")
    endpoint.decide("permit")
    taken = endpoint.snapshot()
    endpoint.proceed()
    number = len(endpoint.history)
    endpoint.restore(taken)
    assert len(endpoint.history) == number + 1 and endpoint.history[-1].steps == []
    assert (endpoint.history[-1].stimulus, endpoint.history[-1].peer) == ("sendto", "B")
    record = endpoint.proceed()
    assert record.outcome == "sent" and record.steps[0].layer == CONNECT


# --- what is forgotten, and when


@pytest.mark.parametrize(
    ("words", "touched", "reasons"),
    [
        ("bind sendto policy_change", {"A": 0}, {"A": 0x1}),
        ("bind sendto policy_change sendto", {"A": 0}, {}),
        ("bind sendto policy_change flow_abort", {}, {}),
        ("bind sendto policy_change wait:60", {}, {}),
        ("bind sendto wait:9 sendto@B policy_change sendto", {"A": 9, "B": 9}, {"B": 0x1}),
        ("bind sendto sendto@B policy_change close", {}, {}),
    ],
)
def test_what_is_kept_of_a_flow_ends_with_it(words: str, touched: dict[str, int], reasons: dict[str, int]) -> None:
    """Facts a.11, a.13.4, a.13.5, a.14.1."""
    taken = driven(words).snapshot()
    assert (dict(taken.touched_s), dict(taken.reasons)) == (touched, reasons)


@pytest.mark.parametrize(
    ("words", "connected", "connecting"),
    [
        ("bind sendto", None, ""),
        ("bind connect@B", "B", "B"),
        ("bind connect@B sendto@C", "B", "B"),
        ("bind connect_other", "", ""),
        ("bind connect@B connect_other", "", ""),
        ("bind connect_other connect@B", "B", "B"),
        ("bind connect@B close", None, "B"),
    ],
)
def test_whom_the_socket_is_connected_to_is_kept(words: str, connected: str | None, connecting: str) -> None:
    taken = driven(words).snapshot()
    assert (taken.connected_to, taken.connecting_to) == (connected, connecting)


def test_a_record_and_a_refusal_name_the_peer_that_was_meant() -> None:
    endpoint = driven("bind sendto")
    assert endpoint.run("sendto", "B").peer == "B"
    with pytest.raises(NoTransition, match="not possible in state BOUND/NONE: it needs flow OUT"):
        endpoint.run("flow_abort", "C")


def test_a_redirection_that_is_classified_again_has_no_reason_of_the_auth_layers() -> None:
    """Fact g.9."""
    endpoint = Endpoint("sender", configure(assume={"bind_reauthorization": "on_modification"}))
    endpoint.register(verdict_at({"FWPM_LAYER_ALE_BIND_REDIRECT_V4": "pend"}))
    endpoint.run("bind")
    seen = contexts(endpoint, "complete")
    assert "IS_REAUTHORIZE" in seen[0].flags and seen[0].reauthorize_reason == 0
    assert endpoint.history[-1].reasons == {}
