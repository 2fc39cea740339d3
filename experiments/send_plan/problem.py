"""The problem of a send plan: its limits, its audience, its trial, and how policies are compared on that trial."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from experiments.errors import AnalysisError
from experiments.stats.estimate import Estimate, estimate_of, mean_estimate
from experiments.uplift.trial import Floats, Ints


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """What a plan may use.

    Attributes:
        budget: Money, at least 0; infinite without a limit. It limits the expected cost.
        sends: Most members who get an arm; ``None`` without a limit.
        caps: Most members who get one arm, by the arm's position among the arms other than the control, from 0.
        min_roi: Least net gain per 1 of cost of the whole plan, at least 0; ``None`` without a limit.
    """

    budget: float = math.inf
    sends: int | None = None
    caps: Mapping[int, int] = field(default_factory=dict)
    min_roi: float | None = None

    def __post_init__(self) -> None:
        """Check that each limit can be kept.

        Raises:
            AnalysisError: A limit is negative or not a number.
        """
        if not self.budget >= 0:
            raise AnalysisError(f"The budget is {self.budget:g}; give an amount of at least 0.")
        if self.sends is not None and self.sends < 0:
            raise AnalysisError(f"The number of sends is {self.sends}; give at least 0.")
        for count in self.caps.values():
            if count < 0:
                raise AnalysisError(f"The cap of an arm is {count}; give at least 0.")
        if self.min_roi is not None and not 0 <= self.min_roi < math.inf:
            raise AnalysisError(f"The minimum return is {self.min_roi:g}; give a number of at least 0.")

    @property
    def counted(self) -> bool:
        """Whether members are counted, not only money."""
        return self.sends is not None or bool(self.caps)

    def less(self, cost: float, sends_by_arm: Mapping[int, int]) -> "PlanLimits":
        """Return what is left after some sends; nothing is left below 0.

        Args:
            cost: What they cost.
            sends_by_arm: How many there were of each arm other than the control, from 0.
        """
        sent = sum(sends_by_arm.values())
        return replace(
            self,
            budget=max(self.budget - cost, 0.0),
            sends=None if self.sends is None else max(self.sends - sent, 0),
            caps={arm: max(cap - sends_by_arm.get(arm, 0), 0) for arm, cap in self.caps.items()},
        )

    def share(self, part: float) -> "PlanLimits":
        """Return the limits of a part of the members: each amount and count in proportion, counts rounded down."""
        return replace(
            self,
            budget=self.budget * part,
            sends=None if self.sends is None else int(self.sends * part),
            caps={arm: int(cap * part) for arm, cap in self.caps.items()},
        )


MIN_EFFECTIVE = 100
"""Members, counted at equal weights, that must have had the arms that a policy gives; below, its value is not judged."""


PAIRS_MET_TWICE = math.sqrt(2)
"""What the error of a cross-fitted policy is multiplied by where effects do not differ. What a fold is given then rests on the noise of the
other folds alone, so that the noises of two members of different folds meet twice, and the variance of such a sum of pairs is
twice the formula's. Measured with the product's learner on 100 trials without any effect: intervals of 95 % held the truth in 84 %
without this."""


@dataclass(frozen=True, slots=True)
class PolicyComparison:
    """What a policy earns more than another one, per member of the list.

    Attributes:
        robust: Net margin per member by doubly robust scores.
        weighted: The same by inverse-propensity scores alone, which use no model.
        effective: Members of the trial at equal weights that speak for the other policy (``effective_members``).
    """

    robust: Estimate
    weighted: Estimate
    effective: float


@dataclass(frozen=True, slots=True, eq=False)
class ScoredArms:
    """A trial whose arms are scored in net margin.

    Attributes:
        robust: float64[n, arms], doubly robust scores, the control first.
        weighted: float64[n, arms], inverse-propensity scores.
        arm: int64[n], the arm each member had.
        propensity: float64[n], the probability with which the member had it.
    """

    robust: Floats
    weighted: Floats
    arm: Ints
    propensity: Floats


def effective_members(chances: Floats, arm: Ints, propensity: Floats) -> float:
    """Return how many equally weighted members a policy's weights are worth; 0 where nobody had what it gives.

    Kish (1965), *Survey Sampling*, section 11.7: the squared sum of weights over the sum of their squares, a weight being the policy's
    chance of the arm that the member had over the trial's.

    Args:
        chances: float64[n, arms].
        arm: int64[n].
        propensity: float64[n], in (0, 1].

    Returns:
        The number, at most the members of the trial.
    """
    weights = chances[np.arange(len(arm)), arm] / propensity
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def compare(
    policy: Floats, other: Floats, scored: ScoredArms, *, alpha: float = 0.05, inflation: float = 1.0
) -> PolicyComparison:
    """Return what a policy earns more than another, member by member, so that what they agree on makes no noise.

    The value of a policy is the mean over members of its chances times the scores (Dudík, Langford & Li 2011); the error of a
    difference is that of the mean of the members' own differences.

    Args:
        policy: float64[n, arms].
        other: float64[n, arms].
        scored: The trial that both are valued on.
        alpha: The accepted error of each interval.
        inflation: What errors are multiplied by.

    Returns:
        Mean difference per member, by doubly robust and by weighted scores, with the effective number of members behind it.
    """
    more = policy - other
    return PolicyComparison(
        robust=inflated_mean((more * scored.robust).sum(axis=1), alpha, inflation),
        weighted=inflated_mean((more * scored.weighted).sum(axis=1), alpha, inflation),
        effective=effective_members(other, scored.arm, scored.propensity),
    )


def compare_with_trial(
    policy: Floats, net: Floats, scored: ScoredArms, *, alpha: float = 0.05, inflation: float = 1.0
) -> PolicyComparison:
    """Return what a policy earns more than the trial did: than what its members really brought.

    Args:
        policy: float64[n, arms].
        net: float64[n], net margin that each member brought.
        scored: The trial.
        alpha: The accepted error of each interval.
        inflation: What errors are multiplied by.

    Returns:
        Mean difference per member, by doubly robust and by weighted scores, with the effective number of members behind it.
    """
    return PolicyComparison(
        robust=inflated_mean((policy * scored.robust).sum(axis=1) - net, alpha, inflation),
        weighted=inflated_mean((policy * scored.weighted).sum(axis=1) - net, alpha, inflation),
        effective=float(len(net)),
    )


def inflated_mean(values: Floats, alpha: float, inflation: float) -> Estimate:
    """Return the mean of one number per member, its error multiplied.

    Args:
        values: float64[n].
        alpha: The accepted error.
        inflation: The factor; 1 leaves the error as it is.

    Returns:
        The mean with Student's interval.
    """
    plain = mean_estimate(values, alpha=alpha)
    if inflation == 1 or not plain.standard_error > 0:
        return plain
    return estimate_of(
        plain.value, inflation * plain.standard_error, alpha=alpha, degrees_of_freedom=len(values) - 1
    )


@dataclass(frozen=True, slots=True, eq=False)
class Audience:
    """Members a list is made for, with what is predicted for each.

    Attributes:
        members: Ids, n of them.
        gains: float64[n, K], predicted net gain of each arm over the control, margin less cost, by which arms are chosen; for members
            of the trial by models that did not see them.
        costs: float64[n, K], expected cost of each arm: per send, and per response times its probability.
        response: float64[n, K], predicted response to each arm: what a response model ranks by.
        rule: int64[n], the arm that somebody's own rule gives, 0 the control; ``None`` without a rule.
        expected: float64[n, K], what is expected of each arm, calibrated; the gains themselves if none. Where effects are not shown to
            differ, the gains are what personalising would go by, and this is the average.
    """

    members: pl.Series
    gains: Floats
    costs: Floats
    response: Floats
    rule: Ints | None = None
    expected: Floats | None = None

    def __post_init__(self) -> None:
        """Check that there is a number for every member and arm.

        Raises:
            AnalysisError: Shapes differ, or a number is missing or infinite.
        """
        n = len(self.members)
        for name in ("gains", "costs", "response"):
            values = getattr(self, name)
            if values.ndim != 2 or values.shape != (n, self.gains.shape[1]):
                raise AnalysisError(f"The {name} have the shape {values.shape}; a row per member is needed.")
            if not np.isfinite(values).all():
                raise AnalysisError(f"The {name} hold a missing or infinite number; every one must be known.")

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.members)

    @property
    def expected_gains(self) -> Floats:
        """float64[n, K], what is expected of each arm."""
        return self.gains if self.expected is None else self.expected


@dataclass(frozen=True, slots=True, eq=False)
class PlanProblem:
    """A trial with what was learned from it, and what may be spent.

    Attributes:
        arms: Names, the control first.
        audience: The members of the trial.
        scored: Their scores, in net margin.
        net: float64[n], the net margin that each member brought: margin less the cost of the arm.
        predicted: float64[n, arms], net margin predicted for each arm by models that did not see the member.
        limits: For a list of the trial's members.
        smallest_gain: The smallest gain worth having, money per member; a tenth of the control's standard deviation if none.
        differ: Whether effects differ measurably between members: the heterogeneity gate.
        distrust: Why the trial is not to be trusted, a sentence each; empty where it is.
        random_share: How much of a list is left to chance, in [0, 1).
        seed: Of that chance.
        alpha: The accepted error of each interval.
    """

    arms: Sequence[str]
    audience: Audience
    scored: ScoredArms
    net: Floats
    predicted: Floats
    limits: PlanLimits
    smallest_gain: float | None = None
    differ: bool = True
    distrust: Sequence[str] = field(default=())
    random_share: float = 0.05
    seed: int = 0
    alpha: float = 0.05

    def __post_init__(self) -> None:
        """Check what no trial allows.

        Raises:
            AnalysisError: There is no arm beside the control, an arm has nobody, or a number is out of its range.
        """
        if len(self.arms) < 2:
            raise AnalysisError(
                "The trial has one arm only; a plan needs a control and an arm that can be sent."
            )
        counts = np.bincount(self.scored.arm, minlength=len(self.arms))
        empty = [arm for arm, count in zip(self.arms, counts, strict=True) if count < 2]
        if empty:
            raise AnalysisError(
                f"Fewer than two members of the trial had {', '.join(empty)}; every arm needs some."
            )
        if self.smallest_gain is not None and not 0 < self.smallest_gain < np.inf:
            raise AnalysisError(
                f"The smallest gain worth having is {self.smallest_gain:g}; give an amount above 0."
            )
        if not 0 <= self.random_share < 1:
            raise AnalysisError(f"The random share is {self.random_share:g}; give one from 0 to below 1.")

    @property
    def counts(self) -> Ints:
        """int64[arms], members of the trial by arm."""
        return np.bincount(self.scored.arm, minlength=len(self.arms)).astype(np.int64)

    @property
    def worth_having(self) -> float:
        """The smallest gain worth having, money per member."""
        if self.smallest_gain is not None:
            return self.smallest_gain
        spread = float(self.net[self.scored.arm == 0].std(ddof=1))
        return 0.1 * spread if spread > 0 else 1e-9
