"""Patterns as automata, against `re` and against a matcher that walks the tree of a pattern literally.

Letters are sets of two atoms: a (atom 0), b (atom 1), c (neither), d (both).
"""

from __future__ import annotations

import re
from itertools import product

import pytest

from fsm.claims import automaton
from fsm.claims.automaton import SECOND, Dfa, Nfa, TooLarge, passes
from fsm.claims.grammar import ANY, Choice, Node, One, Pattern, Repeat, Sequence, Within
from fsm.errors import FsmError

LETTERS = {"a": 0b01, "b": 0b10, "c": 0b00, "d": 0b11}
A, B = One((0,)), One((1,))
NOT_A, EITHER, NEITHER = One((0,), negated=True), One((0, 1)), One((0, 1), negated=True)
LEFT_OUT = Sequence(())


def dfa(tree: Node) -> Dfa:
    return Dfa(Pattern("", tree, ()))


def run(machine: Dfa, word: str) -> int:
    """The state after a word; `-` is a second."""
    state = machine.start
    for letter in word:
        state = machine.step(state, SECOND if letter == "-" else LETTERS[letter])
    return state


def words(alphabet: str, longest: int) -> list[str]:
    return ["".join(word) for length in range(longest + 1) for word in product(alphabet, repeat=length)]


@pytest.mark.parametrize(
    ("test", "passed"),
    [(A, "ad"), (B, "bd"), (NOT_A, "bc"), (EITHER, "abd"), (NEITHER, "c"), (ANY, "abcd"), (One(()), "")],
)
def test_an_event_passes_by_its_atoms(test: One, passed: str) -> None:
    assert "".join(name for name, letter in LETTERS.items() if passes(test, letter)) == passed


TREES = [  # tree | the same as a regular expression over the letters
    (A, "[ad]"),
    (NOT_A, "[bc]"),
    (LEFT_OUT, ""),
    (Sequence((A, B, NOT_A)), "[ad][bd][bc]"),
    (Choice((A, Sequence((B, B)))), "([ad]|[bd][bd])"),
    (Choice((A,)), "[ad]"),
    (Repeat(A, 0, 1), "[ad]?"),
    (Repeat(A, 0, None), "[ad]*"),
    (Repeat(A, 1, None), "[ad]+"),
    (Repeat(A, 2, None), "[ad]{2,}"),
    (Repeat(A, 2, 2), "[ad]{2}"),
    (Repeat(Sequence((A, B)), 1, 3), "([ad][bd]){1,3}"),
    (Repeat(A, 0, 0), ""),
    (Repeat(Repeat(A, 0, 2), 0, None), "([ad]{0,2})*"),
    (Repeat(Sequence((B, Repeat(A, 0, None))), 1, 2), "([bd][ad]*){1,2}"),
    (Sequence((Repeat(ANY, 0, None), A, Repeat(ANY, 0, None), NEITHER)), ".*[ad].*c"),
    (Sequence((Repeat(Choice((A, B)), 1, 2), Repeat(NOT_A, 0, 1), B)), "([ad]|[bd]){1,2}[bc]?[bd]"),
    (Repeat(Choice((Sequence((A, NEITHER)), B)), 0, None), "([ad]c|[bd])*"),
]


@pytest.mark.parametrize(("tree", "regex"), TREES, ids=[regex or "empty" for _, regex in TREES])
def test_what_is_accepted_missing_wanted_and_hopeless_is_what_re_says(tree: Node, regex: str) -> None:
    machine = dfa(tree)
    longest = 5
    known = {word: re.fullmatch(regex, word) is not None for word in words("abcd", longest)}
    for word in words("abcd", longest - 1):
        state = run(machine, word)
        assert machine.accepts(state) == known[word], word
        # How many events a match takes at least, as far as the words reach.
        least = min((len(w) - len(word) for w, matched in known.items() if matched and w.startswith(word)), default=99)
        hopeful = any(re.fullmatch(regex, word + more) for more in words("abcd", 4))
        if not hopeful:
            assert machine.missing(state) == len(machine.nfa.empty) + 1, word
        elif least < 99:
            assert machine.missing(state) == least, word
        assert machine.hopeless(None)(state) == (not hopeful), word
        assert machine.hopeless(LETTERS.values())(state) == (not hopeful), word
        only_b = any(re.fullmatch(regex, word + "b" * count) for count in range(8))
        assert machine.hopeless([LETTERS["b"]])(state) == (not only_b), word
        # An event is wanted when some test of it leads on; it helps when a match is nearer after it.
        for name, letter in LETTERS.items():
            after = machine.step(state, letter)
            wanted = any(passes(test, letter) for test in machine.wanted(state))
            assert wanted == bool(machine._sets[after]), (word, name)
            if any(passes(test, letter) for test in machine.helpful(state)):
                assert machine.missing(after) < machine.missing(state), (word, name)
        helps = list(machine.helpful(state))
        assert bool(helps) == (0 < machine.missing(state) <= len(machine.nfa.empty)), word
        assert set(helps) <= set(machine.wanted(state)) and len(set(helps)) == len(helps)


def test_the_tests_that_help_are_named_once_in_the_order_of_the_pattern() -> None:
    machine = dfa(Choice((Sequence((A, B)), Sequence((NOT_A, B)), Sequence((EITHER, B, B)), Sequence((A, NEITHER)))))
    assert machine.helpful(machine.start) == (A, NOT_A)
    assert machine.wanted(machine.start) == (A, NOT_A, EITHER)
    ended = run(machine, "ab")
    assert machine.missing(ended) == 0 and machine.helpful(ended) == ()


def test_where_nothing_can_match_any_more_more_is_missing_than_there_are_states() -> None:
    machine = dfa(Sequence((A, B)))
    lost = run(machine, "b")
    assert machine.missing(lost) == len(machine.nfa.empty) + 1
    assert (machine.helpful(lost), machine.wanted(lost), machine.accepts(lost)) == ((), (), False)
    assert run(machine, "ba") == lost


def test_states_are_made_once_and_the_start_is_the_first() -> None:
    machine = dfa(Repeat(A, 1, None))
    assert machine.start == 0
    assert run(machine, "aa") == run(machine, "aaa")
    assert run(machine, "-") == machine.start  # time passes anywhere
    nfa = machine.nfa
    assert (nfa.empty[nfa.start], nfa.on[nfa.start]) != ([], []) and nfa.seconds[nfa.start] == [nfa.start]


# --- time


def matches_timed(node: Node, word: str) -> bool:
    """Whether the whole word is in the language, read off the tree. Seconds may stand anywhere."""
    return any(end == len(word) for end in ends(node, word, 0))


def ends(node: Node, word: str, at: int) -> set[int]:
    """Where a match of the node that begins at `at` can end, seconds after it included."""
    return {later for end in bare_ends(node, word, at) for later in after_seconds(word, end)}


def after_seconds(word: str, at: int) -> set[int]:
    found = {at}
    while at < len(word) and word[at] == "-":
        at += 1
        found.add(at)
    return found


def bare_ends(node: Node, word: str, at: int) -> set[int]:
    if isinstance(node, One):
        starts = after_seconds(word, at)
        return {s + 1 for s in starts if s < len(word) and word[s] != "-" and passes(node, LETTERS[word[s]])}
    if isinstance(node, Choice):
        return {end for option in node.options for end in ends(option, word, at)}
    if isinstance(node, Sequence):
        reached = after_seconds(word, at)
        for item in node.items:
            reached = {end for start in reached for end in ends(item, word, start)}
        return reached
    if isinstance(node, Repeat):
        reached, found = after_seconds(word, at), set[int]()
        for count in range(len(word) + 3):
            if count >= node.least:
                found |= reached
            if node.most is not None and count >= node.most:
                break
            reached = {end for start in reached for end in ends(node.item, word, start)}
        return found
    return {
        end
        for end in ends(node.item, word, at)
        if seconds_between(word[at:end]) <= node.seconds
    } | ({at} if at in ends(node.item, word, at) else set())  # fmt: skip


def seconds_between(piece: str) -> int:
    """From the first to the last event."""
    return piece.strip("-").count("-")


TIMED = [
    Within(Sequence((A, B)), 0),
    Within(Sequence((A, B)), 1),
    Within(Sequence((A, Repeat(NOT_A, 0, None), B)), 2),
    Sequence((Within(Sequence((A, B)), 1), NOT_A)),
    Within(Repeat(A, 0, 2), 1),
    Repeat(Within(Sequence((A, B)), 1), 0, None),
    Choice((Within(Sequence((A, A)), 1), Sequence((B, A)))),
    Within(Sequence((A, Within(Sequence((B, A)), 0))), 2),
    Sequence((Repeat(ANY, 0, None), Within(Sequence((A, A, A)), 2))),
    Sequence((Repeat(ANY, 0, None), Within(Sequence((A, Repeat(ANY, 0, None), B)), 1))),
]


@pytest.mark.parametrize("tree", TIMED, ids=range(len(TIMED)))
def test_a_timed_pattern_is_matched_as_its_tree_is_read(tree: Node) -> None:
    machine = dfa(tree)
    assert Pattern("", tree, ()).is_timed
    for word in words("ab-", 6):
        assert machine.accepts(run(machine, word)) == matches_timed(tree, word), word
        if machine.accepts(run(machine, word)):
            assert machine.missing(run(machine, word)) == 0


def test_seconds_that_a_group_has_taken_are_told_apart_from_where_it_stands() -> None:
    machine = dfa(Within(Sequence((A, B)), 3))
    places = [machine.spent(run(machine, "a" + "-" * count)) for count in range(5)]
    assert [seconds for _, seconds in places[:4]] != sorted({seconds for _, seconds in places[:4]})[::-1]
    assert len({place for place, _ in places[:4]}) == 1  # the same place, later and later
    assert [sum(seconds) for _, seconds in places[:4]] == [count * len(places[0][1]) for count in range(4)]
    assert places[4] == ((), ())  # too late
    assert machine.spent(machine.start)[1] == ()
    assert machine.spent(machine.start) is machine.spent(machine.start)


def test_a_copy_that_has_spent_more_is_left_out_where_one_with_less_stands_in_the_same_place() -> None:
    some = Repeat(ANY, 0, None)
    machine = dfa(Sequence((some, Within(Sequence((A, some, B)), 2))))
    assert run(machine, "aaa-aaa") == run(machine, "aaa")
    assert run(machine, "aaa-") != run(machine, "aaa")
    assert machine.accepts(run(machine, "a-a--b")) and not machine.accepts(run(machine, "a---b"))


def test_groups_that_take_no_time_are_possible_again_only_from_their_beginning() -> None:
    machine = dfa(Within(Sequence((A, B)), 0))
    assert machine.hopeless(None)(run(machine, "a-"))
    assert not machine.hopeless(None)(run(machine, "--"))


def test_too_large_an_automaton_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automaton, "LIMIT_STATES", 10)
    assert len(Nfa(Pattern("", Repeat(A, 2, 2), ())).empty) <= 10
    with pytest.raises(FsmError) as caught:
        dfa(Repeat(A, 9, 9))
    assert str(caught.value) == (
        "pattern: it becomes an automaton of more than 10 states. Ask for fewer repetitions or a shorter time."
    )
    monkeypatch.setattr(automaton, "LIMIT_STATES", 2)
    assert len(Nfa(Pattern("", A, ())).empty) == 2
    monkeypatch.setattr(automaton, "LIMIT_STATES", 1)
    with pytest.raises(FsmError):
        Nfa(Pattern("", A, ()))


def test_an_automaton_whose_states_grow_too_large_says_how_many_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each state holds all positions of the word at which the last letters may have begun.
    tree = Sequence((Repeat(ANY, 0, None), A, Repeat(ANY, 6, 6)))
    machine = dfa(tree)
    run(machine, "abaabbab")
    made = [len(members) for members in machine._sets]
    monkeypatch.setattr(automaton, "LIMIT_MEMBERS", sum(made))
    run(dfa(tree), "abaabbab")  # as many as are allowed
    monkeypatch.setattr(automaton, "LIMIT_MEMBERS", sum(made) - 1)
    with pytest.raises(TooLarge) as caught:
        run(dfa(tree), "abaabbab")
    assert caught.value.states == len(made) - 1 and str(caught.value) == str(len(made) - 1)
