"""Messages of ``RecommendationService``."""

from decimal import Decimal

from google.type.money_pb2 import Money

from experiments.events import AssignedVariant, Decision, OfferChoice
from server.catalogue import Catalogue, Offer
from server.catalogue import Money as CatalogueMoney
from server.convert.assignment import parameter_messages, reason_number
from server.convert.checks import DEFAULT_PROGRAMME, Checker
from server.convert.people import attributes
from server.convert.times import set_time
from server.handlers.recommend import OfferRequest
from training.bundle import ReasonCode
from troth.v1 import assignment_pb2, decision_pb2, recommendation_service_pb2

_RANKINGS = {
    "champion": decision_pb2.RANKING_CHAMPION,
    "popular": decision_pb2.RANKING_POPULAR,
    "catalogue": decision_pb2.RANKING_CATALOGUE,
}
_DEGRADATIONS = {
    "MEMBER_UNKNOWN": decision_pb2.DEGRADATION_MEMBER_UNKNOWN,
    "MODEL_MISSING": decision_pb2.DEGRADATION_MODEL_MISSING,
    "TASK_EXHAUSTED": decision_pb2.DEGRADATION_TASK_EXHAUSTED,
}
_REASONS = {
    code.value: decision_pb2.OfferReasonCode.Value(f"OFFER_REASON_CODE_{code.value}") for code in ReasonCode
}


def offer_request(message: recommendation_service_pb2.RecommendOffersRequest) -> OfferRequest:
    """Return the checked question.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    check.require(message)
    check.identifier("programme", message.programme)
    check.member_id("member_id", message.member_id)
    check.identifier("placement_id", message.placement_id)
    check.count("offer_count", message.offer_count)
    check.identifier("request_id", message.request_id)
    request_time = check.time("request_time", message, "request_time")
    known = attributes(check, "attributes", message.attributes)
    basket = check.products("basket_product_ids", message.basket_product_ids)
    check.done()
    return OfferRequest(
        programme=message.programme or DEFAULT_PROGRAMME,
        member_id=message.member_id,
        placement_id=message.placement_id,
        offer_count=message.offer_count,
        request_id=message.request_id,
        request_time=request_time,
        attributes=known,
        basket=basket,
    )


def offer_response(
    decision: Decision, catalogue: Catalogue
) -> recommendation_service_pb2.RecommendOffersResponse:
    """Return the answer: the decision as logged, with titles and discounts of the catalogue."""
    response = recommendation_service_pb2.RecommendOffersResponse()
    message = response.decision
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
    return response


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
    if offer is not None:
        added.title = offer.title
        if offer.discount is not None:
            added.discount.CopyFrom(money(offer.discount))


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
