"""The history of a walk: a tree from which nothing is lost, with named branches and one place where one stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fsm.counts import counted
from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.stepper.system import Node
from fsm.table import Step

MAIN = "main"
START = 0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


class History:
    """Nodes, numbered in the order in which they were first reached; the start is 0.

    A branch is a name for the last node of a way from the start; every node lies on the way of some branch. Going on
    at the end of the present branch makes it longer. Going on elsewhere leaves it as it is, and makes the branch
    that already goes there the present one, or a new one.
    """

    def __init__(self, title: str, start: Any) -> None:
        self.title = title
        self.nodes: list[Node] = [Node(START, -1, "", (), start)]
        self.at = START
        self.branch = MAIN
        self._tips: dict[str, int] = {MAIN: START}
        self._children: dict[int, dict[str, int]] = {}
        self._depths = [0]

    @property
    def node(self) -> Node:
        """The node where one stands; number 0 is the start."""
        return self.nodes[self.at]

    @property
    def depth(self) -> int:
        """How many moves the start is away."""
        return self._depths[self.at]

    def path_to(self, number: int) -> tuple[Node, ...]:
        """The nodes from the start to a node, the start left out."""
        path = []
        while number > START:
            path.append(self.nodes[number])
            number = self.nodes[number].parent
        return tuple(reversed(path))

    @property
    def path(self) -> tuple[Node, ...]:
        """The nodes from the start to here, the start left out."""
        return self.path_to(self.at)

    def where(self) -> str:
        """What an error of the next move begins with."""
        return f"{self.title}, move {self.depth + 1}"

    def known(self, move: str) -> Node | None:
        """The node that this move led to when it was taken here before."""
        number = self._children.get(self.at, {}).get(move)
        return None if number is None else self.nodes[number]

    def add(self, move: str, steps: tuple[Step, ...], place: Any, decided_by: str) -> Node:
        """A node after the present one; `enter` goes there."""
        node = Node(len(self.nodes), self.at, move, steps, place, decided_by)
        self.nodes.append(node)
        self._children.setdefault(self.at, {})[move] = node.number
        self._depths.append(self.depth + 1)
        return node

    def enter(self, node: Node, decided_by: str) -> Node:
        """Stand at a child of where one stands."""
        if node.decided_by != decided_by:
            self.nodes[node.number] = replace(node, decided_by=decided_by)
        tip = self._tips[self.branch]
        if tip == self.at:
            self._tips[self.branch] = node.number
        elif not self._leads_through(tip, node.number):
            others = [name for name, end in self._tips.items() if self._leads_through(end, node.number)]
            self.branch = others[0] if others else self._free_name()
            if not others:
                self._tips[self.branch] = node.number
        self.at = node.number
        return self.node

    def back(self, steps: int = 1) -> Node:
        """Undo the last moves; they stay in the history.

        Raises
        ------
        NoTransition : the start is nearer.
        """
        self._check_count(steps)
        path = self.path
        if steps > len(path):
            raise NoTransition(
                self.where(), f"cannot go back {steps}: {counted(len(path), 'move lies', 'moves lie')} behind"
            )
        self.at = self.path[-1 - steps].number if steps < len(path) else 0
        return self.node

    def forward(self, steps: int = 1) -> tuple[Node, ...]:
        """Take again what was undone, in this branch.

        Raises
        ------
        NoTransition : the branch ends before.
        """
        self._check_count(steps)
        ahead = self.ahead
        if steps > len(ahead):
            raise NoTransition(
                self.where(), f"cannot go forward {steps}: {counted(len(ahead), 'move lies', 'moves lie')} ahead"
            )
        if steps:
            self.at = ahead[steps - 1].number
        return ahead[:steps]

    @property
    def ahead(self) -> tuple[Node, ...]:
        """What lies ahead in this branch."""
        return self.path_to(self._tips[self.branch])[len(self.path) :]

    def jump(self, node: int | Node) -> Node:
        """Stand at any node of the history, in the branch that leads through it (the present one if it does).

        Raises
        ------
        UnknownName : there is none with this number.
        """
        number = node.number if isinstance(node, Node) else node
        if not 0 <= number < len(self.nodes):
            raise UnknownName(self.where(), f"there is no node {number}", f"Nodes: 0 to {len(self.nodes) - 1}")
        if not self._leads_through(self._tips[self.branch], number):
            self.branch = next(name for name, tip in self._tips.items() if self._leads_through(tip, number))
        self.at = number
        return self.node

    def reset(self) -> Node:
        """Stand at the start; the history stays."""
        self.at = 0
        return self.node

    def fork(self, name: str = "") -> str:
        """Begin a branch here, by this name or the next free one; it is the present one now. Returns its name.

        Raises
        ------
        FsmError : the name is taken, or none.
        """
        if name and not _NAME.fullmatch(name):
            raise FsmError("fork", f"'{name}' is no name of a branch", "Letters, digits, _ . and -")
        if name in self._tips:
            raise FsmError("fork", f"a branch '{name}' is there already", f"Branches: {self._branch_names()}")
        self.branch = name or self._free_name()
        self._tips[self.branch] = self.at
        return self.branch

    @property
    def branches(self) -> Mapping[str, int]:
        """The branches, oldest first: name to number of its last node."""
        return dict(self._tips)

    def switch(self, name: str) -> Node:
        """Stand at the end of a branch.

        Raises
        ------
        UnknownName : there is none of this name.
        """
        if name not in self._tips:
            raise UnknownName.of("switch", "branch", name, self._tips)
        self.branch = name
        self.at = self._tips[name]
        return self.node

    def children(self, number: int) -> tuple[Node, ...]:
        """What was tried from a node, oldest first."""
        return tuple(self.nodes[child] for child in self._children.get(number, {}).values())

    def _leads_through(self, tip: int, number: int) -> bool:
        while tip > number:  # a child has a larger number than its parent
            tip = self.nodes[tip].parent
        return tip == number

    def _free_name(self) -> str:
        number = len(self._tips) + 1
        while f"branch{number}" in self._tips:
            number += 1
        return f"branch{number}"

    def _branch_names(self) -> str:
        names = list(self._tips)
        return ", ".join(names[:12]) + (f" ... ({len(names)} in all)" if len(names) > 12 else "")

    def _check_count(self, steps: int) -> None:
        if steps < 0:
            raise FsmError(self.where(), f"{steps} moves", fix="Give 0 or more")

    def stand(self, at: int, branch: str, tips: Mapping[str, int]) -> None:
        """Stand where a saved walk stood: at a node of a branch, with these branches.

        A node that lies in no branch is given one, and the present branch leads here.
        """
        self.at, self.branch, self._tips = at, branch, dict(tips)
        if not self._leads_through(self._tips[self.branch], self.at):
            self._tips[self.branch] = self.at
        for node in self.nodes:
            leaf = not self._children.get(node.number)
            if leaf and not any(self._leads_through(tip, node.number) for tip in self._tips.values()):
                self._tips[self._free_name()] = node.number
