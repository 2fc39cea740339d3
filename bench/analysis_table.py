"""The table and the metrics of the analysis benchmark, the floor under any analysis of it, and ours."""

from pathlib import Path

import numpy as np
import polars as pl

from experiments.aggregates import ColumnSource, MetricColumns, TableLayout, collect
from experiments.stats import Interval, MetricShape, Quantity, estimate_pair, fixed_effect

METRICS = {
    "converted": ("converted", "pre_converted"),
    "clicked": ("clicked", "pre_clicked"),
    "revenue": ("revenue", "pre_revenue"),
    "sessions": ("sessions", "pre_sessions"),
    "order-value": ("spend", "orders", "pre_spend", "pre_orders"),
}
"""Columns of two proportions, two means and a ratio, each with what it was before as covariate."""

BINARY = ("converted", "clicked")
VARIANTS = {"control": "control", "treatment": "treatment"}
PARTS = 10


def make_table(rows: int, seed: int = 1, first: int = 0) -> pl.DataFrame:
    """Return a table of units with shuffled ids, whole numbers and the same as text."""
    random = np.random.default_rng(seed)
    treated = random.integers(0, 2, rows)
    before = random.gamma(1.5, 20, rows)
    chance = 0.05 + 0.02 * (before > 20)
    orders, pre_orders = (1 + random.poisson(1, rows) for _ in range(2))
    return pl.DataFrame(
        {
            "id": first + random.permutation(rows),
            "variant": np.array(list(VARIANTS))[treated],
            "converted": (random.random(rows) < chance + 0.001 * treated).astype(np.int8),
            "pre_converted": (random.random(rows) < chance).astype(np.int8),
            "clicked": (random.random(rows) < 2 * chance).astype(np.int8),
            "pre_clicked": (random.random(rows) < 2 * chance).astype(np.int8),
            "revenue": before * random.random(rows) + 0.25 * treated,
            "pre_revenue": before,
            "sessions": random.poisson(4, rows).astype(np.int32),
            "pre_sessions": random.poisson(4, rows).astype(np.int32),
            "orders": orders.astype(np.int32),
            "pre_orders": pre_orders.astype(np.int32),
            "spend": orders * before * random.random(rows),
            "pre_spend": pre_orders * before,
        }
    ).with_columns(text_id=pl.format("member-{}", "id"))


def write_parts(folder: Path, rows: int) -> None:
    """Write the table as Parquet files with row groups, unless the folder is there already."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True)
    for part in range(PARTS):
        frame = make_table(rows // PARTS, seed=part, first=part * (rows // PARTS))
        frame.write_parquet(folder / f"part-{part}.parquet", row_group_size=500_000)


def sums_of(names: tuple[str, ...]) -> list[pl.Expr]:
    """Return sums and sums of products of columns."""
    values = [pl.col(name).cast(pl.Float64) for name in names]
    return [
        made
        for i, name in enumerate(names)
        for made in (
            values[i].sum().alias(f"s_{name}"),
            *((values[i] * values[j]).sum().alias(f"p_{name}_{names[j]}") for j in range(i + 1)),
        )
    ]


def floor(table: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """Return the bare sums by variant: no check, no shift, no missing values."""
    aggregates = [one for names in METRICS.values() for one in sums_of(names)]
    return (
        table.lazy()
        .group_by("variant")
        .agg(pl.len(), *aggregates)
        .sort("variant")
        .collect(engine="streaming")
    )


def ours(table: pl.DataFrame | pl.LazyFrame, unit_column: str | None) -> dict[str, Interval]:
    """Return each metric's interval after collecting sufficient statistics with all checks."""
    metrics = [
        MetricColumns(name, tuple(ColumnSource.column(one) for one in columns), binary=name in BINARY)
        for name, columns in METRICS.items()
    ]
    found = collect(table, TableLayout("variant", unit_column), metrics, VARIANTS)
    intervals = {}
    for name, columns in METRICS.items():
        ratio = len(columns) == 4
        shape = (
            MetricShape(Quantity(0, 1), (Quantity(2, 3),))
            if ratio
            else MetricShape(Quantity(0), (Quantity(1),))
        )
        pair = estimate_pair(found.total(name, "control"), found.total(name, "treatment"), shape)
        intervals[name] = fixed_effect(pair, 0.05)
    return intervals
