"""The reasons for which a flow is authorized again, with their bits in FWPM_CONDITION_ALE_REAUTH_REASON."""

from __future__ import annotations

from fsm.names import Basis
from fsm.rows import ReauthorizeReason as _R

DOC, OBS = Basis.DOCUMENTED, Basis.OBSERVED

# Layers and meanings are documented from Windows 7 on (CFL); the values are those of the SDK headers (PRJ).
REASONS: tuple[_R, ...] = (
    _R("POLICY_CHANGE", 0x1, "policy_change", ("ALER", "CFL"), DOC, "a filter was added or removed at the layer of the flow"),
    _R("NEW_ARRIVAL_INTERFACE", 0x2, "interface_change", ("ALER", "CFL"), DOC, "a packet arrived on another interface (weak host)"),
    _R("NEW_NEXTHOP_INTERFACE", 0x4, "next_hop_change", ("CFL",), DOC, "the next hop is reached by another interface"),
    _R("PROFILE_CROSSING", 0x8, "profile_change", ("CFL",), DOC, "the network profile has changed"),
    _R("CLASSIFY_COMPLETION", 0x10, "complete", ("CFL", "ASY"), DOC, "a pended classify was completed"),
    _R("IPSEC_PROPERTIES_CHANGED", 0x20, "ipsec_change", ("CFL",), DOC, "rekeying changed the IPsec properties"),
    _R("MID_STREAM_INSPECTION", 0x40, "", ("CFL",), DOC, "TCP only: not modelled"),
    _R("SOCKET_PROPERTY_CHANGED", 0x80, "socket_property_change", ("CFL",), DOC, "a property of the socket has changed"),
    _R("NEW_INBOUND_MCAST_BCAST_PACKET", 0x100, "datagram_group", ("CFL", "SECDS"), DOC, "each inbound multicast or broadcast packet"),
    _R("EDP_POLICY_CHANGED", 0x200, "edp_policy_change", ("CFL",), OBS, "named without text; layers not stated"),
    _R("PRECLASSIFY_LOCAL_ADDR", 0x400, "", ("PRJ",), OBS, "internal pre-classification"),
    _R("PRECLASSIFY_REMOTE_ADDR", 0x800, "", ("PRJ",), OBS, "internal pre-classification"),
    _R("PRECLASSIFY_LOCAL_PORT", 0x1000, "", ("PRJ",), OBS, "internal pre-classification"),
    _R("PRECLASSIFY_REMOTE_PORT", 0x2000, "", ("PRJ",), OBS, "internal pre-classification"),
    _R("PROXY_HANDLE_CHANGED", 0x4000, "proxy_handle_change", ("CFL",), OBS, "named without text; layers not stated"),
    _R("PRECLASSIFY_POLICY_CHANGED", 0x8000, "", ("PRJ",), OBS, "internal pre-classification"),
    _R("CHECK_OFFLOAD", 0x10000, "check_offload", ("CFL",), OBS, "named without text; layers not stated"),
)  # fmt: skip

# The stimuli that mark a live flow as stale, with their reason.
STALE_REASONS: dict[str, _R] = {
    reason.stimulus: reason for reason in REASONS if reason.stimulus not in ("", "complete", "datagram_group")
}


def reason_words(bits: int) -> str:
    """The bits of FWPM_CONDITION_ALE_REAUTH_REASON by number and name: `0x9 POLICY_CHANGE|PROFILE_CROSSING`."""
    return f"{bits:#x} {'|'.join(reason.name for reason in REASONS if bits & reason.value)}"
