"""The finished explanation of one record, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fsm.explain.classify import Decision, decide, flow_direction, place_of
from fsm.explain.codes import CODES
from fsm.explain.draft import Draft, program_name
from fsm.explain.filters import FilterBook, FilterSeen
from fsm.explain.place import Place, RememberedPlaces
from fsm.explain.reading import net_event_type
from fsm.explain.wording import Words, absent_of, citation, layer_words, reauthorize_names, variant_of


@dataclass(frozen=True, slots=True)
class Explained:
    """One record explained. Words are made when `json` is asked for: a summary needs them for its examples only.

    Parameters
    ----------
    place : on the machine; None where it has none, or no machine was given.
    filter : the filter of its id in the policy; None where the record names no filter.
    looked_up : whether there was a policy to look in.
    """

    draft: Draft
    decision: Decision
    place: Place | None
    filter: FilterSeen | None = None
    looked_up: bool = False

    @property
    def code(self) -> str:
        return self.decision.code

    @property
    def confidence(self) -> str:
        return self.decision.confidence

    @property
    def verdict(self) -> str:
        return self.draft.reading.verdict

    @property
    def counts(self) -> bool:
        """Whether it is an incident: not the second record of a pair, not a record given twice."""
        return not (self.draft.is_second or self.draft.is_repeat)

    @property
    def rule(self) -> str:
        """The row key of the machine, "" where it has no place."""
        return self.place.rule if self.place else ""

    @property
    def runtime_id(self) -> int | None:
        layer = self.draft.reading.layer
        return layer.runtime_id if layer else self.draft.event.runtime_id

    @property
    def peer(self) -> str | None:
        remote = self.draft.ends.remote
        return remote.address if remote else None

    @property
    def program(self) -> str | None:
        return program_name(self.draft.event.application)

    @property
    def absent(self) -> list[str]:
        return absent_of(self.draft, self.decision)

    @property
    def json(self) -> dict[str, Any]:
        """Every field that is printed, in the order in which it is."""
        return _as_json(self)


def explain(draft: Draft, places: RememberedPlaces, filters: FilterBook | None = None) -> Explained:
    """Explain one record, whose neighbours are known by now; `filters` is the policy to look up its filter in."""
    reading, decision = draft.reading, decide(draft)
    runtime_id = reading.layer.runtime_id if reading.layer else None
    asked = place_of(draft, decision.code)
    place = places(runtime_id, reading.verdict, asked)
    if place is None and reading.verdict == "veto":  # the model vetoes where arbitration can, a log may say it anywhere
        place = places(runtime_id, "block", asked)
    if filters is None:
        return Explained(draft, decision, place)
    return Explained(draft, decision, place, filters.seen(draft.event), looked_up=True)


def _as_json(explained: Explained) -> dict[str, Any]:
    draft, decision, place = explained.draft, explained.decision, explained.place
    event, reading, ends = draft.event, draft.reading, draft.ends
    code, variant = CODES[decision.code], variant_of(draft, decision.code)
    words = Words(draft, decision)
    out: dict[str, Any] = {
        "source": event.source,
        "record": event.record,
        "record_number": event.record_number,
        "time": event.time,
        "host": event.host,
        "event_id": event.event_id,
        "event_type": net_event_type(event) or None,
        "layer": reading.layer.name if reading.layer else None,
        "layer_words": layer_words(draft),
        "runtime_id": explained.runtime_id,
        "protocol": event.protocol,
        "local": ends.local.json() if ends.local else None,
        "remote": ends.remote.json() if ends.remote else None,
        "icmp": {"type": draft.icmp[0], "code": draft.icmp[1]} if draft.icmp else None,
        "packet_direction": reading.packet_direction,
        "flow_direction": flow_direction(draft, decision.code),
        "verdict": reading.verdict,
        "filter_id": event.filter_id,
        "filter_origin": event.filter_origin,
        "process_id": event.process_id,
        "program": explained.program,
        "endpoint": place.endpoint if place else place_of(draft, decision.code).endpoint,
        "state": place.state if place else None,
        "rule": explained.rule or None,
        "code": decision.code,
        "title": code.title,
        "tags": list(decision.tags),
        "confidence": decision.confidence,
        "paired_with": draft.partner.event.record if draft.partner else None,
        "copy_of": draft.copy_of.event.record if draft.copy_of else None,
        "answers": _answered(draft, decision.code),
        "text": words.text(),
        "before": list(place.before) if place else [],
        "after": _after(draft, place),
        "application_sees": variant.application_sees
        or (place.application_sees if place else "")
        or code.application_sees,
        "remote_sees": variant.remote_sees or _remote_sees(draft, place) or code.remote_sees,
        "next_check": words.next_check(),
        "absent": explained.absent,
        "cite": [citation(key) for key in words.cite(place)],
    }
    if event.reauthorize_reason:
        out["reauthorize_reason"] = {
            "value": event.reauthorize_reason,
            "bits": reauthorize_names(event.reauthorize_reason),
        }
    if explained.looked_up:
        out["filter"] = explained.filter.json() if explained.filter else None
    return out


def _after(draft: Draft, place: Place | None) -> list[str]:
    """The layers that follow, as far as the log does not show that the way ended earlier."""
    after = list(place.after) if place else []
    if draft.is_drop and draft.partner is not None and draft.partner.reading.layer is not None:
        stopped_at = draft.partner.reading.layer.name
        return after[: after.index(stopped_at) + 1] if stopped_at in after else after
    return after


def _remote_sees(draft: Draft, place: Place | None) -> str:
    """For a drop the machine says what an unhindered ICMP error does; the log shows whether it was hindered."""
    if draft.is_drop and draft.partner is not None:
        return "a timeout: the ICMP error that Windows wanted to send was suppressed"
    if draft.is_drop:
        return "a timeout, or an ICMP port unreachable (WSAECONNRESET 10054) where stealth mode is off"
    return place.remote_sees if place else ""


def _answered(draft: Draft, code: str) -> dict[str, Any] | None:
    """The allowed connect that this record answers, and how long before it was."""
    if draft.connect is None or code not in ("late_reply", "icmp_error_for_own_flow"):
        return None
    delay_s = draft.connect.before_s(draft.event.time_s)
    rounded = None if delay_s is None else round(delay_s, 6)
    return {"source": draft.connect.source, "record": draft.connect.record, "delay_s": rounded}
