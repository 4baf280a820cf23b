"""Property tests with hypothesis: valid walks, nearly valid traces, and a machine that drives a system under test.

The only module that imports hypothesis (extra `hypothesis`). Draws are moves of the compiled table by their place, so
that a failing example shrinks to the shortest walk with the earliest moves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from fsm.choices import Config, default_config
from fsm.errors import FsmError
from fsm.names import VERDICTS
from fsm.plan.moves import Moves, moves_of
from fsm.table import Step, Table, compile_table


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class NearlyValid:
    """The layers of a valid walk with one edit: `kind` is drop, repeat, swap or replace, at this place.

    `layers` can by chance still be a sequence that the model allows: what it is is for the test to decide.
    """

    walk: ValidWalk
    layers: tuple[str, ...]
    kind: str
    place: int


@st.composite
def walks(
    draw: st.DrawFn,
    endpoint: str = "sender",
    config: Config | None = None,
    *,
    stimuli: Sequence[str] = (),
    verdicts: Sequence[str] = (),
    min_moves: int = 0,
    max_moves: int = 40,
) -> ValidWalk:
    """Walks that the model allows; a walk ends early where nothing is possible any more (a closed socket).

    No walk is shorter than `min_moves`: moves after which too few would be left are not drawn.

    Parameters
    ----------
    endpoint, config : the machine; the default machine by default.
    stimuli, verdicts : only these (permit is always one of them); all by default.
    min_moves, max_moves : how many moves, stimuli and verdicts together.

    Raises
    ------
    UnknownName : no such endpoint, stimulus or verdict.
    FsmError : with these stimuli and verdicts no walk is that long.
    """
    asked = endpoint, config or default_config(), tuple(stimuli), tuple(verdicts)
    allowed = _moves(*asked)
    table, allowed_by_state = allowed.table, allowed.by_state
    lasting = _lasting(*asked, min_moves)
    if table.start not in lasting[min_moves]:
        longest = max(count for count, states in enumerate(lasting) if table.start in states)
        raise FsmError(
            "walks", f"min_moves is {min_moves}, but no walk of {endpoint} has more than {longest} moves here"
        )
    state, moves, steps = table.start, [], []
    for number in range(draw(st.integers(min_moves, max_moves))):
        left = lasting[max(min_moves - number - 1, 0)]
        cells = [cell for cell in allowed_by_state.get(state, ()) if table.step(*cell) in left]
        if not cells:
            break
        cell = draw(st.sampled_from(cells))
        moves.append(table.events[cell[1]])
        steps.append(table.recorded(*cell))
        state = table.step(*cell)
    return ValidWalk(endpoint, table.config, tuple(moves), tuple(steps))


@lru_cache(maxsize=32)
def _moves(endpoint: str, config: Config, stimuli: tuple[str, ...], verdicts: tuple[str, ...]) -> Moves:
    return moves_of(compile_table(endpoint, config), stimuli, verdicts)


@lru_cache(maxsize=32)
def _lasting(
    endpoint: str, config: Config, stimuli: tuple[str, ...], verdicts: tuple[str, ...], moves: int
) -> tuple[frozenset[int], ...]:
    """For 0, 1 ... `moves`: the states from which so many moves can be made."""
    allowed = _moves(endpoint, config, stimuli, verdicts)
    found = [frozenset(allowed.states)]
    for _ in range(moves):
        found.append(frozenset(cell[0] for cell in allowed.cells if allowed.target(cell) in found[-1]))
    return tuple(found)


@lru_cache(maxsize=32)
def _layers_of(endpoint: str, config: Config) -> tuple[str, ...]:
    table = compile_table(endpoint, config)
    found = (table.layer(state) for state in range(len(table.states)))
    return tuple(dict.fromkeys(layer.fwpm_name for layer in found if layer is not None))


@st.composite
def nearly_valid_traces(
    draw: st.DrawFn, /, endpoint: str = "sender", config: Config | None = None, **options: Any
) -> NearlyValid:
    """Layer sequences that are one edit away from a valid one; `options` are those of `walks`."""
    walk = draw(walks(endpoint, config, **options).filter(lambda walk: bool(walk.layers)))
    layers = list(walk.layers)
    kinds = ["drop", "repeat", "replace"] + ["swap"] * (len(set(layers)) > 1)
    kind = draw(st.sampled_from(kinds))
    place = draw(st.integers(0, len(layers) - 1))
    if kind == "drop":
        del layers[place]
    elif kind == "repeat":
        layers.insert(place, layers[place])
    elif kind == "swap":
        places = [at for at in range(len(layers) - 1) if layers[at] != layers[at + 1]]
        place = draw(st.sampled_from(places))
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

    Use it as hypothesis does: `TestMyDriver = machine_for(MySystem).TestCase`.
    """
    table: Table = compile_table(endpoint, config or default_config())
    allowed = moves_of(table, stimuli, verdicts).by_state

    class DrivenByTheModel(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self._begin()

        def _begin(self) -> None:
            self.system = make_system()
            self.state = table.start
            self.done: list[str] = []
            self._compare()

        @precondition(lambda self: self.state not in allowed)
        @rule()
        def start_anew(self) -> None:
            """Nothing is possible any more (the socket is closed): another system takes its place."""
            self._begin()

        @precondition(lambda self: self.state in allowed)
        @rule(data=st.data())
        def move(self, data: st.DataObject) -> None:
            _, event = cell = data.draw(st.sampled_from(allowed[self.state]))
            name = table.events[event]
            if name in VERDICTS:
                self.system.decide(name)
            else:
                self.system.begin(name)
            self.done.append(name)
            self.state = table.step(*cell)
            self._compare()

        def _compare(self) -> None:
            layer = table.layer(self.state)
            expected, seen = layer.fwpm_name if layer else None, self.system.layer()
            after = " ".join(self.done) or "nothing"
            assert seen == expected, (
                f"after {after}: the system waits at {seen or 'no layer'}, the model at {expected or 'no layer'} "
                f"(state {table.name_of(self.state)})"
            )

    return DrivenByTheModel
