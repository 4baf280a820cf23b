"""A policy on the one-page picture: right numbers, readable boxes, and every form of it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from svg_geometry import problems, read

from fsm.cli import cli
from fsm.cli.picture_file import drawn
from fsm.draw.overlay import Overlay
from fsm.draw.packet_path import packet_path_dot
from fsm.draw.policy_picture import filters_at, policy_picture
from fsm.flows import run_flow
from fsm.policy.in_force import index_policy
from fsm.policy.model import Policy
from fsm.policy.read import read_policy

TOP = Path(__file__).resolve().parent.parent
STATE = TOP.parent / "shared" / "evidence" / "wfp-state" / "keploy_wfpstate.xml.gz"
KILL_SWITCH = TOP / "tests" / "data" / "cases" / "26-kill-switch-with-exceptions.toml"


def svg_of(policy: Policy, overlay: Overlay | None = None) -> str:
    return drawn(policy_picture(policy, overlay=overlay), "svg", dark=False).decode("utf-8")


def words_of(svg: str) -> str:
    return " ".join(text for text in re.findall(r">([^<>]+)<", svg) if text.strip())


def test_the_numbers_in_the_boxes_are_those_of_the_policy() -> None:
    policy = read_policy(KILL_SWITCH)
    index = index_policy(policy)
    counted = Counter((one.layer, one.action) for one in policy.filters)
    for layer in {one.layer for one in policy.filters}:
        found = filters_at(index, layer)
        assert (found.permits, found.blocks) == (counted[layer, "PERMIT"], counted[layer, "BLOCK"])
        assert found.total == sum(n for (at, _), n in counted.items() if at == layer)
        assert [one.name for one in found.blocks_all] == ["Kill switch"]
    words = words_of(svg_of(policy))
    connect = [counted["FWPM_LAYER_ALE_AUTH_CONNECT_V4", action] for action in ("PERMIT", "BLOCK")]
    assert f"filters: {sum(connect)}" in words and f"permit {connect[0]}, block {connect[1]}" in words
    assert "blocks what is left: Kill switch" in words
    assert f"{len(policy.filters)} filters are in the boxes" in words


def test_a_layer_without_filters_says_so_and_disabled_filters_do_not_count() -> None:
    text = b"""
[[filter]]
name = "off"
layer = "AUTH_CONNECT_V4"
action = "block"
flags = ["DISABLED"]
"""
    policy = read_policy(text, name="off.toml")
    words = words_of(svg_of(policy))
    assert "filters: " not in words
    assert "no filter" in words and "1 is not in force (disabled, or of the boot time)" in words


@pytest.mark.parametrize("path", [KILL_SWITCH, STATE], ids=["small", "real"])
def test_a_reader_finds_nothing_wrong_in_the_picture(path: Path) -> None:
    if not path.is_file():
        pytest.skip("the evidence is not here")
    svg = svg_of(read_policy(path))
    assert problems(svg) == []
    assert read(svg)


def test_the_path_of_a_run_is_laid_over_the_policy() -> None:
    run = run_flow("sender.blocked")
    steps = [labelled.step for labelled in run.steps]
    shown = policy_picture(read_policy(KILL_SWITCH), overlay=Overlay.of_steps(steps))
    assert "BLOCKED HERE" in drawn(shown, "svg", dark=False).decode("utf-8")
    assert re.search(r"^XAUTH_CONNECT", shown.text(), re.M)


def test_every_form_can_be_written_and_names_are_safe() -> None:
    text = '[[filter]]\nname = "<b>&\\u00fc\\u2192"\nlayer = "AUTH_CONNECT"\naction = "block"\n'
    shown = policy_picture(read_policy(text.encode(), name="odd <name>.toml"))
    assert shown.text().isascii() and all(len(line) <= 100 for line in shown.text().splitlines())
    assert "x1" in shown.mermaid()
    svg = drawn(shown, "svg", dark=False).decode("utf-8")
    assert "<b>&" not in svg and problems(svg) == []


def test_the_picture_without_a_policy_is_what_it_was() -> None:
    from fsm.choices import Config

    before = packet_path_dot(Config())
    svg_of(read_policy(KILL_SWITCH))
    assert packet_path_dot(Config()) == before
    assert "filters: " not in before and "no filter<" not in before


def test_the_command_draws_into_a_file_and_still_says_what_is_in_the_policy(tmp_path: Path) -> None:
    out = tmp_path / "policy.svg"
    done = CliRunner().invoke(cli, ["policy", str(KILL_SWITCH), "--diagram", str(out)])
    assert done.exit_code == 0 and "Filters per layer" in done.output
    assert "Kill switch" in out.read_text(encoding="utf-8")
    wrong = CliRunner().invoke(cli, ["policy", str(KILL_SWITCH), "--diagram", str(tmp_path / "policy.xyz")])
    assert wrong.exception is not None and "no format has the ending '.xyz'" in str(wrong.exception)
