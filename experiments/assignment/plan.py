"""Turns a definition into what assignment reads: prefixes of hashes, bounds of points, and finished answers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from experiments.answers import NO_PARAMETERS, Assignment, AssignmentReason, Parameters
from experiments.assignment.hashing import (
    PARTS_PER_MILLION,
    Purpose,
    lowest_point,
    point_prefix,
    share_bounds,
)
from experiments.definition import ExperimentDefinition, LayerSlots, State
from experiments.errors import DefinitionError, Problem
from experiments.rules import AttributeType, Rule, RuleError, compile_rule

_PPM_PER_SLOT = 1_000


@dataclass(frozen=True, slots=True)
class Share:
    """A share of all units, decided by a hash of its own.

    Attributes:
        prefix: Bytes in front of a unit's netstring.
        bounds: Points from the first bound to below the second are in, from the third to below the fourth, and so on.
    """

    prefix: bytes
    bounds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """How the enrolled units are spread over the open arms.

    Attributes:
        ends: Where an arm's range of points ends and the next one's begins; one less than arms.
        arms: The answers for those ranges.
    """

    ends: tuple[int, ...]
    arms: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class CompiledExperiment:
    """An experiment ready for assignment: every answer that it can give exists already.

    Attributes:
        experiment_id: Its id.
        running: Whether it assigns at all.
        placements: Where it applies.
        overrides: The answers for single units, by unit id.
        holdout: Units that no experiment touches; None without a holdout.
        layer: Units in the slots that are lent to it; None without a layer.
        kept: The answers for units that come with an earlier variant, by variant; empty unless sticky.
        targeting: The rule that must match; None without one.
        traffic: Units that are enrolled; None if all are.
        uniform: Units that are always spread evenly; None unless a bandit.
        arm_prefix: Bytes in front of a unit's netstring for the point that decides the arm.
        weighted: The arms by their weights.
        even: The open arms with equal weights, for units in ``uniform``.
        not_running: The answer unless it runs; the others below likewise by their reasons.
    """

    experiment_id: str
    running: bool
    placements: frozenset[str]
    overrides: Mapping[str, Assignment]
    holdout: Share | None
    layer: Share | None
    kept: Mapping[str, Assignment]
    targeting: Rule | None
    traffic: Share | None
    uniform: Share | None
    arm_prefix: bytes
    weighted: Split
    even: Split
    not_running: Assignment
    held_out: Assignment
    not_in_slot: Assignment
    not_targeted: Assignment
    targeting_error: Assignment
    not_enrolled: Assignment


def compile_experiment(definition: ExperimentDefinition, plan_revision: str) -> CompiledExperiment:
    """Compile one experiment of the plan with that revision.

    Raises:
        DefinitionError: The targeting rule cannot be read.
    """
    programme, salt = definition.programme, definition.salt
    weights = {variant.variant_id: variant.weight for variant in definition.variants}
    even_weights = {variant_id: int(weight > 0) for variant_id, weight in weights.items()}
    answers = _Answers(definition, plan_revision)
    holdout, layer, allocation = definition.holdout, definition.layer, definition.allocation
    return CompiledExperiment(
        experiment_id=definition.experiment_id,
        running=definition.state is State.RUNNING,
        placements=frozenset(definition.placements),
        overrides=MappingProxyType(
            {
                unit_id: answers.with_variant(AssignmentReason.OVERRIDDEN, variant_id)
                for unit_id, variant_id in definition.overrides.items()
            }
        ),
        holdout=None
        if holdout is None
        else _share(Purpose.HOLDOUT, programme, holdout.holdout_id, ((0, holdout.traffic_ppm),)),
        layer=None
        if layer is None
        else _share(Purpose.LAYER, programme, layer.layer_id, _slot_bounds(layer)),
        kept=MappingProxyType(
            {
                variant_id: answers.with_variant(AssignmentReason.STICKY, variant_id)
                for variant_id, weight in weights.items()
                if definition.sticky and weight > 0
            }
        ),
        targeting=_rule(definition) if definition.targeting else None,
        traffic=None
        if definition.traffic_ppm == PARTS_PER_MILLION
        else _share(Purpose.ENROLMENT, programme, salt, ((0, definition.traffic_ppm),)),
        uniform=_share(Purpose.UNIFORM, programme, salt, ((0, allocation.uniform_ppm),))
        if allocation.kind == "thompson"
        else None,
        arm_prefix=point_prefix(Purpose.ARM, programme, salt),
        weighted=_split(answers, weights, uniform=False),
        even=_split(answers, even_weights, uniform=True),
        not_running=answers.without_variant(AssignmentReason.NOT_RUNNING),
        held_out=answers.without_variant(AssignmentReason.HELD_OUT),
        not_in_slot=answers.without_variant(AssignmentReason.NOT_IN_SLOT),
        not_targeted=answers.without_variant(AssignmentReason.NOT_TARGETED),
        targeting_error=answers.without_variant(AssignmentReason.TARGETING_ERROR),
        not_enrolled=answers.without_variant(AssignmentReason.NOT_ENROLLED),
    )


class _Answers:
    """Makes the answers of one experiment."""

    def __init__(self, definition: ExperimentDefinition, plan_revision: str) -> None:
        self._definition = definition
        self._plan_revision = plan_revision
        self._parameters: dict[str, Parameters] = {
            variant.variant_id: MappingProxyType(dict(variant.parameters)) for variant in definition.variants
        }

    def without_variant(self, reason: AssignmentReason) -> Assignment:
        return self._answer(reason, None, NO_PARAMETERS)

    def with_variant(self, reason: AssignmentReason, variant_id: str, *, uniform: bool = False) -> Assignment:
        return self._answer(reason, variant_id, self._parameters[variant_id], uniform=uniform)

    def _answer(
        self,
        reason: AssignmentReason,
        variant_id: str | None,
        parameters: Parameters,
        *,
        uniform: bool = False,
    ) -> Assignment:
        return Assignment(
            experiment_id=self._definition.experiment_id,
            variant_id=variant_id,
            reason=reason,
            plan_revision=self._plan_revision,
            experiment_revision=self._definition.revision,
            parameters=parameters,
            uniform=uniform,
        )


def _rule(definition: ExperimentDefinition) -> Rule:
    kinds = {name: AttributeType(kind) for name, kind in definition.attributes.items()}
    try:
        return compile_rule(definition.targeting, kinds)
    except RuleError as error:
        problems = [Problem(f"targeting, {problem.path}", problem.message) for problem in error.problems]
        raise DefinitionError(f"experiment {definition.experiment_id}", problems) from None


def _share(purpose: Purpose, programme: str, salt: str, ranges: Iterable[tuple[int, int]]) -> Share:
    """Return the share of units whose bucket, in parts per million, lies in a half-open range."""
    bounds = [lowest_point(ppm) for lower, upper in ranges if lower < upper for ppm in (lower, upper)]
    return Share(point_prefix(purpose, programme, salt), tuple(bounds))


def _slot_bounds(layer: LayerSlots) -> Iterator[tuple[int, int]]:
    for lower, upper in layer.ranges:
        yield lower * _PPM_PER_SLOT, upper * _PPM_PER_SLOT


def _split(answers: _Answers, weights: Mapping[str, int], *, uniform: bool) -> Split:
    """Return the arms that have a range; a closed one, of weight 0, has none."""
    bounds = share_bounds(tuple(weights.values()))
    arms, ends, lower = [], [], 0
    for variant_id, upper in zip(weights, bounds, strict=True):
        if upper > lower:
            arms.append(answers.with_variant(AssignmentReason.ASSIGNED, variant_id, uniform=uniform))
            ends.append(lowest_point(upper))
            lower = upper
    return Split(tuple(ends[:-1]), tuple(arms))
