"""The report's figures, as rows and words: every metric and treatment, by segment, by factor and by day.

Intervals are those that the decision rests on.
"""

from dataclasses import dataclass, replace

from experiments.analysis import (
    ExperimentResult,
    FactorEffect,
    MetricComparison,
    NoveltyResult,
    SegmentResult,
    Verdict,
)
from experiments.definition import Direction, Margin, Metric, MetricRole
from experiments.number_format import confidence, percent, percent_between, percentage, within_sentence
from experiments.pages.charts import (
    CONTROL_COLOUR,
    HIGHER_COLOUR,
    LOWER_COLOUR,
    TREATMENT_COLOURS,
    UNDECIDED_COLOUR,
    DayPoint,
    IntervalRow,
    VariantBar,
)
from experiments.pages.experiment_words import FigureFormat, figures_for, figures_of
from experiments.stats import relative_estimate

_MAX_VALUES = 15
_TWO_SIDED_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One line of a table of changes."""

    name: str
    units: str
    control: str
    treatment: str
    change: str
    interval: str
    reading: str
    tone: str


@dataclass(frozen=True, slots=True)
class FigureTable:
    """A table of changes with its title and the words below it."""

    title: str
    unit: str
    rows: list[FigureRow]
    note: str

    @property
    def compared(self) -> bool:
        """Whether the rows have figures of control and treatment, not changes only."""
        return any(row.control for row in self.rows)


def segment_tables(result: ExperimentResult) -> list[FigureTable]:
    """Return a table for each column, metric and treatment, the values with most units first."""
    grouped: dict[tuple[str, str, str], list[SegmentResult]] = {}
    for one in result.segments:
        key = (one.segment, one.comparison.metric.metric_id, one.comparison.variant_id)
        grouped.setdefault(key, []).append(one)
    return [_segment_table(result, column, found) for (column, _, _), found in grouped.items()]


def _segment_table(result: ExperimentResult, column: str, found: list[SegmentResult]) -> FigureTable:
    first = found[0].comparison
    title = f"{first.metric.name} by {column}"
    if len(result.definition.treatments) > 1:
        title += f" · {result.definition.variant(first.variant_id).label}"
    largest = sorted(found, key=lambda one: -(one.comparison.pair.units if one.comparison.pair else 0))
    figures = figures_for(first.metric, [one.comparison for one in found])
    rows = [_row(result, str(one.value), one.comparison, figures) for one in largest[:_MAX_VALUES]]
    note = _correction_words([one.comparison for one in found], "segments")
    if len(found) > _MAX_VALUES:
        note += f" The {_MAX_VALUES} largest of {len(found)}; the others are in the JSON document."
    return FigureTable(title, figures.change_unit, rows, note)


def factor_tables(result: ExperimentResult) -> list[FigureTable]:
    """Return a table of main effects and interactions for each metric of a factorial design."""
    tables = []
    for metric in result.definition.metrics:
        found = [one for one in result.factors if one.comparison.metric.metric_id == metric.metric_id]
        if not found:
            continue
        comparisons = [one.comparison for one in found]
        figures = figures_for(metric, comparisons)
        rows = [
            replace(
                _row(result, _effect_words(result, one), one.comparison, figures), control="", treatment=""
            )
            for one in found
        ]
        note = (
            "One change alone: averaged over the other factors. Two together: what they do beyond the sum of both."
            f" {_correction_words(comparisons, 'effects')}"
        )
        tables.append(FigureTable(metric.name, figures.change_unit, rows, note))
    return tables


def _correction_words(comparisons: list[MetricComparison], what: str) -> str:
    names = sorted({one.correction for one in comparisons if one.correction})
    if names:
        return f"Corrected for looking at several {what}: {', '.join(names)}."
    return "" if len(comparisons) < 2 else f"Not corrected for looking at several {what}."


def _row(result: ExperimentResult, name: str, one: MetricComparison, figures: FigureFormat) -> FigureRow:
    pair, interval = one.pair, one.decisive
    if pair is None or interval is None:
        return FigureRow(name, "", "", "", "", "", f"No figure: {one.refusal}.", "open")
    reading, tone = _row_reading(result, one)
    return FigureRow(
        name=name,
        units=f"{pair.units:,}",
        control=figures.value(pair.control_mean),
        treatment=figures.value(pair.treatment_mean),
        change=replace(figures, change_unit="").change(pair.estimate),
        interval=figures.between(interval.ci_lower, interval.ci_upper),
        reading=reading,
        tone=tone,
    )


def _row_reading(result: ExperimentResult, one: MetricComparison) -> tuple[str, str]:
    if result.decision.verdict is Verdict.INVALID:
        return "not to be trusted", "alarm"
    if one.improved:
        return "better", "good"
    if one.harmed:
        return "worse", "bad"
    return "can be chance", "open"


def _effect_words(result: ExperimentResult, one: FactorEffect) -> str:
    return ", together with ".join(_level_words(result, level) for level in one.levels)


def _level_words(result: ExperimentResult, level: str) -> str:
    """Return ``factor=level`` with the names of both, and the level it is compared with."""
    factor_id, _, level_id = level.partition("=")
    for factor in result.definition.factors:
        if factor.factor_id == factor_id:
            names = {one.level_id: one.label for one in factor.levels}
            first = factor.levels[0].label
            return f"{factor.label} {within_sentence(names.get(level_id, level_id))} instead of {within_sentence(first)}"
    return level


def day_charts(result: ExperimentResult) -> list[tuple[str, list[DayPoint]]]:
    """Return, for each treatment with at least two days, its name and its daily effects with their intervals."""
    charts = []
    figures = figures_of(result, result.definition.primary_metric)
    for place, treatment in enumerate(result.definition.treatments):
        points = [
            DayPoint(
                day=one.day.isoformat(),
                estimate=one.estimate * figures.factor,
                lower=(one.estimate - _TWO_SIDED_95 * one.standard_error) * figures.factor,
                upper=(one.estimate + _TWO_SIDED_95 * one.standard_error) * figures.factor,
                colour=CONTROL_COLOUR
                if result.decision.verdict is Verdict.INVALID
                else TREATMENT_COLOURS[place % len(TREATMENT_COLOURS)],
            )
            for one in result.days
            if one.variant_id == treatment.variant_id
        ]
        if len(points) > 1:
            charts.append((treatment.label, points))
    return charts


def day_unit(result: ExperimentResult) -> str:
    """Return what the daily effects are counted in."""
    return figures_of(result, result.definition.primary_metric).change_unit


def novelty_sentences(result: ExperimentResult) -> list[str]:
    """Return whether the primary metric's effects faded or grew, in words."""
    primary = result.definition.primary_metric
    return [_novelty_words(result, one) for one in result.novelty if one.metric_id == primary.metric_id]


def _novelty_words(result: ExperimentResult, one: NoveltyResult) -> str:
    figures, found = figures_of(result, result.definition.primary_metric), one.novelty
    label = result.definition.variant(one.variant_id).label
    moved = found.change_p_value < result.definition.alpha
    if not moved:
        trend = "No clear sign that the effect fades or grows"
    else:
        trend = "The effect fades" if abs(found.late) < abs(found.early) else "The effect grows"
        if found.early * found.late < 0:
            trend = "The effect turns"
    return (
        f"{label}: {within_sentence(trend) if not moved else trend.lower()}: {figures.change(found.early)} on the first half of"
        f" the {found.days} days, {figures.change(found.late)} on the second."
    )


_TITLES = {
    MetricRole.SUCCESS: "What changed",
    MetricRole.GUARDRAIL: "What must not suffer",
    MetricRole.QUALITY: "What must not change at all",
}


@dataclass(frozen=True, slots=True)
class MetricCard:
    """A metric's headline numbers for one treatment; empty texts where there is no figure."""

    name: str
    badge: str
    treatment: str
    control: str
    reading: str
    tone: str
    treatment_value: str = ""
    control_value: str = ""
    difference: str = ""
    difference_interval: str = ""
    relative: str = ""
    relative_interval: str = ""
    note: str = ""


def card_groups(result: ExperimentResult) -> list[tuple[str, list[MetricCard]]]:
    """Return the cards of every metric and treatment by role, with a title for each group."""
    groups = []
    for role, title in _TITLES.items():
        cards = [
            _card(result, metric, one)
            for metric in result.definition.metrics
            if metric.role is role
            for one in result.results_of(metric)
        ]
        if cards:
            groups.append((title, cards))
    return groups


def _card(result: ExperimentResult, metric: Metric, one: MetricComparison) -> MetricCard:
    name, badge = metric.name, _badge(result, metric)
    treatment = result.definition.variant(one.variant_id).label
    control = result.definition.variant(one.control_id).label
    pair, interval = one.pair, one.decisive
    if pair is None or interval is None:
        return MetricCard(name, badge, treatment, control, f"No figure: {one.refusal}.", "open")
    figures = figures_of(result, metric)
    reading, tone = _reading(result, one, figures)
    relative = relative_estimate(pair)
    return MetricCard(
        name=name,
        badge=badge,
        treatment=treatment,
        control=control,
        reading=reading,
        tone=tone,
        treatment_value=figures.value(pair.treatment_mean),
        control_value=figures.value(pair.control_mean),
        difference=figures.change(pair.estimate),
        difference_interval=figures.between(interval.ci_lower, interval.ci_upper),
        relative="" if relative is None else percent(relative),
        relative_interval=percent_between(interval.relative_ci_lower, interval.relative_ci_upper),
        note=_note(result, one),
    )


def _badge(result: ExperimentResult, metric: Metric) -> str:
    if metric.metric_id == result.definition.primary_metric.metric_id:
        return "decides"
    if metric.role is MetricRole.GUARDRAIL:
        return "guardrail"
    return "also wanted" if metric.role is MetricRole.SUCCESS else "check"


def _reading(result: ExperimentResult, one: MetricComparison, figures: FigureFormat) -> tuple[str, str]:
    interval = one.decisive
    if result.decision.verdict is Verdict.INVALID:
        return "Not to be trusted while the experiment is invalid.", "alarm"
    if interval is None or (interval.ci_lower is None and interval.ci_upper is None):
        return f"No interval: {interval.reasons.get('ci_lower', '') if interval else one.refusal}.", "open"
    if one.metric.margin is not None and not one.harmed:
        return _margin_reading(one, one.metric.margin, figures)
    if one.improved or one.harmed:
        word, tone = ("Better", "good") if one.improved else ("Worse", "bad")
        return f"{word}, and more than chance explains.", tone
    if one.metric.role is MetricRole.GUARDRAIL:
        return "Holds: no harm is proven. No margin was set, so harmlessness is not proven either.", "plain"
    return "Can be chance: no change lies within the interval.", "open"


def _margin_reading(one: MetricComparison, margin: Margin, figures: FigureFormat) -> tuple[str, str]:
    rises = one.metric.direction is Direction.DECREASE
    if margin.relative is not None:
        allowed = percentage(margin.relative, 3)
    else:
        allowed = figures.change(float(margin.absolute or 0)).lstrip("+")
    reading = f"It may {'rise' if rises else 'fall'} by up to {allowed}; {_worst(one, margin, figures, rises=rises)}."
    if one.margin is not None and one.margin.passed:
        return f"Holds. {reading}", "good"
    return f"Not proven harmless. {reading}", "open"


def _worst(one: MetricComparison, margin: Margin, figures: FigureFormat, *, rises: bool) -> str:
    """Return the most that a guardrail may have been harmed by."""
    bound = None if one.margin is None else one.margin.bound
    if bound is None:
        return "how far it did cannot be told yet"
    harm = bound if rises else -bound
    if harm <= 0:
        return f"at worst it {'fell' if rises else 'rose'}"
    written = percent(harm) if margin.relative is not None else figures.change(harm)
    return f"at worst it {'rose' if rises else 'fell'} by {written.lstrip('+')}"


def _note(result: ExperimentResult, one: MetricComparison) -> str:
    """Return how sure the interval is, and what makes it differ from a plain one."""
    assert one.decisive is not None
    note = f"Intervals hold with {confidence(one.decisive.alpha)}"
    if one.correction and one.decisive.alpha < result.definition.alpha:
        note += f", because several comparisons share the error of {percentage(result.definition.alpha)}"
    if one.metric.covariates:
        note += "; figures are adjusted for what was known before"
    return f"{note}."


def effect_rows(result: ExperimentResult) -> list[IntervalRow]:
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
            IntervalRow(
                label=label,
                estimate=relative,
                lower=interval.relative_ci_lower,
                upper=interval.relative_ci_upper,
                text=percent(relative),
                colour=_interval_colour(result, one),
            )
        )
    return rows


def _interval_colour(result: ExperimentResult, one: MetricComparison) -> str:
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
