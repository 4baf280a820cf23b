"""Share tokens: short, exact, safe in an address, and plain about what they cannot do."""

from __future__ import annotations

import re
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm import fingerprint as model
from fsm.choices import CHOICES, configure
from fsm.errors import FsmError
from fsm.fingerprint import fingerprint
from fsm.names import ENDPOINTS, EVIDENCE, VERDICTS
from fsm.reasons import STALE_REASONS
from fsm.rules import RULES
from fsm.session import GRANULARITIES, NETWORK_MOVES, make_session
from fsm.stepper import EndpointSystem, SessionSystem, Walk
from fsm.stepper.codes import LETTERS, MOVES
from fsm.stepper.token import is_meant, read, sealed
from fsm.stimuli import STIMULI

# Unreserved in addresses (RFC 3986), and nothing to a shell. None is twice in a row, which chats and word processors
# change, nor at an end, where a program that finds addresses in texts leaves it out.
SAFE = re.compile(r"(?!.*(?:__|--|\.\.))[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]")
WORD = re.compile(r"[A-Za-z0-9_]+")  # what every double click takes whole


def longer(token: str, choices: str) -> str:
    """The token with more choices."""
    return sealed(token.rpartition("_")[0] + choices)


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
    head = f"wfp2_{fingerprint()}_sender_6_11_observed.path.loopback_"
    text = head + "bpps.B.p6w61m3"
    assert walk.token == f"{text}_{zlib.crc32(text.encode()):08x}"


def test_a_token_of_a_session_is_written_as_it_is_described() -> None:
    session = make_session(("sender", "dropped_port"), configure(windows="8.1"), stimuli=("bind", "idle_timeout"))
    walk = Walk(SessionSystem(session))
    head = f"wfp2_{fingerprint()}_session_sender1.dropped-port2_network.deliver.lose_cap.1_stimuli.bind.idle-timeout"
    head += "_verdicts.permit_granularity.stimulus_4_8.1_base_"
    assert walk.token == sealed(head + "00")
    walk.choose(walk.moves[0])
    assert walk.token == sealed(head + "0")


def test_the_names_in_a_token_leave_its_separators_alone() -> None:
    options = (option for choice in CHOICES.values() for option in choice.option_names())
    names = (*ENDPOINTS, *EVIDENCE, *STIMULI, *VERDICTS, *CHOICES, *options, *NETWORK_MOVES, *GRANULARITIES)
    assert all(re.fullmatch("[a-z0-9_]+", name) for name in names)
    assert not any(name[-1].isdecimal() for name in ENDPOINTS)


def test_the_token_of_a_usual_walk_is_one_word() -> None:
    for endpoint in ("sender", "receiver"):
        walk = Walk(EndpointSystem(endpoint))
        for word in ("bind", "sendto", "wait:61", "sendto", "policy_change", "policy_change", "policy_change", "close"):
            walk.choose(word)
            assert WORD.fullmatch(walk.token)
    hard = Walk(EndpointSystem("sender"))
    for word in ("sendto@x-1_", "sendto@-u", "sendto@_", "wait:60", "wait:60", "wait:60"):
        hard.choose(word)
    assert SAFE.fullmatch(hard.token)
    assert path_of(Walk.from_token(hard.token)) == path_of(hard)


def tokens() -> list[str]:
    """Of walks of every kind: short and long ones, with other peers, on other machines, of sessions."""
    found = []
    for name in ENDPOINTS:
        for config in (configure(), configure(ip=6, windows="vista-sp1", assume={"path": "loopback"})):
            for seed, steps in enumerate((0, 1, 2, 5, 9, 30)):
                walk = Walk(EndpointSystem(name, config))
                walk.random(steps, seed)
                found.append(walk.token)
    walk = Walk(EndpointSystem("sender"))
    for word in ("bind", "sendto@B", "wait:61", "wait:61", "wait:61", "sendto@x-1_", "policy_change"):
        walk.choose(word)
        found.append(walk.token)
    walk = Walk(SessionSystem(make_session()))
    for seed in range(5):
        walk.reset()
        walk.random(seed * 4, seed)
        found.append(walk.token)
    return found


def test_markdown_shows_a_token_as_it_is() -> None:
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("strikethrough")
    assert "<s>" in markdown.renderInline("wfp1~~f~~b")
    for token in tokens():
        for text in (token, f"{token} and {token}.", f"{token}{token}"):
            assert markdown.renderInline(text) == text


def test_every_cut_token_is_refused() -> None:
    for token in tokens():
        read(token)
        for end in range(len(token)):
            with pytest.raises(FsmError):
                read(token[:end])
        for begin in range(1, len(token)):
            with pytest.raises(FsmError):
                read(token[begin:])


def test_every_changed_character_is_refused() -> None:
    every = [*map(chr, range(33, 127)), "é", "\u200b", "٣"]
    for token in tokens()[::4]:
        for at, old in enumerate(token):
            for new in every:
                # What stands before # is the address of a page.
                if new not in (old, "#"):
                    with pytest.raises(FsmError) as error:
                        read(f"{token[:at]}{new}{token[at + 1 :]}")
                    assert "\n" not in str(error.value)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(tokens()), st.data())
def test_what_is_lost_doubled_or_swapped_is_refused_and_line_breaks_do_no_harm(token: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(token) - 2))
    more = data.draw(st.integers(1, 8))
    for damaged in (
        token[:at] + token[at + more :],
        token[: at + more] + token[at:],
        token[:at] + token[at + 1] + token[at] + token[at + 2 :],
    ):
        if damaged != token:
            with pytest.raises(FsmError):
                read(damaged)
    assert read(f"{token[:at]}\r\n  {token[at:]}\n") == read(token)


def test_a_file_is_not_taken_for_a_token() -> None:
    assert all(map(is_meant, ("wfp2_1", " wfp1~x", "file:///a.html#wfp2_x", "wfp12_")))
    assert not any(map(is_meant, ("", "walk.json", "wfp2.json", "wfp_2", "my wfp2_", "a#b")))


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
    stuck = Walk.from_token(longer(token, "bb"), other_model=True)
    assert stuck.place == walk.place
    assert f"replayed {len(walk.path)} of {len(walk.path) + 2} choices" in stuck.notice
    with pytest.raises(FsmError, match="token, choice 5: 'bind' is not possible in state CLOSED/NONE"):
        Walk.from_token(longer(walk.token, "b"))


OLD_FORMAT = "it is of format wfp1, and this version reads wfp2 only. Open it with the version"
CUT = "which is not the check of what stands before. It was cut off, or a character was changed. Copy the whole of it"


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("", "'' is no token. A token begins with wfp2_"),
        ("hello", "'hello' is no token"),
        ("wfp2", "'wfp2' is no token"),
        ("wfp1~{f}~sender~4~11~base~~b", OLD_FORMAT),
        ("file:///sender.html#wfp1~{f}~sender~4~11~base~~b", OLD_FORMAT),
        ("wfp9_{f}_sender_4_11_base_b_1", "it is of format wfp9, and this version reads wfp2 only"),
        ("wfp2_{f}_sender_4_11_base_b!", "a token has no character '!'"),
        ("wfp2_{f}_sender_4_11_base_b", f"it ends in '4_11_base_b', {CUT}".replace("'4", "'_4")),
        ("wfp2_", f"it ends in 'wfp2_', {CUT}"),
        ("wfp2_{f}_sender_4_11_base_" + "b" * 2000, "A token has at most 2000"),
    ],
)
def test_what_is_no_whole_token_is_told_in_one_line(token: str, told: str) -> None:
    with pytest.raises(FsmError) as error:
        Walk.from_token(token.replace("{f}", fingerprint()))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ("sender_4_11_base", "7 parts, not 8"),
        ("sendr_4_11_base_b", "no system named 'sendr'. Did you mean 'sender'?"),
        ("session_4_11_base_00", "no system named 'session'"),
        ("session_sender_4_11_base_00", "'sender' are no endpoints with their hosts. Such as sender1"),
        ("session_sender1_cap.1_4_11_base_00", "a session without network, stimuli"),
        ("session_sender1_cup.1_4_11_base_00", "'cup=1' says nothing of a session"),
        ("sender_5_11_base_b", "no IP version named '5'"),
        ("sender_x_11_base_b", "'x' is no IP version"),
        ("sender_4_12_base_b", "no Windows named '12'"),
        ("sender_4_11_best_b", "no evidence setting named 'best'"),
        ("sender_4_11_base.close_b", "'base.close' is no evidence with .NAME.OPTION of each assumption"),
        ("sender_4_11_base.close.nothing.close.nothing_b", "'base.close.nothing.close.nothing' is no evidence"),
        ("sender_4_11_base.close.nothin_b", "Did you mean 'nothing'"),
        ("sender_4_11_base_bh", "no move is written 'h'"),
        ("sender_4_11_base_b9", "token, choice 2"),
        ("sender_4_11_base_bw", "no move is written 'w'"),
        ("sender_4_11_base_b0", "no move is written '0'"),
        ("sender_4_11_base_w1.99999w1.99999", "more than 100000 moves"),
        ("sender_4_11_base_z.B.", "'close' happens to the socket as a whole"),
        ("dropped-port_4_11_base_b", "'bind' does not happen to dropped_port"),
    ],
)
def test_a_whole_token_that_means_nothing_is_told_in_one_line(parts: str, told: str) -> None:
    with pytest.raises(FsmError) as error:
        Walk.from_token(sealed(f"wfp2_{fingerprint()}_{parts}"))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_fingerprint_is_written_in_hex() -> None:
    with pytest.raises(FsmError, match="'xyz' is no fingerprint"):
        Walk.from_token(sealed("wfp2_xyz_sender_4_11_base_b"))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="bcspBdw0123456789.-mu_,zA", max_size=40))
def test_no_token_is_a_crash(choices: str) -> None:
    for system in ("sender", f"session_{choices}", "session_sender1_" + choices):
        try:
            Walk.from_token(sealed(f"wfp2_{fingerprint()}_{system}_4_11_base_{choices}"))
        except FsmError:
            continue
