"""What is wrong, in vain or surprising in a policy: one run of all rules.

A finding says what the documents say of this policy; nothing is guessed. What depends on an undeclared callout or on a
condition that nobody can evaluate is taken as open, and an open question never makes a finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fsm.errors import UnknownName
from fsm.names import WINDOWS
from fsm.policy import lint_callouts, lint_conditions, lint_order, lint_whole
from fsm.policy.lint_finding import LintFinding, Work, named_filter
from fsm.policy.lint_rules import RULES, SEVERITIES
from fsm.policy.model import Filter, Policy

_Check = tuple[Callable[[Work], Iterator[LintFinding]], tuple[str, ...]]
_CHECKS: tuple[_Check, ...] = (
    *lint_conditions.CHECKS,
    *lint_order.CHECKS,
    *lint_callouts.CHECKS,
    *lint_whole.CHECKS,
)


@dataclass(frozen=True, slots=True)
class LintReport:
    """All findings, the gravest first.

    Parameters
    ----------
    asked : the ids of the rules that were run.
    undecided : filters whose order could not be worked out within bounds; nothing is said of them there.
    not_in_force : filters that are disabled, or of the boot time alone, which the order leaves out.
    unordered : keys of sublayers whose weight nobody has said: nothing is said across sublayers at their layers.
    """

    policy: Policy
    windows: str
    asked: tuple[str, ...]
    findings: tuple[LintFinding, ...]
    undecided: tuple[Filter, ...] = ()
    not_in_force: tuple[tuple[Filter, str], ...] = ()
    unordered: tuple[str, ...] = ()

    def count(self, severity: str) -> int:
        """How many findings have this severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The report as `wfp-udp lint --format json` prints it."""
        return {
            "policy": self.policy.source or None,
            "windows": self.windows,
            "filters": len(self.policy.filters),
            "rules": list(self.asked),
            "counts": {severity: self.count(severity) for severity in SEVERITIES},
            "by_rule": dict(Counter(finding.rule for finding in self.findings).most_common()),
            "findings": [finding.to_json() for finding in self.findings],
            "undecided": [named_filter(one) for one in self.undecided],
            "unordered_sublayers": list(self.unordered),
            "not_in_force": [{**named_filter(one), "why": why} for one, why in self.not_in_force],
        }


def lint(policy: Policy, *, rules: tuple[str, ...] = (), windows: str = "11") -> LintReport:
    """Everything that the rules find in a policy.

    Parameters
    ----------
    rules : ids of RULES; all of them when none is given.
    windows : a word of `names.WINDOWS`: before 7 conditions on one field are no alternatives, and layers are missing.

    Raises
    ------
    UnknownName : no such rule or Windows.
    """
    if windows not in WINDOWS:
        raise UnknownName.of("lint", "Windows", windows, WINDOWS)
    for name in rules:
        if name not in RULES:
            raise UnknownName.of("lint", "rule", name, RULES)
    asked = tuple(rule for rule in RULES if not rules or rule in rules)
    work = Work.on(policy, windows)
    found: list[LintFinding] = []
    for check, ids in _CHECKS:
        if set(ids) & set(asked):
            found += [finding for finding in check(work) if finding.rule in asked]
    order = {filter.key: at for at, filter in enumerate(policy.filters)}
    found.sort(
        key=lambda f: (
            SEVERITIES.index(f.severity),
            list(RULES).index(f.rule),
            min((order.get(one.key, 0) for one in f.filters), default=0),
        )
    )
    undecided = {key: one for each in work.orders.values() for key, one in each.undecided.items()}
    unordered = dict.fromkeys(
        sublayer.key for here in work.index.layers.values() for sublayer in here if sublayer.weight is None
    )
    return LintReport(
        policy, windows, asked, tuple(found), tuple(undecided.values()), work.index.left_out, tuple(unordered)
    )
