"""Disputes side by side: every option is run, what differs is marked, and nothing lies on anything."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner
from svg_geometry import problems, words_on_boxes

from fsm.choices import CHOICES, Config, configure
from fsm.cli import cli
from fsm.draw.dispute_picture import dispute_dot
from fsm.draw.dispute_text import dispute_mermaid, dispute_text
from fsm.draw.overlay import Overlay
from fsm.draw.pictures import picture, picture_names
from fsm.draw.render import find_renderer, render
from fsm.draw.rungs import ladder_of
from fsm.draw.theme import DARK, LIGHT
from fsm.draw.variants import CASES, compare, items, merged
from fsm.errors import FsmError
from fsm.names import EVIDENCE, WINDOWS
from fsm.sources import SOURCES

DISPUTES = [name for name, choice in CHOICES.items() if choice.kind == "dispute" and choice.about == "machine"]
CONFIGS = {
    "base": Config(),
    "v6": Config(ip=6),
    "documented": configure(evidence="documented"),
    "7": configure(windows="7"),
    "spent": configure(assume={"icmp_rate_limit": "spent", "dual_stack": "yes", "udp_connreset": "off"}),
}


def wrong(dot: str) -> list[str]:
    """What a reader would see wrong in the picture."""
    svg = render(dot).decode()
    return [*problems(svg), *words_on_boxes(svg)]


renderer = pytest.mark.skipif(find_renderer() is None, reason="nothing here can draw")


def test_every_dispute_has_a_picture() -> None:
    assert set(DISPUTES) <= set(CASES) <= set(CHOICES)
    names = [name for name in picture_names() if name.startswith(("dispute.", "setting."))]
    assert names == [f"{CHOICES[name].kind}.{name}" for name in CASES]


@pytest.mark.parametrize("name", CASES)
def test_options_of_a_case_differ(name: str) -> None:
    shown = compare(name)
    assert [variant.option.name for variant in shown.variants] == list(CHOICES[name].option_names())
    columns = list(zip(*[[cell.lines if cell else None for cell in row.cells] for row in shown.rows], strict=True))
    assert len(set(columns)) == len(columns)
    assert shown.differing


@pytest.mark.parametrize("name", CASES)
def test_rows_hold_every_step_of_every_run_in_its_order(name: str) -> None:
    shown = compare(name)
    for column, variant in enumerate(shown.variants):
        cells = [cell for row in shown.rows if (cell := row.cells[column]) is not None]
        assert cells == [item for part in items(ladder_of(variant.run)) for item in part]
        layers = [cell.lines[0] for cell in cells if cell.kind == "rung"]
        assert layers == [step.step.layer.removeprefix("FWPM_LAYER_") for step in variant.run.steps]


@pytest.mark.parametrize("name", CASES)
def test_case_is_what_its_command_runs(name: str) -> None:
    command = CASES[name].command.split()[1:]
    for variant in compare(name).variants:
        ran = CliRunner().invoke(cli, [*command, "--assume", f"{name}={variant.option.name}", "--format", "json"])
        assert ran.exit_code == 0, ran.output
        assert json.loads(ran.stdout) == variant.run.to_json()


def test_same_step_stands_in_the_same_row() -> None:
    rows = compare("no_listener").rows
    shown = {row.item.lines[0]: [cell is not None for cell in row.cells] for row in rows if row.item.kind == "rung"}
    assert shown["INBOUND_TRANSPORT_V4_DISCARD"] == [False, True, True]
    assert shown["INBOUND_IPPACKET_V4_DISCARD"] == [True, False, True]
    assert [row.item.lines[0] for row in rows if row.differs] == [
        "INBOUND_TRANSPORT_V4_DISCARD",
        "INBOUND_IPPACKET_V4_DISCARD",
    ]


def test_rows_of_one_column_are_its_items() -> None:
    parts = items(ladder_of(compare("close").variants[1].run))
    assert [row.cells for row in merged([parts])] == [(item,) for part in parts for item in part]


def test_other_basis_is_no_difference() -> None:
    row = next(row for row in compare("no_listener").rows if row.item.lines[0] == "INBOUND_IPPACKET_V4")
    assert len({cell.step.basis for cell in row.cells if cell and cell.step}) == 3
    assert not row.differs


# --- who says so


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("name", DISPUTES)
def test_one_option_holds_and_is_the_one_that_the_evidence_takes(name: str, evidence: str) -> None:
    shown = compare(name, configure(evidence=evidence))
    (holds,) = [variant for variant in shown.variants if variant.holds]
    assert holds.option.name == CHOICES[name].default(evidence)
    assert evidence in holds.taken_by or holds.taken_by == "any --evidence"


def test_assumption_decides_which_option_holds() -> None:
    shown = compare("no_listener", configure(assume={"no_listener": "both"}))
    assert [variant.holds for variant in shown.variants] == [False, False, True]
    assert "no_listener" not in shown.about
    assert "dual_stack=yes" in compare("no_listener", configure(assume={"dual_stack": "yes"})).about


def test_card_names_voices_setting_and_sources() -> None:
    for written in (dispute_dot("no_listener"), dispute_text("no_listener")):
        for said in ("the base page", "pages of Microsoft, logs and drivers", "concluded here", "holds here"):
            assert said in written
        assert "--evidence documented or observed" in written
        assert "--assume no_listener=both" in written
        assert "Preventing Port Scanning" in written
    assert f'HREF="{SOURCES["UDPF"].url}"' in dispute_dot("no_listener")


# --- the picture


@renderer
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("name", CASES)
def test_no_text_is_cut_and_nothing_lies_on_anything(name: str, config: Config) -> None:
    rules = [step.step.rule for step in compare(name, config).variants[0].run.steps]
    over = Overlay(path=tuple(rules[-1:]), counts=dict.fromkeys(rules[:1], 12345), current="BOUND/OUT")
    for overlay in (None, over):
        assert wrong(dispute_dot(name, config, overlay)) == []


def test_difference_shows_without_colour() -> None:
    assert dispute_dot("close").count("<B>differs</B>") == 1
    assert dispute_dot("dual_stack").count("<B>differs</B>") == 3
    starred = [line for line in dispute_text("close").splitlines() if line.startswith("*   ALE_")]
    assert [line.split()[1] for line in starred] == ["ALE_ENDPOINT_CLOSURE_V4", "ALE_RESOURCE_RELEASE_V4"]


def test_machine_on_which_nothing_differs_says_so() -> None:
    vista = configure(windows="vista")
    for written in (dispute_dot("close", vista), dispute_text("close", vista)):
        assert "On this machine no step differs." in written
        assert "differs</B>" not in written
    assert compare("close", vista).differing == 0


def test_basis_and_verdict_show_without_colour() -> None:
    dot = dispute_dot("no_listener")
    (row,) = [line for line in dot.splitlines() if line.startswith("  row2_2 ")]
    assert 'style="filled,rounded,dotted"' in row
    assert "[I]" in row
    blocked = dispute_dot("blocked_first_send_result")
    assert "BLOCK, log 5157, 5152" in blocked
    assert blocked.count('shape="square"') == 2


def test_dark_picture_has_no_light_colour() -> None:
    colours = set(re.findall(r"#[0-9a-f]{6}", dispute_dot("no_listener", dark=True, background="paper")))
    assert colours <= {getattr(DARK, name) for name in DARK.__slots__}


def test_overlay_marks_a_rule_and_sets_the_others_back() -> None:
    run = compare("no_listener").variants[0].run
    rule = next(step.step.rule for step in run.steps if step.step.layer.endswith("_DISCARD"))
    plain, marked = dispute_dot("no_listener"), dispute_dot("no_listener", None, Overlay(path=(rule,)))
    assert LIGHT.taken not in plain
    # The rule of the first option is that of the third one too, unless its cell is another one there.
    assert marked.count("taken: 1") in (1, 2)
    assert "> permit" in dispute_text("no_listener", None, Overlay(path=(rule,)))
    assert "stroke:" in dispute_mermaid("no_listener", None, Overlay(path=(rule,)))


def test_block_reaches_every_option() -> None:
    shown = compare("no_listener", blocks=["OUTBOUND_ICMP_ERROR"])
    for variant in shown.variants:
        assert variant.run.blocked_at == "FWPM_LAYER_OUTBOUND_ICMP_ERROR_V4"
    assert "BLOCK" in picture("dispute.no_listener", blocks=["32"]).dot()


# --- text


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_text_is_ascii_in_a_hundred_columns(config: Config) -> None:
    for name in CASES:
        text = dispute_text(name, config)
        assert text.isascii()
        assert [line for line in text.splitlines() if len(line) > 100 or line != line.rstrip()] == []


@pytest.mark.parametrize("name", CASES)
def test_text_and_mermaid_name_every_layer(name: str) -> None:
    shown = compare(name)
    layers = {step.step.layer.removeprefix("FWPM_LAYER_") for v in shown.variants for step in v.run.steps}
    for written in (dispute_text(name), dispute_mermaid(name), dispute_dot(name)):
        assert layers <= set(re.findall(r"\b\w+_V[46](?:_DISCARD)?\b", written))


def test_same_picture_twice() -> None:
    for make in (dispute_dot, dispute_text, dispute_mermaid):
        assert make("no_listener") == make("no_listener")


def test_old_machine_draws_or_refuses_in_one_line() -> None:
    for windows in WINDOWS:
        for name in CASES:
            try:
                assert dispute_text(name, configure(windows=windows))
            except FsmError as error:
                assert "\n" not in str(error)
                assert windows.startswith("vista")


@pytest.mark.parametrize(
    ("given", "name"), [("wildcard_bind", "dispute.wildcard_bind"), ("Dispute.Close", "dispute.close")]
)
def test_picture_takes_other_spellings(given: str, name: str) -> None:
    assert picture(given).name == name


def test_flow_goes_before_the_dispute_of_its_short_name() -> None:
    assert picture("no_listener").name == "dropped_port.no_listener"
