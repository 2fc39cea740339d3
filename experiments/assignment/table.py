"""Assigns a whole table, from file to file, without holding it in memory."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from experiments.assignment.assign import assign_frame
from experiments.assignment.plan import AssignmentReason, Plan, compile_plan
from experiments.definition import ExperimentDefinition, State
from experiments.errors import AnalysisError, DomainError

_FORMATS = (".parquet", ".csv")
_CSV_KINDS: Mapping[str, pl.DataType] = {
    "string": pl.String(),
    "int": pl.Int64(),
    "double": pl.Float64(),
    "bool": pl.Boolean(),
}
_WORDS = {
    AssignmentReason.OVERRIDDEN: "overridden",
    AssignmentReason.HELD_OUT: "held out",
    AssignmentReason.NOT_IN_SLOT: "in slots of the layer that are not lent to it",
    AssignmentReason.STICKY: "kept what they had",
    AssignmentReason.TARGETING_ERROR: "that targeting cannot judge",
    AssignmentReason.NOT_TARGETED: "not targeted",
    AssignmentReason.NOT_ENROLLED: "outside the traffic",
}


class NotRunningError(DomainError):
    """The experiment does not run, so it assigns nobody."""

    reason = "EXPERIMENT_NOT_RUNNING"


@dataclass(frozen=True, slots=True)
class AssignedUnits:
    """How many units of a table got which answer.

    Attributes:
        units: Rows with an id.
        variants: Units by variant, most first.
        reasons: Units by reason, most first.
        without_id: Rows whose id is null; these have no answer.
    """

    units: int
    variants: Mapping[str, int]
    reasons: Mapping[str, int]
    without_id: int

    def sentence(self, variant_ids: Iterable[str]) -> str:
        """Return the counts in words.

        Args:
            variant_ids: The variants to name, in that order.
        """
        variants = ", ".join(
            f"{variant_id} {self.variants.get(variant_id, 0):,}" for variant_id in variant_ids
        )
        others = [
            f"{self.reasons[reason]:,} {words}" for reason, words in _WORDS.items() if reason in self.reasons
        ]
        if self.without_id:
            others.append(f"{self.without_id:,} rows without an id")
        return "; ".join([f"{self.units:,} units: {variants}", *others])


def assign_units(
    experiment: ExperimentDefinition,
    units: Path | pl.LazyFrame,
    *,
    unit_column: str = "",
    earlier_column: str = "",
    preview: bool = False,
) -> pl.LazyFrame:
    """Return the assignments of all units of a table; the same variants as the server answers.

    Args:
        experiment: The experiment.
        units: One row per unit: a frame, or a ``.parquet`` or ``.csv`` file.
        unit_column: The column of ids; as in the definition if empty, else ``member_id``.
        earlier_column: The column of variants that the units had before, for a sticky experiment.
        preview: Assign although the experiment does not run, as if it did.

    Returns:
        What ``assign_table`` gives.

    Raises:
        NotRunningError: The experiment does not run.
        AnalysisError: The table cannot be read, or a column is missing or of a type that does not fit.
    """
    if preview:
        experiment = experiment.model_copy(update={"state": State.RUNNING})
    if experiment.state is not State.RUNNING:
        raise NotRunningError(
            f"The experiment {experiment.experiment_id} is not running but {experiment.state}, so it assigns nobody except as a"
            " preview.",
            experiment_id=experiment.experiment_id,
        )
    column = unit_column or experiment.unit_column or "member_id"
    plan = compile_plan([experiment], experiment.programme)
    table = units if isinstance(units, pl.LazyFrame) else open_units(units, column, experiment.attributes)
    return assign_table(plan, experiment.experiment_id, table, column, earlier_column)


def open_units(path: Path, unit_column: str, attributes: Mapping[str, str]) -> pl.LazyFrame:
    """Open a table of units.

    In CSV the ids are read as they are written, so that ``007`` stays ``007``, and attributes as they are declared.

    Args:
        path: A ``.parquet`` or ``.csv`` file.
        unit_column: The column of ids.
        attributes: Declared types of attributes, by name.

    Returns:
        The table, not yet read.

    Raises:
        AnalysisError: There is no such file, or it has another format.
    """
    _check_format(path)
    if not path.is_file():
        raise AnalysisError(f"{path}: there is no such file.", path=str(path))
    if path.suffix == ".parquet":
        return pl.scan_parquet(path)
    declared = {name: _CSV_KINDS[kind] for name, kind in attributes.items() if kind in _CSV_KINDS}
    return pl.scan_csv(path, schema_overrides={**declared, unit_column: pl.String()}, try_parse_dates=True)


def assign_table(
    plan: Plan, experiment_id: str, table: pl.LazyFrame, unit_column: str, earlier_column: str = ""
) -> pl.LazyFrame:
    """Return the assignments of a table's units, in its order.

    Args:
        plan: The compiled plan.
        experiment_id: The experiment.
        table: One row per unit; what targeting asks about are columns of those names.
        unit_column: The column of ids: text, or whole numbers, which are taken as they are written in decimal.
        earlier_column: The column of variants that the units had before, for a sticky experiment.

    Returns:
        The unit column as text, ``variant_id``, ``reason``, ``experiment_revision`` and ``plan_revision``.

    Raises:
        UnknownExperimentError: The plan has no such experiment.
        NotRunningError: The experiment does not run.
        AnalysisError: A column is missing or of a type that does not fit.
    """
    experiment = plan.experiment(experiment_id)
    if not experiment.running:
        raise NotRunningError(
            f"The experiment {experiment_id} does not run, so it assigns nobody.", experiment_id=experiment_id
        )
    try:
        schema = table.collect_schema()
    except pl.exceptions.PolarsError as error:
        raise AnalysisError(f"The table cannot be read: {_first_line(error)}.") from None
    asked = experiment.targeting.attributes if experiment.targeting is not None else frozenset()
    _check_columns(schema, unit_column, sorted(asked) + ([earlier_column] if earlier_column else []))
    answer = assign_frame(
        plan,
        experiment_id,
        pl.col(unit_column).cast(pl.String),
        columns=schema,
        earlier_variants=pl.col(earlier_column).cast(pl.String) if earlier_column else None,
    )
    return table.select(
        pl.col(unit_column).cast(pl.String),
        answer.struct.unnest(),
        pl.lit(experiment.not_running.experiment_revision, dtype=pl.Int64).alias("experiment_revision"),
        pl.lit(plan.revision).alias("plan_revision"),
    )


def write_assignments(assigned: pl.LazyFrame, out: Path) -> AssignedUnits:
    """Write assignments to a file as a stream and count them; the file appears when it is complete.

    Args:
        assigned: From ``assign_table``.
        out: A ``.parquet`` or ``.csv`` file; replaced if it is there.

    Raises:
        AnalysisError: Another format, or the table cannot be read to its end.
    """
    _check_format(out)
    aside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        if out.suffix == ".parquet":
            assigned.sink_parquet(aside)
            written = pl.scan_parquet(aside)
        else:
            assigned.sink_csv(aside)
            written = pl.scan_csv(aside, schema_overrides={"variant_id": pl.String, "reason": pl.String})
        counted = _count(written)
        aside.replace(out)
    except OSError as error:
        raise AnalysisError(f"{out}: cannot be written: {error.strerror or error}.", path=str(out)) from None
    except pl.exceptions.PolarsError as error:
        raise AnalysisError(f"The table cannot be read: {_first_line(error)}.") from None
    finally:
        aside.unlink(missing_ok=True)
    return counted


def _count(written: pl.LazyFrame) -> AssignedUnits:
    groups = (
        written.group_by("variant_id", "reason")
        .agg(pl.len())
        .sort("len", "variant_id", "reason", descending=[True, False, False])
        .collect(engine="streaming")
    )
    variants: dict[str, int] = {}
    reasons: dict[str, int] = {}
    without_id = 0
    for variant_id, reason, count in groups.rows():
        if reason is None:
            without_id = count
            continue
        reasons[reason] = reasons.get(reason, 0) + count
        if variant_id is not None:
            variants[variant_id] = variants.get(variant_id, 0) + count
    return AssignedUnits(sum(reasons.values()), variants, reasons, without_id)


def _check_format(path: Path) -> None:
    if path.suffix not in _FORMATS:
        raise AnalysisError(f"{path}: a table must be a .parquet or .csv file.", path=str(path))


def _check_columns(schema: pl.Schema, unit_column: str, asked: Iterable[str]) -> None:
    there = ", ".join(schema.names())
    if unit_column not in schema:
        raise AnalysisError(
            f"The table has no column {unit_column!r} for the units; its columns are {there}.",
            column=unit_column,
        )
    kind = schema[unit_column]
    if not (kind.is_integer() or kind in {pl.String, pl.Categorical, pl.Enum}):
        raise AnalysisError(
            f"The column {unit_column!r} is {kind}; ids must be texts or whole numbers.", column=unit_column
        )
    missing = ", ".join(name for name in asked if name not in schema)
    if missing:
        raise AnalysisError(
            f"The assignment needs {missing}, but the table has no such column; its columns are {there}.",
            column=missing,
        )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
