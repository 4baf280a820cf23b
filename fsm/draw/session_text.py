"""A collapsed session as text and as Mermaid: the same places and ways as in the picture."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from fsm.counts import counted
from fsm.draw.mermaid import text_of
from fsm.draw.overlay import Overlay
from fsm.draw.places import Collapsed, Group, Key, collapse
from fsm.draw.session_picture import Marks, told
from fsm.draw.theme import BASIS, LIGHT
from fsm.space import StateSpace

WIDTH = 100


def session_text(space: StateSpace, overlay: Overlay | None = None) -> str:
    """The places of a session as a list in 100 columns of ASCII: what keeps each, and what leads to others."""
    shown, marks = collapse(space), Marks(space, overlay)
    session, config = shown.session, shown.session.config
    more = "" if shown.complete else " (the limit was hit: there are more)"
    assumed = "".join(f", {name}={option}" for name, option in config.assume)
    lines = [
        f"A session, collapsed: {counted(shown.states, 'state')}, {counted(shown.edges, 'edge')} "
        f"as {counted(len(shown.places), 'place')}{more}"
    ]
    for host in session.hosts:
        lines.append(f"host {host}: {', '.join(member.name for member in session.members if member.host == host)}")
    lines.append(f"IPv{config.ip}, Windows {config.windows}, evidence: {config.evidence}{assumed}")
    for place in shown.places:
        count = len(place.numbers)
        tags = ["start"] if 0 in place.numbers else []
        tags += ["* stands here"] if place.key == marks.here else []
        about = ", ".join([counted(count, "state"), *tags])
        lines += ["", f"{_name(shown, place.key)} ({about})"]
        for group in place.stays:
            lines += _group(group, marks, place.key, place.key)
        for way in (way for way in shown.ways if way.source == place.key):
            lines.append(f"  -> {_name(shown, way.target)}")
            for group in way.groups:
                lines += _group(group, marks, way.source, way.target)
    bases = ", ".join(f"{look.mark} {look.text}" for look in BASIS.values() if look.mark)
    legend = f"In brackets what some step of a move is: {bases}; all else is documented."
    lines += ["", *textwrap.wrap(legend, WIDTH)]
    if marks.steps:
        lines += ["", f"The way, {counted(len(marks.steps), 'move')}; its numbers stand before the moves above:"]
        for number, step in enumerate(marks.steps, 1):
            lines += textwrap.wrap(
                f"{number}. {told(step)}", WIDTH, initial_indent="  ", subsequent_indent="     ", break_on_hyphens=False
            )
    return "\n".join(line.rstrip() for line in lines).encode("ascii", "backslashreplace").decode() + "\n"


def _name(shown: Collapsed, key: Key) -> str:
    return ", ".join(shown.names(key))


def _group(group: Group, marks: Marks, source: Key, target: Key) -> Iterator[str]:
    mark = marks.of(group, source, target)
    text = f"{group.text} {group.marks}".strip() + (" BLOCKED" if marks.blocked(group) else "")
    yield f"  {mark:>5} {text:<72} {group.layers:>12}"


def session_mermaid(space: StateSpace, overlay: Overlay | None = None) -> str:
    """The places of a session as a flowchart."""
    shown, marks = collapse(space), Marks(space, overlay)
    ids = {place.key: f"p{number}" for number, place in enumerate(shown.places)}
    lines = ["flowchart LR"]
    for place in shown.places:
        count = len(place.numbers)
        said = [*shown.names(place.key), counted(count, "state")]
        said += [_said(group, marks, place.key, place.key) for group in place.stays]
        lines.append(f'  {ids[place.key]}["{"<br/>".join(map(text_of, said))}"]')
    for way in shown.ways:
        label = "<br/>".join(text_of(_said(group, marks, way.source, way.target)) for group in way.groups)
        lines.append(f'  {ids[way.source]} -->|"{label}"| {ids[way.target]}')
    start = next(ids[place.key] for place in shown.places if 0 in place.numbers)
    lines += ["  classDef start stroke-width:3px", f"  class {start} start"]
    if marks.here in ids:
        lines += [f"  classDef current stroke:{LIGHT.taken},stroke-width:4px", f"  class {ids[marks.here]} current"]
    return "\n".join(lines) + "\n"


def _said(group: Group, marks: Marks, source: Key, target: Key) -> str:
    mark = marks.of(group, source, target)
    return f"{f'({mark}) ' if mark else ''}{group.text} {group.marks}".strip() + f", {group.layers}"
