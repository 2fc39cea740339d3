import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from troth.v1 import member_pb2 as _member_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UpsertMembersRequest(_message.Message):
    __slots__ = ("programme", "updates", "actor", "request_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    updates: _containers.RepeatedCompositeFieldContainer[MemberUpdate]
    actor: str
    request_id: str
    def __init__(self, programme: _Optional[str] = ..., updates: _Optional[_Iterable[_Union[MemberUpdate, _Mapping]]] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class MemberUpdate(_message.Message):
    __slots__ = ("member", "update_mask", "removed_attributes", "removed_consents")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    REMOVED_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    REMOVED_CONSENTS_FIELD_NUMBER: _ClassVar[int]
    member: _member_pb2.Member
    update_mask: _field_mask_pb2.FieldMask
    removed_attributes: _containers.RepeatedScalarFieldContainer[str]
    removed_consents: _containers.RepeatedCompositeFieldContainer[_member_pb2.ConsentKey]
    def __init__(self, member: _Optional[_Union[_member_pb2.Member, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., removed_attributes: _Optional[_Iterable[str]] = ..., removed_consents: _Optional[_Iterable[_Union[_member_pb2.ConsentKey, _Mapping]]] = ...) -> None: ...

class UpsertMembersResponse(_message.Message):
    __slots__ = ("changed_count", "unchanged_count")
    CHANGED_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_COUNT_FIELD_NUMBER: _ClassVar[int]
    changed_count: int
    unchanged_count: int
    def __init__(self, changed_count: _Optional[int] = ..., unchanged_count: _Optional[int] = ...) -> None: ...

class GetMemberRequest(_message.Message):
    __slots__ = ("programme", "member_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    member_id: str
    def __init__(self, programme: _Optional[str] = ..., member_id: _Optional[str] = ...) -> None: ...

class GetMemberResponse(_message.Message):
    __slots__ = ("member", "member_version", "update_time", "activity")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    MEMBER_VERSION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    member: _member_pb2.Member
    member_version: int
    update_time: _timestamp_pb2.Timestamp
    activity: _member_pb2.MemberActivity
    def __init__(self, member: _Optional[_Union[_member_pb2.Member, _Mapping]] = ..., member_version: _Optional[int] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., activity: _Optional[_Union[_member_pb2.MemberActivity, _Mapping]] = ...) -> None: ...

class ListMemberChangesRequest(_message.Message):
    __slots__ = ("programme", "member_id", "page_size", "page_token")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    programme: str
    member_id: str
    page_size: int
    page_token: str
    def __init__(self, programme: _Optional[str] = ..., member_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMemberChangesResponse(_message.Message):
    __slots__ = ("changes", "next_page_token")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[_member_pb2.MemberChange]
    next_page_token: str
    def __init__(self, changes: _Optional[_Iterable[_Union[_member_pb2.MemberChange, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
