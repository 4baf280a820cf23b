"""The hypothesis strategies: what they draw is what the model allows, and what they drive is compared with it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis.errors import NoSuchExample
from hypothesis.stateful import run_state_machine_as_test

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
    with pytest.raises(FsmError, match=f"min_moves is 9, but no walk of sender has more than {longest} moves here"):
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


def test_names_are_checked() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'sender'"):
        find(walks("sendr"), lambda walk: True, settings=QUICK)


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


def test_a_faulty_system_is_found_with_the_shortest_walk() -> None:
    machine = machine_for(Forgetful, stimuli=("bind", "sendto"), verdicts=("permit",))
    with pytest.raises(AssertionError) as found:
        run_state_machine_as_test(machine, settings=settings(QUICK, max_examples=200, stateful_step_count=30))
    text = str(found.value).splitlines()[0]
    assert "the system waits at FWPM_LAYER_ALE_CONNECT_REDIRECT_V4, the model at FWPM_LAYER_DATAGRAM_DATA_V4" in text
    assert text.startswith("after sendto permit permit permit permit permit permit permit permit sendto: ")
