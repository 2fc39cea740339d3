"""What the decision log says of a period: its requests, what else happened, and how members and budgets stood before. Read only."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from experiments.assignment.plan import Assignment, AssignmentReason
from experiments.log.events import AssignedVariant, Outcome, from_micros, to_micros
from experiments.log.rows import OUTCOME_COLUMNS, SCHEMA_VERSION, decoded_attributes
from server.catalogue.diff import CatalogueChange
from server.decide.context import Evidence
from server.members import MemberProfile, MemberState
from server.members.profile import ProfileChange
from server.storage.catalogue_store import CatalogueReads
from server.storage.experiment_reads import SqliteReads
from server.storage.profile_writes import change_from_row
from server.storage.reads import EvidenceReads, MemberReads
from server.storage.schema import COMMITTED, MEMBER_CHANGE_COLUMNS
from server.whatif.ledger import OpeningBalance, OpenReservation, Response, Waiting
from server.whatif.requests import SimulatedRequest, SimulationError

_REQUESTS = """
    SELECT decision_id, member_id, placement_id, decide_time, coalesce(channel_id, ''), requested_count,
        coalesce(attributes, '{}'), coalesce(basket, '[]'), assignments, plan_revision, receive_time, member_version
    FROM decisions
    WHERE programme = ? AND decide_time >= ? AND decide_time < ? AND member_version IS NOT NULL ORDER BY rowid
"""
_LAST_TIME = "SELECT max(decide_time) FROM decisions WHERE programme = ?"
_OUTCOMES = f"""
    SELECT {", ".join(OUTCOME_COLUMNS)} FROM outcomes
    WHERE programme = ? AND receive_time >= ? AND receive_time <= ? AND member_version IS NOT NULL ORDER BY rowid
"""  # noqa: S608 names are ours
_CHANGES = f"""
    SELECT {", ".join(MEMBER_CHANGE_COLUMNS)} FROM member_changes
    WHERE programme = ? AND change_time >= ? AND change_time <= ? ORDER BY member_id, member_version
"""  # noqa: S608 names are ours
_VERSION_BEFORE = """
    SELECT coalesce(max(version), 0) FROM (
        SELECT max(member_version) AS version FROM decisions
        WHERE programme = ?1 AND member_id = ?2 AND receive_time < ?3
        UNION ALL SELECT max(member_version) FROM outcomes
        WHERE programme = ?1 AND member_id = ?2 AND receive_time < ?3
        UNION ALL SELECT max(member_version) FROM member_changes
        WHERE programme = ?1 AND member_id = ?2 AND change_time < ?3)
"""
_WAITING = """
    SELECT d.receive_time, d.member_id, d.decision_id, (SELECT json_group_array(candidate_id) FROM (
        SELECT json_extract(value, '$.offer_id') AS candidate_id FROM json_each(d.offers)
        UNION ALL SELECT json_extract(value, '$.action_id') FROM json_each(d.actions)))
    FROM decisions AS d WHERE d.programme = ? AND d.receive_time >= ? AND d.receive_time < ? ORDER BY d.rowid
"""
_RESPONSES = """
    SELECT member_id, decision_id, offer_id FROM outcomes
    WHERE programme = ? AND receive_time >= ? AND receive_time < ? AND decision_id IS NOT NULL AND offer_id IS NOT NULL
    AND outcome_type IN ('redemption', 'purchase')
"""
_SPENT = """
    SELECT json_extract(one.value, '$[1]'), json_extract(one.value, '$[2]'),
        sum(json_extract(one.value, '$[3]')), sum(json_extract(one.value, '$[4]'))
    FROM reservations AS r, json_each(r.draws) AS one
    WHERE r.programme = ? AND r.reserve_time < ? AND substr(r.states, one.key + 1, 1) = ? GROUP BY 1, 2
"""
_OPEN = """
    SELECT r.decision_id, r.member_id, json_extract(one.value, '$[0]'), json_extract(one.value, '$[1]'),
        json_extract(one.value, '$[2]'), json_extract(one.value, '$[3]'), json_extract(one.value, '$[4]'),
        r.reserve_time + json_extract(one.value, '$[5]')
    FROM reservations AS r, json_each(r.draws) AS one
    WHERE r.programme = ? AND r.reserve_time < ? AND r.reserve_time + json_extract(one.value, '$[5]') > ?
    AND substr(r.states, one.key + 1, 1) <> ? ORDER BY r.rowid, one.key
"""
_MEMBERS = "SELECT member_id FROM members WHERE programme = ? ORDER BY member_id"


class LogReads(SqliteReads, MemberReads, CatalogueReads, EvidenceReads):
    """What a simulation reads of the log. Times in microseconds since the Unix epoch.

    Args:
        path: The server's SQLite file.

    Raises:
        SimulationError: It is not a log, or one of another version of Troth.
        StoreUnavailableError: From every method: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        _check(path)
        super().__init__(path)

    def append_catalogue_change(self, change: CatalogueChange, timeout: float) -> CatalogueChange:
        """Return the change; a simulation keeps nothing."""
        del timeout
        return change

    def last_time(self, programme: str) -> datetime | None:
        """Return for when the last decision was made; ``None`` without decisions."""
        ((micros,),) = self._rows(_LAST_TIME, programme)
        return None if micros is None else from_micros(micros)

    def requests(self, programme: str, start: datetime, end: datetime) -> list[SimulatedRequest]:
        """Return what was asked in the period, in the order of the log; decisions of older versions are left out.

        Args:
            programme: The loyalty programme.
            start: The first moment.
            end: The moment after the last.
        """
        return [_request(row) for row in self._rows(_REQUESTS, programme, to_micros(start), to_micros(end))]

    def outcomes(self, programme: str, first: int, last: int) -> list[Outcome]:
        """Return the outcomes that came in from the first moment to the last, included.

        Args:
            programme: The loyalty programme.
            first: The first moment, microseconds since 1970.
            last: The last moment, microseconds since 1970.
        """
        return [_outcome(row) for row in self._rows(_OUTCOMES, programme, first, last)]

    def profile_changes_between(self, programme: str, first: int, last: int) -> list[ProfileChange]:
        """Return the changes of profiles from the first moment to the last, included.

        Args:
            programme: The loyalty programme.
            first: The first moment, microseconds since 1970.
            last: The last moment, microseconds since 1970.
        """
        return [change_from_row(row) for row in self._rows(_CHANGES, programme, first, last)]

    def version_before(self, programme: str, member_id: str, micros: int) -> int:
        """Return the version that a member had before a moment.

        Args:
            programme: The loyalty programme.
            member_id: The member.
            micros: The moment, microseconds since 1970.
        """
        return int(self._rows(_VERSION_BEFORE, programme, member_id, micros)[0][0])

    def state_now(self, programme: str, member_id: str, version: int) -> MemberState:
        """Return a member's state at a version, but with the profile that is in force now.

        Args:
            programme: The loyalty programme.
            member_id: The member.
            version: How many events the log has of the member.
        """
        state = self.member_state(programme, member_id, version)
        change = self.last_profile_change(programme, member_id)
        return state if change is None else state.after_profile(version, change.after)

    def evidence_before(self, programme: str, micros: int) -> Evidence:
        """Return what was known of responses at a moment."""
        counts, _ = self.evidence_until(programme, 0, micros - 1)
        return Evidence(counts)

    def waiting(self, programme: str, first: int, before: int) -> list[Waiting]:
        """Return the decisions from a first moment to before another, which wait for a response, oldest first.

        Args:
            programme: The loyalty programme.
            first: The first moment, microseconds since 1970.
            before: The moment after the last, microseconds since 1970.
        """
        return [
            Waiting(micros, member_id, decision_id, tuple(json.loads(candidates)))
            for micros, member_id, decision_id, candidates in self._rows(_WAITING, programme, first, before)
        ]

    def responses(self, programme: str, first: int, before: int) -> set[Response]:
        """Return the responses that came in from a first moment to before another.

        Args:
            programme: The loyalty programme.
            first: The first moment, microseconds since 1970.
            before: The moment after the last, microseconds since 1970.
        """
        return {
            (member_id, decision_id, candidate_id)
            for member_id, decision_id, candidate_id in self._rows(_RESPONSES, programme, first, before)
        }

    def balance_before(self, programme: str, micros: int) -> OpeningBalance:
        """Return what budgets had spent at a moment; what is redeemed by today counts as redeemed then."""
        committed = self._rows(_SPENT, programme, micros, COMMITTED)
        still_open = self._rows(_OPEN, programme, micros, micros, COMMITTED)
        return OpeningBalance(
            {(account_id, period): (units, money) for account_id, period, units, money in committed},
            tuple(OpenReservation(*row) for row in still_open),
        )

    def member_ids(self, programme: str) -> list[str]:
        """Return everybody of whom the log has anything."""
        return [row[0] for row in self._rows(_MEMBERS, programme)]


def _check(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute("SELECT 1 FROM decisions LIMIT 1")
    except sqlite3.DatabaseError as error:
        raise SimulationError(f"{path} cannot be read as a decision log: {error}.", path=str(path)) from error
    if version < SCHEMA_VERSION:
        raise SimulationError(
            f"{path} is of schema version {version}, which does not say what decisions read; start this version's server"
            " on it once, and simulate what is decided from then on.",
            path=str(path),
            version=str(version),
        )
    if version > SCHEMA_VERSION:
        raise SimulationError(
            f"{path} is of schema version {version}; this Troth reads version {SCHEMA_VERSION}. Use the version that"
            " wrote it.",
            path=str(path),
            version=str(version),
        )


def _request(row: Sequence[Any]) -> SimulatedRequest:
    decision_id, member_id, placement_id, micros, channel_id, count = row[:6]
    attributes, basket, assignments, plan_revision, receive_micros, version = row[6:]
    return SimulatedRequest(
        key=decision_id,
        member_id=member_id,
        placement_id=placement_id,
        time=from_micros(micros),
        channel_id=channel_id,
        count=count,
        attributes=decoded_attributes(json.loads(attributes)),
        basket=tuple(json.loads(basket)),
        assigned=tuple(_assigned(json.loads(assignments), plan_revision)),
        receive_micros=receive_micros,
        version=version,
    )


def _assigned(documents: Iterable[dict[str, Any]], plan_revision: str) -> Iterable[Assignment]:
    for document in documents:
        one = AssignedVariant(**document)
        yield Assignment(
            experiment_id=one.experiment_id,
            variant_id=one.variant_id,
            reason=AssignmentReason(one.reason),
            plan_revision=plan_revision,
            experiment_revision=one.experiment_revision,
            parameters=one.parameters,
        )


def _outcome(row: Sequence[Any]) -> Outcome:
    values = dict(zip(OUTCOME_COLUMNS, row, strict=True))
    return Outcome(
        programme=values["programme"],
        event_id=values["event_id"],
        member_id=values["member_id"],
        outcome_type=values["outcome_type"],
        decision_id=values["decision_id"] or "",
        offer_id=values["offer_id"] or "",
        value_units=values["value_units"],
        value_nanos=values["value_nanos"],
        currency_code=values["currency_code"] or "",
        outcome_time=from_micros(values["outcome_time"]),
        receive_time=from_micros(values["receive_time"]),
        product_ids=tuple(json.loads(values["product_ids"] or "[]")),
        channel_id=values["channel_id"] or "",
        member_version=values["member_version"],
    )


class StartStates:
    """The states of members before the first request. Each is read once, for all runs.

    Args:
        log: The decision log.
        programme: The loyalty programme.
        requests: What will be asked.
        profiles: Of the member table; they stand instead of the log's.
        from_micros: When the simulation begins, microseconds since the Unix epoch.
    """

    def __init__(
        self,
        log: LogReads,
        programme: str,
        requests: Sequence[SimulatedRequest],
        profiles: Mapping[str, MemberProfile],
        from_micros: int,
    ) -> None:
        self._log = log
        self._programme = programme
        self._profiles = profiles
        self._from_micros = from_micros
        self._asked = {request.member_id for request in requests}
        self._logged: dict[str, int] = {}
        for request in requests:
            if request.version is not None:
                before = request.version - 1
                self._logged[request.member_id] = min(before, self._logged.get(request.member_id, before))
        self._states: dict[str, MemberState] = {}
        self._versions = dict(self._logged)

    def of(self, member_id: str) -> MemberState:
        """Return a member's state before their first request.

        For a request of the log it is what that decision read. For one of a table it is what the log had of them when the
        first one is asked, with the profile in force now.

        Raises:
            StoreUnavailableError: The log cannot be read.
        """
        state = self._states.get(member_id)
        if state is None:
            state = self._states[member_id] = self._read(member_id)
        return state

    def has(self, outcome: Outcome) -> bool:
        """Tell whether a member's state before their first request has an outcome already, or nobody asks for their state."""
        if outcome.member_id not in self._asked:
            return True
        version = outcome.member_version
        return version is not None and version <= self._version(outcome.member_id)

    def has_profile(self, change: ProfileChange) -> bool:
        """Tell whether a member's state has what a change of the log says of them, or what overrides it."""
        return (
            change.member_id in self._profiles
            or change.member_id not in self._logged
            or change.member_version <= self._logged[change.member_id]
        )

    def _version(self, member_id: str) -> int:
        """Return up to which version of the log the member's state reaches."""
        version = self._versions.get(member_id)
        if version is None:
            version = self._log.version_before(self._programme, member_id, self._from_micros)
            self._versions[member_id] = version
        return version

    def _read(self, member_id: str) -> MemberState:
        version = self._version(member_id)
        if member_id in self._logged:
            state = self._log.member_state(self._programme, member_id, version)
        else:
            state = self._log.state_now(self._programme, member_id, version)
        profile = self._profiles.get(member_id)
        return state if profile is None else state.after_profile(version, profile)
