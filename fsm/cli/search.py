"""`wfp-udp search`: every datagram with an outcome, as ranges."""

from __future__ import annotations

import json
from typing import Any

import click

from fsm.cli.circumstances import circumstances_options
from fsm.cli.options import format_option, machine_options
from fsm.cli.space import question_of, space_options


@click.command("search")
@click.argument("policy", metavar="POLICY")
@click.argument("layer", metavar="[LAYER]", required=False)
@click.option(
    "--outcome",
    required=True,
    metavar="OUTCOME",
    help="delivered, sent, blocked, silent, icmp_error, pended, unknown, or 'blocked-at LAYER'.",
)
@space_options
@circumstances_options
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1), help="List at most so many sets.")
@click.option("--all", "everything", is_flag=True, help="Every range, name and open question of a set.")
@format_option
@machine_options
def command(
    policy: str,
    layer: str | None,
    outcome: str,
    limit: int,
    everything: bool,
    output_format: str,
    **given: Any,
) -> None:
    """Which datagrams have this outcome with POLICY? The answer is complete, or says for which it is not known.

    What is not given is split along the conditions that occur: addresses, ports, programs, users, interfaces, flags.
    Datagrams to one host and to a group are answered apart, and so is traffic that stays on this host (--loopback).

    \b
    Examples:
      wfp-udp search state.xml --outcome delivered --event receive --ordinary --callouts permit
      wfp-udp search policy.toml --outcome blocked-at ALE_AUTH_CONNECT --to '*:53'
      wfp-udp search policy.toml --outcome blocked --from 192.168.0.0/16 --to 255.255.255.255:67
    """
    from fsm.policy.read import read_policy
    from fsm.policy.search import search
    from fsm.policy.search_text import search_text

    answer = search(
        read_policy(policy),
        outcome,
        layer=layer,
        event=given["events"] or "sendto",
        loopback=given["loopback"],
        limit_boxes=limit,
        **question_of(given),
    )
    click.echo(
        json.dumps(answer.to_json(), indent=1)
        if output_format == "json"
        else search_text(answer, everything=everything)
    )
