"""Share tokens: short, exact, safe in an address, and plain about what they cannot do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm import fingerprint as model
from fsm.choices import configure
from fsm.errors import FsmError
from fsm.fingerprint import fingerprint
from fsm.names import ENDPOINTS, VERDICTS
from fsm.reasons import STALE_REASONS
from fsm.rules import RULES
from fsm.session import make_session
from fsm.stepper import EndpointSystem, SessionSystem, Walk
from fsm.stepper.codes import LETTERS, MOVES
from fsm.stimuli import STIMULI

SAFE = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?-]*")  # of a fragment, RFC 3986


def path_of(walk: Walk) -> list[tuple[str, object]]:
    return [(node.move, node.place) for node in walk.path]


def test_every_stimulus_and_verdict_has_a_letter_of_its_own() -> None:
    assert set(LETTERS) == {*STIMULI, *VERDICTS}
    assert len(MOVES) == len(LETTERS)
    assert all(len(letter) == 1 and letter.isascii() and letter.isalpha() for letter in MOVES)
    assert "w" not in MOVES
    assert "".join(LETTERS[name] for name in STALE_REASONS).startswith("mnoquvy")


def test_token_is_written_as_it_is_described() -> None:
    walk = Walk(EndpointSystem("sender", configure(ip=6, evidence="observed", assume={"path": "loopback"})))
    for word in ("bind", "sendto@B", "wait:61", "policy_change", "policy_change"):
        walk.choose(word)
    walk.choose("policy_change")
    head = f"wfp1~{fingerprint()}~sender~6~11~observed~path=loopback~"
    assert walk.token == head + "bpps@B.p*6.w61.m*3."


def test_tokens_of_thousands_of_walks_bring_back_the_same_place() -> None:
    longest = 0
    for name in ENDPOINTS:
        system = EndpointSystem(name)
        for seed in range(700):
            walk = Walk(system)
            walk.random(seed % 60, seed)
            token = walk.token
            assert SAFE.fullmatch(token)
            longest = max(longest, len(token))
            again = Walk.from_token(token)
            assert path_of(again) == path_of(walk)
            assert again.token == token
    assert longest < 400


words = st.sampled_from(
    ["bind", "sendto", "sendto@B", "sendto@x-1", "datagram", "datagram@B", "connect@B", "policy_change", "wait:0",
     "wait:61", "wait:999999999", "flow_abort@B", "close", "permit", "block", "absorb", "pend", "complete"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(words, max_size=25), st.booleans())
def test_tokens_keep_peers_and_time(chosen: list[str], manual: bool) -> None:
    walk = Walk(EndpointSystem("sender"), manual=manual)
    for word in chosen:
        try:
            walk.choose(word)
        except FsmError:
            continue
    again = Walk.from_token(walk.token, manual=manual)
    assert path_of(again) == path_of(walk)


def test_session_tokens_bring_back_the_same_state() -> None:
    sessions = (
        make_session(),
        make_session(("sender", "receiver"), granularity="classify", verdicts=("permit", "block")),
        make_session(("sender", "sender"), loopback=True, stimuli=("bind", "sendto", "close")),
        make_session(
            ("sender", "receiver"), configure(ip=6), cap=2, network=("deliver", "lose", "duplicate", "reorder")
        ),
    )
    for session in sessions:
        walk = Walk(SessionSystem(session))
        for seed in range(30):
            walk.reset()
            walk.random(seed, seed)
            assert SAFE.fullmatch(walk.token)
            again = Walk.from_token(walk.token)
            assert [(node.move, again.system.state(node.place)) for node in again.path] == [
                (node.move, walk.system.state(node.place)) for node in walk.path
            ]
            assert again.token == walk.token


def test_the_address_of_a_page_is_taken_too() -> None:
    walk = Walk(EndpointSystem("receiver"))
    walk.choose("bind")
    assert Walk.from_token(f"  file:///tmp/receiver.html#{walk.token}\n").place == walk.place


def test_too_long_a_token_names_save() -> None:
    walk = Walk(EndpointSystem("dropped_port"))
    walk.random(4000, 1)
    with pytest.raises(FsmError, match=r"characters are too long to share. At most 2000. Save the walk to a file."):
        _ = walk.token


def test_token_of_another_model_is_told_and_replayed_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    walk = Walk(EndpointSystem("sender"))
    walk.choose("bind")
    walk.choose("close")
    ours = fingerprint()
    with monkeypatch.context() as changed:
        changed.setattr(model, "RULES", RULES[:-1])
        fingerprint.cache_clear()
        theirs = fingerprint()
        token = walk.token
    fingerprint.cache_clear()
    assert theirs != ours
    with pytest.raises(FsmError) as error:
        Walk.from_token(token)
    assert theirs in str(error.value) and ours in str(error.value) and "other_model=True" in str(error.value)
    again = Walk.from_token(token, other_model=True)
    assert again.place == walk.place
    assert again.notice == f"token of model version {theirs}, this is {ours}: replayed all {len(walk.path)} choices"
    stuck = Walk.from_token(token + "bb", other_model=True)
    assert stuck.place == walk.place
    assert f"replayed {len(walk.path)} of {len(walk.path) + 2} choices" in stuck.notice
    with pytest.raises(FsmError, match="token, choice 5: 'bind' is not possible in state CLOSED/NONE"):
        Walk.from_token(walk.token + "b")


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("", "'' is no token. A token begins with wfp1~"),
        ("hello", "'hello' is no token"),
        ("wfp2~{f}~sender~4~11~base~~b", "is no token"),
        ("wfp1~{f}~sender~4~11~base~b", "7 parts, not 8"),
        ("wfp1~xyz~sender~4~11~base~~b", "'xyz' is no fingerprint"),
        ("wfp1~{f}~sendr~4~11~base~~b", "no system named 'sendr'. Did you mean 'sender'?"),
        ("wfp1~{f}~session~4~11~base~~", "no system named 'session'"),
        ("wfp1~{f}~session:sender@1;cap=1~4~11~base~~", "a session without network, stimuli"),
        ("wfp1~{f}~session:sender@1;cup=1~4~11~base~~", "'cup=1' says nothing of a session"),
        ("wfp1~{f}~sender~5~11~base~~b", "no IP version named '5'"),
        ("wfp1~{f}~sender~x~11~base~~b", "'x' is no IP version"),
        ("wfp1~{f}~sender~4~12~base~~b", "no Windows named '12'"),
        ("wfp1~{f}~sender~4~11~best~~b", "no evidence setting named 'best'"),
        ("wfp1~{f}~sender~4~11~base~close~b", "'close' is no new assumption"),
        ("wfp1~{f}~sender~4~11~base~close=nothin~b", "Did you mean 'nothing'"),
        ("wfp1~{f}~sender~4~11~base~~b!", "a token has no character '!'"),
        ("wfp1~{f}~sender~4~11~base~~bh", "no move is written 'h'"),
        ("wfp1~{f}~sender~4~11~base~~b*9.", "token, choice 2"),
        ("wfp1~{f}~sender~4~11~base~~bw1*9.", "no move is written 'w1*9.'"),
        ("wfp1~{f}~sender~4~11~base~~w1.*999999.", "more than 100000 moves"),
        ("wfp1~{f}~sender~4~11~base~~z@B.", "'close' happens to the socket as a whole"),
        ("wfp1~{f}~dropped_port~4~11~base~~b", "'bind' does not happen to dropped_port"),
        ("wfp1~{f}~sender~4~11~base~~" + "b" * 2000, "A token has at most 2000"),
    ],
)
def test_what_is_no_token_is_told_in_one_line(token: str, told: str) -> None:
    with pytest.raises(FsmError) as error:
        Walk.from_token(token.replace("{f}", fingerprint()))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="bcspBdw0123456789*@.~:;=,zA", max_size=40))
def test_no_token_is_a_crash(choices: str) -> None:
    for system in ("sender", f"session:{choices}"):
        try:
            Walk.from_token(f"wfp1~{fingerprint()}~{system}~4~11~base~~{choices}")
        except FsmError:
            continue
