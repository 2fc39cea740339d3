"""What changed: the figures of every metric and treatment, on the interval that the decision rests on."""

from dataclasses import dataclass

from experiments.analysis import Comparison, ExperimentResult, Verdict
from experiments.definition import Direction, Margin, Metric, MetricRole
from experiments.number_format import confidence, percent
from experiments.pages.experiment_words import Figures, figures_of, percent_between
from experiments.stats import relative_estimate

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


def _card(result: ExperimentResult, metric: Metric, one: Comparison) -> MetricCard:
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


def _reading(result: ExperimentResult, one: Comparison, figures: Figures) -> tuple[str, str]:
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


def _margin_reading(one: Comparison, margin: Margin, figures: Figures) -> tuple[str, str]:
    rises = one.metric.direction is Direction.DECREASE
    if margin.relative is not None:
        allowed = f"{100 * margin.relative:.3g} %"
    else:
        allowed = figures.change(float(margin.absolute or 0)).lstrip("+")
    reading = f"It may {'rise' if rises else 'fall'} by up to {allowed}; {_worst(one, margin, figures, rises=rises)}."
    if one.margin is not None and one.margin.passed:
        return f"Holds. {reading}", "good"
    return f"Not proven harmless. {reading}", "open"


def _worst(one: Comparison, margin: Margin, figures: Figures, *, rises: bool) -> str:
    """Return the most that a guardrail may have been harmed by."""
    bound = None if one.margin is None else one.margin.bound
    if bound is None:
        return "how far it did cannot be told yet"
    harm = bound if rises else -bound
    if harm <= 0:
        return f"at worst it {'fell' if rises else 'rose'}"
    written = percent(harm) if margin.relative is not None else figures.change(harm)
    return f"at worst it {'rose' if rises else 'fell'} by {written.lstrip('+')}"


def _note(result: ExperimentResult, one: Comparison) -> str:
    """Return how sure the interval is, and what makes it differ from a plain one."""
    assert one.decisive is not None
    note = f"Intervals hold with {confidence(one.decisive.level)}"
    if one.correction and one.decisive.level < result.definition.alpha:
        note += f", because several comparisons share the error of {100 * result.definition.alpha:g} %"
    if one.metric.covariates:
        note += "; figures are adjusted for what was known before"
    return f"{note}."
