"""See what this project does: `python3 tools/demo.py` (Windows: `py tools\\demo.py`).

Sets up a private environment in .venv, explains a recorded log, and draws the pictures into demo-output/.
Needs Python 3.11 or later and, the first time, a package index; nothing else has to be installed.
This file must parse on any Python 3, so that an old one gets a sentence and not a traceback.
"""

import os
import sys

OUTPUT = "demo-output"
RECORDING = "tests/data/lsass_udp_drops.json"

# What it does | arguments of wfp-udp. Paths are relative to the checkout, with forward slashes on every system.
JOBS = [
    (
        "Explain a recorded log",
        ["explain", RECORDING, "--format", "text", "--diagram", OUTPUT + "/explained.svg"],
    ),
    ("Draw the way of a datagram on one page", ["diagram", "packet-path", "-o", OUTPUT + "/packet-path.svg"]),
    ("Draw the sending socket", ["diagram", "sender", "-o", OUTPUT + "/sender.svg"]),
    ("Draw the receiving socket", ["diagram", "receiver", "-o", OUTPUT + "/receiver.svg"]),
    ("Draw a port nobody owns", ["diagram", "dropped_port", "-o", OUTPUT + "/dropped_port.svg"]),
    ("Draw one flow", ["diagram", "sender.active_open", "-o", OUTPUT + "/sender.active_open.svg"]),
]

# What to type next: arguments of wfp-udp | what for.
NEXT = [
    ("explain YOUR-LOG", "the same for a log of yours"),
    ("flow sender.active_open --block AUTH_CONNECT", "a documented flow with a block"),
    ("run sender bind sendto policy_change datagram wait:61 sendto", "any sequence of stimuli"),
    ("layers receive/accept", "a filtering layer, by any of its names"),
    ("--help", "everything else"),
]


def main():
    if sys.version_info < (3, 11):
        found = ".".join(str(part) for part in sys.version_info[:3])
        sys.stderr.write("error: tools/demo.py needs Python 3.11 or later; this is Python " + found + ".\n")
        return 2
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # not there with `python -P`
    import bootstrap

    return bootstrap.demo(JOBS, NEXT, OUTPUT)


if __name__ == "__main__":
    sys.exit(main())
