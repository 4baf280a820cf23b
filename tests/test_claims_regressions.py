"""Claims that were once decided wrongly, ended in an internal error, or were told of another state than was shown."""

from __future__ import annotations

import random

import pytest

from fsm.choices import Config
from fsm.claims import accepts, always_after, endpoint, equivalent, matches, observation
from fsm.claims.finding import Finding
from fsm.claims.runs import UNCOMMON_MOVES, USUAL_MOVES
from fsm.errors import FsmError
from fsm.names import VERDICTS
from fsm.session import make_session
from fsm.stepper.walk import Walk
from fsm.table import compile_table
from fsm.traces.observation import Trace

BOUND = ("BIND_REDIRECT", "RESOURCE_ASSIGNMENT")
SENT = (*BOUND, "CONNECT_REDIRECT", "AUTH_CONNECT", "FLOW_ESTABLISHED", "DATAGRAM_DATA", "OUTBOUND_TRANSPORT",
        "OUTBOUND_IPPACKET")  # fmt: skip
RECEIVED = (*BOUND, "INBOUND_IPPACKET", "INBOUND_TRANSPORT", "AUTH_RECV_ACCEPT", "FLOW_ESTABLISHED", "DATAGRAM_DATA")


def told(found: Finding, heading: str) -> tuple[str, ...]:
    part = found.part(heading)
    return part.lines if part else ()


def test_a_socket_that_is_connected_elsewhere_is_idle_too() -> None:
    subject = endpoint("sender", stimuli=["connect_other", "datagram"])
    found = always_after(subject, "INBOUND_TRANSPORT_DISCARD", "AUTH_CONNECT")
    assert found.verdict == "refuted"
    assert told(found, "shortest counterexample")[-1] == "then: BOUND/connected_other/NONE"
    every = endpoint("sender", stimuli=["bind", "connect_other", "sendto", "datagram"])
    assert always_after(every, "(connect_other)", "AUTH_CONNECT").witness == ("connect_other", *["permit"] * 3)


@pytest.mark.parametrize("bound", ["", " within 5s"])
def test_a_run_that_ends_early_leaves_a_pattern_with_a_time_bound_as_well(bound: str) -> None:
    subject = endpoint("sender", stimuli=["bind", "sendto", "close"])
    found = matches(subject, f"(BIND_REDIRECT RESOURCE_ASSIGNMENT){bound} ... AUTH_CONNECT ...", every=True)
    assert (found.verdict, found.cause, found.witness) == ("refuted", "ends_early", ("close",))


def test_a_bound_never_makes_more_runs_stay_within_a_pattern() -> None:
    """A time bound only narrows a pattern."""
    dice = random.Random(7)
    layers = ("BIND_REDIRECT", "RESOURCE_ASSIGNMENT", "AUTH_CONNECT", "DATAGRAM_DATA", "(close)", "(sendto)")
    subject = endpoint("sender", stimuli=["bind", "sendto", "idle_timeout", "close"])
    for _ in range(60):
        one, two, three = (dice.choice(layers) for _ in range(3))
        plain, bounded = f"... ({one} ... {two}) ... {three}?", f"... ({one} ... {two}) within 3s ... {three}?"
        for every in (True, False):
            if matches(subject, bounded, every=every).verdict == "holds":
                assert matches(subject, plain, every=every).verdict == "holds", (bounded, every)


@pytest.mark.parametrize(
    ("make", "pattern"),
    [
        (lambda: "dropped_port", "... INBOUND_IPPACKET_DISCARD INBOUND_IPPACKET_DISCARD"),
        (make_session, "... (icmp_error) (icmp_error)"),
        (
            lambda: endpoint("sender", stimuli=["bind", "sendto", "connect", "close", "datagram", "policy_change"]),
            "... DATAGRAM_DATA AUTH_CONNECT (datagram)",
        ),
    ],
)
def test_what_comes_nearest_to_a_match_is_one_run_from_its_beginning_to_its_end(make: object, pattern: str) -> None:
    found = matches(make(), pattern)  # type: ignore[operator]
    assert found.verdict == "refuted"
    walk = Walk.from_token(found.token)
    assert tuple(node.move for node in walk.nodes[1:]) == found.witness


def test_why_is_told_of_the_state_that_the_run_shown_ends_in() -> None:
    """Of random sequences that are refused: the layer that is said to come or to answer is the one that waits there."""
    dice = random.Random(11)
    table = compile_table("sender", Config())
    names = sorted({layer.short_name for s in range(len(table.states)) if (layer := table.layer(s))})
    checked = 0
    for _ in range(400):
        begin = dice.choice((SENT, RECEIVED))
        wanted = [*begin[: dice.randrange(len(begin))], dice.choice(names) + dice.choice(("", ":permit", ":block"))]
        found = accepts("sender", wanted)
        for line in told(found, "why"):
            layer, _, what = line.partition(" ")
            if not what.startswith(("answers", "comes next there", "comes before it")):
                continue
            checked += 1
            state = told(found, "possible so far")[-1].removeprefix("then: ").partition(" (")[0]
            waiting = table.layer(table.names.index(state))
            assert waiting is not None and waiting.short_name == layer, found.message
    assert checked > 100


def test_a_sequence_that_lacks_layers_is_explained_by_the_stimulus_that_people_mean() -> None:
    found = accepts("sender", "BIND_REDIRECT RESOURCE_ASSIGNMENT FLOW_ESTABLISHED")
    assert told(found, "possible so far")[-1].startswith("then: BOUND/NONE sendto@send.redirect")
    assert told(found, "why")[0].startswith("ALE_CONNECT_REDIRECT_V4 comes next there: rule send.redirect.permit")
    # Where nothing in progress can come to it, the state in which something could begin is told of.
    again = accepts(endpoint("sender", stimuli=["sendto"]), [*SENT, "AUTH_CONNECT"])
    assert told(again, "possible so far")[-1] == "then: BOUND/OUT"


@pytest.mark.parametrize("layer", ["AUTH_CONNECT", "AUTH_RECV_ACCEPT", "DATAGRAM_DATA", "INBOUND_ICMP_ERROR"])
def test_two_machines_differ_in_a_usual_run_where_there_is_one(layer: str) -> None:
    found = equivalent("sender", endpoint("sender", block=[layer]))
    assert found.verdict == "refuted"
    moves = {move for move in found.witness if move not in VERDICTS}
    assert moves <= ({*USUAL_MOVES, *UNCOMMON_MOVES} if layer == "INBOUND_ICMP_ERROR" else set(USUAL_MOVES))


def test_seconds_are_whole_and_a_blank_before_the_unit_does_not_matter() -> None:
    with pytest.raises(FsmError, match=r"pattern, column 23: '2\.' is no whole number of seconds\. Write within 4s"):
        matches("sender", "(AUTH_CONNECT ... .)  within 2.5s")
    assert matches("sender", "... (AUTH_CONNECT ... FLOW_ESTABLISHED) within 2 s")


def test_blanks_in_brackets_and_quotation_marks_do_not_end_a_word() -> None:
    assert accepts("sender", "(sendto), BIND_REDIRECT [socket=UNBOUND flow=NONE]").verdict == "refuted"
    assert accepts("sender", '"ALE Bind Redirect v4 Layer"  RESOURCE_ASSIGNMENT')


def test_a_long_gap_in_a_trace_costs_no_more_than_a_short_one_and_is_told_whole() -> None:
    start = 1.7e9
    trace = Trace(
        (
            observation("AUTH_CONNECT", "permit", at_s=start),
            observation("FLOW_ESTABLISHED", "permit", at_s=start + 1e7),
            observation("DATAGRAM_DATA", "permit", at_s=start + 1e7 + 3),
        ),
        "drv.log",
    )
    found = matches(trace, "... (AUTH_CONNECT ... FLOW_ESTABLISHED) within 60s")
    assert found.verdict == "refuted"
    assert told(found, "why") == ("only the time is wrong: without the bound the trace matches",)
    assert told(found, "shortest way")[1:] == (
        "recorded: ALE_AUTH_CONNECT_V4 permit", "(after 10000000 s)", "recorded: ALE_FLOW_ESTABLISHED_V4 permit",
    )  # fmt: skip
    assert told(found, "note") == ("times of a trace are compared in whole seconds, rounded down",)
    assert "other state" not in found.message
    assert matches(trace, "... (FLOW_ESTABLISHED DATAGRAM_DATA) within 3s")
    assert not matches(trace, "... (FLOW_ESTABLISHED DATAGRAM_DATA) within 2s")


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["INBOUND_IPPACKET@receiver"], "drop.ippacket.permit"),
        ([f"{layer}@sender" for layer in (*BOUND, "INBOUND_IPPACKET")], "receive.ippacket.permit"),
        (["OUTBOUND_ICMP_ERROR@sender"], "drop.icmp_error.permit"),
    ],
)
def test_in_a_session_what_the_network_would_have_to_bring_is_said_to_be_missing(words: list[str], rule: str) -> None:
    (why,) = told(accepts(make_session(), words), "why")
    name = words[-1].partition("@")[2]
    assert why.startswith(f"{name}: it comes in (datagram) by rule {rule}")
    assert why.endswith(f", and nothing is on its way to {name} there")


def test_a_response_that_is_missing_is_said_to_be_missing() -> None:
    found = always_after(
        endpoint("sender", stimuli=["sendto"], block=["DATAGRAM_DATA"]), "AUTH_CONNECT", "OUTBOUND_TRANSPORT"
    )
    assert told(found, "why")[0] == (
        "nothing is in progress any more, and OUTBOUND_TRANSPORT (OUTBOUND_TRANSPORT_V4) has not come since "
        "AUTH_CONNECT (ALE_AUTH_CONNECT_V4)"
    )
    bounded = always_after("sender", "AUTH_CONNECT", "FLOW_ESTABLISHED", before="DATAGRAM_DATA")
    assert told(bounded, "why")[0].startswith("DATAGRAM_DATA (DATAGRAM_DATA_V4) comes, and FLOW_ESTABLISHED")
    session = always_after(make_session(), "AUTH_CONNECT@sender", "INBOUND_IPPACKET@sender")
    assert told(session, "why")[0].startswith("nothing is in progress any more at sender, and INBOUND_IPPACKET@sender")


def test_a_name_is_no_policy() -> None:
    with pytest.raises(FsmError) as raised:
        endpoint("sender", policy="x.toml", from_="192.0.2.1:50000", to="198.51.100.1:53")  # type: ignore[arg-type]
    assert str(raised.value) == (
        "claims, sender: policy is 'x.toml', and no policy. Write policy=read_policy('x.toml')."
    )


def test_a_pattern_that_rules_out_a_layer_that_a_trace_never_shows_says_so() -> None:
    trace = Trace((observation("AUTH_CONNECT_V4", "permit"), observation("DATAGRAM_DATA_V4", "permit")), "drv.log")
    found = matches(trace, "AUTH_CONNECT_V4 !OUTBOUND_IPPACKET_V4")
    assert found.verdict == "holds" and told(found, "note") == (
        "no line is at OUTBOUND_IPPACKET_V4: that no callout of yours stands there, or that none was called, look the "
        "same",
    )
    assert told(matches(trace, "AUTH_CONNECT_V4 !AUTH_CONNECT_V4"), "note") == ()
