"""What can be laid over a picture: the path taken, counts of records, where it was blocked, where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fsm.table import Step


@dataclass(frozen=True, slots=True)
class Overlay:
    """Facts of one run or one log to show on a picture of the rules.

    Parameters
    ----------
    counts : how often each row was taken, by row key.
    layer_counts : how many records named each layer, by run-time id.
    path : the rows taken, in order, by key; they are numbered from 1.
    current : the name of the state it stands in, as `Table.name_of` writes it.
    blocked_at : the FWPM name of the layer that stopped it.
    coverage : whether what was not taken is said as well, at every branch; for the pictures of the endpoints.
    moves : how often a stimulus led from one state at rest to another, by (state, stimulus, state) as drawn.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    layer_counts: Mapping[int, int] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    current: str | None = None
    blocked_at: str | None = None
    coverage: bool = False
    moves: Mapping[tuple[str, str, str], int] = field(default_factory=dict)

    @property
    def dims(self) -> bool:
        """Whether what was not taken steps back: so when it is known what was taken."""
        return bool(self.path or self.counts or self.coverage)

    def takes(self, key: str) -> bool:
        """Whether this row was taken."""
        return key in self.path or bool(self.counts.get(key))

    def numbers(self, key: str) -> str:
        """The places of this row in the path: `3`, or `3, 9`; at most three of them."""
        places = [str(place) for place, taken in enumerate(self.path, start=1) if taken == key]
        return ", ".join(places[:3]) + (" ..." if len(places) > 3 else "")

    def label(self, *keys: str) -> str:
        """What stands at the line of these rows: their places in the path and their count; empty for none."""
        places = ", ".join(numbers for key in keys if key in self.path and (numbers := self.numbers(key)))
        count = sum(self.counts.get(key, 0) for key in keys)
        used = sum(self.takes(key) for key in keys)
        partly = f" ({used} of {len(keys)} rules)" if self.coverage and used < len(keys) else ""
        return " ".join(filter(None, (places, f"x{count}{partly}" if count else "")))

    @classmethod
    def of_steps(cls, steps: Iterable[Step], current: str | None = None) -> Overlay:
        """The overlay of a run: its path, and the last layer whose verdict was the end of the datagram."""
        done = list(steps)
        stopped = [s.layer for s in done if s.verdict not in ("", "permit") and s.outcome in ("blocked", "silent")]
        return cls(
            path=tuple(step.rule for step in done),
            current=current if current is not None else (done[-1].to_state if done else None),
            blocked_at=stopped[-1] if stopped else None,
        )
