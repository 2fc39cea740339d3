"""A table's units, split at random again and again."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.stats import Moments

Array = NDArray[np.float64]

_RUNS_AT_ONCE = 50
# Rows whose variants are drawn at once: with 50 runs 20 MiB.
_ROWS_AT_ONCE = 50_000


@dataclass(frozen=True)
class Arms:
    """Many splits' arms at several looks.

    Attributes:
        counts: Units of each arm: runs x looks x arms.
        means: Of the columns: runs x looks x arms x columns.
        products: Of the columns' deviations: runs x looks x arms x columns x columns.
    """

    counts: NDArray[np.int64]
    means: Array
    products: Array

    def moments(self, run: int, look: int, *, effect: float = 0.0) -> tuple[Moments, Moments]:
        """Return control and treatment of one split at one look.

        Args:
            run: Number of the split.
            look: Number of the look.
            effect: Every treated unit's first column is so much larger, as a share.
        """
        at = (run, look)
        control, treatment = (
            Moments(count, tuple(means), tuple(map(tuple, products)))
            for count, means, products in zip(
                self.counts[at].tolist(), self.means[at].tolist(), self.products[at].tolist(), strict=True
            )
        )
        return control, scaled(treatment, 1 + effect) if effect else treatment


def scaled(moments: Moments, factor: float) -> Moments:
    """Return the moments with the first column multiplied by a factor."""
    means = (moments.means[0] * factor, *moments.means[1:])
    products = np.array(moments.products)
    products[0] *= factor
    products[:, 0] *= factor
    return Moments(moments.count, means, tuple(map(tuple, products.tolist())))


def random_splits(
    values: Array, *, pair_units: int, share: float, looks: int, runs: int, random: np.random.Generator
) -> Iterator[Arms]:
    """Yield the arms of random splits, several splits at a time.

    Every few splits the units come in a new order, of which the first are in either of the two arms; each falls to
    the treatment by a throw of its own, as assignment does it.

    Args:
        values: One row per unit.
        pair_units: Units of both arms together.
        share: Of them, those in the treatment.
        looks: Evenly spaced looks while the units arrive.
        runs: Splits.
        random: Source of chance.
    """
    centre = values.mean(axis=0)
    ends = np.rint(np.arange(1, looks + 1) * pair_units / looks).astype(np.int64)
    for first in range(0, runs, _RUNS_AT_ONCE):
        at_once = min(_RUNS_AT_ONCE, runs - first)
        order = random.permutation(len(values))[:pair_units]
        yield _split(values, order, centre, ends, (share, at_once), random)


def _split(  # noqa: PLR0917
    values: Array,
    order: NDArray[np.int64],
    centre: Array,
    ends: NDArray[np.int64],
    draw: tuple[float, int],
    random: np.random.Generator,
) -> Arms:
    share, runs = draw
    width = len(centre)
    upper = np.triu_indices(width)
    counts = np.zeros((runs, len(ends), 2), dtype=np.int64)
    sums = np.zeros((runs, len(ends), 2, width + len(upper[0])))
    start = 0
    for look, end in enumerate(ends.tolist()):
        for begin in range(start, end, _ROWS_AT_ONCE):
            rows = values[order[begin : min(end, begin + _ROWS_AT_ONCE)]] - centre
            rows = np.concatenate([rows, rows[:, upper[0]] * rows[:, upper[1]]], axis=1)
            treated = random.random((runs, len(rows)), dtype=np.float32) < share
            in_treatment = treated.sum(axis=1)
            counts[:, look, 1] += in_treatment
            counts[:, look, 0] += len(rows) - in_treatment
            of_treatment = treated.astype(np.float64) @ rows
            sums[:, look, 1] += of_treatment
            sums[:, look, 0] += rows.sum(axis=0) - of_treatment
        start = end
    return _arms(centre, counts.cumsum(axis=1), sums.cumsum(axis=1))


def _arms(centre: Array, counts: NDArray[np.int64], sums: Array) -> Arms:
    """Return the arms of sums of deviations from a centre, and of these deviations' products."""
    width = len(centre)
    upper = np.triu_indices(width)
    some = np.maximum(counts, 1)[..., None]
    slips = sums[..., :width]
    products = np.empty((*counts.shape, width, width))
    products[..., upper[0], upper[1]] = products[..., upper[1], upper[0]] = sums[..., width:]
    products -= slips[..., :, None] * slips[..., None, :] / some[..., None]
    return Arms(counts, centre + slips / some, products)


def random_arms(
    values: Array, pair_units: int, share: float, runs: int, random: np.random.Generator
) -> Iterator[tuple[Array, Array]]:
    """Yield the values themselves of control and treatment, in random splits."""
    for _ in range(runs):
        pair = values if pair_units == len(values) else random.choice(values, pair_units, replace=False)
        treated = random.random(len(pair), dtype=np.float32) < share
        yield pair[~treated], pair[treated]
