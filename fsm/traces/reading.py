"""Reading a driver's own log: every line is an observation, about something else, or not understood and told.

Only module of this package that touches files. Text in UTF-8 or UTF-16, with or without byte order mark, LF or CRLF,
plain or gzip.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from fsm import catalogue
from fsm.errors import FsmError, LogError
from fsm.logs.fields import clean
from fsm.logs.stream import Broken, Budget, ByteStream, Utf8, WholeReads, open_file
from fsm.names import IP_VERSIONS, WINDOWS
from fsm.traces.observation import Observation, Trace
from fsm.traces.patterns import ANY_END, BUILT_IN, LIMIT_LINE_CHARS, Fields, Pattern, own_keys, own_pattern
from fsm.traces.words import (
    BadWord,
    Clock,
    direction_of,
    end_of,
    flags_of,
    ip_of,
    is_udp,
    layer_of,
    verdict_of,
)  # fmt: skip

SAMPLE_LINES = 2_000  # the beginning that decides on the pattern
Source = str | Path | BinaryIO | bytes


@dataclass(frozen=True, slots=True)
class _Read:
    """An observation with the ends as the packet has them, until it is known which one is local."""

    observation: Observation
    src: str = ""
    dst: str = ""


def read_trace(
    source: Source,
    pattern: str | None = None,
    *,
    keys: str | None = None,
    reverse: bool = False,
    ip: int = 4,
    windows: str = "11",
) -> Trace:
    """The observations of one log.

    Parameters
    ----------
    source : a path, an open binary stream, or the bytes themselves.
    pattern : a regular expression with named groups (`patterns.GROUPS`); without one a built-in pattern is found.
    keys : `layer=KEY, verdict=KEY` for JSON lines and key=value logs, in place of a pattern.
    reverse : the log has the newest line first. Found by itself where times fall or the lines are a kernel stack.
    ip, windows : how to read layer names without IP version, and run-time ids above 81.

    Returns
    -------
    A `Trace`: `lines` = observations + `other_lines` + not understood. Times are seconds since the first one.

    Raises
    ------
    LogError : it cannot be read, or no line of it is an observation.
    FsmError, UnknownName : a pattern or keys that make no sense.
    """
    if pattern is not None and keys is not None:
        raise FsmError(
            "trace", "both a pattern and keys are given", fix="Give --pattern for text, --keys for JSON lines"
        )
    if ip not in IP_VERSIONS or windows not in WINDOWS:
        raise FsmError(
            "trace", f"IP version {ip} or Windows '{windows}' is not known", f"Windows: {', '.join(WINDOWS)}"
        )
    given = own_pattern(pattern) if pattern is not None else own_keys(keys) if keys is not None else None
    where = _name_of(source)
    lines, trouble = _lines_of(source, where)
    chosen = given or _recognised(lines, where, ip, windows)
    reader = _Reader(chosen, where, ip, windows)
    for number, line in lines:
        reader.line(number, line)
    if not reader.found:
        raise reader.nothing()
    return reader.trace(len(lines), reverse, trouble)


class _Reader:
    """The lines of one log, one after the other."""

    def __init__(self, pattern: Pattern, where: str, ip: int, windows: str) -> None:
        self._pattern, self._where, self._ip, self._windows = pattern, where, ip, windows
        self.found: list[_Read] = []
        self._bad: list[tuple[str, str]] = []
        self._others = 0
        self._clock = Clock()
        self._nameless_bits = 0
        self._lost_ends: list[int] = []  # lines with an address of which no end was read
        self._stack: list[int] = []  # the stack pointers of frames

    def line(self, number: int, line: str) -> None:
        """Read one line into observations, others, or what was not understood."""
        where = f"{self._where}, line {number}"
        if not line.strip():
            self._others += 1
            return
        if len(line) > LIMIT_LINE_CHARS:
            self._bad.append((where, f"{len(line)} characters; at most {LIMIT_LINE_CHARS} are looked at"))
            return
        try:
            fields = self._pattern.take(line)
            if fields is None or not is_udp(fields.get("protocol", "")):
                self._others += 1
                return
            self.found.append(self._read(fields, where, line))
            if not any(fields.get(end) for end in ("local", "remote", "src", "dst")) and ANY_END.search(line):
                self._lost_ends.append(number)
        except BadWord as error:
            self._bad.append((where, clean(str(error))))
            return
        if self._pattern.nested:
            head = line.strip().split(" ", 1)[0].replace("`", "")
            self._stack.append(int(head, 16) if all(c in "0123456789abcdefABCDEF" for c in head) else 0)

    def _read(self, fields: Fields, where: str, line: str) -> _Read:
        local, remote = _end(fields, "local"), _end(fields, "remote")
        src, dst = _end(fields, "src"), _end(fields, "dst")
        direction = direction_of(fields.get("direction", ""))
        flags: tuple[str, ...] | None = None
        if fields.get("flags"):
            flags, nameless = flags_of(fields["flags"])
            self._nameless_bits |= nameless
        seen = Observation(
            layer=layer_of(fields["layer"], ip_of(local, remote, src, dst) or self._ip, self._windows, direction),
            verdict=verdict_of(fields.get("verdict", "")),
            endpoint=clean(fields.get("endpoint", "")).strip(),
            local=local,
            remote=remote,
            at_s=self._clock.at_s(fields["time"]) if fields.get("time") else None,
            flags=flags,
            source=where,
            text=clean(line.strip()),
            direction=direction,
        )
        return _Read(seen, src, dst)

    def nothing(self) -> LogError:
        """Why a log without any observation is an error."""
        if self._bad:
            where, why = self._bad[0]
            return LogError(
                where, f"not understood, like every line that could be a classify ({len(self._bad)}): {why}"
            )
        return LogError(
            self._where,
            f"none of {self._others} lines fits the {self._pattern.name} {self._pattern.text!r}",
            fix="Give another --pattern, or none to have one found",
        )

    def trace(self, lines: int, reverse: bool, trouble: str) -> Trace:
        """Everything that was read, the oldest first."""
        notes: list[str] = []
        times = [one.observation.at_s for one in self.found if one.observation.at_s is not None]
        falling = len(times) > 1 and times[0] > times[-1] and all(a >= b for a, b in pairwise(times))
        innermost_first = self._pattern.nested and self._stack == sorted(self._stack)
        if reverse or falling or innermost_first:
            self.found.reverse()
            why = "--reverse" if reverse else "its times fall" if falling else "a stack has the innermost call first"
            notes.append(f"read from the last line to the first ({why})")
            if times and falling:
                self._shift(times[-1])
        if self._nameless_bits:
            notes.append(f"classify flag bits without a name were left out: {self._nameless_bits:#x}")
        if self._lost_ends:
            notes.append(
                f"addresses were not read as ends in {len(self._lost_ends)} of {len(self.found)} lines (first in line "
                f"{self._lost_ends[0]}), so they tell no conversations apart; say --pattern with groups local and "
                "remote, or src and dst"
            )
        if any(a > b for a, b in pairwise(times)) and not falling:
            notes.append("times go back and forth; the order of the lines is kept")
        return Trace(
            tuple(_oriented(self.found)), self._where, lines, tuple(self._bad), self._others,
            self._pattern.name if self._pattern in BUILT_IN else f"{self._pattern.name}: {self._pattern.text}",
            tuple(notes), trouble,
        )  # fmt: skip

    def _shift(self, first_s: float) -> None:
        self.found = [
            replace(one, observation=replace(one.observation, at_s=round(one.observation.at_s - first_s, 9)))
            if one.observation.at_s is not None
            else one
            for one in self.found
        ]


def _end(fields: Fields, name: str) -> str:
    address, port = fields.get(name, ""), fields.get(f"{name}_port", "")
    return end_of(address, port) if address or port else ""


def _oriented(found: list[_Read]) -> Iterator[Observation]:
    """Source and destination as local and remote: by direction, layer, or what is local elsewhere in the log."""
    ways = []
    here: set[str] = set()
    for one in found:
        way = one.observation.direction
        if not way and (one.src or one.dst):
            # A layer of both directions says nothing; an authorization can be asked again by a packet the other way,
            # and what its src and dst mean then, a log does not say: the flow's own direction is taken.
            way = catalogue.by_name(one.observation.layer).direction
        ways.append(way)
        here.update(end for end in (one.observation.local,) if end)
        if way in ("inbound", "outbound"):
            here.add(one.dst if way == "inbound" else one.src)
    for one, way in zip(found, ways, strict=True):
        if not (one.src or one.dst) or one.observation.local or one.observation.remote:
            yield one.observation
            continue
        inbound = way == "inbound" or (way != "outbound" and one.dst in here and one.src not in here)
        local, remote = (one.dst, one.src) if inbound else (one.src, one.dst)
        yield replace(one.observation, local=local, remote=remote)


# ---- lines


def _name_of(source: Source) -> str:
    if isinstance(source, bytes):
        return "trace"
    if isinstance(source, str | Path):
        return Path(source).name or str(source)  # "." and "/" have no name
    name = getattr(source, "name", "")
    return "standard input" if name in ("<stdin>", 0) else Path(str(name)).name or "trace"


def _lines_of(source: Source, where: str) -> tuple[list[tuple[int, str]], str]:
    """The lines with their numbers, and what trouble cut them off ("" for none)."""
    if isinstance(source, bytes):
        return _split(BytesIO(source), where)
    if isinstance(source, str | Path):
        with open_file(source, where) as file:
            return _split(file, where)
    return _split(source, where)


def _split(raw: BinaryIO, where: str) -> tuple[list[tuple[int, str]], str]:
    stream = ByteStream(raw, where)
    if stream.peek(2) == b"\x1f\x8b":
        packed = stream
        stream = ByteStream(gzip.GzipFile(fileobj=WholeReads(packed)), where, Budget(lambda: packed.taken))  # type: ignore[call-overload]
    pieces: list[bytes] = []
    trouble = ""
    try:
        text = Utf8(stream, _encoding(stream.peek(4)))
        while piece := text.read(256 * 1024):
            pieces.append(piece)
    except Broken as error:
        if not pieces:
            raise
        trouble = str(error)
    whole = b"".join(pieces)
    if b"\0" in whole[:4096]:
        raise LogError(where, "is no text", fix="Give the driver's log as text or JSON lines")
    lines = whole.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return list(enumerate(lines, 1)), trouble


def _encoding(head: bytes) -> str:
    if head.startswith(b"\xff\xfe"):
        return "utf-16-le"
    if head.startswith(b"\xfe\xff"):
        return "utf-16-be"
    if len(head) == 4 and head[0] and head[2] and not head[1] and not head[3]:
        return "utf-16-le"  # without byte order mark: every second byte of Latin text is zero
    return "utf-8"


# ---- which pattern


def _recognised(lines: list[tuple[int, str]], where: str, ip: int, windows: str) -> Pattern:
    """The built-in pattern that reads the most lines of the beginning; of equals the first in the list."""
    sample = [line for _, line in lines[:SAMPLE_LINES] if line.strip() and len(line) <= LIMIT_LINE_CHARS]
    if not sample and any(line.strip() for _, line in lines[:SAMPLE_LINES]):
        what = f"none of the first lines has at most {LIMIT_LINE_CHARS:,} characters"
        raise LogError(where, what, fix="Give a log with one classify a line")
    if not sample:
        raise LogError(where, "has no line to read", fix="Give a log with one classify a line")
    best, most = None, 0
    for pattern in BUILT_IN:
        count = sum(_is_read(pattern, line, ip, windows) for line in sample)
        if count > most:
            best, most = pattern, count
    if best is None:
        names = ", ".join(pattern.name for pattern in BUILT_IN)
        raise LogError(
            where,
            f"no line of the first {len(sample)} names a layer in a form that is known ({names})",
            fix=r"Give --pattern with a group (?P<layer>...), or --keys layer=KEY for JSON lines",
        )
    return best


def _is_read(pattern: Pattern, line: str, ip: int, windows: str) -> bool:
    try:
        fields = pattern.take(line)
        if fields is None:
            return False
        direction = direction_of(fields.get("direction", ""))
        return bool(layer_of(fields["layer"], ip, windows, direction)) and verdict_of(fields.get("verdict", "")) != "?"
    except BadWord:
        return False
