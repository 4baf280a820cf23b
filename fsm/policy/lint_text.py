"""A lint report as text for people: rule by rule, the gravest first. ASCII only."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from fsm.counts import counted
from fsm.policy.lint import LintReport
from fsm.policy.lint_finding import LintFinding
from fsm.policy.lint_rules import RULES, SEVERITIES
from fsm.policy.model import Filter
from fsm.policy.well_known import spelled_key

WIDTH = 100
SHOWN = 12  # findings of one rule, and filters of one finding, before "and N more"


def lint_text(report: LintReport, *, everything: bool = False) -> str:
    """The report for people.

    Parameters
    ----------
    everything : every finding and filter, not the first SHOWN of each rule.
    """
    counts = ", ".join(counted(report.count(severity), severity) for severity in SEVERITIES)
    lines = [ascii_text(report.policy.source or "policy")]
    lines.append(f"{counted(len(report.policy.filters), 'filter')}, Windows {report.windows}: {counts}")
    grouped: dict[tuple[str, str], list[LintFinding]] = {}
    for finding in report.findings:
        grouped.setdefault((finding.severity, finding.rule), []).append(finding)
    names = {spelled_key(one.key): one.name for one in report.policy.sublayers}
    for (severity, rule), findings in grouped.items():
        lines += ["", *_wrapped(f"{severity}: {RULES[rule].title} [{rule}]", "", "  ")]
        lines += _wrapped(f"{RULES[rule].why}. ({', '.join(_cite(rule, findings))})", "  ", "  ")
        shown = findings if everything else findings[:SHOWN]
        for finding in shown:
            lines += _finding_lines(finding, names, everything)
        if len(findings) > len(shown):
            lines.append(f"  - and {len(findings) - len(shown)} more (--all shows them)")
    lines += list(_accounts(report))
    return "\n".join(map(ascii_text, lines))


def _cite(rule: str, findings: list[LintFinding]) -> list[str]:
    return list(dict.fromkeys(key for finding in findings for key in (finding.cite or RULES[rule].cite)))


def _finding_lines(finding: LintFinding, names: dict[str, str], everything: bool) -> Iterator[str]:
    at = finding.layer.removeprefix("FWPM_LAYER_")
    head = f"{at}: " if at else ""
    if len(finding.filters) == 1:
        head += f"{_filter_text(finding.filters[0], names)}: "
    yield from _wrapped(f"- {head}{ascii_text(finding.what)}", "  ", "    ")
    if len(finding.filters) > 1:
        yield from _listed("filters", finding.filters, names, everything)
    if finding.by:
        yield from _listed("by", finding.by, names, everything)
    if finding.fix:
        yield from _wrapped(f"fix: {ascii_text(finding.fix)}", "    ", "      ")


def _listed(word: str, filters: tuple[Filter, ...], names: dict[str, str], everything: bool) -> Iterator[str]:
    shown = filters if everything else filters[:SHOWN]
    more = f"; and {len(filters) - len(shown)} more" if len(filters) > len(shown) else ""
    yield from _wrapped(f"{word}: {'; '.join(_filter_text(one, names) for one in shown)}{more}", "    ", "      ")


def _filter_text(one: Filter, names: dict[str, str]) -> str:
    """`permit 'Allow DNS' (id 71234, sublayer MPSSVC_WF, line 812)`."""
    action = one.action.lower() + (" (hard)" if "CLEAR_ACTION_RIGHT" in one.flags and one.action == "PERMIT" else "")
    key = spelled_key(one.sublayer)
    sublayer = key.removeprefix("FWPM_SUBLAYER_") if key.startswith("FWPM_") else names.get(key, key)
    place = one.source.rpartition(", ")[2] if ", line " in one.source else ""
    told = [
        f"id {one.filter_id}" if one.filter_id is not None else "",
        f"sublayer {sublayer}" if sublayer else "",
        place,
    ]
    return ascii_text(f"{action} '{_clipped(one.name or one.key)}' ({', '.join(filter(None, told))})")


def _accounts(report: LintReport) -> Iterator[str]:
    yield ""
    if not report.findings:
        yield "Nothing found."
    if report.undecided:
        yield from _wrapped(
            f"Not worked out: the order of {counted(len(report.undecided), 'filter')} with too many alternatives; "
            "--format json lists them.",
            "",
            "  ",
        )
    if report.unordered:
        yield from _wrapped(
            f"Not listed, so of unknown weight: {counted(len(report.unordered), 'sublayer')}; nothing is said across "
            "sublayers at their layers. A state dump lists them.",
            "",
            "  ",
        )
    if report.not_in_force:
        yield from _wrapped(
            f"Left out of the order: {counted(len(report.not_in_force), 'filter')} not in force "
            f"({_reasons(report)}).",
            "",
            "  ",
        )  # fmt: skip
    yield f"{counted(len(report.asked), 'rule')} asked. Exit status 1 where there are errors, else 0."


def _reasons(report: LintReport) -> str:
    words: dict[str, int] = {}
    for _, why in report.not_in_force:
        said = "boot-time" if "boot-time filter" in why else "disabled" if "disabled" in why else why
        words[said] = words.get(said, 0) + 1
    return ", ".join(f"{number} {said}" for said, number in words.items())


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
    )


def _clipped(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def ascii_text(text: str) -> str:
    """Names are of any language: what is not ASCII is escaped, so that every pipe takes it."""
    return "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode() for c in text)


def rules_text(form: str) -> str:
    """All rules, as text or as JSON."""
    if form == "json":
        import json

        names = ("id", "severity", "title", "why", "cite")
        return json.dumps(
            {"rules": [{name: getattr(rule, name) for name in names} for rule in RULES.values()]}, indent=2
        )
    lines: list[str] = []
    for rule in RULES.values():
        lines += [f"{rule.id} ({rule.severity})", *_wrapped(f"{rule.title}.", "  ", "  ")]
        lines += _wrapped(f"{rule.why}. ({', '.join(rule.cite)})", "  ", "  ")
    return "\n".join(lines)
