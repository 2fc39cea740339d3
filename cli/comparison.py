"""The table that compares the models of a training job."""

from cli.output import table
from training.offers.model_cards import headline_metrics, metric_title, shown_difference, shown_estimate
from training.offers.result import COUNTING, TrainOffersResult


def comparison(result: TrainOffersResult) -> str:
    """Return the table that compares the models, best first, and what the gate said."""
    job = result.job
    ordered = sorted(result.models, key=lambda model: -model.judged.metrics[job.metric].value)
    listed = [name for name in headline_metrics(job) if name in ordered[0].judged.metrics]
    rows = []
    for model in ordered:
        difference = result.differences.get(model.name)
        rows.append(
            (
                model.name + (" (best on validation)" if model.name == result.best else ""),
                *(shown_estimate(model.judged.metrics[name]) for name in listed),
                "" if difference is None or model.name == COUNTING else shown_difference(difference),
                f"{model.fit_seconds:.1f}",
            )
        )
    header = ("model", *map(metric_title, listed), f"{metric_title(job.metric)} against {COUNTING}", "fit s")
    lines = [table(header, rows), f"Judged on {job.judged_on}; ± is the standard error over members."]
    lines += [f"{name} is left out: {reason}" for name, reason in result.left_out.items()]
    if result.promotion:
        lines.append(result.promotion)
    return "\n".join(lines)
