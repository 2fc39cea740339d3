"""What an analysis found: figures that exist, reasons for those that do not, and one plain sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from experiments.analysis.members import Diagnostics
from experiments.definition import ExperimentDefinition, Metric, MetricRole
from experiments.stats import Effect, SrmCheck
from experiments.wording import (
    confidence,
    decimals_for,
    interval_decimals,
    plain,
    signed,
    within_sentence,
)

_EFFECT_FIGURES = (
    "control_mean",
    "treatment_mean",
    "estimate",
    "standard_error",
    "degrees_of_freedom",
    "ci_lower",
    "ci_upper",
    "relative_estimate",
    "relative_ci_lower",
    "relative_ci_upper",
    "p_value",
)


class Finding(StrEnum):
    """What an interval says about the direction of an effect."""

    HIGHER = "higher"
    LOWER = "lower"
    UNDECIDED = "undecided"
    NO_FIGURE = "no_figure"


@dataclass(frozen=True, slots=True)
class VariantFigure:
    """A metric in one variant.

    Attributes:
        metric_id: The metric.
        variant_id: The variant.
        members: Members that it rests on.
        numerator_total: Sum of the members' numerators.
        denominator_total: Sum of the members' denominators; none for a mean.
        mean: The metric in this variant.
        standard_error: Of the mean.
        ci_lower: Lower end of the mean's own interval, at the experiment's confidence.
        ci_upper: Upper end.
        reason: Why there are no figures, or empty.
    """

    metric_id: str
    variant_id: str
    members: int
    numerator_total: float | None = None
    denominator_total: float | None = None
    mean: float | None = None
    standard_error: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One metric, one treatment against the control.

    Attributes:
        metric_id: The metric.
        role: What the metric is for.
        variant_id: The treatment.
        control_id: What it is compared with.
        effect: The figures; none if nothing can be said.
        method: How they were computed.
        ingredients: Everything that the interval rests on, in words.
        refusal: Why there is no effect, or empty.
    """

    metric_id: str
    role: MetricRole
    variant_id: str
    control_id: str
    effect: Effect | None
    method: str
    ingredients: tuple[str, ...]
    refusal: str = ""

    @property
    def finding(self) -> Finding:
        """What the interval says about the direction."""
        if self.effect is None or self.effect.ci_lower is None or self.effect.ci_upper is None:
            return Finding.NO_FIGURE
        if self.effect.ci_lower > 0:
            return Finding.HIGHER
        return Finding.LOWER if self.effect.ci_upper < 0 else Finding.UNDECIDED

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object; what does not exist is null and has its reason."""
        figures = {name: getattr(self.effect, name, None) for name in _EFFECT_FIGURES}
        reasons = self.effect.reasons if self.effect else dict.fromkeys(_EFFECT_FIGURES, self.refusal)
        return {
            "metric_id": self.metric_id,
            "role": self.role.value,
            "variant_id": self.variant_id,
            "control_id": self.control_id,
            **figures,
            "method": self.method,
            "ingredients": list(self.ingredients),
            "reasons": dict(reasons),
        }


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """The analysis of one experiment.

    Attributes:
        definition: The experiment as it was defined.
        srm: Whether the members arrived in the planned proportions.
        units: Members that count, by variant, in the order of the definition.
        results: Every metric for every treatment, in the order of the definition.
        figures: Every metric in every variant, in the order of the definition.
        diagnostics: What was left out and why.
    """

    definition: ExperimentDefinition
    srm: SrmCheck
    units: Mapping[str, int]
    results: tuple[MetricResult, ...]
    figures: tuple[VariantFigure, ...]
    diagnostics: Diagnostics

    def results_of(self, metric: Metric) -> tuple[MetricResult, ...]:
        """Return a metric's results, one per treatment."""
        return tuple(result for result in self.results if result.metric_id == metric.metric_id)

    def figures_of(self, metric: Metric) -> tuple[VariantFigure, ...]:
        """Return a metric's figures, one per variant."""
        return tuple(figure for figure in self.figures if figure.metric_id == metric.metric_id)

    def sentence(self) -> str:
        """Return what the primary metric says, in plain words; no winner while the sample ratio is wrong."""
        if self.srm.alarm:
            return self._mismatch_sentence()
        primary = self.definition.primary_metric
        return " ".join(self._effect_sentence(primary, result) for result in self.results_of(primary))

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object without NaN or infinity."""
        diagnostics = self.diagnostics
        return {
            "experiment_id": self.definition.experiment_id,
            "programme": self.definition.programme,
            "experiment_revision": self.definition.revision,
            "alpha": self.definition.alpha,
            "summary": self.sentence(),
            "srm": {
                "p_value": self.srm.p_value,
                "alarm": self.srm.alarm,
                "expected": dict(self.srm.expected),
                "reasons": {"p_value": self.srm.reason} if self.srm.reason else {},
            },
            "units": dict(self.units),
            "results": [result.to_json() for result in self.results],
            "figures": [_figure_json(figure) for figure in self.figures],
            "diagnostics": {
                "exposures": diagnostics.exposures,
                "duplicate_exposures": diagnostics.duplicate_exposures,
                "exposures_to_unknown_variants": diagnostics.exposures_to_unknown_variants,
                "members_in_several_variants": diagnostics.members_in_several_variants,
                "outcomes": diagnostics.outcomes,
                "duplicate_outcomes": diagnostics.duplicate_outcomes,
                "outcomes_without_value": diagnostics.outcomes_without_value,
                "unattributed_outcomes": dict(diagnostics.unattributed_outcomes),
            },
        }

    def _mismatch_sentence(self) -> str:
        found = ", ".join(
            f"{self.definition.variant(variant_id).label} {count:,} instead of {self.srm.expected[variant_id]:,.0f}"
            for variant_id, count in self.units.items()
        )
        return (
            f"No winner can be named: the members did not arrive in the planned proportions ({found}), which is no"
            " chance, so something is wrong with the experiment itself."
        )

    def _effect_sentence(self, metric: Metric, result: MetricResult) -> str:
        treatment = self.definition.variant(result.variant_id).label
        control = within_sentence(self.definition.variant(result.control_id).label)
        effect = result.effect
        if effect is None:
            return f"Nothing can be said about {within_sentence(metric.name)} with {within_sentence(treatment)}: {result.refusal}."
        bounds = (effect.ci_lower, effect.ci_upper)
        if bounds[0] is None or bounds[1] is None:
            digits = decimals_for(max(abs(effect.estimate), abs(effect.control_mean)) / 100)
            after = f", without an interval: {effect.reasons['ci_lower']}"
        else:
            digits = interval_decimals(bounds[0], bounds[1])
            after = (
                f" ({confidence(self.definition.alpha)} interval {signed(bounds[0], digits)} to"
                f" {signed(bounds[1], digits)})"
            )
            if result.finding is Finding.UNDECIDED:
                after += ", which can be chance"
        return (
            f"{treatment} got {plain(effect.treatment_mean, digits)} {within_sentence(metric.name)} against"
            f" {plain(effect.control_mean, digits)} with {control}: {signed(effect.estimate, digits)}{after}."
        )


def _figure_json(figure: VariantFigure) -> dict[str, Any]:
    names = ("numerator_total", "denominator_total", "mean", "standard_error", "ci_lower", "ci_upper")
    figures = {name: getattr(figure, name) for name in names}
    reasons = {name: figure.reason for name, value in figures.items() if value is None and figure.reason}
    return {
        "metric_id": figure.metric_id,
        "variant_id": figure.variant_id,
        "members": figure.members,
        **figures,
        "reasons": reasons,
    }
