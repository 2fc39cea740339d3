"""The same analysis by other libraries, each at its best: on the frame, and fed with the floor's sums."""

import warnings
from collections.abc import Callable
from typing import Any

import polars as pl

from bench.analysis_table import METRICS, floor


def peers() -> dict[str, Callable[[pl.DataFrame], object]]:
    """Return the analyses of the libraries that are installed."""
    found: dict[str, Callable[[pl.DataFrame], object]] = {}
    try:
        import tea_tasting  # noqa: F401 only whether it is there

        found |= {
            "tea-tasting on the frame": tea_tasting_frame,
            "tea-tasting on the floor's sums": tea_tasting_sums,
        }
    except ImportError:
        pass
    try:
        import spotify_confidence  # noqa: F401 only whether it is there

        found["spotify-confidence on the floor's sums"] = spotify_sums
    except ImportError:
        pass
    return found


def tea_tasting_frame(table: pl.DataFrame) -> object:
    """Analyse the frame by tea-tasting."""
    return _tea_tasting().analyze(table, control="control").to_dicts()


def tea_tasting_sums(table: pl.DataFrame) -> object:
    """Analyse the floor's sums by tea-tasting."""
    from tea_tasting.aggr import Aggregates

    parts = {}
    for row in floor(table).iter_rows(named=True):
        count = row["len"]
        means = {key[2:]: value / count for key, value in row.items() if key.startswith("s_")}
        variances, covariances = {}, {}
        for names in METRICS.values():
            for i, left in enumerate(names):
                for right in names[: i + 1]:
                    product = row[f"p_{left}_{right}"] / count - means[left] * means[right]
                    product *= count / (count - 1)
                    if left == right:
                        variances[left] = product
                    else:
                        covariances[tuple(sorted((left, right)))] = product
        parts[row["variant"]] = Aggregates(count, means, variances, covariances)
    return _tea_tasting().analyze(parts, control="control").to_dicts()


def spotify_sums(table: pl.DataFrame) -> object:
    """Analyse the floor's sums by spotify-confidence; it has no ratios, so these are made linear by hand."""
    import pandas as pd
    from spotify_confidence import ZTestLinreg

    rows: list[dict[str, Any]] = []
    sums = floor(table)
    totals = {name: float(sums[name].to_numpy().sum()) for name in sums.columns if name != "variant"}
    for name, columns in METRICS.items():
        slopes = [1.0, 0.0, 1.0, 0.0] if len(columns) == 4 else [1.0, 1.0]
        if len(columns) == 4:
            for top, bottom in ((0, 1), (2, 3)):
                slopes[bottom] = -totals[f"s_{columns[top]}"] / totals[f"s_{columns[bottom]}"]
        half = len(columns) // 2
        for row in sums.iter_rows(named=True):
            value, feature = (
                list(zip(columns[s], slopes[s], strict=True)) for s in (slice(half), slice(half, None))
            )
            rows.append(
                {
                    "metric": name,
                    "variant": row["variant"],
                    "n": row["len"],
                    "y": sum(factor * row[f"s_{one}"] for one, factor in value),
                    "x": sum(factor * row[f"s_{one}"] for one, factor in feature),
                    "yy": _product(row, value, value),
                    "xx": _product(row, feature, feature),
                    "xy": _product(row, value, feature),
                }
            )
    test = ZTestLinreg(
        pd.DataFrame(rows),
        numerator_column="y",
        numerator_sum_squares_column="yy",
        denominator_column="n",
        feature_column="x",
        feature_sum_squares_column="xx",
        feature_cross_sum_column="xy",
        categorical_group_columns=["variant", "metric"],
        metric_column="metric",
        treatment_column="variant",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return test.difference("control", "treatment", groupby="metric")


def _product(row: dict[str, Any], left: list[tuple[str, float]], right: list[tuple[str, float]]) -> float:
    return float(
        sum(
            f * g * row[f"p_{a}_{b}" if f"p_{a}_{b}" in row else f"p_{b}_{a}"]
            for a, f in left
            for b, g in right
        )
    )


def _tea_tasting() -> Any:
    import tea_tasting as tt

    return tt.Experiment(
        {
            name: tt.RatioOfMeans(*columns) if len(columns) == 4 else tt.Mean(*columns)
            for name, columns in METRICS.items()
        }
    )
