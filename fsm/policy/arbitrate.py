"""Arbitration at one layer: sublayers by weight, filters by weight inside, soft and hard answers, veto (ARB).

Three answers throughout: where a condition or a callout is open, all possible results are carried on, and the
verdict is known only where they agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations

from fsm.catalogue import by_name
from fsm.errors import UnknownName
from fsm.policy.arbitration import Arbitration, Deciding, OpenQuestion, OrderNote, PassedOver, Possible
from fsm.policy.callouts import Effect, effects_of
from fsm.policy.in_force import PolicyIndex, Ready, ReadySublayer
from fsm.policy.match import FieldValue, Match, match_groups
from fsm.policy.model import Filter
from fsm.policy.weights import effective_weight

LIMIT_ORDERS = 120  # orders tried for sublayers whose weight nobody has said
# Flags that bind a filter to a state of the machine that nothing here tells of.
ONLY = {
    "SILENT_MODE": "whether the machine is in silent mode, in which alone it is in force",
    "GAMEOSONLY": "whether it is a game system, on which alone it is in force",
}
_WEIGHT = "the weight of the sublayer"
_ORDER = ("permit", "redirect", "absorb", "pend", "veto", "block")


@dataclass(frozen=True, slots=True)
class _State:
    """What is carried from sublayer to sublayer."""

    action: str = ""
    writable: bool = True
    redirected: bool = False
    vetoed: bool = False
    decided_by: Filter | None = field(default=None, compare=False)

    @property
    def verdict(self) -> str:
        if self.vetoed:
            return "veto"
        if self.action in ("", "permit"):
            return "redirect" if self.redirected else "permit"
        return self.action


def arbitrate(
    index: PolicyIndex,
    layer: str,
    values: Mapping[str, FieldValue],
    *,
    after_block: str = "evaluate",
    reauthorizes: bool = False,
    own_packet: bool = False,
    undeclared: str = "unknown",
    completes: bool = False,
) -> Arbitration:
    """What the filters of a layer make of a classify.

    Parameters
    ----------
    index : from `index_policy`.
    layer : the full FWPM name.
    values : {canonical field name: value}, from `classify.field_values`.
    after_block : "evaluate" or "stop": whether lighter sublayers are asked after a hard block. The verdict is the same.
    reauthorizes, own_packet, undeclared, completes : as `callouts.effects_of` takes them.
    """
    may_block = by_name(layer).may_block not in ("no", "error-only")
    if after_block not in ("evaluate", "stop"):
        raise UnknownName.of("arbitrate", "option of arbitration_after_block", after_block, ("evaluate", "stop"))
    sublayers = index.at(layer)
    results: dict[str, tuple[Possible, ...]] = {}
    passed: list[PassedOver] = []

    def effects_at(filter: Filter) -> tuple[Effect, ...]:
        return effects_of(
            filter,
            index.callouts,
            reauthorizes=reauthorizes,
            own_packet=own_packet,
            undeclared=undeclared,
            may_block=may_block,
            completes=completes,
        )

    for sublayer in sublayers:
        results[sublayer.key], over = _within(layer, sublayer, values, effects_at)
        passed.extend(over)
    orders, complete = _orders(sublayers)
    final: dict[_State, None] = {}
    by_order: set[frozenset[str]] = set()
    for order in orders:
        states: dict[_State, None] = {_State(): None}
        for sublayer in order:
            kinds = _kinds(results[sublayer.key])
            states = dict.fromkeys(_fold(state, possible) for state in states for possible in kinds)
        final.update(states)
        by_order.add(frozenset(state.verdict for state in states))
    base, deciding, asked = _trace(orders[0], results, after_block == "stop")
    verdicts = tuple(dict.fromkeys((base.verdict, *sorted((s.verdict for s in final), key=_ORDER.index))))
    questions = _questions(layer, sublayers, results, len(by_order) > 1 or not complete)
    changing, certain = _changing(orders, results, base, questions) if questions else ((), True)
    known = len(verdicts) == 1 and complete
    rights = {state.writable for state in final}
    return Arbitration(
        layer,
        base.verdict if known else "unknown",
        ("soft" if base.writable else "hard") if known and base.action and len(rights) == 1 else "",
        verdicts,
        deciding,
        base.decided_by if known and certain else None,
        tuple(over for over in passed if over.sublayer in asked),
        questions,
        () if known else changing,
        base.verdict,
        tuple(_order_notes(layer, orders[0], results, values, effects_at, base.verdict)),
        tuple(_telling(orders[0], results, values, effects_at, base.verdict)),
    )


def _folded(order: Iterable[ReadySublayer], results: Mapping[str, tuple[Possible, ...]], **changed: Possible) -> str:
    """The verdict with all open questions answered with no, and other results of some sublayers (by their key)."""
    state = _State()
    for sublayer in order:
        state = _fold(state, changed.get(sublayer.key, results[sublayer.key][-1]))
    return state.verdict


def _below(
    sublayer: ReadySublayer,
    decided: Filter,
    values: Mapping[str, FieldValue],
    effects_at: Callable[[Filter], tuple[Effect, ...]],
    *,
    rivals: bool,
) -> Iterator[tuple[Ready, Effect]]:
    """The filters after the deciding one that match for certain and end the sublayer, with their answer.

    `rivals`: only those that could as well be asked before it.
    """
    place = next(n for n, ready in enumerate(sublayer.filters) if ready.filter is decided)
    chosen = sublayer.filters[place]
    for ready in sublayer.filters[place + 1 :]:
        if rivals and (ready.heaviest < chosen.lightest or _alike(ready.filter, decided)):
            continue
        if any(flag in ready.filter.flags for flag in ONLY) or match_groups(ready.groups, values).answer is not True:
            continue
        ending = [effect for effect in effects_at(ready.filter) if effect.answer != "continue"]
        if ending:
            yield ready, sorted(ending, key=_passing)[-1]


def _alike(one: Filter, other: Filter) -> bool:
    return (one.action, one.callout, one.flags) == (other.action, other.callout, other.flags)


def _order_notes(
    layer: str,
    order: tuple[ReadySublayer, ...],
    results: Mapping[str, tuple[Possible, ...]],
    values: Mapping[str, FieldValue],
    effects_at: Callable[[Filter], tuple[Effect, ...]],
    verdict: str,
) -> Iterator[OrderNote]:
    for sublayer in order:
        decided = results[sublayer.key][-1].filter
        if decided is None or not sublayer.rivals:
            continue
        # Of those that match, the weight that one of them has at least: a lighter one cannot be asked first.
        heavier = next(ready.lightest for ready in sublayer.filters if ready.filter is decided)
        for ready, effect in _below(sublayer, decided, values, effects_at, rivals=True):
            if ready.heaviest < heavier:
                continue
            heavier = max(heavier, ready.lightest)
            other = _folded(order, results, **{sublayer.key: Possible(ready.filter, effect)})
            if other != verdict:
                same = effective_weight(ready.filter) == effective_weight(decided)
                why = "both have one weight" if same else "how automatic weights come about is not documented"
                yield OrderNote(layer, decided, ready.filter, why, other)
                break
    for first, last in _equal_sublayers(order, results):
        swapped = [last if s is first else first if s is last else s for s in order]
        other = _folded(swapped, results)
        one, two = results[first.key][-1].filter, results[last.key][-1].filter
        if other != verdict and one is not None and two is not None:
            yield OrderNote(layer, one, two, "their sublayers have one weight", other)


def _equal_sublayers(
    order: tuple[ReadySublayer, ...], results: Mapping[str, tuple[Possible, ...]]
) -> Iterator[tuple[ReadySublayer, ReadySublayer]]:
    returning = [s for s in order if s.weight is not None and results[s.key][-1].filter is not None]
    for place, first in enumerate(returning):
        yield from ((first, last) for last in returning[place + 1 :] if last.weight == first.weight)


def _telling(
    order: tuple[ReadySublayer, ...],
    results: Mapping[str, tuple[Possible, ...]],
    values: Mapping[str, FieldValue],
    effects_at: Callable[[Filter], tuple[Effect, ...]],
    verdict: str,
) -> Iterator[Filter]:
    """The deciding filters without which the permit would be another verdict, the heaviest first."""
    if verdict != "permit":
        return
    for sublayer in order:
        decided = results[sublayer.key][-1].filter
        if decided is None:
            continue
        below = next(_below(sublayer, decided, values, effects_at, rivals=False), None)
        instead = Possible(None, Effect("continue")) if below is None else Possible(below[0].filter, below[1])
        if _folded(order, results, **{sublayer.key: instead}) != verdict:
            yield decided


def _kinds(results: tuple[Possible, ...]) -> list[Possible]:
    """One of each kind of result: what matters to lighter sublayers."""
    return list({(r.effect.answer, r.effect.clears, r.effect.by_callout): r for r in results}.values())


def _within(
    layer: str,
    sublayer: ReadySublayer,
    values: Mapping[str, FieldValue],
    effects_at: Callable[[Filter], tuple[Effect, ...]],
) -> tuple[tuple[Possible, ...], list[PassedOver]]:
    """Every possible result of a sublayer, the one with all open questions answered with no last."""
    found: list[Possible] = []
    passed: list[PassedOver] = []
    for ready in sublayer.filters:
        match = match_groups(ready.groups, values)
        if match.answer is False:
            passed.append(PassedOver(sublayer.key, ready.filter, match.failed))
            continue
        effects = effects_at(ready.filter)
        ending = [effect for effect in effects if effect.answer != "continue"]
        asked = _asked(layer, ready.filter, match)
        sure = match.answer is True and not asked
        for effect in sorted(ending, key=_passing):
            why = (OpenQuestion(layer, ready.filter, "", None, effect.why),) if effect.why else ()
            found.append(Possible(ready.filter, effect, (*asked, *why)))
        if sure and len(ending) == len(effects):
            return tuple(found), passed
        what = "it matched, and went on" if sure else "it may match: what it depends on is open"
        passed.append(PassedOver(sublayer.key, ready.filter, (), what))
    found.append(Possible(None, Effect("continue")))
    return tuple(found), passed


def _passing(effect: Effect) -> tuple[bool, bool]:
    return effect.answer == "permit", not effect.clears


def _asked(layer: str, filter: Filter, match: Match) -> tuple[OpenQuestion, ...]:
    special = [OpenQuestion(layer, filter, "", None, what) for flag, what in ONLY.items() if flag in filter.flags]
    return (*special, *(OpenQuestion(layer, filter, test.condition.field, test) for test in match.open))


def _fold(state: _State, possible: Possible) -> _State:
    """One sublayer's answer on top of those of the heavier ones (ARB)."""
    effect = possible.effect
    if effect.answer == "continue":
        return state
    if not state.writable:
        # Only a callout that blocks against a hard permit gets through: that is a veto.
        if state.action == "permit" and effect.by_callout and effect.answer in ("block", "absorb"):
            return _State("block", False, False, True, possible.filter)
        return state
    if effect.answer == "redirect":
        return _State("permit", not effect.clears, True, False, possible.filter)
    redirected = state.redirected and effect.answer == "permit"
    return _State(effect.answer, not effect.clears, redirected, False, possible.filter)


def _trace(
    order: tuple[ReadySublayer, ...], results: Mapping[str, tuple[Possible, ...]], stops: bool
) -> tuple[_State, tuple[Deciding, ...], set[str]]:
    """The result with all open questions answered with no: the state, what each sublayer returned, who was asked."""
    state, deciding, asked = _State(), [], set()
    for sublayer in order:
        asked.add(sublayer.key)
        possible = results[sublayer.key][-1]
        if possible.filter is not None:
            effect = possible.effect
            deciding.append(
                Deciding(sublayer.key, possible.filter, effect.answer, effect.clears, sublayer_name=sublayer.name)
            )
        state = _fold(state, possible)
        if stops and state.action in ("block", "absorb", "pend") and not state.writable:
            break
    final = "permit" if state.verdict == "redirect" else "block" if state.vetoed else state.action
    told = tuple(replace(d, overridden=d.filter is not state.decided_by and _kind(d.action) != final) for d in deciding)
    return state, told, asked


def _kind(action: str) -> str:
    return "permit" if action == "redirect" else action


def _orders(sublayers: tuple[ReadySublayer, ...]) -> tuple[list[tuple[ReadySublayer, ...]], bool]:
    """The orders that are possible; more than one where the weight of a sublayer is not known."""
    known = [s for s in sublayers if s.weight is not None]
    lost = [s for s in sublayers if s.weight is None]
    if not lost:
        return [tuple(known)], True
    orders: list[tuple[ReadySublayer, ...]] = []
    for arranged in permutations(lost):
        for order in _insertions(tuple(known), arranged):
            if len(orders) == LIMIT_ORDERS:
                return orders, False
            orders.append(order)
    return orders, True


def _insertions(
    known: tuple[ReadySublayer, ...], lost: tuple[ReadySublayer, ...]
) -> Iterator[tuple[ReadySublayer, ...]]:
    """`known` with `lost` put in at every place, both in their order."""
    if not lost:
        yield known
        return
    for place in range(len(known) + 1):
        for rest in _insertions(known[place:], lost[1:]):
            yield (*known[:place], lost[0], *rest)


def _questions(
    layer: str, sublayers: tuple[ReadySublayer, ...], results: Mapping[str, tuple[Possible, ...]], order_matters: bool
) -> tuple[OpenQuestion, ...]:
    found = [question for s in sublayers for possible in results[s.key] for question in possible.given]
    if order_matters:
        found += [
            OpenQuestion(layer, s.filters[0].filter, "", None, f"{_WEIGHT} {s.key} is not known")
            for s in sublayers
            if s.weight is None
        ]
    return tuple({id(question): question for question in found}.values())


def _changing(
    orders: list[tuple[ReadySublayer, ...]],
    results: Mapping[str, tuple[Possible, ...]],
    base: _State,
    questions: tuple[OpenQuestion, ...],
) -> tuple[tuple[OpenQuestion, ...], bool]:
    """The questions that alone bring another verdict than `base` (all, where only several together do).

    And whether the same filter decides whatever one of them is answered.
    """
    found: dict[int, OpenQuestion] = {}
    certain = True
    for order in orders:
        for changed in order:
            for possible in results[changed.key][:-1]:
                state = _State()
                for sublayer in order:
                    state = _fold(state, possible if sublayer is changed else results[sublayer.key][-1])
                certain = certain and state.decided_by is base.decided_by
                if state.verdict != base.verdict:
                    found.update((id(question), question) for question in possible.given)
    found.update((id(q), q) for q in questions if q.what.startswith(_WEIGHT))
    return tuple(found.values()) or questions, certain
