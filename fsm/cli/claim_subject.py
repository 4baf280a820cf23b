"""What `wfp-udp claim` makes claims of: its options, and how they become one subject, or two for `equivalent`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import click

from fsm.cli.options import config_of, machine_options, verdicts_of
from fsm.errors import FsmError, LogError
from fsm.names import EVIDENCE, IP_VERSIONS, WINDOWS

if TYPE_CHECKING:
    from fsm.claims.subject import Subject
    from fsm.traces.observation import Trace

SESSION, TRACE = "session", "trace"
_UNKNOWN = "unknown"
_TOLD = 3  # lines that were not understood

_ANSWERS = (
    click.option("--block", "blocks", multiple=True, metavar="LAYER", help="This layer blocks. May be repeated."),
    click.option(
        "--verdict", "verdicts", multiple=True, metavar="LAYER=VERDICT", help="This layer answers so. May be repeated."
    ),
    click.option("--any-verdict", is_flag=True, help="Every layer gives every verdict that it takes."),
    click.option(
        "--policy",
        "policies",
        multiple=True,
        metavar="FILE",
        help="The layers answer as these filters arbitrate. Session: ENDPOINT=FILE, may be repeated.",
    ),
    click.option(
        "--at", "places", multiple=True, metavar="ENDPOINT=ADDRESS:PORT", help="Session: where each endpoint is."
    ),
    click.option("--from", "from_", default="", metavar="ADDRESS:PORT", help="With --policy: who sends."),
    click.option("--to", default="", metavar="ADDRESS:PORT", help="With --policy: who it is for."),
    click.option(
        "--ordinary", is_flag=True, help="With --policy: a program, user and interface that no filter names, no tunnel."
    ),
    click.option(
        "--callouts",
        default=_UNKNOWN,
        show_default=True,
        metavar="unknown|permit",
        help="With --policy: what callouts answer that nobody has described.",
    ),
    click.option("--stimuli", default="", metavar="LIST", help="What can happen, where that is not everything."),
    click.option("--limit-states", type=int, metavar="N", help="Session: explore N states."),
)
_RECORDED = (
    click.option("--trace", default="", metavar="FILE", help="A recorded trace; - is standard input."),
    click.option("--pattern", metavar="REGEX", help="With --trace: how to read a line, as in 'wfp-udp check'."),
    click.option("--keys", metavar="FIELD=KEY,...", help="With --trace: which keys to read, as in 'wfp-udp check'."),
    click.option("--reverse", is_flag=True, help="With --trace: the newest line comes first."),
)
# How `accepts` takes a driver's log, as `wfp-udp check` does.
_CHECKED = (
    click.option("--only", multiple=True, metavar="LAYERS", help="accepts --trace: callouts stand here only."),
    click.option("--without", multiple=True, metavar="LAYERS", help="accepts --trace: no callout stands here."),
    click.option("--never", multiple=True, metavar="STIMULI", help="accepts --trace: what did not happen."),
    click.option(
        "--allow", multiple=True, metavar="STIMULI|all", help="accepts --trace: what may have happened though rare."
    ),
    click.option(
        "--verdicts", "answered", metavar="final|own", help="accepts --trace: what the layer answered, or one callout."
    ),
    click.option("--from-start", is_flag=True, help="accepts --trace: it begins before its sockets were bound."),
    click.option("--limit", type=int, metavar="N", help="accepts --trace: work in search of the fewest edits."),
)
CHECKED: dict[str, str] = {
    **{name: name for name in ("only", "without", "never", "allow", "from_start", "limit")},
    "answered": "verdicts",
}  # how the parameters of the command are called in `accepts`
_AGAINST = (
    click.option("--against-block", multiple=True, metavar="LAYER", help="equivalent: OTHER blocks here instead."),
    click.option(
        "--against-verdict", multiple=True, metavar="LAYER=VERDICT", help="equivalent: OTHER answers so instead."
    ),
    click.option(
        "--against-policy", multiple=True, metavar="FILE", help="equivalent: OTHER has these filters instead."
    ),
    click.option("--against-ip", type=int, metavar="|".join(map(str, IP_VERSIONS)), help="equivalent: of OTHER."),
    click.option("--against-windows", metavar="VERSION", help=f"equivalent: of OTHER. One of {', '.join(WINDOWS)}."),
    click.option("--against-evidence", metavar="ORDER", help=f"equivalent: of OTHER. One of {', '.join(EVIDENCE)}."),
    click.option(
        "--against-assume", multiple=True, metavar="DISPUTE=OPTION", help="equivalent: OTHER takes this side instead."
    ),
)


def subject_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `Settings`, and those by which the other side of `equivalent` differs."""
    function = machine_options(function)
    for option in reversed((*_ANSWERS, *_RECORDED, *_CHECKED, *_AGAINST)):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Settings:
    """One subject as the options say it; the names are those of the command's parameters."""

    endpoint: str
    blocks: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    any_verdict: bool = False
    policies: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    from_: str = ""
    to: str = ""
    ordinary: bool = False
    callouts: str = _UNKNOWN
    stimuli: str = ""
    limit_states: int | None = None
    trace: str = ""
    pattern: str | None = None
    keys: str | None = None
    reverse: bool = False
    ip: int = 4
    windows: str = "11"
    evidence: str = "base"
    assumptions: tuple[str, ...] = ()


_HOW_ANSWERED = ("blocks", "verdicts", "any_verdict", "policies")
_DATAGRAM = ("from_", "to", "places", "ordinary", "callouts")
_OF_ENDPOINTS = ("blocks", "verdicts", "any_verdict", "from_", "to")
_RECORDING = ("trace", "pattern", "keys", "reverse")
_MACHINE = ("ip", "windows", "evidence", "assumptions")
_USUAL: dict[str, Any] = {field.name: field.default for field in fields(Settings) if field.name != "endpoint"}


def settings_of(what: str, given: Mapping[str, Any]) -> Settings:
    """The subject that ENDPOINT and the options mean."""
    return Settings(_name(what), **{name: given[name] for name in _USUAL})


def both_of(settings: Settings, other: str, given: Mapping[str, Any], where: str) -> tuple[Settings, Settings]:
    """The two subjects of `equivalent`: the second is as the first but for its name and what --against-... says.

    Raises
    ------
    FsmError : then they are the same.
    """
    against = {name.removeprefix("against_"): value for name, value in given.items() if name.startswith("against_")}
    changed = {_PLURAL.get(name, name): value for name, value in against.items() if value not in (None, ())}
    second = replace(settings, endpoint=_name(other) if other else settings.endpoint)
    # What only one of the two can take is meant for that one; what neither can take stays, and is refused.
    settings, second = (
        _usual(one, sorted(_taken(another.endpoint) - _taken(one.endpoint)))
        for one, another in ((settings, second), (second, settings))
    )
    if "assumptions" in changed:
        decided = {_dispute(one) for one in changed["assumptions"]}
        kept = (one for one in second.assumptions if _dispute(one) not in decided)
        changed["assumptions"] = (*kept, *changed["assumptions"])
    if any(name in changed for name in _HOW_ANSWERED):
        second = _usual(second, _HOW_ANSWERED)
    second = replace(second, **changed)
    # One datagram is described, for whichever has filters that are asked about it.
    if second.policies and not settings.policies:
        settings = _usual(settings, _DATAGRAM)
    elif settings.policies and not second.policies:
        second = _usual(second, _DATAGRAM)
    if settings == second:
        raise FsmError(
            where,
            f"{settings.endpoint} is given on both sides, with the same settings",
            fix="Name another endpoint, or say with --against-... how the second one differs",
        )
    return settings, second


_PLURAL = {"block": "blocks", "verdict": "verdicts", "policy": "policies", "assume": "assumptions"}


def _name(what: str) -> str:
    return what.lower().replace("-", "_")


def _dispute(assumption: str) -> str:
    return assumption.partition("=")[0].strip()


def _taken(endpoint: str) -> set[str]:
    """What can be said of a subject."""
    if endpoint == TRACE:
        return {*_RECORDING, "ip", "windows"}
    if endpoint == SESSION:
        return {"policies", "places", "ordinary", "callouts", "stimuli", "limit_states", *_MACHINE}
    return {*_HOW_ANSWERED, *_DATAGRAM, "stimuli", *_MACHINE} - {"places"}


def _usual(settings: Settings, names: Iterable[str]) -> Settings:
    return replace(settings, **{name: _USUAL[name] for name in names})


def without_trace(settings: Settings) -> Settings:
    """The same where the trace is no part of the subject."""
    return _usual(settings, _RECORDING)


def subject_of(settings: Settings, where: str) -> Subject:
    """The subject that is meant.

    Raises
    ------
    FsmError : options that say nothing of it, or not enough.
    """
    from fsm.claims.subject import SessionSubject, TraceSubject, checked_trace, endpoint
    from fsm.cli.session_policies import policies_of, read_file
    from fsm.session import make_session
    from fsm.space import LIMIT_STATES

    where = f"{where} {settings.endpoint}"
    config = config_of(settings.ip, settings.windows, settings.evidence, settings.assumptions)
    answered = any(getattr(settings, name) != _USUAL[name] for name in (*_HOW_ANSWERED, *_DATAGRAM))
    if settings.endpoint == TRACE:
        if answered or settings.stimuli or settings.limit_states is not None:
            raise FsmError(where, "a trace is what was recorded: nothing can be said of verdicts, stimuli or states",
                           fix="Leave these options out")  # fmt: skip
        if settings.evidence != _USUAL["evidence"] or settings.assumptions:
            raise FsmError(where, "--evidence and --assume say nothing of a trace", fix="Leave them out")
        return TraceSubject(checked_trace(recorded_trace(settings, where), where))
    if any(getattr(settings, name) != _USUAL[name] for name in _RECORDING):
        raise FsmError(where, "--trace, --pattern, --keys and --reverse are for a recorded trace",
                       fix=f"Make the claim of {TRACE}")  # fmt: skip
    stimuli = tuple(word for word in settings.stimuli.replace(",", " ").split() if word)
    if settings.endpoint == SESSION:
        if any(getattr(settings, name) != _USUAL[name] for name in _OF_ENDPOINTS):
            raise FsmError(
                where, "--block, --verdict, --any-verdict, --from and --to are for one endpoint",
                fix="A session takes --policy ENDPOINT=FILE with --at ENDPOINT=ADDRESS:PORT",
            )  # fmt: skip
        limit = LIMIT_STATES if settings.limit_states is None else settings.limit_states
        filters = policies_of(settings.policies, settings.places, settings.ordinary, settings.callouts)
        return SessionSubject(make_session(config=config, stimuli=stimuli, **filters), limit)
    if settings.limit_states is not None:
        raise FsmError(where, "--limit-states is for sessions", fix="Leave it out")
    if settings.places or len(settings.policies) > 1:
        raise FsmError(where, "--at, and more than one --policy, are for sessions",
                       fix="Give one --policy FILE with --from and --to")  # fmt: skip
    policy = settings.policies[0] if settings.policies else ""
    if policy and not (settings.from_ and settings.to):
        raise FsmError(where, "--policy is asked about one datagram, and its ends are not given",
                       fix="Give --from 192.0.2.1:50000 and --to 198.51.100.1:53")  # fmt: skip
    if not policy and any(getattr(settings, name) != _USUAL[name] for name in _DATAGRAM):
        raise FsmError(where, "--from, --to, --ordinary and --callouts describe a datagram",
                       "They are for --policy", "Give --policy FILE")  # fmt: skip
    return endpoint(
        settings.endpoint, config, block=settings.blocks, verdicts=verdicts_of(settings.verdicts),
        any_verdict=settings.any_verdict, stimuli=stimuli, policy=read_file(policy) if policy else None,
        from_=settings.from_, to=settings.to, ordinary=settings.ordinary, undeclared=settings.callouts,
    )  # fmt: skip


def recorded_trace(settings: Settings, where: str) -> Trace:
    """The trace of --trace. What was not understood of it, and what was done besides, is told on the error output.

    Raises
    ------
    FsmError : no file is named.
    LogError : it cannot be read, or not to its end.
    """
    from fsm.traces.reading import read_trace

    if not settings.trace:
        raise FsmError(where, "no trace is given", fix="Give --trace FILE")
    source = sys.stdin.buffer if settings.trace == "-" else settings.trace
    read = read_trace(
        source, settings.pattern, keys=settings.keys, reverse=settings.reverse, ip=settings.ip, windows=settings.windows
    )
    if read.broken:
        raise LogError(where, f"{read.source} cannot be read to its end: {read.broken}", fix="Record it anew")
    for place, why in read.not_understood[:_TOLD]:
        click.echo(f"{place} is not understood: {why}", err=True)
    if (more := len(read.not_understood) - _TOLD) > 0:
        click.echo(f"{read.source}: {more} more not understood; 'wfp-udp check' lists them", err=True)
    for note in read.notes:
        click.echo(f"{read.source}: {note}", err=True)
    return read
