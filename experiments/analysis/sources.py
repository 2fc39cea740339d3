"""Which data an analysis reads: units, events, the server's log, or a result that was saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from experiments.aggregates import open_table
from experiments.analysis.analyze import analyze_events, analyze_log, analyze_table, reanalyze
from experiments.analysis.responders import event_trial_units, log_units, table_units
from experiments.analysis.result import ExperimentResult
from experiments.definition import ExperimentDefinition
from experiments.errors import AnalysisError, OptionError
from experiments.log.frames import read_log

Table = str | Path | pl.LazyFrame
DEFAULT_LOG = Path("troth.db")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisSource:
    """Where an analysis takes its data: one of the four ways, by default the log ``troth.db``.

    Attributes:
        data: A table with one row per unit.
        exposures: A long table with one row per exposure; together with ``outcomes``.
        outcomes: A long table with one row per outcome.
        identities: A table ``anonymous_id``, ``member_id`` for these two: who is the same person.
        log: The server's event log.
        saved: A saved result, to be computed again from the statistics in it.
        as_of: The day for which the end is judged; the data's last day if not given.

    Raises:
        OptionError: Several ways are named, or half of one.
    """

    data: Table | None = None
    exposures: Table | None = None
    outcomes: Table | None = None
    identities: Table | None = None
    log: Path | None = None
    saved: Mapping[str, Any] | None = None
    as_of: date | None = None

    def __post_init__(self) -> None:
        if (self.exposures is None) != (self.outcomes is None):
            raise OptionError("--exposures and --outcomes belong together.")
        if sum(one is not None for one in (self.data, self.exposures, self.saved, self.log)) > 1:
            raise OptionError(
                "Give one of --data (one row per unit), --exposures with --outcomes (events), --saved (a result) and --log."
            )
        if self.identities is not None and self.exposures is None:
            raise OptionError("--identities belongs to --exposures and --outcomes.")

    @property
    def reads_log(self) -> bool:
        """Whether the data are those of the server's log."""
        return self.data is None and self.exposures is None and self.saved is None


def analyze(definition: ExperimentDefinition, source: AnalysisSource) -> ExperimentResult:
    """Analyse an experiment on the data of a source.

    Raises:
        AnalysisError: The data cannot be read as the definition says.
    """
    today = source.as_of
    if source.saved is not None:
        return reanalyze(definition, source.saved, today=today)
    if source.data is not None:
        return analyze_table(definition, _opened(source.data), today=today)
    if source.exposures is not None and source.outcomes is not None:
        return analyze_events(
            definition,
            exposures=_opened(source.exposures),
            outcomes=_opened(source.outcomes),
            identities=None if source.identities is None else _opened(source.identities),
            today=today,
        )
    return analyze_log(definition, read_log(source.log or DEFAULT_LOG, definition.programme), today=today)


def trial_units(
    definition: ExperimentDefinition, source: AnalysisSource, features: Sequence[str] = ()
) -> pl.DataFrame:
    """Return ``unit``, ``variant`` and ``value`` of the units of a source; of a table with one row per unit its features, too.

    Args:
        definition: The experiment; its primary metric is the value.
        source: The data.
        features: Columns of the table that were known before; all that can be if none is named.

    Raises:
        AnalysisError: The source has no units, or they have no value.
    """
    if source.saved is not None:
        raise AnalysisError("A saved result has no units any more; name the data to tell who responded.")
    if source.data is not None:
        return table_units(definition, _opened(source.data), features)
    if source.exposures is not None and source.outcomes is not None:
        identities = None if source.identities is None else _opened(source.identities)
        tables = (_opened(source.exposures), _opened(source.outcomes))
        return event_trial_units(definition, *tables, identities, source.as_of)
    return log_units(definition, read_log(source.log or DEFAULT_LOG, definition.programme), source.as_of)


def _opened(table: Table) -> pl.LazyFrame:
    return table if isinstance(table, pl.LazyFrame) else open_table(table)
