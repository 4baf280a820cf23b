"""What `A -> B` is: local and remote, or source and destination. The whole log tells, or that it does not is said."""

from __future__ import annotations

import pytest

from fsm.traces.conformance import AGREES, DIVERGES, check_trace
from fsm.traces.observation import Trace
from fsm.traces.reading import read_trace

A, B, C = "192.0.2.1:5000", "198.51.100.2:53", "198.51.100.3:53"
CONNECT, FLOW, DATA, IN, OUT, ACCEPT = (
    *("ALE_AUTH_CONNECT", "ALE_FLOW_ESTABLISHED", "DATAGRAM_DATA"),
    *("INBOUND_TRANSPORT", "OUTBOUND_TRANSPORT", "ALE_AUTH_RECV_ACCEPT"),
)
SENT = [(CONNECT, A, B), (FLOW, A, B), (DATA, A, B), (OUT, A, B)]


def read(*lines: tuple[str, str, str], verdict: str = "PERMIT", more: str = "") -> Trace:
    text = "\n".join(f"FWPS_LAYER_{layer}_V4 {left} -> {right} {verdict}" for layer, left, right in lines)
    return read_trace(f"{more}{text}".encode())


def ends(trace: Trace) -> set[tuple[str, str]]:
    return {(one.local, one.remote) for one in trace.observations}


def notes(trace: Trace) -> list[str]:
    return [one for one in trace.notes if "arrow" in one]


def test_the_local_end_on_the_left_of_inbound_lines_makes_it_local_to_remote() -> None:
    trace = read(*SENT, (IN, A, B), (DATA, A, B))
    assert ends(trace) == {(A, B)}
    (note,) = notes(trace)
    assert note.endswith("read as local -> remote (line 5 shows the local address 192.0.2.1 on that side)")
    result = check_trace(trace)
    assert (result.verdict, len(result.conversations)) == (AGREES, 1)


def test_exchanged_in_inbound_lines_it_is_source_to_destination() -> None:
    trace = read(*SENT, (IN, B, A), (DATA, B, A))
    assert ends(trace) == {(A, B)}
    assert "is read as source -> destination (line 5 shows" in notes(trace)[0]
    assert check_trace(trace).verdict == AGREES
    many = read((ACCEPT, B, A), (FLOW, B, A), (DATA, B, A), (ACCEPT, C, A), (FLOW, C, A), (DATA, A, C))
    assert ends(many) == {(A, B), (A, C)}


def test_one_address_on_the_left_of_each_is_the_local_one() -> None:
    trace = read((ACCEPT, A, B), (FLOW, A, B), (DATA, A, B), (ACCEPT, A, C), (FLOW, A, C))
    assert ends(trace) == {(A, B), (A, C)}
    assert "local -> remote (192.0.2.1 is on the left of each)" in notes(trace)[0]


def test_a_local_address_that_another_line_names_tells() -> None:
    bind = f"FWPS_LAYER_ALE_RESOURCE_ASSIGNMENT_V4 PERMIT local={A}\n"
    trace = read((ACCEPT, B, A), (FLOW, B, A), (DATA, B, A), more=bind)
    assert ends(trace) == {(A, ""), (A, B)}
    assert "source -> destination" in notes(trace)[0]


def test_a_block_before_its_flow_is_found_in_such_a_log() -> None:
    asked = f"FWPS_LAYER_INBOUND_TRANSPORT_V4 {A} -> {B} PERMIT\nFWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V4 {A} -> {B} BLOCK\n"
    trace = read((FLOW, A, B), (DATA, A, B), (DATA, A, B), (OUT, A, B), more=asked)
    assert check_trace(trace).verdict == DIVERGES


@pytest.mark.parametrize("lines", [[(DATA, A, B), (DATA, B, A), (FLOW, B, A)], [*SENT, (IN, A, B), (IN, B, A)]])
def test_where_the_log_does_not_tell_both_ways_are_one_conversation(lines: list[tuple[str, str, str]]) -> None:
    trace = read(*lines)
    assert ends(trace) == {(A, B)}
    assert "local -> remote or source -> destination the log does not tell" in notes(trace)[0]
    assert len(check_trace(trace).conversations) == 1


def test_where_each_line_is_outbound_nothing_has_to_be_told() -> None:
    assert notes(read((CONNECT, A, B), (OUT, A, B))) == []


# -- other ways to write ends

BIND = "ALE_RESOURCE_ASSIGNMENT"


@pytest.mark.parametrize("ends_of_bind", [A, f"{A},,", f"{A} -> -", "192.0.2.1|5000||"])
def test_the_only_address_of_a_bind_is_its_local_end(ends_of_bind: str) -> None:
    (one,) = read_trace(f"FWPS_LAYER_{BIND}_V4 permit|{ends_of_bind}".encode()).observations
    assert (one.local, one.remote, one.ends_unread) == (A, "", False)
    (one,) = read_trace(f"FWPS_LAYER_{CONNECT}_V4 permit|{ends_of_bind} 7 ".encode()).observations
    assert one.ends_unread
    (one,) = read_trace(f"layer={BIND}_V4 verdict=permit {A} by {B}".encode()).observations
    assert one.ends_unread


@pytest.mark.parametrize("both", [f"{A} <-> {B}", f"tuple={A}->{B}", f"tuple={A}<->{B}", f"tuple={A} -> {B}"])
def test_both_ends_in_one_word_are_read(both: str) -> None:
    (one,) = read_trace(f"FWPS_LAYER_{CONNECT}_V4 PERMIT {both}".encode()).observations
    assert (one.local, one.remote, one.verdict) == (A, B, "permit")
    six = "tuple=[2001:db8::1]:5->[2001:db8::2]:53"
    (one,) = read_trace(f"layer={CONNECT}_V6 verdict=PERMIT {six}".encode()).observations
    assert (one.local, one.remote) == ("[2001:db8::1]:5", "[2001:db8::2]:53")


def test_ends_are_read_as_the_numbers_that_wfp_has() -> None:
    log = f"layer={CONNECT}_V4 verdict=PERMIT laddr=0xC0000201 lport=0x1388 remote=0xC6336402:0x0035"
    (one,) = read_trace(log.encode()).observations
    assert (one.local, one.remote) == (A, B)


def test_own_keys_add_to_the_usual_ones() -> None:
    line = f'{{"layer":"{CONNECT}_V4","action":"PERMIT","answer":"BLOCK","local":"{A}","remote":"{B}","src":"{C}"}}'
    (one,) = read_trace(line.encode(), keys="layer=layer,verdict=answer").observations
    assert (one.verdict, one.local, one.remote) == ("block", A, B)
    (one,) = read_trace(line.encode(), keys="layer=layer,local=src,remote=remote").observations
    assert (one.verdict, one.local, one.remote) == ("permit", C, B)
    pairs = f"layer={CONNECT}_V4 answer=BLOCK local={A} remote={B}"
    (one,) = read_trace(pairs.encode(), keys="layer=layer,verdict=answer").observations
    assert (one.verdict, one.local, one.remote) == ("block", A, B)
