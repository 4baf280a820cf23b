"""A plan as a list that a person can work off on a Windows machine: calls, filters, and what to look for in logs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fsm import catalogue
from fsm.scenarios.model import Do, ExpectedLayer, Scenario
from fsm.stimuli import STIMULI

# What a person does for a stimulus. What is not here is said in the words of the stimulus itself.
CALLS: dict[str, str] = {
    "bind": "call bind()",
    "connect": "call connect() to peer {peer}",
    "connect_other": "call connect() to another address than peer {peer}'s",
    "sendto": "call sendto() to peer {peer}",
    "sendto_group": "call sendto() to a multicast group",
    "datagram": "from peer {peer}, send a datagram to the port",
    "datagram_group": "from another host, send a datagram to the group and port",
    "close": "call closesocket()",
    "policy_change": "add or remove any filter at the layer that authorized the flow",
    "icmp_error": "let peer {peer} answer the last datagram with ICMP port unreachable (close its port)",
    "icmp_ttl": "send with a TTL of 1, so that a router answers with ICMP time exceeded",
    "idle_timeout": "let 60 s pass without a datagram of this flow",
    "window_timeout": "let 4 s pass without a datagram sent to a group",
    "protection_level": "call setsockopt(IPV6_PROTECTION_LEVEL)",
    "complete": "let the callout complete what it pended, with permit",
    "complete_block": "let the callout complete what it pended, with block",
}
# What makes a layer answer so.
FILTERS: dict[str, str] = {
    "block": "a filter with action block",
    "absorb": "a callout that blocks with FWPS_CLASSIFY_OUT_FLAG_ABSORB",
    "pend": "a callout that pends the classify",
    "redirect": "a callout that redirects",
    "veto": "a callout that blocks after a hard permit",
}
AUDIT = (
    'auditpol /set /subcategory:"Filtering Platform Packet Drop" /success:enable /failure:enable',
    'auditpol /set /subcategory:"Filtering Platform Connection" /success:enable /failure:enable',
)


def checklist(scenarios: Iterable[Scenario]) -> Iterator[str]:
    """The lines of the list, without line ends."""
    yield "Before you begin, in an elevated prompt:"
    yield from (f"  [ ] {command}" for command in AUDIT)
    number = 0
    for scenario in scenarios:
        yield ""
        config = scenario.config
        yield f"{scenario.title} (IPv{config.ip}, Windows {config.windows})"
        for name, view in scenario.endpoints:
            what = "a UDP port that no socket owns" if view == "dropped_port" else "a UDP socket, not yet bound"
            yield f"  [ ] {name}: {what}"
        for action in scenario.actions:
            if isinstance(action, Do):
                number += 1
                yield from _do_lines(action, number)


def _do_lines(do: Do, number: int) -> Iterator[str]:
    for answer in dict.fromkeys(answer for answer in do.answers if answer.verdict != "permit" and not answer.refused):
        yield f"  [ ] {number}. before: at {answer.layer} have {_filter(answer)}"
    call = CALLS.get(do.stimulus, STIMULI[do.stimulus].text).format(peer=do.peer or "A")
    yield f"  [ ] {number}. {do.endpoint}: {call}"
    for answer in do.answers:
        if answer.refused:
            yield f"        {answer.layer} must not take {answer.verdict}"
    for expectation in do.expects:
        match expectation.kind:
            case "refused":
                yield "        cannot happen: the call fails, or there is nothing that could cause it"
            case "layers":
                yield f"        layers: {_named(expectation.layers)}"
            case "application" if expectation.text:
                yield f"        the program sees: {expectation.text}"
            case "logged":
                events = ", ".join(map(str, expectation.events)) or "no event of this step"
                yield f"        Security log: {events}"
            case "outcome" if expectation.text != "none":
                at = f" at {expectation.at_layer}" if expectation.at_layer else ""
                yield f"        the datagram: {expectation.text}{at}"
            case _:
                continue
    if do.answers:
        yield f"        layers: {_named(answer for answer in do.answers if not answer.refused)}"
        if any(answer.verdict != "permit" for answer in do.answers):
            yield f"  [ ] {number}. after: remove what was added"


def _filter(answer: ExpectedLayer) -> str:
    layer = catalogue.by_name(answer.layer)
    only = " (a callout, since this layer only reports)" if layer.is_discard and answer.verdict == "block" else ""
    return FILTERS[answer.verdict] + only


def _named(layers: Iterable[ExpectedLayer]) -> str:
    names = [
        f"{answer.layer.removeprefix('FWPM_LAYER_')} ({catalogue.by_name(answer.layer).runtime_id})"
        for answer in layers
    ]
    return ", ".join(names) or "none"
