"""Bandit experiments: how to share out tomorrow's units, and what may be concluded although the shares moved."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from experiments.errors import AnalysisError
from experiments.stats.figure import PairEstimate, arm_units, pooled_unit_variances

# An arm's distribution is integrated over this many standard deviations on each side, in panels between the
# points at which any arm's distribution function bends.
_REACH = 9.0
_BENDS = np.arange(-_REACH, _REACH + 1, 1.5)


def thompson_shares(
    means: Sequence[float], variances: Sequence[float], floor: float = 0.0
) -> tuple[float, ...]:
    """Return the share of the units that each arm shall get next: its chance to be the best, above a floor.

    The chance is exact for independent normal posteriors (Thompson sampling's probability, by quadrature instead of
    draws). The floor is an unbiased slice: of it every arm gets the same, whatever is known.

    Args:
        means: Each arm's figure, higher is better.
        variances: Of these as estimates; zero for a figure known exactly.
        floor: Share of all units that is spread evenly, in [0, 1].

    Returns:
        Shares in the order of the arms; they add up to one.

    Raises:
        AnalysisError: There is no arm, or a figure is not finite, or a variance negative or not finite.
        ValueError: The floor is not a share, or the numbers of means and variances differ.
    """
    if not 0 <= floor <= 1:
        raise ValueError(f"the floor is {floor:g}; it must lie between 0 and 1")
    if len(means) != len(variances):
        raise ValueError(f"{len(means)} means and {len(variances)} variances; every arm needs both")
    if not means:
        raise AnalysisError("there is no arm to share units among")
    if not all(math.isfinite(v) for v in (*means, *variances)) or min(variances) < 0:
        raise AnalysisError(
            "an arm's figure or variance is not a finite number; give it an even share until it has data"
        )
    best = _chances_to_be_best(np.array(means, dtype=np.float64), np.sqrt(variances))
    return tuple(float(floor / len(means) + (1 - floor) * chance) for chance in best)


def batched_effect(batches: Sequence[PairEstimate]) -> PairEstimate:
    """Return the effect over batches (days) between which the allocation moved with the data.

    Pooled over batches, the arms' means are biased and not normal, for an arm that began badly is shrunk and stays
    looking bad. Within one batch the allocation is fixed, and weighted by ``sqrt(n_c n_t / (n_c + n_t))``, which is
    known before the batch's outcomes, every batch adds the same variance: so the weighted mean of the batches'
    effects is normal (batched OLS: Zhang, Janson and Murphy 2020, https://arxiv.org/abs/2002.03217, theorem 3; it
    assumes one variance per unit and an effect that stays). Levels of the metric may change from batch to batch.

    The variance per unit is pooled over batches, so that a batch without conversions in a small arm does not count
    as certain; of the variance so computed and the one with both arms' variances per unit exchanged, the larger is
    taken, for a neglected arm may not have met its rare values yet.

    Args:
        batches: One pair per batch, of that batch's units only.

    Raises:
        AnalysisError: There is no batch.
    """
    if not batches:
        raise AnalysisError("no day has units in both variants, so that nothing can be compared")
    units = arm_units(batches)
    weights = 1 / np.sqrt((1 / units).sum(axis=1))
    weights /= weights.sum()
    per_unit = pooled_unit_variances(batches)
    pooled = weights**2 @ (per_unit / units)
    exchanged = weights**2 @ (per_unit[::-1] / units)
    if 0 < pooled.sum() < exchanged.sum():
        pooled *= exchanged.sum() / pooled.sum()
    shared = np.array(
        [
            (
                b.control_variance - b.own_variances[0],
                b.treatment_variance - b.own_variances[1],
                b.covariance,
            )
            for b in batches
        ]
    )
    control_shared, treatment_shared, covariance = weights**2 @ shared
    return PairEstimate(
        control_mean=float(weights @ [b.control_mean for b in batches]),
        treatment_mean=float(weights @ [b.treatment_mean for b in batches]),
        control_variance=float(pooled[0] + control_shared),
        treatment_variance=float(pooled[1] + treatment_shared),
        covariance=float(covariance),
        own_variances=(float(pooled[0]), float(pooled[1])),
        control_units=int(units[:, 0].sum()),
        treatment_units=int(units[:, 1].sum()),
    )


def _chances_to_be_best(means: np.ndarray, errors: np.ndarray) -> np.ndarray:
    known = errors == 0
    # Of the arms known exactly only the best can be best; several equal ones share its chance.
    top = means[known].max() if known.any() else -math.inf
    leaders = known & (means == top)
    chances = np.zeros(len(means))
    open_arms = np.flatnonzero(~known)
    if leaders.any():
        chances[leaders] = float(ndtr((top - means[~known]) / errors[~known]).prod()) / leaders.sum()
    if open_arms.size:
        points, weights = np.polynomial.legendre.leggauss(12)
        bends = np.unique((means[open_arms, None] + errors[open_arms, None] * _BENDS).ravel())
        bends = np.unique(np.clip(bends, top, None))
        half = np.diff(bends) / 2
        nodes = (bends[:-1, None] + half[:, None] * (1 + points)).ravel()
        masses = (half[:, None] * weights).ravel()
        scaled = (nodes - means[open_arms, None]) / errors[open_arms, None]
        below = ndtr(scaled)
        for i, arm in enumerate(open_arms):
            density = np.exp(-(scaled[i] ** 2) / 2) / (math.sqrt(2 * math.pi) * errors[arm])
            chances[arm] = masses @ (density * np.delete(below, i, axis=0).prod(axis=0))
    chances /= chances.sum()
    return chances
