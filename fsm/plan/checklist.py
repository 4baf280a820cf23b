"""A plan as a list that a person can work off on Windows machines: calls, switches, and what to look for in logs.

What a callout answers is switched, never added: only a step that is a policy change touches a filter. Each scenario is
run again on the model while its lines are written, so that the event of a layer stands where that layer fires.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fsm.aside import aside
from fsm.endpoint import Endpoint, StimulusRecord
from fsm.names import Verdict
from fsm.plan.checklist_setup import after, before, number_of
from fsm.reasons import STALE_REASONS
from fsm.scenarios.model import Do, Scenario
from fsm.stimuli import STIMULI

POLICY_CHANGE = "add the filter pair 'toggle', or delete it if it stands"
# What a person does for a stimulus.
CALLS: dict[str, str] = {
    "bind": "call bind()",
    "connect": "call connect() to A",
    "connect_other": "call connect() to B",
    "sendto": "call sendto() to A",
    "sendto_group": "call sendto() to the group",
    "datagram": "from A, send a datagram to M's port of the test",
    "datagram_group": "from A, send a datagram to the group and M's port of the test",
    "inject_send": "let the driver inject a datagram to A (FwpsInjectTransportSendAsync0)",
    "inject_receive": "let the driver inject a datagram of A (FwpsInjectTransportReceiveAsync0)",
    "complete": "let the driver complete what it pended, with permit",
    "complete_block": "let the driver complete what it pended, with block",
    "complete_group": "let the driver complete the pended send to the group, with permit",
    "complete_group_block": "let the driver complete the pended send to the group, with block",
    "icmp_error": "from A, answer an earlier datagram with ICMP port unreachable (a raw socket, or a closed port)",
    "icmp_ttl": "from the router, answer an earlier datagram with ICMP time exceeded (a raw socket there)",
    "profile_change": "Set-NetConnectionProfile -NetworkCategory Private, or Public if it is Private now",
    "policy_change": POLICY_CHANGE,
    "protection_level": "call setsockopt(IPV6_PROTECTION_LEVEL)",
    "flow_abort": "let the driver end the flow (FwpsFlowAbort0)",
    "idle_timeout": "let 60 s pass without a datagram of this flow (send to the group every 3 s if its window is open)",
    "window_timeout": "let 4 s pass without a datagram sent to the group",
    "close": "call closesocket()",
}
# Other reasons for which flows are authorized again: nothing that a person can be told to do brings them about for
# certain, but what they do to a flow a policy change does as well.
STAND_IN = "(in place of '{stimulus}', which cannot be brought about by hand with certainty) "
_SOCKET_CALLS = ("bind", "connect", "connect_other", "sendto", "sendto_group", "protection_level", "close")


def checklist(scenarios: Iterable[Scenario]) -> Iterator[str]:
    """The lines of the list, without line ends."""
    parts = [(scenario, list(_played(scenario))) for scenario in scenarios]
    if not parts:
        yield "Nothing can be exercised, so there is nothing to do."
        return
    ip = parts[0][0].config.ip
    layers = dict.fromkeys(step.layer for _, played in parts for _, record, _ in played for step in record.classified)
    yield from before(layers, ip)
    yield ""
    yield "How to read a step. 'switches' says how all of them stand from then on; several answers are given in turn,"
    yield "one for each classify of that layer in the step, and then permit. 'layers' are classified in this order: the"
    yield "callout there sees each of them, and where an event stands, it is in the Security log with this layer's"
    yield "run-time id (the number in brackets) as LayerRTID, of the addresses of the test."
    number = left_out = 0
    for scenario, played in parts:
        yield ""
        yield f"{scenario.title} (IPv{scenario.config.ip}, Windows {scenario.config.windows})"
        switched = False
        for name, view in scenario.endpoints:
            yield f"  [ ] {name}: start the test program anew; {_START.get(view, 'a UDP socket, not yet bound')}"
        for do, record, state in played:
            left_out += sum(answer.refused for answer in do.answers)
            fails = _failing(do, state) if do.expects_refusal else ""
            if do.expects_refusal and not fails:
                left_out += 1
                continue
            number += 1
            answers = {} if do.expects_refusal else _switches(do)
            if answers or switched:
                yield f"  [ ] {number}. switches: {_stands(answers)}"
            switched = bool(answers)
            yield f"  [ ] {number}. {do.endpoint}: {_call(do.stimulus)}"
            yield from [f"        {fails}; nothing else happens"] if fails else _seen(record)
        end = "set all switches to permit; " if switched else ""
        yield f"  [ ] end: {end}let the driver complete what it still holds; end the test program"
    if left_out:
        yield ""
        yield f"{left_out} refusals are not in this list: verdicts that a layer does not take, and events that nothing"
        yield "can cause there. They are facts of the model; --format scenario has them all, for 'wfp-udp scenario'."
    yield ""
    yield from after()


_START = {"dropped_port": "no socket owns the port, and none will"}


def _played(scenario: Scenario) -> Iterator[tuple[Do, StimulusRecord, str]]:
    """Each stimulus with what the model makes of it, and the socket's state before; nothing for one that is refused."""
    ends = {name: Endpoint(view, scenario.config) for name, view in scenario.endpoints}
    for do in (action for action in scenario.actions if isinstance(action, Do)):
        endpoint = ends[do.endpoint]
        table = endpoint.table
        socket = table.register(endpoint.state, "socket") if "socket" in table.view.registers else ""
        if do.expects_refusal:
            yield do, StimulusRecord(do.stimulus, endpoint.peer, endpoint.now_s), socket
            continue
        yield do, _performed(endpoint, do), socket


@aside()
def _performed(endpoint: Endpoint, do: Do) -> StimulusRecord:
    record = endpoint.begin(do.stimulus)
    for answer in (answer for answer in do.answers if not answer.refused):
        endpoint.decide(answer.verdict, record)
    return endpoint.proceed(record)


def _failing(do: Do, socket: str) -> str:
    """How a call fails that a person can try; empty where there is nothing to try."""
    if do.stimulus in _SOCKET_CALLS and socket == "CLOSED":
        return "the call fails with WSAENOTSOCK (10038)"
    if do.stimulus == "bind" and socket == "BOUND":
        return "the call fails with WSAEINVAL (10022)"
    return ""


def _switches(do: Do) -> dict[str, list[str]]:
    """{layer: its answers in turn}, of the layers that do not always permit."""
    answers: dict[str, list[str]] = {}
    for answer in (answer for answer in do.answers if not answer.refused):
        answers.setdefault(answer.layer, []).append(answer.verdict)
    return {layer: given for layer, given in answers.items() if set(given) != {str(Verdict.PERMIT)}}


def _stands(answers: dict[str, list[str]]) -> str:
    words = [f"{layer.removeprefix('FWPM_LAYER_')} = {' then '.join(given)}" for layer, given in answers.items()]
    return ", ".join(words) + ", all others permit" if words else "all permit"


def _call(stimulus: str) -> str:
    if stimulus not in CALLS and stimulus in STALE_REASONS:
        return STAND_IN.format(stimulus=stimulus) + POLICY_CHANGE
    return CALLS[stimulus]


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
