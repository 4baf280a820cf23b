"""The options about which datagrams are asked about, which `search` and `compare` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from fsm.errors import FsmError

_OPTIONS: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option(
        "--from", "from_", default="", metavar="ENDS", help="Only from these: 10.0.0.0/8, 10.0.0.1:1024-65535, *:53."
    ),
    click.option("--to", default="", metavar="ENDS", help="Only to these, as above; [2001:db8::/32]:53 for IPv6."),
    click.option(
        "--event",
        "events",
        multiple=True,
        metavar="STIMULUS",
        help="sendto, receive, bind, icmp_error, wait:61 ... May be repeated: one after the other.  [default: sendto]",
    ),
    click.option(
        "--flow-state",
        default="none",
        show_default=True,
        metavar="STATE",
        help="What was before: none (a bound socket), out, in, out_stale, in_stale.",
    ),
    click.option("--no-listener", is_flag=True, help="No socket owns the port that it arrives at."),
    click.option("--loopback", is_flag=True, help="Traffic between loopback addresses, and no other."),
    click.option("--protocol", metavar="PROTOCOL", help="udp, icmp_echo, igmp or raw, as --assume protocol=."),
)


def space_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--from` to `--protocol`, in this order in the help."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def assumptions_with(protocol: str | None, assumptions: tuple[str, ...]) -> tuple[str, ...]:
    """The assumptions with the protocol among them.

    Raises
    ------
    FsmError : the protocol is given twice.
    """
    if protocol is None:
        return assumptions
    if any(word.partition("=")[0].strip() == "protocol" for word in assumptions):
        raise FsmError("--protocol", "the protocol is given in --assume too", fix="Keep one")
    return (*assumptions, f"protocol={protocol}")
