"""Charts of training runs, as PNG images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.stats.estimate import Estimate
from training.evaluation import ModelEvaluation, over_members
from training.evaluation.evaluation import metric_title
from training.evaluation.ranking import calibration_table

COLOURS = {"highlight": "#1f6f8b", "other": "#9aa5ab"}
_PARTS = 10
_MAX_FEATURES = 20


def activity_chart(
    evaluations: Mapping[str, ModelEvaluation], metric: str, trips: npt.NDArray[np.floating]
) -> bytes:
    """Draw a metric by how active members are.

    Args:
        evaluations: The model and, where there is one, a reference, by name; the model comes first.
        metric: The metric.
        trips: float[cases], trips of the member of each case in the history that serves.

    Returns:
        A PNG image.
    """
    import altair as alt

    rows = [
        {"model": name, "part": part} | with_interval(estimate)
        for name, evaluation in evaluations.items()
        for part, estimate in enumerate(_by_part(evaluation, metric, trips), start=1)
    ]
    colours = list(COLOURS.values())[: len(evaluations)]
    base = alt.Chart({"values": rows}).encode(
        x=alt.X("part:O", title="Members by number of trips (1 = fewest)", axis=alt.Axis(labelAngle=0)),
        color=alt.Color("model:N", title=None, scale=alt.Scale(domain=list(evaluations), range=colours)),
    )
    title = metric_title(metric)
    chart = alt.layer(
        base.mark_line(point=True).encode(y=alt.Y("value:Q", title=title)),
        base.mark_rule().encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
    )
    heading = f"{title} by member activity, 95 % intervals"
    return chart_png(chart.properties(width=420, height=240, title=heading))


def calibration_chart(evaluation: ModelEvaluation) -> bytes:
    """Draw predicted probability against the share of hits, of all offers that were listed."""
    import altair as alt

    there = np.concatenate([part.offers.ravel() >= 0 for part in evaluation.lists])
    scores = np.concatenate([part.scores.ravel() for part in evaluation.lists])[there]
    hits = np.concatenate([part.relevant.ravel() for part in evaluation.lists])[there]
    rows = [
        {"predicted": predicted, "actual": actual} for predicted, actual, _ in calibration_table(scores, hits)
    ]
    most = max([0.01, *(max(row.values()) for row in rows)])
    ideal = [{"predicted": end, "actual": end} for end in (0.0, most)]
    axes = {
        "x": alt.X("predicted:Q", title="Predicted probability"),
        "y": alt.Y("actual:Q", title="Share of hits"),
    }
    chart = alt.layer(
        alt.Chart({"values": ideal})
        .mark_line(color=COLOURS["other"], strokeDash=[4, 4])
        .encode(x="predicted:Q", y="actual:Q"),
        alt.Chart({"values": rows}).mark_line(point=True, color=COLOURS["highlight"]).encode(**axes),
    )
    return chart_png(chart.properties(width=320, height=320, title="Calibration of the listed offers"))


def gains_chart(gains: Mapping[str, float]) -> bytes:
    """Draw the features with the largest share of the trees' gain."""
    import altair as alt

    top = sorted(gains.items(), key=lambda item: -item[1])[:_MAX_FEATURES]
    rows = [{"feature": name, "share": share} for name, share in top]
    chart = (
        alt.Chart({"values": rows})
        .mark_bar(color=COLOURS["highlight"])
        .encode(
            x=alt.X("share:Q", title="Share of gain", axis=alt.Axis(format="%")),
            y=alt.Y("feature:N", sort=[name for name, _ in top], title=None),
        )
    )
    return chart_png(chart.properties(width=360, title="What the trees look at"))


def learning_chart(learning: Sequence[tuple[int, float]], metric: str) -> bytes:
    """Draw a validation metric by the number of trees."""
    import altair as alt

    rows = [{"trees": trees, "value": value} for trees, value in learning]
    title = metric_title(metric)
    chart = (
        alt.Chart({"values": rows})
        .mark_line(color=COLOURS["highlight"])
        .encode(
            x=alt.X("trees:Q", title="Trees"),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
        )
    )
    return chart_png(chart.properties(width=420, height=240, title=f"{title} on validation while learning"))


def with_interval(estimate: Estimate) -> dict[str, float | None]:
    """Return an estimate as a row of a chart: ``value``, ``low`` and ``high``, which are the value where the error is not known."""
    low, high = estimate.interval
    known = estimate.standard_error == estimate.standard_error  # NaN when it is not known
    return {
        "value": estimate.value,
        "low": low if known else estimate.value,
        "high": high if known else estimate.value,
    }


def _by_part(evaluation: ModelEvaluation, metric: str, trips: npt.NDArray[np.floating]) -> list[Estimate]:
    """Split members into parts of equal size by activity; fewer parts where members are few."""
    values, members = evaluation.cases[metric], evaluation.members
    parts = max(1, min(_PARTS, len(np.unique(members)) // 2))
    order = np.lexsort((members, trips))
    return [over_members(values[part], members[part]) for part in np.array_split(order, parts)]


def chart_png(chart: Any) -> bytes:
    """Return a chart as a PNG image."""
    import vl_convert

    image: bytes = vl_convert.vegalite_to_png(chart.to_json(), scale=1.5)
    return image


def as_png(svg: str) -> bytes:
    """Return an SVG text as a PNG image at twice its size, on white."""
    import vl_convert

    image: bytes = vl_convert.svg_to_png(svg, scale=2)
    return image
