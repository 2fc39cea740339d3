"""From the log, or from event tables, to one row per unit with its variant, exposures and outcomes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from experiments.aggregates import TableLayout
from experiments.aggregates.event_columns import Aggregate, EventColumn, EventNames, EventSpec
from experiments.aggregates.events import EventDiagnostics, unit_table
from experiments.analysis.diagnostics import Diagnostics
from experiments.analysis.measures import metric_sources
from experiments.definition import Covariate, ExperimentDefinition, Metric, Source
from experiments.errors import AnalysisError
from experiments.number_format import count_of

_EXPOSURE_COLUMNS: dict[str, type[pl.DataType] | pl.DataType] = {
    "programme": pl.String,
    "event_id": pl.String,
    "experiment_id": pl.String,
    "variant_id": pl.String,
    "member_id": pl.String,
    "decision_id": pl.String,
    "expose_time": pl.Datetime("us", "UTC"),
}
_OUTCOME_COLUMNS: dict[str, type[pl.DataType] | pl.DataType] = {
    "programme": pl.String,
    "event_id": pl.String,
    "member_id": pl.String,
    "outcome_type": pl.String,
    "decision_id": pl.String,
    "offer_id": pl.String,
    "value": pl.Float64,
    "currency_code": pl.String,
}
_MAY_BE_NULL = {"decision_id", "offer_id", "value", "currency_code", "expose_time"}
_CAUSES = {
    "no_decision": "named no decision",
    "decision_not_exposed": "named a decision that this experiment did not show",
    "other_member": "named another member's decision",
    "excluded_member": "belong to members that are left out",
}


class _UnusableValuesError(ValueError):
    """A metric's values cannot be added up."""


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

    def with_metrics(self, metrics: Sequence[Metric]) -> tuple[pl.DataFrame, dict[str, str]]:
        """Return the members with a column for every source of the metrics, named as ``metric_sources`` does.

        A member without outcomes has 0. A metric whose values cannot be added up has its reason instead of columns, by
        metric id.

        Raises:
            AnalysisError: A metric cannot be read from decisions at all.
        """
        rows, refusals = self.members, {}
        for metric in metrics:
            for name, source in metric_sources(metric):
                try:
                    rows = self._with_source(rows, metric, name, source)
                except _UnusableValuesError as error:
                    refusals[metric.metric_id] = str(error)
        return rows, refusals

    def _with_source(
        self, rows: pl.DataFrame, metric: Metric, name: str, source: Source | Covariate
    ) -> pl.DataFrame:
        if isinstance(source, Covariate) or source.event is None or metric.retention is not None:
            raise AnalysisError(
                f"Metric {metric.metric_id!r} cannot be read from decisions; set attribution to member for retention and"
                " covariates, or give --data for a table's columns."
            )
        if source.event == "exposures":
            return rows.with_columns(pl.col("exposures").cast(pl.Float64).alias(name))
        outcomes = self.outcomes.filter(pl.col("outcome_type") == source.outcome_type)
        if source.aggregate == "count":
            hits = outcomes.unique(["member_id", "decision_id", "offer_id"])
            sums = hits.group_by("member_id").agg(pl.len().cast(pl.Float64).alias(name))
        else:
            valued = outcomes.drop_nulls("value")
            _check_values(valued)
            sums = valued.group_by("member_id").agg(pl.col("value").sum().alias(name))
        joined = rows.join(sums, on="member_id", how="left", maintain_order="left")
        return joined.with_columns(pl.col(name).fill_null(0.0))


def build_member_table(
    definition: ExperimentDefinition, exposures: pl.DataFrame, outcomes: pl.DataFrame
) -> MemberTable:
    """Return the members that count, with their exposures and outcomes.

    Args:
        definition: The experiment.
        exposures: One row per exposure.
        outcomes: One row per outcome.

    Returns:
        One row per member, with what was left out and why.

    Raises:
        AnalysisError: Columns are missing or of a wrong type, keys are missing, or nobody was exposed.
    """
    exposed, duplicate_exposures = _own_events(definition, exposures, _EXPOSURE_COLUMNS, "exposures")
    exposed = exposed.filter(pl.col("experiment_id") == definition.experiment_id)
    types = {
        source.outcome_type
        for metric in definition.metrics
        for _, source in metric_sources(metric)
        if isinstance(source, Source) and source.event == "outcomes"
    }
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
        first_expose_time=pl.col("expose_time").min(),
    )
    overridden = pl.col("member_id").is_in(list(definition.overrides))
    members = (
        by_member.filter((pl.col("variants") == 1) & known & ~overridden)
        .select("member_id", "variant_id", "exposures", "first_expose_time")
        .sort("member_id")
    )
    attributed = _attribute(exposed, members, happened)
    counted = attributed.filter(pl.col("cause").is_null()).drop("cause")
    causes = attributed.drop_nulls("cause")["cause"].value_counts(sort=True)
    return MemberTable(
        members=members,
        outcomes=counted,
        diagnostics=_diagnostics(
            {
                "exposures": int(members["exposures"].sum()),
                "duplicate_exposures": duplicate_exposures,
                "exposures_to_unknown_variants": exposed.filter(~known).height,
                "units_in_several_variants": by_member.filter(pl.col("variants") > 1).height,
                "overridden_members": by_member.filter(overridden).height,
                "outcomes": counted.height,
                "duplicate_outcomes": duplicate_outcomes,
                "outcomes_without_value": counted["value"].null_count(),
            },
            {str(cause): int(count) for cause, count in causes.iter_rows()},
        ),
    )


def _diagnostics(counts: dict[str, int], causes: dict[str, int]) -> Diagnostics:
    """Return what was found, with sentences about what was left out or counts once only."""
    sentences = []
    if counts["units_in_several_variants"]:
        members = count_of(counts["units_in_several_variants"], "member")
        sentences.append(f"{members} met more than one variant and count for none.")
    if counts["overridden_members"]:
        members = count_of(counts["overridden_members"], "member")
        sentences.append(f"{members} had a variant chosen by hand and count for none.")
    if counts["exposures_to_unknown_variants"]:
        exposures = count_of(counts["exposures_to_unknown_variants"], "exposure")
        sentences.append(f"{exposures} to variants that the definition does not have were left out.")
    if counts["duplicate_exposures"] or counts["duplicate_outcomes"]:
        sentences.append(
            f"{count_of(counts['duplicate_exposures'], 'repeated exposure')} and"
            f" {count_of(counts['duplicate_outcomes'], 'repeated outcome')} were counted once."
        )
    sentences += [
        f"{count_of(count, 'outcome')} {_CAUSES[cause]} and count for nobody."
        for cause, count in causes.items()
    ]
    if counts["outcomes_without_value"]:
        outcomes = count_of(counts["outcomes_without_value"], "outcome")
        sentences.append(f"{outcomes} had no value and add no money.")
    by_cause = {f"outcomes_{cause}": causes.get(cause, 0) for cause in _CAUSES}
    return Diagnostics({**counts, **by_cause}, tuple(sentences))


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
    definition: ExperimentDefinition,
    frame: pl.DataFrame,
    columns: Mapping[str, type[pl.DataType] | pl.DataType],
    name: str,
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
        raise _UnusableValuesError(f"values of several currencies cannot be added up ({names})")
    strange = valued.filter(~pl.col("value").is_finite()).height
    if strange:
        raise _UnusableValuesError(f"values of {strange:,} outcomes are not finite numbers")


@dataclass(frozen=True, slots=True)
class EventUnits:
    """The units of event tables.

    Attributes:
        frame: One row per unit, with the columns that ``metric_sources`` names.
        layout: Which column means what.
        diagnostics: What was left out.
    """

    frame: pl.DataFrame
    layout: TableLayout
    diagnostics: Diagnostics


def event_units(
    definition: ExperimentDefinition,
    exposures: pl.LazyFrame,
    outcomes: pl.LazyFrame,
    identities: pl.LazyFrame | None,
    today: date | None,
) -> EventUnits:
    """Return one row per exposed unit.

    Args:
        definition: The experiment; its metrics name events.
        exposures: One row per exposure.
        outcomes: One row per outcome.
        identities: Which anonymous ids belong to which member.
        today: The last day of the data; the latest time found if not given.

    Returns:
        The units, with what was left out and why.

    Raises:
        AnalysisError: A metric names a table's column, or the tables cannot be read.
    """
    if definition.cluster_column:
        raise AnalysisError(
            f"The definition names the cluster_column {definition.cluster_column!r}; event tables are read by unit. Name"
            " the cluster as unit_column instead, or give one row per unit with --data."
        )
    usual = EventNames()
    names = EventNames(
        unit=definition.unit_column or None,
        variant=definition.variant_column or usual.variant,
        expose_time=definition.time_column or usual.expose_time,
    )
    made = unit_table(
        exposures,
        outcomes,
        EventSpec(
            columns=tuple(_columns(definition)),
            window_days=definition.window_days,
            as_of=None if today is None else datetime.combine(today + timedelta(days=1), time(), UTC),
            experiment_id=definition.experiment_id,
            overridden=frozenset(definition.overrides),
            identities=identities,
            segment_columns=definition.segments,
            trigger_column=definition.trigger_column or None,
            names=names,
        ),
    )
    return EventUnits(made.frame, made.layout, _event_diagnostics(definition, made.diagnostics))


def _columns(definition: ExperimentDefinition) -> Iterator[EventColumn]:
    for metric in definition.metrics:
        for name, source in metric_sources(metric):
            yield _column(metric, name, source)


def _column(metric: Metric, name: str, source: Source | Covariate) -> EventColumn:
    window = metric.window_days
    if isinstance(source, Covariate):
        own = metric.numerator
        if own.event == "exposures":
            raise AnalysisError(
                f"Metric {metric.metric_id!r} counts exposures, and before the first one there are none: its covariate"
                " pre_period_days says nothing."
            )
        kind = own.outcome_type if metric.retention is None else metric.retention.outcome_type
        return EventColumn(name, Aggregate(own.aggregate), kind, pre_period_days=source.pre_period_days)
    if metric.retention is not None:
        kept = metric.retention
        return EventColumn(
            name, Aggregate.RETAINED, kept.outcome_type, first_day=kept.first_day, last_day=kept.last_day
        )
    if source.event == "exposures":
        return EventColumn(name, Aggregate.EXPOSURES, window_days=window)
    if source.event == "outcomes":
        return EventColumn(name, Aggregate(source.aggregate), source.outcome_type, window_days=window)
    raise AnalysisError(
        f"Metric {metric.metric_id!r} names a column of a table with one row per unit; event tables have outcomes. Give"
        " the table with --data, or say which outcomes the metric counts."
    )


def _event_diagnostics(definition: ExperimentDefinition, found: EventDiagnostics) -> Diagnostics:
    unit = definition.unit
    sentences = [
        f"{count_of(count, what)} {why}"
        for count, what, why in (
            (found.units_in_several_variants, unit, "in more than one variant left out."),
            (found.overridden_units, unit, "with a variant chosen by hand left out."),
            (found.immature_units, unit, "left out because the window after first exposure is not over."),
            (found.exposures_without_trigger, "exposure", "left out because no difference could be met."),
            (found.duplicate_exposures, "repeated exposure", "counted once."),
            (found.duplicate_outcomes, "repeated outcome", "counted once."),
            (found.incomplete_exposures, "exposure", f"without {unit}, variant or time left out."),
            (found.incomplete_outcomes, "outcome", f"without {unit} or time left out."),
            (found.outcomes_without_value, "outcome", "without a value add nothing."),
        )
        if count
    ]
    if found.absent_types:
        there = ", ".join(found.present_types) or "none"
        sentences.append(f"No outcome has the type {', '.join(found.absent_types)}; there are: {there}.")
    counts = {
        name: getattr(found, name)
        for name in EventDiagnostics.__dataclass_fields__
        if name not in {"immature_values", "absent_types", "present_types", "as_of"}
    }
    return Diagnostics(counts, tuple(sentences))
