"""A compiled table as data for a page: every cell, every text, every reason for a refusal, each kept once.

Nothing is computed anew: states, cells, layers, flags and refusals are those of `fsm.table`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fsm.catalogue import Layer
from fsm.choices import CHOICES, Config
from fsm.draw.theme import BASIS
from fsm.endpoint import CONNECTING, FIRST_PEER, GROUP_LIFETIME_S, REASON_OF, UNICAST_LIFETIME_S
from fsm.names import OUTCOMES, REGISTERS, VERDICTS
from fsm.page.packing import Shared, packed
from fsm.reasons import REASONS
from fsm.rows import OPERATIONS, Row
from fsm.session import short
from fsm.sources import SOURCES
from fsm.stimuli import POSITIONS, STIMULI
from fsm.table import NO_ROW, Table

Json = dict[str, Any]


def table_json(table: Table) -> Json:
    """The table of an endpoint.

    States are a number of `registers` (numbers of `registerValues`, flat) and one of `cursors`; `names` are those of
    the registers. `moves` are lists of event and row, one list for each state, and `next` is where they lead, state
    by state in the order of these lists. `refusals` are lists of numbers of `reasons`, one for each event without a
    cell, in the order of events.
    """
    registers: Shared[tuple[str, ...]] = Shared()
    cursors: Shared[tuple[str, str]] = Shared()
    layers: Shared[str] = Shared()
    flags: Shared[tuple[str, ...]] = Shared()
    reasons: Shared[str] = Shared()
    refusals: Shared[tuple[int, ...]] = Shared()
    moves: Shared[tuple[tuple[int, int], ...]] = Shared()
    names: dict[int, str] = {}
    found: dict[str, Layer] = {}
    states: list[tuple[int, int, int, int, int, int]] = []
    targets: list[int] = []
    for number, state in enumerate(table.states):
        layer = table.layer(number)
        if layer:
            found[layer.fwpm_name] = layer
        refused = tuple(reasons.of(why) for _, why in table.refusals(number))
        here = [event for event in range(len(table.events)) if table.next_or_none(number, event) != NO_ROW]
        targets += [table.next_or_none(number, event) for event in here]
        states.append(
            (
                registers.of(state.registers),
                cursors.of((state.stimulus, state.position)),
                layers.of(layer.fwpm_name) + 1 if layer else 0,
                flags.of(table.flags(number)),
                refusals.of(refused),
                moves.of(tuple((event, table.row_index(number, event)) for event in here)),
            )
        )
        names[states[-1][0]] = table.name_of(number).removesuffix(f" {state.stimulus}@{state.position}")
    rows_used = sorted({row for pairs in moves.values for _, row in pairs})
    used = [table.rows[index] for index in rows_used]
    numbers = {index: number for number, index in enumerate(rows_used)}
    values = [REGISTERS[name] for name in table.view.registers]
    columns = [packed(column) for column in zip(*states, strict=True)]
    return {
        "registerNames": table.view.registers,
        "registerValues": values,
        "registers": packed(of.index(value) for own in registers.values for of, value in zip(values, own, strict=True)),
        "names": [names[number] for number in range(len(registers.values))],
        "cursors": cursors.values,
        "layers": [layer_json(found[name]) for name in layers.values],
        "flags": flags.values,
        "reasons": reasons.values,
        "refusals": refusals.values,
        "states": dict(zip(("registers", "cursors", "layers", "flags", "refusals", "moves"), columns, strict=True)),
        "moves": [[(event, numbers[row]) for event, row in pairs] for pairs in moves.values],
        "next": packed(targets),
        "events": table.events,
        "stimuli": [stimulus_json(name) for name in table.view.stimuli],
        "verdicts": VERDICTS,
        "positions": {name: POSITIONS[name].text for _, name in cursors.values if name in POSITIONS},
        "rows": [row_json(row) for row in used],
        "operations": {op: OPERATIONS[op] for op in dict.fromkeys(op for row in used for op in row.ops)},
        "outcomes": OUTCOMES,
        "sources": sources_json(used),
        "staleReasons": {name: value for name, value in REASON_OF.items() if name in STIMULI},
        "reasonNames": {reason.value: reason.name for reason in REASONS},
        "firstPeer": FIRST_PEER,
        "connecting": CONNECTING,
        "lifetime": {"unicast": UNICAST_LIFETIME_S, "group": GROUP_LIFETIME_S},
        "marks": {str(basis): look.mark for basis, look in BASIS.items()},
    }


def layer_json(layer: Layer) -> Json:
    """What a page says about a layer."""
    return {"name": layer.fwpm_name, "short": short(layer.fwpm_name), "id": layer.runtime_id}


def stimulus_json(name: str) -> Json:
    """A stimulus: what it is, and what running it depends on."""
    stimulus = STIMULI[name]
    return {
        "name": name,
        "text": stimulus.text,
        "perFlow": stimulus.per_flow,
        "withPeer": stimulus.with_peer,
        "seen": stimulus.seen_by_application,
        "group": ("to", "group") in stimulus.attributes,
    }


def row_json(row: Row) -> Json:
    """A row; what is empty is left out."""
    discard = f"{row.discard.module} {row.discard.reason} ({row.discard.value})" if row.discard else ""
    data = {
        "key": row.key,
        "at": row.at,
        "event": row.event,
        "basis": str(row.basis),
        "cite": list(row.cite),
        "note": row.note,
        "ops": list(row.ops),
        "outcome": row.outcome,
        "app": row.application_sees,
        "remote": row.remote_sees,
        "logged": list(row.logged),
        "discard": discard,
        "stem": row.layer or "",
    }
    return {name: value for name, value in data.items() if value}


def sources_json(rows: Iterable[Row]) -> Json:
    """Title and address of every source that these rows cite."""
    keys = dict.fromkeys(key for row in rows for key in row.cite)
    return {key: [SOURCES[key].title, SOURCES[key].url] for key in keys}


def config_json(config: Config) -> Json:
    """The machine that is meant, and what it assumes."""
    return {
        "ip": config.ip,
        "windows": config.windows,
        "evidence": config.evidence,
        "assume": [
            {"name": name, "option": option, "question": CHOICES[name].question}
            for name, option in sorted(config.assume)
        ],
    }
