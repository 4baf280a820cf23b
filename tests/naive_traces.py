"""A slow checker of traces: plain shortest paths on the compiled tables, one world and one role after the other.

It shares no code with `fsm.traces.automaton`, `alignment` and `explanation`: no sets of hypotheses, no classes, no
memory, no bound. For small traces only.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Sequence

from fsm.choices import Config
from fsm.names import VERDICTS
from fsm.table import Table, compile_table

Seen = tuple[str, str]  # layer, verdict ("" for any)
Node = tuple[str, int]  # view, state


class Machine:
    """The tables of one world as one graph; `hands` lets sockets come and go."""

    def __init__(self, config: Config, views: Iterable[str], *, hands: bool, never: Iterable[str] = ()) -> None:
        self.edges: dict[Node, list[tuple[Node, Seen | None]]] = {}
        tables = {view: compile_table(view, config) for view in views}
        banned = set(never)
        for view, table in tables.items():
            for state in range(len(table.states)):
                mine = self.edges.setdefault((view, state), [])
                layer = table.layer(state)
                for name in table.moves(state):
                    if name in banned:
                        continue
                    target = (view, table.step(state, table.event_ids[name]))
                    mine.append((target, (layer.fwpm_name, name) if layer else None))
        self.starts = [(view, table.start) for view, table in tables.items()]
        if hands:
            self._hands(tables)
        self.reachable = self._reach()

    def _hands(self, tables: dict[str, Table]) -> None:
        table = tables["sender"]
        nobody, fresh = ("dropped_port", 0), ("sender", 0)
        self.edges[nobody].append((fresh, None))
        for state in range(len(table.states)):
            if table.layer(state) is None and table.register(state, "socket") in ("UNBOUND", "CLOSED"):
                self.edges["sender", state].append((nobody, None))

    def _reach(self) -> set[Node]:
        met, waiting = set(self.starts), list(self.starts)
        while waiting:
            for target, _ in self.edges[waiting.pop()]:
                if target not in met:
                    met.add(target)
                    waiting.append(target)
        return met

    def cost(self, trace: Sequence[Seen], visible: set[str], *, most: int = 99) -> int:
        """The fewest edits, `most` + 1 where more are needed."""
        best: dict[tuple[Node, int], int] = {}
        queue = [(0, 0, node) for node in sorted(self.reachable)]
        for _, at, node in queue:
            best[node, at] = 0

        def offer(cost: int, at: int, node: Node) -> None:
            if cost <= most and cost < best.get((node, at), most + 1):
                best[node, at] = cost
                heapq.heappush(queue, (cost, at, node))

        heapq.heapify(queue)
        while queue:
            cost, at, node = heapq.heappop(queue)
            if cost > best[node, at]:
                continue
            if at == len(trace):
                return cost
            offer(cost + 1, at + 1, node)
            for target, seen in self.edges[node]:
                if seen is None or seen[0] not in visible:
                    offer(cost, at, target)
                    continue
                offer(cost + 1, at, target)
                if seen[0] == trace[at][0]:
                    offer(cost + (trace[at][1] not in ("", seen[1])), at + 1, target)
                if at + 1 < len(trace) and self.fits(seen, trace[at + 1]) and trace[at] != trace[at + 1]:
                    for after in self.behind(target, trace[at], visible):
                        offer(cost + 1, at + 2, after)
        return most + 1

    def behind(self, node: Node, line: Seen, visible: set[str]) -> set[Node]:
        """Where one line leads, silent steps before it included."""
        met, waiting, found = {node}, [node], set()
        while waiting:
            for target, seen in self.edges[waiting.pop()]:
                if seen is not None and seen[0] in visible:
                    if self.fits(seen, line):
                        found.add(target)
                elif target not in met:
                    met.add(target)
                    waiting.append(target)
        return found

    @staticmethod
    def fits(seen: Seen, line: Seen) -> bool:
        return seen[0] == line[0] and line[1] in ("", seen[1])


def walk(config: Config, view: str, dice: random.Random, length: int, never: Iterable[str] = ()) -> list[Seen]:
    """`length` steps of a random walk from the start, as a callout at every layer would see them; mostly permits."""
    table = compile_table(view, config)
    banned, state, found = set(never), table.start, []
    for _ in range(length):
        moves = [move for move in table.moves(state) if move not in banned]
        if not moves:
            state = table.start  # the socket is closed: another one
            continue
        layer = table.layer(state)
        move = dice.choice(moves) if layer is None or dice.random() < 0.3 else "permit"
        move = move if move in moves else moves[0]
        if layer is not None:
            assert move in VERDICTS
            found.append((layer.fwpm_name, move))
        state = table.step(state, table.event_ids[move])
    return found
