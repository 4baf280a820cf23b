"""What every reader gives: one item for each record of a log, none left out.

The readers say what stands in the record; what it means is said in `fsm.explain`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One WFP record as it was written, numbers as numbers, nothing interpreted.

    `source_*` and `dest_*` are the columns of a Security event as recorded; which end is local is decided
    elsewhere (it differs between Windows generations, fact g.12). Net events name the ends themselves and
    fill `local_*` and `remote_*` instead. Fields that the record does not have are None.
    """

    source: str  # the file, and the member of an archive: "x.zip/x.json"
    record: int  # 1-based ordinal of the record in that source
    event_id: int | None  # 5031, 5150-5159, 5447 ...; None for net events
    event_type: str | None = None  # net events: "CLASSIFY_DROP", "CLASSIFY_ALLOW" ...
    record_number: int | None = None  # the log's own number, where it has one
    time: str | None = None  # ISO 8601 in UTC where it could be read, else as written
    time_s: float | None = None  # seconds since 1970, UTC
    host: str | None = None
    protocol: int | None = None  # IP protocol number
    runtime_id: int | None = None  # layer run-time id (LayerRTID, layerId)
    layer_code: str | None = None  # LayerName as written: "%%14597", or words
    direction: str | None = None  # "inbound", "outbound", "forward" as recorded
    source_address: str | None = None
    source_port: int | None = None
    dest_address: str | None = None
    dest_port: int | None = None
    local_address: str | None = None
    local_port: int | None = None
    remote_address: str | None = None
    remote_port: int | None = None
    process_id: int | None = None
    application: str | None = None
    filter_id: int | None = None
    filter_origin: str | None = None
    reauthorize_reason: int | None = None
    is_loopback: bool | None = None
    extra: Mapping[str, str] = field(default_factory=dict)  # every other field of the record


@dataclass(frozen=True, slots=True)
class OtherRecord:
    """A readable record that is no WFP record (another event id, another provider)."""

    source: str
    record: int


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A record, or a stretch of the input, that could not be read, and why. Reported, never dropped."""

    source: str
    record: int
    where: str  # "line 17", "byte 1024", "archive member x"
    why: str
    broken_container: bool = False  # the input itself is damaged here and what follows in it was not read


@dataclass(frozen=True, slots=True)
class Skipped:
    """A member of an archive that by its nature holds no records, such as file attributes that macOS adds. Told."""

    source: str
    why: str


LogItem = LogEvent | OtherRecord | NotUnderstood | Skipped
