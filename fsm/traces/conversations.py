"""Who talked with whom: the observations of a log as conversations, one for each socket and remote peer.

The model follows one peer. What a socket does as a whole (bind, close) has no remote end and goes into the
conversation of each of its peers. A layer of which some line fits several conversations (an IP packet shows no ports)
is set aside for all of these: checked as if no callout stood there, so that no line is guessed to be somebody's. So is
a layer of a line whose ends were not read, for every conversation: it can be another socket's that nothing else shows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from fsm import catalogue
from fsm.traces.observation import Observation
from fsm.traces.words import in_model, split_end

NAMELESS = "lines without ends"


@dataclass(frozen=True, slots=True)
class Conversation:
    """The observations about one socket and peer, in their order.

    `handle` says that an endpoint handle holds them together, so that it is one socket and not a port over time.
    `set_aside` are layers (full FWPM names) of which some lines could be this conversation's or another's.
    """

    name: str
    observations: tuple[Observation, ...]
    local: str = ""
    remote: str = ""
    endpoint: str = ""
    ip: int = 4
    set_aside: tuple[str, ...] = ()

    @property
    def handle(self) -> bool:
        return bool(self.endpoint)


@dataclass(slots=True)
class _Socket:
    """What is known of one socket while the log is gone through."""

    endpoint: str
    ip: int
    local: str
    order: int
    wide: list[int]  # lines without remote end
    peers: dict[str, list[int]]
    set_aside: dict[str, None]


def _nowhere(end: str) -> bool:
    """No remote end: empty, or the unspecified address."""
    address, port = split_end(end)
    return not address or (ipaddress.ip_address(address).is_unspecified and not port)


def _wild(end: str) -> bool:
    return ipaddress.ip_address(split_end(end)[0] or "0.0.0.0").is_unspecified


def conversations(
    observations: Sequence[Observation], *, ip: int = 4, dual_stack: bool = False
) -> tuple[tuple[Conversation, ...], tuple[Observation, ...]]:
    """The conversations of a log in the order of their first lines, and the lines about layers outside the model.

    Parameters
    ----------
    ip : the version of layers that have none.
    dual_stack : a socket can be asked at layers of both versions.
    """
    inside = [o for o in observations if in_model(o.layer)]
    outside = tuple(o for o in observations if not in_model(o.layer))
    told = [o for o in inside if o.endpoint or o.local or o.remote or o.ends_unread]
    versions = [ip if dual_stack else catalogue.by_name(o.layer).ip_version or ip for o in inside]
    if not told:
        found = [
            Conversation("the whole log" if len(set(versions)) == 1 else f"IPv{v}", tuple(mine), ip=v)
            for v in dict.fromkeys(versions)
            if (mine := [o for o, version in zip(inside, versions, strict=True) if version == v])
        ]
        return tuple(found), outside
    return tuple(_Splitter(inside, versions).split()), outside


class _Splitter:
    """One log with tuples or handles."""

    def __init__(self, lines: list[Observation], versions: list[int]) -> None:
        self._lines, self._versions = lines, versions
        self._sockets: dict[tuple[str, ...], _Socket] = {}
        self._by_port: dict[tuple[int, int], list[_Socket]] = {}  # (IP version, local port)
        self._by_peer: dict[tuple[int, str], list[tuple[_Socket, str]]] = {}  # (IP version, remote address)
        self._later: list[int] = []  # lines that do not say by themselves whose they are

    def split(self) -> list[Conversation]:
        for index, line in enumerate(self._lines):
            if line.ends_unread:
                continue
            if line.endpoint:
                self._socket(("handle", line.endpoint, str(self._versions[index])), index, line)
            elif split_end(line.local)[1] and not _wild(line.local):
                self._socket(("tuple", line.local, str(self._versions[index])), index, line)
            else:
                self._later.append(index)
        for index in self._later:
            self._place(index)
        self._set_unread_aside()
        return self._made()

    def _set_unread_aside(self) -> None:
        for line, version in zip(self._lines, self._versions, strict=True):
            if not line.ends_unread:
                continue
            mine = [socket for socket in self._sockets.values() if socket.ip == version]
            if not mine:
                mine = [_Socket("", version, "", 0, [], {}, {})]
                self._sockets["unread", str(version)] = mine[0]
            for socket in mine:
                socket.set_aside[line.layer] = None

    def _socket(self, key: tuple[str, ...], index: int, line: Observation) -> None:
        socket = self._sockets.get(key)
        if socket is None:
            # A handle may name only some of the lines: others with the same tuple are its own.
            socket = _Socket(line.endpoint, self._versions[index], line.local, index, [], {}, {})
            self._sockets[key] = socket
        elif (not socket.local or _wild(socket.local)) and line.local:
            socket.local = line.local
        port = split_end(line.local)[1]
        if port and socket not in (known := self._by_port.setdefault((socket.ip, port), [])):
            known.append(socket)
        self._into(socket, index, line)

    def _into(self, socket: _Socket, index: int, line: Observation) -> None:
        if _nowhere(line.remote):
            socket.wide.append(index)
        elif split_end(line.remote)[1] is None:
            # Addresses without ports (IP packet layers): whose it is, the address may tell.
            fitting = [peer for peer in socket.peers if split_end(peer)[0] == line.remote]
            if len(fitting) == 1:
                socket.peers[fitting[0]].append(index)
            else:
                self._later.append(index)
        else:
            if line.remote not in socket.peers:
                socket.peers[line.remote] = []
                self._by_peer.setdefault((socket.ip, split_end(line.remote)[0]), []).append((socket, line.remote))
            socket.peers[line.remote].append(index)

    def _place(self, index: int) -> None:
        line, version = self._lines[index], self._versions[index]
        candidates = self._candidates(line, version)
        if len(candidates) == 1:
            socket, peer = candidates[0]
            (socket.peers[peer] if peer else socket.wide).append(index)
        elif candidates:
            for socket, _ in candidates:
                socket.set_aside[line.layer] = None
        elif line.local or line.remote:
            key = ("tuple", line.local, str(version))
            socket = self._sockets.setdefault(key, _Socket("", version, line.local, index, [], {}, {}))
            if _nowhere(line.remote):
                socket.wide.append(index)
            else:
                socket.peers.setdefault(line.remote, []).append(index)
            if port := split_end(line.local)[1]:
                self._by_port.setdefault((version, port), []).append(socket)
        else:
            for socket in self._sockets.values():
                socket.set_aside[line.layer] = None

    def _candidates(self, line: Observation, version: int) -> list[tuple[_Socket, str]]:
        """Whose a line can be: (socket, peer), without peer where it is the socket's as a whole."""
        port = split_end(line.local)[1]
        if port:  # a bind to the wildcard address
            mine = self._by_port.get((version, port), [])
            return [(socket, "" if _nowhere(line.remote) else line.remote) for socket in mine if
                    _nowhere(line.remote) or line.remote in socket.peers]  # fmt: skip
        sockets = [socket for socket in self._sockets.values() if socket.ip == version]
        if _nowhere(line.remote):
            return [(socket, "") for socket in sockets]
        address, remote_port = split_end(line.remote)
        pairs = self._by_peer.get((version, address), [])
        local = split_end(line.local)[0]
        return [
            (socket, peer)
            for socket, peer in pairs
            if (remote_port is None or peer == line.remote)
            and (not local or _wild(line.local) or split_end(socket.local)[0] in ("", local) or _wild(socket.local))
        ]

    def _made(self) -> list[Conversation]:
        found: list[tuple[int, Conversation]] = []
        for socket in self._sockets.values():
            for peer, lines in socket.peers.items() or [("", [])]:
                indexes = sorted(
                    index for index in {*socket.wide, *lines} if self._lines[index].layer not in socket.set_aside
                )
                # Without a line of its own a conversation still stands: all of its lines were set aside.
                first = min([socket.order, *indexes] if not peer else indexes or lines)
                name = " <-> ".join(part for part in (socket.local or ("?" if peer else NAMELESS), peer) if part)
                if socket.endpoint:
                    name = f"endpoint {socket.endpoint}" + (f", {name}" if name != NAMELESS else "")
                found.append(
                    (
                        first,
                        Conversation(
                            name,
                            tuple(self._lines[index] for index in indexes),
                            socket.local,
                            peer,
                            socket.endpoint,
                            socket.ip,
                            tuple(sorted(socket.set_aside)),
                        ),
                    )
                )
        return [conversation for _, conversation in sorted(found, key=lambda pair: pair[0])]
