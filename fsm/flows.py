"""The catalogue of documented flows as data, and running them, or any list of stimuli, on an endpoint.

A flow is what an endpoint does after a set-up; its steps come from the machine, never from the catalogue. Only the
label of a step belongs to the flow: it is the base page's wording, and that calls one layer "data" here and "UDP
message" there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fsm import catalogue
from fsm.choices import Config, default_config
from fsm.endpoint import FIRST_PEER, Endpoint, StimulusRecord, verdict_at
from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.names import IP_VERSIONS, VERDICTS, Verdict
from fsm.stimuli import STIMULI, STIMULUS_ALIASES, VIEWS
from fsm.table import Step, Table, compile_table, refusal_of, rows_of

ENGINES: tuple[str, ...] = ("table", "live")

# How the base page words the step at a position. Positions that it does not show are worded alike.
LABELS: dict[str, str] = {
    "bind": "bind",
    "connect": "connect",
    "send.redirect": "sendto",
    "send.group": "sendto",
    "send.group_establish": "",
    "send.group_complete": "",
    "send.complete": "",
    "send.authorize": "sendto",
    "send.reaccept": "sendto",
    "send.establish": "",
    "send.data": "data",
    "send.transport": "UDP message",
    "send.ippacket": "IP datagrams",
    "receive.ippacket": "IP datagrams",
    "receive.transport": "UDP message",
    "receive.accept": "UDP message",
    "receive.connected": "UDP message",
    "receive.group": "UDP message",
    "receive.complete": "",
    "receive.reconnect": "UDP message",
    "receive.establish": "",
    "receive.data": "data",
    "icmp": "ICMP error",
    "close": "close",
    "drop.ippacket": "IP datagrams",
    "drop.transport": "UDP message",
    "drop.icmp": "ICMP Dest Unreachable",
}


def label_of(position: str) -> str:
    """The wording of a position: the longest prefix in `LABELS`."""
    fitting = [prefix for prefix in LABELS if position.startswith(prefix)]
    return LABELS[max(fitting, key=len)] if fitting else ""


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow: on which endpoint, after which set-up, which stimuli, with which verdicts (by layer stem).

    `endpoint` is "any" where sender and receiver do the same. `labels` holds wordings that differ from `LABELS`, by
    position. `assume` are settings without which the flow would be another one (a dual-stack socket, say).
    """

    name: str
    endpoint: str
    title: str
    cite: tuple[str, ...]
    stimuli: tuple[str, ...]
    setup: tuple[str, ...] = ()
    verdicts: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    assume: tuple[tuple[str, str], ...] = ()

    @property
    def runs_on(self) -> str:
        """The endpoint that it is run on."""
        return "sender" if self.endpoint == "any" else self.endpoint


_BASE = ("UDPF",)
_SENT = ("bind", "sendto")
_HEARD = ("bind", "datagram")

FLOWS: dict[str, Flow] = {
    flow.name: flow
    for flow in (
        Flow("receiver.passive_open", "receiver", "A receiver binds its port", _BASE, ("bind",)),
        Flow("sender.active_open", "sender", "A sender binds and sends its first datagram", _BASE, _SENT),
        Flow("receiver.first_datagram", "receiver", "The first datagram reaches a receiver", _BASE, ("datagram",), ("bind",)),
        Flow("dropped_port.no_listener", "dropped_port", "A datagram arrives and no socket owns the port", _BASE, ("datagram",)),
        Flow(
            "dropped_port.silenced",
            "dropped_port",
            "The same, with a block at the discard layer: no ICMP error",
            _BASE,
            ("datagram",),
            verdicts=(("INBOUND_IPPACKET_DISCARD", "block"),),
        ),
        Flow(
            "receiver.reauthorized",
            "receiver",
            "After a policy change the next datagram is authorized again",
            _BASE,
            ("datagram",),
            (*_HEARD, "policy_change"),
            labels=(("receive.data", "UDP message"),),
        ),
        Flow(
            "receiver.reauthorization_failed",
            "receiver",
            "After a policy change the next datagram is refused",
            _BASE,
            ("datagram",),
            (*_HEARD, "policy_change"),
            (("ALE_AUTH_RECV_ACCEPT", "block"),),
        ),
        Flow("any.termination", "any", "The socket is closed", _BASE, ("close",), ("bind",)),
        Flow("sender.implicit_bind", "sender", "The first send of an unbound socket binds it", ("ALEL", "WSK-sendto"), ("sendto",)),
        Flow("sender.later_send", "sender", "A second datagram to the same peer", ("ALES",), ("sendto",), _SENT),
        Flow("sender.second_peer", "sender", "A datagram to a second peer from the same socket", ("ALES", "SECDS"), ("sendto@B",), _SENT),
        Flow("sender.reply_received", "sender", "The answer to a datagram that was sent", ("ALES", "PCP"), ("datagram",), _SENT),
        Flow("sender.blocked", "sender", "The first datagram is blocked at AUTH_CONNECT", ("LID", "EBPF"), ("sendto",), ("bind",), (("ALE_AUTH_CONNECT", "block"),)),
        Flow("sender.icmp_error", "sender", "An ICMP port-unreachable comes back", ("ALES", "WSK-recvfrom"), ("icmp_error",), _SENT),
        Flow("sender.reauthorized", "sender", "After a policy change the next send is authorized again", ("ALER",), ("sendto",), (*_SENT, "policy_change")),
        Flow(
            "sender.reauthorization_failed",
            "sender",
            "After a policy change the next send is refused",
            ("ALER",),
            ("sendto",),
            (*_SENT, "policy_change"),
            (("ALE_AUTH_CONNECT", "block"),),
        ),
        Flow("sender.reauthorized_by_reply", "sender", "After a policy change an answer authorizes the outbound flow again", ("ALER", "MDL"), ("datagram",), (*_SENT, "policy_change")),
        Flow("sender.after_idle", "sender", "The next send after 60 idle seconds is a first send again", ("ALES",), ("sendto",), (*_SENT, "wait:60")),
        Flow("receiver.later_datagram", "receiver", "A second datagram of the same peer", ("ALES",), ("datagram",), _HEARD),
        Flow("receiver.reply_sent", "receiver", "The receiver answers", ("ALES", "ALER"), ("sendto",), _HEARD),
        Flow("receiver.blocked", "receiver", "The first datagram is blocked at AUTH_RECV_ACCEPT", ("LID", "SECDS"), ("datagram",), ("bind",), (("ALE_AUTH_RECV_ACCEPT", "block"),)),
        Flow("receiver.reauthorized_by_reply", "receiver", "After a policy change an answer authorizes the inbound flow again", ("ALER", "MDL"), ("sendto",), (*_HEARD, "policy_change")),
        Flow("receiver.after_idle", "receiver", "The next datagram after 60 idle seconds is a first datagram again", ("ALES",), ("datagram",), (*_HEARD, "wait:60")),
        Flow("dropped_port.icmp_blocked", "dropped_port", "The ICMP error is blocked on its way out, as stealth mode does", ("PPS", "SECDS"), ("datagram",), verdicts=(("OUTBOUND_ICMP_ERROR", "block"),)),
        Flow("dropped_port.group", "dropped_port", "A group datagram arrives and no socket owns the port: never an ICMP error", ("RFC1122",), ("datagram_group",)),
        Flow("sender.connect", "sender", "connect() on a UDP socket", ("EBPF",), ("connect",), ("bind",)),
        Flow("sender.connected_send", "sender", "The first send of a connected socket", ("EBPF",), ("sendto",), ("bind", "connect")),
        Flow("sender.connected_other", "sender", "A datagram of another peer reaches a connected socket", ("TDR",), ("datagram@B",), ("bind", "connect", "sendto")),
        Flow("sender.dual_stack", "sender", "A dual-stack socket sends to an IPv4-mapped address", ("SECDS", "EBPF"), _SENT, assume=(("dual_stack", "yes"),)),
        Flow("sender.bind_redirected", "sender", "A callout redirects the bind", ("RED", "MVD"), ("bind",), verdicts=(("ALE_BIND_REDIRECT", "redirect"),)),
        Flow("sender.redirected", "sender", "A callout redirects the first datagram to another address", ("RED", "DCF"), ("sendto",), ("bind",), (("ALE_CONNECT_REDIRECT", "redirect"),)),
        Flow("sender.redirected_to_proxy", "sender", "A callout redirects the first datagram to a proxy on this host", ("RED", "DDI-redirect-state"), ("sendto",), ("bind",), (("ALE_CONNECT_REDIRECT", "redirect"),), assume=(("redirect_target", "local_process"),)),
        Flow("sender.bind_pended", "sender", "A callout pends the bind, and completes it", ("DDI-pend", "ASY"), ("bind", "complete"), verdicts=(("ALE_RESOURCE_ASSIGNMENT", "pend"),)),
        Flow("sender.pended", "sender", "A callout pends the first datagram, completes, and sends its clone", ("ASY", "DDI-complete", "SMP"), ("sendto", "complete", "inject_send"), ("bind",), (("ALE_AUTH_CONNECT", "pend"),)),
        Flow("sender.absorbed", "sender", "A callout absorbs the first datagram", ("SDK-out",), ("sendto",), ("bind",), (("ALE_AUTH_CONNECT", "absorb"),)),
        Flow("sender.interface_change", "sender", "After a change of interface the next send is authorized again", ("ALER", "CFL"), ("sendto",), (*_SENT, "interface_change")),
        Flow("sender.injected", "sender", "A callout sends a datagram of its own on a live flow", ("INJ",), ("inject_send",), _SENT),
        Flow("sender.flow_aborted", "sender", "The next send after a callout has ended the flow", ("DDI-flow-abort",), ("sendto",), (*_SENT, "flow_abort")),
        Flow("sender.group", "sender", "A datagram to a multicast group or broadcast address", ("ALEM", "SECDS"), ("sendto_group",), ("bind",)),
        Flow("sender.group_answer", "sender", "An answer from any address within 4 s of a group datagram", ("ALEM",), ("datagram@B",), ("bind", "sendto_group")),
        Flow("sender.group_late_answer", "sender", "An answer to a group datagram after more than 4 s", ("ALEM",), ("datagram@B",), ("bind", "sendto_group", "wait:5")),
        Flow("sender.icmp_echo", "sender", "Two echo requests of one ping run", ("ALES", "SECDS"), ("sendto", "sendto"), ("bind",), assume=(("protocol", "icmp_echo"),)),
        Flow("receiver.group", "receiver", "A group datagram reaches a receiver", ("CFL", "SECDS"), ("datagram_group",), ("bind",)),
        Flow("receiver.group_again", "receiver", "The next group datagram is authorized again", ("CFL", "SECDS", "PCP"), ("datagram_group",), ("bind", "datagram_group")),
        Flow("receiver.pended", "receiver", "A callout pends the first datagram, completes, and its clone comes in", ("ASY", "DDI-inject-receive", "SMP"), ("datagram", "complete"), ("bind",), (("ALE_AUTH_RECV_ACCEPT", "pend"),)),
        Flow("receiver.interface_change", "receiver", "A datagram of a live flow arrives on another interface", ("ALER", "CFL"), ("datagram",), (*_HEARD, "interface_change")),
        Flow("receiver.injected", "receiver", "A callout injects a datagram into the receive path", ("INJ", "DDI-inject-receive"), ("inject_receive",), ("bind",)),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LabelledStep:
    """A classify of a flow, with the label that the flow gives it.

    `reauthorize_reason` are the bits of FWPM_CONDITION_ALE_REAUTH_REASON that the layer is shown, 0 for none.
    """

    label: str
    step: Step
    peer: str = FIRST_PEER
    reauthorize_reason: int = 0


@dataclass(slots=True)
class FlowRun:
    """What a flow, or a list of stimuli, did. Set-up steps are in `records`, not in `steps`.

    `outcome`, `blocked_at` and what is seen are those of the last stimulus. `unused_blocks` are layers
    at which a verdict was asked for and that were not reached.
    """

    name: str
    title: str
    endpoint: str
    config: Config
    setup: tuple[str, ...]
    stimuli: tuple[str, ...]
    records: list[StimulusRecord] = field(default_factory=list)
    steps: list[LabelledStep] = field(default_factory=list)
    unused_blocks: tuple[str, ...] = ()
    _own: int = 0

    @property
    def own_records(self) -> list[StimulusRecord]:
        """The records of the flow's own stimuli, without those of the set-up."""
        return self.records[self._own :]

    @property
    def outcome(self) -> str | None:
        return self.own_records[-1].outcome if self.own_records else None

    @property
    def blocked_at(self) -> str | None:
        return self.own_records[-1].blocked_at if self.own_records else None

    @property
    def application_sees(self) -> str:
        return (self.own_records[-1].application_sees if self.own_records else "") or "nothing"

    @property
    def remote_sees(self) -> str:
        return (self.own_records[-1].remote_sees if self.own_records else "") or "nothing"

    @property
    def logged(self) -> list[dict[str, object]]:
        """The Security events that auditing would write, in order."""
        return [
            {"event_id": event_id, "layer": step.layer, "runtime_id": step.runtime_id, "rule": step.rule}
            for record in self.own_records
            for event_id, step in record.logged
        ]

    def to_json(self) -> dict[str, object]:
        """The run as the JSON that `wfp-udp flow` and `wfp-udp run` print."""
        return {
            "flow": self.name,
            "title": self.title,
            "endpoint": self.endpoint,
            **self.config.to_json(),
            "setup": list(self.setup),
            "stimuli": list(self.stimuli),
            "steps": [
                {
                    "label": labelled.label,
                    "stimulus": step.stimulus,
                    "peer": labelled.peer,
                    "layer": step.layer,
                    "runtime_id": step.runtime_id,
                    "verdict": step.verdict,
                    "from": step.from_state,
                    "to": step.to_state,
                    "rule": step.rule,
                    "basis": step.basis,
                    "cite": list(step.cite),
                    "flags": list(step.flags),
                    "reauthorize_reason": labelled.reauthorize_reason,
                    "discard": None if step.discard is None else {"module": step.discard.module, "reason": step.discard.reason, "value": step.discard.value},
                    "application_sees": step.application_sees,
                    "note": step.note,
                }
                for labelled in self.steps
                for step in (labelled.step,)
            ],
            "outcome": self.outcome,
            "blocked_at": self.blocked_at,
            "application_sees": self.application_sees,
            "remote_sees": self.remote_sees,
            "logged": self.logged,
            "unused_blocks": list(self.unused_blocks),
            "state": self.records[-1].steps[-1].to_state if self.records and self.records[-1].steps else None,
        }  # fmt: skip


def find_flow(name: str, where: str = "flow") -> Flow:
    """A flow by name; a name without endpoint is taken where only one flow has it.

    Raises
    ------
    UnknownName : with the nearest names.
    """
    wanted = name.strip().lower().replace("-", "_")
    if wanted in FLOWS:
        return FLOWS[wanted]
    short = [flow for flow in FLOWS.values() if flow.name.split(".", 1)[1] == wanted]
    if len(short) == 1:
        return short[0]
    if short:
        raise UnknownName(
            where, f"'{name}' names {len(short)} flows", f"Did you mean {' or '.join(f.name for f in short)}?"
        )
    raise UnknownName.of(where, "flow", name, FLOWS, "'wfp-udp flow' lists them.")


def flow_config(flow: Flow, config: Config) -> Config:
    """The configuration with the settings that the flow is about; what the caller assumes goes first."""
    return replace(config, assume=tuple({**dict(flow.assume), **dict(config.assume)}.items()))


def run_flow(
    name: str,
    config: Config | None = None,
    *,
    engine: str = "table",
    blocks: Iterable[str] = (),
    verdicts: Mapping[str, str] | None = None,
    table: Table | None = None,
) -> FlowRun:
    """Run a flow of the catalogue on the machine.

    Parameters
    ----------
    name : a name of `FLOWS`.
    config : the machine that is meant.
    engine : "table" (compiled integers) or "live" (`transitions`); both give equal results.
    blocks : layers, in any spelling that the catalogue knows, that block during the flow (not during its set-up).
    verdicts : {layer in any spelling: verdict} for other verdicts than a block.
    table : another table to run on, for experiments.

    Raises
    ------
    UnknownName, NoTransition : a layer that does not exist; a step that this machine refuses.
    """
    flow = find_flow(name)
    config = flow_config(flow, config or default_config())
    versions = (config.ip,) if config.choice("dual_stack") == "no" else IP_VERSIONS
    own = {catalogue.layer_of(stem, ip).fwpm_name: verdict for stem, verdict in flow.verdicts for ip in versions}
    return _run(
        FlowRun(flow.name, flow.title, flow.endpoint, config, flow.setup, flow.stimuli),
        make_endpoint(flow.runs_on, config, engine, table),
        {**own, **asked_verdicts(blocks, verdicts or {}, config)},
        dict(flow.labels),
    )


def run_stimuli(
    endpoint: str,
    stimuli: Sequence[str],
    config: Config | None = None,
    *,
    engine: str = "table",
    blocks: Iterable[str] = (),
    verdicts: Mapping[str, str] | None = None,
) -> FlowRun:
    """Run any stimuli on an endpoint: `bind`, `sendto`, `sendto@B` for a second peer, `wait:61` for model time."""
    if endpoint not in VIEWS:
        raise UnknownName.of("run", "endpoint", endpoint, VIEWS)
    config = config or default_config()
    run = FlowRun("", " ".join(stimuli), endpoint, config, (), tuple(stimuli))
    return _run(run, make_endpoint(endpoint, config, engine), asked_verdicts(blocks, verdicts or {}, config), {})


def make_endpoint(name: str, config: Config, engine: str = "table", table: Table | None = None) -> Endpoint:
    """An endpoint on the compiled table, or on the live `transitions` machine."""
    if engine not in ENGINES:
        raise UnknownName.of("engine", "engine", engine, ENGINES)
    table = table or compile_table(name, config)
    if engine == "live":
        from fsm.machine import LiveEndpoint

        return LiveEndpoint(name, config, table=table)
    return Endpoint(name, config, table=table)


def asked_verdicts(
    blocks: Iterable[str],
    verdicts: Mapping[str, str],
    config: Config,
    called: tuple[str, str] = ("--block", "--verdict"),
) -> dict[str, str]:
    """{full FWPM name: verdict} for layers in any spelling; `called` is how the caller has named the two.

    Raises
    ------
    UnknownName : no such layer or verdict.
    FsmError : a layer that never takes this verdict.
    """
    asked: dict[str, str] = {}
    for where, given, verdict in (
        *((called[0], given, str(Verdict.BLOCK)) for given in blocks),
        *((called[1], given, verdict) for given, verdict in verdicts.items()),
    ):
        if verdict not in VERDICTS:
            raise UnknownName.of(f"{where} {given}", "verdict", verdict, VERDICTS)
        for layer in _meant(given, config, where):
            if verdict == Verdict.BLOCK and layer.may_block in ("no", "error-only"):
                why = "it reports and cannot be blocked" if layer.may_block == "no" else "it is no policy point"
                raise FsmError(where, f"{layer.fwpm_name} takes no block: {why}")
            _check_taken(layer, verdict, config, where)
            if asked.setdefault(layer.fwpm_name, verdict) != verdict:
                before = asked[layer.fwpm_name]
                raise FsmError(
                    where, f"{layer.fwpm_name} is given a verdict twice: {before} and {verdict}", fix="Keep one"
                )
    return asked


def _check_taken(layer: catalogue.Layer, verdict: str, config: Config, where: str) -> None:
    """Refuse a verdict that no row of any endpoint takes at this layer on this machine.

    A layer that no row visits there is not refused: that it was not reached is said after the run.
    """
    taken = {row.event for view in VIEWS.values() for row in rows_of(view, config) if row.layer == layer.stem}
    if verdict in taken or (not taken and refusal_of(layer, verdict) is None):
        return
    refusal = refusal_of(layer, verdict)
    whys = {"pend": f"pending there: {layer.may_pend}", "redirect": f"redirecting there: {layer.may_redirect}"}
    why = f"{refusal.why} ({', '.join(refusal.cite)})" if refusal else whys.get(verdict, "no rule of it has one")
    offered = ", ".join(name for name in VERDICTS if name in taken)
    raise NoTransition(where, f"{layer.fwpm_name} takes no {verdict}: {why}", offered and f"It takes: {offered}")


def _meant(given: str, config: Config, where: str) -> list[catalogue.Layer]:
    """The layers that a spelling means. A dual-stack socket visits both versions, so a name without one means both."""
    if config.choice("dual_stack") == "no":
        return [catalogue.resolve(given, config.ip, windows=config.windows, where=where)]
    try:
        return [catalogue.resolve(given, None, windows=config.windows, where=where)]
    except UnknownName:
        return [catalogue.resolve(given, ip, windows=config.windows, where=where) for ip in IP_VERSIONS]


def perform(endpoint: Endpoint, word: str) -> list[StimulusRecord]:
    """Do what one word says: a stimulus, `stimulus@PEER`, or `wait:SECONDS`.

    Raises
    ------
    UnknownName, NoTransition : it is unknown, or not possible now.
    """
    name, colon, argument = word.strip().partition(":")
    where = f"{endpoint.name}, '{word}'"
    if name.lower() == "wait":
        return endpoint.wait(_seconds(argument, where))
    if colon:
        raise FsmError(where, f"'{name}' takes no argument '{argument}'", fix="Only wait:SECONDS does")
    stimulus, at, peer = name.partition("@")
    if at and not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", peer):
        raise FsmError(where, f"'{peer}' is no name of a peer", "Letters, digits, _ and -", "Write sendto@B")
    known = STIMULI.get(STIMULUS_ALIASES.get(stimulus.lower(), stimulus.lower()))
    if at and known is not None and not known.with_peer:
        raise FsmError(
            where, f"'{known.name}' happens to the socket as a whole", "It takes no peer", f"Write {known.name}"
        )
    return [endpoint.run(stimulus, peer or FIRST_PEER)]


def _seconds(given: str, where: str) -> int:
    digits = given.strip().removesuffix("s")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 9:
        raise FsmError(where, f"'{given}' is no number of seconds", "0 to 999999999", "Write wait:61")
    return int(digits)


def labelled_steps(record: StimulusRecord, labels: Mapping[str, str]) -> list[LabelledStep]:
    """What the layers saw of one stimulus; `labels` are wordings of the flow's own, by position."""
    return [
        LabelledStep(
            labels.get(step.position, label_of(step.position)), step, record.peer, record.reasons.get(number, 0)
        )
        for number, step in enumerate(record.steps)
        if step.layer
    ]


def _run(run: FlowRun, endpoint: Endpoint, verdicts: Mapping[str, str], labels: Mapping[str, str]) -> FlowRun:
    for word in run.setup:
        run.records.extend(perform(endpoint, word))
    run._own = len(run.records)
    endpoint.register(verdict_at(verdicts))
    for word in run.stimuli:
        run.records.extend(perform(endpoint, word))
        if run.name and run.records[-1].stimulus == "bind" and run.records[-1].outcome == "blocked":
            break  # a flow whose bind failed ends there; `run` goes on, as an application could
    for record in run.own_records:
        run.steps += labelled_steps(record, labels)
    reached = {catalogue.by_name(labelled.step.layer).stem for labelled in run.steps}
    run.unused_blocks = tuple(layer for layer in verdicts if catalogue.by_name(layer).stem not in reached)
    return run
