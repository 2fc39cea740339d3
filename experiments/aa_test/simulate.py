"""Runs the product's own analysis on random splits of a table.

What an A/A simulation found, in figures and in a sentence.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import kolmogorov

from experiments.aa_test.splits import Judge, SplitJudgement, random_arms, random_splits
from experiments.definition import ExperimentDefinition, Metric, MetricKind
from experiments.display import Displayed
from experiments.errors import AnalysisError
from experiments.planning import PastUnits, read_history
from experiments.stats import MetricShape, Moments, arm_figure

FEWEST_RUNS = 100
"""With fewer splits no rate could be told from another."""
# Below this the p-values are not uniform by chance.
_NOT_UNIFORM = 0.001
# Standard errors of a rate: 99.9 % of simulations are within them if the method errs as often as it says.
_BAND = 3.29
_HEAVY = 0.02


@dataclass(frozen=True, slots=True)
class MethodRate:
    """How often a method found an effect.

    Attributes:
        method: ``fixed``, ``fixed-peeking``, ``always-valid`` or ``group-sequential``.
        looks: At each split.
        rate: Share of the splits in which any look was significant.
        low: Lower end of the band in which the rate lies in 99.9 % of simulations if the method errs as often as it
            says; zero for methods that may err less often.
        high: Upper end.
        sound: Whether the method keeps its word; none for the mistake of peeking at a test for one look, and for a
            simulated effect, which shall be found.
    """

    method: str
    looks: int
    rate: float
    low: float
    high: float
    sound: bool | None


@dataclass(frozen=True, slots=True)
class MetricSimulation:
    """One metric, one treatment's share.

    Attributes:
        metric_id: The metric.
        name: What people call it.
        variant_ids: Treatments of this share; they all behave alike.
        units: Units of both arms.
        rates: By method.
        uniformity: Kolmogorov-Smirnov p-value of the fixed test's p-values against the uniform distribution; none
            with an effect.
        coverage: Share of the splits whose fixed interval holds the true difference.
        relative_coverage: The same for the relative effect; ``None`` if there is no relative interval.
        largest_share: Share of the metric's variance that its most extreme unit makes up alone.
        capped: Whether the metric is winsorised.
        refusal: Why there is nothing, or empty.
    """

    metric_id: str
    name: str
    variant_ids: tuple[str, ...]
    units: int = 0
    rates: tuple[MethodRate, ...] = ()
    uniformity: float | None = None
    coverage: float | None = None
    relative_coverage: float | None = None
    largest_share: float | None = None
    capped: bool = False
    refusal: str = ""

    def rate(self, method: str) -> MethodRate | None:
        """Return the rate of a method; ``None`` if it was not simulated."""
        return next((one for one in self.rates if one.method == method), None)

    @property
    def sound(self) -> bool | None:
        """Whether all methods keep their word and p-values are uniform; ``None`` if that was not simulated."""
        judged = [one.sound for one in self.rates if one.sound is not None]
        if not judged:
            return None
        return all(judged) and (self.uniformity is None or self.uniformity > _NOT_UNIFORM)


@dataclass(frozen=True, slots=True, repr=False)
class AATest(Displayed):
    """An A/A simulation, or A/B with a known effect.

    Attributes:
        experiment_id: The definition's.
        runs: Random splits.
        looks: At each of them.
        seed: Of the random numbers.
        effect: Relative effect that was put in; zero for A/A.
        alpha: Accepted error.
        metrics: Every metric and share.
    """

    experiment_id: str
    runs: int
    looks: int
    seed: int
    effect: float
    alpha: float
    metrics: tuple[MetricSimulation, ...]

    @property
    def sound(self) -> bool:
        """Whether no metric is out of order."""
        return all(one.sound is not False for one in self.metrics)

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON document."""
        document = asdict(self)
        for metric, one in zip(document["metrics"], self.metrics, strict=True):
            metric["sound"] = one.sound
            metric["sentence"] = self.sentence(one)
        return document | {"sound": self.sound}

    def summary(self) -> str:
        """Return one sentence per metric: whether the methods keep their error rates on this table."""
        return "\n".join(self.sentence(one) for one in self.metrics)

    def label(self, one: MetricSimulation) -> str:
        """Return a metric's name, with the variants where these have several shares."""
        several = sum(other.metric_id == one.metric_id for other in self.metrics) > 1
        return f"{one.name} ({', '.join(one.variant_ids)})" if several else one.name

    def sentence(self, one: MetricSimulation) -> str:
        """Return what was found of a metric, in plain words."""
        fixed, name = one.rate("fixed"), self.label(one)
        if one.refusal or fixed is None:
            return f"{name}: not simulated; {one.refusal}."
        level = f"{100 * self.alpha:g} %"
        share = f"{_percent(fixed.rate)} of {self.runs:,}"
        if self.effect:
            always = one.rate("always-valid")
            while_peeking = f", {_percent(always.rate)} by the always-valid test" if always else ""
            return (
                f"{name}: {share} splits with an effect of {100 * self.effect:+g} % significant at {level}"
                f"{while_peeking}; the interval held the truth in {_percent(one.coverage or 0.0)}."
            )
        found = f"{name}: {share} A/A splits significant at {level}"
        if not fixed.sound:
            return (
                f"{found}, outside {_percent(fixed.low)} to {_percent(fixed.high)}: this metric's formula cannot be"
                f" trusted on your data.{self._advice(one)}"
            )
        if one.uniformity is not None and one.uniformity <= _NOT_UNIFORM:
            return (
                f"{found}, but its p-values are not uniform (p = {one.uniformity:.1g}): this metric's formula cannot be"
                f" trusted on your data.{self._advice(one)}"
            )
        failing = [rate for rate in one.rates if rate.sound is False]
        if failing:
            names = " and ".join(
                f"{_percent(rate.rate)} while looked at {rate.looks} times by the {rate.method} method"
                for rate in failing
            )
            return f"{found}, but {names}: do not peek at this metric.{self._advice(one)}"
        return f"{found}: in order."

    @staticmethod
    def _advice(one: MetricSimulation) -> str:
        if one.largest_share is not None and one.largest_share > _HEAVY and not one.capped:
            return (
                f" One unit alone makes up {_percent(one.largest_share)} of its variance; winsorise it, with bounds in"
                " the definition."
            )
        return (
            " Its values are too rare or too extreme for so few units; wait for more, or take another metric."
        )


def error_band(alpha: float, runs: int) -> tuple[float, float]:
    """Return where the rate of a method that errs as often as it says lies in 99.9 % of simulations."""
    margin = _BAND * math.sqrt(alpha * (1 - alpha) / runs)
    return max(0.0, alpha - margin), min(1.0, alpha + margin)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


Array = NDArray[np.float64]
Report = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def simulate(
    definition: ExperimentDefinition,
    table: pl.LazyFrame,
    *,
    runs: int = 1_000,
    looks: int = 20,
    seed: int = 1,
    effect: float = 0.0,
    report: Report = lambda _what, _done, _total: None,
) -> AATest:
    """Split a table's units at random into the variants, again and again, and analyse each split.

    Nothing differs between the variants, so that every finding is an error (A/A); with an effect, every treated unit's
    value (a ratio's numerator) is so much larger, and findings are right. Variants that the table names are ignored.

    Args:
        definition: Metrics, weights, alpha and group-sequential spending.
        table: One row per unit.
        runs: Random splits, at least 100.
        looks: At each split, evenly spaced while its units arrive in random order.
        seed: Of the random numbers; the same seed gives the same result.
        effect: Relative.
        report: Told about the progress.

    Returns:
        How often each method found something, by metric.

    Raises:
        AnalysisError: The table cannot be read as the definition says, or there are too few runs.
    """
    if runs < FEWEST_RUNS:
        raise AnalysisError(
            f"{runs} splits are too few to tell a rate; simulate at least {FEWEST_RUNS}", runs=str(runs)
        )
    shares = _shares(definition)
    history = read_history(definition, table, list(definition.metrics))
    total, done = runs * len(definition.metrics) * len(shares), 0
    found = []
    for index, metric in enumerate(definition.metrics):
        for place, share in enumerate(shares):
            settings = _Settings(definition, metric, share, runs, looks, effect)
            one = MetricSimulation(metric.metric_id, metric.name, share.variant_ids)
            try:
                values = _values(history, metric)
                judgements: list[SplitJudgement] = []
                random = np.random.default_rng([seed, index, place])
                for judgement in _judgements(settings, history.shape(metric), values, random):
                    judgements.append(judgement)
                    report(f"splitting {metric.name}", done + len(judgements), total)
                found.append(_summary(settings, one, values[:, 0], judgements))
            except AnalysisError as error:
                found.append(replace(one, refusal=error.message.rstrip(".")))
            done += runs
    return AATest(definition.experiment_id, runs, looks, seed, effect, definition.alpha, tuple(found))


@dataclass(frozen=True, slots=True)
class _Share:
    """Treatments with the same weight, both arms' share of all units, and the treatment's share of these."""

    variant_ids: tuple[str, ...]
    of_all: float
    of_pair: float


@dataclass(frozen=True, slots=True)
class _Settings:
    definition: ExperimentDefinition
    metric: Metric
    share: _Share
    runs: int
    looks: int
    effect: float


def _values(history: PastUnits, metric: Metric) -> Array:
    if metric.inference == "bootstrap":
        raise AnalysisError("the bootstrap of every split would take hours")
    if metric.kind is MetricKind.QUANTILE and history.definition.cluster_column:
        raise AnalysisError("quantiles of clustered units are not split")
    values = history.values(metric)
    if not len(values):
        raise AnalysisError("no unit has a value")
    return values


def _judgements(
    settings: _Settings, shape: MetricShape, values: Array, random: np.random.Generator
) -> Iterator[SplitJudgement]:
    """Yield what the methods say of each split."""
    metric, share = settings.metric, settings.share
    units = round(len(values) * share.of_all)
    quantile = metric.quantile if metric.kind is MetricKind.QUANTILE else None
    truth = (
        arm_figure(Moments.of(*values.T), shape.value).mean
        if quantile is None
        else float(np.quantile(values[:, 0], quantile))
    )
    judge = Judge(settings.definition, metric, shape, settings.looks, units, truth, settings.effect)
    if quantile is not None:
        for arms in random_arms(values[:, 0], units, share.of_pair, settings.runs, random):
            yield judge.quantile(*arms)
        return
    for splits in random_splits(
        values,
        pair_units=units,
        share=share.of_pair,
        looks=settings.looks,
        runs=settings.runs,
        random=random,
    ):
        for run in range(len(splits.counts)):
            yield judge.split(splits, run)


def _summary(
    settings: _Settings, one: MetricSimulation, values: Array, judgements: Sequence[SplitJudgement]
) -> MetricSimulation:
    relative = [judgement.covers_relative for judgement in judgements]
    away = (values - values.mean()) ** 2
    return replace(
        one,
        units=round(len(values) * settings.share.of_all),
        rates=tuple(_rate(settings, name, judgements) for name in judgements[0].found),
        uniformity=None if settings.effect else _uniformity([judgement.p_value for judgement in judgements]),
        coverage=float(np.mean([judgement.covers for judgement in judgements])),
        relative_coverage=None if None in relative else float(np.mean(np.array(relative, dtype=bool))),
        largest_share=float(away.max() / away.sum()) if away.any() else None,
        capped=settings.metric.winsorize is not None,
    )


def _rate(settings: _Settings, name: str, judgements: Sequence[SplitJudgement]) -> MethodRate:
    rate = float(np.mean([judgement.found[name] for judgement in judgements]))
    low, high = error_band(settings.definition.alpha, settings.runs)
    if name != "fixed":
        low = 0.0
    judged = not settings.effect and name != "fixed-peeking"
    looks = 1 if name == "fixed" else settings.looks
    return MethodRate(name, looks, rate, low, high, low <= rate <= high if judged else None)


def _uniformity(p_values: Sequence[float]) -> float:
    """Return the Kolmogorov-Smirnov p-value against the uniform distribution, for many values."""
    ordered, count = np.sort(p_values), len(p_values)
    steps = np.arange(count + 1) / count
    distance = max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max())
    return float(kolmogorov(np.sqrt(count) * distance))


def _shares(definition: ExperimentDefinition) -> list[_Share]:
    weights = {variant.variant_id: variant.weight for variant in definition.variants}
    control, whole = weights[definition.control], sum(weights.values())
    alike: dict[int, list[str]] = {}
    for treatment in definition.treatments:
        if treatment.weight:
            alike.setdefault(treatment.weight, []).append(treatment.variant_id)
    if not control or not alike:
        raise AnalysisError("the control or every treatment has weight 0, so that there is nothing to split")
    return [
        _Share(tuple(names), (control + weight) / whole, weight / (control + weight))
        for weight, names in alike.items()
    ]
