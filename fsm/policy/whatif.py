"""What a policy does to a datagram: stimuli played through the endpoint machine, with arbitration at every layer.

Where open questions allow several verdicts the machine is played with each of them. The outcome is known only where
all plays end alike; it is never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv6Address

from fsm.aside import aside
from fsm.choices import Config, default_config
from fsm.endpoint import GROUP_LIFETIME_S, UNICAST_LIFETIME_S, ClassifyContext, Endpoint, StimulusRecord
from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.flows import perform
from fsm.names import Verdict
from fsm.policy.answer import Ending, Logged, Visit, Whatif
from fsm.policy.arbitrate import arbitrate
from fsm.policy.arbitration import Arbitration, OpenQuestion
from fsm.policy.callouts import UNDECLARED
from fsm.policy.classify import field_values
from fsm.policy.datagram import Circumstances, Datagram, End, datagram_of
from fsm.policy.given import checked
from fsm.policy.in_force import PolicyIndex, index_policy
from fsm.policy.model import Policy
from fsm.policy.remarks import remarks_of
from fsm.stimuli import STIMULI, STIMULUS_ALIASES
from fsm.table import compile_table

FLOW_STATES: tuple[str, ...] = ("none", "out", "in", "out_stale", "in_stale")
LIMIT_PLAYS = 64
_TO_GROUP = {"sendto": "sendto_group", "datagram": "datagram_group"}
_ARRIVES = ("datagram", "datagram_group", "inject_receive")
_UNBOUND = ("bind",)  # begins with a socket that has no port yet
VETO_EVENT = 5153
_BLOCK_EVENTS = (5152, 5157)


def whatif(
    policy: Policy | PolicyIndex,
    *,
    from_: str | End,
    to: str | End,
    event: str | Sequence[str] = "sendto",
    flow_state: str = "none",
    listener: bool = True,
    config: Config | None = None,
    circumstances: Circumstances | None = None,
    ordinary: bool = False,
    undeclared_callouts: str = "unknown",
    boot_time: bool = False,
) -> Whatif:
    """Play a datagram through a policy.

    Parameters
    ----------
    policy : from `read_policy`, or an index of it where many questions are asked of one policy.
    from_, to : `192.0.2.1:50000`, `[2001:db8::1]:53`. The sender is this host when something is sent (sendto), and
        the remote when something arrives (receive); of several events the first that says so decides.
    event : one stimulus or a list in model time: sendto, receive, bind, connect, icmp_error, policy_change, wait:61,
        close ... The datagram asked about is that of peer A.
    flow_state : what was before, without the policy: none (a bound socket), out, in (a live flow), out_stale, in_stale
        (the policy has changed since).
    listener : False where no socket owns the port that it arrives at.
    config : the machine; IP version and loopback follow from the addresses.
    circumstances : what is known besides; the rest stays open.
    ordinary : take what is not known of program and interface as usual (`Circumstances.ordinary`).
    undeclared_callouts : "permit" takes callouts that nobody has described to let everything pass.
    boot_time : ask the boot-time filters instead of those of the running system; an index has that decided.

    Raises
    ------
    FsmError : something given is not understood, or cannot happen in this order.
    """
    events = events_of(event)
    outgoing = sends(events)
    datagram = datagram_of(from_, to, sends=outgoing)
    if undeclared_callouts not in UNDECLARED:
        raise UnknownName.of("whatif", "choice for undeclared callouts", undeclared_callouts, UNDECLARED)
    options = dict((policy.policy if isinstance(policy, PolicyIndex) else policy).options)
    config = machine_for(datagram, config or default_config(), options)
    words = tuple(word_of(word, datagram, outgoing) for word in events)
    setup = setup_of(flow_state, words, datagram, listener, outgoing)
    index = policy if isinstance(policy, PolicyIndex) else indexed(policy, config.windows, boot_time)
    known = checked(circumstances or Circumstances())
    if ordinary:
        known = known.ordinary(loopback=datagram.local.address.is_loopback)
    endpoint = "sender" if listener else "dropped_port"
    return replayed(index, datagram, known, config, undeclared_callouts, endpoint, setup, words)


def replayed(
    index: PolicyIndex,
    datagram: Datagram,
    circumstances: Circumstances,
    config: Config,
    undeclared: str,
    endpoint: str,
    setup: tuple[str, ...],
    words: tuple[str, ...],
) -> Whatif:
    """The answer for a datagram whose machine, set-up and stimuli have been worked out."""
    question = _Question(index, datagram, circumstances, config, undeclared)
    plays, complete = _plays(question, endpoint, setup, words)
    return _answer(question, endpoint, setup, words, plays, complete)


@lru_cache(maxsize=8)
def _kept(identity: int, windows: str, boot_time: bool) -> list[tuple[Policy, PolicyIndex]]:
    return []


def indexed(policy: Policy, windows: str, boot_time: bool) -> PolicyIndex:
    """The index of a policy, kept for the last few: comparing whole policies would cost more than asking them."""
    kept = _kept(id(policy), windows, boot_time)
    if not kept or kept[0][0] is not policy:
        kept[:] = [(policy, index_policy(policy, windows, boot_time=boot_time))]
    return kept[0][1]


def machine_for(datagram: Datagram, config: Config, options: Mapping[str, str]) -> Config:
    """The machine that this datagram meets: its IP version, whether it stays on the host, and the group state."""
    assume = dict(config.assume)
    if options.get("multicast_state") == "deny":
        assume.setdefault("multicast_state", "deny")
    if datagram.is_loopback:
        assume["path"] = "loopback"
    ip = datagram.ip
    for end in (datagram.remote, datagram.local):
        if isinstance(end.address, IPv6Address) and end.address.ipv4_mapped:
            raise FsmError(
                "whatif",
                f"{end.address} is an IPv4-mapped address",
                fix="Give the IPv4 addresses, and --assume dual_stack=yes for the IPv6 socket",
            )
    return replace(config, ip=ip, assume=tuple(assume.items()))


def events_of(event: str | Sequence[str]) -> tuple[str, ...]:
    words = (event,) if isinstance(event, str) else tuple(event)
    if not words:
        raise FsmError("whatif, event", "nothing happens", fix="Give sendto or receive")
    return tuple(word.strip() for word in words)


def _name(word: str) -> str:
    name = word.partition("@")[0].partition(":")[0].strip().lower().replace("-", "_")
    return STIMULUS_ALIASES.get(name, name)


def sends(events: tuple[str, ...]) -> bool:
    for word in events:
        name = _name(word)
        if name in _ARRIVES:
            return False
        if name in STIMULI and (
            name.startswith(("sendto", "connect")) or name in ("inject_send", "icmp_error", "icmp_ttl")
        ):
            return True
    return True


def word_of(word: str, datagram: Datagram, sends: bool) -> str:
    """The stimulus that this word means for this datagram: one to a group address is another stimulus."""
    name = _name(word)
    target = datagram.remote if sends else datagram.local
    if sends and target.is_group and name == "datagram" and "@" not in word:
        return "datagram@B"  # nothing comes from a group: who answers has an address of its own
    if target.is_group and name in _TO_GROUP and "@" not in word and (name == "sendto") == sends:
        return _TO_GROUP[name]
    if name in _TO_GROUP.values() and not target.is_group:
        wanted = {group: unicast for unicast, group in _TO_GROUP.items()}[name]
        raise FsmError(
            "whatif, event", f"'{word}' needs a group address, {target.address} is none", fix=f"Say {wanted}"
        )
    return word


def setup_of(
    flow_state: str, words: tuple[str, ...], datagram: Datagram, listener: bool, sends: bool
) -> tuple[str, ...]:
    state = flow_state.strip().lower().replace("-", "_")
    if state not in FLOW_STATES:
        raise UnknownName.of("whatif, flow state", "flow state", flow_state, FLOW_STATES)
    if not listener:
        if state != "none":
            raise FsmError("whatif, flow state", f"no flow '{state}' without a socket", fix="Leave out one of the two")
        if sends:
            fix = "Say --event receive for what arrives, or let there be a socket"
            raise FsmError("whatif", f"without a socket '{words[0]}' does not happen", fix=fix)
        return ()
    begins_bound = _name(words[0]) not in _UNBOUND
    if state == "none":
        return ("bind",) if begins_bound else ()
    if not begins_bound:
        raise FsmError("whatif, flow state", f"no flow '{state}' before {words[0]}", fix="Leave out one of the two")
    group = (datagram.remote if sends else datagram.local).is_group
    if state.startswith("out"):
        first = "sendto_group" if group and sends else "sendto"
    else:
        first = "datagram_group" if group and not sends else "datagram"
    return ("bind", first, *(("policy_change",) if state.endswith("stale") else ()))


@dataclass(frozen=True, slots=True)
class _Question:
    index: PolicyIndex
    datagram: Datagram
    circumstances: Circumstances
    config: Config
    undeclared: str
    found: dict[tuple[int, str, int, bool], Arbitration] = field(default_factory=dict)  # what was asked before


class PolicyEndpoint(Endpoint):
    """An endpoint with the flow lifetimes that the policy's classify options set, in seconds."""

    def __init__(self, name: str, config: Config, options: Mapping[str, str]) -> None:
        super().__init__(name, config, table=compile_table(name, config))
        self.lifetime_s = int(options.get("unicast_lifetime_s", UNICAST_LIFETIME_S))
        self.group_lifetime_s = int(options.get("multicast_lifetime_s", GROUP_LIFETIME_S))

    def _is_idle(self, peer: str) -> bool:
        waits = self.flow(peer).endswith("PENDED")
        return not waits and self.now_s - self._touched_s.get(peer, 0) >= self.lifetime_s

    def wait(self, seconds: int) -> list[StimulusRecord]:
        # The window is compared with its usual lifetime: it counts as touched later or earlier by the difference.
        shift = self.group_lifetime_s - GROUP_LIFETIME_S
        self._window_touched_s += shift
        try:
            return super().wait(seconds)
        finally:
            self._window_touched_s -= shift


class _Refused(Exception):
    """A layer does not take the verdict that the filters gave: what happens then is not documented."""


@dataclass(slots=True)
class _Play:
    """One play: the verdicts chosen at the classifies that were open, in order."""

    chosen: tuple[str, ...]
    visits: list[Visit]
    branches: list[tuple[str, ...]]  # what could have been chosen at each open classify
    records: list[StimulusRecord]
    ending: Ending


def _plays(
    question: _Question, endpoint: str, setup: tuple[str, ...], words: tuple[str, ...]
) -> tuple[list[_Play], bool]:
    """Every play, the one in which all open questions are answered with no first."""
    plays: list[_Play] = []
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        if len(plays) == LIMIT_PLAYS:
            return plays, False
        play = _run(question, endpoint, setup, words, waiting.pop())
        plays.append(play)
        for place in range(len(play.chosen), len(play.branches)):
            head = tuple(options[0] for options in play.branches[len(play.chosen) : place])
            waiting.extend((*play.chosen, *head, other) for other in play.branches[place][1:])
    return plays, True


@aside()
def _run(
    question: _Question, name: str, setup: tuple[str, ...], words: tuple[str, ...], chosen: tuple[str, ...]
) -> _Play:
    endpoint = PolicyEndpoint(name, question.config, dict(question.index.policy.options))
    for word in setup:
        perform(endpoint, word)
    play = _Play(chosen, [], [], [], Ending(None, None, "", ""))
    endpoint.register(lambda context: _classify(question, endpoint, play, context))
    refused = False
    for word in words:
        begun = len(endpoint.history)
        try:
            perform(endpoint, word)
        except _Refused:
            refused = True
        except NoTransition:
            if not chosen:
                raise  # not possible in the play that is told of: a mistake in what was asked
            refused = True
        play.records.extend(endpoint.history[begun:])
        if refused:
            break
    _pair(play)
    play.ending = ending_of(play.records, refused=refused)
    return play


def ending_of(records: Sequence[StimulusRecord], *, refused: bool) -> Ending:
    """How it ended: what came of the last stimulus, or that nobody knows."""
    if refused:
        return Ending("unknown", None, "not known", "not known")
    if not records:
        return Ending(None, None, "", "")
    last = records[-1]
    return Ending(last.outcome, last.blocked_at, last.application_sees or "nothing", last.remote_sees or "nothing")


def _arbitrated(question: _Question, endpoint: Endpoint, context: ClassifyContext) -> Arbitration:
    """The arbitration of this classify; every play asks alike, so each is worked out once."""
    key = (endpoint.state, context.peer, context.reauthorize_reason, context.injected_by_self)
    found = question.found.get(key)
    if found is None:
        position = endpoint.table.states[endpoint.state].position
        values = field_values(context, position, question.datagram, question.circumstances, question.config)
        found = question.found[key] = arbitrate(
            question.index,
            context.layer.fwpm_name,
            values,
            after_block=question.config.choice("arbitration_after_block"),
            reauthorizes="IS_REAUTHORIZE" in context.flags,
            own_packet=context.injected_by_self,
            undeclared=question.undeclared,
            completes=context.stimulus == "complete",
        )
    return found


def given_to_machine(endpoint: Endpoint, verdict: str) -> tuple[str, str]:
    """The verdict as the machine takes it, and why the layer that waits does not (empty where it does)."""
    table, state = endpoint.table, endpoint.state
    # The machine has no rows of its own for a veto: it is a block that writes another event.
    if verdict == Verdict.VETO and table.next_or_none(state, table.event_ids[verdict]) < 0:
        verdict = str(Verdict.BLOCK)
    return verdict, table.why_not(state, verdict) if table.next_or_none(state, table.event_ids[verdict]) < 0 else ""


def _classify(question: _Question, endpoint: Endpoint, play: _Play, context: ClassifyContext) -> str:
    found = _arbitrated(question, endpoint, context)
    taken = found.verdict
    if taken == "unknown":
        place = len(play.branches)
        play.branches.append(found.verdicts)
        taken = play.chosen[place] if place < len(play.chosen) else found.verdicts[0]
    given, why = given_to_machine(endpoint, taken)
    play.visits.append(
        Visit(
            context.layer.fwpm_name, context.layer.runtime_id, context.stimulus, found.verdict, taken, found, None,
            context.flags, context.reauthorize_reason, context.now_s, why,
        )
    )  # fmt: skip
    if why:
        raise _Refused
    return given


def _pair(play: _Play) -> None:
    """Give each visit the step that the machine took."""
    steps = [step for record in play.records for step in record.classified]
    play.visits[:] = [replace(visit, step=step) for visit, step in zip(play.visits, steps, strict=False)] + play.visits[
        len(steps) :
    ]


def _answer(
    question: _Question,
    endpoint: str,
    setup: tuple[str, ...],
    words: tuple[str, ...],
    plays: list[_Play],
    complete: bool,
) -> Whatif:
    base = plays[0]
    endings = tuple(dict.fromkeys(play.ending for play in plays))
    outcomes = {ending.outcome for ending in endings}
    known = len(outcomes) == 1 and complete
    layers = {ending.blocked_at for ending in endings}
    sees = {ending.application_sees for ending in endings}
    remote = {ending.remote_sees for ending in endings}
    changing, others = _questions(plays, changes=len(endings) > 1 or not complete)
    refusals = tuple(
        OpenQuestion(visit.layer, visit.arbitration.decided_by, "", None, visit.refused)
        for play in plays
        for visit in play.visits
        if visit.refused and visit.arbitration.decided_by is not None
    )
    return Whatif(
        question.datagram, question.circumstances, question.config, endpoint, setup, words,
        base.ending.outcome if known else "unknown",
        base.ending.blocked_at if known and len(layers) == 1 else None,
        base.ending.application_sees if complete and len(sees) == 1 else "it depends on the open questions",
        base.ending.remote_sees if complete and len(remote) == 1 else "it depends on the open questions",
        tuple(base.visits),
        tuple(_logged(base)),
        endings,
        tuple({id(q.filter): q for q in refusals}.values()) + changing,
        others,
        complete,
        tuple(remarks_of(question.index, question.circumstances, question.config, endpoint, base.visits)),
        tuple(base.records),
    )  # fmt: skip


def _questions(plays: list[_Play], *, changes: bool) -> tuple[tuple[OpenQuestion, ...], tuple[OpenQuestion, ...]]:
    """Those that change the ending, and the others; each once, in the order of the visits."""
    changing: dict[tuple[str, int, str], OpenQuestion] = {}
    others: dict[tuple[str, int, str], OpenQuestion] = {}
    for play in plays:
        for visit in play.visits:
            ours = {id(q) for q in visit.arbitration.changing} if changes else set()
            for q in visit.arbitration.questions:
                (changing if id(q) in ours else others).setdefault((q.layer, id(q.filter), q.field), q)
    return tuple(changing.values()), tuple(q for key, q in others.items() if key not in changing)


def _logged(play: _Play) -> Iterable[Logged]:
    """The events of a play, up to the first classify whose verdict is not known."""
    for visit in play.visits:
        if visit.verdict == "unknown" or visit.step is None:
            return
        decided = visit.arbitration.decided_by
        events = visit.step.logged
        if visit.verdict == "veto":
            events = tuple(dict.fromkeys((*(e for e in events if e not in _BLOCK_EVENTS), VETO_EVENT)))
        for event_id in events:
            yield Logged(event_id, visit.layer, visit.runtime_id, decided, visit.at_s)
