"""What claims are made of: an endpoint with the verdicts its layers may give, a session, a recorded trace.

Callouts and filter policies join at `Answers`: a function of (table, state before a layer) to the verdicts that may be
given. An endpoint is drawn for one remote peer, as the table is; many peers are a matter of sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from fsm import catalogue
from fsm.choices import Config, default_config
from fsm.claims.condition import Condition, endpoint_condition, session_condition
from fsm.claims.running import fixed_verdicts, no_subject
from fsm.claims.runs import Answers, Event, LineRuns, Runs, SpaceRuns, TableRuns, injected_by_self
from fsm.claims.timed import TimedRuns
from fsm.claims.words import Vocabulary
from fsm.endpoint import Endpoint
from fsm.errors import FsmError, LogError, UnknownName
from fsm.flows import asked_verdicts
from fsm.names import VERDICTS, Verdict
from fsm.session import NETWORK, NOT_OFFERED, Session, short
from fsm.space import LIMIT_STATES, StateSpace, checked_limit, explore
from fsm.stimuli import STIMULI, VIEWS
from fsm.table import Table, compile_table
from fsm.traces.observation import Observation, Trace

if TYPE_CHECKING:
    from fsm.policy.by_state import PolicyAnswers
    from fsm.policy.datagram import Circumstances, End
    from fsm.policy.in_force import PolicyIndex
    from fsm.policy.model import Policy

PERMIT = (str(Verdict.PERMIT),)
# A callout as a pure function of the full FWPM name of the layer and the classify flags: a verdict, or None.
PureCallout = Callable[[str, tuple[str, ...]], str | None]


@dataclass(frozen=True)
class EndpointSubject:
    """One endpoint in one configuration, with the verdicts that its layers may give. Made by `endpoint`."""

    table: Table
    answers: Answers
    settings: tuple[str, ...] = ()  # how the verdicts were given, for texts
    stimuli: tuple[str, ...] = ()  # what can happen to it; () for whatever the table has
    policy: PolicyAnswers | None = None
    named: tuple[str, ...] = ()  # the stimuli that were asked for by name
    call: str = field(default="", compare=False)  # the call of `endpoint` that it is made by

    @property
    def title(self) -> str:
        """`sender (IPv4, Windows 11, block ALE_AUTH_CONNECT_V4)`."""
        config = self.table.config
        words = [f"IPv{config.ip}", f"Windows {config.windows}", *_chosen(config)]
        words += [f"only {' '.join(self.named)}"] if self.named else []
        return f"{self.table.view.name} ({', '.join((*words, *self.settings))})"

    def __repr__(self) -> str:
        # A test runner prints this in a failed `assert never(...)`: it reads like the call.
        return self.call or f'endpoint("{self.table.view.name}")'

    @cached_property
    def runs(self) -> TableRuns:
        """What it can do."""
        return TableRuns(self.table, self.answers, self.stimuli, self.policy)

    @cached_property
    def anything(self) -> Runs:
        """What it could do if every layer gave every verdict."""
        return TableRuns(self.table, lambda table, state: VERDICTS, self.stimuli)

    @cached_property
    def timed(self) -> TimedRuns:
        """What it can do, with model time."""
        return TimedRuns(self.runs, *(self.policy.lifetimes_s if self.policy else ()))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        view = self.table.view

        def condition(text: str, where: str) -> Condition:
            return endpoint_condition(text, self.table, where)

        stimuli = self.stimuli or view.stimuli
        why = "It was left out of stimuli="
        if self.policy is not None and not self.named:
            why = "It concerns another end than those that the policy is asked about"
        others = {name: why for name in view.stimuli if name not in stimuli}
        return Vocabulary(self.table.config, stimuli, condition, (), self.title, others)


def _chosen(config: Config) -> list[str]:
    """How the disputes of the sources are decided, where that is not the usual way."""
    words = [f"evidence {config.evidence}"] if config.evidence != "base" else []
    return words + [f"{name}={option}" for name, option in config.assume]


@dataclass(frozen=True)
class SessionSubject:
    """A session, explored to a limit. Made by `of` from `make_session(...)`."""

    session: Session
    limit_states: int = LIMIT_STATES

    @property
    def title(self) -> str:
        session, config = self.session, self.session.config
        members = ", ".join(f"{member.name}@{member.host}" for member in session.members)
        words = [members, f"verdicts {', '.join(session.verdicts)}"]
        if session.filters is not None:
            placed = ", ".join(f"{m.name}@{m.host} at {session.filters.end(m.name)}" for m in session.members)
            asked = all(session.filters.policy(host) is not None for host in session.hosts)
            words = [placed, *session.filters.words, *([] if asked else [f"otherwise {words[1]}"])]
        words += [f"IPv{config.ip}"] if config.ip != 4 else []
        words += [f"Windows {config.windows}"] if config.windows != "11" else []
        return f"session ({'; '.join((*words, *_chosen(config)))})"

    @cached_property
    def space(self) -> StateSpace:
        return explore(self.session, limit_states=self.limit_states)

    @cached_property
    def runs(self) -> SpaceRuns:
        return SpaceRuns(self.space)

    def stepped(self, verdicts: Iterable[str]) -> Session:
        """The session without its policies, whose layers give these verdicts besides: the stepper asks no filters."""
        if self.session.filters is None:
            return self.session
        given = {*self.session.verdicts, *PERMIT, *verdicts}
        return replace(self.session, filters=None, verdicts=tuple(str(v) for v in VERDICTS if v in given))

    @cached_property
    def anything(self) -> SpaceRuns | None:
        """With policies: what it could do without them, if every layer permits or blocks."""
        if self.session.filters is None:
            return None
        return SpaceRuns(explore(self.stepped((Verdict.BLOCK,)), limit_states=self.limit_states))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        session = self.session
        brought = tuple(name for name, why in NOT_OFFERED.items() if why == "the network brings it")
        stimuli = tuple(dict.fromkeys((*session.stimuli, *brought, *session.network)))
        names = (*(member.name for member in session.members), *(f"host{h}" for h in session.hosts), NETWORK)
        others = {
            name: NOT_OFFERED.get(name) or f"Make the session with stimuli=[..., '{name}']"
            for name in STIMULI
            if name not in stimuli
        }

        def condition(text: str, where: str) -> Condition:
            return session_condition(text, session, where, lambda: self.space)

        return Vocabulary(session.config, stimuli, condition, names, self.title, others)


@dataclass(frozen=True)
class TraceSubject:
    """A recorded trace: one run, of which only classifies are known. What the log does not tell, claims say."""

    trace: Trace

    @property
    def title(self) -> str:
        count = len(self.trace.observations)
        source = f" {self.trace.source}" if self.trace.source else ""
        return f"trace{source} ({count} classif{'y' if count == 1 else 'ies'})"

    @cached_property
    def runs(self) -> Runs:
        events = [
            Event("", o.layer, o.verdict, o.flags or (), endpoint=o.endpoint, shown=_shown(o))
            for number, o in enumerate(self.trace.observations, 1)
        ]
        return LineRuns(events, [o.source or f"entry {number}" for number, o in enumerate(self.trace.observations, 1)])

    @property
    def anything(self) -> Runs | None:
        return None

    @cached_property
    def vocabulary(self) -> Vocabulary:
        def condition(text: str, where: str) -> Condition:
            raise FsmError(where, f"a trace has no states, so '{text}' cannot be asked", "A trace shows layers only")

        names = tuple(dict.fromkeys(o.endpoint for o in self.trace.observations if o.endpoint))
        return Vocabulary(Config(), (), condition, names, self.title, any_version=True)


Subject = EndpointSubject | SessionSubject | TraceSubject
Given = str | Table | Endpoint | Session | Trace | EndpointSubject | SessionSubject | TraceSubject


def endpoint(
    name: str,
    config: Config | None = None,
    *,
    block: Iterable[str] = (),
    verdicts: Mapping[str, str | Sequence[str]] | None = None,
    any_verdict: bool = False,
    callouts: Iterable[PureCallout] = (),
    answers: Answers | None = None,
    policy: Policy | PolicyIndex | None = None,
    from_: str | End = "",
    to: str | End = "",
    circumstances: Circumstances | None = None,
    ordinary: bool = False,
    undeclared: str = "unknown",
    stimuli: Sequence[str] = (),
    table: Table | None = None,
) -> EndpointSubject:
    """An endpoint to make claims of: every layer permits, unless something else is said.

    Parameters
    ----------
    name : "sender", "receiver" or "dropped_port".
    config : the machine that is meant, from `configure`; else the usual one (`fsm.choices.default_config`).
    block : layers, in any spelling, that block.
    verdicts : {layer in any spelling: its verdict, or all verdicts that it may give}. As drivers do, a layer pends
        first authorizations only, and permits what a callout has injected.
    any_verdict : every layer gives every verdict that it takes: what is possible at all.
    callouts : functions of (full layer name, flags) to a verdict or None; the first that is not permit decides.
    answers : any other rule, as a function of (table, state) to the verdicts that may be given there.
    policy : filters, from `read_policy`: each layer answers as they arbitrate for the datagram from `from_` to `to`
        (`192.0.2.1:50000`, `[2001:db8::1]:53`). A sender sends it from this host, to the others it arrives. IP version
        and loopback follow from the addresses, and what happens to the endpoint concerns these two ends. What is open
        makes a claim that depends on it "unknown".
    circumstances, ordinary, undeclared : what is known besides, as `fsm.policy.whatif` takes it: a
        `Circumstances`; the rest as usual; "permit" for callouts that nobody has described.
    stimuli : what can happen to it, where that is less than everything: no callout injects, say.
    table : another compiled table, for experiments.

    Raises
    ------
    UnknownName : no such endpoint, layer, verdict or stimulus.
    FsmError : a layer that does not take the verdict; verdicts given in two ways; a policy without both ends.
    """
    if name not in VIEWS:
        raise UnknownName.of("claims", "endpoint", name, VIEWS)
    where = f"claims, {name}"
    # One name alone is meant where a text stands for several: its letters are none.
    block = (block,) if isinstance(block, str) else tuple(block)
    stimuli = stimuli.replace(",", " ").split() if isinstance(stimuli, str) else stimuli
    called = (callouts,) if callable(callouts) else tuple(callouts)
    call = _call(
        name, config=config, block=list(block), verdicts=dict(verdicts or {}), any_verdict=any_verdict,
        callouts=[_name_of(one) for one in called], answers=_name_of(answers), policy=policy and _name_of(policy),
        from_=str(from_), to=str(to), circumstances=circumstances, ordinary=ordinary,
        undeclared=undeclared if undeclared != "unknown" else "", stimuli=list(stimuli), table=_name_of(table),
    )  # fmt: skip
    ways = [way for way in (block or verdicts, any_verdict, called, answers, policy) if way]
    if len(ways) > 1:
        raise FsmError(where, "verdicts are given in two ways", fix="Give block/verdicts, or one other way")
    if policy is None and (from_ or to or circumstances or ordinary or undeclared != "unknown"):
        raise FsmError(where, "a datagram is described, and no policy is asked about it", fix="Give policy=")
    if policy is not None:
        if table is not None:
            raise FsmError(where, "a policy is asked on the machine that the datagram meets", fix="Leave out table=")
        from fsm.claims.policies import ask

        asked = ask(
            name, policy, from_, to, config or default_config(), circumstances=circumstances, ordinary=ordinary,
            undeclared=undeclared, stimuli=stimuli,
        )  # fmt: skip
        return EndpointSubject(
            asked.table, asked.answers, asked.settings, asked.stimuli, asked.answers, asked.named, call
        )
    config = config or (table.config if table else default_config())
    table = table or compile_table(name, config)
    only = tuple(table.stimulus(word, f"{where}, stimuli") for word in stimuli)

    def made(way: Answers, *settings: str) -> EndpointSubject:
        return EndpointSubject(table, way, settings, only, None, only, call)

    if any_verdict:
        return made(lambda table, state: VERDICTS, "any verdict")
    if called:
        return made(_answers_of_callouts(called), f"{len(called)} callout{'' if len(called) == 1 else 's'}")
    if answers is not None:
        return made(_checked(answers), "answers of its own")
    given = _asked(block, verdicts or {}, config)
    known = {at.fwpm_name for state in range(len(table.states)) if (at := table.layer(state))}
    for full in given:
        if full not in known:
            raise FsmError(
                where,
                f"a verdict is given for {short(full)}, and {name} never comes to that layer",
                f"It comes to {', '.join(sorted(short(n) for n in known))}",
            )
    return made(_fixed(given), *(f"{'|'.join(several)} {short(layer)}" for layer, several in given.items()))


_CALLED = ("block", "verdicts")


def _asked(
    block: Sequence[str], verdicts: Mapping[str, str | Sequence[str]], config: Config
) -> dict[str, tuple[str, ...]]:
    """{full layer name: the verdicts that it may give}."""
    asked: dict[str, tuple[str, ...]] = {}
    single = {layer: verdict for layer, verdict in verdicts.items() if isinstance(verdict, str)}
    for layer, verdict in asked_verdicts(block, single, config, _CALLED).items():
        asked[layer] = (verdict,)
    for spelling, several in verdicts.items():
        if isinstance(several, str):
            continue
        if not several:
            raise FsmError(
                f"claims, verdicts, {spelling}", "no verdict is given", fix="Give one, or leave the layer out"
            )
        for verdict in several:
            for layer in asked_verdicts((), {spelling: verdict}, config, _CALLED):
                asked[layer] = (*asked.get(layer, ()), verdict)
    return asked


def _call(name: str, **given: object) -> str:
    """The call of `endpoint`, with what was given and nothing else; strings in double quotes, as they are written."""
    words = [f"{key}={_written(value)}" for key, value in given.items() if value]
    return f"endpoint({', '.join((_written(name), *words))})"


def _written(value: object) -> str:
    if isinstance(value, str):
        return value if value.startswith("<") else f'"{value}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_written(key)}: {_written(one)}' for key, one in value.items())}}}"
    if isinstance(value, Config):
        default = Config()
        changed = {key: getattr(value, key) for key in ("ip", "windows", "evidence")}
        words = [f"{key}={_written(one)}" for key, one in changed.items() if one != getattr(default, key)]
        words += [f"assume={_written(dict(value.assume))}"] if value.assume else []
        return f"configure({', '.join(words)})"
    return repr(value)


def _name_of(value: object) -> str:
    """Something that has no short way to be written, by its name: `<callout refuse>`, `<policy allow-dns.toml>`."""
    if value is None:
        return ""
    if isinstance(value, Table):
        return f"<table of {value.view.name}>"
    source = getattr(getattr(value, "policy", value), "source", "")
    if source:
        return f"<{source.replace(chr(92), '/').rpartition('/')[2]}>"
    return f"<{getattr(value, '__name__', None) or type(value).__name__.lower()}>"


def _fixed(asked: Mapping[str, tuple[str, ...]]) -> Answers:
    def answers(table: Table, state: int) -> Iterable[str]:
        layer = table.layer(state)
        wanted = asked.get(layer.fwpm_name, PERMIT) if layer else PERMIT
        if Verdict.PEND in wanted and ("IS_REAUTHORIZE" in table.flags(state) or injected_by_self(table, state)):
            wanted = tuple(verdict for verdict in wanted if verdict != Verdict.PEND) or PERMIT
        return wanted

    return answers


def _checked(answers: Answers) -> Answers:
    """Answers whose verdicts exist: one that does not would be passed over, and the layer permit."""

    def checked(table: Table, state: int) -> Iterable[str]:
        layer = table.layer(state)
        assert layer is not None
        where = f"claims, answers at {layer.short_name}"
        given: object = answers(table, state)
        if not given:
            raise FsmError(where, f"{given!r} is no verdict", f"Verdicts: {', '.join(VERDICTS)}", "Give one or several")
        several = (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
        for verdict in several:
            if verdict not in VERDICTS:
                raise UnknownName.of(where, "verdict", str(verdict), VERDICTS)
        return several

    return checked


def _answers_of_callouts(callouts: tuple[PureCallout, ...]) -> Answers:
    def answers(table: Table, state: int) -> Iterable[str]:
        layer = table.layer(state)
        assert layer is not None
        for callout in callouts:
            verdict = callout(layer.fwpm_name, table.flags(state))
            if verdict is not None and verdict not in VERDICTS:
                raise UnknownName.of(f"claims, callout at {layer.short_name}", "verdict", str(verdict), VERDICTS)
            if verdict is not None and verdict != Verdict.PERMIT:
                return (verdict,)
        return PERMIT

    return answers


def _shown(seen: Observation) -> str:
    where = f" ({seen.source})" if seen.source else ""
    return f"{short(seen.layer)} {seen.verdict}".strip() + where


def of(given: Given, *, limit_states: int | None = None) -> Subject:
    """The subject that is meant: an endpoint's name, a table, an `Endpoint` that nothing has happened to, a session ...

    Parameters
    ----------
    limit_states : of a session: explore so many states at most.

    Raises
    ------
    FsmError : something that claims cannot be made of; a limit of states for what is no session.
    """
    about = _meant(given)
    if limit_states is None:
        return about
    if not isinstance(about, SessionSubject):
        raise no_session(about.title)
    return replace(about, limit_states=checked_limit(limit_states, "claims, limit_states"))


def no_session(title: str) -> FsmError:
    """That a limit of states means nothing for it."""
    return FsmError(
        "claims, limit_states",
        f"{title} is no session",
        "Of an endpoint and of a trace every state is looked at, however many",
        "Leave it out",
    )


def _meant(given: Given) -> Subject:
    if isinstance(given, EndpointSubject | SessionSubject | TraceSubject):
        return given
    if isinstance(given, str):
        return endpoint(given)
    if isinstance(given, Table):
        return endpoint(given.view.name, given.config, table=given)
    if isinstance(given, Endpoint):
        return endpoint(given.table.view.name, table=given.table, verdicts=fixed_verdicts(given))
    if isinstance(given, Session):
        return SessionSubject(given)
    if isinstance(given, Trace):
        return TraceSubject(checked_trace(given, "claims"))
    raise no_subject(given)


def checked_trace(trace: Trace, where: str) -> Trace:
    """A trace that shows something, with layers and verdicts that exist: of others every claim would be idle.

    Raises
    ------
    LogError : it could not be read to its end.
    FsmError, UnknownName : it is empty, or names what does not exist.
    """
    if trace.broken:
        said = f"{trace.source or 'the trace'} cannot be read to its end: {trace.broken}"
        raise LogError(where, said, fix="Record it anew")
    if not trace.observations:
        raise FsmError(where, f"the trace {trace.source or 'given'} shows no classify", fix="Was it read rightly?")
    known = {layer.fwpm_name for layer in catalogue.layers() if layer.fwpm_name}
    for number, seen in enumerate(trace.observations, 1):
        entry = f"{where}, {seen.source or f'entry {number}'}"
        if seen.layer not in known:
            raise FsmError(
                entry, f"'{seen.layer}' is no full name of a layer", "A full one is FWPM_LAYER_ALE_AUTH_CONNECT_V4",
                "Make entries with fsm.claims.observation, which takes any spelling",
            )  # fmt: skip
        if seen.verdict and seen.verdict not in VERDICTS:
            raise UnknownName.of(entry, "verdict", seen.verdict, VERDICTS)
    return trace


def observation(layer: str, verdict: str = "", **more: object) -> Observation:
    """One entry of a trace with the layer in any spelling (of the usual machine where it names no IP version)."""
    ip = next((version for version in (6, 4) if str(version) in layer), default_config().ip)
    full = catalogue.resolve(layer, ip, where="trace").fwpm_name
    return Observation(full, verdict, **more)  # type: ignore[arg-type]
