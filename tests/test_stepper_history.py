"""The history of a walk is a tree: nothing is lost, whatever is done, and branches lead where they did.

The oracle is a list of lists: each branch is the list of moves from the start to its end.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.stepper import EndpointSystem, Walk

SYSTEM = EndpointSystem("sender")


class HistoryMachine(RuleBasedStateMachine):
    """Choose, back, forward, jump, fork, switch and reset on a walk and on plain lists."""

    def __init__(self) -> None:
        super().__init__()
        self.walk = Walk(SYSTEM, manual=True)
        self.ways: dict[str, list[str]] = {"main": []}
        self.name = "main"
        self.here: list[str] = []
        self.seen: dict[tuple[str, ...], object] = {(): SYSTEM.start()}

    @precondition(lambda self: self.walk.moves)
    @rule(number=st.integers(0, 5))
    def choose(self, number: int) -> None:
        move = self.walk.moves[number % len(self.walk.moves)]
        self.walk.choose(move)
        way = [*self.here, move]
        if self.ways[self.name] == self.here:
            self.ways[self.name] = way
        elif self.ways[self.name][: len(way)] != way:
            there = [name for name, other in self.ways.items() if other[: len(way)] == way]
            self.name = there[0] if there else self.walk.branch
            if not there:
                assert self.name not in self.ways
                self.ways[self.name] = way
        self.here = way
        assert self.seen.setdefault(tuple(way), self.walk.place) == self.walk.place

    @rule(count=st.integers(0, 3))
    def back(self, count: int) -> None:
        if count > len(self.here):
            with pytest.raises(NoTransition):
                self.walk.back(count)
        else:
            self.walk.back(count)
            self.here = self.here[: len(self.here) - count]

    @rule(count=st.integers(0, 3))
    def forward(self, count: int) -> None:
        way = self.ways[self.name]
        if len(self.here) + count > len(way):
            with pytest.raises(NoTransition):
                self.walk.forward(count)
        else:
            self.walk.forward(count)
            self.here = way[: len(self.here) + count]

    @rule(number=st.integers(0, 200))
    def jump(self, number: int) -> None:
        node = self.walk.nodes[number % len(self.walk.nodes)]
        way = [one.move for one in self.walk.path_to(node.number)]
        self.walk.jump(node if number % 2 else node.number)
        if self.ways[self.name][: len(way)] != way:
            self.name = next(name for name, other in self.ways.items() if other[: len(way)] == way)
        self.here = way

    @rule(named=st.booleans())
    def fork(self, named: bool) -> None:
        name = self.walk.fork(f"mine{len(self.ways)}" if named else "")
        assert name not in self.ways
        self.ways[name] = list(self.here)
        self.name = name

    @rule(number=st.integers(0, 50))
    def switch(self, number: int) -> None:
        self.name = list(self.ways)[number % len(self.ways)]
        self.walk.switch(self.name)
        self.here = list(self.ways[self.name])

    @rule()
    def reset(self) -> None:
        self.walk.reset()
        self.here = []

    @rule()
    def load(self) -> None:
        """What is saved and loaded is the same walk."""
        self.walk = Walk.from_json(self.walk.to_json())

    @invariant()
    def nothing_is_lost(self) -> None:
        walk = self.walk
        assert [node.move for node in walk.path] == self.here
        assert walk.branch == self.name
        ways = {name: [node.move for node in walk.path_to(tip)] for name, tip in walk.branches.items()}
        assert ways == self.ways
        places = {tuple(one.move for one in walk.path_to(node.number)): node.place for node in walk.nodes}
        assert places == self.seen
        assert walk.place == self.seen[tuple(self.here)]
        lies_in_a_branch = {tuple(way[:length]) for way in ways.values() for length in range(len(way) + 1)}
        assert set(places) <= lies_in_a_branch


HistoryMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestHistory = HistoryMachine.TestCase


def test_a_choice_taken_again_leads_to_the_same_node() -> None:
    walk = Walk(SYSTEM)
    first = walk.choose("bind")
    walk.reset()
    assert [node.number for node in walk.choose("bind")] == [node.number for node in first]
    assert len(walk.nodes) == 4
    assert walk.branches == {"main": 3}


def test_going_another_way_makes_a_branch_and_keeps_the_first() -> None:
    walk = Walk(SYSTEM)
    walk.choose("bind")
    walk.choose("sendto")
    end = walk.at
    walk.back(3)
    walk.choose("block")
    assert walk.branches["main"] == end
    assert walk.branch == "branch2"
    walk.switch("main")
    assert walk.outcome() == "sent"
    assert [len(walk.children(node.number)) for node in walk.path_to(end)].count(2) == 1


@pytest.mark.parametrize("name", ["main", "", "a b", "~", "x" * 33])
def test_fork_takes_new_plain_names_only(name: str) -> None:
    walk = Walk(SYSTEM)
    if not name:
        assert walk.fork() == "branch2"
        return
    with pytest.raises(FsmError, match=r"^fork: "):
        walk.fork(name)


def test_what_is_not_there_is_told() -> None:
    walk = Walk(SYSTEM)
    with pytest.raises(UnknownName, match=r"there is no node 7\. Nodes: 0 to 0"):
        walk.jump(7)
    with pytest.raises(UnknownName, match=r"no branch named 'mane'\. Did you mean 'main'"):
        walk.switch("mane")
    with pytest.raises(FsmError):
        walk.back(-1)
