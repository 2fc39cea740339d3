"""The embedded store: one SQLite file in WAL mode, synced at every commit, many requests to a commit."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from experiments.definition.lifecycle import ExperimentChange
from experiments.log.events import Decision, Exposure, Outcome, to_micros
from experiments.log.rows import (
    CHANGE_COLUMNS,
    EXPOSURE_COLUMNS,
    LINK_COLUMNS,
    SCHEMA_VERSION,
    change_from_row,
    change_row,
    check_schema_version,
    decision_row,
    exposure_row,
)
from server.budgets import Draw, Totals
from server.catalogue.diff import CatalogueChange
from server.errors import StoreUnavailableError
from server.storage import schema
from server.storage.budget_writes import ReleaseWrite, totals_of
from server.storage.catalogue_store import CatalogueReads, CatalogueWrite
from server.storage.event_writes import (
    DecisionWrite,
    DecisionWriter,
    OutcomeWrite,
    Row,
    RowInsert,
    write_outcomes,
)
from server.storage.experiment_reads import SqliteReads
from server.storage.group_commit import GroupCommit, Ticket
from server.storage.profile_writes import ProfileWrite
from server.storage.protocols import (
    AppendResult,
    BudgetWriter,
    Chain,
    DecisionResult,
    IdentityLink,
    LinkResult,
    NoBudgets,
    ProfileUpdates,
    StateDocument,
    UpdateResult,
)
from server.storage.reads import EvidenceReads, MemberListing, MemberReads
from server.storage.reservations import SPENT

_INSERT_EXPOSURES = RowInsert("exposures", EXPOSURE_COLUMNS, "ON CONFLICT DO NOTHING")
_INSERT_CHANGE = RowInsert("experiment_changes", CHANGE_COLUMNS, "ON CONFLICT DO NOTHING")
_INSERT_LINKS = RowInsert("identity_links", LINK_COLUMNS)
_SELECT_CHANGE = f"SELECT {', '.join(CHANGE_COLUMNS)} FROM experiment_changes WHERE programme = ? AND "  # noqa: S608 ours
_SELECT_LINK_TO = "SELECT 1 FROM identity_links WHERE programme = ? AND member_id = ? LIMIT 1"
_SELECT_LINKED_MEMBER = "SELECT member_id FROM identity_links WHERE programme = ? AND anonymous_id = ?"


class SingleWrite(Protocol):
    """Something to keep by itself."""

    def apply(self, cursor: sqlite3.Cursor) -> object:
        """Write it within the open transaction, and return what the request is told."""
        ...


@dataclass(frozen=True, slots=True)
class ExposureWrite:
    """A batch of exposures as rows."""

    rows: Sequence[Row]

    def apply(self, cursor: sqlite3.Cursor) -> AppendResult:
        """Keep those that are new."""
        accepted = _INSERT_EXPOSURES.insert(cursor, self.rows)
        return AppendResult(accepted, len(self.rows) - accepted)


@dataclass(frozen=True, slots=True)
class ChangeWrite:
    """A change of an experiment."""

    change: ExperimentChange

    def apply(self, cursor: sqlite3.Cursor) -> ExperimentChange:
        """Keep it unless its request or its position is there already; return the one that is."""
        change = self.change
        if _INSERT_CHANGE.insert(cursor, [change_row(change)]):
            return change
        found = cursor.execute(
            _SELECT_CHANGE + "request_id = ?", (change.programme, change.request_id or None)
        ).fetchone()
        if found is None:
            key = (change.programme, change.experiment_id, change.position)
            found = cursor.execute(_SELECT_CHANGE + "experiment_id = ? AND position = ?", key).fetchone()
        return change_from_row(found)


@dataclass(frozen=True, slots=True)
class LinkWrite:
    """A batch of links of identities."""

    programme: str
    links: Sequence[IdentityLink]
    link_time: datetime

    def apply(self, cursor: sqlite3.Cursor) -> LinkResult:
        """Keep those that are new; nothing if one of them contradicts."""
        new: dict[str, IdentityLink] = {}
        members: set[str] = set()
        conflicts = []
        for link in self.links:
            member_id = self._member(cursor, link.anonymous_id, new)
            if member_id is None and not self._makes_chain(cursor, link, new, members):
                new[link.anonymous_id] = link
                members.add(link.member_id)
            elif member_id != link.member_id:
                conflicts.append(link)
        if conflicts:
            return LinkResult(0, 0, tuple(conflicts))
        when = to_micros(self.link_time)
        rows = [(self.programme, link.anonymous_id, link.member_id, when) for link in new.values()]
        _INSERT_LINKS.insert(cursor, rows)
        return LinkResult(len(new), len(self.links) - len(new))

    def _member(
        self, cursor: sqlite3.Cursor, anonymous_id: str, new: Mapping[str, IdentityLink]
    ) -> str | None:
        if anonymous_id in new:
            return new[anonymous_id].member_id
        found = cursor.execute(_SELECT_LINKED_MEMBER, (self.programme, anonymous_id)).fetchone()
        return None if found is None else str(found[0])

    def _makes_chain(
        self,
        cursor: sqlite3.Cursor,
        link: IdentityLink,
        new: Mapping[str, IdentityLink],
        members: AbstractSet[str],
    ) -> bool:
        """Tell whether the visitor has visitors of their own, or the member belongs to another member."""
        key = (self.programme, link.anonymous_id)
        is_member = (
            link.anonymous_id in members or cursor.execute(_SELECT_LINK_TO, key).fetchone() is not None
        )
        return is_member or self._member(cursor, link.member_id, new) is not None


_BUSY_TIMEOUT_S = 5.0
_FAULTS_OF_A_ROW = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)


Write: TypeAlias = DecisionWrite | OutcomeWrite | SingleWrite


class SqliteEventLog(SqliteReads, MemberReads, MemberListing, CatalogueReads, EvidenceReads):
    """An ``EventLog``, ``ExperimentStore``, ``MemberStore`` and ``CatalogueStore`` in one SQLite file.

    The file is created if there is none, and brought up to date if it is old.

    Args:
        path: The file. Its folder must exist.
        on_commit: Called after each transaction with the number of requests in it.
        on_outcomes: Called with the outcomes of a request that were new, as they were kept, once they are on disk and before
            the request is told; also if it has stopped waiting. It must not raise.
        budgets: Keeps what decisions draw; without it, no decision can draw.

    Raises:
        StoreUnavailableError: The file cannot be opened for writing.
        AnalysisError: The file holds a log of a newer schema version.
    """

    def __init__(
        self,
        path: Path,
        on_commit: Callable[[int], None] = lambda _: None,
        on_outcomes: Callable[[Sequence[Outcome]], None] = lambda _: None,
        budgets: BudgetWriter | None = None,
    ) -> None:
        self._on_outcomes = on_outcomes
        self._budgets: BudgetWriter = NoBudgets() if budgets is None else budgets
        self._decisions = DecisionWriter(self._budgets)
        self._writing = _open(path)
        super().__init__(path)
        self._group: GroupCommit[Write] = GroupCommit(self._commit, on_commit)

    def submit_decision(
        self,
        decision: Decision,
        *,
        draws: Sequence[Draw] = (),
        states: Sequence[StateDocument] = (),
        chain: Chain | None = None,
    ) -> "_Pending":
        """See ``EventLog.submit_decision``."""
        write = DecisionWrite(decision, decision_row(decision), draws, states, chain)
        return _Pending(self._group.put(write))

    def append_exposures(self, exposures: Sequence[Exposure], timeout: float) -> AppendResult:
        """See ``EventLog.append_exposures``."""
        write = ExposureWrite([exposure_row(exposure) for exposure in exposures])
        result: AppendResult = self._group.submit(write, timeout)
        return result

    def append_outcomes(self, outcomes: Sequence[Outcome], timeout: float) -> AppendResult:
        """See ``EventLog.append_outcomes``."""
        result: AppendResult = self._group.submit(OutcomeWrite(outcomes), timeout)
        return result

    def update_profiles(self, updates: ProfileUpdates, timeout: float) -> UpdateResult:
        """See ``MemberStore.update_profiles``."""
        result: UpdateResult = self._group.submit(ProfileWrite(updates), timeout)
        return result

    def append_change(self, change: ExperimentChange, timeout: float) -> ExperimentChange:
        """See ``ExperimentStore.append_change``."""
        kept: ExperimentChange = self._group.submit(ChangeWrite(change), timeout)
        return kept

    def link_identities(
        self, programme: str, links: Sequence[IdentityLink], link_time: datetime, timeout: float
    ) -> LinkResult:
        """See ``ExperimentStore.link_identities``."""
        result: LinkResult = self._group.submit(LinkWrite(programme, links, link_time), timeout)
        return result

    def append_catalogue_change(self, change: CatalogueChange, timeout: float) -> CatalogueChange:
        """See ``CatalogueStore.append_catalogue_change``."""
        kept: CatalogueChange = self._group.submit(CatalogueWrite(change), timeout)
        return kept

    def release_expired(self, programme: str, now_micros: int, timeout: float) -> int:
        """Release reservations that have run out by a time, ``MAX_RELEASED`` at most; return how many.

        Args:
            programme: The loyalty programme.
            now_micros: Microseconds since the Unix epoch.
            timeout: Seconds to wait at most.

        Returns:
            How many were released.

        Raises:
            StoreUnavailableError: The log cannot be written; nothing was released.
            StoreTimeoutError: It was not confirmed in time; it may still happen.
        """
        released: int = self._group.submit(ReleaseWrite(programme, now_micros, self._budgets), timeout)
        return released

    def budget_totals(self, programme: str, after_version: int = 0) -> Totals:
        """Return what is spent of the accounts of a programme that changed after a version: of all by default.

        Raises:
            StoreUnavailableError: The log cannot be read.
        """
        return totals_of(self._rows(SPENT, after_version, programme), after_version)

    def close(self) -> None:
        """Write what is waiting, then release the file. Closing twice does nothing."""
        self._group.close()
        super().close()
        self._writing.close()

    def _commit(self, group: Sequence[Ticket[Write]]) -> None:
        try:
            cursor = self._writing.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            for _, run in groupby(group, lambda ticket: type(ticket.item)):
                self._write(cursor, list(run))
            self._budgets.flush(cursor)
            cursor.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            unavailable = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _FAULTS_OF_A_ROW)
            if unavailable or len(group) == 1:
                _break_chains(group)
            if unavailable:
                raise StoreUnavailableError(str(error)) from error
            raise
        self._decisions.committed()
        self._budgets.committed()
        for ticket in group:
            if isinstance(ticket.item, OutcomeWrite):
                self._on_outcomes(ticket.item.accepted)

    def _write(self, cursor: sqlite3.Cursor, run: Sequence[Ticket[Write]]) -> None:
        """Write neighbours of one kind, and set what their requests are told."""
        items: Sequence[Any] = [ticket.item for ticket in run]
        results: Sequence[object]
        if isinstance(items[0], DecisionWrite):
            results = self._decisions.write(cursor, items)
        elif isinstance(items[0], OutcomeWrite):
            results = write_outcomes(cursor, items, self._budgets)
        else:
            results = [item.apply(cursor) for item in items]
        for ticket, result in zip(run, results, strict=True):
            ticket.result = result

    def _roll_back(self) -> None:
        self._decisions.rolled_back()
        self._budgets.rolled_back()
        if self._writing.in_transaction:
            try:
                self._writing.execute("ROLLBACK")
            except sqlite3.Error:
                # SQLite has rolled back by itself, as it does when the disk is full.
                return


class _Pending:
    """A ``PendingDecision``."""

    __slots__ = ("_ticket",)

    def __init__(self, ticket: Ticket[Write]) -> None:
        self._ticket = ticket

    def result(self, timeout: float) -> DecisionResult:
        """See ``PendingDecision.result``."""
        result: DecisionResult = self._ticket.wait(timeout)
        return result


def _break_chains(group: Sequence[Ticket[Write]]) -> None:
    """Say of decisions that will not be written that none is to be made on top of them."""
    for ticket in group:
        if isinstance(ticket.item, DecisionWrite) and ticket.item.chain is not None:
            ticket.item.chain.broken = True


def _open(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=64
        )
    except sqlite3.Error as error:
        raise StoreUnavailableError(f"{path}: {error}") from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise StoreUnavailableError(f"{path}: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version:
        check_schema_version(connection, path)
    elif connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise StoreUnavailableError(f"{path}: the database of another program")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    for statement in (
        *schema.EVENT_STATEMENTS,
        *schema.EXPERIMENT_STATEMENTS,
        *schema.MEMBER_STATEMENTS,
        *schema.BUDGET_STATEMENTS,
        *schema.CATALOGUE_STATEMENTS,
    ):
        connection.execute(statement)
    schema.bring_up_to_date(connection)
    for statement in schema.INDEX_STATEMENTS:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
