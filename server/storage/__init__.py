"""Where decisions, exposures, outcomes, experiments and identities are kept."""

from server.storage.log import AppendResult, EventLog
from server.storage.registry import ExperimentStore, IdentityLink, LinkResult, StandingExperiment
from server.storage.sqlite import SqliteEventLog

__all__ = [
    "AppendResult",
    "EventLog",
    "ExperimentStore",
    "IdentityLink",
    "LinkResult",
    "SqliteEventLog",
    "StandingExperiment",
]
