"""The pictures as plain ASCII text in 100 columns: for terminals, tickets, and machines without a renderer."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from fsm import catalogue
from fsm.choices import CHOICES, Config
from fsm.draw.overlay import Overlay
from fsm.draw.rungs import Ladder, Part, Rung, ladder_of
from fsm.draw.theme import BASIS
from fsm.draw.walks import Walk, endpoint_walks, packet_ways
from fsm.flows import FlowRun
from fsm.names import Basis
from fsm.table import Step, Table, compile_table

WIDTH = 100

# ---- a run as lanes

_TRACKS = {"application": 0, "ale": 5, "transport": 10, "network": 15, "remote": 22}  # columns in the diagram
_TRACK_WIDTH = 25
_LEFT = 26  # number and label
_BASIS_WORDS = {Basis.DOCUMENTED: "doc", Basis.OBSERVED: "obs", Basis.INFERRED: "inf"}
_HEADS = {"application": "app", "ale": "ALE", "transport": "tran", "network": "netw", "remote": "peer"}


def ladder_text(run: FlowRun, overlay: Overlay | None = None) -> str:
    """A run as text: at the left what the flow calls a step, then the lanes, then the layer and what it said."""
    ladder = ladder_of(run)
    over = overlay or Overlay()
    heads = [" "] * _TRACK_WIDTH
    for lane, column in _TRACKS.items():
        heads[column : column + len(_HEADS[lane])] = _HEADS[lane]
    lines = [*_wrapped(ladder.title), *_wrapped(ladder.about), "", f"{'':<{_LEFT}}{''.join(heads)} layer"]
    after = f" (after {ladder.setup})" if ladder.setup else ""
    if ladder.state or after:
        lines += _beside("state", "", f"{ladder.state}{ladder.of_peer}{after}".strip())
    for part in ladder.parts:
        lines += ["", *_part_lines(part, ladder, over)]
    lines += _legend(ladder, over)
    return _joined(lines)


def _part_lines(part: Part, ladder: Ladder, over: Overlay) -> Iterator[str]:
    here = _TRACKS.get(part.start)
    track = _track([(here, "*")]) if here is not None else ""
    yield from _beside(part.name, track, part.text)
    if not part.rungs:
        yield from _beside("", "", "no layer sees this")
    for rung in part.rungs:
        column = _TRACKS[rung.lane]
        mark = "X" if rung.stops else "x" if rung.is_discard else "o"
        yield from _rung_lines(rung, _move(here, column, mark), over)
        here = column
    seen = {"application": part.application_sees, "remote": part.remote_sees}
    for lane, text in seen.items():
        if text:
            goes = part.way_out == lane
            track = _move(here, _TRACKS[lane], "*") if goes else _track([(_TRACKS[lane], "*")])
            yield from _beside("application sees" if lane == "application" else "peer sees", track, text)
    if part.way_out in ("lost", "held"):
        yield from _beside("", "", part.lost if part.way_out == "lost" else "a callout holds it")
    if part.state:
        marked = "* " if part.state == over.current else ""
        yield from _beside("state", "", f"{marked}{part.state}{part.of_peer}")


def _rung_lines(rung: Rung, track: str, over: Overlay) -> Iterator[str]:
    step = rung.step
    basis = _BASIS_WORDS[Basis(step.basis)]
    verdict = step.verdict if step.verdict == "permit" else step.verdict.upper()
    mark = "*" if over.takes(step.rule) else " "
    label = f"{rung.number:>3}{mark}{rung.label}"
    wide = 35 - max(
        0, len(verdict) - 6
    )  # a long verdict takes room from the name, so that the basis stays in its column
    layer = f"{rung.short_name:<{wide}}{step.runtime_id:>2} {verdict:<6} {basis}"
    yield f"{label[: _LEFT - 1]:<{_LEFT}}{track:<{_TRACK_WIDTH}} {layer}".rstrip()
    times = over.counts.get(step.rule, 0)
    counted = (f"x{times}",) if times else ()
    remarks = "; ".join((*rung.remarks, *counted))
    if remarks:
        yield from _beside("", "", f"  {remarks}")


def _track(marks: Iterable[tuple[int, str]]) -> str:
    cells = [" "] * _TRACK_WIDTH
    for column, mark in marks:
        cells[column] = mark
    return "".join(cells)


def _move(before: int | None, column: int, mark: str) -> str:
    """An arrow from the lane of the line above to this one."""
    if before is None or before == column:
        return _track([(column, mark)])
    low, high = sorted((before, column))
    cells = [(n, "-") for n in range(low + 1, high)]
    head = (high - 1, ">") if column > before else (low + 1, "<")
    return _track([*cells, head, (before, "'"), (column, mark)])


def _beside(label: str, track: str, text: str) -> Iterator[str]:
    """Text in the column of the layers, wrapped."""
    left = _LEFT + _TRACK_WIDTH + 1
    label, text = _plain(label), _plain(text)
    indent = text[: len(text) - len(text.lstrip())]
    rows = textwrap.wrap(text.strip(), WIDTH - left - len(indent), break_on_hyphens=False) or [""]
    for number, row in enumerate(rows):
        head = f"{label[: _LEFT - 1]:<{_LEFT}}{track:<{_TRACK_WIDTH}} " if number == 0 else " " * left
        yield (head + indent + row).rstrip()


def _legend(ladder: Ladder, over: Overlay) -> Iterator[str]:
    rungs = [rung for part in ladder.parts for rung in part.rungs]
    stops = any(rung.stops or rung.is_discard for rung in rungs)
    if rungs:
        marks = "o permits, X stops, x discard layer" if stops else "o permits"
        bases = ", ".join(
            f"{word} = {look.text}" for word, look in zip(_BASIS_WORDS.values(), BASIS.values(), strict=True)
        )
        yield from ("", *_wrapped(f"{marks}. {bases}. log: Security event, where auditing is on."))
    if over.path or over.counts:
        yield "* marks what is highlighted."


# ---- the packet path as a matrix


def packet_path_text(config: Config, overlay: Overlay | None = None) -> str:
    """The layers from the application down to the wire, and in which order each kind of packet meets them."""
    ways = packet_ways(config)
    over = overlay or Overlay()
    cells = 7
    heads = "".join(f"{heading:>{cells}}" for _, heading, _ in ways)
    groups = ""
    for group, members in groupby(ways, key=lambda way: way[0]):
        span = cells * len(list(members))
        groups += f"{group:>{span}}" if span == cells else "  " + f" {group} ".center(span - 2, "-")
    lines = [*_wrapped(f"The way of a packet through the layers: {_about(config)}"), ""]
    lines += [f"{'':<29}{groups}", f"{'layer':<25}{'id':>4}{heads}"]
    for stem in _stack([way for _, _, way in ways]):
        layer = catalogue.layer_of(stem, config.ip)
        row = ""
        marked = layer.fwpm_name == over.blocked_at or over.layer_counts.get(layer.runtime_id)
        for _, _, way in ways:
            places = [n for n, step in enumerate(way.classified, 1) if step.layer == layer.fwpm_name]
            taken = any(over.takes(step.rule) for step in way.classified if step.layer == layer.fwpm_name)
            marked = marked or taken
            row += f"{','.join(map(str, places)) + ('*' if taken else ''):>{cells}}"
        count = over.layer_counts.get(layer.runtime_id)
        seen = f"  x{count}" if count else ""
        lines.append(f"{'*' if marked else ' '}{stem:<24}{layer.runtime_id:>4}{row}{seen}".rstrip())
    lines += [
        "",
        *_wrapped(
            "A number is the place of the layer on that way, with permit everywhere. first: no flow yet. later: the "
            "flow is known, replies included. again: after a policy change. no socket: nobody listens on the port."
        ),
    ]
    for group, heading, way in ways:
        for step in way.classified:
            if step.basis == Basis.INFERRED:
                name = catalogue.by_name(step.layer).stem
                lines += _wrapped(
                    f"inferred: {name} in '{f'{group} {heading}'.strip()}'" + (f": {step.note}" if step.note else "")
                )
    lines += _quiet_ways(ways)
    return _joined(lines)


def _quiet_ways(ways: list[tuple[str, str, Walk]]) -> Iterator[str]:
    for group, heading, way in ways:
        if not way.classified:
            yield f"{f'{group} {heading}'.strip()}: no layer sees it."


def _stack(ways: Iterable[Walk]) -> list[str]:
    """Layer stems from the top of the stack to the wire: outbound in order, inbound against it."""
    order = ("ale", "datagram", "icmp", "transport", "ippacket")
    seen = dict.fromkeys(step.layer for way in ways for step in way.classified)
    found = [catalogue.by_name(name) for name in seen]
    found.sort(
        key=lambda layer: (
            order.index(layer.group) if layer.group in order else len(order),
            layer.direction == "inbound",
            layer.is_discard,
        )
    )
    return [layer.stem for layer in found]


# ---- an endpoint as a list


def endpoint_text(name: str, config: Config, overlay: Overlay | None = None) -> str:
    """An endpoint as an indented list: each stimulus in each state, then what a block does at each layer."""
    table = compile_table(name, config)
    over = overlay or Overlay()
    lines = [
        *_wrapped(f"{table.view.name}: {table.view.text}. {_about(config)}"),
        f"It starts in {table.name_of(table.start)}.",
        "",
    ]
    lines.append("With permit at every layer:")
    walks = endpoint_walks(table)
    for stimulus in dict.fromkeys(way.stimulus for way in walks):
        lines.append(f"  {stimulus}")
        lines += _walk_lines([way for way in walks if way.stimulus == stimulus], over)
    lines += ["", "When a layer blocks:"]
    lines += _block_lines(table, over)
    disputes = [f"{name}={config.choice(name)}" for name, choice in CHOICES.items() if choice.kind == "dispute"]
    marks = ", ".join(f"{look.mark} {look.text}" for look in BASIS.values() if look.mark)
    lines += ["", f"{marks}; all else {BASIS[Basis.DOCUMENTED].text}."]
    lines += ["", "Disputed between sources (--assume):", *(f"    {line}" for line in _listed(disputes, WIDTH - 4))]
    return _joined(lines)


def _walk_lines(ways: list[Walk], over: Overlay) -> Iterator[str]:
    """The ways of one stimulus; states from which it goes the same way to the same end share a line."""
    alike: dict[tuple[tuple[str, ...], str], list[Walk]] = {}
    for way in ways:
        layers = tuple(f"{_stem(step)} {step.runtime_id}{_flagged(step)}" for step in way.classified)
        alike.setdefault((layers, "" if way.to_state == way.from_state else way.to_state), []).append(way)
    for (layers, end), group in alike.items():
        taken = any(over.takes(step.rule) for way in group for step in way.steps)
        here = "*" if taken or any(over.current in (way.from_state, way.to_state) for way in group) else " "
        starts = _listed([way.from_state for way in group], WIDTH - 28)
        if len(starts[-1]) + len(_end(end)) > WIDTH - 4:
            starts.append(f" {_end(end)}")
        else:
            starts[-1] += _end(end)
        yield from (f"   {here if line is starts[0] else ' '}{line}" for line in starts)
        yield from (f"        {line}" for line in _listed(layers or ("no layer sees this",), WIDTH - 8))


def _end(state: str) -> str:
    return f" -> {state}" if state else " (unchanged)"


def _block_lines(table: Table, over: Overlay) -> Iterator[str]:
    seen: set[str] = set()
    for number, state in enumerate(table.states):
        moves = table.moves(number) if table.layer(number) else ()
        if "block" not in moves:
            continue
        step = table.recorded(number, table.event_ids["block"])
        absorbed = table.recorded(number, table.event_ids["absorb"]) if "absorb" in moves else None
        if step.rule in seen or not step.outcome:  # a second block, at a discard layer, has no outcome of its own
            continue
        seen.add(step.rule)
        mark = "*" if over.takes(step.rule) or (absorbed and over.takes(absorbed.rule)) else " "
        basis = BASIS[Basis(step.basis)].mark
        what = [
            f"outcome: {step.outcome}",
            f"then {_twin(table, number)}" if _twin(table, number) else "",
            f"log {', '.join(map(str, step.logged))}" if step.logged else "",
            f"application: {step.application_sees}" if step.application_sees else "",
            f"peer: {step.remote_sees}" if step.remote_sees else "",
            f"absorbed instead: {absorbed.outcome}, no discard layer, no log" if absorbed else "",
        ]
        state_name = step.from_state.split(" ")[0]
        yield f"   {mark}{_stem(step)} {step.runtime_id}, {state.stimulus} in {state_name} {basis}".rstrip()
        text = "; ".join(filter(None, what))
        yield from (f"        {line}" for line in textwrap.wrap(text, WIDTH - 8, break_on_hyphens=False))


def _listed(items: Sequence[str], width: int) -> list[str]:
    """Items parted by commas, in lines; no item is broken."""
    lines: list[str] = []
    for number, item in enumerate(items):
        piece = item + ("," if number < len(items) - 1 else "")
        if lines and len(lines[-1]) + 1 + len(piece) <= width:
            lines[-1] += f" {piece}"
        else:
            lines.append(piece)
    return lines


def _twin(table: Table, state: int) -> str:
    """The discard layer that follows a block in this state."""
    after = table.step(state, table.event_ids["block"])
    layer = table.layer(after)
    return f"{layer.stem} {layer.runtime_id}" if layer and layer.is_discard else ""


def _stem(step: Step) -> str:
    return catalogue.by_name(step.layer).stem


def _flagged(step: Step) -> str:
    mark = BASIS[Basis(step.basis)].mark
    return (f" ({', '.join(step.flags)})" if step.flags else "") + (f" {mark}" if mark else "")


def _about(config: Config) -> str:
    about = f"IPv{config.ip}, Windows {config.windows}, evidence: {config.evidence}"
    return about + "".join(f", {name}={option}" for name, option in config.assume)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(_plain(text), WIDTH, break_on_hyphens=False)


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _plain(text: str) -> str:
    """Printable ASCII; anything else (a peer's name can hold it) as its escape."""
    shown = text.encode("ascii", "backslashreplace").decode("ascii")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in shown)
