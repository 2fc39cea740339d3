"""The report's charts, as SVG text.

Marks have colours that stand out on light and dark paper; texts, axes and grids take theirs from the page's style
sheet, by the classes that Vega gives them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import altair as alt
import vl_convert

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
        lower: Lower end of its interval; none if it is open.
        upper: Upper end; none if it is open.
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
