"""At which layer to register for what a callout wants: every layer that a datagram visits, judged and ranked.

The layers and their order come from runs of the machine, what a layer has from the catalogue (`advise_needs`), and what
a block there would do from a run with that block. Nothing is a table of advice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from fsm.aside import aside
from fsm.catalogue import Layer, by_name
from fsm.choices import Config, default_config
from fsm.errors import FsmError, UnknownName
from fsm.flows import FlowRun, run_stimuli
from fsm.policy.advise_needs import (
    NO,
    PARTLY,
    WANTS,
    YES,
    Answer,
    is_once_per_flow,
    is_per_packet,
    metadata_of,
    packet_text,
    wanted,
)
from fsm.rules import RULES

# What happens: the endpoint, and what is done to it; the last stimulus is the one asked about, the others lead there.
EVENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "bind": ("receiver", ("bind",)),
    "send": ("sender", ("sendto",)),
    "receive": ("receiver", ("bind", "receive")),
    "no_listener": ("dropped_port", ("receive",)),
    "icmp_error": ("sender", ("bind", "sendto", "icmp_error")),
    "close": ("sender", ("bind", "close")),
}
_OF_THE_DATAGRAM = ("payload", "transport_header", "ports", "local_port", "remote_port")
DIRECTIONS: dict[str, tuple[str, ...]] = {"outbound": ("send",), "inbound": ("receive",), "both": ("send", "receive")}
OUTCOMES: dict[str, str] = {
    "silently_drop": "a block that neither end is told of",
    "drop_with_icmp": "a block after which the sender gets an ICMP error",
    "refuse": "a block that the application is told of",
}


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a block at the layer does in this run."""

    outcome: str
    application_sees: str
    remote_sees: str


@dataclass(frozen=True, slots=True)
class Place:
    """One layer of a run, judged.

    Parameters
    ----------
    order : its place in the run, from 1.
    answers : {want: answer} for what was asked.
    lost : what it has not of everything else that can be wanted, with why: the price of choosing it.
    on_block : what a block there does; None where it takes none.
    """

    event: str
    layer: Layer
    order: int
    answers: dict[str, Answer]
    lost: dict[str, Answer]
    on_block: Consequence | None

    @property
    def fit(self) -> str:
        """fits | fits in part | does not fit."""
        levels = {answer.level for answer in self.answers.values()}
        return "does not fit" if NO in levels else "fits in part" if PARTLY in levels else "fits"

    @property
    def rank(self) -> tuple[int, int, int]:
        levels = [answer.level for answer in self.answers.values()]
        return levels.count(NO), levels.count(PARTLY), self.order

    def to_json(self) -> dict[str, Any]:
        return {
            "layer": self.layer.name,
            "runtime_id": self.layer.runtime_id,
            "event": self.event,
            "order": self.order,
            "fit": self.fit,
            "classified_per": self.layer.classified_per,
            "packet": packet_text(self.layer),
            "metadata": sorted(metadata_of(self.layer)),
            "wants": _answers_json(self.answers),
            "lost": _answers_json(self.lost),
            "on_block": None
            if self.on_block is None
            else {
                "outcome": self.on_block.outcome,
                "application_sees": self.on_block.application_sees,
                "remote_sees": self.on_block.remote_sees,
            },
        }


def _answers_json(answers: dict[str, Answer]) -> list[dict[str, Any]]:
    return [
        {"want": name, "level": answer.level, "why": answer.why, "cite": list(answer.cite)}
        for name, answer in answers.items()
    ]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two layers of one run that together have it all: the first keeps a context with the flow, the second reads it."""

    first: Place
    second: Place
    from_first: tuple[str, ...]  # the wants that only the first has

    @property
    def misses_first(self) -> bool:
        """Whether the first packet of a flow reaches the reader before there is a context."""
        return self.first.order > self.second.order


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer: the places of every event, best first, and pairs where no single layer has everything."""

    config: Config
    needs: tuple[str, ...]
    may: tuple[str, ...]
    events: tuple[str, ...]
    places: dict[str, tuple[Place, ...]]
    pairs: dict[str, tuple[Pair, ...]]
    runs: dict[str, FlowRun]

    def best(self, event: str) -> Place:
        """The first choice of an event, which may not fit."""
        return self.places[event][0]

    def to_json(self) -> dict[str, Any]:
        """The advice as `wfp-udp advise --format json` prints it."""
        return {
            "ip": self.config.ip,
            "windows": self.config.windows,
            "needs": list(self.needs),
            "may": list(self.may),
            "events": {
                event: {
                    "best": self.best(event).layer.name if self.best(event).fit != "does not fit" else None,
                    "places": [place.to_json() for place in self.places[event]],
                    "together": [
                        {
                            "context_from": pair.first.layer.name,
                            "used_at": pair.second.layer.name,
                            "wants": list(pair.from_first),
                            "misses_first_packet": pair.misses_first,
                            "cite": ["DDI-flow-context", "MDL"],
                        }
                        for pair in self.pairs[event]
                    ],
                }
                for event in self.events
            },
        }


def want_names() -> tuple[str, ...]:
    """Everything that can be wanted: what `--need` and `--may` take."""
    return (*WANTS, *OUTCOMES)


@aside()
def advise(
    needs: Iterable[str] = (), may: Iterable[str] = (), *, events: Iterable[str] = ("send", "receive"),
    config: Config | None = None,
) -> Advice:  # fmt: skip
    """Where to register for what a callout needs and may do.

    Parameters
    ----------
    needs, may : names of `want_names()`, in any spelling; they are judged alike.
    events : names of EVENTS.
    config : the machine; IP version and Windows matter.

    Raises
    ------
    UnknownName : no such want or event.
    FsmError : nothing is wanted.
    """
    config = config or default_config()
    asked_needs, asked_may = (_checked(names, where) for names, where in ((needs, "--need"), (may, "--may")))
    asked = tuple(dict.fromkeys((*asked_needs, *asked_may)))
    if not asked:
        raise FsmError("advise", "nothing is wanted", f"Wants: {', '.join(want_names())}", "Give --need or --may")
    chosen = tuple(dict.fromkeys(events))
    for event in chosen:
        if event not in EVENTS:
            raise UnknownName.of("--event", "event", event, EVENTS)
    places, pairs, runs = {}, {}, {}
    for event in chosen:
        endpoint, stimuli = EVENTS[event]
        runs[event] = run_stimuli(endpoint, stimuli, config)
        found = _places(event, runs[event], asked, config)
        if not found:
            raise FsmError("--event", f"no layer sees '{event}' as things are assumed", fix="Give --evidence observed")
        places[event] = tuple(sorted(found, key=lambda place: place.rank))
        pairs[event] = () if places[event][0].fit == "fits" else _pairs(found, asked, config.windows)
    return Advice(config, asked_needs, asked_may, chosen, places, pairs, runs)


def _checked(names: Iterable[str], where: str) -> tuple[str, ...]:
    found = []
    for name in names:
        word = wanted(name)
        if word not in want_names():
            raise UnknownName.of(where, "want", name, want_names())
        found.append(word)
    return tuple(dict.fromkeys(found))


def _places(event: str, run: FlowRun, asked: Sequence[str], config: Config) -> list[Place]:
    last = run.own_records[-1]  # what leads there is not asked about
    layers = {step.layer: step.position for step in last.classified}
    found = []
    for order, (name, position) in enumerate(layers.items(), start=1):
        layer, of_error = by_name(name), "icmp" in position
        effect = _consequence(event, layer, config)
        answers = {want: _of_error(want, _answer(want, layer, effect, config), of_error) for want in asked}
        others = {
            want: _of_error(want, WANTS[want].answer(layer, config.windows), of_error)
            for want in WANTS
            if want not in answers
        }
        lost = {want: answer for want, answer in others.items() if answer.level != YES}
        found.append(Place(event, layer, order, answers, lost, effect))
    return found


def _of_error(want: str, answer: Answer, of_error: bool) -> Answer:
    """The same answer, unless it is about the datagram and the packet at hand is the ICMP error that quotes it."""
    if of_error and want in _OF_THE_DATAGRAM and answer.level != NO:
        return Answer(NO, "the packet here is the ICMP error, not the datagram", ("LID", "CAL"))
    return answer


def _consequence(event: str, layer: Layer, config: Config) -> Consequence | None:
    if layer.may_block != "yes":
        return None
    endpoint, stimuli = EVENTS[event]
    run = run_stimuli(endpoint, stimuli, config, blocks=(layer.name,))
    return Consequence(run.outcome or "", run.application_sees, run.remote_sees)


def _answer(want: str, layer: Layer, effect: Consequence | None, config: Config) -> Answer:
    if want in WANTS:
        return WANTS[want].answer(layer, config.windows)
    if effect is None:
        return WANTS["block"].answer(layer, config.windows)
    told = f"application: {effect.application_sees}; remote: {effect.remote_sees}"
    application_told = "fails" in effect.application_sees or "error" in effect.application_sees
    icmp = effect.outcome == "icmp_error"
    holds = {
        "silently_drop": not application_told and not icmp,
        "drop_with_icmp": icmp,
        "refuse": application_told,
    }[want]
    return Answer(YES if holds else NO, f"after a block there: {told}", _cites(layer))


def _cites(layer: Layer) -> tuple[str, ...]:
    rows = [row for row in RULES if row.layer == layer.stem and row.event == "block"]
    return tuple(key for row in rows[:1] for key in row.cite) or ("LID",)


def _pairs(found: Sequence[Place], asked: Sequence[str], windows: str) -> tuple[Pair, ...]:
    """Pairs with a flow handle at both ends, those first whose context is made once per flow.

    The context is attached before, or at, the layer that reads it, or is there for the packets that follow.
    """
    both = [place for place in found if "FLOW_HANDLE" in metadata_of(place.layer) and not place.layer.is_discard]
    pairs = []
    for first, second in product(both, both):
        if first is second or not is_once_per_flow(first.layer):
            continue
        if first.order > second.order and not is_per_packet(second.layer):
            continue
        missing = [want for want in asked if second.answers[want].level != YES]
        # What is read can be kept with the flow; what is done has to be done where it is done.
        helped = [w for w in missing if first.answers[w].level == YES and w in WANTS and WANTS[w].kind == "need"]
        if missing and helped == missing:
            pairs.append(Pair(first, second, tuple(helped)))
    levels = (YES, PARTLY, NO)
    return tuple(
        sorted(
            pairs,
            key=lambda pair: (
                pair.misses_first,
                levels.index(WANTS["once_per_flow"].answer(pair.first.layer, windows).level),
                pair.second.order,
            ),
        )
    )
