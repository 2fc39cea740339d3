"""Runs the product's own analysis on random splits of a table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import kolmogorov

from experiments.aa_test.splits import random_arms, random_splits
from experiments.definition import ExperimentDefinition, Metric, MetricKind
from experiments.errors import AnalysisError
from experiments.planning import History, read_history
from experiments.simulation.judging import Judge, Judgement
from experiments.simulation.result import FEWEST_RUNS, MethodRate, MetricSimulation, Simulation, error_band
from experiments.stats import MetricShape, Moments, arm_figure

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
) -> Simulation:
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
                judgements: list[Judgement] = []
                random = np.random.default_rng([seed, index, place])
                for judgement in _judgements(settings, history.shape(metric), values, random):
                    judgements.append(judgement)
                    report(f"splitting {metric.name}", done + len(judgements), total)
                found.append(_summary(settings, one, values[:, 0], judgements))
            except AnalysisError as error:
                found.append(replace(one, refusal=error.message.rstrip(".")))
            done += runs
    return Simulation(definition.experiment_id, runs, looks, seed, effect, definition.alpha, tuple(found))


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


def _values(history: History, metric: Metric) -> Array:
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
) -> Iterator[Judgement]:
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
    settings: _Settings, one: MetricSimulation, values: Array, judgements: Sequence[Judgement]
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


def _rate(settings: _Settings, name: str, judgements: Sequence[Judgement]) -> MethodRate:
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
