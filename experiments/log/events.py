"""The events of the loop as values: decisions, exposures, outcomes. All keys start with the programme."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

OFFERS, ACTIONS = "offers", "actions"
"""What a decision chooses."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(time: datetime) -> int:
    """Return an aware time as whole microseconds since the Unix epoch."""
    return (time - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the UTC time that lies so many microseconds after the Unix epoch."""
    return _EPOCH + micros * _MICROSECOND


@dataclass(frozen=True, slots=True)
class OfferReason:
    """Why an offer was chosen. Which evidence there is depends on the code; the rest is 0 or empty.

    Attributes:
        code: ``BOUGHT_BEFORE``, ``DUE_AGAIN``, ``GOES_WITH``, ``LIKED_BY_SIMILAR_MEMBERS``, ``POPULAR`` or
            ``NEW_TO_MEMBER``.
        trip_count: Purchases of it by the member.
        span_days: Days over which they were made, up to the decision.
        interval_days: Days that usually pass between two of them.
        elapsed_days: Days since the last.
        product_id: The member's product that it goes with.
    """

    code: str
    trip_count: int = 0
    span_days: int = 0
    interval_days: int = 0
    elapsed_days: int = 0
    product_id: str = ""


@dataclass(frozen=True, slots=True)
class OfferChoice:
    """One offer of a decision.

    Attributes:
        offer_id: The offer.
        rank: Place in the answer, from 1.
        score: The ranking's score; comparable within one decision only.
        propensity: Probability, in (0, 1], with which the policy put this offer at this rank, given the ranks above. The
            product over an answer is the probability of the whole slate.
        reasons: Why, the strongest first.
        factors: What the score was made of, by name, if the request asked for it; else none.
    """

    offer_id: str
    rank: int
    score: float
    propensity: float
    reasons: tuple[OfferReason, ...] = ()
    factors: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class ActionChoice:
    """One action of a decision.

    Attributes:
        action_id: The action.
        channel_id: The channel it travels by, or empty.
        rank: Place in the answer, from 1.
        score: Expected incremental value in the catalogue's currency.
        propensity: Probability, in (0, 1], with which the policy chose it.
        factors: What the score was made of, by name, if the request asked for it; else none.
    """

    action_id: str
    channel_id: str
    rank: int
    score: float
    propensity: float
    factors: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class AssignedVariant:
    """The variant of one experiment that reached the member of a decision.

    Attributes:
        experiment_id: The experiment.
        variant_id: The variant.
        experiment_revision: Revision of the experiment, from 1.
        parameters: The variant's parameters.
        reason: Why they have it: ``ASSIGNED``, ``STICKY`` or ``OVERRIDDEN``.
    """

    experiment_id: str
    variant_id: str
    experiment_revision: int
    parameters: Mapping[str, str | int | float | bool]
    reason: str = "ASSIGNED"


@dataclass(frozen=True, slots=True)
class Decision:
    """One logged answer; immutable.

    Attributes:
        programme: The loyalty programme.
        decision_id: Unique within the programme.
        request_id: The client's key for retries, or empty.
        request_digest: Digest of what was asked; tells a retry from another question under the same key.
        member_id: Who asked.
        placement_id: Where the answer is shown.
        requested_count: Number of offers asked for, after defaults and maximum.
        request_time: The client's clock, if it was sent.
        receive_time: The server's clock at arrival.
        decide_time: The time for which offers were valid: the request's on a replay server, else the server's.
        ranking: How the offers were ranked: ``champion``, ``popular`` or ``catalogue``.
        model_version: Version of the bundle that scored, empty if none was loaded.
        plan_revision: Revision of the experiments in force.
        catalogue_revision: Revision of the catalogue in force.
        feature_time: The time the member features reach to; ``None`` without a bundle.
        eligible_count: Offers that could have been chosen.
        degradations: What was missing, as codes; empty in the normal case.
        offers: The answer, best first.
        assignments: The experiments that shaped it.
        kind: What was chosen: ``offers`` or ``actions``.
        actions: The answer of a decision on actions: the one chosen.
        runner_up: The action that would have been chosen without it; ``None`` if there was no other.
        channel_id: The channel the answer travels by; empty where none matters, and for actions.
        attributes: What the request said of the member.
        basket: Products in their basket, as the request said.
        member_version: Counts what the log has of the member, with this decision; none in logs of older versions. The
            decision read their state of one version before.
        campaign_id: The campaign it was made for, or empty.
        standing_arm: The standing arm that the member was in, or empty.
        arbitration_id: The arbitration that weighed, or empty.
        exploration: How much was left to chance: ``none``, ``epsilon``, ``softmax``, ``thompson`` or ``uniform``.
        slate_propensity: Probability, in (0, 1], of the whole answer.
        budget_state: Names what budgets had closed; empty if nothing.
        evidence_state: Names the evidence that was read; empty if none.
        removed: How many candidates each gate removed, by reason code.
    """

    programme: str
    decision_id: str
    request_id: str
    request_digest: str
    member_id: str
    placement_id: str
    requested_count: int
    request_time: datetime | None
    receive_time: datetime
    decide_time: datetime
    ranking: str
    model_version: str
    plan_revision: str
    catalogue_revision: str
    feature_time: datetime | None
    eligible_count: int
    degradations: tuple[str, ...]
    offers: tuple[OfferChoice, ...]
    assignments: tuple[AssignedVariant, ...]
    kind: str = OFFERS
    actions: tuple[ActionChoice, ...] = ()
    runner_up: ActionChoice | None = None
    channel_id: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)
    basket: tuple[str, ...] = ()
    member_version: int | None = None
    campaign_id: str = ""
    standing_arm: str = ""
    arbitration_id: str = ""
    exploration: str = "none"
    slate_propensity: float = 1.0
    budget_state: str = ""
    evidence_state: str = ""
    removed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exposure:
    """A member met a variant; logged where the variant was used."""

    programme: str
    event_id: str
    experiment_id: str
    variant_id: str
    member_id: str
    decision_id: str
    expose_time: datetime
    receive_time: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """Something that happened afterwards.

    Attributes:
        programme: The loyalty programme.
        event_id: Made by the client; a repeat is counted once.
        member_id: To whom it happened.
        outcome_type: For example ``click``, ``redemption``, ``purchase``, ``return``, ``unsubscribe``.
        decision_id: The decision it followed, or empty.
        offer_id: The offer it concerns, or empty.
        value_units: Whole units of money, ``None`` if the outcome has no value; negative for returns.
        value_nanos: Billionths of a unit with the sign of the units.
        currency_code: ISO 4217 code, or empty.
        outcome_time: When it happened.
        receive_time: When the server heard of it.
        product_ids: What was bought, if the client says so.
        channel_id: The channel it came by, or empty.
        member_version: Counts what the log has of the member, with this outcome; ``None`` until it is logged, and in logs of
            older versions.
    """

    programme: str
    event_id: str
    member_id: str
    outcome_type: str
    decision_id: str
    offer_id: str
    value_units: int | None
    value_nanos: int | None
    currency_code: str
    outcome_time: datetime
    receive_time: datetime
    product_ids: tuple[str, ...] = ()
    channel_id: str = ""
    member_version: int | None = None
