import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from troth.v1 import assignment_pb2 as _assignment_pb2
from troth.v1 import decision_pb2 as _decision_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecommendOffersRequest(_message.Message):
    __slots__ = ("programme", "member_id", "placement_id", "offer_count", "request_id", "request_time", "attributes", "basket_product_ids", "channel_id", "factors_wanted")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _assignment_pb2.AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_assignment_pb2.AttributeValue, _Mapping]] = ...) -> None: ...
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    OFFER_COUNT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    BASKET_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    FACTORS_WANTED_FIELD_NUMBER: _ClassVar[int]
    programme: str
    member_id: str
    placement_id: str
    offer_count: int
    request_id: str
    request_time: _timestamp_pb2.Timestamp
    attributes: _containers.MessageMap[str, _assignment_pb2.AttributeValue]
    basket_product_ids: _containers.RepeatedScalarFieldContainer[str]
    channel_id: str
    factors_wanted: bool
    def __init__(self, programme: _Optional[str] = ..., member_id: _Optional[str] = ..., placement_id: _Optional[str] = ..., offer_count: _Optional[int] = ..., request_id: _Optional[str] = ..., request_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attributes: _Optional[_Mapping[str, _assignment_pb2.AttributeValue]] = ..., basket_product_ids: _Optional[_Iterable[str]] = ..., channel_id: _Optional[str] = ..., factors_wanted: _Optional[bool] = ...) -> None: ...

class RecommendOffersResponse(_message.Message):
    __slots__ = ("decision",)
    DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ...) -> None: ...

class NextBestActionRequest(_message.Message):
    __slots__ = ("programme", "member_id", "placement_id", "request_id", "request_time", "attributes", "basket_product_ids", "factors_wanted")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _assignment_pb2.AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_assignment_pb2.AttributeValue, _Mapping]] = ...) -> None: ...
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    BASKET_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    FACTORS_WANTED_FIELD_NUMBER: _ClassVar[int]
    programme: str
    member_id: str
    placement_id: str
    request_id: str
    request_time: _timestamp_pb2.Timestamp
    attributes: _containers.MessageMap[str, _assignment_pb2.AttributeValue]
    basket_product_ids: _containers.RepeatedScalarFieldContainer[str]
    factors_wanted: bool
    def __init__(self, programme: _Optional[str] = ..., member_id: _Optional[str] = ..., placement_id: _Optional[str] = ..., request_id: _Optional[str] = ..., request_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attributes: _Optional[_Mapping[str, _assignment_pb2.AttributeValue]] = ..., basket_product_ids: _Optional[_Iterable[str]] = ..., factors_wanted: _Optional[bool] = ...) -> None: ...

class NextBestActionResponse(_message.Message):
    __slots__ = ("decision",)
    DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ...) -> None: ...

class DecideCampaignRequest(_message.Message):
    __slots__ = ("programme", "campaign_id", "placement_id", "channel_id", "offer_count", "member_ids")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_ID_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    OFFER_COUNT_FIELD_NUMBER: _ClassVar[int]
    MEMBER_IDS_FIELD_NUMBER: _ClassVar[int]
    programme: str
    campaign_id: str
    placement_id: str
    channel_id: str
    offer_count: int
    member_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, programme: _Optional[str] = ..., campaign_id: _Optional[str] = ..., placement_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., offer_count: _Optional[int] = ..., member_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class DecideCampaignResponse(_message.Message):
    __slots__ = ("member_id", "decision", "problem")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    decision: _decision_pb2.Decision
    problem: str
    def __init__(self, member_id: _Optional[str] = ..., decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., problem: _Optional[str] = ...) -> None: ...

class ExplainDecisionRequest(_message.Message):
    __slots__ = ("programme", "decision_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    decision_id: str
    def __init__(self, programme: _Optional[str] = ..., decision_id: _Optional[str] = ...) -> None: ...

class ExplainDecisionResponse(_message.Message):
    __slots__ = ("decision", "candidates", "member_version")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    candidates: _containers.RepeatedCompositeFieldContainer[ConsideredCandidate]
    member_version: int
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., candidates: _Optional[_Iterable[_Union[ConsideredCandidate, _Mapping]]] = ..., member_version: _Optional[int] = ...) -> None: ...

class ConsideredCandidate(_message.Message):
    __slots__ = ("candidate_id", "channel_id", "rank", "gate", "explanation", "score", "factors")
    CANDIDATE_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    candidate_id: str
    channel_id: str
    rank: int
    gate: _decision_pb2.Gate
    explanation: str
    score: float
    factors: _decision_pb2.Factors
    def __init__(self, candidate_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., rank: _Optional[int] = ..., gate: _Optional[_Union[_decision_pb2.Gate, str]] = ..., explanation: _Optional[str] = ..., score: _Optional[float] = ..., factors: _Optional[_Union[_decision_pb2.Factors, _Mapping]] = ...) -> None: ...

class ReplayDecisionRequest(_message.Message):
    __slots__ = ("programme", "decision_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    decision_id: str
    def __init__(self, programme: _Optional[str] = ..., decision_id: _Optional[str] = ...) -> None: ...

class ReplayDecisionResponse(_message.Message):
    __slots__ = ("identical", "differences")
    IDENTICAL_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    identical: bool
    differences: _containers.RepeatedCompositeFieldContainer[ReplayDifference]
    def __init__(self, identical: _Optional[bool] = ..., differences: _Optional[_Iterable[_Union[ReplayDifference, _Mapping]]] = ...) -> None: ...

class ReplayDifference(_message.Message):
    __slots__ = ("field_path", "logged", "replayed")
    FIELD_PATH_FIELD_NUMBER: _ClassVar[int]
    LOGGED_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    field_path: str
    logged: str
    replayed: str
    def __init__(self, field_path: _Optional[str] = ..., logged: _Optional[str] = ..., replayed: _Optional[str] = ...) -> None: ...
