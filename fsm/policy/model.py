"""What a policy is made of: providers, sublayers, callouts, filters and classify options. Values only.

Names are Microsoft's without their prefix where a prefix is common to all (`EQUAL`, `UINT16`, `CALLOUT_TERMINATING`,
`CLEAR_ACTION_RIGHT`); layers and condition fields keep their full FWPM names, keys are lower-case GUIDs in braces, or
the FWPM name that `netsh` prints for a well-known one. What a reader does not know stays as it was given: it is
reported, never dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ACTIONS: dict[str, int] = {
    "BLOCK": 0x1001,
    "PERMIT": 0x1002,
    "CALLOUT_TERMINATING": 0x5003,
    "CALLOUT_INSPECTION": 0x6004,
    "CALLOUT_UNKNOWN": 0x4005,
    "CONTINUE": 0x2006,
}
MATCH_TYPES: tuple[str, ...] = (
    "EQUAL",
    "GREATER",
    "LESS",
    "GREATER_OR_EQUAL",
    "LESS_OR_EQUAL",
    "RANGE",
    "FLAGS_ALL_SET",
    "FLAGS_ANY_SET",
    "FLAGS_NONE_SET",
    "EQUAL_CASE_INSENSITIVE",
    "NOT_EQUAL",
    "PREFIX",
    "NOT_PREFIX",
)
# What a callout can be declared to answer at a classify. "unknown" is a callout nobody has described.
ANSWERS: tuple[str, ...] = ("permit", "block", "continue", "absorb", "pend", "redirect", "unknown")


@dataclass(frozen=True, slots=True)
class Value:
    """A condition's value.

    `data` by `type`: UINT8 ... UINT64, INT8 ... INT64: int; V4_ADDR_MASK: (address, mask) as ints; V6_ADDR_MASK:
    (address as int, prefix length); BYTE_ARRAY16, BYTE_ARRAY6: int, big endian; BYTE_BLOB: bytes; SID,
    SECURITY_DESCRIPTOR (as SDDL), UNICODE_STRING: str; RANGE: (low Value, high Value); EMPTY: None; anything else:
    the text as it was given.
    """

    type: str
    data: int | str | bytes | tuple[int, int] | tuple[Value, Value] | None

    @property
    def masked(self) -> tuple[int, int] | None:
        """Address, and its mask (IPv4) or prefix length (IPv6); None for a value that is no such pair."""
        if isinstance(self.data, tuple):
            address, mask = self.data
            if isinstance(address, int) and isinstance(mask, int):
                return address, mask
        return None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a filter. `field` is the full FWPM_CONDITION name, or the GUID of one that nobody named."""

    field: str
    match: str
    value: Value


@dataclass(frozen=True, slots=True)
class Weight:
    """A filter's weight as it was asked for: UINT64 as given, UINT8 a range 0 to 15, EMPTY automatic (WGT)."""

    type: str = "EMPTY"  # EMPTY | UINT8 | UINT64
    value: int | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter. `effective_weight` is what the engine made of `weight` (None where nobody has said)."""

    key: str
    name: str
    layer: str
    sublayer: str
    action: str
    conditions: tuple[Condition, ...] = ()
    weight: Weight = Weight()
    effective_weight: int | None = None
    flags: tuple[str, ...] = ()
    callout: str = ""  # the key of the callout, of callout actions
    provider: str = ""
    description: str = ""
    filter_id: int | None = None  # the run-time id: of one boot only
    raw_context: int | None = None
    provider_context: str = ""
    source: str = ""  # where it was read: "state.xml, line 812"
    provider_data: str = ""  # hex digits, as the provider left them


@dataclass(frozen=True, slots=True)
class Sublayer:
    key: str
    name: str
    weight: int  # 0 to 65535, the heavier is asked first
    provider: str = ""
    flags: tuple[str, ...] = ()
    description: str = ""
    provider_data: str = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a callout is declared to do at a classify.

    `clears_write` says that it takes away FWPS_RIGHT_ACTION_WRITE with its answer, which makes it hard.
    `on_reauthorize` is its answer to a classify with FWP_CONDITION_FLAG_IS_REAUTHORIZE ("" for the same one).
    `checks_injection` says that it permits what it has injected itself. `needs` names what it reads (`process`,
    `payload` ...) and `plans` what it wants to do (`pend`, `absorb`, `redirect`, `clone` ...), for the checks.
    """

    answer: str = "unknown"
    clears_write: bool = False
    on_reauthorize: str = ""
    checks_injection: bool = True
    needs: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Callout:
    key: str
    name: str
    layer: str
    registered: bool | None = None  # None: nobody has said; a state dump lists callouts that were added
    callout_id: int | None = None
    provider: str = ""
    description: str = ""
    behaviour: Behaviour = Behaviour()
    flags: tuple[str, ...] = ()
    provider_data: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    key: str
    name: str
    description: str = ""
    service: str = ""
    flags: tuple[str, ...] = ()
    provider_data: str = ""


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What a provider keeps for its filters. The Windows Firewall keeps the filter origin here.

    `data` holds the hex digits of a general context, `options` the classify options of one that sets them: names
    without FWP_CLASSIFY_OPTION_. Other contents (IPsec policies) are not kept: the reader says so.
    """

    key: str
    name: str
    type: str = ""  # GENERAL_CONTEXT | CLASSIFY_OPTIONS_CONTEXT | IPSEC_... (without FWPM_)
    provider: str = ""
    description: str = ""
    flags: tuple[str, ...] = ()
    context_id: int | None = None
    data: str = ""
    options: tuple[tuple[str, Value], ...] = ()
    provider_data: str = ""

    @property
    def text(self) -> str:
        """`data` as text where it is UTF-16, which is how the firewall writes the filter origin; else empty."""
        try:
            found = bytes.fromhex(self.data).decode("utf-16-le").rstrip("\0")
        except ValueError:
            return ""
        return found if found.isprintable() else ""


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """A layer as a state dump lists it: its run-time id on that machine, and the fields it has there."""

    key: str
    name: str
    layer_id: int | None = None
    default_sublayer: str = ""
    flags: tuple[str, ...] = ()
    fields: tuple[tuple[str, str, str], ...] = ()  # (condition field, data type, kind of field)
    description: str = ""


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """Something in the source that has no place here: where it stands and what it is."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy: what one machine's filter engine holds. Order is the order of the source."""

    filters: tuple[Filter, ...] = ()
    sublayers: tuple[Sublayer, ...] = ()
    callouts: tuple[Callout, ...] = ()
    providers: tuple[Provider, ...] = ()
    options: tuple[tuple[str, str], ...] = ()  # classify options: multicast_state, loose_source_mapping, lifetimes
    source: str = ""  # the file it was read from
    taken_at: str = ""  # when a dump was made, as it says itself
    not_understood: tuple[NotUnderstood, ...] = field(default=())
    contexts: tuple[ProviderContext, ...] = ()
    layers: tuple[LayerEntry, ...] = ()  # of a state dump; empty where the source lists none
    set_aside: tuple[tuple[str, int], ...] = ()  # parts of a dump that are no policy, and how many items each had
