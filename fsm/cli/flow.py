"""`wfp-udp flow`: run a flow of the catalogue."""

from __future__ import annotations

import json

import click

from fsm.choices import Config
from fsm.cli.options import run_options, verdicts_of


@click.command("flow")
@click.argument("name", required=False, metavar="[FLOW]")
@run_options
def command(
    name: str | None,
    config: Config,
    blocks: tuple[str, ...],
    verdicts: tuple[str, ...],
    engine: str,
    output_format: str,
) -> None:
    """Run a documented FLOW on the machine and print each layer that sees it. Without FLOW: list them."""
    from fsm.flow_text import flow_list_text, run_text
    from fsm.flows import FLOWS, run_flow

    if name is None:
        if output_format == "json":
            names = ("name", "endpoint", "title", "setup", "stimuli", "cite")
            listed = [{name: getattr(flow, name) for name in names} for flow in FLOWS.values()]
            click.echo(json.dumps({"flows": listed}, indent=2))
        else:
            click.echo(flow_list_text())
        return
    run = run_flow(name, config, engine=engine, blocks=blocks, verdicts=verdicts_of(verdicts))
    click.echo(json.dumps(run.to_json(), indent=2) if output_format == "json" else run_text(run))
