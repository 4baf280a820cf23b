"""The walk of a checked conversation: the stepper takes it, and its callouts show the lines of the log."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from naive_traces import walk

from fsm.choices import CHOICES, Config, configure
from fsm.claims import accepts, observation
from fsm.claims.finding import Part
from fsm.stepper.walk import Walk
from fsm.traces.conformance import Conformance, ConversationResult, check_trace
from fsm.traces.observation import Observation, Trace
from fsm.traces.reading import read_trace
from fsm.traces.replay import Replay, token_of

DATA = Path(__file__).resolve().parent / "data" / "traces"


def shown(replay: Replay, visible: tuple[str, ...]) -> list[tuple[str, str]]:
    """The classifies at the visible layers that the stepper shows after the beginning."""
    walked = Walk.from_token(token_of(replay))
    moves = [node.move for node in walked.nodes[1:]]
    assert moves == [*replay.before, *replay.moves]
    after = walked.nodes[1 + len(replay.before) :]
    return [(node.layer, node.move) for node in after if node.layer in visible]


def lines_of(one: ConversationResult) -> list[Observation]:
    lines = one.conversation.observations
    return list(lines[: one.refused.index] if one.refused else lines)


def compared(result: Conformance) -> int:
    """How many conversations have a walk; each shows its lines, and nothing else at these layers."""
    found = 0
    for one in result.conversations:
        if one.replay is None:
            assert not lines_of(one) or one.endpoints == ("port",) or "port" in one.why or not one.told, one
            continue
        found += 1
        elsewhere = frozenset(one.conversation.set_aside)
        visible = tuple(layer for layer in result.checked if layer not in elsewhere)
        seen = shown(one.replay, visible)
        lines = lines_of(one)
        assert len(seen) == len(lines)
        for (layer, verdict), line in zip(seen, lines, strict=True):
            assert layer == line.layer and line.verdict in ("", verdict)
    return found


@pytest.mark.parametrize("number", range(40))
def test_the_walk_of_an_explanation_shows_the_lines_wherever_the_log_begins(number: int) -> None:
    dice = random.Random(number)
    assume = {name: dice.choice(CHOICES[name].option_names()) for name in CHOICES if CHOICES[name].kind == "dispute"}
    config = configure(assume=assume, ip=dice.choice((4, 6)))
    seen = walk(config, dice.choice(("sender", "receiver", "dropped_port")), dice, dice.randrange(5, 80))
    seen = seen[dice.randrange(len(seen) + 1) :]
    layers = sorted({layer for layer, _ in seen})
    only = [layer for layer in layers if dice.random() < 0.7] or layers
    lines = [Observation(layer, verdict if dice.random() < 0.8 else "") for layer, verdict in seen if layer in only]
    if len(lines) > 3 and number % 2:
        del lines[dice.randrange(len(lines))]  # where that is noticed, the walk is of the lines before it
    compared(check_trace(Trace(tuple(lines)), Config(ip=config.ip), only=only, allow=["all"]))


def test_recorded_logs_have_a_walk_each() -> None:
    for name in ("udpmon.log", "udpmon-faulty.log"):
        result = check_trace(read_trace(DATA / name))
        assert compared(result) == len(result.conversations) > 1


def test_a_claim_about_a_log_ends_with_its_walk() -> None:
    lines = (
        observation("AUTH_CONNECT", "permit"),
        observation("FLOW_ESTABLISHED", "permit"),
        observation("DATAGRAM_DATA", "block"),
        observation("DATAGRAM_DATA", "permit"),
    )
    found = accepts("sender", Trace(lines, "drv.log"))
    walked = Walk.from_token(found.token)
    assert found.verdict == "holds" and tuple(node.move for node in walked.nodes[1:]) == found.witness
    assert found.message.endswith(f"draw: wfp-udp step --token {found.token} -o walk.svg")
    only = ["AUTH_CONNECT", "DATAGRAM_DATA", "OUTBOUND_TRANSPORT"]
    late = accepts("sender", Trace((*lines[2:], observation("OUTBOUND_TRANSPORT", "permit")), "drv.log"), only=only)
    assert late.part("note") == Part("note", ("the log does not show how the run begins: sendto",))
    assert late.witness == (
        *("sendto", *["permit"] * 8),
        *("sendto", "block", "permit"),  # its discard layer
        *("sendto", *["permit"] * 3),
    )
    assert late.message.endswith(f"draw: wfp-udp step --token {late.token} -o walk.svg")
