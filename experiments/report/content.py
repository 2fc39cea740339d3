"""What the report says: an experiment's result in the words of a marketer."""

from dataclasses import dataclass

from experiments.analysis import ExperimentResult, Finding, MetricResult
from experiments.definition import Metric, MetricRole
from experiments.report.charts import (
    CONTROL_COLOUR,
    HIGHER_COLOUR,
    LOWER_COLOUR,
    TREATMENT_COLOURS,
    UNDECIDED_COLOUR,
    EffectRow,
    VariantBar,
)
from experiments.stats import Effect
from experiments.wording import (
    confidence,
    decimals_for,
    interval_decimals,
    out_of_many,
    percent,
    plain,
    signed,
    within_sentence,
)

_WATCH_BELOW = 0.01
_COLOURS = {
    Finding.HIGHER: HIGHER_COLOUR,
    Finding.LOWER: LOWER_COLOUR,
    Finding.UNDECIDED: UNDECIDED_COLOUR,
}


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict: a few words and the tone (``good``, ``bad``, ``open`` or ``alarm``) they are shown in."""

    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Light:
    """A traffic light: ``green``, ``amber``, ``red`` or ``grey``, its name and what it means here."""

    colour: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class MetricCard:
    """A metric's headline numbers for one treatment; empty texts where there is no figure."""

    name: str
    badge: str
    treatment: str
    treatment_value: str
    control: str
    control_value: str
    difference: str
    difference_interval: str
    relative: str
    relative_interval: str
    reading: str
    tone: str


def headline(result: ExperimentResult) -> Headline:
    """Return the verdict on the primary metric."""
    if result.srm.alarm:
        return Headline("Do not act on this result", "alarm")
    results = result.results_of(result.definition.primary_metric)
    if len(results) > 1:
        control = within_sentence(result.definition.variant(result.definition.control).label)
        return Headline(f"{len(results)} variants against {control}", "open")
    treatment = result.definition.variant(results[0].variant_id).label
    return {
        Finding.HIGHER: Headline(f"{treatment} did better", "good"),
        Finding.LOWER: Headline(f"{treatment} did worse", "bad"),
        Finding.UNDECIDED: Headline("No difference beyond chance", "open"),
        Finding.NO_FIGURE: Headline("No answer yet", "open"),
    }[results[0].finding]


def sample_ratio_light(result: ExperimentResult) -> Light:
    """Return whether the members arrived as planned, in plain words."""
    srm = result.srm
    found = "; ".join(
        f"{result.definition.variant(variant_id).label}: {members:,} members, {srm.expected[variant_id]:,.0f} expected"
        for variant_id, members in result.units.items()
    )
    if srm.p_value is None:
        return Light("grey", "Too early to tell", f"{found}. The check needs more members ({srm.reason}).")
    chance = f"Of healthy experiments, {out_of_many(srm.p_value)} are at least this far off."
    if srm.alarm:
        return Light(
            "red",
            "Something is wrong",
            f"{found}. {chance} Members went missing or were counted twice in one of the variants, so the groups can"
            " no longer be compared. Find the cause before anybody acts on these figures.",
        )
    if srm.p_value < _WATCH_BELOW:
        return Light(
            "amber", "Unusual, but possible", f"{found}. {chance} Look at it again before you decide."
        )
    return Light("green", "The groups can be compared", f"{found}. {chance}")


def metric_cards(result: ExperimentResult) -> list[MetricCard]:
    """Return the headline numbers of every metric and treatment."""
    return [
        _card(result, metric, one)
        for metric in result.definition.metrics
        for one in result.results_of(metric)
    ]


def _card(result: ExperimentResult, metric: Metric, one: MetricResult) -> MetricCard:
    names = {
        "name": metric.name,
        "badge": _badge(result, metric),
        "treatment": result.definition.variant(one.variant_id).label,
        "control": result.definition.variant(one.control_id).label,
    }
    effect = one.effect
    if effect is None:
        return MetricCard(**names, **_no_figures(), reading=f"No figure: {one.refusal}.", tone="open")
    decimals = _decimals(result, metric)
    sure = confidence(result.definition.alpha)
    reading, tone = _reading(one, trusted=not result.srm.alarm)
    return MetricCard(
        **names,
        treatment_value=_with_unit(plain(effect.treatment_mean, decimals), metric),
        control_value=_with_unit(plain(effect.control_mean, decimals), metric),
        difference=_with_unit(signed(effect.estimate, decimals), metric),
        difference_interval=_interval(sure, effect.ci_lower, effect.ci_upper, decimals),
        relative="" if effect.relative_estimate is None else percent(effect.relative_estimate),
        relative_interval=_percent_interval(sure, effect),
        reading=reading,
        tone=tone,
    )


def _no_figures() -> dict[str, str]:
    return dict.fromkeys(
        (
            "treatment_value",
            "control_value",
            "difference",
            "difference_interval",
            "relative",
            "relative_interval",
        ),
        "",
    )


def _badge(result: ExperimentResult, metric: Metric) -> str:
    if metric.metric_id == result.definition.primary_metric.metric_id:
        return "decides"
    return {
        MetricRole.SUCCESS: "also wanted",
        MetricRole.GUARDRAIL: "must not suffer",
        MetricRole.QUALITY: "check",
    }[metric.role]


def _reading(one: MetricResult, *, trusted: bool) -> tuple[str, str]:
    if not trusted:
        return "Not to be trusted while the check of the groups is red.", "alarm"
    effect = one.effect
    if effect is None or effect.p_value is None:
        reason = effect.reasons.get("p_value", "") if effect else ""
        return f"No interval: {reason}.", "open"
    chance = f"chance alone does this in {out_of_many(effect.p_value)} experiments"
    return {
        Finding.HIGHER: (f"Higher; {chance}.", "good"),
        Finding.LOWER: (f"Lower; {chance}.", "bad"),
    }.get(one.finding, ("No difference beyond chance: the interval reaches from minus to plus.", "open"))


def _decimals(result: ExperimentResult, metric: Metric) -> int:
    """Return the decimals of a metric's figures: one more than the sentence has, to compare with other tables."""
    intervals = [
        (one.effect.ci_lower, one.effect.ci_upper)
        for one in result.results_of(metric)
        if one.effect is not None
    ]
    found = [
        interval_decimals(lower, upper)
        for lower, upper in intervals
        if lower is not None and upper is not None
    ]
    means = [abs(figure.mean) for figure in result.figures_of(metric) if figure.mean is not None]
    return max(found) + 1 if found else decimals_for(max(means, default=1.0) / 100)


def _with_unit(text: str, metric: Metric) -> str:
    return f"{text} {metric.unit_label}" if metric.unit_label else text


def _interval(sure: str, lower: float | None, upper: float | None, decimals: int) -> str:
    if lower is None or upper is None:
        return ""
    return f"{sure} interval {signed(lower, decimals)} to {signed(upper, decimals)}"


def _percent_interval(sure: str, effect: Effect) -> str:
    if effect.relative_ci_lower is None or effect.relative_ci_upper is None:
        return ""
    return f"{sure} interval {percent(effect.relative_ci_lower)} to {percent(effect.relative_ci_upper)}"


def effect_rows(result: ExperimentResult) -> list[EffectRow]:
    """Return the lines of the plot of relative effects: those that have an interval."""
    rows = []
    for metric in result.definition.metrics:
        for one in result.results_of(metric):
            effect = one.effect
            if effect is None or effect.relative_estimate is None:
                continue
            if effect.relative_ci_lower is None or effect.relative_ci_upper is None:
                continue
            label = metric.name
            if len(result.definition.variants) > 2:
                label += f" · {result.definition.variant(one.variant_id).label}"
            rows.append(
                EffectRow(
                    label=label,
                    estimate=effect.relative_estimate,
                    lower=effect.relative_ci_lower,
                    upper=effect.relative_ci_upper,
                    text=percent(effect.relative_estimate),
                    colour=CONTROL_COLOUR if result.srm.alarm else _COLOURS[one.finding],
                )
            )
    return rows


def variant_bars(result: ExperimentResult) -> list[tuple[str, list[VariantBar]]]:
    """Return, for each metric with figures, its name and the bars of the variants."""
    treatments = [
        v.variant_id for v in result.definition.variants if v.variant_id != result.definition.control
    ]
    charts = []
    for metric in result.definition.metrics:
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
                    text=_with_unit(plain(figure.mean, _decimals(result, metric)), metric),
                    colour=colour,
                )
            )
        if bars:
            charts.append((metric.name, bars))
    return charts
