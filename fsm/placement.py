"""Where on the machine a recorded classify belongs: the state, the rule, what came before and what follows.

A log shows single classifies. The compiled table knows every state in which a layer can be asked, so a record is
placed on the state with the shortest way from the start that fits what the record tells.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import lru_cache

from fsm import catalogue
from fsm.choices import CHOICES, Config
from fsm.names import IDLE, Verdict
from fsm.rules import RULES
from fsm.table import Step, Table, compile_table

# The layers that any rule asks, with the verdicts that it knows there.
_ASKED = frozenset((row.layer, row.event) for row in RULES)


@dataclass(frozen=True, slots=True)
class Place:
    """One classify on the machine.

    `setup` are the stimuli that must have happened before, as words for `wfp-udp run`; `before` and `after` are the
    layers (full FWPM names) of the same stimulus before and after this one, the latter with permit from here on.
    """

    endpoint: str
    stimulus: str
    state: str
    to_state: str
    rule: str
    basis: str
    setup: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    cite: tuple[str, ...]
    outcome: str
    application_sees: str
    remote_sees: str
    note: str
    path: tuple[str, ...]  # rule keys of the stimulus, this step included


def place(
    runtime_id: int,
    verdict: str,
    *,
    endpoint: str = "",
    flow: str = "",
    stimulus: str = "",
    position: str = "",
    config: Config | None = None,
) -> Place | None:
    """The place of a classify at layer `runtime_id` with this verdict; None where the model has none.

    Parameters
    ----------
    runtime_id : a layer of the catalogue; its IP version overrides that of `config`.
    endpoint, flow, stimulus, position : what is known besides: "sender", a value of the flow register, "datagram",
        "send.complete" ...
    config : the machine that is meant; by default the evidence order is `observed`, since a log was read.
    """
    layer = catalogue.by_runtime_id(runtime_id)
    if (layer.stem, verdict) not in _ASKED:
        return None
    config = config or Config(evidence="observed")
    if layer.ip_version:
        config = replace(config, ip=layer.ip_version)
    return _place(layer.fwpm_name, verdict, endpoint, flow, stimulus, position, config)


@lru_cache(maxsize=4096)
def _place(
    layer: str, verdict: str, endpoint: str, flow: str, stimulus: str, position: str, config: Config
) -> Place | None:
    endpoints = (endpoint,) if endpoint else ("sender", "receiver", "dropped_port")
    for world in (config, *_other_worlds(config)):
        for name in endpoints:
            found = _shortest(compile_table(name, world), layer, verdict, flow, stimulus, position)
            if found is not None:
                return found
    return None


def _other_worlds(config: Config) -> list[Config]:
    """The configurations with one dispute decided otherwise: a record can prove that a world exists."""
    given = dict(config.assume)
    return [
        replace(config, assume=tuple({**given, name: option}.items()))
        for name, choice in CHOICES.items()
        if choice.kind == "dispute" and name not in given
        for option in choice.option_names()
        if option != config.choice(name)
    ]


def _shortest(table: Table, layer: str, verdict: str, flow: str, stimulus: str, position: str) -> Place | None:
    event = table.event_ids[verdict]
    for state, path in ways(table).items():
        here = table.layer(state)
        if here is None or here.fwpm_name != layer or table.row_index(state, event) < 0:
            continue
        if flow and "flow" in table.view.registers and table.register(state, "flow") != flow:
            continue
        if stimulus and table.states[state].stimulus != stimulus:
            continue
        if position and table.states[state].position != position:
            continue
        return _make(table, state, event, path)
    return None


@lru_cache(maxsize=64)
def ways(table: Table) -> dict[int, tuple[tuple[int, int], ...]]:
    """For each state the shortest way from the start: (state, event) pairs, states in order of distance."""
    found: dict[int, tuple[tuple[int, int], ...]] = {table.start: ()}
    queue = deque([table.start])
    while queue:
        state = queue.popleft()
        for event in range(len(table.events)):
            target = table.next_or_none(state, event)
            if target >= 0 and target not in found:
                found[target] = (*found[state], (state, event))
                queue.append(target)
    return found


def _make(table: Table, state: int, event: int, path: tuple[tuple[int, int], ...]) -> Place:
    begin = max(index for index, (at, _) in enumerate(path) if table.states[at].position == IDLE)
    step = table.recorded(state, event)
    same = [table.recorded(*cell) for cell in path[begin:]]
    follow = _follow(table, table.step(state, event))
    last = next((s for s in (*reversed(follow), step) if s.outcome), step)
    return Place(
        endpoint=table.view.name,
        stimulus=step.stimulus,
        state=step.from_state,
        to_state=step.to_state,
        rule=step.rule,
        basis=step.basis,
        setup=tuple(table.events[e] for at, e in path[:begin] if table.states[at].position == IDLE),
        before=tuple(s.layer for s in same if s.layer),
        after=tuple(s.layer for s in follow),
        cite=step.cite,
        outcome=last.outcome,
        application_sees=next((s.application_sees for s in (*reversed(follow), step) if s.application_sees), ""),
        remote_sees=next((s.remote_sees for s in (*reversed(follow), step) if s.remote_sees), ""),
        note=step.note,
        path=(*(s.rule for s in same), step.rule),
    )


def _follow(table: Table, state: int) -> list[Step]:
    steps = []
    permit = table.event_ids[Verdict.PERMIT]
    while table.layer(state) is not None:
        steps.append(table.recorded(state, permit))
        state = table.step(state, permit)
    return steps
