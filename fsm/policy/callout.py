"""A policy as a callout: what an endpoint, a walk or a scenario asks at each classify, answered by arbitration.

Nothing is guessed: where open questions change the verdict there is none, and the caller says what becomes of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fsm.choices import Config, default_config
from fsm.endpoint import FIRST_PEER, GROUP_ADDRESS, ClassifyContext, Endpoint
from fsm.errors import FsmError, UnknownName
from fsm.names import Verdict
from fsm.policy.arbitrate import arbitrate
from fsm.policy.arbitration import Arbitration, OpenQuestion
from fsm.policy.callouts import UNDECLARED
from fsm.policy.classify import field_values
from fsm.policy.condition_text import open_text
from fsm.policy.datagram import Circumstances, Datagram, End, end_of
from fsm.policy.fields import CONDITION_FLAGS
from fsm.policy.in_force import PolicyIndex, index_policy
from fsm.policy.model import Filter, Policy
from fsm.stimuli import STIMULI
from fsm.table import Table, compile_table

OPEN = ("error", "unknown")  # what becomes of an open question
SHOWN = 2  # filters with open questions that are named, and questions of each
_NOT_PLAYED = ("unicast_lifetime_s", "multicast_lifetime_s", "loose_source_mapping", "local_only_mapping")
_NOBODY = "?"  # a peer of whom nothing is known


class OpenVerdict(FsmError):
    """A classify whose verdict depends on what nobody has told."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says at one classify.

    Parameters
    ----------
    verdict : what the machine is given, or "unknown" where open questions change it.
    by : what made it: `policy: filter 'X' in sublayer 'Y'`.
    question : what would have to be known; "" where the verdict is known.
    possible : the verdicts that are possible and that this layer takes, the one if all open questions are answered
        with no first.
    arbitration : all of it.
    """

    verdict: str
    by: str
    question: str
    possible: tuple[str, ...]
    arbitration: Arbitration


class PolicyCallout:
    """Made by `policy_callout`: call it with a context for the verdict, `decision` for what is behind it."""

    def __init__(
        self, index: PolicyIndex, config: Config, ends: _Ends, circumstances: Circumstances, undeclared: str, open: str
    ) -> None:
        self.index = index
        self.config = config
        self._ends = ends
        self._circumstances = circumstances
        self._undeclared = undeclared
        self._open = open
        self._states: dict[str, tuple[Table, dict[str, int]]] = {}
        self._found: dict[tuple[object, ...], Decision] = {}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the policy says and this does not follow."""
        options = dict(self.index.policy.options)
        found = [
            f"the classify option {name}={options[name]} is not played"
            for name in _NOT_PLAYED
            if options.get(name, "off") != "off"
        ]
        state = options.get("multicast_state")
        if state is not None and (state == "deny") != (self.config.choice("multicast_state") == "deny"):
            option = "deny" if state == "deny" else "allow"
            found.append(f"the classify option multicast_state={state} is not played: assume multicast_state={option}")
        return tuple(found)

    def __call__(self, context: ClassifyContext) -> str:
        """The verdict.

        Raises
        ------
        OpenVerdict : it is open, and the caller has asked for an error.
        """
        found = self.decision(context)
        if found.verdict == "unknown" and self._open == "error":
            raise OpenVerdict(
                f"{context.endpoint}, {context.layer.fwpm_name}",
                f"the policy leaves the verdict open: {found.question}",
                f"Possible: {', '.join(found.possible)}" if found.possible else "",
                "Say more of the circumstances, or decide this layer by hand",
            )
        return found.verdict

    def decision(self, context: ClassifyContext) -> Decision:
        """The verdict with its filter, or the open question.

        Raises
        ------
        FsmError : the classify is one of another machine than the policy was read for.
        """
        key = (
            context.endpoint, context.state, context.peer, context.tuple5.remote_address, context.reauthorize_reason,
            context.injected_by_self,
        )  # fmt: skip
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._decide(context)
        return found

    def _decide(self, context: ClassifyContext) -> Decision:
        table, state = self._place(context)
        position = table.states[state].position
        datagram, known = self._ends.datagram(context, position)
        asked = replace(context, peer=FIRST_PEER if known else _NOBODY)
        found = arbitrate(
            self.index,
            context.layer.fwpm_name,
            field_values(asked, position, datagram, self._circumstances, self.config),
            after_block=self.config.choice("arbitration_after_block"),
            reauthorizes="IS_REAUTHORIZE" in context.flags,
            own_packet=context.injected_by_self,
            undeclared=self._undeclared,
            completes=context.stimulus == "complete",
        )
        # The machine has no row of its own for a veto at most layers: it is a block that writes another event.
        taken = {verdict: _as_taken(table, state, verdict) for verdict in found.verdicts}
        possible = tuple(dict.fromkeys(given for given in taken.values() if given))
        verdict = taken.get(found.verdict, "")
        if not verdict and len(possible) == 1 and all(taken.values()):
            verdict = possible[0]  # whatever the open questions are answered, the machine is given this
        if verdict:
            return Decision(verdict, f"policy: {_by(found)}", "", possible, found)
        if found.verdict != "unknown":
            question = f"{_by(found)} says {found.verdict}, and {table.why_not(state, found.verdict)}"
        else:
            question = _questions_text(found.changing, possible)
        return Decision("unknown", "policy: open", question, possible, found)

    def _place(self, context: ClassifyContext) -> tuple[Table, int]:
        known = self._states.get(context.endpoint)
        if known is None:
            table = compile_table(context.endpoint, self.config)
            known = self._states[context.endpoint] = (table, {name: n for n, name in enumerate(table.names)})
        table, numbers = known
        state = numbers.get(context.state)
        if state is None or table.layer(state) != context.layer:
            raise FsmError(
                f"{context.endpoint}, {context.layer.fwpm_name}",
                f"the policy was read for another machine (IPv{self.config.ip}, Windows {self.config.windows})",
                fix="Give policy_callout the config of the endpoint",
            )
        return table, state


@dataclass(frozen=True, slots=True)
class _Ends:
    """Who talks to whom: the ends that were given, and the example addresses for those that were not."""

    config: Config
    local: End | None
    peers: Mapping[str, End]
    from_: End | None
    to: End | None

    def datagram(self, context: ClassifyContext, position: str) -> tuple[Datagram, bool]:
        """The datagram of this classify, and whether its remote end is known."""
        local, remote = self._of(context)
        example = Endpoint(context.endpoint, self.config).tuple5(FIRST_PEER)
        own = end_of(f"{example.local_address}", "example")
        ours = local or End(own.address, example.local_port)
        shown = context.tuple5.remote_address or example.remote_address or ""
        theirs = remote or End(end_of(shown.removeprefix("::ffff:"), "example").address, example.remote_port)
        stimulus = STIMULI[context.stimulus]
        if ("to", "group") in stimulus.attributes:
            group = end_of(GROUP_ADDRESS[self.config.ip], "example").address
            if stimulus.packet_direction == "outbound":
                return Datagram(_plain(ours, own), theirs if theirs.is_group else End(group, theirs.port)), True
            return Datagram(ours if ours.is_group else End(group, ours.port), theirs), True
        if theirs.is_group:
            return Datagram(_plain(ours, own), End(own.address)), False  # who answers for a group is not known
        return Datagram(_plain(ours, own), theirs), True

    def _of(self, context: ClassifyContext) -> tuple[End | None, End | None]:
        if self.from_ is None and self.to is None:
            return self.local, self.peers.get(context.peer)
        first = context.peer == FIRST_PEER
        if context.endpoint == "sender":
            return self.from_, self.to if first else None
        return self.to, self.from_ if first else None


def _plain(end: End, own: End) -> End:
    """A local end that is no group: a socket that joined one has an address of its own."""
    return End(own.address, end.port) if end.is_group else end


def policy_callout(
    policy: Policy | PolicyIndex,
    *,
    config: Config | None = None,
    from_: str | End | None = None,
    to: str | End | None = None,
    local: str | End | None = None,
    peers: Mapping[str, str | End] | None = None,
    circumstances: Circumstances | None = None,
    ordinary: bool = False,
    undeclared: str = "unknown",
    open_questions: str = "error",
    boot_time: bool = False,
) -> PolicyCallout:
    """A policy as a callout, for `Endpoint.register`, `Walk(policy=...)` and scenarios.

    Parameters
    ----------
    policy : from `read_policy`, or an index of it.
    config : the machine of the endpoints that ask.
    from_, to : `192.0.2.1:50000`, `[2001:db8::1]:53`: who sends first. A `sender` is at `from_`, the others at `to`;
        the other end is peer A. A group address is that of the group stimuli.
    local, peers : instead, this host's end, and the remote ends by the names of peers. Ends that are not given are
        the example addresses of the endpoint.
    circumstances, ordinary : as `whatif` takes them.
    undeclared : "permit" takes callouts that nobody has described to let everything pass.
    open_questions : "error" raises `OpenVerdict` where open questions change the verdict, "unknown" answers so.
    boot_time : ask the boot-time filters; an index has that decided.

    Raises
    ------
    FsmError : something given is not understood, or the ends are not those of this machine.
    """
    config = config or default_config()
    if undeclared not in UNDECLARED:
        raise UnknownName.of("policy", "choice for undeclared callouts", undeclared, UNDECLARED)
    if open_questions not in OPEN:
        raise UnknownName.of("policy", "choice for open questions", open_questions, OPEN)
    if (from_ is not None or to is not None) and (local is not None or peers):
        raise FsmError("policy", "from and to are given, and local or peers too", fix="Give one of the two pairs")
    ends = _Ends(
        config,
        _end(local, "policy, local"),
        {name: end_of(given, f"policy, peer {name}") for name, given in (peers or {}).items()},
        _end(from_, "policy, from"),
        _end(to, "policy, to"),
    )
    _check(ends)
    known = circumstances or Circumstances()
    for flag in known.flags:
        if flag not in CONDITION_FLAGS:
            raise UnknownName.of("policy", "condition flag", flag, CONDITION_FLAGS)
    if ordinary:
        known = known.ordinary(loopback=config.choice("path") == "loopback")
    index = (
        policy if isinstance(policy, PolicyIndex) else index_policy(policy, windows=config.windows, boot_time=boot_time)
    )
    return PolicyCallout(index, config, ends, known, undeclared, open_questions)


def _end(given: str | End | None, where: str) -> End | None:
    return None if given is None else end_of(given, where)


def _check(ends: _Ends) -> None:
    """Refuse ends that this machine does not have."""
    config = ends.config
    told = [end for end in (ends.from_, ends.to, ends.local, *ends.peers.values()) if end is not None]
    for end in told:
        if end.address.version != config.ip:
            raise FsmError(
                "policy", f"{end.address} is IPv{end.address.version}, and the machine is IPv{config.ip}", fix="Set ip"
            )
    own = ends.local or ends.from_
    stays = any(end.address.is_loopback for end in told) or (
        own is not None and any(end.address == own.address for end in told if end is not own)
    )
    if stays and config.choice("path") != "loopback":
        raise FsmError("policy", f"{own or told[0]} stays on this host", fix="Assume path=loopback")


def _as_taken(table: Table, state: int, verdict: str) -> str:
    """How the machine takes a verdict here; "" where it does not."""
    for given in (verdict, str(Verdict.BLOCK)) if verdict == Verdict.VETO else (verdict,):
        if table.next_or_none(state, table.event_ids[given]) >= 0:
            return given
    return ""


# Several filters may decide, and all of them give this verdict.
WHICH = "which filter decides is not known"


def filter_words(filter: Filter) -> str:
    """`filter 'Default Outbound' (116027)`; the id only where the policy has one."""
    name = filter.name if len(filter.name) <= 60 else filter.name[:57] + "..."
    return f"filter '{name}'" + ("" if filter.filter_id is None else f" ({filter.filter_id})")


def _by(found: Arbitration) -> str:
    if found.decided_by is None:
        if found.deciding:
            return WHICH
        return "no filter decides" if any(not over.failed for over in found.passed_over) else "no filter matches"
    made = next((d for d in reversed(found.deciding) if d.filter is found.decided_by), None)
    sublayer = "" if made is None else made.sublayer_name or made.sublayer.removeprefix("FWPM_SUBLAYER_")
    return filter_words(found.decided_by) + (f" in sublayer '{sublayer}'" if sublayer else "")


def _questions_text(questions: tuple[OpenQuestion, ...], possible: tuple[str, ...]) -> str:
    by_filter: dict[str, dict[str, None]] = {}
    for question in questions:
        asked = open_text(question.test, question.layer) if question.test else question.what
        by_filter.setdefault(filter_words(question.filter), {})[asked] = None
    shown = [f"{name}: {'; '.join(list(asked)[:SHOWN])}" for name, asked in list(by_filter.items())[:SHOWN]]
    more = len(by_filter) - len(shown)
    rest = f"; and {more} more filter{'s' if more > 1 else ''}" if more else ""
    return f"{' or '.join(possible)}, by {'; '.join(shown)}{rest}"
