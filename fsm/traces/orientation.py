"""Which end of a packet is the local one, where lines show source and destination, or an arrow that can be either.

`A -> B` is what a driver prints for source and destination, or on every line for local and remote. Lines whose
direction is known tell: an outbound packet has the local end on the left either way, an inbound
one only in the latter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fsm import catalogue
from fsm.traces.observation import Observation
from fsm.traces.words import split_end

LOCAL_TO_REMOTE = "local -> remote"
SOURCE_TO_DESTINATION = "source -> destination"
_KNOWN = ("inbound", "outbound")


@dataclass(frozen=True, slots=True)
class Read:
    """An observation with the ends as the packet has them, until it is known which one is local.

    `arrow` where they stand left and right of an arrow, without words for what they are.
    """

    observation: Observation
    src: str = ""
    dst: str = ""
    arrow: bool = False

    @property
    def way(self) -> str:
        """The direction by its word, else by the layer; a layer of both directions says neither of the two.

        An authorization can be asked again by a packet the other way, and what its src and dst mean then, a log does
        not say: the flow's own direction is taken.
        """
        return self.observation.direction or catalogue.by_name(self.observation.layer).direction

    @property
    def addresses(self) -> tuple[str, str]:
        return split_end(self.src)[0], split_end(self.dst)[0]


def oriented(found: Sequence[Read]) -> tuple[tuple[Observation, ...], str]:
    """The observations with local and remote ends, and what was taken for the arrows between them ("" without any)."""
    arrows = [one for one in found if one.arrow]
    meaning, why = _meaning(found, arrows) if arrows else ("", "")
    if meaning == LOCAL_TO_REMOTE:
        found = [
            Read(replace(one.observation, local=one.src, remote=one.dst)) if one.arrow else one for one in found
        ]  # fmt: skip
    note = f"the arrow between two addresses is read as {meaning} ({why})" if meaning and why else why
    return tuple(_with_local(found, one_of_both=bool(arrows) and not meaning)), note


def _meaning(found: Sequence[Read], arrows: Sequence[Read]) -> tuple[str, str]:
    """What the arrow is, "" where the log does not tell, and why."""
    if all(one.way == "outbound" for one in arrows):
        return SOURCE_TO_DESTINATION, ""  # the left end is local either way
    here = {split_end(one.observation.local)[0] for one in found if one.observation.local}
    here.update(one.addresses[0] for one in arrows if one.way == "outbound")
    votes: dict[str, Read] = {}
    for one in arrows:
        left, right = (address in here for address in one.addresses)
        if left != right and one.way != "outbound" and (right or one.way == "inbound"):
            votes.setdefault(LOCAL_TO_REMOTE if left else SOURCE_TO_DESTINATION, one)
    if len(votes) == 1:
        ((meaning, one),) = votes.items()
        local = one.addresses[0 if meaning == LOCAL_TO_REMOTE else 1]
        return meaning, f"{one.observation.source.rpartition(', ')[2]} shows the local address {local} on that side"
    lefts, rights = ({one.addresses[side] for one in arrows} for side in (0, 1))
    if not votes and len(lefts) == 1 and lefts != rights:
        return LOCAL_TO_REMOTE, f"{lefts.pop()} is on the left of each"
    inbound = [one for one in arrows if one.way == "inbound"]
    if not votes and inbound and len({one.addresses[1] for one in inbound}) == 1:
        return SOURCE_TO_DESTINATION, f"{inbound[0].addresses[1]} is on the right of each that is inbound"
    return "", (
        "whether the arrow between two addresses is local -> remote or source -> destination the log does not tell, so "
        "A -> B and B -> A are one conversation, and which end of it is local is not known; say --pattern with groups "
        "local and remote, or src and dst"
    )


def _with_local(found: Sequence[Read], *, one_of_both: bool) -> Iterator[Observation]:
    """Source and destination as local and remote: by direction, layer, or what is local elsewhere in the log.

    `one_of_both` where arrows can be either way round: of A -> B and B -> A that of an outbound line, else the first
    stands for both.
    """
    here: set[str] = set()
    for one in found:
        here.update(end for end in (one.observation.local,) if end)
        if one.way in _KNOWN and (one.src or one.dst) and not (one.arrow and one_of_both):
            here.add(one.dst if one.way == "inbound" else one.src)
    first = {frozenset((one.src, one.dst)): (one.src, one.dst) for one in found if one.way == "outbound"}
    for one in found:
        if not (one.src or one.dst) or one.observation.local or one.observation.remote:
            yield one.observation
            continue
        inbound = one.way == "inbound" or (one.way != "outbound" and one.dst in here and one.src not in here)
        local, remote = (one.dst, one.src) if inbound else (one.src, one.dst)
        if one.arrow and one_of_both:
            local, remote = first.setdefault(frozenset((one.src, one.dst)), (one.src, one.dst))
        yield replace(one.observation, local=local, remote=remote)
