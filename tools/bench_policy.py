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
from dataclasses import replace
from pathlib import Path
from typing import Any

from fsm.policy.compare import compare
from fsm.policy.in_force import index_policy
from fsm.policy.read import read_policy
from fsm.policy.search import search
from fsm.policy.whatif import whatif


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


def asked(data: bytes, rounds: int) -> dict[str, object]:
    """Seconds and memory of the questions: whatif first and warm, search, compare with one filter turned round."""
    policy = read_policy(data, name="dump")
    place = next(n for n, f in enumerate(policy.filters) if f.action == "PERMIT" and "AUTH_CONNECT" in f.layer)
    turned = replace(policy.filters[place], action="BLOCK")
    other = replace(policy, filters=(*policy.filters[:place], turned, *policy.filters[place + 1 :]))
    ends: dict[str, Any] = {"from_": "192.0.2.1:50000", "to": "198.51.100.1:53"}
    work: dict[str, Callable[[], object]] = {
        "index": lambda: index_policy(policy),
        "whatif_first": lambda: whatif(policy, **ends),
        "whatif_warm": lambda: whatif(policy, **ends),
        "whatif_warm_receive": lambda: whatif(policy, from_=ends["to"], to=ends["from_"], event="receive"),
        "search_sent": lambda: search(policy, "sent"),
        "search_delivered": lambda: search(policy, "delivered", event="receive"),
        "search_delivered_ordinary": lambda: search(policy, "delivered", event="receive", ordinary=True),
        "compare_itself": lambda: compare(policy, policy),
        "compare_turned": lambda: compare(policy, other),
        "compare_turned_ordinary": lambda: compare(policy, other, ordinary=True, undeclared_callouts="permit"),
    }
    found: dict[str, object] = {}
    for name, one in work.items():
        times = [seconds(one) for _ in range(1 if name.endswith("_first") else rounds)]
        found[name] = {"seconds": round(statistics.median(times), 4), "first": round(times[0], 4)}
    for name in ("whatif_warm", "search_delivered", "compare_turned"):
        found[name] = {**dict(found[name]), "peak_mib": round(peak_bytes(work[name]) / 2**20, 1)}  # type: ignore[call-overload]
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
    found = {"load": measured(data, given.rounds), "asked": asked(data, max(1, given.rounds // 2))}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
