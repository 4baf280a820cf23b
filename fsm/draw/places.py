"""A session collapsed to what a person can read: which sockets are bound, and what can happen between and within.

Hundreds of joint states differ in flows and in what is in flight. Here all states in which the sockets stand alike
are one place; moves that keep a place are listed in it, moves that leave it are its ways. Every edge of the explored
session is in exactly one of these groups, but for those that change nothing and that no layer sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fsm.draw.theme import BASIS
from fsm.errors import FsmError
from fsm.names import REGISTERS, Basis
from fsm.session import NETWORK, Move, Session, SessionState
from fsm.space import StateSpace
from fsm.stimuli import STIMULI

# What the application sees, in brief: `WSAECONNRESET (10054)`.
_ERROR = re.compile(r"WSA\w+ \(\d+\)")
MOST_SOCKETS = 2  # a sheet of paper has two directions
Key = tuple[str, ...]  # the socket register of each socket, in the order of the session


@dataclass(frozen=True, slots=True)
class Group:
    """Moves that a reader takes for one: `sender sends to receiver`."""

    text: str
    kind: str  # outbound, inbound, icmp, local, "" for what is lost
    moves: tuple[Move, ...]
    edges: int

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(move.label for move in self.moves)

    @property
    def rules(self) -> frozenset[str]:
        return frozenset(rule for move in self.moves for rule in move.rules)

    @property
    def layers(self) -> str:
        """How many layers see it: `4 layers`, `4-8 layers`, `no layer`."""
        counts = sorted({len(move.layers) for move in self.moves})
        if counts == [0]:
            return "no layer"
        number = f"{counts[0]}-{counts[-1]}" if len(counts) > 1 else str(counts[0])
        return f"{number} layer{'' if number == '1' else 's'}"

    @property
    def longest(self) -> Move:
        """The move that most layers see."""
        return max(self.moves, key=lambda move: len(move.layers))

    @property
    def marks(self) -> str:
        """The marks of what is not documented: `[O] [I]`."""
        bases = {step.basis for move in self.moves for step in move.steps}
        return " ".join(BASIS[basis].mark for basis in Basis if basis in bases and BASIS[basis].mark)

    def blocked(self, layer: str | None) -> bool:
        """Whether some of these moves is stopped at a layer."""
        return any(step.layer == layer and step.verdict != "permit" for move in self.moves for step in move.classified)


@dataclass(frozen=True, slots=True)
class Place:
    """All states in which the sockets stand alike."""

    key: Key
    numbers: tuple[int, ...]
    stays: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """What leads from one place to another."""

    source: Key
    target: Key
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Collapsed:
    """A session as places and ways. `columns` and `rows` are the values of the first and the second socket."""

    session: Session
    states: int
    edges: int
    complete: bool
    places: tuple[Place, ...]
    ways: tuple[Way, ...]
    columns: tuple[str, ...]
    rows: tuple[str, ...]

    def names(self, key: Key) -> list[str]:
        """A place in words: `sender BOUND`, `receiver CLOSED`."""
        return [f"{member.name} {value}" for member, value in zip(self.session.sockets, key, strict=True)]


def key_of(state: SessionState) -> Key:
    """The place of a joint state."""
    return tuple(socket.socket for socket in state.sockets)


def collapse(space: StateSpace) -> Collapsed:
    """The places and ways of an explored session.

    Raises
    ------
    FsmError : it has more sockets than a sheet has directions.
    """
    session = space.session
    if len(session.sockets) > MOST_SOCKETS:
        raise FsmError(
            "session picture",
            f"{len(session.sockets)} sockets are more than can be drawn",
            fix="Take at most two, or write the whole graph with 'wfp-udp session --format graphml'",
        )
    keys = [key_of(space.state(number)) for number in range(len(space))]
    numbers: dict[Key, list[int]] = {}
    stays: dict[Key, dict[Key, _Gathered]] = {}
    ways: dict[tuple[Key, Key], dict[Key, _Gathered]] = {}
    for number, key in enumerate(keys):
        numbers.setdefault(key, []).append(number)
        stays.setdefault(key, {})
        for move, target in space.edges(number):
            here = stays[key] if keys[target] == key else ways.setdefault((key, keys[target]), {})
            gathered = here.setdefault(_alike(move), _Gathered({}, 0, True))
            gathered.moves[move.label, move.rules] = move
            gathered.edges += 1
            gathered.idle = gathered.idle and target == number and not move.layers
    values = REGISTERS["socket"]
    seen = [tuple(v for v in values if any(key[at : at + 1] == (v,) for key in numbers)) for at in range(2)]
    return Collapsed(
        session, len(space), space.edge_count, space.complete,
        tuple(Place(key, tuple(found), _groups(stays[key].values())) for key, found in numbers.items()),
        tuple(Way(a, b, _groups(found.values(), way=True)) for (a, b), found in ways.items()),
        seen[0], seen[1] or ("",),
    )  # fmt: skip


@dataclass(slots=True)
class _Gathered:
    """Edges of one kind, as they are met; `idle` while none of them does anything."""

    moves: dict[tuple[str, tuple[str, ...]], Move]
    edges: int
    idle: bool


_KINDS = ("outbound", "inbound", "icmp", "local", "")  # in the order of a conversation


def _groups(found: Iterable[_Gathered], *, way: bool = False) -> tuple[Group, ...]:
    """What is sent, what arrives, ICMP errors, what happens to sockets and flows, what is lost."""
    groups = [
        (
            _KINDS.index(_kind_of(one)) if not way or _kind_of(one) != "local" else -1,
            Group(_text(tuple(one.moves.values()), way), _kind_of(one), tuple(one.moves.values()), one.edges),
        )
        for one in found
        if not one.idle
    ]
    return tuple(group for _, group in sorted(groups, key=lambda pair: pair[0]))


def _kind_of(gathered: _Gathered) -> str:
    move = next(iter(gathered.moves.values()))
    if move.endpoint == NETWORK:
        return ""
    if move.arrives:
        return "icmp" if move.arrives.kind == "icmp_error" else "inbound"
    known = STIMULI.get(move.stimulus)
    return "outbound" if known and known.packet_direction == "outbound" else "local"


def _of_flow(move: Move) -> bool:
    known = STIMULI.get(move.stimulus)
    return known is not None and "flow" in known.scopes


def _alike(move: Move) -> Key:
    """Moves that are one group. What happens to flows is not told apart by peer or endpoint."""
    if move.endpoint == NETWORK or _of_flow(move):
        return (move.stimulus,)
    about = (str(move.arrives),) if move.arrives else (move.peer,) if move.stimulus != "sendto" else ("to", move.peer)
    return (move.actor, move.stimulus, *about, _end(move))


def _end(move: Move) -> str:
    """What came of a move where that is worth a word."""
    if any(message.kind == "icmp_error" for message in (*move.emits, *move.lost)):
        return "ICMP error goes back"
    last = next((step for step in reversed(move.steps) if step.outcome), None)
    if last and last.outcome in ("delivered", "blocked", "pended"):
        return last.outcome
    if move.arrives:
        sees = [step.application_sees for step in move.steps if step.application_sees]
        error = _ERROR.search(sees[-1]) if sees else None
        return move.note.partition(":")[0] or (error[0] if error else sees[-1] if sees else "silence")
    return ""


def _text(moves: Sequence[Move], way: bool) -> str:
    move = moves[0]
    end = f": {_end(move)}" if _end(move) else ""
    words = move.stimulus.replace("_", " ")
    if move.endpoint == NETWORK:
        return {"lose": "what is in flight is lost"}.get(move.stimulus, f"the network does: {words}")
    if _of_flow(move):
        return f"{words} at {_listed(m.endpoint for m in moves)}"
    if move.arrives:
        return f"{move.arrives.kind.replace('icmp_error', 'ICMP error')} {move.arrives.sender} > {move.arrives.to}{end}"
    if move.stimulus == "sendto":
        return f"{move.endpoint} {'binds and ' if way else ''}sends to {move.peer}{end}"
    to = f" {_listed(m.peer for m in moves if m.peer)}" if move.peer else ""
    return f"{move.endpoint}: {words}{to}{end}"


def _listed(names: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(names))
