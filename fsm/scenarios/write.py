"""Scenarios as files: the text that `parse` reads back as the same scenario."""

from __future__ import annotations

from collections.abc import Iterable

from fsm.endpoint import FIRST_PEER, StimulusRecord
from fsm.scenarios.model import Do, Expectation, ExpectedLayer, Scenario, SetVerdict, Spot, UsePolicy

_KINDS = {"sender": "socket {} is sender", "receiver": "socket {} is receiver", "dropped_port": "port {} is closed"}
_INBOUND = ("datagram", "datagram_group", "inject_receive", "icmp_error", "icmp_ttl")


def scenario_text(scenario: Scenario) -> str:
    """One scenario as text; lines end with a newline."""
    config = scenario.config
    lines = [f"scenario {scenario.title}", f"  ip {config.ip}", f"  windows {config.windows}"]
    lines += [f"  evidence {config.evidence}", *(f"  assume {name}={option}" for name, option in config.assume)]
    lines += ["  " + _KINDS[view].format(name) for name, view in scenario.endpoints]
    for told in scenario.told:
        what = f"peer {told.peer}" if told.kind == "peer" else told.kind
        value = f'"{told.value}"' if told.kind == "program" else told.value
        lines.append(f"  {what} is {value}" + (f" on {told.endpoint}" if told.endpoint else ""))
    for action in scenario.actions:
        match action:
            case SetVerdict():
                on = f" on {action.endpoint}" if action.endpoint else ""
                lines.append(f"  {action.verdict} at {action.layer.removeprefix('FWPM_LAYER_')}{on}")
            case UsePolicy():
                ordinary = " ordinary" if action.ordinary else ""
                callouts = "" if action.callouts == "unknown" else f" callouts {action.callouts}"
                lines.append(f'  policy "{action.file}"{ordinary}{callouts}')
            case Do():
                way = "from" if action.stimulus in _INBOUND else "to"
                peer = f" {way} {action.peer}" if action.peer else ""
                lines.append(f"  at {action.at_s}s {action.endpoint} {action.stimulus}{peer}")
                lines += [f"    answers {' '.join(map(str, action.answers))}"] if action.answers else []
                lines += [f"    {expectation_text(expectation)}" for expectation in action.expects]
    return "\n".join(lines) + "\n"


def expectation_text(expectation: Expectation) -> str:
    """One `expect` line."""
    match expectation.kind:
        case "layers":
            return f"expect layers {' '.join(map(str, expectation.layers)) or 'none'}"
        case "no_layer":
            return f"expect no layer {expectation.at_layer.removeprefix('FWPM_LAYER_')}"
        case "outcome":
            at = f" at {expectation.at_layer.removeprefix('FWPM_LAYER_')}" if expectation.at_layer else ""
            return f"expect outcome {expectation.text}{at}"
        case "logged":
            return f"expect logged {' '.join(map(str, expectation.events)) or 'none'}"
        case "state":
            return f"expect state {expectation.text}"
        case "refused":
            return "expect refused" + (f' "{_quotable(expectation.text)}"' if expectation.text else "")
        case _:
            return f'expect {expectation.kind} "{_quotable(expectation.text)}"'


def expected_of(record: StimulusRecord, state: Iterable[tuple[str, str]] = ()) -> tuple[Expectation, ...]:
    """Everything that can be expected of a stimulus that was run, for writing a scenario from a run.

    `state` are register values afterwards, as (name, value).
    """
    nowhere = Spot("", 0)
    layers = tuple(ExpectedLayer(step.layer, step.verdict, step.flags, nowhere) for step in record.classified)
    found = [
        Expectation("layers", nowhere, layers=layers),
        Expectation("outcome", nowhere, text=record.outcome or "none", at_layer=record.blocked_at or ""),
    ]
    if record.application_sees:
        found.append(Expectation("application", nowhere, text=_quotable(record.application_sees)))
    found.append(Expectation("logged", nowhere, events=tuple(event for event, _ in record.logged)))
    words = " ".join(f"{name}={value}" for name, value in state)
    if words:
        found.append(Expectation("state", nowhere, text=words))
    return tuple(found)


def done_by(record: StimulusRecord, endpoint: str, at_s: int, state: Iterable[tuple[str, str]] = ()) -> Do:
    """The `at` line of a stimulus that was run, everything about it expected."""
    peer = "" if record.peer == FIRST_PEER else record.peer
    return Do(Spot("", 0), at_s, endpoint, record.stimulus, peer, expected_of(record, state))


def _quotable(text: str) -> str:
    """A part of a text that fits between quotation marks: up to the first of them."""
    return text.partition('"')[0]
