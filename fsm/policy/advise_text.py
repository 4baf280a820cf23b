"""Advice as text for people. ASCII only."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from fsm.policy.advise import EVENTS, OUTCOMES, Advice, Place
from fsm.policy.advise_needs import NO, PARTLY, WANTS, Answer, packet_text

WIDTH = 100


def advice_text(advice: Advice, ladders: dict[str, str]) -> str:
    """The advice for people.

    Parameters
    ----------
    ladders : {event: the run as a text picture}, with the chosen layers marked.
    """
    asked = [f"needs {', '.join(advice.needs)}"] if advice.needs else []
    asked += [f"may {', '.join(advice.may)}"] if advice.may else []
    lines = [f"A callout that {' and '.join(asked)}; IPv{advice.config.ip}, Windows {advice.config.windows}"]
    for event in advice.events:
        lines += ["", *_event_lines(advice, event), "", ladders[event]]
    return "\n".join(lines)


def _event_lines(advice: Advice, event: str) -> Iterator[str]:
    stimuli = EVENTS[event][1]
    places = advice.places[event]
    best = places[0]
    yield f"{event} ({', '.join(stimuli)}): {_headline(best)}"
    yield from _place_lines(best)
    for number, pair in enumerate(advice.pairs[event]):
        if number == 0:
            yield from _wrapped(
                f"together: keep {', '.join(pair.from_first)} in a flow context at {pair.first.layer.short_name} "
                f"(FwpsFlowAssociateContext0), and do the rest at {pair.second.layer.short_name} (DDI-flow-context, "
                "MDL); these two are marked below",
                "  ",
            )
        else:
            late = ", which the first packet reaches before there is a context" if pair.misses_first else ""
            yield from _wrapped(f"or {pair.first.layer.short_name} with {pair.second.layer.short_name}{late}", "    ")
    others = places[1:]
    if others:
        yield "  the others:"
    for place in others:
        yield from _wrapped(f"{place.layer.short_name}: {place.fit}{_why(place)}", "    ")


def _headline(best: Place) -> str:
    if best.fit == "fits":
        return f"register at {best.layer.short_name}"
    if best.fit == "fits in part":
        return f"{best.layer.short_name} comes nearest, and gives a part"
    return f"no layer gives all of it; {best.layer.short_name} comes nearest"


def _place_lines(place: Place) -> Iterator[str]:
    layer = place.layer
    yield from _wrapped(
        f"{layer.short_name} (id {layer.runtime_id}), place {place.order} of its run, classified per "
        f"{layer.classified_per}; {packet_text(layer)}",
        "  ",
    )
    for name, answer in place.answers.items():
        yield from _wrapped(f"{answer.level:<7}{name}: {_said(answer)}", "    ", 11)
    if place.on_block is not None:
        effect = place.on_block
        yield from _wrapped(
            f"a block there: {effect.outcome}; application: {effect.application_sees}; remote: {effect.remote_sees}",
            "    ",
            6,
        )
    lost = [name for name, answer in place.lost.items() if answer.level == NO]
    part = [name for name, answer in place.lost.items() if answer.level == PARTLY]
    if lost:
        yield from _wrapped(f"not there: {', '.join(lost)}", "    ", 6)
    if part:
        yield from _wrapped(f"in part: {', '.join(part)}", "    ", 6)


def _why(place: Place) -> str:
    missing = [
        f"{'no' if answer.level == NO else 'only in part'} {name}: {_said(answer)}"
        for name, answer in place.answers.items()
        if answer.level != "yes"
    ]
    return f" ({'; '.join(missing)})" if missing else ""


def _said(answer: Answer) -> str:
    return f"{answer.why} ({', '.join(answer.cite)})"


def wants_text() -> str:
    """What can be wanted, one line each."""
    lines = ["--need, what it reads, and how it is asked:"]
    lines += [f"  {want.name:<18}{want.text}" for want in WANTS.values() if want.kind == "need"]
    lines.append("--may, what it does:")
    lines += [f"  {want.name:<18}{want.text}" for want in WANTS.values() if want.kind == "may"]
    lines += [f"  {name:<18}{text}" for name, text in OUTCOMES.items()]
    return "\n".join(lines)


def _wrapped(text: str, indent: str, rest: int = 0) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * max(rest, len(indent) + 2),
        break_on_hyphens=False,
    )
