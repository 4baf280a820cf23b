"""The explored graph of a session as data for a page: states as words, edges as numbers, moves once each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any

from fsm import catalogue
from fsm.draw.theme import BASIS
from fsm.names import OUTCOMES
from fsm.page.packing import Shared, packed
from fsm.page.table_data import layer_json, row_json, sources_json
from fsm.rows import OPERATIONS, Row
from fsm.rules import RULES
from fsm.session import Move
from fsm.space import StateSpace
from fsm.stimuli import POSITIONS, STIMULI

Json = dict[str, Any]
Refusals = Callable[[int], Iterable[tuple[str, str]]]


def _no_refusals(number: int) -> tuple[tuple[str, str], ...]:
    return ()


def session_json(space: StateSpace, refusals: Refusals = _no_refusals) -> Json:
    """States, edges and moves.

    Parameters
    ----------
    space : the explored session; where its limit was hit, `complete` is False and `open` lists the states with
        successors beyond it.
    refusals : what is not possible in a state, by its number, with the reasons.
    """
    words: Shared[str] = Shared()
    labels = [[words.of(word) for word in space.label(number).split(" ")] for number in range(len(space))]
    moves: Shared[int] = Shared()
    edges = [
        [(moves.of(move), target) for move, target in space.numbered_edges(number)] for number in range(len(space))
    ]
    layers: Shared[str] = Shared()
    flags: Shared[tuple[str, ...]] = Shared()
    rows: Shared[str] = Shared()
    made = [_move_json(space.moves[number], layers, flags, rows) for number in moves.values]
    by_key = {row.key: row for row in RULES}
    used: list[Row] = [by_key[key] for key in rows.values]
    refused: Shared[str] = Shared()
    reasons: Shared[str] = Shared()
    lists: Shared[tuple[tuple[int, int], ...]] = Shared()
    numbers = [
        lists.of(tuple((refused.of(move), reasons.of(why)) for move, why in refusals(number)))
        for number in range(len(space))
    ]
    session = space.session
    states = {"words": packed(n for label in labels for n in label), "first": packed(_starts(map(len, labels)))}
    states["refusals"] = packed(numbers)
    return {
        "members": [{"name": m.name, "view": m.view, "host": m.host} for m in session.members],
        "hosts": session.hosts,
        "network": session.network,
        "cap": session.cap,
        "granularity": session.granularity,
        "complete": space.complete,
        "open": space.open_states,
        "count": len(space),
        "edgeCount": space.edge_count,
        "words": words.values,
        "states": states,
        "refused": refused.values,
        "reasons": reasons.values,
        "refusals": lists.values,
        "edges": {
            "first": packed(_starts(map(len, edges))),
            "moves": packed(move for here in edges for move, _ in here),
            "targets": packed(target for here in edges for _, target in here),
        },
        "moves": made,
        "layers": [layer_json(catalogue.by_name(name)) for name in layers.values],
        "flags": flags.values,
        "rows": [row_json(row) for row in used],
        "operations": {op: OPERATIONS[op] for op in dict.fromkeys(op for row in used for op in row.ops)},
        "positions": {row.at: POSITIONS[row.at].text for row in used if row.at in POSITIONS},
        "outcomes": OUTCOMES,
        "sources": sources_json(used),
        "marks": {str(basis): look.mark for basis, look in BASIS.items()},
    }


def _starts(lengths: Iterable[int]) -> list[int]:
    return [0, *accumulate(lengths)]


def _move_json(move: Move, layers: Shared[str], flags: Shared[tuple[str, ...]], rows: Shared[str]) -> Json:
    known = STIMULI.get(move.stimulus)
    return {
        "label": move.label,
        "actor": move.actor,
        "endpoint": move.endpoint,
        "peer": move.peer,
        "text": known.text if known else "",
        "arrives": str(move.arrives) if move.arrives else "",
        "emits": [str(message) for message in move.emits],
        "lost": [str(message) for message in move.lost],
        "note": move.note,
        "steps": [
            [
                layers.of(step.layer) if step.layer else -1,
                step.verdict,
                rows.of(step.rule),
                flags.of(step.flags),
                step.stimulus,
                step.position,
                step.from_state,
                step.to_state,
            ]
            for step in move.steps
        ],
    }
