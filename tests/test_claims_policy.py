"""Claims about policies: open questions against every way to answer them, real policies against `whatif` and plays."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_claims_exact import LENGTH, NAMES, PIECES, Toy, runs_of, toys

from fsm.choices import Config
from fsm.claims import accepts, always_after, always_before, endpoint, equivalent, matches, never, reaches
from fsm.claims.runs import COST_OF_EVENT, COST_OF_UNUSUAL
from fsm.claims.subject import EndpointSubject
from fsm.cli import cli
from fsm.endpoint import Endpoint
from fsm.errors import FsmError, UnknownName
from fsm.names import VERDICTS
from fsm.policy.by_state import Answer
from fsm.policy.callout import policy_callout
from fsm.policy.datagram import Circumstances
from fsm.policy.model import Policy
from fsm.policy.read import read_policy
from fsm.policy.toml_read import read_toml
from fsm.policy.whatif import whatif
from fsm.table import Table, compile_table

DATA = Path(__file__).resolve().parent / "data"
EXAMPLE, SWITCH = read_policy(DATA / "policies" / "example.toml"), read_policy(DATA / "readme" / "kill-switch.toml")
ESTABLISHED = read_policy(DATA / "readme" / "established.toml")
HERE, DNS, FAR, TUNNEL = "192.0.2.1:50000", "192.0.2.53:53", "198.51.100.9:4500", "198.51.100.7:443"


# ---- open questions: the oracle answers each of them in every way


class Open:
    """In place of a policy: in these states nobody knows which verdict is given."""

    refusals = ()
    lifetimes_s = (60, 4)

    def __init__(self, toy: Toy, states: frozenset[int]) -> None:
        self._toy, self._states = toy, states

    def __call__(self, table: Table, state: int) -> tuple[str, ...]:
        return self.at(state).verdicts

    def at(self, state: int) -> Answer:
        verdicts = tuple(self._toy._cells[state][1])
        if state in self._states:
            return Answer(verdicts, "open", f"which of {len(verdicts)}?")
        return Answer(verdicts[:1], "no filter matches")


def open_subject(toy: Toy, states: frozenset[int]) -> EndpointSubject:
    answers = Open(toy, states)
    return EndpointSubject(toy, answers, policy=answers)  # type: ignore[arg-type]


def answered(toy: Toy, states: frozenset[int]) -> list[EndpointSubject]:
    """The toy with each open state answered in one way, for every combination."""
    known = {n: [next(iter(cells))] for n, (layer, cells) in enumerate(toy._cells) if layer and cells}
    options = [list(toy._cells[n][1]) if n in states else known[n] for n in known]
    found = []
    for chosen in itertools.product(*options):
        given_to = dict(zip(known, chosen, strict=True))
        cells = [
            (layer, {given_to[n]: cells[given_to[n]]} if n in given_to else cells)
            for n, (layer, cells) in enumerate(toy._cells)
        ]
        found.append(endpoint("sender", table=Toy(cells), any_verdict=True))  # type: ignore[arg-type]
    return found


OPEN_STATES = st.frozensets(st.integers(1, 4))


def expected(holds: list[bool]) -> str:
    return "holds" if all(holds) else "unknown" if any(holds) else "refuted"


@given(toys(), OPEN_STATES, st.sampled_from(NAMES))
@settings(max_examples=60, deadline=None)
def test_what_is_reached_is_sure_where_every_answer_leads_to_it(toy: Toy, states: frozenset[int], target: str) -> None:
    holds = [bool(reaches(one, target)) for one in answered(toy, states)]
    assert reaches(open_subject(toy, states), target).verdict == expected(holds)
    assert never(open_subject(toy, states), target).verdict == expected([not one for one in holds])


@given(toys(), OPEN_STATES, st.lists(st.sampled_from(NAMES[:4]), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_a_list_is_accepted_for_sure_where_every_answer_shows_it(
    toy: Toy, states: frozenset[int], words: list[str]
) -> None:
    holds = [bool(accepts(one, words)) for one in answered(toy, states)]
    assert accepts(open_subject(toy, states), words).verdict == expected(holds)


@given(toys(), OPEN_STATES, PIECES, st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_pattern_is_decided_only_where_every_answer_agrees(
    toy: Toy, states: frozenset[int], piece: tuple[str, str], every: bool
) -> None:
    assume(every or not re.fullmatch(piece[1], ""))
    holds = [bool(matches(one, piece[0], every=every)) for one in answered(toy, states)]
    found = matches(open_subject(toy, states), piece[0], every=every)
    if every:
        assert found.verdict in ("unknown", expected(holds))
    else:
        assert found.verdict == expected(holds)


@given(toys(), OPEN_STATES, st.sampled_from(NAMES), st.sampled_from(NAMES))
@settings(max_examples=40, deadline=None)
def test_an_order_is_decided_only_where_every_answer_agrees(
    toy: Toy, states: frozenset[int], one: str, two: str
) -> None:
    for claim in (always_before, always_after):
        holds = [bool(claim(each, one, two)) for each in answered(toy, states)]
        assert claim(open_subject(toy, states), one, two).verdict in ("unknown", expected(holds))


@given(toys(), OPEN_STATES, toys())
@settings(max_examples=40, deadline=None)
def test_equality_is_decided_only_where_every_answer_agrees(toy: Toy, states: frozenset[int], other: Toy) -> None:
    second = endpoint("sender", table=other, any_verdict=True)  # type: ignore[arg-type]
    for pair in (lambda one: (one, second), lambda one: (second, one)):
        holds = [bool(equivalent(*pair(each))) for each in answered(toy, states)]
        assert equivalent(*pair(open_subject(toy, states))).verdict in ("unknown", expected(holds))


# ---- the most usual run


@given(toys(), st.sampled_from(NAMES))
@settings(max_examples=60, deadline=None)
def test_the_run_that_is_shown_has_the_fewest_unusual_things_and_then_the_fewest_events(toy: Toy, target: str) -> None:
    """Where bind is unusual: the cost of every run up to a length, straight from the cells."""
    cells = [
        (layer, {"inject_send" if name == "bind" else name: to for name, to in each.items()})
        for layer, each in toy._cells
    ]
    target = {"(bind)": "(inject_send)"}.get(target, target)
    unusual = Toy(cells)

    def cost(moves: list[str]) -> int:
        return sum(COST_OF_EVENT + COST_OF_UNUSUAL * (move == "inject_send") for move in moves)

    def is_last(run: tuple[tuple[str, str, str, bool], ...]) -> bool:
        stimulus, layer, verdict, _ = run[-1]
        name, _, wanted = target.partition(":")
        return stimulus == target[1:-1] if target[0] == "(" else layer.endswith(name) and wanted in ("", verdict)

    shown = [[e[0] or e[2] for e in run] for run, _ in runs_of(unusual) if run and is_last(run)]
    subject = endpoint("sender", table=unusual, any_verdict=True)  # type: ignore[arg-type]
    found = reaches(subject, target)
    assert bool(found) or not shown
    if shown:
        best = min(map(cost, shown))
        assert cost(list(found.witness)) <= best
        assert cost(list(found.witness)) == best or len(found.witness) > LENGTH


def test_a_flow_is_shown_by_an_application_not_by_a_callout() -> None:
    assert never("sender", "FLOW_ESTABLISHED").witness[0] == "sendto"
    assert reaches("receiver", "flow=IN_STALE").witness[-1] == "policy_change"
    # Where only a callout can do it, it does.
    assert "inject_send" in reaches("sender", "(inject_send)").witness


# ---- real policies


def asked(name: str, policy: Policy, from_: str, to: str, *stimuli: str, **more: object) -> EndpointSubject:
    return endpoint(name, policy=policy, from_=from_, to=to, stimuli=stimuli, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("policy", [EXAMPLE, SWITCH], ids=["example", "kill-switch"])
@pytest.mark.parametrize("to", [DNS, FAR, TUNNEL, "192.0.2.53:67", "127.0.0.1:53"])
@pytest.mark.parametrize("ordinary", [True, False])
def test_what_goes_out_is_what_whatif_lets_out(policy: Policy, to: str, ordinary: bool) -> None:
    from_ = HERE if not to.startswith("127") else "127.0.0.1:50000"
    answer = whatif(policy, from_=from_, to=to, event=["bind", "sendto"], ordinary=ordinary)
    found = reaches(asked("sender", policy, from_, to, "bind", "sendto", ordinary=ordinary), "outcome=sent")
    assert found.verdict == {"sent": "holds", "unknown": "unknown"}.get(str(answer.outcome), "refuted")


@pytest.mark.parametrize("policy", [EXAMPLE, SWITCH], ids=["example", "kill-switch"])
def test_what_comes_in_is_what_whatif_delivers(policy: Policy) -> None:
    answer = whatif(policy, from_=FAR, to=HERE, event=["bind", "receive"], ordinary=True)
    found = reaches(asked("receiver", policy, FAR, HERE, "bind", "datagram", ordinary=True), "outcome=delivered")
    assert bool(found) is (answer.outcome == "delivered")


def test_a_witness_is_what_an_endpoint_does_under_the_same_policy() -> None:
    found = never(endpoint("sender", policy=SWITCH, from_=HERE, to=FAR), "outcome=sent")
    running = Endpoint("sender")
    running.register(policy_callout(SWITCH, from_=HERE, to=FAR))
    for move in found.witness:
        if move not in VERDICTS:
            running.run(move)
    assert running.history[-1].outcome == "sent" and "inject_send" not in found.witness
    assert [step.verdict or step.event for step in running.trace] == list(found.witness)


def test_an_open_question_is_asked_and_an_answer_settles_the_claim() -> None:
    open_claim = reaches(asked("sender", EXAMPLE, HERE, TUNNEL), "outcome=sent")
    assert (open_claim.verdict, open_claim.cause) == ("unknown", "open")
    assert "by filter 'The tunnel itself': ALE_APP_ID" in open_claim.message
    with pytest.raises(AssertionError, match="nobody has told"):
        open_claim.require()
    assert reaches(asked("sender", EXAMPLE, HERE, TUNNEL), "outcome=sent", allow_unknown=True).require() is not None
    vpn = Circumstances(program="vpn.exe")
    assert reaches(asked("sender", EXAMPLE, HERE, TUNNEL, circumstances=vpn), "outcome=sent")
    assert never(asked("sender", EXAMPLE, HERE, TUNNEL, ordinary=True), "outcome=sent")
    # The layer comes, whatever it answers.
    assert reaches(asked("sender", EXAMPLE, HERE, TUNNEL), "AUTH_CONNECT")
    assert equivalent(asked("sender", EXAMPLE, HERE, TUNNEL), "sender", observing=["outcome"]).verdict != "holds"


def test_what_the_documents_do_not_say_makes_no_claim_hold() -> None:
    for claim in (reaches, never):
        found = claim(asked("sender", ESTABLISHED, HERE, FAR), "outcome=blocked")
        assert (found.verdict, found.cause) == ("unknown", "undocumented")
        assert "filter 'Block established flows'" in found.message
    assert reaches(asked("sender", ESTABLISHED, HERE, FAR), "AUTH_CONNECT")
    assert reaches(asked("sender", ESTABLISHED, HERE, FAR), "outcome=sent").verdict == "unknown"


REASON = """
[[filter]]
name = "After a profile change"
layer = "ALE_AUTH_CONNECT_V4"
action = "block"
when = { flags_all = "IS_REAUTHORIZE", ALE_REAUTH_REASON_all = 8 }
"""


def test_why_a_flow_is_authorized_again_is_open_where_a_filter_asks_and_several_things_can_be_why() -> None:
    policy = read_toml(REASON, "reason.toml")
    blocked = "AUTH_CONNECT:block+IS_REAUTHORIZE"
    alone = asked("sender", policy, HERE, FAR, "bind", "sendto", "profile_change")
    other = asked("sender", policy, HERE, FAR, "bind", "sendto", "policy_change")
    both = asked("sender", policy, HERE, FAR, "bind", "sendto", "policy_change", "profile_change")
    assert (reaches(alone, blocked).verdict, reaches(other, blocked).verdict) == ("holds", "refuted")
    found = reaches(both, blocked)
    assert found.verdict == "unknown" and "why the flow is authorized again" in found.message


def test_the_lifetime_of_a_policy_is_the_lifetime_of_its_flows() -> None:
    policy = read_toml("[options]\nunicast_lifetime_s = 5\n", "short.toml")
    subject = asked("receiver", policy, FAR, HERE, "bind", "datagram", "idle_timeout")
    pattern = "... (FLOW_ESTABLISHED ... FLOW_ESTABLISHED) within {}s"
    found = matches(subject, pattern.format(5))
    assert found and not matches(subject, pattern.format(4))
    # The stepper has the usual lifetimes, so the run that is shared does not wait for the flow to end.
    assert "idle_timeout" in found.witness and not any(move.startswith("wait") for move in found.witness)
    assert "(wait 5 s)" in found.message


def test_a_datagram_to_a_group_is_another_stimulus() -> None:
    subject = asked("sender", SWITCH, HERE, "239.192.0.7:5353")
    assert never(subject, "AUTH_CONNECT:permit") and reaches(subject, "(sendto_group)")
    with pytest.raises(FsmError, match=r"'sendto' does not happen to .* concerns another end"):
        reaches(subject, "(sendto)")
    with pytest.raises(FsmError, match="'sendto' concerns another end than"):
        asked("sender", SWITCH, HERE, "239.192.0.7:5353", "bind", "sendto")


def test_the_addresses_say_which_machine_is_meant() -> None:
    assert asked("sender", EXAMPLE, "[2001:db8::1]:5", "[2001:db8::2]:6").table.config.ip == 6
    assert asked("sender", EXAMPLE, "127.0.0.1:5", "127.0.0.1:6").table.config.choice("path") == "loopback"


def test_two_policies_are_compared_by_what_they_show() -> None:
    same = read_policy(DATA / "readme" / "kill-switch.toml")
    assert equivalent(asked("sender", SWITCH, HERE, DNS), asked("sender", same, HERE, DNS))
    assert equivalent(asked("sender", SWITCH, HERE, DNS), asked("sender", Policy(), HERE, DNS))
    found = equivalent(asked("sender", SWITCH, HERE, FAR), asked("sender", Policy(), HERE, FAR))
    assert found.verdict == "refuted" and "filter 'Block the rest' in sublayer 'kill-switch'" in found.message


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        (endpoint("sender"), 'endpoint("sender")'),
        (endpoint("sender", block=["AUTH_CONNECT"]), 'endpoint("sender", block=["AUTH_CONNECT"])'),
        (endpoint("sender", stimuli=("bind",), any_verdict=True),
         'endpoint("sender", any_verdict=True, stimuli=["bind"])'),
        (endpoint("sender", verdicts={"AUTH_CONNECT": ("permit", "block")}),
         'endpoint("sender", verdicts={"AUTH_CONNECT": ["permit", "block"]})'),
        (endpoint("receiver", Config()), 'endpoint("receiver", config=configure())'),
        (asked("sender", SWITCH, HERE, DNS, ordinary=True),
         f'endpoint("sender", policy=<kill-switch.toml>, from_="{HERE}", to="{DNS}", ordinary=True)'),
    ],
)  # fmt: skip
def test_a_subject_reads_like_its_call(subject: EndpointSubject, shown: str) -> None:
    assert repr(subject) == shown


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"policy": SWITCH}, "its ends are not given"),
        ({"policy": SWITCH, "from_": HERE, "to": "resolver:53"}, "is no address with port"),
        ({"policy": SWITCH, "from_": HERE, "to": "[2001:db8::1]:53"}, "Give both ends in one IP version"),
        ({"from_": HERE, "to": DNS}, "no policy is asked about it. Give policy="),
        ({"ordinary": True}, "no policy is asked about it. Give policy="),
        ({"policy": SWITCH, "from_": HERE, "to": DNS, "block": ["AUTH_CONNECT"]}, "verdicts are given in two ways"),
        ({"policy": SWITCH, "from_": HERE, "to": DNS, "table": compile_table("sender", Config())}, "Leave out table="),
    ],
)
def test_a_mistake_about_a_policy_is_one_line(given: dict[str, object], said: str) -> None:
    with pytest.raises(FsmError) as raised:
        endpoint("sender", **given)  # type: ignore[arg-type]
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_unknown_words_about_callouts_propose_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="permti"):
        asked("sender", SWITCH, HERE, DNS, undeclared="permti")


def test_the_command_takes_a_policy_file() -> None:
    file = str(DATA / "readme" / "kill-switch.toml")
    arguments = ["claim", "never", "sender", "outcome=sent", "--policy", file, "--from", HERE, "--to", FAR]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert done.exception is None and done.return_value == 1
    assert done.output == never(asked("sender", SWITCH, HERE, FAR), "outcome=sent").message + "\n"
    sure = CliRunner().invoke(cli, [*arguments[:-1], DNS, "--callouts", "permit", "--ordinary"], standalone_mode=False)
    assert sure.exception is None and "filter 'DNS to the resolver' in sublayer 'kill-switch'" in sure.output
    session = CliRunner().invoke(cli, ["claim", "never", "session", "(bind)", "--policy", file], standalone_mode=False)
    assert isinstance(session.exception, FsmError)
