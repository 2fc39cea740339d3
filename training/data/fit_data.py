"""What a recommender is fitted on: histories up to one moment, what offers cover, and attributes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.bundle.history import History
from training.bundle.scorers import Covers, Weighting, weigh


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
