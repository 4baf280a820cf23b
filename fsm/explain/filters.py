"""Filter ids of a log looked up in a policy: which filter it was, and whether the ids are of this policy at all.

Ids are given anew at each start of Windows, so an id alone proves nothing: layer, action and key of the filter are
compared with what the records show, and a policy that does not fit is said to. Memory is bounded by `LIMIT_IDS`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fsm.explain.reading import layer_with_id, verdict_of
from fsm.logs.event import LogEvent
from fsm.policy.model import Filter, Policy
from fsm.policy.well_known import spelled_key

FILTER_CHANGED = 5447  # "A Windows Filtering Platform filter has been changed": it names id, key and layer
LIMIT_IDS = 20_000  # different ids of a host that are kept
SHOWN = 3  # contradictions that are told
_DONE = {"BLOCK": "block", "PERMIT": "permit"}
# A later finding takes the place of an earlier one of lower rank.
ABSENT, UNCHECKED, FITS, CONTRADICTS = "absent", "unchecked", "fits", "contradicts"
_RANK = {ABSENT: 0, UNCHECKED: 1, FITS: 2, CONTRADICTS: 3}


@dataclass(frozen=True, slots=True)
class FilterSeen:
    """The filter behind one id of a record, as the policy has it.

    `finding` is "fits", "contradicts", "absent" (no filter of the policy has the id) or "unchecked" (it has, and the
    record tells nothing to compare); `why` says what was compared.
    """

    filter_id: int
    finding: str
    why: str
    filter: Filter | None = None
    sublayer: str = ""
    provider: str = ""
    callout: str = ""
    origin: str = ""

    def json(self) -> dict[str, Any]:
        """As printed; a filter that contradicts the record is not named."""
        one = self.filter if self.finding in (FITS, UNCHECKED) else None
        return {
            "id": self.filter_id,
            "finding": self.finding,
            "why": self.why,
            "name": one.name if one else None,
            "key": one.key if one else None,
            "layer": one.layer if one else None,
            "action": one.action if one else None,
            "sublayer": (self.sublayer or None) if one else None,
            "provider": (self.provider or None) if one else None,
            "callout": (self.callout or None) if one else None,
            "origin": (self.origin or None) if one else None,
        }

    def text(self) -> str:
        """`70764 'Query User Default' (block), sublayer X, provider Y, origin 'Z'`."""
        if self.filter is None:
            return f"{self.filter_id}: {self.why}"
        parts = [f"{self.filter_id} '{self.filter.name}' ({self.filter.action.lower()})"]
        parts += [f"{word} {name}" for word, name in self._named() if name]
        return ", ".join(parts)

    def _named(self) -> tuple[tuple[str, str], ...]:
        return (
            ("sublayer", self.sublayer),
            ("provider", self.provider),
            ("callout", self.callout),
            ("origin", f"'{self.origin}'" if self.origin else ""),
        )


@dataclass(slots=True)
class Fit:
    """How the ids of one host fit the policy."""

    host: str
    findings: dict[int, str] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    incidents: Counter[int] = field(default_factory=Counter)
    left_out: int = 0  # looked up, and not kept

    def count(self, finding: str) -> int:
        """How many different ids have this finding."""
        return sum(found == finding for found in self.findings.values())

    @property
    def verdict(self) -> str:
        """ "fits", "does not fit" or "cannot tell"."""
        fits, against, absent = self.count(FITS), self.count(CONTRADICTS), self.count(ABSENT)
        if fits == 0:
            return "does not fit" if against or absent else "cannot tell"
        if against >= fits:
            return "does not fit"
        return "fits" if not against and fits >= absent else "cannot tell"

    @property
    def why(self) -> str:
        """The verdict in a sentence."""
        absent, against = self.count(ABSENT), self.count(CONTRADICTS)
        if self.verdict == "fits":
            gone = f"; {absent} not in it: those filters were added after it, or removed before" if absent else ""
            return f"layer, action or key of the filters agree with the records{gone}"
        if self.verdict == "cannot tell":
            return "too few ids can be compared" if not against else "some ids agree and some contradict"
        other = "another machine, or another start of Windows"
        if not against:
            return f"none of the ids is in it: {other}, or filters added after it or removed before; none is named"
        return f"filters of the same ids are others there: {other}; no filter is named"

    def json(self) -> dict[str, Any]:
        """As printed."""
        return {
            "host": self.host,
            "verdict": self.verdict,
            "why": self.why,
            "ids": len(self.findings),
            **{name: self.count(name) for name in (FITS, CONTRADICTS, ABSENT, UNCHECKED)},
            "ids_left_out": self.left_out,
            "contradictions": self.contradictions,
        }


class FilterBook:
    """A policy by the run-time ids of its filters; `meet` every record, `seen` names the filter of one."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.fits: dict[str, Fit] = {}
        self._filters = {one.filter_id: one for one in policy.filters if one.filter_id is not None}
        self._layers = {entry.layer_id: entry.key for entry in policy.layers if entry.layer_id is not None}
        self._sublayers = {spelled_key(one.key): one.name for one in policy.sublayers}
        self._providers = {spelled_key(one.key): one.name for one in policy.providers}
        self._callouts = {spelled_key(one.key): one.name for one in policy.callouts}
        self._origins = {spelled_key(one.key): one.text or one.name for one in policy.contexts}

    def __len__(self) -> int:
        return len(self._filters)

    def meet(self, event: LogEvent, host: str) -> None:
        """Take a record as evidence for or against the policy, whatever it is about."""
        fit = self.fits.get(host)
        if fit is None:
            fit = self.fits[host] = Fit(event.host or host)
        for seen in self._all_of(event):
            known = fit.findings.get(seen.filter_id)
            if known is None and len(fit.findings) >= LIMIT_IDS:
                fit.left_out += 1
                continue
            if known is None or _RANK[seen.finding] > _RANK[known]:
                fit.findings[seen.filter_id] = seen.finding
                if seen.finding == CONTRADICTS and len(fit.contradictions) < SHOWN:
                    fit.contradictions.append(f"{seen.why} (record {event.record} of {event.source})")

    def count(self, event: LogEvent, host: str) -> None:
        """One incident more for the filter of a record."""
        fit = self.fits[host]
        if event.filter_id and event.filter_id in fit.findings:
            fit.incidents[event.filter_id] += 1

    def seen(self, event: LogEvent) -> FilterSeen | None:
        """The filter that the record names; None where it names none (0 is no filter)."""
        return next(self._all_of(event, only_deciding=True), None)

    def names(self, filter_id: int) -> FilterSeen:
        """The filter of an id, without anything to compare."""
        return self._named(filter_id, UNCHECKED, "")

    def _all_of(self, event: LogEvent, only_deciding: bool = False) -> Iterator[FilterSeen]:
        layer, key = self._layer(event), ""
        if event.event_id == FILTER_CHANGED:
            key = _key(event.extra.get("FilterKey", ""))
        if event.filter_id:
            yield self._compared(event.filter_id, layer, verdict_of(event) or "", key)
        if only_deciding:
            return
        for filter_id, action in _terminating(event):
            if filter_id != event.filter_id:
                yield self._compared(filter_id, layer, action, "")

    def _layer(self, event: LogEvent) -> str:
        """The layer of a record, as this machine numbers layers where the dump says so."""
        if event.runtime_id in self._layers:
            return self._layers[event.runtime_id]
        layer = layer_with_id(event.runtime_id)
        return layer.name if layer else ""

    def _compared(self, filter_id: int, layer: str, verdict: str, key: str) -> FilterSeen:
        one = self._filters.get(filter_id)
        if one is None:
            return FilterSeen(filter_id, ABSENT, "no filter of the policy has this id")
        known = one.layer.startswith("FWPM_LAYER_") and bool(layer)
        decided = _DONE.get(one.action, "")
        if key and spelled_key(one.key) != key:
            return self._named(filter_id, CONTRADICTS, f"filter {filter_id} has the key {one.key}, in the log {key}")
        if known and one.layer != layer:
            at = f"filter {filter_id} is at {_short(one.layer)}, the record at {_short(layer)}"
            return self._named(filter_id, CONTRADICTS, at)
        if decided and verdict in _DONE.values() and decided != verdict:
            what = f"filter {filter_id} is a {decided}, the record a {verdict}"
            return self._named(filter_id, CONTRADICTS, what)
        if key:
            return self._named(filter_id, FITS, "key and layer agree")
        if known:
            agreed = decided and verdict in _DONE.values()
            return self._named(filter_id, FITS, "layer and action agree" if agreed else "the layer agrees")
        return self._named(filter_id, UNCHECKED, "the record tells nothing to compare")

    def _named(self, filter_id: int, finding: str, why: str) -> FilterSeen:
        one = self._filters[filter_id]
        return FilterSeen(
            filter_id,
            finding,
            why,
            one,
            self._name(self._sublayers, one.sublayer),
            self._name(self._providers, one.provider),
            self._name(self._callouts, one.callout),
            self._origins.get(spelled_key(one.provider_context), "") if one.provider_context else "",
        )

    @staticmethod
    def _name(names: dict[str, str], key: str) -> str:
        return (names.get(spelled_key(key)) or key) if key else ""

    def json(self) -> dict[str, Any]:
        """What came of it, by host, with the filters that decided; those of a host that does not fit have no names."""
        return {
            "source": self.policy.source,
            "taken_at": self.policy.taken_at or None,
            "filters": len(self),
            "hosts": [fit.json() for fit in self.fits.values()],
            "decided": [
                {"host": fit.host, "incidents": count, **self._decided(fit, filter_id).json()}
                for fit in self.fits.values()
                for filter_id, count in fit.incidents.most_common()
            ],
        }

    def decided(self) -> Iterator[tuple[Fit, int, FilterSeen]]:
        """The filters that decided on the hosts that fit, with their incidents, the most frequent first."""
        for fit in self.fits.values():
            if fit.verdict == "fits":
                for filter_id, count in fit.incidents.most_common():
                    yield fit, count, self._decided(fit, filter_id)

    def _decided(self, fit: Fit, filter_id: int) -> FilterSeen:
        finding = fit.findings[filter_id]
        if finding == ABSENT:
            return FilterSeen(filter_id, ABSENT, "no filter of the policy has this id")
        return self._named(filter_id, finding if fit.verdict == "fits" else CONTRADICTS, fit.why)


def _terminating(event: LogEvent) -> Iterator[tuple[int, str]]:
    """The filters that net events list as having ended the evaluation of a sublayer: id, and block or permit."""
    text = event.extra.get("terminatingFiltersInfo", "")
    try:
        items = json.loads(text) if text else []
    except ValueError:
        return
    for item in items if isinstance(items, list) else ():
        given = str(item.get("filterId", "")) if isinstance(item, dict) else ""
        if given.isascii() and given.isdecimal() and int(given):
            yield int(given), _DONE.get(str(item.get("actionType", "")).removeprefix("FWP_ACTION_"), "")


def _key(given: str) -> str:
    digits = given.strip().strip("{}").lower()
    return spelled_key("{" + digits + "}") if digits else ""


def _short(layer: str) -> str:
    return layer.removeprefix("FWPM_LAYER_")
