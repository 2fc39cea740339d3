"""Sample ratio mismatch: did the units arrive in the planned proportions?

Pre-period imbalance: did the variants differ before the treatment began?
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtrc, gammaln, logsumexp

from experiments.errors import AnalysisError
from experiments.stats.figure import MetricShape, Quantity, estimate_pair
from experiments.stats.fixed_horizon import fixed_effect
from experiments.stats.moments import Moments

ALARM_BELOW = 0.01
"""Always-valid p-value: of healthy experiments at most this share ever alarms, over any number of looks."""

WARNING_BELOW = 0.01
"""Chi-squared p-value: worth a look, but of healthy experiments seen daily for four weeks 7 % come here."""

ONE_LOOK_ALARM_BELOW = 0.001
"""Chi-squared p-value at which a table without days, that is seen once, raises the alarm too."""

_SMALLEST_EXPECTED = 5
# How sure the Bayes factor is that a mismatch would be small; the mean over several finds large ones early and small
# ones late, and is as valid as each.
_CONCENTRATIONS = (10.0, 100.0, 1_000.0, 10_000.0, 100_000.0)


@dataclass(frozen=True, slots=True)
class SrmCheck:
    """Tests of the units per variant against the planned weights.

    Attributes:
        p_value: Pearson's chi-squared: chance of proportions at least this far off if all is well, for one look; none
            if it cannot be told.
        alarm: Whether the proportions cannot be chance, so that no comparison can be trusted.
        expected: Units per variant by plan, given their total.
        reason: Why there is no p-value, or what is wrong beyond the proportions; or empty.
        always_valid_p: As the p-value, but for any number of looks; ``None`` if there are not two variants.
        warning: Whether the chi-squared test alone makes the proportions suspicious.
    """

    p_value: float | None
    alarm: bool
    expected: Mapping[str, float]
    reason: str = ""
    always_valid_p: float | None = None
    warning: bool = False


def check_sample_ratio(
    counts: Mapping[str, int],
    weights: Mapping[str, int],
    counts_by_day: Sequence[Mapping[str, int]] | None = None,
) -> SrmCheck:
    """Test the units per variant against the plan.

    The always-valid p-value is one over a Bayes factor, and the smallest so far: the multinomial likelihood of the
    weights against its mean over Dirichlet distributions around them (Lindon and Malek,
    https://arxiv.org/abs/2011.03567). With days the alarm is its alone: chi-squared below 0.001, looked at daily,
    alarms for 1 to 3 % of healthy experiments. Without days there is one look, and chi-squared below 0.001 alarms too.

    Args:
        counts: Units found; a variant that is not there has none.
        weights: Planned weights of all variants, not negative; a variant without weight must have no units.
        counts_by_day: Units up to and with each day, in the order of days. Without it, this is the first look.

    Returns:
        The p-values, and whether they are an alarm.
    """
    total, whole = sum(counts.values()), sum(weights.values())
    open_ids = [variant_id for variant_id, weight in weights.items() if weight > 0]
    expected = {
        variant_id: total * weight / whole if whole else 0.0 for variant_id, weight in weights.items()
    }
    strays = {variant_id: n for variant_id, n in counts.items() if n and not weights.get(variant_id)}
    if strays:
        found = ", ".join(f"{n} in {variant_id}" for variant_id, n in strays.items())
        return SrmCheck(
            p_value=0.0,
            alarm=True,
            expected=expected,
            reason=f"there are units in variants that get none by plan: {found}",
            always_valid_p=0.0,
            warning=True,
        )
    if len(open_ids) < 2:
        return SrmCheck(
            p_value=None, alarm=False, expected=expected, reason="fewer than two variants get units"
        )
    shares = np.array([weights[variant_id] / whole for variant_id in open_ids])
    days = np.array([[day.get(v, 0) for v in open_ids] for day in counts_by_day or ()], dtype=np.float64)
    now = np.array([counts.get(variant_id, 0) for variant_id in open_ids], dtype=np.float64)
    seen = np.vstack([days.reshape(-1, len(open_ids)), now])
    always_valid = min(1.0, math.exp(-float(_log_bayes_factors(seen, shares).max())))
    smallest = min(expected[variant_id] for variant_id in open_ids)
    p_value, reason, one_look = None, "", counts_by_day is None
    if smallest < _SMALLEST_EXPECTED:
        reason = (
            f"too few members: the smallest variant should have {smallest:.1f}, and the test needs"
            f" {_SMALLEST_EXPECTED}"
        )
    else:
        p_value = float(
            chdtrc(len(open_ids) - 1, float(((now - total * shares) ** 2 / (total * shares)).sum()))
        )
    return SrmCheck(
        p_value=p_value,
        alarm=always_valid <= ALARM_BELOW
        or (one_look and p_value is not None and p_value < ONE_LOOK_ALARM_BELOW),
        expected=expected,
        reason=reason,
        always_valid_p=always_valid,
        warning=p_value is not None and p_value < WARNING_BELOW,
    )


def _log_bayes_factors(counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the log of the Bayes factor against the shares, for each row of cumulative counts."""
    total = counts.sum(axis=1)
    planned = counts @ np.log(shares)
    each = [
        gammaln(c) - gammaln(total + c) + (gammaln(counts + c * shares) - gammaln(c * shares)).sum(axis=1)
        for c in _CONCENTRATIONS
    ]
    return np.asarray(logsumexp(each, axis=0) - math.log(len(each)) - planned)


IMBALANCE_ALARM_BELOW = 0.001
"""Of the corrected p-value: one healthy experiment in a thousand alarms, however many covariates it has."""


@dataclass(frozen=True, slots=True)
class CovariateDifference:
    """How a covariate differs between the control and a treatment.

    Attributes:
        covariate: Its name.
        variant_id: The treatment.
        difference: Treatment minus control; ``None`` if a figure is missing.
        p_value: Welch's, two-sided, before correction; ``None`` if there is none.
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
        p_value: The smallest corrected one; ``None`` if no difference has any.
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

    Returns:
        The differences, and whether they are an alarm.
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
    return ImbalanceCheck(differences, p_value, alarm=p_value is not None and p_value < IMBALANCE_ALARM_BELOW)


def _difference(
    control: Moments, treatment: Moments, variant_id: str, name: str, quantity: Quantity
) -> CovariateDifference:
    try:
        pair = estimate_pair(control, treatment, MetricShape(quantity))
    except AnalysisError as error:
        return CovariateDifference(name, variant_id, reason=error.message)
    interval = fixed_effect(pair, IMBALANCE_ALARM_BELOW)
    return CovariateDifference(
        name, variant_id, pair.estimate, interval.p_value, reason=interval.reasons.get("p_value", "")
    )
