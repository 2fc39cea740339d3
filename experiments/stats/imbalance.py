"""Pre-period imbalance: did the variants differ before the treatment began?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from experiments.errors import AnalysisError
from experiments.stats.figure import MetricShape, Quantity, estimate_pair
from experiments.stats.fixed_horizon import fixed_effect
from experiments.stats.moments import Moments

ALARM_BELOW = 0.001
"""Of the corrected p-value: one healthy experiment in a thousand alarms, however many covariates it has."""


@dataclass(frozen=True, slots=True)
class CovariateDifference:
    """How a covariate differs between the control and a treatment.

    Attributes:
        covariate: Its name.
        variant_id: The treatment.
        difference: Treatment minus control; none if a figure is missing.
        p_value: Welch's, two-sided, before correction; none if there is none.
        adjusted_p_value: After Bonferroni's correction over all differences that have one.
        reason: Why figures are missing, or empty.
    """

    covariate: str
    variant_id: str
    difference: float | None = None
    p_value: float | None = None
    adjusted_p_value: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ImbalanceCheck:
    """The differences of all covariates.

    Attributes:
        differences: By treatment and covariate, in the order given.
        p_value: The smallest corrected one; none if no difference has any.
        alarm: Whether the variants differed before the treatment began, so that a comparison cannot be trusted.
    """

    differences: tuple[CovariateDifference, ...]
    p_value: float | None
    alarm: bool


def check_imbalance(
    control: Moments, treatments: Mapping[str, Moments], covariates: Mapping[str, Quantity]
) -> ImbalanceCheck:
    """Compare what was known of the units before the treatment.

    Args:
        control: Moments of the control's columns.
        treatments: Moments of the same columns, by variant.
        covariates: What to compare, by name.
    """
    found = [
        _difference(control, treatment, variant_id, name, quantity)
        for variant_id, treatment in treatments.items()
        for name, quantity in covariates.items()
    ]
    return corrected_imbalance(found)


def corrected_imbalance(found: Sequence[CovariateDifference]) -> ImbalanceCheck:
    """Return differences, for example of several metrics' covariates, corrected for each other."""
    known = sum(one.p_value is not None for one in found)
    differences = tuple(
        replace(one, adjusted_p_value=None if one.p_value is None else min(1.0, one.p_value * known))
        for one in found
    )
    adjusted = [one.adjusted_p_value for one in differences if one.adjusted_p_value is not None]
    p_value = min(adjusted, default=None)
    return ImbalanceCheck(differences, p_value, alarm=p_value is not None and p_value < ALARM_BELOW)


def _difference(
    control: Moments, treatment: Moments, variant_id: str, name: str, quantity: Quantity
) -> CovariateDifference:
    try:
        pair = estimate_pair(control, treatment, MetricShape(quantity))
    except AnalysisError as error:
        return CovariateDifference(name, variant_id, reason=error.message)
    interval = fixed_effect(pair, ALARM_BELOW)
    return CovariateDifference(
        name, variant_id, pair.estimate, interval.p_value, reason=interval.reasons.get("p_value", "")
    )
