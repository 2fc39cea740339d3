"""Tomorrow's weights of a bandit experiment."""

from collections.abc import Mapping
from typing import Any

from experiments.analysis.figures import batched_pair
from experiments.analysis.result import ExperimentResult
from experiments.definition import Direction, ExperimentDefinition
from experiments.errors import AnalysisError
from experiments.stats.bandit import thompson_shares

_PARTS = 1_000


def next_weights(result: ExperimentResult) -> dict[str, int]:
    """Return each variant's weight outside the uniform slice: its chance to be the best, in thousandths, at least 1.

    The uniform slice of the plan keeps learning about variants that look bad; so no floor is needed here.

    Args:
        result: The analysis so far, by day of first exposure.

    Raises:
        AnalysisError: The metric has no figures, or the experiment is not a bandit.
    """
    definition = result.definition
    if definition.allocation.kind != "thompson":
        raise AnalysisError(
            "The definition's allocation is fixed; set allocation.kind to thompson for a bandit."
        )
    metric = (
        definition.metric(definition.allocation.metric_id)
        if definition.allocation.metric_id
        else definition.primary_metric
    )
    pairs = [batched_pair(result.evidence, metric, one.variant_id) for one in definition.treatments]
    sign = 1 if metric.direction is Direction.INCREASE else -1
    control_variance = sum(pair.own_variances[0] for pair in pairs) / len(pairs)
    figures = {definition.control: (0.0, control_variance)} | {
        one.variant_id: (sign * pair.estimate, pair.own_variances[1])
        for one, pair in zip(definition.treatments, pairs, strict=True)
    }
    order = [variant.variant_id for variant in definition.variants]
    shares = thompson_shares([figures[name][0] for name in order], [figures[name][1] for name in order])
    return {name: max(1, round(_PARTS * share)) for name, share in zip(order, shares, strict=True)}


def with_weights(definition: ExperimentDefinition, weights: Mapping[str, int]) -> dict[str, Any]:
    """Return the fields of a definition's next revision, with other weights.

    Args:
        definition: The experiment.
        weights: By variant.
    """
    changed = definition.model_dump(mode="json", exclude_defaults=True)
    changed |= {"revision": definition.revision + 1}
    # A day in YAML is a day, not text.
    changed |= {name: getattr(definition, name) for name in ("start_date", "end_date") if name in changed}
    for variant in changed["variants"]:
        variant["weight"] = weights[variant["variant_id"]]
    return changed
