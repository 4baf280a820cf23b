"""`wfp-udp scenario FILE...`: run scenario files and say where they fail; pytest collects the same files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsm.cli.options import format_option
from fsm.counts import counted

if TYPE_CHECKING:
    from fsm.policy.model import Policy
    from fsm.scenarios.model import Scenario, UsePolicy


@click.command("scenario")
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--engine", default="table", show_default=True, metavar="table|live", help="Which engine runs them.")
@format_option
@click.option("--list", "only_list", is_flag=True, help="Only say which scenarios the files hold.")
@click.option("--grammar", is_flag=True, help="Print the language and stop.")
def command(files: tuple[str, ...], engine: str, output_format: str, only_list: bool, grammar: bool) -> None:
    """Run the scenarios of FILE... (see the page on scenario files); `-` reads standard input.

    Exit status: 0 when every expectation held, 1 when one did not, 2 when a file cannot be read.
    """
    import json

    from fsm.errors import FsmError
    from fsm.scenarios.parse import grammar_text, parse
    from fsm.scenarios.run import ScenarioRun, run_scenario

    if grammar:
        click.echo(grammar_text())
        return
    if not files:
        raise FsmError(
            "wfp-udp scenario",
            "no file is given",
            fix="Name one, or - for standard input; --grammar prints the language",
        )
    runs: list[ScenarioRun] = []
    for file in files:
        for scenario in parse(_text_of(file), file):
            if only_list:
                click.echo(f"{scenario.spot.source}:{scenario.spot.line}: {scenario.title}")
                continue
            run = run_scenario(scenario, engine=engine, load_policy=_loaded)
            runs.append(run)
            if output_format == "text":
                expected = counted(run.expectations, "expectation")
                click.echo(f"{'passed' if run.passed else 'FAILED'}  {scenario.title} ({expected})")
                if not run.passed:
                    click.echo(run.text())
    if only_list:
        return
    failed = sum(not run.passed for run in runs)
    if output_format == "json":
        click.echo(json.dumps([_json_of(run) for run in runs], indent=1))
    else:
        expectations = sum(run.expectations for run in runs)
        click.echo(
            f"{counted(len(runs), 'scenario')}, {len(runs) - failed} passed, {failed} failed; "
            f"{counted(expectations, 'expectation')}"
        )
    if failed:
        raise SystemExit(1)


def _loaded(scenario: Scenario, line: UsePolicy) -> Policy:
    """The policy of a line: a path beside the scenario file, or below the present folder for standard input."""
    from fsm.errors import FsmError
    from fsm.policy.read import read_policy

    source = scenario.spot.source
    path = Path(line.file) if source == "-" else Path(source).parent / line.file
    try:
        return read_policy(path)
    except FsmError as error:
        more = len(getattr(error, "errors", ())) - 1
        fix = f"wfp-udp policy names {counted(more, 'more mistake')}" if more > 0 else error.fix
        raise FsmError(f"{line.spot}: policy {error.where}", error.what, error.nearest, fix) from None


def _text_of(file: str) -> str:
    from fsm.errors import FsmError
    from fsm.scenarios.files import text_of

    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise FsmError(file, f"cannot be read: {error.strerror or error}") from None
    return text_of(data, file)


def _json_of(run: object) -> dict[str, object]:
    from fsm.scenarios.run import ScenarioRun

    assert isinstance(run, ScenarioRun)
    spot = run.scenario.spot
    return {
        "file": spot.source,
        "line": spot.line,
        "scenario": run.scenario.title,
        "passed": run.passed,
        "expectations": run.expectations,
        "failures": [
            {
                "line": failure.line,
                "column": failure.column,
                "what": failure.what,
                "lines": list(failure.lines),
                "step_through": failure.step_through,
            }
            for failure in run.failures
        ],
    }
