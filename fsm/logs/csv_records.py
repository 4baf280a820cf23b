"""Decoded records from a table (CSV): exports of Splunk, Microsoft Sentinel, Kibana, PowerShell and the Event Viewer.

The first row names the columns. Cells may go over several lines, as the text of an event does.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator

from fsm.errors import LogError

from .json_text import LIMIT_RECORD_BYTES, Decoded
from .recognise import EXPORT, READABLE, table_header
from .stream import CHUNK_BYTES, Readable
from .tables import row_record

_REST = "the rest is not read"


def records(stream: Readable, prefix: str, where: str) -> Iterator[Decoded]:
    """The rows of `stream`, whose text (UTF-8) begins with `prefix`, by the names of their columns.

    Raises
    ------
    LogError : when there is no row below the names.
    """
    header = table_header(prefix)
    assert header is not None, "the prefix has been recognised by it"
    lines = _Lines(stream)
    rows = csv.reader(lines, delimiter=header.delimiter)
    count = 0
    while True:
        at = f"line {rows.line_num + 1}"
        try:
            row = next(rows, None)
        except csv.Error:  # the only one without `strict`: a cell longer than the limit of the module
            limit = csv.field_size_limit() >> 10
            why = f"a cell of more than {limit} KiB, as where a quotation mark is missing; {_REST}"
            yield Decoded(at, None, why, broken=True)
            return
        if row is None:
            break
        if not any(row) or rows.line_num <= header.lines:
            continue
        count += 1
        names = header.names
        if len(row) == len(names) + 1 and "Message" not in names:
            names = (*names, "Message")  # the Event Viewer gives the text of the event no name
        yield row_record(names, list(row), at)
    if lines.is_too_long:
        yield Decoded(f"line {rows.line_num + 1}", None,
                      f"a line longer than {LIMIT_RECORD_BYTES >> 20} MiB; {_REST}", broken=True)  # fmt: skip
    elif not count:
        raise LogError(where, "a table (CSV) with the names of its columns and no row", READABLE, EXPORT)


class _Lines:
    """The lines of a stream with their ends; ends early, and says so, at one that is too long."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.is_too_long = False

    def __iter__(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        rest = ""
        while data := self._stream.read(CHUNK_BYTES):
            *whole, rest = (rest + decoder.decode(data)).removeprefix("\ufeff").split("\n")
            yield from (line + "\n" for line in whole)
            if len(rest) > LIMIT_RECORD_BYTES:
                self.is_too_long = True
                return
        if rest := rest + decoder.decode(b"", final=True):
            yield rest
