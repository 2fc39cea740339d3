"""Charts of a member table's run, as PNG images."""

import polars as pl

from training.members.descriptions import SEGMENTS
from training.members.forecast import Validation
from training.plots import chart_png

_COLOUR, _OTHER = "#1f6f8b", "#9aa5ab"


def member_plots(
    table: pl.DataFrame, cohorts: pl.DataFrame, validation: Validation | None
) -> dict[str, bytes]:
    """Return the charts that there is data for, by file name.

    Args:
        table: The member table.
        cohorts: As ``retention`` returns it.
        validation: How forecasts did; ``None`` if they were not tried.
    """
    plots = {
        "segments.png": _bars(table["rfm_segment"], "RFM segment", list(SEGMENTS)),
        "lifecycle.png": _bars(table["lifecycle_stage"], "lifecycle stage", None),
    }
    if cohorts.height:
        plots["retention.png"] = _retention(cohorts)
    if validation is not None:
        plots["churn_calibration.png"] = _calibration(validation)
        plots["weekly_orders.png"] = _weeks(validation)
    return plots


def _bars(values: pl.Series, title: str, order: list[str] | None) -> bytes:
    import altair as alt

    counts = values.alias("name").value_counts().sort("name").to_dicts()
    chart = alt.Chart({"values": counts}).encode(
        y=alt.Y("name:N", sort=order, title=None),
        x=alt.X("count:Q", title="members"),
        text=alt.Text("count:Q", format=","),
    )
    layered = alt.layer(chart.mark_bar(color=_COLOUR), chart.mark_text(align="left", dx=4))
    return chart_png(layered.properties(width=420, title=f"Members by {title}"))


def _retention(cohorts: pl.DataFrame) -> bytes:
    import altair as alt

    rows = cohorts.with_columns(pl.col("cohort").dt.strftime("%Y-%m")).to_dicts()
    chart = (
        alt.Chart({"values": rows})
        .mark_rect()
        .encode(
            x=alt.X("months:O", title="months after the first order"),
            y=alt.Y("cohort:O", title="month of the first order"),
            color=alt.Color(
                "share:Q", title="ordered", scale=alt.Scale(scheme="teals"), legend=alt.Legend(format="%")
            ),
        )
    )
    return chart_png(chart.properties(width=480, title="Retention by cohort"))


def _calibration(validation: Validation) -> bytes:
    import altair as alt

    rows = [{"predicted": one.predicted, "actual": one.actual} for one in validation.churn]
    line = [{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}]
    diagonal = alt.Chart({"values": line}).mark_line(color=_OTHER, strokeDash=[4, 4]).encode(x="x:Q", y="y:Q")
    points = (
        alt.Chart({"values": rows})
        .mark_line(point=True, color=_COLOUR)
        .encode(
            x=alt.X("predicted:Q", title="predicted probability of no order", axis=alt.Axis(format="%")),
            y=alt.Y("actual:Q", title="share without an order", axis=alt.Axis(format="%")),
        )
    )
    return chart_png(
        alt.layer(diagonal, points).properties(width=320, height=320, title="Churn, predicted and actual")
    )


def _weeks(validation: Validation) -> bytes:
    import altair as alt

    rows = [
        {"week": one.number, "orders": value, "what": what}
        for one in validation.weeks
        for what, value in (("actual", one.actual), ("predicted", one.predicted))
    ]
    chart = (
        alt.Chart({"values": rows})
        .mark_line(point=True)
        .encode(
            x=alt.X("week:Q", title=f"weeks after {validation.split}"),
            y=alt.Y("orders:Q", title="orders"),
            color=alt.Color(
                "what:N",
                title=None,
                scale=alt.Scale(domain=["actual", "predicted"], range=[_COLOUR, "#d97706"]),
            ),
        )
    )
    return chart_png(
        chart.properties(width=420, height=240, title="Orders by week in the window that models did not see")
    )
