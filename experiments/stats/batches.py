"""What several batches (days) of one experiment know together about their variances."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.stats.figure import PairEstimate
from experiments.stats.moments import Moments

Array = NDArray[np.float64]


def within(parts: Sequence[Moments]) -> Moments:
    """Return how columns vary together within the parts: moments of all units, each part moved to the common means.

    Args:
        parts: Moments of the same columns over different units; at least one.
    """
    counts = np.array([part.count for part in parts], dtype=np.float64)
    means = counts @ np.array([part.means for part in parts]) / counts.sum()
    products = np.sum([part.products for part in parts], axis=0)
    return Moments(int(counts.sum()), tuple(means.tolist()), tuple(tuple(row) for row in products.tolist()))


def arm_units(batches: Sequence[PairEstimate]) -> Array:
    """Return the units of control and treatment, one row per batch."""
    return np.array([(b.control_units, b.treatment_units) for b in batches], dtype=np.float64)


def pooled_unit_variances(batches: Sequence[PairEstimate]) -> Array:
    """Return each arm's variance per unit, pooled over the batches.

    A batch's own estimate moves with its mean where values are skewed: a day on which a small arm has not converted
    once has no variance, and weighted by that it would count as certain.
    """
    units = arm_units(batches)
    own = np.array([b.own_variances for b in batches])
    pooled: Array = ((units - 1) * units * own).sum(axis=0) / (units - 1).sum(axis=0)
    return pooled
