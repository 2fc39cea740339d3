"""Weights of a mixture, by ensemble selection."""

import numpy as np

from training.offers.mixture import Floats, PooledCases

BAGS = 5
BAG_SHARE = 0.6
STEPS = 20
"""Scorers that are added to a bag's mixture one by one, so that a weight is a multiple of about 5 percent."""


def select_weights(cases: PooledCases, *, k: int, seed: int) -> Floats:
    """Return the weights of scorers that rank held-out truths best.

    Ensemble selection (Caruana et al., *Ensemble Selection from Libraries of Models*, 2004, sections 2.1 to 2.3): from the
    best scorer on, the one that helps most is added, again and again, also a second time; the best mixture on the way is
    kept. A sample of a few hundred cases is noisy, so this is done on several random samples of them and averaged.

    Args:
        cases: Held-out cases.
        k: Length of the ranked list.
        seed: Of the samples.

    Returns:
        float64[scorers], from 0 on; they add up to 1.
    """
    count, total = len(cases.scores), len(cases.truth_count)
    if not total or count < 2:
        return np.full(count, 1.0 / max(count, 1))
    rng = np.random.default_rng(seed)
    size = max(int(BAG_SHARE * total), 1)
    bags = [_select(cases.take(np.sort(rng.choice(total, size, replace=False))), k) for _ in range(BAGS)]
    weights: Floats = np.sum(bags, axis=0) / BAGS
    return weights


def _select(cases: PooledCases, k: int) -> Floats:
    count = len(cases.scores)
    weights, best_value, best = np.zeros(count), -1.0, np.zeros(count)
    for _ in range(STEPS + 1):
        values = [float(cases.ndcg(weights + one, k).mean()) for one in np.eye(count)]
        added = int(np.argmax(values))
        weights[added] += 1.0
        if values[added] > best_value:
            best_value, best = values[added], weights.copy()
    shares: Floats = best / best.sum()
    return shares
