"""A large table of interactions with the traits of a shop's: few offers sell most, few members buy most, tastes, repeats."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

DAYS = 365.0
START = 19_723  # 2024-01-01, in days since 1970
CLUSTERS = 50
POPULARITY_EXPONENT = 0.8
ACTIVITY_SPREAD = 0.9
FAVOURITES = 40
"""Offers a member returns to; the mean length of the list from which repeats are drawn."""
REPEAT_SHARE, CLUSTER_SHARE = 0.4, 0.4
"""Shares of the interactions with a favourite and with something that the member's cluster likes; the rest is popular."""
_CHUNK = 2_000_000


@dataclass(frozen=True)
class Shape:
    """How large a table is.

    Attributes:
        interactions: Rows.
        members: Members, all of whom occur where there are ten rows or more for each.
        offers: Offers; nearly all of them occur.
        seed: Of everything random.
    """

    interactions: int
    members: int
    offers: int
    seed: int

    @property
    def name(self) -> str:
        """A name for a file."""
        return f"interactions-{self.interactions}-{self.members}-{self.offers}-{self.seed}"


def write_interactions(shape: Shape, path: Path) -> None:
    """Write ``member_id``, ``offer_id``, ``time`` and ``value`` as Parquet, in no order of time.

    Popularity falls as ``rank ** -0.8``, members' activity is log-normal. Each member belongs to one cluster, which
    reorders popularity its own way, and has favourites drawn from it.
    """
    rng = np.random.default_rng(shape.seed)
    weights = np.arange(1, shape.offers + 1, dtype=np.float64) ** -POPULARITY_EXPONENT
    popular = np.cumsum(weights / weights.sum())
    orders = np.stack([rng.permutation(shape.offers) for _ in range(CLUSTERS)]).astype(np.int32)
    cluster = rng.integers(0, CLUSTERS, shape.members)
    activity = rng.lognormal(0.0, ACTIVITY_SPREAD, shape.members)
    member_edges = np.cumsum(activity / activity.sum())
    favourites = orders[
        cluster[:, None], _drawn(rng, popular, shape.members * FAVOURITES).reshape(-1, FAVOURITES)
    ]
    parts = []
    for start in range(0, shape.interactions, _CHUNK):
        count = min(_CHUNK, shape.interactions - start)
        member = _drawn(rng, member_edges, count)
        kind = rng.random(count)
        place = _drawn(rng, popular, count)
        offer = np.where(kind < REPEAT_SHARE + CLUSTER_SHARE, orders[cluster[member], place], place)
        # The first favourites are returned to most.
        liked = np.minimum(rng.geometric(4.0 / FAVOURITES, count) - 1, FAVOURITES - 1)
        offer = np.where(kind < REPEAT_SHARE, favourites[member, liked], offer)
        parts.append(
            pl.DataFrame(
                {
                    "member_id": pl.Series(member.astype(np.int32)),
                    "offer_id": pl.Series(offer.astype(np.int32)),
                    "time": pl.Series(((START + rng.random(count) * DAYS) * 86_400_000_000).astype(np.int64)),
                    "value": pl.Series(rng.gamma(2.0, 2.0, count).round(2).astype(np.float32)),
                }
            )
        )
    pl.concat(parts).with_columns(
        pl.col("member_id").cast(pl.String).str.zfill(8).str.replace("^", "m"),
        pl.col("offer_id").cast(pl.String).str.zfill(6).str.replace("^", "o"),
        pl.col("time").cast(pl.Datetime("us", "UTC")),
    ).write_parquet(path)


def _drawn(rng: np.random.Generator, edges: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int64]:
    """Draw positions with the probabilities whose running sum is given."""
    return np.minimum(np.searchsorted(edges, rng.random(count)), len(edges) - 1)
