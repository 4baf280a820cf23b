"""`wfp-udp rules`: the table that everything is made from."""

from __future__ import annotations

import json

import click

from fsm.choices import Config
from fsm.cli.options import config_options
from fsm.errors import FsmError


@click.command("rules")
@click.argument("words", nargs=-1, metavar="[FILTER]")
@click.option(
    "--format", "output_format", type=click.Choice(["table", "json", "md"]), default="table", show_default=True
)
@click.option("--active", is_flag=True, help="Only the rules that stand in the configuration of the options below.")
@click.option("--configurations", is_flag=True, help="JSON: count states, rows and edges in every configuration.")
@config_options
def command(
    words: tuple[str, ...],
    output_format: str,
    active: bool,
    configurations: bool,
    config: Config,
) -> None:
    """Print the rules with citations and basis.

    FILTER is a layer in any spelling, an endpoint, a stimulus, a position, a source, a basis, a dispute, or part of
    a rule's key.
    """
    from fsm import rule_text
    from fsm.choices import CHOICES
    from fsm.rules import RULES

    if configurations and output_format != "json":
        raise FsmError("--configurations", "the counts are part of the JSON", fix="Add --format json")
    rows = rule_text.find_rules(" ".join(words), RULES)
    if active:
        chosen = {name: config.choice(name) for name in CHOICES}
        rows = tuple(
            row
            for row in rows
            if row.on_windows(config.windows) and all(chosen[name] in options for name, options in row.choices)
        )
    if output_format == "json":
        machines = rule_text.configurations() if configurations else [config]
        counts = [entry for machine in machines for entry in rule_text.table_counts(machine)]
        record = {"count": len(rows), "counts": counts, "rules": [rule_text.rule_json(row) for row in rows]}
        click.echo(json.dumps(record, indent=2))
    else:
        click.echo(rule_text.rules_markdown(rows) if output_format == "md" else rule_text.rules_text(rows))
