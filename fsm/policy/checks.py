"""What is wrong with single filters: fields that a layer does not offer, types and match types that do not go together.

In a policy file and in Python objects these are mistakes; in what a machine really holds they are notes, since the
engine has accepted it and the documents are behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fsm.catalogue import Layer, by_name, layers
from fsm.errors import UnknownName

from .errors import PolicyError
from .fields import FIELDS, MATCHES, canonical, layers_offering, offered
from .model import ACTIONS, ANSWERS, Condition, Filter, NotUnderstood, Policy, Value
from .well_known import NAMES

_LAYERS = frozenset(layer.name for layer in layers())
_CALLOUT_ACTIONS = ("CALLOUT_TERMINATING", "CALLOUT_INSPECTION", "CALLOUT_UNKNOWN")
_PARTLY_KNOWN = ("SECURITY_DESCRIPTOR", "TOKEN_INFORMATION", "TOKEN_ACCESS_INFORMATION")


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake in one condition (by its index) or in the filter (None)."""

    condition: int | None
    what: str
    nearest: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class NotEvaluable:
    """A condition that cannot be decided from a datagram and its circumstances, or not from them alone."""

    filter: str
    field: str
    why: str


def condition_findings(one: Filter, listed: frozenset[str] | None = None) -> Iterator[Finding]:
    """What does not fit the layer of the filter, condition by condition.

    Parameters
    ----------
    listed : canonical names of the fields that the machine itself lists for that layer, beside the documents.
    """
    layer = by_name(one.layer) if one.layer in _LAYERS else None
    for at, condition in enumerate(one.conditions):
        field = FIELDS.get(condition.field)
        if field is not None and layer is not None:
            known = offered(layer.name) | (listed or frozenset())
            if known and field.canonical not in known:
                yield Finding(at, *_not_offered(condition.field, layer))
                continue
        yield from _type_findings(at, condition, layer)


def _not_offered(name: str, layer: Layer) -> tuple[str, str, str]:
    same = [la.removeprefix("FWPM_LAYER_") for la in layers_offering(name)]
    version = [la for la in same if f"V{layer.ip_version}" in la.split("_")] or same
    plain = [la for la in version if not la.endswith("_DISCARD")] or version
    shown = ", ".join(plain[:12]) + (f" ... ({len(same)} layers in all)" if len(same) > len(plain[:12]) else "")
    what = f"{layer.short_name} does not offer {name.removeprefix('FWPM_CONDITION_')}"
    return what, f"Offered at: {shown}" if same else "No documented layer offers it", ""


def _type_findings(at: int, condition: Condition, layer: Layer | None) -> Iterator[Finding]:
    value, match = condition.value, condition.match
    name = condition.field.removeprefix("FWPM_CONDITION_")
    if match in MATCHES:
        takes = MATCHES[match]
        if value.type == "RANGE" and match != "RANGE":
            yield Finding(at, f"{match} does not take a RANGE (FWP_E_MATCH_TYPE_MISMATCH)", "Allowed: RANGE")
            return
        if takes is not None and value.type not in takes:
            yield Finding(at, f"{match} does not take a {value.type} (FWP_E_MATCH_TYPE_MISMATCH)",
                          f"Allowed: {', '.join(takes)}")  # fmt: skip
            return
    field = FIELDS.get(condition.field)
    if field is None:
        return
    allowed = field.value_types(layer.ip_version if layer else None)
    singles = value.data if value.type == "RANGE" and isinstance(value.data, tuple) else (value,)
    for single in singles:
        if not isinstance(single, Value) or single.type == "EMPTY":
            continue
        if single.type not in allowed:
            at_layer = f" at {layer.short_name}" if layer and field.is_address else ""
            yield Finding(at, f"{name}{at_layer} is not compared with a {single.type} (FWP_E_TYPE_MISMATCH)",
                          f"Allowed: {', '.join(allowed)}")  # fmt: skip
            return


def filter_findings(one: Filter) -> Iterator[Finding]:
    """What is wrong with the filter itself."""
    if one.action not in ACTIONS:
        error = UnknownName.of("", "action", one.action, ACTIONS)
        yield Finding(None, error.what, error.nearest)
    if one.action in _CALLOUT_ACTIONS and not one.callout:
        yield Finding(None, f"action {one.action} without a callout")
    if one.weight.type == "UINT8" and not (one.weight.value is not None and 0 <= one.weight.value <= 15):
        yield Finding(None, f"weight range {one.weight.value} (FWP_E_INVALID_WEIGHT)", "Allowed: 0 to 15")
    if "PERMIT_IF_CALLOUT_UNREGISTERED" in one.flags and one.action not in ("CALLOUT_TERMINATING", "CALLOUT_UNKNOWN"):
        yield Finding(None, f"flag PERMIT_IF_CALLOUT_UNREGISTERED with action {one.action}",
                      "Allowed with: CALLOUT_TERMINATING, CALLOUT_UNKNOWN")  # fmt: skip
    if "BOOTTIME" in one.flags and "PERSISTENT" in one.flags:
        yield Finding(None, "flags BOOTTIME and PERSISTENT in one filter", "", "Make two filters of it")


def listed_fields(policy: Policy) -> dict[str, frozenset[str]]:
    """{layer: canonical names of the fields that the dump itself lists for it}."""
    return {one.key: frozenset(canonical(name) for name, _, _ in one.fields) for one in policy.layers}


def notes(policy: Policy) -> tuple[NotUnderstood, ...]:
    """What of the policy goes against the documents: where, and what."""
    listed = listed_fields(policy)
    found = []
    for one in policy.filters:
        for finding in (*filter_findings(one), *condition_findings(one, listed.get(one.layer))):
            found.append(NotUnderstood(_where(one), f"{finding.what}. {finding.nearest}".removesuffix(". ")))
    return tuple(found)


def checked(policy: Policy) -> Policy:
    """The same policy, if nothing in it is wrong: for policies built from Python objects.

    Raises
    ------
    PolicyError : the first mistake, in one line.
    """
    sublayers = {one.key for one in policy.sublayers}
    callouts = {one.key: one for one in policy.callouts}
    for sublayer in policy.sublayers:
        if not 0 <= sublayer.weight <= 65535:
            raise PolicyError(f"sublayer {sublayer.key}", f"weight {sublayer.weight}", "Allowed: 0 to 65535")
    for callout in policy.callouts:
        for answer in (callout.behaviour.answer, callout.behaviour.on_reauthorize or "unknown"):
            if answer not in ANSWERS:
                raise UnknownName.of(f"callout {callout.key}", "answer", answer, ANSWERS)
    listed = listed_fields(policy)
    known_layers = _LAYERS | listed.keys()
    keys: set[str] = set()
    for one in policy.filters:
        where = _where(one)
        if one.key in keys:
            raise PolicyError(
                where, f"a second filter with the key {one.key!r}", "", "Give each filter a key of its own"
            )
        keys.add(one.key)
        _check_layer(one, known_layers)
        if one.sublayer not in sublayers and one.sublayer not in NAMES:
            raise UnknownName.of(where, "sublayer", one.sublayer, (*sublayers, *NAMES), "Add it to sublayers")
        if one.callout and one.callout not in callouts and one.callout not in NAMES:
            raise UnknownName.of(where, "callout", one.callout, callouts, "Add it to callouts")
        for finding in (*filter_findings(one), *condition_findings(one, listed.get(one.layer))):
            at = "" if finding.condition is None else f", condition {finding.condition + 1}"
            raise PolicyError(where + at, finding.what, finding.nearest, finding.fix)
    return policy


def known_names(policy: Policy) -> Policy:
    """The same policy, if all layers and actions in it exist: a filter at no layer would let everything pass unseen.

    What a machine or a file says is taken as it is: the engine, or the reader, has accepted it.

    Raises
    ------
    UnknownName : the first layer or action that does not exist.
    """
    if not policy.source:
        known_layers = _LAYERS | {entry.key for entry in policy.layers}
        for one in policy.filters:
            _check_layer(one, known_layers)
            if one.action not in ACTIONS:
                raise UnknownName.of(_where(one), "action", one.action, ACTIONS)
    return policy


def _check_layer(one: Filter, known: frozenset[str]) -> None:
    if one.layer not in known:
        raise UnknownName.of(_where(one), "layer", one.layer, known, "Use the full FWPM name")


def _where(one: Filter) -> str:
    return f"filter {one.key}" + (f" ({one.source})" if one.source else "")


def not_evaluable(policy: Policy) -> tuple[NotEvaluable, ...]:
    """Every condition that the model cannot decide, or not without being told who the user is."""
    found = []
    for one in policy.filters:
        for condition in one.conditions:
            why = _why_not(condition)
            if why:
                found.append(NotEvaluable(one.key, condition.field, why))
    return tuple(found)


def _why_not(condition: Condition) -> str:
    value = condition.value
    if condition.field not in FIELDS:
        return "nobody has documented this field"
    if condition.match not in MATCHES:
        return f"nobody has documented the match type {condition.match}"
    if value.type in _PARTLY_KNOWN:
        return "depends on the token of the user or machine, which a datagram does not tell"
    if value.type == "SID":
        return "depends on the package of the program, which a datagram does not tell"
    parts = value.data if value.type == "RANGE" and isinstance(value.data, tuple) else (value,)
    if any(not isinstance(part, Value) or _is_raw(part) for part in parts):
        return f"the value of type {value.type} was not understood"
    return ""


def _is_raw(value: Value) -> bool:
    if value.type in ("UNICODE_STRING", "SID", "SECURITY_DESCRIPTOR", "EMPTY"):
        return False
    if value.type == "BYTE_BLOB":
        return not isinstance(value.data, bytes)
    if value.type in ("V4_ADDR_MASK", "V6_ADDR_MASK", "RANGE"):
        return not isinstance(value.data, tuple)
    return not isinstance(value.data, int)
