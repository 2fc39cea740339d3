"""The charts of all pages.

Marks have colours that stand out on light and dark paper; texts, axes and grids take theirs from the page's style sheet, by the classes
that Vega gives them.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

CONTROL_COLOUR = "#8b95a5"
HIGHER_COLOUR = "#0d9488"
LOWER_COLOUR = "#dc5f2e"
UNDECIDED_COLOUR = "#b08a1e"
TREATMENT_COLOURS = (HIGHER_COLOUR, "#6366f1", "#c026d3", "#d97706")
_RANKING_COLOURS = (*TREATMENT_COLOURS, "#0284c7", CONTROL_COLOUR)
_PREDICTED_COLOUR = "#d97706"
_VALUED_COLOUR = "#6366f1"
_RUN_COLOURS = {"today": CONTROL_COLOUR, "new": HIGHER_COLOUR}
_PAGE_WIDTH = 680
_INTERVAL_WIDTH = 460
_BAR_WIDTH, _BAR_LABEL = 340, 240
_CURVE = (560, 320)
_DECILES = (440, 260)
_MAX_DAY_LABELS = 10


def svg(chart: alt.LayerChart | alt.FacetChart) -> Markup:
    """Return a chart in the pages' style, drawn."""
    styled = chart.configure(background="transparent", font="sans-serif", padding=4).configure_view(
        stroke=None
    )
    styled = styled.configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal")
    spec: dict[str, Any] = styled.configure_legend(labelFontSize=12).to_dict()
    # Vega escapes texts on its way to SVG; what comes back is markup.
    return Markup(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]))  # noqa: S704 see above


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One line of a plot of intervals.

    Attributes:
        label: What is compared.
        estimate: The effect, as a share or in money.
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


def effects_chart(rows: Sequence[IntervalRow]) -> Markup:
    """Return relative effects with their intervals around a line at zero."""
    axis = alt.Axis(
        format="+.0%",
        labelExpr="datum.value === 0 ? 'no change' : datum.label",
        title=None,
        tickCount=4,
        domain=False,
        ticks=False,
    )
    return _intervals(rows, axis, row_height=58, point_size=130, figure_width=80)


def differences_chart(rows: Sequence[IntervalRow]) -> Markup:
    """Return differences in money with their intervals around a line at zero."""
    axis = alt.Axis(format="+,.4~r", title=None, tickCount=4, domain=False, ticks=False)
    return _intervals(rows, axis, row_height=54, point_size=120, figure_width=90)


def _intervals(
    rows: Sequence[IntervalRow], axis: alt.Axis, *, row_height: int, point_size: int, figure_width: int
) -> Markup:
    ends = [0.0, *(end for row in rows for end in (row.lower, row.estimate, row.upper) if end is not None)]
    margin = (max(ends) - min(ends)) * 0.06 or 0.01
    domain = [min(ends) - margin, max(ends) + margin]
    # An open interval reaches to the edge of the plot.
    lines = [
        {
            **asdict(row),
            "lower": domain[0] if row.lower is None else row.lower,
            "upper": domain[1] if row.upper is None else row.upper,
        }
        for row in rows
    ]
    below = round(row_height / 5)
    scale = alt.Scale(domain=domain, nice=False, zero=False)
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    colour = alt.Color("colour:N", scale=None, legend=None)
    base = alt.Chart(
        alt.InlineData(values=[{"row": row, "zero": 0, **line} for row, line in enumerate(lines)])
    )
    chart = alt.layer(
        base.mark_tick(thickness=1.5, size=30, orient="vertical", yOffset=below, color="black").encode(
            x=alt.X("zero:Q", scale=scale, axis=axis), y=y
        ),
        base.mark_rule(strokeWidth=4, strokeCap="round", yOffset=below).encode(
            x="lower:Q", x2="upper:Q", y=y, color=colour
        ),
        base.mark_point(size=point_size, filled=True, opacity=1, yOffset=below).encode(
            x="estimate:Q", y=y, color=colour
        ),
        base.mark_text(align="left", fontSize=13, yOffset=-10, limit=_INTERVAL_WIDTH - figure_width).encode(
            x=alt.value(0), y=y, text="label:N"
        ),
        base.mark_text(align="right", fontSize=13, fontWeight="bold", yOffset=-10).encode(
            x=alt.value(_INTERVAL_WIDTH), y=y, text="text:N"
        ),
    ).properties(width=_INTERVAL_WIDTH, height=row_height * len(rows))
    return svg(chart)


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


def variants_chart(bars: Sequence[VariantBar]) -> Markup:
    """Return bars of one metric with the intervals of the variants' own figures."""
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
        base.mark_text(align="left", fontSize=13, yOffset=-11, limit=_BAR_LABEL).encode(
            x=alt.value(0), y=y, text="label:N"
        ),
        base.mark_text(align="right", fontSize=13, fontWeight="bold", yOffset=-11).encode(
            x=alt.value(_BAR_WIDTH), y=y, text="text:N"
        ),
    ).properties(width=_BAR_WIDTH, height=54 * len(bars))
    return svg(chart)


def days_chart(points: Sequence[DayPoint]) -> Markup:
    """Return the effect over the days of first exposure, around a line at zero."""
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
    ).properties(width=_PAGE_WIDTH, height=220)
    return svg(chart)


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


def curves_chart(points: Sequence[ChartPoint], banded: str, treated: str, unit: str) -> Markup:
    """Return the gains of rankings over the share of members treated, against a random order.

    Args:
        points: Of all rankings, each from depth 0 to depth 1.
        banded: The ranking whose band is drawn.
        treated: What is done to members: ``mailed``.
        unit: Title of the vertical axis.

    Returns:
        The SVG.
    """
    names = list(dict.fromkeys(point.ranking for point in points))
    colours = [_RANKING_COLOURS[place % len(_RANKING_COLOURS)] for place in range(len(names))]
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
    ).properties(width=_CURVE[0], height=_CURVE[1])
    return svg(chart)


def deciles_chart(points: Sequence[DecilePoint], unit: str) -> Markup:
    """Return predicted and actual effects by decile, the highest predictions first.

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
        base.mark_rule(strokeWidth=2.5, opacity=0.6, color=HIGHER_COLOUR).encode(
            x=x, y=height("lower"), y2="upper:Q"
        ),
        base.mark_point(size=60, filled=True, opacity=1, color=HIGHER_COLOUR).encode(x=x, y=height("actual")),
        base.mark_tick(thickness=3.5, size=24, color=_PREDICTED_COLOUR).encode(x=x, y=height("predicted")),
    ).properties(width=_DECILES[0], height=_DECILES[1])
    return svg(chart)


@dataclass(frozen=True, slots=True)
class ValuedPoint:
    """What a budget earns on the trial, with its band, in money."""

    cost: float
    gain: float
    lower: float
    upper: float


def budget_chart(
    curve: Sequence[tuple[float, float]], here: tuple[float, float], valued: Sequence[ValuedPoint] = ()
) -> Markup:
    """Return net gain over the money spent, with the plan's own point and what some budgets earn.

    Args:
        curve: Money and predicted net gain, rising.
        here: The plan's.
        valued: What the trial says of some budgets.

    Returns:
        The SVG.
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
        measured.mark_rule(strokeWidth=2.5, opacity=0.6, color=_VALUED_COLOUR).encode(
            x=x, y=alt.Y("lower:Q", title="net gain"), y2="upper:Q"
        ),
        measured.mark_point(size=60, filled=True, opacity=1, color=_VALUED_COLOUR).encode(x=x, y=y),
        alt.Chart(alt.InlineData(values=points))
        .mark_line(strokeWidth=2.5, color=HIGHER_COLOUR)
        .encode(x=x, y=y),
        alt.Chart(alt.InlineData(values=own))
        .mark_point(size=130, filled=True, opacity=1, color=LOWER_COLOUR)
        .encode(x=x, y=y),
        alt.Chart(alt.InlineData(values=own))
        .mark_text(align="right", fontSize=13, dx=-10, dy=-10)
        .encode(x=x, y=y, text="text:N"),
    ).properties(width=_PAGE_WIDTH, height=240)
    return svg(chart)


@dataclass(frozen=True, slots=True)
class BudgetPoint:
    """What is left of a budget at the end of a day, in money or units; ``run`` is ``today`` or ``new``."""

    run: str
    day: date
    left: float | None


def burn_down_chart(points: Sequence[BudgetPoint]) -> Markup:
    """Return what is left of one budget over the days, today and with the revision."""
    days = len({point.day for point in points})
    # Left alone, Vega labels the hours between few days with the same day again and again.
    step = alt.TimeIntervalStep(interval="day", step=-(-days // _MAX_DAY_LABELS))
    x = alt.X(
        "day:T",
        title=None,
        axis=alt.Axis(format="%-d %b", tickCount=step, domain=False, ticks=False, grid=False),
    )
    y = alt.Y("left:Q", title="left", scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=4, domain=False))
    scale = alt.Scale(domain=list(_RUN_COLOURS), range=list(_RUN_COLOURS.values()))
    values = [{**asdict(point), "day": point.day.isoformat()} for point in points]
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=x, y=y, color=alt.Color("run:N", title=None, scale=scale)
    )
    chart = alt.layer(base.mark_line(strokeWidth=2), base.mark_point(size=30, filled=True, opacity=1))
    return svg(chart.properties(width=_PAGE_WIDTH, height=200))
