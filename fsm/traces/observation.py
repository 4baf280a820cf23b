"""What one line of a recorded trace says: one classify at one layer, as far as the log tells. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from fsm.errors import FsmError

LISTED = 5  # places in a text


@dataclass(frozen=True, slots=True)
class Observation:
    """One classify that somebody saw.

    `layer` is the full FWPM name. What the log does not tell is empty or None: a verdict, which endpoint, the
    five-tuple, the time in seconds since the trace began, the flags, the direction of the packet ("inbound",
    "outbound"). `source` is where it was read ("drv.log, line 4") and `text` the line itself. `ends_unread` says that
    the line shows addresses and which of them are its ends was not read: whose it is cannot be told.
    """

    layer: str
    verdict: str = ""
    endpoint: str = ""
    local: str = ""  # address:port as the log has it
    remote: str = ""
    at_s: float | None = None
    flags: tuple[str, ...] | None = None  # None: the log does not show flags; (): it shows that there are none
    source: str = ""
    text: str = ""
    direction: str = ""
    ends_unread: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """The observations of one log in its order, and what was read: lines = observations + others + not understood.

    Of JSON that is written over lines each entry counts as a line.

    `pattern` says by which pattern the lines were read, `notes` what was done besides (the order was reversed, flags
    that no name is known for), `broken` why the reading stopped before the end of a damaged container ("": it did not).
    """

    observations: tuple[Observation, ...]
    source: str = ""
    lines: int = 0
    not_understood: tuple[tuple[str, str], ...] = ()  # (where, why)
    other_lines: int = 0  # lines that are about something else, by the pattern that was given
    pattern: str = ""
    notes: tuple[str, ...] = ()
    broken: str = ""

    @property
    def unread(self) -> tuple[str, ...]:
        """What of the log was not read, a sentence each. Where there is such, it agrees with nothing."""
        lines, ends = len(self.not_understood), [one for one in self.observations if one.ends_unread]
        places = [where.rpartition(", ")[2] for where, _ in self.not_understood[:LISTED]]
        found = []
        if lines:
            more = " ..." if lines > LISTED else ""
            found.append(f"{lines} line{'' if lines == 1 else 's'} could not be read ({', '.join(places)}{more})")
        if ends:
            found.append(f"the ends of {len(ends)} line{'' if len(ends) == 1 else 's'} could not be read")
        if self.broken:
            found.append("the log could not be read to its end")
        return tuple(found)

    def __bool__(self) -> bool:
        """Nothing: `assert read_trace(...)` would pass whatever the log says.

        Raises
        ------
        FsmError : always, saying what to write.
        """
        raise FsmError(
            self.source or "trace",
            "a trace is neither true nor false",
            fix='Write accepts("sender", trace) or check_trace(trace).ok',
        )
