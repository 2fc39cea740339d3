"""From sufficient statistics to the result: every figure is computed here, from these statistics alone.

Results by segment, by day and by factor.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import combinations, product

from experiments.aggregates.cells import pooled
from experiments.analysis.comparison import Arms, MetricComparison, compare_arms, correct, planned_pair_units
from experiments.analysis.decision import decide, progress_of
from experiments.analysis.diagnostics import Diagnostics, MultipleExposures, multiple_exposures
from experiments.analysis.evidence import AnalysisEvidence
from experiments.analysis.figures import (
    MOVED,
    arms_of,
    daily_pairs,
    imbalance_of,
    moment_pair,
    variant_figures,
)
from experiments.analysis.money import money_effects
from experiments.analysis.result import (
    DailyEffect,
    ExperimentResult,
    FactorEffect,
    NoveltyResult,
    SegmentResult,
    mismatch_sentence,
)
from experiments.definition import ExperimentDefinition, Factor, Metric, MetricRole
from experiments.errors import AnalysisError
from experiments.number_format import count_of
from experiments.stats import Moments, SrmCheck, check_sample_ratio
from experiments.stats.factorial import adjusted_cells, interaction, main_effect
from experiments.stats.novelty import novelty
from experiments.stats.srm import WARNING_BELOW, ImbalanceCheck

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


SUCCESS = frozenset({MetricRole.SUCCESS})


def evaluate(
    evidence: AnalysisEvidence, diagnostics: Diagnostics, today: date | None = None
) -> ExperimentResult:
    """Return the result of an experiment from its sufficient statistics.

    Args:
        evidence: What was collected.
        diagnostics: What was found while it was collected.
        today: The day for which the end is judged; the last day of the data if not given.

    Returns:
        The result: comparisons, checks, breakdowns, money and the verdict.
    """
    definition, units, by_day = evidence.definition, evidence.units, evidence.units_by_day
    comparisons = correct(
        definition,
        [
            compare_arms(
                definition,
                metric,
                treatment.variant_id,
                arms_of(evidence, metric, treatment.variant_id),
                planned_pair_units(definition, treatment.variant_id),
            )
            for metric in definition.metrics
            for treatment in definition.treatments
        ],
        roles=SUCCESS,
    )
    srm = _sample_ratio(definition, units, by_day)
    imbalance = imbalance_of(evidence)
    progress = progress_of(
        definition, units, {day: sum(counts.values()) for day, counts in by_day.items()}, today
    )
    exposures = multiple_exposures(diagnostics, sum(units.values()))
    invalid = _invalid(
        evidence,
        finished=progress.finished,
        srm=srm,
        imbalance=imbalance,
        exposures=exposures,
        comparisons=comparisons,
    )
    return ExperimentResult(
        definition=definition,
        decision=decide(definition, comparisons, progress, invalid),
        srm=srm,
        units=units,
        results=tuple(comparisons),
        figures=variant_figures(evidence),
        diagnostics=diagnostics,
        evidence=evidence,
        segments=segment_results(evidence),
        factors=factor_effects(evidence),
        days=daily_effects(evidence),
        novelty=novelty_results(evidence),
        imbalance=imbalance,
        exposures=exposures,
        money=money_effects(definition, comparisons),
    )


def _sample_ratio(
    definition: ExperimentDefinition, units: Mapping[str, int], by_day: Mapping[date, Mapping[str, int]]
) -> SrmCheck:
    weights = {variant.variant_id: variant.weight for variant in definition.variants}
    if definition.allocation.kind == "thompson":
        total, whole = sum(units.values()), sum(weights.values())
        expected = {name: total * weight / whole for name, weight in weights.items()}
        reason = "the allocation moved from day to day, so that no proportions were planned for the whole"
        return SrmCheck(
            p_value=None, always_valid_p=None, alarm=False, warning=False, expected=expected, reason=reason
        )
    running: list[dict[str, int]] = []
    for counts in by_day.values():
        before = running[-1] if running else dict.fromkeys(units, 0)
        running.append({name: before[name] + counts.get(name, 0) for name in units})
    return check_sample_ratio(units, weights, running or None)


def _invalid(
    evidence: AnalysisEvidence,
    *,
    finished: bool,
    srm: SrmCheck,
    imbalance: ImbalanceCheck | None,
    exposures: MultipleExposures,
    comparisons: list[MetricComparison],
) -> list[str]:
    """Return why the experiment cannot be judged, in sentences."""
    definition, units = evidence.definition, evidence.units
    reasons = []
    if srm.alarm:
        found = ", ".join(
            f"{definition.variant(name).label} {count:,} instead of {srm.expected[name]:,.0f}"
            for name, count in units.items()
        )
        still = srm.p_value is None or srm.p_value < WARNING_BELOW
        reasons.append(mismatch_sentence(found, still=still))
    empty = [name for name, count in units.items() if count == 0]
    if definition.control in empty or len(empty) >= len(units) - 1:
        names = " and ".join(definition.variant(name).label for name in empty)
        reasons.append(f"There is nobody in {names}, so nothing can be compared.")
    if exposures.alarm:
        reasons.append(
            f"{exposures.units:,} members, {100 * exposures.share:.0f} % of all, met more than one variant; whoever is"
            " left is not a random part of them any more."
        )
    if imbalance is not None and imbalance.alarm:
        reasons.append(
            "The groups differed before the experiment began, by more than chance: see the imbalance check."
        )
    primary = definition.primary_metric.metric_id
    unusable = {**evidence.statistics.refused, **evidence.refusals}
    valued = [one for one in comparisons if one.metric.metric_id == primary]
    if primary in unusable:
        reasons.append(f"The primary metric has no figure: {unusable[primary].rstrip('.')}.")
    elif not reasons and finished and all(one.pair is None for one in valued):
        reasons.append(f"The primary metric has no figure: {valued[0].refusal}.")
    quality = [
        one for one in comparisons if one.metric.role is MetricRole.QUALITY and (one.harmed or one.improved)
    ]
    if quality:
        names = ", ".join(dict.fromkeys(one.metric.name for one in quality))
        reasons.append(
            f"{count_of(len(quality), 'quality metric')} changed that should not ({names}); find out why before judging."
        )
    return reasons
