"""Sessions with filter policies: against the naive composition, against every answer to what is open, and by hand."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from naive_session import Naive
from test_session import BY_NAME, MANY, plain_graph

from fsm.choices import configure
from fsm.claims import accepts, always_after, always_before, equivalent, matches, never, reaches
from fsm.claims.finding import Finding
from fsm.claims.subject import SessionSubject
from fsm.cli import cli
from fsm.errors import FsmError, UnknownName
from fsm.graph import reachable, session_graph
from fsm.page.finding import finding_page
from fsm.policy.by_state import PolicyAnswers
from fsm.policy.callout import policy_callout
from fsm.policy.datagram import Circumstances
from fsm.policy.in_force import index_policy
from fsm.policy.model import Policy
from fsm.policy.read import read_policy
from fsm.policy.toml_read import read_toml
from fsm.rules import RULES
from fsm.session import Session, make_session
from fsm.space import explore
from fsm.stepper import SessionSystem, Walk
from fsm.table import State, compile_table

DATA = Path(__file__).resolve().parent / "data"
SWITCH_FILE, EXAMPLE_FILE = DATA / "readme" / "kill-switch.toml", DATA / "policies" / "example.toml"
SWITCH, EXAMPLE = read_policy(SWITCH_FILE), read_policy(EXAMPLE_FILE)
ESTABLISHED = read_policy(DATA / "readme" / "established.toml")
HERE, DNS, TUNNEL = "192.0.2.1:50000", "192.0.2.53:53", "198.51.100.7:443"
PERIMETER = """
[[sublayer]]
name = "perimeter"
weight = 0x8000

[[filter]]
name = "Nothing comes in"
layer = "ALE_AUTH_RECV_ACCEPT_V{ip}"
sublayer = "perimeter"
action = "block"
when = {{ protocol = "udp"{more} }}
"""
INBOUND = read_toml(PERIMETER.format(ip=4, more=""), "perimeter.toml")
NOT_FROM_60000 = read_toml(PERIMETER.format(ip=4, more=", remote_port = 60000"), "one-peer.toml")
INBOUND_SIX = read_toml(PERIMETER.format(ip=6, more=""), "six.toml")
NO_ICMP = """
[[filter]]
name = "Stay silent"
layer = "OUTBOUND_ICMP_ERROR_V4"
action = "block"
"""
SILENT = read_toml(NO_ICMP, "silent.toml")
TO_DNS = {"sender": HERE, "receiver": DNS}
TO_TUNNEL = {"sender": HERE, "receiver": TUNNEL}


# ---- the composition, filtered by what the policies answer


class Filtered(Naive):
    """The naive composition in which hosts with a policy give the verdicts of `PolicyAnswers` alone."""

    def ask(self, policies: dict[int, Policy], at: dict[str, str], known: dict[str, Circumstances]) -> None:
        assume = {**self.assume, **({"path": "loopback"} if self.loopback else {})}
        self.config = configure(ip=self.ip, windows=self.windows, evidence=self.evidence, assume=assume)
        self.policies, self.at, self.known = policies, at, known
        self.answers: dict[tuple[str, str, str], PolicyAnswers] = {}

    def asked(self, name: str, view: str, peer: str) -> PolicyAnswers:
        key = (name, view, peer)
        if key not in self.answers:
            host = next(h for n, _, h in self.members if n == name)
            other = peer or self.peers(next(m for m in self.members if m[0] == name))[-1]  # a bind has no remote end
            ends = (self.at[name], self.at[other])
            from_, to = ends if view == "sender" else ends[::-1]
            callout = policy_callout(
                self.policies[host], config=self.config, from_=from_, to=to, circumstances=self.known.get(name),
                open_questions="unknown",
            )  # fmt: skip
            self.answers[key] = PolicyAnswers(callout, compile_table(view, self.config), self.stimuli)
        return self.answers[key]

    def socket_verdicts(self, member, sock):  # type: ignore[no-untyped-def]
        name, view, host = member
        if host not in self.policies:
            return super().socket_verdicts(member, sock)
        state, connected_to, window, flows, _, (stimulus, position, peer), waits_for = sock
        connected = "no" if connected_to == "" else "this" if connected_to == peer else "other"
        if waits_for:
            state = "CONNECT_PENDED" if waits_for == peer else "CONNECT_OTHER_PENDED"
        values = {"socket": state, "connected": connected, "window": window, "flow": dict(flows).get(peer, "NONE")}
        table = compile_table(view, self.config)
        here = State(tuple(values[register] for register in table.view.registers), stimulus, position)
        given = self.asked(name, view, peer).at(table.state_ids[here]).verdicts
        return [v for v in given if self.socket_step(member, sock, v, peer)] or ["permit"]

    def host_verdicts(self, cursor):  # type: ignore[no-untyped-def]
        stimulus, position, port, peer = cursor
        if next(h for n, _, h in self.members if n == port) not in self.policies:
            return super().host_verdicts(cursor)
        table = compile_table("dropped_port", self.config)
        given = self.asked(port, "dropped_port", peer).at(table.state_ids[State((), stimulus, position)]).verdicts
        return [v for v in given if self.host_step(cursor, v, "", "")] or ["permit"]


@dataclass(frozen=True)
class Case:
    """A session with policies by endpoint, for the package and for the oracle."""

    policies: dict[str, Policy]
    at: dict[str, str]
    endpoints: tuple[str, ...] = ("sender", "receiver")
    verdicts: tuple[str, ...] = ("permit",)
    stimuli: tuple[str, ...] = ("bind", "sendto", "policy_change", "idle_timeout", "close")
    granularity: str = "stimulus"
    loopback: bool = False
    ip: int = 4
    known: dict[str, Circumstances] | None = None

    def session(self) -> Session:
        return make_session(
            self.endpoints, stimuli=self.stimuli, verdicts=self.verdicts, granularity=self.granularity,
            loopback=self.loopback, policies=self.policies, at=self.at, circumstances=self.known,
        )  # fmt: skip

    def naive(self) -> Filtered:
        members = []
        for n, view in enumerate(self.endpoints):
            before = self.endpoints[:n].count(view)
            host = 1 if self.loopback or view == "sender" else 2
            members.append((f"{view}{before + 1}" if before else view, view, host))
        network = ("deliver",) if self.loopback else ("deliver", "lose")
        made = Filtered(
            tuple(members), network, 1, self.stimuli, self.verdicts, self.granularity, self.ip, loopback=self.loopback
        )
        hosts = {name: host for name, _, host in members}
        made.ask({hosts[name]: policy for name, policy in self.policies.items()}, self.at, self.known or {})
        return made


THREE = ("sender", "receiver", "dropped_port")
AT_THREE = {**TO_DNS, "dropped_port": "192.0.2.53:9"}
FINE = {"granularity": "classify", "stimuli": ("bind", "sendto")}
CASES = {
    "kill switch, DNS": Case({"sender": SWITCH}, TO_DNS),
    "kill switch, elsewhere": Case({"sender": SWITCH}, TO_TUNNEL),
    "inbound block": Case({"receiver": INBOUND}, TO_DNS),
    "both": Case({"sender": SWITCH, "receiver": INBOUND}, TO_DNS),
    "a host without policy blocks by itself": Case({"sender": SWITCH}, TO_DNS, verdicts=("permit", "block")),
    "a port without socket": Case({"sender": SWITCH, "receiver": SILENT}, AT_THREE, THREE),
    "open": Case({"sender": EXAMPLE}, TO_TUNNEL),
    "open, told": Case({"sender": EXAMPLE}, TO_TUNNEL, known={"sender": Circumstances(program="vpn.exe")}),
    "open on both hosts, pended": Case(
        {"sender": EXAMPLE, "receiver": EXAMPLE}, TO_TUNNEL, stimuli=("bind", "sendto", "complete", "connect", "close")
    ),
    "one of two peers": Case(
        {"receiver": NOT_FROM_60000}, {**TO_DNS, "sender2": "192.0.2.1:60000"}, ("sender", "sender", "receiver"),
        stimuli=("bind", "sendto", "close"),
    ),
    "step by step": Case({"sender": EXAMPLE, "receiver": INBOUND}, TO_TUNNEL, **FINE),  # type: ignore[arg-type]
    "loopback": Case({"sender": SWITCH}, {"sender": "127.0.0.1:5", "receiver": "127.0.0.1:53"}, loopback=True),
    "IPv6": Case({"receiver": INBOUND_SIX}, {"sender": "[2001:db8::1]:5", "receiver": "[2001:db8::2]:6"}, ip=6),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_equals_the_naive_composition_filtered_by_what_the_policies_answer(name: str) -> None:
    space = explore(CASES[name].session(), limit_states=MANY)
    states, edges = plain_graph(space)
    expected_states, expected_edges = CASES[name].naive().compose()
    assert states == expected_states
    assert edges == expected_edges
    assert space.complete


@pytest.mark.parametrize("name", ["default", "loopback", "two senders", "every stimulus", "step by step, block"])
def test_policies_without_filters_are_no_policies(name: str) -> None:
    case = replace(BY_NAME[name], verdicts=("permit",))
    given = [word for word in case.stimuli if "group" not in word and word not in ("connect_other", "window_timeout")]
    session = replace(case, stimuli=tuple(given)).session()
    words = [member.name for member in session.members]
    host = "127.0.0.{}" if case.loopback else "192.0.2.{}"
    at = {member.name: f"{host.format(member.host)}:{n}" for n, member in enumerate(session.members, 1)}
    asked = make_session(
        case.endpoints, session.config if not case.loopback else None, network=session.network, cap=session.cap,
        stimuli=session.stimuli, granularity=session.granularity, loopback=case.loopback,
        policies={words[0]: Policy(), words[-1]: Policy()}, at=at,
    )  # fmt: skip
    limit = 3_000
    without, empty = (explore(one, limit_states=limit) for one in (session, asked))
    assert plain_graph(empty) == plain_graph(without)
    assert {member.host for member in asked.members} == {host for host, _ in asked.filters.hosts}  # type: ignore[union-attr]


def test_a_policy_is_one_of_the_host() -> None:
    """The receiver's host asks it about a port without socket as well, and about its own unbound port."""
    at = {**TO_DNS, "dropped_port": "192.0.2.53:9"}
    told = make_session(THREE, policies={"receiver": SILENT}, at=at)
    assert never(told, "(icmp_error@sender)") and reaches(make_session(THREE), "(icmp_error@sender)")
    same = make_session(THREE, policies={"receiver": SILENT, "dropped_port": read_toml(NO_ICMP, "silent.toml")}, at=at)
    assert plain_graph(explore(same)) == plain_graph(explore(told))
    ready = make_session(THREE, policies={"receiver": index_policy(SILENT)}, at=at)
    assert plain_graph(explore(ready)) == plain_graph(explore(told))


# ---- by hand


def test_a_kill_switch_here_and_an_inbound_block_there() -> None:
    """The query leaves, as the switch lets DNS out; it is refused where it arrives, so no answer can exist.

    The sender is told nothing while the receiver has its socket. Without one, the port is looked for in vain before
    the layer of the block is asked, and an ICMP error goes back.
    """
    both = make_session(policies={"sender": SWITCH, "receiver": INBOUND}, at=TO_DNS)
    assert reaches(both, "outcome=sent@sender")
    assert reaches(both, "AUTH_RECV_ACCEPT:block@receiver")
    assert never(both, "outcome=delivered@receiver") and never(both, "(sendto@receiver)")
    assert never(both, "outcome=delivered@sender")
    assert reaches(both, "(icmp_error@sender)")
    assert always_before(both, "OUTBOUND_ICMP_ERROR@receiver", "(icmp_error@sender)")
    alone = make_session(policies={"sender": SWITCH}, at=TO_DNS)
    assert reaches(alone, "outcome=delivered@sender")
    assert always_before(alone, "AUTH_CONNECT:permit@sender", "outcome=delivered@receiver")
    # Any other address: nothing leaves, and so nothing comes back, not even an ICMP error.
    for policies in ({"sender": SWITCH}, {"sender": SWITCH, "receiver": INBOUND}):
        other = make_session(policies=policies, at=TO_TUNNEL)
        assert never(other, "outcome=sent@sender") and never(other, "(datagram@receiver)")
        assert never(other, "(icmp_error@sender)")
        space = explore(other)
        assert set(map(space.label, range(len(space)))) == {
            f"sender={sender} receiver={receiver} network=empty"
            for sender in ("UNBOUND", "BOUND", "CLOSED")
            for receiver in ("UNBOUND", "BOUND", "CLOSED")
        }


def test_the_hole_of_the_kill_switch_needs_somebody_who_sends_first() -> None:
    """The README's hole, with the other host in the picture: an inbound flow is answered past AUTH_CONNECT."""
    at = {"sender": HERE, "sender2": "198.51.100.7:4500"}
    hole = make_session(["sender@1", "sender@2"], policies={"sender": SWITCH}, at=at)
    found = never(hole, "outcome=sent@sender")
    assert (found.verdict, found.witness[-1]) == ("refuted", "sender: sendto@sender2")
    assert "(datagram)@sender" in found.message
    inside = read_toml(PERIMETER.format(ip=4, more="") + SWITCH_FILE.read_text(), "closed.toml")
    assert never(make_session(["sender@1", "sender@2"], policies={"sender": inside}, at=at), "outcome=sent@sender")


def test_the_outcome_of_each_endpoint_is_asked_by_name() -> None:
    session = make_session(("sender", "receiver"))
    assert reaches(session, "outcome=delivered@sender") and reaches(session, "outcome=delivered")
    assert never(session, "outcome=blocked@sender")
    with pytest.raises(UnknownName, match=r"'sendr'\. Did you mean 'sender'"):
        reaches(session, "outcome=sent@sendr")


# ---- open questions


def open_session(**more: object) -> Session:
    return make_session(policies={"sender": EXAMPLE}, at=TO_TUNNEL, **more)  # type: ignore[arg-type]


CLAIMS = [
    *(partial(claim, target=target) for claim in (reaches, never) for target in (
        "AUTH_CONNECT@sender", "AUTH_CONNECT:permit@sender", "AUTH_CONNECT:block@sender", "outcome=sent@sender",
        "outcome=delivered@receiver", "outcome=delivered@sender", "(bind@receiver)", "(icmp_error@sender)",
        "receiver=BOUND sender=CLOSED", "DATAGRAM_DATA:block",
    )),
    partial(always_before, first="AUTH_CONNECT:permit@sender", then="outcome=delivered@receiver"),
    partial(always_before, first="AUTH_CONNECT@sender", then="AUTH_CONNECT_DISCARD@sender"),
    partial(always_after, trigger="CONNECT_REDIRECT@sender", response="AUTH_CONNECT@sender"),
    partial(always_after, trigger="AUTH_CONNECT@sender", response="FLOW_ESTABLISHED@sender"),
    partial(accepts, trace=["BIND_REDIRECT@sender", "RESOURCE_ASSIGNMENT@sender", "CONNECT_REDIRECT@sender"]),
    partial(matches, pattern="... AUTH_CONNECT@sender FLOW_ESTABLISHED@sender"),
    partial(matches, pattern="... AUTH_CONNECT@sender ..."),
    partial(equivalent, other=make_session(("sender", "receiver"))),
]  # fmt: skip


@pytest.mark.parametrize("granularity", ["stimulus", "classify"])
def test_a_claim_is_decided_only_where_every_answer_agrees(granularity: str) -> None:
    fewer = ("bind", "sendto", "close") if granularity == "stimulus" else ("bind", "sendto")
    small = {"granularity": granularity, "stimuli": fewer}
    open_one = open_session(**small)
    answered = [open_session(**small, circumstances={"sender": Circumstances(program=p)}) for p in ("vpn.exe", "other")]
    decided = 0
    for number, claim in enumerate(CLAIMS):
        if granularity == "classify" and (claim.func in (equivalent, accepts, matches) or "CLOSED" in str(claim)):
            continue  # many interleavings, and nothing else to see; nobody closes there
        verdicts = {claim(one, limit_states=MANY).verdict for one in answered}
        found = claim(open_one, limit_states=MANY).verdict
        assert found == "unknown" or verdicts == {found}, (number, claim)
        if claim.func in (reaches, never):
            assert found == ("unknown" if len(verdicts) > 1 else verdicts.pop()), claim
        decided += found != "unknown"
    assert decided > 5


def test_an_open_question_names_host_and_filter_and_an_answer_settles_it() -> None:
    found = reaches(open_session(), "outcome=delivered@receiver")
    assert (found.verdict, found.cause) == ("unknown", "open")
    why = found.part("why")
    assert why is not None and why.lines[1:] == (
        "ALE_AUTH_CONNECT_V4@sender, host 1: block or permit, by filter 'The tunnel itself': "
        "ALE_APP_ID C:\\Program Files\\Example\\vpn.exe?",
    )
    known = {"sender": Circumstances(program="vpn.exe")}
    assert reaches(open_session(circumstances=known), "outcome=delivered@receiver")
    assert never(open_session(ordinary=True), "outcome=delivered@receiver")
    # The layer comes, whatever it answers; and so does one of its two verdicts, nobody knows which.
    assert reaches(open_session(), "AUTH_CONNECT@sender")
    assert reaches(open_session(), "AUTH_CONNECT:block@sender").verdict == "unknown"
    assert reaches(open_session(granularity="classify"), "AUTH_CONNECT@sender")


def test_a_graph_does_not_say_yes_where_it_depends() -> None:
    graph = session_graph(open_session())
    answer = reachable(graph, "receiver=IN")
    assert answer.verdict == "unknown" and answer.labels[0] == "sender: sendto@receiver"
    assert answer.path[0].move.questions[0].startswith("ALE_AUTH_CONNECT_V4: block or permit, by filter 'The tunnel")
    assert reachable(graph, "receiver=BOUND sender=CLOSED").verdict == "yes"


REDIRECTS = """
[[callout]]
name = "proxy"
layer = "ALE_CONNECT_REDIRECT_V4"
registered = true
answer = "redirect"

[[filter]]
name = "To the proxy"
layer = "ALE_CONNECT_REDIRECT_V4"
action = "callout:proxy"
"""


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (ESTABLISHED, "filter 'Block established flows'"),
        (read_toml(REDIRECTS, "proxy.toml"), "a redirected datagram leaves the session"),
    ],
    ids=["undocumented", "redirect"],
)
def test_a_verdict_that_is_not_followed_makes_no_claim_hold(policy: Policy, said: str) -> None:
    session = make_session(policies={"sender": policy}, at=TO_DNS)
    space = explore(session)
    assert not space.complete and not space.open_states and space.undocumented
    for claim in (reaches, never):
        found = claim(session, "outcome=blocked@sender")
        assert (found.verdict, found.cause) == ("unknown", "undocumented"), found
        assert said in found.message and "sender, host 1" in found.message
    assert reaches(session, "outcome=sent@sender").verdict == "unknown"
    assert reaches(session, "(bind@receiver)")
    assert reachable(session_graph(space), "receiver=IN sender=CLOSED").verdict == "unknown"
    limited = never(session, "outcome=blocked@sender", limit_states=1)
    assert limited.cause == "limit"


# ---- what is said


def told(found: Finding, heading: str) -> tuple[str, ...]:
    part = found.part(heading)
    return part.lines if part else ()


def test_a_refutation_names_the_host_and_the_filter_that_decided() -> None:
    session = make_session(policies={"sender": SWITCH, "receiver": INBOUND}, at=TO_DNS)
    found = reaches(session, "outcome=delivered@sender")
    assert found.verdict == "refuted"
    assert found.claim == (
        "session (sender@1 at 192.0.2.1:50000, receiver@2 at 192.0.2.53:53; host 1: policy kill-switch.toml; "
        "host 2: policy perimeter.toml) reaches [outcome=delivered@sender]"
    )
    assert told(found, "why")[0] == (
        "ALE_AUTH_RECV_ACCEPT_V4@receiver, host 2 would have to answer permit there, and it answers block: "
        "filter 'Nothing comes in' in sublayer 'perimeter'"
    )
    assert found.witness[-1] == "sender: datagram@receiver"  # how it would be without the policies
    held = never(session, "outcome=delivered@sender")
    assert "filter 'Nothing comes in'" in told(held, "note")[-1] and "host 2" in told(held, "note")[-1]
    never_at_all = never(session, "(close@receiver)")
    assert told(never_at_all, "filters") == ("none decides at any of these layers",) or not told(
        never_at_all, "filters"
    )
    nowhere = reaches(session, "AUTH_CONNECT:pend@sender")
    assert told(nowhere, "why") == (
        "sender: ALE_AUTH_CONNECT_V4 answers permit wherever it comes",
        "sender: it would take pend by rule send.authorize.pend[flow=NONE] (documented: DDI-pend, ASY, TOC)",
        "nor does any run without the policies, where the layers answer permit or block",
    )


def test_a_run_names_the_filters_on_its_way_and_its_token_replays_it() -> None:
    session = make_session(policies={"sender": SWITCH, "receiver": INBOUND}, at=TO_DNS)
    found = never(session, "AUTH_RECV_ACCEPT:block@receiver")
    assert told(found, "filters") == (
        "ALE_AUTH_CONNECT_V4 permit@sender, host 1: filter 'DNS to the resolver' in sublayer 'kill-switch'",
        "ALE_AUTH_RECV_ACCEPT_V4 block@receiver, host 2: filter 'Nothing comes in' in sublayer 'perimeter'",
        "none decides at the other layers",
    )
    walk = Walk.from_token(found.token)
    assert walk.state == "sender=BOUND/OUT receiver=BOUND network=empty"
    assert tuple(node.move for node in walk.nodes[1:]) == found.witness
    space = explore(session)
    assert space.label(space.follow(found.witness)[-1]) == walk.state
    (draw,) = told(found, "draw")
    assert draw.replace('"', "") == f"wfp-udp step --token {found.token} -o walk.svg"
    assert "perimeter" in finding_page(found, SessionSubject(session))
    assert finding_page(replace(found, token=""), SessionSubject(session))  # a run too long for a token


def test_the_command_that_draws_a_run_draws_it(tmp_path: Path) -> None:
    session = make_session(policies={"sender": SWITCH, "receiver": INBOUND}, at=TO_DNS)
    found = never(session, "AUTH_RECV_ACCEPT:block@receiver")
    page = tmp_path / "run.html"
    done = CliRunner().invoke(cli, ["step", "--token", found.token, "--html", str(page)], standalone_mode=False)
    assert done.exception is None and page.stat().st_size > 10_000


def test_two_sessions_are_compared_by_what_their_policies_let_them_show() -> None:
    one = make_session(policies={"sender": SWITCH}, at=TO_DNS)
    assert equivalent(one, make_session(("sender", "receiver")))
    other = make_session(policies={"sender": SWITCH, "receiver": INBOUND}, at=TO_DNS)
    found = equivalent(one, other, ["layer", "verdict", "endpoint"])
    assert found.verdict == "refuted" and equivalent(other, other)
    assert equivalent(open_session(), open_session()).verdict == "unknown"


def test_a_walk_asks_no_policies_and_says_so() -> None:
    with pytest.raises(FsmError, match="a session with policies cannot be stepped through"):
        SessionSystem(make_session(policies={"sender": SWITCH}, at=TO_DNS))


# ---- mistakes


MISTAKES: list[tuple[dict[str, object], str]] = [
    ({"policies": {"sendr": SWITCH}, "at": TO_DNS}, "named 'sendr'. Did you mean 'sender'?"),
    ({"policies": {"sender": SWITCH}, "at": {"sendr": HERE}}, "named 'sendr'. Did you mean 'sender'?"),
    ({"policies": {"sender": SWITCH}, "at": TO_DNS, "circumstances": {"receivr": Circumstances()}}, "'receivr'"),
    ({"policies": {"sender": SWITCH}}, "sender has no address, and the policy of sender is asked about both ends"),
    ({"endpoints": ("sender", "receiver"), "policies": {"sender": SWITCH}, "at": {"sender": HERE}},
     "Give --at receiver=ADDRESS:PORT"),
    ({"at": TO_DNS}, "no policy is asked about them. Give --policy sender=FILE"),
    ({"ordinary": True}, "no policy is asked about them"),
    ({"undeclared": "permit"}, "no policy is asked about them"),
    ({"policies": {"sender": SWITCH}, "at": TO_DNS, "undeclared": "permti"}, "Did you mean 'permit'?"),
    ({"policies": {"sender": SWITCH}, "at": {**TO_DNS, "receiver": "[2001:db8::1]:53"}}, "in one IP version"),
    ({"policies": {"sender": SWITCH}, "at": {**TO_DNS, "receiver": "[::ffff:192.0.2.9]:53"}}, "IPv4-mapped"),
    ({"policies": {"sender": SWITCH}, "at": {**TO_DNS, "receiver": "resolver:53"}}, "is no address with port"),
    ({"policies": {"sender": SWITCH}, "at": {**TO_DNS, "receiver": "224.0.0.1:53"}}, "group or broadcast address"),
    ({"policies": {"sender": SWITCH}, "at": {**TO_DNS, "receiver": HERE}}, "are one place"),
    ({"policies": {"sender": SWITCH}, "at": {**TO_DNS, "receiver": "192.0.2.1:53"}}, "Add --loopback"),
    ({"policies": {"sender": SWITCH}, "at": TO_DNS, "loopback": True}, "are one host with --loopback"),
    ({"policies": {"receiver": SWITCH, "dropped_port": INBOUND}, "at": AT_THREE},
     "receiver and dropped_port are on host 2, and one host has one policy"),
    ({"policies": {"sender": SWITCH}, "at": TO_DNS, "stimuli": ("bind", "sendto_group")}, "concerns another end"),
    ({"policies": {"sender": SWITCH}, "at": TO_DNS, "stimuli": ("bind", "connect_other")}, "concerns another end"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "said"), MISTAKES, ids=[said[:30] for _, said in MISTAKES])
def test_a_mistake_is_one_line(given: dict[str, object], said: str) -> None:
    with pytest.raises(FsmError, match=re.escape(said)) as raised:
        make_session(**given)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value) and raised.value.exit_status == 2


def test_other_rows_and_policies_do_not_go_together() -> None:
    with pytest.raises(FsmError, match="a policy is asked on the package's own rows"):
        explore(make_session(policies={"sender": SWITCH}, at=TO_DNS), rows=RULES)


def test_who_has_an_address_takes_part() -> None:
    assert [m.name for m in make_session(policies={"sender": SWITCH}, at=TO_DNS).members] == ["sender", "receiver"]
    assert len(make_session(policies={"sender": SWITCH}, at=AT_THREE).members) == 3
    loop = {"sender": "127.0.0.1:5", "receiver": "127.0.0.1:53"}
    assert make_session(policies={"sender": SWITCH}, at=loop, loopback=True).hosts == (1,)
    six = {"sender": "[2001:db8::1]:5", "receiver": "[2001:db8::2]:6"}
    assert make_session(policies={"sender": SWITCH}, at=six).config.ip == 6


# ---- the command line


ASKED = ["--policy", f"sender={SWITCH_FILE}", "--at", f"sender={HERE}", "--at", f"receiver={DNS}"]
OPEN = ["--policy", f"sender={EXAMPLE_FILE}", "--at", f"sender={HERE}", "--at", f"receiver={TUNNEL}"]


def run(*arguments: str) -> str:
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert done.exception is None, done.exception
    return done.output


def test_the_command_says_which_filter_decides_and_what_is_open() -> None:
    assert "policies  host 1: policy kill-switch.toml\naddresses sender at 192.0.2.1:50000, rece" in run(
        "session", *ASKED
    )
    yes = run("session", *ASKED, "--reach", "receiver=IN")
    assert yes.startswith("Yes: receiver=IN, in 3 moves")
    assert "send.authorize.permit[flow=NONE]\n         filter 'DNS to the resolver' in sublayer 'kill-switch'\n" in yes
    assert (
        "open      1 question, and each verdict that is possible is a branch\n          sender, host 1: block or"
        in run("session", *OPEN)
    )
    depends = run("session", *OPEN, "--reach", "receiver=IN")
    assert depends.startswith(
        "Depends on what filters ask and nobody has told: receiver=IN, in 3 moves if so.\n"
        "  sender, ALE_AUTH_CONNECT_V4: block or permit, by filter 'The tunnel itself'"
    )
    assert run("session", *OPEN, "--reach-layer", "sender:AUTH_CONNECT").startswith("Yes: sender:AUTH_CONNECT")
    assert run("session", *OPEN, "--reach-layer", "receiver:AUTH_RECV_ACCEPT").startswith("Depends on")
    assert run("session", *OPEN, "--ordinary", "--reach", "receiver=IN").startswith("No: receiver=IN")
    layers = run("session", *OPEN, "--layers-from", "0")
    assert re.search(r"sender\n  can fire: [^:]*ALE_AUTH_CONNECT_V4 \(1\)\n", layers)
    assert "  depends on what filters ask and nobody has told: INBOUND_IPPACKET_V4 (3)" in layers
    unsure = run("session", *ASKED[2:], "--policy", f"sender={DATA / 'readme' / 'established.toml'}")
    assert "unknown after verdicts that are not followed" in unsure and "filter 'Block established flows'" in unsure


def test_the_json_has_the_policies_and_the_questions() -> None:
    found = json.loads(run("session", *OPEN, "--reach", "receiver=IN", "--format", "json"))
    assert found["policies"] == {"host1": "example.toml"} and found["at"]["receiver"] == TUNNEL
    assert found["answer"] == "unknown" and "'The tunnel itself'" in found["questions"][0]
    assert found["path"][0]["filters"].count("no filter matches") >= 6
    assert "policies" not in json.loads(run("session", "--format", "json"))


def test_the_claim_command_takes_the_same_options() -> None:
    done = CliRunner().invoke(cli, ["claim", "never", "session", "outcome=sent@sender", *ASKED], standalone_mode=False)
    assert done.exception is None and done.return_value == 1
    session = make_session(policies={"sender": SWITCH}, at=TO_DNS)
    assert done.output == never(session, "outcome=sent@sender").message + "\n"
    said = run("claim", "never", "session", "outcome=sent@sender", *OPEN, "--ordinary")
    assert said.startswith("holds: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["session", "--policy", "sender"], "--policy: 'sender' does not say of which endpoint it is"),
        (["session", "--policy", str(SWITCH_FILE)], "Write --policy sender=policy.toml"),
        (["session", *ASKED, "--at", "sender=192.0.2.9:1"], "--at: sender is given twice: 192.0.2.1:50000 and 192.0.2"),
        (["session", "--policy", "sender=none.toml"], "none.toml: cannot be opened"),
        (["claim", "never", "session", "(bind)", *ASKED, "--from", HERE], "--from and --to are for one endpoint"),
        (["claim", "never", "sender", "(bind)", *ASKED], "--at, and more than one --policy, are for sessions"),
        (["claim", "never", "sender", "(bind)", "--policy", "a", "--policy", "b"], "more than one --policy"),
    ],
)
def test_a_mistake_in_the_options_is_one_line(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert isinstance(done.exception, FsmError) and said in str(done.exception)


def test_the_outcome_of_an_endpoint_is_a_word_of_patterns_too() -> None:
    session = make_session(("sender", "receiver"))
    assert matches(session, "... [outcome=delivered@receiver] ... [outcome=delivered@sender]")
    assert not matches(session, "(!(DATAGRAM_DATA@receiver))* [outcome=delivered@sender]")
