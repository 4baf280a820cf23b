"""`wfp-udp step`: step through an endpoint or a session, in a full screen, line by line, or as a page."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from fsm.cli.circumstances import circumstances_options
from fsm.cli.options import config_of, format_option, machine_options
from fsm.errors import FsmError, UnknownName

if TYPE_CHECKING:
    from fsm.choices import Config
    from fsm.cli.dialogue import Dialogue
    from fsm.session import Session
    from fsm.stepper import Walk

WHERE = "wfp-udp step"
SYSTEMS = ("sender", "receiver", "dropped_port", "session")
# What a token or a saved walk says by itself.
_SAID = ("ip", "windows", "evidence", "assumptions", "network", "cap", "stimuli", "verdicts", "granularity", "loopback")
_OF_SESSIONS = ("network", "cap", "stimuli", "verdicts", "granularity", "loopback")


@click.command("step")
@click.argument("what", required=False, metavar="[sender|receiver|dropped_port|session]")
@click.argument("endpoints", nargs=-1, metavar="[ENDPOINT[@HOST]]...")
@click.option("--manual", is_flag=True, help="Stop before each layer.")
@click.option("--break", "breakpoints", multiple=True, metavar="LAYER", help="Stop before this layer. May be repeated.")
@click.option("--token", metavar="TOKEN", help="Begin at the place of a share token.")
@click.option("--other-model", is_flag=True, help="Replay a token of another model version as far as it goes.")
@click.option("--load", "load_file", metavar="FILE", help="Begin with a saved walk.")
@click.option("--save", "save_file", metavar="FILE", help="Save the walk at the end.")
@click.option("--html", metavar="FILE", help="Write one self-contained page that steps in a browser, and end.")
@click.option(
    "-o", "--output", metavar="FILE", help="Draw the way to the place of the walk, and end; - prints it as text."
)
@click.option("--plain", is_flag=True, help="Line by line, also where a full screen is possible.")
@format_option
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Of the first random walk."
)
@click.option("--engine", default="table", show_default=True, metavar="table|live", help="As in 'wfp-udp run'.")
@click.option("--stimuli", default="", metavar="LIST", help="Session: what applications and hosts do.")
@click.option("--verdicts", default="permit", show_default=True, metavar="LIST", help="Session: what layers answer.")
@click.option("--network", default="", metavar="LIST", help="Session: deliver, lose, duplicate, reorder.")
@click.option("--cap", type=int, default=1, show_default=True, metavar="N", help="Session: how much is in flight.")
@click.option(
    "--granularity", default="stimulus", show_default=True, metavar="stimulus|classify", help="Session: what a move is."
)
@click.option("--loopback", is_flag=True, help="Session: all endpoints on one host.")
@click.option(
    "--verdict",
    "decided",
    multiple=True,
    metavar="LAYER=VERDICT",
    help="What this layer answers by itself. May be repeated.",
)
@click.option("--policy", "policy_file", metavar="FILE", help="The filters of this policy give the verdicts.")
@click.option("--from", "from_", metavar="ADDRESS:PORT", help="Policy: who sends first.  [default: example addresses]")
@click.option("--to", metavar="ADDRESS:PORT", help="Policy: who it is for.")
@circumstances_options
@machine_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    what: str | None,
    endpoints: tuple[str, ...],
    manual: bool,
    breakpoints: tuple[str, ...],
    token: str | None,
    other_model: bool,
    load_file: str | None,
    save_file: str | None,
    html: str | None,
    output: str | None,
    plain: bool,
    output_format: str,
    seed: int,
    engine: str,
    stimuli: str,
    verdicts: str,
    network: str,
    cap: int,
    granularity: str,
    loopback: bool,
    decided: tuple[str, ...],
    policy_file: str | None,
    from_: str | None,
    to: str | None,
    ip: int,
    windows: str,
    evidence: str,
    assumptions: tuple[str, ...],
    **circumstances: Any,
) -> int:
    """Step through an endpoint, or a session of several: see which layer fires next, decide its verdict, go back and
    try the other branch.

    On a terminal it is a full-screen program (with textual installed). On a pipe, or with --plain, it is a dialogue:
    one line in, one line out for each classify. A stimulus runs to its end with permit unless --manual or --break
    stops it. The line ? lists the commands.

    \b
    Examples:
      wfp-udp step
      printf 'bind\\nsendto\\nquit\\n' | wfp-udp step sender --plain
      printf 'sendto\\nb 4\\nblock\\nt\\n' | wfp-udp step sender
      wfp-udp step session sender@1 receiver@2 --granularity classify
      wfp-udp step receiver --html receiver.html
      wfp-udp step --load walk.json -o walk.svg
      wfp-udp step sender --policy state.xml --from 192.0.2.1:50000 --to 198.51.100.1:53 --ordinary

    With --policy the filters of a machine decide, and each verdict names its filter. The addresses are those of the
    first peer; IP version and loopback follow from them. Where a verdict depends on what is not given, the walk stops
    and names the question: choose a verdict. --program to --boot-time say more, as in 'wfp-udp whatif'.

    With --format json each classify is one object: n, move, layer, verdict, state, changed, moves, refused, token
    (null beyond 2,000 characters), decided_by; and question where the policy leaves the next verdict open. A stimulus
    that no layer sees, and the beginning of one that is stopped, is one with layer null. In a session without
    --granularity classify a move is a whole stimulus: state and what follows it are those after the move.

    A line that makes no sense is answered on the error output and changes nothing. When the input is not a terminal
    and there was such a line, the exit status is 2.
    """
    from fsm.cli.dialogue import Dialogue
    from fsm.cli.step_answers import StepAnswers
    from fsm.cli.walk_file import check_place, load_walk, save_walk
    from fsm.stepper import EndpointSystem, SessionSystem, Walk

    given = [name for name in _SAID if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT]
    options: dict[str, Any] = {"manual": manual, "breakpoints": breakpoints}
    if save_file is not None:
        check_place(save_file, "--save")  # now, not when the walk is done and would be lost
    answers = StepAnswers(policy_file, from_, to, decided, circumstances)
    walk: Walk
    if token is not None or load_file is not None:
        _check_alone(token, load_file, given, endpoints)
        if token is not None:
            walk = Walk.from_token(token, other_model=other_model, engine=engine, **options)
        else:
            assert load_file is not None
            kept = {name: value for name, value in options.items() if value}
            walk = load_walk(load_file, "--load", engine=engine, **kept)
        kind = walk.system.name.partition(":")[0]
        if what is not None and _system(what) != kind:
            raise FsmError(WHERE, f"{what} is asked for, but the walk is one of {kind}", fix=f"Leave out {what}")
    else:
        name = _system(what or "sender")
        config = config_of(ip, windows, evidence, assumptions)
        if name == "session":
            if engine != "table":
                raise FsmError("--engine", "a session runs on the compiled tables", fix="Leave it out")
            session = _session(endpoints, config, network, cap, stimuli, verdicts, granularity, loopback)
            walk = Walk(SessionSystem(session), **options)
        else:
            wrong = [one for one in given if one in _OF_SESSIONS]
            if wrong or endpoints:
                extra = f"--{wrong[0]}" if wrong else f"'{endpoints[0]}'"
                raise FsmError(WHERE, f"{extra} is for sessions, and this is {name}", fix="Write wfp-udp step session")
            walk = Walk(EndpointSystem(name, answers.machine(config, name), engine), **options)
    answers.arm(walk)
    for remark in answers.remarks:
        click.echo(f"policy: {remark}", err=True)
    if walk.notice:
        click.echo(walk.notice, err=True)
    if html is not None:
        if answers.given:
            raise FsmError("--html", "a page asks no policy and no callouts", fix=f"Leave out {answers.given}")
        _page(walk, html)
        return 0
    if output is not None:
        _picture(walk, output)
        return 0
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    status = 0
    if on_terminal and not plain and output_format == "text" and _has_full_screen():
        from importlib import import_module

        walk = import_module("fsm.tui").run(walk, seed=seed, engine=engine, arm=answers.arm)
    else:
        dialogue = Dialogue(
            walk, click.echo, as_json=output_format == "json", listing=on_terminal, seed=seed, engine=engine,
            arm=answers.arm,
        )  # fmt: skip
        failed = _talk(dialogue, on_terminal)
        walk = dialogue.walk
        status = 2 if failed and not sys.stdin.isatty() else 0
    if save_file is not None:
        save_walk(walk, save_file, "--save")
    return status


def _talk(dialogue: Dialogue, on_terminal: bool) -> bool:
    """Read lines to the end; whether one of them made no sense."""
    failed = False
    if on_terminal:
        walk = dialogue.walk
        config = walk.system.config
        click.echo(
            f"{walk.system.title}, IPv{config.ip}, Windows {config.windows}, evidence {config.evidence}; ? helps"
        )
    number = 0
    while True:
        if on_terminal:
            dialogue.prompt()
            click.echo(f"{dialogue.walk.state}> ", nl=False)
        line = sys.stdin.buffer.readline(100_000)
        if not line:
            if on_terminal:
                click.echo()
            return failed
        number += 1
        try:
            if not dialogue.hear(line.decode("utf-8-sig", "backslashreplace")):
                return failed
        except FsmError as error:
            failed = True
            sys.stdout.flush()
            click.echo(f"error: line {number}: {error}" if not on_terminal else f"error: {error}", err=True)


def _system(given: str) -> str:
    name = given.lower().replace("-", "_")
    if name not in SYSTEMS:
        raise UnknownName.of(WHERE, "system", given, SYSTEMS)
    return name


def _check_alone(token: str | None, load_file: str | None, given: list[str], endpoints: tuple[str, ...]) -> None:
    if token is not None and load_file is not None:
        raise FsmError(WHERE, "a token and a file are given", fix="Give one of --token and --load")
    option = "--load" if token is None else "--token"
    if given or endpoints:
        extra = f"'{endpoints[0]}'" if endpoints else f"--{given[0].replace('assumptions', 'assume')}"
        raise FsmError(WHERE, f"{option} says which machine it is, and {extra} is given", fix=f"Leave out {extra}")


def _session(
    endpoints: tuple[str, ...], config: Config, network: str, cap: int, stimuli: str, verdicts: str, granularity: str,
    loopback: bool,
) -> Session:  # fmt: skip
    from fsm.session import make_session

    def words(given: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in given.split(",") if word.strip())

    return make_session(
        endpoints, config, network=words(network), cap=cap, stimuli=words(stimuli), verdicts=words(verdicts),
        granularity=granularity, loopback=loopback,
    )  # fmt: skip


def _has_full_screen() -> bool:
    if not importlib.import_module("fsm.tui").can_run():
        return False
    if importlib.util.find_spec("textual") is None:
        click.echo("For the full screen: pip install 'wfp-udp-fsm[tui]'. Line by line until then.", err=True)
        return False
    return True


def _picture(walk: Walk, file: str) -> None:
    from fsm.cli.picture_file import drawn, format_of, save

    form = format_of(None, file)
    if file == "-":
        click.echo(drawn(walk.to_picture(), form, False).decode("ascii"), nl=False)
        return
    save(walk.to_picture(), file, form)
    click.echo(f"{file}: {len(walk.path)} moves")


def _page(walk: Walk, file: str) -> None:
    from fsm.cli.walk_file import write_file
    from fsm.page import endpoint_page, session_page

    text = endpoint_page(walk) if walk.system.can_wait else session_page(walk)
    write_file(file, text, "--html")
    click.echo(f"{file}: {len(text.encode()) / 1000:.0f} kB, open it in a browser")
