"""`wfp-udp advise`: at which layer to register for what a callout wants."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from fsm.choices import Config
from fsm.cli.options import config_options, format_option
from fsm.errors import FsmError, UnknownName

if TYPE_CHECKING:
    from fsm.draw.pictures import Picture
    from fsm.policy.advise import Advice


@click.command("advise", short_help="At which layer to register for what a callout wants.")
@click.option(
    "--need", "needs", multiple=True, metavar="WANT", help="What it reads: process, payload ... May be repeated."
)
@click.option("--may", multiple=True, metavar="WANT", help="What it does: delay, block, modify ... May be repeated.")
@click.option("--list", "list_wants", is_flag=True, help="Print what can be wanted, and stop.")
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="EVENT",
    help="send, receive, bind, no_listener, icmp_error, close. May be repeated.  [default: send and receive]",
)
@click.option("--direction", default=None, metavar="both|outbound|inbound", help="In place of --event.")
@click.option(
    "-o", "--output", default="", metavar="FILE", help="Draw the run with the chosen layer marked (one event)."
)
@format_option
@config_options
def command(
    needs: tuple[str, ...],
    may: tuple[str, ...],
    list_wants: bool,
    events: tuple[str, ...],
    direction: str | None,
    output: str,
    output_format: str,
    config: Config,
) -> None:
    """Say at which layer to register for what a callout wants, what is lost there, and why the others are not fit.

    \b
    Examples:
      wfp-udp advise --need process --need payload --may delay
      wfp-udp advise --need before_route --may redirect --event send
      wfp-udp advise --need every_packet --may modify --direction inbound -o inbound.svg
    """
    from fsm.policy.advise import DIRECTIONS, advise
    from fsm.policy.advise_text import advice_text, wants_text

    if list_wants:
        click.echo(wants_text())
        return
    if direction is not None:
        if events:
            raise FsmError("--direction", "it is given beside --event", fix="Give one of them")
        if direction not in DIRECTIONS:
            raise UnknownName.of("--direction", "direction", direction, DIRECTIONS)
        events = DIRECTIONS[direction]
    asked = tuple(event.strip().lower().replace("-", "_") for event in events) or ("send", "receive")
    if output and len(set(asked)) > 1:
        raise FsmError("-o", f"a picture shows one event, and {len(set(asked))} are asked", fix="Give --event")
    advice = advise(needs, may, events=asked, config=config)
    pictures = {event: _picture(advice, event) for event in advice.events}
    if output:
        from fsm.cli.picture_file import format_of, save

        save(pictures[advice.events[0]], output, format_of(None, output))
    if output_format == "json":
        click.echo(json.dumps(advice.to_json(), indent=2))
    else:
        click.echo(advice_text(advice, {event: shown.text() for event, shown in pictures.items()}))


def _picture(advice: Advice, event: str) -> Picture:
    """The run with the chosen layer marked, or both of a pair where none has everything."""
    from fsm.draw.pictures import Highlight, run_picture

    run = advice.runs[event]
    chosen = {advice.best(event).layer.name}
    if advice.pairs[event] and advice.best(event).fit != "fits":
        pair = advice.pairs[event][0]
        chosen = {pair.first.layer.name, pair.second.layer.name}
    rows = tuple(labelled.step.rule for labelled in run.steps if labelled.step.layer in chosen)
    return run_picture(run, Highlight(path=rows))
