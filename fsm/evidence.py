"""Which rules a recorded log confirms, contradicts, or could never show.

A record confirms the rule that it is placed on. What several records show together is counted by the statements of
`fsm.explain.statements`. A log can also be silent, for a reason that is said: most steps leave no record at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fsm.choices import Config
from fsm.explain.explained import Explained
from fsm.explain.history import DEFAULT_LIMIT
from fsm.explain.statements import STATEMENTS
from fsm.explain.watching import Mark, Tally, Watch
from fsm.fact_text import fact_json
from fsm.names import WINDOWS, Verdict
from fsm.rows import Row
from fsm.rules import RULES
from fsm.stimuli import POSITIONS

CONTRADICTED, CONFIRMED, NOT_SEEN, NEVER = "contradicted", "confirmed", "not_seen", "could_never_show"
STATUSES = (CONTRADICTED, CONFIRMED, NOT_SEEN, NEVER)
NO_LAYER = "no layer is asked, so nothing can be recorded"

# Where a record is placed only if no other row fits: it does not tell that it belongs there.
_UNLIKELY = ("_redirected", ".reclassify", ".reaccept", ".reconnect", "connected_discard")


@dataclass(frozen=True, slots=True)
class RuleEvidence:
    """What a log says of one rule. `count` is of records that show it, `against` of records that contradict it."""

    rule: str
    status: str
    count: int
    against: int
    example: dict[str, str | int] | None
    why: str

    def json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("rule", "status", "count", "against", "example", "why")}


@dataclass(frozen=True, slots=True)
class Report:
    """All rules and all statements, in table order."""

    rules: tuple[RuleEvidence, ...]
    tallies: Mapping[str, Tally]
    records: int
    evicted: int
    layers: Mapping[int, int]

    @property
    def counts(self) -> dict[str, int]:
        """Records by rule, for a picture."""
        return {one.rule: one.count for one in self.rules if one.count}

    def of_status(self, status: str) -> list[RuleEvidence]:
        return [one for one in self.rules if one.status == status]

    @property
    def contradicted(self) -> list[str]:
        """Names of the statements that a record speaks against."""
        return [name for name, tally in self.tallies.items() if tally.against]

    def json(self) -> dict[str, Any]:
        statements = [_statement_json(name, self.tallies[name]) for name in STATEMENTS]
        heard = [one for one in statements if one["supports"] or one["against"]]
        return {
            "rules": [one.json() for one in self.rules],
            "statements": statements,
            "totals": {
                "records": self.records,
                "rules": {status: len(self.of_status(status)) for status in STATUSES},
                "statements": {
                    "contradicted": len(self.contradicted),
                    "supported": len(heard) - len(self.contradicted),
                    "not_seen": len(statements) - len(heard),
                },
                "evicted": self.evicted,
            },
        }


class Evidence:
    """Collects: `for e in explainer.run(items): evidence.add(e)`, then `report()` once.

    Parameters
    ----------
    limit : things of each kind remembered per host.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._watch = Watch(limit)
        self._counts: Counter[str] = Counter()
        self._layers: Counter[int] = Counter()
        self._first: dict[str, Mark] = {}
        self._records = 0

    def add(self, explained: Explained) -> None:
        """Take one record; one that was given twice counts once."""
        if explained.draft.is_repeat:
            return
        self._records += 1
        self._watch.add(explained)
        if explained.runtime_id is not None:
            self._layers[explained.runtime_id] += 1
        if explained.rule:
            self._counts[explained.rule] += 1
            self._first.setdefault(explained.rule, Mark.of(explained.draft))

    def report(self) -> Report:
        tallies = self._watch.tallies()
        shown, first = Counter(self._counts), dict(self._first)
        against: dict[str, list[tuple[str, int]]] = {}
        for name, statement in STATEMENTS.items():
            tally = tallies[name]
            for keys, side, number in (
                (statement.confirms, "supports", tally.supports),
                (statement.instead, "against", tally.against),
            ):
                for key in keys if number else ():
                    shown[key] += number
                    first.setdefault(key, tally.examples[side][0])
            for key in statement.rules if tally.against else ():
                against.setdefault(key, []).append((name, tally.against))
            for key, number in tally.rules.items():
                against.setdefault(key, []).append((name, number))
        rules = tuple(_rule(row, shown, against.get(row.key, []), first, tallies) for row in RULES)
        return Report(rules, tallies, self._records, self._watch.evicted, dict(sorted(self._layers.items())))


def _rule(
    row: Row,
    shown: Mapping[str, int],
    against: list[tuple[str, int]],
    first: Mapping[str, Mark],
    tallies: Mapping[str, Tally],
) -> RuleEvidence:
    key = row.key
    example = first[key].json() if key in first else None
    if against:
        why = "; ".join(f"{name}: {STATEMENTS[name].against} ({number})" for name, number in against)
        marks = (tallies[name].examples["against"] for name, _ in against)
        example = next((found[0].json() for found in marks if found), example)
        return RuleEvidence(key, CONTRADICTED, shown[key], sum(n for _, n in against), example, why)
    if shown.get(key):
        return RuleEvidence(key, CONFIRMED, shown[key], 0, example, "")
    why = _silence(row)
    if not why:
        return RuleEvidence(key, NOT_SEEN, 0, 0, None, "a log could show it; no record here does")
    agreed = [f"{s.name} ({tallies[s.name].supports} agree)" for s in STATEMENTS.values() if key in s.rules]
    if agreed:
        why += f"; records could contradict it, and none does: {', '.join(agreed)}"
    return RuleEvidence(key, NEVER, 0, 0, None, why)


def _silence(row: Row) -> str:
    """Why no log can show this row; "" where one can."""
    if row.layer is None:
        return NO_LAYER
    if row.event == Verdict.ABSORB:
        return "an absorbed packet leaves no audit event"
    if row.event in (Verdict.PEND, Verdict.REDIRECT):
        return f"a {row.event} is not audited: events tell of permit and block only"
    if row.logged:
        twin = LOOKS_LIKE.get(row.key)
        return f"a record of it looks like one of {twin}" if twin else ""
    if row.layer.endswith("_DISCARD"):
        return "the discard layer is asked after the verdict, and only a block there is audited"
    if row.event == Verdict.BLOCK:
        return "no event is known for a block at this layer"
    return "a permit at this layer is not audited"


def _looks(row: Row) -> tuple[object, ...]:
    """What a record would show of this row: equal for rows that a log cannot tell apart."""
    assert row.layer is not None
    again = "IS_REAUTHORIZE" in row.flags and not row.at.startswith("receive.group")
    kind = "completed" if again and "complete" in row.at else "again" if again else ""
    # A drop that no socket takes looks the same whatever made the stack look for one.
    if row.at in ("drop.transport_discard", "receive.connected_discard"):
        return (row.layer, row.event, ("to", ("group",)) in row.when)
    settings: tuple[object, ...] = tuple(c for c in row.choices if c[0] == "protocol" and "udp" not in c[1])
    if row.at.startswith("bind."):  # a repeated bind looks like a first one
        settings = (row.ip, dict(row.choices).get("dual_stack", ("no",)))
    way = POSITIONS[row.at].packet_direction if row.layer == "DATAGRAM_DATA" else ""
    return (row.layer, row.event, "group" in row.at, kind, settings, way)


def _lookalikes() -> dict[str, str]:
    """For each row that can be recorded, the row on which such a record is placed, where that is another one."""
    config = Config(evidence="observed")

    def rank(item: tuple[int, Row]) -> tuple[bool, bool, bool, int]:
        number, row = item
        chosen = all(config.choice(name) in options for name, options in row.choices)
        stimulus = dict(row.when).get("stimulus", ("bind",))
        old = not row.on_windows(WINDOWS[-1])
        return (old, not chosen or row.at.endswith(_UNLIKELY), "bind" not in stimulus, number)

    found: dict[tuple[object, ...], str] = {}
    for _, row in sorted(enumerate(RULES), key=rank):
        if row.logged:
            found.setdefault(_looks(row), row.key)
    return {row.key: found[_looks(row)] for row in RULES if row.logged and found[_looks(row)] != row.key}


def _statement_json(name: str, tally: Tally) -> dict[str, Any]:
    statement = STATEMENTS[name]
    return {
        "statement": name,
        "text": statement.text,
        "cite": list(statement.cite),
        "facts": [fact_json(number) for number in statement.facts],
        "supports": tally.supports,
        "against": tally.against,
        "set_aside": tally.aside,
        "unit": statement.unit,
        "contradicted_by": statement.against,
        "rules": list(dict.fromkeys((*statement.rules, *tally.rules))),
        "choice": statement.choice,
        "examples": [
            {**mark.json(), "speaks": {"supports": "for", "against": "against", "aside": "aside"}[side]}
            for side in ("against", "aside", "supports")
            for mark in tally.examples[side]
        ],
    }


LOOKS_LIKE: dict[str, str] = _lookalikes()
