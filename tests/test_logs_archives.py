"""Damaged archives: whatever the standard library raises for them is told in one line, and nothing else is caught."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
import zlib

import hostile
import pytest

from fsm.errors import LogError
from fsm.logs import NotUnderstood, archives, read, stream
from fsm.policy.errors import PolicyError
from fsm.policy.read import read_policy

RECORDS = (hostile.LINE + "\n").encode() * 40
DATA_AT = 30 + len("a.json")  # in a zip of one member, behind its local header


def zip_of(compression: int, name: str = "a.json") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        archive.writestr(name, RECORDS)
    return out.getvalue()


def spoilt(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


PAX = hostile.tar_header("x", 22, tarfile.XHDTYPE) + hostile.tar_block(b"22 GNU.sparse.map=1,x\n")
DAMAGED: dict[str, tuple[type[Exception], bytes]] = {  # what the standard library raises, and for what
    "zip: a directory that is none": (
        zipfile.BadZipFile,
        zip_of(zipfile.ZIP_STORED).replace(b"PK\x01\x02", b"PK\x01\x01"),
    ),
    "zip: damaged deflate": (zlib.error, spoilt(zip_of(zipfile.ZIP_DEFLATED), DATA_AT, b"\xff" * 9)),
    "zip: damaged bzip2": (OSError, spoilt(zip_of(zipfile.ZIP_BZIP2), DATA_AT, b"\xff" * 9)),
    "zip: damaged lzma": (lzma.LZMAError, spoilt(zip_of(zipfile.ZIP_LZMA), DATA_AT + 4, b"\xff" * 9)),
    "zip: a name of bad UTF-8": (
        ValueError,
        zip_of(zipfile.ZIP_STORED, "\xe9.json").replace("\xe9".encode(), b"\xff\xff"),
    ),
    "zip: unknown compression": (
        NotImplementedError,
        spoilt(data := zip_of(zipfile.ZIP_STORED), data.find(b"PK\x01\x02") + 10, b"\x63"),
    ),
    "zip: far away": (OverflowError, hostile.zip_far_away()),
    "gzip: cut off": (EOFError, gzip.compress(RECORDS)[:-9]),
    "tar: a size that is none": (tarfile.TarError, spoilt(hostile.tar_header("a", 1), 124, b"x") + bytes(1024)),
    "tar: a map that is none": (ValueError, PAX + hostile.tar_header("a", 0)),
    "tar: cut in a sparse header": (IndexError, hostile.TAR_CUT_IN_SPARSE),
    "tar: headers of headers": (RecursionError, hostile.TAR_OF_LONG_NAMES),
}


def told(data: bytes) -> list[str]:
    """What is said of it: why it is refused, or the troubles beside what could be read."""
    try:
        return [item.why for item in read([io.BytesIO(data)]) if isinstance(item, NotUnderstood)]
    except LogError as error:
        return [str(error)]


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_one_line(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = told(DAMAGED[case][1])
    assert line.isprintable() and " ()" not in line
    everything = stream.DAMAGE
    for module in (stream, archives):
        monkeypatch.setattr(module, "DAMAGE", ())
    with pytest.raises(everything):  # Python 3.11 to 3.13 raise the one in the list; a later one may raise another
        told(DAMAGED[case][1])


def test_every_exception_caught_is_one_that_occurs() -> None:
    occur = (*(raised for raised, _ in DAMAGED.values()), MemoryError)
    assert [kind for kind in stream.DAMAGE if not any(issubclass(raised, kind) for raised in occur)] == []


@pytest.mark.parametrize("case", [case for case in DAMAGED if not case.startswith("tar")])
def test_damaged_archive_is_no_policy_either(case: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy(DAMAGED[case][1], name="archive")
    assert str(caught.value).startswith("archive: ") and str(caught.value).isprintable()


def test_lack_of_memory_is_said_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """LZMA of a few bytes may ask for a dictionary of 4 GiB."""

    def too_large(*_: object, **__: object) -> None:
        raise MemoryError

    data = zip_of(zipfile.ZIP_LZMA)
    monkeypatch.setattr(lzma, "LZMADecompressor", too_large)
    (line,) = told(data)
    assert "cannot be read any further (MemoryError)" in line


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_mistake_of_this_package_does_not_pass_for_damage(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise ValueError("a mistake of ours")

    monkeypatch.setattr("fsm.logs.reader.security_item", wrong)
    header = hostile.tar_header("a.json", len(RECORDS))
    data = zip_of(zipfile.ZIP_STORED) if form == "zip" else header + hostile.tar_block(RECORDS) + bytes(1024)
    with pytest.raises(ValueError, match="a mistake of ours"):
        list(read([io.BytesIO(data)]))


def test_mistake_of_this_package_in_a_zipped_policy_does_not_pass_for_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise ValueError("a mistake of ours")

    monkeypatch.setattr("fsm.policy.read.read_toml", wrong)
    with pytest.raises(ValueError, match="a mistake of ours"):
        read_policy(hostile.zipped(("policy.toml", b"# nothing\n")))
