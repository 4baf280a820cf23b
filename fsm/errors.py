"""What can go wrong for a user, as one line: where, what, nearest valid or allowed, how to fix.

The command line prints `str(error)` and exits with `error.exit_status`; any other exception is a bug and
shows its traceback. The parts stay attributes, so that tests and programs need not take the text apart.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FsmError(Exception):
    """A mistake in what was given, not in this package.

    Parameters
    ----------
    where : the file and line, option, step or object the mistake is in.
    what : what is wrong there, with the value given.
    nearest : the nearest valid value, or what is allowed; empty when there is none to name.
    fix : what to do about it; empty when `nearest` says it.
    """

    exit_status = 2

    def __init__(self, where: str, what: str, nearest: str = "", fix: str = "") -> None:
        where, what = _clipped(where), _clipped(what)
        self.where, self.what, self.nearest, self.fix = where, what, nearest, fix
        sentences = [f"{where}: {what}".rstrip(".") + "."]
        sentences += [part.rstrip(".") + ("" if part.endswith("?") else ".") for part in (nearest, fix) if part]
        line = " ".join(" ".join(sentences).split())
        # What was given is quoted here: an escape sequence in it must not reach the terminal.
        super().__init__("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line))


def _clipped(text: str, limit: int = 400) -> str:
    """A long value of the input is quoted by its beginning and its end: one line stays one line."""
    return text if len(text) <= limit else f"{text[: limit // 2]}[...]{text[-limit // 2 :]}"


class TableError(FsmError):
    """The rows contradict each other or name something that does not exist."""


class UnknownName(FsmError):
    """A layer, endpoint, flow, stimulus, choice or option that does not exist."""

    @classmethod
    def of(cls, where: str, kind: str, given: str, known: Iterable[str], fix: str = "") -> UnknownName:
        """`given` is no `kind`; propose the nearest of `known` (all of them when few)."""
        names = list(dict.fromkeys(known))
        by_fold = {name.casefold(): name for name in names}
        near = [by_fold[n] for n in difflib.get_close_matches(given.casefold(), by_fold, n=3, cutoff=0.5)]
        if near:
            nearest = f"Did you mean {' or '.join(repr(n) for n in near)}?"
        elif not names:
            nearest = "There is none here"
        elif len(names) <= 12:
            nearest = f"Allowed: {', '.join(names)}"
        elif len(names) > 60:
            nearest = ""
        else:
            nearest = f"Allowed: {', '.join(names[:12])} ... ({len(names)} in all)"
        return cls(where, f"no {kind} named {given!r}", nearest, fix)


class NoTransition(FsmError):
    """What was asked is not possible in this state."""


class LogError(FsmError):
    """A log that cannot be read, or not beyond some point."""


class RenderError(FsmError):
    """A picture that cannot be rendered here."""
