"""What stands in the boxes of both kinds of picture: rows that are drawn, guards in words, consequences of verdicts.

Everything here is read from the rows and the catalogue. The few words of its own are those for guards: a guard that
has none is written as it stands in the row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from fsm import catalogue
from fsm.choices import CHOICES, Config
from fsm.draw.theme import BASIS
from fsm.names import DONE, IDLE, IP_VERSIONS, REGISTERS, Basis
from fsm.rows import Row
from fsm.stimuli import POSITIONS

# A guard in words; None says nothing (the picture shows it in another way).
_GUARD_WORDS: dict[tuple[str, tuple[str, ...]], str | None] = {
    ("flow", ("NONE",)): "no flow yet",
    ("flow", ("OUT", "IN")): "flow known",
    ("flow", ("OUT",)): "outbound flow",
    ("flow", ("IN",)): "inbound flow",
    ("flow", ("OUT_STALE",)): "outbound flow, stale: reauthorize",
    ("flow", ("IN_STALE",)): "inbound flow, stale: reauthorize",
    ("socket", ("UNBOUND",)): "socket not bound",
    ("socket", ("BOUND",)): None,
    ("stimulus", ("bind",)): "explicit bind",
    ("stimulus", ("sendto",)): "bind inside sendto",
    ("icmp", ("port_unreachable",)): "port unreachable",
    ("icmp", ("ttl_expired",)): "time exceeded",
}
_STOPS = ("block", "absorb", "veto", "pend")  # verdicts whose `next` is no way on


def guard_words(row: Row) -> str:
    """The guards of a row in words: `no flow yet`; empty where the row stands unguarded."""
    words = [_GUARD_WORDS.get((name, values), f"{name} {' or '.join(values)}") for name, values in row.when]
    return ", ".join(word for word in words if word)


def layer_title(stem: str) -> str:
    """The name of a layer as pictures print it: `AUTH_CONNECT`, `INBOUND_TRANSPORT_DISCARD`."""
    return stem.removeprefix("ALE_")


@cache
def layer_ids(stem: str, windows: str) -> str:
    """The run-time ids V4/V6 of a layer, `48/50`; one number where one layer serves both, empty where unknown."""
    ids = [catalogue.layer_of(stem, ip).runtime_id_on(windows) for ip in IP_VERSIONS]
    return "/".join(dict.fromkeys(str(number) for number in ids if number is not None))


@cache
def layer_names(stem: str) -> tuple[str, ...]:
    """The FWPM names of a layer, V4 and V6."""
    return tuple(dict.fromkeys(catalogue.layer_of(stem, ip).fwpm_name for ip in IP_VERSIONS))


@cache
def layer_numbers(stem: str) -> tuple[int, ...]:
    """The run-time ids of a layer, V4 and V6."""
    return tuple(dict.fromkeys(catalogue.layer_of(stem, ip).runtime_id for ip in IP_VERSIONS))


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows of one picture.

    Parameters
    ----------
    rows : those that stand in the configuration.
    ghosts : those that would stand if one dispute were decided otherwise, with that decision: `close=nothing`.
    """

    rows: tuple[Row, ...]
    ghosts: dict[str, str]

    def at(self, position: str) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.at == position)

    def twins(self) -> frozenset[str]:
        """Positions that only a block leads to: discard layers, shown with the block and not as a box of their own."""
        reached = {row.next for row in self.rows if row.event not in _STOPS}
        return frozenset(row.next for row in self.rows) - reached - {DONE}


def select(rows: Iterable[Row], config: Config, disputes: Iterable[str] = ()) -> Selection:
    """The rows that stand in a configuration, and those that one of the named disputes keeps out."""
    chosen = {name: config.choice(name) for name in CHOICES}
    kept: list[Row] = []
    ghosts: dict[str, str] = {}
    shown = frozenset(disputes)
    for row in rows:
        if not row.on_windows(config.windows):
            continue
        missing = [name for name, options in row.choices if chosen[name] not in options]
        if missing and not (len(missing) == 1 and missing[0] in shown):
            continue
        kept.append(row)
        if missing:
            ghosts[row.key] = "; ".join(f"{n}={'|'.join(options)}" for n, options in row.choices if n in missing)
    return Selection(tuple(kept), ghosts)


def is_way_on(row: Row, twins: frozenset[str]) -> bool:
    """Whether a row is drawn as an edge: a stimulus that begins, or a permit before a layer that is no twin."""
    return row.at == IDLE or (row.event not in _STOPS and row.at not in twins)


def marks(rows: Iterable[Row]) -> str:
    """The marks of the bases of several rows, strongest first: ` [O] [I]`."""
    bases = {row.basis for row in rows}
    return "".join(f" {BASIS[basis].mark}" for basis in Basis if basis in bases and BASIS[basis].mark)


@dataclass(frozen=True, slots=True)
class Consequence:
    """What another verdict than permit leads to: one badge. Rows that go the same way share it.

    `short` is the head for where the whole name of the discard layer does not fit.
    """

    head: str  # `block > AUTH_CONNECT_DISCARD 49/51`
    short: str  # `block > discard 49/51`
    lines: tuple[str, ...]  # what the application sees, what happens to the flow
    logged: str  # `log 5157, 5152`; empty where nothing is
    rows: tuple[Row, ...]
    twin_rows: tuple[Row, ...]


def consequences(selection: Selection, position: str, windows: str) -> tuple[Consequence, ...]:
    """The badges of a position, in table order: rows of one verdict that go the same way are one badge."""
    twins = selection.twins()
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in selection.at(position):
        if not is_way_on(row, twins) and row.at not in twins:
            groups.setdefault((row.event, row.next), []).append(row)
    blocked = {_sees(row) for (event, _), rows in groups.items() if event == "block" for row in rows}
    found: list[Consequence] = []
    for (event, target), rows in groups.items():
        twin_rows = selection.at(target) if target in twins else ()
        stem = next((row.layer for row in selection.at(target) if row.layer), None)
        head = short = event + marks(rows)
        if stem:
            ids = layer_ids(stem, windows) + marks(rows)
            head = f"{event} > {layer_title(stem)} {ids}"
            short = f"{event} > discard {ids}" if twin_rows else head
        sees = list(dict.fromkeys(_sees(row) for row in rows if _sees(row)))
        ends = sum("drop_flow" in row.ops for row in rows)
        if ends:
            sees.append("the flow ends" if ends == len(rows) else "a stale flow ends")
        if event == "absorb" and {_sees(row) for row in rows} <= blocked:
            sees = []  # as the block above it says
        numbers = list(dict.fromkeys(number for row in rows for number in row.logged))
        logged = f"log {', '.join(map(str, numbers))}" if numbers else ""
        found.append(Consequence(head, short, tuple(sees), logged, tuple(rows), twin_rows))
    return tuple(found)


def _sees(row: Row) -> str:
    """Who notices the verdict: the application, or where no socket is concerned the remote host."""
    if row.scope == "host":
        return f"remote sees {row.remote_sees}" if row.remote_sees else ""
    return row.application_sees


def dispute_lines(rows: Iterable[Row], config: Config, shown: Iterable[str]) -> list[str]:
    """For each dispute on which these rows part: its name and the option taken here; the ways name the others."""
    options: dict[str, set[tuple[str, ...]]] = {}
    for row in rows:
        for name, values in row.choices:
            if CHOICES[name].kind == "dispute" and name in shown:
                options.setdefault(name, set()).add(values)
    return [f"disputed: {name} ({config.choice(name)})" for name, values in options.items() if len(values) > 1]


def position_text(name: str) -> str:
    """What a position is, in a sentence."""
    return POSITIONS[name].text if name in POSITIONS else name


def flow_values(row: Row) -> tuple[tuple[str, ...], str | None]:
    """The values of the flow register that a row stands for, and the one it sets (None where it sets none)."""
    guards = dict(row.when)
    return guards.get("flow", REGISTERS["flow"]), dict(row.sets).get("flow")
