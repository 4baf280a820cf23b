"""The grammar of watches, run-until and claims: what holds, what is shown, and how mistakes are told."""

from __future__ import annotations

import pytest

from fsm.choices import configure
from fsm.errors import FsmError, UnknownName
from fsm.predicates import SESSION_STATE, parse
from fsm.session import Message, NoSocketState, SessionState, SocketState, make_session

CONNECT, CONNECT_V6 = "FWPM_LAYER_ALE_AUTH_CONNECT_V4", "FWPM_LAYER_ALE_AUTH_CONNECT_V6"
VIEW = {
    "socket": "BOUND", "connected": "no", "window": "closed", "flow": "OUT", "flow@A": "OUT", "flow@B": "IN",
    "peer": "A", "stimulus": "sendto", "position": "send.data", "layer": CONNECT, "time": 61,
    "fired": ("FWPM_LAYER_ALE_BIND_REDIRECT_V4", "FWPM_LAYER_DATAGRAM_DATA_V4"), "outcome": "none",
}  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("socket=BOUND", True),
        ("SOCKET=bound", True),
        ("socket=CLOSED|BOUND", True),
        ("socket!=CLOSED|BOUND", False),
        ("socket=BOUND flow=IN", False),
        ("socket=BOUND and flow=OUT AND time>=61", True),
        ("flow@B=IN", True),
        ("flow@C=NONE", True),
        ("flow@C!=NONE", False),
        ("time>=61s", True),
        ("time>=62", False),
        ("time<=61", True),
        ("time=61", True),
        ("time!=61", False),
        ("layer=AUTH_CONNECT", True),
        ("layer=ale_auth_connect_v4", True),
        ("layer=48", True),
        ("layer=ALE_AUTH_CONNECT_V6", False),
        ("layer=none", False),
        ("layer!=none", True),
        ("fired=DATAGRAM_DATA", True),
        ("fired!=DATAGRAM_DATA", False),
        ("fired=AUTH_CONNECT|DATAGRAM_DATA", True),
        ("fired=AUTH_CONNECT fired=DATAGRAM_DATA", False),
        ("stimulus=send", True),
        ("stimulus=none", False),
        ("position=send.data", True),
        ("outcome=none", True),
        ("peer=A", True),
    ],
)
def test_expression_holds_where_all_its_words_do(expression: str, holds: bool) -> None:
    predicate = parse(expression, config=configure())
    assert predicate.holds(VIEW) is holds
    assert predicate.value(VIEW) == ("yes" if holds else "no")


def test_layer_without_version_is_the_one_of_the_machine() -> None:
    six = parse("layer=AUTH_CONNECT", config=configure(ip=6))
    both = parse("layer=AUTH_CONNECT", config=configure(assume={"dual_stack": "yes"}))
    for layer, in_six, in_both in ((CONNECT, False, True), (CONNECT_V6, True, True)):
        assert six.holds({**VIEW, "layer": layer}) is in_six
        assert both.holds({**VIEW, "layer": layer}) is in_both
        assert parse("layer=AUTH_CONNECT").holds({**VIEW, "layer": layer}) is in_both


def test_watch_of_names_shows_what_they_are() -> None:
    assert parse("flow", bare=True).value(VIEW) == "OUT"
    assert parse("flow@C", bare=True).value(VIEW) == "NONE"
    assert parse("time flow@B", bare=True).value(VIEW) == "61, IN"
    assert parse("fired", bare=True).value(VIEW) == "ALE_BIND_REDIRECT_V4 DATAGRAM_DATA_V4"
    assert parse("layer", bare=True).value({**VIEW, "layer": ""}) == "none"
    assert parse("flow time>=99", bare=True).value(VIEW) == "OUT, time>=99: no"


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("", "nothing is asked for"),
        ("and", "nothing is asked for"),
        ("socket", "'socket' is no name=value"),
        ("socket=", "'socket=' is no name=value"),
        ("sockt=BOUND", "no condition named 'sockt'. Did you mean 'socket'?"),
        ("socket=BOND", "no value of socket named 'BOND'. Did you mean 'BOUND'"),
        ("flow=", "is no name=value"),
        ("flow@=OUT", "'' is no name of a peer"),
        ("socket@B=BOUND", "only a flow is of a peer"),
        ("socket>=3", "compares numbers, but socket is none"),
        ("time>=x", "'x' in 'time>=x' is no number of seconds"),
        ("time=99999999999", "is no number of seconds"),
        ("layer=NOWHERE", "NOWHERE"),
        ("position=send.dat", "Did you mean 'send.data'"),
        ("__import__('os')=1", "no condition named"),
    ],
)
def test_a_mistake_is_told_with_what_is_allowed(expression: str, told: str) -> None:
    with pytest.raises(FsmError) as error:
        parse(expression, "here")
    assert str(error.value).startswith("here: ")
    assert told in str(error.value)


def test_session_words_ask_of_the_joint_state_and_of_what_has_fired() -> None:
    session = make_session(("sender", "receiver"))
    state = SessionState(
        (SocketState("BOUND", flows=("OUT",)), SocketState(flows=("NONE",))),
        (NoSocketState(), NoSocketState()),
        (Message("datagram", "sender", "receiver"),),
    )
    view = {SESSION_STATE: state, "fired": (CONNECT,)}
    for expression, holds in (
        ("sender=BOUND/OUT", True),
        ("sender=BOUND receiver=BOUND", False),
        ("receiver!=BOUND", True),
        ("network=datagram:sender>receiver", True),
        ("network=empty", False),
        ("fired=AUTH_CONNECT and sender=BOUND", True),
        ("fired=DATAGRAM_DATA", False),
    ):
        assert parse(expression, session=session).holds(view) is holds, expression
    with pytest.raises(UnknownName, match="no part of this session named 'sendr'"):
        parse("sendr=BOUND", session=session)
    with pytest.raises(FsmError, match="a session has none"):
        parse("sender>=3", session=session)
