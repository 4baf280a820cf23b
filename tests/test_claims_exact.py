"""Claims against brute force: small machines and patterns are generated, and every run up to a length is looked at."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from automata.fa.dfa import DFA
from automata.fa.nfa import NFA
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm import catalogue
from fsm.choices import Config
from fsm.claims import accepts, always_after, always_before, endpoint, equivalent, matches, never, reaches
from fsm.claims.automaton import Dfa
from fsm.claims.decide import Reading, search
from fsm.claims.decide import letters_of as letters_shown
from fsm.claims.grammar import read_pattern
from fsm.claims.matching import reduced_runs
from fsm.claims.runs import TICK, Event, cost_of
from fsm.claims.timed import TimedRuns
from fsm.endpoint import Endpoint
from fsm.errors import FsmError
from fsm.flows import perform
from fsm.names import VERDICTS
from fsm.stimuli import VIEWS
from fsm.table import State, Step

LAYERS = ("ALE_AUTH_CONNECT", "DATAGRAM_DATA", "OUTBOUND_TRANSPORT")
LETTERS = {"AUTH_CONNECT": "c", "DATAGRAM_DATA": "d", "OUTBOUND_TRANSPORT": "t"}
LENGTH = 5


class Toy:
    """A table that is given as its cells: {state: (layer or None, {event: next})}. State 0 is the start."""

    def __init__(self, cells: list[tuple[str | None, dict[str, int]]]) -> None:
        self.view, self.config, self.rows = VIEWS["sender"], Config(), ()
        self.events = (*self.view.stimuli, *VERDICTS)
        self.event_ids = {name: number for number, name in enumerate(self.events)}
        self._cells, self.start = cells, 0
        idle = self.view.start()
        self.states = [
            State(idle, "sendto" if layer else "", f"p{n}" if layer else "idle") for n, (layer, _) in enumerate(cells)
        ]
        self.names = tuple(f"s{n}" for n in range(len(cells)))

    def name_of(self, state: int) -> str:
        return self.names[state]

    def layer(self, state: int) -> catalogue.Layer | None:
        stem = self._cells[state][0]
        return catalogue.layer_of(stem, 4) if stem else None

    def flags(self, state: int) -> tuple[str, ...]:
        return ()

    def next_or_none(self, state: int, event: int) -> int:
        return self._cells[state][1].get(self.events[event], -1)

    def row_index(self, state: int, event: int) -> int:
        return -1

    def why_not(self, state: int, event: str) -> str:
        return "" if event in self._cells[state][1] else "the toy has no such cell"

    def recorded(self, state: int, event: int) -> Step:
        layer, cells = self._cells[state]
        name, full = self.events[event], catalogue.layer_of(layer, 4).fwpm_name if layer else ""
        after = cells[name]
        in_progress = " x" if self._cells[after][0] else ""
        stimulus, verdict = ("sendto", name) if layer else (name, "")
        where = (f"s{state}", f"s{after}{in_progress}", f"toy.{state}.{name}", "inferred")
        return Step(stimulus, f"p{state}", name, verdict, full, None, *where, (), (), None, (), "", "", "", (), "")


@st.composite
def toys(draw: st.DrawFn) -> Toy:
    size = draw(st.integers(2, 5))
    cells: list[tuple[str | None, dict[str, int]]] = []
    for number in range(size):
        layer = None if not number else draw(st.sampled_from((None, *LAYERS)))
        names = ("bind", "sendto", "close") if layer is None else ("permit", "block")
        chosen = draw(st.lists(st.sampled_from(names), unique=True, min_size=0 if layer is None else 1))
        cells.append((layer, {name: draw(st.integers(0, size - 1)) for name in chosen}))
    return Toy(cells)


def subject(toy: Toy, *, any_verdict: bool = True) -> Any:
    return endpoint("sender", table=toy, any_verdict=any_verdict)  # type: ignore[arg-type]


# What one event is, for the oracle: (stimulus or "", layer stem or "", verdict, whether idle afterwards).
Seen = tuple[str, str, str, bool]


def runs_of(toy: Toy, length: int = LENGTH) -> Iterator[tuple[tuple[Seen, ...], int]]:
    """Every run up to a length, shortest first, with the state it ends in; straight from the cells."""
    level: list[tuple[tuple[Seen, ...], int]] = [((), 0)]
    for _ in range(length + 1):
        yield from level
        level = [
            ((*run, ("" if layer else name, layer or "", name if layer else "", toy._cells[to][0] is None)), to)
            for run, state in level
            for layer, cells in (toy._cells[state],)
            for name, to in cells.items()
        ]


ATOMS: dict[str, Callable[[Seen], bool]] = {
    "AUTH_CONNECT": lambda e: e[1] == "ALE_AUTH_CONNECT",
    "AUTH_CONNECT:block": lambda e: e[1] == "ALE_AUTH_CONNECT" and e[2] == "block",
    "DATAGRAM_DATA:permit": lambda e: e[1] == "DATAGRAM_DATA" and e[2] == "permit",
    "OUTBOUND_TRANSPORT": lambda e: e[1] == "OUTBOUND_TRANSPORT",
    "(bind)": lambda e: e[0] == "bind",
    "(close)": lambda e: e[0] == "close",
}
NAMES = tuple(ATOMS)


@given(toys(), st.sampled_from(NAMES))
@settings(max_examples=60, deadline=None)
def test_what_is_reached_is_what_some_run_does_and_the_witness_is_as_short(toy: Toy, target: str) -> None:
    holds = ATOMS[target]
    shortest = next((len(run) for run, _ in runs_of(toy) if run and holds(run[-1])), None)
    found, refused = reaches(subject(toy), target), never(subject(toy), target)
    assert bool(found) is (shortest is not None) and bool(refused) is (shortest is None)
    if shortest is not None:
        assert len(found.witness) == len(refused.witness) == shortest


@given(toys(), st.sampled_from(NAMES), st.sampled_from(NAMES))
@settings(max_examples=60, deadline=None)
def test_before_is_what_no_run_contradicts(toy: Toy, first: str, then: str) -> None:
    one, two = ATOMS[first], ATOMS[then]
    wrong = [run for run, _ in runs_of(toy) if run and two(run[-1]) and not any(one(e) for e in run[:-1])]
    happens = any(run and two(run[-1]) for run, _ in runs_of(toy))
    found = always_before(subject(toy), first, then)
    assert bool(found) is (not wrong and happens)
    if wrong:
        assert (found.cause, len(found.witness)) == ("not_before", len(wrong[0]))
    elif not happens:
        assert found.cause == "vacuous"


def lacks_response(run: tuple[Seen, ...], trigger: Any, response: Any, before: Any) -> bool:
    """Whether the last event of a run is where a response should have come at the latest."""
    for at, event in enumerate(run):
        if not trigger(event) or any(response(e) for e in run[at + 1 :]):
            continue
        ends = [before(e) for e in run[at + 1 :]] if before else [e[3] for e in run[at:]]
        if ends and ends[-1]:
            return True
    return False


def comes_after(toy: Toy, first: Any, then: Any) -> bool:
    """Whether some run, however long, has `then` after `first`."""
    seen, order = {(0, False)}, [(0, False)]
    for state, was in order:
        layer, cells = toy._cells[state]
        for name, to in cells.items():
            event = ("" if layer else name, layer or "", name if layer else "", toy._cells[to][0] is None)
            if was and then(event):
                return True
            after = (to, was or first(event))
            if after not in seen:
                seen.add(after)
                order.append(after)
    return False


def test_what_comes_after_is_looked_for_beyond_the_length_of_the_runs() -> None:
    # Seven events: round again to the only layer.
    toy = Toy([(None, {"sendto": 1}), ("ALE_AUTH_CONNECT", {"permit": 2}), *((None, {"bind": n}) for n in (3, 4, 1))])
    assert comes_after(toy, ATOMS["AUTH_CONNECT"], ATOMS["AUTH_CONNECT"])
    assert always_after(subject(toy), "AUTH_CONNECT", "AUTH_CONNECT", before="AUTH_CONNECT")


@given(toys(), st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(("", *NAMES)))
@settings(max_examples=60, deadline=None)
def test_after_is_what_no_run_contradicts(toy: Toy, trigger: str, response: str, before: str) -> None:
    bound = ATOMS[before] if before else None
    wrong = [r for r, _ in runs_of(toy) if lacks_response(r, ATOMS[trigger], ATOMS[response], bound)]
    found = always_after(subject(toy), trigger, response, before=before)
    if wrong:
        assert (found.cause, len(found.witness)) == ("not_after", len(wrong[0]))
    else:
        runs = [run for run, _ in runs_of(toy)]
        happens = any(run and ATOMS[trigger](run[-1]) for run in runs)
        due = not bound or comes_after(toy, ATOMS[trigger], bound)
        if found:
            assert happens and due
        elif found.cause == "never_due":
            assert happens and not due
        else:
            assert (found.cause == "vacuous" and not happens) or len(found.witness) > LENGTH


@given(toys(), st.lists(st.sampled_from(NAMES[:4]), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_list_is_accepted_where_some_run_shows_just_that(toy: Toy, words: list[str]) -> None:
    def shows(run: tuple[Seen, ...]) -> bool:
        seen = [event for event in run if event[1]]
        return len(seen) == len(words) and all(ATOMS[w](e) for w, e in zip(words, seen, strict=True))

    shortest = next((len(run) for run, _ in runs_of(toy, 6) if shows(run)), None)
    found = accepts(subject(toy), words)
    if shortest is not None:
        assert found and len(found.witness) == shortest
    else:
        assert not found or len(found.witness) > 6


# ---- patterns: the oracle is Python's re, a letter for each event

PIECES = st.recursive(
    st.sampled_from(
        [("AUTH_CONNECT", "[cC]"), ("AUTH_CONNECT:block", "C"), ("DATAGRAM_DATA:permit", "d"), (".", "."),
         ("...", ".*"), ("!AUTH_CONNECT:block", "[^C]"), ("!(DATAGRAM_DATA | OUTBOUND_TRANSPORT)", "[^dDtT]")]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: (f"{p[0][0]} {p[1][0]}", f"{p[0][1]}{p[1][1]}")),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]} | {p[1][0]})", f"(?:{p[0][1]}|{p[1][1]})")),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{0,2}", "{2}", "{1,}"])).map(
            lambda p: (f"({p[0][0]}){p[1]}", f"(?:{p[0][1]}){p[1]}")
        ),
    ),
    max_leaves=4,
)  # fmt: skip


def letters_of(run: tuple[Seen, ...]) -> str:
    """The classifies of a run as letters: small for permit, capital for block."""
    found = {stem: LETTERS[stem.removeprefix("ALE_")] for stem in LAYERS}
    return "".join(found[e[1]] if e[2] == "permit" else found[e[1]].upper() for e in run if e[1])


@given(toys(), PIECES)
@settings(max_examples=80, deadline=None)
def test_a_pattern_is_matched_where_re_matches_some_run(toy: Toy, piece: tuple[str, str]) -> None:
    pattern, regex = piece
    if re.fullmatch(regex, ""):
        with pytest.raises(FsmError, match="before anything happens"):
            matches(subject(toy), pattern)
        return
    shortest = next((len(r) for r, _ in runs_of(toy) if re.fullmatch(regex, letters_of(r))), None)
    found = matches(subject(toy), pattern)
    if shortest is not None:
        assert found and len(found.witness) == shortest, pattern
    else:
        assert not found or len(found.witness) > LENGTH, pattern


def automaton_of(regex: str) -> DFA:
    """The language of a regular expression by automata-lib, over the letters that a toy can show."""
    alphabet = set("cCdDtT")
    spelled = re.sub(r"\[\^(\w+)\]", lambda m: "(" + "|".join(sorted(alphabet - set(m[1]))) + ")", regex)
    spelled = re.sub(r"\[(\w+)\]", lambda m: "(" + "|".join(m[1]) + ")", spelled).replace("(?:", "(")
    return DFA.from_nfa(NFA.from_regex(spelled, input_symbols=alphabet))


def own_automaton(pattern: str) -> DFA:
    """Our automaton of a pattern, made whole, as one of automata-lib."""
    vocabulary = endpoint("sender").vocabulary
    read = read_pattern(pattern, vocabulary)
    dfa, atoms = Dfa(read), read.atoms
    masks = {}
    for letter in "cCdDtT":
        stem = next(s for s in LAYERS if LETTERS[s.removeprefix("ALE_")] == letter.lower())
        event = Event("sendto", catalogue.layer_of(stem, 4).fwpm_name, "permit" if letter.islower() else "block")
        masks[letter] = sum(1 << n for n, atom in enumerate(atoms) if atom.holds(event, 0))
    states, transitions = [dfa.start], {}
    for state in states:
        transitions[state] = {letter: dfa.step(state, mask) for letter, mask in masks.items()}
        states += [s for s in dict.fromkeys(transitions[state].values()) if s not in states]
    return DFA(states=set(states), input_symbols=set(masks), transitions=transitions, initial_state=dfa.start,
               final_states={s for s in states if dfa.accepts(s)})  # fmt: skip


@given(PIECES)
@settings(max_examples=60, deadline=None)
def test_a_pattern_is_the_language_that_automata_lib_makes_of_it(piece: tuple[str, str]) -> None:
    assert own_automaton(piece[0]) == automaton_of(piece[1]), piece


@given(toys(), PIECES)
@settings(max_examples=60, deadline=None)
def test_every_run_stays_within_a_pattern_where_no_run_leaves_its_prefixes(toy: Toy, piece: tuple[str, str]) -> None:
    pattern, regex = piece
    language = automaton_of(regex)
    shown = {letter for run, _ in runs_of(toy) for letter in letters_of(run)}
    # A prefix is what leads to a state from which letters that the toy shows lead to the end.
    alive = set(language.final_states)
    while True:
        more = {s for s, to in language.transitions.items() for letter in shown if to.get(letter) in alive} - alive
        if not more:
            break
        alive |= more

    def leaves(run: tuple[Seen, ...], state: int) -> bool:
        at = language.initial_state
        for letter in letters_of(run):
            at = language.transitions.get(at, {}).get(letter)
            if at is None:
                return True
        return at not in alive or (not toy._cells[state][1] and at not in language.final_states)

    shortest = next((len(run) for run, state in runs_of(toy) if leaves(run, state)), None)
    found = matches(subject(toy), pattern, every=True)
    if shortest is not None:
        assert not found and len(found.witness) == shortest, pattern
    else:
        assert found or len(found.witness) > LENGTH, pattern


def shown_by(toy: Toy) -> DFA:
    """The words that a toy can show, as an automaton of automata-lib: what no layer sees is an empty move."""
    transitions: dict[int, dict[str, set[int]]] = {}
    for state, (layer, cells) in enumerate(toy._cells):
        here = transitions.setdefault(state, {})
        for name, to in cells.items():
            letter = LETTERS[layer.removeprefix("ALE_")] if layer else ""
            here.setdefault(letter if name != "block" else letter.upper(), set()).add(to)
    states = set(range(len(toy._cells)))
    return DFA.from_nfa(
        NFA(states=states, input_symbols=set("cCdDtT"), transitions=transitions, initial_state=0, final_states=states)
    )


@given(toys(), toys())
@settings(max_examples=80, deadline=None)
def test_subjects_are_equivalent_where_automata_lib_finds_the_same_language(one: Toy, two: Toy) -> None:
    languages = [shown_by(toy) for toy in (one, two)]
    differ = languages[0] ^ languages[1]
    found = equivalent(subject(one), subject(two))
    if found.cause == "vacuous":  # neither shows anything
        assert not found and all(language.cardinality() == 1 for language in languages)
        return
    assert bool(found) is differ.isempty()
    if not found:
        words = [letters_of_moves(toy, found.witness) for toy in (one, two)]
        word = next(w for w in words if w is not None and differ.accepts_input(w))
        assert len(word) == differ.minimum_word_length()


def letters_of_moves(toy: Toy, moves: tuple[str, ...]) -> str | None:
    """What a toy shows on these moves; None where it cannot do them."""
    state, shown = 0, ""
    for move in moves:
        layer, cells = toy._cells[state]
        if move not in cells:
            return None
        letter = LETTERS[layer.removeprefix("ALE_")] if layer else ""
        shown += letter if move != "block" else letter.upper()
        state = cells[move]
    return shown


# ---- model time: the oracle is the running endpoint


def test_timed_runs_go_where_the_running_endpoint_goes() -> None:
    rng = random.Random(7)
    stimuli = ["bind", "sendto", "sendto_group", "datagram", "policy_change", "connect", "flow_abort"]
    for _ in range(60):
        runs = endpoint("sender").timed
        running, state = Endpoint("sender"), runs.start
        for _ in range(12):
            possible = [s for s in running.table.moves(running.state) if s in stimuli]
            word = rng.choice([*possible, f"wait:{rng.choice((1, 2, 3, 4, 30, 56, 59, 60))}"])
            before = len(running.history)
            perform(running, word)
            if word.startswith("wait:"):
                timers = [r.stimulus for r in running.history[before:] if r.stimulus != "wait"]
                state, met = waited(runs, state, int(word[5:]))
                assert sorted(met) == sorted(timers), word
            else:
                state = followed(runs, state, word)
                while running.table.layer(runs.plain(state)) is not None:
                    state = followed(runs, state, "permit")
            assert runs.name(state) == running.table.name_of(running.state), word


def followed(runs: Any, state: int, move: str) -> int:
    return int(next(target for event, target in runs.edges(state) if runs.events[event].move == move))


def waited(runs: Any, state: int, seconds: int) -> tuple[int, list[str]]:
    met: list[str] = []
    for _ in range(seconds):
        state = next(target for event, target in runs.edges(state) if runs.events[event].stimulus == TICK)
        while not any(runs.events[event].stimulus == TICK for event, _ in runs.edges(state)):
            [(event, state)] = runs.edges(state)
            met.append(runs.events[event].move)
    return state, met


def test_a_flow_lives_sixty_seconds_and_the_window_of_a_group_four() -> None:
    receiver = endpoint("receiver", stimuli=["bind", "datagram", "idle_timeout"])
    sender = endpoint("sender", stimuli=["bind", "sendto_group", "window_timeout"])
    assert matches(receiver, "... (FLOW_ESTABLISHED ... FLOW_ESTABLISHED) within 60s")
    assert not matches(receiver, "... (FLOW_ESTABLISHED ... FLOW_ESTABLISHED) within 59s")
    # A condition on the state after an event asks the state itself, whatever its clocks show.
    quiet = endpoint("sender", stimuli=["sendto", "idle_timeout"])
    assert matches(quiet, "... (FLOW_ESTABLISHED ... [flow=NONE]) within 60s")
    assert not matches(quiet, "... (FLOW_ESTABLISHED ... [flow=NONE]) within 59s")
    assert matches(sender, "... ((sendto_group) !(sendto_group)* (window_timeout)) within 4s")
    assert not matches(sender, "... ((sendto_group) !(sendto_group)* (window_timeout)) within 3s")
    assert matches(receiver, "(!FLOW_ESTABLISHED)* (FLOW_ESTABLISHED ...)? ", every=True)


def test_the_witness_of_a_timed_pattern_replays_on_the_running_endpoint() -> None:
    found = matches("sender", "... ((window_timeout) ... (idle_timeout)) within 1s").require()
    running = Endpoint("sender")
    for move in found.witness:
        if move in VERDICTS:
            running.decide(move)
        elif move.startswith("wait:"):
            running.wait(int(move[5:]))
        else:
            running.begin(move)
    names = [record.stimulus for record in running.history]
    assert names[-2:] == ["window_timeout", "idle_timeout"]


# ---- fewer states: the oracle is the same search over all of them

GROUPS = ("((sendto_group) ... (window_timeout))", "(FLOW_ESTABLISHED ... (idle_timeout))", "((window_timeout) ... .)",
          "((idle_timeout) !(sendto)* (idle_timeout))", "(FLOW_ESTABLISHED (...) AUTH_CONNECT)")  # fmt: skip
SECONDS = (0, 1, 3, 4, 56, 59, 60, 61)


def cost(path: Any, runs: Any) -> int:
    return sum(cost_of(runs.events[event]) for event, _ in path)


@given(st.sampled_from(GROUPS), st.sampled_from(SECONDS), st.sampled_from(GROUPS), st.sampled_from((0, 2, 60)))
@settings(max_examples=8, deadline=None)
def test_a_timed_pattern_is_decided_as_on_all_states_and_with_a_run_as_usual(
    one: str, bound: int, two: str, other: int
) -> None:
    pattern = f"... {one} within {bound}s ... {two} within {other}s"
    name = "sender"
    about = endpoint(name, stimuli=["bind", "sendto", "sendto_group", "idle_timeout", "window_timeout"])
    read = read_pattern(pattern, about.vocabulary)
    whole = about.timed
    reading = Reading(whole, read)
    found = search(whole, reading, lambda state, q: reading.dfa.accepts(q), limit=30_000)
    decided = matches(about, pattern)
    if found.path is not None:
        assert decided
        reduced = reduced_runs(about, whole, read)
        assert isinstance(reduced, TimedRuns)
        quick = Reading(reduced, read)
        path = search(reduced, quick, lambda state, q: quick.dfa.accepts(q), spent=quick.dfa.spent).path
        assert path is not None
        lifted = reduced.lift(path, whole)
        assert cost(lifted, whole) == cost(path, reduced) == cost(found.path, whole)
        q, state = reading.start, whole.start
        for event, target in lifted:
            assert (event, target) in whole.edges(state)
            q, state = reading.next(q, event, target), target
        assert reading.dfa.accepts(q)
    elif found.complete:
        assert decided.verdict == "refuted"


STAYS = (
    "((!(idle_timeout))* (FLOW_ESTABLISHED (!(idle_timeout))* (idle_timeout)) within {}s)* (!(idle_timeout))*",
    "((!INBOUND_TRANSPORT)* (INBOUND_TRANSPORT (!INBOUND_TRANSPORT)* DATAGRAM_DATA) within {}s)* (!INBOUND_TRANSPORT)*",
)


@pytest.mark.parametrize("bound", SECONDS)
@pytest.mark.parametrize(("pattern", "holds"), list(zip(STAYS, (False, True), strict=True)))
def test_every_run_of_a_timed_pattern_is_decided_as_on_all_states(pattern: str, holds: bool, bound: int) -> None:
    about = endpoint("receiver", stimuli=["bind", "datagram", "idle_timeout"])
    read = read_pattern(pattern.format(bound), about.vocabulary)
    reading = Reading(about.timed, read)
    letters, complete = letters_shown(about.timed, reading)
    hopeless = reading.dfa.hopeless(letters)
    found = search(about.timed, reading, lambda state, q: hopeless(q))
    assert complete and (found.complete or found.path is not None)
    assert bool(matches(about, read.text, every=True)) is (found.path is None) is holds
