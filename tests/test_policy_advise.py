"""Advice on where to register: its tables against the reviewed ones, its answers against runs."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fsm.catalogue import by_name, layer_of, layers
from fsm.choices import Config, configure
from fsm.cli import cli
from fsm.errors import FsmError, UnknownName
from fsm.flows import run_stimuli
from fsm.policy.advise import EVENTS, advise, want_names
from fsm.policy.advise_needs import ALIASES, NO, WANTS, YES, metadata_of, packet_start, wanted
from fsm.policy.fields import PREFIX, canonical, offered
from fsm.sources import SOURCES

TOP = Path(__file__).resolve().parent.parent
LISTED = TOP.parent / "shared" / "wfp" / "conditions.csv"


def level(want: str, stem: str, windows: str = "11") -> str:
    return WANTS[want].answer(layer_of(stem, 4), windows).level


@pytest.mark.skipif(not LISTED.is_file(), reason="the list is not here")
def test_the_metadata_of_every_layer_are_those_that_are_listed() -> None:
    listed = defaultdict(set)
    with LISTED.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = row["name"].removeprefix("FWPS_METADATA_FIELD_")
            if row["kind"] == "metadata" and name not in (row["name"], "RESERVED"):
                listed[row["fwpm_layer"]].add(name)
    compared = 0
    for layer in layers():
        if layer.name in listed and layer.group in ("ippacket", "transport", "datagram", "icmp", "ale", "forward"):
            assert metadata_of(layer) == listed[layer.name], layer.name
            compared += 1
    assert compared >= 50


# What the page on data offsets says, by hand (DOP)
STARTS = {
    "INBOUND_IPPACKET": "transport_header",
    "OUTBOUND_IPPACKET": "ip_header",
    "INBOUND_TRANSPORT": "payload",
    "OUTBOUND_TRANSPORT": "transport_header",
    "DATAGRAM_DATA": "in:payload out:transport_header",
    "INBOUND_ICMP_ERROR": "inner_ip_header",
    "OUTBOUND_ICMP_ERROR": "icmp_header",
    "ALE_AUTH_RECV_ACCEPT": "in:payload out:transport_header",
    "ALE_AUTH_CONNECT": "transport_header",
    "ALE_RESOURCE_ASSIGNMENT": "none",
    "ALE_AUTH_LISTEN": "none",
}


def test_packets_begin_where_the_page_says() -> None:
    for stem, start in STARTS.items():
        assert packet_start(layer_of(stem, 4)) == packet_start(layer_of(stem, 6)) == start


def test_what_is_known_of_the_layers_by_hand() -> None:
    ale = ("ALE_BIND_REDIRECT", "ALE_RESOURCE_ASSIGNMENT", "ALE_CONNECT_REDIRECT", "ALE_AUTH_CONNECT")
    packets = ("DATAGRAM_DATA", "OUTBOUND_TRANSPORT", "OUTBOUND_IPPACKET", "INBOUND_TRANSPORT", "INBOUND_IPPACKET")
    assert {level("process", stem) for stem in (*ale, "ALE_AUTH_RECV_ACCEPT", "ALE_FLOW_ESTABLISHED")} == {YES}
    assert {level("process", stem) for stem in packets} == {NO}
    assert level("ports", "OUTBOUND_IPPACKET") == level("ports", "INBOUND_IPPACKET") == NO
    assert level("flow", "INBOUND_IPPACKET") == NO
    assert level("payload", "DATAGRAM_DATA") == YES
    assert level("redirect", "ALE_CONNECT_REDIRECT") == YES and level("redirect", "ALE_AUTH_CONNECT") == NO
    assert level("redirect_local", "ALE_CONNECT_REDIRECT") == NO and level("redirect_local", "ALE_BIND_REDIRECT") == YES
    assert level("redirect", "ALE_CONNECT_REDIRECT", "vista") == NO
    assert level("delay", "ALE_FLOW_ESTABLISHED") == level("block", "ALE_FLOW_ESTABLISHED") == NO
    assert level("absorb", "ALE_BIND_REDIRECT") == level("absorb", "INBOUND_TRANSPORT_DISCARD") == NO
    assert level("before_route", "ALE_CONNECT_REDIRECT") == YES and level("before_route", "ALE_AUTH_CONNECT") == NO
    assert level("once_per_flow", "ALE_FLOW_ESTABLISHED") == YES


def test_every_answer_has_a_reason_and_sources_that_exist() -> None:
    for layer in layers():
        for want in WANTS.values():
            for windows in ("vista", "11"):
                answer = want.answer(layer, windows)
                assert answer.level in ("yes", "partly", "no") and answer.why
                assert answer.cite and set(answer.cite) <= set(SOURCES), (layer.name, want.name)


def test_an_answer_about_fields_agrees_with_what_the_layer_offers() -> None:
    for layer in layers():
        both = {canonical(PREFIX + name) for name in ("IP_LOCAL_PORT", "IP_REMOTE_PORT")} <= offered(layer.name)
        assert (WANTS["ports"].answer(layer, "11").level == YES) == both


def test_the_layers_and_their_order_are_those_of_a_run() -> None:
    advice = advise(["process"], events=["send"])
    run = [labelled.step.layer for labelled in run_stimuli("sender", ["sendto"]).steps]
    assert [place.layer.name for place in sorted(advice.places["send"], key=lambda p: p.order)] == run


def test_what_a_block_does_is_what_a_run_with_that_block_does() -> None:
    advice = advise(may=["block"], events=["send", "no_listener"])
    seen = 0
    for event in advice.events:
        endpoint, stimuli = EVENTS[event]
        for place in advice.places[event]:
            if place.on_block is None:
                assert place.layer.may_block != "yes"
                continue
            run = run_stimuli(endpoint, stimuli, blocks=[place.layer.name])
            assert place.on_block.outcome == run.outcome
            assert (place.on_block.application_sees, place.on_block.remote_sees) == (
                run.application_sees,
                run.remote_sees,
            )
            seen += 1
    assert seen >= 10


def test_ranking_puts_what_fits_first_and_names_what_is_lost() -> None:
    advice = advise(["before_route"], ["redirect"], events=["send"])
    best = advice.best("send")
    assert best.layer.stem == "ALE_CONNECT_REDIRECT" and best.fit == "fits"
    assert best.lost["payload"].level == NO and "process" not in best.lost
    ranks = [place.rank for place in advice.places["send"]]
    assert ranks == sorted(ranks)
    assert not advice.pairs["send"]


def test_process_and_payload_need_two_layers_and_a_flow_context() -> None:
    advice = advise(["process", "payload"])
    for event in ("send", "receive"):
        assert advice.best(event).fit != "fits"
        pair = advice.pairs[event][0]
        assert pair.first.layer.stem == "ALE_FLOW_ESTABLISHED" and pair.second.layer.stem == "DATAGRAM_DATA"
        assert pair.from_first == ("process",) and not pair.misses_first
        for place in (pair.first, pair.second):
            assert "FLOW_HANDLE" in metadata_of(place.layer)


def test_what_has_to_be_done_in_place_is_no_matter_of_a_context() -> None:
    for pair in advise(["process"], ["modify"], events=["send"]).pairs["send"]:
        assert pair.second.answers["modify"].level == YES


def test_silence_and_errors_are_told_from_runs() -> None:
    advice = advise(may=["silently-drop", "refuse", "drop-with-icmp"], events=["send", "no_listener"])
    levels = {
        (place.event, place.layer.stem): {name: answer.level for name, answer in place.answers.items()}
        for places in advice.places.values()
        for place in places
    }
    assert levels["send", "ALE_RESOURCE_ASSIGNMENT"]["refuse"] == YES
    assert levels["send", "ALE_AUTH_CONNECT"] == {"silently_drop": YES, "refuse": NO, "drop_with_icmp": NO}
    assert levels["no_listener", "OUTBOUND_ICMP_ERROR"]["silently_drop"] == YES


def test_where_the_packet_is_the_icmp_error_the_datagram_is_not_there() -> None:
    advice = advise(["payload", "ports"], events=["no_listener", "icmp_error"])
    for places in advice.places.values():
        for place in places:
            if "OUTBOUND" in place.layer.stem or place.event == "icmp_error":
                assert place.answers["payload"].level == place.answers["ports"].level == NO, place.layer.name
    assert advice.best("no_listener").layer.direction == "inbound"


def test_ip_version_and_windows_are_those_asked_for() -> None:
    six = advise(["process"], events=["send"], config=configure(ip=6))
    assert all(by_name(place.layer.name).ip_version == 6 for place in six.places["send"])
    vista = advise(["process"], events=["send"], config=Config(windows="vista"))
    assert "ALE_CONNECT_REDIRECT" not in {place.layer.stem for place in vista.places["send"]}


def test_wants_are_taken_in_other_spellings_and_unknown_ones_are_told() -> None:
    assert wanted("before-route") == "before_route" and wanted("Pend") == "delay"
    assert set(ALIASES.values()) <= set(want_names())
    with pytest.raises(UnknownName, match=r"no want named 'proces'\. Did you mean 'process'"):
        advise(["proces"])
    with pytest.raises(UnknownName, match="no event named 'sent'"):
        advise(["process"], events=["sent"])
    with pytest.raises(FsmError, match="nothing is wanted"):
        advise()
    with pytest.raises(FsmError, match="no layer sees 'close'"):
        advise(["process"], events=["close"])
    assert advise(["process"], events=["close"], config=configure(evidence="observed")).places["close"]


# ---- the command


def invoked(*words: str) -> Any:
    return CliRunner().invoke(cli, ["advise", *words], env={"COLUMNS": "100"})


def test_text_is_ascii_in_100_columns_and_marks_the_layer_in_the_ladder() -> None:
    done = invoked("--need", "process", "--need", "payload", "--may", "delay")
    assert done.exit_code == 0 and done.output.isascii()
    assert all(len(line) <= 100 for line in done.output.splitlines())
    marked = [line for line in done.output.splitlines() if line.strip()[1:2] == "*" and "permit" in line]
    assert ["ALE_FLOW_ESTABLISHED_V4" in marked[0], "DATAGRAM_DATA_V4" in marked[1]] == [True, True]


def test_json_tells_places_reasons_and_pairs() -> None:
    data = json.loads(invoked("--need", "process", "--need", "payload", "--format", "json").output)
    send = data["events"]["send"]
    assert send["together"][0]["context_from"] == "FWPM_LAYER_ALE_FLOW_ESTABLISHED_V4"
    assert {place["fit"] for place in send["places"]} <= {"fits", "fits in part", "does not fit"}
    assert all(want["cite"] and want["why"] for place in send["places"] for want in place["wants"])


def test_a_picture_is_drawn_of_one_event(tmp_path: Path) -> None:
    out = tmp_path / "advice.svg"
    assert invoked("--may", "redirect", "--event", "send", "-o", str(out)).exit_code == 0
    assert "ALE_CONNECT_REDIRECT" in out.read_text(encoding="utf-8")
    wrong = invoked("--may", "redirect", "-o", str(out))
    assert "a picture shows one event, and 2 are asked" in str(wrong.exception)
    both = invoked("--may", "redirect", "--event", "send", "--direction", "both")
    assert "given beside --event" in str(both.exception)


def test_everything_that_can_be_wanted_is_listed() -> None:
    listed = invoked("--list").output
    assert all(f"  {name} " in listed for name in want_names())
