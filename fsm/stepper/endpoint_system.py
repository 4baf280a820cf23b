"""An endpoint as places and moves: the running endpoint does the work, a place is its snapshot.

A word means what it means to `wfp-udp run`: `sendto` is for peer A, `sendto@B` for peer B. In focus is the peer of
the last stimulus; moves are listed as words for the peer in focus.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import replace
from itertools import groupby

from fsm.choices import Config, default_config
from fsm.endpoint import FIRST_PEER, ClassifyContext, Snapshot
from fsm.errors import FsmError, UnknownName
from fsm.flows import make_endpoint
from fsm.names import REGISTERS, VERDICTS
from fsm.predicates import NONE, PEER_NAME, Predicate, parse
from fsm.stepper.codes import LETTERS, MOVES, WAIT
from fsm.stepper.system import Refusals, System, difference
from fsm.stimuli import STIMULI, STIMULUS_ALIASES
from fsm.table import Step

REPEATED = 3  # from so many equal items on, a token counts them
LONGEST = 100_000  # moves that a token may unfold to

_COUNT = "([1-9][0-9]{0,4})"
_ITEM = re.compile(rf"(w[0-9]{{1,9}})(?:\.{_COUNT})?|([A-Za-z](?:\.(?:[A-Za-z0-9]|-[mu]){{1,32}}\.)?){_COUNT}?")
_IN_PEER = {"-": "-m", "_": "-u"}  # `_` parts a token
_FROM_PEER = {written: character for character, written in _IN_PEER.items()}


class EndpointSystem(System[Snapshot]):
    """An endpoint (`sender`, `receiver`, `dropped_port`) to step through, on the table or on the live machine.

    Raises
    ------
    UnknownName : no such endpoint or engine.
    """

    def __init__(self, endpoint: str, config: Config | None = None, engine: str = "table") -> None:
        self.config = config or default_config()
        self.name = self.title = endpoint
        self.engine = engine
        self._endpoint = make_endpoint(endpoint, self.config, engine)
        self.table = self._endpoint.table
        self._start = self._endpoint.snapshot()

    def start(self) -> Snapshot:
        return self._start

    def moves(self, place: Snapshot) -> tuple[str, ...]:
        return tuple(self._word(event, place.peer) for event in self.table.moves(place.state))

    def refusals(self, place: Snapshot) -> Refusals:
        return tuple((self._word(event, place.peer), why) for event, why in self.table.refusals(place.state))

    def take(self, place: Snapshot, move: str) -> tuple[Snapshot, tuple[Step, ...]]:
        endpoint = self._endpoint
        endpoint.history.clear()
        endpoint.trace.clear()
        endpoint.restore(place)
        name, _, seconds = move.partition(":")
        if name == "wait":
            endpoint.wait(int(seconds))
            endpoint.look_at(place.peer)
        elif move in VERDICTS:
            if self.table.layer(place.state) is None:
                raise self.table.refused(place.state, move)
            endpoint.decide(move)
        else:
            stimulus, _, peer = move.partition("@")
            peer = peer or FIRST_PEER
            endpoint.begin(stimulus, peer)
            if self.table.layer(endpoint.state) is None:
                endpoint.look_at(peer)  # what happens to all flows leaves another one in focus
        return endpoint.snapshot(), tuple(endpoint.trace)

    def spelled(self, place: Snapshot, word: str, where: str) -> str:
        name, colon, argument = word.strip().partition(":")
        if name.lower() == "wait":
            return f"wait:{_seconds(argument, where)}"
        if colon:
            raise FsmError(where, f"'{name}' takes no argument '{argument}'", fix="Only wait:SECONDS does")
        if name.lower() in VERDICTS:
            return name.lower()
        stimulus, at, peer = name.partition("@")
        if at and not PEER_NAME.fullmatch(peer):
            raise FsmError(where, f"'{peer}' is no name of a peer", "Letters, digits, _ and -", "Write sendto@B")
        known = stimulus.lower().replace("-", "_")
        if STIMULUS_ALIASES.get(known, known) not in STIMULI:
            offered = (*self.table.view.stimuli, *STIMULUS_ALIASES, *VERDICTS, "wait:SECONDS")
            raise UnknownName.of(where, "move", stimulus, offered)
        stimulus = self.table.stimulus(stimulus, where)
        if at and not STIMULI[stimulus].with_peer:
            raise FsmError(
                where, f"'{stimulus}' happens to the socket as a whole", "It takes no peer", f"Write {stimulus}"
            )
        return self._word(stimulus, peer or FIRST_PEER)

    def _word(self, event: str, peer: str) -> str:
        plain = peer == FIRST_PEER or event in VERDICTS or not STIMULI[event].with_peer
        return event if plain else f"{event}@{peer}"

    # -- a place in words -----------------------------------------------------------------------------------------

    def state(self, place: Snapshot) -> str:
        return self.table.name_of(place.state)

    def layer(self, place: Snapshot) -> str:
        layer = self.table.layer(place.state)
        return layer.fwpm_name if layer else ""

    def stimulus(self, place: Snapshot) -> str:
        stimulus = self.table.states[place.state].stimulus
        return self._word(stimulus, place.peer) if stimulus else ""

    def key(self, place: Snapshot) -> Hashable:
        return replace(place, reasons=(), peer_numbers=())

    def context(self, place: Snapshot) -> ClassifyContext:
        self._endpoint.restore(place)
        return self._endpoint.context()

    def values(self, place: Snapshot) -> dict[str, str]:
        return self._values(place, _met(place))

    def changes(self, before: Snapshot, after: Snapshot) -> dict[str, tuple[str, str]]:
        # Of peers that only one of them has met the flow is told too.
        peers = _met(before) | _met(after)
        return difference(self._values(before, peers), self._values(after, peers))

    def _values(self, place: Snapshot, peers: set[str]) -> dict[str, str]:
        state = self.table.states[place.state]
        values = dict(zip(self.table.view.registers, state.registers, strict=True))
        if "flow" in values and len(peers) > 1:
            own = values.pop("flow")
            values["peer"] = place.peer
            none = REGISTERS["flow"][0]
            flows = {**dict.fromkeys(peers, none), **dict(place.flows), place.peer: own}
            values |= {f"flow@{peer}": flows[peer] for peer in sorted(flows)}
        return {
            **values,
            "stimulus": state.stimulus or NONE,
            "position": state.position,
            "layer": self.layer(place).removeprefix("FWPM_LAYER_") or NONE,
            "time": f"{place.now_s} s",
        }

    def view(self, place: Snapshot) -> dict[str, object]:
        state = self.table.states[place.state]
        registers = dict(zip(self.table.view.registers, state.registers, strict=True))
        flows = {**dict(place.flows), place.peer: registers["flow"]} if "flow" in registers else {}
        return {
            **registers,
            **{f"flow@{peer}": flow for peer, flow in flows.items()},
            "peer": place.peer,
            "stimulus": state.stimulus or NONE,
            "position": state.position,
            "layer": self.layer(place),
            "time": place.now_s,
        }

    def predicate(self, expression: str, where: str, *, bare: bool = False) -> Predicate:
        return parse(expression, where, config=self.config, bare=bare)

    # -- tokens ---------------------------------------------------------------------------------------------------

    def encoded(self, path: Iterable[tuple[Snapshot, str]]) -> str:
        text = []
        for item, equal in groupby(_item(move) for _, move in path):
            count = len(list(equal))
            dot = "." if item[-1].isdecimal() else ""
            text.append(item * count if count < REPEATED else f"{item}{dot}{count}")
        return "".join(text)

    def decoded(self, choices: str, where: str) -> list[str]:
        items: list[str] = []
        at = 0
        while at < len(choices):
            found = _ITEM.match(choices, at)
            if found is None or (found[3] and found[3][0] not in MOVES):
                letters, rest = "".join(MOVES), choices[at : at + 12]
                raise FsmError(
                    where, f"no move is written '{rest}'", f"Letters: {letters} and w61", "Copy the whole of it"
                )
            items += [found[1] or found[3]] * int(found[2] or found[4] or 1)
            if len(items) > LONGEST:
                raise FsmError(where, f"more than {LONGEST} moves", fix="Save the walk to a file instead")
            at = found.end()
        return items

    def chosen(self, place: Snapshot, item: str, where: str) -> str:
        if item.startswith(WAIT):
            return f"wait:{int(item[1:])}"
        letter, dot, peer = item.removesuffix(".").partition(".")
        peer = re.sub("-.", lambda found: _FROM_PEER[found[0]], peer)
        return self.spelled(place, MOVES[letter] + ("@" if dot else "") + peer, where)


def _met(place: Snapshot) -> set[str]:
    return {place.peer, *dict(place.flows)}


def _item(move: str) -> str:
    name, _, seconds = move.partition(":")
    if name == "wait":
        return f"{WAIT}{seconds}"
    stimulus, at, peer = move.partition("@")
    return LETTERS[stimulus] + (f".{''.join(_IN_PEER.get(letter, letter) for letter in peer)}." if at else "")


def _seconds(given: str, where: str) -> int:
    digits = given.strip().removesuffix("s")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 9:
        raise FsmError(where, f"'{given}' is no number of seconds", "0 to 999999999", "Write wait:61")
    return int(digits)
