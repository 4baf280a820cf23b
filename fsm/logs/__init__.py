"""Reading recorded logs: `read` gives one item for each record of each input (see `reader`)."""

from __future__ import annotations

from .event import LogEvent, LogItem, NotUnderstood, OtherRecord
from .reader import Progress, ReadSummary, read

__all__ = ["LogEvent", "LogItem", "NotUnderstood", "OtherRecord", "Progress", "ReadSummary", "read"]
