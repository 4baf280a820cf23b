"""The pattern grammar: what is read, what is refused and at which column, and the page that documents it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fsm.claims import endpoint, matches, observation
from fsm.claims.grammar import ANY, One, Repeat, read_pattern
from fsm.errors import FsmError
from fsm.session import make_session
from fsm.traces.observation import Trace

PAGE = Path(__file__).resolve().parents[1] / "diagrams" / "pages" / "patterns.md"


def examples() -> list[tuple[str, str, str]]:
    """The rows of the table of examples: subject, pattern, verdict."""
    rows = re.findall(r"^\| `(\w+)` \| `(.+)` \| (\w+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) >= 9
    return [(subject, pattern.replace("\\|", "|"), verdict) for subject, pattern, verdict in rows]


@pytest.mark.parametrize(("subject", "pattern", "verdict"), examples())
def test_an_example_of_the_page_is_decided_as_it_says(subject: str, pattern: str, verdict: str) -> None:
    assert matches(subject, pattern).verdict == verdict


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "pattern: it is empty. Write for example AUTH_CONNECT ... DATAGRAM_DATA."),
        ("AUTH_CONNECT )", "pattern, column 14: ')' closes nothing. Leave it out, or open it before."),
        ("(AUTH_CONNECT", "pattern, column 1: this parenthesis is not closed. Add )."),
        ("... ()", "pattern, column 5: nothing stands in these parentheses. Write (sendto) or (A | B)."),
        ("AUTH_CONNECT | | DATAGRAM_DATA", "pattern, column 14: nothing stands on one side of '|'. Write A? for A or "
         "nothing."),
        ("[flow=OUT", "pattern, column 1: a condition is not closed. Add ]."),
        ('"Receive/Accept', "pattern, column 1: a quotation is not closed. Add \"."),
        ("AUTH_CONNECT]", "pattern, column 13: ']' means nothing here. Open it with [."),
        ("[]", "pattern, column 1: '[]' asks for nothing. Write for example [outcome=blocked] or [flow=OUT]."),
        ("AUTH_CONNECT{9999}", "pattern, column 13: {9999} is too often. At most 1000 times. Write + for many."),
        ("(AUTH_CONNECT .) within soon", "pattern, column 18: no number of seconds follows 'within' but 'soon'. Write "
         "within 4s."),
        ("(AUTH_CONNECT .) within 9999s", "pattern, column 18: 9999s is too long. At most 3600 s."),
        ("!.", "pattern, column 1: '!.' is no event at all. Name what must not be."),
        ("AUTH_CONNECT+OUTBOUND_TRANSPORT", "pattern, column 1: no flag named 'OUTBOUND_TRANSPORT'."),
        ("... (bnd)", "pattern, column 6: no stimulus or layer named 'bnd'. Did you mean 'bind'?"),
        ("AUTH_CONNECT:permitt", "pattern, column 1: no verdict named 'permitt'. Did you mean 'permit'?"),
        ("... [flow=OUTT]", "pattern, column 5: no value of flow named 'OUTT'. Did you mean 'OUT' or 'OUT_STALE'?"),
        ("[time>=4]", "pattern, column 1: 'time>=4' is about a whole walk or another peer. Write (...) within 4s in a "
         "pattern."),
        ("... sendto", "pattern, column 5: 'sendto' is a stimulus, not a layer. Write (sendto)."),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_column(pattern: str, said: str) -> None:
    with pytest.raises(FsmError) as raised:
        matches("sender", pattern)
    assert str(raised.value).startswith(said)


def test_a_plus_is_a_flag_only_where_a_letter_follows() -> None:
    vocabulary = endpoint("sender").vocabulary
    flagged = read_pattern("AUTH_CONNECT+IS_REAUTHORIZE", vocabulary)
    repeated = read_pattern("AUTH_CONNECT+ DATAGRAM_DATA", vocabulary)
    assert flagged.tree == One((0,)) and flagged.atoms[0].flags == {"IS_REAUTHORIZE"}
    assert len(repeated.atoms) == 2 and not repeated.atoms[0].flags


def test_dots_are_any_event_and_any_run() -> None:
    vocabulary = endpoint("sender").vocabulary
    assert read_pattern(".", vocabulary).tree == ANY
    assert read_pattern("...", vocabulary).tree == Repeat(ANY, 0, None)
    assert matches("sender", ".{8}") and not matches("dropped_port", "(datagram) (datagram)")


def test_a_guid_a_code_and_a_quoted_name_are_layers() -> None:
    for spelling in ('"Receive/Accept"', "%%14610", "{e1cd9fe7-f4b5-4273-96c0-592e487b8650}", "44"):
        assert matches("receiver", f"... {spelling}:permit"), spelling


def test_stimuli_are_seen_only_by_patterns_that_name_one() -> None:
    assert matches("sender", "BIND_REDIRECT RESOURCE_ASSIGNMENT INBOUND_IPPACKET")
    assert not matches("sender", "(bind) BIND_REDIRECT RESOURCE_ASSIGNMENT INBOUND_IPPACKET")
    assert matches("sender", "(bind) BIND_REDIRECT RESOURCE_ASSIGNMENT (datagram) INBOUND_IPPACKET")


def test_an_endpoint_of_a_session_is_named_after_an_at_sign() -> None:
    assert matches(make_session(), "... OUTBOUND_IPPACKET@sender ... AUTH_RECV_ACCEPT@receiver")
    assert matches(make_session(), "(sendto@sender) ... (lose)")
    with pytest.raises(FsmError, match="no endpoint named 'sendr'"):
        matches(make_session(), "(sendto@sendr)")


def test_an_automaton_that_grows_too_large_is_refused() -> None:
    with pytest.raises(FsmError, match="an automaton of more than 50000 states"):
        matches("sender", "((AUTH_CONNECT{1000} .{1000}) within 3600s)")


def test_an_automaton_that_grows_beyond_its_limit_leaves_the_claim_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsm.claims.automaton.LIMIT_MEMBERS", 2_000)
    found = matches("sender", "... (AUTH_CONNECT | DATAGRAM_DATA) .{30} STREAM_V4", allow_unknown=True)
    assert (found.verdict, found.cause) == ("unknown", "limit")
    assert found.require() is found and "becomes an automaton of more than" in found.message


def test_a_group_in_time_may_begin_at_any_of_its_first_events() -> None:
    times = (("AUTH_CONNECT", 0.0), ("AUTH_CONNECT", 3.0), ("DATAGRAM_DATA", 6.0))
    trace = Trace(tuple(observation(layer, at_s=at_s) for layer, at_s in times))
    assert matches(trace, "... (AUTH_CONNECT ... DATAGRAM_DATA) within 3s")
    assert not matches(trace, "... (AUTH_CONNECT ... DATAGRAM_DATA) within 2s")
    assert not matches(trace, "(AUTH_CONNECT ... DATAGRAM_DATA) within 5s")
    assert matches(trace, "((AUTH_CONNECT .) within 3s DATAGRAM_DATA) within 6s")
    assert not matches(trace, "((AUTH_CONNECT .) within 2s DATAGRAM_DATA) within 6s")
