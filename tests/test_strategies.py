"""The hypothesis strategies: what they draw is what the model allows, and what they drive is compared with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis.errors import NoSuchExample
from hypothesis.stateful import run_state_machine_as_test
from hypothesis.vendor.pretty import pretty

from fsm.choices import Config
from fsm.endpoint import Endpoint
from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.machine import LiveEndpoint
from fsm.names import VERDICTS
from fsm.strategies import NearlyValid, ValidWalk, machine_for, nearly_valid_traces, walks

QUICK = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
FOUND = settings(QUICK, phases=[Phase.generate])  # whatever is found will do


@settings(QUICK, max_examples=10)  # a live machine takes its time to be built
@given(walks())
def test_a_walk_is_what_the_live_machine_does(walk: ValidWalk) -> None:
    endpoint = LiveEndpoint(walk.endpoint, walk.config)
    layers = []
    for move in walk.moves:
        before = len(endpoint.trace)
        if move in VERDICTS:
            endpoint.decide(move)
        else:
            endpoint.begin(move)
        layers += [step.layer for step in endpoint.trace[before:] if step.layer]
    assert tuple(layers) == walk.layers


@QUICK
@given(walks("receiver", Config(ip=6), stimuli=("bind", "datagram"), verdicts=("block",), min_moves=3))
def test_a_walk_keeps_to_what_was_asked_for(walk: ValidWalk) -> None:
    assert set(walk.moves) <= {"bind", "datagram", "permit", "block"} and len(walk.moves) >= 3
    assert all(layer.endswith(("_V6", "_V6_DISCARD")) for layer in walk.layers)


@settings(QUICK, max_examples=200)
@given(walks("dropped_port", stimuli=("datagram_group",), min_moves=3, max_moves=5) | walks(min_moves=3, max_moves=4))
def test_no_walk_is_shorter_than_asked_for(walk: ValidWalk) -> None:
    assert 3 <= len(walk.moves) <= 5


def test_walks_that_would_end_too_soon_are_not_drawn() -> None:
    # A socket that is closed takes nothing more: closed at once, a walk has one move.
    long_enough = walks(stimuli=("bind", "close"), verdicts=("permit",), min_moves=3)
    assert find(long_enough, lambda walk: True, settings=QUICK).moves == ("bind", "permit", "permit")
    with pytest.raises(NoSuchExample):
        find(long_enough, lambda walk: len(walk.moves) < 3, settings=settings(QUICK, max_examples=300))


@pytest.mark.parametrize(("stimuli", "longest"), [(("close",), 1), (("bind", "close"), 4)])
def test_a_length_that_no_walk_has_is_an_error(stimuli: tuple[str, ...], longest: int) -> None:
    with pytest.raises(
        FsmError, match=f"walks, min_moves: 9, but no walk of sender has more than {longest} moves? here"
    ):
        find(walks(stimuli=stimuli, verdicts=("permit",), min_moves=9), lambda walk: True, settings=QUICK)


@QUICK
@given(nearly_valid_traces(min_moves=4))
def test_a_nearly_valid_trace_is_one_edit_away(nearly: NearlyValid) -> None:
    valid, edited = list(nearly.walk.layers), list(nearly.layers)
    match nearly.kind:
        case "drop":
            edited.insert(nearly.place, valid[nearly.place])
        case "repeat":
            del edited[nearly.place]
        case "swap":
            edited[nearly.place : nearly.place + 2] = edited[nearly.place : nearly.place + 2][::-1]
        case "replace":
            assert edited[nearly.place] != valid[nearly.place]
            edited[nearly.place] = valid[nearly.place]
    assert edited == valid


@pytest.mark.parametrize("kind", ["drop", "repeat", "swap", "replace"])
def test_every_kind_of_edit_is_drawn(kind: str) -> None:
    found = find(nearly_valid_traces(min_moves=6), lambda nearly: nearly.kind == kind, settings=FOUND)
    assert found.layers != found.walk.layers


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(
    ("found", "few"),
    [
        (lambda walk: any("DATAGRAM_DATA" in layer for layer in walk.layers), 7),
        (lambda walk: "pend" in walk.moves and "complete" in walk.moves, 6),
    ],
)
def test_an_example_shrinks_to_a_short_walk(found: Callable[[ValidWalk], bool], few: int, number: int) -> None:
    walk = find(walks(), found, settings=settings(QUICK, max_examples=3000), random=Random(number))
    assert len(walk.moves) <= few


def test_an_example_is_told_in_a_line() -> None:
    walk = find(walks(), lambda walk: len(walk.layers) == 2, settings=QUICK)
    line = (
        "ValidWalk(sender, IPv4, Windows 11: bind permit permit; "
        "layers: ALE_BIND_REDIRECT_V4 ALE_RESOURCE_ASSIGNMENT_V4)"
    )
    assert repr(walk) == pretty(walk) == line and len(walk.steps) == 3
    nearly = NearlyValid(walk, walk.layers[1:], "drop", 0)
    told = "NearlyValid(drop ALE_BIND_REDIRECT_V4 at 0: ALE_RESOURCE_ASSIGNMENT_V4; of sender, IPv4, Windows 11: "
    assert repr(nearly) == pretty(nearly) == told + line.partition(": ")[2]


def made_of(strategy: Callable[..., object]) -> Callable[..., object]:
    return partial(strategy, Sound) if strategy is machine_for else strategy


@pytest.mark.parametrize("strategy", [walks, nearly_valid_traces, machine_for])
@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"endpoint": "sendr"}, UnknownName, "endpoint: no endpoint named 'sendr'. Did you mean 'sender'?"),
        ({"verdicts": ("blok",)}, UnknownName, "verdicts: no verdict named 'blok'. Did you mean 'block'?"),
        ({"stimuli": ("bnd",)}, UnknownName, "stimuli: no stimulus named 'bnd'. Did you mean 'bind'?"),
        ({"stimuli": "bind"}, FsmError, "stimuli: 'bind' is a string. A list or tuple of names is wanted."),
        ({"verdicts": "block"}, FsmError, "verdicts: 'block' is a string. A list or tuple of names is wanted."),
        ({"stimuli": ("datagram",)}, FsmError, "stimuli: at the start of sender nothing of datagram is possible. "),
    ],
)
def test_a_wrong_argument_is_named(
    strategy: Callable[..., object], given: dict[str, object], error: type[FsmError], text: str
) -> None:
    with pytest.raises(error) as raised:
        made_of(strategy)(**given)
    assert str(raised.value).startswith(f"{strategy.__name__}, {text}")


@pytest.mark.parametrize("strategy", [walks, nearly_valid_traces])
@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"min_moves": 5, "max_moves": 3}, "min_moves: 5 is more than max_moves, which is 3."),
        ({"min_moves": -1}, "min_moves: -1 is no number of moves. 0 or more is wanted."),
        ({"max_moves": 2.5}, "max_moves: 2.5 is no number of moves. 0 or more is wanted."),
        ({"min_moves": True}, "min_moves: True is no number of moves. 0 or more is wanted."),
    ],
)
def test_a_wrong_number_of_moves_is_named(strategy: Callable[..., object], given: dict[str, object], text: str) -> None:
    with pytest.raises(FsmError) as raised:
        strategy(**given)
    assert str(raised.value) == f"{strategy.__name__}, {text}"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"stimuli": ("close",)}, "stimuli: with close no layer fires at sender."),
        ({"max_moves": 1}, "max_moves: 1, but the first layer of sender has fired after 2 moves here."),
        ({"max_moves": 0}, "max_moves: 0, but the first layer of sender has fired after 2 moves here."),
    ],
)
def test_traces_without_a_layer_are_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(FsmError) as raised:
        nearly_valid_traces(**given)
    assert str(raised.value) == f"nearly_valid_traces, {text}"
    assert find(nearly_valid_traces(max_moves=2), lambda nearly: True, settings=QUICK)


class Sound:
    """A system that is an endpoint of this package, behind the adapter that a user would write."""

    def __init__(self) -> None:
        self.endpoint = Endpoint("sender", Config())

    def begin(self, stimulus: str) -> None:
        self.endpoint.begin(stimulus)

    def layer(self) -> str | None:
        try:
            return self.endpoint.context().layer.fwpm_name
        except NoTransition:
            return None

    def decide(self, verdict: str) -> None:
        self.endpoint.decide(verdict)


class Forgetful(Sound):
    """A system that authorizes every datagram as if it were the first: the flow is forgotten."""

    def begin(self, stimulus: str) -> None:
        if stimulus == "sendto" and self.endpoint.flow("A") == "OUT":
            self.endpoint.begin("flow_abort")
        self.endpoint.begin(stimulus)


def test_a_sound_system_passes() -> None:
    run_state_machine_as_test(machine_for(Sound), settings=settings(QUICK, max_examples=20, stateful_step_count=30))


def test_a_faulty_system_is_found_with_a_short_walk() -> None:
    machine = machine_for(Forgetful, stimuli=("bind", "sendto"), verdicts=("permit",))
    with pytest.raises(AssertionError) as found:
        run_state_machine_as_test(machine, settings=settings(QUICK, max_examples=200, stateful_step_count=30))
    text = str(found.value).splitlines()[0]
    assert "the system waits at FWPM_LAYER_ALE_CONNECT_REDIRECT_V4, the model at FWPM_LAYER_DATAGRAM_DATA_V4" in text
    assert text.startswith("after sendto permit permit permit permit permit permit permit permit sendto: ")


class Broken(Sound):
    """A system that raises at its first verdict that is not permit."""

    def decide(self, verdict: str) -> None:
        if verdict != "permit":
            raise ValueError("out of order")
        super().decide(verdict)


class Dumb(Sound):
    """A system that cannot say where it stands once something was begun."""

    def layer(self) -> str | None:
        if self.endpoint.trace:
            raise ValueError("no answer")
        return None


def no_system() -> Sound:
    raise ValueError("nothing to drive")


@pytest.mark.parametrize(
    ("system", "note"),
    [
        (Broken, "while moving 'block', move 2 of: bind block"),
        (Dumb, "while moving 'bind', move 1 of: bind"),
        (no_system, "while making the system"),
    ],
)
def test_what_a_system_raises_names_the_move(system: Callable[[], Sound], note: str) -> None:
    machine = machine_for(system, stimuli=("bind", "close"), verdicts=("block",))
    with pytest.raises(ValueError) as raised:
        run_state_machine_as_test(machine, settings=settings(QUICK, max_examples=100))
    assert raised.value.__notes__[0] == note
