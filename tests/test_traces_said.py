"""Verdicts under other keys, as numbers, with flags and colours; and what is told where none was read."""

from __future__ import annotations

import pytest
from trace_lines import ARROW, CONNECT, ENDS, FLOW, read

from fsm.traces.conformance import DIVERGES, check_trace


@pytest.mark.parametrize(
    "lines",
    [
        [f"{CONNECT} ret=BLOCK {ARROW}", f"{FLOW} ret=PERMIT outbound {ARROW}"],
        [f"layer={CONNECT} now=FWP_ACTION_BLOCK {ENDS}", f"layer={FLOW} now=FWP_ACTION_PERMIT dir=out {ENDS}"],
        [f'{{"layer":"{CONNECT}","out":{{"classifyResult":"FWP_ACTION_BLOCK"}}}}', f'{{"layer":"{FLOW}","dir":"out"}}'],
        ["dir,layer,classify_action", f"out,{CONNECT},BLOCK", f"out,{FLOW},PERMIT"],
        [f"{CONNECT} \x1b[31mBLOCK\x1b[0m {ARROW}", f"{FLOW} \x1b[32mPERMIT\x1b[0m outbound {ARROW}"],
        [f"{CONNECT} action 4097 {ARROW}", f"{FLOW} actionType 0x1002 outbound {ARROW}"],
        [f"{CONNECT} -> 0x1001 {ENDS}", f"{FLOW} outbound {ENDS}"],
    ],
)
def test_a_block_is_read_wherever_it_stands(lines: list[str]) -> None:
    trace = read(*lines)
    assert trace.observations[0].verdict == "block"
    assert check_trace(trace).verdict == DIVERGES


@pytest.mark.parametrize(
    "line",
    [
        f"{CONNECT} in=FWP_ACTION_PERMIT out=FWP_ACTION_BLOCK {ENDS}",
        f"{CONNECT} was=FWP_ACTION_CONTINUE now=FWP_ACTION_BLOCK {ARROW}",
        f"{CONNECT} FWP_ACTION_PERMIT ret=BLOCK {ARROW}",
        f'{{"layer":"{CONNECT}","in":"PERMIT","out":"BLOCK"}}',
        f"{CONNECT} PERMIT/BLOCK {ARROW}",
        f"{CONNECT} FWP_ACTION_PERMIT|BLOCK {ARROW}",
    ],
)
def test_of_two_verdicts_none_is_taken(line: str) -> None:
    trace = read(f"layer={CONNECT} verdict=permit", line)
    assert "not clear" in trace.not_understood[0][1]


def test_a_usual_key_goes_before_others() -> None:
    (one,) = read(f"layer={CONNECT} action=PERMIT mode=BLOCK").observations
    assert one.verdict == "permit"
    (one,) = read(f"layer={CONNECT} mode=rules").observations
    assert one.verdict == ""


@pytest.mark.parametrize(
    "said",
    [
        "FWP_ACTION_BLOCK|ABSORB",
        "BLOCK/ABSORB",
        "action=FWP_ACTION_BLOCK flags=FWPS_CLASSIFY_OUT_FLAG_ABSORB",
        "action=FWP_ACTION_BLOCK|FWPS_CLASSIFY_OUT_FLAG_ABSORB",
        "FWP_ACTION_BLOCK | FWPS_CLASSIFY_OUT_FLAG_ABSORB",
    ],
)
def test_block_with_the_flag_for_absorb_is_absorb(said: str) -> None:
    (one,) = read(f"{CONNECT} {said} {ARROW}").observations
    assert (one.verdict, one.flags) == ("absorb", None)


@pytest.mark.parametrize(
    ("lines", "more"),
    [
        ([f"{CONNECT} refused {ARROW}"], {}),
        ([f'{{"layer":"{CONNECT}","answer":"Blocking"}}'], {}),
        (["time,layer,answer", f"1,{CONNECT},blocking"], {}),
        ([f"layer={CONNECT} answer=5"], {"keys": "layer=layer"}),
        ([f"at {CONNECT} BLOCK"], {"pattern": r"at (?P<layer>\w+)"}),
    ],
)
def test_that_no_verdict_was_read_is_always_told(lines: list[str], more: dict[str, str]) -> None:
    (note,) = (one for one in read(*lines, **more).notes if "verdict" in one)
    assert "no verdict was read in 1 of 1 lines" in note
    assert "--keys layer=KEY,verdict=KEY, or --pattern" in note


def test_lines_without_their_ends_are_told_in_a_sentence() -> None:
    trace = read(f"{CONNECT} PERMIT 192.0.2.1 by 192.0.2.2")
    assert trace.unread == ("the ends of 1 line could not be read",)
