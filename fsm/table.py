"""Compile the rows once for one machine: check, enumerate, freeze; then only look-ups on integers.

A state is the registers of an endpoint and a cursor: nothing in progress, or which stimulus is being worked off and
before which position it stands. The stimulus is the return address, so an implicit bind needs no copy of the bind
rows. States are numbered in the order in which breadth-first search from the start meets them, events in table
order: equal rows give equal numbers on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from fsm import catalogue
from fsm.checks import check_rows
from fsm.choices import CHOICES, Config
from fsm.errors import NoTransition, TableError, UnknownName
from fsm.names import DONE, IDLE, VERDICTS, WINDOWS, Verdict
from fsm.rows import Discard, Row, VerdictRefusal
from fsm.rules import FLAG_WINDOWS, RULES, SETTING_FLAGS, VERDICT_REFUSALS
from fsm.stimuli import STIMULI, STIMULUS_ALIASES, VIEWS, View

NO_ROW = -1

# Guards on registers: (index of the register, allowed values).
_Guards = tuple[tuple[int, tuple[str, ...]], ...]
# The rows that can fit at a position during a stimulus, by event in event order: (event's number, its name,
# [(row's number, guards on registers)]).
_Cells = list[tuple[int, str, list[tuple[int, _Guards]]]]


@dataclass(frozen=True, slots=True)
class State:
    """One state of an endpoint: register values in the order of the view, and the cursor (empty when idle)."""

    registers: tuple[str, ...]
    stimulus: str = ""
    position: str = IDLE


@dataclass(frozen=True, slots=True)
class Step:
    """One step that was taken, with everything a reader needs to trace it back to its row.

    `layer` is the full FWPM name ("" for a step that no layer sees), `verdict` is "" for a stimulus. `logged` holds
    Security event ids. States are written as `Table.name_of` writes them.
    """

    stimulus: str
    position: str
    event: str
    verdict: str
    layer: str
    runtime_id: int | None
    from_state: str
    to_state: str
    rule: str
    basis: str
    cite: tuple[str, ...]
    flags: tuple[str, ...]
    discard: Discard | None
    ops: tuple[str, ...]
    outcome: str
    application_sees: str
    remote_sees: str
    logged: tuple[int, ...]
    note: str


class Table:
    """The compiled machine of one endpoint in one configuration. Immutable; made by `compile_table`."""

    def __init__(self, view: View, config: Config, rows: tuple[Row, ...]) -> None:
        self.view = view
        self.config = config
        self.rows = rows
        self.events: tuple[str, ...] = (*view.stimuli, *VERDICTS)
        self.event_ids: dict[str, int] = {name: index for index, name in enumerate(self.events)}
        self._register_index = {name: index for index, name in enumerate(view.registers)}
        self.states: list[State] = []
        self._numbers: dict[tuple[tuple[str, ...], str, str], int] = {}  # by the fields of a state
        self._next: list[list[int]] = []
        self._row: list[list[int]] = []
        self._steps: list[list[Step | None]] = []
        self._layers: list[catalogue.Layer | None] = []
        self._flags: list[tuple[str, ...]] = []
        self._flags_made: dict[tuple[tuple[str, ...], str], tuple[str, ...]] = {}
        self._positions: set[str] = set()
        self._explore()

    @cached_property
    def state_ids(self) -> dict[State, int]:
        """{state: its number}."""
        return {state: number for number, state in enumerate(self.states)}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of every state, in their order; not made before someone asks for all of them."""
        return tuple(self._name(state) for state in self.states)

    # -- look-ups -------------------------------------------------------------------------------------------------

    @property
    def start(self) -> int:
        """The number of the start state."""
        return 0

    def step(self, state: int, event: int) -> int:
        """The next state's number.

        Raises
        ------
        NoTransition : saying why, and what is possible there.
        """
        target = self._next[state][event]
        if target < 0:
            raise self.refused(state, self.events[event])
        return target

    def next_or_none(self, state: int, event: int) -> int:
        """The next state's number, `NO_ROW` where nothing is possible."""
        return self._next[state][event]

    def row_index(self, state: int, event: int) -> int:
        """The index in `rows` of the row for this cell, `NO_ROW` where there is none."""
        return self._row[state][event]

    def cells(self, state: int) -> Iterator[tuple[int, int, int]]:
        """What is possible in a state, in table order: numbers of event, next state and row (in `rows`)."""
        rows = self._row[state]
        return ((event, target, rows[event]) for event, target in enumerate(self._next[state]) if target >= 0)

    def layer(self, state: int) -> catalogue.Layer | None:
        """The layer that is classified next in this state; None when idle."""
        return self._layers[state]

    def flags(self, state: int) -> tuple[str, ...]:
        """The classify flags that the layer of this state is called with."""
        return self._flags[state]

    def moves(self, state: int) -> tuple[str, ...]:
        """What is possible: stimuli when idle, verdicts before a layer, in table order."""
        return tuple(event for event, target in zip(self.events, self._next[state], strict=True) if target >= 0)

    def name_of(self, state: int) -> str:
        """`BOUND/OUT`, or `BOUND/NONE sendto@send.authorize` in the middle of a stimulus."""
        return self._name(self.states[state])

    def recorded(self, state: int, event: int) -> Step:
        """The `Step` of a cell that has a row; built once, then shared."""
        step = self._steps[state][event]
        if step is None:
            step = self._steps[state][event] = self._make_step(state, event)
        return step

    def register(self, state: int, name: str) -> str:
        """The value of one register in this state."""
        return self.states[state].registers[self.view.registers.index(name)]

    def with_registers(self, state: int, **values: str) -> int:
        """The number of the state that differs in these registers only.

        Raises
        ------
        KeyError : this combination cannot be reached.
        """
        here = self.states[state]
        registers = tuple(
            values.get(name, value) for name, value in zip(self.view.registers, here.registers, strict=True)
        )
        return self._numbers[registers, here.stimulus, here.position]

    def stimulus(self, given: str, where: str) -> str:
        """The name of a stimulus, its aliases resolved.

        Raises
        ------
        UnknownName : this endpoint is not offered such a stimulus.
        """
        name = given.strip().lower().replace("-", "_").replace(" ", "_")
        name = STIMULUS_ALIASES.get(name, name)
        if name not in self.view.stimuli:
            if name in STIMULI:
                raise NoTransition(
                    where,
                    f"'{given}' does not happen to {self.view.name} ({self.view.text})",
                    f"Possible: {', '.join(self.view.stimuli)}",
                )
            raise UnknownName.of(where, "stimulus", given, (*self.view.stimuli, "wait:SECONDS"))
        return name

    # -- why not --------------------------------------------------------------------------------------------------

    def refused(self, state: int, event: str, where: str = "") -> NoTransition:
        """The error for something that is not possible: what was asked, where, why not, what is possible."""
        moves = ", ".join(self.moves(state)) or "nothing, this is the end"
        return NoTransition(
            where or self.view.name,
            f"'{event}' is not possible in state {self.name_of(state)}: {self.why_not(state, event)}",
            f"Possible here: {moves}",
        )

    def why_not(self, state: int, event: str) -> str:
        """The reason for which a cell has no row; empty when it has one."""
        if self._next[state][self.event_ids[event]] >= 0:
            return ""
        here, layer = self.states[state], self._layers[state]
        if event in VERDICTS:
            if layer is None:
                return "no layer is being classified, so there is no verdict to give"
            return self._why_no_verdict(state, layer, event)
        if layer is not None:
            return f"{here.stimulus} is in progress and waits for the verdict of {layer.fwpm_name}"
        rows = [row for row in self.rows if row.at == IDLE and row.event == event]
        if not rows:
            return f"no rule knows it on Windows {self.config.windows}"
        # The row that is nearest to fitting; of several the one that fails at the foremost register.
        order = (*self.view.registers, "stimulus")
        failed = min(
            (self._failed_guards(row, here) for row in rows),
            key=lambda guards: (
                len(guards),
                [order.index(name) if name in order else len(order) for name, _ in guards],
            ),
        )
        needs = " and ".join(f"{name} {' or '.join(values)}" for name, values in failed)
        have = ", ".join(f"{name} {self._value(name, here)}" for name, _ in failed)
        return f"it needs {needs}; here: {have}"

    def refusals(self, state: int) -> tuple[tuple[str, str], ...]:
        """Each event that is not possible in this state, with its reason, in table order."""
        return tuple((event, why) for event in self.events if (why := self.why_not(state, event)))

    def _why_no_verdict(self, state: int, layer: catalogue.Layer, verdict: str) -> str:
        refusal = refusal_of(layer, verdict, self._flags[state])
        if refusal is not None:
            return f"{layer.fwpm_name} does not take it: {refusal.why} ({', '.join(refusal.cite)})"
        here = self.states[state]
        if verdict in (Verdict.PEND, Verdict.REDIRECT) and any(
            row.layer == layer.stem and row.event == verdict for row in self.rows
        ):
            return f"{verdict} at {layer.fwpm_name} is not modelled for {here.stimulus} at {here.position}"
        if verdict == Verdict.PEND:
            return f"{layer.fwpm_name} has no rule for it; pending there: {layer.may_pend}"
        if verdict == Verdict.REDIRECT:
            return f"{layer.fwpm_name} has no rule for it; redirecting there: {layer.may_redirect}"
        return f"{layer.fwpm_name} has no rule for the verdict {verdict}"

    def _value(self, name: str, state: State) -> str:
        return guard_value(name, self.view, state)

    def _failed_guards(self, row: Row, state: State) -> list[tuple[str, tuple[str, ...]]]:
        return [(name, values) for name, values in row.when if self._value(name, state) not in values]

    # -- building -------------------------------------------------------------------------------------------------

    def _explore(self) -> None:
        self._positions = {row.at for row in self.rows}
        by_position = self._by_position()
        cells: dict[tuple[str, str], _Cells] = {}
        layers: dict[tuple[int, ...], tuple[catalogue.Layer | None, tuple[str, ...]]] = {}
        self._add((self.view.start(), "", IDLE))
        done = 0
        while done < len(self.states):
            state, row, following = self.states[done], self._row[done], self._next[done]
            registers, here = state.registers, (state.position, state.stimulus)
            if here not in cells:
                cells[here] = self._cells(*here, by_position.get(state.position, {}))
            fits: list[int] = []
            for event_id, event, candidates in cells[here]:
                found = NO_ROW
                for index, guards in candidates:
                    for register, values in guards:
                        if registers[register] not in values:
                            break
                    else:
                        if found != NO_ROW:
                            raise self._second_row(state, event, self.rows[found], self.rows[index])
                        found = index
                if found != NO_ROW:
                    fits.append(found)
                    row[event_id] = found
                    following[event_id] = self._add(self._target(state, event, self.rows[found]))
            # Rows that stand at one position name its layer and flags: the same rows, the same answer.
            same = tuple(fits)
            made = layers.get(same) if fits else None
            if made is None:
                layer = self._layer_before(done)
                made = layers[same] = layer, self._flags_of(done, layer)
            self._layers.append(made[0])
            self._flags.append(made[1])
            done += 1

    def _second_row(self, state: State, event: str, first: Row, second: Row) -> TableError:
        return TableError(
            f"rules, row {second.key}",
            f"second row for {self._name(state)} and '{event}' (first is {first.key})",
            fix="Remove one, or give each its own guards",
        )

    def _by_position(self) -> dict[str, dict[str, list[int]]]:
        """{position: {event: numbers of its rows}}, events in their order."""
        found: dict[str, dict[str, list[int]]] = {}
        for index, row in enumerate(self.rows):
            if row.event in self.event_ids:  # else a stimulus that this endpoint is not offered
                found.setdefault(row.at, {}).setdefault(row.event, []).append(index)
        return {at: dict(sorted(events.items(), key=self._event_order)) for at, events in found.items()}

    def _event_order(self, item: tuple[str, object]) -> int:
        return self.event_ids[item[0]]

    def _cells(self, position: str, stimulus: str, by_event: dict[str, list[int]]) -> _Cells:
        """The rows that can fit at a position, of those guards that are about the stimulus only where they hold."""
        cells: _Cells = []
        for event, numbers in by_event.items():
            during = State((), event if position == IDLE else stimulus, position)
            ready: list[tuple[int, _Guards]] = []
            for number in numbers:
                guards = self.rows[number].when
                about = [(name, values) for name, values in guards if name not in self._register_index]
                if all(guard_value(name, self.view, during) in values for name, values in about):
                    own = ((self._register_index.get(name, NO_ROW), values) for name, values in guards)
                    ready.append((number, tuple((index, values) for index, values in own if index != NO_ROW)))
            if ready:
                cells.append((self.event_ids[event], event, ready))
        return cells

    def _add(self, state: tuple[tuple[str, ...], str, str]) -> int:
        number = self._numbers.setdefault(state, len(self.states))
        if number == len(self.states):
            self.states.append(State(*state))
            count = len(self.events)
            self._next.append([NO_ROW] * count)
            self._row.append([NO_ROW] * count)
            self._steps.append([None] * count)
        return number

    def _target(self, state: State, event: str, row: Row) -> tuple[tuple[str, ...], str, str]:
        registers = state.registers
        if row.sets:
            changed = list(registers)
            for name, value in row.sets:
                changed[self._register_index[name]] = value
            registers = tuple(changed)
        if row.next == DONE:
            return registers, "", IDLE
        if row.next not in self._positions:
            raise TableError(
                f"rules, row {row.key}",
                f"no row stands at its next position '{row.next}' in this configuration",
                fix="Add rows for that position, or give this row the choices and Windows range of the position",
            )
        return registers, event if state.position == IDLE else state.stimulus, row.next

    def _layer_before(self, number: int) -> catalogue.Layer | None:
        if self.states[number].position == IDLE:
            return None
        layers = {(row.layer, row.ip or self.config.ip) for row in self._rows_here(number)}
        if len(layers) != 1:
            raise TableError(
                f"rules, position {self.states[number].position}",
                f"its rows name {len(layers)} layers" if layers else f"no row fits {self._name(self.states[number])}",
                fix="A position stands before exactly one layer",
            )
        stem, ip = layers.pop()
        assert stem is not None
        return catalogue.layer_of(stem, ip)

    def _rows_here(self, number: int) -> list[Row]:
        return [self.rows[index] for index in self._row[number] if index != NO_ROW]

    def _flags_of(self, number: int, layer: catalogue.Layer | None) -> tuple[str, ...]:
        if layer is None:
            return ()
        own = {row.flags for row in self._rows_here(number)}
        if len(own) != 1:
            where = f"rules, {self._name(self.states[number])}"
            raise TableError(where, f"its rows disagree on the flags: {sorted(own)}")
        return self._with_settings(own.pop(), layer.stem.removesuffix("_DISCARD"))

    def _with_settings(self, flags: tuple[str, ...], stem: str) -> tuple[str, ...]:
        found = self._flags_made.get((flags, stem))
        if found is None:
            by_setting = (
                setting.flag
                for setting in SETTING_FLAGS
                if self.config.choice(setting.choice) == setting.option
                and stem in setting.layers
                and WINDOWS.index(setting.since) <= WINDOWS.index(self.config.windows)
            )
            found = tuple(flag for flag in dict.fromkeys((*flags, *by_setting)) if self._has_flag(flag))
            self._flags_made[flags, stem] = found
        return found

    def _has_flag(self, flag: str) -> bool:
        since, until = FLAG_WINDOWS.get(flag, ("vista", ""))
        return WINDOWS.index(since) <= WINDOWS.index(self.config.windows) <= WINDOWS.index(until or WINDOWS[-1])

    def _name(self, state: State) -> str:
        values = dict(zip(self.view.registers, state.registers, strict=True))
        parts = [values["socket"]] if "socket" in values else ["NO_SOCKET"]
        if values.get("connected", "no") != "no":
            parts.append("connected" if values["connected"] == "this" else "connected_other")
        window = values.get("window", "closed")
        if window != "closed":
            parts.append("window" if window == "open" else f"group_{window}")
        if "flow" in values:
            parts.append(values["flow"])
        return "/".join(parts) + (f" {state.stimulus}@{state.position}" if state.stimulus else "")

    def _make_step(self, state: int, event: int) -> Step:
        row, here = self.rows[self._row[state][event]], self.states[state]
        layer, name = self._layers[state], self.events[event]
        return Step(
            stimulus=here.stimulus or name,
            position=here.position,
            event=name,
            verdict=name if layer else "",
            layer=layer.fwpm_name if layer else "",
            runtime_id=layer.runtime_id if layer else None,
            from_state=self.name_of(state),
            to_state=self.name_of(self._next[state][event]),
            rule=row.key,
            basis=str(row.basis),
            cite=row.cite,
            flags=self._flags[state],
            discard=row.discard,
            ops=row.ops,
            outcome=row.outcome,
            application_sees=row.application_sees,
            remote_sees=row.remote_sees,
            logged=row.logged,
            note=row.note,
        )


def refusal_of(layer: catalogue.Layer, verdict: str, flags: Iterable[str] = ()) -> VerdictRefusal | None:
    """Why a layer that is called with these flags does not take a verdict; None where no reason is written down."""
    for refusal in VERDICT_REFUSALS:
        meant = layer.stem in refusal.layers or ("*_DISCARD" in refusal.layers and layer.is_discard)
        if refusal.verdict == verdict and meant and (not refusal.flag or refusal.flag in flags):
            return refusal
    return None


def is_idle(name: str) -> bool:
    """Whether no stimulus is in progress in a state of this name (of `Table.name_of`)."""
    return " " not in name


def beginning(state: State, stimulus: str) -> State:
    """An idle state as guards see it while this stimulus begins."""
    return State(state.registers, stimulus, state.position)


def guard_value(name: str, view: View, state: State) -> str:
    """What a guard asks for: a register, the stimulus in progress, or an attribute of that stimulus."""
    if name in view.registers:
        return state.registers[view.registers.index(name)]
    if name == "stimulus":
        return state.stimulus
    stimulus = STIMULI.get(state.stimulus)
    return dict(stimulus.attributes).get(name, "") if stimulus else ""


def rows_of(view: View, config: Config, rows: Iterable[Row] = RULES) -> tuple[Row, ...]:
    """The rows that stand for this endpoint, on this Windows, under these choices."""
    chosen = {name: config.choice(name) for name in CHOICES}
    return tuple(
        row
        for row in rows
        if row.scope in view.scopes
        and row.on_windows(config.windows)
        and all(chosen[name] in options for name, options in row.choices)
    )


@lru_cache(maxsize=1)
def _check_rules() -> None:
    check_rows(RULES)


@lru_cache(maxsize=512)
def compile_table(endpoint: str, config: Config) -> Table:
    """The table of one endpoint (`sender`, `receiver`, `dropped_port`) in one configuration; shared and immutable.

    Raises
    ------
    UnknownName : no such endpoint.
    TableError : the rows contradict each other or name something unknown.
    """
    if endpoint not in VIEWS:
        raise UnknownName.of("table", "endpoint", endpoint, VIEWS)
    _check_rules()
    view = VIEWS[endpoint]
    return Table(view, config, rows_of(view, config))


def compile_rows(endpoint: str, config: Config, rows: Iterable[Row]) -> Table:
    """A table from other rows than the package's own: for tests that leave a row out, and for experiments."""
    kept = tuple(rows)
    check_rows(kept)
    view = VIEWS[endpoint]
    return Table(view, config, rows_of(view, config, kept))
