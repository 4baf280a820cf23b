"""Events as text for people: the English rendering of Windows, and what two collectors write around it.

Other languages name the fields differently and are not read. The labels are those of `spellings.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .spellings import LABELS, usual_names

_LIMIT_CHARS = 20_000  # of one text; a rendered event has some 700
_SIGN = "Run-Time ID:"
_HEADINGS = ("Application Information", "Network Information", "Filter Information", "Layer Information")
_LABEL = "|".join(re.escape(label) for label in sorted((*LABELS, *_HEADINGS), key=len, reverse=True))
# Tables keep line ends and tabs, or make blanks of them.
_FIELD = re.compile(rf"(?<![\w-])({_LABEL}):[ \t]*(.*?)\s*(?=(?<![\w-])(?:{_LABEL}):|[\r\n]|\Z)", re.DOTALL)
# The agent of Amazon CloudWatch with `event_format` text: channel, level, event id, provider, computer, rendering.
_BRACKETED = re.compile(
    r"\[([^\]\r\n]{1,256})\] \[[^\]\r\n]{0,40}\] \[(\d{1,5})\] \[([^\]\r\n]{1,256})\] \[([^\]\r\n]{0,256})\] "
    r"\[(.*)\]\s*",
    re.DOTALL,
)
# The classic Windows input of Splunk: a local time, then one header a line, the rendering last.
_HEADED = re.compile(r"[^\r\n=]{0,60}\r?\n?LogName=")
_HEADER = re.compile(r"^(LogName|SourceName|EventCode|ComputerName|RecordNumber)=(.*?)\r?$", re.MULTILINE)
_NAMES = {"LogName": "Channel", "EventCode": "EventID", "ComputerName": "Hostname"}


def fields_in(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of an event about a packet or socket, by the rendering that stands in a text of the record; or {}."""
    for text in record.values():
        if isinstance(text, str) and _SIGN in text[:_LIMIT_CHARS]:
            found = {label: value for label, value in _FIELD.findall(text[:_LIMIT_CHARS]) if label not in _HEADINGS}
            return usual_names(found)
    return {}


def event_in(text: str) -> dict[str, Any] | None:
    """The event that a collector wrote as text, header and rendering; None when the text is nothing of the kind."""
    if match := _BRACKETED.fullmatch(text[:_LIMIT_CHARS]):
        channel, event_id, provider, computer, message = match.groups()
        return {"Channel": channel, "EventID": int(event_id), "SourceName": provider, "Hostname": computer,
                "Message": message}  # fmt: skip
    if _HEADED.match(text):
        head, _, message = text[:_LIMIT_CHARS].partition("Message=")
        found = {_NAMES.get(name, name): value for name, value in _HEADER.findall(head)}
        return {**found, "Message": message} if "EventID" in found else None
    return None
