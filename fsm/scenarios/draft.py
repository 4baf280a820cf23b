"""What a scenario file is while its lines are read: words with their places, and the scenario so far."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fsm import catalogue
from fsm.choices import Config
from fsm.errors import FsmError, UnknownName
from fsm.scenarios.model import Action, Spot, Told
from fsm.table import Table, compile_table


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a line, without its quotation marks."""

    text: str
    spot: Spot
    quoted: bool = False


class ScenarioError(FsmError):
    """A scenario file that cannot be read. `where` is file:line:column."""


@dataclass(slots=True)
class Draft:
    """A scenario while its lines are read."""

    title: str
    spot: Spot
    settings: dict[str, str] = field(default_factory=dict)
    assume: dict[str, str] = field(default_factory=dict)
    setting_spots: dict[str, Spot] = field(default_factory=dict)
    config: Config | None = None
    endpoints: dict[str, str] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    now_s: int = 0


def unknown(word: Word, kind: str, known: object) -> ScenarioError:
    """The error for a word that is none of the known ones."""
    names: list[str] = list(known)  # type: ignore[call-overload]
    error = UnknownName.of(str(word.spot), kind, word.text, names)
    return ScenarioError(error.where, error.what, error.nearest or f"Known: {', '.join(names)}")


def takes(words: list[Word], count: int, form: str) -> None:
    """Refuse a line of another number of words than its form has."""
    if len(words) != count:
        extra = words[count] if len(words) > count else words[-1]
        what = f"'{extra.text}' is too much" if len(words) > count else f"something is missing after '{extra.text}'"
        raise ScenarioError(str(extra.spot), what, fix=f"Write: {form}")


def ready(draft: Draft, word: Word) -> Config:
    """The machine; it stands from the first endpoint on."""
    if draft.config is None:
        raise ScenarioError(
            str(word.spot), f"'{word.text}' stands before any endpoint", fix="Declare one: socket s is sender"
        )
    return draft.config


def known_endpoint(draft: Draft, word: Word) -> str:
    ready(draft, word)
    if word.text not in draft.endpoints:
        raise unknown(word, "endpoint", draft.endpoints)
    return word.text


def layer_of(draft: Draft, word: Word, given: str) -> catalogue.Layer:
    config = ready(draft, word)
    ip = None if config.choice("dual_stack") != "no" and re.search(r"_V[46]", given.upper()) else config.ip
    return catalogue.resolve(given, ip, windows=config.windows, where=str(word.spot))


def table_of(draft: Draft, endpoint: str) -> Table:
    assert draft.config is not None
    return compile_table(draft.endpoints[endpoint], draft.config)


def is_taken(table: Table, layer: str, verdict: str) -> bool:
    event = table.event_ids[verdict]
    return any(
        (here := table.layer(state)) is not None and here.fwpm_name == layer and table.next_or_none(state, event) >= 0
        for state in range(len(table.states))
    )
