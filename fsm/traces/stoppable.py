"""A regular expression of somebody else on the lines of a log, in a program of its own that the clock ends.

`re` cannot be stopped once it runs, and no look at an expression tells all that take for ever.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from fsm.errors import FsmError
from fsm.traces.runaway import FIX_DANGER

LINES_A_PART = 200
PART_SECONDS = 5  # a plain expression needs about a millisecond for so many lines
WHOLE_SECONDS = 300
Groups = dict[str, str | None]
# The timer of faulthandler is a thread without Python in it: it ends the program though `re` holds everything else.
_PROGRAM = """
import faulthandler, itertools, json, os, re, sys
given = json.load(sys.stdin)
pattern, lines, step, nowhere = re.compile(given["pattern"]), given["lines"], given["step"], open(os.devnull, "w")

def found(line):
    return [one.groupdict() for one in itertools.islice(pattern.finditer(line), 2)]

for first in range(0, len(lines), step):
    faulthandler.dump_traceback_later(given["seconds"], exit=True, file=nowhere)
    print(json.dumps([found(line) for line in lines[first:first + step]]), flush=True)
"""


def matches(expression: str, lines: Sequence[str], where: str) -> list[list[Groups]]:
    """For each line the groups of the first place that the expression fits, and of the second where there is one.

    Raises
    ------
    FsmError : it takes too long, and on which lines; there is no Python to run it in.
    """
    if not sys.executable:
        raise FsmError(where, "there is no Python program here to match it in", fix="Give --keys, or no pattern")
    given = {"pattern": expression, "lines": list(lines), "step": LINES_A_PART, "seconds": PART_SECONDS}
    command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", _PROGRAM]
    try:
        done = subprocess.run(command, input=json.dumps(given).encode(), capture_output=True, timeout=WHOLE_SECONDS)
        printed = done.stdout
    except subprocess.TimeoutExpired as stopped:
        printed = stopped.stdout or b""
    found: list[list[Groups]] = []
    for part in printed.splitlines(keepends=True):
        if part.endswith(b"\n"):
            found.extend(json.loads(part))
    if len(found) == len(lines):
        return found
    last = min(len(found) + LINES_A_PART, len(lines))
    what = f"'{expression}' was stopped: it takes too long on lines {len(found) + 1} to {last} of {len(lines)}"
    raise FsmError(where, what, fix=FIX_DANGER)
