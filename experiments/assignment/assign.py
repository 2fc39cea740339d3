"""Who is in which variant: a pure function of the compiled plan, the unit's id and what is known of it."""

from bisect import bisect_right
from collections.abc import Mapping

import xxhash

from experiments.assignment.frame import assign_frame
from experiments.assignment.hashing import netstring
from experiments.assignment.plan import Assignment, AssignmentReason, CompiledExperiment, Plan, Share
from experiments.rules import RuleOutcome

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
