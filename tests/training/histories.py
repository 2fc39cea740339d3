"""Histories out of plain lists, for tests whose answers are obvious by eye."""

from collections.abc import Iterable, Sequence

import numpy as np

from training.bundle.history import COLUMNS, HALF_LIVES, History
from training.bundle.scorers import Array, Covers, Scorer
from training.data.purchases import FitData

Purchase = tuple[int, int, float]
"""Member, product, and age in days; purchases of a member with the same age are one trip."""


def history(purchases: Iterable[Purchase], *, members: int, products: int) -> History:
    """Aggregate purchases without value or discount, in the order of the definitions and no faster."""
    rows = sorted({(member, product, float(age)) for member, product, age in purchases})
    pairs = sorted({(member, product) for member, product, _ in rows})
    ages: dict[tuple[int, int], list[float]] = {pair: [] for pair in pairs}
    trips: list[set[float]] = [set() for _ in range(members)]
    for member, product, age in rows:
        ages[member, product].append(age)
        trips[member].add(age)
    counts = np.bincount([member for member, _ in pairs], minlength=members) if pairs else np.zeros(members)
    return History(
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        indices=np.array([product for _, product in pairs], dtype=np.int32),
        columns=np.array([statistics(ages[pair]) for pair in pairs], np.float32).reshape(-1, len(COLUMNS)),
        members=np.array([statistics(sorted(one)) for one in trips], np.float32).reshape(-1, len(COLUMNS)),
        product_count=products,
    )


def statistics(ages: Sequence[float]) -> list[float]:
    """Return the columns of trips of these ages."""
    if not ages:
        return [0.0] * len(COLUMNS)
    decayed = [sum(0.5 ** (age / days) for age in ages) for days in HALF_LIVES]
    return [float(len(ages)), min(ages), max(ages), 0.0, 0.0, *decayed]


def fit_data(
    purchases: Iterable[Purchase],
    *,
    members: int,
    products: int,
    covers: Sequence[Sequence[int]] | None = None,
) -> FitData:
    """Return data to fit on; a year ago the same products sold as now.

    Args:
        purchases: What was bought.
        members: Number of members.
        products: Number of products.
        covers: The offers each product belongs to; ``None`` where products are the offers.
    """
    bought = list(purchases)
    season = np.bincount([product for _, product, _ in bought], minlength=products).astype(np.float64)
    return FitData(
        history(bought, members=members, products=products), covers_of(covers, products), season=season
    )


def covers_of(covers: Sequence[Sequence[int]] | None, products: int) -> Covers:
    """Return which offers each product belongs to."""
    if covers is None:
        return Covers(products)
    assert len(covers) == products
    ends = np.cumsum([0, *map(len, covers)]).astype(np.int64)
    offers = np.array([offer for one in covers for offer in one], dtype=np.int32)
    return Covers(int(offers.max(initial=-1)) + 1, ends, offers)


def checkerboard(kinds: int = 2, *, members: int = 30, products: int = 12, unsold: int = 1) -> FitData:
    """Members and products of a few kinds; a member buys each product of the own kind but one, three times.

    Member ``m`` of a kind leaves out its product ``m % products``. Members and products of a kind stand together. The
    last products are bought by nobody.
    """
    purchases = [
        (kind * members + member, kind * products + product, age + kind)
        for kind in range(kinds)
        for member in range(members)
        for product in range(products)
        for age in (3.0, 10.0, 40.0)
        if product != member % products
    ]
    return fit_data(purchases, members=kinds * members, products=kinds * products + unsold)


def score_all(scorer: Scorer, data: FitData) -> Array:
    """Return the scores of all members, float32[members, offers]."""
    members = range(data.history.member_count)
    return np.stack([scorer.scores(data.history.profile(member), member) for member in members])
