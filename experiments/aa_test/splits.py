"""A table's units, split at random again and again.

What the methods say of one split.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from experiments.definition import ExperimentDefinition, Metric
from experiments.errors import AnalysisError
from experiments.stats import (
    Alternative,
    Interval,
    MetricShape,
    Moments,
    PairEstimate,
    SequentialPlan,
    Spending,
    confidence_sequence,
    estimate_pair,
    fixed_effect,
    group_sequential_interval,
)
from experiments.stats.figure import independent_pair
from experiments.stats.quantile import quantile_estimate

Array = NDArray[np.float64]

_RUNS_AT_ONCE = 50
# Rows whose variants are drawn at once: with 50 runs 20 MiB.
_ROWS_AT_ONCE = 50_000


@dataclass(frozen=True)
class SplitArms:
    """Many splits' arms at several looks.

    Attributes:
        counts: Units of each arm: runs x looks x arms.
        means: Of the columns: runs x looks x arms x columns.
        products: Of the columns' deviations: runs x looks x arms x columns x columns.
    """

    counts: NDArray[np.int64]
    means: Array
    products: Array

    def moments(self, run: int, look: int, *, effect: float = 0.0) -> tuple[Moments, Moments]:
        """Return control and treatment of one split at one look.

        Args:
            run: Number of the split.
            look: Number of the look.
            effect: Every treated unit's first column is so much larger, as a share.
        """
        at = (run, look)
        control, treatment = (
            Moments(count, tuple(means), tuple(map(tuple, products)))
            for count, means, products in zip(
                self.counts[at].tolist(), self.means[at].tolist(), self.products[at].tolist(), strict=True
            )
        )
        return control, scaled(treatment, 1 + effect) if effect else treatment


def scaled(moments: Moments, factor: float) -> Moments:
    """Return the moments with the first column multiplied by a factor."""
    means = (moments.means[0] * factor, *moments.means[1:])
    products = np.array(moments.products)
    products[0] *= factor
    products[:, 0] *= factor
    return Moments(moments.count, means, tuple(map(tuple, products.tolist())))


def random_splits(
    values: Array, *, pair_units: int, share: float, looks: int, runs: int, random: np.random.Generator
) -> Iterator[SplitArms]:
    """Yield the arms of random splits, several splits at a time.

    Every few splits the units come in a new order, of which the first are in either of the two arms; each falls to
    the treatment by a throw of its own, as assignment does it.

    Args:
        values: One row per unit.
        pair_units: Units of both arms together.
        share: Of them, those in the treatment.
        looks: Evenly spaced looks while the units arrive.
        runs: Splits.
        random: Source of chance.
    """
    centre = values.mean(axis=0)
    ends = np.rint(np.arange(1, looks + 1) * pair_units / looks).astype(np.int64)
    for first in range(0, runs, _RUNS_AT_ONCE):
        at_once = min(_RUNS_AT_ONCE, runs - first)
        order = random.permutation(len(values))[:pair_units]
        yield _split(values, order, centre, ends, (share, at_once), random)


def _split(  # noqa: PLR0917
    values: Array,
    order: NDArray[np.int64],
    centre: Array,
    ends: NDArray[np.int64],
    draw: tuple[float, int],
    random: np.random.Generator,
) -> SplitArms:
    share, runs = draw
    width = len(centre)
    upper = np.triu_indices(width)
    counts = np.zeros((runs, len(ends), 2), dtype=np.int64)
    sums = np.zeros((runs, len(ends), 2, width + len(upper[0])))
    start = 0
    for look, end in enumerate(ends.tolist()):
        for begin in range(start, end, _ROWS_AT_ONCE):
            rows = values[order[begin : min(end, begin + _ROWS_AT_ONCE)]] - centre
            rows = np.concatenate([rows, rows[:, upper[0]] * rows[:, upper[1]]], axis=1)
            treated = random.random((runs, len(rows)), dtype=np.float32) < share
            in_treatment = treated.sum(axis=1)
            counts[:, look, 1] += in_treatment
            counts[:, look, 0] += len(rows) - in_treatment
            of_treatment = treated.astype(np.float64) @ rows
            sums[:, look, 1] += of_treatment
            sums[:, look, 0] += rows.sum(axis=0) - of_treatment
        start = end
    return _arms(centre, counts.cumsum(axis=1), sums.cumsum(axis=1))


def _arms(centre: Array, counts: NDArray[np.int64], sums: Array) -> SplitArms:
    """Return the arms of sums of deviations from a centre, and of these deviations' products."""
    width = len(centre)
    upper = np.triu_indices(width)
    some = np.maximum(counts, 1)[..., None]
    slips = sums[..., :width]
    products = np.empty((*counts.shape, width, width))
    products[..., upper[0], upper[1]] = products[..., upper[1], upper[0]] = sums[..., width:]
    products -= slips[..., :, None] * slips[..., None, :] / some[..., None]
    return SplitArms(counts, centre + slips / some, products)


def random_arms(
    values: Array, pair_units: int, share: float, runs: int, random: np.random.Generator
) -> Iterator[tuple[Array, Array]]:
    """Yield the values themselves of control and treatment, in random splits.

    Args:
        values: float64[n, columns].
        pair_units: Units of both variants together.
        share: Of the treatment, in (0, 1).
        runs: How many splits.
        random: Random numbers.
    """
    for _ in range(runs):
        pair = values if pair_units == len(values) else random.choice(values, pair_units, replace=False)
        treated = random.random(len(pair), dtype=np.float32) < share
        yield pair[~treated], pair[treated]


PEEKING_METHODS = ("fixed-peeking", "always-valid", "group-sequential")


@dataclass(frozen=True, slots=True)
class SplitJudgement:
    """What the methods say of one split.

    Attributes:
        p_value: Of the fixed test at the end; 1 if nothing varies.
        found: Whether each method found an effect, at any look.
        covers: Whether the fixed interval holds the true difference.
        covers_relative: Whether its relative interval holds the true effect; ``None`` if there is no such interval.
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

    def split(self, arms: SplitArms, run: int) -> SplitJudgement:
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

    def quantile(self, control: Array, treatment: Array) -> SplitJudgement:
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

    def _at_the_end(self, interval: Interval, found: dict[str, bool]) -> SplitJudgement:
        relative = (interval.relative_ci_lower, interval.relative_ci_upper)
        return SplitJudgement(
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
