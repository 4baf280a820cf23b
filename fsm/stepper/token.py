"""Share tokens: model fingerprint, system, machine, choices and a check, in one word that survives being shared.

`wfp2_<fingerprint>_<system>_<ip>_<windows>_<evidence>_<choices>_<check>`. Letters, digits and `_`, and `.` and `-`
where a part holds a list or a name of two words: no shell, address, Markdown or chat means anything by them, and most
tokens are selected whole by a double click.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from fsm.choices import Config, configure
from fsm.errors import FsmError

VERSION = "wfp2"
LONGEST = 2000  # characters
NOT_MOVED = "00"  # the choices at the start: two `_` in a row are markup in some chats
_PARTS = ("version", "fingerprint", "system", "IP version", "Windows", "evidence", "choices", "check")
_SAFE = re.compile(r"[A-Za-z0-9_.-]*")
_BEGINS = re.compile(r"(wfp[0-9]{1,3})[_~]")
_AGAIN = "Copy the whole of it again"


@dataclass(frozen=True, slots=True)
class Token:
    """The parts of a token. `choices` are as the system writes them, "" at its start."""

    fingerprint: str
    system: str
    config: Config
    choices: str


def written(token: Token) -> str:
    """The token as text.

    Raises
    ------
    FsmError : it is too long to be shared.
    """
    text = sealed("_".join((*head(token.fingerprint, token.system, token.config), token.choices or NOT_MOVED)))
    if len(text) > LONGEST:
        raise FsmError(
            "token", f"{len(text)} characters are too long to share", f"At most {LONGEST}", "Save the walk to a file"
        )
    return text


def head(fingerprint: str, system: str, config: Config) -> tuple[str, ...]:
    """The parts before the choices, which all tokens of one system have in common."""
    assumed = (part for pair in sorted(config.assume) for part in pair)
    evidence = _hyphened(".".join((config.evidence, *assumed)))
    return (VERSION, fingerprint, _system_written(system), str(config.ip), config.windows, evidence)


def sealed(text: str) -> str:
    """A token of its other parts: CRC-32 finds every change of up to four characters in a row for certain."""
    return f"{text}_{zlib.crc32(text.encode('ascii')):08x}"


def is_meant(text: str) -> bool:
    """Whether a text, such as the name of a file, is meant as a token of any format, in an address or not."""
    return bool(_BEGINS.match(text.strip().rpartition("#")[2]))


def read(text: str, where: str = "token") -> Token:
    """The parts of a token; the address that it is the fragment of may stand before it.

    White space in it is passed over: mail programs break lines.

    Raises
    ------
    FsmError, UnknownName : it is no token or no whole one, or names a machine that does not exist.
    """
    text = "".join(text.split()).rpartition("#")[2]
    begins = _BEGINS.match(text)
    if not begins:
        given = text[:40]
        raise FsmError(where, f"'{given}' is no token", f"A token begins with {VERSION}_", "Copy the whole of it")
    if begins[0] != f"{VERSION}_":
        raise FsmError(
            where,
            f"it is of format {begins[1]}, and this version reads {VERSION} only",
            fix="Open it with the version of wfp-udp-fsm that made it, or go to its place again for a new one",
        )
    if not _SAFE.fullmatch(text):
        strange = next(character for character in text if not _SAFE.fullmatch(character))
        raise FsmError(where, f"a token has no character {strange!r}", fix=_AGAIN)
    if len(text) > LONGEST:
        raise FsmError(where, f"{len(text)} characters", f"A token has at most {LONGEST}", "Load a saved walk instead")
    if sealed(text.rpartition("_")[0]) != text:
        ends = f"it ends in '{text[-12:]}', which is not the check of what stands before"
        raise FsmError(where, ends, "It was cut off, or a character was changed", f"{_AGAIN}, to the last character")
    parts = text.split("_")
    if len(parts) < len(_PARTS):
        raise FsmError(where, f"{len(parts)} parts, not {len(_PARTS)}", f"Parts: {', '.join(_PARTS)}", _AGAIN)
    fingerprint, (*system, ip, windows, evidence, choices, _) = parts[1], parts[2:]
    if not re.fullmatch("[0-9a-f]{8}", fingerprint):
        raise FsmError(where, f"'{fingerprint}' is no fingerprint", "8 hex digits", _AGAIN)
    if not ip.isascii() or not ip.isdecimal() or len(ip) > 2:
        raise FsmError(where, f"'{ip}' is no IP version", "Allowed: 4, 6")
    config = _config(int(ip), windows, evidence, where)
    return Token(fingerprint, _system_read(system, where), config, "" if choices == NOT_MOVED else choices)


def _config(ip: int, windows: str, text: str, where: str) -> Config:
    evidence, *assumed = text.replace("-", "_").split(".")
    pairs = dict(zip(assumed[::2], assumed[1::2], strict=False))
    if 2 * len(pairs) != len(assumed):
        raise FsmError(where, f"'{text}' is no evidence with .NAME.OPTION of each assumption", fix=_AGAIN)
    return configure(ip=ip, windows=windows, evidence=evidence, assume=pairs, where=where)


# A system's own name (`session:sender@1,dropped_port@2;cap=1;stimuli=bind,close`) is what saved walks write too. Here
# `_` parts its fields and `.` what stands in them; its names have neither `-` nor a digit at their end.


def _hyphened(names: str) -> str:
    return names.replace("_", "-")


def _system_written(name: str) -> str:
    return re.sub("[:;]", "_", re.sub("[=,]", ".", _hyphened(name).replace("@", "")))


def _system_read(parts: list[str], where: str) -> str:
    kind, *fields = (part.replace("-", "_") for part in parts)
    if not fields:
        return kind
    members = [re.fullmatch("([a-z_]+)([0-9]+)", member) for member in fields[0].split(".")]
    if not all(members):
        raise FsmError(where, f"'{fields[0][:60]}' are no endpoints with their hosts", "Such as sender1", _AGAIN)
    who = ",".join(f"{member[1]}@{member[2]}" for member in members if member)
    about = [field.replace(".", "=", 1).replace(".", ",") for field in fields[1:]]
    return f"{kind}:{';'.join((who, *about))}"
