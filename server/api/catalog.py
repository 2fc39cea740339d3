"""``CatalogService``: parses its messages, calls the handler, replies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

import grpc
from google.protobuf.message import Message

from experiments.rules import describe
from server.api.catalogue_parts import in_message_words, part_fields, part_message
from server.api.checks import DEFAULT_PROGRAMME, Checker
from server.api.definition import enum_number, enum_word
from server.api.fields import ListPage, next_page_token, page, provenance, seconds_left, set_time
from server.catalogue import Catalogue
from server.catalogue.base import CataloguePart
from server.catalogue.diff import CatalogueChange, Change, ChangeKind, ChangeSource
from server.catalogue.load import parse_catalogue
from server.catalogue.rules import SegmentSize
from server.handlers.catalogue import CatalogueHandler, Item, SegmentHandler
from server.handlers.changes import CatalogueEdit
from troth.v1 import catalog_pb2, catalog_service_pb2_grpc
from troth.v1 import catalog_service_pb2 as pb

_LARGEST_PAGE = 2 * 1024 * 1024
"""Bytes of a page, about; clients refuse messages above 4 MiB unless told otherwise."""
_LARGEST_CHANGE = 256 * 1024
"""Bytes of the differences that one change lists, about."""

_SOURCE = pb.CatalogueSource.DESCRIPTOR
_KIND = pb.ItemChangeKind.DESCRIPTOR

Answer = TypeVar("Answer", bound=Message)


@dataclass(frozen=True, slots=True)
class ContentRequest:
    """A checked request to replace the catalogue or to put an item in.

    Attributes:
        edit: Where it comes from.
        fields: The catalogue or item, in the words of a catalogue file.
    """

    edit: CatalogueEdit
    fields: dict[str, Any]


class _Edits(Protocol):
    programme: str
    etag: str
    actor: str
    request_id: str


class _Lists(Protocol):
    programme: str
    page_size: int
    page_token: str


def get_request(message: pb.GetCatalogueRequest) -> tuple[str, str]:
    """Return the programme and the revision that is asked for.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    programme = _programme(check, message.programme)
    check.identifier("revision", message.revision)
    check.done()
    return programme, message.revision


def get_response(catalogue: Catalogue) -> pb.GetCatalogueResponse:
    """Return the answer with a catalogue."""
    response = pb.GetCatalogueResponse(revision=catalogue.revision)
    part_message(response.catalogue, catalogue)
    return response


def apply_request(message: pb.ApplyCatalogueRequest) -> ContentRequest:
    """Return the checked request to replace the catalogue.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    source = enum_word(_SOURCE, message.source)
    if message.source == pb.CATALOGUE_SOURCE_FILE or source is None:
        check.add("source", "must be CATALOGUE_SOURCE_GRPC, CATALOGUE_SOURCE_CLI or unspecified")
    known = message.source == pb.CATALOGUE_SOURCE_CLI
    edit = _edit(
        check,
        message,
        source=ChangeSource.CLI if known else ChangeSource.GRPC,
        validate_only=message.validate_only,
    )
    fields = part_fields(check, "catalogue", message.catalogue)
    check.done()
    return ContentRequest(edit, fields)


def upsert_request(message: _Edits, item: Item) -> ContentRequest:
    """Return the checked request to put an item in.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    edit = _edit(check, message)
    fields = part_fields(check, item.noun, getattr(message, item.noun))
    check.done()
    return ContentRequest(edit, fields)


def delete_request(message: _Edits, item: Item) -> tuple[CatalogueEdit, str]:
    """Return the checked request to take an item out, and its id.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    edit = _edit(check, message)
    item_id: str = getattr(message, item.key)
    check.identifier(item.key, item_id)
    check.done()
    return edit, item_id


def change_message(change: CatalogueChange) -> pb.CatalogueChange:
    """Return the message of a change; of very many differences, the first ones."""
    message = pb.CatalogueChange(
        position=change.position,
        revision=change.revision,
        actor=change.actor,
        source=enum_number(_SOURCE, change.source.value),
        request_id=change.request_id,
        item_count=len(change.changes),
    )
    if change.position:
        set_time(message.change_time, change.change_time)
    size = 0
    for one in change.changes:
        item = pb.ItemChange(
            kind=enum_number(_KIND, one.kind.value),
            item=one.what,
            path=one.path,
            before_text=one.before,
            after_text=one.after,
        )
        size += item.ByteSize()
        if size > _LARGEST_CHANGE:
            break
        message.items.append(item)
    return message


def list_request(message: _Lists, listed: str) -> tuple[str, ListPage]:
    """Return the programme and the page of a list.

    Args:
        message: The request.
        listed: What the list is of.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    programme = _programme(check, message.programme)
    wanted = page(check, message.page_size, message.page_token, listed, programme)
    check.done()
    return programme, wanted


def items_response(
    response: Answer, item: Item, programme: str, wanted: ListPage, found: Sequence[CataloguePart]
) -> Answer:
    """Fill a page of items.

    Args:
        response: The message to fill.
        item: The kind of the items.
        programme: The loyalty programme.
        wanted: The page.
        found: Its items and, if there are more, one of the next page.

    Returns:
        The filled page.
    """
    new = {Item.OFFER: catalog_pb2.Offer, Item.ACTION: catalog_pb2.Action, Item.SEGMENT: catalog_pb2.Segment}[
        item
    ]
    entries = [(getattr(part, item.key), part_message(cast(Message, new()), part)) for part in found]
    return _page(response, item.listing, programme, wanted, entries)


def changes_response(
    programme: str, wanted: ListPage, found: Sequence[CatalogueChange]
) -> pb.ListCatalogueChangesResponse:
    """Return a page of the audit trail; ``found`` may hold one change of the next page.

    Args:
        programme: The loyalty programme.
        wanted: The page that was asked for.
        found: The changes, oldest first.
    """
    entries = [(str(change.position), cast(Message, change_message(change))) for change in found]
    return _page(pb.ListCatalogueChangesResponse(), "changes", programme, wanted, entries)


def measure_request(message: pb.MeasureSegmentRequest) -> tuple[str, str, str]:
    """Return the programme, and the segment or the rule that is to be measured; the other one is empty.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    programme = _programme(check, message.programme)
    if not message.segment_id and not message.rule:
        check.add("segment_id", "is required, unless rule is given")
    check.identifier("segment_id", message.segment_id)
    check.done()
    return programme, message.segment_id, message.rule


def measure_response(size: SegmentSize, explanation: str) -> pb.MeasureSegmentResponse:
    """Return the answer with a size."""
    return pb.MeasureSegmentResponse(
        matching_member_count=size.matching,
        erring_member_count=size.erring,
        member_count=size.members,
        explanation=explanation,
    )


def _page(
    response: Answer, listing: str, programme: str, wanted: ListPage, entries: Sequence[tuple[str, Message]]
) -> Answer:
    listed: Any = getattr(response, listing)
    size, last = 0, ""
    for key, message in entries:
        size += message.ByteSize()
        if len(listed) == wanted.size or (last and size > _LARGEST_PAGE):
            cast(Any, response).next_page_token = next_page_token(last, listing, programme)
            break
        listed.append(message)
        last = key
    return response


def _edit(
    check: Checker, message: _Edits, *, source: ChangeSource = ChangeSource.GRPC, validate_only: bool = False
) -> CatalogueEdit:
    check.require(cast(Message, message))
    programme = _programme(check, message.programme)
    check.identifier("etag", message.etag)
    return CatalogueEdit(programme, provenance(check, message), message.etag, source, validate_only)


def _programme(check: Checker, programme: str) -> str:
    check.identifier("programme", programme)
    return programme or DEFAULT_PROGRAMME


def apply_message(
    catalogue: Catalogue, actor: str, *, request_id: str, validate_only: bool
) -> pb.ApplyCatalogueRequest:
    """Return the request of the command line to put a catalogue in force.

    Args:
        catalogue: The catalogue.
        actor: Who asks.
        request_id: Key of retries.
        validate_only: Whether it is only checked.
    """
    request = pb.ApplyCatalogueRequest(
        programme=catalogue.programme,
        actor=actor,
        request_id=request_id,
        validate_only=validate_only,
        source=pb.CATALOGUE_SOURCE_CLI,
    )
    part_message(request.catalogue, catalogue)
    return request


def catalogue_of(response: pb.GetCatalogueResponse) -> Catalogue:
    """Return the catalogue that a server answered with.

    Raises:
        DefinitionError: It breaks the rules of this version.
    """
    check = Checker()
    fields = part_fields(check, "catalogue", response.catalogue)
    check.done()
    return parse_catalogue(fields, "The server's catalogue")


def change_values(message: pb.CatalogueChange) -> tuple[Change, ...]:
    """Return the differences that a change lists."""
    return tuple(
        Change(
            ChangeKind(enum_word(_KIND, one.kind) or ""),
            one.item,
            one.path,
            one.before_text,
            one.after_text,
        )
        for one in message.items
    )


class CatalogServicer(catalog_service_pb2_grpc.CatalogServiceServicer):
    """``troth.v1.CatalogService``."""

    def __init__(self, catalogues: CatalogueHandler, segments: SegmentHandler) -> None:
        self._catalogues = catalogues
        self._segments = segments

    def GetCatalogue(  # noqa: N802 the proto's name
        self,
        request: pb.GetCatalogueRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.GetCatalogueResponse:
        """Return a catalogue."""
        return get_response(self._catalogues.get(*get_request(request)))

    def ApplyCatalogue(  # noqa: N802 the proto's name
        self, request: pb.ApplyCatalogueRequest, context: grpc.ServicerContext
    ) -> pb.ApplyCatalogueResponse:
        """Replace the whole catalogue."""
        wanted = apply_request(request)
        with in_message_words():
            change = self._catalogues.apply(wanted.edit, wanted.fields, seconds_left(context))
        return pb.ApplyCatalogueResponse(change=change_message(change))

    def UpsertOffer(  # noqa: N802 the proto's name
        self, request: pb.UpsertOfferRequest, context: grpc.ServicerContext
    ) -> pb.UpsertOfferResponse:
        """Put an offer in."""
        return pb.UpsertOfferResponse(change=self._upsert(Item.OFFER, request, context))

    def DeleteOffer(  # noqa: N802 the proto's name
        self, request: pb.DeleteOfferRequest, context: grpc.ServicerContext
    ) -> pb.DeleteOfferResponse:
        """Take an offer out."""
        return pb.DeleteOfferResponse(change=self._delete(Item.OFFER, request, context))

    def UpsertAction(  # noqa: N802 the proto's name
        self, request: pb.UpsertActionRequest, context: grpc.ServicerContext
    ) -> pb.UpsertActionResponse:
        """Put an action in."""
        return pb.UpsertActionResponse(change=self._upsert(Item.ACTION, request, context))

    def DeleteAction(  # noqa: N802 the proto's name
        self, request: pb.DeleteActionRequest, context: grpc.ServicerContext
    ) -> pb.DeleteActionResponse:
        """Take an action out."""
        return pb.DeleteActionResponse(change=self._delete(Item.ACTION, request, context))

    def UpsertSegment(  # noqa: N802 the proto's name
        self, request: pb.UpsertSegmentRequest, context: grpc.ServicerContext
    ) -> pb.UpsertSegmentResponse:
        """Put a segment in."""
        return pb.UpsertSegmentResponse(change=self._upsert(Item.SEGMENT, request, context))

    def DeleteSegment(  # noqa: N802 the proto's name
        self, request: pb.DeleteSegmentRequest, context: grpc.ServicerContext
    ) -> pb.DeleteSegmentResponse:
        """Take a segment out."""
        return pb.DeleteSegmentResponse(change=self._delete(Item.SEGMENT, request, context))

    def ListOffers(  # noqa: N802 the proto's name
        self,
        request: pb.ListOffersRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListOffersResponse:
        """Return a page of offers."""
        programme, page = list_request(request, Item.OFFER.listing)
        found = self._catalogues.listing(programme, Item.OFFER, page.after, page.size + 1)
        return items_response(pb.ListOffersResponse(), Item.OFFER, programme, page, found)

    def ListActions(  # noqa: N802 the proto's name
        self,
        request: pb.ListActionsRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListActionsResponse:
        """Return a page of actions."""
        programme, page = list_request(request, Item.ACTION.listing)
        found = self._catalogues.listing(programme, Item.ACTION, page.after, page.size + 1)
        return items_response(pb.ListActionsResponse(), Item.ACTION, programme, page, found)

    def ListSegments(  # noqa: N802 the proto's name
        self,
        request: pb.ListSegmentsRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListSegmentsResponse:
        """Return a page of segments."""
        programme, page = list_request(request, Item.SEGMENT.listing)
        found = self._catalogues.listing(programme, Item.SEGMENT, page.after, page.size + 1)
        return items_response(pb.ListSegmentsResponse(), Item.SEGMENT, programme, page, found)

    def ListCatalogueChanges(  # noqa: N802 the proto's name
        self,
        request: pb.ListCatalogueChangesRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListCatalogueChangesResponse:
        """Return a page of the audit trail."""
        programme, page = list_request(request, "changes")
        found = self._catalogues.changes(programme, int(page.after or 0), page.size + 1)
        return changes_response(programme, page, found)

    def MeasureSegment(  # noqa: N802 the proto's name
        self,
        request: pb.MeasureSegmentRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.MeasureSegmentResponse:
        """Count members."""
        size, rule = self._segments.measure(*measure_request(request))
        return measure_response(size, describe(rule))

    def _upsert(
        self,
        item: Item,
        request: pb.UpsertOfferRequest | pb.UpsertActionRequest | pb.UpsertSegmentRequest,
        context: grpc.ServicerContext,
    ) -> pb.CatalogueChange:
        wanted = upsert_request(request, item)
        with in_message_words():
            change = self._catalogues.upsert(wanted.edit, item, wanted.fields, seconds_left(context))
        return change_message(change)

    def _delete(
        self,
        item: Item,
        request: pb.DeleteOfferRequest | pb.DeleteActionRequest | pb.DeleteSegmentRequest,
        context: grpc.ServicerContext,
    ) -> pb.CatalogueChange:
        edit, item_id = delete_request(request, item)
        with in_message_words():
            change: CatalogueChange = self._catalogues.delete(edit, item, item_id, seconds_left(context))
        return change_message(change)
