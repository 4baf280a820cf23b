"""Records that belong together: pairs, twins, copies, records given twice, and what must not be joined."""

from __future__ import annotations

from dataclasses import replace

import pytest
from explain_records import ME, OTHER, PEER, accept, bind, connect, drop, explained, last, numbered, twin

from fsm.explain.explainer import WAITING_LIMIT, Explainer
from fsm.logs import LogEvent


def incidents(*events: LogEvent) -> list[str]:
    """The codes that are counted."""
    return [one.code for one in Explainer().run(numbered(*events)) if one.counts]


def test_5152_and_5157_of_one_packet_are_one_incident() -> None:
    pair = (accept(event_id=5152), accept(event_id=5157))
    first, second = explained(*pair)
    assert (first["paired_with"], second["paired_with"]) == (2, 1)
    assert incidents(*pair) == ["blocked_accept"]


def test_the_pair_is_found_in_either_order_and_turned_round() -> None:
    turned = accept(source=f"{ME}:53", dest=f"{PEER}:5000", event_id=5157)
    for pair in ((accept(event_id=5152), turned), (turned, accept(event_id=5152))):
        both = explained(*pair)
        assert [one["paired_with"] for one in both] == [2, 1]
        assert {one["local"]["address"] for one in both} == {ME}
        assert {one["remote"]["port"] for one in both} == {5000}
    assert incidents(accept(event_id=5152), turned) == ["blocked_accept"]


@pytest.mark.parametrize(
    "other",
    [
        accept(event_id=5157, filter_id=1),
        accept(event_id=5157, source=f"{PEER}:5001"),
        accept(event_id=5157, source=f"{OTHER}:5000"),
        accept(event_id=5157, at=1.5),
        accept(event_id=5157, host="HOST2"),
        accept(event_id=5157, layer=48),
        accept(event_id=5157, protocol=1),
        accept(event_id=5152),
    ],
)
def test_what_differs_is_no_pair(other: LogEvent) -> None:
    assert [one["paired_with"] for one in explained(accept(event_id=5152), other)] == [None, None]


def test_repeated_refusals_pair_one_to_one() -> None:
    events = [accept(event_id=eid, at=at) for at in (0.0, 0.3, 0.6) for eid in (5152, 5157)]
    assert [one["paired_with"] for one in explained(*events)] == [2, 1, 4, 3, 6, 5]
    assert len(incidents(*events)) == 3


def test_records_without_time_pair_when_adjacent() -> None:
    near = (accept(event_id=5152, at=None), accept(event_id=5157, at=None))
    assert [one["paired_with"] for one in explained(*near)] == [2, 1]
    between = [bind(n, at=None) for n in range(5)]
    assert explained(near[0], *between, near[1])[0]["paired_with"] is None


def test_twin_serves_one_drop_the_nearest_before_it() -> None:
    second = drop(dest=f"{ME}:50000", at=0.2)
    got = explained(drop(), second, twin(at=0.201))
    assert [one["paired_with"] for one in got] == [None, 3, 2]
    got = explained(drop(), twin(at=0.001), second, twin(at=0.201))
    assert [one["paired_with"] for one in got] == [2, 1, 4, 3]


@pytest.mark.parametrize(
    "error",
    [
        twin(at=1.5),
        twin(dest=f"{OTHER}:0"),
        twin(source=f"{OTHER}:0"),
        twin(host="HOST2"),
        twin(source="[fe80::1]:0", dest="[fe80::2]:0", layer=34, protocol=58),
    ],
)
def test_error_of_another_peer_host_or_time_is_no_twin(error: LogEvent) -> None:
    first, second = explained(drop(), error)
    assert (first["paired_with"], second["paired_with"], second["code"]) == (None, None, "blocked_packet")


def test_error_logged_first_in_the_same_millisecond_is_a_twin() -> None:
    assert [one["code"] for one in explained(twin(), drop())] == ["icmp_twin", "no_listener"]
    assert [one["code"] for one in explained(twin(at=1.0), drop(at=1.1))] == ["blocked_packet", "no_listener"]


def test_twin_after_a_long_gap_is_only_likely() -> None:
    assert last(drop(), twin(at=0.9))["confidence"] == "likely"
    assert last(drop(), twin(at=0.001))["confidence"] == "certain"


def test_drop_with_twin_tells_what_the_remote_side_sees() -> None:
    first, _ = explained(drop(), twin())
    assert "suppressed" in first["remote_sees"]
    assert first["after"] == ["FWPM_LAYER_OUTBOUND_ICMP_ERROR_V4"]


def test_copy_with_exchanged_ports_is_told_apart_by_the_query() -> None:
    swapped = drop(source=f"{PEER}:64773", dest=f"{ME}:53", at=1.0)
    for order in ((drop(at=1.0), swapped), (swapped, drop(at=1.0))):
        got = explained(connect(), *order, twin(at=1.0))
        right = next(one for one in got if one["code"] == "late_reply")
        copy = next(one for one in got if one["code"] == "no_listener")
        assert "ports_swapped_duplicate" in copy["tags"] and "ports_swapped_duplicate" not in right["tags"]
        assert copy["copy_of"] == right["record"] and copy["confidence"] == "possible"
        assert right["paired_with"] == 4
    later = replace(swapped, time_s=1.01)
    assert not explained(connect(), drop(at=1.0), later)[-1]["copy_of"]


def test_copy_without_query_in_the_log_goes_by_the_bind() -> None:
    swapped = drop(source=f"{PEER}:64773", dest=f"{ME}:53")
    got = explained(bind(64773), swapped, drop())
    assert [one["copy_of"] for one in got] == [None, 3, None]


def test_record_given_twice_is_counted_once() -> None:
    event = accept(event_id=5152, record_number=77)
    assert incidents(event, replace(event, time_s=event.time_s)) == ["blocked_accept"]
    assert "duplicate_record" in explained(event, event)[1]["tags"]
    assert len(incidents(accept(event_id=5152), accept(event_id=5152, at=0.5))) == 2  # no numbers: two packets


def test_interleaved_hosts_do_not_mix() -> None:
    events = [
        connect(host="A"), connect(host="B", source=f"{ME}:1"), drop(host="B", at=0.01), drop(host="A", at=0.01),
        twin(host="B", at=0.011), twin(host="A", at=0.011),
    ]  # fmt: skip
    got = explained(*events)
    assert [one["code"] for one in got[2:]] == ["no_listener", "late_reply", "icmp_twin", "icmp_twin"]
    assert [one["paired_with"] for one in got[2:]] == [5, 6, 3, 4]


def test_a_silent_host_does_not_hold_up_the_others() -> None:
    seen = 0

    def items() -> object:
        yield drop(host="SILENT")
        for n in range(WAITING_LIMIT + 50):
            yield connect(host="BUSY", source=f"{ME}:{n % 60000}", at=float(n))
        assert seen >= 40, "nothing was given out while the input went on"

    for _ in Explainer().run(items()):  # type: ignore[arg-type]
        seen += 1
    assert seen == WAITING_LIMIT + 51


def test_order_of_the_output_is_the_order_of_the_input() -> None:
    events = [bind(n % 100, at=n / 10) for n in range(500)]
    assert [one["record"] for one in explained(*events)] == list(range(1, 501))


def test_newest_first_is_turned_round() -> None:
    events = [connect(at=0.0), drop(at=1.0), twin(at=1.001), accept(at=5.0)]
    got = explained(*events[::-1])
    assert [one["code"] for one in got] == ["permitted_connect", "late_reply", "icmp_twin", "permitted_accept"]
    explainer = Explainer()
    list(explainer.run(numbered(*events[::-1])))
    assert explainer.account.newest_first == ["log.json"]


def test_long_newest_first_log_is_turned_in_pieces_and_says_so() -> None:
    events = [connect(at=float(n), source=f"{ME}:{n}") for n in range(1000, 0, -1)]
    explainer = Explainer(history_limit=1)
    assert len(list(explainer.run(numbered(*events)))) == 1000
    assert explainer.account.newest_first_incomplete == ["log.json"]


def test_history_is_bounded_and_evictions_are_counted() -> None:
    others = [connect(source=f"{ME}:{n}", at=0.5) for n in range(5)]
    assert explained(connect(), *others, drop(at=1.0), history=6)[-1]["code"] == "late_reply"
    assert explained(connect(), *others, drop(at=1.0), history=5)[-1]["code"] == "no_listener"
    explainer = Explainer(history_limit=5)
    list(explainer.run(numbered(connect(), *others)))
    assert explainer.account.evicted == 2  # one flow, one port
