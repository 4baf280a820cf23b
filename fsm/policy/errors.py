"""The failures of policies: one line, or one line per mistake of a file."""

from __future__ import annotations

from collections.abc import Sequence

from fsm.errors import FsmError


class PolicyError(FsmError):
    """A policy that cannot be read, or that contradicts itself."""


class PolicyErrors(PolicyError):
    """Several mistakes in one file: `errors` in the order of their lines, the text has one line for each."""

    def __init__(self, errors: Sequence[FsmError]) -> None:
        first = errors[0]
        super().__init__(first.where, first.what, first.nearest, first.fix)
        self.errors = tuple(errors)
        self.args = ("\n".join(str(error) for error in errors),)
