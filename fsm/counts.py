"""A number with its noun, as texts say it."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 state`, `2,000 states`; `plural` where it is not the noun and an s: `2 classifies`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
