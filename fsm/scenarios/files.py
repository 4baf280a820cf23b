"""The text of a scenario file; one that is no UTF-8 is told with line and column, as every mistake in it is."""

from __future__ import annotations

import codecs

from fsm.scenarios.draft import ScenarioError


def text_of(data: bytes, name: str) -> str:
    """The text of a file of this name, without a byte order mark and with `\\n` at the end of each line.

    Raises
    ------
    ScenarioError : it is no UTF-8 text.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ScenarioError(f"{name}:1:1", "this is UTF-16 text", fix="Save the file as UTF-8")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode()) + 1
        what = f"byte 0x{data[error.start]:02x} is no UTF-8 text"
        line = before.count(b"\n") + 1
        raise ScenarioError(f"{name}:{line}:{column}", what, fix="Save the file as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
