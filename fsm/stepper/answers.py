"""Who answers a layer when nobody decides by hand: the callouts first, then the policy, else permit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fsm import catalogue
from fsm.endpoint import Callout
from fsm.errors import FsmError
from fsm.names import Verdict
from fsm.stepper.system import System

if TYPE_CHECKING:
    from fsm.policy.callout import Decision

NOBODY = "permit"  # decided by: nobody had anything to say


class Answers:
    """The callouts and the policy of a walk; `Walk` says what they are.

    Raises
    ------
    FsmError : a session, whose verdicts are moves; something that is no callout.
    """

    def __init__(
        self, system: System[Any], callouts: Iterable[Callout | tuple[str, Callout]], policy: Callout | None
    ) -> None:
        self._system = system
        self.policy = policy
        self._callouts = [self._callout(given) for given in callouts]
        if (self._callouts or policy) and not system.can_wait:
            raise FsmError(system.title, "a session takes no callouts", fix="Its verdicts are moves: --verdicts")

    def suggestion(self, place: Any) -> tuple[str, str]:
        """The verdict of the layer that waits there, and who gives it.

        Where the policy leaves it open, the verdict if none of the open conditions holds.
        """
        verdict, decided_by = self._by_callouts(place)
        if self.policy is None or decided_by != NOBODY:
            return verdict, decided_by
        decision = self._decision(place)
        if decision is not None:
            first = decision.possible[0] if decision.possible else verdict
            return (first if decision.question else decision.verdict), decision.by
        answer = self.policy(self._system.context(place))
        return (verdict, decided_by) if answer is None else (str(answer), "policy")

    def question(self, place: Any) -> str:
        """What the policy would have to know for that verdict; "" where it is decided."""
        decision = self._decision_asked(place)
        return decision.question if decision is not None else ""

    def possible(self, place: Any) -> tuple[str, ...]:
        """The verdicts that can come of it: several where the policy leaves it open."""
        decision = self._decision_asked(place)
        if decision is not None and decision.question:
            return decision.possible or self._system.moves(place)
        return (self.suggestion(place)[0],)

    def _decision_asked(self, place: Any) -> Decision | None:
        if self.policy is None or not self._system.layer(place) or self._by_callouts(place)[1] != NOBODY:
            return None
        return self._decision(place)

    def _decision(self, place: Any) -> Decision | None:
        """What the policy says with its reason; None for a plain function."""
        decide = getattr(self.policy, "decision", None)
        found: Decision | None = decide(self._system.context(place)) if decide is not None else None
        return found

    def _by_callouts(self, place: Any) -> tuple[str, str]:
        verdict, decided_by = str(Verdict.PERMIT), NOBODY
        if not self._callouts:
            return verdict, decided_by
        context = self._system.context(place)
        for layer, name, callout in self._callouts:
            if layer is None or layer == context.layer.fwpm_name:
                answer = callout(context)
                if answer is not None and verdict == Verdict.PERMIT:
                    verdict, decided_by = str(answer), f"callout {name}"
        return verdict, decided_by

    def _callout(self, given: Callout | tuple[str, Callout]) -> tuple[str | None, str, Callout]:
        layer, callout = given if isinstance(given, tuple) else (None, given)
        if not callable(callout):
            raise FsmError("callouts", f"{callout!r} is no callout", fix="Give a function of a context")
        if layer is not None:
            config = self._system.config
            layer = catalogue.resolve(layer, config.ip, windows=config.windows, where="callouts").fwpm_name
        return layer, getattr(callout, "__name__", type(callout).__name__), callout
