"""Who asks, and what is known of her at this moment beyond what the model learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from experiments.events import to_micros
from server.members import Trip
from training.bundle import OfferModel, Profile

MOST_DAYS = 56
"""A history is moved on by so many days at most, and no later trip is seen older: with a model that nobody renews, all
members would otherwise look as if they had gone."""
_DAY = timedelta(days=1)
_MICROS_A_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Visit:
    """One member's question.

    Attributes:
        member_id: Who asks.
        attributes: What the client knows of her, by name.
        basket: Products in her basket now.
        trips: What she bought lately, oldest first; the model may know of the earlier ones.
    """

    member_id: str
    attributes: Mapping[str, object] = field(default_factory=dict)
    basket: Sequence[str] = ()
    trips: Sequence[Trip] = ()

    def past(self, model: OfferModel, member: int | None, feature_time: datetime, now: datetime) -> Profile:
        """Return what the member bought as seen at a moment, without the basket.

        Trips after the feature time are added to what the model learned, which has those up to it; those after the
        moment are not seen.

        Args:
            model: The model.
            member: The member's position in it, or ``None``.
            feature_time: The time up to which the model knows.
            now: The moment of the decision.
        """
        days = min(max((now - feature_time) // _DAY, 0), MOST_DAYS)
        since, until = to_micros(feature_time), to_micros(now)
        later = [
            (min((until - trip.micros) / _MICROS_A_DAY, float(MOST_DAYS)), trip.product_ids)
            for trip in self.trips
            if since < trip.micros <= until
        ]
        return model.profile_after(member, days, later)

    def present(self, model: OfferModel, past: Profile) -> Profile:
        """Return the past and the basket as one more trip, made now; the past itself if the basket adds nothing."""
        known = [index for name in self.basket if (index := model.product_ids.index(name)) is not None]
        return past.with_trip(known) if known else past
