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
    __slots__ = ("programme", "member_id", "placement_id", "offer_count", "request_id", "request_time", "attributes", "basket_product_ids")
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
    programme: str
    member_id: str
    placement_id: str
    offer_count: int
    request_id: str
    request_time: _timestamp_pb2.Timestamp
    attributes: _containers.MessageMap[str, _assignment_pb2.AttributeValue]
    basket_product_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, programme: _Optional[str] = ..., member_id: _Optional[str] = ..., placement_id: _Optional[str] = ..., offer_count: _Optional[int] = ..., request_id: _Optional[str] = ..., request_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attributes: _Optional[_Mapping[str, _assignment_pb2.AttributeValue]] = ..., basket_product_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RecommendOffersResponse(_message.Message):
    __slots__ = ("decision",)
    DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ...) -> None: ...
