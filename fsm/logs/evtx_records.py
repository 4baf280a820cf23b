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
        missing = missing or cut
        file.seek(0)
        try:
            parser = evtx.PyEvtxParser(file)
            source = iter(parser.records_json())
        except (RuntimeError, ValueError, OSError) as error:
            raise Broken(where, f"a damaged event log (EVTX): {clean(str(error))}", fix="Copy it again") from None
        given = damaged = 0
        while True:
            try:
                record = next(source, None)
            except (RuntimeError, ValueError, OSError) as error:
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


def _decoded(record: dict[str, Any]) -> Decoded:
    where = f"record {record.get('event_record_id')}"
    try:
        value = json.loads(record["data"])
    except (ValueError, KeyError, RecursionError) as error:
        return Decoded(where, None, f"no readable record ({clean(str(error))[:200]})")
    return Decoded(where, value) if isinstance(value, dict) else Decoded(where, None, "no record")


def _promised(file: IO[bytes]) -> tuple[int, str]:
    """How many records the chunk headers name; and, when the file is shorter than its header says, that it is."""
    file.seek(0)
    header = file.read(_HEADER_BYTES)
    chunks = struct.unpack_from("<H", header, 42)[0] if len(header) >= 44 else 0
    names = whole = strange = 0
    for number in range(chunks):
        file.seek(_HEADER_BYTES + number * _CHUNK_BYTES)
        chunk = file.read(_CHUNK_BYTES)
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
