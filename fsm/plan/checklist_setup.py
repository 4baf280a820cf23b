"""What has to stand before a checklist is worked off, and how it is taken away again."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from fsm import catalogue
from fsm.choices import Config
from fsm.plan.checklist_parts import ADDRESSES, LOCAL_PORT, REDIRECTED_PORT, REMOTE_PORT, addresses_of, words_of
from fsm.policy.fields import FIELDS, PREFIX

# Filtering Platform Packet Drop and Filtering Platform Connection: their names are translated, their GUIDs are not.
AUDIT = ("{0CCE9225-69AE-11D9-BED3-505054503030}", "{0CCE9226-69AE-11D9-BED3-505054503030}")
_STEALTH = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
_PROFILES = ("DomainProfile", "StandardProfile", "PublicProfile")


def before(layers: Iterable[str], parts: Mapping[str, str], config: Config) -> Iterator[str]:
    """The lines of the preparation, for a list that looks at these layers (full FWPM names).

    `parts` has the parts that steps of it need, each with what is to be said of those steps.
    """
    at, layers = ADDRESSES[config.ip], list(layers)
    yield "Before you begin. Everything that a step needs is named here. Put your own addresses for these; all machines"
    yield "are on one link."
    yield "Without these do not begin:"
    yield from _item(
        f"Machine M, under test: {at.m}, fixed. P in the steps is the UDP port of the test program's socket."
    )
    yield from _item(
        f"Machine A: {at.a}. A program there has UDP port {REMOTE_PORT} open, swallows what comes, and sends from this "
        "port when told to: so no ICMP error comes that is not in the list."
    )
    yield from _item(
        "On M, a test program that makes each call when it is told to (a small script will do): a non-blocking socket, "
        "each call in a thread of its own, since a call that is pended does not return yet. After each step, once the "
        "socket is bound, it calls recvfrom() until that fails with WSAEWOULDBLOCK (10035), and prints each result: an "
        "error of an earlier send, which would make the next sendto() fail, is taken away so. While a group window is "
        "open, steps must follow each other within 4 s, with a flow within 60 s: let the script hurry there."
    )
    yield from _item(
        "On M, a callout driver of your own (FwpsCalloutRegister; this tool has none) with one callout for each layer "
        "below, and a switch for each that a program of yours sets. permit: FWP_ACTION_PERMIT. block: "
        "FWP_ACTION_BLOCK, FWPS_RIGHT_ACTION_WRITE cleared. absorb: as block, with FWPS_CLASSIFY_OUT_FLAG_ABSORB. It "
        "writes down the classifies that it sees, with their flags."
    )
    if parts:
        yield "Without one of these, the steps that need it cannot be done. A step says which it needs, and whether it"
        yield "can be left out: then nothing after it is different. If it cannot, go on at the 'end' of its scenario."
        yield "The line 'switches' of a step that is left out is done all the same."
        for part, steps in parts.items():
            yield from _item(f"{part}: {words_of(part, config)} {steps}")
    yield "Then:"
    yield "  [ ] As administrator on M, let the test in:"
    ports = f"{LOCAL_PORT},{REDIRECTED_PORT}" if "redirect" in parts else f"{LOCAL_PORT}"
    for what in (
        f"protocol=UDP localport={ports}",
        "protocol=UDP program=<test program>",
        f"protocol=icmpv{config.ip}",
    ):
        yield f"      netsh advfirewall firewall add rule name=wfp-udp-test dir=in action=allow {what}"
    if _unreachable_sent(layers):
        yield "  [ ] Switch stealth mode off, or M sends no ICMP error for a closed port; then start M anew:"
        for profile in _PROFILES:
            yield rf"      reg add {_STEALTH}\{profile} /v DisableStealthMode /t REG_DWORD /d 1"
    yield "  [ ] Write down how the audit stands, and switch it on:"
    yield from (f"      auditpol /get /subcategory:{guid}" for guid in AUDIT)
    yield from (f"      auditpol /set /subcategory:{guid} /success:enable /failure:enable" for guid in AUDIT)
    yield from _item(
        "Once, before the first step, add what follows from a small program (fwpuclnt.dll: FwpmEngineOpen0, "
        "FwpmProviderAdd0, FwpmSubLayerAdd0, FwpmCalloutAdd0, FwpmFilterAdd0; not in a dynamic session; netsh cannot "
        "add filters at chosen layers). Nothing of it is added, changed or removed until the end: adding or removing a "
        "filter at an ALE layer is itself a policy change that authorizes live flows again."
    )
    yield from _item(
        "In one sublayer of its own, weight 0xFFFF, for each layer one filter with action FWP_ACTION_CALLOUT_UNKNOWN, "
        "your callout, weight FWP_UINT8 15, and these conditions, so that no traffic but the test's is touched:"
    )
    for layer in layers:
        yield f"      {layer}: {conditions(layer, parts, config.ip)}"
    yield "  [ ] All switches stand at permit."


def _unreachable_sent(layers: Iterable[str]) -> bool:
    return any(layer.startswith("FWPM_LAYER_OUTBOUND_ICMP_ERROR") for layer in layers)


def _item(text: str) -> list[str]:
    return textwrap.wrap(text, 112, initial_indent="  [ ] ", subsequent_indent="      ", break_long_words=False)


def conditions(layer: str, parts: Iterable[str], ip: int) -> str:
    """The conditions that narrow a filter to the test as far as this layer offers them."""
    offered = {field.short_name for field in FIELDS.values() if layer in field.layers}
    words = []
    if "ALE_APP_ID" in offered:
        words.append(f"{PREFIX}ALE_APP_ID = the test program (FwpmGetAppIdFromFileName0)")
    if "IP_PROTOCOL" in offered:
        words.append(f"{PREFIX}IP_PROTOCOL = 17" + ("" if "ALE_APP_ID" in offered else f" or {1 if ip == 4 else 58}"))
    if "IP_REMOTE_ADDRESS" in offered:
        words.append(f"{PREFIX}IP_REMOTE_ADDRESS = {addresses_of(parts)}")
    return "; ".join(words) or "none is offered there; let the callout look at the packet itself"


def after(layers: Iterable[str]) -> Iterator[str]:
    """The lines that put everything back, after a list that looked at these layers."""
    yield "When all is done:"
    yield from _item("Delete your filters, callouts, sublayers and provider (FwpmFilterDeleteById0 and so on).")
    yield "  [ ] Stop the driver."
    yield "  [ ] netsh advfirewall firewall delete rule name=wfp-udp-test"
    for profile in _PROFILES if _unreachable_sent(layers) else ():
        yield rf"  [ ] reg delete {_STEALTH}\{profile} /v DisableStealthMode /f"
    yield "  [ ] Set the audit back to what was written down; where it was off:"
    yield from (f"      auditpol /set /subcategory:{guid} /success:disable /failure:disable" for guid in AUDIT)


def number_of(layer: str) -> str:
    """`ALE_AUTH_CONNECT_V4 (48)`."""
    return f"{layer.removeprefix('FWPM_LAYER_')} ({catalogue.by_name(layer).runtime_id})"
