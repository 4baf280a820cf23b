"""`wfp-udp lint`: what is wrong, in vain or surprising in a policy."""

from __future__ import annotations

import json
import sys

import click

from fsm.cli.options import format_option
from fsm.names import WINDOWS


@click.command("lint", short_help="Find what is wrong or in vain in a policy.")
@click.argument("policy", metavar="POLICY", required=False)
@format_option
@click.option("--rule", "rules", multiple=True, metavar="NAME", help="Only this rule. May be repeated.")
@click.option("--list-rules", is_flag=True, help="Print the rules, with reason and source, and stop.")
@click.option("--windows", default="11", show_default=True, metavar="VERSION", help=f"One of {', '.join(WINDOWS)}.")
@click.option("--all", "everything", is_flag=True, help="Every finding, not the first dozen of each rule.")
def command(
    policy: str | None, output_format: str, rules: tuple[str, ...], list_rules: bool, windows: str, everything: bool
) -> None:
    """Find what is wrong, in vain or surprising in POLICY.

    POLICY is the XML of `netsh wfp show state` or `netsh wfp show filters`, or a policy file; `-` is standard input.
    Exit status 1 when there are errors, 0 when there are none (warnings and hints do not count).

    \b
    Examples:
      wfp-udp lint state.xml
      wfp-udp lint policy.toml --rule shadowed --rule tie
      wfp-udp lint --list-rules
    """
    from fsm.policy.lint import lint
    from fsm.policy.lint_text import lint_text, rules_text
    from fsm.policy.read import read_policy

    if list_rules:
        click.echo(rules_text(output_format))
        return
    if policy is None:
        raise click.UsageError("Missing argument 'POLICY'.")
    read = read_policy(sys.stdin.buffer, name="standard input") if policy == "-" else read_policy(policy)
    report = lint(read, rules=tuple(rule.strip().lower() for rule in rules), windows=windows)
    click.echo(
        json.dumps(report.to_json(), indent=2) if output_format == "json" else lint_text(report, everything=everything)
    )
    if report.count("error"):
        sys.exit(1)
