"""The rungs of a ladder: what a run did, laid out in parts and lanes, before anybody draws or prints it.

A part is one stimulus: where it starts (application, remote host, or neither), the classifies it makes in time
order, and how it ends. The DOT ladder, the Mermaid sequence and the plain text are made from the same parts.
"""

from __future__ import annotations

from dataclasses import dataclass

from fsm import catalogue
from fsm.endpoint import StimulusRecord
from fsm.flows import FlowRun, label_of
from fsm.names import Verdict
from fsm.sources import SOURCES
from fsm.stimuli import POSITIONS, STIMULI
from fsm.table import Step

# From the application on the left to the remote host on the right; a datagram that leaves goes to the right.
LANES: dict[str, str] = {
    "application": "application",
    "ale": "ALE",
    "transport": "transport",
    "network": "network",
    "wire": "wire",
    "remote": "remote host",
}
_LANE_OF_GROUP = {
    "ale": "ale",
    "datagram": "transport",
    "transport": "transport",
    "icmp": "transport",
    "ippacket": "network",
}

# Operations after which the item of a stimulus has gone somewhere; the last one in a part says where.
_WAYS_OUT = {
    "emit": "remote",
    "emit_icmp": "remote",
    "deliver": "application",
    "socket_error": "application",
    "lose": "lost",
    "queue": "held",
}


@dataclass(frozen=True, slots=True)
class Rung:
    """One classify: its number in the run, the flow's label for it, and the lane of its layer."""

    number: int
    label: str
    lane: str
    step: Step

    @property
    def stem(self) -> str:
        """The layer's name without prefix, IP version and `_DISCARD`."""
        return catalogue.by_name(self.step.layer).stem.removesuffix("_DISCARD")

    @property
    def is_discard(self) -> bool:
        return catalogue.by_name(self.step.layer).is_discard

    @property
    def short_name(self) -> str:
        """`ALE_AUTH_CONNECT_V4`."""
        return catalogue.by_name(self.step.layer).short_name

    @property
    def version(self) -> str:
        """`V4` or `V6`: a dual-stack socket visits layers of both."""
        return f"V{catalogue.by_name(self.step.layer).ip_version}"

    @property
    def stops(self) -> bool:
        """Whether the verdict stops what came here."""
        return self.step.verdict in (Verdict.BLOCK, Verdict.ABSORB, Verdict.VETO)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Discard reason, flags and events, in the words of the documents."""
        step = self.step
        discard = (f"{step.discard.reason} ({step.discard.value})",) if step.discard else ()
        logged = (f"log {', '.join(map(str, step.logged))}",) if step.logged else ()
        return (*discard, *step.flags, *logged)


@dataclass(frozen=True, slots=True)
class Part:
    """One stimulus of a run.

    `start` is "application", "remote" or "" (something that happens to the flow). `way_out` is "application",
    "remote", "lost", "held" or "" where nothing was under way; `lost` says what was.
    """

    stimulus: str
    peer: str
    at_s: int
    start: str
    text: str
    rungs: tuple[Rung, ...]
    way_out: str
    lost: str
    application_sees: str
    remote_sees: str
    outcome: str
    state: str
    begin: Step | None

    @property
    def name(self) -> str:
        """The stimulus, with its peer where that is not the first one."""
        return self.stimulus + (f"@{self.peer}" if self.peer != "A" else "")

    @property
    def of_peer(self) -> str:
        """What to add to a state that is drawn for another peer than the first: ` for peer B`."""
        return f" for peer {self.peer}" if self.peer != "A" else ""


@dataclass(frozen=True, slots=True)
class Ladder:
    """A run in parts, with its headings."""

    title: str
    about: str
    setup: str
    state: str  # before the first part
    parts: tuple[Part, ...]
    ip: int

    @property
    def of_peer(self) -> str:
        """As `Part.of_peer`, for the state before the first part."""
        return self.parts[0].of_peer if self.parts else ""


def ladder_of(run: FlowRun) -> Ladder:
    """The parts of a flow of the catalogue, or of any list of stimuli."""
    config = run.config
    about = f"IPv{config.ip}, Windows {config.windows}, evidence: {config.evidence}"
    about += "".join(f", {name}={option}" for name, option in config.assume)
    labels = {labelled.step.position: labelled.label for labelled in run.steps}
    parts: list[Part] = []
    for record in run.own_records:
        parts.append(_part(record, labels, 1 + sum(len(part.rungs) for part in parts)))
    first = next((step for record in run.own_records for step in record.steps), None)
    title = f"{run.name}: {run.title}" if run.name else f"{run.endpoint}: {run.title}"
    return Ladder(title, about, ", ".join(run.setup), first.from_state if first else "", tuple(parts), config.ip)


def citation(step: Step) -> str:
    """What a reader needs to trace a step back: rule, basis, documents, note."""
    titles = "; ".join(SOURCES[key].title for key in step.cite)
    name = f"{step.layer} (id {step.runtime_id}), {step.verdict}. " if step.layer else ""
    return f"{name}Rule {step.rule}, {step.basis}: {titles}." + (f" {step.note}." if step.note else "")


def _part(record: StimulusRecord, labels: dict[str, str], first: int) -> Part:
    rungs = []
    for number, step in enumerate(record.classified, first):
        lane = _LANE_OF_GROUP[catalogue.by_name(step.layer).group]
        rungs.append(Rung(number, labels.get(step.position, label_of(step.position)), lane, step))
    known = STIMULI.get(record.stimulus)
    start = ""
    if known is not None and "flow" not in known.scopes:
        start = "remote" if known.packet_direction == "inbound" else "application"
    way_out = next(
        (_WAYS_OUT[op] for step in reversed(record.steps) for op in reversed(step.ops) if op in _WAYS_OUT), ""
    )
    if not way_out and start == "application" and record.application_sees:
        way_out = "application"
    icmp = any(step.position.startswith(("icmp.", "drop.icmp")) for step in record.steps)
    last = record.steps[-1] if record.steps else None
    return Part(
        stimulus=record.stimulus,
        peer=record.peer,
        at_s=record.at_s,
        start=start,
        text=known.text if known else f"time passes, {record.at_s} s",
        rungs=tuple(rungs),
        way_out=way_out,
        lost=f"the {'ICMP error' if icmp else 'datagram'} is lost",
        application_sees=record.application_sees,
        remote_sees=record.remote_sees,
        outcome=record.outcome or "",
        state=last.to_state if last else "",
        begin=record.steps[0] if record.steps and not record.steps[0].layer else None,
    )


def rung_kind(rung: Rung) -> str:
    """What comes by: "icmp" for an ICMP error, "outbound" or "inbound" for a datagram, "local" for no packet."""
    if rung.step.position.startswith(("icmp.", "drop.icmp")):
        return "icmp"
    return POSITIONS[rung.step.position].packet_direction or "local"
