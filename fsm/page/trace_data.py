"""What a recorded walk is made of: events in order, each with the steps that it shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One classify of an event, or a step that no layer sees.

    Parameters
    ----------
    layer : the FWPM name, "" where no layer sees it.
    verdict : what the layer answered, "" for none.
    rule : key of the row behind it, "" where none is known.
    flags : classify flags.
    actor : who does it, in a session.
    """

    layer: str = ""
    verdict: str = ""
    rule: str = ""
    flags: tuple[str, ...] = ()
    actor: str = ""


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One event of a trace.

    Parameters
    ----------
    title : one line, `5158 BIND_REDIRECT permit` or `sender: sendto@receiver`.
    text : what is to be said about it, in sentences; lines are kept apart.
    steps : what happened, in order.
    time : when, as text; "" where unknown.
    token : the place in the stepper, "" where there is none.
    state : the state afterwards, as text; "" where unknown.
    level : "plain", "good", "warn" or "bad".
    word : what the level is called in the list of events; "" for its own name.
    """

    title: str
    text: str = ""
    steps: tuple[TraceStep, ...] = ()
    time: str = ""
    token: str = ""
    state: str = ""
    level: str = "plain"
    word: str = ""
