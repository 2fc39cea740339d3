"""The ways to score all offers for one member, each from plain arrays.

All are computed one member at a time: a matrix-matrix product over many members rounds differently, and a decision must
give the same bits when it is replayed in a batch.
"""

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from training.bundle.history import COLUMNS, DECAYED, HALF_LIVES, TRIPS, Profile

Array = npt.NDArray[np.float32]
Weighting = str
"""How much a pair weighs: ``binary``, ``count``, ``log`` (of 1 + trips), or ``decayed_<days>`` with one of the half-lives;
``log_decayed_<days>`` is the logarithm of 1 + 4 × that."""

WEIGHTINGS = (
    "binary",
    "count",
    "log",
    *(f"decayed_{days:g}" for days in HALF_LIVES),
    *(f"log_decayed_{days:g}" for days in HALF_LIVES),
)


def weigh(columns: Array, weighting: Weighting) -> Array:
    """Return float32[pairs], the weight of each pair.

    Raises:
        ValueError: There is no such weighting.
    """
    if weighting == "binary":
        return np.ones(len(columns), np.float32)
    if weighting == "count":
        return columns[:, TRIPS].astype(np.float32)
    if weighting == "log":
        return np.log1p(columns[:, TRIPS], dtype=np.float32)
    if weighting.startswith("log_") and weighting[4:] in COLUMNS[DECAYED:]:
        logarithms: Array = np.log1p(4.0 * columns[:, COLUMNS.index(weighting[4:])]).astype(np.float32)
        return logarithms
    if weighting in COLUMNS[DECAYED:]:
        return columns[:, COLUMNS.index(weighting)].astype(np.float32)
    raise ValueError(f"weighting == {weighting!r}, must be one of {', '.join(WEIGHTINGS)}.")


class Scorer(Protocol):
    """Scores all offers for one member."""

    def scores(self, profile: Profile, member: int | None) -> Array:
        """Return float32[offers], a new array.

        Args:
            profile: What the member did.
            member: The member's position in the model; ``None`` for somebody the model was not fitted on.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Popular:
    """The same scores for everybody.

    Attributes:
        offer_scores: float32[offers].
    """

    offer_scores: Array
    kind: Literal["popular"] = "popular"

    def scores(self, profile: Profile, member: int | None) -> Array:
        """Return a copy of the scores."""
        del profile, member
        return self.offer_scores.copy()


@dataclass(frozen=True, slots=True, eq=False)
class Personal:
    """Scores per member as compressed sparse rows; what is not stored scores 0. Purchases since the fit change nothing.

    Attributes:
        indptr: int64[members + 1].
        indices: int32[entries], offers, ascending within a member.
        data: float32[entries].
        offer_count: Number of offers.
    """

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    data: Array
    offer_count: int
    kind: Literal["personal"] = "personal"

    def scores(self, profile: Profile, member: int | None) -> Array:
        """Return the member's row; zeros for somebody unknown."""
        del profile
        scores = np.zeros(self.offer_count, np.float32)
        if member is not None:
            start, end = int(self.indptr[member]), int(self.indptr[member + 1])
            scores[self.indices[start:end]] = self.data[start:end]
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class Frequency:
    """How often the member bought what an offer covers: the weight of each pair, added up per offer.

    Attributes:
        weighting: How much a pair weighs.
        offers: Which offers each product belongs to.
        tie_break: float32[offers] in [0, 1), added times 1e-6, so that offers never bought rank by popularity.
    """

    weighting: Weighting
    offers: "Covers"
    tie_break: Array
    kind: Literal["frequency"] = "frequency"

    def scores(self, profile: Profile, member: int | None) -> Array:
        """Count."""
        del member
        counts = self.offers.add_up(profile.products, weigh(profile.columns, self.weighting))
        return counts + np.float32(1e-6) * self.tie_break


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Item-item: what goes with the products of the member, ``sum over products of weight × association``.

    Purchases since the fit count at once. The associations are dense for a few thousand products, else sparse rows.

    Attributes:
        weighting: How much a pair weighs.
        dense: float32[products, offers], or ``None``.
        indptr: int64[products + 1] of sparse rows, or ``None``.
        indices: int32[entries], or ``None``.
        data: float32[entries], or ``None``.
        offer_count: Number of offers.
    """

    weighting: Weighting
    offer_count: int
    dense: Array | None = None
    indptr: npt.NDArray[np.int64] | None = None
    indices: npt.NDArray[np.int32] | None = None
    data: Array | None = None
    kind: Literal["linear"] = "linear"

    def scores(self, profile: Profile, member: int | None) -> Array:
        """Add up the rows of the member's products."""
        del member
        weights = weigh(profile.columns, self.weighting)
        if self.dense is not None:
            if not len(weights):
                return np.zeros(self.offer_count, np.float32)
            scores: Array = weights @ self.dense[profile.products]
            return scores
        if self.indptr is None or self.indices is None or self.data is None:
            raise ValueError("A linear scorer needs dense or sparse associations.")
        starts, ends = self.indptr[profile.products], self.indptr[profile.products + 1]
        entries = ranges(starts, ends)
        values = self.data[entries] * np.repeat(weights, ends - starts)
        sums = np.bincount(self.indices[entries], weights=values, minlength=self.offer_count)
        return sums.astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class FoldIn:
    """How the factors of a member follow from the history: one least-squares step of implicit ALS.

    ``(YᵀY + λI + Yᵀ(C − I)Y)⁻¹ YᵀC p`` with confidence ``C = 1 + α·weight`` on the member's products (Hu, Koren and
    Volinsky, *Collaborative Filtering for Implicit Feedback Datasets*, 2008, equation 4).

    Attributes:
        weighting: How much a pair weighs.
        alpha: Confidence per unit of weight.
        regularisation: λ.
        product_factors: float32[products, k].
        gram: float32[k, k], ``YᵀY`` over all products.
    """

    weighting: Weighting
    alpha: float
    regularisation: float
    product_factors: Array
    gram: Array

    def member_factors(self, profile: Profile) -> Array:
        """Return float32[k]."""
        if not len(profile.products):
            return np.zeros(self.product_factors.shape[1], np.float32)
        factors = self.product_factors[profile.products].astype(np.float64)
        # implicit takes alpha times the value as the confidence itself, and value - 1 beyond the rest.
        confidence = self.alpha * weigh(profile.columns, self.weighting).astype(np.float64)
        left = self.gram.astype(np.float64) + (factors.T * (confidence - 1.0)) @ factors
        left[np.diag_indices(len(left))] += self.regularisation
        return np.linalg.solve(left, confidence @ factors).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """Scores as an inner product: ``offer_factors @ member_factors + offer_biases``.

    Attributes:
        offer_factors: float32[offers, k].
        offer_biases: float32[offers].
        member_factors: float32[members, k], or ``None`` when they are folded in.
        fold_in: How member factors follow from a history, or ``None``.
    """

    offer_factors: Array
    offer_biases: Array
    member_factors: Array | None = None
    fold_in: FoldIn | None = None
    kind: Literal["factors"] = "factors"

    def scores(self, profile: Profile, member: int | None) -> Array:
        """Multiply; somebody without factors scores 0 everywhere."""
        if self.fold_in is not None:
            vector = self.fold_in.member_factors(profile)
            if not vector.any():
                return np.zeros(len(self.offer_biases), np.float32)
        elif self.member_factors is not None and member is not None:
            vector = self.member_factors[member]
        else:
            return np.zeros(len(self.offer_biases), np.float32)
        scores: Array = self.offer_factors @ vector
        scores += self.offer_biases
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A history seen through a few directions, ``(weights @ product_factors) @ offer_factorsᵀ``: a low-rank linear model.

    Purchases since the fit count at once.

    Attributes:
        weighting: How much a pair weighs.
        product_factors: float32[products, k].
        offer_factors: float32[offers, k].
    """

    weighting: Weighting
    product_factors: Array
    offer_factors: Array
    kind: Literal["projection"] = "projection"

    def scores(self, profile: Profile, member: int | None) -> Array:
        """Project the history and look from each offer."""
        del member
        if not len(profile.products):
            return np.zeros(len(self.offer_factors), np.float32)
        vector = weigh(profile.columns, self.weighting) @ self.product_factors[profile.products]
        scores: Array = self.offer_factors @ vector
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A weighted sum of scorers, each divided by its usual scale.

    Attributes:
        parts: The scorers.
        weights: One number for each.
    """

    parts: tuple["AnyScorer", ...]
    weights: tuple[float, ...]
    kind: Literal["mixture"] = "mixture"

    def scores(self, profile: Profile, member: int | None) -> Array:
        """Add up in the order of the parts."""
        total = np.float32(self.weights[0]) * self.parts[0].scores(profile, member)
        for part, weight in zip(self.parts[1:], self.weights[1:], strict=True):
            total += np.float32(weight) * part.scores(profile, member)
        return total


AnyScorer = Popular | Personal | Frequency | Linear | Factors | Projection | Mixture


@dataclass(frozen=True, slots=True, eq=False)
class Covers:
    """Which offers each product belongs to. Where offers are the products themselves, there is nothing to store.

    Attributes:
        offer_count: Number of offers.
        indptr: int64[products + 1], or ``None`` where product i is offer i.
        indices: int32[entries], offers of each product, or ``None``.
        lines: int32[products], the line of each product (say, one brand's yoghurts), -1 for none; ``None`` where no lines
            are known.
    """

    offer_count: int
    indptr: npt.NDArray[np.int64] | None = field(default=None)
    indices: npt.NDArray[np.int32] | None = field(default=None)
    lines: npt.NDArray[np.int32] | None = field(default=None)

    def expand(self, products: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return for each (product, covering offer) the position in ``products`` and the offer."""
        if self.indptr is None or self.indices is None:
            return np.arange(len(products)), products.astype(np.int64)
        starts, ends = self.indptr[products], self.indptr[products + 1]
        entries = ranges(starts, ends)
        return np.repeat(np.arange(len(products)), ends - starts), self.indices[entries].astype(np.int64)

    def add_up(self, products: npt.NDArray[np.int32], values: Array) -> Array:
        """Add up a value per product to a value per offer, as float32[offers]."""
        positions, offers = self.expand(products)
        return np.bincount(offers, weights=values[positions], minlength=self.offer_count).astype(np.float32)


def ranges(starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the concatenation of ``arange(start, end)``."""
    lengths = ends - starts
    total = int(lengths.sum())
    if total == 0:
        return np.zeros(0, np.int64)
    offsets = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return offsets + np.arange(total)
