"""What can be stepped through: places as values, the moves of a place, and where a move leads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fsm.choices import Config
from fsm.endpoint import ClassifyContext
from fsm.errors import NoTransition
from fsm.predicates import Predicate
from fsm.table import Step

P = TypeVar("P")

Refusals = tuple[tuple[str, str], ...]


class System(ABC, Generic[P]):
    """An endpoint or a session, seen as places and moves. A place is immutable and can be a key.

    `name` is what a share token calls it, `title` what a person does.
    """

    name: str
    title: str
    config: Config
    can_wait: bool = True  # whether model time can pass

    @abstractmethod
    def start(self) -> P:
        """The place in which every walk begins."""

    @abstractmethod
    def moves(self, place: P) -> tuple[str, ...]:
        """The moves that are possible there, in table order."""

    @abstractmethod
    def refusals(self, place: P) -> Refusals:
        """Each move that is not possible there, with its reason."""

    @abstractmethod
    def take(self, place: P, move: str) -> tuple[P, tuple[Step, ...]]:
        """Where a move leads, and the table's steps that it is made of.

        Raises
        ------
        NoTransition : it is not possible there, and why.
        """

    @abstractmethod
    def spelled(self, place: P, word: str, where: str) -> str:
        """The one spelling of a move that somebody wrote; it need not be possible there.

        Raises
        ------
        UnknownName, FsmError : there is no such move.
        """

    @abstractmethod
    def state(self, place: P) -> str:
        """The place as one line."""

    @abstractmethod
    def values(self, place: P) -> dict[str, str]:
        """What a place is made of, by name, for a panel and for what has changed."""

    def changes(self, before: P, after: P) -> dict[str, tuple[str, str]]:
        """What differs between two places: name to (before, after)."""
        return difference(self.values(before), self.values(after))

    @abstractmethod
    def view(self, place: P) -> dict[str, object]:
        """The place as predicates look at it (`fsm.predicates`), without what has fired and the outcome."""

    @abstractmethod
    def predicate(self, expression: str, where: str, *, bare: bool = False) -> Predicate:
        """An expression about places of this system."""

    @abstractmethod
    def encoded(self, path: Iterable[tuple[P, str]]) -> str:
        """The choices of a share token: the moves that were taken, each with the place it was taken in."""

    @abstractmethod
    def decoded(self, choices: str, where: str) -> list[str]:
        """The items of the choices of a share token; `chosen` says which move one is.

        Raises
        ------
        FsmError : it is not written as tokens are.
        """

    @abstractmethod
    def chosen(self, place: P, item: str, where: str) -> str:
        """The move that an item of a token means there."""

    def layer(self, place: P) -> str:
        """The full name of the layer that waits for a verdict; "" where none does."""
        return ""

    def stimulus(self, place: P) -> str:
        """The stimulus in progress, as the word that began it; "" where nothing is."""
        return ""

    def key(self, place: P) -> Hashable:
        """What moves and states depend on: equal for places that only a callout could tell apart."""
        return place

    def context(self, place: P) -> ClassifyContext:
        """What a callout is shown of the classify that waits.

        Raises
        ------
        NoTransition : nothing waits.
        """
        raise NoTransition(self.title, "no layer waits for a verdict")


@dataclass(frozen=True, slots=True)
class Node:
    """One move of a history: the move, the table's steps that it is made of, and the place it led to.

    There is one node for each classify, and one for each stimulus that begins and each move that no layer sees.
    `parent` is the number of the node before it, -1 for the start. `decided_by` is "hand", "permit", "callout NAME",
    "policy", "policy: filter 'NAME' in sublayer 'NAME'", "random", or "" at the start.
    """

    number: int
    parent: int
    move: str
    steps: tuple[Step, ...]
    place: Any
    decided_by: str = ""

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that fired, by full name."""
        return tuple(step.layer for step in self.steps if step.layer)

    @property
    def layer(self) -> str:
        """The layer that fired last, "" for none."""
        return next((step.layer for step in reversed(self.steps) if step.layer), "")

    @property
    def verdict(self) -> str:
        """The verdict of that layer, "" for none."""
        return next((step.verdict for step in reversed(self.steps) if step.layer), "")


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Name to (before, after) of what differs; what is not there is none."""
    pairs = {name: (before.get(name, "none"), after.get(name, "none")) for name in dict.fromkeys((*before, *after))}
    return {name: (old, new) for name, (old, new) in pairs.items() if old != new}


def fired(nodes: Sequence[Node]) -> tuple[Step, ...]:
    """The steps that a layer saw, in order."""
    return tuple(step for node in nodes for step in node.steps if step.layer)
