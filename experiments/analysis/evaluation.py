"""From sufficient statistics to the result: every figure is computed here, from these statistics alone."""

from collections.abc import Mapping
from datetime import date

from experiments.analysis.breakdowns import daily_effects, factor_effects, novelty_results, segment_results
from experiments.analysis.comparison import MetricComparison, compare_arms, correct, planned_pair_units
from experiments.analysis.decision import decide, progress_of
from experiments.analysis.diagnostics import Diagnostics, MultipleExposures, multiple_exposures
from experiments.analysis.evidence import AnalysisEvidence
from experiments.analysis.figures import arms_of, imbalance_of, variant_figures
from experiments.analysis.money import money_effects
from experiments.analysis.result import ExperimentResult, mismatch_sentence
from experiments.definition import ExperimentDefinition, MetricRole
from experiments.number_format import count_of
from experiments.stats import SrmCheck, check_sample_ratio
from experiments.stats.srm import WARNING_BELOW, ImbalanceCheck

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
