"""Walks, tests and pages as files: read with a plain message, written as a whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from fsm.cli.json_file import load_json
from fsm.errors import FsmError
from fsm.stepper import Walk

_LIMIT_BYTES = 100_000_000  # of a saved walk


def save_walk(walk: Walk, file: str, where: str) -> None:
    """Write a walk to a file.

    Raises
    ------
    FsmError : it cannot be written.
    """
    write_file(file, json.dumps(walk.to_json(), indent=1) + "\n", where)


def load_walk(file: str, where: str, **options: Any) -> Walk:
    """The walk of a file.

    Raises
    ------
    FsmError : it cannot be read, or holds no saved walk.
    """
    if not file:
        raise FsmError(where, "no file is named", fix=f"Write {where} FILE")
    path = Path(file)
    where = f"{where} {file}"
    data = load_json(
        path, where, wrong="no saved walk: it is no JSON", fix="Save one with s FILE", limit_bytes=_LIMIT_BYTES
    )
    return Walk.from_json(data, where=where, **options)


def check_place(file: str, where: str) -> None:
    """Refuse a file that cannot be written since nothing is named, or where there is no such folder.

    Raises
    ------
    FsmError : why.
    """
    if not file:
        raise FsmError(where, "no file is named", fix=f"Write {where} FILE")
    path = Path(file)
    if not path.parent.is_dir():
        raise FsmError(f"{where} {file}", f"no folder {str(path.parent)!r}", fix="Make it first, or give another file")
    if path.is_dir():
        raise FsmError(f"{where} {file}", "this is a folder", fix="Name a file in it")


def write_file(file: str, text: str, where: str) -> None:
    """Write a file as a whole or not at all.

    Raises
    ------
    FsmError : no file is named, its folder does not exist, or it cannot be written.
    """
    check_place(file, where)
    path = Path(file)
    made = ""
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8", newline="\n")  # a device or a pipe: nothing to replace
            return
        number, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
        with os.fdopen(number, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(made, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~mask)
        os.replace(made, path)
    except OSError as error:
        if made:
            Path(made).unlink(missing_ok=True)
        raise FsmError(f"{where} {file}", f"cannot be written: {error.strerror or error}") from None
