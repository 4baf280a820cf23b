"""An endpoint with model time: seconds pass while it is idle, clocks are capped where they no longer matter.

Stimuli and classifies take no time. A flow without a packet for 60 s ends, the 4 s of a group datagram end, both by
themselves and at once when their time has come, as `Endpoint.wait` has it (the flow first, where both are due); they
do not happen at other moments. So a clock beyond its limit is never needed: states stay finite, and nothing is lost
by capping. A wait of several seconds is as many single ones.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from fsm.claims.decide import Path
from fsm.claims.quotient import classes, labelled
from fsm.claims.runs import TICK_EVENT, Edge, Event, TableRuns, cost_of
from fsm.endpoint import GROUP_LIFETIME_S, UNICAST_LIFETIME_S

NOT_RUNNING = -1
BY_THE_CLOCK: tuple[str, ...] = ("idle_timeout", "window_timeout")


class ReducedRuns:
    """The runs of a table with one state for all that a pattern and the clocks cannot tell apart.

    `letter` is what a pattern reads for an event, by number. The state that stands for a class is one of the table.
    """

    def __init__(self, runs: TableRuns, letter: Callable[[int], Hashable]) -> None:
        self.table, self.events, self._runs, self._letter = runs.table, runs.events, runs, letter
        registers = self.table.view.registers
        self._flow = registers.index("flow") if "flow" in registers else None
        self._window = registers.index("window") if "window" in registers else None
        order, graph = labelled(runs.start, runs.edges, lambda event, target: self.label(event), self._kind)
        numbers = classes(graph)
        first: dict[int, int] = {}
        for state, number in zip(order, numbers, strict=True):
            first.setdefault(number, state)
        self._stands_for = {state: first[number] for state, number in zip(order, numbers, strict=True)}
        self._edges: dict[int, tuple[Edge, ...]] = {}

    @property
    def start(self) -> int:
        return self.class_of(self._runs.start)

    def class_of(self, state: int) -> int:
        """The state that stands for this one."""
        return self._stands_for[state]

    def label(self, event: int) -> Hashable:
        """All that matters of an event: what the pattern reads, its cost, and what it does to the clocks."""
        happens = self.events[event]
        ops = happens.step.ops if happens.step else ()
        clocks = ("create_flow" in ops or "touch" in ops, "touch_window" in ops)
        by_the_clock = happens.move if happens.move in BY_THE_CLOCK else ""
        return self._letter(event), cost_of(happens), clocks, by_the_clock

    def _kind(self, state: int) -> Hashable:
        registers, policy = self.table.states[state].registers, self._runs.policy
        if self.table.layer(state) is not None:
            # Open questions are asked in its name.
            is_choice = bool(self._runs.open_groups(state))
            asked = policy.at(state).question if policy and is_choice else ""
            return is_choice, self._runs.is_open(state), asked
        idle = self._flow is None or registers[self._flow] == "NONE"
        return idle, self._window is None or registers[self._window] == "closed"

    def edges(self, state: int) -> tuple[Edge, ...]:
        found = self._edges.get(state)
        if found is None:
            kept: dict[Hashable, Edge] = {}
            for event, target in self._runs.edges(state):
                to = self.class_of(target)
                kept.setdefault((self.label(event), to), (event, to))
            found = self._edges[state] = tuple(kept.values())
        return found

    def is_open(self, state: int) -> bool:
        return self._runs.is_open(state)

    def open_groups(self, state: int) -> tuple[tuple[Edge, ...], ...]:
        return (self.edges(state),) if self._runs.open_groups(state) else ()


class TimedRuns:
    """The runs of an endpoint with its clocks; states are made as they are met."""

    def __init__(
        self,
        runs: TableRuns | ReducedRuns,
        lifetime_s: int = UNICAST_LIFETIME_S,
        group_lifetime_s: int = GROUP_LIFETIME_S,
    ) -> None:
        self._runs = runs
        self.limits = (lifetime_s, group_lifetime_s)
        self._table = table = runs.table
        self.events: list[Event] = runs.events
        self.tick = len(self.events)
        self.events.append(TICK_EVENT)
        self._keys: list[tuple[int, int, int]] = []
        self._ids: dict[tuple[int, int, int], int] = {}
        self._edges: dict[int, tuple[Edge, ...]] = {}
        registers = table.view.registers
        self._flow = registers.index("flow") if "flow" in registers else None
        self._window = registers.index("window") if "window" in registers else None
        self._start = self._number(runs.start, NOT_RUNNING, NOT_RUNNING)

    @property
    def start(self) -> int:
        return self._start

    def is_open(self, state: int) -> bool:
        return self._runs.is_open(self.plain(state))

    def open_groups(self, state: int) -> tuple[tuple[Edge, ...], ...]:
        return (self.edges(state),) if self._runs.open_groups(self.plain(state)) else ()

    def is_end(self, state: int) -> bool:
        return not self._runs.edges(self.plain(state))

    def plain(self, state: int) -> int:
        """The state of the table, without clocks."""
        return self._keys[state][0]

    def name(self, state: int) -> str:
        return self._table.name_of(self.plain(state))

    def edges(self, state: int) -> tuple[Edge, ...]:
        found = self._edges.get(state)
        if found is None:
            found = self._edges[state] = self._make(state)
        return found

    def _make(self, state: int) -> tuple[Edge, ...]:
        plain, idle, window = self._keys[state]
        found: list[Edge] = []
        due = self._due(plain, idle, window)
        for event, target in self._runs.edges(plain):
            name = self.events[event].move
            if (name in BY_THE_CLOCK and name != due) or (due and name != due):
                continue
            found.append((event, self._after(event, target, idle, window)))
        if self._table.layer(plain) is None and not due:
            found.append((self.tick, self._number(plain, _older(idle), _older(window))))
        return tuple(found)

    def lift(self, path: Path, whole: TimedRuns) -> Path:
        """A path of these reduced runs as one of the whole."""
        reduced = self._runs
        assert isinstance(reduced, ReducedRuns), "only what was reduced is lifted"
        lifted: list[Edge] = []
        state = whole.start
        for event, target in path:
            if event == self.tick:
                state = next(to for number, to in whole.edges(state) if number == whole.tick)
                lifted.append((whole.tick, state))
                continue
            wanted = reduced.label(event), self.plain(target)
            number, state = next(
                (number, to)
                for number, to in whole.edges(state)
                if number != whole.tick and (reduced.label(number), reduced.class_of(whole.plain(to))) == wanted
            )
            lifted.append((number, state))
        return tuple(lifted)

    def _due(self, plain: int, idle: int, window: int) -> str:
        """What the clock brings now, before anything else can happen; not what was left out of what can happen."""
        if self._table.layer(plain) is not None:
            return ""
        for name, clock, limit in zip(BY_THE_CLOCK, (idle, window), self.limits, strict=True):
            if clock >= limit and any(self.events[event].move == name for event, _ in self._runs.edges(plain)):
                return name
        return ""

    def _after(self, event: int, target: int, idle: int, window: int) -> int:
        step = self.events[event].step
        ops = step.ops if step else ()
        if "create_flow" in ops or "touch" in ops:
            idle = 0
        if "touch_window" in ops:
            window = 0
        return self._number(target, idle, window)

    def _number(self, plain: int, idle: int, window: int) -> int:
        registers = self._table.states[plain].registers
        # A clock matters while what it ends is there; a touch of a flow that is only being made counts as well.
        if self._flow is None or (registers[self._flow] == "NONE" and self._table.layer(plain) is None):
            idle = NOT_RUNNING
        if self._window is None or (registers[self._window] != "open" and self._table.layer(plain) is None):
            window = NOT_RUNNING
        key = (plain, min(idle, self.limits[0]), min(window, self.limits[1]))
        number = self._ids.get(key)
        if number is None:
            number = self._ids[key] = len(self._keys)
            self._keys.append(key)
        return number


def _older(clock: int) -> int:
    return clock if clock == NOT_RUNNING else clock + 1
