"""The graph of a session, and what can be asked of it: only module that imports networkx.

Every answer is yes with a witness, no, or unknown: where a search met a state with successors beyond the limit, not
having found something is no "no". A search whose every state was explored may say no even in an incomplete graph.
Where a session has policies and the way rests on what nobody has told, the answer is unknown and has that way; claims
look whether there is a way whatever is answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import networkx as nx

from fsm import catalogue
from fsm.catalogue import Layer
from fsm.errors import FsmError, UnknownName
from fsm.session import NETWORK, Move, Session, SessionState, parse_reach, short, socket_terms
from fsm.space import LIMIT_STATES, StateSpace, explore

if TYPE_CHECKING:
    SessionGraph = nx.MultiDiGraph[SessionState]

# Above this number of nodes a drawing takes minutes to lay out and nobody can read it.
DRAWN_NODES = 300
# What a drawing can leave out, so that states become one node.
COLLAPSES: dict[str, str] = {
    "network": "what is in flight",
    "flows": "what is in flight, and the flows",
}


@dataclass(frozen=True, slots=True)
class PathStep:
    """One edge of a path: the states by number, and the move between them."""

    source: int
    move: Move
    target: int


@dataclass(frozen=True, slots=True)
class Answer:
    """`path` is a shortest witness where the verdict is yes (empty: it holds at the start already).

    Of an unknown that rests on open questions of filters it is the shortest way if they are answered so.
    """

    verdict: Literal["yes", "no", "unknown"]
    path: tuple[PathStep, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The moves by label: `StateSpace.follow` replays them."""
        return tuple(step.move.label for step in self.path)


def session_graph(session: Session | StateSpace, *, limit_states: int = LIMIT_STATES) -> SessionGraph:
    """The explored session as a networkx graph.

    Parameters
    ----------
    session : a session, which is explored, or a state space, which is taken as it is.
    limit_states : where to stop, when it is explored here.

    Returns
    -------
    Nodes are `SessionState`, with `number`, `label`, `depth` and `open` (has successors beyond the limit). Edge keys
    are the labels of moves, which are unique among the moves of a state, so parallel edges stay apart; edge data are
    `endpoint`, `stimulus`, `peer`, `step` (the `Move`), `layers`, `rules`, `verdicts`. Insertion order is visit order.
    The graph's own data are `session`, `start`, `layers` (of each actor), and `complete`, False when the limit was hit.
    """
    space = session if isinstance(session, StateSpace) else explore(session, limit_states=limit_states)
    states = [space.state(number) for number in range(len(space))]
    graph: SessionGraph = nx.MultiDiGraph(
        session=space.session, complete=space.complete, start=states[0], layers=space.layer_universe()
    )
    for number, state in enumerate(states):
        label, depth = space.label(number), space.depth(number)
        graph.add_node(state, number=number, label=label, depth=depth, open=space.is_open(number))
    for number, state in enumerate(states):
        for move, target in space.edges(number):
            graph.add_edge(state, states[target], move.label, **_edge_data(move))
    return graph


def _edge_data(move: Move) -> dict[str, Any]:
    return {
        "endpoint": move.endpoint,
        "stimulus": move.stimulus,
        "peer": move.peer,
        "step": move,
        "layers": move.layers,
        "rules": move.rules,
        "verdicts": move.verdicts,
    }


# ---- questions


def reachable(
    graph: SessionGraph, goal: str | SessionState | Callable[[SessionState], bool], *, start: SessionState | None = None
) -> Answer:
    """Whether a state can be reached, with a shortest path to the nearest one.

    Parameters
    ----------
    goal : an expression as `session.parse_reach` takes it, a state, or a predicate.
    start : where from; without it, the start of the session.

    Raises
    ------
    UnknownName, FsmError : the expression or the start names something that is not there.
    """
    if isinstance(goal, str):
        holds = parse_reach(graph.graph["session"], goal)
    elif isinstance(goal, SessionState):
        holds = goal.__eq__
    else:
        holds = goal
    search = _Search(graph, start)
    if holds(search.start):
        return Answer("yes")
    for source, move, target in search.run():
        if search.is_new and holds(target):
            return search.witness(source, move, target)
    return search.without_witness()


def reachable_move(graph: SessionGraph, goal: Callable[[Move], bool], *, start: SessionState | None = None) -> Answer:
    """Whether a move can come, with a shortest path whose last step is such a move."""
    search = _Search(graph, start)
    for source, move, target in search.run():
        if goal(move):
            return search.witness(source, move, target)
    return search.without_witness()


def reachable_layer(
    graph: SessionGraph, layer: str, *, start: SessionState | None = None, where: str = "--reach-layer"
) -> Answer:
    """Whether a layer can fire: in any spelling, or as `sender:ALE_AUTH_CONNECT` at one endpoint.

    What a host does about datagrams for an endpoint's closed or unbound socket is meant by
    `sender without socket:INBOUND_IPPACKET`.

    Raises
    ------
    UnknownName : no such layer, or no such endpoint in this session.
    """
    session: Session = graph.graph["session"]
    universe: dict[str, tuple[Layer, ...]] = graph.graph["layers"]
    actor, colon, given = (part.strip() for part in layer.rpartition(":"))
    if colon and actor not in universe:
        raise UnknownName.of(where, "endpoint of this session", actor, universe)
    name = catalogue.resolve(given, session.config.ip, windows=session.config.windows, where=where).fwpm_name
    return reachable_move(graph, lambda move: name in move.layers and (not colon or move.actor == actor), start=start)


def layers_from(graph: SessionGraph, start: SessionState | None = None) -> dict[str, dict[str, Answer]]:
    """Which layers can still fire from here: for each actor, each layer that its table can come to, with its answer.

    The witness of a layer is a shortest path whose last step fires it.
    """
    search = _Search(graph, start)
    found: dict[tuple[str, str], tuple[SessionState, Move, SessionState]] = {}
    for edge in search.run():
        for name in edge[1].layers:
            found.setdefault((edge[1].actor, name), edge)
    otherwise = search.without_witness()
    universe: dict[str, tuple[Layer, ...]] = graph.graph["layers"]
    return {
        actor: {
            layer.fwpm_name: search.witness(*found[actor, layer.fwpm_name])
            if (actor, layer.fwpm_name) in found
            else otherwise
            for layer in layers
        }
        for actor, layers in universe.items()
    }


def node_of(graph: SessionGraph, number: int) -> SessionState:
    """The state with this number, as the command line prints it.

    Raises
    ------
    UnknownName : there is no such number.
    """
    for node, data in graph.nodes(data=True):
        if data["number"] == number:
            return node
    raise UnknownName("session", f"there is no state {number}", f"States are numbered from 0 to {len(graph) - 1}")


class _Search:
    """Breadth-first search over edges that remembers how it came to each state."""

    def __init__(self, graph: SessionGraph, start: SessionState | None) -> None:
        self.graph = graph
        self.start: SessionState = graph.graph["start"] if start is None else start
        if self.start not in graph:
            raise FsmError("session", "the state to start from is none of this graph's")
        self.is_new = False  # whether the edge given last led to a state that was not met before
        self._came: dict[SessionState, tuple[SessionState, Move] | None] = {self.start: None}

    def run(self) -> Iterator[tuple[SessionState, Move, SessionState]]:
        """Every edge that can be walked, nearest first, in the order of the graph."""
        waiting = deque([self.start])
        while waiting:
            node = waiting.popleft()
            for _, target, data in self.graph.out_edges(node, data=True):
                move: Move = data["step"]
                self.is_new = target not in self._came
                if self.is_new:
                    self._came[target] = node, move
                    waiting.append(target)
                yield node, move, target

    def witness(self, source: SessionState, move: Move, target: SessionState) -> Answer:
        """Yes, by the way the search came to `source`, and then this edge; unknown where that rests on a question."""
        number = self.graph.nodes
        steps = [PathStep(number[source]["number"], move, number[target]["number"])]
        while (came := self._came[source]) is not None:
            before, by = came
            steps.append(PathStep(number[before]["number"], by, number[source]["number"]))
            source = before
        rests = any(step.move.questions for step in steps)
        return Answer("unknown" if rests else "yes", tuple(reversed(steps)))

    def without_witness(self) -> Answer:
        """After a search that found nothing: no, or unknown where it met states that are not explored."""
        nodes = self.graph.nodes
        return Answer("unknown" if any(nodes[node]["open"] for node in self._came) else "no")


# ---- files


def graphml_lines(graph: SessionGraph) -> Iterator[str]:
    """GraphML, line by line; attributes are text, lists are joined by `; `, nodes and edges are numbered."""
    flat: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    session: Session = graph.graph["session"]
    names = {node: f"n{data['number']}" for node, data in graph.nodes(data=True)}
    for node, data in graph.nodes(data=True):
        attributes = {"label": data["label"], "depth": data["depth"], "open": str(data["open"]).lower()}
        for member, socket in zip(session.sockets, node.sockets, strict=True):
            attributes[member.name] = "/".join(socket_terms(session, member, socket))
        flat.add_node(names[node], **attributes, network="; ".join(map(str, node.network)))
    for number, (source, target, data) in enumerate(graph.edges(data=True)):
        move: Move = data["step"]
        record = {name: value for name, value in move.to_json().items() if name != "key"}
        texts = {name: "; ".join(v) if isinstance(v, list) else str(v or "") for name, v in record.items()}
        # The ids of edges are unique in a file, so the label is an attribute of its own.
        flat.add_edge(names[source], names[target], f"e{number}", label=move.label, **texts)
    yield "<?xml version='1.0' encoding='utf-8'?>"
    yield from nx.generate_graphml(flat)


def session_dot(graph: SessionGraph, *, collapse: str = "") -> str:
    """DOT text of the whole graph, or with what `COLLAPSES` says left out.

    Parallel edges stay apart in the whole graph. Collapsed, one edge carries all labels between its two nodes.

    Raises
    ------
    UnknownName : no such way to collapse.
    FsmError : more nodes than a drawing can show; the line names the collapsed pictures and their sizes.
    """
    if collapse and collapse not in COLLAPSES:
        raise UnknownName.of("--collapse", "way to collapse", collapse, COLLAPSES)
    nodes: dict[str, list[int]] = {}
    for node, data in graph.nodes(data=True):
        nodes.setdefault(_collapsed(graph, node, collapse), []).append(data["number"])
    if len(nodes) > DRAWN_NODES:
        raise FsmError("--format dot", _too_many(graph, len(nodes), collapse), fix=_smaller(graph, collapse))
    ids = {label: f"s{number}" for number, label in enumerate(nodes)}
    lines = ["digraph session {", "  node [shape=box, fontsize=10];", "  edge [fontsize=8];"]
    for label, numbers in nodes.items():
        name = str(numbers[0]) if not collapse else f"{len(numbers)} states" if len(numbers) > 1 else "1 state"
        style = ", penwidth=2" if 0 in numbers else ""
        lines.append(f"  {ids[label]} [label={_quoted(name, *label.split(' '))}{style}];")
    for (source, target), labels in _edges(graph, collapse).items():
        for group in [labels] if collapse else [[label] for label in labels]:
            lines.append(f"  {ids[source]} -> {ids[target]} [label={_quoted(*group)}];")
    return "\n".join([*lines, "}"])


def _edges(graph: SessionGraph, collapse: str) -> dict[tuple[str, str], list[str]]:
    """Labels by (source, target); collapsed, each label once, and edges that stay in their node left out."""
    found: dict[tuple[str, str], list[str]] = {}
    short_name = {node: _collapsed(graph, node, collapse) for node in graph}
    for source, target, data in graph.edges(data=True):
        move: Move = data["step"]
        pair = short_name[source], short_name[target]
        if not collapse:
            layers = ", ".join(short(layer) for layer in move.layers)
            found.setdefault(pair, []).append(move.label + (f"\n{layers}" if layers else ""))
        elif pair[0] != pair[1] and move.label not in found.setdefault(pair, []):
            found[pair].append(move.label)
    return found


def _collapsed(graph: SessionGraph, node: SessionState, collapse: str) -> str:
    """The label of the node in which this state is drawn."""
    label = str(graph.nodes[node]["label"])
    if not collapse:
        return label
    parts = [word for word in label.split(" ") if not word.startswith(f"{NETWORK}=")]
    if collapse == "flows":
        parts = [word.partition("/")[0] for word in parts]
    return " ".join(parts)


def _too_many(graph: SessionGraph, count: int, collapse: str) -> str:
    what = f"{count} collapsed nodes" if collapse else f"{count} states"
    return f"{what} are more than the {DRAWN_NODES} that a drawing can show" + (
        "" if graph.graph["complete"] else " (and the limit was hit)"
    )


def _smaller(graph: SessionGraph, collapse: str) -> str:
    sizes = {way: len({_collapsed(graph, node, way) for node in graph}) for way in COLLAPSES if way != collapse}
    fitting = [f"--collapse {way} ({size} nodes)" for way, size in sizes.items() if size <= DRAWN_NODES]
    if fitting:
        return f"Draw the collapsed picture: {' or '.join(fitting)}"
    return "Take fewer endpoints, or fewer --stimuli"


def _quoted(*lines: str) -> str:
    text = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for line in lines)
    return f'"{text}"'


def cheapest_flow(
    demand: Mapping[Hashable, int], prices: Mapping[tuple[Hashable, Hashable], int]
) -> dict[tuple[Hashable, Hashable], int]:
    """The flow of least cost that brings every node what it needs: {(from, to): how much}, zeros left out.

    Parameters
    ----------
    demand : what each node takes in more than it gives out (negative: gives); the sum is zero.
    prices : what one unit costs on each arc, at least 0; any amount may pass.
    """
    network: nx.DiGraph[Hashable] = nx.DiGraph()
    for node in dict.fromkeys((*demand, *(end for arc in prices for end in arc))):
        network.add_node(node, demand=demand.get(node, 0))
    network.add_edges_from((source, target, {"weight": price}) for (source, target), price in prices.items())
    _, flow = nx.network_simplex(network)
    return {(source, target): amount for source, to in flow.items() for target, amount in to.items() if amount}
