import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from troth.v1 import catalog_pb2 as _catalog_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CatalogueSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CATALOGUE_SOURCE_UNSPECIFIED: _ClassVar[CatalogueSource]
    CATALOGUE_SOURCE_FILE: _ClassVar[CatalogueSource]
    CATALOGUE_SOURCE_GRPC: _ClassVar[CatalogueSource]
    CATALOGUE_SOURCE_CLI: _ClassVar[CatalogueSource]

class ItemChangeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ITEM_CHANGE_KIND_UNSPECIFIED: _ClassVar[ItemChangeKind]
    ITEM_CHANGE_KIND_ADDED: _ClassVar[ItemChangeKind]
    ITEM_CHANGE_KIND_REMOVED: _ClassVar[ItemChangeKind]
    ITEM_CHANGE_KIND_CHANGED: _ClassVar[ItemChangeKind]
CATALOGUE_SOURCE_UNSPECIFIED: CatalogueSource
CATALOGUE_SOURCE_FILE: CatalogueSource
CATALOGUE_SOURCE_GRPC: CatalogueSource
CATALOGUE_SOURCE_CLI: CatalogueSource
ITEM_CHANGE_KIND_UNSPECIFIED: ItemChangeKind
ITEM_CHANGE_KIND_ADDED: ItemChangeKind
ITEM_CHANGE_KIND_REMOVED: ItemChangeKind
ITEM_CHANGE_KIND_CHANGED: ItemChangeKind

class CatalogueChange(_message.Message):
    __slots__ = ("position", "revision", "change_time", "actor", "source", "request_id", "items", "item_count")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CHANGE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    position: int
    revision: str
    change_time: _timestamp_pb2.Timestamp
    actor: str
    source: CatalogueSource
    request_id: str
    items: _containers.RepeatedCompositeFieldContainer[ItemChange]
    item_count: int
    def __init__(self, position: _Optional[int] = ..., revision: _Optional[str] = ..., change_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., source: _Optional[_Union[CatalogueSource, str]] = ..., request_id: _Optional[str] = ..., items: _Optional[_Iterable[_Union[ItemChange, _Mapping]]] = ..., item_count: _Optional[int] = ...) -> None: ...

class ItemChange(_message.Message):
    __slots__ = ("kind", "item", "path", "before_text", "after_text")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    BEFORE_TEXT_FIELD_NUMBER: _ClassVar[int]
    AFTER_TEXT_FIELD_NUMBER: _ClassVar[int]
    kind: ItemChangeKind
    item: str
    path: str
    before_text: str
    after_text: str
    def __init__(self, kind: _Optional[_Union[ItemChangeKind, str]] = ..., item: _Optional[str] = ..., path: _Optional[str] = ..., before_text: _Optional[str] = ..., after_text: _Optional[str] = ...) -> None: ...

class GetCatalogueRequest(_message.Message):
    __slots__ = ("programme", "revision")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    programme: str
    revision: str
    def __init__(self, programme: _Optional[str] = ..., revision: _Optional[str] = ...) -> None: ...

class GetCatalogueResponse(_message.Message):
    __slots__ = ("catalogue", "revision")
    CATALOGUE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    catalogue: _catalog_pb2.Catalogue
    revision: str
    def __init__(self, catalogue: _Optional[_Union[_catalog_pb2.Catalogue, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class ApplyCatalogueRequest(_message.Message):
    __slots__ = ("programme", "catalogue", "etag", "actor", "request_id", "validate_only", "source")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    programme: str
    catalogue: _catalog_pb2.Catalogue
    etag: str
    actor: str
    request_id: str
    validate_only: bool
    source: CatalogueSource
    def __init__(self, programme: _Optional[str] = ..., catalogue: _Optional[_Union[_catalog_pb2.Catalogue, _Mapping]] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ..., source: _Optional[_Union[CatalogueSource, str]] = ...) -> None: ...

class ApplyCatalogueResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: CatalogueChange
    def __init__(self, change: _Optional[_Union[CatalogueChange, _Mapping]] = ...) -> None: ...

class UpsertOfferRequest(_message.Message):
    __slots__ = ("programme", "offer", "etag", "actor", "request_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    OFFER_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    offer: _catalog_pb2.Offer
    etag: str
    actor: str
    request_id: str
    def __init__(self, programme: _Optional[str] = ..., offer: _Optional[_Union[_catalog_pb2.Offer, _Mapping]] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpsertOfferResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: CatalogueChange
    def __init__(self, change: _Optional[_Union[CatalogueChange, _Mapping]] = ...) -> None: ...

class DeleteOfferRequest(_message.Message):
    __slots__ = ("programme", "offer_id", "etag", "actor", "request_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    offer_id: str
    etag: str
    actor: str
    request_id: str
    def __init__(self, programme: _Optional[str] = ..., offer_id: _Optional[str] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteOfferResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: CatalogueChange
    def __init__(self, change: _Optional[_Union[CatalogueChange, _Mapping]] = ...) -> None: ...

class UpsertActionRequest(_message.Message):
    __slots__ = ("programme", "action", "etag", "actor", "request_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    action: _catalog_pb2.Action
    etag: str
    actor: str
    request_id: str
    def __init__(self, programme: _Optional[str] = ..., action: _Optional[_Union[_catalog_pb2.Action, _Mapping]] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpsertActionResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: CatalogueChange
    def __init__(self, change: _Optional[_Union[CatalogueChange, _Mapping]] = ...) -> None: ...

class DeleteActionRequest(_message.Message):
    __slots__ = ("programme", "action_id", "etag", "actor", "request_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    action_id: str
    etag: str
    actor: str
    request_id: str
    def __init__(self, programme: _Optional[str] = ..., action_id: _Optional[str] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteActionResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: CatalogueChange
    def __init__(self, change: _Optional[_Union[CatalogueChange, _Mapping]] = ...) -> None: ...

class UpsertSegmentRequest(_message.Message):
    __slots__ = ("programme", "segment", "etag", "actor", "request_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    segment: _catalog_pb2.Segment
    etag: str
    actor: str
    request_id: str
    def __init__(self, programme: _Optional[str] = ..., segment: _Optional[_Union[_catalog_pb2.Segment, _Mapping]] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpsertSegmentResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: CatalogueChange
    def __init__(self, change: _Optional[_Union[CatalogueChange, _Mapping]] = ...) -> None: ...

class DeleteSegmentRequest(_message.Message):
    __slots__ = ("programme", "segment_id", "etag", "actor", "request_id")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    programme: str
    segment_id: str
    etag: str
    actor: str
    request_id: str
    def __init__(self, programme: _Optional[str] = ..., segment_id: _Optional[str] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteSegmentResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: CatalogueChange
    def __init__(self, change: _Optional[_Union[CatalogueChange, _Mapping]] = ...) -> None: ...

class ListOffersRequest(_message.Message):
    __slots__ = ("programme", "page_size", "page_token")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    programme: str
    page_size: int
    page_token: str
    def __init__(self, programme: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListOffersResponse(_message.Message):
    __slots__ = ("offers", "next_page_token")
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    offers: _containers.RepeatedCompositeFieldContainer[_catalog_pb2.Offer]
    next_page_token: str
    def __init__(self, offers: _Optional[_Iterable[_Union[_catalog_pb2.Offer, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListActionsRequest(_message.Message):
    __slots__ = ("programme", "page_size", "page_token")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    programme: str
    page_size: int
    page_token: str
    def __init__(self, programme: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListActionsResponse(_message.Message):
    __slots__ = ("actions", "next_page_token")
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    actions: _containers.RepeatedCompositeFieldContainer[_catalog_pb2.Action]
    next_page_token: str
    def __init__(self, actions: _Optional[_Iterable[_Union[_catalog_pb2.Action, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListSegmentsRequest(_message.Message):
    __slots__ = ("programme", "page_size", "page_token")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    programme: str
    page_size: int
    page_token: str
    def __init__(self, programme: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSegmentsResponse(_message.Message):
    __slots__ = ("segments", "next_page_token")
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    segments: _containers.RepeatedCompositeFieldContainer[_catalog_pb2.Segment]
    next_page_token: str
    def __init__(self, segments: _Optional[_Iterable[_Union[_catalog_pb2.Segment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListCatalogueChangesRequest(_message.Message):
    __slots__ = ("programme", "page_size", "page_token")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    programme: str
    page_size: int
    page_token: str
    def __init__(self, programme: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCatalogueChangesResponse(_message.Message):
    __slots__ = ("changes", "next_page_token")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[CatalogueChange]
    next_page_token: str
    def __init__(self, changes: _Optional[_Iterable[_Union[CatalogueChange, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class MeasureSegmentRequest(_message.Message):
    __slots__ = ("programme", "segment_id", "rule")
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    programme: str
    segment_id: str
    rule: str
    def __init__(self, programme: _Optional[str] = ..., segment_id: _Optional[str] = ..., rule: _Optional[str] = ...) -> None: ...

class MeasureSegmentResponse(_message.Message):
    __slots__ = ("matching_member_count", "erring_member_count", "member_count", "explanation")
    MATCHING_MEMBER_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERRING_MEMBER_COUNT_FIELD_NUMBER: _ClassVar[int]
    MEMBER_COUNT_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    matching_member_count: int
    erring_member_count: int
    member_count: int
    explanation: str
    def __init__(self, matching_member_count: _Optional[int] = ..., erring_member_count: _Optional[int] = ..., member_count: _Optional[int] = ..., explanation: _Optional[str] = ...) -> None: ...
