"""Everything that an interval rests on, in words."""

from collections.abc import Iterator

from experiments.analysis.comparison import Comparison
from experiments.definition import AnalysisMethod, ExperimentDefinition, Metric, MetricKind
from experiments.number_format import confidence, count_of, signed

_FIGURE_WORDS = {
    MetricKind.MEAN: "mean over units",
    MetricKind.PROPORTION: "proportion of units",
    MetricKind.COUNT: "mean count over units",
    MetricKind.RATIO: "ratio of unit sums, delta method",
    MetricKind.RETENTION: "proportion of units that came back",
    MetricKind.QUANTILE: "quantile over units",
}


def method_words(definition: ExperimentDefinition, one: Comparison) -> str:
    """Return how the plain interval was computed, in a few words."""
    metric = one.metric
    figure = _FIGURE_WORDS[metric.kind]
    if metric.kind is MetricKind.QUANTILE:
        figure = f"{100 * (metric.quantile or 0):g} % quantile over units"
    if definition.cluster_column:
        figure += f", clustered by {definition.cluster_column}"
    adjusted = ", CUPED" if metric.covariates else ""
    test = "percentile bootstrap" if metric.inference == "bootstrap" else "Welch t"
    return f"{figure}{adjusted}, {test}"


def ingredients(definition: ExperimentDefinition, one: Comparison) -> tuple[str, ...]:
    """Return everything that the intervals rest on, in words; nothing where there is no figure."""
    if one.pair is None or one.fixed is None or one.decisive is None:
        return ()
    return tuple(_ingredients(definition, one))


def _ingredients(definition: ExperimentDefinition, one: Comparison) -> Iterator[str]:
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
        yield f"{one.correction}: decision at {confidence(one.decisive.level)}"
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


def _decision_words(definition: ExperimentDefinition, one: Comparison) -> str:
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
