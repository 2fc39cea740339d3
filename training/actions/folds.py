"""Folds of a trial: equal parts of every arm, so that no member takes part in predicting for herself."""

import numpy as np

from experiments.uplift.trial import Ints


def folds_of(arm: Ints, folds: int, seed: int) -> Ints:
    """Return int64[n], the fold of each member, drawn so that every arm is spread evenly.

    Args:
        arm: int64[n].
        folds: How many.
        seed: Decides the draw.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(arm))
    shuffled = order[np.argsort(arm[order], kind="stable")]
    fold = np.empty(len(arm), dtype=np.int64)
    fold[shuffled] = np.arange(len(arm)) % folds
    return fold
