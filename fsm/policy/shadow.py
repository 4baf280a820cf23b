"""Which filters never decide, and who keeps them from it: exact within a sublayer, and across sublayers.

A filter is shadowed when every classify that it may match is surely matched by heavier filters of its sublayer that
end the search there. Heavier means surely heavier: not of the same weight, and for automatic weights as the inferred
rule has them, which the finding says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fsm.catalogue import by_name, layers
from fsm.policy.callouts import Effect, effects_of
from fsm.policy.in_force import PolicyIndex, Ready, ReadySublayer
from fsm.policy.lint_regions import Box, Space, TooMany
from fsm.policy.model import Filter
from fsm.policy.weights import effective_weight, is_inferred

_LAYERS = frozenset(layer.name for layer in layers())
LIMIT_PIECES = 256  # boxes that are left of one filter when others are taken away


@dataclass(frozen=True, slots=True)
class Shadow:
    """A filter that never decides.

    Parameters
    ----------
    by : the filters that decide before it, as few as suffice, the heaviest first.
    differs : whether one of them may give another verdict than the filter would.
    differs_surely : whether one of them never gives a verdict that the filter would give.
    inferred : whether the order rests on the inferred rule for automatic weights.
    across : whether they are in heavier sublayers, with a hard action; else in the filter's own.
    """

    filter: Filter
    by: tuple[Filter, ...]
    differs: bool
    inferred: bool = False
    across: bool = False
    differs_surely: bool = True


@dataclass(frozen=True, slots=True)
class Tie:
    """Two filters of one sublayer and weight that may both match and give different verdicts."""

    first: Filter
    second: Filter


@dataclass(frozen=True, slots=True)
class _Member:
    ready: Ready
    may: tuple[Box, ...]
    surely: tuple[Box, ...]
    effects: tuple[Effect, ...]

    @property
    def filter(self) -> Filter:
        return self.ready.filter

    @property
    def ends(self) -> bool:
        """Whether the search in the sublayer surely ends at it."""
        return all(effect.answer != "continue" for effect in self.effects)

    @property
    def hard(self) -> bool:
        return self.ends and all(effect.clears for effect in self.effects) and len(self.answers) == 1

    @property
    def answers(self) -> frozenset[str]:
        return frozenset(effect.answer for effect in self.effects)


class LayerOrder:
    """The filters of one layer as boxes, and the questions about their order."""

    def __init__(self, index: PolicyIndex, layer: str) -> None:
        self.layer = layer
        self.sublayers: tuple[ReadySublayer, ...] = index.at(layer)
        self.space = Space(layer, [ready for sublayer in self.sublayers for ready in sublayer.filters])
        may_block = layer not in _LAYERS or by_name(layer).may_block not in ("no", "error-only")
        self.undecided: dict[str, Filter] = {}  # by key: filters too big to be worked out
        self._members: dict[str, list[_Member]] = {}
        self._hard: dict[str, list[tuple[_Member, tuple[Box, ...]]]] = {}
        for sublayer in self.sublayers:
            here = self._members[sublayer.key] = []
            for ready in sublayer.filters:
                effects = effects_of(ready.filter, index.callouts, may_block=may_block)
                special = bool({"SILENT_MODE", "GAMEOS_ONLY"} & set(ready.filter.flags))
                try:
                    may = self.space.boxes(ready, surely=False)
                    surely = () if special else self.space.boxes(ready, surely=True)
                except TooMany:
                    self.undecided[ready.filter.key] = ready.filter
                    may, surely = ({},), ()
                here.append(_Member(ready, may, surely, effects))

    def never(self) -> list[Filter]:
        """The filters that no classify matches."""
        return [m.filter for members in self._members.values() for m in members if not m.may]

    def shadows(self) -> list[Shadow]:
        """The filters that heavier ones of their own sublayer keep from deciding."""
        found = []
        for members in self._members.values():
            for at, member in enumerate(members):
                weight = effective_weight(member.filter)
                heavier = [m for m in members[:at] if m.ends and m.surely and effective_weight(m.filter) > weight]
                by = self._covering(member, heavier)
                if by:
                    inferred = any(not _surely_heavier(m.filter, member.filter) for m in by)
                    surely = _differ_surely(member, by)
                    found.append(
                        Shadow(
                            member.filter,
                            tuple(m.filter for m in by),
                            _differ(member, by),
                            inferred,
                            differs_surely=surely,
                        )
                    )
        return found

    def decided_above(self, but: Iterable[str] = ()) -> list[Shadow]:
        """The filters whose every classify a heavier sublayer has decided hard. `but` are keys to leave out."""
        left_out = set(but)
        found: list[Shadow] = []
        above: list[tuple[_Member, tuple[Box, ...]]] = []
        for sublayer in self.sublayers:
            if sublayer.weight is None:
                break
            members = self._members[sublayer.key]
            for member in members:
                if member.filter.key not in left_out and member.may and above:
                    found += self._shadow_across(member, above)
            if sublayer is not self.sublayers[-1]:
                above += self._hard_parts(sublayer.key)
        return found

    def _shadow_across(self, member: _Member, above: list[tuple[_Member, tuple[Box, ...]]]) -> list[Shadow]:
        vetoes = any(e.by_callout and e.answer in ("block", "absorb") for e in member.effects)
        heavier = [
            _Member(m.ready, m.may, parts, m.effects) for m, parts in above if not (vetoes and m.answers == {"permit"})
        ]
        by = self._covering(member, heavier)
        if not by:
            return []
        by_filters, surely = tuple(m.filter for m in by), _differ_surely(member, by)
        return [Shadow(member.filter, by_filters, _differ(member, by), across=True, differs_surely=surely)]

    def overridden_permits(self, but: Iterable[str] = ()) -> list[Shadow]:
        """The soft permits whose every classify a lighter sublayer blocks."""
        left_out = set(but)
        found: list[Shadow] = []
        below: list[tuple[_Member, tuple[Box, ...]]] = []
        for sublayer in reversed([s for s in self.sublayers if s.weight is not None]):
            members = self._members[sublayer.key]
            blocks = [_Member(m.ready, m.may, parts, m.effects) for m, parts in below if m.answers == {"block"}]
            for member in members:
                if member.filter.key in left_out or member.answers != {"permit"} or member.hard or not member.may:
                    continue
                if any(self._meet(member, other) for other in self._hard_permits_beside(sublayer.key)):
                    continue  # a part of it is permitted hard: what the lighter block does there is another story
                by = self._covering(member, blocks)
                if by:
                    found.append(Shadow(member.filter, tuple(m.filter for m in by), True, across=True))
            if sublayer is not self.sublayers[0]:
                below += self._hard_parts(sublayer.key)
        return found

    def _hard_permits_beside(self, key: str) -> list[_Member]:
        """Of the other sublayers all that may permit hard."""
        return [
            m
            for other, members in self._members.items()
            for m in members
            if other != key and any(e.answer in ("permit", "redirect") and e.clears for e in m.effects)
        ]

    def idle_hard_permits(self) -> list[Filter]:
        """The hard permits that no lighter block could have changed."""
        found: list[Filter] = []
        for at, sublayer in enumerate(self.sublayers):
            lighter = [m for s in self.sublayers[at + 1 :] for m in self._members[s.key]]
            if sublayer.weight is None or any(s.weight is None for s in self.sublayers):
                continue
            blocks = [m for m in lighter if any(e.answer == "block" and not e.by_callout for e in m.effects)]
            for member in self._members[sublayer.key]:
                hard = member.filter.action == "PERMIT" and member.hard and member.filter.key not in self.undecided
                if hard and not any(self._meet(member, other) for other in blocks):
                    found.append(member.filter)
        return found

    def ties(self) -> list[Tie]:
        """Pairs of one weight of which one permits and the other blocks, and both may match."""
        found = []
        for members in self._members.values():
            for at, member in enumerate(members):
                for other in members[at + 1 :]:
                    if effective_weight(other.filter) != effective_weight(member.filter):
                        break  # they are in the order of their weights
                    if is_inferred(member.filter) or is_inferred(other.filter):
                        continue
                    known = len(member.answers) == len(other.answers) == 1 and member.ends and other.ends
                    if known and member.answers != other.answers and self._meet(member, other):
                        found.append(Tie(member.filter, other.filter))
        return found

    def blocked_for_sure(self, part: Box) -> Filter | None:
        """The filter that surely blocks all classifies of `part`, if one filter does; None otherwise."""
        for at, sublayer in enumerate(self.sublayers):
            if sublayer.weight is None:
                return None
            for member in self._members[sublayer.key]:
                if member.answers == {"block"} and member.hard and self._holds(member, part):
                    hard_above = [m for s in self.sublayers[:at] for m in self._members[s.key]]
                    stronger = any(e.clears for m in hard_above if self._touches(m, part) for e in m.effects)
                    return None if stronger else member.filter
                if self._touches(member, part):
                    break  # something heavier may decide a part of it
        return None

    def covers(self, boxes: Sequence[Box], answer: str) -> bool:
        """Whether filters that give this answer cover all of the boxes, whatever their order."""
        parts = [b for members in self._members.values() for m in members if m.answers == {answer} for b in m.surely]
        try:
            return all(self.space.uncovered(box, parts) is None for box in boxes)
        except TooMany:
            return False

    def _holds(self, member: _Member, part: Box) -> bool:
        try:
            return bool(member.surely) and self.space.uncovered(part, member.surely) is None
        except TooMany:
            return False

    def _touches(self, member: _Member, part: Box) -> bool:
        return any(self.space.meet_all((part, box)) is not None for box in member.may)

    def _meet(self, one: _Member, other: _Member) -> bool:
        return any(self.space.meet_all((a, b)) is not None for a in one.may for b in other.may)

    def _covering(self, member: _Member, heavier: Sequence[_Member]) -> tuple[_Member, ...]:
        """Of `heavier` as few as cover all that the filter may match; none where they do not."""
        if not member.may:
            return ()
        near = [m for m in heavier if m.surely and self._meet(member, m)]
        try:
            alone = next((m for m in near if self._covered(member, (m,))), None)
            if alone is not None:
                return (alone,)
            kept = self._enough(member, near) if near else []
            for each in list(kept):  # take away what is not needed, the lightest last
                fewer = [m for m in kept if m is not each]
                if self._covered(member, fewer):
                    kept = fewer
            return tuple(kept)
        except TooMany:
            self.undecided[member.filter.key] = member.filter
            return ()

    def _enough(self, member: _Member, near: Sequence[_Member]) -> list[_Member]:
        """Of the filters that meet it those by which it is covered; none where they do not cover it."""
        owners = [m for m in near for _ in m.surely]
        parts = [box for m in near for box in m.surely]
        used: set[int] = set()
        if any(self.space.uncovered(box, parts, used=used) is not None for box in member.may):
            return []
        return [m for m in near if any(owners[place] is m for place in used)]

    def _covered(self, member: _Member, by: Sequence[_Member]) -> bool:
        parts = [box for m in by for box in m.surely]
        return all(self.space.uncovered(box, parts) is None for box in member.may)

    def _hard_parts(self, key: str) -> list[tuple[_Member, tuple[Box, ...]]]:
        """Where a sublayer surely answers hard: of each hard filter what no other one could take before it."""
        if key not in self._hard:
            self._hard[key] = self._hard_parts_of(self._members[key])
        return self._hard[key]

    def _hard_parts_of(self, members: Sequence[_Member]) -> list[tuple[_Member, tuple[Box, ...]]]:
        found = []
        for at, member in enumerate(members):
            if not member.hard or not member.surely:
                continue
            weight = effective_weight(member.filter)
            before = [m for i, m in enumerate(members) if i != at and effective_weight(m.filter) >= weight]
            others = [box for m in before if not (m.hard and m.answers == member.answers) for box in m.may]
            pieces = list(member.surely)
            for other in others:
                pieces = [piece for box in pieces for piece in self.space.subtract(box, other)]
                if len(pieces) > LIMIT_PIECES:
                    pieces = []  # it covers nothing then: no finding that might be wrong
                    break
            if pieces:
                found.append((member, tuple(pieces)))
        return found


def _differ(member: _Member, by: Sequence[_Member]) -> bool:
    return any(other.answers != member.answers or len(other.answers) > 1 for other in by)


def _differ_surely(member: _Member, by: Sequence[_Member]) -> bool:
    return any(not other.answers & member.answers for other in by)


def _surely_heavier(one: Filter, other: Filter) -> bool:
    """Whether the documented part of the weights decides."""
    return _bounds(one)[0] > _bounds(other)[1]


def _bounds(one: Filter) -> tuple[int, int]:
    if not is_inferred(one):
        return (effective_weight(one),) * 2
    base = (one.weight.value or 0) << 60 if one.weight.type == "UINT8" else 0
    return base, base + (1 << 60) - 1
