"""What members did as the model sees it today, kept from one decision to the next while nothing was bought since."""

import threading
from datetime import datetime

from server.decide.context import Visit
from training.bundle import Bundle, Profile

_MOST_KEPT = 2_000

Past = tuple[int | None, Profile]
"""The member's position in the model, or ``None``, and what she bought, without the basket."""


class Pasts:
    """The pasts of the members asked about last, as one model sees them. Safe to share between threads.

    Args:
        bundle: The model.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._model = bundle.model
        self._feature_instant = bundle.manifest.feature_instant
        self._kept: dict[str, tuple[int, Past]] = {}
        self._keeping = threading.Lock()

    def of(self, visit: Visit, now: datetime) -> Past:
        """Return where the member stands in the model, and her past.

        Args:
            visit: Who asks.
            now: The moment of the decision.
        """
        since = self._feature_instant
        if visit.has_trips_between(since, now):
            member = self._model.member_ids.index(visit.member_id)
            return member, visit.past(self._model, member, since, now)
        days = visit.days_since(since, now)
        kept = self._kept.get(visit.member_id)
        if kept is not None and kept[0] == days:
            return kept[1]
        member = self._model.member_ids.index(visit.member_id)
        past = (member, visit.past(self._model, member, since, now))
        with self._keeping:
            self._kept[visit.member_id] = (days, past)
            if len(self._kept) > _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        return past
