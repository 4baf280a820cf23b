"""Sessions: who takes part, over which network, and what a joint state and a move of it are.

Values and words only; `fsm.space` explores them on the compiled tables, and `fsm.graph` is the door to networkx.

A joint state. Each socket has its socket-wide registers, one flow register for each peer (several peers are several
flow records, never a product inside a table), and at classify granularity a cursor. Each host has the cursor of what
works off datagrams that no socket takes. The network is the datagrams and ICMP errors in flight, at most `cap` in
all. An order that cannot matter is no part of a state: with `reorder` the network is a sorted multiset, without it
one queue for each (from, to).

What moves it. Applications and hosts do the chosen stimuli whenever a table has a row for them: time is not counted,
so an idle timeout can come at any moment. The network delivers, and if it is allowed to, loses, duplicates (the copy
follows its original) and reorders. What is emitted into a full network is lost, and the move says so.

- A datagram for a socket that is not BOUND is worked off by its host's rows for a port without socket: unbound and
  closed have no port, and what arrives for a pended bind or closure is not documented.
- An ICMP error for a socket that is not BOUND vanishes: nobody is left to be told.
- An application that only receives learns addresses from datagrams: a `receiver` sends to peers that it has heard.
  Without this it could send before anything was sent to it, and shortest witnesses would be such cases.
- Each endpoint works off one thing at a time, so a message for a busy socket stays in the network until it is idle.
- Policy changes and the like are drawn for each endpoint by itself, and meet all its flows at once.
- A group datagram goes to the sockets of the other host, and its copy to those of the own host, the sender's too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm.choices import Config, configure, default_config
from fsm.errors import FsmError, UnknownName
from fsm.names import ENDPOINTS, IDLE, REGISTERS, VERDICTS
from fsm.stimuli import POSITIONS, STIMULI, STIMULUS_ALIASES
from fsm.table import Step, compile_table

if TYPE_CHECKING:
    from fsm.policy.by_state import Answer
    from fsm.policy.datagram import Circumstances, End
    from fsm.policy.in_force import PolicyIndex
    from fsm.policy.model import Policy
    from fsm.session_filters import SessionFilters

DEFAULT_ENDPOINTS: tuple[str, ...] = ("sender@1", "receiver@2", "dropped_port@2")
DEFAULT_STIMULI: tuple[str, ...] = ("bind", "sendto", "policy_change", "idle_timeout", "close")
NETWORK_MOVES: tuple[str, ...] = ("deliver", "lose", "duplicate", "reorder")
DEFAULT_NETWORK: tuple[str, ...] = ("deliver", "lose")
GRANULARITIES: tuple[str, ...] = ("stimulus", "classify")
HOSTS: tuple[int, ...] = (1, 2)

NETWORK = "network"  # the endpoint of the network's own moves
ELSEWHERE = "elsewhere"  # connected to somebody who is not in the session

# Message kind: the stimulus that it is where it arrives.
MESSAGES: dict[str, str] = {"datagram": "datagram", "icmp_error": "icmp_error", "group": "datagram_group"}

# Whom a stimulus is about, where that is not one peer after the other.
ABOUT_NOBODY: tuple[str, ...] = (
    "bind", "connect_other", "sendto_group", "complete_group", "complete_group_block", "protection_level",
    "window_timeout", "close",
)  # fmt: skip
ABOUT_WHAT_IS_PENDED: tuple[str, ...] = ("complete", "complete_block")
# Stimuli that nobody in a session does by himself.
NOT_OFFERED: dict[str, str] = {
    **dict.fromkeys(MESSAGES.values(), "the network brings it"),
    "icmp_ttl": "a router makes it, and a session has none",
}
VERDICTS_NOT_OFFERED: dict[str, str] = {
    "redirect": "a redirected datagram leaves the session, to an address that is not in it",
    "veto": "it is the filter engine's, and no row of a session has it",
}


@dataclass(frozen=True, slots=True)
class Member:
    """One endpoint of a session: its own name, the view it is (sender, receiver, dropped_port), its host."""

    name: str
    view: str
    host: int


@dataclass(frozen=True, slots=True)
class Message:
    """What is in flight. An ICMP error comes from the port that the datagram was for."""

    kind: str
    sender: str
    to: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.sender}>{self.to}"


@dataclass(frozen=True, slots=True)
class SocketState:
    """One socket: its registers, a flow for each peer (in the order of the session), and its cursor."""

    socket: str = REGISTERS["socket"][0]
    connected_to: str = ""  # a peer, "elsewhere", or nobody
    window: str = REGISTERS["window"][0]
    flows: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()  # of whom a receiver knows the address
    stimulus: str = ""
    position: str = IDLE
    peer: str = ""
    connecting_to: str = ""  # whom a held connect is about: a peer or "elsewhere"


@dataclass(frozen=True, slots=True)
class NoSocketState:
    """What a host does about a datagram that no socket takes: the port it was for, and who sent it."""

    stimulus: str = ""
    position: str = IDLE
    port: str = ""
    peer: str = ""


@dataclass(frozen=True, slots=True)
class SessionState:
    """A joint state: the sockets and the hosts in the order of the session, and what is in flight."""

    sockets: tuple[SocketState, ...]
    hosts: tuple[NoSocketState, ...]
    network: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """One move of a session: what an edge carries.

    `endpoint` is who is addressed or acts, `view` whose rows were used (a closed sender's port is worked off by
    dropped_port rows; "" where no row was). `steps` are the table's steps, one at classify granularity. `arrives` was
    taken out of the network, `emits` put in, `lost` found it full. `decided` is what the filters of the host say at
    each of `classified`; () where it has no policy.
    """

    endpoint: str
    view: str
    stimulus: str
    peer: str
    steps: tuple[Step, ...] = ()
    arrives: Message | None = None
    emits: tuple[Message, ...] = ()
    lost: tuple[Message, ...] = ()
    note: str = ""
    actor: str = ""  # the endpoint, or "sender without socket"
    label: str = ""  # unique among the moves of a state
    decided: tuple[Answer, ...] = ()

    @property
    def classified(self) -> tuple[Step, ...]:
        """The steps that a layer saw."""
        return tuple(step for step in self.steps if step.layer)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that fire, in order, by full name."""
        return tuple(step.layer for step in self.steps if step.layer)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What each of those layers answered."""
        return tuple(step.verdict for step in self.steps if step.layer)

    @property
    def rules(self) -> tuple[str, ...]:
        """The key of each row that was used, steps that no layer sees included."""
        return tuple(step.rule for step in self.steps)

    @property
    def questions(self) -> tuple[str, ...]:
        """What would have to be known for this move to come, and no other of its kind."""
        layers = (short(layer) for layer in self.layers)
        pairs = zip(layers, self.decided, strict=bool(self.decided))
        return tuple(f"{layer}: {answer.question or answer.refused}" for layer, answer in pairs if answer.is_open)

    def to_json(self) -> dict[str, object]:
        """What an edge of the JSON holds."""
        filters = {"filters": [answer.by for answer in self.decided]} if self.decided else {}
        return {
            "key": self.label,
            "endpoint": self.endpoint,
            "actor": self.actor,
            "view": self.view,
            "stimulus": self.stimulus,
            "peer": self.peer,
            "layers": list(self.layers),
            "verdicts": list(self.verdicts),
            "rules": list(self.rules),
            "arrives": str(self.arrives) if self.arrives else None,
            "emits": [str(message) for message in self.emits],
            "lost": [str(message) for message in self.lost],
            "note": self.note,
            **filters,
        }


@dataclass(frozen=True, slots=True)
class Session:
    """Who takes part, on which machines, over which network. Make one with `make_session`, which checks the names."""

    members: tuple[Member, ...]
    config: Config
    network: tuple[str, ...]
    cap: int
    stimuli: tuple[str, ...]
    verdicts: tuple[str, ...]
    granularity: str
    filters: SessionFilters | None = None

    @property
    def loopback(self) -> bool:
        """Whether all endpoints share one host and talk over loopback."""
        return self.config.choice("path") == "loopback"

    @property
    def sockets(self) -> tuple[Member, ...]:
        return tuple(member for member in self.members if member.view != "dropped_port")

    @property
    def hosts(self) -> tuple[int, ...]:
        return tuple(sorted({member.host for member in self.members}))

    def peers(self, member: Member) -> tuple[str, ...]:
        """Whom it can talk to: the endpoints of the other host; over loopback, all others."""
        return tuple(o.name for o in self.members if o != member and (self.loopback or o.host != member.host))

    def member(self, name: str, where: str = "session") -> Member:
        """A member by name.

        Raises
        ------
        UnknownName : there is none.
        """
        for member in self.members:
            if member.name == name:
                return member
        raise UnknownName.of(where, "endpoint of this session", name, (m.name for m in self.members))


def make_session(
    endpoints: Sequence[str] = (),
    config: Config | None = None,
    *,
    network: Sequence[str] = (),
    cap: int = 1,
    stimuli: Sequence[str] = (),
    verdicts: Sequence[str] = ("permit",),
    granularity: str = "stimulus",
    loopback: bool = False,
    policies: Mapping[str, Policy | PolicyIndex] | None = None,
    at: Mapping[str, str | End] | None = None,
    circumstances: Mapping[str, Circumstances] | None = None,
    ordinary: bool = False,
    undeclared: str = "unknown",
) -> Session:
    """A checked session; without arguments: a sender, and on the other host a receiver and a port without socket.

    Parameters
    ----------
    endpoints : `sender`, `receiver@2`, `dropped_port@2` ...; without host, senders are on 1 and all others on 2. A
        second endpoint of a kind is called `sender2`.
    config : the machine, the same for both hosts.
    network : some of `NETWORK_MOVES`; over loopback it can only deliver.
    cap : how many datagrams and ICMP errors can be in flight in all.
    stimuli : what applications and hosts do by themselves, in place of `DEFAULT_STIMULI`.
    verdicts : what layers answer, each a branch; a layer that takes none of them permits.
    granularity : "stimulus" (an edge is a stimulus run to its end) or "classify" (an edge is one step).
    policies : {endpoint: filters, from `read_policy`}: on its host every layer answers as they arbitrate, whatever
        `verdicts` says; `verdicts` is for hosts without a policy. Where what is not known changes a verdict, each that
        is possible is a branch, and claims that rest on it are "unknown".
    at : {endpoint: "192.0.2.1:50000"}, with policies: where each endpoint is. What is sent between two of them has
        these two ends; the IP version follows from them. Without `endpoints` those of the default that are named here.
    circumstances : {endpoint: `Circumstances`}, what is known of it besides; `ordinary`, `undeclared` as
        `fsm.policy.whatif` takes them, for all.

    Raises
    ------
    UnknownName, FsmError : something that does not exist, or makes no sense in a session.
    """
    config = config or default_config()
    if loopback:
        config = configure(
            ip=config.ip,
            windows=config.windows,
            evidence=config.evidence,
            assume={**dict(config.assume), "path": "loopback"},
        )
    elif config.choice("path") == "loopback":
        raise FsmError("session", "path=loopback is assumed, but there are two hosts", fix="Add --loopback")
    for move in network:
        if move not in NETWORK_MOVES:
            raise UnknownName.of("--network", "network move", move, NETWORK_MOVES)
        if loopback and move != "deliver":
            raise FsmError("--network", f"over loopback nothing can {move}", fix="Leave out --network or --loopback")
    if granularity not in GRANULARITIES:
        raise UnknownName.of("--granularity", "granularity", granularity, GRANULARITIES)
    if cap < 1:
        raise FsmError("--cap", f"{cap} datagrams in flight are too few", fix="Give 1 or more")
    given = network or (("deliver",) if loopback else DEFAULT_NETWORK)
    located = tuple(name for name in (word.partition("@")[0] for word in DEFAULT_ENDPOINTS) if name in (at or ()))
    members = _members(endpoints or (located if len(located) > 1 else DEFAULT_ENDPOINTS), loopback)
    filters = None
    if policies or at or circumstances or ordinary or undeclared != "unknown":
        from fsm.session_filters import session_filters

        config, filters = session_filters(
            members, config, policies or {}, at or {}, circumstances or {}, ordinary=ordinary, undeclared=undeclared
        )
    does = _checked_stimuli(stimuli or DEFAULT_STIMULI, members, config)
    if filters is not None:
        from fsm.session_filters import check_stimuli

        check_stimuli(filters, does)
    moves = tuple(move for move in NETWORK_MOVES if move in given)
    return Session(members, config, moves, cap, does, _checked_verdicts(verdicts), granularity, filters)


def _members(given: Sequence[str], loopback: bool) -> tuple[Member, ...]:
    members: list[Member] = []
    for word in given:
        name, at, host = word.strip().partition("@")
        view = name.lower().replace("-", "_")
        if view not in ENDPOINTS:
            raise UnknownName.of("session", "endpoint", name, ENDPOINTS)
        if at and host not in ("1", "2"):
            raise FsmError("session", f"'{word}' names host '{host}'", "Hosts: 1, 2", f"Write {view}@1 or {view}@2")
        if loopback and host == "2" and given is not DEFAULT_ENDPOINTS:
            raise FsmError(
                "session", f"'{word}' is on host 2, but with --loopback there is one host", fix="Leave out @2"
            )
        before = sum(member.view == view for member in members)
        number = 1 if loopback else int(host) if host else 1 if view == "sender" else 2
        members.append(Member(view if not before else f"{view}{before + 1}", view, number))
    apart = len(members) > 1 if loopback else len({member.host for member in members}) > 1
    if not apart or all(member.view == "dropped_port" for member in members):
        raise FsmError(
            "session",
            f"nobody here can send to anybody ({', '.join(f'{m.name} on host {m.host}' for m in members)})",
            fix="Put a socket and another endpoint on different hosts (sender@1 receiver@2), or add --loopback",
        )
    return tuple(members)


def _checked_stimuli(given: Sequence[str], members: Sequence[Member], config: Config) -> tuple[str, ...]:
    offered = [n for n in STIMULI if n not in NOT_OFFERED]
    names = []
    for word in given:
        name = word.strip().lower().replace("-", "_")
        # An alias of what only the network brings keeps its reason.
        name = name if name in STIMULI else STIMULUS_ALIASES.get(name, name)
        if name in NOT_OFFERED:
            raise FsmError(
                "--stimuli", f"'{word}' is nothing that an endpoint does: {NOT_OFFERED[name]}", fix="Leave it out"
            )
        if name not in offered:
            raise UnknownName.of("--stimuli", "stimulus", word, offered)
        names.append(name)
    tables = [compile_table(view, config) for view in dict.fromkeys(m.view for m in members)]
    for name in names:
        if not any(row.event == name for table in tables if name in table.view.stimuli for row in table.rows):
            views = ", ".join(table.view.name for table in tables)
            raise FsmError("--stimuli", f"'{name}' happens to no endpoint here ({views}; Windows {config.windows})")
    return tuple(name for name in offered if name in names)


def _checked_verdicts(given: Sequence[str]) -> tuple[str, ...]:
    names = [word.strip().lower() for word in given]
    for name in names:
        if name not in VERDICTS:
            offered = (str(verdict) for verdict in VERDICTS if verdict not in VERDICTS_NOT_OFFERED)
            raise UnknownName.of("--verdicts", "verdict", name, offered)
        if name in VERDICTS_NOT_OFFERED:
            raise FsmError(
                "--verdicts", f"'{name}' is not for sessions: {VERDICTS_NOT_OFFERED[name]}", fix="Leave it out"
            )
    if not names:
        raise FsmError("--verdicts", "no verdict is given", fix="Give permit, or permit,block")
    return tuple(str(verdict) for verdict in VERDICTS if verdict in names)


# ---- states as text


def short(layer: str) -> str:
    """A layer without FWPM_LAYER_."""
    return layer.removeprefix("FWPM_LAYER_")


def state_label(session: Session, state: SessionState) -> str:
    """`sender=BOUND/receiver:OUT receiver=BOUND network=datagram:sender>receiver`; what is at rest is left out."""
    words = []
    for member, socket in zip(session.sockets, state.sockets, strict=True):
        words.append(f"{member.name}={'/'.join(socket_terms(session, member, socket))}")
    for host, here in zip(session.hosts, state.hosts, strict=True):
        words += [f"host{host}={host_cursor(here)}"] if here.stimulus else []
    return " ".join([*words, f"network={'+'.join(map(str, state.network)) or 'empty'}"])


def socket_terms(session: Session, member: Member, state: SocketState) -> list[str]:
    """A socket's state in words: `BOUND`, `receiver:OUT` (`OUT` where it has one peer) ..."""
    peers = session.peers(member)
    terms = [state.socket]
    terms += [f"connected:{state.connected_to}"] if state.connected_to else []
    terms += [f"connecting:{state.connecting_to}"] if state.connecting_to else []
    terms += _window_terms(state)
    for peer, flow in zip(peers, state.flows, strict=True):
        terms += [flow if len(peers) == 1 else f"{peer}:{flow}"] if flow != "NONE" else []
    terms += [f"heard:{peer}" for peer in state.heard]
    return [*terms, *([socket_cursor(state)] if state.stimulus else [])]


def _window_terms(state: SocketState) -> list[str]:
    """The group state: `window` while it is open, `group_pended` while what would open it is held."""
    return {"closed": [], "open": ["window"]}.get(state.window, [f"group_{state.window}"])


def socket_cursor(state: SocketState) -> str:
    """`at:send.data(sendto,receiver)`, or `idle`."""
    return _cursor(state.position, state.stimulus, state.peer)


def host_cursor(state: NoSocketState) -> str:
    """`at:drop.ippacket(datagram,sender,dropped_port)`: what came from whom for which port; or `idle`."""
    return _cursor(state.position, state.stimulus, state.peer, state.port)


def _cursor(position: str, *about: str) -> str:
    return f"at:{position}({','.join(word for word in about if word)})" if about[0] else IDLE


def parse_reach(session: Session, expression: str, where: str = "--reach") -> Callable[[SessionState], bool]:
    """What an expression asks of a state: `receiver=BOUND/IN`, `sender=CLOSED network=datagram:receiver>sender` ...

    Words are separated by spaces; each is NAME=TERM/TERM, and all must hold. The name is an endpoint, `network`, or
    `host1`, `host2`. A term is a socket state, a flow (`OUT` for some peer, `receiver:OUT` for that one),
    `connected`, `connected:PEER`, `connecting`, `connecting:PEER`, `window`, `group_pended`, `group_redirect_pended`,
    `heard`, `heard:PEER`, `idle`, or `at:POSITION`; for the network `empty`,
    a kind (`datagram`, `icmp_error`, `group`), or `KIND:FROM>TO`, with `+` between several. What is not named may be
    anything. A label that this package prints is such an expression.

    Raises
    ------
    UnknownName, FsmError : a word that is no NAME=TERM, a name or term that does not exist here.
    """
    asked: list[tuple[str, tuple[str, ...]]] = []
    known_terms = _known_terms(session)
    for word in expression.split():
        name, equals, terms = word.partition("=")
        if not equals or not terms:
            raise FsmError(where, f"'{word}' is not NAME=TERM", fix="Write for example receiver=BOUND/IN")
        if name not in known_terms:
            raise UnknownName.of(where, "part of this session", name, known_terms)
        given = tuple(terms.split("+" if name == NETWORK else "/"))
        for term in given:
            if term.partition("(")[0] not in known_terms[name]:
                raise UnknownName.of(where, f"term for {name}", term, known_terms[name])
        asked.append((name, given))
    if not asked:
        raise FsmError(where, "nothing is asked for", fix="Write for example receiver=BOUND/IN")

    def holds(state: SessionState) -> bool:
        here = _terms_of(session, state)
        return all(here[name].count(term) >= given.count(term) for name, given in asked for term in given)

    return holds


def _terms_of(session: Session, state: SessionState) -> dict[str, list[str]]:
    """All terms that hold in a state, long and short, by name."""
    terms: dict[str, list[str]] = {}
    for member, socket in zip(session.sockets, state.sockets, strict=True):
        here = [socket.socket, socket_cursor(socket), socket_cursor(socket).partition("(")[0]]
        if socket.connected_to:
            here += ["connected", f"connected:{socket.connected_to}"]
        if socket.connecting_to:
            here += ["connecting", f"connecting:{socket.connecting_to}"]
        here += _window_terms(socket)
        for peer, flow in zip(session.peers(member), socket.flows, strict=True):
            here += [f"{peer}:{flow}", *([] if flow in here else [flow])]
        here += ["heard"] * bool(socket.heard) + [f"heard:{peer}" for peer in socket.heard]
        terms[member.name] = list(dict.fromkeys(here))
    for host, at in zip(session.hosts, state.hosts, strict=True):
        terms[f"host{host}"] = list(dict.fromkeys((host_cursor(at), host_cursor(at).partition("(")[0])))
    terms[NETWORK] = [m.kind for m in state.network] + [str(m) for m in state.network] or ["empty"]
    return terms


def _known_terms(session: Session) -> dict[str, tuple[str, ...]]:
    cursors = ("idle", *(f"at:{position}" for position in POSITIONS))
    terms: dict[str, tuple[str, ...]] = {}
    for member in session.sockets:
        peers = session.peers(member)
        terms[member.name] = (
            *REGISTERS["socket"], *REGISTERS["flow"],
            *(f"{peer}:{flow}" for peer in peers for flow in REGISTERS["flow"]),
            "connected", *(f"connected:{peer}" for peer in (*peers, ELSEWHERE)),
            "connecting", *(f"connecting:{peer}" for peer in (*peers, ELSEWHERE)),
            "window", "group_redirect_pended", "group_pended",
            "heard", *(f"heard:{peer}" for peer in peers), *cursors,
        )  # fmt: skip
    terms |= {f"host{host}": cursors for host in session.hosts}
    names = [member.name for member in session.members]
    terms[NETWORK] = (
        "empty",
        *MESSAGES,
        *(str(Message(kind, a, b)) for kind in MESSAGES for a in names for b in names),
    )
    return terms
