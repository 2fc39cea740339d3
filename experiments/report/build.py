"""Builds the report of an experiment's result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from experiments.analysis import ExperimentResult
from experiments.report.charts import effects_chart, variants_chart
from experiments.report.content import effect_rows, headline, metric_cards, sample_ratio_light, variant_bars
from experiments.report.details import exclusions, measured_as, technical_rows, variant_rows


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
    """

    title: str
    subtitle: str
    generated_time: datetime
    limits: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    technical: Mapping[str, str] = field(default_factory=dict)


def build_report(result: ExperimentResult, context: ReportContext) -> str:
    """Return the report as one HTML document that loads nothing from anywhere.

    Args:
        result: The analysis.
        context: Titles, limits and facts around it.
    """
    environment = Environment(
        loader=PackageLoader("experiments.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_keep_together,
    )
    environment.filters["sentence_case"] = lambda text: text[:1].upper() + text[1:]
    rows = effect_rows(result)
    bars = variant_bars(result)
    return environment.get_template("report.html.j2").render(
        context=context,
        definition=result.definition,
        sentence=result.sentence(),
        headline=headline(result),
        light=sample_ratio_light(result),
        cards=metric_cards(result),
        # Vega escapes texts on its way to SVG; what comes back is markup.
        effects_svg=Markup(effects_chart(rows)) if rows else None,  # noqa: S704 see above
        variant_charts=[(name, Markup(variants_chart(chart))) for name, chart in bars],  # noqa: S704 see above
        variants=variant_rows(result),
        measured=measured_as(result),
        exclusions=exclusions(result),
        technical=technical_rows(result),
        generated=f"{context.generated_time.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
    )


def _keep_together(value: object) -> object:
    """Keep a number and its per-cent sign on one line; markup stays as it is."""
    return value.replace(" %", "\u00a0%") if type(value) is str else value
