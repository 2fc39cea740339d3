"""Statistics as a JSON document, exact to the bit: every figure can be recomputed from the file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from experiments.aggregates.cells import Bounds, Cell, MetricStatistics
from experiments.aggregates.statistics import Statistics
from experiments.errors import AnalysisError
from experiments.stats.moments import Moments
from experiments.sufficient.diagnostics import Diagnostics

FORMAT = "troth-statistics"
"""What the document says it is."""

FORMAT_VERSION = 1
"""Version of the document's shape."""


def encode(statistics: Statistics) -> str:
    """Return the JSON document. Numbers are written with as many digits as their bits need."""
    cells = list(statistics.cell_units)
    places = {cell: place for place, cell in enumerate(cells)}
    document = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "variant_ids": statistics.variant_ids,
        "segment_columns": statistics.segment_columns,
        "clustered": statistics.clustered,
        "cells": [
            {
                "variant_id": cell.variant_id,
                "day": None if cell.day is None else cell.day.isoformat(),
                "segments": cell.segments,
                "units": statistics.cell_units[cell],
            }
            for cell in cells
        ],
        "metrics": [_metric_document(metric, places) for metric in statistics.metrics.values()],
        "diagnostics": asdict(statistics.diagnostics),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def decode(text: str) -> Statistics:
    """Return the statistics of a document.

    Raises:
        AnalysisError: The text is no such document, or one of an unknown version.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise AnalysisError(f"The statistics are not JSON: {error}.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise AnalysisError(f"The JSON document holds no statistics; its format should be {FORMAT}.")
    if document.get("version") != FORMAT_VERSION:
        raise AnalysisError(
            f"The statistics have version {document.get('version')}; this Troth reads version {FORMAT_VERSION}."
        )
    try:
        return _statistics(document)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise AnalysisError(f"The statistics are damaged: {type(error).__name__} {error}.") from error


def _metric_document(metric: MetricStatistics, places: Mapping[Cell, int]) -> dict[str, Any]:
    return {
        "metric_id": metric.metric_id,
        "columns": metric.columns,
        "bounds": None if metric.bounds is None else metric.bounds._asdict(),
        "refused": metric.refused,
        "moments": [
            {
                "cell": places[cell],
                "count": moments.count,
                "means": moments.means,
                # The matrix is symmetric: its lower triangle, row by row, is all of it.
                "products": [row[: place + 1] for place, row in enumerate(moments.products)],
            }
            for cell, moments in metric.cells.items()
        ],
    }


def _statistics(document: Mapping[str, Any]) -> Statistics:
    cell_units = {
        Cell(
            one["variant_id"],
            None if one["day"] is None else date.fromisoformat(one["day"]),
            tuple(one["segments"]),
        ): int(one["units"])
        for one in document["cells"]
    }
    cells = list(cell_units)
    found = dict(document["diagnostics"])
    found["unknown_examples"] = tuple(found["unknown_examples"])
    return Statistics(
        variant_ids=tuple(document["variant_ids"]),
        segment_columns=tuple(document["segment_columns"]),
        clustered=document["clustered"],
        cell_units=cell_units,
        metrics={one["metric_id"]: _metric(one, cells) for one in document["metrics"]},
        diagnostics=Diagnostics(**found),
    )


def _metric(document: Mapping[str, Any], cells: Sequence[Cell]) -> MetricStatistics:
    bounds = document["bounds"]
    return MetricStatistics(
        metric_id=document["metric_id"],
        columns=tuple(document["columns"]),
        cells={cells[one["cell"]]: _moments(one) for one in document["moments"]},
        bounds=None if bounds is None else Bounds(**bounds),
        refused=document["refused"],
    )


def _moments(document: Mapping[str, Any]) -> Moments:
    rows = document["products"]
    size = len(rows)
    if len(document["means"]) != size or any(len(row) != place + 1 for place, row in enumerate(rows)):
        raise ValueError("means and products differ in size")
    return Moments(
        int(document["count"]),
        tuple(document["means"]),
        tuple(tuple(rows[max(i, j)][min(i, j)] for j in range(size)) for i in range(size)),
    )
