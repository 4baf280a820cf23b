"""The answer to what a policy does to a datagram: visits, endings, events and open questions. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from fsm.choices import Config
from fsm.endpoint import StimulusRecord
from fsm.policy.arbitration import Arbitration, OpenQuestion
from fsm.policy.datagram import Circumstances, Datagram
from fsm.policy.model import Filter
from fsm.table import Step


@dataclass(frozen=True, slots=True)
class Visit:
    """One classify: which layer, what the filters said there, what the machine did.

    `verdict` is that of the arbitration ("unknown" where open questions change it), `taken` the one that the machine
    went on with here. `refused` says why the layer does not take the verdict; empty where it does.
    """

    layer: str
    runtime_id: int | None
    stimulus: str
    verdict: str
    taken: str
    arbitration: Arbitration
    step: Step | None
    flags: tuple[str, ...]
    reauthorize_reason: int
    at_s: int
    refused: str = ""

    @property
    def rights(self) -> str:
        return self.arbitration.rights


@dataclass(frozen=True, slots=True)
class Logged:
    """A Security event that auditing would write. `filter` is None where no filter decided or it is not known."""

    event_id: int
    layer: str
    runtime_id: int | None
    filter: Filter | None
    at_s: int


@dataclass(frozen=True, slots=True)
class Ending:
    """One way in which it can end."""

    outcome: str | None
    blocked_at: str | None
    application_sees: str
    remote_sees: str


@dataclass(frozen=True, slots=True)
class Whatif:
    """The answer.

    Parameters
    ----------
    outcome : a name of `names.OUTCOMES`, or None where no datagram took part; "unknown" where open questions matter.
    blocked_at : the layer (full FWPM name) whose verdict made the outcome; None where none did or it is not known.
    visits : the classifies of the play in which every open question is answered with no (`otherwise`), in order.
    endings : every ending that is possible, that of `visits` first.
    open_questions : those that change the ending; `other_questions` were met, and whatever they are nothing changes.
    complete : False where there were more possible plays than are tried.
    """

    datagram: Datagram
    circumstances: Circumstances
    config: Config
    endpoint: str
    setup: tuple[str, ...]
    stimuli: tuple[str, ...]
    outcome: str | None
    blocked_at: str | None
    application_sees: str
    remote_sees: str
    visits: tuple[Visit, ...]
    logged: tuple[Logged, ...]
    endings: tuple[Ending, ...]
    open_questions: tuple[OpenQuestion, ...] = ()
    other_questions: tuple[OpenQuestion, ...] = ()
    complete: bool = True
    remarks: tuple[str, ...] = ()  # what the policy says and the play does not show
    records: tuple[StimulusRecord, ...] = ()

    @property
    def otherwise(self) -> Ending:
        """The ending when no open condition holds and undeclared callouts let the packet pass."""
        return self.endings[0]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the machine in the play of `visits`, for an overlay of a picture."""
        return tuple(step for record in self.records for step in record.steps)

    def to_json(self) -> dict[str, object]:
        """The answer as `wfp-udp whatif --format json` prints it."""
        from fsm.policy.whatif_text import whatif_json

        return whatif_json(self)
