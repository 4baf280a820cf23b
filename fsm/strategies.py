"""Property tests with hypothesis: valid walks, nearly valid traces, and a machine that drives a system under test.

The only module that imports hypothesis (extra `hypothesis`). A walk is drawn as the number of its moves and
what happens, each time with the few answers that are not permit. So a part can be deleted from a failing example
without changing what the rest means, and what is left is short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from fsm.choices import Config, default_config
from fsm.counts import counted
from fsm.errors import FsmError, UnknownName
from fsm.names import ENDPOINTS, VERDICTS
from fsm.plan.moves import Cell, Moves, moves_of
from fsm.stimuli import UNCOMMON, USUAL
from fsm.table import Step, Table, compile_table


class _Printer(Protocol):
    def text(self, obj: str) -> None: ...


@dataclass(frozen=True, slots=True, repr=False)
class ValidWalk:
    """A walk on a table from its start: the moves, and the step that each one made."""

    endpoint: str
    config: Config
    moves: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that fired, in order, by full name."""
        return tuple(step.layer for step in self.steps if step.layer)

    def __repr__(self) -> str:
        return f"ValidWalk({_told(self)})"

    def _repr_pretty_(self, printer: _Printer, cycle: bool) -> None:
        """Hypothesis would print every field of every step."""
        printer.text(repr(self))


@dataclass(frozen=True, slots=True, repr=False)
class NearlyValid:
    """The layers of a valid walk with one edit: `kind` is drop, repeat, swap or replace, at this place.

    `layers` can by chance still be a sequence that the model allows: what it is is for the test to decide.
    """

    walk: ValidWalk
    layers: tuple[str, ...]
    kind: str
    place: int

    def __repr__(self) -> str:
        was = self.walk.layers[self.place].removeprefix("FWPM_LAYER_")
        return f"NearlyValid({self.kind} {was} at {self.place}: {_short(self.layers)}; of {_told(self.walk)})"

    def _repr_pretty_(self, printer: _Printer, cycle: bool) -> None:
        printer.text(repr(self))


def _told(walk: ValidWalk) -> str:
    machine = f"{walk.endpoint}, IPv{walk.config.ip}, Windows {walk.config.windows}"
    return f"{machine}: {' '.join(walk.moves) or 'no move'}; layers: {_short(walk.layers) or 'none'}"


def _short(layers: Sequence[str]) -> str:
    return " ".join(layer.removeprefix("FWPM_LAYER_") for layer in layers)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a caller wants to be drawn from; hashable, so that what follows from it is found once."""

    caller: str
    endpoint: str
    config: Config
    stimuli: tuple[str, ...]
    verdicts: tuple[str, ...]


def walks(
    endpoint: str = "sender",
    config: Config | None = None,
    *,
    stimuli: Sequence[str] = (),
    verdicts: Sequence[str] = (),
    min_moves: int = 0,
    max_moves: int = 40,
) -> st.SearchStrategy[ValidWalk]:
    """Walks that the model allows; a walk ends early where nothing is possible any more (a closed socket).

    No walk is shorter than `min_moves`: moves after which too few would be left are not drawn.

    Parameters
    ----------
    endpoint, config : the machine; the default machine of the time of the draw by default.
    stimuli, verdicts : only these (permit is always one of them); all by default.
    min_moves, max_moves : how many moves, stimuli and verdicts together.

    Raises
    ------
    UnknownName : no such endpoint, stimulus or verdict.
    FsmError : the numbers contradict each other, or with these stimuli and verdicts no walk is that long.
    """
    _check_numbers("walks", min_moves, max_moves)
    asked = _asked("walks", endpoint, config, stimuli, verdicts)
    _lasting(asked, min_moves)
    return _walks(endpoint, config, asked.stimuli, asked.verdicts, min_moves, max_moves)


@st.composite
def _walks(
    draw: st.DrawFn,
    endpoint: str,
    config: Config | None,
    stimuli: tuple[str, ...],
    verdicts: tuple[str, ...],
    min_moves: int,
    max_moves: int,
) -> ValidWalk:
    return _drawn(draw, _asked("walks", endpoint, config, stimuli, verdicts), min_moves, max_moves)


def _drawn(draw: st.DrawFn, asked: _Asked, min_moves: int, max_moves: int) -> ValidWalk:
    table, lasting = _moves(asked).table, _lasting(asked, min_moves)
    happening = _happening(asked)
    limit = draw(st.integers(min_moves, max_moves))
    cells: list[Cell] = []
    perhaps = st.integers(0, 15).flatmap(lambda go_on: happening if go_on else st.none())
    while len(cells) < limit:
        more = draw(perhaps if cells and len(cells) >= min_moves else happening)
        made = _run(asked, cells, more[0], dict(more[1]), lasting, limit) if more else []
        if not made:
            break
        cells += made
    moves = tuple(table.events[event] for _, event in cells)
    return ValidWalk(asked.endpoint, asked.config, moves, tuple(table.recorded(*cell) for cell in cells))


def _run(
    asked: _Asked, before: Sequence[Cell], stimulus: str, answers: dict[str, str], lasting: _Lasting, limit: int
) -> list[Cell]:
    """The moves of the stimulus, or of the next in order that is possible, and of its verdicts; none at the end."""
    allowed, order = _moves(asked), _order(asked)
    table = allowed.table
    state = allowed.target(before[-1]) if before else table.start
    made: list[Cell] = []
    while len(before) + len(made) < limit:
        left = lasting[max(len(lasting) - 2 - len(before) - len(made), 0)]
        possible = {
            table.events[cell[1]]: cell for cell in allowed.by_state.get(state, ()) if table.step(*cell) in left
        }
        if allowed.idle(state):
            at = order.index(stimulus)
            wanted = () if made else (*order[at:], *order[:at])
        else:
            layer = table.layer(state)
            wanted = (answers.get(layer.fwpm_name, "permit") if layer else "permit", *VERDICTS)
        event = next((event for event in wanted if event in possible), None)
        if event is None:
            break
        made.append(possible[event])
        state = table.step(*possible[event])
    return made


_Lasting = tuple[frozenset[int], ...]


def _asked(
    caller: str, endpoint: str, config: Config | None, stimuli: Sequence[str], verdicts: Sequence[str]
) -> _Asked:
    """What was asked for, with names that exist and of which something can happen.

    Raises
    ------
    UnknownName, NoTransition, FsmError : which argument of the caller is wrong, and how.
    """
    if endpoint not in ENDPOINTS:
        raise UnknownName.of(f"{caller}, endpoint", "endpoint", endpoint, ENDPOINTS)
    for name, given in (("stimuli", stimuli), ("verdicts", verdicts)):
        if isinstance(given, str):
            raise FsmError(f"{caller}, {name}", f"'{given}' is a string", "A list or tuple of names is wanted")
    asked = _Asked(caller, endpoint, config or default_config(), tuple(stimuli), tuple(verdicts))
    allowed = _moves(asked)
    if allowed.table.start not in allowed.by_state:
        raise FsmError(
            f"{caller}, stimuli",
            f"at the start of {endpoint} nothing of {', '.join(stimuli)} is possible",
            f"Possible: {', '.join(allowed.table.moves(allowed.table.start))}",
        )
    return asked


def _check_numbers(caller: str, min_moves: int, max_moves: int) -> None:
    for name, given in (("min_moves", min_moves), ("max_moves", max_moves)):
        if not isinstance(given, int) or isinstance(given, bool) or given < 0:
            raise FsmError(f"{caller}, {name}", f"{given!r} is no number of moves", "0 or more is wanted")
    if min_moves > max_moves:
        raise FsmError(f"{caller}, min_moves", f"{min_moves} is more than max_moves, which is {max_moves}")


@lru_cache(maxsize=32)
def _moves(asked: _Asked) -> Moves:
    where = f"{asked.caller}, stimuli", f"{asked.caller}, verdicts"
    return moves_of(compile_table(asked.endpoint, asked.config), asked.stimuli, asked.verdicts, where=where)


@lru_cache(maxsize=32)
def _order(asked: _Asked) -> tuple[str, ...]:
    """The stimuli that can happen at all, the most ordinary first: what an example shrinks to."""
    allowed = _moves(asked)
    names = {allowed.table.events[event] for _, event in allowed.cells} - set(VERDICTS)
    ranked = (*USUAL, *UNCOMMON, *allowed.table.view.stimuli)
    return tuple(name for name in dict.fromkeys(ranked) if name in names)


@lru_cache(maxsize=32)
def _happening(asked: _Asked) -> st.SearchStrategy[tuple[str, list[tuple[str, str]]]]:
    """One thing that happens: a stimulus, and the answers other than permit as (layer, verdict).

    By layer, not by turn: so they mean the same where a bind comes in between. No stimulus asks a layer twice.
    """
    allowed = _moves(asked)
    table = allowed.table
    answers: dict[tuple[str, str], None] = {}
    for state, event in allowed.cells:
        layer = table.layer(state)
        if layer is not None and table.events[event] != "permit":
            answers[layer.fwpm_name, table.events[event]] = None
    several = st.lists(st.sampled_from(list(answers)), max_size=4) if answers else st.just([])
    order = _order(asked)
    begins = {table.events[event] for state, event in allowed.cells if not allowed.idle(allowed.target((state, event)))}
    often = [name for name in order if name in begins] * 3  # what no layer sees would else be half of all
    return st.tuples(st.sampled_from((*order, *often)), several)


@lru_cache(maxsize=32)
def _lasting(asked: _Asked, moves: int) -> _Lasting:
    """For 0, 1 ... `moves`: the states from which so many moves can be made.

    Raises
    ------
    FsmError : from the start so many cannot be made.
    """
    allowed = _moves(asked)
    found = [frozenset(allowed.states)]
    for _ in range(moves):
        found.append(frozenset(cell[0] for cell in allowed.cells if allowed.target(cell) in found[-1]))
    if allowed.table.start not in found[moves]:
        longest = max(count for count, states in enumerate(found) if allowed.table.start in states)
        raise FsmError(
            f"{asked.caller}, min_moves",
            f"{moves}, but no walk of {asked.endpoint} has more than {counted(longest, 'move')} here",
        )
    return tuple(found)


@lru_cache(maxsize=32)
def _layers_of(endpoint: str, config: Config) -> tuple[str, ...]:
    table = compile_table(endpoint, config)
    found = (table.layer(state) for state in range(len(table.states)))
    return tuple(dict.fromkeys(layer.fwpm_name for layer in found if layer is not None))


def nearly_valid_traces(
    endpoint: str = "sender",
    config: Config | None = None,
    *,
    stimuli: Sequence[str] = (),
    verdicts: Sequence[str] = (),
    min_moves: int = 0,
    max_moves: int = 40,
) -> st.SearchStrategy[NearlyValid]:
    """Layer sequences that are one edit away from a valid one; the parameters are those of `walks`.

    Raises
    ------
    UnknownName, FsmError : as for `walks`; and where no layer fires, or none within `max_moves`.
    """
    _check_numbers("nearly_valid_traces", min_moves, max_moves)
    asked = _asked("nearly_valid_traces", endpoint, config, stimuli, verdicts)
    _lasting(asked, min_moves)
    _check_layers(asked, max_moves)
    return _nearly_valid(endpoint, config, asked.stimuli, asked.verdicts, min_moves, max_moves)


def _check_layers(asked: _Asked, max_moves: int) -> None:
    """Some walk of this length comes to a layer and past it."""
    allowed = _moves(asked)
    seen, count = {allowed.table.start}, 0
    while all(allowed.idle(state) for state in seen):
        more = seen | {allowed.target(cell) for state in seen for cell in allowed.by_state.get(state, ())}
        if more == seen:
            what = f"with {', '.join(asked.stimuli)} no layer fires at {asked.endpoint}"
            raise FsmError(f"{asked.caller}, stimuli", what)
        seen, count = more, count + 1
    if count >= max_moves:
        what = f"{max_moves}, but the first layer of {asked.endpoint} has fired after {counted(count + 1, 'move')} here"
        raise FsmError(f"{asked.caller}, max_moves", what)


@st.composite
def _nearly_valid(
    draw: st.DrawFn,
    endpoint: str,
    config: Config | None,
    stimuli: tuple[str, ...],
    verdicts: tuple[str, ...],
    min_moves: int,
    max_moves: int,
) -> NearlyValid:
    strategy = _walks(endpoint, config, stimuli, verdicts, min_moves, max_moves)
    walk = draw(strategy.filter(lambda walk: bool(walk.layers)))
    layers = list(walk.layers)
    kinds = ["drop", "repeat", "replace"] + ["swap"] * (len(set(layers)) > 1)
    kind = draw(st.sampled_from(kinds))
    place = draw(st.integers(0, len(layers) - 1))
    if kind == "drop":
        del layers[place]
    elif kind == "repeat":
        layers.insert(place, layers[place])
    elif kind == "swap":
        place = draw(st.sampled_from([at for at, (one, other) in enumerate(pairwise(layers)) if one != other]))
        layers[place], layers[place + 1] = layers[place + 1], layers[place]
    else:
        layers[place] = draw(
            st.sampled_from([name for name in _layers_of(walk.endpoint, walk.config) if name != layers[place]])
        )
    return NearlyValid(walk, tuple(layers), kind, place)


class SystemUnderTest(Protocol):
    """What a system must offer to be driven: a simulator, a driver behind an adapter, another model."""

    def begin(self, stimulus: str) -> None:
        """Let something happen to the endpoint: `bind`, `sendto`, `datagram` ..."""

    def layer(self) -> str | None:
        """The full FWPM name of the layer that waits for a verdict; None when nothing is in progress."""

    def decide(self, verdict: str) -> None:
        """Answer that layer: `permit`, `block` ..."""


def machine_for(
    make_system: Callable[[], SystemUnderTest],
    endpoint: str = "sender",
    config: Config | None = None,
    *,
    stimuli: Sequence[str] = (),
    verdicts: Sequence[str] = (),
) -> type[RuleBasedStateMachine]:
    """A state machine test that does the model's moves to a system and compares the layer that waits after each.

    Use it as hypothesis does: `TestMyDriver = machine_for(MySystem).TestCase`. What the system raises has a note that
    names the move.

    Raises
    ------
    UnknownName : no such endpoint, stimulus or verdict.
    FsmError : nothing of this can happen.
    """
    moves = _moves(_asked("machine_for", endpoint, config, stimuli, verdicts))
    table: Table = moves.table
    allowed = {
        state: {table.events[event]: (state, event) for _, event in cells} for state, cells in moves.by_state.items()
    }

    class DrivenByTheModel(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self._begin()

        def _begin(self) -> None:
            self.done: list[str] = []
            self.state = table.start
            with _noted("while making the system"):
                self.system = make_system()
            self._compare()

        @precondition(lambda self: self.state not in allowed)
        @rule()
        def start_anew(self) -> None:
            """Nothing is possible any more (the socket is closed): another system takes its place."""
            self._begin()

        @precondition(lambda self: self.state in allowed)
        @rule(data=st.data())
        def move(self, data: st.DataObject) -> None:
            name = data.draw(st.sampled_from(list(allowed[self.state])), label="move")
            self.done.append(name)
            with self._told():
                if name in VERDICTS:
                    self.system.decide(name)
                else:
                    self.system.begin(name)
            self.state = table.step(*allowed[self.state][name])
            self._compare()

        def _told(self) -> AbstractContextManager[None]:
            done = self.done or ["nothing"]
            return _noted(f"while moving '{done[-1]}', move {len(self.done)} of: {' '.join(done)}")

        def _compare(self) -> None:
            layer = table.layer(self.state)
            with self._told():
                seen = self.system.layer()
            expected = layer.fwpm_name if layer else None
            after = " ".join(self.done) or "nothing"
            assert seen == expected, (
                f"after {after}: the system waits at {seen or 'no layer'}, the model at {expected or 'no layer'} "
                f"(state {table.name_of(self.state)})"
            )

    return DrivenByTheModel


@contextmanager
def _noted(note: str) -> Iterator[None]:
    """Whatever is raised inside says where: hypothesis shows the draws alone."""
    try:
        yield
    except Exception as error:
        error.add_note(note)
        raise
