"""What is in a policy, as counts and as text for people. ASCII only."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from fsm.catalogue import by_name, layers
from fsm.counts import counted

from .checks import not_evaluable, notes
from .model import Filter, Policy
from .weights import effective_order, sublayer_weights

WIDTH = 100
SHOWN = 12  # items of a list before "and N more"
_ORDER = {layer.name: layer.runtime_id for layer in layers()}


def only_layers(policy: Policy, names: Iterable[str]) -> Policy:
    """The policy with the filters and callouts of these layers (full names) only; everything else stays."""
    wanted = frozenset(names)
    return replace(
        policy,
        filters=tuple(one for one in policy.filters if one.layer in wanted),
        callouts=tuple(one for one in policy.callouts if one.layer in wanted),
        layers=tuple(one for one in policy.layers if one.key in wanted),
    )


def by_layer(policy: Policy) -> dict[str, int]:
    """{layer: filters}, in run-time id order; layers that nobody has documented last."""
    counts = Counter(one.layer for one in policy.filters)
    return {name: counts[name] for name in sorted(counts, key=lambda name: (_ORDER.get(name, 1000), name))}


def by_action(policy: Policy) -> dict[str, int]:
    """{action: filters}, the most frequent first."""
    return dict(Counter(one.action for one in policy.filters).most_common())


def summary_json(policy: Policy) -> dict[str, Any]:
    """The summary as one JSON object; counts, the sublayers in the order they are asked, and the accounts."""
    weights = sublayer_weights(policy)
    in_sublayer = Counter(one.sublayer for one in policy.filters)
    names = {one.key: one.name for one in policy.sublayers}
    return {
        "source": policy.source,
        "taken_at": policy.taken_at or None,
        "filters": len(policy.filters),
        "by_layer": by_layer(policy),
        "by_action": by_action(policy),
        "sublayers": len(policy.sublayers) + _repeated(policy, "sublayer"),
        "callouts": len(policy.callouts) + _repeated(policy, "callout"),
        "providers": len(policy.providers) + _repeated(policy, "provider"),
        "provider_contexts": len(policy.contexts),
        "layers": len(policy.layers),
        "sublayers_by_weight": [
            {"key": key, "name": names.get(key), "weight": weight, "filters": in_sublayer[key]}
            for key, weight in weights.items()
        ],
        "options": dict(policy.options),
        "not_evaluable": [{"filter": one.filter, "field": one.field, "why": one.why} for one in not_evaluable(policy)],
        "notes": [{"where": one.where, "what": one.what} for one in notes(policy)],
        "read": {
            "set_aside": dict(policy.set_aside),
            "not_understood": [{"where": one.where, "what": one.what} for one in policy.not_understood],
        },
    }


def summary_text(policy: Policy, *, details: bool) -> str:
    """The summary for people.

    Parameters
    ----------
    details : list the filters too, in the order they are asked (for one layer, not for a whole machine).
    """
    lines = [f"{_ascii(policy.source)}" + (f", taken at {policy.taken_at}" if policy.taken_at else "")]
    layers_used = len({one.layer for one in policy.filters})
    listed = [
        ("sublayer", len(policy.sublayers)),
        ("callout", len(policy.callouts)),
        ("provider", len(policy.providers)),
    ]
    shown = [_listed(number, word, _repeated(policy, word)) for word, number in listed]
    lines.append(f"{counted(len(policy.filters), 'filter')} on {counted(layers_used, 'layer')}; {', '.join(shown)}")
    actions = ", ".join(f"{number} {action.lower()}" for action, number in by_action(policy).items())
    if actions:
        lines.append(f"Actions: {actions}")
    if policy.options:
        lines.append("Options: " + ", ".join(f"{name} = {value}" for name, value in policy.options))
    lines += _layers_text(policy)
    lines += _sublayers_text(policy, details)
    lines += _open_text(policy)
    lines += _accounts_text(policy)
    return "\n".join(map(_ascii, lines))


def _layers_text(policy: Policy) -> list[str]:
    counts = by_layer(policy)
    if not counts:
        return []
    actions: dict[str, Counter[str]] = {}
    for one in policy.filters:
        actions.setdefault(one.layer, Counter())[one.action] += 1
    width = max(len(_short_layer(name)) for name in counts)
    lines = ["", "Filters per layer"]
    for name, number in counts.items():
        found = actions[name]
        parts = ", ".join(f"{found[action]} {action.lower()}" for action in sorted(found, key=lambda a: (-found[a], a)))
        lines.append(f"  {_short_layer(name):<{width}}  {number:>5}  {parts}")
    return lines


def _sublayers_text(policy: Policy, details: bool) -> list[str]:
    names = {one.key: one.name for one in policy.sublayers}
    lines = ["", "Sublayers, the heaviest is asked first"]
    empty = 0
    for key, weight in sublayer_weights(policy).items():
        inside = [one for one in policy.filters if one.sublayer == key]
        if not inside:
            empty += 1
            continue
        said = "" if key in names else " (not listed here; the weight is Windows' own)"
        if weight is None:
            said = " (not listed here, so its weight is not known)"
        shown = "    ?" if weight is None else f"{weight:>5}"
        title = names.get(key, "")
        lines.append(f"  {shown}  {_short_key(key)}" + (f"  {_ascii(title)}" if title and title != key else "") + said)
        counts = Counter(one.layer for one in inside)
        if details:
            for layer in sorted(counts, key=lambda name: (_ORDER.get(name, 1000), name)):
                lines.append(f"         {_short_layer(layer)}")
                lines += _filters_text(one for one in inside if one.layer == layer)
        else:
            per_layer = [
                f"{_short_layer(layer)}\0{counts[layer]}"  # name and number stay on one line
                for layer in sorted(counts, key=lambda name: (_ORDER.get(name, 1000), name))
            ]
            wrapped = textwrap.wrap(
                ", ".join(per_layer), WIDTH, initial_indent=" " * 9, subsequent_indent=" " * 9, break_on_hyphens=False
            )
            lines += [line.replace("\0", " ") for line in wrapped]
    if empty:
        lines.append(f"         and {counted(empty, 'sublayer')} without a filter here")
    return lines if len(lines) > 2 else []


def _filters_text(filters: Iterable[Filter]) -> list[str]:
    from .toml_conditions import when_table
    from .toml_write import _value

    lines = []
    for one in effective_order(filters):
        table = when_table(one.conditions)
        if table is None:
            when = f"{counted(len(one.conditions), 'condition')}: " + ", ".join(
                condition.field.removeprefix("FWPM_CONDITION_") for condition in one.conditions
            )
        else:
            when = " and ".join(f"{key} = {_value(value)}" for key, value in table.items()) or "always"
        action = one.action.lower() + (f" {_short_key(one.callout)}" if one.callout else "")
        marks = ", hard" if "CLEAR_ACTION_RIGHT" in one.flags else ""
        text = f"{action}{marks}: {when}"
        lines += textwrap.wrap(
            f"{_ascii(one.name)[:60]}: {_ascii(text)}",
            WIDTH,
            initial_indent=" " * 11,
            subsequent_indent=" " * 15,
            break_on_hyphens=False,
        )
    return lines


def _open_text(policy: Policy) -> list[str]:
    found = Counter((one.field.removeprefix("FWPM_CONDITION_"), one.why) for one in not_evaluable(policy))
    if not found:
        return []
    lines = ["", f"Conditions that a datagram alone cannot decide: {sum(found.values())}"]
    lines += [f"  {number:>5}  {field}: {why}" for (field, why), number in found.most_common(SHOWN)]
    return lines


def _accounts_text(policy: Policy) -> list[str]:
    against = Counter(one.what for one in notes(policy))
    lines = []
    if against:
        lines += ["", f"Against the documents: {sum(against.values())}"]
        for what, number in against.most_common(SHOWN):
            lines += textwrap.wrap(
                f"{number} x {_ascii(what)}",
                WIDTH,
                initial_indent="  ",
                subsequent_indent="    ",
                break_on_hyphens=False,
            )
    aside = [f"{name} {number}" for name, number in policy.set_aside if number]
    if aside:
        lines += ["", "Set aside, no part of a policy (items)"]
        lines += textwrap.wrap(", ".join(aside), WIDTH, initial_indent="  ", subsequent_indent="  ")
    if policy.not_understood:
        lines += ["", f"Not understood: {counted(len(policy.not_understood), 'kind')}"]
        for one in policy.not_understood[:SHOWN]:
            lines.append(f"  {_ascii(one.where)}: {_ascii(one.what)}")
        if len(policy.not_understood) > SHOWN:
            lines.append(f"  and {len(policy.not_understood) - SHOWN} more (--format json lists all)")
    else:
        lines += ["", "Everything else was understood." if aside else "Everything was understood."]
    return lines


def _repeated(policy: Policy, kind: str) -> int:
    """How many of a kind the source lists again, word for word: they are counted as listed, and kept once."""
    return dict(policy.set_aside).get(f"repeated {kind}", 0)


def _listed(number: int, word: str, repeated: int) -> str:
    return counted(number + repeated, word) + (f" ({repeated} of them listed again)" if repeated else "")


def _short_layer(name: str) -> str:
    return by_name(name).short_name if name in _ORDER else _ascii(name.removeprefix("FWPM_LAYER_"))


def _short_key(key: str) -> str:
    return _ascii(key.removeprefix("FWPM_SUBLAYER_").removeprefix("FWPM_CALLOUT_"))


def _ascii(text: str) -> str:
    """Names are of any language: what is not ASCII is escaped, so that every pipe takes it."""
    return "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode() for c in text)
