"""One shape for any table of interactions: codes in place of ids, what is known of each, and what a recommender is fitted on."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from training.bundle.encoding import AttributeCodes
from training.bundle.history import History
from training.bundle.model import Ids
from training.bundle.scorers import Covers, Weighting, weigh

ROW_SCHEMA = {
    "member": pl.Int32,
    "product": pl.Int32,
    "time": pl.Float64,
    "trip": pl.Int64,
    "value": pl.Float32,
    "discounted": pl.Boolean,
}


@dataclass(frozen=True, eq=False)
class Attributes:
    """Attributes of members or products, as numbers.

    Attributes:
        codes: How texts became numbers.
        table: float32[things, attributes], -1 for unknown.
    """

    codes: AttributeCodes
    table: npt.NDArray[np.float32]

    def one_hot(self) -> sparse.csr_matrix | None:
        """Return float32[things, values], a one for each text a thing has; numbers take no part. None without texts."""
        blocks = []
        for column, values in enumerate(self.codes.values):
            if values:
                codes = self.table[:, column].astype(np.int64)
                known = np.flatnonzero(codes >= 0)
                ones = np.ones(len(known), np.float32)
                shape = (len(codes), len(values))
                blocks.append(sparse.csr_matrix((ones, (known, codes[known])), shape=shape))
        return sparse.hstack(blocks, format="csr") if blocks else None


@dataclass(frozen=True, eq=False)
class Purchases:
    """Interactions of members with products, and the offers that are ranked.

    Attributes:
        name: Name of the data set.
        fingerprint: SHA-256 over everything that was read.
        rows: One row per interaction, see ``ROW_SCHEMA``; ``time`` in days since 1970, 0 where there are no times.
        has_times: Whether times are known.
        member_ids: Ids of the member codes, ascending.
        product_ids: Ids of the product codes, ascending.
        offer_ids: Ids of the offer codes, ascending; the products themselves where nothing covers anything.
        covers: Which offers each product belongs to.
        members: Attributes of members.
        products: Attributes of products.
        categories: int32[offers], the category of each offer, or -1.
        product_categories: int32[products], the category of each product, or -1.
        source: Where it came from, for the record.
        notes: Rules that shaped the data, in words.
    """

    name: str
    fingerprint: str
    rows: pl.DataFrame
    has_times: bool
    member_ids: tuple[str, ...]
    product_ids: tuple[str, ...]
    offer_ids: tuple[str, ...]
    covers: Covers
    members: Attributes
    products: Attributes
    categories: npt.NDArray[np.int32]
    product_categories: npt.NDArray[np.int32]
    source: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)

    @cached_property
    def member_index(self) -> Ids:
        """The members' ids as a model keeps them."""
        return Ids.of(self.member_ids)

    @cached_property
    def product_index(self) -> Ids:
        """The products' ids as a model keeps them."""
        return Ids.of(self.product_ids)

    @cached_property
    def offer_index(self) -> Ids:
        """The offers' ids as a model keeps them."""
        return self.product_index if self.offer_ids is self.product_ids else Ids.of(self.offer_ids)

    @property
    def member_count(self) -> int:
        """Number of members."""
        return len(self.member_ids)

    @property
    def product_count(self) -> int:
        """Number of products."""
        return len(self.product_ids)

    @property
    def offer_count(self) -> int:
        """Number of offers."""
        return len(self.offer_ids)


def no_attributes(count: int) -> Attributes:
    """Return the attributes of things of which nothing is known."""
    return Attributes(AttributeCodes(), np.zeros((count, 0), np.float32))


def encode_attributes(frame: pl.DataFrame | None, key: str, ids: pl.Series) -> Attributes:
    """Turn the other columns of a table into numbers, in the order of ``ids``; texts become codes.

    Args:
        frame: One row per thing, or ``None``; things without a row have no attributes.
        key: Column with the ids, as text.
        ids: Ids in the order of the codes.

    Returns:
        Codes and numbers, one row per id.
    """
    if frame is None:
        return no_attributes(len(ids))
    names = tuple(name for name in frame.columns if name != key and _usable(frame[name]))
    aligned = pl.DataFrame({key: ids}).join(
        frame.unique(key, keep="first"), on=key, how="left", maintain_order="left"
    )
    values, columns = [], []
    for name in names:
        column = aligned[name]
        if column.dtype.is_numeric() or column.dtype == pl.Boolean:
            numbers = column.cast(pl.Float32).fill_null(-1.0).fill_nan(-1.0)
            values.append(())
            columns.append(np.nan_to_num(numbers.to_numpy(), nan=-1.0, posinf=-1.0, neginf=-1.0))
            continue
        texts = column.cast(pl.String)
        known = tuple(texts.drop_nulls().unique().sort().to_list())
        codes = pl.Series(np.arange(len(known), dtype=np.float32))
        values.append(known)
        columns.append(
            texts.replace_strict(pl.Series(known), codes, default=-1.0, return_dtype=pl.Float32)
            .fill_null(-1.0)
            .to_numpy()
        )
    table = np.stack(columns, axis=1) if columns else np.zeros((len(ids), 0))
    return Attributes(AttributeCodes(names, tuple(values)), table.astype(np.float32))


_MAX_VALUES = 1000


def _usable(column: pl.Series) -> bool:
    """Tell whether a column says something about more than one thing: no lists, no column that names each row."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return True
    if column.dtype in {pl.String, pl.Categorical} or column.dtype == pl.Enum:
        return column.n_unique() <= min(_MAX_VALUES, max(2, len(column) // 2))
    return False


@dataclass(frozen=True, eq=False)
class FitData:
    """Histories up to one moment, with what is known of members and offers.

    Attributes:
        history: What members did with products.
        covers: Which offers each product belongs to; the identity where offers are bought themselves.
        member_attributes: float32[members, values], one column per value of an attribute, or ``None``.
        product_attributes: float32[products, values], or ``None``.
        product_categories: int32[products], the category of each product, -1 for none, or ``None``.
        season: float64[products], trips with each product in the weeks a year ago that lie ahead now; ``None`` where the
            purchases do not reach back a year.
    """

    history: History
    covers: Covers
    member_attributes: sparse.csr_matrix | None = None
    product_attributes: sparse.csr_matrix | None = None
    product_categories: npt.NDArray[np.int32] | None = None
    season: npt.NDArray[np.float64] | None = None

    def matrix(self, weighting: Weighting) -> sparse.csr_matrix:
        """Return float32[members, products], the weight of each pair."""
        history = self.history
        shape = (history.member_count, history.product_count)
        values = weigh(history.columns, weighting)
        return sparse.csr_matrix((values, history.indices, history.indptr), shape=shape)

    def onto_offers(self, per_product: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Add up rows per product ([products, …]) to rows per offer ([offers, …])."""
        if self.covers.indptr is None:
            return per_product
        return np.asarray(self._cover_matrix().T @ per_product)

    def columns_onto_offers(self, matrix: sparse.csr_matrix | npt.NDArray[np.floating]) -> Any:
        """Add up columns per product ([…, products]) to columns per offer ([…, offers])."""
        if self.covers.indptr is None:
            return matrix
        return matrix @ self._cover_matrix()

    def _cover_matrix(self) -> sparse.csr_matrix:
        indptr, indices = self.covers.indptr, self.covers.indices
        if indptr is None or indices is None:
            return sparse.identity(self.covers.offer_count, dtype=np.float32, format="csr")
        values = np.ones(len(indices), np.float32)
        return sparse.csr_matrix((values, indices, indptr), shape=(len(indptr) - 1, self.covers.offer_count))
