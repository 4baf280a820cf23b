"""One record on its way to an explanation: its reading, its ends, and what its host's log showed before it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

from fsm.explain.ends import ICMP_PROTOCOLS, End, is_many
from fsm.explain.history import HostHistory, Seen
from fsm.explain.orientation import Ends, orient
from fsm.explain.reading import Reading, icmp_type_and_code
from fsm.logs.event import LogEvent

PROTOCOLS_WITH_PORTS = (6, 17, 33, 132, 136)
# Echo request and reply. Replies are never recorded (fact a.16.3); one that is would be echo traffic all the same.
ECHO_TYPES = {1: (8, 0), 58: (128, 129)}
NEW_INBOUND_GROUP_PACKET = 0x100  # NEW_INBOUND_MCAST_BCAST_PACKET of fsm.reasons


@dataclass(slots=True, eq=False)
class Draft:
    """A record that waits for its neighbours.

    `connect` and `accept` are earlier allowed flows with exactly these ends; `bind` and `sender` earlier records of
    the same local port. `partner` is the other record of the same incident or datagram.
    """

    event: LogEvent
    reading: Reading
    host: str
    turn: int  # ordinal among the records of this host
    ends: Ends
    icmp: tuple[int, int] | None = None
    group: End | None = None  # the end that stands for many receivers, if there is one
    connect: Seen | None = None
    accept: Seen | None = None
    bind: Seen | None = None
    sender: Seen | None = None
    partner: Draft | None = None
    peer_is_own: bool = False  # the other end is an address of this host too
    is_repeat: bool = False
    copy_of: Draft | None = None  # the same datagram, of which this record has the ports exchanged
    is_second: bool = False  # of a 5152/5157 pair: the incident is counted at the first
    tags: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, event: LogEvent, reading: Reading, host: str, turn: int, history: HostHistory) -> Draft:
        ends = orient(event, reading, history)
        local, remote = _port(ends.local), _port(ends.remote)
        icmp = icmp_type_and_code(event, reading, local, remote)
        has_ports = bool(local or remote) if event.protocol is None else event.protocol in PROTOCOLS_WITH_PORTS
        if not has_ports:
            ends = replace(ends, local=_bare(ends.local), remote=_bare(ends.remote))
        draft = cls(event, reading, host, turn, ends, icmp, tags=set(ends.tags))
        draft.peer_is_own = ends.remote is not None and history.owns(ends.remote.address)
        draft.look_up(history)
        return draft

    def look_up(self, history: HostHistory) -> None:
        """Find what the log showed earlier about these ends; again when they turned out to be the other way round."""
        event, local, remote = self.event, self.ends.local, self.ends.remote
        now_s, protocol = event.time_s, event.protocol
        self.group = next(
            (end for end in self._receiving_ends() if is_many(end) and not history.owns(end.address)), None
        )
        if local is None:
            return
        if remote is not None:
            self.connect = history.connect(protocol, local, remote, now_s)
            self.accept = history.accept(protocol, local, remote, now_s)
        self.bind = history.bind(protocol, local.port, now_s)
        self.sender = history.sender(protocol, local.port, now_s)

    def _receiving_ends(self) -> tuple[End, ...]:
        """The end that the packet goes to; both where that is not known."""
        to = {"inbound": (self.ends.local,), "outbound": (self.ends.remote,)}.get(self.reading.packet_direction or "")
        return tuple(end for end in to or (self.ends.local, self.ends.remote) if end is not None)

    def learn(self, history: HostHistory) -> None:
        """What later records may know from this one."""
        reading, local = self.reading, self.ends.local
        if local is None:
            return
        if reading.is_socket_operation and reading.verdict == "permit":
            history.note_bind(self.event.protocol, self.seen())
        elif reading.stem == "ALE_AUTH_CONNECT" and "impossible_source" not in self.tags:
            # A refused connect too comes from one of the host's own addresses.
            history.note_address(local.address)
            if reading.verdict == "permit":
                history.note_connect(self.event.protocol, self.seen())
        elif reading.stem == "ALE_AUTH_RECV_ACCEPT" and reading.verdict == "permit":
            history.note_accept(self.event.protocol, self.seen())

    def seen(self) -> Seen:
        event = self.event
        return Seen(
            event.source, event.record, event.event_id, event.time_s, event.process_id,
            program_name(event.application), self.ends.local or End(None), self.ends.remote,
            self.reading.layer.runtime_id if self.reading.layer else None,
        )  # fmt: skip

    @property
    def traffic(self) -> str:
        """One of udp, icmp_echo, icmp (another message), igmp, other: rows and words differ (fact a.16)."""
        if self.icmp is not None and self.icmp[0] in ECHO_TYPES[self.event.protocol or 0]:
            return "icmp_echo"
        return {None: "udp", 17: "udp", 1: "icmp", 58: "icmp", 2: "igmp"}.get(self.event.protocol, "other")

    @property
    def reauthorized(self) -> int:
        """The bits for which a flow that existed was authorized again at an AUTH layer; 0 for a first packet.

        Group datagrams have a bit of their own, each of them: they are told apart by `group`.
        """
        if "ALE_AUTH_" not in self.reading.stem:
            return 0
        return (self.event.reauthorize_reason or 0) & ~NEW_INBOUND_GROUP_PACKET

    @property
    def is_group_packet(self) -> bool:
        """Whether the packet goes to many receivers, by its address or by the reason that the record names."""
        inbound = self.reading.stem == "ALE_AUTH_RECV_ACCEPT"
        return self.group is not None or (inbound and self.event.reauthorize_reason == NEW_INBOUND_GROUP_PACKET)

    @property
    def is_drop(self) -> bool:
        """A datagram that no socket took: the discard side of the inbound transport or IP layer (fact a.9)."""
        return self.reading.is_discard and self.reading.stem in ("INBOUND_TRANSPORT", "INBOUND_IPPACKET")

    @property
    def is_suppressed_error(self) -> bool:
        return self.reading.stem == "OUTBOUND_ICMP_ERROR" and self.reading.verdict != "permit"

    @property
    def is_late_reply(self) -> bool:
        return self.is_drop and self.connect is not None and self.event.protocol not in ICMP_PROTOCOLS


@lru_cache(maxsize=4096)
def program_name(application: str | None) -> str | None:
    """The file name of a program path; None for "-" and nothing. Net events write text with a dot after each letter."""
    if application is None or application.strip() in ("", "-"):
        return None
    text = application.strip().rstrip("\0")
    if len(text) > 5 and text[1:2] == "." and set(text[1::2]) == {"."}:
        text = text[0::2].rstrip(".")
    return text.replace("/", "\\").rsplit("\\", 1)[-1] or text


def _port(end: End | None) -> int | None:
    return None if end is None else end.port


def _bare(end: End | None) -> End | None:
    return None if end is None or end.address is None else End(end.address)
