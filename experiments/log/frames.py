"""The event log as frames, for analysis."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from experiments.display import Displayed
from experiments.errors import AnalysisError
from experiments.log.rows import (
    DECISION_COLUMNS,
    EXPOSURE_COLUMNS,
    LINK_COLUMNS,
    OUTCOME_COLUMNS,
    check_schema_version,
)

_TIME = pl.Datetime("us", "UTC")
_POLARS_TYPES: dict[str, pl.DataType] = {"TEXT": pl.String(), "INTEGER": pl.Int64(), "REAL": pl.Float64()}
_TIME_COLUMNS = {
    "request_time",
    "receive_time",
    "decide_time",
    "feature_time",
    "expose_time",
    "outcome_time",
    "link_time",
}
_OFFERS = pl.List(
    pl.Struct({"offer_id": pl.String, "rank": pl.Int64, "score": pl.Float64, "propensity": pl.Float64})
)
_ACTIONS = pl.List(
    pl.Struct(
        {
            "action_id": pl.String,
            "channel_id": pl.String,
            "rank": pl.Int64,
            "score": pl.Float64,
            "propensity": pl.Float64,
        }
    )
)
_ASSIGNMENTS = pl.List(
    pl.Struct({"experiment_id": pl.String, "variant_id": pl.String, "experiment_revision": pl.Int64})
)


_ROWS_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True, repr=False)
class EventFrames(Displayed):
    """The log of one programme as frames, one row per event.

    Attributes:
        decisions: Columns of ``DECISION_COLUMNS``; ``offers`` is a list of structs (offer_id, rank, score,
            propensity), ``actions`` one of (action_id, channel_id, rank, score, propensity), null where offers were
            decided, ``assignments`` one of (experiment_id, variant_id, experiment_revision), ``degradations`` a list of
            strings. ``basket``, ``attributes``, ``runner_up`` and ``removed`` are left as the JSON text of the log.
        exposures: Columns of ``EXPOSURE_COLUMNS``.
        outcomes: Columns of ``OUTCOME_COLUMNS`` and ``value``, the money as a floating number for statistics;
            ``product_ids`` is a list of strings, null where the client named none.
        identities: Columns of ``LINK_COLUMNS``: which anonymous ids belong to which member, in the order of their links.
    """

    decisions: pl.DataFrame
    exposures: pl.DataFrame
    outcomes: pl.DataFrame
    identities: pl.DataFrame

    def summary(self) -> str:
        """Return how many events there are of each kind."""
        return (
            f"{self.decisions.height:,} decisions, {self.exposures.height:,} exposures, {self.outcomes.height:,} outcomes,"
            f" {self.identities.height:,} identity links"
        )


def read_log(path: Path, programme: str = "default") -> EventFrames:
    """Read the log of one programme from the server's SQLite file, without disturbing a running server.

    Raises:
        AnalysisError: The file does not exist, is not a log, or has another schema version.
    """
    if not path.is_file():
        raise AnalysisError(f"There is no decision log at {path}.", path=str(path))
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            check_schema_version(connection, path)
            decisions = _read_table(connection, "decisions", DECISION_COLUMNS, programme)
            exposures = _read_table(connection, "exposures", EXPOSURE_COLUMNS, programme)
            outcomes = _read_table(connection, "outcomes", OUTCOME_COLUMNS, programme)
            # A file of version 1 that no server has opened since has no links.
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            identities = (
                _read_table(connection, "identity_links", LINK_COLUMNS, programme)
                if version > 1
                else _frame([], LINK_COLUMNS)
            )
    except sqlite3.DatabaseError as error:
        raise AnalysisError(f"{path} cannot be read as a decision log: {error}.", path=str(path)) from error
    return EventFrames(
        decisions=decisions.with_columns(
            pl.col("offers").str.json_decode(_OFFERS),
            pl.col("actions").str.json_decode(_ACTIONS),
            pl.col("assignments").str.json_decode(_ASSIGNMENTS),
            pl.col("degradations").str.json_decode(pl.List(pl.String)),
        ),
        exposures=exposures,
        outcomes=outcomes.with_columns(
            pl.col("product_ids").str.json_decode(pl.List(pl.String)),
            value=pl.col("value_units") + pl.col("value_nanos") * 1e-9,
        ),
        identities=identities,
    )


def as_members(events: pl.DataFrame, identities: pl.DataFrame) -> pl.DataFrame:
    """Return the events with member ids in place of the anonymous ones that are linked to them."""
    links = identities.select("anonymous_id", linked="member_id")
    joined = events.join(
        links, left_on="member_id", right_on="anonymous_id", how="left", maintain_order="left"
    )
    return joined.with_columns(member_id=pl.coalesce("linked", "member_id")).drop("linked")


def _read_table(
    connection: sqlite3.Connection, table: str, columns: dict[str, str], programme: str
) -> pl.DataFrame:
    # A file of an older version that no server has opened since lacks the newer columns.
    there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    listed = ", ".join(name if name in there else f"NULL AS {name}" for name in columns)
    cursor = connection.execute(
        f"SELECT {listed} FROM {table} WHERE programme = ? ORDER BY rowid",  # noqa: S608 names are ours
        (programme,),
    )
    # Rows as Python objects take many times the place of a frame, so few of them are held at once.
    frames = [_frame([], columns)]
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        frames.append(_frame(rows, columns))
    return pl.concat(frames)


def _frame(rows: list[Any], columns: dict[str, str]) -> pl.DataFrame:
    schema = {name: _POLARS_TYPES[kind.split()[0]] for name, kind in columns.items()}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.col(name).cast(_TIME) for name in columns if name in _TIME_COLUMNS)
