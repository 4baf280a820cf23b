"""A running endpoint on the compiled table: stimuli, callouts, many peers, model time, and the trace of steps.

The finite part is one integer, a state of the table that is drawn for the peer in focus. What is not finite lives
here as data and is changed only by the operations that rows name: one flow record per peer, timers, the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from fsm.catalogue import Layer, resolve
from fsm.choices import Config, default_config
from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.names import VERDICTS, WINDOWS, Verdict
from fsm.reasons import REASONS
from fsm.stimuli import POSITIONS, STIMULI
from fsm.table import NO_ROW, Step, Table, compile_table

# Lifetime of a unicast flow without a packet in either direction, in seconds. Source: ALES.
UNICAST_LIFETIME_S = 60
# How long an outbound group datagram lets answers in, in seconds. Source: ALEM.
GROUP_LIFETIME_S = 4
FIRST_PEER = "A"


@dataclass(frozen=True, slots=True)
class Tuple5:
    """A five-tuple as a layer shows it. What the layer does not have is None; ICMP errors have ports 0."""

    local_address: str
    local_port: int | None
    remote_address: str | None
    remote_port: int | None
    protocol: int | None = 17


@dataclass(frozen=True, slots=True)
class ClassifyContext:
    """What a callout gets: one classify at one layer.

    `packet_direction` is "" where no packet is attached; `flow_direction` is that of the first packet of the flow,
    "" when there is none to speak of. `flags` are the condition flags the layer is called with,
    `reauthorize_reason` the bits of FWPM_CONDITION_ALE_REAUTH_REASON (0 at a first authorization), and
    `injected_by_self` is what FwpsQueryPacketInjectionState0 would say of the callout's own packets.
    """

    endpoint: str
    layer: Layer
    stimulus: str
    peer: str
    tuple5: Tuple5
    flags: tuple[str, ...]
    packet_direction: str
    flow_direction: str
    state: str
    now_s: int
    reauthorize_reason: int = 0
    injected_by_self: bool = False


GROUP_ADDRESS: dict[int, str] = {4: "239.192.0.1", 6: "ff15::1"}
# For each protocol, as IPv4 and as IPv6: its number, and local and remote port where they are no ports. ICMP shows the
# type in the local and the code in the remote port (SECDS); 253 is a number for experiments.
PROTOCOL_FIELDS: dict[str, tuple[tuple[int, tuple[int, int] | None], tuple[int, tuple[int, int] | None]]] = {
    "udp": ((17, None), (17, None)),
    "icmp_echo": ((1, (8, 0)), (58, (128, 0))),
    "igmp": ((2, (0, 0)), (2, (0, 0))),
    "raw": ((253, (0, 0)), (253, (0, 0))),
}
REASON_OF: dict[str, int] = {reason.stimulus: reason.value for reason in REASONS if reason.stimulus}
REASON_OF["complete_group"] = REASON_OF["complete"]  # one reason, whatever is completed
# While a connect is held: the socket as the table of its peer has it, and as that of every other peer.
CONNECTING = ("CONNECT_PENDED", "CONNECT_OTHER_PENDED")

# A callout looks at a classify and answers with a verdict, or None to leave it to others (continue).
Callout = Callable[[ClassifyContext], str | None]


@dataclass(slots=True)
class StimulusRecord:
    """One stimulus that was run: the steps it made, and what came of it.

    `outcome` is one of `names.OUTCOMES` or None when no datagram took part and nothing was blocked; `blocked_at` is
    the layer whose verdict brought it about.
    """

    stimulus: str
    peer: str
    at_s: int
    steps: list[Step] = field(default_factory=list)
    outcome: str | None = None
    blocked_at: str | None = None
    application_sees: str = ""
    remote_sees: str = ""
    logged: list[tuple[int, Step]] = field(default_factory=list)
    reasons: dict[int, int] = field(default_factory=dict)  # number of a step: why it was authorized again, as bits

    @property
    def classified(self) -> list[Step]:
        """The steps that a layer saw."""
        return [step for step in self.steps if step.layer]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that the future of an endpoint depends on, as a value: `Endpoint.restore` brings it back.

    Peers are named in the order in which they were met. Callouts, history and trace are no part of it.
    """

    state: int
    peer: str
    now_s: int
    flows: tuple[tuple[str, str], ...] = ()
    touched_s: tuple[tuple[str, int], ...] = ()
    window_touched_s: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    connected_to: str | None = None
    connecting_to: str = ""
    peer_numbers: tuple[tuple[str, int], ...] = ()


class Endpoint:
    """One endpoint that can be driven: `run("bind")`, `run("sendto")`, `wait(61)` ...

    Parameters
    ----------
    endpoint : "sender", "receiver" or "dropped_port".
    config : the machine that is meant, from `choices.configure`.
    """

    def __init__(self, endpoint: str, config: Config | None = None, *, table: Table | None = None) -> None:
        self.table = table or compile_table(endpoint, config or default_config())
        self.name = endpoint
        self.state: int = self.table.start
        self.peer = FIRST_PEER
        self.now_s = 0
        self.history: list[StimulusRecord] = []
        self.trace: list[Step] = []
        self._peer_numbers: dict[str, int] = {FIRST_PEER: 1}
        self._flows: dict[str, str] = {}  # flow register of the peers out of focus
        self._touched_s: dict[str, int] = {}
        self._window_touched_s = 0
        self._reasons: dict[str, int] = {}  # why a peer's flow is stale, as bits
        self._connected_to: str | None = None
        self._connecting_to = ""  # whom the connect is about that is held, or was the last one
        self._callouts: list[tuple[str | None, Callout]] = []
        # Contexts are values: one serves every classify of a state until time or the peer's reasons change.
        self._contexts: dict[tuple[int, str, int], ClassifyContext] = {}
        self._steps = self.table._steps

    # -- callouts -------------------------------------------------------------------------------------------------

    def register(self, callout: Callout, layer: Layer | str | int | None = None) -> None:
        """Call `callout` at each classify of `layer` (in any spelling that the catalogue knows), or of every layer.

        All registered callouts are called, in order of registration; the first verdict that is not permit decides.
        An exception of a callout leaves the endpoint where it was, before the layer.
        """
        if not callable(callout):
            raise FsmError(f"{self.name}, register", f"{callout!r} is no callout", fix="Give a function of a context")
        if isinstance(layer, str | int):
            layer = resolve(str(layer), self.table.config.ip, windows=self.table.config.windows, where="register")
        self._callouts.append((layer.fwpm_name if layer else None, callout))

    @property
    def callouts(self) -> tuple[tuple[str | None, Callout], ...]:
        """What is registered, in order: the full name of its layer (None for every layer), and the callout."""
        return tuple(self._callouts)

    def context(self) -> ClassifyContext:
        """The classify that waits for a verdict.

        Raises
        ------
        NoTransition : nothing is in progress.
        """
        table, state = self.table, self.state
        layer = table.layer(state)
        if layer is None:
            raise NoTransition(self.name, f"no layer is being classified in state {table.name_of(state)}")
        key = (state, self.peer, self._reasons.get(self.peer, 0))
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = self._make_context(layer)
        return context

    def _make_context(self, layer: Layer) -> ClassifyContext:
        table, state = self.table, self.state
        here, flags = table.states[state], table.flags(state)
        packet = POSITIONS[here.position].packet_direction
        return ClassifyContext(
            self.name, layer, here.stimulus, self.peer, self._tuple_at(layer, here.position), flags,
            packet, self._flow_direction(packet), table.name_of(state), self.now_s,
            self._reauthorize_reason(here.stimulus, flags),
            ("injected", "self") in STIMULI[here.stimulus].attributes or _is_own_clone(here.stimulus, here.position),
        )  # fmt: skip

    def tuple5(self, peer: str) -> Tuple5:
        """Example addresses from the documentation ranges, one remote address for each peer in order of first use."""
        number = self._peer_numbers.setdefault(peer, len(self._peer_numbers) + 1)
        if self.table.config.ip == 6:
            return Tuple5("2001:db8::1", 50000, f"2001:db8:ffff::{number:x}", 53)
        return Tuple5("192.0.2.1", 50000, f"198.51.{100 + number // 256}.{number % 256}", 53)

    def _tuple_at(self, layer: Layer, position: str) -> Tuple5:
        """The tuple as this layer has it. Source: CAL (conditions per layer), SECDS (ICMP errors)."""
        whole, six = self.tuple5(self.peer), self.table.config.ip == 6
        stimulus = STIMULI[self.table.states[self.state].stimulus]
        if position.startswith(("bind.", "close.")):
            anywhere = "::" if layer.ip_version == 6 else "0.0.0.0"
            return replace(whole, local_address=anywhere, remote_address=None, remote_port=None)
        if ("to", "group") in stimulus.attributes:
            group = GROUP_ADDRESS[self.table.config.ip]
            end = "local_address" if stimulus.packet_direction == "inbound" else "remote_address"
            whole = replace(whole, **{end: group})  # type: ignore[arg-type]
        number, ports = PROTOCOL_FIELDS[self.table.config.choice("protocol")][six]
        if ports is not None:
            whole = replace(whole, local_port=ports[0], remote_port=ports[1])
        whole = replace(whole, protocol=number)
        if layer.ip_version == 6 and not six:  # a dual-stack socket and an IPv4 peer
            whole = replace(
                whole, local_address=f"::ffff:{whole.local_address}", remote_address=f"::ffff:{whole.remote_address}"
            )
        if layer.group == "ippacket":
            return replace(whole, local_port=None, remote_port=None, protocol=None)
        if position.startswith("drop.icmp"):
            return replace(whole, local_port=0, remote_port=0, protocol=1 if self.table.config.ip == 4 else 58)
        return whole

    def _flow_direction(self, packet_direction: str) -> str:
        if ("to", "group") in STIMULI[self.table.states[self.state].stimulus].attributes:
            return packet_direction  # group traffic has flows of its own, one for each direction
        flow = self.flow(self.peer)
        if flow == "NONE":
            return (
                packet_direction if self.table.states[self.state].position.split(".")[0] in ("send", "receive") else ""
            )
        return "outbound" if flow.startswith("OUT") else "inbound"

    def _reauthorize_reason(self, stimulus: str, flags: tuple[str, ...]) -> int:
        if "IS_REAUTHORIZE" not in flags or WINDOWS.index(self.table.config.windows) < WINDOWS.index("7"):
            return 0  # the field came with Windows 7
        if not self.table.states[self.state].position.startswith(("send.", "receive.")):
            return 0  # it is a field of the two AUTH layers
        return REASON_OF.get(stimulus, 0) or self._reasons.get(self.peer, 0)

    # -- running --------------------------------------------------------------------------------------------------

    def run(self, stimulus: str, peer: str = FIRST_PEER) -> StimulusRecord:
        """Begin a stimulus and go on to its end: permit everywhere unless a callout says otherwise.

        Raises
        ------
        NoTransition : it is not possible now; nothing has changed.
        UnknownName : there is no such stimulus.
        """
        record = self.begin(stimulus, peer)
        return self.proceed(record)

    def begin(self, stimulus: str, peer: str = FIRST_PEER) -> StimulusRecord:
        """Begin a stimulus and stop before its first layer (or at its end, where no layer sees it)."""
        where = f"{self.name}, stimulus {len(self.history) + 1}"
        name = self.table.stimulus(stimulus, where)
        event = self.table.event_ids[name]
        peers = [peer]
        if STIMULI[name].per_flow:
            peers = [p for p in (self.peer, *self._flows) if self.flow(p) != "NONE"] or [self.peer]
        if self.table.next_or_none(self._state_for(peers[0]), event) == NO_ROW:
            raise self.table.refused(self._state_for(peers[0]), name, where)
        record = StimulusRecord(name, peer, self.now_s)
        self.history.append(record)
        for each in peers:
            self._focus(each)
            self._note(record, self.advance(event))
        return record

    def proceed(self, record: StimulusRecord | None = None) -> StimulusRecord:
        """Go on with the stimulus in progress to its end, asking the callouts at each layer."""
        record = record or self._in_progress()
        while self.table.layer(self.state) is not None:
            self.decide(self._ask(), record)
        return record

    def decide(self, verdict: str, record: StimulusRecord | None = None) -> Step:
        """Give the verdict of the layer that waits for one, and take that step.

        Raises
        ------
        NoTransition : nothing waits, or this layer does not take this verdict (the reason is given).
        """
        event = self.table.event_ids.get(verdict)
        if event is None or verdict not in VERDICTS:
            raise UnknownName.of(self.name, "verdict", verdict, VERDICTS)
        record = record or self._in_progress()
        flags = self.table.flags(self.state)
        reason = self._reauthorize_reason(record.stimulus, flags) if "IS_REAUTHORIZE" in flags else 0
        step = self.advance(event)
        if reason:
            record.reasons[len(record.steps)] = reason
        self._note(record, step)
        return step

    def wait(self, seconds: int) -> list[StimulusRecord]:
        """Let model time pass; flows without a packet for their lifetime end (at >= 60 s), no layer sees it.

        Raises
        ------
        NoTransition : a stimulus is in progress, or time would run backwards.
        """
        where = f"{self.name}, stimulus {len(self.history) + 1}"
        if seconds < 0:
            raise NoTransition(where, f"time cannot run backwards ({seconds} s)")
        layer = self.table.layer(self.state)
        if layer is not None:
            raise NoTransition(
                where,
                f"time does not pass while {self.history[-1].stimulus} waits for the verdict of {layer.fwpm_name}",
                f"Possible here: {', '.join(self.table.moves(self.state))}",
            )
        self.now_s += seconds
        self._contexts.clear()
        records = []
        for peer in [p for p in (self.peer, *self._flows) if self.flow(p) != "NONE"]:
            if self._is_idle(peer):
                records.append(self.begin("idle_timeout", peer))
        if self._has("window", "open") and self.now_s - self._window_touched_s >= GROUP_LIFETIME_S:
            records.append(self.begin("window_timeout", self.peer))
        if not records:
            records.append(StimulusRecord("wait", self.peer, self.now_s))
            self.history.append(records[0])
        return records

    def _is_idle(self, peer: str) -> bool:
        # A pended flow waits for its callout, whatever the time.
        waits = self.flow(peer).endswith("PENDED")
        return not waits and self.now_s - self._touched_s.get(peer, 0) >= UNICAST_LIFETIME_S

    # -- going back -----------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Where the endpoint stands, as a value."""
        return Snapshot(
            self.state,
            self.peer,
            self.now_s,
            tuple(self._flows.items()),
            tuple(self._touched_s.items()),
            self._window_touched_s,
            tuple(self._reasons.items()),
            self._connected_to,
            self._connecting_to,
            tuple(self._peer_numbers.items()),
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Stand where `snapshot` was taken, on an endpoint of the same table.

        Callouts stay registered, history and trace are left as they are; a stimulus that was in progress goes on in
        a record of its own.
        """
        self.peer, self.now_s = snapshot.peer, snapshot.now_s
        self._flows = dict(snapshot.flows)
        self._touched_s = dict(snapshot.touched_s)
        self._window_touched_s = snapshot.window_touched_s
        self._reasons = dict(snapshot.reasons)
        self._connected_to, self._connecting_to = snapshot.connected_to, snapshot.connecting_to
        self._peer_numbers = dict(snapshot.peer_numbers)
        self._contexts.clear()
        self._place(snapshot.state)
        stimulus = self.table.states[self.state].stimulus
        if stimulus:
            self.history.append(StimulusRecord(stimulus, self.peer, self.now_s))

    def look_at(self, peer: str) -> None:
        """Put a peer in focus: `state` is then as the table that is drawn for it has it. Nothing happens.

        Raises
        ------
        NoTransition : a stimulus of another peer is in progress.
        """
        layer = self.table.layer(self.state)
        if peer != self.peer and layer is not None:
            raise NoTransition(self.name, f"a stimulus of peer {self.peer} waits for the verdict of {layer.fwpm_name}")
        self._focus(peer)

    # -- peers ----------------------------------------------------------------------------------------------------

    def flow(self, peer: str) -> str:
        """The flow register of one peer: NONE, OUT, IN, OUT_STALE ..."""
        if "flow" not in self.table.view.registers:
            return "NONE"
        if peer == self.peer:
            return self.table.register(self.state, "flow")
        return self._flows.get(peer, "NONE")

    def _has(self, register: str, value: str) -> bool:
        return register in self.table.view.registers and self.table.register(self.state, register) == value

    def _state_for(self, peer: str) -> int:
        """The state as the table drawn for `peer` has it."""
        if peer == self.peer or "flow" not in self.table.view.registers:
            return self.state
        if self.table.layer(self.state) is not None:
            return self.state  # in progress: refused there, whoever the peer is
        connected = "no" if self._connected_to is None else "this" if self._connected_to == peer else "other"
        socket = self.table.register(self.state, "socket")
        if socket in CONNECTING:
            socket = CONNECTING[self._connecting_to != peer]
        flow = self._flows.get(peer, "NONE")
        return self.table.with_registers(self.state, flow=flow, connected=connected, socket=socket)

    def _focus(self, peer: str) -> None:
        if peer == self.peer:
            return
        state = self._state_for(peer)
        if "flow" in self.table.view.registers:
            self._flows[self.peer] = self.table.register(self.state, "flow")
            self._flows.pop(peer, None)
        self.peer = peer
        self._peer_numbers.setdefault(peer, len(self._peer_numbers) + 1)
        self._place(state)

    def _place(self, state: int) -> None:
        self.state = state

    # -- one step -------------------------------------------------------------------------------------------------

    def advance(self, event: int) -> Step:
        """One recorded step by event number: what `run` and `decide` are made of.

        Raises
        ------
        NoTransition : not possible in this state; nothing has changed.
        """
        state = self.state
        target = self.table.step(state, event)
        step = self._steps[state][event] or self.table.recorded(state, event)
        self.state = target
        self.trace.append(step)
        if step.ops or step.flags or step.stimulus in ("connect", "connect_other", "complete"):
            self._operate(step)
        return step

    def _operate(self, step: Step) -> None:
        for op in step.ops:
            if op in ("create_flow", "touch"):
                self._touched_s[self.peer] = self.now_s
                self._reasons.pop(self.peer, None)
            elif op == "touch_window":
                self._window_touched_s = self.now_s
            elif op == "mark_stale":
                self._reasons[self.peer] = self._reasons.get(self.peer, 0) | REASON_OF[step.stimulus]
            elif op == "drop_flow":
                self._touched_s.pop(self.peer, None)
                self._reasons.pop(self.peer, None)
            elif op == "drop_all_flows":
                for records in (self._touched_s, self._flows, self._reasons):
                    records.clear()
                self._connected_to = None
        group = ("to", "group") in STIMULI[step.stimulus].attributes
        if step.verdict == Verdict.PERMIT and "IS_REAUTHORIZE" in step.flags and not group:
            self._reasons.pop(self.peer, None)  # authorized again: the reasons are dealt with
        if step.position == "connect.redirect":
            self._connecting_to = self.peer if step.stimulus == "connect" else ""  # "": a peer that has no name here
        if step.event == "complete" and step.from_state.startswith(CONNECTING):
            self._connected_to = self._connecting_to
        elif self._has("connected", "this"):
            self._connected_to = self.peer
        elif step.stimulus == "connect_other" and self._has("connected", "other") and _is_done(step):
            self._connected_to = ""

    def _ask(self) -> str:
        if not self._callouts:
            return Verdict.PERMIT
        context = self.context()
        name, verdict = context.layer.fwpm_name, str(Verdict.PERMIT)
        for layer, callout in self._callouts:
            if layer is None or layer == name:
                answer = callout(context)
                if answer is not None and verdict == Verdict.PERMIT:
                    verdict = answer
        return verdict

    def _in_progress(self) -> StimulusRecord:
        if self.table.layer(self.state) is None:
            raise NoTransition(
                self.name,
                f"no layer waits for a verdict in state {self.table.name_of(self.state)}",
                f"Possible here: {', '.join(self.table.moves(self.state))}",
            )
        return self.history[-1]

    def _note(self, record: StimulusRecord, step: Step) -> None:
        record.steps.append(step)
        if step.outcome:
            record.outcome = step.outcome
        if step.application_sees and STIMULI[step.stimulus].seen_by_application:
            record.application_sees = step.application_sees
        if step.remote_sees:
            record.remote_sees = step.remote_sees
        # A block at a discard twin changes nothing any more: its row has no outcome.
        if step.verdict in (Verdict.BLOCK, Verdict.ABSORB, Verdict.VETO) and step.outcome:
            record.blocked_at = step.layer
        record.logged.extend((event_id, step) for event_id in step.logged)


def _is_done(step: Step) -> bool:
    """Whether a call ends here with success: neither work nor a verdict against it is left."""
    return "@" not in step.to_state and not step.outcome


def _is_own_clone(stimulus: str, position: str) -> bool:
    """Whether what comes in is the clone that a completion has reinjected: on the receive path, from the bottom on."""
    return stimulus == "complete" and position.startswith("receive.") and not position.startswith("receive.complete")


def verdict_at(verdicts: Mapping[str, str]) -> FixedVerdicts:
    """A callout that gives a fixed verdict at some layers: {full FWPM name: verdict}.

    As drivers do, it pends the initial classify only, and permits what it has injected itself. Source: PMR, INJ.
    """
    return FixedVerdicts(verdicts)


@dataclass(frozen=True, slots=True, eq=False)
class FixedVerdicts:
    """The callout that `verdict_at` makes."""

    verdicts: Mapping[str, str]

    def __call__(self, context: ClassifyContext) -> str | None:
        verdict = self.verdicts.get(context.layer.fwpm_name)
        if verdict == Verdict.PEND and ("IS_REAUTHORIZE" in context.flags or context.injected_by_self):
            return None
        return verdict
