"""From a path, a stream or bytes to a `Policy`: opens the container, recognises what is in it, and reads it.

The kind is decided by the content, never by the name. Containers are opened by the code that opens logs, with its
bounds on expansion and on damage.
"""

from __future__ import annotations

import gzip
import io
import os
import re
from pathlib import Path
from typing import Any, BinaryIO

from fsm.errors import LogError
from fsm.logs.archives import open_zip, open_zip_file, zip_files
from fsm.logs.fields import clean
from fsm.logs.recognise import Kind, recognise
from fsm.logs.stream import PREFIX_BYTES, Budget, ByteStream, Utf8, WholeReads, open_file

from .errors import PolicyError
from .model import Policy
from .netsh import EXPORT, read_dump
from .toml_read import read_toml

READABLE = (
    "Readable here: XML of `netsh wfp show state` or `netsh wfp show filters`, and policy files in TOML, each plain or "
    "in .gz or .zip"
)
LIMIT_TOML_BYTES = 64 * 1024 * 1024
# A comment, a table header or `key =` at the start of the first line that is not blank.
_TOML = re.compile(r"""(#|\[\[?\s*[A-Za-z_"][\w."' -]*\]|[A-Za-z_][\w.-]*\s*=)""")


def read_policy(given: str | Path | bytes | BinaryIO, *, name: str = "") -> Policy:
    """The policy in a file, a binary stream or bytes.

    Parameters
    ----------
    given : a path; "-" has no special meaning here. `netsh` XML, a policy file in TOML, either of them in gzip or zip.
    name : what messages and the `source` of filters call it; the path or "policy" when not given.

    Returns
    -------
    Everything that was read. What had no place is in `not_understood`.

    Raises
    ------
    FsmError : not readable, hostile, damaged, or a policy file with mistakes (one line for each of them).
    """
    try:
        if isinstance(given, bytes):
            return _container(io.BytesIO(given), name or "policy")
        if not isinstance(given, (str, Path)):
            return _container(given, name or clean(str(getattr(given, "name", "policy"))))
        name = name or clean(str(given))
        if os.path.isdir(given):
            raise PolicyError(name, "this is a folder, not a policy", READABLE, "Give the file in it")
        with open_file(given, name) as raw:
            return _container(raw, name)
    except LogError as error:  # of the code shared with logs: a broken container, an expansion without bounds
        what = error.what.replace("as no log does", "as no policy does")
        raise PolicyError(error.where, what, error.nearest, error.fix) from None


def _container(raw: Any, name: str) -> Policy:
    stream = packed = ByteStream(raw, name)
    prefix = stream.peek(PREFIX_BYTES)
    if prefix.startswith(b"PK\x03\x04"):
        return _zip(raw, stream, name)
    if prefix.startswith(b"\x1f\x8b"):
        unpacked = gzip.GzipFile(fileobj=WholeReads(packed), mode="rb")  # type: ignore[call-overload]
        stream = ByteStream(unpacked, name, Budget(lambda: packed.taken))
    return _plain(stream, name)


def _plain(stream: ByteStream, name: str) -> Policy:
    prefix = stream.peek(PREFIX_BYTES)
    kind = recognise(prefix)
    start = _text_start(prefix, kind.encoding)
    if start.startswith("<") and kind.form in ("xml", None):
        if kind.form is None:
            raise _refusal(kind, name)
        return read_dump(Utf8(stream, kind.encoding), start, name)
    if kind.form == "tar":
        raise PolicyError(name, "a tar archive, which is not read", READABLE, "Unpack it first")
    if kind.form in ("gzip", "zip"):
        raise PolicyError(name, "an archive inside an archive, which is not read", "", "Unpack the outer one first")
    if kind.form == "evtx":
        raise PolicyError(name, "this is an event log (EVTX), not a policy", READABLE, "Give it to wfp-udp explain")
    if _TOML.match(_first_words(start)):
        return read_toml(_all_of(stream, kind.encoding, name), name)
    if kind.form == "json":
        raise PolicyError(name, "this is JSON, not a policy", READABLE, EXPORT)
    raise _refusal(kind, name)


def _refusal(kind: Kind, name: str) -> PolicyError:
    what = kind.name.replace(", no log", "").replace(", not read yet", ", not a policy")
    return PolicyError(name, what.replace("neither JSON nor XML", "neither XML nor a policy file"), READABLE, EXPORT)


def _text_start(prefix: bytes, encoding: str) -> str:
    return prefix.decode(encoding, "replace").lstrip("\ufeff \t\r\n\x00")


def _first_words(start: str) -> str:
    """The first line that says something: comments at the head of a file prove nothing."""
    for line in start.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            return line.strip()
    return "#" if start.startswith("#") else ""


def _all_of(stream: ByteStream, encoding: str, name: str) -> str:
    text = Utf8(stream, encoding)
    pieces, total = [], 0
    while piece := text.read(256 * 1024):
        pieces.append(piece)
        total += len(piece)
        if total > LIMIT_TOML_BYTES:
            raise PolicyError(name, f"a policy file of more than {LIMIT_TOML_BYTES >> 20} MiB")
    try:
        return b"".join(pieces).decode("utf-8")
    except UnicodeDecodeError as error:
        line = b"".join(pieces)[: error.start].count(b"\n") + 1
        raise PolicyError(f"{name}, line {line}", "this is no UTF-8 text", "", "Save the file as UTF-8") from None


def _zip(raw: Any, stream: ByteStream, name: str) -> Policy:
    """The one policy in an archive: two of them would be two machines."""
    with open_zip(raw, stream, name) as (archive, size):
        wanted = [info for info in zip_files(archive) if not info.filename.startswith("__MACOSX/")]
        if len(wanted) != 1:
            shown = ", ".join(clean(info.filename) for info in wanted[:5])
            raise PolicyError(name, f"a zip archive of {len(wanted)} files ({shown})", "", "Unpack it and give one")
        with open_zip_file(archive, wanted[0], name) as opened:
            return _plain(ByteStream(opened, name, Budget(lambda: size)), name)
