"""Variants' figures in the shapes that the methods read."""

from dataclasses import dataclass
from datetime import date

from scipy.special import stdtrit

from experiments.analysis.comparison import Arms
from experiments.analysis.evidence import AnalysisEvidence, is_computed
from experiments.analysis.measures import covariate_shapes
from experiments.definition import Metric
from experiments.errors import AnalysisError
from experiments.stats import Moments, PairEstimate, arm_figure, estimate_pair
from experiments.stats.bandit import batched_effect
from experiments.stats.figure import FEWEST_UNITS_FOR_MEAN, independent_pair, within
from experiments.stats.srm import CovariateDifference, ImbalanceCheck, check_imbalance, corrected_imbalance

_MIN_UNITS_PER_DAY = 30
MOVED = "the allocation moved from day to day"


@dataclass(frozen=True, slots=True)
class VariantFigure:
    """A metric in one variant, without adjustment.

    Attributes:
        metric_id: The metric.
        variant_id: The variant.
        members: Units that it rests on.
        numerator_total: Sum of the units' numerators; none for a quantile.
        denominator_total: Sum of the units' denominators; none for a mean.
        mean: The metric in this variant.
        standard_error: Of the mean.
        ci_lower: Lower end of the mean's own interval, at the experiment's confidence.
        ci_upper: Upper end.
        reason: Why there are no figures, or empty.
    """

    metric_id: str
    variant_id: str
    members: int
    numerator_total: float | None = None
    denominator_total: float | None = None
    mean: float | None = None
    standard_error: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    reason: str = ""


def arms_of(evidence: AnalysisEvidence, metric: Metric, variant_id: str) -> Arms | AnalysisError:
    """Return control and treatment of a metric over all units, or why there are none.

    Args:
        evidence: The experiment and its collected statistics.
        metric: The metric.
        variant_id: The treatment.

    Returns:
        Both arms, or the error that says why they have no figures.
    """
    try:
        if evidence.definition.allocation.kind == "thompson":
            return Arms(batched_pair(evidence, metric, variant_id))
        if is_computed(metric):
            return _computed_arms(evidence, metric, variant_id)
        control = evidence.total(metric, evidence.definition.control)
        return Arms(moment_pair(evidence, metric, variant_id, control, evidence.total(metric, variant_id)))
    except AnalysisError as error:
        return error


def moment_pair(
    evidence: AnalysisEvidence,
    metric: Metric,
    variant_id: str,
    control: Moments,
    treatment: Moments,
    *,
    slopes_of: Moments | None = None,
) -> PairEstimate:
    """Return a pair from moments; a refusal says which variant it is about.

    Args:
        evidence: The experiment and what was collected.
        metric: The metric.
        variant_id: The treatment.
        control: Moments under control.
        treatment: Moments under treatment.
        slopes_of: Units that the covariates' slopes come from; these of both arms unless given.

    Returns:
        Both arms' figures, adjusted alike for the covariates.

    Raises:
        AnalysisError: An arm has too few units, or figures that are not finite.
    """
    definition, shape = evidence.definition, evidence.shape(metric)
    for arm_id, moments in ((definition.control, control), (variant_id, treatment)):
        try:
            arm_figure(moments, shape.value)
        except AnalysisError as error:
            raise AnalysisError(f"{definition.variant(arm_id).label}: {error.message}") from None
    return estimate_pair(control, treatment, shape, slopes_of)


def daily_pairs(
    evidence: AnalysisEvidence,
    metric: Metric,
    variant_id: str,
    fewest: int = _MIN_UNITS_PER_DAY,
    *,
    one_slope: bool = False,
) -> dict[date, PairEstimate]:
    """Return control and treatment of the units first exposed on each day, of days with enough units in both.

    Args:
        evidence: The experiment and what was collected.
        metric: The metric.
        variant_id: The treatment.
        fewest: Units that both variants need on a day.
        one_slope: Whether covariates have the same slopes on all days, so that small days do not fit their own.

    Returns:
        Both arms' figures by day of first exposure, in the order of the days.
    """
    evidence.total(metric, variant_id)
    control = evidence.statistics.by_day(metric.metric_id, evidence.definition.control)
    treated = evidence.statistics.by_day(metric.metric_id, variant_id)
    parts = [*control.values(), *treated.values()]
    slopes_of = within(parts) if one_slope and parts else None
    pairs = {}
    for day in sorted(control.keys() & treated.keys()):
        if min(control[day].count, treated[day].count) < fewest:
            continue
        try:
            pairs[day] = moment_pair(
                evidence, metric, variant_id, control[day], treated[day], slopes_of=slopes_of
            )
        except AnalysisError:
            continue
    return pairs


def batched_pair(evidence: AnalysisEvidence, metric: Metric, variant_id: str) -> PairEstimate:
    """Return control and treatment of a bandit, whose allocation moved from day to day.

    All days count that say anything. Whether a neglected variant has many units on a day depends on the days before:
    days chosen by that would favour the outcomes that led to the neglect.

    Args:
        evidence: The experiment and its collected statistics.
        metric: The metric, with moments by day.
        variant_id: The treatment.

    Returns:
        Both arms' figures, combined over the days.

    Raises:
        AnalysisError: The days are unknown, no day has enough units in both variants, or the metric has no moments.
    """
    if is_computed(metric):
        raise AnalysisError(
            f"{MOVED}, and quantiles and the bootstrap know no effect by day; take a mean or a ratio"
        )
    if not evidence.units_by_day:
        raise AnalysisError(f"{MOVED}, so time_column must say when each unit came")
    pairs = daily_pairs(
        evidence, metric, variant_id, FEWEST_UNITS_FOR_MEAN, one_slope=bool(metric.covariates)
    )
    return batched_effect(list(pairs.values()))


def _computed_arms(evidence: AnalysisEvidence, metric: Metric, variant_id: str) -> Arms:
    """Return arms whose figures need more than moments: quantiles and the bootstrap."""
    found = []
    for arm_id in (evidence.definition.control, variant_id):
        evidence.total(metric, arm_id)
        try:
            found.append(evidence.computed.figure(metric.metric_id, arm_id))
        except AnalysisError as error:
            raise AnalysisError(f"{evidence.definition.variant(arm_id).label}: {error.message}") from None
    pair = independent_pair(found[0], found[1])
    if metric.inference != "bootstrap":
        return Arms(pair, smooth=False)
    resampled = (
        evidence.computed.resampled(metric.metric_id, evidence.definition.control),
        evidence.computed.resampled(metric.metric_id, variant_id),
    )
    return Arms(pair, smooth=False, resampled=resampled)


def variant_figures(evidence: AnalysisEvidence) -> tuple[VariantFigure, ...]:
    """Return every metric in every variant, without adjustment."""
    return tuple(
        _figure(evidence, metric, variant_id, units)
        for metric in evidence.definition.metrics
        for variant_id, units in evidence.units.items()
    )


def _figure(evidence: AnalysisEvidence, metric: Metric, variant_id: str, units: int) -> VariantFigure:
    totals: tuple[float | None, float | None] = (None, None)
    try:
        moments = evidence.total(metric, variant_id)
        if is_computed(metric):
            arm = evidence.computed.figure(metric.metric_id, variant_id)
        else:
            shape = evidence.shape(metric)
            arm = arm_figure(moments, shape.value)
            below = shape.value.denominator
            totals = (moments.total(0), None if below is None else moments.total(below))
    except AnalysisError as error:
        return VariantFigure(metric.metric_id, variant_id, units, reason=error.message)
    half = -float(stdtrit(arm.members - 1, evidence.definition.alpha / 2)) * arm.standard_error
    return VariantFigure(
        metric_id=metric.metric_id,
        variant_id=variant_id,
        members=arm.members,
        numerator_total=totals[0],
        denominator_total=totals[1],
        mean=arm.mean,
        standard_error=arm.standard_error,
        ci_lower=arm.mean - half,
        ci_upper=arm.mean + half,
    )


def imbalance_of(evidence: AnalysisEvidence) -> ImbalanceCheck | None:
    """Return whether the covariates differed before the experiment; ``None`` without covariates, and of a bandit.

    Members who come on other days differ, and where the allocation moves from day to day, so do its variants.
    """
    definition = evidence.definition
    if definition.allocation.kind == "thompson":
        return None
    found: dict[tuple[str, str], CovariateDifference] = {}
    for metric in evidence.by_moments():
        shapes = covariate_shapes(metric, clustered=evidence.statistics.clustered)
        covariates = {name: shape.value for name, shape in shapes}
        control = evidence.total(metric, definition.control)
        treated = {one.variant_id: evidence.total(metric, one.variant_id) for one in definition.treatments}
        for one in check_imbalance(control, treated, covariates).differences:
            found.setdefault((one.covariate, one.variant_id), one)
    return corrected_imbalance(list(found.values())) if found else None
