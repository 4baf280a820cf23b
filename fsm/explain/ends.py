"""Addresses and ports of a record: what kind of address it is, and how an end is written."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["none", "unspecified", "loopback", "group", "broadcast", "likely_broadcast", "unicast"]

ICMP_PROTOCOLS = (1, 58)
PROTOCOL_NAMES = {
    1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 41: "IPv6-in-IPv4", 47: "GRE", 50: "ESP", 51: "AH", 58: "ICMPv6",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class End:
    """One end of a datagram. `port` is None where the protocol has none or the record does not say."""

    address: str | None
    port: int | None = None

    def __str__(self) -> str:
        if self.address is None:
            return "an address that the record does not name" if self.port is None else f"port {self.port}"
        if self.port is None:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def kind(self) -> Kind:
        return kind_of(self.address)

    def json(self) -> dict[str, str | int | None]:
        return {"address": self.address, "port": self.port}


@lru_cache(maxsize=65536)
def normal(address: str | None) -> str | None:
    """One spelling for one address: no zone, mapped IPv4 as IPv4; None for "", "-" and what is no address."""
    if address is None:
        return None
    try:
        ip = ipaddress.ip_address(address.strip().partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ip)


@lru_cache(maxsize=65536)
def kind_of(address: str | None) -> Kind:
    """What an address can be used for. The mask is never logged, so x.x.x.255 is only likely a broadcast."""
    if address is None:
        return "none"
    ip = ipaddress.ip_address(address)
    if ip.is_unspecified:
        return "unspecified"
    if ip.is_loopback:
        return "loopback"
    if ip.is_multicast:
        return "group"
    if ip.version == 4:
        if address == "255.255.255.255":
            return "broadcast"
        if address.endswith(".255"):
            return "likely_broadcast"
    return "unicast"


def is_many(end: End | None) -> bool:
    """Whether this end is an address of many receivers, which no sender can have."""
    return end is not None and end.kind in ("group", "broadcast", "likely_broadcast")


def protocol_name(protocol: int | None) -> str:
    if protocol is None:
        return "IP (protocol not recorded)"
    return PROTOCOL_NAMES.get(protocol, f"IP protocol {protocol}")


def span(seconds: float | None, *, whole_seconds: bool = False) -> str:
    """A delay as people read it: `4 ms`, `8.2 s`, `3 min`. Logs have millisecond steps at best.

    `whole_seconds`: the records tell no more than the second, so nothing finer is said.
    """
    if seconds is None:
        return "an unknown time"
    if whole_seconds and seconds < 120:
        return "less than a second" if seconds < 1 else f"about {seconds:.0f} s"
    if seconds < 0.0005:
        return "less than 1 ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
