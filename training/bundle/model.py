"""A fitted offer model: everything that is needed to score any member on any offer, as plain arrays.

Members, products and offers are known by their ids, which are stored as one block of bytes and found by bisection. A model
serves one task, which says which offers come into question for a member.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from training.bundle.encoding import UNKNOWN, AttributeCodes
from training.bundle.features import offer_rows
from training.bundle.history import COLUMNS, LAST_AGE, MEMBER_COLUMNS, TRIPS, History, Profile, empty_profile
from training.bundle.manifest import BundleError
from training.bundle.ranker import Ranker
from training.bundle.scorers import AnyScorer, Covers


@dataclass(frozen=True, slots=True, eq=False)
class Ids:
    """Ids, ascending by their UTF-8 bytes (which is Python's order of strings) and unique.

    Attributes:
        content: uint8[bytes], all ids one after the other.
        offsets: int64[ids + 1].
    """

    content: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]

    @classmethod
    def of(cls, ids: Sequence[str]) -> Self:
        """Pack ids.

        numpy's fixed-width strings would drop trailing NULs and pad every id to the longest one.

        Raises:
            ValueError: They are not ascending and unique.
        """
        encoded = [_encode(identifier) for identifier in ids]
        if any(a >= b for a, b in itertools.pairwise(encoded)):
            raise ValueError("ids must be ascending without repeats")
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(item) for item in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> str:
        return self._bytes(self.content.data, index).decode("utf-8", "surrogatepass")

    def texts(self) -> tuple[str, ...]:
        """Return all ids.

        Raises:
            UnicodeDecodeError: The bytes are not text.
        """
        packed, bounds = self.content.tobytes(), self.offsets.tolist()
        return tuple(packed[a:b].decode("utf-8", "surrogatepass") for a, b in itertools.pairwise(bounds))

    def index(self, identifier: str) -> int | None:
        """Return the position of an id, or ``None``, whatever the id is."""
        wanted = _encode(identifier)
        # A memoryview gives plain integers and bytes, several times faster than numpy's scalars.
        content, low, high = self.content.data, 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._bytes(content, middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and self._bytes(content, low) == wanted else None

    def _bytes(self, content: Any, index: int) -> bytes:
        offsets = self.offsets
        return bytes(content[int(offsets[index]) : int(offsets[index + 1])])


def _encode(identifier: str) -> bytes:
    # A lone surrogate is not an error here, just an unknown id.
    return identifier.encode("utf-8", "surrogatepass")


LAPSED_DAYS = 56.0
"""What was not bought in the last 8 weeks has lapsed."""


class Task(StrEnum):
    """What a placement is for."""

    REPLENISH = "replenish"
    """What the member buys next, repeats welcome."""
    WIN_BACK = "win_back"
    """What the member did not buy in the last 8 weeks, mostly lapsed favourites."""
    DISCOVER = "discover"
    """What the member never bought."""
    REDEEM = "redeem"
    """Which coupon the member will use."""


def applicable(task: Task, profile: Profile, covers: Covers) -> npt.NDArray[np.bool_]:
    """Tell which offers a task is about for one member.

    Args:
        task: The task.
        profile: What the programme says of the member.
        covers: Which offers cover which products.

    Returns:
        bool[offers].
    """
    allowed = np.ones(covers.offer_count, bool)
    if task in {Task.REPLENISH, Task.REDEEM}:
        return allowed
    offers, columns, _ = offer_rows(profile, covers)
    if task is Task.WIN_BACK:
        offers = offers[columns[:, LAST_AGE] < LAPSED_DAYS]
    allowed[offers] = False
    return allowed


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
        """Return a member's history as seen some days after the feature time, with trips made since.

        Args:
            member: The member's position, or ``None``.
            days: Days since the feature time, at least 0.
            baskets: For each later trip its age in days and the products bought; products the model does not know are
                left out.

        Returns:
            The history, aged and with the later trips added.
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
