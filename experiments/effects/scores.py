"""Scores of arms: per member and arm a number whose mean is what the arm would have brought to everybody.

Every value of a policy, every difference between two policies, every slope and every curve with doubly robust outcomes is an
average of these numbers, so that their standard errors are those of averages.
"""

import numpy as np

from experiments.uplift.trial import Floats, Ints


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
    whatever the predictions, as long as no member's own outcome took part in predicting for her (cross-fitting).

    Args:
        arm: int64[n], each member's arm.
        propensity: float64[n], its probability, in (0, 1].
        outcome: float64[n].
        predicted: float64[n, arms], what each arm would bring to each member, by models that did not see her outcome.

    Returns:
        float64[n, arms].
    """
    scores = predicted.copy()
    rows = np.arange(len(arm))
    scores[rows, arm] += (outcome - predicted[rows, arm]) / propensity
    return scores
