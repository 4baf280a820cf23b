"""The 99 built-in filtering layers, by every name they have: only module that reads `data/layers.csv`.

A layer is written in many ways: management (FWPM) and run-time (FWPS) name, run-time id, GUID, the name `netsh`
shows, the words and the `%%146xx` code of the Security log. `find` takes any of them. Names are exact: one without
`_DISCARD` is never a discard layer. Words and codes are not: the log prints one word for a layer, its discard twin
and both IP versions (fact e.1), so they give several layers.

Numbers need a build. Ids 0-81 are the same everywhere; those above 81 move between builds, and 83 and 84 have no
management name (fact f/ids). `numbering` says which build an id is read for.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal, NamedTuple, TypeVar, cast

from fsm.errors import UnknownName
from fsm.names import IP_VERSIONS, WINDOWS

K = TypeVar("K", bound=Hashable)
MayBlock = Literal["yes", "no", "error-only", "unknown"]

STABLE_IDS_TO = 81  # ids above this one move between builds (fact f/ids)

# The keys of the `source` column. GUID-x says that x is cited for the GUID.
SOURCES: dict[str, str] = {
    "SDK": "MicrosoftDocs/sdk-api sdk-api-src/content/fwpsu/ne-fwpsu-fwps_builtin_layers.md",
    "HDR": "jchoi2022/NtFuzz-HeaderData include/fwpsk_bf278d97.h",
    "GUID-HDR": "GUID: jchoi2022/NtFuzz-HeaderData include/fwpmu_88303db0.h",
    "FWPMU": "Windows SDK fwpmu.h",
    "GUID-FWPMU": "GUID: Windows SDK fwpmu.h",
    "LID": "MicrosoftDocs/win32 desktop-src/FWP/management-filtering-layer-identifiers-.md",
    "WLR": "MicrosoftDocs/windows-driver-docs windows-driver-docs-pr/network/"
    "wfp-layer-requirements-and-restrictions.md",
    "DOP": "MicrosoftDocs/windows-driver-docs windows-driver-docs-pr/network/data-offset-positions.md",
    "ELM": "MicrosoftDocs/windows-driver-docs windows-driver-docs-pr/network/ale-endpoint-lifetime-management.md",
    "RED": "MicrosoftDocs/windows-driver-docs windows-driver-docs-pr/network/using-bind-or-connect-redirection.md",
}

# What the Security log prints as LayerName (fact e.1) and the stems it stands for. Codes 14597, 14601 and
# 14608-14611 were seen beside their layer ids in real events; the others are assigned by their words.
LAYER_CODES: dict[int, tuple[str, tuple[str, ...]]] = {
    14596: ("IP Packet", ("INBOUND_IPPACKET", "OUTBOUND_IPPACKET")),
    14597: ("Transport", ("INBOUND_TRANSPORT", "OUTBOUND_TRANSPORT")),
    14598: ("Forward", ("IPFORWARD",)),
    14599: ("Stream", ("STREAM",)),
    14600: ("Datagram Data", ("DATAGRAM_DATA",)),
    14601: ("ICMP Error", ("INBOUND_ICMP_ERROR", "OUTBOUND_ICMP_ERROR")),
    14602: ("MAC 802.3", ("INBOUND_MAC_FRAME_ETHERNET", "OUTBOUND_MAC_FRAME_ETHERNET")),
    14603: ("MAC Native", ("INBOUND_MAC_FRAME_NATIVE", "OUTBOUND_MAC_FRAME_NATIVE")),
    14608: ("Resource Assignment", ("ALE_RESOURCE_ASSIGNMENT",)),
    14609: ("Listen", ("ALE_AUTH_LISTEN",)),
    14610: ("Receive/Accept", ("ALE_AUTH_RECV_ACCEPT",)),
    14611: ("Connect", ("ALE_AUTH_CONNECT",)),
    14612: ("Flow Established", ("ALE_FLOW_ESTABLISHED",)),
    14614: ("Resource Release", ("ALE_RESOURCE_RELEASE",)),
    14615: ("Endpoint Closure", ("ALE_ENDPOINT_CLOSURE",)),
    14616: ("Connect Redirect", ("ALE_CONNECT_REDIRECT",)),
    14617: ("Bind Redirect", ("ALE_BIND_REDIRECT",)),
    14624: ("Stream Packet", ("STREAM_PACKET",)),
    14641: ("vSwitch Ingress", ("INGRESS_VSWITCH_ETHERNET", "INGRESS_VSWITCH_TRANSPORT")),
    14642: ("vSwitch Egress", ("EGRESS_VSWITCH_ETHERNET", "EGRESS_VSWITCH_TRANSPORT")),
    # Last: a layer's own code is the first that names it, and for the switch the two above say more.
    14604: (
        "vSwitch",
        (
            "INGRESS_VSWITCH_ETHERNET",
            "INGRESS_VSWITCH_TRANSPORT",
            "EGRESS_VSWITCH_ETHERNET",
            "EGRESS_VSWITCH_TRANSPORT",
        ),
    ),
}
# Codes of the same table that name no layer of the catalogue, to say so instead of "unknown".
OTHER_CODES: dict[int, str] = {
    14592: "the direction Inbound",
    14593: "the direction Outbound",
    14594: "the direction Forward",
    14595: "the direction Bidirectional",
    14640: "ICMP Echo-Request, which is no layer of its own",
    16384: "the change Add",
    16385: "the change Delete",
    16386: "a boot-time filter",
    16387: "a persistent filter",
    16388: "a filter that is not persistent",
    16389: "the action Block",
    16390: "the action Permit",
    16391: "the action Callout",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One built-in filtering layer, as Microsoft's newest documented order (2024, Windows 11) has it.

    Parameters
    ----------
    runtime_id : the FWPS id; above 81 it holds for that order only, see `runtime_id_on`.
    fwpm_name : the management name; empty for ids 83 and 84, which have none.
    display_name : what `netsh wfp show state` of October 2024 calls it.
    ip_version : 4, 6, or None where the layer is not bound to a version.
    discard_twin : FWPM name of the discard layer, and from a discard layer that of the layer; None without one.
    since, since_text : first Windows, as a word of `names.WINDOWS` and as the source says it (facts f/vista,
        f/vista-sp1, f/7, f/8, f/8.1, f/10, f/11).
    may_block : "error-only" means that FLOW_ESTABLISHED is no policy point, only an error may block there.
    rs5_id : the id above 81 in the Windows 10 RS5-era header; None where it has no such entry or the id is stable.
    source, note : the documents, and remarks on this layer (parted by " | ").
    """

    runtime_id: int
    fwpm_name: str
    fwps_name: str
    display_name: str
    guid: str
    ip_version: int | None
    direction: str
    group: str
    is_discard: bool
    discard_twin: str | None
    since: str
    since_text: str
    classified_per: str
    may_block: MayBlock
    may_pend: str
    may_redirect: str
    rs5_id: int | None
    source: str
    note: str

    @property
    def name(self) -> str:
        """The full name to print: FWPM, or FWPS for the two layers that have no other."""
        return self.fwpm_name or self.fwps_name

    @property
    def short_name(self) -> str:
        """The name without its prefix: `ALE_AUTH_CONNECT_V4`, `INBOUND_TRANSPORT_V4_DISCARD`."""
        return self.name[len("FWPM_LAYER_") :]

    @property
    def stem(self) -> str:
        """The name without prefix and IP version: `ALE_AUTH_CONNECT`, `INBOUND_TRANSPORT_DISCARD`."""
        return self.short_name.replace(f"_V{self.ip_version}", "")

    @property
    def message_code(self) -> str | None:
        """The LayerName code of Security events, `%%14611`; None where no code is known."""
        code = _code_of_stem().get(self.stem.removesuffix("_DISCARD"))
        return None if code is None else f"%%{code}"

    @property
    def event_words(self) -> str | None:
        """The words that the event viewer prints for the code, `Receive/Accept`; None where no code is known."""
        code = _code_of_stem().get(self.stem.removesuffix("_DISCARD"))
        return None if code is None else LAYER_CODES[code][0]

    def exists_on(self, windows: str) -> bool:
        """Whether that Windows has the layer."""
        return WINDOWS.index(self.since) <= WINDOWS.index(_checked_windows(windows))

    def runtime_id_on(self, windows: str) -> int | None:
        """The run-time id on that Windows; None where the layer is missing or its number there is not known."""
        if not self.exists_on(windows):
            return None
        if self.runtime_id <= STABLE_IDS_TO or windows == "11":
            return self.runtime_id
        return self.rs5_id if windows == "10" else None


def numbering(windows: str = "11") -> str:
    """Which build the run-time ids are read for, in one sentence.

    Source: fact f/ids (header versions compared; the `netsh wfp show state` file of October 2024 confirms 0-98).
    """
    above = {
        "11": "are in the order documented in 2024 (and in a state file of October 2024)",
        "10": "are those of the Windows 10 RS5-era header",
    }.get(_checked_windows(windows), f"are not known for Windows {windows}")
    return (
        f"Run-time ids 0-{STABLE_IDS_TO} are the same on every build; higher ones move between builds, here they "
        f"{above}. Ids 83 and 84 of 2024 have no management name."
    )


def layers() -> tuple[Layer, ...]:
    """All 99 layers in the order of their run-time ids."""
    return _catalogue().layers


def by_runtime_id(runtime_id: int, windows: str = "11", where: str = "layers") -> Layer:
    """The layer with this run-time id, which above 81 depends on the Windows (see `numbering`).

    Raises
    ------
    UnknownName : there is no such id on that Windows, or none is known.
    """
    _checked_windows(windows)
    for layer in _catalogue().by_id.get(runtime_id, ()):
        if layer.runtime_id_on(windows) == runtime_id:
            return layer
    raise _unknown_id(runtime_id, windows, where)


def by_name(fwpm_name: str) -> Layer:
    """The layer with exactly this full FWPM name (FWPS names are taken too)."""
    try:
        return _catalogue().by_full_name[fwpm_name]
    except KeyError:
        raise UnknownName.of("layers", "layer", fwpm_name, _catalogue().by_full_name) from None


@cache
def layer_of(stem: str, ip: int) -> Layer:
    """The layer of a stem (`ALE_AUTH_CONNECT`) for an IP version; a layer without version serves both."""
    _check_ip(ip, "layers")
    known = _catalogue().by_stem
    found = known.get((stem, ip)) or known.get((stem, None))
    if found is None:
        raise UnknownName.of("layers", "layer stem", stem, (s for s, _ in known), "Give it without version.")
    return found


def twin_of(layer: Layer) -> Layer | None:
    """The discard layer of a layer, the layer of a discard layer, or None."""
    return None if layer.discard_twin is None else by_name(layer.discard_twin)


def find(what: str, *, ip: int | None = None, windows: str = "11", where: str = "layers") -> tuple[Layer, ...]:
    """Every layer that `what` names, in run-time id order.

    Parameters
    ----------
    what : FWPM or FWPS name, whole or without `FWPM_LAYER_`, `ALE_`, version, in any case, with `_`, blanks,
        hyphens or slashes; a run-time id; a GUID with or without braces; `%%14611` or 14611; the words of the
        event viewer or of `netsh`. Where name and words are alike ("Resource Assignment"), a spelling with `_`,
        `-`, `ALE`, a prefix or in capitals is the name, any other the words, which include discard layers.
    ip : keep this IP version (and layers without version).
    windows : keep layers that this Windows has, and read ids above 81 for it.
    where : what an error message begins with.

    Raises
    ------
    UnknownName : nothing has that name, or not for this IP version or Windows.
    """
    _check_ip(ip, where)
    _checked_windows(windows)
    text = " ".join(what.split())
    if not text:
        raise UnknownName(where, "the layer is empty", "", "Give a name, id, GUID or %% code.")
    number = re.fullmatch(r"(%{0,2})([0-9]+)", text)
    if number is not None:
        found = _find_number(number[2].lstrip("0") or "0", bool(number[1]), windows, where)
    elif re.fullmatch(r"\{.*\}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        found = _find_guid(text, where)
    else:
        found = _find_words(text, where)
    return _kept(text, found, ip, windows, where)


def resolve(what: str, ip: int | None = None, *, windows: str = "11", where: str = "layers") -> Layer:
    """Exactly one layer, for options such as `--block LAYER`.

    A name, word or code that fits a layer and its discard twin means the layer: who wants to block at the discard
    layer says `_DISCARD`.

    Raises
    ------
    UnknownName : nothing fits, or several layers do; the message lists them.
    """
    found = find(what, ip=ip, windows=windows, where=where)
    plain = tuple(layer for layer in found if not layer.is_discard) or found
    if len(plain) == 1:
        return plain[0]
    names = ", ".join(layer.short_name for layer in plain)
    raise UnknownName(where, f"{what!r} names {len(plain)} layers", f"Candidates: {names}", "Give one of them.")


# ---- look-up, one function per kind of spelling


def _find_number(digits: str, is_code: bool, windows: str, where: str) -> tuple[Layer, ...]:
    number = int(digits[:9])  # longer ones are out of range in any case
    if len(digits) <= 9 and number in LAYER_CODES:
        return tuple(layer for layer in layers() if layer.stem.removesuffix("_DISCARD") in LAYER_CODES[number][1])
    if len(digits) <= 9 and number in OTHER_CODES:
        raise UnknownName(where, f"%%{number} is {OTHER_CODES[number]}, not a layer", "", _code_range())
    if is_code or 14592 <= number < 14700:
        raise UnknownName(where, f"no layer has the message code '%%{digits[:12]}'", "", _code_range())
    if len(digits) > 9:
        raise UnknownName(where, f"no layer has a run-time id of {len(digits)} digits", "", "Ids run from 0 to 98.")
    return (by_runtime_id(number, windows, where),)


def _find_guid(text: str, where: str) -> tuple[Layer, ...]:
    given = text.strip("{} ").lower()
    known = _catalogue().by_guid
    if given not in known:
        # A GUID that differs in many characters is near by chance only.
        near = [la for guid, la in known.items() if sum(a != b for a, b in zip(guid, given, strict=False)) <= 4]
        nearest = f"Did you mean {{{near[0].guid}}}, {near[0].short_name}?" if near else ""
        raise UnknownName(where, f"no layer has the GUID {text!r}", nearest, "See wfp-udp layers for all names")
    return (known[given],)


def _find_words(text: str, where: str) -> tuple[Layer, ...]:
    spelling = _Spelling.of(text)
    cat = _catalogue()
    words = cat.by_words.get(spelling.core, ())
    names = cat.by_core.get(spelling.core, ())
    looks_like_words = not (spelling.has_prefix or spelling.discard or "_" in text or "-" in text or text.isupper())
    if words and (looks_like_words or not names):
        found = [layer for layer in words if layer.is_discard or not spelling.discard]
    else:
        found = [layer for layer in names if layer.is_discard == spelling.discard]
    if not found:
        raise UnknownName.of(where, "layer", text, _nearby_names(spelling, text), "See wfp-udp layers for all names")
    if spelling.ip is None:
        return tuple(found)
    # The layers without version whose `netsh` name has one: "ALE Accept Redirect v4 Layer" is id 83.
    shown = f" v{spelling.ip} "
    kept = tuple(
        layer
        for layer in found
        if layer.ip_version == spelling.ip or (layer.ip_version is None and shown in layer.display_name)
    )
    if not kept:
        names_found = " or ".join(repr(layer.short_name) for layer in found)
        raise UnknownName(where, f"no layer named {text!r} with IPv{spelling.ip}", f"Did you mean {names_found}?")
    return kept


def _kept(text: str, found: tuple[Layer, ...], ip: int | None, windows: str, where: str) -> tuple[Layer, ...]:
    """`found` for one IP version and Windows; an empty answer is an error that says which of them emptied it."""
    there = tuple(layer for layer in found if layer.exists_on(windows))
    if not there:
        first = min(found, key=lambda layer: WINDOWS.index(layer.since))
        raise UnknownName(
            where,
            f"{text!r} does not exist on Windows {windows}",
            f"{first.short_name} exists since {first.since_text}",
            f"Use --windows {first.since} or later",
        )
    kept = tuple(layer for layer in there if ip is None or layer.ip_version in (None, ip))
    if not kept:
        twins = {layer_of(layer.stem, ip).short_name: None for layer in there if ip is not None}
        raise UnknownName(
            where,
            f"{text!r} is an IPv{there[0].ip_version} layer, but IPv{ip} is asked for",
            f"Use {' or '.join(twins)}",
        )
    return kept


class _Spelling(NamedTuple):
    """A name taken apart: what is left without prefix, `ALE`, version, `DISCARD` and "layer"."""

    core: str
    ip: int | None
    discard: bool
    has_prefix: bool

    @classmethod
    def of(cls, text: str) -> _Spelling:
        squeezed = re.sub(r"[^A-Z0-9]+", "", text.upper())
        parts = re.fullmatch(r"(FWP[MS]LAYER)?(ALE)?(.*?)(DISCARD)?(?:(?:IP)?V([46]))?(DISCARD)?(LAYER)?", squeezed)
        assert parts is not None  # every part may be empty
        prefix, ale, core, discard, version, discard_last, layer = parts.groups()
        return cls(core, int(version) if version else None, bool(discard or discard_last), bool(prefix or ale or layer))


def _nearby_names(spelling: _Spelling, text: str) -> Iterable[str]:
    """The names in the spelling of `text`, so that prefixes and versions do not decide what is near."""
    upper = text.upper()
    for layer in layers():
        if layer.is_discard and not spelling.discard:
            continue
        if upper.startswith("FWP"):
            name = layer.fwps_name if upper.startswith("FWPS") else layer.name
        else:
            name = layer.short_name if upper.startswith("ALE") else layer.short_name.removeprefix("ALE_")
        yield name if spelling.ip else name.replace(f"_V{layer.ip_version}", "")
    if not upper.startswith(("FWP", "ALE")):
        yield from (words for words, _ in LAYER_CODES.values())


def _unknown_id(runtime_id: int, windows: str, where: str) -> UnknownName:
    known = [n for layer in layers() if (n := layer.runtime_id_on(windows)) is not None]
    what = f"no layer has run-time id {runtime_id} on Windows {windows}"
    candidates = _catalogue().by_id.get(runtime_id, ())
    if runtime_id <= STABLE_IDS_TO and candidates:
        return UnknownName(where, what, f"{candidates[0].short_name} exists since {candidates[0].since_text}")
    elsewhere = [
        f"{layer.short_name} on Windows {other}"
        for layer in candidates
        for other in ("10", "11")
        if layer.runtime_id_on(other) == runtime_id
    ]
    nearest = f"It is {' and '.join(elsewhere)}" if elsewhere else f"Known ids run from 0 to {max(known)}"
    return UnknownName(where, what, nearest, numbering(windows) if elsewhere else "")


def _code_range() -> str:
    return "Codes of layers lie between %%14596 and %%14642."


def _check_ip(ip: int | None, where: str) -> None:
    if ip is not None and ip not in IP_VERSIONS:
        raise UnknownName.of(where, "IP version", str(ip), map(str, IP_VERSIONS))


def _checked_windows(windows: str) -> str:
    if windows not in WINDOWS:
        raise UnknownName.of("--windows", "Windows version", windows, WINDOWS)
    return windows


# ---- the data, read once and only when asked for


class _Catalogue:
    """The layers and their indexes."""

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        self.layers = layers

    @cached_property
    def by_full_name(self) -> dict[str, Layer]:
        return {name: la for la in self.layers for name in (la.fwpm_name, la.fwps_name) if name}

    @cached_property
    def by_stem(self) -> dict[tuple[str, int | None], Layer]:
        return {(layer.stem, layer.ip_version): layer for layer in self.layers}

    @cached_property
    def by_guid(self) -> dict[str, Layer]:
        return {layer.guid: layer for layer in self.layers}

    @cached_property
    def by_id(self) -> dict[int, tuple[Layer, ...]]:
        """By every number that some build gives a layer."""
        return _grouped((n, la) for la in self.layers for n in (la.runtime_id, la.rs5_id) if n is not None)

    @cached_property
    def by_core(self) -> dict[str, tuple[Layer, ...]]:
        return _grouped((_Spelling.of(n).core, la) for la in self.layers for n in (la.short_name, la.display_name))

    @cached_property
    def by_words(self) -> dict[str, tuple[Layer, ...]]:
        return _grouped(
            (_Spelling.of(words).core, layer)
            for words, stems in LAYER_CODES.values()
            for layer in self.layers
            if layer.stem.removesuffix("_DISCARD") in stems
        )


def _grouped(pairs: Iterable[tuple[K, Layer]]) -> dict[K, tuple[Layer, ...]]:
    groups: dict[K, dict[int, Layer]] = {}
    for key, layer in pairs:
        groups.setdefault(key, {})[layer.runtime_id] = layer
    return {key: tuple(group.values()) for key, group in groups.items()}


@cache
def _code_of_stem() -> dict[str, int]:
    codes: dict[str, int] = {}
    for code, (_, stems) in LAYER_CODES.items():
        for stem in stems:
            codes.setdefault(stem, code)
    return codes


@cache
def _catalogue() -> _Catalogue:
    # Imported here: most of the time that `import fsm.catalogue` would take.
    import csv
    from importlib.resources import files

    text = files("fsm").joinpath("data/layers.csv").read_text(encoding="ascii")
    return _Catalogue(tuple(_layer_of_row(row) for row in csv.DictReader(text.splitlines())))


def _layer_of_row(row: dict[str, str]) -> Layer:
    return Layer(
        runtime_id=int(row["runtime_id"]),
        fwpm_name=row["fwpm_name"],
        fwps_name=row["fwps_name"],
        display_name=row["display_name"],
        guid=row["guid"],
        ip_version=int(row["ip_version"]) if row["ip_version"] else None,
        direction=row["direction"],
        group=row["group"],
        is_discard=row["is_discard"] == "yes",
        discard_twin=row["discard_twin"] or None,
        since=row["since"],
        since_text=row["since_text"],
        classified_per=row["classified_per"],
        may_block=cast(MayBlock, row["may_block"]),
        may_pend=row["may_pend"],
        may_redirect=row["may_redirect"],
        rs5_id=int(row["rs5_id"]) if row["rs5_id"] else None,
        source="; ".join(SOURCES[key] for key in row["source"].split()),
        note=row["note"],
    )
