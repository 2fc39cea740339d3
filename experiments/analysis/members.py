"""From the log to one row per member: her variant, her exposures, her outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from experiments.definition import ExperimentDefinition, Metric, MetricKind
from experiments.errors import AnalysisError

_EXPOSURE_COLUMNS: dict[str, type[pl.DataType]] = {
    "programme": pl.String,
    "event_id": pl.String,
    "experiment_id": pl.String,
    "variant_id": pl.String,
    "member_id": pl.String,
    "decision_id": pl.String,
}
_OUTCOME_COLUMNS: dict[str, type[pl.DataType]] = {
    "programme": pl.String,
    "event_id": pl.String,
    "member_id": pl.String,
    "outcome_type": pl.String,
    "decision_id": pl.String,
    "offer_id": pl.String,
    "value": pl.Float64,
    "currency_code": pl.String,
}
_MAY_BE_NULL = {"decision_id", "offer_id", "value", "currency_code"}


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """What was found in the log besides the figures.

    Attributes:
        exposures: Exposures that count.
        duplicate_exposures: Exposures whose event id was there already.
        exposures_to_unknown_variants: Exposures to a variant that the definition does not have.
        members_in_several_variants: Members that met more than one variant; they are left out.
        outcomes: Outcomes that count, of the types that the metrics read.
        duplicate_outcomes: Outcomes whose event id was there already.
        outcomes_without_value: Counted outcomes without money; they add nothing to values.
        unattributed_outcomes: Outcomes that count for nobody, by cause: ``no_decision`` (it names none),
            ``decision_not_exposed`` (no exposure of this experiment has that decision), ``other_member`` (the
            decision was another member's), ``excluded_member`` (the member is left out).
    """

    exposures: int
    duplicate_exposures: int
    exposures_to_unknown_variants: int
    members_in_several_variants: int
    outcomes: int
    duplicate_outcomes: int
    outcomes_without_value: int
    unattributed_outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class MemberTable:
    """The members of an experiment with everything that its metrics read.

    Attributes:
        members: One row per member, ordered by id: ``member_id``, ``variant_id``, ``exposures``.
        outcomes: The outcomes that count, of these members.
        diagnostics: What was left out and why.
    """

    members: pl.DataFrame
    outcomes: pl.DataFrame
    diagnostics: Diagnostics

    def with_metric(self, metric: Metric) -> pl.DataFrame:
        """Return the members with a metric's ``numerator`` and, for a ratio, its ``denominator``.

        A member without outcomes has the numerator 0.

        Raises:
            AnalysisError: The values to be added up are of several currencies, or are no finite numbers.
        """
        outcomes = self.outcomes.filter(pl.col("outcome_type") == metric.numerator.outcome_type)
        if metric.numerator.aggregate == "count":
            hits = outcomes.unique(["member_id", "decision_id", "offer_id"])
            sums = hits.group_by("member_id").agg(numerator=pl.len().cast(pl.Float64))
        else:
            valued = outcomes.drop_nulls("value")
            _check_values(valued)
            sums = valued.group_by("member_id").agg(numerator=pl.col("value").sum())
        rows = self.members.join(sums, on="member_id", how="left", maintain_order="left")
        rows = rows.with_columns(pl.col("numerator").fill_null(0.0))
        if metric.kind is MetricKind.RATIO:
            rows = rows.with_columns(denominator=pl.col("exposures").cast(pl.Float64))
        return rows


def build_member_table(
    definition: ExperimentDefinition, exposures: pl.DataFrame, outcomes: pl.DataFrame
) -> MemberTable:
    """Return the members that count, with their exposures and outcomes.

    Raises:
        AnalysisError: Columns are missing or of a wrong type, keys are missing, or nobody was exposed.
    """
    exposed, duplicate_exposures = _own_events(definition, exposures, _EXPOSURE_COLUMNS, "exposures")
    exposed = exposed.filter(pl.col("experiment_id") == definition.experiment_id)
    types = {metric.numerator.outcome_type for metric in definition.metrics}
    happened, duplicate_outcomes = _own_events(definition, outcomes, _OUTCOME_COLUMNS, "outcomes")
    happened = happened.filter(pl.col("outcome_type").is_in(types))
    if exposed.is_empty():
        raise AnalysisError(
            f"There is no exposure of experiment {definition.experiment_id!r} in programme {definition.programme!r}.",
            experiment_id=definition.experiment_id,
            programme=definition.programme,
        )
    known = pl.col("variant_id").is_in([variant.variant_id for variant in definition.variants])
    by_member = exposed.group_by("member_id").agg(
        variant_id=pl.col("variant_id").first(),
        variants=pl.col("variant_id").n_unique(),
        exposures=pl.len().cast(pl.Int64),
    )
    members = (
        by_member.filter((pl.col("variants") == 1) & known)
        .select("member_id", "variant_id", "exposures")
        .sort("member_id")
    )
    attributed = _attribute(exposed, members, happened)
    counted = attributed.filter(pl.col("cause").is_null()).drop("cause")
    causes = attributed.drop_nulls("cause")["cause"].value_counts(sort=True)
    return MemberTable(
        members=members,
        outcomes=counted,
        diagnostics=Diagnostics(
            exposures=int(members["exposures"].sum()),
            duplicate_exposures=duplicate_exposures,
            exposures_to_unknown_variants=exposed.filter(~known).height,
            members_in_several_variants=by_member.filter(pl.col("variants") > 1).height,
            outcomes=counted.height,
            duplicate_outcomes=duplicate_outcomes,
            outcomes_without_value=counted["value"].null_count(),
            unattributed_outcomes={str(cause): int(count) for cause, count in causes.iter_rows()},
        ),
    )


def _attribute(exposed: pl.DataFrame, members: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """Return the outcomes with the cause why they do not count, null where they do."""
    decisions = exposed.drop_nulls("decision_id")
    own = decisions.select("decision_id", "member_id", same_member=pl.lit(value=True)).unique()
    anyone = decisions.select("decision_id", exposed=pl.lit(value=True)).unique()
    kept = members.select("member_id", kept=pl.lit(value=True))
    cause = (
        pl.when(pl.col("decision_id").is_null())
        .then(pl.lit("no_decision"))
        .when(pl.col("exposed").is_null())
        .then(pl.lit("decision_not_exposed"))
        .when(pl.col("same_member").is_null())
        .then(pl.lit("other_member"))
        .when(pl.col("kept").is_null())
        .then(pl.lit("excluded_member"))
    )
    return (
        outcomes.join(anyone, on="decision_id", how="left", maintain_order="left")
        .join(own, on=["decision_id", "member_id"], how="left", maintain_order="left")
        .join(kept, on="member_id", how="left", maintain_order="left")
        .with_columns(cause=cause)
        .drop("exposed", "same_member", "kept")
    )


def _own_events(
    definition: ExperimentDefinition, frame: pl.DataFrame, columns: dict[str, type[pl.DataType]], name: str
) -> tuple[pl.DataFrame, int]:
    """Return the programme's events, each once, and how many were repeats."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise AnalysisError(f"The table of {name} lacks the columns {', '.join(missing)}.", table=name)
    try:
        frame = frame.select(pl.col(column).cast(kind) for column, kind in columns.items())
    except pl.exceptions.PolarsError as error:
        said = str(error).splitlines()[0]
        raise AnalysisError(
            f"The table of {name} has a column of a wrong type: {said}.", table=name
        ) from error
    frame = frame.filter(pl.col("programme") == definition.programme)
    for column in columns:
        empty = frame[column].null_count()
        if column not in _MAY_BE_NULL and empty:
            raise AnalysisError(f"In the table of {name}, {empty:,} rows have no {column}.", table=name)
    once = frame.unique("event_id", keep="first", maintain_order=True)
    return once, frame.height - once.height


def _check_values(valued: pl.DataFrame) -> None:
    currencies = valued["currency_code"].unique().sort(nulls_last=True).to_list()
    if len(currencies) > 1:
        names = ", ".join("none" if code is None else str(code) for code in currencies)
        raise AnalysisError(f"values of several currencies cannot be added up ({names})")
    strange = valued.filter(~pl.col("value").is_finite()).height
    if strange:
        raise AnalysisError(f"values of {strange:,} outcomes are no finite numbers")
