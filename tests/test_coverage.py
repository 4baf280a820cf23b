"""What counts as a run of the system, and on which machine: nothing that the package does for its own ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from fsm.aside import aside, is_aside
from fsm.choices import Config, configure
from fsm.claims import endpoint, equivalent, never, reaches
from fsm.coverage import Coverage, Ran, recording, shown
from fsm.draw.pictures import picture
from fsm.endpoint import Endpoint
from fsm.errors import NoTransition
from fsm.flows import run_flow
from fsm.machine import LiveEndpoint
from fsm.page.finding import finding_page
from fsm.plan.checklist import checklist
from fsm.plan.cover import cover
from fsm.plan.moves import moves_of
from fsm.plan.scenarios import scenarios_of
from fsm.policy.advise import advise
from fsm.policy.compare import compare
from fsm.policy.read import read_policy
from fsm.policy.whatif import whatif
from fsm.rules import RULES
from fsm.scenarios.parse import parse
from fsm.scenarios.run import run_scenario
from fsm.stepper import EndpointSystem, Walk
from fsm.table import compile_rows, compile_table
from fsm.traces.conformance import check_trace
from fsm.traces.reading import read_trace
from fsm.traces.report import report_text

ENDS = {"from_": "192.0.2.1:50000", "to": "198.51.100.7:53"}
POLICY = b'[[filter]]\nname = "no"\nlayer = "ALE_AUTH_CONNECT_V4"\naction = "block"\n'
TRACE = Path(__file__).parent / "data" / "traces" / "udpmon-faulty.log"


def recorded(run: Callable[[], object]) -> Coverage:
    with recording(Coverage()) as coverage:
        run()
    return coverage


def planned(lines: bool) -> object:
    table = compile_table("receiver", Config())
    scenarios = list(scenarios_of(table, cover(moves_of(table), "layers")))
    return list(checklist(scenarios)) if lines else scenarios


@pytest.mark.parametrize(
    "asked",
    [
        lambda: reaches("sender", "AUTH_CONNECT").require(),
        lambda: never("sender", "flow=IN_STALE"),
        lambda: equivalent("sender", endpoint("sender", block=["AUTH_CONNECT"]), ["layer", "verdict"]),
        lambda: finding_page(reaches("sender", "AUTH_CONNECT")),
        lambda: planned(lines=False),
        lambda: planned(lines=True),
        lambda: picture("sender.active_open").dot(),
        lambda: picture("close").dot(),
        lambda: advise(["process"]),
        lambda: whatif(read_policy(POLICY), **ENDS),  # type: ignore[arg-type]
        lambda: compare(read_policy(POLICY), read_policy(POLICY + b"weight = 3\n"), **ENDS),  # type: ignore[arg-type]
        lambda: list(report_text(check_trace(read_trace(TRACE)))),
    ],
    ids=[
        *("reaches", "never", "equivalent", "page", "plan", "checklist", "flow", "dispute", "advise"),
        *("whatif", "compare", "trace"),
    ],
)
def test_what_the_package_plays_for_an_answer_is_no_run(asked: Callable[[], object]) -> None:
    assert recorded(asked).counts == {}


@pytest.mark.parametrize("outcome", ["sent", "blocked"], ids=["passes", "fails"])
def test_a_scenario_counts_once_whether_it_passes_or_fails(outcome: str) -> None:
    (scenario,) = parse(SCENARIO.format(outcome))
    coverage = recorded(lambda: run_scenario(scenario))
    assert set(coverage.of("sender").rows.values()) == {1} and coverage.of("sender").steps == 9


SCENARIO = "scenario x\n  socket s is sender\n  at 0s s sendto\n    expect outcome {}\n"


def test_a_walk_counts_its_steps_and_not_those_of_its_search() -> None:
    walk = Walk(EndpointSystem("sender"))
    coverage = recorded(lambda: walk.run_until("flow=OUT"))
    assert Counter(step.rule for node in walk.path for step in node.steps) == coverage.of("sender").rows


def test_runs_of_a_flow_and_of_the_live_machine_count() -> None:
    assert recorded(lambda: run_flow("sender.active_open")).of("sender").steps > 5
    assert recorded(lambda: LiveEndpoint("sender").run("bind")).of("sender").steps == 3


def test_what_is_aside_in_one_thread_counts_in_another() -> None:
    def run() -> None:
        with aside():
            other = Thread(target=lambda: Endpoint("receiver").run("bind"))
            other.start()
            other.join()
            Endpoint("sender").run("bind")
            assert is_aside()
        assert not is_aside()

    assert list(recorded(run).counts) == [Ran(Config(), "receiver")]


def refused() -> None:
    with pytest.raises(NoTransition):
        Endpoint("sender", configure(ip=6)).run("idle_timeout")


def many() -> None:
    Endpoint("sender").run("bind")
    Endpoint("sender", configure(ip=6)).run("sendto")
    Endpoint("sender", configure(windows="7")).run("bind")
    Endpoint("sender", configure(evidence="documented")).run("bind")
    Endpoint("sender", configure(assume={"close": "closure_release"})).run("close")
    changed = tuple(row for row in RULES if row.key != "idle.flow_abort[flow=OUT|IN|OUT_STALE|IN_STALE; windows 8..]")
    assert len(changed) < len(RULES)
    Endpoint("sender", table=compile_rows("sender", Config(), changed)).run("bind")
    refused()


def test_what_ran_elsewhere_is_told_apart_and_nothing_is_lost() -> None:
    coverage = recorded(many)
    assert coverage.of("sender").steps == 3
    told = {str(ran): (counts.steps, len(counts.layers)) for ran, counts in coverage.outside().items()}
    assert told == {
        "sender, IPv6, Windows 11, evidence base": (9, 8),
        "sender, IPv4, Windows 7, evidence base": (3, 2),
        "sender, IPv4, Windows 11, evidence documented": (3, 2),
        "sender, IPv4, Windows 11, evidence base, close=closure_release": (1, 0),
        "sender, IPv4, Windows 11, evidence base, other rules": (3, 2),
    }
    report = coverage.to_json()
    assert report["ran"] == {"steps": 22, "counted": 3, "outside": 19}
    outside = report["outside"]
    assert isinstance(outside, list) and [part["steps"] for part in outside] == [9, 3, 3, 1, 3]
    assert [sum(part["counts"].values()) for part in outside] == [9, 3, 3, 1, 3]
    assert outside[0]["config"] == {"ip": 6, "windows": "11", "evidence": "base", "assume": {}}
    assert [part["refusals"] for part in outside] == [1, 0, 0, 0, 0]
    lines = coverage.text().splitlines()
    assert lines[:3] == [
        "3 of 451 rows (0.6%) taken on IPv4, Windows 11, evidence base",
        "outside this count: 19 steps, 10 layers, 1 refusal",
        "  sender, IPv6, Windows 11, evidence base: 9 steps, 8 layers, 1 refusal",
    ]


def test_endpoints_that_are_not_reported_on_are_outside() -> None:
    with recording(Coverage(endpoints=("receiver",))) as coverage:
        Endpoint("sender").run("bind")
    assert [str(ran) for ran in coverage.outside()] == ["sender, IPv4, Windows 11, evidence base"]
    assert coverage.to_json()["ran"] == {"steps": 3, "counted": 0, "outside": 3}


def test_machines_survive_a_merge_and_equal_ones_are_one() -> None:
    usual = Config(assume=(("close", "nothing"),))  # as it is anyway
    coverage = recorded(many)
    both = Coverage(usual)
    both.merge(coverage.to_counts())
    both.merge(coverage.to_counts())
    assert both.config == Config() and list(both.counts) == list(coverage.counts)
    assert all(both.counts[ran].steps == 2 * counts.steps for ran, counts in coverage.counts.items())
    assert recorded(lambda: Endpoint("sender", usual).run("bind")).of("sender").steps == 3


def test_the_summary_comes_first_and_the_lists_last() -> None:
    coverage = recorded(many)
    coverage.lost = ["xdist worker gw7"]
    lines = coverage.text().splitlines()
    lost = lines.index("lost: xdist worker gw7 has ended without its counts; what it ran is not in this report")
    table = next(number for number, line in enumerate(lines) if line.startswith("endpoint "))
    missed = next(number for number, line in enumerate(lines) if "not exercised" in line)
    assert lines[0].startswith("3 of 451 rows") and 0 < lost < table < missed
    assert all("not exercised" not in line for line in lines[:missed])


@pytest.mark.parametrize(("percent", "said"), [(100, "100.0"), (99.97, "99.9"), (57.3, "57.3"), (0, "0.0")])
def test_nothing_less_is_said_to_be_all(percent: float, said: str) -> None:
    assert shown(percent) == said
