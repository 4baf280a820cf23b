"""A window on JSON text, and single values out of it: what the readers of arrays and of wrapped lists share."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, NamedTuple

from .stream import CHUNK_BYTES, Readable

LIMIT_RECORD_BYTES = 4 * 1024 * 1024  # of one line or element; decoded it can take 25 times as much
REST = "; the rest is not read"
KINDS: dict[type, str] = {list: "array", str: "string", int: "number", float: "number", bool: "truth value"}
_SAFE_DISTANCE = 16  # an error nearer to the end of what was read may come from the end, not from the text
_BLANK = re.compile(r"[\s\ufeff\x00]*")
_SCAN = json.JSONDecoder().raw_decode


class Decoded(NamedTuple):
    """One record, or why there is none (`broken`: and nothing after it is read)."""

    where: str
    value: dict[str, Any] | None
    why: str = ""
    broken: bool = False


def no_object(at: str, value: object) -> Decoded:
    """What stands where a record should."""
    return Decoded(at, None, f"no record: a JSON {KINDS.get(type(value), 'value')} where an object is expected")


class Text:
    """A window on the text: what was read and not used up yet."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.buffer, self.pos, self.ended = "", 0, False
        self._forgotten = 0
        self._line, self._counted = 1, 0  # the line of buffer[_counted]; counted on, never from the start again

    @property
    def place(self) -> int:
        """How many characters lie before the position in all."""
        return self._forgotten + self.pos

    def more(self) -> bool:
        """Read on, as much again as is held, so that a long element costs linear time. False at the end."""
        self.advance(self.pos)
        want = max(CHUNK_BYTES, len(self.buffer))
        got = 0
        pieces = [self.buffer]
        while got < want and not self.ended:
            data = self._stream.read(CHUNK_BYTES)
            got += len(data)
            self.ended = not data
            pieces.append(self._decoder.decode(data, final=not data))
        self.buffer = "".join(pieces)
        return got > 0

    def advance(self, pos: int) -> None:
        """Forget what lies before `pos`."""
        self.line_at(pos)
        self._forgotten += pos
        self.buffer, self.pos, self._counted = self.buffer[pos:], 0, 0

    def line_at(self, pos: int) -> int:
        """The line `pos` is on; asked in ascending order."""
        self._line += self.buffer.count("\n", self._counted, pos)
        self._counted = max(self._counted, pos)
        return self._line

    def next_char(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            match = _BLANK.match(self.buffer, self.pos)
            self.pos = match.end() if match else self.pos
            if self.pos < len(self.buffer):
                return self.buffer[self.pos]
            if not self.more():
                return ""


def next_value(text: Text) -> tuple[Any, str, int]:
    """The value at the position, or why it cannot be read and on which line."""
    while True:
        try:
            value, end = _SCAN(text.buffer, text.pos)
            if end < len(text.buffer) or text.ended or not isinstance(value, (int, float)):
                text.pos = end
                return value, "", 0
            why, at = "a number", text.pos
        except json.JSONDecodeError as error:
            why, at = f"no JSON ({error.msg})", error.pos
            cut = error.msg.startswith("Unterminated string") or at > len(text.buffer) - _SAFE_DISTANCE
            if text.ended and cut:
                return None, "the JSON is cut off in the middle of a record", text.line_at(at)
            if not cut:
                return None, why, text.line_at(at)
        except RecursionError:
            return None, "no readable JSON (nested too deeply)", text.line_at(text.pos)
        except ValueError:
            return None, "no readable JSON (a number of more than 4,300 digits)", text.line_at(text.pos)
        if len(text.buffer) - text.pos > LIMIT_RECORD_BYTES:
            return None, f"a JSON element longer than {LIMIT_RECORD_BYTES >> 20} MiB", text.line_at(text.pos)
        if not text.more():
            text.ended = True
