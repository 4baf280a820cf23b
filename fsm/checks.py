"""What must hold for each row by itself, whatever the configuration: known names, a citation, a key of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from fsm import catalogue
from fsm.choices import CHOICES
from fsm.errors import TableError, UnknownName
from fsm.names import DONE, IDLE, REGISTERS, VERDICTS, WINDOWS
from fsm.rows import OPERATIONS, Row
from fsm.sources import SOURCES
from fsm.stimuli import POSITIONS, STIMULI


def check_rows(rows: Iterable[Row]) -> None:
    """Check what can be said of each row alone, whatever the configuration.

    Raises
    ------
    TableError, UnknownName : the first row that names something unknown or repeats a key.
    """
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        where = f"rules, row {number} ({row.key})"
        if row.key in seen:
            raise TableError(where, f"its key is that of row {seen[row.key]}", fix="Give each its own guards")
        seen[row.key] = number
        for kind, given, known in _names_in(row):
            if given not in known:
                raise UnknownName.of(where, kind, given, known)
        if not row.cite:
            raise TableError(where, "it cites nothing", fix="Name a source of fsm.sources")
        if (row.at == IDLE) != (row.layer is None):
            raise TableError(where, "a row has a layer exactly when it stands at a position")


@lru_cache(maxsize=1)
def _guard_names() -> tuple[str, ...]:
    attributes = {name: None for stimulus in STIMULI.values() for name, _ in stimulus.attributes}
    return (*REGISTERS, "stimulus", *attributes)


@lru_cache(maxsize=1)
def _stems() -> frozenset[str]:
    return frozenset(layer.stem for layer in catalogue.layers())


def _names_in(row: Row) -> Iterator[tuple[str, str, Iterable[str]]]:
    for key in row.cite:
        yield "source", key, SOURCES
    for op in row.ops:
        yield "operation", op, OPERATIONS
    for name, options in row.choices:
        yield "dispute or setting", name, CHOICES
        for option in options:
            yield f"option of {name}", option, CHOICES[name].option_names()
    for name, values in row.when:
        yield "guard", name, _guard_names()
        for value in values if name in REGISTERS else ():
            yield f"value of {name}", value, REGISTERS[name]
    for name, value in row.sets:
        yield "register", name, REGISTERS
        yield f"value of {name}", value, REGISTERS[name]
    if row.layer is not None:
        yield "layer", row.layer, _stems()
        yield "verdict", row.event, VERDICTS
        yield "position", row.at, POSITIONS
    else:
        yield "stimulus", row.event, STIMULI
    yield "position", row.next, (*POSITIONS, DONE)
    yield "Windows", row.since, WINDOWS
    yield "Windows", row.until or row.since, WINDOWS
