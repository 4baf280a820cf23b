"""Check everything: `python3 tools/test.py` (Windows: `py tools\\test.py`).

Sets up the same private environment as tools/demo.py, with the check tools, runs every step even if an earlier
one fails, and ends with what was skipped and the count. Exit status 0 only when every step passed.
This file must parse on any Python 3, so that an old one gets a sentence and not a traceback.
"""

import os
import sys

# Name | arguments of the environment's Python. `{junit}` is where pytest is to leave its report.
STEPS = [
    ("lint", ["-m", "ruff", "check", "."]),
    ("format", ["-m", "ruff", "format", "--check", "."]),
    ("types", ["-m", "mypy", "--strict"]),
    (
        "types of tools",
        [
            *("-m", "mypy", "--strict", "tools/bootstrap.py", "tools/lock.py", "tools/examples.py"),
            *("tools/bench_model.py", "tools/bench_policy.py", "tools/bench_plugin.py"),
            *("tools/mutate_code.py", "tools/mutate_rules.py", "tools/real_cases.py"),
        ],
    ),
    ("pictures", ["-m", "fsm.draw.gallery", "--check"]),
    ("tests", ["-m", "pytest", "-q", "-n", "2", "--junit-xml={junit}", "tests"]),
]


def main():
    if sys.version_info < (3, 11):
        found = ".".join(str(part) for part in sys.version_info[:3])
        sys.stderr.write("error: tools/test.py needs Python 3.11 or later; this is Python " + found + ".\n")
        return 2
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # not there with `python -P`
    import bootstrap

    return bootstrap.check(STEPS)


if __name__ == "__main__":
    sys.exit(main())
