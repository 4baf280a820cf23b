"""What the checks of the lint look at, and what they find. Values only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from fsm.policy.in_force import PolicyIndex, index_policy
from fsm.policy.lint_rules import RULES
from fsm.policy.model import Callout, Filter, Policy
from fsm.policy.shadow import LayerOrder


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One finding.

    Parameters
    ----------
    what : what is the matter with these filters, with their values; the general reason is the rule's.
    filters : the filters that it is about; `by` are others that make it so (who shadows them, for one).
    layer : the full FWPM name; empty where it is about several.
    callout : the callout that it is about, where it is about one.
    fix : what to do, where there is one thing to do.
    """

    rule: str
    severity: str
    what: str
    filters: tuple[Filter, ...] = ()
    by: tuple[Filter, ...] = ()
    layer: str = ""
    callout: Callout | None = None
    fix: str = ""
    cite: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The finding as `wfp-udp lint --format json` prints it."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "layer": self.layer or None,
            "what": self.what,
            "why": RULES[self.rule].why,
            "fix": self.fix or None,
            "filters": [named_filter(one) for one in self.filters],
            "by": [named_filter(one) for one in self.by],
            "callout": None if self.callout is None else {"key": self.callout.key, "name": self.callout.name},
            "cite": list(self.cite or RULES[self.rule].cite),
        }


def named_filter(one: Filter) -> dict[str, Any]:
    """A filter as JSON names it."""
    return {
        "key": one.key,
        "name": one.name,
        "filter_id": one.filter_id,
        "layer": one.layer,
        "sublayer": one.sublayer,
        "action": one.action,
        "read_from": one.source or None,
    }


@dataclass(slots=True)
class Work:
    """What the rules look at: the policy, its filters in force by layer, and their order worked out once per layer."""

    policy: Policy
    windows: str
    index: PolicyIndex
    orders: dict[str, LayerOrder]

    @classmethod
    def on(cls, policy: Policy, windows: str) -> Work:
        index = index_policy(policy, windows)
        return cls(policy, windows, index, {layer: LayerOrder(index, layer) for layer in index.layers})

    def in_force(self, layer: str) -> Iterator[Filter]:
        """The filters in force at a layer, in the order in which they are asked."""
        for sublayer in self.index.at(layer):
            for ready in sublayer.filters:
                yield ready.filter


def finding_of(rule: str, what: str, **more: Any) -> LintFinding:
    """A finding with the severity and citation of its rule, unless others are given."""
    found = LintFinding(rule, RULES[rule].severity, what, **{k: v for k, v in more.items() if k != "severity"})
    return replace(found, severity=more.get("severity", found.severity), cite=found.cite or RULES[rule].cite)
