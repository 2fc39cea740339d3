"""Passes over the table until the sums can be trusted: one for clean tables, a second where values need more care."""

from dataclasses import replace

import numpy as np
import polars as pl

from experiments.aggregates.rows import Plan, source_value, value_name
from experiments.aggregates.sums import Sums, sum_up
from experiments.sufficient.variants import CODE

_HEAD = 10_000
_NEAR_ZERO = 4.0


def settled_sums(table: pl.DataFrame | pl.LazyFrame, plan: Plan, variant_count: int) -> Sums:
    """Return sums that lost no digits, and in which null and NaN count for nothing.

    Args:
        table: The table.
        plan: What to read.
        variant_count: Number of variants.
    """
    lazy = table.lazy()
    guarded = _first_guards(table, plan)
    shifts: dict[str, float] | pl.DataFrame = _first_shifts(lazy, plan)
    sums = sum_up(lazy, plan, guarded, variant_count, shifts)
    poisoned = [not sums.is_finite(metric) for metric in range(len(plan.metrics))]
    if any(bad and not guard for bad, guard in zip(poisoned, guarded, strict=True)):
        guarded = [bad or guard for bad, guard in zip(poisoned, guarded, strict=True)]
        sums = sum_up(lazy, plan, guarded, variant_count, shifts)
    finite = [metric for metric in range(len(plan.metrics)) if sums.is_finite(metric)]
    if any(sums.lost_digits(metric) for metric in finite):
        again = sum_up(lazy, plan, guarded, variant_count, _cell_means(sums, plan))
        # Only unshifted sums tell whether values are binary.
        return replace(again, binary=sums.binary)
    return sums


def _first_guards(table: pl.DataFrame | pl.LazyFrame, plan: Plan) -> list[bool]:
    """Return which metrics may miss values. Frames know their nulls; NaN shows in the sums, and they are taken again."""
    if isinstance(table, pl.LazyFrame):
        return [True] * len(plan.metrics)
    return [any(table[name].null_count() for name in metric.names) for metric in plan.metrics]


def _first_shifts(table: pl.LazyFrame, plan: Plan) -> dict[str, float]:
    """Return the means of the first values, where these are far from zero."""
    if plan.clustered:
        return {}
    values = [
        source_value(source).alias(value_name(place, column))
        for place, metric in enumerate(plan.metrics)
        for column, source in enumerate(metric.columns)
        if not (metric.binary and column == 0)
    ]
    head = table.head(_HEAD).select(plan.code, *values).filter(pl.col(CODE) >= 0).collect()
    shifts = {}
    for name in head.columns[1:]:
        found = head[name].drop_nulls().to_numpy()
        with np.errstate(over="ignore", invalid="ignore"):
            found = found[np.isfinite(found)]
            centre = float(found.mean()) if len(found) else 0.0
            far = abs(centre) > _NEAR_ZERO * float(found.std()) if len(found) else False
        if far and np.isfinite(centre):
            whole = bool((found == np.rint(found)).all())
            shifts[name] = float(np.rint(centre)) if whole else centre
    return shifts


def _cell_means(sums: Sums, plan: Plan) -> pl.DataFrame:
    """Return each cell's own means, to be subtracted in the next pass."""
    means = {}
    for metric in range(len(plan.metrics)):
        found = np.nan_to_num(sums.means(metric), nan=0.0, posinf=0.0, neginf=0.0)
        for column in range(plan.width(metric)):
            means[value_name(metric, column)] = found[:, column]
    return sums.keys.with_columns(**{name: pl.Series(values) for name, values in means.items()})
