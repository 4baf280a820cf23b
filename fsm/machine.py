"""The live machine: the same rows as a `transitions` machine, and an endpoint that runs on it.

The only module that imports `transitions`.
"""

from __future__ import annotations

from typing import Any

from transitions import Machine, MachineError

from fsm.choices import Config, default_config
from fsm.endpoint import Endpoint
from fsm.names import VERDICTS
from fsm.table import Step, Table, compile_table


class Model:
    """What the machine moves: its `state` is a state name, and each event is a method (`model.bind()`)."""

    state: str

    def __getattr__(self, name: str) -> Any:
        # The methods are added by `transitions`; this is here for type checkers and for a plain message.
        raise AttributeError(f"no event or attribute named {name!r}")


def build_machine(table: Table, model: object | None = None) -> Machine:
    """A `transitions.Machine` with one transition for each cell of the table.

    Parameters
    ----------
    table : the compiled endpoint.
    model : the object that gets `state` and the trigger methods; a new `Model` by default (`machine.models[0]`).

    Events are the stimuli and the verdicts that the endpoint knows. There are no automatic transitions: `to_X`
    would skip the rules.
    """
    transitions = [
        {"trigger": event, "source": table.names[state], "dest": table.names[table.next_or_none(state, number)]}
        for state in range(len(table.states))
        for number, event in enumerate(table.events)
        if table.next_or_none(state, number) >= 0
    ]
    used = {entry["trigger"] for entry in transitions}
    machine = Machine(
        model=model if model is not None else Model(),
        states=list(table.names),
        transitions=transitions,
        initial=table.names[table.start],
        auto_transitions=False,
    )
    for event in (*table.view.stimuli, *VERDICTS):
        if event not in used:
            # Known to the endpoint, possible nowhere in this configuration: refused, not unknown.
            machine.add_transition(event, [], table.names[table.start])
    return machine


class LiveEndpoint(Endpoint):
    """An `Endpoint` whose state is held by a `transitions` machine, with the callouts of its layers.

    The callouts of a layer are called first, then the machine is triggered with their verdict: an exception of a
    callout leaves the machine where it was.
    """

    def __init__(self, endpoint: str, config: Config | None = None, *, table: Table | None = None) -> None:
        super().__init__(endpoint, config, table=table or compile_table(endpoint, config or default_config()))
        self.model = Model()
        self.machine = build_machine(self.table, self.model)
        self._numbers = {name: number for number, name in enumerate(self.table.names)}

    def advance(self, event: int) -> Step:
        before, name = self.state, self.table.events[event]
        try:
            self.model.trigger(name)
        except MachineError:
            raise self.table.refused(before, name) from None
        self.state = self._numbers[self.model.state]
        step = self.table.recorded(before, event)
        self.trace.append(step)
        if step.ops or step.flags or step.stimulus in ("connect", "connect_other", "complete"):
            self._operate(step)
        return step

    def _place(self, state: int) -> None:
        self.state = state
        self.machine.set_state(self.table.names[state], self.model)
