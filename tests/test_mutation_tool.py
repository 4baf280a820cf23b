"""The tool that mutates rules: what it changes, that the core suite notices, and that a survivor is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
TOOL = TOP / "tools" / "mutate_rules.py"
ROW = "drop.icmp_error."

# It knows the layers of the drop, and nothing of what is seen.
WALKS = """
from fsm.flows import run_stimuli

def test_the_layers_of_a_drop():
    layers = [s.layer for r in run_stimuli("dropped_port", ("datagram",)).records for s in r.steps if s.layer]
    assert [layer.split("_V4")[0] for layer in layers][2:] == [
        "FWPM_LAYER_OUTBOUND_ICMP_ERROR", "FWPM_LAYER_OUTBOUND_TRANSPORT", "FWPM_LAYER_OUTBOUND_IPPACKET"
    ]
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, str(TOOL), "--jobs", "1", *arguments],
        capture_output=True, text=True, encoding="utf-8", cwd=TOP, env=environment, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, list[dict[str, str]]]:
    """One run on the rows of one position, with a suite of one test."""
    folder = tmp_path_factory.mktemp("core")
    (folder / "test_walk.py").write_text(WALKS, encoding="utf-8")
    done = run("--only", ROW, "--core", str(folder / "test_walk.py"), "--json", str(folder / "all.json"))
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout, json.loads((folder / "all.json").read_text(encoding="utf-8"))


def test_what_a_suite_does_not_look_at_survives_and_is_told(walked: tuple[int, str, list[dict[str, str]]]) -> None:
    status, said, _ = walked
    assert status == 1
    assert "SURVIVES  seen    drop.icmp_error.block: without outcome (not explained)" in said
    assert "SURVIVES  delete  drop.icmp_error.absorb: left out (not explained)" in said


def test_what_it_looks_at_is_killed(walked: tuple[int, str, list[dict[str, str]]]) -> None:
    _, _, verdicts = walked
    kinds = {(v["operator"], v["row"]): v["kind"] for v in verdicts}
    assert kinds["place", "drop.icmp_error.permit"] == "expectation"
    assert kinds["next", "drop.icmp_error.permit"] == "expectation"
    # The other rows of the position name the layer as well: no machine can be made of them.
    assert kinds["layer", "drop.icmp_error.permit"] == "compiler"


def test_each_row_is_changed_by_every_operator_that_applies_and_the_totals_are_those_of_the_list(
    walked: tuple[int, str, list[dict[str, str]]],
) -> None:
    _, said, verdicts = walked
    rows = {v["row"] for v in verdicts}
    assert rows == {f"drop.icmp_error.{verdict}" for verdict in ("permit", "block", "absorb")}
    for operator in ("delete", "next", "layer"):
        assert {v["row"] for v in verdicts if v["operator"] == operator} == rows
    assert sum(v["operator"] == "place" for v in verdicts) == 1
    assert {v["what"] for v in verdicts if v["row"].endswith("block") and v["operator"] == "seen"} == {
        *("without lose", "without logged", "without outcome", "without application_sees", "without remote_sees")
    }
    survivors = sum(not v["kind"] for v in verdicts)
    assert f"{len(verdicts)} mutants of" in said
    assert f"{survivors} survive, {survivors} of them unexplained" in said
    total = next(line for line in said.splitlines() if line.startswith("all ")).split()[1:]
    kinds = ("expectation", "statement", "compiler", "")
    assert [int(number) for number in total] == [len(verdicts), *(sum(v["kind"] == k for v in verdicts) for k in kinds)]


def test_the_statements_of_the_core_suite_kill_what_that_walk_missed() -> None:
    done = run("--only", "drop.icmp_error.block", "--core", str(TOP / "tests" / "test_core_rows.py"))
    for what in ("lose", "outcome", "application_sees", "remote_sees"):
        assert f"without {what} (" not in done.stdout, done.stdout
    assert "killed by:" in done.stdout


def test_a_part_that_no_key_holds_and_a_suite_that_fails_are_refused(tmp_path: Path) -> None:
    assert "no row has a key that holds 'no.such.row'" in run("--only", "no.such.row").stderr
    (tmp_path / "test_wrong.py").write_text("def test_wrong():\n    assert 1 == 2\n", encoding="utf-8")
    done = run("--only", ROW, "--core", str(tmp_path / "test_wrong.py"))
    assert done.returncode == 1 and "the core suite fails without any change" in done.stderr
