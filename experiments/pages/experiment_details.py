"""The report's small print: how it was measured, and the figures at full precision."""

from collections.abc import Iterator
from dataclasses import dataclass

from experiments.analysis import ExperimentResult, MetricComparison
from experiments.analysis.document import ingredients, method_words
from experiments.definition import Metric, MetricKind, Source
from experiments.number_format import percentage, plural, precise
from experiments.pages.experiment_verdict import BAYES_PEEKING, measured_rate
from experiments.stats import Interval


def variant_rows(result: ExperimentResult) -> list[dict[str, str]]:
    """Return the table of variants: name, what units got, planned share and units."""
    total = sum(variant.weight for variant in result.definition.variants)
    return [
        {
            "name": variant.label,
            "role": "control" if variant.variant_id == result.definition.control else "treatment",
            "description": variant.description,
            "share": percentage(variant.weight / total, 3),
            "units": f"{result.units[variant.variant_id]:,}",
        }
        for variant in result.definition.variants
    ]


def measured_as(result: ExperimentResult) -> list[tuple[str, str]]:
    """Return each metric's name with its definition in words."""
    unit = result.definition.unit
    return [(metric.name, _definition_in_words(metric, unit)) for metric in result.definition.metrics]


def _definition_in_words(metric: Metric, unit: str) -> str:
    what = _source_words(metric.numerator, metric.unit_label)
    match metric.kind:
        case MetricKind.RATIO:
            assert metric.denominator is not None
            below = _source_words(metric.denominator, "")
            words = f"{what}, added up per {unit}, divided by {_lower(below)}, added up likewise."
        case MetricKind.QUANTILE:
            words = (
                f"{what}: the value that {percentage(metric.quantile or 0)} of the {plural(unit)} stay below."
            )
        case MetricKind.RETENTION if metric.retention is not None:
            kept = metric.retention
            words = (
                f"Share of the {plural(unit)} with the outcome “{kept.outcome_type}” on day {kept.first_day} to {kept.last_day} after the first"
                " exposure."
            )
        case MetricKind.RETENTION | MetricKind.PROPORTION:
            words = f"Share of the {plural(unit)} with yes in {_lower(what)}."
        case _:
            words = f"{what}, on average over the {plural(unit)}."
    return " ".join((words, *_small_print(metric)))


def _source_words(source: Source, unit: str) -> str:
    if source.event == "exposures":
        return "How often the variant was met"
    if source.event == "outcomes":
        kind = f"the outcomes “{source.outcome_type}”" if source.outcome_type else "all outcomes"
        return (
            f"Money{f' in {unit}' if unit else ''} of {kind}"
            if source.aggregate == "value"
            else f"Count of {kind}"
        )
    if source.terms:
        terms = [t.column if t.factor == 1 else f"{t.factor:g} × {t.column}" for t in source.terms]
        return f"The sum of {', '.join(terms)}"
    return f"The column “{source.column}”"


def _small_print(metric: Metric) -> Iterator[str]:
    if metric.window_days is not None:
        yield f"Outcomes count for {metric.window_days} days after the first exposure."
    bounds = metric.winsorize
    if bounds is not None:
        low = bounds.lower if bounds.lower is not None else _quantile_words(bounds.lower_quantile)
        high = bounds.upper if bounds.upper is not None else _quantile_words(bounds.upper_quantile)
        ends = [f"below {low}" if low else "", f"above {high}" if high else ""]
        yield f"Values {' and '.join(end for end in ends if end)} are pulled in to that bound, in all variants alike."


def _quantile_words(share: float | None) -> str:
    return "" if share is None else f"the {percentage(share)} quantile"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def technical_facts(result: ExperimentResult) -> list[tuple[str, str]]:
    """Return the checks of the groups with their p-values, and the bounds that values were pulled in to."""
    definition, srm = result.definition, result.srm
    facts = [
        (
            "Analysis",
            f"{definition.analysis.method}, alpha {definition.alpha:g}, correction {definition.correction}",
        ),
        (
            "Sample ratio",
            f"chi-squared p {precise(srm.p_value)}, always-valid p {precise(srm.always_valid_p)}",
        ),
    ]
    if result.imbalance is not None:
        facts.append(
            ("Imbalance before", f"smallest p, Bonferroni-corrected: {precise(result.imbalance.p_value)}")
        )
    for metric_id, (lower, upper) in result.diagnostics.bounds.items():
        facts.append((f"Bounds of {metric_id}", f"{precise(lower)} to {precise(upper)}"))
    return facts


@dataclass(frozen=True, slots=True)
class TechnicalRow:
    """One interval with its p-value at full precision."""

    name: str
    confidence: str
    lower: str
    upper: str
    relative_lower: str
    relative_upper: str
    p_value: str


@dataclass(frozen=True, slots=True)
class TechnicalTable:
    """All intervals of one metric and treatment."""

    title: str
    figures: str
    rows: list[TechnicalRow]
    notes: list[str]


def technical_tables(result: ExperimentResult) -> list[TechnicalTable]:
    """Return all intervals and p-values of every metric and treatment."""
    return [_technical_table(result, one) for one in result.results]


def _technical_table(result: ExperimentResult, one: MetricComparison) -> TechnicalTable:
    title = f"{one.metric.metric_id} · {one.variant_id} against {one.control_id}"
    pair = one.pair
    if pair is None:
        return TechnicalTable(title, f"No figure: {one.refusal}.", [], [])
    figures = (
        f"{precise(pair.control_mean)} under control, {precise(pair.treatment_mean)} under treatment, difference"
        f" {precise(pair.estimate)}, standard error {precise(pair.standard_error)}"
    )
    notes = [
        method_words(result.definition, one),
        "; ".join(ingredients(result.definition, one)),
        *_margin(one),
        *_posterior(result, one),
        *_reasons(one),
    ]
    return TechnicalTable(title, figures, list(_rows(one)), [note for note in notes if note])


def _rows(one: MetricComparison) -> Iterator[TechnicalRow]:
    for name, interval in (
        ("One look", one.fixed),
        ("One look, corrected", one.adjusted if one.correction else None),
        ("Planned looks", None if one.sequential is None else one.sequential.interval),
        ("Always valid", one.always_valid),
        ("Decision", one.decisive),
    ):
        if interval is not None:
            yield _row(name, interval)


def _row(name: str, interval: Interval) -> TechnicalRow:
    return TechnicalRow(
        name,
        f"{100 * (1 - interval.alpha):.4g} %",
        precise(interval.ci_lower),
        precise(interval.ci_upper),
        precise(interval.relative_ci_lower),
        precise(interval.relative_ci_upper),
        precise(interval.p_value),
    )


def _margin(one: MetricComparison) -> Iterator[str]:
    found = one.margin
    if found is not None:
        kind = "relative" if found.relative else "absolute"
        yield (
            f"Non-inferiority at {precise(found.limit)} ({kind}): bound {precise(found.bound)} with"
            f" {percentage(1 - found.alpha, 4)}, one-sided p {precise(found.p_value)}"
        )


def _posterior(result: ExperimentResult, one: MetricComparison) -> Iterator[str]:
    found, prior = one.posterior, result.definition.prior
    if found is None:
        return
    rate = measured_rate(*BAYES_PEEKING)
    warning = "" if rate is None else f". Read at every look it misleads. {rate.words()}"
    yield (
        f"Posterior of the relative effect, prior normal({prior.prior_mean:g}, {prior.prior_sd:g}): mean"
        f" {precise(found.mean)}, {percentage(1 - found.alpha, 4)} between {precise(found.ci_lower)} and"
        f" {precise(found.ci_upper)}, chance to be above the control {precise(found.probability_positive)}{warning}".removesuffix(
            "."
        )
    )


def _reasons(one: MetricComparison) -> Iterator[str]:
    found: dict[str, None] = {}
    for interval in (one.fixed, one.adjusted, one.always_valid, one.decisive):
        found |= dict.fromkeys(interval.reasons.values() if interval is not None else ())
    if found:
        yield f"Missing because: {'; '.join(found)}"
