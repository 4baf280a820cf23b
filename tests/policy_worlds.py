"""Random policies and datagrams, small enough that everything collides: for the oracle, the engine and the searches.

One generator serves both: `world(random.Random(seed))` for long seeded sweeps, `worlds()` for hypothesis, which
controls and shrinks the choices of the same function. The fields, their types and the layers that offer them are the
documented ones; values come from pools so small that filters match, shadow and contradict each other all the time.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from filter_oracle import EMPTY, condition_holds
from hypothesis import strategies as st

from fsm.policy.model import ACTIONS, ANSWERS, Behaviour, Callout, Condition, Filter, Policy, Sublayer, Value, Weight

C = "FWPM_CONDITION_"
LAYERS = (
    "FWPM_LAYER_ALE_AUTH_CONNECT_V4",
    "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4",
    "FWPM_LAYER_OUTBOUND_TRANSPORT_V4",
    "FWPM_LAYER_ALE_AUTH_CONNECT_V6",
    "FWPM_LAYER_OUTBOUND_ICMP_ERROR_V4",
)
PORTS = tuple(range(50, 58))
NET_4 = 0x0A000000
NET_6 = 0xFD00 << 112
FLAG_BITS = (0x1, 0x2, 0x4, 0x10)
APPS = tuple(
    f"\\device\\harddiskvolume1\\{name}".encode("utf-16-le") + b"\0\0" for name in ("dns.exe", "vpn.exe", "chat.exe")
)
PACKAGES = ("S-1-15-2-1", "S-1-15-2-2")
SECURITY = "O:LSD:(A;;CC;;;S-1-5-32-544)"
ORDERS = ("EQUAL", "NOT_EQUAL", "GREATER", "LESS", "GREATER_OR_EQUAL", "LESS_OR_EQUAL", "RANGE")
FLAGS_MATCHES = ("FLAGS_ALL_SET", "FLAGS_ANY_SET", "FLAGS_NONE_SET", "EQUAL", "NOT_EQUAL")

# Each kind of field: the fields of it that all these layers offer, unless a comment says otherwise.
PORT_FIELDS = (C + "IP_LOCAL_PORT", C + "IP_REMOTE_PORT")  # at the ICMP layers: type and code
ICMP_FIELDS = (C + "ICMP_TYPE", C + "ICMP_CODE")  # their other names; the ICMP layers only
ADDRESS_FIELDS = (C + "IP_LOCAL_ADDRESS", C + "IP_REMOTE_ADDRESS")
PROTOCOL = C + "IP_PROTOCOL"  # all but the ICMP layers
FLAGS = C + "FLAGS"
COMPARTMENT = C + "COMPARTMENT_ID"
LOCAL_INTERFACE = C + "IP_LOCAL_INTERFACE"
APP = C + "ALE_APP_ID"  # the ALE layers only, as are the two below
USER = C + "ALE_USER_ID"
PACKAGE = C + "ALE_PACKAGE_ID"


@dataclass(frozen=True)
class World:
    """A policy and one classify: `values` maps the fields that are known to int, str, bytes or EMPTY."""

    policy: Policy
    layer: str
    values: dict[str, object]
    reauthorize: bool = False


def _sorted_pair(rng: random.Random, pool: tuple[int, ...]) -> tuple[int, int]:
    one, other = rng.choice(pool), rng.choice(pool)
    return min(one, other), max(one, other)


def _ordered(rng: random.Random, field: str, kind: str, pool: tuple[int, ...]) -> Condition:
    match = rng.choice(ORDERS)
    if match == "RANGE":
        low, high = _sorted_pair(rng, pool)
        return Condition(field, match, Value("RANGE", (Value(kind, low), Value(kind, high))))
    return Condition(field, match, Value(kind, rng.choice(pool)))


def _addresses(layer: str) -> tuple[int, ...]:
    net = NET_6 if layer.endswith("V6") else NET_4
    return tuple(net + host for host in range(8))


def _address_condition(rng: random.Random, layer: str) -> Condition:
    field = rng.choice(ADDRESS_FIELDS)
    pool = _addresses(layer)
    if rng.random() < 0.5:
        return _ordered(rng, field, "BYTE_ARRAY16" if layer.endswith("V6") else "UINT32", pool)
    if layer.endswith("V6"):
        prefix = rng.choice((0, 8, 126, 127, 128))
        return Condition(field, "EQUAL", Value("V6_ADDR_MASK", (rng.choice(pool), prefix)))
    mask = rng.choice((0, 0xFF000000, 0xFFFFFFFC, 0xFFFFFFFE, 0xFFFFFFFF))
    return Condition(field, "EQUAL", Value("V4_ADDR_MASK", (rng.choice(pool), mask)))


def condition(rng: random.Random, layer: str, *, only_known: bool = False) -> Condition:
    """A condition that the layer offers, of any documented match type and data type that the field takes."""
    ale = "ALE" in layer
    kind = rng.choice(("port", "port", "address", "address", "protocol", "flags", "number", "app", "token"))
    if kind == "app" and ale:
        return Condition(APP, rng.choice(("EQUAL", "NOT_EQUAL")), Value("BYTE_BLOB", rng.choice(APPS)))
    if kind == "token" and ale and not only_known:
        if rng.random() < 0.5:
            return Condition(USER, "EQUAL", Value("SECURITY_DESCRIPTOR", SECURITY))
        return Condition(PACKAGE, "EQUAL", Value("SID", rng.choice(PACKAGES)))
    if kind == "protocol" and "ICMP" not in layer:
        return Condition(PROTOCOL, rng.choice(("EQUAL", "EQUAL", "NOT_EQUAL")), Value("UINT8", rng.choice((17, 6))))
    if kind == "flags":
        bits = rng.choice(FLAG_BITS) | rng.choice((0, *FLAG_BITS))
        return Condition(FLAGS, rng.choice(FLAGS_MATCHES), Value("UINT32", bits))
    if kind == "number":
        if rng.random() < 0.5:
            return _ordered(rng, COMPARTMENT, "UINT32", (1, 2, 3))
        return _ordered(rng, LOCAL_INTERFACE, "UINT64", (1 << 40, 2 << 40, 3 << 40))
    if kind == "address":
        return _address_condition(rng, layer)
    return _ordered(rng, rng.choice(ICMP_FIELDS if "ICMP" in layer else PORT_FIELDS), "UINT16", PORTS)


def _conditions(
    rng: random.Random, layer: str, towards: Mapping[str, object] | None, *, only_known: bool, scattered: bool
) -> tuple[Condition, ...]:
    found = []
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4))):
        drawn = [condition(rng, layer, only_known=only_known) for _ in range(4)]
        # Conditions at random rarely hold together: most are chosen so that they hold for the datagram at hand.
        holding = [each for each in drawn if towards is not None and condition_holds(each, towards) is not False]
        found.append((holding or drawn)[0] if rng.random() < 0.8 else drawn[0])
    if found and rng.random() < 0.5:  # a second condition on a field that is there, right after it
        at = rng.randrange(len(found))
        others = [condition(rng, layer, only_known=only_known) for _ in range(12)]
        found[at + 1 : at + 1] = [other for other in others if other.field == found[at].field][:1]
    if not scattered:  # conditions on one field stand together
        order = list(dict.fromkeys(each.field for each in found))
        found.sort(key=lambda each: order.index(each.field))
    return tuple(found)


def callout(rng: random.Random, key: str, layer: str, *, certain: bool) -> Callout:
    """A callout with a declared behaviour, or, unless `certain`, one that nobody has described."""
    answers = tuple(a for a in ANSWERS if a != "unknown" and (a != "redirect" or "REDIRECT" in layer))
    said = rng.choice(answers if certain or rng.random() < 0.8 else ("unknown",))
    again = rng.choice(("", "", "permit", "block", "continue")) if said != "unknown" else ""
    if said == "pend":  # a reauthorization cannot be pended: without another answer, nobody knows what it gets
        again = again or "block"
    registered = rng.choice((True, True, True, False) if certain else (True, True, False, None))
    behaviour = Behaviour(said, clears_write=said != "unknown" and rng.random() < 0.4, on_reauthorize=again)
    return Callout(key, f"callout {key}", layer, registered=registered, behaviour=behaviour)


def _flags(rng: random.Random, action: str) -> tuple[str, ...]:
    flags = []
    if rng.random() < 0.3:
        flags.append("CLEAR_ACTION_RIGHT")
    if action in ("CALLOUT_TERMINATING", "CALLOUT_UNKNOWN") and rng.random() < 0.4:
        flags.append("PERMIT_IF_CALLOUT_UNREGISTERED")
    if rng.random() < 0.07:
        flags.append("DISABLED")
    if rng.random() < 0.07:
        flags.append("BOOTTIME")
    return tuple(flags)


def _weight(rng: random.Random, number: int, *, ordered: bool) -> tuple[Weight, int | None]:
    if ordered:  # every weight is of its own
        return Weight("UINT64", 1000 + number), rng.choice((None, 1000 + number))
    kind = rng.choice(("effective", "UINT64", "UINT64", "UINT8", "EMPTY"))
    if kind == "effective":
        return Weight(), rng.choice((7, 8, 9 << 60))
    if kind == "UINT64":
        return Weight("UINT64", rng.choice((7, 8, 9, 3 << 60, 9 << 60))), None
    return (Weight("UINT8", rng.choice((0, 3, 9))), None) if kind == "UINT8" else (Weight(), None)


def policy(
    rng: random.Random,
    *,
    certain: bool = False,
    ordered: bool = False,
    scattered: bool = False,
    layers: tuple[str, ...] = LAYERS[:1],
    most_filters: int = 6,
    towards: Mapping[str, object] | None = None,
) -> Policy:
    """A policy for some layers. `certain`: no unknown callouts, no conditions that nobody can evaluate, and `ordered`.

    `ordered`: no two filters and no two sublayers have one weight. `scattered`: conditions on one field stand apart.
    `towards` are the values of a datagram that many of its conditions shall hold for.
    """
    ordered = ordered or certain
    weights = rng.sample(range(1, 9), 4) if ordered else [rng.choice((1, 2, 2, 3)) for _ in range(4)]
    sublayers = tuple(
        Sublayer(f"{{5ab00000-0000-0000-0000-00000000000{n}}}", f"sublayer {n}", weights[n])
        for n in range(rng.choice((1, 2, 3, 3, 4)))
    )
    callouts = tuple(
        callout(rng, f"{{ca110000-0000-0000-0000-0000000000{number:02}}}", layer, certain=certain)
        for number, layer in enumerate(layers * 3)
    )
    filters = []
    for number in rng.sample(range(most_filters), rng.randint(0, most_filters)):
        layer = rng.choice(layers)
        action = rng.choice((*ACTIONS, "BLOCK", "PERMIT", "BLOCK", "PERMIT"))
        weight, effective = _weight(rng, number, ordered=ordered)
        called = rng.choice([c for c in callouts if c.layer == layer]).key if action.startswith("CALLOUT") else ""
        filters.append(
            Filter(
                key=f"{{f1170000-0000-0000-0000-0000000000{number:02}}}",
                name=f"filter {number}",
                layer=layer,
                sublayer=rng.choice(sublayers).key,
                action=action,
                conditions=_conditions(rng, layer, towards, only_known=certain, scattered=scattered),
                weight=weight,
                effective_weight=effective,
                flags=_flags(rng, action),
                callout=called,
                filter_id=100 + number,
            )
        )
    return Policy(filters=tuple(filters), sublayers=sublayers, callouts=callouts)


def datum(rng: random.Random, layer: str, *, certain: bool = False, empty: bool = True) -> dict[str, object]:
    """The values of one classify. Unless `certain`, some fields are unknown; with `empty`, some are FWP_EMPTY."""
    values: dict[str, object] = {
        FLAGS: rng.choice((0, *FLAG_BITS)) | rng.choice((0, *FLAG_BITS)),
        COMPARTMENT: rng.choice((1, 2, 3)),
        LOCAL_INTERFACE: rng.choice((1 << 40, 2 << 40, 3 << 40)),
    }
    values |= {field: rng.choice(PORTS) for field in PORT_FIELDS}
    values |= {field: rng.choice(_addresses(layer)) for field in ADDRESS_FIELDS}
    if "ICMP" not in layer:
        values[PROTOCOL] = rng.choice((17, 17, 17, 6))
    if "ALE" in layer:
        values |= {APP: rng.choice(APPS), PACKAGE: rng.choice(PACKAGES)}
    if not certain:
        for field in list(values):
            if rng.random() < 0.08:
                del values[field]
            elif empty and field != PROTOCOL and rng.random() < 0.06:
                values[field] = EMPTY
    return values


def world(
    rng: random.Random,
    *,
    certain: bool = False,
    ordered: bool = False,
    scattered: bool = False,
    empty: bool = True,
) -> World:
    """One policy and one classify at one layer."""
    layer = rng.choice(LAYERS)
    values = datum(rng, layer, certain=certain, empty=empty)
    made = policy(rng, certain=certain, ordered=ordered, scattered=scattered, layers=(layer,), towards=values)
    return World(made, layer, values, reauthorize="CONNECT" in layer and rng.random() < 0.25)


def worlds(
    *, certain: bool = False, ordered: bool = False, scattered: bool = False, empty: bool = True
) -> st.SearchStrategy[World]:
    """The same worlds, as a strategy that shrinks."""
    return st.randoms(use_true_random=False).map(
        lambda rng: world(rng, certain=certain, ordered=ordered, scattered=scattered, empty=empty)
    )
