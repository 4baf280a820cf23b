"""What the package runs for its own ends: to make a share token, to look for a way, to draw. It is no run of a test.

Endpoints cannot tell who drives them, so whoever does it for an answer says so here; what counts runs asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# One for each thread: what one thread does aside, another does not.
_ASIDE: ContextVar[bool] = ContextVar("aside", default=False)


@contextmanager
def aside() -> Iterator[None]:
    """While it lasts, what endpoints do in this thread is no run. Also a decorator; yield nothing within it."""
    token = _ASIDE.set(True)
    try:
        yield
    finally:
        _ASIDE.reset(token)


def is_aside() -> bool:
    """Whether what happens now is no run of the system."""
    return _ASIDE.get()
