"""A plan as a list that a person can work off on Windows machines: calls, switches, and what to look for in logs.

What a callout answers is switched, never added: only a step that is a policy change touches a filter. Each scenario is
run again on the model while its lines are written, so that the event of a layer stands where that layer fires.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fsm.choices import Config
from fsm.counts import counted
from fsm.endpoint import StimulusRecord
from fsm.names import Verdict
from fsm.plan.checklist_parts import LOCAL_PORT, PARTS
from fsm.plan.checklist_setup import after, before, number_of
from fsm.plan.checklist_steps import Played, played
from fsm.scenarios.model import Do, Scenario
from fsm.stimuli import STIMULI


def checklist(scenarios: Iterable[Scenario]) -> Iterator[str]:
    """The lines of the list, without line ends."""
    runs = [(scenario, list(played(scenario))) for scenario in scenarios]
    if not runs:
        yield "Nothing can be exercised, so there is nothing to do."
        return
    steps = [step for _, run in runs for step in run]
    layers = list(dict.fromkeys(at.layer for step in steps for at in step.record.classified))
    left_out = sum(_is_left_out(step) + sum(a.refused for a in step.do.answers) for _, run in runs for step in run)
    if left_out:
        are = "is" if left_out == 1 else "are"
        yield f"{counted(left_out, 'refusal')} {are} not in this list: verdicts that a layer does not take, and events"
        yield "in states in which no call of a program shows the refusal. --format scenario has them all, for"
        yield "'wfp-udp scenario'."
        yield ""
    yield from before(layers, _needed([run for _, run in runs]), runs[0][0].config)
    yield ""
    yield "How to read a step. 'switches' says how all of them stand from then on; several answers are given in turn,"
    yield "one for each classify of that layer in the step, and then permit. 'layers' are classified in this order: the"
    yield "callout there sees each of them, and where an event stands, it is in the Security log with this layer's"
    yield "run-time id (the number in brackets) as LayerRTID, of the addresses of the test."
    number = 0
    for scenario, run in runs:
        yield ""
        yield f"{scenario.title} (IPv{scenario.config.ip}, Windows {scenario.config.windows})"
        switched = holds = False
        for name, view in scenario.endpoints:
            yield f"  [ ] {name}: start the test program anew; {_socket(view, scenario.config)}"
        for step in run:
            if _is_left_out(step):
                continue
            number += 1
            answers = {} if step.fails else _switches(step.do)
            if answers or switched:
                yield f"  [ ] {number}. switches: {_stands(answers)}"
            switched = bool(answers)
            yield f"  [ ] {number}. {step.do.endpoint}: {step.call}"
            if step.fails:
                yield f"        {step.fails}; nothing else happens"
                continue
            holds = step.holds
            yield from (f"        note: {text}" for text in _notes(step))
            yield from _seen(step.record)
        end = "set all switches to permit; " if switched else ""
        end += "let the driver complete what it still holds; " if holds else ""
        yield f"  [ ] end: {end}end the test program"
    yield ""
    yield from after(layers)


def _is_left_out(step: Played) -> bool:
    """Whether a step is refused by the model, and a person has nothing to see of it."""
    return step.do.expects_refusal and not step.fails


def _needed(runs: list[list[Played]]) -> dict[str, str]:
    """{part: how many steps need it, and what becomes of the list without it}."""
    found: dict[str, str] = {}
    for part in PARTS:
        steps = [[step for step in run if part in step.parts] for run in runs]
        count = sum(map(len, steps))
        if not count:
            continue
        said = f"{counted(count, 'step')} {'needs' if count == 1 else 'need'} it"
        fixed = [step for run in steps for step in run if step.changes]
        if not fixed:
            said += ", and can be left out without it."
        elif part == "abort":
            said += "."
        else:
            ends = sum(any(step.changes for step in run) for run in steps)
            said += f", {counted(count - len(fixed), 'of them', 'of them')} can be left out without it; "
            said += f"{ends} of {counted(len(runs), 'scenario')} then {'ends' if ends == 1 else 'end'} early."
        found[part] = said
    return found


def _notes(step: Played) -> Iterator[str]:
    if step.parts:
        without = ""
        if not step.changes:
            without = "; can be left out"
        elif step.parts == ("abort",):
            without = "; without it let 60 s pass instead"
        yield f"needs {' and '.join(step.parts)}{without}"
    yield from step.remarks
    if step.do.stimulus == "protection_level":
        blocked = step.record.outcome == "blocked"
        result = "write down what setsockopt() returns" if blocked else "setsockopt() returns 0"
        yield f"{result}; the classify has the flag IS_RECLASSIFY"


def _socket(view: str, config: Config) -> str:
    if view == "dropped_port":
        return f"no socket owns UDP port {LOCAL_PORT} of M, which is P, and none will"
    if config.choice("dual_stack") == "yes":
        kind = "an IPv6 UDP socket with IPV6_V6ONLY off"
    else:
        kind = "a UDP socket" if config.ip == 4 else "an IPv6 UDP socket with IPV6_V6ONLY on"
    return f"{kind}, not yet bound"


def _switches(do: Do) -> dict[str, list[str]]:
    """{layer: its answers in turn}, of the layers that do not always permit."""
    answers: dict[str, list[str]] = {}
    for answer in (answer for answer in do.answers if not answer.refused):
        answers.setdefault(answer.layer, []).append(answer.verdict)
    return {layer: given for layer, given in answers.items() if set(given) != {str(Verdict.PERMIT)}}


def _stands(answers: dict[str, list[str]]) -> str:
    words = [f"{layer.removeprefix('FWPM_LAYER_')} = {' then '.join(given)}" for layer, given in answers.items()]
    return ", ".join(words) + ", all others permit" if words else "all permit"


def _seen(record: StimulusRecord) -> Iterator[str]:
    """What comes of a step, where it can be seen."""
    events: dict[int, list[int]] = {}
    for event, step in record.logged:
        events.setdefault(id(step), []).append(event)
    named = [
        number_of(step.layer) + "".join(f" event {event}" for event in events.get(id(step), ()))
        for step in record.classified
    ]
    yield f"        layers: {', '.join(named) or 'none'}"
    if record.outcome:
        at = f" at {record.blocked_at}" if record.blocked_at else ""
        yield f"        the datagram, or the call: {record.outcome}{at}"
    if record.application_sees and STIMULI[record.stimulus].seen_by_application:
        yield f"        the program sees: {record.application_sees}"
    if record.remote_sees:
        yield f"        the peer sees: {record.remote_sees}"
