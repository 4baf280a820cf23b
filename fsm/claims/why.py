"""Why something is not possible next: the rule that leads elsewhere, the guard that fails, the citation, the verdict.

All of it is computed from the rows of the table; nothing is told that a row does not say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from fsm import catalogue
from fsm.claims.runs import UNCOMMON_MOVES, USUAL_MOVES, Event, Runs
from fsm.claims.subject import EndpointSubject, Subject
from fsm.claims.words import Atom
from fsm.names import DONE, IDLE, VERDICTS, WINDOWS
from fsm.rows import Row
from fsm.rules import RULES
from fsm.stimuli import STIMULI
from fsm.table import NO_ROW, State, Step, Table, beginning, guard_value

SHOWN = 8  # of what is possible, before "and N more"


def rule_text(row: Row) -> str:
    """A rule with its sources, as every message names it."""
    return f"rule {row.key} ({row.basis}: {', '.join(row.cite)})"


def step_text(event: Event) -> str:
    """The rule that an event went by."""
    return _rule_of(event.step) if event.step else ""


def _rule_of(step: Step) -> str:
    return f"rule {step.rule} ({step.basis}: {', '.join(step.cite)})"


def decided_text(subject: Subject, state: int) -> str:
    """`: filter 'X' in sublayer 'Y'` for what a policy answers in a state; "" where there is no policy."""
    if not isinstance(subject, EndpointSubject) or subject.policy is None or subject.table.layer(state) is None:
        return ""
    return f": {subject.policy.at(state).by}"


def possible_next(runs: Runs, states: Iterable[int], *, stimuli: bool) -> tuple[str, ...]:
    """What can be seen next in one of these states; with `stimuli`, what no layer sees as well.

    Without them the layers are told that come first after something that no layer sees.
    """
    found: dict[str, list[str]] = {}
    order = list(dict.fromkeys(states))
    met = set(order)
    for state in order:
        for number, target in runs.edges(state):
            if not stimuli and not runs.events[number].layer and target not in met:
                met.add(target)
                order.append(target)
            event = runs.events[number]
            if event.layer:
                at = f"@{event.endpoint}" if event.endpoint else ""
                key = f"{event.layer.removeprefix('FWPM_LAYER_')}{at}" + (
                    f" in {event.stimulus}" if event.stimulus else ""
                )
                verdicts = found.setdefault(key, [])
                if event.verdict not in verdicts:
                    verdicts.append(event.verdict)
            elif stimuli:
                found.setdefault(str(event), [])
    words = [f"{key}{': ' if any(verdicts) else ''}{'|'.join(verdicts)}" for key, verdicts in found.items()]
    if len(words) > SHOWN + 1:
        words[SHOWN:] = [f"and {len(words) - SHOWN} more"]
    return tuple(words) or ("nothing: here every run ends",)


def all_states(runs: Runs) -> list[int]:
    """Every state that some run comes to, nearest first."""
    seen, order = {runs.start}, [runs.start]
    for state in order:
        for _, target in runs.edges(state):
            if target not in seen:
                seen.add(target)
                order.append(target)
    return order


def why_not_next(
    subject: EndpointSubject, states: Sequence[int], atom: Atom, way: Sequence[Event] = (), place: str = "there"
) -> tuple[str, ...]:
    """Why none of these states (of the subject's own runs) goes on with what the atom asks for.

    `way` is a run that comes to it, if there is one: its last step but one says what the wanted event comes after.
    `place` is how to speak of the states.
    """
    table = subject.table
    if atom.stimulus:
        idle = [state for state in states if table.layer(state) is None] or list(states)
        number = table.event_ids.get(atom.stimulus, NO_ROW)
        if number == NO_ROW:
            return (f"({atom.stimulus}) does not happen to {table.view.name} ({table.view.text})",)
        if all(table.next_or_none(state, number) == NO_ROW for state in states):
            why = table.why_not(idle[0], atom.stimulus)
            return (f"({atom.stimulus}) is refused there: {why}", *_cited_rows(table, atom.stimulus))
        return (f"({atom.stimulus}) is possible there, but what was asked for does not hold after it",)
    if not atom.layers:
        return ("no event there has what was asked for",)
    found = why_at_the_layer(subject, states, atom, place) or _failed_row(subject, states, atom)
    return found or _elsewhere(table, states, atom, way)


def _cited_rows(table: Table, stimulus: str) -> tuple[str, ...]:
    rows = [row for row in table.rows if row.at == IDLE and row.event == stimulus]
    return tuple(f"({stimulus}) goes by {rule_text(row)}" for row in rows[:2])


def why_at_the_layer(
    subject: EndpointSubject, states: Sequence[int], atom: Atom, place: str = "there"
) -> tuple[str, ...]:
    """Where the layer does come: it is the verdict, the flags or the condition that is not so. Else nothing.

    Of several states the one is told of that comes nearest: with most of the flags, and with the verdict.
    """
    table = subject.table
    at_it = [s for s in states if (layer := table.layer(s)) is not None and layer.fwpm_name in atom.layers]
    if not at_it:
        return ()

    def nearness(state: int) -> tuple[int, bool]:
        return len(atom.flags & set(table.flags(state))), not _lacks_flags(table, state, atom)

    state = max(at_it, key=nearness)
    layer, flags = table.layer(state), table.flags(state)
    assert layer is not None, "it was looked for"
    if _lacks_flags(table, state, atom):
        has = f"with {' and '.join(flags)}" if flags else "without a flag"
        wanted = f"with {' and '.join(sorted(atom.flags))}" if atom.flags else "without a flag"
        return (f"{layer.short_name} is called {has} {place}, not {wanted}: {_rule_there(table, state)}",)
    given = [subject.runs.events[event].verdict for event, _ in subject.runs.edges(state)]
    if atom.verdict and atom.verdict not in given:
        why = table.why_not(state, atom.verdict)
        if why:
            why = why.replace("FWPM_LAYER_", "").replace("take it", f"take {atom.verdict}")
            return (why.replace("no rule for it", f"no rule for {atom.verdict}"),)
        rule = _rule_of(table.recorded(state, table.event_ids[atom.verdict]))
        return (
            f"{layer.short_name} answers {' or '.join(given)} {place}{decided_text(subject, state)}",
            f"it would take {atom.verdict} by {rule}",
        )
    return (f"{layer.short_name} comes {place}, but what was asked for does not hold after it",)


def _lacks_flags(table: Table, state: int, atom: Atom) -> bool:
    flags = set(table.flags(state))
    return not atom.flags <= flags or (atom.exact_flags and flags != atom.flags)


@lru_cache(maxsize=32)
def _before_layers(table: Table) -> dict[str, frozenset[str]]:
    """For each position the layers that it can stand before, by full name."""
    found: dict[str, set[str]] = {}
    for state, layer in ((s, table.layer(s)) for s in range(len(table.states))):
        if layer is not None:
            found.setdefault(table.states[state].position, set()).add(layer.fwpm_name)
    return {position: frozenset(names) for position, names in found.items()}


def _leads_to(table: Table, row: Row, atom: Atom) -> bool:
    return row.next != DONE and not atom.layers.isdisjoint(_before_layers(table).get(row.next, ()))


@lru_cache(maxsize=4096)
def _comes_to(table: Table, stimulus: str, position: str) -> frozenset[str]:
    """The layers that work on a stimulus can come to from a position on, whatever the registers are."""
    here = State(table.view.start(), stimulus, position)
    fixed = {"stimulus", *(name for other in STIMULI.values() for name, _ in other.attributes)}
    found: set[str] = set()
    seen, order = {position}, [position]
    for at in order:
        found |= _before_layers(table).get(at, frozenset())
        for row in table.rows:
            possible = all(guard_value(n, table.view, here) in allowed for n, allowed in row.when if n in fixed)
            if row.at == at and possible and row.next not in seen and row.next != DONE:
                seen.add(row.next)
                order.append(row.next)
    return frozenset(found)


def _failed_row(subject: EndpointSubject, states: Sequence[int], atom: Atom) -> tuple[str, ...]:
    """The row that would come to the layer from here, and the guard that fails, or the verdict that is not given.

    Nothing where some row does come to it: then it is the layers in between that are missing.
    """
    table = subject.table
    best: tuple[bool, int, int, bool, int, str] | None = None
    for order, state in enumerate(states):
        here, layer = table.states[state], table.layer(state)
        for row in table.rows:
            if row.at != here.position or row.event not in table.event_ids or row.next == DONE:
                continue
            direct = _leads_to(table, row, atom)
            if not direct and (layer or atom.layers.isdisjoint(_comes_to(table, row.event, row.next))):
                continue
            left_out = layer is None and bool(subject.stimuli) and row.event not in subject.stimuli
            at = beginning(here, row.event) if layer is None else here
            failed = [(n, allowed) for n, allowed in row.when if guard_value(n, table.view, at) not in allowed]
            what = f"{row.event} at {layer.short_name}" if layer else f"({row.event})"
            how = f"{what} comes to it by {rule_text(row)}"
            if failed:
                needs = " and ".join(f"{name} {' or '.join(allowed)}" for name, allowed in failed)
                have = ", ".join(f"{name} {guard_value(name, table.view, at) or 'none'}" for name, _ in failed)
                text = f"{how}, which needs {needs}; here: {have}"
            elif layer is not None:
                given = [subject.runs.events[event].verdict for event, _ in subject.runs.edges(state)]
                if row.event in given:
                    return ()
                text = f"{how}, but it answers {' or '.join(given)} there{decided_text(subject, state)}"
            elif left_out:
                text = f"{how}, but was left out of what can happen here"
            elif any(subject.runs.events[event].move == row.event for event, _ in subject.runs.edges(state)):
                return ()
            else:
                continue
            candidate = (left_out, len(failed), _rank(row.event), not direct, order, text)
            if best is None or candidate < best:
                best = candidate
    return (best[5],) if best else ()


def _rank(event: str) -> int:
    """How unusual an event is: what applications and peers do comes first."""
    return 0 if event in (*USUAL_MOVES, *VERDICTS) else 1 if event in UNCOMMON_MOVES else 2


def _elsewhere(table: Table, states: Sequence[int], atom: Atom, way: Sequence[Event]) -> tuple[str, ...]:
    """What comes next instead, and after what the layer comes; or that nothing comes to it on this machine."""
    wanted = " or ".join(sorted(name.removeprefix("FWPM_LAYER_") for name in atom.layers))
    before = [row for row in table.rows if _leads_to(table, row, atom)]
    if not before:
        nothing = f"no rule of {table.view.name} ({table.view.text}) comes to {wanted} on this machine"
        return (nothing, *_under_other_settings(table, atom))
    for state in states:
        layer = table.layer(state)
        for number in range(len(table.events)) if layer else ():
            index = table.row_index(state, number)
            if layer and index != NO_ROW and _leads_to(table, table.rows[index], atom):
                stimulus = table.states[state].stimulus
                return (f"{layer.short_name} comes before it in ({stimulus}): {rule_text(table.rows[index])}",)
    lines = [what_comes_instead(table, states[0])]
    if len(way) > 1 and (after := step_text(way[-2])):
        lines.append(f"{wanted} comes after {way[-2]}, which goes by {after}")
    return tuple(lines)


def what_comes_instead(table: Table, state: int) -> str:
    """The layer that a state stands before, with a rule; or that no layer is next."""
    layer = table.layer(state)
    if layer is None:
        return f"nothing that can happen in {table.name_of(state)} comes to it first"
    return f"{layer.short_name} comes next there: {_rule_there(table, state)}"


def _rule_there(table: Table, state: int) -> str:
    """The rule of the first answer that the layer of a state takes."""
    numbers = map(table.event_ids.__getitem__, VERDICTS)
    return _rule_of(next(table.recorded(state, n) for n in numbers if table.next_or_none(state, n) != NO_ROW))


def _under_other_settings(table: Table, atom: Atom) -> tuple[str, ...]:
    """The assumptions or the Windows under which this endpoint would come to the layer."""
    stems = {catalogue.by_name(name).stem for name in atom.layers}
    lines = []
    for row in RULES:
        if row.layer not in stems or row.scope not in table.view.scopes:
            continue
        lines += [
            f"with the assumption {name}={' or '.join(options)} it would, by {rule_text(row)}"
            for name, options in row.choices
            if table.config.choice(name) not in options
        ]
        if not row.on_windows(table.config.windows):
            lines.append(f"on Windows {row.since} to {row.until or WINDOWS[-1]} it would, by {rule_text(row)}")
    return tuple(dict.fromkeys(lines))[:2]
