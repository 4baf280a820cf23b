"""What each condition field has at a classify: from the datagram, its circumstances and where the machine stands.

A field that the layer does not offer is not in the answer; what nobody told is UNKNOWN; what does not apply to the
packet is EMPTY where a page says so.
"""

from __future__ import annotations

from functools import lru_cache

from fsm.choices import Config
from fsm.endpoint import PROTOCOL_FIELDS, ClassifyContext
from fsm.names import WINDOWS
from fsm.policy.datagram import LOOPBACK_INTERFACE_TYPE, MULTICAST, OTHER, Circumstances, Datagram, End
from fsm.policy.fields import CONDITION_FLAGS, PREFIX, canonical, offered
from fsm.policy.match import EMPTY, UNKNOWN, Bits, FieldValue, Program
from fsm.policy.security import Token

# ICMP type and code of a destination-unreachable about a port, and of a time-exceeded (RFC 792, RFC 4443)
PORT_UNREACHABLE = {4: (3, 3), 6: (1, 4)}
TIME_EXCEEDED = {4: (11, 0), 6: (3, 0)}
ICMP = {4: 1, 6: 58}
_STORE_APP_LOOPBACK = CONDITION_FLAGS["IS_APPCONTAINER_LOOPBACK"] | CONDITION_FLAGS["IS_NON_APPCONTAINER_LOOPBACK"]
# The two authorizing layers, with the direction of the flows that they make.
_AUTH = {"ALE_AUTH_CONNECT": "outbound", "ALE_AUTH_RECV_ACCEPT": "inbound"}
# Fields of the interface by what is said of it: (name after the prefix of a direction, attribute of Circumstances)
_INTERFACE: tuple[tuple[tuple[str, ...], str], ...] = (
    (("INTERFACE_INDEX", "ARRIVAL_INTERFACE_INDEX", "NEXTHOP_INTERFACE_INDEX"), "interface_index"),
    (("INTERFACE_TYPE", "ARRIVAL_INTERFACE_TYPE", "NEXTHOP_INTERFACE_TYPE"), "interface_type"),
    (("TUNNEL_TYPE", "ARRIVAL_TUNNEL_TYPE", "NEXTHOP_TUNNEL_TYPE"), "tunnel_type"),
    (("SUB_INTERFACE_INDEX", "ARRIVAL_SUB_INTERFACE_INDEX", "NEXTHOP_SUB_INTERFACE_INDEX"), "sub_interface"),
    (("IP_LOCAL_INTERFACE", "IP_ARRIVAL_INTERFACE", "IP_NEXTHOP_INTERFACE"), "interface"),
    (("CURRENT_PROFILE_ID", "ARRIVAL_INTERFACE_PROFILE_ID", "NEXTHOP_INTERFACE_PROFILE_ID"), "profile"),
    (("ORIGINAL_PROFILE_ID", "LOCAL_INTERFACE_PROFILE_ID"), "profile"),
)
INTERFACE_FIELDS = frozenset(name for names, _ in _INTERFACE for name in names)
_OWN = {"ARRIVAL": "inbound", "NEXTHOP": "outbound"}  # the packets that such a field is about


def field_values(
    context: ClassifyContext, position: str, datagram: Datagram, circumstances: Circumstances, config: Config
) -> dict[str, FieldValue]:
    """{canonical field name: what it has} for every field that the layer offers.

    Parameters
    ----------
    context : the classify that waits.
    position : where the machine stands (a name of `fsm.stimuli.POSITIONS`).
    datagram : the datagram asked about, which is the one of peer A; other peers have unknown addresses.
    """
    given = {canonical(name): value for name, value in circumstances.fields}
    known: dict[str, FieldValue] = {}
    known.update(_tuple_fields(context, position, datagram, circumstances, config))
    known.update(_interface_fields(context, datagram, circumstances))
    known.update(_socket_fields(circumstances))
    known["FLAGS"] = _flags(context, circumstances, config)
    known["REAUTHORIZE_REASON"] = known["ALE_REAUTH_REASON"] = context.reauthorize_reason
    if context.layer.stem.removesuffix("_DISCARD") == "ALE_FLOW_ESTABLISHED":
        known["DIRECTION"] = _direction(context.flow_direction or context.packet_direction)
    else:
        known["DIRECTION"] = _direction(context.packet_direction)
    values: dict[str, FieldValue] = {}
    for name, short in _offered(context.layer.fwpm_name):
        values[name] = given[name] if name in given else known.get(short, UNKNOWN)
    return values


@lru_cache(maxsize=256)
def _offered(layer: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, name.removeprefix(PREFIX)) for name in sorted(offered(layer)))


def _direction(words: str) -> FieldValue:
    return {"outbound": 0, "inbound": 1}.get(words, UNKNOWN)


def _flags(context: ClassifyContext, circumstances: Circumstances, config: Config) -> Bits:
    names = dict.fromkeys((*context.flags, *circumstances.flags))
    if "IS_LOOPBACK" not in context.flags:
        names.pop("IS_NON_APPCONTAINER_LOOPBACK", None)
        names.pop("IS_APPCONTAINER_LOOPBACK", None)
    value = sum(CONDITION_FLAGS[name] for name in names)
    unknown = 0
    new = WINDOWS.index(config.windows) >= WINDOWS.index("8")
    if "IS_LOOPBACK" in context.flags and new and not value & _STORE_APP_LOOPBACK:
        unknown |= _STORE_APP_LOOPBACK  # it depends on both ends
    if context.layer.stem.removesuffix("_DISCARD") == "INBOUND_TRANSPORT":
        unknown |= CONDITION_FLAGS["REQUIRES_ALE_CLASSIFY"] & ~value
    unknown &= ~sum(CONDITION_FLAGS[name] for name in circumstances.no_flags)
    return Bits(value, 0xFFFFFFFF & ~unknown)


def _interface_fields(
    context: ClassifyContext, datagram: Datagram, circumstances: Circumstances
) -> dict[str, FieldValue]:
    found: dict[str, FieldValue] = {}
    stem, packet = context.layer.stem.removesuffix("_DISCARD"), context.packet_direction
    again = "IS_REAUTHORIZE" in context.flags
    mixed = packet != _AUTH.get(stem, packet)
    for names, attribute in _INTERFACE:
        value = getattr(circumstances, attribute)
        if value is None and attribute == "interface_type" and datagram.local.address.is_loopback:
            value = LOOPBACK_INTERFACE_TYPE
        for name in names:
            own = next((direction for word, direction in _OWN.items() if word in name), packet)
            if own == packet or stem not in _AUTH:
                found[name] = UNKNOWN if value is None else value
            elif mixed or not again:
                found[name] = EMPTY  # the packet goes the other way: the field does not apply (ALER)
            else:
                found[name] = UNKNOWN  # what a reauthorization knows of the flow's other direction nobody says
    return found


def _socket_fields(circumstances: Circumstances) -> dict[str, FieldValue]:
    program, package, user = circumstances.program, circumstances.package, circumstances.user
    path: FieldValue = UNKNOWN if program is None else program if program == OTHER else Program(program.lower())
    sids = None if user is None else frozenset(sid.upper() for sid in user if sid != OTHER)
    return {
        "ALE_APP_ID": path,
        "ALE_ORIGINAL_APP_ID": path,
        "ALE_USER_ID": Token(sids, package),
        "ALE_PACKAGE_ID": UNKNOWN if package is None else package or "S-1-0-0",
        "COMPARTMENT_ID": UNKNOWN if circumstances.compartment is None else circumstances.compartment,
        "ALE_SIO_FIREWALL_SYSTEM_PORT": _or_unknown(circumstances.socket_property),
    }


def _or_unknown(value: int | None) -> FieldValue:
    return UNKNOWN if value is None else value


def _tuple_fields(
    context: ClassifyContext, position: str, datagram: Datagram, circumstances: Circumstances, config: Config
) -> dict[str, FieldValue]:
    """Addresses, ports, protocol and ICMP, as this position shows them."""
    local, remote = datagram.local, datagram.remote
    number, ports = PROTOCOL_FIELDS[config.choice("protocol")][datagram.ip == 6]
    local_port, remote_port = ports or (local.port, remote.port)
    local_value = _address(local, context)
    found: dict[str, FieldValue] = {
        "IP_PROTOCOL": number,
        "IP_LOCAL_ADDRESS": local_value,
        "IP_LOCAL_ADDRESS_TYPE": local.address_type,
        "IP_LOCAL_PORT": _or_unknown(local_port),
        "IP_REMOTE_ADDRESS": _address(remote, context),
        "IP_REMOTE_PORT": _or_unknown(remote_port),
        "IP_DESTINATION_ADDRESS_TYPE": (local if context.packet_direction == "inbound" else remote).address_type,
        "ORIGINAL_ICMP_TYPE": ports[0] if number in ICMP.values() and ports else EMPTY,
    }
    if context.peer != "A":
        found |= dict.fromkeys(("IP_REMOTE_ADDRESS", "IP_REMOTE_PORT"), UNKNOWN)
    if position.startswith("send.authorize_redirected"):
        # The callout has chosen another destination.
        found |= dict.fromkeys(("IP_REMOTE_ADDRESS", "IP_REMOTE_PORT", "IP_DESTINATION_ADDRESS_TYPE"), UNKNOWN)
    if position.startswith(("bind.", "close.")) and circumstances.bound_to_any:
        found["IP_LOCAL_ADDRESS"] = EMPTY  # ALEL
        found["IP_LOCAL_ADDRESS_TYPE"] = UNKNOWN
    if position.startswith("close."):
        found |= dict.fromkeys(("IP_REMOTE_ADDRESS", "IP_REMOTE_PORT"), UNKNOWN)
    if context.layer.stem == "ALE_CONNECT_REDIRECT" and circumstances.bound_to_any and not _is_group(local):
        # Called before the route look-up: often still unset, and whether as 0.0.0.0 or empty nobody says.
        found |= dict.fromkeys(("IP_LOCAL_ADDRESS", "IP_LOCAL_ADDRESS_TYPE"), UNKNOWN)
    if position.startswith("drop.icmp"):
        kind, code = PORT_UNREACHABLE[datagram.ip]
        if number != 17:
            code = {4: 2, 6: 4}[datagram.ip]  # no handler for the protocol
        found |= {"IP_PROTOCOL": ICMP[datagram.ip], "IP_LOCAL_PORT": kind, "IP_REMOTE_PORT": code}
        found["ORIGINAL_ICMP_TYPE"] = UNKNOWN
    elif position.startswith("icmp."):
        found.update(_about_earlier_send(context, position, found, datagram))
    return found


def _about_earlier_send(
    context: ClassifyContext, position: str, of_send: dict[str, FieldValue], datagram: Datagram
) -> dict[str, FieldValue]:
    kind, code = (TIME_EXCEEDED if context.stimulus == "icmp_ttl" else PORT_UNREACHABLE)[datagram.ip]
    found: dict[str, FieldValue] = {
        "EMBEDDED_PROTOCOL": of_send["IP_PROTOCOL"],
        "EMBEDDED_LOCAL_PORT": of_send["IP_LOCAL_PORT"],
        "EMBEDDED_LOCAL_ADDRESS_TYPE": of_send["IP_LOCAL_ADDRESS_TYPE"],
        "EMBEDDED_REMOTE_ADDRESS": of_send["IP_REMOTE_ADDRESS"],
        "EMBEDDED_REMOTE_PORT": of_send["IP_REMOTE_PORT"],
        "IP_PROTOCOL": ICMP[datagram.ip],
        "IP_LOCAL_PORT": kind,
        "IP_REMOTE_PORT": code,
    }
    if context.stimulus == "icmp_ttl":
        found["IP_REMOTE_ADDRESS"] = UNKNOWN  # a router on the way
    return found


def _address(end: End, context: ClassifyContext) -> FieldValue:
    """The address as an integer of the layer's width; IPv4-mapped where an IPv6 socket has an IPv4 peer."""
    value = int(end.address)
    if context.layer.ip_version == 6 and end.address.version == 4:
        return 0xFFFF_0000_0000 | value
    return value


def _is_group(end: End) -> bool:
    return end.address_type >= MULTICAST
