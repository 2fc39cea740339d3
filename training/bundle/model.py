"""A fitted offer model: everything that is needed to score any member on any offer, as plain arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from training.bundle.encoding import UNKNOWN, AttributeCodes
from training.bundle.history import COLUMNS, MEMBER_COLUMNS, TRIPS, History, Profile, empty_profile
from training.bundle.ids import Ids
from training.bundle.manifest import BundleError
from training.bundle.ranker import Ranker
from training.bundle.scorers import AnyScorer, Covers
from training.bundle.task import Task, applicable

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class OfferModel:
    """A fitted model of one task. Immutable, safe to share between threads.

    Attributes:
        task: What the model is for.
        member_ids: Members it knows, ascending.
        product_ids: Products, ascending.
        offer_ids: Offers, ascending; the same as the products where offers are bought themselves.
        history: What the members did up to the feature time.
        covers: Which offers each product belongs to.
        popular_scores: float32[offers]: the answer for whoever nothing is known of, and what breaks ties.
        scorer: The way to score: a single scorer, or the second stage over several.
        attributes: How attributes of members become numbers.
        ascending_popularity: float32[offers], the popular scores in order.
    """

    task: Task
    member_ids: Ids
    product_ids: Ids
    offer_ids: Ids
    history: History
    covers: Covers
    popular_scores: Array
    scorer: AnyScorer | Ranker
    attributes: AttributeCodes = field(default_factory=AttributeCodes)
    ascending_popularity: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_shapes("The offer model", self)
        object.__setattr__(self, "ascending_popularity", np.sort(self.popular_scores))

    def profile(self, member: int | None) -> Profile:
        """Return what a member did; nothing for ``None``."""
        return empty_profile() if member is None else self.history.profile(member)

    def applicable(self, profile: Profile) -> npt.NDArray[np.bool_]:
        """Return bool[offers]: which offers the task is about for somebody with this history."""
        return applicable(self.task, profile, self.covers)

    @property
    def about_everything(self) -> bool:
        """Whether the task is about every offer, whoever asks."""
        return self.task in {Task.REPLENISH, Task.REDEEM}

    def is_told(
        self, profile: Profile, member: int | None, attributes: Mapping[str, object] | None = None
    ) -> bool:
        """Tell whether there is anything to go by but popularity: a member it knows, a trip, or an attribute it looks at.

        Args:
            profile: What the member did, up to now.
            member: The member's position, or ``None``.
            attributes: What is known of a member that the model does not know.

        Returns:
            Whether there is anything beyond popularity.
        """
        if member is not None or profile.stats[TRIPS] > 0:
            return True
        # Only the second stage looks at attributes.
        return isinstance(self.scorer, Ranker) and bool(
            (self.attributes.encode(attributes or {}) != UNKNOWN).any()
        )

    @property
    def calibrated(self) -> bool:
        """Whether scores are probabilities of a response."""
        return isinstance(self.scorer, Ranker)

    def scores(
        self,
        profile: Profile,
        member: int | None,
        candidates: npt.NDArray[np.int64],
        attributes: Mapping[str, object] | None = None,
    ) -> Array:
        """Score offers for one member, exactly as the server does; the same bits alone and in a batch.

        Args:
            profile: What the member did, up to now.
            member: The member's position, or ``None`` for somebody the model does not know.
            candidates: int64[n], offers to score.
            attributes: What is known of a member that the model does not know.

        Returns:
            float32[n], finite; higher is better. Where the second stage scores they are probabilities.
        """
        if member is None and profile.stats[TRIPS] == 0 and not isinstance(self.scorer, Ranker):
            return self.popular_scores[candidates]
        if isinstance(self.scorer, Ranker):
            known = self.attributes.encode(attributes) if attributes is not None and member is None else None
            return self.scorer.scores(profile, member, candidates, known)
        return self.scorer.scores(profile, member)[candidates]

    def all_scores(self, member: int | None) -> Array:
        """Return float32[offers] for a member as of the feature time."""
        return self.scores(self.profile(member), member, np.arange(len(self.offer_ids)))

    def profile_after(
        self, member: int | None, days: float, baskets: Sequence[tuple[float, Sequence[str]]]
    ) -> Profile:
        """Return a member's history as seen ``days`` after the feature time, with trips made since.

        Args:
            member: The member's position, or ``None``.
            days: Days since the feature time, at least 0.
            baskets: For each later trip its age in days and the products bought; products the model does not know are
                left out.
        """
        names = {name for _, products in baskets for name in products}
        places = {name: self.product_ids.index(name) for name in names}
        trips = []
        for age, products in baskets:
            known = [index for name in products if (index := places[name]) is not None]
            if known:
                trips.append((age, known))
        return self.profile(member).advanced(days).with_trips(trips)


def check_shapes(name: str, model: OfferModel) -> None:
    """Raise BundleError unless the parts fit together."""
    history, members, products = model.history, len(model.member_ids), len(model.product_ids)
    offers, pairs = len(model.offer_ids), len(model.history.indices)
    expected = (
        ("indptr", history.indptr, np.int64, (members + 1,)),
        ("indices", history.indices, np.int32, (pairs,)),
        ("columns", history.columns, np.float32, (pairs, len(COLUMNS))),
        ("members", history.members, np.float32, (members, len(MEMBER_COLUMNS))),
        ("popular_scores", model.popular_scores, np.float32, (offers,)),
    )
    for field_name, array, dtype, shape in expected:
        if array.dtype != np.dtype(dtype) or array.shape != shape:
            raise BundleError(
                f"{name} does not fit: {field_name} is {array.dtype}{list(array.shape)}, expected "
                f"{np.dtype(dtype)}{list(shape)}."
            )
    if int(history.indptr[0]) != 0 or int(history.indptr[-1]) != pairs:
        raise BundleError(f"{name} does not fit: indptr does not span the {pairs} pairs.")
    if history.product_count != products or model.covers.offer_count != offers:
        raise BundleError(f"{name} does not fit: its numbers of products or offers differ.")
    if model.covers.lines is not None and len(model.covers.lines) != products:
        raise BundleError(f"{name} does not fit: {len(model.covers.lines)} lines for {products} products.")
    if model.covers.indptr is None and products != offers:
        raise BundleError(
            f"{name} does not fit: {products} products, {offers} offers and nothing that maps them."
        )


def check_values(name: str, model: OfferModel) -> None:
    """Raise BundleError unless all numbers are finite and all indices point inside; reads every value once."""
    history = model.history
    if np.any(np.diff(history.indptr) < 0):
        raise BundleError(f"{name} does not fit: indptr descends.")
    for field_name, indices, count in (
        ("indices", history.indices, history.product_count),
        ("covers", model.covers.indices, model.covers.offer_count),
    ):
        if indices is not None and len(indices) and not 0 <= indices.min() <= indices.max() < count:
            raise BundleError(f"{name} does not fit: {field_name} points beyond {count}.")
    for field_name, values in (
        ("columns", history.columns),
        ("members", history.members),
        ("popular_scores", model.popular_scores),
    ):
        if not np.isfinite(values).all():
            raise BundleError(f"{name} holds a value in {field_name} that is not finite.")


def check_scores(name: str, model: OfferModel) -> None:
    """Raise BundleError unless the scorer can score whoever bought most, and nobody, with finite numbers."""
    busiest = int(np.diff(model.history.indptr).argmax()) if len(model.member_ids) else None
    for member in {busiest, None}:
        try:
            scores = model.all_scores(member)
        except (IndexError, TypeError, ValueError) as error:
            raise BundleError(f"{name} does not fit: its scorer fails ({error}).") from error
        if scores.shape != (len(model.offer_ids),) or not np.isfinite(scores).all():
            raise BundleError(f"{name} does not fit: its scorer gives no finite score for each offer.")
