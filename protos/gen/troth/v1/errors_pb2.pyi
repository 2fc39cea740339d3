from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_PROGRAMME_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_PLACEMENT_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_EXPERIMENT_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_ID_REUSED: _ClassVar[ErrorReason]
    ERROR_REASON_STORE_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_EXPERIMENT_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_EXPERIMENT_READ_ONLY: _ClassVar[ErrorReason]
    ERROR_REASON_EXPERIMENT_STATE: _ClassVar[ErrorReason]
    ERROR_REASON_EXPERIMENT_CONFLICT: _ClassVar[ErrorReason]
    ERROR_REASON_ETAG_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_IDENTITY_LINKED: _ClassVar[ErrorReason]
    ERROR_REASON_ANALYSIS_IMPOSSIBLE: _ClassVar[ErrorReason]
    ERROR_REASON_SERVER_BUSY: _ClassVar[ErrorReason]
    ERROR_REASON_MEMBER_NOT_FOUND: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_REQUEST: ErrorReason
ERROR_REASON_PROGRAMME_NOT_FOUND: ErrorReason
ERROR_REASON_PLACEMENT_NOT_FOUND: ErrorReason
ERROR_REASON_EXPERIMENT_NOT_FOUND: ErrorReason
ERROR_REASON_REQUEST_ID_REUSED: ErrorReason
ERROR_REASON_STORE_UNAVAILABLE: ErrorReason
ERROR_REASON_DEADLINE_EXCEEDED: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_EXPERIMENT_EXISTS: ErrorReason
ERROR_REASON_EXPERIMENT_READ_ONLY: ErrorReason
ERROR_REASON_EXPERIMENT_STATE: ErrorReason
ERROR_REASON_EXPERIMENT_CONFLICT: ErrorReason
ERROR_REASON_ETAG_MISMATCH: ErrorReason
ERROR_REASON_IDENTITY_LINKED: ErrorReason
ERROR_REASON_ANALYSIS_IMPOSSIBLE: ErrorReason
ERROR_REASON_SERVER_BUSY: ErrorReason
ERROR_REASON_MEMBER_NOT_FOUND: ErrorReason
