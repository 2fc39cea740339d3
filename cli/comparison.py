"""The table that compares trained models."""

from cli.output import table
from training.evaluation import Estimate
from training.offers_result import TrainOffersResult


def comparison(result: TrainOffersResult) -> str:
    """Return the table that compares the models, best first, and which one serves."""
    ordered = sorted(result.models, key=lambda model: -model.metrics["hits_per_trip"].value)
    rows = [
        (
            model.name + (" (champion)" if model.name == result.champion else ""),
            _shown(model.metrics["hits_per_trip"]),
            _shown(model.metrics["usd_per_trip"]),
            _shown(model.metrics["ndcg_at_10"]),
            f"{model.fit_seconds:.1f}",
        )
        for model in ordered
    ]
    return table(("model", "hits per trip", "USD per trip", "NDCG@10", "fit s"), rows)


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} ± {estimate.standard_error:.4f}"
