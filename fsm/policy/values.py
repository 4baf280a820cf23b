"""Single condition values: what `netsh` prints for each data type, and how one is shown on a line.

Every function takes text and gives a `Value`, or raises ValueError with what is wrong; nothing is guessed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from .fields import INTEGERS
from .model import Value

# element of `netsh` -> data type
ELEMENTS: dict[str, str] = {
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float32": "FLOAT",
    "double64": "DOUBLE",
    "byteArray16": "BYTE_ARRAY16",
    "byteArray6": "BYTE_ARRAY6",
    "byteBlob": "BYTE_BLOB",
    "sid": "SID",
    "sd": "SECURITY_DESCRIPTOR",
    "tokenInformation": "TOKEN_INFORMATION",
    "tokenAccessInformation": "TOKEN_ACCESS_INFORMATION",
    "unicodeString": "UNICODE_STRING",
    "bitmapIndex": "BITMAP_INDEX",
    "bitmapArray64": "BITMAP_ARRAY64",
    "v4AddrMask": "V4_ADDR_MASK",
    "v6AddrMask": "V6_ADDR_MASK",
    "rangeValue": "RANGE",
}
TYPES: tuple[str, ...] = ("EMPTY", *ELEMENTS.values())
BITS = {name: int(name.lstrip("UINT")) for name in INTEGERS}
EMPTY = Value("EMPTY", None)
_DOTTED = re.compile(r"\d{1,3}(\.\d{1,3}){3}")


def short_type(text: str) -> str:
    """`FWP_BYTE_BLOB_TYPE` as BYTE_BLOB; a type that nobody documented without its prefix only."""
    return text.removeprefix("FWP_").removesuffix("_TYPE")


def integer_range(data_type: str) -> tuple[int, int]:
    """The lowest and highest value of an integer type."""
    bits = BITS[data_type]
    return (0, (1 << bits) - 1) if data_type[0] == "U" else (-(1 << bits - 1), (1 << bits - 1) - 1)


@lru_cache(maxsize=4096)
def scalar(data_type: str, text: str) -> Value:
    """The value of a type that `netsh` prints as one text.

    Raises
    ------
    ValueError : the text does not fit the type.
    """
    if data_type in BITS:
        number = whole_number(text)
        low, high = integer_range(data_type)
        if not low <= number <= high:
            raise ValueError(f"{text[:40]!r} is no {data_type}")
        return Value(data_type, number)
    if data_type == "BYTE_ARRAY16":
        return Value(data_type, _address16(text))
    if data_type == "BYTE_ARRAY6":
        digits = re.sub(r"[-:. ]", "", text)
        if not re.fullmatch(r"[0-9A-Fa-f]{12}", digits):
            raise ValueError(f"{text[:40]!r} is no BYTE_ARRAY6")
        return Value(data_type, int(digits, 16))
    return Value(data_type, text)


def whole_number(text: str) -> int:
    """Decimal, 0x hex, or an IPv4 address, which is how `netsh` prints the UINT32 of an address.

    Raises
    ------
    ValueError : anything else.
    """
    if len(text) <= 40:
        if text.isascii() and text.isdigit():
            return int(text)
        if re.fullmatch(r"-\d+", text, re.ASCII):
            return int(text)
        if re.fullmatch(r"0[xX][0-9A-Fa-f]+", text):
            return int(text, 16)
        if _DOTTED.fullmatch(text):
            return int(IPv4Address(text))
    raise ValueError(f"{text[:40]!r} is no number")


def _address16(text: str) -> int:
    bare = text.partition("%")[0]
    if re.fullmatch(r"[0-9A-Fa-f]{32}", bare):
        return int(bare, 16)
    return int(IPv6Address(bare))  # its ValueError quotes the text


def mask4(address: str, mask: str) -> Value:
    """V4_ADDR_MASK from the texts of address and mask (dotted or a number)."""
    return Value("V4_ADDR_MASK", (_word(address), _word(mask)))


def mask6(address: str, prefix_length: str) -> Value:
    """V6_ADDR_MASK from the texts of address and prefix length."""
    length = whole_number(prefix_length)
    if not 0 <= length <= 128:
        raise ValueError(f"{prefix_length[:40]!r} is no prefix length")
    return Value("V6_ADDR_MASK", (_address16(address), length))


def _word(text: str) -> int:
    number = whole_number(text)
    if not 0 <= number <= 0xFFFFFFFF:
        raise ValueError(f"{text[:40]!r} is no IPv4 address or mask")
    return number


@lru_cache(maxsize=4096)
def blob(digits: str) -> Value:
    """BYTE_BLOB from hex digits.

    Raises
    ------
    ValueError : not hex, or shortened.
    """
    return Value("BYTE_BLOB", bytes.fromhex(digits))


def blob_text(data: bytes) -> str:
    """The text of a blob that is one (UTF-16 with an end mark, as program ids are); else empty."""
    if len(data) < 4 or len(data) % 2 or not data.endswith(b"\0\0"):
        return ""
    try:
        text = data[:-2].decode("utf-16-le")
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""


def text_blob(text: str) -> bytes:
    """A text as the blob of a program id has it: UTF-16 with an end mark."""
    return text.encode("utf-16-le", "surrogatepass") + b"\0\0"


def prefix_of_mask(mask: int) -> int | None:
    """The prefix length of an IPv4 mask; None for one with holes."""
    inverse = mask ^ 0xFFFFFFFF
    return None if inverse & inverse + 1 else 32 - inverse.bit_length()
