"""``RecommendationService``: parses its messages, calls a handler, replies."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

import grpc
from google.type.money_pb2 import Money

from experiments.log.events import ACTIONS, OFFERS, ActionChoice, AssignedVariant, Decision, OfferChoice
from server.api.assignments import parameter_messages, reason_number
from server.api.checks import DEFAULT_PROGRAMME, Checker
from server.api.fields import attributes, seconds_left, set_time
from server.catalogue import Catalogue, Offer
from server.catalogue import Money as CatalogueMoney
from server.decide.context import DecisionContext
from server.decide.gates import Gate
from server.handlers.campaign import CampaignAnswer, CampaignHandler, CampaignRequest
from server.handlers.decisions import DecisionMaker
from server.handlers.replay import Replayed, ReplayHandler
from training.bundle import ReasonCode
from troth.v1 import assignment_pb2, decision_pb2, recommendation_service_pb2, recommendation_service_pb2_grpc
from troth.v1 import recommendation_service_pb2 as messages

_RANKINGS = {
    "champion": decision_pb2.RANKING_CHAMPION,
    "popular": decision_pb2.RANKING_POPULAR,
    "catalogue": decision_pb2.RANKING_CATALOGUE,
}
_DEGRADATIONS = {
    "MEMBER_UNKNOWN": decision_pb2.DEGRADATION_MEMBER_UNKNOWN,
    "MODEL_MISSING": decision_pb2.DEGRADATION_MODEL_MISSING,
    "TASK_EXHAUSTED": decision_pb2.DEGRADATION_TASK_EXHAUSTED,
    "PROBABILITY_UNCALIBRATED": decision_pb2.DEGRADATION_PROBABILITY_UNCALIBRATED,
}
_CHANCES = {
    "none": decision_pb2.CHANCE_METHOD_NONE,
    "epsilon": decision_pb2.CHANCE_METHOD_EPSILON,
    "softmax": decision_pb2.CHANCE_METHOD_SOFTMAX,
    "thompson": decision_pb2.CHANCE_METHOD_THOMPSON,
    "uniform": decision_pb2.CHANCE_METHOD_UNIFORM,
}
GATES = {gate.name: decision_pb2.Gate.Value(f"GATE_{gate.name}") for gate in Gate if gate is not Gate.OPEN}
LARGEST_CAMPAIGN = 100_000
_LONGEST_CAMPAIGN_ID = 64
_REASONS = {
    code.value: decision_pb2.OfferReasonCode.Value(f"OFFER_REASON_CODE_{code.value}") for code in ReasonCode
}


def offer_request(message: recommendation_service_pb2.RecommendOffersRequest) -> DecisionContext:
    """Return the checked question.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    context = _context(check, message)
    check.count("offer_count", message.offer_count)
    check.identifier("channel_id", message.channel_id)
    check.done()
    context.kind, context.offer_count, context.channel_id = OFFERS, message.offer_count, message.channel_id
    return context


def action_request(message: recommendation_service_pb2.NextBestActionRequest) -> DecisionContext:
    """Return the checked question.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    context = _context(check, message)
    check.done()
    context.kind = ACTIONS
    return context


def campaign_request(message: recommendation_service_pb2.DecideCampaignRequest) -> CampaignRequest:
    """Return the checked question.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    check.require(message)
    check.identifier("programme", message.programme)
    check.identifier("campaign_id", message.campaign_id)
    if len(message.campaign_id) > _LONGEST_CAMPAIGN_ID:
        check.add("campaign_id", f"has {len(message.campaign_id)} characters; at most {_LONGEST_CAMPAIGN_ID}")
    check.identifier("placement_id", message.placement_id)
    check.identifier("channel_id", message.channel_id)
    check.count("offer_count", message.offer_count)
    check.size("member_ids", len(message.member_ids), LARGEST_CAMPAIGN)
    for index, member_id in enumerate(message.member_ids[:LARGEST_CAMPAIGN]):
        if not member_id:
            check.add(f"member_ids[{index}]", "is empty")
        check.member_id(f"member_ids[{index}]", member_id)
    check.done()
    return CampaignRequest(
        programme=message.programme or DEFAULT_PROGRAMME,
        campaign_id=message.campaign_id,
        placement_id=message.placement_id,
        channel_id=message.channel_id,
        offer_count=message.offer_count,
        member_ids=tuple(message.member_ids),
    )


def campaign_response(
    answer: CampaignAnswer, catalogue: Catalogue
) -> recommendation_service_pb2.DecideCampaignResponse:
    """Return the answer for one member."""
    response = recommendation_service_pb2.DecideCampaignResponse(member_id=answer.member_id)
    if answer.decision is None:
        response.problem = answer.problem
    else:
        fill_decision(response.decision, answer.decision, catalogue)
    return response


def action_response(
    decision: Decision, catalogue: Catalogue
) -> recommendation_service_pb2.NextBestActionResponse:
    """Return the answer: the decision as logged, with titles of the catalogue."""
    response = recommendation_service_pb2.NextBestActionResponse()
    fill_decision(response.decision, decision, catalogue)
    return response


def offer_response(
    decision: Decision, catalogue: Catalogue
) -> recommendation_service_pb2.RecommendOffersResponse:
    """Return the answer: the decision as logged, with titles and discounts of the catalogue."""
    response = recommendation_service_pb2.RecommendOffersResponse()
    fill_decision(response.decision, decision, catalogue)
    return response


def fill_decision(message: decision_pb2.Decision, decision: Decision, catalogue: Catalogue) -> None:
    """Fill a message with a decision as logged, and with titles, discounts and creatives of the catalogue.

    Args:
        message: The message to fill.
        decision: The decision.
        catalogue: The catalogue.
    """
    message.decision_id = decision.decision_id
    message.programme = decision.programme
    message.member_id = decision.member_id
    message.placement_id = decision.placement_id
    for chosen in decision.offers:
        _add_offer(message, chosen, catalogue.offers_by_id.get(chosen.offer_id))
    message.ranking = _RANKINGS[decision.ranking]
    message.degradations.extend(_DEGRADATIONS[name] for name in decision.degradations)
    message.model_version = decision.model_version
    message.plan_revision = decision.plan_revision
    message.catalogue_revision = decision.catalogue_revision
    if decision.feature_time is not None:
        set_time(message.feature_time, decision.feature_time)
    message.eligible_count = decision.eligible_count
    set_time(message.decide_time, decision.decide_time)
    message.assignments.extend(_assignment(assigned) for assigned in decision.assignments)
    for action in decision.actions:
        _fill_action(message.action, action, catalogue)
    if decision.runner_up is not None:
        _fill_action(message.runner_up, decision.runner_up, catalogue)
    message.channel_id = decision.channel_id
    message.campaign_id = decision.campaign_id
    message.standing_arm = decision.standing_arm
    message.arbitration_id = decision.arbitration_id
    message.exploration = _CHANCES[decision.exploration]
    message.slate_propensity = decision.slate_propensity
    for gate, count in decision.removed.items():
        message.removed_counts.add(gate=GATES[gate], candidate_count=count)


def factors_message(factors: Mapping[str, float]) -> decision_pb2.Factors:
    """Return what a score is made of as a message."""
    return decision_pb2.Factors(
        probability=factors["probability"],
        value_factor=factors["value"],
        context_factor=factors["context"],
        lever_factor=factors["lever"],
        cost_term=factors["cost"],
    )


def _add_offer(message: decision_pb2.Decision, chosen: OfferChoice, offer: Offer | None) -> None:
    added = message.offers.add(
        offer_id=chosen.offer_id, rank=chosen.rank, score=chosen.score, propensity=chosen.propensity
    )
    for reason in chosen.reasons:
        added.reasons.add(
            code=_REASONS[reason.code],
            trip_count=reason.trip_count,
            span_days=reason.span_days,
            interval_days=reason.interval_days,
            elapsed_days=reason.elapsed_days,
            product_id=reason.product_id,
        )
    if chosen.factors is not None:
        added.factors.CopyFrom(factors_message(chosen.factors))
    if offer is not None:
        added.title = offer.title
        added.creative = offer.creative
        if offer.discount is not None:
            added.discount.CopyFrom(money(offer.discount))


def _fill_action(message: decision_pb2.ChosenAction, action: ActionChoice, catalogue: Catalogue) -> None:
    message.action_id = action.action_id
    message.channel_id = action.channel_id
    message.score = action.score
    message.propensity = action.propensity
    if action.factors is not None:
        message.factors.CopyFrom(factors_message(action.factors))
    described = catalogue.candidates_by_id.get(action.action_id)
    if described is not None:
        message.title = described.title
        message.creative = described.creative


def _context(
    check: Checker,
    message: recommendation_service_pb2.RecommendOffersRequest
    | recommendation_service_pb2.NextBestActionRequest,
) -> DecisionContext:
    check.require(message)
    check.identifier("programme", message.programme)
    check.member_id("member_id", message.member_id)
    check.identifier("placement_id", message.placement_id)
    check.identifier("request_id", message.request_id)
    return DecisionContext(
        programme=message.programme or DEFAULT_PROGRAMME,
        member_id=message.member_id,
        placement_id=message.placement_id,
        request_id=message.request_id,
        request_time=check.time("request_time", message, "request_time"),
        attributes=attributes(check, "attributes", message.attributes),
        basket=check.products("basket_product_ids", message.basket_product_ids),
        factors=message.factors_wanted,
    )


def _assignment(assigned: AssignedVariant) -> assignment_pb2.Assignment:
    return assignment_pb2.Assignment(
        experiment_id=assigned.experiment_id,
        variant_id=assigned.variant_id,
        reason=reason_number(assigned.reason),
        experiment_revision=assigned.experiment_revision,
        parameters=parameter_messages(assigned.parameters),
    )


def money(amount: CatalogueMoney) -> Money:
    """Return an amount as a message, exact."""
    units = int(amount.amount)
    nanos = int((amount.amount - units) * Decimal(1_000_000_000))
    return Money(currency_code=amount.currency_code, units=units, nanos=nanos)


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
        asked = offer_request(request)
        return offer_response(*self._maker.make(asked, seconds_left(context)))

    def NextBestAction(  # noqa: N802 the proto's name
        self, request: messages.NextBestActionRequest, context: grpc.ServicerContext
    ) -> messages.NextBestActionResponse:
        """Decide, log, answer."""
        asked = action_request(request)
        return action_response(*self._maker.make(asked, seconds_left(context)))

    def DecideCampaign(  # noqa: N802 the proto's name
        self, request: messages.DecideCampaignRequest, context: grpc.ServicerContext
    ) -> Iterator[messages.DecideCampaignResponse]:
        """Decide and log for one member after the other; answer as they come."""
        answers, catalogue = self._campaigns.decide(campaign_request(request))
        for answer in answers:
            if not context.is_active():
                return
            yield campaign_response(answer, catalogue)

    def ExplainDecision(  # noqa: N802 the proto's name
        self,
        request: messages.ExplainDecisionRequest,
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> messages.ExplainDecisionResponse:
        """Say why."""
        return explain_response(self._replays.replay(*decision_asked(request)))

    def ReplayDecision(  # noqa: N802 the proto's name
        self,
        request: messages.ReplayDecisionRequest,
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> messages.ReplayDecisionResponse:
        """Decide again and compare."""
        return replay_response(self._replays.replay(*decision_asked(request)))
