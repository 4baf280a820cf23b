"""`wfp-udp claim`: decide a claim; exit status 0 where it holds, 1 where it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsm.cli.claim_subject import (
    CHECKED,
    TRACE,
    both_of,
    recorded_trace,
    settings_of,
    subject_of,
    subject_options,
    without_trace,
)
from fsm.cli.options import words_of
from fsm.counts import counted
from fsm.errors import FsmError, UnknownName

if TYPE_CHECKING:
    from fsm.claims.finding import Finding
    from fsm.claims.subject import Subject

# Each claim with the names of its words; the last of `accepts` may be several, or none where a trace is given.
CLAIMS: dict[str, tuple[str, ...]] = {
    "reaches": ("TARGET",),
    "never": ("TARGET",),
    "always-before": ("FIRST", "THEN"),
    "always-after": ("TRIGGER", "RESPONSE"),
    "accepts": ("LAYER...",),
    "matches": ("PATTERN",),
    "equivalent": ("[OTHER]",),
}
WHERE = "wfp-udp claim"


@click.command("claim", short_help="Decide a claim: a layer is reached, never reached, a sequence is possible.")
@click.argument("kind", metavar="CLAIM")
@click.argument("what", metavar="ENDPOINT")
@click.argument("words", nargs=-1, metavar="WORD...")
@click.option("--every", is_flag=True, help="matches: no run leaves the pattern.")
@click.option("--before", default="", metavar="EVENT", help="always-after: before which event the response comes.")
@click.option("--observing", default="", metavar="LIST", help="equivalent: what is compared.  [default: layer,verdict]")
@click.option("--html", default="", metavar="FILE", help="Write a page with a slider through the run that shows it.")
@click.option("--allow-unknown", is_flag=True, help="Exit with 0 where a limit was hit.")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@subject_options
def command(
    kind: str,
    what: str,
    words: tuple[str, ...],
    every: bool,
    before: str,
    observing: str,
    html: str,
    allow_unknown: bool,
    output_format: str,
    **given: Any,
) -> int:
    """Decide CLAIM of ENDPOINT: sender, receiver, dropped_port, session, or trace (the log of --trace).

    \b
    CLAIM is one of
      reaches TARGET                 some run comes to it
      never TARGET                   no run does
      always-before FIRST THEN       THEN comes only after FIRST
      always-after TRIGGER RESPONSE  RESPONSE follows before the endpoint is idle, or before --before
      accepts LAYER...               some run shows just these layers; or it can have made the log of --trace
      matches PATTERN                some run is so, or with --every no run leaves it
      equivalent [OTHER]             both show the same sequences; OTHER is as ENDPOINT but for --against-...

    \b
    Examples:
      wfp-udp claim never sender outcome=sent --block AUTH_CONNECT
      wfp-udp claim accepts sender BIND_REDIRECT RESOURCE_ASSIGNMENT AUTH_CONNECT
      wfp-udp claim matches receiver "... AUTH_RECV_ACCEPT FLOW_ESTABLISHED"
      wfp-udp claim reaches session "receiver=BOUND/IN sender=CLOSED"
      wfp-udp claim never sender outcome=sent --policy policy.toml --ordinary
          --from 192.0.2.1:50000 --to 198.51.100.1:53
      wfp-udp claim reaches session outcome=delivered@sender --policy sender=a.toml --policy receiver=b.toml
          --at sender=192.0.2.1:50000 --at receiver=198.51.100.7:53
      wfp-udp claim equivalent sender --policy a.toml --against-policy b.toml
          --from 192.0.2.1:50000 --to 198.51.100.1:53
      wfp-udp claim equivalent receiver --against-windows 7
      wfp-udp claim accepts sender --trace driver.log
      wfp-udp claim matches trace "... AUTH_CONNECT:block ..." --trace driver.log
    """
    from fsm import claims

    kind = kind.lower().replace("_", "-")
    if kind not in CLAIMS:
        raise UnknownName.of(WHERE, "claim", kind, CLAIMS)
    where = f"{WHERE} {kind}"
    if (every and kind != "matches") or (before and kind != "always-after") or (observing and kind != "equivalent"):
        only = "--every is for matches, --before for always-after, --observing for equivalent"
        raise FsmError(where, only, fix="Leave it out")
    _check_words(where, kind, words, given)
    settings = settings_of(what, given)
    if html:  # before the claim is decided: a mistake in the name is told at once
        _check_page(html)
    more: dict[str, Any] = {"allow_unknown": allow_unknown}
    if kind == "equivalent":
        sides = both_of(settings, words[0] if words else "", given, where)
        subjects = [subject_of(one, where) for one in sides]
        more |= {"observing": observing} if observing else {}
        found = claims.equivalent(subjects[0], subjects[1], **more)
    else:
        more |= {"every": True} if every else {"before": before} if before else {}
        arguments: tuple[Any, ...] = (words,) if kind == "accepts" else words
        if kind == "accepts" and settings.trace and settings.endpoint != TRACE:
            arguments = (recorded_trace(settings, where),)
            settings = without_trace(settings)
            for name, called in CHECKED.items():
                if _is_given(given[name]):
                    more[called] = words_of(given[name]) if isinstance(given[name], tuple) else given[name]
        subjects = [subject_of(settings, where)]
        found = getattr(claims, kind.replace("-", "_"))(*subjects, *arguments, **more)
    if output_format == "json":
        parts = {part.heading: list(part.lines) for part in found.parts}
        said = {"verdict": found.verdict, "claim": found.claim, "cause": found.cause, "parts": parts}
        click.echo(json.dumps({**said, "witness": list(found.witness), "token": found.token or None}, indent=2))
    else:
        click.echo(found.message)
    if html:
        _write_page(html, found, subjects)
    return 0 if found.verdict == "holds" or (found.verdict == "unknown" and found.allow_unknown) else 1


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != ()


def _check_words(where: str, kind: str, words: tuple[str, ...], given: dict[str, Any]) -> None:
    names = CLAIMS[kind]
    against = [name for name, value in given.items() if name.startswith("against_") and value not in (None, ())]
    if against and kind != "equivalent":
        raise FsmError(where, f"--{against[0].replace('_', '-')} is for equivalent", fix="Leave it out")
    checked = [called for name, called in CHECKED.items() if _is_given(given[name])]
    if checked and not (kind == "accepts" and given["trace"]):
        raise FsmError(where, f"--{checked[0].replace('_', '-')} is for accepts with --trace", fix="Leave it out")
    if kind == "accepts" and bool(words) == bool(given["trace"]):
        told = "layers and a trace are given" if words else "neither layers nor a trace are given"
        raise FsmError(where, told, fix=f"Give {names[0]} or --trace FILE")
    fits = len(words) <= 1 if kind == "equivalent" else kind == "accepts" or len(words) == len(names)
    if not fits:
        told = f"{counted(len(words), 'word is', 'words are')} given" if words else "no word is given"
        raise FsmError(where, told, f"It takes {' '.join(names)}", "Use quotes" if len(words) > len(names) else "")


def _write_page(html: str, found: Finding, subjects: list[Subject]) -> None:
    from fsm.claims.subject import TraceSubject
    from fsm.cli.walk_file import write_file
    from fsm.page.finding import finding_page

    # Of two subjects the run is of the one that can show it: its token says which, and a trace has none.
    recorded = None if found.token else next((one for one in subjects if isinstance(one, TraceSubject)), None)
    if found.witness or recorded:
        about = recorded or (subjects[0] if len(subjects) == 1 else None)
        write_file(html, finding_page(found, about), "--html")
    else:
        click.echo(f"{html} is not written: there is no run to show", err=True)


def _check_page(html: str) -> None:
    folder = Path(html).parent
    if not folder.is_dir():
        raise FsmError(f"--html {html}", f"no folder {str(folder)!r}", fix="Make it first, or give another file")
    if Path(html).is_dir():
        raise FsmError(f"--html {html}", "this is a folder", fix="Name a file in it")
