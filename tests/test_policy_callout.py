"""A policy as a callout: on endpoints, in walks, on the command line and in scenario files; open questions are told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fsm.choices import Config, configure
from fsm.claims import endpoint, never
from fsm.endpoint import Endpoint
from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.policy.callout import OpenVerdict, policy_callout
from fsm.policy.datagram import Circumstances
from fsm.policy.in_force import index_policy
from fsm.policy.model import Behaviour, Callout, Condition, Filter, Policy, Sublayer, Value
from fsm.policy.read import read_policy
from fsm.policy.whatif import whatif
from fsm.stepper import EndpointSystem, Walk

HERE = Path(__file__).resolve().parent
CASES = HERE / "data" / "cases"
DNS = CASES / "24-block-outside-dns.toml"
STATE = HERE.parents[1] / "shared" / "evidence" / "wfp-state" / "keploy_wfpstate.xml.gz"
evidence = pytest.mark.skipif(not STATE.is_file(), reason="the recorded state is not here")
US, THEM = "192.0.2.1:50000", "198.51.100.1:53"
OURS = Sublayer("{ours}", "ours", 100)


def port(number: int, side: str = "REMOTE") -> Condition:
    return Condition(f"FWPM_CONDITION_IP_{side}_PORT", "EQUAL", Value("UINT16", number))


def program(path: str) -> Condition:
    return Condition("FWPM_CONDITION_ALE_APP_ID", "EQUAL", Value("BYTE_BLOB", (path + "\0").encode("utf-16-le")))


def at(layer: str, *conditions: Condition, action: str = "BLOCK", **more: Any) -> Filter:
    name = f"{action.lower()} {layer}"
    given = {"sublayer": OURS.key, "effective_weight": 7, **more}
    return Filter(f"{{{name}}}", name, f"FWPM_LAYER_{layer}", action=action, conditions=conditions, **given)


def policy(*filters: Filter, **more: Any) -> Policy:
    return Policy(filters, (OURS,), **more)


CONNECT = policy(at("ALE_AUTH_CONNECT_V4", port(53)))
BY_PROGRAM = policy(at("ALE_AUTH_CONNECT_V4", program(r"\device\harddiskvolume1\x.exe")))


# --- on an endpoint


def test_an_endpoint_is_answered_by_the_filters() -> None:
    sender = Endpoint("sender")
    sender.register(policy_callout(CONNECT))
    record = sender.run("sendto")
    assert (record.outcome, record.blocked_at) == ("blocked", "FWPM_LAYER_ALE_AUTH_CONNECT_V4")


@pytest.mark.parametrize(("to", "outcome"), [("203.0.113.9:53", "blocked"), ("203.0.113.9:443", "sent")])
def test_the_ends_that_are_given_are_asked_about(to: str, outcome: str) -> None:
    sender = Endpoint("sender")
    sender.register(policy_callout(CONNECT, from_=US, to=to))
    assert sender.run("sendto").outcome == outcome


def test_each_peer_has_an_end_of_its_own() -> None:
    sender = Endpoint("sender")
    sender.register(policy_callout(CONNECT, local=US, peers={"A": "203.0.113.9:443", "B": "203.0.113.9:53"}))
    assert [sender.run("sendto", peer).outcome for peer in ("A", "B")] == ["sent", "blocked"]


def test_another_peer_than_the_one_of_from_and_to_has_an_example_address() -> None:
    sender = Endpoint("sender")
    sender.register(policy_callout(CONNECT, from_=US, to="203.0.113.9:443"))
    assert [sender.run("sendto", peer).outcome for peer in ("A", "B")] == ["sent", "blocked"]  # examples have port 53


def test_what_arrives_comes_from_the_sender() -> None:
    block = policy(at("ALE_AUTH_RECV_ACCEPT_V4", port(5353, "LOCAL")))
    for to, outcome in ((f"{US.split(':')[0]}:5353", "blocked"), (US, "delivered")):
        receiver = Endpoint("receiver")
        receiver.register(policy_callout(block, from_=THEM, to=to))
        receiver.run("bind")
        assert receiver.run("datagram").outcome == outcome


def test_group_stimuli_are_asked_with_the_group_address() -> None:
    group = Condition("FWPM_CONDITION_IP_REMOTE_ADDRESS", "EQUAL", Value("UINT32", 0xE00000FB))
    block = policy(at("ALE_AUTH_CONNECT_V4", group))
    sender = Endpoint("sender")
    sender.register(policy_callout(block, from_=US, to="224.0.0.251:5353"))
    assert sender.run("sendto_group").outcome == "blocked"
    example = Endpoint("sender")
    example.register(policy_callout(block))
    assert example.run("sendto_group").outcome == "sent"  # the example group is another one


def test_an_open_question_is_an_error_that_names_the_filter_and_changes_nothing() -> None:
    sender = Endpoint("sender")
    sender.register(policy_callout(BY_PROGRAM))
    with pytest.raises(OpenVerdict) as refused:
        sender.run("sendto")
    text = str(refused.value)
    assert "FWPM_LAYER_ALE_AUTH_CONNECT_V4: the policy leaves the verdict open" in text
    assert "permit or block, by filter 'block ALE_AUTH_CONNECT_V4': ALE_APP_ID" in text
    layer = sender.table.layer(sender.state)
    assert layer is not None and layer.stem == "ALE_AUTH_CONNECT"


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        ({"circumstances": Circumstances(program=r"C:\x.exe")}, "blocked"),
        ({"circumstances": Circumstances(program=r"C:\y.exe")}, "sent"),
        ({"ordinary": True}, "sent"),
    ],
)
def test_what_is_told_closes_the_question(given: dict[str, Any], outcome: str) -> None:
    sender = Endpoint("sender")
    sender.register(policy_callout(BY_PROGRAM, **given))
    assert sender.run("sendto").outcome == outcome


def test_a_callout_that_nobody_has_described_is_open_or_permits() -> None:
    own = policy(
        at("ALE_AUTH_CONNECT_V4", action="CALLOUT_TERMINATING", callout="{c}"),
        callouts=(Callout("{c}", "c", "FWPM_LAYER_ALE_AUTH_CONNECT_V4", registered=True, behaviour=Behaviour()),),
    )
    open_, closed = (policy_callout(own, undeclared=word, open_questions="unknown") for word in ("unknown", "permit"))
    sender = Endpoint("sender")
    sender.begin("sendto")
    while (layer := sender.table.layer(sender.state)) is not None and layer.stem != "ALE_AUTH_CONNECT":
        sender.decide("permit")
    found = open_.decision(sender.context())
    assert (found.verdict, found.possible) == ("unknown", ("permit", "block"))
    assert open_(sender.context()) == "unknown"
    assert closed(sender.context()) == "permit"


def test_a_verdict_that_the_layer_does_not_take_is_open_with_the_reason() -> None:
    callout = policy_callout(policy(at("ALE_FLOW_ESTABLISHED_V4")))
    sender = Endpoint("sender")
    sender.register(callout)
    with pytest.raises(OpenVerdict, match="'block ALE_FLOW_ESTABLISHED_V4' in sublayer 'ours' says block, and "):
        sender.run("sendto")


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.glob("2*.toml")))
@pytest.mark.parametrize("event", ["sendto", "receive"])
def test_it_agrees_with_whatif(name: str, event: str) -> None:
    """Two ways to the same arbitration: the same verdicts at the same layers, or both are open."""
    one = read_policy(CASES / name)
    ends = {"from_": US, "to": THEM} if event == "sendto" else {"from_": THEM, "to": US}
    answer = whatif(one, **ends, event=event, ordinary=True, undeclared_callouts="permit")
    endpoint = Endpoint("sender" if event == "sendto" else "receiver", answer.config)
    endpoint.run("bind")
    endpoint.register(policy_callout(one, config=answer.config, **ends, ordinary=True, undeclared="permit"))
    if answer.outcome == "unknown":
        with pytest.raises(OpenVerdict):
            endpoint.run(event)
        return
    record = endpoint.run(event)
    assert (record.outcome, record.blocked_at) == (answer.outcome, answer.blocked_at)
    assert [(s.layer, s.verdict) for s in record.classified] == [(v.layer, v.taken) for v in answer.visits]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"from_": "nowhere"}, "policy, from: 'nowhere' is no address with port"),
        ({"to": "[2001:db8::1]:53"}, "2001:db8::1 is IPv6, and the machine is IPv4. Set ip"),
        ({"from_": US, "local": US}, "from and to are given, and local or peers too"),
        ({"local": "127.0.0.1:5"}, "127.0.0.1:5 stays on this host. Assume path=loopback"),
        ({"undeclared": "block"}, "no choice for undeclared callouts named 'block'"),
        ({"open_questions": "guess"}, "no choice for open questions named 'guess'"),
        ({"circumstances": Circumstances(flags=("IS_LOPBACK",))}, "Did you mean 'IS_LOOPBACK'"),
    ],
)
def test_what_cannot_be_asked_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(FsmError) as refused:
        policy_callout(CONNECT, **given)
    assert said in str(refused.value)


def test_it_is_for_the_machine_that_it_was_made_for() -> None:
    other = Endpoint("sender", Config(ip=6))
    other.register(policy_callout(CONNECT))
    with pytest.raises(FsmError, match="the policy was read for another machine"):
        other.run("bind")


def test_classify_options_that_are_not_followed_are_told() -> None:
    options = (("unicast_lifetime_s", "30"), ("multicast_state", "deny"), ("loose_source_mapping", "off"))
    found = policy_callout(policy(options=options)).remarks
    assert len(found) == 2 and "unicast_lifetime_s=30" in found[0] and "assume multicast_state=deny" in found[1]
    denied = configure(assume={"multicast_state": "deny"})
    assert policy_callout(policy(options=options[1:]), config=denied).remarks == ()


def test_an_index_is_taken_as_it_is() -> None:
    sender = Endpoint("sender")
    sender.register(policy_callout(index_policy(CONNECT)))
    assert sender.run("sendto").outcome == "blocked"


# --- in a walk


def test_a_walk_says_which_filter_decided() -> None:
    walk = Walk(EndpointSystem("sender"), policy=policy_callout(CONNECT, open_questions="unknown"))
    walk.choose("sendto")
    decided = {node.layer: node.decided_by for node in walk.path if node.layer}
    assert decided["FWPM_LAYER_ALE_AUTH_CONNECT_V4"] == "policy: filter 'block ALE_AUTH_CONNECT_V4' in sublayer 'ours'"
    assert decided["FWPM_LAYER_ALE_CONNECT_REDIRECT_V4"] == "policy: no filter matches"
    assert walk.outcome() == "blocked"


def test_a_walk_stops_where_the_policy_leaves_it_open_and_somebody_chooses() -> None:
    walk = Walk(EndpointSystem("sender"), policy=policy_callout(BY_PROGRAM, open_questions="unknown"))
    walk.choose("sendto")
    assert walk.layer == "FWPM_LAYER_ALE_AUTH_CONNECT_V4"
    assert walk.question.startswith("permit or block, by filter 'block ALE_AUTH_CONNECT_V4': ALE_APP_ID ")
    with pytest.raises(FsmError, match=r"the policy leaves the verdict of .* open: .* Choose one: permit, block"):
        walk.step_on()
    at_question = walk.at
    walk.choose("block")
    assert (walk.outcome(), walk.question) == ("blocked", "")
    walk.jump(at_question)
    walk.choose("permit")
    assert walk.outcome() == "sent"


def test_filters_that_may_decide_alike_are_said_to_be_several() -> None:
    either = policy(at("ALE_AUTH_CONNECT_V4", program(r"\\device\\harddiskvolume1\\x.exe"), effective_weight=9),
                    at("ALE_AUTH_CONNECT_V4", port(53)))  # fmt: skip
    walk = Walk(EndpointSystem("sender"), policy=policy_callout(either, open_questions="unknown"))
    walk.choose("sendto")
    by = {node.layer: node.decided_by for node in walk.path}
    assert by["FWPM_LAYER_ALE_AUTH_CONNECT_V4"] == "policy: which filter decides is not known"
    claim = never(endpoint("sender", policy=either, from_=US, to=THEM), "AUTH_CONNECT:block")
    assert "\nfilters: ALE_AUTH_CONNECT_V4 block: which filter decides is not known" in claim.message.replace(
        "filters:\n    ", "filters: "
    )


def test_a_walk_tells_what_a_layer_would_get_at_any_place() -> None:
    walk = Walk(EndpointSystem("sender"), policy=policy_callout(CONNECT, open_questions="unknown"))
    place, said = walk.system.take(walk.place, "sendto")[0], []
    while layer := walk.system.layer(place):
        verdict, by = walk.suggestion_at(place)
        said.append((layer, verdict, by))
        place, _ = walk.system.take(place, verdict)
    assert walk.at == 0
    with pytest.raises(NoTransition, match="no layer waits for a verdict in state BOUND/NONE"):
        walk.suggestion_at(place)
    walk.choose("sendto")
    assert said == [(node.layer, node.verdict, node.decided_by) for node in walk.path if node.layer]


def test_until_tries_every_verdict_that_the_policy_leaves_open_and_no_other() -> None:
    walk = Walk(EndpointSystem("sender"), policy=policy_callout(BY_PROGRAM, open_questions="unknown"))
    ran = walk.run_until("outcome=blocked")
    assert ran.verdict == "reached"
    by_hand = [(node.layer, node.verdict) for node in walk.path if node.layer and node.decided_by == "hand"]
    assert by_hand == [("FWPM_LAYER_ALE_AUTH_CONNECT_V4", "block")]


def test_a_token_restores_what_the_policy_decided_without_the_policy() -> None:
    walk = Walk(EndpointSystem("sender"), policy=policy_callout(CONNECT, open_questions="unknown"))
    walk.choose("sendto")
    again = Walk.from_token(walk.token)
    assert [(s.layer, s.verdict) for s in again.ladder] == [(s.layer, s.verdict) for s in walk.ladder]
    assert again.place == walk.place


def test_callouts_go_before_the_policy() -> None:
    walk = Walk(
        EndpointSystem("sender"),
        policy=policy_callout(BY_PROGRAM, open_questions="unknown"),
        callouts=[("AUTH_CONNECT", lambda _: "pend")],
    )
    walk.choose("sendto")
    assert walk.outcome() == "pended"


def test_a_walk_of_another_machine_cannot_ask_it() -> None:
    walk = Walk(EndpointSystem("sender", Config(ip=6)), policy=policy_callout(CONNECT))
    with pytest.raises(FsmError, match="another machine"):
        walk.choose("bind")


# --- the command


def step(*arguments: str, lines: str = "") -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [sys.executable, "-m", "fsm", "step", *arguments], input="".join(f"{line}\n" for line in lines.split("|")),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran


def test_step_shows_the_filter_behind_each_verdict() -> None:
    ran = step("sender", "--policy", str(DNS), "--from", US, "--to", THEM, lines="sendto|t")
    assert (ran.returncode, ran.stderr) == (0, "")
    line = next(line for line in ran.stdout.splitlines() if " ALE_AUTH_CONNECT_V4 " in line)
    assert "block " in line and "(policy: filter 'Block outside DNS' in sublayer 'VPN')" in line
    assert ran.stdout.count("(policy:") == 1  # where no filter matches there is nothing to show
    restored = step("--token", ran.stdout.splitlines()[-1], lines="ladder")
    assert "block" in restored.stdout


def test_step_json_says_who_decided() -> None:
    ran = step("--format", "json", "--policy", str(DNS), "--from", US, "--to", "198.51.100.1:443", lines="sendto")
    found = {one["layer"]: one["decided_by"] for one in map(json.loads, ran.stdout.splitlines())}
    expected = "policy: filter 'Default Outbound' in sublayer 'Windows Firewall'"
    assert found["FWPM_LAYER_ALE_AUTH_CONNECT_V4"] == expected
    assert found["FWPM_LAYER_DATAGRAM_DATA_V4"] == "policy: no filter matches"


@evidence
def test_step_on_a_real_state_asks_and_goes_on() -> None:
    machine = ("sender", "--policy", str(STATE), "--from", US, "--to", THEM)
    ran = step(*machine, lines="bind|go|permit|sendto")
    assert ran.returncode == 2  # go makes no sense where the policy leaves it open
    assert "      the policy leaves it open: permit or block, by filter '" in ran.stdout
    assert "line 2: sender, move 3: the policy leaves the verdict of " in ran.stderr
    usual = step(*machine, "--ordinary", "--callouts", "permit", "--format", "json", lines="sendto")
    last = json.loads(usual.stdout.splitlines()[-1])
    assert (last["layer"], last["verdict"]) == ("FWPM_LAYER_OUTBOUND_IPPACKET_V4", "permit")
    asked = step(*machine, "--format", "json", lines="bind")
    assert json.loads(asked.stdout.splitlines()[-1])["question"].startswith("permit or block, by filter '")


def test_addresses_choose_the_machine() -> None:
    six = step("--policy", str(DNS), "--from", "[2001:db8::1]:5", "--to", "[2001:db8::2]:53", "--format", "json",
               lines="sendto")  # fmt: skip
    assert "FWPM_LAYER_ALE_AUTH_CONNECT_V6" in six.stdout
    here = step("--policy", str(DNS), "--from", "127.0.0.1:5", "--to", "127.0.0.1:53", "--format", "json", lines="bind")
    assert "base.path.loopback" in json.loads(here.stdout.splitlines()[0])["token"]


def test_verdicts_of_the_command_line_go_before_the_policy() -> None:
    ran = step("--policy", str(DNS), "--verdict", "AUTH_CONNECT=pend", lines="sendto")
    assert "(callout --verdict)" in ran.stdout and "=> pended" in ran.stdout


def test_a_walk_that_is_loaded_later_asks_the_policy_too(tmp_path: Path) -> None:
    file = tmp_path / "walk.json"
    step("sender", lines=f"bind|s {file}")
    ran = step("sender", "--policy", str(DNS), lines=f"load {file}|sendto")
    assert "(policy: filter 'Block outside DNS' in sublayer 'VPN')" in ran.stdout
    six = tmp_path / "six.json"
    step("sender", "--ip", "6", lines=f"bind|s {six}")
    ran = step("sender", "--policy", str(DNS), "--from", US, "--to", THEM, lines=f"load {six}")
    assert "is IPv4, and the machine is IPv6" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", US), "--from: it says what a policy is asked about, and none is given. Add --policy."),
        (("--ordinary",), "--ordinary: it says what a policy is asked about, and none is given. Add --policy."),
        (("--tunnel-type", "0"), "--tunnel-type: it says what a policy is asked about"),
        (("--policy", str(DNS), "--to", THEM), "--policy: --from is missing."),
        (("session", "--policy", str(DNS)), "--policy: the verdicts of a session are moves. Use --verdicts."),
        (("--policy", str(DNS), "--html", "x.html"), "--html: a page asks no policy and no callouts."),
        (("--policy", "nowhere.toml"), "nowhere.toml: cannot be opened"),
        (("--policy", str(DNS), "--callouts", "block"), "no choice for undeclared callouts named 'block'"),
        (("--verdict", "AUTH_CONNECT"), "'AUTH_CONNECT' is not LAYER=VERDICT"),
    ],
)
def test_options_that_make_no_sense_are_one_line(arguments: tuple[str, ...], said: str) -> None:
    ran = step(*arguments)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert said in ran.stderr


def test_errors_are_of_the_packages_kind() -> None:
    assert issubclass(OpenVerdict, FsmError) and not issubclass(OpenVerdict, NoTransition | UnknownName)
