import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from troth.v1 import experiment_pb2 as _experiment_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChangeAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_ACTION_UNSPECIFIED: _ClassVar[ChangeAction]
    CHANGE_ACTION_CREATE: _ClassVar[ChangeAction]
    CHANGE_ACTION_UPDATE: _ClassVar[ChangeAction]
    CHANGE_ACTION_START: _ClassVar[ChangeAction]
    CHANGE_ACTION_STOP: _ClassVar[ChangeAction]
    CHANGE_ACTION_ARCHIVE: _ClassVar[ChangeAction]
CHANGE_ACTION_UNSPECIFIED: ChangeAction
CHANGE_ACTION_CREATE: ChangeAction
CHANGE_ACTION_UPDATE: ChangeAction
CHANGE_ACTION_START: ChangeAction
CHANGE_ACTION_STOP: ChangeAction
CHANGE_ACTION_ARCHIVE: ChangeAction

class ExperimentChange(_message.Message):
    __slots__ = ("experiment_id", "position", "action", "actor", "change_time", "before_revision", "after_revision", "before_state", "after_state", "changed_paths", "etag", "request_id")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CHANGE_TIME_FIELD_NUMBER: _ClassVar[int]
    BEFORE_REVISION_FIELD_NUMBER: _ClassVar[int]
    AFTER_REVISION_FIELD_NUMBER: _ClassVar[int]
    BEFORE_STATE_FIELD_NUMBER: _ClassVar[int]
    AFTER_STATE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_PATHS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    experiment_id: str
    position: int
    action: ChangeAction
    actor: str
    change_time: _timestamp_pb2.Timestamp
    before_revision: int
    after_revision: int
    before_state: _experiment_pb2.ExperimentState
    after_state: _experiment_pb2.ExperimentState
    changed_paths: _containers.RepeatedScalarFieldContainer[str]
    etag: str
    request_id: str
    def __init__(self, experiment_id: _Optional[str] = ..., position: _Optional[int] = ..., action: _Optional[_Union[ChangeAction, str]] = ..., actor: _Optional[str] = ..., change_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., before_revision: _Optional[int] = ..., after_revision: _Optional[int] = ..., before_state: _Optional[_Union[_experiment_pb2.ExperimentState, str]] = ..., after_state: _Optional[_Union[_experiment_pb2.ExperimentState, str]] = ..., changed_paths: _Optional[_Iterable[str]] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...
