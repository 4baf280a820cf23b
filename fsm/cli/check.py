"""`wfp-udp check`: is a recorded callout trace one that the model can produce?"""

from __future__ import annotations

import sys

import click

from fsm.cli.options import config_of, format_option, machine_options, number_or_all, words_of


@click.command("check")
@click.argument("trace", metavar="TRACE")
@click.option("--pattern", metavar="REGEX", help="How to read a line: named groups layer, verdict, local, remote, ...")
@click.option("--keys", metavar="FIELD=KEY,...", help="Which keys to read in JSON lines or key=value logs.")
@click.option("--reverse", is_flag=True, help="The newest line comes first.")
@click.option(
    "--endpoint", default="", metavar="NAME", help="Only conversations with this handle, local or remote end."
)
@click.option("--only", multiple=True, metavar="LAYERS", help="Your callouts stand at these layers and nowhere else.")
@click.option("--without", multiple=True, metavar="LAYERS", help="No callout of yours stands at these layers.")
@click.option("--never", multiple=True, metavar="STIMULI", help="What did not happen: policy_change, connect ...")
@click.option(
    "--allow", multiple=True, metavar="STIMULI|all", help="What may have happened though it is rare: inject_send ..."
)
@click.option(
    "--verdicts",
    default="final",
    show_default=True,
    metavar="final|own",
    help="The log shows what the layer answered in the end, or one callout's own answer.",
)
@click.option("--from-start", is_flag=True, help="The log begins before its sockets were bound.")
@click.option("--limit", type=int, metavar="N", help="Work in search of the fewest edits, for one conversation.")
@click.option(
    "--list",
    "listed",
    callback=number_or_all,
    default="20",
    show_default=True,
    metavar="N|all",
    help="Conversations to list (text).",
)
@click.option("--allow-unknown", is_flag=True, help="Exit with 0 where nothing diverges but it cannot be told.")
@format_option
@machine_options
def command(
    trace: str,
    pattern: str | None,
    keys: str | None,
    reverse: bool,
    endpoint: str,
    only: tuple[str, ...],
    without: tuple[str, ...],
    never: tuple[str, ...],
    allow: tuple[str, ...],
    verdicts: str,
    from_start: bool,
    limit: int | None,
    listed: int | None,
    allow_unknown: bool,
    output_format: str,
    ip: int,
    windows: str,
    evidence: str,
    assumptions: tuple[str, ...],
) -> None:
    """Check a driver's own log against the model.

    TRACE is a text log or JSON lines, plain or gzip, one classify a line; `-` is standard input. How its lines are
    read is found by itself, or said with --pattern or --keys. It can begin and end anywhere, and all disputes of the
    sources that --assume does not decide stay open.

    The exit status is 0 when it agrees, 1 when it diverges, agrees only if something rare happened (--allow), or
    cannot be told, as when a line was not understood (--allow-unknown); 2 when it cannot be read.

    \b
    Example: wfp-udp check driver.log --only AUTH_CONNECT,FLOW_ESTABLISHED,DATAGRAM_DATA
    """
    from fsm.traces.conformance import AGREES, CANNOT_TELL, DEFAULT_LIMIT, check_trace
    from fsm.traces.reading import read_trace
    from fsm.traces.report import report_json, report_text

    config = config_of(ip, windows, evidence, assumptions)
    read = read_trace(
        sys.stdin.buffer if trace == "-" else trace,
        pattern,
        keys=keys,
        reverse=reverse,
        ip=config.ip,
        windows=config.windows,
    )
    result = check_trace(
        read,
        config,
        only=words_of(only),
        without=words_of(without),
        endpoint=endpoint,
        # An assumption that equals the default is not in the configuration, but it was meant.
        decided=[given.partition("=")[0].strip() for given in assumptions],
        never=words_of(never),
        allow=words_of(allow),
        verdicts=verdicts,
        from_start=from_start,
        limit=DEFAULT_LIMIT if limit is None else limit,
    )
    if output_format == "json":
        for piece in report_json(result):
            click.echo(piece, nl=False)
    else:
        for piece in report_text(result, listed):
            click.echo(piece)
    if read.broken:
        sys.exit(2)
    if result.verdict != AGREES and not (allow_unknown and result.verdict == CANNOT_TELL):
        sys.exit(1)
