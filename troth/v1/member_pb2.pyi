import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from troth.v1 import assignment_pb2 as _assignment_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Member(_message.Message):
    __slots__ = ("member_id", "attributes", "consents", "tier", "points_balance", "points_expire_time", "time_zone")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _assignment_pb2.AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_assignment_pb2.AttributeValue, _Mapping]] = ...) -> None: ...
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CONSENTS_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    POINTS_BALANCE_FIELD_NUMBER: _ClassVar[int]
    POINTS_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    attributes: _containers.MessageMap[str, _assignment_pb2.AttributeValue]
    consents: _containers.RepeatedCompositeFieldContainer[Consent]
    tier: str
    points_balance: int
    points_expire_time: _timestamp_pb2.Timestamp
    time_zone: str
    def __init__(self, member_id: _Optional[str] = ..., attributes: _Optional[_Mapping[str, _assignment_pb2.AttributeValue]] = ..., consents: _Optional[_Iterable[_Union[Consent, _Mapping]]] = ..., tier: _Optional[str] = ..., points_balance: _Optional[int] = ..., points_expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., time_zone: _Optional[str] = ...) -> None: ...

class Consent(_message.Message):
    __slots__ = ("channel_id", "purpose", "granted")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    purpose: str
    granted: bool
    def __init__(self, channel_id: _Optional[str] = ..., purpose: _Optional[str] = ..., granted: _Optional[bool] = ...) -> None: ...

class ConsentKey(_message.Message):
    __slots__ = ("channel_id", "purpose")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    purpose: str
    def __init__(self, channel_id: _Optional[str] = ..., purpose: _Optional[str] = ...) -> None: ...

class MemberActivity(_message.Message):
    __slots__ = ("purchase_count", "redemption_count", "contacts")
    PURCHASE_COUNT_FIELD_NUMBER: _ClassVar[int]
    REDEMPTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONTACTS_FIELD_NUMBER: _ClassVar[int]
    purchase_count: int
    redemption_count: int
    contacts: _containers.RepeatedCompositeFieldContainer[ChannelContacts]
    def __init__(self, purchase_count: _Optional[int] = ..., redemption_count: _Optional[int] = ..., contacts: _Optional[_Iterable[_Union[ChannelContacts, _Mapping]]] = ...) -> None: ...

class ChannelContacts(_message.Message):
    __slots__ = ("channel_id", "contact_count")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    CONTACT_COUNT_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    contact_count: int
    def __init__(self, channel_id: _Optional[str] = ..., contact_count: _Optional[int] = ...) -> None: ...

class MemberChange(_message.Message):
    __slots__ = ("member_id", "member_version", "change_time", "actor", "request_id", "before", "after")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANGE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    member_version: int
    change_time: _timestamp_pb2.Timestamp
    actor: str
    request_id: str
    before: Member
    after: Member
    def __init__(self, member_id: _Optional[str] = ..., member_version: _Optional[int] = ..., change_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ..., before: _Optional[_Union[Member, _Mapping]] = ..., after: _Optional[_Union[Member, _Mapping]] = ...) -> None: ...
