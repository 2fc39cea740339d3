"""Recommending offers: decide, log, answer."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from experiments.events import Decision
from server.catalogue import Catalogue
from server.decide.decide import decide
from server.decide.visit import Visit
from server.errors import InvalidRequestError, PlacementNotFoundError, RequestIdReusedError
from server.handlers.clock import Clock, request_time_problem
from server.handlers.people import People, Person
from server.identifiers import new_decision_id
from server.members.cache import MemberStates
from server.members.events import after_decision
from server.programme import Programmes
from server.storage import EventLog


@dataclass(frozen=True, slots=True)
class OfferRequest:
    """A checked question.

    Attributes:
        programme: The loyalty programme.
        member_id: Who asks.
        placement_id: Where the answer is shown.
        offer_count: Offers wanted; 0 for the placement's default.
        request_id: Key of retries, or empty.
        request_time: The client's clock, if sent.
        attributes: What is known of the member, by name; for targeting, and for the model if it does not know her.
        basket: Products in her basket now.
    """

    programme: str
    member_id: str
    placement_id: str
    offer_count: int
    request_id: str
    request_time: datetime | None
    attributes: Mapping[str, object]
    basket: tuple[str, ...] = ()


class RecommendHandler:
    """Answers ``RecommendOffers``.

    Args:
        programmes: Catalogue, plan and models of each programme.
        people: Assigns members.
        states: What the log has of members.
        log: Where decisions go before they are answered.
        clock: The server's clock.
        replay: Decide as of the request's time instead of the server's.
        on_decision: Called with each answered decision.
    """

    def __init__(
        self,
        programmes: Programmes,
        people: People,
        states: MemberStates,
        log: EventLog,
        clock: Clock,
        *,
        replay: bool,
        on_decision: Callable[[Decision], None],
    ) -> None:
        self._programmes = programmes
        self._people = people
        self._states = states
        self._log = log
        self._clock = clock
        self._replay = replay
        self._on_decision = on_decision

    def recommend(self, request: OfferRequest, timeout: float) -> tuple[Decision, Catalogue]:
        """Decide, and return the decision once it is on disk, with the catalogue that describes its offers.

        Args:
            request: The question.
            timeout: Seconds that the log may take.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            PlacementNotFoundError: Unknown placement.
            InvalidRequestError: The request's time is not allowed.
            RequestIdReusedError: The key was used for another question.
            StoreUnavailableError, StoreTimeoutError: The decision could not be logged.
        """
        snapshot = self._programmes.current(request.programme)
        placement = snapshot.catalogue.placements_by_id.get(request.placement_id)
        if placement is None:
            known = tuple(snapshot.catalogue.placements_by_id)
            raise PlacementNotFoundError(request.programme, request.placement_id, known)
        now = self._clock()
        if not self._replay and (problem := request_time_problem(request.request_time, now)):
            raise InvalidRequestError([problem])
        count = min(request.offer_count or placement.default_offer_count, placement.max_offer_count)
        decide_time = request.request_time if self._replay and request.request_time else now
        person = Person(request.member_id, attributes=request.attributes)
        assigned = self._people.assign_placed(snapshot, person, placement.placement_id)
        due = time.monotonic() + timeout
        result = None
        while result is None or result.stale:
            with self._states.hold(request.programme, request.member_id) as held:
                visit = Visit(request.member_id, request.attributes, request.basket, held.state.trips)
                choice = decide(snapshot, placement, visit, assigned, count=count, time=decide_time)
                bundle = snapshot.bundle_at(placement)
                decision = Decision(
                    programme=request.programme,
                    decision_id=new_decision_id(),
                    request_id=request.request_id,
                    request_digest=_digest(request),
                    member_id=request.member_id,
                    placement_id=request.placement_id,
                    requested_count=count,
                    request_time=request.request_time,
                    receive_time=now,
                    decide_time=decide_time,
                    ranking=choice.ranking,
                    model_version="" if bundle is None else bundle.manifest.model_version,
                    plan_revision=snapshot.plan.revision,
                    catalogue_revision=snapshot.catalogue.revision,
                    feature_time=None
                    if bundle is None
                    else datetime.fromisoformat(bundle.manifest.feature_time),
                    eligible_count=choice.eligible_count,
                    degradations=choice.degradations,
                    offers=choice.offers,
                    assignments=choice.assignments,
                    member_version=held.state.version + 1,
                )
                pending = self._log.submit_decision(decision, chain=held.chain)
                held.advance(after_decision(held.state, decision))
            result = pending.result(due - time.monotonic())
        logged = result.decision
        assert logged is not None
        if logged.request_digest != decision.request_digest:
            raise RequestIdReusedError(request.request_id)
        self._on_decision(logged)
        return logged, snapshot.catalogue


def _digest(request: OfferRequest) -> str:
    # The client's clock, the attributes and the basket are left out: they may be newer in a retry, which must find its
    # decision.
    parts = (request.member_id, request.placement_id, str(request.offer_count))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
