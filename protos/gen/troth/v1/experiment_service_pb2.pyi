from google.api import field_behavior_pb2 as _field_behavior_pb2
from troth.v1 import assignment_pb2 as _assignment_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetAssignmentsRequest(_message.Message):
    __slots__ = ("programme", "member_id", "experiment_ids")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    programme: str
    member_id: str
    experiment_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, programme: _Optional[str] = ..., member_id: _Optional[str] = ..., experiment_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class GetAssignmentsResponse(_message.Message):
    __slots__ = ("assignments", "plan_revision")
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    PLAN_REVISION_FIELD_NUMBER: _ClassVar[int]
    assignments: _containers.RepeatedCompositeFieldContainer[_assignment_pb2.Assignment]
    plan_revision: str
    def __init__(self, assignments: _Optional[_Iterable[_Union[_assignment_pb2.Assignment, _Mapping]]] = ..., plan_revision: _Optional[str] = ...) -> None: ...
