"""The picture of where a walk stands: the layers of the stimulus in progress, done, waiting and next, in their lanes.

Everything is asked of the system: what is done are the steps of the walk, what comes next are those that follow if
every layer permits, and what a verdict leads to is tried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fsm.draw.rungs import LANES, Part, ladder_of
from fsm.endpoint import FIRST_PEER, StimulusRecord
from fsm.flows import FlowRun
from fsm.names import OUTCOMES, REGISTERS, VERDICTS
from fsm.session import Move
from fsm.stepper import EndpointSystem, Node, SessionSystem, Walk
from fsm.stepper.answers import NOBODY
from fsm.stimuli import VIEWS
from fsm.table import Step
from fsm.tui.lines import ARRIVED, BREAK, DONE, NEXT, STOPS, WAITS, Row, row, wrapped
from fsm.tui.offers import consequence, predicted, predicted_in_session

CURRENT = "current"  # the key of the row that should be in sight

# Lanes as columns where there is room, as a word otherwise.
_COLUMNS = {"application": 0, "ale": 5, "transport": 10, "network": 15, "remote": 22}
_HEADS = {"application": "app", "ale": "ALE", "transport": "tran", "network": "netw", "remote": "peer"}
_TRACK = 26
_WIDE = 79  # from here on lanes are columns
_MIDDLE = 44  # from here on lanes are words, and layers have their id
_NAME = 34
_FIRST = "Choose a move: its number, or arrows and Enter, or a click. ? lists all keys."


@dataclass(frozen=True, slots=True)
class _Way:
    """A stimulus: its part of a ladder, how many of its rungs are done, and whether the next one waits."""

    part: Part
    done: int
    waits: bool
    breakpoints: tuple[str, ...] = ()


def picture(walk: Walk, width: int) -> list[Row]:
    """Where a walk stands, in rows of at most `width` columns."""
    if isinstance(walk.system, SessionSystem):
        return _session(walk, walk.system, width)
    if not walk.at:
        view = VIEWS[walk.system.title]
        return [
            *wrapped(f"{view.name}: {view.text}", width, "head"),
            row(""),
            *wrapped(_FIRST, width, "muted"),
            *_registers(walk, width),
        ]
    nodes = _of_stimulus(walk)
    stimulus, _, peer = nodes[0].move.partition("@")
    done = [step for node in nodes for step in node.steps]
    ahead = predicted(walk, walk.place)
    record = StimulusRecord(stimulus, peer or FIRST_PEER, 0, [*done, *ahead])
    if stimulus.startswith("wait:"):
        return _waited(walk, nodes[0], width)
    _see(record, done)
    way = _Way(_part(walk, record, walk.system.title), _layers(done), bool(walk.layer), walk.breakpoints)
    # The whole of a stimulus that implies another (a bind before a send) is one way.
    return [
        *wrapped(f"{nodes[0].move}: {way.part.text}", width, "head"),
        *_drawn(walk, way, width),
        *_registers(walk, width),
    ]


def _of_stimulus(walk: Walk) -> tuple[Node, ...]:
    """The nodes of the last stimulus up to here."""
    path = walk.path
    first = len(path) - 1
    while first > 0 and path[first].move in VERDICTS:
        first -= 1
    return path[first:]


def _waited(walk: Walk, node: Node, width: int) -> list[Row]:
    seconds = node.move.partition(":")[2]
    lines = wrapped(f"{seconds} s of model time pass", width, "head")
    told = [f"{step.stimulus}: {step.from_state} -> {step.to_state}" for step in node.steps]
    for text in told or ["nothing ends by that"]:
        lines += wrapped(text, width, first="  ")
    return [*lines, *_registers(walk, width)]


def _see(record: StimulusRecord, done: Sequence[Step]) -> None:
    """What has come of it: of what is done only."""
    for step in done:
        record.outcome = step.outcome or record.outcome
        record.application_sees = step.application_sees or record.application_sees
        record.remote_sees = step.remote_sees or record.remote_sees


def _part(walk: Walk, record: StimulusRecord, endpoint: str) -> Part:
    run = FlowRun("", record.stimulus, endpoint, walk.system.config, (), (record.stimulus,), [record])
    return ladder_of(run).parts[0]


def _layers(steps: Sequence[Step]) -> int:
    return sum(bool(step.layer) for step in steps)


# ---- drawing


def _drawn(walk: Walk, way: _Way, width: int) -> list[Row]:
    part = way.part
    lines: list[Row] = []
    if not part.rungs:
        return [*wrapped("no layer sees this", width, "muted", first="  "), *_result(walk, part, width)]
    if width >= _WIDE:
        heads = [" "] * _TRACK
        for lane, column in _COLUMNS.items():
            heads[column : column + len(_HEADS[lane])] = _HEADS[lane]
        lines.append(row(("   " + "".join(heads), "lane"), ("  layer".ljust(_NAME + 3), "lane"), ("id", "lane")))
    before = part.start or None
    for number, rung in enumerate(part.rungs):
        waits = way.waits and number == way.done
        state = "done" if number < way.done else "waits" if waits else "next"
        if state == "done" and rung.stops:
            state = "stop"
        lines.append(_rung(way, number, state, before, width))
        before = rung.lane
        if waits:
            lines += _verdicts(walk, width)
    if width >= _WIDE and before and part.way_out in _COLUMNS and way.done == len(part.rungs):
        look = ("   " + _track(before, part.way_out, ARRIVED), "done")
        lines.append(row(look, (f"  to the {LANES[part.way_out]}", "muted")))
    return [*lines, *_result(walk, part, width)]


def _rung(way: _Way, number: int, state: str, before: str | None, width: int) -> Row:
    rung = way.part.rungs[number]
    mark = {"done": DONE, "stop": STOPS, "waits": WAITS, "next": NEXT}[state]
    said = {"done": rung.step.verdict, "stop": rung.step.verdict, "waits": "waits", "next": ""}[state]
    name = rung.short_name
    look = {"done": "ink", "stop": "stop", "waits": "waits", "next": "next"}[state]
    said_look = {"done": "done", "waits": "here"}.get(state, look)
    stop = BREAK if rung.step.layer in way.breakpoints else " "
    key = CURRENT if state == "waits" or number == way.done - 1 else ""
    identity = f"{rung.step.runtime_id:>3}"
    if width >= _WIDE:
        track = (_track(before, rung.lane, mark), look if look not in ("waits", "ink") else "here")
        if state == "done":
            track = (track[0], "done")
        room = max(width - 3 - _TRACK - 2 - _NAME - 1 - 4 - 9, 0)
        remark = "; ".join(rung.remarks)[:room] if state in ("done", "stop") else ""
        spans = [(f"{number + 1:>2} ", "faint"), track, (f"{stop} ", "here"), (name, look)]
        pad = " " * max(_NAME - len(name), 0)
        spans += [(f"{pad} {identity} ", "muted" if state != "next" else "next"), (f"{said:<8} ", said_look)]
        return Row((*spans, (remark, "muted")), key)
    if width >= _MIDDLE:
        new = before != rung.lane
        lane = (f"{_HEADS[rung.lane]:<5}" if new else "     ", "lane")
        room = width - 5 - 2 - 1 - 3 - 1 - 7
        label = name if len(name) <= room else name[: room - 1] + "…"
        spans = [lane, (mark, look if look not in ("waits", "ink") else "here" if look == "waits" else "done")]
        spans += [(stop, "here"), (label, look), (" " * max(room - len(label), 0), "ink")]
        spans += [(f" {identity} ", "muted" if state != "next" else "next"), (said, said_look)]
        return Row(tuple(spans), key)
    room = width - 2 - 7
    label = name if len(name) <= room else name[: room - 1] + "…"
    spans = [(mark, "done" if look == "ink" else "here" if look == "waits" else look), (stop, "here"), (label, look)]
    return Row((*spans, (" " * max(room - len(label), 0) + " ", "ink"), (said, said_look)), key)


def _track(before: str | None, lane: str, mark: str) -> str:
    """A mark in the column of its lane, and the way there from the lane of the line above."""
    cells = [" "] * _TRACK
    column = _COLUMNS[lane]
    if before is not None and _COLUMNS[before] != column:
        start = _COLUMNS[before]
        low, high = sorted((start, column))
        cells[low : high + 1] = "─" * (high - low + 1)
        cells[start] = "╰" if column > start else "╯"
    cells[column] = mark
    return "".join(cells)


def _verdicts(walk: Walk, width: int) -> list[Row]:
    """What each verdict of the waiting layer leads to."""
    lines: list[Row] = []
    inset = 3 + _TRACK + 4 if width >= _WIDE + 20 else 7 if width >= _MIDDLE else 2
    question = walk.question
    suggested, by = walk.suggestion
    if question:
        lines += wrapped(f"the policy leaves it open: {question}", width, "change", first=" " * inset)
    for verdict in walk.moves:
        text = consequence(walk.system, walk.place, verdict, brief=True)
        if verdict == suggested and by != NOBODY and not question:
            text += f" ({by})"
        lines += wrapped(text, width, "muted", first=f"{'':<{inset}}{verdict:<8} ")
    return lines


def _result(walk: Walk, part: Part, width: int) -> list[Row]:
    lines = [row("")]
    outcome = walk.outcome() if walk.system.can_wait else part.outcome
    sees = (("outcome", f"{outcome}: {OUTCOMES[outcome]}" if outcome else ""),
            ("application sees", part.application_sees), ("peer sees", part.remote_sees))  # fmt: skip
    for name, text in sees:
        if text:
            role = "stop" if name == "outcome" and outcome in ("blocked", "silent") else "ink"
            lines += wrapped(text, width, role, first=f"{name}: ", rest="  ")
    return lines if len(lines) > 1 else []


def _registers(walk: Walk, width: int) -> list[Row]:
    """Every value that a register can have on this machine, and the one that it has now."""
    if not isinstance(walk.system, EndpointSystem) or width < _MIDDLE:
        return []
    table = walk.system.table
    lines = [row("")]
    here = table.states[walk.place.state].registers
    names = table.view.registers
    inset = max(map(len, names), default=0) + 2
    for index, name in enumerate(names):
        reached = {state.registers[index] for state in table.states}
        spans: list[tuple[str, str]] = [(f"{name:<{inset}}", "muted")]
        used = inset
        for value in (value for value in REGISTERS[name] if value in reached):
            now = value == here[index]
            text = f"[{value}] " if now else f" {value}  "
            if used + len(text) > width:
                lines.append(Row(tuple(spans)))
                spans, used = [(" " * inset, "muted")], inset
            spans.append((text, "here" if now else "next"))
            used += len(text)
        lines.append(Row(tuple(spans)))
    return lines


# ---- sessions


def _session(walk: Walk, system: SessionSystem, width: int) -> list[Row]:
    """Who stands where and what is under way; below it the layers of the last move."""
    changed = walk.changed
    lines: list[Row] = []
    wide = max(map(len, walk.values), default=0)
    hosts = {member.name: member.host for member in system.session.members}
    for name, value in walk.values.items():
        if name.startswith("host") and value == "idle":
            continue
        place = f" host {hosts[name]}" if name in hosts else ""
        mark = ("* ", "change") if name in changed else ("  ", "ink")
        lines.append(row(mark, (f"{name:<{wide}}", "head"), (f"{place:<8}", "muted"),
                         (value, "change" if name in changed else "ink")))  # fmt: skip
    lines.append(row(""))
    if not walk.at:
        return [
            *lines,
            *wrapped(_FIRST, width, "muted"),
        ]
    moves = _moves_in_progress(walk, system)
    last = moves[-1]
    done = [step for move in moves for step in move.steps]
    by_classify = system.session.granularity == "classify"
    ahead: tuple[Step, ...] = ()
    if by_classify and last.steps:
        ahead = predicted_in_session(system, walk.place, last.endpoint, last.stimulus)
    lines += wrapped(walk.node.move + (f" ({last.note})" if last.note else ""), width, "head")
    if not done:
        return lines
    record = StimulusRecord(last.stimulus, last.peer or FIRST_PEER, 0, [*done, *ahead])
    _see(record, done)
    record.outcome = next((step.outcome for step in reversed(done) if step.outcome), None)
    way = _Way(_part(walk, record, last.view or system.title), _layers(done), bool(ahead))
    return [*lines, *_drawn_in_session(walk, way, width)]


def _drawn_in_session(walk: Walk, way: _Way, width: int) -> list[Row]:
    rows = _drawn(walk, _Way(way.part, way.done, False), width)
    return rows if not way.waits else [r for r in rows if r.text.strip()]


def _moves_in_progress(walk: Walk, system: SessionSystem) -> list[Move]:
    """The moves of what was done last, from where it began: one, or one for each classify."""
    path = walk.path
    places = [system.start(), *(node.place for node in path)]
    found: list[Move] = []
    for place, node in zip(reversed(places[:-1]), reversed(path), strict=True):
        move = system.move(place, node.move)
        if found and (move.endpoint, move.stimulus) != (found[0].endpoint, found[0].stimulus):
            continue
        found.insert(0, move)
        if system.session.granularity != "classify" or not move.classified:
            break
    return found
