"""Responses that are assumed: drawn from the probability with which they are expected."""

import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from experiments.log.events import Outcome, to_micros
from server.decide.explore import uniform
from server.members.state import PURCHASE, REDEMPTION
from server.simulation.requests import Request

DELAY = timedelta(hours=1)
"""An assumed response comes so long after its decision."""


class AssumedResponses:
    """Redemptions of what a simulated policy gives. Each depends on the seed, the request and the rank alone.

    Args:
        programme: The loyalty programme.
        seed: Decides who responds.

    Attributes:
        count: Responses drawn so far.
    """

    def __init__(self, programme: str, seed: int) -> None:
        self._programme = programme
        self._seed = seed
        self._waiting: list[tuple[int, int, Outcome]] = []
        self.count = 0

    def draw(self, request: Request, given: Sequence[tuple[str, str, float]]) -> None:
        """Draw the responses to an answer.

        Args:
            request: What was asked.
            given: Offers or actions, each with its channel and the probability of a response.
        """
        for rank, (candidate_id, channel_id, probability) in enumerate(given):
            if uniform(f"{self._seed}:response:{request.key}", rank) < probability:
                self._put(request, candidate_id, channel_id, rank)

    def due(self, now: datetime) -> Iterator[Outcome]:
        """Yield and forget the responses that have come by a moment, the earliest first."""
        micros = to_micros(now)
        while self._waiting and self._waiting[0][0] <= micros:
            yield heapq.heappop(self._waiting)[2]

    def _put(self, request: Request, candidate_id: str, channel_id: str, rank: int) -> None:
        moment = request.time + DELAY
        outcome = Outcome(
            programme=self._programme,
            event_id=f"{request.key}:{rank}",
            member_id=request.member_id,
            outcome_type=REDEMPTION,
            decision_id=request.key,
            offer_id=candidate_id,
            value_units=None,
            value_nanos=None,
            currency_code="",
            outcome_time=moment,
            receive_time=moment,
            channel_id=channel_id,
        )
        self.count += 1
        heapq.heappush(self._waiting, (to_micros(moment), self.count, outcome))


def replaced_by_assumed(outcome: Outcome) -> bool:
    """Tell whether assumed responses stand in for an outcome of the log: a redemption or purchase that names what it is due to."""
    return outcome.outcome_type in (REDEMPTION, PURCHASE) and bool(outcome.decision_id or outcome.offer_id)
