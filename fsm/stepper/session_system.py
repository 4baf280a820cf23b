"""A session as places and moves: a place is the packed joint state, its moves are made when it is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fsm.compose import Composer
from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.predicates import SESSION_STATE, Predicate, parse
from fsm.session import (
    ABOUT_NOBODY,
    MESSAGES,
    Move,
    Session,
    SessionState,
    SocketState,
    host_cursor,
    socket_terms,
    state_label,
)
from fsm.space import StateSpace
from fsm.stepper.system import Refusals, System
from fsm.stimuli import STIMULI
from fsm.table import Step

LOOPBACK = "loopback"
LONGEST = 100_000  # moves of a token

_NUMBERS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})*")


_ARRIVALS = tuple(MESSAGES.values())


class SessionSystem(System[int]):
    """A session to step through: its moves are the labels of `fsm.session.Move`, in the order of the explorer.

    At granularity "stimulus" a move is a stimulus run to its end, at "classify" one step. Nothing is explored: the
    moves of a place are made when they are asked for.
    """

    can_wait = False
    title = "session"

    def __init__(self, session: Session, composer: Composer | None = None) -> None:
        """`composer` is given where places of an explored space are to be places here as well.

        Raises
        ------
        FsmError : the session has policies, of which a walk and its share token know nothing.
        """
        if session.filters is not None:
            raise FsmError(
                "walk", "a session with policies cannot be stepped through",
                fix="Make the session without policies=, with verdicts=[...], and decide by hand",
            )  # fmt: skip
        self.session = session
        self.config = session.config
        self.name = session_name(session)
        self._composer = composer or Composer(session, None)
        self._start = self._composer.start()
        self._units = self._composer.units()
        self._made: dict[int, dict[str, tuple[Move, int]]] = {}

    def start(self) -> int:
        return self._start

    @classmethod
    def over(cls, space: StateSpace) -> tuple[SessionSystem, tuple[int, ...]]:
        """The system of an explored session, and the places of its states in the order of their numbers."""
        return cls(space.session, space._composer), tuple(space._packed)

    def joint_state(self, place: int) -> SessionState:
        """The joint state as a value."""
        return self._composer.unpack(place)

    def edges(self, place: int) -> tuple[tuple[Move, int], ...]:
        """The moves of a place as values, with the places that they lead to."""
        return tuple(self._look(place).values())

    def move(self, place: int, label: str) -> Move:
        """A move of a place by its label, which has to be one of `moves(place)`."""
        return self._look(place)[label][0]

    def moves(self, place: int) -> tuple[str, ...]:
        return tuple(self._look(place))

    def take(self, place: int, move: str) -> tuple[int, tuple[Step, ...]]:
        here = self._look(place)
        if move not in here:
            why = dict(self.refusals(place)).get(move, "")
            raise NoTransition(
                self.title,
                f"'{move}' is not possible in state {self.state(place)}" + (f": {why}" if why else ""),
                f"Possible here: {'; '.join(here) or 'nothing'}",
            )
        taken, target = here[move]
        return target, taken.steps

    def _look(self, place: int) -> dict[str, tuple[Move, int]]:
        """The moves of a place by label, with the places they lead to; made once."""
        here = self._made.get(place)
        if here is None:
            here = self._made[place] = {}
            for _, build in self._units:
                for number, difference in build(place):
                    move = self._composer.moves[number]
                    here[move.label] = (move, place + difference)
        return here

    def refusals(self, place: int) -> Refusals:
        """The stimuli that a socket cannot do now, and the messages that cannot arrive, with their reasons."""
        found: dict[str, str] = {}
        state = self.joint_state(place)
        moves = [move for move, _ in self._look(place).values()]
        possible = {(move.endpoint, move.stimulus, move.peer) for move in moves if move.arrives is None}
        for number, (member, socket) in enumerate(zip(self.session.sockets, state.sockets, strict=True)):
            for stimulus in self.session.stimuli:
                if stimulus not in self._composer.tables[member.view].view.stimuli:
                    continue
                alone = stimulus in ABOUT_NOBODY or STIMULI[stimulus].per_flow
                for peer in ("",) if alone else self.session.peers(member):
                    # Completion is of nobody where the bind or the closure is pended.
                    begins = {(member.name, stimulus, peer), (member.name, stimulus, "")} & possible
                    if socket.stimulus or not begins:
                        word = f"{member.name}: {stimulus}" + (f"@{peer}" if peer else "")
                        found[word] = self._why_not(number, socket, stimulus, peer)
        arriving = {move.arrives for move in moves if move.stimulus in _ARRIVALS}
        delivers = "deliver" in self.session.network
        for message in dict.fromkeys(state.network):
            if message not in arriving:
                waits = "its receiver is busy, or another datagram is ahead of it: it waits"
                found[f"network: deliver {message}"] = waits if delivers else "this network does not deliver"
        return tuple(found.items())

    def _why_not(self, number: int, socket: SocketState, stimulus: str, peer: str) -> str:
        member = self.session.sockets[number]
        table = self._composer.tables[member.view]
        # In the middle of a stimulus the state is the one of its peer, and nothing begins for anybody.
        about = socket.peer if socket.stimulus else peer
        why = table.why_not(self._composer._project(number, socket, about), stimulus)
        return why or f"it has heard nothing of {peer} yet, and answers only"

    def spelled(self, place: int, word: str, where: str) -> str:
        wanted = " ".join(word.split())
        here = self.moves(place)
        refused = [label for label, _ in self.refusals(place)]
        for label in (*here, *refused):
            if label.casefold() == wanted.casefold():
                return label
        if not here:
            raise NoTransition(where, f"'{wanted}' is not possible", "No move is left: this is an end of the session")
        raise UnknownName.of(where, "move", wanted, (*here, *refused))

    # -- a place in words -----------------------------------------------------------------------------------------

    def state(self, place: int) -> str:
        return state_label(self.session, self.joint_state(place))

    def values(self, place: int) -> dict[str, str]:
        state = self.joint_state(place)
        values = {
            member.name: "/".join(socket_terms(self.session, member, socket))
            for member, socket in zip(self.session.sockets, state.sockets, strict=True)
        }
        for host, at in zip(self.session.hosts, state.hosts, strict=True):
            values[f"host{host}"] = host_cursor(at)
        return {**values, "network": "+".join(map(str, state.network)) or "empty"}

    def view(self, place: int) -> dict[str, object]:
        return {SESSION_STATE: self.joint_state(place)}

    def predicate(self, expression: str, where: str, *, bare: bool = False) -> Predicate:
        return parse(expression, where, session=self.session, bare=bare)

    # -- tokens ---------------------------------------------------------------------------------------------------

    def encoded(self, path: Iterable[tuple[int, str]]) -> str:
        return ".".join(str(self.moves(place).index(move)) for place, move in path)

    def decoded(self, choices: str, where: str) -> list[str]:
        if not choices:
            return []
        if not _NUMBERS.fullmatch(choices):
            raise FsmError(where, f"'{choices[:40]}' are no choices of a session", "Numbers joined by full stops")
        return choices.split(".")

    def chosen(self, place: int, item: str, where: str) -> str:
        moves = self.moves(place)
        if int(item) >= len(moves):
            raise FsmError(where, f"no move {item} in state {self.state(place)}", f"Moves: {len(moves)}, from 0 on")
        return moves[int(item)]


def session_name(session: Session) -> str:
    """How share tokens write who takes part, and what the network and the layers do."""
    endpoints = ",".join(f"{member.view}@{member.host}" for member in session.members)
    fields = (
        endpoints,
        f"network={','.join(session.network)}",
        f"cap={session.cap}",
        f"stimuli={','.join(session.stimuli)}",
        f"verdicts={','.join(session.verdicts)}",
        f"granularity={session.granularity}",
        *([LOOPBACK] if session.loopback else []),
    )
    return f"session:{';'.join(fields)}"
