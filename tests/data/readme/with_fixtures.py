"""The fixtures, the marker and claims about them, as the page on testing shows them."""

import pytest

from fsm.claims import endpoint, never, reaches


def test_a_blocked_send_is_lost_in_silence(wfp_endpoint):
    sender = wfp_endpoint("sender", block=["AUTH_CONNECT"])
    sender.run("bind")
    sent = sender.run("sendto")
    assert (sent.outcome, sent.application_sees) == ("blocked", "sendto returned success; the datagram is lost")


def test_no_order_of_events_gets_a_first_datagram_past_it(wfp_endpoint):
    assert never(wfp_endpoint("sender", block=["AUTH_CONNECT"]), "AUTH_CONNECT:permit")


@pytest.mark.wfp(windows="7", assume={"close": "closure_release"})
def test_the_end_of_a_socket_is_seen(wfp_sender):
    wfp_sender.run("bind")
    assert [step.layer for step in wfp_sender.run("close").classified]
    assert reaches(endpoint("sender"), "RESOURCE_RELEASE")  # the marker counts here too


def test_what_one_host_sends_comes_to_the_other(wfp_session):
    assert reaches(wfp_session(["sender@1", "receiver@2"]), "DATAGRAM_DATA@receiver")
