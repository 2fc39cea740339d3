"""Which policy decides: what the placement says, unless a standing arm or the variant of an experiment says otherwise."""

from collections.abc import Iterable
from dataclasses import dataclass

from experiments.assignment.plan import Assignment
from server.catalogue import Arbitration, Catalogue, Exploration, Placement
from server.decide.score import POPULAR

RANKING_PARAMETER = "ranking"
"""A variant with this parameter says how to rank."""
ARBITRATION_PARAMETER = "arbitration"
"""A variant with this parameter names the arbitration that weighs; empty for none."""
EXPLORATION_PARAMETER = "exploration"
"""A variant with this parameter set to ``off`` leaves nothing to chance."""
ARM_PARAMETER = "standing_arm"
"""A variant with this parameter is a standing arm."""
OFF = "off"

RANDOM_ELIGIBLE = "random_eligible"
NO_MODEL = "no_model"
NO_LEVERS = "no_levers"
NO_PERSONALISATION = "no_personalisation"
HOLDOUT = "holdout"

ACTION_ARBITRATION = Arbitration(arbitration_id="incremental_value")
"""Weighs actions where the placement names no arbitration."""
NO_EXPLORATION = Exploration()


@dataclass(frozen=True, slots=True)
class Policy:
    """How one decision is made.

    Attributes:
        ranking: How to rank: ``champion`` or ``popular``.
        arbitration: What weighs; ``None`` to rank by the model alone.
        exploration: What is left to chance.
        arm: The standing arm that the member is in, or empty.
    """

    ranking: str
    arbitration: Arbitration | None
    exploration: Exploration
    arm: str

    @property
    def uniform(self) -> bool:
        """Whether all that can be chosen are equally likely."""
        return self.arm == RANDOM_ELIGIBLE


def policy_of(catalogue: Catalogue, placement: Placement, assignments: Iterable[Assignment]) -> Policy:
    """Return the policy of a placement for a member in these variants; the first that names a parameter counts.

    Args:
        catalogue: The catalogue.
        placement: The placement.
        assignments: The member's variants.
    """
    parameters: dict[str, str] = {}
    for assigned in assignments:
        for name, value in assigned.parameters.items():
            parameters.setdefault(name, str(value))
    arm = parameters.get(ARM_PARAMETER, "")
    ranking = POPULAR if arm == NO_PERSONALISATION else parameters.get(RANKING_PARAMETER, placement.ranking)
    name = parameters.get(ARBITRATION_PARAMETER, placement.arbitration)
    arbitration = catalogue.arbitrations_by_id.get(name)
    if arbitration is None and placement.decides == "actions":
        arbitration = ACTION_ARBITRATION
    off = parameters.get(EXPLORATION_PARAMETER) == OFF
    exploration = NO_EXPLORATION if off else placement.exploration
    return Policy(ranking, arbitration, exploration, arm)
