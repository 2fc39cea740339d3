"""Messages of ``ExplainDecision`` and ``ReplayDecision``."""

from server.api.checks import DEFAULT_PROGRAMME, Checker
from server.api.recommendation import GATES, factors_message, fill_decision
from server.decide.gates import Gate
from server.handlers.replay import Replayed
from troth.v1 import decision_pb2, recommendation_service_pb2


def decision_asked(
    message: recommendation_service_pb2.ExplainDecisionRequest
    | recommendation_service_pb2.ReplayDecisionRequest,
) -> tuple[str, str]:
    """Return the programme and the id of the decision that is asked about.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    check.require(message)
    check.identifier("programme", message.programme)
    check.identifier("decision_id", message.decision_id)
    check.done()
    return message.programme or DEFAULT_PROGRAMME, message.decision_id


def explain_response(replayed: Replayed) -> recommendation_service_pb2.ExplainDecisionResponse:
    """Return the answer to ``ExplainDecision``."""
    response = recommendation_service_pb2.ExplainDecisionResponse(
        member_version=(replayed.decision.member_version or 1) - 1
    )
    fill_decision(response.decision, replayed.decision, replayed.catalogue)
    for one in replayed.candidates:
        added = response.candidates.add(
            candidate_id=one.candidate_id,
            channel_id=one.channel_id,
            rank=one.rank,
            gate=decision_pb2.GATE_UNSPECIFIED if one.gate is Gate.OPEN else GATES[one.gate.name],
            explanation=one.explanation,
            score=one.score,
        )
        if one.factors is not None:
            added.factors.CopyFrom(factors_message(one.factors))
    return response


def replay_response(replayed: Replayed) -> recommendation_service_pb2.ReplayDecisionResponse:
    """Return the answer to ``ReplayDecision``."""
    response = recommendation_service_pb2.ReplayDecisionResponse(identical=not replayed.differences)
    for one in replayed.differences:
        response.differences.add(field_path=one.path, logged=one.logged, replayed=one.replayed)
    return response
