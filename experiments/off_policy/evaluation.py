"""The value of a policy beside that of the logging one, and whether the log supports the difference.

The overlap of the two policies, the weights, tells how much a log says of another policy; below a minimum the evaluation is refused.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from scipy.special import ndtr

from experiments.number_format import confidence
from experiments.off_policy.estimators import LoggedChoices, PolicyEstimate, PredictedRewards, estimate_values
from experiments.stats.estimate import Estimate, mean_estimate
from experiments.uplift.result import estimate_json

MIN_EFFECTIVE = 100.0
"""Rows that a mean must effectively rest on: with fewer, normal intervals of skewed rewards do not hold."""
MIN_EFFECTIVE_SHARE = 0.01
"""Below a hundredth of the log a handful of large weights decides."""
MIN_REWARDS = 50
"""Rows with a reward and a weight above 0: with fewer, a rate is not known to a quarter of itself."""
_MEAN_WEIGHT_CHANCE = 0.001


@dataclass(frozen=True, slots=True)
class Overlap:
    """What the weights of an evaluation look like.

    Attributes:
        rows: In the log.
        mean_weight: Which is 1 on average if propensities are right and every choice of the policy could be logged.
        mean_weight_p: Chance of a mean that far from 1.
        effective_rows: Kish (1965): (Σ w)² / Σ w².
        largest_weight: Of a row.
        agreeing_share: Rows where the policy could have chosen what was chosen.
        rewarded: Rows with a reward that is not 0 among them.
        refusal: Why no value is believed, in a sentence; empty if one is.
        warning: What else is wrong; empty if nothing.
    """

    rows: int
    mean_weight: float
    mean_weight_p: float
    effective_rows: float
    largest_weight: float
    agreeing_share: float
    rewarded: int
    refusal: str
    warning: str


def overlap_of(logged: LoggedChoices) -> Overlap:
    """Return what a log's weights say."""
    weights, n = logged.weights, len(logged)
    total, squares = float(weights.sum()), float(weights @ weights)
    effective = total**2 / squares if squares else 0.0
    mean = total / n
    spread = float(weights.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    p = 2 * float(ndtr(-abs(mean - 1) / spread)) if spread else float(abs(mean - 1) < 1e-9)
    agreeing = weights > 0
    rewarded = int((agreeing & (logged.reward != 0)).sum())
    warning = ""
    if p < _MEAN_WEIGHT_CHANCE:
        warning = (
            f"The mean weight is {mean:.3g}, which should be 1 (chance {p:.1g}): propensities are wrong, or the policy chooses what was never"
            " logged."
        )
    return Overlap(
        n,
        mean,
        p,
        effective,
        float(weights.max()),
        float(agreeing.mean()),
        rewarded,
        _refusal(effective, rewarded, n, agreeing_share=float(agreeing.mean())),
        warning,
    )


def _refusal(effective: float, rewarded: int, rows: int, *, agreeing_share: float) -> str:
    if agreeing_share == 0:
        return "The policy never chooses what was logged, so the log says nothing of it."
    floor = max(MIN_EFFECTIVE, MIN_EFFECTIVE_SHARE * rows)
    if effective < floor:
        return (
            f"The log says too little of this policy: {rows:,} rows count as {effective:,.0f}, at least {np.ceil(floor):,.0f} are needed"
            f" ({100 * agreeing_share:.3g} % of the choices could have been its own)."
        )
    if rewarded < MIN_REWARDS:
        return (
            f"The value rests on {rewarded} rewards; at least {MIN_REWARDS} are needed to compare policies."
        )
    return ""


class PolicyVerdict(StrEnum):
    """What to make of it."""

    GAIN = "gain"
    LOSS = "loss"
    NO_DIFFERENCE_SHOWN = "no_difference_shown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PositionValue:
    """The value at one position of a slate.

    Attributes:
        position: From 1.
        rows: In the log.
        on_policy: What the logging policy earned there.
        value: What the evaluated one would have, by inverse propensities.
    """

    position: int
    rows: int
    on_policy: Estimate
    value: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class PolicyEvaluation:
    """The evaluation of a policy.

    Attributes:
        policy: What was evaluated, in words.
        on_policy: Mean reward of the log.
        values: By all estimators.
        chosen: The estimator that the verdict rests on: ``dr`` with a model of rewards that saw features, else ``ips``.
        difference: Its value minus the log's, row by row.
        overlap: The weights.
        positions: By position of a slate; ``None`` without positions.
        verdict: What to make of it.
        sentence: The same in words.
        alpha: Accepted error of the intervals.
    """

    policy: str
    on_policy: Estimate
    values: tuple[PolicyEstimate, ...]
    chosen: str
    difference: Estimate
    overlap: Overlap
    positions: tuple[PositionValue, ...]
    verdict: PolicyVerdict
    sentence: str
    alpha: float

    @property
    def chosen_value(self) -> PolicyEstimate:
        """The chosen estimator's."""
        return next(one for one in self.values if one.estimator == self.chosen)

    @property
    def value(self) -> Estimate:
        """What the policy would have earned, by the chosen estimator."""
        return self.chosen_value.value

    def relative_of(self, one: PolicyEstimate) -> float | None:
        """Return an estimator's value over what the log earned; ``None`` where that is 0, or the value is not known."""
        mean = self.on_policy.value
        return one.value.value / mean if mean and math.isfinite(one.value.value) else None


def evaluate_policy(
    logged: LoggedChoices,
    predicted: PredictedRewards | None,
    policy: str,
    *,
    informed: bool = False,
    alpha: float = 0.05,
) -> PolicyEvaluation:
    """Evaluate a policy on a log.

    In a slate every position's item is judged on its own (the item-position model of Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay & Wen 2018),
    and values are means over all rows.

    Args:
        logged: The log.
        predicted: What a model of rewards expects; ``None`` without one.
        policy: What is evaluated, in words.
        informed: Whether that model saw features; then the verdict rests on it.
        alpha: Accepted error of each interval.

    Returns:
        The estimates, the difference from the logged policy, the overlap and the verdict.
    """
    values = estimate_values(logged, predicted, alpha=alpha)
    chosen = "dr" if predicted is not None and informed else "ips"
    influence = next(one.influence for one in values if one.estimator == chosen)
    assert influence is not None
    on_policy, overlap = mean_estimate(logged.reward, alpha=alpha), overlap_of(logged)
    difference = mean_estimate(influence - logged.reward, alpha=alpha)
    verdict = _verdict(difference, overlap)
    return PolicyEvaluation(
        policy=policy,
        on_policy=on_policy,
        values=values,
        chosen=chosen,
        difference=difference,
        overlap=overlap,
        positions=_positions(logged, alpha),
        verdict=verdict,
        sentence=_sentence(policy, difference, overlap, verdict, alpha),
        alpha=alpha,
    )


def _verdict(difference: Estimate, overlap: Overlap) -> PolicyVerdict:
    if overlap.refusal or overlap.warning:
        return PolicyVerdict.REFUSED
    if difference.above_zero:
        return PolicyVerdict.GAIN
    return PolicyVerdict.LOSS if difference.below_zero else PolicyVerdict.NO_DIFFERENCE_SHOWN


def _sentence(
    policy: str, difference: Estimate, overlap: Overlap, verdict: PolicyVerdict, alpha: float
) -> str:
    if verdict is PolicyVerdict.REFUSED:
        return " ".join(part for part in (overlap.refusal, overlap.warning) if part)
    between = f"{difference.lower:+.4g} to {difference.upper:+.4g}, {confidence(alpha)} sure"
    amount = f"{difference.value:+.4g} a row against what the log did ({between})"
    if verdict is PolicyVerdict.NO_DIFFERENCE_SHOWN:
        return f"{policy} is not shown to earn more or less: {amount}."
    return f"{policy} would earn {'more' if verdict is PolicyVerdict.GAIN else 'less'}: {amount}."


def _positions(logged: LoggedChoices, alpha: float) -> tuple[PositionValue, ...]:
    if logged.position is None:
        return ()
    found = []
    for position in np.unique(logged.position).tolist():
        there = logged.rows(logged.position == position)
        found.append(
            PositionValue(
                position,
                len(there),
                mean_estimate(there.reward, alpha=alpha),
                mean_estimate(there.weights * there.reward, alpha=alpha),
            )
        )
    return tuple(found)


DEFINITIONS = {
    "weight": "probability of the evaluated policy for the logged action / propensity of the logging policy",
    "effective_rows": "(sum of weights)^2 / sum of squared weights (Kish)",
    "ips": "mean(weight * reward)",
    "clipped_ips": "mean(min(weight, sqrt(rows)) * reward)",
    "snips": "sum(weight * reward) / sum(weight)",
    "dm": "mean of predicted rewards under the policy; never with an interval",
    "dr": "mean(predicted under the policy + weight * (reward - predicted))",
    "sndr": "mean(predicted under the policy) + sum(weight * (reward - predicted)) / sum(weight)",
    "switch_dr": "as dr, but weights above a threshold are left to the model",
    "refused_below": f"{MIN_EFFECTIVE:g} effective rows, {MIN_EFFECTIVE_SHARE:.0%} of the rows, or {MIN_REWARDS} rewards",
}


def policy_document(found: PolicyEvaluation) -> dict[str, Any]:
    """Return an evaluation as plain values."""
    overlap = found.overlap
    return {
        "policy": found.policy,
        "verdict": found.verdict.value,
        "sentence": found.sentence,
        "estimator": found.chosen_value.estimator,
        "value": estimate_json(found.value),
        "on_policy": estimate_json(found.on_policy),
        "relative_value": found.relative_of(found.chosen_value),
        "difference": estimate_json(found.difference),
        "estimators": {
            one.estimator: (
                {"estimate": one.value.value, "note": one.note}
                if one.influence is None
                else {**estimate_json(one.value), "relative_value": found.relative_of(one), "note": one.note}
            )
            for one in found.values
        },
        "weights": {
            "rows": overlap.rows,
            "mean": overlap.mean_weight,
            "mean_p_value": overlap.mean_weight_p,
            "largest": overlap.largest_weight,
            "effective_rows": overlap.effective_rows,
            "agreeing_share": overlap.agreeing_share,
            "rewarded_rows": overlap.rewarded,
        },
        "positions": [
            {
                "position": one.position,
                "rows": one.rows,
                "on_policy": estimate_json(one.on_policy),
                "ips": estimate_json(one.value),
            }
            for one in found.positions
        ],
        "level": found.alpha,
        "definitions": dict(DEFINITIONS),
    }


def policy_lines(found: PolicyEvaluation) -> str:
    """Return an evaluation for a terminal: the verdict, then the figures that it rests on."""
    overlap = found.overlap
    lines = [f"{found.verdict.value.replace('_', ' ')}: {found.sentence}"]
    lines.append(
        f"The log earned {found.on_policy.value:.4g} a row ({found.on_policy.lower:.4g} to {found.on_policy.upper:.4g});"
        f" {overlap.rows:,} rows count as {overlap.effective_rows:,.0f}, mean weight {overlap.mean_weight:.3f}, largest"
        f" {overlap.largest_weight:.3g}, {100 * overlap.agreeing_share:.3g} % could have been the policy's own."
    )
    for one in found.values:
        interval = "" if one.influence is None else f" ({one.value.lower:.4g} to {one.value.upper:.4g})"
        mark = "*" if one is found.chosen_value else " "
        lines.append(
            f" {mark}{one.estimator:<12}{one.value.value:.5g}{interval}{f'; {one.note}' if one.note else ''}"
        )
    lines += [
        f"  position {one.position}: log {one.on_policy.value:.4g}, policy {one.value.value:.4g}"
        f" ({one.value.lower:.4g} to {one.value.upper:.4g})"
        for one in found.positions
    ]
    return "\n".join(lines)
