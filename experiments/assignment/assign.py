"""Who is in which variant: a pure function of the compiled plan, the unit's id and what is known of it.

Who is in which variant, for many units at once: the polars form of ``assignment.assign``.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping

import polars as pl
import polars_hash  # noqa: F401 registers the expression namespace "nchash"
import xxhash

from experiments.assignment.hashing import POINTS, netstring
from experiments.assignment.plan import (
    Assignment,
    AssignmentReason,
    CompiledExperiment,
    Plan,
    Share,
    VariantSplit,
)
from experiments.rules import RuleOutcome

_ANSWER = pl.Struct({"variant_id": pl.String, "reason": pl.String})


def assign_frame(
    plan: Plan,
    experiment_id: str,
    units: pl.Expr,
    columns: Mapping[str, pl.DataType] | None = None,
    earlier_variants: pl.Expr | None = None,
) -> pl.Expr:
    """Return the variants of many units at once, bit-identical with ``assign``.

    What targeting asks about is read from the columns of those names; a null is a missing attribute.

    Args:
        plan: The compiled plan.
        experiment_id: The experiment.
        units: The units' ids, as text.
        columns: The table's schema; an attribute that it lacks is missing in every row. Without it, all columns that
            targeting reads are taken to be there, with types that fit.
        earlier_variants: The variants that the units had before, as text; for sticky experiments.

    Returns:
        A struct ``assignment`` of two strings: ``variant_id``, null without a variant, and ``reason``; both are null
        where the id is.

    Raises:
        UnknownExperimentError: The plan has no such experiment.
        AnalysisError: A column's type does not fit the type that the attribute was declared with.
    """
    experiment = plan.experiment(experiment_id)
    answers = _Answers()
    decision = _decision(experiment, units, columns, earlier_variants, answers)
    return answers.picked(pl.when(units.is_not_null()).then(decision))


class _Answers:
    """The different answers of an experiment; an expression picks one by its position."""

    def __init__(self) -> None:
        self._positions: dict[tuple[str | None, str], int] = {}

    def code(self, answer: Assignment) -> pl.Expr:
        key = (answer.variant_id, answer.reason.value)
        return pl.lit(self._positions.setdefault(key, len(self._positions)), dtype=pl.UInt32)

    def picked(self, code: pl.Expr) -> pl.Expr:
        # One look-up of both fields: the code stands in the expression once, so each hash is taken once.
        answers = pl.Series(
            "assignment",
            [{"variant_id": variant_id, "reason": reason} for variant_id, reason in self._positions],
            dtype=_ANSWER,
        )
        return pl.lit(answers).gather(code).alias("assignment")


def _decision(
    experiment: CompiledExperiment,
    units: pl.Expr,
    columns: Mapping[str, pl.DataType] | None,
    earlier_variants: pl.Expr | None,
    answers: _Answers,
) -> pl.Expr:
    """Return the code of each unit's answer. Mirrors the order of ``assignment.assign``."""
    if not experiment.running:
        return answers.code(experiment.not_running)
    steps = list(_overrides(experiment, units, answers))
    if experiment.holdout is not None:
        steps.append((_inside(experiment.holdout, units), answers.code(experiment.held_out)))
    if experiment.layer is not None:
        steps.append((_inside(experiment.layer, units).not_(), answers.code(experiment.not_in_slot)))
    if earlier_variants is not None:
        steps += [
            (earlier_variants == variant_id, answers.code(answer))
            for variant_id, answer in experiment.kept.items()
        ]
    if experiment.targeting is not None:
        outcome = experiment.targeting.outcome_expression(columns)
        steps += [
            (outcome == RuleOutcome.NO_MATCH.value, answers.code(experiment.not_targeted)),
            (outcome == RuleOutcome.ERROR.value, answers.code(experiment.targeting_error)),
        ]
    if experiment.traffic is not None:
        steps.append((_inside(experiment.traffic, units).not_(), answers.code(experiment.not_enrolled)))
    point = _points(experiment.arm_prefix, units)
    decision = _arm(experiment.weighted, point, answers)
    if experiment.uniform is not None:
        evenly = _arm(experiment.even, point, answers)
        decision = pl.when(_inside(experiment.uniform, units)).then(evenly).otherwise(decision)
    for condition, code in reversed(steps):
        decision = pl.when(condition).then(code).otherwise(decision)
    return decision


def _overrides(
    experiment: CompiledExperiment, units: pl.Expr, answers: _Answers
) -> Iterator[tuple[pl.Expr, pl.Expr]]:
    forced: dict[str | None, list[str]] = {}
    for unit_id, answer in experiment.overrides.items():
        forced.setdefault(answer.variant_id, []).append(unit_id)
    for unit_ids in forced.values():
        yield units.is_in(unit_ids), answers.code(experiment.overrides[unit_ids[0]])


def _arm(split: VariantSplit, point: pl.Expr, answers: _Answers) -> pl.Expr:
    """Return the code of the arm whose range holds the point, by bisection, so that many arms nest a little only."""
    if len(split.arms) == 1:
        return answers.code(split.arms[0])
    middle = len(split.arms) // 2
    below = VariantSplit(split.ends[: middle - 1], split.arms[:middle])
    above = VariantSplit(split.ends[middle:], split.arms[middle:])
    return (
        pl.when(point < _bound(split.ends[middle - 1]))
        .then(_arm(below, point, answers))
        .otherwise(_arm(above, point, answers))
    )


def _inside(share: Share, units: pl.Expr) -> pl.Expr:
    point = _points(share.prefix, units)
    inside = pl.lit(value=False)
    for lower, upper in zip(share.bounds[::2], share.bounds[1::2], strict=True):
        if lower == 0 and upper == POINTS:
            return pl.lit(value=True)
        if lower == 0:
            within = point < _bound(upper)
        elif upper == POINTS:
            within = point >= _bound(lower)
        else:
            within = point.is_between(_bound(lower), _bound(upper), closed="left")
        inside |= within
    return inside


def _points(prefix: bytes, units: pl.Expr) -> pl.Expr:
    length = units.str.len_bytes().cast(pl.String)
    content = pl.concat_str(pl.lit(prefix.decode()), length, pl.lit(":"), units, pl.lit(","))
    return content.nchash.xxhash64()  # type: ignore[attr-defined, no-any-return] # registered by polars_hash


def _bound(point: int) -> pl.Expr:
    return pl.lit(point, dtype=pl.UInt64)


__all__ = ["Assignment", "AssignmentReason", "assign", "assign_all", "assign_frame"]

# Looking a member of an enumeration up takes as long as a hash.
_MATCH, _NO_MATCH = RuleOutcome.MATCH, RuleOutcome.NO_MATCH
_NOTHING: Mapping[str, object] = {}
_NO_VARIANTS: Mapping[str, str] = {}


def assign(
    plan: Plan,
    experiment_id: str,
    unit_id: str,
    attributes: Mapping[str, object] = _NOTHING,
    earlier_variant_id: str | None = None,
) -> Assignment:
    """Return the variant of a unit in one experiment.

    Args:
        plan: The compiled plan.
        experiment_id: The experiment.
        unit_id: The unit; of a person with several ids the one that ``identity.resolve`` gives.
        attributes: What targeting may ask about, by name.
        earlier_variant_id: The variant that the unit had before. A sticky experiment keeps it, if it is still open,
            although targeting, traffic or weights changed.

    Raises:
        UnknownExperimentError: The plan has no such experiment.
        UnicodeEncodeError: The unit's id holds lone surrogates, which have no UTF-8 form.
    """
    experiment = plan.experiment(experiment_id)
    return _assign(
        experiment,
        unit_id,
        netstring(unit_id),
        {},
        attributes=attributes,
        earlier_variant_id=earlier_variant_id,
    )


def assign_all(
    plan: Plan,
    unit_id: str,
    placement_id: str,
    attributes: Mapping[str, object] = _NOTHING,
    earlier_variant_ids: Mapping[str, str] = _NO_VARIANTS,
) -> tuple[Assignment, ...]:
    """Return the assignments of a unit in all running experiments of a placement, by experiment id.

    Args:
        plan: The compiled plan.
        unit_id: As for ``assign``.
        placement_id: The placement.
        attributes: As for ``assign``.
        earlier_variant_ids: As for ``assign``, by experiment id.

    Raises:
        UnicodeEncodeError: The unit's id holds lone surrogates, which have no UTF-8 form.
    """
    unit = netstring(unit_id)
    points: dict[bytes, int] = {}
    return tuple(
        [
            _assign(
                experiment,
                unit_id,
                unit,
                points,
                attributes=attributes,
                earlier_variant_id=earlier_variant_ids.get(experiment.experiment_id),
            )
            for experiment in plan.placed.get(placement_id, ())
        ]
    )


def _assign(  # noqa: PLR0911 - one return for each reason
    experiment: CompiledExperiment,
    unit_id: str,
    unit: bytes,
    points: dict[bytes, int],
    *,
    attributes: Mapping[str, object],
    earlier_variant_id: str | None,
) -> Assignment:
    if not experiment.running:
        return experiment.not_running
    if experiment.overrides and unit_id in experiment.overrides:
        return experiment.overrides[unit_id]
    if experiment.holdout is not None and _holds(experiment.holdout, unit, points):
        return experiment.held_out
    if experiment.layer is not None and not _holds(experiment.layer, unit, points):
        return experiment.not_in_slot
    if earlier_variant_id is not None and earlier_variant_id in experiment.kept:
        return experiment.kept[earlier_variant_id]
    if experiment.targeting is not None:
        outcome = experiment.targeting.evaluate(attributes)
        if outcome is not _MATCH:
            return experiment.not_targeted if outcome is _NO_MATCH else experiment.targeting_error
    if experiment.traffic is not None and not _holds(experiment.traffic, unit, points):
        return experiment.not_enrolled
    evenly = experiment.uniform is not None and _holds(experiment.uniform, unit, points)
    split = experiment.even if evenly else experiment.weighted
    point = xxhash.xxh64_intdigest(experiment.arm_prefix + unit)
    return split.arms[bisect_right(split.ends, point)]


def _holds(share: Share, unit: bytes, points: dict[bytes, int]) -> bool:
    # Experiments of one call share their holdout and their layer, so the points are worth keeping.
    point = points.get(share.prefix)
    if point is None:
        point = points[share.prefix] = xxhash.xxh64_intdigest(share.prefix + unit)
    return bisect_right(share.bounds, point) % 2 == 1
