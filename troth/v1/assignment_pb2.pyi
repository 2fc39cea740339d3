import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AssignmentReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ASSIGNMENT_REASON_UNSPECIFIED: _ClassVar[AssignmentReason]
    ASSIGNMENT_REASON_ASSIGNED: _ClassVar[AssignmentReason]
    ASSIGNMENT_REASON_NOT_ENROLLED: _ClassVar[AssignmentReason]
    ASSIGNMENT_REASON_NOT_RUNNING: _ClassVar[AssignmentReason]
    ASSIGNMENT_REASON_HELD_OUT: _ClassVar[AssignmentReason]
    ASSIGNMENT_REASON_NOT_IN_SLOT: _ClassVar[AssignmentReason]
    ASSIGNMENT_REASON_NOT_TARGETED: _ClassVar[AssignmentReason]
    ASSIGNMENT_REASON_TARGETING_ERROR: _ClassVar[AssignmentReason]
    ASSIGNMENT_REASON_OVERRIDDEN: _ClassVar[AssignmentReason]
    ASSIGNMENT_REASON_STICKY: _ClassVar[AssignmentReason]
ASSIGNMENT_REASON_UNSPECIFIED: AssignmentReason
ASSIGNMENT_REASON_ASSIGNED: AssignmentReason
ASSIGNMENT_REASON_NOT_ENROLLED: AssignmentReason
ASSIGNMENT_REASON_NOT_RUNNING: AssignmentReason
ASSIGNMENT_REASON_HELD_OUT: AssignmentReason
ASSIGNMENT_REASON_NOT_IN_SLOT: AssignmentReason
ASSIGNMENT_REASON_NOT_TARGETED: AssignmentReason
ASSIGNMENT_REASON_TARGETING_ERROR: AssignmentReason
ASSIGNMENT_REASON_OVERRIDDEN: AssignmentReason
ASSIGNMENT_REASON_STICKY: AssignmentReason

class Assignment(_message.Message):
    __slots__ = ("experiment_id", "variant_id", "reason", "experiment_revision", "parameters")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ParameterValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ParameterValue, _Mapping]] = ...) -> None: ...
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VARIANT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_REVISION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    experiment_id: str
    variant_id: str
    reason: AssignmentReason
    experiment_revision: int
    parameters: _containers.MessageMap[str, ParameterValue]
    def __init__(self, experiment_id: _Optional[str] = ..., variant_id: _Optional[str] = ..., reason: _Optional[_Union[AssignmentReason, str]] = ..., experiment_revision: _Optional[int] = ..., parameters: _Optional[_Mapping[str, ParameterValue]] = ...) -> None: ...

class ParameterValue(_message.Message):
    __slots__ = ("string_value", "int_value", "double_value", "bool_value")
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    INT_VALUE_FIELD_NUMBER: _ClassVar[int]
    DOUBLE_VALUE_FIELD_NUMBER: _ClassVar[int]
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    string_value: str
    int_value: int
    double_value: float
    bool_value: bool
    def __init__(self, string_value: _Optional[str] = ..., int_value: _Optional[int] = ..., double_value: _Optional[float] = ..., bool_value: _Optional[bool] = ...) -> None: ...

class AttributeValue(_message.Message):
    __slots__ = ("string_value", "int_value", "double_value", "bool_value", "moment_time", "string_list")
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    INT_VALUE_FIELD_NUMBER: _ClassVar[int]
    DOUBLE_VALUE_FIELD_NUMBER: _ClassVar[int]
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    MOMENT_TIME_FIELD_NUMBER: _ClassVar[int]
    STRING_LIST_FIELD_NUMBER: _ClassVar[int]
    string_value: str
    int_value: int
    double_value: float
    bool_value: bool
    moment_time: _timestamp_pb2.Timestamp
    string_list: TextList
    def __init__(self, string_value: _Optional[str] = ..., int_value: _Optional[int] = ..., double_value: _Optional[float] = ..., bool_value: _Optional[bool] = ..., moment_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., string_list: _Optional[_Union[TextList, _Mapping]] = ...) -> None: ...

class TextList(_message.Message):
    __slots__ = ("texts",)
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    texts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, texts: _Optional[_Iterable[str]] = ...) -> None: ...
