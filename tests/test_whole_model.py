"""Facts a.1 to a.22 and b.1 to b.4, one by one, by hand: connected and dual-stack sockets, pend and complete,
redirection, injection, reauthorization reasons, group traffic, other protocols, loopback, release and closure.

As in `test_sequences`, which has the unicast model: expectations are what the facts say, and every sequence is run for IPv4
and IPv6 on both engines. Here a layer may carry its version (`RESOURCE_ASSIGNMENT_V4`) where it is not the peer's.
"""
# ruff: noqa: E501 - a list of data, where columns beat the line length

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest
from test_sequences import (
    BIND,
    CLOSES,
    DOWN,
    FIRST_RECEIVE,
    FIRST_SEND,
    ICMP_IN,
    LATER_RECEIVE,
    LOGS,
    NONE,
    OLD,
    RUNTIME_IDS,
    SENDTO_SUCCESS,
    SP1,
    UP,
    D,
    R,
    S,
    Sequence,
    check,
    full_names,
    no,
    play,
    seq,
)

from fsm import catalogue
from fsm.choices import CHOICES, Config, configure
from fsm.endpoint import GROUP_LIFETIME_S, UNICAST_LIFETIME_S, ClassifyContext, verdict_at
from fsm.errors import FsmError, NoTransition
from fsm.facts import FACTS
from fsm.flows import make_endpoint, run_stimuli
from fsm.reasons import REASONS
from fsm.rows import OPERATIONS
from fsm.rules import RULES, SETTING_FLAGS, VERDICT_REFUSALS
from fsm.stimuli import POSITIONS, STIMULI, VIEWS
from fsm.table import compile_table


def such(**assume: str) -> dict[str, Any]:
    """A machine with these options."""
    return {"assume": assume}


W7, W8 = {"windows": "7"}, {"windows": "8"}
DUAL = such(dual_stack="yes")
DUAL_CLOSES = such(dual_stack="yes", close="closure_release")
DUAL_BIND = "BIND_REDIRECT_V6 > RESOURCE_ASSIGNMENT_V4 > RESOURCE_ASSIGNMENT_V6"
DUAL_SEND = f"CONNECT_REDIRECT_V6 > AUTH_CONNECT > FLOW_ESTABLISHED > {DOWN}"
OLD_SEND = f"AUTH_CONNECT > FLOW_ESTABLISHED > {DOWN}"
AGAIN_OUT = f"AUTH_CONNECT > {DOWN}"
AGAIN_IN = f"{UP} > AUTH_RECV_ACCEPT > DATAGRAM_DATA"
NOT_MINE = "INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD"
RETURNS = "recv returns the datagram"
PENDED_CONNECT = "CONNECT_REDIRECT > AUTH_CONNECT"
PENDED_ACCEPT = f"{UP} > AUTH_RECV_ACCEPT"
CANNOT = "STATUS_FWP_CANNOT_PEND"
AUTHORIZE = such(recv_accept_completion="reauthorize")
MODIFIED = such(bind_reauthorization="on_modification")
ONCE = such(multicast_reauthorization="once")
DENY = such(multicast_state="deny")
ECHO, EACH_ECHO = such(protocol="icmp_echo"), such(protocol="icmp_echo", icmp_echo_flow="per_request")
RAW, IGMP = such(protocol="raw"), such(protocol="igmp")
DEEP = such(injected_send_entry="transport")
PROXY = such(redirect_target="local_process")

# fmt: off
SEQUENCES = [
    # --- a.1 bind
    seq("a.1.1", S, "bind", BIND, None, "bind returns success", [5158]),
    seq("a.1.6", S, "bind", DUAL_BIND, None, "bind returns success", [5158, 5158], **DUAL),
    seq("a.1.6", R, "bind", DUAL_BIND, None, "bind returns success", [5158, 5158], **DUAL),
    seq("a.1.6, f/7", S, "bind", "RESOURCE_ASSIGNMENT_V4 > RESOURCE_ASSIGNMENT_V6", None, "bind returns success", [5158, 5158], windows="vista", **DUAL),
    seq("a.1.6, a.2.1", S, "sendto", f"{DUAL_BIND} > {DUAL_SEND}", "sent", SENDTO_SUCCESS, [5158, 5158, 5156], **DUAL),
    seq("a.1.6, a.5.1", S, "connect", f"{DUAL_BIND} > CONNECT_REDIRECT_V6", None, "connect returns success", [5158, 5158], **DUAL),
    seq("a.1.6, a.15", S, "sendto_group", f"{DUAL_BIND} > {DUAL_SEND}", "sent", **DUAL),
    seq("a.1.6", R, "bind datagram", FIRST_RECEIVE, "delivered", logged=[5156], **DUAL),  # 48 and 44 with real IPv4 addresses
    seq("a.1.6, b.4", S, "bind!RESOURCE_ASSIGNMENT_V4=block", "BIND_REDIRECT_V6 > RESOURCE_ASSIGNMENT_V4 > RESOURCE_ASSIGNMENT_V4_DISCARD", "blocked", "10013", [5159], **DUAL),
    seq("a.1.6, b.4", S, "bind!RESOURCE_ASSIGNMENT_V6=block", f"{DUAL_BIND} > RESOURCE_ASSIGNMENT_V6_DISCARD", "blocked", "10013", [5158, 5159], **DUAL),
    seq("a.1.6, b.4", S, "bind!RESOURCE_ASSIGNMENT_V6=block bind", DUAL_BIND, None, "bind returns success", [5158, 5158], **DUAL),
    seq("a.1.6, b.4", S, "bind!BIND_REDIRECT=block", "BIND_REDIRECT_V6", "blocked", "WSAEACCES", [], **DUAL),
    seq("a.1.6, b.4", S, "sendto!RESOURCE_ASSIGNMENT_V6=block", f"{DUAL_BIND} > RESOURCE_ASSIGNMENT_V6_DISCARD", "blocked", "sendto fails", [5158, 5159], **DUAL),
    seq("a.1.7", S, "connect", f"{BIND} > CONNECT_REDIRECT", None, logged=[5158]),
    seq("a.1.7", S, "sendto_group", f"{BIND} > {FIRST_SEND}", "sent", logged=[5158, 5156]),
    seq("a.1.9", S, "bind protection_level", "RESOURCE_ASSIGNMENT", None, logged=[5158]),
    seq("a.1.9", R, "bind datagram protection_level datagram", LATER_RECEIVE, "delivered"),
    seq("a.1.9", S, "bind protection_level!RESOURCE_ASSIGNMENT=block", "RESOURCE_ASSIGNMENT > RESOURCE_ASSIGNMENT_DISCARD", "blocked", logged=[5159]),
    no("a.1.9", S, "protection_level", "socket BOUND", "UNBOUND"),
    no("a.1.9", S, "bind protection_level", "Windows vista", **OLD),
    seq("a.1.10", S, "bind!BIND_REDIRECT=redirect", BIND, None, "bind returns success", [5158]),
    seq("a.1.10", S, "bind!BIND_REDIRECT=redirect sendto", FIRST_SEND, "sent"),
    seq("a.1.10", S, "sendto!BIND_REDIRECT=redirect", f"{BIND} > {FIRST_SEND}", "sent"),
    seq("a.1.10, a.1.6", S, "bind!BIND_REDIRECT=redirect", DUAL_BIND, None, **DUAL),
    no("a.1.10", S, "bind!RESOURCE_ASSIGNMENT=redirect", "RESOURCE_ASSIGNMENT", "redirecting there: no"),

    # --- a.2 first sendto, a.3 later ones, a.4 second peer
    seq("a.2.2", S, "bind sendto", FIRST_SEND, "sent", SENDTO_SUCCESS, [5156], "on its way", **W7),
    seq("a.2.2", S, "bind sendto", FIRST_SEND, "sent", SENDTO_SUCCESS, [5156], windows="10"),
    seq("a.2.3", S, "bind sendto!CONNECT_REDIRECT=redirect", FIRST_SEND, "sent", SENDTO_SUCCESS, [5156]),
    seq("a.2.3, a.3", S, "bind sendto!CONNECT_REDIRECT=redirect sendto", DOWN, "sent", logged=[]),
    seq("a.2.3, a.8", S, "bind sendto!CONNECT_REDIRECT=redirect datagram", LATER_RECEIVE, "delivered", logged=[]),
    seq("a.2.3, a.1.10", S, "bind sendto!CONNECT_REDIRECT=redirect sendto@B", FIRST_SEND, "sent"),  # one flow only
    seq("a.2.3, b.4", S, "bind sendto!CONNECT_REDIRECT=redirect,AUTH_CONNECT=block", "CONNECT_REDIRECT > AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", SENDTO_SUCCESS, [5157, 5152], "nothing"),
    seq("a.2.3, b.4", S, "bind sendto!CONNECT_REDIRECT=redirect,AUTH_CONNECT=block sendto", FIRST_SEND, "sent"),
    seq("a.2.3, a.11.1", S, "bind sendto!CONNECT_REDIRECT=redirect policy_change sendto", AGAIN_OUT, "sent"),
    seq("a.2.3, a.5.2", S, "bind sendto!CONNECT_REDIRECT=redirect", DUAL_SEND, "sent", **DUAL),
    no("a.2.3", S, "bind sendto!AUTH_CONNECT=redirect", "AUTH_CONNECT", "redirecting there: no"),
    seq("a.3", S, "bind sendto sendto sendto", DOWN, "sent", logged=[], **DUAL),
    seq("a.3", S, "bind sendto wait:8 sendto", DOWN, "sent", logged=[]),
    seq("a.4", S, "bind sendto sendto@B", FIRST_SEND, "sent", logged=[5156]),
    seq("a.4, a.5.2", S, "bind sendto sendto@B", DUAL_SEND, "sent", logged=[5156], **DUAL),
    seq("a.4, f/7", S, "bind sendto sendto@B", OLD_SEND, "sent", logged=[5156], **OLD),

    # --- a.5 connected socket
    seq("a.5.1", S, "bind connect", "CONNECT_REDIRECT", None, "connect returns success", []),
    seq("a.5.1", S, "connect", f"{BIND} > CONNECT_REDIRECT", None, "connect returns success", [5158]),
    seq("a.5.1", S, "bind connect sendto", FIRST_SEND, "sent", SENDTO_SUCCESS, [5156]),
    seq("a.5.1", S, "connect sendto", FIRST_SEND, "sent", SENDTO_SUCCESS, [5156]),
    seq("a.5.1, a.3", S, "bind connect sendto sendto", DOWN, "sent", logged=[]),
    seq("a.5.1, f/7", S, "bind connect", NONE, None, "connect returns success", [], **OLD),
    seq("a.5.1, f/7", S, "connect", "RESOURCE_ASSIGNMENT", None, "connect returns success", [5158], **SP1),
    seq("a.5.1, f/7", S, "bind connect sendto", OLD_SEND, "sent", logged=[5156], **OLD),
    seq("a.5.1, f/7", S, "connect sendto", OLD_SEND, "sent", logged=[5156], **OLD),
    seq("a.5.1, b.4", S, "bind connect!CONNECT_REDIRECT=block", "CONNECT_REDIRECT", "blocked", "connect fails", []),
    seq("a.5.1, b.4", S, "bind connect!CONNECT_REDIRECT=block datagram@B", FIRST_RECEIVE, "delivered"),  # it is not connected
    seq("a.5.1, b.4", S, "connect!RESOURCE_ASSIGNMENT=block", f"{BIND} > RESOURCE_ASSIGNMENT_DISCARD", "blocked", "connect fails", [5159]),
    seq("a.5.1, b.4", S, "connect!BIND_REDIRECT=block", "BIND_REDIRECT", "blocked", "connect fails"),
    seq("a.5.1, b.4", S, "bind connect sendto!AUTH_CONNECT=block", "CONNECT_REDIRECT > AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", SENDTO_SUCCESS, [5157, 5152]),
    seq("a.5.1", S, "bind connect!CONNECT_REDIRECT=redirect", "CONNECT_REDIRECT", None, "connect returns success"),
    seq("a.5.1", S, "bind connect sendto wait:60 sendto", FIRST_SEND, "sent"),
    seq("a.5.1, a.11.1", S, "bind connect sendto policy_change sendto", AGAIN_OUT, "sent"),
    seq("a.5.2", S, "bind connect", "CONNECT_REDIRECT_V6", None, "connect returns success", **DUAL),
    seq("a.5.2", S, "bind connect sendto", DUAL_SEND, "sent", logged=[5156], **DUAL),
    seq("a.5.2", S, "bind sendto", DUAL_SEND, "sent", logged=[5156], **DUAL),
    seq("a.5.2, f/7", S, "bind sendto", OLD_SEND, "sent", windows="vista", **DUAL),
    seq("a.5.3", S, "bind connect sendto sendto@B", FIRST_SEND, "sent", logged=[5156]),
    seq("a.5.3", S, "bind connect sendto@B", FIRST_SEND, "sent", logged=[5156]),
    seq("a.5.3", S, "bind connect sendto@B sendto", FIRST_SEND, "sent", logged=[5156]),
    seq("a.5.3", S, "bind connect sendto sendto@B sendto@B", DOWN, "sent", logged=[]),
    seq("a.5.3", S, "bind connect sendto sendto@B sendto", DOWN, "sent", logged=[]),  # for that datagram only
    seq("a.5.4", S, "bind connect datagram@B", NOT_MINE, "silent", "connected peer", [], "its send succeeded"),
    seq("a.5.4", S, "bind connect sendto datagram@B", NOT_MINE, "silent", "connected peer", []),
    seq("a.5.4", S, "bind connect sendto@B datagram@B", NOT_MINE, "silent"),  # sent to B, but connected to A
    seq("a.5.4", S, "bind datagram@B connect datagram@B", NOT_MINE, "silent"),
    seq("a.5.4", S, "bind connect datagram", FIRST_RECEIVE, "delivered", RETURNS, [5156]),
    seq("a.5.4", S, "bind connect sendto datagram", LATER_RECEIVE, "delivered", RETURNS, []),
    seq("a.5.4", S, "bind connect datagram@B datagram", FIRST_RECEIVE, "delivered"),
    seq("a.5.4", S, "bind connect connect@B datagram", NOT_MINE, "silent"),
    seq("a.5.4", S, "bind connect connect@B datagram@B", FIRST_RECEIVE, "delivered"),
    seq("a.5.4", S, "bind connect_other datagram", NOT_MINE, "silent"),
    seq("a.5.4, b.4", S, "bind connect datagram@B!INBOUND_IPPACKET=block", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD", "blocked", "recv waits", [5152]),
    seq("a.5.4, b.4", S, "bind connect datagram@B!INBOUND_TRANSPORT_DISCARD=block", NOT_MINE, "silent", "connected peer", [5152], "its send succeeded"),
    seq("a.5.4, f/vista", S, "bind connect datagram@B", NOT_MINE, "silent", **OLD),
    seq("a.5.1", S, "connect_other", f"{BIND} > CONNECT_REDIRECT", None, "connect returns success", [5158]),

    # --- a.6 to a.8
    seq("a.6, a.7", R, "bind datagram datagram", LATER_RECEIVE, "delivered", logged=[], **DUAL),
    seq("a.8.3", S, "bind sendto@B datagram", FIRST_RECEIVE, "delivered", logged=[5156]),  # state belongs to the socket
    seq("a.8.1", S, "bind sendto datagram", LATER_RECEIVE, "delivered", logged=[], **DUAL),

    # --- a.9 no listener
    seq("a.9.7, a.9.8", D, "datagram", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD > OUTBOUND_ICMP_ERROR > OUTBOUND_TRANSPORT > OUTBOUND_IPPACKET", "icmp_error", **RAW),
    seq("a.9.7, a.9.8", D, "datagram", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD > OUTBOUND_ICMP_ERROR > OUTBOUND_TRANSPORT > OUTBOUND_IPPACKET", "icmp_error", evidence="observed", **RAW),
    seq("a.9.9", D, "datagram_group", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD", "silent", "no socket", []),
    seq("a.9.9", D, "datagram_group", "INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD", "silent", "no socket", [], **LOGS),
    seq("a.9.9", D, "datagram_group", "INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD > INBOUND_IPPACKET_DISCARD", "silent", "no socket", [], **such(no_listener="both")),
    seq("a.9.9", D, "datagram_group!INBOUND_TRANSPORT_DISCARD=block", "INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD", "silent", logged=[5152], **LOGS),
    seq("a.9.9", D, "datagram_group datagram", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD > OUTBOUND_ICMP_ERROR > OUTBOUND_TRANSPORT > OUTBOUND_IPPACKET", "icmp_error"),

    # --- a.10 ICMP error
    seq("a.10.1", S, "bind connect sendto icmp_error", ICMP_IN, "icmp_error", "10054", []),
    seq("a.10.5", S, "bind sendto icmp_error sendto", DOWN, "sent", logged=[], **DUAL),
    seq("a.10.1, a.16.2", S, "bind sendto icmp_error", ICMP_IN, "icmp_error", logged=[], **ECHO),

    # --- a.11 reauthorization: each reason in both directions
    *(seq(section, S, f"bind sendto {stimulus} sendto", AGAIN_OUT, "sent", SENDTO_SUCCESS, [5156], **options)
      for stimulus, section, options in (
          ("policy_change", "a.11.3 i", OLD), ("interface_change", "a.11.3 ii", SP1), ("profile_change", "a.11.3 iv", W7),
          ("ipsec_change", "a.11.3 iv", W7), ("next_hop_change", "a.11.3 iv", W7), ("socket_property_change", "a.11.3 iv", W7),
          ("edp_policy_change", "a.11/reasons", {}), ("proxy_handle_change", "a.11/reasons", {}), ("check_offload", "a.11/reasons", {}),
      )),
    *(seq("a.11.2, a.11.3", R, f"bind datagram {stimulus} datagram", AGAIN_IN, "delivered", RETURNS, [5156])
      for stimulus in ("interface_change", "profile_change", "ipsec_change", "next_hop_change", "socket_property_change")),
    seq("a.11.4", S, "bind sendto interface_change datagram", f"{UP} > AUTH_CONNECT > DATAGRAM_DATA", "delivered"),
    seq("a.11.4", R, "bind datagram profile_change sendto", f"AUTH_RECV_ACCEPT > {DOWN}", "sent"),
    seq("a.11.6", S, "bind sendto interface_change sendto!AUTH_CONNECT=block sendto", FIRST_SEND, "sent"),
    seq("a.11.3", S, "bind sendto interface_change policy_change sendto sendto", DOWN, "sent"),
    seq("a.11.3 iv", S, "bind sendto interface_change wait:60 sendto", FIRST_SEND, "sent"),
    seq("a.11.3, a.4", S, "bind sendto sendto@B profile_change sendto@B", AGAIN_OUT, "sent"),
    no("a.11.3 ii, f/vista-sp1", S, "bind sendto interface_change", "Windows vista", **OLD),
    *(no("a.11/reasons, f/7", S, f"bind sendto {stimulus}", "Windows vista-sp1", **SP1)
      for stimulus in ("profile_change", "ipsec_change", "next_hop_change", "socket_property_change", "edp_policy_change")),
    seq("a.11.1", S, "bind sendto policy_change sendto", AGAIN_OUT, "sent", **DUAL),
    seq("a.11.5", R, "bind datagram_group datagram_group", AGAIN_IN, "delivered", RETURNS, [5156]),
    no("a.11.7", S, "bind sendto policy_change sendto!AUTH_CONNECT=pend", CANNOT, "AUTH_CONNECT"),
    no("a.11.7", S, "bind sendto policy_change datagram!AUTH_CONNECT=pend", CANNOT, "AUTH_CONNECT"),
    no("a.11.7", R, "bind datagram policy_change datagram!AUTH_RECV_ACCEPT=pend", CANNOT, "AUTH_RECV_ACCEPT"),
    no("a.11.7", R, "bind datagram policy_change sendto!AUTH_RECV_ACCEPT=pend", CANNOT, "AUTH_RECV_ACCEPT"),
    no("a.11.7, a.11.5", R, "bind datagram_group!AUTH_RECV_ACCEPT=pend", CANNOT, "AUTH_RECV_ACCEPT"),
    no("a.11.7, a.12.3", S, "bind sendto!AUTH_CONNECT=pend complete!AUTH_CONNECT=pend", CANNOT, "AUTH_CONNECT"),
    no("a.11.7", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete!AUTH_RECV_ACCEPT=pend", CANNOT, **AUTHORIZE),

    # --- a.12 pended operations
    seq("a.12.1", S, "bind!RESOURCE_ASSIGNMENT=pend", BIND, "pended", "bind does not return", []),
    seq("a.12.1, f/7", R, "bind!RESOURCE_ASSIGNMENT=pend", "RESOURCE_ASSIGNMENT", "pended", "bind does not return", [], **OLD),
    seq("a.12.1", S, "bind!RESOURCE_ASSIGNMENT=pend complete", NONE, None, "the pended call returns success"),
    seq("a.12.1", R, "bind!RESOURCE_ASSIGNMENT=pend complete datagram", FIRST_RECEIVE, "delivered"),
    seq("a.12.1", S, "bind!RESOURCE_ASSIGNMENT=pend complete_block", "RESOURCE_ASSIGNMENT_DISCARD", "blocked", "10013"),
    seq("a.12.1", S, "bind!RESOURCE_ASSIGNMENT=pend complete_block bind", BIND, None, "bind returns success"),
    seq("a.12.1, a.1.6", S, "bind!RESOURCE_ASSIGNMENT_V4=pend", "BIND_REDIRECT_V6 > RESOURCE_ASSIGNMENT_V4", "pended", "bind does not return", [], **DUAL),
    seq("a.12.1, a.1.6", S, "bind!RESOURCE_ASSIGNMENT_V4=pend complete", "RESOURCE_ASSIGNMENT_V6", None, "the pended call returns success", [5158], **DUAL),
    seq("a.12.1, a.1.6", S, "bind!RESOURCE_ASSIGNMENT_V4=pend complete!RESOURCE_ASSIGNMENT_V6=block", "RESOURCE_ASSIGNMENT_V6 > RESOURCE_ASSIGNMENT_V6_DISCARD", "blocked", "10013", [5159], **DUAL),
    seq("a.12.1, a.1.6", S, "bind!RESOURCE_ASSIGNMENT_V6=pend", DUAL_BIND, "pended", "bind does not return", [5158], **DUAL),
    seq("a.12.1, a.1.6", S, "bind!RESOURCE_ASSIGNMENT_V6=pend complete", NONE, None, "the pended call returns success", **DUAL),
    no("a.12.1", S, "bind!RESOURCE_ASSIGNMENT=pend bind", "BIND_PENDED"),
    no("a.12.1", R, "bind!RESOURCE_ASSIGNMENT=pend datagram", "BIND_PENDED"),
    no("a.12.1", S, "bind complete", "'complete' is not possible"),
    no("a.12.1", S, "bind complete_block", "'complete_block' is not possible"),
    seq("a.12.1", S, "bind sendto!AUTH_CONNECT=pend", PENDED_CONNECT, "pended", SENDTO_SUCCESS, [], "nothing"),
    seq("a.12.1, f/7", S, "bind sendto!AUTH_CONNECT=pend", "AUTH_CONNECT", "pended", SENDTO_SUCCESS, [], **OLD),
    seq("a.12.1, a.2.3", S, "bind sendto!CONNECT_REDIRECT=redirect,AUTH_CONNECT=pend", PENDED_CONNECT, "pended", logged=[]),
    seq("a.12.1", R, "bind datagram!AUTH_RECV_ACCEPT=pend", PENDED_ACCEPT, "pended", "recv waits", [], "its send succeeded"),
    seq("a.12.2", S, "bind!BIND_REDIRECT=pend", "BIND_REDIRECT", "pended", "bind does not return", []),
    seq("a.12.2", S, "bind!BIND_REDIRECT=pend complete", "RESOURCE_ASSIGNMENT", None, "the pended call returns success", [5158]),
    seq("a.12.2", S, "bind!BIND_REDIRECT=pend complete!RESOURCE_ASSIGNMENT=block", "RESOURCE_ASSIGNMENT > RESOURCE_ASSIGNMENT_DISCARD", "blocked", "10013", [5159]),
    seq("a.12.2, a.12.1", S, "bind!BIND_REDIRECT=pend complete!RESOURCE_ASSIGNMENT=pend", "RESOURCE_ASSIGNMENT", "pended", "does not return", []),
    seq("a.12.2", S, "bind!BIND_REDIRECT=pend complete_block", NONE, "blocked", "WSAEACCES", []),
    seq("a.12.2, a.1.6", S, "bind!BIND_REDIRECT=pend complete", "RESOURCE_ASSIGNMENT_V4 > RESOURCE_ASSIGNMENT_V6", None, "the pended call returns success", [5158, 5158], **DUAL),
    seq("a.12.2", S, "bind sendto!CONNECT_REDIRECT=pend", "CONNECT_REDIRECT", "pended", SENDTO_SUCCESS, []),
    seq("a.12.2", S, "bind sendto!CONNECT_REDIRECT=pend complete", OLD_SEND, "sent", logged=[5156]),
    seq("a.12.2", S, "bind sendto!CONNECT_REDIRECT=pend complete!AUTH_CONNECT=block", "AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", logged=[5157, 5152]),
    seq("a.12.2, a.12.1", S, "bind sendto!CONNECT_REDIRECT=pend complete!AUTH_CONNECT=pend", "AUTH_CONNECT", "pended", logged=[]),
    seq("a.12.2", S, "bind sendto!CONNECT_REDIRECT=pend complete_block", NONE, "blocked", "lost", [], "nothing"),
    seq("a.12.2", S, "bind sendto!CONNECT_REDIRECT=pend complete_block sendto", FIRST_SEND, "sent"),
    seq("a.12.2, a.5.2", S, "bind sendto!CONNECT_REDIRECT=pend", "CONNECT_REDIRECT_V6", "pended", **DUAL),
    seq("a.12.2, a.5.1", S, "bind connect!CONNECT_REDIRECT=pend", "CONNECT_REDIRECT", "pended", logged=[]),
    seq("a.12.2", S, "bind close!ENDPOINT_CLOSURE=pend", "ENDPOINT_CLOSURE", "pended", "closesocket does not return", [], **CLOSES),
    seq("a.12.2", S, "bind close!ENDPOINT_CLOSURE=pend complete", "RESOURCE_RELEASE", None, "closesocket returns success", [], **CLOSES),
    no("a.12.2", S, "bind sendto!FLOW_ESTABLISHED=pend", "no asynchronous processing"),
    no("a.12.2", S, "bind close!RESOURCE_RELEASE=pend", "RESOURCE_RELEASE", **CLOSES),
    seq("a.12.3, a.12.6", S, "bind sendto!AUTH_CONNECT=pend complete", "AUTH_CONNECT > FLOW_ESTABLISHED", "silent", "lost", [5156], "nothing"),
    seq("a.12.3", S, "bind sendto!AUTH_CONNECT=pend complete!AUTH_CONNECT=block", "AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", SENDTO_SUCCESS, [5157, 5152]),
    seq("a.12.3, a.11.6", S, "bind sendto!AUTH_CONNECT=pend complete!AUTH_CONNECT=block sendto", FIRST_SEND, "sent"),
    seq("a.12.3", S, "bind sendto!AUTH_CONNECT=pend complete!AUTH_CONNECT=absorb", "AUTH_CONNECT", "silent", logged=[]),
    seq("a.12.4", S, "bind sendto!AUTH_CONNECT=pend complete sendto", DOWN, "sent", logged=[]),
    seq("a.12.4, a.12.6", S, "bind sendto!AUTH_CONNECT=pend complete inject_send", DOWN, "sent", logged=[]),
    seq("a.12.4, a.8", S, "bind sendto!AUTH_CONNECT=pend complete datagram", LATER_RECEIVE, "delivered", logged=[]),
    seq("a.12.3", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete", FIRST_RECEIVE, "delivered", RETURNS, [5156]),
    seq("a.12.3", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete datagram", LATER_RECEIVE, "delivered", logged=[]),
    seq("a.12.3", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete!AUTH_RECV_ACCEPT=block", f"{PENDED_ACCEPT} > AUTH_RECV_ACCEPT_DISCARD", "blocked", "recv waits", [5152, 5157]),
    seq("a.12.3", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete_block", NONE, "blocked", "recv waits", [], "its send succeeded"),
    seq("a.12 per flow", R, "bind datagram!AUTH_RECV_ACCEPT=pend datagram", UP, "pended", "recv waits", [], "its send succeeded"),
    seq("a.12 per flow", S, "bind sendto!AUTH_CONNECT=pend datagram", UP, "pended", "recv waits", [], "its send succeeded"),
    seq("a.12.3", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete_block datagram", FIRST_RECEIVE, "delivered"),
    seq("g.10 A", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete", "AUTH_RECV_ACCEPT > FLOW_ESTABLISHED", "silent", "recv waits", [5156], "its send succeeded", **AUTHORIZE),
    seq("g.10 A, a.11.6", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete!AUTH_RECV_ACCEPT=block datagram", FIRST_RECEIVE, "delivered", **AUTHORIZE),
    seq("g.10 A, a.12.4", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete datagram", LATER_RECEIVE, "delivered", logged=[], **AUTHORIZE),
    seq("g.10 A", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete!AUTH_RECV_ACCEPT=block", "AUTH_RECV_ACCEPT > AUTH_RECV_ACCEPT_DISCARD", "blocked", "recv waits", [5152, 5157], **AUTHORIZE),
    seq("g.9 B", S, "bind!BIND_REDIRECT=pend complete", BIND, None, "the pended call returns success", [5158], **MODIFIED),
    seq("g.9 B, b.4", S, "bind!BIND_REDIRECT=pend complete!BIND_REDIRECT=block", "BIND_REDIRECT", "blocked", "WSAEACCES", [], **MODIFIED),
    seq("a.12.4", S, "sendto!RESOURCE_ASSIGNMENT=pend", BIND, "pended", "sendto does not return", []),
    seq("a.12.4", S, "sendto!RESOURCE_ASSIGNMENT=pend complete sendto", FIRST_SEND, "sent", logged=[5156]),
    no("a.12.5", R, "bind datagram!INBOUND_TRANSPORT=pend", "INBOUND_TRANSPORT", "inject a clone", "while ALE still has to classify"),
    no("a.12.5", S, "bind sendto!OUTBOUND_TRANSPORT=pend", "OUTBOUND_TRANSPORT", "inject a clone"),
    no("a.12.5", S, "bind sendto!DATAGRAM_DATA=pend", "DATAGRAM_DATA"),
    no("a.12.5", R, "bind datagram!INBOUND_IPPACKET=pend", "INBOUND_IPPACKET"),
    seq("a.12 per flow", S, "bind sendto!AUTH_CONNECT=pend sendto@B", FIRST_SEND, "sent", logged=[5156]),
    seq("a.12 per flow", S, "bind sendto!AUTH_CONNECT=pend sendto@B complete", "AUTH_CONNECT > FLOW_ESTABLISHED", "silent"),
    seq("a.12 per flow", R, "bind datagram!AUTH_RECV_ACCEPT=pend datagram@B", FIRST_RECEIVE, "delivered"),
    seq("a.12, a.14", S, "bind sendto!AUTH_CONNECT=pend wait:600 complete", "AUTH_CONNECT > FLOW_ESTABLISHED", "silent"),
    seq("a.12, a.14", S, "bind sendto!AUTH_CONNECT=pend wait:600 complete wait:59 sendto", DOWN, "sent"),
    no("a.12, a.14", S, "bind sendto!AUTH_CONNECT=pend idle_timeout", "flow OUT_PENDED"),

    # a send to a group, a.15.1 with the layers of a.12; what completion makes is the state of 4 s, its datagram is gone
    seq("a.12.1, a.15", S, "bind sendto_group!AUTH_CONNECT=pend", PENDED_CONNECT, "pended", SENDTO_SUCCESS, [], "nothing"),
    seq("a.12.1, a.15, f/7", S, "bind sendto_group!AUTH_CONNECT=pend", "AUTH_CONNECT", "pended", SENDTO_SUCCESS, [], **OLD),
    seq("a.12.1, a.15, f/7", S, "bind sendto_group!AUTH_CONNECT=pend complete_group", "AUTH_CONNECT > FLOW_ESTABLISHED", "silent", "lost", [5156], **OLD),
    seq("a.12.2, a.15", S, "bind sendto_group!CONNECT_REDIRECT=pend", "CONNECT_REDIRECT", "pended", SENDTO_SUCCESS, [], "nothing"),
    seq("a.12.2, a.15, a.5.2", S, "bind sendto_group!CONNECT_REDIRECT=pend", "CONNECT_REDIRECT_V6", "pended", **DUAL),
    seq("a.12.2, a.15, a.1.7", S, "sendto_group!CONNECT_REDIRECT=pend", f"{BIND} > CONNECT_REDIRECT", "pended", SENDTO_SUCCESS, [5158]),
    seq("a.12.2, a.15", S, "bind sendto_group!CONNECT_REDIRECT=pend complete_group", OLD_SEND, "sent", SENDTO_SUCCESS, [5156]),
    seq("a.12.2, a.15.1", S, "bind sendto_group!CONNECT_REDIRECT=pend complete_group datagram@B", LATER_RECEIVE, "delivered", logged=[]),
    seq("a.12.2, a.15, b.4", S, "bind sendto_group!CONNECT_REDIRECT=pend complete_group!AUTH_CONNECT=block", "AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", SENDTO_SUCCESS, [5157, 5152]),
    seq("a.12.2, a.12.1, a.15", S, "bind sendto_group!CONNECT_REDIRECT=pend complete_group!AUTH_CONNECT=pend", "AUTH_CONNECT", "pended", logged=[]),
    seq("a.12.2, a.12.3, a.15", S, "bind sendto_group!CONNECT_REDIRECT=pend complete_group!AUTH_CONNECT=pend complete_group", "AUTH_CONNECT > FLOW_ESTABLISHED", "silent", logged=[5156]),
    seq("a.12.2, a.15", S, "bind sendto_group!CONNECT_REDIRECT=pend complete_group_block", NONE, "blocked", "lost", [], "nothing"),
    seq("a.12.2, a.15", S, "bind sendto_group!CONNECT_REDIRECT=pend complete_group_block sendto_group", FIRST_SEND, "sent", logged=[5156]),
    seq("a.12.3, a.15", S, "bind sendto_group!AUTH_CONNECT=pend complete_group", "AUTH_CONNECT > FLOW_ESTABLISHED", "silent", "lost", [5156], "nothing"),
    seq("a.12.3, a.15, a.5.2", S, "bind sendto_group!AUTH_CONNECT=pend complete_group", "AUTH_CONNECT > FLOW_ESTABLISHED", "silent", logged=[5156], **DUAL),
    seq("a.12.3, a.15, b.4", S, "bind sendto_group!AUTH_CONNECT=pend complete_group!AUTH_CONNECT=block", "AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", SENDTO_SUCCESS, [5157, 5152]),
    seq("a.12.3, a.15, b.4", S, "bind sendto_group!AUTH_CONNECT=pend complete_group!AUTH_CONNECT=block sendto_group", FIRST_SEND, "sent"),
    seq("a.12.3, a.15, b.3", S, "bind sendto_group!AUTH_CONNECT=pend complete_group!AUTH_CONNECT=absorb", "AUTH_CONNECT", "silent", logged=[]),
    seq("a.12.4, a.15.1", S, "bind sendto_group!AUTH_CONNECT=pend complete_group sendto_group", DOWN, "sent", logged=[]),
    seq("a.12.4, a.15.1", S, "bind sendto_group!AUTH_CONNECT=pend complete_group datagram@B", LATER_RECEIVE, "delivered", logged=[]),
    seq("a.12.4, a.15.1", S, "bind sendto_group!AUTH_CONNECT=pend complete_group wait:3 sendto_group", DOWN, "sent", logged=[]),
    seq("a.12.4, a.15.1", S, "bind sendto_group!AUTH_CONNECT=pend complete_group wait:4 sendto_group", FIRST_SEND, "sent", logged=[5156]),
    seq("a.12.4, a.14.3", S, "bind sendto_group!AUTH_CONNECT=pend complete_group", "AUTH_CONNECT > FLOW_ESTABLISHED", "silent", "lost", [5156], "nothing", **DENY),
    seq("a.12.4, a.14.3", S, "bind sendto_group!AUTH_CONNECT=pend complete_group datagram@B", FIRST_RECEIVE, "delivered", logged=[5156], **DENY),
    seq("a.15.1", S, "bind sendto_group sendto_group", DOWN, "sent", SENDTO_SUCCESS, [], "on its way"),
    seq("a.15.1, a.12", S, "bind sendto_group!AUTH_CONNECT=pend datagram@B", FIRST_RECEIVE, "delivered", logged=[5156]),  # the 4 s have not begun
    seq("a.15.1, a.12", S, "bind sendto_group!CONNECT_REDIRECT=pend datagram@B", FIRST_RECEIVE, "delivered", logged=[5156]),
    seq("a.15.1, a.12", S, "bind sendto_group!AUTH_CONNECT=pend wait:600 complete_group wait:3 datagram@B", LATER_RECEIVE, "delivered", logged=[]),
    seq("a.15, a.12", S, "bind sendto_group!AUTH_CONNECT=pend sendto_group", NONE, "pended", "lost", [], "nothing"),
    seq("a.15.3, a.12", S, "bind sendto_group!AUTH_CONNECT=pend datagram_group", AGAIN_IN, "delivered", logged=[5156]),
    seq("a.12 per flow, a.15", S, "bind sendto_group!AUTH_CONNECT=pend sendto", FIRST_SEND, "sent", logged=[5156]),
    seq("a.12 per flow, a.15", S, "bind sendto!AUTH_CONNECT=pend sendto_group", FIRST_SEND, "sent", logged=[5156]),
    seq("a.12 per flow, a.15", S, "bind sendto!AUTH_CONNECT=pend sendto_group!AUTH_CONNECT=pend complete sendto", DOWN, "sent", logged=[]),
    seq("a.12 per flow, a.15", S, "bind sendto!AUTH_CONNECT=pend sendto_group!AUTH_CONNECT=pend complete_group sendto_group", DOWN, "sent", logged=[]),
    seq("a.12 per flow, a.15", S, "bind sendto!AUTH_CONNECT=pend sendto_group!AUTH_CONNECT=pend complete_group sendto", NONE, "pended", "lost", []),
    no("a.12, a.15", S, "bind sendto_group!AUTH_CONNECT=pend complete", "'complete' is not possible"),
    no("a.12, a.15", S, "bind sendto!AUTH_CONNECT=pend complete_group", "'complete_group' is not possible", "window closed"),
    no("a.12.3, a.15", S, "bind sendto_group!AUTH_CONNECT=pend complete_group_block", "'complete_group_block' is not possible"),
    no("a.12, a.15.1", S, "bind sendto_group complete_group", "window open"),
    no("a.12, a.15.1", S, "bind sendto_group!AUTH_CONNECT=pend window_timeout", "window pended"),
    no("a.12, a.15", R, "bind complete_group", "does not happen to receiver"),
    no("a.11.7, a.12.3, a.15", S, "bind sendto_group!AUTH_CONNECT=pend complete_group!AUTH_CONNECT=pend", CANNOT, "AUTH_CONNECT"),
    no("a.12.2, a.15", S, "bind sendto_group!AUTH_CONNECT=pend complete_group!FLOW_ESTABLISHED=pend", "no asynchronous processing"),
    # connect() to another peer
    seq("a.12.2, a.5.1", S, "bind connect_other!CONNECT_REDIRECT=pend", "CONNECT_REDIRECT", "pended", "connect does not return", []),
    seq("a.12.2, a.5.1", S, "bind connect_other!CONNECT_REDIRECT=pend complete", NONE, None, "connect returns success", []),
    seq("a.12.2, a.5.4", S, "bind connect_other!CONNECT_REDIRECT=pend complete datagram", NOT_MINE, "silent"),
    seq("a.12.2, a.5.4", S, "bind connect_other!CONNECT_REDIRECT=pend complete_block datagram", FIRST_RECEIVE, "delivered"),
    seq("a.12.2, a.5.4", S, "bind connect connect_other!CONNECT_REDIRECT=pend complete_block datagram", FIRST_RECEIVE, "delivered"),  # connected as before
    seq("a.12.2, a.5.4", S, "bind connect connect_other!CONNECT_REDIRECT=pend complete_block datagram@B", NOT_MINE, "silent"),
    seq("a.12.2, a.5.4", S, "bind connect@B!CONNECT_REDIRECT=pend complete datagram@B", FIRST_RECEIVE, "delivered"),  # B, whoever is spoken of meanwhile
    seq("a.12.2, a.5.4", S, "bind connect@B!CONNECT_REDIRECT=pend complete datagram", NOT_MINE, "silent"),
    seq("a.12.2, a.5.4", S, "bind connect@B!CONNECT_REDIRECT=pend policy_change complete datagram@B", FIRST_RECEIVE, "delivered"),
    seq("a.5.1, b.4", S, "bind connect@B connect_other!CONNECT_REDIRECT=block datagram@B", FIRST_RECEIVE, "delivered"),
    no("a.12.2", S, "bind connect_other!CONNECT_REDIRECT=pend sendto", "CONNECT_OTHER_PENDED"),
    no("a.12.2", S, "bind connect_other!CONNECT_REDIRECT=pend close", "CONNECT_OTHER_PENDED"),

    # --- a.13 close
    seq("a.13.1, a.12, a.15", S, "bind sendto_group!AUTH_CONNECT=pend close", "ENDPOINT_CLOSURE > RESOURCE_RELEASE", None, **CLOSES),
    seq("a.13.1, a.12, a.15", S, "bind sendto_group!CONNECT_REDIRECT=pend close", NONE, None, "closesocket returns success"),
    no("a.13.1, a.12, a.15", S, "bind sendto_group!AUTH_CONNECT=pend close complete_group", "CLOSED"),
    seq("a.13.2, g.2 B", S, "bind close", "ENDPOINT_CLOSURE_V6 > RESOURCE_RELEASE_V4 > RESOURCE_RELEASE_V6", None, "closesocket returns success", [], **DUAL_CLOSES),
    seq("a.13.2", S, "sendto sendto@B close", "ENDPOINT_CLOSURE_V6 > RESOURCE_RELEASE_V4 > RESOURCE_RELEASE_V6", None, **DUAL_CLOSES),
    seq("a.13.1, a.5", S, "connect sendto close", "ENDPOINT_CLOSURE > RESOURCE_RELEASE", None, **CLOSES),
    seq("a.13.1, a.15", S, "bind sendto_group close", "ENDPOINT_CLOSURE > RESOURCE_RELEASE", None, **CLOSES),
    seq("a.13.1, a.12", S, "bind sendto!AUTH_CONNECT=pend close", "ENDPOINT_CLOSURE > RESOURCE_RELEASE", None, **CLOSES),
    seq("a.13.1, a.11", S, "bind sendto policy_change close", "ENDPOINT_CLOSURE > RESOURCE_RELEASE", None, **CLOSES),
    seq("a.13.2", S, "bind close!ENDPOINT_CLOSURE=pend complete", "RESOURCE_RELEASE_V4 > RESOURCE_RELEASE_V6", None, "closesocket returns success", **DUAL_CLOSES),
    seq("a.13.1, f/7", S, "bind sendto close", NONE, None, "closesocket returns success", windows="vista", **DUAL_CLOSES),
    no("a.13.2", S, "bind close!ENDPOINT_CLOSURE=pend sendto", "CLOSE_PENDED", **CLOSES),
    no("a.13.2", S, "bind close!ENDPOINT_CLOSURE=pend close", "CLOSE_PENDED", **CLOSES),
    no("a.13.2", S, "bind close!ENDPOINT_CLOSURE=pend complete bind", "CLOSED", **CLOSES),
    no("a.13", S, "bind connect close datagram@B", "CLOSED"),
    seq("a.13.5", S, "bind sendto flow_abort", NONE, None, logged=[]),
    seq("a.13.5", S, "bind sendto flow_abort sendto", FIRST_SEND, "sent", logged=[5156]),
    seq("a.13.5", R, "bind datagram flow_abort datagram", FIRST_RECEIVE, "delivered", logged=[5156], **W8),
    seq("a.13.5", S, "bind sendto sendto@B flow_abort@B sendto", DOWN, "sent"),
    seq("a.13.5", S, "bind sendto sendto@B flow_abort@B sendto@B", FIRST_SEND, "sent"),
    seq("a.13.5, a.11", S, "bind sendto policy_change flow_abort sendto", FIRST_SEND, "sent"),
    no("a.13.5, f/8", S, "bind sendto flow_abort", "Windows 7", **W7),
    no("a.13.5", S, "bind flow_abort", "flow NONE"),

    # --- a.14 idle timeout
    seq("a.14.1", S, "bind connect sendto wait:59 sendto", DOWN, "sent"),
    seq("a.14.1, a.16", S, "bind sendto wait:59 sendto", DOWN, "sent", **ECHO),
    seq("a.14.1, a.16", S, "bind sendto wait:60 sendto", FIRST_SEND, "sent", **ECHO),
    seq("a.14.1, a.16", R, "bind datagram wait:60 datagram", FIRST_RECEIVE, "delivered", **RAW),
    seq("a.14.1, a.21", S, "bind sendto wait:59 inject_send wait:59 sendto", DOWN, "sent"),
    seq("a.14.1, a.21", R, "bind datagram wait:59 inject_receive wait:59 datagram", LATER_RECEIVE, "delivered"),
    seq("a.14.1, a.15", S, "bind sendto wait:59 sendto_group wait:1 sendto", FIRST_SEND, "sent"),  # another flow's packet

    # --- a.15 multicast and broadcast
    seq("a.15.1", S, "bind sendto_group", FIRST_SEND, "sent", SENDTO_SUCCESS, [5156]),
    seq("a.15.1, f/7", S, "bind sendto_group", OLD_SEND, "sent", SENDTO_SUCCESS, [5156], **OLD),
    seq("a.15.1, f/7", S, "sendto_group", f"RESOURCE_ASSIGNMENT > {OLD_SEND}", "sent", logged=[5158, 5156], **OLD),
    seq("a.15.1, a.15.3", S, "bind sendto_group sendto_group sendto_group", DOWN, "sent", logged=[]),
    seq("a.15.1", S, "bind sendto_group wait:3 sendto_group", DOWN, "sent", logged=[]),
    seq("a.15.1", S, "bind sendto_group wait:4 sendto_group", FIRST_SEND, "sent", logged=[5156]),
    seq("a.15.1", S, "bind sendto_group wait:3 sendto_group wait:3 sendto_group", DOWN, "sent", logged=[]),
    seq("a.15.1", S, "bind sendto_group wait:2 wait:2 sendto_group", FIRST_SEND, "sent"),
    seq("a.15.1", S, "bind sendto_group datagram@B", LATER_RECEIVE, "delivered", RETURNS, []),
    seq("a.15.1", S, "bind sendto_group datagram datagram@B datagram@C", LATER_RECEIVE, "delivered", RETURNS, []),
    seq("a.15.1", S, "bind sendto_group wait:3 datagram@B", LATER_RECEIVE, "delivered", logged=[]),
    seq("a.15.1", S, "bind sendto_group wait:4 datagram@B", FIRST_RECEIVE, "delivered", logged=[5156]),
    seq("a.15.1", S, "bind sendto_group wait:3 sendto_group wait:3 datagram@B", LATER_RECEIVE, "delivered", logged=[]),
    seq("a.15.1 only outbound", S, "bind sendto_group wait:3 datagram@B wait:1 datagram@B", FIRST_RECEIVE, "delivered", logged=[5156]),
    seq("a.15.1 only outbound", S, "bind sendto_group wait:3 datagram_group wait:1 datagram@B", FIRST_RECEIVE, "delivered", logged=[5156]),
    seq("a.15.1 only outbound", S, "bind sendto_group wait:3 datagram@B wait:1 sendto_group", FIRST_SEND, "sent", logged=[5156]),
    seq("a.15.1", S, "bind sendto sendto_group wait:2 sendto wait:2 sendto_group", FIRST_SEND, "sent"),  # not renewed by unicast
    seq("a.15.1", S, "bind wait:100 sendto_group!DATAGRAM_DATA=block wait:1 datagram@B", LATER_RECEIVE, "delivered"),  # the flow was made at AUTH_CONNECT
    seq("a.15.1, b.4", S, "bind sendto_group!AUTH_CONNECT=block", "CONNECT_REDIRECT > AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", SENDTO_SUCCESS, [5157, 5152]),
    seq("a.15.1, b.4", S, "bind sendto_group!AUTH_CONNECT=block datagram@B", FIRST_RECEIVE, "delivered"),
    seq("a.15.1, b.3", S, "bind sendto_group!AUTH_CONNECT=absorb", PENDED_CONNECT, "silent", logged=[]),
    seq("a.15.1, a.14.3", S, "bind sendto_group", FIRST_SEND, "sent", logged=[5156], **DENY),
    seq("a.14.3", S, "bind sendto_group datagram@B", FIRST_RECEIVE, "delivered", logged=[5156], **DENY),
    seq("a.15.1, a.2", S, "bind sendto_group sendto", FIRST_SEND, "sent", logged=[5156]),
    seq("a.15.1, a.4", S, "bind sendto sendto_group sendto", DOWN, "sent", logged=[]),
    seq("a.15.2", R, "bind datagram_group sendto", FIRST_SEND, "sent", logged=[5156]),
    seq("a.15.2", R, "bind datagram_group sendto datagram", LATER_RECEIVE, "delivered", logged=[]),
    seq("a.15.2", R, "bind datagram_group datagram", FIRST_RECEIVE, "delivered", logged=[5156]),
    seq("a.15.3", R, "bind datagram_group", AGAIN_IN, "delivered", RETURNS, [5156]),
    seq("a.15.3", R, "bind datagram_group datagram_group datagram_group", AGAIN_IN, "delivered", logged=[5156]),
    seq("a.15.3, a.15.5", S, "bind sendto_group datagram_group", AGAIN_IN, "delivered", logged=[5156]),  # its own copy
    seq("g.16 A", R, "bind datagram_group datagram_group", LATER_RECEIVE, "delivered", logged=[], **ONCE),
    seq("a.15.3, b.4", R, "bind datagram_group!AUTH_RECV_ACCEPT=block", f"{PENDED_ACCEPT} > AUTH_RECV_ACCEPT_DISCARD", "blocked", "recv waits", [5152, 5157]),
    seq("a.15.3, b.4", R, "bind datagram_group!AUTH_RECV_ACCEPT=block datagram_group", AGAIN_IN, "delivered"),
    seq("a.15.3, b.4", R, "bind datagram datagram_group!AUTH_RECV_ACCEPT=block datagram", LATER_RECEIVE, "delivered"),  # the peer's own flow stays
    seq("a.15.3, b.3", R, "bind datagram_group!AUTH_RECV_ACCEPT=absorb", PENDED_ACCEPT, "silent", logged=[]),
    no("a.15", R, "datagram_group", "socket BOUND", "UNBOUND"),
    no("a.15", R, "bind sendto_group", "does not happen to receiver"),
    no("a.15", S, "bind window_timeout", "window closed"),

    # redirected: the rest of the path is that of a send to a group
    seq("a.15.1, a.2.3", S, "bind sendto_group!CONNECT_REDIRECT=redirect", FIRST_SEND, "sent", SENDTO_SUCCESS, [5156]),
    seq("a.15.1, a.2.3", S, "bind sendto_group!CONNECT_REDIRECT=redirect sendto_group", DOWN, "sent", logged=[]),
    seq("a.15.1, a.2.3, a.5.2", S, "bind sendto_group!CONNECT_REDIRECT=redirect", DUAL_SEND, "sent", **DUAL),
    seq("a.15.1, a.2.3, b.4", S, "bind sendto_group!CONNECT_REDIRECT=redirect,AUTH_CONNECT=block", f"{PENDED_CONNECT} > AUTH_CONNECT_DISCARD", "blocked", SENDTO_SUCCESS, [5157, 5152], "nothing"),
    seq("a.15.1, a.2.3, b.3", S, "bind sendto_group!CONNECT_REDIRECT=redirect,AUTH_CONNECT=absorb", PENDED_CONNECT, "silent", logged=[]),
    seq("a.15.1, a.2.3, a.12", S, "bind sendto_group!CONNECT_REDIRECT=redirect,AUTH_CONNECT=pend", PENDED_CONNECT, "pended", logged=[]),
    seq("a.15.1, a.22", S, "bind sendto_group!CONNECT_REDIRECT=redirect", FIRST_SEND, "sent", logged=[5156], **PROXY),
    seq("a.15.1, a.22, f/8", S, "bind sendto_group!CONNECT_REDIRECT=redirect", FIRST_SEND, "sent", windows="7", **PROXY),
    seq("a.15.1, g.24 A", S, "bind sendto_group!CONNECT_REDIRECT=redirect", "CONNECT_REDIRECT", "silent", "lost", [], evidence="observed", **PROXY),
    no("a.15.1, b.3", S, "bind sendto_group!CONNECT_REDIRECT=absorb", "absorb", "CONNECT_REDIRECT"),

    # --- a.16 raw sockets, ICMP, other protocols
    *(seq("a.16.1, a.2.5", S, "bind sendto", FIRST_SEND, "sent", logged=[5156], **options) for options in (ECHO, RAW, IGMP)),
    *(seq("a.16.1", R, "bind datagram", FIRST_RECEIVE, "delivered", logged=[5156], **options) for options in (ECHO, RAW, IGMP)),
    *(seq("a.16.1", S, "bind sendto sendto", DOWN, "sent", logged=[], **options) for options in (ECHO, RAW, IGMP)),
    seq("a.16.2", S, "bind sendto datagram", LATER_RECEIVE, "delivered", logged=[], **ECHO),
    seq("a.16.3", S, "bind sendto datagram", LATER_RECEIVE, "delivered", logged=[], **EACH_ECHO),  # echo replies never appear
    seq("a.16.4", S, "bind sendto sendto", FIRST_SEND, "sent", logged=[5156], **EACH_ECHO),
    seq("a.16.4", S, "bind sendto wait:1 sendto wait:1 sendto", FIRST_SEND, "sent", logged=[5156], **EACH_ECHO),
    seq("a.16.4, f/7", S, "bind sendto sendto", OLD_SEND, "sent", logged=[5156], windows="vista", **EACH_ECHO),
    seq("a.16.4", S, "bind sendto sendto", FIRST_SEND, "sent", logged=[5156], evidence="observed", **ECHO),
    seq("a.16.3, b.4", S, "bind sendto!AUTH_CONNECT=block", "CONNECT_REDIRECT > AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", "General failure", [5157, 5152], **ECHO),
    seq("a.16.5", S, "bind", BIND, None, logged=[5158], **RAW),

    # --- a.17 loopback: both paths, both IPPACKET layers
    seq("a.17", S, "bind sendto", FIRST_SEND, "sent", logged=[5156], **such(path="loopback")),
    seq("a.17", R, "bind datagram", FIRST_RECEIVE, "delivered", logged=[5156], **such(path="loopback")),
    seq("a.17, a.10.4", S, "bind sendto icmp_error", ICMP_IN, "icmp_error", "10054", **such(path="loopback")),

    # --- a.21 injection
    seq("a.21.1", S, "bind sendto inject_send", DOWN, "sent", logged=[]),
    seq("a.21.1", R, "bind datagram inject_send", DOWN, "sent", logged=[]),
    seq("a.21.1", S, "bind inject_send", OLD_SEND, "sent", logged=[5156]),
    seq("a.21.1, a.11", S, "bind sendto policy_change inject_send", AGAIN_OUT, "sent"),
    seq("a.21.1, a.11.4", R, "bind datagram policy_change inject_send", f"AUTH_RECV_ACCEPT > {DOWN}", "sent"),
    seq("a.21.1", R, "bind inject_receive", FIRST_RECEIVE, "delivered", RETURNS, [5156]),
    seq("a.21.1", R, "bind datagram inject_receive", LATER_RECEIVE, "delivered", RETURNS, []),
    seq("a.21.1", S, "bind sendto inject_receive", LATER_RECEIVE, "delivered", RETURNS, []),
    seq("a.21.1, a.11.4", S, "bind sendto policy_change inject_receive", f"{UP} > AUTH_CONNECT > DATAGRAM_DATA", "delivered"),
    seq("a.21.1, a.5.4", S, "bind connect inject_receive@B", NOT_MINE, "silent"),
    seq("a.21.3", S, "bind sendto inject_send!OUTBOUND_IPPACKET=block", f"{DOWN} > OUTBOUND_IPPACKET_DISCARD", "blocked", logged=[5152]),  # it meets every callout again
    seq("a.21.5", S, "bind sendto sendto!OUTBOUND_IPPACKET=absorb inject_send", DOWN, "sent", logged=[]),
    seq("a.21.2, a.21.5", R, "bind datagram datagram!DATAGRAM_DATA=absorb inject_receive", LATER_RECEIVE, "delivered", RETURNS, []),
    seq("a.21.3, b.4", R, "bind inject_receive!AUTH_RECV_ACCEPT=block", f"{PENDED_ACCEPT} > AUTH_RECV_ACCEPT_DISCARD", "blocked", logged=[5152, 5157]),
    seq("g.27 B", S, "bind sendto inject_send", "OUTBOUND_TRANSPORT > OUTBOUND_IPPACKET", "sent", logged=[], **DEEP),
    seq("g.27 B", S, "bind inject_send", "OUTBOUND_TRANSPORT > OUTBOUND_IPPACKET", "sent", logged=[], **DEEP),
    no("a.21", S, "inject_send", "UNBOUND"),
    no("a.21", R, "inject_receive", "UNBOUND"),
    no("a.12.6, a.21", S, "bind sendto!AUTH_CONNECT=pend inject_send", "OUT_PENDED"),  # only after the reauthorization

    # --- a.22 redirection to a local process, g.24
    seq("a.22", S, "bind sendto!CONNECT_REDIRECT=redirect", FIRST_SEND, "sent", logged=[5156], **PROXY),
    seq("a.22", S, "bind sendto!CONNECT_REDIRECT=redirect", FIRST_SEND, "sent", windows="8", **PROXY),
    seq("a.22, a.3", S, "bind sendto!CONNECT_REDIRECT=redirect sendto", DOWN, "sent", **PROXY),
    seq("a.22, g.24", S, "bind sendto!CONNECT_REDIRECT=redirect", "CONNECT_REDIRECT", "silent", "lost", [], evidence="observed", **PROXY),
    seq("g.24 A", S, "bind sendto!CONNECT_REDIRECT=redirect", "CONNECT_REDIRECT", "silent", logged=[], windows="10", **such(redirect_target="local_process", udp_local_redirect="fails")),
    seq("g.24 A", S, "bind sendto!CONNECT_REDIRECT=redirect sendto", FIRST_SEND, "sent", **such(redirect_target="local_process", udp_local_redirect="fails")),
    seq("g.24", S, "bind sendto!CONNECT_REDIRECT=redirect", FIRST_SEND, "sent", **such(udp_local_redirect="fails")),  # to a remote address it works
    seq("a.22, f/8", S, "bind sendto!CONNECT_REDIRECT=redirect", FIRST_SEND, "sent", windows="7", **PROXY),  # redirect records came with Windows 8
    seq("a.22", S, "bind sendto!CONNECT_REDIRECT=redirect", DUAL_SEND, "sent", **such(redirect_target="local_process", dual_stack="yes")),

    # --- b.3, b.4 where the unicast model does not go
    no("b.3", S, "bind connect!CONNECT_REDIRECT=absorb", "absorb", "CONNECT_REDIRECT"),
    no("b.3", S, "bind protection_level!RESOURCE_ASSIGNMENT=absorb", "absorb", "RESOURCE_ASSIGNMENT"),
    no("b.4, g.21", S, "bind sendto_group!FLOW_ESTABLISHED=block", "FLOW_ESTABLISHED", "no policy point"),
    no("b.4, g.21", S, "bind sendto!AUTH_CONNECT=pend complete!FLOW_ESTABLISHED=block", "FLOW_ESTABLISHED", "no policy point"),
    no("b.3", S, "bind connect datagram@B!INBOUND_TRANSPORT_DISCARD=absorb", "absorb is not allowed at discard layers"),
    seq("b.4", R, "bind inject_receive!DATAGRAM_DATA=block", f"{FIRST_RECEIVE} > DATAGRAM_DATA_DISCARD", "blocked", "recv waits", [5156, 5152]),
    seq("b.4", S, "bind sendto_group!OUTBOUND_TRANSPORT=block", "CONNECT_REDIRECT > AUTH_CONNECT > FLOW_ESTABLISHED > DATAGRAM_DATA > OUTBOUND_TRANSPORT > OUTBOUND_TRANSPORT_DISCARD", "blocked", SENDTO_SUCCESS, [5156, 5152]),
    seq("b.4", R, "bind datagram_group!INBOUND_TRANSPORT=block", f"{UP} > INBOUND_TRANSPORT_DISCARD", "blocked", "recv waits", [5152]),
    seq("b.4", S, "bind connect sendto!CONNECT_REDIRECT=block", "CONNECT_REDIRECT", "blocked", SENDTO_SUCCESS, []),

    # --- corners of the settings: each of these rows stands under one combination only
    seq("a.12.1, a.1.6, f/7", S, "bind!RESOURCE_ASSIGNMENT_V4=pend complete", "RESOURCE_ASSIGNMENT_V6", None, "the pended call returns success", [5158], windows="vista", **DUAL),
    seq("a.12.1, a.1.6", S, "bind!RESOURCE_ASSIGNMENT_V6=pend complete datagram", FIRST_RECEIVE, "delivered", **DUAL),
    seq("a.12.1, a.1.6", S, "bind!RESOURCE_ASSIGNMENT_V6=pend complete_block", "RESOURCE_ASSIGNMENT_V6_DISCARD", "blocked", "10013", **DUAL),
    seq("a.12.1, a.1.6", S, "bind!RESOURCE_ASSIGNMENT_V6=pend complete_block bind", DUAL_BIND, None, "bind returns success", **DUAL),
    seq("a.12.1, a.1.6", S, "bind!RESOURCE_ASSIGNMENT_V4=pend complete_block bind", DUAL_BIND, None, "bind returns success", **DUAL),
    seq("a.12.2", S, "bind!BIND_REDIRECT=pend complete_block bind", BIND, None, "bind returns success"),
    seq("g.9 B, b.4", S, "bind!BIND_REDIRECT=pend complete!BIND_REDIRECT=block bind", BIND, None, "bind returns success", **MODIFIED),
    seq("g.9 B, a.1.6", S, "bind!BIND_REDIRECT=pend complete", DUAL_BIND, None, "the pended call returns success", [5158, 5158], **such(dual_stack="yes", bind_reauthorization="on_modification")),
    seq("g.9 B, a.1.6, b.4", S, "bind!BIND_REDIRECT=pend complete!BIND_REDIRECT=block", "BIND_REDIRECT_V6", "blocked", "WSAEACCES", [], **such(dual_stack="yes", bind_reauthorization="on_modification")),
    seq("a.1.9, b.4", S, "bind protection_level!RESOURCE_ASSIGNMENT=block", "RESOURCE_ASSIGNMENT_V6 > RESOURCE_ASSIGNMENT_V6_DISCARD", "blocked", logged=[5159], **DUAL),  # V6 only
    seq("a.12.2, a.5.1", S, "bind connect!CONNECT_REDIRECT=pend complete", NONE, None, "connect returns success", []),
    seq("a.12.2, a.5.4", S, "bind connect!CONNECT_REDIRECT=pend complete datagram@B", NOT_MINE, "silent"),
    seq("a.12.2, a.5.4", S, "bind connect!CONNECT_REDIRECT=pend complete datagram", FIRST_RECEIVE, "delivered"),
    seq("a.12.2, a.5.4", S, "bind connect!CONNECT_REDIRECT=pend complete datagram_group", NOT_MINE, "silent"),
    seq("a.12.2, a.5.1", S, "bind connect!CONNECT_REDIRECT=pend complete_block", NONE, "blocked", "connect fails", []),
    seq("a.12.2, a.5.4", S, "bind connect!CONNECT_REDIRECT=pend complete_block datagram@B", FIRST_RECEIVE, "delivered"),  # it is not connected
    seq("a.12.2, a.5.1", S, "bind connect_other!CONNECT_REDIRECT=pend complete_block", NONE, "blocked", "connect fails", []),
    seq("a.12.4", S, "bind sendto!AUTH_CONNECT=pend sendto", NONE, "pended", "lost", [], "nothing"),
    *(seq("a.22, a.15, a.5.2", S, f"bind {words}!CONNECT_REDIRECT=redirect", layers, outcome, windows=windows, **such(redirect_target="local_process", dual_stack="yes", udp_local_redirect=works))
      for words in ("sendto", "sendto_group")
      for windows, works, layers, outcome in (
          ("7", "works", DUAL_SEND, "sent"), ("7", "fails", DUAL_SEND, "sent"), ("11", "works", DUAL_SEND, "sent"), ("11", "fails", "CONNECT_REDIRECT_V6", "silent"),
      )),
    seq("a.12.2, a.14.3", S, "bind sendto_group!CONNECT_REDIRECT=pend complete_group sendto_group", FIRST_SEND, "sent", **DENY),
    seq("a.12.2, a.15, b.4", S, "bind sendto_group!CONNECT_REDIRECT=pend complete_group!AUTH_CONNECT=block sendto_group", FIRST_SEND, "sent"),
    seq("a.12.4, a.14.3", S, "bind sendto_group!AUTH_CONNECT=pend complete_group wait:1 sendto_group", FIRST_SEND, "sent", **DENY),
    seq("a.5.4", S, "bind connect datagram_group", NOT_MINE, "silent", "connected peer", [], "its send succeeded"),
    seq("a.5.4", S, "bind connect_other datagram_group", NOT_MINE, "silent", "connected peer", [], "its send succeeded"),
    no("a.13.2", S, "bind close sendto", "'sendto' is not possible in state CLOSED", **DUAL_CLOSES),
    seq("a.9.4, a.9.8", D, "datagram", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD", "silent", "no socket", [], "timeout", **such(protocol="raw", icmp_rate_limit="spent")),
    seq("a.9.8, a.9.9", D, "datagram_group", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD", "silent", "no socket", [], "its send succeeded", **RAW),
    seq("a.9.8, b.4", D, "datagram!INBOUND_IPPACKET_DISCARD=block", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD", "silent", "no socket", [5152], "timeout", **RAW),
    seq("a.2.3, g.22", S, "bind sendto!CONNECT_REDIRECT=redirect,AUTH_CONNECT=block", "CONNECT_REDIRECT > AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", "10013", [5157, 5152], "nothing", **such(blocked_first_send_result="wsaeacces")),
    seq("a.2.3, a.16.3", S, "bind sendto!CONNECT_REDIRECT=redirect,AUTH_CONNECT=block", "CONNECT_REDIRECT > AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", "General failure", [5157, 5152], "nothing", **ECHO),
]
# fmt: on


@pytest.mark.parametrize("sequence", SEQUENCES, ids=[s.name for s in SEQUENCES])
def test_what_facts_say_holds_for_both_ip_versions(sequence: Sequence) -> None:
    for ip in (4, 6):
        check(sequence, ip, "table")


# Building a live machine of a sender takes a tenth of a second; that both engines agree on every cell is tested too.
@pytest.mark.parametrize("sequence", SEQUENCES[::6], ids=[s.name for s in SEQUENCES[::6]])
def test_what_facts_say_holds_on_the_live_machine(sequence: Sequence) -> None:
    check(sequence, 4, "live")


def test_no_two_sequences_are_the_same_and_every_section_has_some() -> None:
    assert len({s.name for s in SEQUENCES}) == len(SEQUENCES) >= 200
    sections = {part.strip().split(" ")[0] for s in SEQUENCES for part in s.section.split(",")}
    whole = [number for number in FACTS if re.fullmatch(r"a\.\d+", number)]
    for section in (*(number for number in whole if number not in NO_PATH), "b.3", "b.4"):
        assert any(f"{found}.".startswith(f"{section}.") for found in sections), section


# Sections without a path of a UDP endpoint in them, and where the model speaks of them instead: a word of a note.
NO_PATH = {"a.18": "fragments give n + n + 1", "a.19": "IPsec", "a.20": ""}


@pytest.mark.parametrize("number", NO_PATH)
def test_a_section_without_a_path_is_a_remark_on_a_row(number: str) -> None:
    assert any(NO_PATH[number] in row.note for row in RULES)


def test_no_row_visits_a_layer_of_forwarding_frames_or_switches() -> None:
    """Fact a.20: these layers are drawn, and not run."""
    groups = {catalogue.layer_of(row.layer, 4).group for row in RULES if row.layer}
    assert groups <= {"ippacket", "transport", "datagram", "icmp", "ale"}
    assert not any("FORWARD" in (row.layer or "") for row in RULES)


# --- contexts: flags, reasons, injection, addresses


def seen(endpoint: str, words: str, layer: str, ip: int = 4, **options: Any) -> list[ClassifyContext]:
    """What callouts of this layer (its discard twin apart) are shown during the last word."""
    running = make_endpoint(endpoint, configure(ip=ip, **options))
    found: list[ClassifyContext] = []
    *before, last = words.split()
    if before:
        play(running, " ".join(before))
    running.register(lambda c: found.append(c) if c.layer.stem.removeprefix("ALE_") == layer else None)
    play(running, last)
    assert found, f"{layer} was not reached"
    return found


FLAGS = [  # section | words | options | layer | flags
    ("a.1.3, a.16.5", S, "bind", RAW, "RESOURCE_ASSIGNMENT", {"IS_RAW_ENDPOINT"}),
    ("a.1.3, a.16.5", S, "bind", IGMP, "RESOURCE_ASSIGNMENT", set()),
    ("a.1.4, a.16.5", S, "sendto", RAW, "RESOURCE_ASSIGNMENT", {"IS_RAW_ENDPOINT", "IS_WILDCARD_BIND"}),
    # The flag is listed at these layers, so raw traffic comes there.
    ("a.16.6", S, "bind sendto", RAW, "AUTH_CONNECT", {"IS_RAW_ENDPOINT"}),
    ("a.16.6", S, "bind sendto", RAW, "DATAGRAM_DATA", {"IS_RAW_ENDPOINT"}),
    ("a.16.6", S, "bind sendto", RAW, "CONNECT_REDIRECT", {"IS_RAW_ENDPOINT"}),
    ("a.16.6", S, "bind", RAW, "BIND_REDIRECT", {"IS_RAW_ENDPOINT"}),
    ("a.16.6", R, "bind datagram", RAW, "AUTH_RECV_ACCEPT", {"IS_RAW_ENDPOINT"}),
    ("a.1.4", S, "sendto", {}, "RESOURCE_ASSIGNMENT", {"IS_WILDCARD_BIND"}),
    ("a.1.4", S, "connect", {}, "RESOURCE_ASSIGNMENT", {"IS_WILDCARD_BIND"}),
    ("a.1.4", S, "sendto_group", {}, "RESOURCE_ASSIGNMENT", {"IS_WILDCARD_BIND"}),
    ("a.1.4, c/flags", S, "connect", SP1, "RESOURCE_ASSIGNMENT", {"IS_WILDCARD_BIND", "IS_IMPLICIT_BIND"}),
    ("g.14 B", S, "bind", such(wildcard_bind="any_address"), "RESOURCE_ASSIGNMENT", {"IS_WILDCARD_BIND"}),
    ("g.14 B", S, "sendto", such(wildcard_bind="any_address"), "RESOURCE_ASSIGNMENT", {"IS_WILDCARD_BIND"}),
    ("a.1.9", S, "bind protection_level", {}, "RESOURCE_ASSIGNMENT", {"IS_RECLASSIFY"}),
    ("a.2.3", S, "bind sendto!CONNECT_REDIRECT=redirect", {}, "AUTH_CONNECT", {"IS_CONNECTION_REDIRECTED"}),
    ("a.2.3", S, "bind sendto", {}, "AUTH_CONNECT", set()),
    ("a.2.3", S, "bind sendto!CONNECT_REDIRECT=redirect sendto@B", {}, "AUTH_CONNECT", set()),
    ("a.22", S, "bind sendto!CONNECT_REDIRECT=redirect", PROXY, "AUTH_CONNECT", {"IS_CONNECTION_REDIRECTED"}),
    # The facts are silent on a redirect at connect(): the layer is called again at the send, and there it was permitted.
    ("a.5.1, a.22", S, "bind connect!CONNECT_REDIRECT=redirect sendto", {}, "AUTH_CONNECT", set()),
    ("a.5.1, a.22", S, "bind connect sendto!CONNECT_REDIRECT=redirect", {}, "AUTH_CONNECT", {"IS_CONNECTION_REDIRECTED"}),
    ("a.2.3, a.15", S, "bind sendto_group!CONNECT_REDIRECT=redirect", {}, "AUTH_CONNECT", {"IS_CONNECTION_REDIRECTED"}),
    ("a.12.2, a.15", S, "bind sendto_group!CONNECT_REDIRECT=pend complete_group", {}, "AUTH_CONNECT", set()),
    ("a.12.3, a.15", S, "bind sendto_group!AUTH_CONNECT=pend complete_group", {}, "AUTH_CONNECT", {"IS_REAUTHORIZE"}),
    ("a.11.1", S, "bind sendto interface_change sendto", {}, "AUTH_CONNECT", {"IS_REAUTHORIZE"}),
    ("a.12.3", S, "bind sendto!AUTH_CONNECT=pend complete", {}, "AUTH_CONNECT", {"IS_REAUTHORIZE"}),
    ("a.12.3", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete", {}, "AUTH_RECV_ACCEPT", set()),
    ("g.10 A", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete", AUTHORIZE, "AUTH_RECV_ACCEPT", {"IS_REAUTHORIZE"}),
    ("g.9 A", S, "bind!BIND_REDIRECT=pend complete", {}, "RESOURCE_ASSIGNMENT", set()),
    ("g.9 B", S, "bind!BIND_REDIRECT=pend complete", MODIFIED, "BIND_REDIRECT", {"IS_REAUTHORIZE"}),
    ("a.11.5", R, "bind datagram_group", {}, "AUTH_RECV_ACCEPT", {"IS_REAUTHORIZE"}),
    ("a.15.1", S, "bind sendto_group", {}, "AUTH_CONNECT", set()),
    ("a.21.1", S, "bind inject_send", {}, "AUTH_CONNECT", set()),
    ("a.17", S, "bind sendto", {}, "OUTBOUND_IPPACKET", set()),
    *(
        ("a.17, g.19", endpoint, words, such(path="loopback"), layer, {"IS_LOOPBACK"})
        for endpoint, words, layer in (
            (S, "bind sendto", "AUTH_CONNECT"),
            (S, "bind sendto", "DATAGRAM_DATA"),
            (S, "bind sendto", "OUTBOUND_TRANSPORT"),
            (S, "bind sendto", "OUTBOUND_IPPACKET"),
            (R, "bind datagram", "INBOUND_IPPACKET"),
            (R, "bind datagram", "INBOUND_TRANSPORT"),
            (R, "bind datagram", "AUTH_RECV_ACCEPT"),
            (R, "bind datagram", "DATAGRAM_DATA"),
            (S, "bind sendto icmp_error", "INBOUND_ICMP_ERROR"),
            (D, "datagram", "OUTBOUND_ICMP_ERROR"),
            (D, "datagram", "INBOUND_IPPACKET_DISCARD"),
            (S, "bind sendto!AUTH_CONNECT=block", "AUTH_CONNECT_DISCARD"),
            (R, "bind datagram!DATAGRAM_DATA=block", "DATAGRAM_DATA_DISCARD"),
        )
    ),
    # The filter of a default firewall is there to see it (d.3, d.9).
    ("a.17, d.3", D, "datagram", {"evidence": "observed", **such(path="loopback")}, "INBOUND_TRANSPORT_DISCARD", {"IS_LOOPBACK"}),
    ("g.19", S, "bind sendto", {"windows": "vista-sp1", **such(path="loopback")}, "AUTH_CONNECT", {"IS_LOOPBACK"}),
    ("g.19 'SP1+'", S, "bind sendto", {"windows": "vista", **such(path="loopback")}, "AUTH_CONNECT", set()),
]  # fmt: skip


@pytest.mark.parametrize(("section", "endpoint", "words", "options", "layer", "flags"), FLAGS)
def test_a_layer_is_called_with_the_flags_that_facts_give(
    section: str, endpoint: str, words: str, options: dict[str, Any], layer: str, flags: set[str]
) -> None:
    for ip in (4, 6):
        assert [set(c.flags) for c in seen(endpoint, words, layer, ip, **options)] == [flags], section


# Fact a.11/reasons: name, value, the stimulus that brings it ("" where none of a UDP endpoint does).
REASON_TABLE = [
    ("POLICY_CHANGE", 0x1, "policy_change"),
    ("NEW_ARRIVAL_INTERFACE", 0x2, "interface_change"),
    ("NEW_NEXTHOP_INTERFACE", 0x4, "next_hop_change"),
    ("PROFILE_CROSSING", 0x8, "profile_change"),
    ("CLASSIFY_COMPLETION", 0x10, "complete"),
    ("IPSEC_PROPERTIES_CHANGED", 0x20, "ipsec_change"),
    ("MID_STREAM_INSPECTION", 0x40, ""),
    ("SOCKET_PROPERTY_CHANGED", 0x80, "socket_property_change"),
    ("NEW_INBOUND_MCAST_BCAST_PACKET", 0x100, "datagram_group"),
    ("EDP_POLICY_CHANGED", 0x200, "edp_policy_change"),
    ("PRECLASSIFY_LOCAL_ADDR", 0x400, ""),
    ("PRECLASSIFY_REMOTE_ADDR", 0x800, ""),
    ("PRECLASSIFY_LOCAL_PORT", 0x1000, ""),
    ("PRECLASSIFY_REMOTE_PORT", 0x2000, ""),
    ("PROXY_HANDLE_CHANGED", 0x4000, "proxy_handle_change"),
    ("PRECLASSIFY_POLICY_CHANGED", 0x8000, ""),
    ("CHECK_OFFLOAD", 0x10000, "check_offload"),
]


def test_the_table_of_reasons_is_that_of_facts() -> None:
    assert [(r.name, r.value, r.stimulus) for r in REASONS] == REASON_TABLE


MARKING = [(s, value) for _, value, s in REASON_TABLE if s not in ("", "complete", "datagram_group")]


@pytest.mark.parametrize(("stimulus", "value"), MARKING)
def test_a_callout_is_shown_the_reason_of_a_reauthorization_in_either_direction(stimulus: str, value: int) -> None:
    for endpoint, words, layer in (
        (S, f"bind sendto {stimulus} sendto", "AUTH_CONNECT"),
        (S, f"bind sendto {stimulus} datagram", "AUTH_CONNECT"),
        (R, f"bind datagram {stimulus} datagram", "AUTH_RECV_ACCEPT"),
        (R, f"bind datagram {stimulus} sendto", "AUTH_RECV_ACCEPT"),
        (S, f"bind sendto@B sendto {stimulus} sendto@B", "AUTH_CONNECT"),
    ):
        assert [c.reauthorize_reason for c in seen(endpoint, words, layer)] == [value], words


REASONS_SEEN = [  # section | words | options | layer | reason
    ("a.12.3", S, "bind sendto!AUTH_CONNECT=pend complete", {}, "AUTH_CONNECT", 0x10),
    ("g.10 A", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete", AUTHORIZE, "AUTH_RECV_ACCEPT", 0x10),
    ("a.12.3, a.15", S, "bind sendto_group!AUTH_CONNECT=pend complete_group", {}, "AUTH_CONNECT", 0x10),
    ("a.12.3, a.15", S, "bind sendto policy_change sendto_group!AUTH_CONNECT=pend complete_group", {}, "AUTH_CONNECT", 0x10),
    ("a.12.3, a.15", S, "bind sendto policy_change sendto_group!AUTH_CONNECT=pend complete_group sendto", {}, "AUTH_CONNECT", 0x1),
    ("a.12.3", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete", {}, "AUTH_RECV_ACCEPT", 0),
    ("a.11.5", R, "bind datagram_group", {}, "AUTH_RECV_ACCEPT", 0x100),
    ("a.11.5", R, "bind datagram policy_change datagram_group", {}, "AUTH_RECV_ACCEPT", 0x100),
    ("a.11.5", R, "bind datagram policy_change datagram_group datagram", {}, "AUTH_RECV_ACCEPT", 0x1),
    ("a.2.2", S, "bind sendto", {}, "AUTH_CONNECT", 0),
    ("a.6", R, "bind datagram", {}, "AUTH_RECV_ACCEPT", 0),
    ("a.11.6", S, "bind sendto policy_change sendto!AUTH_CONNECT=block sendto", {}, "AUTH_CONNECT", 0),
    ("a.11.3", S, "bind sendto policy_change sendto profile_change sendto", {}, "AUTH_CONNECT", 0x8),
    # The policy change was dealt with at AUTH_CONNECT, whatever became of the datagram below it.
    ("a.11.3", S, "bind sendto policy_change sendto!DATAGRAM_DATA=block profile_change sendto", {}, "AUTH_CONNECT", 0x8),
    ("a.11.3", R, "bind datagram policy_change datagram!DATAGRAM_DATA=absorb profile_change datagram", {}, "AUTH_RECV_ACCEPT", 0x8),
    ("a.14.2", S, "bind sendto policy_change wait:60 sendto", {}, "AUTH_CONNECT", 0),
    ("a.13.5", S, "bind sendto policy_change flow_abort sendto", {}, "AUTH_CONNECT", 0),
    ("a.11.2", S, "bind sendto policy_change sendto", {}, "OUTBOUND_IPPACKET", 0),
    # The field of reasons is one of the two AUTH layers; g.9: at a redirect layer the flag has another cause.
    ("g.9 B", S, "bind!BIND_REDIRECT=pend complete", MODIFIED, "BIND_REDIRECT", 0),
    # f: reauthorize reasons came with Windows 7.
    ("f/7", S, "bind sendto policy_change sendto", W7, "AUTH_CONNECT", 0x1),
    ("f/7", S, "bind sendto policy_change sendto", SP1, "AUTH_CONNECT", 0),
    ("f/7", R, "bind datagram_group", OLD, "AUTH_RECV_ACCEPT", 0),
]  # fmt: skip


@pytest.mark.parametrize(("section", "endpoint", "words", "options", "layer", "reason"), REASONS_SEEN)
def test_the_reason_of_facts_is_shown_and_no_other(
    section: str, endpoint: str, words: str, options: dict[str, Any], layer: str, reason: int
) -> None:
    assert [c.reauthorize_reason for c in seen(endpoint, words, layer, **options)] == [reason], section


INJECTED = [  # section | words | layer | whether FwpsQueryPacketInjectionState0 tells the callout's own packet
    ("a.21.3", S, "bind sendto inject_send", "DATAGRAM_DATA", True),
    ("a.21.3", S, "bind inject_send", "AUTH_CONNECT", True),
    ("a.21.3", S, "bind sendto inject_send", "OUTBOUND_IPPACKET", True),
    ("a.21.3", R, "bind inject_receive", "INBOUND_IPPACKET", True),
    ("a.21.3", R, "bind inject_receive", "AUTH_RECV_ACCEPT", True),
    ("a.21.3", R, "bind inject_receive", "DATAGRAM_DATA", True),
    ("a.12.3", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete", "INBOUND_IPPACKET", True),
    ("a.12.3", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete", "AUTH_RECV_ACCEPT", True),
    ("a.2", S, "bind sendto", "AUTH_CONNECT", False),
    ("a.6", R, "bind datagram", "AUTH_RECV_ACCEPT", False),
    ("a.21.3", S, "bind sendto inject_send sendto", "DATAGRAM_DATA", False),
    # The second classify is of the pended operation: nothing has been injected, its packet was flushed.
    ("a.12.3", S, "bind sendto!AUTH_CONNECT=pend complete", "AUTH_CONNECT", False),
    ("a.12.2", S, "bind sendto!CONNECT_REDIRECT=pend complete", "AUTH_CONNECT", False),
    ("a.12.3, a.15", S, "bind sendto_group!AUTH_CONNECT=pend complete_group", "AUTH_CONNECT", False),
    ("a.1.2", S, "bind!BIND_REDIRECT=pend complete", "RESOURCE_ASSIGNMENT", False),  # no packet is attached
]


@pytest.mark.parametrize(("section", "endpoint", "words", "layer", "injected"), INJECTED)
def test_a_callout_can_tell_its_own_packet(section: str, endpoint: str, words: str, layer: str, injected: bool) -> None:
    assert [c.injected_by_self for c in seen(endpoint, words, layer)] == [injected], section


def test_a_callout_that_pends_everything_pends_each_classify_once_and_its_own_packets_never() -> None:
    """Facts a.12.7, a.21.3: in practice only the initial classification is pended, own packets are permitted."""
    endpoint = make_endpoint(S, Config())
    names = [name for stem in ("CONNECT_REDIRECT", "AUTH_CONNECT") for name, _ in full_names(stem, 4)]
    endpoint.register(verdict_at(dict.fromkeys(names, "pend")))
    endpoint.run("bind")
    assert endpoint.run("sendto").outcome == "pended"
    assert endpoint.run("complete").outcome == "pended"  # at AUTH_CONNECT, which is an initial classify
    assert endpoint.run("complete").outcome == "silent"
    assert endpoint.run("inject_send").outcome == "sent"


DIRECTIONS = [  # section | words | layer | packet direction | flow direction
    ("a.1.2", S, "connect", "RESOURCE_ASSIGNMENT", "", ""),
    ("a.1.2", S, "bind protection_level", "RESOURCE_ASSIGNMENT", "", ""),
    ("a.2.4", S, "bind connect sendto", "AUTH_CONNECT", "outbound", "outbound"),
    ("a.8.4", S, "bind sendto_group", "FLOW_ESTABLISHED", "outbound", "outbound"),
    ("a.8.4, a.12", S, "bind datagram sendto_group!AUTH_CONNECT=pend complete_group", "AUTH_CONNECT", "outbound", "outbound"),
    ("a.8.4", S, "bind datagram sendto_group", "FLOW_ESTABLISHED", "outbound", "outbound"),  # the group's flow, not the peer's
    ("a.8.4, a.15.2", R, "bind sendto datagram_group", "AUTH_RECV_ACCEPT", "inbound", "inbound"),  # the one global inbound flow
    ("a.8.4, a.21", R, "bind inject_receive", "FLOW_ESTABLISHED", "inbound", "inbound"),
    ("a.11.4", R, "bind datagram profile_change inject_send", "AUTH_RECV_ACCEPT", "outbound", "inbound"),
    ("a.13.3", S, "bind close", "ENDPOINT_CLOSURE", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("section", "endpoint", "words", "layer", "packet", "flow"), DIRECTIONS)
def test_packet_and_flow_direction_are_those_of_facts(
    section: str, endpoint: str, words: str, layer: str, packet: str, flow: str
) -> None:
    found = seen(endpoint, words, layer, **CLOSES)
    assert [(c.packet_direction, c.flow_direction) for c in found] == [(packet, flow)], section


def test_a_bind_to_no_address_shows_none() -> None:
    """Facts a.1.5, a.1.6: FWP_EMPTY, printed as 0.0.0.0 or ::; every bind of this model is to the wildcard address."""
    for options in ({}, DUAL):
        for context in seen(S, "bind", "RESOURCE_ASSIGNMENT", **options):
            assert context.tuple5.local_address in ("", "0.0.0.0", "::")


def test_a_v6_layer_of_a_dual_stack_socket_shows_the_mapped_address() -> None:
    """Fact a.5.2: an IPv4-mapped destination at CONNECT_REDIRECT_V6, the IPv4 address at AUTH_CONNECT_V4."""
    redirect = seen(S, "bind connect", "CONNECT_REDIRECT", **DUAL)[0]
    authorize = seen(S, "bind connect sendto", "AUTH_CONNECT", **DUAL)[0]
    assert (redirect.layer.ip_version, authorize.layer.ip_version) == (6, 4)
    plain = ipaddress.ip_address(authorize.tuple5.remote_address or "")
    mapped = ipaddress.ip_address(redirect.tuple5.remote_address or "")
    assert isinstance(mapped, ipaddress.IPv6Address) and mapped.ipv4_mapped == plain


def test_a_reclassified_bind_of_a_dual_stack_socket_is_seen_by_the_v6_layer() -> None:
    """Fact a.1.9: the driver pages list IS_RECLASSIFY for V6 only, and the option is one of IPv6 sockets."""
    for ip in (4, 6):
        versions = [c.layer.ip_version for c in seen(S, "bind protection_level", "RESOURCE_ASSIGNMENT", ip, **DUAL)]
        assert 6 in versions


@pytest.mark.parametrize(
    ("options", "protocol", "ports"),
    [(ECHO, 1, (8, 0)), (IGMP, 2, (0, 0)), ({}, 17, (50000, 53))],
    ids=["echo", "igmp", "udp"],
)
def test_other_protocols_have_their_own_tuple_at_the_auth_layers(
    options: dict[str, Any], protocol: int, ports: tuple[int, int]
) -> None:
    """Fact a.16.3: ICMP type in the local and code in the remote port field; IGMP is protocol 2 with ports 0."""
    shown = seen(S, "bind sendto", "AUTH_CONNECT", **options)[0].tuple5
    assert (shown.protocol, shown.local_port, shown.remote_port) == (protocol, *ports)


def test_a_group_datagram_goes_to_a_group_address() -> None:
    """Facts a.15.1, a.15.3: the remote end of the outbound flow is the group, whoever the last peer was."""
    shown = seen(S, "bind sendto sendto_group", "AUTH_CONNECT")[0].tuple5
    address = ipaddress.ip_address(shown.remote_address or "")
    assert address.is_multicast or str(address) == "255.255.255.255"


# --- discard reasons


DISCARDS = [
    (S, "bind connect datagram@B", {}, "INBOUND_TRANSPORT_DISCARD", ("TRANSPORT", "InetDiscardConnectedPath", 5)),  # a.5.4
    (D, "datagram", RAW, "INBOUND_IPPACKET_DISCARD", ("NETWORK", "IpDiscardProtocolUnreachable", 3)),  # a.9.8
    (D, "datagram", IGMP, "INBOUND_IPPACKET_DISCARD", ("NETWORK", "IpDiscardProtocolUnreachable", 3)),
    (D, "datagram_group", {}, "INBOUND_IPPACKET_DISCARD", ("NETWORK", "IpDiscardPortUnreachable", 4)),
    (D, "datagram_group", LOGS, "INBOUND_TRANSPORT_DISCARD", ("TRANSPORT", "InetDiscardEndpointNotFound", 4)),
    (R, "bind datagram_group!AUTH_RECV_ACCEPT=block", {}, "AUTH_RECV_ACCEPT_DISCARD", ("GENERAL", "FIREWALL_POLICY", 0)),
    (S, "bind!RESOURCE_ASSIGNMENT_V6=block", DUAL, "RESOURCE_ASSIGNMENT_V6_DISCARD", ("GENERAL", "FIREWALL_POLICY", 0)),
    (S, "bind sendto!AUTH_CONNECT=pend complete!AUTH_CONNECT=block", {}, "AUTH_CONNECT_DISCARD", ("GENERAL", "FIREWALL_POLICY", 0)),
]  # fmt: skip


@pytest.mark.parametrize(("endpoint", "words", "options", "layer", "reason"), DISCARDS)
def test_discard_layers_give_the_module_and_reason_of_facts(
    endpoint: str, words: str, options: dict[str, Any], layer: str, reason: tuple[str, str, int]
) -> None:
    record = play(make_endpoint(endpoint, configure(**options)), words)[-1]
    found = [s.discard for s in record.classified if s.layer == full_names(layer, 4)[0][0]]
    assert [(d.module, d.reason, d.value) for d in found if d is not None] == [reason]


# --- time


def test_the_lifetimes_are_those_of_facts() -> None:
    assert (UNICAST_LIFETIME_S, GROUP_LIFETIME_S) == (60, 4)


@pytest.mark.parametrize(("seconds", "open_"), [(0, True), (3, True), (4, False), (5, False), (10**9, False)])
def test_the_group_state_ends_after_four_seconds_and_not_before(seconds: int, open_: bool) -> None:
    endpoint = make_endpoint(S, Config())
    play(endpoint, "wait:1000 bind sendto_group")
    records = endpoint.wait(seconds)
    assert ("window" in endpoint.table.name_of(endpoint.state)) == open_
    assert [r.stimulus for r in records] == (["wait"] if open_ else ["window_timeout"])
    assert all(not r.classified for r in records)


def test_flow_and_group_state_can_end_at_the_same_second() -> None:
    endpoint = make_endpoint(S, Config())
    play(endpoint, "bind sendto wait:57 sendto_group")
    assert [r.stimulus for r in endpoint.wait(3)] == ["idle_timeout"]
    assert [r.stimulus for r in endpoint.wait(1)] == ["window_timeout"]
    play(endpoint, "sendto sendto_group")
    assert [r.stimulus for r in endpoint.wait(60)] == ["idle_timeout", "window_timeout"]


# --- operations: what is lost, queued, reinjected, rewritten, looped back

OPS = [  # section | words | options | operations of the last word, in order
    ("a.12.4", S, "bind sendto!AUTH_CONNECT=pend", {}, ["queue"]),
    ("a.12.4", S, "bind sendto!AUTH_CONNECT=pend complete", {}, ["create_flow", "lose"]),
    ("a.12.4", S, "sendto!RESOURCE_ASSIGNMENT=pend", {}, ["queue", "lose"]),
    ("a.12.4", S, "bind sendto!AUTH_CONNECT=pend sendto", {}, ["lose"]),
    ("a.12", R, "bind datagram!AUTH_RECV_ACCEPT=pend datagram", {}, ["lose"]),
    ("a.12.3", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete_block", {}, ["lose"]),
    ("a.12.4, a.15", S, "bind sendto_group!AUTH_CONNECT=pend sendto_group", {}, ["lose"]),
    ("a.5.4, b.4", S, "bind connect datagram@B!INBOUND_TRANSPORT_DISCARD=block", {}, ["lose"]),
    ("a.21.1, a.11.4", R, "bind datagram policy_change inject_send", {}, ["reinject", "touch", "emit"]),
    ("a.21.1, g.27", S, "bind sendto inject_send", DEEP, ["reinject", "emit"]),
    ("a.12.2", S, "bind sendto!CONNECT_REDIRECT=pend complete_block", {}, ["lose"]),
    ("a.12.2, a.15", S, "bind sendto_group!CONNECT_REDIRECT=pend complete_group_block", {}, ["lose"]),
    ("a.12.4, a.15", S, "bind sendto_group!AUTH_CONNECT=pend", {}, ["queue"]),
    ("a.12.4, a.15", S, "bind sendto_group!AUTH_CONNECT=pend complete_group", {}, ["touch_window", "lose"]),
    ("a.12.4, a.14.3", S, "bind sendto_group!AUTH_CONNECT=pend complete_group", DENY, ["lose"]),
    (
        "a.12.2, a.15",
        S,
        "bind sendto_group!CONNECT_REDIRECT=pend complete_group",
        {},
        ["touch_window", "touch_window", "emit", "loop_back"],
    ),
    (
        "a.2.3, a.15",
        S,
        "bind sendto_group!CONNECT_REDIRECT=redirect",
        {},
        ["rewrite", "touch_window", "touch_window", "emit", "loop_back"],
    ),
    ("a.12.3", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete", {}, ["reinject", "create_flow", "touch", "deliver"]),
    ("g.10 A", R, "bind datagram!AUTH_RECV_ACCEPT=pend complete", AUTHORIZE, ["create_flow", "lose"]),
    ("a.21.1", S, "bind sendto inject_send", {}, ["reinject", "touch", "emit"]),
    ("a.21.1", R, "bind inject_receive", {}, ["reinject", "create_flow", "touch", "deliver"]),
    ("a.1.10", S, "bind!BIND_REDIRECT=redirect", {}, ["rewrite"]),
    ("a.2.3", S, "bind sendto!CONNECT_REDIRECT=redirect", {}, ["rewrite", "create_flow", "touch", "emit"]),
    ("a.15.1, a.15.5", S, "bind sendto_group sendto_group", {}, ["touch_window", "emit", "loop_back"]),
    ("a.15.3", R, "bind datagram_group", {}, ["deliver"]),
    ("a.13.4", S, "bind sendto close", {}, ["drop_all_flows"]),
    ("a.13.4", S, "bind sendto close", CLOSES, ["drop_all_flows"]),
    ("a.13.4, a.13.2", S, "bind sendto close", DUAL_CLOSES, ["drop_all_flows"]),
    ("a.13.5", S, "bind sendto flow_abort", {}, ["drop_flow"]),
    ("a.5.4", S, "bind connect datagram@B", {}, ["lose"]),
    ("a.9.9", D, "datagram_group", {}, ["lose"]),
    ("a.9.8", D, "datagram", RAW, ["lose", "emit_icmp"]),
    ("b.3, a.11.6", S, "bind sendto interface_change sendto!AUTH_CONNECT=absorb", {}, ["drop_flow", "lose"]),
]


@pytest.mark.parametrize(("section", "endpoint", "words", "options", "ops"), OPS)
def test_the_operations_are_those_that_facts_describe(
    section: str, endpoint: str, words: str, options: dict[str, Any], ops: list[str]
) -> None:
    record = play(make_endpoint(endpoint, configure(**options)), words)[-1]
    assert [op for step in record.steps for op in step.ops] == ops, section


def test_every_operation_is_done_by_some_row() -> None:
    assert {op for row in RULES for op in row.ops} == set(OPERATIONS)


def test_what_the_application_never_called_does_not_return() -> None:
    """Fact a.12.4: it called sendto, which bound the socket; and a callout's datagram is not its datagram."""
    done = play(make_endpoint(S, Config()), "sendto!RESOURCE_ASSIGNMENT=pend complete")[-1]
    assert "bind returns" not in done.application_sees
    injected = play(make_endpoint(S, Config()), "bind inject_send")[-1]
    assert "sendto returned" not in injected.application_sees


# --- b.3, pend and redirect: which layers take which verdict

MAY_ABSORB = {  # fact b.3
    *("INBOUND_IPPACKET", "OUTBOUND_IPPACKET", "INBOUND_TRANSPORT", "OUTBOUND_TRANSPORT"),
    *("INBOUND_ICMP_ERROR", "OUTBOUND_ICMP_ERROR", "DATAGRAM_DATA", "ALE_AUTH_RECV_ACCEPT", "ALE_AUTH_CONNECT"),
}
MAY_PEND = {  # facts a.12.1, a.12.2
    *("ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT"),
    *("ALE_ENDPOINT_CLOSURE", "ALE_CONNECT_REDIRECT", "ALE_BIND_REDIRECT"),
}
MAY_REDIRECT = {"ALE_BIND_REDIRECT", "ALE_CONNECT_REDIRECT"}  # facts a.1.10, a.2.3
NEVER_BLOCKED = {"ALE_FLOW_ESTABLISHED", "ALE_RESOURCE_RELEASE", "ALE_ENDPOINT_CLOSURE"}  # fact g.21; layers.csv
MACHINES = [
    (view, configure(windows=windows, assume=assume))
    for view in VIEWS
    for windows in ("vista", "11")
    for assume in ({"close": "closure_release"}, {"dual_stack": "yes", **AUTHORIZE["assume"]}, MODIFIED["assume"])
]


def places(verdict: str) -> list[tuple[str, str, str, bool]]:
    """(layer stem, position, why not, flags say reauthorization) of every state before a layer in some machines."""
    found: dict[tuple[str, str, str, bool, bool], str] = {}
    for view, config in MACHINES:
        table = compile_table(view, config)
        event = table.event_ids[verdict]
        for state in range(len(table.states)):
            layer = table.layer(state)
            if layer is not None:
                again = bool({"IS_REAUTHORIZE", "IS_RECLASSIFY"} & set(table.flags(state)))
                here, taken = table.states[state], table.next_or_none(state, event) >= 0
                key = (layer.stem, here.position, here.stimulus, again, taken)
                if key not in found:
                    found[key] = table.why_not(state, verdict)
    return [(stem, f"{stimulus}@{at}", why, again) for (stem, at, stimulus, again, _), why in found.items()]


def test_absorb_is_taken_at_the_layers_of_facts_and_nowhere_else() -> None:
    for stem, position, why, _ in places("absorb"):
        assert (not why) == (stem in MAY_ABSORB), (stem, position, why)


def test_pend_is_taken_at_every_layer_of_facts_unless_it_is_a_reauthorization() -> None:
    wrong = [
        f"{position} ({stem}): {why}"
        for stem, position, why, again in places("pend")
        if (not why) != (stem in MAY_PEND and not again)
    ]
    assert not wrong, "\n".join(wrong)


def test_redirect_is_taken_at_the_two_redirect_layers_and_nowhere_else() -> None:
    wrong = [
        f"{position} ({stem}): {why}"
        for stem, position, why, again in places("redirect")
        if (not why) != (stem in MAY_REDIRECT and not again)
    ]
    assert not wrong, "\n".join(wrong)


def test_block_is_taken_everywhere_but_where_nothing_can_be_blocked() -> None:
    for stem, position, why, _ in places("block"):
        assert (not why) == (stem not in NEVER_BLOCKED), (stem, position, why)


def test_a_refusal_does_not_say_that_the_layer_takes_what_is_refused() -> None:
    """`has no rule for it; pending there: FwpsPendClassify0` is no reason."""
    contradictions = {
        f"{position}: {why}"
        for verdict in ("pend", "redirect")
        for _, position, why, _ in places(verdict)
        if "has no rule for it" in why and not why.endswith(("there: no", "there: "))
    }
    assert not contradictions, "\n".join(sorted(contradictions))


TWINS = [  # facts b.4, g.15: layers without a discard twin
    *("ALE_BIND_REDIRECT", "ALE_CONNECT_REDIRECT", "ALE_RESOURCE_RELEASE", "ALE_ENDPOINT_CLOSURE"),
]


def test_a_block_leads_to_the_discard_twin_in_every_row() -> None:
    for row in RULES:
        if row.event == "block" and row.layer and not row.layer.endswith("_DISCARD"):
            after = {other.layer for other in RULES if other.at == row.next}
            expected = set() if row.layer in TWINS else {f"{row.layer}_DISCARD"}
            assert after == expected, row.key
    assert not any(row.layer == "ALE_FLOW_ESTABLISHED_DISCARD" for row in RULES)


BLOCKED = {  # fact b.4: layer | Security events that a block makes there; redirect layers: none was found
    "ALE_BIND_REDIRECT": (),
    "ALE_RESOURCE_ASSIGNMENT": (5159,),
    "ALE_CONNECT_REDIRECT": (),
    "ALE_AUTH_CONNECT": (5157, 5152),
    "ALE_AUTH_RECV_ACCEPT": (5152, 5157),
    **dict.fromkeys(("DATAGRAM_DATA", "OUTBOUND_TRANSPORT", "OUTBOUND_IPPACKET", "INBOUND_IPPACKET"), (5152,)),
    **dict.fromkeys(("INBOUND_TRANSPORT", "INBOUND_ICMP_ERROR", "OUTBOUND_ICMP_ERROR"), (5152,)),
}


def test_every_block_is_logged_as_facts_say() -> None:
    for row in RULES:
        if row.event == "block" and row.layer and not row.layer.endswith("_DISCARD"):
            assert row.logged == BLOCKED[row.layer], row.key
    stack = {
        row.layer for row in RULES if row.event == "block" and row.logged and (row.layer or "").endswith("_DISCARD")
    }
    assert stack == {"INBOUND_IPPACKET_DISCARD", "INBOUND_TRANSPORT_DISCARD"}


def test_no_layer_logs_what_facts_do_not_know() -> None:
    events = {event for row in RULES for event in row.logged}
    assert events == {5152, 5156, 5157, 5158, 5159}
    for row in RULES:
        if 5156 in row.logged:
            assert row.layer in ("ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT") and row.event == "permit", row.key


# --- b.1: the package carries no action constants; CLASSIFY_OUT, flags and match types are data of the policies.


def test_known_constants_of_the_package_are_those_of_facts() -> None:
    """Facts b.1, c.1, c/flags: what the package does carry of numbers are reasons, discard reasons and run-time ids."""
    values = {(r.discard.module, r.discard.reason): r.discard.value for r in RULES if r.discard}
    assert values == {
        ("GENERAL", "FIREWALL_POLICY"): 0,
        ("TRANSPORT", "InetDiscardEndpointNotFound"): 4,
        ("TRANSPORT", "InetDiscardConnectedPath"): 5,
        ("NETWORK", "IpDiscardProtocolUnreachable"): 3,
        ("NETWORK", "IpDiscardPortUnreachable"): 4,
    }
    flags = {flag for row in RULES for flag in row.flags} | {setting.flag for setting in SETTING_FLAGS}
    assert flags == {
        *("IS_LOOPBACK", "IS_REAUTHORIZE", "IS_WILDCARD_BIND", "IS_RAW_ENDPOINT", "IS_IMPLICIT_BIND"),
        *("IS_RECLASSIFY", "IS_CONNECTION_REDIRECTED"),
    }


def test_every_run_time_id_is_that_of_facts() -> None:
    stems = {row.layer.removeprefix("ALE_") for row in RULES if row.layer}
    assert stems == set(RUNTIME_IDS)
    for stem in stems:
        for ip in (4, 6):
            name, runtime_id = full_names(stem, ip)[0]
            assert catalogue.by_name(name).runtime_id == runtime_id


# --- b.2: arbitration is not part of an endpoint


def test_veto_is_a_verdict_that_no_row_takes() -> None:
    """Fact b.2.4 (event 5153) belongs to the filter engine, which no endpoint has; it is refused with a reason."""
    assert not any(row.event == "veto" for row in RULES)
    with pytest.raises(NoTransition, match="veto"):
        run_stimuli(S, ("bind", "sendto"), verdicts={"AUTH_CONNECT": "veto"})


# --- g: each disagreement that touches a path is a dispute, or a remark on a row, refusal or flag

DISPUTED = {  # number -> name of the dispute
    "g.2": "close", "g.3": "no_listener", "g.4": "inbound_transport_without_listener", "g.8": "arbitration_after_block", "g.9": "bind_reauthorization",
    "g.10": "recv_accept_completion", "g.14": "wildcard_bind", "g.16": "multicast_reauthorization", "g.17": "icmp_echo_flow",
    "g.22": "blocked_first_send_result", "g.24": "udp_local_redirect", "g.27": "injected_send_entry",
}  # fmt: skip
REMARKED = {  # number -> words of a note or reason
    "g.1": "Windows 7 / Server 2008 R2 only",
    "g.5": "the endpoint is known already",
    "g.6": "the silent-drop callout",
    "g.15": "this layer has no discard twin",
    "g.19": "discard twins included",
    "g.20": "comes before its DATAGRAM_DATA",
    "g.21": "it is no policy point",
    "g.23": "logged, though one page denies it",
    "g.29": "local address works for TCP only",
}
ELSEWHERE = {  # number -> why no path depends on it
    "g.7": "a filter's flag", "g.11": "a metadata field", "g.12": "orientation of logged events", "g.13": "a port range",
    "g.18": "forwarding", "g.25": "a GUID", "g.26": "IPsec is a remark", "g.28": "forwarding",
}  # fmt: skip


def test_every_disagreement_of_facts_has_its_place() -> None:
    named = {number for number in FACTS if number.startswith("g.")}
    assert sorted([*DISPUTED, *REMARKED, *ELSEWHERE]) == sorted(named)
    assert {CHOICES[name].kind for name in DISPUTED.values()} == {"dispute"}
    assert {name for name, choice in CHOICES.items() if choice.kind == "dispute"} == set(DISPUTED.values())


@pytest.mark.parametrize("number", REMARKED)
def test_a_disagreement_without_options_is_a_remark(number: str) -> None:
    remarks = [row.note for row in RULES] + [r.why for r in VERDICT_REFUSALS] + [flag.note for flag in SETTING_FLAGS]
    assert any(REMARKED[number] in remark for remark in remarks)


@pytest.mark.parametrize("number", DISPUTED)
def test_a_dispute_names_the_sides_that_disagree(number: str) -> None:
    choice = CHOICES[DISPUTED[number]]
    assert len(choice.options) >= 2 and all(option.cite and option.text for option in choice.options)
    voices = [voice for option in choice.options for voice in option.voices]
    assert len(voices) == len(set(voices)), "one voice on both sides"


# --- positions, stimuli, chance


def test_every_stimulus_and_position_is_met_in_these_sequences() -> None:
    words, positions = set(), set()
    for sequence in SEQUENCES:
        words |= {word.partition("!")[0].partition("@")[0].partition(":")[0] for word in sequence.words.split()}
        running = make_endpoint(sequence.endpoint, configure(**sequence.options))
        try:
            play(running, sequence.words)
        except FsmError:
            continue
        positions |= {step.position for step in running.trace}
    assert set(STIMULI) - words - {"icmp_ttl"} == set()  # in test_sequences
    unseen = set(POSITIONS) - positions
    # Below the AUTH layers unicast and its ICMP errors are in test_sequences.
    assert all(position.startswith(("icmp.", "drop.")) or position.endswith("_discard") for position in unseen), unseen
