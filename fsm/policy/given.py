"""What a caller says is known, checked: what cannot be, or contradicts the machine, is refused and never played."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from fsm.errors import FsmError, UnknownName
from fsm.policy.datagram import OTHER, Circumstances
from fsm.policy.fields import CONDITION_FLAGS, PREFIX, UNSIGNED, find_field
from fsm.policy.space import NUMBERS
from fsm.rules import RULES, SETTING_FLAGS

_SID = re.compile(r"[Ss]-1-[0-9]+(-[0-9]+)*")
_BITS = {"UINT8": 8, "UINT16": 16, "UINT32": 32, "UINT64": 64}
# Fields that follow from the datagram, and what says so.
_OWN_FIELDS = {
    "IP_LOCAL_ADDRESS": "the two ends",
    "IP_REMOTE_ADDRESS": "the two ends",
    "IP_LOCAL_PORT": "the two ends",
    "IP_REMOTE_PORT": "the two ends",
    "IP_PROTOCOL": "the assumption protocol (udp, icmp_echo, igmp, raw)",
}


@lru_cache(maxsize=1)
def machine_flags() -> frozenset[str]:
    """The condition flags that the machine sets where they hold: addresses, stimuli and assumptions decide them."""
    return frozenset(flag for row in RULES for flag in row.flags) | {setting.flag for setting in SETTING_FLAGS}


def checked(circumstances: Circumstances) -> Circumstances:
    """The circumstances with full names.

    Raises
    ------
    FsmError : a name that does not exist, a value that cannot be, or what the machine itself decides.
    """
    _check_flags(circumstances)
    for name, most in NUMBERS.items():
        value = getattr(circumstances, name)
        if value is not None and not 0 <= value <= most:
            raise FsmError(f"circumstances, {name.replace('_', ' ')}", f"no number {value}", f"0 to {most}")
    if circumstances.program is not None and not circumstances.program.strip():
        fix = "Give a path, a file name, or other"
        raise FsmError("circumstances, program", f"{circumstances.program!r} is no program", fix=fix)
    for sid in circumstances.user or ():
        if sid != OTHER and not _SID.fullmatch(sid):
            raise FsmError("circumstances, user", f"{sid!r} is no SID", "S-1-5-18, other")
    package = circumstances.package
    if package and package != OTHER and not _SID.fullmatch(package):
        raise FsmError("circumstances, package", f"{package!r} is no SID", "S-1-15-2-..., none")
    return replace(circumstances, fields=tuple(_field(name, value) for name, value in circumstances.fields))


def _check_flags(circumstances: Circumstances) -> None:
    for flag in (*circumstances.flags, *circumstances.no_flags):
        if flag not in CONDITION_FLAGS:
            raise UnknownName.of("circumstances", "condition flag", flag, CONDITION_FLAGS)
    both = sorted({*circumstances.flags} & {*circumstances.no_flags})
    if both:
        raise FsmError("circumstances", f"{both[0]} is said to hold and not to hold", fix="Keep one")
    for flag in circumstances.flags:
        if flag in machine_flags():
            raise FsmError(
                "circumstances",
                f"the machine itself sets {flag} where it holds",
                fix="Give the addresses, stimuli or assumptions that it follows from",
            )


def _field(name: str, value: int | str | bytes) -> tuple[str, int | str | bytes]:
    field = find_field(name, "circumstances")
    short = field.canonical.removeprefix(PREFIX)
    if short in _OWN_FIELDS:
        raise FsmError("circumstances", f"{short} follows from {_OWN_FIELDS[short]}", fix="Say it there")
    kinds = field.data_types
    if isinstance(value, int) and kinds and set(kinds) <= set(UNSIGNED):
        most = (1 << max(_BITS[kind] for kind in kinds)) - 1
        if not 0 <= value <= most:
            raise FsmError(f"circumstances, {short}", f"no number {value}", f"0 to {most}")
    return field.canonical, value
