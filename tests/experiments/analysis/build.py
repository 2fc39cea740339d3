"""Definitions, tables and checks that the tests of the analysis share."""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from experiments.analysis import ExperimentResult, analyze_table
from experiments.definition import ExperimentDefinition, parse_experiment
from tests.experiments.analysis.numbers import columns


def experiment(*metrics: dict[str, Any], **changes: Any) -> ExperimentDefinition:
    """Return an experiment of two arms with one look, without correction, unless changed."""
    raw: dict[str, Any] = {
        "experiment_id": "e",
        "variants": [{"variant_id": "control"}, {"variant_id": "new"}],
        "analysis": "fixed",
        "correction": "none",
        "metrics": list(metrics) or [{"metric_id": "revenue"}],
    }
    return parse_experiment(raw | changes, "test")


def table() -> pl.DataFrame:
    """Return the table of ``numbers``."""
    return pl.DataFrame(columns(), strict=False)


def analysed(*metrics: dict[str, Any], frame: pl.DataFrame | None = None, **changes: Any) -> ExperimentResult:
    """Return the analysis of a table, ``table()`` unless given; its document is checked on the way."""
    result = analyze_table(experiment(*metrics, **changes), table() if frame is None else frame)
    check_document(result.to_json())
    return result


def first(*metrics: dict[str, Any], frame: pl.DataFrame | None = None, **changes: Any) -> dict[str, Any]:
    """Return the first comparison of an analysis as JSON."""
    found: dict[str, Any] = analysed(*metrics, frame=frame, **changes).to_json()["results"][0]
    return found


_ENDS = ("ci_lower", "ci_upper", "relative_ci_lower", "relative_ci_upper")


def check_document(document: dict[str, Any]) -> None:
    """Assert that nothing is NaN, that each null has its reason, and that each interval has its p-value."""
    json.dumps(document, allow_nan=False)
    for entry in _with_reasons({name: part for name, part in document.items() if name != "statistics"}):
        reasons = entry["reasons"]
        for name, value in entry.items():
            if value is None:
                assert reasons.get(name), (name, entry)
    for part in ("results", "segments", "factors"):
        for one in document[part]:
            for prefix in ("", "adjusted_", "always_valid_", "decision_"):
                if any(one[prefix + end] is not None for end in _ENDS):
                    assert one[f"{prefix}p_value"] is not None, (prefix, one)


def _with_reasons(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if isinstance(part.get("reasons"), dict):
            yield part
        for value in part.values():
            yield from _with_reasons(value)
    elif isinstance(part, list):
        for value in part:
            yield from _with_reasons(value)
