"""What the methods say of one split."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from experiments.aa_test.splits import Arms
from experiments.definition import ExperimentDefinition, Metric
from experiments.errors import AnalysisError
from experiments.stats import (
    Alternative,
    Interval,
    MetricShape,
    PairEstimate,
    SequentialPlan,
    Spending,
    confidence_sequence,
    estimate_pair,
    fixed_effect,
    group_sequential_interval,
)
from experiments.stats.independent import independent_pair
from experiments.stats.quantile import quantile_estimate

Array = NDArray[np.float64]

PEEKING_METHODS = ("fixed-peeking", "always-valid", "group-sequential")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the methods say of one split.

    Attributes:
        p_value: Of the fixed test at the end; 1 if nothing varies.
        found: Whether each method found an effect, at any look.
        covers: Whether the fixed interval holds the true difference.
        covers_relative: Whether its relative interval holds the true effect; none if there is no such interval.
    """

    p_value: float
    found: dict[str, bool]
    covers: bool
    covers_relative: bool | None


@dataclass(frozen=True)
class Judge:
    """Analyses splits as an experiment is analysed.

    Attributes:
        definition: Alpha and the spending of group-sequential looks.
        metric: Its alternative, or which quantile it is.
        shape: How it is made of columns.
        looks: Evenly spaced.
        pair_units: Units of both arms at the last look.
        truth: The metric's figure over all units.
        effect: Relative, of every treated unit.
    """

    definition: ExperimentDefinition
    metric: Metric
    shape: MetricShape
    looks: int
    pair_units: int
    truth: float
    effect: float
    _plan: SequentialPlan = field(init=False)

    def __post_init__(self) -> None:
        settings = self.definition.analysis
        plan = SequentialPlan.evenly(self.pair_units, self.looks, Spending(settings.spending), settings.phi)
        object.__setattr__(self, "_plan", plan)

    def split(self, arms: Arms, run: int) -> Judgement:
        """Return what the methods say of a split that is looked at while it grows.

        Raises:
            AnalysisError: At the last look there are too few units.
        """
        found = dict.fromkeys(PEEKING_METHODS, False)
        for look in range(self.looks - 1):
            if all(found.values()):
                break
            try:
                pair = estimate_pair(*arms.moments(run, look, effect=self.effect), self.shape)
            except AnalysisError:  # so few units that an analysis would say nothing
                continue
            self._look(pair, found)
        pair = estimate_pair(*arms.moments(run, self.looks - 1, effect=self.effect), self.shape)
        self._look(pair, found)
        return self._at_the_end(fixed_effect(pair, self.definition.alpha, self._alternative), found)

    def quantile(self, control: Array, treatment: Array) -> Judgement:
        """Return what the fixed test says of a quantile.

        Raises:
            AnalysisError: There are too few units for the quantile.
        """
        assert self.metric.quantile is not None
        share = self.metric.quantile
        pair = independent_pair(
            quantile_estimate(control, share), quantile_estimate(treatment * (1 + self.effect), share)
        )
        return self._at_the_end(fixed_effect(pair, self.definition.alpha, self._alternative), {})

    @property
    def _alternative(self) -> Alternative:
        return Alternative(self.metric.alternative)

    def _look(self, pair: PairEstimate, found: dict[str, bool]) -> None:
        alpha, alternative = self.definition.alpha, self._alternative
        # Methods for many looks reach farther at each than the one for a single look: what it does not find, they do not.
        if not fixed_effect(pair, alpha, alternative).excludes_zero:
            return
        found["fixed-peeking"] = True
        if not found["always-valid"]:
            interval = confidence_sequence(pair, alpha, self.pair_units, alternative)
            found["always-valid"] = interval.excludes_zero
        if not found["group-sequential"]:
            look = group_sequential_interval(
                pair, alpha, self._plan, alternative=alternative, with_p_value=False
            )
            found["group-sequential"] = look.interval.excludes_zero

    def _at_the_end(self, interval: Interval, found: dict[str, bool]) -> Judgement:
        relative = (interval.relative_ci_lower, interval.relative_ci_upper)
        return Judgement(
            p_value=1.0 if interval.p_value is None else interval.p_value,
            found={"fixed": interval.excludes_zero, **found},
            covers=_holds(interval.ci_lower, self.effect * self.truth, interval.ci_upper),
            covers_relative=None
            if relative == (None, None)
            else _holds(relative[0], self.effect, relative[1]),
        )


def _holds(lower: float | None, truth: float, upper: float | None) -> bool:
    """Say whether the truth is between the ends; a one-sided interval is open at one of them."""
    return (lower is None or lower <= truth) and (upper is None or truth <= upper)
