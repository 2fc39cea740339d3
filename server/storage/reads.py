"""What the SQLite file has of one member, and of one decision.

Events are only added, and each with a higher version than those before; so what has a version up to one that was read is
complete, whoever writes meanwhile.
"""

import json
from typing import Any

from experiments.log.events import Decision
from experiments.log.rows import DECISION_COLUMNS, decision_from_row
from experiments.member_tables import MEMBER_CHANGE_COLUMNS
from server.members.change import ProfileChange
from server.members.document import profile_from_json
from server.members.events import given
from server.members.fold import Fold
from server.members.profile import MemberProfile
from server.members.state import MemberState
from server.storage.profile_writes import change_from_row
from server.storage.read_pool import ReadPool

_VERSION = "SELECT version FROM members WHERE programme = ? AND member_id = ?"
_PROFILE = """
    SELECT after FROM member_changes WHERE programme = ? AND member_id = ? AND member_version <= ?
    ORDER BY member_version DESC LIMIT 1
"""
_DECISIONS = """
    SELECT decide_time, CASE WHEN kind = 'actions'
        THEN (SELECT json_group_array(json_array(json_extract(value, '$.action_id'), json_extract(value, '$.channel_id')))
              FROM json_each(actions))
        ELSE (SELECT json_group_array(json_array(json_extract(value, '$.offer_id'), coalesce(channel_id, '')))
              FROM json_each(offers)) END
    FROM decisions WHERE programme = ? AND member_id = ? AND coalesce(member_version, 0) <= ?
"""
_OUTCOMES = """
    SELECT outcome_time, outcome_type, offer_id, channel_id, product_ids
    FROM outcomes WHERE programme = ? AND member_id = ? AND coalesce(member_version, 0) <= ?
"""
_CHANGE = ", ".join(MEMBER_CHANGE_COLUMNS)
_CHANGES = f"""
    SELECT {_CHANGE} FROM member_changes WHERE programme = ? AND member_id = ? AND member_version > ?
    ORDER BY member_version LIMIT ?
"""  # noqa: S608 names are ours
_LAST_CHANGE = f"""
    SELECT {_CHANGE} FROM member_changes WHERE programme = ? AND member_id = ?
    ORDER BY member_version DESC LIMIT 1
"""  # noqa: S608 names are ours
_DECISION = f"SELECT {', '.join(DECISION_COLUMNS)} FROM decisions WHERE programme = ? AND decision_id = ?"  # noqa: S608
_DOCUMENT = "SELECT document FROM states WHERE programme = ? AND state_id = ?"


class MemberReads(ReadPool):
    """The reading part of a ``MemberStore``."""

    def member_state(self, programme: str, member_id: str, upto_version: int | None = None) -> MemberState:
        """See ``MemberStore.member_state``. Events of logs of older versions count as version 0."""
        version = self._version(programme, member_id)
        if upto_version is not None:
            version = min(version, upto_version)
        fold = Fold()
        for micros, chosen in self._rows(_DECISIONS, programme, member_id, version):
            fold.decision(micros, *given(json.loads(chosen)))
        for micros, event, candidate_id, channel_id, products in self._rows(
            _OUTCOMES, programme, member_id, version
        ):
            fold.outcome(
                micros, event, candidate_id or "", channel_id or "", json.loads(products) if products else ()
            )
        said = self._rows(_PROFILE, programme, member_id, version)
        return fold.state(member_id, version, profile_from_json(said[0][0]) if said else MemberProfile())

    def last_profile_change(self, programme: str, member_id: str) -> ProfileChange | None:
        """See ``MemberStore.last_profile_change``."""
        rows = self._rows(_LAST_CHANGE, programme, member_id)
        return change_from_row(rows[0]) if rows else None

    def profile_changes(
        self, programme: str, member_id: str, after_version: int, most: int
    ) -> tuple[ProfileChange, ...]:
        """See ``MemberStore.profile_changes``."""
        return tuple(
            change_from_row(row) for row in self._rows(_CHANGES, programme, member_id, after_version, most)
        )

    def decision(self, programme: str, decision_id: str) -> Decision | None:
        """See ``MemberStore.decision``."""
        rows = self._rows(_DECISION, programme, decision_id)
        return decision_from_row(rows[0]) if rows else None

    def state_document(self, programme: str, state_id: str) -> str | None:
        """See ``MemberStore.state_document``."""
        rows = self._rows(_DOCUMENT, programme, state_id)
        return str(rows[0][0]) if rows else None

    def _version(self, programme: str, member_id: str) -> int:
        rows: list[tuple[Any, ...]] = self._rows(_VERSION, programme, member_id)
        return int(rows[0][0]) if rows else 0
