"""The checklist, worked off as a person would: every action happens on the model, and every line holds there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from fsm.choices import Config, configure
from fsm.endpoint import ClassifyContext, Endpoint
from fsm.errors import NoTransition
from fsm.names import ENDPOINTS
from fsm.plan.checklist import checklist
from fsm.plan.checklist_steps import CALLS
from fsm.plan.cover import cover
from fsm.plan.moves import moves_of
from fsm.plan.scenarios import scenarios_of
from fsm.policy.fields import FIELDS
from fsm.scenarios.model import Do, Expectation, ExpectedLayer, Scenario, Spot
from fsm.stimuli import STIMULI
from fsm.table import compile_table

# What the words of a step bring about, by their beginning: said here again, by hand.
MEANS = {
    r"call bind\(\) to the wildcard address and port 50000$": "bind",
    r"call connect\(\) to A:53$": "connect",
    r"call connect\(\) to B:53$": "connect_other",
    r"call sendto\(\) to A:53$": "sendto",
    r"call sendto\(\) to G:53$": "sendto_group",
    r"from [AT]:53, send a datagram to M:P$": "datagram",
    r"from A:53, send a datagram to G:P$": "datagram_group",
    r"let the driver inject a datagram of M:P to [AT]:53$": "inject_send",
    r"let the driver inject a datagram of [AT]:53 to M:P$": "inject_receive",
    r"let the driver complete what it holds at \w+, with permit$": "complete",
    r"let the driver complete what it holds at \w+, with block$": "complete_block",
    r"let the driver complete the send to G that it holds at \w+, with permit$": "complete_group",
    r"let the driver complete the send to G that it holds at \w+, with block$": "complete_group_block",
    r"from ([AT]), send ICMP port unreachable that quotes a datagram of M:P to \1:53$": "icmp_error",
    r"from R, send ICMP time exceeded that quotes a datagram of M:P to [AT]:53$": "icmp_ttl",
    r"set M's network profile to Private, or to Public if it is Private now$": "profile_change",
    r"call setsockopt\(\) with protection level 10, or 20 if it is 10 now$": "protection_level",
    r"let the driver end the flow with [AT] \(FwpsFlowAbort0\)$": "flow_abort",
    r"let 60 s pass without a datagram of this flow": "idle_timeout",
    r"let 4 s pass without a datagram sent to G$": "window_timeout",
    r"call closesocket\(\)$": "close",
}


def lines_of(endpoint: str, goal: str, config: Config | None = None) -> list[str]:
    table = compile_table(endpoint, config or Config())
    return list(checklist(scenarios_of(table, cover(moves_of(table), goal))))


def meaning(text: str) -> str:
    if re.search(r"\b(add|delete|remove|install)\b", text):  # whoever touches a filter changes the policy
        return "policy_change"
    return next(stimulus for words, stimulus in MEANS.items() if re.match(words, text))


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
        elif line.startswith("        ") and not line.startswith("        note: ") and found:
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
        assert meaning(text.format(peer="A", held="X")) == stimulus


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
    assert packet.endswith(": FWPM_CONDITION_IP_REMOTE_ADDRESS = A or G")
    every = next(line for line in lines_of("sender", "edges", config) if "FWPM_LAYER_INBOUND_IPPACKET" in line)
    assert every.endswith(" = A, B, T, R or G")


def test_what_is_set_up_is_taken_away_again() -> None:
    text = "\n".join(lines_of("dropped_port", "edges"))
    before, _, after = text.partition("When all is done:")
    for guid in ("{0CCE9225-69AE-11D9-BED3-505054503030}", "{0CCE9226-69AE-11D9-BED3-505054503030}"):
        assert f"{guid} /success:enable /failure:enable" in before
        assert f"{guid} /success:disable /failure:disable" in after
    for part in ("Machine M", "Machine A", "DisableStealthMode", "advfirewall", "join it", "FwpmFilterAdd0"):
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
    plain = "\n".join(lines_of("sender", "edges"))  # no layer of the ICMP errors that M sends
    assert "DisableStealthMode" not in plain


def scenario_steps(lines: list[str]) -> list[list[tuple[str, list[str], list[str]]]]:
    """For each scenario its steps: (text, notes, expectations)."""
    runs: list[list[tuple[str, list[str], list[str]]]] = []
    for line in lines[lines.index("  [ ] All switches stand at permit.") :]:
        if "start the test program anew" in line:
            runs.append([])
        elif done := re.fullmatch(r"  \[ \] \d+\. [a-z]: (.*)", line):
            runs[-1].append((done[1], [], []))
        elif line.startswith("        note: "):
            runs[-1][-1][1].append(line.strip().removeprefix("note: "))
        elif line.startswith("        "):
            runs[-1][-1][2].append(line.strip())
    return runs


@pytest.mark.parametrize(
    ("endpoint", "goal"), [("receiver", "edges"), ("sender", "refusals"), ("receiver", "refusals")]
)
def test_an_icmp_error_about_nothing_sent_says_that_it_is_made_up(endpoint: str, goal: str) -> None:
    said: set[bool] = set()
    for run in scenario_steps(lines_of(endpoint, goal)):
        sent: set[str] = set()
        for text, notes, expected in run:
            if quoted := re.search(r"quotes a datagram of M:P to ([AT]):53", text):
                said.add(quoted[1] in sent)
                made_up = f"the quoted datagram is made up: none of this socket has gone to {quoted[1]}"
                assert (made_up in notes) == (quoted[1] not in sent)
            if "the datagram, or the call: sent" in expected and "G:53" not in text:
                sent.add("A")
    assert said == ({True, False} if goal == "edges" else {False})


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("goal", ["edges", "refusals"])
def test_every_part_is_named_with_its_steps_before_the_first(endpoint: str, goal: str) -> None:
    lines = lines_of(endpoint, goal)
    head = " ".join("\n".join(lines).partition("How to read a step.")[0].split())
    runs = scenario_steps(lines)
    needed: dict[str, list[bool]] = {}
    for _, notes, _ in (step for run in runs for step in run):
        for note in (note for note in notes if note.startswith("needs ")):
            names, _, without = note.removeprefix("needs ").partition("; ")
            for name in names.split(" and "):
                needed.setdefault(name, []).append(without == "can be left out")
    for name, each in needed.items():
        (said,) = re.findall(rf"\[ \] {name}: .*?\b(\d[\d,]*) steps? needs? it(.*?)\.", head)
        assert int(said[0].replace(",", "")) == len(each)
        assert (said[1] == ", and can be left out without it") == all(each)
    assert set(re.findall(r"\[ \] (\w+): ", head)) - {"Machine"} == set(needed)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_without_the_steps_that_can_be_left_out_every_other_holds(endpoint: str) -> None:
    """Worked off by somebody who leaves out what can be left out; the switches are set all the same."""
    person, left_out = Person(endpoint, Config()), 0
    droppable = [
        any(note.endswith("; can be left out") for note in notes)
        for run in scenario_steps(lines_of(endpoint, "edges"))
        for _, notes, _ in run
    ]
    for kind, text, expected in steps(lines_of(endpoint, "edges")):
        if kind == "start":
            person = Person(endpoint, Config())
        elif kind == "switches":
            person.switch(text)
        elif droppable.pop(0):
            left_out += 1
        else:
            assert person.do(re.sub(r"^\(in place of [^)]*\) ", "", text)) == expected, text
    assert left_out


def test_an_idle_flow_ends_as_an_aborted_one_does() -> None:
    table = compile_table("sender", Config())
    moves = moves_of(table)
    abort, idle = table.event_ids["flow_abort"], table.event_ids["idle_timeout"]
    ended = [state for state in moves.by_state if table.next_or_none(state, abort) >= 0]
    assert ended and all(table.step(state, abort) == table.step(state, idle) for state in ended)
    assert any("without it let 60 s pass instead" in line for line in lines_of("sender", "edges"))


def test_the_port_is_told_wherever_the_socket_gets_one() -> None:
    told: dict[str, set[str]] = {}
    for run in scenario_steps(lines_of("sender", "edges")):
        port = False
        for text, notes, _ in run:
            assert port or not re.search(r"\bP\b", text), text
            for note in (note for note in notes if note.startswith("P from here on: ")):
                port = True
                told.setdefault(note.removeprefix("P from here on: "), set()).add(meaning(text))
    implicit = "what 'netstat -ano -p udp' shows for the test program"
    assert set(told) == {"50000", implicit, f"the SourcePort of this event 5158, or {implicit}"}
    assert told["50000"] >= {"bind"} and "bind" not in told[f"the SourcePort of this event 5158, or {implicit}"]


@pytest.mark.parametrize(
    ("stimuli", "port"),
    [
        (("bind",), "50001, where the redirect put it"),
        (("sendto",), "50001, where the redirect put it"),
    ],
)
def test_a_redirected_bind_has_the_port_of_the_redirect(stimuli: tuple[str, ...], port: str) -> None:
    answers = (ExpectedLayer("FWPM_LAYER_ALE_BIND_REDIRECT_V4", "redirect"),)
    actions = tuple(Do(Spot("", 0), 0, "s", stimulus, answers=answers) for stimulus in stimuli)
    scenario = Scenario("by hand", Spot("", 0), Config(), (("s", "sender"),), actions)
    lines = list(checklist([scenario]))
    assert f"        note: P from here on: {port}" in lines
    assert any("sets the local port to 50001" in line for line in joined(lines))
    assert any("localport=50000,50001" in line for line in lines)


def joined(lines: list[str]) -> list[str]:
    """The items of the preparation, each as one line."""
    return re.sub(r"\n      (?=\w|\()", " ", "\n".join(lines)).splitlines()


@pytest.mark.parametrize(
    ("target", "where"),
    [
        ("remote", "sets the remote address and port to T:53. T is a further machine on the link: 192.0.2.13,"),
        ("local_process", "sets the remote address and port to 127.0.0.1:50053, with the redirect handle and"),
    ],
)
def test_a_redirect_says_where_to_and_the_flow_is_there_then(target: str, where: str) -> None:
    config = configure(assume={"redirect_target": target, "udp_local_redirect": "works"})
    redirect = (
        *(ExpectedLayer(f"FWPM_LAYER_ALE_{name}_V4") for name in ("BIND_REDIRECT", "RESOURCE_ASSIGNMENT")),
        ExpectedLayer("FWPM_LAYER_ALE_CONNECT_REDIRECT_V4", "redirect"),
    )
    told = ("datagram", "icmp_error", "icmp_ttl", "inject_send", "inject_receive", "sendto", "flow_abort", "datagram")
    actions = (
        Do(Spot("", 0), 0, "s", "sendto", answers=redirect),
        *(Do(Spot("", 0), 0, "s", stimulus) for stimulus in told),
    )
    lines = list(checklist([Scenario("by hand", Spot("", 0), config, (("s", "sender"),), actions)]))
    assert any(where in line for line in joined(lines))
    (run,) = scenario_steps(lines)
    assert [text for text, _, _ in run] == [
        "call sendto() to A:53",
        "from T:53, send a datagram to M:P",
        "from T, send ICMP port unreachable that quotes a datagram of M:P to T:53",
        "from R, send ICMP time exceeded that quotes a datagram of M:P to T:53",
        "let the driver inject a datagram of M:P to T:53",
        "let the driver inject a datagram of T:53 to M:P",
        "call sendto() to A:53",
        "let the driver end the flow with T (FwpsFlowAbort0)",
        "from A:53, send a datagram to M:P",
    ]
    assert not any("made up" in note for _, notes, _ in run for note in notes)


@pytest.mark.parametrize(
    ("config", "level"),
    [
        (Config(), "IPPROTO_IP"),
        (configure(ip=6), "IPPROTO_IPV6"),
        (configure(assume={"dual_stack": "yes"}), "IPPROTO_IPV6"),
    ],
    ids=str,
)
def test_the_socket_option_has_level_value_and_something_to_look_for(config: Config, level: str) -> None:
    lines = lines_of("receiver", "edges", config)
    (said,) = [line for line in joined(lines) if "] setsockopt: " in line]
    assert f"setsockopt(s, {level}, 23, " in said and "DWORD 10 (PROTECTION_LEVEL_UNRESTRICTED) or 20 (" in said
    assert (".NET" in said) == (level == "IPPROTO_IP") and ("for V6 alone" in said) == (level == "IPPROTO_IP")
    found = [
        (notes, expected) for run in scenario_steps(lines) for text, notes, expected in run if "setsockopt()" in text
    ]
    assert found
    for notes, expected in found:
        blocked = any(": blocked at" in line for line in expected)
        result = "write down what setsockopt() returns" if blocked else "setsockopt() returns 0"
        assert f"{result}; the classify has the flag IS_RECLASSIFY" in notes


@pytest.mark.parametrize(
    ("config", "layers"),
    [
        (Config(), {"ALE_BIND_REDIRECT_V4", "ALE_RESOURCE_ASSIGNMENT_V4", "ALE_AUTH_CONNECT_V4"}),
        (configure(assume={"dual_stack": "yes"}), {"ALE_BIND_REDIRECT_V6", "ALE_RESOURCE_ASSIGNMENT_V6"}),
        (configure(assume={"close": "closure_release"}), {"ALE_ENDPOINT_CLOSURE_V4"}),
    ],
    ids=["usual", "dual stack", "close"],
)
def test_a_completion_names_the_layer_whose_answer_was_pend(config: Config, layers: set[str]) -> None:
    held, pended, seen = "", [], set()
    for kind, text, _ in steps(lines_of("receiver", "edges", config)):
        if kind == "switches":
            pended = re.findall(r"(\w+) = (?:permit then )*pend", text)
        elif kind == "do":
            if completed := re.search(r"complete what it holds at (\w+),", text):
                assert completed[1] == held, text
                seen.add(held)
            held = pended[0] if pended else held
            pended = []
    assert layers <= seen


@pytest.mark.parametrize(("answer", "said"), [("pend", True), ("permit", False)])
def test_what_is_still_held_is_completed_at_the_end(answer: str, said: bool) -> None:
    actions = (Do(Spot("", 0), 0, "s", "bind", answers=(ExpectedLayer("FWPM_LAYER_ALE_BIND_REDIRECT_V4", answer),)),)
    lines = list(checklist([Scenario("by hand", Spot("", 0), Config(), (("s", "sender"),), actions)]))
    (end,) = [line for line in lines if line.startswith("  [ ] end: ")]
    assert ("let the driver complete what it still holds; " in end) == said


def test_a_made_list_of_one_step_counts_in_the_singular() -> None:
    actions = (Do(Spot("", 0), 0, "s", "policy_change"), Do(Spot("", 0), 0, "s", "datagram", expects=REFUSED))
    lines = list(checklist([Scenario("by hand", Spot("", 0), Config(), (("s", "sender"),), actions)]))
    assert any(line.endswith("1 step needs it, and can be left out without it.") for line in joined(lines))
    assert any(line.startswith("1 refusal is not in this list") for line in lines)


REFUSED = (Expectation("refused", Spot("", 0)),)


def test_what_is_not_in_the_list_is_said_first_and_the_audit_is_put_back() -> None:
    lines = lines_of("sender", "refusals")
    assert "refusals are not in this list" in lines[0]
    assert lines.index(next(line for line in lines if line.startswith("Before you begin"))) == 4
    noted = [at for at, line in enumerate(lines) if "auditpol /get" in line]
    first = next(at for at, line in enumerate(lines) if "auditpol /set" in line)
    back = next(at for at, line in enumerate(lines) if "Set the audit back to what was written down" in line)
    assert len(noted) == 2 and noted[-1] < first < back
