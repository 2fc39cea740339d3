"""Who responded in an experiment, from what the command line names to a result."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.analysis_source import Request
from experiments.errors import AnalysisError

if TYPE_CHECKING:
    import polars as pl

    from experiments.definition import ExperimentDefinition
    from training.uplift.responders import Responders


@dataclass(frozen=True, slots=True)
class WhoOptions:
    """What the command line says of who responded.

    Attributes:
        wanted: Whether it is asked for.
        members: A table of members, with ``member_id``, whose columns were known before; without one a table's own columns are.
        features: Which of the columns; all that can be if none is named.
        trial: Where to write the experiment as a trial; nowhere if not given.
    """

    wanted: bool
    members: Path | None
    features: tuple[str, ...]
    trial: Path | None


def tell_responders(
    definition: "ExperimentDefinition", request: Request, options: WhoOptions
) -> "Responders | None":
    """Return who responded, if that is asked for.

    Raises:
        AnalysisError: It cannot be told, and why.
        BadParameter: Options were given without asking.
    """
    if not options.wanted:
        if options.members is not None or options.features or options.trial is not None:
            raise typer.BadParameter("--members, --features and --trial belong to --who.")
        return None
    from training.data.writing import write_table

    found = _find(definition, request, options.members, list(options.features))
    if options.trial is not None:
        write_table(found.table(), options.trial)
    return found


def _find(
    definition: "ExperimentDefinition", request: Request, members: Path | None, features: list[str]
) -> "Responders":
    from experiments.analysis.responders import UNIT, VALUE, VARIANT, experiment_trial
    from training.uplift.responders import who_responded

    units = _units(definition, request, [] if members else features)
    if members is not None:
        units = _with_members(units.select(UNIT, VARIANT, VALUE), members, features)
    known = units.drop(UNIT, VARIANT, VALUE)
    return who_responded(experiment_trial(definition, units, _usable(known)))


def _units(definition: "ExperimentDefinition", request: Request, features: list[str]) -> "pl.DataFrame":
    from experiments.aggregates import open_table
    from experiments.analysis.responders import event_trial_units, log_units, table_units
    from experiments.log.frames import read_log

    if request.saved is not None:
        raise AnalysisError("A saved result has no units any more; name the data to tell who responded.")
    if request.data is not None:
        return table_units(definition, open_table(request.data), features)
    if request.exposures is not None and request.outcomes is not None:
        identities = None if request.identities is None else open_table(request.identities)
        tables = (open_table(request.exposures), open_table(request.outcomes))
        return event_trial_units(definition, *tables, identities, request.as_of)
    return log_units(definition, read_log(request.log, definition.programme), request.as_of)


def _with_members(units: "pl.DataFrame", path: Path, features: list[str]) -> "pl.DataFrame":
    import polars as pl

    from experiments.aggregates import open_table
    from experiments.analysis.responders import UNIT, VALUE, VARIANT

    table = open_table(path)
    names = table.collect_schema().names()
    missing = [name for name in ("member_id", *features) if name not in names]
    if missing:
        raise AnalysisError(
            f"{path} has no column {missing[0]!r}; it has {', '.join(names)}.", path=str(path)
        )
    kept = features or [name for name in names if name not in {"member_id", UNIT, VARIANT, VALUE}]
    known = table.select(pl.col("member_id").cast(pl.String).alias(UNIT), *kept).collect()
    if known[UNIT].is_duplicated().any():
        raise AnalysisError(f"{path} has a member in several rows.", path=str(path))
    joined = units.join(known, on=UNIT, how="inner")
    if joined.is_empty():
        raise AnalysisError(f"{path} has none of the experiment's members.", path=str(path))
    return joined


def _usable(features: "pl.DataFrame") -> "pl.DataFrame":
    """Return the columns that tell members apart and are not different for each."""
    import polars as pl

    return features.select(
        column
        for column in features
        if (
            column.dtype.is_numeric()
            or column.dtype.is_temporal()
            or column.dtype in {pl.Boolean, pl.String, pl.Categorical}
        )
        and column.n_unique() > 1
        and not (
            column.n_unique() == features.height and (column.dtype == pl.String or column.dtype.is_integer())
        )
    )
