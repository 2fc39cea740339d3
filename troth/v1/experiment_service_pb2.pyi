from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from troth.v1 import assignment_pb2 as _assignment_pb2
from troth.v1 import experiment_pb2 as _experiment_pb2
from troth.v1 import experiment_change_pb2 as _experiment_change_pb2
from troth.v1 import experiment_results_pb2 as _experiment_results_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetAssignmentsRequest(_message.Message):
    __slots__ = ("programme", "member_id", "experiment_ids", "attributes", "anonymous_id")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _assignment_pb2.AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_assignment_pb2.AttributeValue, _Mapping]] = ...) -> None: ...
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    ANONYMOUS_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    member_id: str
    experiment_ids: _containers.RepeatedScalarFieldContainer[str]
    attributes: _containers.MessageMap[str, _assignment_pb2.AttributeValue]
    anonymous_id: str
    def __init__(self, programme: _Optional[str] = ..., member_id: _Optional[str] = ..., experiment_ids: _Optional[_Iterable[str]] = ..., attributes: _Optional[_Mapping[str, _assignment_pb2.AttributeValue]] = ..., anonymous_id: _Optional[str] = ...) -> None: ...

class GetAssignmentsResponse(_message.Message):
    __slots__ = ("assignments", "plan_revision")
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    PLAN_REVISION_FIELD_NUMBER: _ClassVar[int]
    assignments: _containers.RepeatedCompositeFieldContainer[_assignment_pb2.Assignment]
    plan_revision: str
    def __init__(self, assignments: _Optional[_Iterable[_Union[_assignment_pb2.Assignment, _Mapping]]] = ..., plan_revision: _Optional[str] = ...) -> None: ...

class StreamAssignmentsRequest(_message.Message):
    __slots__ = ("programme", "experiment_ids", "members")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    programme: str
    experiment_ids: _containers.RepeatedScalarFieldContainer[str]
    members: _containers.RepeatedCompositeFieldContainer[AssignedMember]
    def __init__(self, programme: _Optional[str] = ..., experiment_ids: _Optional[_Iterable[str]] = ..., members: _Optional[_Iterable[_Union[AssignedMember, _Mapping]]] = ...) -> None: ...

class AssignedMember(_message.Message):
    __slots__ = ("member_id", "anonymous_id", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _assignment_pb2.AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_assignment_pb2.AttributeValue, _Mapping]] = ...) -> None: ...
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    ANONYMOUS_ID_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    anonymous_id: str
    attributes: _containers.MessageMap[str, _assignment_pb2.AttributeValue]
    def __init__(self, member_id: _Optional[str] = ..., anonymous_id: _Optional[str] = ..., attributes: _Optional[_Mapping[str, _assignment_pb2.AttributeValue]] = ...) -> None: ...

class StreamAssignmentsResponse(_message.Message):
    __slots__ = ("members", "plan_revision")
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    PLAN_REVISION_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedCompositeFieldContainer[MemberAssignments]
    plan_revision: str
    def __init__(self, members: _Optional[_Iterable[_Union[MemberAssignments, _Mapping]]] = ..., plan_revision: _Optional[str] = ...) -> None: ...

class MemberAssignments(_message.Message):
    __slots__ = ("member_id", "anonymous_id", "assignments")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    ANONYMOUS_ID_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    anonymous_id: str
    assignments: _containers.RepeatedCompositeFieldContainer[_assignment_pb2.Assignment]
    def __init__(self, member_id: _Optional[str] = ..., anonymous_id: _Optional[str] = ..., assignments: _Optional[_Iterable[_Union[_assignment_pb2.Assignment, _Mapping]]] = ...) -> None: ...

class LinkIdentitiesRequest(_message.Message):
    __slots__ = ("programme", "links")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    programme: str
    links: _containers.RepeatedCompositeFieldContainer[IdentityLink]
    def __init__(self, programme: _Optional[str] = ..., links: _Optional[_Iterable[_Union[IdentityLink, _Mapping]]] = ...) -> None: ...

class IdentityLink(_message.Message):
    __slots__ = ("anonymous_id", "member_id")
    ANONYMOUS_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    anonymous_id: str
    member_id: str
    def __init__(self, anonymous_id: _Optional[str] = ..., member_id: _Optional[str] = ...) -> None: ...

class LinkIdentitiesResponse(_message.Message):
    __slots__ = ("accepted_count", "duplicate_count")
    ACCEPTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    accepted_count: int
    duplicate_count: int
    def __init__(self, accepted_count: _Optional[int] = ..., duplicate_count: _Optional[int] = ...) -> None: ...

class CreateExperimentRequest(_message.Message):
    __slots__ = ("programme", "experiment", "actor", "request_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    experiment: _experiment_pb2.Experiment
    actor: str
    request_id: str
    def __init__(self, programme: _Optional[str] = ..., experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateExperimentResponse(_message.Message):
    __slots__ = ("experiment",)
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    experiment: _experiment_pb2.Experiment
    def __init__(self, experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ...) -> None: ...

class UpdateExperimentRequest(_message.Message):
    __slots__ = ("programme", "experiment", "update_mask", "etag", "actor", "request_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    experiment: _experiment_pb2.Experiment
    update_mask: _field_mask_pb2.FieldMask
    etag: str
    actor: str
    request_id: str
    def __init__(self, programme: _Optional[str] = ..., experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpdateExperimentResponse(_message.Message):
    __slots__ = ("experiment",)
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    experiment: _experiment_pb2.Experiment
    def __init__(self, experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ...) -> None: ...

class StartExperimentRequest(_message.Message):
    __slots__ = ("programme", "experiment_id", "etag", "actor", "request_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    experiment_id: str
    etag: str
    actor: str
    request_id: str
    def __init__(self, programme: _Optional[str] = ..., experiment_id: _Optional[str] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class StartExperimentResponse(_message.Message):
    __slots__ = ("experiment",)
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    experiment: _experiment_pb2.Experiment
    def __init__(self, experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ...) -> None: ...

class StopExperimentRequest(_message.Message):
    __slots__ = ("programme", "experiment_id", "etag", "actor", "request_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    experiment_id: str
    etag: str
    actor: str
    request_id: str
    def __init__(self, programme: _Optional[str] = ..., experiment_id: _Optional[str] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class StopExperimentResponse(_message.Message):
    __slots__ = ("experiment",)
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    experiment: _experiment_pb2.Experiment
    def __init__(self, experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ...) -> None: ...

class ArchiveExperimentRequest(_message.Message):
    __slots__ = ("programme", "experiment_id", "etag", "actor", "request_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    experiment_id: str
    etag: str
    actor: str
    request_id: str
    def __init__(self, programme: _Optional[str] = ..., experiment_id: _Optional[str] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ArchiveExperimentResponse(_message.Message):
    __slots__ = ("experiment",)
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    experiment: _experiment_pb2.Experiment
    def __init__(self, experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ...) -> None: ...

class GetExperimentRequest(_message.Message):
    __slots__ = ("programme", "experiment_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    experiment_id: str
    def __init__(self, programme: _Optional[str] = ..., experiment_id: _Optional[str] = ...) -> None: ...

class GetExperimentResponse(_message.Message):
    __slots__ = ("experiment",)
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    experiment: _experiment_pb2.Experiment
    def __init__(self, experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ...) -> None: ...

class ListExperimentsRequest(_message.Message):
    __slots__ = ("programme", "page_size", "page_token")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    programme: str
    page_size: int
    page_token: str
    def __init__(self, programme: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListExperimentsResponse(_message.Message):
    __slots__ = ("experiments", "next_page_token")
    EXPERIMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    experiments: _containers.RepeatedCompositeFieldContainer[_experiment_pb2.Experiment]
    next_page_token: str
    def __init__(self, experiments: _Optional[_Iterable[_Union[_experiment_pb2.Experiment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListExperimentChangesRequest(_message.Message):
    __slots__ = ("programme", "experiment_id", "page_size", "page_token")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    programme: str
    experiment_id: str
    page_size: int
    page_token: str
    def __init__(self, programme: _Optional[str] = ..., experiment_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListExperimentChangesResponse(_message.Message):
    __slots__ = ("changes", "next_page_token")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[_experiment_change_pb2.ExperimentChange]
    next_page_token: str
    def __init__(self, changes: _Optional[_Iterable[_Union[_experiment_change_pb2.ExperimentChange, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetExperimentResultsRequest(_message.Message):
    __slots__ = ("programme", "experiment_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    experiment_id: str
    def __init__(self, programme: _Optional[str] = ..., experiment_id: _Optional[str] = ...) -> None: ...

class GetExperimentResultsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _experiment_results_pb2.ExperimentResults
    def __init__(self, results: _Optional[_Union[_experiment_results_pb2.ExperimentResults, _Mapping]] = ...) -> None: ...
