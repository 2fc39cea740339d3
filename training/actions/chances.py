"""The probability of every arm for every member, of which a log tells only that of the arm she got."""

import numpy as np

from experiments.uplift.trial import Floats, Trial

_SAME = 1e-9


def arm_chances(trial: Trial, matrix: Floats) -> Floats:
    """Return float64[n, arms], rows summing to 1.

    Where every arm had one propensity they are these; else they are estimated by a multinomial logistic regression on the
    features, and the known one of the member's own arm is kept.

    Args:
        trial: The trial.
        matrix: float64[n, width], its encoded features.
    """
    arms = len(trial.arms)
    levels = [trial.propensity[trial.arm == arm] for arm in range(arms)]
    if all(np.ptp(level) <= _SAME for level in levels if len(level)):
        chances = np.array([level[0] if len(level) else 0.0 for level in levels])
        return np.tile(chances / chances.sum(), (len(trial), 1))
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1.0, max_iter=200).fit(matrix, trial.arm)
    estimated: Floats = fitted.predict_proba(matrix)
    rows = np.arange(len(trial))
    others = 1.0 - estimated[rows, trial.arm]
    scale = np.divide(1.0 - trial.propensity, others, out=np.zeros(len(rows)), where=others > 0)
    chances = estimated * scale[:, None]
    chances[rows, trial.arm] = trial.propensity
    return chances
