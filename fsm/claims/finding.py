"""What a claim comes to: holds, refuted or unknown, with the run that shows it and a text to read. Values only."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Final, Literal

Verdict = Literal["holds", "refuted", "unknown"]
HOLDS: Final = "holds"
REFUTED: Final = "refuted"
UNKNOWN: Final = "unknown"

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
    Only a finding that holds is true; "unknown" (a limit was hit) is false, and fails unless it was allowed.
    """

    verdict: Verdict
    claim: str
    cause: str
    parts: tuple[Part, ...]
    witness: tuple[str, ...] = ()
    token: str = ""
    allow_unknown: bool = False

    def __bool__(self) -> bool:
        return self.verdict == HOLDS

    @property
    def message(self) -> str:
        """The whole text: the claim, and a paragraph for each part."""
        return "\n".join((f"{self.verdict}: {self.claim}", *map(str, self.parts)))

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        # A test runner prints the value of a failed `assert reaches(...)`: this is what is read there.
        return self.message

    def part(self, heading: str) -> Part | None:
        """The paragraph with this heading, or None."""
        return next((part for part in self.parts if part.heading == heading), None)

    def require(self) -> Finding:
        """Itself where the claim holds, or is unknown and that was allowed.

        Raises
        ------
        AssertionError : with the whole text, otherwise.
        """
        __tracebackhide__ = True
        if self.verdict == HOLDS or (self.verdict == UNKNOWN and self.allow_unknown):
            return self
        raise AssertionError(self.message)
