"""The datagram that is asked about, and its circumstances: what is not given stays unknown.

Nothing is filled in by guess. `ordinary` is a set of circumstances that a caller can choose, and that answers name.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace

from fsm.errors import FsmError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# "A value that no filter of the policy names": EQUAL is false, NOT_EQUAL is true.
OTHER = "other"
# NL_ADDRESS_TYPE, the values of the address type fields (HDR)
UNSPECIFIED, UNICAST, ANYCAST, MULTICAST, BROADCAST = range(5)
# IANA ifType
ETHERNET_INTERFACE_TYPE, LOOPBACK_INTERFACE_TYPE = 6, 24
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


@dataclass(frozen=True, slots=True)
class End:
    """One end of a datagram. The port is None where nothing was said."""

    address: Address
    port: int | None = None

    def __str__(self) -> str:
        if self.port is None:
            return str(self.address)
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"

    @property
    def is_group(self) -> bool:
        """Whether it is a multicast group or the limited broadcast; a subnet's broadcast cannot be told."""
        return self.address.is_multicast or self.address == _BROADCAST

    @property
    def address_type(self) -> int:
        """The NL_ADDRESS_TYPE of the address."""
        if self.address.is_multicast:
            return MULTICAST
        if self.address == _BROADCAST:
            return BROADCAST
        return UNSPECIFIED if self.address.is_unspecified else UNICAST


@dataclass(frozen=True, slots=True)
class Datagram:
    """The datagram seen from the host whose policy is asked."""

    local: End
    remote: End

    @property
    def ip(self) -> int:
        return self.local.address.version

    @property
    def is_loopback(self) -> bool:
        """Whether it stays on the host: loopback addresses, or one address at both ends."""
        return self.local.address.is_loopback or self.local.address == self.remote.address


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a classify can ask besides the addresses. None means unknown: conditions on it stay open.

    Parameters
    ----------
    program : an NT path as app ids have it, a path with a drive letter, or a file name. Between a drive and a volume
        (`C:`, `harddiskvolume3`) the rest of the path decides; a file name is compared with the last part;
        "other" for one that no filter names. Letters compare without case, as app ids are lower case.
    user : all SIDs of the token that matter; Everyone goes without saying, what is not listed is not in it.
        ("other",) for a user that no filter names.
    package : the SID of a store app, "" for a program that is none.
    profile : the number of the network profile; original and current are taken as the same.
    interface : the LUID; `interface_index`, `interface_type` (IANA ifType), `tunnel_type`, `sub_interface` of the same.
    compartment : the network compartment.
    socket_property : the bits that the socket has set with SIO_SET_COMPATIBILITY or firewall controls.
    flags, no_flags : condition flags that hold besides those the machine sets, such as IS_IPSEC_SECURED; and flags of
        which it is known that they do not, where that would stay open.
    bound_to_any : the socket is bound to the wildcard address; else to the local address of the datagram.
    fields : (full FWPM_CONDITION name, value as `match.evaluate` takes it) for anything else; these come first.
    """

    program: str | None = None
    user: tuple[str, ...] | None = None
    package: str | None = None
    profile: int | None = None
    interface: int | None = None
    interface_index: int | None = None
    interface_type: int | None = None
    tunnel_type: int | None = None
    sub_interface: int | None = None
    compartment: int | None = None
    socket_property: int | None = None
    flags: tuple[str, ...] = ()
    bound_to_any: bool = True
    fields: tuple[tuple[str, int | str | bytes], ...] = ()
    no_flags: tuple[str, ...] = ()

    def ordinary(self, *, loopback: bool = False) -> Circumstances:
        """The same, with what is unknown of program and interface taken as usual.

        A desktop program and a user that no filter names, no store app at either end, Ethernet (or the loopback
        interface), no tunnel, the default compartment, no special socket property.
        """
        usual_flags = () if "IS_NON_APPCONTAINER_LOOPBACK" in self.no_flags else ("IS_NON_APPCONTAINER_LOOPBACK",)
        usual_type = LOOPBACK_INTERFACE_TYPE if loopback else ETHERNET_INTERFACE_TYPE
        return replace(
            self,
            program=OTHER if self.program is None else self.program,
            user=(OTHER,) if self.user is None else self.user,
            package="" if self.package is None else self.package,
            interface_type=usual_type if self.interface_type is None else self.interface_type,
            tunnel_type=0 if self.tunnel_type is None else self.tunnel_type,
            compartment=1 if self.compartment is None else self.compartment,
            socket_property=0 if self.socket_property is None else self.socket_property,
            flags=tuple(dict.fromkeys((*self.flags, *usual_flags))),
        )


def end_of(given: str | End, where: str) -> End:
    """An end from `1.2.3.4:53`, `[2001:db8::1]:53`, or an address alone.

    Raises
    ------
    FsmError : it is neither; a name is not looked up.
    """
    if isinstance(given, End):
        return given
    text = given.strip()
    bracketed = re.fullmatch(r"\[([^\[\]]+)\](?::([0-9]+))?", text)
    with_port = re.fullmatch(r"([0-9.]+):([0-9]+)", text)
    found = bracketed or with_port
    address, port = (found[1], found[2]) if found else (text, None)
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        fix = "Write 192.0.2.1:53 or [2001:db8::1]:53; names are not looked up"
        raise FsmError(where, f"{given!r} is no address with port", fix=fix) from None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.scope_id is not None:
        raise FsmError(where, f"the zone '{parsed.scope_id}' has no place in an address", fix="Give --interface-index")
    number = None if port is None else int(port)
    if number is not None and number > 65535:
        raise FsmError(where, f"no port {number}", "0 to 65535")
    return End(parsed, number)


def datagram_of(from_: str | End, to: str | End, *, sends: bool, where: str = "whatif") -> Datagram:
    """The datagram from one end to the other; `sends`: the host of the policy is the sender.

    Raises
    ------
    FsmError : an end is not understood, or the two are of different IP versions.
    """
    source, target = end_of(from_, f"{where}, from"), end_of(to, f"{where}, to")
    if source.address.version != target.address.version:
        raise FsmError(
            where,
            f"{source.address} is IPv{source.address.version}, {target.address} is IPv{target.address.version}",
            fix="Give both ends in one IP version",
        )
    if source.is_group:
        raise FsmError(f"{where}, from", f"{source.address} is a group or broadcast address: nothing comes from it")
    return Datagram(source, target) if sends else Datagram(target, source)
