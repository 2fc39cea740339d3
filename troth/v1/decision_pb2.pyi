import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.type import money_pb2 as _money_pb2
from troth.v1 import assignment_pb2 as _assignment_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Ranking(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RANKING_UNSPECIFIED: _ClassVar[Ranking]
    RANKING_CHAMPION: _ClassVar[Ranking]
    RANKING_POPULAR: _ClassVar[Ranking]
    RANKING_CATALOGUE: _ClassVar[Ranking]

class Degradation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEGRADATION_UNSPECIFIED: _ClassVar[Degradation]
    DEGRADATION_MEMBER_UNKNOWN: _ClassVar[Degradation]
    DEGRADATION_MODEL_MISSING: _ClassVar[Degradation]
    DEGRADATION_TASK_EXHAUSTED: _ClassVar[Degradation]
    DEGRADATION_PROBABILITY_UNCALIBRATED: _ClassVar[Degradation]

class ChanceMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANCE_METHOD_UNSPECIFIED: _ClassVar[ChanceMethod]
    CHANCE_METHOD_NONE: _ClassVar[ChanceMethod]
    CHANCE_METHOD_EPSILON: _ClassVar[ChanceMethod]
    CHANCE_METHOD_SOFTMAX: _ClassVar[ChanceMethod]
    CHANCE_METHOD_THOMPSON: _ClassVar[ChanceMethod]
    CHANCE_METHOD_UNIFORM: _ClassVar[ChanceMethod]

class Gate(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GATE_UNSPECIFIED: _ClassVar[Gate]
    GATE_NOT_HERE: _ClassVar[Gate]
    GATE_NOT_VALID: _ClassVar[Gate]
    GATE_FALLBACK_ONLY: _ClassVar[Gate]
    GATE_NOT_ELIGIBLE: _ClassVar[Gate]
    GATE_ELIGIBILITY_ERROR: _ClassVar[Gate]
    GATE_NOT_APPLICABLE: _ClassVar[Gate]
    GATE_APPLICABILITY_ERROR: _ClassVar[Gate]
    GATE_NOT_SUITABLE: _ClassVar[Gate]
    GATE_SUITABILITY_ERROR: _ClassVar[Gate]
    GATE_NO_CONSENT: _ClassVar[Gate]
    GATE_CONTACT_POLICY: _ClassVar[Gate]
    GATE_QUIET_HOURS: _ClassVar[Gate]
    GATE_COOL_DOWN: _ClassVar[Gate]
    GATE_CAP_REACHED: _ClassVar[Gate]
    GATE_BUDGET_SPENT: _ClassVar[Gate]
    GATE_NOT_OF_TASK: _ClassVar[Gate]
    GATE_NEW_TO_FEW: _ClassVar[Gate]
    GATE_BELOW_LEAST_SCORE: _ClassVar[Gate]
    GATE_HELD_OUT: _ClassVar[Gate]

class OfferReasonCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OFFER_REASON_CODE_UNSPECIFIED: _ClassVar[OfferReasonCode]
    OFFER_REASON_CODE_BOUGHT_BEFORE: _ClassVar[OfferReasonCode]
    OFFER_REASON_CODE_DUE_AGAIN: _ClassVar[OfferReasonCode]
    OFFER_REASON_CODE_GOES_WITH: _ClassVar[OfferReasonCode]
    OFFER_REASON_CODE_LIKED_BY_SIMILAR_MEMBERS: _ClassVar[OfferReasonCode]
    OFFER_REASON_CODE_POPULAR: _ClassVar[OfferReasonCode]
    OFFER_REASON_CODE_NEW_TO_MEMBER: _ClassVar[OfferReasonCode]
RANKING_UNSPECIFIED: Ranking
RANKING_CHAMPION: Ranking
RANKING_POPULAR: Ranking
RANKING_CATALOGUE: Ranking
DEGRADATION_UNSPECIFIED: Degradation
DEGRADATION_MEMBER_UNKNOWN: Degradation
DEGRADATION_MODEL_MISSING: Degradation
DEGRADATION_TASK_EXHAUSTED: Degradation
DEGRADATION_PROBABILITY_UNCALIBRATED: Degradation
CHANCE_METHOD_UNSPECIFIED: ChanceMethod
CHANCE_METHOD_NONE: ChanceMethod
CHANCE_METHOD_EPSILON: ChanceMethod
CHANCE_METHOD_SOFTMAX: ChanceMethod
CHANCE_METHOD_THOMPSON: ChanceMethod
CHANCE_METHOD_UNIFORM: ChanceMethod
GATE_UNSPECIFIED: Gate
GATE_NOT_HERE: Gate
GATE_NOT_VALID: Gate
GATE_FALLBACK_ONLY: Gate
GATE_NOT_ELIGIBLE: Gate
GATE_ELIGIBILITY_ERROR: Gate
GATE_NOT_APPLICABLE: Gate
GATE_APPLICABILITY_ERROR: Gate
GATE_NOT_SUITABLE: Gate
GATE_SUITABILITY_ERROR: Gate
GATE_NO_CONSENT: Gate
GATE_CONTACT_POLICY: Gate
GATE_QUIET_HOURS: Gate
GATE_COOL_DOWN: Gate
GATE_CAP_REACHED: Gate
GATE_BUDGET_SPENT: Gate
GATE_NOT_OF_TASK: Gate
GATE_NEW_TO_FEW: Gate
GATE_BELOW_LEAST_SCORE: Gate
GATE_HELD_OUT: Gate
OFFER_REASON_CODE_UNSPECIFIED: OfferReasonCode
OFFER_REASON_CODE_BOUGHT_BEFORE: OfferReasonCode
OFFER_REASON_CODE_DUE_AGAIN: OfferReasonCode
OFFER_REASON_CODE_GOES_WITH: OfferReasonCode
OFFER_REASON_CODE_LIKED_BY_SIMILAR_MEMBERS: OfferReasonCode
OFFER_REASON_CODE_POPULAR: OfferReasonCode
OFFER_REASON_CODE_NEW_TO_MEMBER: OfferReasonCode

class Decision(_message.Message):
    __slots__ = ("decision_id", "programme", "member_id", "placement_id", "offers", "ranking", "degradations", "model_version", "plan_revision", "catalogue_revision", "feature_time", "eligible_count", "decide_time", "assignments", "action", "runner_up", "channel_id", "campaign_id", "standing_arm", "arbitration_id", "exploration", "slate_propensity", "removed_counts")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    RANKING_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    PLAN_REVISION_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_REVISION_FIELD_NUMBER: _ClassVar[int]
    FEATURE_TIME_FIELD_NUMBER: _ClassVar[int]
    ELIGIBLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    DECIDE_TIME_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RUNNER_UP_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_ID_FIELD_NUMBER: _ClassVar[int]
    STANDING_ARM_FIELD_NUMBER: _ClassVar[int]
    ARBITRATION_ID_FIELD_NUMBER: _ClassVar[int]
    EXPLORATION_FIELD_NUMBER: _ClassVar[int]
    SLATE_PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    REMOVED_COUNTS_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    programme: str
    member_id: str
    placement_id: str
    offers: _containers.RepeatedCompositeFieldContainer[ChosenOffer]
    ranking: Ranking
    degradations: _containers.RepeatedScalarFieldContainer[Degradation]
    model_version: str
    plan_revision: str
    catalogue_revision: str
    feature_time: _timestamp_pb2.Timestamp
    eligible_count: int
    decide_time: _timestamp_pb2.Timestamp
    assignments: _containers.RepeatedCompositeFieldContainer[_assignment_pb2.Assignment]
    action: ChosenAction
    runner_up: ChosenAction
    channel_id: str
    campaign_id: str
    standing_arm: str
    arbitration_id: str
    exploration: ChanceMethod
    slate_propensity: float
    removed_counts: _containers.RepeatedCompositeFieldContainer[RemovedCount]
    def __init__(self, decision_id: _Optional[str] = ..., programme: _Optional[str] = ..., member_id: _Optional[str] = ..., placement_id: _Optional[str] = ..., offers: _Optional[_Iterable[_Union[ChosenOffer, _Mapping]]] = ..., ranking: _Optional[_Union[Ranking, str]] = ..., degradations: _Optional[_Iterable[_Union[Degradation, str]]] = ..., model_version: _Optional[str] = ..., plan_revision: _Optional[str] = ..., catalogue_revision: _Optional[str] = ..., feature_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., eligible_count: _Optional[int] = ..., decide_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., assignments: _Optional[_Iterable[_Union[_assignment_pb2.Assignment, _Mapping]]] = ..., action: _Optional[_Union[ChosenAction, _Mapping]] = ..., runner_up: _Optional[_Union[ChosenAction, _Mapping]] = ..., channel_id: _Optional[str] = ..., campaign_id: _Optional[str] = ..., standing_arm: _Optional[str] = ..., arbitration_id: _Optional[str] = ..., exploration: _Optional[_Union[ChanceMethod, str]] = ..., slate_propensity: _Optional[float] = ..., removed_counts: _Optional[_Iterable[_Union[RemovedCount, _Mapping]]] = ...) -> None: ...

class ChosenAction(_message.Message):
    __slots__ = ("action_id", "channel_id", "score", "propensity", "title", "creative", "factors")
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CREATIVE_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    action_id: str
    channel_id: str
    score: float
    propensity: float
    title: str
    creative: str
    factors: Factors
    def __init__(self, action_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., score: _Optional[float] = ..., propensity: _Optional[float] = ..., title: _Optional[str] = ..., creative: _Optional[str] = ..., factors: _Optional[_Union[Factors, _Mapping]] = ...) -> None: ...

class Factors(_message.Message):
    __slots__ = ("probability", "value_factor", "context_factor", "lever_factor", "cost_term")
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FACTOR_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FACTOR_FIELD_NUMBER: _ClassVar[int]
    LEVER_FACTOR_FIELD_NUMBER: _ClassVar[int]
    COST_TERM_FIELD_NUMBER: _ClassVar[int]
    probability: float
    value_factor: float
    context_factor: float
    lever_factor: float
    cost_term: float
    def __init__(self, probability: _Optional[float] = ..., value_factor: _Optional[float] = ..., context_factor: _Optional[float] = ..., lever_factor: _Optional[float] = ..., cost_term: _Optional[float] = ...) -> None: ...

class RemovedCount(_message.Message):
    __slots__ = ("gate", "candidate_count")
    GATE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    gate: Gate
    candidate_count: int
    def __init__(self, gate: _Optional[_Union[Gate, str]] = ..., candidate_count: _Optional[int] = ...) -> None: ...

class ChosenOffer(_message.Message):
    __slots__ = ("offer_id", "rank", "score", "propensity", "title", "discount", "reasons", "factors", "creative")
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    CREATIVE_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    rank: int
    score: float
    propensity: float
    title: str
    discount: _money_pb2.Money
    reasons: _containers.RepeatedCompositeFieldContainer[OfferReason]
    factors: Factors
    creative: str
    def __init__(self, offer_id: _Optional[str] = ..., rank: _Optional[int] = ..., score: _Optional[float] = ..., propensity: _Optional[float] = ..., title: _Optional[str] = ..., discount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reasons: _Optional[_Iterable[_Union[OfferReason, _Mapping]]] = ..., factors: _Optional[_Union[Factors, _Mapping]] = ..., creative: _Optional[str] = ...) -> None: ...

class OfferReason(_message.Message):
    __slots__ = ("code", "trip_count", "span_days", "interval_days", "elapsed_days", "product_id")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TRIP_COUNT_FIELD_NUMBER: _ClassVar[int]
    SPAN_DAYS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_DAYS_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_DAYS_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    code: OfferReasonCode
    trip_count: int
    span_days: int
    interval_days: int
    elapsed_days: int
    product_id: str
    def __init__(self, code: _Optional[_Union[OfferReasonCode, str]] = ..., trip_count: _Optional[int] = ..., span_days: _Optional[int] = ..., interval_days: _Optional[int] = ..., elapsed_days: _Optional[int] = ..., product_id: _Optional[str] = ...) -> None: ...
