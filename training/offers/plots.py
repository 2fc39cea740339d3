"""Charts of a training job for offers, as PNG images."""

from training.bundle.history import TRIPS
from training.bundle.ranker import Ranker
from training.evaluation.reporting import COUNTING, metric_title
from training.offers.result import TrainedModel, TrainOffersResult
from training.plots import (
    COLOURS,
    activity_chart,
    calibration_chart,
    chart_png,
    gains_chart,
    learning_chart,
    with_interval,
)
from training.tracking.runs import JobInfo


def model_plots(trained: TrainedModel, job: JobInfo, counting: TrainedModel | None) -> dict[str, bytes]:
    """Return the charts of one model that there is data for, by file name.

    Args:
        trained: The model.
        job: What all models of the job have in common.
        counting: What it is compared with, or ``None``.
    """
    shown = {trained.name: trained.judged} | ({} if counting is None else {COUNTING: counting.judged})
    trips = trained.model.history.members[:, TRIPS]
    plots = {"ndcg_by_activity.png": activity_chart(shown, job.metric, trips[trained.judged.members])}
    if isinstance(trained.model.scorer, Ranker):
        plots["calibration.png"] = calibration_chart(trained.judged)
    if trained.gains:
        plots["gains.png"] = gains_chart(trained.gains)
    if trained.learning:
        plots["learning.png"] = learning_chart(trained.learning, job.metric)
    return plots


def comparison_chart(result: TrainOffersResult) -> bytes:
    """Draw the deciding metric of every model with 95 % intervals, on what models are judged on."""
    import altair as alt

    metric = result.job.metric
    ordered = sorted(result.models, key=lambda model: -model.judged.metrics[metric].value)
    rows = []
    for model in ordered:
        estimate = model.judged.metrics[metric]
        colour = COLOURS["highlight" if model.name == result.best else "other"]
        rows.append({"model": model.name, "colour": colour} | with_interval(estimate))
    title = metric_title(metric)
    base = alt.Chart({"values": rows}).encode(
        y=alt.Y("model:N", sort=[model.name for model in ordered], title=None),
        color=alt.Color("colour:N", scale=None, legend=None),
    )
    chart = alt.layer(
        base.mark_point(filled=True, size=70).encode(
            x=alt.X("value:Q", title=title, scale=alt.Scale(zero=True))
        ),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=title), x2="high:Q"),
    )
    heading = f"{title} for {result.job.task}, 95 % intervals over members"
    return chart_png(chart.properties(width=420, height=28 * len(rows) + 20, title=heading))
