"""Choice probabilities worked out on their own: closed forms, enumeration, and the bands that frequencies must keep."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence

import scipy.stats

from server.decide.explore import Chance

Conditional = Callable[[Sequence[int]], Sequence[float]]
"""Gives the probability of each of the rows that are left, best first, to be the next."""
Probabilities = Mapping[tuple[int, ...], float]


def slates(
    shortlist: Sequence[int],
    rest: Sequence[int],
    count: int,
    conditional: Conditional,
    *,
    categories: Sequence[str],
    most: int | None,
) -> Probabilities:
    """Return the probability of every ordered slate.

    Args:
        shortlist: What chance may choose, best first.
        rest: What follows, best first, when nothing of the shortlist is left.
        count: Rows of a whole slate.
        conditional: The policy.
        categories: Of each row.
        most: At most so many of one category.
    """
    found: dict[tuple[int, ...], float] = {}

    def has_room(slate: Sequence[int], row: int) -> bool:
        return row not in slate and (
            most is None or sum(categories[one] == categories[row] for one in slate) < most
        )

    def extend(slate: tuple[int, ...], probability: float) -> None:
        left = [row for row in shortlist if has_room(slate, row)]
        if len(slate) < count and left:
            for row, chance in zip(left, conditional(left), strict=True):
                extend((*slate, row), probability * chance)
            return
        for row in rest:
            if len(slate) < count and has_room(slate, row):
                slate = (*slate, row)
        found[slate] = found.get(slate, 0.0) + probability

    extend((), 1.0)
    return found


def epsilon(share: float) -> Conditional:
    """Return the policy that takes the best, and in a share of choices any that is left."""
    return lambda left: [(1 - share) * (place == 0) + share / len(left) for place in range(len(left))]


def plackett_luce(scores: Mapping[int, float], scale: float, floor: float) -> Conditional:
    """Return the Plackett-Luce policy above a floor: in proportion to exp(score / scale), the last for certain."""

    def conditional(left: Sequence[int]) -> list[float]:
        total = math.fsum(math.exp(scores[row] / scale) for row in left)
        return [floor + (1 - floor * len(left)) * math.exp(scores[row] / scale) / total for row in left]

    return lambda left: [1.0] if len(left) == 1 else conditional(left)


def walk(chance: Chance, positions: Sequence[int]) -> dict[int, float]:
    """Return the probability of each of ``positions``, read off what the sampler says at the points of [0, 1)."""
    found: dict[int, float] = {}
    point = 0.0
    while point < 1 - 1e-9:
        pick, probability = chance.pick(positions, point)
        assert positions[pick] not in found
        found[positions[pick]] = probability
        point += probability + 1e-13
    return found


def band(cells: int) -> float:
    """Return the share outside the band of one of so many cells, so that all lie within theirs in 99.9 of 100 runs.

    Bonferroni's correction: a thousandth, shared among the cells.
    """
    return 0.001 / cells


def assert_frequencies(
    seen: Mapping[Hashable, int], probabilities: Mapping[Hashable, float], *, cells: int | None = None
) -> None:
    """Assert that each count lies in the exact binomial band of its probability, and that nothing else was seen.

    Args:
        seen: How often each was drawn.
        probabilities: How likely each is.
        cells: For how many cells in all the band is corrected; these by default.
    """
    draws = sum(seen.values())
    outside = band(len(probabilities) if cells is None else cells)
    assert set(seen) <= set(probabilities)
    for one, probability in probabilities.items():
        low, high = scipy.stats.binom.interval(1 - outside, draws, probability)
        assert low <= seen.get(one, 0) <= high, (one, probability, seen.get(one, 0) / draws)
