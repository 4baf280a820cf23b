"""What a failed `==` of sequences of layers, steps or observations says: as far as they agree, and what then comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass

PREFIX = "FWPM_LAYER_"


def compared(left: object, right: object) -> list[str] | None:
    """The lines of an explanation; None where these are no such sequences, or nothing in them differs."""
    if not isinstance(left, list | tuple) or not isinstance(right, list | tuple):
        return None
    items = [*left, *right]
    if not all(map(_is_layer, items)) or not any(_layer_of(item).startswith(PREFIX) for item in items):
        return None
    if list(left) == list(right):
        return None  # a list and a tuple: the test runner says that best
    same = next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    return [
        f"layers: {len(left)} seen, {len(right)} expected",
        f"they agree as far as: {_told(left[:same]) or 'nowhere'}",
        f"then is seen:         {_told(left[same:]) or 'nothing, this is the end'}",
        f"then is expected:     {_told(right[same:]) or 'nothing, this is the end'}",
        *(_hidden(left[same], right[same]) if same < min(len(left), len(right)) else ()),
    ]


def _is_layer(item: object) -> bool:
    return isinstance(item, str) or isinstance(getattr(item, "layer", None), str)


def _layer_of(item: object) -> str:
    return item if isinstance(item, str) else str(getattr(item, "layer", ""))


def _told(items: Sequence[object]) -> str:
    return " ".join(map(_word, items))


def _word(item: object) -> str:
    """A layer with what is known of its classify, as scenario files and claims write it."""
    verdict, flags = getattr(item, "verdict", ""), getattr(item, "flags", None) or ()
    if isinstance(item, str):
        verdict, flags = "", ()
    layer = _layer_of(item).removeprefix(PREFIX) or f"({getattr(item, 'stimulus', '')})"
    return layer + (f":{verdict}" if verdict else "") + "".join(f"+{flag}" for flag in flags)


def _hidden(seen: object, expected: object) -> list[str]:
    """What tells two items apart whose words do not."""
    if _word(seen) != _word(expected):
        return []
    if isinstance(seen, str) and isinstance(expected, str):
        return [f"they are spelled differently: {seen!r}, and expected {expected!r}"]
    if type(seen) is not type(expected) or not is_dataclass(seen) or not is_dataclass(expected):
        return [f"they are of different kinds: {type(seen).__name__}, and expected {type(expected).__name__}"]
    names = [one.name for one in fields(seen) if getattr(seen, one.name) != getattr(expected, one.name)]
    return [f"{name}: {getattr(seen, name)!r}, and expected {getattr(expected, name)!r}" for name in names]
