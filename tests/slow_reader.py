"""The third interpreter: reads the raw rows, one after the other, each time something happens.

It shares no code with `fsm.table`: from the package it takes the rows and the data of choices, stimuli and views,
and says again in its own words what standing, guards, next and refusals mean. It is slow, and short enough to be
checked by eye against DESIGN 1-3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fsm.choices import CHOICES
from fsm.names import DONE, EVIDENCE, IDLE, WINDOWS
from fsm.rows import Row
from fsm.rules import RULES, VERDICT_REFUSALS
from fsm.stimuli import STIMULI, VIEWS

VERDICT_WORDS = ("permit", "block", "absorb", "pend", "redirect", "veto")
# DESIGN 3, the order in which the voices are listened to.
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
        """As DESIGN 1 and the JSON write a state."""
        values = dict(self.registers)
        words = [values.get("socket", "NO_SOCKET")]
        if values.get("connected") == "yes":
            words.append("connected")
        if values.get("window") == "open":
            words.append("window")
        if "flow" in values:
            words.append(values["flow"])
        return "/".join(words) + (f" {self.stimulus}@{self.position}" if self.stimulus else "")


@dataclass(frozen=True)
class Moved:
    """It goes on: to where, by which row, at which layer (full name, "" where no layer sees it)."""

    to: Where
    row: str
    layer: str


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

    def stands(self, row: Row) -> bool:
        """Whether the row is there at all: scope, Windows, choices."""
        order = list(WINDOWS)
        if row.scope not in self.view.scopes:
            return False
        if order.index(self.windows) < order.index(row.since):
            return False
        if row.until and order.index(self.windows) > order.index(row.until):
            return False
        return all(self.chosen[name] in options for name, options in row.choices)

    def start(self) -> Where:
        first = {"socket": "UNBOUND", "connected": "no", "window": "closed", "flow": "NONE"}
        return Where(tuple((name, first[name]) for name in self.view.registers))

    def events(self) -> list[str]:
        return [*self.view.stimuli, *VERDICT_WORDS]

    def fitting(self, where: Where, event: str) -> list[Row]:
        """The rows for this cell: none or one, if the table is sound."""
        in_progress = where.stimulus or event
        asked = {**dict(where.registers), "stimulus": in_progress}
        if in_progress in STIMULI:
            asked.update(STIMULI[in_progress].attributes)
        return [
            row
            for row in self.rows
            if row.at == where.position
            and row.event == event
            and all(asked.get(name, "") in allowed for name, allowed in row.when)
        ]

    def layer(self, where: Where) -> str:
        """The layer that waits for a verdict: the one that the rows of the position name."""
        if where.position == IDLE:
            return ""
        names = {self.full_name(row) for event in VERDICT_WORDS for row in self.fitting(where, event)}
        assert len(names) == 1, (where, names)
        return names.pop()

    def full_name(self, row: Row) -> str:
        if row.layer is None:
            return ""
        version = f"_V{row.ip if row.ip else self.ip}"
        if row.layer.endswith("_DISCARD"):
            return "FWPM_LAYER_" + row.layer[: -len("_DISCARD")] + version + "_DISCARD"
        return "FWPM_LAYER_" + row.layer + version

    def answer(self, where: Where, event: str) -> Moved | Refused:
        """What happens on this event here."""
        rows = self.fitting(where, event)
        assert len(rows) <= 1, (where, event, [row.key for row in rows])
        if not rows:
            return self.refusal(where, event)
        row = rows[0]
        registers = tuple((name, dict(row.sets).get(name, value)) for name, value in where.registers)
        if row.next == DONE:
            return Moved(Where(registers), row.key, self.full_name(row))
        return Moved(Where(registers, where.stimulus or event, row.next), row.key, self.full_name(row))

    def refusal(self, where: Where, event: str) -> Refused:
        """What the reason must mention."""
        layer = self.layer(where)
        if event in VERDICT_WORDS:
            if not layer:
                return Refused(("no layer",))
            stem = layer.removeprefix("FWPM_LAYER_").replace(f"_V{self.ip}", "")
            for refusal in VERDICT_REFUSALS:
                listed = stem in refusal.layers or ("*_DISCARD" in refusal.layers and stem.endswith("_DISCARD"))
                if listed and refusal.verdict == event:
                    return Refused((layer, refusal.why, *refusal.cite))
            return Refused((layer,))
        if layer:
            return Refused((where.stimulus, layer))
        wanted = [row for row in self.rows if row.at == IDLE and row.event == event]
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

    def reachable(self) -> Iterator[Where]:
        """Every place that can be reached from the start."""
        seen, waiting = {self.start()}, [self.start()]
        while waiting:
            where = waiting.pop()
            yield where
            for event in self.events():
                answer = self.answer(where, event)
                if isinstance(answer, Moved) and answer.to not in seen:
                    seen.add(answer.to)
                    waiting.append(answer.to)
