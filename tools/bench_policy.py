"""Time and memory of loading a policy, against `ElementTree.iterparse` over the same bytes; prints JSON.

    python tools/bench_policy.py FILE [--rounds 7]

FILE is a dump of `netsh wfp` (also .gz). In each round all read the same bytes one after the other, the ratio is taken
within the round, and the median of the rounds is printed with its range. iterparse knows one root element only: it
gets the first one, which is all but a few bytes of a state dump. Loading has all guards on and gives a `Policy`.
iterparse is run twice: as it is, and with each element cleared at once, which is the least work it can do.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import statistics
import time
import tracemalloc
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

from fsm.policy.read import read_policy


def seconds(work: Callable[[], object]) -> float:
    """The processor time that one call takes, in seconds."""
    begin = time.process_time()  # not of other programs
    work()
    return time.process_time() - begin


def first_root(data: bytes) -> bytes:
    """The bytes up to the end of the first root element."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    end = data.find(b"<firewallState")
    return data if end < 0 else data[:end]


def iterparse(data: bytes) -> None:
    """Go over all elements; they stay in the tree, as nobody takes them out."""
    for _ in ElementTree.iterparse(io.BytesIO(data)):
        pass


def clearing(data: bytes) -> None:
    """Go over all elements, keeping none."""
    for _, element in ElementTree.iterparse(io.BytesIO(data)):
        element.clear()


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory that Python objects take during one call."""
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def measured(data: bytes, rounds: int) -> dict[str, object]:
    """Ratios and medians of one file."""
    one = first_root(data)
    candidates: dict[str, Callable[[], object]] = {
        "load": lambda: read_policy(data, name="dump"),
        "iterparse": lambda: iterparse(one),
        "iterparse_clearing": lambda: clearing(one),
    }
    policy = read_policy(data, name="dump")  # imports and caches
    times = [{name: seconds(work) for name, work in candidates.items()} for _ in range(rounds)]
    found: dict[str, object] = {
        "bytes": len(data),
        "filters": len(policy.filters),
        "seconds": {name: round(statistics.median(row[name] for row in times), 4) for name in candidates},
        "peak_mib": round(peak_bytes(candidates["load"]) / 2**20, 1),
    }
    for name in ("iterparse", "iterparse_clearing"):
        ratios = [row["load"] / row[name] for row in times]
        found[f"load_over_{name}"] = {
            "ratio": round(statistics.median(ratios), 2),
            "range": [round(min(ratios), 2), round(max(ratios), 2)],
        }
    return found


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    data = given.file.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    print(json.dumps({"load": measured(data, given.rounds)}, indent=1))


if __name__ == "__main__":
    main()
