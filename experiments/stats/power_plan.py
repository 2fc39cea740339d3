"""What a planned experiment is like: the metric, the effect hoped for, and the test."""

import math
from dataclasses import dataclass
from enum import StrEnum

from experiments.errors import AnalysisError
from experiments.stats.figure import MetricShape, estimate_pair
from experiments.stats.interval import Alternative, check_level
from experiments.stats.moments import Moments
from experiments.stats.non_inferiority import Margin
from experiments.stats.spending import Spending


class PowerMethod(StrEnum):
    """The tests that can be planned."""

    FIXED = "fixed"
    GROUP_SEQUENTIAL = "group-sequential"
    ALWAYS_VALID = "always-valid"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is known of the metric before the experiment.

    Attributes:
        mean: The metric without treatment.
        variance: Per unit, positive.
        units_per_day: Units of the whole experiment that come per day; none if unknown.
    """

    mean: float
    variance: float
    units_per_day: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and 0 < self.variance < math.inf):
            raise AnalysisError(
                f"the metric's mean is {self.mean:g} and its variance {self.variance:g}; a plan needs a finite mean"
                " and a positive variance"
            )


@dataclass(frozen=True, slots=True)
class TargetEffect:
    """The true effect that is planned for.

    Attributes:
        size: Treatment minus control, or relative to the control (0.02 is 2 % more); negative for a fall.
        relative: Whether the size is relative.
    """

    size: float
    relative: bool = False


NO_EFFECT = TargetEffect(0.0)


@dataclass(frozen=True, slots=True)
class PowerPlan:
    """The test that is planned.

    Attributes:
        alpha: Accepted error of all comparisons together, in (0, 1).
        power: Wanted chance to find the effect, in (0, 1).
        control_share: Share of the experiment's units under control.
        treatment_share: Share under the treatment.
        alternative: Which effects are looked for; ignored with a margin.
        comparisons: Metrics times treatments that share alpha: each is planned at the first step of Holm's
            correction, ``alpha / comparisons``.
        method: The test.
        looks: Group sequential: planned looks as shares of the units, the last 1.
        spending: Group sequential: the spending function.
        phi: Group sequential: exponent of the power spending function.
        tuned_units: Always valid: units of both arms that the sequence is tuned to; none for those of the horizon.
        margin: With it, non-inferiority is tested.
        higher_is_better: With a margin: whether a fall of the metric is the deterioration.
    """

    alpha: float = 0.05
    power: float = 0.8
    control_share: float = 0.5
    treatment_share: float = 0.5
    alternative: Alternative = Alternative.TWO_SIDED
    comparisons: int = 1
    method: PowerMethod = PowerMethod.FIXED
    looks: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    spending: Spending = Spending.OBRIEN_FLEMING
    phi: float = 2.0
    tuned_units: int | None = None
    margin: Margin | None = None
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        check_level(self.alpha, self.direction)
        if not 0 < self.power < 1:
            raise ValueError(f"power is {self.power:g}; it must lie between 0 and 1")
        if min(self.control_share, self.treatment_share) <= 0 or self.both_shares > 1 + 1e-9:
            raise ValueError(
                f"the arms' shares are {self.control_share:g} and {self.treatment_share:g}; both must be positive,"
                " and together at most 1"
            )
        if self.comparisons < 1:
            raise ValueError(f"comparisons is {self.comparisons}; there is at least one")

    @property
    def direction(self) -> Alternative:
        """The alternative that is tested."""
        if self.margin is None:
            return self.alternative
        return Alternative.GREATER if self.higher_is_better else Alternative.LESS

    @property
    def both_shares(self) -> float:
        """Share of the units that are in either of the two arms."""
        return self.control_share + self.treatment_share


def baseline_of(moments: Moments, shape: MetricShape, units_per_day: float | None = None) -> Baseline:
    """Return the baseline that units of the past give: residual variance with covariates, delta method for ratios.

    Raises:
        AnalysisError: The moments give no figure, or nothing varies.
    """
    # Taken as both arms, the units have the slopes of one.
    pair = estimate_pair(moments, moments, shape)
    return Baseline(pair.control_mean, pair.own_variances[0] * moments.count, units_per_day)
