"""``OutcomeService``: parses its messages, calls the handler, replies."""

from datetime import datetime

import grpc

from experiments.log.events import Exposure, Outcome
from server.api.checks import DEFAULT_PROGRAMME, Checker
from server.api.fields import seconds_left
from server.clock import Clock, event_time_problem
from server.handlers.outcomes import EventHandler
from server.storage import AppendResult
from troth.v1 import (
    outcome_service_pb2,
    outcome_service_pb2_grpc,
)

LARGEST_BATCH = 1000


def parse_exposures(
    message: outcome_service_pb2.LogExposuresRequest, now: datetime
) -> tuple[str, list[Exposure]]:
    """Return the programme and the checked exposures.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states; nothing of the batch is taken.
    """
    check = Checker()
    check.require(message)
    check.identifier("programme", message.programme)
    check.size("exposures", len(message.exposures), LARGEST_BATCH)
    programme = message.programme or DEFAULT_PROGRAMME
    read = [
        _exposure(check, f"exposures[{index}].", programme, event, now)
        for index, event in enumerate(message.exposures[:LARGEST_BATCH])
    ]
    check.done()
    return programme, read


def parse_outcomes(
    message: outcome_service_pb2.LogOutcomesRequest, now: datetime
) -> tuple[str, list[Outcome]]:
    """Return the programme and the checked outcomes.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states; nothing of the batch is taken.
    """
    check = Checker()
    check.require(message)
    check.identifier("programme", message.programme)
    check.size("outcomes", len(message.outcomes), LARGEST_BATCH)
    programme = message.programme or DEFAULT_PROGRAMME
    read = [
        _outcome(check, f"outcomes[{index}].", programme, event, now)
        for index, event in enumerate(message.outcomes[:LARGEST_BATCH])
    ]
    check.done()
    return programme, read


def exposures_response(result: AppendResult) -> outcome_service_pb2.LogExposuresResponse:
    """Return the answer to ``LogExposures``."""
    return outcome_service_pb2.LogExposuresResponse(
        accepted_count=result.accepted_count, duplicate_count=result.duplicate_count
    )


def outcomes_response(result: AppendResult) -> outcome_service_pb2.LogOutcomesResponse:
    """Return the answer to ``LogOutcomes``."""
    return outcome_service_pb2.LogOutcomesResponse(
        accepted_count=result.accepted_count,
        duplicate_count=result.duplicate_count,
        unattributed_count=result.unattributed_count,
    )


def _exposure(
    check: Checker, prefix: str, programme: str, event: outcome_service_pb2.Exposure, now: datetime
) -> Exposure:
    check.require(event, prefix)
    check.identifier(prefix + "event_id", event.event_id)
    check.identifier(prefix + "experiment_id", event.experiment_id)
    check.identifier(prefix + "variant_id", event.variant_id)
    check.member_id(prefix + "member_id", event.member_id)
    check.identifier(prefix + "decision_id", event.decision_id)
    return Exposure(
        programme=programme,
        event_id=event.event_id,
        experiment_id=event.experiment_id,
        variant_id=event.variant_id,
        member_id=event.member_id,
        decision_id=event.decision_id,
        expose_time=_event_time(check, prefix, event, "expose_time", now),
        receive_time=now,
    )


def _outcome(
    check: Checker, prefix: str, programme: str, event: outcome_service_pb2.Outcome, now: datetime
) -> Outcome:
    check.require(event, prefix)
    check.identifier(prefix + "event_id", event.event_id)
    check.member_id(prefix + "member_id", event.member_id)
    check.outcome_type(prefix + "outcome_type", event.outcome_type)
    check.identifier(prefix + "decision_id", event.decision_id)
    check.identifier(prefix + "offer_id", event.offer_id)
    check.identifier(prefix + "channel_id", event.channel_id)
    has_value = event.HasField("value")
    if has_value:
        check.money(prefix + "value", event.value)
    return Outcome(
        programme=programme,
        event_id=event.event_id,
        member_id=event.member_id,
        outcome_type=event.outcome_type,
        decision_id=event.decision_id,
        offer_id=event.offer_id,
        value_units=event.value.units if has_value else None,
        value_nanos=event.value.nanos if has_value else None,
        currency_code=event.value.currency_code if has_value else "",
        outcome_time=_event_time(check, prefix, event, "outcome_time", now),
        receive_time=now,
        product_ids=check.products(prefix + "product_ids", event.product_ids),
        channel_id=event.channel_id,
    )


def _event_time(
    check: Checker,
    prefix: str,
    event: outcome_service_pb2.Exposure | outcome_service_pb2.Outcome,
    field: str,
    now: datetime,
) -> datetime:
    time = check.time(prefix + field, event, field)
    if problem := event_time_problem(prefix + field, time, now):
        check.problems.append(problem)
    return time or now


class OutcomeServicer(outcome_service_pb2_grpc.OutcomeServiceServicer):
    """``troth.v1.OutcomeService``."""

    def __init__(self, handler: EventHandler, clock: Clock) -> None:
        self._handler = handler
        self._clock = clock

    def LogExposures(  # noqa: N802 the proto's name
        self, request: outcome_service_pb2.LogExposuresRequest, context: grpc.ServicerContext
    ) -> outcome_service_pb2.LogExposuresResponse:
        """Keep exposures, then acknowledge."""
        programme, exposures = parse_exposures(request, self._clock())
        result = self._handler.log_exposures(programme, exposures, seconds_left(context))
        return exposures_response(result)

    def LogOutcomes(  # noqa: N802 the proto's name
        self, request: outcome_service_pb2.LogOutcomesRequest, context: grpc.ServicerContext
    ) -> outcome_service_pb2.LogOutcomesResponse:
        """Keep outcomes, then acknowledge."""
        programme, outcomes = parse_outcomes(request, self._clock())
        result = self._handler.log_outcomes(programme, outcomes, seconds_left(context))
        return outcomes_response(result)
