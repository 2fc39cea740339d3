"""What the SQLite file has of members, decisions and responses, read beside the writer.

Events are only added, and each with a higher version than those before; so what has a version up to one that was read is
complete, whoever writes meanwhile.

A decision counts once there was time to respond to it. Counted at once, each would be a refusal until it is answered, and what
was just given to many would look worse than what nobody has seen.
"""

import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from experiments.log.events import Decision
from experiments.log.rows import DECISION_COLUMNS, decision_from_row
from server.errors import StoreUnavailableError
from server.members.profile import MemberProfile, ProfileChange, profile_from_json
from server.members.state import PURCHASE, REDEMPTION, MemberState, StateFold, given
from server.storage.profile_writes import change_from_row
from server.storage.schema import MEMBER_CHANGE_COLUMNS


class ReadPool:
    """Answers statements, each from a connection that nobody else uses meanwhile. There are as many as were ever needed at once.

    Args:
        path: The SQLite file; its tables must be there.
    """

    def __init__(self, path: Path) -> None:
        self._uri = f"{path.absolute().as_uri()}?mode=ro"
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._ended = False
        self._idle.put(self._connect())

    def close(self) -> None:
        """Release the file. Closing twice does nothing."""
        self._ended = True
        self._release()

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        if self._ended:
            raise StoreUnavailableError("the server is stopping")
        try:
            try:
                connection = self._idle.get_nowait()
            except Empty:
                connection = self._connect()
            try:
                return connection.execute(statement, values).fetchall()
            finally:
                self._idle.put(connection)
                if self._ended:
                    self._release()
        except sqlite3.Error as error:
            raise StoreUnavailableError(str(error)) from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._uri, uri=True, isolation_level=None, check_same_thread=False)

    def _release(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return


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
        fold = StateFold()
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


_RESPONSES = "('redemption', 'purchase')"
"""Outcomes that count as a response, if they name decision and offer."""

_LAST = "SELECT coalesce(max(rowid), 0) FROM decisions"
_NEXT = "SELECT rowid, receive_time FROM decisions WHERE rowid >= ? ORDER BY rowid LIMIT 1"
_COUNTED = f"""
    SELECT given.candidate_id, count(*), sum(EXISTS (
        SELECT 1 FROM outcomes AS o WHERE o.programme = ?1 AND o.member_id = given.member_id
        AND o.decision_id = given.decision_id AND o.offer_id = given.candidate_id AND o.outcome_type IN {_RESPONSES}
    ))
    FROM (
        SELECT d.decision_id, d.member_id, json_extract(one.value, '$.offer_id') AS candidate_id
        FROM decisions AS d, json_each(d.offers) AS one WHERE d.programme = ?1 AND d.rowid > ?2 AND d.rowid <= ?3
        UNION ALL
        SELECT d.decision_id, d.member_id, json_extract(one.value, '$.action_id')
        FROM decisions AS d, json_each(d.actions) AS one WHERE d.programme = ?1 AND d.rowid > ?2 AND d.rowid <= ?3
    ) AS given GROUP BY 1
"""  # noqa: S608 names are ours

Counts = dict[str, tuple[int, int]]
"""Decisions and responses by candidate."""


class EvidenceReads(ABC):
    """Counts responses, for a class that reads the file."""

    @abstractmethod
    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""

    def evidence_until(self, programme: str, mark: int, micros: int) -> tuple[Counts, int]:
        """Return what became of the decisions after a mark up to a time, and the mark reached.

        Args:
            programme: The loyalty programme.
            mark: How far decisions were counted; 0 for none.
            micros: Those that came in by this time are counted, microseconds since the Unix epoch.

        Raises:
            StoreUnavailableError: The log cannot be read.
        """
        end = self._last_until(mark, micros)
        if end <= mark:
            return {}, mark
        rows = self._rows(_COUNTED, programme, mark, end)
        return {name: (given, answered) for name, given, answered in rows}, end

    def _last_until(self, mark: int, micros: int) -> int:
        """Return the last decision that came in by a time; the log is in the order of time."""
        ((last,),) = self._rows(_LAST)
        low, high = mark, int(last)
        while low < high:
            middle = (low + high + 1) // 2
            found = self._rows(_NEXT, middle)
            if found and found[0][1] <= micros:
                low = max(middle, int(found[0][0]))
            else:
                high = middle - 1
        return low


_AT_ONCE = 5_000
_LISTED = f"""
    SELECT m.member_id,
        (SELECT c.after FROM member_changes AS c WHERE c.programme = m.programme AND c.member_id = m.member_id
         ORDER BY c.member_version DESC LIMIT 1),
        (SELECT count(*) FROM outcomes AS o WHERE o.programme = m.programme AND o.member_id = m.member_id
         AND o.outcome_type = '{PURCHASE}'),
        (SELECT count(*) FROM outcomes AS o WHERE o.programme = m.programme AND o.member_id = m.member_id
         AND o.outcome_type = '{REDEMPTION}')
    FROM members AS m WHERE m.programme = ? AND m.member_id > ? ORDER BY m.member_id LIMIT {_AT_ONCE}
"""  # noqa: S608 names are ours


class MemberListing(ReadPool):
    """Lists members, some at a time, so that a million need not fit into memory."""

    def members(self, programme: str) -> Iterator[Mapping[str, object]]:
        """Yield what segments may ask about each member, by name; what is not known of them is not there.

        Raises:
            StoreUnavailableError: They cannot be read.
        """
        last = ""
        while rows := self._rows(_LISTED, programme, last):
            for _, profile, purchases, redemptions in rows:
                yield _attributes(profile, purchases, redemptions)
            last = rows[-1][0]


def _attributes(profile: str | None, purchases: int, redemptions: int) -> dict[str, object]:
    attributes: dict[str, object] = {"purchase_count": purchases, "redemption_count": redemptions}
    if profile is not None:
        said = profile_from_json(profile)
        attributes = {**said.attributes, **attributes}
        if said.tier:
            attributes["tier"] = said.tier
        if said.points_balance is not None:
            attributes["points_balance"] = said.points_balance
    return attributes
