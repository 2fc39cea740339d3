"""The replay: every held-out shopping trip asks the running server for offers, and reports what it bought from them."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import grpc
import polars as pl
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from training.data import OfferDataset
from troth.v1 import (
    decision_pb2,
    outcome_service_pb2,
    outcome_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
)

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class HeldOutTrip:
    """One real shopping trip.

    Attributes:
        trip_id: The basket.
        member_id: The household.
        time: When it was paid, UTC.
        bought: Dollars paid for each product of the basket.
    """

    trip_id: str
    member_id: str
    time: datetime
    bought: Mapping[str, Decimal]


def trips_of_weeks(dataset: OfferDataset, first_week: int, last_week: int) -> list[HeldOutTrip]:
    """Return the trips of some weeks in the order of time.

    Args:
        dataset: The purchases.
        first_week: First week of the data set, from 1.
        last_week: Last week, included.

    Returns:
        The trips.
    """
    lines = dataset.purchases.filter(pl.col("week").is_between(first_week, last_week))
    baskets = (
        lines.group_by("trip_id", "product_id")
        .agg(pl.col("member_id").first(), pl.col("purchase_time").first(), pl.col("value").sum())
        .group_by("trip_id")
        .agg(pl.col("member_id", "purchase_time").first(), pl.col("product_id", "value"))
        .sort("purchase_time", "trip_id")
    )
    return [
        HeldOutTrip(
            row["trip_id"],
            row["member_id"],
            row["purchase_time"],
            {
                product: Decimal(repr(value)).quantize(CENT)
                for product, value in zip(row["product_id"], row["value"], strict=True)
            },
        )
        for row in baskets.iter_rows(named=True)
    ]


def covered_products(dataset: OfferDataset) -> dict[str, frozenset[str]]:
    """Return the products that each offer covers."""
    grouped = dataset.covers.group_by("offer_id").agg("product_id")
    return {offer_id: frozenset(products) for offer_id, products in grouped.iter_rows()}


def hits(
    trip: HeldOutTrip, shown: Sequence[str], covers: Mapping[str, frozenset[str]]
) -> list[tuple[str, Decimal]]:
    """Return the shown offers from whose products the trip bought, each with its dollars.

    A product that several shown offers cover gives its dollars to the first of them, so that no dollar counts twice; the
    later ones are hit all the same.

    Args:
        trip: The trip.
        shown: Offers, the first one first.
        covers: Products of each offer.

    Returns:
        Offer and dollars, in the order shown.
    """
    found: list[tuple[str, Decimal]] = []
    counted: set[str] = set()
    for offer_id in shown:
        bought = covers[offer_id] & trip.bought.keys()
        if bought:
            found.append((offer_id, sum((trip.bought[product] for product in bought - counted), Decimal(0))))
            counted |= bought
    return found


PLACEMENT = "checkout"
OFFER_COUNT = 3
_IN_FLIGHT = 8
_DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class ReplayCounts:
    """What the replay did, as the server acknowledged it."""

    trip_count: int
    exposure_count: int
    outcome_count: int
    unknown_member_count: int

    def __add__(self, other: "ReplayCounts") -> "ReplayCounts":
        return ReplayCounts(
            self.trip_count + other.trip_count,
            self.exposure_count + other.exposure_count,
            self.outcome_count + other.outcome_count,
            self.unknown_member_count + other.unknown_member_count,
        )


def replay(
    address: str,
    trips: Sequence[HeldOutTrip],
    covers: Mapping[str, frozenset[str]],
    report: Callable[[int], None],
) -> ReplayCounts:
    """Replay trips in the order of time, some in flight at once.

    Args:
        address: Of a server started for replay.
        trips: In the order of time.
        covers: Products of each offer.
        report: Called with the number of trips done.

    Returns:
        What was asked, shown and bought, counted.

    Raises:
        grpc.RpcError: A call failed.
    """
    total = ReplayCounts(0, 0, 0, 0)
    with grpc.insecure_channel(address) as channel, ThreadPoolExecutor(_IN_FLIGHT) as pool:
        client = _Client(channel, covers)
        waiting: deque[Future[ReplayCounts]] = deque()
        for trip in trips:
            waiting.append(pool.submit(client.trip, trip))
            if len(waiting) >= 2 * _IN_FLIGHT:
                total += waiting.popleft().result()
                report(total.trip_count)
        for future in waiting:
            total += future.result()
        report(total.trip_count)
    return total


class _Client:
    """What the shop's backend does for one trip: ask, show, report what was bought."""

    def __init__(self, channel: grpc.Channel, covers: Mapping[str, frozenset[str]]) -> None:
        self._recommend = recommendation_service_pb2_grpc.RecommendationServiceStub(channel)
        self._events = outcome_service_pb2_grpc.OutcomeServiceStub(channel)
        self._covers = covers

    def trip(self, trip: HeldOutTrip) -> ReplayCounts:
        """Carry one trip through: decision, exposure, outcomes."""
        time = Timestamp()
        time.FromDatetime(trip.time)
        decision = self._recommend.RecommendOffers(
            recommendation_service_pb2.RecommendOffersRequest(
                member_id=trip.member_id,
                placement_id=PLACEMENT,
                offer_count=OFFER_COUNT,
                request_id=f"trip-{trip.trip_id}",
                request_time=time,
            ),
            timeout=_DEADLINE_S,
        ).decision
        return ReplayCounts(
            trip_count=1,
            exposure_count=self._expose(trip, decision, time),
            outcome_count=self._report(trip, decision, time),
            unknown_member_count=int(decision_pb2.DEGRADATION_MEMBER_UNKNOWN in decision.degradations),
        )

    def _expose(self, trip: HeldOutTrip, decision: decision_pb2.Decision, time: Timestamp) -> int:
        exposures = [
            outcome_service_pb2.Exposure(
                event_id=f"exposure-{trip.trip_id}-{assigned.experiment_id}",
                experiment_id=assigned.experiment_id,
                variant_id=assigned.variant_id,
                member_id=trip.member_id,
                decision_id=decision.decision_id,
                expose_time=time,
            )
            for assigned in decision.assignments
        ]
        if not exposures:
            return 0
        request = outcome_service_pb2.LogExposuresRequest(exposures=exposures)
        return int(self._events.LogExposures(request, timeout=_DEADLINE_S).accepted_count)

    def _report(self, trip: HeldOutTrip, decision: decision_pb2.Decision, time: Timestamp) -> int:
        outcomes = [
            outcome_service_pb2.Outcome(
                event_id=f"purchase-{trip.trip_id}-{offer_id}",
                member_id=trip.member_id,
                outcome_type="purchase",
                decision_id=decision.decision_id,
                offer_id=offer_id,
                value=_dollars(value),
                outcome_time=time,
            )
            for offer_id, value in hits(trip, [offer.offer_id for offer in decision.offers], self._covers)
        ]
        if not outcomes:
            return 0
        request = outcome_service_pb2.LogOutcomesRequest(outcomes=outcomes)
        return int(self._events.LogOutcomes(request, timeout=_DEADLINE_S).accepted_count)


def _dollars(amount: Decimal) -> Money:
    units = int(amount)
    return Money(currency_code="USD", units=units, nanos=int((amount - units) * 1_000_000_000))
