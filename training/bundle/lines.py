"""Product lines: what a member does with near relatives of the products that an offer covers.

A line is a group of products that replace each other, such as one brand's yoghurts. Who buys a line is likely to take an
offer on it, even on a flavour that was never bought.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from training.bundle.scorers import Covers

Array = npt.NDArray[np.float32]


def line_offers(covers: Covers) -> Covers | None:
    """Return which offers each line belongs to: all that cover one of its products; ``None`` where there are no lines."""
    if covers.lines is None or not (covers.lines >= 0).any():
        return None
    positions, offers = covers.expand(np.arange(len(covers.lines), dtype=np.int32))
    lines = covers.lines[positions].astype(np.int64)
    known = lines >= 0
    pairs = np.unique(lines[known] * covers.offer_count + offers[known])
    line, offer = np.divmod(pairs, covers.offer_count)
    counts = np.bincount(line, minlength=int(covers.lines.max()) + 1)
    return Covers(
        covers.offer_count, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), offer.astype(np.int32)
    )


def line_counts(lines: Covers | None, offer_count: int) -> npt.NDArray[np.float64]:
    """Return float64[offers], how many lines each offer covers something of; 0 where there are no lines."""
    if lines is None or lines.indices is None:
        return np.zeros(offer_count)
    return np.bincount(lines.indices, minlength=offer_count).astype(np.float64)


def line_columns(
    products: npt.NDArray[np.int32],
    values: Sequence[Array],
    candidates: npt.NDArray[np.int64],
    covers: Covers,
    lines: Covers | None,
) -> Array:
    """Add up what a member did with all products of the lines that each candidate covers something of.

    Args:
        products: What the member bought.
        values: float32[products] each.
        candidates: Offers.
        covers: Which line each product belongs to.
        lines: Which offers each line belongs to.

    Returns:
        float32[values, candidates]; 0 where there are no lines.
    """
    sums = np.zeros((len(values), len(candidates)), np.float32)
    if lines is None or covers.lines is None:
        return sums
    line = covers.lines[products]
    known = np.flatnonzero(line >= 0)
    bought, place = np.unique(line[known], return_inverse=True)
    positions, offers = lines.expand(bought)
    for row, one in enumerate(values):
        per_line = np.bincount(place, weights=one[known], minlength=len(bought))
        per_offer = np.bincount(offers, weights=per_line[positions], minlength=covers.offer_count)
        sums[row] = per_offer[candidates]
    return sums
