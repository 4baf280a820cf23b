"""The evidence report as text: findings first, then all statements, then the rules by status. ASCII only."""

from __future__ import annotations

from collections import Counter

from fsm.counts import counted
from fsm.evidence import CONFIRMED, CONTRADICTED, NEVER, NOT_SEEN, STATUSES, Report, RuleEvidence
from fsm.explain.report import ascii_safe, file_name, wrapped
from fsm.explain.statements import STATEMENTS
from fsm.explain.watching import Mark, Tally
from fsm.fact_text import fact_line

CITED = 4  # sources named with a statement; JSON has all
TITLES = {
    CONTRADICTED: "contradicted",
    CONFIRMED: "confirmed",
    NOT_SEEN: "not seen: a log could show them",
    NEVER: "could never show in such logs",
}


def evidence_text(report: Report) -> str:
    """The whole report, to stand under the account of the records."""
    parts = ["\n".join([*_head(report), *_findings(report)]), _statements(report)]
    parts += [_rules(report, status) for status in (CONTRADICTED, CONFIRMED, NOT_SEEN)]
    return "\n\n".join(part for part in [*parts, _never(report)] if part)


def _head(report: Report) -> list[str]:
    numbers = [f"{len(report.of_status(status))} {TITLES[status]}" for status in STATUSES]
    lines = [wrapped(f"Evidence of {counted(report.records, 'record')} for {counted(len(report.rules), 'rule')}: "
                     f"{', '.join(numbers)}.", "", "  ")]  # fmt: skip
    if report.evicted:
        forgotten = counted(report.evicted, "thing was", "things were")
        lines.append(wrapped(f"{forgotten} forgotten to keep to --history: numbers can be low.", "", "  "))
    return lines


def _findings(report: Report) -> list[str]:
    names = report.contradicted
    if not names:
        return ["", "Findings: no record contradicts a statement."]
    lines = ["", f"Findings: {counted(len(names), 'statement')} contradicted"]
    for name in names:
        statement, tally = STATEMENTS[name], report.tallies[name]
        lines.append(f"  {name}: {tally.supports:,} for, {tally.against:,} against" + _aside(tally))
        lines.append(wrapped(statement.text, "    claim         ", " " * 18))
        lines.append(
            wrapped(f"{statement.against}: {_examples(tally.examples['against'])}", "    contradicted  ", " " * 18)
        )
        speaks = f"option {statement.choice}" if statement.choice else "every option"
        sources = f"; sources {', '.join(statement.cite[:CITED])}" if statement.cite else ""
        lines.append(wrapped(speaks + sources, "    against       ", " " * 18))
        lines += [wrapped(fact_line(number), "    fact          ", " " * 18) for number in statement.facts]
        rules = [*statement.rules, *tally.rules]
        lines += [wrapped(ascii_safe(rule), "    rule          ", " " * 18) for rule in dict.fromkeys(rules)]
    return lines


def _statements(report: Report) -> str:
    width = max(map(len, STATEMENTS))
    lines = [f"{'statement':<{width}}  {'for':>7} {'against':>7} {'aside':>7}  counted for [facts]"]
    for name, statement in STATEMENTS.items():
        tally = report.tallies[name]
        numbers = f"{tally.supports:>7,} {tally.against:>7,} {tally.aside:>7,}"
        facts = ", ".join(statement.facts)
        lines.append(wrapped(f"{name:<{width}}  {numbers}  {statement.unit} [{facts}]", "", " " * (width + 28)))
    lines.append(f"'wfp-udp sources {next(iter(STATEMENTS.values())).facts[0]}' prints a fact with its sources.")
    return "\n".join(lines)


def _rules(report: Report, status: str) -> str:
    there = report.of_status(status)
    if not there:
        return ""
    lines = [f"Rules {TITLES[status]} ({len(there)})"]
    for one in sorted(there, key=lambda one: -one.count):
        if status == NOT_SEEN:
            lines.append(wrapped(one.rule, "  ", "      "))
            continue
        number = f"{one.count:>7,}" + (f" / {one.against:,} against" if one.against else "")
        lines.append(wrapped(f"{number}  {one.rule}  {_example(one)}", "  ", " " * 11))
    return "\n".join(lines)


def _never(report: Report) -> str:
    """By reason; the rules are in the JSON."""
    reasons: Counter[str] = Counter()
    for one in report.of_status(NEVER):
        alike = one.why.startswith("a record of it looks like")
        reasons["a record of it looks like one of another rule" if alike else one.why.split(";")[0]] += 1
    if not reasons:
        return ""
    lines = [f"Rules that {TITLES[NEVER]} ({sum(reasons.values())}; --format json names them)"]
    return "\n".join([*lines, *(wrapped(f"{n:>7}  {why}", "  ", " " * 11) for why, n in reasons.most_common())])


def _example(one: RuleEvidence) -> str:
    if one.example is None:
        return ""
    return f"(record {one.example['record']} of {file_name(str(one.example['source']))})"


def _examples(marks: list[Mark]) -> str:
    return ", ".join(f"record {mark.record} of {file_name(mark.source)}" for mark in marks)


def _aside(tally: Tally) -> str:
    return f", {tally.aside:,} set aside" if tally.aside else ""
