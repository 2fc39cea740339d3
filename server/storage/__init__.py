"""Where decisions, exposures, outcomes, experiments, identities and members are kept."""

from server.storage.member_store import MemberStore, ProfileUpdates, UpdateResult
from server.storage.protocols import (
    AppendResult,
    Chain,
    DecisionResult,
    EventLog,
    PendingDecision,
    StateDocument,
)
from server.storage.registry import ExperimentStore, IdentityLink, LinkResult, StandingExperiment
from server.storage.sqlite import SqliteEventLog

__all__ = [
    "AppendResult",
    "Chain",
    "DecisionResult",
    "EventLog",
    "ExperimentStore",
    "IdentityLink",
    "LinkResult",
    "MemberStore",
    "PendingDecision",
    "ProfileUpdates",
    "SqliteEventLog",
    "StandingExperiment",
    "StateDocument",
    "UpdateResult",
]
