"""`wfp-udp whatif`: what would this policy do to this datagram?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from fsm.choices import Config
from fsm.cli.circumstances import circumstances_options, known_of
from fsm.cli.options import config_options, format_option

if TYPE_CHECKING:
    from fsm.policy.answer import Whatif
    from fsm.policy.model import Policy


@click.command("whatif")
@click.argument("policy", metavar="POLICY")
@click.option("--from", "from_", required=True, metavar="ADDRESS:PORT", help="Who sends, such as 192.0.2.1:50000.")
@click.option("--to", required=True, metavar="ADDRESS:PORT", help="Who it is for, such as [2001:db8::1]:53.")
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="STIMULUS",
    help="sendto, receive, bind, icmp_error, wait:61 ... May be repeated: one after the other.  [default: sendto]",
)
@click.option(
    "--flow-state",
    default="none",
    show_default=True,
    metavar="STATE",
    help="What was before: none (a bound socket), out, in, out_stale, in_stale.",
)
@click.option("--no-listener", is_flag=True, help="No socket owns the port that it arrives at.")
@circumstances_options
@click.option("--all", "everything", is_flag=True, help="Every filter that did not match, and every open question.")
@click.option("--diagram", default="", metavar="FILE", help="Draw the path, and the filters, on the one-page picture.")
@format_option
@config_options
def command(
    policy: str,
    from_: str,
    to: str,
    events: tuple[str, ...],
    flow_state: str,
    no_listener: bool,
    everything: bool,
    diagram: str,
    output_format: str,
    config: Config,
    **given: Any,
) -> None:
    """What would POLICY do to a datagram?

    POLICY is the XML of `netsh wfp show state` or `netsh wfp show filters`, or a policy file. What is not given stays
    open; the answer says which open question matters. IP version and loopback follow from the addresses.

    \b
    Examples:
      wfp-udp whatif state.xml --from 192.0.2.1:50000 --to 198.51.100.1:53 --ordinary
      wfp-udp whatif state.xml --from 198.51.100.1:53 --to 192.0.2.1:50000 --event receive --no-listener
      wfp-udp whatif policy.toml --from 192.0.2.1:50000 --to 198.51.100.1:53 --event sendto --event wait:61
          --event receive
    """
    from fsm.policy.read import read_policy
    from fsm.policy.whatif import whatif
    from fsm.policy.whatif_text import whatif_text

    read = read_policy(policy)
    answer = whatif(
        read,
        from_=from_,
        to=to,
        event=events or "sendto",
        flow_state=flow_state,
        listener=not no_listener,
        config=config,
        **known_of(given),
    )
    if diagram:
        _draw(read, answer, diagram)
    click.echo(
        json.dumps(answer.to_json(), indent=2)
        if output_format == "json"
        else whatif_text(answer, everything=everything)
    )


def _draw(policy: Policy, answer: Whatif, output: str) -> None:
    from fsm.cli.picture_file import format_of, save
    from fsm.draw.overlay import Overlay
    from fsm.draw.policy_picture import policy_picture

    shown = policy_picture(policy, answer.config, Overlay.of_steps(answer.steps))
    save(shown, output, format_of(None, output))
