"""Claims: every kind of failure with its whole text, witnesses that replay, commands that work, checked names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import failure_examples
import pytest
from click.testing import CliRunner
from failure_examples import EXAMPLES, NAMES, PAGE, Example

from fsm.choices import Config
from fsm.claims import accepts, always_after, always_before, endpoint, equivalent, matches, never, observation, reaches
from fsm.claims.finding import Finding, Undecided
from fsm.claims.subject import SessionSubject
from fsm.claims.text import DRAW, ORDER, TOKEN, WHY
from fsm.claims.witness import command_of
from fsm.cli import cli
from fsm.errors import FsmError, UnknownName
from fsm.policy.in_force import index_policy
from fsm.session import make_session
from fsm.stepper import Walk
from fsm.table import Table, compile_table
from fsm.traces.observation import Observation, Trace


def finding_of(example: Example) -> Finding | None:
    try:
        found = eval(example.code, {"__builtins__": {}, **NAMES})
    except FsmError:
        return None
    assert isinstance(found, Finding)
    return found


FINDINGS = [(example, found) for example in EXAMPLES if (found := finding_of(example)) is not None]


def test_the_page_of_failures_is_what_the_claims_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == failure_examples.page(), f"run {failure_examples.COMMAND}"


def test_there_are_sixty_failures_of_every_kind_and_no_two_alike() -> None:
    assert len(EXAMPLES) >= 60
    assert {example.kind for example in EXAMPLES} == set(failure_examples.TITLES)
    assert len({(example.kind, example.cause) for example in EXAMPLES}) == len(EXAMPLES)
    bodies = {(e.kind, failure_examples.message(e).partition("\n")[2] or failure_examples.message(e)) for e in EXAMPLES}
    assert len(bodies) == len(EXAMPLES)


def test_the_parts_of_every_message_are_in_one_order_and_none_is_empty() -> None:
    for example, found in FINDINGS:
        headings = [part.heading for part in found.parts]
        assert headings == sorted(headings, key=ORDER.index), example.code
        assert all(part.lines and all(part.lines) for part in found.parts), example.code
        assert found.message.isascii(), example.code


def test_no_failure_is_true_and_every_one_is_raised_with_its_whole_text() -> None:
    for example, found in FINDINGS:
        with pytest.raises(AssertionError) as raised:
            found.require()
        assert str(raised.value) == found.message
        shown = repr(found)
        assert shown.startswith(f"<{found.verdict}: ") and "\n" not in shown and len(shown) < 240, example.code
        if found.verdict == "unknown":
            with pytest.raises(Undecided) as undecided:
                bool(found)
            assert str(undecided.value) == found.message
        else:
            assert not found, example.code


def test_every_token_brings_the_stepper_to_the_end_of_the_run() -> None:
    replayed = 0
    for example, found in FINDINGS:
        if found.token:
            walk = Walk.from_token(found.token, manual=True)
            assert tuple(node.move for node in walk.path_to(walk.at)) == found.witness, example.code
            replayed += 1
    assert replayed > 30


def test_every_command_that_draws_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = {part.lines for _, found in FINDINGS if (part := found.part(DRAW)) is not None}
    assert len(commands) > 20
    for lines in sorted(commands):
        for line in lines:
            words, _, file = line.partition(" > ")
            program, *arguments = shlex.split(words)
            assert program == "wfp-udp"
            done = CliRunner().invoke(cli, arguments, standalone_mode=False)
            assert done.exception is None and done.output, line
            if file:
                (tmp_path / file).write_text(done.output, encoding="utf-8")


def test_every_command_that_steps_begins_where_the_run_ends() -> None:
    commands = {part.lines[0] for _, found in FINDINGS if (part := found.part(TOKEN)) is not None}
    for line in sorted(commands)[::6]:
        done = CliRunner().invoke(cli, shlex.split(line)[1:], input="t\nquit\n", standalone_mode=False)
        assert done.exception is None and shlex.split(line)[-1] in done.output, (line, done.output)


def test_a_run_with_two_verdicts_at_one_layer_is_drawn_from_its_token_or_by_its_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    subject = endpoint("sender", any_verdict=True)
    found = matches(subject, "... AUTH_CONNECT:block ... AUTH_CONNECT:permit").require()
    part = found.part(DRAW)
    assert part is not None and part.lines == (f"wfp-udp step --token {found.token} -o walk.svg",)
    events, state = [], subject.runs.start
    for move in found.witness:
        number, state = next(e for e in subject.runs.edges(state) if subject.runs.events[e[0]].move == move)
        events.append(subject.runs.events[number])
    (by_rules,) = command_of(subject, events, "")  # as where a run is too long for a token
    assert by_rules.startswith("wfp-udp diagram sender --highlight")
    for line in (*part.lines, by_rules):
        done = CliRunner().invoke(cli, shlex.split(line)[1:], standalone_mode=False)
        assert done.exception is None and done.output
    svg = (tmp_path / "walk.svg").read_text(encoding="utf-8")
    assert svg.index("BLOCK") < svg.rindex("ALE_AUTH_CONNECT")


def test_the_command_that_draws_a_run_of_a_session_shows_its_events_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    drawn = 0
    session = make_session(verdicts=["permit", "block"])
    more = [matches(session, "... (bind@sender) . BIND_REDIRECT:block@sender ..."), reaches(session, "(bind@sender)")]
    for found in (*(found for _, found in FINDINGS), *more):
        part = found.part(DRAW)
        if part is None or "_session_" not in found.token:
            continue
        (line,) = part.lines
        assert CliRunner().invoke(cli, shlex.split(line)[1:], standalone_mode=False).exception is None, line
        assert (tmp_path / "walk.svg").read_text(encoding="utf-8").startswith("<svg")
        text = CliRunner().invoke(cli, [*shlex.split(line)[1:-1], "-"], standalone_mode=False).output
        walk = Walk.from_token(found.token, manual=True)
        wanted = [f"{n}. {node.move}" for n, node in enumerate(walk.path, 1)]
        assert [row.strip() for row in text.splitlines() if re.match(r" *[0-9]+[.] ", row)] == wanted
        layers = [row.split("[")[0].strip() for row in text.splitlines() if re.match(r"       [A-Z0-9_]+ [a-z]+", row)]
        steps = [step for node in walk.path for step in node.steps if step.layer]
        assert layers == [f"{step.layer.removeprefix('FWPM_LAYER_')} {step.verdict}" for step in steps]
        drawn += 1
    assert drawn >= 5


@pytest.mark.parametrize(
    "code",
    [
        'accepts("sender", "AUTH_CONNECT:veto")',
        'matches("sender", "... AUTH_CONNECT:veto")',
        'matches("sender", "... AUTH_CONNECT+IS_REAUTHORIZE+IS_WILDCARD_BIND")',
        'accepts("dropped_port", "INBOUND_IPPACKET AUTH_RECV_ACCEPT")',
        'accepts(make_session(), "AUTH_RECV_ACCEPT:block@receiver")',
    ],
)
def test_nothing_is_said_to_come_after_something_where_no_run_comes_to_it(code: str) -> None:
    found = eval(code, dict(NAMES))
    way, why = found.part("shortest way"), found.part(WHY)
    assert way.lines[0].startswith("there is none")
    assert "comes after" not in str(why) and "come to it first" not in str(why)


def test_a_refusal_names_what_reaches_names_where_nothing_comes_to_it() -> None:
    for target in ("AUTH_CONNECT:veto", "DATAGRAM_DATA+IS_REAUTHORIZE", "STREAM_V4"):
        assert accepts("sender", target).part(WHY) == reaches("sender", target).part(WHY)
    text = str(accepts("sender", "AUTH_CONNECT:veto").part(WHY))
    assert text == "why: ALE_AUTH_CONNECT_V4 has no rule for the verdict veto"


@pytest.mark.parametrize("claim", [reaches, accepts, lambda about, what: matches(about, f"... {what}")])
def test_a_session_says_by_rule_and_citation_why_a_layer_does_not_block(claim: Any) -> None:
    found = claim(make_session(), "AUTH_RECV_ACCEPT:block@receiver")
    why = " ".join(found.part(WHY).lines)
    assert "receiver: ALE_AUTH_RECV_ACCEPT_V4 answers permit" in why
    assert "it would take block by rule receive.accept.block[flow=NONE] (observed: UDPF, LID, SECDS, EBPF)" in why
    assert "answer permit only; make_session(verdicts=" in why


def test_a_session_names_the_guard_that_fails_and_the_stimulus_that_is_missing() -> None:
    again = accepts(make_session(), "(bind@sender) BIND_REDIRECT RESOURCE_ASSIGNMENT (bind@sender)")
    assert again.part(WHY).lines[0] == "sender: (bind) is refused there: it needs socket UNBOUND; here: socket BOUND"
    nobody = reaches(make_session(["sender", "dropped_port"]), "AUTH_RECV_ACCEPT")
    assert "and no (datagram) happens to sender in this session" in " ".join(nobody.part(WHY).lines)


@pytest.mark.parametrize(
    ("code", "last", "position"),
    [
        ('matches("sender", "... AUTH_CONNECT:block ...")', "ALE_CONNECT_REDIRECT_V4 permit", "send.authorize"),
        ('matches("sender", "... AUTH_CONNECT+IS_REAUTHORIZE+IS_WILDCARD_BIND")', "(sendto)", "OUT_STALE sendto@send"),
        ('matches(make_session(), "... AUTH_RECV_ACCEPT:block@receiver")', "INBOUND_TRANSPORT_V4 permit",
         "the middle of (datagram)@receiver"),
        ('matches("sender", "... (bind) ... (bind)")', "(bind)", "UNBOUND/NONE bind@bind.redirect"),
        ('matches(make_session(), "... (bind@sender) ... (bind@sender)")', "ASSIGNMENT_V4 permit", "sender=BOUND"),
    ],
)  # fmt: skip
def test_the_prefix_of_a_pattern_is_the_run_that_comes_nearest_to_the_rest_of_it(
    code: str, last: str, position: str
) -> None:
    so_far = eval(code, dict(NAMES)).part("possible so far")
    assert "takes at least" in so_far.lines[0]
    assert last in so_far.lines[-2] and position in so_far.lines[-1], so_far


def test_where_every_state_is_as_near_nothing_is_listed() -> None:
    found = matches("sender", "... STREAM_V4")
    assert str(found.part("possible so far")).endswith("'...' takes whatever comes before")
    assert found.part("possible there") is None and found.token == ""


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("5157", "5157 is the id of a Security event, which records ALE_AUTH_CONNECT:block and "
         "ALE_AUTH_RECV_ACCEPT:block. A claim takes a layer by any of its names"),
        ("777", "Known ids run from 0 to 98. A claim takes a layer by any of its names or its run-time id"),
        ("firewall", "a stimulus in parentheses ('(sendto)'), an outcome (sent) or a condition (flow=OUT)"),
    ],
)  # fmt: skip
def test_a_word_that_is_like_no_other_is_told_what_words_are_taken(target: str, said: str) -> None:
    with pytest.raises(FsmError) as raised:
        never("sender", target)
    assert said in str(raised.value)


def test_the_witness_of_what_is_reached_ends_with_it() -> None:
    found = reaches("sender", "AUTH_CONNECT+IS_REAUTHORIZE").require()
    walk = Walk.from_token(found.token, manual=True)
    last = walk.ladder[-1]
    assert (last.layer, "IS_REAUTHORIZE" in last.flags) == ("FWPM_LAYER_ALE_AUTH_CONNECT_V4", True)
    assert last.verdict == "permit" and found.witness[-1] == "permit"


@pytest.mark.parametrize("spelling", ["AUTH_CONNECT", "ale_auth_connect_v4", "FWPM_LAYER_ALE_AUTH_CONNECT_V4", "48"])
def test_a_layer_is_taken_in_any_spelling(spelling: str) -> None:
    assert reaches("sender", spelling)
    assert not reaches("dropped_port", spelling)


def test_unknown_holds_for_nobody_and_passes_only_where_it_is_allowed() -> None:
    asked = "sender=CLOSED receiver=CLOSED network=datagram"
    strict = reaches(make_session(), asked, limit_states=20)
    allowed = reaches(make_session(), asked, limit_states=20, allow_unknown=True)
    assert strict.verdict == allowed.verdict == "unknown" and allowed
    assert allowed.require() is allowed
    for taken in (strict.require, lambda: bool(strict), lambda: not strict):
        with pytest.raises(Undecided, match="nothing is sure"):
            taken()
    refuted = never("sender", "AUTH_CONNECT", allow_unknown=True)
    assert not refuted
    with pytest.raises(AssertionError):
        refuted.require()


def test_a_limit_that_was_hit_does_not_hide_what_was_found_before_it() -> None:
    assert reaches(make_session(), "BIND_REDIRECT@sender", limit_states=20)
    assert never(make_session(), "BIND_REDIRECT@sender", limit_states=20).verdict == "refuted"


def test_what_can_never_be_says_that_nothing_could_make_the_claim_fail() -> None:
    found = never("receiver", "STREAM_V4").require()
    assert found.part("note") is not None and "no answer of a layer could change that" in found.message
    blocked = never(endpoint("sender", block=["RESOURCE_ASSIGNMENT"]), "DATAGRAM_DATA").require()
    assert "it is possible with other answers of the layers" in blocked.message


def test_a_fixed_verdict_is_given_everywhere_and_a_set_leaves_the_choice() -> None:
    one = endpoint("sender", block=["AUTH_CONNECT"])
    both = endpoint("sender", verdicts={"AUTH_CONNECT": ("permit", "block")})
    assert reaches(one, "AUTH_CONNECT:block") and not reaches(one, "AUTH_CONNECT:permit")
    assert reaches(both, "AUTH_CONNECT:block") and reaches(both, "AUTH_CONNECT:permit")
    assert never(one, "(sendto)").verdict == "refuted"


def test_a_callout_is_asked_with_layer_and_flags() -> None:
    asked: set[tuple[str, tuple[str, ...]]] = set()

    def callout(layer: str, flags: tuple[str, ...]) -> str | None:
        asked.add((layer, flags))
        return "block" if layer.endswith("AUTH_CONNECT_V4") and "IS_REAUTHORIZE" in flags else None

    subject = endpoint("sender", callouts=[callout])
    assert reaches(subject, "AUTH_CONNECT:block+IS_REAUTHORIZE")
    assert matches(subject, "... AUTH_CONNECT:permit ... AUTH_CONNECT_DISCARD")
    assert not reaches(endpoint("receiver", callouts=[callout], stimuli=["bind", "datagram"]), "AUTH_CONNECT:block")
    assert any("IS_REAUTHORIZE" in flags for _, flags in asked)


def test_answers_of_a_policy_are_asked_by_table_and_state() -> None:
    def answers(table: Table, state: int) -> tuple[str, ...]:
        return ("block",) if table.states[state].position == "send.authorize" else ("permit",)

    assert never(endpoint("sender", answers=answers, stimuli=["bind", "sendto"]), "FLOW_ESTABLISHED")


def test_a_pending_verdict_is_given_to_first_authorizations_only() -> None:
    subject = endpoint("sender", verdicts={"AUTH_CONNECT": "pend"})
    assert reaches(subject, "AUTH_CONNECT:pend")
    assert never(subject, "AUTH_CONNECT:pend+IS_REAUTHORIZE")


def test_a_trace_that_starts_with_the_bind_is_accepted_whatever_it_does_not_tell() -> None:
    layers = ["BIND_REDIRECT", "RESOURCE_ASSIGNMENT", "INBOUND_IPPACKET", "INBOUND_TRANSPORT", "AUTH_RECV_ACCEPT"]
    trace = Trace(tuple(observation(layer) for layer in layers))
    assert accepts("receiver", trace, only=layers)
    assert accepts("receiver", layers) and accepts("receiver", ", ".join(layers))
    flagged = Trace((*trace.observations[:4], observation("AUTH_RECV_ACCEPT", flags=("IS_REAUTHORIZE",))))
    assert accepts("receiver", flagged, only=layers)  # a group datagram
    assert not accepts(endpoint("receiver", stimuli=["bind", "datagram"]), flagged, only=layers, from_start=True)
    with pytest.raises(FsmError, match="shows no classify"):
        accepts("receiver", Trace(()))


def permitted(layer: str) -> Observation:
    return observation(layer, "permit", local="10.0.0.1:5000", remote="192.0.2.7:53")


def test_a_driver_log_is_accepted_as_check_takes_it() -> None:
    sent = ("AUTH_CONNECT", "FLOW_ESTABLISHED", "DATAGRAM_DATA")
    stands = (*sent, "AUTH_RECV_ACCEPT")
    middle = Trace(tuple(permitted(layer) for layer in (*sent[1:], sent[2])), "mid.log")
    assert accepts("sender", middle, only=sent)
    assert accepts("sender", middle)
    gap = Trace(tuple(permitted(layer) for layer in (*sent[1:], sent[0], sent[2], sent[0])), "gap.log")
    assert accepts("sender", gap)  # the flow is authorized again after a change of the policy
    refused = accepts("sender", gap, only=sent, never=["policy_change", "idle_timeout", "close", "flow_abort"])
    assert (refused.verdict, refused.cause) == ("refuted", "refused")
    assert [part.heading for part in refused.parts][:3] == ["possible so far", "given next", "why"]
    assert not accepts("sender", middle, from_start=True, only=stands)
    assert accepts("sender", middle, from_start=True, only=sent[1:])
    with pytest.raises(FsmError, match="not among the layers"):
        accepts("sender", middle, only=["AUTH_CONNECT"])
    with pytest.raises(FsmError, match="Leave it out of --without"):
        accepts("sender", middle, without=["DATAGRAM_DATA"])


def test_what_the_subject_cannot_do_its_log_does_not_show() -> None:
    blocked = Trace((observation("AUTH_CONNECT", "block"), observation("RESOURCE_ASSIGNMENT", "permit")), "drv.log")
    assert accepts("sender", Trace(blocked.observations[::-1]))
    assert accepts(endpoint("sender", block=["AUTH_CONNECT"]), Trace(blocked.observations[::-1]))
    assert not accepts(endpoint("sender", block=["RESOURCE_ASSIGNMENT"]), Trace(blocked.observations[::-1]))
    assert not accepts("dropped_port", blocked)
    policy = failure_examples.policy("kill-switch.toml")
    asked = endpoint("sender", policy=policy, from_="192.0.2.1:50000", to="198.51.100.7:4500")
    with pytest.raises(FsmError, match="shows by itself what its filters answered"):
        accepts(asked, blocked)
    with pytest.raises(FsmError, match="are for an endpoint and a recorded trace"):
        accepts("sender", ["BIND_REDIRECT"], from_start=True)


def test_conditions_and_unread_lines_are_no_acceptance() -> None:
    again = Trace(tuple(permitted(layer) for layer in ("AUTH_CONNECT", "FLOW_ESTABLISHED") * 2), "drv.log")
    found = accepts("sender", again, allow_unknown=True)
    assert (found.verdict, found.cause, found.allow_unknown) == ("unknown", "rare", False)
    assert "allow=['idle_timeout']" in found.message
    assert accepts("sender", again, allow=["idle_timeout"])
    unread = Trace(again.observations[:2], "drv.log", 3, (("drv.log, line 3", "no verdict named 'permt'"),))
    found = accepts("sender", unread)
    assert (found.verdict, found.cause) == ("unknown", "untold")
    assert "drv.log, line 3: no verdict named 'permt'" in found.message
    assert accepts("sender", unread, allow_unknown=True).require() == replace(found, allow_unknown=True)


def test_a_trace_is_neither_true_nor_false() -> None:
    with pytest.raises(FsmError, match=r'drv.log: a trace is neither .* Write accepts\("sender", trace\)'):
        assert Trace((observation("AUTH_CONNECT", "permit"),), "drv.log")


def test_a_trace_of_two_endpoints_is_two_conversations_or_a_matter_of_sessions() -> None:
    two = Trace((observation("BIND_REDIRECT", endpoint="sender"), observation("BIND_REDIRECT", endpoint="receiver")))
    apart = accepts("sender", two)  # one bind of each says nothing, but not because there are two
    assert (apart.verdict, apart.cause) == ("unknown", "untold")
    assert "endpoint sender: any number" in apart.message and "endpoint receiver: any number" in apart.message
    assert accepts(make_session(granularity="classify"), two)
    with pytest.raises(UnknownName, match="client"):
        accepts(make_session(), Trace((observation("BIND_REDIRECT", endpoint="client"),)))


def test_a_recorded_trace_is_a_subject_of_claims() -> None:
    seen = (observation("AUTH_CONNECT", "permit", at_s=0.0), observation("DATAGRAM_DATA", "permit", at_s=5.2))
    trace = Trace(seen, "drv.log")
    assert reaches(trace, "DATAGRAM_DATA") and matches(trace, "AUTH_CONNECT DATAGRAM_DATA")
    assert matches(trace, "(AUTH_CONNECT DATAGRAM_DATA) within 5s")
    assert not matches(trace, "(AUTH_CONNECT DATAGRAM_DATA) within 4s")
    assert always_after(trace, "AUTH_CONNECT", "DATAGRAM_DATA", before="AUTH_CONNECT")
    untold = reaches(Trace((observation("AUTH_CONNECT"),)), "AUTH_CONNECT:block")
    assert untold.verdict == "unknown" and "does not tell the verdict" in untold.message
    with pytest.raises(FsmError, match="has no time"):
        matches(Trace((observation("AUTH_CONNECT"),)), "(. .) within 4s")


def test_equal_subjects_are_equivalent_and_a_difference_is_the_shortest_one() -> None:
    assert equivalent("sender", "sender")
    found = equivalent("dropped_port", endpoint("dropped_port", block=["OUTBOUND_ICMP_ERROR"]))
    assert found.verdict == "refuted" and found.part("given next") is not None
    assert "OUTBOUND_ICMP_ERROR_V4" in str(found.part("given next"))
    assert equivalent("dropped_port", endpoint("dropped_port", block=["OUTBOUND_ICMP_ERROR"]), observing=["stimulus"])


def test_a_session_of_two_granularities_reaches_the_same() -> None:
    for target in ("INBOUND_ICMP_ERROR@sender", "receiver=BOUND/IN sender=CLOSED", "(lose)"):
        answers = {reaches(make_session(granularity=g), target).verdict for g in ("stimulus", "classify")}
        assert answers == {"holds"}, target


def test_every_reason_names_a_rule_of_the_table() -> None:
    from fsm.rules import RULES

    keys = {row.key for row in RULES}
    named = 0
    for _, found in FINDINGS:
        part = found.part(WHY)
        for line in part.lines if part else ():
            for key in re.findall(r"rule (\S+?(?:\[[^\]]*\])?) \(", line):
                assert key in keys
                named += 1
    assert named > 20


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("reaches(3, 'AUTH_CONNECT')", "claims: no claim can be made of an int. Possible: the name of an endpoint, "
         "endpoint(...), an Endpoint, make_session(...), a Trace."),
        ("reaches(configure(ip=6), 'AUTH_CONNECT')", "claims: a configuration alone has no endpoint. Write "
         "endpoint('sender', config)."),
        ("reaches(read_policy('kill-switch.toml'), 'AUTH_CONNECT')", "claims: a policy alone has no datagram. Write "
         "endpoint('sender', policy=..., from_='192.0.2.1:50000', to='198.51.100.1:53')."),
        ("reaches(index_policy(read_policy('kill-switch.toml')), 'AUTH_CONNECT')",
         "claims: a policy alone has no datagram. Write "
         "endpoint('sender', policy=..., from_='192.0.2.1:50000', to='198.51.100.1:53')."),
        ("reaches('sendr', 'AUTH_CONNECT')", "claims: no endpoint named 'sendr'. Did you mean 'sender'?"),
        ("reaches('sender', '')",
         "reaches: nothing is asked for. Write a layer, (stimulus), an outcome or name=value."),
        ("reaches('sender', '(bind')", "reaches: '(bind' has no closing parenthesis. Write (sendto)."),
        ("reaches('sender', 'icmp_error')", "reaches: 'icmp_error' is a stimulus and an outcome. Write (icmp_error) or "
         "outcome=icmp_error."),
        ("endpoint('dropped_port', block=['AUTH_CONNECT'])", None),
        ("endpoint('sender', stimuli=['bnd'])", None),
        ("accepts(Trace((observation('AUTH_CONNECT'),)), 'AUTH_CONNECT')",
         "accepts: a trace does not accept traces. Give an endpoint or a session first."),
        ("reaches('dropped_port', 'flow=OUT')", "reaches: dropped_port has no flow. It has no registers."),
    ],
)  # fmt: skip
def test_a_mistake_in_a_claim_is_one_line(code: str, said: str | None) -> None:
    with pytest.raises(FsmError) as raised:
        eval(code, {**NAMES, "index_policy": index_policy})
    assert said is None or str(raised.value) == said
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("matches('sender', '...')", "is matched before anything happens"),
        ("matches('sender', 'AUTH_CONNECT?')", "is matched before anything happens"),
        ("matches('receiver', '(!AUTH_RECV_ACCEPT)*')", "is matched before anything happens"),
        ("never(Trace(()), 'AUTH_CONNECT')", "claims: the trace given shows no classify"),
        ("equivalent(Trace(()), Trace(()))", "claims: the trace given shows no classify"),
        ("never(Trace((Observation('AUTH_CONNECT', 'block'),)), 'AUTH_CONNECT')", "'AUTH_CONNECT' is no full name"),
        ("never(Trace((observation('AUTH_CONNECT', 'blok'),)), 'AUTH_CONNECT:block')", "Did you mean 'block'?"),
        ("accepts('sender', Trace((observation('AUTH_CONNECT', 'blok'),)))", "Did you mean 'block'?"),
        ("accepts('sender', Trace((Observation('NOPE', 'block'),)))", "'NOPE' is no full name of a layer"),
        ("never(endpoint('sender', verdicts={'NONSENSE': []}), 'outcome=sent')", "NONSENSE: no verdict is given"),
        ("never(endpoint('sender', answers=lambda t, s: 'blok'), 'AUTH_CONNECT:block')", "Did you mean 'block'?"),
        ("never(endpoint('sender', answers=lambda t, s: ['blok']), 'AUTH_CONNECT:block')", "Did you mean 'block'?"),
        ("never(endpoint('sender', answers=lambda t, s: None), 'AUTH_CONNECT:block')", "None is no verdict"),
        ("never(endpoint('sender', answers=lambda t, s: 3), 'AUTH_CONNECT:block')", "no verdict named '3'"),
        ("never('sender', 'AUTH_CONNECT:block:permit')", "gives two after ':'"),
        ("never(make_session(), 'AUTH_CONNECT@sender@receiver')", "gives two after '@'"),
        ("reaches('sender', '!AUTH_CONNECT')", "'!' in '!AUTH_CONNECT' is of a pattern"),
        ("never('sender', 'DATAGRAM_DATA* ')", "'*' in 'DATAGRAM_DATA*' is of a pattern"),
        ("never('sender', 3)", "3 is no text"),
        ("accepts('sender', [None])", "accepts, number 1: None is no text"),
        ("accepts('sender', 3)", "3 is no trace"),
        ("matches('sender', None)", "pattern: None is no text"),
    ],
)
def test_a_claim_that_would_pass_without_a_meaning_is_one_line(code: str, said: str) -> None:
    with pytest.raises(FsmError) as raised:
        eval(code, {**NAMES, "Observation": Observation})
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_a_response_that_would_never_be_due_is_refuted() -> None:
    assert always_after("sender", "(bind)", "AUTH_CONNECT", before="STREAM_V4").cause == "never_due"
    seen = tuple(observation(name, "permit") for name in ("AUTH_CONNECT", "FLOW_ESTABLISHED"))
    assert always_after(Trace(seen), "AUTH_CONNECT", "FLOW_ESTABLISHED", before="DATAGRAM_DATA")
    ends = always_after(Trace(seen), "AUTH_CONNECT", "DATAGRAM_DATA", before="RESOURCE_ASSIGNMENT")
    assert (ends.verdict, ends.cause) == ("unknown", "untold")
    assert always_after(Trace(seen), "AUTH_CONNECT", "DATAGRAM_DATA", before="FLOW_ESTABLISHED").verdict == "refuted"


def test_what_nobody_can_see_makes_nothing_equivalent() -> None:
    found = equivalent("sender", "receiver", observing=["endpoint"])
    assert (found.verdict, found.cause) == ("refuted", "vacuous")
    closed = equivalent(endpoint("sender", stimuli="close"), endpoint("receiver", stimuli="close"))
    assert closed.cause == "vacuous"
    assert equivalent("sender", "sender", observing="layer verdict")


def test_one_name_stands_for_a_list_of_one() -> None:
    assert endpoint("sender", block="AUTH_CONNECT").title == endpoint("sender", block=["AUTH_CONNECT"]).title
    assert endpoint("sender", stimuli="bind, sendto").stimuli == ("bind", "sendto")
    asked = never(endpoint("sender", answers=lambda table, state: "block"), "BIND_REDIRECT:permit")
    assert asked.verdict == "holds"
    assert never(endpoint("sender", callouts=lambda layer, flags: "block"), "BIND_REDIRECT:permit")  # type: ignore[arg-type]


def test_a_pattern_that_nothing_leaves_is_told_to_be_one() -> None:
    for pattern in ("...", "(STREAM_V4 | ...)", "(!STREAM_V4)*"):
        assert "no answer of a layer could change that" in matches("sender", pattern, every=True).message
    blocked = endpoint("sender", block=["RESOURCE_ASSIGNMENT"], stimuli=["bind"])
    found = matches(blocked, "(!RESOURCE_ASSIGNMENT:permit)*", every=True)
    assert found and "no answer" not in found.message
    nothing = matches(Trace((observation("AUTH_CONNECT", "permit"),)), "AUTH_CONNECT DATAGRAM_DATA", every=True)
    assert "no run can match it: no run shows DATAGRAM_DATA" in nothing.message


def test_a_session_tells_which_verdicts_it_leaves_out() -> None:
    told = "the layers of this session answer permit only"
    assert told in never(make_session(), "AUTH_CONNECT:block").message
    assert told in reaches(make_session(), "AUTH_CONNECT:block").message


def test_the_limit_that_is_given_with_a_claim_is_the_one_that_counts() -> None:
    cut = reaches(SessionSubject(make_session()), "(close)", limit_states=1)
    assert cut.verdict == "unknown"
    assert cut.message.splitlines()[1].startswith("searched: the first state of the session; there are others")
    seen = equivalent(make_session(), "sender", limit_states=1)
    assert (seen.verdict, seen.cause) == ("unknown", "limit")
    other = equivalent("sender", make_session(), limit_states=5)
    assert other.message.splitlines()[1].startswith("searched: the first 5 states of the session; there are others")


CLAIMS: dict[str, Callable[..., Finding]] = {
    "reaches": lambda about, **more: reaches(about, "BIND_REDIRECT", **more),
    "never": lambda about, **more: never(about, "BIND_REDIRECT", **more),
    "always_before": lambda about, **more: always_before(about, "BIND_REDIRECT", "RESOURCE_ASSIGNMENT", **more),
    "always_after": lambda about, **more: always_after(about, "BIND_REDIRECT", "(close)", before="(bind)", **more),
    "accepts": lambda about, **more: accepts(about, ["BIND_REDIRECT"], **more),
    "matches": lambda about, **more: matches(about, "BIND_REDIRECT ...", **more),
    "equivalent": lambda about, **more: equivalent(about, "sender", **more),
}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ("x", "claims, limit_states: 'x' is no number of states. Whole numbers from 1 on."),
        (2.5, "claims, limit_states: 2.5 is no number of states. Whole numbers from 1 on."),
        (True, "claims, limit_states: True is no number of states. Whole numbers from 1 on."),
        (0, "claims, limit_states: 0 states are too few. Give 1 or more."),
    ],
)
def test_a_limit_that_is_none_is_told_in_one_line(claim: str, limit: Any, told: str) -> None:
    for about in (make_session(), SessionSubject(make_session())):
        with pytest.raises(FsmError) as error:
            CLAIMS[claim](about, limit_states=limit)
        assert str(error.value) == told
    with pytest.raises(FsmError) as error:
        SessionSubject(make_session(), limit).space  # noqa: B018
    assert str(error.value) == told.replace("claims, limit_states", "--limit-states")


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_limit_for_what_is_no_session_is_refused_and_not_passed_over(claim: str) -> None:
    fix = "is no session. Of an endpoint and of a trace every state is looked at, however many. Leave it out."
    title = "sender (IPv4, Windows 11)"
    both = f"neither {title} nor {title}" if claim == "equivalent" else title
    for about in ("sender", endpoint("sender"), compile_table("sender", Config())):
        with pytest.raises(FsmError) as error:
            CLAIMS[claim](about, limit_states=1)
        assert str(error.value) == f"claims, limit_states: {both} {fix}"
    with pytest.raises(FsmError, match=f"trace .1 classify. .*{fix}" if claim == "equivalent" else fix):
        CLAIMS[claim](Trace((observation("AUTH_CONNECT", "permit"),)), limit_states=1)


def claim(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["claim", *arguments], standalone_mode=False)
    if done.exception is not None:
        assert isinstance(done.exception, FsmError), done.exception
        return done.exception.exit_status, str(done.exception)
    return done.return_value, done.output


def test_the_command_prints_the_message_and_exits_with_1_where_a_claim_fails() -> None:
    status, text = claim("never", "sender", "outcome=sent", "--block", "AUTH_CONNECT")
    assert (status, text) == (1, never(endpoint("sender", block=["AUTH_CONNECT"]), "outcome=sent").message + "\n")
    assert claim("reaches", "session", "receiver=BOUND/IN sender=CLOSED")[0] == 0
    assert claim("accepts", "receiver", "BIND_REDIRECT", "RESOURCE_ASSIGNMENT", "INBOUND_IPPACKET")[0] == 0
    assert claim("always-before", "sender", "RESOURCE_ASSIGNMENT", "DATAGRAM_DATA")[0] == 0
    assert claim("matches", "dropped_port", "(!INBOUND_TRANSPORT)*", "--every")[0] == 0
    assert claim("always-after", "sender", "(policy_change)", "AUTH_CONNECT", "--before", "(close)")[0] == 1


def test_the_command_exits_with_0_where_not_knowing_was_allowed() -> None:
    asked = ("reaches", "session", "sender=CLOSED receiver=CLOSED network=datagram", "--limit-states", "20")
    assert claim(*asked)[0] == 1 and claim(*asked, "--allow-unknown")[0] == 0


def test_the_command_gives_json_with_every_part() -> None:
    import json

    status, text = claim("reaches", "sender", "AUTH_CONNECT:block", "--format", "json")
    data = json.loads(text)
    assert (status, data["verdict"], data["cause"]) == (1, "refuted", "unreachable")
    assert set(data["parts"]) == {"why", "shortest way", "token", "draw"} and data["token"].startswith("wfp2_")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nevr", "sender", "AUTH_CONNECT"), "no claim named 'nevr'. Did you mean 'never'?"),
        (("never", "sendr", "AUTH_CONNECT"), "no endpoint named 'sendr'"),
        (("never", "sender", "AUTH_CONNECT", "DATAGRAM_DATA"), "2 words are given. It takes TARGET"),
        (("never", "sender", "AUTH_CONNECT", "--every"), "--every is for matches"),
        (("never", "sender", "AUTH_CONNECT", "--limit-states", "3"), "--limit-states is for sessions"),
        (("never", "session", "AUTH_CONNECT", "--block", "AUTH_CONNECT"), "are for one endpoint"),
        (("never", "session", "AUTH_CONNECT", "--to", "192.0.2.1:53"), "are for one endpoint"),
        (("never", "session", "AUTH_CONNECT", "--limit-states", "0"), "0 states are too few"),
        (
            ("never", "sender", "AUTH_CONNECT", "--ordinary"),
            "describe a datagram. They are for --policy. Give --policy",
        ),
        (("never", "sender", "AUTH_CONNECT", "--policy", "x.toml", "--to", "192.0.2.1:53"), "Give --from 192.0.2.1"),
        (
            ("never", "sender", "AUTH_CONNECT", "--html", "no/such/folder/x.html"),
            "--html no/such/folder/x.html: no folder",
        ),
        (("never", "sender", "AUTH_CONNECT", "--html", "."), "--html .: this is a folder. Name a file in it."),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_exit_status_2(arguments: tuple[str, ...], said: str) -> None:
    status, text = claim(*arguments)
    assert status == 2 and said in text
