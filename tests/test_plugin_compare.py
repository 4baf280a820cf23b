"""What a failed comparison of layers says, whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm.claims import observation
from fsm.endpoint import Endpoint, verdict_at
from fsm.plugin_compare import compared

FULL = ["FWPM_LAYER_ALE_AUTH_CONNECT_V4", "FWPM_LAYER_DATAGRAM_DATA_V4"]


def steps(layer: str, verdict: str) -> list[object]:
    endpoint = Endpoint("sender")
    endpoint.register(verdict_at({f"FWPM_LAYER_{layer}_V4": verdict}))
    endpoint.run("bind")
    return list(endpoint.run("sendto").classified)


def test_names_that_differ_only_in_their_spelling_are_shown_as_they_are() -> None:
    assert compared(FULL, ["ALE_AUTH_CONNECT_V4", FULL[1]]) == [
        "layers: 2 seen, 2 expected",
        "they agree as far as: nowhere",
        "then is seen:         ALE_AUTH_CONNECT_V4 DATAGRAM_DATA_V4",
        "then is expected:     ALE_AUTH_CONNECT_V4 DATAGRAM_DATA_V4",
        "they are spelled differently: 'FWPM_LAYER_ALE_AUTH_CONNECT_V4', and expected 'ALE_AUTH_CONNECT_V4'",
    ]


def test_one_that_ends_sooner() -> None:
    assert compared(FULL[:1], FULL) == [
        "layers: 1 seen, 2 expected",
        "they agree as far as: ALE_AUTH_CONNECT_V4",
        "then is seen:         nothing, this is the end",
        "then is expected:     DATAGRAM_DATA_V4",
    ]
    assert compared([], FULL[:1]) == [
        "layers: 0 seen, 1 expected",
        "they agree as far as: nowhere",
        "then is seen:         nothing, this is the end",
        "then is expected:     ALE_AUTH_CONNECT_V4",
    ]


def test_the_verdict_of_a_step_is_what_differs() -> None:
    blocked, absorbed = steps("OUTBOUND_IPPACKET", "block"), steps("OUTBOUND_IPPACKET", "absorb")
    found = compared(blocked, absorbed)
    assert found is not None and found[1].endswith("DATAGRAM_DATA_V4:permit OUTBOUND_TRANSPORT_V4:permit")
    assert found[2:] == [
        "then is seen:         OUTBOUND_IPPACKET_V4:block OUTBOUND_IPPACKET_V4_DISCARD:permit",
        "then is expected:     OUTBOUND_IPPACKET_V4:absorb",
    ]


def test_flags_and_fields_that_the_words_do_not_show() -> None:
    seen = observation("AUTH_CONNECT", "permit", flags=("IS_REAUTHORIZE",))
    found = compared([seen], [replace(seen, flags=())])
    assert found is not None and found[2:] == [
        "then is seen:         ALE_AUTH_CONNECT_V4:permit+IS_REAUTHORIZE",
        "then is expected:     ALE_AUTH_CONNECT_V4:permit",
    ]
    found = compared([seen], [replace(seen, at_s=2.0)])
    assert found is not None and found[-1] == "at_s: None, and expected 2.0"
    found = compared(["FWPM_LAYER_ALE_AUTH_CONNECT_V4"], [observation("AUTH_CONNECT")])
    assert found is not None and found[-1] == "they are of different kinds: str, and expected Observation"


@pytest.mark.parametrize(
    ("left", "right"), [(FULL, tuple(FULL)), (["a"], ["b"]), (1, FULL), (FULL, None), ([FULL], [FULL[:1]]), ([], ())]
)
def test_anything_else_is_left_to_the_test_runner(left: object, right: object) -> None:
    assert compared(left, right) is None
