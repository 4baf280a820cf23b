"""Small records for the tests of `fsm.explain`, written by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fsm.explain.explainer import Explainer
from fsm.logs import LogEvent, LogItem
from fsm.placement import place

EVIDENCE = Path(__file__).resolve().parents[2] / "shared" / "evidence"
DATA = Path(__file__).resolve().parent / "data"

ME, PEER, OTHER = "192.0.2.43", "198.51.100.1", "198.51.100.9"
DNS = r"\device\harddiskvolume2\windows\system32\svchost.exe"


def record(
    event_id: int | None, layer: int | None, source: str | None = None, dest: str | None = None, **more: Any
) -> LogEvent:
    """A record. `source` and `dest` are "address:port" (IPv6 as "[address]:port"); `at` is seconds or None."""
    at = more.pop("at", 0.0)
    ends: dict[str, Any] = {}
    for name, text in (("source", source), ("dest", dest)):
        if text is not None:
            address, _, port = text.rpartition(":")
            ends[f"{name}_address"], ends[f"{name}_port"] = address.strip("[]"), int(port)
    defaults = {
        "source": "log.json",
        "record": 1,
        "host": "HOST1",
        "protocol": 17,
        "filter_id": 70764,
        "time_s": at,
        "time": None if at is None else f"2023-08-15T05:34:{at:06.3f}Z",
    }
    return LogEvent(**{**defaults, "event_id": event_id, "runtime_id": layer, **ends, **more})


def bind(port: int, address: str = "::", layer: int = 36, **more: Any) -> LogEvent:
    more = {"process_id": 1124, "application": DNS, "filter_id": 0, **more}
    event = record(more.pop("event_id", 5158), layer, **more)
    return replace(event, source_address=address, source_port=port)


def connect(source: str = f"{ME}:64773", dest: str = f"{PEER}:53", layer: int = 48, **more: Any) -> LogEvent:
    more = {"direction": "outbound", "process_id": 1124, "application": DNS, **more}
    return record(more.pop("event_id", 5156), layer, source, dest, **more)


def accept(source: str = f"{PEER}:5000", dest: str = f"{ME}:53", layer: int = 44, **more: Any) -> LogEvent:
    more = {"direction": "inbound", "process_id": 1124, "application": DNS, **more}
    return record(more.pop("event_id", 5156), layer, source, dest, **more)


def drop(source: str = f"{PEER}:53", dest: str = f"{ME}:64773", layer: int = 13, **more: Any) -> LogEvent:
    more = {"direction": "inbound", "process_id": 0, "application": "-", **more}
    return record(more.pop("event_id", 5152), layer, source, dest, **more)


def twin(source: str = f"{ME}:0", dest: str = f"{PEER}:0", layer: int = 32, **more: Any) -> LogEvent:
    more = {"direction": "outbound", "protocol": 1, "process_id": 0, "application": "-", "filter_id": 70766, **more}
    return record(more.pop("event_id", 5152), layer, source, dest, **more)


def numbered(*events: LogItem) -> list[LogItem]:
    """The items with record ordinals 1, 2, 3 ..."""
    return [replace(event, record=n) for n, event in enumerate(events, 1)]


def explained(*events: LogItem, history: int = 1000) -> list[dict[str, Any]]:
    """The explanations of these items, with ordinals, on the real machine."""
    return [one.json for one in Explainer(place, history).run(numbered(*events))]


def last(*events: LogItem) -> dict[str, Any]:
    """The explanation of the last of these items."""
    return explained(*events)[-1]


def codes(items: Iterable[LogItem]) -> list[str]:
    return [one.code for one in Explainer(place).run(items)]
