"""The report's charts, as SVG text.

Marks have colours that stand out on light and dark paper; texts, axes and grids take theirs from the page's style
sheet, by the classes that Vega gives them.

The charts of an evaluation, as SVG text: what a ranking brings by depth, and predicted beside actual effects.

Marks have colours that stand out on light and dark paper; texts, axes and grids take theirs from the page's style sheet.

The charts of a plan, as SVG text: what it earns more than what is simpler, and what each budget buys.

Marks have colours that stand out on light and dark paper; texts, axes and grids take theirs from the page's style sheet.

What the charts show: the effects that have an interval, and the variants' own figures.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import altair as alt
import vl_convert

from experiments.analysis import ExperimentResult, MetricComparison, Verdict
from experiments.number_format import percent
from experiments.pages.experiment_words import figures_of
from experiments.stats import relative_estimate

CONTROL_COLOUR = "#8b95a5"
HIGHER_COLOUR = "#0d9488"
LOWER_COLOUR = "#dc5f2e"
UNDECIDED_COLOUR = "#b08a1e"
TREATMENT_COLOURS = ("#0d9488", "#6366f1", "#c026d3", "#d97706")
_FONT = "sans-serif"
_WIDTH = 340
_LABEL_WIDTH = 240
_EFFECT_WIDTH = 460
_DAY_WIDTH = 680
_ROW_HEIGHT = 58


@dataclass(frozen=True, slots=True)
class EffectRow:
    """One line of the plot of effects.

    Attributes:
        label: What is compared.
        estimate: Relative effect, as a share.
        lower: Lower end of its interval; ``None`` if it is open.
        upper: Upper end; ``None`` if it is open.
        text: The effect in words, written beside the label.
        colour: Colour of the interval.
    """

    label: str
    estimate: float
    lower: float | None
    upper: float | None
    text: str
    colour: str


@dataclass(frozen=True, slots=True)
class VariantBar:
    """One bar of the plot of a metric.

    Attributes:
        label: The variant.
        mean: The metric in it.
        lower: Lower end of its interval.
        upper: Upper end.
        text: The figure as written at the bar.
        colour: Colour of the bar.
    """

    label: str
    mean: float
    lower: float
    upper: float
    text: str
    colour: str


@dataclass(frozen=True, slots=True)
class DayPoint:
    """The effect among those first exposed on one day, with its interval; the day as ISO text."""

    day: str
    estimate: float
    lower: float
    upper: float
    colour: str


def effects_chart(rows: Sequence[EffectRow]) -> str:
    """Return a plot of relative effects with their intervals around a line at zero, as SVG."""
    ends = [0.0, *(end for row in rows for end in (row.lower, row.estimate, row.upper) if end is not None)]
    margin = (max(ends) - min(ends)) * 0.06 or 0.01
    domain = [min(ends) - margin, max(ends) + margin]
    scale = alt.Scale(domain=domain, nice=False, zero=False)
    # An open interval reaches to the edge of the plot.
    lines = [
        {
            **asdict(row),
            "lower": domain[0] if row.lower is None else row.lower,
            "upper": domain[1] if row.upper is None else row.upper,
        }
        for row in rows
    ]
    data = alt.InlineData(values=[{"row": index, "zero": 0, **line} for index, line in enumerate(lines)])
    axis = alt.Axis(
        format="+.0%",
        labelExpr="datum.value === 0 ? 'no change' : datum.label",
        title=None,
        tickCount=4,
        domain=False,
        ticks=False,
    )
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    colour = alt.Color("colour:N", scale=None, legend=None)
    base = alt.Chart(data)
    chart = alt.layer(
        base.mark_tick(thickness=1.5, size=30, orient="vertical", yOffset=12, color="black").encode(
            x=alt.X("zero:Q", scale=scale, axis=axis), y=y
        ),
        base.mark_rule(strokeWidth=4, strokeCap="round", yOffset=12).encode(
            x="lower:Q", x2="upper:Q", y=y, color=colour
        ),
        base.mark_point(size=130, filled=True, opacity=1, yOffset=12).encode(
            x="estimate:Q", y=y, color=colour
        ),
        base.mark_text(align="left", fontSize=13, yOffset=-10, limit=_EFFECT_WIDTH - 80).encode(
            x=alt.value(0), y=y, text="label:N"
        ),
        base.mark_text(align="right", fontSize=13, fontWeight="bold", yOffset=-10).encode(
            x=alt.value(_EFFECT_WIDTH), y=y, text="text:N"
        ),
    ).properties(width=_EFFECT_WIDTH, height=_ROW_HEIGHT * len(rows))
    return _svg(chart)


def variants_chart(bars: Sequence[VariantBar]) -> str:
    """Return bars of one metric with the intervals of the variants' own figures, as SVG."""
    data = alt.InlineData(values=[asdict(bar) for bar in bars])
    order = [bar.label for bar in bars]
    lowest, highest = min(0.0, *(bar.lower for bar in bars)), max(0.0, *(bar.upper for bar in bars))
    scale = alt.Scale(domain=[lowest, highest or 1.0], nice=False)
    y = alt.Y("label:N", sort=order, title=None, axis=alt.Axis(domain=False, ticks=False, labels=False))
    base = alt.Chart(data)
    chart = alt.layer(
        base.mark_bar(height=16, yOffset=8).encode(
            x=alt.X("mean:Q", scale=scale, axis=None),
            y=y,
            color=alt.Color("colour:N", scale=None, legend=None),
        ),
        base.mark_rule(strokeWidth=2, yOffset=8).encode(x="lower:Q", x2="upper:Q", y=y),
        base.mark_text(align="left", fontSize=13, yOffset=-11, limit=_LABEL_WIDTH).encode(
            x=alt.value(0), y=y, text="label:N"
        ),
        base.mark_text(align="right", fontSize=13, fontWeight="bold", yOffset=-11).encode(
            x=alt.value(_WIDTH), y=y, text="text:N"
        ),
    ).properties(width=_WIDTH, height=54 * len(bars))
    return _svg(chart)


def days_chart(points: Sequence[DayPoint]) -> str:
    """Return the effect over the days of first exposure, around a line at zero, as SVG."""
    data = alt.InlineData(values=[{"zero": 0, **asdict(point)} for point in points])
    x = alt.X(
        "day:T",
        title=None,
        axis=alt.Axis(format="%-d %b", tickCount=min(6, len(points)), domain=False, ticks=False, grid=False),
    )
    axis = alt.Axis(format="+,.4~r", title=None, tickCount=4, domain=False, ticks=False)
    colour = alt.Color("colour:N", scale=None, legend=None)
    base = alt.Chart(data)
    chart = alt.layer(
        base.mark_rule(strokeWidth=1.5, color="black").encode(y=alt.Y("zero:Q", axis=axis)),
        base.mark_rule(strokeWidth=2, opacity=0.45).encode(x=x, y="lower:Q", y2="upper:Q", color=colour),
        base.mark_point(size=45, filled=True, opacity=1).encode(x=x, y="estimate:Q", color=colour),
    ).properties(width=_DAY_WIDTH, height=220)
    return _svg(chart)


def _svg(chart: alt.LayerChart | alt.FacetChart) -> str:
    styled = chart.configure(background="transparent", font=_FONT, padding=4)
    styled = styled.configure_view(stroke=None).configure_axis(labelFontSize=12)
    spec: dict[str, Any] = styled.to_dict()
    svg: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return svg


LINE_COLOURS = ("#0d9488", "#6366f1", "#c026d3", "#d97706", "#0284c7", "#8b95a5")
PREDICTED_COLOUR = "#d97706"
ACTUAL_COLOUR = "#0d9488"
_EFFECT_CURVE = (560, 320)
_DECILES = (440, 260)


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """A ranking's gain at a depth (a share of members), and its band, in the unit that is shown."""

    ranking: str
    depth: float
    gain: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class DecilePoint:
    """A decile's predicted and actual effect, and the actual one's interval, in the unit that is shown."""

    decile: int
    predicted: float
    actual: float
    lower: float
    upper: float


def curves_chart(points: Sequence[ChartPoint], banded: str, treated: str, unit: str) -> str:
    """Return the gains of rankings over the share of members treated, against a random order, as SVG.

    Args:
        points: Of all rankings, each from depth 0 to depth 1.
        banded: The ranking whose band is drawn.
        treated: What is done to members: ``mailed``.
        unit: Title of the vertical axis.
    """
    names = list(dict.fromkeys(point.ranking for point in points))
    colours = [LINE_COLOURS[place % len(LINE_COLOURS)] for place in range(len(names))]
    last = next(point for point in points if point.ranking == banded and point.depth == 1)
    ends = alt.InlineData(values=[{"depth": depth, "gain": depth * last.gain} for depth in (0.0, 1.0)])
    colour = alt.Color(
        "ranking:N",
        scale=alt.Scale(domain=names, range=colours),
        legend=alt.Legend(
            title=None, orient="top", columns=2, labelLimit=320, symbolType="stroke", symbolSize=300
        ),
    )
    x = alt.X(
        "depth:Q",
        title=f"share of members {treated}",
        axis=alt.Axis(format=".0%", tickCount=5, domain=False, ticks=False, grid=False),
        scale=alt.Scale(domain=[0, 1]),
    )
    y = alt.Y("gain:Q", title=unit, axis=alt.Axis(format=",.4~r", tickCount=5, domain=False, ticks=False))
    lines = alt.Chart(alt.InlineData(values=[asdict(point) for point in points]))
    band = lines.transform_filter(alt.FieldEqualPredicate(field="ranking", equal=banded))
    chart = alt.layer(
        band.mark_area(opacity=0.16, color=colours[names.index(banded)]).encode(
            x=x, y=alt.Y("lower:Q", title=unit), y2="upper:Q"
        ),
        alt.Chart(ends).mark_line(strokeDash=[5, 4], strokeWidth=1.5, color="black").encode(x=x, y=y),
        lines.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour),
    ).properties(width=_EFFECT_CURVE[0], height=_EFFECT_CURVE[1])
    return _effect_svg(chart)


def deciles_chart(points: Sequence[DecilePoint], unit: str) -> str:
    """Return predicted and actual effects by decile, the highest predictions first, as SVG.

    Args:
        points: One per decile.
        unit: Title of the vertical axis.
    """
    # The interval of a single member reaches to infinity, and is not drawn.
    shown = [point for point in points if math.isfinite(point.upper)]
    data = alt.InlineData(values=[{"zero": 0, **asdict(point)} for point in shown])
    reached = [0.0, *(end for point in shown for end in (point.lower, point.upper, point.predicted))]
    scale = alt.Scale(domain=[min(reached), max(reached) or 1.0], nice=True)
    axis = alt.Axis(format=",.4~r", tickCount=5, domain=False, ticks=False)
    x = alt.X(
        "decile:O",
        title="tenth of members, 1 has the highest predictions",
        axis=alt.Axis(labelAngle=0, domain=False, ticks=False),
    )

    def height(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=unit, axis=axis, scale=scale)

    base = alt.Chart(data)
    chart = alt.layer(
        base.mark_rule(strokeWidth=1.5, color="black").encode(y=height("zero")),
        base.mark_rule(strokeWidth=2.5, opacity=0.6, color=ACTUAL_COLOUR).encode(
            x=x, y=height("lower"), y2="upper:Q"
        ),
        base.mark_point(size=60, filled=True, opacity=1, color=ACTUAL_COLOUR).encode(x=x, y=height("actual")),
        base.mark_tick(thickness=3.5, size=24, color=PREDICTED_COLOUR).encode(x=x, y=height("predicted")),
    ).properties(width=_DECILES[0], height=_DECILES[1])
    return _effect_svg(chart)


def _effect_svg(chart: alt.LayerChart | alt.FacetChart) -> str:
    styled = chart.configure(background="transparent", font="sans-serif", padding=4)
    styled = styled.configure_view(stroke=None).configure_axis(
        labelFontSize=12, titleFontSize=12, titleFontWeight="normal"
    )
    spec: dict[str, Any] = styled.configure_legend(labelFontSize=12).to_dict()
    svg: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return svg


VALUED_COLOUR = "#6366f1"
_PLAN_WIDTH = 460
_PLAN_ROW_HEIGHT = 54
_PLAN_CURVE = (680, 240)


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A difference with its interval, its figure in words, and its colour."""

    label: str
    estimate: float
    lower: float
    upper: float
    text: str
    colour: str


def differences_chart(rows: Sequence[DifferenceRow]) -> str:
    """Return differences with their intervals around a line at zero, as SVG."""
    ends = [0.0, *(end for row in rows for end in (row.lower, row.estimate, row.upper))]
    margin = (max(ends) - min(ends)) * 0.06 or 0.01
    scale = alt.Scale(domain=[min(ends) - margin, max(ends) + margin], nice=False, zero=False)
    data = alt.InlineData(values=[{"row": place, "zero": 0, **asdict(row)} for place, row in enumerate(rows)])
    axis = alt.Axis(format="+,.4~r", title=None, tickCount=4, domain=False, ticks=False)
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    colour = alt.Color("colour:N", scale=None, legend=None)
    base = alt.Chart(data)
    chart = alt.layer(
        base.mark_tick(thickness=1.5, size=30, orient="vertical", yOffset=11, color="black").encode(
            x=alt.X("zero:Q", scale=scale, axis=axis), y=y
        ),
        base.mark_rule(strokeWidth=4, strokeCap="round", yOffset=11).encode(
            x="lower:Q", x2="upper:Q", y=y, color=colour
        ),
        base.mark_point(size=120, filled=True, opacity=1, yOffset=11).encode(
            x="estimate:Q", y=y, color=colour
        ),
        base.mark_text(align="left", fontSize=13, yOffset=-10, limit=_PLAN_WIDTH - 90).encode(
            x=alt.value(0), y=y, text="label:N"
        ),
        base.mark_text(align="right", fontSize=13, fontWeight="bold", yOffset=-10).encode(
            x=alt.value(_PLAN_WIDTH), y=y, text="text:N"
        ),
    ).properties(width=_PLAN_WIDTH, height=_PLAN_ROW_HEIGHT * len(rows))
    return _plan_svg(chart)


@dataclass(frozen=True, slots=True)
class ValuedPoint:
    """What a budget earns on the trial, with its band, in money."""

    cost: float
    gain: float
    lower: float
    upper: float


def budget_chart(
    curve: Sequence[tuple[float, float]], here: tuple[float, float], valued: Sequence[ValuedPoint] = ()
) -> str:
    """Return net gain over the money spent, with the plan's own point and what some budgets earn, as SVG.

    Args:
        curve: Money and predicted net gain, rising.
        here: The plan's.
        valued: What the trial says of some budgets.
    """
    x = alt.X(
        "cost:Q",
        title="money spent on sends",
        axis=alt.Axis(format=",.4~r", tickCount=6, domain=False, ticks=False, grid=False),
    )
    y = alt.Y(
        "gain:Q",
        title="net gain",
        axis=alt.Axis(format=",.4~r", tickCount=4, domain=False, ticks=False),
    )
    points = [{"cost": cost, "gain": gain} for cost, gain in curve]
    own = [{"cost": here[0], "gain": here[1], "text": "this plan"}]
    measured = alt.Chart(alt.InlineData(values=[asdict(point) for point in valued]))
    chart = alt.layer(
        measured.mark_rule(strokeWidth=2.5, opacity=0.6, color=VALUED_COLOUR).encode(
            x=x, y=alt.Y("lower:Q", title="net gain"), y2="upper:Q"
        ),
        measured.mark_point(size=60, filled=True, opacity=1, color=VALUED_COLOUR).encode(x=x, y=y),
        alt.Chart(alt.InlineData(values=points))
        .mark_line(strokeWidth=2.5, color=HIGHER_COLOUR)
        .encode(x=x, y=y),
        alt.Chart(alt.InlineData(values=own))
        .mark_point(size=130, filled=True, opacity=1, color=LOWER_COLOUR)
        .encode(x=x, y=y),
        alt.Chart(alt.InlineData(values=own))
        .mark_text(align="right", fontSize=13, dx=-10, dy=-10)
        .encode(x=x, y=y, text="text:N"),
    ).properties(width=_PLAN_CURVE[0], height=_PLAN_CURVE[1])
    return _plan_svg(chart)


def _plan_svg(chart: alt.LayerChart | alt.FacetChart) -> str:
    styled = chart.configure(background="transparent", font="sans-serif", padding=4)
    styled = styled.configure_view(stroke=None).configure_axis(
        labelFontSize=12, titleFontSize=12, titleFontWeight="normal"
    )
    spec: dict[str, Any] = styled.to_dict()
    svg: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return svg


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


def _colour(result: ExperimentResult, one: MetricComparison) -> str:
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
