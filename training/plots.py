"""Charts of training runs, as PNG images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluation import METRICS, Estimate, Evaluation, ValidationWindow, ratio_estimate

_COLOURS = {"highlight": "#1f6f8b", "other": "#9aa5ab"}
_PARTS = 10


def comparison_chart(metrics: Mapping[str, Mapping[str, Estimate]], champion: str) -> bytes:
    """Draw every model's metrics with 95 % intervals.

    Args:
        metrics: Estimate by metric name, by model name.
        champion: Model to highlight.
    """
    import altair as alt

    rows = [
        {
            "model": model,
            "metric": METRICS[metric],
            "value": estimate.value,
            "low": estimate.interval[0],
            "high": estimate.interval[1],
            "colour": _COLOURS["highlight" if model == champion else "other"],
        }
        for model, estimates in metrics.items()
        for metric, estimate in estimates.items()
    ]
    best_first = sorted(metrics, key=lambda model: -metrics[model]["hits_per_trip"].value)
    panels = []
    for title in METRICS.values():
        base = alt.Chart({"values": [row for row in rows if row["metric"] == title]}).encode(
            y=alt.Y("model:N", sort=best_first, title=None),
            color=alt.Color("colour:N", scale=None, legend=None),
        )
        panels.append(
            alt.layer(
                base.mark_point(filled=True, size=70).encode(
                    x=alt.X("value:Q", title=title, scale=alt.Scale(zero=True))
                ),
                base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=title), x2="high:Q"),
            ).properties(width=220, height=150)
        )
    return _png(alt.hconcat(*panels, title="Validation window, 95 % intervals over members"))


def activity_chart(
    evaluations: Mapping[str, Evaluation], window: ValidationWindow, activity: npt.NDArray[np.float64]
) -> bytes:
    """Draw hits per trip by how active members were before.

    Args:
        evaluations: The model and, where there is one, a reference, by name; the model comes first.
        window: The validation window of both.
        activity: Purchase rows of each of the window's members before the window.
    """
    import altair as alt

    rows = []
    for name, evaluation in evaluations.items():
        for part, estimate in enumerate(_by_part(evaluation.hits, window, activity), start=1):
            low, high = estimate.interval
            rows.append({"model": name, "part": part, "value": estimate.value, "low": low, "high": high})
    colours = list(_COLOURS.values())[: len(evaluations)]
    base = alt.Chart({"values": rows}).encode(
        x=alt.X(
            "part:O", title="Members by purchases before the window (1 = fewest)", axis=alt.Axis(labelAngle=0)
        ),
        color=alt.Color("model:N", title=None, scale=alt.Scale(domain=list(evaluations), range=colours)),
    )
    title = METRICS["hits_per_trip"]
    chart = alt.layer(
        base.mark_line(point=True).encode(y=alt.Y("value:Q", title=title)),
        base.mark_rule().encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
    )
    heading = f"{title} by member activity, 95 % intervals"
    return _png(chart.properties(width=420, height=240, title=heading))


def _by_part(
    hits: npt.NDArray[np.float64], window: ValidationWindow, activity: npt.NDArray[np.float64]
) -> Sequence[Estimate]:
    """Split members into parts of equal size by activity; fewer parts where members are few."""
    parts = max(1, min(_PARTS, len(activity) // 2))
    order = np.argsort(activity, kind="stable")
    trips = window.member_trips
    return [ratio_estimate(hits[part], trips[part]) for part in np.array_split(order, parts)]


def _png(chart: Any) -> bytes:
    import vl_convert

    image: bytes = vl_convert.vegalite_to_png(chart.to_json(), scale=1.5)
    return image
