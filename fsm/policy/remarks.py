"""The remarks of an answer: what it rests on that is nobody's statement, and what the policy says and no play shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fsm.choices import Config
from fsm.policy.answer import Visit
from fsm.policy.datagram import Circumstances
from fsm.policy.fields import canonical, offered
from fsm.policy.in_force import PolicyIndex
from fsm.policy.match import PATHS, assumed_volume, program_text
from fsm.policy.model import Filter
from fsm.policy.well_known import spelled_key


def remarks_of(
    index: PolicyIndex, circumstances: Circumstances, config: Config, endpoint: str, visits: Sequence[Visit]
) -> Iterator[str]:
    """What an answer rests on, or leaves out, in sentences without a full stop."""
    options = dict(index.policy.options)
    for name in ("loose_source_mapping", "local_only_mapping"):
        if options.get(name, "off") != "off":
            yield f"the classify option {name} is not played"
    if endpoint == "dropped_port":
        yield from _other_discards(index, config.ip, visits)
    notes = {(n.layer, n.first.key, n.other.key): n for v in visits for n in v.arbitration.order_notes}
    for note in notes.values():
        yield (
            f"'{note.first.name}' was asked before '{note.other.name}' by a rule of this program: {note.why}; the "
            f"other way round {note.layer.removeprefix('FWPM_LAYER_')} says {note.verdict}"
        )
    by_machine = {flag: visit.layer for visit in visits for flag in visit.flags}
    for flag in circumstances.no_flags:
        if flag in by_machine:
            yield f"{flag} holds at {by_machine[flag].removeprefix('FWPM_LAYER_')}, whatever was given"
    volumes = _assumed_volumes(circumstances.program, visits)
    for (drive, volume), each in volumes.items():
        yield f"{drive.upper()} is taken to be {volume}: '{each.name}' compares the program by the rest of its path"
    asked = {name for visit in visits for name in offered(visit.layer)}
    for name, _ in circumstances.fields:
        if name not in asked:
            yield f"no layer on this way offers the field {name}"
    setters = {
        id(over.filter): over.filter
        for visit in visits
        for over in visit.arbitration.passed_over
        if not over.failed and "_SET_OPTIONS_" in spelled_key(over.filter.callout)
    }
    for each in setters.values():
        yield f"'{each.name}' sets classify options for what it matches: not played"


def _other_discards(index: PolicyIndex, ip: int, visits: Sequence[Visit]) -> Iterator[str]:
    """Filters at the layer where, by other sources, a datagram to a port without socket is discarded."""
    visited = {visit.layer for visit in visits}
    discards = {f"FWPM_LAYER_INBOUND_{at}_V{ip}_DISCARD": at.lower() for at in ("IPPACKET", "TRANSPORT")}
    for layer, option in discards.items():
        count = sum(len(sublayer.filters) for sublayer in index.at(layer))
        if count and layer not in visited and visited & discards.keys():
            yield (
                f"sources differ on where a datagram to a port without socket is discarded: {count} "
                f"filter{'s' if count > 1 else ''} at {layer.removeprefix('FWPM_LAYER_')} not asked here "
                f"(--assume no_listener={option} asks there)"
            )


def _assumed_volumes(program: str | None, visits: Sequence[Visit]) -> dict[tuple[str, str], Filter]:
    """{(drive, volume): a filter that took the one for the other}, of all filters that were asked."""
    found: dict[tuple[str, str], Filter] = {}
    if program is None:
        return found
    for visit in visits:
        arbitration = visit.arbitration
        for each in (*(d.filter for d in arbitration.deciding), *(o.filter for o in arbitration.passed_over)):
            for condition in each.conditions:
                data = condition.value.data
                if canonical(condition.field) in PATHS and isinstance(data, str | bytes):
                    pair = assumed_volume(program_text(data), program)
                    if pair:
                        found.setdefault(pair, each)
    return found
