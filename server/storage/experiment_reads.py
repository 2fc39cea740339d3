"""What the server reads back from its SQLite file while it runs."""

from collections.abc import Sequence

from experiments.definition.lifecycle import ExperimentChange
from experiments.log.events import from_micros
from experiments.log.rows import CHANGE_COLUMNS, change_from_row
from server.storage.protocols import StandingExperiment
from server.storage.reads import ReadPool

_CHANGE = ", ".join(f"c.{column}" for column in CHANGE_COLUMNS)
_STANDING = f"""
    SELECT {_CHANGE}, (SELECT change_time FROM experiment_changes f WHERE f.programme = c.programme
                       AND f.experiment_id = c.experiment_id AND f.position = 1)
    FROM experiment_changes c
    WHERE c.programme = ? AND c.position = (SELECT max(position) FROM experiment_changes l
                                            WHERE l.programme = c.programme AND l.experiment_id = c.experiment_id)
    ORDER BY c.experiment_id
"""  # noqa: S608 names are ours
_CHANGE_COUNT = "SELECT count(*) FROM experiment_changes WHERE programme = ?"
_CHANGES = f"""
    SELECT {_CHANGE} FROM experiment_changes c WHERE programme = ? AND experiment_id = ? AND position > ?
    ORDER BY position LIMIT ?
"""  # noqa: S608 names are ours
_CHANGE_OF_REQUEST = f"SELECT {_CHANGE} FROM experiment_changes c WHERE programme = ? AND request_id = ?"  # noqa: S608
_MEMBER = "SELECT member_id FROM identity_links WHERE programme = ? AND anonymous_id = ?"
_ANONYMOUS = "SELECT anonymous_id FROM identity_links WHERE programme = ? AND member_id = ? ORDER BY rowid"
_FIRST_EXPOSURE = """
    SELECT rowid, variant_id FROM exposures WHERE programme = ? AND experiment_id = ? AND member_id = ?
    ORDER BY rowid LIMIT 1
"""
_EVENT_COUNT = (
    "SELECT coalesce((SELECT max(rowid) FROM exposures), 0) + coalesce((SELECT max(rowid) FROM outcomes), 0)"
)


class SqliteReads(ReadPool):
    """The reading part of an ``ExperimentStore``."""

    def standing_experiments(self, programme: str) -> tuple[StandingExperiment, ...]:
        """See ``ExperimentStore.standing_experiments``."""
        return tuple(
            StandingExperiment(create_time=from_micros(row[-1]), last=change_from_row(row[:-1]))
            for row in self._rows(_STANDING, programme)
        )

    def change_count(self, programme: str) -> int:
        """See ``ExperimentStore.change_count``."""
        return int(self._rows(_CHANGE_COUNT, programme)[0][0])

    def changes(
        self, programme: str, experiment_id: str, after_position: int, most: int
    ) -> tuple[ExperimentChange, ...]:
        """See ``ExperimentStore.changes``."""
        rows = self._rows(_CHANGES, programme, experiment_id, after_position, most)
        return tuple(change_from_row(row) for row in rows)

    def change_of_request(self, programme: str, request_id: str) -> ExperimentChange | None:
        """See ``ExperimentStore.change_of_request``."""
        rows = self._rows(_CHANGE_OF_REQUEST, programme, request_id)
        return change_from_row(rows[0]) if rows else None

    def identities(self, programme: str, unit_id: str) -> tuple[str, ...]:
        """See ``ExperimentStore.identities``."""
        found = self._rows(_MEMBER, programme, unit_id)
        member_id = found[0][0] if found else unit_id
        return (*(row[0] for row in self._rows(_ANONYMOUS, programme, member_id)), member_id)

    def has_identities(self, programme: str) -> bool:
        """See ``ExperimentStore.has_identities``."""
        return bool(self._rows("SELECT 1 FROM identity_links WHERE programme = ? LIMIT 1", programme))

    def first_variant(self, programme: str, experiment_id: str, unit_ids: Sequence[str]) -> str | None:
        """See ``ExperimentStore.first_variant``."""
        found = [
            row
            for unit_id in unit_ids
            for row in self._rows(_FIRST_EXPOSURE, programme, experiment_id, unit_id)
        ]
        return str(min(found)[1]) if found else None

    def event_count(self) -> int:
        """See ``ExperimentStore.event_count``."""
        return int(self._rows(_EVENT_COUNT)[0][0])
