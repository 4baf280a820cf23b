"""Every state that a session can reach, and its edges, by breadth-first search on packed integers.

A joint edge costs an addition and a look-up and makes no object: moves and states become objects when asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm.catalogue import Layer
from fsm.compose import Build, Composer, Moves
from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.rows import Row
from fsm.session import NETWORK, Move, Session, SessionState, state_label

if TYPE_CHECKING:
    from fsm.session_filters import SessionAnswers

LIMIT_STATES = 10_000


class StateSpace:
    """The states that a session reaches from its start, in the order of breadth-first search, and its edges.

    States are numbered from 0, the start. `open_states` lists the states that have successors beyond the limit,
    `undocumented` those where a policy gives a verdict of which no document tells what it does; all others have all
    their edges, and `complete` says that these are all states. Made by `explore`.
    """

    def __init__(self, composer: Composer, limit_states: int) -> None:
        self.session = composer.session
        self._composer = composer
        self._packed: list[int] = []
        self._first = array("Q", [0])  # number of the first edge of a state, one more than states
        self._moves = array("L")
        self._targets = array("L")
        self._depth = array("L", [0])
        self.open_states: tuple[int, ...] = ()
        self._run(limit_states)
        self._numbers: dict[SessionState, int] | None = None

    def _run(self, limit: int) -> None:
        composer = self._composer
        packed, depth = self._packed, self._depth
        packed.append(composer.start())
        index = {packed[0]: 0}
        moves, targets, first = self._moves.append, self._targets.append, self._first.append
        units: list[tuple[int, dict[int, Moves], Build]] = [(mask, {}, build) for mask, build in composer.units()]
        open_states = []
        for number, state in enumerate(packed):  # the list grows while it is walked
            cut = False
            for mask, memo, build in units:
                key = state & mask
                found = memo.get(key)
                if found is None:
                    found = memo[key] = build(state)
                for move, difference in found:
                    successor = state + difference
                    target = index.get(successor)
                    if target is None:
                        if len(packed) >= limit:
                            cut = True
                            continue
                        target = index[successor] = len(packed)
                        packed.append(successor)
                        depth.append(depth[number] + 1)
                    moves(move)
                    targets(target)
            first(len(self._moves))
            if cut:
                open_states.append(number)
        self.open_states = tuple(open_states)
        unknown = frozenset(n for n, move in enumerate(composer.moves) if any(one.refused for one in move.decided))
        self.undocumented = (
            tuple(
                number
                for number in range(len(packed))
                if any(move in unknown for move, _ in self.numbered_edges(number))
            )
            if unknown
            else ()
        )
        self._open = frozenset((*open_states, *self.undocumented))

    @property
    def complete(self) -> bool:
        """Whether every state that can be reached is here."""
        return not self._open

    @property
    def answers(self) -> SessionAnswers | None:
        """What the policies of the session answer; None where it has none."""
        return self._composer.answers

    def __len__(self) -> int:
        return len(self._packed)

    @property
    def edge_count(self) -> int:
        return len(self._moves)

    @property
    def moves(self) -> list[Move]:
        """Every kind of move that some edge is, in order of its first building."""
        return self._composer.moves

    def is_open(self, number: int) -> bool:
        """Whether a state may have successors that are not here."""
        return number in self._open

    def depth(self, number: int) -> int:
        """How many edges a state is away from the start."""
        return self._depth[number]

    def state(self, number: int) -> SessionState:
        """The joint state with this number.

        Raises
        ------
        UnknownName : there is no such number.
        """
        if not 0 <= number < len(self._packed):
            raise UnknownName(
                "session", f"there is no state {number}", f"States are numbered from 0 to {len(self._packed) - 1}"
            )
        return self._composer.unpack(self._packed[number])

    def standing(self, number: int, socket: int) -> tuple[int, ...]:
        """The states of its table in which a socket (by its place in `session.sockets`) stands in a joint state."""
        return self._composer.standing(socket, self.state(number).sockets[socket])

    def number(self, state: SessionState) -> int:
        """The number of a joint state.

        Raises
        ------
        UnknownName : it was not reached.
        """
        if self._numbers is None:
            self._numbers = {self.state(number): number for number in range(len(self))}
        if state not in self._numbers:
            raise UnknownName("session", "this state was not reached, or is one of another session")
        return self._numbers[state]

    def label(self, number: int) -> str:
        """A state as one line, as `--reach` takes it."""
        return state_label(self.session, self.state(number))

    def edges(self, number: int) -> Iterator[tuple[Move, int]]:
        """The edges out of a state: the move, and the number of the next state; in a stable order."""
        moves = self._composer.moves
        for move, target in self.numbered_edges(number):
            yield moves[move], target

    def numbered_edges(self, number: int) -> Iterator[tuple[int, int]]:
        """The same with each move as its number in `moves`: for passes over all edges."""
        begin, end = self._first[number], self._first[number + 1]
        return zip(self._moves[begin:end], self._targets[begin:end], strict=True)

    def follow(self, labels: Iterable[str], start: int = 0) -> list[int]:
        """Replay: the states that these moves, by label, lead through; the start included.

        Raises
        ------
        NoTransition : a move that is not possible there, saying what is.
        """
        path = [start]
        for count, label in enumerate(labels, start=1):
            here = {move.label: target for move, target in self.edges(path[-1])}
            if label not in here:
                more = " (and others beyond the limit)" if self.is_open(path[-1]) else ""
                raise NoTransition(
                    f"session, step {count}",
                    f"'{label}' is not possible in state {path[-1]}, {self.label(path[-1])}",
                    f"Possible here: {'; '.join(here) or 'nothing'}{more}",
                )
            path.append(here[label])
        return path

    def layer_universe(self) -> dict[str, tuple[Layer, ...]]:
        """Each actor of the session with every layer that its table can come to, in table order."""
        return self._composer.layer_universe()

    def local_states(self) -> dict[str, int]:
        """How many local states of each actor were met on the way."""
        return self._composer.local_states()


def explore(session: Session, *, limit_states: int = LIMIT_STATES, rows: Iterable[Row] | None = None) -> StateSpace:
    """Visit every state the session can reach, breadth first.

    Parameters
    ----------
    session : from `make_session`.
    limit_states : stop after this many distinct states. The edges among them are all kept; what is not found then is
        unknown, not absent.
    rows : other rows than the package's own, for experiments.

    Raises
    ------
    FsmError : a limit that is no number, or below 1.
    """
    return StateSpace(Composer(session, rows), checked_limit(limit_states))


def checked_limit(limit_states: int, where: str = "--limit-states") -> int:
    """A limit of states that makes sense: a whole number from 1 on.

    Raises
    ------
    FsmError : it is another one, or none.
    """
    if not isinstance(limit_states, int) or isinstance(limit_states, bool):
        raise FsmError(where, f"{limit_states!r} is no number of states", "Whole numbers from 1 on")
    if limit_states < 1:
        raise FsmError(where, f"{limit_states} states are too few", fix="Give 1 or more")
    return limit_states


# ---- what can be said of it as a whole


@dataclass(frozen=True, slots=True)
class ActorSummary:
    """What one actor does: how many local states and edges, which layers fire (how many edges each), which never."""

    name: str
    local_states: int
    edges: int
    fires: tuple[tuple[str, int], ...]
    never: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """A session as a whole. `ends` and `deadlocks` are numbers of states without an edge to another state.

    In an end every socket is closed and nothing is in flight; in a deadlock somebody waits for ever. Where `complete`
    is False, layers in `never` and states that are in neither list are unknown.
    """

    states: int
    edges: int
    idle_edges: int  # that change nothing
    depth: int
    complete: bool
    ends: tuple[int, ...]
    deadlocks: tuple[int, ...]
    actors: tuple[ActorSummary, ...]
    network_edges: int


def summarize(space: StateSpace) -> Summary:
    """Count what a session does; one pass over its edges."""
    uses = [0] * len(space.moves)
    idle = 0
    ends: list[int] = []
    deadlocks: list[int] = []
    for number in range(len(space)):
        stuck = not space.is_open(number)
        for kind, target in space.numbered_edges(number):
            uses[kind] += 1
            idle += target == number
            stuck = stuck and target == number
        if stuck:
            state = space.state(number)
            closed = all(socket.socket == "CLOSED" for socket in state.sockets)
            (ends if closed and not state.network else deadlocks).append(number)
    edges: dict[str, int] = {}
    fired: dict[str, dict[str, int]] = {}
    for move, count in zip(space.moves, uses, strict=True):
        edges[move.actor] = edges.get(move.actor, 0) + count
        layers = fired.setdefault(move.actor, {})
        for layer in dict.fromkeys(move.layers) if count else ():
            layers[layer] = layers.get(layer, 0) + count
    local = space.local_states()
    actors = []
    for name, universe in space.layer_universe().items():
        names = [layer.fwpm_name for layer in universe]
        fires = fired.get(name, {})
        actors.append(
            ActorSummary(
                name,
                local[name],
                edges.get(name, 0),
                tuple((layer, fires[layer]) for layer in names if layer in fires),
                tuple(layer for layer in names if layer not in fires),
            )
        )
    return Summary(
        len(space), space.edge_count, idle, max(map(space.depth, range(len(space)))), space.complete,
        tuple(ends), tuple(deadlocks), tuple(actors), edges.get(NETWORK, 0),
    )  # fmt: skip
