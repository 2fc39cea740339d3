"""A log of drawn actions, as the policy under evaluation sees it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.errors import AnalysisError
from experiments.uplift.trial import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Logged:
    """Logged choices, one row each; of a slate one row per position.

    Attributes:
        reward: float64[n], what came of each.
        propensity: float64[n], in (0, 1], with which the logging policy chose what it chose.
        chance: float64[n], in [0, 1], with which the evaluated policy would have chosen the same there.
        position: int64[n], the position in a slate, from 1; none where answers have one.
    """

    reward: Floats
    propensity: Floats
    chance: Floats
    position: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if not len(self.reward):
            raise AnalysisError("The log has no rows.")
        if not np.isfinite(self.reward).all():
            raise AnalysisError("The log has rewards that are no numbers.")
        if not ((self.propensity > 0) & (self.propensity <= 1)).all():
            raise AnalysisError("The log has propensities outside (0, 1].")
        if not ((self.chance >= 0) & (self.chance <= 1)).all():
            raise AnalysisError("The policy has probabilities outside [0, 1].")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.reward)

    @property
    def weights(self) -> Floats:
        """float64[n], how much likelier the evaluated policy is to choose what was chosen."""
        return self.chance / self.propensity

    def rows(self, chosen: npt.NDArray[np.bool_]) -> "Logged":
        """Return some of the rows."""
        position = None if self.position is None else self.position[chosen]
        return Logged(self.reward[chosen], self.propensity[chosen], self.chance[chosen], position)


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """What a model of rewards expects, by models that did not see the row's own reward.

    Attributes:
        logged: float64[n], of the action that was chosen.
        under_policy: float64[n], of the evaluated policy: the sum over actions of its probability times the expected reward.
    """

    logged: Floats
    under_policy: Floats
