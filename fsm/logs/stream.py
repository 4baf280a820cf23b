"""Bytes in, with every failure of a container turned into `Broken`, every expansion bounded, and text made UTF-8.

Nothing else in this package reads from files.
"""

from __future__ import annotations

import codecs
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

from fsm.errors import LogError

CHUNK_BYTES = 256 * 1024
PREFIX_BYTES = 64 * 1024  # what the recognition looks at
FREE_EXPANSION_BYTES = 16 * 1024 * 1024  # an archive may always unpack to this much ...
MAX_EXPANSION_RATIO = 200  # ... and beyond it to so many times its own size (recorded logs: up to 40)

# What the standard library raises for damaged and hostile containers, found by reading and by feeding it such.
DAMAGE = (
    zipfile.BadZipFile,  # zip: every check of its own
    tarfile.TarError,  # tar: every check of its own
    zlib.error,  # deflate that cannot be unpacked (gzip, zip)
    lzma.LZMAError,  # the same in LZMA (zip)
    OSError,  # the same in bzip2 (zip); gzip's own checks; a place before the start of a file; a medium that fails
    EOFError,  # cut off (gzip, zip)
    ValueError,  # zip: a name that is no UTF-8, a place before the start of a buffer; tar: a number that is none
    OverflowError,  # zip: a place beyond what a file can have
    IndexError,  # tar: cut off within the header of a sparse file
    MemoryError,  # zip: LZMA that asks for a dictionary of 4 GiB
    RuntimeError,  # zip: compression not known (NotImplementedError) or not built in; tar: headers of headers without
    # end (RecursionError)
)


class Broken(LogError):
    """The container is damaged here, or hostile: nothing after this point is read."""


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def open_file(path: str | Path, where: str) -> FileIO:
    """The bytes of a file, not buffered.

    Raises
    ------
    LogError : it cannot be opened.
    """
    try:
        return open(path, "rb", buffering=0)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        fix = "Check the name" if isinstance(error, FileNotFoundError) else ""
        raise LogError(where, f"cannot be opened ({reason})", fix=fix) from None


class Budget:
    """How many bytes may come out of one archive, all members together."""

    def __init__(self, size: Callable[[], int]) -> None:
        self._size = size  # bytes of the archive itself, so far as known
        self._out = 0
        self.exceeded = False

    def spend(self, count: int, where: str) -> None:
        self._out += count
        if self._out > FREE_EXPANSION_BYTES and self._out > MAX_EXPANSION_RATIO * max(self._size(), 1):
            self.exceeded = True
            raise Broken(
                where,
                f"unpacks to more than {MAX_EXPANSION_RATIO} times its {self._size()} bytes, as no log does",
                fix="Unpack it yourself if you trust it",
            )


class ByteStream:
    """A forward-only stream of bytes with a look at what comes next."""

    def __init__(self, raw: Any, where: str, budget: Budget | None = None, at_once: int = CHUNK_BYTES) -> None:
        self.where, self._budget, self._at_once = where, budget, at_once
        # read1 gives what is there: the bytes before a damaged spot are not lost with it
        self._some: Callable[[int], bytes | None] = getattr(raw, "read1", None) or raw.read
        self._ahead = b""
        self._failure: Broken | None = None  # told again: a second read of a damaged gzip may look like its end
        self.taken = 0  # bytes taken from `raw`

    def _more(self, size: int) -> bytes:
        if self._failure is not None:
            raise self._failure
        try:
            data = self._some(min(size, self._at_once)) or b""
            self.taken += len(data)
            if self._budget is not None:
                self._budget.spend(len(data), self.where)
        except Broken as failure:
            self._failure = failure
            raise
        except DAMAGE as error:
            reason = str(error) or type(error).__name__  # a MemoryError says nothing
            why = "is cut off" if isinstance(error, EOFError) else f"cannot be read any further ({reason})"
            unit = "bytes" if self._budget is None else "unpacked bytes"
            self._failure = Broken(self.where, f"{why}, after {self.taken} {unit}", fix="Copy or export it again")
            raise self._failure from None
        return data

    def peek(self, size: int) -> bytes:
        """Up to `size` bytes, fewer only at the end, or before damage (reported when it is read)."""
        while len(self._ahead) < size:
            try:
                data = self._more(size - len(self._ahead))
            except Broken:
                if self._ahead:
                    break
                raise
            if not data:
                break
            self._ahead += data
        return self._ahead[:size]

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes (all of it for -1); empty only at the end."""
        if size < 0:
            pieces = []
            while piece := self.read(CHUNK_BYTES):
                pieces.append(piece)
            return b"".join(pieces)
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            return data
        return self._more(size)

    def read_exactly(self, size: int) -> bytes:
        """`size` bytes, fewer only at the end (tarfile and gzip expect that of a file)."""
        pieces, left = [], size
        while left and (piece := self.read(left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)


class WholeReads:
    """A ByteStream as tarfile and gzip want a file: a short read means the end."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        return self._stream.read() if size < 0 else self._stream.read_exactly(size)


class Utf8:
    """Text of a known encoding as UTF-8 without byte order mark."""

    def __init__(self, stream: ByteStream, encoding: str) -> None:
        self.where, self._stream, self._encoding = stream.where, stream, encoding
        # surrogatepass: a lone half is one bad character in one record, no reason to refuse the file
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass") if encoding != "utf-8" else None
        self._at_start = True

    def read(self, size: int, /) -> bytes:
        while True:
            data = self._stream.read(size)
            if self._decoder is None:
                if self._at_start:
                    self._at_start = False
                    if data.startswith(codecs.BOM_UTF8):
                        data = data[3:] or self._stream.read(size)
                return data
            try:
                text = self._decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise Broken(
                    self.where, f"is no {self._encoding.upper()} text beyond byte {self._stream.taken} ({error.reason})"
                ) from None
            if self._at_start and text:
                self._at_start = False
                text = text.removeprefix("\ufeff")
            if text or not data:
                return text.encode("utf-8", "surrogatepass")
