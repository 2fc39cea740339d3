"""What a policy would have earned, beside what the logging one did, and whether the difference can be believed."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from experiments.number_format import confidence
from experiments.off_policy.estimators import Value, estimate_values
from experiments.off_policy.logged import Logged, Predicted
from experiments.off_policy.overlap import Overlap, overlap_of
from experiments.uplift.estimate import Estimate, mean_estimate


class Verdict(StrEnum):
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
        positions: By position of a slate; none without positions.
        verdict: What to make of it.
        sentence: The same in words.
        level: Accepted error of the intervals.
    """

    policy: str
    on_policy: Estimate
    values: tuple[Value, ...]
    chosen: str
    difference: Estimate
    overlap: Overlap
    positions: tuple[PositionValue, ...]
    verdict: Verdict
    sentence: str
    level: float

    @property
    def chosen_value(self) -> Value:
        """The chosen estimator's."""
        return next(one for one in self.values if one.estimator == self.chosen)

    @property
    def value(self) -> Estimate:
        """What the policy would have earned, by the chosen estimator."""
        return self.chosen_value.value

    def relative_of(self, one: Value) -> float | None:
        """Return an estimator's value over what the log earned; none where that is 0, or the value is not known."""
        mean = self.on_policy.estimate
        return one.value.estimate / mean if mean and math.isfinite(one.value.estimate) else None


def evaluate_policy(
    logged: Logged, predicted: Predicted | None, policy: str, *, informed: bool = False, level: float = 0.05
) -> PolicyEvaluation:
    """Evaluate a policy on a log.

    In a slate every position's item is judged on its own (the item-position model of Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay & Wen 2018),
    and values are means over all rows.

    Args:
        logged: The log.
        predicted: What a model of rewards expects; none without one.
        policy: What is evaluated, in words.
        informed: Whether that model saw features; then the verdict rests on it.
        level: Accepted error of each interval.
    """
    values = estimate_values(logged, predicted, level=level)
    chosen = "dr" if predicted is not None and informed else "ips"
    influence = next(one.influence for one in values if one.estimator == chosen)
    assert influence is not None
    on_policy, overlap = mean_estimate(logged.reward, level=level), overlap_of(logged)
    difference = mean_estimate(influence - logged.reward, level=level)
    verdict = _verdict(difference, overlap)
    return PolicyEvaluation(
        policy=policy,
        on_policy=on_policy,
        values=values,
        chosen=chosen,
        difference=difference,
        overlap=overlap,
        positions=_positions(logged, level),
        verdict=verdict,
        sentence=_sentence(policy, difference, overlap, verdict, level),
        level=level,
    )


def _verdict(difference: Estimate, overlap: Overlap) -> Verdict:
    if overlap.refusal or overlap.warning:
        return Verdict.REFUSED
    if difference.above_zero:
        return Verdict.GAIN
    return Verdict.LOSS if difference.below_zero else Verdict.NO_DIFFERENCE_SHOWN


def _sentence(policy: str, difference: Estimate, overlap: Overlap, verdict: Verdict, level: float) -> str:
    if verdict is Verdict.REFUSED:
        return " ".join(part for part in (overlap.refusal, overlap.warning) if part)
    between = f"{difference.lower:+.4g} to {difference.upper:+.4g}, {confidence(level)} sure"
    amount = f"{difference.estimate:+.4g} a row against what the log did ({between})"
    if verdict is Verdict.NO_DIFFERENCE_SHOWN:
        return f"{policy} is not shown to earn more or less: {amount}."
    return f"{policy} would earn {'more' if verdict is Verdict.GAIN else 'less'}: {amount}."


def _positions(logged: Logged, level: float) -> tuple[PositionValue, ...]:
    if logged.position is None:
        return ()
    found = []
    for position in np.unique(logged.position).tolist():
        there = logged.rows(logged.position == position)
        found.append(
            PositionValue(
                position,
                len(there),
                mean_estimate(there.reward, level=level),
                mean_estimate(there.weights * there.reward, level=level),
            )
        )
    return tuple(found)
