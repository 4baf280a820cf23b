"""Records of a binary event log (EVTX), by the optional package `evtx`; only module that imports it.

A damaged record is told and passed by, and what a file's own chunk headers promise is compared with what came out:
a cut-off log does not end early without a word.
"""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from fsm.errors import LogError

from .fields import clean
from .json_text import Decoded
from .recognise import READABLE
from .stream import CHUNK_BYTES, Broken, ByteStream

MAGIC = b"ElfFile\x00"
CONVERT = "Or convert it with `wevtutil qe FILE /lf:true /f:xml > events.xml`"
_HEADER_BYTES, _CHUNK_BYTES = 4096, 65536
_LISTS_AT, _LISTS = 128, 64  # in a chunk: the heads of its lists of names
_DAMAGE = (RuntimeError, OSError)  # what the package raises: for what it finds wrong, for an end before the end
_KEPT_IN_MEMORY_BYTES = 16 * 1024 * 1024


def records(stream: ByteStream, where: str) -> Iterator[Decoded]:
    """The records of `stream`, in the order of the file, as `evtx_dump` writes them in JSON.

    Raises
    ------
    LogError : the package `evtx` is not installed, or the file header is damaged.
    """
    try:
        import evtx
    except ImportError:
        raise LogError(
            where,
            "this is a binary event log (EVTX), and the package that reads it is not installed",
            "Install it with `pip install evtx`",
            CONVERT,
        ) from None
    with tempfile.SpooledTemporaryFile(max_size=_KEPT_IN_MEMORY_BYTES) as file:
        cut = ""
        try:
            while data := stream.read(CHUNK_BYTES):
                file.write(data)
        except Broken as error:  # a cut-off archive: what came out of it is read
            cut = error.what
        promised, missing = _promised(file)
        for number in _cut_rings(file):
            why = (
                "a list of its names has no end (damaged, or made to keep a reader busy); it is read without that list"
            )
            yield Decoded(f"chunk {number}", None, why)
        missing = missing or cut
        file.seek(0)
        try:
            parser = evtx.PyEvtxParser(file)
            source = iter(parser.records_json())
        except _DAMAGE as error:
            raise Broken(where, f"a damaged event log (EVTX): {clean(str(error))}", fix="Copy it again") from None
        given = damaged = 0
        while True:
            try:
                record = next(source, None)
            except _DAMAGE as error:
                damaged += 1
                yield Decoded(f"after record {given}", None, f"a damaged record or chunk: {clean(str(error))[:300]}")
                continue
            if record is None:
                break
            given += 1
            yield _decoded(record)
        if not given:
            what = f"an event log (EVTX) without a readable record: {missing or 'its chunks hold none'}"
            raise Broken(where, what, READABLE, "Copy it again, with the log service stopped or by `wevtutil epl`")
        if missing:
            yield Decoded(f"after record {given}", None, missing, broken=True)
        elif given + damaged < promised:
            lost = promised - given - damaged
            why = f"{lost} of the {promised} records that the file's chunks name did not come out"
            yield Decoded(f"after record {given}", None, why)


def _cut_rings(file: IO[bytes]) -> Iterator[int]:
    """Chunks with a list of names that has no end, cut off in the file: the package would follow it for ever."""
    at = _HEADER_BYTES
    while len(chunk := _read_at(file, at, _CHUNK_BYTES)) > _LISTS_AT + 4 * _LISTS:
        heads = [_LISTS_AT + 4 * each for each in range(_LISTS)]
        rings = [head for head in heads if _is_ring(chunk, head)]
        for head in rings:
            file.seek(at + head)
            file.write(bytes(4))
        if rings:
            yield (at - _HEADER_BYTES) // _CHUNK_BYTES + 1
        at += _CHUNK_BYTES


def _is_ring(chunk: bytes, at: int) -> bool:
    """Whether the list whose first link is at this place comes back to itself."""
    passed = set()
    while at not in passed and at + 4 <= len(chunk):
        passed.add(at)
        (at,) = struct.unpack_from("<I", chunk, at)
        if not at:
            return False
    return at in passed


def _read_at(file: IO[bytes], at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


def _decoded(record: dict[str, Any]) -> Decoded:
    where = f"record {record.get('event_record_id')}"
    try:
        value = json.loads(record["data"])
    except (ValueError, RecursionError) as error:
        return Decoded(where, None, f"no readable record ({clean(str(error))[:200]})")
    return Decoded(where, value) if isinstance(value, dict) else Decoded(where, None, "no record")


def _promised(file: IO[bytes]) -> tuple[int, str]:
    """How many records the chunk headers name; and, when the file is shorter than its header says, that it is."""
    header = _read_at(file, 0, _HEADER_BYTES)
    chunks = struct.unpack_from("<H", header, 42)[0] if len(header) >= 44 else 0
    names = whole = strange = 0
    for number in range(chunks):
        chunk = _read_at(file, _HEADER_BYTES + number * _CHUNK_BYTES, _CHUNK_BYTES)
        if len(chunk) < _CHUNK_BYTES:
            break
        whole += 1
        if chunk.startswith(b"ElfChnk\x00"):
            first, last = struct.unpack_from("<QQ", chunk, 8)
            names += max(0, last - first + 1) if last - first < _CHUNK_BYTES else 0
        else:
            strange += 1
    if whole < chunks:
        return names, f"the file is cut off: {whole} of its {chunks} chunks are whole"
    if strange:
        return names, f"{strange} of the file's {chunks} chunks are no chunks (overwritten): their records are lost"
    return names, ""
