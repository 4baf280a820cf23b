"""What can be asked of a place: a small grammar of words for watches, for run-until and for claims; never `eval`.

An expression is one or more words, separated by spaces or `and`; all must hold. A word is `name=value|value` (one of
these), `name!=value|value` (none of these), `name>=number` or `name<=number`.

Names for an endpoint: the registers `socket`, `connected`, `window`, `flow` (of the peer in focus; `flow@B` for a
peer), `stimulus`, `position` (`idle` when nothing is in progress), `layer` (that waits for a verdict, in any spelling;
`none`), `fired` (layers that have fired in this walk), `time` (model seconds), `outcome`, `peer` (in focus). For a
session: the words of `fsm.session.parse_reach`, and `fired`.

A view is a mapping from these names to what holds: a text, a number for `time`, the full names of layers for `layer`
and `fired`. A session's view has its `SessionState` under `SESSION_STATE`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from fsm import catalogue
from fsm.choices import Config
from fsm.errors import FsmError, UnknownName
from fsm.names import IDLE, IP_VERSIONS, OUTCOMES, REGISTERS
from fsm.session import Session, SessionState, parse_reach
from fsm.stimuli import POSITIONS, STIMULI, STIMULUS_ALIASES

View = Mapping[str, object]

NONE = "none"
SESSION_STATE = "session state"  # no word of the grammar: it has a space
PEER_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
NAMES: tuple[str, ...] = (*REGISTERS, "stimulus", "position", "layer", "fired", "time", "outcome", "peer")
NUMBERS: tuple[str, ...] = ("time",)
EXAMPLE = "Write for example socket=BOUND and flow=OUT|IN"

_WORD = re.compile(r"([^=!<>|]+)(!=|>=|<=|=)(.*)", re.DOTALL)
_COMPARE: dict[str, Callable[[int, int], bool]] = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True, slots=True)
class Term:
    """One word: a name, how it is compared ("" for a name that stands by itself in a watch), and with what."""

    name: str
    comparison: str
    values: tuple[str, ...]
    text: str
    reach: Callable[[SessionState], bool] | None = None

    def holds(self, view: View) -> bool:
        """Whether this word is true there."""
        if self.reach is not None:
            state = view[SESSION_STATE]
            assert isinstance(state, SessionState)
            return self.reach(state) is (self.comparison != "!=")
        found = _found(self.name, view)
        if self.comparison in _COMPARE:
            return all(_COMPARE[self.comparison](int(one), int(self.values[0])) for one in found)
        return bool(set(found) & set(self.values)) is (self.comparison == "=")


@dataclass(frozen=True, slots=True)
class Predicate:
    """A checked expression. Made by `parse`."""

    text: str
    terms: tuple[Term, ...]

    def holds(self, view: View) -> bool:
        """Whether every word is true there."""
        return all(term.holds(view) for term in self.terms if term.comparison)

    def value(self, view: View) -> str:
        """What a watch shows: `yes` or `no`, or for a name that stands by itself what it is."""
        if all(term.comparison for term in self.terms):
            return "yes" if self.holds(view) else "no"
        return ", ".join(_shown(term, view) for term in self.terms)


def parse(
    expression: str,
    where: str = "predicate",
    *,
    config: Config | None = None,
    session: Session | None = None,
    bare: bool = False,
) -> Predicate:
    """The predicate that an expression means.

    Parameters
    ----------
    config : the machine, for the spelling of layers; without it a layer without IP version means both.
    session : the session whose places are asked about; without it they are those of an endpoint.
    bare : whether a name may stand by itself, as in watches (`flow`).

    Raises
    ------
    FsmError, UnknownName : a word that is none, a name or value that does not exist.
    """
    words = [word for word in expression.split() if word.lower() != "and"]
    if not words:
        raise FsmError(where, "nothing is asked for", fix="Write for example receiver=BOUND/IN" if session else EXAMPLE)
    config = session.config if session else config
    return Predicate(" ".join(words), tuple(_term(word, where, config, session, bare) for word in words))


def _term(word: str, where: str, config: Config | None, session: Session | None, bare: bool) -> Term:
    if bare and not session and not set(word) & set("=<>!"):
        return Term(_name(word, where), "", (), word)
    parts = _WORD.fullmatch(word)
    if parts is None or not parts[3]:
        raise FsmError(where, f"'{word}' is no name=value", "Comparisons: = != >= <=", EXAMPLE)
    name, comparison, given = parts.groups()
    if session is not None and name.lower() != "fired":
        if comparison not in ("=", "!="):
            raise FsmError(where, f"'{word}' compares numbers, and a session has none", "Comparisons: = !=")
        return Term(name, comparison, (given,), word, parse_reach(session, f"{name}={given}", where))
    name = _name(name, where)
    if comparison in _COMPARE:
        if name not in NUMBERS:
            raise FsmError(where, f"'{word}' compares numbers, but {name} is none", f"Numbers: {', '.join(NUMBERS)}")
        return Term(name, comparison, (_number(given, word, where),), word)
    values = tuple(value for one in given.split("|") for value in _values(name, one, word, where, config))
    return Term(name, comparison, values, word)


def _name(given: str, where: str) -> str:
    name, at, peer = given.partition("@")
    name = name.lower()
    if name not in NAMES:
        raise UnknownName.of(where, "condition", given, (*NAMES, "flow@PEER"))
    if not at:
        return name
    if name != "flow":
        raise FsmError(where, f"'{given}': only a flow is of a peer", f"Names: {', '.join((*NAMES, 'flow@PEER'))}")
    if not PEER_NAME.fullmatch(peer):
        raise FsmError(where, f"'{peer}' is no name of a peer", "Letters, digits, _ and -", "Write flow@B=OUT")
    return f"flow@{peer}"


def _values(name: str, given: str, word: str, where: str, config: Config | None) -> tuple[str, ...]:
    register = name.partition("@")[0]
    if name in NUMBERS:
        return (_number(given, word, where),)
    if name == "peer":
        return (given,)
    if name in ("layer", "fired"):
        if name == "layer" and given.lower() == NONE:
            return ("",)
        return _layers(given, where, config)
    known: Collection[str]
    if register in REGISTERS:
        known = REGISTERS[register]
    elif name == "stimulus":
        given = given.lower().replace("-", "_")
        given = STIMULUS_ALIASES.get(given, given)
        known = (NONE, *STIMULI)
    elif name == "position":
        known = (IDLE, *POSITIONS)
    else:
        known = (NONE, *OUTCOMES)
    for value in known:
        if value.casefold() == given.casefold():
            return (value,)
    raise UnknownName.of(where, f"value of {name}", given, known)


def _layers(given: str, where: str, config: Config | None) -> tuple[str, ...]:
    if config is not None:
        versions = [config.ip] if config.choice("dual_stack") == "no" else [*IP_VERSIONS]
        windows = config.windows
    else:
        versions, windows = [*IP_VERSIONS], "11"
    try:
        return (catalogue.resolve(given, None, windows=windows, where=where).fwpm_name,)
    except UnknownName:
        # A name without version means the layers of every version that this machine visits.
        return tuple(catalogue.resolve(given, ip, windows=windows, where=where).fwpm_name for ip in versions)


def _number(given: str, word: str, where: str) -> str:
    digits = given.removesuffix("s")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 9:
        raise FsmError(where, f"'{given}' in '{word}' is no number of seconds", "0 to 999999999", "Write time>=61")
    return str(int(digits))


def _found(name: str, view: View) -> tuple[str, ...]:
    """What holds for a name, as texts; nothing stands as `none` or, for a flow, as NONE."""
    value = view.get(name)
    if value is None:
        return (REGISTERS["flow"][0] if name.startswith("flow") else "",)
    if isinstance(value, str | int):
        return (str(value),)
    assert isinstance(value, Collection)
    return tuple(map(str, value))


def _shown(term: Term, view: View) -> str:
    if term.comparison:
        return f"{term.text}: {'yes' if term.holds(view) else 'no'}"
    found = [one.removeprefix("FWPM_LAYER_") for one in _found(term.name, view)]
    return " ".join(filter(None, found)) or NONE
