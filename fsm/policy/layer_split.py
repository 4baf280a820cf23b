"""Splitting one layer: its filters become a decision diagram whose leaves are the verdicts.

A layer is split only along what its own filters ask; filters of one effect count as one, and those behind one that
always matches, or before one that says the same, are dropped before the next dimension.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fsm.policy.arbitrate import ONLY, arbitrate
from fsm.policy.in_force import Ready
from fsm.policy.match import Answer, evaluate
from fsm.policy.model import Condition, Filter, Value
from fsm.policy.sides import Classify, Side, Verdicts, content
from fsm.policy.weights import weight_range

if TYPE_CHECKING:
    from fsm.policy.splitting import Splitting

# A group of conditions that is open whatever the datagram is: the layer does not offer the field.
_OPEN = (("", (Condition("", "GREATER", Value("EMPTY", None)),)),)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A filter at one classify: what it wants in each dimension, as bits of the classes where it holds or is open."""

    filter: Filter
    effect: int
    ends: bool  # it always ends its sublayer where it matches
    wants: tuple[tuple[int, int, int], ...]  # (dimension, classes where it holds, classes where it is open)
    open: bool  # something is open whatever the class is
    at: dict[int, tuple[int, int]]  # the same by dimension
    next: tuple[int, ...]  # for each dimension, the first from there on that it asks; the number of them for none


class LayerSplit:
    """The splitting of one layer."""

    def __init__(self, splitting: Splitting, number: int, side: Side, each: Classify, *, told: bool) -> None:
        self._splitting = splitting
        self._decisions = splitting.decisions
        self._side = side
        self._identity = side.identity if told else None
        self._each = each
        self._of_classes = splitting.of_classes(number, side, each)
        self._truths: dict[tuple[str, tuple[Condition, ...]], tuple[int, int, int]] = {}
        self._effects: dict[Hashable, int] = {}
        self._by_effect: list[Filter] = []
        self._effect_keys: list[Hashable] = []
        self._only_continue: set[int] = set()
        self._signatures: dict[Hashable, int] = {}
        self._leaf_of: dict[Hashable, int] = {}
        self._made: dict[Hashable, int] = {}
        self._asked: list[_Asked] = []
        self._signature_of: dict[tuple[int, int], int] = {}
        self._lists: list[list[int]] = []  # of each sublayer: numbers of `_asked`, twice, odd where something is open
        for sublayer in each.sublayers:
            here = []
            for ready in sublayer.filters:
                asked = self._ask(ready)
                if asked is not None:
                    here.append(len(self._asked) * 2 + asked.open)
                    self._asked.append(asked)
            self._lists.append(here)
            if sublayer.rivals:
                splitting.rivals.update(dict.fromkeys(self._rivals([self._asked[entry >> 1] for entry in here])))

    def _rivals(self, asked: Sequence[_Asked]) -> Iterator[tuple[str, Filter, Filter]]:
        """Pairs of filters that can match together and say different things, and whose order nobody documents."""
        for place, one in enumerate(asked):
            lightest = weight_range(one.filter)[0]
            for other in asked[place + 1 :]:
                if weight_range(other.filter)[1] < lightest or other.effect == one.effect:
                    continue
                wants = [(one.at[d], other.at[d]) for d in one.at.keys() & other.at.keys()]
                if all((a[0] | a[1]) & (b[0] | b[1]) for a, b in wants):
                    yield self._each.layer, one.filter, other.filter

    def _ask(self, ready: Ready) -> _Asked | None:
        effects = self._side.effects(self._each.way, ready.filter)
        if all(effect.answer == "continue" for effect in effects):
            return None
        is_open = any(flag in ready.filter.flags for flag in ONLY)
        wants: dict[int, tuple[int, int]] = {}
        for name, conditions in ready.groups:
            dimension, holds, unsure = self._truth(name, conditions)
            if not holds and not unsure:
                return None
            if dimension < 0:
                is_open = is_open or bool(unsure)
                continue
            before = wants.get(dimension)
            if before is not None:
                unsure = (before[0] & unsure) | (before[1] & holds) | (before[1] & unsure)
                holds = before[0] & holds
                if not holds and not unsure:
                    return None
            wants[dimension] = (holds, unsure)
        told = self._identity(ready.filter) if self._identity else None
        # Of two callouts that nobody described each can answer something else.
        whose = ready.filter.callout if self._identity and len(effects) > 1 else ""
        key = (effects, told, whose, tuple(flag for flag in ready.filter.flags if flag in ONLY))
        effect = self._effects.get(key)
        if effect is None:
            effect = self._effects[key] = len(self._by_effect)
            self._by_effect.append(ready.filter)
            self._effect_keys.append(key)
        kept = tuple(
            (dimension, holds, unsure)
            for dimension, (holds, unsure) in sorted(wants.items())
            if holds != (1 << self._decisions.sizes[dimension]) - 1
        )
        count = len(self._decisions.sizes)
        asks = [dimension for dimension, _, _ in kept]
        following = tuple(next((d for d in asks if d >= at), count) for at in range(count + 1))
        at = {dimension: (holds, unsure) for dimension, holds, unsure in kept}
        return _Asked(ready.filter, effect, all(e.answer != "continue" for e in effects), kept, is_open, at, following)

    def _truth(self, name: str, conditions: tuple[Condition, ...]) -> tuple[int, int, int]:
        """(dimension, classes where one of the conditions holds, classes where it is open)."""
        key = (name, conditions)
        found = self._truths.get(key)
        if found is None:
            dimension, values = self._of_classes[name]
            holds = unsure = 0
            for number, value in enumerate(values):
                answers: list[Answer] = [evaluate(condition, value) for condition in conditions]
                if any(answers):
                    holds |= 1 << number
                elif None in answers:
                    unsure |= 1 << number
            found = self._truths[key] = (dimension, holds, unsure)
        return found

    def diagram(self) -> int:
        """The root."""
        return self._split(tuple(tuple(self._pruned(here, 0)) for here in self._lists), 0)

    def _rest(self, entry: int, dimension: int) -> tuple[tuple[int, int, int], ...]:
        """What the filter of an entry wants from this dimension on."""
        return tuple(want for want in self._asked[entry >> 1].wants if want[0] >= dimension)

    def _signature(self, entry: int, dimension: int) -> int:
        """Entries of one signature are alike from this dimension on."""
        key = (entry, dimension)
        found = self._signature_of.get(key)
        if found is None:
            asked = self._asked[entry >> 1]
            is_open = entry & 1
            about = self._identity is not None and is_open and content(asked.filter)
            whole = (asked.effect, is_open, about, self._rest(entry, dimension))
            found = self._signature_of[key] = self._signatures.setdefault(whole, len(self._signatures))
        return found

    def _pruned(self, entries: Iterable[int], dimension: int) -> list[int]:
        kept: list[int] = []
        last, count = None, len(self._decisions.sizes)
        for entry in entries:
            signature = self._signature(entry, dimension)
            if signature == last:
                continue  # the same again
            last = signature
            kept.append(entry)
            asked = self._asked[entry >> 1]
            if asked.ends and not entry & 1 and asked.next[dimension] == count:
                # It ends the sublayer: those before it that say the same change nothing.
                while len(kept) > 1 and self._says_the_same(kept[-2], entry):
                    del kept[-2]
                break
        return kept

    def _says_the_same(self, one: int, other: int) -> bool:
        if self._asked[one >> 1].effect != self._asked[other >> 1].effect:
            return False
        return not (one & 1 and self._identity is not None)

    def _split(self, lists: tuple[tuple[int, ...], ...], dimension: int) -> int:
        count = len(self._decisions.sizes)
        nearest = min((self._asked[entry >> 1].next[dimension] for here in lists for entry in here), default=count)
        if nearest == count:
            return self._leaf(lists)
        key = (nearest, tuple(tuple(self._signature(entry, nearest) for entry in here) for here in lists))
        found = self._made.get(key)
        if found is None:
            children = [0] * self._decisions.sizes[nearest]
            for classes in self._groups(lists, nearest):
                first = (classes & -classes).bit_length() - 1
                child = self._split(
                    tuple(tuple(self._pruned(self._left(here, nearest, first), nearest + 1)) for here in lists),
                    nearest + 1,
                )
                while classes:
                    low = classes & -classes
                    children[low.bit_length() - 1] = child
                    classes ^= low
            found = self._made[key] = self._decisions.node(nearest, children)
        return found

    def _groups(self, lists: tuple[tuple[int, ...], ...], dimension: int) -> list[int]:
        """The classes of a dimension, as sets of bits, that no filter here tells apart."""
        groups = [(1 << self._decisions.sizes[dimension]) - 1]
        masks: set[int] = set()
        for here in lists:
            for entry in here:
                masks.update(self._asked[entry >> 1].at.get(dimension, ()))
        for mask in sorted(masks):
            groups = [part for group in groups for part in (group & mask, group & ~mask) if part]
        return groups

    def _left(self, entries: tuple[int, ...], dimension: int, number: int) -> Iterator[int]:
        bit = 1 << number
        for entry in entries:
            want = self._asked[entry >> 1].at.get(dimension)
            if want is None or want[0] & bit:
                yield entry
            elif want[1] & bit:
                yield entry | 1

    def _leaf(self, lists: tuple[tuple[int, ...], ...]) -> int:
        told = self._identity is not None
        key = tuple(
            tuple(
                (
                    self._asked[entry >> 1].effect,
                    entry & 1,
                    told and entry & 1 and content(self._asked[entry >> 1].filter),
                )
                for entry in here
            )
            for here in lists
        )
        found = self._leaf_of.get(key)
        if found is None:
            found = self._leaf_of[key] = self._decisions.leaf(self._arbitrated(lists, key))
        return found

    def _arbitrated(self, lists: tuple[tuple[int, ...], ...], key: Hashable) -> Verdicts:
        """What the filters say that are left, all of which match or may match."""
        side, way = self._side, self._each.way
        context = way.context
        assert context is not None
        reduced = tuple(
            replace(
                sublayer,
                rivals=False,
                filters=tuple(
                    Ready(
                        self._by_effect[self._asked[e >> 1].effect] if not e & 1 else self._asked[e >> 1].filter,
                        _OPEN if e & 1 else (),
                    )
                    for e in here
                ),
            )
            for sublayer, here in zip(self._each.sublayers, lists, strict=True)
            if here
        )
        self._splitting.arbitrations += 1
        found = arbitrate(
            replace(side.index, layers={self._each.layer: reduced}),
            self._each.layer,
            {},
            reauthorizes="IS_REAUTHORIZE" in context.flags,
            own_packet=context.injected_by_self,
            undeclared=side.undeclared,
            completes=context.stimulus == "complete",
        )
        by = self._identity(found.decided_by) if self._identity and found.decided_by is not None else None
        if len(found.verdicts) == 1:
            return Verdicts(found.verdicts, None, by)
        told = self._splitting.number_of(self._questions_of(lists)) if self._identity else -1
        return Verdicts(found.verdicts, (self._each.layer, told))

    def _questions_of(self, lists: tuple[tuple[int, ...], ...]) -> Hashable:
        """What the verdict depends on: filters by what they do, and those that are open by what they ask."""
        return tuple(
            (
                sublayer.weight is None and sublayer.key,
                tuple(
                    (self._effect_keys[self._asked[e >> 1].effect], e & 1 and content(self._asked[e >> 1].filter))
                    for e in here
                ),
            )
            for sublayer, here in zip(self._each.sublayers, lists, strict=True)
            if here
        )
