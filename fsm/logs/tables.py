"""Rows of result tables (Azure Monitor, Kusto) as records, by the names of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .json_text import Decoded
from .spellings import COLUMN_NAMES, COLUMNS

# Columns of the tables that Kusto adds about the query itself: its properties, its status, the list of its tables.
_ABOUT_THE_QUERY = ({"Value"}, {"Severity", "StatusDescription"}, {"Ordinal", "Kind", "PrettyName"})
_RESULT = "PrimaryResult"


def column_names(columns: object) -> tuple[str, ...] | None:
    """The names of the columns; None where they cannot be told."""
    if not isinstance(columns, list) or not columns:
        return None
    names = [
        next((column[key] for key in COLUMN_NAMES if isinstance(column.get(key), str)), None)
        for column in columns
        if isinstance(column, dict)
    ]
    found = tuple(name for name in names if name is not None)
    return found if len(found) == len(columns) else None


def is_about_the_query(table: Mapping[str, Any]) -> bool:
    """Whether the rows of a table are about the query and not its result."""
    if table.get("TableKind", _RESULT) != _RESULT:
        return True
    names = column_names(next((table[key] for key in COLUMNS if key in table), None))
    return names is not None and any(
        about <= set(names) and (len(about) > 1 or about == set(names)) for about in _ABOUT_THE_QUERY
    )


def row_record(names: tuple[str, ...] | None, row: object, where: str) -> Decoded:
    """One row as a record; empty cells are left out."""
    if names is None:
        return Decoded(where, None, "a row of a table whose columns are not named before it")
    if not isinstance(row, list):
        return Decoded(where, None, "no row: a list of values is expected")
    if len(row) != len(names):
        return Decoded(where, None, f"a row of {len(row)} values in a table of {len(names)} columns")
    return Decoded(where, {name: value for name, value in zip(names, row, strict=True) if value not in (None, "")})
