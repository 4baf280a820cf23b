"""The filter policies of a session's hosts: what is asked of them, and what they answer in each state of a table.

A policy is one of a host. Every endpoint there asks it, and so does the host itself about datagrams that no socket
takes. The two ends of what is asked about are those of the session: what is local here is remote there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from fsm.choices import Config
from fsm.endpoint import FIRST_PEER
from fsm.errors import FsmError, UnknownName
from fsm.policy.by_state import Answer, PolicyAnswers, concerns
from fsm.policy.callout import policy_callout
from fsm.policy.callouts import UNDECLARED
from fsm.policy.datagram import Circumstances, Datagram, End, end_of
from fsm.policy.in_force import PolicyIndex, index_policy
from fsm.policy.model import Policy
from fsm.policy.whatif import machine_for
from fsm.table import Step, Table

if TYPE_CHECKING:
    from fsm.session import Member, Session

POLICY, AT = "--policy", "--at"


@dataclass(frozen=True, slots=True)
class SessionFilters:
    """The policies by host, the ends and the known circumstances by endpoint. Made by `session_filters`."""

    hosts: tuple[tuple[int, Policy | PolicyIndex], ...]
    ends: tuple[tuple[str, End], ...]
    circumstances: tuple[tuple[str, Circumstances], ...] = ()
    ordinary: bool = False
    undeclared: str = "unknown"

    def policy(self, host: int) -> Policy | PolicyIndex | None:
        """The policy of a host, or None."""
        return dict(self.hosts).get(host)

    def end(self, name: str) -> End:
        """The address and port of an endpoint."""
        return dict(self.ends)[name]

    @property
    def words(self) -> tuple[str, ...]:
        """What was given, for texts: `host 1: policy a.toml`, `as usual otherwise`."""
        policies = (f"host {host}: policy {file_of(policy)}".rstrip() for host, policy in self.hosts)
        return (*policies, *(("as usual otherwise",) if self.ordinary else ()))


def file_of(policy: Policy | PolicyIndex) -> str:
    """The file that a policy was read from, without its folder, which is another on each machine."""
    own = policy.policy if isinstance(policy, PolicyIndex) else policy
    return own.source.replace("\\", "/").rpartition("/")[2]


def session_filters(
    members: Sequence[Member],
    config: Config,
    policies: Mapping[str, Policy | PolicyIndex],
    at: Mapping[str, str | End],
    circumstances: Mapping[str, Circumstances],
    *,
    ordinary: bool,
    undeclared: str,
) -> tuple[Config, SessionFilters | None]:
    """The checked policies of a session, None without any, and the machine: its IP version follows from the addresses.

    Raises
    ------
    FsmError, UnknownName : an endpoint that is none, or has no address; addresses that do not go together.
    """
    names = [member.name for member in members]
    for where, given in ((POLICY, policies), (AT, at), ("circumstances", circumstances)):
        for name in given:
            if name not in names:
                raise UnknownName.of(where, "endpoint of this session", name, names)
    if not policies:
        if at or circumstances or ordinary or undeclared != "unknown":
            raise FsmError(
                "session", "addresses or circumstances are given, and no policy is asked about them",
                fix=f"Give {POLICY} {names[0]}=FILE",
            )  # fmt: skip
        return config, None
    if undeclared not in UNDECLARED:
        raise UnknownName.of(POLICY, "choice for undeclared callouts", undeclared, UNDECLARED)
    hosts: dict[int, tuple[str, Policy | PolicyIndex]] = {}
    for member in members:
        if member.name in policies:
            first, policy = hosts.setdefault(member.host, (member.name, policies[member.name]))
            if policy != policies[member.name]:
                raise FsmError(
                    f"{POLICY} {member.name}",
                    f"{first} and {member.name} are on host {member.host}, and one host has one policy",
                    fix=f"Give one of the two, {member.name} asks it as well",
                )
    ends = {name: _end(name, at, members, policies) for name in names}
    filters = SessionFilters(
        tuple((host, hosts[host][1]) for host in sorted(hosts)), tuple(ends.items()), tuple(circumstances.items()),
        ordinary, undeclared,
    )  # fmt: skip
    return _machine(members, config, ends), filters


def _end(
    name: str, at: Mapping[str, str | End], members: Sequence[Member], policies: Mapping[str, Policy | PolicyIndex]
) -> End:
    if name not in at:
        asks = next(member.name for member in members if member.name in policies)
        raise FsmError(
            AT, f"{name} has no address, and the policy of {asks} is asked about both ends",
            fix=f"Give {AT} {name}=ADDRESS:PORT, or name the endpoints of the session without it",
        )  # fmt: skip
    end = end_of(at[name], f"{AT} {name}")
    if isinstance(end.address, IPv6Address) and end.address.ipv4_mapped:
        raise FsmError(f"{AT} {name}", f"{end.address} is an IPv4-mapped address", fix="Give IPv4 addresses")
    if end.is_group:
        raise FsmError(
            f"{AT} {name}", f"{end.address} is a group or broadcast address: nobody is there", fix="Give one of a host"
        )
    return end


def _machine(members: Sequence[Member], config: Config, ends: Mapping[str, End]) -> Config:
    """The machine of these addresses, which have to fit the hosts that the endpoints are on."""
    loopback = config.choice("path") == "loopback"
    first = members[0]
    for number, member in enumerate(members):
        one, other = ends[first.name], ends[member.name]
        if one.address.version != other.address.version:
            raise FsmError(
                AT, f"{first.name} at {one} has IPv{one.address.version}, {member.name} at {other} has another",
                fix="Give all addresses in one IP version",
            )  # fmt: skip
        for before in members[:number]:
            known = ends[before.name]
            pair = f"{before.name} at {known} and {member.name} at {other}"
            if known == other and known.port is not None:
                raise FsmError(AT, f"{pair} are one place", fix="Give one of them another port or another address")
            stays = Datagram(known, other).is_loopback or other.address.is_loopback
            if stays and not loopback and before.host != member.host:
                raise FsmError(AT, f"{pair} are on two hosts, and this stays on one", fix="Add --loopback")
            if loopback and not stays:
                raise FsmError(
                    AT, f"{pair} are one host with --loopback", fix="Give both one address, or leave out --loopback"
                )
    machine = config
    for member in members[1:]:
        if loopback or member.host != first.host:
            machine = machine_for(Datagram(ends[first.name], ends[member.name]), config, {})
    return machine


def check_stimuli(filters: SessionFilters, stimuli: Iterable[str]) -> None:
    """Refuse what concerns an end that has no address here.

    Raises
    ------
    FsmError : a group, or a peer besides.
    """
    (_, one), (_, other), *_ = filters.ends
    for name in stimuli:
        if not concerns(name, Datagram(one, other)):
            raise FsmError(
                "--stimuli", f"'{name}' concerns another end than those that the policies are asked about",
                fix="Leave it out",
            )  # fmt: skip


class SessionAnswers:
    """What the policies of a session answer, for each endpoint and each of its peers.

    Parameters
    ----------
    left_out : verdicts that no session takes, with the reason.
    """

    def __init__(self, session: Session, tables: Mapping[str, Table], left_out: Mapping[str, str]) -> None:
        self._session, self._tables, self._left_out = session, tables, left_out
        self._filters = session.filters
        self._indexes: dict[int, PolicyIndex] = {}
        for host, policy in session.filters.hosts if session.filters else ():
            self._indexes[host] = (
                policy if isinstance(policy, PolicyIndex) else index_policy(policy, windows=session.config.windows)
            )
        self._hosts = {member.name: member.host for member in session.members}
        self._asked: dict[tuple[str, str, str], PolicyAnswers] = {}
        self._made: dict[tuple[str, str, str, int], Answer] = {}
        self._numbers = {view: {name: n for n, name in enumerate(table.names)} for view, table in tables.items()}

    def at(self, endpoint: str, view: str, peer: str, state: int) -> Answer | None:
        """The answer for an endpoint in a state of the table of this view, which is drawn for this peer.

        None where its host has no policy. What concerns no peer (a bind, a closure) shows no layer a remote end.
        """
        if self._hosts.get(endpoint) not in self._indexes:
            return None
        key = (endpoint, view, peer, state)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._offered(self._of(endpoint, view, peer).at(state))
        return found

    def decided(self, endpoint: str, view: str, peer: str, steps: Iterable[Step]) -> tuple[Answer, ...]:
        """The answer at each step that a layer saw; () where no policy is asked."""
        answers = (self.at(endpoint, view, peer, self._numbers[view][step.from_state]) for step in steps if step.layer)
        return tuple(answer for answer in answers if answer is not None)

    @property
    def refusals(self) -> tuple[str, ...]:
        """What is known of no verdict, in what was asked so far, each with its endpoint and host."""
        found = (
            f"{endpoint}, host {self._hosts[endpoint]}: {answer.refused}"
            for (endpoint, *_), answer in self._made.items()
            if answer.refused
        )
        return tuple(dict.fromkeys(found))

    @property
    def questions(self) -> tuple[str, ...]:
        """What would have to be known, in what was asked so far, each with its endpoint and host."""
        found = (
            f"{endpoint}, host {self._hosts[endpoint]}: {answer.question}"
            for (endpoint, *_), answer in self._made.items()
            if answer.question and answer.is_open
        )
        return tuple(dict.fromkeys(found))

    def _offered(self, answer: Answer) -> Answer:
        for verdict in answer.verdicts:
            if verdict in self._left_out:
                why = answer.refused or f"the filters say {verdict} ({answer.by}), and {self._left_out[verdict]}"
                left = tuple(one for one in answer.verdicts if one not in self._left_out)
                return replace(answer, verdicts=left, refused=why)
        return answer

    def _of(self, endpoint: str, view: str, peer: str) -> PolicyAnswers:
        key = (endpoint, view, peer)
        found = self._asked.get(key)
        if found is None:
            session, filters = self._session, self._filters
            assert filters is not None, "a host with a policy"
            member = session.member(endpoint)
            callout = policy_callout(
                self._indexes[member.host],
                config=session.config,
                local=filters.end(endpoint),
                peers={FIRST_PEER: filters.end(peer or session.peers(member)[0])},
                circumstances=dict(filters.circumstances).get(endpoint),
                ordinary=filters.ordinary,
                undeclared=filters.undeclared,
                open_questions="unknown",
            )
            found = self._asked[key] = PolicyAnswers(callout, self._tables[view], session.stimuli)
        return found
