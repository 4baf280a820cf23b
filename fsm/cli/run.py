"""`wfp-udp run`: run any sequence of stimuli."""

from __future__ import annotations

import json

import click

from fsm.choices import Config
from fsm.cli.options import run_options, verdicts_of


@click.command("run")
@click.argument("endpoint", metavar="ENDPOINT")
@click.argument("stimuli", nargs=-1, required=True, metavar="STIMULUS...")
@run_options
def command(
    endpoint: str,
    stimuli: tuple[str, ...],
    config: Config,
    blocks: tuple[str, ...],
    verdicts: tuple[str, ...],
    engine: str,
    output_format: str,
) -> None:
    """Run STIMULUS... on ENDPOINT (sender, receiver, dropped_port).

    A stimulus is a word such as bind, sendto, datagram, policy_change, close; sendto@B is for a second peer,
    wait:61 lets 61 seconds of model time pass.

    \b
    Example: wfp-udp run sender bind sendto policy_change datagram wait:61 sendto close
    """
    from fsm.flow_text import run_text
    from fsm.flows import run_stimuli

    run = run_stimuli(
        endpoint.replace("-", "_").lower(),
        stimuli,
        config,
        engine=engine,
        blocks=blocks,
        verdicts=verdicts_of(verdicts),
    )
    click.echo(json.dumps(run.to_json(), indent=2) if output_format == "json" else run_text(run))
