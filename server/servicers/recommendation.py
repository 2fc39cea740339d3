"""``RecommendationService``: each method converts, calls a handler and converts back."""

from collections.abc import Iterator

import grpc

from server.api import recommendation
from server.convert import explanation
from server.handlers.campaign import CampaignHandler
from server.handlers.decisions import DecisionMaker
from server.handlers.replay import ReplayHandler
from server.servicers.deadlines import seconds_left
from troth.v1 import recommendation_service_pb2 as messages
from troth.v1 import recommendation_service_pb2_grpc


class RecommendationServicer(recommendation_service_pb2_grpc.RecommendationServiceServicer):
    """``troth.v1.RecommendationService``."""

    def __init__(self, maker: DecisionMaker, campaigns: CampaignHandler, replays: ReplayHandler) -> None:
        self._maker = maker
        self._campaigns = campaigns
        self._replays = replays

    def RecommendOffers(  # noqa: N802 the proto's name
        self, request: messages.RecommendOffersRequest, context: grpc.ServicerContext
    ) -> messages.RecommendOffersResponse:
        """Decide, log, answer."""
        asked = recommendation.offer_request(request)
        return recommendation.offer_response(*self._maker.make(asked, seconds_left(context)))

    def NextBestAction(  # noqa: N802 the proto's name
        self, request: messages.NextBestActionRequest, context: grpc.ServicerContext
    ) -> messages.NextBestActionResponse:
        """Decide, log, answer."""
        asked = recommendation.action_request(request)
        return recommendation.action_response(*self._maker.make(asked, seconds_left(context)))

    def DecideCampaign(  # noqa: N802 the proto's name
        self, request: messages.DecideCampaignRequest, context: grpc.ServicerContext
    ) -> Iterator[messages.DecideCampaignResponse]:
        """Decide and log for one member after the other; answer as they come."""
        answers, catalogue = self._campaigns.decide(recommendation.campaign_request(request))
        for answer in answers:
            if not context.is_active():
                return
            yield recommendation.campaign_response(answer, catalogue)

    def ExplainDecision(  # noqa: N802 the proto's name
        self,
        request: messages.ExplainDecisionRequest,
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> messages.ExplainDecisionResponse:
        """Say why."""
        return explanation.explain_response(self._replays.replay(*explanation.decision_asked(request)))

    def ReplayDecision(  # noqa: N802 the proto's name
        self,
        request: messages.ReplayDecisionRequest,
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> messages.ReplayDecisionResponse:
        """Decide again and compare."""
        return explanation.replay_response(self._replays.replay(*explanation.decision_asked(request)))
