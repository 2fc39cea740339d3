"""Item-item: offers for products that are bought by the same members as what this member buys."""

from dataclasses import dataclass
from typing import ClassVar

from scipy import sparse

from training.bundle import OfferModel
from training.data.interactions import Interactions
from training.recommenders.base import Recommender
from training.recommenders.matrices import MIN_MEMBERS, personal_model, product_matrix


@dataclass(frozen=True)
class ItemItem(Recommender):
    """Nearest neighbours between products under BM25 weights (Robertson and Zaragoza, 2009), from implicit.

    A product is not its own neighbour: what a member bought before is what decayed frequency is for. The one setting is
    the best of 12 at product level on this kind of data.

    Attributes:
        neighbours: Neighbours kept per product.
        k1: Saturation of repeated purchases.
        b: Normalisation by how much is bought of a product, from 0 to 1.
        min_members: Members who must have bought a product for it to take part.
    """

    name: ClassVar[str] = "item_item"
    summary: ClassVar[str] = "Products bought by the same members as what this member buys (BM25 neighbours)."

    neighbours: int = 50
    k1: float = 1.2
    b: float = 0.25
    min_members: int = MIN_MEMBERS

    def fit(self, interactions: Interactions, *, seed: int) -> OfferModel:
        """Compute the neighbours; the seed is not used."""
        del seed
        from implicit.nearest_neighbours import all_pairs_knn, bm25_weight

        matrix = product_matrix(interactions, self.min_members)
        if matrix.weights.nnz == 0:
            return personal_model(interactions, (), sparse.csr_matrix((0, len(interactions.offer_ids))))
        weighted = bm25_weight(matrix.weights.T, self.k1, self.b).T.tocsr()
        neighbours = all_pairs_knn(weighted, self.neighbours, show_progress=False, num_threads=1)
        similarity = sparse.csr_matrix(neighbours).astype("float64")
        similarity.setdiag(0.0)
        scores = matrix.weights @ (similarity @ matrix.covers)
        return personal_model(interactions, matrix.member_ids, scores)
