"""The trips that a model is tried on, as arrays that do not depend on any model."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from training.data.dataset import OfferDataset
from training.data.interactions import guard_weeks
from training.errors import DatasetError


@dataclass(frozen=True, eq=False)
class ValidationWindow:
    """Trips of some weeks, what was bought on them, and which offers were valid.

    Attributes:
        first_week: First week of the window.
        last_week: Last week of the window.
        member_ids: Members with a trip, ascending.
        offer_ids: Offers in the order of the data set.
        trip_member: int64[trips], index of the member.
        trip_day: int64[trips], index of the trip's local day.
        valid: bool[days, offers], whether the offer is valid on that day.
        row_trip: int64[rows], trip of each purchase row of a product that some offer covers.
        row_product: int64[rows], index into ``covered``.
        row_value: float64[rows], USD paid.
        covered: bool[products, offers], whether the offer covers the product.
        relevant: bool[members, offers], whether the member bought a covered product while the offer was valid.
    """

    first_week: int
    last_week: int
    member_ids: tuple[str, ...]
    offer_ids: tuple[str, ...]
    trip_member: npt.NDArray[np.int64]
    trip_day: npt.NDArray[np.int64]
    valid: npt.NDArray[np.bool_]
    row_trip: npt.NDArray[np.int64]
    row_product: npt.NDArray[np.int64]
    row_value: npt.NDArray[np.float64]
    covered: npt.NDArray[np.bool_]
    relevant: npt.NDArray[np.bool_]

    @property
    def member_trips(self) -> npt.NDArray[np.float64]:
        """Trips of each member."""
        return self.member_sums(np.ones(len(self.trip_member)))

    def member_sums(self, trip_values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Add up a number per trip to a number per member."""
        sums = np.bincount(self.trip_member, weights=trip_values, minlength=len(self.member_ids))
        return sums.astype(np.float64)


def build_window(
    dataset: OfferDataset, purchases: pl.DataFrame, first_week: int, last_week: int
) -> ValidationWindow:
    """Collect the trips of the given weeks; all purchase rows count, none is filtered.

    Args:
        dataset: Where offers, covers and the time zone come from.
        purchases: Purchases with no row later than ``last_week``.
        first_week: First week of the window.
        last_week: Last week of the window.

    Raises:
        HeldOutRowsError: A purchase is later than ``last_week``.
        DatasetError: The window has no trips.
    """
    guard_weeks(purchases, last_week)
    rows = purchases.filter(pl.col("week") >= first_week).with_columns(day=dataset.local_day())
    if rows.is_empty():
        raise DatasetError(f"{dataset.name}: no purchases in weeks {first_week} to {last_week}.")
    trips = (
        rows.group_by("trip_id").agg(pl.col("member_id").first(), pl.col("day").min()).sort("day", "trip_id")
    )
    members, days = trips["member_id"].unique().sort(), trips["day"].unique().sort()
    offers = dataset.offers["offer_id"]
    bought = rows.join(dataset.covers.select("product_id").unique(), on="product_id", how="semi")
    products = bought["product_id"].unique().sort()
    covers = dataset.covers.filter(pl.col("product_id").is_in(products.implode()))
    covered = np.zeros((len(products), len(offers)), dtype=np.bool_)
    covered[_codes(covers["product_id"], products), _codes(covers["offer_id"], offers)] = True
    valid_from, valid_until = (
        dataset.offers["valid_from"].to_numpy(),
        dataset.offers["valid_until"].to_numpy(),
    )
    day_values = days.to_numpy()[:, None]
    valid = (day_values >= valid_from) & (day_values <= valid_until)
    trip_member, trip_day = _codes(trips["member_id"], members), _codes(trips["day"], days)
    row_trip = _codes(bought["trip_id"], trips["trip_id"])
    row_product = _codes(bought["product_id"], products)
    return ValidationWindow(
        first_week=first_week,
        last_week=last_week,
        member_ids=tuple(members.to_list()),
        offer_ids=tuple(offers.to_list()),
        trip_member=trip_member,
        trip_day=trip_day,
        valid=valid,
        row_trip=row_trip,
        row_product=row_product,
        row_value=bought["value"].to_numpy(),
        covered=covered,
        relevant=_relevant(
            len(members),
            row_member=trip_member[row_trip],
            row_day=trip_day[row_trip],
            row_product=row_product,
            covered=covered,
            valid=valid,
        ),
    )


def _relevant(
    members: int,
    *,
    row_member: npt.NDArray[np.int64],
    row_day: npt.NDArray[np.int64],
    row_product: npt.NDArray[np.int64],
    covered: npt.NDArray[np.bool_],
    valid: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    relevant = np.zeros((members, covered.shape[1]), dtype=np.bool_)
    sparse_covers = sparse.csr_matrix(covered, dtype=np.float32)
    for day in range(len(valid)):
        of_day = row_day == day
        pairs = (row_member[of_day], row_product[of_day])
        bought = sparse.csr_matrix(
            (np.ones(len(pairs[0]), np.float32), pairs), shape=(members, covered.shape[0])
        )
        hits = (bought @ sparse_covers).tocoo()
        shown = valid[day][hits.col]
        relevant[hits.row[shown], hits.col[shown]] = True
    return relevant


def _codes(values: pl.Series, domain: pl.Series) -> npt.NDArray[np.int64]:
    codes = pl.Series(np.arange(len(domain), dtype=np.int64))
    return values.replace_strict(domain, codes, return_dtype=pl.Int64).to_numpy()
