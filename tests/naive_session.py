"""A session composed the slow way, straight from the raw rows: the oracle of `fsm.session`, `compose` and `space`.

It shares no code with them or with `fsm.table`: from the package it takes the rows, and the data of choices, stimuli
and registers. A joint state is nested plain tuples, every guard is read again for every state, and the network is a
list of strings. What is said here again in other words: which rows stand, what guards mean, how flows of several
peers share one socket, who receives what, and what the network does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fsm.choices import CHOICES
from fsm.rows import Row
from fsm.rules import RULES
from fsm.stimuli import STIMULI, VIEWS

WINDOWS_ORDER = ["vista", "vista-sp1", "7", "8", "8.1", "10", "11"]
VOICES = {
    "base": ["base", "microsoft", "logs", "inference", "minor"],
    "documented": ["microsoft", "base", "logs", "inference", "minor"],
    "observed": ["logs", "microsoft", "base", "inference", "minor"],
}
BRINGS = {"datagram": "datagram", "icmp_error": "icmp_error", "group": "datagram_group"}
KIND_RANK = {"datagram": 0, "icmp_error": 1, "group": 2}
ALONE = (
    *("bind", "connect_other", "sendto_group", "complete_group", "complete_group_block", "protection_level"),
    *("window_timeout", "close"),
)

# A socket: (socket, connected to, window, ((peer, flow), ...), peers heard, cursor, whom a held connect is about); a
# cursor: () or (stimulus, position, peer). A host: () or (stimulus, position, port, peer). A message: (kind, from, to).
Sock = tuple[str, str, str, tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...], str]
Message = tuple[str, str, str]
Joint = tuple[tuple[Sock, ...], tuple[tuple[str, ...], ...], tuple[Message, ...]]
# (endpoint, view, stimulus, peer, (position, event, layer, rule) of each step, arrived, emitted, lost)
Trail = tuple[tuple[str, str, str, str], ...]
Who = tuple[str, str, str, str]
Edge = tuple[str, str, str, str, Trail, Message | None, tuple[Message, ...], tuple[Message, ...]]


After = TypeVar("After", Sock, tuple[str, ...])


@dataclass
class Did(Generic[After]):
    """What an endpoint did so far within one stimulus, and its local state after that."""

    after: After
    trail: Trail = ()
    out: tuple[Message, ...] = ()


@dataclass
class Naive:
    """`members` are (name, view, host) in order."""

    members: tuple[tuple[str, str, int], ...]
    network: tuple[str, ...] = ("deliver", "lose")
    cap: int = 1
    stimuli: tuple[str, ...] = ("bind", "sendto", "policy_change", "idle_timeout", "close")
    verdicts: tuple[str, ...] = ("permit",)
    granularity: str = "stimulus"
    ip: int = 4
    windows: str = "11"
    evidence: str = "base"
    assume: dict[str, str] = field(default_factory=dict)
    loopback: bool = False

    def __post_init__(self) -> None:
        chosen = {}
        for name, choice in CHOICES.items():
            if choice.kind == "setting":
                chosen[name] = choice.options[0].name
            else:
                chosen[name] = next(o.name for v in VOICES[self.evidence] for o in choice.options if v in o.voices)
        chosen |= self.assume
        if self.loopback:
            chosen["path"] = "loopback"
        here = WINDOWS_ORDER.index(self.windows)
        self.by_cell: dict[tuple[str, str, str], list[Row]] = {}
        for row in RULES:
            last = WINDOWS_ORDER.index(row.until) if row.until else 99
            if WINDOWS_ORDER.index(row.since) <= here <= last and all(chosen[n] in o for n, o in row.choices):
                self.by_cell.setdefault((row.scope, row.at, row.event), []).append(row)
        self.sockets = [m for m in self.members if m[1] != "dropped_port"]
        self.hosts = sorted({host for _, _, host in self.members})
        self.order = {name: n for n, (name, _, _) in enumerate(self.members)}

    # -- one step of one endpoint

    def row(self, scopes: tuple[str, ...], position: str, event: str, values: dict[str, str]) -> Row | None:
        """The row of a cell whose guards hold."""
        asked = {**dict(STIMULI[values["stimulus"]].attributes), **values}
        found = [
            row
            for scope in scopes
            for row in self.by_cell.get((scope, position, event), [])
            if all(asked.get(name, "") in allowed for name, allowed in row.when)
        ]
        assert len(found) < 2, [row.key for row in found]
        return found[0] if found else None

    def layer(self, row: Row) -> str:
        if row.layer is None:
            return ""
        name, twin = (row.layer[:-8], "_DISCARD") if row.layer.endswith("_DISCARD") else (row.layer, "")
        return f"FWPM_LAYER_{name}_V{row.ip or self.ip}{twin}"

    def socket_step(self, member: tuple[str, str, int], sock: Sock, event: str, peer: str) -> Did[Sock] | None:
        """One event, seen with the flow of this peer ("" or oneself: somebody without a flow)."""
        name, view, _ = member
        state, connected_to, window, flows, heard, cursor, waits_for = sock
        connected = "no" if connected_to == "" else "this" if connected_to == peer else "other"
        if waits_for:  # a connect is held: of this peer, or of another
            state = "CONNECT_PENDED" if waits_for == peer else "CONNECT_OTHER_PENDED"
        values = {"socket": state, "connected": connected, "window": window, "flow": dict(flows).get(peer, "NONE")}
        values["stimulus"] = cursor[0] if cursor else event
        position = cursor[1] if cursor else "idle"
        row = self.row(("socket", "flow"), position, event, values)
        if row is None:
            return None
        for register, value in row.sets:
            values[register] = value
        if "drop_all_flows" in row.ops:
            flows = tuple((p, "NONE") for p, _ in flows)
        elif peer in dict(flows):
            flows = tuple((p, values["flow"] if p == peer else f) for p, f in flows)
        for register, value in row.sets:
            if register == "connected":
                named = peer if value == "this" else waits_for or "elsewhere"
                connected_to = "" if value == "no" else named
        for register, value in row.sets:
            if register == "socket":
                waits_for = {"CONNECT_PENDED": peer, "CONNECT_OTHER_PENDED": "elsewhere"}.get(value, "")
        if waits_for:
            values["socket"] = "CONNECT_OTHER_PENDED" if waits_for == "elsewhere" else "CONNECT_PENDED"
        if view == "receiver" and "sendto" in self.stimuli and "deliver" in row.ops and peer in dict(flows):
            heard = tuple(p for p, _ in flows if p in {*heard, peer})
        if values["socket"] == "CLOSED":
            heard = ()
        cursor = () if row.next == "done" else (values["stimulus"], row.next, peer)
        group = dict(STIMULI[values["stimulus"]].attributes).get("to") == "group"
        out: list[Message] = []
        for op in row.ops:
            if op == "emit" and not group:
                out.append(("datagram", name, peer))
            if op == "emit" and group:
                out += [("group", name, other) for other, _, host in self.sockets if host != member[2]]
            if op == "loop_back":
                out += [("group", name, other) for other, _, host in self.sockets if host == member[2]]
        after: Sock = (values["socket"], connected_to, values["window"], flows, heard, cursor, waits_for)
        return Did(after, ((position, event, self.layer(row), row.key),), tuple(out))

    def host_step(self, cursor: tuple[str, ...], event: str, port: str, peer: str) -> Did[tuple[str, ...]] | None:
        stimulus, position = (cursor[0], cursor[1]) if cursor else (event, "idle")
        row = self.row(("host",), position, event, {"stimulus": stimulus})
        if row is None:
            return None
        after: tuple[str, ...] = () if row.next == "done" else (stimulus, row.next, port, peer)
        out: tuple[Message, ...] = (("icmp_error", port, peer),) if "emit_icmp" in row.ops else ()
        return Did(after, ((position, event, self.layer(row), row.key),), out)

    def socket_runs(
        self, member: tuple[str, str, int], sock: Sock, events: list[str], peer: str
    ) -> Iterator[Did[Sock]]:
        for event in events:
            did = self.socket_step(member, sock, event, peer)
            if did is None:
                continue
            if did.after[5] and self.granularity == "stimulus":
                for more in self.socket_runs(member, did.after, self.socket_verdicts(member, did.after), peer):
                    yield Did(more.after, did.trail + more.trail, did.out + more.out)
            else:
                yield did

    def socket_verdicts(self, member: tuple[str, str, int], sock: Sock) -> list[str]:
        return [v for v in self.verdicts if self.socket_step(member, sock, v, sock[5][2])] or ["permit"]

    def host_runs(
        self, cursor: tuple[str, ...], events: list[str], port: str, peer: str
    ) -> Iterator[Did[tuple[str, ...]]]:
        for event in events:
            did = self.host_step(cursor, event, port, peer)
            if did is None:
                continue
            if did.after and self.granularity == "stimulus":
                for more in self.host_runs(did.after, self.host_verdicts(did.after), port, peer):
                    yield Did(more.after, did.trail + more.trail, did.out + more.out)
            else:
                yield did

    def host_verdicts(self, cursor: tuple[str, ...]) -> list[str]:
        return [v for v in self.verdicts if self.host_step(cursor, v, "", "")] or ["permit"]

    # -- the joint machine

    def peers(self, member: tuple[str, str, int]) -> list[str]:
        return [n for n, _, h in self.members if n != member[0] and (self.loopback or h != member[2])]

    def start(self) -> Joint:
        socks = tuple(
            ("UNBOUND", "", "closed", tuple((p, "NONE") for p in self.peers(member)), (), (), "")
            for member in self.sockets
        )
        return socks, tuple(() for _ in self.hosts), ()

    def tidy(self, net: list[Message]) -> tuple[Message, ...]:
        """In order within (from, to), or sorted altogether where the order is lost anyway."""
        if "reorder" in self.network:
            return tuple(sorted(net, key=lambda m: (self.order[m[1]], self.order[m[2]], KIND_RANK[m[0]])))
        channels: dict[tuple[int, int], list[Message]] = {}
        for message in net:
            channels.setdefault((self.order[message[1]], self.order[message[2]]), []).append(message)
        return tuple(message for channel in sorted(channels) for message in channels[channel])

    def deliverable(self, net: tuple[Message, ...]) -> dict[Message, tuple[Message, ...]]:
        if "deliver" not in self.network:
            return {}
        found: dict[Message, tuple[Message, ...]] = {}
        for n, message in enumerate(net):
            first = all(earlier[1:] != message[1:] for earlier in net[:n])
            if message not in found and (first or "reorder" in self.network):
                found[message] = net[:n] + net[n + 1 :]
        return found

    def transmit(
        self, net: tuple[Message, ...], out: tuple[Message, ...]
    ) -> tuple[list[Message], list[Message], list[Message]]:
        kept = list(net)
        sent: list[Message] = []
        lost: list[Message] = []
        for message in out:
            (sent if len(kept) < self.cap else lost).append(message)
            if len(kept) < self.cap:
                kept.append(message)
        return kept, sent, lost

    def own(self, member: tuple[str, str, int], sock: Sock) -> Iterator[tuple[str, str, Did[Sock]]]:
        """What a socket does without the network."""
        if sock[5]:
            for did in self.socket_runs(member, sock, self.socket_verdicts(member, sock), sock[5][2]):
                yield sock[5][0], sock[5][2], did
            return
        for stimulus in self.stimuli:
            if stimulus not in VIEWS[member[1]].stimuli:
                continue
            if STIMULI[stimulus].per_flow:
                met: Did[Sock] = Did(sock)
                for peer in [p for p, flow in sock[3] if flow != "NONE"] or [""]:
                    more = self.socket_step(member, met.after, stimulus, peer)
                    if more is None:
                        break
                    met = Did(more.after, met.trail + more.trail)
                else:
                    yield stimulus, "", met
                continue
            about = [p for p, _ in sock[3]]
            if stimulus in ALONE or (stimulus.startswith("complete") and sock[0] != "BOUND"):
                about = ["" if sock[6] == "elsewhere" else sock[6]]
            if stimulus == "sendto" and member[1] == "receiver":
                about = list(sock[4])
            for peer in about:
                for did in self.socket_runs(member, sock, [stimulus], peer):
                    yield stimulus, peer, did

    def successors(self, joint: Joint) -> Iterator[tuple[Edge, Joint]]:
        socks, hosts, net = joint

        def put_socket(n: int, after: Sock) -> tuple[Sock, ...]:
            return (*socks[:n], after, *socks[n + 1 :])

        def put_host(host: int, after: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
            n = self.hosts.index(host)
            return (*hosts[:n], after, *hosts[n + 1 :])

        def edge(
            who: Who, trail: Trail, out: tuple[Message, ...], rest: tuple[Message, ...], arrived: Message | None,
            new_socks: tuple[Sock, ...], new_hosts: tuple[tuple[str, ...], ...],
        ) -> tuple[Edge, Joint]:  # fmt: skip
            kept, sent, lost = self.transmit(rest, out)
            what: Edge = (*who, trail, arrived, tuple(sent), tuple(lost))
            return what, (new_socks, new_hosts, self.tidy(kept))

        for n, member in enumerate(self.sockets):
            for stimulus, peer, did in self.own(member, socks[n]):
                who = (member[0], member[1], stimulus, peer)
                yield edge(who, did.trail, did.out, net, None, put_socket(n, did.after), hosts)
        for host, cursor in zip(self.hosts, hosts, strict=True):
            if cursor:
                who = (cursor[2], "dropped_port", cursor[0], cursor[3])
                for done in self.host_runs(cursor, self.host_verdicts(cursor), cursor[2], cursor[3]):
                    yield edge(who, done.trail, done.out, net, None, socks, put_host(host, done.after))
        for message, rest in self.deliverable(net).items():
            kind, sender, to = message
            member = next(m for m in self.members if m[0] == to)
            if member in self.sockets and socks[self.sockets.index(member)][0] == "BOUND":
                n = self.sockets.index(member)
                who = (to, member[1], BRINGS[kind], sender)
                for did in [] if socks[n][5] else self.socket_runs(member, socks[n], [BRINGS[kind]], sender):
                    yield edge(who, did.trail, did.out, rest, message, put_socket(n, did.after), hosts)
            elif kind == "icmp_error":
                yield edge((to, "", "icmp_error", sender), (), (), rest, message, socks, hosts)
            elif not hosts[self.hosts.index(member[2])]:
                who = (to, "dropped_port", BRINGS[kind], sender)
                for done in self.host_runs((), [BRINGS[kind]], to, sender):
                    yield edge(who, done.trail, done.out, rest, message, socks, put_host(member[2], done.after))
        for name in ("lose", "duplicate"):
            if name not in self.network or (name == "duplicate" and len(net) >= self.cap):
                continue
            changed = {
                (m, self.tidy([*net[:n], *net[n + 1 :]] if name == "lose" else [*net[: n + 1], m, *net[n + 1 :]]))
                for n, m in enumerate(net)
            }
            for message, after in changed:
                yield ("network", "", name, "", (), message, (), ()), (socks, hosts, after)

    def compose(self) -> tuple[set[Joint], Counter[tuple[Joint, Edge, Joint]]]:
        """All states that can be reached, and every edge with its number."""
        seen, waiting = {self.start()}, [self.start()]
        edges: Counter[tuple[Joint, Edge, Joint]] = Counter()
        while waiting:
            joint = waiting.pop()
            for what, after in self.successors(joint):
                edges[joint, what, after] += 1
                if after not in seen:
                    seen.add(after)
                    waiting.append(after)
        return seen, edges
