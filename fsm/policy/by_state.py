"""What a filter policy answers in each state of an endpoint's table, by arbitration; what is open stays open.

One `PolicyAnswers` is about one datagram: a socket and its one remote end. Who has several peers has one for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from fsm.endpoint import (
    FIRST_PEER,
    GROUP_LIFETIME_S,
    REASON_OF,
    UNICAST_LIFETIME_S,
    ClassifyContext,
    Endpoint,
    Snapshot,
)
from fsm.names import Verdict
from fsm.policy.callout import WHICH, Decision, PolicyCallout
from fsm.policy.datagram import Datagram
from fsm.policy.model import Policy
from fsm.reasons import STALE_REASONS
from fsm.stimuli import STIMULI
from fsm.table import NO_ROW, Table

REASON_FIELDS: tuple[str, ...] = ("FWPM_CONDITION_ALE_REAUTH_REASON", "FWPM_CONDITION_REAUTHORIZE_REASON")
_ANY_REASON = next(iter(STALE_REASONS.values())).value
NOBODY = ("no filter matches", "no filter decides")  # as a decision says it


@dataclass(frozen=True, slots=True)
class Answer:
    """What the filters say at one classify.

    `verdicts` are those that the machine can go on with, several where open questions allow several; `question` says
    then what would have to be known. `by` is what decided: `filter 'X' in sublayer 'Y'`, `no filter matches`.
    `refused` tells of a verdict that the layer does not take: what happens then is not documented.
    """

    verdicts: tuple[str, ...]
    by: str
    question: str = ""
    refused: str = ""

    @property
    def is_open(self) -> bool:
        """Whether nobody knows which verdict is given."""
        return len(self.verdicts) > 1 or bool(self.refused)

    @property
    def decider(self) -> str:
        """`by` where a filter decided, "open" where it is not known which, "" where none has a say."""
        return "open" if self.question else "" if self.by in NOBODY else self.by


class PolicyAnswers:
    """The answers of a policy for one endpoint and one datagram; each state is worked out once.

    Parameters
    ----------
    stimuli : what can happen to the endpoint.
    """

    def __init__(self, callout: PolicyCallout, table: Table, stimuli: Sequence[str]) -> None:
        self._callout, self._table = callout, table
        self._endpoint = Endpoint(table.view.name, table=table)
        self._made: dict[int, Answer] = {}
        self._reasons = tuple(_reasons(callout.index.policy, stimuli))
        options = dict(callout.index.policy.options)
        self.lifetimes_s = (
            int(options.get("unicast_lifetime_s", UNICAST_LIFETIME_S)),
            int(options.get("multicast_lifetime_s", GROUP_LIFETIME_S)),
        )

    def __call__(self, table: Table, state: int) -> tuple[str, ...]:
        return self.at(state).verdicts

    def at(self, state: int) -> Answer:
        """The answer in a state that stands before a layer."""
        found = self._made.get(state)
        if found is None:
            found = self._made[state] = self._answer(state)
        return found

    @property
    def refusals(self) -> tuple[str, ...]:
        """Verdicts of the filters that their layers do not take, in what was asked so far."""
        return tuple(dict.fromkeys(answer.refused for answer in self._made.values() if answer.refused))

    def _answer(self, state: int) -> Answer:
        self._endpoint.restore(Snapshot(state, FIRST_PEER, 0))
        context = self._endpoint.context()
        decisions = [self._callout.decision(one) for one in self._contexts(context)]
        verdicts = tuple(dict.fromkeys(verdict for one in decisions for verdict in one.possible))
        by = tuple(dict.fromkeys(one.by.removeprefix("policy: ") for one in decisions))
        question = next((one.question for one in decisions if one.question), "")
        if not question and len(verdicts) > 1:
            question = f"{' or '.join(verdicts)}, by why the flow is authorized again, which its state does not tell"
        refused = next((text for one in decisions if (text := self._refused(state, one))), "")
        return Answer(verdicts, by[0] if len(by) == 1 else WHICH, question, refused)

    def _contexts(self, context: ClassifyContext) -> Iterator[ClassifyContext]:
        """The classify, for each reason that it may have: the table says that a flow is stale, and not why."""
        if "IS_REAUTHORIZE" not in context.flags or context.stimulus in REASON_OF:
            yield context
            return
        for reason in self._reasons:
            yield replace(context, reauthorize_reason=reason)

    def _refused(self, state: int, decision: Decision) -> str:
        events = self._table.event_ids
        for verdict in decision.arbitration.verdicts:
            given = (verdict, str(Verdict.BLOCK)) if verdict == Verdict.VETO else (verdict,)
            if all(self._table.next_or_none(state, events[one]) == NO_ROW for one in given):
                if decision.arbitration.verdict == verdict:
                    return decision.question  # which names the filter
                return f"the filters say {verdict}, and {self._table.why_not(state, verdict)}"
        return ""


def _reasons(policy: Policy, stimuli: Sequence[str]) -> Iterator[int]:
    """The bits that a reauthorization can have; one where no filter asks for them."""
    bits = [REASON_OF[name] for name in STALE_REASONS if name in stimuli]
    asked = any(condition.field in REASON_FIELDS for each in policy.filters for condition in each.conditions)
    if not asked or not bits:
        yield bits[0] if bits else _ANY_REASON
        return
    for count in range(1, len(bits) + 1):
        yield from map(sum, combinations(bits, count))


def concerns(stimulus: str, datagram: Datagram) -> bool:
    """Whether a stimulus is about the two ends of this datagram, not about a group or a peer besides."""
    if stimulus == "connect_other":
        return False
    to = dict(STIMULI[stimulus].attributes).get("to", "")
    is_group = datagram.remote.is_group or datagram.local.is_group
    return not to or is_group == (to == "group")
