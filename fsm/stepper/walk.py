"""A walk through a system: choose, run on by itself, by chance or until something holds; share, save and export it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fsm import catalogue
from fsm.counts import counted
from fsm.endpoint import Callout
from fsm.errors import FsmError, NoTransition, UnknownName
from fsm.fingerprint import fingerprint
from fsm.names import IP_VERSIONS, VERDICTS
from fsm.predicates import Predicate
from fsm.stepper import export, saved, token
from fsm.stepper.answers import Answers
from fsm.stepper.generator import mulberry32, pick
from fsm.stepper.history import History
from fsm.stepper.search import LIMIT, next_outcome, shortest
from fsm.stepper.search import Verdict as RunVerdict
from fsm.stepper.system import Node, Refusals, System, fired
from fsm.stepper.systems import system_named
from fsm.table import Step

if TYPE_CHECKING:
    from fsm.draw.pictures import Picture

LONGEST_RANDOM = 1_000_000


@dataclass(frozen=True, slots=True)
class Ran:
    """What `Walk.run_until` did. `verdict` is why it stopped:

    "reached" (what was asked for holds), "choice" (somebody has to choose), "steps" (as many as asked), "end" (no move
    is left), "unreachable" (no way leads there), "unknown" (not found among `places` places).
    """

    verdict: RunVerdict
    nodes: tuple[Node, ...] = ()
    places: int = 0


class Walk(History):
    """A walk through a system, from its start; `choose(move)` goes on, `back()` and the like move in its history.

    Parameters
    ----------
    system : an `EndpointSystem` or a `SessionSystem`.
    manual : whether to stop before each layer. Otherwise a stimulus runs to its end: the callouts are asked, then the
        policy, and without an answer it is permit.
    breakpoints : layers, in any spelling, before which it stops in any case.
    callouts : functions of a `ClassifyContext` that answer with a verdict or None, or pairs (layer, function). All are
        called, in order; the first verdict that is not permit decides.
    policy : such a function that is asked when the callouts leave the decision to others. One of
        `fsm.policy.callout.policy_callout` also says which filter decided; where open questions change the verdict,
        the walk stops for somebody to choose.
    """

    def __init__(
        self,
        system: System[Any],
        *,
        manual: bool = False,
        breakpoints: Iterable[str] = (),
        callouts: Iterable[Callout | tuple[str, Callout]] = (),
        policy: Callout | None = None,
    ) -> None:
        super().__init__(system.title, system.start())
        self.system = system
        self.manual = manual
        self.notice = ""  # what loading has to say
        self._watches: dict[str, Predicate] = {}
        self.breakpoints: tuple[str, ...] = ()
        for layer in breakpoints:
            self.break_at(layer)
        self._answers = Answers(system, callouts, policy)

    def ask(self, callouts: Iterable[Callout | tuple[str, Callout]] = (), policy: Callout | None = None) -> None:
        """Ask these callouts and this policy from now on, and no others.

        Raises
        ------
        FsmError : a session, whose verdicts are moves.
        """
        self._answers = Answers(self.system, callouts, policy)

    # -- where it stands ------------------------------------------------------------------------------------------

    @property
    def place(self) -> Any:
        return self.node.place

    @property
    def moves(self) -> tuple[str, ...]:
        """What is possible here, in table order."""
        return self.system.moves(self.place)

    @property
    def refused(self) -> Refusals:
        """What is not possible here, each with its reason."""
        return self.system.refusals(self.place)

    @property
    def state(self) -> str:
        """Where it stands, as one line."""
        return self.system.state(self.place)

    @property
    def layer(self) -> str:
        """The layer that waits for a verdict, by full name; "" where none does."""
        return self.system.layer(self.place)

    @property
    def values(self) -> dict[str, str]:
        """What this place is made of, by name, and the outcome of the stimulus."""
        return self.values_at(self.at)

    def values_at(self, number: int) -> dict[str, str]:
        """The same for any node."""
        values = self.system.values(self.nodes[number].place)
        return {**values, "outcome": self.outcome(number) or "none"} if self.system.can_wait else values

    @property
    def changed(self) -> dict[str, tuple[str, str]]:
        """What the last move changed: name to (before, after)."""
        return self.changed_since(self.node.parent) if self.node.parent >= 0 else {}

    def changed_since(self, number: int) -> dict[str, tuple[str, str]]:
        """What differs here from another node."""
        return self.changed_between(number, self.at)

    def changed_between(self, before: int, after: int) -> dict[str, tuple[str, str]]:
        """What differs between any two nodes."""
        changes = self.system.changes(self.nodes[before].place, self.nodes[after].place)
        if self.system.can_wait:
            was, now = (self.outcome(number) or "none" for number in (before, after))
            changes |= {"outcome": (was, now)} if was != now else {}
        return changes

    @property
    def ladder(self) -> tuple[Step, ...]:
        """The classifies on the way to here, in order."""
        return fired(self.path)

    def outcome(self, number: int | None = None) -> str:
        """What has become of the datagram of the last stimulus up to a node; "" for nothing yet."""
        number = self.at if number is None else number
        while number > 0:
            node = self.nodes[number]
            begins = not self.system.layer(self.nodes[node.parent].place)
            found = next_outcome("", node.steps, begins=begins)
            if found or begins:
                return found
            number = node.parent
        return ""

    def stimulus(self, number: int | None = None) -> str:
        """The stimulus, as the word that was chosen, that a node is a part of; "" at the start."""
        number = self.at if number is None else number
        node = self.nodes[number]
        while node.move in VERDICTS:
            node = self.nodes[node.parent]
        return node.move

    # -- going on -------------------------------------------------------------------------------------------------

    def choose(self, move: str) -> tuple[Node, ...]:
        """Take a move, and go on to the end of the stimulus unless manual or a breakpoint stops it.

        Returns
        -------
        The nodes that it went through; those that were there already are taken again.

        Raises
        ------
        NoTransition, UnknownName : it is not possible here; nothing has changed.
        """
        where = self.where()
        word = self.system.spelled(self.place, move, where)
        return (self._take(word, "hand", where), *(() if self.manual else self.proceed()))

    def proceed(self) -> tuple[Node, ...]:
        """Go on with the stimulus in progress, to its end or the next breakpoint."""
        nodes: list[Node] = []
        while (layer := self.layer) and layer not in self.breakpoints and not self.question:
            verdict, decided_by = self.suggestion
            nodes.append(self._take(verdict, decided_by, self.where()))
        return tuple(nodes)

    @property
    def question(self) -> str:
        """What the policy would have to know for the verdict of the waiting layer; "" where it is decided."""
        return self._answers.question(self.place)

    def step_on(self) -> tuple[Node, ...]:
        """Give the waiting layer what it gets by itself, and go on as `choose` does.

        Raises
        ------
        NoTransition : no layer waits.
        FsmError : the policy leaves it open.
        """
        if question := self.question:
            raise FsmError(
                self.where(),
                f"the policy leaves the verdict of {self.layer} open: {question}",
                fix=f"Choose one: {', '.join(self.moves)}",
            )
        verdict, decided_by = self.suggestion
        return (self._take(verdict, decided_by, self.where()), *(() if self.manual else self.proceed()))

    @property
    def suggestion(self) -> tuple[str, str]:
        """What the waiting layer is answered if nobody decides by hand, and by whom: ("permit", "permit").

        Where the policy leaves it open (`question`), it is the verdict if none of the open conditions holds.

        Raises
        ------
        NoTransition : no layer waits.
        """
        return self.suggestion_at(self.place)

    def suggestion_at(self, place: Any) -> tuple[str, str]:
        """The same for any place of the system, whether the walk has been there or not."""
        if not self.system.layer(place):
            raise NoTransition(self.where(), f"no layer waits for a verdict in state {self.system.state(place)}")
        return self._answers.suggestion(place)

    def random(self, steps: int, seed: int) -> tuple[Node, ...]:
        """Take `steps` moves by chance: each of the moves of a place is equally likely, verdicts too.

        The generator is mulberry32; a move is `moves[floor(r * len(moves))]` with r = number / 2**32. Where no move is
        left, the walk goes back to the start and on from there; that takes no number and is no step.

        Raises
        ------
        FsmError : more steps than are sensible.
        """
        if not 0 <= steps <= LONGEST_RANDOM:
            raise FsmError(self.where(), f"{steps} random steps", f"0 to {LONGEST_RANDOM}")
        numbers = mulberry32(seed)
        nodes: list[Node] = []
        while len(nodes) < steps:
            moves = self.moves
            if not moves:
                if self.at == 0:
                    break
                self.reset()
                continue
            nodes.append(self._take(moves[pick(next(numbers), len(moves))], "random", self.where()))
        return tuple(nodes)

    def run_until(self, until: Predicate | str | int, limit: int = LIMIT) -> Ran:
        """Run until something holds, until a choice has to be made ("choice"), or for a number of steps.

        An expression: a way to a place where it holds is looked for, of one move or more and with the fewest stimuli,
        first with the verdicts that the layers get by themselves, then with any. "choice" and a number: goes on while
        there is only one thing to do; a layer that waits counts as a choice in a manual walk and at a breakpoint, if
        it takes more than one verdict.

        Parameters
        ----------
        limit : how many places are looked at.

        Raises
        ------
        FsmError, UnknownName : an expression that makes no sense here.
        """
        if isinstance(until, int) or until == "choice":
            return self._run_on(until if isinstance(until, int) else None, limit)
        asked = self.system.predicate(until, "until") if isinstance(until, str) else until
        here = self.outcome()
        found = shortest(self.system, self.place, asked, here, self._by_itself, limit)
        looked_at = found.places
        if found.verdict != "reached" and self.system.can_wait:
            found = shortest(self.system, self.place, asked, here, self.system.moves, limit)
            looked_at = max(looked_at, found.places)
        start = self.at
        nodes = []
        for move in found.moves:
            itself = bool(self.layer) and not self.question and self.suggestion[0] == move
            decided_by = self.suggestion[1] if itself else "hand"
            nodes.append(self._take(move, decided_by, self.where()))
        assert found.verdict == "reached" or self.at == start
        return Ran(found.verdict, tuple(nodes), looked_at)

    def _by_itself(self, place: Any) -> tuple[str, ...]:
        """The moves of a place, and of a waiting layer only what it gets if nobody decides by hand."""
        if not self.system.layer(place):
            return self.system.moves(place)
        return self._answers.possible(place)

    def _run_on(self, steps: int | None, limit: int) -> Ran:
        if steps is not None and steps < 0:
            raise FsmError(self.where(), f"{steps} steps", fix="Give 0 or more")
        nodes: list[Node] = []
        while steps is None or len(nodes) < steps:
            moves = self.moves
            if not moves:
                return Ran("end", tuple(nodes))
            stops = self.manual or self.layer in self.breakpoints
            if len(moves) > 1 and (not self.layer or (stops and steps is None) or self.question):
                return Ran("choice", tuple(nodes))
            if len(nodes) >= limit:
                return Ran("unknown", tuple(nodes), limit)
            move, decided_by = self.suggestion if self.layer else (moves[0], "hand")
            nodes.append(self._take(move, decided_by, self.where()))
        return Ran("steps", tuple(nodes))

    def _take(self, move: str, decided_by: str, where: str) -> Node:
        """One node on; the one that is there already if this move was taken here before."""
        known = self.known(move)
        if known is None:
            try:
                place, steps = self.system.take(self.place, move)
            except NoTransition as error:
                # The system knows neither this walk nor its step.
                raise NoTransition(where, error.what, error.nearest, error.fix) from None
            known = self.add(move, steps, place, decided_by)
        return self.enter(known, decided_by)

    # -- breakpoints and watches ----------------------------------------------------------------------------------

    def break_at(self, layer: str) -> tuple[str, ...]:
        """Stop before a layer, in any spelling; again: no more. Returns the full names that were meant.

        Raises
        ------
        UnknownName : no such layer.
        FsmError : a session, which stops after each move.
        """
        config = self.system.config
        if not self.system.can_wait:
            raise FsmError("break", "a session stops after each move", fix="--granularity classify: at each layer")
        versions = [config.ip] if config.choice("dual_stack") == "no" else [*IP_VERSIONS]
        try:
            found = [catalogue.resolve(layer, None, windows=config.windows, where="break")]
        except UnknownName:
            found = [catalogue.resolve(layer, ip, windows=config.windows, where="break") for ip in versions]
        names = tuple(one.fwpm_name for one in found)
        if set(names) <= set(self.breakpoints):
            self.breakpoints = tuple(name for name in self.breakpoints if name not in names)
        else:
            self.breakpoints = tuple(dict.fromkeys((*self.breakpoints, *names)))
        return names

    def view_at(self, number: int) -> dict[str, object]:
        """A node as predicates look at it."""
        node = self.nodes[number]
        layers = tuple(dict.fromkeys(step.layer for step in fired(self.path_to(number))))
        return {**self.system.view(node.place), "fired": layers, "outcome": self.outcome(number) or "none"}

    def watch(self, expression: str) -> str:
        """Watch a name (`flow`) or an expression (`socket=BOUND and time>=60`) from now on; returns what it shows.

        Raises
        ------
        FsmError, UnknownName : an expression that makes no sense here.
        """
        predicate = self.system.predicate(expression, "watch", bare=True)
        self._watches[predicate.text] = predicate
        return predicate.value(self.view_at(self.at))

    def unwatch(self, expression: str) -> None:
        """Watch it no more.

        Raises
        ------
        UnknownName : it is not watched.
        """
        text = " ".join(word for word in expression.split() if word.lower() != "and")
        if text not in self._watches:
            raise UnknownName.of("unwatch", "watch", text, self._watches)
        del self._watches[text]

    @property
    def watches(self) -> dict[str, str]:
        """What is watched, with what it shows here."""
        return self.watches_at(self.at)

    def watches_at(self, number: int) -> dict[str, str]:
        """The same for any node."""
        view = self.view_at(number)
        return {text: predicate.value(view) for text, predicate in self._watches.items()}

    # -- shared, saved and shown ----------------------------------------------------------------------------------

    @property
    def token(self) -> str:
        """What brings somebody else to this place: the way to it, without other branches.

        Raises
        ------
        FsmError : it would be too long.
        """
        return self.token_at(self.at)

    def token_at(self, number: int) -> str:
        """The token of any node."""
        path = self.path_to(number)
        places = (self.nodes[node.parent].place for node in path)
        choices = self.system.encoded(zip(places, (node.move for node in path), strict=True))
        return token.written(token.Token(fingerprint(), self.system.name, self.system.config, choices))

    @classmethod
    def from_token(cls, text: str, *, other_model: bool = False, engine: str = "table", **options: Any) -> Walk:
        """The walk that a token brings back.

        Parameters
        ----------
        other_model : whether a token of another model version may be replayed as far as it goes; `notice` says how far.
        options : of `Walk`.

        Raises
        ------
        FsmError : no token, or one of another model version.
        """
        parts = token.read(text)
        here = fingerprint()
        if parts.fingerprint != here and not other_model:
            raise FsmError(
                "token",
                f"it was made with model version {parts.fingerprint}, this is {here}: it may lead elsewhere",
                fix="Replay it as far as it goes with --other-model (in Python other_model=True)",
            )
        walk = cls(system_named(parts.system, parts.config, engine, "token"), **options)
        items = walk.system.decoded(parts.choices, "token")
        for number, item in enumerate(items, start=1):
            try:
                move = walk.system.chosen(walk.place, item, f"token, choice {number}")
                walk._take(move, "hand", f"token, choice {number}")
            except FsmError as error:
                if parts.fingerprint == here:
                    raise
                walk.notice = f"replayed {number - 1} of {counted(len(items), 'choice')}: {error}"
                break
        if parts.fingerprint != here and not walk.notice:
            walk.notice = "replayed the only choice" if len(items) == 1 else f"replayed all {len(items)} choices"
        if parts.fingerprint != here:
            walk.notice = f"token of model version {parts.fingerprint}, this is {here}: {walk.notice}"
        return walk

    def to_json(self) -> dict[str, object]:
        """The whole walk with all branches, as JSON values: names, not letters (format: `diagrams/pages`)."""
        return saved.to_json(
            self.system,
            self.nodes,
            saved.Settings(
                self.at, self.branch, self._tips, self.manual, self.breakpoints, tuple(self._watches)
            ),
        )  # fmt: skip

    @classmethod
    def from_json(cls, data: object, *, engine: str = "table", where: str = "walk", **options: Any) -> Walk:
        """A walk that was saved. One of another model version is replayed by names; `notice` says how far.

        Raises
        ------
        FsmError : no saved walk, or one that this model cannot have made.
        """
        read = saved.read(data, where)
        system = system_named(read.system, read.config, engine, where)
        settings = read.settings
        walk = cls(system, **{"manual": settings.manual, "breakpoints": settings.breakpoints, **options})
        walk.notice = saved.replay(walk, system, read, where)
        for expression in settings.watches:
            walk.watch(expression)
        return walk

    def to_pytest(self) -> str:
        """A test file that replays the way to here and asserts every layer, verdict and state that was seen."""
        return export.pytest_text(self.system, self.path, fingerprint())

    def to_dot(self, *, dark: bool = False) -> str:
        """The picture of the system with the way to here marked, as DOT.

        Raises
        ------
        FsmError : a session that is too large to be drawn.
        """
        return export.dot_text(self.system, self.path, dark=dark)

    def to_mermaid(self) -> str:
        """The way to here as a Mermaid sequence diagram."""
        return export.mermaid_text(self.system, self.path, self.stimuli)

    def to_picture(self) -> Picture:
        """The way to here as a picture of nothing else: a ladder, or the sequence of a session's moves."""
        return export.picture_of(self.system, self.path, self.stimuli)

    @property
    def stimuli(self) -> tuple[str, ...]:
        """The words that were chosen on the way to here, verdicts left out."""
        return tuple(node.move for node in self.path if node.move not in VERDICTS)
