"""The random share of a list, from which the next plan can learn and by which this one can be valued.

Some members, by a hash of their id, get what chance gives them: each arm as likely, and nobody. How likely an arm is depends
on the money, not on the member: where money reaches a tenth of the members, a tenth of the random ones are written to, so
that the share costs its share of the budget and no more.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import polars_hash  # noqa: F401 registers the expression namespace "nchash"

from experiments.assignment.hashing import POINTS, Purpose, point_prefix
from experiments.send_plan.limits import Limits
from experiments.uplift.trial import Bools, Floats, Ints

_SALT = "send-plan"


@dataclass(frozen=True, slots=True, eq=False)
class RandomShare:
    """Who is left to chance, and what chance gives.

    Attributes:
        random: bool[n].
        arm: int64[n], what chance gives, 0 the control; counts only where ``random``.
        share: How likely a member is left to chance.
        chances: float64[arms], how likely each arm is for those, the control first.
        seed: Of the draw.
    """

    random: Bools
    arm: Ints
    share: float
    chances: Floats
    seed: int

    def sends(self) -> dict[int, int]:
        """Return how many random members get each arm other than the control, from 0."""
        counts = np.bincount(self.arm[self.random], minlength=len(self.chances))
        return {arm: int(count) for arm, count in enumerate(counts[1:])}

    def cost(self, costs: Floats) -> float:
        """Return what the random sends cost; ``costs`` float64[n, K]."""
        rows = np.flatnonzero(self.random & (self.arm > 0))
        return float(costs[rows, self.arm[rows] - 1].sum())

    def propensity(self, chances: Floats, given: Ints) -> Floats:
        """Return how likely each member was to get what she got, float64[n].

        Args:
            chances: float64[n, arms], of the policy for those not left to chance.
            given: int64[n], what she got.
        """
        rows = np.arange(len(given))
        return (1 - self.share) * chances[rows, given] + self.share * self.chances[given]


def no_random_share(members: int, arms: int, seed: int = 0) -> RandomShare:
    """Return the share in which nobody is left to chance."""
    chances = np.zeros(arms)
    chances[0] = 1.0
    return RandomShare(
        np.zeros(members, dtype=np.bool_), np.zeros(members, dtype=np.int64), 0.0, chances, seed
    )


def draw_random_share(
    members: pl.Series, share: float, costs: Floats, limits: Limits, seed: int
) -> RandomShare:
    """Return who is left to chance; nobody, where what chance gave them would break a limit.

    Args:
        members: Ids, n of them; the same id is drawn alike in every list of the same seed.
        share: In [0, 1).
        costs: float64[n, K], expected.
        limits: Of the whole list.
        seed: Another seed is another draw.
    """
    n, arms = costs.shape
    chances = _chances(costs, limits)
    drawn = RandomShare(
        random=uniform(members, Purpose.ENROLMENT, seed) < share,
        arm=np.searchsorted(np.cumsum(chances), uniform(members, Purpose.ARM, seed), side="right")
        .clip(0, arms)
        .astype(np.int64),
        share=share,
        chances=chances,
        seed=seed,
    )
    sends = drawn.sends()
    breaks = (
        drawn.cost(costs) > limits.budget
        or (limits.sends is not None and sum(sends.values()) > limits.sends)
        or any(sends[arm] > cap for arm, cap in limits.caps.items())
    )
    return no_random_share(n, arms + 1, seed) if breaks or share == 0 else drawn


def _chances(costs: Floats, limits: Limits) -> Floats:
    """Return float64[K + 1]: every arm and the control as likely, arms less so where the limits do not reach everybody."""
    n, arms = costs.shape
    sent = np.full(arms, 1 / (arms + 1))
    for arm, cap in limits.caps.items():
        sent[arm] = min(sent[arm], cap / n)
    uses = [(float(sent @ costs.sum(axis=0)), limits.budget)]
    if limits.sends is not None:
        uses.append((float(sent.sum()) * n, limits.sends))
    sent *= min(1.0, *(limit / use for use, limit in uses if use > limit), 1.0)
    return np.concatenate(([1 - sent.sum()], sent))


def uniform(members: pl.Series, purpose: Purpose, seed: int) -> Floats:
    """Return a number in [0, 1) for each id, of the hash of assignment (``experiments.assignment.hashing``); float64[n]."""
    prefix = point_prefix(purpose, _SALT, str(seed)).decode()
    unit = members.cast(pl.String).fill_null("").alias("unit").to_frame()
    text = pl.concat_str(
        pl.lit(prefix),
        pl.col("unit").str.len_bytes().cast(pl.String),
        pl.lit(":"),
        pl.col("unit"),
        pl.lit(","),
    )
    points = unit.select(text.nchash.xxhash64()).to_series()  # type: ignore[attr-defined] # registered by polars_hash
    # The upper 53 bits alone: 64 could round up to 1.
    return (points.to_numpy() >> np.uint64(11)).astype(np.float64) / (POINTS >> 11)
