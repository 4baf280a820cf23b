"""The checklist, worked off as a person would: every action happens on the model, and every line holds there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from fsm.choices import Config, configure
from fsm.endpoint import ClassifyContext, Endpoint
from fsm.errors import NoTransition
from fsm.names import ENDPOINTS
from fsm.plan.checklist import CALLS, checklist
from fsm.plan.cover import cover
from fsm.plan.moves import moves_of
from fsm.plan.scenarios import scenarios_of
from fsm.policy.fields import FIELDS
from fsm.stimuli import STIMULI
from fsm.table import compile_table

# What the words of a step bring about, by their beginning: said here again, by hand.
MEANS = {
    "call bind()": "bind",
    "call connect() to A": "connect",
    "call connect() to B": "connect_other",
    "call sendto() to A": "sendto",
    "call sendto() to the group": "sendto_group",
    "from A, send a datagram to M": "datagram",
    "from A, send a datagram to the group": "datagram_group",
    "let the driver inject a datagram to A": "inject_send",
    "let the driver inject a datagram of A": "inject_receive",
    "let the driver complete what it pended, with permit": "complete",
    "let the driver complete what it pended, with block": "complete_block",
    "let the driver complete the pended send to the group, with permit": "complete_group",
    "let the driver complete the pended send to the group, with block": "complete_group_block",
    "from A, answer an earlier datagram with ICMP port": "icmp_error",
    "from the router, answer": "icmp_ttl",
    "Set-NetConnectionProfile": "profile_change",
    "call setsockopt(IPV6_PROTECTION_LEVEL)": "protection_level",
    "let the driver end the flow": "flow_abort",
    "let 60 s pass": "idle_timeout",
    "let 4 s pass": "window_timeout",
    "call closesocket()": "close",
}


def lines_of(endpoint: str, goal: str, config: Config | None = None) -> list[str]:
    table = compile_table(endpoint, config or Config())
    return list(checklist(scenarios_of(table, cover(moves_of(table), goal))))


def meaning(text: str) -> str:
    if re.search(r"\b(add|delete|remove|install)\b", text):  # whoever touches a filter changes the policy
        return "policy_change"
    return next(stimulus for words, stimulus in MEANS.items() if text.startswith(words))


class Person:
    """Works off the steps: switches stay as they were set, and a callout asks them at each classify."""

    def __init__(self, endpoint: str, config: Config) -> None:
        self.endpoint = Endpoint(endpoint, config)
        self.endpoint.register(self.answer)
        self.switches: dict[str, list[str]] = {}
        self.asked: dict[str, int] = {}

    def answer(self, context: ClassifyContext) -> str:
        name = context.layer.fwpm_name.removeprefix("FWPM_LAYER_")
        turn = self.asked[name] = self.asked.get(name, 0) + 1
        given = self.switches.get(name, [])
        return given[turn - 1] if turn <= len(given) else "permit"

    def switch(self, text: str) -> None:
        pairs = re.findall(r"(\w+) = ([a-z ]+)", text)
        assert pairs or text == "all permit"
        self.switches = {layer: given.split(" then ") for layer, given in pairs}

    def do(self, text: str) -> list[str]:
        self.asked = {}
        stimulus = meaning(text)
        try:
            record = self.endpoint.run(stimulus)
        except NoTransition:
            return []
        named = []
        for step in record.classified:
            events = "".join(f" event {event}" for event, at in record.logged if at is step)
            named.append(f"{step.layer.removeprefix('FWPM_LAYER_')} ({step.runtime_id}){events}")
        seen = [f"layers: {', '.join(named) or 'none'}"]
        if record.outcome:
            at = f" at {record.blocked_at}" if record.blocked_at else ""
            seen.append(f"the datagram, or the call: {record.outcome}{at}")
        if record.application_sees and STIMULI[record.stimulus].seen_by_application:
            seen.append(f"the program sees: {record.application_sees}")
        if record.remote_sees:
            seen.append(f"the peer sees: {record.remote_sees}")
        return seen


def steps(lines: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    """(kind, text, expectations) of each line of the run: "start", "switches" or "do"."""
    found: list[tuple[str, str, list[str]]] = []
    for line in lines:
        if "start the test program anew" in line:
            found.append(("start", line, []))
        elif switched := re.fullmatch(r"  \[ \] \d+\. switches: (.*)", line):
            found.append(("switches", switched[1], []))
        elif done := re.fullmatch(r"  \[ \] \d+\. [a-z]: (.*)", line):
            found.append(("do", done[1], []))
        elif line.startswith("        ") and found:
            found[-1][2].append(line.strip())
    return iter(found)


@pytest.mark.parametrize("goal", ["edges", "refusals", "layers"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_worked_off_as_a_person_would_every_line_holds(endpoint: str, goal: str) -> None:
    person, done = Person(endpoint, Config()), 0
    for kind, text, expected in steps(lines_of(endpoint, goal)):
        if kind == "start":
            person = Person(endpoint, Config())
        elif kind == "switches":
            person.switch(text)
        else:
            done += 1
            seen = person.do(re.sub(r"^\(in place of [^)]*\) ", "", text))
            if not seen:  # the model refuses it: the list must say how the call fails
                assert expected and "the call fails with WSA" in expected[0]
                continue
            assert seen == expected, text
    assert done


def test_every_stimulus_has_words_that_mean_it_alone() -> None:
    for stimulus, text in CALLS.items():
        assert meaning(text) == stimulus


def test_only_steps_that_are_a_policy_change_touch_a_filter() -> None:
    lines = lines_of("sender", "edges")
    first = next(number for number, line in enumerate(lines) if line.startswith("sender edges 1"))
    last = lines.index("When all is done:")
    touching = [line for line in lines[first:last] if re.search(r"\b(add|delete|remove)\b", line)]
    assert touching and all("the filter pair 'toggle'" in line for line in touching)
    assert not any("must not take" in line or "cannot happen" in line for line in lines)


@pytest.mark.parametrize("config", [Config(), configure(ip=6)], ids=str)
def test_the_preparation_names_conditions_that_each_layer_offers(config: Config) -> None:
    lines = lines_of("sender", "layers", config)
    rows = [line.strip() for line in lines if line.startswith("      FWPM_LAYER_")]
    assert len(rows) == 21
    for row in rows:
        layer, _, words = row.partition(": ")
        fields = re.findall(r"FWPM_CONDITION_\w+", words)
        assert fields and all(layer in FIELDS[field].layers for field in fields)
    packet = next(row for row in rows if row.startswith("FWPM_LAYER_INBOUND_IPPACKET"))
    assert packet.endswith(": FWPM_CONDITION_IP_REMOTE_ADDRESS = A, B, the router or the group")


def test_what_is_set_up_is_taken_away_again() -> None:
    text = "\n".join(lines_of("dropped_port", "edges"))
    before, _, after = text.partition("When all is done:")
    for guid in ("{0CCE9225-69AE-11D9-BED3-505054503030}", "{0CCE9226-69AE-11D9-BED3-505054503030}"):
        assert f"{guid} /success:enable /failure:enable" in before
        assert f"{guid} /success:disable /failure:disable" in after
    for part in ("Machine M", "Machine A", "DisableStealthMode", "advfirewall", "join the group", "FwpmFilterAdd0"):
        assert part in before
    assert "DisableStealthMode /f" in after and "delete rule name=wfp-udp-test" in after and text.isascii()


def test_what_nobody_can_try_is_counted_and_left_to_the_scenario_file() -> None:
    lines = lines_of("sender", "refusals")
    assert any(line.endswith("the call fails with WSAEINVAL (10022); nothing else happens") for line in lines)
    (said,) = [line for line in lines if "refusals are not in this list" in line]
    assert int(said.split()[0]) > 100
    assert not any("refusals are not" in line for line in lines_of("sender", "edges"))


def test_without_a_scenario_there_is_nothing_to_do() -> None:
    assert list(checklist([])) == ["Nothing can be exercised, so there is nothing to do."]
