"""Mutate the code of the core modules and see that their tests notice: `python tools/mutate_code.py`.

Every module of CORE is mutated by mutmut in a copy of the project, one module at a time, against the few quick tests
that are named for it. The rows of the rule table are data, and have a tool of their own (`mutate_rules.py`).
A mutant is killed when a test fails or hangs. The exit status is 1 where fewer than WANTED percent are killed.

    python tools/mutate_code.py [MODULE-PART ...] [--jobs N] [--minutes N] [--work DIRECTORY]

mutmut is not among the dependencies of the project: `pip install mutmut`. It needs a system that can fork.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
WANTED = 85.0
# The copy has no pages: they are made from what the tests ask one by one.
_NO_PAGE = "--deselect=tests/test_claims.py::test_the_page_of_failures_is_what_the_claims_say"
# Module -> its tests, as pytest takes them.
CORE: dict[str, tuple[str, ...]] = {
    "fsm/checks.py": ("tests/test_core_table.py",),
    "fsm/table.py": ("tests/test_core_table.py",),
    "fsm/endpoint.py": ("tests/test_core_endpoint.py",),
    "fsm/claims/automaton.py": ("tests/test_core_automaton.py",),
    "fsm/claims/decide.py": (
        "tests/test_core_decide.py",
        "tests/test_claims_exact.py",
        "tests/test_claims.py",
        "tests/test_claims_policy.py",
        _NO_PAGE,
    ),
    "fsm/policy/match.py": ("tests/test_policy_match.py",),
    "fsm/policy/in_force.py": ("tests/test_policy_in_force.py", "tests/test_policy_arbitrate.py"),
    "fsm/policy/arbitrate.py": (
        "tests/test_policy_arbitrate.py",
        "tests/test_policy_order_notes.py",
        "tests/test_filter_oracle.py",
    ),
}
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "mutants", "diagrams")
# As mutmut keeps them: exit status of the tests of one mutant. Others are a time-out or a signal.
SURVIVED, KILLED, NOT_RUN, NO_TESTS = 0, (1, 3), None, 33


def prepare(work: Path, module: str) -> None:
    """A copy of the project that mutates one module."""
    shutil.copytree(TOP, work, ignore=NOT_COPIED)
    settings = {
        "source_paths": ["fsm"],
        "only_mutate": [module],
        "pytest_add_cli_args_test_selection": list(CORE[module]),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-o", "addopts="],
        "timeout_constant": 10.0,  # seconds; the time of a run is (estimated + constant) x multiplier
        "timeout_multiplier": 3.0,
        "track_dependencies": False,
        "use_git_change_detection": False,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    with open(work / "pyproject.toml", "a", encoding="utf-8") as file:
        file.write("\n[tool.mutmut]\n" + "\n".join(lines) + "\n")


def run(work: Path, jobs: int, seconds: float) -> str:
    """Run mutmut; what it printed last when it failed, empty when it went through or was out of time."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "100"}
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(jobs)]
    with open(work / "mutmut.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=work, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 15)
            process.wait()
            return ""
    return "" if status == 0 else (work / "mutmut.log").read_text(encoding="utf-8", errors="replace")[-1500:]


def counts(work: Path, module: str) -> tuple[Counter[str], list[str]]:
    """How many mutants came to what, and the names of those that survive."""
    meta = work / "mutants" / f"{module}.meta"
    found: Counter[str] = Counter()
    survivors: list[str] = []
    for name, status in json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"].items():
        kind = (
            "not run" if status is NOT_RUN
            else "killed" if status in KILLED
            else "survived" if status == SURVIVED
            else "no test" if status == NO_TESTS
            else "timeout"
        )  # fmt: skip
        found[kind] += 1
        if kind in ("survived", "no test"):
            survivors.append(name)
    return found, survivors


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("modules", nargs="*", help="parts of module names; all of CORE by default")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options.add_argument("--minutes", type=float, default=20, help="for each module; what was not run is reported")
    options.add_argument("--work", default="", help="where to keep the copies")
    given = options.parse_args()
    chosen = [module for module in CORE if not given.modules or any(part in module for part in given.modules)]
    if not chosen:
        raise SystemExit(f"none of {', '.join(CORE)} has a name that holds {' or '.join(given.modules)}")
    base = Path(given.work or tempfile.mkdtemp(prefix="mutate-code-"))
    kinds = ("killed", "timeout", "survived", "no test", "not run")
    print(f"{'module':<28}" + "".join(f"{kind:>10}" for kind in kinds) + f"{'score':>9}{'seconds':>9}", flush=True)
    failed = False
    listed: list[str] = []
    for module in chosen:
        work = base / module.replace("/", "-").removesuffix(".py")
        shutil.rmtree(work, ignore_errors=True)
        prepare(work, module)
        began = time.perf_counter()
        problem = run(work, given.jobs, given.minutes * 60)
        if problem:
            raise SystemExit(f"mutmut failed on {module}:\n{problem}")
        found, survivors = counts(work, module)
        ran = found.total() - found["not run"]
        score = 100 * (found["killed"] + found["timeout"]) / ran if ran else 0.0
        failed |= score < WANTED
        row = "".join(f"{found[kind]:>10}" for kind in kinds)
        print(f"{module:<28}{row}{score:>8.1f}%{time.perf_counter() - began:>9.0f}", flush=True)
        listed += survivors
    print("\n".join(("", "survivors (`mutmut show NAME` in the copy shows one):", *listed)))
    if not given.work:
        shutil.rmtree(base)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
