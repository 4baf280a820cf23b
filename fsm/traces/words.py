"""The words of a driver's log as words of the model: layers, verdicts, flags, times, addresses.

A value that cannot be read raises `BadWord` with what was given and what is nearest; nothing is guessed.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from functools import lru_cache

from fsm import catalogue
from fsm.errors import UnknownName
from fsm.names import Verdict


class BadWord(ValueError):
    """A value of a line that cannot be used: the line is not understood, for this reason."""


# What callouts answer, and the words that logs have for it. Empty: it leaves the decision to others.
VERDICT_WORDS: dict[str, str] = {
    **dict.fromkeys(("permit", "permitted", "allow", "allowed", "accept", "accepted", "pass", "passed"), "permit"),
    **dict.fromkeys(("block", "blocked", "deny", "denied", "drop", "dropped", "reject", "rejected"), "block"),
    **dict.fromkeys(("absorb", "absorbed", "block+absorb", "block|absorb", "block and absorb"), "absorb"),
    **dict.fromkeys(("pend", "pended", "pending"), "pend"),
    **dict.fromkeys(("redirect", "redirected"), "redirect"),
    **dict.fromkeys(("veto", "vetoed"), "veto"),
    **dict.fromkeys(("continue", "none", "none_no_match", "unknown", "n/a", "-", "?", ""), ""),
}
# FWP_ACTION_TYPE, as winerror-style logs print it.
ACTION_NUMBERS: dict[int, str] = {0x1001: "block", 0x1002: "permit", 0x2006: "", 0x0007: "", 0x0008: ""}

# Frames of a kernel stack that are one classify each: the shim of the transport layers, and inside it ALE. Source: TRC.
STACK_FUNCTIONS: dict[str, str] = {
    "WfpProcessInTransportStackIndication": "INBOUND_TRANSPORT",
    "WfpAleAuthorizeReceive": "ALE_AUTH_RECV_ACCEPT",
}

# Layers whose data fields have no remote address.
_LOCAL_ALONE = ("ALE_BIND_REDIRECT", "ALE_RESOURCE_ASSIGNMENT", "ALE_RESOURCE_RELEASE")

DIRECTION_WORDS: dict[str, str] = {
    **dict.fromkeys(("in", "inbound", "receive", "recv", "rx", "%%14592", "14592", "1"), "inbound"),
    **dict.fromkeys(("out", "outbound", "send", "tx", "%%14593", "14593", "0"), "outbound"),
    **dict.fromkeys(("", "-", "none", "n/a"), ""),
}  # fmt: skip


@lru_cache(maxsize=4096)
def layer_of(word: str, ip: int, windows: str, direction: str) -> str:
    """The full name of the layer that a log calls `word`; `ip` and `direction` decide where the word does not.

    Raises
    ------
    BadWord : no layer has that name; the nearest ones are proposed.
    """
    try:
        found = catalogue.find(_spelt(word), windows=windows, where="layer")
    except UnknownName as error:
        raise BadWord(str(error).removeprefix("layer: ")) from None
    plain = [layer for layer in found if not layer.is_discard] or list(found)
    kept = [layer for layer in plain if layer.ip_version in (None, ip)] or plain
    if len(kept) > 1 and direction:
        kept = [layer for layer in kept if layer.direction == direction] or kept
    if len(kept) > 1:
        names = ", ".join(layer.short_name for layer in kept)
        raise BadWord(f"{word!r} names {len(kept)} layers: {names}. Let the pattern have a group 'direction'.")
    return kept[0].name


def _spelt(word: str) -> str:
    text = STACK_FUNCTIONS.get(word.strip(), word).strip().strip("\"'[]()")
    return str(int(text, 16)) if re.fullmatch(r"0[xX][0-9a-fA-F]{1,4}", text) else text


def is_same_layer(one: str, other: str) -> bool:
    """Whether two words can name one layer: its id and its name, a name with and without version. No layer is none."""
    try:
        mine, others = ({layer.name for layer in catalogue.find(_spelt(word), windows="11", where="layer")}
                        for word in (one, other))  # fmt: skip
    except UnknownName:
        return False
    return bool(mine & others)


def has_no_remote_end(word: str) -> bool:
    """Whether all layers that a word can name are asked about a local end alone."""
    try:
        return all(layer.stem in _LOCAL_ALONE for layer in catalogue.find(_spelt(word), windows="11", where="layer"))
    except UnknownName:
        return False


def verdict_of(word: str) -> str:
    """A verdict of the model, "" where the callout left it to others.

    Raises
    ------
    BadWord : no such verdict.
    """
    text = word.strip().strip("\"'[]()").lower().removeprefix("fwp_action_").removeprefix("fwp_")
    text = text.removeprefix("action_").replace("_and_", "+") if text not in VERDICT_WORDS else text
    if text in VERDICT_WORDS:
        return VERDICT_WORDS[text]
    if re.fullmatch(r"0x[0-9a-f]{1,8}|[0-9]{1,10}", text):
        number = int(text, 0) if text.startswith("0x") else int(text)
        if number in ACTION_NUMBERS:
            return ACTION_NUMBERS[number]
        numbers = ", ".join(f"{n:#06x}" for n in ACTION_NUMBERS)
        raise BadWord(f"{word!r} is no FWP_ACTION_TYPE ({numbers})")
    known = [*(str(verdict) for verdict in Verdict), "allow", "drop", "continue"]
    raise BadWord(str(UnknownName.of("verdict", "verdict", word, known)).removeprefix("verdict: "))


def flags_of(word: str) -> tuple[tuple[str, ...], int]:
    """The names of the classify flags in a text or number, and the bits of a number that have no name."""
    from fsm.policy.fields import CONDITION_FLAGS

    text = word.strip().strip("\"'[](){}")
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,12}", text):
        bits = int(text, 0) if text[:2] in ("0x", "0X") else int(text)
        names = tuple(name for name, bit in CONDITION_FLAGS.items() if bits & bit)
        return names, bits & ~sum(CONDITION_FLAGS.values())
    found = []
    for part in re.split(r"[\s|,;+]+", text.upper()):
        name = part.strip("\"'").removeprefix("FWP_CONDITION_FLAG_").removeprefix("FWP_CONDITION_")
        if name in ("", "-", "NONE", "0"):
            continue
        found.append(name if name in CONDITION_FLAGS else f"IS_{name}" if f"IS_{name}" in CONDITION_FLAGS else name)
    unknown = [name for name in found if name not in CONDITION_FLAGS]
    if unknown:
        raise BadWord(
            str(UnknownName.of("flags", "classify flag", unknown[0], CONDITION_FLAGS)).removeprefix("flags: ")
        )
    return tuple(dict.fromkeys(found)), 0


def direction_of(word: str) -> str:
    """ "inbound", "outbound" or "".

    Raises
    ------
    BadWord : no direction.
    """
    text = word.strip().strip("\"'[]()").lower().removeprefix("fwp_direction_")
    if text not in DIRECTION_WORDS:
        raise BadWord(f"no direction {word!r}. Write inbound or outbound.")
    return DIRECTION_WORDS[text]


def is_udp(word: str) -> bool:
    """Whether a protocol follows the rules of this model: all but TCP do (ALES)."""
    return word.strip().strip("\"'[]()").lower() not in ("6", "tcp", "0x6", "0x06", "ipproto_tcp")


# ---- times

_DATE = (
    r"(?:(?P<year>\d{4})[-/.\\](?P<month>\d\d?)[-/.\\](?P<day>\d\d?)"
    r"|(?P<month2>\d\d?)[-/.\\](?P<day2>\d\d?)[-/.\\](?P<year2>\d{4}))"
)
_CLOCK = r"(?P<hour>\d\d?):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,:](?P<fraction>\d{1,9}))?\s*(?P<half>[AaPp][Mm])?"
_MOMENT = re.compile(rf"(?:{_DATE}[T \-]+)?{_CLOCK}\s*(?P<zone>Z|UTC|[+-]\d\d:?\d\d)?")
_NUMBER = re.compile(r"([0-9]{1,20}(?:[.,][0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?)\s*(s|ms|us|ns|ticks)?")
_UNIT_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ticks": 1e-7}
_DAY_S = 86_400.0


def seconds_of(word: str) -> tuple[float, bool]:
    """A time in seconds since some moment, and whether it is a time of day only (it starts anew at midnight).

    Taken are ISO 8601 and its relatives, month\\day\\year-time as DebugView writes it, a time of day, a plain number
    of seconds, one with a unit (s, ms, us, ns, ticks of 100 ns). A whole number from 10^11 on is milliseconds, from
    10^14 on microseconds, from 10^16 on ticks of 100 ns.

    Raises
    ------
    BadWord : it is no time.
    """
    text = word.strip().strip("\"'[]()")
    number = _NUMBER.fullmatch(text)
    if number is not None:
        value, unit = number[1].replace(",", "."), number[2]
        size = float(value)
        if size >= 1e20:
            raise BadWord(f"no time {word[:60]!r}: it is too long ago or too far")
        if unit is None:
            whole = value.isdigit()
            unit = "ticks" if whole and size >= 1e16 else "us" if whole and size >= 1e14 else None
            unit = unit or ("ms" if whole and size >= 1e11 else "s")
        return float(value) * _UNIT_S[unit], False
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise BadWord(f"no time {word[:60]!r}. Write seconds, HH:MM:SS.mmm or an ISO date.")
    part = found.groupdict()
    hour = int(part["hour"])
    if part["half"]:
        hour = hour % 12 + (12 if part["half"].lower() == "pm" else 0)
    clock = (hour, int(part["minute"]), int(part["second"]))
    if clock[0] > 23 or clock[1] > 59 or clock[2] > 60:
        raise BadWord(f"no time {word[:60]!r}: there is no such hour, minute or second")
    of_day = clock[0] * 3600 + clock[1] * 60 + clock[2] + float(f"0.{part['fraction'] or 0}")
    year = part["year"] or part["year2"]
    if year is None:
        return of_day, True
    try:
        day = datetime(int(year), int(part["month"] or part["month2"]), int(part["day"] or part["day2"]), tzinfo=UTC)
    except ValueError:
        raise BadWord(f"no time {word[:60]!r}: there is no such day") from None
    zone = part["zone"] or ""
    shift = 0.0
    if zone[:1] in ("+", "-"):
        digits = zone[1:].replace(":", "")
        shift = (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * (-1.0 if zone[0] == "-" else 1.0)
    return (day - datetime(1970, 1, 1, tzinfo=UTC)).days * _DAY_S + of_day - shift, False


class Clock:
    """Times of one log as seconds since its first one; a time of day that jumps back by half a day is the next day."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._last = 0.0
        self._days = 0.0

    def at_s(self, word: str) -> float:
        """Seconds since the first time that was read."""
        moment, wraps = seconds_of(word)
        if wraps:
            if moment + self._days < self._last - _DAY_S / 2:
                self._days += _DAY_S
            moment += self._days
        self._last = moment
        if self._first is None:
            self._first = moment
        return round(moment - self._first, 9)


# ---- addresses


_NUMBERS = re.compile(r"(0[xX][0-9a-fA-F]{1,8})(?::(0[xX][0-9a-fA-F]{1,4}|[0-9]{1,5}))?")


@lru_cache(maxsize=65536)
def end_of(address: str, port: str = "") -> str:
    """One end of a tuple as `address:port`, `[address]:port`, an address without port, or "" for nothing.

    An IPv4 address can be the number that WFP has for it (0xC000020A is 192.0.2.10), a port hexadecimal too.

    Raises
    ------
    BadWord : it is neither.
    """
    text, number = address.strip().strip("\"'()"), port.strip().strip("\"'()")
    if raw := _NUMBERS.fullmatch(text):
        text, number = str(ipaddress.IPv4Address(int(raw[1], 16))), number or raw[2] or ""
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,4}", number):
        number = str(int(number, 16))
    apart = re.fullmatch(r"\[([0-9A-Fa-f:.%\w]+)\](?::|\s)([0-9]{1,5})|([0-9.]+)(?:[:#]|\s)([0-9]{1,5})", text)
    if apart is not None and number in ("", apart[2] or apart[4]):
        text, number = apart[1] or apart[3], apart[2] or apart[4]
    text = text.strip("[]").partition("%")[0]
    if text.lower() in ("", "-", "*", "any", "none", "n/a"):
        text = ""
    elif text:
        try:
            text = str(ipaddress.ip_address(text))
        except ValueError:
            raise BadWord(f"no address {address[:60]!r}. Write 192.0.2.1:53 or [2001:db8::1]:53.") from None
    if number in ("", "-", "*"):
        return text
    if not number.isascii() or not number.isdigit() or int(number) > 65535:
        raise BadWord(f"no port {number[:20]!r}. Ports are 0 to 65535.")
    text = text or "0.0.0.0"
    return f"[{text}]:{int(number)}" if ":" in text else f"{text}:{int(number)}"


def split_end(end: str) -> tuple[str, int | None]:
    """(address, port) of what `end_of` makes; no port is None."""
    if end.startswith("["):
        address, _, port = end[1:].partition("]:")
        return address, int(port)
    if end.count(":") == 1:
        address, _, port = end.partition(":")
        return address, int(port)
    return end, None


def ip_of(*ends: str) -> int | None:
    """The IP version that addresses show, None without any."""
    for end in ends:
        address = split_end(end)[0]
        if address:
            return 6 if ":" in address and not address.lower().startswith("::ffff:") else 4
    return None


def in_model(layer: str) -> bool:
    """Whether any rule of the model asks this layer, in any configuration."""
    return catalogue.by_name(layer).stem in _stems()


@lru_cache(maxsize=1)
def _stems() -> frozenset[str]:
    from fsm.rules import RULES

    return frozenset(row.layer for row in RULES if row.layer)
