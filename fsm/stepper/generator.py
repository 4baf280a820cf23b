"""mulberry32: the one generator of seeded walks, the same here and in the page."""

from __future__ import annotations

from collections.abc import Iterator

_UINT32 = 0xFFFFFFFF
_INCREMENT = 0x6D2B79F5


def mulberry32(seed: int) -> Iterator[int]:
    """Numbers from 0 to 2**32 - 1 without end; the seed is taken modulo 2**32."""
    state = seed & _UINT32
    while True:
        state = (state + _INCREMENT) & _UINT32
        mixed = (state ^ (state >> 15)) * (state | 1) & _UINT32
        mixed ^= mixed + ((mixed ^ (mixed >> 7)) * (mixed | 61) & _UINT32) & _UINT32
        yield mixed ^ (mixed >> 14)


def pick(number: int, count: int) -> int:
    """Which of `count` things a number of the generator means: floor(number / 2**32 * count)."""
    return number * count >> 32
