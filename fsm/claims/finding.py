"""What a claim comes to: holds, refuted or unknown, with the run that shows it and a text to read. Values only."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Verdict = Literal["holds", "refuted", "unknown"]
HOLDS: Final = "holds"
REFUTED: Final = "refuted"
UNKNOWN: Final = "unknown"
_SHOWN = 180  # characters of a claim in a repr


class Undecided(AssertionError):
    """A finding that is unknown was taken for true or false. The text is the whole message of the finding."""


WIDTH = 110  # of the lines of a text, in columns
COMMANDS = ("token", "draw")  # the headings of what is copied into a shell, each line as it stands


def folded(line: str) -> str:
    """A line of a text in lines of at most `WIDTH` columns, where its words allow it."""
    begin = line[: len(line) - len(line.lstrip())]
    more = f"{begin}    " if begin else " " * 8
    return textwrap.fill(
        line.strip(),
        WIDTH,
        initial_indent=begin,
        subsequent_indent=more,
        break_long_words=False,
        break_on_hyphens=False,
    )


@dataclass(frozen=True, slots=True)
class Part:
    """One paragraph of the text: its heading, and its lines."""

    heading: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        if len(self.lines) == 1:
            lines = [f"{self.heading}: {self.lines[0]}"]
        else:
            lines = [f"{self.heading}:", *(f"    {line}" for line in self.lines)]
        return "\n".join(lines if self.heading in COMMANDS else map(folded, lines))


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to a claim.

    `witness` is a run from the start as moves that the stepper takes (stimuli, verdicts, `wait:N`; in a session the
    labels of moves): the run that shows that the claim holds, or the counterexample; empty where there is none to
    show. `cause` names in one word why. `token` is the share token of the witness, "" where there is no witness.
    As a truth value, a finding that holds is true and one that is refuted false. One that is unknown (a limit was hit)
    is neither: it raises `Undecided`, so that neither `assert claim` nor `assert not claim` passes by it; where it was
    allowed (`allow_unknown`) it is true.
    """

    verdict: Verdict
    claim: str
    cause: str
    parts: tuple[Part, ...]
    witness: tuple[str, ...] = ()
    token: str = ""
    allow_unknown: bool = False

    def __bool__(self) -> bool:
        __tracebackhide__ = True
        if self.verdict == UNKNOWN and not self.allow_unknown:
            raise Undecided(self.message)
        return self.verdict != REFUTED

    @property
    def message(self) -> str:
        """The whole text: the claim, and a paragraph for each part."""
        return "\n".join((f"{self.verdict}: {self.claim}", *map(str, self.parts)))

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        # A test runner shows the value of a failed `assert reaches(...)` in one line, and cuts a long one.
        claim, half = self.claim, _SHOWN // 2
        return f"<{self.verdict}: {claim if len(claim) <= _SHOWN else claim[:half] + '...' + claim[-half:]}>"

    def part(self, heading: str) -> Part | None:
        """The paragraph with this heading, or None."""
        return next((part for part in self.parts if part.heading == heading), None)

    def require(self) -> Finding:
        """Itself where the claim holds, or is unknown and that was allowed.

        Raises
        ------
        AssertionError : with the whole text, otherwise; `Undecided` where it is unknown.
        """
        __tracebackhide__ = True
        if self.verdict == HOLDS or (self.verdict == UNKNOWN and self.allow_unknown):
            return self
        raise (Undecided if self.verdict == UNKNOWN else AssertionError)(self.message)


def told_whole(text: str, values: Iterable[object]) -> str:
    """What a test runner says of a failed assertion, with the whole text of each finding that it shows in one line.

    Parameters
    ----------
    text : what it says: a text of the test's own, and the asserted expression with the values in it.
    values : the values of the frame; the findings among them are looked for in the text.
    """
    findings = {repr(value): value.message for value in values if isinstance(value, Finding)}
    for shown, message in findings.items():
        # The finding is all that was asserted: its text says more than where its value comes from.
        alone = re.compile(rf"(\A|\n)assert (?:not )?{re.escape(shown)}(?:\n.*)?\Z", re.S)
        whole = alone.search(text)
        if whole:
            text = f"{text[: whole.start()]}{whole[1]}{message}"
        elif shown in text:
            text = f"{text}\n{message}"
    return text
