"""The finished explanation of one record, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fsm.explain.classify import decide, flow_direction, place_of
from fsm.explain.codes import CODES
from fsm.explain.draft import Draft, program_name
from fsm.explain.place import RememberedPlaces
from fsm.explain.reading import net_event_type
from fsm.explain.wording import absent_of, citation, cite_of, layer_words, next_check_of, reauthorize_words, text_of


@dataclass(frozen=True, slots=True)
class Explained:
    """One record explained. `json` holds every field that is printed; the rest steers lists and pictures."""

    code: str
    counts: bool  # as an incident: not the second record of a pair, not a record given twice
    rule: str  # row key of the machine, "" where it has no place
    runtime_id: int | None
    event_id: int | None
    verdict: str
    confidence: str
    json: dict[str, Any]


def explain(draft: Draft, places: RememberedPlaces) -> Explained:
    """Put one record, whose neighbours are known by now, into words."""
    event, reading, ends = draft.event, draft.reading, draft.ends
    decision = decide(draft)
    code = CODES[decision.code]
    runtime_id = reading.layer.runtime_id if reading.layer else event.runtime_id
    endpoint, flow = place_of(draft, decision.code)
    place = places(runtime_id if reading.layer else None, "block" if reading.verdict == "veto" else reading.verdict, endpoint, flow)
    match = draft.connect if decision.code in ("late_reply", "icmp_error_for_own_flow") else None
    delay_s = match.before_s(event.time_s) if match else None
    out: dict[str, Any] = {
        "source": event.source,
        "record": event.record,
        "record_number": event.record_number,
        "time": event.time,
        "host": event.host,
        "event_id": event.event_id,
        "event_type": net_event_type(event) or None,
        "layer": reading.layer.name if reading.layer else None,
        "layer_words": layer_words(reading),
        "runtime_id": runtime_id,
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
        "program": program_name(event.application),
        "endpoint": place.endpoint if place else endpoint,
        "state": place.state if place else None,
        "rule": place.rule if place else None,
        "code": decision.code,
        "title": code.title,
        "tags": list(decision.tags),
        "confidence": decision.confidence,
        "paired_with": draft.partner.event.record if draft.partner else None,
        "answers": None if match is None else {"source": match.source, "record": match.record, "delay_s": _rounded(delay_s)},
        "text": text_of(draft, decision),
        "before": list(place.before) if place else [],
        "after": list(place.after) if place else [],
        "application_sees": (place.application_sees if place else "") or code.application_sees,
        "remote_sees": (place.remote_sees if place else "") or code.remote_sees,
        "next_check": next_check_of(draft, decision),
        "absent": absent_of(draft, decision),
        "cite": [citation(key) for key in cite_of(draft, decision, place)],
    }
    if event.reauthorize_reason:
        out["reauthorize_reason"] = {"value": event.reauthorize_reason, "bits": reauthorize_words(event.reauthorize_reason).split(", ")}
    counts = not (draft.is_second or draft.is_repeat)
    rule = place.rule if place else ""
    return Explained(decision.code, counts, rule, runtime_id, event.event_id, reading.verdict, decision.confidence, out)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
