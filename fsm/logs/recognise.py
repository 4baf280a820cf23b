"""What a piece of input is, by its first bytes and never by its name; and what to do with what is not read yet."""

from __future__ import annotations

import csv
import json
import re
import struct
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from fsm.errors import LogError

from .spellings import column_name, names_an_event

READABLE = (
    "Readable here: Security events as JSON (lines, array or single object), event XML, EVTX or CSV, and net events "
    "XML of `netsh wfp`, each plain or in .gz, .zip or .tar.gz"
)
EXPORT = "Export with `wevtutil qe Security /f:xml > events.xml` or `netsh wfp show netevents`"
_WEVTUTIL = "Convert it with `wevtutil qe FILE /lf:true /f:xml > events.xml`"

Form = Literal["json", "xml", "csv", "evtx", "gzip", "zip", "tar"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A recognised form, or (form None) the name of what it is and how to convert it."""

    form: Form | None
    name: str = ""
    convert: str = ""
    encoding: str = "utf-8"
    is_attachment: bool = False  # what a system adds to archives by itself

    def refusal(self, where: str) -> LogError:
        return LogError(where, f"{self.name}", READABLE, self.convert or EXPORT)


def _no(name: str, convert: str = "") -> Kind:
    return Kind(None, name, convert)


_UNPACK = "Unpack it first"
_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\x1f\x8b", Kind("gzip")),
    (b"PK\x03\x04", Kind("zip")),
    (b"PK\x05\x06", Kind("zip")),
    (b"ElfFile\x00", Kind("evtx")),
    (b"\x30\x00\x00\x00LfLe", _no("this is a binary event log of Windows XP (EVT), not read", _WEVTUTIL)),
    (
        b"\x00\x05\x16\x07",
        Kind(None, "these are file attributes kept by macOS (AppleDouble), no log", is_attachment=True),
    ),
    (b"\x0a\x0d\x0d\x0a", _no("this is a packet capture (pcapng), which holds no WFP events")),
    *(
        (magic, _no("this is a packet capture (pcap), which holds no WFP events"))
        for magic in (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1")
    ),
    (b"regf", _no("this is a Windows registry hive, no log")),
    (b"BZh", _no("this is packed with bzip2", _UNPACK)),
    (b"\xfd7zXZ\x00", _no("this is packed with xz", _UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", _no("this is a 7-Zip archive", _UNPACK)),
    (b"Rar!\x1a\x07", _no("this is a RAR archive", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", _no("this is packed with Zstandard", _UNPACK)),
    (b"MSCF", _no("this is a cabinet file (.cab)", "Unpack it with `expand FILE -F:* FOLDER` and give wfpdiag.xml")),
    (b"MZ", _no("this is a Windows program, no log")),
    (b"\x7fELF", _no("this is a Linux program, no log")),
    (b"\x89PNG\r\n", _no("this is a PNG picture, no log")),
    (b"\xff\xd8\xff", _no("this is a JPEG picture, no log")),
    (b"GIF8", _no("this is a GIF picture, no log")),
    (b"%PDF-", _no("this is a PDF document, no log")),
    (b"SQLite format 3\x00", _no("this is an SQLite database, no log")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _no("this is an old Office or installer file, no log")),
)
_PFIREWALL = _no("this is a Windows Firewall text log (pfirewall.log), not read yet")
_CHECK = "`wfp-udp check FILE` compares such a trace with the model"
_TRACE = _no("this is text of an event trace, not read yet")
# On text without leading blanks. Order matters: a trace line begins with "[", as a JSON array does.
_TEXT: tuple[tuple[re.Pattern[str], Kind], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (r"\[\d+\][0-9a-f]{4,}\.[0-9a-f]{4,}::", _TRACE),
        (r"\[\d+\][0-9a-f]{4,}\.[0-9a-f]{4,}\s", _TRACE),
        (r"(?:.*\n){0,5}?#(?:Software: Microsoft Windows Firewall|Fields: date time action protocol)", _PFIREWALL),
        (r"windows registry editor version|regedit4", _no("this is a Windows registry export, no log")),
        (r"log name:\s|event\[\d+\]:?\s", _no("these are events as text for people", _WEVTUTIL)),
        (r"\s*(?:timecreated|message|id|providername)\s*: ", _no("these are events as a PowerShell list")),
        (r"(?:.*\n){0,3}.*\w!\w+\+0x[0-9a-f]+", _no("this is a kernel stack trace as text, no event log", _CHECK)),
        (
            r"(?:.*\n){0,3}.*\b(?:WFPSampler|--->|<---)",
            _no("this is a callout driver's debug trace, no event log", _CHECK),
        ),
        (r"<!doctype html|<html", _no("this is a web page, no log")),
        (r"<(?:\?xml|!--|!doctype|[A-Za-z_])", Kind("xml")),
        (r"[\[{]|Record \d+\s+\{", Kind("json")),
    )
)
_MAYBE_JSON_LINE = re.compile(r"^\s*\{.*\}\s*,?$", re.MULTILINE)


def recognise(prefix: bytes) -> Kind:
    """What begins with `prefix` (the first 64 KiB, or all of it)."""
    if not prefix:
        return _no("this is empty")
    for magic, kind in _MAGIC:
        if prefix.startswith(magic):
            return kind
    if prefix[257:262] == b"ustar":
        return Kind("tar")
    if _is_etl(prefix):
        return _no("this is an event trace (ETL), not read yet",
                   "Convert it with `netsh wfp capture` or `tracerpt FILE -of XML -o events.xml`")  # fmt: skip
    encoding, text = _decode(prefix)
    if text is None:
        return _no("this is binary data of no known kind")
    text = text.removeprefix("\ufeff").lstrip("\ufeff \t\r\n\x00")
    if not text:
        return _no("this holds nothing but blanks")
    for pattern, kind in _TEXT:
        if pattern.match(text):
            return Kind(kind.form, kind.name, kind.convert, encoding)
    if table_header(text) is not None:
        return Kind("csv", encoding=encoding)
    if any(_is_object(line.group()) for line in _MAYBE_JSON_LINE.finditer(text)):
        return Kind("json", encoding=encoding)  # JSON lines whose first line is damaged, as of a cut log
    if _is_table(text):
        what = "this looks like a table (CSV), and none of its columns is an event id or an event"
        return replace(_no(what), encoding=encoding)
    return replace(_no("this is text, but neither JSON nor XML"), encoding=encoding)


class TableHeader(NamedTuple):
    """The first row of a table: how cells are kept apart, the names of the columns, the lines up to its end."""

    delimiter: str
    names: tuple[str, ...]
    lines: int


_ABOVE_A_TABLE = ("#TYPE ", "sep=")  # PowerShell 5, and what tells Excel the delimiter


def table_header(text: str) -> TableHeader | None:
    """The header of a table (CSV) that has an event in each row; None when `text` does not begin with one."""
    lines = text.removeprefix("\ufeff").split("\n", 3)[:3]
    above = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith(_ABOVE_A_TABLE)), None)
    if above is None or len(lines[above]) > csv.field_size_limit():
        return None
    rows = [(mark, next(csv.reader([lines[above]], delimiter=mark), [])) for mark in ",;\t"]
    delimiter, names = max(rows, key=lambda row: len(row[1]))
    if len(names) < 2 or len(set(names)) < len(names) or not names_an_event(names):
        return None
    return TableHeader(delimiter, tuple(map(column_name, names)), above + 1)


def _is_table(text: str) -> bool:
    first, second = (*text.splitlines()[:2], "", "")[:2]
    return any(first.count(mark) >= 2 and first.count(mark) == second.count(mark) for mark in ",;\t")


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line.strip().rstrip(",")), dict)
    except (ValueError, RecursionError):
        return False


def _decode(prefix: bytes) -> tuple[str, str | None]:
    """The encoding, and the text; None when it is no text."""
    if prefix.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "utf-32", None
    if prefix.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16-le" if prefix[0] == 0xFF else "utf-16-be"
    else:
        # UTF-16 without mark: Latin text has every other byte zero
        head = prefix[:512]
        even, odd = head[0::2].count(0), head[1::2].count(0)
        half = len(head) // 2
        if half and odd > half * 0.6 and even < half * 0.1:
            encoding = "utf-16-le"
        elif half and even > half * 0.6 and odd < half * 0.1:
            encoding = "utf-16-be"
        else:
            encoding = "utf-8"
    if encoding != "utf-8":
        try:
            text = prefix[: len(prefix) & ~1].decode(encoding, "surrogatepass")
        except UnicodeDecodeError:
            text = prefix[: (len(prefix) & ~1) - 2].decode(encoding, "replace")
        return encoding, text if _is_text(text) else None
    # Logs of other code pages happen; a few bytes that are no UTF-8 do not make text binary.
    text = prefix.decode("utf-8", "replace")
    return encoding, text if _is_text(text) else None


def _is_text(text: str) -> bool:
    head = text[:4096]
    odd = sum(1 for c in head if (c < " " and c not in "\t\r\n\f\x1b") or c == "\ufffd" or c == "\x7f")
    return odd <= len(head) * 0.05


def _is_etl(prefix: bytes) -> bool:
    """WMI_BUFFER_HEADER (72 bytes, buffer size first), then the system trace header of the log file."""
    if len(prefix) < 0x50:
        return False
    (size,) = struct.unpack_from("<I", prefix)
    return size % 1024 == 0 and 1024 <= size <= 16 << 20 and prefix[0x4A] in (1, 2) and prefix[0x4B] == 0xC0
