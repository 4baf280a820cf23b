"""Scenario files: what can be written, what is refused and where, what a failing one says, and the way back to text."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from fsm.choices import Config
from fsm.endpoint import Endpoint
from fsm.errors import FsmError
from fsm.names import REGISTERS, VERDICTS
from fsm.policy.read import read_policy
from fsm.scenarios.model import Do, Scenario, Spot
from fsm.scenarios.parse import parse
from fsm.scenarios.run import run_scenario
from fsm.scenarios.write import done_by, scenario_text
from fsm.stepper import Walk

HERE = Path(__file__).parent
HEAD = "scenario x\nsocket s is sender\n"

REFUSED: list[tuple[str, str]] = [
    ("", "f.wfp: there is no scenario in it. Begin with: scenario TITLE."),
    ("# only a comment\n", "f.wfp: there is no scenario in it. Begin with: scenario TITLE."),
    ("socket s is sender\n", "f.wfp:1:1: 'socket' stands before any scenario. Begin with: scenario TITLE."),
    ("scenario\n", "f.wfp:1:1: a scenario has no title. Write: scenario TITLE."),
    ("scenario x\n", "f.wfp:1:1: scenario 'x' has no endpoint. Add: socket s is sender."),
    (HEAD, "f.wfp:1:1: in scenario 'x' nothing happens. Add: at 0s s bind."),
    (f"{HEAD}at 0s s bind\nscenario x\n", "f.wfp:4:10: a second scenario 'x' (first in line 1). Rename one."),
    ("scenario x\nip 5\n", "f.wfp:2:4: no IP version named '5'. Allowed: 4, 6."),
    ("scenario x\nip four\n", "f.wfp:2:4: 'four' is no IP version. Allowed: 4, 6."),
    ("scenario x\nip 4\nip 6\n", "f.wfp:3:1: 'ip' is set twice. Keep one."),
    ("scenario x\nip\n", "f.wfp:2:1: something is missing after 'ip'. Write: ip VALUE."),
    ("scenario x\nip 4 6\n", "f.wfp:2:6: '6' is too much. Write: ip VALUE."),
    ("scenario x\nassume close\n", "f.wfp:2:8: 'close' is not DISPUTE=OPTION. Write: assume close=nothing."),
    (f"{HEAD}windows 10\n", "f.wfp:3:1: 'windows' comes after the first endpoint. Put settings before it."),
    ("scenario x\nsocket s is sendr\n", "f.wfp:2:13: no kind of socket named 'sendr'. Did you mean 'sender'?"),
    ("scenario x\nport p is sender\n", "f.wfp:2:11: no kind of port named 'sender'. Did you mean 'closed'?"),
    (f"{HEAD}socket s is sender\n", "f.wfp:3:8: 's' is declared twice."),
    ("scenario x\nsocket 1s is sender\n", "f.wfp:2:8: '1s' is no name: letters, digits, _ and -."),
    (f"{HEAD}at 0s t bind\n", "f.wfp:3:7: no endpoint named 't'. Allowed: s."),
    (f"{HEAD}at 0s s bnd\n", "f.wfp:3:9: no stimulus named 'bnd'. Did you mean 'bind'?"),
    (f"{HEAD}at 0s s bind to A\n", "f.wfp:3:14: 'bind' happens to the socket as a whole, without a peer."),
    (f"{HEAD}at soon s bind\n", "f.wfp:3:4: 'soon' is no time. Whole seconds: 0s, 61s, +5s."),
    (f"{HEAD}at 5s s bind\nat 4s s close\n", "f.wfp:4:4: time cannot go from 5 s to 4 s. Order the lines."),
    (f"{HEAD}expect outcome sent\n", "f.wfp:3:1: nothing has happened that this could be expected of. Put it below an 'at' line."),
    (f"{HEAD}at 0s s bind\nexpect\n", "f.wfp:4:1: nothing is expected. Known: layers, no layer, outcome, application, remote, logged, state, refused."),
    (f"{HEAD}at 0s s bind\nexpect layer X\n", "f.wfp:4:8: no expectation named 'layer'. Did you mean 'layers' or 'no layer'?"),
    (f"{HEAD}at 0s s bind\nexpect layers\n", "f.wfp:4:8: no layers are named. Name some, or write: expect layers none."),
    (f"{HEAD}at 0s s bind\nexpect layers BIND_REDIRECT:blok\n", "f.wfp:4:15: no verdict named 'blok'. Did you mean 'block'?"),
    (f"{HEAD}at 0s s bind\nexpect outcome lost\n", "f.wfp:4:16: no outcome named 'lost'. Did you mean 'sent'?"),
    (f"{HEAD}at 0s s bind\nexpect logged 17\n", "f.wfp:4:15: '17' is no Security event of WFP. For example 5152, 5157."),
    (f"{HEAD}at 0s s bind\nexpect logged\n", "f.wfp:4:8: no events are named. Write for example: expect logged 5157, or: none."),
    (f"{HEAD}at 0s s bind\nexpect state flow\n", "f.wfp:4:14: 'flow' is not NAME=VALUE. Write: flow=OUT."),
    (f"{HEAD}at 0s s sendto to dns\nexpect state flow=OUT flow@dsn=NONE\n", "f.wfp:4:23: no peer of the lines so far named 'dsn'. Did you mean 'dns'?"),
    (f"{HEAD}at 0s s sendto to dns\nexpect state socket@dns=BOUND\n", "f.wfp:4:14: socket is the socket's, and no peer has it. Write: socket=BOUND."),
    (f"{HEAD}at 0s s bind\nexpect no layer STREAM\n", "f.wfp:4:17: no sender ever comes to STREAM_V4, so this says nothing. Name a layer that it could come to."),
    (f"{HEAD}at 0s s bind\nexpect state flow=OUTT\n", "f.wfp:4:14: no value of flow named 'OUTT'. Did you mean 'OUT' or 'OUT_STALE'?"),
    (f'{HEAD}at 0s s bind\nexpect application ""\n', "f.wfp:4:20: an empty text is part of everything. Name a part of it."),
    (f'{HEAD}at 0s s bind\nexpect remote "x\n', "f.wfp:4:15: a quotation mark without its end. Write \"TEXT\"."),
    (f"{HEAD}block AUTH_CONNECT\n", "f.wfp:3:7: 'at LAYER' is missing. Write: block at LAYER [on NAME]."),
    (f"{HEAD}block at AUTH_LISTEN\n", "f.wfp:3:10: no endpoint here ever takes block at FWPM_LAYER_ALE_AUTH_LISTEN_V4. Leave the line out."),
    (f"{HEAD}absorb at FLOW_ESTABLISHED on t\n", "f.wfp:3:31: no endpoint named 't'. Allowed: s."),
    ("scenario x\nblock at AUTH_CONNECT\n", "f.wfp:2:10: 'AUTH_CONNECT' stands before any endpoint. Declare one: socket s is sender."),
    (f"{HEAD}policy\nat 0s s bind\n", "f.wfp:3:1: something is missing after 'policy'. Write: policy FILE [ordinary] [callouts permit]."),
    (f"{HEAD}policy p usual\n", "f.wfp:3:10: 'usual' says nothing here. Write: policy FILE [ordinary] [callouts permit]."),
    (f"{HEAD}policy p callouts block\n", "f.wfp:3:19: no choice for callouts that nobody has described named 'block'. Allowed: unknown, permit."),
    (f"{HEAD}policy p ordinary callouts permit now\n", "f.wfp:3:35: 'now' is too much. Write: policy FILE [ordinary] [callouts permit]."),
    ("scenario x\npolicy p\n", "f.wfp:2:1: 'policy' stands before any endpoint. Declare one: socket s is sender."),
    (f"{HEAD}local is here\n", "f.wfp:3:10: 'here' is no address with port. Write 192.0.2.1:53 or [2001:db8::1]:53; names are not looked up."),
    (f"{HEAD}local is ::1\n", "f.wfp:3:10: ::1 is IPv6, the machine is IPv4. Set ip."),
    (f"{HEAD}local is 127.0.0.1:5\n", "f.wfp:3:10: 127.0.0.1:5 stays on this host. Begin with: assume path=loopback."),
    (f"{HEAD}local at 192.0.2.1\n", "f.wfp:3:7: 'at' where 'is' belongs. Write: local is ADDRESS[:PORT] [on NAME]."),
    (f"{HEAD}local is 192.0.2.1 on t\n", "f.wfp:3:23: no endpoint named 't'. Allowed: s."),
    (f"{HEAD}peer is 192.0.2.1\n", "f.wfp:3:9: something is missing after '192.0.2.1'. Write: peer PEER is ADDRESS[:PORT] [on NAME]."),
    (f"{HEAD}peer A! is 192.0.2.1\n", "f.wfp:3:6: 'A!' is no name of a peer: letters, digits, _ and -."),
    (f'{HEAD}program is ""\n', "f.wfp:3:12: an empty text is no program. Name its file."),
    (f"{HEAD}local is 192.0.2.1\nlocal is 192.0.2.2\n", "f.wfp:4:1: 'local' is told twice (first in line 3). Keep one."),
    (f"{HEAD}local is 192.0.2.1\nat 0s s bind\n", "f.wfp:3:1: 'local' is for a policy, and there is none. Add: policy FILE."),
    (f"{HEAD}peer B is 192.0.2.1\npolicy p\nat 0s s sendto\n", "f.wfp:3:1: no 'at' line is about peer B. Leave the line out."),
    (f"{HEAD}at 0s s bind\nexpect layers ... ...\n", "f.wfp:4:15: '...' alone holds of any layers. Name some of them."),
    (f"{HEAD}at 0s s bind\nexpect layers AUTH_CONNECT:\n", "f.wfp:4:15: no verdict named ''. Allowed: permit, block, absorb, pend, redirect, veto."),
    (f"{HEAD}at 0s s bind\nanswers AUTH_CONNECT:!\n", "f.wfp:4:9: no verdict named ''. Allowed: permit, block, absorb, pend, redirect, veto."),
    (f"{HEAD}at 0s s bind\nanswers\n", "f.wfp:4:1: no layers are named. Name some, or leave the line out."),
    (f'{HEAD}at 0s s bind\nexpect refused ""\n', "f.wfp:4:16: an empty text is part of everything. Leave it out."),
    (f"{HEAD}at 0s s wait:61\n", "f.wfp:3:9: 'wait:61' is nothing that happens: time passes between the lines. Give the next line its time: at +61s s sendto."),
    ("scenario a::b\n", "f.wfp:1:10: '::' in a title; pytest parts a file from its scenario with it. Write one colon."),
    (f"{HEAD}# a form\x0cfeed, and \u2028 another\nfoo\n", "f.wfp:4:1: no statement named 'foo'. Allowed: scenario, ip, windows, evidence, assume, socket, port, policy, local, peer, program, at ... (19 in all)."),
    ("scenario " + "x" * 2000, "f.wfp:1:1: the line has 2009 characters; 2000 are allowed."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=range(len(REFUSED)))
def test_a_mistake_is_told_with_line_and_column(text: str, message: str) -> None:
    with pytest.raises(FsmError) as refused:
        parse(text, "f.wfp")
    assert str(refused.value) == message


FAILING: list[tuple[str, str]] = [
    (
        "at 0s s sendto\n expect layers ... AUTH_CONNECT:block ...\n",
        """\
f.wfp:4:20: ALE_AUTH_CONNECT_V4:block does not come here
  expected:       ... ALE_AUTH_CONNECT_V4:block ...
  seen:           ALE_BIND_REDIRECT_V4 ALE_RESOURCE_ASSIGNMENT_V4+IS_WILDCARD_BIND ALE_CONNECT_REDIRECT_V4 ALE_AUTH_CONNECT_V4 ALE_FLOW_ESTABLISHED_V4 DATAGRAM_DATA_V4 OUTBOUND_TRANSPORT_V4 OUTBOUND_IPPACKET_V4
  possible as far as: ...
  expected next:  ALE_AUTH_CONNECT_V4:block; what comes is ALE_AUTH_CONNECT_V4: the verdict there is permit, not block
  by rule:        send.authorize.permit[flow=NONE] (documented; UDPF, ALEL, SECDS)
  possible there: permit, block, absorb, pend at ALE_AUTH_CONNECT_V4""",
    ),
    (
        "at 0s s bind\n expect layers BIND_REDIRECT\n",
        """\
f.wfp:4:9: ALE_RESOURCE_ASSIGNMENT_V4 comes in addition
  expected:       ALE_BIND_REDIRECT_V4
  seen:           ALE_BIND_REDIRECT_V4 ALE_RESOURCE_ASSIGNMENT_V4
  possible as far as: ALE_BIND_REDIRECT_V4
  by rule:        bind.assign.permit[stimulus=bind; dual_stack:no; windows 7..] (documented; UDPF, ALEL)
  possible there: permit, block, pend at ALE_RESOURCE_ASSIGNMENT_V4""",
    ),
    ("at 0s s bind\n expect no layer BIND_REDIRECT\n", "f.wfp:4:9: ALE_BIND_REDIRECT_V4 fires: rule bind.redirect.permit[dual_stack:no; windows 7..] (documented; UDPF, RED, CH7)"),
    ("at 0s s bind\n expect layers none\n", "f.wfp:4:9: ALE_BIND_REDIRECT_V4 comes in addition\n  expected:       no layer\n"),
    ("at 0s s bind\n expect outcome sent\n", "f.wfp:4:9: the outcome is none, not sent"),
    ("block at AUTH_CONNECT\nat 0s s sendto\n expect outcome blocked at CONNECT_REDIRECT\n", "f.wfp:5:9: the outcome is blocked at ALE_AUTH_CONNECT_V4, not at ALE_CONNECT_REDIRECT_V4"),
    ('at 0s s bind\n expect application "no such thing"\n', "f.wfp:4:9: the application is told 'bind returns success', not 'no such thing'"),
    ("at 0s s bind\n expect logged 5159\n", "f.wfp:4:9: logged is 5158 at ALE_RESOURCE_ASSIGNMENT_V4, not 5159"),
    ("at 0s s sendto to B\n expect state flow=NONE|OUT_STALE\n", "f.wfp:4:9: flow is OUT, not NONE or OUT_STALE (state BOUND/OUT, peer B)"),
    ("at 0s s sendto to B\nat 1s s sendto to C\n expect state flow@B=NONE\n", "f.wfp:5:9: flow@B is OUT, not NONE (state BOUND/OUT, peer C)"),
    ("at 0s s bind\n expect state socket=UNBOUND|CLOSED\n", "f.wfp:4:9: socket is BOUND, not UNBOUND or CLOSED (state BOUND/NONE)"),
    ("at 0s s bind\n expect refused\n", "f.wfp:4:9: 'bind' is possible: it leads to BOUND/NONE"),
    ("at 0s s bind\nat 1s s bind\n", """\
f.wfp:4:1: 'bind' is not possible for s
  state:          BOUND/NONE
  why not:        'bind' is not possible in state BOUND/NONE: it needs socket UNBOUND; here: socket BOUND
  possible there: """),
    ('at 0s s bind\nat 1s s bind\n expect refused "because"\n', "f.wfp:5:9: 'bind' is refused, but not because of 'because'"),
    ("at 0s s bind\nat 1s s bind\n expect refused\n expect outcome sent\n", "f.wfp:6:9: nothing else can be expected of a 'bind' that is refused"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message"), FAILING, ids=range(len(FAILING)))
def test_a_failing_scenario_says_what_came_instead(body: str, message: str) -> None:
    (scenario,) = parse(HEAD + body, "f.wfp")
    run = run_scenario(scenario)
    assert not run.passed
    assert message in run.text()


@pytest.mark.parametrize("engine", ["table", "live"])
@pytest.mark.parametrize("path", sorted((HERE / "scenarios").glob("*.wfp")), ids=lambda path: path.stem)
def test_scenarios_of_this_folder_hold_on_both_engines(path: Path, engine: str) -> None:
    for scenario in parse(path.read_text(encoding="utf-8"), path.name):
        run = run_scenario(scenario, engine=engine, load_policy=load_from(path.parent))
        assert run.passed, run.text()


# --- policies

BLOCKS_DNS = """\
[[sublayer]]
name = "ours"
weight = 100

[[filter]]
name = "no dns"
layer = "AUTH_CONNECT"
sublayer = "ours"
action = "block"
when = { remote_port = 53 }
"""
BY_PROGRAM = BLOCKS_DNS.replace(
    "when = { remote_port = 53 }", "when = { program = '\\device\\harddiskvolume1\\x.exe' }"
)


def load_from(folder: Path) -> Any:
    return lambda _, line: read_policy(folder / line.file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dns.toml").write_text(BLOCKS_DNS, encoding="utf-8")
    (tmp_path / "program.toml").write_text(BY_PROGRAM, encoding="utf-8")
    (tmp_path / "options.toml").write_text("[options]\nunicast_lifetime_s = 30\n" + BLOCKS_DNS, encoding="utf-8")
    return tmp_path


# what the scenario says after its head, each to hold
WITH_POLICY: list[tuple[str, str]] = [
    ("example addresses", "policy dns.toml\nat 0s s sendto\n expect outcome blocked at AUTH_CONNECT\n expect logged 5158 5157 5152\n"),
    ("from here on", "at 0s s sendto\n expect outcome sent\npolicy dns.toml\nat 1s s sendto\n expect layers ... AUTH_CONNECT:block+IS_REAUTHORIZE ...\n expect state flow=NONE\n"),
    ("the peer's port", "peer A is 203.0.113.5:443\npolicy dns.toml\nat 0s s sendto\n expect outcome sent\n"),
    ("two peers", "peer A is 203.0.113.5:443\npeer B is 203.0.113.5:53\npolicy dns.toml\nat 0s s sendto\n expect outcome sent\nat 1s s sendto to B\n expect outcome blocked\n"),
    ("by hand before the policy", "policy dns.toml\npermit at AUTH_CONNECT\nat 0s s sendto\n expect outcome sent\n"),
    ("for this once", "policy dns.toml\nat 0s s bind\nat 0s s sendto\n answers CONNECT_REDIRECT AUTH_CONNECT\n expect outcome sent\n"),
    ("a program", 'program is "C:\\x.exe"\npolicy program.toml\nat 0s s sendto\n expect outcome blocked\n'),
    ("another program", 'program is y.exe\npolicy program.toml\nat 0s s sendto\n expect outcome sent\n'),
    ("as usual", "policy program.toml ordinary\nat 0s s sendto\n expect outcome sent\n"),
    ("own before all", "local is 192.0.2.9\nlocal is 192.0.2.10:1 on s\npolicy dns.toml\nat 0s s sendto\n expect outcome blocked\n"),
]  # fmt: skip


@pytest.mark.parametrize("body", [case[1] for case in WITH_POLICY], ids=[case[0] for case in WITH_POLICY])
def test_a_policy_gives_the_verdicts(body: str, folder: Path) -> None:
    (scenario,) = parse(HEAD + body, "f.wfp")
    run = run_scenario(scenario, load_policy=load_from(folder))
    assert run.passed and run.expectations, run.text()
    text = scenario_text(scenario)
    (again,) = parse(text, "again")
    assert scenario_text(again) == text
    assert run_scenario(again, load_policy=load_from(folder)).passed


def test_a_failure_names_the_filter_and_the_way_there(folder: Path) -> None:
    (scenario,) = parse(
        f"{HEAD}policy dns.toml\nat 0s s sendto\n expect outcome sent\n expect state flow=OUT\n", "f.wfp"
    )
    run = run_scenario(scenario, load_policy=load_from(folder))
    lines = run.text().splitlines()
    assert lines[:2] == [
        "f.wfp:5:9: the outcome is blocked at ALE_AUTH_CONNECT_V4, not sent",
        "  policy:         ALE_AUTH_CONNECT_V4 block: filter 'no dns' in sublayer 'ours'",
    ]
    assert lines[-1].startswith("  step through it: wfp-udp step sender --token wfp2_")
    assert run.text().count("step through it:") == 1  # both failures are of one line
    walk = Walk.from_token(lines[-1].split()[-1])
    assert walk.outcome() == "blocked" and walk.layer == ""


def test_an_open_question_fails_the_scenario_with_its_name(folder: Path) -> None:
    (scenario,) = parse(f"{HEAD}policy program.toml\nat 0s s sendto\n expect outcome sent\n", "f.wfp")
    run = run_scenario(scenario, load_policy=load_from(folder))
    assert not run.passed and run.expectations == 1
    lines = run.text().splitlines()
    assert lines[0] == "f.wfp:4:1: the policy leaves the verdict of ALE_AUTH_CONNECT_V4 open"
    assert lines[1].startswith("  open:           permit or block, by filter 'no dns': ALE_APP_ID ")
    walk = Walk.from_token(lines[-1].split()[-1])
    assert walk.layer == "FWPM_LAYER_ALE_AUTH_CONNECT_V4"


def test_what_a_scenario_does_not_follow_is_refused(folder: Path) -> None:
    (scenario,) = parse(f"{HEAD}policy options.toml\nat 0s s sendto\n", "f.wfp")
    with pytest.raises(FsmError, match=r"f.wfp:3:1, policy 'options.toml': .*unicast_lifetime_s=30 is not played"):
        run_scenario(scenario, load_policy=load_from(folder))
    with pytest.raises(FsmError, match=r"f.wfp:3:1: policy 'options.toml' cannot be read here"):
        run_scenario(scenario)


@pytest.mark.parametrize("seed", range(30))
def test_the_token_of_a_failure_leads_to_where_the_scenario_stood(seed: int) -> None:
    """Whatever was done before, the walk of the token stands in the state in which the expectation did not hold."""
    text = scenario_text(by_chance(seed))
    (scenario,) = parse(text + "    expect refused\n", "w")
    run = run_scenario(scenario)
    assert not run.passed
    token = run.failures[-1].step_through.split()[-1]
    assert Walk.from_token(token).state == run.done[-1].state


def by_chance(seed: int) -> Scenario:
    """A scenario made by a random walk over stimuli, everything about it expected."""
    chance = random.Random(seed)
    endpoint = Endpoint("sender", Config(ip=chance.choice((4, 6))))
    dos: list[Do] = []
    at_s = 0
    for _ in range(12):
        moves = [move for move in endpoint.table.moves(endpoint.state) if move not in VERDICTS]
        if not moves:
            break
        at_s += chance.choice((0, 0, 1, 3))
        endpoint.wait(at_s - endpoint.now_s)
        offered = [move for move in endpoint.table.moves(endpoint.state) if move not in VERDICTS]
        stimulus = chance.choice(offered) if dos else "bind"
        record = endpoint.run(stimulus)
        state = [(name, endpoint.table.register(endpoint.state, name)) for name in REGISTERS]
        dos.append(done_by(record, "s", at_s, state))
    return Scenario(f"walk {seed}", Spot("w", 1), endpoint.table.config, (("s", "sender"),), tuple(dos))


@pytest.mark.parametrize("seed", range(60))
def test_what_is_written_is_read_back_and_holds(seed: int) -> None:
    text = scenario_text(by_chance(seed))
    (scenario,) = parse(text, "w")
    assert scenario_text(scenario) == text
    run = run_scenario(scenario)
    assert run.passed, text + run.text()
    assert run.expectations >= 4


@pytest.mark.parametrize("seed", range(20))
def test_each_expectation_that_is_written_can_fail(seed: int) -> None:
    """A verdict that nobody asked for at the first layer that takes one changes what was expected."""
    text = scenario_text(by_chance(seed))
    trace = run_scenario(parse(text, "w")[0]).endpoints["s"].trace
    layer = next(step.layer for step in trace if step.layer)
    (changed,) = parse(text.replace("  at ", f"  block at {layer}\n  at ", 1), "w")
    assert not run_scenario(changed).passed


def test_a_scenario_that_expects_nothing_fails() -> None:
    (run,) = [run_scenario(scenario) for scenario in parse(f"{HEAD}at 0s s bind\n", "f.wfp")]
    assert not run.passed and run.expectations == 0
    assert run.text() == (
        "f.wfp:1:1: scenario 'x' expects nothing, so it says nothing\n"
        "  how to fix:     add an expect line below an at line; wfp-udp scenario --grammar lists them"
    )
    for more in ("expect logged 5158", "answers BIND_REDIRECT RESOURCE_ASSIGNMENT", "expect outcome none"):
        (run,) = [run_scenario(scenario) for scenario in parse(f"{HEAD}at 0s s bind\n{more}\n", "f.wfp")]
        assert run.passed, run.text()


def test_time_passes_for_every_endpoint() -> None:
    text = "scenario x\nsocket a is sender\nsocket b is sender\nat 0s a sendto\nat 61s b bind\nat 61s a receive\n expect layers ... AUTH_RECV_ACCEPT ...\n"
    run = run_scenario(parse(text, "f")[0])
    assert run.passed, run.text()
    assert {endpoint.now_s for endpoint in run.endpoints.values()} == {61}


# --- the command


def test_the_command_runs_files_and_counts(wfp: Any, tmp_path: Path) -> None:
    good = tmp_path / "good.wfp"
    good.write_text(
        "\ufeffscenario x\r\nsocket s is sender\r\nat 0s s bind\r\n expect outcome none\r\n", encoding="utf-8"
    )
    status, out, err = wfp("scenario", str(good))
    assert (status, err) == (0, "")
    assert out.splitlines() == ["passed  x (1 expectation)", "1 scenario, 1 passed, 0 failed; 1 expectation"]
    bad = tmp_path / "bad.wfp"
    bad.write_text(f"{HEAD}at 0s s bind\n expect outcome sent\n", encoding="utf-8")
    status, out, err = wfp("scenario", str(good), str(bad))
    assert (status, err) == (1, "")
    assert f"{bad}:4:9: the outcome is none, not sent" in out.splitlines()
    status, out, _ = wfp("scenario", str(bad), "--format", "json")
    (got,) = json.loads(out)
    assert status == 1 and not got["passed"] and got["failures"][0]["line"] == 4
    status, out, _ = wfp("scenario", "--list", str(bad))
    assert (status, out) == (0, f"{bad}:1: x\n")


def test_the_command_reads_policies_beside_the_file(wfp: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "x.wfp"
    file.write_text(f"{HEAD}policy dns.toml\nat 0s s sendto\n expect outcome blocked\n", encoding="utf-8")
    status, out, err = wfp("scenario", str(file))
    assert (status, err) == (0, ""), out
    file.write_text(f"{HEAD}policy dns.toml\nat 0s s sendto\n expect outcome sent\n", encoding="utf-8")
    status, out, err = wfp("scenario", str(file), "--format", "json")
    (failure,) = json.loads(out)[0]["failures"]
    assert (status, failure["line"]) == (1, 5)
    assert failure["step_through"].startswith("wfp-udp step sender --token wfp2_")
    file.write_text(f"{HEAD}policy none.toml\nat 0s s sendto\n", encoding="utf-8")
    status, out, err = wfp("scenario", str(file))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {file}:3:1: policy ") and "none.toml: cannot be opened" in err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "1:1: this is UTF-16 text"),
        (b"\xef\xbb\xbfscenario x\r\n# gr\xc3\xbc\xfcn", "2:6: byte 0xfc is no UTF-8"),
        (b"hello\n", "stands before any scenario"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_scenario_is_one_line(wfp: Any, tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "x.wfp"
    if content is not None:
        path.write_bytes(content)
    status, out, err = wfp("scenario", str(path))
    assert status == 2 and out == ""
    assert said in err and err.count("\n") == 1
