"""The result of arbitration at one layer. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from fsm.policy.callouts import Effect
from fsm.policy.match import Test
from fsm.policy.model import Filter


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """What would have to be known: a condition that is open, or a callout that nobody has described."""

    layer: str
    filter: Filter
    field: str  # "" where it is about the callout or the sublayer
    test: Test | None
    what: str = ""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A filter that was asked before the deciding one and did not decide.

    `failed` holds the conditions that did not hold, with the value; it is empty for a filter that matched and went on.
    """

    sublayer: str
    filter: Filter
    failed: tuple[Test, ...] = ()
    what: str = ""


@dataclass(frozen=True, slots=True)
class Possible:
    """One possible result of a sublayer. `given` are the questions that must be answered so; empty for none."""

    filter: Filter | None
    effect: Effect
    given: tuple[OpenQuestion, ...] = ()


@dataclass(frozen=True, slots=True)
class Deciding:
    """What a sublayer returned. `action` is its answer; `hard` that it took the write right away."""

    sublayer: str
    filter: Filter
    action: str
    hard: bool
    overridden: bool = False
    sublayer_name: str = ""


@dataclass(frozen=True, slots=True)
class OrderNote:
    """Two filters whose order is nobody's statement, and which of them is asked first changes the verdict.

    `first` is the one that was asked first here, by the rule that `why` tells; `verdict` is that of the other order.
    """

    layer: str
    first: Filter
    other: Filter
    why: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Arbitration:
    """The result at one layer.

    Parameters
    ----------
    verdict : permit, block, absorb, pend, redirect, veto, or "unknown" where open questions change it.
    rights : "soft" while lighter sublayers could still change it, "hard" after the write right was taken away; ""
        where nothing decided or the verdict is unknown.
    verdicts : every verdict that is possible, the one with all open questions answered with no first.
    deciding : of each sublayer that returned something, in order; for an unknown verdict as in `otherwise`.
    decided_by : the filter that made the verdict; None where none matched or it is unknown.
    passed_over : the filters before the deciding ones, with why.
    questions : all that is open and was reached; `changing` those of them that bring another verdict about.
    otherwise : the verdict when no open condition holds and undeclared callouts let the packet pass.
    order_notes : where the verdict rests on the order of filters of one weight, or of automatic weights.
    telling : of a permit, the deciding filters without any of which it would be another verdict.
    """

    layer: str
    verdict: str
    rights: str
    verdicts: tuple[str, ...]
    deciding: tuple[Deciding, ...]
    decided_by: Filter | None
    passed_over: tuple[PassedOver, ...]
    questions: tuple[OpenQuestion, ...] = ()
    changing: tuple[OpenQuestion, ...] = ()
    otherwise: str = "permit"
    order_notes: tuple[OrderNote, ...] = ()
    telling: tuple[Filter, ...] = ()
