"""Saved walks, exports, and sessions stepped through."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fsm import fingerprint as model
from fsm.choices import configure
from fsm.errors import FsmError, UnknownName
from fsm.fingerprint import fingerprint
from fsm.rules import RULES
from fsm.session import make_session
from fsm.space import explore
from fsm.stepper import EndpointSystem, SessionSystem, Walk

FORMAT_PAGE = Path(__file__).parent.parent / "diagrams" / "pages" / "walk-format.md"


def walked(**options: Any) -> Walk:
    walk = Walk(EndpointSystem("sender", configure(**options)), breakpoints=["DATAGRAM_DATA"])
    for word in ("bind", "sendto@B", "permit", "wait:61"):
        walk.choose(word)
    walk.fork("other")
    walk.choose("datagram")
    walk.back(2)
    walk.choose("block")
    walk.watch("flow@B")
    return walk


def session_walk(**options: Any) -> Walk:
    walk = Walk(SessionSystem(make_session(("sender", "receiver"), **options)))
    walk.run_until("receiver=BOUND/IN")
    walk.choose("sender: close")
    return walk


def saved(walk: Walk) -> dict[str, Any]:
    data = json.loads(json.dumps(walk.to_json()))
    assert isinstance(data, dict)
    return data


@pytest.mark.parametrize(
    "walk", [walked(), walked(ip=6, evidence="observed"), session_walk()], ids=["4", "6", "session"]
)
def test_what_is_saved_is_loaded_as_it_was(walk: Walk) -> None:
    again = Walk.from_json(saved(walk))
    assert saved(again) == saved(walk)
    assert [(n.move, n.parent, n.steps, n.decided_by) for n in again.nodes] == [
        (n.move, n.parent, n.steps, n.decided_by) for n in walk.nodes
    ]
    assert (again.state, again.branches, again.watches) == (walk.state, walk.branches, walk.watches)
    assert again.notice == ""


def test_a_long_random_walk_is_saved_and_loaded() -> None:
    walk = Walk(EndpointSystem("sender"))
    walk.random(3000, 5)
    assert saved(Walk.from_json(saved(walk))) == saved(walk)


def test_a_walk_of_another_model_is_replayed_by_names(monkeypatch: pytest.MonkeyPatch) -> None:
    walk = walked()
    data = saved(walk)
    data["fingerprint"] = "00000000"
    again = Walk.from_json(data)
    assert again.place == walk.place
    assert f"made with model version 00000000, this is {fingerprint()}" in again.notice
    count = len(walk.nodes) - 1
    assert f"{count} of {count} moves were replayed, 0 of them lead elsewhere" in again.notice
    data["nodes"][1]["move"] = "teleport"  # as if that move had been taken out of the model
    data["nodes"][0]["state"] = "ELSEWHERE"
    again = Walk.from_json(data)
    assert (
        f"1 of {count} moves were replayed, 1 of them lead elsewhere; not possible any more: 2 'teleport'"
        in again.notice
    )
    assert len(again.nodes) == 2
    assert again.at == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.pop("format"), "walk: no saved walk"),
        (lambda d: d.update(version=2), "version 2 of the format"),
        (lambda d: d.pop("nodes"), '"nodes" is missing'),
        (lambda d: d.update(nodes={}), "\"nodes\" is {}. It should be a list"),
        (lambda d: d.update(ip=True), '"ip" is True'),
        (lambda d: d.update(ip=5), "no IP version named '5'"),
        (lambda d: d.update(system="sendr"), "no system named 'sendr'. Did you mean 'sender'?"),
        (lambda d: d.update(assume={"close": 3}), '"assume" is no object of names'),
        (lambda d: d.update(at=999), "it stands at node 999"),
        (lambda d: d.update(branch="nowhere"), "of branch 'nowhere'"),
        (lambda d: d["branches"].update(main=-1), "branch 'main' ends at -1"),
        (lambda d: d.update(breakpoints=["NOWHERE"]), "NOWHERE"),
        (lambda d: d.update(watches=[3]), '"watches" is no list of texts'),
        (lambda d: d["nodes"][2].update(parent=7), "walk, node 3: n 3 and parent 7"),
        (lambda d: d["nodes"][2].update(n=9), "walk, node 3: n 9"),
        (lambda d: d["nodes"][2].pop("move"), 'walk, node 3: "move" is missing'),
        (lambda d: d["nodes"].__setitem__(0, 3), "walk, node 1: no object"),
        (lambda d: d["nodes"][0].update(layers=[3]), "walk, node 1: \"layers\" is no list of"),
        (lambda d: d["nodes"][0].update(move="datagram"), "walk, node 1: 'datagram' is not possible"),
        (lambda d: d["nodes"][0].update(state="BOUND"), "Was the file changed by hand?"),
    ],
)  # fmt: skip
def test_what_is_no_saved_walk_is_told(change: Any, told: str) -> None:
    data = saved(walked())
    change(data)
    with pytest.raises(FsmError) as error:
        Walk.from_json(data)
    assert told in str(error.value)


def test_the_described_fields_are_those_that_are_written() -> None:
    text = FORMAT_PAGE.read_text(encoding="utf-8")
    data = saved(walked())
    for name in (*data, *data["nodes"][0]):
        assert f"`{name}`" in text, name


# --- exports


def run_pytest(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_walk.py").write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("walk", [walked(evidence="observed"), session_walk()], ids=["endpoint", "session"])
def test_exported_test_passes_in_an_empty_folder_and_fails_when_the_model_differs(walk: Walk, tmp_path: Path) -> None:
    text = walk.to_pytest()
    ran = run_pytest(tmp_path, text)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout
    ran = run_pytest(tmp_path, text.replace('"permit"]', '"block"]', 1))
    assert ran.returncode == 1
    assert "1 failed" in ran.stdout


def test_picture_marks_the_way_and_where_it_stands() -> None:
    walk = walked()
    plain = Walk(walk.system).to_dot()
    assert walk.to_dot() != plain
    assert walk.to_dot().startswith("digraph")
    session = session_walk()
    assert session.to_dot() != Walk(session.system).to_dot()
    classify = Walk(SessionSystem(make_session(("sender", "receiver"), granularity="classify")))
    with pytest.raises(FsmError, match="drawn by stimuli"):
        classify.to_dot()


def test_mermaid_tells_every_layer_in_order() -> None:
    for walk in (walked(), session_walk()):
        text = walk.to_mermaid()
        assert text.startswith("sequenceDiagram\n")
        found = re.findall(r"(?:INBOUND|OUTBOUND|ALE|DATAGRAM)_[A-Z_]+_V4(?:_DISCARD)?", text)
        assert found == [step.layer.removeprefix("FWPM_LAYER_") for step in walk.ladder]


# --- sessions


def test_session_moves_are_those_of_the_explored_one_everywhere() -> None:
    for session in (
        make_session(),
        make_session(("sender", "receiver"), granularity="classify", verdicts=("permit", "block"), stimuli=("sendto",)),
        make_session(("sender", "receiver"), cap=2, network=("deliver", "lose", "duplicate", "reorder")),
    ):
        space = explore(session, limit_states=400)
        system = SessionSystem(session)
        places = {0: system.start()}
        for number in range(min(len(space), 250)):
            if space.is_open(number):
                continue
            edges = list(space.edges(number))
            assert system.moves(places[number]) == tuple(move.label for move, _ in edges)
            for move, target in edges:
                place, steps = system.take(places[number], move.label)
                assert steps == move.steps
                assert system.joint_state(place) == space.state(target)
                places.setdefault(target, place)
        over, numbered = SessionSystem.over(space)
        for number in range(0, len(space), 7):
            assert over.joint_state(numbered[number]) == space.state(number)
            assert over.refusals(numbered[number]) == system.refusals(places[number]) if number in places else True


def test_session_says_why_something_is_not_possible() -> None:
    walk = Walk(SessionSystem(make_session()))
    assert dict(walk.refused)["receiver: sendto@sender"] == "it has heard nothing of sender yet, and answers only"
    walk.choose("sender: sendto@receiver")
    assert dict(walk.refused)["sender: bind"] == "it needs socket UNBOUND; here: socket BOUND"
    busy = Walk(SessionSystem(make_session(("sender", "receiver"), granularity="classify")))
    busy.run_until("receiver=at:receive.transport")
    busy.run_until("network=datagram:sender>receiver")
    assert "receive.transport" in busy.state
    assert "it waits" in dict(busy.refused)["network: deliver datagram:sender>receiver"]
    for move, why in busy.refused:
        assert why
        with pytest.raises(FsmError) as error:
            busy.choose(move)
        assert why in str(error.value)
    with pytest.raises(UnknownName, match="no move named 'nothing'"):
        walk.choose("nothing")


def test_nothing_that_is_possible_is_listed_as_refused() -> None:
    walk = Walk(SessionSystem(make_session(("sender", "receiver"), granularity="classify", verdicts=("permit", "pend"),
                                           stimuli=("bind", "sendto", "complete", "close"))))  # fmt: skip
    walk.random(400, 2)
    for node in walk.nodes:
        assert not set(walk.system.moves(node.place)) & {move for move, _ in walk.system.refusals(node.place)}


def test_session_takes_no_callouts_and_no_breakpoints() -> None:
    system = SessionSystem(make_session())
    with pytest.raises(FsmError, match="a session takes no callouts"):
        Walk(system, callouts=[lambda context: None])
    with pytest.raises(FsmError, match="--granularity classify"):
        Walk(system, breakpoints=["AUTH_CONNECT"])


def test_session_runs_until_a_layer_fires() -> None:
    walk = Walk(SessionSystem(make_session()))
    ran = walk.run_until("fired=INBOUND_ICMP_ERROR")
    assert ran.verdict == "reached"
    assert "INBOUND_ICMP_ERROR" in walk.path[-1].layers[-1] + walk.path[-1].layers[-2]
    assert Walk(walk.system).run_until("network=icmp_error:sender>receiver", limit=50).verdict == "unknown"


def test_model_that_lost_a_rule_has_another_fingerprint_in_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(model, "RULES", RULES[1:])
        fingerprint.cache_clear()
        data = saved(walked())
    fingerprint.cache_clear()
    assert data["fingerprint"] != fingerprint()
    assert "model version" in Walk.from_json(data).notice
