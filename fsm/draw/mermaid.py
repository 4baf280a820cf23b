"""The pictures as Mermaid text, which GitHub and many editors draw: no renderer needed here.

Ids are made here and never from names. Everything else stands in quotes or after a colon, with every character that
Mermaid or HTML could take for its own written as an entity.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from fsm import catalogue
from fsm.choices import Config
from fsm.draw.overlay import Overlay
from fsm.draw.rungs import Part, Rung, ladder_of
from fsm.draw.theme import BASIS, LIGHT
from fsm.draw.walks import Walk, endpoint_walks, packet_ways
from fsm.flows import FlowRun
from fsm.names import Basis
from fsm.table import compile_table

_PARTICIPANTS = {"application": "app", "ale": "ale", "transport": "tran", "network": "netw", "remote": "peer"}
_HEADS = {"app": "application", "ale": "ALE", "tran": "transport", "netw": "network", "peer": "remote host"}
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _-.,()/+=*!?'")


def text_of(text: str) -> str:
    """Text that Mermaid takes as nothing but text."""
    return "".join(c if c in _PLAIN else f"#{ord(c)};" if c.isprintable() else " " for c in text)


# ---- a run as a sequence


def ladder_mermaid(run: FlowRun, overlay: Overlay | None = None) -> str:
    """A run as a sequence diagram: each classify is a message into the lane of its layer."""
    ladder = ladder_of(run)
    over = overlay or Overlay()
    lines = ["sequenceDiagram", f"  title {text_of(f'{ladder.title} ({ladder.about})')}"]
    lines += [f"  participant {key} as {head}" for key, head in _HEADS.items()]
    after = f"after {ladder.setup}, " if ladder.setup else ""
    if ladder.state:
        lines.append(_note(f"{after}state {ladder.state}{ladder.of_peer}"))
    for part in ladder.parts:
        lines += _part_lines(part, over)
    return "\n".join(lines) + "\n"


def _part_lines(part: Part, over: Overlay) -> Iterable[str]:
    here = _PARTICIPANTS.get(part.start, "")
    if not here or not part.rungs:
        where = here or "app,peer"
        yield f"  Note over {where}: {text_of(part.name)}<br/>{text_of(part.text)}<br/>no layer sees this"
    else:
        yield f"  Note over {here}: {text_of(part.name)}"
    for rung in part.rungs:
        lane = _PARTICIPANTS[rung.lane]
        arrow = "-x" if rung.stops else "->>"
        yield f"  {here or lane}{arrow}{lane}: {_rung(rung, over)}"
        here = lane
    for lane, text in (("app", part.application_sees), ("peer", part.remote_sees)):
        goes = here and _PARTICIPANTS.get(part.way_out) == lane and here != lane
        if text:
            yield f"  {here}-->>{lane}: {text_of(text)}" if goes else f"  Note over {lane}: {text_of(text)}"
    if part.way_out in ("lost", "held") and here:
        yield f"  Note over {here}: {text_of(part.lost if part.way_out == 'lost' else 'a callout holds it')}"
    if part.state:
        yield _note(f"state {part.state}{part.of_peer}")


def _rung(rung: Rung, over: Overlay) -> str:
    step = rung.step
    verdict = step.verdict if step.verdict == "permit" else step.verdict.upper()
    head = f"{rung.number} {rung.label}".strip()
    marks = [f"id {step.runtime_id}", verdict, *rung.remarks, BASIS[Basis(step.basis)].mark]
    star = "* " if over.takes(step.rule) else ""
    return f"{text_of(star + head)}<br/>{rung.short_name}<br/>{text_of(', '.join(filter(None, marks)))}"


def _note(text: str) -> str:
    return f"  Note over ale,netw: {text_of(text)}"


# ---- the packet path as a flowchart

_BANDS = (("ale", "ALE"), ("transport", "transport"), ("ippacket", "network"))
_BAND_OF_GROUP = {"datagram": "transport", "icmp": "transport"}


def packet_path_mermaid(config: Config, overlay: Overlay | None = None) -> str:
    """The layers in their lanes; an edge says for which kinds of packet one layer follows the other."""
    over = overlay or Overlay()
    ways = packet_ways(config)
    lines = ["flowchart TB", '  app(["application"])']
    layers = {step.layer: step for _, _, way in ways for step in way.classified}
    for group, head in _BANDS:
        lines.append(f'  subgraph {group}["{head}"]')
        for name in layers:
            layer = catalogue.by_name(name)
            if _BAND_OF_GROUP.get(layer.group, layer.group) == group:
                count = over.layer_counts.get(layer.runtime_id)
                seen = f"<br/>x{count}" if count else ""
                lines.append(f'    L{layer.runtime_id}["{layer.short_name}<br/>id {layer.runtime_id}{seen}"]')
        lines.append("  end")
    lines.append('  wire(["wire"])')
    edges: dict[tuple[str, str], list[str]] = {}
    for group, heading, way in ways:
        title = " ".join(part for part in (group, heading) if part)
        stops = [_begin(way), *(f"L{step.runtime_id}" for step in way.classified), _finish(way)]
        for before, after in pairwise(stops):
            if before and after and way.classified:
                edges.setdefault((before, after), []).append(title)
    lines += [f'  {a} -->|"{text_of(", ".join(_shortened(titles)))}"| {b}' for (a, b), titles in edges.items()]
    marked = [
        f"L{step.runtime_id}"
        for step in layers.values()
        if step.layer == over.blocked_at
        or any(over.takes(other.rule) for _, _, way in ways for other in way.classified if other.layer == step.layer)
    ]
    if marked:
        lines += [f"  classDef marked stroke:{LIGHT.taken},stroke-width:3px", f"  class {','.join(marked)} marked"]
    return "\n".join(lines) + "\n"


def _begin(way: Walk) -> str:
    return "wire" if way.stimulus in ("datagram", "icmp_error", "icmp_ttl") else "app"


def _finish(way: Walk) -> str:
    ops = [op for step in way.steps for op in step.ops]
    return "wire" if {"emit", "emit_icmp"} & set(ops) else "app"


def _shortened(titles: Iterable[str]) -> list[str]:
    """`sendto first, sendto later` as `sendto first/later`."""
    groups: dict[str, list[str]] = {}
    for title in titles:
        group, _, rest = title.partition(" ")
        groups.setdefault(group, []).append(rest)
    return [f"{group} {'/'.join(filter(None, rest))}".strip() for group, rest in groups.items()]


# ---- an endpoint as a state diagram


def endpoint_mermaid(name: str, config: Config, overlay: Overlay | None = None) -> str:
    """The idle states of an endpoint and what leads from one to another with permit at every layer."""
    table = compile_table(name, config)
    over = overlay or Overlay()
    walks = endpoint_walks(table)
    states = list(dict.fromkeys(state for way in walks for state in (way.from_state, way.to_state)))
    start = table.name_of(table.start)
    states.sort(key=lambda state: state != start)
    ids = {state: f"s{number}" for number, state in enumerate(states)}
    lines = ["stateDiagram-v2", *(f'  state "{text_of(state)}" as {key}' for state, key in ids.items())]
    lines.append(f"  [*] --> {ids[start]}")
    edges: dict[tuple[str, str], list[str]] = {}
    for way in walks:
        if way.from_state == way.to_state and not way.classified:
            continue  # nothing changes and no layer sees it
        quiet = "" if way.classified else " (no layer)"
        edges.setdefault((ids[way.from_state], ids[way.to_state]), []).append(f"{way.stimulus}{quiet}")
    lines += [f"  {a} --> {b}: {'<br/>'.join(map(text_of, labels))}" for (a, b), labels in edges.items()]
    if over.current in ids:
        lines += [f"  classDef current stroke:{LIGHT.taken},stroke-width:3px", f"  class {ids[over.current]} current"]
    return "\n".join(lines) + "\n"
