"""How much the pytest plugin adds to the start of a suite that does not use it.

    python tools/bench_plugin.py [--runs N] [--imports N]

Runs `pytest --collect-only` on a folder without tests, with the plugin and with `-p no:wfp_udp`, in turns, each in a
process of its own; and imports `fsm.pytest_plugin` alone, pytest being there already. Processor time is compared, not
the clock on the wall, and the least of many runs: that is what the work itself takes on a machine that does other work.
The two least differ by chance too; where that is more than the plugin takes, only its import alone says something.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence

WITH, WITHOUT = (), ("-p", "no:wfp_udp")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
NOTHING_COLLECTED = 5  # what pytest ends with where there are no tests

# Runs in a process of its own: seconds for the plugin and what it loads, and which modules those are.
_IMPORT = """\
import sys, time
import pytest
import _pytest.config
before = set(sys.modules)
start = time.process_time()
import fsm.pytest_plugin
took = time.process_time() - start
print(took, *sorted(set(sys.modules) - before))
"""


def start_seconds(folder: str, arguments: Sequence[str]) -> float:
    """Processor time of one run of pytest on an empty folder, in a process of its own."""
    # As in an installed package, byte code is there: the first run writes it.
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments, folder]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if ran.returncode != NOTHING_COLLECTED:
        raise SystemExit(f"{' '.join(command)} ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return took


def import_seconds(folder: str) -> tuple[float, list[str]]:
    """Processor seconds of `import fsm.pytest_plugin`, and the modules that it loads."""
    ran = subprocess.run(
        [sys.executable, "-c", _IMPORT], cwd=folder, capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    took, *modules = ran.stdout.split()
    return float(took), modules


def main() -> int:
    """Measure, print; 1 when the import of the plugin takes the limit or more."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40, help="of pytest, each way (default 40)")
    parser.add_argument("--imports", type=int, default=40, help="of the plugin alone (default 40)")
    parser.add_argument("--limit-ms", type=float, default=5.0, help="what it may add (default 5)")
    given = parser.parse_args()
    if given.runs < 1 or given.imports < 1:
        parser.error("--runs and --imports: 1 or more")
    taken: dict[tuple[str, ...], list[float]] = {WITH: [], WITHOUT: []}
    with tempfile.TemporaryDirectory() as folder:
        for way in (WITH, WITHOUT):
            start_seconds(folder, way)  # the first of each fills the caches of the disk
        for number in range(given.runs):
            # Each way goes first in every other round, so that neither gains by its place.
            for way in (WITH, WITHOUT) if number % 2 else (WITHOUT, WITH):
                taken[way].append(start_seconds(folder, way) * 1000)
        imports = [import_seconds(folder) for _ in range(given.imports)]
    for name, way in (("with the plugin", WITH), ("without it", WITHOUT)):
        print(f"{name:<18} least {min(taken[way]):8.2f} ms, median {statistics.median(taken[way]):8.2f} ms")
    added, ratio = min(taken[WITH]) - min(taken[WITHOUT]), min(taken[WITH]) / min(taken[WITHOUT])
    print(f"the plugin adds    least {added:8.2f} ms, ratio {ratio:.4f} ({given.runs} runs each way)")
    alone = [took * 1000 for took, _ in imports]
    print(f"its import alone   least {min(alone):8.2f} ms, median {statistics.median(alone):8.2f} ms")
    print(f"it loads           {', '.join(imports[0][1])}")
    print(f"                   that is {min(alone) / min(taken[WITHOUT]):.2%} of a start without it")
    return int(min(alone) >= given.limit_ms)


if __name__ == "__main__":
    sys.exit(main())
