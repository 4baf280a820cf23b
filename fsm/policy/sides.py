"""A policy in a space of datagrams: its classifies on the ways of the machine, and what comes out of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from fsm.catalogue import by_name
from fsm.choices import Config
from fsm.policy.answer import Ending
from fsm.policy.callouts import Effect, effects_of
from fsm.policy.decisions import TooLarge
from fsm.policy.in_force import PolicyIndex, ReadySublayer
from fsm.policy.model import Filter
from fsm.policy.ways import Key, Way, Ways

LIMIT_WAYS = 4_000


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A leaf of a layer: the verdicts that are possible, the one with all open questions answered with no first.

    `open` tells apart what the questions are about, `decided_by` names the filter where that matters to the caller.
    """

    verdicts: tuple[str, ...]
    open: Hashable = None
    decided_by: Hashable = None


@dataclass(frozen=True, slots=True)
class End:
    """One end of a way: what came of it, and which verdicts led there.

    `open` are the choices at classifies that were open, `decided_by` the filters by layer, as far as they are told.
    """

    ending: Ending
    visits: tuple[tuple[str, str], ...] = ()
    open: tuple[Hashable, ...] = ()
    decided_by: tuple[Hashable, ...] = ()


@dataclass(slots=True)
class Classify:
    """A classify of one side: its filters, and where the datagram stands."""

    way: Way
    layer: str
    sublayers: tuple[ReadySublayer, ...]


@dataclass(slots=True)
class Side:
    """One policy in the space: its filters and the ways of the machine with its options."""

    index: PolicyIndex
    ways: Ways
    config: Config
    undeclared: str
    identity: Callable[[Filter], Hashable] | None = None  # what tells filters apart where it matters
    classifies: dict[Key, Classify] = field(default_factory=dict)
    diagrams: dict[Key, int] = field(default_factory=dict)
    first: Way | None = None

    def effects(self, way: Way, filter: Filter) -> tuple[Effect, ...]:
        """Every answer of a filter at this classify."""
        context = way.context
        assert context is not None
        layer = by_name(context.layer.fwpm_name)
        return effects_of(
            filter,
            self.index.callouts,
            reauthorizes="IS_REAUTHORIZE" in context.flags,
            own_packet=context.injected_by_self,
            undeclared=self.undeclared,
            may_block=layer.may_block not in ("no", "error-only"),
            completes=context.stimulus == "complete",
        )

    def explore(self) -> None:
        """Find the classifies that any verdicts of these filters could lead to."""
        self.first = self.ways.start()
        waiting = [self.first]
        while waiting:
            way = waiting.pop()
            if way.context is None:
                continue
            if self.ways.made > LIMIT_WAYS:
                raise TooLarge("ways", f"more than {LIMIT_WAYS} ways through the machine", fix="Ask of fewer stimuli")
            layer = way.context.layer.fwpm_name
            sublayers = self.index.at(layer)
            if way.key not in self.classifies:
                self.classifies[way.key] = Classify(way, layer, sublayers)
            waiting.extend(self.ways.follow(way, verdict) for verdict in self._possible(way, sublayers))

    def _possible(self, way: Way, sublayers: Sequence[ReadySublayer]) -> list[str]:
        found = {"permit": None}
        effects = {e for s in sublayers for r in s.filters for e in self.effects(way, r.filter)}
        found.update(
            (effect.answer, None) for effect in sorted(effects, key=lambda e: e.answer) if effect.answer != "continue"
        )
        hard = any(effect.clears and effect.answer in ("permit", "redirect") for effect in effects)
        if hard and any(effect.by_callout and effect.answer in ("block", "absorb") for effect in effects):
            found["veto"] = None
        return list(found)


def filters_asked(side: Side, each: Classify) -> Hashable:
    """What the filters of a classify ask and do, in their order."""
    return tuple(
        (s.key, s.weight, tuple((content(r.filter), side.effects(each.way, r.filter)) for r in s.filters))
        for s in each.sublayers
    )


def content(filter: Filter) -> Hashable:
    """What a filter asks and does, whatever it is called."""
    return (filter.layer, filter.sublayer, filter.conditions, filter.action, filter.callout, filter.flags)
