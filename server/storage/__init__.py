"""Where decisions, exposures and outcomes are kept."""

from server.storage.log import AppendResult, EventLog
from server.storage.sqlite import SqliteEventLog

__all__ = ["AppendResult", "EventLog", "SqliteEventLog"]
