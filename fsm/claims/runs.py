"""What a subject can do, as a graph of events: the one shape on which claims are decided, by integers only.

An edge carries one event: a stimulus that begins, or the verdict of one layer. States and events are numbers; what
they mean is asked for when a text is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fsm.names import VERDICTS, Verdict
from fsm.session import Move
from fsm.space import StateSpace
from fsm.stimuli import STIMULI, UNCOMMON, USUAL
from fsm.table import NO_ROW, Step, Table, is_idle

if TYPE_CHECKING:
    from fsm.policy.by_state import Answer, PolicyAnswers

Edge = tuple[int, int]  # (number of the event, number of the next state)
# The seam for callouts and filters: which verdicts may be given in this state of this table, which stands before a
# layer. A verdict that the layer does not take there is left out; where none is left, the layer permits.
Answers = Callable[[Table, int], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens. `move` is what the stepper takes for it, "" inside a longer move of a session.

    `layer` is "" for what no layer sees. `ends` says that its endpoint is idle afterwards. A second of model time has
    the stimulus `TICK`.
    """

    stimulus: str
    layer: str = ""
    verdict: str = ""
    flags: tuple[str, ...] = ()
    outcome: str = ""
    endpoint: str = ""
    ends: bool = True
    move: str = ""
    step: Step | None = None
    shown: str = ""  # how to write it, where that is not layer and verdict
    answer: Answer | None = None  # what filters say at this classify

    @property
    def is_open(self) -> bool:
        """Whether nobody knows that this comes, and not another verdict of this layer."""
        return self.answer is not None and self.answer.is_open

    @property
    def begins(self) -> bool:
        """Whether this is the beginning of a stimulus (or a move of the network), which no layer sees."""
        return not self.layer

    def __str__(self) -> str:
        at = f"@{self.endpoint}" if self.endpoint else ""
        if self.shown:
            return self.shown
        if not self.layer:
            return f"({self.stimulus}){at}"
        flags = f" [{', '.join(self.flags)}]" if self.flags else ""
        return f"{self.layer.removeprefix('FWPM_LAYER_')} {self.verdict}{flags}{at}".replace("  ", " ")


TICK = "second"
TICK_EVENT = Event(TICK, move="wait:1", shown="(wait 1 s)")

# Of all runs that answer a claim the one is shown in which the fewest unusual things happen: first of those that only
# a callout or a rare change of the machine brings, then of the uncommon ones, then of events, then of seconds.
USUAL_MOVES: tuple[str, ...] = (*USUAL, "deliver")
UNCOMMON_MOVES: tuple[str, ...] = (*UNCOMMON, "lose")
USUAL_VERDICTS: tuple[str, ...] = (str(Verdict.PERMIT), str(Verdict.BLOCK))
COST_OF_SECOND, COST_OF_EVENT, COST_OF_UNCOMMON, COST_OF_UNUSUAL = 1, 1 << 24, 1 << 48, 1 << 72


def cost_of(event: Event) -> int:
    """What an event costs a run: of two runs the one with the smaller sum is shown."""
    if event.stimulus == TICK:
        return COST_OF_SECOND
    if event.layer:
        return COST_OF_EVENT + (COST_OF_UNCOMMON if event.verdict and event.verdict not in USUAL_VERDICTS else 0)
    if event.stimulus in USUAL_MOVES:
        return COST_OF_EVENT
    return COST_OF_EVENT + (COST_OF_UNCOMMON if event.stimulus in UNCOMMON_MOVES else COST_OF_UNUSUAL)


class Runs(Protocol):
    """What claims ask of a subject: numbered states, and edges that carry events."""

    events: list[Event]

    @property
    def start(self) -> int:
        """The number of the start state."""

    def edges(self, state: int) -> Sequence[Edge]:
        """The edges out of a state, in a stable order."""

    def is_open(self, state: int) -> bool:
        """Whether a state has successors that are not known: a limit was hit, or nobody says what happens there."""

    def open_groups(self, state: int) -> Sequence[Sequence[Edge]]:
        """Its edges that rest on open questions, in groups: one edge of each is there, nobody knows which."""

    def is_end(self, state: int) -> bool:
        """Whether nothing more can happen, however much time passes."""

    def plain(self, state: int) -> int:
        """The state of the subject's own runs, without clocks: what conditions ask of."""

    def name(self, state: int) -> str:
        """The state as a reader knows it."""


class TableRuns:
    """One endpoint: the compiled table, with the verdicts that may be given."""

    def __init__(
        self, table: Table, answers: Answers, stimuli: Sequence[str] = (), policy: PolicyAnswers | None = None
    ) -> None:
        self.table = table
        self.policy = policy
        self.events: list[Event] = []
        self._answers = answers
        self._edges: list[tuple[Edge, ...] | None] = [None] * len(table.states)
        self._verdicts = tuple((verdict, table.event_ids[verdict]) for verdict in VERDICTS)
        self._stimuli = tuple(
            (name, number)
            for name, number in table.event_ids.items()
            if name not in VERDICTS and (not stimuli or name in stimuli)
        )

    @property
    def start(self) -> int:
        return self.table.start

    def is_open(self, state: int) -> bool:
        return self.policy is not None and self.table.layer(state) is not None and bool(self.policy.at(state).refused)

    def open_groups(self, state: int) -> tuple[tuple[Edge, ...], ...]:
        if self.policy is None or self.table.layer(state) is None or not self.policy.at(state).is_open:
            return ()
        return (self.edges(state),)

    def is_end(self, state: int) -> bool:
        return not self.edges(state)

    def plain(self, state: int) -> int:
        return state

    def name(self, state: int) -> str:
        return self.table.name_of(state)

    def edges(self, state: int) -> tuple[Edge, ...]:
        found = self._edges[state]
        if found is None:
            found = self._edges[state] = tuple(self._make(state))
        return found

    def _make(self, state: int) -> Iterable[Edge]:
        table = self.table
        answer = None
        if table.layer(state) is None:
            candidates = self._stimuli
        else:
            asked = set(self._answers(table, state))
            candidates = tuple(pair for pair in self._verdicts if table.next_or_none(state, pair[1]) != NO_ROW)
            wanted = tuple(pair for pair in candidates if pair[0] in asked)
            candidates = wanted or tuple(pair for pair in candidates if pair[0] == Verdict.PERMIT) or candidates
            answer = self.policy.at(state) if self.policy else None
        for name, number in candidates:
            target = table.next_or_none(state, number)
            if target != NO_ROW:
                self.events.append(event_of(table.recorded(state, number), "", name, answer))
                yield len(self.events) - 1, target


def event_of(step: Step, endpoint: str, move: str, answer: Answer | None = None) -> Event:
    """A step as an event."""
    return Event(
        step.stimulus, step.layer, step.verdict, step.flags, step.outcome, endpoint,
        is_idle(step.to_state), move, step, answer=answer,
    )  # fmt: skip


class SpaceRuns:
    """A session, as far as it was explored. A move of several steps becomes a chain of events.

    A move stands for all its verdicts, so what an open question decides within it is decided where it begins.
    """

    def __init__(self, space: StateSpace) -> None:
        self.space = space
        self.events: list[Event] = []
        self._moves: list[Move] = []  # of each event
        self._chains: dict[int, tuple[int, ...]] = {}
        self._edges: dict[int, tuple[Edge, ...]] = {}
        self._between: list[tuple[tuple[int, ...], int]] = []  # states inside a move: events to come, target
        self._between_ids: dict[tuple[tuple[int, ...], int], int] = {}

    @property
    def start(self) -> int:
        return 0

    def is_open(self, state: int) -> bool:
        return state < len(self.space) and self.space.is_open(state)

    def open_groups(self, state: int) -> tuple[tuple[Edge, ...], ...]:
        if self.space.answers is None or state >= len(self.space):
            return ()
        groups: dict[tuple[object, ...], list[Edge]] = {}
        moves = (self.space.moves[number] for number, _ in self.space.numbered_edges(state))
        for move, edge in zip(moves, self.edges(state), strict=True):
            if any(answer.is_open for answer in move.decided):
                groups.setdefault((move.actor, move.stimulus, move.peer, move.arrives), []).append(edge)
        return tuple(map(tuple, groups.values()))

    def move_of(self, event: int) -> Move:
        """The move that an event belongs to."""
        return self._moves[event]

    def joint(self, state: int) -> int:
        """The joint state: of a state inside a move the one that the move leads to."""
        return state if state < len(self.space) else self._between[state - len(self.space)][1]

    def is_end(self, state: int) -> bool:
        return not self.edges(state)

    def plain(self, state: int) -> int:
        return state

    def name(self, state: int) -> str:
        label = self.space.label(self.joint(state))
        if state < len(self.space):
            return label
        # Between two layers of one move nothing has a state yet but the move.
        event = self.events[self._between[state - len(self.space)][0][0]]
        return f"the middle of ({event.stimulus})@{event.endpoint}, which ends in {label}"

    def edges(self, state: int) -> tuple[Edge, ...]:
        found = self._edges.get(state)
        if found is None:
            if state < len(self.space):
                moves = self.space.moves
                found = tuple(
                    self._into(self._chain(number, moves[number]), target)
                    for number, target in self.space.numbered_edges(state)
                )
            else:
                found = (self._into(*self._between[state - len(self.space)]),)
            self._edges[state] = found
        return found

    def _into(self, events: tuple[int, ...], target: int) -> Edge:
        if len(events) == 1:
            return events[0], target
        key = (events[1:], target)
        number = self._between_ids.get(key)
        if number is None:
            number = self._between_ids[key] = len(self.space) + len(self._between)
            self._between.append(key)
        return events[0], number

    def _chain(self, number: int, move: Move) -> tuple[int, ...]:
        found = self._chains.get(number)
        if found is None:
            # Not every move has a step of the table (a message is lost), and each has a label.
            answers = iter(move.decided)
            made = [event_of(s, move.endpoint, "", next(answers, None) if s.layer else None) for s in move.steps]
            if not made or (made[0].layer and len(made) > 1):
                made.insert(0, Event(move.stimulus, endpoint=move.endpoint, ends=not made))
            first = made[0]
            shown = f"({move.stimulus})@{move.endpoint}" if first.begins else ""
            made[0] = Event(
                move.stimulus if first.begins else first.stimulus, first.layer, first.verdict, first.flags,
                first.outcome, first.endpoint, first.ends, move.label, first.step, shown, first.answer,
            )  # fmt: skip
            found = self._chains[number] = tuple(range(len(self.events), len(self.events) + len(made)))
            self.events.extend(made)
            self._moves.extend([move] * len(made))
        return found


class LessRuns:
    """The runs of a subject in which only some moves are made; every verdict is given as before."""

    def __init__(self, runs: Runs, moves: Sequence[str]) -> None:
        self.events, self._runs, self._moves = runs.events, runs, frozenset(moves)

    @property
    def start(self) -> int:
        return self._runs.start

    def edges(self, state: int) -> tuple[Edge, ...]:
        found = ((self.events[edge[0]], edge) for edge in self._runs.edges(state))
        return tuple(edge for event, edge in found if event.layer or event.stimulus in self._moves)

    def is_open(self, state: int) -> bool:
        return self._runs.is_open(state)

    def open_groups(self, state: int) -> Sequence[Sequence[Edge]]:
        return self._runs.open_groups(state)

    def is_end(self, state: int) -> bool:
        return not self.edges(state)

    def plain(self, state: int) -> int:
        return self._runs.plain(state)

    def name(self, state: int) -> str:
        return self._runs.name(state)


class LineRuns:
    """One run and nothing else: a recorded trace. Each state but the last has one edge."""

    def __init__(self, events: Sequence[Event], names: Sequence[str]) -> None:
        self.events = list(events)
        self._names = (*names, "the end of the trace")

    @property
    def start(self) -> int:
        return 0

    def is_open(self, state: int) -> bool:
        return False

    def open_groups(self, state: int) -> tuple[tuple[Edge, ...], ...]:
        return ()

    def edges(self, state: int) -> tuple[Edge, ...]:
        return ((state, state + 1),) if state < len(self.events) else ()

    def is_end(self, state: int) -> bool:
        return not self.edges(state)

    def plain(self, state: int) -> int:
        return state

    def name(self, state: int) -> str:
        return self._names[state]


def injected_by_self(table: Table, state: int) -> bool:
    """Whether the packet before this layer is one that a callout has sent itself."""
    here = table.states[state]
    own = ("injected", "self") in STIMULI[here.stimulus].attributes
    clone = here.position.startswith("receive.") and not here.position.startswith("receive.complete")
    return own or (here.stimulus == "complete" and clone)
