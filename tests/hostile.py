"""Inputs that a log reader must survive, made on the spot: `CASES` by name. Also `python tests/hostile.py FOLDER`.

Each maker writes one file (or folder) and returns its path. `LINE` and `EVENT` are records that can be read.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
RECORD: dict[str, Any] = {
    "SourceName": "Microsoft-Windows-Security-Auditing", "Channel": "Security", "Hostname": "host.example",
    "@timestamp": "2023-08-15T05:34:13.815Z", "TimeCreated": "2023-08-15T05:34:13.815Z", "EventID": 5152,
    "ProcessId": "0", "Application": "-", "Direction": "%%14592", "SourceAddress": "192.0.2.1", "SourcePort": "53",
    "DestAddress": "192.0.2.43", "DestPort": "64773", "Protocol": "17", "FilterRTID": "70764",
    "LayerName": "%%14597", "LayerRTID": "13",
}  # fmt: skip
LINE = json.dumps(RECORD)
_DATA = [k for k in RECORD if k not in ("SourceName", "Channel", "Hostname", "@timestamp", "TimeCreated", "EventID")]
EVENT = (
    '<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System>'
    '<Provider Name="Microsoft-Windows-Security-Auditing"/><EventID>5152</EventID>'
    '<TimeCreated SystemTime="2023-08-15T05:34:13.8151234Z"/><EventRecordID>7</EventRecordID>'
    "<Channel>Security</Channel><Computer>host.example</Computer></System><EventData>"
    + "".join(f'<Data Name="{k}">{RECORD[k]}</Data>' for k in _DATA)
    + "</EventData></Event>"
)
NET_EVENT = (
    "<netEvent><header><timeStamp>2020-10-07T01:03:56.281Z</timeStamp><ipVersion>FWP_IP_VERSION_V4</ipVersion>"
    "<ipProtocol>17</ipProtocol><localAddrV4>192.0.2.43</localAddrV4><remoteAddrV4>192.0.2.1</remoteAddrV4>"
    "<localPort>64773</localPort><remotePort>53</remotePort></header><type>FWPM_NET_EVENT_TYPE_CLASSIFY_DROP</type>"
    "<classifyDrop><filterId>70764</filterId><layerId>13</layerId></classifyDrop></netEvent>"
)


def line(**changes: Any) -> str:
    """The JSON line with some fields changed; None takes a field out."""
    return json.dumps({k: v for k, v in {**RECORD, **changes}.items() if v is not None})


def _bytes(name: str, data: bytes | Callable[[], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data() if callable(data) else data)
        return folder / name

    return make


def _noise(size: int, seed: int = 7) -> bytes:
    return random.Random(seed).randbytes(size)


def zipped(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def _password(data: bytes) -> bytes:
    """Set the encryption bit of the only member: unreadable without a password."""
    local = bytearray(data)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = local.find(mark) + offset
        local[at] |= 1
    return bytes(local)


def _tar_with_tricks() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, kind in (("dev/zero", tarfile.CHRTYPE), ("link", tarfile.SYMTYPE), ("folder", tarfile.DIRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        for name in ("/etc/absolute.json", "../../up.json"):
            info = tarfile.TarInfo(name)
            info.size = len(LINE)
            archive.addfile(info, io.BytesIO(LINE.encode()))
    return out.getvalue()


def _tar_with_huge_header() -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 900 * MIB
    return gzip.compress(info.tobuf() + bytes(10 * MIB))


def tar_header(name: str, size: int, kind: bytes = tarfile.REGTYPE, **fields: bytes) -> bytes:
    """A header as GNU tar writes it; `at_386=b"..."` puts those bytes there."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    for place, value in fields.items():
        at = int(place.removeprefix("at_"))
        block[at : at + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def tar_block(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


_TAR_RECORD = tar_header("a.json", len(LINE)) + tar_block(LINE.encode())
TAR_CUT_IN_SPARSE = _TAR_RECORD + tar_header("b", 512, tarfile.GNUTYPE_SPARSE, at_482=b"\1") + b"0"
TAR_OF_LONG_NAMES = _TAR_RECORD + (tar_header("x", 2, tarfile.GNUTYPE_LONGNAME) + tar_block(b"a")) * 3000


def _tar_with_holes() -> bytes:
    """A sparse file of 1 TiB, of which the first records are there: enough to be taken for a log."""
    there = _lines(200)[: 160 * 512]
    where = b"%011o\0%011o\0" % (0, len(there))
    size = b"\x80" + (1 << 40).to_bytes(11, "big")
    return tar_header("a.json", len(there), tarfile.GNUTYPE_SPARSE, at_386=where, at_483=size) + there + bytes(1024)


def zip_far_away() -> bytes:
    """A zip64 whose only member begins where no file can reach."""
    data = bytearray(zipped(("a.json", LINE.encode())))
    at, far = data.find(b"PK\x01\x02"), struct.pack("<HHQ", 1, 8, (1 << 64) - 1)
    struct.pack_into("<H", data, at + 30, len(far))
    struct.pack_into("<I", data, at + 42, 0xFFFFFFFF)
    end = data.find(b"PK\x05\x06")
    struct.pack_into("<I", data, end + 12, end - at + len(far))
    data[end:end] = far
    return bytes(data)


def _bomb(piece: bytes, times: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(piece) for _ in range(times)) + packer.flush()


_LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
_PE = b"MZ\x90\x00" + struct.pack("<I", 3) + _noise(4000)
_DEEP = 200_000
_DULL = b'{"EventID":1,"a":"' + b" " * 1000 + b'"}\n'

# name -> maker. The comment says what is expected where it is no refusal.
CASES: dict[str, Callable[[Path], Path]] = {
    "empty": _bytes("empty.json", b""),
    "blanks": _bytes("blanks.json", b" \r\n" * 1000),
    "random bytes": _bytes("random.json", lambda: _noise(2 * MIB)),
    "zeros": _bytes("zeros.xml", bytes(2 * MIB)),
    "picture": _bytes("picture.json", b"\x89PNG\r\n\x1a\n" + _noise(5000)),
    "program": _bytes("program.xml", _PE),
    "novel": _bytes("novel.txt", ("It was a dark, stormy night; nobody logged anything.\n\n" * 5000).encode()),
    "csv": _bytes("events.csv", b"Level,Date and Time,Source,Event ID\nInformation,1/1/2024,Security,5152\n"),
    "evtx": _bytes("x.json", b"ElfFile\x00" + bytes(5000)),
    "etl": _bytes("x.etl", struct.pack("<I", 65536) + bytes(0x46) + b"\x02\xc0" + bytes(5000)),
    "pcapng": _bytes("x.pcapng", b"\x0a\x0d\x0d\x0a" + bytes(200)),
    "registry": _bytes("x.reg", "\ufeffWindows Registry Editor Version 5.00\r\n".encode("utf-16-le")),
    "web page": _bytes("x.xml", b"<!DOCTYPE html><html><body>no</body></html>"),
    "package.json": _bytes("package.json", b'{\n  "name": "left-pad",\n  "version": "1.0.0"\n}\n'),
    "truncated zip": _bytes("cut.zip", lambda: zipped(("a.json", (LINE + "\n").encode() * 5000))[:-60]),
    "zip in a zip": _bytes("nested.zip", lambda: zipped(("inner.zip", zipped(("a.json", LINE.encode()))))),
    "password": _bytes("secret.zip", lambda: _password(zipped(("a.json", LINE.encode())))),
    "empty zip": _bytes("none.zip", lambda: zipped()),
    "gzip bomb of zeros": _bytes("zeros.gz", lambda: _bomb(bytes(MIB), 300)),
    "gzip bomb of records": _bytes("bomb.json.gz", lambda: _bomb(_DULL * 1000, 100)),  # broken
    "zip bomb": _bytes("bomb.zip", lambda: zipped(("a.json", _DULL * 120_000), ("b.json", _DULL * 9))),  # broken
    "tar with a huge header": _bytes("header.tar.gz", _tar_with_huge_header),
    "tar with tricks": _bytes("tricks.tar.gz", _tar_with_tricks),  # 2 records
    "tar without end": _bytes("endless.tar", _TAR_RECORD + tar_header("b", 1 << 62) + bytes(5000)),  # 1, broken
    "tar cut within a sparse header": _bytes("sparse.tar", TAR_CUT_IN_SPARSE),  # 1 record, then broken
    "tar of long names": _bytes("names.tar", TAR_OF_LONG_NAMES),  # 1 record, then broken
    "tar with holes": _bytes("holes.tar", _tar_with_holes),  # 1 record, then broken
    "zip64 with a member far away": _bytes("far.zip", zip_far_away),
    "truncated gzip": _bytes("cut.json.gz", lambda: gzip.compress(_lines(5000))[:-2000]),  # records, then broken
    "truncated xml": _bytes("cut.xml", ("<Events>" + EVENT * 20)[:-300].encode()),  # 19 records, then broken
    "truncated array": _bytes("cut.json", f"[{LINE},{LINE},{LINE[:100]}".encode()),  # 2 records, then broken
    "array never closed": _bytes("open.json", f"[{LINE},\n{LINE}".encode()),  # 2 records, then broken
    "trailing comma": _bytes("comma.json", f"[{LINE},\n{LINE},\n]".encode()),  # 2 records and a remark
    "billion laughs": _bytes("laughs.xml", f'<!DOCTYPE a [<!ENTITY l0 "ha">{_LAUGHS}]><Event>&l9;</Event>'.encode()),
    "external entity": _bytes("xxe.xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Event>&x;</Event>'),
    "unknown entity": _bytes("entity.xml", b"<Events><Event><System>&x;</System></Event></Events>"),
    "deep xml": _bytes("deep.xml", b"<Event>" + b"<a>" * _DEEP + b"</a>" * _DEEP + b"</Event>"),
    "deep json": _bytes("deep.json", b'{"a":' * _DEEP + b"1" + b"}" * _DEEP),
    "deep json array": _bytes("deeparray.json", b"[" * _DEEP + b"]" * _DEEP),
    "30 MB attribute": _bytes("attribute.xml", lambda: b'<Event a="' + b"x" * (30 * MIB) + b'"/>'),
    "30 MB comment": _bytes("comment.xml", lambda: b"<Events><!--" + b"x" * (30 * MIB) + b"--></Events>"),
    "30 MB text": _bytes("text.xml", lambda: b"<Event><System>" + b"x" * (30 * MIB) + b"</System></Event>"),
    "30 MB tag name": _bytes("tag.xml", lambda: b"<Event><" + b"x" * (30 * MIB) + b"/></Event>"),
    "30 MB of siblings": _bytes("wide.xml", lambda: b"<Event>" + b"<a/>" * (7 * MIB) + b"</Event>"),
    "30 MB of other elements": _bytes("other.xml", lambda: b"<a>" + b"<b/>" * (7 * MIB) + b"</a>"),
    "30 MB of attributes": _bytes("attributes.xml", lambda: b"<Event " + b" ".join(
        b'a%d="x"' % i for i in range(3 * MIB)) + b"/>"),
    "30 MB of broken events": _bytes("brokenxml.xml", lambda: b"<Event><" * (4 * MIB)),
    "30 MB of nested events": _bytes("nestedxml.xml", lambda: b"<Event>" * (4 * MIB)),
    "30 MB of roots": _bytes("roots.xml", lambda: b"<b/>" * (7 * MIB)),
    "30 MB json string": _bytes("string.json", lambda: b'{"a": "' + b"x" * (30 * MIB) + b'"}'),
    "30 MB json string in an array": _bytes("arraystring.json", lambda: b'[{"a": "' + b"x" * (30 * MIB) + b'"}]'),
    "many small lists in a line": _bytes("lists.json", lambda: b'{"a":[' + b"[]," * MIB + b"[]]}"),
    "many small lists in an array": _bytes("arraylists.json", lambda: b'[{"a":[' + b"[]," * (10 * MIB) + b"[]]}]"),
    "events damaged without end": _bytes("damaged.xml", lambda: EVENT.encode() + b"<Event><" * (4 * MIB)),  # 1, broken
    "events nested without end": _bytes("nestedin.xml", lambda: EVENT.encode() + b"<Event>" * (4 * MIB)),  # 1, broken
    "30 MB of commas": _bytes("commas.json", lambda: b"[" + b"," * (30 * MIB) + b"]"),
    "30 MB of small values": _bytes("values.json", lambda: b"[" + b"1," * (15 * MIB) + b"1]"),
    "30 MB of empty objects": _bytes("objects.json", lambda: b"{}\n" * (10 * MIB)),
    "30 MB of digits": _bytes("digits.json", lambda: b'{"EventID": ' + b"9" * (10 * MIB) + b"}"),
    "utf-16 that is none": _bytes("half.xml", b"\xff\xfe" + "<Events>".encode("utf-16-le") + b"\x00\xd8\x00"),
    "folder": lambda folder: (folder / "folder").mkdir() or folder / "folder",  # type: ignore[func-returns-value]
    "missing": lambda folder: folder / "missing.json",
}  # fmt: skip


def _lines(count: int) -> bytes:
    noise = random.Random(3)
    return b"".join((line(SourcePort=noise.randrange(65536)) + "\n").encode() for _ in range(count))


class Noise(io.RawIOBase):
    """So many bytes of noise, made while they are read: `start`, then `piece` again and again."""

    def __init__(self, size: int, piece: bytes, start: bytes = b"") -> None:
        self.left, self.piece, self.start, self.name = size, piece * (1 + MIB // len(piece)), start, "noise"
        self.at = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self.start:
            data, self.start = self.start, b""
            return data
        data = self.piece[self.at : self.at + min(size if size >= 0 else MIB, self.left)]
        self.at = (self.at + len(data)) % len(self.piece)
        self.left -= len(data)
        return data


_WORDS = bytes(random.Random(5).choices(b"abcdefghijklmnopqrstuvwxyz    ", k=100_003))
# 300 MB each; all refused
NOISE: dict[str, Callable[[], Noise]] = {
    "binary": lambda: Noise(300 * MIB, _noise(MIB)),
    "one line": lambda: Noise(300 * MIB, _WORDS),
    "many lines": lambda: Noise(300 * MIB, _WORDS[:80] + b"\n"),
    "one line with a brace": lambda: Noise(300 * MIB, _WORDS, b"{"),
    "many lines with braces": lambda: Noise(300 * MIB, b"{" + _WORDS[:80] + b"}\n"),
    "one line with a bracket": lambda: Noise(300 * MIB, _WORDS, b"["),
    "one line with an angle": lambda: Noise(300 * MIB, _WORDS, b"<"),
    "one string": lambda: Noise(300 * MIB, _WORDS, b'["'),
    "one tag": lambda: Noise(300 * MIB, _WORDS.replace(b" ", b"x"), b"<Event a='"),
    "text in an element": lambda: Noise(300 * MIB, _WORDS, b"<Events>"),
    "blanks": lambda: Noise(300 * MIB, b" \n"),
    "blanks in an array": lambda: Noise(300 * MIB, b" \n", b"["),
    "elements": lambda: Noise(300 * MIB, b"<b/>", b"<a>"),
}


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for case, make in CASES.items():
        print(f"{case}: {make(target)}")
