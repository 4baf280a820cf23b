"""Is a recorded trace one that the model can produce? For each conversation: agrees, diverges, or cannot be told.

A conversation that only something rare explains (a callout injected, a port was taken by another socket) agrees on that
condition, unless fewer edits than such events would mend it: then it diverges. All hypotheses are kept: a trace begins
and ends anywhere, its port is a sender's, a receiver's, nobody's or all of these in turn, and each open dispute is
decided either way, though the same way in all conversations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from fsm import catalogue
from fsm.choices import CHOICES, Config
from fsm.counts import counted
from fsm.errors import FsmError, UnknownName
from fsm.names import Verdict
from fsm.stimuli import STIMULI, STIMULUS_ALIASES
from fsm.traces.alignment import Aligner, Symbol
from fsm.traces.automaton import PORT, Label, Limits, PortAutomaton, Reduced, port_automaton, reduced, restricted
from fsm.traces.conversations import Conversation, conversations
from fsm.traces.explanation import Explainer
from fsm.traces.finding import Edit, Told, edits_of, told_of
from fsm.traces.free import ALLOWABLE, REOPENED, Free, free_of, needs_of
from fsm.traces.observation import Observation, Trace
from fsm.traces.replay import Replay, replay_of

AGREES, AGREES_IF, DIVERGES, CANNOT_TELL = "AGREES", "AGREES_IF", "DIVERGES", "CANNOT_TELL"
ALL = "all"
DEFAULT_LIMIT = 20_000_000  # edges followed in search of the fewest edits, for one conversation
# With verdicts "own": what the layer can have answered in the end where one callout said this.
OWN_VERDICTS: dict[str, tuple[str, ...]] = {
    "permit": ("permit", "block", "absorb", "pend", "redirect"),
    "redirect": ("redirect", "permit", "block", "absorb"),
}
VERDICT_KINDS: tuple[str, ...] = ("final", "own")


@dataclass(frozen=True, slots=True)
class FirstRefused:
    """The first line that no hypothesis explains: its index among the observations, and what is possible there.

    `told` is one explanation of the lines before it.
    """

    index: int
    observation: Observation
    allowed: tuple[Label, ...]
    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class ConversationResult:
    """What came of one conversation.

    `endpoints` are the roles that explain it: sender, receiver, dropped_port, or "port" where sockets came and went.
    `edits` is empty unless it diverges; `cost` and `at_least` are their number and what is proved to be needed, equal
    unless the limit was hit. `told` is one explanation, of the repaired conversation where it diverges. `possible`
    holds, for each open dispute, the options that still fit. `why` says what is missing where it cannot be told.
    `needs` names what must have happened where it agrees on that condition only, or would need no repair: (of
    `ALLOWABLE`, how often). `replay` is the explanation as a walk from the start; where it diverges, of the lines
    before the first that is refused.
    """

    conversation: Conversation
    verdict: str
    endpoints: tuple[str, ...] = ()
    possible: tuple[tuple[str, tuple[str, ...]], ...] = ()
    told: tuple[Told, ...] = ()
    edits: tuple[Edit, ...] = ()
    cost: int = 0
    at_least: int = 0
    refused: FirstRefused | None = None
    why: str = ""
    needs: tuple[tuple[str, int], ...] = ()
    replay: Replay | None = None

    @property
    def bounded(self) -> bool:
        """Whether the limit was hit, so that fewer edits may do."""
        return self.at_least < self.cost


@dataclass(frozen=True, slots=True)
class Conformance:
    """The result of a check. `verdict` is that of the whole trace: where something of it was not read (`Trace.unread`)
    it agrees with nothing, for that might be what does not fit.

    `checked` are the layers (full FWPM names) at which a callout is taken to stand, `unseen` those that the model asks
    and where none is taken to stand; `declared` says whether that was told or concluded from the log. `decides` are
    disputes of which the trace leaves one option, `open` those that it does not decide, each with what still fits.
    `conflict` names conversations that agree one by one, but under no common way to decide the disputes.
    """

    trace: Trace
    config: Config
    verdict: str
    conversations: tuple[ConversationResult, ...]
    outside: tuple[Observation, ...]
    checked: tuple[str, ...]
    unseen: tuple[str, ...]
    declared: bool
    decides: tuple[tuple[str, str], ...]
    open: tuple[tuple[str, tuple[str, ...]], ...]
    conflict: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.verdict == AGREES

    def __bool__(self) -> bool:
        return self.ok

    @property
    def needs(self) -> tuple[str, ...]:
        """What must have happened, in any conversation, where the trace agrees on that condition only."""
        return tuple(
            dict.fromkeys(name for one in self.conversations if one.verdict == AGREES_IF for name, _ in one.needs)
        )


def check_trace(
    trace: Trace,
    config: Config | None = None,
    *,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    endpoint: str = "",
    decided: Sequence[str] = (),
    never: Sequence[str] = (),
    allow: Sequence[str] = (),
    verdicts: str = "final",
    from_start: bool = False,
    limit: int = DEFAULT_LIMIT,
    limits: Limits | None = None,
) -> Conformance:
    """Check the observations of a log against the model.

    Parameters
    ----------
    trace : from `read_trace`, or made of `Observation`s.
    config : the machine. The disputes that it assumes are decided, the others stay open; layer names decide on the
        IP version where they have one.
    only : the callouts stand at these layers (any spelling, both IP versions) and nowhere else.
    without : no callout stands at these layers. Without `only` or `without`, none stands where the log shows none.
    endpoint : check only conversations with this endpoint handle, or whose local or remote end is this.
    decided : disputes for which the option of `config` holds though it is the default.
    never : stimuli that are known not to have happened.
    allow : of `free.ALLOWABLE` (or "all"), what may have happened though it is rare.
    verdicts : "final" (the log shows what the layer answered in the end) or "own" (what one callout answered: where
        it permitted, another filter can have blocked).
    from_start : the log begins before its sockets were bound; otherwise it begins anywhere.
    limit : edges to follow, for one conversation, in search of the fewest edits.
    limits : what else is known not to be, for example that the port is a sender's.

    Raises
    ------
    UnknownName, FsmError : a layer, stimulus, dispute or endpoint that does not exist, or that the log contradicts.
    """
    config = config or Config()
    if verdicts not in VERDICT_KINDS:
        raise UnknownName.of("--verdicts", "kind of verdicts", verdicts, VERDICT_KINDS)
    if limit < 1:
        raise FsmError("--limit", f"{limit} leaves no work to do", fix="Give 1 or more")
    limits = limits or Limits()
    limits = replace(limits, never=limits.never | _named(never, "--never"))
    checker = _Checker(
        trace, config, _disputes(decided), limits, _named(allow, "--allow"), verdicts, from_start, limit
    )  # fmt: skip
    checker.declare(only, without)
    return checker.check(endpoint)


def _disputes(given: Iterable[str]) -> frozenset[str]:
    known = [name for name, choice in CHOICES.items() if choice.kind == "dispute"]
    for name in given:
        if name not in CHOICES:
            raise UnknownName.of("check", "dispute", name, known)
    return frozenset(given)


def _named(given: Iterable[str], where: str) -> frozenset[str]:
    """Stimuli by their names or aliases, and what else is rare."""
    words = [word.strip().lower().replace("-", "_") for word in given]
    if where == "--allow" and ALL in words:
        return frozenset(ALLOWABLE)
    known = (*STIMULI, REOPENED)
    for word in words:
        if STIMULUS_ALIASES.get(word, word) not in known:
            raise UnknownName.of(where, "stimulus", word, known)
    return frozenset(STIMULUS_ALIASES.get(word, word) for word in words)


@dataclass(frozen=True, slots=True)
class _Fit:
    """The lines of a conversation on one automaton: how many are possible, and the hypotheses for all (0: none)."""

    automaton: Reduced
    aligner: Aligner
    symbols: list[Symbol]
    numbers: list[int]
    count: int
    frontier: int
    bits: int


class _Checker:
    """One check: the declarations, then conversation after conversation with shared memory."""

    def __init__(
        self, trace: Trace, config: Config, decided: frozenset[str], limits: Limits, allowed: frozenset[str],
        verdicts: str, from_start: bool, limit: int,
    ) -> None:  # fmt: skip
        self._trace, self._config, self._decided = trace, config, decided
        self._limits, self._allowed = limits, allowed
        self._verdicts, self._from_start, self._limit = verdicts, from_start, limit
        self._seen = frozenset(o.layer for o in trace.observations)
        self._aligners: dict[Reduced, Aligner] = {}
        self._explainers: dict[tuple[Reduced, int], Explainer] = {}
        self._vacuous: dict[tuple[Aligner, frozenset[int], int], bool] = {}
        self._declared = False
        self._stands: frozenset[str] | None = None
        self._stands_not: frozenset[str] = frozenset()

    def declare(self, only: Sequence[str], without: Sequence[str]) -> None:
        """Where callouts stand, by the options; a log that shows another layer contradicts them."""
        windows = self._config.windows
        self._declared = bool(only or without)
        if only:
            self._stands = _layers(only, windows, "--only")
        self._stands_not = _layers(without, windows, "--without")
        for line in self._trace.observations:
            if self._stands is not None and line.layer not in self._stands:
                raise FsmError(
                    "--only", f"{line.source or 'a line'} is a classify at {line.layer}, which is not among the layers",
                    fix=f"Add {line.layer}",
                )  # fmt: skip
            if line.layer in self._stands_not:
                raise FsmError(
                    "--without",
                    f"{line.source or 'a line'} is a classify at {line.layer}",
                    fix="Leave it out of --without",
                )

    def check(self, endpoint: str) -> Conformance:
        dual_stack = self._config.choice("dual_stack") == "yes"
        found, outside = conversations(self._trace.observations, ip=self._config.ip, dual_stack=dual_stack)
        if endpoint:
            named = [c for c in found if endpoint in (c.endpoint, c.local, c.remote)]
            if not named:
                ends = dict.fromkeys(e for c in found for e in (c.endpoint, c.local, c.remote) if e)
                raise UnknownName.of("--endpoint", "endpoint of this trace", endpoint, ends)
            found = tuple(named)
        versions = sorted({c.ip for c in found}) or [self._config.ip]
        asked = {layer: None for ip in versions for layer in sorted(self._automaton(ip).layers)}
        standing = self._visible(asked)
        results, worlds = [], []
        for conversation in found:
            result, bits = self._conversation(conversation, standing)
            results.append(result)
            worlds.append(bits)
        common, conflict = self._common(results, worlds, versions)
        options = self._automaton(versions[0]).hypotheses.options_of(common) if common else {}
        return Conformance(
            self._trace,
            self._config,
            DIVERGES if conflict else _overall(results, self._trace),
            tuple(results),
            outside,
            tuple(layer for layer in asked if layer in standing),
            tuple(layer for layer in asked if layer not in standing),
            self._declared,
            tuple((name, left[0]) for name, left in options.items() if len(left) == 1),
            tuple((name, left) for name, left in options.items() if len(left) > 1),
            conflict,
        )

    def _automaton(self, ip: int) -> PortAutomaton:
        return port_automaton(replace(self._config, ip=ip), self._decided)

    def _visible(self, asked: Iterable[str]) -> frozenset[str]:
        if self._stands is not None:
            return self._stands - self._stands_not
        if self._declared:
            return frozenset(asked) - self._stands_not
        return self._seen

    def _common(
        self, results: Sequence[ConversationResult], worlds: Sequence[int], versions: Sequence[int]
    ) -> tuple[int, tuple[str, ...]]:
        """The worlds that explain every conversation that agrees; where none is left, the conversations at odds."""
        hypotheses = self._automaton(versions[0]).hypotheses
        common = hypotheses.all
        for index, (result, bits) in enumerate(zip(results, worlds, strict=True)):
            if result.verdict not in (AGREES, AGREES_IF):
                continue
            left = common & hypotheses.worlds_of(bits)
            if not left:
                at_odds = [
                    other.conversation.name
                    for other, before in zip(results[:index], worlds, strict=False)
                    if other.verdict in (AGREES, AGREES_IF)
                    and not hypotheses.worlds_of(before) & hypotheses.worlds_of(bits)
                ]
                return 0, (*(at_odds or [r.conversation.name for r in results[:index]]), result.conversation.name)
            common = left
        return (common if any(r.verdict in (AGREES, AGREES_IF) for r in results) else 0), ()

    # -- one conversation

    def _conversation(self, conversation: Conversation, standing: frozenset[str]) -> tuple[ConversationResult, int]:
        if not conversation.observations:
            why = "no line is certainly of this conversation: each layer that it was seen at has lines of others, too"
            return ConversationResult(conversation, CANNOT_TELL, why=why), 0
        whole = self._automaton(conversation.ip)
        visible = frozenset(standing & whole.layers) - frozenset(conversation.set_aside)
        free = free_of(conversation, self._limits, self._allowed, visible)
        plain = self._fitting(conversation, restricted(whole, free.plain), visible)
        if plain.bits:
            return self._agreeing(conversation, plain, visible), plain.bits
        diverging = self._diverging(conversation, plain)
        if free.rare != free.plain:
            rare = self._fitting(conversation, restricted(whole, free.rare), visible)
            if rare.bits:
                on_condition = self._on_condition(conversation, rare, free)
                # Of two accounts the simpler: something rare counts as an edit, each further kind of it as one more.
                if sum(count for _, count in on_condition.needs) + len(on_condition.needs) - 1 <= diverging.cost:
                    return on_condition, rare.bits
                diverging = replace(diverging, needs=on_condition.needs)
        return diverging, 0

    def _fitting(self, conversation: Conversation, whole: PortAutomaton, visible: frozenset[str]) -> _Fit:
        """How far the lines are possible, and under which hypotheses all of them are."""
        automaton = reduced(whole, visible)
        if automaton not in self._aligners:
            self._aligners[automaton] = Aligner(automaton, from_start=self._from_start)
        aligner = self._aligners[automaton]
        # Flags count where the machine can call a layer with them, whatever happens in this conversation.
        known = self._automaton(conversation.ip).flags
        symbols = [_symbol(line, self._verdicts, known) for line in conversation.observations]
        numbers = [aligner.symbol(symbol) for symbol in symbols]
        count, frontier = aligner.prefix(numbers)
        bits = _all_bits(aligner.frontiers[frontier]) if count == len(numbers) else 0
        return _Fit(automaton, aligner, symbols, numbers, count, frontier, bits)

    def _explained(
        self, conversation: Conversation, fit: _Fit, bits: int
    ) -> tuple[int, tuple[Told, ...], Replay | None]:
        """The preferred of these hypotheses, all of which the first lines fit, and what happened under it in them."""
        whole = fit.automaton.whole
        bit = whole.hypotheses.preferred(bits, _likely_roles(conversation.observations))
        path = self._explainer(fit.automaton, bit).path(fit.symbols[: fit.count])
        return bit, told_of(whole, path, conversation.observations), replay_of(whole, bit, path)

    def _agreeing(self, conversation: Conversation, fit: _Fit, visible: frozenset[str]) -> ConversationResult:
        whole = fit.automaton.whole
        bit, told, replay = self._explained(conversation, fit, fit.bits)
        verdict, why = AGREES, ""
        nothing_decided = whole.hypotheses.worlds_of(fit.bits) == whole.hypotheses.all
        if nothing_decided and self._never_refuses(fit.aligner, frozenset(fit.numbers), bit):
            verdict = CANNOT_TELL
            why = _too_little(conversation, fit.symbols, visible, self._automaton(conversation.ip).layers)
        return ConversationResult(
            conversation, verdict, _roles(whole, fit.bits), _options(whole, fit.bits), told, why=why, replay=replay
        )

    def _on_condition(self, conversation: Conversation, fit: _Fit, free: Free) -> ConversationResult:
        whole = fit.automaton.whole
        _, told, replay = self._explained(conversation, fit, fit.bits)
        return ConversationResult(
            conversation, AGREES_IF, _roles(whole, fit.bits), _options(whole, fit.bits), told,
            needs=needs_of(told, free), replay=replay,
        )  # fmt: skip

    def _never_refuses(self, aligner: Aligner, symbols: frozenset[int], bit: int) -> bool:
        key = (aligner, symbols, bit)
        if key not in self._vacuous:
            self._vacuous[key] = aligner.never_refuses(symbols, bit)
        return self._vacuous[key]

    def _explainer(self, automaton: Reduced, bit: int) -> Explainer:
        key = (automaton, bit)
        if key not in self._explainers:
            self._explainers[key] = Explainer(automaton.whole, automaton.visible, bit, from_start=self._from_start)
        return self._explainers[key]

    def _diverging(self, conversation: Conversation, fit: _Fit) -> ConversationResult:
        automaton, aligner, whole, symbols = fit.automaton, fit.aligner, fit.automaton.whole, fit.symbols
        lines = conversation.observations
        so_far = _all_bits(aligner.frontiers[fit.frontier])
        _, before, replay = self._explained(conversation, fit, so_far)
        refused = FirstRefused(fit.count, lines[fit.count], aligner.allowed(fit.frontier), before)
        cost = aligner.cost(fit.numbers, self._limit)
        if not cost.hypotheses:
            least = f"at least {counted(cost.at_least, 'edit is', 'edits are')}"
            why = f"the limit of work (--limit {self._limit}) was hit before a repair was found; {least} needed"
            return ConversationResult(
                conversation, DIVERGES, cost=cost.edits, at_least=cost.at_least, refused=refused, why=why,
                replay=replay,
            )  # fmt: skip
        bit = whole.hypotheses.preferred(cost.hypotheses, _likely_roles(lines))
        explainer = self._explainer(automaton, bit)
        path = explainer.path(symbols, cost.edits, cost.windows)
        edits = edits_of(whole, explainer, path, lines, symbols)
        return ConversationResult(
            conversation,
            DIVERGES,
            _roles(whole, cost.hypotheses),
            _options(whole, cost.hypotheses),
            told_of(whole, path, lines),
            edits,
            len(edits),
            min(cost.at_least, len(edits)),
            refused,
            replay=replay,
        )


@lru_cache(maxsize=65536)
def _symbol_of(
    layer: str, verdict: str, flags: tuple[str, ...] | None, direction: str, kind: str, known: frozenset[str]
) -> Symbol:
    verdicts = None
    if verdict:
        verdicts = frozenset(OWN_VERDICTS.get(verdict, (verdict,)) if kind == "own" else (verdict,))
        if verdict == Verdict.VETO:
            verdicts = verdicts | {str(Verdict.BLOCK)}  # a veto is a block against an earlier hard permit
    told = None if flags is None else (known.intersection(flags), known)
    return Symbol(layer, verdicts, told, direction)


def _symbol(line: Observation, kind: str, known: frozenset[str]) -> Symbol:
    return _symbol_of(line.layer, line.verdict, line.flags, line.direction, kind, known)


def _layers(given: Sequence[str], windows: str, where: str) -> frozenset[str]:
    """The layers of both IP versions that these words name; a word that fits a discard layer too means the other."""
    found = set()
    for word in given:
        named = catalogue.find(word, windows=windows, where=where)
        found |= {layer.name for layer in [one for one in named if not one.is_discard] or named}
    return frozenset(found)


def _all_bits(frontier: dict[int, int]) -> int:
    bits = 0
    for more in frontier.values():
        bits |= more
    return bits


def _likely_roles(lines: Sequence[Observation]) -> tuple[str, ...]:
    """The roles in the order in which they are tried: what the first packet says, then the rest."""
    for line in lines:
        direction = line.direction or catalogue.by_name(line.layer).direction
        if direction == "inbound":
            return ("receiver", "dropped_port", "sender", PORT)
        if direction == "outbound":
            break
    return ("sender", "receiver", "dropped_port", PORT)


def _roles(whole: PortAutomaton, bits: int) -> tuple[str, ...]:
    """The roles that explain it; a port that changes hands is told only where no single role does."""
    roles = whole.hypotheses.roles_of(bits)
    return tuple(role for role in roles if role != PORT) or roles


def _options(whole: PortAutomaton, bits: int) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(whole.hypotheses.options_of(bits).items())


def _too_little(
    conversation: Conversation, symbols: Sequence[Symbol], visible: frozenset[str], asked: frozenset[str]
) -> str:
    """What is missing where every order of the lines would have been possible."""
    seen = sorted({catalogue.by_name(o.layer).short_name for o in conversation.observations})
    missing = []
    if any(symbol.verdicts is None for symbol in symbols):
        missing.append("verdicts")
    if all(symbol.flags is None for symbol in symbols):
        missing.append("classify flags")
    hidden = sorted(catalogue.by_name(layer).short_name for layer in asked - visible if not layer.endswith("_DISCARD"))
    if hidden:
        missing.append(f"lines of other layers ({', '.join(hidden[:6])}{' ...' if len(hidden) > 6 else ''})")
    return (
        f"any number of classifies at {', '.join(seen)} in any order is possible, so this log could not have diverged. "
        f"Missing: {', '.join(missing) or 'nothing that the model compares'}"
    )


def _overall(results: Sequence[ConversationResult], trace: Trace) -> str:
    verdicts = {result.verdict for result in results}
    for verdict in (DIVERGES, AGREES_IF):
        if verdict in verdicts:
            return verdict
    return AGREES if AGREES in verdicts and not trace.unread else CANNOT_TELL
