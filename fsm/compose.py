"""The moves of a session, made on demand from the compiled tables.

Local states and contents of the network are numbered as they are met and packed into one integer. A move of one
endpoint depends on its own number, its host's and the network's only: `units` says which bits these are, so that the
explorer can keep a memo by them. A move is its number and the difference that it makes to the packed state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from fsm.catalogue import Layer
from fsm.errors import FsmError
from fsm.names import Verdict
from fsm.rows import Row
from fsm.session import (
    ABOUT_NOBODY,
    ABOUT_WHAT_IS_PENDED,
    ELSEWHERE,
    MESSAGES,
    NETWORK,
    VERDICTS_NOT_OFFERED,
    Member,
    Message,
    Move,
    NoSocketState,
    Session,
    SessionState,
    SocketState,
    short,
)
from fsm.stimuli import STIMULI
from fsm.table import NO_ROW, State, Step, Table, compile_rows, compile_table

if TYPE_CHECKING:
    from fsm.session_filters import SessionAnswers

V = TypeVar("V")
Moves = list[tuple[int, int]]  # (number of the move, difference of packed states)
Build = Callable[[int], Moves]
Net = tuple[int, ...]  # numbers of the messages in flight

BITS = 24  # for each part of a packed state
PART = (1 << BITS) - 1
KINDS = tuple(MESSAGES)


class _Numbers(Generic[V]):
    """Values numbered in the order in which they are met."""

    def __init__(self) -> None:
        self.values: list[V] = []
        self._ids: dict[V, int] = {}

    def of(self, value: V) -> int:
        number = self._ids.get(value)
        if number is None:
            number = self._ids[value] = len(self.values)
            self.values.append(value)
            assert number < 1 << BITS, "too many local states to be packed"
        return number


@dataclass(frozen=True, slots=True)
class _Run:
    """What one endpoint does on one event: the steps, its next local state, what it emits."""

    steps: tuple[Step, ...]
    after: SocketState | NoSocketState
    sends: tuple[int, ...]


class Composer:
    """The tables of a session put together: numbers local states and builds moves on demand."""

    def __init__(self, session: Session, rows: Iterable[Row] | None) -> None:
        self.session = session
        self.members = session.members
        kept = None if rows is None else tuple(rows)
        views = dict.fromkeys((*(member.view for member in session.members), "dropped_port"))
        self.tables: dict[str, Table] = {
            view: compile_table(view, session.config) if kept is None else compile_rows(view, session.config, kept)
            for view in views
        }
        self.no_socket = self.tables["dropped_port"]
        self.answers = self._answers(asked_rows=rows is not None)
        self.sockets = session.sockets
        self.peers = {member.name: session.peers(member) for member in session.members}
        self.index = {member.name: number for number, member in enumerate(session.members)}
        self.by_classify = session.granularity == "classify"
        self.in_order = "reorder" not in session.network
        self.local: list[_Numbers[SocketState]] = [_Numbers() for _ in self.sockets]
        self.local_hosts: list[_Numbers[NoSocketState]] = [_Numbers() for _ in session.hosts]
        self.nets: _Numbers[Net] = _Numbers()
        self.moves: list[Move] = []
        self._move_ids: dict[tuple[object, ...], int] = {}
        self._runs: dict[tuple[int, int, str, str], list[_Run]] = {}
        parts = len(self.sockets) + len(session.hosts)
        self._net_shift = BITS * parts

    def _answers(self, *, asked_rows: bool) -> SessionAnswers | None:
        if self.session.filters is None:
            return None
        if asked_rows:
            raise FsmError("session", "a policy is asked on the package's own rows", fix="Leave out rows=")
        from fsm.session_filters import SessionAnswers

        return SessionAnswers(self.session, self.tables, VERDICTS_NOT_OFFERED)

    # -- packing --------------------------------------------------------------------------------------------------

    def start(self) -> int:
        """The packed start state: numbers 0 everywhere."""
        for numbers, member in zip(self.local, self.sockets, strict=True):
            numbers.of(SocketState(flows=("NONE",) * len(self.peers[member.name])))
        for hosts in self.local_hosts:
            hosts.of(NoSocketState())
        self.nets.of(())
        return 0

    def unpack(self, packed: int) -> SessionState:
        parts = [packed >> BITS * n & PART for n in range(len(self.sockets) + len(self.local_hosts) + 1)]
        count = len(self.sockets)
        return SessionState(
            tuple(numbers.values[n] for numbers, n in zip(self.local, parts, strict=False)),
            tuple(numbers.values[n] for numbers, n in zip(self.local_hosts, parts[count:], strict=False)),
            tuple(self.message(m) for m in self.nets.values[parts[-1]]),
        )

    def message(self, number: int) -> Message:
        """Messages are numbered by (from, to, kind), in the order of the members."""
        channel, kind = divmod(number, len(KINDS))
        sender, to = divmod(channel, len(self.members))
        return Message(KINDS[kind], self.members[sender].name, self.members[to].name)

    def message_number(self, kind: str, sender: str, to: str) -> int:
        return (self.index[sender] * len(self.members) + self.index[to]) * len(KINDS) + KINDS.index(kind)

    def units(self) -> list[tuple[int, Build]]:
        """What moves by itself, in the order of the session: the bits it depends on, and the builder of its moves."""
        net = PART << self._net_shift
        units: list[tuple[int, Build]] = []
        for number, member in enumerate(self.sockets):
            mask = PART << BITS * number | PART << self._host_shift(member.host) | net
            units.append((mask, partial(self._socket_moves, number)))
        for host in self.session.hosts:
            mask = PART << self._host_shift(host) | net
            units.append((mask, partial(self._host_moves, host)))
        units.append((net, self._network_moves))
        return units

    def _host_shift(self, host: int) -> int:
        return BITS * (len(self.sockets) + self.session.hosts.index(host))

    # -- the table seen with one peer in focus --------------------------------------------------------------------

    def standing(self, number: int, state: SocketState) -> tuple[int, ...]:
        """The states of the table that a socket stands in: one for each peer, or the one of what it is doing."""
        peers = (state.peer,) if state.stimulus else (*self.peers[self.sockets[number].name], "")
        return tuple(dict.fromkeys(self._project(number, state, peer) for peer in peers))

    def _project(self, number: int, state: SocketState, peer: str) -> int:
        """The state of the table that is drawn for this peer; "" stands for somebody without a flow."""
        member = self.sockets[number]
        table = self.tables[member.view]
        peers = self.peers[member.name]
        held = state.connecting_to and ("CONNECT_PENDED" if state.connecting_to == peer else "CONNECT_OTHER_PENDED")
        values = {
            "socket": held or state.socket,
            "connected": "no" if not state.connected_to else "this" if state.connected_to == peer else "other",
            "window": state.window,
            "flow": state.flows[peers.index(peer)] if peer in peers else "NONE",
        }
        registers = tuple(values[name] for name in table.view.registers)
        return table.state_ids[State(registers, state.stimulus, state.position)]

    def _absorb(self, number: int, before: SocketState, peer: str, target: int, row: Row) -> SocketState:
        """The socket after a step that was taken with this peer in focus."""
        member = self.sockets[number]
        table = self.tables[member.view]
        after = table.states[target]
        values = dict(zip(table.view.registers, after.registers, strict=True))
        peers = self.peers[member.name]
        if "drop_all_flows" in row.ops:
            flows = tuple(values["flow"] for _ in peers)
        else:
            flows = tuple(values["flow"] if p == peer else flow for p, flow in zip(peers, before.flows, strict=True))
        # "other" is set by connect_other: to somebody outside, whomever it was connected to before; where a peer of the
        # session is meant, that is connect with this peer in focus. Or by the completion of a connect that was held.
        connected, holds = dict(row.sets).get("connected"), dict(row.sets).get("socket")
        other = before.connecting_to or ELSEWHERE
        connected_to = {None: before.connected_to, "no": "", "this": peer, "other": other}[connected]
        held = {None: before.connecting_to, "CONNECT_PENDED": peer, "CONNECT_OTHER_PENDED": ELSEWHERE}.get(holds, "")
        socket = values["socket"]
        if held:
            socket = "CONNECT_OTHER_PENDED" if held == ELSEWHERE else "CONNECT_PENDED"
        heard = before.heard
        if "deliver" in row.ops and self._answers_only(member) and peer in peers and peer not in heard:
            heard = tuple(p for p in peers if p == peer or p in heard)
        return SocketState(
            socket, connected_to, values["window"], flows,
            () if socket == "CLOSED" else heard,
            after.stimulus, after.position, peer if after.stimulus else "", held,
        )  # fmt: skip

    def _answers_only(self, member: Member) -> bool:
        # What was heard matters only where it can be answered.
        return member.view == "receiver" and "sendto" in self.session.stimuli

    def _sends(self, member: Member, peer: str, step: Step) -> tuple[int, ...]:
        """The messages that a step of a socket emits."""
        sends: list[int] = []
        group = ("to", "group") in STIMULI[step.stimulus].attributes
        for op in step.ops:
            if op == "emit" and not group:
                sends.append(self.message_number("datagram", member.name, peer))
            elif (op == "emit" and group) or op == "loop_back":
                # On the wire to every other host; `loop_back` is the copy for the receivers of this one.
                here = op == "loop_back"
                sends += [
                    self.message_number("group", member.name, other.name)
                    for other in self.sockets
                    if (other.host == member.host) == here
                ]
        return tuple(sends)

    def _allowed(self, table: Table, state: int, endpoint: str, peer: str) -> list[str]:
        """The verdicts that the layer of this state can give and takes; permit where it takes none of them."""
        answer = self.answers.at(endpoint, table.view.name, peer, state) if self.answers else None
        given = self.session.verdicts if answer is None else answer.verdicts
        taken = [v for v in given if table.next_or_none(state, table.event_ids[v]) != NO_ROW]
        return taken or [str(Verdict.PERMIT)]

    # -- runs of one endpoint -------------------------------------------------------------------------------------

    def _socket_runs(self, number: int, state: SocketState, event: str, peer: str) -> list[_Run]:
        key = (number, self.local[number].of(state), event, peer)
        if key not in self._runs:
            self._runs[key] = list(self._walk_socket(number, state, (event,), peer))
        return self._runs[key]

    def _walk_socket(self, number: int, state: SocketState, events: Sequence[str], peer: str) -> Iterator[_Run]:
        """One step for each of the events, and at stimulus granularity every way on from there to its end."""
        member = self.sockets[number]
        table = self.tables[member.view]
        here = self._project(number, state, peer)
        for event in events:
            target = table.next_or_none(here, table.event_ids[event])
            if target == NO_ROW:
                continue
            step = table.recorded(here, table.event_ids[event])
            row = table.rows[table.row_index(here, table.event_ids[event])]
            after = self._absorb(number, state, peer, target, row)
            sends = self._sends(member, peer, step)
            if after.stimulus and not self.by_classify:
                for rest in self._walk_socket(number, after, self._allowed(table, target, member.name, peer), peer):
                    yield _Run((step, *rest.steps), rest.after, (*sends, *rest.sends))
            else:
                yield _Run((step,), after, sends)

    def _walk_host(self, state: NoSocketState, events: Sequence[str], port: str, peer: str) -> Iterator[_Run]:
        """The same for a host that works off what no socket takes."""
        table = self.no_socket
        here = table.state_ids[State((), state.stimulus, state.position)]
        for event in events:
            target = table.next_or_none(here, table.event_ids[event])
            if target == NO_ROW:
                continue
            step = table.recorded(here, table.event_ids[event])
            reached = table.states[target]
            after = (
                NoSocketState(reached.stimulus, reached.position, port, peer) if reached.stimulus else NoSocketState()
            )
            icmp = "emit_icmp" in step.ops
            sends = (self.message_number("icmp_error", port, peer),) if icmp else ()
            if after.stimulus and not self.by_classify:
                for rest in self._walk_host(after, self._allowed(table, target, port, peer), port, peer):
                    yield _Run((step, *rest.steps), rest.after, (*sends, *rest.sends))
            else:
                yield _Run((step,), after, sends)

    def _own_runs(self, number: int, state: SocketState) -> Iterator[tuple[str, str, _Run]]:
        """What a socket can do without the network: (stimulus, peer, run)."""
        member = self.sockets[number]
        table = self.tables[member.view]
        if state.stimulus:
            verdicts = self._allowed(table, self._project(number, state, state.peer), member.name, state.peer)
            for run in self._walk_socket(number, state, verdicts, state.peer):
                yield state.stimulus, state.peer, run
            return
        peers = self.peers[member.name]
        for stimulus in self.session.stimuli:
            if stimulus not in table.view.stimuli:
                continue
            if STIMULI[stimulus].per_flow:
                for run in self._all_flows(number, state, stimulus):
                    yield stimulus, "", run
                continue
            about: tuple[str, ...] = peers
            if stimulus in ABOUT_NOBODY:
                about = ("",)
            elif stimulus in ABOUT_WHAT_IS_PENDED and state.connecting_to in peers:
                about = (state.connecting_to,)  # it is the connect with this peer that is pended, no flow
            elif stimulus in ABOUT_WHAT_IS_PENDED and self._socket_runs(number, state, stimulus, ""):
                about = ("",)  # it is the bind or the closure that is pended, not a flow
            elif stimulus == "sendto" and self._answers_only(member):
                about = state.heard
            for peer in about:
                for run in self._socket_runs(number, state, stimulus, peer):
                    yield stimulus, peer, run

    def _all_flows(self, number: int, state: SocketState, stimulus: str) -> list[_Run]:
        """One stimulus that meets every flow of the socket at once; no layer sees it."""
        peers = self.peers[self.sockets[number].name]
        about = [peer for peer, flow in zip(peers, state.flows, strict=True) if flow != "NONE"] or [""]
        steps: list[Step] = []
        for peer in about:
            runs = self._socket_runs(number, state, stimulus, peer)
            if not runs:
                return []
            assert len(runs) == 1 and isinstance(runs[0].after, SocketState)
            steps += runs[0].steps
            state = runs[0].after
        return [_Run(tuple(steps), state, ())]

    # -- moves of a session ---------------------------------------------------------------------------------------

    def _socket_moves(self, number: int, packed: int) -> Moves:
        member = self.sockets[number]
        shift = BITS * number
        here = packed >> shift & PART
        state = self.local[number].values[here]
        net = self._net(packed)
        moves = []
        for stimulus, peer, run in self._own_runs(number, state):
            assert isinstance(run.after, SocketState)
            difference = (self.local[number].of(run.after) - here) << shift
            moves.append(self._move(member, member.view, stimulus, peer, run, packed, net, None, difference))
        for message, rest in self._deliverable(net, member.name):
            kind, _, _ = _parts(message, len(self.members))
            sender = self.message(message).sender
            if state.socket == "BOUND":
                if state.stimulus:
                    continue  # busy: the message waits
                stimulus = MESSAGES[KINDS[kind]]
                for run in self._socket_runs(number, state, stimulus, sender):
                    assert isinstance(run.after, SocketState)
                    difference = (self.local[number].of(run.after) - here) << shift
                    moves.append(
                        self._move(member, member.view, stimulus, sender, run, packed, rest, message, difference)
                    )
            else:
                moves += self._to_no_socket(member, message, packed, rest)
        return moves

    def _host_moves(self, host: int, packed: int) -> Moves:
        shift = self._host_shift(host)
        numbers = self.local_hosts[self.session.hosts.index(host)]
        here = packed >> shift & PART
        state = numbers.values[here]
        net = self._net(packed)
        moves = []
        if state.stimulus:
            cursor = self.no_socket.state_ids[State((), state.stimulus, state.position)]
            verdicts = self._allowed(self.no_socket, cursor, state.port, state.peer)
            member = self.session.member(state.port)
            for run in self._walk_host(state, verdicts, state.port, state.peer):
                assert isinstance(run.after, NoSocketState)
                difference = (numbers.of(run.after) - here) << shift
                moves.append(
                    self._move(member, "dropped_port", state.stimulus, state.peer, run, packed, net, None, difference)
                )
        for member in self.members:
            if member.host == host and member.view == "dropped_port":
                for message, rest in self._deliverable(net, member.name):
                    moves += self._to_no_socket(member, message, packed, rest)
        return moves

    def _to_no_socket(self, member: Member, message: int, packed: int, rest: Net) -> Moves:
        """A message for a port that no socket owns: the host works it off; an ICMP error vanishes."""
        arrived = self.message(message)
        if arrived.kind == "icmp_error":
            run = _Run((), NoSocketState(), ())
            note = "vanishes: no socket is left to be told"
            return [self._move(member, "", "icmp_error", arrived.sender, run, packed, rest, message, 0, note)]
        shift = self._host_shift(member.host)
        numbers = self.local_hosts[self.session.hosts.index(member.host)]
        here = packed >> shift & PART
        if numbers.values[here].stimulus:
            return []  # busy: the message waits
        stimulus = MESSAGES[arrived.kind]
        moves = []
        for run in self._walk_host(NoSocketState(), (stimulus,), member.name, arrived.sender):
            assert isinstance(run.after, NoSocketState)
            difference = (numbers.of(run.after) - here) << shift
            moves.append(
                self._move(member, "dropped_port", stimulus, arrived.sender, run, packed, rest, message, difference)
            )
        return moves

    def _network_moves(self, packed: int) -> Moves:
        """What the network does by itself: lose, duplicate."""
        net = self._net(packed)
        moves: Moves = []
        if "lose" in self.session.network:
            moves += self._each_place(net, "lose", lambda at: net[:at] + net[at + 1 :])
        if "duplicate" in self.session.network and len(net) < self.session.cap:
            moves += self._each_place(net, "duplicate", lambda at: net[: at + 1] + net[at:])
        return moves

    def _each_place(self, net: Net, name: str, change: Callable[[int], Net]) -> Moves:
        """One move for each way in which the result differs; places of one channel are told apart by their number."""
        seen: dict[tuple[int, Net], None] = dict.fromkeys((net[at], change(at)) for at in range(len(net)))
        places: dict[int, int] = {}
        moves = []
        for message, after in seen:
            places[message] = places.get(message, 0) + 1
            note = f"number {places[message]} of its kind" if places[message] > 1 else ""
            difference = (self.nets.of(after) - self.nets.of(net)) << self._net_shift
            moves.append((self._intern(NETWORK, "", name, "", (), message, (), (), note, NETWORK), difference))
        return moves

    # -- the network ----------------------------------------------------------------------------------------------

    def _net(self, packed: int) -> Net:
        return self.nets.values[packed >> self._net_shift & PART]

    def _deliverable(self, net: Net, to: str) -> list[tuple[int, Net]]:
        """What can arrive there now, and what stays in flight: the first of each channel, any with reorder."""
        if "deliver" not in self.session.network:
            return []
        goal, count = self.index[to], len(self.members)
        found: dict[int, Net] = {}
        channels: set[int] = set()
        for at, message in enumerate(net):
            _, _, addressee = _parts(message, count)
            channel = message // len(KINDS)
            if addressee == goal and (not self.in_order or channel not in channels):
                channels.add(channel)
                found.setdefault(message, net[:at] + net[at + 1 :])
        return list(found.items())

    def _put(self, net: Net, message: int) -> Net:
        """In order: behind what is in its channel. With reorder: anywhere, so sorted."""
        after = (*net, message)
        return tuple(sorted(after, key=lambda m: m // len(KINDS) if self.in_order else m))

    def _move(
        self, member: Member, view: str, stimulus: str, peer: str, run: _Run, packed: int, net: Net,
        message: int | None, difference: int, note: str = "",
    ) -> tuple[int, int]:  # fmt: skip
        """A numbered move and its difference, what it emits put into the network `net`."""
        emitted, lost = [], []
        for sent in run.sends:
            if len(net) < self.session.cap:
                net = self._put(net, sent)
                emitted.append(sent)
            else:
                lost.append(sent)
        before = packed >> self._net_shift & PART
        difference += (self.nets.of(net) - before) << self._net_shift
        actor = member.name if view in (member.view, "") else f"{member.name} without socket"
        if not view:
            actor = f"{member.name} without socket"
        move = self._intern(
            member.name, view, stimulus, peer, run.steps, message, tuple(emitted), tuple(lost), note, actor
        )
        return move, difference

    def _intern(
        self, endpoint: str, view: str, stimulus: str, peer: str, steps: tuple[Step, ...], message: int | None,
        emitted: tuple[int, ...], lost: tuple[int, ...], note: str, actor: str,
    ) -> int:  # fmt: skip
        # Steps are shared by their table: what they are is who they are, and hashing them by value would be slow.
        key = (endpoint, view, stimulus, peer, tuple(map(id, steps)), message, emitted, lost, note)
        number = self._move_ids.get(key)
        if number is None:
            number = self._move_ids[key] = len(self.moves)
            move = Move(
                endpoint, view, stimulus, peer, steps,
                None if message is None else self.message(message),
                tuple(map(self.message, emitted)), tuple(map(self.message, lost)), note, actor,
                decided=self.answers.decided(endpoint, view, peer, steps) if self.answers else (),
            )  # fmt: skip
            self.moves.append(replace(move, label=_label(move, self.by_classify)))
        return number

    def local_states(self) -> dict[str, int]:
        """How many local states of each actor were met; a port without socket shares its host's."""
        counts = {member.name: len(numbers.values) for member, numbers in zip(self.sockets, self.local, strict=True)}
        hosts = dict(zip(self.session.hosts, (len(numbers.values) for numbers in self.local_hosts), strict=True))
        for member in self.members:
            counts[member.name if member.view == "dropped_port" else f"{member.name} without socket"] = hosts[
                member.host
            ]
        return counts

    # -- layers ---------------------------------------------------------------------------------------------------

    def layer_universe(self) -> dict[str, tuple[Layer, ...]]:
        """Each actor with every layer that its table can come to."""
        universe: dict[str, tuple[Layer, ...]] = {}
        for member in self.members:
            universe[member.name] = _layers_of(self.tables[member.view])
        for member in self.sockets:
            universe[f"{member.name} without socket"] = _layers_of(self.no_socket)
        return universe


def _parts(message: int, members: int) -> tuple[int, int, int]:
    channel, kind = divmod(message, len(KINDS))
    return kind, *divmod(channel, members)


def _layers_of(table: Table) -> tuple[Layer, ...]:
    found = (table.layer(state) for state in range(len(table.states)))
    return tuple(dict.fromkeys(layer for layer in found if layer is not None))


def _label(move: Move, by_classify: bool) -> str:
    """`sender: sendto@receiver`, with the verdicts that are not permit; one step where an edge is one step."""
    if move.endpoint == NETWORK:
        return f"network: {move.stimulus} {move.arrives}" + (f" ({move.note})" if move.note else "")
    words = [f"{move.actor}: {move.stimulus}" + (f"@{move.peer}" if move.peer else "")]
    if by_classify:
        words += [f"{short(step.layer)} {step.verdict}" for step in move.classified]
    else:
        refused = [f"{step.verdict} at {short(step.layer)}" for step in move.classified if step.verdict != "permit"]
        words += [f"({', '.join(refused)})"] if refused else []
    return " ".join(words)
