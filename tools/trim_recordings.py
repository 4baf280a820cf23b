"""Cut the recordings in tests/data out of the public ones. Run: python tools/trim_recordings.py EVIDENCE_FOLDER

Lines are kept byte for byte and in their order. Kept are all blocked packets and connections, every record of the
same host that shares a local port with one of them, what else was recorded near them, and a few TCP and other
records, so that each reason of the accounting occurs.
"""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
LIMIT_BYTES = 400_000
OTHERS = 6  # records of other events
TCP = 4
# archive, result, seconds around a blocked packet within which every UDP or ICMP record is kept
JSON_RECORDINGS = (
    ("metasploit_procdump_lsass_memory_dump.zip", "lsass_udp_drops.json", 15.0),
    ("cmd_dumping_ntds_dit_file_ntdsutil.zip", "ntds_icmp_errors.json", 5.0),
)
COPIES = (("security-xml", "event_*.xml"), ("wfp-netevents", "*.xml"))
WFP = range(5150, 5160)


def seconds(record: dict[str, Any]) -> float:
    hours, minutes, rest = record["TimeCreated"][11:-1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def lines_of(archive: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(archive) as opened:
        member = next(n for n in opened.namelist() if not n.startswith("__MACOSX"))
        with opened.open(member) as lines:
            yield from lines


def trimmed(archive: Path, around_s: float) -> list[bytes]:
    lines = list(lines_of(archive))
    wfp = {}
    for index, line in enumerate(lines):
        record = json.loads(line)
        if record["EventID"] in WFP:
            wfp[index] = record
    blocked = [r for r in wfp.values() if r["EventID"] in (5152, 5157)]
    ports = {r[key] for r in blocked for key in ("SourcePort", "DestPort")} - {"0", "53"}
    times = [seconds(r) for r in blocked]

    keep, tcp = set(), 0
    for index, record in wfp.items():
        if record["Protocol"] == "6":
            if tcp < TCP:
                keep.add(index)
            tcp += 1
        elif (
            record["EventID"] in (5152, 5157)
            or ports & {record["SourcePort"], record.get("DestPort", "")}
            or record["Protocol"] in ("1", "58")
            or any(abs(seconds(record) - t) <= around_s for t in times)
        ):
            keep.add(index)
    # records of other events spread over the recording, none of them long
    short = [i for i, line in enumerate(lines) if i not in wfp and len(line) < 3000]
    keep.update(short[:: len(short) // OTHERS][:OTHERS])
    return [lines[index] for index in sorted(keep)]


def main(evidence: Path) -> None:
    for name, result, around_s in JSON_RECORDINGS:
        kept = b"".join(trimmed(evidence / "security-json" / name, around_s))
        if len(kept) > LIMIT_BYTES:
            raise SystemExit(f"{result}: {len(kept)} bytes. Allowed: {LIMIT_BYTES}. Narrow the seconds around drops.")
        (DATA / result).write_bytes(kept)
        lines = kept.count(b"\n")
        print(f"{result}: {lines} lines, {len(kept)} bytes")
    for folder, pattern in COPIES:
        (DATA / folder).mkdir(exist_ok=True)
        for path in sorted((evidence / folder).glob(pattern)):
            shutil.copyfile(path, DATA / folder / path.name)
            (DATA / folder / path.name).chmod(0o644)
            print(f"{folder}/{path.name}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
