"""Zip and tar archives, opened with bounds: whatever is wrong with one is a `Broken` of one line.

Nothing is ever extracted, so absolute paths, links and devices in an archive can do nothing.
"""

from __future__ import annotations

import os
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any

from fsm.errors import LogError

from .stream import CHUNK_BYTES, DAMAGE, Broken, ByteStream, WholeReads

LIMIT_DIRECTORY_BYTES = 8 * 1024 * 1024  # of a zip's directory, which has to be held in memory
LIMIT_TAR_HEADER_BYTES = 64 * 1024  # of a tar's long names
LIMIT_SPOOLED_BYTES = 4 * 1024**3  # of a zip that comes through a pipe and has to be kept in a temporary file
_KEPT_IN_MEMORY_BYTES = 32 * 1024 * 1024
_ZIP_END_BYTES = 66_000  # the last record of a zip, with the longest comment it may have and the record of zip64
_AGAIN = "Copy or download it again"


@contextmanager
def _told(where: str, what: str, fix: str) -> Iterator[None]:
    """For calls of the standard library and nothing else: a mistake of this package must not pass for damage."""
    try:
        yield
    except DAMAGE as error:
        raise Broken(where, f"{what} ({error})", fix=fix) from None


# ------------------------------------------------------------------------------------------------------------- zip


@contextmanager
def open_zip(raw: Any, stream: ByteStream, name: str) -> Iterator[tuple[zipfile.ZipFile, int]]:
    """The archive, and its size in bytes.

    Parameters
    ----------
    raw : what `stream` reads from. A zip has its directory at the end: what cannot seek is kept in a temporary file.

    Raises
    ------
    Broken : it is damaged, cut off or too large.
    """
    with ExitStack() as held:
        seekable = getattr(raw, "seekable", None)
        if seekable is None or not seekable():
            raw = held.enter_context(tempfile.SpooledTemporaryFile(max_size=_KEPT_IN_MEMORY_BYTES))
            _spool(stream, raw, name)
        with _told(name, "a damaged zip archive", _AGAIN):
            size = raw.seek(0, os.SEEK_END)
            raw.seek(max(0, size - _ZIP_END_BYTES))
            end = raw.read()
        _check_directory(end, name)
        with _told(name, "a damaged zip archive", _AGAIN):
            archive = held.enter_context(zipfile.ZipFile(raw))
        yield archive, size


def zip_files(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members that are no folders."""
    return [info for info in archive.infolist() if not info.filename.endswith("/")]  # is_dir() fails on an empty name


def open_zip_file(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> IO[bytes]:
    """The unpacked bytes of one member.

    Raises
    ------
    LogError : it is protected by a password.
    Broken : its header is damaged, or its compression is not known here.
    """
    if info.flag_bits & 1:
        raise LogError(where, "protected by a password", fix="Unpack it first")
    with _told(where, "cannot be unpacked", "Unpack it yourself"):
        return archive.open(info)


def _spool(stream: ByteStream, file: Any, name: str) -> None:
    total = 0
    while data := stream.read(CHUNK_BYTES):
        total += len(data)
        if total > LIMIT_SPOOLED_BYTES:
            raise Broken(name, f"a zip archive of more than {LIMIT_SPOOLED_BYTES >> 30} GiB through a pipe")
        file.write(data)


def _check_directory(end: bytes, name: str) -> None:
    """Refuse a zip without directory (cut off), and one whose directory would fill the memory."""
    at = end.rfind(b"PK\x05\x06")
    if at < 0:
        raise Broken(name, "a zip archive that is cut off: its directory, at the end, is missing", fix=_AGAIN)
    claims = [struct.unpack_from("<I", end, at + 12)[0]] if at + 16 <= len(end) else []
    big = end.rfind(b"PK\x06\x06")  # zip64
    if claims == [0xFFFFFFFF] and big >= 0 and big + 48 <= len(end):
        claims = [struct.unpack_from("<Q", end, big + 40)[0]]
    if any(claim > LIMIT_DIRECTORY_BYTES for claim in claims):
        raise Broken(name, f"a zip archive with a directory of {claims[0]} bytes", f"Allowed: {LIMIT_DIRECTORY_BYTES}")


# ------------------------------------------------------------------------------------------------------------- tar


class _TarInfo(tarfile.TarInfo):
    """A member's header; refuses long-name headers that would fill the memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _TarInfo:
        info = super().frombuf(buf, encoding, errors)
        if info.type in (b"x", b"g", b"X", b"L", b"K") and info.size > LIMIT_TAR_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {info.size} bytes")
        return info


class _TarBytes(WholeReads):
    """Tells the end once. tarfile skips a member by reading on, as often as the size that its header claims asks."""

    def __init__(self, stream: ByteStream) -> None:
        super().__init__(stream)
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        if not data and self._ended:
            raise tarfile.ReadError("unexpected end of data")
        self._ended = not data
        return data


def tar_members(stream: ByteStream, name: str) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """Each member with its bytes, to be read before the next is asked for; without bytes it is no file.

    Raises
    ------
    Broken : the archive is damaged from here on.
    """
    with _told(name, "a damaged tar archive", _AGAIN):
        archive = tarfile.open(fileobj=_TarBytes(stream), mode="r|", tarinfo=_TarInfo)  # type: ignore[call-overload]  # noqa: SIM115
    while True:
        with _told(name, "a damaged tar archive", _AGAIN):
            info = archive.next()
            if info is None:
                return
            opened = archive.extractfile(info) if info.isreg() else None
        yield info, opened
