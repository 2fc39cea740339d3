"""Builds the report of an experiment's result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from experiments.analysis import ExperimentResult
from experiments.pages.charts import days_chart, effects_chart, variants_chart
from experiments.pages.experiment_details import measured_as, technical_facts, technical_tables, variant_rows
from experiments.pages.experiment_figures import (
    day_charts,
    day_unit,
    factor_tables,
    novelty_sentences,
    segment_tables,
)
from experiments.pages.experiment_verdict import headline, money_sentences, progress, treatment_verdicts
from experiments.pages.experiment_words import many
from experiments.report.cards import card_groups
from experiments.report.groups import lights
from experiments.report.peeking import peeking_answer
from experiments.report.pictures import effect_rows, variant_bars


@dataclass(frozen=True, slots=True)
class ReportContext:
    """What the report says beyond the figures.

    Attributes:
        title: Heading of the page.
        subtitle: One line below it.
        generated_time: When the report was made; aware.
        limits: What the result can and cannot prove, a paragraph each.
        facts: About the data, label and text, in order.
        notes: Remarks for the technical appendix, a paragraph each.
        technical: Versions and revisions for the technical appendix, label and text, in order.
        who_responded: Section on effects by member, HTML; empty without one.
    """

    title: str
    subtitle: str
    generated_time: datetime
    limits: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    technical: Mapping[str, str] = field(default_factory=dict)
    who_responded: str = ""


def build_report(result: ExperimentResult, context: ReportContext) -> str:
    """Return the report as one HTML document that loads nothing from anywhere.

    Args:
        result: The analysis.
        context: Titles, limits and facts around it.
    """
    rows = effect_rows(result)
    page = (
        _environment()
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
            effects_svg=_svg(effects_chart(rows)) if rows else None,
            variant_charts=[(name, _svg(variants_chart(bars))) for name, bars in variant_bars(result)],
            segments=segment_tables(result),
            factors=factor_tables(result),
            who_responded=Markup(context.who_responded),  # noqa: S704 rendered with autoescape
            primary=result.definition.primary_metric.name,
            day_charts=[(name, _svg(days_chart(points))) for name, points in day_charts(result)],
            day_unit=day_unit(result),
            novelty=novelty_sentences(result),
            error_rates=result.decision.error_rates,
            variants=variant_rows(result),
            units=_sentence_case(many(result.definition.unit)),
            measured=measured_as(result),
            left_out=result.diagnostics.left_out,
            facts=technical_facts(result),
            technical=technical_tables(result),
            generated=f"{context.generated_time.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        )
    )
    return page.lstrip()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("experiments.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_keep_together,
    )
    environment.filters["sentence_case"] = _sentence_case
    return environment


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]


def _svg(chart: str) -> Markup:
    # Vega escapes texts on its way to SVG; what comes back is markup.
    return Markup(chart)  # noqa: S704 see above


def _keep_together(value: object) -> object:
    """Keep a number and its per-cent sign on one line; markup stays as it is."""
    return value.replace(" %", "\u00a0%") if type(value) is str else value
