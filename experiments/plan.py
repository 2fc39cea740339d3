"""The compiled plan: what assignment needs to know, worked out once and never changed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from experiments.definition import ExperimentDefinition, State
from experiments.errors import DomainError
from experiments.hashing import Purpose, lowest_point, point_prefix, share_bounds

Parameters = Mapping[str, str | int | float | bool]
_NO_PARAMETERS: Parameters = MappingProxyType({})


class UnknownExperimentError(DomainError):
    """The plan has no experiment of that id."""

    reason = "EXPERIMENT_NOT_FOUND"


class AssignmentReason(StrEnum):
    """Why a unit has the variant it has, or none."""

    ASSIGNED = "ASSIGNED"
    NOT_ENROLLED = "NOT_ENROLLED"
    NOT_RUNNING = "NOT_RUNNING"


@dataclass(frozen=True, slots=True)
class Assignment:
    """The answer for one unit and one experiment.

    Attributes:
        experiment_id: The experiment.
        variant_id: The variant; none unless the reason is ``ASSIGNED``.
        reason: ``NOT_ENROLLED`` means outside the experiment's traffic.
        plan_revision: The plan that gave the answer; with the unit's id it gives the same answer for ever.
        experiment_revision: The definition's revision in that plan.
        parameters: Of the variant; read-only; empty without one.
    """

    experiment_id: str
    variant_id: str | None
    reason: AssignmentReason
    plan_revision: str
    experiment_revision: int
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class CompiledExperiment:
    """An experiment ready for assignment: every answer that it can give exists already.

    Attributes:
        experiment_id: Its id.
        running: Whether it assigns at all.
        placements: Where it applies.
        enrolment_prefix: Bytes in front of a unit's netstring for the point that decides enrolment.
        enrolment_end: First point outside the traffic; 2**64 if all units are enrolled.
        arm_prefix: Bytes in front of a unit's netstring for the point that decides the arm.
        arm_ends: Where an arm's range of points ends and the next one's begins; one less than arms.
        arms: The answers for those ranges.
        not_enrolled: The answer outside the traffic.
        not_running: The answer unless it runs.
    """

    experiment_id: str
    running: bool
    placements: frozenset[str]
    enrolment_prefix: bytes
    enrolment_end: int
    arm_prefix: bytes
    arm_ends: tuple[int, ...]
    arms: tuple[Assignment, ...]
    not_enrolled: Assignment
    not_running: Assignment


@dataclass(frozen=True, slots=True)
class Plan:
    """All experiments of a programme, compiled.

    Attributes:
        programme: The loyalty programme.
        revision: ``plan-`` and 12 hexadecimal digits; equal exactly if the plans assign and say the same.
        experiments: By experiment id, in the order of ids; read-only.
    """

    programme: str
    revision: str
    experiments: Mapping[str, CompiledExperiment]

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
    """Compile the experiments of one programme; those of others are left out."""
    own = sorted(
        (definition for definition in definitions if definition.programme == programme),
        key=lambda definition: definition.experiment_id,
    )
    revision = _revision(programme, own)
    return Plan(
        programme=programme,
        revision=revision,
        experiments=MappingProxyType({one.experiment_id: _compile(one, revision) for one in own}),
    )


def _compile(definition: ExperimentDefinition, plan_revision: str) -> CompiledExperiment:
    def answer(
        reason: AssignmentReason, variant_id: str | None = None, parameters: Parameters = _NO_PARAMETERS
    ) -> Assignment:
        return Assignment(
            experiment_id=definition.experiment_id,
            variant_id=variant_id,
            reason=reason,
            plan_revision=plan_revision,
            experiment_revision=definition.revision,
            parameters=parameters,
        )

    bounds = share_bounds(tuple(variant.weight for variant in definition.variants))
    return CompiledExperiment(
        experiment_id=definition.experiment_id,
        running=definition.state is State.RUNNING,
        placements=frozenset(definition.placements),
        enrolment_prefix=point_prefix(Purpose.ENROLMENT, definition.programme, definition.salt),
        enrolment_end=lowest_point(definition.traffic_ppm),
        arm_prefix=point_prefix(Purpose.ARM, definition.programme, definition.salt),
        arm_ends=tuple(lowest_point(bound) for bound in bounds[:-1]),
        arms=tuple(
            answer(AssignmentReason.ASSIGNED, variant.variant_id, MappingProxyType(dict(variant.parameters)))
            for variant in definition.variants
        ),
        not_enrolled=answer(AssignmentReason.NOT_ENROLLED),
        not_running=answer(AssignmentReason.NOT_RUNNING),
    )


def _revision(programme: str, definitions: list[ExperimentDefinition]) -> str:
    # Texts for people and the analysis are left out: they change no answer of the plan.
    content = {
        "programme": programme,
        "experiments": [
            {
                "experiment_id": definition.experiment_id,
                "revision": definition.revision,
                "unit": definition.unit,
                "state": definition.state,
                "placements": sorted(definition.placements),
                "salt": definition.salt,
                "traffic_ppm": definition.traffic_ppm,
                "variants": [
                    {
                        "variant_id": variant.variant_id,
                        "weight": variant.weight,
                        "parameters": variant.parameters,
                    }
                    for variant in definition.variants
                ],
            }
            for definition in definitions
        ],
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"plan-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"
