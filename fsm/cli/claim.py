"""`wfp-udp claim`: decide a claim; exit status 0 where it holds, 1 where it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsm.cli.options import config_of, machine_options, verdicts_of
from fsm.errors import FsmError, UnknownName

if TYPE_CHECKING:
    from fsm.claims.subject import Subject

# Each claim with the names of its words; the last may be several words.
CLAIMS: dict[str, tuple[str, ...]] = {
    "reaches": ("TARGET",),
    "never": ("TARGET",),
    "always-before": ("FIRST", "THEN"),
    "always-after": ("TRIGGER", "RESPONSE"),
    "accepts": ("LAYER...",),
    "matches": ("PATTERN",),
}
WHERE = "wfp-udp claim"


@click.command("claim", short_help="Decide a claim: a layer is reached, never reached, a sequence is possible.")
@click.argument("kind", metavar="CLAIM")
@click.argument("what", metavar="ENDPOINT")
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@click.option("--block", "blocks", multiple=True, metavar="LAYER", help="This layer blocks. May be repeated.")
@click.option(
    "--verdict", "verdicts", multiple=True, metavar="LAYER=VERDICT", help="This layer answers so. May be repeated."
)
@click.option("--any-verdict", is_flag=True, help="Every layer gives every verdict that it takes.")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="FILE",
    help="The layers answer as these filters arbitrate. Session: ENDPOINT=FILE, may be repeated.",
)
@click.option("--at", "places", multiple=True, metavar="ENDPOINT=ADDRESS:PORT", help="Session: where each endpoint is.")
@click.option("--from", "from_", default="", metavar="ADDRESS:PORT", help="With --policy: who sends.")
@click.option("--to", default="", metavar="ADDRESS:PORT", help="With --policy: who it is for.")
@click.option(
    "--ordinary", is_flag=True, help="With --policy: a program, user and interface that no filter names, no tunnel."
)
@click.option(
    "--callouts",
    default="unknown",
    show_default=True,
    metavar="unknown|permit",
    help="With --policy: what callouts answer that nobody has described.",
)
@click.option("--stimuli", default="", metavar="LIST", help="What can happen, where that is not everything.")
@click.option("--every", is_flag=True, help="matches: no run leaves the pattern.")
@click.option("--before", default="", metavar="EVENT", help="always-after: before which event the response comes.")
@click.option("--limit-states", type=int, metavar="N", help="Session: explore N states.")
@click.option("--html", default="", metavar="FILE", help="Write a page with a slider through the run that shows it.")
@click.option("--allow-unknown", is_flag=True, help="Exit with 0 where a limit was hit.")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@machine_options
def command(
    kind: str,
    what: str,
    words: tuple[str, ...],
    blocks: tuple[str, ...],
    verdicts: tuple[str, ...],
    any_verdict: bool,
    policies: tuple[str, ...],
    places: tuple[str, ...],
    from_: str,
    to: str,
    ordinary: bool,
    callouts: str,
    stimuli: str,
    every: bool,
    before: str,
    limit_states: int | None,
    html: str,
    allow_unknown: bool,
    output_format: str,
    ip: int,
    windows: str,
    evidence: str,
    assumptions: tuple[str, ...],
) -> int:
    """Decide CLAIM of ENDPOINT (sender, receiver, dropped_port, or session).

    \b
    CLAIM is one of
      reaches TARGET                 some run comes to it
      never TARGET                   no run does
      always-before FIRST THEN       THEN comes only after FIRST
      always-after TRIGGER RESPONSE  RESPONSE follows before the endpoint is idle, or before --before
      accepts LAYER...               some run shows just these layers
      matches PATTERN                some run is so, or with --every no run leaves it

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
    """
    from fsm import claims
    from fsm.claims.subject import SessionSubject, endpoint
    from fsm.cli.session_policies import policies_of, read_file
    from fsm.session import make_session
    from fsm.space import LIMIT_STATES

    kind = kind.lower().replace("_", "-")
    if kind not in CLAIMS:
        raise UnknownName.of(WHERE, "claim", kind, CLAIMS)
    names = CLAIMS[kind]
    if kind != "accepts" and len(words) != len(names):
        raise FsmError(f"{WHERE} {kind}", f"{len(words)} words are given", f"It takes {' '.join(names)}", "Use quotes")
    if (every and kind != "matches") or (before and kind != "always-after"):
        raise FsmError(f"{WHERE} {kind}", "--every is for matches and --before for always-after", fix="Leave it out")
    config = config_of(ip, windows, evidence, assumptions)
    if html:  # before the claim is decided: a mistake in the name is told at once
        _check_page(html)
    given = tuple(word for word in stimuli.replace(",", " ").split() if word)
    about: Subject
    if what.lower() == "session":
        if blocks or verdicts or any_verdict or from_ or to:
            raise FsmError(
                f"{WHERE} {kind} session",
                "--block, --verdict, --any-verdict, --from and --to are for one endpoint",
                fix="Give --policy ENDPOINT=FILE and --at ENDPOINT=ADDRESS:PORT" if from_ or to else "",
            )
        limit = LIMIT_STATES if limit_states is None else limit_states
        filters = policies_of(policies, places, ordinary, callouts)
        about = SessionSubject(make_session(config=config, stimuli=given, **filters), limit)
    else:
        if limit_states is not None:
            raise FsmError(f"{WHERE} {kind} {what}", "--limit-states is for sessions", fix="Leave it out")
        if places or len(policies) > 1:
            raise FsmError(f"{WHERE} {kind} {what}", "--at, and more than one --policy, are for sessions",
                           fix="Give one --policy FILE with --from and --to")  # fmt: skip
        policy = policies[0] if policies else ""
        if policy and not (from_ and to):
            raise FsmError(f"{WHERE} {kind} {what}", "--policy is asked about one datagram, and its ends are not given",
                           fix="Give --from 192.0.2.1:50000 and --to 198.51.100.1:53")  # fmt: skip
        if not policy and (from_ or to or ordinary or callouts != "unknown"):
            raise FsmError(f"{WHERE} {kind} {what}", "--from, --to, --ordinary and --callouts describe a datagram",
                           "They are for --policy", "Give --policy FILE")  # fmt: skip
        name = what.lower().replace("-", "_")
        about = endpoint(
            name, config, block=blocks, verdicts=verdicts_of(verdicts), any_verdict=any_verdict, stimuli=given,
            policy=read_file(policy) if policy else None, from_=from_, to=to, ordinary=ordinary, undeclared=callouts,
        )  # fmt: skip
    more: dict[str, Any] = {"allow_unknown": allow_unknown}
    more |= {"every": True} if every else {"before": before} if before else {}
    arguments: tuple[Any, ...] = (words,) if kind == "accepts" else words
    found = getattr(claims, kind.replace("-", "_"))(about, *arguments, **more)
    if output_format == "json":
        parts = {part.heading: list(part.lines) for part in found.parts}
        said = {"verdict": found.verdict, "claim": found.claim, "cause": found.cause, "parts": parts}
        click.echo(json.dumps({**said, "witness": list(found.witness), "token": found.token or None}, indent=2))
    else:
        click.echo(found.message)
    if html and found.witness:
        from fsm.cli.walk_file import write_file
        from fsm.page.finding import finding_page

        write_file(html, finding_page(found, about), "--html")
    elif html:
        click.echo(f"{html} is not written: there is no run to show", err=True)
    return 0 if found or (found.verdict == "unknown" and allow_unknown) else 1


def _check_page(html: str) -> None:
    folder = Path(html).parent
    if not folder.is_dir():
        raise FsmError(f"--html {html}", f"no folder {str(folder)!r}", fix="Make it first, or give another file")
    if Path(html).is_dir():
        raise FsmError(f"--html {html}", "this is a folder", fix="Name a file in it")
