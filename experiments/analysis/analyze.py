"""Where an analysis begins: a table with one row per unit, event tables, or the server's log."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from experiments.aggregates import Statistics, TableLayout, collect
from experiments.aggregates.rows import MEMBERS
from experiments.analysis.diagnostics import Diagnostics, table_diagnostics
from experiments.analysis.evaluation import evaluate
from experiments.analysis.evidence import AnalysisEvidence, ComputedFigures, compute, is_computed
from experiments.analysis.measures import metric_columns, table_layout, variants_by_value
from experiments.analysis.result import ExperimentResult
from experiments.analysis.unit_table import build_member_table, event_units
from experiments.definition import Attribution, ExperimentDefinition
from experiments.errors import AnalysisError, OptionError
from experiments.log.frames import EventFrames, as_members
from experiments.standing_arms import is_standing, with_decisions_as_exposures

_ONE_SOURCE = "Give one source: a table with one row per unit, tables of exposures and outcomes, the server's log, or a saved result."


def check_sources(
    *, data: object, exposures: object, outcomes: object, identities: object, log: object, saved: object
) -> None:
    """Refuse sources that exclude each other, and halves of one; what is ``None`` is not given.

    Args:
        data: A table with one row per unit.
        exposures: A table of exposures.
        outcomes: A table of outcomes.
        identities: A table of identities.
        log: The server's log.
        saved: A saved result.

    Raises:
        OptionError: There is more than one source, or half of one.
    """
    if (exposures is None) != (outcomes is None):
        raise OptionError("Exposures and outcomes belong together: give both tables.")
    if sum(source is not None for source in (data, exposures, log, saved)) > 1:
        raise OptionError(_ONE_SOURCE)
    if identities is not None and exposures is None:
        raise OptionError("Identities belong to tables of exposures and outcomes.")


def analyze(
    definition: ExperimentDefinition,
    *,
    data: pl.LazyFrame | None = None,
    exposures: pl.LazyFrame | None = None,
    outcomes: pl.LazyFrame | None = None,
    identities: pl.LazyFrame | None = None,
    log: EventFrames | None = None,
    saved: Mapping[str, Any] | None = None,
    today: date | None = None,
) -> ExperimentResult:
    """Analyse an experiment from whichever source is given: a table, event tables, the server's log or a saved result.

    Args:
        definition: The experiment.
        data: A table with one row per unit.
        exposures: A long table with one row per exposure; together with ``outcomes``.
        outcomes: A long table with one row per outcome.
        identities: Which anonymous ids of the event tables belong to which member.
        log: The server's log.
        saved: What ``ExperimentResult.to_json`` gave.
        today: The day for which the end is judged; the last day of the data if not given.

    Returns:
        Every figure that the definition asks for, and a verdict.

    Raises:
        OptionError: There is not exactly one source.
        AnalysisError: It cannot be read as the definition says.
    """
    check_sources(
        data=data, exposures=exposures, outcomes=outcomes, identities=identities, log=log, saved=saved
    )
    if all(source is None for source in (data, exposures, log, saved)):
        raise OptionError(_ONE_SOURCE)
    if saved is not None:
        return reanalyze(definition, saved, today=today)
    if data is not None:
        return analyze_table(definition, data, today=today)
    if exposures is not None and outcomes is not None:
        return analyze_events(
            definition, exposures=exposures, outcomes=outcomes, identities=identities, today=today
        )
    assert log is not None
    return analyze_log(definition, log, today=today)


def analyze_table(
    definition: ExperimentDefinition, table: pl.DataFrame | pl.LazyFrame, *, today: date | None = None
) -> ExperimentResult:
    """Analyse a table with one row per unit.

    Args:
        definition: The experiment; its metrics name columns.
        table: The units; a lazy frame is read in one streaming pass.
        today: The day for which the end is judged; the last day of the data if not given.

    Returns:
        The result, with figures, verdict and the statistics they rest on.

    Raises:
        AnalysisError: The table cannot be read as the definition says.
    """
    for metric in definition.metrics:
        if metric.reads_events:
            raise AnalysisError(
                f"Metric {metric.metric_id!r} is made of events; a table with one row per unit needs a column. Name"
                " it in the definition, or give --exposures and --outcomes."
            )
    layout = table_layout(definition, table.lazy().collect_schema().names())
    table, overridden = _without_overridden(definition, table, layout.unit_column)
    return _analyze_units(definition, table, layout, today=today, derived=False, more=overridden)


def analyze_events(
    definition: ExperimentDefinition,
    *,
    exposures: pl.LazyFrame,
    outcomes: pl.LazyFrame,
    identities: pl.LazyFrame | None = None,
    today: date | None = None,
) -> ExperimentResult:
    """Analyse long event tables: one row per exposure, one row per outcome.

    A unit's variant is that of its exposures; whoever met several is left out. An outcome counts for a unit if it
    happened within the metric's window after the unit's first exposure.

    Args:
        definition: The experiment; its metrics name events.
        exposures: Who met which variant when.
        outcomes: What happened to whom when.
        identities: Which anonymous ids belong to which member.
        today: The day for which windows and the end are judged; the last time in the data if not given.

    Returns:
        The result, with figures, verdict and the statistics they rest on.

    Raises:
        AnalysisError: The tables cannot be read as the definition says.
    """
    units = event_units(definition, exposures, outcomes, identities, today)
    return _analyze_units(
        definition, units.frame, units.layout, today=today, derived=True, more=units.diagnostics
    )


def analyze_decisions(
    definition: ExperimentDefinition,
    *,
    exposures: pl.DataFrame,
    outcomes: pl.DataFrame,
    today: date | None = None,
) -> ExperimentResult:
    """Analyse the server's log where outcomes belong to decisions; the member is the unit.

    A member's variant is that of the member's exposures; members who met several are left out. Every event id counts once. An
    outcome counts if it names a decision that this experiment exposed to the same member; several offers hit in
    one decision count each, the same offer once. A member without outcomes counts with zero.

    Args:
        definition: The experiment.
        exposures: The exposure log; other programmes' and experiments' rows are ignored.
        outcomes: The outcome log; other programmes' rows are ignored.
        today: The day for which the end is judged; the last day of the data if not given.

    Returns:
        Figures for every metric and variant; a metric that cannot be computed has its reason instead.

    Raises:
        AnalysisError: The frames cannot be read as logs, or nobody was exposed.
    """
    table = build_member_table(definition, exposures, outcomes)
    members, refusals = table.with_metrics(definition.metrics)
    timed = members["first_expose_time"].null_count() < members.height
    layout = TableLayout(
        variant_column="variant_id",
        unit_column="member_id",
        time_column="first_expose_time" if timed else None,
    )
    return _analyze_units(
        definition,
        members,
        layout,
        today=today,
        derived=True,
        more=table.diagnostics.and_more(_not_broken_down(definition, ())),
        refusals=refusals,
    )


def analyze_log(
    definition: ExperimentDefinition, frames: EventFrames, *, today: date | None = None
) -> ExperimentResult:
    """Analyse the server's log as the definition attributes outcomes; of standing arms, every decision is an exposure.

    Args:
        definition: The experiment; its metrics name events.
        frames: Exposures, decisions, outcomes and identities of the log.
        today: The day for which windows and the end are judged; the last time in the log if not given.

    Returns:
        The result, with figures, verdict and the statistics they rest on.

    Raises:
        AnalysisError: Nobody was exposed, or a metric cannot be read from a log.
    """
    _refuse_table_columns(definition)
    if is_standing(definition):
        frames = with_decisions_as_exposures(definition, frames)
    exposures, outcomes = (
        as_members(events, frames.identities) for events in (frames.exposures, frames.outcomes)
    )
    members = dict(frames.identities.select("anonymous_id", "member_id").iter_rows())
    overrides = {members.get(unit_id, unit_id): chosen for unit_id, chosen in definition.overrides.items()}
    definition = definition.model_copy(update={"overrides": overrides})
    if definition.attribution is Attribution.DECISION:
        return analyze_decisions(definition, exposures=exposures, outcomes=outcomes, today=today)
    own = exposures.filter(pl.col("experiment_id") == definition.experiment_id)
    if own.is_empty():
        raise AnalysisError(
            f"There is no exposure of experiment {definition.experiment_id!r} in programme {definition.programme!r}.",
            experiment_id=definition.experiment_id,
            programme=definition.programme,
        )
    kept = tuple(name for name in definition.segments if name in own.columns)
    plain = {"segments": kept, "unit_column": "", "variant_column": "", "time_column": ""}
    units = event_units(definition.model_copy(update=plain), own.lazy(), outcomes.lazy(), None, today)
    more = units.diagnostics.and_more(_not_broken_down(definition, kept))
    return _analyze_units(definition, units.frame, units.layout, today=today, derived=True, more=more)


def reanalyze(
    definition: ExperimentDefinition, document: Mapping[str, Any], *, today: date | None = None
) -> ExperimentResult:
    """Compute every figure of a saved result again, from the statistics saved with it.

    Args:
        definition: The experiment; it may ask for another method, alpha or correction than the saved result.
        document: What ``ExperimentResult.to_json`` gave.
        today: The day for which the end is judged; the last day of the data if not given.

    Returns:
        The result of the same data under this definition.

    Raises:
        AnalysisError: The document has no statistics of this experiment's metrics.
    """
    if document.get("experiment_id") != definition.experiment_id or "statistics" not in document:
        raise AnalysisError(
            f"The document is not a result of experiment {definition.experiment_id!r} with its statistics.",
            experiment_id=definition.experiment_id,
        )
    missing = [name for name in ("computed", "refusals", "diagnostics") if name not in document]
    if missing:
        raise AnalysisError(f"The saved result has no part {' and no part '.join(missing)}.")
    statistics = Statistics.from_json(json.dumps(document["statistics"]))
    _refuse_other_columns(definition, statistics, document["refusals"])
    evidence = AnalysisEvidence(
        definition, statistics, ComputedFigures.from_json(document["computed"]), document["refusals"]
    )
    found = document["diagnostics"]
    counts = {name: count for name, count in found.items() if isinstance(count, int)}
    bounds = {name: (ends[0], ends[1]) for name, ends in found["bounds"].items()}
    return evaluate(evidence, Diagnostics(counts, tuple(found["left_out"]), bounds), today)


def _refuse_other_columns(
    definition: ExperimentDefinition, statistics: Statistics, refusals: Mapping[str, str]
) -> None:
    """Refuse statistics that were collected for other metrics than the definition's.

    Raises:
        AnalysisError: A metric, variant or segment is not there, or a metric is made of other columns.
    """
    for variant in definition.variants:
        statistics.units(variant.variant_id)
    absent = [name for name in definition.segments if name not in statistics.segment_columns]
    of_table = not any(metric.reads_events for metric in definition.metrics)
    if absent and (of_table or statistics.segment_columns):
        raise AnalysisError(f"The saved statistics are not broken down by {', '.join(absent)}.")
    for metric in definition.metrics:
        if metric.metric_id in refusals:
            continue
        if metric.metric_id not in statistics.metrics:
            raise AnalysisError(
                f"The saved statistics have no metric {metric.metric_id!r}; analyse the data."
            )
        saved = statistics.metrics[metric.metric_id].columns
        wanted = (
            [metric_columns(metric, derived=True)]
            if metric.reads_events
            else [metric_columns(metric, derived=derived) for derived in (False, True)]
        )
        labels = [
            (*(source.label for source in one.columns), *((MEMBERS,) if statistics.clustered else ()))
            for one in wanted
        ]
        if saved not in labels:
            raise AnalysisError(
                f"The saved statistics of metric {metric.metric_id!r} are of {', '.join(saved)}; the definition asks for"
                f" {', '.join(labels[0])}. Analyse the data again."
            )


def _refuse_table_columns(definition: ExperimentDefinition) -> None:
    """Refuse what a table with one row per unit has and the server's log has not."""
    for metric in definition.metrics:
        if not metric.reads_events:
            raise AnalysisError(
                f"Metric {metric.metric_id!r} names the column {metric.numerator.column!r} of a table; the server's log"
                " has events. Give the table with --data, or say which outcomes the metric counts."
            )
    for field in ("cluster_column", "trigger_column"):
        name = getattr(definition, field)
        if name:
            raise AnalysisError(
                f"The definition names the {field} {name!r} of a table; the server's log has no such column. Give the"
                " table with --data."
            )


def _not_broken_down(definition: ExperimentDefinition, kept: Sequence[str]) -> Diagnostics:
    absent = [name for name in definition.segments if name not in kept]
    if not absent:
        return Diagnostics({})
    return Diagnostics(
        {}, (f"Nothing is broken down by {', '.join(absent)}, because the server's log does not have it.",)
    )


def _without_overridden(
    definition: ExperimentDefinition, table: pl.DataFrame | pl.LazyFrame, unit_column: str | None
) -> tuple[pl.DataFrame | pl.LazyFrame, Diagnostics]:
    columns = table.lazy().collect_schema()
    if not definition.overrides or unit_column is None or unit_column not in columns:
        return table, Diagnostics({})
    # A whole number is the same id whether the file holds 7 or 7.0.
    ids = (
        pl.col(unit_column).cast(pl.Int64, strict=False)
        if columns[unit_column].is_float()
        else pl.col(unit_column)
    )
    kept = ~ids.cast(pl.String).is_in(list(definition.overrides)).fill_null(value=False)
    return table.filter(kept), Diagnostics(
        {"overrides": len(definition.overrides)},
        (
            f"Units with a variant chosen by hand ({len(definition.overrides)} in the definition) were left out.",
        ),
    )


def _analyze_units(
    definition: ExperimentDefinition,
    table: pl.DataFrame | pl.LazyFrame,
    layout: TableLayout,
    *,
    today: date | None,
    derived: bool,
    more: Diagnostics,
    refusals: Mapping[str, str] | None = None,
) -> ExperimentResult:
    refused = refusals or {}
    variants = variants_by_value(definition)
    readable = [metric for metric in definition.metrics if metric.metric_id not in refused]
    statistics = collect(
        table, layout, [metric_columns(metric, derived=derived) for metric in readable], variants
    )
    valued = [
        (metric, metric_columns(metric, derived=derived))
        for metric in readable
        if is_computed(metric) and metric.metric_id not in statistics.refused
    ]
    computed = compute(table.lazy(), layout, valued, variants, statistics) if valued else ComputedFigures()
    evidence = AnalysisEvidence(definition, statistics, computed, refused)
    return evaluate(evidence, table_diagnostics(definition, statistics).and_more(more), today)
