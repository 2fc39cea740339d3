"""Who responded in an experiment, from what the command line names to a result.

Where an analysis takes its data from, and where it puts its result.

Standing arms by name: the catalogue of the configuration defines the experiment.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.options import read_programme
from cli.output import read_json, write_json, write_text
from experiments.errors import AnalysisError

if TYPE_CHECKING:
    from experiments.analysis import ExperimentResult
    from experiments.definition import ExperimentDefinition
    from training.uplift.responders import Responders


@dataclass(frozen=True, slots=True)
class DataSources:
    """What the command line says about the data: a table, event tables, or the server's log."""

    log: Path
    data: Path | None = None
    exposures: Path | None = None
    outcomes: Path | None = None
    identities: Path | None = None
    saved: Path | None = None
    as_of: date | None = None


def one_experiment(path: Path, changes: dict[str, str] | None = None) -> "ExperimentDefinition":
    """Return the one experiment of a file, with changes to its fields."""
    from experiments.definition import load_experiments

    found = load_experiments(path)
    if len(found) != 1:
        raise typer.BadParameter(f"{path} holds {len(found)} experiments; name a file with one.")
    return found[0].model_copy(update=changes or {})


def run_analysis(definition: "ExperimentDefinition", request: DataSources) -> "ExperimentResult":
    """Return the analysis of the data that the request names."""
    from experiments.aggregates import open_table
    from experiments.analysis import analyze
    from experiments.log.frames import read_log

    tables = {
        name: open_table(path)
        for name in ("data", "exposures", "outcomes", "identities")
        if (path := getattr(request, name)) is not None
    }
    saved = None if request.saved is None else read_json(request.saved)
    of_log = saved is None and not tables
    log = read_log(request.log, definition.programme) if of_log else None
    return analyze(definition, **tables, saved=saved, log=log, today=request.as_of)


def write_result(
    result: "ExperimentResult", json: str, html: Path | None, responders: "Responders | None" = None
) -> None:
    """Write the result as JSON and as a report, where asked for, with who responded where that was told."""
    if json:
        who = {} if responders is None else {"who_responded": responders.to_json()}
        write_json({**result.to_json(), **who}, json)
    if html is None:
        return
    from experiments.pages import result_report

    who_responded = "" if responders is None else responders.section()
    write_text(html, result_report(result, datetime.now(UTC), who_responded))


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
    definition: "ExperimentDefinition", request: DataSources, options: WhoOptions
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
    from training.data.columns import write_table

    found = _find(definition, request, options.members, list(options.features))
    if options.trial is not None:
        write_table(found.table(), options.trial)
    return found


def _find(
    definition: "ExperimentDefinition", request: DataSources, members: Path | None, features: list[str]
) -> "Responders":
    from experiments.analysis.responders import UNIT, VALUE, VARIANT, experiment_trial
    from training.uplift.responders import who_responded

    units = _units(definition, request, [] if members else features)
    if members is not None:
        units = _with_members(units.select(UNIT, VARIANT, VALUE), members, features)
    known = units.drop(UNIT, VARIANT, VALUE)
    return who_responded(experiment_trial(definition, units, _usable(known)))


def _units(definition: "ExperimentDefinition", request: DataSources, features: list[str]) -> "pl.DataFrame":
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


if TYPE_CHECKING:
    from experiments.definition import ExperimentDefinition


def asks_for_standing_arms(named: Path) -> bool:
    """Tell whether the name is ``standing-arms`` or ``standing-arms.PERIOD``, and no file."""
    return (
        named.parts == (named.name,)
        and named.name.partition(".")[0] == "standing-arms"
        and not named.exists()
    )


def standing_experiment(
    name: str, config: Path, programme: str, period: str, as_of: datetime | None
) -> tuple["ExperimentDefinition", Path]:
    """Return the experiment of the standing arms in a period, and the configuration's log.

    Args:
        name: ``standing-arms``, or with a period ``standing-arms.2026-11``.
        config: The server's configuration.
        programme: The programme; if empty the only one.
        period: The period, if the name has none; that of ``as_of``, else the present one, if there is none either.
        as_of: A day.

    Raises:
        AnalysisError: The period is none, or the catalogue has no standing arms.
        DefinitionError: The configuration or the catalogue cannot be used.
    """
    from experiments.standing_arms import named_period, standing_definition

    _, dot, named = name.partition(".")
    if dot and period and period != named:
        raise typer.BadParameter(f"{name!r} and --period {period} name two periods.")
    source = read_programme(config, programme)
    arms = source.catalogue.standing_arms
    if not arms.traffic_ppm:
        raise AnalysisError(
            f"The catalogue of programme {source.programme!r} has no standing arms; name their members as"
            " standing_arms.traffic_ppm.",
            programme=source.programme,
        )
    kind, day = arms.period, (as_of or datetime.now(source.catalogue.zone)).date()
    if dot or period:
        kind, day = named_period(named if dot else period)
    placements = [placement.placement_id for placement in source.catalogue.placements]
    definition = standing_definition(
        source.programme,
        {str(arm): weight for arm, weight in arms.traffic_ppm.items()},
        kind,
        day,
        placements,
    )
    return definition, source.log
