"""A trial: who was given which arm with which probability, and the outcomes; and scores of its arms.

A score is a number per member and arm whose mean is what the arm would have brought to everybody. Every value of a
policy, every difference between two policies, every slope and every curve with doubly robust outcomes is an average of these
numbers, so that their standard errors are those of averages.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Members whose arm was drawn with known probabilities, one row each.

    Attributes:
        members: Ids, n of them, of any type; unique where a plan is made of them.
        arms: Names of the arms; the first is the control.
        arm: int64[n], the arm of each member as a position in ``arms``.
        propensity: float64[n], the probability with which each member got the arm, in (0, 1].
        outcomes: What came of it, by name: float64[n] each, never NaN.
        features: What was known of each member before the arm was drawn, n rows; numbers, booleans, text; nulls are allowed.
    """

    members: pl.Series
    arms: tuple[str, ...]
    arm: Ints
    propensity: Floats
    outcomes: dict[str, Floats]
    features: pl.DataFrame

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.arm)

    @property
    def counts(self) -> Ints:
        """int64[arms], members by arm."""
        return np.bincount(self.arm, minlength=len(self.arms)).astype(np.int64)

    def rows(self, chosen: Bools | Ints) -> "Trial":
        """Return the trial of some of the members.

        Args:
            chosen: bool[n], or positions.
        """
        places = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return Trial(
            self.members[places],
            self.arms,
            self.arm[places],
            self.propensity[places],
            {name: values[places] for name, values in self.outcomes.items()},
            self.features[places],
        )


def arm_positions(arms: Sequence[str], given: pl.Series) -> Ints:
    """Return each row's arm as a position among the arms' names; -1 for a name that is not there."""
    places = {name: place for place, name in enumerate(arms)}
    return given.cast(pl.String).replace_strict(places, default=-1, return_dtype=pl.Int64).to_numpy()


def weighted_scores(arm: Ints, propensity: Floats, outcome: Floats, arms: int) -> Floats:
    """Return inverse-propensity scores: the outcome over its propensity at the member's own arm, 0 elsewhere.

    Horvitz & Thompson (1952), equation 5.

    Args:
        arm: int64[n], each member's arm.
        propensity: float64[n], its probability, in (0, 1].
        outcome: float64[n].
        arms: How many arms there are.

    Returns:
        float64[n, arms].
    """
    scores = np.zeros((len(arm), arms))
    scores[np.arange(len(arm)), arm] = outcome / propensity
    return scores


def doubly_robust_scores(arm: Ints, propensity: Floats, outcome: Floats, predicted: Floats) -> Floats:
    """Return augmented inverse-propensity scores: the prediction, and at the member's own arm its weighted error.

    Robins, Rotnitzky & Zhao (1994); Dudík, Langford & Li (2011), equation 4. Their mean is unbiased with true propensities,
    whatever the predictions, as long as no member's own outcome took part in its prediction (cross-fitting).

    Args:
        arm: int64[n], each member's arm.
        propensity: float64[n], its probability, in (0, 1].
        outcome: float64[n].
        predicted: float64[n, arms], what each arm would bring to each member, by models that did not see the member's outcome.

    Returns:
        float64[n, arms].
    """
    scores = predicted.copy()
    rows = np.arange(len(arm))
    scores[rows, arm] += (outcome - predicted[rows, arm]) / propensity
    return scores
