"""How much data would be enough: to see a gain worth having, and to see that choosing for each member is worth it.

Both sizes rest on the gain that somebody wants to be able to see, never on the gain that was observed. A size computed from the
observed gain of the most promising arm is wrong by more than a factor of 1.5 most of the time, because that gain was chosen for
being high.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from experiments.uplift.trial import Floats, Ints

POWER = 0.8


@dataclass(frozen=True, slots=True)
class Needed:
    """How large a trial would have to be.

    Attributes:
        smallest_gain: The gain to be seen, money per member.
        power: How likely a trial of that size is to show it.
        level: The accepted error of all statements together.
        comparisons: How many statements share it.
        per_arm: Members of each arm, the control included, arms of equal size.
        more: Members that each arm lacks, the control first; 0 where it has enough.
        detectable: The gain that this trial could have seen with the same power, by its least certain arm.
    """

    smallest_gain: float
    power: float
    level: float
    comparisons: int
    per_arm: int
    more: tuple[int, ...]
    detectable: float

    @property
    def more_per_arm(self) -> int:
        """What the arm that lacks most lacks."""
        return max(self.more)

    @property
    def enough(self) -> bool:
        """Whether this trial could have seen the gain."""
        return self.detectable <= self.smallest_gain


@dataclass(frozen=True, slots=True)
class NeededToPersonalise:
    """How large a trial would have to be to show that a plan earns more than one arm for all.

    Attributes:
        gain: By how much it would have to, money per member.
        members: Of the whole trial, arms as they are.
        more: Members that it lacks; 0 where it has enough.
    """

    gain: float
    members: int
    more: int


def members_needed(
    errors: Floats,
    residual_variances: Floats,
    inverse_propensities: Floats,
    counts: Ints,
    smallest_gain: float,
    *,
    level: float = 0.05,
) -> Needed:
    """Return what it takes to see the smallest gain of any arm over the control, at the level shared by all candidates.

    A trial of N members and equal arms estimates an arm's gain with the variance V/N; it shows a gain of δ at power π if
    √(V/N) (z(1 − α/2m) + z(π)) ≤ δ. V is the measured variance of the gain's own scores, N times the squared error, so that
    whatever covariates explain is taken off; the part that comes from unequal arms is replaced by that of equal ones.

    Args:
        errors: float64[K], standard errors of the arms' gains over the control.
        residual_variances: float64[K + 1], of what predictions leave of the outcome, by arm, the control first.
        inverse_propensities: float64[K + 1], mean of 1 over the arm's probability.
        counts: int64[K + 1], members by arm.
        smallest_gain: Money per member, above 0.
        level: The accepted error of all candidates (the arms and the plan) together.
    """
    arms, n = len(counts), int(counts.sum())
    z = _reach(level / arms)
    noise = residual_variances * inverse_propensities
    equal = residual_variances * arms
    whole = noise[0] + noise[1:]
    ratio = np.divide(equal[0] + equal[1:], whole, out=np.ones(arms - 1), where=whole > 0)
    total = float((n * errors**2 * ratio).max()) * (z / smallest_gain) ** 2
    per_arm = max(int(np.ceil(total / arms)), 1)
    return Needed(
        smallest_gain=smallest_gain,
        power=POWER,
        level=level,
        comparisons=arms,
        per_arm=per_arm,
        more=tuple(max(per_arm - int(count), 0) for count in counts),
        detectable=float(errors.max()) * z,
    )


def members_to_personalise(
    error: float, members: int, gain: float, *, level: float = 0.05
) -> NeededToPersonalise:
    """Return what it takes to show that a plan earns so much more than one arm for all.

    Args:
        error: Standard error of the difference in this trial.
        members: Of this trial.
        gain: Money per member, above 0.
        level: The accepted error, two-sided.
    """
    needed = int(np.ceil(members * (error * _reach(level) / gain) ** 2))
    return NeededToPersonalise(gain, needed, max(needed - members, 0))


def _reach(level: float) -> float:
    """Return how many standard errors a gain must have to be seen, two-sided, at the power."""
    return float(-ndtri(level / 2) + ndtri(POWER))
