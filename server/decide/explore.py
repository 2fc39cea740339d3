"""Exploration: which slate, and with what probability. Probabilities are computed first, then sampled from.

A slate is drawn rank after rank. At every rank the rows that are left of the shortlist have the probabilities
``floor + (1 - left × floor) × base``: the base is the policy without exploration, the floor what every one of them has at
least. So the probability of a choice given the ranks above is known exactly, and that of the slate is their product.

* ``epsilon``: the base is 1 for the best that is left; floor = share / left.
* ``softmax``: the base is in proportion to exp(score / (temperature × deviation)), the Plackett-Luce model over the slate
  (Plackett 1975, The Analysis of Permutations; Luce 1959).
* ``thompson``: the base is each row's chance to have the highest score of those that are left, where the score is normal
  with the variance of a Beta posterior, by quadrature over ``_NODES`` equally likely quantiles of each row.
* ``uniform``: all that can be chosen are equally likely (the arm ``random_eligible``).

Once a quota is full, because a category has as many as it may or a group has reached its cap within the slate, its other
rows are no longer among those that are left.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash
from scipy.special import ndtr, ndtri

from experiments.assignment.hashing import netstring
from server.catalogue import Exploration

UNIFORM = "uniform"
_SEED = netstring("troth-explore-1")
_NODES = ndtri((np.arange(32) + 0.5) / 32)
_MANTISSA = 2.0**-53

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Base = Callable[[Places], Floats]
"""Gives float64[m], probabilities of the rows at these positions of the shortlist, adding up to 1."""


@dataclass(frozen=True, slots=True)
class Slate:
    """What was drawn.

    Attributes:
        places: Positions in the scores that were given, in the order of the answer.
        propensities: Of each, given the ranks above; in (0, 1].
    """

    places: tuple[int, ...]
    propensities: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Quota:
    """At most so many rows of one kind in a slate.

    Attributes:
        kinds: int64[rows], the kind of each row; rows of a kind below 0 are not limited.
        most: Rows of one kind, at least 1.
    """

    kinds: Places
    most: int


class Rooms:
    """What quotas leave room for while a slate grows.

    Args:
        quotas: The quotas.
    """

    def __init__(self, quotas: Sequence[Quota]) -> None:
        self._taken = [(quota.kinds, quota.most, Counter[int]()) for quota in quotas]

    def has(self, place: int) -> bool:
        """Tell whether one more row like this fits."""
        return all(taken[int(kinds[place])] < most for kinds, most, taken in self._taken)

    def take(self, place: int) -> bool:
        """Count a row in, and tell whether that left no room for others like it."""
        full = False
        for kinds, most, taken in self._taken:
            kind = int(kinds[place])
            if kind >= 0:
                taken[kind] += 1
                full |= taken[kind] >= most
        return full


def uniform(seed: str, rank: int) -> float:
    """Return a number in [0, 1) that depends on the seed and the rank alone, evenly distributed."""
    digest: int = xxhash.xxh64_intdigest(_SEED + netstring(seed) + netstring(str(rank)))
    return (digest >> 11) * _MANTISSA


def draw(
    shortlist: Places,
    rest: Places,
    count: int,
    *,
    chance: "Chance",
    seed: str,
    quotas: Sequence[Quota],
) -> Slate:
    """Draw a slate.

    Args:
        shortlist: Rows that chance may choose, best first.
        rest: The other rows, best first; they follow, without chance, when none of the shortlist is left.
        count: How many at most.
        chance: How much is left to chance.
        seed: Decides the draw.
        quotas: What limits a slate as a whole.

    Returns:
        The rows with their propensities.
    """
    places: list[int] = []
    propensities: list[float] = []
    left = shortlist.tolist()
    positions = list(range(len(left)))
    rooms = Rooms(quotas)
    for rank in range(count):
        if not left:
            break
        pick, propensity = chance.pick(positions, uniform(seed, rank))
        place = left.pop(pick)
        positions.pop(pick)
        places.append(place)
        propensities.append(propensity)
        if rooms.take(place):
            keep = [at for at, one in enumerate(left) if rooms.has(one)]
            left, positions = [left[at] for at in keep], [positions[at] for at in keep]
    for place in rest.tolist() if len(places) < count else ():
        if not rooms.has(place):
            continue
        rooms.take(place)
        places.append(place)
        propensities.append(1.0)
        if len(places) == count:
            break
    return Slate(tuple(places), tuple(propensities))


class Chance:
    """How one rank is chosen: the best with certainty, unless a subclass says otherwise."""

    def pick(self, positions: Sequence[int], point: float) -> tuple[int, float]:  # noqa: ARG002
        """Choose one of those that are left.

        Args:
            positions: Their positions in the shortlist, best first.
            point: In [0, 1), decides.

        Returns:
            Which of ``positions``, and its probability.
        """
        return 0, 1.0


class Epsilon(Chance):
    """The best, and in a share of choices any of those that are left.

    Args:
        share: In [0, 1].
    """

    def __init__(self, share: float) -> None:
        self._share = share

    def pick(self, positions: Sequence[int], point: float) -> tuple[int, float]:
        """See ``Chance.pick``."""
        each = self._share / len(positions)
        best = 1.0 - self._share + each
        if point < best or each == 0.0:
            return 0, best
        return min(1 + int((point - best) / each), len(positions) - 1), each


class Floored(Chance):
    """A base of probabilities above a floor.

    Args:
        base: Of the rows that are left.
        floor: What each of them has at least.
    """

    def __init__(self, base: Base, floor: float) -> None:
        self._base = base
        self._floor = floor

    def pick(self, positions: Sequence[int], point: float) -> tuple[int, float]:
        """See ``Chance.pick``."""
        if len(positions) == 1:
            return 0, 1.0
        base = self._base(np.array(positions, dtype=np.int64))
        probabilities = self._floor + (1.0 - self._floor * len(positions)) * base
        ends = np.cumsum(probabilities)
        pick = min(int(np.searchsorted(ends, point * ends[-1], side="right")), len(positions) - 1)
        return pick, float(probabilities[pick] / ends[-1])


def chance_of(exploration: Exploration, scores: Floats, deviations: Floats | None) -> Chance:
    """Return how a rank of this exploration is chosen.

    Args:
        exploration: What is left to chance.
        scores: Of the shortlist.
        deviations: Standard deviations of these scores, for ``thompson``.
    """
    if exploration.method == "epsilon":
        return Epsilon(exploration.share)
    if exploration.method == "softmax":
        return Floored(_softmax(scores, exploration.temperature), exploration.floor)
    if exploration.method == "thompson":
        spread = np.zeros(len(scores)) if deviations is None else deviations
        return Floored(_chances_to_be_best(scores, spread), exploration.floor)
    return Chance()


def _softmax(scores: Floats, temperature: float) -> Base:
    deviation = float(scores.std())
    scaled = scores / (temperature * deviation) if deviation > 0 else np.zeros(len(scores))

    def base(left: Places) -> Floats:
        powers = np.exp(scaled[left] - scaled[left].max())
        weights: Floats = powers / powers.sum()
        return weights

    return base


def _chances_to_be_best(scores: Floats, deviations: Floats) -> Base:
    # A score known exactly would make a step; the least width keeps chances smooth and equal scores equally likely.
    widest = float(deviations.max(initial=0.0))
    widths = np.maximum(deviations, widest * 1e-3 if widest > 0 else 1e-12)
    nodes = scores[:, None] + widths[:, None] * _NODES

    def base(left: Places) -> Floats:
        mine = nodes[left]
        below = ndtr((mine[:, :, None] - scores[left]) / widths[left])
        own = np.arange(len(left))
        below[own, :, own] = 1.0
        chances = below.prod(axis=2).mean(axis=1)
        total = chances.sum()
        return chances / total if total > 0 else np.full(len(left), 1 / len(left))

    return base
