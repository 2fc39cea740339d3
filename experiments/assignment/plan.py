"""Turns a definition into what assignment reads: prefixes of hashes, bounds of points, and finished answers.

The answers of assignment: which variant, and why.

The compiled plan: what assignment needs to know, worked out once and never changed.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from experiments.assignment.hashing import (
    Purpose,
    lowest_point,
    point_prefix,
)
from experiments.definition import ExperimentDefinition, LayerSlots, State
from experiments.definition.fields import PARTS_PER_MILLION, share_bounds
from experiments.errors import DefinitionError, DomainError, Problem
from experiments.rules import AttributeType, Rule, RuleError, compile_rule

Parameters = Mapping[str, str | int | float | bool]
NO_PARAMETERS: Parameters = MappingProxyType({})


class AssignmentReason(StrEnum):
    """Why a unit has the variant it has, or none; in the order in which the rules are asked.

    ``NOT_RUNNING`` the experiment does not run. ``OVERRIDDEN`` the definition names this unit. ``HELD_OUT`` no experiment
    touches it. ``NOT_IN_SLOT`` its slot of the layer is not lent to this experiment. ``STICKY`` it keeps the variant it
    had. ``TARGETING_ERROR`` the rule cannot tell, for example because an attribute is missing; ``NOT_TARGETED`` it says
    no. ``NOT_ENROLLED`` outside the traffic. ``ASSIGNED`` by its hash.
    """

    NOT_RUNNING = "NOT_RUNNING"
    OVERRIDDEN = "OVERRIDDEN"
    HELD_OUT = "HELD_OUT"
    NOT_IN_SLOT = "NOT_IN_SLOT"
    STICKY = "STICKY"
    TARGETING_ERROR = "TARGETING_ERROR"
    NOT_TARGETED = "NOT_TARGETED"
    NOT_ENROLLED = "NOT_ENROLLED"
    ASSIGNED = "ASSIGNED"


@dataclass(frozen=True, slots=True)
class Assignment:
    """The answer for one unit and one experiment.

    Attributes:
        experiment_id: The experiment.
        variant_id: The variant; ``None`` unless the reason is ``ASSIGNED``, ``STICKY`` or ``OVERRIDDEN``.
        reason: Why.
        plan_revision: The plan that gave the answer; with the same unit, attributes and earlier variant it gives the same
            answer for ever.
        experiment_revision: The definition's revision in that plan.
        parameters: Of the variant; read-only; empty without one.
        uniform: Whether the unit is in the slice of a bandit that is always spread evenly.
    """

    experiment_id: str
    variant_id: str | None
    reason: AssignmentReason
    plan_revision: str
    experiment_revision: int
    parameters: Parameters
    uniform: bool = False

    @property
    def counted(self) -> bool:
        """Whether the unit takes part in the analysis; an overridden one has a variant and does not."""
        return self.reason is AssignmentReason.ASSIGNED or self.reason is AssignmentReason.STICKY


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
class VariantSplit:
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
    weighted: VariantSplit
    even: VariantSplit
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


def _split(answers: _Answers, weights: Mapping[str, int], *, uniform: bool) -> VariantSplit:
    """Return the arms that have a range; a closed one, of weight 0, has none."""
    bounds = share_bounds(tuple(weights.values()))
    arms, ends, lower = [], [], 0
    for variant_id, upper in zip(weights, bounds, strict=True):
        if upper > lower:
            arms.append(answers.with_variant(AssignmentReason.ASSIGNED, variant_id, uniform=uniform))
            ends.append(lowest_point(upper))
            lower = upper
    return VariantSplit(tuple(ends[:-1]), tuple(arms))


__all__ = ["CompiledExperiment", "Plan", "UnknownExperimentError", "compile_plan"]


class UnknownExperimentError(DomainError):
    """The plan has no experiment of that id."""

    reason = "EXPERIMENT_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Plan:
    """All experiments of a programme, compiled.

    Attributes:
        programme: The loyalty programme.
        revision: ``plan-`` and 12 hexadecimal digits; equal exactly if the plans assign and say the same.
        experiments: By experiment id, in the order of ids; read-only.
        placed: The running experiments of each placement, in the order of ids; read-only.
    """

    programme: str
    revision: str
    experiments: Mapping[str, CompiledExperiment]
    placed: Mapping[str, tuple[CompiledExperiment, ...]]

    def experiment(self, experiment_id: str) -> CompiledExperiment:
        """Return an experiment.

        Raises:
            UnknownExperimentError: The plan has none of that id.
        """
        try:
            return self.experiments[experiment_id]
        except KeyError:
            message = f"There is no experiment {experiment_id!r} in programme {self.programme!r}."
            raise UnknownExperimentError(
                message, experiment_id=experiment_id, programme=self.programme
            ) from None


def compile_plan(definitions: Iterable[ExperimentDefinition], programme: str) -> Plan:
    """Compile the experiments of one programme; those of others are left out.

    Raises:
        DefinitionError: A targeting rule cannot be read.
    """
    own = sorted(
        (definition for definition in definitions if definition.programme == programme),
        key=lambda definition: definition.experiment_id,
    )
    revision = _revision(programme, own)
    experiments = {one.experiment_id: compile_experiment(one, revision) for one in own}
    placed: dict[str, list[CompiledExperiment]] = defaultdict(list)
    for experiment in experiments.values():
        for placement_id in experiment.placements if experiment.running else ():
            placed[placement_id].append(experiment)
    return Plan(
        programme=programme,
        revision=revision,
        experiments=MappingProxyType(experiments),
        placed=MappingProxyType({placement_id: tuple(found) for placement_id, found in placed.items()}),
    )


def _revision(programme: str, definitions: list[ExperimentDefinition]) -> str:
    content = {"programme": programme, "experiments": [_deciding(definition) for definition in definitions]}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"plan-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"


def _deciding(definition: ExperimentDefinition) -> dict[str, Any]:
    # Texts for people and the analysis are left out: they change no answer of the plan.
    layer, holdout = definition.layer, definition.holdout
    return {
        "experiment_id": definition.experiment_id,
        "revision": definition.revision,
        "unit": definition.unit,
        "state": definition.state,
        "placements": sorted(definition.placements),
        "salt": definition.salt,
        "holdout": holdout and [holdout.holdout_id, holdout.traffic_ppm],
        "layer": layer and [layer.layer_id, layer.ranges],
        "targeting": definition.targeting and [definition.targeting, definition.attributes],
        "traffic_ppm": definition.traffic_ppm,
        "overrides": definition.overrides,
        "sticky": definition.sticky,
        "allocation": [definition.allocation.kind, definition.allocation.uniform_ppm],
        "variants": [
            {"variant_id": variant.variant_id, "weight": variant.weight, "parameters": variant.parameters}
            for variant in definition.variants
        ],
    }
