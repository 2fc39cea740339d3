"""What the charts show: the effects that have an interval, and the variants' own figures."""

from experiments.analysis import Comparison, ExperimentResult, Verdict
from experiments.number_format import percent
from experiments.pages.charts import (
    CONTROL_COLOUR,
    HIGHER_COLOUR,
    LOWER_COLOUR,
    TREATMENT_COLOURS,
    UNDECIDED_COLOUR,
    EffectRow,
    VariantBar,
)
from experiments.pages.experiment_words import figures_of
from experiments.stats import relative_estimate


def effect_rows(result: ExperimentResult) -> list[EffectRow]:
    """Return the lines of the plot of relative effects: those that have an interval."""
    rows = []
    for one in result.results:
        pair, interval = one.pair, one.decisive
        relative = None if pair is None else relative_estimate(pair)
        if relative is None or interval is None:
            continue
        if interval.relative_ci_lower is None and interval.relative_ci_upper is None:
            continue
        label = one.metric.name
        if len(result.definition.variants) > 2:
            label += f" · {result.definition.variant(one.variant_id).label}"
        rows.append(
            EffectRow(
                label=label,
                estimate=relative,
                lower=interval.relative_ci_lower,
                upper=interval.relative_ci_upper,
                text=percent(relative),
                colour=_colour(result, one),
            )
        )
    return rows


def _colour(result: ExperimentResult, one: Comparison) -> str:
    if result.decision.verdict is Verdict.INVALID:
        return CONTROL_COLOUR
    return HIGHER_COLOUR if one.improved else LOWER_COLOUR if one.harmed else UNDECIDED_COLOUR


def variant_bars(result: ExperimentResult) -> list[tuple[str, list[VariantBar]]]:
    """Return, for each metric with figures, its name and the bars of the variants."""
    treatments = [variant.variant_id for variant in result.definition.treatments]
    charts = []
    for metric in result.definition.metrics:
        words = figures_of(result, metric)
        bars = []
        for figure in result.figures_of(metric):
            if figure.mean is None or figure.ci_lower is None or figure.ci_upper is None:
                continue
            colour = CONTROL_COLOUR
            if figure.variant_id != result.definition.control:
                colour = TREATMENT_COLOURS[treatments.index(figure.variant_id) % len(TREATMENT_COLOURS)]
            bars.append(
                VariantBar(
                    label=result.definition.variant(figure.variant_id).label,
                    mean=figure.mean,
                    lower=figure.ci_lower,
                    upper=figure.ci_upper,
                    text=words.value(figure.mean),
                    colour=colour,
                )
            )
        if bars:
            charts.append((metric.name, bars))
    return charts
