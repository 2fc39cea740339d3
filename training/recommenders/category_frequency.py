"""Category frequency: how much the member buys of what is in an offer's categories, beside the offer itself."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from training.bundle.scorers import Linear, Weighting
from training.data.fit_data import FitData
from training.errors import TrainingError
from training.recommenders.associations import linear_from_sparse, without_diagonal
from training.recommenders.base import Recommender, Trial
from training.recommenders.weightings import check_weighting


@dataclass(frozen=True)
class CategoryFrequency(Recommender):
    """Purchases in the categories of the covered products, whatever the product.

    It needs no purchase of the offer, so it is what the second stage knows of an offer that is new.

    Attributes:
        weighting: How much a pair weighs.
    """

    name: ClassVar[str] = "category_frequency"
    summary: ClassVar[str] = "How much the member buys in the categories of the covered products."

    weighting: Weighting = "decayed_84"

    def __post_init__(self) -> None:
        check_weighting(self.weighting)

    @classmethod
    def suggest(cls, trial: Trial) -> Self:
        """Return a weighting."""
        return cls(weighting=trial.suggest_categorical("weighting", ("count", "decayed_28", "decayed_84")))

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Linear:
        """Link every product to the offers that cover something of its category."""
        del seed, threads
        categories = data.product_categories
        if categories is None or not (categories >= 0).any():
            raise TrainingError("Category frequency needs categories of products, and there are none.")
        known = np.flatnonzero(categories >= 0)
        ones = np.ones(len(known), np.float32)
        membership = sparse.csr_matrix(
            (ones, (known, categories[known])), shape=(len(categories), int(categories.max()) + 1)
        )
        offers_of = sparse.csr_matrix(data.columns_onto_offers(membership.T.tocsr()))
        offers_of.data[:] = 1.0
        links = sparse.csr_matrix(membership @ offers_of)
        if data.covers.indptr is None:
            return linear_from_sparse(data, self.weighting, without_diagonal(links))
        return Linear(
            self.weighting,
            data.covers.offer_count,
            indptr=links.indptr.astype(np.int64),
            indices=links.indices.astype(np.int32),
            data=links.data.astype(np.float32),
        )
