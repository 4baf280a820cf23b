"""An endpoint with model time: seconds pass while it is idle, clocks are capped where they no longer matter.

Stimuli and classifies take no time. A flow without a packet for 60 s ends, the 4 s of a group datagram end, both by
themselves and at once when their time has come, as `Endpoint.wait` has it (the flow first, where both are due); they
do not happen at other moments. So a clock beyond its limit is never needed: states stay finite, and nothing is lost
by capping. A wait of several seconds is as many single ones.
"""

from __future__ import annotations

from fsm.claims.runs import TICK_EVENT, Edge, Event, TableRuns
from fsm.endpoint import GROUP_LIFETIME_S, UNICAST_LIFETIME_S
from fsm.table import NO_ROW

NOT_RUNNING = -1
BY_THE_CLOCK: tuple[str, ...] = ("idle_timeout", "window_timeout")


class TimedRuns:
    """The runs of an endpoint with its clocks; states are made as they are met."""

    def __init__(self, runs: TableRuns) -> None:
        self._runs = runs
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
        self._start = self._number(table.start, NOT_RUNNING, NOT_RUNNING)

    @property
    def start(self) -> int:
        return self._start

    def is_open(self, state: int) -> bool:
        return False

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

    def _due(self, plain: int, idle: int, window: int) -> str:
        """What the clock brings now, before anything else can happen."""
        if self._table.layer(plain) is not None:
            return ""
        for name, clock, limit in zip(
            BY_THE_CLOCK, (idle, window), (UNICAST_LIFETIME_S, GROUP_LIFETIME_S), strict=True
        ):
            number = self._table.event_ids.get(name)
            if clock >= limit and number is not None and self._table.next_or_none(plain, number) != NO_ROW:
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
        key = (plain, min(idle, UNICAST_LIFETIME_S), min(window, GROUP_LIFETIME_S))
        number = self._ids.get(key)
        if number is None:
            number = self._ids[key] = len(self._keys)
            self._keys.append(key)
        return number


def _older(clock: int) -> int:
    return clock if clock == NOT_RUNNING else clock + 1
