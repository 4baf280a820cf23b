"""JSON files that this program wrote and now reads back: every mistake in one is a line, not a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fsm.errors import FsmError

LIMIT_BYTES = 20_000_000  # of a list of steps


def load_json(path: Path, where: str, *, wrong: str, fix: str, limit_bytes: int = LIMIT_BYTES) -> Any:
    """What is in the file.

    Parameters
    ----------
    wrong, fix : what it is if it is no JSON, and where a right one comes from.

    Raises
    ------
    FsmError : it cannot be read, is too large, or is no JSON.
    """
    try:
        if path.stat().st_size > limit_bytes:
            raise FsmError(where, f"larger than {limit_bytes // 1_000_000} MB", fix=fix)
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise FsmError(where, f"cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):  # no UTF-8 or no JSON (a NUL in the path, too); a nest of lists
        raise FsmError(where, wrong, fix=fix) from None


def load_steps(
    path: Path, where: str, *, steps: str, name: str, wrong: str, fix: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The object in the file, and its list `steps` of objects that each have a text `name`.

    Raises
    ------
    FsmError : it cannot be read, is too large, or has another shape.
    """
    found = load_json(path, where, wrong=wrong, fix=fix)
    listed = found.get(steps) if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(isinstance(s, dict) and isinstance(s.get(name), str) for s in listed):
        raise FsmError(where, wrong, fix=fix)
    return found, listed
