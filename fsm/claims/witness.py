"""A run to show: its moves for the stepper, a share token, its steps as lines, and the command that draws it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from fsm.aside import aside
from fsm.choices import Config
from fsm.claims.decide import Path
from fsm.claims.runs import TICK, TICK_EVENT, Event, Runs, SpaceRuns
from fsm.claims.subject import EndpointSubject, SessionSubject, Subject
from fsm.claims.timed import BY_THE_CLOCK
from fsm.endpoint import GROUP_LIFETIME_S, UNICAST_LIFETIME_S
from fsm.errors import FsmError
from fsm.names import VERDICTS
from fsm.table import compile_table

SHOWN_LINES = 12  # of a run; a longer one is shown by its beginning and its end


def events_of(runs: Runs, path: Path) -> tuple[Event, ...]:
    """The events of a path."""
    return tuple(runs.events[event] for event, _ in path)


def moves_of(events: Sequence[Event], *, usual_lifetimes: bool = True) -> tuple[str, ...]:
    """The moves that the stepper takes for them; seconds in a row are one wait, which timers run out in.

    The stepper's timers have the usual lifetimes: with others it is told of each timeout, and does not wait.
    """
    moves: list[str] = []
    seconds = 0
    timed = usual_lifetimes and any(event.stimulus == TICK for event in events)
    for event in events:
        if event.stimulus == TICK:
            seconds += usual_lifetimes
            continue
        # A wait ends where a timer runs out: in one long wait flows end first, whatever was due first.
        moves += [f"wait:{seconds}"] if seconds else []
        seconds = 0
        if event.move and not (timed and event.move in BY_THE_CLOCK):
            moves.append(event.move)
    return (*moves, f"wait:{seconds}") if seconds else tuple(moves)


def has_usual_lifetimes(subject: Subject) -> bool:
    """Whether flows live as long as they do unless a policy's classify options say otherwise."""
    policy = subject.policy if isinstance(subject, EndpointSubject) else None
    return policy is None or policy.lifetimes_s == (UNICAST_LIFETIME_S, GROUP_LIFETIME_S)


def lines_of(events: Sequence[Event]) -> tuple[str, ...]:
    """A run, one line for each stimulus with the layers that saw it."""
    lines: list[str] = []
    seconds = 0
    for event in events:
        if event.stimulus == TICK:
            if event == TICK_EVENT:
                seconds += 1
            elif lines[-1:] != [event.shown]:
                lines.append(event.shown)  # of a recorded trace: the whole gap
            continue
        if seconds:
            lines.append(f"(wait {seconds} s)")
            seconds = 0
        if event.begins:
            lines.append(str(event))
            continue
        if not lines or lines[-1].startswith(("(wait", "(after")):
            lines.append(f"in ({event.stimulus})" if event.stimulus else "recorded")
        at = f"@{event.endpoint}"
        shown = str(event).removesuffix(at) if lines[-1].partition(":")[0].endswith(at) else str(event)
        lines[-1] += f"{',' if ': ' in lines[-1] else ':'} {shown}"
    if seconds:
        lines.append(f"(wait {seconds} s)")
    if len(lines) > SHOWN_LINES:
        half = SHOWN_LINES // 2
        lines[half:-half] = [f"... {len(lines) - 2 * half} more ..."]
    return tuple(lines) or ("(nothing has happened)",)


# ---- share tokens


def verdicts_on(runs: Runs, path: Path) -> tuple[str, ...]:
    """The verdicts on a path; in a session those of whole moves, though the path may end within one."""
    if isinstance(runs, SpaceRuns):
        return tuple(verdict for event, _ in path for verdict in runs.move_of(event).verdicts)
    return tuple(event.verdict for event in events_of(runs, path) if event.layer)


@aside()
def token_of(subject: Subject, moves: Sequence[str], verdicts: Sequence[str] = ()) -> str:
    """The share token of a run; "" where the stepper cannot do it (a trace, other rows than the package's own).

    The stepper decides by hand what filters have decided: of a session with policies it needs the verdicts.
    """
    from fsm.stepper.walk import Walk

    system: Any
    if isinstance(subject, EndpointSubject):
        from fsm.stepper.endpoint_system import EndpointSystem

        name, config = subject.table.view.name, subject.table.config
        if subject.table is not compile_table(name, config):
            return ""
        system = EndpointSystem(name, config)
    elif isinstance(subject, SessionSubject):
        from fsm.stepper.session_system import SessionSystem

        system = SessionSystem(subject.stepped(verdicts))
    else:
        return ""
    walk = Walk(system, manual=True)
    try:
        for move in moves:
            walk.choose(move)
        token = walk.token_at(walk.at)
        assert isinstance(token, str)
        return token
    except FsmError as error:
        # A run too long for a token is still a run; that it cannot be replayed at all would be a bug.
        if error.where == "token":
            return ""
        raise


# ---- commands


def stepping(token: str) -> str:
    """The command that steps through a run."""
    return _line("wfp-udp", "step", "--token", token)


def drawing(token: str) -> str:
    """The command that draws a run."""
    return _line("wfp-udp", "step", "--token", token, "-o", "walk.svg")


def machine_words(config: Config) -> list[str]:
    """The options of the command line that mean this machine."""
    words = ["--ip", str(config.ip)] if config.ip != 4 else []
    words += ["--windows", config.windows] if config.windows != "11" else []
    words += ["--evidence", config.evidence] if config.evidence != "base" else []
    for name, option in config.assume:
        words += ["--assume", f"{name}={option}"]
    return words


def command_of(subject: Subject, events: Sequence[Event], token: str) -> tuple[str, ...]:
    """The commands that draw a run, which `token` brings back; none where no command can.

    `run` gives one layer one verdict throughout: a run that is not so is drawn from its token, or where it is too long
    for one, the rules that it went by are marked in the picture of the endpoint.
    """
    from_token = (drawing(token),) if token and events else ()
    if isinstance(subject, SessionSubject):
        return from_token
    if not isinstance(subject, EndpointSubject) or not events:
        return ()
    config = subject.table.config
    if subject.table is not compile_table(subject.table.view.name, config):
        return ()
    machine = machine_words(config)
    given: dict[str, str] = {}
    for event in events:
        if event.layer and given.setdefault(event.layer, event.verdict) != event.verdict:
            if from_token:
                return from_token
            rules = [word for step in _rules(events) for word in ("--highlight", step)]
            return (_line("wfp-udp", "diagram", subject.table.view.name, *rules, *machine),)
    usual = has_usual_lifetimes(subject)
    stimuli = [move for move in moves_of(events, usual_lifetimes=usual) if move not in VERDICTS]
    asked = [
        word
        for layer, verdict in given.items()
        if verdict != "permit"
        for word in ("--verdict", f"{layer.removeprefix('FWPM_LAYER_')}={verdict}")
    ]
    run = _line("wfp-udp", "run", subject.table.view.name, *stimuli, *asked, *machine, "--format", "json")
    return (
        f"{run} > walk.json",
        _line("wfp-udp", "diagram", "packet-path", "--highlight", "walk.json", *machine),
    )


def _rules(events: Sequence[Event]) -> list[str]:
    return list(dict.fromkeys(event.step.rule for event in events if event.step))


def _line(*words: str) -> str:
    # Double quotes, which every shell takes; no word has one itself.
    return " ".join(word if shlex.quote(word) == word else f'"{word}"' for word in words)
