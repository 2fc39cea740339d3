"""``OutcomeService``: each method converts, calls the handler and converts back."""

import grpc

from server.api import outcome as outcome_messages
from server.handlers.outcomes import EventHandler
from server.handlers.request_checks import Clock
from server.servicers.deadlines import seconds_left
from troth.v1 import (
    outcome_service_pb2,
    outcome_service_pb2_grpc,
)


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
