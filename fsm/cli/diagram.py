"""`wfp-udp diagram`: write a picture to a file or to the output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsm.choices import Config
from fsm.cli.json_file import load_steps
from fsm.cli.options import config_options
from fsm.cli.picture_file import FORMATS, RASTERS, drawn, format_of, save
from fsm.errors import FsmError, UnknownName

if TYPE_CHECKING:
    from fsm.draw.overlay import Overlay

WHERE = "wfp-udp diagram"
_WRONG = "not a trace: no JSON with a list of steps"
_FIX = "Make one with 'wfp-udp flow FLOW --format json'"
_CONFIG = {"ip": int, "windows": str, "evidence": str, "assume": dict}  # the shapes of a trace's configuration


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
@config_options
def command(
    what: str,
    output: str,
    form: str | None,
    highlights: tuple[str, ...],
    blocks: tuple[str, ...],
    dark: bool,
    config: Config,
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
        raise FsmError(f"--highlight {given}", "no such file", fix=_FIX)
    return True


def _named(given: str, config: Config) -> tuple[list[str], str | None]:
    """A state by its name, a rule by its key, or the rules of a layer."""
    from fsm import catalogue
    from fsm.rules import RULES
    from fsm.stimuli import VIEWS
    from fsm.table import compile_table, is_idle

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
        known = [*(name for name in states.values() if is_idle(name)), *stems, *keys.values()]
        raise UnknownName.of("--highlight", "state, rule, layer or .json file", given, known) from None
    rules = [row.key for row in RULES if row.layer == layer.stem]
    if not rules:
        raise FsmError("--highlight", f"{layer.short_name} is on no way of a UDP datagram that is modelled here")
    return rules, None


def _trace(path: Path) -> tuple[list[str], str | None, str | None]:
    """The rules, the last state and the blocking layer of a JSON file of `wfp-udp flow` or `run`."""
    from fsm.rules import RULES

    where = f"--highlight {path}"
    found, steps = load_steps(path, where, steps="steps", name="rule", wrong=_WRONG, fix=_FIX)
    known = {row.key for row in RULES}
    for number, step in enumerate(steps, 1):
        if step["rule"] not in known:
            raise UnknownName.of(f"{where}, step {number}", "rule", step["rule"], known, "Was it made by this version?")
    state, stopped = found.get("state"), found.get("blocked_at")
    path_rules = [rule for step in steps for rule in (*_beginning(found, step), step["rule"])]
    return path_rules, state if isinstance(state, str) else None, stopped if isinstance(stopped, str) else None


def _beginning(trace: dict[str, Any], step: dict[str, Any]) -> tuple[str, ...]:
    """The rule by which the stimulus of this step began, where this is its first step: no layer sees that one.

    None where that cannot be told: a trace that was cut down to its rules, or comes from another version, can be drawn.
    """
    from fsm.choices import configure
    from fsm.table import compile_table

    given = {key: trace[key] for key, kind in _CONFIG.items() if isinstance(trace.get(key), kind)}
    endpoint, stood, stimulus = trace.get("endpoint"), step.get("from"), step.get("stimulus")
    if not (isinstance(endpoint, str) and isinstance(stood, str) and isinstance(stimulus, str)):
        return ()
    try:
        table = compile_table(endpoint.replace("any", "sender"), configure(**given))
    except FsmError:
        return ()
    position = stood.split(" ")[0]
    if position not in table.names or stimulus not in table.event_ids:
        return ()
    at, event = table.names.index(position), table.event_ids[stimulus]
    target = table.next_or_none(at, event)
    return (table.rows[table.row_index(at, event)].key,) if target >= 0 and table.name_of(target) == stood else ()
