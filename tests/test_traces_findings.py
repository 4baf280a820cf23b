"""What a divergence says: the kind of each edit, its reason, its rule and its repair; and what decides a hypothesis."""

from __future__ import annotations

from dataclasses import replace

from fsm.traces.conformance import AGREES, DIVERGES, Conformance, ConversationResult, check_trace
from fsm.traces.observation import Observation, Trace
from fsm.traces.report import conflict_text, report_text

ONLY = ("ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_CONNECT", "ALE_FLOW_ESTABLISHED", "DATAGRAM_DATA", "OUTBOUND_TRANSPORT")
# What no application and no callout of these examples does.
NEVER = ("inject_send", "inject_receive", "complete", "complete_block", "sendto_group", "datagram_group", "datagram")
BIND, CONNECT, ESTABLISHED = "ALE_RESOURCE_ASSIGNMENT_V4", "ALE_AUTH_CONNECT_V4", "ALE_FLOW_ESTABLISHED_V4"
DATA, TRANSPORT = "DATAGRAM_DATA_V4", "OUTBOUND_TRANSPORT_V4"
SEND = (BIND, CONNECT, ESTABLISHED, DATA, TRANSPORT)


def line(layer: str, verdict: str = "permit", **more: object) -> Observation:
    return Observation(f"FWPM_LAYER_{layer}", verdict, **more)  # type: ignore[arg-type]


def check(*lines: Observation, **options: object) -> Conformance:
    settings = {"only": ONLY, "never": NEVER, **options}
    return check_trace(Trace(lines), **settings)  # type: ignore[arg-type]


def diverging(*lines: Observation, **options: object) -> ConversationResult:
    result = check(*lines, **options)
    assert result.verdict == DIVERGES
    (one,) = result.conversations
    assert one.cost == one.at_least == len(one.edits)
    return one


def test_the_sound_send_agrees() -> None:
    result = check(*map(line, SEND))
    assert result.verdict == AGREES
    assert result.conversations[0].endpoints == ("sender", "receiver")


def test_a_verdict_that_a_layer_does_not_take() -> None:
    one = diverging(*(line(layer, "block" if layer == ESTABLISHED else "permit") for layer in SEND))
    (edit,) = one.edits
    assert (edit.kind, edit.index, edit.rule) == ("wrong_verdict", 2, "send.establish.permit")
    assert "it is no policy point" in edit.why
    assert edit.repair == "verdict permit in line 3"
    assert one.refused is not None
    assert one.refused.index == 2


def test_a_verdict_after_which_the_rest_is_not_possible() -> None:
    one = diverging(line(BIND, "block"), *map(line, SEND[1:]), from_start=True, never=(*NEVER, "connect", "close"))
    (edit,) = one.edits
    assert (edit.kind, edit.index) == ("wrong_verdict", 0)
    assert edit.why.endswith("after block the next lines would not be possible")


def test_a_lost_line_and_a_line_too_many() -> None:
    lost = diverging(*(line(layer) for layer in SEND if layer != ESTABLISHED), from_start=True)
    assert [(edit.kind, edit.index) for edit in lost.edits] == [("missing", 2)]
    assert lost.edits[0].cite == ("UDPF", "WLR")
    twice = diverging(*map(line, (*SEND[:3], ESTABLISHED, *SEND[3:])))
    assert [edit.kind for edit in twice.edits] == ["extra"]
    assert twice.edits[0].repair in ("without line 3", "without line 4")
    assert "here only after" in twice.edits[0].why or "what follows" in twice.edits[0].why


def test_two_lines_in_the_wrong_order() -> None:
    one = diverging(*map(line, (BIND, CONNECT, ESTABLISHED, TRANSPORT, DATA)), from_start=True)
    assert [(edit.kind, edit.index, edit.repair) for edit in one.edits] == [("wrong_order", 3, "line 5 before line 4")]


def test_flags_that_the_model_has_not_there() -> None:
    lines = [line(layer, flags=("IS_REAUTHORIZE",) if layer == CONNECT else ()) for layer in SEND]
    one = diverging(*lines, from_start=True)
    (edit,) = one.edits
    assert (edit.kind, edit.index, edit.repair) == ("wrong_flags", 1, "no flag in line 2")
    assert "is called with no flag there" in edit.why
    untold = [line(layer) for layer in SEND]
    assert check(*untold, from_start=True).verdict == AGREES


def test_a_packet_in_the_other_direction() -> None:
    lines = [line(layer, direction="inbound" if layer == DATA else "") for layer in SEND]
    (edit,) = diverging(*lines, from_start=True).edits
    assert (edit.kind, edit.index, edit.repair) == ("wrong_direction", 3, "direction outbound in line 4")


def test_a_second_bind_needs_a_port_that_changed_hands_and_a_handle_says_that_it_did_not() -> None:
    lines = [line(BIND), *map(line, SEND)]
    result = check(*lines, never=(*NEVER, "protection_level"))
    assert (result.verdict, result.conversations[0].endpoints) == (AGREES, ("port",))
    same = [Observation(one.layer, one.verdict, "0x1f") for one in lines]
    refused = check_trace(Trace(tuple(same)), only=ONLY, never=(*NEVER, "protection_level"))
    assert refused.verdict == DIVERGES
    assert refused.conversations[0].cost == 1


def test_a_stimulus_that_did_not_happen_refuses_what_needs_it() -> None:
    again = [*map(line, SEND), *map(line, SEND[1:])]  # authorized anew: the flow had ended in between
    assert check(*again, allow=["idle_timeout"]).verdict == AGREES
    assert check(*again, never=(*NEVER, "idle_timeout", "flow_abort", "close")).verdict == DIVERGES


def test_a_dispute_that_is_decided_beforehand_refuses_the_other_option() -> None:
    closing = [line(BIND), line("ALE_ENDPOINT_CLOSURE_V4"), line("ALE_RESOURCE_RELEASE_V4")]
    only = (*ONLY, "ALE_ENDPOINT_CLOSURE", "ALE_RESOURCE_RELEASE")
    assert dict(check(*closing, only=only).decides)["close"] == "closure_release"
    assert check(*closing, only=only, decided=["close"]).verdict == DIVERGES


def test_conversations_at_odds_are_told_with_what_they_decide_and_not_all_of_them() -> None:
    plain = [line("ALE_BIND_REDIRECT_V4", "pend"), line(BIND)]
    again = [plain[0], line("ALE_BIND_REDIRECT_V4", flags=("IS_REAUTHORIZE",))]
    lines = [replace(one, endpoint=f"h{n}") for n in range(6) for one in plain]
    lines += [replace(one, endpoint="last") for one in again]
    result = check_trace(Trace(tuple(lines)))
    assert len(result.conflict) == 7
    never = "(bind_reauthorization=never)"
    assert conflict_text(result) == (
        f"endpoint h0 {never}; endpoint h1 {never}; endpoint h2 {never}; 3 more; "
        "on the other side endpoint last (bind_reauthorization=on_modification)"
    )
    assert conflict_text(result) in "".join(report_text(result, 0))
