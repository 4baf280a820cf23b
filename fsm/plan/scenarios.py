"""Walks as scenarios: every stimulus of a walk is run on an endpoint, and what it does is what is expected."""

from __future__ import annotations

from collections.abc import Iterator

from fsm.aside import aside
from fsm.endpoint import Endpoint
from fsm.names import VERDICTS
from fsm.plan.cover import Cover, Walk
from fsm.scenarios.model import Do, Expectation, ExpectedLayer, Scenario, Spot
from fsm.scenarios.write import expected_of
from fsm.table import Table

_NOWHERE = Spot("", 0)
NAMES = {"sender": "s", "receiver": "r", "dropped_port": "p"}


def scenarios_of(table: Table, plan: Cover) -> Iterator[Scenario]:
    """One scenario for each walk, with title, answers and everything that is then expected."""
    name = NAMES[table.view.name]
    for number, walk in enumerate(plan.walks, 1):
        title = f"{table.view.name} {plan.goal} {number} of {len(plan.walks)}"
        with aside():
            actions = tuple(_actions(table, walk, name))
        yield Scenario(title, _NOWHERE, table.config, ((name, table.view.name),), actions)


def _actions(table: Table, walk: Walk, name: str) -> Iterator[Do]:
    endpoint = Endpoint(table.view.name, table.config, table=table)
    tried: dict[int, list[str]] = {}
    for index, event in walk.trials:
        tried.setdefault(index, []).append(event)
    index = 0
    while index < len(walk.cells) or index in tried:
        for event in tried.pop(index, ()):  # nothing is in progress here: stimuli that are refused
            yield _refusal(endpoint, name, event)
        if index == len(walk.cells):
            break
        end = _end_of(table, walk, index)
        inside = [at for at in tried if index < at < end]
        yield _stimulus(endpoint, walk, index, end, name, {at: tried.pop(at) for at in inside})
        index = end


def _end_of(table: Table, walk: Walk, index: int) -> int:
    """The index behind the last verdict of the stimulus that begins here."""
    end = index + 1
    while end < len(walk.cells) and table.events[walk.cells[end][1]] in VERDICTS:
        end += 1
    return end


def _refusal(endpoint: Endpoint, name: str, event: str) -> Do:
    why = endpoint.table.why_not(endpoint.state, event)
    return Do(_NOWHERE, endpoint.now_s, name, event, expects=(Expectation("refused", _NOWHERE, text=_part(why)),))


def _stimulus(endpoint: Endpoint, walk: Walk, index: int, end: int, name: str, tried: dict[int, list[str]]) -> Do:
    """One stimulus of the walk with its verdicts; a verdict that is tried must be refused before the next is given."""
    events = [endpoint.table.events[event] for _, event in walk.cells[index:end]]
    record = endpoint.begin(events[0])
    answers: list[ExpectedLayer] = []
    for at, event in enumerate(events[1:], index + 1):
        layer = endpoint.context().layer.fwpm_name
        answers += [ExpectedLayer(layer, refused, (), _NOWHERE, refused=True) for refused in tried.get(at, ())]
        answers.append(ExpectedLayer(layer, event, (), _NOWHERE))
        endpoint.decide(event, record)
    plain = all(answer.verdict == "permit" for answer in answers)
    expects = expected_of(record, _registers(endpoint))
    if not plain:  # the answers name the layers already
        expects = tuple(expectation for expectation in expects if expectation.kind != "layers")
    return Do(_NOWHERE, endpoint.now_s, name, events[0], answers=() if plain else tuple(answers), expects=expects)


def _registers(endpoint: Endpoint) -> list[tuple[str, str]]:
    table = endpoint.table
    return [(register, table.register(endpoint.state, register)) for register in table.view.registers]


def _part(why: str) -> str:
    """A part of a reason that fits between quotation marks and on a line."""
    return why.partition('"')[0][:120]
