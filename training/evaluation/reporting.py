"""Metrics for people and for JSON: their names, estimates with errors, and differences with intervals."""

import math
from collections.abc import Mapping

from experiments.stats.estimate import Estimate

COUNTING = "decayed_frequency"
"""What every candidate must beat before it serves."""

_ABBREVIATIONS = {"ndcg", "map", "mrr"}


def metric_title(metric: str) -> str:
    """Return the name of a metric for people: ``ndcg@10`` is NDCG@10, ``hit_rate@10`` is hit rate@10."""
    name, at, k = metric.partition("@")
    return (name.upper() if name in _ABBREVIATIONS else name.replace("_", " ")) + at + k


def shown_estimate(estimate: Estimate) -> str:
    """Return an estimate with its standard error, where that is known."""
    error = "" if math.isnan(estimate.standard_error) else f" ± {estimate.standard_error:.4f}"
    return f"{estimate.value:.4f}{error}"


def shown_interval(estimate: Estimate) -> str:
    """Return the 95 % interval of a difference in words."""
    if math.isnan(estimate.standard_error):
        return "interval unknown"
    low, high = estimate.interval
    return f"95 % {low:+.4f} to {high:+.4f}"


def shown_difference(estimate: Estimate) -> str:
    """Return a difference with its sign and interval."""
    return f"{estimate.value:+.4f} ({shown_interval(estimate)})"


def estimate_json(estimate: Estimate) -> dict[str, float | None]:
    """Return an estimate as plain values; an error that is not known is null."""
    error = estimate.standard_error
    return {"value": estimate.value, "se": None if math.isnan(error) else error}


def estimates_json(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    """Return estimates by name as plain values."""
    return {name: estimate_json(estimate) for name, estimate in estimates.items()}
