"""Where decisions, exposures, outcomes, experiments, identities and members are kept."""

from server.storage.protocols import (
    AppendResult,
    Chain,
    DecisionResult,
    EventLog,
    ExperimentStore,
    IdentityLink,
    LinkResult,
    MemberStore,
    PendingDecision,
    ProfileUpdates,
    StateDocument,
    StoredExperiment,
    UpdateResult,
)
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
    "StateDocument",
    "StoredExperiment",
    "UpdateResult",
]
