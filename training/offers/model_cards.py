"""What a run says about itself: a short card per model, a comparison of all, and their charts as PNG images."""

from collections.abc import Mapping

from experiments.stats.estimate import Estimate
from training.bundle.history import TRIPS
from training.bundle.ranker import Ranker
from training.evaluation import paired_difference
from training.evaluation.evaluation import COUNTING, metric_title, shown_difference, shown_estimate
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


def model_card(trained: TrainedModel, job: JobInfo, counting: TrainedModel | None) -> str:
    """Describe a model in words and figures.

    Args:
        trained: The model.
        job: What all models of the job have in common.
        counting: The model that every other must beat; ``None`` for itself, or where the job has none.

    Returns:
        The card, in Markdown.
    """
    lines = [f"## {trained.name} for {job.task}", trained.summary, ""]
    if counting is not None:
        delta = paired_difference(trained.judged, counting.judged, job.metric)
        lines += [f"{metric_title(job.metric)} against {COUNTING}: **{shown_difference(delta)}**.", ""]
    lines += _metric_table(trained)
    lines += _slice_table(trained, job.metric)
    settings = ", ".join(f"{name} {value}" for name, value in trained.parameters.items()) or "none"
    lines += [
        "",
        f"Settings: {settings}; chosen on validation among {max(len(trained.trials), 1)}.",
        f"Fit: {trained.fit_seconds:.1f} s, at most {trained.peak_memory_mib:,.0f} MiB of memory.",
        f"Data: {job.dataset}, members as of {job.feature_time}.",
        f"Split: {job.split}. Judged on {job.judged_on}.",
        *job.notes,
        "Intervals are over members (delta method).",
        "Members nothing is known of get popular offers.",
        "The model predicts what members do, not what an offer changes: only a randomised experiment can tell that.",
        "Loading the model needs Troth to be installed; the bundle inside holds plain arrays.",
    ]
    return "\n".join(lines)


def comparison_note(result: TrainOffersResult) -> str:
    """Return the comparison of all models of a job in Markdown."""
    job = result.job
    ordered = sorted(result.models, key=lambda model: -model.judged.metrics[job.metric].value)
    listed = [name for name in headline_metrics(job) if name in ordered[0].judged.metrics]
    lines = [
        f"## Offers to {job.task} for programme {job.programme}",
        verdict(result),
        "",
        f"| model | {' | '.join(metric_title(name) for name in listed)} | {metric_title(job.metric)} against {COUNTING} |",
        f"| --- |{' --- |' * (len(listed) + 1)}",
    ]
    for model in ordered:
        cells = " | ".join(shown_estimate(model.judged.metrics[name]) for name in listed)
        difference = result.differences.get(model.name)
        shown = "" if difference is None or model.name == COUNTING else shown_difference(difference)
        lines.append(f"| {model.name} | {cells} | {shown} |")
    lines += [
        "",
        "± is the standard error over members.",
        f"Data: {job.dataset}, fingerprint {job.fingerprint[:12]}.",
        f"Split: {job.split}. Judged on {job.judged_on}.",
        *job.notes,
    ]
    return "\n".join(lines)


def verdict(result: TrainOffersResult) -> str:
    """Return one sentence on which model did best, and say it plainly when counting did."""
    metric = result.job.metric
    estimate = result.model(result.best).judged.metrics[metric]
    shown = f"{metric_title(metric)} {shown_estimate(estimate)} on {result.job.judged_on}"
    if result.best == COUNTING:
        return f"Counting what members bought before does best: {COUNTING}, {shown}."
    return f"{result.best} does best on validation: {shown}."


def headline_metrics(job: JobInfo) -> tuple[str, ...]:
    """Return the metrics that tables show: the deciding one first."""
    k = job.metric.partition("@")[2]
    others = ("ndcg", "recall", "map", "hit_rate", "coverage")
    return tuple(dict.fromkeys((job.metric, *(f"{name}@{k}" for name in others))))


def _metric_table(trained: TrainedModel) -> list[str]:
    if trained.test is None:
        lines = ["| metric | validation |", "| --- | --- |"]
    else:
        lines = ["| metric | validation | test |", "| --- | --- | --- |"]
    test: Mapping[str, Estimate] = {} if trained.test is None else trained.test.metrics
    for name, estimate in trained.validation.metrics.items():
        cells = [metric_title(name), shown_estimate(estimate)]
        if trained.test is not None:
            cells.append(shown_estimate(test[name]) if name in test else "")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _slice_table(trained: TrainedModel, metric: str) -> list[str]:
    rows = [
        f"| {name.replace('_', ' ')} | {shown_estimate(estimates[metric])} |"
        for name, estimates in trained.slices.items()
        if metric in estimates
    ]
    return ["", f"| slice | {metric_title(metric)} |", "| --- | --- |", *rows] if rows else []


def model_plots(trained: TrainedModel, job: JobInfo, counting: TrainedModel | None) -> dict[str, bytes]:
    """Draw the charts of one model that there is data for.

    Args:
        trained: The model.
        job: What all models of the job have in common.
        counting: What it is compared with, or ``None``.

    Returns:
        PNG images by file name.
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
