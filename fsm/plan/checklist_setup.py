"""What has to stand before a checklist is worked off, and how it is taken away again."""

from __future__ import annotations

import textwrap
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
    yield from _item(
        f"Machine M, under test: {machine}, fixed. Its test program uses UDP port {LOCAL_PORT} when it binds."
    )
    yield from _item(f"Machine A: {peer}, machine B, another peer: {other}, each with UDP port {REMOTE_PORT}.")
    yield from _item(
        f"A router between them: {router}. Group: {group}. Put your own addresses for these in all that follows."
    )
    yield from _item(
        "On M, a test program that makes each call when it is told to (a small script will do). While a group window "
        "is open, steps must follow each other within 4 s, with a flow within 60 s: let the script hurry there."
    )
    yield from _item(
        "On M, a callout driver of your own (FwpsCalloutRegister) with one callout for each layer below, and a switch "
        "for each that a program of yours sets: permit, block, absorb, pend, redirect. It writes down the classifies "
        "that it sees. This tool has no such driver, and netsh cannot add filters at chosen layers."
    )
    yield "  [ ] As administrator on M, let the test in:"
    for what in (f"protocol=UDP localport={LOCAL_PORT}", "protocol=UDP program=<test program>", f"protocol=icmpv{ip}"):
        yield f"      netsh advfirewall firewall add rule name=wfp-udp-test dir=in action=allow {what}"
    yield "  [ ] Switch stealth mode off, or closed ports send no ICMP error; then start M anew:"
    for profile in _PROFILES:
        yield rf"      reg add {_STEALTH}\{profile} /v DisableStealthMode /t REG_DWORD /d 1"
    yield from _item(
        f"Let a program of its own join the group on M's interface (IP_ADD_MEMBERSHIP {group}) and keep it joined."
    )
    yield "  [ ] Switch the audit on:"
    yield from (f"      auditpol /set /subcategory:{guid} /success:enable /failure:enable" for guid in AUDIT)
    yield from _item(
        "Once, before the first step, add what follows from a small program (fwpuclnt.dll: FwpmEngineOpen0, "
        "FwpmProviderAdd0, FwpmSubLayerAdd0, FwpmCalloutAdd0, FwpmFilterAdd0; not in a dynamic session). Nothing of it "
        "is added, changed or removed until the end: adding or removing a filter at an ALE layer is itself a policy "
        "change that authorizes live flows again. The steps that are one add or delete 'toggle': in one transaction, "
        "a permit filter at ALE_AUTH_CONNECT and one at ALE_AUTH_RECV_ACCEPT, in a second sublayer of weight 0, with "
        "condition FWPM_CONDITION_IP_REMOTE_PORT = 9, which nothing of the test meets."
    )
    yield from _item(
        "In one sublayer of its own, weight 0xFFFF, for each layer one filter with action FWP_ACTION_CALLOUT_UNKNOWN, "
        "your callout, weight FWP_UINT8 15, and these conditions, so that no traffic but the test's is touched:"
    )
    for layer in layers:
        yield f"      {layer}: {conditions(layer, ip)}"
    yield "  [ ] All switches stand at permit."


def _item(text: str) -> list[str]:
    return textwrap.wrap(text, 112, initial_indent="  [ ] ", subsequent_indent="      ", break_long_words=False)


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
    yield from _item("Delete your filters, callouts, sublayers and provider (FwpmFilterDeleteById0 and so on).")
    yield "  [ ] Stop the driver."
    yield "  [ ] netsh advfirewall firewall delete rule name=wfp-udp-test"
    for profile in _PROFILES:
        yield rf"  [ ] reg delete {_STEALTH}\{profile} /v DisableStealthMode /f"
    yield from (f"  [ ] auditpol /set /subcategory:{guid} /success:disable /failure:disable" for guid in AUDIT)


def number_of(layer: str) -> str:
    """`ALE_AUTH_CONNECT_V4 (48)`."""
    return f"{layer.removeprefix('FWPM_LAYER_')} ({catalogue.by_name(layer).runtime_id})"
