"""`wfp-udp sources`: where the sources disagree, and what each setting takes."""

from __future__ import annotations

import json

import click

from fsm.cli.options import config_of, machine_options


@click.command("sources")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@machine_options
def command(output_format: str, ip: int, windows: str, evidence: str, assumptions: tuple[str, ...]) -> None:
    """Print each dispute with its sides, who speaks for them, and which one each order of evidence takes."""
    from dataclasses import asdict

    from fsm import rule_text
    from fsm.sources import SOURCES

    config = config_of(ip, windows, evidence, assumptions)
    if output_format == "json":
        record = {"choices": rule_text.disputes_json(config), "sources": [asdict(s) for s in SOURCES.values()]}
        click.echo(json.dumps(record, indent=2))
    else:
        click.echo(rule_text.sources_text(config))
