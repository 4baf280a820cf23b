"""Archives, streams, several inputs, and everything hostile: one clear line, no traceback, no hang."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import time
from pathlib import Path

import hostile
import pytest

from fsm.errors import LogError
from fsm.logs import LogEvent, LogItem, NotUnderstood, OtherRecord, ReadSummary, read
from fsm.logs.recognise import recognise

LINE = hostile.LINE
LIMIT_S = 120.0  # that it ends at all; a busy machine takes its time

# What can be read of the cases that are not refused: events, other records (None: very many), not understood, status
READ_IN_PART: dict[str, tuple[int, int | None, int, int]] = {
    "gzip bomb of records": (0, None, 1, 2),
    "zip bomb": (0, None, 1, 2),
    "csv": (0, 1, 0, 0),  # its event is of another provider
    "tar with tricks": (2, 0, 2, 0),
    "tar without end": (1, 0, 1, 2),
    "tar cut within a sparse header": (1, 0, 1, 2),
    "tar of long names": (1, 0, 1, 2),
    "tar with holes": (180, 0, 1, 2),
    "truncated gzip": (4651, 0, 1, 2),
    "truncated xml": (19, 0, 1, 2),
    "truncated array": (2, 0, 1, 2),
    "array never closed": (2, 0, 1, 2),
    "trailing comma": (2, 0, 1, 0),
    "events damaged without end": (1, 0, 1002, 2),
    "events nested without end": (1, 0, 1002, 2),
}


def _summary(path: Path) -> tuple[ReadSummary, list[NotUnderstood]]:
    summary, bad = ReadSummary(), []
    for item in read([path]):
        summary.note(item)
        if isinstance(item, NotUnderstood):
            bad.append(item)
    return summary, bad


@pytest.mark.parametrize("case", hostile.CASES)
def test_hostile_input_gives_one_clear_line(case: str, tmp_path: Path) -> None:
    path = hostile.CASES[case](tmp_path)
    start = time.monotonic()
    if case in READ_IN_PART:
        summary, bad = _summary(path)
        events, others, not_understood, status = READ_IN_PART[case]
        # how much of a damaged gzip can be unpacked differs a little between builds of zlib
        assert abs(summary.events - events) <= (50 if case == "truncated gzip" else 0)
        assert summary.others > 10_000 if others is None else summary.others == others
        assert (summary.not_understood, summary.exit_status) == (not_understood, status)
        lines = [f"{i.where}: {i.why}" for i in bad]
    else:
        with pytest.raises(LogError) as caught:
            list(read([path]))
        lines = [str(caught.value)]
        assert caught.value.where.startswith(str(path))
        assert caught.value.exit_status == 2
    for line in lines:
        assert line.isprintable() and len(line) < 800
    assert time.monotonic() - start < LIMIT_S


@pytest.mark.parametrize("case", hostile.NOISE)
def test_300_mb_of_noise_are_refused_quickly(case: str) -> None:
    start = time.monotonic()
    with pytest.raises(LogError, match=r"^noise: ") as caught:
        list(read([hostile.NOISE[case]()]))  # type: ignore[list-item]
    assert str(caught.value).isprintable()
    assert time.monotonic() - start < LIMIT_S


def test_lines_without_one_readable_among_the_first_thousand_are_refused() -> None:
    noise = LINE + "\n" + "{x\n" * 5000
    assert len(list(read([io.BytesIO(noise.encode())]))) == 5001
    late = "{x\n" * 999 + LINE + "\n"
    assert len(list(read([io.BytesIO(late.encode())]))) == 1000
    with pytest.raises(LogError, match="none of its first 1000 lines is a JSON record"):
        list(read([io.BytesIO(("{x\n" * 1000 + LINE).encode())]))


# -------------------------------------------------------------------------------------------------------- archives

_JSON = (LINE + "\n" + LINE + "\n").encode()
_XML = hostile.EVENT.encode()


def _tar(mode: str, *members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Pipe(io.RawIOBase):
    """A stream that cannot seek and gives little at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 1000) if size > 0 else 1000)


ARCHIVES = {
    "gzip": gzip.compress(_JSON + _JSON),
    "gzip of two parts": gzip.compress(_JSON) + gzip.compress(_JSON),
    "zip": hostile.zipped(("a.json", _JSON), ("folder/b.json", _JSON)),
    "zip of both kinds": hostile.zipped(("a.json", _JSON), ("b.xml", _XML), ("c.xml", _XML)),
    "tar": _tar("w", ("a.json", _JSON), ("folder/b.json", _JSON)),
    "tar.gz": _tar("w:gz", ("a.json", _JSON), ("b.xml", _XML), ("c.xml", _XML)),
}


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("way", ["file", "memory", "pipe"])
def test_archive_is_read_in_every_way(name: str, way: str, tmp_path: Path) -> None:
    data = ARCHIVES[name]
    if way == "file":
        path = tmp_path / "x"
        path.write_bytes(data)
        got = list(read([path]))
    else:
        got = list(read([io.BytesIO(data) if way == "memory" else Pipe(data)]))  # type: ignore[list-item]
    assert [type(i) for i in got] == [LogEvent] * 4


def test_members_are_sources_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(ARCHIVES["zip"])
    assert [(i.source, i.record) for i in read([str(path)])] == [
        (f"{path}/a.json", 1), (f"{path}/a.json", 2), (f"{path}/folder/b.json", 1), (f"{path}/folder/b.json", 2),
    ]  # fmt: skip


def test_member_that_is_no_log_is_told_and_the_others_are_read() -> None:
    data = hostile.zipped(("readme.txt", b"hello"), ("a.json", _JSON), ("p.png", b"\x89PNG\r\n\x1a\n"), ("e", b""))
    summary, why = ReadSummary(), []
    for item in read([io.BytesIO(data)]):
        summary.note(item)
        if isinstance(item, NotUnderstood):
            why.append((item.source.rpartition("/")[2], item.why))
    assert (summary.events, summary.exit_status) == (2, 0)
    assert why == [
        ("readme.txt", "this is text, but neither JSON nor XML"),
        ("p.png", "this is a PNG picture, no log"),
        ("e", "this is empty"),
    ]


def test_damaged_member_is_a_broken_container_and_the_next_one_is_read() -> None:
    data = bytearray(hostile.zipped(("a.json", hostile._lines(3000)), ("b.json", _JSON)))
    data[9_000:9_010] = b"\xff" * 10
    summary = ReadSummary()
    sources = {summary.note(item).source.rpartition("/")[2] for item in read([io.BytesIO(bytes(data))])}
    assert sources == {"a.json", "b.json"}
    assert len(summary.broken) == 1 and summary.events > 500 and summary.exit_status == 2


def test_wrong_checksum_is_told_after_the_records() -> None:
    data = bytearray(gzip.compress(_JSON))
    data[-8] ^= 0xFF
    got = list(read([io.BytesIO(bytes(data))]))
    assert [type(i) for i in got] == [LogEvent, LogEvent, NotUnderstood]
    assert isinstance(got[-1], NotUnderstood) and got[-1].broken_container and "CRC" in got[-1].why


def test_truncated_tar_is_told_once() -> None:
    data = _tar("w", ("a.json", _JSON), ("b.json", hostile._lines(3000)))[:200_000]
    got = list(read([io.BytesIO(data)]))
    bad = [i for i in got if isinstance(i, NotUnderstood)]
    assert len(got) > 300 and len(bad) == 1 and bad[0].broken_container


def test_names_of_members_cannot_play_tricks() -> None:
    data = hostile.zipped(("a\x1b[2J\n.json", _JSON))
    assert all(i.source.isprintable() for i in read([io.BytesIO(data)]))


# --------------------------------------------------------------------------------------------------- several inputs


def _files(folder: Path, **content: bytes) -> list[Path]:
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in content]


def test_unreadable_input_beside_readable_ones_is_an_item(tmp_path: Path) -> None:
    paths = _files(tmp_path, a=b"", b=_JSON, c=b"\x89PNG\r\n\x1a\n", d=_XML)
    got: list[LogItem] = list(read(paths))
    assert [type(i) for i in got] == [NotUnderstood, LogEvent, LogEvent, NotUnderstood, LogEvent]
    assert [i.source for i in got] == [str(p) for p in (paths[0], paths[1], paths[1], paths[2], paths[3])]
    summary = ReadSummary()
    for item in got:
        summary.note(item)
    assert summary.exit_status == 2 and len(summary.broken) == 2


def test_nothing_readable_at_all_raises_the_first_trouble(tmp_path: Path) -> None:
    paths = _files(tmp_path, a=b"", b=b"\x89PNG\r\n\x1a\n")
    with pytest.raises(LogError, match="a: this is empty"):
        list(read(paths))


def test_status_of_a_reading() -> None:
    def status(text: str) -> int:
        summary = ReadSummary()
        for item in read([io.BytesIO(text.encode())]):
            summary.note(item)
        return summary.exit_status

    assert status(LINE) == 0
    assert status('{"EventID": 1}') == 0
    assert status(LINE + "\nnonsense") == 0
    assert status(hostile.line(SourcePort="x")) == 2  # a record, but none could be understood
    assert status(f"[{LINE}") == 2


def test_folder_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="this is a folder") as caught:
        list(read([tmp_path]))
    assert caught.value.fix == "Give the files in it"


def test_progress_tells_bytes_of_the_whole(tmp_path: Path) -> None:
    (path,) = _files(tmp_path, a=hostile._lines(3000))
    calls: list[tuple[str, int, int | None]] = []
    for _ in read([path], progress=lambda *call: calls.append(call)):
        pass
    size = path.stat().st_size
    assert calls[-1] == (str(path), size, size)
    assert [c[1] for c in calls] == sorted(c[1] for c in calls)


def test_reading_is_lazy_and_closes_its_file(tmp_path: Path) -> None:
    (path,) = _files(tmp_path, a=hostile._lines(3000))
    reading = read([path])
    assert isinstance(next(reading), LogEvent)
    reading.close()  # type: ignore[attr-defined]  # an open file would be a ResourceWarning, thus an error


def test_memory_stays_flat_over_a_large_array() -> None:
    import tracemalloc

    record = LINE.encode() + b",\n"
    stream = hostile.Noise(len(record) * 20_000, record, b"[" + record)
    tracemalloc.start()
    count = sum(isinstance(i, LogEvent) for i in read([stream]))  # type: ignore[list-item]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count >= 20_000
    assert peak < 12 << 20


@pytest.mark.parametrize(
    ("start", "named"),
    [
        (b"LfLe", "text, but neither"),
        (b"0\x00\x00\x00LfLe", "(EVT)"),
        (b"\xd4\xc3\xb2\xa1" + bytes(20), "(pcap)"),
        (b"regf" + bytes(20), "registry hive"),
        (b"MSCF" + bytes(20), "cabinet"),
        (b"Log Name:      Security\r\n", "events as text for people"),
        (b"Event[0]:\r\n  Log Name: Security\r\n", "events as text for people"),
        (b"TimeCreated  : 1/1/2024\r\nId : 5152\r\n", "PowerShell list"),
        ("\ufeff#Version: 1.5\r\n#Software: Microsoft Windows Firewall\r\n".encode("utf-16-le"), "text log"),
        (b"BZh91AY", "bzip2"),
        (b"\xff\xfe\x00\x00<\x00\x00\x00", "binary data"),
    ],
)
def test_recognised_by_content(start: bytes, named: str) -> None:
    kind = recognise(start)
    assert kind.form is None and named in kind.name


def test_other_records_are_cheap() -> None:
    lines = (json.dumps({"EventID": 4624, "Message": "x" * 1500}) + "\n").encode() * 20_000
    start = time.monotonic()
    assert sum(isinstance(i, OtherRecord) for i in read([io.BytesIO(lines)])) == 20_000
    assert time.monotonic() - start < LIMIT_S
