"""The parts of a result as JSON objects, with how each figure was computed in words.

A figure that does not exist is null and has its reason; nothing is NaN or infinite.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from experiments.analysis.comparison import NO_SEQUENCE, MetricComparison
from experiments.analysis.decision import ExperimentDecision, TreatmentDecision, Verdict
from experiments.analysis.error_rates import peeking_error_rate
from experiments.analysis.figures import VariantFigure
from experiments.definition import AnalysisMethod, ExperimentDefinition, Metric, MetricKind
from experiments.number_format import confidence, count_of, percentage, signed
from experiments.stats import Interval, relative_estimate
from experiments.stats.interval import NOTHING_VARIES

_FIGURE_WORDS = {
    MetricKind.MEAN: "mean over units",
    MetricKind.PROPORTION: "proportion of units",
    MetricKind.COUNT: "mean count over units",
    MetricKind.RATIO: "ratio of unit sums, delta method",
    MetricKind.RETENTION: "proportion of units that came back",
    MetricKind.QUANTILE: "quantile over units",
}


def method_words(definition: ExperimentDefinition, one: MetricComparison) -> str:
    """Return how the plain interval was computed, in a few words."""
    metric = one.metric
    figure = _FIGURE_WORDS[metric.kind]
    if metric.kind is MetricKind.QUANTILE:
        figure = f"{percentage(metric.quantile or 0)} quantile over units"
    if definition.cluster_column:
        figure += f", clustered by {definition.cluster_column}"
    adjusted = ", CUPED" if metric.covariates else ""
    test = "percentile bootstrap" if metric.inference == "bootstrap" else "Welch t"
    return f"{figure}{adjusted}, {test}"


def ingredients(definition: ExperimentDefinition, one: MetricComparison) -> tuple[str, ...]:
    """Return everything that the intervals rest on, in words; nothing where there is no figure."""
    if one.pair is None or one.fixed is None or one.decisive is None:
        return ()
    return tuple(_ingredients(definition, one))


def _ingredients(definition: ExperimentDefinition, one: MetricComparison) -> Iterator[str]:
    assert one.pair is not None
    assert one.decisive is not None
    metric, pair = one.metric, one.pair
    yield f"{confidence(definition.alpha)}, {metric.alternative}"
    yield f"{pair.control_units:,} units under control and {pair.treatment_units:,} under treatment"
    if one.fixed is not None and one.fixed.degrees_of_freedom is not None:
        yield f"Welch t with {one.fixed.degrees_of_freedom:,.1f} degrees of freedom"
    if metric.kind is MetricKind.RATIO:
        yield "delta method over units"
    if metric.covariates:
        yield _cuped(metric, pair.variance_reduction)
    if metric.winsorize is not None:
        yield "values pulled in to the same bounds in all variants"
    yield "relative effect by Fieller"
    yield f"decision: {_decision_words(definition, one)}"
    if one.correction:
        yield f"{one.correction}: decision at {confidence(one.decisive.alpha)}"
    else:
        yield "no correction for several metrics or variants"


def _cuped(metric: Metric, reduction: float | None) -> str:
    names = []
    for covariate in metric.covariates:
        if covariate.pre_period_days is not None:
            names.append(f"the {covariate.pre_period_days} days before")
        elif covariate.numerator is not None:
            column = covariate.numerator.column or " + ".join(t.column for t in covariate.numerator.terms)
            names.append(f"{column}/{covariate.denominator.column}" if covariate.denominator else column)
    change = "no variance to reduce" if reduction is None else f"{signed(-100 * reduction)} % variance"
    return f"CUPED with {', '.join(names)}: {change}"


def _decision_words(definition: ExperimentDefinition, one: MetricComparison) -> str:
    match definition.analysis.method:
        case AnalysisMethod.ALWAYS_VALID:
            return "always valid, at any number of looks"
        case AnalysisMethod.FIXED:
            return "fixed horizon, valid for one look at the planned end"
    look = one.sequential
    if look is None:
        return "always valid, at any number of looks"
    if look.overrun:
        return (
            "always valid, at the share of alpha kept back for this: more units came than were planned, so the"
            " group-sequential bounds hold no longer"
        )
    planned = definition.analysis.looks
    off = abs(look.information_fraction * planned - round(look.information_fraction * planned))
    unplanned = (
        "; this look was not planned, and each such look spends a little more than alpha" if off > 0.1 else ""
    )
    return (
        f"group-sequential ({definition.analysis.spending}), look {look.look} of {count_of(planned, 'planned look')} at"
        f" {100 * look.information_fraction:.0f} % of the planned units{unplanned}"
    )


_NO_TOTAL = {
    "numerator_total": "a figure of single values, not of a sum",
    "denominator_total": "the figure is divided by the units, or is none of sums",
}
_NO_BASE = "a relative effect needs a control's figure clearly above zero"
_INTERVAL_FIELDS = ("ci_lower", "ci_upper", "relative_ci_lower", "relative_ci_upper", "p_value")


def comparison_json(definition: ExperimentDefinition, one: MetricComparison) -> dict[str, Any]:
    """Return one metric and treatment as a JSON object."""
    pair = one.pair
    reasons: dict[str, str] = {}
    figures: dict[str, float | None] = {
        name: None if pair is None else getattr(pair, name)
        for name in ("control_mean", "treatment_mean", "estimate", "standard_error")
    }
    if pair is None:
        reasons |= dict.fromkeys(figures, one.refusal)
    fields = {**figures, **_interval(one.fixed, "", reasons, one.refusal)}
    fields["degrees_of_freedom"] = None if one.fixed is None else one.fixed.degrees_of_freedom
    if fields["degrees_of_freedom"] is None:
        reasons["degrees_of_freedom"] = one.refusal or "the method uses no t distribution"
    fields["relative_estimate"] = _relative(one, reasons)
    fields["variance_reduction"] = None if pair is None else pair.variance_reduction
    if fields["variance_reduction"] is None:
        reasons["variance_reduction"] = one.refusal or _no_reduction(one)
    for prefix, interval in (
        ("adjusted_", one.adjusted),
        ("always_valid_", one.always_valid),
        ("decision_", one.decisive),
    ):
        fields |= _interval(interval, prefix, reasons, one.refusal)
    parts = {
        "group_sequential": _look(one),
        "non_inferiority": None if one.margin is None else finite(_with_level(asdict(one.margin))),
        "posterior": _posterior(definition, one),
    }
    reasons |= {name: one.refusal or _no_part(definition, one, name) for name in parts if parts[name] is None}
    return {
        "metric_id": one.metric.metric_id,
        "role": one.metric.role.value,
        "variant_id": one.variant_id,
        "control_id": one.control_id,
        **fields,
        **parts,
        "method": method_words(definition, one),
        "ingredients": list(ingredients(definition, one)),
        "reasons": reasons,
    }


def _interval(
    interval: Interval | None, prefix: str, reasons: dict[str, str], refusal: str
) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in _INTERVAL_FIELDS:
        value = None if interval is None else getattr(interval, name)
        found[prefix + name] = value
        if value is None:
            reasons[prefix + name] = refusal or (interval.reasons.get(name, "") if interval else "")
    return found


def _relative(one: MetricComparison, reasons: dict[str, str]) -> float | None:
    relative = None if one.pair is None else relative_estimate(one.pair)
    if relative is None:
        reasons["relative_estimate"] = one.refusal or _NO_BASE
    return relative


def _no_reduction(one: MetricComparison) -> str:
    return "nothing varies" if one.metric.covariates else "the metric has no covariates"


def _no_part(definition: ExperimentDefinition, one: MetricComparison, name: str) -> str:
    """Return why a comparison that has figures lacks a part."""
    if name == "non_inferiority":
        return "the metric has no margin"
    if name == "posterior":
        constant = one.pair is not None and one.pair.variance == 0
        return NOTHING_VARIES if constant else _NO_BASE
    if definition.analysis.method is not AnalysisMethod.GROUP_SEQUENTIAL:
        return "the analysis is not group-sequential"
    smooth = one.arms is not None and one.arms.smooth
    return "the planned looks are at all units, not at a part of them" if smooth else NO_SEQUENCE


def _look(one: MetricComparison) -> dict[str, Any] | None:
    if one.sequential is None:
        return None
    found = asdict(one.sequential)
    interval = found.pop("interval")
    reasons = {name: text for name, text in interval["reasons"].items() if interval[name] is None}
    if not math.isfinite(found["bound"] or 0.0):
        reasons["bound"] = "so early in the plan no error may be spent"
    elif found["bound"] is None:
        reasons["bound"] = "the planned looks are over" if found["overrun"] else NOTHING_VARIES
    return finite({**found, **{name: interval[name] for name in _INTERVAL_FIELDS}, "reasons": reasons})


def _posterior(definition: ExperimentDefinition, one: MetricComparison) -> dict[str, Any] | None:
    if one.posterior is None:
        return None
    prior = definition.prior
    return {
        "prior_mean": prior.prior_mean,
        "prior_sd": prior.prior_sd,
        **_with_level(asdict(one.posterior)),
        "peeking": peeking_error_rate(),
    }


def _with_level(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with alpha under its key in saved documents."""
    return {"level" if name == "alpha" else name: value for name, value in fields.items()}


def decision_json(decision: ExperimentDecision) -> dict[str, Any]:
    """Return the verdict, with those of the treatments, as a JSON object."""
    return {
        "verdict": decision.verdict.value,
        "reason": decision.reason,
        "variant_id": decision.variant_id,
        "units_to_go": decision.units_to_go,
        "days_to_go": decision.days_to_go,
        "error_rates": list(decision.error_rates),
        "treatments": [
            {**asdict(one), "verdict": one.verdict.value, "reasons": _waiting_reasons(one)}
            for one in decision.treatments
        ],
        "reasons": {
            **({} if decision.variant_id else {"variant_id": "there is no verdict on a treatment"}),
            **_waiting_reasons(decision),
        },
    }


def _waiting_reasons(decided: ExperimentDecision | TreatmentDecision) -> dict[str, str]:
    """Return why it is not known how much is still to come."""
    if decided.verdict is not Verdict.KEEP_RUNNING:
        return dict.fromkeys(("units_to_go", "days_to_go"), "nothing is waited for")
    reasons = {}
    if decided.units_to_go is None:
        reasons["units_to_go"] = "there is no plan, and the present estimate is not expected to be proven"
    if decided.days_to_go is None:
        reasons["days_to_go"] = reasons.get("units_to_go", "how many units come per day is not known")
    return reasons


def figure_json(figure: VariantFigure) -> dict[str, Any]:
    """Return a metric in one variant as a JSON object."""
    names = ("numerator_total", "denominator_total", "mean", "standard_error", "ci_lower", "ci_upper")
    figures = {name: getattr(figure, name) for name in names}
    reasons = {name: figure.reason or _NO_TOTAL[name] for name, value in figures.items() if value is None}
    return {
        "metric_id": figure.metric_id,
        "variant_id": figure.variant_id,
        "members": figure.members,
        **figures,
        "reasons": reasons,
    }


def finite(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as JSON allows them: dates as ISO text, tuples as lists, null for NaN and infinity."""
    return {name: _value(value) for name, value in fields.items()}


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return finite(value)
    if isinstance(value, list | tuple):
        return [_value(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value
