"""What the layers of one endpoint answer in a scenario: the verdicts that were set, then the policy, else permit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fsm.endpoint import ClassifyContext, verdict_at
from fsm.errors import FsmError
from fsm.scenarios.model import Scenario, Told, UsePolicy

if TYPE_CHECKING:
    from fsm.policy.callout import PolicyCallout
    from fsm.policy.model import Policy

# Reads the file of a `policy` line. The edge that may read files passes it in.
PolicyLoader = Callable[[Scenario, UsePolicy], "Policy"]
_NO_FILTER = "no filter matches"


class OpenPolicy(Exception):
    """The policy cannot decide a layer with what the scenario tells."""

    def __init__(self, layer: str, question: str) -> None:
        super().__init__(layer, question)
        self.layer, self.question = layer, question


class Verdicts:
    """A callout for `Endpoint.register`.

    `fixed` is {full layer name: verdict} as set so far, `asked` what filters have decided: (layer, verdict, who).
    """

    def __init__(self, scenario: Scenario, endpoint: str) -> None:
        self._scenario = scenario
        self._endpoint = endpoint
        self._policy: PolicyCallout | None = None
        self.fixed: dict[str, str] = {}
        self.asked: list[tuple[str, str, str]] = []
        self._by_hand = verdict_at(self.fixed)

    def use(self, policy: Policy, line: UsePolicy) -> None:
        """Ask this policy from now on.

        Raises
        ------
        FsmError : it asks for what a scenario does not follow, or the ends do not fit this machine.
        """
        from fsm.policy.callout import policy_callout
        from fsm.policy.datagram import Circumstances

        local, program = self._told("local"), self._told("program")
        self._policy = policy_callout(
            policy,
            config=self._scenario.config,
            local=local.value if local else None,
            peers={peer: told.value for peer in self._peers() if (told := self._told("peer", peer)) is not None},
            circumstances=Circumstances(program=program.value if program else None),
            ordinary=line.ordinary,
            undeclared=line.callouts,
            open_questions="unknown",
        )
        for remark in self._policy.remarks:
            raise FsmError(f"{line.spot}, policy '{line.file}'", remark, fix="Set it in the scenario, or leave it out")

    def _peers(self) -> list[str]:
        return [told.peer for told in self._scenario.told if told.kind == "peer"]

    def _told(self, kind: str, peer: str = "") -> Told | None:
        """What is told of this endpoint, else of all."""
        found = [told for told in self._scenario.told if (told.kind, told.peer) == (kind, peer)]
        own = [told for told in found if told.endpoint == self._endpoint]
        return next(iter((*own, *(told for told in found if not told.endpoint))), None)

    def __call__(self, context: ClassifyContext) -> str | None:
        layer = context.layer.fwpm_name
        if layer in self.fixed or self._policy is None:
            return self._by_hand(context)
        decision = self._policy.decision(context)
        if decision.question:
            raise OpenPolicy(layer, decision.question)
        if not decision.by.endswith(_NO_FILTER):
            self.asked.append((layer, decision.verdict, decision.by.removeprefix("policy: ")))
        return decision.verdict
