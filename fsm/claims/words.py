"""The words of claims and patterns: what one event must be. An unknown name is an error, it never fits nothing.

LAYER[:verdict][+FLAG][@endpoint]   a classify, the layer in any spelling that the catalogue knows
stimulus[@endpoint]                 in parentheses: the beginning of a stimulus
[name=value ...]                    an event after which this holds of the state, or whose outcome is asked for
.                                   any event
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fsm import catalogue
from fsm.choices import Config
from fsm.claims.condition import Condition
from fsm.claims.runs import Event
from fsm.errors import FsmError, UnknownName
from fsm.names import IP_VERSIONS, OUTCOMES, VERDICTS
from fsm.rules import FLAG_WINDOWS, RULES, SETTING_FLAGS
from fsm.stimuli import STIMULI, STIMULUS_ALIASES

FLAG_PREFIX = "FWP_CONDITION_FLAG_"
FLAGS: tuple[str, ...] = tuple(
    dict.fromkeys((*(f for row in RULES for f in row.flags), *(s.flag for s in SETTING_FLAGS), *FLAG_WINDOWS))
)


TAKEN = (
    "A claim takes a layer by any of its names or its run-time id (AUTH_CONNECT, 48), a stimulus in parentheses "
    "('(sendto)'), an outcome (sent) or a condition (flow=OUT)"
)


def event_meant(number: int) -> str:
    """The classifies that a Security event of this number records, as a claim is made of them; "" for no such event."""
    words = [f"{row.layer}:{row.event}" for row in RULES if number in row.logged]
    if not words:
        return ""
    shown = list(dict.fromkeys(words))
    more = f" and {len(shown) - 2} others" if len(shown) > 2 else ""
    named = ", ".join(shown[:2]) if more else " and ".join(shown)
    return f"{number} is the id of a Security event, which records {named}{more}"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that mean something for one subject.

    `condition` makes a condition on states from its words; `endpoints` is empty where there is one without a name,
    `stimuli` are those that the subject can be given, `other_stimuli` says of others why they are not possible here.
    """

    config: Config
    stimuli: tuple[str, ...]
    condition: Callable[[str, str], Condition]
    endpoints: tuple[str, ...] = ()
    title: str = ""
    other_stimuli: dict[str, str] = field(default_factory=dict)
    any_version: bool = False  # a trace may show both IP versions


@dataclass(frozen=True, slots=True)
class Atom:
    """What one event must be; what is empty may be anything."""

    text: str
    layers: frozenset[str] = frozenset()
    verdict: str = ""
    flags: frozenset[str] = frozenset()
    endpoint: str = ""
    stimulus: str = ""
    condition: Condition | None = None
    exact_flags: bool = False

    def holds(self, event: Event, state: int) -> bool:
        """Whether this event is meant; `state` is the number of the state after it."""
        if self.stimulus:
            return event.stimulus == self.stimulus and event.begins and self.endpoint in ("", event.endpoint)
        if self.layers and event.layer not in self.layers:
            return False
        if (self.verdict and event.verdict != self.verdict) or (self.endpoint and event.endpoint != self.endpoint):
            return False
        if self.exact_flags and set(event.flags) != self.flags:
            return False
        if self.flags and not self.flags.issubset(event.flags):
            return False
        return self.condition is None or self.condition(event, state)

    @property
    def shown(self) -> str:
        """The layer as it was understood, for texts: `AUTH_CONNECT (ALE_AUTH_CONNECT_V4)`."""
        full = ", ".join(sorted(name.removeprefix("FWPM_LAYER_") for name in self.layers))
        plain = self.text.partition(":")[0].partition("+")[0].partition("@")[0].strip('"')
        return self.text if not full or full == plain else f"{self.text} ({full})"


def layers_meant(given: str, vocabulary: Vocabulary, where: str) -> frozenset[str]:
    """The full names of the layers that a spelling means for this subject.

    Raises
    ------
    UnknownName : no such layer, or several unlike ones.
    FsmError : a layer of the other IP version.
    """
    config = vocabulary.config
    both = vocabulary.any_version or config.choice("dual_stack") != "no"
    found: list[catalogue.Layer] = []
    errors: list[UnknownName] = []
    for ip in (config.ip,) if not both else IP_VERSIONS:
        try:
            found.append(catalogue.resolve(given, ip, windows=config.windows, where=where))
        except UnknownName as error:
            errors.append(error)
    if found:
        return frozenset(layer.fwpm_name for layer in found if layer.fwpm_name)
    other = 6 if config.ip == 4 else 4
    try:
        layer = catalogue.resolve(given, other, windows=config.windows, where=where)
    except UnknownName:
        raise errors[0] from None
    twin = catalogue.layer_of(layer.stem, config.ip).short_name
    raise FsmError(
        where,
        f"{layer.short_name} is a layer of IPv{other}, and {vocabulary.title} never comes to one",
        f"Did you mean {twin}?",
        f"Write {layer.stem} for either version, or make the claim of a machine with ip={other}",
    )


def text_of(given: object, where: str) -> str:
    """The words of a claim, which are text.

    Raises
    ------
    FsmError : something else.
    """
    if isinstance(given, str):
        return given
    raise FsmError(where, f"{given!r:.40} is no text", fix="Write what is meant as text: 'AUTH_CONNECT', '(sendto)'")


def read_atom(text: str, vocabulary: Vocabulary, where: str) -> Atom:
    """A classify or a condition: `AUTH_CONNECT:block+IS_REAUTHORIZE@sender`, `[outcome=blocked]`.

    Raises
    ------
    UnknownName, FsmError : a name that does not exist, with the nearest.
    """
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return read_condition(text[1:-1], vocabulary, where, text)
    if text.startswith('"') and text.count('"') >= 2:
        name, _, rest = text[1:].partition('"')
    else:
        cut = min((at for at in map(text.find, ":+@") if at >= 0), default=len(text))
        name, rest = text[:cut], text[cut:]
        _refuse_patterns(name, text, where)
    verdict, flags, endpoint = "", [], ""
    while rest:
        mark, rest = rest[0], rest[1:]
        cut = min((at for at in map(rest.find, ":+@") if at >= 0), default=len(rest))
        word, rest = rest[:cut].strip(), rest[cut:]
        if (mark == ":" and verdict) or (mark == "@" and endpoint):
            raise FsmError(where, f"'{text}' gives two after '{mark}'", "One event has one", "Leave one out")
        if mark == ":":
            verdict = _one_of("verdict", word.lower(), VERDICTS, where)
        elif mark == "+":
            flags.append(_one_of("flag", word.upper().removeprefix(FLAG_PREFIX), FLAGS, where))
        elif mark == "@":
            endpoint = endpoint_meant(word, vocabulary, where)
        else:
            raise FsmError(where, f"'{mark}{word}' follows the name in '{text}'", "A name is followed by :, + or @")
    if not name.strip():
        raise FsmError(where, f"'{text}' names no layer", "", "Write LAYER[:verdict][+FLAG][@endpoint]")
    return Atom(text, layers_meant(name, vocabulary, where), verdict, frozenset(flags), endpoint)


def read_stimulus(text: str, vocabulary: Vocabulary, where: str) -> Atom:
    """The beginning of a stimulus: `sendto`, `bind@receiver`.

    Raises
    ------
    UnknownName, FsmError : no such stimulus, or it does not happen to this subject.
    """
    word, at, endpoint = text.strip().partition("@")
    name = STIMULUS_ALIASES.get(word.lower(), word.lower())
    if name not in vocabulary.stimuli:
        if name in vocabulary.other_stimuli:
            raise FsmError(where, f"'{word}' does not happen to {vocabulary.title}", vocabulary.other_stimuli[name])
        if name in STIMULI:
            raise FsmError(
                where,
                f"'{word}' does not happen to {vocabulary.title}",
                f"Possible: {', '.join(vocabulary.stimuli) or 'no stimulus'}",
            )
        raise UnknownName.of(where, "stimulus", word, vocabulary.stimuli)
    return Atom(f"({text})", stimulus=name, endpoint=endpoint_meant(endpoint, vocabulary, where) if at else "")


def read_condition(inner: str, vocabulary: Vocabulary, where: str, text: str) -> Atom:
    """What must hold after an event: words that must all hold. `outcome` is the event's, the rest the state's."""
    if not inner.strip():
        raise FsmError(where, f"'{text}' asks for nothing", fix="Write for example [outcome=blocked] or [flow=OUT]")
    return Atom(text, condition=vocabulary.condition(inner, where))


def read_target(text: str, vocabulary: Vocabulary, where: str) -> Atom:
    """One event or state of a claim: a layer, `(stimulus)`, an outcome, or a condition with or without brackets.

    Raises
    ------
    UnknownName, FsmError : a name that does not exist, or a word that could mean two things.
    """
    given = text_of(text, where).strip()
    if not given:
        raise FsmError(where, "nothing is asked for", fix="Write a layer, (stimulus), an outcome or name=value")
    if given.startswith("("):
        if not given.endswith(")"):
            raise FsmError(where, f"'{given}' has no closing parenthesis", fix="Write (sendto)")
        return read_stimulus(given[1:-1], vocabulary, where)
    if not given.startswith(("[", '"')) and any(mark in given for mark in "=<>"):
        return read_condition(given, vocabulary, where, f"[{given}]")
    is_stimulus = given in STIMULI or given in STIMULUS_ALIASES
    if is_stimulus:
        try:
            layer = catalogue.resolve(given, vocabulary.config.ip, windows=vocabulary.config.windows)
        except UnknownName:
            if given in OUTCOMES:
                raise FsmError(
                    where, f"'{given}' is a stimulus and an outcome", fix=f"Write ({given}) or outcome={given}"
                ) from None
            return read_stimulus(given, vocabulary, where)
        raise FsmError(
            where, f"'{given}' is a stimulus, and what the event log calls {layer.stem}",
            fix=f"Write ({given}) or {layer.stem}",
        )  # fmt: skip
    if given in OUTCOMES:
        return read_condition(f"outcome={given}", vocabulary, where, given)
    try:
        return read_atom(given, vocabulary, where)
    except UnknownName as error:
        if not error.what.startswith("no layer"):
            raise
        if given.isdecimal():
            raise UnknownName(where, error.what, event_meant(int(given[:9])) or error.nearest, TAKEN) from None
        known = (*(layer.stem for layer in catalogue.layers()), *vocabulary.stimuli, *OUTCOMES)
        unknown = UnknownName.of(where, "layer, stimulus or outcome", given, known)
        if unknown.nearest.startswith("Did you mean"):
            raise unknown from None
        raise UnknownName(where, unknown.what, "", TAKEN) from None


def endpoint_meant(given: str, vocabulary: Vocabulary, where: str) -> str:
    """The name of an endpoint of this subject."""
    if not vocabulary.endpoints:
        raise FsmError(
            where, f"'@{given}' names an endpoint, and {vocabulary.title} is one by itself", fix=f"Leave out @{given}"
        )
    return _one_of("endpoint", given, vocabulary.endpoints, where)


def _refuse_patterns(name: str, text: str, where: str) -> None:
    """A layer is found whatever marks its name has in it; those of a pattern would be passed over."""
    for mark in ("...", "!", "?", "*", "|"):
        if mark in name:
            raise FsmError(
                where, f"'{mark}' in '{text}' is of a pattern, and here one event is named",
                fix="Leave it out, or make the claim with matches(subject, pattern)",
            )  # fmt: skip


def _one_of(kind: str, given: str, known: tuple[str, ...], where: str) -> str:
    if given not in known:
        raise UnknownName.of(where, kind, given, known)
    return given
