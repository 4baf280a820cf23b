"""One letter for each move of an endpoint, as share tokens write them. A letter that was given out stays."""

from __future__ import annotations

from fsm.reasons import STALE_REASONS

# The order of the stale reasons gives these letters.
_STALE_LETTERS = "mnoquvyfg"

LETTERS: dict[str, str] = {
    "bind": "b",
    "connect": "c",
    "connect_other": "C",
    "sendto": "s",
    "sendto_group": "S",
    "datagram": "r",
    "datagram_group": "R",
    "inject_send": "i",
    "inject_receive": "I",
    "complete": "k",
    "complete_block": "K",
    "complete_group": "j",
    "complete_group_block": "J",
    "icmp_error": "e",
    "icmp_ttl": "E",
    **dict(zip(STALE_REASONS, _STALE_LETTERS, strict=True)),
    "protection_level": "L",
    "flow_abort": "x",
    "idle_timeout": "t",
    "window_timeout": "T",
    "close": "z",
    "permit": "p",
    "block": "B",
    "absorb": "a",
    "pend": "d",
    "redirect": "D",
    "veto": "V",
}
WAIT = "w"  # followed by the seconds: w61

MOVES: dict[str, str] = {letter: move for move, letter in LETTERS.items()}
