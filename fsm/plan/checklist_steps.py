"""What a person does at each step of a checklist: the call or action in words, with its addresses and its port.

Each scenario is run on the model. What the words need besides the stimulus is kept along the way: which layer holds
something, which port the socket has, who is at the other end of the flow, and whether a datagram has come that far.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fsm.aside import aside
from fsm.catalogue import layer_of
from fsm.endpoint import Endpoint, StimulusRecord
from fsm.names import Verdict
from fsm.plan.checklist_parts import LOCAL_PORT, REDIRECTED_PORT, REMOTE_PORT, parts_of
from fsm.reasons import STALE_REASONS
from fsm.scenarios.model import Do, Scenario
from fsm.table import Table

TOGGLE = "add the filter pair 'toggle', or delete it if it stands"
# What a person does for a stimulus. `peer`: who is at the other end of the flow; `held`: the layer that holds it up.
CALLS: dict[str, str] = {
    "bind": f"call bind() to the wildcard address and port {LOCAL_PORT}",
    "connect": f"call connect() to A:{REMOTE_PORT}",
    "connect_other": f"call connect() to B:{REMOTE_PORT}",
    "sendto": f"call sendto() to A:{REMOTE_PORT}",
    "sendto_group": f"call sendto() to G:{REMOTE_PORT}",
    "datagram": f"from {{peer}}:{REMOTE_PORT}, send a datagram to M:P",
    "datagram_group": f"from A:{REMOTE_PORT}, send a datagram to G:P",
    "inject_send": f"let the driver inject a datagram of M:P to {{peer}}:{REMOTE_PORT}",
    "inject_receive": f"let the driver inject a datagram of {{peer}}:{REMOTE_PORT} to M:P",
    "complete": "let the driver complete what it holds at {held}, with permit",
    "complete_block": "let the driver complete what it holds at {held}, with block",
    "complete_group": "let the driver complete the send to G that it holds at {held}, with permit",
    "complete_group_block": "let the driver complete the send to G that it holds at {held}, with block",
    "icmp_error": f"from {{peer}}, send ICMP port unreachable that quotes a datagram of M:P to {{peer}}:{REMOTE_PORT}",
    "icmp_ttl": f"from R, send ICMP time exceeded that quotes a datagram of M:P to {{peer}}:{REMOTE_PORT}",
    "profile_change": "set M's network profile to Private, or to Public if it is Private now",
    "policy_change": TOGGLE,
    "protection_level": "call setsockopt() with protection level 10, or 20 if it is 10 now",
    "flow_abort": "let the driver end the flow with {peer} (FwpsFlowAbort0)",
    "idle_timeout": "let 60 s pass without a datagram of this flow (send to G every 3 s if its window is open)",
    "window_timeout": "let 4 s pass without a datagram sent to G",
    "close": "call closesocket()",
}
# Other reasons for which flows are authorized again: nothing that a person can be told to do brings them about for
# certain, but what they do to a flow a policy change does as well.
STAND_IN = "(in place of '{stimulus}', which cannot be brought about by hand with certainty) "
_SOCKET_CALLS = ("bind", "connect", "connect_other", "sendto", "sendto_group", "protection_level", "close")
_WITHOUT_PORT = ("UNBOUND", "BIND_REDIRECT_PENDED", "BIND_PENDED", "BIND_V6_PENDED")


@dataclass(frozen=True, slots=True)
class Played:
    """A step as the model takes it, and as a person does it.

    `call` says what to do, `remarks` what to know of it; `fails` is how a call fails that the model refuses, empty
    where nothing can be tried. `parts` are the parts of the preparation that it needs. `changes`: whether anything is
    other than before, so that it cannot be left out; `holds`: whether a callout holds something afterwards.
    """

    do: Do
    record: StimulusRecord
    call: str
    fails: str = ""
    remarks: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    changes: bool = False
    holds: bool = False


def played(scenario: Scenario) -> Iterator[Played]:
    """Each stimulus of the scenario, in order, with what the model makes of it."""
    runs = {name: _Run(Endpoint(view, scenario.config)) for name, view in scenario.endpoints}
    for do in (action for action in scenario.actions if isinstance(action, Do)):
        yield runs[do.endpoint].play(do)


class _Run:
    """One endpoint on its way through a scenario."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.held = _held_by_register(endpoint.table)
        self.peer = "A"
        self.reached: set[str] = set()  # the peers that a datagram of this socket was sent to
        self.binding = ""  # the call inside which the socket was last bound, and whether the bind was redirected
        self.bind_redirected = False

    @aside()
    def play(self, do: Do) -> Played:
        endpoint, before = self.endpoint, self.endpoint.state
        socket = self.register("socket")
        call = self.call(do.stimulus)
        if do.expects_refusal:
            return Played(do, StimulusRecord(do.stimulus, endpoint.peer, endpoint.now_s), call, _failing(do, socket))
        made_up = do.stimulus.startswith("icmp_") and self.peer not in self.reached
        record = endpoint.begin(do.stimulus)
        for answer in (answer for answer in do.answers if not answer.refused):
            endpoint.decide(answer.verdict, record)
        endpoint.proceed(record)
        remarks = [f"the quoted datagram is made up: none of this socket has gone to {self.peer}"] if made_up else []
        remarks += self.port(record, socket)
        self.follow(record)
        holds = any((name, self.register(name)) in self.held for name in endpoint.table.view.registers)
        changes = endpoint.state != before
        return Played(do, record, call, "", tuple(remarks), parts_of(do, record), changes, holds)

    def register(self, name: str) -> str:
        table = self.endpoint.table
        return table.register(self.endpoint.state, name) if name in table.view.registers else ""

    def call(self, stimulus: str) -> str:
        if stimulus not in CALLS and stimulus in STALE_REASONS:
            return STAND_IN.format(stimulus=stimulus) + TOGGLE
        names = ("window",) if stimulus.startswith("complete_group") else ("socket", "flow")
        held = next((self.held[name, value] for name in names if (name, value := self.register(name)) in self.held), "")
        return CALLS[stimulus].format(peer=self.peer, held=held)

    def port(self, record: StimulusRecord, before: str) -> Iterator[str]:
        """Which port is P, where this step gave the socket one."""
        binds = [
            step
            for step in record.classified
            if step.position.startswith("bind.") and "IS_RECLASSIFY" not in step.flags
        ]
        if binds and record.stimulus != "complete":
            self.binding, self.bind_redirected = record.stimulus, False
        self.bind_redirected |= any(step.verdict == Verdict.REDIRECT for step in binds)
        if before not in _WITHOUT_PORT or self.register("socket") in (*_WITHOUT_PORT, "CLOSED"):
            return
        if self.bind_redirected:
            yield f"P from here on: {REDIRECTED_PORT}, where the redirect put it"
        elif self.binding == "bind":
            yield f"P from here on: {LOCAL_PORT}"
        else:
            logged = (
                "the SourcePort of this event 5158, or " if any(event == 5158 for event, _ in record.logged) else ""
            )
            family = "udpv6" if self.endpoint.table.config.ip == 6 else "udp"
            yield f"P from here on: {logged}what 'netstat -ano -p {family}' shows for the test program"

    def follow(self, record: StimulusRecord) -> None:
        """Who is at the other end after this step, and who has got a datagram."""
        if self.register("flow") == "NONE":
            self.peer = "A"
        elif any(step.position == "send.redirect" and step.verdict == Verdict.REDIRECT for step in record.steps):
            self.peer = "T"
        if record.outcome == "sent" and record.stimulus in ("sendto", "inject_send"):
            self.reached.add(self.peer)
        if self.register("socket") == "CLOSED":
            self.reached.clear()


def _held_by_register(table: Table) -> dict[tuple[str, str], str]:
    """{(register, value): the layer whose callout holds something while the register has it}, as the rules say."""
    rows = [row for row in table.rows if row.event == Verdict.PEND and row.layer]
    return {
        pair: layer_of(str(row.layer), row.ip or table.config.ip).fwpm_name.removeprefix("FWPM_LAYER_")
        for row in rows
        for pair in row.sets
    }


def _failing(do: Do, socket: str) -> str:
    """How a call fails that a person can try; empty where there is nothing to try."""
    if do.stimulus in _SOCKET_CALLS and socket == "CLOSED":
        return "the call fails with WSAENOTSOCK (10038)"
    if do.stimulus == "bind" and socket == "BOUND":
        return "the call fails with WSAEINVAL (10022)"
    return ""
