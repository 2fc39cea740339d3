"""What a recommender hands over, and the one score kernel that evaluation and serving share."""

import itertools
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from training.bundle.errors import BundleError


@dataclass(frozen=True, slots=True, eq=False)
class PersonalScores:
    """Scores of offers per member as compressed sparse rows; what is not stored scores 0.

    Attributes:
        indptr: int64[members + 1], where each member's entries start.
        indices: int32[entries], offer indices, ascending within a member.
        data: float32[entries], the scores, finite.
    """

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    data: npt.NDArray[np.float32]

    def row(self, member_index: int, offer_count: int) -> npt.NDArray[np.float32]:
        """Return the scores of all offers for one member as a new array."""
        start, end = int(self.indptr[member_index]), int(self.indptr[member_index + 1])
        scores = np.zeros(offer_count, dtype=np.float32)
        scores[self.indices[start:end]] = self.data[start:end]
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """Scores as an inner product: ``offer_factors @ member_factors[m] + offer_biases``.

    Attributes:
        member_factors: float32[members, k].
        offer_factors: float32[offers, k].
        offer_biases: float32[offers].
    """

    member_factors: npt.NDArray[np.float32]
    offer_factors: npt.NDArray[np.float32]
    offer_biases: npt.NDArray[np.float32]

    def row(self, member_index: int) -> npt.NDArray[np.float32]:
        """Return the scores of all offers for one member as a new array.

        Always one matrix-vector product: a matrix-matrix product of many members rounds differently, and a decision
        must give the same bits when it is replayed in a batch.
        """
        scores: npt.NDArray[np.float32] = self.offer_factors @ self.member_factors[member_index]
        scores += self.offer_biases
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class OfferModel:
    """A fitted offer model as plain arrays. With neither personal scores nor factors it ranks by popularity.

    Attributes:
        member_ids: The members the model knows, ascending and unique (Python's order of strings, which is the order
            of their UTF-8 bytes).
        offer_ids: The offers, unique; their order breaks ties.
        popular_scores: float32[offers], sales of the covered products in the last 8 weeks: the answer for members
            the model does not know.
        personal: Sparse personal scores, or ``None``.
        factors: Member and offer factors, or ``None``.

    Raises:
        BundleError: Shapes, types or order do not fit.
    """

    member_ids: tuple[str, ...]
    offer_ids: tuple[str, ...]
    popular_scores: npt.NDArray[np.float32]
    personal: PersonalScores | None = None
    factors: Factors | None = None

    def __post_init__(self) -> None:
        if any(a >= b for a, b in itertools.pairwise(self.member_ids)):
            raise BundleError("An offer model needs member_ids in ascending order without repeats.")
        if len(set(self.offer_ids)) != len(self.offer_ids):
            raise BundleError("An offer model needs unique offer_ids.")
        check_shapes("The offer model", len(self.member_ids), len(self.offer_ids), self)
        check_values("The offer model", len(self.offer_ids), self)

    @property
    def scoring(self) -> str:
        """How the model scores: ``personal_scores``, ``factors`` or ``popular``."""
        if self.personal is not None:
            return "personal_scores"
        return "factors" if self.factors is not None else "popular"

    def scores(self, member_index: int) -> npt.NDArray[np.float32]:
        """Return float32[offers] for one known member, exactly as the server will compute it."""
        return score_member(self, member_index, len(self.member_ids))


class ScoreArrays(Protocol):
    """The arrays a score is computed from; a model in memory and an opened bundle both have them."""

    @property
    def popular_scores(self) -> npt.NDArray[np.float32]:
        """Scores for members that are not known."""

    @property
    def personal(self) -> PersonalScores | None:
        """Sparse personal scores, or ``None``."""

    @property
    def factors(self) -> Factors | None:
        """Member and offer factors, or ``None``."""


def score_member(arrays: ScoreArrays, member_index: int, member_count: int) -> npt.NDArray[np.float32]:
    """Score all offers for one member.

    Args:
        arrays: Where the scores come from.
        member_index: Position of the member, from 0 to ``member_count - 1``.
        member_count: Number of members the arrays know.

    Returns:
        A new float32 array with one score per offer.

    Raises:
        IndexError: The index is out of range; a negative index is never taken from the end.
    """
    if not 0 <= member_index < member_count:
        raise IndexError(f"member_index == {member_index}, must be in [0, {member_count}).")
    if arrays.personal is not None:
        return arrays.personal.row(member_index, len(arrays.popular_scores))
    if arrays.factors is not None:
        return arrays.factors.row(member_index)
    return np.array(arrays.popular_scores, dtype=np.float32)


def check_shapes(name: str, member_count: int, offer_count: int, arrays: ScoreArrays) -> None:
    """Raise BundleError unless types and shapes of all arrays fit the numbers of members and offers."""
    if arrays.personal is not None and arrays.factors is not None:
        raise BundleError(f"{name} has personal scores and factors; it must have one of them at most.")
    _check(name, "popular_scores", arrays.popular_scores, np.float32, (offer_count,))
    if arrays.personal is not None:
        entries = len(arrays.personal.data)
        _check(name, "indptr", arrays.personal.indptr, np.int64, (member_count + 1,))
        _check(name, "indices", arrays.personal.indices, np.int32, (entries,))
        _check(name, "data", arrays.personal.data, np.float32, (entries,))
        if int(arrays.personal.indptr[0]) != 0 or int(arrays.personal.indptr[-1]) != entries:
            raise BundleError(f"{name} does not fit: indptr does not span the {entries} entries.")
    if arrays.factors is not None:
        width = arrays.factors.offer_factors.shape[-1] if arrays.factors.offer_factors.ndim else 0
        _check(name, "member_factors", arrays.factors.member_factors, np.float32, (member_count, width))
        _check(name, "offer_factors", arrays.factors.offer_factors, np.float32, (offer_count, width))
        _check(name, "offer_biases", arrays.factors.offer_biases, np.float32, (offer_count,))


def check_values(name: str, offer_count: int, arrays: ScoreArrays) -> None:
    """Raise BundleError unless all scores are finite and all indices point to offers; reads every array."""
    finite = [("popular_scores", arrays.popular_scores)]
    if arrays.personal is not None:
        finite.append(("data", arrays.personal.data))
        indices = arrays.personal.indices
        if len(indices) and not (int(indices.min()) >= 0 and int(indices.max()) < offer_count):
            raise BundleError(f"{name} does not fit: an entry points beyond its {offer_count} offers.")
        if np.any(np.diff(arrays.personal.indptr) < 0):
            raise BundleError(f"{name} does not fit: indptr descends.")
    if arrays.factors is not None:
        finite += [
            ("member_factors", arrays.factors.member_factors.ravel()),
            ("offer_factors", arrays.factors.offer_factors.ravel()),
            ("offer_biases", arrays.factors.offer_biases),
        ]
    for field, values in finite:
        if not np.isfinite(values).all():
            raise BundleError(f"{name} holds a value in {field} that is not finite.")


def _check(
    name: str, field: str, array: npt.NDArray[np.generic], dtype: type, shape: tuple[int, ...]
) -> None:
    if array.dtype != np.dtype(dtype) or array.shape != shape:
        raise BundleError(
            f"{name} does not fit: {field} is {array.dtype}{list(array.shape)}, expected "
            f"{np.dtype(dtype)}{list(shape)}."
        )
