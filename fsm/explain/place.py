"""What the machine says about the place of a record; the machine itself is passed in.

`fsm.placement` has the real one. Where it has no place (layers that the model draws but does not run, or a state
that no configuration reaches) the explanation does without.
"""

from __future__ import annotations

from typing import Protocol

from fsm.errors import FsmError


class Place(Protocol):
    """Where on the machine a record stands."""

    @property
    def endpoint(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def before(self) -> tuple[str, ...]: ...
    @property
    def after(self) -> tuple[str, ...]: ...
    @property
    def cite(self) -> tuple[str, ...]: ...
    @property
    def application_sees(self) -> str: ...
    @property
    def remote_sees(self) -> str: ...


class Placer(Protocol):
    """The machine, asked for the place of a record: layer id, verdict, endpoint, flow register before, stimulus."""

    def __call__(self, runtime_id: int, verdict: str, *, endpoint: str, flow: str, stimulus: str) -> Place | None: ...


class RememberedPlaces:
    """A placer asked once for each question: a log has many records in few places."""

    def __init__(self, placer: Placer | None) -> None:
        self._placer = placer
        self._known: dict[tuple[int, str, str, str, str], Place | None] = {}

    def __call__(self, runtime_id: int | None, verdict: str, endpoint: str, flow: str, stimulus: str) -> Place | None:
        """The place with this stimulus, or else with any; None where there is none."""
        if runtime_id is None:
            return None
        key = (runtime_id, verdict, endpoint, flow, stimulus)
        if key not in self._known:
            self._known[key] = self._ask(*key) or self._ask(runtime_id, verdict, endpoint, flow, "")
        return self._known[key]

    def _ask(self, runtime_id: int, verdict: str, endpoint: str, flow: str, stimulus: str) -> Place | None:
        if self._placer is None:
            return None
        try:
            return self._placer(runtime_id, verdict, endpoint=endpoint, flow=flow, stimulus=stimulus)
        except FsmError:  # the model does not run this layer, or not with this verdict
            return None
