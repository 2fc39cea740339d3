"""The result of an analysis: figures, reasons for missing ones, the verdict, and one plain sentence per treatment."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import polars as pl

from experiments.analysis.comparison import MetricComparison
from experiments.analysis.decision import ExperimentDecision, Verdict
from experiments.analysis.diagnostics import Diagnostics, MultipleExposures
from experiments.analysis.document import comparison_json, decision_json, figure_json, finite
from experiments.analysis.evidence import AnalysisEvidence
from experiments.analysis.figures import VariantFigure
from experiments.analysis.money import MoneyEffect
from experiments.definition import ExperimentDefinition, Metric
from experiments.display import Displayed
from experiments.number_format import (
    confidence,
    decimals_for,
    interval_decimals,
    plain,
    signed,
    within_sentence,
)
from experiments.stats import SrmCheck
from experiments.stats.novelty import Novelty
from experiments.stats.srm import ImbalanceCheck


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """A comparison within one segment.

    Attributes:
        segment: The column.
        value: Its value; none for units without one.
        comparison: Metric and treatment within the segment, corrected for the column's other segments.
    """

    segment: str
    value: str | None
    comparison: MetricComparison


@dataclass(frozen=True, slots=True)
class FactorEffect:
    """A main effect or an interaction of a factorial design.

    Attributes:
        effect: ``main``: the change averaged over the other factors' levels. ``interaction``: what two levels do
            together beyond the sum of what each does alone.
        levels: The levels that are compared with their factors' first, as ``factor=level``.
        comparison: The effect, corrected for the metric's others.
    """

    effect: str
    levels: tuple[str, ...]
    comparison: MetricComparison


@dataclass(frozen=True, slots=True)
class DailyEffect:
    """The effect among the units first exposed on one day."""

    metric_id: str
    variant_id: str
    day: date
    units: int
    estimate: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class NoveltyResult:
    """Whether the effect of a treatment on a metric changed over the days of first exposure."""

    metric_id: str
    variant_id: str
    novelty: Novelty


@dataclass(frozen=True, slots=True, repr=False)
class ExperimentResult(Displayed):
    """The analysis of one experiment.

    Attributes:
        definition: The experiment as it was defined.
        decision: What to do.
        srm: Whether the units arrived in the planned proportions.
        units: Units that count, by variant, in the order of the definition.
        results: Every metric for every treatment, in the order of the definition.
        figures: Every metric in every variant, in the order of the definition.
        segments: Every metric and treatment in every segment.
        factors: Main effects and interactions of a factorial design.
        days: The primary metric's effect by day of first exposure.
        novelty: Whether these effects changed over time.
        exposures: How many units met more than one variant.
        imbalance: Whether covariates differed before the experiment; ``None`` without covariates.
        money: What the treatments are worth.
        diagnostics: What was left out and why.
        evidence: What all figures were computed from.
    """

    definition: ExperimentDefinition
    decision: ExperimentDecision
    srm: SrmCheck
    units: Mapping[str, int]
    results: tuple[MetricComparison, ...]
    figures: tuple[VariantFigure, ...]
    diagnostics: Diagnostics
    exposures: MultipleExposures
    evidence: AnalysisEvidence
    segments: tuple[SegmentResult, ...] = ()
    factors: tuple[FactorEffect, ...] = ()
    days: tuple[DailyEffect, ...] = ()
    novelty: tuple[NoveltyResult, ...] = ()
    imbalance: ImbalanceCheck | None = None
    money: tuple[MoneyEffect, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """What to do."""
        return self.decision.verdict

    def __getitem__(self, metric_id: str) -> dict[str, MetricComparison]:
        """Return the comparisons of a metric by treatment.

        Raises:
            KeyError: The definition has no such metric; the message lists those that it has.
        """
        found = {one.variant_id: one for one in self.results if one.metric.metric_id == metric_id}
        if not found:
            known = ", ".join(metric.metric_id for metric in self.definition.metrics)
            raise KeyError(f"there is no metric {metric_id!r}; there are {known}")
        return found

    def to_polars(self) -> pl.DataFrame:
        """Return all intervals as a table: one row per metric, treatment and method.

        Columns: ``metric_id``, ``variant_id``, ``control_id``, ``method`` (``fixed``, ``always_valid``, ``sequential``, ``adjusted`` or
        ``decisive``), ``control_mean``, ``treatment_mean``, ``estimate`` (treatment minus control, in the metric's unit),
        ``ci_lower``, ``ci_upper``, ``relative_ci_lower``, ``relative_ci_upper`` (0.02 is 2 % more), ``p_value``, ``alpha`` and
        ``refusal``, why there are no figures. What does not exist is null.
        """
        rows = [row for one in self.results for row in _interval_rows(one)]
        return pl.DataFrame(rows, schema=_INTERVAL_COLUMNS, orient="row")

    def summary(self) -> str:
        """Return the verdict, its reason and what the primary metric says."""
        return f"{self.definition.experiment_id}: {self.verdict.value.replace('_', ' ')}. {self.decision.reason}\n{self.sentence()}"

    def results_of(self, metric: Metric) -> tuple[MetricComparison, ...]:
        """Return a metric's results, one per treatment."""
        return tuple(one for one in self.results if one.metric.metric_id == metric.metric_id)

    def figures_of(self, metric: Metric) -> tuple[VariantFigure, ...]:
        """Return a metric's figures, one per variant."""
        return tuple(figure for figure in self.figures if figure.metric_id == metric.metric_id)

    def sentence(self) -> str:
        """Return what the primary metric says, in plain words; no winner while the sample ratio is wrong."""
        return primary_sentence(self)

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object without NaN or infinity."""
        definition = self.definition
        return {
            "experiment_id": definition.experiment_id,
            "programme": definition.programme,
            "experiment_revision": definition.revision,
            "alpha": definition.alpha,
            "analysis": definition.analysis.method.value,
            "summary": self.sentence(),
            "decision": decision_json(self.decision),
            "srm": {
                "p_value": self.srm.p_value,
                "always_valid_p": self.srm.always_valid_p,
                "alarm": self.srm.alarm,
                "warning": self.srm.warning,
                "expected": dict(self.srm.expected),
                "reasons": {
                    name: self.srm.reason
                    for name in ("p_value", "always_valid_p")
                    if self.srm.reason and (name == "p_value" or getattr(self.srm, name) is None)
                },
            },
            "units": dict(self.units),
            "results": [comparison_json(definition, one) for one in self.results],
            "figures": [figure_json(figure) for figure in self.figures],
            "segments": [
                {"segment": one.segment, "value": one.value, **comparison_json(definition, one.comparison)}
                for one in self.segments
            ],
            "factors": [
                {
                    "effect": one.effect,
                    "levels": list(one.levels),
                    **comparison_json(definition, one.comparison),
                }
                for one in self.factors
            ],
            "days": [{**asdict(one), "day": one.day.isoformat()} for one in self.days],
            "novelty": [
                {"metric_id": one.metric_id, "variant_id": one.variant_id, **finite(asdict(one.novelty))}
                for one in self.novelty
            ],
            "multiple_exposures": asdict(self.exposures),
            "imbalance": None if self.imbalance is None else finite(asdict(self.imbalance)),
            "money": [finite(asdict(one)) for one in self.money],
            "diagnostics": {
                **self.diagnostics.counts,
                "left_out": list(self.diagnostics.left_out),
                "bounds": {name: list(ends) for name, ends in self.diagnostics.bounds.items()},
            },
            "statistics": json.loads(self.evidence.statistics.to_json()),
            "computed": self.evidence.computed.to_json(),
            "refusals": dict(self.evidence.refusals),
        }


_INTERVAL_COLUMNS = {
    **dict.fromkeys(("metric_id", "variant_id", "control_id", "method"), pl.String()),
    **dict.fromkeys(
        (
            "control_mean",
            "treatment_mean",
            "estimate",
            "ci_lower",
            "ci_upper",
            "relative_ci_lower",
            "relative_ci_upper",
            "p_value",
            "alpha",
        ),
        pl.Float64(),
    ),
    "refusal": pl.String(),
}


def _interval_rows(one: MetricComparison) -> list[tuple[object, ...]]:
    names = (one.metric.metric_id, one.variant_id, one.control_id)
    if one.pair is None:
        return [(*names, None, *(None,) * 9, one.refusal)]
    means = (one.pair.control_mean, one.pair.treatment_mean, one.pair.estimate)
    methods = {
        "fixed": one.fixed,
        "always_valid": one.always_valid,
        "sequential": None if one.sequential is None else one.sequential.interval,
        "adjusted": one.adjusted,
        "decisive": one.decisive,
    }
    return [
        (
            *(*names, method),
            *means,
            *(interval.ci_lower, interval.ci_upper, interval.relative_ci_lower, interval.relative_ci_upper),
            *(interval.p_value, interval.alpha, interval.reasons.get("ci_lower", "")),
        )
        for method, interval in methods.items()
        if interval is not None
    ]


def primary_sentence(result: ExperimentResult) -> str:
    """Return what the primary metric says; no winner while the experiment itself is in doubt."""
    if result.decision.verdict is Verdict.INVALID:
        return f"No winner can be named. {result.decision.reason}"
    primary = result.definition.primary_metric
    return " ".join(_effect_sentence(result, one) for one in result.results_of(primary))


def mismatch_sentence(found: str, *, still: bool) -> str:
    """Return what a sample ratio mismatch means.

    Args:
        found: Units by variant, found and planned.
        still: Whether the totals are off, or only were at some time.
    """
    when = "did not arrive" if still else "at some time did not arrive"
    now = f" ({found})" if still else f", although the totals ({found}) look right"
    return (
        f"The members {when} in the planned proportions{now}, which is not chance, so something is wrong with the"
        " experiment itself."
    )


def _effect_sentence(result: ExperimentResult, one: MetricComparison) -> str:
    definition, name = result.definition, within_sentence(one.metric.name)
    treatment = definition.variant(one.variant_id).label
    control = within_sentence(definition.variant(one.control_id).label)
    pair, interval = one.pair, one.decisive
    if pair is None or interval is None:
        return f"Nothing can be said about {name} with {within_sentence(treatment)}: {one.refusal}."
    lower, upper = interval.ci_lower, interval.ci_upper
    if lower is None and upper is None:
        digits = decimals_for(max(abs(pair.estimate), abs(pair.control_mean)) / 100)
        after = f", without an interval: {interval.reasons.get('ci_lower', '')}"
    else:
        digits = (
            interval_decimals(lower, upper)
            if lower is not None and upper is not None
            else decimals_for(pair.standard_error)
        )
        after = f" ({confidence(interval.alpha)} interval {_ends(lower, upper, digits)})"
        if not (one.improved or one.harmed):
            after += ", which can be chance"
    return (
        f"{treatment} got {plain(pair.treatment_mean, digits)} {name} against {plain(pair.control_mean, digits)} with"
        f" {control}: {signed(pair.estimate, digits)}{after}."
    )


def _ends(lower: float | None, upper: float | None, digits: int) -> str:
    if lower is None and upper is not None:
        return f"up to {signed(upper, digits)}"
    if upper is None and lower is not None:
        return f"from {signed(lower, digits)}"
    assert lower is not None
    assert upper is not None
    return f"{signed(lower, digits)} to {signed(upper, digits)}"
