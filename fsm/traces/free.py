"""What a conversation may be explained by: what its own lines rule out, and what happens so rarely that it is told.

An explanation that rests on something rare, like a callout that injects, is no agreement by itself: whoever runs the
driver knows whether that happened, and says so.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from fsm.endpoint import UNICAST_LIFETIME_S
from fsm.names import Verdict
from fsm.stimuli import STIMULI, UNCOMMON, USUAL
from fsm.traces.automaton import NO_SOCKET, PORT, Limits
from fsm.traces.conversations import Conversation
from fsm.traces.explanation import IDLE_TIMEOUT
from fsm.traces.finding import CHANGES_HANDS, Told
from fsm.traces.words import split_end

REOPENED = "port_reopened"  # the port's socket was closed and another one has it, where no line could show a bind
RARE: tuple[str, ...] = tuple(name for name in STIMULI if name not in (*USUAL, *UNCOMMON))
# What has to be allowed before a trace agrees by it.
ALLOWABLE: tuple[str, ...] = (*RARE, IDLE_TIMEOUT, REOPENED)
RARE_TEXTS: dict[str, str] = {
    **{name: STIMULI[name].text for name in (*RARE, IDLE_TIMEOUT)},
    REOPENED: "the socket was closed and another one has its port",
}
GROUP, UNICAST = "group", "unicast"

_COMPLETIONS = frozenset(("complete", "complete_block", "complete_group", "complete_group_block"))
_TO_GROUP = frozenset(("sendto_group", "complete_group", "complete_group_block"))
_WITH_ONE = frozenset(
    ("sendto", "datagram", "datagram_group", "inject_send", "inject_receive", "complete", "complete_block",
     "icmp_error", "icmp_ttl")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Free:
    """`plain` are the limits of an agreement, `rare` those with everything that the lines do not rule out."""

    plain: Limits
    rare: Limits


def kind_of(end: str) -> str:
    """ "group" or "unicast"; "" where an end does not tell: without address, or the last address of a possible net."""
    text = split_end(end)[0]
    if not text:
        return ""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_multicast or address == ipaddress.IPv4Address("255.255.255.255"):
        return GROUP
    # A directed broadcast depends on the mask, which no log shows.
    return "" if address.is_unspecified or (address.version == 4 and address.packed[-1] == 255) else UNICAST


def free_of(conversation: Conversation, limits: Limits, allowed: frozenset[str], visible: Iterable[str]) -> Free:
    """What this conversation may be explained by.

    Parameters
    ----------
    limits : what is known not to be, of every conversation.
    allowed : of `ALLOWABLE`, what may have happened.
    visible : the layers at which a callout stands.
    """
    lines = conversation.observations
    known = {seen.verdict for seen in lines}
    ruled_out = set(limits.never)
    remote = kind_of(conversation.remote)
    if remote == UNICAST:
        ruled_out |= _TO_GROUP
        if all(kind_of(seen.local) == UNICAST for seen in lines if seen.remote):
            ruled_out.add("datagram_group")
    elif remote == GROUP:
        ruled_out |= _WITH_ONE
    shows_idle = _shows_idle(conversation)
    if shows_idle is False:
        ruled_out.add(IDLE_TIMEOUT)
    elsewhere = frozenset(("connect_other",) if conversation.remote else ())
    # With a handle it is one socket. Where a callout sees binds, a new socket shows by its own lines.
    shows_binds = any("_RESOURCE_ASSIGNMENT_" in layer and not layer.endswith("_DISCARD") for layer in visible)
    mine = tuple(role for role in limits.roles if role != PORT or not (conversation.handle or REOPENED in limits.never))
    free = {*allowed, *(_COMPLETIONS if Verdict.PEND in known else ()), *((IDLE_TIMEOUT,) if shows_idle else ())}
    untold = {name for name in (*RARE, IDLE_TIMEOUT) if name not in free}
    plain = tuple(role for role in mine if role != PORT or shows_binds or REOPENED in free)
    return Free(
        replace(limits, never=frozenset(ruled_out | untold), elsewhere=elsewhere, roles=plain),
        replace(limits, never=frozenset(ruled_out), elsewhere=elsewhere, roles=mine),
    )


def needs_of(told: Iterable[Told], free: Free) -> tuple[tuple[str, int], ...]:
    """What is rare in an explanation and not of an agreement, and how often it happens."""
    found: Counter[str] = Counter()
    for one in told:
        if one.stimulus == CHANGES_HANDS:
            # Closed and taken again are two steps of one happening.
            if PORT not in free.plain.roles and not one.to_state.startswith(NO_SOCKET):
                found[REOPENED] += 1
        elif one.stimulus in ALLOWABLE and one.stimulus in free.plain.never:
            found[one.stimulus] += 1
    return tuple(found.items())


def _shows_idle(conversation: Conversation) -> bool | None:
    """Whether the times show a flow without any packet for its lifetime; None where they do not tell."""
    times = [seen.at_s for seen in conversation.observations if seen.remote or not conversation.remote]
    told = [at_s for at_s in times if at_s is not None]
    if len(told) < len(times) or any(a > b for a, b in pairwise(told)):
        return None
    return any(b - a >= UNICAST_LIFETIME_S - 1 for a, b in pairwise(told))  # logs round
