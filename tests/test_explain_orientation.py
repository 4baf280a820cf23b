"""Which end is local: older Windows, newer Windows, group addresses, loopback, and not knowing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from explain_records import ME, OTHER, PEER, accept, bind, connect, drop, explained, last, record, twin


def ends(got: dict[str, object]) -> tuple[object, object]:
    local, remote = got["local"], got["remote"]
    return (
        local and f"{local['address']}:{local['port']}",  # type: ignore[index]
        remote and f"{remote['address']}:{remote['port']}",  # type: ignore[index]
    )


OLD = {"source": f"{ME}:53", "dest": f"{PEER}:5000"}  # local first


def test_packet_order_is_assumed_and_said() -> None:
    got = last(accept())
    assert ends(got) == (f"{ME}:53", f"{PEER}:5000")
    assert "orientation_assumed" in got["tags"] and got["confidence"] == "likely"


@pytest.mark.parametrize("teacher", [connect(), bind(99, ME), connect(event_id=5157)])
def test_own_address_from_an_outbound_or_bind_record_decides(teacher: object) -> None:
    for event in (accept(), accept(**OLD)):
        got = last(teacher, event)  # type: ignore[arg-type]
        assert ends(got) == (f"{ME}:53", f"{PEER}:5000")
        assert got["confidence"] == "certain"


def test_own_addresses_are_those_of_the_same_host() -> None:
    assert ends(last(connect(host="HOST2"), accept(**OLD))) == (f"{PEER}:5000", f"{ME}:53")


def test_5152_is_in_packet_order_whatever_the_others_do() -> None:
    got = explained(connect(), accept(**OLD), accept(event_id=5152, source=f"{OTHER}:1", dest="192.0.2.99:2"))
    assert ends(got[-1]) == ("192.0.2.99:2", f"{OTHER}:1")


def test_a_decided_record_teaches_the_order_of_the_host() -> None:
    unknown = {"source": "192.0.2.99:53", "dest": f"{OTHER}:1"}
    assert ends(last(connect(), accept(**OLD), accept(**unknown))) == ("192.0.2.99:53", f"{OTHER}:1")
    assert ends(last(connect(), accept(), accept(**unknown))) == (f"{OTHER}:1", "192.0.2.99:53")


def test_a_5152_beside_a_5157_teaches_the_order_of_the_host() -> None:
    pair = (accept(event_id=5152), accept(event_id=5157, **OLD))
    assert ends(last(*pair, accept(source="192.0.2.99:53", dest=f"{OTHER}:1", at=2.0))) == (
        "192.0.2.99:53",
        f"{OTHER}:1",
    )


@pytest.mark.parametrize("group", ["224.0.0.252", "255.255.255.255", "198.51.100.255"])
def test_group_address_as_source_is_impossible_and_turned(group: str) -> None:
    got = last(accept(source=f"{group}:5355", dest=f"{PEER}:5000"))
    assert ends(got) == (f"{group}:5355", f"{PEER}:5000")
    assert "impossible_source" in got["tags"] and "which none can be" in got["text"]
    assert got["code"] == "group_traffic"


def test_group_address_as_source_of_an_outbound_record_is_turned_too() -> None:
    got = last(connect(source="[ff02::fb]:5353", dest="[fe80::9]:5353", layer=50))
    assert ends(got)[0] == "fe80::9:5353" and "impossible_source" in got["tags"]


def test_an_address_ending_in_255_that_the_host_owns_is_no_broadcast() -> None:
    own = "198.51.100.255"
    got = last(connect(source=f"{own}:1"), accept(source=f"{PEER}:5000", dest=f"{own}:53"))
    assert ends(got) == (f"{own}:53", f"{PEER}:5000")
    assert got["code"] == "permitted_accept" and not got["tags"]


def test_own_group_datagram_heard_again_keeps_the_group_local() -> None:
    got = last(connect(dest="224.0.0.251:5353"), accept(source=f"{ME}:5353", dest="224.0.0.251:5353"))
    assert ends(got) == ("224.0.0.251:5353", f"{ME}:5353")
    assert "own_copy" in got["tags"]


def test_loopback_goes_by_the_senders_record() -> None:
    sent = connect("127.0.0.1:54336", "127.0.0.1:53")
    for event in (accept("127.0.0.1:54336", "127.0.0.1:53"), accept("127.0.0.1:53", "127.0.0.1:54336")):
        got = last(sent, event)
        assert ends(got) == ("127.0.0.1:53", "127.0.0.1:54336")
        assert "loopback" in got["tags"]


def test_net_events_name_their_ends() -> None:
    event = record(None, 44, event_type="CLASSIFY_DROP", local_address="255.255.255.255", local_port=21,
                   remote_address=PEER, remote_port=61706, direction="outbound")  # fmt: skip
    got = last(event)
    assert ends(got) == ("255.255.255.255:21", f"{PEER}:61706")
    assert "likely_broadcast" in got["tags"]


def test_unknown_stays_unknown() -> None:
    got = last(record(5152, 24, f"{PEER}:1", f"{OTHER}:2"))
    assert ends(got) == (None, None)
    assert got["confidence"] == "possible" and "orientation_unknown" in got["tags"]
    known = last(connect(source=f"{PEER}:9"), record(5152, 24, f"{PEER}:1", f"{OTHER}:2"))
    assert ends(known) == (f"{PEER}:1", f"{OTHER}:2")


def test_icmp_ports_are_type_and_code() -> None:
    got = last(connect(), accept(f"{PEER}:0", f"{ME}:8", protocol=1))
    assert got["icmp"] == {"type": 8, "code": 0}
    assert got["local"] == {"address": ME, "port": None}
    assert last(connect(f"{ME}:8", f"{PEER}:0", protocol=1))["icmp"] == {"type": 8, "code": 0}


def test_mapped_addresses_and_zones_are_one_address() -> None:
    got = explained(connect(f"::ffff:{ME}:64773", f"{PEER}:53"), accept(f"{PEER}:1", f"{ME}:2"))
    assert got[1]["confidence"] == "certain"


def test_records_of_one_second_are_put_in_the_order_of_the_log() -> None:
    """Collectors ship what one step of the clock holds in any order; the log's own numbers tell."""
    log = [bind(64773, record_number=11), connect(record_number=12), drop(record_number=13), twin(record_number=14)]
    expected = ["bind", "permitted_connect", "late_reply", "icmp_twin"]
    for shipped in (log, log[::-1], [log[2], log[0], log[3], log[1]]):
        assert [one["code"] for one in explained(*shipped)] == expected
    unnumbered = [replace(event, record_number=None) for event in (log[2], log[1])]
    assert [one["code"] for one in explained(*unnumbered)] == ["no_listener", "permitted_connect"]


def test_hosts_keep_their_places_when_one_is_put_in_order() -> None:
    items = [
        connect(host="A", record_number=2),
        connect(host="B", record_number=9, source=f"{ME}:1"),
        bind(64773, host="A", record_number=1),
        connect(host="B", record_number=7, source=f"{ME}:2"),
    ]
    got = [(one["host"], one["record_number"]) for one in explained(*items)]
    assert got == [("A", 1), ("B", 7), ("A", 2), ("B", 9)]
