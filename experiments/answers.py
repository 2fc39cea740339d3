"""The answers of assignment: which variant, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

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
        variant_id: The variant; none unless the reason is ``ASSIGNED``, ``STICKY`` or ``OVERRIDDEN``.
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
