"""What arms cost: per send, and per response."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.uplift.trial import Floats, Trial
from training.errors import TrainingError


@dataclass(frozen=True, slots=True)
class ArmCost:
    """What an arm costs, in the outcome's money.

    Attributes:
        per_send: For each member who gets it, at least 0.
        per_response: For each of them who responds, at least 0: a discount, say.
    """

    per_send: float = 0.0
    per_response: float = 0.0


def check_names(trial: Trial, named: Sequence[str], what: str) -> None:
    """Refuse arms that the trial does not have, and the control.

    Args:
        trial: The trial.
        named: Arms.
        what: What they were named for, for the message: ``cost``.

    Raises:
        TrainingError: An arm is not one that can be sent.
    """
    for name in named:
        if name == trial.arms[0]:
            raise TrainingError(f"{name!r} is the control, which is not sent, so it has no {what}.")
        if name not in trial.arms:
            raise TrainingError(
                f"The trial has no arm {name!r} for the {what}; it has {', '.join(trial.arms[1:])}."
            )


def arm_costs(trial: Trial, costs: Mapping[str, ArmCost]) -> tuple[Floats, Floats]:
    """Return float64[arms] per send and float64[arms] per response; 0 for the control and for arms not named.

    Raises:
        TrainingError: An arm is not known, or a cost is negative or not a number.
    """
    check_names(trial, list(costs), "cost")
    for name, cost in costs.items():
        if not all(math.isfinite(part) and part >= 0 for part in (cost.per_send, cost.per_response)):
            raise TrainingError(f"The cost of {name!r} is not a number of at least 0.")
    each = [costs.get(arm, ArmCost()) for arm in trial.arms]
    return np.array([one.per_send for one in each]), np.array([one.per_response for one in each])


def net_outcome(margin: Floats, response: Floats, arm: np.ndarray, costs: tuple[Floats, Floats]) -> Floats:
    """Subtract the cost of each member's arm from their margin.

    Args:
        margin: float64[n], before costs.
        response: float64[n], 0 or 1.
        arm: int64[n].
        costs: Per send and per response, by arm.

    Returns:
        float64[n], in the margin's unit.
    """
    per_send, per_response = costs
    net: Floats = margin - per_send[arm] - per_response[arm] * response
    return net


def expected_costs(response: Floats, costs: tuple[Floats, Floats]) -> Floats:
    """Return float64[n, K], what each arm but the control is expected to cost for each member.

    Args:
        response: float64[n, arms], probability of a response to each arm.
        costs: Per send and per response, by arm.
    """
    per_send, per_response = costs
    expected: Floats = (per_send + per_response * response)[:, 1:]
    return expected
