"""`wfp-udp plan`: the fewest scenarios that cover edges, pairs of edges, refusals or layers."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import click

from fsm.choices import Config
from fsm.cli.options import config_options
from fsm.counts import counted

if TYPE_CHECKING:
    from fsm.plan.cover import Cover
    from fsm.plan.unreachable import Unreachable
    from fsm.table import Table


@click.command("plan")
@click.argument("endpoints", nargs=-1, metavar="[ENDPOINT]...")
@click.option(
    "--cover",
    "goal",
    default="edges",
    show_default=True,
    metavar="edges|pairs|refusals|layers",
    help="What every scenario together has to exercise.",
)
@click.option("--stimuli", default="", metavar="LIST", help="Only these stimuli, separated by commas.")
@click.option("--verdicts", default="", metavar="LIST", help="Only these verdicts (permit is always one of them).")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "scenario", "checklist", "json"]),
    default="text",
    show_default=True,
    help="A summary, scenario files, a list for a person, or JSON.",
)
@click.option("--unreachable", "every", is_flag=True, help="List each thing that cannot be exercised, with its proof.")
@click.option("-o", "--output", default="", metavar="FOLDER", help="Write one scenario file for each endpoint there.")
@config_options
def command(
    endpoints: tuple[str, ...], goal: str, stimuli: str, verdicts: str, output_format: str, every: bool, output: str,
    config: Config,
) -> None:  # fmt: skip
    """Plan for ENDPOINT... (sender, receiver, dropped_port; all three by default).

    What cannot be exercised is counted beforehand, by reason; with --unreachable, in scenario files, checklists and
    JSON it is listed with the proof. For edges and pairs the plan is the best there is: no set of scenarios from the
    start covers them with fewer scenarios, or with as few and fewer steps. For refusals and layers it is a good one,
    and the summary says what no plan can undercut.
    """
    import json

    from fsm.errors import UnknownName
    from fsm.names import ENDPOINTS
    from fsm.plan.checklist import checklist
    from fsm.plan.cover import GOALS, cover
    from fsm.plan.moves import moves_of
    from fsm.plan.scenarios import scenarios_of
    from fsm.plan.unreachable import unreachable
    from fsm.scenarios.write import scenario_text
    from fsm.table import compile_table

    if goal not in GOALS:
        raise UnknownName.of("--cover", "goal", goal, GOALS)
    names = list(dict.fromkeys(_named(endpoint) for endpoint in endpoints)) or list(ENDPOINTS)
    asked = {option: _listed(text, option) for option, text in (("--stimuli", stimuli), ("--verdicts", verdicts))}
    parts: list[dict[str, Any]] = []
    for name in names:
        table = compile_table(name, config)
        offered = [s for s in asked["--stimuli"] if _is_offered(table, s, names)]
        if asked["--stimuli"] and not offered:  # moves_of takes none for all
            click.echo(f"{name} is left out: nothing of {', '.join(asked['--stimuli'])} happens to it", err=True)
            continue
        moves = moves_of(table, offered, asked["--verdicts"], where=("--stimuli", "--verdicts"))
        plan, missing = cover(moves, goal), unreachable(moves, goal)
        scenarios = list(scenarios_of(table, plan))
        if output and scenarios:  # a file without a scenario cannot be read back
            _write(output, f"{name}_{goal}.wfp", "\n".join(map(scenario_text, scenarios)))
        if output_format == "text":
            click.echo(_text(table, plan, missing, every=every))
        elif output_format == "scenario":
            click.echo(_head(table, plan, missing) + "\n".join(map(scenario_text, scenarios)))
        elif output_format == "checklist":
            click.echo(_head(table, plan, missing, mark="") + "\n".join(checklist(scenarios)))
        else:
            parts.append(_json_of(table, plan, missing, list(map(scenario_text, scenarios))))
    if output_format == "json":
        click.echo(json.dumps(parts, indent=1))


def _named(endpoint: str) -> str:
    from fsm.errors import UnknownName
    from fsm.names import ENDPOINTS

    name = endpoint.strip().lower().replace("-", "_")
    if name not in ENDPOINTS:
        raise UnknownName.of("plan", "endpoint", endpoint, ENDPOINTS)
    return name


def _listed(text: str, option: str) -> list[str]:
    from fsm.errors import FsmError

    words = [word.strip() for word in text.split(",")] if text else []
    if any(not word for word in words):
        raise FsmError(option, f"'{text}' has an empty part", fix="Separate names by single commas")
    return words


def _is_offered(table: Table, stimulus: str, names: list[str]) -> bool:
    """Whether this endpoint has the stimulus; where it is the only endpoint, a missing one is told by `moves_of`."""
    from fsm.stimuli import STIMULI, STIMULUS_ALIASES

    name = stimulus.lower().replace("-", "_")
    name = STIMULUS_ALIASES.get(name, name)
    return len(names) == 1 or name not in STIMULI or name in table.view.stimuli


def _write(folder: str, name: str, text: str) -> None:
    from pathlib import Path

    from fsm.errors import FsmError

    path = Path(folder)
    if not path.is_dir():
        raise FsmError(f"-o {folder}", "no such folder", fix="Make it first")
    try:
        (path / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise FsmError(f"-o {path / name}", f"cannot be written: {error.strerror or error}") from None


_Missing = tuple["tuple[Unreachable, ...]", int]


def _summary(table: Table, plan: Cover) -> str:
    bound = (
        "the least there can be" if plan.exact else f"no plan has fewer than {plan.least_walks} and {plan.least_steps}"
    )
    return (
        f"{table.view.name}: {counted(plan.goals, plan.goal.removesuffix('s'))} in "
        f"{counted(len(plan.walks), 'scenario')}, {counted(plan.steps, 'step')} ({bound})"
    )


def _text(table: Table, plan: Cover, found: _Missing, *, every: bool) -> str:
    """The summary first and, where something stands between, last as well."""
    between = _proofs(table, plan, found) if every else _reasons(table, plan, found)
    return "\n".join([_summary(table, plan), *between, *([_summary(table, plan)] if between else [])])


def _reasons(table: Table, plan: Cover, found: _Missing) -> list[str]:
    """How much cannot be exercised for each reason."""
    from collections import Counter

    missing = found[0]
    counts = Counter(item.reason for item in missing)
    lines = [_missed(table, plan, found) + " (--unreachable lists them)"] if missing else []
    return lines + [f"  {count:>4}  {reason}" for reason, count in counts.items()]


def _proofs(table: Table, plan: Cover, found: _Missing) -> list[str]:
    """All that cannot be exercised, what has the same proof together."""
    by_proof: dict[str, list[str]] = {}
    for item in found[0]:
        by_proof.setdefault(item.proof, []).append(item.what)
    lines = [_missed(table, plan, found) + ", since"] if by_proof else []
    for proof, names in by_proof.items():
        lines.append(f"  {proof}:")
        lines += textwrap.wrap(
            ", ".join(names), 110, initial_indent="    ", subsequent_indent="    ", break_long_words=False
        )
    return lines


def _missed(table: Table, plan: Cover, found: _Missing) -> str:
    from fsm.plan.unreachable import KINDS

    return f"{table.view.name}: {len(found[0])} of {found[1]} {KINDS[plan.goal]} cannot be exercised"


def _head(table: Table, plan: Cover, found: _Missing, mark: str = "# ") -> str:
    lines = [_summary(table, plan), *_proofs(table, plan, found)]
    return "".join(f"{mark}{line}\n" for line in lines) + "\n"


def _json_of(table: Table, plan: Cover, found: _Missing, scenarios: list[str]) -> dict[str, Any]:
    return {
        "endpoint": table.view.name,
        "goal": plan.goal,
        "goals": plan.goals,
        "scenarios": len(plan.walks),
        "steps": plan.steps,
        "least_scenarios": plan.least_walks,
        "least_steps": plan.least_steps,
        "exact": plan.exact,
        "unreachable": [{"what": item.what, "reason": item.reason, "proof": item.proof} for item in found[0]],
        "files": scenarios,
    }
