"""Small experiment definitions for tests."""

from typing import Any

from experiments.definition import ExperimentDefinition, parse_experiment


def raw_definition(**changes: Any) -> dict[str, Any]:
    """Return the fields of a sound two-arm experiment, with changes."""
    return {
        "experiment_id": "offer-ranking",
        "revision": 1,
        "hypothesis": "Members use more offers when these fit what they bought before.",
        "owner": "crm@example.org",
        "unit": "member",
        "state": "running",
        "placements": ["checkout"],
        "attribution": "decision",
        "analysis": "fixed",
        "correction": "none",
        "control": "popular",
        "variants": [
            {
                "variant_id": "popular",
                "weight": 1,
                "name": "Popular offers",
                "parameters": {"ranking": "popular"},
            },
            {
                "variant_id": "personal",
                "weight": 1,
                "name": "Personal ranking",
                "parameters": {"ranking": "champion"},
            },
        ],
        "metrics": [
            {
                "metric_id": "offers-hit-per-trip",
                "role": "success",
                "name": "offers hit per trip",
                "kind": "ratio",
                "numerator": {"event": "outcomes", "outcome_type": "purchase", "aggregate": "count"},
                "denominator": {"event": "exposures", "aggregate": "count"},
            },
            {
                "metric_id": "dollars-per-trip",
                "role": "success",
                "name": "dollars per trip",
                "kind": "ratio",
                "numerator": {"event": "outcomes", "outcome_type": "purchase", "aggregate": "value"},
                "denominator": {"event": "exposures", "aggregate": "count"},
                "unit_label": "USD",
            },
        ],
    } | changes


def definition(**changes: Any) -> ExperimentDefinition:
    """Return a sound two-arm experiment, with changes to its fields."""
    return parse_experiment(raw_definition(**changes), "test")


def arms(*weights: int) -> list[dict[str, Any]]:
    """Return variants ``v0``, ``v1``, … with the given weights."""
    return [{"variant_id": f"v{index}", "weight": weight} for index, weight in enumerate(weights)]
