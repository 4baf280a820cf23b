"""What a conversation may be explained by: tuples and times rule out, what is rare is asked about, chaos diverges."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from fsm.endpoint import Endpoint
from fsm.traces.automaton import Limits
from fsm.traces.conformance import AGREES, AGREES_IF, DIVERGES, Conformance, check_trace
from fsm.traces.free import kind_of
from fsm.traces.observation import Observation, Trace

LOCAL, PEER, GROUP = "10.0.0.1:5000", "8.8.8.8:53", "224.0.0.251:5353"
SEEN = {
    "monitor": ("ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT", "ALE_FLOW_ESTABLISHED",
                "DATAGRAM_DATA", "INBOUND_TRANSPORT", "OUTBOUND_TRANSPORT"),
    "flows and data": ("ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT", "ALE_FLOW_ESTABLISHED", "DATAGRAM_DATA"),
}  # fmt: skip


def lines_of(
    name: str, stimuli: tuple[str, ...], layers: tuple[str, ...], remote: str = PEER, *, flags: bool = False
) -> list[Observation]:
    """What callouts at these layers see of stimuli."""
    endpoint = Endpoint(name)
    return [
        Observation(
            step.layer, step.verdict, "", LOCAL, "" if "RESOURCE" in step.layer else remote,
            flags=step.flags if flags else None,
        )
        for stimulus in stimuli
        for step in endpoint.run(stimulus).classified
        if step.layer.removeprefix("FWPM_LAYER_").removesuffix("_V4") in layers
    ]  # fmt: skip


def line(layer: str, verdict: str = "permit", **more: object) -> Observation:
    ends = {"local": LOCAL, "remote": PEER, **more}
    return Observation(f"FWPM_LAYER_{layer}_V4", verdict, **ends)  # type: ignore[arg-type]


def check(lines: list[Observation], **options: object) -> Conformance:
    return check_trace(Trace(tuple(lines)), **options)  # type: ignore[arg-type]


def conversation(dice: random.Random, layers: tuple[str, ...]) -> list[Observation]:
    """Twenty lines or more of a socket that is sent to and sends."""
    name = dice.choice(("sender", "receiver"))
    stimuli = ["bind", *(dice.choice(("sendto", "datagram", "sendto", "datagram", "policy_change")) for _ in range(25))]
    return lines_of(name, tuple(stimuli), layers)


@pytest.mark.parametrize("told", ["verdicts", "no verdicts"])
@pytest.mark.parametrize("seen", SEEN)
def test_a_shuffled_conversation_diverges_and_the_sound_one_agrees(seen: str, told: str) -> None:
    diverging = 0
    for number in range(10):
        dice = random.Random(number)
        lines = conversation(dice, SEEN[seen])
        if told == "no verdicts":
            lines = [replace(one, verdict="") for one in lines]
        assert len(lines) >= 20
        assert check(lines).verdict == AGREES
        dice.shuffle(lines)
        diverging += check(lines).verdict == DIVERGES
    assert diverging >= 9


def test_thousands_of_shuffled_lines_diverge() -> None:
    dice = random.Random(1)
    lines = lines_of("sender", ("bind", *("sendto", "datagram", "policy_change", "sendto") * 300), SEEN["monitor"])
    dice.shuffle(lines)
    result = check(lines, limit=200_000)
    assert result.verdict == DIVERGES


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("8.8.8.8:53", "unicast"),
        ("224.0.0.251:5353", "group"),
        ("255.255.255.255:67", "group"),
        ("192.0.2.255:137", ""),  # a broadcast of some nets, a host of others
        ("[ff02::fb]:5353", "group"),
        ("[2001:db8::ff]:53", "unicast"),
        ("[::ffff:224.0.0.251]:5353", "group"),
        ("0.0.0.0:53", ""),
        ("", ""),
    ],
)
def test_addresses_tell_groups(end: str, kind: str) -> None:
    assert kind_of(end) == kind


def test_sends_to_a_group_explain_a_group_only() -> None:
    lines = lines_of("sender", ("bind", "sendto_group"), SEEN["monitor"], GROUP)
    assert check(lines).verdict == AGREES
    names = {told.stimulus for one in check(lines).conversations for told in one.told}
    assert "sendto_group" in names and "sendto" not in names
    for end in (PEER, "192.0.2.77:5353"):
        moved = [replace(one, remote=end if one.remote else "") for one in lines]
        names = {told.stimulus for one in check(moved).conversations for told in one.told}
        assert not names & {"sendto_group", "complete_group", "datagram_group"}
    assert check([replace(one, remote="") for one in lines]).verdict == AGREES


def test_a_group_datagram_is_for_a_local_group() -> None:
    again = line("ALE_AUTH_RECV_ACCEPT", flags=("IS_REAUTHORIZE",))
    told = check([again] * 2, never=["policy_change"], verdicts="final")
    assert told.verdict != AGREES
    mine = replace(again, local=GROUP)
    assert "datagram_group" in {
        one.stimulus for c in check([mine] * 2, never=["policy_change"]).conversations for one in c.told
    }


def test_a_connect_to_another_peer_has_its_lines_elsewhere() -> None:
    connected = Endpoint("sender")
    connected.run("bind")
    connected.run("connect_other")
    steps = connected.run("datagram").classified
    lines = [Observation(step.layer, step.verdict, "", LOCAL, PEER) for step in steps]
    lines = [one for one in lines if "TRANSPORT" in one.layer]
    assert len(lines) == 1 and lines[0].layer.endswith("_DISCARD")
    seen = ["INBOUND_TRANSPORT_V4_DISCARD", "ALE_AUTH_CONNECT", "INBOUND_TRANSPORT_V4"]
    result = check(lines, only=seen, limits=Limits(roles=("sender",)), from_start=True)
    assert result.verdict != DIVERGES
    assert "connect_other" in [told.stimulus for told in result.conversations[0].told]


def test_completions_need_a_pend_that_the_log_shows() -> None:
    pended = [line("ALE_AUTH_CONNECT", "pend"), line("ALE_AUTH_CONNECT"), line("ALE_FLOW_ESTABLISHED")]
    result = check(pended)
    assert result.verdict == AGREES
    assert "complete" in {told.stimulus for told in result.conversations[0].told}
    assert check(pended, never=["complete", "close"]).verdict != AGREES


def test_an_injected_datagram_is_a_condition() -> None:
    layers = ("ALE_AUTH_CONNECT", "ALE_FLOW_ESTABLISHED", "DATAGRAM_DATA", "OUTBOUND_TRANSPORT")
    lines = lines_of("sender", ("bind", "sendto", "sendto", "sendto"), layers)
    del lines[4]  # a datagram that the transport layer sees first
    result = check(lines, only=layers)
    assert (result.verdict, result.needs) == (AGREES_IF, ("inject_send",))
    assert not result.ok
    with pytest.raises(AssertionError):
        assert result
    assert check(lines, only=layers, allow=["inject_send"]).verdict == AGREES
    assert check(lines, only=layers, never=["inject_send"]).verdict == DIVERGES


def test_times_tell_whether_a_flow_was_idle() -> None:
    sent = [line("ALE_AUTH_CONNECT"), line("ALE_FLOW_ESTABLISHED")] * 2
    timed = [[replace(one, at_s=at_s) for one, at_s in zip(sent, (0.0, 0.1, 0.1 + gap, 0.2 + gap), strict=True)]
             for gap in (30.0, 61.0)]  # fmt: skip
    # Within a minute only another socket can have established it, and nothing shows that.
    assert "idle_timeout" not in check(timed[0]).needs
    assert check(timed[0]).verdict == AGREES_IF
    assert check(timed[0], never=["port_reopened", "flow_abort"]).verdict == DIVERGES
    assert check(timed[1]).verdict == AGREES
    assert check(sent).needs == ("idle_timeout",)


def test_a_port_changes_hands_freely_only_where_a_bind_would_show() -> None:
    sent = [line("ALE_AUTH_CONNECT"), line("ALE_FLOW_ESTABLISHED")]
    bind = line("ALE_RESOURCE_ASSIGNMENT", remote="")
    never = ["idle_timeout", "flow_abort"]
    assert check([*sent, *sent], never=never).needs == ("port_reopened",)
    assert check([*sent, *sent], never=never, allow=["port_reopened"]).verdict == AGREES
    assert check([bind, *sent, bind, *sent], never=never).verdict == AGREES
