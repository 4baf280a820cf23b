"""What has to stand before a checklist is worked off, and how it is taken away again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fsm import catalogue
from fsm.policy.fields import FIELDS, PREFIX

# Example addresses of the documentation ranges: (machine under test, peer A, another peer B, router, group).
ADDRESSES: dict[int, tuple[str, str, str, str, str]] = {
    4: ("192.0.2.1", "198.51.100.1", "198.51.100.2", "192.0.2.254", "239.192.0.1"),
    6: ("2001:db8::1", "2001:db8:ffff::1", "2001:db8:ffff::2", "2001:db8::fe", "ff15::1"),
}
LOCAL_PORT, REMOTE_PORT = 50000, 53
# Filtering Platform Packet Drop and Filtering Platform Connection: their names are translated, their GUIDs are not.
AUDIT = ("{0CCE9225-69AE-11D9-BED3-505054503030}", "{0CCE9226-69AE-11D9-BED3-505054503030}")
_STEALTH = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
_PROFILES = ("DomainProfile", "StandardProfile", "PublicProfile")


def before(layers: Iterable[str], ip: int) -> Iterator[str]:
    """The lines of the preparation, for a list that looks at these layers (full FWPM names)."""
    machine, peer, other, router, group = ADDRESSES[ip]
    yield "Before you begin. The steps need the parts named here; without them do not begin."
    yield f"  [ ] Machine M, under test: {machine}, fixed. Its test program uses UDP port {LOCAL_PORT} when it binds."
    yield f"  [ ] Machine A: {peer}, UDP port {REMOTE_PORT}; machine B, the other peer: {other}, UDP port {REMOTE_PORT}."
    yield f"  [ ] A router between them: {router}. Group: {group}. Put your own addresses for these in all that follows."
    yield "  [ ] On M, a test program that makes each call when it is told to (a small script will do). While a group"
    yield "      window is open, steps must follow within 4 s, with a flow within 60 s: let the script hurry there."
    yield "  [ ] On M, a callout driver of your own (FwpsCalloutRegister) with one callout for each layer below, and a"
    yield "      switch for each that a program of yours sets: permit, block, absorb, pend, redirect. It writes down the"
    yield "      classifies that it sees. This tool has no such driver, and netsh cannot add filters at chosen layers."
    yield "  [ ] As administrator on M, let the test in:"
    yield f"      netsh advfirewall firewall add rule name=wfp-udp-test dir=in action=allow protocol=UDP localport={LOCAL_PORT}"
    yield "      netsh advfirewall firewall add rule name=wfp-udp-test dir=in action=allow protocol=UDP program=<test program>"
    yield f"      netsh advfirewall firewall add rule name=wfp-udp-test dir=in action=allow protocol=icmpv{ip}"
    yield "  [ ] Switch stealth mode off, or closed ports send no ICMP error; then start M anew:"
    for profile in _PROFILES:
        yield rf"      reg add {_STEALTH}\{profile} /v DisableStealthMode /t REG_DWORD /d 1"
    yield f"  [ ] Let a program of its own join the group on M's interface (IP_ADD_MEMBERSHIP {group}) and keep it joined."
    yield "  [ ] Switch the audit on:"
    yield from (f"      auditpol /set /subcategory:{guid} /success:enable /failure:enable" for guid in AUDIT)
    yield "  [ ] Once, before the first step, add what follows from a small program (fwpuclnt.dll: FwpmEngineOpen0,"
    yield "      FwpmProviderAdd0, FwpmSubLayerAdd0, FwpmCalloutAdd0, FwpmFilterAdd0; non-dynamic, of your provider)."
    yield "      Nothing of it is added, changed or removed until the end: adding or removing a filter at an ALE layer"
    yield "      is itself a policy change that authorizes live flows again. The steps that are one add or delete 'toggle':"
    yield "      in one transaction, a permit filter at ALE_AUTH_CONNECT and one at ALE_AUTH_RECV_ACCEPT, in a second"
    yield "      sublayer of weight 0, with condition FWPM_CONDITION_IP_REMOTE_PORT = 9, which nothing of the test meets."
    yield "      One sublayer of its own, weight 0xFFFF. In it for each layer one filter with action"
    yield "      FWP_ACTION_CALLOUT_UNKNOWN, your callout, weight FWP_UINT8 15, and these conditions, so that no traffic"
    yield "      but the test's is touched:"
    for layer in layers:
        yield f"      {layer}: {conditions(layer, ip)}"
    yield "      All switches stand at permit."


def conditions(layer: str, ip: int) -> str:
    """The conditions that narrow a filter to the test as far as this layer offers them."""
    offered = {field.short_name for field in FIELDS.values() if layer in field.layers}
    words = []
    if "ALE_APP_ID" in offered:
        words.append(f"{PREFIX}ALE_APP_ID = the test program (FwpmGetAppIdFromFileName0)")
    if "IP_PROTOCOL" in offered:
        words.append(f"{PREFIX}IP_PROTOCOL = 17" + ("" if "ALE_APP_ID" in offered else f" or {1 if ip == 4 else 58}"))
    if "IP_REMOTE_ADDRESS" in offered:
        words.append(f"{PREFIX}IP_REMOTE_ADDRESS = A, B, the router or the group")
    return "; ".join(words) or "none is offered there; let the callout look at the packet itself"


def after() -> Iterator[str]:
    """The lines that put everything back."""
    yield "When all is done:"
    yield "  [ ] Delete your filters, callouts, sublayer and provider (FwpmFilterDeleteById0 and so on); stop the driver."
    yield "  [ ] netsh advfirewall firewall delete rule name=wfp-udp-test"
    for profile in _PROFILES:
        yield rf"  [ ] reg delete {_STEALTH}\{profile} /v DisableStealthMode /f"
    yield from (f"  [ ] auditpol /set /subcategory:{guid} /success:disable /failure:disable" for guid in AUDIT)


def number_of(layer: str) -> str:
    """`ALE_AUTH_CONNECT_V4 (48)`."""
    return f"{layer.removeprefix('FWPM_LAYER_')} ({catalogue.by_name(layer).runtime_id})"
