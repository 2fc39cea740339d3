"""Estimators of a policy's value, each with the standard error of its influence values.

With weights ``w`` = evaluated policy's probability / logging propensity, rewards ``r``, predicted rewards ``q`` of what was chosen and
``v`` under the evaluated policy:

=========== ==================================================  =====================================================
ips         mean(w r)                                           Horvitz & Thompson (1952)
clipped_ips mean(min(w, M) r)                                   Ionides (2008), with M = √n
snips       Σ w r / Σ w                                         Swaminathan & Joachims (2015)
dm          mean(v)                                             the direct method; no error: its bias is not known
dr          mean(v + w (r − q))                                 Dudík, Langford & Li (2011)
sndr        mean(v) + Σ w (r − q) / Σ w                         Thomas & Brunskill (2016), section 5, as normalised there
switch_dr   mean(v + w (r − q) [w ≤ τ])                         Wang, Agarwal & Dudík (2017), section 4
=========== ==================================================  =====================================================
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.errors import AnalysisError
from experiments.stats.estimate import Estimate, estimate_of
from experiments.uplift.trial import Floats


@dataclass(frozen=True, slots=True, eq=False)
class LoggedChoices:
    """Logged choices, one row each; of a slate one row per position.

    Attributes:
        reward: float64[n], what came of each.
        propensity: float64[n], in (0, 1], with which the logging policy chose what it chose.
        chance: float64[n], in [0, 1], with which the evaluated policy would have chosen the same there.
        position: int64[n], the position in a slate, from 1; ``None`` where answers have one.
    """

    reward: Floats
    propensity: Floats
    chance: Floats
    position: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if not len(self.reward):
            raise AnalysisError("The log has no rows.")
        if not np.isfinite(self.reward).all():
            raise AnalysisError("The log has rewards that are not numbers.")
        if not ((self.propensity > 0) & (self.propensity <= 1)).all():
            raise AnalysisError("The log has propensities outside (0, 1].")
        if not ((self.chance >= 0) & (self.chance <= 1)).all():
            raise AnalysisError("The policy has probabilities outside [0, 1].")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.reward)

    @property
    def weights(self) -> Floats:
        """float64[n], how much likelier the evaluated policy is to choose what was chosen."""
        return self.chance / self.propensity

    def rows(self, chosen: npt.NDArray[np.bool_]) -> "LoggedChoices":
        """Return some of the rows."""
        position = None if self.position is None else self.position[chosen]
        return LoggedChoices(self.reward[chosen], self.propensity[chosen], self.chance[chosen], position)


@dataclass(frozen=True, slots=True, eq=False)
class PredictedRewards:
    """What a model of rewards expects, by models that did not see the row's own reward.

    Attributes:
        logged: float64[n], of the action that was chosen.
        under_policy: float64[n], of the evaluated policy: the sum over actions of its probability times the expected reward.
    """

    logged: Floats
    under_policy: Floats


_THRESHOLDS = 20


@dataclass(frozen=True, slots=True, eq=False)
class PolicyEstimate:
    """One estimator's value of a policy.

    Attributes:
        estimator: Its name.
        value: With its interval; without one for the direct method.
        influence: float64[n], values whose mean is the estimate, to compare row by row; none for the direct method.
        note: A remark, such as where weights were clipped; may be empty.
    """

    estimator: str
    value: Estimate
    influence: Floats | None
    note: str = ""


def estimate_values(
    logged: LoggedChoices, predicted: PredictedRewards | None, *, alpha: float = 0.05
) -> tuple[PolicyEstimate, ...]:
    """Return all estimators that the log allows; those with a model of rewards only where there is one.

    Args:
        logged: The log.
        predicted: What a model expects; ``None`` without one.
        alpha: Accepted error of each interval.

    Returns:
        One estimate per estimator, in the order of the module's table.
    """
    found = [_ips(logged, alpha), _clipped(logged, alpha), _snips(logged, alpha)]
    if predicted is not None:
        found += [
            _direct(predicted),
            _dr(logged, predicted, alpha),
            _sndr(logged, predicted, alpha),
            _switch(logged, predicted, alpha),
        ]
    return tuple(found)


def _valued(name: str, influence: Floats, alpha: float, note: str = "") -> PolicyEstimate:
    n = len(influence)
    error = float(influence.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return PolicyEstimate(name, estimate_of(float(influence.mean()), error, alpha=alpha), influence, note)


def _ips(logged: LoggedChoices, alpha: float) -> PolicyEstimate:
    return _valued("ips", logged.weights * logged.reward, alpha)


def _clipped(logged: LoggedChoices, alpha: float) -> PolicyEstimate:
    most = math.sqrt(len(logged))
    weights = logged.weights
    cut = weights > most
    lost = np.maximum(weights - most, 0.0)
    largest = float(np.abs(logged.reward).max())
    note = (
        f"{int(cut.sum()):,} weights above {most:.4g} were cut; that moves the value by at most {float(lost.mean()) * largest:.4g}"
        if cut.any()
        else f"no weight is above {most:.4g}, so it equals ips"
    )
    return _valued("clipped_ips", np.minimum(weights, most) * logged.reward, alpha, note)


def _snips(logged: LoggedChoices, alpha: float) -> PolicyEstimate:
    weights = logged.weights
    mean = float(weights.mean())
    if mean == 0:
        return PolicyEstimate(
            "snips", estimate_of(math.nan, math.nan), None, "the policy chooses nothing that was logged"
        )
    value = float(weights @ logged.reward) / weights.sum()
    return _valued("snips", value + weights * (logged.reward - value) / mean, alpha)


def _direct(predicted: PredictedRewards) -> PolicyEstimate:
    estimate = estimate_of(float(predicted.under_policy.mean()), math.nan)
    return PolicyEstimate(
        "dm",
        estimate,
        None,
        "a number without an interval: how wrong the model of rewards is cannot be seen from it",
    )


def _dr(logged: LoggedChoices, predicted: PredictedRewards, alpha: float) -> PolicyEstimate:
    return _valued("dr", predicted.under_policy + logged.weights * (logged.reward - predicted.logged), alpha)


def _sndr(logged: LoggedChoices, predicted: PredictedRewards, alpha: float) -> PolicyEstimate:
    weights, left = logged.weights, logged.reward - predicted.logged
    mean = float(weights.mean())
    if mean == 0:
        return PolicyEstimate(
            "sndr", estimate_of(math.nan, math.nan), None, "the policy chooses nothing that was logged"
        )
    correction = float(weights @ left) / weights.sum()
    return _valued("sndr", predicted.under_policy + correction + weights * (left - correction) / mean, alpha)


def _switch(logged: LoggedChoices, predicted: PredictedRewards, alpha: float) -> PolicyEstimate:
    """Give up weights above the threshold whose variance, and squared bound on the bias, is least (their section 4.2)."""
    weights, left = logged.weights, logged.reward - predicted.logged
    largest = float(np.abs(logged.reward).max())
    best, least, chosen = predicted.under_policy + weights * left, math.inf, math.inf
    for threshold in np.unique(np.quantile(weights, np.linspace(0, 1, _THRESHOLDS))):
        kept = weights <= threshold
        influence = predicted.under_policy + np.where(kept, weights * left, 0.0)
        bias = largest * float(weights[~kept].sum()) / len(weights)
        risk = float(influence.var(ddof=1)) / len(weights) + bias**2 if len(weights) > 1 else math.inf
        if risk < least:
            best, least, chosen = influence, risk, float(threshold)
    given_up = int((weights > chosen).sum())
    note = (
        f"{given_up:,} weights above {chosen:.4g} were left to the model"
        if given_up
        else "no weight was left to the model"
    )
    return _valued("switch_dr", best, alpha, note)
