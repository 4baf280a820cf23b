"""Rules about the order of filters: who never decides, and who keeps it from deciding."""

from __future__ import annotations

from collections.abc import Iterator

from fsm.policy.lint_finding import LintFinding, Work, finding_of
from fsm.policy.model import Filter
from fsm.policy.shadow import LayerOrder, Shadow

_ONLY_IF_INFERRED = " (as far as automatic weights are as concluded from real machines)"


def shadowed(work: Work) -> Iterator[LintFinding]:
    """Filters that never decide, within their sublayer and across sublayers."""
    for layer, order in work.orders.items():
        done = {one.key for one in order.never()}
        for shadow in order.shadows():
            if shadow.filter.key in done:
                continue
            done.add(shadow.filter.key)
            yield _own(layer, shadow)
        for shadow in order.overridden_permits(done):
            done.add(shadow.filter.key)
            yield finding_of(
                "permit-overridden",
                f"nothing gets through by it: a lighter sublayer blocks all that it permits ({_who(shadow.by)})",
                filters=(shadow.filter,), by=shadow.by, layer=layer, severity=_milder(shadow, "warning"),
                fix="Make the permit hard (CLEAR_ACTION_RIGHT), or put an exception into the sublayer that blocks",
            )  # fmt: skip
        for shadow in order.decided_above(done):
            verdict = f"with {_verdict(shadow)}"
            yield finding_of(
                "decided-above",
                f"heavier sublayers have decided all that it matches, hard and {verdict} ({_who(shadow.by)})",
                filters=(shadow.filter,), by=shadow.by, layer=layer,
                severity=_milder(shadow, "warning" if shadow.differs else "hint"),
            )  # fmt: skip


def _own(layer: str, shadow: Shadow) -> LintFinding:
    one = shadow.filter
    verdict = _verdict(shadow)
    if one.action.startswith("CALLOUT_"):
        verdict += ", so its callout is never called"
    what = f"it never decides: {_who(shadow.by)} comes first, with {verdict}"
    if len(shadow.by) > 1:
        what = f"it never decides: {_who(shadow.by)} together come first, with {verdict}"
    what += _ONLY_IF_INFERRED if shadow.inferred else ""
    if _only_later(shadow):
        what += "; it can decide until these are added, since it is persistent and they are not"
    return finding_of(
        "shadowed", what, filters=(one,), by=shadow.by, layer=layer,
        severity=_milder(shadow, "warning" if shadow.differs else "hint"),
    )  # fmt: skip


def _verdict(shadow: Shadow) -> str:
    if not shadow.differs:
        return "the same verdict"
    return "another verdict" if shadow.differs_surely else "a verdict that is not known and may be another"


def _only_later(shadow: Shadow) -> bool:
    """Whether the filter is there before the others: persistent ones are, as soon as the filter engine runs (BOP)."""
    return "PERSISTENT" in shadow.filter.flags and any("PERSISTENT" not in one.flags for one in shadow.by)


def _milder(shadow: Shadow, severity: str) -> str:
    return "hint" if _only_later(shadow) else severity


def _who(by: tuple[Filter, ...]) -> str:
    names = [f"{one.action.lower()} '{one.name or one.key}'" for one in by]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def idle_hard_permits(work: Work) -> Iterator[LintFinding]:
    """Hard permits that would do as well soft."""
    for layer, order in work.orders.items():
        for one in order.idle_hard_permits():
            what = "its hardness changes nothing: no filter of a lighter sublayer in this policy blocks what it permits"
            yield finding_of("hard-permit-without-effect", what, filters=(one,), layer=layer)


def ties(work: Work) -> Iterator[LintFinding]:
    """Filters of one weight that disagree."""
    for layer, order in work.orders.items():
        yield from _ties_at(layer, order)


def _ties_at(layer: str, order: LayerOrder) -> Iterator[LintFinding]:
    partners: dict[str, list[Filter]] = {}
    firsts: dict[str, Filter] = {}
    for tie in order.ties():
        firsts[tie.first.key] = tie.first
        partners.setdefault(tie.first.key, []).append(tie.second)
    for key, others in partners.items():
        what = f"it has the weight of {_who(tuple(others))}, and both match some datagrams: which decides is open"
        yield finding_of(
            "tie", what, filters=(firsts[key],), by=tuple(others), layer=layer, fix="Give them different weights"
        )


CHECKS = [
    (shadowed, ("shadowed", "permit-overridden", "decided-above")),
    (idle_hard_permits, ("hard-permit-without-effect",)),
    (ties, ("tie",)),
]
