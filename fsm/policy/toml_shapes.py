"""The shapes of a policy file's tables, and its mistakes: collected, each with its line, told together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from fsm.counts import counted
from fsm.errors import FsmError, UnknownName

from .errors import PolicyError, PolicyErrors
from .schema import TABLES, Keys
from .toml_conditions import Complain
from .toml_places import places

Path = tuple[str | int, ...]
LIMIT_ERRORS = 100
_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "number": (int, str),
    "flag": (bool,),
    "texts": (list,),
    "lists": (list,),
    "tables": (list,),
    "table": (dict,),
    "when": (dict,),
    "layers": (str, list),
    "weight": (int, str),
}
_SHAPES = {
    "text": "text",
    "number": "a number",
    "flag": "true or false",
    "texts": "a list of texts",
    "lists": "a list of lists",
    "tables": "tables in double brackets",
    "table": "a table",
    "when": "a table in braces",
    "layers": "a layer or a list of layers",
    "weight": 'a number, "range 0" to "range 15", or "auto"',
}


class Mistakes:
    """What is wrong with one file. Where something stands is looked up only when it is needed."""

    def __init__(self, text: str, name: str) -> None:
        self._text, self._name = text, name
        self._errors: dict[tuple[Path, str], FsmError] = {}
        self._more = 0  # mistakes beyond the limit
        self._lines: dict[Path, int] | None = None

    def complain(self, path: Path, what: str, nearest: str = "", fix: str = "") -> None:
        """Note a mistake; the same one is told once, as twins and lists find it again."""
        if (path, what) in self._errors:
            return
        if len(self._errors) < LIMIT_ERRORS:
            self._errors[path, what] = PolicyError(self.where(path), what, nearest, fix)
        else:
            self._more += 1

    def at(self, base: Path) -> Complain:
        """`complain` for paths below `base`."""
        return lambda path, what, nearest, fix: self.complain((*base, *path), what, nearest, fix)

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest table around it."""
        if self._lines is None:
            self._lines = places(self._text)
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def where(self, path: Path) -> str:
        """File, line, and which table of its kind."""
        place = ""
        if len(path) > 1 and isinstance(path[1], int):
            place = f", {path[0]} {path[1] + 1}"
        return f"{self._name}, line {self.line(path)}{place}"

    def finish(self) -> None:
        """Raises when there were mistakes."""
        if self._errors:
            order = sorted(self._errors, key=lambda entry: self.line(entry[0]))
            told = [self._errors[entry] for entry in order]
            if self._more:
                told.append(PolicyError(self._name, counted(self._more, "more mistake"), "", "Mend these first"))
            raise PolicyErrors(told)

    def told(self, path: Path) -> bool:
        """Whether there is a mistake at this very path."""
        return any(known == path for known, _ in self._errors)

    # ---- shapes

    def checked(self, table: Any, keys: Keys, base: Path) -> dict[str, Any]:
        """The keys of a table that are known and have the right kind of value; the others are mistakes."""
        if not isinstance(table, dict):
            self.complain(base, f"{shown(table)} is no table", "", f"Write [[{base[0]}]] and its keys below")
            return {}
        good = {}
        for key, value in table.items():
            if key not in keys:
                error = UnknownName.of("", "key", key, keys)
                self.complain((*base, key), error.what, error.nearest)
                continue
            kind = keys[key][0]
            fits = isinstance(value, _TYPES[kind]) and (kind == "flag" or not isinstance(value, bool))
            if not fits or (kind == "texts" and not all(isinstance(one, str) for one in value)):
                fix = f"Write [[{key}]]" if kind == "tables" and isinstance(value, dict) else ""
                self.complain((*base, key), f"{key} = {shown(value)} is not {_SHAPES[kind]}", "", fix)
            elif kind == "number":
                number = number_of(value)
                if number is None or number < 0:
                    self.complain((*base, key), f"{key} = {shown(value)} is no number from 0")
                else:
                    good[key] = number
            else:
                good[key] = value
        return good

    def tables(self, document: dict[str, Any], name: str) -> Iterable[tuple[Path, dict[str, Any]]]:
        given = document.get(name, [])
        for at, table in enumerate(given):
            yield (name, at), self.checked(table, TABLES[name], (name, at))


def mending(what: str) -> str:
    """What mends the mistakes that people make most with TOML, by the words of the parser."""
    if what in ("Invalid value", "Unclosed array") or what.startswith("Expected newline"):
        return "Text stands in quotation marks; numbers, true and false do not"
    if what in ("Invalid initial character for a key part", "Unclosed inline table"):
        return "A table in braces stands on one line; on several lines write [filter.when] and its keys below"
    if "overwrite" in what or "twice" in what or "Duplicate" in what:
        return "Write each key once; several values are a list, several filters a [[filter]] each"
    if what.startswith(("Unescaped '\\'", "Invalid hex value", "Escaped character")):
        return r"Write paths between single quotes: 'C:\folder\program.exe'"
    return "See wfp-udp policy --help"


def number_of(given: Any) -> int | None:
    if isinstance(given, bool):
        return None
    if isinstance(given, int):
        return given
    if isinstance(given, str):
        if re.fullmatch(r"[0-9]{1,40}", given):
            return int(given)
        if re.fullmatch(r"0[xX][0-9A-Fa-f]{1,40}", given):
            return int(given, 16)
    return None


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
