"""Which data an analysis reads: units, events, the server's log, or a result that was saved."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from experiments.aggregates.tables import TableSource, open_table
from experiments.analysis.analyze import analyze, check_sources
from experiments.analysis.responders import event_trial_units, log_units, table_units
from experiments.analysis.result import ExperimentResult
from experiments.definition import ExperimentDefinition
from experiments.errors import AnalysisError
from experiments.log.frames import read_log


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisSource:
    """Where an analysis takes its data, opened when they are read: one of four ways.

    Attributes:
        data: A table with one row per unit.
        exposures: A long table with one row per exposure; together with ``outcomes``.
        outcomes: A long table with one row per outcome.
        identities: Columns ``anonymous_id`` and ``member_id``: who of the event tables is the same person.
        log: The server's event log.
        saved: A saved result, or its file, to be computed again from the statistics in it.
        today: The day for which the end is judged; the last day of the data if not given.

    Raises:
        OptionError: There is more than one source, or half of one.
    """

    data: TableSource | None = None
    exposures: TableSource | None = None
    outcomes: TableSource | None = None
    identities: TableSource | None = None
    log: Path | None = None
    saved: Path | Mapping[str, Any] | None = None
    today: date | None = None

    def __post_init__(self) -> None:
        check_sources(
            data=self.data,
            exposures=self.exposures,
            outcomes=self.outcomes,
            identities=self.identities,
            log=self.log,
            saved=self.saved,
        )

    @property
    def is_empty(self) -> bool:
        """Whether no data are named."""
        return all(one is None for one in (self.data, self.exposures, self.outcomes, self.log, self.saved))

    def analyze(self, definition: ExperimentDefinition) -> ExperimentResult:
        """Return the analysis of an experiment on these data.

        Raises:
            OptionError: There is no source.
            AnalysisError: It cannot be read as the definition says.
        """
        return analyze(
            definition,
            data=_opened(self.data),
            exposures=_opened(self.exposures),
            outcomes=_opened(self.outcomes),
            identities=_opened(self.identities),
            log=None if self.log is None else read_log(self.log, definition.programme),
            saved=read_result(self.saved) if isinstance(self.saved, Path) else self.saved,
            today=self.today,
        )

    def trial_units(self, definition: ExperimentDefinition, features: Sequence[str] = ()) -> pl.DataFrame:
        """Return ``unit``, ``variant`` and ``value`` of each unit; of a table with one row per unit its features, too.

        Args:
            definition: The experiment; its primary metric is the value.
            features: Columns of the table that were known before; all that can be if none is named.

        Raises:
            AnalysisError: There are no units, or they have no value.
        """
        if self.data is not None:
            return table_units(definition, open_table(self.data), features)
        if self.exposures is not None and self.outcomes is not None:
            tables = (open_table(self.exposures), open_table(self.outcomes))
            return event_trial_units(definition, *tables, _opened(self.identities), self.today)
        if self.log is not None:
            return log_units(definition, read_log(self.log, definition.programme), self.today)
        raise AnalysisError("A saved result has no units any more; name the data to tell who responded.")


def read_result(path: Path) -> Mapping[str, Any]:
    """Return the JSON object of a file, such as a saved result.

    Raises:
        AnalysisError: It cannot be read, or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AnalysisError(f"{path} cannot be read as JSON: {error}.", path=str(path)) from None
    if not isinstance(found, dict):
        raise AnalysisError(f"{path} holds no JSON object.", path=str(path))
    return found


def _opened(table: TableSource | None) -> pl.LazyFrame | None:
    return None if table is None else open_table(table)
