"""All hypotheses about one port as one automaton: the tables of every endpoint and every way to decide a dispute.

A port is a socket (sender or receiver), nobody's (dropped_port), or over time one after the other. States and edges
come from compiled tables and from nowhere else; an edge carries the set of hypotheses under which it exists, as bits
of an integer. The worlds are the product of all open disputes, but a few tables have all edges: disputes that meet in
no row are turned round one at a time (a test compares with worlds of the whole product).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product

from fsm.choices import CHOICES, Config
from fsm.names import ENDPOINTS, IDLE, VERDICTS, Verdict
from fsm.rows import Row
from fsm.rules import RULES, SETTING_FLAGS
from fsm.stimuli import POSITIONS, VIEWS
from fsm.table import Step, Table, compile_table

PORT = "port"  # the hypothesis that sockets come and go on the port
ROLES: tuple[str, ...] = (*ENDPOINTS, PORT)
NO_SOCKET = "no socket"  # how the state of a port that is nobody's begins
CHANGED_HANDS = "reopened"  # the edge that only `PORT` has: what the port is changes, no layer sees it


# A bind carries these by what the application asked for, which no log shows: they are neither compared nor told.
FLAGS_NOT_COMPARED = frozenset(("IS_WILDCARD_BIND", "IS_IMPLICIT_BIND"))


@dataclass(frozen=True, slots=True)
class Label:
    """What a callout sees of one step: layer (full FWPM name), verdict, classify flags, direction of the packet."""

    layer: str
    verdict: str
    flags: tuple[str, ...]
    direction: str


@dataclass(frozen=True, slots=True)
class Edge:
    """One step of the automaton; without `label` no layer sees it. `hypotheses` are bits of `Hypotheses`."""

    target: int
    label: Label | None
    hypotheses: int
    table: Table | None  # where its row stands; None for the edge that is no row's
    state: int
    event: int

    @property
    def step(self) -> Step | None:
        """The step of the table, with its rule and citations."""
        return self.table.recorded(self.state, self.event) if self.table else None


@dataclass(frozen=True)
class Limits:
    """What is known not to be.

    `never` are stimuli that do not happen. What happens in the stimuli of `elsewhere` is about another remote end: its
    layers are asked, and the lines stand in another conversation. `roles` are those that are possible. `answers` gives
    the verdicts that a layer can answer in a state of a table; None for whatever it takes.
    """

    never: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    roles: tuple[str, ...] = ROLES
    answers: Callable[[Table, int], Iterable[str]] | None = None

    def left_of(self, edge: Edge) -> Edge | None:
        """The edge as it is within these limits, None where it is not."""
        if edge.table is None:
            return edge
        event = edge.table.events[edge.event]
        if edge.label is None:
            return None if event in self.never else edge
        here = edge.table.states[edge.state]
        if self.answers is not None:
            asked = set(self.answers(edge.table, edge.state)).intersection(edge.table.moves(edge.state))
            if event not in (asked or {str(Verdict.PERMIT)}):
                return None
        if here.stimulus in self.elsewhere and POSITIONS[here.position].packet_direction:
            return replace(edge, label=None)
        return edge


class Hypotheses:
    """The worlds (a way to decide the open disputes) times the roles, as bits: bit = world * len(ROLES) + role."""

    def __init__(self, config: Config, open_disputes: Sequence[str]) -> None:
        self.config = config
        self.disputes = tuple(open_disputes)
        options = [CHOICES[name].option_names() for name in self.disputes]
        self.worlds: tuple[tuple[str, ...], ...] = tuple(product(*options))
        self.all = (1 << len(self.worlds) * len(ROLES)) - 1
        self._of_roles: dict[tuple[str, ...], int] = {}
        self._of_choices: dict[tuple[tuple[str, tuple[str, ...]], ...], int] = {}

    def of_roles(self, roles: tuple[str, ...]) -> int:
        """All worlds with these roles."""
        if roles not in self._of_roles:
            once = sum(1 << ROLES.index(role) for role in roles)
            self._of_roles[roles] = sum(once << world * len(ROLES) for world in range(len(self.worlds)))
        return self._of_roles[roles]

    def of_choices(self, choices: tuple[tuple[str, tuple[str, ...]], ...]) -> int:
        """The worlds in which these choices hold, with all roles."""
        if choices not in self._of_choices:
            named = [(self.disputes.index(name), options) for name, options in choices if name in self.disputes]
            whole = (1 << len(ROLES)) - 1
            self._of_choices[choices] = sum(
                whole << index * len(ROLES)
                for index, world in enumerate(self.worlds)
                if all(world[at] in options for at, options in named)
            )
        return self._of_choices[choices]

    def roles_of(self, bits: int) -> tuple[str, ...]:
        """The roles that occur in a set of hypotheses."""
        return tuple(role for role in ROLES if bits & self.of_roles((role,)))

    def worlds_of(self, bits: int) -> int:
        """The same set with every role, for worlds that occur in it with any."""
        found = 0
        for number in range(len(ROLES)):
            found |= (bits >> number) & self.of_roles((ROLES[0],))
        return sum(found << number for number in range(len(ROLES)))

    def options_of(self, bits: int) -> dict[str, tuple[str, ...]]:
        """For each open dispute the options that occur in a set of hypotheses."""
        left = [world for index, world in enumerate(self.worlds) if bits >> index * len(ROLES) & (1 << len(ROLES)) - 1]
        return {
            name: tuple(o for o in CHOICES[name].option_names() if any(world[at] == o for world in left))
            for at, name in enumerate(self.disputes)
        }

    def preferred(self, bits: int, roles: Sequence[str]) -> int:
        """The bit number of one hypothesis: the role that comes first in `roles`, the disputes as the machine has them.

        Among worlds the one that differs in the fewest disputes from what the configuration prefers.
        """
        usual = tuple(self.config.choice(name) for name in self.disputes)

        def rank(bit: int) -> tuple[int, int, int]:
            world, role = divmod(bit, len(ROLES))
            differs = sum(a != b for a, b in zip(self.worlds[world], usual, strict=True))
            return roles.index(ROLES[role]), differs, bit

        return min((bit for bit in range(bits.bit_length()) if bits >> bit & 1), key=rank)

    def config_of(self, bit: int) -> Config:
        """The machine of one hypothesis."""
        decided = zip(self.disputes, self.worlds[bit // len(ROLES)], strict=True)
        others = {name: option for name, option in decided if option != self.config.choice(name)}
        return replace(self.config, assume=tuple({**dict(self.config.assume), **others}.items()))


class PortAutomaton:
    """States, edges and hypotheses; made by `port_automaton`, shared and not changed."""

    def __init__(self, config: Config, decided: frozenset[str]) -> None:
        self.config = config
        disputes, groups = _open_disputes(config, decided)
        tables = _tables(config, groups)
        self.hypotheses = Hypotheses(config, disputes)
        self.names: list[str] = []
        self.edges: list[list[Edge]] = []
        self.in_progress: list[bool] = []
        self._ids: dict[tuple[bool, object], int] = {}
        self._flag_choices = tuple(s for s in SETTING_FLAGS if s.choice in self.hypotheses.disputes)
        self._seen: list[dict[tuple[int, Label | None, str], int]] = []  # by state: the index of an edge
        self._labels: dict[tuple[object, ...], dict[str, tuple[Label, int]]] = {}
        for view, of_worlds in tables.items():
            for table in of_worlds:
                self._add_table(view, table)
        self._join(tables)
        sockets = self.hypotheses.of_roles(("sender", "receiver", PORT))
        nobodys = self.hypotheses.of_roles(("dropped_port", PORT))
        self.start = {self._node(tables["sender"][0], 0): sockets, self._node(tables["dropped_port"][0], 0): nobodys}
        self.possible = self._reach()

    def restricted(self, limits: Limits) -> PortAutomaton:
        """The same with these limits: what cannot be reached any more has no edges."""
        found = copy(self)
        for kept in ("layers", "flags"):
            found.__dict__.pop(kept, None)  # of all edges: asked anew
        roles = self.hypotheses.of_roles(limits.roles)
        found.start = {state: bits & roles for state, bits in self.start.items()}
        found.edges = [[e for edge in edges if (e := limits.left_of(edge)) is not None] for edges in self.edges]
        found.possible = found._reach()
        found.edges = [edges if bits else [] for edges, bits in zip(found.edges, found.possible, strict=True)]
        return found

    @cached_property
    def layers(self) -> frozenset[str]:
        """Every layer that some hypothesis asks."""
        return frozenset(edge.label.layer for edges in self.edges for edge in edges if edge.label)

    @cached_property
    def flags(self) -> frozenset[str]:
        """Every flag that some hypothesis calls a layer with."""
        return frozenset(flag for edges in self.edges for e in edges if e.label for flag in e.label.flags)

    def _node(self, table: Table, state: int) -> int:
        key = (table.view.name == "dropped_port", table.states[state])
        number = self._ids.get(key)
        if number is None:
            number = self._ids[key] = len(self.names)
            self.names.append(table.names[state] if table.view.registers else f"{NO_SOCKET}{table.names[state][9:]}")
            self.in_progress.append(table.states[state].position != IDLE)
            self.edges.append([])
            self._seen.append({})
        return number

    def _add_table(self, view: str, table: Table) -> None:
        roles = (view, PORT) if view == "dropped_port" else ("sender", "receiver", PORT)
        mine = self.hypotheses.of_roles(roles)
        sent = self.hypotheses.of_roles(("sender", PORT))
        nodes = [self._node(table, state) for state in range(len(table.states))]
        of_rows = [(self.hypotheses.of_choices(row.choices) & mine, row.key) for row in table.rows]
        for state, source in enumerate(nodes):
            layer = table.layer(state)
            labels = self._labels_at(table, state)
            for event, target, row in table.cells(state):
                bits, key = of_rows[row]
                if layer is None and view != "dropped_port" and table.events[event] not in VIEWS["receiver"].stimuli:
                    bits &= sent
                label, held = labels.get(table.events[event], (None, bits))
                self._add_edge(source, nodes[target], label, bits & held, key, table, state, event)

    def _labels_at(self, table: Table, state: int) -> dict[str, tuple[Label, int]]:
        """For each verdict before the layer of a state its label, and the worlds in which the settings are these."""
        layer = table.layer(state)
        if layer is None:
            return {}
        direction = POSITIONS[table.states[state].position].packet_direction
        key = (table.config, layer.fwpm_name, table.flags(state), direction)
        if key not in self._labels:
            flags = tuple(flag for flag in table.flags(state) if flag not in FLAGS_NOT_COMPARED)
            held = self.hypotheses.all
            for setting in self._flag_choices:
                if layer.stem.removesuffix("_DISCARD") in setting.layers:
                    held &= self.hypotheses.of_choices(((setting.choice, (table.config.choice(setting.choice),)),))
            made = ((verdict, Label(layer.fwpm_name, verdict, flags, direction)) for verdict in VERDICTS)
            self._labels[key] = {verdict: (label, held) for verdict, label in made}
        return self._labels[key]

    def _add_edge(
        self, source: int, target: int, label: Label | None, bits: int, row: str, table: Table | None = None,
        state: int = 0, event: int = 0,
    ) -> None:  # fmt: skip
        edges = self.edges[source]
        at = self._seen[source].get((target, label, row))
        if at is None:
            self._seen[source][target, label, row] = len(edges)
            edges.append(Edge(target, label, bits, table, state, event))
        elif edges[at].hypotheses | bits != edges[at].hypotheses:
            edges[at] = replace(edges[at], hypotheses=edges[at].hypotheses | bits)

    def _join(self, tables: dict[str, list[Table]]) -> None:
        """A port whose socket is closed, or not yet bound, is nobody's; and somebody can take it again."""
        sockets, host = tables["sender"][0], tables["dropped_port"][0]
        bits = self.hypotheses.of_roles((PORT,))
        start, nobody = self._node(sockets, sockets.start), self._node(host, host.start)
        self._add_edge(nobody, start, None, bits, CHANGED_HANDS)
        for state in range(len(sockets.states)):
            if sockets.layer(state) is None and sockets.register(state, "socket") in ("UNBOUND", "CLOSED"):
                self._add_edge(self._node(sockets, state), nobody, None, bits, CHANGED_HANDS)

    def _reach(self) -> list[int]:
        """For each state the hypotheses under which it can be reached from the start."""
        possible = [0] * len(self.names)
        queue = deque(self.start)
        for state, bits in self.start.items():
            possible[state] = bits
        while queue:
            state = queue.popleft()
            for edge in self.edges[state]:
                new = possible[state] & edge.hypotheses & ~possible[edge.target]
                if new:
                    possible[edge.target] |= new
                    queue.append(edge.target)
        return possible


def _open_disputes(config: Config, decided: frozenset[str]) -> tuple[list[str], list[tuple[str, tuple[str, ...]]]]:
    """The open disputes that a callout can tell, and for each view those together that meet in a row: (view, group).

    The others change what an application sees or what is logged, not layers, verdicts, flags or states.
    """
    given = dict(config.assume)
    names = [n for n, c in CHOICES.items() if c.kind == "dispute" and n not in given and n not in decided]
    told: list[str] = []
    groups: list[tuple[str, set[str]]] = []
    for view in ("sender", "dropped_port"):  # a receiver is a sender that is offered less
        rows = [row for row in RULES if row.scope in VIEWS[view].scopes and _stands(row, config, names)]
        mine = [name for name in names if len({_behaviour(rows, name, o) for o in CHOICES[name].option_names()}) > 1]
        told += mine
        for met in ({name for name, _ in row.choices if name in mine} for row in rows):
            touching = [group for at, group in groups if at == view and group & met]
            groups = [(at, group) for at, group in groups if at != view or not group & met]
            if met:
                groups.append((view, met.union(*touching)))
    told += [
        setting.choice
        for setting in SETTING_FLAGS
        if setting.choice in names and setting.flag not in FLAGS_NOT_COMPARED
    ]
    return [n for n in names if n in told], [(at, tuple(n for n in names if n in group)) for at, group in groups]


def _stands(row: Row, config: Config, names: Sequence[str]) -> bool:
    """Whether a row stands in some world: on this Windows, under the choices that are not open."""
    return row.on_windows(config.windows) and all(
        name in names or config.choice(name) in options for name, options in row.choices
    )


def _behaviour(rows: Iterable[Row], dispute: str, option: str) -> frozenset[object]:
    """What the rows of one option do, as far as a callout can tell."""
    found = set()
    for row in rows:
        if option in dict(row.choices).get(dispute, (option,)):
            others = tuple(choice for choice in row.choices if choice[0] != dispute)
            flags = tuple(flag for flag in row.flags if flag not in FLAGS_NOT_COMPARED)
            found.add((row.at, row.event, row.next, row.layer, row.when, row.sets, row.ip, flags, others))
    return frozenset(found)


def _tables(config: Config, groups: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, list[Table]]:
    """For each view the tables that together have every edge of every world; the first is that of this machine.

    Disputes that meet in a row are combined, all others are turned round one at a time.
    """
    found = {view: [compile_table(view, config)] for view in ("sender", "dropped_port")}
    for view, group in groups:
        usual = tuple(config.choice(name) for name in group)
        for options in product(*(CHOICES[name].option_names() for name in group)):
            if options != usual:
                assume = {**dict(config.assume), **dict(zip(group, options, strict=True))}
                found[view].append(compile_table(view, replace(config, assume=tuple(assume.items()))))
    return found


@lru_cache(maxsize=8)
def port_automaton(config: Config, decided: frozenset[str] = frozenset()) -> PortAutomaton:
    """The automaton of a port on this machine, on which anything can happen.

    Parameters
    ----------
    decided : disputes for which the option of `config` holds; those that it assumes are decided in any case.
    """
    return PortAutomaton(config, decided)


@lru_cache(maxsize=32)
def restricted(whole: PortAutomaton, limits: Limits) -> PortAutomaton:
    """`PortAutomaton.restricted`, made once for each limits."""
    return whole.restricted(limits)


class Reduced:
    """The automaton as a callout at `visible` layers sees it: states that nothing can tell apart are one class.

    A step at another layer is silent, whatever its verdict was. Classes are those of a bisimulation in which a silent
    step inside a class does not count; so every sequence of visible steps is possible here under the same hypotheses.
    """

    def __init__(self, whole: PortAutomaton, visible: Iterable[str]) -> None:
        self.whole, self.visible = whole, frozenset(visible)
        self.labels: list[Label] = []
        ids: dict[Label, int] = {}
        plain: list[list[tuple[int, int, int]]] = []  # (label or -1, hypotheses, target)
        for edges in whole.edges:
            mine = []
            for edge in edges:
                if edge.label is None or edge.label.layer not in self.visible:
                    mine.append((-1, edge.hypotheses, edge.target))
                    continue
                if edge.label not in ids:
                    ids[edge.label] = len(self.labels)
                    self.labels.append(edge.label)
                mine.append((ids[edge.label], edge.hypotheses, edge.target))
            plain.append(mine)
        self.class_of = _classes(plain)
        count = max(self.class_of) + 1
        self.possible = [0] * count
        self.start: dict[int, int] = {}
        silent: list[dict[int, int]] = [{} for _ in range(count)]
        seen: list[dict[tuple[int, int], int]] = [{} for _ in range(count)]
        done = set()
        for state, mine in enumerate(plain):
            here = self.class_of[state]
            self.possible[here] |= whole.possible[state]
            if state in whole.start:
                self.start[here] = self.start.get(here, 0) | whole.start[state]
            if here in done:
                continue  # its members have the same edges
            done.add(here)
            for label, bits, target in mine:
                there = self.class_of[target]
                if label >= 0:
                    seen[here][label, there] = seen[here].get((label, there), 0) | bits
                elif there != here:
                    silent[here][there] = silent[here].get(there, 0) | bits
        self.silent = [tuple(edges.items()) for edges in silent]
        self.seen: list[dict[int, list[tuple[int, int]]]] = []
        for by_label in seen:
            mine_seen: dict[int, list[tuple[int, int]]] = {}
            for (label, there), bits in by_label.items():
                mine_seen.setdefault(label, []).append((there, bits))
            self.seen.append(mine_seen)


def _classes(edges: Sequence[Sequence[tuple[int, int, int]]]) -> list[int]:
    """The coarsest partition that the edges respect, numbered in the order of the states."""
    classes, count = [0] * len(edges), 1
    while True:
        numbers: dict[tuple[int, frozenset[tuple[int, int, int]]], int] = {}
        refined = []
        for state, mine in enumerate(edges):
            here = classes[state]
            merged: dict[tuple[int, int], int] = {}
            for label, bits, target in mine:
                if label >= 0 or classes[target] != here:
                    key = (label, classes[target])
                    merged[key] = merged.get(key, 0) | bits
            signature = (here, frozenset((label, there, bits) for (label, there), bits in merged.items()))
            refined.append(numbers.setdefault(signature, len(numbers)))
        if len(numbers) == count:
            return refined
        classes, count = refined, len(numbers)


@lru_cache(maxsize=32)
def reduced(whole: PortAutomaton, visible: frozenset[str]) -> Reduced:
    """`Reduced`, made once for each set of layers."""
    return Reduced(whole, visible)
