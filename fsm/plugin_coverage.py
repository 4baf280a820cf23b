"""The part of the pytest plugin that measures which part of the model a run exercises; there only while one does.

Reports are written when the session finishes, before and apart from the terminal: a run without one has them too.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from fsm.choices import Config
from fsm.coverage import Coverage, recording, shown
from fsm.errors import FsmError

REPORTS = ("term", "json", "dot", "none")


class CoveragePlugin:
    """Counts from the start of a run to its end, then reports.

    Raises
    ------
    UsageError : a report that cannot be made, a least that is no percentage.
    """

    def __init__(self, config: pytest.Config, machine: Config) -> None:
        self._reports = [_checked(report) for report in config.getoption("--wfp-cov-report") or ("term",)]
        self._least: float | None = config.getoption("--wfp-cov-fail-under")
        if self._least is not None and not 0 <= self._least <= 100:  # nan is neither
            raise pytest.UsageError(f"--wfp-cov-fail-under: {self._least:g} is no percentage. 0 to 100.")
        self._coverage = Coverage(machine)
        self._workers: set[str] = set()  # of xdist, whose counts are still to come
        self._said: list[str] = []  # what came of the reports, for the terminal
        self._recording = recording(self._coverage)
        self._recording.__enter__()
        config.add_cleanup(self._stop)

    def _stop(self) -> None:
        self._recording.__exit__(None, None, None)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:  # a worker of xdist: the controller reports
            output["wfp_coverage"] = json.dumps(self._coverage.to_counts())
            return
        if session.config.option.collectonly or session.exitstatus == pytest.ExitCode.USAGE_ERROR:
            return  # nothing was to run: what an earlier run has written stays
        self._coverage.lost = [f"xdist worker {name}" for name in sorted(self._workers)]
        failed = [problem for kind, target in self._reports if (problem := self._written(kind, target))]
        if self._least is not None:
            percent = self._coverage.percent()
            verdict = "is less than" if percent < self._least else "reaches"
            told = f"coverage of the UDP model: {shown(percent)}% of the rows {verdict} {self._least:g}%"
            (failed if percent < self._least else self._said).append(told)
        if failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._said += failed
        if failed and not session.config.pluginmanager.has_plugin("terminalreporter"):
            print(*failed, sep="\n", file=sys.stderr)  # why the run has failed is said in any case

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        self._workers.add(node.gateway.id)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker of xdist has ended: add what it has counted."""
        counts = getattr(node, "workeroutput", {}).get("wfp_coverage")
        if counts is not None:
            self._workers.discard(node.gateway.id)
            self._coverage.merge(json.loads(counts))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if ("term", "") in self._reports:
            terminalreporter.section("coverage of the UDP model")
            terminalreporter.write_line(self._coverage.text())
        else:
            for line in self._coverage.not_counted():
                terminalreporter.write_line(f"coverage of the UDP model: {line}")
        for line in self._said:
            terminalreporter.write_line(line)

    def _written(self, kind: str, target: str) -> str:
        """Write a report that is a file; returns what went wrong, so that the others are written all the same."""
        try:
            if kind == "json":
                Path(target).write_text(self._coverage.dumps(), encoding="utf-8")
                self._said.append(f"coverage of the UDP model written to {target}")
            elif kind == "dot":
                from fsm.coverage_pictures import write_pictures

                for path in write_pictures(self._coverage, Path(target)):
                    self._said.append(f"coverage of the UDP model drawn in {path}")
        except OSError as error:
            return f"--wfp-cov-report {kind}:{target}: cannot be written: {error.strerror or error}"
        except FsmError as error:
            return f"--wfp-cov-report {kind}:{target}: {error}"
        return ""


def _checked(report: str) -> tuple[str, str]:
    """A report as kind and target; refused now, and not after the run, where it cannot be written."""
    kind, colon, target = report.partition(":")
    if kind not in REPORTS or (kind in ("json", "dot")) != bool(colon and target):
        raise pytest.UsageError(f"--wfp-cov-report: '{report}' is none of term, json:FILE, dot:FOLDER, none")
    try:
        if kind == "json":
            _try_file(Path(target))
        if kind == "dot":
            _try_folder(Path(target))
    except (OSError, ValueError) as error:
        what = "file" if kind == "json" else "folder for pictures"
        why = getattr(error, "strerror", None) or error
        raise pytest.UsageError(f"--wfp-cov-report: no {what} can be made at '{target}': {why}") from None
    return kind, target


def _try_file(path: Path) -> None:
    if path.exists():
        path.open("r+b").close()
    else:
        _try_folder(path.parent, missing_ok=False)


def _try_folder(path: Path, *, missing_ok: bool = True) -> None:
    """Make a file there that is gone at once, as rights alone do not say everywhere whether that is possible."""
    there = next(one for one in (path, *path.absolute().parents) if one.exists() or not missing_ok)
    with tempfile.TemporaryFile(dir=there):
        pass
