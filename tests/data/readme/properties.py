"""Property tests with hypothesis, as the page on testing shows them."""

from hypothesis import given, settings

from fsm.claims import accepts, endpoint
from fsm.endpoint import Endpoint
from fsm.strategies import machine_for, nearly_valid_traces, walks

STIMULI = ("bind", "sendto", "datagram", "close")
QUICK = settings(max_examples=20, deadline=None, database=None)


def alarm(layers):
    """What is tested: a monitor that wants to see each flow established before its data."""
    stems = [layer.removeprefix("FWPM_LAYER_").rpartition("_V")[0] for layer in layers]
    return "DATAGRAM_DATA" in stems and "ALE_FLOW_ESTABLISHED" not in stems[: stems.index("DATAGRAM_DATA")]


@QUICK
@given(walks("sender", stimuli=STIMULI))
def test_the_monitor_is_silent_about_what_windows_does(walk):
    assert not alarm(walk.layers)


@QUICK
@given(nearly_valid_traces("sender", stimuli=STIMULI))
def test_the_monitor_is_right_when_it_speaks(nearly):
    if alarm(nearly.layers):
        assert not accepts(endpoint("sender", any_verdict=True), nearly.layers)


class MyDriver:
    """The system under test, behind an adapter. Here the model itself stands for it."""

    def __init__(self):
        self.sender = Endpoint("sender")

    def begin(self, stimulus):
        self.sender.begin(stimulus)

    def layer(self):
        waiting = self.sender.table.layer(self.sender.state)
        return waiting.fwpm_name if waiting else None

    def decide(self, verdict):
        self.sender.decide(verdict)


TestMyDriver = machine_for(MyDriver, "sender", stimuli=STIMULI).TestCase
TestMyDriver.settings = QUICK
