"""Every way that stimuli can take through the machine: a tree of classifies, made as far as it is asked for.

The tree depends on the machine alone, not on any address: what the filters of a layer say chooses the branch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fsm.aside import aside
from fsm.choices import Config
from fsm.endpoint import ClassifyContext, Endpoint, StimulusRecord
from fsm.errors import NoTransition
from fsm.flows import perform
from fsm.policy.answer import Ending
from fsm.policy.whatif import PolicyEndpoint, ending_of, given_to_machine

Key = tuple[int, str, int, bool]


class _Waits(Exception):
    """A classify for which no verdict was given."""


@dataclass(slots=True)
class Way:
    """One node: a classify that waits for its verdict, or, where `context` is None, the end.

    `key` is what the arbitration of the classify depends on; `refused` says why the last layer does not take its
    verdict.
    """

    verdicts: tuple[str, ...]
    layers: tuple[str, ...]
    context: ClassifyContext | None = None
    position: str = ""
    key: Key = (0, "", 0, False)
    ending: Ending | None = None
    refused: str = ""
    next: dict[str, Way] = field(default_factory=dict)


@dataclass(slots=True)
class Ways:
    """The tree for one list of stimuli on one machine."""

    endpoint: str
    config: Config
    options: Mapping[str, str]
    setup: tuple[str, ...]
    stimuli: tuple[str, ...]
    made: int = 0

    def start(self) -> Way:
        """The first classify."""
        return self._play((), ())

    def follow(self, way: Way, verdict: str) -> Way:
        """The node after a verdict."""
        if verdict not in way.next:
            assert way.context is not None
            way.next[verdict] = self._play((*way.verdicts, verdict), (*way.layers, way.context.layer.fwpm_name))
        return way.next[verdict]

    @aside()
    def _play(self, verdicts: tuple[str, ...], layers: tuple[str, ...]) -> Way:
        self.made += 1
        endpoint = PolicyEndpoint(self.endpoint, self.config, self.options)
        for word in self.setup:
            perform(endpoint, word)
        way = Way(verdicts, layers)
        given = list(reversed(verdicts))
        endpoint.register(lambda context: self._answer(endpoint, way, given, context))
        records: list[StimulusRecord] = []
        for word in self.stimuli:
            begun = len(endpoint.history)
            try:
                perform(endpoint, word)
            except _Waits:
                return way
            except NoTransition as error:
                way.refused = str(error)
            records.extend(endpoint.history[begun:])
            if way.refused:
                break
        way.ending = ending_of(records, refused=bool(way.refused))
        return way

    def _answer(self, endpoint: Endpoint, way: Way, given: list[str], context: ClassifyContext) -> str:
        if not given:
            way.context = context
            way.position = endpoint.table.states[endpoint.state].position
            way.key = (endpoint.state, context.peer, context.reauthorize_reason, context.injected_by_self)
            raise _Waits
        verdict, why = given_to_machine(endpoint, given.pop())
        if why:
            raise NoTransition(context.layer.fwpm_name, why)
        return verdict
