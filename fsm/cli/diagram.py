"""`wfp-udp diagram`: write a picture to a file or to the output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsm.cli.options import config_of, machine_options
from fsm.cli.picture_file import FORMATS, RASTERS, drawn, format_of, save
from fsm.errors import FsmError, UnknownName

if TYPE_CHECKING:
    from fsm.choices import Config
    from fsm.draw.overlay import Overlay

WHERE = "wfp-udp diagram"
TRACE_LIMIT = 20_000_000  # bytes; a trace is a list of steps


@click.command("diagram", short_help="Draw the packet path, an endpoint, a session, a dispute or a flow.")
@click.argument("what", metavar="WHAT")
@click.option("-o", "--output", default="-", metavar="FILE", help="File to write; - (the default) is the output.")
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    help=f"{', '.join(FORMATS)}. Default: from FILE's ending; text for the output.",
)
@click.option(
    "--highlight",
    "highlights",
    multiple=True,
    metavar="STATE|RULE|LAYER|TRACE",
    help="Mark a state, a rule, a layer, or the path of a JSON file of 'wfp-udp flow' or 'run'. May be repeated.",
)
@click.option(
    "--block", "blocks", multiple=True, metavar="LAYER", help="Block at this layer of a flow or dispute. Repeatable."
)
@click.option("--dark", is_flag=True, help="Dark colours only. (An SVG follows the reader's system without it.)")
@machine_options
def command(
    what: str,
    output: str,
    form: str | None,
    highlights: tuple[str, ...],
    blocks: tuple[str, ...],
    dark: bool,
    ip: int,
    windows: str,
    evidence: str,
    assumptions: tuple[str, ...],
) -> None:
    """Draw WHAT: packet-path, sender, receiver, dropped_port, session, a dispute with its options side by side
    (dispute.close, setting.dual_stack), or a flow such as sender.active_open.

    \b
    Examples:
      wfp-udp diagram dropped_port.no_listener
      wfp-udp diagram dispute.no_listener -o dispute.svg
      wfp-udp diagram session --highlight sender:INBOUND_ICMP_ERROR -o way.svg
      wfp-udp diagram packet-path -o path.svg
      wfp-udp diagram sender -o sender.png --highlight BOUND/OUT
      wfp-udp flow sender.blocked --format json > trace.json
      wfp-udp diagram packet-path --highlight trace.json -o blocked.svg

    For the session, --highlight takes a state (receiver=BOUND/IN), a layer (sender:INBOUND_ICMP_ERROR), or the JSON
    of 'wfp-udp session --reach', and numbers the shortest way there.

    Where nothing can draw an SVG or PNG, the picture is written as DOT, Mermaid and text beside FILE.
    """
    from fsm.draw.pictures import SESSION, picture

    config = config_of(ip, windows, evidence, assumptions)
    form = format_of(form, output)
    overlay: Overlay | None = None
    if highlights and what.strip().lower() == SESSION:
        from fsm.cli.session_marks import session_overlay

        overlay = session_overlay(highlights, config)
    elif highlights:
        overlay = _overlay(highlights, config)
    shown = picture(what, config, blocks=blocks, overlay=overlay, where=WHERE)
    if output == "-":
        if form in RASTERS and sys.stdout.isatty():
            raise FsmError(WHERE, f"{form} is not for a terminal", fix=f"Add -o {shown.name}.{form}, or --format text")
        click.echo(drawn(shown, form, dark), nl=False)  # bytes: no CRLF, and UTF-8 whatever the pipe speaks
        return
    save(shown, output, form, dark=dark)


# ---- --highlight


def _overlay(highlights: tuple[str, ...], config: Config) -> Overlay:
    """What to mark. A trace is numbered, single names are not."""
    from fsm.draw.overlay import Overlay
    from fsm.draw.pictures import Highlight

    path: list[str] = []
    current: str | None = None
    blocked_at: str | None = None
    traced = False
    for given in highlights:
        if _is_file(given):
            rules, state, stopped = _trace(Path(given))
            path += rules
            traced, current, blocked_at = True, state or current, stopped or blocked_at
            continue
        rules, state = _named(given, config)
        path += rules
        if state and current and state != current:
            raise FsmError("--highlight", f"two states, {current} and {state}", fix="One state can be marked")
        current = state or current
    kind = Overlay if traced else Highlight
    return kind(path=tuple(path), current=current, blocked_at=blocked_at)


def _is_file(given: str) -> bool:
    if not given.lower().endswith(".json"):
        return False
    if not Path(given).is_file():
        raise FsmError(f"--highlight {given}", "no such file", fix="Make one with 'wfp-udp flow FLOW --format json'")
    return True


def _named(given: str, config: Config) -> tuple[list[str], str | None]:
    """A state by its name, a rule by its key, or the rules of a layer."""
    from fsm import catalogue
    from fsm.rules import RULES
    from fsm.stimuli import VIEWS
    from fsm.table import compile_table

    states = {name.casefold(): name for view in VIEWS for name in compile_table(view, config).names}
    keys = {row.key.casefold(): row.key for row in RULES}
    wanted = " ".join(given.split()).casefold()
    if wanted in states:
        return [], states[wanted]
    if wanted in keys:
        return [keys[wanted]], None
    try:
        layer = catalogue.resolve(given, config.ip, windows=config.windows, where="--highlight")
    except UnknownName:
        stems = dict.fromkeys(row.layer for row in RULES if row.layer)
        known = [*(name for name in states.values() if " " not in name), *stems, *keys.values()]
        raise UnknownName.of("--highlight", "state, rule, layer or .json file", given, known) from None
    rules = [row.key for row in RULES if row.layer == layer.stem]
    if not rules:
        raise FsmError("--highlight", f"{layer.short_name} is on no way of a UDP datagram that is modelled here")
    return rules, None


def _trace(path: Path) -> tuple[list[str], str | None, str | None]:
    """The rules, the last state and the blocking layer of a JSON file of `wfp-udp flow` or `run`."""
    from fsm.rules import RULES

    where, fix = f"--highlight {path}", "Make one with 'wfp-udp flow FLOW --format json'"
    try:
        if path.stat().st_size > TRACE_LIMIT:
            raise FsmError(where, f"larger than {TRACE_LIMIT // 1_000_000} MB", fix=fix)
        found = json.loads(path.read_bytes().decode("utf-8-sig"))
        rules = [str(step["rule"]) for step in found["steps"]]
    except OSError as error:
        raise FsmError(where, f"cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FsmError(where, "not a trace: no JSON with a list of steps", fix=fix) from None
    known = {row.key for row in RULES}
    for number, rule in enumerate(rules, 1):
        if rule not in known:
            raise UnknownName.of(f"{where}, step {number}", "rule", str(rule), known, "Was it made by this version?")
    state, stopped = found.get("state"), found.get("blocked_at")
    path_rules = [rule for step in found["steps"] for rule in (*_beginning(found, step), str(step["rule"]))]
    return path_rules, state if isinstance(state, str) else None, stopped if isinstance(stopped, str) else None


def _beginning(trace: dict[str, object], step: dict[str, object]) -> tuple[str, ...]:
    """The rule by which the stimulus of this step began, where this is its first step: no layer sees that one."""
    from fsm.choices import configure
    from fsm.table import compile_table

    try:
        keys = ("ip", "windows", "evidence", "assume")
        config = configure(**{key: trace[key] for key in keys if key in trace})  # type: ignore[arg-type]
        endpoint = str(trace["endpoint"]).replace("any", "sender")
        table = compile_table(endpoint, config)
        at = table.names.index(str(step["from"]).split(" ")[0])
        event = table.event_ids[str(step["stimulus"])]
        if table.name_of(table.step(at, event)) == step["from"]:
            return (table.rows[table.row_index(at, event)].key,)
    except (FsmError, KeyError, ValueError, TypeError):
        pass  # a trace cut down to its rules is good enough
    return ()
