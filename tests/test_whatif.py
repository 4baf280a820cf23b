"""What a policy does to a datagram: each consequence of a block, flow states, open questions, the real state, the command."""

# Tables are read across.
# ruff: noqa: E501

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import fsm
from fsm.choices import Config, configure
from fsm.cli import cli
from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.policy.answer import Whatif
from fsm.policy.datagram import Circumstances, datagram_of, end_of
from fsm.policy.in_force import index_policy
from fsm.policy.model import Behaviour, Callout, Condition, Filter, Policy, Sublayer, Value
from fsm.policy.read import read_policy
from fsm.policy.whatif import whatif
from fsm.policy.whatif_text import headline, whatif_json, whatif_text

STATE = Path(__file__).resolve().parents[2] / "shared" / "evidence" / "wfp-state" / "keploy_wfpstate.xml.gz"
evidence = pytest.mark.skipif(not STATE.is_file(), reason="the recorded state is not here")
US, THEM = "192.0.2.1:50000", "198.51.100.1:53"
US6, THEM6 = "[2001:db8::1]:50000", "[2001:db8:ffff::1]:53"
GROUP = "224.0.0.251:5353"
SUBLAYER = Sublayer("{ours}", "ours", 100)
LATER = Sublayer("{later}", "later", 50)


def at(layer: str, *conditions: Condition, action: str = "BLOCK", **more: object) -> Filter:
    name = f"{action} {layer}"
    given = {"sublayer": SUBLAYER.key, "effective_weight": 7, "filter_id": 1000, **more}
    return Filter(f"{{{name}}}", name, f"FWPM_LAYER_{layer}", action=action, conditions=conditions, **given)  # type: ignore[arg-type]


def policy(*filters: Filter, callouts: tuple[Callout, ...] = (), **more: object) -> Policy:
    return Policy(filters, (SUBLAYER, LATER), callouts, **more)  # type: ignore[arg-type]


def layers(answer: Whatif) -> list[int | None]:
    return [visit.runtime_id for visit in answer.visits]


def events(answer: Whatif) -> list[tuple[int, int | None, int | None]]:
    return [(e.event_id, e.runtime_id, e.filter.filter_id if e.filter else None) for e in answer.logged]


OBSERVED = configure(evidence="observed")
SEND, RECEIVE = {"from_": US, "to": THEM}, {"from_": THEM, "to": US, "event": "receive"}
LOST, WAITS = "sendto returned success; the datagram is lost", "recv waits: nothing arrives"
NOBODY = "nothing: no socket owns the port"

# Blocked at, what is asked, run-time ids visited, outcome, what the application sees, events (id, layer)
CONSEQUENCES: list[tuple[str, dict[str, object], list[int], str, str, list[tuple[int, int]]]] = [
    ("ALE_BIND_REDIRECT_V4", {**SEND, "event": "bind"}, [68], "blocked", "bind fails with WSAEACCES (10013)", []),
    ("ALE_RESOURCE_ASSIGNMENT_V4", {**SEND, "event": "bind"}, [68, 36, 37], "blocked", "bind fails with WSAEACCES (10013)", [(5159, 36)]),
    ("ALE_CONNECT_REDIRECT_V4", SEND, [66], "blocked", LOST, []),
    ("ALE_AUTH_CONNECT_V4", SEND, [66, 48, 49], "blocked", LOST, [(5157, 48), (5152, 48)]),
    ("DATAGRAM_DATA_V4", SEND, [66, 48, 52, 24, 25], "blocked", LOST, [(5156, 48), (5152, 24)]),
    ("OUTBOUND_TRANSPORT_V4", SEND, [66, 48, 52, 24, 16, 17], "blocked", LOST, [(5156, 48), (5152, 16)]),
    ("OUTBOUND_IPPACKET_V4", SEND, [66, 48, 52, 24, 16, 4, 5], "blocked", LOST, [(5156, 48), (5152, 4)]),
    ("INBOUND_IPPACKET_V4", RECEIVE, [0, 1], "blocked", WAITS, [(5152, 0)]),
    ("INBOUND_TRANSPORT_V4", RECEIVE, [0, 12, 13], "blocked", WAITS, [(5152, 12)]),
    ("ALE_AUTH_RECV_ACCEPT_V4", RECEIVE, [0, 12, 44, 45], "blocked", WAITS, [(5152, 44), (5157, 44)]),
    ("DATAGRAM_DATA_V4", RECEIVE, [0, 12, 44, 52, 24, 25], "blocked", WAITS, [(5156, 44), (5152, 24)]),
    ("INBOUND_ICMP_ERROR_V4", {**SEND, "event": "icmp_error"}, [0, 28, 29], "blocked", "nothing: the error of the earlier send is not reported", [(5152, 28)]),
    ("OUTBOUND_ICMP_ERROR_V4", {**RECEIVE, "listener": False}, [0, 13, 32, 33], "silent", NOBODY, [(5152, 32)]),
    ("INBOUND_TRANSPORT_V4_DISCARD", {**RECEIVE, "listener": False}, [0, 13, 32, 16, 4], "icmp_error", NOBODY, [(5152, 13)]),
    ("ALE_AUTH_CONNECT_V6", {"from_": US6, "to": THEM6}, [67, 50, 51], "blocked", LOST, [(5157, 50), (5152, 50)]),
    ("ALE_AUTH_RECV_ACCEPT_V6", {"from_": THEM6, "to": US6, "event": "receive"}, [2, 14, 46, 47], "blocked", WAITS, [(5152, 46), (5157, 46)]),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "asked", "visited", "outcome", "sees", "logged"), CONSEQUENCES)
def test_a_block_has_the_documented_consequences(
    layer: str, asked: dict[str, object], visited: list[int], outcome: str, sees: str, logged: list[tuple[int, int]]
) -> None:
    answer = whatif(policy(at(layer)), config=OBSERVED, **asked)  # type: ignore[arg-type]
    assert layers(answer) == visited
    assert (answer.outcome, answer.application_sees) == (outcome, sees)
    if outcome != "icmp_error":
        assert answer.blocked_at == f"FWPM_LAYER_{layer}"
    blocked_id = next(v.runtime_id for v in answer.visits if v.verdict == "block")
    # A permit that no filter gave has no filter id; what the block logs has that of the block.
    assert events(answer) == [(event, at_, 1000 if at_ == blocked_id else None) for event, at_ in logged]
    assert answer.open_questions == () and len(answer.endings) == 1


def test_a_block_at_the_packet_discard_layer_stops_the_icmp_error() -> None:
    answer = whatif(policy(at("INBOUND_IPPACKET_V4_DISCARD")), **RECEIVE, listener=False)  # type: ignore[arg-type]
    assert (layers(answer), answer.outcome) == ([0, 1], "silent")
    assert answer.remote_sees == "a timeout: no ICMP error comes back"


def test_a_block_at_flow_established_is_no_policy_point_and_what_it_does_is_not_known() -> None:
    answer = whatif(policy(at("ALE_FLOW_ESTABLISHED_V4")), **SEND)  # type: ignore[arg-type]
    assert (answer.outcome, answer.blocked_at) == ("unknown", None)
    assert "no policy point" in answer.visits[-1].refused and "no policy point" in headline(answer)
    assert [q.filter.name for q in answer.open_questions] == ["BLOCK ALE_FLOW_ESTABLISHED_V4"]


def test_no_filter_at_all_permits() -> None:
    sent = whatif(Policy(), **SEND)  # type: ignore[arg-type]
    assert (sent.outcome, layers(sent), events(sent)) == ("sent", [66, 48, 52, 24, 16, 4], [(5156, 48, None)])
    assert whatif(Policy(), **RECEIVE).outcome == "delivered"  # type: ignore[arg-type]
    assert whatif(Policy(), **RECEIVE, listener=False).outcome == "icmp_error"  # type: ignore[arg-type]
    assert headline(sent) == "Sent: no filter matches it."


# --- arbitration inside the machine


def _callout(answer: str, layer: str, **more: object) -> tuple[Filter, Callout]:
    key = f"{{{answer}}}"
    filter = at(layer, action="CALLOUT_UNKNOWN", callout=key, sublayer=LATER.key, **more)
    return filter, Callout(key, answer, filter.layer, True, behaviour=Behaviour(answer, clears_write=True))


def test_a_veto_is_a_block_that_writes_its_own_event() -> None:
    hard = at("ALE_AUTH_CONNECT_V4", action="PERMIT", flags=("CLEAR_ACTION_RIGHT",), filter_id=1)
    filter, callout = _callout("block", "ALE_AUTH_CONNECT_V4", filter_id=2)
    answer = whatif(policy(hard, filter, callouts=(callout,)), **SEND)  # type: ignore[arg-type]
    assert (answer.outcome, answer.blocked_at) == ("blocked", "FWPM_LAYER_ALE_AUTH_CONNECT_V4")
    assert [visit.verdict for visit in answer.visits] == ["permit", "veto", "permit"]
    assert events(answer) == [(5153, 48, 2)]
    assert [(d.filter.filter_id, d.overridden) for d in answer.visits[1].arbitration.deciding] == [
        (1, True),
        (2, False),
    ]
    assert "veto against a hard permit" in headline(answer)


@pytest.mark.parametrize(
    ("answer", "outcome", "visited"),
    [("absorb", "silent", [66, 48]), ("pend", "pended", [66, 48]), ("block", "blocked", [66, 48, 49])],
)
def test_callouts_absorb_pend_and_block(answer: str, outcome: str, visited: list[int]) -> None:
    filter, callout = _callout(answer, "ALE_AUTH_CONNECT_V4")
    found = whatif(policy(filter, callouts=(callout,)), **SEND)  # type: ignore[arg-type]
    assert (found.outcome, layers(found)) == (outcome, visited)
    assert (events(found) == []) == (answer != "block")


def test_a_redirected_flow_has_a_destination_that_nobody_knows() -> None:
    filter, callout = _callout("redirect", "ALE_CONNECT_REDIRECT_V4")
    port = Condition("FWPM_CONDITION_IP_REMOTE_PORT", "EQUAL", Value("UINT16", 99))
    found = whatif(policy(filter, at("ALE_AUTH_CONNECT_V4", port), callouts=(callout,)), **SEND)  # type: ignore[arg-type]
    assert found.outcome == "unknown"
    assert [q.field for q in found.open_questions] == ["FWPM_CONDITION_IP_REMOTE_PORT"]


def test_a_pended_datagram_that_is_completed_goes_out_as_the_clone() -> None:
    filter, callout = _callout("pend", "ALE_AUTH_CONNECT_V4")
    found = whatif(policy(filter, callouts=(callout,)), from_=US, to=THEM, event=["sendto", "complete", "inject_send"])
    assert found.outcome == "sent"
    again = next(v for v in found.visits if v.stimulus == "complete")
    assert (again.runtime_id, again.verdict, again.reauthorize_reason) == (48, "permit", 0x10)


# --- flows


FLOWS = [
    ("none", SEND, [66, 48, 52, 24, 16, 4]),
    ("out", SEND, [24, 16, 4]),
    ("in", SEND, [24, 16, 4]),
    ("out_stale", SEND, [48, 24, 16, 4]),
    ("in_stale", SEND, [44, 24, 16, 4]),
    ("none", RECEIVE, [0, 12, 44, 52, 24]),
    ("out", RECEIVE, [0, 12, 24]),
    ("in", RECEIVE, [0, 12, 24]),
    ("out_stale", RECEIVE, [0, 12, 48, 24]),
    ("in_stale", RECEIVE, [0, 12, 44, 24]),
]


@pytest.mark.parametrize(("state", "asked", "visited"), FLOWS)
def test_the_state_of_the_flow_decides_which_layers_are_asked(
    state: str, asked: dict[str, object], visited: list[int]
) -> None:
    assert layers(whatif(Policy(), flow_state=state, **asked)) == visited  # type: ignore[arg-type]


def test_no_inbound_rule_is_needed_while_our_own_flow_lives() -> None:
    """Hole punching: yes if our side sends first and the flow is alive; no after idle time (60 s)."""
    inbound_blocked = policy(at("ALE_AUTH_RECV_ACCEPT_V4"))
    for waited, outcome in ((59, "delivered"), (60, "blocked")):
        answer = whatif(inbound_blocked, from_=US, to=THEM, event=["sendto", f"wait:{waited}", "receive"])
        assert answer.outcome == outcome, waited


def test_the_answer_to_a_multicast_query_gets_in_for_four_seconds() -> None:
    inbound_blocked = policy(at("ALE_AUTH_RECV_ACCEPT_V4"))
    for waited, outcome in ((3, "delivered"), (4, "blocked")):
        answer = whatif(
            inbound_blocked, from_="192.0.2.1:5353", to=GROUP, event=["sendto", f"wait:{waited}", "receive@B"]
        )
        assert answer.stimuli[0] == "sendto_group" and answer.outcome == outcome, waited


def test_connect_asks_the_redirect_layer_only_and_the_first_send_asks_it_again() -> None:
    connected = whatif(Policy(), from_=US, to=THEM, event="connect")
    assert (layers(connected), connected.outcome) == ([66], None)
    sent = whatif(Policy(), from_=US, to=THEM, event=["connect", "sendto"])
    assert layers(sent) == [66, 66, 48, 52, 24, 16, 4]


def test_a_flow_that_was_authorized_before_escapes_a_new_block_until_it_is_authorized_again() -> None:
    no_dns = policy(at("ALE_AUTH_CONNECT_V4", _port("IP_REMOTE_PORT", 53)))
    assert whatif(no_dns, **SEND, flow_state="out").outcome == "sent"  # type: ignore[arg-type]
    assert whatif(no_dns, **SEND, flow_state="out_stale").outcome == "blocked"  # type: ignore[arg-type]
    both = whatif(no_dns, **SEND, flow_state="out", event=["policy_change", "sendto", "sendto"])  # type: ignore[arg-type]
    # The first packet tears the flow down, the next is a first packet again.
    assert [v.runtime_id for v in both.visits] == [48, 49, 66, 48, 49]


def test_a_kill_switch_spares_dhcp_by_two_ports_of_one_field() -> None:
    """Two conditions on one field mean OR."""
    dhcp = (_port("IP_REMOTE_PORT", 67), _port("IP_REMOTE_PORT", 547))
    for ip, (ours, theirs) in ((4, ("0.0.0.0:68", "255.255.255.255:67")), (6, ("[fe80::1]:546", "[ff02::1:2]:547"))):
        spared = at(f"ALE_AUTH_CONNECT_V{ip}", *dhcp, action="PERMIT", effective_weight=9)
        switch = policy(at(f"ALE_AUTH_CONNECT_V{ip}"), spared)
        assert whatif(switch, from_=ours, to=theirs).outcome == "sent"
        assert whatif(policy(at(f"ALE_AUTH_CONNECT_V{ip}")), from_=ours, to=theirs).outcome == "blocked"
        old = configure(windows="vista-sp1")
        assert whatif(switch, from_=ours, to=theirs, config=old).outcome == "blocked"


def test_classify_options_of_the_policy_set_lifetimes_and_group_state() -> None:
    blocked = policy(
        at("ALE_AUTH_RECV_ACCEPT_V4"), options=(("unicast_lifetime_s", "10"), ("multicast_lifetime_s", "20"))
    )
    asked = {"from_": US, "to": THEM}
    assert whatif(blocked, **asked, event=["sendto", "wait:9", "receive"]).outcome == "delivered"  # type: ignore[arg-type]
    assert whatif(blocked, **asked, event=["sendto", "wait:10", "receive"]).outcome == "blocked"  # type: ignore[arg-type]
    group = {"from_": "192.0.2.1:5353", "to": GROUP}
    assert whatif(blocked, **group, event=["sendto", "wait:19", "receive@B"]).outcome == "delivered"  # type: ignore[arg-type]
    assert whatif(blocked, **group, event=["sendto", "wait:20", "receive@B"]).outcome == "blocked"  # type: ignore[arg-type]
    denied = replace(blocked, options=(("multicast_state", "deny"), ("loose_source_mapping", "on")))
    answer = whatif(denied, **group, event=["sendto", "receive@B"])  # type: ignore[arg-type]
    assert answer.outcome == "blocked" and answer.remarks == ("the classify option loose_source_mapping is not played",)


def test_a_reauthorization_carries_its_flag_and_reason() -> None:
    flags = Condition("FWPM_CONDITION_FLAGS", "FLAGS_ALL_SET", Value("UINT32", 4))
    reason = Condition("FWPM_CONDITION_REAUTHORIZE_REASON", "FLAGS_ANY_SET", Value("UINT32", 1))
    blocks = policy(at("ALE_AUTH_CONNECT_V4", flags, reason))
    assert whatif(blocks, **SEND).outcome == "sent"  # type: ignore[arg-type]
    assert whatif(blocks, **SEND, flow_state="out_stale").outcome == "blocked"  # type: ignore[arg-type]


def test_an_empty_field_matches_equal_so_a_filter_can_kill_flows_of_mixed_direction() -> None:
    arrival = Condition("FWPM_CONDITION_ARRIVAL_INTERFACE_INDEX", "EQUAL", Value("UINT32", 7))
    blocks = policy(at("ALE_AUTH_RECV_ACCEPT_V4", arrival))
    sent_on_inbound_flow = whatif(blocks, **SEND, flow_state="in_stale")  # type: ignore[arg-type]
    assert (sent_on_inbound_flow.outcome, layers(sent_on_inbound_flow)) == ("blocked", [44, 45])
    assert whatif(blocks, **RECEIVE, circumstances=Circumstances(interface_index=8)).outcome == "delivered"  # type: ignore[arg-type]


# --- fields


def _port(field: str, value: int) -> Condition:
    return Condition(f"FWPM_CONDITION_{field}", "EQUAL", Value("UINT16", value))


def test_icmp_type_and_code_stand_in_the_port_fields_of_the_error() -> None:
    for ip, (ours, theirs), kind, code in ((4, (US, THEM), 3, 3), (6, (US6, THEM6), 1, 4)):
        for fields in (("IP_LOCAL_PORT", "IP_REMOTE_PORT"), ("ICMP_TYPE", "ICMP_CODE")):
            stealth = at(f"OUTBOUND_ICMP_ERROR_V{ip}", _port(fields[0], kind), _port(fields[1], code))
            asked = {"from_": theirs, "to": ours, "event": "receive", "listener": False}
            assert whatif(policy(stealth), **asked).outcome == "silent"  # type: ignore[arg-type]
            wrong = at(f"OUTBOUND_ICMP_ERROR_V{ip}", _port(fields[0], 4 - kind), _port(fields[1], code))
            assert whatif(policy(wrong), **asked).outcome == "icmp_error"  # type: ignore[arg-type]


def test_a_condition_sees_the_ends_of_the_datagram_as_local_and_remote() -> None:
    for asked, local, remote in ((SEND, 50000, 53), (RECEIVE, 50000, 53)):
        for field, value in (("IP_LOCAL_PORT", local), ("IP_REMOTE_PORT", remote)):
            blocks = policy(
                at("ALE_AUTH_CONNECT_V4", _port(field, value)), at("ALE_AUTH_RECV_ACCEPT_V4", _port(field, value))
            )
            assert whatif(blocks, **asked).outcome == "blocked", (asked, field)  # type: ignore[arg-type]


def test_the_local_address_is_empty_at_a_wildcard_bind_and_open_before_the_route_is_known() -> None:
    other = Condition("FWPM_CONDITION_IP_LOCAL_ADDRESS", "EQUAL", Value("UINT32", 1))
    bind = policy(at("ALE_RESOURCE_ASSIGNMENT_V4", other))
    assert whatif(bind, from_=US, to=THEM, event="bind").outcome == "blocked"
    bound = Circumstances(bound_to_any=False)
    assert whatif(bind, from_=US, to=THEM, event="bind", circumstances=bound).outcome is None
    redirect = policy(at("ALE_CONNECT_REDIRECT_V4", other))
    assert whatif(redirect, **SEND).outcome == "unknown"  # type: ignore[arg-type]
    assert whatif(redirect, **SEND, circumstances=bound).outcome == "sent"  # type: ignore[arg-type]


def test_loopback_sets_its_flag_and_a_permit_for_it_must_win() -> None:
    loopback = Condition("FWPM_CONDITION_FLAGS", "FLAGS_ALL_SET", Value("UINT32", 1))
    dns = _port("IP_REMOTE_PORT", 53)
    spared = policy(
        at("ALE_AUTH_CONNECT_V4", dns),
        at("ALE_AUTH_CONNECT_V4", loopback, action="PERMIT", effective_weight=9),
    )
    for ours, theirs, outcome in (
        ("127.0.0.1:50000", "127.0.0.1:53", "sent"),
        ("192.0.2.1:50000", "192.0.2.1:53", "sent"),
        (US, THEM, "blocked"),
    ):
        assert whatif(spared, from_=ours, to=theirs).outcome == outcome
    lighter = policy(
        at("ALE_AUTH_CONNECT_V4", dns),
        at("ALE_AUTH_CONNECT_V4", loopback, action="PERMIT", sublayer=LATER.key),
    )
    assert whatif(lighter, from_="127.0.0.1:50000", to="127.0.0.1:53").outcome == "blocked"


def test_a_dual_stack_socket_shows_an_ipv4_peer_as_mapped_at_v6_layers() -> None:
    mapped = Condition("FWPM_CONDITION_IP_REMOTE_ADDRESS", "EQUAL", Value("BYTE_ARRAY16", 0xFFFF_C633_6401))
    blocks = policy(at("ALE_CONNECT_REDIRECT_V6", mapped))
    dual = configure(assume={"dual_stack": "yes"})
    assert whatif(blocks, **SEND, config=dual).outcome == "blocked"  # type: ignore[arg-type]


# --- open questions


SOMEBODY = Condition(
    "FWPM_CONDITION_ALE_APP_ID", "EQUAL", Value("BYTE_BLOB", "\\device\\x\\a.exe\0".encode("utf-16-le"))
)


def test_an_open_question_that_matters_makes_the_outcome_unknown_and_says_what_is_possible() -> None:
    blocks = policy(at("ALE_AUTH_CONNECT_V4", SOMEBODY))
    answer = whatif(blocks, **SEND)  # type: ignore[arg-type]
    assert (answer.outcome, answer.blocked_at) == ("unknown", None)
    assert [(e.outcome, e.blocked_at) for e in answer.endings] == [
        ("sent", None),
        ("blocked", "FWPM_LAYER_ALE_AUTH_CONNECT_V4"),
    ]
    assert [q.field for q in answer.open_questions] == ["FWPM_CONDITION_ALE_APP_ID"]
    assert events(answer) == []  # nothing is sure from there on
    for program, outcome in (("a.exe", "blocked"), ("b.exe", "sent"), ("other", "sent")):
        assert whatif(blocks, **SEND, circumstances=Circumstances(program=program)).outcome == outcome  # type: ignore[arg-type]


def test_an_open_question_that_does_not_matter_leaves_the_outcome() -> None:
    blocks = policy(at("ALE_AUTH_CONNECT_V4", SOMEBODY, effective_weight=9), at("ALE_AUTH_CONNECT_V4"))
    answer = whatif(blocks, **SEND)  # type: ignore[arg-type]
    assert answer.outcome == "blocked" and answer.open_questions == ()
    assert [q.filter.name for q in answer.other_questions] == ["BLOCK ALE_AUTH_CONNECT_V4"]


def test_a_later_layer_that_stops_it_anyway_decides_the_outcome_though_not_the_place() -> None:
    blocks = policy(at("ALE_AUTH_CONNECT_V4", SOMEBODY), at("OUTBOUND_IPPACKET_V4"))
    answer = whatif(blocks, **SEND)  # type: ignore[arg-type]
    assert (answer.outcome, answer.blocked_at, len(answer.endings)) == ("blocked", None, 2)


def test_ordinary_circumstances_are_taken_on_demand_only_and_named() -> None:
    blocks = policy(at("ALE_AUTH_CONNECT_V4", SOMEBODY))
    answer = whatif(blocks, **SEND, ordinary=True)  # type: ignore[arg-type]
    assert answer.outcome == "sent" and "a program that no filter names" in whatif_text(answer)
    assert Circumstances(program="a.exe").ordinary().program == "a.exe"
    loopback = whatif(blocks, from_="127.0.0.1:5", to="127.0.0.1:53", ordinary=True)
    assert (answer.circumstances.interface_type, loopback.circumstances.interface_type) == (6, 24)


def test_more_ways_than_are_tried_leave_the_outcome_unknown_and_say_so() -> None:
    watching = at("DATAGRAM_DATA_V4", action="CALLOUT_TERMINATING", callout="{its callout}")
    both = policy(watching, callouts=(Callout("{its callout}", "watching", watching.layer, True),))
    few = whatif(both, from_=US, to=THEM, event=["sendto"] * 2)
    assert few.complete and few.outcome == "unknown"
    many = whatif(both, from_=US, to=THEM, event=["sendto"] * 8)
    assert (many.outcome, many.complete) == ("unknown", False)
    assert "More ways are possible than were tried" in whatif_text(many)


def test_circumstances_are_checked_and_those_that_nothing_asks_are_told() -> None:
    with pytest.raises(UnknownName, match="COMPARTMENT_ID"):
        whatif(Policy(), **SEND, circumstances=Circumstances(fields=(("COMPARTMENT_IDD", 1),)))  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="IS_LOOPBACK"):
        whatif(Policy(), **SEND, circumstances=Circumstances(flags=("IS_LOOPBAK",)))  # type: ignore[arg-type]
    given = Circumstances(fields=(("compartment_id", 1), ("VLAN_ID", 4)))
    (remark,) = whatif(Policy(), **SEND, circumstances=given).remarks  # type: ignore[arg-type]
    assert "VLAN_ID" in remark


def test_a_callout_that_nobody_described_is_taken_to_keep_to_what_its_layer_allows() -> None:
    watching = at("ALE_FLOW_ESTABLISHED_V4", action="CALLOUT_UNKNOWN", callout="{its callout}")
    callout = Callout("{its callout}", "watching", watching.layer, True)
    assert whatif(policy(watching, callouts=(callout,)), **SEND).outcome == "sent"  # type: ignore[arg-type]


def test_boot_time_filters_do_not_block_the_running_system() -> None:
    boot = policy(at("ALE_AUTH_CONNECT_V4", flags=("BOOTTIME",)))
    assert whatif(boot, **SEND).outcome == "sent"  # type: ignore[arg-type]
    assert whatif(boot, **SEND, boot_time=True).outcome == "blocked"  # type: ignore[arg-type]


# --- what is given


def test_ends_are_read_in_every_form_and_refused_with_the_fix() -> None:
    assert str(end_of("192.0.2.1:53", "t")) == "192.0.2.1:53" and str(end_of("192.0.2.1", "t")) == "192.0.2.1"
    assert (
        str(end_of("[2001:db8::1]:53", "t")) == "[2001:db8::1]:53" and str(end_of("2001:db8::1", "t")) == "2001:db8::1"
    )
    for wrong in ("dns.example:53", "192.0.2.1:70000", "192.0.2:53", "[2001:db8::1", "fe80::1%3", "", "1.2.3.4:٣"):
        with pytest.raises(FsmError):
            end_of(wrong, "t")
    with pytest.raises(FsmError, match=r"IPv4.*IPv6"):
        datagram_of(US, THEM6, sends=True)
    with pytest.raises(FsmError, match="nothing comes from it"):
        datagram_of(GROUP, US, sends=False)


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"event": "sentdo"}, UnknownName, "sendto"),
        ({"event": ()}, FsmError, "nothing happens"),
        ({"event": "complete"}, NoTransition, "not possible"),
        ({"event": "sendto_group"}, FsmError, "Say sendto"),
        ({"flow_state": "outt"}, UnknownName, "out"),
        ({"flow_state": "out", "listener": False}, FsmError, "without a socket"),
        ({"flow_state": "out", "event": "bind"}, FsmError, "before bind"),
        ({"undeclared_callouts": "block"}, UnknownName, "permit"),
        ({"to": "[::ffff:192.0.2.7]:53", "from_": US6}, FsmError, "IPv4-mapped"),
    ],
)
def test_what_cannot_be_asked_is_refused(more: dict[str, object], error: type[FsmError], said: str) -> None:
    with pytest.raises(error, match=said):
        whatif(Policy(), **{**SEND, **more})  # type: ignore[arg-type]


def test_three_lines_of_python_are_enough() -> None:
    answer = fsm.whatif(Policy(), from_=US, to=THEM)
    assert answer.outcome == "sent" and fsm.read_policy is read_policy and fsm.Circumstances is Circumstances


def test_an_index_serves_many_questions_and_answers_alike() -> None:
    given = policy(at("ALE_AUTH_CONNECT_V4", SOMEBODY))
    index = index_policy(given)
    assert whatif_json(whatif(index, **SEND)) == whatif_json(whatif(given, **SEND))  # type: ignore[arg-type]


# --- the real state


@pytest.fixture(scope="module")
def state() -> Policy:
    return read_policy(STATE)


USUAL = Circumstances(profile=1).ordinary()
DHCP = replace(USUAL, program="svchost.exe", user=("S-1-5-80-2940520708-3855866260-481812779-327648279-1710889582",))
# what, asked, circumstances, outcome, blocked at, deciding filter of the last authorization
REAL: list[tuple[str, dict[str, object], Circumstances, str, str | None, str]] = [
    ("a DNS query", SEND, USUAL, "sent", None, "Default Outbound"),
    ("its answer", {**RECEIVE, "flow_state": "out"}, USUAL, "delivered", None, ""),
    ("DHCP out", {"from_": "0.0.0.0:68", "to": "255.255.255.255:67"}, DHCP, "sent", None, "Default Outbound"),
    ("DHCP in", {"from_": "192.0.2.254:67", "to": "255.255.255.255:68", "event": "receive"}, DHCP, "delivered", None,
     "Core Networking - Dynamic Host Configuration Protocol (DHCP-In)"),
    ("SSDP out", {"from_": "192.0.2.1:50000", "to": "239.255.255.250:1900"}, USUAL, "sent", None, "Default Outbound"),
    ("mDNS in, for a program without rule", {"from_": "192.0.2.7:5353", "to": GROUP, "event": "receive"}, USUAL,
     "blocked", "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4", ""),
    ("inbound, for a program without rule", RECEIVE, USUAL, "blocked", "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4", ""),
    ("loopback out", {"from_": "127.0.0.1:50000", "to": "127.0.0.1:53"}, USUAL, "sent", None, "Boot Time Filter"),
    ("loopback in", {"from_": "127.0.0.1:50000", "to": "127.0.0.1:53", "event": "receive"}, USUAL, "delivered", None,
     "Boot Time Filter"),
    ("a closed port", {**RECEIVE, "listener": False}, USUAL, "silent", "FWPM_LAYER_OUTBOUND_ICMP_ERROR_V4", ""),
    ("a closed port on loopback", {"from_": "127.0.0.1:5", "to": "127.0.0.1:9", "event": "receive", "listener": False},
     USUAL, "icmp_error", None, ""),
    ("an ICMP error for us", {**SEND, "event": "icmp_error"}, USUAL, "blocked", "FWPM_LAYER_INBOUND_ICMP_ERROR_V4", ""),
]  # fmt: skip


@evidence
@pytest.mark.parametrize(("what", "asked", "known", "outcome", "blocked_at", "by"), REAL, ids=[row[0] for row in REAL])
def test_the_recorded_state_answers_as_a_default_firewall_does(
    state: Policy,
    what: str,
    asked: dict[str, object],
    known: Circumstances,
    outcome: str,
    blocked_at: str | None,
    by: str,
) -> None:
    answer = whatif(state, circumstances=known, undeclared_callouts="permit", config=OBSERVED, **asked)  # type: ignore[arg-type]
    assert (answer.outcome, answer.blocked_at) == (outcome, blocked_at), what
    deciding = [v for v in answer.visits if v.runtime_id in (44, 48)]
    if by:
        assert deciding[-1].arbitration.decided_by is not None
        assert deciding[-1].arbitration.decided_by.name == by
    assert json.loads(json.dumps(whatif_json(answer)))["outcome"] == outcome


@evidence
def test_the_recorded_state_is_not_guessed_at_where_nothing_is_given(state: Policy) -> None:
    answer = whatif(state, **SEND)  # type: ignore[arg-type]
    assert answer.outcome == "unknown" and answer.otherwise.outcome == "sent"
    fields = {q.field for q in answer.open_questions}
    assert {"FWPM_CONDITION_ALE_APP_ID", "FWPM_CONDITION_ALE_PACKAGE_ID", "FWPM_CONDITION_ALE_USER_ID"} <= fields
    every = next(v for v in answer.visits if v.runtime_id == 48)
    asked = {id(over.filter) for over in every.arbitration.passed_over}
    in_force = [f for f in state.filters if f.layer == every.layer and "BOOTTIME" not in f.flags]
    # Each filter of the layer was asked or decided, or is lighter than the one that decided in its sublayer.
    assert len(asked) == len(every.arbitration.passed_over) <= len(in_force)


@evidence
def test_stealth_drops_are_logged_at_13_and_32_by_the_port_scanning_filter(state: Policy) -> None:
    answer = whatif(
        state, **RECEIVE, listener=False, circumstances=USUAL, undeclared_callouts="permit", config=OBSERVED
    )  # type: ignore[arg-type]
    assert [(event, layer) for event, layer, _ in events(answer)] == [(5152, 13), (5152, 32)]
    assert {e.filter.name for e in answer.logged if e.filter} == {"Port Scanning Prevention Filter"}


# --- the command


def _run(*words: str) -> str:
    done = CliRunner().invoke(cli, ["whatif", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "policy.toml"
    path.write_text(
        '[[sublayer]]\nname = "ours"\nweight = 100\n\n'
        '[[filter]]\nname = "no DNS"\nlayer = "ALE_AUTH_CONNECT_V4"\nsublayer = "ours"\naction = "block"\n'
        "when = { remote_port = 53 }\n",
        encoding="utf-8",
    )
    return str(path)


def test_the_first_line_of_the_text_says_what_happens_and_why(file: str) -> None:
    text = _run(file, "--from", US, "--to", THEM)
    assert text.splitlines()[0].startswith("Blocked at ALE_AUTH_CONNECT_V4 by 'no DNS'")
    assert text.isascii() and "5157 at layer 48" in text
    passed = _run(file, "--from", US, "--to", "198.51.100.1:67")
    assert passed.startswith("Sent: no filter") and "IP_REMOTE_PORT is 67; wanted: 53" in passed


def test_the_json_has_the_promised_keys(file: str) -> None:
    got = json.loads(_run(file, "--from", US, "--to", THEM, "--format", "json"))
    assert {"outcome", "blocked_at", "open_questions", "visits", "application_sees", "remote_sees", "logged"} <= set(
        got
    )
    assert (got["outcome"], got["blocked_at"]) == ("blocked", "FWPM_LAYER_ALE_AUTH_CONNECT_V4")
    visit = got["visits"][1]
    assert (visit["layer"], visit["runtime_id"], visit["verdict"], visit["rights"]) == (
        "FWPM_LAYER_ALE_AUTH_CONNECT_V4", 48, "block", "hard",
    )  # fmt: skip
    assert {"sublayer", "filter", "action"} <= set(visit["deciding"][0])
    assert got["logged"][0]["event_id"] == 5157 and got["logged"][0]["name"] == "no DNS"


def test_events_follow_each_other_in_model_time(file: str) -> None:
    words = ("--event", "receive", "--event", "wait:61", "--event", "sendto")
    text = _run(file, "--from", THEM, "--to", US, *words)
    assert text.startswith("sendto: Blocked at ALE_AUTH_CONNECT_V4")


def test_the_path_is_drawn(file: str, tmp_path: Path) -> None:
    target = tmp_path / "path.dot"
    _run(file, "--from", US, "--to", THEM, "--diagram", str(target))
    text = target.read_text(encoding="utf-8")
    assert "AUTH_CONNECT" in text and "filters: 1" in text and "no DNS" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--user", "bob"), "no SID"),
        (("--flag", "IS_LOOPBAK"), "IS_LOOPBACK"),
        (("--set", "IP_REMOTE_PORTT=5"), "IP_REMOTE_PORT"),
        (("--set", "COMPARTMENT_ID"), "FIELD=VALUE"),
        (("--set", "COMPARTMENT_ID=x"), "COMPARTMENT_ID"),
        (("--set", "ALE_APP_ID=x"), "--program"),
        (("--set", "IP_REMOTE_PORT=99"), "--from and --to"),
        (("--set", "IP_PROTOCOL=6"), "--assume protocol="),
        (("--set", "INTERFACE_TYPE=4294967296"), "0 to 4294967295"),
        (("--flag", "LOOPBACK"), "the machine itself sets IS_LOOPBACK"),
        (("--flag", "IS_REAUTHORIZE"), "the machine itself sets IS_REAUTHORIZE"),
        (("--program", ""), "no program"),
        (("--user", ""), "names no SID"),
        (("--user", "S-1-foo"), "no SID"),
        (("--package", "calculator"), "no SID"),
        (("--package", ""), "no SID"),
        (("--profile", "-1"), "0 to 4294967295"),
        (("--interface-type", "4294967296"), "0 to 4294967295"),
        (("--no-listener",), "--event receive"),
    ],
)
def test_options_that_are_wrong_are_refused_with_the_way_out(file: str, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(FsmError, match=said):
        CliRunner().invoke(
            cli, ["whatif", file, "--from", US, "--to", THEM, *words], catch_exceptions=False, standalone_mode=False
        )


def test_other_machines_can_be_asked(file: str) -> None:
    old = json.loads(_run(file, "--from", US, "--to", THEM, "--windows", "vista", "--format", "json"))
    assert [visit["runtime_id"] for visit in old["visits"]] == [48, 49]
    assert Config().windows == "11"


@pytest.mark.parametrize(
    "ends", [("[::ffff:192.0.2.1]:1", "[2001:db8::1]:1"), ("[2001:db8::1]:1", "[::ffff:192.0.2.1]:1")]
)
def test_an_ipv4_mapped_address_is_a_question_for_ipv4_at_either_end(ends: tuple[str, str]) -> None:
    with pytest.raises(FsmError, match="IPv4-mapped"):
        whatif(Policy(), from_=ends[0], to=ends[1])


@pytest.mark.parametrize(
    ("program", "outcome", "taken"),
    [
        (r"C:\Program Files\Example\vpn.exe", "sent", False),
        (r"c:/program files/example/VPN.EXE", "sent", False),
        (r"\device\harddiskvolume3\program files\example\vpn.exe", "sent", True),
        ("vpn.exe", "sent", False),
        (r"D:\Program Files\Example\vpn.exe", "blocked", False),
        (r"\device\harddiskvolume3\vpn.exe", "blocked", False),
    ],
)
def test_a_program_of_the_policy_file_is_found_by_each_form_of_its_path(
    program: str, outcome: str, taken: bool
) -> None:
    example = read_policy(str(Path(__file__).parent / "data" / "policies" / "example.toml"))
    known = Circumstances(program=program)
    answer = whatif(example, from_="192.0.2.10:50000", to="192.0.2.1:443", circumstances=known)
    assert answer.outcome == outcome
    said = "C: is taken to be harddiskvolume3: 'The tunnel itself' compares the program by the rest of its path"
    assert [remark for remark in answer.remarks if "taken to be" in remark] == ([said] if taken else [])


def test_the_answer_as_data_has_the_promised_keys() -> None:
    stopped = policy(
        at("ALE_AUTH_CONNECT_V4"),
        at("ALE_AUTH_CONNECT_V4", _port("IP_REMOTE_PORT", 53), effective_weight=9, action="PERMIT"),
    )
    told = json.loads(json.dumps(whatif(stopped, from_=US, to="198.51.100.1:54").to_json()))
    assert {"outcome", "blocked_at", "open_questions", "visits", "application_sees", "remote_sees", "logged"} <= set(
        told
    )
    assert (told["outcome"], told["blocked_at"], told["open_questions"]) == (
        "blocked",
        "FWPM_LAYER_ALE_AUTH_CONNECT_V4",
        [],
    )
    visit = next(v for v in told["visits"] if v["runtime_id"] == 48)
    assert {"layer", "runtime_id", "verdict", "rights", "deciding", "passed_over"} <= set(visit)
    assert (visit["verdict"], visit["rights"]) == ("block", "hard")
    assert [(d["sublayer"], d["filter"], d["action"]) for d in visit["deciding"]] == [
        ("{ours}", "{BLOCK ALE_AUTH_CONNECT_V4}", "block")
    ]
    assert [(p["filter"], p["why"]) for p in visit["passed_over"]] == [
        ("{PERMIT ALE_AUTH_CONNECT_V4}", "IP_REMOTE_PORT is 54; wanted: 53")
    ]
    assert [(e["event_id"], e["runtime_id"], e["filter"]) for e in told["logged"]] == [
        (5157, 48, "{BLOCK ALE_AUTH_CONNECT_V4}"),
        (5152, 48, "{BLOCK ALE_AUTH_CONNECT_V4}"),
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"layer": "ALE_AUTH_CONNECT_V4"}, "FWPM_LAYER_ALE_AUTH_CONNECT_V4"),
        ({"layer": "FWPM_LAYER_ALE_AUTH_CONECT_V4"}, "FWPM_LAYER_ALE_AUTH_CONNECT_V4"),
        ({"action": "block"}, "BLOCK"),
    ],
)
def test_a_misspelt_layer_or_action_of_python_objects_is_refused_not_passed(wrong: dict[str, str], said: str) -> None:
    misspelt = policy(replace(at("ALE_AUTH_CONNECT_V4"), **wrong))  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match=said):
        whatif(misspelt, **SEND)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ends", "version"), [((THEM, US), 4), ((THEM6, US6), 6)])
def test_filters_at_the_other_layer_where_a_closed_port_may_be_noticed_are_not_passed_in_silence(
    ends: tuple[str, str], version: int
) -> None:
    there = policy(at(f"INBOUND_TRANSPORT_V{version}_DISCARD"))
    asked = {"from_": ends[0], "to": ends[1], "event": "receive", "listener": False}
    [remark] = whatif(there, **asked).remarks  # type: ignore[arg-type]
    assert f"1 filter at INBOUND_TRANSPORT_V{version}_DISCARD not asked here" in remark
    option = re.search(r"--assume (no_listener=\w+)", remark)
    assert option is not None
    name, _, value = option[1].partition("=")
    other = whatif(there, **asked, config=configure(assume={name: value}))  # type: ignore[arg-type]
    assert not other.remarks and any(visit.arbitration.deciding for visit in other.visits)
    assert whatif(Policy(), **asked).remarks == ()  # type: ignore[arg-type]
