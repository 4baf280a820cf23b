"""Sequences written by hand from the facts, each with its numbers: what the layers see, what came of it, what is logged.

The numbers are those of `fsm.facts` (diagrams/pages/facts.md). The expectations are what the facts say, not the
model's output: layers stand as they do there (`A > B`, prefix `FWPM_LAYER_` and `ALE_` dropped), with run-time ids. Every sequence is run for IPv4 and IPv6 and on both engines.

A word is a stimulus of the endpoint, `@B` names another peer, `wait:60` lets time pass, and `!LAYER=block` gives a
verdict at a layer during that one stimulus. Expected are the layers of the last word, unless it is said otherwise.
"""
# ruff: noqa: E501 - a list of data, where columns beat the line length

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pytest

from fsm.choices import Config, configure
from fsm.endpoint import ClassifyContext, Endpoint, StimulusRecord
from fsm.errors import NoTransition
from fsm.flows import make_endpoint, perform
from fsm.names import OUTCOMES

# As the facts a.1 to a.13 and b.4 have them, V4 and V6.
RUNTIME_IDS = {
    "INBOUND_IPPACKET": (0, 2),
    "INBOUND_IPPACKET_DISCARD": (1, 3),
    "OUTBOUND_IPPACKET": (4, 6),
    "OUTBOUND_IPPACKET_DISCARD": (5, 7),
    "INBOUND_TRANSPORT": (12, 14),
    "INBOUND_TRANSPORT_DISCARD": (13, 15),
    "OUTBOUND_TRANSPORT": (16, 18),
    "OUTBOUND_TRANSPORT_DISCARD": (17, 19),
    "DATAGRAM_DATA": (24, 26),
    "DATAGRAM_DATA_DISCARD": (25, 27),
    "INBOUND_ICMP_ERROR": (28, 30),
    "INBOUND_ICMP_ERROR_DISCARD": (29, 31),
    "OUTBOUND_ICMP_ERROR": (32, 34),
    "OUTBOUND_ICMP_ERROR_DISCARD": (33, 35),
    "RESOURCE_ASSIGNMENT": (36, 38),
    "RESOURCE_ASSIGNMENT_DISCARD": (37, 39),
    "AUTH_RECV_ACCEPT": (44, 46),
    "AUTH_RECV_ACCEPT_DISCARD": (45, 47),
    "AUTH_CONNECT": (48, 50),
    "AUTH_CONNECT_DISCARD": (49, 51),
    "FLOW_ESTABLISHED": (52, 54),
    "RESOURCE_RELEASE": (62, 63),
    "ENDPOINT_CLOSURE": (64, 65),
    "CONNECT_REDIRECT": (66, 67),
    "BIND_REDIRECT": (68, 69),
}

BIND = "BIND_REDIRECT > RESOURCE_ASSIGNMENT"
DOWN = "DATAGRAM_DATA > OUTBOUND_TRANSPORT > OUTBOUND_IPPACKET"
FIRST_SEND = f"CONNECT_REDIRECT > AUTH_CONNECT > FLOW_ESTABLISHED > {DOWN}"
UP = "INBOUND_IPPACKET > INBOUND_TRANSPORT"
FIRST_RECEIVE = f"{UP} > AUTH_RECV_ACCEPT > FLOW_ESTABLISHED > DATAGRAM_DATA"
LATER_RECEIVE = f"{UP} > DATAGRAM_DATA"
ICMP_OUT = "OUTBOUND_ICMP_ERROR > OUTBOUND_TRANSPORT > OUTBOUND_IPPACKET"
ICMP_IN = "INBOUND_IPPACKET > INBOUND_ICMP_ERROR"
NONE = ""
SENDTO_SUCCESS = "sendto returned success"
ANY: Any = object()  # the facts do not say


@dataclass(frozen=True)
class Sequence:
    """What the facts say of the last of `words`; `refused` lists what the refusal must mention instead."""

    section: str
    endpoint: str
    words: str
    layers: str
    outcome: Any = ANY
    application: str = ""
    logged: Any = ANY
    remote: str = ""
    refused: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        options = " ".join(f"{k}={v}" for k, v in self.options.items())
        return f"{self.section}: {self.endpoint} {self.words} {options}".strip()


def seq(
    section: str,
    endpoint: str,
    words: str,
    layers: str,
    outcome: Any = ANY,
    application: str = "",
    logged: Any = ANY,
    remote: str = "",
    **options: Any,
) -> Sequence:
    return Sequence(section, endpoint, words, layers, outcome, application, logged, remote, (), options)


def no(section: str, endpoint: str, words: str, *mentions: str, **options: Any) -> Sequence:
    return Sequence(section, endpoint, words, "", refused=mentions, options=options)


S, R, D = "sender", "receiver", "dropped_port"
OLD: dict[str, Any] = {"windows": "vista"}
SP1: dict[str, Any] = {"windows": "vista-sp1"}
LOGS: dict[str, Any] = {"evidence": "observed"}
PAGES: dict[str, Any] = {"evidence": "documented"}
BOTH: dict[str, Any] = {"assume": {"no_listener": "both"}}
TRANSPORT: dict[str, Any] = {"assume": {"no_listener": "transport"}}
HEARD: dict[str, Any] = {"assume": {"inbound_transport_without_listener": "present"}}
SPENT: dict[str, Any] = {"assume": {"icmp_rate_limit": "spent"}}
CLOSES: dict[str, Any] = {"assume": {"close": "closure_release"}}
ACCEPT_BLOCKED = f"{UP} > AUTH_RECV_ACCEPT > AUTH_RECV_ACCEPT_DISCARD"

# fmt: off
SEQUENCES = [
    # --- bind
    seq("a.1.1", S, "bind", BIND, None, "bind returns success", [5158]),
    seq("a.1.1", R, "bind", BIND, None, "bind returns success", [5158]),
    seq("a.1.1, g.1", S, "bind", BIND, None, windows="7"),
    seq("a.1.1, g.1", S, "bind", BIND, None, windows="8.1"),
    seq("a.1.1, g.1", S, "bind", BIND, None, windows="10"),
    seq("f/7", S, "bind", "RESOURCE_ASSIGNMENT", None, "bind returns success", [5158], **OLD),
    seq("f/7", R, "bind", "RESOURCE_ASSIGNMENT", None, "bind returns success", [5158], **SP1),
    seq("b.4", S, "bind!BIND_REDIRECT=block", "BIND_REDIRECT", "blocked", "WSAEACCES"),
    seq("b.4", R, "bind!RESOURCE_ASSIGNMENT=block", f"{BIND} > RESOURCE_ASSIGNMENT_DISCARD", "blocked", "10013", [5159]),
    seq("b.4", S, "bind!RESOURCE_ASSIGNMENT=block", "RESOURCE_ASSIGNMENT > RESOURCE_ASSIGNMENT_DISCARD", "blocked", "10013", [5159], **OLD),
    seq("b.4", S, "bind!RESOURCE_ASSIGNMENT=block bind", BIND, None, "bind returns success"),
    no("a.1.1", S, "bind bind", "'bind' is not possible", "UNBOUND", "BOUND"),
    no("b.4", S, "bind!BIND_REDIRECT=block datagram", "'datagram' is not possible", "UNBOUND"),
    no("b.3", S, "bind!BIND_REDIRECT=absorb", "absorb", "BIND_REDIRECT"),
    no("b.3", S, "bind!RESOURCE_ASSIGNMENT=absorb", "absorb", "RESOURCE_ASSIGNMENT", "pend"),

    # --- first send
    seq("a.2.2", S, "bind sendto", FIRST_SEND, "sent", SENDTO_SUCCESS, [5156]),
    seq("a.2.1", S, "sendto", f"{BIND} > {FIRST_SEND}", "sent", SENDTO_SUCCESS, [5158, 5156]),
    seq("a.2.2", R, "bind sendto", FIRST_SEND, "sent", SENDTO_SUCCESS, [5156]),
    seq("a.2, f/7", S, "bind sendto", f"AUTH_CONNECT > FLOW_ESTABLISHED > {DOWN}", "sent", SENDTO_SUCCESS, [5156], **OLD),
    seq("a.2.1, f/7", S, "sendto", f"RESOURCE_ASSIGNMENT > AUTH_CONNECT > FLOW_ESTABLISHED > {DOWN}", "sent", SENDTO_SUCCESS, [5158, 5156], **SP1),
    seq("b.4", S, "sendto!BIND_REDIRECT=block", "BIND_REDIRECT", "blocked", "sendto fails"),
    seq("b.4, end of g", S, "sendto!RESOURCE_ASSIGNMENT=block", f"{BIND} > RESOURCE_ASSIGNMENT_DISCARD", "blocked", "sendto fails", [5159]),
    seq("b.4", S, "sendto!RESOURCE_ASSIGNMENT=block sendto", f"{BIND} > {FIRST_SEND}", "sent"),
    seq("b.4", S, "bind sendto!CONNECT_REDIRECT=block", "CONNECT_REDIRECT", "blocked", SENDTO_SUCCESS, remote="nothing"),
    seq("b.4, g.22", S, "bind sendto!AUTH_CONNECT=block", "CONNECT_REDIRECT > AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", SENDTO_SUCCESS, [5157, 5152], "nothing"),
    seq("b.4", S, "bind sendto!AUTH_CONNECT=block", "AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", SENDTO_SUCCESS, [5157, 5152], **OLD),
    seq("g.22", S, "bind sendto!AUTH_CONNECT=block", "CONNECT_REDIRECT > AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", "10013", [5157, 5152],
        assume={"blocked_first_send_result": "wsaeacces"}),
    seq("b.4.1", S, "bind sendto!AUTH_CONNECT=block sendto!AUTH_CONNECT=block", "CONNECT_REDIRECT > AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", SENDTO_SUCCESS, [5157, 5152]),
    seq("b.4.1", S, "bind sendto!AUTH_CONNECT=block sendto", FIRST_SEND, "sent", SENDTO_SUCCESS, [5156]),
    seq("b.4.1", S, "sendto!AUTH_CONNECT=block sendto", FIRST_SEND, "sent"),
    seq("b.4.1", S, "bind sendto!AUTH_CONNECT=block datagram", FIRST_RECEIVE, "delivered"),
    seq("b.4", S, "bind sendto!DATAGRAM_DATA=block", "CONNECT_REDIRECT > AUTH_CONNECT > FLOW_ESTABLISHED > DATAGRAM_DATA > DATAGRAM_DATA_DISCARD", "blocked", SENDTO_SUCCESS, [5156, 5152]),
    seq("b.4", S, "bind sendto sendto!OUTBOUND_TRANSPORT=block", "DATAGRAM_DATA > OUTBOUND_TRANSPORT > OUTBOUND_TRANSPORT_DISCARD", "blocked", SENDTO_SUCCESS, [5152]),
    seq("b.4", S, "bind sendto sendto!OUTBOUND_IPPACKET=block", f"{DOWN} > OUTBOUND_IPPACKET_DISCARD", "blocked", SENDTO_SUCCESS, [5152]),
    seq("b.4, a.3", S, "bind sendto!OUTBOUND_IPPACKET=block sendto", DOWN, "sent"),  # the flow was made before the packet layers
    seq("b.3", S, "bind sendto!AUTH_CONNECT=absorb", "CONNECT_REDIRECT > AUTH_CONNECT", "silent", SENDTO_SUCCESS, []),
    seq("b.3", S, "bind sendto!AUTH_CONNECT=absorb sendto", FIRST_SEND, "sent"),
    seq("b.3", S, "bind sendto sendto!DATAGRAM_DATA=absorb", "DATAGRAM_DATA", "silent", SENDTO_SUCCESS, []),
    seq("b.3", S, "bind sendto sendto!OUTBOUND_TRANSPORT=absorb", "DATAGRAM_DATA > OUTBOUND_TRANSPORT", "silent", SENDTO_SUCCESS, []),
    seq("b.3", S, "bind sendto sendto!OUTBOUND_IPPACKET=absorb", DOWN, "silent", SENDTO_SUCCESS, []),
    no("b.3", S, "bind sendto!CONNECT_REDIRECT=absorb", "absorb", "CONNECT_REDIRECT"),
    no("b.4, g.21", S, "bind sendto!FLOW_ESTABLISHED=block", "block", "FLOW_ESTABLISHED", "no policy point"),
    no("b.3, g.21", S, "bind sendto!FLOW_ESTABLISHED=absorb", "absorb", "FLOW_ESTABLISHED"),
    no("b.3", S, "bind sendto!AUTH_CONNECT=block,AUTH_CONNECT_DISCARD=absorb", "absorb", "AUTH_CONNECT_V", "_DISCARD", "discard layers"),
    no("b.3", S, "bind sendto!DATAGRAM_DATA=block,DATAGRAM_DATA_DISCARD=absorb", "absorb is not allowed at discard layers"),

    # --- later sends, other peers, replies
    seq("a.3", S, "bind sendto sendto", DOWN, "sent", SENDTO_SUCCESS, []),
    seq("a.3", S, "bind sendto sendto sendto sendto", DOWN, "sent", SENDTO_SUCCESS, []),
    seq("a.3", S, "sendto sendto", DOWN, "sent", SENDTO_SUCCESS, [], **OLD),
    seq("a.4", S, "bind sendto sendto@B", FIRST_SEND, "sent", SENDTO_SUCCESS, [5156]),
    seq("a.4", S, "sendto sendto@B", FIRST_SEND, "sent", SENDTO_SUCCESS, [5156]),
    seq("a.4", S, "bind sendto sendto@B sendto", DOWN, "sent", SENDTO_SUCCESS, []),
    seq("a.4", S, "bind sendto sendto@B sendto@B", DOWN, "sent"),
    seq("a.4", S, "bind sendto sendto@B sendto@C", FIRST_SEND, "sent"),
    seq("a.4", S, "bind sendto sendto@B!AUTH_CONNECT=block sendto", DOWN, "sent"),
    seq("a.4", S, "bind sendto sendto@B!AUTH_CONNECT=block sendto@B", FIRST_SEND, "sent"),
    seq("a.4, a.6", S, "bind sendto datagram@B", FIRST_RECEIVE, "delivered", "recv returns", [5156]),
    seq("a.8.1", S, "bind sendto datagram", LATER_RECEIVE, "delivered", "recv returns", []),
    seq("a.8.1", R, "bind datagram sendto", DOWN, "sent", SENDTO_SUCCESS, []),
    seq("a.8.1", S, "bind sendto datagram sendto datagram", LATER_RECEIVE, "delivered", "recv returns", []),
    seq("a.8.1", R, "bind datagram sendto datagram sendto", DOWN, "sent", logged=[]),
    seq("a.8", S, "sendto datagram", LATER_RECEIVE, "delivered", **OLD),

    # --- receive
    seq("a.6", R, "bind datagram", FIRST_RECEIVE, "delivered", "recv returns the datagram", [5156]),
    seq("a.6", S, "bind datagram", FIRST_RECEIVE, "delivered", "recv returns the datagram", [5156]),
    seq("a.6, f/vista", R, "bind datagram", FIRST_RECEIVE, "delivered", logged=[5156], **OLD),
    seq("a.7", R, "bind datagram datagram", LATER_RECEIVE, "delivered", "recv returns", []),
    seq("a.6", R, "bind datagram datagram@B", FIRST_RECEIVE, "delivered", logged=[5156]),
    seq("a.7", R, "bind datagram datagram@B datagram", LATER_RECEIVE, "delivered", logged=[]),
    seq("b.4", R, "bind datagram!INBOUND_IPPACKET=block", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD", "blocked", "recv waits", [5152]),
    seq("b.4", R, "bind datagram!INBOUND_TRANSPORT=block", f"{UP} > INBOUND_TRANSPORT_DISCARD", "blocked", "recv waits", [5152]),
    seq("b.4, b.4.3", R, "bind datagram!AUTH_RECV_ACCEPT=block", ACCEPT_BLOCKED, "blocked", "recv waits", [5152, 5157], "its send succeeded"),
    seq("b.4.1", R, "bind datagram!AUTH_RECV_ACCEPT=block datagram!AUTH_RECV_ACCEPT=block", ACCEPT_BLOCKED, "blocked", "recv waits", [5152, 5157]),
    seq("b.4.1", R, "bind datagram!AUTH_RECV_ACCEPT=block datagram", FIRST_RECEIVE, "delivered", logged=[5156]),
    seq("b.4.1", R, "bind datagram!AUTH_RECV_ACCEPT=block sendto", FIRST_SEND, "sent", logged=[5156]),
    seq("b.4", R, "bind datagram!DATAGRAM_DATA=block", f"{FIRST_RECEIVE} > DATAGRAM_DATA_DISCARD", "blocked", "recv waits", [5156, 5152]),
    seq("b.4, a.7", R, "bind datagram!DATAGRAM_DATA=block datagram", LATER_RECEIVE, "delivered"),  # the flow was made
    seq("b.4", R, "bind datagram datagram!INBOUND_TRANSPORT=block datagram", LATER_RECEIVE, "delivered"),
    seq("b.3", R, "bind datagram!INBOUND_IPPACKET=absorb", "INBOUND_IPPACKET", "silent", "recv waits", []),
    seq("b.3", R, "bind datagram!INBOUND_TRANSPORT=absorb", UP, "silent", "recv waits", []),
    seq("b.3", R, "bind datagram!AUTH_RECV_ACCEPT=absorb", f"{UP} > AUTH_RECV_ACCEPT", "silent", "recv waits", []),
    seq("b.3", R, "bind datagram!AUTH_RECV_ACCEPT=absorb datagram", FIRST_RECEIVE, "delivered"),
    seq("b.3", R, "bind datagram datagram!DATAGRAM_DATA=absorb", LATER_RECEIVE, "silent", "recv waits", []),
    no("b.4, g.21", R, "bind datagram!FLOW_ESTABLISHED=block", "FLOW_ESTABLISHED", "no policy point"),
    no("b.3", R, "bind datagram!INBOUND_IPPACKET=block,INBOUND_IPPACKET_DISCARD=absorb", "absorb is not allowed at discard layers"),
    no("a.6", R, "datagram", "'datagram' is not possible", "UNBOUND", "socket BOUND"),
    no("a.6", S, "datagram@B", "'datagram' is not possible", "UNBOUND"),

    # --- no listener
    seq("a.9.1, g.3 A", D, "datagram", f"INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD > {ICMP_OUT}", "icmp_error", "no socket", [], "10054"),
    seq("a.9.2, g.3 B", D, "datagram", f"INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD > {ICMP_OUT}", "icmp_error", "no socket", [], **LOGS),
    seq("g.3 B", D, "datagram", f"INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD > {ICMP_OUT}", "icmp_error", **PAGES),
    seq("a.9 both", D, "datagram", f"INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD > INBOUND_IPPACKET_DISCARD > {ICMP_OUT}", "icmp_error", **BOTH),
    seq("a.9.1", D, "datagram datagram", f"INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD > {ICMP_OUT}", "icmp_error"),
    seq("f/vista", D, "datagram", f"INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD > {ICMP_OUT}", "icmp_error", **OLD),
    seq("a.9.1, b.4", D, "datagram!INBOUND_IPPACKET_DISCARD=block", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD", "silent", "no socket", [5152], "timeout"),
    seq("a.9.5, b.4", D, "datagram!INBOUND_TRANSPORT_DISCARD=block", f"INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD > {ICMP_OUT}", "icmp_error", logged=[5152], remote="10054", **LOGS),
    seq("a.9.5, b.4", D, "datagram!INBOUND_TRANSPORT_DISCARD=block", f"INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD > INBOUND_IPPACKET_DISCARD > {ICMP_OUT}", "icmp_error", logged=[5152], **BOTH),
    seq("a.9.1, b.4", D, "datagram!INBOUND_IPPACKET_DISCARD=block", "INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD > INBOUND_IPPACKET_DISCARD", "silent", logged=[5152], remote="timeout", **BOTH),
    seq("a.9.2, b.4", D, "datagram!OUTBOUND_ICMP_ERROR=block", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD > OUTBOUND_ICMP_ERROR > OUTBOUND_ICMP_ERROR_DISCARD", ANY, "no socket", [5152], "timeout"),
    seq("a.9.2, d.6", D, "datagram!INBOUND_TRANSPORT_DISCARD=block,OUTBOUND_ICMP_ERROR=block",
        "INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD > OUTBOUND_ICMP_ERROR > OUTBOUND_ICMP_ERROR_DISCARD", "silent", "no socket", [5152, 5152], "timeout", **LOGS),
    seq("a.9.4", D, "datagram", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD", "silent", "no socket", [], "timeout", **SPENT),
    seq("a.9.4", D, "datagram!INBOUND_TRANSPORT_DISCARD=block", "INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD", "silent", logged=[5152], remote="timeout",
        assume={"no_listener": "transport", "icmp_rate_limit": "spent"}),
    seq("a.9.4", D, "datagram", "INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD", "silent", "no socket", [], "timeout",
        assume={"no_listener": "transport", "icmp_rate_limit": "spent"}),
    seq("a.9.4", D, "datagram", "INBOUND_IPPACKET > INBOUND_TRANSPORT_DISCARD > INBOUND_IPPACKET_DISCARD", "silent", remote="timeout",
        assume={"no_listener": "both", "icmp_rate_limit": "spent"}),
    seq("g.4 B", D, "datagram", f"{UP} > INBOUND_IPPACKET_DISCARD > {ICMP_OUT}", "icmp_error", **HEARD),
    seq("g.4 B", D, "datagram!INBOUND_TRANSPORT=block", f"{UP} > INBOUND_TRANSPORT_DISCARD", "blocked", logged=[5152], remote="timeout", **HEARD),
    seq("g.4 B", D, "datagram", f"{UP} > INBOUND_TRANSPORT_DISCARD > {ICMP_OUT}", "icmp_error",
        assume={"inbound_transport_without_listener": "present", "no_listener": "transport"}),
    seq("b.4, b.4.5", D, "datagram!INBOUND_IPPACKET=block", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD", "blocked", "no socket", [5152], "timeout"),
    seq("b.4", D, "datagram!OUTBOUND_TRANSPORT=block", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD > OUTBOUND_ICMP_ERROR > OUTBOUND_TRANSPORT > OUTBOUND_TRANSPORT_DISCARD", ANY, remote="timeout", logged=[5152]),
    seq("b.4", D, "datagram!OUTBOUND_IPPACKET=block", f"INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD > {ICMP_OUT} > OUTBOUND_IPPACKET_DISCARD", ANY, remote="timeout", logged=[5152]),
    seq("b.3", D, "datagram!INBOUND_IPPACKET=absorb", "INBOUND_IPPACKET", "silent", logged=[], remote="timeout"),
    seq("b.3", D, "datagram!INBOUND_TRANSPORT=absorb", UP, "silent", logged=[], remote="timeout", **HEARD),
    seq("b.3", D, "datagram!OUTBOUND_ICMP_ERROR=absorb", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD > OUTBOUND_ICMP_ERROR", "silent", logged=[], remote="timeout"),
    seq("b.3", D, "datagram!OUTBOUND_TRANSPORT=absorb", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD > OUTBOUND_ICMP_ERROR > OUTBOUND_TRANSPORT", "silent", logged=[], remote="timeout"),
    seq("b.3", D, "datagram!OUTBOUND_IPPACKET=absorb", f"INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD > {ICMP_OUT}", "silent", logged=[], remote="timeout"),
    no("b.3", D, "datagram!INBOUND_IPPACKET_DISCARD=absorb", "absorb is not allowed at discard layers", "INBOUND_IPPACKET_V"),
    no("b.3", D, "datagram!INBOUND_TRANSPORT_DISCARD=absorb", "absorb is not allowed at discard layers", "INBOUND_TRANSPORT_V", **LOGS),
    no("a.9", D, "bind", "bind", "no socket owns the port", "Possible: datagram"),
    no("a.9", D, "sendto", "sendto", "no socket owns the port"),
    no("a.9", D, "close", "close", "no socket owns the port"),

    # --- ICMP error at the sender
    seq("a.10.1, a.10.4", S, "bind sendto icmp_error", ICMP_IN, "icmp_error", "10054", []),
    seq("a.10.4", S, "bind sendto icmp_ttl", ICMP_IN, "icmp_error", "WSAENETRESET", []),
    seq("a.10.4", S, "bind sendto icmp_error", ICMP_IN, "silent", "nothing", [], assume={"udp_connreset": "off"}),
    seq("a.10.4", S, "bind sendto icmp_ttl", ICMP_IN, "silent", "nothing", [], assume={"udp_connreset": "off"}),
    seq("a.10.3, b.4", S, "bind sendto icmp_error!INBOUND_ICMP_ERROR=block", f"{ICMP_IN} > INBOUND_ICMP_ERROR_DISCARD", "blocked", "nothing", [5152]),
    seq("a.10.3, b.4", S, "bind sendto icmp_error!INBOUND_ICMP_ERROR=block", f"{ICMP_IN} > INBOUND_ICMP_ERROR_DISCARD", "blocked", "nothing", [5152], **OLD),
    seq("b.4", S, "bind sendto icmp_error!INBOUND_IPPACKET=block", "INBOUND_IPPACKET > INBOUND_IPPACKET_DISCARD", "blocked", "nothing", [5152]),
    seq("b.3", S, "bind sendto icmp_error!INBOUND_ICMP_ERROR=absorb", ICMP_IN, "silent", "nothing", []),
    seq("b.3", S, "bind sendto icmp_error!INBOUND_IPPACKET=absorb", "INBOUND_IPPACKET", "silent", "nothing", []),
    seq("a.10.5", S, "bind sendto icmp_error sendto", DOWN, "sent", logged=[]),
    seq("a.10.1", S, "bind sendto sendto@B icmp_error@B sendto", DOWN, "sent", logged=[]),
    no("a.10.1", S, "icmp_error", "'icmp_error' is not possible", "UNBOUND"),
    no("b.3", S, "bind sendto icmp_error!INBOUND_ICMP_ERROR=block,INBOUND_ICMP_ERROR_DISCARD=absorb", "absorb is not allowed at discard layers"),

    # --- reauthorization
    seq("a.11.3", S, "bind sendto policy_change", NONE, None, logged=[]),
    seq("a.11.2", R, "bind datagram policy_change datagram", f"{UP} > AUTH_RECV_ACCEPT > DATAGRAM_DATA", "delivered", "recv returns", [5156]),  # by a.11.5, a.15.3
    seq("a.11.2", R, "bind datagram policy_change datagram!AUTH_RECV_ACCEPT=block", ACCEPT_BLOCKED, "blocked", "recv waits", [5152, 5157]),
    seq("a.11.2", S, "bind sendto policy_change sendto", f"AUTH_CONNECT > {DOWN}", "sent", SENDTO_SUCCESS, [5156]),  # by a.11.5, a.15.3
    seq("a.11.2", S, "bind sendto policy_change sendto!AUTH_CONNECT=block", "AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", SENDTO_SUCCESS, [5157, 5152]),
    seq("a.11.2, f/7", S, "bind sendto policy_change sendto", f"AUTH_CONNECT > {DOWN}", "sent", **OLD),
    seq("a.11.4", S, "bind sendto policy_change datagram", f"{UP} > AUTH_CONNECT > DATAGRAM_DATA", "delivered", "recv returns", [5156]),  # by a.11.5, a.15.3
    seq("a.11.4", R, "bind datagram policy_change sendto", f"AUTH_RECV_ACCEPT > {DOWN}", "sent", SENDTO_SUCCESS, [5156]),  # by a.11.5, a.15.3
    seq("a.11.4", S, "bind sendto policy_change datagram!AUTH_CONNECT=block", f"{UP} > AUTH_CONNECT > AUTH_CONNECT_DISCARD", "blocked", "recv waits", [5157, 5152], "its send succeeded"),
    seq("a.11.4", R, "bind datagram policy_change sendto!AUTH_RECV_ACCEPT=block", "AUTH_RECV_ACCEPT > AUTH_RECV_ACCEPT_DISCARD", "blocked", SENDTO_SUCCESS, [5152, 5157], "nothing"),
    seq("a.11.3 once", S, "bind sendto policy_change sendto sendto", DOWN, "sent", logged=[]),
    seq("a.11.3 once", S, "bind sendto policy_change datagram sendto", DOWN, "sent", logged=[]),
    seq("a.11.3 once", R, "bind datagram policy_change datagram datagram", LATER_RECEIVE, "delivered", logged=[]),
    seq("a.11.3 once", R, "bind datagram policy_change sendto datagram", LATER_RECEIVE, "delivered", logged=[]),
    seq("a.11.3 again", S, "bind sendto policy_change policy_change sendto sendto", DOWN, "sent"),
    seq("a.11.6", R, "bind datagram policy_change datagram!AUTH_RECV_ACCEPT=block datagram", FIRST_RECEIVE, "delivered", logged=[5156]),
    seq("a.11.6", R, "bind datagram policy_change datagram!AUTH_RECV_ACCEPT=block sendto", FIRST_SEND, "sent", logged=[5156]),
    seq("a.11.6", S, "bind sendto policy_change sendto!AUTH_CONNECT=block sendto", FIRST_SEND, "sent", logged=[5156]),
    seq("a.11.6", S, "bind sendto policy_change datagram!AUTH_CONNECT=block datagram", FIRST_RECEIVE, "delivered", logged=[5156]),
    seq("a.11.6", R, "bind datagram policy_change sendto!AUTH_RECV_ACCEPT=block sendto", FIRST_SEND, "sent", logged=[5156]),
    seq("a.11.3, a.4", S, "bind sendto sendto@B policy_change sendto", f"AUTH_CONNECT > {DOWN}", "sent"),
    seq("a.11.3, a.4", S, "bind sendto sendto@B policy_change sendto sendto@B", f"AUTH_CONNECT > {DOWN}", "sent"),
    seq("a.11.3, a.4", S, "bind sendto datagram@B policy_change datagram@B", f"{UP} > AUTH_RECV_ACCEPT > DATAGRAM_DATA", "delivered"),
    seq("a.11.6, a.4", S, "bind sendto sendto@B policy_change sendto@B sendto!AUTH_CONNECT=block sendto@B", DOWN, "sent"),
    seq("a.11.3, a.4", S, "bind sendto policy_change sendto@B", FIRST_SEND, "sent"),
    seq("a.11.3", S, "bind policy_change sendto", FIRST_SEND, "sent"),
    seq("a.11, b.4", R, "bind datagram policy_change datagram!INBOUND_TRANSPORT=block datagram", f"{UP} > AUTH_RECV_ACCEPT > DATAGRAM_DATA", "delivered"),
    seq("b.3", S, "bind sendto policy_change sendto!AUTH_CONNECT=absorb", "AUTH_CONNECT", "silent", SENDTO_SUCCESS, []),
    seq("b.3", R, "bind datagram policy_change sendto!AUTH_RECV_ACCEPT=absorb", "AUTH_RECV_ACCEPT", "silent", SENDTO_SUCCESS, []),
    seq("b.3", R, "bind datagram policy_change datagram!AUTH_RECV_ACCEPT=absorb", f"{UP} > AUTH_RECV_ACCEPT", "silent", "recv waits", []),
    seq("b.3", S, "bind sendto policy_change datagram!AUTH_CONNECT=absorb", f"{UP} > AUTH_CONNECT", "silent", "recv waits", []),
    seq("a.11, a.10.1", S, "bind sendto policy_change icmp_error sendto", f"AUTH_CONNECT > {DOWN}", "sent"),  # errors never go to ALE layers

    # Absorb is a block (b.3), so it fails the reauthorization too.
    seq("b.3, a.11.6", S, "bind sendto policy_change sendto!AUTH_CONNECT=absorb sendto", FIRST_SEND, "sent", logged=[5156]),
    seq("b.3, a.11.6", S, "bind sendto policy_change datagram!AUTH_CONNECT=absorb sendto", FIRST_SEND, "sent", logged=[5156]),
    seq("b.3, a.11.6", R, "bind datagram policy_change datagram!AUTH_RECV_ACCEPT=absorb datagram", FIRST_RECEIVE, "delivered", logged=[5156]),
    seq("b.3, a.11.6", R, "bind datagram policy_change sendto!AUTH_RECV_ACCEPT=absorb datagram", FIRST_RECEIVE, "delivered", logged=[5156]),

    # --- idle
    seq("a.14.1", S, "bind sendto wait:60", NONE, None, logged=[]),
    seq("a.14.1", S, "bind sendto wait:59 sendto", DOWN, "sent", logged=[]),
    seq("a.14.2", S, "bind sendto wait:60 sendto", FIRST_SEND, "sent", logged=[5156]),
    seq("a.14.2", S, "bind sendto wait:30 wait:30 sendto", FIRST_SEND, "sent"),
    seq("a.14.2", R, "bind datagram wait:60 datagram", FIRST_RECEIVE, "delivered", logged=[5156]),
    seq("a.14.1", R, "bind datagram wait:59 datagram", LATER_RECEIVE, "delivered", logged=[]),
    seq("a.14.2 direction", S, "bind sendto wait:60 datagram", FIRST_RECEIVE, "delivered", logged=[5156]),
    seq("a.14.2 direction", R, "bind datagram wait:60 sendto", FIRST_SEND, "sent", logged=[5156]),
    seq("a.14.1 either direction", S, "bind sendto wait:59 datagram wait:59 sendto", DOWN, "sent"),
    seq("a.14.1 either direction", R, "bind datagram wait:59 sendto wait:59 datagram", LATER_RECEIVE, "delivered"),
    seq("a.14.1", S, "bind sendto wait:59 sendto wait:59 datagram", LATER_RECEIVE, "delivered"),
    seq("a.14.1 per peer", S, "bind sendto wait:30 sendto@B wait:30 sendto", FIRST_SEND, "sent"),
    seq("a.14.1 per peer", S, "bind sendto wait:30 sendto@B wait:30 sendto@B", DOWN, "sent"),
    seq("a.14.1 per peer", S, "bind sendto sendto@B wait:60 sendto@B", FIRST_SEND, "sent"),
    seq("a.14.1, a.11", S, "bind sendto policy_change wait:60 datagram", FIRST_RECEIVE, "delivered"),
    seq("a.14.1, a.11", S, "bind sendto wait:30 policy_change wait:30 sendto", FIRST_SEND, "sent"),  # a filter is no packet
    seq("a.14.1, b.4", S, "bind sendto wait:59 datagram!INBOUND_IPPACKET=block wait:1 sendto", FIRST_SEND, "sent"),  # it never reached the flow
    seq("a.14.1", S, "bind wait:600 sendto", FIRST_SEND, "sent"),
    seq("a.14.1", S, "wait:600 bind", BIND, None),
    seq("a.14.1", S, "sendto wait:60 sendto", FIRST_SEND, "sent"),  # the bind stays
    no("a.14.1", S, "bind idle_timeout", "'idle_timeout' is not possible", "flow NONE"),

    # --- close
    seq("a.13.1, g.2 A", S, "bind close", NONE, None, "closesocket returns success", []),
    seq("a.13.1, g.2 A", R, "bind datagram close", NONE, None, "closesocket returns success", []),
    seq("a.13.2, g.2 B", S, "bind close", "ENDPOINT_CLOSURE > RESOURCE_RELEASE", None, "closesocket returns success", [], **PAGES),
    seq("a.13.2, g.2 B", S, "bind close", "ENDPOINT_CLOSURE > RESOURCE_RELEASE", None, **LOGS),
    seq("a.13.2, g.2 B", R, "bind datagram close", "ENDPOINT_CLOSURE > RESOURCE_RELEASE", None, **CLOSES),
    seq("a.13.1 once", S, "bind sendto sendto@B sendto@C close", "ENDPOINT_CLOSURE > RESOURCE_RELEASE", None, **CLOSES),
    seq("a.13.1 implicit bind", S, "sendto close", "ENDPOINT_CLOSURE > RESOURCE_RELEASE", None, **CLOSES),
    seq("a.13.1, f/7", S, "bind close", "ENDPOINT_CLOSURE > RESOURCE_RELEASE", None, windows="7", **CLOSES),
    seq("a.13.1, f/7", S, "bind sendto close", NONE, None, "closesocket returns success", windows="vista", **CLOSES),
    seq("a.13.1, f/7", S, "bind close", NONE, None, windows="vista-sp1", evidence="documented"),
    seq("a.13.1 no assignment", S, "close", NONE, None, **CLOSES),
    no("a.13, b.4", S, "bind close!ENDPOINT_CLOSURE=block", "block", "ENDPOINT_CLOSURE", "cannot be blocked", **CLOSES),
    no("a.13, b.4", S, "bind close!RESOURCE_RELEASE=block", "block", "RESOURCE_RELEASE", "cannot be blocked", **CLOSES),
    no("b.3", S, "bind close!ENDPOINT_CLOSURE=absorb", "absorb", "ENDPOINT_CLOSURE", **CLOSES),
    no("b.3", S, "bind close!RESOURCE_RELEASE=absorb", "absorb", "RESOURCE_RELEASE", **CLOSES),
    no("a.13", S, "bind close sendto", "'sendto' is not possible in state CLOSED", "nothing, this is the end"),
    no("a.13", S, "close bind", "'bind' is not possible in state CLOSED"),
    no("a.13, f/7", S, "bind sendto close sendto", "'sendto' is not possible in state CLOSED", **OLD),
    no("a.13", S, "bind sendto close sendto", "'sendto' is not possible in state CLOSED", **CLOSES),
    no("a.13.4, f/7", S, "bind sendto sendto@B close sendto@B", "'sendto' is not possible in state CLOSED", **OLD),
    no("a.13.4", S, "bind sendto sendto@B close idle_timeout@B", "'idle_timeout' is not possible in state CLOSED", **CLOSES),
    no("a.13", S, "bind close bind", "'bind' is not possible in state CLOSED"),
    no("a.13", S, "bind close close", "'close' is not possible in state CLOSED"),
    no("a.13", R, "bind datagram close datagram", "'datagram' is not possible in state CLOSED"),
    no("a.13.4", S, "bind sendto sendto@B close sendto@B", "'sendto' is not possible in state CLOSED"),
    no("a.13.4", S, "bind sendto sendto@B close datagram", "'datagram' is not possible in state CLOSED"),
    no("a.13", S, "bind sendto close policy_change", "'policy_change' is not possible in state CLOSED"),
    no("a.13.4", S, "bind sendto close idle_timeout", "'idle_timeout' is not possible in state CLOSED"),
    no("a.13", S, "bind sendto close icmp_error", "'icmp_error' is not possible in state CLOSED"),
]
# fmt: on


ENGINES = ("table", "live")
VERSION = re.compile(r"_V([46])$")


def full_names(layers: str, ip: int) -> list[tuple[str, int]]:
    """The notation `A > B` as full FWPM names with their run-time ids; `A_V6` where the version does not follow."""
    found = []
    for word in filter(None, layers.split(" > ")):
        base, discard = word.removesuffix("_DISCARD"), "_DISCARD" if word.endswith("_DISCARD") else ""
        fixed = VERSION.search(base)
        version, base = int(fixed[1]) if fixed else ip, VERSION.sub("", base)
        ale = "ALE_" if base.split("_")[0] in ("BIND", "RESOURCE", "CONNECT", "AUTH", "FLOW", "ENDPOINT") else ""
        runtime_id = RUNTIME_IDS[base + discard][0 if version == 4 else 1]
        found.append((f"FWPM_LAYER_{ale}{base}_V{version}{discard}", runtime_id))
    return found


def play(endpoint: Endpoint, words: str) -> list[StimulusRecord]:
    """Do the words; the records of the last one. Verdicts hold for their own word only, and once."""
    verdicts: dict[str, str] = {}

    def callout(context: ClassifyContext) -> str | None:
        stem = context.layer.stem.removeprefix("ALE_")
        return verdicts.pop(f"{stem}_V{context.layer.ip_version}", None) or verdicts.pop(stem, None)

    endpoint.register(callout)
    records: list[StimulusRecord] = []
    for word in words.split():
        stimulus, _, given = word.partition("!")
        for pair in filter(None, given.split(",")):
            stem, _, verdict = pair.partition("=")
            verdicts[stem] = verdict
        assert all(VERSION.sub("", stem) in RUNTIME_IDS for stem in verdicts), f"{word}: no such layer in the facts"
        records = perform(endpoint, stimulus)
        assert not verdicts, f"{word}: {', '.join(verdicts)} was not reached"
    return records


def config_for(sequence: Sequence, ip: int) -> Config:
    return configure(ip=ip, **sequence.options)


@lru_cache(maxsize=4)
def live_endpoint(name: str, config: Config) -> Endpoint:
    return make_endpoint(name, config, "live")


def fresh(name: str, config: Config, engine: str) -> Endpoint:
    """An endpoint at its start. A live machine is built once (a sender's takes a fifth of a second) and set back."""
    if engine != "live":
        return make_endpoint(name, config, engine)
    endpoint = live_endpoint(name, config)
    Endpoint.__init__(endpoint, name, config, table=endpoint.table)
    endpoint._place(endpoint.table.start)
    return endpoint


def check(sequence: Sequence, ip: int, engine: str) -> None:
    endpoint = fresh(sequence.endpoint, config_for(sequence, ip), engine)
    if sequence.refused:
        with pytest.raises(NoTransition) as caught:
            play(endpoint, sequence.words)
        for mention in sequence.refused:
            assert mention in str(caught.value), f"{mention!r} is not in: {caught.value}"
        return
    records = play(endpoint, sequence.words)
    steps = [step for record in records for step in record.classified]
    assert [(step.layer, step.runtime_id) for step in steps] == full_names(sequence.layers, ip)
    last = records[-1]
    assert last.outcome is None or last.outcome in OUTCOMES
    if sequence.outcome is not ANY:
        assert last.outcome == sequence.outcome
    assert sequence.application in last.application_sees
    assert sequence.remote in last.remote_sees
    if sequence.logged is not ANY:
        assert [event for event, _ in last.logged] == sequence.logged


@pytest.mark.parametrize("sequence", SEQUENCES, ids=[s.name for s in SEQUENCES])
def test_what_facts_say_holds_for_both_ip_versions_on_both_engines(sequence: Sequence) -> None:
    for ip in (4, 6):
        for engine in ENGINES:
            check(sequence, ip, engine)


@pytest.mark.parametrize(
    "wrong",
    [
        seq("", S, "bind sendto", DOWN),
        seq("", S, "bind sendto", FIRST_SEND, "delivered"),
        seq("", S, "bind sendto", FIRST_SEND, "sent", "10013"),
        seq("", S, "bind sendto", FIRST_SEND, "sent", "", [5157]),
        seq("", S, "bind sendto", FIRST_SEND, "sent", remote="10054"),
        seq("", S, "bind sendto!AUTH_RECV_ACCEPT=block", FIRST_SEND),
        no("", S, "bind bind", "because of the weather"),
    ],
    ids=["layers", "outcome", "application", "logged", "remote", "unreached", "reason"],
)
def test_the_check_fails_on_a_wrong_expectation(wrong: Sequence) -> None:
    with pytest.raises(AssertionError):
        check(wrong, 4, "table")


def test_an_accepted_sequence_does_not_pass_as_refused() -> None:
    with pytest.raises(pytest.fail.Exception):
        check(no("", S, "bind sendto", "x"), 4, "table")


def test_there_are_enough_sequences_and_no_two_are_the_same() -> None:
    assert len({s.name for s in SEQUENCES}) == len(SEQUENCES) >= 80
    for section in ("a.1", "a.2", "a.3", "a.4", "a.6", "a.7", "a.8", "a.9", "a.10", "a.11", "a.13", "a.14"):
        assert any(
            part.strip().split(".")[:2] == section.split(".") for s in SEQUENCES for part in s.section.split(",")
        )


BLOCKED_AT = [  # fact b.4: words | the layer whose verdict stopped it
    (S, "bind!BIND_REDIRECT=block", "BIND_REDIRECT"),
    (S, "bind!RESOURCE_ASSIGNMENT=block", "RESOURCE_ASSIGNMENT"),
    (S, "bind sendto!CONNECT_REDIRECT=block", "CONNECT_REDIRECT"),
    (S, "bind sendto!AUTH_CONNECT=block", "AUTH_CONNECT"),
    (S, "bind sendto!AUTH_CONNECT=absorb", "AUTH_CONNECT"),
    (S, "bind sendto!AUTH_CONNECT=block,AUTH_CONNECT_DISCARD=block", "AUTH_CONNECT"),
    (S, "bind sendto!OUTBOUND_IPPACKET=block", "OUTBOUND_IPPACKET"),
    (R, "bind datagram!AUTH_RECV_ACCEPT=block", "AUTH_RECV_ACCEPT"),
    (R, "bind datagram!DATAGRAM_DATA=absorb", "DATAGRAM_DATA"),
    (S, "bind sendto policy_change datagram!AUTH_CONNECT=block", "AUTH_CONNECT"),
    (S, "bind sendto icmp_error!INBOUND_ICMP_ERROR=block", "INBOUND_ICMP_ERROR"),
    (D, "datagram!INBOUND_IPPACKET_DISCARD=block", "INBOUND_IPPACKET_DISCARD"),
    (D, "datagram!OUTBOUND_ICMP_ERROR=block", "OUTBOUND_ICMP_ERROR"),
    (D, "datagram", None),
    (S, "bind sendto", None),
]


@pytest.mark.parametrize(("endpoint", "words", "layer"), BLOCKED_AT)
def test_blocked_at_names_the_layer_whose_verdict_stopped_it(endpoint: str, words: str, layer: str | None) -> None:
    record = play(make_endpoint(endpoint, Config()), words)[-1]
    assert record.blocked_at == (full_names(layer, 4)[0][0] if layer else None)


ENDS_AT_A_TWIN = [s for s in SEQUENCES if s.words.endswith("=block") and s.layers.endswith("_DISCARD") and
                  s.words.endswith(f"{s.layers.split(' > ')[-1].removesuffix('_DISCARD')}=block")]  # fmt: skip


@pytest.mark.parametrize("sequence", ENDS_AT_A_TWIN, ids=[s.name for s in ENDS_AT_A_TWIN])
def test_a_second_block_at_the_discard_twin_changes_nothing(sequence: Sequence) -> None:
    """Facts c.3, b.4: the item is discarded already; only the discards of the stack itself can still be decided."""
    twin = sequence.layers.split(" > ")[-1]
    told = []
    for words in (sequence.words, f"{sequence.words},{twin}=block"):
        record = play(make_endpoint(sequence.endpoint, config_for(sequence, 4)), words)[-1]
        events = [event for event, _ in record.logged]
        told.append((record.outcome, record.blocked_at, record.application_sees, record.remote_sees, events))
        assert [step.layer for step in record.classified] == [name for name, _ in full_names(sequence.layers, 4)]
    assert told[0] == told[1]


def test_every_layer_with_a_twin_is_among_those_blocked_twice() -> None:
    twins = {stem for stem in RUNTIME_IDS if stem.endswith("_DISCARD")}
    assert {s.layers.split(" > ")[-1] for s in ENDS_AT_A_TWIN} == twins


def test_a_block_at_13_is_told_alike_whether_1_follows_or_not() -> None:
    """Facts a.9.5, b.4: the silent drop at 13 is logged and does not stop the ICMP error, under either option."""
    told = set()
    for option in ("transport", "both"):
        endpoint = make_endpoint(D, configure(assume={"no_listener": option}))
        record = play(endpoint, "datagram!INBOUND_TRANSPORT_DISCARD=block")[-1]
        told.add((record.outcome, record.blocked_at, tuple(event for event, _ in record.logged)))
    assert len(told) == 1, told


FLAGS = [  # words | options | layer | condition flags of its classify
    ("g.14", S, "sendto", {}, "RESOURCE_ASSIGNMENT", {"IS_WILDCARD_BIND"}),
    ("g.14", S, "bind", {}, "RESOURCE_ASSIGNMENT", set()),  # a port was asked for
    ("c/flags", S, "sendto", OLD, "RESOURCE_ASSIGNMENT", {"IS_WILDCARD_BIND", "IS_IMPLICIT_BIND"}),
    ("c/flags", S, "sendto", {"windows": "7"}, "RESOURCE_ASSIGNMENT", {"IS_WILDCARD_BIND"}),
    ("a.11.1", S, "bind sendto", {}, "AUTH_CONNECT", set()),
    ("a.11.1", S, "bind sendto policy_change sendto", {}, "AUTH_CONNECT", {"IS_REAUTHORIZE"}),
    ("a.11.1", S, "bind sendto policy_change datagram", {}, "AUTH_CONNECT", {"IS_REAUTHORIZE"}),
    ("a.11.1", R, "bind datagram policy_change datagram", {}, "AUTH_RECV_ACCEPT", {"IS_REAUTHORIZE"}),
    ("a.11.1", R, "bind datagram policy_change sendto", {}, "AUTH_RECV_ACCEPT", {"IS_REAUTHORIZE"}),
    (
        "a.11.6",
        R,
        "bind datagram policy_change datagram!AUTH_RECV_ACCEPT=block datagram",
        {},
        "AUTH_RECV_ACCEPT",
        set(),
    ),
    ("a.11.1", R, "bind datagram policy_change datagram", {}, "DATAGRAM_DATA", set()),
]


@pytest.mark.parametrize(("section", "endpoint", "words", "options", "layer", "flags"), FLAGS)
def test_a_layer_is_classified_with_the_flags_that_facts_give(
    section: str, endpoint: str, words: str, options: dict[str, Any], layer: str, flags: set[str]
) -> None:
    running = make_endpoint(endpoint, configure(**options))
    seen: list[set[str]] = []
    running.register(lambda c: seen.append(set(c.flags)) if c.layer.stem.removeprefix("ALE_") == layer else None)
    record = play(running, words)[-1]
    assert [set(s.flags) for s in record.classified if s.layer == full_names(layer, 4)[0][0]] == [flags], section
    assert seen[-1] == flags


DISCARDS = [  # facts c.1, c.2, c.3, c/network, c/transport and a.9.7: words | options | discard layer | module, reason, value
    (S, "bind sendto!AUTH_CONNECT=block", {}, "AUTH_CONNECT_DISCARD", ("GENERAL", "FIREWALL_POLICY", 0)),
    (R, "bind datagram!AUTH_RECV_ACCEPT=block", {}, "AUTH_RECV_ACCEPT_DISCARD", ("GENERAL", "FIREWALL_POLICY", 0)),
    (R, "bind datagram!INBOUND_IPPACKET=block", {}, "INBOUND_IPPACKET_DISCARD", ("GENERAL", "FIREWALL_POLICY", 0)),
    (R, "bind datagram!INBOUND_TRANSPORT=block", {}, "INBOUND_TRANSPORT_DISCARD", ("GENERAL", "FIREWALL_POLICY", 0)),
    (S, "bind!RESOURCE_ASSIGNMENT=block", {}, "RESOURCE_ASSIGNMENT_DISCARD", ("GENERAL", "FIREWALL_POLICY", 0)),
    (D, "datagram", {}, "INBOUND_IPPACKET_DISCARD", ("NETWORK", "IpDiscardPortUnreachable", 4)),
    (D, "datagram", LOGS, "INBOUND_TRANSPORT_DISCARD", ("TRANSPORT", "InetDiscardEndpointNotFound", 4)),
    (D, "datagram", BOTH, "INBOUND_TRANSPORT_DISCARD", ("TRANSPORT", "InetDiscardEndpointNotFound", 4)),
    (D, "datagram", BOTH, "INBOUND_IPPACKET_DISCARD", ("NETWORK", "IpDiscardPortUnreachable", 4)),
    (D, "datagram!INBOUND_IPPACKET=block", {}, "INBOUND_IPPACKET_DISCARD", ("GENERAL", "FIREWALL_POLICY", 0)),
    (D, "datagram!OUTBOUND_ICMP_ERROR=block", {}, "OUTBOUND_ICMP_ERROR_DISCARD", ("GENERAL", "FIREWALL_POLICY", 0)),
]


@pytest.mark.parametrize(("endpoint", "words", "options", "layer", "reason"), DISCARDS)
def test_discard_layers_give_the_module_and_reason_of_facts(
    endpoint: str, words: str, options: dict[str, Any], layer: str, reason: tuple[str, str, int]
) -> None:
    record = play(make_endpoint(endpoint, configure(**options)), words)[-1]
    steps = [step for step in record.classified if step.layer == full_names(layer, 4)[0][0]]
    assert len(steps) == 1 and steps[0].discard is not None
    assert (steps[0].discard.module, steps[0].discard.reason, steps[0].discard.value) == reason


LOGGED_AT = [  # fact b.4: the layer id that the Security event names is that of the layer, not of its discard twin
    (S, "bind!RESOURCE_ASSIGNMENT=block", {}, [(5159, 36)]),
    (S, "bind sendto!AUTH_CONNECT=block", {}, [(5157, 48), (5152, 48)]),
    (R, "bind datagram!AUTH_RECV_ACCEPT=block", {}, [(5152, 44), (5157, 44)]),
    (R, "bind datagram!INBOUND_IPPACKET=block", {}, [(5152, 0)]),
    (R, "bind datagram!INBOUND_TRANSPORT=block", {}, [(5152, 12)]),
    (S, "bind sendto icmp_error!INBOUND_ICMP_ERROR=block", {}, [(5152, 28)]),
    (D, "datagram!OUTBOUND_ICMP_ERROR=block", {}, [(5152, 32)]),
    (D, "datagram!INBOUND_IPPACKET_DISCARD=block", {}, [(5152, 1)]),
    (D, "datagram!INBOUND_TRANSPORT_DISCARD=block,OUTBOUND_ICMP_ERROR=block", LOGS, [(5152, 13), (5152, 32)]),
]


@pytest.mark.parametrize(("endpoint", "words", "options", "events"), LOGGED_AT)
def test_security_events_carry_the_layer_id_of_facts(
    endpoint: str, words: str, options: dict[str, Any], events: list[tuple[int, int]]
) -> None:
    record = play(make_endpoint(endpoint, configure(**options)), words)[-1]
    assert [(event, step.runtime_id) for event, step in record.logged] == events


BASES = [  # marks of the facts: endpoint | words | layer | basis of the last step there
    ("a.2.2", S, "bind sendto", "AUTH_CONNECT", "documented"),
    ("a.11.2", R, "bind datagram policy_change datagram", "AUTH_RECV_ACCEPT", "documented"),
    ("a.11.2 by symmetry", S, "bind sendto policy_change sendto", "AUTH_CONNECT", "inferred"),
    ("a.9.1", D, "datagram", "INBOUND_IPPACKET_DISCARD", "documented"),
    ("a.10.1 the IPPACKET step", S, "bind sendto icmp_error", "INBOUND_IPPACKET", "inferred"),
    ("b.4", S, "bind!BIND_REDIRECT=block", "BIND_REDIRECT", "inferred"),
    ("b.4", S, "bind sendto!CONNECT_REDIRECT=block", "CONNECT_REDIRECT", "inferred"),
    ("b.4", S, "bind sendto!AUTH_CONNECT=block", "AUTH_CONNECT", "observed"),
]


@pytest.mark.parametrize(("section", "endpoint", "words", "layer", "basis"), BASES)
def test_a_step_has_the_basis_that_facts_mark(section: str, endpoint: str, words: str, layer: str, basis: str) -> None:
    record = play(make_endpoint(endpoint, Config()), words)[-1]
    assert [s.basis for s in record.classified if s.layer == full_names(layer, 4)[0][0]] == [basis], section


def test_a_reauthorization_that_is_absorbed_is_not_called_documented() -> None:
    """Fact b.3 documents that the packet vanishes; that the flow ends with it (a.11.6) is concluded."""
    for endpoint, words in (
        (S, "bind sendto policy_change sendto!AUTH_CONNECT=absorb"),
        (R, "bind datagram policy_change datagram!AUTH_RECV_ACCEPT=absorb"),
    ):
        step = play(make_endpoint(endpoint, Config()), words)[-1].classified[-1]
        assert "drop_flow" not in step.ops or step.basis == "inferred", step.rule
