"""The answer of `whatif` as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from textwrap import wrap
from typing import TYPE_CHECKING

from fsm import catalogue
from fsm.endpoint import PROTOCOL_FIELDS
from fsm.policy.arbitration import Deciding, OpenQuestion, PassedOver
from fsm.policy.condition_text import failed_text, open_text, short_field
from fsm.policy.datagram import OTHER
from fsm.policy.model import Filter

if TYPE_CHECKING:
    from fsm.policy.answer import Ending, Visit, Whatif

WIDTH = 110
SHOWN = 4  # filters that did not match, and open questions, of each layer; --all shows every one
_SAID = {
    "delivered": "Delivered", "sent": "Sent", "blocked": "Blocked", "silent": "Dropped in silence",
    "icmp_error": "An ICMP error", "pended": "Held by a callout", "unknown": "Not known", None: "No datagram took part",
}  # fmt: skip


def filter_text(filter: Filter) -> str:
    """`'Default Outbound' (116027)`: the name, and the run-time id or the key."""
    name = filter.name if len(filter.name) <= 60 else filter.name[:57] + "..."
    return f"'{name}' ({filter.key if filter.filter_id is None else filter.filter_id})"


def short_layer(layer: str) -> str:
    return layer.removeprefix("FWPM_LAYER_")


def why_text(over: PassedOver, layer: str) -> str:
    """Why a filter did not decide."""
    return failed_text(over.failed, layer) if over.failed else over.what


def question_text(question: OpenQuestion) -> str:
    """What would have to be known."""
    return open_text(question.test, question.layer) if question.test else question.what


def headline(answer: Whatif) -> str:
    """What happens and why, in one line."""
    if answer.outcome == "unknown" and len(answer.endings) > 1:
        ways = [_ending(ending) for ending in answer.endings[1:]]
        others = "; ".join(dict.fromkeys(ways))
        count = len({id(q.filter) for q in answer.open_questions})
        what = "filter with an open question matters" if count == 1 else "filters with open questions matter"
        usual = f"{_ending(answer.otherwise)} if none of them applies"
        return f"It depends ({count} {what}): {usual}; else possibly: {others}."
    if answer.endpoint == "dropped_port" and answer.outcome == "silent" and "ICMP" in (answer.blocked_at or ""):
        stopped = f"{short_layer(answer.blocked_at or '')}{_because(answer)}"
        return f"No socket owns the port, and the ICMP error is stopped at {stopped}."
    said = _ending(answer.endings[0]) if answer.outcome != "unknown" else "not known"
    last = f"{answer.stimuli[-1]}: " if len(answer.stimuli) > 1 else ""
    return last + said[0].upper() + said[1:] + _because(answer) + "."


def _ending(ending: Ending) -> str:
    said = _SAID[ending.outcome]
    where = f" at {short_layer(ending.blocked_at)}" if ending.blocked_at else ""
    return said[0].lower() + said[1:] + where


def _because(answer: Whatif) -> str:
    visits = _last_visits(answer)
    for visit in visits:
        if visit.refused:
            return f": the filters say {visit.taken} at {short_layer(visit.layer)}, and {visit.refused}"
    stopping = [v for v in visits if v.layer == answer.blocked_at and v.verdict not in ("permit", "unknown")]
    if stopping:
        if stopping[-1].arbitration.decided_by is None:
            return ", by which filter is open"
        return f" by {_decision(stopping[-1])}"
    if answer.outcome not in ("sent", "delivered"):
        return ""
    decided = [v for v in visits if v.arbitration.decided_by is not None]
    other = [v for v in decided if v.verdict != "permit"]
    telling = [v for v in visits if v.arbitration.telling and v.verdict == "permit"]
    ale = [v for v in decided if "_ALE_" in v.layer]
    chosen = other or telling or ale or (decided if len(answer.stimuli) > 1 else [])
    if chosen:
        says = "say" if len(chosen[-1].arbitration.telling) > 1 else "says"
        return f": at {short_layer(chosen[-1].layer)} {_decision(chosen[-1])} {says} {chosen[-1].verdict}"
    if len(answer.stimuli) > 1 and not any("_ALE_AUTH_" in visit.layer for visit in visits):
        return ": what came before lets it pass, it is not authorized again"
    return ": no filter stops it" if any(v.arbitration.deciding for v in visits) else ": no filter matches it"


def _last_visits(answer: Whatif) -> tuple[Visit, ...]:
    """The classifies of the last stimulus, which alone made the outcome."""
    if not answer.records:
        return answer.visits
    return answer.visits[sum(len(record.classified) for record in answer.records[:-1]) :]


def _decision(visit: Visit) -> str:
    arbitration = visit.arbitration
    by = arbitration.telling or (arbitration.decided_by,)
    made = [d for d in arbitration.deciding if any(d.filter is each for each in by)]
    if not made:
        return "filters"
    veto = ", a veto against a hard permit" if visit.verdict == "veto" else ""
    hard = ["hard" if d.hard else "soft" for d in made]
    return " and ".join(
        f"{filter_text(d.filter)} in {_sublayer(d)} ({how} {d.action}{veto})" for d, how in zip(made, hard, strict=True)
    )


def _sublayer(decided: Deciding) -> str:
    key = decided.sublayer.removeprefix("FWPM_SUBLAYER_")
    return f"'{decided.sublayer_name}'" if key.startswith("{") and decided.sublayer_name else key


def whatif_text(answer: Whatif, *, everything: bool = False) -> str:
    """The answer for people: what happens and why first, then layer by layer."""
    return "\n".join(_lines(answer, everything))


def _lines(answer: Whatif, everything: bool) -> Iterator[str]:
    datagram, config = answer.datagram, answer.config
    yield headline(answer)
    yield ""
    number = PROTOCOL_FIELDS[config.choice("protocol")][datagram.ip == 6][0]
    stays = ", loopback" if datagram.is_loopback else ""
    yield f"Local {datagram.local}, remote {datagram.remote}, protocol {number}, Windows {config.windows}{stays}"
    before = f"before: {' '.join(answer.setup)} (permitted); " if answer.setup else ""
    socket = "a socket" if answer.endpoint != "dropped_port" else "no socket owns the port"
    yield f"{socket[0].upper()}{socket[1:]}; {before}asked: {' '.join(answer.stimuli)}"
    given, missing = _given(answer)
    yield from wrap(f"Taken as given: {given or 'nothing besides the addresses'}", WIDTH, subsequent_indent="  ")
    if missing:
        yield from wrap(f"Not given, so open: {missing}", WIDTH, subsequent_indent="  ")
    yield ""
    yield "Layers, in order" + (" (as if none of the open questions applied)" if len(answer.endings) > 1 else "")
    for number_, visit in enumerate(answer.visits, start=1):
        yield from _visit_lines(number_, visit, everything)
    yield ""
    yield f"The application sees: {answer.application_sees}"
    yield f"The remote sees:      {answer.remote_sees}"
    yield from _logged_lines(answer)
    yield from _question_lines(answer, everything)
    for remark in answer.remarks:
        yield f"Note: {remark}."
    if datagram.is_loopback and answer.outcome == "sent":
        yield ""
        yield "It stays on this host and arrives there again: ask --event receive with the same ends for that."
    if not answer.complete:
        yield ""
        yield "More ways are possible than were tried: give more of the circumstances."


def _given(answer: Whatif) -> tuple[str, str]:
    given, missing = [], []
    for each in fields(answer.circumstances):
        value = getattr(answer.circumstances, each.name)
        name = each.name.replace("_", " ")
        if each.name == "bound_to_any":
            given.append("bound to any address" if value else "bound to the local address")
        elif each.name == "flags":
            given.extend(flag for flag in value if answer.datagram.is_loopback or "LOOPBACK" not in flag)
        elif each.name == "no_flags":
            given.extend(f"not {flag}" for flag in value)
        elif each.name == "fields":
            given.extend(f"{short_field(field)}={shown}" for field, shown in value)
        elif value is None:
            missing.append(name)
        elif value == "" and each.name == "package":
            given.append("no store app")
        elif value in (OTHER, (OTHER,)):
            given.append(f"a {name} that no filter names")
        else:
            given.append(f"{name} {' '.join(value) if isinstance(value, tuple) else value}")
    if "IS_IPSEC_SECURED" not in answer.circumstances.flags:
        given.append("no IPsec")
    return ", ".join(given), ", ".join(missing)


def _visit_lines(number: int, visit: Visit, everything: bool) -> Iterator[str]:
    arbitration = visit.arbitration
    rights = f", {visit.rights}" if visit.rights else ""
    went = f" (here: {visit.taken})" if visit.verdict == "unknown" else ""
    flags = f"  [{' '.join(visit.flags)}]" if visit.flags else ""
    yield f"{number:>3}. {short_layer(visit.layer)} ({visit.runtime_id})  {visit.verdict}{rights}{went}{flags}"
    for decided in arbitration.deciding:
        yield f"       {_deciding_text(decided)}"
    if not arbitration.deciding and visit.verdict != "unknown":
        went_on = any(not over.failed for over in arbitration.passed_over)
        yield f"       no filter {'decided' if went_on else 'matched' if arbitration.passed_over else 'here'}"
    over = arbitration.passed_over
    shown = over if everything else _nearest(over)
    for each in shown:
        yield f"       not {filter_text(each.filter)}: {why_text(each, visit.layer)}"
    if len(over) > len(shown):
        more = len(over) - len(shown)
        yield f"       not {more} more filter{'s' if more > 1 else ''} (--all)"
    if visit.refused:
        yield f"       the layer does not take this: {visit.refused}"


def _deciding_text(decided: Deciding) -> str:
    hard = "hard" if decided.hard else "soft"
    lost = ", overridden" if decided.overridden else ""
    return f"{_sublayer(decided)}: {filter_text(decided.filter)} {hard} {decided.action}{lost}"


def _nearest(over: tuple[PassedOver, ...]) -> tuple[PassedOver, ...]:
    """The filters that came nearest to matching: those that fail at the last of their conditions."""
    if len(over) <= SHOWN:
        return over
    groups = {id(each): _passed_conditions(each) for each in over}
    best = sorted(over, key=lambda each: -groups[id(each)])[:SHOWN]
    chosen = {id(each) for each in best}
    return tuple(each for each in over if id(each) in chosen)


def _passed_conditions(over: PassedOver) -> int:
    conditions = over.filter.conditions
    if not over.failed:
        return len(conditions) + 1
    first = over.failed[0].condition
    return next((place for place, condition in enumerate(conditions) if condition is first), 0)


def _logged_lines(answer: Whatif) -> Iterator[str]:
    if not answer.logged:
        return
    yield "Logged, where auditing is on:"
    for event in answer.logged:
        by = f" by filter {filter_text(event.filter)}" if event.filter else ""
        yield f"  {event.event_id} at layer {event.runtime_id} ({short_layer(event.layer)}){by}"


def _question_lines(answer: Whatif, everything: bool) -> Iterator[str]:
    if answer.open_questions:
        yield ""
        yield "Open, and it matters:"
        yield from _grouped(answer.open_questions, everything)
    if answer.other_questions:
        yield ""
        if everything:
            yield "Open, and nothing changes with it:"
            yield from _grouped(answer.other_questions, everything)
        else:
            count = len({id(q.filter) for q in answer.other_questions})
            yield f"Open questions of {count} more filter{'s' if count > 1 else ''} change nothing (--all)."


def _grouped(questions: tuple[OpenQuestion, ...], everything: bool) -> Iterator[str]:
    by_filter: dict[tuple[str, int], list[OpenQuestion]] = {}
    for question in questions:
        by_filter.setdefault((question.layer, id(question.filter)), []).append(question)
    shown = list(by_filter.values())
    for group in shown if everything else shown[: 3 * SHOWN]:
        first = group[0]
        action = first.filter.action.replace("CALLOUT_", "callout, ").lower()
        asked = "; ".join(dict.fromkeys(question_text(q) for q in group))
        yield f"  {short_layer(first.layer)}: {filter_text(first.filter)} ({action}): {asked}"
    if not everything and len(shown) > 3 * SHOWN:
        yield f"  and {len(shown) - 3 * SHOWN} more filters (--all)"


def whatif_json(answer: Whatif) -> dict[str, object]:
    """The answer as data: filters by key, with run-time id and name beside it."""
    return {
        "outcome": answer.outcome,
        "blocked_at": answer.blocked_at,
        "open_questions": [_question_json(q, changes=True) for q in answer.open_questions]
        + [_question_json(q, changes=False) for q in answer.other_questions],
        "visits": [_visit_json(visit) for visit in answer.visits],
        "application_sees": answer.application_sees,
        "remote_sees": answer.remote_sees,
        "logged": [
            {
                "event_id": event.event_id,
                "layer": event.layer,
                "runtime_id": event.runtime_id,
                "at_s": event.at_s,
                **_filter_json(event.filter),
            }
            for event in answer.logged
        ],
        "endings": [
            {
                "outcome": ending.outcome,
                "blocked_at": ending.blocked_at,
                "application_sees": ending.application_sees,
                "remote_sees": ending.remote_sees,
            }
            for ending in answer.endings
        ],
        "complete": answer.complete,
        "remarks": list(answer.remarks),
        "circumstances": {each.name: getattr(answer.circumstances, each.name) for each in fields(answer.circumstances)},
        "datagram": {"local": str(answer.datagram.local), "remote": str(answer.datagram.remote)},
        "endpoint": answer.endpoint,
        "setup": list(answer.setup),
        "stimuli": list(answer.stimuli),
        **answer.config.to_json(),
    }


def _filter_json(filter: Filter | None) -> dict[str, object]:
    if filter is None:
        return {"filter": None, "filter_id": None, "name": None}
    return {"filter": filter.key, "filter_id": filter.filter_id, "name": filter.name}


def _question_json(question: OpenQuestion, *, changes: bool) -> dict[str, object]:
    return {
        "layer": question.layer,
        **_filter_json(question.filter),
        "field": question.field or None,
        "why": question_text(question),
        "changes_outcome": changes,
    }


def _visit_json(visit: Visit) -> dict[str, object]:
    arbitration = visit.arbitration
    layer = catalogue.by_name(visit.layer)
    return {
        "layer": visit.layer,
        "runtime_id": visit.runtime_id,
        "stimulus": visit.stimulus,
        "at_s": visit.at_s,
        "verdict": visit.verdict,
        "verdicts": list(arbitration.verdicts),
        "taken": visit.taken,
        "rights": visit.rights or None,
        "discard": layer.is_discard,
        "deciding": [
            {
                "sublayer": decided.sublayer,
                **_filter_json(decided.filter),
                "action": decided.action,
                "hard": decided.hard,
                "overridden": decided.overridden,
            }
            for decided in arbitration.deciding
        ],
        "passed_over": [
            {**_filter_json(over.filter), "sublayer": over.sublayer, "why": why_text(over, visit.layer)}
            for over in arbitration.passed_over
        ],
        "flags": list(visit.flags),
        "rule": visit.step.rule if visit.step else None,
        "refused": visit.refused or None,
    }
