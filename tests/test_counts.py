"""Counts in texts: one of a thing is no plural."""

from __future__ import annotations

import pytest

from fsm.counts import counted


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((0, "state"), "0 states"),
        ((1, "state"), "1 state"),
        ((2, "state"), "2 states"),
        ((12345, "state"), "12,345 states"),
        ((1, "classify", "classifies"), "1 classify"),
        ((3, "classify", "classifies"), "3 classifies"),
        ((1, "row was", "rows were"), "1 row was"),
    ],
)
def test_a_count_is_said_with_its_noun(given: tuple[int, str], said: str) -> None:
    assert counted(*given) == said
