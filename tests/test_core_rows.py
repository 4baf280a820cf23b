"""What the facts say of every row of a kind, by hand: what a block, an absorb, a pend, a redirection and a permit do.

`test_sequences` and `test_whole_model` walk; here each row is held against the facts about its kind, whatever
settings it stands under. Nothing is compiled: the file takes a fraction of a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from fsm.names import DONE, IDLE, REGISTERS
from fsm.rows import Row
from fsm.rules import RULES

Sees = tuple[str, str]
# Fact b.4, whole column "what the application sees": family of the position -> application, remote, of a lost datagram
LOST: dict[str, Sees] = {
    "send": ("sendto returned success; the datagram is lost", "nothing arrives"),
    "receive": ("recv waits", "its send succeeded"),
    "icmp": ("nothing: the error of the earlier send is not reported", "its ICMP error was sent"),
    "drop": ("no socket owns the port", "timeout"),
}
# Fact b.4: WSAEACCES for bind; for connect and sendto the code is not documented
REFUSED_CALL = {
    "bind": "bind fails with WSAEACCES (10013)",
    "complete": "the pended call fails; bind with WSAEACCES (10013)",
    "connect": "connect fails",
    "connect_other": "connect fails",
    "sendto": "sendto fails",
    "sendto_group": "sendto fails",
}
# Facts a.12.1, a.12.2: the call whose operation is held
HELD_CALL = {**{call: call.split("_")[0] for call in REFUSED_CALL}, "complete": "the call"}


def family(row: Row) -> str:
    return row.at.split(".")[0]


def guard(row: Row, name: str) -> tuple[str, ...]:
    return dict(row.when).get(name, ())


def option(row: Row, name: str) -> tuple[str, ...]:
    return dict(row.choices).get(name, ())


def has_datagram(row: Row) -> bool:
    """Whether a datagram is in hand: at the bind layers only inside a sendto (a.2.1); connect() and close have none."""
    if family(row) == "bind":
        return guard(row, "stimulus")[:1] in (("sendto",), ("sendto_group",))
    return family(row) in LOST


def tears_a_flow_down(row: Row) -> bool:
    """a.11.6: a failed reauthorization; the reconnect and reaccept positions are of existing flows only (a.11.4)."""
    return row.at in ("send.reaccept", "receive.reconnect") or guard(row, "flow")[:1] in (("OUT_STALE",), ("IN_STALE",))


def rows_where(condition: Callable[[Row], bool]) -> list[Row]:
    found = [row for row in RULES if condition(row)]
    assert found
    return found


def wrong(found: list[str]) -> None:
    assert not found, "\n".join(found)


# --- block and absorb


def refusals_at_layers() -> list[Row]:
    return rows_where(
        lambda row: row.event in ("block", "absorb") and bool(row.layer) and not (row.layer or "").endswith("_DISCARD")
    )


def test_a_blocked_or_absorbed_datagram_is_lost_and_a_refused_reauthorization_ends_the_flow() -> None:
    """Facts b.3, b.4, a.11.6."""
    for row in refusals_at_layers():
        expected = ("drop_flow",) * tears_a_flow_down(row) + ("lose",) * has_datagram(row)
        assert row.ops == expected, row.key
        if tears_a_flow_down(row):
            assert ("flow", "NONE") in row.sets, row.key


def test_a_block_is_told_as_blocked_and_an_absorb_as_silent() -> None:
    """Fact b.3: what is absorbed leaves no trace; b.4. Under `drop.icmp` it is the stack's own error."""
    for row in refusals_at_layers():
        own_error = row.at.startswith("drop.icmp")
        assert row.outcome == ("silent" if own_error or row.event == "absorb" else "blocked"), row.key


def test_an_absorb_ends_there_and_is_not_logged() -> None:
    """Facts b.3, b.4.4."""
    for row in rows_where(lambda row: row.event == "absorb"):
        assert (row.next, row.logged) == (DONE, ()), row.key


def test_what_is_seen_of_a_refusal_is_what_facts_say() -> None:
    """Fact b.4, by the call or the direction; g.22 and the owner of an echo (a.16.3) are the exceptions."""
    for row in refusals_at_layers():
        application, remote = row.application_sees, row.remote_sees
        if family(row) == "bind" and row.at == "bind.reclassify":
            assert (application, remote) == ("", ""), row.key  # the call that made it is not said to fail (a.1.9)
        elif family(row) == "bind":
            (stimulus,) = guard(row, "stimulus") or ("complete",)  # classified again at a completion (g.9)
            assert application.startswith(REFUSED_CALL[stimulus]) and not remote, row.key
        elif family(row) == "connect":
            assert application.startswith("connect fails") and not remote, row.key
        else:
            sees, sent = LOST[family(row)]
            if option(row, "blocked_first_send_result") == ("wsaeacces",):
                sees = "sendto fails with WSAEACCES (10013)"
            elif option(row, "protocol") == ("icmp_echo",) and row.event == "block":
                sees = "ping prints 'General failure'"
            assert sees in application and sent in remote, row.key


def test_a_refused_completion_leaves_the_socket_unbound() -> None:
    """Fact a.12.1: the bind that was held has failed."""
    for row in rows_where(lambda row: row.at in ("bind.assign", "bind.assign_v6") and row.event == "block"):
        expected = (("socket", "UNBOUND"),) if guard(row, "stimulus") == ("complete",) else ()
        assert row.sets == expected, row.key


# --- pend and redirect


def test_a_pended_operation_is_queued_and_waits_and_only_the_datagram_of_an_implicit_bind_is_lost_at_once() -> None:
    """Facts a.12.1, a.12.2, a.12.4."""
    for row in rows_where(lambda row: row.event == "pend"):
        implicit = family(row) == "bind" and has_datagram(row)
        assert row.ops == ("queue",) + ("lose",) * implicit, row.key
        assert (row.next, row.outcome, row.logged) == (DONE, "pended", ()), row.key
        assert [value for _, value in row.sets if value.lower().endswith("pended")], row.key


def test_a_pended_operation_is_remembered_where_it_is_held() -> None:
    """Facts a.12.1, a.12.2: which call holds it, and at which layer, decides what completion goes on with."""
    held = {
        "bind.redirect": "BIND_REDIRECT_PENDED",
        "bind.assign": "BIND_PENDED",
        "bind.assign_v6": "BIND_V6_PENDED",
        "send.redirect": "OUT_REDIRECT_PENDED",
        "send.authorize": "OUT_PENDED",
        "send.authorize_redirected": "OUT_PENDED",
        "send.group_redirect": "redirect_pended",
        "send.group_authorize": "pended",
        "send.group_authorize_redirected": "pended",
        "receive.accept": "IN_PENDED",
        "close.closure": "CLOSE_PENDED",
    }
    connects = {"connect": "CONNECT_PENDED", "connect_other": "CONNECT_OTHER_PENDED"}
    for row in rows_where(lambda row: row.event == "pend"):
        (stimulus,) = guard(row, "stimulus") or ("",)
        expected = connects[stimulus] if row.at == "connect.redirect" else held[row.at]
        assert [value for _, value in row.sets] == [expected], row.key


def test_what_is_seen_of_a_pended_operation_is_what_facts_say() -> None:
    """Fact a.12: bind, connect and closesocket do not return; UDP sends and arrivals return as ever."""
    for row in rows_where(lambda row: row.event == "pend"):
        sees = {
            "send": "sendto returned success",
            "receive": "recv waits",
            "close": "closesocket does not return",
        }.get(family(row)) or f"{HELD_CALL[guard(row, 'stimulus')[0]]} does not return"
        sent = LOST[family(row)][1] if family(row) in LOST else ""
        assert row.application_sees.startswith(sees) and row.remote_sees.startswith(sent), row.key
        assert bool(row.remote_sees) == bool(sent), row.key


def test_a_redirection_rewrites_and_goes_on_unless_it_goes_to_a_local_process_where_that_fails() -> None:
    """Facts a.1.10, a.2.3, a.22, g.24."""
    for row in rows_where(lambda row: row.event == "redirect"):
        fails = option(row, "udp_local_redirect") == ("fails",)
        assert row.ops == ("rewrite",) + ("lose",) * fails, row.key
        assert row.outcome == ("silent" if fails else ""), row.key
        if fails:
            assert row.next == DONE and (row.application_sees, row.remote_sees) == LOST["send"], row.key
        elif family(row) == "connect":
            assert row.next == DONE and row.application_sees == "connect returns success", row.key
        else:
            assert row.next != DONE, row.key


# --- what is permitted


def test_every_permit_of_an_assignment_or_authorization_is_logged_and_no_other() -> None:
    """Fact e.1/ids: 5158 for a permitted bind, 5156 for a permitted connection; the packet layers log no permit."""
    for row in rows_where(lambda row: row.event == "permit"):
        expected = {
            "ALE_RESOURCE_ASSIGNMENT": (5158,),
            "ALE_AUTH_CONNECT": (5156,),
            "ALE_AUTH_RECV_ACCEPT": (5156,),
        }.get(row.layer or "", ())
        assert row.logged == expected, row.key


def test_the_last_assignment_binds_the_socket_and_the_v4_one_of_a_dual_stack_socket_does_not() -> None:
    """Facts a.1.1, a.1.6."""
    for row in rows_where(lambda row: row.at in ("bind.assign", "bind.assign_v6") and row.event == "permit"):
        first_of_two = row.ip == 4 and option(row, "dual_stack") == ("yes",)
        assert (("socket", "BOUND") in row.sets) == (not first_of_two), row.key
        assert (row.next == "bind.assign_v6") == first_of_two, row.key


def test_a_call_that_ends_with_its_bind_returns_success() -> None:
    """Facts a.1.1, a.12.1; connect() ends there before Windows 7, where no redirect layer follows (f/7)."""
    returns = {"bind": "bind returns success", "complete": "the pended call returns success"}
    for row in rows_where(lambda row: row.at in ("bind.assign", "bind.assign_v6") and row.event == "permit"):
        (stimulus,) = guard(row, "stimulus")
        ends = row.next == DONE
        if stimulus.startswith("connect"):
            assert row.application_sees == ("connect returns success" if ends else ""), row.key
            connected = {"connect": "this", "connect_other": "other"}[stimulus]
            assert (("connected", connected) in row.sets) == ends, row.key
        elif not stimulus.startswith("sendto"):
            assert row.application_sees == (returns[stimulus] if ends else ""), row.key


def test_a_connect_that_is_permitted_connects_to_whom_it_names() -> None:
    """Facts a.5.1, a.5.4."""
    for row in rows_where(lambda row: row.at == "connect.redirect" and row.event in ("permit", "redirect")):
        (stimulus,) = guard(row, "stimulus")
        assert row.sets == (("connected", {"connect": "this", "connect_other": "other"}[stimulus]),), row.key
        assert (row.next, row.application_sees) == (DONE, "connect returns success"), row.key


def test_connecting_to_another_peer_goes_as_connecting_to_this_one() -> None:
    """Fact a.5.1: it is one call; which peer the flow record is about makes the difference (a.5.4)."""

    def of(stimulus: str) -> list[str]:
        swapped = re.compile(r"\bconnect_other\b")
        return sorted(
            swapped.sub("connect", row.key)
            + f" {row.layer} {row.next} {row.ops} {row.outcome} {row.application_sees} {row.logged} {len(row.sets)}"
            for row in RULES
            if row.event == stimulus or guard(row, "stimulus") == (stimulus,)
        )

    assert of("connect_other") == of("connect") != []


def test_an_implicit_bind_of_a_send_to_a_group_goes_as_that_of_any_send() -> None:
    """Facts a.1.7, a.2.1: sendto on an unbound socket binds it, whoever the peer is."""

    def of(stimulus: str) -> list[tuple[object, ...]]:
        return sorted(
            (row.layer or "", row.at, row.event if row.layer else "", row.next.replace("group_", ""), row.choices,
             row.ip, row.since, row.until, row.ops, row.sets, row.outcome, row.application_sees, row.logged)
            for row in RULES
            if guard(row, "stimulus") == (stimulus,) or (row.event == stimulus and guard(row, "socket") == ("UNBOUND",))
        )  # fmt: skip

    assert of("sendto_group") == of("sendto") != []


def test_what_comes_of_a_datagram_at_its_last_layer_is_what_facts_say() -> None:
    """Facts a.2.2, a.6, a.15.5; a.9 and a.10.4 for the ICMP error."""
    for row in rows_where(lambda row: row.at == "send.ippacket" and row.event == "permit"):
        seen = ("sendto returned success", "the datagram is on its way")
        assert (row.outcome, row.application_sees, row.remote_sees) == ("sent", *seen), row.key
        assert row.ops == ("emit",) + ("loop_back",) * (guard(row, "to") == ("group",)), row.key
    for row in rows_where(lambda row: row.at == "receive.data" and row.event == "permit"):
        seen = ("recv returns the datagram", "its send succeeded")
        assert (row.outcome, row.application_sees, row.remote_sees) == ("delivered", *seen), row.key
        assert "deliver" in row.ops, row.key
    for row in rows_where(lambda row: row.at == "icmp.error" and row.event == "permit"):
        on = option(row, "udp_connreset") == ("on",)
        error = {"port_unreachable": "10054", "ttl_expired": "10052"}[guard(row, "icmp")[0]]
        assert row.ops == ("socket_error",) * on and row.outcome == ("icmp_error" if on else "silent"), row.key
        assert (error if on else "nothing") in row.application_sees, row.key
        assert row.remote_sees == LOST["icmp"][1], row.key
    for row in rows_where(lambda row: row.at == "drop.icmp_ippacket" and row.event == "permit"):
        assert (row.outcome, row.ops) == ("icmp_error", ("emit_icmp",)), row.key
        assert "no socket" in row.application_sees and "10054" in row.remote_sees, row.key


def test_what_the_stack_drops_by_itself_is_lost_and_told() -> None:
    """Facts a.9, a.9.4, a.9.9, a.5.4: a discard that no filter asked for, at the last discard layer of the drop."""
    reached = {row.next for row in refusals_at_layers()}
    for row in rows_where(lambda row: (row.layer or "").endswith("_DISCARD") and row.at not in reached):
        mine = row.at == "receive.connected_discard"
        assert ("connected peer" if mine else "no socket owns the port") in row.application_sees or not row.outcome, (
            row.key
        )
        assert (row.logged == (5152,)) == (row.event == "block"), row.key
        if row.next == DONE:
            assert row.ops == ("lose",) and row.outcome == "silent", row.key
            assert row.remote_sees.startswith(("its send succeeded", "a timeout")), row.key
        else:  # an ICMP error is on its way, until something stops it (a.9.5: a block here does not); gone once
            last = option(row, "no_listener") != ("both",) or row.at == "drop.ippacket_discard"
            assert row.ops == ("lose",) * last and row.outcome == "icmp_error", row.key


# --- discard layers


def test_a_filters_block_is_told_to_the_twin_as_such_and_what_is_said_there_changes_nothing() -> None:
    """Facts c.1, c.2, c.3."""
    reached = {row.next for row in refusals_at_layers()}
    for row in rows_where(lambda row: (row.layer or "").endswith("_DISCARD") and row.at in reached):
        assert row.discard is not None, row.key
        assert (row.discard.module, row.discard.reason, row.discard.value) == ("GENERAL", "FIREWALL_POLICY", 0), row.key
        assert (row.next, row.sets, row.ops, row.outcome, row.logged) == (DONE, (), (), "", ()), row.key


def test_what_the_stack_discards_itself_has_the_module_of_its_layer() -> None:
    """Facts a.9.7, a.5.4, c.1: TRANSPORT at the transport layer, NETWORK at the packet layer."""
    reached = {row.next for row in refusals_at_layers()}
    for row in rows_where(lambda row: (row.layer or "").endswith("_DISCARD") and row.at not in reached):
        module = {"INBOUND_TRANSPORT_DISCARD": "TRANSPORT", "INBOUND_IPPACKET_DISCARD": "NETWORK"}[row.layer or ""]
        assert row.discard is not None and row.discard.module == module, row.key


def test_only_discard_layers_are_told_a_reason() -> None:
    assert all((row.discard is not None) == (row.layer or "").endswith("_DISCARD") for row in RULES)


# --- stimuli


def test_what_a_callout_injects_is_its_clone() -> None:
    """Fact a.21.1; a completion reinjects only where the packet given to it is to come in afresh (a.12.3, g.10)."""
    for row in rows_where(lambda row: row.event in ("inject_send", "inject_receive")):
        assert row.ops == ("reinject",) and not row.sets and row.next != DONE, row.key
    reinjecting = {row.key for row in RULES if "reinject" in row.ops and not row.event.startswith("inject_")}
    assert all(key.startswith("idle.complete[") and "IN_PENDED" in key for key in reinjecting) and reinjecting


def test_a_closed_socket_keeps_nothing() -> None:
    """Fact a.13.4: its flows are deleted with it, and what it was connected to and let in goes with the endpoint."""
    for row in rows_where(lambda row: ("socket", "CLOSED") in row.sets):
        assert dict(row.sets) == {"socket": "CLOSED", "connected": "no", "window": "closed", "flow": "NONE"}, row.key
        assert row.application_sees == "closesocket returns success" and not row.outcome, row.key
        assert row.ops == ("drop_all_flows",) * (guard(row, "socket") != ("UNBOUND",)), row.key


def test_a_flow_that_ends_is_dropped_and_no_layer_sees_it() -> None:
    """Facts a.14.1, a.13.5; the group state of a.15.1 is no flow."""
    for row in rows_where(lambda row: row.event in ("idle_timeout", "flow_abort")):
        assert (row.layer, row.next, row.sets, row.ops) == (None, DONE, (("flow", "NONE"),), ("drop_flow",)), row.key
    for row in rows_where(lambda row: row.event == "window_timeout"):
        assert (row.layer, row.next, row.sets, row.ops) == (None, DONE, (("window", "closed"),), ()), row.key


REASONS = {  # facts a.11.3, a.11/reasons: stimulus -> since which Windows (f/vista, f/vista-sp1, f/7)
    "policy_change": "vista",
    "interface_change": "vista-sp1",
    **dict.fromkeys(("next_hop_change", "profile_change", "ipsec_change", "socket_property_change"), "7"),
    **dict.fromkeys(("edp_policy_change", "proxy_handle_change", "check_offload"), None),  # the Windows is not stated
}


def test_a_reason_to_authorize_again_marks_a_flow_in_either_direction_and_every_further_reason_is_kept() -> None:
    """Fact a.11.3: the next packet in either direction; the reasons are bits. A socket without a flow has no such."""
    marked = ("mark_stale",)
    assert {row.event for row in RULES if "mark_stale" in row.ops} == set(REASONS)
    for stimulus, since in REASONS.items():
        rows = [row for row in RULES if row.event == stimulus]
        assert {(guard(row, "flow"), row.sets, row.ops) for row in rows} == {
            (("OUT",), (("flow", "OUT_STALE"),), marked),
            (("IN",), (("flow", "IN_STALE"),), marked),
            (("OUT_STALE", "IN_STALE"), (), marked),
            (("NONE", "OUT_REDIRECT_PENDED", "OUT_PENDED", "IN_PENDED"), (), ()),
        }, stimulus
        assert len(rows) == 4 and all((row.at, row.next, row.until) == (IDLE, DONE, "") for row in rows), stimulus
        assert len({row.since for row in rows}) == 1 and since in (None, rows[0].since), stimulus
        (without,) = (row for row in rows if "NONE" in guard(row, "flow"))
        assert set(guard(without, "socket")) == set(REGISTERS["socket"]) - {"CLOSED"}, stimulus
