"""The charts of an evaluation, as SVG text: what a ranking brings by depth, and predicted beside actual effects.

Marks have colours that stand out on light and dark paper; texts, axes and grids take theirs from the page's style sheet.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import altair as alt
import vl_convert

LINE_COLOURS = ("#0d9488", "#6366f1", "#c026d3", "#d97706", "#0284c7", "#8b95a5")
PREDICTED_COLOUR = "#d97706"
ACTUAL_COLOUR = "#0d9488"
_CURVE = (560, 320)
_DECILES = (440, 260)


@dataclass(frozen=True, slots=True)
class CurvePoint:
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


def curves_chart(points: Sequence[CurvePoint], banded: str, treated: str, unit: str) -> str:
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
    ).properties(width=_CURVE[0], height=_CURVE[1])
    return _svg(chart)


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
    return _svg(chart)


def _svg(chart: alt.LayerChart | alt.FacetChart) -> str:
    styled = chart.configure(background="transparent", font="sans-serif", padding=4)
    styled = styled.configure_view(stroke=None).configure_axis(
        labelFontSize=12, titleFontSize=12, titleFontWeight="normal"
    )
    spec: dict[str, Any] = styled.configure_legend(labelFontSize=12).to_dict()
    svg: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return svg
