"""Single values of a record: numbers, addresses, times, words. Nothing here knows what a record looks like.

Every function that can refuse raises `BadField` with the field, the value given and what is allowed.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

LIMIT_TEXT_CHARS = 4096  # of one text in a LogEvent; longer ones are cut and say so
MAX_LAYER = 255  # Windows 11 has about 100 layers; a larger id is no layer
PROTOCOLS = {
    "ICMP": 1, "ICMPV4": 1, "IGMP": 2, "TCP": 6, "UDP": 17, "IPV6": 41, "GRE": 47, "ESP": 50, "AH": 51,
    "ICMPV6": 58, "ICMP6": 58, "SCTP": 132,
}  # fmt: skip
DIRECTIONS = {
    "14592": "inbound", "14593": "outbound", "14594": "forward", "14595": "bidirectional",
    "in": "inbound", "out": "outbound",
    "inbound": "inbound", "outbound": "outbound", "forward": "forward", "bidirectional": "bidirectional",
}  # fmt: skip
ABSENT = ("", "-")  # how collectors write "nothing here"


class BadField(ValueError):
    """One field of a WFP record cannot be used."""

    def __init__(self, field: str, what: str, allowed: str = "") -> None:
        super().__init__(f"{field} {what}" + (f" (allowed: {allowed})" if allowed else ""))


def shown(value: object) -> str:
    """The value for a message: quoted if it is text, short, one line."""
    try:
        text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a nest of lists
        text = type(value).__name__
    return clean(text if len(text) <= 60 else text[:57] + "...")


def clean(text: str) -> str:
    """The text without anything that a terminal or a log line could take for more than text.

    Control characters, lone surrogates and invisible marks become escapes; very long texts are cut.
    """
    text = text.rstrip("\0")  # the end of a C string, no part of it
    if len(text) > LIMIT_TEXT_CHARS:
        text = f"{text[:LIMIT_TEXT_CHARS]}... ({len(text)} characters)"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(ord(c)) for c in text)


def _escape(code: int) -> str:
    return f"<U+{code:04X}>"  # without a backslash: paths are taken apart at those


def as_text(value: object) -> str:
    """Any value of a record as text, cleaned."""
    if isinstance(value, str):
        return clean(value)
    if value is None:
        return ""
    try:
        return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))
    except (ValueError, RecursionError):
        return f"({type(value).__name__})"


def integer(value: object) -> int | None:
    """The whole number that stands in `value` (5156, "5156", "0x1424", 5156.0), or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    if isinstance(value, str):
        text = value.strip()
        try:
            if text.isascii() and text.isdigit():
                return int(text)
            if text[:2] in ("0x", "0X"):
                return int(text, 16)
            if text[:1] == "-" and text[1:].isascii() and text[1:].isdigit():
                return int(text)
        except ValueError:  # "0xyz", or thousands of digits
            return None
    return None


def is_absent(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in ABSENT)


def number(field: str, value: object, highest: int, what: str = "number") -> int | None:
    """A number from 0 to `highest`; None when the field is not there."""
    if is_absent(value):
        return None
    given = integer(value)
    if given is None or not 0 <= given <= highest:
        raise BadField(field, f"{shown(value)} is no {what}", f"0 to {highest}")
    return given


def port(field: str, value: object) -> int | None:
    return number(field, value, 65535, "port")


def process_id(field: str, value: object) -> int | None:
    return number(field, value, 0xFFFFFFFF, "process id")


def layer_id(field: str, value: object) -> int | None:
    return number(field, value, MAX_LAYER, "layer run-time id")


def protocol(field: str, value: object) -> int | None:
    """An IP protocol: its number or one of the usual names."""
    if isinstance(value, str) and value.strip().upper() in PROTOCOLS:
        return PROTOCOLS[value.strip().upper()]
    if is_absent(value):
        return None
    given = integer(value)
    if given is None or not 0 <= given <= 255:
        raise BadField(field, f"{shown(value)} is no IP protocol", "0 to 255, TCP, UDP, ICMP ...")
    return given


def address(field: str, value: object) -> tuple[str | None, str | None]:
    """The address in its usual spelling and its IPv6 zone; (None, None) when the field is not there."""
    if is_absent(value):
        return None, None
    if not isinstance(value, str):
        raise BadField(field, f"{shown(value)} is no address", "an IPv4 or IPv6 address")
    try:
        return _address(value) if len(value) <= 100 else _address(value[:100])
    except ValueError:
        raise BadField(field, f"{shown(value)} is no address", "an IPv4 or IPv6 address") from None


@lru_cache(maxsize=4096)
def _address(text: str) -> tuple[str, str | None]:
    bare, _, zone = text.strip().partition("%")
    if len(bare) == 32 and ":" not in bare:  # byteArray16 as plain hex digits
        bare = str(ipaddress.IPv6Address(int(bare, 16)))
    ip = ipaddress.ip_address(bare)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    # Python spells mapped addresses differently from version to version
    return (f"::ffff:{mapped}" if mapped else str(ip)), (clean(zone) or None)


def direction(value: object) -> str | None:
    """The direction in one word: inbound, outbound, forward, bidirectional; None for words of another language."""
    if isinstance(value, int):
        return DIRECTIONS.get(str(value))
    if not isinstance(value, str):
        return None
    text = value.strip().removeprefix("%%").removeprefix("MS_FWP_DIRECTION_").casefold()
    if text.startswith("0x"):
        text = str(integer(text))
    return DIRECTIONS.get(text)


_RUNS = re.compile(r"\\+")


def program(value: object) -> str | None:
    """The program as written, with doubled backslashes (of escaped exports) made single. "-" is kept."""
    if value is None or value == "":
        return None
    text = as_text(value)
    if "\\\\" in text and all(len(run) % 2 == 0 for run in _RUNS.findall(text)):
        text = text.replace("\\\\", "\\")  # a UNC path \\host\share has odd runs too and stays
    return text


_CANONICAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_PS_DATE = re.compile(r"\\?/Date\((-?\d{1,17})([+-]\d{4})?\)\\?/")


def moment(value: object) -> datetime | None:
    """The time in `value`: aware when a zone is given, naive when not, None when it cannot be read."""
    try:
        if isinstance(value, str):
            text = value.strip()
            if match := _PS_DATE.fullmatch(text):
                return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(match[1]))
            if text[10:11] == " " and text.endswith(" UTC"):
                text = text[:-4] + "Z"
            return datetime.fromisoformat(text) if len(text) >= 10 and text[4:5] == "-" else None
        if isinstance(value, (int, float)) and not isinstance(value, bool):  # seconds or milliseconds since 1970
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value / 1000 if abs(value) > 1e11 else value)
    except (ValueError, OverflowError):
        pass
    return None


def _bare(value: object) -> object:
    """A time out of its wrapping: PowerShell 5 {"value": .., "DateTime": ..}, attributes of an element."""
    if isinstance(value, dict) and isinstance(value.get("#attributes"), dict):
        value = value["#attributes"]
    if isinstance(value, dict):
        return next((value[k] for k in ("value", "SystemTime", "@SystemTime", "DateTime") if k in value), None)
    return value


def when(own: object, stamp: object = None, received: object = None) -> tuple[str | None, float | None]:
    """The time of a record as (ISO 8601 in UTC, seconds since 1970).

    Parameters
    ----------
    own : the time the event itself has.
    stamp : the collector's `@timestamp`, used when `own` is missing, and to find the zone of an `own` without one.
    received : when the collector got the event, in the zone of `own` (nxlog's EventReceivedTime).

    A time without a zone, with nothing to tell the zone by, is taken as UTC. One that cannot be read is kept as
    it was written, without seconds.
    """
    own = _bare(own)
    at, collected = moment(own), moment(stamp)
    if at is None and is_absent(own):
        own, at = stamp, collected
    if at is None:
        return (None if is_absent(own) else as_text(own)), None
    try:
        if at.tzinfo is None:
            at = (at + _zone_shift(moment(received) or at, collected)).replace(tzinfo=UTC)
        seconds = at.timestamp()
        if isinstance(own, str) and _CANONICAL.fullmatch(own):
            return own, seconds
        text = at.astimezone(UTC).isoformat().removesuffix("+00:00")
    except (OverflowError, ValueError):  # year 1 and year 9999 with a zone
        return as_text(own), None
    return (text[:-3] if "." in text and text.endswith("000") else text) + "Z", seconds


def _zone_shift(local: datetime, collected: datetime | None) -> timedelta:
    """What to add to a local time to get UTC: zones are whole quarters of an hour, delays of collectors are less."""
    if local.tzinfo is not None or collected is None or collected.tzinfo is None:
        return timedelta()
    quarters = round((collected.astimezone(UTC).replace(tzinfo=None) - local) / timedelta(minutes=15))
    return timedelta(minutes=15 * quarters) if abs(quarters) <= 14 * 4 else timedelta()
