"""The documents: every example is run and shows its real output, every link and picture exists."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fsm.claims import endpoint, never
from fsm.policy.read import read_policy

TOP = Path(__file__).resolve().parent.parent


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("examples", TOP / "tools" / "examples.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["examples"] = module
    spec.loader.exec_module(module)
    return module


examples = _tool()
ALL = [example for document in examples.documents() for example in examples.examples_of(document)]
DOCUMENTS = [*examples.documents(), TOP / "diagrams" / "README.md", TOP / "tests" / "data" / "README.md"]


@pytest.mark.parametrize("example", ALL, ids=[f"{e.document.name}:{e.first}" for e in ALL])
def test_the_shown_output_is_the_real_one(example: object) -> None:
    real = examples.real_output(example.command)  # type: ignore[attr-defined]
    assert examples.fits(example.shown, real), "\n".join(real)  # type: ignore[attr-defined]


def test_the_readme_has_the_two_commands_and_three_recipes_with_real_output() -> None:
    text = (TOP / "README.md").read_text(encoding="utf-8")
    assert "python3 tools/demo.py" in text and "python3 tools/test.py" in text
    commands = [example.command for example in ALL if example.document.name == "README.md"]
    for word in ("diagram", "flow", "explain"):
        assert any(command.startswith(f"wfp-udp {word}") for command in commands), word


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(d.relative_to(TOP)) for d in DOCUMENTS])
def test_links_lead_to_files_that_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)|(?:src|srcset)=\"([^\"]+)\"", text)
    local = [a or b for a, b in targets if "://" not in (a or b)]
    missing = [target for target in local if not (document.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a", "b", ""], ["a", "b"], True),
        (["a"], ["a", "b"], False),
        (["a", "...", "d"], ["a", "b", "c", "d"], True),
        (["a", "...", "x"], ["a", "b", "c", "d"], False),
        (["...", "d"], ["a", "d"], True),
        (["b", "..."], ["a", "b"], False),
    ],
)
def test_an_ellipsis_stands_for_lines_left_out_and_for_nothing_else(
    shown: list[str], real: list[str], same: bool
) -> None:
    assert examples.fits(shown, real) is same


def test_the_python_example_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (TOP / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text.partition("## From Python")[2], re.S)
    assert code is not None
    exec(compile(code.group(1), "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("blocked FWPM_LAYER_ALE_AUTH_CONNECT_V4 sendto returned success")


def test_the_filter_design_of_the_readme_is_the_file_that_is_run() -> None:
    text = (TOP / "README.md").read_text(encoding="utf-8")
    for name in ("kill-switch.toml", "kill_switch.py"):
        assert (TOP / "tests" / "data" / "readme" / name).read_text(encoding="utf-8").strip() in text, name


def test_the_design_of_the_readme_leaks_over_ipv6_at_the_first_sendto() -> None:
    design = read_policy(TOP / "tests" / "data" / "readme" / "kill-switch.toml")
    ends = {"from_": "[2001:db8::1]:50000", "to": "[2001:db8:1::7]:4500"}
    leak = never(endpoint("sender", policy=design, **ends), "outcome=sent")
    assert (leak.verdict, leak.witness.count("sendto"), "datagram" in leak.witness) == ("refuted", 1, False)
    assert "with IPv6 addresses no filter of it is asked" in (TOP / "README.md").read_text(encoding="utf-8")


def test_the_page_on_testing_shows_its_files_and_names_all_there_is() -> None:
    text = (TOP / "diagrams" / "pages" / "testing.md").read_text(encoding="utf-8")
    for name in ("with_fixtures.py", "properties.py"):
        assert f"```python\n{(TOP / 'tests' / 'data' / 'readme' / name).read_text(encoding='utf-8')}```" in text, name
    plugin = (TOP / "fsm" / "pytest_plugin.py").read_text(encoding="utf-8")
    options = re.findall(r'"(--wfp-[a-z-]+)"', plugin)
    fixtures = re.findall(r"@pytest\.fixture\ndef (wfp_\w+)", plugin)
    settings = re.findall(r'addini\("(wfp_\w+)"', plugin)
    assert len(set(options)) == 7 and len(fixtures) == 9 and len(settings) == 4
    strategies = ("walks", "nearly_valid_traces", "machine_for", "fsm.coverage", "fsm.strategies", "@pytest.mark.wfp")
    for word in (*options, *fixtures, *settings, *strategies):
        assert word in text, word
    assert "(diagrams/pages/testing.md)" in (TOP / "README.md").read_text(encoding="utf-8")
