"""A path through the model as findings: the stimuli that explain the lines, each edit with its reason and repair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fsm import catalogue
from fsm.names import IDLE, VERDICTS
from fsm.traces.alignment import Symbol
from fsm.traces.automaton import Edge, Label, PortAutomaton
from fsm.traces.explanation import EXTRA, MISSING, SWAPPED, WRONG, Explainer, Move
from fsm.traces.observation import Observation

LISTED_ALLOWED = 8
CHANGES_HANDS = "the port changes hands"
MISSING_LINE, EXTRA_LINE, WRONG_ORDER = "missing", "extra", "wrong_order"
WRONG_VERDICT, WRONG_FLAGS, WRONG_DIRECTION = "wrong_verdict", "wrong_flags", "wrong_direction"
KINDS: tuple[str, ...] = (MISSING_LINE, EXTRA_LINE, WRONG_ORDER, WRONG_VERDICT, WRONG_FLAGS, WRONG_DIRECTION)


@dataclass(frozen=True, slots=True)
class Told:
    """One stimulus of an explanation: what happened, from which state to which, seen in which lines.

    `lines` are indexes of the conversation's observations; empty for what no line shows. `begun` is False where the
    trace begins in its middle.
    """

    stimulus: str
    from_state: str
    to_state: str
    lines: tuple[int, ...]
    begun: bool = True


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit of the least costly repair.

    `index` is the observation that it is at (for `missing` the one before which a line is missing; their number at
    the end), `where` and `seen` its source and text. `state` is where the explanation stands, `allowed` what is
    possible there, `why` the reason, `rule` and `cite` the row that it comes from ("" and () where no row speaks),
    `repair` what would make the trace possible.
    """

    kind: str
    index: int
    where: str
    seen: str
    state: str
    allowed: tuple[str, ...]
    why: str
    rule: str
    cite: tuple[str, ...]
    repair: str


def told_of(whole: PortAutomaton, path: Sequence[Move], lines: Sequence[Observation]) -> tuple[Told, ...]:
    """The stimuli of a path in their order. A stimulus that begins before the first line is marked as not begun."""
    found: list[Told] = []
    for move in path:
        if move.edge is None:
            continue
        edge, name = move.edge, whole.names
        line = () if move.line is None else (move.line,)
        if edge.table is None:
            found.append(Told(CHANGES_HANDS, name[move.state], name[edge.target], line))
            continue
        here = edge.table.states[edge.state]
        if here.position == IDLE:
            found.append(Told(edge.table.events[edge.event], name[move.state], name[edge.target], line))
        elif not found or not (whole.in_progress[move.state] and found[-1].to_state == name[move.state]):
            found.append(Told(here.stimulus, name[move.state], name[edge.target], line, begun=False))
        else:
            last = found[-1]
            found[-1] = Told(last.stimulus, last.from_state, name[edge.target], (*last.lines, *line), last.begun)
    return tuple(found)


def edits_of(
    whole: PortAutomaton,
    explainer: Explainer,
    path: Sequence[Move],
    lines: Sequence[Observation],
    symbols: Sequence[Symbol],
) -> tuple[Edit, ...]:
    """The edits on a path, in its order."""
    maker = _Maker(whole, explainer, lines, symbols)
    found = []
    at = 0
    swapped: Move | None = None
    for move in path:
        if move.kind == MISSING:
            found.append(maker.missing(move, at))
        elif move.kind == EXTRA:
            found.append(maker.extra(move))
        elif move.kind == WRONG:
            found.append(maker.wrong(move))
        elif move.kind == SWAPPED and swapped is None:
            swapped = move
        elif move.kind == SWAPPED and swapped is not None:
            found.append(maker.swapped(swapped, move))
            at = max(move.line or 0, swapped.line or 0) + 1
            swapped = None
        if move.line is not None and move.kind != SWAPPED:
            at = move.line + 1
    return tuple(found)


class _Maker:
    """Edits with their texts."""

    def __init__(
        self, whole: PortAutomaton, explainer: Explainer, lines: Sequence[Observation], symbols: Sequence[Symbol]
    ) -> None:
        self._whole, self._explainer, self._lines, self._symbols = whole, explainer, lines, symbols

    def missing(self, move: Move, at: int) -> Edit:
        """A visible step that the log lacks."""
        step = _label(move.edge)
        before = f"before {self._where(at)}" if at < len(self._lines) else "after the last line"
        why = f"the model asks {_short(step.layer)} there ({self._doing(move)})"
        repair = (
            f"a line for {written(step)} {before}; or say --without {_short(step.layer)} if no callout stands there"
        )
        return self._edit(MISSING_LINE, at, move, why, repair)

    def extra(self, move: Move) -> Edit:
        """A line that no step explains."""
        assert move.line is not None
        symbol, line = self._symbols[move.line], self._lines[move.line]
        name = _short(symbol.layer)
        needed = self._explainer.needed(move.state, symbol)
        rule, cite = "", tuple[str, ...]()
        if symbol.layer not in self._whole.layers:
            why = f"the model asks {name} nowhere on this machine"
        elif needed is None:
            why = f"from this state on the model never asks {name} like this"
            refusal = self._no_verdict(symbol, line)
            why = refusal or why
        else:
            step = needed[-1].step
            assert step is not None
            rule, cite = step.rule, step.cite
            first = ", ".join(written(_label(edge)) for edge in needed[:-1])
            why = f"{name} is asked in {step.stimulus} at {step.position}" + (
                f", here only after {first}" if first else ", but what follows in the log would not be possible then"
            )
        return self._edit(EXTRA_LINE, move.line, move, why, f"without {self._where(move.line)}", rule, cite)

    def wrong(self, move: Move) -> Edit:
        """The right layer with another verdict, other flags, or a packet in the other direction."""
        assert move.line is not None and move.edge is not None and move.edge.table is not None
        symbol, line, step = self._symbols[move.line], self._lines[move.line], _label(move.edge)
        wrong = symbol.wrong(step)
        where = self._where(move.line)
        if "verdict" in wrong:
            table, state = move.edge.table, move.edge.state
            taken = [v for v in table.moves(state) if v in VERDICTS]
            given = dict.fromkeys(e.label.verdict for e in self._whole.edges[move.state] if e.label)
            if line.verdict in taken and line.verdict not in given:
                why = f"{_short(step.layer)} answers {' or '.join(given)} there"
            elif line.verdict in taken:
                after = f"after {line.verdict} the next lines would not be possible"
                why = f"{_short(step.layer)} takes {', '.join(taken)} there, and {after}"
            else:
                why = table.why_not(state, line.verdict) or f"{_short(step.layer)} takes {', '.join(taken)} there"
            repair = f"verdict {step.verdict} in {where}"
            if line.verdict == "permit":
                repair += "; or say --verdicts own if the log shows one callout's answer and another filter decided"
            return self._edit(WRONG_VERDICT, move.line, move, why, repair)
        if "flags" in wrong:
            assert symbol.flags is not None
            has = ", ".join(sorted(symbol.flags[0])) or "no flag"
            needs = ", ".join(flag for flag in step.flags if flag in symbol.flags[1]) or "no flag"
            why = f"{_short(step.layer)} is called with {needs} there ({self._doing(move)}); the line shows {has}"
            return self._edit(WRONG_FLAGS, move.line, move, why, f"{needs} in {where}")
        why = f"{_short(step.layer)} is called for an {step.direction} packet there ({self._doing(move)})"
        return self._edit(WRONG_DIRECTION, move.line, move, why, f"direction {step.direction} in {where}")

    def swapped(self, first: Move, second: Move) -> Edit:
        """Two neighbours in the wrong order; `first` comes first in the model."""
        assert first.line is not None and second.line is not None
        why = f"the model asks {written(_label(first.edge))} first, then {written(_label(second.edge))}"
        repair = f"{self._where(first.line)} before {self._where(second.line)}"
        return self._edit(WRONG_ORDER, second.line, first, why, repair)

    def _no_verdict(self, symbol: Symbol, line: Observation) -> str:
        """Why this layer never takes this verdict, where it takes others."""
        for edges in self._whole.edges:
            for edge in edges:
                if edge.label and edge.table and edge.label.layer == symbol.layer and line.verdict:
                    why = edge.table.why_not(edge.state, line.verdict)
                    if why:
                        return why
        return ""

    def _doing(self, move: Move) -> str:
        step = move.edge.step if move.edge else None
        assert step is not None
        return f"in {step.stimulus}, at {step.position}"

    def _where(self, index: int) -> str:
        return self._lines[index].source or f"line {index + 1}"

    def _edit(
        self, kind: str, at: int, move: Move, why: str, repair: str, rule: str = "", cite: tuple[str, ...] = ()
    ) -> Edit:
        step = move.edge.step if move.edge else None
        if step is not None:
            rule, cite = step.rule, step.cite
        here = at < len(self._lines)
        return Edit(
            kind, at, self._where(at) if here else "the end", self._lines[at].text if here else "",
            self._whole.names[move.state], written_all(tuple(_label(e) for e in self._explainer.allowed(move.state))),
            why, rule, cite, repair,
        )  # fmt: skip


def _label(edge: Edge | None) -> Label:
    assert edge is not None and edge.label is not None
    return edge.label


def _short(layer: str) -> str:
    return catalogue.by_name(layer).short_name


def written(label: Label) -> str:
    """`ALE_AUTH_CONNECT_V4 permit`, with flags and the direction where the layer alone does not tell it."""
    return f"{_short(label.layer)} {label.verdict}{_manner(label)}"


def _manner(label: Label) -> str:
    """Flags, and the direction where the layer alone does not tell it."""
    direction = f" {label.direction}" if label.direction and catalogue.by_name(label.layer).direction == "both" else ""
    return (f" [{', '.join(label.flags)}]" if label.flags else "") + direction


def written_all(labels: Sequence[Label], limit: int = LISTED_ALLOWED) -> tuple[str, ...]:
    """Labels as text, one for each layer with its verdicts: `ALE_AUTH_CONNECT_V4 permit|block`."""
    by_layer: dict[tuple[str, str], list[str]] = {}
    for label in labels:
        verdicts = by_layer.setdefault((_short(label.layer), _manner(label)), [])
        if label.verdict not in verdicts:
            verdicts.append(label.verdict)
    found = [
        f"{name} {'|'.join(v for v in VERDICTS if v in verdicts)}{more}" for (name, more), verdicts in by_layer.items()
    ]
    return (*found[:limit], f"... ({len(found)} in all)") if len(found) > limit else tuple(found)
