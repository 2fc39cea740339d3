"""Small data sets whose answers are obvious by eye."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from training.data.dataset import SCHEMAS, OfferDataset

WEEK_ONE = date(2017, 1, 2)  # a Monday, as in the real data

Row = tuple[str, str, str, datetime, int, int, float]


def noon(week: int, weekday: int = 0) -> datetime:
    """Return noon in New York (winter) of a day of a week, in UTC."""
    day = WEEK_ONE + timedelta(days=7 * (week - 1) + weekday)
    return datetime(day.year, day.month, day.day, 17, tzinfo=UTC)


def dataset(
    rows: list[Row],
    covers: dict[str, list[str]],
    *,
    windows: dict[str, tuple[date, date]] | None = None,
    departments: dict[str, str] | None = None,
) -> OfferDataset:
    """Build a data set from purchase rows and what each offer covers; offers are always valid unless said."""
    departments, windows = departments or {}, windows or {}
    products = sorted({row[1] for row in rows} | {product for names in covers.values() for product in names})
    always = (date(2016, 1, 1), date(2018, 12, 31))
    offers = [
        (offer, offer.title(), "1", offer, *windows.get(offer, always), len(covered))
        for offer, covered in sorted(covers.items())
    ]
    return OfferDataset(
        name="synthetic",
        time_zone="America/New_York",
        purchases=pl.DataFrame(rows, schema=SCHEMAS["purchases"], orient="row"),
        products=pl.DataFrame(
            [(product, product[:1], departments.get(product, "GROCERY")) for product in products],
            schema=SCHEMAS["products"],
            orient="row",
        ),
        offers=pl.DataFrame(offers, schema=SCHEMAS["offers"], orient="row"),
        covers=pl.DataFrame(
            [(offer, product) for offer, covered in covers.items() for product in covered],
            schema=SCHEMAS["covers"],
            orient="row",
        ),
        redemptions=pl.DataFrame(schema=SCHEMAS["redemptions"]),
        excluded_offers=pl.DataFrame(schema=SCHEMAS["excluded_offers"]),
        catalogue_rule="Nothing is left out.",
    )


def checkerboard() -> OfferDataset:
    """Two kinds of members: ``a…`` buys apples, ``b…`` buys beans, and nobody ever buys a leek.

    Each kind has 60 members and 6 products; member number n leaves out product n modulo 6, so every member has one
    product of the own kind that was never bought. Members a… go shopping twice in week 2, so apples sell more.
    Member ``fuel`` buys fuel only. Offers: apples, beans, leeks, one per apple (``a0``…) and one per bean.
    """
    rows: list[Row] = []
    for kind in "ab":
        for number in range(60):
            member = f"{kind}{number:02d}"
            for week in (1, 2, 3, 4, 5, 2) if kind == "a" else (1, 2, 3, 4, 5):
                trip = f"{member}-{len(rows)}"
                products = [f"{kind}{product}" for product in range(6) if product != number % 6]
                rows += [(member, product, trip, noon(week), week, 1, 2.5) for product in products]
    rows += [("fuel", "petrol", f"fuel-{week}", noon(week), week, 20, 30.0) for week in (1, 2, 3, 4, 5)]
    covers = {f"{kind}{product}": [f"{kind}{product}"] for kind in "ab" for product in range(6)}
    covers |= {
        "apples": [f"a{product}" for product in range(6)],
        "beans": [f"b{product}" for product in range(6)],
        "leeks": ["leek"],
    }
    return dataset(rows, covers, departments={"petrol": "FUEL"})


def random_dataset(seed: int, *, members: int = 30, weeks: int = 6) -> OfferDataset:
    """Random purchases of 12 products with 8 offers of limited validity, for comparisons with slow references."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for member in range(members):
        favourites = rng.choice(12, size=4, replace=False)
        for week in range(1, weeks + 1):
            for trip in range(int(rng.integers(0, 3))):
                when = noon(week, int(rng.integers(0, 7)))
                name = f"m{member:02d}-{week}-{trip}"
                for product in rng.choice(favourites, size=int(rng.integers(1, 5))):
                    value = float(rng.integers(1, 800)) / 100
                    rows.append((f"m{member:02d}", f"p{product:02d}", name, when, week, 1, value))
    covers = {
        f"o{offer}": [f"p{product:02d}" for product in rng.choice(12, size=3, replace=False)]
        for offer in range(8)
    }
    windows = {
        f"o{offer}": (
            WEEK_ONE + timedelta(days=int(rng.integers(0, 20))),
            WEEK_ONE + timedelta(days=int(rng.integers(25, 7 * weeks))),
        )
        for offer in range(8)
    }
    return dataset(rows, covers, windows=windows)
