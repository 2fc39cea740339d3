"""From event tables to one row per unit."""

from datetime import date
from typing import Any

import polars as pl

from experiments.definition import ExperimentDefinition


def event_units(
    definition: ExperimentDefinition,
    exposures: pl.LazyFrame,
    outcomes: pl.LazyFrame,
    identities: pl.LazyFrame | None,
    today: date | None,
) -> Any:
    raise NotImplementedError
