"""What a log comes to: incidents by code with an example each, counts for pictures, and what the log cannot show.

Counts of many different peers are kept for the first `DIFFERENT` only, so that a port scan does not fill the memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fsm.explain.codes import CODES
from fsm.explain.explained import Explained
from fsm.explain.explainer import Account
from fsm.explain.wording import CONNECTION, PACKET_DROP

DIFFERENT = 1_000
GUID_PACKET_DROP = PACKET_DROP.split()[-1]
GUID_CONNECTION = CONNECTION.split()[-1]

_RANK = {"certain": 0, "likely": 1, "possible": 2}


@dataclass(slots=True)
class Group:
    """The incidents of one code."""

    code: str
    count: int = 0
    records: int = 0
    example: Explained | None = None  # the first of the most certain ones
    confidence: Counter[str] = field(default_factory=Counter)
    peers: Counter[str] = field(default_factory=Counter)
    programs: Counter[str] = field(default_factory=Counter)
    more_peers: bool = False

    def add(self, explained: Explained) -> None:
        self.records += 1
        if self.example is None or _RANK[explained.confidence] < _RANK[self.example.confidence]:
            self.example = explained
        if not explained.counts:
            return
        self.count += 1
        self.confidence[explained.confidence] += 1
        self.more_peers |= _count(self.peers, explained.peer)
        _count(self.programs, explained.program)

    def json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "title": CODES[self.code].title,
            "count": self.count,
            "records": self.records,
            "confidence": {name: self.confidence[name] for name in _RANK if self.confidence[name]},
            "peers": [{"address": address, "count": n} for address, n in self.top_peers()],
            "programs": [{"program": program, "count": n} for program, n in top(self.programs)],
            "example": self.example.json if self.example else None,
        }

    def top_peers(self) -> list[tuple[str, int]]:
        return top(self.peers)


class Summary:
    """Collects explanations as they come: `for e in explainer.run(items): summary.add(e)`.

    `by_row` and `by_layer` count incidents on the rows of the machine and on layer run-time ids, for pictures.
    `also` is given each explanation too.
    """

    def __init__(self, also: Callable[[Explained], None] | None = None) -> None:
        self._also = also
        self._groups: dict[str, Group] = {}
        self.by_row: Counter[str] = Counter()
        self.by_layer: Counter[int] = Counter()
        self.absent: Counter[str] = Counter()
        self.dropped = 0  # incidents that were not allowed

    def add(self, explained: Explained) -> None:
        if self._also is not None:
            self._also(explained)
        self._groups.setdefault(explained.code, Group(explained.code)).add(explained)
        if not explained.counts:
            return
        if explained.rule:
            self.by_row[explained.rule] += 1
        if explained.runtime_id is not None:
            self.by_layer[explained.runtime_id] += 1
        self.dropped += explained.verdict != "permit"
        for missing in explained.absent:
            self.absent[missing[:4]] += 1

    def groups(self) -> list[Group]:
        """In the order of the codes: what was dropped first, what was allowed last."""
        return [self._groups[code] for code in CODES if code in self._groups]

    def notes(self, account: Account) -> list[str]:
        """What this log cannot show, and how it was read, where that matters."""
        return [*self._audit_notes(account), *_reading_notes(account)]

    def _audit_notes(self, account: Account) -> list[str]:
        ids, notes = account.event_ids, []
        if self.dropped and not (ids[5156] or ids[5158]) and (ids[5152] or ids[5157]):
            notes.append(
                "The log has no 5156 or 5158, so a drop cannot be recognised as the answer to an own query. Switch on "
                f"success auditing of Filtering Platform {CONNECTION}: "
                f"auditpol /set /subcategory:{GUID_CONNECTION} /success:enable /failure:enable"
            )
        if self.absent["5152"] and ids[5157] and not ids[5152]:
            notes.append(
                "Refused flows (5157) have no 5152 beside them: packet-drop auditing was off, so drops at the packet "
                f"layers are missing. auditpol /set /subcategory:{GUID_PACKET_DROP} /success:enable /failure:enable"
            )
        if self.absent["5157"] and not ids[5157]:
            notes.append(
                "Refused packets (5152) have no 5157 beside them: failure auditing of connections was off. "
                f"auditpol /set /subcategory:{GUID_CONNECTION} /failure:enable"
            )
        return notes


def _reading_notes(account: Account) -> list[str]:
    notes = []
    if account.newest_first:
        notes.append(f"Newest first, turned round to read it: {', '.join(account.newest_first)}.")
    if account.newest_first_incomplete:
        notes.append(
            f"Too long to turn round as a whole: {', '.join(account.newest_first_incomplete)}. Export it oldest "
            "first, or give a larger --history."
        )
    if account.out_of_order > 0:
        notes.append(f"Records that are older than the one before them by more than a second: {account.out_of_order}. "
                     "Give several files of a host in the order of time.")  # fmt: skip
    if account.evicted:
        forgotten = "1 tuple was" if account.evicted == 1 else f"{account.evicted} tuples were"
        notes.append(
            f"{forgotten} forgotten to keep to --history {account.history_limit} per host: older queries could not be "
            "found again."
        )
    if account.repeats:
        were = (
            "1 record was given twice and is"
            if account.repeats == 1
            else f"{account.repeats} records were given twice and are"
        )
        notes.append(f"{were} counted once.")
    return notes


def top(counter: Counter[str]) -> list[tuple[str, int]]:
    """The three most frequent, ties in order of appearance."""
    return counter.most_common(3)


def _count(counter: Counter[str], key: str | None) -> bool:
    """Count, unless there are too many different ones; whether one was left out."""
    if key is None:
        return False
    if key not in counter and len(counter) >= DIFFERENT:
        return True
    counter[key] += 1
    return False
