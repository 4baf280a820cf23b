"""The third interpreter: reads the raw rows, one after the other, each time something happens.

It shares no code with `fsm.table`: from the package it takes the rows and the data of choices, stimuli and views,
and says again in its own words what standing, guards, next, flags and refusals mean. It is slow, and short enough to
be checked by eye against the docstrings of `fsm.rows` and `fsm.choices`. The rows are sorted once by where they stand
and what they wait for; nothing else is prepared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fsm.choices import CHOICES
from fsm.names import DONE, EVIDENCE, IDLE, WINDOWS
from fsm.rows import Row
from fsm.rules import FLAG_WINDOWS, RULES, SETTING_FLAGS, VERDICT_REFUSALS
from fsm.stimuli import STIMULI, VIEWS

VERDICT_WORDS = ("permit", "block", "absorb", "pend", "redirect", "veto")
# The order in which the voices are listened to; written out again, to share nothing.
VOICES = {
    "base": ["base", "microsoft", "logs", "inference", "minor"],
    "documented": ["microsoft", "base", "logs", "inference", "minor"],
    "observed": ["logs", "microsoft", "base", "inference", "minor"],
}
assert tuple(VOICES) == EVIDENCE


@dataclass(frozen=True)
class Where:
    """Register values in the order of the view, the stimulus in progress ("" for none), and the position."""

    registers: tuple[tuple[str, str], ...]
    stimulus: str = ""
    position: str = IDLE

    def name(self) -> str:
        """As the JSON writes a state."""
        values = dict(self.registers)
        words = [values.get("socket", "NO_SOCKET")]
        words += {"no": [], "this": ["connected"], "other": ["connected_other"]}[values.get("connected", "no")]
        words += {
            "closed": [], "open": ["window"],
            "redirect_pended": ["group_redirect_pended"], "pended": ["group_pended"],
        }[values.get("window", "closed")]  # fmt: skip
        if "flow" in values:
            words.append(values["flow"])
        return "/".join(words) + (f" {self.stimulus}@{self.position}" if self.stimulus else "")


@dataclass(frozen=True)
class Moved:
    """It goes on: to where, by which row, at which layer (full name, "" where no layer sees it), with which flags."""

    to: Where
    row: str
    layer: str
    flags: frozenset[str]


@dataclass(frozen=True)
class Refused:
    """It is not possible, and these words must stand in the reason."""

    words: tuple[str, ...]


class SlowReader:
    """One view in one configuration; `assumed` overrides what the order of preference chooses."""

    def __init__(self, view: str, *, ip: int, windows: str, evidence: str, assumed: Mapping[str, str]) -> None:
        self.view, self.ip, self.windows = VIEWS[view], ip, windows
        self.chosen = {}
        for name, choice in CHOICES.items():
            if name in assumed:
                self.chosen[name] = assumed[name]
            elif choice.kind == "setting":
                self.chosen[name] = choice.options[0].name
            else:
                spoken = [o.name for voice in VOICES[evidence] for o in choice.options if voice in o.voices]
                self.chosen[name] = spoken[0]
        self.rows = [row for row in RULES if self.stands(row)]

    @property
    def rows(self) -> list[Row]:
        """The rows that stand, in the order in which they are written."""
        return self._rows

    @rows.setter
    def rows(self, rows: list[Row]) -> None:
        self._rows = rows
        self._at: dict[str, dict[str, list[Row]]] = {}
        for row in rows:
            self._at.setdefault(row.at, {}).setdefault(row.event, []).append(row)
        self._flags = {row.key: self.flags(row) for row in rows}

    def stands(self, row: Row) -> bool:
        """Whether the row is there at all: scope, Windows, choices."""
        if row.scope not in self.view.scopes or not self.between(row.since, row.until):
            return False
        return all(self.chosen[name] in options for name, options in row.choices)

    def between(self, since: str, until: str) -> bool:
        """Whether this Windows is not older than `since` and not newer than `until` ("" for no end)."""
        here = WINDOWS.index(self.windows)
        return WINDOWS.index(since) <= here and (not until or here <= WINDOWS.index(until))

    def start(self) -> Where:
        first = {"socket": "UNBOUND", "connected": "no", "window": "closed", "flow": "NONE"}
        return Where(tuple((name, first[name]) for name in self.view.registers))

    def events(self) -> list[str]:
        return [*self.view.stimuli, *VERDICT_WORDS]

    def fitting(self, where: Where, event: str) -> list[Row]:
        """The rows for this cell: none or one, if the table is sound."""
        rows = self._at.get(where.position, {}).get(event)
        if not rows:
            return []
        in_progress = where.stimulus or event
        asked = {**dict(where.registers), "stimulus": in_progress}
        if in_progress in STIMULI:
            asked.update(STIMULI[in_progress].attributes)
        return [row for row in rows if all(asked.get(name, "") in allowed for name, allowed in row.when)]

    def classify(self, where: Where) -> tuple[str, frozenset[str]]:
        """The layer that waits for a verdict, and its flags: those that the rows of the position name."""
        if where.position == IDLE:
            return "", frozenset()
        here = {(self.full_name(row), self._flags[row.key]) for v in VERDICT_WORDS for row in self.fitting(where, v)}
        assert len(here) == 1, (where, here)
        return here.pop()

    def full_name(self, row: Row) -> str:
        if row.layer is None:
            return ""
        version = f"_V{row.ip if row.ip else self.ip}"
        if row.layer.endswith("_DISCARD"):
            return "FWPM_LAYER_" + row.layer[: -len("_DISCARD")] + version + "_DISCARD"
        return "FWPM_LAYER_" + row.layer + version

    def flags(self, row: Row) -> frozenset[str]:
        """The row's own flags and those of the settings, without those that this Windows does not have."""
        if row.layer is None:
            return frozenset()
        flags = set(row.flags)
        for setting in SETTING_FLAGS:
            of_twin = row.layer.endswith("_DISCARD") and row.layer[: -len("_DISCARD")] in setting.layers
            here = WINDOWS.index(setting.since) <= WINDOWS.index(self.windows)
            if self.chosen[setting.choice] == setting.option and here and (of_twin or row.layer in setting.layers):
                flags.add(setting.flag)
        return frozenset(f for f in flags if f not in FLAG_WINDOWS or self.between(*FLAG_WINDOWS[f]))

    def answers(self, where: Where) -> dict[str, Moved | Refused]:
        """What happens here on each event."""
        layer, flags = self.classify(where)
        answers: dict[str, Moved | Refused] = {}
        here = self._at[where.position]
        for event in self.events():
            rows = self.fitting(where, event) if event in here else []
            assert len(rows) <= 1, (where, event, [row.key for row in rows])
            answers[event] = self.moved(where, event, rows[0]) if rows else self.refusal(where, event, layer, flags)
        return answers

    def moved(self, where: Where, event: str, row: Row) -> Moved:
        """Where the row leads to."""
        sets = dict(row.sets)
        registers = tuple((name, sets.get(name, value)) for name, value in where.registers)
        to = Where(registers) if row.next == DONE else Where(registers, where.stimulus or event, row.next)
        return Moved(to, row.key, self.full_name(row), self._flags[row.key])

    def refusal(self, where: Where, event: str, layer: str, flags: frozenset[str]) -> Refused:
        """What the reason must mention."""
        if event not in VERDICT_WORDS:
            return Refused((where.stimulus, layer)) if layer else self.stimulus_refusal(where, event)
        if not layer:
            return Refused(("no layer",))
        stem = layer.removeprefix("FWPM_LAYER_").replace("_V4", "").replace("_V6", "")
        for refusal in VERDICT_REFUSALS:
            listed = stem in refusal.layers or ("*_DISCARD" in refusal.layers and stem.endswith("_DISCARD"))
            if listed and refusal.verdict == event and (refusal.flag in flags if refusal.flag else True):
                return Refused((layer, refusal.why, *refusal.cite))
        return Refused((layer,))

    def stimulus_refusal(self, where: Where, event: str) -> Refused:
        """The same when nothing is in progress."""
        wanted = self._at[IDLE].get(event, [])
        if not wanted:
            return Refused((f"Windows {self.windows}",))
        # Some register that a row asks for has another value here: the reason names one such register and its value.
        registers = dict(where.registers)
        wrong = {
            f"{name} {registers[name]}"
            for row in wanted
            for name, allowed in row.when
            if name in registers and registers[name] not in allowed
        }
        assert wrong, (where, event)
        return Refused(("it needs", "|".join(sorted(wrong))))

    def reachable(self) -> Iterator[tuple[Where, dict[str, Moved | Refused]]]:
        """Every place that can be reached from the start, with what happens there on each event."""
        seen, waiting = {self.start()}, [self.start()]
        while waiting:
            where = waiting.pop()
            answers = self.answers(where)
            yield where, answers
            for answer in answers.values():
                if isinstance(answer, Moved) and answer.to not in seen:
                    seen.add(answer.to)
                    waiting.append(answer.to)
