"""Results by segment, by day and by factor."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

from experiments.aggregates.cells import pooled
from experiments.analysis.comparison import Arms, MetricComparison, compare_arms, correct
from experiments.analysis.evidence import AnalysisEvidence
from experiments.analysis.figures import MOVED, daily_pairs, moment_pair
from experiments.analysis.result import DailyEffect, FactorEffect, NoveltyResult, SegmentResult
from experiments.definition import Factor, Metric, MetricRole
from experiments.errors import AnalysisError
from experiments.stats import Moments
from experiments.stats.factorial import adjusted_cells, interaction, main_effect
from experiments.stats.novelty import novelty

_ALL_ROLES = frozenset(MetricRole)


def segment_results(evidence: AnalysisEvidence) -> tuple[SegmentResult, ...]:
    """Return every metric and treatment in every segment, corrected within each column."""
    definition, statistics = evidence.definition, evidence.statistics
    found: list[SegmentResult] = []
    moved = definition.allocation.kind == "thompson"
    # A log has none of the columns by which a table would be broken down.
    for column in (name for name in definition.segments if name in statistics.segment_columns):
        keys: list[str] = []
        comparisons: list[MetricComparison] = []
        for metric in evidence.by_moments():
            control = statistics.by_segment(metric.metric_id, definition.control, column)
            for treatment in definition.treatments:
                treated = statistics.by_segment(metric.metric_id, treatment.variant_id, column)
                empty = pooled((), len(statistics.metrics[metric.metric_id].columns))
                for value in sorted(control.keys() | treated.keys()):
                    both = control.get(value, empty), treated.get(value, empty)
                    arms: Arms | AnalysisError = AnalysisError(
                        f"{MOVED}, and segments are not told apart by day"
                    )
                    if not moved:
                        arms = _segment_arms(evidence, metric, treatment.variant_id, both)
                    keys.append(value)
                    comparisons.append(compare_arms(definition, metric, treatment.variant_id, arms, None))
        corrected = correct(definition, comparisons, roles=_ALL_ROLES)
        found += [SegmentResult(column, value, one) for value, one in zip(keys, corrected, strict=True)]
    return tuple(found)


def _segment_arms(
    evidence: AnalysisEvidence, metric: Metric, variant_id: str, both: tuple[Moments, Moments]
) -> Arms | AnalysisError:
    try:
        return Arms(moment_pair(evidence, metric, variant_id, *both))
    except AnalysisError as error:
        return error


def daily_effects(evidence: AnalysisEvidence) -> tuple[DailyEffect, ...]:
    """Return the primary metric's effect by day of first exposure, where a day has enough units."""
    primary = evidence.definition.primary_metric
    if primary not in tuple(evidence.by_moments()):
        return ()
    return tuple(
        DailyEffect(
            primary.metric_id, treatment.variant_id, day, pair.units, pair.estimate, pair.standard_error
        )
        for treatment in evidence.definition.treatments
        for day, pair in daily_pairs(evidence, primary, treatment.variant_id).items()
    )


def novelty_results(evidence: AnalysisEvidence) -> tuple[NoveltyResult, ...]:
    """Return whether effects changed over the days of first exposure, for metrics with enough days."""
    found = []
    for metric in evidence.by_moments():
        for treatment in evidence.definition.treatments:
            pairs = daily_pairs(evidence, metric, treatment.variant_id)
            days = {(day - min(pairs)).days: pair for day, pair in pairs.items()}
            try:
                found.append(NoveltyResult(metric.metric_id, treatment.variant_id, novelty(days)))
            except AnalysisError:
                continue
    return tuple(found)


def factor_effects(evidence: AnalysisEvidence) -> tuple[FactorEffect, ...]:
    """Return main effects and two-way interactions of a factorial design, corrected within each metric."""
    definition = evidence.definition
    found: list[FactorEffect] = []
    if not definition.factors:
        return ()
    for metric in evidence.by_moments():
        effects = list(_effects(definition.factors))
        comparisons = [
            compare_arms(
                definition,
                metric,
                " and ".join(one.levels),
                _effect_arms(evidence, metric, one),
                definition.planned_units,
            )
            for one in effects
        ]
        corrected = correct(definition, comparisons, roles=_ALL_ROLES)
        found += [FactorEffect(one.name, one.levels, c) for one, c in zip(effects, corrected, strict=True)]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Effect:
    name: str
    factors: tuple[int, ...]
    compared: tuple[str, ...]
    bases: tuple[str, ...]
    levels: tuple[str, ...]


def _effects(factors: tuple[Factor, ...]) -> Iterator[_Effect]:
    """Yield the main effect of every level, and the interaction of every two, against the factors' first levels."""
    for count, name in ((1, "main"), (2, "interaction")):
        for chosen in combinations(range(len(factors)), count):
            for compared in product(*([level.level_id for level in factors[i].levels[1:]] for i in chosen)):
                yield _Effect(
                    name=name,
                    factors=chosen,
                    compared=compared,
                    bases=tuple(factors[i].levels[0].level_id for i in chosen),
                    levels=tuple(
                        f"{factors[i].factor_id}={one}" for i, one in zip(chosen, compared, strict=True)
                    ),
                )


def _effect_arms(evidence: AnalysisEvidence, metric: Metric, effect: _Effect) -> Arms | AnalysisError:
    levels = [[level.level_id for level in factor.levels] for factor in evidence.definition.factors]
    try:
        moments = {cell: evidence.total(metric, ".".join(cell)) for cell in product(*levels)}
        cells = adjusted_cells(moments, evidence.shape(metric))
        if effect.name == "main":
            return Arms(main_effect(cells, effect.factors[0], effect.compared[0], effect.bases[0]))
        first, second = effect.factors
        return Arms(
            interaction(
                cells,
                (first, second),
                (effect.compared[0], effect.compared[1]),
                (effect.bases[0], effect.bases[1]),
            )
        )
    except AnalysisError as error:
        return error
