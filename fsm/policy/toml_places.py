"""Where each key of a TOML file stands: tomllib reads the values and keeps no positions, this keeps nothing else.

Only for text that tomllib has accepted; nothing is checked here. Called when there is something to complain about.
"""

from __future__ import annotations

import re
from bisect import bisect_right

Path = tuple[str | int, ...]
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACES = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[^,\]}\n#]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'  # the last quotes of a multi-line string may be part of it
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


def places(text: str) -> dict[Path, int]:
    """{path of keys and indexes: line}, lines from 1; a table's line is that of its header, or of its first key."""
    return _Walk(text).run()


class _Walk:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._found: dict[Path, int] = {(): 1}
        self._counts: dict[Path, int] = {}  # elements of arrays of tables

    def run(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip(_BLANK) and self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                start, self._at = self._at, self._at + 2
                base = self._resolved(self._key())
                self._at = self._text.index("]]", self._at) + 2
                number = self._counts.get(base, 0)
                self._counts[base] = number + 1
                table = (*base, number)
                self._note(table, start)
            elif self._text[self._at] == "[":
                start, self._at = self._at, self._at + 1
                table = self._resolved(self._key())
                self._at = self._text.index("]", self._at) + 1
                self._note(table, start)
            else:
                self._pair(table)
        return self._found

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._at)
        assert match is not None  # both match nothing as well
        self._at = match.end()
        return True

    def _note(self, path: Path, at: int) -> None:
        line = bisect_right(self._ends, at - 1) + 1 if at else 1
        for end in range(1, len(path) + 1):
            self._found.setdefault(path[:end], line)

    def _resolved(self, keys: list[str]) -> Path:
        """The path of a header: an array of tables in it means its last table."""
        path: Path = ()
        for at, key in enumerate(keys):
            path = (*path, key)
            if path in self._counts and at < len(keys) - 1:
                path = (*path, self._counts[path] - 1)
        return path

    def _key(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACES)
            quoted = _STRING.match(self._text, self._at)
            bare = quoted or _BARE.match(self._text, self._at)
            assert bare is not None  # tomllib has accepted the key
            self._at = bare.end()
            keys.append(_unquoted(bare[0]) if quoted else bare[0])
            self._skip(_SPACES)
            if self._text[self._at : self._at + 1] != ".":
                return keys
            self._at += 1

    def _pair(self, table: Path) -> None:
        start = self._at
        path = (*table, *self._key())
        self._note(path, start)
        self._at += 1  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip(_SPACES)
        opening = self._text[self._at]
        if opening == "[":
            self._at += 1
            number = 0
            while self._skip(_BLANK) and self._text[self._at] != "]":
                self._note((*path, number), self._at)
                self._value((*path, number))
                number += 1
                self._comma()
            self._at += 1
        elif opening == "{":
            self._at += 1
            while self._skip(_BLANK) and self._text[self._at] != "}":
                self._pair(path)
                self._comma()
            self._at += 1
        elif (string := _STRING.match(self._text, self._at)) is not None:
            self._at = string.end()
        else:
            self._skip(_PLAIN)

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1


def _unquoted(text: str) -> str:
    """A quoted key; escapes are rare enough in keys to leave them to tomllib."""
    if text.startswith("'") or "\\" not in text:
        return text[1:-1]
    import tomllib

    return str(next(iter(tomllib.loads(f"{text} = 0"))))
