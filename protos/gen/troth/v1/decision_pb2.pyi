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
OFFER_REASON_CODE_UNSPECIFIED: OfferReasonCode
OFFER_REASON_CODE_BOUGHT_BEFORE: OfferReasonCode
OFFER_REASON_CODE_DUE_AGAIN: OfferReasonCode
OFFER_REASON_CODE_GOES_WITH: OfferReasonCode
OFFER_REASON_CODE_LIKED_BY_SIMILAR_MEMBERS: OfferReasonCode
OFFER_REASON_CODE_POPULAR: OfferReasonCode
OFFER_REASON_CODE_NEW_TO_MEMBER: OfferReasonCode

class Decision(_message.Message):
    __slots__ = ("decision_id", "programme", "member_id", "placement_id", "offers", "ranking", "degradations", "model_version", "plan_revision", "catalogue_revision", "feature_time", "eligible_count", "decide_time", "assignments")
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
    def __init__(self, decision_id: _Optional[str] = ..., programme: _Optional[str] = ..., member_id: _Optional[str] = ..., placement_id: _Optional[str] = ..., offers: _Optional[_Iterable[_Union[ChosenOffer, _Mapping]]] = ..., ranking: _Optional[_Union[Ranking, str]] = ..., degradations: _Optional[_Iterable[_Union[Degradation, str]]] = ..., model_version: _Optional[str] = ..., plan_revision: _Optional[str] = ..., catalogue_revision: _Optional[str] = ..., feature_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., eligible_count: _Optional[int] = ..., decide_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., assignments: _Optional[_Iterable[_Union[_assignment_pb2.Assignment, _Mapping]]] = ...) -> None: ...

class ChosenOffer(_message.Message):
    __slots__ = ("offer_id", "rank", "score", "propensity", "title", "discount", "reasons")
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    rank: int
    score: float
    propensity: float
    title: str
    discount: _money_pb2.Money
    reasons: _containers.RepeatedCompositeFieldContainer[OfferReason]
    def __init__(self, offer_id: _Optional[str] = ..., rank: _Optional[int] = ..., score: _Optional[float] = ..., propensity: _Optional[float] = ..., title: _Optional[str] = ..., discount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reasons: _Optional[_Iterable[_Union[OfferReason, _Mapping]]] = ...) -> None: ...

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
