"""Ways through the machine with permit at every layer: what the text and Mermaid pictures are made of.

Nothing is listed here but which endpoint does what after which set-up; the layers come from the compiled table.
"""

from __future__ import annotations

from dataclasses import dataclass

from fsm.choices import Config
from fsm.names import IDLE, Verdict
from fsm.table import Step, Table, compile_table


@dataclass(frozen=True, slots=True)
class Walk:
    """One stimulus from one state: its steps with permit everywhere, the state it began in and the one it ends in."""

    stimulus: str
    from_state: str
    to_state: str
    steps: tuple[Step, ...]

    @property
    def classified(self) -> tuple[Step, ...]:
        """The steps that a layer sees."""
        return tuple(step for step in self.steps if step.layer)


# The columns of the packet path: group, heading, endpoint, set-up, stimulus.
PACKET_WAYS: tuple[tuple[str, str, str, tuple[str, ...], str], ...] = (
    ("", "bind", "sender", (), "bind"),
    ("sendto", "first", "sender", ("bind",), "sendto"),
    ("sendto", "later", "sender", ("bind", "sendto"), "sendto"),
    ("sendto", "again", "sender", ("bind", "sendto", "policy_change"), "sendto"),
    ("datagram", "first", "receiver", ("bind",), "datagram"),
    ("datagram", "later", "receiver", ("bind", "datagram"), "datagram"),
    ("datagram", "again", "receiver", ("bind", "datagram", "policy_change"), "datagram"),
    ("ICMP", "error", "sender", ("bind", "sendto"), "icmp_error"),
    ("no", "socket", "dropped_port", (), "datagram"),
    ("", "close", "sender", ("bind",), "close"),
)


def walk(table: Table, state: int, stimulus: str) -> Walk | None:
    """The walk of a stimulus from an idle state; None where it is not possible there."""
    event = table.event_ids[stimulus]
    if table.next_or_none(state, event) < 0:
        return None
    steps = [table.recorded(state, event)]
    at = table.step(state, event)
    permit = table.event_ids[Verdict.PERMIT]
    while table.layer(at) is not None:
        steps.append(table.recorded(at, permit))
        at = table.step(at, permit)
    return Walk(stimulus, table.name_of(state), table.name_of(at), tuple(steps))


def packet_ways(config: Config) -> list[tuple[str, str, Walk]]:
    """The ways of the packet path with their group and heading; those that this configuration has."""
    ways = []
    for group, heading, endpoint, setup, stimulus in PACKET_WAYS:
        table = compile_table(endpoint, config)
        at = table.start
        for before in setup:
            at = _end(table, at, before)
        way = walk(table, at, stimulus)
        if way is not None:
            ways.append((group, heading, way))
    return ways


def endpoint_walks(table: Table) -> list[Walk]:
    """Every walk between idle states of an endpoint, by stimulus in the order of the view."""
    idle = [number for number, state in enumerate(table.states) if state.position == IDLE]
    found = (walk(table, state, stimulus) for stimulus in table.view.stimuli for state in idle)
    return [way for way in found if way is not None]


def _end(table: Table, state: int, stimulus: str) -> int:
    way = walk(table, state, stimulus)
    return state if way is None else table.names.index(way.to_state)
