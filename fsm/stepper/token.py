"""Share tokens: model fingerprint, system, machine and choices in one line that fits into an address.

`wfp1~<fingerprint>~<system>~<ip>~<windows>~<evidence>~<assumptions>~<choices>`, of URL-safe characters only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fsm.choices import Config, configure
from fsm.errors import FsmError

VERSION = "wfp1"
LONGEST = 2000  # characters
_PARTS = ("version", "fingerprint", "system", "IP version", "Windows", "evidence", "assumptions", "choices")
_SAFE = re.compile(r"[A-Za-z0-9_.~@*,;=:-]*")


@dataclass(frozen=True, slots=True)
class Token:
    """The parts of a token. `choices` are as the system writes them."""

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
    config = token.config
    assumptions = ",".join(f"{name}={option}" for name, option in sorted(config.assume))
    text = "~".join(
        (VERSION, token.fingerprint, token.system, str(config.ip), config.windows, config.evidence, assumptions,
         token.choices)
    )  # fmt: skip
    if len(text) > LONGEST:
        raise FsmError(
            "token", f"{len(text)} characters are too long to share", f"At most {LONGEST}", "Save the walk to a file"
        )
    return text


def read(text: str, where: str = "token") -> Token:
    """The parts of a token; the address that it is the fragment of may stand before it.

    Raises
    ------
    FsmError, UnknownName : it is no token, or names a machine that does not exist.
    """
    text = text.strip()
    text = text.rpartition("#")[2]
    if not text.startswith(f"{VERSION}~"):
        given = text[:40]
        raise FsmError(where, f"'{given}' is no token", f"A token begins with {VERSION}~", "Copy the whole of it")
    if not _SAFE.fullmatch(text):
        strange = next(character for character in text if not _SAFE.fullmatch(character))
        raise FsmError(where, f"a token has no character {strange!r}", fix="Copy it again")
    if len(text) > LONGEST:
        raise FsmError(where, f"{len(text)} characters", f"A token has at most {LONGEST}", "Load a saved walk instead")
    parts = text.split("~")
    if len(parts) != len(_PARTS):
        raise FsmError(where, f"{len(parts)} parts, not {len(_PARTS)}", f"Parts: {', '.join(_PARTS)}", "Copy it again")
    _, fingerprint, system, ip, windows, evidence, assumptions, choices = parts
    if not re.fullmatch("[0-9a-f]{8}", fingerprint):
        raise FsmError(where, f"'{fingerprint}' is no fingerprint", "8 hex digits", "Copy it again")
    pairs: dict[str, str] = {}
    for pair in filter(None, assumptions.split(",")):
        name, equals, option = pair.partition("=")
        if not equals or name in pairs:
            raise FsmError(where, f"'{pair}' is no new assumption NAME=OPTION", fix="Copy it again")
        pairs[name] = option
    if not ip.isascii() or not ip.isdecimal() or len(ip) > 2:
        raise FsmError(where, f"'{ip}' is no IP version", "Allowed: 4, 6")
    config = configure(ip=int(ip), windows=windows, evidence=evidence, assume=pairs, where=where)
    return Token(fingerprint, system, config, choices)
