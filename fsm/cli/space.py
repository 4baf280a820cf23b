"""The options about which datagrams are asked about, which `search` and `compare` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from fsm.cli.circumstances import known_of
from fsm.cli.options import config_of
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


def question_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked and what is known, as `search` and `compare` take it, all but the event.

    Raises
    ------
    FsmError : a name that does not exist, a value that does not fit, the protocol given twice.
    """
    assumptions = _with_protocol(given["protocol"], given["assumptions"])
    return {
        "from_": given["from_"],
        "to": given["to"],
        "flow_state": given["flow_state"],
        "listener": not given["no_listener"],
        "config": config_of(given["ip"], given["windows"], given["evidence"], assumptions),
        **known_of(given),
    }


def _with_protocol(protocol: str | None, assumptions: tuple[str, ...]) -> tuple[str, ...]:
    if protocol is None:
        return assumptions
    if any(word.partition("=")[0].strip() == "protocol" for word in assumptions):
        raise FsmError("--protocol", "the protocol is given in --assume too", fix="Keep one")
    return (*assumptions, f"protocol={protocol}")
