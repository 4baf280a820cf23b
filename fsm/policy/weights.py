"""Which filter is asked first: effective weights, where nobody has said them by a stated rule; heavier first.

Documented (WGT): a UINT64 weight is used as given; EMPTY gets an automatic weight in [0, 2**60); UINT8 n puts n above
60 automatic bits. How the automatic bits come about is not documented. The rule here is inferred from the dumps in
the project's evidence, where each field owns some bits of the weight and more of them are set the fewer values pass:
fields count in the order of `FIELD_ORDER`, the first most; within one field the smaller set of values counts more;
a filter without conditions gets 0. Equal weights keep the order of the source.
"""

from __future__ import annotations

from collections.abc import Iterable

from fsm.names import Basis

from .fields import PREFIX, canonical
from .model import Condition, Filter, Policy, Value
from .values import BITS
from .well_known import SUBLAYERS

BASIS = Basis.INFERRED
AUTOMATIC_BITS = 60
_STEPS = 7  # of one field: from "every value passes" (0) to "one value passes"
_STEP_BITS = 3
# As the bits lie in the weights of the dumps, highest first; fields that are not here count last, in one group.
FIELD_ORDER: tuple[tuple[str, ...], ...] = (
    ("IP_REMOTE_ADDRESS", "IP_LOCAL_ADDRESS", "IP_SOURCE_ADDRESS", "IP_DESTINATION_ADDRESS"),
    ("EMBEDDED_REMOTE_ADDRESS",),
    ("IP_LOCAL_INTERFACE", "IP_ARRIVAL_INTERFACE", "IP_NEXTHOP_INTERFACE", "IP_FORWARD_INTERFACE"),
    ("IP_PROTOCOL", "EMBEDDED_PROTOCOL"),
    ("IP_LOCAL_PORT", "ORIGINAL_ICMP_TYPE", "EMBEDDED_LOCAL_PORT"),
    ("IP_REMOTE_PORT", "EMBEDDED_REMOTE_PORT"),
    ("ALE_APP_ID", "ALE_PACKAGE_ID", "ALE_ORIGINAL_APP_ID"),
    ("ALE_USER_ID", "ALE_REMOTE_USER_ID", "ALE_REMOTE_MACHINE_ID"),
    ("FLAGS",),
    ("ALE_SIO_FIREWALL_SYSTEM_PORT",),
    ("INTERFACE_TYPE", "ARRIVAL_INTERFACE_TYPE", "NEXTHOP_INTERFACE_TYPE"),
    ("TUNNEL_TYPE", "ARRIVAL_TUNNEL_TYPE", "NEXTHOP_TUNNEL_TYPE"),
    ("DIRECTION", "IP_LOCAL_ADDRESS_TYPE", "IP_DESTINATION_ADDRESS_TYPE"),
    ("CURRENT_PROFILE_ID", "ORIGINAL_PROFILE_ID", "ARRIVAL_INTERFACE_PROFILE_ID", "NEXTHOP_INTERFACE_PROFILE_ID"),
)
_GROUPS = len(FIELD_ORDER) + 1
_GROUP_OF = {PREFIX + name: at for at, names in enumerate(FIELD_ORDER) for name in names}


def effective_weight(one: Filter) -> int:
    """The weight that counts: what the engine said, else what the rule above makes of the weight asked for."""
    if one.effective_weight is not None:
        return one.effective_weight
    if one.weight.type == "UINT64" and one.weight.value is not None:
        return one.weight.value
    range_bits = (one.weight.value or 0) << AUTOMATIC_BITS if one.weight.type == "UINT8" else 0
    return range_bits | automatic_weight(one.conditions)


def weight_range(one: Filter) -> tuple[int, int]:
    """The lowest and highest effective weight that is documented to be possible; both the same where it is known."""
    if not is_inferred(one):
        return effective_weight(one), effective_weight(one)
    low = (one.weight.value or 0) << AUTOMATIC_BITS if one.weight.type == "UINT8" else 0
    return low, low | (1 << AUTOMATIC_BITS) - 1


def is_inferred(one: Filter) -> bool:
    """Whether `effective_weight` rests on the inferred rule."""
    return one.effective_weight is None and one.weight.type != "UINT64"


def effective_order(filters: Iterable[Filter]) -> tuple[Filter, ...]:
    """The filters as they are asked: heaviest first, equals in the order given."""
    return tuple(sorted(filters, key=effective_weight, reverse=True))


def automatic_weight(conditions: Iterable[Condition]) -> int:
    """The inferred automatic weight, in [0, 2**60)."""
    shares: dict[str, float] = {}  # of the values of a field that pass: several conditions on it are one OR
    for condition in conditions:
        field = canonical(condition.field)
        shares[field] = min(1.0, shares.get(field, 0.0) + _share(condition))
    levels = [0] * _GROUPS
    for field, share in shares.items():
        at = _GROUP_OF.get(field, _GROUPS - 1)
        levels[at] = max(levels[at], _STEPS if share <= 0 else round(_STEPS * (1 - share)))
    weight = 0
    for level in levels:
        weight = weight << _STEP_BITS | level
    return weight << AUTOMATIC_BITS - _STEP_BITS * _GROUPS


def _share(condition: Condition) -> float:
    """How much of the field's values pass, on a logarithmic scale: 0 for one value, 1 for all."""
    value = condition.value
    if value.type == "RANGE" and isinstance(value.data, tuple):
        low, high = value.data
        if (
            isinstance(low, Value)
            and isinstance(high, Value)
            and isinstance(low.data, int)
            and isinstance(high.data, int)
        ):
            bits = {"BYTE_ARRAY16": 128, "BYTE_ARRAY6": 48}.get(low.type) or BITS.get(low.type, 64)
            return max(high.data - low.data + 1, 1).bit_length() / (bits + 1) if high.data > low.data else 0.0
        return 0.5
    if value.masked is not None:
        _, mask = value.masked
        return 1 - (mask / 128 if value.type == "V6_ADDR_MASK" else mask.bit_count() / 32)
    if condition.match in ("EQUAL", "EQUAL_CASE_INSENSITIVE", "FLAGS_ALL_SET"):
        return 0.0
    return 0.8 if condition.match in ("NOT_EQUAL", "NOT_PREFIX", "GREATER", "LESS") else 0.4


def sublayer_weights(policy: Policy) -> dict[str, int | None]:
    """{sublayer key: weight} for every sublayer that is listed or that a filter names, heaviest first.

    A dump of filters lists no sublayers: those that Windows brings have the weight seen on a real machine
    (`well_known.SUBLAYERS`), any other has None, which is nobody's place in the order; these come last.
    """
    found: dict[str, int | None] = {one.key: one.weight for one in policy.sublayers}
    for one in policy.filters:
        if one.sublayer not in found:
            known = SUBLAYERS.get(one.sublayer)
            found[one.sublayer] = None if known is None else known[1]
    return dict(sorted(found.items(), key=lambda item: -1 if item[1] is None else item[1], reverse=True))
