"""The report of an experiment's result, with traffic lights for whether its groups can be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from markupsafe import Markup

from experiments.analysis import ExperimentResult
from experiments.number_format import out_of_many, plural, sentence_case
from experiments.pages.charts import days_chart, effects_chart, variants_chart
from experiments.pages.environment import environment
from experiments.pages.experiment_details import measured_as, technical_facts, technical_tables, variant_rows
from experiments.pages.experiment_figures import (
    card_groups,
    day_charts,
    day_unit,
    effect_rows,
    factor_tables,
    novelty_sentences,
    segment_tables,
    variant_bars,
)
from experiments.pages.experiment_verdict import (
    headline,
    money_sentences,
    peeking_answer,
    progress,
    treatment_verdicts,
)
from experiments.pages.experiment_words import units


@dataclass(frozen=True, slots=True)
class Light:
    """A traffic light: ``green``, ``amber``, ``red`` or ``grey``, its name and what it means here."""

    colour: str
    title: str
    text: str


def lights(result: ExperimentResult) -> list[Light]:
    """Return the checks of the groups, the planned proportions first."""
    return [sample_ratio_light(result), *imbalance_light(result)]


def sample_ratio_light(result: ExperimentResult) -> Light:
    """Return whether the units arrived as planned, in plain words."""
    srm = result.srm
    found = "; ".join(
        f"{result.definition.variant(variant_id).label}: {units(result, number)}, {srm.expected[variant_id]:,.0f} expected"
        for variant_id, number in result.units.items()
    )
    if srm.alarm:
        return Light(
            "red",
            "Something is wrong",
            f"{found}. {_chance(result)}Somebody went missing or was counted twice in one of the groups, so they can no"
            " longer be compared. Find the cause before anybody acts on these figures.",
        )
    if srm.warning:
        return Light(
            "amber",
            "Unusual, but possible",
            f"{found}. {_chance(result)}Have the way into the experiment checked before you decide.",
        )
    if srm.p_value is None:
        return Light("grey", "Too early to tell", f"{found}. The check needs more ({srm.reason}).")
    return Light("green", "The groups have the planned sizes", f"{found}. {_chance(result)}")


def _chance(result: ExperimentResult) -> str:
    p_value = result.srm.p_value
    if p_value is None:
        return f"{sentence_case(result.srm.reason)}. " if result.srm.reason else ""
    return f"Of healthy experiments, {out_of_many(p_value)} are at least this far off. "


def imbalance_light(result: ExperimentResult) -> list[Light]:
    """Return whether the groups were alike before the experiment; nothing without covariates."""
    check = result.imbalance
    if check is None:
        return []
    names = ", ".join(dict.fromkeys(one.covariate for one in check.differences))
    if check.p_value is None:
        reasons = "; ".join(dict.fromkeys(one.reason for one in check.differences if one.reason))
        return [Light("grey", "Before the experiment: cannot be told", f"{names}: {reasons}.")]
    if check.alarm:
        worst = min(
            (one for one in check.differences if one.adjusted_p_value is not None),
            key=lambda one: one.adjusted_p_value or 0.0,
        )
        label = result.definition.variant(worst.variant_id).label
        return [
            Light(
                "red",
                "The groups differed before the experiment",
                f"{label} differs in {worst.covariate} from the control, by more than chance explains. Whatever decided who"
                " got which variant was not chance alone.",
            )
        ]
    return [
        Light(
            "green",
            "The groups were alike before the experiment",
            f"Compared by {names}: no difference beyond chance.",
        )
    ]


@dataclass(frozen=True, slots=True)
class ReportContext:
    """The report's texts beyond the figures.

    Attributes:
        title: Heading of the page.
        subtitle: One line below it.
        generated_time: When the report was made; aware.
        limits: What the result can and cannot prove, a paragraph each.
        facts: About the data, label and text, in order.
        notes: Remarks for the technical appendix, a paragraph each.
        technical: Versions and revisions for the technical appendix, label and text, in order.
        who_responded: Section on uplift by member, HTML; empty without one.
    """

    title: str
    subtitle: str
    generated_time: datetime
    limits: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    technical: Mapping[str, str] = field(default_factory=dict)
    who_responded: str = ""


def result_report(result: ExperimentResult, generated_time: datetime, who_responded: str = "") -> str:
    """Return the report of a result with what its definition says, as one HTML document that loads nothing.

    Args:
        result: The result.
        generated_time: When the report is made; aware.
        who_responded: Section on uplift by member, HTML; empty without one.

    Returns:
        The document.
    """
    context = ReportContext(
        title=result.definition.experiment_id,
        subtitle=result.definition.hypothesis,
        generated_time=generated_time,
        who_responded=who_responded,
    )
    return build_report(result, context)


def build_report(result: ExperimentResult, context: ReportContext) -> str:
    """Return the report as one HTML document that loads nothing from anywhere.

    Args:
        result: The analysis.
        context: Titles, limits and facts around it.

    Returns:
        The HTML document.
    """
    rows = effect_rows(result)
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            context=context,
            definition=result.definition,
            headline=headline(result),
            treatments=treatment_verdicts(result),
            card_groups=card_groups(result),
            money=money_sentences(result),
            progress=progress(result),
            peeking=peeking_answer(result),
            lights=lights(result),
            effects_svg=effects_chart(rows) if rows else None,
            variant_charts=[(name, variants_chart(bars)) for name, bars in variant_bars(result)],
            segments=segment_tables(result),
            factors=factor_tables(result),
            who_responded=Markup(context.who_responded),  # noqa: S704 rendered with autoescape
            primary=result.definition.primary_metric.name,
            day_charts=[(name, days_chart(points)) for name, points in day_charts(result)],
            day_unit=day_unit(result),
            novelty=novelty_sentences(result),
            error_rates=result.decision.error_rates,
            variants=variant_rows(result),
            units=sentence_case(plural(result.definition.unit)),
            measured=measured_as(result),
            left_out=result.diagnostics.left_out,
            facts=technical_facts(result),
            technical=technical_tables(result),
            generated=f"{context.generated_time.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        )
    )
    return page.lstrip()
