"""The answers of `compare` as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from fsm.counts import counted
from fsm.policy.answer import Whatif
from fsm.policy.search_text import (
    LIMIT_QUESTIONS,
    LIMIT_SHOWN,
    WIDTH,
    box_json,
    circumstances_json,
    dimension_text,
    example_text,
    machine_json,
    open_words,
    range_json,
    range_text,
)
from fsm.policy.whatif_text import filter_text, headline, short_layer

if TYPE_CHECKING:
    from fsm.policy.compare import Behaviour, Compared, Comparison, Difference

SHOWN_FILTERS = 8


def compare_text(answer: Comparison, names: tuple[str, str] = ("A", "B"), *, everything: bool = False) -> str:
    """The answer for people; `names` are what the two policies are called."""
    return "\n".join(_lines(answer, names, everything))


def _lines(answer: Comparison, names: tuple[str, str], everything: bool) -> Iterator[str]:
    certain = sum(d.certain for scene in answer.scenes for d in scene.differences)
    open_ = sum(not d.certain for scene in answer.scenes for d in scene.differences)
    if answer.equal:
        yield "Nothing differs."
    else:
        known = f"{certain} behaviour{'s' if certain != 1 else ''} differ{'s' if certain == 1 else ''}"
        yield f"{known}{f'; {open_} more may differ: something is open there' if open_ else ''}."
    yield ""
    for which, filters in zip(names, (answer.only_first, answer.only_second), strict=True):
        shown = filters if everything else filters[:SHOWN_FILTERS]
        listed = "; ".join(f"{filter_text(f)} at {short_layer(f.layer)}" for f in shown)
        more = f" ... ({len(filters)} in all)" if len(filters) > len(shown) else ""
        yield from wrap(f"Filters of {which} alone: {listed or 'none'}{more}", WIDTH, subsequent_indent="  ")
    for scene in answer.scenes:
        if scene.differences or not scene.complete:
            yield ""
            yield from _scene_lines(scene, names, everything)
    yield ""
    yield from _statement(answer)


def scene_text(scene: Compared) -> str:
    """`sendto, IPv4, to one host`."""
    socket = "" if scene.listener else ", no socket owns the port"
    stays = ", staying on this host" if scene.loopback else ""
    return f"{' '.join(scene.stimuli)}{socket}, IPv{scene.ip}, to {'a group' if scene.group else 'one host'}{stays}"


def _scene_lines(scene: Compared, names: tuple[str, str], everything: bool) -> Iterator[str]:
    yield f"{scene_text(scene)}:"
    if not scene.complete:
        yield "  not known: there are too many different classes; say more of the datagrams"
    for number, difference in enumerate(scene.differences, start=1):
        yield from _difference_lines(number, difference, scene, names, everything)


def _difference_lines(
    number: int, difference: Difference, scene: Compared, names: tuple[str, str], everything: bool
) -> Iterator[str]:
    sure = "" if difference.certain else "may differ: "
    yield f"  {number}. {sure}for example {example_text(difference.boxes[0].example)}"
    for name, answer in zip(names, (difference.first_answer, difference.second_answer), strict=True):
        yield from wrap(f"{name}: {headline(answer)}", WIDTH, initial_indent="     ", subsequent_indent="       ")
        questions = open_words(answer)
        for question in questions if everything else questions[:LIMIT_QUESTIONS]:
            yield from wrap(f"? {question}", WIDTH, initial_indent="       ", subsequent_indent="         ")
    limit = 10_000 if everything else LIMIT_SHOWN
    for box in difference.boxes:
        words = "; ".join(range_text(each, scene.ip, limit) for each in box.ranges) or "all of them"
        yield from wrap(f"- {words}", WIDTH, initial_indent="     ", subsequent_indent="       ")
    if difference.unlisted:
        yield f"     - and {counted(difference.unlisted, 'more set')} (--limit)"


def _statement(answer: Comparison) -> Iterator[str]:
    names = dict.fromkeys(dimension_text(d.name) for scene in answer.scenes for d in scene.dimensions)
    asked = _asked(answer)
    if all(scene.complete for scene in answer.scenes):
        split = f", split along {', '.join(names)}" if names else ""
        nothing = "nothing differs" if answer.equal else "nothing else differs"
        yield from wrap(
            f"Within what the two policies mention {nothing}{split}. Asked: {asked}.", WIDTH, subsequent_indent="  "
        )
        if not all(scene.loopback or scene.group for scene in answer.scenes):
            yield "Not asked: from an address of this host to itself, other than a loopback address."
        left = dict.fromkeys(name for scene in answer.scenes for name in scene.left_open)
        if left:
            yield f"Not split, so open: {', '.join(map(dimension_text, left))}."
    else:
        yield f"Whether anything else differs is not known. Asked: {asked}."
    work = answer.work
    yield (
        f"Done: {counted(work.filters, 'filter')} on the way, {counted(work.ways, 'way')} through the machine, "
        f"{counted(work.nodes, 'part')} of the space, {counted(work.arbitrations, 'arbitration')}."
    )


def _asked(answer: Comparison) -> str:
    """What was asked, in short: stimuli, IP versions, where to."""
    stimuli = dict.fromkeys(
        " ".join(scene.stimuli) + ("" if scene.listener else " without a socket") for scene in answer.scenes
    )
    versions = dict.fromkeys(f"IPv{scene.ip}" for scene in answer.scenes)
    places = dict.fromkeys(
        "staying on this host" if scene.loopback else "to a group" if scene.group else "to one host"
        for scene in answer.scenes
    )
    return "; ".join(", ".join(words) for words in (stimuli, versions, places))


# --- JSON


def compare_json(answer: Comparison) -> dict[str, object]:
    """The answer as plain values."""
    return {
        "equal": answer.equal,
        "complete": answer.complete,
        "only_first": [_filter_json(f) for f in answer.only_first],
        "only_second": [_filter_json(f) for f in answer.only_second],
        "scenes": [_scene_json(scene) for scene in answer.scenes],
        "circumstances": circumstances_json(answer.circumstances),
        **machine_json(answer.config, answer.work),
    }


def _filter_json(filter: object) -> dict[str, object]:
    return {name: getattr(filter, name) for name in ("key", "filter_id", "name", "layer")}


def _scene_json(scene: Compared) -> dict[str, object]:
    return {
        "stimuli": list(scene.stimuli),
        "listener": scene.listener,
        "ip": scene.ip,
        "to": "group" if scene.group else "host",
        "loopback": scene.loopback,
        "complete": scene.complete,
        "within": {each.dimension: range_json(each, scene.ip) for each in scene.within},
        "classes": {d.name: len(d) for d in scene.dimensions},
        "differences": [
            {
                "certain": d.certain,
                "first": _side_json(d.first, d.first_answer),
                "second": _side_json(d.second, d.second_answer),
                "boxes": [box_json(box, scene.ip) for box in d.boxes],
                "unlisted": d.unlisted,
            }
            for d in scene.differences
        ],
        "not_split": list(scene.left_open),
    }


def _side_json(behaviours: tuple[Behaviour, ...], answer: Whatif) -> dict[str, object]:
    return {
        "behaviours": [
            {
                "outcome": each.ending.outcome,
                "blocked_at": each.ending.blocked_at,
                "application_sees": each.ending.application_sees,
                "remote_sees": each.ending.remote_sees,
                "visits": [{"layer": layer, "verdict": verdict} for layer, verdict in each.visits],
            }
            for each in behaviours
        ],
        "example": headline(answer),
        "open": list(open_words(answer)),
    }
