"""The lines of scenario files about policies: which file, and what it is asked about."""

from __future__ import annotations

import re

from fsm.choices import Config
from fsm.endpoint import FIRST_PEER
from fsm.policy.callouts import UNDECLARED
from fsm.policy.datagram import end_of
from fsm.scenarios.draft import Draft, ScenarioError, Word, known_endpoint, ready, takes, unknown
from fsm.scenarios.model import Do, Told, UsePolicy
from fsm.stimuli import STIMULI


def read_policy_line(draft: Draft, words: list[Word]) -> None:
    """`policy FILE [ordinary] [callouts permit]`."""
    form = "policy FILE [ordinary] [callouts permit]"
    if len(words) < 2:
        takes(words, 2, form)
    ready(draft, words[0])
    rest = words[2:]
    ordinary = bool(rest) and rest[0].text == "ordinary"
    rest = rest[ordinary:]
    callouts = "unknown"
    if rest:
        if rest[0].text != "callouts":
            raise ScenarioError(str(rest[0].spot), f"'{rest[0].text}' says nothing here", fix=f"Write: {form}")
        takes(rest, 2, form)
        if rest[1].text not in UNDECLARED:
            raise unknown(rest[1], "choice for callouts that nobody has described", UNDECLARED)
        callouts = rest[1].text
    draft.actions.append(UsePolicy(words[0].spot, words[1].text, draft.now_s, ordinary, callouts))


def read_told(draft: Draft, words: list[Word]) -> None:
    """`local is`, `peer PEER is`, `program is`."""
    kind = words[0].text
    form = {"local": "local is ADDRESS[:PORT] [on NAME]", "program": "program is PATH [on NAME]"}.get(
        kind, "peer PEER is ADDRESS[:PORT] [on NAME]"
    )
    config = ready(draft, words[0])
    before = 2 if kind == "peer" else 1
    peer = words[1].text if kind == "peer" and len(words) > 1 else ""
    if len(words) not in (before + 2, before + 4):
        takes(words, before + 2 if len(words) < before + 2 else before + 4, form)
    for word, wanted in zip(words[before::2], ("is", "on"), strict=False):
        if word.text != wanted:
            raise ScenarioError(str(word.spot), f"'{word.text}' where '{wanted}' belongs", fix=f"Write: {form}")
    if kind == "peer" and not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", peer):
        raise ScenarioError(str(words[1].spot), f"'{peer}' is no name of a peer: letters, digits, _ and -")
    value = words[before + 1]
    if kind != "program":
        _check_end(value, config)
    elif not value.text:
        raise ScenarioError(str(value.spot), "an empty text is no program", fix="Name its file")
    endpoint = known_endpoint(draft, words[before + 3]) if len(words) > before + 2 else ""
    for old in draft.told:
        if (old.kind, old.peer) == (kind, peer) and (old.endpoint == endpoint):
            what = f"{kind} {peer}".strip()
            raise ScenarioError(
                str(words[0].spot), f"'{what}' is told twice (first in line {old.spot.line})", fix="Keep one"
            )
    draft.told.append(Told(words[0].spot, kind, value.text, peer, endpoint))


def _check_end(word: Word, config: Config) -> None:
    end = end_of(word.text, str(word.spot))
    version = end.address.version
    if version != config.ip:
        raise ScenarioError(str(word.spot), f"{end} is IPv{version}, the machine is IPv{config.ip}", fix="Set ip")
    if end.address.is_loopback and config.choice("path") != "loopback":
        raise ScenarioError(str(word.spot), f"{end} stays on this host", fix="Begin with: assume path=loopback")


def check_told(draft: Draft) -> None:
    """What a policy is to be asked about needs a policy, and a peer that somebody speaks with."""
    if draft.told and not any(isinstance(action, UsePolicy) for action in draft.actions):
        told = draft.told[0]
        raise ScenarioError(str(told.spot), f"'{told.kind}' is for a policy, and there is none", fix="Add: policy FILE")
    for told in draft.told:
        does = [do for do in draft.actions if isinstance(do, Do) and told.endpoint in ("", do.endpoint)]
        if told.kind == "peer" and not any(
            (do.peer or FIRST_PEER) == told.peer and STIMULI[do.stimulus].with_peer for do in does
        ):
            raise ScenarioError(str(told.spot), f"no 'at' line is about peer {told.peer}", fix="Leave the line out")
