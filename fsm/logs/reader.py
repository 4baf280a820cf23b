"""From paths and streams to items: opens containers, recognises what is in them, and keeps the accounts.

The rule kept here: every record gives exactly one item, and trouble is told once, where it is.
"""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from fsm.errors import LogError

from . import csv_records, envelopes, evtx_records, json_records, recognise, xml_records
from .archives import open_zip, open_zip_file, tar_members, zip_files
from .event import LogEvent, LogItem, NotUnderstood, OtherRecord, Skipped
from .fields import clean
from .json_text import Decoded
from .netevents import net_event_item
from .security import NO_EVENT_ID, security_item
from .stream import PREFIX_BYTES, Broken, Budget, ByteStream, Utf8, WholeReads, open_file

LIMIT_MEMBERS = 10_000  # of one archive
_TAR_PIECE_BYTES = 8 * 1024  # tarfile drops a piece that the end of a cut archive falls into
_NESTED = "an archive inside an archive, which is not read"

Progress = Callable[[str, int, int | None], None]  # source, bytes of it read so far, bytes of it in all if known


@dataclass(slots=True)
class ReadSummary:
    """What came out of a reading, for the exit status: `item = summary.note(item)` for each item."""

    events: int = 0
    others: int = 0
    not_understood: int = 0
    broken: list[NotUnderstood] = field(default_factory=list)  # damaged containers: what was read before is printed

    def note(self, item: LogItem) -> LogItem:
        if isinstance(item, LogEvent):
            self.events += 1
        elif isinstance(item, OtherRecord):
            self.others += 1
        elif isinstance(item, NotUnderstood):
            self.not_understood += 1
            if item.broken_container:
                self.broken.append(item)
        return item

    @property
    def readable(self) -> int:
        return self.events + self.others

    @property
    def exit_status(self) -> int:
        """0 when a record was readable and no container broken, else 2 (DESIGN section 7)."""
        return 0 if self.readable and not self.broken else 2


def read(paths: Iterable[str | Path | BinaryIO], *, progress: Progress | None = None) -> Iterator[LogItem]:
    """Every record of every input, in order, as it is read.

    Parameters
    ----------
    paths : files, or binary streams (standard input). Archives are read member by member.
    progress : called about once per 256 KiB with (source, bytes read of it, its size or None).

    Returns
    -------
    One item per record. Trouble inside an input that has been read in part, or beside inputs that can be read, is
    a `NotUnderstood`; it has `broken_container` set when something could not be read to its end.

    Raises
    ------
    LogError : when no input gives anything at all; the first one's trouble.
    """
    failed: list[LogError] = []
    given_any = False
    for path in paths:
        name = _name(path)
        count = 0
        try:
            for item in _input(path, name, progress):
                if not given_any:
                    given_any = True
                    yield from (_as_item(e, e.where, 0, broken=True) for e in failed)
                count += 1
                yield item
        except LogError as error:
            if given_any:
                yield _as_item(error, name, count, broken=True)
            else:
                failed.append(error)
    if failed and not given_any:
        raise failed[0]


def _as_item(error: LogError, source: str, records: int, *, broken: bool) -> NotUnderstood:
    # what is readable here is said when an input is refused as a whole, not beside records that were read
    parts = [error.what] + [
        p for p in (error.nearest, error.fix) if p not in ("", recognise.READABLE, recognise.EXPORT)
    ]
    what = ". ".join(parts) if error.where == source else f"{error.where}: {'. '.join(parts)}"
    after = f"after record {records}" if records else "from the start"
    return NotUnderstood(source, records + 1, after, what, broken)


def _name(path: str | Path | BinaryIO) -> str:
    if isinstance(path, (str, Path)):
        return clean(str(path))
    name = getattr(path, "name", None)
    return "standard input" if name in (None, "<stdin>", 0) else clean(str(name))


def _input(path: str | Path | BinaryIO, name: str, progress: Progress | None) -> Iterator[LogItem]:
    if not isinstance(path, (str, Path)):
        yield from _container(path, name, progress)
        return
    if os.path.isdir(path):
        raise LogError(name, "this is a folder", recognise.READABLE, "Give the files in it")
    with open_file(path, name) as raw:
        yield from _container(raw, name, progress)


class _Counted:
    """The outermost bytes: counts them and tells the progress."""

    def __init__(self, raw: Any, name: str, size: int | None, progress: Progress | None) -> None:
        self._raw, self._name, self._size, self._progress = raw, name, size, progress
        self._some = getattr(raw, "read1", None) or raw.read
        self.count = 0

    def read(self, size: int) -> bytes:
        data: bytes = self._some(size) or b""
        self.count += len(data)
        if self._progress is not None:
            self._progress(self._name, self.count, self._size)
        return data


def _container(raw: BinaryIO | io.RawIOBase, name: str, progress: Progress | None) -> Iterator[LogItem]:
    """The records of a whole input: a log, or an archive of logs."""
    try:
        size = os.fstat(raw.fileno()).st_size or None
    except (OSError, AttributeError):  # a stream without a file behind it
        size = None
    counted = _Counted(raw, name, size, progress)
    stream = ByteStream(counted, name)
    kind = recognise.recognise(stream.peek(PREFIX_BYTES))
    if kind.form == "zip":
        yield from _zip(raw, stream, name, progress)
        return
    if kind.form == "gzip":
        unpacked = gzip.GzipFile(fileobj=WholeReads(stream), mode="rb")  # type: ignore[call-overload]
        stream = ByteStream(unpacked, name, Budget(lambda: counted.count))
        kind = recognise.recognise(stream.peek(PREFIX_BYTES))
        if kind.form in ("gzip", "zip"):
            raise LogError(name, _NESTED, fix="Unpack the outer one first")
    if kind.form == "tar":
        yield from _tar(stream, name)
        return
    yield from _log(stream, name)


def _log(stream: ByteStream, name: str) -> Iterator[LogItem]:
    """The records of one plain log."""
    prefix = stream.peek(PREFIX_BYTES)
    kind = recognise.recognise(prefix)
    if kind.form == "evtx":
        yield from _evtx(stream, name)
        return
    if kind.form not in ("json", "xml", "csv"):
        raise kind.refusal(name)
    text = Utf8(stream, kind.encoding)
    start = prefix.decode(kind.encoding, "replace")
    if kind.form == "xml":
        yield from _xml(text, start, name)
    elif kind.form == "json":
        yield from _decoded(json_records.records(text, start, name), name, "JSON")
    else:
        yield from _decoded(csv_records.records(text, start, name), name, "a table (CSV)")


def _decoded(records: Iterable[Decoded], name: str, what: str) -> Iterator[LogItem]:
    held: list[NotUnderstood] = []  # objects that are no events, until there is one that is
    found = False
    for ordinal, (where, value, why, broken) in enumerate(envelopes.opened(records), 1):
        item: LogItem
        if value is None:
            item = NotUnderstood(name, ordinal, where, why, broken)
        else:
            item = security_item(value, name, ordinal, where)
        if found:
            yield item
            continue
        # A record of a known event with a bad field is a record; an object without event id may be any JSON.
        if isinstance(item, NotUnderstood) and (value is None or item.why == NO_EVENT_ID):
            held.append(item)
            if len(held) >= json_records.LIMIT_BAD_LINES:
                break
            continue
        found = True
        yield from held
        held.clear()
        yield item
    if not found and held:
        why = f"{held[0].where}: {held[0].why}"
        raise LogError(name, f"this is {what}, but no event log: {why}", recognise.READABLE, recognise.EXPORT)


def _evtx(stream: ByteStream, name: str) -> Iterator[LogItem]:
    for ordinal, (where, value, why, broken) in enumerate(evtx_records.records(stream, name), 1):
        if value is None:
            yield NotUnderstood(name, ordinal, where, why, broken)
        else:
            yield security_item(value, name, ordinal, where)


def _xml(text: Utf8, prefix: str, name: str) -> Iterator[LogItem]:
    for ordinal, (where, node, why, broken) in enumerate(xml_records.elements(text, prefix, name), 1):
        if node is None:
            yield NotUnderstood(name, ordinal, where, why, broken)
        elif node.name == "Event":
            yield security_item(xml_records.event_record(node), name, ordinal, where)
        else:
            yield net_event_item(node, name, ordinal, where)


# -------------------------------------------------------------------------------------------------------- archives


def _member(stream: ByteStream, name: str, outcome: _Members) -> Iterator[LogItem]:
    """The records of one member. Its trouble is an item: the other members are read all the same."""
    count = 0
    try:
        kind = recognise.recognise(stream.peek(PREFIX_BYTES))
        if kind.form in ("gzip", "zip", "tar"):
            raise LogError(name, _NESTED, fix="Unpack the outer one first")
        if kind.is_attachment:
            outcome.hold(kind.refusal(name), Skipped(name, kind.name))
            if outcome.read:
                yield from outcome.flush()
            return
        for item in _log(stream, name):
            count += 1
            outcome.read += 1
            yield from outcome.flush()
            yield item
    except LogError as error:
        outcome.fail(error, name, count)
        if outcome.read:
            yield from outcome.flush()


@dataclass(slots=True)
class _Members:
    """Troubles of members, kept back until one member could be read: else the archive as a whole is refused."""

    name: str
    read: int = 0
    damaged: bool = False  # the archive itself: what tarfile says next about the same spot is no news
    _held: list[tuple[LogError, LogItem]] = field(default_factory=list)

    def fail(self, error: LogError, member: str, count: int) -> None:
        # a member that is no log is no damage
        broken = isinstance(error, Broken)
        self.damaged = self.damaged or broken
        self.hold(error, _as_item(error, member, count, broken=broken))

    def hold(self, error: LogError, item: LogItem) -> None:
        if len(self._held) < LIMIT_MEMBERS:
            self._held.append((error, item))

    def flush(self) -> Iterator[LogItem]:
        held, self._held = self._held, []
        yield from (item for _, item in held)

    def finish(self) -> Iterator[LogItem]:
        if self.read:
            yield from self.flush()
            return
        if not self._held:
            raise LogError(self.name, "an archive without a file in it", recognise.READABLE, recognise.EXPORT)
        first = self._held[0][0]
        more = f" (the first of {len(self._held)} members, none of them readable)" if len(self._held) > 1 else ""
        raise LogError(first.where, first.what + more, first.nearest, first.fix)


def _zip(raw: Any, stream: ByteStream, name: str, progress: Progress | None) -> Iterator[LogItem]:
    with open_zip(raw, stream, name) as (archive, size):
        files = zip_files(archive)
        if len(files) > LIMIT_MEMBERS:
            raise Broken(name, f"a zip archive of {len(files)} members", f"Allowed: {LIMIT_MEMBERS}")
        outcome, budget, done = _Members(name), Budget(lambda: size), 0
        for info in files:
            member = f"{name}/{clean(info.filename)}"
            try:
                opened = open_zip_file(archive, info, member)
            except LogError as error:
                outcome.fail(error, member, 0)
                continue
            with opened:
                yield from _member(ByteStream(opened, member, budget), member, outcome)
            if budget.exceeded:
                break
            done += info.compress_size
            if progress is not None:
                progress(name, min(done, size), size)
        yield from outcome.finish()


def _tar(stream: ByteStream, name: str) -> Iterator[LogItem]:
    outcome, budget = _Members(name), Budget(lambda: stream.taken)  # a sparse member is larger than what is there of it
    try:
        for members, (info, opened) in enumerate(tar_members(stream, name), 1):
            if members > LIMIT_MEMBERS:
                raise Broken(name, f"a tar archive of more than {LIMIT_MEMBERS} members")
            member = f"{name}/{clean(info.name)}"
            if info.isdir():
                continue
            if opened is None:
                outcome.fail(LogError(member, "a link or device, not a file", recognise.READABLE), member, 0)
                continue
            yield from _member(ByteStream(opened, member, budget, _TAR_PIECE_BYTES), member, outcome)
            if budget.exceeded:
                break
    except Broken as error:
        if not outcome.damaged:
            outcome.fail(error, name, outcome.read)
    yield from outcome.finish()
