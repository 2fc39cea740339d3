"""What a recommender may see: purchases up to one moment, coded as numbers, and what the offers cover."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from training.data.dataset import OfferDataset
from training.errors import HeldOutRowsError

POPULARITY_DAYS = 56.0


@dataclass(frozen=True, eq=False)
class Interactions:
    """Purchases up to the end of one week.

    Attributes:
        until_week: Last week whose purchases are in here.
        feature_time: The instant (UTC) at which that week ended.
        member_ids: Members with a purchase, ascending.
        product_ids: Products bought or covered, ascending.
        departments: Department of each product, empty where not known.
        offer_ids: Offers in the order of the data set.
        member: int32[rows], index of the member.
        product: int32[rows], index of the product.
        quantity: int64[rows], units.
        age_days: float64[rows], days from the purchase to ``feature_time``, at least 0.
        covers: float32[products, offers], 1 where the offer covers the product.
        popular_scores: float32[offers], sales (purchase rows) of the covered products in the last 8 weeks.
    """

    until_week: int
    feature_time: datetime
    member_ids: tuple[str, ...]
    product_ids: tuple[str, ...]
    departments: tuple[str, ...]
    offer_ids: tuple[str, ...]
    member: npt.NDArray[np.int32]
    product: npt.NDArray[np.int32]
    quantity: npt.NDArray[np.int64]
    age_days: npt.NDArray[np.float64]
    covers: sparse.csr_matrix
    popular_scores: npt.NDArray[np.float32]


def build_interactions(dataset: OfferDataset, purchases: pl.DataFrame, until_week: int) -> Interactions:
    """Code purchases for the recommenders.

    Args:
        dataset: Where products, offers and covers come from.
        purchases: Rows of ``dataset.purchases`` to learn from.
        until_week: The week at whose end the features stand.

    Raises:
        HeldOutRowsError: A row is from a later week.
        DatasetError: There are no purchases in the week ``until_week``.
    """
    guard_weeks(purchases, until_week)
    feature_time = dataset.end_of_week(until_week)
    members = purchases["member_id"].unique().sort()
    offers = dataset.offers["offer_id"]
    products = pl.concat([purchases["product_id"], dataset.covers["product_id"]]).unique().sort()
    coded = purchases.select(
        _code("member_id", members),
        _code("product_id", products),
        "quantity",
        age_days=(
            pl.lit(feature_time).cast(pl.Datetime("us", "UTC")) - pl.col("purchase_time")
        ).dt.total_microseconds()
        / 86_400e6,
    )
    covers = dataset.covers.select(_code("product_id", products), _code("offer_id", offers))
    matrix = sparse.csr_matrix(
        (np.ones(len(covers), np.float32), (covers["product_id"].to_numpy(), covers["offer_id"].to_numpy())),
        shape=(len(products), len(offers)),
    )
    departments = pl.DataFrame({"product_id": products}).join(
        dataset.products.unique("product_id", keep="first"),
        on="product_id",
        how="left",
        maintain_order="left",
    )["department"]
    product, age_days = coded["product_id"].to_numpy(), coded["age_days"].to_numpy()
    recent = np.bincount(product[age_days <= POPULARITY_DAYS], minlength=len(products))
    return Interactions(
        until_week=until_week,
        feature_time=feature_time,
        member_ids=tuple(members.to_list()),
        product_ids=tuple(products.to_list()),
        departments=tuple(departments.fill_null("").to_list()),
        offer_ids=tuple(offers.to_list()),
        member=coded["member_id"].to_numpy(),
        product=product,
        quantity=coded["quantity"].to_numpy(),
        age_days=age_days,
        covers=matrix,
        popular_scores=np.asarray(matrix.T @ recent.astype(np.float64), dtype=np.float32),
    )


def guard_weeks(purchases: pl.DataFrame, last_week: int) -> None:
    """Raise HeldOutRowsError when a row is from a week later than ``last_week``."""
    latest: int | None = purchases.select(pl.col("week").max()).item()
    if latest is not None and latest > last_week:
        raise HeldOutRowsError(
            f"Purchases of week {latest} reached a job that may see weeks up to {last_week} only.",
            week=str(latest),
            last_week=str(last_week),
        )


def _code(column: str, values: pl.Series) -> pl.Expr:
    codes = pl.Series(np.arange(len(values), dtype=np.int32))
    return pl.col(column).replace_strict(values, codes, return_dtype=pl.Int32)
