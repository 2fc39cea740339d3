"""The servicers. Each method converts, calls one handler and converts back."""

import grpc

from server.convert import outcome as outcome_messages
from server.convert import recommendation as recommendation_messages
from server.handlers.clock import Clock
from server.handlers.events import EventHandler
from server.handlers.recommend import RecommendHandler
from server.servicers.deadlines import seconds_left
from troth.v1 import (
    outcome_service_pb2,
    outcome_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
)


class RecommendationServicer(recommendation_service_pb2_grpc.RecommendationServiceServicer):
    """``troth.v1.RecommendationService``."""

    def __init__(self, handler: RecommendHandler) -> None:
        self._handler = handler

    def RecommendOffers(  # noqa: N802 the proto's name
        self, request: recommendation_service_pb2.RecommendOffersRequest, context: grpc.ServicerContext
    ) -> recommendation_service_pb2.RecommendOffersResponse:
        """Decide, log, answer."""
        question = recommendation_messages.offer_request(request)
        decision, catalogue = self._handler.recommend(question, seconds_left(context))
        return recommendation_messages.offer_response(decision, catalogue)


class OutcomeServicer(outcome_service_pb2_grpc.OutcomeServiceServicer):
    """``troth.v1.OutcomeService``."""

    def __init__(self, handler: EventHandler, clock: Clock) -> None:
        self._handler = handler
        self._clock = clock

    def LogExposures(  # noqa: N802 the proto's name
        self, request: outcome_service_pb2.LogExposuresRequest, context: grpc.ServicerContext
    ) -> outcome_service_pb2.LogExposuresResponse:
        """Keep exposures, then acknowledge."""
        programme, exposures = outcome_messages.exposures(request, self._clock())
        result = self._handler.log_exposures(programme, exposures, seconds_left(context))
        return outcome_messages.exposures_response(result)

    def LogOutcomes(  # noqa: N802 the proto's name
        self, request: outcome_service_pb2.LogOutcomesRequest, context: grpc.ServicerContext
    ) -> outcome_service_pb2.LogOutcomesResponse:
        """Keep outcomes, then acknowledge."""
        programme, outcomes = outcome_messages.outcomes(request, self._clock())
        result = self._handler.log_outcomes(programme, outcomes, seconds_left(context))
        return outcome_messages.outcomes_response(result)
