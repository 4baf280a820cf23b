"""`wfp-udp sources`: where the sources disagree, what each setting takes, and the facts that rows and tests cite."""

from __future__ import annotations

import json

import click

from fsm.choices import Config
from fsm.cli.options import config_options, format_option


@click.command("sources")
@click.argument("facts", metavar="[FACT]...", nargs=-1)
@format_option
@config_options
def command(facts: tuple[str, ...], output_format: str, config: Config) -> None:
    """Print each dispute with its sides, who speaks for them, and which one each order of evidence takes.

    With FACT, a number such as a.9.2 or a part such as g, print those facts and their sources: they are what comments,
    tests and evidence reports cite, and the same on every machine.
    """
    from dataclasses import asdict

    from fsm import fact_text, rule_text
    from fsm.facts import find
    from fsm.sources import SOURCES

    if facts:
        found = find(facts)
        if output_format == "json":
            click.echo(json.dumps({"facts": [fact_text.fact_json(fact.number) for fact in found]}, indent=2))
        else:
            click.echo(fact_text.facts_text(found))
    elif output_format == "json":
        record = {"choices": rule_text.disputes_json(config), "sources": [asdict(s) for s in SOURCES.values()]}
        click.echo(json.dumps(record, indent=2))
    else:
        click.echo(rule_text.sources_text(config))
