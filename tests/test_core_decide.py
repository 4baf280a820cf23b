"""The search under claims, on graphs drawn by hand: limits, open ends, conditions on states, and what differs.

The graphs are words such as `0 a 1`: from state 0 event a leads to state 1. Lower-case letters are layers, capital ones
stimuli; what is seen of an event is its letter, and nothing of `-`. An endpoint is idle after `a.`; whether `a?` comes
rests on an open question.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import pytest

from fsm.claims.decide import (
    Difference,
    Following,
    InTurn,
    NotAfter,
    NotBefore,
    Reading,
    Until,
    difference,
    letters_of,
    open_events,
    search,
)
from fsm.claims.grammar import One, Pattern
from fsm.claims.runs import Edge, Event
from fsm.claims.words import Atom
from fsm.policy.by_state import Answer


class Graph:
    """Runs that are given edge by edge. State 0 is the start; nobody knows what else comes after an opened one."""

    def __init__(self, *edges: str, opened: Sequence[int] = ()) -> None:
        self.start = 0
        self.events: list[Event] = []
        self.letters: list[str] = []
        self._out: dict[int, list[Edge]] = {}
        self._open = set(opened)
        for edge in edges:
            state, letter, target = edge.split()
            if letter not in self.letters:
                self.letters.append(letter)
                bare, ends = letter.rstrip(".?"), "." in letter
                answer = Answer(("permit", "block"), "") if "?" in letter else None
                at_layer = Event("S", bare, "permit", ends=ends, answer=answer)
                self.events.append(Event(bare, ends=ends, answer=answer) if bare.isupper() else at_layer)
            self._out.setdefault(int(state), []).append((self.letters.index(letter), int(target)))

    def edges(self, state: int) -> Sequence[Edge]:
        return self._out.get(state, ())

    def is_open(self, state: int) -> bool:
        return state in self._open

    def open_groups(self, state: int) -> Sequence[Sequence[Edge]]:
        found = [edge for edge in self.edges(state) if self.events[edge[0]].is_open]
        return [found] if found else []

    def is_end(self, state: int) -> bool:
        return not self.edges(state)

    def plain(self, state: int) -> int:
        return state

    def name(self, state: int) -> str:
        return f"s{state}"

    def see(self, event: int) -> Hashable:
        letter = self.letters[event].rstrip(".?")
        return None if letter == "-" else letter

    def word(self, path: Sequence[Edge]) -> str:
        return "".join(self.letters[event].rstrip(".?") for event, _ in path)


def layer(name: str, *, at: int | None = None) -> Atom:
    """The event of a layer; `at` asks for the state after it."""
    condition: Callable[[Event, int], bool] | None = None if at is None else lambda event, state: state == at
    return Atom(name, layers=frozenset({name}), condition=condition)


def stimulus(name: str) -> Atom:
    return Atom(f"({name})", stimulus=name)


def found(graph: Graph, watcher: Until | InTurn | NotBefore | NotAfter | Following, state: int) -> str | None:
    """The letters on the way to this state of the watcher; None where there is no such way."""
    path = search(graph, watcher, lambda _, q: q == state).path
    return None if path is None else graph.word(path)


def test_two_events_in_turn_are_found_in_this_order_only() -> None:
    graph = Graph("0 b 1", "1 a 2", "2 c 3", "3 b 4")
    assert found(graph, InTurn(graph, layer("a"), layer("b")), 2) == "bacb"
    assert found(graph, InTurn(graph, layer("a"), layer("b")), 1) == "ba"
    assert found(graph, InTurn(graph, layer("b"), layer("b")), 2) == "bacb"
    assert found(graph, InTurn(graph, layer("c"), layer("a")), 2) is None
    assert found(graph, InTurn(graph, layer("b"), layer("b")), 3) is None  # there is nothing after the second


@pytest.mark.parametrize(
    ("made", "wanted", "way"),
    [
        (lambda g: Until(g, layer("a", at=2)), 1, "ba"),
        (lambda g: InTurn(g, layer("b"), layer("a", at=2)), 2, "ba"),
        (lambda g: NotBefore(g, layer("c"), layer("a", at=2)), 1, "ba"),
        (lambda g: NotBefore(g, layer("b", at=1), layer("a", at=2)), 1, "aa"),
        (lambda g: NotAfter(g, layer("b", at=1), layer("x"), layer("c", at=3)), 1, "bac"),
        (lambda g: Following(g, (layer("b", at=1), layer("a", at=2))), 2, "ba"),
        (lambda g: Following(g, (layer("b"), layer("a", at=1))), 2, None),
    ],
)
def test_a_condition_is_asked_of_the_state_after_the_event(
    made: Callable[[Graph], Until], wanted: int, way: str
) -> None:
    graph = Graph("0 b 1", "0 a 1", "1 a 2", "2 c 3")
    assert found(graph, made(graph), wanted) == way


def test_a_response_that_is_a_trigger_too_waits_for_the_next() -> None:
    # a answers the a before it, and asks for one itself: only the last of them is left without an answer.
    graph = Graph("0 a 1", "1 a 2", "2 a. 3")
    watcher = NotAfter(graph, layer("a"), layer("a"), None)
    assert [q for (_, q) in search(graph, watcher, lambda state, q: False).before] == [0, 2, 2, 1]
    assert watcher.waits(2) and not watcher.waits(0)


def test_a_list_that_names_a_stimulus_names_them_all() -> None:
    graph = Graph("0 S 1", "1 a 2", "2 T 3", "3 b 4")
    assert found(graph, Following(graph, (layer("a"), layer("b"))), 2) == "SaTb"
    assert found(graph, Following(graph, (stimulus("S"), layer("a"), stimulus("T"), layer("b"))), 4) == "SaTb"
    assert found(graph, Following(graph, (layer("a"), stimulus("T"), layer("b"))), 3) is None


def test_after_the_end_of_a_list_no_layer_may_come() -> None:
    graph = Graph("0 a 1", "1 b 2")
    after = search(graph, Following(graph, (layer("a"),)), lambda state, q: False)
    assert list(after.before) == [(0, 0), (1, 1)]


def test_every_event_that_rests_on_an_open_question_is_named_in_the_order_of_the_walk() -> None:
    graph = Graph("0 a 2", "0 b? 1", "2 c 0", "2 d? 1", "1 b? 3", "4 e? 1")
    assert [graph.letters[event] for event in open_events(graph)] == ["b?", "d?"]


def test_the_cheapest_way_is_found_even_where_a_dearer_one_was_met_first() -> None:
    # State 1 is met by S first, which is unusual, then by two layers; the way by T, as unusual as S, is still gone.
    graph = Graph("0 S 1", "0 T 4", "0 a 2", "2 b 1", "1 c 3", "4 d 5")
    assert found(graph, Until(graph, layer("c")), 1) == "abc"
    assert found(graph, Until(graph, layer("d")), 1) == "Td"


def test_a_search_says_whether_it_saw_everything_and_keeps_what_it_saw() -> None:
    graph = Graph("0 a 1", "1 b 2", "2 c 3")
    until = Until(graph, layer("c"))
    whole = search(graph, until, lambda _, q: q == 1)
    assert (whole.complete, whole.found) == (True, (3, 1))
    assert graph.word(whole.path_to((2, 0))) == "ab" and whole.path == whole.path_to((3, 1))
    # Three pairs come before the one that is looked for.
    assert search(graph, until, lambda _, q: q == 1, limit=3).found == (3, 1)
    short = search(graph, until, lambda _, q: q == 1, limit=2)
    assert (short.complete, short.found, list(short.before)) == (False, None, [(0, 0), (1, 0), (2, 0)])
    none = search(graph, until, lambda _, q: q == 7)
    assert (none.complete, none.path, len(none.before)) == (True, None, 4)
    later = search(graph, until, lambda _, q: q == 1, start=2)
    assert graph.word(later.path or ()) == "c"
    assert not search(Graph("0 a 1", opened=(1,)), until, lambda _, q: q == 7).complete


def test_a_search_for_what_is_certain_goes_on_beside_an_open_question() -> None:
    graph = Graph("0 a? 1", "0 b 2", "2 c 3", "1 c 4")
    certain = search(graph, Until(graph, layer("c")), lambda _, q: q == 1, certain=True)
    assert graph.word(certain.path or ()) == "bc" and (1, 0) not in certain.before


# ---- letters


def letters(graph: Graph, *, limit: int = 100, certain: bool = False) -> tuple[set[int], bool]:
    reading = Reading(graph, Pattern("", One((0,)), (layer("a"), layer("b"))))
    shown, complete = letters_of(graph, reading, limit=limit, certain=certain)
    return set(shown), complete


def test_letters_are_those_of_every_run() -> None:
    graph = Graph("0 a 1", "0 S 2", "2 b 3", "1 c 0")
    assert letters(graph) == ({0b01, 0b10, 0b00}, True)
    assert letters_of(graph, Reading(graph, Pattern("", One((0,)), (layer("a"),))))[1]


def test_letters_within_a_limit_are_not_all() -> None:
    graph = Graph("0 a 1", "1 b 2")
    assert letters(graph, limit=3) == ({0b01, 0b10}, True)
    assert letters(graph, limit=2) == ({0b01, 0b10}, False)
    assert letters(graph, limit=1) == ({0b01}, False)


def test_letters_of_what_is_certain_pass_by_what_a_question_leaves_open() -> None:
    graph = Graph("0 S 1", "0 T 2", "1 a? 3", "2 b 3")
    assert letters(graph) == ({0b01, 0b10}, True)
    assert letters(graph, certain=True) == ({0b10}, True)  # and go on after it
    assert letters(Graph("0 a 1", "1 b 2", opened=(1,))) == ({0b01, 0b10}, False)


# ---- differences


def differ(
    one: Graph, other: Graph, *, limit: int = 100, one_way: bool = False
) -> tuple[tuple[str, str, bool, str, set[Hashable]] | None, bool, int]:
    """What both show, what only one shows then, whether it is the first, its way; completeness; pairs compared."""
    got, complete, pairs = difference(one, other, one.see, other.see, limit=limit, one_way=one_way)
    if got is None:
        return None, complete, pairs
    assert isinstance(got, Difference)
    way = (one if got.in_first else other).word(got.path)
    return ("".join(map(str, got.common)), str(got.more), got.in_first, way, set(got.instead)), complete, pairs


def test_the_shortest_difference_is_told_with_a_way_of_the_one_that_can() -> None:
    one, other = Graph("0 a 1", "1 b 2", "2 c 3"), Graph("0 a 1", "1 - 4", "4 b 2", "2 d 3")
    assert differ(one, other) == (("ab", "c", True, "abc", {"d"}), True, 3)
    assert differ(Graph("0 a 1"), other) == (("a", "b", False, "a-b", set()), True, 2)


def test_one_way_asks_only_what_the_first_can_show() -> None:
    one, other = Graph("0 a 1"), Graph("0 a 1", "1 b 2")
    assert differ(one, other, one_way=True) == (None, True, 2)
    assert differ(other, one, one_way=True) == (("a", "b", True, "ab", set()), True, 2)
    assert differ(one, other) == (("a", "b", False, "ab", set()), True, 2)


def test_one_way_leaves_out_what_the_first_shows_by_an_open_question_only() -> None:
    one = Graph("0 a 1", "1 b? 2", "1 c? 3", "0 d 4")
    same = Graph("0 a 1", "0 d 4")
    assert differ(one, same, one_way=True)[:2] == (None, True)
    assert differ(same, one, one_way=True)[:2] == (None, True)
    # The other side may answer its questions as it likes.
    assert differ(Graph("0 a 1", "1 b 2", "0 d 4"), one, one_way=True)[0] is None
    # Its way there does not lead over the question either.
    doubtful = Graph("0 - 1", "1 a? 2", "0 S 3", "3 a 4")
    assert differ(doubtful, Graph("0 S 3"), one_way=True)[0] == ("S", "a", True, "Sa", set())


def test_equal_parts_are_passed_by_and_the_rest_is_compared() -> None:
    # After a both are the same, after b they are not.
    one = Graph("0 a 1", "1 c 1", "0 b 2", "2 c 3")
    other = Graph("0 a 1", "1 c 1", "0 b 2", "2 d 3")
    assert differ(one, other) == (("b", "c", True, "bc", {"d"}), True, 3)
    assert differ(one, Graph("0 b 5", "0 a 6", "6 c 6", "5 c 7")) == (None, True, 1)


def test_what_is_not_known_to_the_end_is_said() -> None:
    one, other = Graph("0 a 1", "1 b 2", opened=(2,)), Graph("0 a 1", "1 b 2")
    assert differ(one, other) == (None, False, 3)
    assert differ(other, one) == (None, False, 3)
    assert differ(Graph("0 a 1", "1 - 2", opened=(2,)), Graph("0 a 1")) == (None, False, 2)
    # An open end behind what both show is told as well, and what was found before it counts.
    assert differ(Graph("0 a 1", opened=(0,)), Graph("0 b 1"))[0] == ("", "a", True, "a", {"b"})
    assert differ(one, one) == (None, False, 3)


def test_a_limit_of_pairs_is_no_answer() -> None:
    one, other = Graph("0 a 1", "1 b 2", "2 c 3"), Graph("0 a 1", "1 b 2", "2 d 3")
    assert differ(one, other, limit=3)[0] is not None
    assert differ(one, other, limit=2) == (None, False, 2)
    assert differ(one, other, limit=1) == (None, False, 1)
