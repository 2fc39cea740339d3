"""Compares a treatment with the control on one metric, by every method that the experiment asks for."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from experiments.definition import (
    AnalysisMethod,
    Correction,
    Direction,
    ExperimentDefinition,
    Metric,
    MetricRole,
)
from experiments.errors import AnalysisError
from experiments.stats import (
    Adjusted,
    Alternative,
    GroupSequentialLook,
    Interval,
    NonInferiority,
    PairEstimate,
    SequentialPlan,
    Spending,
    benjamini_hochberg,
    confidence_sequence,
    fixed_effect,
    group_sequential_interval,
    holm,
    no_interval,
    non_inferiority,
)
from experiments.stats import NonInferiorityMargin as StatsMargin
from experiments.stats.bayes import NormalPrior as StatsPrior
from experiments.stats.bayes import Posterior, posterior
from experiments.stats.bootstrap import ResampledArm, bootstrap_interval

NO_SEQUENCE = (
    "only figures that are smooth functions of means have an always-valid interval; this one has none"
)


@dataclass(frozen=True, slots=True)
class Arms:
    """What a metric's comparison reads.

    Attributes:
        pair: Control and treatment.
        smooth: Whether the figure is a smooth function of means, so that sequences hold for it.
        resampled: Control and treatment as the bootstrap sees them, in place of a formula.
    """

    pair: PairEstimate
    smooth: bool = True
    resampled: tuple[ResampledArm, ResampledArm] | None = None

    def fixed(self, alpha: float, alternative: Alternative) -> Interval:
        """Return the interval for one look."""
        if self.resampled is not None:
            try:
                return bootstrap_interval(*self.resampled, alpha, alternative)
            except AnalysisError as error:
                return no_interval(alpha, error.message)
        return fixed_effect(self.pair, alpha, alternative)


@dataclass(frozen=True, slots=True)
class MetricComparison:
    """One metric, one treatment against the control.

    Attributes:
        metric: The metric.
        variant_id: The treatment.
        control_id: What it is compared with.
        arms: The figures of control and treatment; ``None`` if nothing can be said.
        fixed: For one look, at the planned end.
        always_valid: For looking at any time.
        sequential: For the planned looks; ``None`` unless the experiment is group-sequential.
        adjusted: ``fixed`` at the alpha that the correction leaves, with the corrected p-value.
        decisive: What the decision rests on: the experiment's method at the corrected alpha.
        margin: Whether a guardrail is proven to be not worse than its margin; ``None`` without a margin.
        posterior: What is believed of the relative effect after the data; ``None`` without a relative effect.
        correction: How comparisons are corrected for each other, in words; empty if they are not.
        planned_units: Units of both arms at the planned end; ``None`` without a plan.
        refusal: Why there are no figures, or empty.
    """

    metric: Metric
    variant_id: str
    control_id: str
    arms: Arms | None = None
    fixed: Interval | None = None
    always_valid: Interval | None = None
    sequential: GroupSequentialLook | None = None
    adjusted: Interval | None = None
    decisive: Interval | None = None
    margin: NonInferiority | None = None
    posterior: Posterior | None = None
    correction: str = ""
    planned_units: int | None = None
    refusal: str = ""

    @property
    def pair(self) -> PairEstimate | None:
        """The figures; ``None`` if nothing can be said."""
        return None if self.arms is None else self.arms.pair

    @property
    def improved(self) -> bool:
        """Whether the treatment is proven to be better."""
        return self._proven(self.metric.direction is Direction.INCREASE)

    @property
    def harmed(self) -> bool:
        """Whether the treatment is proven to be worse."""
        return self._proven(self.metric.direction is Direction.DECREASE)

    def _proven(self, higher: bool) -> bool:
        if self.decisive is None:
            return False
        if higher:
            return self.decisive.ci_lower is not None and self.decisive.ci_lower > 0
        return self.decisive.ci_upper is not None and self.decisive.ci_upper < 0


def compare_arms(
    definition: ExperimentDefinition,
    metric: Metric,
    variant_id: str,
    arms: Arms | AnalysisError,
    planned_units: int | None,
) -> MetricComparison:
    """Return a comparison without correction for others.

    Args:
        definition: The experiment.
        metric: The metric.
        variant_id: The treatment, or what the effect is called.
        arms: The figures, or why there are none.
        planned_units: Units of both arms at the planned end; ``None`` without a plan.

    Returns:
        The comparison with the intervals of every method; without figures, its ``refusal`` says why.
    """
    if isinstance(arms, AnalysisError):
        return MetricComparison(metric, variant_id, definition.control, refusal=arms.message)
    alternative = Alternative(metric.alternative)
    found = MetricComparison(
        metric=metric,
        variant_id=variant_id,
        control_id=definition.control,
        arms=arms,
        fixed=arms.fixed(definition.alpha, alternative),
        always_valid=no_interval(definition.alpha, NO_SEQUENCE),
        adjusted=arms.fixed(definition.alpha, alternative),
        margin=_margin(definition, metric, arms, planned_units),
        posterior=_posterior(definition, arms.pair),
        planned_units=planned_units,
    )
    if arms.smooth:
        found = replace(found, always_valid=_always_valid(definition, found, definition.alpha))
        if definition.analysis.method is AnalysisMethod.GROUP_SEQUENTIAL and planned_units is not None:
            found = replace(found, sequential=_look(definition, found, definition.alpha))
    return replace(found, decisive=_by_method(definition, found, definition.alpha))


def correct(
    definition: ExperimentDefinition, comparisons: Sequence[MetricComparison], *, roles: frozenset[MetricRole]
) -> list[MetricComparison]:
    """Return comparisons with those of the given roles corrected for each other.

    Success metrics are corrected for each other, because any one of them can ship a treatment; guardrails and quality
    metrics are not, because all of them must hold (Schultzberg, Ankargren and Frånberg 2024,
    https://arxiv.org/abs/2402.11609, section 3).

    Args:
        definition: The experiment.
        comparisons: Of all metrics and treatments.
        roles: Roles of the metrics that form the family.

    Returns:
        All comparisons in the same order; those outside the family are unchanged.
    """
    family = [i for i, one in enumerate(comparisons) if one.metric.role in roles and one.fixed is not None]
    corrected = list(comparisons)
    if definition.correction is Correction.NONE or len(family) < 2:
        return corrected
    method = holm if definition.correction is Correction.HOLM else benjamini_hochberg
    label = f"{'Holm' if method is holm else 'Benjamini-Hochberg'} over {len(family)}"
    fixed = method([_p(comparisons[i].fixed) for i in family], definition.alpha)
    decisive = method([_p(comparisons[i].decisive) for i in family], definition.alpha)
    for place, i in enumerate(family):
        one = comparisons[i]
        adjusted = _corrected(one, fixed[place])
        deciding = replace(
            _by_method(definition, one, decisive[place].alpha), p_value=decisive[place].p_value
        )
        corrected[i] = replace(one, adjusted=adjusted, decisive=deciding, correction=label)
    return corrected


def _p(interval: Interval | None) -> float | None:
    return None if interval is None else interval.p_value


def _corrected(one: MetricComparison, adjusted: Adjusted) -> Interval | None:
    if one.arms is None or one.fixed is None or one.fixed.p_value is None:
        return one.fixed
    found = one.arms.fixed(adjusted.alpha, Alternative(one.metric.alternative))
    return replace(found, p_value=adjusted.p_value)


def _by_method(
    definition: ExperimentDefinition, one: MetricComparison, alpha: float, *, with_p_value: bool = True
) -> Interval:
    """Return the interval of the experiment's method at alpha, with the p-value before correction."""
    if one.arms is None or one.always_valid is None:
        return no_interval(alpha, one.refusal)
    if definition.analysis.method is AnalysisMethod.FIXED:
        return one.arms.fixed(alpha, Alternative(one.metric.alternative))
    if one.sequential is not None:
        return _look(definition, one, alpha, with_p_value=with_p_value).interval
    if one.always_valid.p_value is None:
        return one.always_valid
    return _always_valid(definition, one, alpha)


def excludes_zero(definition: ExperimentDefinition, one: MetricComparison) -> Callable[[PairEstimate], bool]:
    """Return whether the decision's interval would prove an effect, as a function of the figures."""
    assert one.decisive is not None
    alpha = one.decisive.alpha

    def excludes(pair: PairEstimate) -> bool:
        return _by_method(definition, replace(one, arms=Arms(pair)), alpha, with_p_value=False).excludes_zero

    return excludes


def planned_looks(definition: ExperimentDefinition, one: MetricComparison) -> list[int] | None:
    """Return the units of both arms at the planned looks; ``None`` unless the experiment is group-sequential."""
    if one.sequential is None or one.planned_units is None:
        return None
    looks = definition.analysis.looks
    return [math.ceil(one.planned_units * (i + 1) / looks) for i in range(looks)]


def planned_pair_units(definition: ExperimentDefinition, variant_id: str) -> int | None:
    """Return the units of a treatment and the control together at the planned end; ``None`` without a plan."""
    if definition.planned_units is None:
        return None
    weights = {variant.variant_id: variant.weight for variant in definition.variants}
    share = (weights[variant_id] + weights[definition.control]) / sum(weights.values())
    return max(2, round(definition.planned_units * share))


def _always_valid(definition: ExperimentDefinition, one: MetricComparison, alpha: float) -> Interval:
    assert one.arms is not None
    return confidence_sequence(
        one.arms.pair,
        alpha,
        one.planned_units,
        Alternative(one.metric.alternative),
        tuned_at=definition.alpha,
    )


def _look(
    definition: ExperimentDefinition, one: MetricComparison, alpha: float, *, with_p_value: bool = True
) -> GroupSequentialLook:
    assert one.arms is not None
    assert one.planned_units is not None
    settings = definition.analysis
    looks = tuple((i + 1) / settings.looks for i in range(settings.looks))
    plan = SequentialPlan(one.planned_units, looks, Spending(settings.spending), settings.phi)
    return group_sequential_interval(
        one.arms.pair,
        alpha,
        plan,
        alternative=Alternative(one.metric.alternative),
        tuned_at=definition.alpha,
        with_p_value=with_p_value,
    )


def _margin(
    definition: ExperimentDefinition, metric: Metric, arms: Arms, planned_units: int | None
) -> NonInferiority | None:
    if metric.margin is None:
        return None
    always_valid = definition.analysis.method is not AnalysisMethod.FIXED
    return non_inferiority(
        arms.pair,
        StatsMargin(absolute=metric.margin.absolute, relative=metric.margin.relative),
        definition.alpha,
        higher_is_better=metric.direction is Direction.INCREASE,
        always_valid=always_valid,
        planned_units=planned_units,
        method=_unknowable if always_valid and not arms.smooth else None,
    )


def _unknowable(_: PairEstimate, alpha: float, __: Alternative) -> Interval:
    return no_interval(alpha, NO_SEQUENCE)


def _posterior(definition: ExperimentDefinition, pair: PairEstimate) -> Posterior | None:
    prior = StatsPrior(float(definition.prior.prior_mean), float(definition.prior.prior_sd))
    try:
        return posterior(pair, prior, definition.alpha)
    except AnalysisError:
        return None
