"""Runs the analysis of one experiment over the frames of its log."""

import polars as pl

from experiments.analysis.members import MemberTable, build_member_table
from experiments.analysis.result import ExperimentResult, MetricResult, VariantFigure
from experiments.definition import ExperimentDefinition, Metric, MetricKind
from experiments.errors import AnalysisError
from experiments.stats import (
    ArmEstimate,
    Effect,
    Moments,
    arm_interval,
    check_sample_ratio,
    compare,
    mean_estimate,
    moments_by_group,
    ratio_estimate,
)
from experiments.wording import confidence

_METHODS = {
    MetricKind.MEAN: "mean over members, Welch t",
    MetricKind.RATIO: "ratio of member sums, delta method, Welch t",
}


def analyze(
    definition: ExperimentDefinition, *, exposures: pl.DataFrame, outcomes: pl.DataFrame
) -> ExperimentResult:
    """Analyse an experiment; the member is the unit.

    A member's variant is that of her exposures; whoever met several is left out. Every event id counts once. An
    outcome counts if it names a decision that this experiment exposed to the same member; several offers hit in
    one decision count each, the same offer once. A member without outcomes counts with zero.

    Args:
        definition: The experiment.
        exposures: The exposure log; other programmes' and experiments' rows are ignored.
        outcomes: The outcome log; other programmes' rows are ignored.

    Returns:
        Figures for every metric and variant; a metric that cannot be computed has its reason instead.

    Raises:
        AnalysisError: The frames cannot be read as logs, or nobody was exposed.
    """
    table = build_member_table(definition, exposures, outcomes)
    counts = {
        str(variant_id): int(n) for variant_id, n in table.members["variant_id"].value_counts().iter_rows()
    }
    units = {variant.variant_id: counts.get(variant.variant_id, 0) for variant in definition.variants}
    results: list[MetricResult] = []
    figures: list[VariantFigure] = []
    for metric in definition.metrics:
        arms, refusals = _arms(definition, metric, table, units, figures)
        results += [
            _compare(definition, metric, variant.variant_id, arms, refusals)
            for variant in definition.variants
            if variant.variant_id != definition.control
        ]
    return ExperimentResult(
        definition=definition,
        srm=check_sample_ratio(
            units, {variant.variant_id: variant.weight for variant in definition.variants}
        ),
        units=units,
        results=tuple(results),
        figures=tuple(figures),
        diagnostics=table.diagnostics,
    )


def _arms(
    definition: ExperimentDefinition,
    metric: Metric,
    table: MemberTable,
    units: dict[str, int],
    figures: list[VariantFigure],
) -> tuple[dict[str, ArmEstimate], dict[str, str]]:
    """Return each variant's estimate or the reason for none, and add the variants' figures."""
    columns = ["numerator", "denominator"] if metric.kind is MetricKind.RATIO else ["numerator"]
    estimate = ratio_estimate if metric.kind is MetricKind.RATIO else mean_estimate
    arms: dict[str, ArmEstimate] = {}
    refusals: dict[str, str] = {}
    try:
        moments = moments_by_group(table.with_metric(metric), "variant_id", columns)
    except AnalysisError as error:
        refusals = dict.fromkeys(units, error.message)
        figures += [
            VariantFigure(metric.metric_id, variant_id, members, reason=error.message)
            for variant_id, members in units.items()
        ]
        return arms, refusals
    for variant_id, members in units.items():
        sums = moments.get(variant_id, Moments.of(*([] for _ in columns)))
        try:
            arms[variant_id] = estimate(sums)
        except AnalysisError as error:
            refusals[variant_id] = f"{definition.variant(variant_id).label}: {error.message}"
            figures.append(VariantFigure(metric.metric_id, variant_id, members, reason=error.message))
            continue
        figures.append(_figure(definition, metric, variant_id, sums, arms[variant_id]))
    return arms, refusals


def _figure(
    definition: ExperimentDefinition, metric: Metric, variant_id: str, sums: Moments, arm: ArmEstimate
) -> VariantFigure:
    lower, upper = arm_interval(arm, definition.alpha)
    return VariantFigure(
        metric_id=metric.metric_id,
        variant_id=variant_id,
        members=arm.members,
        numerator_total=sums.total(0),
        denominator_total=sums.total(1) if metric.kind is MetricKind.RATIO else None,
        mean=arm.mean,
        standard_error=arm.standard_error,
        ci_lower=lower,
        ci_upper=upper,
    )


def _compare(
    definition: ExperimentDefinition,
    metric: Metric,
    variant_id: str,
    arms: dict[str, ArmEstimate],
    refusals: dict[str, str],
) -> MetricResult:
    refusal = refusals.get(definition.control) or refusals.get(variant_id, "")
    effect = None if refusal else compare(arms[definition.control], arms[variant_id], definition.alpha)
    return MetricResult(
        metric_id=metric.metric_id,
        role=metric.role,
        variant_id=variant_id,
        control_id=definition.control,
        effect=effect,
        method=_METHODS[metric.kind],
        ingredients=_ingredients(definition, metric, effect),
        refusal=refusal,
    )


def _ingredients(definition: ExperimentDefinition, metric: Metric, effect: Effect | None) -> tuple[str, ...]:
    if effect is None or effect.degrees_of_freedom is None:
        return ()
    variance = (
        "delta method over members"
        if metric.kind is MetricKind.RATIO
        else "variance over members of each variant"
    )
    return (
        f"{confidence(definition.alpha)}, two-sided",
        "fixed horizon: valid for one look, at the planned end",
        variance,
        f"Welch t with {effect.degrees_of_freedom:,.1f} degrees of freedom",
        "relative effect by Fieller",
        "no correction for several metrics or variants",
    )
