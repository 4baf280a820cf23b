"""`compare` against brute force: two `whatif` on every point of a small universe must differ where it says so."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from policy_worlds import LAYERS
from policy_worlds import policy as random_policy
from test_policy_search import ENDS, circumstances, classified, ends, holds, points

import fsm
from fsm.cli import cli
from fsm.policy.answer import Whatif
from fsm.policy.compare import Comparison, compare
from fsm.policy.compare_text import compare_text
from fsm.policy.model import Policy
from fsm.policy.read import read_policy
from fsm.policy.whatif import whatif

CASES = Path(__file__).resolve().parent / "data" / "cases"
STATE = Path(__file__).resolve().parents[2] / "shared" / "evidence" / "wfp-state" / "keploy_wfpstate.xml.gz"
WHERE = {"loopback": False}


def changed(policy: Policy, rng: random.Random) -> Policy:
    """The policy with a filter taken out, turned round, made lighter, or with other filters."""
    if not policy.filters:
        return policy
    place = rng.randrange(len(policy.filters))
    one = policy.filters[place]
    kind = rng.choice(("out", "turned", "light", "conditions", "hard"))
    if kind == "out":
        return replace(policy, filters=policy.filters[:place] + policy.filters[place + 1 :])
    other = {
        "turned": replace(one, action="PERMIT" if one.action == "BLOCK" else "BLOCK", callout=""),
        "light": replace(one, effective_weight=1),
        "conditions": replace(one, conditions=()),
        "hard": replace(one, flags=("CLEAR_ACTION_RIGHT",)),
    }[kind]
    return replace(policy, filters=(*policy.filters[:place], other, *policy.filters[place + 1 :]))


def played(answer: Whatif) -> tuple[object, ...]:
    """What a policy does in the one play there is: layers with verdicts, and how it ends."""
    return (*((visit.layer, visit.taken) for visit in answer.visits), answer.endings[0])


def agrees(name: str, seeds: range) -> None:
    counts = {"same": 0, "differs": 0, "open": 0}
    layers = {"sendto": (LAYERS[0], LAYERS[2]), "receive": LAYERS[1:2], "no listener": LAYERS[4:5]}[name]
    words: dict[str, object] = {"event": name} if name != "no listener" else {"event": "receive", "listener": False}
    for seed in seeds:
        rng = random.Random(f"{name} {seed}")
        first = random_policy(rng, layers=layers, most_filters=7, certain=rng.random() < 0.6, ordered=True)
        second = changed(first, rng)
        found = compare(first, second, **ENDS, **words, **WHERE, limit_boxes=100_000)  # type: ignore[arg-type]
        (scene,) = found.scenes
        for point in itertools.islice(points(rng, name == "sendto"), seed % 5, None, 5):
            here = classified(scene, point)  # type: ignore[arg-type]
            said = [d for d in scene.differences if any(holds(box, here) for box in d.boxes)]
            assert len(said) <= 1
            both = [
                whatif(each, **ends(point, name == "sendto"), **words, circumstances=circumstances(point))  # type: ignore[arg-type]
                for each in (first, second)
            ]
            known = all(
                len(answer.endings) == 1 and all(v.verdict != "unknown" for v in answer.visits) for answer in both
            )
            differ = played(both[0]) != played(both[1])
            if known:
                assert bool(said) == differ, (seed, point, first, second)
                assert not said or said[0].certain
            elif not said:  # nobody may say that they are equal where one can do what the other cannot
                assert set(both[0].endings) == set(both[1].endings), (seed, point)
            counts["open" if said and not said[0].certain else "differs" if said else "same"] += 1
    assert counts["same"] and counts["differs"], counts


@pytest.mark.parametrize("name", ["sendto", "receive", "no listener"])
def test_compare_agrees_with_whatif_on_every_point(name: str) -> None:
    agrees(name, range(18))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sendto", "receive", "no listener"])
def test_compare_agrees_with_whatif_on_many_policies(name: str) -> None:
    agrees(name, range(100, 180))


def test_a_policy_does_not_differ_from_itself_even_where_it_is_open() -> None:
    for seed in range(6):
        policy = random_policy(random.Random(seed), layers=LAYERS[:3], most_filters=8)
        renamed = replace(
            policy, filters=tuple(replace(f, name="other", key=f"{{{n}}}") for n, f in enumerate(policy.filters))
        )
        found = compare(policy, renamed, event="sendto")
        assert found.equal is True and found.only_first == found.only_second == ()


def case(name: str) -> Policy:
    return read_policy(CASES / name)


def told(found: Comparison) -> list[tuple[str, int, bool, list[str]]]:
    return [
        (scene.stimuli[-1], scene.ip, scene.group, [b.example.to for d in scene.differences for b in d.boxes])
        for scene in found.scenes
        if scene.differences
    ]


def test_the_exceptions_of_the_kill_switch_let_dhcp_out_and_in_and_link_local_groups_and_nothing_else() -> None:
    found = compare(case("26-kill-switch.toml"), case("26-kill-switch-with-exceptions.toml"), loopback=False)
    assert found.equal is False and found.complete
    assert [(stimulus, ip, group) for stimulus, ip, group, _ in told(found)] == [
        ("sendto", 4, False),
        ("sendto_group", 4, True),
        ("sendto_group", 6, True),
        ("receive", 4, False),
        ("datagram_group", 4, True),
    ]
    for scene in found.scenes:
        for difference in scene.differences:
            (box,) = difference.boxes
            ranges = {each.dimension: each.numbers for each in box.ranges}
            dhcp = {"local_port": ((68, 68),), "remote_port": ((67, 67),)}
            assert ranges == dhcp if scene.ip == 4 else set(ranges) == {"remote_address"}


def test_a_permit_for_loopback_above_the_dns_block_changes_loopback_and_nothing_else() -> None:
    found = compare(case("24-block-outside-dns.toml"), case("24-permit-in-the-same-sublayer.toml"))
    assert {(scene.loopback, scene.stimuli) for scene in found.scenes if scene.differences} == {(True, ("sendto",))}
    text = compare_text(found)
    assert "nothing else differs" in text and "remote port: 53" in text
    assert [f.name for f in found.only_second] == ["Permit loopback"] * 2


def test_the_command_prints_text_and_json_and_draws(tmp_path: Path) -> None:
    arguments = ["compare", str(CASES / "24-block-outside-dns.toml"), str(CASES / "24-hard-permit-above.toml")]
    done = CliRunner().invoke(cli, [*arguments, "--event", "sendto", "--diagram", str(tmp_path / "both.dot")])
    assert done.exit_code == 0, done.output
    assert "Filters of 24-hard-permit-above.toml alone" in done.stdout
    assert "digraph" in (tmp_path / "both.dot").read_text(encoding="utf-8")
    got = json.loads(CliRunner().invoke(cli, [*arguments, "--event", "sendto", "--format", "json"]).stdout)
    assert got["equal"] is False and got["scenes"]


def test_compare_is_public() -> None:
    assert fsm.compare is compare


@pytest.mark.skipif(not STATE.is_file(), reason="the recorded state is not here")
def test_what_a_filter_of_the_real_state_does_is_found_when_it_is_taken_out() -> None:
    state = read_policy(STATE)
    # Fact d.10: the filter that decides last there.
    default = next(f for f in state.filters if f.name == "Default Outbound" and f.layer.endswith("AUTH_CONNECT_V4"))
    turned = replace(state, filters=tuple(replace(f, action="BLOCK") if f is default else f for f in state.filters))
    found = compare(state, turned, event="sendto", to="*:53", ordinary=True, undeclared_callouts="permit", config=None)
    assert found.equal is False
    assert [f.filter_id for f in found.only_second] == [default.filter_id]


def test_what_was_not_asked_is_said() -> None:
    alike = compare(Policy(), Policy(), event="sendto")
    assert "Not asked: from an address of this host to itself, other than a loopback address." in compare_text(alike)
    assert "Not asked" not in compare_text(compare(Policy(), Policy(), event="sendto", loopback=True))
