"""What the machine says about the place of a record; the machine itself is passed in.

`fsm.placement` has the real one. Where it has no place (layers that the model draws but does not run, or a state
that no configuration reaches) the explanation does without.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from fsm.choices import Config
from fsm.errors import FsmError


@dataclass(frozen=True, slots=True)
class Asked:
    """What a record tells about its place besides layer and verdict.

    Parameters
    ----------
    endpoint, flow, stimulus, position : as `fsm.placement.place` takes them; "" where the record does not tell.
    assume : settings that the record proves: the protocol, a dual-stack socket.
    """

    endpoint: str
    flow: str
    stimulus: str
    position: str = ""
    assume: tuple[tuple[str, str], ...] = ()


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
    """The machine, asked for the place of a record: layer id, verdict, and what `Asked` tells besides."""

    def __call__(
        self,
        runtime_id: int,
        verdict: str,
        *,
        endpoint: str,
        flow: str,
        stimulus: str,
        position: str,
        config: Config | None,
    ) -> Place | None: ...


class RememberedPlaces:
    """A placer asked once for each question: a log has many records in few places."""

    def __init__(self, placer: Placer | None) -> None:
        self._placer = placer
        self._known: dict[tuple[int, str, Asked], Place | None] = {}

    def __call__(self, runtime_id: int | None, verdict: str, asked: Asked) -> Place | None:
        """The place that fits all that is known, or else the layer with this verdict; None where there is none."""
        if runtime_id is None:
            return None
        key = (runtime_id, verdict, asked)
        if key not in self._known:
            looser = replace(asked, stimulus="", position="")
            questions = (asked, looser, replace(looser, assume=()))
            self._known[key] = next((p for q in questions if (p := self._ask(runtime_id, verdict, q))), None)
        return self._known[key]

    def _ask(self, runtime_id: int, verdict: str, asked: Asked) -> Place | None:
        if self._placer is None:
            return None
        # What a log shows goes before what pages say; the settings are the record's own.
        config = Config(evidence="observed", assume=asked.assume)
        try:
            return self._placer(
                runtime_id, verdict, endpoint=asked.endpoint, flow=asked.flow, stimulus=asked.stimulus,
                position=asked.position, config=config,
            )  # fmt: skip
        except FsmError:  # the model does not run this layer, or not with this verdict
            return None
