"""Numbers and JSON as they stand in a page: short, and harmless inside HTML."""

from __future__ import annotations

import base64
import json
import sys
from array import array
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

V = TypeVar("V", bound=Hashable)


class Shared(Generic[V]):
    """Values that occur again and again, each kept once and called by its number."""

    def __init__(self) -> None:
        self.values: list[V] = []
        self._numbers: dict[V, int] = {}

    def of(self, value: V) -> int:
        """The number of a value, in the order in which they are met."""
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values)
            self.values.append(value)
        return number


def packed(numbers: Iterable[int]) -> str:
    """Whole numbers from 0 on as text: their size in bytes (1, 2 or 4), a colon, little-endian base64."""
    kept = list(numbers)
    largest = max(kept, default=0)
    size, code = (1, "B") if largest < 1 << 8 else (2, "H") if largest < 1 << 16 else (4, "I")
    values = array(code, kept)
    assert values.itemsize == size, "array types have other sizes here"
    if sys.byteorder == "big":
        values.byteswap()
    return f"{size}:{base64.b64encode(values.tobytes()).decode('ascii')}"


def script_json(data: object) -> str:
    """JSON for a `<script type="application/json">`: no text in it can end the element or begin a comment."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
