"""Reading a driver's own log: every line is an observation, about something else, or not understood and told.

Only module of this package that touches files. Text in UTF-8 or UTF-16, with or without byte order mark, LF or CRLF,
plain or gzip.

Of the built-in patterns one is chosen by the beginning of the log. What says by keys what it is, is read so in any log;
a line that only another pattern knows as a classify is not understood, so that none is lost with the choice.
"""

from __future__ import annotations

import gzip
import re
import stat
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from fsm.errors import FsmError, LogError
from fsm.logs.fields import clean
from fsm.logs.stream import Broken, Budget, ByteStream, Utf8, WholeReads, open_file
from fsm.names import IP_VERSIONS, WINDOWS
from fsm.traces.observation import Observation, Trace
from fsm.traces.orientation import Read, oriented
from fsm.traces.pairs import Fields
from fsm.traces.patterns import (
    BUILT_IN,
    BY_KEYS,
    LAYER_NAME,
    LIMIT_LINE_CHARS,
    Pattern,
    checked_pattern,
    columns_of,
    own_keys,
    own_pattern,
)
from fsm.traces.prose import addresses_in
from fsm.traces.records import Records, records_of
from fsm.traces.stoppable import matches
from fsm.traces.words import (
    BadWord,
    Clock,
    direction_of,
    end_of,
    flags_of,
    ip_of,
    is_udp,
    layer_of,
    split_end,
    verdict_of,
)  # fmt: skip

SAMPLE_LINES = 2_000  # the beginning that decides on the pattern
LIMIT_BYTES = 256 * 1024 * 1024  # of text; in memory it takes some ten times as much
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\))")  # colours of a terminal
# What a callout answers besides, beside the action or among the flags: with the one for absorb, a block is an absorb.
_OUT_FLAGS = re.compile(r"[\s|,;+]*(?:FWPS_CLASSIFY_OUT|FWP_ACTION)_FLAG_\w+", re.IGNORECASE)
Source = str | Path | BinaryIO | bytes


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
    groups = () if pattern is None else checked_pattern(pattern)
    chosen = None if keys is None else own_keys(keys)
    where = _name_of(source)
    text, trouble = _text_of(source, where)
    text = _ESCAPES.sub("", text)
    records = records_of(text, as_lines=pattern is not None)
    texts = [text for _, text in records.of if text.strip() and len(text) <= LIMIT_LINE_CHARS]
    if pattern is not None:
        chosen = own_pattern(pattern, dict(zip(texts, matches(pattern, texts, "--pattern"), strict=True)))
    first = BY_KEYS
    if chosen is None:
        table = columns_of(texts)
        first = (table, *first) if table else first
        chosen = _recognised(records, first, where)
        reader = _Reader(chosen, where, ip, windows, first, (LAYER_NAME,))
    else:
        reader = _Reader(chosen, where, ip, windows, (chosen,), ())
    for place, line in records.of:
        reader.line(place, line)
    for place, why in records.broken:
        reader.broken(place, why)
    if not reader.found:
        raise reader.nothing()
    if error := chosen.amiss():
        raise error
    return reader.trace(records, reverse, trouble, groups)


class _Reader:
    """The lines of one log, one after the other.

    Parameters
    ----------
    pattern : how the log is read.
    first : patterns whose lines are theirs in any log.
    last : patterns by which a line is a classify, though it is not read by them.
    """

    def __init__(
        self, pattern: Pattern, where: str, ip: int, windows: str, first: Sequence[Pattern], last: Sequence[Pattern]
    ) -> None:
        self._pattern, self._where, self._ip, self._windows = pattern, where, ip, windows
        self._ways = tuple(dict.fromkeys((*first, pattern)))
        self._last = tuple(one for one in last if one not in self._ways)
        self.found: list[Read] = []
        self._bad: list[tuple[str, str]] = []
        self._others = 0
        self._clock = Clock()
        self._nameless_bits = 0
        self._filled: set[str] = set()  # the fields that some line had
        self._without_verdict: list[str] = []  # the places of lines
        self._stack: list[int] = []  # the stack pointers of frames

    def line(self, place: str, line: str) -> None:
        """Read one line into observations, others, or what was not understood."""
        where = f"{self._where}, {place}"
        if not line.strip():
            self._others += 1
            return
        if len(line) > LIMIT_LINE_CHARS:
            self._bad.append((where, f"{len(line)} characters; at most {LIMIT_LINE_CHARS} are looked at"))
            return
        try:
            fields = self._fields(line)
            if fields is None or not is_udp(fields.get("protocol", "")):
                self._others += 1
                return
            self.found.append(self._read(fields, where, line))
        except BadWord as error:
            self._bad.append((where, clean(str(error))))
            return
        self._filled.update(fields)
        if "verdict" not in fields:
            self._without_verdict.append(place)
        if self._pattern.nested:
            head = line.strip().split(" ", 1)[0].replace("`", "")
            self._stack.append(int(head, 16) if all(c in "0123456789abcdefABCDEF" for c in head) else 0)

    def broken(self, place: str, why: str) -> None:
        """Something that cannot even be taken as a line."""
        self._bad.append((f"{self._where}, {place}", clean(why)))

    def _fields(self, line: str) -> Fields | None:
        for way in self._ways:
            if (fields := way.take(line)) is not None:
                return fields
        for way in self._last:
            fields = way.take(line)
            if fields is not None and fields.get("verdict"):
                raise BadWord(
                    f"it looks like a classify at {fields['layer']}, and the other lines are of the form "
                    f"{self._pattern.name}; say --pattern or --keys"
                )
        return None

    def _read(self, fields: Fields, where: str, line: str) -> Read:
        local, remote = _end(fields, "local"), _end(fields, "remote")
        is_arrow = "left" in fields
        src, dst = (_end(fields, name) for name in (("left", "right") if is_arrow else ("src", "dst")))
        direction = direction_of(fields.get("direction", ""))
        flags: tuple[str, ...] | None = None
        if said := _OUT_FLAGS.sub("", fields.get("flags", "")):
            flags, nameless = flags_of(said)
            self._nameless_bits |= nameless
        verdict = verdict_of(_OUT_FLAGS.sub("", fields.get("verdict", "")))
        if "FWPS_CLASSIFY_OUT_FLAG_ABSORB" in line.upper() and verdict == "block":
            verdict = "absorb"
        seen = Observation(
            layer=layer_of(fields["layer"], ip_of(local, remote, src, dst) or self._ip, self._windows, direction),
            verdict=verdict,
            endpoint=clean(fields.get("endpoint", "")).strip(),
            local=local,
            remote=remote,
            at_s=self._clock.at_s(fields["time"]) if fields.get("time") else None,
            flags=flags,
            source=where,
            text=clean(line.strip()),
            direction=direction,
        )
        if _ends_unread(seen.layer, (local, remote, src, dst), line):
            return Read(replace(seen, local="", remote="", ends_unread=True))
        return Read(seen, src, dst, is_arrow)

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

    def trace(self, records: Records, reverse: bool, trouble: str, groups: Sequence[str]) -> Trace:
        """Everything that was read, the oldest first; `groups` are those of a pattern of one's own."""
        notes: list[str] = []
        if records.entries:
            notes.append(f"JSON that is written over lines: each of its {records.count} entries counts as a line")
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
        count = len(self.found)
        unread = [one.observation.source for one in self.found if one.observation.ends_unread]
        if unread:
            first = min(unread, key=_number)
            notes.append(
                f"addresses were not read as ends in {len(unread)} of {count} lines (first in {_place(first)}), so "
                "whose these lines are cannot be told; say --keys layer=KEY,local=KEY,remote=KEY, or --pattern with "
                "groups local and remote, or src and dst"
            )
        if self._without_verdict and not self._pattern.nested:
            notes.append(
                f"no verdict was read in {len(self._without_verdict)} of {count} lines (first in "
                f"{self._without_verdict[0]}); if they show one, say --keys layer=KEY,verdict=KEY, or --pattern with a "
                "group verdict"
            )
        if idle := [name for name in groups if name not in self._filled]:
            notes.append(
                f"the group{'s' if len(idle) > 1 else ''} {', '.join(idle)} of the pattern took part in no line"
            )
        if any(a > b for a, b in pairwise(times)) and not falling:
            notes.append("times go back and forth; the order of the lines is kept")
        observations, arrows = oriented(self.found)
        if arrows:
            notes.append(arrows)
        is_own = self._pattern not in BUILT_IN and not self._last
        name = self._pattern.name + (f": {self._pattern.text}" if is_own else "")
        return Trace(
            observations, self._where, records.count, tuple(self._bad), self._others, name,
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


def _ends_unread(layer: str, ends: Sequence[str], line: str) -> bool:
    """Whether a line shows addresses that were not read, or no port though its layer has ports."""
    read = {address for end in ends if (address := split_end(end)[0])}
    if len(read) < 2 and addresses_in(line) - read:
        return True
    has_ports = not any(word in layer for word in ("IPPACKET", "ICMP_ERROR", "IPFORWARD"))
    return has_ports and bool(read) and all(split_end(end)[1] is None for end in ends)


def _place(source: str) -> str:
    return source.rpartition(", ")[2]


def _number(source: str) -> int:
    return int(source.rpartition(" ")[2])


# ---- lines


def _name_of(source: Source) -> str:
    if isinstance(source, bytes):
        return "trace"
    if isinstance(source, str | Path):
        return Path(source).name or str(source)  # "." and "/" have no name
    name = getattr(source, "name", "")
    return "standard input" if name in ("<stdin>", 0) else Path(str(name)).name or "trace"


def _text_of(source: Source, where: str) -> tuple[str, str]:
    """The whole text, and what trouble cut them off ("" for none)."""
    if isinstance(source, bytes):
        return _decoded(BytesIO(source), where)
    if isinstance(source, str | Path):
        _refuse_special(Path(source))
        with open_file(source, str(source)) as file:
            return _decoded(file, where)
    return _decoded(source, where)


def _refuse_special(path: Path) -> None:
    """Devices and sockets: some never end, and none is a log. A pipe may be one."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return  # opening it says why
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISDIR(mode)):
        raise LogError(str(path), "is no file", fix="Give a file, or - for standard input")


def _decoded(raw: BinaryIO, where: str) -> tuple[str, str]:
    stream = ByteStream(raw, where)
    if stream.peek(2) == b"\x1f\x8b":
        packed = stream
        stream = ByteStream(gzip.GzipFile(fileobj=WholeReads(packed)), where, Budget(lambda: packed.taken))  # type: ignore[call-overload]
    pieces: list[bytes] = []
    size = 0
    trouble = ""
    try:
        text = Utf8(stream, _encoding(stream.peek(4)))
        while piece := text.read(256 * 1024):
            if not pieces and b"\0" in piece[:4096]:
                raise LogError(where, "is no text", fix="Give the driver's log as text or JSON lines")
            pieces.append(piece)
            size += len(piece)
            if size > LIMIT_BYTES:
                what = f"has more than {LIMIT_BYTES // 1024**2} MiB of text, which is the most that is read"
                raise LogError(where, what, fix="Give it in pieces")
    except Broken as error:
        if not pieces:
            raise
        trouble = str(error)
    return b"".join(pieces).decode("utf-8", "replace"), trouble


def _encoding(head: bytes) -> str:
    if head.startswith(b"\xff\xfe"):
        return "utf-16-le"
    if head.startswith(b"\xfe\xff"):
        return "utf-16-be"
    if len(head) == 4 and head[0] and head[2] and not head[1] and not head[3]:
        return "utf-16-le"  # without byte order mark: every second byte of Latin text is zero
    return "utf-8"


# ---- which pattern


def _recognised(records: Records, first: Sequence[Pattern], where: str) -> Pattern:
    """The built-in pattern that knows the most lines of the beginning as classifies; of equals the first in the list.

    A line counts for the pattern that it is of, whether or not all of its words can be read: one with a mistake in it
    makes no other pattern the better one. With a verdict it counts before any number without.
    """
    beginning = [line for _, line in records.of[:SAMPLE_LINES] if line.strip()]
    sample = [line for line in beginning if len(line) <= LIMIT_LINE_CHARS]
    if not sample and beginning:
        what = f"none of the first lines has at most {LIMIT_LINE_CHARS:,} characters"
        raise LogError(where, what, fix="Give a log with one classify a line")
    if not sample and not records.broken:
        raise LogError(where, "has no line to read", fix="Give a log with one classify a line")
    ways = tuple(dict.fromkeys((*first, *BUILT_IN)))
    counts = [tuple(map(sum, zip((0, 0), *(_knows(way, line) for line in sample), strict=True))) for way in ways]
    most = max(counts)
    if most == (0, 0):
        names = ", ".join(dict.fromkeys((*(pattern.name for pattern in ways), "columns")))
        raise LogError(
            where,
            f"no line of the first {len(sample)} names a layer in a form that is known ({names})",
            fix=r"Give --pattern with a group (?P<layer>...), or --keys layer=KEY for JSON lines",
        )
    return ways[counts.index(most)]


def _knows(pattern: Pattern, line: str) -> tuple[int, int]:
    """Whether a line is of this pattern (with a verdict, at all)."""
    try:
        fields = pattern.take(line)
    except BadWord:
        return 1, 1
    return (0, 0) if fields is None else (int("verdict" in fields), 1)
