"""The charts of a plan, as SVG text: what it earns more than what is simpler, and what each budget buys.

Marks have colours that stand out on light and dark paper; texts, axes and grids take theirs from the page's style sheet.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import altair as alt
import vl_convert

HIGHER_COLOUR = "#0d9488"
LOWER_COLOUR = "#dc5f2e"
UNDECIDED_COLOUR = "#b08a1e"
VALUED_COLOUR = "#6366f1"
_WIDTH = 460
_ROW_HEIGHT = 54
_CURVE = (680, 240)


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
        base.mark_text(align="left", fontSize=13, yOffset=-10, limit=_WIDTH - 90).encode(
            x=alt.value(0), y=y, text="label:N"
        ),
        base.mark_text(align="right", fontSize=13, fontWeight="bold", yOffset=-10).encode(
            x=alt.value(_WIDTH), y=y, text="text:N"
        ),
    ).properties(width=_WIDTH, height=_ROW_HEIGHT * len(rows))
    return _svg(chart)


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
    ).properties(width=_CURVE[0], height=_CURVE[1])
    return _svg(chart)


def _svg(chart: alt.LayerChart | alt.FacetChart) -> str:
    styled = chart.configure(background="transparent", font="sans-serif", padding=4)
    styled = styled.configure_view(stroke=None).configure_axis(
        labelFontSize=12, titleFontSize=12, titleFontWeight="normal"
    )
    spec: dict[str, Any] = styled.to_dict()
    svg: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return svg
