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
    ("flow", ("OUT_STALE",)): "outbound flow stale: reauthorize",
    ("flow", ("IN_STALE",)): "inbound flow stale: reauthorize",
    ("socket", ("UNBOUND",)): "socket not bound",
    ("socket", ("BOUND",)): None,
    ("window", ("closed",)): None,
    ("window", ("closed", "redirect_pended", "pended")): None,
    ("window", ("redirect_pended",)): "group pended before the route",
    ("window", ("pended",)): "group pended",
    ("window", ("redirect_pended", "pended")): "group pended",
    ("window", ("open",)): "window open",
    ("connected", ("no",)): None,
    ("connected", ("no", "this")): None,
    ("connected", ("other",)): "connected elsewhere",
    ("connected", ("this", "other")): "connected",
    ("to", ("unicast",)): None,
    ("to", ("group",)): "to a group",
    ("icmp", ("port_unreachable",)): "port unreachable",
    ("icmp", ("ttl_expired",)): "time exceeded",
}
# What a guard for the stimulus in progress says; others are named.
_INSIDE = {
    "bind": "explicit bind",
    "complete": "on completion",
    "complete_group": "on completion",
    "connect_other": "inside connect",
    "sendto_group": "inside sendto",
}
_STOPS = ("block", "absorb", "veto", "pend")  # verdicts whose `next` is no way on


def guard_words(row: Row) -> str:
    """The guards of a row in words: `no flow yet`; empty where the row stands unguarded."""
    words = [_guard_words(name, values) for name, values in row.when]
    return ", ".join(word for word in words if word)


def _guard_words(name: str, values: tuple[str, ...]) -> str | None:
    if (name, values) in _GUARD_WORDS:
        return _GUARD_WORDS[name, values]
    if name == "flow" and all(value.endswith("_PENDED") for value in values):
        return "flow pended"
    if name == "stimulus":
        return " or ".join(dict.fromkeys(_INSIDE.get(value, f"inside {value}") for value in values))
    return f"{name} {' or '.join(values)}"


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

    def dead_ends(self) -> frozenset[str]:
        """Discard layers that a permit leads to and that lead nowhere: shown like a verdict, at the box before."""
        by_position: dict[str, list[Row]] = {}
        for row in self.rows:
            by_position.setdefault(row.at, []).append(row)
        return frozenset(
            position
            for position, rows in by_position.items()
            if all(row.next == DONE and (row.layer or "").endswith("_DISCARD") for row in rows)
        )


def select(rows: Iterable[Row], config: Config, disputes: Iterable[str] = ()) -> Selection:
    """The rows that stand in a configuration and can be reached, and those that one of the named disputes keeps out."""
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
    reached, values = _reached(kept), _possible_values(kept)
    kept = [row for row in kept if row.at in reached and _can_hold(row, values)]
    return Selection(tuple(kept), {row.key: ghosts[row.key] for row in kept if row.key in ghosts})


def _reached(rows: list[Row]) -> set[str]:
    """The positions that some row leads to: a choice can leave others without a way."""
    onward: dict[str, list[str]] = {}
    for row in rows:
        onward.setdefault(row.at, []).append(row.next)
    reached, waiting = {IDLE}, [IDLE]
    while waiting:
        for position in onward.get(waiting.pop(), ()):
            if position not in reached:
                reached.add(position)
                waiting.append(position)
    return reached


def _possible_values(rows: list[Row]) -> set[tuple[str, str]]:
    """The register values that there are: at the start, or because a row sets them."""
    start = {(name, values[0]) for name, values in REGISTERS.items()}
    return start | {pair for row in rows for pair in row.sets}


def _can_hold(row: Row, possible: set[tuple[str, str]]) -> bool:
    guards = [(name, values) for name, values in row.when if name in REGISTERS]
    return all(any((name, value) in possible for value in values) for name, values in guards)


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


def consequences(selection: Selection, positions: Iterable[str], windows: str) -> tuple[Consequence, ...]:
    """The badges of the positions that one box stands for, in table order."""
    twins, dead = selection.twins(), selection.dead_ends()
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in (row for position in positions for row in selection.at(position)):
        if row.at in twins or row.key in selection.ghosts:
            continue
        if not is_way_on(row, twins) or row.next in dead:
            stem = next((r.layer for r in selection.at(row.next) if r.layer), None) or ""
            event = guard_words(row) if row.event == "permit" else row.event
            groups.setdefault((event, stem), []).append(row)
    blocked = {_sees(row) for (event, _), rows in groups.items() if event == "block" for row in rows}
    found: list[Consequence] = []
    for (event, stem), rows in groups.items():
        targets = dict.fromkeys(row.next for row in rows)
        ended = [target for target in targets if target in twins or target in dead]
        twin_rows = tuple(row for target in ended for row in selection.at(target))
        head = short = event + marks(rows)
        if stem:
            ids = layer_ids(stem, windows) + marks(rows)
            head = f"{event} > {layer_title(stem)} {ids}" if ended else f"{event}: on to {layer_title(stem)} {ids}"
            short = f"{event} > discard {ids}" if ended else head
        sees = _joined(dict.fromkeys(_sees(row) for row in rows if _sees(row)))
        if not sees and event not in _STOPS:
            sees = _joined(dict.fromkeys(_sees(row) for row in twin_rows if _sees(row)))
        ends = sum("drop_flow" in row.ops for row in rows)
        if ends:
            sees.append("the flow ends" if ends == len(rows) else "a stale flow ends")
        if event == "absorb" and {_sees(row) for row in rows} <= blocked:
            sees = []  # as the block above it says
        if event == "pend":
            head = short = f"pend: held until completed{marks(rows)}"
            sees = []
        numbers = list(dict.fromkeys(number for row in rows for number in row.logged))
        logged = f"log {', '.join(map(str, numbers))}" if numbers else ""
        found.append(Consequence(head, short, tuple(sees), logged, tuple(rows), twin_rows))
    return tuple(found)


def _sees(row: Row) -> str:
    """Who notices the verdict: the application, or where no socket is concerned the remote host."""
    if row.scope == "host":
        return f"remote sees {row.remote_sees}" if row.remote_sees else ""
    return row.application_sees


def _joined(texts: Iterable[str]) -> list[str]:
    """Texts that differ in their first word only, as one: `connect, sendto fails; its error code ...`."""
    by_rest: dict[str, list[str]] = {}
    for text in texts:
        first, _, rest = text.partition(" ")
        by_rest.setdefault(rest, []).append(first)
    return [" ".join((", ".join(firsts), rest)).strip() for rest, firsts in by_rest.items()]


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
