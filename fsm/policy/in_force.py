"""The filters in force, made ready for arbitration: by layer, sublayers and filters with the heaviest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from fsm.policy.checks import known_names
from fsm.policy.match import Groups, groups_of
from fsm.policy.model import Callout, Filter, Policy
from fsm.policy.weights import effective_order, sublayer_weights, weight_range
from fsm.policy.well_known import SUBLAYERS, spelled_key

DEFAULT_SUBLAYER = "FWPM_SUBLAYER_UNIVERSAL"


@dataclass(frozen=True, slots=True)
class Ready:
    """A filter made ready: its conditions as groups."""

    filter: Filter
    groups: Groups
    lightest: int = 0  # the range of effective weights that are possible
    heaviest: int = 0


@dataclass(frozen=True, slots=True)
class ReadySublayer:
    """A sublayer with its filters of one layer, the heaviest first. `weight` is None where nobody has said it.

    `rivals` says that some filters could be asked in another order: of one weight, or of automatic weights.
    """

    key: str
    name: str
    weight: int | None
    filters: tuple[Ready, ...]
    rivals: bool = False


@dataclass(frozen=True, slots=True)
class PolicyIndex:
    """The filters in force, by layer and in the order in which they are asked."""

    policy: Policy
    layers: Mapping[str, tuple[ReadySublayer, ...]]
    callouts: Mapping[str, Callout]
    windows: str
    left_out: tuple[tuple[Filter, str], ...] = ()  # not in force, and why

    def at(self, layer: str) -> tuple[ReadySublayer, ...]:
        """The sublayers with filters at a layer (full FWPM name), the heaviest first."""
        return self.layers.get(layer, ())


def index_policy(policy: Policy, windows: str = "11", *, boot_time: bool = False) -> PolicyIndex:
    """Order a policy for arbitration; once per policy.

    Parameters
    ----------
    boot_time : the time before the Base Filtering Engine runs: boot-time filters and no others. By default the
        running system: all but these (BOP).

    Raises
    ------
    UnknownName : a policy of Python objects names a layer or an action that does not exist.
    """
    by_layer: dict[str, dict[str, list[Filter]]] = {}
    left_out: list[tuple[Filter, str]] = []
    for each in known_names(policy).filters:
        why = _not_in_force(each, boot_time)
        if why:
            left_out.append((each, why))
            continue
        sublayer = spelled_key(each.sublayer or DEFAULT_SUBLAYER)
        by_layer.setdefault(each.layer, {}).setdefault(sublayer, []).append(each)
    names = {spelled_key(sublayer.key): sublayer.name for sublayer in policy.sublayers}
    weights = {spelled_key(key): weight for key, weight in sublayer_weights(policy).items()}
    layers = {
        layer: tuple(
            sorted((_ready(key, filters, names, weights, windows) for key, filters in here.items()), key=_lighter)
        )
        for layer, here in by_layer.items()
    }
    callouts = {spelled_key(callout.key): callout for callout in policy.callouts}
    return PolicyIndex(policy, layers, callouts, windows, tuple(left_out))


def _not_in_force(filter: Filter, boot_time: bool) -> str:
    if "DISABLED" in filter.flags:
        return "it is disabled"
    if "BOOTTIME" in filter.flags and not boot_time:
        return "a boot-time filter, in force only until the Base Filtering Engine runs"
    if boot_time and "BOOTTIME" not in filter.flags:
        return "not a boot-time filter: the Base Filtering Engine does not run yet"
    return ""


def _lighter(sublayer: ReadySublayer) -> int:
    return -(sublayer.weight if sublayer.weight is not None else 1 << 20)


def _ready(
    key: str, filters: list[Filter], names: Mapping[str, str], weights: Mapping[str, int | None], windows: str
) -> ReadySublayer:
    ordered = tuple(Ready(each, groups_of(each, windows), *weight_range(each)) for each in effective_order(filters))
    floor = list(accumulate((ready.lightest for ready in ordered), min))
    rivals = any(ready.heaviest >= lightest for ready, lightest in zip(ordered[1:], floor, strict=False))
    weight = weights.get(key, SUBLAYERS[key][1] if key in SUBLAYERS else None)
    return ReadySublayer(key, names.get(key, key), weight, ordered, rivals)
