"""Who is in which variant: a pure function of the compiled plan and the unit's id."""

from bisect import bisect_right

import polars as pl
import polars_hash  # noqa: F401 registers the expression namespace "nchash"
import xxhash

from experiments.hashing import POINTS, netstring
from experiments.plan import Assignment, AssignmentReason, CompiledExperiment, Plan

__all__ = ["Assignment", "AssignmentReason", "assign", "assign_all", "assign_frame"]


def assign(plan: Plan, experiment_id: str, unit_id: str) -> Assignment:
    """Return the variant of a unit in one experiment.

    Raises:
        UnknownExperimentError: The plan has no such experiment.
        UnicodeEncodeError: The unit's id holds lone surrogates, which have no UTF-8 form.
    """
    return _assign(plan.experiment(experiment_id), netstring(unit_id))


def assign_all(plan: Plan, unit_id: str, placement_id: str) -> tuple[Assignment, ...]:
    """Return the assignments of a unit in all running experiments of a placement, by experiment id.

    Raises:
        UnicodeEncodeError: The unit's id holds lone surrogates, which have no UTF-8 form.
    """
    unit = netstring(unit_id)
    return tuple(
        _assign(experiment, unit)
        for experiment in plan.experiments.values()
        if experiment.running and placement_id in experiment.placements
    )


def _assign(experiment: CompiledExperiment, unit: bytes) -> Assignment:
    if not experiment.running:
        return experiment.not_running
    end = experiment.enrolment_end
    if end < POINTS and xxhash.xxh64_intdigest(experiment.enrolment_prefix + unit) >= end:
        return experiment.not_enrolled
    point = xxhash.xxh64_intdigest(experiment.arm_prefix + unit)
    return experiment.arms[bisect_right(experiment.arm_ends, point)]


def assign_frame(plan: Plan, experiment_id: str, units: pl.Expr) -> pl.Expr:
    """Return the variants of many units at once, bit-identical with ``assign``.

    Args:
        plan: The compiled plan.
        experiment_id: The experiment.
        units: The units' ids, as text.

    Returns:
        The variant ids as a column of strings; null where the unit is not enrolled, the experiment does not run,
        or the id is null.

    Raises:
        UnknownExperimentError: The plan has no such experiment.
    """
    experiment = plan.experiment(experiment_id)
    enrolled = units.is_not_null() & experiment.running
    point = _points(experiment.arm_prefix, units)
    variant: pl.Expr = pl.lit(experiment.arms[-1].variant_id)
    for end, arm in reversed(list(zip(experiment.arm_ends, experiment.arms[:-1], strict=True))):
        variant = pl.when(point < _bound(end)).then(pl.lit(arm.variant_id)).otherwise(variant)
    if experiment.enrolment_end < POINTS:
        enrolled &= _points(experiment.enrolment_prefix, units) < _bound(experiment.enrolment_end)
    return pl.when(enrolled).then(variant).cast(pl.String)


def _points(prefix: bytes, units: pl.Expr) -> pl.Expr:
    length = units.str.len_bytes().cast(pl.String)
    content = pl.concat_str(pl.lit(prefix.decode()), length, pl.lit(":"), units, pl.lit(","))
    return content.nchash.xxhash64()  # type: ignore[attr-defined, no-any-return] # registered by polars_hash


def _bound(point: int) -> pl.Expr:
    return pl.lit(point, dtype=pl.UInt64)
